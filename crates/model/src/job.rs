//! A job's settings: what to run, when, in how many parts, under which policies.

use crate::{JobName, Millis};
use std::collections::BTreeMap;
use std::time::Duration;

/// The settings of one elastic job. Names and defaults are Elastic-Job's where it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSettings {
    /// Unique in the namespace.
    pub name: JobName,
    /// What is run.
    pub kind: JobKind,
    /// The wire's `jobClass`. Java peers refuse a job whose registered class differs from theirs.
    pub class: String,
    /// When: Quartz cron with seconds; or `@every 30s`, or `@once 2026-01-01T00:00:00Z`. The planner reads it. Empty: a one-off
    /// job, which fires only when it is triggered.
    pub cron: String,
    /// IANA zone in which `cron` is read; `None` is the machine's own zone, as Java does.
    pub time_zone: Option<String>,
    /// How many items, 1 or more.
    pub sharding_total_count: u32,
    /// `0=a,1=b`; see [`ItemParameters`](crate::ItemParameters).
    pub sharding_item_parameters: String,
    /// Given to every run.
    pub job_parameter: String,
    /// Run what a dead instance left unfinished on another instance at once.
    pub failover: bool,
    /// What happens to due instants that could not run on time.
    pub misfire: Misfire,
    /// Mark running items in the registry (`sharding/{i}/running`). Peers and consoles see it; failover of Java peers needs it.
    pub monitor_execution: bool,
    /// Greatest difference to the registry's clock in seconds; -1 checks nothing.
    pub max_time_diff_seconds: i32,
    /// Java's dump port; kept for peers, -1 is off.
    pub monitor_port: i32,
    /// Sharding strategy: a wire class name or a short name; empty is average allocation.
    pub sharding_strategy: String,
    /// Items stay where they are when instances come and go: only another count, or somebody's flag, makes a new plan.
    pub static_sharding: bool,
    /// How often Java instances compare the plan with who is there, in minutes; 0 or less is off. Ours do so at each change.
    pub reconcile_interval_minutes: i32,
    /// For people.
    pub description: String,
    /// Start with this server disabled.
    pub disabled: bool,
    /// The local settings replace those in the registry at start.
    pub overwrite: bool,
    /// The wire's `job_exception_handler`, kept for peers.
    pub job_exception_handler: String,
    /// The wire's `executor_service_handler`, kept for peers.
    pub executor_service_handler: String,
    /// What is done with a failure besides recording it.
    pub error_handler: ErrorHandler,
    /// More attempts after a failed one.
    pub retry: Retry,
    /// Longest time one attempt may take, in milliseconds; `None` is no limit.
    pub timeout: Option<Millis>,
    /// What happens to a run whose instance loses its lease.
    pub exclusive: Exclusive,
    /// Free properties (`props` of Elastic-Job 3.x), such as `script.command.line`.
    pub props: BTreeMap<String, String>,
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKind {
    /// Code called once per item.
    Simple,
    /// Fetch, then process; `streaming` repeats until a fetch comes back empty.
    Dataflow {
        /// Repeat until nothing is fetched.
        streaming: bool,
    },
    /// A program, its arguments split as Elastic-Job does; never through a shell.
    Script {
        /// The command line.
        command_line: String,
    },
    /// An HTTP request; its settings are `http.*` in `props`.
    Http,
}

impl JobKind {
    /// The 3.x `elasticJobType` word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            JobKind::Simple => "SIMPLE",
            JobKind::Dataflow { .. } => "DATAFLOW",
            JobKind::Script { .. } => "SCRIPT",
            JobKind::Http => "HTTP",
        }
    }
}

/// What happens to due instants that passed while an item was busy, unowned or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// One run makes up for all of them: the latest runs, the others are coalesced into it. Elastic-Job's `true`.
    FireOnce,
    /// They are recorded as skipped or missed. Elastic-Job's `false`.
    Skip,
    /// Each of them runs, oldest first.
    FireAll {
        /// At most this many are run late; older ones are missed.
        cap: u32,
        /// Instants older than this many milliseconds are missed.
        window: Millis,
    },
}

impl Misfire {
    /// `fire_all` with its defaults: at most 100 instants, none older than 24 hours.
    pub const FIRE_ALL: Misfire = Misfire::FireAll { cap: 100, window: 24 * 3_600_000 };

    /// Each instant runs, oldest first: at most `cap` of them late, and none that is older than `window`.
    #[must_use]
    pub fn fire_all(cap: u32, window: Duration) -> Self {
        Misfire::FireAll { cap, window: millis(window) }
    }

