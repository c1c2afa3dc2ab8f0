//! Every command with data has it as JSON, whose keys are all written alike.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Place, ticks};
use serde_json::Value;
use std::collections::BTreeSet;

/// Commands without data: they go on until they are ended, or print a text that is no data.
const NO_DATA: [&str; 6] = ["completion", "dev", "node", "secret-rotate", "secret-seal", "server"];

/// Commands, or the beginnings of their names, that ask a server: `through_server.rs` has them.
const OF_A_SERVER: [&str; 19] = [
    "alert-",
    "audit-",
    "apply",
    "diff",
    "drift-",
    "export",
    "hold-",
    "job-create",
    "job-edit",
    "job-rollback",
    "job-versions",
    "login",
    "logout",
    "operation-",
    "project-",
    "silence-",
    "sync-",
    "token-",
    "user-",
];

/// Keys that are not ours: what was configured is shown as it stands in the registry.
fn is_as_configured(path: &str) -> bool {
    path.split('.').any(|part| part == "settings")
}

fn check_keys(value: &Value, path: &str, command: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let camel = key.starts_with(|c: char| c.is_ascii_lowercase())
                    && key.chars().all(|c| c.is_ascii_alphanumeric());
                let path = format!("{path}.{key}");
                assert!(camel || is_as_configured(&path), "`{command}` says `{path}`");
                check_keys(value, &path, command);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| check_keys(value, path, command)),
        _ => {}
    }
}

/// The commands that the manual has a page for, without those that only group others.
fn commands(place: &Place) -> BTreeSet<String> {
    let folder = place.path().join("man");
    assert_eq!(place.run(&["reference", "man", folder.to_str().unwrap()]).code, 0);
    let pages =
        std::fs::read_dir(folder).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = pages
        .filter_map(|page| Some(page.strip_suffix(".1")?.strip_prefix("clockwright-")?.to_owned()))
        .collect();
    let is_group = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}-")));
    let of_a_server = |name: &str| OF_A_SERVER.iter().any(|beginning| name.starts_with(beginning));
    let has_data = |name: &String| !is_group(name) && !NO_DATA.contains(&name.as_str()) && !of_a_server(name);
    names.iter().filter(|name| has_data(name)).cloned().collect()
}

#[test]
fn every_command_with_data_has_it_as_json_with_keys_in_camel_case() {
    let place = Place::new();
    place.write("jobs.yaml", &ticks(2));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1"]);
    let row = |row: &Value| row["outcome"] == "succeeded";
    let rows = place
        .until(&["run", "list", "tick"], |rows| rows.as_array().is_some_and(|rows| rows.iter().any(row)));
    let run = rows.as_array().unwrap().iter().find(|found| row(found)).unwrap()["runId"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut said = BTreeSet::new();
    let mut ask = |name: &str, more: &[&str]| {
        let words: Vec<&str> = name.split('-').chain(more.iter().copied()).chain(["-o", "json"]).collect();
        let command = words.join(" ");
        let answer = place.run(&words);
        let data: Value = serde_json::from_str(&answer.out)
            .unwrap_or_else(|error| panic!("`{command}`: {error}: {answer:?}"));
        check_keys(&data, "", &command);
        said.insert(name.to_owned());
        (answer.code, data)
    };
    assert_eq!(ask("config-show", &[]).0, 0);
    assert!(ask("doctor", &[]).1.as_array().is_some_and(|found| !found.is_empty()), "no server runs here");
    assert_eq!(ask("cron-next", &["0 0 12 * * ?"]).0, 0);
    assert_eq!(ask("run-get", &[&run]).0, 0);
    for line in [
        "verify jobs.yaml, job-list, job-get tick, job-dump tick, host-list, ledger tick --from 1m, stats --from 1h",
        "run-list tick -n 1, run-list tick -n 1 --attempts",
        "job-trigger tick, job-set tick --description tests, shard-disable tick 0, shard-enable tick 0, shard-resume tick --from now",
        "job-disable tick, job-enable tick, job-pause tick, job-resume tick, job-drain tick, job-history tick",
    ] {
        for command in line.split(", ") {
            let words: Vec<&str> = command.split(' ').collect();
            let (code, data) = ask(words[0], &words[1..]);
            assert_eq!(code, 0, "{command}: {data}");
        }
    }
    let list = ask("host-list", &[]).1;
    let ip = list[0]["ip"].as_str().unwrap();
    for name in ["host-disable", "host-enable", "host-shutdown"] {
        ask(name, &[ip]);
    }
    ask("job-shutdown", &["tick"]);
    dev.terminate();
    ask("job-remove", &["tick"]);
    assert_eq!(ask("backup", &["control.backup"]).0, 0);
    assert_eq!(ask("restore", &["control.backup", "--data", "fresh"]).0, 0);
    // What this one prints is in no store: a script that prints has to have run.
    place.write("jobs.yaml", &ticks(1).replace("'true'", "echo hello"));
    let mut dev = place.start(&["dev", "-f", "jobs.yaml", "--instances", "1"]);
    place.until(&["run", "logs", "tick"], |log| {
        log["text"].as_str().is_some_and(|text| text.contains("hello"))
    });
    ask("run-logs", &["tick"]);
    dev.terminate();
    assert_eq!(said, commands(&place), "each command is asked, or named as one without data");
}
