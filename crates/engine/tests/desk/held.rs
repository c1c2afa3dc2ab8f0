//! Cursors that are deleted, spoilt or set back, and registries that lost what they had: nothing is decided twice, nothing is lost
//! without a word, and whoever operates says from where it goes on.

use super::stage::{Code, Desk, EACH_SECOND, NEVER, SESSION, Who, job};
use clockwright_engine::core::OnRegistryLoss;
use clockwright_fleet::admin::From;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_model::{Fire, Item, JobSettings, Millis, Misfire, Outcome};
use clockwright_registry::Op;
use clockwright_testkit::sim::EPOCH;

/// Longer than everybody has to come back.
pub(super) const GATHERED: Millis = SESSION + 3_000;

/// Whether a run is claimed by this.
fn is_claim(op: &Op) -> bool {
    let (Op::Create { path, data, .. } | Op::Set { path, data, .. }) = op else { return false };
    path.name() == "cursor" && Cursor::from_bytes(data).is_ok_and(|cursor| cursor.running().is_some())
}

pub(super) fn now(desk: &Desk) -> Millis {
    EPOCH + desk.now
}

/// Starts of an item since a time of the desk.
pub(super) fn runs(desk: &Desk, item: Item, since: Millis) -> usize {
    desk.ran("a").iter().filter(|run| run.item == item && run.from > since).count()
}

/// What became of each second of an item from one time of the desk to another; panics where one has no outcome, or two.
#[track_caller]
pub(super) fn seconds(desk: &Desk, item: Item, from: Millis, to: Millis) -> Vec<Outcome> {
    let outcomes = desk.outcomes("a");
    let holds = |at: Millis| {
        let mut found = outcomes.iter().filter(|found| found.item == item).filter(|found| {
            let Fire::Scheduled(last) = found.fire else { return false };
            found.range.map_or(last, |(first, _)| first) <= at && at <= last
        });
        let first = found.next().unwrap_or_else(|| {
            panic!("item {item} has no outcome at {}\n{}\n{outcomes:#?}", at - EPOCH, desk.told())
        });
        let second = found.next();
        assert!(second.is_none(), "item {item} has two outcomes at {}: {first:?} and {second:?}", at - EPOCH);
        first.outcome.clone()
    };
    (from / 1_000 + 1..=to / 1_000).map(|second| holds(EPOCH + second * 1_000)).collect()
}

pub(super) fn reasons(outcomes: &[Outcome]) -> Vec<&str> {
    let mut codes: Vec<&str> = outcomes.iter().filter_map(|outcome| Some(outcome.why()?.code())).collect();
    codes.dedup();
    codes
}

/// Instances of a job that fires each second, once they do.
pub(super) fn firing(jobs: &[JobSettings], count: usize) -> (Desk, Vec<Who>) {
    let mut desk = Desk::new(jobs);
    let who = (0..count).map(|_| desk.start()).collect();
    desk.pass(5_500);
    (desk, who)
}

#[test]
fn an_item_whose_cursor_cannot_be_read_is_held_until_an_operator_says_from_where() {
    let (mut desk, who) = firing(&[job("a", EACH_SECOND, 2)], 1);
    desk.write("a", &Key::Cursor(0), "oops");
    let since = desk.now;
    desk.pass(5_000);
    assert_eq!((runs(&desk, 0, since), runs(&desk, 1, since)), (0, 5));
    assert_eq!(desk.text("a", &Key::Cursor(0)).unwrap(), "oops", "it is what an operator wants to look at");
    assert_eq!(desk.told().matches("item 0 is held").count(), 1, "{}", desk.told());
    assert!(desk.told().contains("cursor_unreadable") && desk.told().contains("shard resume a 0"));
    let status = desk.status(who[0], "a");
    assert!(status.degraded.is_some_and(|why| why.contains("item 0")), "the job is degraded");
    desk.resume_item("a", 0, From::Instant(now(&desk)));
    let resumed = desk.now;
    desk.pass(GATHERED);
    assert!(runs(&desk, 0, resumed) > 0, "{}", desk.told());
    assert_eq!(desk.status(who[0], "a").degraded, None);
    let became = seconds(&desk, 0, 1_000, desk.now - 1_500);
    assert_eq!(reasons(&became), ["cursor_unreadable"], "{became:?}");
}

#[test]
fn an_item_whose_cursor_was_deleted_is_held_also_by_its_next_owner() {
    let (mut desk, who) = firing(&[job("a", EACH_SECOND, 4)], 2);
    let item = desk.owns(who[0], "a")[0];
    desk.delete("a", &Key::Cursor(item));
    let since = desk.now;
    desk.pass(2_000);
    assert!(desk.cursor("a", item).unwrap().held.is_some(), "it is written down");
    desk.leave(who[0]);
    desk.pass(1_000);
    let third = desk.start();
    desk.leave(who[1]);
    desk.pass(5_000);
    assert_eq!(runs(&desk, item, since), 0, "{}", desk.told());
    assert!(desk.owns(third, "a").contains(&item));
    desk.resume_item("a", item, From::Instant(now(&desk)));
    desk.pass(GATHERED);
    let became = seconds(&desk, item, 1_000, desk.now - 1_500);
    assert!(reasons(&became).contains(&"cursor_gone"), "{became:?}");
    assert_eq!(became.last(), Some(&Outcome::Succeeded));
}

