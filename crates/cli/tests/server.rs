//! `clockwright server` as its first user meets it: started, signed in to, asked, ended, started again.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests")]

mod common;

use clockwright_testkit::patience::{PATIENCE, eventually};
use common::Place;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// One request over a socket: the status, the cookie that was set, and the body.
fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    (status, cookie, serde_json::from_str(body).unwrap_or_default())
}

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
    let me = json!({ "login": "root", "password": "correct horse battery staple" });
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
    place.write(
        "clockwright.yaml",
        "auth:\n  idle: 10m\ndatabase: postgres://cw:open-sesame@db/control\n\
         oidc: {issuer: 'https://id.example.com', client: clockwright, secret: open-sesame}\n",
    );
    let checked = place.run(&["server", "--check"]);
    assert_eq!((checked.code, checked.talk.trim()), (0, "a server can start with this configuration"));
    assert!(!place.path().join(".clockwright").exists(), "nothing was made");
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
