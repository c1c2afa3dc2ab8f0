//! Reading back what a store holds: rows, filters and pages that are the same for every database.
//!
//! Pages are found by key and not by number: the [`Cursor`] of a page names its last row, and the next page begins behind
//! it. So a page costs the same however deep it lies, and rows that arrive in the meantime neither repeat nor shift a row.
//! Every value of a filter is bound as a parameter; none ever becomes a part of the SQL text.

use crate::Sink;
use async_trait::async_trait;
use clockwright_model::{
    ChangeKind, ExecutionSource, FailureKind, Item, Millis, Outcome, OutcomeKind, Reason, RunId, Source,
};
use clockwright_sql::RetryClass;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What can be asked.
#[async_trait]
pub trait Query: Send + Sync + 'static {
    /// Outcomes of fires, by fire time, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the database does not answer. The same holds for all other questions.
    async fn runs(&self, filter: &RunFilter, page: &Page) -> Result<RunPage, StoreError>;

    /// The outcome that the run decided; `None` if it decided none (yet), as a failed attempt that was retried.
    async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError>;

    /// The outcome of the newest settled fire of an item; `namespace: None` is any.
    async fn last(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Item,
    ) -> Result<Option<RunRow>, StoreError>;

    /// The outcomes of all due instants and triggers from `from` to before `to`, oldest first; `item: None` is all items.
    /// A range that never ran is one row, and is included if any part of it may lie inside.
    async fn ledger(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Option<Item>,
        from: Millis,
        to: Millis,
        page: &Page,
    ) -> Result<RunPage, StoreError>;

    /// Runs, by start time, newest first.
    async fn executions(&self, filter: &ExecutionFilter, page: &Page) -> Result<ExecutionPage, StoreError>;

    /// One run.
    async fn execution(&self, id: RunId) -> Result<Option<ExecutionRow>, StoreError>;

    /// The states that a firing went through, oldest first; at most 1,000.
    async fn trace(&self, task_id: &str) -> Result<Vec<StatusRow>, StoreError>;

    /// How fires ended, counted by the time of the decision in UTC, from `from` to before `to`, oldest first, at most
    /// 10,000 rows; spans without an outcome have no row. `job: None` is all jobs, `namespace: None` all namespaces. Minutes are counted for
    /// all jobs together only. A batch counts as soon as it is stored.
    async fn statistics(
        &self,
        namespace: Option<&str>,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, StoreError>;

    /// How items stand that changed at or after `since` by the database's clock, in the order in which they changed, at most `most`. Ask again
    /// with the last row's `changed`: a row may come twice, none is passed over, except that a batch which took longer than a minute to commit may
    /// come too late. `since: 0` is all items.
    async fn states(&self, since: Millis, most: usize) -> Result<Vec<StateRow>, StoreError>;

    /// How long successes took lately: of one item, or of all items of the job.
    async fn durations(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Option<Item>,
    ) -> Result<Durations, StoreError>;

    /// What was stored after a place in the tail, in the order of storing: how a live view follows the history. Begin at [`Tail::END`].
    async fn after(&self, place: Tail, most: usize) -> Result<TailPage, StoreError>;

    /// Who came and went, and who held jobs; newest first.
    async fn changes(&self, filter: &ChangeFilter, page: &Page) -> Result<ChangePage, StoreError>;

    /// What could not be kept between `from` and `to`, newest first; at most 1,000.
    async fn losses(&self, from: Millis, to: Millis) -> Result<Vec<LossRow>, StoreError>;

    /// True where an index would find a text in reasons at once, and the database has not got it.
    fn searches_slowly(&self) -> bool;
}

/// A store: takes events and answers questions.
pub trait Store: Sink + Query {
    /// How many settlements this store refused since it was opened, because the same fire already had an outcome that
    /// says something else. Anything but 0 means that a promise of the scheduler was broken somewhere.
    fn conflicts(&self) -> u64;
}

/// How long a span is that outcomes are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day, in UTC.
    Day,
}

impl Width {
    /// The stored word: `minute`, `hour` or `day`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Width::Minute => "minute",
            Width::Hour => "hour",
            Width::Day => "day",
        }
    }

    /// How long it is, milliseconds.
    #[must_use]
    pub fn millis(self) -> Millis {
        match self {
            Width::Minute => 60_000,
            Width::Hour => 3_600_000,
            Width::Day => 86_400_000,
        }
    }

    /// The first instant of the span that an instant lies in.
    #[must_use]
    pub fn start_of(self, at: Millis) -> Millis {
        at.saturating_sub(at.rem_euclid(self.millis()))
    }

    pub(crate) fn cloud_table(self) -> &'static str {
        match self {
            Width::Minute => "TASK_RESULT_STATISTICS_MINUTE",
            Width::Hour => "TASK_RESULT_STATISTICS_HOUR",
            Width::Day => "TASK_RESULT_STATISTICS_DAY",
        }
    }
}

