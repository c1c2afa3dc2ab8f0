//! A session as its users see it: counted, traced, and in a generation.
//!
//! [`Facade`] passes everything on to a session of a backend. On the way it counts what happens ([`Meter`]), opens a span for
//! each request (`trace`), and, when the session is in a [`Generation`], makes transaction numbers grow even where those of
//! the registry went back.

use crate::generation::{Generation, Highest};
use crate::{
    Access, Commit, CommitFuture, Error, Hint, Node, Op, Path, Registry, Release, Session, SharedRegistry,
    Terms,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

/// Counts what the sessions of one user of a registry do. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sessions: AtomicU64,
    requests: AtomicU64,
    read: AtomicU64,
    listed: AtomicU64,
    trees: AtomicU64,
    commits: AtomicU64,
    operations: AtomicU64,
    conflicts: AtomicU64,
    unknown: AtomicU64,
    failed: AtomicU64,
    commit_micros: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Requests of any kind that were answered, or whose answer was lost.
    pub requests: u64,
    /// Nodes that were asked for.
    pub read: u64,
    /// Nodes whose children were asked for.
    pub listed: u64,
    /// Subtrees that were asked for.
    pub trees: u64,
    /// Commits that were sent.
    pub commits: u64,
    /// Their operations.
    pub operations: u64,
    /// Commits that were refused because a condition did not hold.
    pub conflicts: u64,
    /// Commits of which nobody knows what became.
    pub unknown: u64,
    /// Other requests of any kind that failed.
    pub failed: u64,
    /// The time from the sending of each answered commit to its answer, together, in microseconds.
    pub commit_micros: u64,
}

impl Meter {
    /// What was counted until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Counters {
            sessions,
            requests,
            read,
            listed,
            trees,
            commits,
            operations,
            conflicts,
            unknown,
            failed,
            commit_micros,
        } = &*self.0;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sessions: value(sessions),
            requests: value(requests),
            read: value(read),
            listed: value(listed),
            trees: value(trees),
            commits: value(commits),
            operations: value(operations),
            conflicts: value(conflicts),
            unknown: value(unknown),
            failed: value(failed),
            commit_micros: value(commit_micros),
        }
    }

    fn answered<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        add(&self.0.requests, 1);
        if let Err(error) = &answer {
            add(
                match error {
                    Error::Conflict { .. } => &self.0.conflicts,
                    Error::Unknown(_) => &self.0.unknown,
                    _ => &self.0.failed,
                },
                1,
            );
        }
        answer
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// See the module.
pub struct Facade {
    inner: SharedRegistry,
    meter: Meter,
    generation: Option<Generation>,
    highest: Highest,
}

impl Facade {
    /// A session that is counted by `meter`.
    #[must_use]
    pub fn new(inner: SharedRegistry, meter: Meter) -> Self {
        Self::within(inner, meter, None, Highest::default())
    }

    pub(crate) fn within(
        inner: SharedRegistry,
        meter: Meter,
        generation: Option<Generation>,
        highest: Highest,
    ) -> Self {
        add(&meter.0.sessions, 1);
        Self { inner, meter, generation, highest }
    }

    fn raise(&self, node: &mut Node) {
        let Some(generation) = &self.generation else { return };
        let stat = &mut node.stat;
        for number in [&mut stat.created, &mut stat.modified, &mut stat.children_changed] {
            *number = generation.raise(*number);
        }
        self.highest.saw(stat.modified);
    }
}

