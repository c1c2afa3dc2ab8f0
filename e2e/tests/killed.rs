//! What jobs wrote about themselves beside what is on disk, after their node was killed at the worst moments and started again.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use clockwright_e2e::checker::{History, Nemesis, Plan, check};
use clockwright_e2e::harness::{Node, Scene, Servers, eventually, now, pass_time};
use clockwright_e2e::ledger::settlements;
use clockwright_e2e::record::Kind;
use clockwright_model::Misfire;
use rustix::process::Signal;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// Runs take longer than their period, so that the next claim overwrites the cursor as soon as a run has ended.
const RUN_MS: i64 = 1_200;
/// How a node ends, and how long after the end of a run, milliseconds: before its outcome is stored, about then, and after.
const ENDS: [(Signal, i64); 6] = [
    (Signal::KILL, 0),
    (Signal::KILL, 15),
    (Signal::TERM, 0),
    (Signal::KILL, 30),
    (Signal::KILL, 60),
    (Signal::TERM, 30),
];

fn node(scene: &Scene, jobs: &std::path::Path) -> Node {
    scene.node("only", jobs, &["--session-timeout", "2s"])
}

#[test]
fn whatever_ran_to_its_end_is_on_record_though_its_node_was_killed_or_stopped_right_after() {
    let servers = Servers::start(1);
    let scene = Scene::new("killed", &servers.hosts());
    let text = format!(
        "jobs:\n  busy:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: 2\n    \
         misfire: true\n    failover: true\n    props:\n      script.command.line: {}\n",
        scene.command_line(&format!("--run-ms {RUN_MS}"))
    );
    let jobs = scene.file("jobs.yaml", &text);
    let begun = now();
    let mut only = node(&scene, &jobs);
    let ends = || scene.records().iter().filter(|record| record.kind == Kind::End).count();
    let runs_on = |more: usize| {
        let before = ends();
        eventually(PATIENCE, "runs end", || ends() >= before + more);
    };
    runs_on(4);
    let from = (now() / 1_000 + 1) * 1_000;
    let mut nemesis = vec![Nemesis { what: "it starts".into(), from: begun, to: from }];
    for (signal, delay) in ENDS {
        runs_on(1);
        let at = now();
        pass_time(at + delay);
        only.signal(signal);
        only.wait(PATIENCE);
        only = node(&scene, &jobs);
        // The next claims of both items are those that find what the killed one left.
        runs_on(4);
        nemesis.push(Nemesis { what: format!("{signal:?} after {delay} ms"), from: at, to: now() });
    }
    runs_on(4);
    let to = now() - 4_000;
    only.signal(Signal::TERM);
    assert!(only.wait(PATIENCE).success(), "{}", only.talk());
    let plan = Plan {
        job: "busy".into(),
        items: 2,
        misfire: Misfire::FireOnce,
        due: Plan::every(1_000, begun - 1_000, now() + 1_000),
        required: (from, to),
    };
    let history = History {
        plans: vec![plan],
        records: scene.records(),
        settlements: settlements(&scene.stores()).unwrap(),
        nemesis,
        ..History::default()
    };
    let report = check(&history);
    println!("{report}");
    assert!(report.passed(), "{report}");
    // Not one of the runs that ended is missing, wherever its node died.
    assert_eq!(report.outcomes.get("unrecorded"), None, "{report}");
}
