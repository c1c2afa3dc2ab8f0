//! The command line through a server: signing in and out, the same commands with the same JSON as of a registry, what only a server knows, and how each kind of
//! failure ends.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::{Answer, Place, Running, ticks};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

const PASSWORD: &str = "correct horse battery staple";
/// The project's namespace of the server's registry.
const REGISTRY: &str = "embedded:.clockwright/billing";

/// A server with its first administrator signed in on the command line, and the project `billing`.
fn signed_in() -> (Place, Running, String) {
    let place = Place::new();
    let (server, address, link) = place.serve();
    let answer = place.type_in(&["login", "--link", "--project", "billing"], &[&link, "root", PASSWORD]);
    assert_eq!(answer.code, 0, "{answer:?}");
    done(&place, &["project", "create", "billing"]);
    (place, server, address)
}

/// The JSON of a command that works, also where it asks for the password.
#[track_caller]
fn done(place: &Place, args: &[&str]) -> Value {
    let args = [args, &["-o", "json"]].concat();
    let answer = place.type_in(&args, &[PASSWORD]);
    assert_eq!(answer.code, 0, "{args:?}: {answer:?}\n{}", place.talk());
    if answer.out.is_empty() { Value::Null } else { serde_json::from_str(&answer.out).unwrap() }
}

#[track_caller]
fn fails(answer: &Answer, code: i32, told: &str) {
    assert_eq!(answer.code, code, "{answer:?}");
    assert!(answer.talk.contains(told), "`{told}` is not in {answer:?}");
}

fn context(place: &Place) -> std::path::PathBuf {
    place.path().join("config/clockwright/login.json")
}

