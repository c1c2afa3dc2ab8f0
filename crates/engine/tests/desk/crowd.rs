//! Instances that come together: a few plans for all of them, and none that anybody has to wait for.

use super::stage::{Code, Desk, NEVER, Who, job};
use clockwright_fleet::keys::Key;
use clockwright_model::{JobName, JobSettings, Retry};

/// How many plans a job has had.
fn plans(desk: &Desk) -> i32 {
    let epoch = desk.keys.of(&JobName::new("a").unwrap(), &Key::Epoch);
    desk.registry.node(&epoch).unwrap().stat.version
}

/// So many instances, which come every 50 ms.
fn crowd(desk: &mut Desk, count: usize) -> Vec<Who> {
    let come = |_| {
        let who = desk.start();
        desk.pass(50);
        who
    };
    (0..count).map(come).collect()
}

fn shares(desk: &Desk, all: &[Who]) -> Vec<usize> {
    all.iter().map(|who| desk.owns(*who, "a").len()).collect()
}

#[test]
fn instances_that_come_together_are_planned_for_a_few_times() {
    let mut desk = Desk::new(&[job("a", NEVER, 80)]);
    let all = crowd(&mut desk, 40);
    desk.pass(40 * 50);
    assert!(plans(&desk) <= 10, "{} plans", plans(&desk));
    assert_eq!(shares(&desk, &all), [2; 40], "and in the end for all of them");
}

#[test]
fn what_a_crowd_hears_of_itself_stays_within_bounds() {
    let (mut desk, count, mut seen) = (Desk::new(&[job("a", NEVER, 10)]), 60, 0);
    // Everybody who is there hears of each change below the namespace.
    let mut heard = |desk: &Desk, there: usize| {
        let inner = desk.registry.lock();
        let changes = inner.leader.log[seen..].iter().flat_map(|txn| &txn.changes);
        seen = inner.leader.log.len();
        there * changes.filter(|change| change.path.below(desk.keys.root()).is_some()).count()
    };
    let mut events = 0;
    for there in 1..=count {
        desk.start();
        desk.pass(66);
        events += heard(&desk, there);
    }
    desk.pass(10_000);
    events += heard(&desk, count);
    // An instance and a server each, and few plans.
    assert!(events <= count * count * 3 / 2, "{:.2} × instances²", events as f64 / (count * count) as f64);
    desk.leave(Who(0));
    desk.pass(5_000);
    let events = heard(&desk, count - 1);
    assert!(events <= count * 8, "{} × instances when the leader goes", events / count);
}

#[test]
fn an_instance_that_comes_by_itself_gets_its_share_at_once() {
    let mut desk = Desk::new(&[job("a", NEVER, 80)]);
    let all = crowd(&mut desk, 7);
    desk.pass(1_000);
    let alone = desk.start();
    assert_eq!(desk.owns(alone, "a").len(), 10);
    // Two more, one hard after the other: they wait together, as long as so many make them wait.
    let (ninth, tenth) = (desk.start(), desk.start());
    assert_eq!(shares(&desk, &[ninth, tenth]), [0, 0]);
    desk.pass(10 * 50);
    assert_eq!(shares(&desk, &[all[0], ninth, tenth]), [8; 3]);
}

#[test]
fn items_whose_owner_goes_wait_for_nobody_who_comes() {
    let mut desk = Desk::new(&[job("a", NEVER, 80)]);
    let mut all = crowd(&mut desk, 20);
    let newcomer = desk.start();
    let gone = all.remove(5);
    let mut left = desk.owns(gone, "a");
    assert!(!left.is_empty());
    desk.leave(gone);
    all.push(newcomer);
    left.retain(|item| !all.iter().any(|who| desk.owns(*who, "a").contains(item)));
    assert!(left.is_empty(), "each has another owner at once: {left:?}");
    assert_eq!(shares(&desk, &all), [4; 20], "and who came meanwhile is among them");
}

#[test]
fn a_host_that_is_disabled_and_items_that_are_added_wait_for_nobody_who_comes() {
    let mut desk = Desk::new(&[job("a", NEVER, 20)]);
    let all = crowd(&mut desk, 10);
    desk.start();
    desk.edit("a", |settings| settings.sharding_total_count = 22);
    assert_eq!(shares(&desk, &all).iter().sum::<usize>() + desk.owns(Who(10), "a").len(), 22);
    desk.start();
    let ip = desk.id(all[3]).ip().to_owned();
    desk.hold("a", &clockwright_fleet::admin::Hold::Host { ip, disabled: true });
    assert!(desk.owns(all[3], "a").is_empty(), "what is disabled has no items any more");
}

#[test]
fn a_plan_that_waits_for_runs_beside_java_is_asked_for_so_that_streams_end() {
    let mut desk = Desk::new(&[job("a", NEVER, 6)]);
    desk.code("a", Code::Waits);
    let who = desk.start();
    desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass_until(10_000, "both have items", |desk| desk.owns(who, "a").len() == 3);
    desk.trigger("a");
    desk.pass(1_000);
    assert_eq!(desk.running("a").len(), 3, "{}", desk.told());
    // The flag that this one raised as it came was lowered by a plan that did not know of it yet.
    desk.java_joins("a", "10.9.9.9@-@2");
    desk.pass_until(10_000, "a plan is asked for", |desk| desk.text("a", &Key::Necessary).is_some());
    assert_eq!(desk.owns(who, "a").len(), 3, "it is not made while anything runs");
    desk.end_all("a");
    desk.pass_until(10_000, "the newcomer has items", |desk| desk.owns(who, "a").len() == 2);
}

#[test]
fn a_plan_beside_java_and_the_next_attempt_that_it_waits_for_do_not_wait_for_each_other() {
    let retry = Retry { max_attempts: 2, backoff: 2_000, max_backoff: 2_000 };
    let mut desk = Desk::new(&[JobSettings { retry, ..job("a", NEVER, 6) }]);
    let who = desk.start();
    desk.java_joins("a", "10.9.9.9@-@1");
    desk.pass_until(10_000, "both have items", |desk| desk.owns(who, "a").len() == 3);
    desk.code("a", Code::Fails(100));
    desk.trigger("a");
    desk.pass(200);
    assert!(desk.running("a").is_empty(), "between two attempts");
    desk.java_joins("a", "10.9.9.9@-@2");
    desk.pass_until(10_000, "the newcomer has items", |desk| desk.owns(who, "a").len() == 2);
    assert!(desk.ran("a").iter().any(|run| run.attempt == 2), "the plan waited for it");
}
