//! Keeping the process [`Lease`](clockwright_planner::Lease): writing its node when that is due, and stopping exclusive runs when
//! it runs out.

use super::{Core, Effect, Mutation, Now, Turn};
use clockwright_model::{Exclusive, Millis};
use clockwright_registry::Error;
use clockwright_runtime::StopReason;

impl Core {
    /// Renews the lease when it is time, and stops exclusive runs when it runs out.
    pub(super) fn keep_lease(&mut self, now: Now) {
        let us = &mut self.us;
        if us.lease.renew(now.mono) {
            us.out.push(Effect::Renew);
        }
        if us.lease.lapse(now.mono) {
            us.tell(None, true, "the lease could not be renewed in time; exclusive runs are stopped".into());
            self.each(now, |turn| {
                turn.stop_strict_runs();
            });
        }
    }

    pub(super) fn renewed(&mut self, sent: Millis, result: &Result<(), Error>, now: Now) {
        let us = &mut self.us;
        let Some(session) = us.session else {
            us.lease.unproven();
            return;
        };
        match result {
            Ok(()) => {
                let proven =
                    if us.mutated(Mutation::LeaseFromNow) { now.mono + session.timeout } else { sent };
                let again = us.lease.renewed(proven, now.mono);
                us.out.push(Effect::LeaseUntil(us.lease.until()));
                us.compare_clocks(sent, now);
                if again {
                    us.tell(None, false, "the lease is renewed again".into());
                    self.each(now, |turn| {
                        turn.touch();
                    });
                }
            }
            // The next renewal follows at its own time; an unproven lease simply runs out.
            Err(error) => {
                if us.lease.unproven() {
                    us.tell(None, false, format!("the lease was not renewed: {error}; it is tried on"));
                }
            }
        }
    }

    /// The session has another timeout, since its servers were restarted with other limits.
    pub(super) fn timeout_changed(&mut self, timeout: Millis) {
        let us = &mut self.us;
        let Some(terms) = &mut us.session else { return };
        let before = std::mem::replace(&mut terms.timeout, timeout);
        if us.lease.follow(timeout) {
            let text = format!(
                "the registry gives the session a timeout of {timeout} ms instead of {before} ms; the lease follows"
            );
            us.tell(None, true, text);
            us.out.push(Effect::LeaseUntil(us.lease.until()));
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
