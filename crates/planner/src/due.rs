//! What is due for one item now: which instant runs, and what becomes of those that passed.
//!
//! An item has a *cursor*: the last instant that has an outcome. Everything after it up to now wants one. [`due`] says for
//! each of those instants what it gets, oldest first and without a hole, so that the caller can record the ranges, run
//! what is to run, and move the cursor to the end of what is settled. Then it asks again. Nothing is decided for an instant
//! that comes after the run: what becomes of it depends on how long that run takes.
//!
//! An instant is **late** when the item could not run it at its time: it is not after [`DueInput::blocked_until`], or it is
//! older than [`DueInput::tolerance`]. Late instants are the business of the job's misfire policy; the others just run.
//!
//! However many instants have passed, the work is a handful of questions to the schedule, each answered by arithmetic.

use crate::Schedule;
use clockwright_model::{Fire, Millis, Misfire, Outcome, Reason, Source};

/// The greatest [`Range::count`]: counting stops here, and the range may hold more instants than it says.
pub const RANGE_COUNT_CAP: u64 = 100_000;

/// What is known about one item.
#[derive(Debug, Clone)]
pub struct DueInput<'a> {
    /// When the job is due.
    pub schedule: &'a Schedule,
    /// The item's cursor: the last instant that already has an outcome.
    pub settled: Millis,
    /// The time now.
    pub now: Millis,
    /// The last instant that is asked about: `now`, or earlier when the schedule was replaced by another one then.
    pub until: Millis,
    /// Instants that are not after this passed while the item could not run. At or before `settled` when it always could.
    pub blocked_until: Millis,
    /// Why it could not.
    pub blocked_by: Blocked<'a>,
    /// The job's policy for late instants.
    pub misfire: Misfire,
    /// How old an instant may be and still be on time, in milliseconds, 0 or more.
    pub tolerance: Millis,
}

/// Why an item could not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked<'a> {
    /// Its own previous run still went on.
    Busy,
    /// No instance owned it.
    Unowned,
    /// It was disabled or paused.
    Off(&'a Reason),
}

/// What is to be done for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The instant to run now, and why. It comes after all of `settled`.
    pub run: Option<(Millis, Source)>,
    /// Instants that get their outcome without running, ascending.
    ///
    /// Ranges and run together hold every instant after the cursor up to the last of them, each exactly once. Ranges that
    /// are [`Outcome::Coalesced`] name the fire of `run`, and so must be recorded only once that one has been claimed.
    pub settled: Vec<Range>,
    /// The first instant after `until` (and after the cursor): when to ask again.
    pub next: Option<Millis>,
}

/// Instants of the schedule that share an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first of them.
    pub from: Millis,
    /// The last of them.
    pub to: Millis,
    /// How many they are, counted up to [`RANGE_COUNT_CAP`].
    pub count: u64,
    /// What they get.
    pub outcome: Outcome,
}

/// Decides what becomes of the instants in `(settled, until]`.
///
/// | late instants under | get |
/// |---|---|
/// | [`Blocked::Off`], up to `blocked_until` | skipped for that reason, whatever the policy |
/// | [`Misfire::FireOnce`] | coalesced into the first instant that is on time, or else into the latest, which then runs late |
/// | [`Misfire::Skip`] | skipped (busy), or missed (unowned, or too old) |
/// | [`Misfire::FireAll`] | the newest `cap` of them within the window run one by one; older ones are missed |
///
/// Of the instants on time, the oldest runs. Instants that run late have [`Source::Misfire`], the others
/// [`Source::Schedule`].
#[must_use]
pub fn due(input: &DueInput<'_>) -> Due {
    let DueInput { schedule, settled, now, until, blocked_until, blocked_by, misfire, tolerance } = *input;
    let next = schedule.next_after(until.max(settled));
    let mut plan = Plan { schedule, cursor: settled, settled: Vec::new() };

    if let Blocked::Off(reason) = blocked_by {
        plan.settle(blocked_until.min(until), || Outcome::Skipped { reason: reason.clone() });
    }
    let late_until = blocked_until.max(now.saturating_sub(tolerance).saturating_sub(1)).min(until);
    let on_time = schedule.next_after(late_until.max(plan.cursor)).filter(|at| *at <= until);
    let latest_late = schedule.latest_until(late_until).filter(|at| *at > plan.cursor);

    let run = match (latest_late, misfire) {
        (None, _) => on_time.map(|at| (at, Source::Schedule)),
        (Some(latest), Misfire::FireOnce) => {
            let run = on_time.map_or((latest, Source::Misfire), |at| (at, Source::Schedule));
            plan.settle(late_until.min(run.0 - 1), || Outcome::Coalesced { into: Fire::Scheduled(run.0) });
            Some(run)
        }
        (Some(_), Misfire::Skip) => {
            plan.settle(blocked_until.min(late_until), || match blocked_by {
                Blocked::Busy => Outcome::Skipped { reason: Reason::PreviousRunning {} },
                Blocked::Unowned | Blocked::Off(_) => Outcome::Missed { reason: Reason::NoInstance {} },
            });
            plan.settle(late_until, || Outcome::Missed { reason: Reason::Late { tolerance } });
            on_time.map(|at| (at, Source::Schedule))
        }
        (Some(_), Misfire::FireAll { cap, window }) => {
            let first = now.saturating_sub(window).saturating_sub(1).min(late_until);
            plan.settle(first, || Outcome::Missed { reason: Reason::TooOld { window } });
            let first = newest(schedule, plan.cursor, late_until, cap);
            plan.settle(first, || Outcome::Missed { reason: Reason::TooMany { cap: cap.into() } });
            match schedule.next_after(plan.cursor).filter(|at| *at <= late_until) {
                Some(at) => Some((at, Source::Misfire)),
                None => on_time.map(|at| (at, Source::Schedule)),
            }
        }
    };
    Due { run, settled: plan.settled, next }
}

/// The ranges so far, and how far they reach.
struct Plan<'a> {
    schedule: &'a Schedule,
    cursor: Millis,
    settled: Vec<Range>,
}

impl Plan<'_> {
    /// Gives the instants from the cursor to `until` an outcome; moves nothing when that is not ahead.
    fn settle(&mut self, until: Millis, outcome: impl FnOnce() -> Outcome) {
        if until <= self.cursor {
            return;
        }
        let from = self.schedule.next_after(self.cursor).filter(|from| *from <= until);
        if let Some(from) = from {
            let to = self.schedule.latest_until(until).unwrap_or(from);
            let count = self.schedule.count(self.cursor, until, RANGE_COUNT_CAP);
            self.settled.push(Range { from, to, count, outcome: outcome() });
        }
        self.cursor = until;
    }
}

/// The earliest time after which, up to `until`, there are at most `cap` instants; `after` when that holds already.
fn newest(schedule: &Schedule, after: Millis, until: Millis, cap: u32) -> Millis {
    let limit = u64::from(cap);
    let fits = |from| schedule.count(from, until, limit + 1) <= limit;
    if fits(after) {
        return after;
    }
    let (mut too_early, mut fitting) = (after, until);
    while fitting.abs_diff(too_early) > 1 {
        let middle = too_early + (fitting.abs_diff(too_early) / 2) as Millis;
        if fits(middle) {
            fitting = middle;
        } else {
            too_early = middle;
        }
    }
    fitting
}
