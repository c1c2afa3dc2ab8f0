//! What is looked at first: the palette, the overview, and when a schedule fires.

use crate::At;
use crate::jobs::{JobRow, Sentence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What the palette looks for.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchAsk {
    /// Some letters, or a search as in lists of jobs.
    pub q: String,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// `project`, `job` or `host`.
    pub kind: String,
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub title: String,
}

/// How everything stands that one may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// How many projects.
    pub projects: u64,
    /// How many jobs.
    pub jobs: u64,
    /// How many jobs the registries have, by what they say of them.
    pub statuses: BTreeMap<String, u64>,
    /// How many jobs, by whether they may run.
    pub states: BTreeMap<String, u64>,
    /// How many items run.
    pub running: u64,
    /// Jobs whose settings cannot be used; at most 20.
    pub degraded: Vec<JobRow>,
    /// Jobs that are online and that nobody serves; at most 20.
    pub crashed: Vec<JobRow>,
    /// Jobs that failed three times in a row; at most 20.
    pub failing: Vec<JobRow>,
    /// Jobs that differ from the files that define them; at most 20.
    pub diverged: Vec<JobRow>,
    /// All that happened before this is in here; absent while a project's registry was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// Which schedule is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextAsk {
    /// The schedule, as a job's `cron`.
    pub cron: String,
    /// Its zone; that of the server unless told.
    pub zone: Option<String>,
    /// After this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// How many instants; 20 unless told, 1,000 at most.
    pub n: Option<u32>,
}

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextFires {
    /// The next instants.
    pub fires: Vec<At>,
    /// The schedule in words, without its zone.
    pub sentence: Sentence,
}
