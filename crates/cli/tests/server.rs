//! `clockwright server` as its first user meets it: started, signed in to, asked, ended, started again.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use common::rest::{ask, first, served};
use common::{Place, Running};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const PASSWORD: &str = "correct horse battery staple";

#[test]
fn a_job_that_is_made_over_rest_is_run_by_a_node_and_a_restart_keeps_everything() {
    let place = Place::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let mut server = place.start(&["server", "--listen", &listen]);
    place.until_talk("serving at");
    let talk = place.talk();
    let secret = talk.split_once("/setup#").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let nobody: &[(&str, &str)] = &[];
    assert_eq!(ask(port, "GET", "/api/v1/projects", nobody, &Value::Null).0, 401);
    let me = json!({ "login": "root", "password": PASSWORD });
    let (status, cookie, session) = ask(port, "POST", &format!("/api/v1/links/{secret}"), nobody, &me);
    assert_eq!((status, &session["role"]), (200, &json!("admin")), "{session:#}");
    let signed_in: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", "same-origin")];
    let (status, _, project) =
        ask(port, "POST", "/api/v1/projects", signed_in, &json!({ "name": "billing" }));
    assert_eq!(status, 201, "{project:#}");
    let job = json!({ "name": "hello", "settings": {
        "elasticJobType": "SCRIPT", "cron": "0/1 * * * * ?", "props": { "script.command.line": "true" }
    } });
    let (status, _, job) = ask(port, "POST", "/api/v1/projects/billing/jobs", signed_in, &job);
    assert_eq!((status, &job["sync"]["state"]), (201, &json!("written")), "{job:#}");
    let registry = "embedded:.clockwright/billing";
    place.until(&["job", "list", "--registry", registry], |jobs| jobs[0]["jobName"] == "hello");
    place.write(
        "jobs.yaml",
        "jobs:\n  hello:\n    elasticJobType: SCRIPT\n    cron: 0/1 * * * * ?\n    props: {script.command.line: 'true'}\n",
    );
    let node = place.start(&["node", "-f", "jobs.yaml", "--registry", registry]);
    place.until(&["run", "list", "hello"], |rows| rows[0]["outcome"] == "succeeded");
    drop(node);
    assert_eq!(server.terminate(), 0);
    drop(server);

    let _server = place.start(&["server", "--listen", &listen]);
    eventually(PATIENCE, "it serves again", || place.talk().matches("serving at").count() == 2);
    let (status, _, jobs) = ask(port, "GET", "/api/v1/jobs", signed_in, &Value::Null);
    assert_eq!((status, &jobs["items"][0]["name"]), (200, &json!("hello")), "{jobs:#}");
    assert_eq!(place.talk().matches("/setup#").count(), 1, "somebody exists");
}

#[test]
fn a_node_runs_a_job_by_its_name_as_far_as_it_was_allowed_to() {
    let place = Place::new();
    let (_server, port, cookie) = served(&place, PASSWORD);
    let root: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", "same-origin")];
    assert_eq!(ask(port, "POST", "/api/v1/projects", root, &json!({ "name": "billing" })).0, 201);
    let jobs = place.path().join("jobs");
    std::fs::create_dir(&jobs).unwrap();
    place.write("jobs/report", "#!/bin/sh\necho ran >> ran\n");
    place.write("other", "#!/bin/sh\necho ran >> other-ran\n");
    for program in ["jobs/report", "other"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.path().join(program), mode).unwrap();
    }
    let at = |program: &str| place.path().join(program).display().to_string();
    let make = json!({ "name": "report", "settings": {
        "elasticJobType": "SCRIPT", "cron": "0/1 * * * * ?", "props": { "script.command.line": at("jobs/report") }
    } });
    assert_eq!(ask(port, "POST", "/api/v1/projects/billing/jobs", root, &make).0, 201);
    let registry = ["--registry", "embedded:.clockwright/billing"];
    let node = |more: &[&str]| place.run(&[&["node"], &registry[..], more].concat());

    let missing = node(&["--job", "reprot", "--allow-command", &at("jobs")]);
    assert_eq!(missing.code, 1);
    assert!(missing.talk.contains("job `reprot` is not in /billing; did you mean `report`?"), "{missing:?}");
    let nothing = node(&["--job", "report"]);
    assert_eq!(nothing.code, 4, "{nothing:?}");
    assert!(nothing.talk.contains("no program is (--allow-command)"), "{nothing:?}");
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let elsewhere = node(&["--job", "report", "--allow-command", &at("empty")]);
    assert_eq!(elsewhere.code, 4, "{elsewhere:?}");
    for wrong in [&["--job", "report", "--allow-command", "jobs"][..], &["--allow-command", &at("jobs")], &[]]
    {
        assert_eq!(node(wrong).code, 2, "{wrong:?}");
    }
    assert!(!place.path().join("ran").exists());

    let (directory, allowed) = (place.path(), at("jobs"));
    let _node =
        place.start(&[&["node"], &registry[..], &["--job", "report", "--allow-command", &allowed]].concat());
    eventually(PATIENCE, "it runs", || directory.join("ran").exists());
    // The server changes what is run to what this node was not allowed.
    let patch = json!({ "settings": { "props": { "script.command.line": at("other") } } });
    let headers: &[(&str, &str)] = &[
        ("cookie", &cookie),
        ("sec-fetch-site", "same-origin"),
        ("if-match", "\"v1\""),
        ("content-type", "application/merge-patch+json"),
    ];
    let (status, _, changed) = ask(port, "PATCH", "/api/v1/projects/billing/jobs/report", headers, &patch);
    assert_eq!(status, 200, "{changed:#}");
    let rows = place.until(&["run", "list", "report"], |rows| rows[0]["outcome"] == "failed");
    assert!(rows[0]["reason"].as_str().unwrap().contains("its instance may not run it"), "{rows:#}");
    assert!(!directory.join("other-ran").exists());
}

