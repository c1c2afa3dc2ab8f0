//! What the tests on real servers share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use clockwright_registry::{Error, Hint, Op, Path, Registry, Session, SharedRegistry};
use clockwright_registry_zookeeper::{Credentials, Options, ZooKeeper};
use clockwright_testkit::registry_suite::Fixture;
use clockwright_testkit::zookeeper::ZkServer;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Milliseconds. Long enough that a busy machine does not lose sessions by chance.
pub const SESSION_TIMEOUT: i64 = 10_000;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A path that no other test of this process uses.
pub fn fresh_root() -> Path {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Path::root().join(&format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Waits for a state of the session.
pub async fn wait_for(registry: &dyn Registry, state: Session) {
    let mut session = registry.session();
    let seen = tokio::time::timeout(PATIENCE, session.wait_for(|now| *now == state)).await;
    seen.unwrap_or_else(|_| panic!("the session is not {state:?} in time"))
        .expect("the session tells its states");
}

/// Waits for a hint, skipping others.
pub async fn wait_for_hint(hints: &mut UnboundedReceiver<Hint>, wanted: &Hint) {
    let found = async {
        loop {
            let hint = hints.recv().await.expect("the session lives");
            if hint == *wanted {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no hint {wanted:?} in time"));
}

/// Kills a server and starts it again: the session, its nodes and its watches must live through it.
pub async fn crash_and_restart(server: &ZkServer, basic: bool) {
    // A machine under load may take long to start a server again.
    let options = Options { session_timeout: 50_000, basic, ..Options::new(server.address()) };
    let one = ZooKeeper::connect(options).await.unwrap();
    let root = fresh_root();
    one.commit(vec![Op::create(root.clone(), ""), Op::create_ephemeral(root.join("e"), "")]).await.unwrap();
    let mut hints = one.watch(&root).await.unwrap();
    server.kill();
    wait_for(&*one, Session::Suspended).await;
    let refused = one.commit(vec![Op::set(root.clone(), "while suspended")]).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "surely not sent: {refused}");
    server.restart().unwrap();
    wait_for(&*one, Session::Connected).await;
    wait_for_hint(&mut hints, &Hint::Everything).await;
    let nodes = one.read(&[root.clone(), root.join("e")]).await.unwrap();
    assert_eq!(nodes[0].as_ref().unwrap().stat.version, 0, "what was refused did not happen");
    assert_eq!(nodes[1].as_ref().unwrap().stat.owner, one.terms().session);
    // The watch is alive on the new connection.
    one.commit(vec![Op::create(root.join("after"), "")]).await.unwrap();
    wait_for_hint(&mut hints, &Hint::Path(root.join("after"))).await;
}

/// Sessions with real servers, for the suite.
pub struct Real {
    options: Options,
    root: Path,
    /// By session id: to be ended behind their backs, their credentials are needed.
    sessions: Mutex<HashMap<i64, Credentials>>,
}

impl Real {
    pub async fn on(servers: String, digest: Option<&str>, basic: bool) -> Self {
        let user = digest.map(str::to_owned);
        Self::with(Options { session_timeout: SESSION_TIMEOUT, user, basic, ..Options::new(servers) }).await
    }

    pub async fn with(options: Options) -> Self {
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
