//! Handlers, one file a resource.

pub(super) mod alerts;
pub(super) mod channels;
pub(super) mod facets;
pub(super) mod find;
pub(super) mod fleet;
pub(super) mod history;
pub(super) mod hosts;
pub(crate) mod jobs;
pub(super) mod journal;
pub(super) mod ledger;
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
pub(super) mod schedules;
pub(crate) mod session;
pub(super) mod stream;
pub(super) mod suggest;
pub(crate) mod sync;
pub(super) mod system;
pub(crate) mod upcoming;

use crate::decide::chain::{done, target};
use crate::http::refusal::Answered;
use clockwright_api::{Code, Problem};
use serde::Deserialize;
use utoipa::IntoParams;

/// An address that ends with an id.
#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheId {
    /// The id.
    id: String,
}

impl TheId {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Does aside what may take long: others are to be answered meanwhile.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answered<T> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?)
}

/// Somebody else changed it since it was read.
pub(super) fn conflict(what: &str, sent: i64, current: i64) -> Problem {
    Problem::new(
        Code::VersionConflict,
        format!("{what} has version {current} by now, and the change was made to version {sent}"),
    )
    .with("current", current)
}
