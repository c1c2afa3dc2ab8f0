//! What happens where the system gives no more processes, threads or descriptors: runs wait for others, then say so, and nothing else suffers.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Place, Running};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_clockwright");
/// Who has no processes yet: limits count all of a user, and root has none.
const NOBODY: u32 = 65_534;
/// Enough for the program and a few scripts, and too few for all items.
const PROCESSES: usize = 40;

/// Scripts that take longer than a start waits for room, which is 10 s: so those that find none fail, however fast the machine is.
const MANY: &str = "
jobs:
  many:
    elasticJobType: SCRIPT
    cron: 0 0 0 1 1 ? 2099
    shardingTotalCount: 120
    props: {script.command.line: sleep 12, script.context: env}
";

/// How many threads a user has.
fn threads_of(user: u32) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
    own.filter_map(|entry| Some(std::fs::read_dir(entry.path().join("task")).ok()?.count())).sum()
}

#[test]
fn more_scripts_than_processes_are_allowed_fail_or_wait_and_all_of_it_is_on_record() {
    let place = Place::new();
    place.write("jobs.yaml", MANY);
    let root = rustix::process::getuid().is_root();
    let user = if root { NOBODY } else { rustix::process::getuid().as_raw() };
    let limit = format!("--nproc={}", threads_of(user) + PROCESSES);
    let mut dev = match root {
        true => {
            chown(place.path(), Some(NOBODY), None).unwrap();
            // Where it was built others may not look.
            std::fs::copy(PROGRAM, place.path().join("clockwright")).unwrap();
            let mut dev = place.command("setpriv");
            dev.args(["--reuid=65534", "--clear-groups", "prlimit"]);
            dev
        }
        false => place.command("prlimit"),
    };
    let program = if root { "./clockwright" } else { PROGRAM };
    let mut dev = fired(&place, dev.args([&limit, program]));

    let rows = outcomes(&place, "many", 120);
    let failed: Vec<_> = rows.iter().filter(|row| row["outcome"] == "failed").collect();
    let succeeded = rows.iter().filter(|row| row["outcome"] == "succeeded").count();
    assert_eq!(failed.len() + succeeded, 120);
    assert!(succeeded > 0 && !failed.is_empty(), "the limit was not met: {succeeded} succeeded");
    for row in failed {
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.contains("no more processes may be started"), "{reason}");
    }
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
}

#[test]
fn more_requests_than_descriptors_are_allowed_wait_for_each_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Each answer takes long enough for all that may be under way to be so.
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = connection.read(&mut [0; 4096]);
                std::thread::sleep(Duration::from_millis(300));
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            });
        }
    });
    let place = Place::new();
    place.write(
        "jobs.yaml",
        &format!(
            "jobs:\n  calls:\n    elasticJobType: HTTP\n    cron: 0 0 0 1 1 ? 2099\n    shardingTotalCount: 60\n    \
             props: {{http.uri: 'http://127.0.0.1:{port}/', http.method: POST}}\n"
        ),
    );
    let mut dev = fired(&place, place.command("prlimit").args(["--nofile=48:48", PROGRAM]));
    for row in outcomes(&place, "calls", 60) {
        assert_eq!(row["outcome"], "succeeded", "{row}");
    }
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
}

/// A `dev` under way behind this command, with all items of its file fired.
fn fired(place: &Place, command: &mut Command) -> Running {
    let log = std::fs::File::create(place.path().join("talk.log")).unwrap();
    command.args(["dev", "-f", "jobs.yaml", "--instances", "1", "--fire-now", "--no-server"]);
    Running::of(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

fn outcomes(place: &Place, job: &str, count: usize) -> Vec<serde_json::Value> {
    let rows = place.until(&["run", "list", job, "-n", "200"], |rows| {
        assert!(!place.talk().contains("panicked"), "{}", place.talk());
        rows.as_array().unwrap().len() == count
    });
    rows.as_array().unwrap().clone()
}
