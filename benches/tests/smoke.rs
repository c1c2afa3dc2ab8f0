//! Every measurement still works, in a tiny size. No figure is judged here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn every_measurement_runs_and_gives_rows_with_values() {
    // At the same time: most of what each of them does is to wait for its instants.
    let mut names = vec![
        "lateness",
        "throughput",
        "takeover",
        "memory",
        "start",
        "herd",
        "events",
        "events-publish",
        "events-queries",
        "events-retention",
        "events-partitions",
    ];
    // Java's side needs a JDK and what e2e/java-peer/build.sh makes.
    let jar = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/java-peer/target/java-peer.jar");
    if jar.exists() && Command::new("jcmd").arg("-h").output().is_ok() {
        names.push("peers");
    }
    run(&names, &[]);
}

#[test]
fn every_measurement_of_the_control_plane_runs_and_gives_rows_with_values() {
    // On one database: each is one more server, and the others are the same code here.
    let on_one = ["server-lists", "server-history", "server-sync", "server-changes"];
    run(&on_one, &["--on", "sqlite"]);
    run(&["server-mirror", "server-takeover"], &[]);
}

fn run(names: &[&'static str], options: &[&str]) {
    let runs = names.iter().map(|name| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clockwright-benches"));
        command.args(["--smoke", "--output", "json"]).args(options).arg(name);
        (*name, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    });
    // All are started before the first is waited for.
    for (name, run) in runs.collect::<Vec<_>>() {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = report["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{name} has no rows");
        for row in rows {
            assert_eq!(row["measurement"], name);
            assert!(!row["product"].as_array().unwrap().is_empty(), "no value in {row}");
        }
    }
}

#[test]
fn an_unknown_name_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_clockwright-benches")).arg("latenes").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("latenes"));
}
