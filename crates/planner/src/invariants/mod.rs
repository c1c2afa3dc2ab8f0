//! What must always hold, as named predicates over plain observations.
//!
//! This is the one place where the rules are. The simulation shows a [`History`] every transaction of its registry and every run;
//! the end-to-end checker asks the same rules about what jobs wrote and stores hold; debug builds of the engine ask those that cost
//! little about each claim. Nothing here knows how an observation came about. The names are those of the reliability notes.
//!
//! | rule | in words | asked by |
//! |---|---|---|
//! | M-S1 | a plan is written by the session that leads | [`History::epoch`] |
//! | M-S2 | plan epochs, tokens and cursors only grow | [`History`], the end-to-end checker, debug builds |
//! | M-S3 | who claims does so in its own name, holds its lease, and owns the item or takes it over | [`History::cursor`] |
//! | M-S4 | no two runs of an item overlap while both count | [`History::started`], the end-to-end checker |
//! | M-S5 | a plan gives every item to exactly one instance that is there | the simulation, once all is healed |
//! | M-S6 | attempts are numbered without a hole, and follow only what has ended or lost its owner | [`History::cursor`], the end-to-end checker |
//! | M-S7 | every due instant has exactly one disposition, and no cursor passes one without | [`History`], [`Dispositions`], debug builds |
//! | M-S8 | only who holds a claim completes it | [`History::cursor`] |
//! | M-S9 | when a session ends, no exclusive work of it goes on | [`History::expired`] |
//! | M-S10 | what is disabled or paused gets no new claim | [`History::cursor`] |
//! | M-S12 | no claim of an item beyond the job's count | [`History::cursor`] |
//! | M-S13 | catching up stays within the policy; what is coalesced is coalesced into what runs | [`History::cursor`], the end-to-end checker |
//! | M-S14 | a manual trigger is run at most once for each item, and never lost | [`History`] |
//! | M-S15 | what waits for a whole fire waits for whole first attempts only | [`History::begun`] |
//! | M-S16 | an unknown write is read back before anything is concluded | [`crate::lifecycle`]'s table, in debug builds; [`History::started`] |
//!
//! M-S11 (nothing of a removed job comes back) is about registry trees and is checked where those are.

mod dispositions;
mod history;
mod observed;
mod rules;

pub use dispositions::{Dispositions, describe, span};
pub use history::History;
pub use observed::{ClaimObserved, CursorObserved, ObservedRun, Policy, Scope, Write};
pub use rules::*;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id}: {message}")]
pub struct Violation {
    /// Which rule: `M-S4`.
    pub id: &'static str,
    /// What was seen that must not be.
    pub message: String,
}

/// Fails with a violation unless a condition holds.
fn hold(condition: bool, id: &'static str, message: impl FnOnce() -> String) -> Result<(), Violation> {
    if condition { Ok(()) } else { Err(Violation { id, message: message() }) }
}
