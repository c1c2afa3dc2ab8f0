//! The embedded backend: a tree in this process, kept in memory alone or also in a directory.
//!
//! # Protocol
//! The tree in memory is the truth. Every transaction is applied to it under one lock, in one order, and gets the next
//! transaction number there. Of a tree that is kept in a directory, what a transaction changed in persistent nodes is put
//! into the *unsaved* set at the same moment, and one writer (`store`) saves everything that is unsaved in one database
//! transaction, again and again: the more commits wait, the more of them share a disk write. Ephemeral nodes are never
//! saved; the sessions they belong to cannot outlive the process. The transaction counter is saved with every batch.
//!
//! **Nothing is observed before it is saved.** A commit is acknowledged when its batch is on disk. A read, and a refused
//! condition, look at the tree in memory; when what they saw was made by a transaction that is not saved yet, the answer
//! waits for it. So a process that is killed leaves a tree equal to a prefix of the transactions which holds everything
//! that anybody was ever told, and no transaction number that anybody has seen is given out again. Reads of nodes that
//! do not change at the moment never wait.
//!
//! **When the disk fails** (full, read-only, gone), the commits in the failed batch and those behind it are *unknown*:
//! they are in the tree in memory, and will be saved when the disk works again, or are lost with the process. From then on
//! new commits are refused as unavailable, and so are reads that depend on unsaved state. The writer opens the
//! database anew and tries again, first soon and then every second; when everything is saved, the registry goes on.
//!
//! # Sessions
//! A session in this process lives until it is closed, dropped or expired by hand ([`Embedded::expire`]): it shares the
//! fate of the process, so there is nothing to time. Sessions of other processes are the business of `socket`. Session
//! ids are never used twice: the upper half counts how often the directory was opened.

mod files;
mod session;
mod socket;
mod store;
mod tree;

pub use session::EmbeddedSession;
pub use socket::{SocketServer, SocketSession};
pub use store::OpenError;

use crate::{Commit, Error, Hint, Op, Path, Session, Terms};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tree::{Applied, Row, Tree};

/// Most operations in one commit.
const MAX_OPS: usize = 10_000;
/// Most bytes in one commit.
const MAX_BYTES: usize = 1_000_000;
/// When one transaction changes more nodes than this below a watched root, the hint is [`Hint::Everything`].
const MAX_HINTS: usize = 2_048;

const CLOSED: &str = "the embedded registry is closed";

/// A registry inside this process. Cheap to clone; [`Embedded::connect`] opens sessions on it.
///
/// It lives until the last clone and the last session are gone; then what is unsaved is saved and the directory is
/// released. [`Embedded::close`] does the same and waits for it.
#[derive(Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    /// Dropped with the last clone: tells the writer to finish.
    _open: Arc<Open>,
}

/// What a session asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectOptions {
    /// How long the session outlives the last sign of life of its owner: milliseconds, from 100 to 3,600,000. Default
    /// 10,000. It has no effect on sessions of the registry's own process.
    pub session_timeout: i64,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { session_timeout: 10_000 }
    }
}

impl ConnectOptions {
    fn check(self) -> Result<Self, Error> {
        if (100..=3_600_000).contains(&self.session_timeout) {
            return Ok(self);
        }
        Err(Error::Refused(format!(
            "a session timeout of {} ms is out of range; give 100 to 3,600,000 ms",
            self.session_timeout
        )))
    }
}

/// Tells the time, as epoch milliseconds.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

struct Shared {
    core: Mutex<Core>,
    saved: watch::Sender<Saved>,
    /// Wakes the writer.
    work: tokio::sync::Notify,
    clock: Clock,
}

/// How far the writer is.
#[derive(Debug, Clone)]
struct Saved {
    /// Every transaction up to this one is saved. The largest number when nothing needs saving.
    up_to: i64,
    /// Why saving does not work at the moment.
    trouble: Option<Arc<str>>,
    /// The writer has ended and released the directory.
    ended: bool,
}

