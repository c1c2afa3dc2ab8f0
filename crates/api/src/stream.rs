//! What the live stream (`text/event-stream`) says: one JSON object an event.

use crate::At;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What is listened to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StreamAsk {
    /// Of this project; of all that one may see unless told.
    pub project: Option<String>,
    /// Jobs that this search finds, as in lists of jobs.
    pub q: Option<String>,
    /// Kinds of events, with commas between them: `journal`, `live`, `alert`; all unless told.
    pub kinds: Option<String>,
}

/// `hello`: the first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The journal's number from which on its records come.
    pub seq: i64,
    /// How old what lives in each project is.
    pub as_of: BTreeMap<String, Age>,
}

/// How old what lives in a project is. `asof` has one for each project, every five seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Age {
    /// All that happened before this was told; absent before the registry was read once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
    /// `loading`, `following`, `catchingUp` or `away`.
    pub state: String,
}

/// `journal`: something was changed. Its number is the event's id, from which a stream goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The record's number.
    pub seq: i64,
    /// What was done: `job.update`.
    pub action: String,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The job's version of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Who did it.
    pub by: String,
}

/// `live` where the search finds more than a thousand jobs: how many there are in each project, by their state. The first event of a
/// stream; changes come one job at a time all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Crowd {
    /// By project, by state.
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
}

/// `resync`: what was shown is to be loaded anew; the stream goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resync {
    /// `restart`: the number is none of this journal's. `tooOld`: too much happened since. `overflow`: the reader was too slow.
    pub why: String,
    /// The number from which on records come now.
    pub seq: i64,
}

/// `bye`: the stream ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bye {
    /// `shutdown`, `signedOut` or `notAllowed`.
    pub why: String,
}
