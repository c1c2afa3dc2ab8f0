//! From text to schedules.

use super::cron::{Cron, Days};
use super::field::{
    DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, Piece, SECOND, UNIX_DAY_OF_WEEK, YEAR, number,
};
use super::{Kind, Schedule, ScheduleError};
use clockwright_model::Millis;
use jiff::Timestamp;
use std::sync::Arc;

/// The longest text that is looked at. Every minute of an hour written out is far shorter.
const LONGEST: usize = 1024;

/// Ten years and a millisecond: intervals are shorter.
const LONGEST_INTERVAL: Millis = 3650 * 86_400_000 + 1;

/// Quartz cron, six or seven fields.
pub(super) fn quartz(text: &str) -> Result<Cron, ScheduleError> {
    let upper = bounded(text)?.to_ascii_uppercase();
    let fields = split(&upper);
    let (times, year) = match &fields[..] {
        [times @ .., year] if times.len() == 6 => (times, Some(*year)),
        times if times.len() == 6 => (times, None),
        other => {
            let hint = match other.len() {
                0 => "nothing is given",
                5 => "5 fields are Unix cron; put a field for the second before them",
                _ => "the wrong number of fields",
            };
            let form = "Quartz cron is `second minute hour day-of-month month day-of-week [year]`, for example `0 0/5 * * * ?`";
            return Err(ScheduleError::new("cron", 0, format!("{hint} (found {}); {form}", other.len())));
        }
    };
    let [second, minute, hour, day_of_month, month, day_of_week] = times else {
        unreachable!("the slice was checked to have six fields")
    };
    Ok(Cron {
        seconds: SECOND.mask(*second)?[0],
        minutes: MINUTE.mask(*minute)?[0],
        hours: HOUR.mask(*hour)?[0] as u32,
        days: days(*day_of_month, *day_of_week)?,
        months: MONTH.mask(*month)?[0] as u16,
        years: match year {
            None => None,
            Some(year) if year.text == "*" => None,
            Some(year) => Some(Arc::new(YEAR.mask(year)?)),
        },
    })
}

/// Unix cron, five fields.
pub(super) fn unix(text: &str) -> Result<Cron, ScheduleError> {
    let upper = bounded(text)?.to_ascii_uppercase();
    let fields = split(&upper);
    let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
        let form = "Unix cron is `minute hour day-of-month month day-of-week`, for example `*/5 * * * *`";
        return Err(ScheduleError::new("cron", 0, format!("{} fields found; {form}", fields.len())));
    };
    const fn plain(field: Field) -> Field {
        Field { wraps: false, ..field }
    }
    let of_week = UNIX_DAY_OF_WEEK.mask(day_of_week)?[0] as u8;
    Ok(Cron {
        seconds: 1,
        minutes: plain(MINUTE).mask(minute)?[0],
        hours: plain(HOUR).mask(hour)?[0] as u32,
        days: Days::Unix {
            of_month: (plain(DAY_OF_MONTH).mask(day_of_month)?[0] << 1) as u32,
            of_week: (of_week | of_week >> 7) & 0x7f,
            both: day_of_month.text.starts_with('*') || day_of_week.text.starts_with('*'),
        },
        months: plain(MONTH).mask(month)?[0] as u16,
        years: None,
    })
}

/// What follows the `@` of `@every 30s` and `@once 2026-01-01T00:00:00Z`.
pub(super) fn special(text: &str) -> Result<Schedule, ScheduleError> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let kind = match word {
        "every" => Kind::Every(interval(rest.trim())?),
        "once" => Kind::Once(instant(rest.trim())?),
        _ => {
            let what = format!(
                "`@{word}` is not understood; use `@every 30s`, `@once 2026-01-01T00:00:00Z` or cron"
            );
            return Err(ScheduleError::new("schedule", 1, what));
        }
    };
    Ok(Schedule(kind))
}

/// `1h30m` in milliseconds.
fn interval(text: &str) -> Result<Millis, ScheduleError> {
    let error = |why: &str| {
        let form = "use numbers with the units ms, s, m, h, d, largest first, for example `30s` or `1h30m`";
        ScheduleError::new("@every", 0, format!("`{text}` {why}; {form}"))
    };
    if text.is_empty() {
        return Err(ScheduleError::new(
            "@every",
            0,
            "nothing is given; write how long, for example `@every 30s`",
        ));
    }
    let mut rest = text;
    let mut sum: Millis = 0;
    let mut previous = Millis::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (value, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(error("is not an interval")),
        };
        if unit >= previous {
            return Err(error("has its units in the wrong order"));
        }
        let value = number(value).ok_or_else(|| error("is not an interval"))?;
        sum = sum.checked_add(Millis::from(value) * unit).ok_or_else(|| error("is too long"))?;
        previous = unit;
        rest = tail.trim_start();
    }
    match sum {
        0 => Err(error("is no time at all")),
        LONGEST_INTERVAL.. => Err(error("is too long; at most 3650 days are possible")),
        sum => Ok(sum),
    }
}

