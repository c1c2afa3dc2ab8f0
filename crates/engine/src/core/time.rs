//! Whose time counts: this machine's, unless that is ahead of the registry's.
//!
//! A machine whose clock is ahead would claim instants that have not come, settle them for everybody, and leave items that stand
//! still until the others' clocks arrive there. So each process compares its clock with the time at which the registry carried
//! out a write of its beat: when its session begins, which is before it claims anything, then once a minute, and as soon as its
//! clock was set. Up to [`MOST_AHEAD`] the difference is borne: clocks differ. Beyond, the calendar of this engine is the
//! registry's. A clock that is behind does no such harm: it fires late.
//!
//! The comparison is safe against slow requests: our time is that of the sending, and a write that is carried out late, or
//! another one after it, makes the difference look smaller.
//!
//! A job's `maxTimeDiffSeconds` says how far the clocks may differ at all before that is told; it is this comparison that counts, for
//! all jobs alike. (Elastic-Job compares by a node of each job, which is still touched with each claim.)
//!
//! A cursor that lies in the future was written by somebody whose clock was ahead, or by a registry whose clock was. Its
//! instants up to then have outcomes, so none is run again; that the item stands still is told.

use super::us::Us;
use super::{Core, Now, Turn};
use clockwright_model::{Change, ChangeKind, Event, Item, Millis};
use clockwright_registry::Node;

/// How far this machine's clock may be ahead of the registry's, milliseconds.
const MOST_AHEAD: Millis = 5_000;
/// How often the clocks are compared, milliseconds.
const COMPARE: Millis = 60_000;
/// A jump of the calendar by this much is a clock that was set, milliseconds.
const SET: Millis = 500;

/// What is known of this machine's clock and the registry's.
#[derive(Default)]
pub(super) struct Clocks {
    /// How far ours is ahead, as last compared; negative when it is behind.
    ahead: Millis,
    /// When the write of the beat was sent that the comparison under way is about (mono).
    sent: Millis,
    /// When they are compared next (mono).
    next: Millis,
    /// What our calendar said when the monotonic clock was at zero, as last compared.
    zero: Millis,
}

impl Clocks {
    /// How much is taken from our calendar.
    fn correction(&self) -> Millis {
        if self.ahead > MOST_AHEAD { self.ahead } else { 0 }
    }
}

impl Us {
    /// The time that decisions go by, when the machine's clocks say this.
    pub(super) fn time(&self, now: Now) -> Now {
        Now { wall: now.wall - self.clocks.correction(), ..now }
    }

    /// A write of the beat that was sent at `sent` (mono) is acknowledged: compares the clocks by it, if it is time to.
    pub(super) fn compare_clocks(&mut self, sent: Millis, now: Now) {
        let zero = now.wall + self.clocks.correction() - now.mono;
        if now.mono < self.clocks.next && (zero - self.clocks.zero).abs() < SET {
            return;
        }
        (self.clocks.sent, self.clocks.next, self.clocks.zero) = (sent, now.mono + COMPARE, zero);
        let beat = self.keys.beat(&self.me);
        self.read(vec![beat]);
    }

    /// Compares at the next occasion, whenever that is.
    pub(super) fn forget_clocks(&mut self) {
        self.clocks.next = 0;
    }
}

impl Core {
    /// Takes in our beat as the registry has it.
    pub(super) fn beat_was_read(&mut self, beat: &Node, now: Now) {
        let us = &mut self.us;
        let sent = us.clocks.sent + us.clocks.zero;
        let before = us.clocks.correction();
        us.clocks.ahead = sent - beat.stat.modified_at;
        let after = us.clocks.correction();
        if after > 0 && before == 0 {
            let text = format!(
                "this machine's clock is {} s ahead of the registry's; schedules go by the registry's time until the clock is set right (up to {} s is borne)",
                after / 1_000,
                MOST_AHEAD / 1_000
            );
            us.tell(None, true, text);
            let ahead = format!("{} s", after / 1_000).into();
            let change = us.change(ChangeKind::ClockAhead, beat.stat.modified, beat.stat.modified_at);
            us.record(Event::Change(Change { reason: ahead, ..change }));
        } else if after == 0 && before > 0 {
            let text = "this machine's clock agrees with the registry's again; schedules go by it";
            us.tell(None, false, text.into());
            let change = us.change(ChangeKind::ClockRight, beat.stat.modified, beat.stat.modified_at);
            us.record(Event::Change(change));
        }
        self.each(now, |turn| {
            turn.compare_with_limit();
            if after != before {
                turn.touch();
            }
        });
    }
}

impl Turn<'_> {
    /// Tells once when the clocks differ by more than the job's settings allow.
    pub(super) fn compare_with_limit(&mut self) {
        let Some(effective) = &self.job.effective else { return };
        let (ahead, limit) = (self.us.clocks.ahead, Millis::from(effective.settings.max_time_diff_seconds));
        let differs = limit >= 0 && ahead.abs() > limit * 1_000;
        if std::mem::replace(&mut self.job.clock_differs, differs) || !differs {
            return;
        }
        let text = format!(
            "this machine's clock is {} s {} the registry's, allowed are {limit} s (maxTimeDiffSeconds)",
            ahead.abs() / 1_000,
            if ahead > 0 { "ahead of" } else { "behind" }
        );
        self.tell(true, text);
    }

    /// Tells once when an item's schedule is settled up to a time that has not come.
    pub(super) fn notice_future(&mut self, item: Item, settled: Millis) {
        let ahead = settled - self.now.wall;
        let is_future = ahead > MOST_AHEAD;
        let state = self.job.item_mut(item);
        if std::mem::replace(&mut state.is_future, is_future) || !is_future {
            return;
        }
        let text = format!(
            "item {item} stands still for {} s: its cursor lies that far in the future, written by a machine whose clock was ahead. The instants until then have their outcomes already",
            ahead / 1_000
        );
        self.tell(true, text);
        self.put_cursor_ahead(item, ahead / 1_000);
    }
}
