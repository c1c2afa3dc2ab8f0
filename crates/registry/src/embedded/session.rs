//! A session on an embedded registry, for callers in the same process.

use super::{Embedded, Watcher};
use crate::{CommitFuture, Error, Hint, Node, Op, Path, Registry, Session, Terms};
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

    async fn list(&self, path: &Path) -> Result<Vec<String>, Error> {
        self.check()?;
        let seen = self.registry.shared.core().tree.children(path);
        self.settle(seen.since).await?;
        Ok(seen.value.iter().map(|child| child.name().to_owned()).collect())
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
        let mut core = self.registry.shared.core();
        if !core.sessions.contains_key(&self.terms.session) {
            return Err(Error::SessionLost);
        }
        core.watchers.retain(|watcher| !watcher.hints.is_closed());
        core.watchers.push(Watcher { session: self.terms.session, root: root.clone(), hints });
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
