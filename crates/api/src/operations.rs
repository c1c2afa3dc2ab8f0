//! Operations: what operators ask for, how far it is, and what came of it; and holds, the wishes that something stands still.

use crate::At;
use crate::jobs::SyncView;
use crate::problem::{Code, ProblemBody};
use crate::text::Reason;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What every operation takes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Operate {
    /// Why, for the journal and for whoever meets what stands still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// From where a held item is to go on.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeItem {
    /// `now`: what was due meanwhile is skipped. `last`: the misfire policy decides about it, after the last instant that is known. Or an
    /// instant, after which instants are due.
    pub from: String,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an operation on a job takes that can be narrowed to a host.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OperateHost {
    /// On this host alone; on all, when it is left away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Why, for the journal and for whoever meets what stands still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// What a drain takes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Drain {
    /// On this host alone; on all, when it is left away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How long what runs is waited for, milliseconds; 10 minutes unless told, a day at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Why, for the journal and for whoever meets what stands still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// What a drain of a host in all jobs takes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DrainHost {
    /// How long what runs is waited for, milliseconds; 10 minutes unless told, a day at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Why, for the journal and for whoever meets what stands still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// What a shutdown takes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Shutdown {
    /// The id of an instance, or the address of a host; all, when it is left away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Why, for the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// How a job is removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Removal {
    /// `stop`: not if anything runs; `drain`: what runs is waited for; `kill`: what runs is stopped.
    pub mode: Option<String>,
    /// Why, for the journal.
    pub reason: Option<String>,
    /// How long what runs is waited for, milliseconds; 10 minutes unless told, a day at most.
    pub timeout: Option<u64>,
    /// True to remove it though files define it.
    pub take_over: bool,
    /// True to see what would be done, and to do nothing.
    pub dry_run: bool,
}

/// An operation, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id; empty for a dry run.
    pub id: String,
    /// What is done: `pause`, `trigger`, ….
    pub kind: String,
    /// The project.
    pub project: String,
    /// The job; absent for what concerns a host in all jobs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// `running`, `pending` while the registry is away, `done`, `partial`, `failed` or `cancelled`; `dry-run` when nothing was done.
    pub state: String,
    /// Who asked, by the name of that time.
    pub by: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    /// When it began.
    pub at: At,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<At>,
    /// What came of it so far.
    pub result: Outcome,
}

/// What came of an operation. What does not concern its kind is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// How many nodes were changed, or of a dry run would be.
    pub changed: u64,
    /// True when it was not so already: a wish was made or lifted, or the job was changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub news: bool,
    /// The nodes, as `job: node := what it is to say`; of a dry run, of what is only partly done, and of what is still to be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// What keeps it standing still all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub still_held: Vec<HoldView>,
    /// What whoever asked is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemBody>,
    /// Of a trigger: the id of the fire, by which the outcomes of all items are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fire: Option<String>,
    /// Of a trigger: `commit` if that nothing ran was proved with it, else `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Of a trigger: each instance that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<AskedInstance>,
    /// Of a drain or a removal: what still ran at its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<i64>,
    /// Of offline and online: the job's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Of offline and online: how far the registry has followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncView>,
    /// Of a rebalance: the number of the plan before, and after it or `null` where the leader makes it at the next fire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plans>,
    /// Of many jobs: what came of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkOutcome>,
}

/// What is to be done with many jobs.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bulk {
    /// What.
    pub action: Action,
    /// With which.
    pub select: Select,
    /// Why; not empty unless it is a dry run.
    pub reason: Reason,
    /// True to see what would be done, and to do nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What the dry run answered; needed for more than 20 jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

/// What can be done with many jobs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is the operation of that name")]
pub enum Action {
    Disable,
    Enable,
    Pause,
    Resume,
    Offline,
    Online,
    Trigger,
    Rebalance,
}

/// Which jobs.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Those that this search finds.
    Q(String),
    /// These.
    Jobs(Vec<NamedJob>),
}

/// A job by its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedJob {
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
}

/// What came of an operation on many jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkOutcome {
    /// How many jobs were selected that may be operated.
    pub count: u64,
    /// How many are done.
    pub done: u64,
    /// Of a dry run: the first 100 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<NamedJob>,
    /// How many were refused, by code.
    pub codes: BTreeMap<String, u64>,
    /// Of a dry run: what the real call is to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// The body that takes back what this call changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub undo: Option<Value>,
    /// What came of each job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PerJob>,
}

/// What came of one of many jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerJob {
    /// The job.
    #[serde(flatten)]
    pub job: NamedJob,
    /// The state of its operation; `refused` when it was not begun.
    pub state: String,
    /// Why it was not done.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub code: String,
    /// True when it was not so already.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub news: bool,
    /// Its own operation.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub operation: String,
}

impl PerJob {
    /// A job that was refused.
    #[must_use]
    pub fn refused(job: NamedJob, code: Code) -> Self {
        let (state, code) = ("refused".to_owned(), code.name().to_owned());
        Self { job, state, code, news: false, operation: String::new() }
    }

    /// A job whose operation is this one.
    #[must_use]
    pub fn of(job: NamedJob, operation: &Operation) -> Self {
        let problem = operation.result.problem.as_ref();
        Self {
            job,
            state: operation.state.clone(),
            code: problem.map(|body| body.code.clone()).unwrap_or_default(),
            news: operation.result.news,
            operation: operation.id.clone(),
        }
    }
}

/// The number of a plan before and after a rebalance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plans {
    /// Before.
    pub before: Option<i32>,
    /// After; `null`: the leader, a Java instance, makes it at the next fire.
    pub after: Option<i32>,
}

/// An instance that was asked to fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedInstance {
    /// Its id.
    pub id: String,
    /// `accepted`, `waiting` while it has not answered, or `dropped`: it is gone, or it is Java and was busy.
    pub answer: String,
}

/// A wish that something stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldView {
    /// The job; absent for all of the project.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<String>,
    /// What it is about: `project`, `job`, `host` or `item`.
    pub scope: String,
    /// Which host or item; empty for a job.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub target: String,
    /// `pause`, `drain` or `disable`.
    pub kind: String,
    /// `operator`; `outside`: somebody wrote it into the registry; `offline`; `removal`.
    pub origin: String,
    /// Who made it, by the name of that time; empty when nobody knows.
    pub by: String,
    /// When.
    pub at: At,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
}
