//! What surely did not happen is told from what nobody can tell, by the bytes that left: against a server that stops
//! reading, which no real one can be made to do at a chosen byte.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_registry::{Error, Op, Path, Registry, Session};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use futures::future::join_all;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes the handshake of the next client and gives it a session; 0 tells that its session has expired.
async fn accept(listener: &TcpListener, session: i64) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let length = stream.read_u32().await.unwrap();
    let mut request = vec![0; length as usize];
    stream.read_exact(&mut request).await.unwrap();
    let timeout: i32 = if session == 0 { 0 } else { 2_000 };
    let body = [
        &0i32.to_be_bytes()[..],
        &timeout.to_be_bytes(),
        &session.to_be_bytes(),
        &16i32.to_be_bytes(),
        &[7; 16],
        &[0],
    ];
    let body = body.concat();
    stream.write_u32(body.len() as u32).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream
}

#[tokio::test]
async fn commits_that_never_left_are_unavailable_and_those_that_may_have_are_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options { basic: true, ..Options::new(listener.local_addr().unwrap().to_string()) };
    let (deaf, one) = tokio::join!(accept(&listener, 5), ZooKeeper::connect(options));
    let one = one.unwrap();
    assert_eq!((one.terms().session, one.terms().timeout), (5, 2_000));

    // Far more than the sockets between us hold.
    let node = Path::new("/node").unwrap();
    let commits: Vec<_> =
        (0..400).map(|_| one.commit(vec![Op::set(node.clone(), vec![0; 100_000])])).collect();
    let errors: Vec<_> = join_all(commits).await.into_iter().map(|result| result.unwrap_err()).collect();
    let unknown = errors.iter().take_while(|error| error.is_unknown()).count();
    assert!(unknown > 0, "the first went out: {}", errors[0]);
    assert!(unknown < errors.len(), "the last cannot have");
    for error in &errors[unknown..] {
        assert!(matches!(error, Error::Unavailable(_)), "behind what did not leave nothing left: {error}");
    }
    assert_eq!(*one.session().borrow(), Session::Suspended);

    // The server knows the session no more.
    drop(deaf);
    accept(&listener, 0).await;
    let mut state = one.session();
    tokio::time::timeout(Duration::from_secs(30), state.wait_for(|now| *now == Session::Lost))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(one.commit(vec![Op::check(node)]).await, Err(Error::SessionLost));
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_breaks_the_connection_and_leaves_the_commit_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options { basic: true, ..Options::new(listener.local_addr().unwrap().to_string()) };
    let (mut server, one) = tokio::join!(accept(&listener, 5), ZooKeeper::connect(options));
    let one = one.unwrap();
    let commit = one.commit(vec![Op::check(Path::root())]);
    let length = server.read_u32().await.unwrap();
    server.read_exact(&mut vec![0; length as usize]).await.unwrap();
    // A frame of 2 GiB.
    server.write_u32(i32::MAX as u32).await.unwrap();
    assert!(commit.await.unwrap_err().is_unknown());
    // The same session goes on on another connection.
    let _next = accept(&listener, 5).await;
    let mut state = one.session();
    let connected = state.wait_for(|now| *now == Session::Connected);
    tokio::time::timeout(Duration::from_secs(30), connected).await.unwrap().unwrap();
}
