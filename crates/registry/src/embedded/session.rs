//! A session on an embedded registry, for callers in the same process.

use super::{Embedded, Outlet, Watcher};
use crate::{Access, CommitFuture, Error, Hint, Node, Op, Path, Registry, Session, Terms};
use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

/// How many nodes are read under one hold of the lock.
const BATCH: usize = 1_000;

/// One session on an [`Embedded`] registry. Dropping it ends the session.
pub struct EmbeddedSession {
    registry: Embedded,
    terms: Terms,
    state: watch::Receiver<Session>,
}

impl EmbeddedSession {
    pub(super) fn new(registry: Embedded, terms: Terms, state: watch::Receiver<Session>) -> Self {
        Self { registry, terms, state }
    }

    fn check(&self) -> Result<(), Error> {
        if *self.state.borrow() == Session::Lost { Err(Error::SessionLost) } else { Ok(()) }
    }

    /// Puts hints about changes at and below `root` there, until nobody receives them any more or the session ends.
    pub(super) fn watch_into(&self, root: &Path, hints: Outlet) -> Result<(), Error> {
        let mut core = self.registry.shared.core();
        if !core.sessions.contains_key(&self.terms.session) {
            return Err(Error::SessionLost);
        }
        core.watchers.retain(|watcher| !watcher.hints.is_closed());
        core.watchers.push(Watcher { session: self.terms.session, root: root.clone(), hints });
        Ok(())
    }

    /// Ends the watch of this number in a shared queue.
    pub(super) fn unwatch(&self, watch: u64) {
        self.registry.shared.core().watchers.retain(|watcher| {
            watcher.session != self.terms.session
                || !matches!(watcher.hints, Outlet::Shared(number, _) if number == watch)
        });
    }

    /// What was read counts only once the transactions that made it are saved.
    async fn settle(&self, since: i64) -> Result<(), Error> {
        self.registry.shared.wait_saved(since).await.map_err(Error::Unavailable)
    }
}

#[async_trait]
impl Registry for EmbeddedSession {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        let mut nodes = Vec::with_capacity(paths.len());
        let mut since = 0;
        for batch in paths.chunks(BATCH) {
            self.check()?;
            let core = self.registry.shared.core();
            for path in batch {
                let seen = core.tree.get(path);
                since = since.max(seen.since);
                nodes.push(seen.value);
            }
        }
        self.settle(since).await?;
        Ok(nodes)
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        let mut lists = Vec::with_capacity(paths.len());
        let mut since = 0;
        for batch in paths.chunks(BATCH) {
            self.check()?;
            let core = self.registry.shared.core();
            for path in batch {
                let seen = core.tree.children(path);
                since = since.max(seen.since);
                lists.push(seen.value.iter().map(|child| child.name().to_owned()).collect());
            }
        }
        self.settle(since).await?;
        Ok(lists)
    }

    /// Who reaches an embedded registry may do everything.
    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        let nodes = self.read(paths).await?;
        Ok(nodes.iter().map(|node| if node.is_some() { Access::Open } else { Access::Missing }).collect())
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        let mut nodes = Vec::new();
        let mut since = 0;
        let mut ahead = vec![path.clone()];
        while !ahead.is_empty() {
            self.check()?;
            {
                let core = self.registry.shared.core();
                for _ in 0..BATCH {
                    let Some(path) = ahead.pop() else { break };
                    let (node, children) = (core.tree.get(&path), core.tree.children(&path));
                    since = since.max(node.since).max(children.since);
                    ahead.extend(children.value.into_iter().rev());
                    nodes.extend(node.value.map(|node| (path, node)));
                }
            }
            tokio::task::yield_now().await;
        }
        self.settle(since).await?;
        Ok(nodes)
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        let (transaction, answer) = self.registry.shared.apply(self.terms.session, ops);
        let shared = std::sync::Arc::clone(&self.registry.shared);
        Box::pin(async move {
            match (shared.wait_saved(transaction).await, answer) {
                (Ok(()), answer) => answer,
                (Err(why), Ok(_)) => Err(Error::Unknown(why)),
                // Nothing was done, but the state that spoke against it may yet be lost: say neither.
                (Err(why), Err(_)) => Err(Error::Unavailable(why)),
            }
        })
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        let (hints, receiver) = mpsc::unbounded_channel();
        self.watch_into(root, Outlet::Own(hints))?;
        Ok(receiver)
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.state.clone()
    }

    fn terms(&self) -> Terms {
        self.terms
    }

    async fn close(&self) -> Result<(), Error> {
        self.registry.shared.end_session(self.terms.session);
        Ok(())
    }
}

impl Drop for EmbeddedSession {
    fn drop(&mut self) {
        self.registry.shared.end_session(self.terms.session);
    }
}
