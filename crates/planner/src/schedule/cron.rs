//! Cron as bit masks, and its questions in local time, where every day has 24 hours.
//!
//! Local times are seconds since 1970-01-01T00:00:00 of the wall clock. A question touches at most one mask for each month
//! of the known years, so that it ends even for a date that never comes, such as 30 February.

use super::calendar::{DAY, FIRST_YEAR, LAST_SECOND, LAST_YEAR, Month};
use std::sync::Arc;

/// Which local times match.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cron {
    /// Bits 0 to 59.
    pub(super) seconds: u64,
    /// Bits 0 to 59.
    pub(super) minutes: u64,
    /// Bits 0 to 23.
    pub(super) hours: u32,
    /// Bit 0 is January.
    pub(super) months: u16,
    pub(super) days: Days,
    /// Bit 0 of the first word is 1970; `None` is every year.
    pub(super) years: Option<Arc<[u64; 4]>>,
}

/// Which days of a month match. Weekdays are 0 (Sunday) to 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// Bits 1 to 31.
    OfMonth(u32),
    /// Bit 0 is Sunday.
    OfWeek(u8),
    /// `L-n`: so many days before the last; a month that is too short has none.
    Last { before: u8 },
    /// `L-nW`: the weekday (Monday to Friday) nearest to that day, in the same month.
    LastWeekday { before: u8 },
    /// `nW`: the weekday nearest to that day, in the same month; a month without that day has none.
    NearestWeekday(u8),
    /// `nL`: the last such weekday.
    LastOfWeek(u8),
    /// `n#k`: the k-th such weekday; months without it have none.
    NthOfWeek { weekday: u8, nth: u8 },
    /// Unix cron: a day that is in either mask, or in both when `both` is set.
    Unix { of_month: u32, of_week: u8, both: bool },
}

impl Days {
    /// The matching days of a month as bits 1 to 31.
    fn of(self, month: &Month) -> u32 {
        let length = month.length;
        let all = ((1u64 << (length + 1)) - 2) as u32;
        match self {
            Days::OfMonth(days) => days & all,
            Days::OfWeek(week) => spread(week, month) & all,
            Days::Last { before } => match length.checked_sub(u32::from(before)) {
                None | Some(0) => 0,
                Some(day) => 1 << day,
            },
            Days::LastWeekday { before } => match length.checked_sub(u32::from(before)) {
                None | Some(0) => 0,
                Some(day) => 1 << nearest_weekday(day, month),
            },
            Days::NearestWeekday(day) if u32::from(day) > length => 0,
            Days::NearestWeekday(day) => 1 << nearest_weekday(u32::from(day), month),
            Days::LastOfWeek(weekday) => 1 << (31 - (spread(1 << weekday, month) & all).leading_zeros()),
            Days::NthOfWeek { weekday, nth } => {
                let first = 1 + (u32::from(weekday) + 7 - month.first_weekday()) % 7;
                let day = first + 7 * (u32::from(nth) - 1);
                if day > length { 0 } else { 1 << day }
            }
            Days::Unix { of_month, of_week, both } => {
                let week = spread(of_week, month);
                all & if both { of_month & week } else { of_month | week }
            }
        }
    }
}

/// The days of a month, as bits from 1, whose weekday is in a week mask.
fn spread(week: u8, month: &Month) -> u32 {
    const EVERY_SEVENTH: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28 | 1 << 35;
    let weeks = u64::from(week) * EVERY_SEVENTH;
    ((weeks >> month.first_weekday()) << 1) as u32
}