/// How many fires ended how, within one span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StatisticsRow {
    /// The first instant of the span, epoch milliseconds.
    pub at: Millis,
    /// Fires that succeeded.
    pub succeeded: u64,
    /// Fires that failed.
    pub failed: u64,
    /// Fires that were deliberately not run.
    pub skipped: u64,
    /// Fires that another one ran for.
    pub coalesced: u64,
    /// Fires that nobody could run.
    pub missed: u64,
    /// Fires that were stopped.
    pub cancelled: u64,
}

/// Events that were dropped before they could be stored: the record that something is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LossRow {
    /// Identity of the row.
    pub id: String,
    /// When the first of them was dropped, epoch milliseconds.
    pub from: Millis,
    /// When the last of them was dropped, epoch milliseconds.
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

/// Which outcomes; an empty filter is all of them, and what is set must hold together.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// In any of these namespaces; empty is any. What versions recorded that kept no namespace belongs to all.
    pub namespaces: Vec<String>,
    /// Of any of these jobs; empty is any.
    pub jobs: Vec<String>,
    /// Of this item.
    pub item: Option<Item>,
    /// Any of these; empty is any.
    pub outcomes: Vec<OutcomeKind>,
    /// Decided by this instance.
    pub instance: Option<String>,
    /// Decided by this run.
    pub run_id: Option<RunId>,
    /// Fire time at or after; a range counts by its last instant.
    pub from: Option<Millis>,
    /// Fire time before.
    pub to: Option<Millis>,
    /// Why the deciding attempt was started.
    pub source: Option<Source>,
    /// Occurs in the reason; the case of ASCII letters does not matter.
    pub text: Option<String>,
}

/// Which runs; see [`RunFilter`].
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// Of any of these jobs, in whichever namespace: Elastic-Job's tables know none. Empty is any.
    pub jobs: Vec<String>,
    /// Of this item.
    pub item: Option<Item>,
    /// Of this firing.
    pub task_id: Option<String>,
    /// On the server with this address.
    pub ip: Option<String>,
    /// By this instance: the one whose id ends the firing's task id, which one of more than 255 characters is too long for.
    pub instance: Option<String>,
    /// In this state.
    pub state: Option<ExecutionState>,
    /// Begun at or after.
    pub from: Option<Millis>,
    /// Begun before.
    pub to: Option<Millis>,
    /// Elastic-Job's word for why.
    pub source: Option<ExecutionSource>,
    /// Occurs in the failure's cause; the case of ASCII letters does not matter.
    pub text: Option<String>,
}

/// Which changes; see [`RunFilter`].
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    /// In any of these namespaces; empty is any.
    pub namespaces: Vec<String>,
    /// Of this job, and of all jobs of an instance.
    pub job: Option<String>,
    /// Told at or after.
    pub from: Option<Millis>,
    /// Told before.
    pub to: Option<Millis>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// Begun, and no end is known.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
}

/// Which part of an answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// Most rows; taken as 1 to 1,000.
    pub limit: u32,
    /// Behind the last row of an earlier page; `None` is the first page.
    pub cursor: Option<Cursor>,
}

impl Page {
    /// The first page.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { limit, cursor: None }
    }

    /// The page behind a cursor.
    #[must_use]
    pub fn after(limit: u32, cursor: Cursor) -> Self {
        Self { limit, cursor: Some(cursor) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.limit.clamp(1, 1000) as usize
    }
}

/// Names the last row of a page. As text it can be handed to a user and taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What rows are sorted by.
    pub(crate) at: Millis,
    /// What tells rows of the same time apart.
    pub(crate) id: String,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a page cursor; take the one that came with the page before, unchanged")]
