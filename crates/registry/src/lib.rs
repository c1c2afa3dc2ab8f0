//! The coordination port: a tree of versioned nodes, ephemeral nodes bound to a session, atomic commits, wake-ups.
//!
//! The registry does not know what a job is.
//!
//! # Laws
//! What every backend promises; `clockwright-testkit` has a test of the same name for each.
//!
//! 1. A commit is all or nothing; its operations see the effects of earlier ones in the same commit.
//! 2. Commits are linearizable, and each has a transaction number ([`Commit::transaction`]) greater than that of every
//!    commit before it. Every node that a commit creates or sets carries that number in [`Stat::modified`], and the parent of
//!    every node that it creates or deletes in [`Stat::children_changed`]. The end of a session is one transaction.
//! 3. A conditional operation refuses a stale version. Versions start at 0 at each creation, so a version check on a
//!    node that may have been recreated proves nothing (check a node that is never deleted instead).
//! 4. An ephemeral node lives exactly as long as its session, and has no children. Commits of an ended session fail.
//! 5. Reads of one session never go back in time, and see this session's own commits. They may be stale with respect to
//!    other sessions.
//! 6. Wake-ups are hints: they may coalesce and may be spurious. A change below a watched path leads to a hint that names
//!    it, or to [`Hint::Everything`], as long as the session lives; after a reconnect comes `Everything`.
//! 7. The outcome of a commit is one of: done, conflict (nothing happened), refused (nothing happened), or **unknown**
//!    (it may have happened, or may happen still until the session ends). Unknown is never reported as anything else.
//! 8. The end of the session is explicit and final ([`Session::Lost`]); the backend never starts another one by itself.
//!    A caller that wants to go on connects anew.
//! 9. The hints of all transactions before a commit are in the receivers of the session that made it when that commit is
//!    answered. So whoever has an answer and has taken in the hints that were there knows of everything that happened before.

mod batcher;
mod embedded;
mod facade;
pub mod generation;
pub mod keeper;
mod path;
mod readable;

pub use batcher::Batcher;
pub use embedded::{ConnectOptions, Embedded, EmbeddedSession, OpenError, SocketServer, SocketSession};
pub use facade::{Counts, Facade, Meter};
pub use keeper::{Connect, Keeper};
pub use path::{Path, PathError};
pub use readable::{Readable, read_each};

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What a backend implements: one session with a registry.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Reads nodes, `None` where there is none; answers are in the order of `paths`. Long lists are read in bounded batches.
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error>;

    /// The names of each node's children in ascending byte order; empty when the node does not exist. Answers are in the order
    /// of `paths`. Long lists are read in bounded batches.
    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error>;

    /// As [`lists`](Self::lists), of one node.
    async fn list(&self, path: &Path) -> Result<Vec<String>, Error> {
        Ok(self.lists(std::slice::from_ref(path)).await?.pop().unwrap_or_default())
    }

    /// Who may change each node, as far as it can be told; answers are in the order of `paths`.
    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error>;

    /// All nodes below and including `path`, parents before children. Not one snapshot: nodes that change meanwhile may be
    /// seen before or after, and each change also leads to a hint.
    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error>;

    /// As [`tree`](Self::tree), of several; answers are in the order of `paths`. All are read together, where that takes fewer
    /// requests, and fail together.
    async fn trees(&self, paths: &[Path]) -> Result<Vec<Vec<(Path, Node)>>, Error> {
        let mut trees = Vec::with_capacity(paths.len());
        for path in paths {
            trees.push(self.tree(path).await?);
        }
        Ok(trees)
    }

    /// Carries out all operations or none. The request is sent when this is called, not when the future is polled first;
    /// commits of one session take effect in the order of the calls.
    fn commit(&self, ops: Vec<Op>) -> CommitFuture;

    /// Hints about changes at and below `root`, from now until the receiver is dropped or the session ends.
    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error>;

    /// The session's state.
    fn session(&self) -> watch::Receiver<Session>;

    /// What the session was given: its id and timeout, and limits that callers must keep.
    fn terms(&self) -> Terms;

    /// Of which release each server of the registry is, as it says itself. None for a registry that has no servers of its own.
    async fn releases(&self) -> Vec<Release> {
        Vec::new()
    }

    /// Ends the session cleanly: its ephemeral nodes are gone when this returns `Ok`.
    async fn close(&self) -> Result<(), Error>;
}

