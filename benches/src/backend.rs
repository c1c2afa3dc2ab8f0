//! The registries that are measured, each fresh: in memory, in a directory, and a private ZooKeeper server.

use clockwright_engine::Connect;
use clockwright_registry::{ConnectOptions, Embedded, SharedRegistry};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::{Config, ZkServer};
use std::sync::Arc;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Disk,
    ZooKeeper,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Memory, Kind::Disk, Kind::ZooKeeper];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Memory => "memory",
            Kind::Disk => "disk",
            Kind::ZooKeeper => "ZooKeeper",
        }
    }
}

/// A registry, gone with its data when it is dropped.
pub(crate) struct Backend {
    kind: Kind,
    inner: Inner,
}

enum Inner {
    Embedded { registry: Embedded, _directory: Option<tempfile::TempDir> },
    ZooKeeper(Box<ZkServer>),
}

impl Backend {
    pub(crate) async fn open(kind: Kind) -> anyhow::Result<Self> {
        let inner = match kind {
            Kind::Memory => Inner::Embedded { registry: Embedded::in_memory(), _directory: None },
            Kind::Disk => {
                let directory = tempfile::tempdir()?;
                let registry = Embedded::open(directory.path()).await?;
                Inner::Embedded { registry, _directory: Some(directory) }
            }
            Kind::ZooKeeper => {
                // What an operator would run: the optimising compiler and a heap with room.
                let java = ["-Xmx1g", "-XX:TieredStopAtLevel=4"].map(str::to_owned).to_vec();
                let config = Config { java, ..Config::default() };
                let server = tokio::task::spawn_blocking(|| ZkServer::start_with(config)).await??;
                Inner::ZooKeeper(Box::new(server))
            }
        };
        Ok(Self { kind, inner })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Opens sessions with this timeout, milliseconds.
    pub(crate) fn connector(&self, session_timeout: i64) -> Connect {
        match &self.inner {
            Inner::Embedded { registry, .. } => {
                let registry = registry.clone();
                Arc::new(move || {
                    let session = registry.connect(ConnectOptions { session_timeout });
                    Box::pin(async move { session.map(|session| session as SharedRegistry) })
                })
            }
            Inner::ZooKeeper(server) => zookeeper(server.address(), session_timeout),
        }
    }

    /// The ZooKeeper server, if it is one.
    pub(crate) fn server(&self) -> Option<&ZkServer> {
        match &self.inner {
            Inner::Embedded { .. } => None,
            Inner::ZooKeeper(server) => Some(server),
        }
    }

    /// How many requests ZooKeeper has received since its start; 0 for the others.
    pub(crate) fn requests(&self) -> anyhow::Result<f64> {
        let Some(server) = self.server() else { return Ok(0.0) };
        let numbers = server.mntr()?;
        Ok(numbers.get("zk_packets_received").and_then(|number| number.parse().ok()).unwrap_or_default())
    }
}

/// Opens sessions with the server at this address.
pub(crate) fn zookeeper(address: String, session_timeout: i64) -> Connect {
    Arc::new(move || {
        let options = Options { session_timeout, ..Options::new(address.clone()) };
        Box::pin(async move { ZooKeeper::connect(options).await.map(|session| session as SharedRegistry) })
    })
}
