//! The command line as its users meet it: real processes, exit codes, stdout and stderr.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use common::Place;
use std::io::Read as _;
use std::process::Stdio;

const JOBS: &str = "
jobs:
  tick:
    description: each second
    elasticJobType: SCRIPT
    cron: 0/1 * * * * ?
    shardingTotalCount: 3
    props: {script.command.line: 'echo ran'}
  fails:
    elasticJobType: SCRIPT
    cron: 0 0 0 1 1 ? 2099
    shardingTotalCount: 1
    props: {script.command.line: 'false'}
";

#[test]
fn cron_next_answers_without_a_registry() {
    let place = Place::new();
    let args = [
        "cron",
        "next",
        "0 0 9 ? * MON-FRI",
        "--tz",
        "Europe/Berlin",
        "-n",
        "3",
        "--after",
        "2026-03-27T12:00:00Z",
    ];
    let answer = place.run(&args);
    let expected =
        "2026-03-30 09:00:00 CEST (Mon)\n2026-03-31 09:00:00 CEST (Tue)\n2026-04-01 09:00:00 CEST (Wed)\n";
    assert_eq!((answer.code, answer.out.as_str()), (0, expected), "{}", answer.talk);
    let json: serde_json::Value =
        serde_json::from_str(&place.run(&[&args[..], &["-o", "json"]].concat()).out).unwrap();
    assert_eq!(json[0]["utc"], "2026-03-30T07:00:00Z");
}

#[test]
fn a_schedule_that_never_fires_again_is_an_answer() {
    let answer = Place::new().run(&["cron", "next", "0 0 0 1 1 ? 2020"]);
    assert_eq!((answer.code, answer.out.as_str()), (0, ""));
    assert!(answer.talk.contains("never fires again"));
}

#[test]
fn what_cannot_be_used_is_exit_code_2_and_said_on_stderr() {
    let place = Place::new();
    place.write(
        "bad.yaml",
        "jobs: {a: {elasticJobType: SCRIPT, cron: nonsense, props: {script.command.line: x}}}",
    );
    place.write("code.yaml", "jobs: {a: {elasticJobType: SIMPLE, cron: 0 0 12 * * ?}}");
    for (args, words) in [
        (vec!["cron", "next", "61 * * * * ?"], "second"),
        (vec!["cron", "next", "0 0 12 * * ?", "--tz", "Mars/Olympus"], "Mars/Olympus"),
        (vec!["verify", "bad.yaml"], "bad.yaml:1: job `a`: cron: "),
        (vec!["verify", "missing.yaml"], "missing.yaml: cannot be read"),
        (vec!["dev", "-f", "bad.yaml"], "bad.yaml:1: job `a`: cron: "),
        (vec!["verify", "code.yaml"], "code.yaml:1: job `a`: elasticJobType: SIMPLE jobs are code"),
        (vec!["dev", "-f", "code.yaml"], "code.yaml:1: job `a`: elasticJobType: SIMPLE jobs are code"),
        (vec!["node", "-f", "code.yaml"], "code.yaml:1: job `a`: elasticJobType: SIMPLE jobs are code"),
        (vec!["job", "list", "--registry", "etcd://h/ns"], "`etcd` is not a kind of registry"),
        (vec!["job", "disable"], "required"),
        (vec!["run", "list", "--outcome", "odd"], "odd"),
        (vec!["run", "logs", "../../etc/passwd"], "`../../etc/passwd` is no run id and no name of a job"),
        (
            vec!["run", "list", "--from", "1h", "--to", "2h"],
            "--from comes before --to, and `2h` is two hours ago",
        ),
        (vec!["job", "list", "--registry", "h1:2181/ns"], "write `zookeeper://h1:2181/ns`"),
        (vec!["nonsense"], "nonsense"),
    ] {
        let answer = place.run(&args);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{args:?}: {}", answer.talk);
        assert!(answer.talk.contains(words), "{args:?}: {}", answer.talk);
    }
    let left: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing was made: {left:?}");
}

