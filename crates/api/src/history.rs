//! What happened: outcomes of fires, attempts, ledgers, counts, and what could not be kept.

use crate::At;
use crate::jobs::Sentence;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// The outcome of a fire of an item, or of a range of its fires that never ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its project; absent where the record does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job.
    pub job: String,
    /// The item.
    pub item: u32,
    /// The fire, as its id is written; for a range its last one.
    pub fire: String,
    /// The instant that the fire is for.
    pub fire_at: At,
    /// The first instant of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<At>,
    /// How many fires this settles.
    pub count: u64,
    /// `succeeded`, `failed`, `skipped`, `coalesced`, `missed` or `cancelled`.
    pub outcome: String,
    /// For `failed`: `job`, `panic`, `timeout`, `owner_lost` or `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// In words; empty for a success.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// The code of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The parameters of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub params: Option<Value>,
    /// For `coalesced`: the fire that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// Which attempt decided it; 0 when nothing ran.
    pub attempt: u32,
    /// The deciding run; absent when nothing ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Its fencing token; 0 when nothing ran.
    pub token: i64,
    /// Why the deciding attempt was started: `schedule`, `misfire`, `failover`, `trigger` or `retry`.
    pub source: String,
    /// The instance that decided it.
    pub instance: String,
    /// When the run began, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When the outcome was decided.
    pub decided_at: At,
}

/// Which outcomes are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RunsAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Of this job.
    pub job: Option<String>,
    /// Of this item.
    pub item: Option<u32>,
    /// Ended so; several with commas between them.
    pub outcome: Option<String>,
    /// Decided by this instance.
    pub instance: Option<String>,
    /// Started for this reason: `schedule`, `misfire`, `failover`, `trigger` or `retry`.
    pub source: Option<String>,
    /// For an instant at or after this.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// For an instant before this.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
    /// Occurs in the reason.
    pub text: Option<String>,
    /// A search, as in lists of jobs: `outcome:missed,failed kind:owner_lost took:>p95 -tag:legacy`. Of a wide one a page may have few rows, or
    /// none, and a next page all the same.
    pub q: Option<String>,
}

/// All that is known of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    /// The outcome that it decided, if it decided one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Run>,
    /// Where and how it ran; absent when its traces are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The states that its firing went through, oldest first.
    pub states: Vec<RunState>,
}

/// One attempt to run an item, by Clockwright or by Elastic-Job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The run's id.
    pub run: String,
    /// The job.
    pub job: String,
    /// The item.
    pub item: u32,
    /// The firing's task id.
    pub task: String,
    /// Name of the host that ran it.
    pub hostname: String,
    /// Its address.
    pub ip: String,
    /// `NORMAL_TRIGGER`, `MISFIRE` or `FAILOVER`.
    pub source: String,
    /// `running`, `succeeded` or `failed`.
    pub state: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<At>,
    /// What went wrong, for a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Which attempts are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AttemptsAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Of this item.
    pub item: Option<u32>,
    /// `running`, `succeeded` or `failed`.
    pub state: Option<String>,
    /// On the host with this address.
    pub ip: Option<String>,
    /// By this instance.
    pub instance: Option<String>,
    /// Of this cause: `NORMAL_TRIGGER`, `MISFIRE` or `FAILOVER`.
    pub source: Option<String>,
    /// Begun at or after this.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// Begun before this.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
    /// Occurs in the cause.
    pub text: Option<String>,
}

/// One page of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    /// The rows, the newest first.
    pub items: Vec<Attempt>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// True when jobs of this name in other projects are kept in the same tables, which know no project: their attempts are shown as well.
    pub shared: bool,
}

/// A state of a firing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    /// `TASK_STAGING`, `TASK_RUNNING`, `TASK_FINISHED`, `TASK_ERROR`, or a state of a hosted task.
    pub state: String,
    /// In words.
    pub message: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

/// Which part of a ledger is shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LedgerAsk {
    /// About how many outcomes, 1 to 10,000; 1,000 unless told. Those of one instant are never parted.
    pub limit: Option<u32>,
    /// Of this item.
    pub item: Option<u32>,
    /// From this instant; a day ago unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// To before this instant; now unless told. What is not due yet is never listed.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
}

/// A span of a job's ledger: every due instant with its one outcome, and those that have none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Outcomes, oldest first.
    pub settled: Vec<Run>,
    /// Instants that the schedule of now says were due and that have no outcome, and triggers whose run goes on.
    pub open: Vec<Unsettled>,
    /// What became of what was due; absent while the registry is away and it is not known what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// When the record of the job begins; absent when nothing of it is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<At>,
    /// Before which instant the span ends. When it is before the `to` that was asked for, there is more: ask again from here.
    pub to: At,
}

