//! Starts, watches, hurts and buries real processes.
//!
//! A [`Scene`] is one scenario's private folder: jobs files, the log that its jobs share, and the data folder of each
//! node. A [`Node`] is one `clockwright node` process. Whatever a scenario does or however it fails, nothing survives
//! it: nodes are killed on drop and by the kernel when the test's thread dies, and jobs are found by the scene's folder,
//! which is in their command line.
//!
//! Nothing here sleeps for a fixed time in the hope that something has happened; [`eventually`] polls with a deadline.

mod client;
mod link;
mod nginx;
mod node;
mod plane;
mod scene;
mod servers;

pub use client::{Client, Reply};
pub use clockwright_testkit::patience::{eventually, eventually_or};
pub use link::Link;
pub use nginx::Nginx;
pub use node::Node;
pub use plane::{Desk, Plane, SESSION, Setup};
pub use scene::Scene;
pub use servers::Servers;

use rustix::process::{Pid, Signal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Lets the scenario's time go by: waits until the wall clock shows `until` (epoch milliseconds).
pub fn pass_time(until: i64) {
    let left = u64::try_from(until - now()).unwrap_or(0);
    eventually(Duration::from_millis(left + 60_000), "time passes", || now() >= until);
}

/// The wall clock, epoch milliseconds.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is after 1970");
    i64::try_from(since.as_millis()).expect("milliseconds fit for millions of years")
}

/// A number from the environment, for durations that a bounded run shortens and a long run stretches.
#[must_use]
pub fn env_number(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The processes whose command line contains `text`, with that command line. Zombies have none.
#[must_use]
pub fn processes_with(text: &str) -> Vec<(u32, String)> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let lines = pids.filter_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    let me = std::process::id();
    lines.filter(|(pid, line)| *pid != me && line.contains(text)).collect()
}

/// The resident memory of a process, bytes; 0 when it is gone.
#[must_use]
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Sends a signal to a process.
///
/// # Errors
/// When there is no such process.
pub fn kill(pid: u32, signal: Signal) -> std::io::Result<()> {
    Ok(rustix::process::kill_process(pid_of(pid), signal)?)
}

fn pid_of(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id is positive")
}

/// One of this package's own programs: `e2e-job`, the job of the scenarios, or `e2e-peer`, an instance whose job is code.
///
/// # Panics
/// When it is not built: run the tests through cargo, which builds it first.
#[must_use]
pub fn own_program(name: &str) -> PathBuf {
    let program = profile_dir().join(name);
    assert!(program.exists(), "{} is missing; `cargo test -p clockwright-e2e` builds it", program.display());
    program
}

/// The program under test: `CLOCKWRIGHT_BIN` if set, else the one of this build, brought up to date first.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn clockwright() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("CLOCKWRIGHT_BIN") {
            return program.into();
        }
        let dir = profile_dir();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // As `make test` does, with the features of the whole workspace and its tests, so that nothing is compiled twice.
        build.args(["build", "--quiet", "--workspace", "--bins", "--examples"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if dir.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo can be started");
        assert!(status.success(), "the program under test does not build");
        dir.join("clockwright")
    })
}

/// `target/debug` or `target/release`: where this test's executable lies, without `deps`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test is known");
    let dir = test.parent().expect("it lies in a folder");
    let dir = if dir.ends_with("deps") { dir.parent().expect("deps lies in a folder") } else { dir };
    dir.to_owned()
}