#[test]
fn an_item_goes_on_from_the_last_known_instant_if_the_operator_says_so() {
    let fire_all = Misfire::FireAll { cap: 100, window: 60_000 };
    let (mut desk, _) = firing(&[JobSettings { misfire: fire_all, ..job("a", EACH_SECOND, 1) }], 1);
    desk.delete("a", &Key::Cursor(0));
    desk.pass(4_000);
    desk.resume_item("a", 0, From::Last);
    desk.pass(2 * GATHERED);
    let became = seconds(&desk, 0, 1_000, desk.now - 1_500);
    assert!(became.iter().all(|outcome| *outcome == Outcome::Succeeded), "{became:?}");
}

#[test]
fn an_item_whose_cursor_was_set_back_is_held() {
    let (mut desk, _) = firing(&[job("a", EACH_SECOND, 1)], 1);
    let old = desk.text("a", &Key::Cursor(0)).unwrap();
    desk.pass(5_000);
    desk.write("a", &Key::Cursor(0), &old);
    let since = desk.now;
    desk.pass(3_000);
    assert_eq!(runs(&desk, 0, since), 0);
    assert!(desk.told().contains("cursor_went_back"), "{}", desk.told());
    desk.resume_item("a", 0, From::Instant(now(&desk)));
    desk.pass(GATHERED);
    seconds(&desk, 0, 1_000, desk.now - 1_500);
}

#[test]
fn a_trigger_of_a_held_item_is_skipped_with_the_reason() {
    for spoilt in [false, true] {
        let (mut desk, _) = firing(&[job("a", NEVER, 1)], 1);
        if spoilt {
            desk.write("a", &Key::Cursor(0), "{");
        } else {
            desk.delete("a", &Key::Cursor(0));
        }
        desk.pass(61_000);
        desk.trigger("a");
        desk.pass(1_000);
        desk.resume_item("a", 0, From::Instant(now(&desk)));
        desk.pass(GATHERED);
        assert_eq!(desk.ran("a").len(), 0, "nothing is fired later by surprise");
        let outcomes = desk.outcomes("a");
        let code = outcomes[0].outcome.why().map(clockwright_model::Reason::code);
        assert_eq!(code, Some(if spoilt { "cursor_unreadable" } else { "cursor_gone" }));
    }
}

#[test]
fn a_run_that_goes_on_while_its_cursor_is_deleted_has_its_outcome() {
    let (mut desk, _) = firing(&[job("a", NEVER, 1)], 1);
    desk.code("a", Code::Waits);
    desk.trigger("a");
    desk.delete("a", &Key::Cursor(0));
    desk.pass(1_000);
    desk.end_all("a");
    desk.pass(1_000);
    assert_eq!(desk.outcomes("a")[0].outcome, Outcome::Succeeded);
    assert!(desk.cursor("a", 0).unwrap().held.is_some());
    assert_eq!(desk.text("a", &Key::Running(0)), None, "whoever gets the item would wait for its mark");
}

#[test]
fn what_a_registry_lost_is_known_to_those_who_live_and_no_instant_is_lost_or_decided_twice() {
    for backup_of in [None, Some(4_000)] {
        let (mut desk, who) = firing(&[job("a", EACH_SECOND, 4)], 2);
        desk.pass(4_000);
        let mut backup = desk.backup();
        desk.pass(backup_of.unwrap_or_default());
        if backup_of.is_none() {
            backup.clear();
        }
        desk.cut(who[0]);
        desk.cut(who[1]);
        desk.pass(3_000);
        desk.lose_registry(backup);
        // One of the two is back long before the other, and plans what the other one had.
        desk.mend(who[0]);
        desk.pass(2_000);
        desk.mend(who[1]);
        desk.pass(3 * GATHERED);
        for item in 0..4 {
            let became = seconds(&desk, item, 1_000, desk.now - 1_500);
            assert!(reasons(&became).contains(&"registry_lost"), "{backup_of:?} {became:?}");
            assert_eq!(became.last(), Some(&Outcome::Succeeded), "{backup_of:?}: it goes on");
        }
        let mut fires: Vec<(Item, Fire)> =
            desk.ran("a").iter().map(|run| (run.item, run.fire.clone())).collect();
        let all = fires.len();
        fires.sort_by_key(|(item, fire)| (*item, fire.time()));
        fires.dedup();
        assert_eq!(fires.len(), all, "{backup_of:?}: nothing ran twice");
    }
}