/// The future of [`Registry::commit`].
pub type CommitFuture = std::pin::Pin<Box<dyn Future<Output = Result<Commit, Error>> + Send>>;

/// A shared registry.
pub type SharedRegistry = Arc<dyn Registry>;

/// Of which release a server of a registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where the server is.
    pub server: String,
    /// What it says; why that is not known, where it does not say it.
    pub said: Result<String, String>,
}

/// Who may change a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// This session's user, and others only if they were let in by name.
    Ours,
    /// Anybody who reaches the registry.
    Open,
    /// Not this session's user.
    Foreign,
    /// There is no such node.
    Missing,
}

/// A node's data and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its data.
    pub data: Bytes,
    /// Its numbers.
    pub stat: Stat,
}

/// A node's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// How often its data was set since its creation, from 0.
    pub version: i32,
    /// Transaction that created it.
    pub created: i64,
    /// Transaction that last set its data (or created it).
    pub modified: i64,
    /// Registry's clock at creation, epoch milliseconds.
    pub created_at: i64,
    /// Registry's clock at the last set, epoch milliseconds.
    pub modified_at: i64,
    /// The session it is bound to; 0 for a persistent node.
    pub owner: i64,
    /// How many children it has.
    pub children: u32,
    /// Transaction that last created or deleted a child of it. When there was none yet it is 0 or the node's own creation, and
    /// 0 too after an embedded registry has started again: two nodes with one number other than 0 changed together.
    pub children_changed: i64,
}

/// One operation of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Create a node. Its parent must exist. Conflict: it exists, or its parent does not.
    Create {
        /// Where; for [`Mode::EphemeralSequential`] the prefix.
        path: Path,
        /// Its data.
        data: Bytes,
        /// How long it lives.
        mode: Mode,
    },
    /// Set a node's data. Conflict: it does not exist, or its version differs.
    Set {
        /// Which.
        path: Path,
        /// The new data.
        data: Bytes,
        /// The version it must have; `None` is any.
        version: Option<i32>,
    },
    /// Delete a node. Conflict: it does not exist, has children, or its version differs.
    Delete {
        /// Which.
        path: Path,
        /// The version it must have; `None` is any.
        version: Option<i32>,
    },
    /// Change nothing. Conflict: the node does not exist, or its version differs.
    Check {
        /// Which.
        path: Path,
        /// The version it must have; `None` is any.
        version: Option<i32>,
    },
}

impl Op {
    /// Creates a persistent node.
    pub fn create(path: Path, data: impl Into<Bytes>) -> Self {
        Op::Create { path, data: data.into(), mode: Mode::Persistent }
    }

    /// Creates a node bound to this session.
    pub fn create_ephemeral(path: Path, data: impl Into<Bytes>) -> Self {
        Op::Create { path, data: data.into(), mode: Mode::Ephemeral }
    }

    /// Sets a node whatever its version.
    pub fn set(path: Path, data: impl Into<Bytes>) -> Self {
        Op::Set { path, data: data.into(), version: None }
    }

    /// Sets a node that still has this version.
    pub fn set_if(path: Path, data: impl Into<Bytes>, version: i32) -> Self {
        Op::Set { path, data: data.into(), version: Some(version) }
    }

    /// Deletes a node whatever its version.
    #[must_use]
    pub fn delete(path: Path) -> Self {
        Op::Delete { path, version: None }
    }

    /// Requires that a node exists.
    #[must_use]
    pub fn check(path: Path) -> Self {
        Op::Check { path, version: None }
    }

    /// Requires that a node has this version.
    #[must_use]
    pub fn check_if(path: Path, version: i32) -> Self {
        Op::Check { path, version: Some(version) }
    }

    /// The node it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Op::Create { path, .. }
            | Op::Set { path, .. }
            | Op::Delete { path, .. }
            | Op::Check { path, .. } => path,
        }
    }

    /// Roughly the bytes it takes on the wire, for bounding batches.
    #[must_use]
    pub fn weight(&self) -> usize {
        let data = match self {
            Op::Create { data, .. } | Op::Set { data, .. } => data.len(),
            Op::Delete { .. } | Op::Check { .. } => 0,
        };
        64 + self.path().as_str().len() + data
    }
}

