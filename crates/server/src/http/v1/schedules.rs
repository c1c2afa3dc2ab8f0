//! Schedules by themselves: when one fires, and what one would be that somebody is writing.

use super::paging;
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Granted;
use crate::http::parts::{Body, Query};
use crate::http::refusal::Answered;
use crate::store::in_words;
use clockwright_api::find::{
    ClockChange, NextAsk, NextFires, PreviewSchedule, SchedulePreview, ScheduleProblem,
};
use clockwright_api::jobs::Sentence;
use clockwright_api::permission::kinds::Own;
use clockwright_api::{At, Code, Problem};
use clockwright_model::Millis;
use clockwright_planner::{self as planner, Schedule, ScheduleError};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use std::sync::Arc;

/// How many instants are told unless asked for, and at most.
const USUAL: u32 = 20;
const INSTANTS: u32 = 1_000;
/// How many changes of the clock are told.
const CHANGES: usize = 2;

fn fires(schedule: &Schedule, after: Millis, count: usize) -> Vec<At> {
    let fires = std::iter::successors(schedule.next_after(after), |at| schedule.next_after(*at));
    fires.take(count).map(At).collect()
}

pub(in crate::http) async fn next(
    app: Arc<App>,
    _: Granted<Own>,
    Query(ask): Query<NextAsk>,
) -> Answered<Found<NextFires>> {
    let count = paging::up_to("n", ask.n, USUAL, INSTANTS)? as usize;
    let schedule = Schedule::parse(&ask.cron, ask.zone.as_deref()).map_err(|error| {
        Problem::new(Code::Invalid, "the schedule cannot be used").at("/cron", error.to_string())
    })?;
    let from = ask.from.map_or_else(|| app.now(), |at| at.0);
    let sentence = in_words(&schedule);
    Ok(Found::new(NextFires { fires: fires(&schedule, from, count), sentence }))
}

pub(in crate::http) async fn preview(
    app: Arc<App>,
    _: Granted<Own>,
    Body(ask): Body<PreviewSchedule>,
) -> Answered<Found<SchedulePreview>> {
    let count = paging::up_to("n", ask.n, USUAL, INSTANTS)? as usize;
    let zone = ask.zone.as_deref().filter(|zone| !zone.is_empty());
    let from = ask.from.map_or_else(|| app.now(), |at| at.0);
    let schedule = match Schedule::parse(&ask.cron, zone) {
        Ok(schedule) => schedule,
        Err(error) => {
            let unix = Schedule::parse_unix(&ask.cron, zone).ok();
            return Ok(Found::new(SchedulePreview {
                problems: vec![problem(&ask.cron, error)],
                as_unix: unix.as_ref().map(in_words),
                ..SchedulePreview::default()
            }));
        }
    };
    let fires = fires(&schedule, from, count);
    Ok(Found::new(SchedulePreview {
        problems: Vec::new(),
        as_unix: None,
        sentence: Some(in_words(&schedule)),
        last_fire_at: if fires.len() < count { schedule.latest_until(Millis::MAX).map(At) } else { None },
        fires,
        clock_changes: schedule.clock_changes(from, CHANGES).into_iter().map(clock_change).collect(),
    }))
}

/// Where in the text what is at fault.
fn problem(text: &str, error: ScheduleError) -> ScheduleProblem {
    let span = error.position.checked_sub(1).map(|from| {
        let length = text.chars().skip(from).take_while(|letter| !letter.is_whitespace()).count();
        (from, from + length.max(1))
    });
    let (from, to) = span.unzip();
    ScheduleProblem {
        field: error.field.to_owned(),
        from: from.and_then(|at| u32::try_from(at).ok()),
        to: to.and_then(|at| u32::try_from(at).ok()),
        message: error.message,
    }
}

