//! What becomes of the instants of an item: policies, tolerance, blocks, and that nothing is lost or told twice.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{Fire, Misfire, Outcome, Reason, Source};
use clockwright_planner::{Blocked, Due, DueInput, RANGE_COUNT_CAP, Schedule, due};
use proptest::prelude::*;

fn every(text: &str) -> Schedule {
    Schedule::parse(&format!("@every {text}"), Some("UTC")).unwrap()
}

/// Instants at each multiple of 10; the cursor is at 100, the tolerance 5.
fn ask(now: i64, blocked_until: i64, blocked_by: Blocked<'_>, misfire: Misfire) -> Due {
    let schedule = every("10ms");
    due(&DueInput {
        schedule: &schedule,
        settled: 100,
        now,
        until: now,
        blocked_until,
        blocked_by,
        misfire,
        tolerance: 5,
    })
}

/// The ranges as (from, to, count, word of the outcome).
fn ranges(due: &Due) -> Vec<(i64, i64, u64, &'static str)> {
    due.settled.iter().map(|range| (range.from, range.to, range.count, range.outcome.word())).collect()
}

#[test]
fn nothing_is_due_before_the_next_instant() {
    let due = ask(109, 0, Blocked::Unowned, Misfire::FireOnce);
    assert_eq!(due, Due { run: None, settled: vec![], next: Some(110) });
}

#[test]
fn an_instant_on_time_runs_by_schedule() {
    for policy in [Misfire::FireOnce, Misfire::Skip, Misfire::FIRE_ALL] {
        let due = ask(112, 0, Blocked::Unowned, policy);
        assert_eq!(due, Due { run: Some((110, Source::Schedule)), settled: vec![], next: Some(120) });
    }
}

#[test]
fn fire_once_lets_the_latest_stand_for_all_that_were_missed() {
    let due = ask(148, 148, Blocked::Busy, Misfire::FireOnce);
    assert_eq!(due.run, Some((140, Source::Misfire)));
    assert_eq!(ranges(&due), [(110, 130, 3, "coalesced")]);
    assert_eq!(due.settled[0].outcome, Outcome::Coalesced { into: Fire::Scheduled(140) });
    assert_eq!(due.next, Some(150));
}

#[test]
fn fire_once_lets_an_instant_on_time_stand_for_the_late_ones() {
    let due = ask(141, 135, Blocked::Busy, Misfire::FireOnce);
    assert_eq!(due.run, Some((140, Source::Schedule)));
    assert_eq!(ranges(&due), [(110, 130, 3, "coalesced")]);
}

#[test]
fn skip_tells_busy_from_unowned_from_too_late() {
    let due = ask(148, 125, Blocked::Busy, Misfire::Skip);
    assert_eq!(due.run, None);
    assert_eq!(ranges(&due), [(110, 120, 2, "skipped"), (130, 140, 2, "missed")]);
    assert_eq!(due.settled[0].outcome.reason(), "the previous run still went on");
    assert_eq!(due.settled[1].outcome.reason(), "late by more than 5 ms");
    let due = ask(142, 130, Blocked::Unowned, Misfire::Skip);
    assert_eq!(due.run, Some((140, Source::Schedule)));
    assert_eq!(due.settled[0].outcome.reason(), "no instance could run it");
}

#[test]
fn fire_all_runs_the_oldest_within_cap_and_window_and_leaves_the_rest_for_later() {
    let due = ask(148, 148, Blocked::Busy, Misfire::FireAll { cap: 3, window: 1000 });
    assert_eq!(due.run, Some((120, Source::Misfire)));
    assert_eq!(ranges(&due), [(110, 110, 1, "missed")]);
    let due = ask(148, 148, Blocked::Busy, Misfire::FireAll { cap: 3, window: 18 });
    assert_eq!(due.run, Some((130, Source::Misfire)));
    assert_eq!(ranges(&due), [(110, 120, 2, "missed")]);
    let due = ask(141, 135, Blocked::Busy, Misfire::FireAll { cap: 0, window: 1000 });
    assert_eq!(due.run, Some((140, Source::Schedule)));
    assert_eq!(ranges(&due), [(110, 130, 3, "missed")]);
}

#[test]
fn what_passed_while_the_item_was_off_is_skipped_under_every_policy() {
    for policy in [Misfire::FireOnce, Misfire::Skip, Misfire::FIRE_ALL] {
        let due = ask(142, 130, Blocked::Off(&Reason::ItemDisabled {}), policy);
        assert_eq!(due.run, Some((140, Source::Schedule)));
        assert_eq!(ranges(&due), [(110, 130, 3, "skipped")]);
        assert_eq!(due.settled[0].outcome.reason(), "the item was disabled");
    }
    let still_off = ask(142, 142, Blocked::Off(&Reason::ItemDisabled {}), Misfire::FIRE_ALL);
    assert_eq!((still_off.run, ranges(&still_off)), (None, vec![(110, 140, 4, "skipped")]));
}

