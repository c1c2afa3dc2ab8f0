//! What happened, on record: a bus that never blocks and never fails, and sinks that store.
//!
//! ```text
//! engine ──publish──▶ Bus ──one bounded queue and one task for each sink──▶ Sink::store(batch)
//!                                                                            └ EventStore ◀── Query ── CLI, console
//! ```
//!
//! - [`Bus`] takes events from whoever runs jobs. It costs them about a microsecond and can neither delay nor fail them.
//! - [`Sink`] is the port towards storage; [`EventStore`] is SQLite, PostgreSQL, MySQL or MariaDB.
//! - [`Spool`] stands between the two where a database may be slow or away, and keeps events on disk meanwhile.
//! - [`Query`] reads back what a store holds; every database answers it in the same way.
//! - [`testing::Recorder`] is a sink for the tests of other crates.

pub mod answers;
pub mod bus;
mod json;
pub mod query;
pub mod spool;
pub mod store;
pub mod testing;
mod trouble;

pub use bus::{Bus, BusOptions, Sampling, SinkStats};
pub use clockwright_sql::{RetryClass, Tx};
pub use json::{from_json, to_json};
pub use query::{
    BadCursor, ChangeFilter, ChangePage, ChangeRow, Cursor, Durations, ExecutionFilter, ExecutionPage,
    ExecutionRow, ExecutionState, LossRow, Page, Query, RunFilter, RunPage, RunRow, StateRow, StatisticsRow,
    StatusRow, Store, StoreError, Tail, TailPage, Width,
};
pub use spool::{Spool, SpoolError, SpoolOptions, SpoolStats};
pub use store::{EventStore, LateStore, Retention};

/// The event store where it is known to be a file.
pub type SqliteStore = EventStore;

use async_trait::async_trait;
use clockwright_model::{Event, Millis, Outcome, RunId, Token};

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

    /// Records that events were dropped before they could be stored, so that what is missing has a trace too. Recording the
    /// same loss again must change nothing. Unless a sink says otherwise, it ignores this.
    ///
    /// # Errors
    /// It is told again later.
    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        let _ = loss;
        Ok(())
    }

    /// The greatest fencing token that it knows of in a namespace of a registry, 0 when there is none: those of an instance that starts must be
    /// above it, also when the registry has lost its data. Unless a sink says otherwise, it knows none.
    ///
    /// # Errors
    /// It cannot say.
    async fn greatest_token(&self, namespace: &str) -> Result<Token, SinkError> {
        let _ = namespace;
        Ok(0)
    }

    /// Which store it keeps history in, as [`EventStore::identity`] says it; none when it keeps none that can be asked. Unless a sink says
    /// otherwise, it keeps none.
    ///
    /// # Errors
    /// It cannot say.
    async fn identity(&self) -> Result<Option<String>, SinkError> {
        Ok(None)
    }

    /// Lets go of what it holds: connections, files, locks. Nothing is stored afterwards. [`Bus::close`] calls it last and waits for it. Unless a
    /// sink says otherwise, it has nothing to let go of.
    async fn close(&self) {}

    /// What statistics and log lines call it.
    fn name(&self) -> &str {
        "sink"
    }
}

/// Why a batch was not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot store events: {0}")]
pub struct SinkError(pub String);

/// Events that were dropped: how many of each kind. A failure counts as a failure only, whatever its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Identity of the record.
    pub id: RunId,
    /// When the first of them was dropped.
    pub from: Millis,
    /// When the last of them was dropped.
    pub to: Millis,
    /// States of firings.
    pub statuses: u64,
    /// Starts and ends of runs, other than failures; and changes: who came and went, and who held a job.
    pub executions: u64,
    /// Outcomes of fires, other than failures.
    pub settlements: u64,
    /// Failures, of runs and of fires.
    pub failures: u64,
    /// In words.
    pub reason: String,
}

/// What an event is worth when there is no room for all: a queue or a spool drops the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Status = 0,
    Execution = 1,
    Settlement = 2,
    Failure = 3,
}

pub(crate) fn worth(event: &Event) -> Worth {
    match event {
        Event::Status(_) => Worth::Status,
        Event::Execution(e) if e.complete.is_some() && !e.success => Worth::Failure,
        Event::Execution(_) | Event::Change(_) => Worth::Execution,
        Event::Settlement(s) if matches!(s.outcome, Outcome::Failed { .. }) => Worth::Failure,
        Event::Settlement(_) => Worth::Settlement,
    }
}
