//! The life of one item in one engine, from a free item over claim, run and outcome back to a free item: one table.
//!
//! ```text
//!                      WriteDone (no run)
//!              ┌──────────────────────────────────┐
//!              ▼   Write                          │
//!   ┌──────► Free ─────────────────────────► Claiming ◄──────────── Write ────────────┐
//!   │          ▲                              │  │ WriteDone                         │
//!   │     Read │  WriteRefused, WriteUnknown, │  ▼          RunFailed                │
//!   │          │  SessionLost, LeaseLost      │ Running ─────────────────────────► Backoff
//!   │      ClaimUnclear ◄────────────────────┘  │ │                                 │ RetryOver
//!   │          ▲            LeaseLost           │ │ RunEnded                        │
//!   │          └────────────────────────────────┘ ▼                                 │
//!   │   WriteDone                    Write      Ended ◄─────────────────────────────┘
//!   ├───────────────── Completing ◄─────────── │ ▲ │ Passed
//!   │                   │  WriteRefused,         │ │ Read
//!   │                   │  WriteUnknown          │ │
//!   │                   └──────────────► CompletionUnclear
//!   └────────────────────────────────────────────────────── (Ended, Passed)
//! ```
//!
//! **What a state means**
//! - `Free`: nothing of ours goes on, and what the cursor says is known.
//! - `Claiming`, `Completing`: one conditional write of the item's cursor is on its way.
//! - `ClaimUnclear`, `CompletionUnclear`: what the cursor says is not known. The answer to a write got lost, or said that somebody
//!   else had written, or the session is another one; the write may have been applied or not. Nothing is concluded until the
//!   cursor has been read: from here only `Read` leads on. What was read then decides: a claim of ours of which nothing runs
//!   counts as a lost attempt, an outcome that is there already is not written again.
//! - `Running`: the job's code runs, whether it was told to stop or not.
//! - `Backoff`: the attempt failed and there will be another one; the claim is kept.
//! - `Ended`: the run has its outcome, and the cursor does not say so yet, as far as is known.
//!
//! **Lost leases.** Whatever code returns that was stopped because the lease had run out counts for nothing: the item is unclear
//! at once, and its next owner, or we after reading, decide about the fire.
//!
//! **Why every path ends.** Each event leads further down, except for lost answers, other writers, lost sessions and retries. The
//! first three end when the registry comes back, retries with the policy's attempts.
//!
//! The engine looks each of its steps up here in debug builds, so its own state (which has more to say) and this table agree.

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing of ours goes on, and the cursor is known.
    Free,
    /// A claim, or a change of the cursor without a run, is on its way.
    Claiming,
    /// What the cursor says is not known; a claim of ours may be in it.
    ClaimUnclear,
    /// The job's code runs.
    Running,
    /// The attempt failed; another one follows after a wait.
    Backoff,
    /// The run has its outcome; the cursor is known and does not tell it.
    Ended,
    /// The outcome is on its way.
    Completing,
    /// The run has its outcome; what the cursor says is not known.
    CompletionUnclear,
}

/// What happens to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A conditional write is sent.
    Write,
    /// It was applied, and a run begins.
    Began,
    /// It was applied, and nothing runs.
    WriteDone,
    /// It was not: somebody else wrote, or the registry refused it.
    WriteRefused,
    /// Nobody knows whether it was applied.
    WriteUnknown,
    /// The cursor was read.
    Read,
    /// The job's code ended: well, badly for the last time, or stopped.
    RunEnded,
    /// The job's code failed, and the policy has another attempt.
    RunFailed,
    /// The next attempt is given up: for a pause, a drain, a shutdown.
    RetryOver,
    /// The code was stopped, or not even begun, because the lease ran out.
    LeaseLost,
    /// The session is over.
    SessionLost,
    /// The cursor tells the outcome already, or somebody else's claim, or the item is gone.
    Passed,
}

/// An event that cannot happen in a state: a mistake of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an item that is {state:?}")]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// All of them.
    pub const ALL: [State; 8] = [
        State::Free,
        State::Claiming,
        State::ClaimUnclear,
        State::Running,
        State::Backoff,
        State::Ended,
        State::Completing,
        State::CompletionUnclear,
    ];

    /// The same after what the cursor says has become doubtful, as it may at any time: a hint, another plan, another session.
    #[must_use]
    pub fn doubted(self) -> State {
        match self {
            State::Free => State::ClaimUnclear,
            State::Ended => State::CompletionUnclear,
            other => other,
        }
    }

    /// True when the cursor must be read before anything else.
    #[must_use]
    pub fn is_unclear(self) -> bool {
        matches!(self, State::ClaimUnclear | State::CompletionUnclear)
    }
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 12] = [
        Event::Write,
        Event::Began,
        Event::WriteDone,
        Event::WriteRefused,
        Event::WriteUnknown,
        Event::Read,
        Event::RunEnded,
        Event::RunFailed,
        Event::RetryOver,
        Event::LeaseLost,
        Event::SessionLost,
        Event::Passed,
    ];

    /// True for what tells what the cursor says.
    #[must_use]
    pub fn is_reading(self) -> bool {
        self == Event::Read
    }
}