#[test]
fn of_several_instants_on_time_the_oldest_runs_first() {
    let schedule = every("1ms");
    let input = DueInput {
        schedule: &schedule,
        settled: 100,
        now: 104,
        until: 104,
        blocked_until: 0,
        blocked_by: Blocked::Unowned,
        misfire: Misfire::Skip,
        tolerance: 10,
    };
    assert_eq!(due(&input), Due { run: Some((101, Source::Schedule)), settled: vec![], next: Some(105) });
}

#[test]
fn a_clock_that_went_back_makes_nothing_due_again() {
    let due = ask(50, 0, Blocked::Unowned, Misfire::FireOnce);
    assert_eq!(due, Due { run: None, settled: vec![], next: Some(110) });
}

#[test]
fn a_million_missed_instants_are_settled_by_arithmetic() {
    let day = 86_400_000;
    for schedule in [every("1s"), Schedule::parse("* * * * * ?", Some("Europe/Berlin")).unwrap()] {
        for misfire in [Misfire::FireOnce, Misfire::Skip, Misfire::FIRE_ALL] {
            let now = 1_700_000_000_500;
            let due = due(&DueInput {
                schedule: &schedule,
                settled: now - 4_000 * day,
                now,
                until: now,
                blocked_until: now - 1000,
                blocked_by: Blocked::Unowned,
                misfire,
                tolerance: 0,
            });
            assert_eq!(due.settled[0].count, RANGE_COUNT_CAP);
        }
    }
}

fn blocked() -> impl Strategy<Value = Blocked<'static>> {
    prop_oneof![Just(Blocked::Busy), Just(Blocked::Unowned), Just(Blocked::Off(&Reason::ItemDisabled {}))]
}

fn policy() -> impl Strategy<Value = Misfire> {
    prop_oneof![
        Just(Misfire::FireOnce),
        Just(Misfire::Skip),
        (0u32..6, 0i64..120_000).prop_map(|(cap, window)| Misfire::FireAll { cap, window }),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        (1i64..40).prop_map(|seconds| every(&format!("{seconds}s"))),
        Just(Schedule::parse("0/7 * * * * ?", Some("UTC")).unwrap()),
        Just(Schedule::parse("3,4,50 1-2 * * * ?", Some("America/New_York")).unwrap()),
        Just(Schedule::parse("@once 2024-11-03T05:59:00Z", None).unwrap()),
    ]
}

proptest! {
    #[test]
    fn ranges_and_run_hold_each_instant_once_and_asking_again_settles_everything(
        schedule in schedule(),
        start in 1_730_613_000_000i64..1_730_614_000_000,
        length in 0i64..300_000,
        blocked_for in -10_000i64..400_000,
        blocked_by in blocked(),
        misfire in policy(),
        tolerance in 0i64..30_000,
    ) {
        let now = start + length;
        let blocked_until = start + blocked_for;
        let late = |at: i64| at <= blocked_until || at < now - tolerance;
        let mut cursor = start;
        let mut asked = 0;
        let mut caught_up = 0;
        loop {
            let input = DueInput { schedule: &schedule, settled: cursor, now, until: now, blocked_until, blocked_by, misfire, tolerance };
            let due = due(&input);
            prop_assert_eq!(due.next, schedule.next_after(now));
            for range in &due.settled {
                prop_assert_eq!(Some(range.from), schedule.next_after(cursor), "a hole or an overlap");
                prop_assert_eq!(Some(range.to), schedule.latest_until(range.to));
                prop_assert_eq!(range.count, schedule.count(cursor, range.to, u64::MAX));
                prop_assert!(range.to <= now && late(range.to), "only late instants are settled without running");
                if let Outcome::Coalesced { into } = &range.outcome {
                    prop_assert_eq!(Some(into.clone()), due.run.map(|(at, _)| Fire::Scheduled(at)));
                }
                cursor = range.to;
            }
            let Some((at, source)) = due.run else { break };
            prop_assert_eq!(Some(at), schedule.next_after(cursor));
            prop_assert!(at <= now);
            prop_assert_eq!(late(at), source == Source::Misfire);
            prop_assert!(!late(at) || misfire != Misfire::Skip);
            prop_assert!(at > blocked_until || !matches!(blocked_by, Blocked::Off(_)));
            caught_up += u32::from(source == Source::Misfire);
            cursor = at;
            asked += 1;
            prop_assert!(asked < 400);
        }
        prop_assert_eq!(schedule.count(cursor, now, u64::MAX), 0, "everything is settled in the end");
        match misfire {
            Misfire::FireOnce => prop_assert!(caught_up <= 1),
            Misfire::Skip => prop_assert_eq!(caught_up, 0),
            Misfire::FireAll { cap, .. } => prop_assert!(caught_up <= cap),
        }
    }
}