pub struct BadCursor(String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.at, self.id)
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, id)));
        let (at, id) = parts.ok_or_else(|| BadCursor(text.chars().take(100).collect()))?;
        Ok(Self { at, id: id.to_owned() })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The outcome of a fire of an item, or of a range of its fires that never ran. All times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// Identity of what is settled.
    pub key: String,
    /// The registry's namespace; empty in what versions recorded that kept none.
    pub namespace: String,
    /// The job.
    pub job: String,
    /// The item.
    pub item: Item,
    /// The fire, as `Fire` writes it; for a range its last one.
    pub fire: String,
    /// The instant that the fire is for.
    pub fire_time: Millis,
    /// The first instant of a range; `None` for a single fire.
    pub range_from: Option<Millis>,
    /// How many fires this settles; 1 for a single fire.
    pub range_count: u64,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// For `failed`: `job`, `panic`, `timeout`, `owner_lost` or `start`.
    pub failure_kind: Option<String>,
    /// In words, for a person; empty for a success.
    pub reason: String,
    /// The code of the reason; `None` for a success, what was coalesced, and what versions recorded that knew no codes.
    pub reason_code: Option<String>,
    /// The parameters of the reason, a JSON object.
    pub reason_params: Option<serde_json::Value>,
    /// For `coalesced`: the fire that ran.
    pub coalesced_into: Option<String>,
    /// Which attempt decided it; 0 when nothing ran.
    pub attempt: u32,
    /// The deciding run; `None` when nothing ran.
    pub run_id: Option<String>,
    /// Its fencing token; 0 when nothing ran.
    pub token: i64,
    /// Why the deciding attempt was started: `schedule`, `misfire`, `failover`, `trigger` or `retry`.
    pub source: String,
    /// The instance that decided it.
    pub instance: String,
    /// When the deciding attempt was claimed.
    pub claimed: Option<Millis>,
    /// When the run began, if one did.
    pub start: Option<Millis>,
    /// When the outcome was decided.
    pub decided: Millis,
    /// Where the log of the deciding run is, on the machine of the instance, if one was kept.
    pub log: Option<String>,
}

impl RunRow {
    /// The first instant that it settles; a range has more than one.
    #[must_use]
    pub fn begins(&self) -> Millis {
        self.range_from.unwrap_or(self.fire_time)
    }

    /// Why it ended so, to be told in any language.
    #[must_use]
    pub fn why(&self) -> Reason {
        Reason::stored(self.reason_code.as_deref(), self.reason_params.as_ref(), &self.reason)
    }

    /// The outcome with its details; `None` for a failure without a known kind, or for what was coalesced into no fire.
    #[must_use]
    pub fn whole_outcome(&self) -> Option<Outcome> {
        let reason = self.why();
        Some(match self.outcome {
            OutcomeKind::Succeeded => Outcome::Succeeded,
            OutcomeKind::Failed => {
                Outcome::Failed { kind: FailureKind::parse(self.failure_kind.as_deref()?)?, reason }
            }
            OutcomeKind::Skipped => Outcome::Skipped { reason },
            OutcomeKind::Coalesced => {
                Outcome::Coalesced { into: self.coalesced_into.as_deref()?.parse().ok()? }
            }
            OutcomeKind::Missed => Outcome::Missed { reason },
            OutcomeKind::Cancelled => Outcome::Cancelled { reason },
        })
    }

    /// Where a page of [`Query::runs`] or [`Query::ledger`] goes on behind this row.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.fire_time, id: self.key.clone() }
    }
}

impl ExecutionRow {
    /// Where a page of [`Query::executions`] goes on behind this row.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.start.unwrap_or(Millis::MIN), id: self.id.clone() }
    }
}

/// A run, as in `JOB_EXECUTION_LOG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionRow {
    /// The run's id.
    pub id: String,
    /// The job.
    pub job: String,
    /// The firing's task id.
    pub task_id: String,
    /// Name of the host that ran it.
    pub hostname: String,
    /// Its address.
    pub ip: String,
    /// The item.
    pub item: Item,
    /// `NORMAL_TRIGGER`, `MISFIRE` or `FAILOVER`.
    pub source: String,
    /// When it began, epoch milliseconds.
    pub start: Option<Millis>,
    /// When it ended, epoch milliseconds; `None` if no end is known.
    pub complete: Option<Millis>,
    /// True for a success.
    pub success: bool,
    /// What went wrong, for a failure.
    pub failure_cause: Option<String>,
}

/// A state of a firing, as in `JOB_STATUS_TRACE_LOG`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusRow {
    /// Identity of the row.
    pub id: String,
    /// The job.
    pub job: String,
    /// The firing that this one takes over, or empty.
    pub original_task_id: String,
    /// The firing's task id.
    pub task_id: String,
    /// The instance's address.
    pub slave_id: String,
    /// `LITE_EXECUTOR`, `CLOUD_SCHEDULER` or `CLOUD_EXECUTOR`.
    pub source: String,
    /// `READY` or `FAILOVER`.
    pub execution_type: String,
    /// The items as Java prints a list: `[0, 1]`.
    pub items: String,
    /// `TASK_STAGING`, `TASK_RUNNING`, `TASK_FINISHED`, `TASK_ERROR`, or a state of a hosted task.
    pub state: String,
    /// In words.
    pub message: String,
    /// When, epoch milliseconds.
    pub at: Option<Millis>,
}

