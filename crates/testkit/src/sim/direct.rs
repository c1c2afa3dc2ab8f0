//! A registry without latency on a simulated quorum: for operators in simulations, and for decisions that are tested without
//! a network.

use super::{Leader, subtree};
use async_trait::async_trait;
use clockwright_model::Millis;
use clockwright_registry::{
    Access, Commit, CommitFuture, Error, Hint, Node, Op, Path, Registry, Session, Terms,
};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};

/// The quorum and its clock, shared by all who write to it.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Inner>>);

/// See [`Shared`].
#[derive(Default)]
pub struct Inner {
    /// The quorum.
    pub leader: Leader,
    /// Its calendar, epoch milliseconds: the time of what is written.
    pub wall: Millis,
}

impl Shared {
    /// The quorum, for as long as the guard lives.
    ///
    /// # Panics
    /// When a test panicked while it held the guard.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics with it")
    }

    /// Carries out all operations or none, in the name of a session (0: an operator without one).
    ///
    /// # Errors
    /// As [`Leader::commit`].
    pub fn commit(&self, session: i64, ops: &[Op]) -> Result<Commit, Error> {
        let mut inner = self.lock();
        let wall = inner.wall;
        inner.leader.commit(session, ops, wall)
    }

    /// What a node holds now.
    #[must_use]
    pub fn node(&self, path: &Path) -> Option<Node> {
        self.lock().leader.tree.get(path).cloned()
    }

    /// A session's view of it as a registry; 0 is an operator who needs none.
    #[must_use]
    pub fn session(&self, session: i64) -> Direct {
        Direct { shared: self.clone(), session }
    }
}

/// A [`Registry`] that answers at once, always with the truth. Nothing can be watched on it.
pub struct Direct {
    shared: Shared,
    session: i64,
}

#[async_trait]
impl Registry for Direct {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        let inner = self.shared.lock();
        Ok(paths.iter().map(|path| inner.leader.tree.get(path).cloned()).collect())
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        let inner = self.shared.lock();
        let children = |path: &Path| {
            let below = subtree(&inner.leader.tree, path).into_iter().map(|(below, _)| below);
            below
                .filter(|below| below.parent().as_ref() == Some(path))
                .map(|below| below.name().to_owned())
                .collect()
        };
        Ok(paths.iter().map(children).collect())
    }

    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        let inner = self.shared.lock();
        let access = |path| if inner.leader.tree.contains_key(path) { Access::Open } else { Access::Missing };
        Ok(paths.iter().map(access).collect())
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        Ok(subtree(&self.shared.lock().leader.tree, path))
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        Box::pin(std::future::ready(self.shared.commit(self.session, &ops)))
    }

    async fn watch(&self, _: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        Err(Error::Refused("nothing can be watched on a registry that has no time of its own".to_owned()))
    }

    fn session(&self) -> watch::Receiver<Session> {
        watch::channel(Session::Connected).1
    }

    fn terms(&self) -> Terms {
        Terms {
            session: self.session,
            timeout: 6_000,
            max_ops: 10_000,
            max_bytes: 1_000_000,
            recursive_watch: true,
        }
    }

    async fn close(&self) -> Result<(), Error> {
        self.shared.lock().leader.end_session(self.session);
        Ok(())
    }
}
