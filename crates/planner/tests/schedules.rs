//! What schedules read, refuse and answer.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_planner::Schedule;
use jiff::Timestamp;

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
