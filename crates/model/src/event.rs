//! What is recorded about fires and runs. Sinks store these; nothing here decides anything.
//!
//! [`Execution`] and [`StatusTrace`] are Elastic-Job's two events with its columns. [`Settlement`] is Clockwright's own:
//! the one outcome of a fire of an item, or of a whole range of fires that never ran.

use crate::{Change, Fire, InstanceId, Item, JobName, Millis, Outcome, RunId, Source, Token};
use std::sync::Arc;
use std::time::Duration;

/// One thing to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A run began or ended (`JOB_EXECUTION_LOG`).
    Execution(Execution),
    /// A firing changed its state (`JOB_STATUS_TRACE_LOG`).
    Status(StatusTrace),
    /// A fire, or a range of fires, of an item has its outcome (`CLOCKWRIGHT_RUN`).
    Settlement(Settlement),
    /// Somebody came, went, or held a job (`CLOCKWRIGHT_CHANGE`).
    Change(Change),
}

/// Whatever happened is an event.
macro_rules! events {
    ($($kind:ident of $what:ty;)*) => {
        $(impl From<$what> for Event {
            fn from(what: $what) -> Self {
                Self::$kind(what)
            }
        })*
    };
}

events! {
    Execution of Execution;
    Status of StatusTrace;
    Change of Change;
    Settlement of Settlement;
}

/// A run's row in `JOB_EXECUTION_LOG`; the row with the same `id` is written at start and completed at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The run's id.
    pub id: RunId,
    /// The job.
    pub job: JobName,
    /// The firing's task id.
    pub task_id: Arc<str>,
    /// Name of the host that ran it.
    pub hostname: Arc<str>,
    /// Its address.
    pub ip: Arc<str>,
    /// The item.
    pub item: Item,
    /// Elastic-Job's word for why.
    pub source: ExecutionSource,
    /// When it began.
    pub start: Millis,
    /// When it ended; `None` for the start event.
    pub complete: Option<Millis>,
    /// True for a success; false while it runs.
    pub success: bool,
    /// What went wrong, for a failure.
    pub failure_cause: Option<String>,
}

/// Elastic-Job's execution sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionSource {
    /// By schedule, by hand, or a retry.
    NormalTrigger,
    /// Made up for missed instants.
    Misfire,
    /// Took over from a dead instance.
    Failover,
}

impl ExecutionSource {
    /// All of them.
    pub const ALL: [ExecutionSource; 3] =
        [ExecutionSource::NormalTrigger, ExecutionSource::Misfire, ExecutionSource::Failover];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionSource::NormalTrigger => "NORMAL_TRIGGER",
            ExecutionSource::Misfire => "MISFIRE",
            ExecutionSource::Failover => "FAILOVER",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

impl From<Source> for ExecutionSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Schedule | Source::Trigger | Source::Retry => ExecutionSource::NormalTrigger,
            Source::Misfire => ExecutionSource::Misfire,
            Source::Failover => ExecutionSource::Failover,
        }
    }
}

/// A firing's row in `JOB_STATUS_TRACE_LOG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusTrace {
    /// Identity of the row.
    pub id: RunId,
    /// The job.
    pub job: JobName,
    /// The firing that this one takes over for a hosted job; empty otherwise. Only a [`TaskState::Staging`] trace needs to say
    /// it: the later states of the same firing inherit it where they are stored.
    pub original_task_id: Arc<str>,
    /// The firing's task id.
    pub task_id: Arc<str>,
    /// The instance's address.
    pub slave_id: Arc<str>,
    /// Who saw it.
    pub source: TraceSource,
    /// The items of the firing, ascending.
    pub items: Vec<Item>,
    /// `READY`, or `FAILOVER` for a takeover.
    pub failover: bool,
    /// The state that was reached.
    pub state: TaskState,
    /// In words.
    pub message: String,
    /// When.
    pub at: Millis,
}

/// The states of a firing, Elastic-Job's. An elastic job reaches the first four; the others are those of hosted jobs, where a
/// task can be lost between a scheduler and a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// About to run.
    Staging,
    /// Its items run.
    Running,
    /// All its items succeeded, or there were none.
    Finished,
    /// Some item failed.
    Error,
    /// Ended because somebody asked for it.
    Killed,
    /// Its agent was lost with it.
    Lost,
    /// Its process failed.
    Failed,
    /// Could not be started.
    Dropped,
    /// Its agent was ended.
    Gone,
    /// An operator says that its agent is gone.
    GoneByOperator,
    /// Its agent does not answer.
    Unreachable,
    /// Nobody knows of it.
    Unknown,
}

