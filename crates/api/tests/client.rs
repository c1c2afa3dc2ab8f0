//! What the client sends when answers get lost, are refused or come from somebody else: a server of the test's own says what it received.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright_api::Etag;
use clockwright_api::client::{Client, Credential, Error};
use clockwright_api::jobs::JobChange;
use clockwright_api::operations::Operate;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What is answered to each request in its turn; nothing: the connection breaks after it was received.
type Script = Vec<Option<&'static str>>;

const OPERATION: &str = r#"{"id":"1","kind":"pause","project":"p","state":"done","by":"x","at":"2026-01-31T08:00:00Z","result":{"changed":1}}"#;

/// Answers as the script says; gives the address and the heads of the requests.
async fn serve(script: Script) -> (Client, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&heads);
    tokio::spawn(async move {
        for answer in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            // Who closes before all was read breaks the connection under the answer.
            let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            received.lock().unwrap().push(head);
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    let client = Client::new(&address, Credential::Token("open-sesame".into())).unwrap();
    (client, heads)
}

/// An answer with this body; it says that the journal is at 41.
fn answer(status: &str, body: &str) -> &'static str {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nclockwright-seq: 41\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    text.leak()
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_sent_again_under_the_same_key() {
    let (client, heads) = serve(vec![None, Some(answer("200 OK", OPERATION))]).await;
    let done = client.project("p").job("j").operate().pause(&Operate::default()).await.unwrap();
    assert_eq!(done.state, "done");
    let heads = heads.lock().unwrap();
    let keys: Vec<_> = heads.iter().map(|head| header(head, "idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_told_and_never_sent_again_by_itself() {
    let (client, heads) = serve(vec![None, Some(answer("200 OK", "{}"))]).await;
    let lost = client.project("p").job("j").change(Etag(3), &JobChange::default()).await;
    assert!(matches!(lost, Err(Error::Unreachable(_))), "{lost:?}");
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(header(&heads[0], "if-match").as_deref(), Some("\"v3\""));
}

#[tokio::test]
async fn what_a_server_has_told_the_next_one_is_to_have_seen() {
    let behind = r#"{"type":"/problems/behind","title":"","status":503,"detail":"","instance":"","code":"behind","fix":"","retryAfter":0}"#;
    let script = [answer("200 OK", "[]"), answer("503 Busy", behind), answer("200 OK", "[]")];
    let (client, heads) = serve(script.into_iter().map(Some).collect()).await;
    client.projects().await.unwrap();
    // Refused by one that is behind, asked again by itself.
    client.projects().await.unwrap();
    let heads = heads.lock().unwrap();
    let seen: Vec<_> = heads.iter().map(|head| header(head, "clockwright-min-seq")).collect();
    assert_eq!(seen, [None, Some("41".to_owned()), Some("41".to_owned())]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let away = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (client, heads) = serve(vec![Some(away)]).await;
    let strange = client.projects().await;
    assert!(matches!(strange, Err(Error::Strange { status: 302, .. })), "{strange:?}");
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_server_of_clockwright_is_told_as_that() {
    let page = answer("404 Not Found", "<html>nginx</html>");
    let (client, _) = serve(vec![Some(page)]).await;
    let strange = client.projects().await.unwrap_err();
    assert!(matches!(&strange, Error::Strange { status: 404, text } if text.contains("nginx")), "{strange}");
    assert!(!format!("{strange:?}").contains("open-sesame"));
}
