//! One job, two languages: real Java Elastic-Job 2.1.5 and Clockwright in one namespace.
//!
//! These need a JDK and Maven, so they run by `make test-interop` only. `CLOCKWRIGHT_INTEROP_FIRES` says how many fires
//! each phase of a scenario lasts, 5 unless told.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;

use clockwright_e2e::harness::env_number;
use stage::{ITEMS, Instance, Setup, Stage, all};

/// How many fires a phase lasts.
fn fires() -> i64 {
    env_number("CLOCKWRIGHT_INTEROP_FIRES", 5)
}

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