#[test]
fn who_cannot_be_reached_is_exit_code_3() {
    let place = Place::new();
    for args in [
        vec!["job", "list"],
        vec!["run", "list"],
        vec!["job", "list", "--registry", "embedded:/nonexistent/jobs"],
    ] {
        let answer = place.run(&args);
        assert_eq!((answer.code, answer.out.as_str()), (3, ""), "{args:?}: {}", answer.talk);
    }
}

#[test]
fn a_mistyped_name_is_told_from_one_that_has_nothing_to_show() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--data", "here"]);
    place.until(&["run", "list", "tick", "--data", "here"], |rows| rows.as_array().unwrap().len() > 3);
    // One option finds the registry and history.
    let list = place.run(&["job", "list", "--data", "here"]);
    assert!(list.out.contains("NEXT") && list.out.contains("succeeded"), "{list:?}");
    // The record alone cannot know whether a job ran nowhere or is mistyped; the registry can.
    for args in [
        &["run", "list", "tock"][..],
        &["run", "list", "tock", "--attempts"],
        &["stats", "tock"],
        &["ledger", "tock", "--recorded"],
    ] {
        let answer = place.run(&[args, &["--data", "here"]].concat());
        assert!(answer.code == 0 && answer.talk.contains("did you mean `tick`?"), "{args:?}: {answer:?}");
    }
    for (args, words) in [
        (&["ledger", "tock"][..], "did you mean `tick`?"),
        (&["job", "list", "--registry", "embedded:here/jbos"], "did you mean `jobs`?"),
        (&["job", "get", "tick", "--registry", "embedded:here/elsewhere"], "there is jobs"),
    ] {
        let answer = place.run(&[args, &["--data", "here"]].concat());
        assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{args:?}: {answer:?}");
        assert!(answer.talk.contains(words), "{args:?}: {answer:?}");
    }
    let nothing = place.run(&["run", "list", "fails", "--data", "here"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, "no outcomes\n"), "{nothing:?}");
    // What a table shows of an id is taken back.
    let table = place.run(&["run", "list", "tick", "--data", "here", "-n", "1"]);
    let short = table.out.split_whitespace().find(|word| word.matches('-').count() == 2 && word.len() == 18);
    let shown = place.run(&["run", "get", short.unwrap(), "--data", "here"]);
    assert!(shown.code == 0 && shown.out.contains("succeeded"), "{table:?} {shown:?}");
    let dump = place.run(&["job", "dump", "tick", "--data", "here", "-o", "json"]);
    let dump: serde_json::Value = serde_json::from_str(&dump.out).unwrap();
    assert!(dump["dump"].as_str().unwrap().contains("/tick/config"), "{dump}");
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    for option in [&["--keep-job", "tock=1d"][..], &["--sample", "tock=10"]] {
        let answer = place.run(&[&["dev", "-f", "jobs.yaml"], option].concat());
        assert!(answer.code == 2 && answer.talk.contains("did you mean `tick`?"), "{answer:?}");
    }
}

#[test]
fn what_cannot_be_opened_is_said_with_its_cause() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    place.write("file", "");
    let answer = place.run(&["dev", "-f", "jobs.yaml", "--data", "file/x"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(answer.talk.to_lowercase().contains("not a directory"), "{answer:?}");
}

#[test]
fn a_log_has_the_level_and_the_form_that_were_asked_for_and_a_wrong_one_is_refused() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    for (option, value, words) in [
        ("--log-level", "loud", "`loud` is no level"),
        ("--log-format", "xml", "[possible values: text, json]"),
    ] {
        let answer = place.run(&["node", "-f", "jobs.yaml", option, value]);
        assert!(answer.code == 2 && answer.talk.contains(words), "{answer:?}");
    }
    // A database that is not there is something to log.
    let mut node = place.start(&[
        "node",
        "-f",
        "jobs.yaml",
        "--log-level",
        "warn",
        "--log-format",
        "json",
        "--events",
        "postgres://ann:s3cret@127.0.0.1:1/events",
    ]);
    place.until_talk("\"level\":\"WARN\"");
    place.until(&["job", "list"], |jobs| jobs[0]["instanceCount"] == 1);
    assert_eq!(node.terminate(), 0, "{}", place.talk());
    let log = place.talk();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().any(|line| line["level"].is_string() && line["fields"]["message"].is_string()),
        "{log}"
    );
}