struct Core {
    tree: Tree,
    sessions: HashMap<i64, watch::Sender<Session>>,
    next_session: i64,
    watchers: Vec<Watcher>,
    /// Saved forms that the writer has not taken yet, `None` for nodes to delete; not kept by a tree in memory alone.
    unsaved: Option<HashMap<Path, Option<Row>>>,
    closing: bool,
}

struct Watcher {
    session: i64,
    root: Path,
    hints: Outlet,
}

/// Where hints go. A transaction puts them there before it is answered.
enum Outlet {
    /// To a receiver of their own.
    Own(mpsc::UnboundedSender<Hint>),
    /// With their watch's number, into one queue with those of other watches.
    Shared(u64, mpsc::UnboundedSender<(u64, Hint)>),
}

impl Outlet {
    /// False when nobody receives any more.
    fn send(&self, hint: Hint) -> bool {
        match self {
            Outlet::Own(hints) => hints.send(hint).is_ok(),
            Outlet::Shared(watch, hints) => hints.send((*watch, hint)).is_ok(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Outlet::Own(hints) => hints.is_closed(),
            Outlet::Shared(_, hints) => hints.is_closed(),
        }
    }
}

struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.core().closing = true;
        self.0.work.notify_one();
    }
}

impl Embedded {
    /// A registry in memory: gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::in_memory_with(wall_clock)
    }

    /// A registry in memory that takes the times of [`crate::Stat`] from `clock` (epoch milliseconds), for simulations.
    #[must_use]
    pub fn in_memory_with(clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let core = Core::new(Tree::new(Vec::new(), 0), 1, false);
        Self::new(core, i64::MAX, Arc::new(clock))
    }

    /// Opens the registry in a directory, which is made when it is missing. Must be called within a tokio runtime, which
    /// also carries the writer.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be read or made; the error names the directory.
    pub async fn open(dir: &std::path::Path) -> Result<Self, OpenError> {
        let (store, contents) = store::Store::open(dir).await?;
        Ok(Self::kept(store, contents))
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::Refused`] for a timeout out of range, [`Error::Unavailable`] when the registry has been closed.
    pub fn connect(&self, options: ConnectOptions) -> Result<Arc<EmbeddedSession>, Error> {
        let timeout = options.check()?.session_timeout;
        let (state, receiver) = watch::channel(Session::Connected);
        let session = {
            let mut core = self.shared.core();
            if core.closing {
                return Err(Error::Unavailable(CLOSED.to_owned()));
            }
            let session = core.next_session;
            core.next_session += 1;
            core.sessions.insert(session, state);
            session
        };
        let terms = Terms { session, timeout, max_ops: MAX_OPS, max_bytes: MAX_BYTES, recursive_watch: true };
        Ok(Arc::new(EmbeddedSession::new(self.clone(), terms, receiver)))
    }

    /// Ends a session as its timeout would: its ephemeral nodes are gone, and it is [`Session::Lost`]. False when there
    /// is no such session.
    pub fn expire(&self, session: i64) -> bool {
        self.shared.end_session(session)
    }

    /// Ends all sessions, saves what is unsaved and releases the directory. Clones cannot be used afterwards.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the rest could not be saved: commits that were reported unknown are lost.
    pub async fn close(&self) -> Result<(), Error> {
        {
            let mut core = self.shared.core();
            core.closing = true;
            let sessions: Vec<i64> = core.sessions.keys().copied().collect();
            drop(core);
            for session in sessions {
                self.shared.end_session(session);
            }
        }
        self.shared.work.notify_one();
        let mut saved = self.shared.saved.subscribe();
        let end = saved.wait_for(|saved| saved.ended).await.map(|saved| saved.trouble.clone());
        match end {
            Ok(Some(trouble)) => Err(Error::Unavailable(trouble.to_string())),
            _ => Ok(()),
        }
    }

    fn kept(store: store::Store, contents: store::Contents) -> Self {
        let tree = Tree::new(contents.rows, contents.transaction);
        let core = Core::new(tree, (contents.incarnation << 32) + 1, true);
        let registry = Self::new(core, contents.transaction, Arc::new(wall_clock));
        tokio::spawn(store.run(Arc::clone(&registry.shared)));
        registry
    }

    fn new(core: Core, saved: i64, clock: Clock) -> Self {
        let ended = core.unsaved.is_none();
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
            saved: watch::Sender::new(Saved { up_to: saved, trouble: None, ended }),
            work: tokio::sync::Notify::new(),
            clock,
        });
        Self { _open: Arc::new(Open(Arc::clone(&shared))), shared }
    }
}

impl Shared {
    /// A panic inside cannot leave the core half changed in a way that matters more than going on.
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a commit to the tree in memory. The answer, good or bad, holds once the given transaction is saved.
    fn apply(&self, session: i64, ops: Vec<Op>) -> (i64, Result<Commit, Error>) {
        if let Err(error) = check_size(&ops) {
            return (0, Err(error));
        }
        let now = (self.clock)();
        let mut core = self.core();
        if !core.sessions.contains_key(&session) {
            return (0, Err(Error::SessionLost));
        }
        if let Err(error) = self.check_disk() {
            return (0, Err(error));
        }
        match core.tree.apply(session, now, ops) {
            Ok(applied) => {
                let commit = core.publish(applied);
                drop(core);
                self.work.notify_one();
                (commit.transaction, Ok(commit))
            }
            Err(error) => (core.tree.transaction(), Err(error)),
        }
    }

    fn end_session(&self, session: i64) -> bool {
        let mut core = self.core();
        let Some(state) = core.sessions.remove(&session) else { return false };
        let applied = core.tree.end_session(session);
        core.watchers.retain(|watcher| watcher.session != session);
        core.publish(applied);
        drop(core);
        state.send_replace(Session::Lost);
        self.work.notify_one();
        true
    }

    fn check_disk(&self) -> Result<(), Error> {
        let saved = self.saved.borrow();
        match &saved.trouble {
            Some(trouble) => Err(Error::Unavailable(trouble.to_string())),
            None if saved.ended && saved.up_to < i64::MAX => Err(Error::Unavailable(CLOSED.to_owned())),
            None => Ok(()),
        }
    }

    /// Waits until a transaction is saved. The error says why it is not.
    async fn wait_saved(&self, transaction: i64) -> Result<(), String> {
        if self.saved.borrow().up_to >= transaction {
            return Ok(());
        }
        let mut saved = self.saved.subscribe();
        let saved = saved
            .wait_for(|saved| saved.up_to >= transaction || saved.trouble.is_some() || saved.ended)
            .await;
        match saved {
            Ok(saved) if saved.up_to >= transaction => Ok(()),
            Ok(saved) => Err(saved
                .trouble
                .as_deref()
                .unwrap_or("the registry was closed before it was saved")
                .to_owned()),
            Err(_) => Err("the writer of the registry is gone".to_owned()),
        }
    }
}

impl Core {
    fn new(tree: Tree, next_session: i64, kept: bool) -> Self {
        Self {
            tree,
            sessions: HashMap::new(),
            next_session,
            watchers: Vec::new(),
            unsaved: kept.then(HashMap::new),
            closing: false,
        }
    }

    /// Makes known what a transaction did: to the writer and to those who watch.
    fn publish(&mut self, applied: Applied) -> Commit {
        if let Some(unsaved) = &mut self.unsaved {
            for path in applied.unsaved {
                let row = self.tree.row(&path);
                unsaved.insert(path, row);
            }
        }
        self.watchers.retain(|watcher| {
            let below = || applied.changed.iter().filter(|path| path.below(&watcher.root).is_some());
            if below().nth(MAX_HINTS).is_some() {
                return watcher.hints.send(Hint::Everything);
            }
            below().all(|path| watcher.hints.send(Hint::Path(path.clone())))
        });
        Commit { transaction: applied.transaction, results: applied.results }
    }
}

fn check_size(ops: &[Op]) -> Result<(), Error> {
    crate::check_commit(ops, MAX_OPS, MAX_BYTES)
}

fn wall_clock() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