/// Every legal step: state, event, next state. What is not here is [`Illegal`].
pub const TABLE: &[(State, Event, State)] = {
    use Event::*;
    use State::*;
    &[
        (Free, Write, Claiming),
        (Claiming, Began, Running),
        (Claiming, WriteDone, Free),
        (Claiming, WriteRefused, ClaimUnclear),
        (Claiming, WriteUnknown, ClaimUnclear),
        (Claiming, SessionLost, ClaimUnclear),
        // The answer came after the lease's end, to a process that stood still.
        (Claiming, LeaseLost, ClaimUnclear),
        (ClaimUnclear, Read, Free),
        (Running, RunEnded, Ended),
        (Running, RunFailed, Backoff),
        (Running, LeaseLost, ClaimUnclear),
        (Backoff, Write, Claiming),
        (Backoff, RetryOver, Ended),
        (Ended, Write, Completing),
        (Ended, Passed, Free),
        (Completing, WriteDone, Free),
        (Completing, WriteRefused, CompletionUnclear),
        (Completing, WriteUnknown, CompletionUnclear),
        (Completing, SessionLost, CompletionUnclear),
        (CompletionUnclear, Read, Ended),
    ]
};

/// The state after an event.
///
/// # Errors
/// [`Illegal`] when [`TABLE`] has no such step.
pub fn next(state: State, event: Event) -> Result<State, Illegal> {
    TABLE
        .iter()
        .find(|(from, by, _)| *from == state && *by == event)
        .map(|(_, _, to)| *to)
        .ok_or(Illegal { state, event })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::invariants::m_s16_unknown_is_read_back;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn no_step_is_listed_twice() {
        let mut seen = HashSet::new();
        for (from, by, _) in TABLE {
            assert!(seen.insert((from, by)), "{from:?} {by:?}");
        }
    }

    fn reach(start: State) -> HashSet<State> {
        let mut seen = HashSet::from([start]);
        while let Some((_, _, to)) =
            TABLE.iter().find(|(from, _, to)| seen.contains(from) && !seen.contains(to))
        {
            seen.insert(*to);
        }
        seen
    }

    #[test]
    fn every_state_is_reached_and_leads_back_to_a_free_item() {
        for state in State::ALL {
            assert_eq!(reach(state), HashSet::from(State::ALL), "{state:?}");
        }
    }

    #[test]
    fn the_jobs_code_begins_only_when_its_claim_is_known_to_be_applied() {
        let begins: Vec<_> = TABLE.iter().filter(|(_, _, to)| *to == State::Running).collect();
        assert_eq!(begins, [&(State::Claiming, Event::Began, State::Running)]);
    }

    #[test]
    fn an_outcome_of_code_that_lost_its_lease_is_never_written() {
        for (_, _, to) in TABLE.iter().filter(|(_, by, _)| *by == Event::LeaseLost) {
            assert_eq!(*to, State::ClaimUnclear);
        }
    }

    #[test]
    fn what_is_unclear_is_left_by_reading_alone() {
        for (before, event, after) in TABLE {
            m_s16_unknown_is_read_back(*before, *event, *after).unwrap();
        }
    }

    #[test]
    fn an_impossible_event_is_named() {
        let error = next(State::ClaimUnclear, Event::Write).unwrap_err();
        assert_eq!(error.to_string(), "Write cannot happen to an item that is ClaimUnclear");
    }

    /// Events that the world may repeat; all others bring an item nearer to being free.
    fn is_disturbance(event: Event) -> bool {
        matches!(
            event,
            Event::WriteUnknown
                | Event::WriteRefused
                | Event::SessionLost
                | Event::LeaseLost
                | Event::RunFailed
        )
    }

    proptest! {
        #[test]
        fn a_calm_world_frees_every_item_in_five_steps(events in prop::collection::vec(0..Event::ALL.len(), 0..200)) {
            let mut state = State::Free;
            for event in events.into_iter().map(|index| Event::ALL[index]) {
                state = next(state, event).unwrap_or(state);
            }
            for _ in 0..5 {
                let calm = Event::ALL.into_iter().find(|e| !is_disturbance(*e) && next(state, *e).is_ok());
                match calm {
                    Some(event) if state != State::Free => state = next(state, event).unwrap(),
                    _ => {}
                }
            }
            prop_assert_eq!(state, State::Free);
        }
    }
}
