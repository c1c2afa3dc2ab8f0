//! One job, two languages, in the layout of 3.x: real Java ElasticJob 3.0.4 and Clockwright in one namespace.
//!
//! The matrix of `interop` and `interop_changes`, smaller. As those, this runs by `make test-interop` only, and
//! `CLOCKWRIGHT_INTEROP_FIRES` says how many fires each phase of a scenario lasts.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;
#[path = "interop/steps.rs"]
mod steps;

use clockwright_e2e::harness::{now, pass_time};
use clockwright_e2e::java::Generation;
use clockwright_e2e::record::Kind;
use rustix::process::Signal;
use stage::{ITEMS, Instance, JOB, Setup, Stage, all};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use steps::{ask_port, lasting, refs};

fn stage(name: &str, setup: Setup) -> Stage {
    Stage::new(&format!("v3-{}", name.to_lowercase()), Setup { generation: Generation::Three, ..setup })
}

/// Two of each kind, started in this order: the plan is exact and every item runs once a fire.
fn start_in_order(order: &str) {
    let stage = stage(&format!("order-{order}"), Setup::default());
    let instances = stage.all_of(order);
    stage.goes_on(&instances, ITEMS, &all(ITEMS));
    stage.all_is_well(ITEMS);
    instances.into_iter().rev().for_each(Instance::stop);
    stage.left_nothing(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn two_of_each_kind_share_the_items_of_a_3x_job_when_started_java_java_clockwright_clockwright() {
    start_in_order("JJCC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn two_of_each_kind_share_the_items_of_a_3x_job_when_started_java_clockwright_clockwright_java() {
    start_in_order("JCCJ");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn two_of_each_kind_share_the_items_of_a_3x_job_when_started_clockwright_java_clockwright_java() {
    start_in_order("CJCJ");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn two_of_each_kind_share_the_items_of_a_3x_job_when_started_clockwright_clockwright_java_java() {
    start_in_order("CCJJ");
}

/// Each instance in turn is stopped, started again, killed, and started again; the first one leads, or has led longest.
fn come_and_go(order: &str, failover: bool) {
    let stage = stage(&format!("turns-{order}-{failover}"), Setup { failover, ..Setup::default() });
    let mut instances = stage.all_of(order);
    for (turn, kind) in order.chars().enumerate() {
        for clean in [true, false] {
            let begun = now();
            let instance = instances.remove(0);
            if clean {
                instance.stop();
            } else {
                instance.kill();
            }
            stage.goes_on(&instances, ITEMS, &all(ITEMS));
            let what = if clean { "stopped" } else { "was killed" };
            stage.note_faults(&format!("{kind} {what} (turn {turn})"), begun, now(), &all(ITEMS));
            let again = stage.start(kind, &format!("{kind}{turn}-{clean}"));
            // It takes the first place again for its second end, and the last one after that.
            let place = if clean { 0 } else { instances.len() };
            instances.insert(place, again);
            stage.goes_on(&instances, ITEMS, &all(ITEMS));
        }
    }
    stage.all_is_well(ITEMS);
    instances.into_iter().for_each(Instance::stop);
    stage.left_nothing(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_instance_of_a_3x_job_stops_dies_and_comes_back_with_failover_off() {
    come_and_go("JC", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_instance_of_a_3x_job_stops_dies_and_comes_back_with_failover_on() {
    come_and_go("CJJC", true);
}

/// Settings, items and the server are changed by each kind of console in turn.
fn change(order: &str) {
    let stage = stage(&format!("change-{order}"), Setup { items: 4, ..Setup::default() });
    let instances = stage.all_of(order);
    let awkward =
        "* it's: a #text, so long that it has to be folded, because it has more than eighty columns";
    stage.tell_yes(&["job", "set", JOB, "--items", "10", "--parameter", awkward]);
    let settings = stage.console("get", &["--job", JOB]);
    assert_eq!((&settings["shardingTotalCount"], &settings["jobParameter"]), (&10.into(), &awkward.into()));
    stage.goes_on(&instances, 10, &all(10));
    stage.console("update", &["--job", JOB, "--items", "3", "--job-parameter", "by Java's console"]);
    stage.goes_on(&instances, 3, &all(3));
    let job = stage.get();
    assert_eq!(job["settings"]["jobParameter"], "by Java's console");
    assert_eq!((&job["status"], &job["layout"]), (&"OK".into(), &"3.x".into()));

    stage.console("shard-disable", &["--job", JOB, "--item", "1"]);
    stage.goes_on(&instances, 3, &[0, 2]);
    stage.tell_yes(&["shard", "enable", JOB, "1"]);
    stage.goes_on(&instances, 3, &all(3));

    stage.switch_the_only_server(&instances, 3);
    stage.all_is_well(3);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn settings_items_and_servers_of_a_3x_job_are_changed_under_a_java_leader() {
    change("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn settings_items_and_servers_of_a_3x_job_are_changed_under_a_clockwright_leader() {
    change("CJ");
}

/// Each kind of console triggers both kinds of instances: every item runs once more. A one-off job runs for nothing else.
fn trigger(order: &str, one_off: bool) {
    let setup = Setup { period: 30_000, one_off, ..Setup::default() };
    let stage = stage(&format!("trigger-{order}-{one_off}"), setup);
    let instances: Vec<Instance> =
        order.chars().enumerate().map(|(at, kind)| stage.start(kind, &format!("{kind}{at}"))).collect();
    // A Java leader plans when it fires, for which a one-off job waits for its first trigger.
    if !(one_off && order.starts_with('J')) {
        stage.planned(&refs(&instances), ITEMS);
    }
    stage.trigger_by_each(one_off);
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_kind_triggers_both_kinds_in_a_3x_job_under_a_java_leader() {
    trigger("JC", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_kind_triggers_both_kinds_in_a_3x_job_under_a_clockwright_leader() {
    trigger("CJ", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_one_off_job_runs_once_on_both_kinds_for_each_trigger_under_a_java_leader() {
    trigger("JC", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_one_off_job_runs_once_on_both_kinds_for_each_trigger_under_a_clockwright_leader() {
    trigger("CJ", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn runs_of_7_seconds_on_a_cron_of_5_of_a_3x_job_never_overlap_and_are_made_up_for() {
    let stage = stage("misfire", Setup { period: 5_000, run_ms: 7_000, items: 4, ..Setup::default() });
    let instances = stage.all_of("JC");
    stage.misfires_for_a_minute(4);
    instances.into_iter().for_each(Instance::stop);
}

/// What a killed instance of each kind left unfinished runs again at once with failover, and not at all without. The first
/// instance leads, and stays; the second and the last one die.
fn take_over(order: &str, failover: bool) {
    let setup = Setup { period: 20_000, run_ms: 2_500, failover, ..Setup::default() };
    let stage = stage(&format!("takeover-{order}-{failover}"), setup);
    let mut instances = stage.all_of(order);
    for at in [1, instances.len() - 2] {
        let instant = stage.past_an_instant(1_200);
        let victim = instances.remove(at);
        let (owners, before) = (stage.owners(ITEMS), stage.starts_since(instant, ITEMS));
        assert!(before.iter().all(|starts| *starts == 1), "all items run when an instance dies: {before:?}");
        let lost = |item: u32| owners[item as usize].as_deref().is_some_and(|owner| victim.is(owner));
        let expected: Vec<usize> = (0..ITEMS).map(|item| 1 + usize::from(failover && lost(item))).collect();
        let who = victim.talk().lines().next().unwrap_or_default().to_owned();
        victim.kill();
        pass_time(instant + 18_500);
        let (starts, by_java) = (stage.starts_since(instant, ITEMS), by_java(&stage, instant, &instances));
        // A Java instance that has taken several items fires once more than it has items to make up for, and then runs its own.
        let right = |item: usize| {
            let surplus = starts[item].checked_sub(expected[item]);
            surplus.is_some_and(|surplus| surplus == 0 || failover && by_java.contains(&(item as u32)))
        };
        let talk: String = instances.iter().map(Instance::talk).collect();
        assert!(
            (0..ITEMS as usize).all(right),
            "{starts:?} instead of {expected:?} after the death of {who}\n{}\n{talk}",
            stage.story(instant, now())
        );
        stage.planned(&refs(&instances), ITEMS);
    }
    stage.all_is_well(ITEMS);
}

/// The items whose last start is a Java instance's.
fn by_java(stage: &Stage, since: i64, instances: &[Instance]) -> BTreeSet<u32> {
    let java: Vec<&Instance> =
        instances.iter().filter(|instance| matches!(instance, Instance::Java(_))).collect();
    let mut last = BTreeMap::new();
    for record in stage.scene.records() {
        if record.kind == Kind::Start && record.wall_ms >= since {
            last.insert(record.item, record.instance.unwrap_or_default());
        }
    }
    last.retain(|_, instance| java.iter().any(|java| java.is(instance)));
    last.into_keys().collect()
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_either_kind_left_unfinished_in_a_3x_job_runs_again_under_a_clockwright_leader() {
    take_over("CCJJ", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_either_kind_left_unfinished_in_a_3x_job_runs_again_under_a_java_leader() {
    take_over("JJCC", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_either_kind_left_unfinished_in_a_3x_job_is_left_without_failover() {
    take_over("CCJJ", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_the_only_java_instance_of_a_3x_job_left_unfinished_runs_again() {
    for order in ["JC", "CJ"] {
        // No more items than a Java instance has threads for: what it has begun, it has marked.
        let items = 8;
        let setup = Setup { items, period: 20_000, run_ms: 2_500, failover: true, ..Setup::default() };
        let stage = stage(&format!("last-{order}"), setup);
        let mut instances = stage.all_of(order);
        let instant = stage.past_an_instant(1_200);
        let java = instances.remove(order.find('J').unwrap());
        let owners = stage.owners(items);
        let lost = |item: u32| owners[item as usize].as_deref().is_some_and(|owner| java.is(owner));
        let expected: Vec<usize> = (0..items).map(|item| 1 + usize::from(lost(item))).collect();
        java.kill();
        pass_time(instant + 18_500);
        assert_eq!(stage.starts_since(instant, items), expected, "{order}: {}", instances[0].talk());
        stage.planned(&refs(&instances), items);
        stage.all_is_well(items);
    }
}

/// A session that expires while its process stands still leaves the others running, and everybody comes together again.
fn freeze(order: &str, failover: bool) {
    let stage = stage(&format!("freeze-{order}"), Setup { failover, ..Setup::default() });
    let mut instances = stage.all_of(order);
    for _ in 0..2 {
        let frozen = instances.remove(0);
        frozen.signal(Signal::STOP);
        stage.goes_on(&instances, ITEMS, &all(ITEMS));
        stage.thaws(&mut instances, frozen);
    }
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn sessions_of_either_kind_expire_and_come_back_in_a_3x_job() {
    freeze("JC", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn sessions_of_either_kind_expire_and_come_back_in_a_3x_job_with_failover() {
    freeze("CJ", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_3x_fleet_that_is_all_java_is_seen_and_steered() {
    let stage = stage("attach", Setup { items: 4, ..Setup::default() });
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let more = ["--monitor-port", &port.to_string(), "--label", "blue", "--executor", "SINGLE_THREAD"];
    let instances = vec![stage.java_with("J0", &more), stage.java("J1")];
    stage.goes_on(&instances, 4, &all(4));

    stage.looks_at_a_java_fleet(4);
    // The dump is what Java's own port says, in its format.
    let (ours, java) = (stage.tell(&["job", "dump", JOB]), ask_port(port, &format!("dump@{JOB}")));
    assert_eq!(lasting(&ours), lasting(&java), "ours:\n{ours}\nJava's:\n{java}");
    let settings = stage.sets_cron_and_items(&instances, 6);
    assert_eq!(
        (&settings["label"], &settings["jobExecutorServiceHandlerType"]),
        (&"blue".into(), &"SINGLE_THREAD".into()),
        "what only Java knows is kept"
    );
    stage.steers_a_java_fleet(6);
    stage.all_is_well(6);
    stage.removes_a_java_fleet(instances);
}