#[test]
fn a_run_that_goes_on_while_the_registry_loses_what_it_had_has_its_outcome() {
    let mut settings = job("a", NEVER, 2);
    settings.exclusive = clockwright_model::Exclusive::BestEffort;
    let (mut desk, _) = firing(&[settings], 2);
    desk.code("a", Code::Waits);
    desk.trigger("a");
    assert_eq!(desk.running("a").len(), 2);
    desk.lose_registry(Default::default());
    desk.pass(2_000);
    desk.end_all("a");
    desk.pass(2 * GATHERED);
    let outcomes = desk.outcomes("a");
    assert_eq!(outcomes.len(), 2, "{outcomes:#?}\n{}", desk.told());
    assert!(
        outcomes.iter().all(|outcome| outcome.outcome == Outcome::Succeeded),
        "{outcomes:#?}\n{}",
        desk.told()
    );
}

#[test]
fn items_are_held_when_the_registry_lost_what_it_had_if_that_is_the_policy() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 2)]);
    desk.on_registry_loss = OnRegistryLoss::Hold;
    desk.start();
    desk.pass(5_500);
    desk.lose_registry(Default::default());
    let since = desk.now;
    desk.pass(60_000);
    assert_eq!((runs(&desk, 0, since), runs(&desk, 1, since)), (0, 0));
    assert_eq!(desk.told().matches("held").count(), 1, "one line for all items:\n{}", desk.told());
    for item in 0..2 {
        desk.resume_item("a", item, From::Instant(now(&desk)));
    }
    desk.pass(5_000);
    for item in 0..2 {
        assert_eq!(reasons(&seconds(&desk, item, 1_000, desk.now - 1_500)), ["registry_lost"]);
    }
    assert!(runs(&desk, 0, since) > 0);
}

#[test]
fn new_items_and_items_of_java_are_not_held() {
    let (mut desk, who) = firing(&[job("a", EACH_SECOND, 2)], 1);
    desk.edit("a", |settings| settings.sharding_total_count = 1);
    desk.pass(3_000);
    desk.edit("a", |settings| settings.sharding_total_count = 3);
    desk.pass(3_000);
    let java = desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass(20_000);
    desk.java_dies(java);
    desk.pass_until(10_000, "all is ours again", |desk| desk.owns(who[0], "a").len() == 3);
    let since = desk.now;
    desk.pass(5_000);
    for item in 0..3 {
        assert!(runs(&desk, item, since) >= 3, "{}", desk.told());
    }
    assert!(!desk.told().contains("held"), "{}", desk.told());
}

#[test]
fn a_job_that_was_deleted_by_hand_comes_back_and_says_so() {
    for slowly in [false, true] {
        let (mut desk, who) = firing(&[job("a", EACH_SECOND, 2)], 2);
        if slowly {
            desk.delete("a", &Key::Instance(desk.id(who[0])));
            desk.pass(100);
        }
        desk.delete_job("a");
        desk.pass(5_000);
        let since = desk.now;
        desk.pass(2 * GATHERED);
        assert!(desk.told().contains("its nodes were deleted"), "{}", desk.told());
        for item in 0..2 {
            assert!(runs(&desk, item, since) > 5, "{slowly}\n{}", desk.told());
            seconds(&desk, item, 1_000, desk.now - 1_500);
        }
        for who in who {
            assert!(desk.status(who, "a").registered, "{}", desk.told());
        }
    }
}

#[test]
fn nobody_marks_items_again_and_again_whose_job_is_deleted_while_they_run() {
    for at in [2_000, 2_050, 2_150] {
        let (mut desk, _) = firing(&[job("a", EACH_SECOND, 2)], 1);
        desk.code("a", Code::Succeeds(1_500));
        desk.pass(at);
        assert_eq!(desk.running("a").len(), 2);
        desk.delete_job("a");
        desk.pass(5_000);
        assert!(desk.told().contains("its nodes were deleted"), "{}", desk.told());
    }
}

#[test]
fn a_fire_whose_owners_die_is_given_up_after_five_attempts() {
    let mut desk = Desk::new(&[JobSettings { failover: true, ..job("a", NEVER, 1) }]);
    desk.code("a", Code::Waits);
    for _ in 0..3 {
        desk.start();
    }
    desk.pass(1_000);
    desk.trigger("a");
    while let Some(run) = desk.running("a").first().cloned() {
        assert!(run.attempt <= 5, "{run:?}");
        desk.kill(run.who);
        desk.start();
        desk.pass(3 * SESSION);
    }
    assert_eq!(desk.ran("a").len(), 5);
    assert!(matches!(desk.outcomes("a")[0].outcome, Outcome::Failed { .. }), "{:?}", desk.outcomes("a"));
}

#[test]
fn a_fire_whose_claims_are_never_answered_is_given_up_after_five_attempts() {
    for failover in [true, false] {
        let mut desk = Desk::new(&[JobSettings { failover, ..job("a", NEVER, 1) }]);
        desk.start();
        desk.pass(1_000);
        desk.lose_answers(|ops| ops.iter().any(is_claim));
        desk.trigger("a");
        desk.pass(1_000);
        desk.allow();
        desk.pass(5_000);
        let attempt = desk.cursor("a", 0).unwrap().run.unwrap().attempt;
        assert_eq!(attempt, 5, "{failover}\n{}", desk.told());
        assert!(matches!(desk.outcomes("a")[0].outcome, Outcome::Failed { .. }), "{:?}", desk.outcomes("a"));
    }
}
