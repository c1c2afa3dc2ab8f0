//! The laws of the port on other releases of ZooKeeper than Debian's: one server and three, open and with a digest. Nothing
//! tells the client which release it meets; 3.4.14 has neither multi-reads nor recursive watches.
//!
//! The servers are fetched by `e2e/zookeeper-servers/build.sh`. `make test-interop` does that and runs these tests.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clockwright_registry::{Hint, Op, Registry};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::{Config, ZkEnsemble, ZkServer};
use common::{Real, SESSION_TIMEOUT, crash_and_restart, fresh_root, wait_for_hint};
use std::sync::OnceLock;

/// The servers of one release that all its tests share.
struct Servers {
    release: &'static str,
    one: OnceLock<ZkServer>,
    three: OnceLock<ZkEnsemble>,
}

impl Servers {
    const fn of(release: &'static str) -> Self {
        Self { release, one: OnceLock::new(), three: OnceLock::new() }
    }

    fn config(&self) -> Config {
        Config::release(self.release).unwrap()
    }

    fn one(&self) -> String {
        self.one.get_or_init(|| ZkServer::start_with(self.config()).unwrap()).address()
    }

    fn three(&self) -> String {
        self.three.get_or_init(|| ZkEnsemble::start_with(3, self.config()).unwrap()).addresses()
    }
}

/// How many watches a server counts when a tree of this many nodes is watched.
async fn watches_of_a_tree(servers: &Servers, nodes: usize) -> usize {
    let server = ZkServer::start_with(servers.config()).unwrap();
    let options = Options { session_timeout: SESSION_TIMEOUT, ..Options::new(server.address()) };
    let session = ZooKeeper::connect(options).await.unwrap();
    let root = fresh_root();
    session.commit(vec![Op::create(root.clone(), "")]).await.unwrap();
    let children = (1..nodes).map(|n| Op::create(root.join(&n.to_string()), "")).collect();
    session.commit(children).await.unwrap();
    let mut hints = session.watch(&root).await.unwrap();
    session.commit(vec![Op::set(root.join("1"), "changed")]).await.unwrap();
    wait_for_hint(&mut hints, &Hint::Path(root.join("1"))).await;
    server.mntr().unwrap()["zk_watch_count"].parse().unwrap()
}

macro_rules! release {
    ($module:ident, $release:literal, recursive watches: $recursive:literal) => {
        mod $module {
            use super::*;

            static SERVERS: Servers = Servers::of($release);

            mod one_server {
                clockwright_testkit::registry_suite!(
                    ["needs the servers that make test-interop fetches"]
                    super::Real::on(super::SERVERS.one(), None, false)
                );
            }

            mod one_server_with_digest {
                clockwright_testkit::registry_suite!(
                    ["needs the servers that make test-interop fetches"]
                    super::Real::on(super::SERVERS.one(), Some("tester:secret"), false)
                );
            }

            mod three_servers {
                clockwright_testkit::registry_suite!(
                    ["needs the servers that make test-interop fetches"]
                    super::Real::on(super::SERVERS.three(), None, false)
                );
            }

            mod three_servers_with_digest {
                clockwright_testkit::registry_suite!(
                    ["needs the servers that make test-interop fetches"]
                    super::Real::on(super::SERVERS.three(), Some("tester:secret"), false)
                );
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs the servers that make test-interop fetches"]
            async fn the_client_finds_out_by_itself_what_the_server_can_do() {
                // Without recursive watches each node has one on its data and one on its children. Some releases count a
                // recursive one twice.
                let watches = watches_of_a_tree(&SERVERS, 10).await;
                assert!(if $recursive { watches <= 2 } else { watches == 20 }, "{watches} watches");
                let session = ZooKeeper::connect(Options::new(SERVERS.one())).await.unwrap();
                assert_eq!(session.releases().await[0].said.as_deref(), Ok($release));
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs the servers that make test-interop fetches"]
            async fn a_crash_and_restart_of_the_server_keeps_the_session_and_the_watches() {
                crash_and_restart(&ZkServer::start_with(SERVERS.config()).unwrap(), false).await;
            }
        }
    };
}

release!(zookeeper_3_4, "3.4.14", recursive watches: false);
release!(zookeeper_3_6, "3.6.4", recursive watches: true);
release!(zookeeper_3_9, "3.9.5", recursive watches: true);