#[test]
fn a_dev_comes_with_a_server_that_has_the_jobs_of_its_file() {
    let place = Place::new();
    place.write("jobs.yaml", &common::ticks(2));
    // Whoever has the usual port does not keep a `dev` from starting.
    let mut held = None;
    eventually(PATIENCE, "no other `dev` has the usual port", || {
        held = TcpListener::bind("127.0.0.1:8899").ok();
        held.is_some()
    });
    let mut dev = place.start(&["dev", "-f", "jobs.yaml"]);
    place.until_talk("/setup#");
    let talk = place.talk();
    let url = talk.split_once("the server is at ").unwrap().1.split_whitespace().next().unwrap();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    assert_ne!(port, 8899);
    let link = talk.split_whitespace().find(|word| word.contains("/setup#")).unwrap();
    let cookie = first(port, link, PASSWORD);
    let root: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", "same-origin")];
    let jobs = || ask(port, "GET", "/api/v1/projects/jobs/jobs", root, &Value::Null).2;
    eventually(PATIENCE, "the job is there", || jobs()["items"][0]["name"] == "tick");
    let runs = || ask(port, "GET", "/api/v1/projects/jobs/jobs/tick/runs", root, &Value::Null).2;
    eventually(PATIENCE, "its runs are there", || runs()["items"][0]["outcome"] == "succeeded");
    // The file stays the truth: an edit becomes a version, and a new job is there too.
    place.write(
        "jobs.yaml",
        &(common::ticks(3) + &common::ticks(1).replace("jobs:\n", "").replace("tick", "tock")),
    );
    let items = || ask(port, "GET", "/api/v1/projects/jobs/jobs/tick", root, &Value::Null).2;
    eventually(PATIENCE, "the edit is there", || items()["settings"]["shardingTotalCount"] == 3);
    eventually(PATIENCE, "so is the new job", || {
        jobs()["items"].as_array().is_some_and(|jobs| jobs.len() == 2)
    });
    // Whoever has the folder steers it directly, as ever, and the server sees it.
    assert_eq!(place.run(&["job", "pause", "tick", "--reason", "tea"]).code, 0);
    let live = || ask(port, "GET", "/api/v1/projects/jobs/jobs/tick/live", root, &Value::Null).2.to_string();
    eventually(PATIENCE, "the pause is there", || live().contains("tea"));
    assert_eq!(dev.terminate(), 0, "{}", place.talk());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_backup_beside_a_running_server_comes_back_in_a_fresh_folder() {
    let place = Place::new();
    let (mut running, port, cookie) = served(&place, PASSWORD);
    let root: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", "same-origin")];
    assert_eq!(ask(port, "POST", "/api/v1/projects", root, &json!({ "name": "billing" })).0, 201);
    let saved = place.run(&["backup", "control.backup", "--output", "json"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let saved: Value = serde_json::from_str(&saved.out).unwrap();
    assert_eq!(saved["hash"].as_str().unwrap().len(), 64, "{saved:#}");
    let again = place.run(&["backup", "control.backup"]);
    assert_eq!(again.code, 2, "what is there is not overwritten: {again:?}");
    let over = place.run(&["restore", "control.backup"]);
    assert_eq!(over.code, 1, "{over:?}");
    assert!(over.talk.contains("a server runs on the database"), "{over:?}");
    assert_eq!(running.terminate(), 0);
    let over = place.run(&["restore", "control.backup"]);
    assert!(over.code == 1 && over.talk.contains("is not empty"), "{over:?}");
    let fresh = place.run(&["restore", "control.backup", "--data", "fresh"]);
    assert_eq!(fresh.code, 0, "{fresh:?}");
    assert!(fresh.talk.contains("projects are held"), "{fresh:?}");
    assert_eq!(mode(&place.path().join("fresh")), 0o700, "nobody else comes to the database");
    // The key file is kept apart, and comes back apart.
    std::fs::copy(place.path().join(".clockwright/control.key"), place.path().join("fresh/control.key"))
        .unwrap();
    let _server = place.start(&["server", "--data", "fresh", "--listen", &format!("127.0.0.1:{port}")]);
    eventually(PATIENCE, "it serves again", || place.talk().matches("serving at").count() == 2);
    assert_eq!(ask(port, "GET", "/api/v1/projects", root, &Value::Null).0, 401, "nobody is signed in");
    let me = json!({ "login": "root", "password": PASSWORD });
    let (status, cookie, _) = ask(port, "POST", "/api/v1/session", &[], &me);
    assert_eq!(status, 200);
    let (status, _, projects) = ask(port, "GET", "/api/v1/projects", &[("cookie", &cookie)], &Value::Null);
    assert_eq!((status, &projects[0]["name"]), (200, &json!("billing")), "{projects:#}");
    let (elsewhere, rotate) = (Place::new(), ["secret", "rotate", "--new-key"]);
    for ask in [&["backup", "nothing.backup"][..], &rotate] {
        let none = elsewhere.run(ask);
        assert_eq!(none.code, 1, "{none:?}");
        assert!(none.talk.contains("there is nothing at"), "{none:?}");
    }
    assert_eq!(elsewhere.type_in(&["secret", "seal"], &["open sesame"]).code, 0);
    assert_eq!(
        mode(&elsewhere.path().join(".clockwright")),
        0o700,
        "nobody else comes to what will be there"
    );
}

/// Who may do what with a file or folder.
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_port_that_is_in_use_is_told_with_what_to_do() {
    let place = Place::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let answer = place.run(&["server", "--listen", &held.local_addr().unwrap().to_string()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.talk.contains("another process listens there; name another address with --listen"),
        "{answer:?}"
    );
}

#[test]
fn systemd_is_told_when_a_server_is_ready_and_when_it_ends() {
    let place = Place::new();
    let path = place.path().join("notify.socket");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.command(env!("CARGO_BIN_EXE_clockwright"));
    command.args(["server", "--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut running = Running::of(command.spawn().unwrap());
    let said = || {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert!(said().contains("READY=1"));
    running.signal();
    assert!(said().contains("STOPPING=1"));
    assert_eq!(running.terminate(), 0);
}

#[test]
fn s31_an_address_that_other_machines_reach_is_refused_without_tls() {
    let place = Place::new();
    let answer = place.run(&["server", "--listen", "0.0.0.0:0"]);
    assert_eq!(answer.code, 2);
    for named in ["--listen: listen", "tls.cert", "trusted_proxies", "insecure_http"] {
        assert!(answer.talk.contains(named), "{}", answer.talk);
    }
}

#[test]
fn a_configuration_is_checked_without_a_start_and_shown_with_where_each_value_is_from() {
    let place = Place::new();
    place.write("clockwright.yaml", "auth:\n  idle: 10m\n");
    let checked = place.run(&["server", "--check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.talk.contains("the first start makes its tables"), "{checked:?}");
    assert!(checked.talk.ends_with("a server can start with this configuration\n"), "{checked:?}");
    assert!(!place.path().join(".clockwright").exists(), "nothing was made");
    place.write(
        "clockwright.yaml",
        "auth:\n  idle: 10m\ndatabase: postgres://cw:open-sesame@127.0.0.1:1/control\n",
    );
    let checked = place.run(&["server", "--check"]);
    assert_eq!(checked.code, 3, "{checked:?}");
    assert!(!checked.talk.contains("open-sesame"), "{checked:?}");
    place.write(
        "clockwright.yaml",
        "auth:\n  idle: 10m\ndatabase: postgres://cw:open-sesame@db/control\n\
         oidc: {issuer: 'https://id.example.com', client: clockwright, secret: open-sesame}\n",
    );
    let shown = place.run(&["config", "show", "--data", "elsewhere"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let line = |key: &str| {
        let found = shown.out.lines().find(|line| line.starts_with(key));
        found.unwrap_or_else(|| panic!("{shown:?}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("auth.idle"), ["auth.idle", "10m", "clockwright.yaml:2"]);
    assert_eq!(line("database"), ["database", "postgres://cw:(set)@db/control", "clockwright.yaml:3"]);
    assert_eq!(line("oidc.secret"), ["oidc.secret", "(set)", "clockwright.yaml:4"]);
    assert!(!shown.out.contains("sesame"), "{shown:?}");
    assert_eq!(line("registry"), ["registry", "embedded:elsewhere/jobs", "default"]);
    assert_eq!(line("data "), ["data", "elsewhere", "--data"]);
    place.write("clockwright.yaml", "auth:\n  idel: 10m\nlisten: here\n");
    for command in [&["server", "--check"][..], &["server"], &["config", "show"]] {
        let refused = place.run(command);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(
            refused.talk.contains("clockwright.yaml:2: auth.idel is not known; did you mean `auth.idle`?"),
            "{refused:?}"
        );
        assert!(refused.talk.contains("clockwright.yaml:3: listen is an address"), "{refused:?}");
    }
}
