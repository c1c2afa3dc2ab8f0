//! Cron in a time zone: local times turned into instants, one stretch of constant UTC offset after the other.
//!
//! Between two changes of a zone's offset, local time and instants run side by side. Call that a *stretch*. At its end the
//! offset grows (a gap: some local times never come, so neither stretch has them), or it shrinks (an overlap: some local
//! times come twice, and only those of the later stretch count). So a stretch shows the local times from its beginning to
//! its end or to the beginning of the next stretch, whichever is earlier, and no local time is shown twice.
//!
//! Because shown local times grow with instants, the search for the next instant is: look into this stretch, and if the
//! next matching local time lies beyond it, go on in a later one.

use super::ClockChange;
use super::calendar::{DAY, LAST_SECOND};
use super::cron::Cron;
use clockwright_model::Millis;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// No UTC offset of any zone is greater; with it, a local time bounds the instants that can have it.
const GREATEST_OFFSET: i64 = 26 * 3600;
/// Seconds since the epoch outside of which no schedule has an instant.
const BOUNDS: (i64, i64) = (-2 * DAY, LAST_SECOND + 2 * DAY);

/// Cron and the zone it is read in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ZonedCron {
    cron: Cron,
    zone: TimeZone,
}

/// A time without a change of the offset. All in seconds; instants count from the epoch.
struct Stretch {
    /// Local time minus instant.
    offset: i64,
    /// The first instant that no longer belongs to it; beyond all bounds when it never ends.
    end: i64,
    /// The last local time it shows.
    last: i64,
}

impl ZonedCron {
    pub(super) fn new(cron: Cron, zone: TimeZone) -> Self {
        Self { cron, zone }
    }

    /// What it is without the zone.
    pub(super) fn cron(&self) -> &Cron {
        &self.cron
    }

    pub(super) fn next_after(&self, after: Millis) -> Option<Millis> {
        let mut from = (after.div_euclid(1000) + 1).max(BOUNDS.0);
        loop {
            if from > BOUNDS.1 {
                return None;
            }
            let stretch = self.stretch(from);
            let local = self.cron.next_local(from + stretch.offset)?;
            if local <= stretch.last {
                return Some((local - stretch.offset) * 1000);
            }
            // All later instants have this local time or a later one.
            from = stretch.end.max(local - GREATEST_OFFSET);
        }
    }

    pub(super) fn latest_until(&self, until: Millis) -> Option<Millis> {
        let mut until = until.div_euclid(1000).min(BOUNDS.1);
        loop {
            if until < BOUNDS.0 {
                return None;
            }
            let stretch = self.stretch(until);
            let local = self.cron.latest_local(stretch.last.min(until + stretch.offset))?;
            let at = local - stretch.offset;
            // The stretch that shows a local time is the one that holds its instant.
            let begin = self.begin(until);
            if at >= begin {
                return Some(at * 1000);
            }
            until = (begin - 1).min(local + GREATEST_OFFSET);
        }
    }

    /// How many instants lie in `(after, until]`, which is not empty.
    pub(super) fn count(&self, after: Millis, until: Millis) -> u64 {
        let mut from = (after.div_euclid(1000) + 1).max(BOUNDS.0);
        let until = until.div_euclid(1000).min(BOUNDS.1);
        let mut count = 0;
        while from <= until {
            let stretch = self.stretch(from);
            let last = stretch.last.min(until + stretch.offset);
            count += self.cron.count_local(from + stretch.offset, last);
            from = stretch.end;
        }
        count
    }

    pub(super) fn clock_changes(&self, after: Millis, most: usize) -> Vec<ClockChange> {
        let from = timestamp(after.div_euclid(1000).clamp(BOUNDS.0, BOUNDS.1));
        let known = self.zone.following(from).take_while(|change| change.timestamp().as_second() <= BOUNDS.1);
        let changes = known.filter_map(|change| {
            let at = change.timestamp().as_second();
            let (before, after) =
                (self.zone.to_offset(timestamp(at - 1)).seconds(), change.offset().seconds());
            let first = at + i64::from(before.min(after));
            let last = at + i64::from(before.max(after)) - 1;
            (before != after).then(|| ClockChange {
                at: at * 1000,
                before,
                after,
                affected: self.cron.count_local(first, last),
                first: self.cron.next_local(first).filter(|local| *local <= last),
            })
        });
        changes.take(most).collect()
    }

    /// The stretch that an instant is in.
    fn stretch(&self, second: i64) -> Stretch {
        let at = timestamp(second);
        let offset = i64::from(self.zone.to_offset(at).seconds());
        match self.zone.following(at).next() {
            None => Stretch { offset, end: i64::MAX, last: i64::MAX },
            Some(change) => {
                let end = change.timestamp().as_second();
                let next_offset = i64::from(change.offset().seconds());
                Stretch { offset, end, last: end + offset.min(next_offset) - 1 }
            }
        }
    }

    /// The first instant of the stretch that an instant is in.
    fn begin(&self, second: i64) -> i64 {
        self.zone
            .preceding(timestamp(second + 1))
            .next()
            .map_or(i64::MIN, |change| change.timestamp().as_second())
    }
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("callers stay within the years that schedules know")
}
