//! The words of Clockwright: jobs, items, instances, fires, runs and their outcomes.
//!
//! This crate does no IO, knows no clock and is not asynchronous. A type lives here when a second crate needs it.
//! Times are epoch milliseconds ([`Millis`]) everywhere; time zones exist only inside the planner's schedules.

pub mod change;
pub mod event;
pub mod fire;
pub mod ids;
pub mod job;
pub mod nearest;
pub mod outcome;
pub mod parameters;
pub mod reason;
pub mod shard;

pub use change::{Change, ChangeKind};
pub use event::{Event, Execution, ExecutionSource, Settlement, StatusTrace, TaskState, TraceSource};
pub use fire::{Fire, Source};
pub use ids::{InstanceId, Item, JobName, NameError, RunId, Token};
pub use job::{ErrorHandler, Exclusive, JobKind, JobSettings, Misfire, Retry, SettingsError};
pub use nearest::nearest;
pub use outcome::{FailureKind, Outcome, OutcomeKind};
pub use parameters::ItemParameters;
pub use reason::{Language, Reason};
pub use shard::{ShardContext, TaskId};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;
