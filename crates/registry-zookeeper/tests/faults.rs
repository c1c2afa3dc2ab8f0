//! What happens when servers crash, freeze or forget: on real servers that are killed and frozen.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clockwright_registry::{Error, Hint, Op, Path, Registry, Session};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::{LoggedOp, ZkEnsemble, ZkServer, shared_server};
use common::{PATIENCE, SESSION_TIMEOUT, crash_and_restart, fresh_root, wait_for, wait_for_hint};
use std::sync::Arc;
use tokio::time::timeout;

async fn connect(servers: String, session_timeout: i64) -> Arc<ZooKeeper> {
    ZooKeeper::connect(Options { session_timeout, ..Options::new(servers) }).await.unwrap()
}

async fn exists(registry: &ZooKeeper, path: &Path) -> bool {
    registry.read(std::slice::from_ref(path)).await.unwrap()[0].is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_and_restart_of_the_server_keeps_the_session_and_the_watches() {
    crash_and_restart(&ZkServer::start().unwrap(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_and_restart_keeps_one_shot_watches_going_too() {
    crash_and_restart(&ZkServer::start().unwrap(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_suspends_the_session_and_leaves_a_commit_unknown_until_it_is_read_back() {
    let server = ZkServer::start().unwrap();
    let one = connect(server.address(), 4_000).await;
    let root = fresh_root();
    one.commit(vec![Op::create(root.clone(), "before")]).await.unwrap();
    server.pause().unwrap();
    let unclear =
        timeout(PATIENCE, one.commit(vec![Op::set(root.clone(), "unclear")])).await.unwrap().unwrap_err();
    assert!(unclear.is_unknown(), "it was handed to a living connection: {unclear}");
    wait_for(&*one, Session::Suspended).await;
    server.resume().unwrap();
    // Frozen for half its timeout and thawed at once, the server may find the session expired or not.
    let two = connect(server.address(), SESSION_TIMEOUT).await;
    let node = two.read(std::slice::from_ref(&root)).await.unwrap().remove(0).unwrap();
    match &node.data[..] {
        b"unclear" => assert_eq!(node.stat.version, 1),
        b"before" => assert_eq!(node.stat.version, 0),
        other => panic!("neither done nor not done: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_behind_its_back_is_lost_and_says_so() {
    let server = ZkServer::start().unwrap();
    let one = connect(server.address(), 2_000).await;
    let root = fresh_root();
    one.commit(vec![Op::create(root.clone(), ""), Op::create_ephemeral(root.join("e"), "")]).await.unwrap();
    let mut hints = one.watch(&root).await.unwrap();
    ZooKeeper::end(Options::new(server.address()), &one.credentials()).await.unwrap();
    wait_for(&*one, Session::Lost).await;
    assert_eq!(one.commit(vec![Op::set(root.clone(), "late")]).await, Err(Error::SessionLost));
    assert_eq!(one.read(std::slice::from_ref(&root)).await, Err(Error::SessionLost));
    timeout(PATIENCE, async { while hints.recv().await.is_some() {} })
        .await
        .expect("hints end with the session");
    let two = connect(server.address(), SESSION_TIMEOUT).await;
    assert!(!exists(&two, &root.join("e")).await);
    assert_eq!(two.read(std::slice::from_ref(&root)).await.unwrap()[0].as_ref().unwrap().stat.version, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_and_its_watches_survive_the_loss_of_any_member_of_an_ensemble() {
    let ensemble = ZkEnsemble::start(3).unwrap();
    let one = connect(ensemble.addresses(), 30_000).await;
    let root = fresh_root();
    one.commit(vec![Op::create(root.clone(), ""), Op::create_ephemeral(root.join("e"), "")]).await.unwrap();
    let mut hints = one.watch(&root).await.unwrap();
    let mut transaction = 0;
    for (round, server) in ensemble.servers().iter().enumerate() {
        server.kill();
        let path = root.join(&format!("round-{round}"));
        // Retried as a caller would: what surely did not happen is tried again, what is unclear is read back.
        let done = timeout(PATIENCE, async {
            loop {
                match one.commit(vec![Op::create(path.clone(), "")]).await {
                    Ok(commit) => return commit.transaction,
                    Err(Error::Conflict { .. }) => {
                        return one.read(std::slice::from_ref(&path)).await.unwrap()[0]
                            .as_ref()
                            .unwrap()
                            .stat
                            .created;
                    }
                    Err(Error::Unavailable(_) | Error::Unknown(_)) => {
                        wait_for(&*one, Session::Connected).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let done = done.await.unwrap();
        assert!(
            done > transaction,
            "transaction numbers grow across leaders: {done:#x} after {transaction:#x}"
        );
        transaction = done;
        // The hint comes from the watch, or with the reconnection, or both.
        timeout(PATIENCE, hints.recv()).await.unwrap().unwrap();
        server.restart().unwrap();
    }
    assert!(exists(&one, &root.join("e")).await, "the ephemeral node lived through all of it");
    one.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_too_large_is_refused_before_it_is_sent_and_the_connection_lives() {
    let one = connect(shared_server().address(), SESSION_TIMEOUT).await;
    let root = fresh_root();
    one.commit(vec![Op::create(root.clone(), "")]).await.unwrap();
    let large = one.commit(vec![Op::set(root.clone(), vec![0; one.terms().max_bytes])]).await.unwrap_err();
    assert!(matches!(large, Error::Refused(_)), "{large}");
    let many = one.commit(vec![Op::check(root.clone()); one.terms().max_ops + 1]).await.unwrap_err();
    assert!(matches!(many, Error::Refused(_)), "{many}");
    assert_eq!(*one.session().borrow(), Session::Connected);
    assert_eq!(one.read(std::slice::from_ref(&root)).await.unwrap()[0].as_ref().unwrap().stat.version, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_made_with_a_digest_belong_to_its_user_alone() {
    let options = |digest: Option<&str>| Options {
        user: digest.map(str::to_owned),
        session_timeout: SESSION_TIMEOUT,
        ..Options::new(shared_server().address())
    };
    let owner = ZooKeeper::connect(options(Some("alice:secret"))).await.unwrap();
    let root = fresh_root();
    owner.commit(vec![Op::create(root.clone(), "mine")]).await.unwrap();
    let access = owner.access_list(&root).await.unwrap();
    assert_eq!(access.len(), 1);
    assert!(access[0].0.starts_with("digest:alice:") && access[0].1 == 31, "{access:?}");
    for other in [Some("alice:wrong"), Some("bob:secret"), None] {
        let other = ZooKeeper::connect(options(other)).await.unwrap();
        for op in [Op::set(root.clone(), ""), Op::create(root.join("a"), ""), Op::check(root.clone())] {
            let error = other.commit(vec![op.clone()]).await.unwrap_err();
            assert!(matches!(error, Error::Denied(_)), "{op:?}: {error}");
        }
        let error = other.read(std::slice::from_ref(&root)).await.unwrap_err();
        assert!(matches!(error, Error::Denied(_)), "{error}");
    }
    let anyone = ZooKeeper::connect(options(None)).await.unwrap();
    let open = fresh_root();
    anyone.commit(vec![Op::create(open.clone(), "")]).await.unwrap();
    assert_eq!(anyone.access_list(&open).await.unwrap(), [("world:anyone".to_owned(), 31)]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let nobody = Options { connect_timeout: 300, ..Options::new("127.0.0.1:1") };
    let error = ZooKeeper::connect(nobody).await.err().unwrap();
    assert!(matches!(&error, Error::Unavailable(why) if why.contains("127.0.0.1:1")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_says_of_which_release_it_is_and_of_one_that_is_away_it_is_told_why_not() {
    let there = shared_server().address();
    let registry = connect(format!("{there},127.0.0.1:1"), SESSION_TIMEOUT).await;
    let said = registry.releases().await;
    assert_eq!(
        said.iter().map(|one| one.server.as_str()).collect::<Vec<_>>(),
        [there.as_str(), "127.0.0.1:1"]
    );
    let release = said[0].said.as_deref().unwrap();
    assert!(
        release.starts_with("3.") && release.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()),
        "{said:?}"
    );
    assert!(said[1].said.as_ref().unwrap_err().contains("refused"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_on_a_node_that_is_not_there_yet_tells_when_it_comes() {
    let one = connect(shared_server().address(), SESSION_TIMEOUT).await;
    let root = fresh_root();
    let mut hints = one.watch(&root.join("a")).await.unwrap();
    one.commit(vec![
        Op::create(root.clone(), ""),
        Op::create(root.join("a"), ""),
        Op::create(root.join("a/b"), ""),
    ])
    .await
    .unwrap();
    wait_for_hint(&mut hints, &Hint::Path(root.join("a"))).await;
    wait_for_hint(&mut hints, &Hint::Path(root.join("a/b"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_server_tells_what_was_written() {
    let server = ZkServer::start().unwrap();
    let one = connect(server.address(), SESSION_TIMEOUT).await;
    let root = Path::root().join("logged");
    let first = one
        .commit(vec![Op::create(root.clone(), "v0"), Op::create_ephemeral(root.join("e"), "x")])
        .await
        .unwrap();
    one.commit(vec![Op::check(root.join("none"))]).await.unwrap_err();
    let second = one
        .commit(vec![Op::set_if(root.clone(), "v1", 0), Op::delete(root.join("e")), Op::check(root)])
        .await
        .unwrap();
    let log = server.transactions().unwrap();
    let written: Vec<_> =
        log.iter().filter(|transaction| transaction.ops[0] != LoggedOp::OpenSession).collect();
    assert_eq!(
        written.iter().map(|it| it.number).collect::<Vec<_>>(),
        [first.transaction, second.transaction]
    );
    assert!(written.iter().all(|it| it.session == one.terms().session));
    let create = |path: &str, data: &str, ephemeral| LoggedOp::Create {
        path: path.into(),
        data: data.into(),
        ephemeral,
    };
    assert_eq!(written[0].ops, [create("/logged", "v0", false), create("/logged/e", "x", true)]);
    let set = LoggedOp::Set { path: "/logged".into(), data: "v1".into(), version: 1 };
    let delete = LoggedOp::Delete { path: "/logged/e".into() };
    assert_eq!(written[1].ops[..2], [set, delete]);
}