#[test]
fn who_closes_stdout_ends_the_talk_and_not_the_jobs() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let mut command = place.command(env!("CARGO_BIN_EXE_clockwright"));
    let log = std::fs::File::create(place.path().join("talk.log")).unwrap();
    command.args(["dev", "-f", "jobs.yaml", "-v"]).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    eventually(PATIENCE, "it is said", || place.talk().contains("the jobs go on"));
    place.until(&["run", "list", "tick"], |rows| rows.as_array().unwrap().len() > 6);
    common::Running::of(child).terminate();
}

#[test]
fn what_scripts_print_and_when_they_start_is_shown_when_asked_for() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "-v"]);
    eventually(PATIENCE, "a run shows", || {
        let shown = place.talk();
        ["tick/0 started", "| ran ", "tick/0 succeeded in "].iter().all(|words| shown.contains(words))
    });
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
}

#[test]
fn a_registry_that_does_not_answer_is_named_while_it_is_tried() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    // Nobody listens there.
    let node =
        place.start(&["node", "-f", "jobs.yaml", "--registry", "zookeeper://ann:s3cret@127.0.0.1:1/jobs"]);
    eventually(PATIENCE, "it says what it tries", || {
        place.talk().contains("connecting to zookeeper://127.0.0.1:1/jobs …")
    });
    drop(node);
    assert!(!place.talk().contains("s3cret"), "{}", place.talk());
}