    /// The value of Elastic-Job's `misfire` key that comes nearest.
    #[must_use]
    pub fn as_wire(self) -> bool {
        !matches!(self, Misfire::Skip)
    }
}

/// What is done with a failure besides recording it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorHandler {
    /// Write it to the log.
    #[default]
    Log,
    /// Write it to the log, and make no further attempt whatever the retries.
    Throw,
    /// Only record it.
    Ignore,
}

/// More attempts after a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// All attempts together, 1 or more; 1 is no retry.
    pub max_attempts: u32,
    /// Wait before the second attempt, in milliseconds; doubled for each further one.
    pub backoff: Millis,
    /// The longest wait, in milliseconds.
    pub max_backoff: Millis,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 1, backoff: 1_000, max_backoff: 60_000 }
    }
}

impl Retry {
    /// So many attempts together, 1 or more; a second between the first two, doubled for each further one up to a minute.
    #[must_use]
    pub fn attempts(max_attempts: u32) -> Self {
        Self { max_attempts, ..Self::default() }
    }

    /// The wait before the second attempt, doubled for each further one.
    #[must_use]
    pub fn backoff(self, backoff: Duration) -> Self {
        Self { backoff: millis(backoff), ..self }
    }

    /// The longest wait.
    #[must_use]
    pub fn max_backoff(self, max_backoff: Duration) -> Self {
        Self { max_backoff: millis(max_backoff), ..self }
    }

    /// How long to wait after attempt number `failed` (from 1) failed, or `None` when that was the last.
    #[must_use]
    pub fn wait_after(&self, failed: u32) -> Option<Millis> {
        if failed >= self.max_attempts {
            return None;
        }
        let doublings = failed.saturating_sub(1).min(32);
        Some(self.backoff.saturating_mul(1 << doublings).min(self.max_backoff))
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// What happens to a run whose instance can no longer prove that it owns the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exclusive {
    /// It is ended before anybody else can start the item: an item never runs in two live places.
    #[default]
    Strict,
    /// It goes on; its completion counts only if nobody took the item over meanwhile.
    BestEffort,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SettingsError {
    /// The key, as a jobs file spells it.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl SettingsError {
    /// An error about one field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The handler class names that Java peers expect when nothing else is set.
pub const DEFAULT_EXCEPTION_HANDLER: &str =
    "com.dangdang.ddframe.job.executor.handler.impl.DefaultJobExceptionHandler";
/// See [`DEFAULT_EXCEPTION_HANDLER`].
pub const DEFAULT_EXECUTOR_HANDLER: &str =
    "com.dangdang.ddframe.job.executor.handler.impl.DefaultExecutorServiceHandler";
/// The class that every Java script job has.
pub const SCRIPT_CLASS: &str = "com.dangdang.ddframe.job.api.script.ScriptJob";

impl JobSettings {
    /// Settings with Elastic-Job's builder defaults.
    #[must_use]
    pub fn new(name: JobName, kind: JobKind, cron: &str, sharding_total_count: u32) -> Self {
        let class = match kind {
            JobKind::Script { .. } => SCRIPT_CLASS.to_owned(),
            _ => name.as_str().to_owned(),
        };
        Self {
            name,
            kind,
            class,
            cron: cron.to_owned(),
            time_zone: None,
            sharding_total_count,
            sharding_item_parameters: String::new(),
            job_parameter: String::new(),
            failover: false,
            misfire: Misfire::FireOnce,
            monitor_execution: true,
            max_time_diff_seconds: -1,
            monitor_port: -1,
            sharding_strategy: String::new(),
            static_sharding: false,
            reconcile_interval_minutes: 10,
            description: String::new(),
            disabled: false,
            overwrite: false,
            job_exception_handler: DEFAULT_EXCEPTION_HANDLER.to_owned(),
            executor_service_handler: DEFAULT_EXECUTOR_HANDLER.to_owned(),
            error_handler: ErrorHandler::default(),
            retry: Retry::default(),
            timeout: None,
            exclusive: Exclusive::default(),
            props: BTreeMap::new(),
        }
    }
}

/// The most items one job may have. Beyond it a plan would no longer be a plan.
pub const MAX_ITEMS: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let retry = Retry { max_attempts: 4, backoff: 100, max_backoff: 250 };
        let waits: Vec<_> = (1..=4).map(|n| retry.wait_after(n)).collect();
        assert_eq!(waits, [Some(100), Some(200), Some(250), None]);
        let built =
            Retry::attempts(4).backoff(Duration::from_millis(100)).max_backoff(Duration::from_millis(250));
        assert_eq!(built, retry);
    }
}
