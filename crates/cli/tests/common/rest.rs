//! A client of a server of the test.

use super::{Place, Running};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A server in this place, whose first administrator has come in: its port, and their session's cookie.
pub fn served(place: &Place, password: &str) -> (Running, u16, String) {
    let (running, address, link) = place.serve();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let cookie = first(port, &link, password);
    (running, port, cookie)
}

/// The first administrator, `root`, comes in by this link; their session's cookie.
pub fn first(port: u16, link: &str, password: &str) -> String {
    let (_, secret) = link.split_once('#').unwrap();
    let me = json!({ "login": "root", "password": password });
    let (status, cookie, _) = ask(port, "POST", &format!("/api/v1/links/{secret}"), &[], &me);
    assert_eq!(status, 200);
    cookie
}

/// One request over a socket: the status, the cookie that was set, and the body.
pub fn ask(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, String, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, head, body) = raw(port, method, path, headers, &body);
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    (status, cookie, serde_json::from_str(&body).unwrap_or_default())
}

/// The same: the status, the head and the body as they came.
pub fn raw(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, String) {
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
    (status, head.to_owned(), body.to_owned())
}
