//! Operations that were left: begun by a control server that died, or waiting for a registry that is back.
//!
//! Each control server says every few seconds that it is there. One that has been silent for [`SILENT`] is dead, as far as its operations are concerned:
//! the one that leads takes each over by naming the one that it was of, so of two that try one succeeds, and goes on at its first step. Each step
//! is safe to repeat. Should the silent one live after all, its end is not written, because the operation is not its own any more.
//!
//! What waits for its registry, or whose end could not be written, is tried again by the server that it is of.

use super::bulk;
use super::run::run;
use crate::app::App;
use crate::store::{OperationRow, OperationState, StoreError};
use clockwright_model::Millis;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A control server that has said nothing for so long is dead, milliseconds.
pub const SILENT: Millis = 15_000;
/// How often it is looked for what was left.
pub const EVERY: Duration = Duration::from_secs(3);

/// Carries on what this control server has left itself, until it is dropped.
pub async fn watch(app: Arc<App>) {
    let pulse = app.pulses.begin("operations");
    loop {
        sleep(EVERY).await;
        if let Err(error) = pulse.during(own(&app)).await {
            tracing::debug!(%error, "operations that rest cannot be looked for");
        }
    }
}

/// Begins to carry on what this control server has left itself.
///
/// # Errors
/// The database is away.
pub async fn own(app: &Arc<App>) -> Result<(), StoreError> {
    for row in app.store.open_operations().await?.into_iter().filter(|row| row.server == app.id) {
        take(app, row).await?;
    }
    Ok(())
}

/// Begins to carry on what control servers have left that are dead.
///
/// # Errors
/// The database is away.
pub async fn of_the_dead(app: &Arc<App>) -> Result<(), StoreError> {
    let open = app.store.open_operations().await?;
    if open.is_empty() {
        return Ok(());
    }
    let there = app.store.servers(app.now() - SILENT).await?;
    let there: BTreeSet<&str> = there.iter().map(|server| server.id.as_str()).collect();
    for row in open {
        if row.server != app.id && !there.contains(row.server.as_str()) {
            take(app, row).await?;
        }
    }
    Ok(())
}

async fn take(app: &Arc<App>, row: OperationRow) -> Result<(), StoreError> {
    // What is under way here is not begun again.
    let Some(live) = app.ops.claim(&row.id) else { return Ok(()) };
    if app.store.take_operation(&row.id, &row.server, &app.id).await? {
        tracing::info!(operation = row.id, kind = row.kind, "an operation goes on");
        let mine = OperationRow { server: app.id.clone(), state: OperationState::Running, ..row };
        // A drain may take long; what comes next does not wait for it.
        match mine.kind.as_str() {
            bulk::KIND => drop(tokio::spawn(bulk::run(Arc::clone(app), mine, Some(live)))),
            _ => drop(tokio::spawn(run(Arc::clone(app), mine, Some(live)))),
        }
    }
    Ok(())
}
