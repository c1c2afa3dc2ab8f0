//! The examples do what they say: they are built with the tests, and run as programs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

fn example(name: &str) -> Command {
    // Cargo puts examples beside the folder of this test's own program.
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    Command::new(path.join("examples").join(name))
}

#[test]
fn json_lines_writes_a_line_for_each_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    for _ in 0..2 {
        assert!(example("json_lines").arg(&path).status().unwrap().success());
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter_map(clockwright_events::from_json).count(), 6);
    assert!(!example("json_lines").arg(folder.path()).output().unwrap().status.success());
}

#[test]
fn webhook_posts_a_failure_and_tries_again_after_an_error_of_the_server() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        for status in ["500 Oops", "204 Fine"] {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            bodies.push(String::from_utf8(body).unwrap());
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        bodies
    });
    assert!(example("webhook").arg(url).status().unwrap().success());
    let bodies = server.join().unwrap();
    assert_eq!(bodies[0], bodies[1]);
    assert!(clockwright_events::from_json(&bodies[1]).is_some(), "{bodies:?}");
}
