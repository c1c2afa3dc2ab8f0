//! How the registry agrees with the database, and what others wrote there.

use crate::At;
use crate::jobs::Difference;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// How far the registry has followed one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSync {
    /// `written`, `pending`, `held`, `conflict`, `reported`, `denied` or `contended`.
    pub state: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
    /// The version that was last written or adopted; 0 for none.
    pub base_version: i64,
    /// When the registry was last known to say what the database says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<At>,
    /// The settings that differ now, from what the database says to what the registry has.
    pub differences: Vec<Difference>,
}

/// What a look at a project found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectSync {
    /// How many jobs are in each state.
    pub counts: BTreeMap<String, u64>,
    /// The jobs that are not as they should be, by name.
    pub jobs: Vec<JobState>,
    /// What was put right just now, by name; each state is the kind of what was found: `changed`, `missing`, `broken`, …, and of holds:
    /// `started` (against a hold; it is stopped again), `stopped` (it is a hold now), `lifted` (where the project follows).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mended: Vec<JobState>,
    /// True when more would be written over than the guard allows: somebody confirms.
    pub held: bool,
}

/// One job's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobState {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
}

/// Something that somebody else wrote into the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftView {
    /// Its id.
    pub id: String,
    /// The job's name.
    pub job: String,
    /// When it was found.
    pub found_at: At,
    /// `changed`, `both`, `broken`, `foreign`, `missing`, `open` or `denied`.
    pub kind: String,
    /// `repaired` or `reported`.
    pub verdict: String,
    /// When it was dealt with; absent while it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<At>,
    /// Which settings differed, each from what the database said to what was there.
    #[schema(value_type = Object)]
    pub changes: Value,
    /// Who may have written it, which is a guess, what the root node said, and when by the registry's clock.
    #[schema(value_type = Object)]
    pub author: Value,
    /// What was there, as text. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub had: Option<String>,
}

/// A job that the registry has and the database has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unmanaged {
    /// Its name.
    pub name: String,
    /// Its layout: `2` or `3`.
    pub layout: String,
    /// Its settings; absent when they cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// Why they cannot be read.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
    /// The instances that serve it.
    pub instances: Vec<String>,
}

/// To take jobs over that the registry has.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adopt {
    /// Their names; all that are unmanaged, when it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<String>>,
    /// True to see what would be taken over, and to change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was taken over, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// The names of those that were, or would be.
    pub jobs: Vec<String>,
    /// Those that cannot be, and why.
    pub refused: Vec<JobState>,
}

/// One of the two that may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// What the database says is written.
    Database,
    /// What the registry has becomes the job's next version.
    Registry,
}

/// Which of the two is right.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolve {
    /// It.
    pub take: Side,
}

/// Which records are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DriftAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Of this job alone.
    pub job: Option<String>,
}
