//! Which event store the commands that look back read, and how they say what it lacks.

use crate::output::{Failure, instant, talk};
use clap::Args;
use clockwright_events::{EventStore, Query as _};
use clockwright_model::Millis;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The data folder of the `dev` or `node` whose event store is read
    #[arg(long, env = "CLOCKWRIGHT_DATA", default_value = super::DEFAULT_DATA)]
    data: PathBuf,
    /// The database that `dev` or `node` was told to use, instead of events.db in the data folder
    #[arg(long, env = "CLOCKWRIGHT_EVENTS", hide_env_values = true, value_name = "ADDRESS")]
    events: Option<String>,
}

impl StoreArgs {
    /// Where it reads, for a message: never the address of a database, which may hold a password.
    pub(crate) fn place(&self) -> String {
        self.events.as_ref().map_or_else(|| self.data.display().to_string(), |_| "the database".to_owned())
    }

    pub(crate) async fn open(&self) -> Result<Arc<EventStore>, Failure> {
        match &self.events {
            Some(address) => Ok(EventStore::connect_read_only(address).await?),
            None => Ok(EventStore::open_read_only(self.data.join(super::EVENTS_FILE)).await?),
        }
    }
}

/// Refuses a span that ends before it begins.
pub(crate) fn check_span(from: Millis, to: Millis) -> Result<(), Failure> {
    if from < to {
        return Ok(());
    }
    Err(Failure::Usage(format!("the span from {} to {} is empty", instant(from), instant(to))))
}

/// Says what was dropped before it could be stored, if anything was, so that nobody takes a hole for the truth.
pub(crate) async fn tell_losses(store: &EventStore, from: Millis, to: Millis) -> Result<(), Failure> {
    for loss in store.losses(from, to).await? {
        talk(&format!(
            "not on record: {} status traces, {} starts and ends, {} outcomes, {} failures, dropped from {} to {}: {}",
            loss.statuses,
            loss.executions,
            loss.settlements,
            loss.failures,
            instant(loss.from),
            instant(loss.to),
            loss.reason,
        ));
    }
    Ok(())
}
