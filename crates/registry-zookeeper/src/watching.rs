//! Hints about a subtree.
//!
//! # Protocol
//! **ZooKeeper 3.6 and later** has recursive watches: one is asked for on the root (which need not exist) and every event is a
//! hint, which the session's task passes on itself, in the order of events and answers. Watches on one root are shared by the
//! session; the last one to go takes the watch from the server. What is left for the small task of each watch is to notice
//! that nobody receives its hints any more.
//!
//! **Older servers** have one-shot watches on a node's data and on its list of children. The task walks the subtree and
//! leaves both on every node. When one fires it is renewed first and the hint is given after that: whoever reads because
//! of the hint sends his read behind the renewal, so no later change can hide between the two. Children that the renewed
//! list has and that are not watched yet are walked in turn, and are hints themselves. A root that does not exist is
//! watched by an `exists`; what is said about it when it comes goes through the same walk. Answers of commits pass through the
//! task, behind the events that came before them.
//!
//! On a new connection the watch is asked for again, and then the hint is `Everything`: nobody knows what happened
//! meanwhile. When asking fails because the connection broke again, the next connection starts it anew.

use crate::session::{Command, Failure, Shared, Subscriber, Wake};
use crate::wire::{self, Found, Query, code, event};
use crate::{read_error, read_failure, request};
use clockwright_registry::{Error, Hint, Path};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// How many watches this session has on each root, so that the last one can take it from the server.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<Path, usize>>);

pub(crate) async fn watch(
    commands: &mpsc::UnboundedSender<Command>,
    shared: &Arc<Shared>,
    watches: &Arc<Watches>,
    root: &Path,
) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
    let (sender, wakes) = mpsc::unbounded_channel();
    let (hints, receiver) = mpsc::unbounded_channel();
    let subscriber = Subscriber { root: root.clone(), hints: hints.clone(), wakes: sender };
    commands.send(Command::Subscribe(subscriber)).map_err(|_| Error::SessionLost)?;
    let mut watcher = Watcher {
        // Not to keep the session alive when its owner drops it.
        commands: commands.downgrade(),
        shared: Arc::clone(shared),
        root: root.clone(),
        hints,
        watched: HashSet::new(),
        _claim: Claim::new(commands.downgrade(), shared, watches, root),
    };
    watcher.start().await?;
    tokio::spawn(watcher.run(wakes));
    Ok(receiver)
}

/// One of the watches on a root.
struct Claim {
    commands: mpsc::WeakUnboundedSender<Command>,
    shared: Arc<Shared>,
    watches: Arc<Watches>,
    root: Path,
}

impl Claim {
    fn new(
        commands: mpsc::WeakUnboundedSender<Command>,
        shared: &Arc<Shared>,
        watches: &Arc<Watches>,
        root: &Path,
    ) -> Self {
        *watches.0.lock().unwrap_or_else(PoisonError::into_inner).entry(root.clone()).or_insert(0) += 1;
        Self { commands, shared: Arc::clone(shared), watches: Arc::clone(watches), root: root.clone() }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut watches = self.watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = watches.get_mut(&self.root) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        watches.remove(&self.root);
        // One-shot watches are shared by all who watch a part of the same tree; they stay until they fire.
        if !self.shared.modern.load(Ordering::Relaxed) {
            return;
        }
        // Sent under the lock: a new watch on this root claims it first and asks for it behind this. Whether the server
        // still had the watch does not matter.
        if let Some(commands) = self.commands.upgrade() {
            drop(request(&commands, wire::remove_watches(self.root.as_str())));
        }
    }
}

struct Watcher {
    commands: mpsc::WeakUnboundedSender<Command>,
    shared: Arc<Shared>,
    root: Path,
    hints: mpsc::UnboundedSender<Hint>,
    /// Nodes with one-shot watches; empty on servers with recursive ones.
    watched: HashSet<Path>,
    _claim: Claim,
}

