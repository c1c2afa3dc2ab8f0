//! Jobs that misbehave: each ends in the right outcome, nothing of it is left, and the others are not disturbed.
//!
//! Each job here is due in a hundred years and triggered by hand, beside a steady one that fires each second and is the
//! measure of the disturbance. (A job that panics is Rust code in the engine's own process; it is covered there.)
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use clockwright_e2e::checker::{History, Plan, check};
use clockwright_e2e::harness::{Scene, Servers, eventually, now, pass_time, resident_bytes};
use clockwright_e2e::ledger::settlements;
use clockwright_e2e::record::Kind;
use clockwright_model::{FailureKind, Misfire, Outcome, Settlement};
use std::time::Duration;

/// No job may be later than this while others misbehave, milliseconds.
const LATEST: i64 = 2_000;
/// The greatest memory of the node while a job prints a gigabyte, bytes.
const MEMORY: u64 = 200 << 20;

/// The misbehaving jobs: name, options, further settings, and whether the outcome is right.
type Case = (&'static str, &'static str, &'static str, fn(&Outcome) -> bool);

const CASES: &[Case] = &[
    ("endless", "--forever", "timeout: 2s", timed_out),
    ("stubborn", "--forever --ignore-term", "timeout: 1s", timed_out),
    ("chatty", "--run-ms 10 --print-bytes 1000000000", "", succeeded),
    ("forking", "--run-ms 300 --fork-setsid", "", succeeded),
    ("forking-endless", "--forever --ignore-term --fork-setsid", "timeout: 1s", timed_out),
    (
        "failing",
        "--run-ms 10 --exit 3",
        "",
        |outcome| matches!(outcome, Outcome::Failed { kind: FailureKind::Job, reason } if reason.to_string() == "exit code 3"),
    ),
];

fn timed_out(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { kind: FailureKind::Timeout, .. })
}

fn succeeded(outcome: &Outcome) -> bool {
    *outcome == Outcome::Succeeded
}

#[test]
fn each_misbehaving_job_ends_as_it_should_leaves_nothing_behind_and_delays_nobody() {
    let servers = Servers::start(1);
    let scene = Scene::new("misbehaving", &servers.hosts());
    let mut text = format!(
        "jobs:\n  steady:\n    elasticJobType: SCRIPT\n    cron: '0/1 * * * * ?'\n    shardingTotalCount: 2\n    \
         misfire: fire_all\n    props:\n      script.command.line: {}\n  missing:\n    elasticJobType: SCRIPT\n    \
         cron: '0 0 0 1 1 ? 2099'\n    shardingTotalCount: 1\n    props:\n      script.command.line: /nonexistent/program\n",
        scene.command_line("--run-ms 20")
    );
    for (name, options, settings, _) in CASES {
        text.push_str(&format!(
            "  {name}:\n    elasticJobType: SCRIPT\n    cron: '0 0 0 1 1 ? 2099'\n    shardingTotalCount: 1\n{}    \
             props:\n      script.command.line: {}\n",
            if settings.is_empty() { String::new() } else { format!("    {settings}\n") },
            scene.command_line(options)
        ));
    }
    let begun = now();
    let mut node = scene.node("node", &scene.file("jobs.yaml", &text), &[]);
    let steady = |kind| scene.records().iter().filter(|r| r.job == "steady" && r.kind == kind).count();
    eventually(Duration::from_secs(30), "the steady job runs", || steady(Kind::End) >= 2);
    let from = (now() / 1_000 + 1) * 1_000;

    let jobs: Vec<_> = CASES.iter().map(|case| case.0).chain(["missing"]).collect();
    for job in &jobs {
        scene.tell(&["job", "trigger", job]);
    }
    let outcome = |job: &str| -> Option<Settlement> {
        let all = settlements(&scene.stores()).unwrap();
        all.into_iter().find(|settlement| settlement.job.as_str() == job)
    };
    let mut memory = 0;
    for job in &jobs {
        eventually(Duration::from_secs(60), &format!("{job} has an outcome"), || {
            memory = memory.max(resident_bytes(node.pid()));
            outcome(job).is_some()
        });
    }
    // What a run left behind was to be gone before its outcome was recorded.
    let steady_program = |line: &str| line.contains("--run-ms 20");
    let left: Vec<_> = scene.job_processes().into_iter().filter(|(_, line)| !steady_program(line)).collect();
    assert_eq!(left, [], "processes of misbehaving jobs");
    for (name, _, _, right) in CASES {
        let settlement = outcome(name).unwrap();
        assert!(right(&settlement.outcome), "{name}: {settlement:?}");
    }
    let missing = outcome("missing").unwrap();
    assert!(matches!(missing.outcome, Outcome::Failed { kind: FailureKind::Start, .. }), "{missing:?}");
    println!("the node's memory went up to {} MiB", memory >> 20);
    assert!(memory < MEMORY, "the node took {memory} bytes");

    pass_time(now() + 3_000);
    let to = now() - 2_000;
    node.signal(rustix::process::Signal::TERM);
    assert!(node.wait(Duration::from_secs(20)).success(), "{}", node.talk());
    let all = settlements(&scene.stores()).unwrap();
    let steady = Plan {
        job: "steady".into(),
        items: 2,
        misfire: Misfire::FIRE_ALL,
        due: Plan::every(1_000, begun - 1_000, now() + 1_000),
        required: (from, to),
    };
    let report = check(&History {
        plans: vec![steady],
        records: scene.records().into_iter().filter(|record| record.job == "steady").collect(),
        settlements: all.into_iter().filter(|settlement| settlement.job.as_str() == "steady").collect(),
        lateness_limit: Some(LATEST),
        ..History::default()
    });
    println!("{report}");
    assert!(report.passed(), "{report}");
}
