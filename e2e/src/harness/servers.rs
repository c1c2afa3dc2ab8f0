//! The ZooKeeper servers of a scenario, and what somebody else does with them: a console, an operator, a Java peer.

use anyhow::Context as _;
use clockwright_registry::{Error, Node, Op, Path, Registry as _};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_testkit::zookeeper::{Config, LoggedOp, Transaction, ZkEnsemble, ZkServer};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// One private server, or an ensemble.
pub struct Servers {
    kind: Kind,
    digest: Option<String>,
    runtime: Runtime,
}

enum Kind {
    One(ZkServer),
    Many(ZkEnsemble),
}

impl Servers {
    /// Starts so many servers, 1 or an odd number, and waits until they serve.
    ///
    /// # Panics
    /// When they do not; says why.
    #[must_use]
    pub fn start(count: usize) -> Self {
        Self::start_with(count, Config::default())
    }

    /// As [`start`](Self::start).
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn start_with(count: usize, config: Config) -> Self {
        let kind = match count {
            1 => ZkServer::start_with(config).map(Kind::One),
            count => ZkEnsemble::start_with(count, config).map(Kind::Many),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            kind: kind.unwrap_or_else(|error| panic!("ZooKeeper does not start: {error:#}")),
            runtime: runtime.expect("a runtime can be made"),
            digest: None,
        }
    }

    /// From now on, what somebody else does here is done as this `user:password`.
    pub fn log_in(&mut self, digest: &str) {
        self.digest = Some(digest.to_owned());
    }

    /// `host:port,…` of all of them.
    #[must_use]
    pub fn hosts(&self) -> String {
        match &self.kind {
            Kind::One(server) => server.address(),
            Kind::Many(ensemble) => ensemble.addresses(),
        }
    }

    /// One of them, counted from 0.
    #[must_use]
    pub fn server(&self, number: usize) -> &ZkServer {
        match &self.kind {
            Kind::One(server) => server,
            Kind::Many(ensemble) => &ensemble.servers()[number],
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.kind {
            Kind::One(_) => 1,
            Kind::Many(ensemble) => ensemble.servers().len(),
        }
    }

    /// Kills one as a crash would and starts it again; returns when it serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn restart(&self, number: usize) {
        if let Err(error) = self.server(number).restart() {
            panic!("ZooKeeper does not start again: {error:#}");
        }
    }

    /// Starts several again at once: none of them serves before there is a quorum.
    ///
    /// # Panics
    /// When one does not.
    pub fn restart_all(&self, numbers: &[usize]) {
        std::thread::scope(|scope| {
            for number in numbers {
                scope.spawn(|| self.restart(*number));
            }
        });
    }

    /// All that the first server ever carried out, in order.
    ///
    /// # Panics
    /// When its log cannot be read.
    #[must_use]
    pub fn transactions(&self) -> Vec<Transaction> {
        let read = self.server(0).transactions();
        read.unwrap_or_else(|error| panic!("the transaction log is not readable: {error:#}"))
    }

    /// All that was ever changed, sessions and checks aside.
    #[must_use]
    pub fn changes(&self) -> Vec<LoggedOp> {
        let ops = self.transactions().into_iter().flat_map(|transaction| transaction.ops);
        let changes = |op: &LoggedOp| {
            matches!(op, LoggedOp::Create { .. } | LoggedOp::Set { .. } | LoggedOp::Delete { .. })
        };
        ops.filter(changes).collect()
    }

    /// A node's data, `None` when there is no such node.
    ///
    /// # Panics
    /// When the registry does not answer.
    #[must_use]
    pub fn get(&self, at: &str) -> Option<Vec<u8>> {
        let read = |registry: Arc<ZooKeeper>| async move { registry.read(&[path(at)]).await };
        let mut nodes: Vec<Option<Node>> = self.as_somebody_else(read);
        nodes.remove(0).map(|node| node.data.to_vec())
    }

    /// The names of a node's children, ascending.
    ///
    /// # Panics
    /// When the registry does not answer.
    #[must_use]
    pub fn list(&self, at: &str) -> Vec<String> {
        self.as_somebody_else(|registry| async move { registry.list(&path(at)).await })
    }

    /// The paths of a node and of all below it, as they are within a moment.
    ///
    /// # Panics
    /// When the registry does not answer.
    #[must_use]
    pub fn tree(&self, at: &str) -> Vec<String> {
        let nodes = self.as_somebody_else(|registry| async move { registry.tree(&path(at)).await });
        nodes.into_iter().map(|(path, _)| path.as_str().to_owned()).collect()
    }

    /// Makes a persistent node.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn create(&self, at: &str, data: &[u8]) {
        self.change(Op::create(path(at), data.to_vec()));
    }

    /// Sets a node's data.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn set(&self, at: &str, data: &[u8]) {
        self.change(Op::set(path(at), data.to_vec()));
    }

    /// Deletes a node.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn delete(&self, at: &str) {
        self.change(Op::delete(path(at)));
    }

    fn change(&self, op: Op) {
        self.as_somebody_else(|registry| async move { registry.commit(vec![op]).await });
    }

    /// Does something in a session of its own.
    fn as_somebody_else<T, F: Future<Output = Result<T, Error>>>(
        &self,
        work: impl FnOnce(Arc<ZooKeeper>) -> F,
    ) -> T {
        let done = self.runtime.block_on(async {
            let options = Options { user: self.digest.clone(), ..Options::new(self.hosts()) };
            let registry = ZooKeeper::connect(options).await.context("no session")?;
            let done = work(Arc::clone(&registry)).await?;
            registry.close().await?;
            anyhow::Ok(done)
        });
        done.unwrap_or_else(|error| panic!("the registry refuses: {error:#}"))
    }
}

fn path(text: &str) -> Path {
    Path::new(text).expect("scenarios use valid paths")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_writes_is_read_back_and_stands_in_the_log_across_a_crash() {
        let servers = Servers::start(1);
        servers.create("/a", b"1");
        servers.set("/a", b"2");
        servers.create("/a/b", b"");
        servers.restart(0);
        assert_eq!((servers.get("/a"), servers.get("/c")), (Some(b"2".to_vec()), None));
        assert_eq!(servers.list("/a"), ["b"]);
        servers.delete("/a/b");
        let words: Vec<_> = servers.changes().into_iter().map(|op| format!("{op:?}")).collect();
        let kinds: Vec<_> = words.iter().map(|word| word.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(kinds, ["Create", "Set", "Create", "Delete"], "{words:?}");
    }
}