/// Due instants in a row without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unsettled {
    /// The item.
    pub item: u32,
    /// The first of them.
    pub from: At,
    /// The last of them.
    pub to: At,
    /// How many they are.
    pub count: u64,
    /// Why: `running`, `due` (a moment ago), `open` (nothing accounts for them), `noRecord` (of the item is nothing on record), `beforeRecord`,
    /// `beforeChange` (of the job's schedule or items, so they may not have been due) or `peers` (of Elastic-Job, which record no outcomes).
    pub gap: String,
    /// The id of the trigger by hand, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

/// How the fires of a span are accounted for: `due` is the sum of all the others. A range that reaches over the ends of the span counts by what
/// lies inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// How many were due, triggers by hand included.
    pub due: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were deliberately not run.
    pub skipped: u64,
    /// Those that another one ran for.
    pub coalesced: u64,
    /// Those that nobody could run.
    pub missed: u64,
    /// Those that were stopped.
    pub cancelled: u64,
    /// Those that run, or came due only a moment ago.
    pub running: u64,
    /// Those that nothing accounts for.
    pub unaccounted: u64,
}

/// Which items of a fire are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FireAsk {
    /// The id of the trigger, for a fire by hand.
    pub trigger: Option<String>,
    /// How many items; 50 unless told, 200 at most.
    pub limit: Option<u32>,
    /// Behind this item.
    pub after: Option<u32>,
}

/// One fire of a job: what became of each of its items, by which attempts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirePage {
    /// Its project.
    pub project: String,
    /// The job.
    pub job: String,
    /// The instant that it is for.
    pub fire_at: At,
    /// The id of the trigger, for a fire by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// What became of all its items; absent while the registry is away and it is not known what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// Its items, ascending.
    pub items: Vec<FireItem>,
    /// What to send as `after` for the next items; absent when there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// True when jobs of this name in other projects are kept in the same tables of attempts, which know no project.
    pub shared: bool,
}

/// One item of a fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FireItem {
    /// Its number.
    pub item: u32,
    /// Its outcome, once it has one. That of a range of fires names the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Run>,
    /// Why it has none: a word as in a ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// Its attempts, the first one first. Those whose traces are not kept are missing, but for the last one.
    pub attempts: Vec<FireAttempt>,
    /// How long its successes usually take; absent below five.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
}

/// How long successes of one item took lately, milliseconds, each to within a tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usual {
    /// How many were counted.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: i64,
    /// Nineteen of twenty took no longer.
    pub p95: i64,
    /// Ninety-nine of a hundred took no longer.
    pub p99: i64,
}

/// One attempt at an item of a fire, with the instants that it went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FireAttempt {
    /// The run's id.
    pub run: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// `running`, `succeeded` or `failed`.
    pub state: String,
    /// The instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Name of the host, where its traces are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// When it was claimed; known of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<At>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<At>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<At>,
    /// What went wrong, for a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Which changes around jobs are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChangesAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Told at or after this.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// Told before this.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
}

/// Something that changed around a job, as instances put it on record: who came, went, or held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryChange {
    /// Its identity.
    pub key: String,
    /// The job; empty for what concerns all jobs of an instance.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub job: String,
    /// What changed, in a word: `joined`, `left`, `paused` and so on.
    pub kind: String,
    /// The same in a sentence of each language.
    pub sentence: Sentence,
    /// Whose state it is: an instance's id, a host's address, an item's number, or empty for the job's own.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub subject: String,
    /// When.
    pub at: At,
    /// Who did it; empty where nobody said so.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub by: String,
    /// Why, in their words, or by how much.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// The instance that tells it.
    pub witness: String,
}

/// One page of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryChanges {
    /// The rows, the newest first.
    pub items: Vec<HistoryChange>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which counts are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StatsAsk {
    /// `hour`, unless told, or `day`.
    pub width: Option<String>,
    /// From this instant; a day ago unless told, or thirty days by the day.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// To before this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
}

/// How many fires ended how, within one hour or day of UTC, by the time of the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the outcomes by their names")]
pub struct Counts {
    /// The first instant of the span.
    pub at: At,
    pub succeeded: u64,
    pub failed: u64,
    pub skipped: u64,
    pub coalesced: u64,
    pub missed: u64,
    pub cancelled: u64,
}

/// Which losses are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SpanAsk {
    /// From this instant; thirty days ago unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// To before this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
}

/// Events that were dropped before they could be stored, of whichever project keeps its history in the same store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// When the first of them was dropped.
    pub from: At,
    /// When the last of them was dropped.
    pub to: At,
    /// States of firings.
    pub statuses: u64,
    /// Starts and ends of runs, other than failures; and changes of who was there.
    pub executions: u64,
    /// Outcomes, other than failures.
    pub settlements: u64,
    /// Failures.
    pub failures: u64,
    /// In words.
    pub reason: String,
}
