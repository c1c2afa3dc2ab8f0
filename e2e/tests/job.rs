//! The witness itself: what the job program of the scenarios writes is what it does.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_e2e::harness::{eventually, kill, processes_with};
use clockwright_e2e::record::{Kind, Record, read_log};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the job for item 3 of a job, as the runtime does.
fn start(log: &Path, token: u32, options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_e2e-job"))
        .arg("--log")
        .arg(log)
        .arg("--locks")
        .arg(log.parent().unwrap())
        .args(options)
        .arg(r#"{"jobName":"a","taskId":"a@-@3@-@READY@-@10.0.0.1@-@77-2","shardingTotalCount":4,"shardingItem":3}"#)
        .envs([
            ("CLOCKWRIGHT_JOB", "a"),
            ("CLOCKWRIGHT_ITEM", "3"),
            ("CLOCKWRIGHT_FIRE_TIME", "1700000000000"),
        ])
        .envs([("CLOCKWRIGHT_ATTEMPT", "2"), ("CLOCKWRIGHT_RUN_ID", "r")])
        .env("CLOCKWRIGHT_TOKEN", token.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn has(log: &Path, wanted: impl Fn(&Record) -> bool) -> bool {
    read_log(log).unwrap().iter().any(wanted)
}

#[test]
fn a_run_records_its_start_its_life_and_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let status = start(&log, 9, &["--run-ms", "60", "--exit", "4"]).wait().unwrap();
    assert_eq!(status.code(), Some(4));
    let records = read_log(&log).unwrap();
    let (first, last) = (&records[0], records.last().unwrap());
    assert_eq!((first.kind, last.kind, last.code), (Kind::Start, Kind::End, Some(4)));
    assert!(records.iter().any(|record| record.kind == Kind::Beat));
    assert!(last.mono_ns - first.mono_ns >= 60_000_000 && last.wall_ms - first.wall_ms >= 59);
    assert_eq!((first.item, first.attempt, first.token, first.run.as_str()), (3, 2, 9, "r"));
    assert_eq!((first.instance.as_deref(), first.fire.as_str()), (Some("10.0.0.1@-@77-2"), "1700000000000"));
}

#[test]
fn a_run_beside_a_living_one_of_the_same_item_says_so_and_after_its_death_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut first = start(&log, 1, &["--forever"]);
    eventually(PATIENCE, "the first run holds the lock", || has(&log, |record| record.kind == Kind::Beat));
    assert!(start(&log, 2, &[]).wait().unwrap().success());
    assert!(has(&log, |record| record.kind == Kind::Overlap && record.token == 2));
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(start(&log, 3, &[]).wait().unwrap().success());
    assert!(!has(&log, |record| record.kind == Kind::Overlap && record.token == 3));
}

#[test]
fn a_run_that_ignores_sigterm_lives_until_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut run = start(&log, 1, &["--forever", "--ignore-term"]);
    eventually(PATIENCE, "the run is alive", || has(&log, |record| record.kind == Kind::Beat));
    kill(run.id(), rustix::process::Signal::TERM).unwrap();
    let beats = read_log(&log).unwrap().len();
    eventually(PATIENCE, "it goes on", || read_log(&log).unwrap().len() > beats + 3);
    assert!(run.try_wait().unwrap().is_none());
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_descendant_in_its_own_session_outlives_the_run_until_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    assert!(start(&log, 1, &["--fork-setsid"]).wait().unwrap().success());
    let ended = read_log(&log).unwrap().len();
    eventually(PATIENCE, "the descendant writes", || read_log(&log).unwrap().len() > ended + 3);
    let left = processes_with(log.to_str().unwrap());
    assert_eq!(left.len(), 1, "{left:?}");
    kill(left[0].0, rustix::process::Signal::KILL).unwrap();
    eventually(PATIENCE, "it is gone", || processes_with(log.to_str().unwrap()).is_empty());
}
