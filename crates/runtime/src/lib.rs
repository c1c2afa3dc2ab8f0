//! Running one item once.
//!
//! [`Runtime`] is the port: it is given a [`RunSpec`] and a [`Control`], and answers with a [`RunEnd`]. It never retries,
//! never records and never decides what a failure means; the engine does.
//!
//! | job kind | runtime | how it is ended |
//! |---|---|---|
//! | simple | [`SimpleFn`] | asked through its [`CancelSignal`], then its future is dropped |
//! | dataflow | [`DataflowJob`] | between two batches, or its future is dropped |
//! | script | [`ProcessRuntime`] | SIGTERM to its process tree, then SIGKILL, by a [`supervisor`] process of its own |
//! | HTTP (feature `http`) | `HttpRuntime` | its connection is closed |
//!
//! What runs print is a stream of bytes ([`output`]). [`Logged`] adds to any of them that it is kept on disk, [`Shown`] that it is shown
//! line by line, both while the run lasts.

use async_trait::async_trait;
use clockwright_model::{FailureKind, Millis, Outcome, Reason, ShardContext};
use std::sync::Arc;
use tokio::sync::watch;

mod clock;
mod control;
pub mod function;
pub mod guard;
#[cfg(feature = "http")]
pub mod http;
pub mod limits;
pub mod logs;
pub mod output;
pub mod process;
mod refused;
mod relay;
pub mod supervisor;
mod tree;
mod wire;

pub use clock::boottime;
pub use function::{CancelSignal, Dataflow, DataflowFns, DataflowJob, SimpleFn};

#[cfg(feature = "http")]
pub use http::HttpRuntime;
pub use logs::{KeepLogs, LogPosition, LogState, LogStore, Logged, RunLog, RunLogs};
pub use output::{LineSink, Output, Shown, Stream};
pub use process::{ProcessRuntime, ProcessSettings, Supervisor};
pub use refused::Refused;

/// What a backend implements.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Runs one item once and returns when nothing of it is left running (for a process: its whole tree is gone).
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd;
}

/// A shared runtime.
pub type SharedRuntime = Arc<dyn Runtime>;

/// What to run.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// What the code is told.
    pub context: ShardContext,
    /// The longest it may take, milliseconds; `None` is no limit.
    pub timeout: Option<Millis>,
    /// How long it gets between being asked to stop and being killed, milliseconds.
    pub grace: Millis,
}

/// How a run is steered from outside.
#[derive(Debug, Clone)]
pub struct Control {
    /// Becomes [`Stop::Now`] when the run must end.
    pub stop: watch::Receiver<Stop>,
    /// Until when this process may let exclusive work run, in milliseconds of `CLOCK_BOOTTIME`; moves forward with each
    /// renewal. `None`: no lease guards this run. A runtime that holds processes passes it to their supervisor, which ends
    /// them at that instant even when this process is frozen.
    pub lease: Option<watch::Receiver<Millis>>,
    /// True when the run should come to an end by itself when it conveniently can (a dataflow's stream between two
    /// batches, because the job is to be resharded).
    pub wind_down: watch::Receiver<bool>,
    /// Where the run prints.
    pub output: Output,
}

/// Whether a run may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It may.
    No,
    /// It must end: ask it, wait for the grace period, then kill it.
    Now(StopReason),
}

/// Why a run must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked.
    Cancelled,
    /// This process can no longer prove that it owns the item.
    LeaseLost,
    /// This process shuts down and the grace period is over.
    Shutdown,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// What happened.
    pub result: RunResult,
    /// Where its log is, if one was kept.
    pub log: Option<LogPosition>,
}

impl RunEnd {
    /// The end of a run of which no log was kept.
    #[must_use]
    pub fn silent(result: RunResult) -> Self {
        Self { result, log: None }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunResult {
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// Why.
        reason: Reason,
    },
    /// It was stopped.
    Stopped(StopReason),
}

impl RunResult {
    /// What the attempt came to. It is the fire's outcome unless another attempt follows.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            RunResult::Succeeded => Outcome::Succeeded,
            RunResult::Failed { kind, reason } => Outcome::Failed { kind, reason },
            RunResult::Stopped(StopReason::Cancelled) => {
                Outcome::Cancelled { reason: Reason::StoppedByHand {} }
            }
            RunResult::Stopped(StopReason::Shutdown) => {
                Outcome::Cancelled { reason: Reason::InstanceShutDown {} }
            }
            RunResult::Stopped(StopReason::LeaseLost) => {
                Outcome::Failed { kind: FailureKind::OwnerLost, reason: Reason::LeaseLost {} }
            }
        }
    }
}
