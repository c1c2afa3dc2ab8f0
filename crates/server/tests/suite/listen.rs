//! The sockets: TLS, slow and crowding clients, leaving.

use clockwright_server::Server;
use clockwright_server::config::{Config, Sources, read};
use clockwright_server::registries::Registries;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A server with a socket, set up by this file besides its folder.
async fn start(folder: &Path, text: &str) -> Server {
    let text = format!("listen: 127.0.0.1:0\ndata: {}\n{text}", folder.display());
    let file = Some(("clockwright.yaml".into(), text));
    let config = read(&Sources { file, ..Sources::default() }).unwrap();
    let tls = clockwright_server::tls(&config).unwrap();
    Server::start(config, tls, Registries::default(), Arc::new(|| 1_800_000_000_000)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_know_a_server_once_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "").await;
    // What it begins from now on would be taken up by another one otherwise, as what was left by the dead.
    let known = server.app().store.servers(server.app().now()).await.unwrap();
    assert!(known.iter().any(|known| known.id == server.app().id), "{known:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_length_is_said_twice_or_wrongly_is_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "limits:\n  head: 200ms\n").await;
    let begin = "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n";
    for rest in [
        "content-length: 2\r\ncontent-length: 20\r\n\r\n{}",
        "content-length: -1\r\n\r\n{}",
        "content-length: 99999999999999999999999\r\n\r\n{}",
        "content-length: 2\r\ntransfer-encoding: chunked, identity\r\n\r\n{}",
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nx\r\n{}\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "\0: 1\r\n\r\n",
        "a b: 1\r\n\r\n",
    ] {
        let said = answer(connect(&server).await, format!("{begin}{rest}").as_bytes()).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{rest:?}: {said}");
        assert!(said.matches("HTTP/1.1").count() <= 1, "one answer at most: {said}");
    }
    assert!(answer(connect(&server).await, ALIVE).await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s38_metrics_are_open_on_a_listener_of_their_own_that_is_loopback_unless_told_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let asks = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(Config::default().metrics_listen.is_some_and(|address| address.ip().is_loopback()));
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = start(folder.path(), &format!("metrics: {{listen: '127.0.0.1:{port}'}}\n")).await;
    let open = async || TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let said = answer(open().await, asks("/metrics").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("clockwright_build_info"), "{said}");
    assert!(said.contains("x-content-type-options: nosniff"), "{said}");
    for other in ["/", "/api/v1/projects", "/livez", "/debug/pprof"] {
        let said = answer(open().await, asks(other).as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 404"), "{other}: {said}");
    }
    let said = answer(connect(&server).await, asks("/metrics").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    // A second server there works without them.
    let second = start(folder.path(), &format!("metrics: {{listen: '127.0.0.1:{port}'}}\n")).await;
    assert!(answer(connect(&second).await, ALIVE).await.starts_with("HTTP/1.1 200"));
    second.stop().await;
    server.stop().await;
}

/// A new certificate in the folder, and a client that trusts it alone.
fn certify(folder: &Path) -> TlsConnector {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// All that comes after this was sent; empty where the connection was cut without an answer.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    // Whoever is hung up on may not even get rid of all that they have to say.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const ALIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn s31_browsers_are_answered_over_tls_and_told_to_stay_there_and_a_new_certificate_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let old = certify(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        "public_url: https://localhost\ntls:\n  cert: {}\n  key: {}\n",
        file("cert.pem"),
        file("key.pem")
    );
    let server = start(folder.path(), &text).await;
    let name = || ServerName::try_from("localhost").unwrap();
    let said = answer(old.connect(name(), connect(&server).await).await.unwrap(), ALIVE).await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    for header in [
        "strict-transport-security: max-age=31536000",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types clockwright\r\n",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(said.contains(header), "{header} is not in {said}");
    }
    assert!(!said.to_lowercase().contains("access-control-"), "s13: no page of another site reads an answer");
    assert!(!answer(connect(&server).await, ALIVE).await.contains("HTTP"), "nothing is said without TLS");

    let new = certify(folder.path());
    assert!(server.read_again().unwrap());
    assert!(old.connect(name(), connect(&server).await).await.is_err());
    assert!(new.connect(name(), connect(&server).await).await.is_ok());
    std::fs::write(folder.path().join("cert.pem"), "rubbish").unwrap();
    assert!(server.read_again().unwrap_err().to_string().contains("cert.pem"));
    assert!(new.connect(name(), connect(&server).await).await.is_ok(), "the one of before stays");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_who_is_slow_or_says_too_much_before_a_request_is_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "limits: {head: 200ms}\n").await;
    let slow = tokio::time::timeout(
        Duration::from_secs(20),
        answer(connect(&server).await, b"GET /livez HTTP/1.1\r\nho"),
    );
    let said = slow.await.expect("the connection is cut");
    assert!(!said.contains("200 OK"), "{said}");
    let large = [b"GET /livez HTTP/1.1\r\nx: ".as_slice(), &[b'a'; 64 << 10], b"\r\n\r\n"].concat();
    let said = answer(connect(&server).await, &large).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let long =
        format!("GET /livez?{} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "a".repeat(9_000));
    let said = answer(connect(&server).await, long.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("8192 bytes"), "{said}");
    assert!(answer(connect(&server).await, ALIVE).await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_an_address_has_no_more_connections_than_it_may_and_a_server_that_leaves_waits_for_none_that_is_idle()
 {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "limits: {connections_per_address: 2}\n").await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server).await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H', "it is taken, and stays open");
        open.push(stream);
    }
    assert_eq!(answer(connect(&server).await, ALIVE).await, "");
    let left = tokio::time::timeout(Duration::from_secs(10), server.stop());
    left.await.expect("open connections are told, and end");
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_path_of_its_host_it_answers_there_and_where_a_proxy_took_the_path_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "public_url: http://localhost:1/tools/jobs\n").await;
    let get = async |path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nconnection: close\r\n\r\n"
        );
        answer(connect(&server).await, request.as_bytes()).await
    };
    for path in ["/livez", "/tools/jobs/livez"] {
        assert!(get(path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
    for path in
        ["/", "/tools/jobs", "/tools/jobs/", "/tools/jobs/jobs/billing/report", "/jobs/billing/report"]
    {
        let said = get(path).await;
        // Whether the console was built or not, it is the console that answers.
        assert!(
            said.contains("<base href=\"/tools/jobs/\"") || said.contains("`make console`"),
            "{path}: {said}"
        );
    }
    for path in ["/api/v1/nothing", "/tools/jobs/api/v1/nothing", "/tools/jobs/assets/nothing-1.js"] {
        let said = get(path).await;
        assert!(said.starts_with("HTTP/1.1 404"), "{path}: {said}");
        assert!(said.contains("content-type: application/problem+json"), "{path}: {said}");
    }
    server.stop().await;
}
