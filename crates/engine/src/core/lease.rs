//! The process lease: how long this engine may believe that what it claimed is still its own.
//!
//! # Why
//! A connected session proves nothing: a follower that was cut off from its quorum answers reads and pings for seconds after
//! the quorum ended the session. Only an acknowledged *write* proves that the session lived when the write was carried out.
//!
//! # Rule
//! With session timeout `T`, a node of the process's own is set every `T/6`. A write that was *sent* at `s` and acknowledged extends the
//! lease to `s + 2T/3`: the registry cannot have ended the session before `s + T` at the earliest, less the rate at which a
//! follower forwards touches, for which the last third is kept. From `s + T/2` on nothing new is claimed and exclusive runs
//! are asked to stop; at `s + 2T/3` they are killed, by their supervisors where they are processes, so even while this
//! process stands still.
//!
//! # Failures
//! *Unknown answer*: the lease is not extended. *Conflict* (somebody deleted the node): not extended either, and the session
//! is given up, since nothing can be proved with it any more. *This process stands still*: it wakes after the lease's end and
//! sees so, because the clock counts suspended time. *The registry is away longer than `2T/3`*: exclusive runs end everywhere;
//! a job that prefers to go on says `exclusive: best_effort`.

use super::{Core, Effect, Mutation, Now, Turn};
use clockwright_model::{Exclusive, Millis};
use clockwright_registry::Error;
use clockwright_runtime::StopReason;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lease {
    timeout: Millis,
    /// When the last acknowledged write was sent; `None` without a session.
    proven: Option<Millis>,
    /// When the last write was sent.
    sent: Millis,
    in_flight: bool,
    /// Runs were stopped because the lease ran out, and it was not proven again since.
    lapsed: bool,
}

impl Lease {
    pub(super) fn start(&mut self, sent: Millis, timeout: Millis) {
        *self = Self { timeout, proven: Some(sent), sent, in_flight: false, lapsed: false };
    }

    pub(super) fn end(&mut self) {
        self.proven = None;
        self.in_flight = false;
    }

    /// When exclusive runs must be gone (mono).
    pub(super) fn until(&self) -> Millis {
        self.proven.map_or(0, |sent| sent + self.timeout * 2 / 3)
    }

    fn stop_at(&self) -> Millis {
        self.proven.map_or(0, |sent| sent + self.timeout / 2)
    }

    /// Whether something new may be claimed.
    pub(super) fn is_valid(&self, now: Now) -> bool {
        self.proven.is_some() && now.mono < self.stop_at()
    }

    fn renew_at(&self) -> Millis {
        self.sent + self.timeout / 6
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.proven?;
        let renew = if self.in_flight { Millis::MAX } else { self.renew_at() };
        let stop = if self.lapsed { Millis::MAX } else { self.stop_at() };
        Some(renew.min(stop)).filter(|at| *at != Millis::MAX)
    }
}

impl Core {
    /// Renews the lease when it is time, and stops exclusive runs when it runs out.
    pub(super) fn keep_lease(&mut self, now: Now) {
        let us = &mut self.us;
        if us.lease.proven.is_none() {
            return;
        }
        if !us.lease.in_flight && now.mono >= us.lease.renew_at() {
            us.lease.in_flight = true;
            us.lease.sent = now.mono;
            us.out.push(Effect::Renew);
        }
        if !us.lease.lapsed && now.mono >= us.lease.stop_at() {
            us.lease.lapsed = true;
            us.tell(None, true, "the lease could not be renewed in time; exclusive runs are stopped".into());
            self.each(now, |turn| {
                turn.stop_strict_runs();
            });
        }
    }

    pub(super) fn renewed(&mut self, sent: Millis, result: &Result<(), Error>, now: Now) {
        let us = &mut self.us;
        us.lease.in_flight = false;
        if us.session.is_none() {
            return;
        }
        match result {
            Ok(()) => {
                let proven =
                    if us.mutated(Mutation::LeaseFromNow) { now.mono + us.lease.timeout } else { sent };
                us.lease.proven = us.lease.proven.max(Some(proven));
                us.out.push(Effect::LeaseUntil(us.lease.until()));
                if us.lease.lapsed && us.lease.is_valid(now) {
                    us.lease.lapsed = false;
                    us.tell(None, false, "the lease is renewed again".into());
                    self.each(now, |turn| {
                        turn.touch();
                    });
                }
            }
            // The next renewal follows at its own time; an unproven lease simply runs out.
            Err(error) => us.tell(None, false, format!("the lease was not renewed: {error}")),
        }
    }
}

impl Turn<'_> {
    /// Stops the runs of the job that must not outlive the lease.
    pub(super) fn stop_strict_runs(&mut self) {
        if self.job.exclusive() == Exclusive::BestEffort {
            return;
        }
        for run in self.job.live_runs() {
            self.us.out.push(Effect::Stop { run, reason: StopReason::LeaseLost });
        }
    }
}
