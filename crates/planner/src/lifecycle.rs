//! The life of one attempt at one fire of one item, as its instance sees it: one table.
//!
//! ```text
//!             Write             Write
//!        ┌─ Unknown ─► ClaimUnclear ◄─┐ ReadUnavailable
//!        │      ReadUnchanged │  └────┘
//!        │   ┌────────────────┤ ReadOurs
//!  Idle ─Claim► Claiming      ▼                     RunFailed             Claim
//!                 │  └─Done─► Running ─────────────────────────► Backoff ───────► Claiming
//!                 │            │  │ │ RunEnded                    │ StopAsked
//!         Conflict│   StopAsked│  │ └───────────┐                 │
//!                 ▼            ▼  │             ▼ ◄───────────────┘
//!              Refused   Stopping │LeaseLost  Completing ─Done─► Recorded
//!               (end)       │ │   │             │    ▲ │           (end)
//!                  RunEnded │ │   │      Unknown│    │ └─Conflict──────┐
//!                           │ │   │             ▼    │ ReadUnchanged   │
//!                           │ │   │   CompletionUnclear ───────────────┤ ReadOther
//!                           │ │   │             └─ReadOurs─► Recorded  │
//!                           │ │   ▼                                    ▼
//!                           │ └► Losing ──────────RunEnded─────────► Fenced
//!                           └──► Completing                          (end)
//! ```
//!
//! **What a state means**
//! - `Idle`: nothing has been written; nobody else can see this attempt.
//! - `Claiming`, `Completing`: one conditional write of the item's cursor is on its way.
//! - `ClaimUnclear`, `CompletionUnclear`: the answer to that write got lost. It may have been applied or not, so nothing is
//!   concluded: the cursor is read until it tells. `ReadOurs`: it was applied. `ReadUnchanged`: it was not and never will
//!   be, the cursor still has the version that the write required; write again. `ReadOther`: somebody else wrote.
//! - `Running`: the job's code runs. `Stopping`: it was told to stop (by hand, timeout, shutdown) and has not ended yet.
//! - `Losing`: the lease is over, so another instance may soon take the item over. The code is being killed, and whatever
//!   it still returns counts for nothing. Jobs that may go on without a lease are simply not told `LeaseLost`.
//! - `Backoff`: the attempt failed and there will be another one; the claim is kept.
//! - `Recorded`, `Refused`, `Fenced`: ends. The fire has its outcome by us; somebody else has the claim; somebody else will
//!   give the fire its outcome.
//!
//! **Why every path ends.** Each event leads further down, except for lost answers, unreachable registries, and retries.
//! The first two end when the registry comes back or the lease is lost, retries end with the policy's attempts.

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not yet claimed.
    Idle,
    /// The claim is on its way.
    Claiming,
    /// The claim's answer got lost; the cursor is being read back.
    ClaimUnclear,
    /// The job's code runs.
    Running,
    /// The job's code was told to stop and has not ended.
    Stopping,
    /// The lease is over; the job's code is being killed.
    Losing,
    /// The attempt failed; another one follows after a wait.
    Backoff,
    /// The outcome is on its way.
    Completing,
    /// The completion's answer got lost; the cursor is being read back.
    CompletionUnclear,
    /// End: the outcome is in the cursor.
    Recorded,
    /// End: somebody else has the claim, nothing was run.
    Refused,
    /// End: the claim was lost; its next owner decides the outcome.
    Fenced,
}

/// What happens to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It is time: send the claim (of the first attempt, or of the next one after a wait).
    Claim,
    /// The write on its way was applied.
    WriteDone,
    /// The write on its way was refused, since the cursor or the plan had changed.
    WriteConflict,
    /// Nobody knows whether the write on its way was applied.
    WriteUnknown,
    /// The cursor holds what was written.
    ReadOurs,
    /// The cursor is as it was before, and the write can no longer be applied.
    ReadUnchanged,
    /// The cursor was changed by somebody else.
    ReadOther,
    /// The cursor cannot be read at present.
    ReadUnavailable,
    /// The job's code ended (well, or badly for the last time) or is known to be gone.
    RunEnded,
    /// The job's code failed, and the policy has another attempt.
    RunFailed,
    /// Stop it: by hand, for a timeout or for a shutdown.
    StopAsked,
    /// The lease ran out, or the session is gone.
    LeaseLost,
}

/// An event that cannot happen in a state: a mistake of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a run that is {state:?}")]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// All of them.
    pub const ALL: [State; 12] = [
        State::Idle,
        State::Claiming,
        State::ClaimUnclear,
        State::Running,
        State::Stopping,
        State::Losing,
        State::Backoff,
        State::Completing,
        State::CompletionUnclear,
        State::Recorded,
        State::Refused,
        State::Fenced,
    ];

    /// True when nothing happens any more.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, State::Recorded | State::Refused | State::Fenced)
    }

    /// True while the job's own code may be running.
    #[must_use]
    pub fn has_code_running(self) -> bool {
        matches!(self, State::Running | State::Stopping | State::Losing)
    }
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 12] = [
        Event::Claim,
        Event::WriteDone,
        Event::WriteConflict,
        Event::WriteUnknown,
        Event::ReadOurs,
        Event::ReadUnchanged,
        Event::ReadOther,
        Event::ReadUnavailable,
        Event::RunEnded,
        Event::RunFailed,
        Event::StopAsked,
        Event::LeaseLost,
    ];
}

