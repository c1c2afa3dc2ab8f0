//! What must always hold, as named predicates over plain observations.
//!
//! The names are those of the reliability design. Tests call the predicates, the simulation and debug builds feed a
//! [`History`], which keeps what it has seen and reports the first observation that breaks a rule. Nothing here knows how
//! an observation came about: a simulated registry, a real one and a log read afterwards serve equally.
//!
//! | rule | in words |
//! |---|---|
//! | M-S1 | one leader for each epoch of a plan |
//! | M-S2 | plan epochs, tokens and cursors only grow |
//! | M-S3 | only the owner by the current plan claims, or a rescuer of what a departed owner left |
//! | M-S4 | no two unfenced runs of an item overlap |
//! | M-S5 | a plan gives every item to exactly one instance that is there |
//! | M-S6 | one accepted completion for each fire of an item; attempts are numbered without a hole |
//! | M-S7 | every due instant has exactly one disposition, and the cursor passes none without |
//! | M-S8 | a completion by a stale token changes nothing |
//! | M-S9 | without a lease, no exclusive work |
//! | M-S10 | what is disabled gets no new claim |
//! | M-S12 | no claim of an item beyond the plan's count |
//! | M-S13 | catching up stays within the policy's cap and window |
//! | M-S14 | a manual trigger is run once for each item |
//! | M-S15 | a once-listener is called once for each fire and phase, after all items ended |
//! | M-S16 | an unknown write is read back before anything is concluded |
//!
//! M-S11 (nothing of a removed job comes back) is about registry trees and is checked where those are.

mod history;
mod observed;
mod rules;

pub use history::History;
pub use observed::{
    ClaimObserved, CompletionObserved, CursorObserved, GapObserved, ObservedRun, PlanObserved, Scope,
};
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
