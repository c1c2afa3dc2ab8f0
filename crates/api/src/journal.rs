//! The journal, as people read it.

use crate::At;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which records are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct JournalAsk {
    /// How many records; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// About the thing of this id.
    pub target: Option<String>,
    /// By the person of this id.
    pub actor: Option<String>,
    /// Of this action: `job.update`.
    pub action: Option<String>,
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalRecord {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: At,
    /// Who did it.
    pub actor: JournalActor,
    /// What was done: `job.update`.
    pub action: String,
    /// The project's name; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What it was done to.
    pub target: JournalTarget,
    /// `done`, `begun`, `partial`, `refused` or `failed`.
    pub outcome: String,
    /// The code of a refusal.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub code: String,
    /// What changed, each key from what to what.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub changes: Value,
    /// Why, in the words of whoever did it.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// Its hash, by which the next record stands on it.
    pub hash: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalActor {
    /// `person`, `service`, `server` or `nobody`.
    pub kind: String,
    /// Their id.
    pub id: String,
    /// Their name at that time.
    pub name: String,
    /// `session`, `token`, `link`, `command` or `itself`.
    pub via: String,
    /// From where.
    pub ip: String,
    /// The request's id.
    pub request: String,
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalTarget {
    /// `job`, `project`, `user`, ….
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// What a look at the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// True when every record stands on the one before, up to the head.
    pub holds: bool,
    /// How many records were looked at.
    pub records: u64,
    /// The last one: its number and its hash, to be kept elsewhere.
    pub head: String,
    /// The first place where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}
