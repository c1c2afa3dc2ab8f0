//! HTTP jobs against a small server in this process, which stands for other people's services.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{FailureKind, Fire, JobName, RunId, ShardContext};
use clockwright_runtime::{Control, HttpRuntime, RunResult, RunSpec, Stop, StopReason};
use clockwright_settings::HttpSettings;
use heard::{Heard, hear};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

mod heard;

/// A server that gives every request the same answer, byte for byte, and hands out what it was sent. It closes each
/// connection after its answer; without an answer it stays silent.
async fn server(answer: Option<Vec<u8>>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (send, answer) = (send.clone(), answer.clone());
            tokio::spawn(async move {
                let request = read_request(&mut stream).await;
                let _ = send.send(request);
                match answer {
                    Some(answer) => drop(stream.write_all(&answer).await),
                    // Only the other side ends this.
                    None => {
                        let _ = stream.read(&mut [0; 1]).await;
                        let _ = send.send("closed".to_owned());
                    }
                }
            });
        }
    });
    (address, requests)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

fn answer(head: &str, body: &str) -> Option<Vec<u8>> {
    Some(
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .into_bytes(),
    )
}

fn spec() -> RunSpec {
    let context = ShardContext {
        task_id: "t".into(),
        job_parameter: "a=b".into(),
        sharding_parameter: Some("Zürich".into()),
        fire: Fire::Scheduled(1_700_000_000_000),
        attempt: 2,
        run_id: RunId::new(1_700_000_000_000, 5),
        token: 99,
        ..ShardContext::example(JobName::new("日报").unwrap())
    };
    RunSpec { context, timeout: None, grace: 10_000 }
}

fn job(uri: &str, more: &[(&str, &str)]) -> HttpRuntime {
    let all = [("http.uri", uri), ("http.method", "GET")];
    let props: BTreeMap<_, _> =
        all.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    HttpRuntime::new(HttpSettings::parse(&props).unwrap())
}

async fn run(runtime: &HttpRuntime) -> Heard {
    hear(runtime, spec(), Control::unattended()).await
}

