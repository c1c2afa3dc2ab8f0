//! In Chinese: years, months and days first, then the time.

use super::{Calendar, Day, Shape, Time, clock, is_even};
use clockwright_model::Millis;

const WEEKDAYS: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
const UNITS: [&str; 5] = ["天", "小时", "分钟", "秒", "毫秒"];

pub(super) fn cron(cron: &Calendar) -> String {
    let date = date(cron);
    match &cron.time {
        Time::At(times) => {
            let date = if date.is_empty() { "每天".to_owned() } else { date };
            format!("{date} {}", at(times))
        }
        time => {
            let (window, what) = repeated(time);
            let before: Vec<String> = [date, window].into_iter().filter(|part| !part.is_empty()).collect();
            if before.is_empty() { what } else { format!("{}，{what}", before.join(" ")) }
        }
    }
}

pub(super) fn every(parts: &[(Millis, usize)]) -> String {
    if let [(1, place)] = parts {
        return format!("每{}", UNITS[*place]);
    }
    let said: String = parts.iter().map(|(count, place)| format!("{count}{}", UNITS[*place])).collect();
    format!("每{said}")
}

/// Years, months and days; empty for each day.
fn date(cron: &Calendar) -> String {
    let years = when(&cron.years, "年");
    let months = when(&cron.months, "月");
    let narrowed = !years.is_empty() || !months.is_empty();
    let day = match day(&cron.day) {
        None if narrowed => "每天".to_owned(),
        None => String::new(),
        // Weekdays are of no month.
        Some(day) if months.is_empty() && !matches!(cron.day, Day::OfWeek(_)) => format!("每月{day}"),
        Some(day) if months.is_empty() || !matches!(cron.day, Day::OfWeek(_)) => day,
        Some(day) => format!("的{day}"),
    };
    let between =
        if !years.is_empty() && matches!(cron.day, Day::OfWeek(_)) && months.is_empty() { "的" } else { "" };
    format!("{years}{months}{between}{day}")
}

fn when(shape: &Shape, unit: &str) -> String {
    let say = |value: u32| format!("{value}{unit}");
    match shape {
        Shape::All => String::new(),
        Shape::One(value) => say(*value),
        Shape::Step { from, by } => format!("自{}起每{by}{unit}", say(*from)),
        Shape::Range(from, to) => format!("{}至{}", say(*from), say(*to)),
        Shape::Several(list) => runs(list, &say),
    }
}

/// Runs of values, each said by `say`.
fn runs(runs: &[(u32, u32)], say: &dyn Fn(u32) -> String) -> String {
    let said = runs.iter().map(|(from, to)| match from == to {
        true => say(*from),
        false => format!("{}至{}", say(*from), say(*to)),
    });
    said.collect::<Vec<_>>().join("、")
}

fn at(times: &[(u32, u32, u32)]) -> String {
    let with_seconds = times.iter().any(|(.., second)| *second != 0);
    times.iter().map(|time| clock(*time, with_seconds)).collect::<Vec<_>>().join("、")
}

/// Between which hours, and what then.
fn repeated(time: &Time) -> (String, String) {
    match time {
        Time::At(times) => (String::new(), at(times)),
        Time::Seconds { seconds, minutes, hours } => {
            let minutes = match minutes {
                Shape::All => String::new(),
                minutes => format!("每小时的{}，", numbered(minutes, "分钟")),
            };
            (window(hours), format!("{minutes}{}", units(seconds, "秒", "每分钟")))
        }
        Time::Minutes { second, minutes, hours } => {
            let second = if *second == 0 { String::new() } else { format!("的第{second}秒") };
            (window(hours), format!("{}{second}", units(minutes, "分钟", "每小时")))
        }
        Time::Hours { second, minute, hours } => hourly(*minute, *second, hours),
    }
}

/// Which seconds or minutes of a greater unit.
fn units(shape: &Shape, unit: &str, of: &str) -> String {
    match shape {
        Shape::All => format!("每{unit}"),
        Shape::Step { from, by } if is_even(*from, *by, 60) => format!("每{by}{unit}"),
        Shape::Step { from, by } => format!("{of}从第{from}{unit}起每{by}{unit}"),
        Shape::Range(from, to) => format!("{of}从第{from}至第{to}{unit}，每{unit}"),
        other => format!("{of}的{}", numbered(other, unit)),
    }
}

