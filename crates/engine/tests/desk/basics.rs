//! What an instance, and a few together, do when nothing goes wrong.

use super::stage::{Code, Desk, EACH_SECOND, NEVER, job};
use clockwright_model::{FailureKind, JobSettings, Misfire, Outcome, Source};
use clockwright_runtime::RunResult;

#[test]
fn one_instance_fires_every_item_of_every_instant_once() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 4)]);
    let who = desk.start();
    desk.pass(10_500);
    let outcomes = desk.outcomes("a");
    assert_eq!(outcomes.len(), 40);
    assert!(outcomes.iter().all(|settled| settled.outcome == Outcome::Succeeded));
    let status = desk.status(who, "a");
    assert!(status.leader && status.registered);
    assert_eq!(status.items, [0, 1, 2, 3]);
}

#[test]
fn three_instances_share_the_items_and_a_leaving_one_gives_its_items_back() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 6)]);
    let all = [desk.start(), desk.start(), desk.start()];
    desk.pass(500);
    for who in all {
        assert_eq!(desk.owns(who, "a").len(), 2);
    }
    desk.leave(all[2]);
    assert_eq!((desk.owns(all[0], "a").len(), desk.owns(all[1], "a").len()), (3, 3));
    desk.leave(all[1]);
    assert_eq!(desk.owns(all[0], "a").len(), 6);
    desk.pass(10_000);
    assert_eq!(desk.outcomes("a").len(), 60);
}

#[test]
fn a_run_longer_than_its_period_is_made_up_for_once() {
    let mut desk = Desk::new(&[JobSettings { misfire: Misfire::FireOnce, ..job("a", EACH_SECOND, 1) }]);
    desk.code("a", Code::Succeeds(2_500));
    desk.start();
    desk.pass(6_500);
    let ran = desk.ran("a");
    assert_eq!((ran[0].source, ran[1].source), (Source::Schedule, Source::Misfire));
    let into = Outcome::Coalesced { into: ran[1].fire.clone() };
    assert!(desk.outcomes("a").iter().any(|settled| settled.outcome == into), "{:?}", desk.outcomes("a"));
}

#[test]
fn more_items_are_shared_out_and_fewer_leave_nothing_behind() {
    let mut desk = Desk::new(&[job("a", EACH_SECOND, 3)]);
    let who = desk.start();
    desk.pass(500);
    desk.edit("a", |settings| settings.sharding_total_count = 5);
    assert_eq!(desk.owns(who, "a").len(), 5);
    desk.pass(1_500);
    assert!(desk.ran("a").iter().any(|run| run.item == 4));
    desk.edit("a", |settings| settings.sharding_total_count = 2);
    assert_eq!(desk.owns(who, "a").len(), 2);
    desk.pass(3_000);
    let left = (0..5).filter(|item| desk.text("a", &clockwright_fleet::keys::Key::Item(*item)).is_some());
    assert_eq!(left.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn deleting_an_instance_node_shuts_the_job_down_there_and_nowhere_else() {
    let mut desk = Desk::new(&[job("a", NEVER, 2)]);
    let (first, second) = (desk.start(), desk.start());
    desk.pass(500);
    let id = desk.id(first);
    desk.shut_down("a", &id);
    desk.pass(500);
    assert_eq!(desk.owns(second, "a"), [0, 1]);
    assert!(!desk.status(first, "a").registered);
}

#[test]
fn a_firing_is_whole_when_all_items_of_the_instance_begin_their_first_attempt_at_one_fire() {
    let retry = clockwright_model::Retry { max_attempts: 2, backoff: 1_000, max_backoff: 1_000 };
    let mut desk = Desk::new(&[JobSettings { retry, ..job("a", NEVER, 4) }]);
    desk.code("a", Code::Waits);
    for _ in 0..2 {
        desk.start();
    }
    desk.pass(500);
    desk.trigger("a");
    let first = desk.running("a");
    assert!(first.len() == 4 && first.iter().all(|run| run.whole));
    // The next fire finds one item busy; the others come by themselves, and so does that one.
    for run in &first[1..] {
        desk.end(run, RunResult::Succeeded);
    }
    desk.trigger("a");
    let of = |desk: &Desk, who| -> Vec<bool> {
        desk.running("a")
            .iter()
            .filter(|run| run.who == who && run.fire != first[0].fire)
            .map(|run| run.whole)
            .collect()
    };
    let (busy, free) = (first[0].who, first.iter().find(|run| run.who != first[0].who).unwrap().who);
    assert_eq!((of(&desk, busy), of(&desk, free)), (vec![false], vec![true, true]));
    desk.end(&first[0], RunResult::Failed { kind: FailureKind::Job, reason: "no luck".into() });
    desk.pass(1_000);
    let again = desk.running("a").into_iter().find(|run| run.attempt == 2).unwrap();
    assert!(!again.whole, "a retry");
}
