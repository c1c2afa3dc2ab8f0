//! The process lease: how long a process may believe that what it claimed is still its own.
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
//! a job that prefers to go on says `exclusive: best_effort`. *The registry gives the session another timeout* when it is
//! reached again (it was restarted with other limits): the lease has the new one from then on, also for what was proven
//! before ([`Lease::follow`]); a shorter one may thereby be over at once.

use clockwright_model::Millis;

/// See the module. All times are of one clock that never goes back and counts the time that the machine was suspended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    timeout: Millis,
    /// When the last acknowledged write was sent; `None` without a session.
    proven: Option<Millis>,
    /// When the last write was sent.
    sent: Millis,
    in_flight: bool,
    /// The last write whose end is known failed.
    failing: bool,
    /// It was noticed that the lease ran out, and it was not proven again since.
    lapsed: bool,
}

impl Lease {
    /// A session begins, whose timeout is this long; the write that made its node was sent at `sent`.
    pub fn start(&mut self, sent: Millis, timeout: Millis) {
        *self = Self { timeout, proven: Some(sent), sent, ..Self::default() };
    }

    /// The session is over.
    pub fn end(&mut self) {
        self.proven = None;
        self.in_flight = false;
    }

    /// Whether there is a session.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.proven.is_some()
    }

    /// The session has this timeout from now on. True when that is a change.
    pub fn follow(&mut self, timeout: Millis) -> bool {
        std::mem::replace(&mut self.timeout, timeout) != timeout
    }

    /// When exclusive runs must be gone; 0 without a session.
    #[must_use]
    pub fn until(&self) -> Millis {
        self.proven.map_or(0, |sent| sent + self.timeout * 2 / 3)
    }

    /// From when on nothing new may be claimed; 0 without a session.
    #[must_use]
    pub fn valid_until(&self) -> Millis {
        self.proven.map_or(0, |sent| sent + self.timeout / 2)
    }

    /// Whether something new may be claimed.
    #[must_use]
    pub fn is_valid(&self, now: Millis) -> bool {
        self.proven.is_some() && now < self.valid_until()
    }

    /// Whether the node is to be written now. The caller sends the write; until it is [`renewed`](Self::renewed) or
    /// [`unproven`](Self::unproven), there is no other one.
    pub fn renew(&mut self, now: Millis) -> bool {
        let due = self.proven.is_some() && !self.in_flight && now >= self.renew_at();
        if due {
            self.in_flight = true;
            self.sent = now;
        }
        due
    }

    /// Whether the lease has just run out: true once, until it is proven again.
    pub fn lapse(&mut self, now: Millis) -> bool {
        let lapses = self.proven.is_some() && !self.lapsed && now >= self.valid_until();
        self.lapsed |= lapses;
        lapses
    }

    /// A write that was sent at `sent` is acknowledged. True when the lease had run out and is held again.
    pub fn renewed(&mut self, sent: Millis, now: Millis) -> bool {
        (self.in_flight, self.failing) = (false, false);
        if self.proven.is_none() {
            return false;
        }
        self.proven = self.proven.max(Some(sent));
        self.lapsed && self.is_valid(now) && std::mem::take(&mut self.lapsed)
    }

    /// A write failed, or nobody knows what became of it: it proves nothing. True for the first one after one that succeeded.
    pub fn unproven(&mut self) -> bool {
        self.in_flight = false;
        !std::mem::replace(&mut self.failing, true)
    }

    /// When something is to be done at the latest; `None` when nothing is.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        self.proven?;
        let renew = if self.in_flight { Millis::MAX } else { self.renew_at() };
        let stop = if self.lapsed { Millis::MAX } else { self.valid_until() };
        Some(renew.min(stop)).filter(|at| *at != Millis::MAX)
    }

    fn renew_at(&self) -> Millis {
        self.sent + self.timeout / 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(sent: Millis, timeout: Millis) -> Lease {
        let mut lease = Lease::default();
        lease.start(sent, timeout);
        lease
    }

    #[test]
    fn it_counts_from_the_sending_of_what_was_acknowledged() {
        let mut lease = held(1_000, 12_000);
        assert_eq!((lease.until(), lease.next_wake()), (9_000, Some(3_000)));
        assert!(!lease.renew(2_999) && lease.renew(3_000) && !lease.renew(3_001), "one write at a time");
        assert_eq!(lease.next_wake(), Some(7_000), "when to stop, if no answer comes");
        assert!(!lease.renewed(3_000, 6_000), "it had not run out");
        assert_eq!((lease.until(), lease.next_wake()), (11_000, Some(5_000)));
    }

    #[test]
    fn without_a_proof_it_runs_out_once_and_is_held_again_by_the_next_one() {
        let mut lease = held(0, 12_000);
        assert!(lease.renew(2_000));
        assert!(lease.unproven() && !lease.unproven(), "worth telling once");
        assert!(lease.is_valid(5_999) && !lease.is_valid(6_000));
        assert!(!lease.lapse(5_999) && lease.lapse(6_000) && !lease.lapse(6_001), "told once");
        assert!(lease.renew(6_001), "it is tried further");
        assert!(lease.renewed(6_001, 6_500) && lease.is_valid(6_500));
        assert_eq!(lease.until(), 14_001);
    }

    #[test]
    fn a_late_answer_does_not_bring_back_a_lease_that_it_no_longer_covers() {
        let mut lease = held(0, 12_000);
        assert!(lease.renew(2_000) && lease.lapse(6_000));
        assert!(!lease.renewed(2_000, 9_000), "2,000 proves until 8,000");
        assert!(!lease.is_valid(9_000));
    }

    #[test]
    fn a_shorter_timeout_shortens_what_was_proven_before() {
        let mut lease = held(1_000, 30_000);
        assert_eq!(lease.until(), 21_000);
        assert!(lease.follow(4_000) && !lease.follow(4_000));
        assert_eq!(lease.until(), 1_000 + 4_000 * 2 / 3);
        assert!(!lease.is_valid(3_000) && lease.lapse(3_000), "what was still good for seconds is over");
        assert!(lease.renew(3_000) && lease.renewed(3_000, 3_010), "and is proven anew at once");
    }

    #[test]
    fn the_end_of_the_session_is_the_end_of_the_lease() {
        let mut lease = held(1_000, 12_000);
        assert!(lease.renew(3_000));
        lease.end();
        assert!(!lease.is_held() && !lease.is_valid(3_000) && lease.until() == 0);
        assert!(!lease.renewed(3_000, 3_100), "an answer that comes after the end proves nothing");
        assert_eq!((lease.is_held(), lease.next_wake(), lease.renew(9_000)), (false, None, false));
    }
}