/// How long a created node lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is deleted.
    Persistent,
    /// Until it is deleted or its session ends.
    Ephemeral,
    /// As `Ephemeral`; its name is the given one and a ten-digit number that grows with each child of the parent.
    EphemeralSequential,
}

/// A commit that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its transaction number: greater than that of every earlier commit.
    pub transaction: i64,
    /// The result of each operation, in order.
    pub results: Vec<OpResult>,
}

/// What one operation of a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// The node that was created; the path is the full one, for sequential nodes too.
    Created(Path),
    /// The version that the node has now.
    Set {
        /// The node's version after the set.
        version: i32,
    },
    /// It is gone.
    Deleted,
    /// It is as required.
    Checked,
}

/// Something may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// This node was created, set or deleted.
    Path(Path),
    /// Anything below the watched root may have changed: read it again.
    Everything,
}

/// The state of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Connected.
    Connected,
    /// Not connected now; the session may still live.
    Suspended,
    /// Over. Its ephemeral nodes are, or will soon be, gone; nothing can be done with it any more.
    Lost,
}

/// What the session was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Its id; what [`Stat::owner`] of its ephemeral nodes says.
    pub session: i64,
    /// Negotiated timeout, milliseconds.
    pub timeout: i64,
    /// Most operations in one commit.
    pub max_ops: usize,
    /// Most bytes in one commit, by [`Op::weight`].
    pub max_bytes: usize,
    /// Whether a watch is one request, whatever is below its root. Where it is not (ZooKeeper before 3.6), each node below the
    /// root costs requests of its own, at the start and after each change: watch no more than is needed there.
    pub recursive_watch: bool,
}

/// Refuses a commit that no backend with these limits can carry out, before anything is done: for [`Terms::max_ops`] and
/// [`Terms::max_bytes`].
///
/// # Errors
/// [`Error::Refused`], with the limit.
pub fn check_commit(ops: &[Op], max_ops: usize, max_bytes: usize) -> Result<(), Error> {
    let bytes: usize = ops.iter().map(Op::weight).sum();
    let refused = |why: String| Err(Error::Refused(why));
    if ops.len() > max_ops {
        return refused(format!("a commit of {} operations; at most {max_ops} are taken", ops.len()));
    }
    if bytes > max_bytes {
        return refused(format!("a commit of {bytes} bytes; at most {max_bytes} are taken"));
    }
    if ops.iter().any(|op| matches!(op, Op::Delete { path, .. } if path.parent().is_none())) {
        return refused("the root cannot be deleted".to_owned());
    }
    Ok(())
}

/// Why something was not done, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A condition of a commit did not hold; nothing was done.
    #[error("operation {index} on {path}: {conflict}")]
    Conflict {
        /// Which operation, from 0.
        index: usize,
        /// Its node.
        path: Path,
        /// What did not hold.
        conflict: Conflict,
    },
    /// It may have happened. Read back before deciding anything.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// It did not happen, and may work later.
    #[error("the registry cannot be reached: {0}")]
    Unavailable(String),
    /// It did not happen; this session is over.
    #[error("the registry session is over")]
    SessionLost,
    /// It did not happen: no permission.
    #[error("not allowed: {0}")]
    Denied(String),
    /// It did not happen, and will not: the request itself cannot be carried out (too large, malformed).
    #[error("refused: {0}")]
    Refused(String),
}

impl Error {
    /// True when the same request may succeed later and surely did not happen now.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }

    /// True when it may have happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Error::Unknown(_))
    }
}

/// What did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The node to create exists.
    #[error("it exists already")]
    Exists,
    /// The node, or the parent of the node to create, does not exist.
    #[error("it does not exist")]
    Missing,
    /// Its version is another one.
    #[error("it has another version")]
    Version,
    /// The node to delete has children.
    #[error("it has children")]
    HasChildren,
    /// The parent of the node to create is ephemeral.
    #[error("its parent is ephemeral")]
    EphemeralParent,
}
