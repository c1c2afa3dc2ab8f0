//! One job, two languages: real Java Elastic-Job 2.1.5 and Clockwright in one namespace.
//!
//! These need a JDK and Maven, so they run by `make test-interop` only. `CLOCKWRIGHT_INTEROP_FIRES` says how many fires
//! each phase of a scenario lasts, 5 unless told; with two of each kind it is 100 once.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;

use clockwright_e2e::harness::now;
use stage::{ITEMS, Instance, Setup, Stage, all, fires};

/// How many fires all instances have to get through once two of each kind are there.
const MANY: i64 = 100;

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn one_java_and_one_clockwright_instance_share_the_items_under_a_java_leader() {
    share_under("first-java", "JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn one_java_and_one_clockwright_instance_share_the_items_under_a_clockwright_leader() {
    share_under("first-clockwright", "CJ");
}

/// Starts the kinds in this order, and lets 30 fires pass.
fn share_under(name: &str, order: &str) {
    let stage = Stage::new(name, Setup::default());
    let instances: Vec<Instance> =
        order.chars().enumerate().map(|(at, kind)| stage.start(kind, &format!("{kind}{at}"))).collect();
    let all_of_them: Vec<&Instance> = instances.iter().collect();
    stage.planned(&all_of_them, ITEMS);
    assert!(instances[0].is(&stage.leader().unwrap()), "the first instance leads");
    let span = stage.fires(30.max(fires()));
    stage.ran_once(span, &all(ITEMS), &all_of_them);
    stage.never_overlapped();
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
}

/// Two of each kind, started in this order: the plan is exact and every item runs once a fire.
fn start_in_order(order: &str) {
    let stage = Stage::new(&format!("order-{}", order.to_lowercase()), Setup::default());
    let mut instances = Vec::new();
    let mut begun = 0;
    for (at, kind) in order.chars().enumerate() {
        instances.push(stage.start(kind, &format!("{kind}{at}")));
        if at == 0 {
            begun = now();
        }
    }
    let all_of_them: Vec<&Instance> = instances.iter().collect();
    stage.planned(&all_of_them, ITEMS);
    assert!(instances[0].is(&stage.leader().unwrap()), "the first instance leads");
    let span = stage.fires(MANY.max(fires()));
    stage.note_faults("they started", begun, span.0, &all(ITEMS));
    stage.ran_once(span, &all(ITEMS), &all_of_them);
    stage.never_overlapped();
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
    for instance in instances.into_iter().rev() {
        instance.stop();
    }
    stage.left_nothing(ITEMS);
}

macro_rules! orders {
    ($($name:ident $order:literal)*) => {$(
        #[test]
        #[ignore = "needs a JDK and Maven: make test-interop"]
        fn $name() {
            start_in_order($order);
        }
    )*};
}

orders! {
    two_of_each_kind_share_the_items_when_started_java_java_clockwright_clockwright "JJCC"
    two_of_each_kind_share_the_items_when_started_java_clockwright_java_clockwright "JCJC"
    two_of_each_kind_share_the_items_when_started_java_clockwright_clockwright_java "JCCJ"
    two_of_each_kind_share_the_items_when_started_clockwright_java_java_clockwright "CJJC"
    two_of_each_kind_share_the_items_when_started_clockwright_java_clockwright_java "CJCJ"
    two_of_each_kind_share_the_items_when_started_clockwright_clockwright_java_java "CCJJ"
}

/// A leader of each kind leaves while followers of both kinds are there.
fn leader_leaves(order: &str, clean: bool) {
    let stage = Stage::new(&format!("leaves-{}-{clean}", order.to_lowercase()), Setup::default());
    let mut instances: Vec<Instance> =
        order.chars().enumerate().map(|(at, kind)| stage.start(kind, &format!("{kind}{at}"))).collect();
    stage.planned(&instances.iter().collect::<Vec<_>>(), ITEMS);
    while instances.len() > 1 {
        let leader = stage.leader().unwrap();
        let at = instances.iter().position(|instance| instance.is(&leader)).unwrap();
        let leader = instances.remove(at);
        if clean {
            leader.stop();
        } else {
            leader.kill();
        }
        let rest: Vec<&Instance> = instances.iter().collect();
        stage.planned(&rest, ITEMS);
        let span = stage.fires(fires());
        stage.ran_once(span, &all(ITEMS), &rest);
    }
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn one_leader_after_the_other_is_stopped() {
    leader_leaves("CJCJ", true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn one_leader_after_the_other_is_killed() {
    leader_leaves("JCJC", false);
}

/// Each instance in turn is stopped, started again, killed, and started again.
fn come_and_go(order: &str, failover: bool) {
    let name = format!("turns-{}-{failover}", order.to_lowercase());
    let stage = Stage::new(&name, Setup { failover, ..Setup::default() });
    let mut kinds: Vec<char> = order.chars().collect();
    let mut instances: Vec<Instance> =
        kinds.iter().enumerate().map(|(at, kind)| stage.start(*kind, &format!("{kind}{at}"))).collect();
    stage.planned(&instances.iter().collect::<Vec<_>>(), ITEMS);
    for turn in 0..kinds.len() {
        for clean in [true, false] {
            // The first one is the leader, or has led longest.
            let (kind, instance) = (kinds.remove(0), instances.remove(0));
            let begun = now();
            if clean {
                instance.stop();
            } else {
                instance.kill();
            }
            let what = format!("{kind} {} (turn {turn})", if clean { "stopped" } else { "was killed" });
            let rest: Vec<&Instance> = instances.iter().collect();
            stage.planned(&rest, ITEMS);
            let span = stage.fires(fires());
            stage.note_faults(&what, begun, span.0, &all(ITEMS));
            stage.ran_once(span, &all(ITEMS), &rest);

            let begun = now();
            let again = stage.start(kind, &format!("{kind}{turn}-{clean}"));
            // It takes the first place again for its second end, and the last one after that.
            let place = if clean { 0 } else { kinds.len() };
            kinds.insert(place, kind);
            instances.insert(place, again);
            let everybody: Vec<&Instance> = instances.iter().collect();
            stage.planned(&everybody, ITEMS);
            let span = stage.fires(fires());
            stage.note_faults(&format!("{kind} came back (turn {turn})"), begun, span.0, &all(ITEMS));
            stage.ran_once(span, &all(ITEMS), &everybody);
        }
    }
    stage.never_overlapped();
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
    // The last Java instance marks what the one before it had, and takes nothing any more; ours clears that up.
    instances.sort_by_key(|instance| matches!(instance, Instance::Clockwright(_)));
    instances.into_iter().for_each(Instance::stop);
    stage.left_nothing(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_instance_stops_dies_and_comes_back_with_failover_off() {
    come_and_go("JCJC", false);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_instance_stops_dies_and_comes_back_with_failover_on() {
    come_and_go("CJCJ", true);
}
