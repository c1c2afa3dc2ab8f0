//! What happened, on record: a bus that never blocks and never fails, and sinks that store.
//!
//! ```text
//! engine ──publish──▶ Bus ──one bounded queue and one task for each sink──▶ Sink::store(batch)
//!                                                                            └ SqliteStore ◀── Query ── CLI, console
//! ```
//!
//! - [`Bus`] takes events from whoever runs jobs. It costs them about a microsecond and can neither delay nor fail them.
//! - [`Sink`] is the port towards storage; [`SqliteStore`] is the local one.
//! - [`Query`] reads back what a store holds; every database answers it in the same way.
//! - [`testing::Recorder`] is a sink for the tests of other crates.

pub mod bus;
pub mod query;
pub mod sqlite;
pub mod testing;
mod text;

pub use bus::{Bus, BusOptions, SinkStats};
pub use query::{
    BadCursor, Cursor, ExecutionFilter, ExecutionPage, ExecutionRow, ExecutionState, OUTCOMES, Page, Query,
    RunFilter, RunPage, RunRow, StatusRow, Store, StoreError,
};
pub use sqlite::SqliteStore;

use async_trait::async_trait;
use clockwright_model::Event;

/// Where events go. A sink is called by one task at a time, in order, with batches.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Stores a batch. Storing the same event again must change nothing. On an error the bus keeps the batch and tries
    /// again, for as long as it takes: an event that this sink can never store is one to skip, not one to report.
    /// The call may be dropped at any `await`, when the process shuts down and the deadline has passed.
    ///
    /// # Errors
    /// The whole batch counts as not stored, even if a part of it was.
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError>;

    /// What statistics and log lines call it.
    fn name(&self) -> &str {
        "sink"
    }
}

/// Why a batch was not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot store events: {0}")]
pub struct SinkError(pub String);