/// Every legal step: state, event, next state. What is not here is [`Illegal`].
pub const TABLE: &[(State, Event, State)] = {
    use Event::*;
    use State::*;
    &[
        (Idle, Claim, Claiming),
        (Idle, StopAsked, Refused),
        (Idle, LeaseLost, Refused),
        (Claiming, WriteDone, Running),
        (Claiming, WriteConflict, Refused),
        (Claiming, WriteUnknown, ClaimUnclear),
        // A stop during a claim waits: the caller asks again once the code runs, or drops it if it never does.
        (Claiming, StopAsked, Claiming),
        (ClaimUnclear, StopAsked, ClaimUnclear),
        // The claim may have been applied; then its next owner finds a claim of an instance that is gone.
        (Claiming, LeaseLost, Fenced),
        (ClaimUnclear, ReadOurs, Running),
        (ClaimUnclear, ReadUnchanged, Claiming),
        (ClaimUnclear, ReadOther, Refused),
        (ClaimUnclear, ReadUnavailable, ClaimUnclear),
        (ClaimUnclear, LeaseLost, Fenced),
        (Running, RunEnded, Completing),
        (Running, RunFailed, Backoff),
        (Running, StopAsked, Stopping),
        (Running, LeaseLost, Losing),
        (Stopping, RunEnded, Completing),
        (Stopping, StopAsked, Stopping),
        (Stopping, LeaseLost, Losing),
        (Losing, RunEnded, Fenced),
        (Losing, RunFailed, Fenced),
        (Losing, StopAsked, Losing),
        (Losing, LeaseLost, Losing),
        (Backoff, Claim, Claiming),
        (Backoff, StopAsked, Completing),
        (Backoff, LeaseLost, Fenced),
        (Completing, WriteDone, Recorded),
        (Completing, WriteConflict, Fenced),
        (Completing, WriteUnknown, CompletionUnclear),
        // The code has ended and the write is conditional, so trying on is safe and may save the outcome.
        (Completing, LeaseLost, Completing),
        (Completing, StopAsked, Completing),
        (CompletionUnclear, ReadOurs, Recorded),
        (CompletionUnclear, ReadUnchanged, Completing),
        (CompletionUnclear, ReadOther, Fenced),
        (CompletionUnclear, ReadUnavailable, CompletionUnclear),
        (CompletionUnclear, LeaseLost, CompletionUnclear),
        (CompletionUnclear, StopAsked, CompletionUnclear),
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
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn no_step_is_listed_twice_and_ends_have_none() {
        let mut seen = HashSet::new();
        for (from, by, _) in TABLE {
            assert!(seen.insert((from, by)), "{from:?} {by:?}");
            assert!(!from.is_end(), "{from:?} {by:?}");
        }
    }

    #[test]
    fn every_state_is_reached_and_an_end_is_reachable_from_it() {
        let reach = |start: State| {
            let mut seen = HashSet::from([start]);
            while let Some((_, _, to)) =
                TABLE.iter().find(|(from, _, to)| seen.contains(from) && !seen.contains(to))
            {
                seen.insert(*to);
            }
            seen
        };
        assert_eq!(reach(State::Idle), HashSet::from(State::ALL));
        for state in State::ALL {
            assert!(reach(state).iter().any(|state| state.is_end()), "{state:?}");
        }
    }

    #[test]
    fn the_jobs_code_never_runs_before_the_claim_is_known_to_be_ours() {
        for (from, by, to) in TABLE {
            if to.has_code_running() && !from.has_code_running() {
                let known = matches!(
                    (from, by),
                    (State::Claiming, Event::WriteDone) | (State::ClaimUnclear, Event::ReadOurs)
                );
                assert!(known, "{from:?} {by:?}");
            }
        }
    }

    #[test]
    fn a_lost_lease_never_leads_to_a_recorded_outcome_of_code_that_was_still_running() {
        let mut after_loss = HashSet::from([State::Losing]);
        while let Some((_, _, to)) =
            TABLE.iter().find(|(from, _, to)| after_loss.contains(from) && !after_loss.contains(to))
        {
            after_loss.insert(*to);
        }
        assert_eq!(after_loss, HashSet::from([State::Losing, State::Fenced]));
    }

    #[test]
    fn an_impossible_event_is_named() {
        let error = next(State::Recorded, Event::WriteDone).unwrap_err();
        assert_eq!(error.to_string(), "WriteDone cannot happen to a run that is Recorded");
    }

    /// Events that the world may repeat; all others bring a run nearer to its end.
    fn is_disturbance(event: Event) -> bool {
        matches!(
            event,
            Event::WriteUnknown
                | Event::ReadUnchanged
                | Event::ReadUnavailable
                | Event::RunFailed
                | Event::StopAsked
                | Event::LeaseLost
        )
    }

    proptest! {
        #[test]
        fn every_path_ends_soon_after_its_last_disturbance(events in prop::collection::vec(0..Event::ALL.len(), 0..200)) {
            let mut state = State::Idle;
            let (mut steps, mut disturbances) = (0, 0);
            for event in events.into_iter().map(|index| Event::ALL[index]) {
                let Ok(to) = next(state, event) else { continue };
                prop_assert!(!state.is_end());
                steps += 1;
                disturbances += usize::from(is_disturbance(event));
                state = to;
                prop_assert!(steps <= 4 + 4 * disturbances, "{steps} steps, {disturbances} disturbances");
            }
            // From wherever it is, a calm world brings it to its end.
            for _ in 0..4 {
                let calm = Event::ALL.into_iter().find(|e| !is_disturbance(*e) && next(state, *e).is_ok());
                if let Some(event) = calm {
                    state = next(state, event).unwrap();
                }
            }
            prop_assert!(state.is_end(), "{state:?}");
        }
    }
}
