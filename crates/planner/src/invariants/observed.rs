//! What is seen of a system, in its plainest form.

use crate::{Range, Schedule};
use clockwright_model::{
    Fire, InstanceId, Item, JobName, Millis, Misfire, Outcome, RunId, Settlement, Source, Token,
};

/// Who wrote something into the registry, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// The writer's session; 0 for operators.
    pub session: i64,
    /// The registry's number of the transaction.
    pub transaction: i64,
    /// The registry's calendar, epoch milliseconds.
    pub wall: Millis,
    /// After how many milliseconds the writer has surely heard of somebody else's change; `None` when that cannot be said.
    pub hears: Option<Millis>,
}

/// A version of a job's settings, as far as the rules ask.
#[derive(Debug, Clone)]
pub struct Policy {
    /// When the job is due.
    pub schedule: Schedule,
    /// What cursors call that schedule.
    pub id: u32,
    /// When these settings were written, epoch milliseconds.
    pub since: Millis,
    /// How many items there are.
    pub items: Item,
    /// What happens to late instants.
    pub misfire: Misfire,
    /// Whether what a dead owner left runs again.
    pub failover: bool,
    /// Whether no two runs of an item may overlap.
    pub strict: bool,
    /// How many attempts a fire has whose owners are lost.
    pub lost_attempts: u32,
    /// How late an instant still counts as on time, milliseconds.
    pub tolerance: Millis,
}

/// A claim of an item: one attempt at one fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimObserved {
    /// The fire.
    pub fire: Fire,
    /// From 1.
    pub attempt: u32,
    /// The attempt's identity.
    pub run: RunId,
    /// Who claims.
    pub owner: InstanceId,
    /// In which session.
    pub session: i64,
    /// Why.
    pub source: Source,
    /// When that was decided, by the claimer's clock.
    pub decided_at: Millis,
    /// How it ended; `None` while it goes on.
    pub outcome: Option<Outcome>,
}

/// What an item's cursor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorObserved {
    /// Every instant up to and including this is settled or is the fire of `run`.
    pub settled: Millis,
    /// Which schedule `settled` is about; see [`Policy::id`].
    pub schedule: u32,
    /// The last claim.
    pub run: Option<ClaimObserved>,
    /// A trigger that waits.
    pub pending: Option<Fire>,
    /// What became of the instants that the last change passed over.
    pub gap: Vec<Range>,
    /// Outcomes on their way to the record.
    pub kept: Vec<Settlement>,
}

impl CursorObserved {
    /// The claim that goes on.
    #[must_use]
    pub fn running(&self) -> Option<&ClaimObserved> {
        self.run.as_ref().filter(|claim| claim.outcome.is_none())
    }
}

/// A run of the job's own code, by times of one clock that all runs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRun {
    /// In words, for a violation.
    pub name: String,
    /// Its fire.
    pub fire: Fire,
    /// From 1.
    pub attempt: u32,
    /// Its fencing token.
    pub token: Token,
    /// When it began.
    pub start: u64,
    /// When it ended, or counted for nothing any more; the greatest number while it goes on.
    pub end: u64,
}

/// What was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of a job.
    Job(JobName),
    /// One item of a job.
    Item(JobName, Item),
    /// All instances of a job on a host (an IP).
    Host(JobName, String),
}
