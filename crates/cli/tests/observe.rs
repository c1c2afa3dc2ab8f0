//! What a server says of itself and what it keeps to itself, as its operator meets it: doctor, rescue, log, secrets.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use common::rest::{ask, raw, served};
use common::{Place, ticks};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

const PASSWORD: &str = "correct horse battery staple canary-pa55word";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn somebody_is_let_in_from_the_machine_when_nothing_else_lets_anybody_in() {
    let place = Place::new();
    for command in ["rescue", "setup-link"] {
        let refused = place.run(&["user", command]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.talk.contains("there is no database at"), "{refused:?}");
    }
    let (_server, port, cookie) = served(&place, PASSWORD);
    let made = place.run(&["user", "setup-link"]);
    assert_eq!(made.code, 1, "{made:?}");
    assert!(made.talk.contains("user rescue"), "{made:?}");
    let made = place.run(&["user", "rescue"]);
    assert_eq!(made.code, 0, "{made:?}");
    let (page, secret) = made.out.trim().split_once("/rescue#").unwrap();
    assert!(page.starts_with("http://127.0.0.1:"), "{page}");
    assert!(!made.talk.contains(secret), "what is talked of goes to logs");
    let (status, rescued, session) = ask(port, "POST", &format!("/api/v1/links/{secret}"), &[], &json!({}));
    assert_eq!((status, &session["role"]), (200, &json!("admin")), "{session:#}");
    let headers: &[(&str, &str)] = &[("cookie", &rescued)];
    assert_eq!(ask(port, "GET", "/api/v1/users", headers, &Value::Null).0, 200);
    let headers: &[(&str, &str)] = &[("cookie", &cookie)];
    let journal = ask(port, "GET", "/api/v1/journal?action=rescue.made", headers, &Value::Null).2;
    assert_eq!(
        journal["items"][0]["changes"]["uid"],
        json!(rustix::process::getuid().as_raw()),
        "{journal:#}"
    );
    let unknown = place.run(&["user", "rescue", "--login", "nobody"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
}

#[test]
fn a_doctor_looks_while_a_server_runs_and_while_none_does() {
    let place = Place::new();
    let told = |found: &Value, is_fact: bool| -> Vec<String> {
        let found = found.as_array().unwrap().iter().filter(|one| (one["severity"] == "fact") == is_fact);
        found.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    let codes = |args: &[&str]| -> Vec<String> {
        let answer = place.run(&[&["doctor", "--output", "json"], args].concat());
        let found: Value = serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{answer:?}"));
        told(&found, false)
    };
    assert!(codes(&[]).contains(&"database-missing".to_owned()));
    assert!(!place.path().join(".clockwright").exists(), "nothing was made");
    let (mut server, port, cookie) = served(&place, PASSWORD);
    place.until_talk("this server leads");
    assert_eq!(codes(&[]), Vec::<String>::new());
    let well = place.run(&["doctor"]);
    assert_eq!((well.code, well.talk.trim()), (0, "all that was looked at is as it should be"), "{well:?}");
    let headers: &[(&str, &str)] = &[("cookie", &cookie)];
    assert!(well.out.contains("fact") && well.out.contains("SQLite 3."), "{well:?}");
    let found = ask(port, "GET", "/api/v1/system/doctor", headers, &Value::Null).2;
    assert_eq!(
        (told(&found, false).len(), told(&found, true)),
        (0, vec!["database-version".to_owned()]),
        "{found:#}"
    );
    let system = ask(port, "GET", "/api/v1/system", headers, &Value::Null).2;
    assert_eq!(
        (&system["servers"][0]["leads"], &system["servers"][0]["answers"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(server.terminate(), 0);
    // Without a server its registry is away, and what else is wrong is told all the same.
    place.write("clockwright.yaml", "insecure_http: true\n");
    let ill = place.run(&["doctor"]);
    assert!(ill.out.contains("passwords-in-plain") && ill.out.contains("insecure_http"), "{ill:?}");
}

#[test]
fn the_log_of_a_server_is_as_its_file_says() {
    let place = Place::new();
    place.write("clockwright.yaml", "log: {format: json, level: 'info,clockwright_server=debug'}\n");
    let (mut server, port, _) = served(&place, PASSWORD);
    assert_eq!(raw(port, "GET", "/nowhere", &[], "").0, 404);
    assert_eq!(server.terminate(), 0);
    let talk = place.talk();
    let events: Vec<Value> = talk
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.iter().any(|event| event["level"] == "DEBUG"), "{talk}");
    let shown = place.run(&["config", "show", "--output", "json"]);
    let rows: Value = serde_json::from_str(&shown.out).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == "log.format").unwrap();
    assert_eq!(row["origin"], "clockwright.yaml:1", "{row}");
    place.write("clockwright.yaml", "log: {format: yaml, level: loud}\n");
    let refused = place.run(&["server", "--check"]);
    assert!(
        refused.code == 2
            && refused.talk.contains("is no level")
            && refused.talk.contains("is one of text, json"),
        "{refused:?}"
    );
}

#[test]
fn s32_no_core_of_a_server_is_written_and_others_do_not_look_into_it() {
    let place = Place::new();
    let (server, _, _) = served(&place, PASSWORD);
    let pid = server.id();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // What may be dumped belongs to its user; the system gives to root what may not. To root both are the same: the test of the limit itself holds then.
    let owner =
        std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("/proc/{pid}/environ")).unwrap());
    assert_eq!(owner, 0);
}

/// The ports that a process listens on: address and port, as the system writes them.
fn ports(pid: u32) -> Vec<String> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    // A state of 0A listens; what is bound to a port and takes datagrams is of state 07.
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let rows = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for row in rows.lines().skip(1) {
            let fields: Vec<&str> = row.split_whitespace().collect();
            if fields[3] == state && sockets.contains(fields[9]) {
                found.push(fields[1].to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn s09_an_instance_has_no_port_and_a_server_those_of_its_configuration_on_the_machine_itself() {
    let place = Place::new();
    let metrics = free_port();
    place.write("clockwright.yaml", &format!("metrics: {{listen: '127.0.0.1:{metrics}'}}\n"));
    let (server, port, _) = served(&place, PASSWORD);
    let mut expected: Vec<String> =
        [port, metrics].map(|port| format!("0100007F:{port:04X}")).into_iter().collect();
    expected.sort();
    assert_eq!(ports(server.id()), expected);
    place.write("jobs.yaml", &ticks(1));
    let node = place.start(&["node", "-f", "jobs.yaml", "--registry", "embedded:nodes/jobs"]);
    let ran = |rows: &Value| rows.as_array().is_some_and(|rows| !rows.is_empty());
    place.until(&["run", "list", "tick", "--registry", "embedded:nodes/jobs"], ran);
    assert_eq!(ports(node.id()), Vec::<String>::new());
}

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn s30_canary_no_secret_is_in_a_file_a_log_an_answer_or_an_argument() {
    let place = Place::new();
    place.write("oidc-secret", "canary-oidc-secret\n");
    place.write(
        "clockwright.yaml",
        "log: {level: 'debug,clockwright=trace', format: json}\n\
         registries:\n  far: zookeeper://clockwright:canary-registry@127.0.0.1:1/jobs\n\
         stores:\n  far: postgres://clockwright:canary-store@127.0.0.1:1/events\n\
         auth: {local: always}\n\
         oidc: {issuer: 'http://127.0.0.1:1', client: clockwright, secret: 'file:oidc-secret'}\n",
    );
    let (mut server, port, cookie) = served(&place, PASSWORD);
    let mut secrets: Vec<String> =
        ["canary-oidc-secret", "canary-registry", "canary-store", PASSWORD].map(str::to_owned).into();
    let session = cookie.split_once('=').unwrap().1.to_owned();
    let headers: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", "same-origin")];
    let token = json!({ "name": "ci", "scopes": ["read"] });
    let made = ask(port, "POST", "/api/v1/me/tokens", headers, &token).2;
    let token = made["secret"].as_str().unwrap().to_owned();
    let invited = ask(port, "POST", "/api/v1/users", headers, &json!({ "login": "lina" })).2;
    let link = invited["link"]["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let mut answers = Vec::new();
    let project = json!({ "name": "far", "registry": "far", "store": "far", "namespace": "far" });
    for (method, path, body) in [
        ("POST", "/api/v1/projects", project.to_string()),
        ("GET", "/api/v1/projects/far/sync", String::new()),
        ("GET", "/api/v1/projects/far/unmanaged", String::new()),
        ("GET", "/api/v1/projects/far/runs", String::new()),
        ("GET", "/api/v1/oidc/begin", String::new()),
        ("GET", "/api/v1/me", String::new()),
        ("GET", "/api/v1/me/sessions", String::new()),
        ("GET", "/api/v1/me/tokens", String::new()),
        ("GET", "/api/v1/users", String::new()),
        ("GET", "/api/v1/journal", String::new()),
        ("GET", "/api/v1/system/config", String::new()),
        ("GET", "/api/v1/system", String::new()),
        ("GET", "/metrics", String::new()),
        ("GET", "/healthz", String::new()),
        ("POST", "/api/v1/session", json!({ "login": "root", "password": PASSWORD, "more": 1 }).to_string()),
        ("PUT", "/api/v1/me/password", json!({ "old": PASSWORD, "new": PASSWORD }).to_string()),
        ("POST", "/api/v1/session", format!("{{\"login\": \"root\", \"password\": \"{PASSWORD}\"")),
    ] {
        let (status, head, text) = raw(port, method, path, headers, &body);
        // The cookie of a session is its owner's, and is set nowhere else.
        assert!(!head.contains("set-cookie: clockwright-http="), "{path} {status}");
        answers.push((path, format!("{head}\n{text}")));
    }
    let bearer = format!("Bearer {token}");
    answers.push(("by token", raw(port, "GET", "/api/v1/me", &[("authorization", &bearer)], "").2));
    answers.push((
        "a wrong token",
        raw(port, "GET", "/api/v1/me", &[("authorization", &format!("{bearer}x"))], "").2,
    ));
    for command in [&["config", "show"][..], &["doctor"]] {
        let answer = place.run(command);
        answers.push((command[0], format!("{}{}", answer.out, answer.talk)));
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.id())).unwrap();
    assert_eq!(server.terminate(), 0);
    // These are shown to whom they are for, once; nothing else has them.
    secrets.extend([session, token, link]);
    let mut all = Vec::new();
    files(place.path(), &mut all);
    assert!(all.iter().any(|path| path.ends_with("control.db")), "{all:?}");
    for secret in &secrets {
        for (path, answer) in &answers {
            assert!(!holds(answer.as_bytes(), secret), "{secret} is in the answer of {path}: {answer}");
        }
        assert!(!holds(&arguments, secret), "{secret} is an argument");
        for path in &all {
            let is_where_it_belongs = path.ends_with("clockwright.yaml") || path.ends_with("oidc-secret");
            if !is_where_it_belongs {
                assert!(!holds(&std::fs::read(path).unwrap(), secret), "{secret} is in {}", path.display());
            }
        }
    }
}
