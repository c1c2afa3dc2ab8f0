//! The registries that are measured, each fresh: in memory, in a directory, and a private ZooKeeper server.

use clockwright_engine::Connect;
use clockwright_registry::{ConnectOptions, Embedded, SharedRegistry};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::{Config, ZkServer};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    number: u32,
    inner: Inner,
}

enum Inner {
    Embedded { registry: Embedded, _directory: Option<tempfile::TempDir> },
    ZooKeeper(Arc<ZkServer>),
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
                let server = tokio::task::spawn_blocking(server).await??;
                Inner::ZooKeeper(server)
            }
        };
        static OPENED: AtomicU32 = AtomicU32::new(0);
        Ok(Self { kind, inner, number: OPENED.fetch_add(1, Ordering::Relaxed) })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// A namespace of this name that no other measurement on the same server has.
    pub(crate) fn namespace(&self, name: &str) -> String {
        format!("{name}-{}", self.number)
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
        self.counted(&["zk_packets_received"])
    }

    /// How many watch events ZooKeeper has delivered since its start; 0 for the others.
    pub(crate) fn events(&self) -> anyhow::Result<f64> {
        self.counted(&[
            "zk_sum_node_created_watch_count",
            "zk_sum_node_changed_watch_count",
            "zk_sum_node_deleted_watch_count",
            "zk_sum_node_children_watch_count",
        ])
    }

    /// The sum of these numbers of the server.
    fn counted(&self, names: &[&str]) -> anyhow::Result<f64> {
        let Some(server) = self.server() else { return Ok(0.0) };
        let numbers = server.mntr()?;
        Ok(names.iter().filter_map(|name| numbers.get(*name)?.parse::<f64>().ok()).sum())
    }
}

/// The one server of this run, as an operator would run it: with the optimising compiler and a heap with room. It ends with
/// this process.
fn server() -> anyhow::Result<Arc<ZkServer>> {
    static SHARED: Mutex<Option<Arc<ZkServer>>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = &*shared {
        return Ok(server.clone());
    }
    let java = ["-Xmx2g", "-XX:TieredStopAtLevel=4"].map(str::to_owned).to_vec();
    let server = Arc::new(ZkServer::start_with(Config { java, ..Config::default() })?);
    *shared = Some(server.clone());
    Ok(server)
}

/// Opens sessions with the server at this address.
pub(crate) fn zookeeper(address: String, session_timeout: i64) -> Connect {
    Arc::new(move || {
        let options = Options { session_timeout, ..Options::new(address.clone()) };
        Box::pin(async move { ZooKeeper::connect(options).await.map(|session| session as SharedRegistry) })
    })
}