/// Which ones, by their numbers.
fn numbered(shape: &Shape, unit: &str) -> String {
    let list = match shape {
        Shape::All => return format!("每{unit}"),
        Shape::Step { from, by } => return format!("第{from}{unit}起每隔{by}{unit}的那一{unit}"),
        Shape::One(value) => value.to_string(),
        Shape::Range(from, to) => format!("{from}至{to}"),
        Shape::Several(list) => runs(list, &|value| value.to_string()),
    };
    format!("第{list}{unit}")
}

fn window(hours: &Shape) -> String {
    match hours {
        Shape::All => String::new(),
        Shape::One(hour) => format!("{hour:02}:00 至 {hour:02}:59"),
        Shape::Range(from, to) => format!("{from:02}:00 至 {to:02}:59"),
        Shape::Step { from, by } => {
            let hours: Vec<String> = (*from..24).step_by(*by as usize).map(|hour| hour.to_string()).collect();
            format!("{}点内", hours.join("、"))
        }
        Shape::Several(list) => format!("{}点内", runs(list, &|hour| hour.to_string())),
    }
}

fn hourly(minute: u32, second: u32, hours: &Shape) -> (String, String) {
    let past = match (minute, second) {
        (0, 0) => String::new(),
        (minute, 0) => format!("的第{minute}分钟"),
        (minute, second) => format!("的第{minute}分{second}秒"),
    };
    let clock = |hour: u32| clock((hour, minute, second), second != 0);
    match hours {
        Shape::All => (String::new(), format!("每小时{past}")),
        Shape::Step { from, by } if is_even(*from, *by, 24) => (String::new(), format!("每{by}小时{past}")),
        Shape::Step { from, by } => (String::new(), format!("每天从{}起每{by}小时", clock(*from))),
        Shape::Range(from, to) => (format!("{} 至 {}", clock(*from), clock(*to)), "每小时".to_owned()),
        Shape::One(hour) => (String::new(), clock(*hour)),
        Shape::Several(list) => {
            let past = if past.is_empty() { "整".to_owned() } else { past };
            (String::new(), format!("{}点{past}", runs(list, &|hour| hour.to_string())))
        }
    }
}

/// Which days of a month, or of the week; `None` for all.
fn day(day: &Day) -> Option<String> {
    let before = |days: u32| format!("最后一天之前{days}天");
    Some(match day {
        Day::Every => return None,
        Day::OfMonth(shape) => of_month(shape),
        Day::OfWeek(shape) => of_week(shape),
        Day::Either { of_month: month, of_week: week, both } => {
            let (month, week) = (of_month(month), of_week(week));
            if *both { format!("{month}且为{week}") } else { format!("{month}或{week}") }
        }
        Day::Last(0) => "最后一天".to_owned(),
        Day::Last(days) => before(*days),
        Day::LastWeekday(0) => "最后一个周一至周五的日子".to_owned(),
        Day::LastWeekday(days) => format!("离{}最近的周一至周五的日子", before(*days)),
        Day::Nearest(day) => format!("离{day}日最近的周一至周五的日子"),
        Day::LastOfWeek(weekday) => format!("最后一个{}", WEEKDAYS[*weekday as usize - 1]),
        Day::Nth { weekday, nth } => format!("第{nth}个{}", WEEKDAYS[*weekday as usize - 1]),
    })
}

fn of_month(shape: &Shape) -> String {
    let say = |day: u32| format!("{day}日");
    match shape {
        Shape::All => "每天".to_owned(),
        Shape::One(day) => say(*day),
        Shape::Step { from, by } => format!("自{}起每{by}天", say(*from)),
        Shape::Range(from, to) => format!("{}至{}", say(*from), say(*to)),
        Shape::Several(list) => runs(list, &say),
    }
}

fn of_week(shape: &Shape) -> String {
    let name = |day: u32| WEEKDAYS[day as usize - 1].to_owned();
    match shape {
        Shape::All | Shape::Step { .. } => "每天".to_owned(),
        Shape::One(day) => format!("每{}", name(*day)),
        Shape::Range(from, to) => format!("{}至{}", name(*from), name(*to)),
        Shape::Several(list) => runs(list, &name),
    }
}