fn failure(end: Heard) -> (FailureKind, String) {
    match end.result {
        RunResult::Failed { kind, reason } => (kind, reason.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_carries_the_context_and_its_answer_is_the_output() {
    let (address, mut requests) = server(answer("200 OK", "line 1\nline 2\n")).await;
    let end = run(&job(&format!("http://{address}/do?x=1"), &[("http.data", "not sent with GET")])).await;
    assert_eq!(end.result, RunResult::Succeeded);
    assert_eq!(end.lines, ["line 1", "line 2"]);
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("GET /do?x=1 HTTP/1.1\r\n"), "{request}");
    let run_id = spec().context.run_id;
    for header in [
        r#"shardingcontext: {"jobName":"\u65e5\u62a5","taskId":"t","shardingTotalCount":1,"jobParameter":"a\u003db","shardingItem":0,"shardingParameter":"Z\u00fcrich"}"#,
        "clockwright-fire-time: 1700000000000",
        "clockwright-attempt: 2",
        "clockwright-token: 99",
        &format!("clockwright-run-id: {run_id}"),
    ] {
        assert!(request.contains(&format!("\r\n{header}\r\n")), "{header} in {request}");
    }
    assert!(request.ends_with("\r\n\r\n"), "no body: {request}");
}

#[tokio::test]
async fn a_body_is_sent_with_its_type() {
    let (address, mut requests) = server(answer("204 No Content", "")).await;
    let more =
        [("http.method", "POST"), ("http.data", r#"{"a":1}"#), ("http.content.type", "application/json")];
    assert_eq!(run(&job(&format!("http://{address}"), &more)).await.result, RunResult::Succeeded);
    let request = requests.recv().await.unwrap();
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_status_of_400_or_more_is_a_failure_that_quotes_the_answer_but_no_secrets() {
    let (address, _requests) =
        server(answer("503 Service Unavailable", "\n database is down \nat line 7")).await;
    let end = run(&job(&format!("http://user:secret@{address}/x?key=secret"), &[])).await;
    assert_eq!(end.lines.len(), 3);
    let reason = format!("GET http://{address}/x answered 503 Service Unavailable: database is down");
    assert_eq!(failure(end), (FailureKind::Job, reason));
    let (address, _requests) = server(answer("404 Not Found", "")).await;
    let reason = format!("GET http://{address}/ answered 404 Not Found");
    assert_eq!(failure(run(&job(&format!("http://{address}"), &[])).await), (FailureKind::Job, reason));
}

/// A server that sends on to this place.
async fn sends_on(status: &str, place: &str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    server(answer(&format!("{status}\r\nLocation: {place}"), "")).await
}

#[tokio::test]
async fn a_redirect_of_a_get_is_followed_and_what_is_there_counts() {
    for status in ["301 Moved Permanently", "302 Found", "308 Permanent Redirect"] {
        let (target, mut asked) = server(answer("500 Internal Server Error", "broken there")).await;
        let (first, _requests) = sends_on(status, &format!("http://{target}/run?key=x")).await;
        let (_, reason) = failure(run(&job(&format!("http://{first}/moved"), &[])).await);
        assert!(reason.ends_with("answered 500 Internal Server Error: broken there"), "{reason}");
        let request = asked.recv().await.unwrap();
        assert!(
            request.starts_with("GET /run?key=x HTTP/1.1\r\n") && request.contains("shardingcontext: "),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_redirect_of_what_does_something_is_a_failure_that_names_the_place() {
    let (target, mut untouched) = server(answer("200 OK", "")).await;
    for (method, more) in [("POST", None), ("PUT", None), ("GET", Some(("http.redirect", "never")))] {
        let (first, _requests) =
            sends_on("302 Found", &format!("http://user:secret@{target}/run?key=secret")).await;
        let props: Vec<_> = [("http.method", method)].into_iter().chain(more).collect();
        let (kind, reason) = failure(run(&job(&format!("http://{first}/old"), &props)).await);
        let words = format!(
            "{method} http://{first}/old answered 302 Found and sends on to http://{target}/run, which was not called: http.uri may \
             name that address, or http.redirect: always follow it"
        );
        assert_eq!((kind, reason), (FailureKind::Job, words));
    }
    assert!(untouched.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_of_a_post_is_followed_where_the_job_says_so() {
    let (target, mut asked) = server(answer("200 OK", "done")).await;
    let props = [("http.method", "POST"), ("http.data", "x=1"), ("http.redirect", "always")];
    let (first, _requests) = sends_on("307 Temporary Redirect", &format!("http://{target}/run")).await;
    assert_eq!(run(&job(&format!("http://{first}/"), &props)).await.lines, ["done"]);
    let request = asked.recv().await.unwrap();
    assert!(request.starts_with("POST /run ") && request.ends_with("\r\n\r\nx=1"), "{request}");
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let (target, mut asked) = server(answer("200 OK", "")).await;
    let (first, mut requests) = sends_on("302 Found", &format!("http://{target}/")).await;
    assert_eq!(run(&job(&format!("http://user:secret@{first}/"), &[])).await.result, RunResult::Succeeded);
    assert!(requests.recv().await.unwrap().contains("authorization: Basic "));
    let request = asked.recv().await.unwrap();
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_circle_of_redirects_ends_as_a_failure() {
    let (address, mut requests) = server(answer("302 Found\r\nLocation: /again", "")).await;
    let (kind, reason) = failure(run(&job(&format!("http://{address}/"), &[])).await);
    let words =
        format!("GET http://{address}/: sent on more than 10 times, the last time to http://{address}/again");
    assert_eq!((kind, reason), (FailureKind::Job, words));
    let mut asked = 0;
    while requests.try_recv().is_ok() {
        asked += 1;
    }
    assert_eq!(asked, 11);
}

#[tokio::test]
async fn no_connection_is_used_twice() {
    // A server that keeps connections open, and tells which one a request came on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                loop {
                    let request = read_request(&mut stream).await;
                    assert!(request.contains("\r\nconnection: close\r\n"), "{request}");
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let runtime = job(&format!("http://{address}/"), &[("http.method", "POST"), ("http.data", "x")]);
    for number in 1..4 {
        assert_eq!(run(&runtime).await.lines, [number.to_string()]);
    }
}

#[tokio::test]
async fn an_answer_in_another_character_set_is_read_as_it_says() {
    let gbk = b"\xc8\xd5\xb1\xa8\xca\xa7\xb0\xdc\n".repeat(5_000);
    for (kind, text) in [("text/plain; Charset=\"GBK\"", "日报失败"), ("text/plain", "\u{fffd}")] {
        let head =
            format!("HTTP/1.1 500 Oh\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", gbk.len());
        let (address, _requests) = server(Some([head.as_bytes(), &gbk].concat())).await;
        let end = run(&job(&format!("http://{address}/"), &[])).await;
        assert!(end.lines[0].starts_with(text), "{}", end.lines[0]);
        let (_, reason) = failure(end);
        assert!(reason.contains(text), "{reason}");
    }
}

#[tokio::test]
async fn nobody_there_is_a_failed_start() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let (kind, reason) = failure(run(&job(&format!("http://{address}/"), &[])).await);
    assert_eq!(kind, FailureKind::Start);
    assert!(
        reason.starts_with(&format!("GET http://{address}/: cannot connect: Connection refused")),
        "{reason}"
    );
}

#[tokio::test]
async fn silence_ends_with_the_read_timeout() {
    let (address, _requests) = server(None).await;
    let end = run(&job(&format!("http://{address}/"), &[("http.read.timeout.milliseconds", "100")])).await;
    let reason =
        format!("GET http://{address}/: nothing was answered for 100 ms (http.read.timeout.milliseconds)");
    assert_eq!(failure(end), (FailureKind::Timeout, reason));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure() {
    let (address, _requests) =
        server(Some(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec())).await;
    let (kind, reason) = failure(run(&job(&format!("http://{address}/"), &[])).await);
    assert_eq!(kind, FailureKind::Job);
    assert!(reason.starts_with(&format!("GET http://{address}/: ")), "{reason}");
}

#[tokio::test]
async fn a_stop_closes_the_connection_at_once_and_a_timeout_too() {
    let (address, mut requests) = server(None).await;
    let runtime = job(&format!("http://{address}/"), &[]);
    let (stop, stopped) = watch::channel(Stop::No);
    let control = Control { stop: stopped, ..Control::unattended() };
    let stopper = async {
        requests.recv().await.unwrap();
        stop.send_replace(Stop::Now(StopReason::Cancelled));
    };
    let (end, ()) = tokio::join!(hear(&runtime, spec(), control), stopper);
    assert_eq!(end.result, RunResult::Stopped(StopReason::Cancelled));
    assert_eq!(requests.recv().await.unwrap(), "closed");
    let end = hear(&runtime, RunSpec { timeout: Some(50), ..spec() }, Control::unattended()).await;
    assert_eq!(failure(end), (FailureKind::Timeout, "took longer than its limit of 50 ms".to_owned()));
}

#[tokio::test]
async fn a_huge_answer_is_read_to_its_end_and_kept_in_part() {
    let body = "0123456789abcdef\n".repeat(1 << 20) + "all is committed";
    let (address, _requests) = server(answer("200 OK", &body)).await;
    let end = run(&job(&format!("http://{address}/"), &[])).await;
    assert_eq!(end.result, RunResult::Succeeded);
    assert_eq!(end.lines.last().unwrap(), "all is committed");
    assert!(end.lost > (16 << 20), "{}", end.lost);
}

#[tokio::test]
async fn a_server_that_fails_after_much_of_its_answer_is_a_failure() {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n".to_vec();
    let (address, _requests) = server(Some([broken, vec![b'x'; 3 << 20]].concat())).await;
    assert_eq!(failure(run(&job(&format!("http://{address}/"), &[])).await).0, FailureKind::Job);
}

#[tokio::test]
async fn tls_is_ready_and_a_server_without_it_is_a_failed_start() {
    // The server answers the handshake with plain text; that this is noticed shows that there is a TLS provider.
    let (address, _requests) = plain_text_server().await;
    let (kind, reason) = failure(run(&job(&format!("https://{address}/"), &[])).await);
    assert_eq!(kind, FailureKind::Start);
    assert!(reason.contains("cannot connect") && reason.to_lowercase().contains("corrupt"), "{reason}");
}

async fn plain_text_server() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Closing with unread input would reset the connection before the answer is read.
        let _ = stream.read(&mut [0; 1024]).await;
    });
    (address, task)
}

const SELF_SIGNED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/self-signed.pem");

/// A server on `localhost` that signed its own certificate, as tools do by default.
async fn self_signed() -> SocketAddr {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use std::io::{Read, Write};

    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/key.pem");
    let certificate = CertificateDer::from_pem_file(SELF_SIGNED).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut bytes = [0; 4096];
            if stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(&answer("200 OK", "done\n").unwrap());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_signed_its_own_certificate_is_believed_if_that_is_named_and_only_under_its_name() {
    let port = self_signed().await.port();
    let at = |host: &str| format!("https://{host}:{port}/");
    let ca = ("http.tls.ca", SELF_SIGNED);

    let end = run(&job(&at("localhost"), &[ca])).await;
    assert_eq!((end.result, end.lines), (RunResult::Succeeded, vec!["done".to_owned()]));

    let (kind, reason) = failure(run(&job(&at("127.0.0.1"), &[ca])).await);
    assert_eq!(kind, FailureKind::Start);
    assert!(reason.contains("peer certificate") && reason.contains("127.0.0.1"), "{reason}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_with_what_would_be_right() {
    let port = self_signed().await.port();
    let other = tempfile::NamedTempFile::new().unwrap();
    let uri = format!("https://localhost:{port}/");
    let (kind, reason) = failure(run(&job(&uri, &[])).await);
    assert_eq!(kind, FailureKind::Start);
    assert!(reason.contains("http.tls.ca"), "{reason}");
    let (kind, reason) = failure(run(&job(&uri, &[("http.tls.ca", other.path().to_str().unwrap())])).await);
    assert_eq!(kind, FailureKind::Start);
    assert!(reason.contains("no usable certificate"), "{reason}");
    let (_, reason) = failure(run(&job(&uri, &[("http.tls.ca", "/nowhere/ca.pem")])).await);
    assert!(reason.contains("/nowhere/ca.pem") && reason.contains("No such file"), "{reason}");
}