/// A change around a job: who came, went, or held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRow {
    /// Identity of the change.
    pub key: String,
    /// The registry's namespace.
    pub namespace: String,
    /// The job; empty for what concerns all jobs of an instance.
    pub job: String,
    /// What changed, in a word: `joined`, `left`, `paused` and so on.
    #[serde(serialize_with = "word")]
    pub kind: ChangeKind,
    /// Whose state it is: an instance's id, a host's address, an item's number, or empty for the job's own.
    pub subject: String,
    /// When, epoch milliseconds.
    pub at: Millis,
    /// Who did it; empty where nobody said so.
    pub by: String,
    /// Why, in their words, or by how much; may be empty.
    pub reason: String,
    /// The instance that tells it.
    pub witness: String,
}

fn word<S: serde::Serializer>(kind: &ChangeKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

impl ChangeRow {
    /// Where a page of [`Query::changes`] goes on behind this row.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.at, id: self.key.clone() }
    }
}

/// How an item stands. All times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateRow {
    /// The registry's namespace; empty in what versions recorded that kept none.
    pub namespace: String,
    /// The job.
    pub job: String,
    /// The item.
    pub item: Item,
    /// The newest settled fire.
    pub fire_time: Millis,
    /// How that ended.
    pub outcome: OutcomeKind,
    /// What kind of failure it was.
    pub failure_kind: Option<String>,
    /// The code of the reason.
    pub reason_code: Option<String>,
    /// The deciding run.
    pub run_id: Option<String>,
    /// When it began.
    pub start: Option<Millis>,
    /// When the outcome was decided.
    pub decided: Millis,
    /// How long the success took, milliseconds.
    pub took: Option<Millis>,
    /// How often it failed in a row; fires that did not run neither add nor end a row.
    pub streak: u64,
    /// When it last succeeded.
    pub good: Option<Millis>,
    /// When this was last changed, by the database's clock.
    pub changed: Millis,
}

/// How long successes took, milliseconds, each to within a tenth. They are those of about the last thousand or two of each item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    /// How many of them were counted.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Millis,
    /// Nineteen of twenty took no longer.
    pub p95: Millis,
    /// Ninety-nine of a hundred took no longer.
    pub p99: Millis,
}

/// A place in the order in which batches of outcomes were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tail(pub i64);

impl Tail {
    /// Behind all that is stored: the first question learns the place, and gets no rows.
    pub const END: Tail = Tail(-1);
}

/// What was stored after a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TailPage {
    /// The rows, batch by batch.
    pub rows: Vec<RunRow>,
    /// Where to go on.
    pub next: Tail,
    /// False when the place was so long ago that batches behind it are forgotten: the view is to be read anew.
    pub whole: bool,
}

/// A page of outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunPage {
    /// The rows.
    pub rows: Vec<RunRow>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangePage {
    /// The rows.
    pub rows: Vec<ChangeRow>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExecutionPage {
    /// The rows.
    pub rows: Vec<ExecutionRow>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// Why a store could not be opened or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is nothing to read.
    #[error(
        "there is no event store at `{0}`; it is made when the first instance with this data folder starts"
    )]
    Missing(String),
    /// The file is something else.
    #[error("`{0}` is not an event store of Clockwright")]
    Foreign(String),
    /// The file was made by a later version of Clockwright.
    #[error(
        "the event store `{path}` has version {found}, this program knows versions up to {known}; use a newer one"
    )]
    Newer {
        /// Where.
        path: String,
        /// Its version.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// The address names no kind of store that this program knows, or cannot be read. It never shows a password.
    #[error(
        "{0}; an event store is `sqlite:PATH`, `postgres://USER:PASSWORD@HOST:PORT/DATABASE` or `mysql://…`"
    )]
    Address(String),
    /// The store cannot be opened.
    #[error("cannot open the event store `{path}`: {reason}")]
    Open {
        /// Where.
        path: String,
        /// What the system says.
        reason: String,
        /// Whether it may open later: a server that is away, a file that is locked or on a full disk.
        retry: RetryClass,
    },
    /// The store is open for reading only.
    #[error("the event store is open for reading only")]
    ReadOnly,
    /// The database refused or did not answer.
    #[error("the event store did not answer: {reason}")]
    Database {
        /// What the database says.
        reason: String,
        /// Whether the same may work later.
        retry: RetryClass,
    },
}
