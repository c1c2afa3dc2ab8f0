//! Due instants without an outcome, against a walk over every instant.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::OutcomeKind;
use clockwright_planner::Schedule;
use clockwright_planner::ledger::{Balance, Gap, Unsettled, unsettled};

const SECOND: i64 = 1_000;

fn each_second() -> Schedule {
    Schedule::parse("* * * * * ?", Some("UTC")).unwrap()
}

fn gap(from: i64, to: i64, count: u64) -> Unsettled {
    Unsettled { from: from * SECOND, to: to * SECOND, count }
}

#[test]
fn without_outcomes_all_instants_are_one_entry() {
    assert_eq!(unsettled(&each_second(), 0, 10 * SECOND, []), [gap(0, 9, 10)]);
    assert_eq!(unsettled(&each_second(), 500, 10 * SECOND + 1, []), [gap(1, 10, 10)]);
    assert_eq!(unsettled(&each_second(), 10 * SECOND, 10 * SECOND, []), []);
    assert_eq!(unsettled(&each_second(), 10 * SECOND, 0, []), []);
}

#[test]
fn what_outcomes_cover_is_left_out_and_splits_the_rest() {
    let settled = [(5 * SECOND, 6 * SECOND), (2 * SECOND, 2 * SECOND)];
    assert_eq!(unsettled(&each_second(), 0, 9 * SECOND, settled), [gap(0, 1, 2), gap(3, 4, 2), gap(7, 8, 2)]);
}

#[test]
fn ranges_may_reach_over_both_ends_and_over_each_other() {
    let settled =
        [(-9 * SECOND, 2 * SECOND), (0, SECOND), (8 * SECOND, 90 * SECOND), (7 * SECOND, 8 * SECOND)];
    assert_eq!(unsettled(&each_second(), 0, 10 * SECOND, settled), [gap(3, 6, 4)]);
    assert_eq!(unsettled(&each_second(), 0, 10 * SECOND, [(-9 * SECOND, 90 * SECOND)]), []);
}

#[test]
fn an_outcome_of_an_instant_that_the_schedule_does_not_name_covers_nothing_else() {
    // As after an edit of the schedule.
    assert_eq!(unsettled(&each_second(), 0, 4 * SECOND, [(1_500, 1_500)]), [gap(0, 1, 2), gap(2, 3, 2)]);
}

#[test]
fn each_instant_is_covered_or_listed_whatever_the_ranges() {
    for (text, step) in
        [("0/7 * * * * ?", 1), ("@every 3s", 5), ("0 0 0 1 1 ? 2099", 11), ("@once 1970-01-01T00:01:00Z", 3)]
    {
        let schedule = Schedule::parse(text, Some("UTC")).unwrap();
        for seed in 0..200i64 {
            let pick = |n: i64| (seed * 7_919 + n * step * 104_729) % 120 * SECOND;
            let ranges: Vec<_> = (0..seed % 6)
                .map(|n| (pick(2 * n).min(pick(2 * n + 1)), pick(2 * n).max(pick(2 * n + 1))))
                .collect();
            let (from, to) = (pick(90).min(pick(91)), pick(90).max(pick(91)));
            let found = unsettled(&schedule, from, to, ranges.clone());
            let mut at = from - 1;
            let mut open = 0;
            while let Some(next) = schedule.next_after(at).filter(|next| *next < to) {
                let covered = ranges.iter().any(|(a, b)| (*a..=*b).contains(&next));
                let listed = found.iter().filter(|gap| (gap.from..=gap.to).contains(&next)).count();
                assert_eq!(listed, usize::from(!covered), "{text} {seed}: {next} {ranges:?} {found:?}");
                open += u64::from(!covered);
                at = next;
            }
            assert_eq!(found.iter().map(|gap| gap.count).sum::<u64>(), open);
        }
    }
}

#[test]
fn a_gap_before_the_record_begins_is_told_from_one_inside_it() {
    assert_eq!(Gap::of(5, None), Gap::NoRecord);
    assert_eq!(Gap::of(5, Some(6)), Gap::BeforeRecord);
    assert_eq!([Gap::of(6, Some(6)), Gap::of(7, Some(6))], [Gap::Open; 2]);
}

#[test]
fn what_was_due_is_the_sum_of_what_became_of_it_and_of_nothing_that_may_not_have_been_due() {
    let mut balance = Balance::default();
    for (count, outcome) in (1..).zip(OutcomeKind::ALL) {
        balance.settled(outcome, count);
    }
    let open = [Gap::Running, Gap::Due, Gap::Open, Gap::NoRecord];
    let not_due = [Gap::BeforeRecord, Gap::BeforeChange, Gap::Peers];
    for gap in open.into_iter().chain(not_due) {
        balance.open(gap, 10);
        assert_eq!(Gap::parse(gap.word()), Some(gap));
    }
    assert_eq!((balance.running, balance.unaccounted), (20, 20));
    assert_eq!(balance.due(), 1 + 2 + 3 + 4 + 5 + 6 + 40);
    balance.open(Gap::Open, u64::MAX);
    assert_eq!((balance.unaccounted, balance.due()), (u64::MAX, u64::MAX));
}