#[test]
fn only_commands_that_change_something_ask_whether_you_are_sure() {
    let place = Place::new();
    for (words, asks) in [
        (&["job", "list"][..], false),
        (&["job", "get"], false),
        (&["run", "list"], false),
        (&["cron", "next"], false),
        (&["dev"], false),
        (&["job", "trigger"], true),
        (&["job", "drain"], true),
        (&["job", "set"], true),
        (&["shard", "disable"], true),
        (&["host", "shutdown"], true),
    ] {
        let help = place.run(&[words, &["--help"]].concat());
        assert_eq!(help.out.contains("--yes"), asks, "{words:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let place = Place::new();
    let mut command = place.command(env!("CARGO_BIN_EXE_clockwright"));
    let args = ["cron", "next", "* * * * * ?", "-n", "1000", "-o", "json"];
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert_eq!((child.wait().unwrap().code(), talk.as_str()), (Some(0), ""));
}

#[test]
fn every_command_has_help_and_none_shows_a_password() {
    let place = Place::new();
    for words in [
        "",
        "dev",
        "node",
        "verify",
        "cron",
        "cron next",
        "shard",
        "shard disable",
        "shard enable",
        "run",
        "run list",
        "run get",
        "run logs",
        "ledger",
        "stats",
        "job",
        "job list",
        "job get",
        "job trigger",
        "job pause",
        "job resume",
        "job disable",
        "job enable",
        "job drain",
        "job dump",
    ] {
        let mut command = place.command(env!("CARGO_BIN_EXE_clockwright"));
        command.args(words.split_whitespace()).arg("--help");
        let output = command.env("CLOCKWRIGHT_REGISTRY", "zookeeper://ann:s3cret@h1/ns").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("Usage: "), "{words}");
        assert!(!help.contains("s3cret"), "{words}");
        assert!(!words.is_empty() || !help.contains("exec-task"), "people need not see it");
    }
}

#[test]
fn a_dev_is_seen_and_steered_from_another_process_and_ends_when_asked() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instance-ip", "10.9.8.7"]);

    let tick = place.until(&["job", "get", "tick"], |job| {
        let items = job["items"].as_array().unwrap();
        items.len() == 3 && items.iter().all(|item| item["last"]["outcome"] == "succeeded")
    });
    assert_eq!((&tick["status"], &tick["instanceCount"]), (&"OK".into(), &3.into()));
    assert!(tick["leader"].as_str().unwrap().starts_with("10.9.8.7@-@"));
    let list = place.run(&["job", "list"]);
    assert!(
        list.out.contains("tick") && list.out.contains("each second") && list.out.contains("OK"),
        "{}",
        list.out
    );
    place.until(&["job", "get", "tick"], |job| {
        let mut owners: Vec<_> =
            job["items"].as_array().unwrap().iter().map(|item| item["owner"].to_string()).collect();
        owners.sort();
        owners.dedup();
        owners.len() == 3
    });

    assert_eq!(place.run(&["shard", "disable", "tick", "1"]).code, 0);
    place.until(&["job", "get", "tick"], |job| job["items"][1]["status"] == "DISABLED");
    assert_eq!(place.run(&["shard", "disable", "tick", "9"]).code, 1);
    assert_eq!(place.run(&["shard", "enable", "tick", "1"]).code, 0);

    assert_eq!(place.run(&["job", "trigger", "fails"]).code, 0);
    place.until(&["job", "get", "fails"], |job| job["items"][0]["last"]["outcome"] == "failed");
    let failed = place
        .until(&["run", "list", "fails", "--outcome", "failed"], |rows| rows.as_array().unwrap().len() == 1);
    let run = place.run(&["run", "get", failed[0]["runId"].as_str().unwrap()]);
    assert!(run.code == 0 && run.out.contains("trigger"), "{run:?}");

    assert_eq!(place.run(&["job", "drain", "tick", "--reason", "lunch"]).code, 0);
    let paused = place.until(&["job", "get", "tick"], |job| job["status"] == "PAUSED");
    assert_eq!(paused["paused"]["reason"], "lunch");
    place.until_talk("tick: paused");
    assert_eq!(place.run(&["job", "resume", "tick"]).code, 0);

    let dump = place.run(&["job", "dump", "tick"]);
    assert!(dump.out.contains("/tick/servers/ip1 | \n") && !dump.out.contains("10.9.8.7"), "{}", dump.out);
    assert!(place.run(&["job", "dump", "tick", "--show-ips"]).out.contains("10.9.8.7"));
    let unknown = place.run(&["job", "get", "tock"]);
    assert!(unknown.code == 1 && unknown.talk.contains("did you mean `tick`?"), "{unknown:?}");

    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    let shown = place.talk();
    for words in
        ["tick/0 succeeded in ", " at 10.9.8.7, shown as #1 to #3", "tick: paused", "fails/0 failed in "]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("| ran"), "what scripts print is for -v: {shown}");
    let after = place.run(&["job", "get", "tick", "-o", "json"]);
    let job: serde_json::Value = serde_json::from_str(&after.out).unwrap();
    assert_eq!(
        (&job["status"], &job["instances"]),
        (&"CRASHED".into(), &serde_json::json!([])),
        "they left the registry"
    );
}

