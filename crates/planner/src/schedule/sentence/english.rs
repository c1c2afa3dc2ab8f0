//! In English.

use super::{Calendar, Day, Shape, Time, clock, is_even};
use clockwright_model::Millis;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const UNITS: [&str; 5] = ["day", "hour", "minute", "second", "millisecond"];

pub(super) fn cron(cron: &Calendar) -> String {
    let day = day(&cron.day);
    let mut text = match (&cron.time, day) {
        (Time::At(times), day) => {
            format!("{} at {}", day.unwrap_or_else(|| "every day".to_owned()), at(times))
        }
        (time, None) => repeated(time),
        (time, Some(day)) => format!("{}, {day}", repeated(time)),
    };
    let month = |month: u32| MONTHS[month as usize - 1].to_owned();
    text += &when(&cron.months, &month);
    text += &when(&cron.years, &|year: u32| year.to_string());
    capital(&text)
}

pub(super) fn every(parts: &[(Millis, usize)]) -> String {
    if let [(1, place)] = parts {
        return format!("Every {}", UNITS[*place]);
    }
    let said = parts.iter().map(|(count, place)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{count} {}{plural}", UNITS[*place])
    });
    format!("Every {}", and(&said.collect::<Vec<_>>()))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `a, b and c`.
fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Runs of values, each said by `say`.
fn runs(runs: &[(u32, u32)], say: &dyn Fn(u32) -> String) -> String {
    let said = runs.iter().map(|(from, to)| match from == to {
        true => say(*from),
        false => format!("{} to {}", say(*from), say(*to)),
    });
    and(&said.collect::<Vec<_>>())
}

fn at(times: &[(u32, u32, u32)]) -> String {
    let with_seconds = times.iter().any(|(.., second)| *second != 0);
    and(&times.iter().map(|time| clock(*time, with_seconds)).collect::<Vec<_>>())
}

/// What happens again and again on a day.
fn repeated(time: &Time) -> String {
    match time {
        Time::At(times) => at(times),
        Time::Seconds { seconds, minutes, hours } => {
            let hours_then = if *minutes != Shape::All && *hours == Shape::All {
                " of every hour".to_owned()
            } else {
                window(hours)
            };
            format!("{}{}{hours_then}", units("second", seconds), in_minutes(minutes))
        }
        Time::Minutes { second, minutes, hours } => {
            let second = if *second == 0 { String::new() } else { format!(" at second {second}") };
            format!("{}{second}{}", units("minute", minutes), window(hours))
        }
        Time::Hours { second, minute, hours } => hourly(*minute, *second, hours),
    }
}

/// Which seconds or minutes.
fn units(unit: &str, shape: &Shape) -> String {
    match shape {
        Shape::All => format!("every {unit}"),
        Shape::One(value) => format!("at {unit} {value}"),
        Shape::Step { from, by } if is_even(*from, *by, 60) => format!("every {by} {unit}s"),
        Shape::Step { from, by } => format!("every {by} {unit}s from {unit} {from} on"),
        Shape::Range(from, to) => format!("every {unit} from {unit} {from} to {to}"),
        Shape::Several(list) => format!("at {unit}s {}", runs(list, &|value| value.to_string())),
    }
}

fn in_minutes(minutes: &Shape) -> String {
    match minutes {
        Shape::All => String::new(),
        Shape::One(minute) => format!(" in minute {minute}"),
        Shape::Step { from, by } if is_even(*from, *by, 60) => format!(" in every {} minute", ordinal(*by)),
        Shape::Step { from, by } => format!(" in every {} minute from minute {from} on", ordinal(*by)),
        Shape::Range(from, to) => format!(" in minutes {from} to {to}"),
        Shape::Several(list) => format!(" in minutes {}", runs(list, &|value| value.to_string())),
    }
}

/// In which hours.
fn window(hours: &Shape) -> String {
    match hours {
        Shape::All => String::new(),
        Shape::One(hour) => format!(" from {hour:02}:00 to {hour:02}:59"),
        Shape::Range(from, to) => format!(" from {from:02}:00 to {to:02}:59"),
        Shape::Step { from, by } if is_even(*from, *by, 24) => format!(" in every {} hour", ordinal(*by)),
        Shape::Step { from, by } => format!(" in every {} hour from {from:02}:00 on", ordinal(*by)),
        Shape::Several(list) => format!(" in the hours {}", runs(list, &|hour| hour.to_string())),
    }
}

