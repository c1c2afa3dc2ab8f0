//! What schedules read, refuse and answer.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_planner::Schedule;
use jiff::Timestamp;
use proptest::prelude::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn next(text: &str, zone: &str, after: &str) -> Option<String> {
    let schedule = Schedule::parse(text, Some(zone)).unwrap();
    schedule.next_after(at(after)).map(|next| Timestamp::from_millisecond(next).unwrap().to_string())
}

#[test]
fn a_local_time_in_the_spring_gap_is_left_out() {
    assert_eq!(
        next("0 30 2 * * ?", "America/New_York", "2024-03-09T12:00:00Z").as_deref(),
        Some("2024-03-11T06:30:00Z")
    );
}

#[test]
fn a_local_time_that_autumn_has_twice_counts_at_its_second_occurrence() {
    let first = next("0 30 1 * * ?", "America/New_York", "2024-11-02T12:00:00Z");
    assert_eq!(first.as_deref(), Some("2024-11-03T06:30:00Z"));
    assert_eq!(
        next("0 30 1 * * ?", "America/New_York", "2024-11-03T06:30:00Z").as_deref(),
        Some("2024-11-04T06:30:00Z")
    );
}

#[test]
fn a_date_that_never_comes_is_an_answer() {
    assert_eq!(next("0 0 0 30 2 ?", "UTC", "2024-01-01T00:00:00Z"), None);
    assert_eq!(next("0 0 0 1 1 ? 2020", "UTC", "2024-01-01T00:00:00Z"), None);
    assert_eq!(next("0 0 0 29 2 ?", "UTC", "2024-02-29T00:00:00Z").as_deref(), Some("2028-02-29T00:00:00Z"));
}

#[test]
fn an_interval_is_the_same_instants_for_everybody() {
    let schedule = Schedule::parse("@every 1m30s", None).unwrap();
    assert_eq!(schedule.next_after(0), Some(90_000));
    assert_eq!(schedule.next_after(89_999), Some(90_000));
    assert_eq!(schedule.next_after(90_000), Some(180_000));
    assert_eq!(schedule.latest_until(179_999), Some(90_000));
    assert_eq!(schedule.latest_until(-1), Some(-90_000));
    assert_eq!(schedule.count(0, 900_000, u64::MAX), 10);
    assert_eq!(schedule.count(0, 900_000, 3), 3);
    assert_eq!(schedule.next_after(i64::MAX), None);
    assert_eq!(schedule.latest_until(i64::MIN), None);
    assert_eq!(schedule.count(i64::MIN, i64::MAX, 7), 7);
}

#[test]
fn one_instant_comes_once() {
    let schedule = Schedule::parse("@once 2026-01-01T08:00:00+08:00", None).unwrap();
    let instant = at("2026-01-01T00:00:00Z");
    assert_eq!((schedule.next_after(instant - 1), schedule.next_after(instant)), (Some(instant), None));
    assert_eq!((schedule.latest_until(instant - 1), schedule.latest_until(instant)), (None, Some(instant)));
}

#[test]
fn javas_offsets_are_zones_too() {
    for (zone, next_at) in [
        ("GMT+8", "2024-01-01T16:00:00Z"),
        ("GMT+08:00", "2024-01-01T16:00:00Z"),
        ("GMT-0330", "2024-01-01T03:30:00Z"),
    ] {
        assert_eq!(next("0 0 0 * * ?", zone, "2024-01-01T00:00:00Z").as_deref(), Some(next_at), "{zone}");
    }
}