#[test]
fn what_a_run_printed_is_read_by_its_id() {
    let place = Place::new();
    let command = "sh -c 'echo to work; echo trouble >&2; exit 3' --";
    let body = |command| {
        format!(
            "elasticJobType: SCRIPT, cron: 0 0 0 1 1 ? 2099, props: {{script.command.line: \"{command}\"}}"
        )
    };
    place.write("jobs.yaml", &format!("jobs: {{fails: {{{}}}, quiet: {{{}}}}}", body(command), body("true")));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--fire-now"]);
    let row = |job| place.until(&["run", "list", job], |rows| rows.as_array().unwrap().len() == 1)[0].clone();
    let (fails, quiet) = (row("fails"), row("quiet"));
    let id = fails["runId"].as_str().unwrap();
    let printed = place.run(&["run", "logs", id]);
    assert_eq!(printed.code, 0, "{printed:?}");
    let mut lines: Vec<_> = printed.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["to work", "trouble"]);
    let shown = place.run(&["run", "get", id]);
    assert!(shown.out.contains(&format!("log          {}", fails["log"].as_str().unwrap())), "{shown:?}");
    // Nothing was printed; another machine has it; nobody has heard of it.
    for (id, data, words) in [
        (quiet["runId"].as_str().unwrap(), ".clockwright", "printed nothing that instance"),
        (id, "elsewhere", "is not in elsewhere/logs: instance"),
        ("0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", ".clockwright", "there is no run 0196a1b2"),
    ] {
        std::fs::create_dir_all(place.path().join("elsewhere")).unwrap();
        let events = format!("sqlite:{}", place.path().join(".clockwright/events.db").display());
        let answer = place.run(&["run", "logs", id, "--data", data, "--events", &events]);
        assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{answer:?}");
        assert!(answer.talk.contains(words), "{answer:?}");
    }
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    // The database is gone; the log is still there.
    std::fs::remove_file(place.path().join(".clockwright/events.db")).unwrap();
    let json = place.run(&["run", "logs", id, "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(json["text"].as_str().unwrap().contains("trouble\n"), "{json}");
}

#[test]
fn a_second_signal_ends_what_the_first_one_lets_run_and_the_outcome_says_so() {
    let place = Place::new();
    let command = "sh -c 'exec sleep 1000'";
    let body = format!(
        "elasticJobType: SCRIPT, cron: 0 0 0 1 1 ? 2099, props: {{script.command.line: \"{command}\"}}"
    );
    place.write("jobs.yaml", &format!("jobs: {{long: {{{body}}}}}"));
    let mut dev =
        place.start(&["dev", "-f", "jobs.yaml", "--instances", "1", "--shutdown-grace", "10m", "--fire-now"]);
    place.until(&["job", "get", "long"], |job| job["items"][0]["running"] == true);
    dev.signal();
    eventually(PATIENCE, "what it waits for is said", || {
        place.talk().contains("shutting down, waiting up to 600 s for long/0; a second signal")
    });
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    let rows = place.until(&["run", "list", "long"], |rows| rows.as_array().unwrap().len() == 1);
    assert_eq!(rows[0]["outcome"], "cancelled", "{rows}");
}

#[test]
fn two_nodes_of_one_machine_share_an_embedded_registry() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let registry = ["--registry", "embedded:.clockwright/jobs", "--session-timeout", "2s"];
    let node =
        |data: &str| place.start(&[&["node", "-f", "jobs.yaml", "--data", data], &registry[..]].concat());
    let _first = node("first");
    place.until(&["job", "list"], |jobs| jobs[0]["instanceCount"] == 1);
    let mut second = node("second");
    place.until(&["job", "get", "tick"], |job| {
        job["instances"].as_array().unwrap().iter().filter(|instance| instance["itemCount"] != 0).count() == 2
    });
    assert_eq!(second.terminate(), 0, "{}", place.talk());
    place.until(&["job", "get", "tick"], |job| {
        job["instanceCount"] == 1 && job["items"][2]["owner"] == job["leader"]
    });
}

