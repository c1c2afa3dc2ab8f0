//! A session that goes wrong as a test wants it to: it passes everything on to another one, but for what its fault says.

use async_trait::async_trait;
use clockwright_registry::{
    Access, CommitFuture, Error, Hint, Node, Op, Path, Registry, Release, Session, SharedRegistry, Terms,
};
use tokio::sync::{mpsc, watch};

/// What goes wrong.
pub trait Fault: Send + Sync + 'static {
    /// Asked before each question and each commit: an error is the answer, and nothing reaches the registry. A session that answers
    /// nothing does not end either.
    ///
    /// # Errors
    /// What the caller is to get.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Whether a node may not be read by this session's user.
    fn is_closed(&self, _: &Path) -> bool {
        false
    }

    /// Carries out a commit.
    fn commit(&self, inner: &SharedRegistry, ops: Vec<Op>) -> CommitFuture {
        inner.commit(ops)
    }
}

/// A session with a fault.
pub struct Faulty<F> {
    /// The session that everything is passed on to.
    pub inner: SharedRegistry,
    /// What goes wrong.
    pub fault: F,
}

#[async_trait]
impl<F: Fault> Registry for Faulty<F> {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        self.fault.check()?;
        match paths.iter().find(|path| self.fault.is_closed(path)) {
            Some(path) => Err(Error::Denied(format!("{path}: the session's user may not read it"))),
            None => self.inner.read(paths).await,
        }
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        self.fault.check()?;
        self.inner.lists(paths).await
    }

    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        self.fault.check()?;
        self.inner.access(paths).await
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        self.fault.check()?;
        self.inner.tree(path).await
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        match self.fault.check() {
            Ok(()) => self.fault.commit(&self.inner, ops),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        self.inner.watch(root).await
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.inner.session()
    }

    fn terms(&self) -> Terms {
        self.inner.terms()
    }

    async fn releases(&self) -> Vec<Release> {
        self.inner.releases().await
    }

    async fn close(&self) -> Result<(), Error> {
        if self.fault.check().is_err() {
            std::future::pending::<()>().await;
        }
        self.inner.close().await
    }
}
