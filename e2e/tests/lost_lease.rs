//! A run whose instance loses its lease, after its item was given to another instance: the fire gets its outcome all the
//! same, and the item goes on.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{Node, Scene, Servers, eventually, now, pass_time};
use clockwright_e2e::ledger::settlements;
use clockwright_e2e::record::{Kind, Record};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// The session timeout, milliseconds; leases are two thirds of it.
const SESSION: i64 = 6_000;

fn of(node: &Node, record: &Record) -> bool {
    record.instance.as_ref().is_some_and(|id| id.ends_with(&format!("@-@{}", node.pid())))
}

#[test]
fn a_run_that_loses_its_lease_after_its_item_has_moved_is_settled_and_the_item_fires_again() {
    let servers = Servers::start(1);
    let scene = Scene::new("lost-lease", &servers.hosts());
    // Runs without marks do not hold up a new plan, so that an item can move while it runs.
    let text = format!(
        "jobs:\n  work:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: 2\n    \
         failover: false\n    monitorExecution: false\n    props:\n      script.command.line: {}\n",
        scene.command_line("--run-ms 600000")
    );
    let jobs = scene.file("jobs.yaml", &text);
    let timeout = format!("{SESSION}ms");
    let options = ["--session-timeout", timeout.as_str()];
    let old = scene.node("old", &jobs, &options);
    let start = |item| scene.records().into_iter().find(|r| r.item == item && r.kind == Kind::Start);
    eventually(PATIENCE, "both items run", || start(0).is_some() && start(1).is_some());
    let new = scene.node("new", &jobs, &options);
    let owner =
        |item: u32| servers.get(&format!("/lost-lease/work/sharding/{item}/instance")).unwrap_or_default();
    let new_id = format!("@-@{}", new.pid());
    let moved = || (0..2).find(|item| String::from_utf8_lossy(&owner(*item)).ends_with(&new_id));
    eventually(PATIENCE, "an item moves", || moved().is_some());
    let item = moved().unwrap();
    let cut = start(item).unwrap();
    assert!(of(&old, &cut));

    // Long enough for the leases, too short for the sessions.
    let silence = now();
    servers.server(0).pause().unwrap();
    pass_time(silence + SESSION * 5 / 6);
    servers.server(0).resume().unwrap();
    eventually(PATIENCE, "the new owner runs the item", || {
        scene.records().iter().any(|r| r.item == item && r.kind == Kind::Start && of(&new, r))
    });
    eventually(PATIENCE, "the cut fire has its outcome", || {
        let all = settlements(&scene.stores()).unwrap();
        all.iter().any(|s| s.item == item && s.fire.time().to_string() == cut.fire)
    });
    let overlap = scene.records().iter().any(|record| record.kind == Kind::Overlap);
    assert!(!overlap, "two runs of one item at once");
}