fn clock_change(change: planner::ClockChange) -> ClockChange {
    let local = |offset: i32| wall(change.at.div_euclid(1_000) + i64::from(offset));
    let (from, to) = (local(change.before), local(change.after));
    let (day, first) = (from.date(), change.first.map(wall));
    let (from, to) = (from.time().strftime("%H:%M"), to.time().strftime("%H:%M"));
    let forward = change.after > change.before;
    let (what_en, what_zh) = match (change.affected, first, forward) {
        (0, _, _) | (_, None, _) => ("no instant is concerned".to_owned(), "不影响触发".to_owned()),
        (1, Some(first), true) => {
            let time = first.time();
            (format!("{time} does not exist and is no instant"), format!("{time} 不存在，不触发"))
        }
        (count, Some(first), true) => {
            let time = first.time();
            (
                format!("{count} local times from {time} on do not exist and are no instants"),
                format!("自 {time} 起 {count} 个本地时间不存在，不触发"),
            )
        }
        (1, Some(first), false) => {
            let time = first.time();
            (
                format!("{time} comes twice, and fires once, the second time"),
                format!("{time} 出现两次，只在第二次触发"),
            )
        }
        (count, Some(first), false) => {
            let time = first.time();
            (
                format!("{count} local times from {time} on come twice, and fire once each, the second time"),
                format!("自 {time} 起 {count} 个本地时间出现两次，各只在第二次触发"),
            )
        }
    };
    let (moves_en, moves_zh) = if forward { ("forward to", "拨到") } else { ("back to", "拨回") };
    ClockChange {
        at: At(change.at),
        before: offset(change.before),
        after: offset(change.after),
        kind: if forward { "gap" } else { "overlap" }.to_owned(),
        affected: change.affected,
        sentence: Sentence {
            en: format!("on {day} clocks go from {from} {moves_en} {to}: {what_en}"),
            zh: format!("{day} 时钟从 {from} {moves_zh} {to}：{what_zh}"),
        },
    }
}

/// What the wall shows so many seconds of its own after the beginning of 1970.
fn wall(seconds: i64) -> DateTime {
    // Schedules know no years that a calendar does not.
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    TimeZone::UTC.to_datetime(at)
}

fn offset(seconds: i32) -> String {
    Offset::from_seconds(seconds).map_or_else(|_| seconds.to_string(), |offset| offset.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn told(cron: &str, zone: &str) -> Vec<Sentence> {
        // 2027-01-15T08:00:00Z.
        let changes = Schedule::parse(cron, Some(zone)).unwrap().clock_changes(1_800_000_000_000, CHANGES);
        changes.into_iter().map(|change| clock_change(change).sentence).collect()
    }

    #[test]
    fn what_a_change_of_the_clock_does_to_a_schedule_is_a_sentence() {
        let told_berlin = told("0 30 2 * * ?", "Europe/Berlin");
        assert_eq!(
            told_berlin[0].en,
            "on 2027-03-28 clocks go from 02:00 forward to 03:00: 02:30:00 does not exist and is no instant"
        );
        assert_eq!(told_berlin[0].zh, "2027-03-28 时钟从 02:00 拨到 03:00：02:30:00 不存在，不触发");
        assert_eq!(
            told_berlin[1].en,
            "on 2027-10-31 clocks go from 03:00 back to 02:00: 02:30:00 comes twice, and fires once, the second time"
        );
        let many = told("0 0/15 * * * ?", "Europe/Berlin");
        assert!(many[0].en.contains("4 local times from 02:00:00 on do not exist"), "{many:?}");
        assert!(many[1].zh.contains("自 02:00:00 起 4 个本地时间出现两次"), "{many:?}");
        assert!(told("0 0 12 * * ?", "Europe/Berlin")[0].en.ends_with("no instant is concerned"));
        assert!(told("0 30 2 * * ?", "Asia/Shanghai").is_empty());
        assert!(told("@every 30s", "Europe/Berlin").is_empty());
    }

    #[test]
    fn a_mistake_is_told_where_it_stands() {
        let cron = "0 0/75 2 * * ?";
        let error = Schedule::parse(cron, None).unwrap_err();
        let told = problem(cron, error);
        let span = told.from.unwrap() as usize..told.to.unwrap() as usize;
        assert!("0/75".contains(&cron[span.clone()]) && !span.is_empty(), "{told:?}");
        assert_eq!(told.field, "minute");
        let whole = problem("0 0 0", Schedule::parse("0 0 0", None).unwrap_err());
        assert_eq!((whole.from, whole.to), (None, None));
    }
}