impl TaskState {
    /// All of them.
    pub const ALL: [TaskState; 12] = [
        TaskState::Staging,
        TaskState::Running,
        TaskState::Finished,
        TaskState::Error,
        TaskState::Killed,
        TaskState::Lost,
        TaskState::Failed,
        TaskState::Dropped,
        TaskState::Gone,
        TaskState::GoneByOperator,
        TaskState::Unreachable,
        TaskState::Unknown,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Staging => "TASK_STAGING",
            TaskState::Running => "TASK_RUNNING",
            TaskState::Finished => "TASK_FINISHED",
            TaskState::Error => "TASK_ERROR",
            TaskState::Killed => "TASK_KILLED",
            TaskState::Lost => "TASK_LOST",
            TaskState::Failed => "TASK_FAILED",
            TaskState::Dropped => "TASK_DROPPED",
            TaskState::Gone => "TASK_GONE",
            TaskState::GoneByOperator => "TASK_GONE_BY_OPERATOR",
            TaskState::Unreachable => "TASK_UNREACHABLE",
            TaskState::Unknown => "TASK_UNKNOWN",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True when the firing ended there, and not well.
    #[must_use]
    pub fn is_failure(self) -> bool {
        !matches!(self, TaskState::Staging | TaskState::Running | TaskState::Finished)
    }
}

/// Who saw a state, in Elastic-Job's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraceSource {
    /// An instance of an elastic job.
    LiteExecutor,
    /// The scheduler of hosted jobs.
    CloudScheduler,
    /// An agent that runs hosted jobs.
    CloudExecutor,
}

impl TraceSource {
    /// All of them.
    pub const ALL: [TraceSource; 3] =
        [TraceSource::LiteExecutor, TraceSource::CloudScheduler, TraceSource::CloudExecutor];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TraceSource::LiteExecutor => "LITE_EXECUTOR",
            TraceSource::CloudScheduler => "CLOUD_SCHEDULER",
            TraceSource::CloudExecutor => "CLOUD_EXECUTOR",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// The one outcome of a fire of an item, or of a range of its fires that never ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The registry's namespace in which the job is: two namespaces may have jobs of one name. Empty in what versions recorded that kept none.
    pub namespace: Arc<str>,
    /// The job.
    pub job: JobName,
    /// The item.
    pub item: Item,
    /// The fire; for a range its last one.
    pub fire: Fire,
    /// For a range: its first instant, and how many instants it holds (with `fire`).
    pub range: Option<(Millis, u64)>,
    /// How it ended.
    pub outcome: Outcome,
    /// Which attempt decided it; 0 when nothing ran.
    pub attempt: u32,
    /// The deciding attempt; `None` when nothing ran.
    pub run_id: Option<RunId>,
    /// The deciding attempt's fencing token; 0 when nothing ran.
    pub token: Token,
    /// Why the deciding attempt was started.
    pub source: Source,
    /// The instance that decided it.
    pub instance: InstanceId,
    /// When the deciding attempt was claimed; `None` when nothing ran.
    pub claimed: Option<Millis>,
    /// When the run began, if one did.
    pub start: Option<Millis>,
    /// When the outcome was decided.
    pub at: Millis,
    /// Where the log of the deciding run is, in the folder of logs of the instance: `2026-11-27/13-1.log:4096+512` is 512 bytes of that
    /// file, from byte 4,096 on. `None` when it printed nothing or no log was kept.
    pub log: Option<Arc<str>>,
}

impl Settlement {
    /// How long the deciding attempt took, from its start until its outcome was certain; `None` when nothing ran.
    #[must_use]
    pub fn ran_for(&self) -> Option<Duration> {
        self.start.map(|start| span(start, self.at))
    }

    /// How long after its instant the deciding attempt began; `None` when nothing ran.
    #[must_use]
    pub fn late_by(&self) -> Option<Duration> {
        self.start.map(|start| span(self.fire.time(), start))
    }

    /// The identity of what is settled. Recording the same key again, after a crash or from another instance, changes nothing.
    ///
    /// A job's name holds no `/` and a namespace no `//`, so keys of different things differ.
    #[must_use]
    pub fn key(&self) -> String {
        let Settlement { namespace, job, item, fire, .. } = self;
        let place = if namespace.is_empty() { String::new() } else { format!("/{namespace}//") };
        match self.range {
            None => format!("{place}{job}/{item}/{fire}"),
            Some((from, _)) => format!("{place}{job}/{item}/{from}..{fire}"),
        }
    }
}

/// The time from one instant to another; none, where clocks disagree about their order.
fn span(from: Millis, to: Millis) -> Duration {
    Duration::from_millis(u64::try_from(to - from).unwrap_or(0))
}