#[test]
fn a_dev_follows_its_file_and_keeps_what_it_had_when_there_is_a_mistake() {
    let file = |cron: &str, line: &str, more: &str| {
        format!(
            "jobs:\n  a: {{elasticJobType: SCRIPT, cron: \"{cron}\", retry: {{maxAttempts: 2}}, props: {{script.command.line: {line}}}}}\n{more}"
        )
    };
    let place = Place::new();
    place.write("jobs.yaml", &file("0 0 12 * * ?", "echo one", ""));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1", "-v"]);
    let before = place.until(&["job", "get", "a"], |job| job["instanceCount"] == 1);

    place.write("jobs.yaml", &file("0 0 13 * * ?", "echo one", ""));
    place.until(&["job", "get", "a"], |job| job["cron"] == "0 0 13 * * ?");
    place.write("jobs.yaml", &file("nonsense", "echo one", ""));
    place.until_talk("cannot be used; the jobs go on as they were");
    assert_eq!(place.until(&["job", "get", "a"], |_| true)["cron"], "0 0 13 * * ?");

    let more = "  b: {elasticJobType: SCRIPT, cron: 0 0 12 * * ?, props: {script.command.line: echo new}}\n";
    place.write("jobs.yaml", &file("0 0 13 * * ?", "echo two", more));
    place.until(&["job", "get", "b"], |job| job["items"][0]["owner"].is_string());
    place.until(&["job", "get", "a"], |job| job["instanceCount"] == 1);
    place.until_talk("job `b` is new");
    place.run(&["job", "trigger", "a"]);
    place.until_talk(" | two");
    assert!(!place.talk().contains(" | one"), "{}", place.talk());

    // One that leaves the file while it runs is served no more when its run has ended, and the other one does not notice.
    let slow = "  b: {elasticJobType: SCRIPT, cron: 0 0 12 * * ?, props: {script.shell: true, script.command.line: 'until [ -e end ]; do sleep 0.05; done'}}\n";
    place.write("jobs.yaml", &file("0 0 13 * * ?", "echo two", slow));
    place.until_talk("job `b`: props");
    place.until(&["job", "get", "b"], |job| job["instanceCount"] == 1);
    place.run(&["job", "trigger", "b"]);
    place.until(&["job", "get", "b"], |job| job["items"][0]["running"] == true);
    place.write("jobs.yaml", &file("0 0 13 * * ?", "echo two", ""));
    place.until(&["job", "get", "b"], |job| job["instanceCount"] == 0);
    place.until_talk("job `b` is no longer in the file and is served no more");
    place.run(&["job", "trigger", "a"]);
    place.until(&["run", "list", "a"], |runs| runs.as_array().unwrap().len() == 2);
    place.write("end", "");
    place.until(&["run", "list", "b"], |runs| runs[0]["outcome"] == "succeeded");
    let after = place.until(&["job", "get", "a"], |job| job["instanceCount"] == 1);
    assert_eq!(after["instances"][0]["id"], before["instances"][0]["id"], "it is the same all along");
    assert_eq!(dev.terminate(), 0, "{}", place.talk());

    // An edit made while nothing ran counts at the next start.
    place.write("jobs.yaml", &file("0 0 14 * * ?", "echo two", more));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1"]);
    place.until_talk("job `a`: cron: 0 0 13 * * ? → 0 0 14 * * ?");
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
}

#[test]
fn a_node_names_the_settings_that_the_registry_has_otherwise() {
    let place = Place::new();
    let job = |settings: &str| {
        format!(
            "jobs: {{a: {{elasticJobType: SCRIPT, {settings}, timeout: 1m, props: {{script.command.line: echo}}}}}}\n"
        )
    };
    let node = ["node", "-f", "jobs.yaml", "--registry", "embedded:d/jobs", "--data", "d"];
    let list = ["job", "get", "a", "--registry", "embedded:d/jobs"];
    place.write("jobs.yaml", &job("cron: 0 0 12 * * ?"));
    let mut first = place.start(&node);
    place.until(&list, |job| job["instanceCount"] == 1);
    assert_eq!(first.terminate(), 0, "{}", place.talk());
    assert!(!place.talk().contains("in the registry"), "{}", place.talk());
    place.write("jobs.yaml", &job("cron: 0 0 13 * * ?, shardingTotalCount: 3"));
    let mut second = place.start(&node);
    let told = "note: job `a`: the registry's settings win over the file's; `overwrite: true`, or `clockwright job set`, takes the \
                file's over: cron is 0 0 13 * * ? in the file and 0 0 12 * * ? in the registry; shardingTotalCount is 3 in the file \
                and 1 in the registry";
    place.until_talk(told);
    assert_eq!(second.terminate(), 0, "{}", place.talk());
}