/// An RFC 3339 instant, down to the millisecond.
fn instant(text: &str) -> Result<Millis, ScheduleError> {
    if text.is_empty() {
        let what = "nothing is given; write when, for example `@once 2026-01-01T00:00:00Z`";
        return Err(ScheduleError::new("@once", 0, what));
    }
    let at: Timestamp = text.parse().map_err(|_| {
        let form =
            "use RFC 3339 with an offset, for example `2026-01-01T00:00:00Z` or `2026-01-01T08:00:00+08:00`";
        ScheduleError::new("@once", 0, format!("`{text}` is not an instant; {form}"))
    })?;
    Ok(at.as_millisecond())
}

/// The two day fields of Quartz, one of which is `?`.
fn days(of_month: Piece<'_>, of_week: Piece<'_>) -> Result<Days, ScheduleError> {
    match (of_month.text, of_week.text) {
        ("?", "?") => Err(DAY_OF_WEEK.error(
            of_week,
            "is `?`, and so is the day of month; say in one of them on which days, for example `*` in the day of month",
        )),
        (_, "?") => days_of_month(of_month),
        ("?", _) => days_of_week(of_week),
        _ => Err(DAY_OF_WEEK.error(
            of_week,
            format!(
                "both the day of month (`{}`) and the day of week (`{}`) are given; put `?` in the one that does not matter",
                of_month.text, of_week.text
            ),
        )),
    }
}

fn days_of_month(field: Piece<'_>) -> Result<Days, ScheduleError> {
    if !field.text.contains(['L', 'W']) {
        return Ok(Days::OfMonth((DAY_OF_MONTH.mask(field)?[0] << 1) as u32));
    }
    let error = |why: &str| {
        let form = "`L` is the last day, `L-3` three days before it, `15W` the weekday nearest to the 15th, `LW` the last weekday";
        DAY_OF_MONTH.error(field, format!("`{}` {why}; {form}", field.text))
    };
    if field.text.contains(',') {
        return Err(error("puts `L` or `W` into a list, which they cannot be in"));
    }
    let (day, weekday) = match field.text.strip_suffix('W') {
        Some(day) => (day, true),
        None => (field.text, false),
    };
    if let Some(rest) = day.strip_prefix('L') {
        let before = match rest.strip_prefix('-') {
            None if rest.is_empty() => 0,
            Some(offset) => {
                number(offset).filter(|n| *n <= 30).ok_or_else(|| error("counts more than 30 days back"))?
            }
            None => return Err(error("is not understood")),
        };
        let before = before as u8;
        return Ok(if weekday { Days::LastWeekday { before } } else { Days::Last { before } });
    }
    match number(day) {
        Some(day @ 1..=31) if weekday => Ok(Days::NearestWeekday(day as u8)),
        _ => Err(error("is not understood")),
    }
}

fn days_of_week(field: Piece<'_>) -> Result<Days, ScheduleError> {
    let error = |why: &str| {
        let form = "`6L` or `FRIL` is the last Friday of the month, `6#3` or `FRI#3` its third (1 to 5), `L` alone is Saturday";
        DAY_OF_WEEK.error(field, format!("`{}` {why}; {form}", field.text))
    };
    let listed = |_| error("puts `L` or `#` into a list, which they cannot be in");
    let weekday = |text| Ok::<_, ScheduleError>((DAY_OF_WEEK.value(Piece { text, at: field.at })? - 1) as u8);
    if field.text == "L" {
        return Ok(Days::OfWeek(1 << 6));
    }
    if let Some((day, nth)) = field.text.split_once('#') {
        let nth = number(nth).filter(|nth| (1..=5).contains(nth));
        let nth = match nth {
            Some(nth) => nth as u8,
            None if field.text.contains(',') => return Err(listed(())),
            None => return Err(error("has no number from 1 to 5 after `#`")),
        };
        return Ok(Days::NthOfWeek {
            weekday: if day.contains(',') { Err(listed(()))? } else { weekday(day)? },
            nth,
        });
    }
    if let Some(day) = field.text.strip_suffix('L') {
        return if day.contains(',') { Err(listed(())) } else { Ok(Days::LastOfWeek(weekday(day)?)) };
    }
    if field.text.split(',').any(|entry| entry.len() > 1 && entry.ends_with('L'))
        || field.text.split(',').any(|e| e == "L")
    {
        return Err(listed(()));
    }
    Ok(Days::OfWeek(DAY_OF_WEEK.mask(field)?[0] as u8))
}

fn bounded(text: &str) -> Result<&str, ScheduleError> {
    if text.len() > LONGEST {
        return Err(ScheduleError::new(
            "cron",
            0,
            format!("is {} bytes long; at most {LONGEST} are read", text.len()),
        ));
    }
    Ok(text)
}

/// The fields of an expression with their places.
fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = None;
    let ends = std::iter::once((text.len(), ' '));
    let mut characters = 0;
    for (byte, c) in text.char_indices().chain(ends) {
        characters += 1;
        match (c.is_whitespace(), start) {
            (false, None) => start = Some((byte, characters)),
            (true, Some((from, at))) => {
                pieces.push(Piece { text: &text[from..byte], at });
                start = None;
            }
            _ => {}
        }
    }
    pieces
}