#[test]
fn unix_cron_counts_weekdays_from_0_and_takes_either_of_two_day_fields() {
    let next_unix = |text: &str, after: &str| {
        let schedule = Schedule::parse_unix(text, Some("UTC")).unwrap();
        Timestamp::from_millisecond(schedule.next_after(at(after)).unwrap()).unwrap().to_string()
    };
    // 2024-01-01 was a Monday.
    assert_eq!(next_unix("*/5 * * * *", "2024-01-01T00:00:00Z"), "2024-01-01T00:05:00Z");
    assert_eq!(next_unix("0 0 * * 0", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
    assert_eq!(next_unix("0 0 * * 7", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
    assert_eq!(next_unix("0 0 * * SUN", "2024-01-01T00:00:00Z"), "2024-01-07T00:00:00Z");
    assert_eq!(next_unix("0 0 5 * FRI-SAT", "2024-01-01T00:00:00Z"), "2024-01-05T00:00:00Z");
    assert_eq!(next_unix("0 0 3 * 5", "2024-01-01T00:00:00Z"), "2024-01-03T00:00:00Z");
    assert_eq!(next_unix("0 0 3 * 5", "2024-01-03T00:00:00Z"), "2024-01-05T00:00:00Z");
    assert!(Schedule::parse("*/5 * * * *", None).unwrap_err().to_string().contains("Unix"));
    assert!(Schedule::parse_unix("0 0/5 * * * ?", None).is_err());
}

#[test]
fn no_schedule_has_no_instants() {
    let never = Schedule::parse(" ", Some("UTC")).unwrap();
    assert_eq!(
        (never.next_after(0), never.latest_until(i64::MAX), never.count(0, i64::MAX, 9)),
        (None, None, 0)
    );
    assert_eq!(Schedule::parse("", Some("Asia/Shanghia")).unwrap_err().field, "time zone");
}

#[test]
fn an_error_names_the_field_the_piece_and_what_would_be_right() {
    for (text, field, position, parts) in [
        ("0 61 * * * ?", "minute", 3, &["`61`", "0 to 59"][..]),
        ("0 0 0 * JAN,FOO ?", "month", 13, &["`FOO`", "JAN to DEC"]),
        ("0 0 0 1 * 2", "day of week", 11, &["both", "put `?`"]),
        ("0 0 0 ? * ?", "day of week", 11, &["so is the day of month"]),
        ("0 0 0 1,L * ?", "day of month", 7, &["`1,L`", "list"]),
        ("0 0 0 ? * 6#6", "day of week", 11, &["1 to 5"]),
        ("0 0 0 1 1 ? 2030-2020", "year", 13, &["ends before it starts"]),
        ("0 */0 * * * ?", "minute", 5, &["never moves on"]),
        ("0 */61 * * * ?", "minute", 5, &["`61`", "at most 59"]),
        ("0 1,,2 * * * ?", "minute", 5, &["comma"]),
        ("0 0 0 ? * MON-6", "day of week", 11, &["mixes"]),
        ("* * *", "cron", 0, &["found 3", "second minute hour"]),
        ("0 é * * * ?", "minute", 3, &["`é`"]),
        ("@every 5", "@every", 0, &["`5`", "30s"]),
        ("@every 0s", "@every", 0, &["no time at all"]),
        ("@every 30m1h", "@every", 0, &["wrong order"]),
        ("@every 999999999d", "@every", 0, &["at most"]),
        ("@once tomorrow", "@once", 0, &["`tomorrow`", "RFC 3339"]),
        ("@daily", "schedule", 1, &["@daily"]),
    ] {
        let error = Schedule::parse(text, Some("UTC")).unwrap_err();
        assert_eq!((error.field, error.position), (field, position), "{text}: {error}");
        let said = error.to_string();
        assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
    }
    let error = Schedule::parse("0 0 0 * * ?", Some("Asia/Shanghia")).unwrap_err();
    assert_eq!(error.field, "time zone");
    assert!(error.to_string().contains("`Asia/Shanghai`"), "{error}");
    assert!(Schedule::parse(&"*".repeat(10_000_000), None).unwrap_err().to_string().contains("1024"));
}

fn cron() -> impl Strategy<Value = String> {
    let time = |high: u32| {
        prop_oneof![
            Just("*".to_owned()),
            (0..high).prop_map(|a| a.to_string()),
            (0..high, 0..high).prop_map(|(a, b)| format!("{a}-{b}")),
            (0..high, 1..high).prop_map(|(a, b)| format!("{a}/{b}")),
        ]
    };
    let days = prop_oneof![
        Just("* * ?"),
        Just("L * ?"),
        Just("LW * ?"),
        Just("31W * ?"),
        Just("L-3W 2,11 ?"),
        Just("29 2 ?"),
        Just("25-5/3 * ?"),
        Just("? * SUN#1"),
        Just("? 3,10 1L"),
        Just("? * FRI-MON"),
        Just("30 2 ?"),
        Just("1-15 3,11 ? 2024/2"),
    ];
    (time(60), time(60), time(24), days)
        .prop_map(|(second, minute, hour, days)| format!("{second} {minute} {hour} {days}"))
}

proptest! {
    #[test]
    fn next_latest_and_count_tell_of_one_set_of_instants(
        text in cron(),
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"]),
        near in prop::sample::select(vec![1_325_239_200_000i64, 1_710_054_000_000, 1_730_613_600_000, 1_712_412_000_000, 1_600_000_000_000, 0]),
        ahead in -200_000_000i64..200_000_000,
    ) {
        let schedule = Schedule::parse(&text, Some(zone)).unwrap();
        let after = near + ahead;
        let mut at = after;
        for walked in 1..=30 {
            let Some(next) = schedule.next_after(at) else {
                prop_assert_eq!(schedule.count(at, i64::MAX, u64::MAX), 0);
                break;
            };
            prop_assert!(next > at);
            prop_assert_eq!(schedule.latest_until(next), Some(next));
            prop_assert_eq!(schedule.next_after(next - 1), Some(next), "the same answer from just before");
            let before = schedule.latest_until(next - 1);
            prop_assert!(before.is_none_or(|before| before <= at), "{before:?} lies between {at} and {next}");
            prop_assert_eq!(schedule.count(after, next, u64::MAX), walked);
            prop_assert_eq!(schedule.count(after, next - 1, u64::MAX), walked - 1);
            at = next;
        }
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in "[-0-9A-Z*?/,#@ ]{0,30}|.{0,30}|([0-9*?/,L#W-]{1,5} ){6}", at in any::<i64>()) {
        let read = [Schedule::parse(&text, Some("UTC")), Schedule::parse_unix(&text, Some("Europe/Berlin"))];
        for schedule in read.into_iter().flatten() {
            let next = schedule.next_after(at);
            prop_assert!(next.is_none_or(|next| next > at));
            prop_assert!(schedule.latest_until(at).is_none_or(|latest| latest <= at));
            prop_assert!(schedule.count(at, i64::MAX, 10) <= 10);
        }
    }
}
