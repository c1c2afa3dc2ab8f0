//! Scripts as their users meet them: where they run, what shows of them while they run, and how they are asked to end.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use common::{Answer, Place};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;

/// A script that says something, waits for a file beside the jobs file, and says something more.
const TALKS: &str = "
jobs:
  talks:
    elasticJobType: SCRIPT
    cron: 0 0 0 1 1 ? 2099
    props:
      script.shell: 'true'
      script.context: env
      script.env.WORD: two
      script.command.line: 'echo one; while [ ! -e go ]; do sleep 0.05; done; echo $WORD'
";

/// A `dev` under way whose run has said its first word.
fn talking(place: &Place) -> (std::process::Child, String) {
    let jobs = place.path().join("jobs");
    std::fs::create_dir(&jobs).unwrap();
    std::fs::write(jobs.join("jobs.yaml"), TALKS).unwrap();
    // Whoever runs the tests in the background ignores some signals, and the program would rightly do so too.
    let mut dev = place.command("env");
    dev.args(["--default-signal=HUP,QUIT", env!("CARGO_BIN_EXE_clockwright")]);
    let log = std::fs::File::create(place.path().join("talk.log")).unwrap();
    dev.args(["dev", "-f", "jobs/jobs.yaml", "--instances", "1", "--fire-now"]);
    let dev = dev.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let rows =
        place.until(&["run", "list", "talks", "--attempts"], |rows| rows.as_array().unwrap().len() == 1);
    let id = rows[0]["id"].as_str().unwrap().to_owned();
    eventually(PATIENCE, "its first word shows", || place.run(&["run", "logs", &id]).out == "one\n");
    (dev, id)
}

fn signal(process: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

#[test]
fn a_run_is_read_and_followed_while_it_runs() {
    let place = Place::new();
    let (mut dev, id) = talking(&place);
    let now = place.run(&["run", "logs", "talks"]);
    assert_eq!((now.code, now.out.as_str()), (0, "one\n"));
    assert!(now.talk.contains(&format!("run {id} goes on")), "{now:?}");
    let mut follow = place.command(env!("CARGO_BIN_EXE_clockwright"));
    follow.args(["run", "logs", "-f", "talks", "--item", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let follow = follow.spawn().unwrap();
    // Beside the jobs file: that is where its scripts run.
    std::fs::write(place.path().join("jobs/go"), "").unwrap();
    let followed = Answer::of(&follow.wait_with_output().unwrap());
    assert_eq!((followed.code, followed.out.as_str()), (0, "one\ntwo\n"), "{followed:?}");
    place.until(&["run", "list", "talks"], |rows| rows[0]["outcome"] == "succeeded");
    let ended = place.run(&["run", "logs", "talks"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.talk.as_str()), (0, "one\ntwo\n", ""));
    signal(&dev, Signal::TERM);
    assert_eq!(dev.wait().unwrap().code(), Some(0));
}

#[test]
fn what_a_run_printed_that_was_killed_with_its_process_is_still_there() {
    let place = Place::new();
    let (mut dev, id) = talking(&place);
    dev.kill().unwrap();
    dev.wait().unwrap();
    let left = place.run(&["run", "logs", &id]);
    assert_eq!((left.code, left.out.as_str()), (0, "one\n"));
    assert!(left.talk.contains("the process that ran it died"), "{left:?}");
    let followed = place.run(&["run", "logs", "-f", &id]);
    assert_eq!((followed.code, followed.out.as_str()), (0, "one\n"), "nothing more is waited for");
}

#[test]
fn a_job_without_a_run_and_a_character_set_that_is_none_are_named() {
    let place = Place::new();
    let (mut dev, _) = talking(&place);
    let none = place.run(&["run", "logs", "walks"]);
    assert_eq!(none.code, 1);
    assert!(none.talk.contains("no run of a job of that name is on record"), "{none:?}");
    let wrong = place.run(&["run", "logs", "talks", "--encoding", "klingon"]);
    assert!(
        wrong.code == 2 && wrong.talk.contains("it is a character set of the Web, for example gbk"),
        "{wrong:?}"
    );
    dev.kill().unwrap();
    dev.wait().unwrap();
}

#[test]
fn bytes_stay_as_they_came_and_are_read_in_the_character_set_that_is_named() {
    let place = Place::new();
    let jobs = "
jobs:
  gbk:
    elasticJobType: SCRIPT
    cron: 0 0 0 1 1 ? 2099
    props: {script.shell: 'true', script.command.line: \"printf '\\\\310\\\\325\\\\261\\\\250\\\\n'\"}
";
    place.write("jobs.yaml", jobs);
    let _dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1", "--fire-now"]);
    place.until(&["run", "list", "gbk"], |rows| rows.as_array().unwrap().len() == 1);
    let raw = place.command(env!("CARGO_BIN_EXE_clockwright")).args(["run", "logs", "gbk"]).output().unwrap();
    assert_eq!(raw.stdout, b"\xc8\xd5\xb1\xa8\n");
    assert_eq!(place.run(&["run", "logs", "gbk", "--encoding", "gbk"]).out, "日报\n");
}

#[test]
fn a_terminal_that_goes_away_ends_a_dev_as_sigterm_does() {
    for kind in [Signal::HUP, Signal::QUIT] {
        let place = Place::new();
        let (mut dev, _) = talking(&place);
        signal(&dev, kind);
        eventually(PATIENCE, "the shutdown begins", || place.talk().contains("shutting down"));
        std::fs::write(place.path().join("jobs/go"), "").unwrap();
        assert_eq!(dev.wait().unwrap().code(), Some(0), "{}", place.talk());
        let rows = place.until(&["run", "list", "talks"], |rows| rows.as_array().unwrap().len() == 1);
        assert_eq!(rows[0]["outcome"], "succeeded", "it had the grace period to end in");
    }
}
