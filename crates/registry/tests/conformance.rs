//! The laws of the port, on each kind of embedded registry.

use async_trait::async_trait;
use clockwright_registry::{
    ConnectOptions, Embedded, Op, Path, Registry, SharedRegistry, SocketServer, SocketSession,
};
use clockwright_testkit::registry_suite::Fixture;

/// A registry in this process, and the directory it may be kept in.
struct Local {
    registry: Embedded,
    root: Path,
    dir: Option<tempfile::TempDir>,
}

impl Local {
    async fn in_memory() -> Self {
        Self::on(Embedded::in_memory(), None).await
    }

    async fn on_disk() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let registry = Embedded::open(dir.path()).await.expect("an empty directory can be opened");
        Self::on(registry, Some(dir)).await
    }

    async fn on(registry: Embedded, dir: Option<tempfile::TempDir>) -> Self {
        let root = Path::root().join("suite");
        let session = registry.connect(ConnectOptions::default()).expect("it is open");
        session.commit(vec![Op::create(root.clone(), "")]).await.expect("it is empty");
        Self { registry, root, dir }
    }
}

#[async_trait]
impl Fixture for Local {
    async fn connect(&self) -> SharedRegistry {
        self.registry.connect(ConnectOptions::default()).expect("it is open")
    }

    fn root(&self) -> Path {
        self.root.clone()
    }

    async fn expire(&self, session: &SharedRegistry) -> bool {
        self.registry.expire(session.terms().session)
    }
}

/// A registry in this process, used through its socket.
struct Remote {
    local: Local,
    socket: std::path::PathBuf,
    _server: SocketServer,
}

impl Remote {
    async fn new() -> Self {
        let local = Local::on_disk().await;
        let socket = local.dir.as_ref().expect("it is on disk").path().join("registry.sock");
        let server = local.registry.serve(&socket).await.expect("nothing else is there");
        Self { local, socket, _server: server }
    }
}

#[async_trait]
impl Fixture for Remote {
    async fn connect(&self) -> SharedRegistry {
        SocketSession::connect(&self.socket, ConnectOptions::default()).await.expect("it is served")
    }

    fn root(&self) -> Path {
        self.local.root()
    }

    async fn expire(&self, session: &SharedRegistry) -> bool {
        self.local.expire(session).await
    }
}

mod in_memory {
    clockwright_testkit::registry_suite!(super::Local::in_memory());
}

mod on_disk {
    clockwright_testkit::registry_suite!(super::Local::on_disk());
}

mod through_a_socket {
    clockwright_testkit::registry_suite!(super::Remote::new());
}
