//! A schedule in words, in English and in Chinese.
//!
//! The words are made of the *set* of instants and not of the text that it was read from: `0/5` and `*/5` say the same, and two schedules that
//! say the same fire at the same instants. What is ordinary sounds ordinary (`Every day at 02:30`), the rest is exact. The zone is no part
//! of it; whoever shows a sentence shows the zone beside it.
//!
//! Fields are brought into [`Shape`]s, the times of a day into a [`Time`], and each language says these two in its own order.

mod chinese;
mod english;

use super::calendar::{FIRST_YEAR, LAST_YEAR};
use super::cron::{Cron, Days};
use super::{Kind, Schedule};
use clockwright_model::{Language, Millis};

/// Up to so many times of a day are said one by one.
const FEW: usize = 6;

impl Schedule {
    /// The schedule in words, without its zone: `Monday to Friday at 09:00`, `周一至周五 09:00`.
    #[must_use]
    pub fn sentence(&self, language: Language) -> String {
        match (&self.0, language) {
            (Kind::Cron(zoned), Language::English) => english::cron(&Calendar::of(zoned.cron())),
            (Kind::Cron(zoned), Language::Chinese) => chinese::cron(&Calendar::of(zoned.cron())),
            (Kind::Every(interval), Language::English) => english::every(&parts(*interval)),
            (Kind::Every(interval), Language::Chinese) => chinese::every(&parts(*interval)),
            (Kind::Once(at), Language::English) => format!("Once, at {}", instant(*at)),
            (Kind::Once(at), Language::Chinese) => format!("仅一次：{}", instant(*at)),
            (Kind::Never, Language::English) => "Only when it is triggered".to_owned(),
            (Kind::Never, Language::Chinese) => "仅在触发时".to_owned(),
        }
    }
}

/// `2026-01-01 00:00:00 UTC`.
fn instant(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S%.f UTC").to_string())
}

/// An interval in units: how many, and the unit's place among days, hours, minutes, seconds, milliseconds.
fn parts(interval: Millis) -> Vec<(Millis, usize)> {
    let mut rest = interval;
    let mut parts = Vec::new();
    for (place, unit) in [86_400_000, 3_600_000, 60_000, 1_000, 1].into_iter().enumerate() {
        if rest >= unit {
            parts.push((rest / unit, place));
            rest %= unit;
        }
    }
    parts
}

/// The values of a field, as people see them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// All that there are.
    All,
    /// One.
    One(u32),
    /// From this one on each so many, up to the end of the field.
    Step { from: u32, by: u32 },
    /// From one to another, both included. In a field that goes round the end may be before the start.
    Range(u32, u32),
    /// Several, neighbours together.
    Several(Vec<(u32, u32)>),
}

/// What a field can hold, and how its values are brought into a shape.
struct Field {
    low: u32,
    high: u32,
    /// After the last value comes the first.
    goes_round: bool,
    /// So many values that are equally far apart are a step; 0 for never.
    steps: usize,
}

const SIXTY: Field = Field { low: 0, high: 59, goes_round: true, steps: 3 };
const HOURS: Field = Field { low: 0, high: 23, goes_round: true, steps: 3 };
const DAYS: Field = Field { low: 1, high: 31, goes_round: false, steps: 6 };
const MONTHS: Field = Field { low: 1, high: 12, goes_round: true, steps: 0 };
/// Monday is 1, Sunday 7.
const WEEK: Field = Field { low: 1, high: 7, goes_round: true, steps: 0 };
const YEARS: Field = Field { low: FIRST_YEAR as u32, high: LAST_YEAR as u32, goes_round: false, steps: 6 };

impl Field {
    /// The shape of these values, which grow.
    fn shape(&self, values: &[u32]) -> Shape {
        let span = self.high - self.low + 1;
        match values {
            [one] => return Shape::One(*one),
            _ if values.len() == span as usize => return Shape::All,
            // Two halves are as good as a step.
            [from, other] if self.steps == 3 && (other - from) * 2 == span => {
                return Shape::Step { from: *from, by: other - from };
            }
            [from, second, .., last] if self.steps > 0 && values.len() >= self.steps => {
                let by = second - from;
                if by > 1 && last + by > self.high && values.windows(2).all(|pair| pair[1] - pair[0] == by) {
                    return Shape::Step { from: *from, by };
                }
            }
            _ => {}
        }
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for value in values {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *value => *last = *value,
                _ => runs.push((*value, *value)),
            }
        }
        if self.goes_round
            && runs.len() > 1
            && let (Some((low, end)), Some((start, high))) = (runs.first().copied(), runs.last().copied())
            && (low, high) == (self.low, self.high)
        {
            runs.remove(0);
            runs.pop();
            runs.push((start, end));
        }
        let length = |(from, to): (u32, u32)| (to + span - from) % span + 1;
        if let [(from, to)] = runs[..]
            && length((from, to)) > 2
        {
            return Shape::Range(from, to);
        }
        let two = |(from, to): (u32, u32)| {
            if length((from, to)) == 2 { vec![(from, from), (to, to)] } else { vec![(from, to)] }
        };
        Shape::Several(runs.into_iter().flat_map(two).collect())
    }
}

