//! Settings sync: the registry is kept equal to the database. What is to be done is decided in [`decide::sync`](crate::decide::sync); here it
//! is read and written.

pub mod control;
mod found;
mod held;
pub mod notice;
pub mod sweep;
pub mod write;

pub use crate::decide::group::{Synced, Word};
pub use found::{Found, found};
pub use held::confirm;
pub use sweep::{Swept, sweep};
pub(crate) use write::prove;
pub use write::{By, Failed, look_only, registry_of, write, write_by};

use crate::app::App;
use crate::store::{ProjectRow, SyncState};
use clockwright_api::jobs::SyncView;
use clockwright_api::{Code, Problem};
use clockwright_registry::Error;
use std::time::Duration;

/// Follows a save at once, and says within a moment how far the registry has come. What is not done by then is done later.
pub async fn follow(app: &App, project: &ProjectRow, job: i64) -> SyncView {
    let wait = Duration::from_millis(app.config.sync_wait.unsigned_abs());
    let pending = |why: &str| SyncView { state: SyncState::Pending.word().to_owned(), why: why.to_owned() };
    match tokio::time::timeout(wait, write(app, project, &[job])).await {
        Ok(Ok(synced)) => synced.into_iter().next().map_or_else(
            || pending("the job is gone"),
            |synced| SyncView { state: synced.state.word().to_owned(), why: String::new() },
        ),
        Ok(Err(failed)) if failed.holds() => {
            SyncView { state: SyncState::Held.word().to_owned(), why: failed.to_string() }
        }
        Ok(Err(failed)) => pending(&failed.to_string()),
        Err(_) => pending("the registry has not answered yet"),
    }
}

impl Failed {
    /// As an answer.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Failed::AnotherPlane(url) => {
                Problem::new(Code::RegistryOfAnotherPlane, format!("the namespace is managed from {url}"))
            }
            Failed::Restored => Problem::new(Code::RegistryRegressed, self.to_string()),
            Failed::Older { found, known } => {
                let detail = format!("`control` has version {found}, and {known} was seen there once");
                Problem::new(Code::RegistryRegressed, detail)
            }
            Failed::Behind { seq, head } => {
                let detail = format!("the journal ends at {head}, and the registry remembers {seq}");
                Problem::new(Code::RegistryRegressed, detail)
            }
            Failed::NoSession(why) => {
                tracing::warn!(%why, "a registry is away");
                Problem::new(Code::RegistryAway, "the project's registry cannot be reached now").retry(5)
            }
            Failed::Registry(Error::Denied(_)) => {
                Problem::new(Code::RegistryDenied, "the registry does not let the server write there")
            }
            Failed::Registry(Error::Unknown(_)) => {
                Problem::new(Code::UnknownOutcome, "the registry's answer was lost: it may have been done")
            }
            Failed::Store(error) => {
                tracing::warn!(%error, "the database is away");
                Problem::new(Code::DatabaseAway, "the database cannot be reached now").retry(5)
            }
            other => {
                tracing::warn!(error = %other, "a look at a registry failed");
                let detail = "the project's registry did not answer as it should";
                Problem::new(Code::RegistryAway, detail).retry(5)
            }
        }
    }
}
