//! The laws of the port on real servers: one and an ensemble of three, open and with a digest.

mod common;

use async_trait::async_trait;
use clockwright_registry::{Op, Path, Registry, SharedRegistry};
use clockwright_registry_zookeeper::{Credentials, Options, ZooKeeper};
use clockwright_testkit::registry_suite::Fixture;
use clockwright_testkit::zookeeper::{shared_ensemble, shared_server};
use common::{SESSION_TIMEOUT, fresh_root};
use std::collections::HashMap;
use std::sync::Mutex;

struct Real {
    options: Options,
    root: Path,
    /// By session id: to be ended behind their backs, their credentials are needed.
    sessions: Mutex<HashMap<i64, Credentials>>,
}

impl Real {
    async fn on(servers: String, digest: Option<&str>, basic: bool) -> Self {
        let digest = digest.map(str::to_owned);
        let options = Options { session_timeout: SESSION_TIMEOUT, digest, basic, ..Options::new(servers) };
        let session = ZooKeeper::connect(options.clone()).await.expect("the servers are there");
        let root = fresh_root();
        session.commit(vec![Op::create(root.clone(), "")]).await.expect("the root is fresh");
        session.close().await.expect("the session can be closed");
        Self { options, root, sessions: Mutex::default() }
    }
}

#[async_trait]
impl Fixture for Real {
    async fn connect(&self) -> SharedRegistry {
        let session = ZooKeeper::connect(self.options.clone()).await.expect("the servers are there");
        // On an ensemble, a new session may be on a server that is behind: it must see the root at least.
        while session.read(std::slice::from_ref(&self.root)).await.expect("the root can be read")[0].is_none()
        {
            tokio::task::yield_now().await;
        }
        self.sessions.lock().expect("no panic").insert(session.terms().session, session.credentials());
        session
    }

    fn root(&self) -> Path {
        self.root.clone()
    }

    async fn expire(&self, session: &SharedRegistry) -> bool {
        let credentials = self.sessions.lock().expect("no panic").get(&session.terms().session).cloned();
        let credentials = credentials.expect("it is one of ours");
        ZooKeeper::end(self.options.clone(), &credentials).await.expect("the servers are there");
        true
    }
}

mod one_server {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_server().address(), None, false));
}

mod one_server_with_digest {
    clockwright_testkit::registry_suite!(super::Real::on(
        super::shared_server().address(),
        Some("tester:secret"),
        false
    ));
}

mod three_servers {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_ensemble().addresses(), None, false));
}

mod three_servers_with_digest {
    clockwright_testkit::registry_suite!(super::Real::on(
        super::shared_ensemble().addresses(),
        Some("tester:secret"),
        false
    ));
}

/// As it is on ZooKeeper 3.4 and 3.5: without multi-reads and recursive watches.
mod one_server_by_basic_requests {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_server().address(), None, true));
}

mod three_servers_by_basic_requests {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_ensemble().addresses(), None, true));
}