/// The values of a mask, whose bit 0 is `low`.
fn values(mask: &[u64], low: u32) -> Vec<u32> {
    let bits = (0..mask.len() as u32 * 64).filter(|bit| mask[*bit as usize / 64] >> (bit % 64) & 1 == 1);
    bits.map(|bit| bit + low).collect()
}

/// When on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Time {
    /// At these hours, minutes and seconds.
    At(Vec<(u32, u32, u32)>),
    /// At several seconds of some minutes.
    Seconds { seconds: Shape, minutes: Shape, hours: Shape },
    /// At one second of several minutes.
    Minutes { second: u32, minutes: Shape, hours: Shape },
    /// At one minute and second of several hours.
    Hours { second: u32, minute: u32, hours: Shape },
}

/// On which days.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    /// On all of them.
    Every,
    /// On these of the month.
    OfMonth(Shape),
    /// On these weekdays.
    OfWeek(Shape),
    /// On days of the month, or weekdays; both at once when it is said.
    Either { of_month: Shape, of_week: Shape, both: bool },
    /// So many days before the month's last.
    Last(u32),
    /// The weekday nearest to that.
    LastWeekday(u32),
    /// The weekday nearest to that day.
    Nearest(u32),
    /// The last such weekday.
    LastOfWeek(u32),
    /// The so-manieth such weekday.
    Nth { weekday: u32, nth: u32 },
}

/// A cron expression, as it is said.
struct Calendar {
    time: Time,
    day: Day,
    months: Shape,
    years: Shape,
}

impl Calendar {
    fn of(cron: &Cron) -> Self {
        let years = cron.years.as_ref().map(|years| values(&**years, YEARS.low));
        Self {
            time: time(
                &values(&[cron.seconds], 0),
                &values(&[cron.minutes], 0),
                &values(&[cron.hours.into()], 0),
            ),
            day: day(cron.days),
            months: MONTHS.shape(&values(&[cron.months.into()], 1)),
            years: years.map_or(Shape::All, |years| YEARS.shape(&years)),
        }
    }
}

fn time(seconds: &[u32], minutes: &[u32], hours: &[u32]) -> Time {
    if seconds.len() * minutes.len() * hours.len() <= FEW {
        let at = hours.iter().flat_map(|hour| {
            minutes.iter().flat_map(move |minute| seconds.iter().map(move |second| (*hour, *minute, *second)))
        });
        return Time::At(at.collect());
    }
    let hours = HOURS.shape(hours);
    match (seconds, minutes) {
        ([second], [minute]) => Time::Hours { second: *second, minute: *minute, hours },
        ([second], minutes) => Time::Minutes { second: *second, minutes: SIXTY.shape(minutes), hours },
        (seconds, minutes) => {
            Time::Seconds { seconds: SIXTY.shape(seconds), minutes: SIXTY.shape(minutes), hours }
        }
    }
}

fn day(days: Days) -> Day {
    // Monday first, as weeks are read.
    let monday_first = |weekday: u8| if weekday == 0 { 7 } else { u32::from(weekday) };
    let week = |mask: u8| {
        let mut days: Vec<u32> = (0..7).filter(|day| mask >> day & 1 == 1).map(monday_first).collect();
        days.sort_unstable();
        WEEK.shape(&days)
    };
    let month = |mask: u32| DAYS.shape(&values(&[(mask >> 1).into()], 1));
    let plain =
        |shape: Shape, day: fn(Shape) -> Day| if shape == Shape::All { Day::Every } else { day(shape) };
    match days {
        Days::OfMonth(mask) => plain(month(mask), Day::OfMonth),
        Days::OfWeek(mask) => plain(week(mask), Day::OfWeek),
        Days::Last { before } => Day::Last(before.into()),
        Days::LastWeekday { before } => Day::LastWeekday(before.into()),
        Days::NearestWeekday(day) => Day::Nearest(day.into()),
        Days::LastOfWeek(weekday) => Day::LastOfWeek(monday_first(weekday)),
        Days::NthOfWeek { weekday, nth } => Day::Nth { weekday: monday_first(weekday), nth: nth.into() },
        Days::Unix { of_month, of_week, both } => match (month(of_month), week(of_week), both) {
            (Shape::All, Shape::All, _) => Day::Every,
            (shape, Shape::All, true) => Day::OfMonth(shape),
            (Shape::All, shape, true) => Day::OfWeek(shape),
            (Shape::All, _, false) | (_, Shape::All, false) => Day::Every,
            (of_month, of_week, both) => Day::Either { of_month, of_week, both },
        },
    }
}

/// True for a step that goes on from one hour, or one day, to the next without a break.
fn is_even(from: u32, by: u32, span: u32) -> bool {
    from == 0 && span.is_multiple_of(by)
}

/// `09:05`, or `09:05:30` where seconds are said.
fn clock((hour, minute, second): (u32, u32, u32), with_seconds: bool) -> String {
    if with_seconds { format!("{hour:02}:{minute:02}:{second:02}") } else { format!("{hour:02}:{minute:02}") }
}

#[cfg(test)]
mod tests;