/// Where the members of a JSON are: `[].items[].owner`.
fn shape(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                found.insert(path.clone());
                // Settings are as they stand in the registry, the same for both.
                if key != "settings" {
                    shape(value, &path, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| shape(value, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn a_job_is_made_run_changed_taken_back_and_healed_and_all_of_it_is_in_the_journal() {
    let (place, _server, _) = signed_in();
    place.write("jobs.yaml", &ticks(2));
    let made =
        done(&place, &["job", "create", "-f", "jobs.yaml", "--reason", "the first one", "--owner", "root"]);
    assert_eq!((&made["name"], &made["version"]), (&json!("tick"), &json!(1)));
    place.until(&["sync", "status", "tick"], |sync| sync["state"] == "written");
    let _node = place.start(&["node", "-f", "jobs.yaml", "--registry", REGISTRY]);
    place.until(&["run", "list", "tick"], |rows| rows[0]["outcome"] == "succeeded");
    place.until(&["job", "list"], |jobs| {
        jobs[0]["status"] == "OK" && jobs[0]["last"]["outcome"] == "succeeded"
    });

    assert_eq!(
        done(&place, &["job", "set", "tick", "--description", "ticks"]),
        json!({ "changed": 1, "unchanged": 0 })
    );
    assert_eq!(
        done(&place, &["job", "set", "tick", "--description", "ticks"]),
        json!({ "changed": 0, "unchanged": 1 })
    );
    let versions = done(&place, &["job", "versions", "tick"]);
    assert_eq!((&versions[0]["version"], &versions[1]["reason"]), (&json!(2), &json!("the first one")));
    let differs = done(&place, &["job", "versions", "tick", "--diff", "1", "2"]);
    assert_eq!((&differs[0]["key"], &differs[0]["after"]), (&json!("description"), &json!("ticks")));
    let back = done(&place, &["job", "rollback", "tick", "--to", "1", "--reason", "no words"]);
    assert_eq!((&back["version"], &back["settings"]["description"]), (&json!(3), &Value::Null));
    place.write("other.yaml", &ticks(3));
    let edited = done(&place, &["job", "edit", "tick", "-f", "other.yaml"]);
    assert_eq!(
        (&edited["version"], &edited["owner"]),
        (&json!(4), &json!("root")),
        "what the file cannot say stays"
    );

    // The same jobs, from now on as files say.
    let exported = place.run(&["export"]);
    assert!(exported.code == 0 && exported.out.contains("tick"), "{exported:?}");
    place.write("jobs.yaml", &exported.out);
    let same = done(&place, &["apply", "jobs.yaml", "--source", "repo"]);
    assert_eq!(same["counts"]["unchanged"], 1, "{same:#}");
    place.write("jobs.yaml", &exported.out.replace("tick:\n", "tick:\n    description: of a file\n"));
    fails(&place.run(&["apply", "jobs.yaml", "--source", "repo"]), 1, "nothing can be applied");
    let owned = ["apply", "jobs.yaml", "--source", "repo", "--take-over"];
    fails(&place.run(&owned), 4, "say --yes");
    assert_eq!(done(&place, &[&owned[..], &["--yes"]].concat())["changes"][0]["job"], "tick");
    let same = done(&place, &["diff", "jobs.yaml", "--source", "repo", "--exit-code"]);
    assert_eq!(same["counts"]["unchanged"], 1, "{same:#}");
    fails(&place.run(&["job", "set", "tick", "--description", "by hand"]), 1, "files");

    assert_eq!(done(&place, &["job", "pause", "tick", "--reason", "the disk"])["changed"], 1);
    let holds = done(&place, &["hold", "list"]);
    assert_eq!((&holds[0]["kind"], &holds[0]["reason"]), (&json!("pause"), &json!("the disk")));
    fails(&place.run(&["job", "trigger", "tick"]), 1, "is paused by root");
    assert_eq!(done(&place, &["job", "resume", "tick"])["changed"], 1);

    // By hand, in the registry, behind the server's back.
    let by_hand = ["job", "set", "tick", "--description", "by hand", "--registry", REGISTRY];
    fails(&place.run(&by_hand), 4, "is managed by http://127.0.0.1");
    assert_eq!(place.run(&["job", "pause", "tick", "--registry", REGISTRY]).code, 4, "a hold");
    let forced = place.run(&[&by_hand[..], &["--yes"]].concat());
    fails(&forced, 0, "this is drift");
    let drifts = place.until(&["drift", "list", "tick"], |all| all[0]["verdict"] == "repaired");
    assert_eq!(drifts[0]["changes"]["description"][1], "by hand", "{drifts:#}");
    let one = done(&place, &["drift", "get", drifts[0]["id"].as_str().unwrap()]);
    assert!(one["had"].as_str().unwrap().contains("by hand"), "{one:#}");
    place.until(&["job", "get", "tick"], |job| job["settings"]["description"] != "by hand");
    assert_eq!(done(&place, &["sync", "status", "tick"])["state"], "written");

    let journal = done(&place, &["audit", "list", "--project", "billing", "-n", "100"]);
    let actions: BTreeSet<&str> =
        journal.as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect();
    for action in ["job.create", "job.update", "job.rollback", "job.pause", "job.resume"] {
        assert!(actions.contains(action), "{action} is not among {actions:?}");
    }
    let head = done(&place, &["audit", "verify"])["head"].as_str().unwrap().to_owned();
    assert_eq!(place.run(&["audit", "verify", "--expect", &head]).code, 0);
    let (number, _) = head.split_once(':').unwrap();
    fails(
        &place.run(&["audit", "verify", "--expect", &format!("{number}:0badc0de")]),
        1,
        "cut or written anew",
    );
}

#[test]
fn the_same_command_has_the_same_json_of_a_registry_and_through_a_server() {
    let (place, _server, _) = signed_in();
    place.write("jobs.yaml", &ticks(2));
    done(&place, &["job", "create", "-f", "jobs.yaml"]);
    let _node = place.start(&["node", "-f", "jobs.yaml", "--registry", REGISTRY]);
    place.until(&["job", "list"], |jobs| jobs[0]["last"]["outcome"] == "succeeded");
    place.until(&["job", "get", "tick", "--registry", REGISTRY], |job| job["status"] == "OK");
    let run = place.until(&["run", "list", "tick"], |rows| rows[0]["runId"].is_string());
    let run = run[0]["runId"].as_str().unwrap();
    // What a server does not tell: of each row where a page goes on behind it, of a run where its log is and what its claim was.
    let lacks = ["[].cursor", "[].log", ".log", ".states[].id"];
    for line in [
        "job list",
        "job get tick",
        "host list",
        "run list tick -n 2",
        "run list tick -n 2 --attempts",
        "run list -n 2 --attempts --source NORMAL_TRIGGER",
        "ledger tick --from 30s",
        "job history tick",
        "stats tick",
        "job trigger tick",
        "job pause tick",
        "job resume tick",
        "job disable tick",
        "job enable tick",
        "shard disable tick 1",
        "shard enable tick 1",
        "job set tick --description same",
        "run get RUN",
    ] {
        let words: Vec<&str> = line.split(' ').map(|word| if word == "RUN" { run } else { word }).collect();
        // A server refuses a trigger while items run, which they do for a moment in each second.
        let through =
            if words[1] == "trigger" { place.until(&words, |_| true) } else { done(&place, &words) };
        // History is in the store of the data folder, of all namespaces; what is in the registry is in the project's.
        let place_of = if words[0] == "run" || words[0] == "stats" {
            ["--data", ".clockwright"]
        } else {
            ["--registry", REGISTRY]
        };
        let sure: &[&str] = if matches!(words[1], "pause" | "resume" | "disable" | "enable" | "set") {
            &["--yes"]
        } else {
            &[]
        };
        let direct = done(&place, &[&words[..], &place_of, sure].concat());
        let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
        shape(&direct, "", &mut ours);
        shape(&through, "", &mut theirs);
        let missing: Vec<&String> =
            ours.difference(&theirs).filter(|path| !lacks.contains(&path.as_str())).collect();
        let more: Vec<&String> = theirs.difference(&ours).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "`{line}`: {missing:?} is missing, {more:?} is new\n{direct:#}\n{through:#}"
        );
    }
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let (place, server, address) = signed_in();
    // 1: it was understood and did not work.
    fails(&place.run(&["job", "get", "nothing"]), 1, "has no job `nothing`");
    fails(&place.run(&["job", "list", "--project", "biling"]), 1, "biling");
    // 2: the command line, or what was sent.
    for other in [&["--registry", REGISTRY][..], &["--data", "."], &["--events", "sqlite:x"]] {
        let both = [&["job", "list", "--server", &address], other].concat();
        fails(&place.run(&both), 2, "name two places");
    }
    let mut both = place.command(env!("CARGO_BIN_EXE_clockwright"));
    both.args(["job", "list"]).env("CLOCKWRIGHT_SERVER", &address).env("CLOCKWRIGHT_REGISTRY", REGISTRY);
    fails(&Answer::of(&both.output().unwrap()), 2, "name two places");
    fails(&place.run(&["job", "list", "--server", "10.0.0.5"]), 2, "is no address of a server");
    fails(&place.run(&["stats", "--by", "minute"]), 2, "by hour or by day");
    fails(&place.run(&["run", "logs", "tick", "--server", &address]), 2, "--registry");
    place.write("jobs.yaml", &ticks(1));
    done(&place, &["job", "create", "-f", "jobs.yaml"]);
    fails(&place.run(&["job", "set", "tick", "--cron", "every noon"]), 2, "cron");
    fails(&place.run(&["job", "remove", "tick"]), 2, "/reason");
    assert_eq!(place.run(&["job", "remove", "tick", "--reason", "tests"]).code, 0);
    // 4: nobody, somebody who may not, a token that is none.
    let stranger = Place::new();
    fails(&stranger.run(&["project", "list", "--server", &address]), 4, "clockwright login");
    let mut wrong = stranger.command(env!("CARGO_BIN_EXE_clockwright"));
    wrong.args(["project", "list", "--server", &address]).env("CLOCKWRIGHT_TOKEN", "cw_none");
    fails(&Answer::of(&wrong.output().unwrap()), 4, "clockwright login");
    fails(&place.run(&["user", "invite", "wei"]), 4, "needs the password of root");
    fails(&place.type_in(&["user", "invite", "wei"], &["a guess"]), 4, "sign-in failed");
    let made = done(&place, &["token", "create", "look", "--service", "watcher", "--scope", "read"]);
    done(&place, &["project", "grant", "billing", "watcher", "--role", "viewer"]);
    stranger.write("token", made["secret"].as_str().unwrap());
    let look = ["--server", &address, "--token-file", "token"];
    let seen = done(&stranger, &[&["project", "list"][..], &look].concat());
    assert_eq!(seen[0]["name"], "billing", "the only one, which needs not be named");
    fails(
        &stranger.run(&[&["job", "create", "-f", "../jobs.yaml"][..], &look].concat()),
        2,
        "cannot be read",
    );
    stranger.write("jobs.yaml", &ticks(1));
    fails(
        &stranger.run(&[&["job", "create", "-f", "jobs.yaml"][..], &look].concat()),
        4,
        "`job.write` is needed",
    );
    // 3: nobody is there.
    drop(server);
    fails(&place.run(&["job", "list"]), 3, "cannot reach the server");
}

#[test]
fn signing_in_keeps_a_token_for_nobody_else_and_signing_out_ends_it() {
    let (place, _server, address) = signed_in();
    let path = context(&place);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(!std::fs::read_to_string(&path).unwrap().contains(PASSWORD));
    let token = kept["token"].as_str().unwrap().to_owned();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    fails(&place.run(&["project", "list"]), 4, "others can read it");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();

    let by_token = |token: &str| {
        let mut command = place.command(env!("CARGO_BIN_EXE_clockwright"));
        command.args(["project", "list", "--server", &address]).env("CLOCKWRIGHT_TOKEN", token);
        Answer::of(&command.output().unwrap())
    };
    assert_eq!(by_token(&token).code, 0);
    let left = done(&place, &["logout"]);
    assert_eq!(left["ended"], true);
    assert!(!path.exists());
    assert_eq!(by_token(&token).code, 4, "the token is ended");
    fails(&place.run(&["project", "list"]), 2, "clockwright login");

    fails(&place.type_in(&["login", "root", "--server", &address], &["wrong"]), 4, "sign-in failed");
    assert!(!path.exists());
    let again = place
        .type_in(&["login", "--server", &address, "--scope", "read", "--for", "1d"], &["root", PASSWORD]);
    assert_eq!(again.code, 0, "{again:?}");
    done(&place, &["project", "list"]);
    fails(&place.run(&["project", "create", "other"]), 4, "`project.create` is needed");
}

#[test]
fn what_only_a_server_knows_is_data_too() {
    let (place, _server, _) = signed_in();
    place.write("jobs.yaml", &ticks(1));
    done(&place, &["job", "create", "-f", "jobs.yaml"]);
    let mut said = BTreeSet::new();
    for line in [
        "project list",
        "project get billing",
        "project set billing --outside report",
        "project members billing",
        "user invite wei",
        "user list",
        "user get wei",
        "user link wei",
        "user disable wei",
        "user enable wei",
        "user end-sessions wei",
        "project grant billing wei --role operator",
        "project revoke billing wei",
        "user grant wei --role viewer",
        "user roles",
        "user revoke wei",
        "user remove wei",
        "token create build --service deploy --scope write",
        "token services",
        "token list --service deploy",
        "token list",
        "token remove-service deploy",
        "sync status",
        "sync status tick",
        "sync run tick",
        "sync run",
        "sync resolve tick --take database",
        "sync unmanaged",
        "sync adopt --dry-run",
        "sync confirm",
        "drift list",
        "hold list",
        "job pause tick",
        "operation list",
        "audit list",
        "audit verify",
        "job versions tick --show 1",
        "alert list --state all",
        "silence list",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let data = done(&place, &words);
        check_keys(&data, line);
        said.insert(words[..2].join(" "));
    }
    let operations = done(&place, &["operation", "list"]);
    let id = operations[0]["id"].as_str().unwrap();
    assert_eq!(done(&place, &["operation", "get", id, "--wait"])["kind"], "pause");
    assert_eq!(done(&place, &["operation", "cancel", id])["state"], "done", "what is over stays as it is");
    assert!(said.len() > 25, "{said:?}");
}

#[test]
fn an_alert_is_seen_taken_up_given_back_and_silenced() {
    let (place, _server, _) = signed_in();
    place.write("jobs.yaml", &ticks(1));
    done(&place, &["job", "create", "-f", "jobs.yaml"]);
    place.write("other.yaml", &ticks(1).replace("'true'", "'false'"));
    done(&place, &["job", "edit", "tick", "-f", "other.yaml"]);
    let changed = ["alert", "list", "tick", "--condition", "code_changed"];
    let seen = place.until(&changed, |all| all[0]["state"] == "firing");
    assert_eq!((&seen[0]["project"], &seen[0]["job"]), (&json!("billing"), &json!("tick")), "{seen:#}");
    let id = seen[0]["id"].as_str().unwrap();
    let shown = place.run(&["alert", "list", "--severity", "info", "--lang", "zh"]);
    assert!(shown.out.contains("root 修改了 tick 所运行的内容") && shown.out.contains(id), "{shown:?}");
    let acked = done(&place, &["alert", "ack", id, "--note", "I know"]);
    assert_eq!((&acked["state"], &acked["ack"]["note"]), (&json!("acked"), &json!("I know")));
    let one = place.run(&["alert", "get", id]);
    assert!(one.out.contains("root changed what tick runs") && one.out.contains("I know"), "{one:?}");
    assert_eq!(
        done(&place, &["alert", "list", "--state", "firing", "--condition", "code_changed"]),
        json!([])
    );
    assert_eq!(done(&place, &["alert", "unack", id])["state"], "firing");
    fails(&place.run(&["alert", "ack", "nothing"]), 1, "there is no alert `nothing`");

    let weekly = ["--weekly", "fri,sat 22:00-06:00 Asia/Shanghai", "--until", "2100-01-01", "--jobs", "t*"];
    let quiet = ["silence", "create", "--condition", "code_changed", "--reason", "a release"];
    let made = done(&place, &[&quiet[..], &weekly].concat());
    assert_eq!((&made["project"], &made["jobs"]), (&json!("billing"), &json!("t*")), "{made:#}");
    assert_eq!(made["weekly"]["days"], json!(["fri", "sat"]));
    let all = done(&place, &[&quiet[..], &["--for", "2h", "--all-projects"]].concat());
    assert_eq!((&all["project"], &all["active"]), (&Value::Null, &json!(true)), "{all:#}");
    assert_eq!(done(&place, &["silence", "list"]).as_array().unwrap().len(), 2);
    let shown = place.run(&["silence", "list"]);
    assert!(shown.out.contains("code_changed; t*") && shown.out.contains("a release"), "{shown:?}");
    for silence in [&made, &all] {
        assert_eq!(place.run(&["silence", "remove", silence["id"].as_str().unwrap()]).code, 0);
    }
    assert_eq!(done(&place, &["silence", "list"]), json!([]));
    fails(&place.run(&[&quiet[..], &["--until", "2h"]].concat()), 2, "--for 2h");
    fails(&place.run(&["silence", "remove", "nothing"]), 1, "there is no silence `nothing`");
}

/// Keys are written alike, but for those that a job's configuration has.
fn check_keys(value: &Value, line: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let camel = key.starts_with(|letter: char| letter.is_ascii_lowercase())
                    && key.chars().all(|letter| letter.is_ascii_alphanumeric());
                if !matches!(key.as_str(), "settings" | "changes" | "counts" | "jobs") {
                    assert!(camel, "`{line}` says `{key}`");
                    check_keys(value, line);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| check_keys(value, line)),
        _ => {}
    }
}
