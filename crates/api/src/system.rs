//! What a server says of itself.

use crate::At;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a server works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Of life: `alive`, `stuck`. Of readiness: `ready`, `degraded`, `notReady`. Of health: `healthy`, `unhealthy`.
    pub status: String,
    /// What is not well.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub troubles: Vec<Trouble>,
}

/// Something that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// What: `starting`, `leaving`, `loop-still`, `database-away`, `registry-away`, `store-away`, `live-old`, `sync-held` or `deliveries-dead`.
    pub code: String,
    /// How many of it.
    pub count: u64,
}

/// Which program it is. All but the name is for those who are signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// The commit that it was built of, where that was said at its build.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// The databases that it can use: `sqlite`, `postgresql`, `mysql`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub databases: Vec<String>,
}

/// The control servers of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct System {
    /// Those that were heard of within the last quarter of a minute, the oldest first.
    pub servers: Vec<ControlServer>,
    /// The number of the term that is being led.
    pub term: i64,
    /// When it began.
    pub term_since: At,
    /// The id of the server that began it.
    pub leader: String,
    /// The number of the journal's last record.
    pub seq: i64,
}

/// A control server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlServer {
    /// Its id, new at each start.
    pub id: String,
    /// The machine's name.
    pub host: String,
    /// Where browsers find it.
    pub address: String,
    /// Its program's version.
    pub version: String,
    /// When it started.
    pub started_at: At,
    /// When it was heard of last.
    pub seen_at: At,
    /// True for the one that leads.
    pub leads: bool,
    /// True for the one that answers.
    pub answers: bool,
}

/// A key of the configuration as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// The key.
    pub key: String,
    /// Its value; a secret is `(set)`.
    pub value: String,
    /// Where it is from: a line of the file, a variable of the environment, an option, or `default`.
    pub origin: String,
}

/// How bad something is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Gravity {
    /// Something does not work, or is not safe.
    Error,
    /// Something may go wrong.
    Warning,
    /// Good to know.
    Note,
    /// As it should be, and told for whoever compares.
    Fact,
}

/// Something that is not as it should be, or that whoever compares wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of thing it is: `registry-away`.
    pub code: String,
    /// How bad it is.
    pub severity: Gravity,
    /// What was found.
    pub what: String,
    /// Where: a key of the configuration, a registry, a project, a person.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it.
    pub fix: String,
}
