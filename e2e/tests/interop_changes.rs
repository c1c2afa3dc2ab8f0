//! What operators do to jobs that Java Elastic-Job 2.1.5 and Clockwright serve together, or Java alone.
//!
//! As `interop`, these run by `make test-interop` only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;
#[path = "interop/steps.rs"]
mod steps;

use clockwright_e2e::harness::{Link, now, pass_time};
use rustix::process::Signal;
use stage::{ITEMS, Instance, JOB, SESSION, Setup, Stage, all, fires};
use steps::{ask_port, lasting, refs};

/// The item count grows and shrinks, at the hands of each kind of console in turn.
fn resize(order: &str) {
    let stage =
        Stage::new(&format!("resize-{}", order.to_lowercase()), Setup { items: 4, ..Setup::default() });
    let instances = stage.all_of(order);
    stage.goes_on(&instances, 4, &all(4));
    stage.tell_yes(&["job", "set", JOB, "--items", "10"]);
    assert_eq!(stage.console("get", &["--job", JOB])["shardingTotalCount"], 10);
    stage.goes_on(&instances, 10, &all(10));
    stage.console("update", &["--job", JOB, "--items", "3", "--job-parameter", "by Java's console"]);
    stage.goes_on(&instances, 3, &all(3));
    let job = stage.get();
    assert_eq!(job["settings"]["jobParameter"], "by Java's console");
    assert_eq!(job["status"], "OK");
    stage.all_is_well(3);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn the_item_count_goes_from_4_to_10_to_3_under_a_java_leader() {
    resize("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn the_item_count_goes_from_4_to_10_to_3_under_a_clockwright_leader() {
    resize("CJ");
}

/// Items and the server are switched off and on, by each kind of console in turn.
fn switch(order: &str) {
    let stage = Stage::new(&format!("switch-{}", order.to_lowercase()), Setup::default());
    let instances = stage.all_of(order);
    let without_3: Vec<u32> = all(ITEMS).into_iter().filter(|item| *item != 3).collect();
    stage.console("shard-disable", &["--job", JOB, "--item", "3"]);
    stage.goes_on(&instances, ITEMS, &without_3);
    stage.tell_yes(&["shard", "enable", JOB, "3"]);
    stage.goes_on(&instances, ITEMS, &all(ITEMS));
    stage.tell_yes(&["shard", "disable", JOB, "3"]);
    stage.goes_on(&instances, ITEMS, &without_3);
    stage.console("shard-enable", &["--job", JOB, "--item", "3"]);
    stage.goes_on(&instances, ITEMS, &all(ITEMS));

    stage.switch_the_only_server(&instances, ITEMS);
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn items_and_servers_are_switched_off_and_on_under_a_java_leader() {
    switch("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn items_and_servers_are_switched_off_and_on_under_a_clockwright_leader() {
    switch("CJ");
}

/// Each kind of console triggers both kinds of instances: every item runs once more.
fn trigger(order: &str) {
    let setup = Setup { period: 20_000, ..Setup::default() };
    let stage = Stage::new(&format!("trigger-{}", order.to_lowercase()), setup);
    let _instances = stage.all_of(order);
    stage.trigger_by_each(false);
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_kind_triggers_both_kinds_under_a_java_leader() {
    trigger("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn each_kind_triggers_both_kinds_under_a_clockwright_leader() {
    trigger("CJ");
}

/// Runs of 7 seconds on a cron of 5 never overlap, and are made up for.
fn misfire(order: &str) {
    let setup = Setup { period: 5_000, run_ms: 7_000, items: 4, ..Setup::default() };
    let stage = Stage::new(&format!("misfire-{}", order.to_lowercase()), setup);
    let instances = stage.all_of(order);
    stage.misfires_for_a_minute(4);
    stage.java_says_ok();
    instances.into_iter().for_each(Instance::stop);
    // What Java missed last waits for the next one to come.
    stage.left_only(4, &["/misfire"]);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn runs_of_7_seconds_on_a_cron_of_5_are_made_up_for_under_a_java_leader() {
    misfire("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn runs_of_7_seconds_on_a_cron_of_5_are_made_up_for_under_a_clockwright_leader() {
    misfire("CJ");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_digest_protects_the_nodes_of_both_kinds() {
    for order in ["JC", "CJ"] {
        let setup = Setup { digest: Some("team:secret"), ..Setup::default() };
        let stage = Stage::new(&format!("digest-{}", order.to_lowercase()), setup);
        let instances = stage.all_of(order);
        stage.goes_on(&instances, ITEMS, &all(ITEMS));
        stage.left_nothing(ITEMS);
        stage.java_says_ok();
        assert!(stage.tell(&["job", "list"]).contains("OK"));
    }
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn without_monitoring_every_item_runs_once_a_fire() {
    for order in ["JC", "CJ"] {
        let setup = Setup { monitor: false, ..Setup::default() };
        let stage = Stage::new(&format!("unmonitored-{}", order.to_lowercase()), setup);
        let instances = stage.all_of(order);
        stage.goes_on(&instances, ITEMS, &all(ITEMS));
        let marks = stage.servers.changes().into_iter().filter(|op| format!("{op:?}").contains("/running"));
        assert_eq!(marks.count(), 0, "no item is marked as running");
        stage.left_nothing(ITEMS);
        stage.java_says_ok();
    }
}

/// What a killed instance of each kind left unfinished runs again at once with failover, and not at all without.
fn take_over(failover: bool) {
    let setup = Setup { period: 20_000, run_ms: 2_500, failover, ..Setup::default() };
    let stage = Stage::new(&format!("takeover-{failover}"), setup);
    // Its leader stays; one of each kind dies.
    let mut instances = stage.all_of("CCJJ");
    for kind in ["Clockwright", "Java"] {
        let instant = stage.past_an_instant(1_200);
        let at = if kind == "Java" { instances.len() - 1 } else { 1 };
        let victim = instances.remove(at);
        let (owners, before) = (stage.owners(ITEMS), stage.starts_since(instant, ITEMS));
        assert!(
            before.iter().all(|starts| *starts == 1),
            "all items run when the {kind} instance dies: {before:?}"
        );
        let lost = |item: u32| owners[item as usize].as_deref().is_some_and(|owner| victim.is(owner));
        let expected: Vec<usize> = (0..ITEMS).map(|item| 1 + usize::from(failover && lost(item))).collect();
        let died = now();
        victim.kill();
        pass_time(instant + 18_500);
        // A Java instance that grabs several items before its first run begins fires once more for each of them, and then
        // runs what it owns: Elastic-Job's own surplus. Ours run again what was lost, and nothing else.
        let (ours, all) = (stage.starts_of_ours_since(died, ITEMS), stage.starts_since(instant, ITEMS));
        for (item, expected) in expected.iter().enumerate() {
            assert!(
                all[item] >= *expected && ours[item] < *expected,
                "item {item} after a {kind} instance died: expected {expected:?}, all {all:?}, ours {ours:?}"
            );
        }
        stage.planned(&instances.iter().collect::<Vec<_>>(), ITEMS);
    }
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_either_kind_left_unfinished_runs_again_with_failover() {
    take_over(true);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_either_kind_left_unfinished_is_left_without_failover() {
    take_over(false);
}

/// The only Java instance of its server dies in the middle of its runs: no Java instance can mark them, so ours do.
fn the_only_java_instance_dies(order: &str) {
    let setup =
        Setup { period: 20_000, run_ms: 2_500, failover: true, address: "10.77.0.9", ..Setup::default() };
    let stage = Stage::new(&format!("lone-{}", order.to_lowercase()), setup);
    let mut instances = stage.all_of(order);
    let instant = stage.past_an_instant(1_200);
    let (owners, before) = (stage.owners(ITEMS), stage.starts_since(instant, ITEMS));
    assert!(before.iter().all(|starts| *starts == 1), "all items run: {before:?}");
    let at = instances.iter().position(|instance| matches!(instance, Instance::Java(_))).unwrap();
    let victim = instances.remove(at);
    let lost = |item: u32| owners[item as usize].as_deref().is_some_and(|owner| victim.is(owner));
    let expected: Vec<usize> = (0..ITEMS).map(|item| 1 + usize::from(lost(item))).collect();
    victim.kill();
    pass_time(instant + 18_500);
    assert_eq!(stage.starts_since(instant, ITEMS), expected);
    stage.goes_on(&instances, ITEMS, &all(ITEMS));
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_the_only_java_instance_left_unfinished_runs_again_when_it_led() {
    the_only_java_instance_dies("JCC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn what_the_only_java_instance_left_unfinished_runs_again_when_it_followed() {
    the_only_java_instance_dies("CCJ");
}

/// A session that expires while its process stands still leaves the others running, and everybody comes together again.
fn freeze(order: &str) {
    let stage = Stage::new(&format!("freeze-{}", order.to_lowercase()), Setup::default());
    let mut instances = stage.all_of(order);
    for _ in 0..2 {
        let frozen = instances.remove(0);
        frozen.signal(Signal::STOP);
        stage.goes_on(&instances, ITEMS, &all(ITEMS));
        stage.thaws(&mut instances, frozen);
    }
    stage.left_nothing(ITEMS);
    stage.java_says_ok();
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn sessions_of_either_kind_expire_and_come_back() {
    freeze("JC");
}

/// A connection that drops for longer than the session lives, or for a moment: the others go on, and everybody comes
/// together again.
fn drop_connections(order: &str) {
    let stage = Stage::new(&format!("links-{}", order.to_lowercase()), Setup::default());
    let mut instances = stage.all_of(order);
    let (java, of_java, _) = stage.link();
    let (ours, _, of_ours) = stage.link();
    instances.push(stage.java_by(&of_java, "J-linked", &[]));
    instances.push(stage.clockwright_by(&of_ours, "C-linked"));
    stage.goes_on(&instances, ITEMS, &all(ITEMS));
    let breaks: [fn(&Link); 2] = [Link::cut, Link::silence];
    for (link, at) in [(&java, 2), (&ours, 3)] {
        for broken in breaks {
            broken(link);
            let rest: Vec<&Instance> =
                instances.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, i)| i).collect();
            stage.planned(&rest, ITEMS);
            let span = stage.fires(fires());
            stage.ran_once(span, &all(ITEMS), &rest);
            link.mend();
            stage.together_again(&refs(&instances), now());
            let span = stage.fires(fires());
            stage.ran_once(span, &all(ITEMS), &refs(&instances));
        }
        // A blip that no session dies of.
        link.cut();
        pass_time(now() + SESSION / 8);
        link.mend();
        stage.goes_on(&instances, ITEMS, &all(ITEMS));
    }
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn connections_of_either_kind_drop_and_come_back_under_a_java_leader() {
    drop_connections("JC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn connections_of_either_kind_drop_and_come_back_under_a_clockwright_leader() {
    drop_connections("CJ");
}

/// The servers of each kind are disabled and enabled on their own, by each kind of console; the other kind does it all.
fn switch_servers(order: &str) {
    let setup = Setup { address: "10.77.0.9", ..Setup::default() };
    let stage = Stage::new(&format!("servers-{}", order.to_lowercase()), setup);
    let instances = stage.all_of(order);
    let everybody: Vec<&Instance> = instances.iter().collect();
    let java = |instance: &&Instance| matches!(instance, Instance::Java(_));
    let of_java = everybody.iter().find(|instance| java(instance)).unwrap();
    let ids = stage.instances();
    let ip = ids.iter().find(|id| of_java.is(id)).unwrap().split("@-@").next().unwrap().to_owned();
    for (ip, of_java) in [(ip.as_str(), true), (stage.setup.address, false)] {
        for by_java in [true, false] {
            stage.switch_server(by_java, "disable", ip);
            let others: Vec<&Instance> = everybody.iter().copied().filter(|i| java(i) != of_java).collect();
            stage.planned_beside(&others, ITEMS);
            let span = stage.fires(fires());
            stage.ran_once(span, &all(ITEMS), &others);
            stage.switch_server(by_java, "enable", ip);
            stage.goes_on(&instances, ITEMS, &all(ITEMS));
        }
    }
    stage.all_is_well(ITEMS);
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn the_servers_of_one_kind_are_switched_off_and_on_under_a_java_leader() {
    switch_servers("JCJC");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn the_servers_of_one_kind_are_switched_off_and_on_under_a_clockwright_leader() {
    switch_servers("CJCJ");
}

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn a_fleet_that_is_all_java_is_seen_and_steered() {
    let stage = Stage::new("attach", Setup { items: 4, ..Setup::default() });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let monitored = stage.java_with("J0", &["--monitor-port", &port.to_string()]);
    let instances = vec![monitored, stage.java("J1")];
    stage.goes_on(&instances, 4, &all(4));

    stage.looks_at_a_java_fleet(4);
    // The dump is what Java's own port says, in its format.
    let (ours, java) = (stage.tell(&["job", "dump", JOB]), ask_port(port, "dump"));
    assert_eq!(lasting(&ours), lasting(&java), "ours:\n{ours}\nJava's:\n{java}");
    stage.sets_cron_and_items(&instances, 6);
    stage.steers_a_java_fleet(6);
    stage.java_says_ok();
    stage.removes_a_java_fleet(instances);
}
