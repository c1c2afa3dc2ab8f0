//! Leaving in order: what runs is finished, what is owned moves at once, and nobody mistakes it for a crash.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use clockwright_e2e::checker::{History, Nemesis, Plan, check};
use clockwright_e2e::harness::{Node, Scene, Servers, eventually, now, pass_time};
use clockwright_e2e::ledger::settlements;
use clockwright_e2e::record::{Kind, Record};
use clockwright_model::{Misfire, Source};
use rustix::process::Signal;
use std::collections::HashSet;
use std::time::{Duration, Instant};

const ITEMS: u32 = 4;

/// A scene with one job, and two nodes that both run items of it.
fn two_nodes(name: &str, servers: &Servers, period: i64, options: &str) -> (Scene, Node, Node) {
    let scene = Scene::new(name, &servers.hosts());
    let text = format!(
        "jobs:\n  work:\n    elasticJobType: SCRIPT\n    cron: '0/{period} * * * * ?'\n    shardingTotalCount: {ITEMS}\n    \
         misfire: fire_all\n    failover: true\n    monitorExecution: true\n    props:\n      script.command.line: {}\n",
        scene.command_line(options)
    );
    let jobs = scene.file("jobs.yaml", &text);
    // Both nodes join well before the job is due: runs that take long stay with whoever started them.
    pass_time((now() / (period * 1_000) + 1) * period * 1_000 + 200);
    let (stays, leaves) = (scene.node("stays", &jobs, &[]), scene.node("leaves", &jobs, &[]));
    eventually(Duration::from_secs(60), "both nodes run items", || {
        let records = scene.records();
        [&stays, &leaves].iter().all(|node| records.iter().any(|record| of(node, record)))
    });
    (scene, stays, leaves)
}

/// Whether a node started the run of a record.
fn of(node: &Node, record: &Record) -> bool {
    record.instance.as_ref().is_some_and(|id| id.ends_with(&format!("@-@{}", node.pid())))
}

/// The runs of a node that have begun and not ended.
fn running(scene: &Scene, node: &Node) -> HashSet<String> {
    let records = scene.records();
    let records = records.iter().filter(|record| of(node, record));
    let (ended, begun): (Vec<_>, Vec<_>) = records.partition(|record| record.kind == Kind::End);
    let ended: HashSet<_> = ended.into_iter().map(|record| &record.run).collect();
    begun.into_iter().map(|record| &record.run).filter(|run| !ended.contains(run)).cloned().collect()
}

#[test]
fn a_node_that_is_asked_to_stop_finishes_what_runs_and_its_items_move_at_once_without_failover() {
    let servers = Servers::start(1);
    let begun = now();
    let (scene, mut stays, mut leaves) = two_nodes("shutdown", &servers, 1, "--run-ms 700");
    let from = (now() / 1_000 + 1) * 1_000;
    eventually(Duration::from_secs(20), "the leaving node is in the middle of a run", || {
        !running(&scene, &leaves).is_empty()
    });
    let in_flight = running(&scene, &leaves);
    let asked = now();
    leaves.signal(Signal::TERM);
    let status = leaves.wait(Duration::from_secs(20));
    let left = now();
    assert_eq!(status.code(), Some(0), "{}", leaves.talk());
    let records = scene.records();
    let well =
        |run: &String| records.iter().any(|r| r.run == *run && r.kind == Kind::End && r.code == Some(0));
    assert!(in_flight.iter().all(well), "a run was cut short: {in_flight:?}");

    eventually(Duration::from_secs(20), "the other node runs all items", || {
        let records = scene.records();
        let ran = records.iter().filter(|r| r.kind == Kind::End && r.wall_ms > left && of(&stays, r));
        ran.map(|record| record.item).collect::<HashSet<_>>().len() == ITEMS as usize
    });
    pass_time(now() + 4_000);
    let to = now() - 3_000;
    stays.signal(Signal::TERM);
    assert_eq!(stays.wait(Duration::from_secs(20)).code(), Some(0), "{}", stays.talk());

    let all = settlements(&scene.stores()).unwrap();
    let taken: Vec<_> = all.iter().filter(|s| s.source == Source::Failover || s.attempt > 1).collect();
    assert!(taken.is_empty(), "an orderly leave was taken for a crash: {taken:?}");
    let plan = Plan {
        job: "work".into(),
        items: ITEMS,
        misfire: Misfire::FIRE_ALL,
        due: Plan::every(1_000, begun - 1_000, now() + 1_000),
        required: (from, to),
    };
    let moving = Nemesis { what: "the node leaves".into(), from: asked, to: left };
    let joining = Nemesis { what: "the nodes join".into(), from: begun, to: from };
    let report = check(&History {
        plans: vec![plan],
        records: scene.records(),
        settlements: all,
        nemesis: vec![joining, moving],
        // One second for the plan, one for the next instant: far less than the session timeout of a crash.
        healed: Some((left, 3_000)),
        lateness_limit: Some(2_000),
        aftermath: 3_000,
        ..History::default()
    });
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn a_second_request_to_stop_ends_what_runs_and_the_fire_still_gets_its_outcome() {
    let servers = Servers::start(1);
    let (scene, mut stays, mut leaves) = two_nodes("hurry", &servers, 20, "--run-ms 600000");
    eventually(Duration::from_secs(20), "the leaving node is in the middle of a run", || {
        !running(&scene, &leaves).is_empty()
    });
    let in_flight = running(&scene, &leaves);
    leaves.signal(Signal::TERM);
    let beats = scene.records().len();
    eventually(Duration::from_secs(20), "its runs go on", || scene.records().len() > beats + 100);
    assert!(leaves.status().is_none(), "it did not wait for its runs:\n{}", leaves.talk());
    let asked = Instant::now();
    leaves.signal(Signal::TERM);
    let status = leaves.wait(Duration::from_secs(15));
    println!("the second request took {:?}, {status}", asked.elapsed());
    assert!(status.code().is_some(), "it was killed: {status}");
    let mine = |line: &str| in_flight.iter().any(|run| line.contains(run.as_str()));
    assert!(!scene.job_processes().iter().any(|(_, line)| mine(line)), "{:?}", scene.job_processes());
    // Each cut run has its outcome in the leaver's store, or another attempt at the same fire goes on elsewhere.
    eventually(Duration::from_secs(20), "each cut fire is accounted for", || {
        let records = scene.records();
        let settled = settlements(&scene.stores()).unwrap();
        in_flight.iter().all(|run| {
            let cut = records.iter().find(|record| record.run == *run).unwrap();
            let same = |r: &&Record| (r.item, &r.fire) == (cut.item, &cut.fire) && r.attempt > cut.attempt;
            records.iter().any(|record| same(&record))
                || settled.iter().any(|s| s.item == cut.item && s.fire.time().to_string() == cut.fire)
        })
    });
    stays.kill();
    eventually(Duration::from_secs(20), "the runs of a killed node end", || scene.job_processes().is_empty());
}