/// The day from Monday to Friday that is nearest to a day of the same month.
fn nearest_weekday(day: u32, month: &Month) -> u32 {
    match (month.first_weekday() + day - 1) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == month.length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

impl Cron {
    /// The first matching local time that is not before `from`.
    pub(super) fn next_local(&self, from: i64) -> Option<i64> {
        if from > LAST_SECOND {
            return None;
        }
        let from = from.max(0);
        let (today, second) = (from / DAY, from % DAY);
        let mut day = self.next_day(today)?;
        if day == today {
            if let Some(time) = self.next_time(second) {
                return Some(day * DAY + time);
            }
            day = self.next_day(today + 1)?;
        }
        Some(day * DAY + self.next_time(0)?)
    }

    /// The last matching local time that is not after `until`.
    pub(super) fn latest_local(&self, until: i64) -> Option<i64> {
        if until < 0 {
            return None;
        }
        let until = until.min(LAST_SECOND);
        let (today, second) = (until / DAY, until % DAY);
        let mut day = self.latest_day(today)?;
        if day == today {
            if let Some(time) = self.latest_time(second) {
                return Some(day * DAY + time);
            }
            day = self.latest_day(today - 1)?;
        }
        Some(day * DAY + self.latest_time(DAY - 1)?)
    }

    /// How many local times from `from` to `until`, both included, match.
    pub(super) fn count_local(&self, from: i64, until: i64) -> u64 {
        let (from, until) = (from.max(0), until.min(LAST_SECOND));
        if from > until {
            return 0;
        }
        // All matching times of the days from first to last, less those before `from` and those after `until`.
        let (first, last) = (from / DAY, until / DAY);
        let a_day = self.times_before(DAY);
        let mut count = self.count_days(first, last) * a_day;
        if self.matches_day(first) {
            count -= self.times_before(from % DAY);
        }
        if self.matches_day(last) {
            count -= a_day - self.times_before(until % DAY + 1);
        }
        count
    }

    /// The first matching second of a day that is not before `from`.
    fn next_time(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = split(from);
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = next_bit(self.seconds, second)
            {
                return Some(join(hour, minute, second));
            }
            if let Some(minute) = next_bit(self.minutes, minute + 1) {
                return Some(join(hour, minute, self.seconds.trailing_zeros()));
            }
        }
        let hour = next_bit(self.hours.into(), hour + 1)?;
        Some(join(hour, self.minutes.trailing_zeros(), self.seconds.trailing_zeros()))
    }

    /// The last matching second of a day that is not after `until`.
    fn latest_time(&self, until: i64) -> Option<i64> {
        let (hour, minute, second) = split(until);
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = last_bit_below(self.seconds, second + 1)
            {
                return Some(join(hour, minute, second));
            }
            if let Some(minute) = last_bit_below(self.minutes, minute) {
                return Some(join(hour, minute, last_bit_below(self.seconds, 60)?));
            }
        }
        let hour = last_bit_below(self.hours.into(), hour)?;
        Some(join(hour, last_bit_below(self.minutes, 60)?, last_bit_below(self.seconds, 60)?))
    }

    /// How many matching seconds a day has before its second `end`.
    fn times_before(&self, end: i64) -> u64 {
        let ones = |mask: u64, below: u32| u64::from((mask & ((1 << below) - 1)).count_ones());
        let (hour, minute, second) = split(end);
        let a_minute = ones(self.seconds, 60);
        let an_hour = ones(self.minutes, 60) * a_minute;
        let mut count = ones(self.hours.into(), hour) * an_hour;
        if u64::from(self.hours) >> hour & 1 == 1 {
            count += ones(self.minutes, minute) * a_minute;
            if self.minutes >> minute & 1 == 1 {
                count += ones(self.seconds, second);
            }
        }
        count
    }

    /// The first matching day that is not before `from`.
    fn next_day(&self, from: i64) -> Option<i64> {
        let (start, number) = Month::of_day(from);
        let (mut year, mut month, mut days) = (start.year, start.month, u32::MAX << number);
        loop {
            let here = next_bit(self.months.into(), month).filter(|_| self.matches_year(year));
            let Some(next) = here else {
                (year, month, days) = (year + 1, 0, u32::MAX);
                if year > LAST_YEAR {
                    return None;
                }
                continue;
            };
            if next != month {
                (month, days) = (next, u32::MAX);
            }
            let here = Month::new(year, month);
            let matching = self.days.of(&here) & days;
            if matching != 0 {
                return Some(here.start + i64::from(matching.trailing_zeros()) - 1);
            }
            (month, days) = (month + 1, u32::MAX);
        }
    }

    /// The last matching day that is not after `until`.
    fn latest_day(&self, until: i64) -> Option<i64> {
        if until < 0 {
            return None;
        }
        let (end, number) = Month::of_day(until);
        let (mut year, mut month, mut days) = (end.year, end.month, u32::MAX >> (31 - number));
        loop {
            let here = last_bit_below(self.months.into(), month + 1).filter(|_| self.matches_year(year));
            let Some(previous) = here else {
                (year, month, days) = (year - 1, 11, u32::MAX);
                if year < FIRST_YEAR {
                    return None;
                }
                continue;
            };
            if previous != month {
                (month, days) = (previous, u32::MAX);
            }
            let here = Month::new(year, month);
            let matching = self.days.of(&here) & days;
            if matching != 0 {
                return Some(here.start + i64::from(31 - matching.leading_zeros()) - 1);
            }
            if month == 0 {
                (year, month, days) = (year - 1, 11, u32::MAX);
                if year < FIRST_YEAR {
                    return None;
                }
            } else {
                (month, days) = (month - 1, u32::MAX);
            }
        }
    }

    /// How many days from `first` to `last`, both included, match.
    fn count_days(&self, first: i64, last: i64) -> u64 {
        let (start, number) = Month::of_day(first);
        let (end, end_number) = Month::of_day(last);
        let mut days = u32::MAX << number;
        let (mut year, mut month, mut count) = (start.year, start.month, 0);
        while (year, month) <= (end.year, end.month) {
            if self.matches_year(year) && self.months >> month & 1 == 1 {
                if (year, month) == (end.year, end.month) {
                    days &= u32::MAX >> (31 - end_number);
                }
                count += u64::from((self.days.of(&Month::new(year, month)) & days).count_ones());
            }
            days = u32::MAX;
            (year, month) = if month == 11 { (year + 1, 0) } else { (year, month + 1) };
        }
        count
    }

    fn matches_day(&self, day: i64) -> bool {
        self.count_days(day, day) == 1
    }

    fn matches_year(&self, year: i64) -> bool {
        self.years.as_ref().is_none_or(|years| {
            let bit = (year - FIRST_YEAR) as usize;
            years.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
        })
    }
}

fn split(second: i64) -> (u32, u32, u32) {
    let second = second as u32;
    (second / 3600, second / 60 % 60, second % 60)
}

fn join(hour: u32, minute: u32, second: u32) -> i64 {
    i64::from(hour * 3600 + minute * 60 + second)
}

/// The lowest set bit that is not below `from`.
fn next_bit(mask: u64, from: u32) -> Option<u32> {
    let rest = mask.checked_shr(from)?;
    (rest != 0).then(|| from + rest.trailing_zeros())
}

/// The highest set bit below `end` (at most 63).
fn last_bit_below(mask: u64, end: u32) -> Option<u32> {
    let rest = mask & ((1 << end) - 1);
    (rest != 0).then(|| 63 - rest.leading_zeros())
}
