//! Days and months of the years that schedules know, 1970 to 2199, as plain numbers.

/// The first year that a schedule knows.
pub(super) const FIRST_YEAR: i64 = 1970;
/// The last year that a schedule knows.
pub(super) const LAST_YEAR: i64 = 2199;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// The last local second that a schedule knows, counted from 1970-01-01T00:00:00 local time.
pub(super) const LAST_SECOND: i64 = year_start(LAST_YEAR + 1) * DAY - 1;

/// A month of a year: what is needed to say which of its days match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    pub(super) year: i64,
    /// 0 is January.
    pub(super) month: u32,
    /// Days from 1970-01-01 to its first.
    pub(super) start: i64,
    /// How many days it has.
    pub(super) length: u32,
}

impl Month {
    pub(super) fn new(year: i64, month: u32) -> Month {
        let before = days_before(year, month);
        Month {
            year,
            month,
            start: year_start(year) + i64::from(before),
            length: days_before(year, month + 1) - before,
        }
    }

    /// The month that holds a day, and the day's number in it from 1.
    pub(super) fn of_day(day: i64) -> (Month, u32) {
        let mut year = FIRST_YEAR + day * 400 / 146_097;
        while year_start(year) > day {
            year -= 1;
        }
        while year_start(year + 1) <= day {
            year += 1;
        }
        let in_year = (day - year_start(year)) as u32;
        // No month is longer than 31 days, so this guess is right or one too small.
        let mut month = in_year / 32;
        while days_before(year, month + 1) <= in_year {
            month += 1;
        }
        (Month::new(year, month), in_year - days_before(year, month) + 1)
    }

    /// The weekday of its first day, 0 is Sunday.
    pub(super) fn first_weekday(&self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.start + 4).rem_euclid(7) as u32
    }
}

/// Days from 1970-01-01 to the first of January of a year.
const fn year_start(year: i64) -> i64 {
    let past = year - 1;
    // 477 leap days lie before 1970.
    365 * (year - FIRST_YEAR) + past / 4 - past / 100 + past / 400 - 477
}

/// Days of a year before its month `month` (0 is January, 12 the end of the year).
fn days_before(year: i64, month: u32) -> u32 {
    const BEFORE: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    BEFORE[month as usize] + u32::from(leap && month > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_day_of_the_known_years_is_the_one_that_jiff_says() {
        let mut expected = date(1970, 1, 1);
        for day in 0..=LAST_SECOND / DAY {
            let (month, number) = Month::of_day(day);
            assert_eq!(
                (month.year, month.month + 1, number, month.length),
                (
                    i64::from(expected.year()),
                    expected.month() as u32,
                    expected.day() as u32,
                    expected.days_in_month() as u32
                )
            );
            let weekday = (month.first_weekday() + number - 1) % 7;
            assert_eq!(weekday, expected.weekday().to_sunday_zero_offset() as u32);
            expected = expected.tomorrow().expect("far from the end of time");
        }
        assert_eq!(expected, date(2200, 1, 1));
    }
}