impl Watcher {
    async fn run(mut self, mut wakes: mpsc::UnboundedReceiver<Wake>) {
        loop {
            let wake = tokio::select! {
                () = self.hints.closed() => return,
                wake = wakes.recv() => wake,
            };
            let done = match wake {
                None => return,
                Some(Wake::Connected) => match self.start().await {
                    Ok(()) => {
                        let _ = self.hints.send(Hint::Everything);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Some(Wake::Event(kind, path)) => self.event(kind, path).await,
                Some(Wake::Answered(answer)) => {
                    drop(answer);
                    Ok(())
                }
            };
            match done {
                Ok(()) => {}
                Err(Error::SessionLost) => return,
                // The next connection starts anew.
                Err(Error::Unavailable(why)) => {
                    tracing::debug!(root = %self.root, why, "a watch waits for a connection");
                }
                Err(error) => {
                    tracing::warn!(root = %self.root, %error, "a watch cannot go on; hints become coarse");
                    let _ = self.hints.send(Hint::Everything);
                }
            }
        }
    }

    /// Watches everything on a connection that watches nothing.
    async fn start(&mut self) -> Result<(), Error> {
        self.watched.clear();
        if !self.shared.modern.load(Ordering::Relaxed) {
            return self.walk(self.root.clone(), false).await;
        }
        let answer = self.ask(wire::add_recursive_watch(self.root.as_str())).await?;
        match answer.code {
            code::OK => Ok(()),
            error => Err(read_error(error, &self.root)),
        }
    }

    async fn event(&mut self, kind: i32, path: Path) -> Result<(), Error> {
        match kind {
            event::DELETED => {
                self.watched.remove(&path);
                if path == self.root {
                    self.walk(path.clone(), true).await?;
                }
            }
            event::CREATED => self.walk(path.clone(), true).await?,
            event::CHANGED => {
                self.renew(Query::Node, &path).await?;
            }
            event::CHILDREN => return self.renew_children(&path).await,
            _ => {}
        }
        let _ = self.hints.send(Hint::Path(path));
        Ok(())
    }

    /// Leaves one-shot watches on a node and on all below it that have none. With `tell`, those are hints.
    async fn walk(&mut self, from: Path, tell: bool) -> Result<(), Error> {
        let mut level = vec![from];
        while !level.is_empty() {
            let mut children = Vec::new();
            for path in std::mem::take(&mut level) {
                if !self.watched.insert(path.clone()) {
                    continue;
                }
                let exists = self.renew(Query::Node, &path).await?.is_some();
                let names = match exists {
                    true => self.renew(Query::Children, &path).await?,
                    false => None,
                };
                if let Some(Found::Children(names)) = names {
                    children.extend(names.iter().map(|name| path.join(name)));
                } else {
                    // It is gone. Its parent's list tells when it comes back; the root's parent is not watched.
                    self.watched.remove(&path);
                    if path == self.root && self.await_root().await? {
                        children.push(path.clone());
                    }
                }
                if tell {
                    let _ = self.hints.send(Hint::Path(path));
                }
            }
            level = children;
        }
        Ok(())
    }

    /// Watches for the coming of the root; true when it is there already.
    async fn await_root(&mut self) -> Result<bool, Error> {
        let answer = self.ask(wire::exists_and_watch(self.root.as_str())).await?;
        match answer.code {
            code::OK => Ok(true),
            code::NO_NODE => Ok(false),
            error => Err(read_error(error, &self.root)),
        }
    }

    async fn renew_children(&mut self, path: &Path) -> Result<(), Error> {
        let Some(Found::Children(names)) = self.renew(Query::Children, path).await? else { return Ok(()) };
        for name in names {
            self.walk(path.join(&name), true).await?;
        }
        Ok(())
    }

    /// Asks with a watch; `None` when the node does not exist, or is not for us: then there is nothing to watch.
    async fn renew(&mut self, query: Query, path: &Path) -> Result<Option<Found>, Error> {
        let answer = self.ask(query.request(path.as_str(), true)).await?;
        match answer.code {
            code::OK => {
                query.answer(answer.body()).map(Some).map_err(|error| Error::Unavailable(error.to_string()))
            }
            code::NO_NODE | code::NO_AUTH => Ok(None),
            error => Err(read_error(error, path)),
        }
    }

    async fn ask(&self, frame: Vec<u8>) -> Result<crate::Answer, Error> {
        let commands = self.commands.upgrade().ok_or(Error::SessionLost)?;
        let answer = request(&commands, frame);
        drop(commands);
        answer.await.map_err(|failure: Failure| read_failure(failure))
    }
}