fn hourly(minute: u32, second: u32, hours: &Shape) -> String {
    let past = match (minute, second) {
        (0, 0) => String::new(),
        (minute, 0) => format!(" at minute {minute}"),
        (minute, second) => format!(" at minute {minute} and second {second}"),
    };
    let clock = |hour: u32| clock((hour, minute, second), second != 0);
    match hours {
        Shape::All => format!("every hour{past}"),
        Shape::Step { from, by } if is_even(*from, *by, 24) => format!("every {by} hours{past}"),
        Shape::Step { from, by } => format!("every {by} hours from {} on", clock(*from)),
        Shape::Range(from, to) => format!("every hour from {} to {}", clock(*from), clock(*to)),
        Shape::One(hour) => format!("at {}", clock(*hour)),
        Shape::Several(list) => {
            let minute = if past.is_empty() { " at minute 0".to_owned() } else { past };
            let minute = minute.trim_start();
            format!("{minute} of the hours {}", runs(list, &|hour| hour.to_string()))
        }
    }
}

/// On which days; `None` for all.
fn day(day: &Day) -> Option<String> {
    let before = |days: u32| match days {
        1 => "the day before the last of the month".to_owned(),
        days => format!("the day {days} days before the last of the month"),
    };
    Some(match day {
        Day::Every => return None,
        Day::OfMonth(shape) => format!("{} of the month", of_month(shape)),
        Day::OfWeek(shape) => of_week(shape),
        Day::Either { of_month: month, of_week: week, both } => {
            let (month, week) = (of_month(month), of_week(week));
            if *both {
                format!("{week} that is {month} of the month")
            } else {
                format!("{month} of the month or {week}")
            }
        }
        Day::Last(0) => "on the last day of the month".to_owned(),
        Day::Last(days) => format!("on {}", before(*days)),
        Day::LastWeekday(0) => "on the last day from Monday to Friday of the month".to_owned(),
        Day::LastWeekday(days) => format!("on the day from Monday to Friday nearest to {}", before(*days)),
        Day::Nearest(day) => {
            format!("on the day from Monday to Friday nearest to the {} of the month", ordinal(*day))
        }
        Day::LastOfWeek(weekday) => format!("on the last {} of the month", weekday_name(*weekday)),
        Day::Nth { weekday, nth } => {
            let nth = ["first", "second", "third", "fourth", "fifth"][*nth as usize - 1];
            format!("on the {nth} {} of the month", weekday_name(*weekday))
        }
    })
}

fn of_month(shape: &Shape) -> String {
    let the = |day: u32| format!("the {}", ordinal(day));
    match shape {
        Shape::All => "on every day".to_owned(),
        Shape::One(day) => format!("on {}", the(*day)),
        Shape::Step { from, by } => format!("on every {} day from {} on", ordinal(*by), the(*from)),
        Shape::Range(from, to) => format!("from {} to {}", the(*from), the(*to)),
        Shape::Several(list) => format!("on {}", runs(list, &the)),
    }
}

fn of_week(shape: &Shape) -> String {
    let name = |day: u32| weekday_name(day).to_owned();
    match shape {
        Shape::All | Shape::Step { .. } => "on every day of the week".to_owned(),
        Shape::One(day) => format!("every {}", name(*day)),
        Shape::Range(from, to) => format!("{} to {}", name(*from), name(*to)),
        Shape::Several(list) => format!("on {}", runs(list, &name)),
    }
}

fn weekday_name(day: u32) -> &'static str {
    WEEKDAYS[day as usize - 1]
}

/// In which months or years.
fn when(shape: &Shape, say: &dyn Fn(u32) -> String) -> String {
    match shape {
        Shape::All => String::new(),
        Shape::One(value) => format!(", in {}", say(*value)),
        Shape::Step { from, by } => format!(", in every {} year from {} on", ordinal(*by), say(*from)),
        Shape::Range(from, to) => format!(", from {} to {}", say(*from), say(*to)),
        Shape::Several(list) => format!(", in {}", runs(list, say)),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
