//! What the registry keeps refusing: told once, shown as the reason why the job is degraded, and tried ever less often.
//!
//! A conflict is no refusal: it is answered by looking again. Nor is an unclear answer, or a registry that is away. What is meant is an access list that an
//! operator changed, a node that grew too large, a server that is read-only: doing the same again at once fails the same way, for
//! hours perhaps, and for each of thousands of jobs.

use super::job::Job;
use super::{Mutation, Turn};
use clockwright_model::Millis;
use clockwright_registry::Error;

/// The wait after the first refusal, milliseconds; each further one doubles it, up to [`LONGEST`].
const FIRST: Millis = 200;
const LONGEST: Millis = 30_000;

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Read,
    Coordinate,
    Claim,
}

/// A refusal that goes on.
#[derive(Debug)]
pub(crate) struct Trouble {
    doing: Doing,
    text: String,
    times: u32,
    /// Not again before this (mono).
    until: Millis,
}

impl Job {
    /// Why the job does not fire here as it should: its settings, what the registry refuses, or an item that is held.
    pub(crate) fn reason_degraded(&self) -> Option<String> {
        let trouble = || self.troubles.first().map(|trouble| trouble.text.clone());
        self.degraded.clone().or_else(trouble).or_else(|| self.reason_held())
    }

    /// Until when something is not tried (mono); 0 when nothing is in the way.
    pub(crate) fn rests_until(&self, doing: Doing) -> Millis {
        self.troubles.iter().find(|trouble| trouble.doing == doing).map_or(0, |trouble| trouble.until)
    }
}

impl Turn<'_> {
    /// Something was not done. Returns when it may be tried again (mono).
    pub(super) fn refused(&mut self, doing: Doing, error: &Error) -> Millis {
        let refused = matches!(error, Error::Denied(_) | Error::Refused(_));
        if !refused || self.us.mutated(Mutation::RefusalIsRepeated) {
            // The registry is away, for all jobs alike; that is told once, by whoever keeps the session.
            self.wake_at_mono(self.now.mono + FIRST);
            return self.now.mono + FIRST;
        }
        let what = match doing {
            Doing::Read => "its nodes cannot be read",
            Doing::Coordinate => "its nodes cannot be written",
            Doing::Claim => "its items cannot be claimed, nor their outcomes written",
        };
        let text = format!("{what}: {error}");
        let before = self.job.troubles.iter().position(|trouble| trouble.doing == doing);
        let before = before.map(|index| self.job.troubles.remove(index));
        let times = before.as_ref().map_or(0, |trouble| trouble.times) + 1;
        let wait = (FIRST << (times - 1).min(16)).min(LONGEST);
        let until = self.now.mono + wait;
        if before.is_none_or(|trouble| trouble.text != text) {
            self.tell(true, format!("{text}. It is tried again, ever less often"));
        }
        self.job.troubles.push(Trouble { doing, text, times, until });
        self.wake_at_mono(until);
        until
    }

    /// The registry did something that it may have refused before.
    pub(super) fn accepted(&mut self, doing: Doing) {
        let before = self.job.troubles.len();
        self.job.troubles.retain(|trouble| trouble.doing != doing);
        if self.job.troubles.len() < before {
            let what = match doing {
                Doing::Read => "its nodes can be read again",
                Doing::Coordinate => "its nodes can be written again",
                Doing::Claim => "its items can be claimed again",
            };
            self.tell(false, what.to_owned());
        }
    }

    /// Whether claims and outcomes wait because they were refused.
    pub(super) fn claims_rest(&self) -> bool {
        self.now.mono < self.job.rests_until(Doing::Claim)
    }
}
