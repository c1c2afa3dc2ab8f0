//! Servers that come back as others than they were: without their data, with an older copy, with other limits.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clockwright_registry::{Op, Registry, Session};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::ZkServer;
use common::{fresh_root, wait_for};
use std::path::Path;
use std::sync::Arc;

async fn session(server: &ZkServer) -> Arc<ZooKeeper> {
    let options = Options { session_timeout: 6_000, ..Options::new(server.address()) };
    ZooKeeper::connect(options).await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_lost_when_the_servers_come_back_without_their_data() {
    let server = ZkServer::start().unwrap();
    let one = session(&server).await;
    for _ in 0..10 {
        one.commit(vec![Op::create(fresh_root(), "")]).await.unwrap();
    }
    server.kill();
    wait_for(&*one, Session::Suspended).await;
    std::fs::remove_dir_all(server.data().join("version-2")).unwrap();
    server.restart().unwrap();
    wait_for(&*one, Session::Lost).await;
    let two = session(&server).await;
    two.commit(vec![Op::create(fresh_root(), "")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_lost_when_the_servers_come_back_with_an_older_copy_that_knows_it() {
    let server = ZkServer::start().unwrap();
    // Long enough to live through the copying, whatever the machine does.
    let options = Options { session_timeout: 30_000, ..Options::new(server.address()) };
    let one = ZooKeeper::connect(options).await.unwrap();
    one.commit(vec![Op::create(fresh_root(), "")]).await.unwrap();
    server.kill();
    let backup = tempfile::tempdir().unwrap();
    copy(&server.data(), backup.path());
    server.restart().unwrap();
    wait_for(&*one, Session::Connected).await;
    while one.commit(vec![Op::create(fresh_root(), "")]).await.is_err() {
        tokio::task::yield_now().await;
    }
    let mine = fresh_root();
    one.commit(vec![Op::create_ephemeral(mine.clone(), "")]).await.unwrap();
    server.kill();
    wait_for(&*one, Session::Suspended).await;
    std::fs::remove_dir_all(server.data()).unwrap();
    copy(backup.path(), &server.data());
    server.restart().unwrap();
    wait_for(&*one, Session::Lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_only_away_takes_the_session_back() {
    let server = ZkServer::start().unwrap();
    let options = Options { session_timeout: 50_000, ..Options::new(server.address()) };
    let one = ZooKeeper::connect(options).await.unwrap();
    one.commit(vec![Op::create(fresh_root(), "")]).await.unwrap();
    server.restart().unwrap();
    let mut state = one.session();
    state.wait_for(|state| *state != Session::Suspended).await.unwrap();
    assert_eq!(*state.borrow(), Session::Connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_follow_a_server_that_was_restarted_with_a_smaller_maximum() {
    let server = ZkServer::start().unwrap();
    let options = Options { session_timeout: 40_000, ..Options::new(server.address()) };
    let one = ZooKeeper::connect(options).await.unwrap();
    assert_eq!(one.terms().timeout, 40_000);
    server.configure("maxSessionTimeout=20000").unwrap();
    server.kill();
    wait_for(&*one, Session::Suspended).await;
    server.restart().unwrap();
    wait_for(&*one, Session::Connected).await;
    assert_eq!(one.terms().timeout, 20_000);
}
