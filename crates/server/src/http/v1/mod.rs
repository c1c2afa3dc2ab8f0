//! Handlers, one file a resource.

pub(super) mod alerts;
pub(super) mod channels;
pub(super) mod find;
pub(super) mod history;
pub(super) mod hosts;
pub(crate) mod jobs;
pub(super) mod journal;
pub(crate) mod links;
pub(crate) mod lists;
pub(super) mod live;
pub(super) mod me;
pub(super) mod oidc;
pub(super) mod operations;
mod paging;
pub(super) mod people;
pub(super) mod plans;
pub(super) mod projects;
mod rows;
pub(super) mod rules;
pub(super) mod session;
pub(super) mod stream;
pub(crate) mod sync;
pub(super) mod system;

use crate::decide::chain::{Outcome, Record, Target};
use clockwright_api::Problem;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// An address that ends with an id.
#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheId {
    /// The id.
    id: String,
}

/// A record of something that was done.
pub(crate) fn done(
    action: &'static str,
    project: i64,
    target: Target,
    changes: Value,
    reason: &str,
) -> Record {
    Record { action, project, target, outcome: Outcome::Done, code: "", changes, reason: reason.to_owned() }
}

/// What a record is about.
pub(crate) fn target(kind: &'static str, id: impl ToString, name: impl Into<String>) -> Target {
    Target { kind, id: id.to_string(), name: name.into() }
}

/// Somebody else changed it since it was read.
pub(super) fn conflict(what: &str, sent: i64, current: i64) -> Problem {
    Problem::new(
        clockwright_api::Code::VersionConflict,
        format!("{what} has version {current} by now, and the change was made to version {sent}"),
    )
    .with("current", current)
}