#[async_trait]
impl Registry for Facade {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        add(&self.meter.0.read, paths.len());
        let span = tracing::trace_span!("registry.read", nodes = paths.len());
        let mut nodes = self.meter.answered(self.inner.read(paths).instrument(span).await)?;
        nodes.iter_mut().flatten().for_each(|node| self.raise(node));
        Ok(nodes)
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        add(&self.meter.0.listed, paths.len());
        let span = tracing::trace_span!("registry.lists", nodes = paths.len());
        self.meter.answered(self.inner.lists(paths).instrument(span).await)
    }

    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        let span = tracing::trace_span!("registry.access", nodes = paths.len());
        self.meter.answered(self.inner.access(paths).instrument(span).await)
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        add(&self.meter.0.trees, 1);
        let span = tracing::trace_span!("registry.tree", %path);
        let mut nodes = self.meter.answered(self.inner.tree(path).instrument(span).await)?;
        nodes.iter_mut().for_each(|(_, node)| self.raise(node));
        Ok(nodes)
    }

    async fn trees(&self, paths: &[Path]) -> Result<Vec<Vec<(Path, Node)>>, Error> {
        add(&self.meter.0.trees, paths.len());
        let span = tracing::trace_span!("registry.trees", trees = paths.len());
        let mut trees = self.meter.answered(self.inner.trees(paths).instrument(span).await)?;
        trees.iter_mut().flatten().for_each(|(_, node)| self.raise(node));
        Ok(trees)
    }

    fn commit(&self, mut ops: Vec<Op>) -> CommitFuture {
        let count = ops.len();
        add(&self.meter.0.commits, 1);
        add(&self.meter.0.operations, count);
        if let Some(generation) = &self.generation {
            ops.push(generation.check());
        }
        let span = tracing::trace_span!("registry.commit", operations = count);
        let sent = Instant::now();
        let answer = self.inner.commit(ops);
        let (meter, generation, highest) =
            (self.meter.clone(), self.generation.clone(), self.highest.clone());
        let answered = async move {
            let answer = match (answer.await, generation) {
                (answer, None) => answer,
                (Ok(Commit { transaction, mut results }), Some(generation)) => {
                    results.truncate(count);
                    let transaction = generation.raise(transaction);
                    highest.saw(transaction);
                    Ok(Commit { transaction, results })
                }
                (Err(Error::Conflict { index, .. }), Some(generation)) if index == count => {
                    generation.is_over();
                    Err(Error::SessionLost)
                }
                (Err(error), Some(_)) => Err(error),
            };
            let micros = usize::try_from(sent.elapsed().as_micros()).unwrap_or(usize::MAX);
            add(&meter.0.commit_micros, micros);
            meter.answered(answer)
        };
        Box::pin(answered.instrument(span))
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        self.meter.answered(self.inner.watch(root).await)
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.inner.session()
    }

    fn terms(&self) -> Terms {
        let terms = self.inner.terms();
        let Some(generation) = &self.generation else { return terms };
        // Each commit carries one operation more.
        Terms {
            max_ops: terms.max_ops - 1,
            max_bytes: terms.max_bytes - generation.check().weight(),
            ..terms
        }
    }

    async fn releases(&self) -> Vec<Release> {
        self.inner.releases().await
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{ConnectOptions, Embedded};

    #[tokio::test]
    async fn what_goes_through_is_counted() {
        let meter = Meter::default();
        let facade =
            Facade::new(Embedded::in_memory().connect(ConnectOptions::default()).unwrap(), meter.clone());
        let path = Path::root().join("a");
        facade.commit(vec![Op::create(path.clone(), ""), Op::check(path.clone())]).await.unwrap();
        facade.commit(vec![Op::create(path.clone(), "")]).await.unwrap_err();
        facade.read(&[path.clone(), Path::root()]).await.unwrap();
        facade.list(&path).await.unwrap();
        facade.tree(&path).await.unwrap();
        facade.close().await.unwrap();
        facade.read(&[path]).await.unwrap_err();
        let counts = Counts { commit_micros: 0, ..meter.counts() };
        let expected = Counts {
            sessions: 1,
            requests: 6,
            read: 3,
            listed: 1,
            trees: 1,
            commits: 2,
            operations: 3,
            conflicts: 1,
            failed: 1,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
    }
}
