//! Projects and who belongs to them.

use crate::live::ProjectLive;
use crate::text::{Name, Namespace, Note, ProjectName, Title};
use crate::{At, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A project to be made.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewProject {
    /// Its name, for good.
    pub name: ProjectName,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// For people, at length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Which of the operator's registries; `home` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Name>,
    /// The namespace there, for good; the project's name unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Which of the operator's event stores has its history; `home` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Name>,
    /// The layout of jobs that are made in it: `2` or `3`; unless told, what the namespace has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// What is done about what others change there.
    #[serde(default)]
    pub policy: Policy,
    /// True when its developers may change what a job runs.
    #[serde(default)]
    pub code_edit: bool,
}

/// A layout of Elastic-Job's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Layout {
    /// That of Elastic-Job 2.1.5.
    #[serde(rename = "2")]
    Two,
    /// That of ElasticJob 3.
    #[serde(rename = "3")]
    Three,
}

/// What a project wants done about what others change in its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// About settings.
    pub settings: Outside,
    /// About pauses, drains and disables.
    pub holds: Holds,
}

/// What is done about settings that somebody else wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outside {
    /// They are kept on record, and what the database says is written again.
    #[default]
    Repair,
    /// They are kept on record and reported.
    Report,
    /// They become the job's next version, unless files define the job.
    Adopt,
}

/// What is done about holds that somebody else made or lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Holds {
    /// Somebody else may stop something and never start it.
    #[default]
    Keep,
    /// Both are taken over.
    Follow,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people, at length.
    pub note: String,
    /// Which of the operator's registries.
    pub registry: String,
    /// The namespace there.
    pub namespace: String,
    /// Which of the operator's event stores has its history.
    pub store: String,
    /// The layout of jobs that are made in it; absent: what the namespace has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// What is done about what others change there.
    pub policy: Policy,
    /// True when its developers may change what a job runs.
    pub code_edit: bool,
    /// How many jobs it has.
    pub jobs: u64,
    /// How its registry is followed, and what there is in it. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<ProjectLive>,
    /// Your role on it.
    pub role: Role,
    /// When it was made.
    pub created_at: At,
    /// Grows with each change.
    pub version: i64,
}

/// What of a project is to be changed; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "as in NewProject")]
pub struct ProjectChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_edit: Option<bool>,
}

/// How a project is ended.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct Detach {
    /// True to end the project although it has jobs: the registry stays as it is, and so do they there.
    pub detach: bool,
}

/// Somebody's role on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// `user` or `group`.
    pub kind: String,
    /// The login of a user, or the name of a group.
    pub who: String,
    /// The role.
    pub role: Role,
    /// When it was given.
    pub at: At,
}

/// A role to be given.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GiveRole {
    /// The role.
    pub role: Role,
}
