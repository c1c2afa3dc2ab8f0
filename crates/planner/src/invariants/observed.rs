//! What an observer of a running system writes down.

use clockwright_model::{Fire, InstanceId, Item, JobName, Millis, Source, Token};

/// One run of the job's own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRun {
    /// The job.
    pub job: JobName,
    /// The item.
    pub item: Item,
    /// The fire.
    pub fire: Fire,
    /// From 1.
    pub attempt: u32,
    /// Its fencing token.
    pub token: Token,
    /// Who ran it.
    pub instance: InstanceId,
    /// When it began, by the observer's one clock.
    pub start: Millis,
    /// When it ended; `None` while it runs.
    pub end: Option<Millis>,
    /// From when on nothing it does counts any more: its lease was over. `None` if never.
    pub fenced: Option<Millis>,
}

/// A plan that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanObserved {
    /// The job.
    pub job: JobName,
    /// Grows with each plan of the job.
    pub epoch: i64,
    /// Who wrote it.
    pub leader: InstanceId,
    /// Owner by item; its length is the job's count.
    pub assignment: Vec<Option<InstanceId>>,
    /// The instances that the leader saw as available.
    pub members: Vec<InstanceId>,
}

/// A claim that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimObserved {
    /// The job.
    pub job: JobName,
    /// The item.
    pub item: Item,
    /// The fire.
    pub fire: Fire,
    /// From 1.
    pub attempt: u32,
    /// The token that the claim got.
    pub token: Token,
    /// Who claimed.
    pub instance: InstanceId,
    /// Why.
    pub source: Source,
    /// The time at which the claimer decided what is due.
    pub decided_at: Millis,
}

/// A completion that somebody tried to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionObserved {
    /// The job.
    pub job: JobName,
    /// The item.
    pub item: Item,
    /// The fire.
    pub fire: Fire,
    /// The attempt it is about.
    pub attempt: u32,
    /// The token of that attempt.
    pub token: Token,
    /// Whether the registry took it.
    pub accepted: bool,
    /// True when it decides the fire; false when the attempt failed and another one will follow.
    pub last: bool,
}

/// A cursor that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorObserved {
    /// The job.
    pub job: JobName,
    /// The item.
    pub item: Item,
    /// The registry's version of the node, which grows with each write.
    pub version: i64,
    /// Every instant up to and including this is settled or is the fire of `run`.
    pub settled: Millis,
    /// Which schedule `settled` is about, as told to [`History::schedule`](super::History::schedule).
    pub schedule: u32,
    /// The fire of the last claim.
    pub run: Option<Fire>,
    /// What became of the instants that this write passed over.
    pub gap: Vec<GapObserved>,
}

/// Instants that were passed over together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapObserved {
    /// The first of them.
    pub from: Millis,
    /// The last of them.
    pub to: Millis,
    /// How many, capped at [`RANGE_COUNT_CAP`](crate::RANGE_COUNT_CAP).
    pub count: u64,
}

/// What was disabled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of a job.
    Job(JobName),
    /// One item of a job.
    Item(JobName, Item),
    /// All instances of a job on a server (an IP).
    Server(JobName, String),
}
