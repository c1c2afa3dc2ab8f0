//! Settings sync: the registry is kept equal to the database. What is to be done is decided in [`decide::sync`](crate::decide::sync); here it
//! is read and written.

pub mod control;
mod held;
pub mod notice;
pub mod sweep;
pub mod write;

pub use crate::decide::group::{Synced, Word};
pub use held::confirm;
pub use sweep::{Swept, sweep};
pub use write::{By, Failed, look_only, registry_of, write, write_by};

use crate::app::App;
use crate::store::{ProjectRow, SyncState};
use clockwright_api::jobs::SyncView;
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
