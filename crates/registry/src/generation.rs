//! Transaction numbers that grow even where those of the registry go back.
//!
//! # Why
//! A registry can lose what it had: its disk is lost, a backup is restored, another ensemble answers under the same address.
//! Its transactions are then counted from a smaller number again. Fencing tokens are transaction numbers: a resource that
//! remembers the greatest token would refuse every new run, or, worse, take an old run for the newer one.
//!
//! # Protocol
//! One persistent node of the namespace holds the **base**, a decimal number, at first 0. Every number of every session is the
//! registry's own plus the base. A session that begins reads the node and learns the registry's present number from a commit.
//! When their sum is not above the greatest number that this process has ever seen ([`Highest`]), the registry has gone back:
//! the session sets the base, on condition of the version that it read, to the next multiple of [`STEP`] above what was seen.
//! The steps are so large that all processes that saw the registry before choose the same one.
//!
//! Every commit of a session also checks that the node still has the version that the session began with. So as soon as one
//! session has raised the base, no session with the old one changes anything any more: its next commit is refused, and it is
//! given up for a new one. Numbers of commits therefore grow for all, in the order in which the registry carries them out.
//!
//! # Failures
//! *The node is deleted* (by hand, or with everything else): every session is given up; the next one makes it again, with a
//! base above what its process saw. *Nobody remembers* (all processes ended together with the registry's data): what they were
//! told at their start counts, such as the greatest token on record; without it the count starts anew. *Somebody writes
//! something that is no number*: as if it were deleted.

use crate::{Conflict, Error, Mode, Op, OpResult, Path, SharedRegistry};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;

/// Bases are multiples of this: more transactions than a registry ever counts. (ZooKeeper's numbers have the number of leaders
/// it has had in their upper half: 65,535 of them fit.)
pub const STEP: i64 = 1 << 48;

/// The greatest transaction number that a process has seen. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Highest(Arc<AtomicI64>);

impl Highest {
    /// Nothing below or at this will be given out again.
    #[must_use]
    pub fn at_least(number: i64) -> Self {
        Self(Arc::new(AtomicI64::new(number)))
    }

    /// The greatest number seen.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn saw(&self, number: i64) {
        self.0.fetch_max(number, Ordering::Relaxed);
    }
}

/// What a session adds to the registry's numbers.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    node: Path,
    version: i32,
    base: i64,
    over: Arc<Notify>,
}

impl Generation {
    /// Finds out the generation that a new session is in, and begins another one when the registry has gone back.
    pub(crate) async fn enter(
        registry: &SharedRegistry,
        node: &Path,
        highest: &Highest,
    ) -> Result<Self, Error> {
        ensure_parents(registry, node).await?;
        for _ in 0..20 {
            let found = registry.read(std::slice::from_ref(node)).await?.pop().flatten();
            let version = found.as_ref().map(|found| found.stat.version);
            let known = found.and_then(|found| std::str::from_utf8(&found.data).ok()?.parse::<i64>().ok());
            let op = match (version, known) {
                (Some(version), Some(_)) => Op::check_if(node.clone(), version),
                (Some(version), None) => Op::set_if(node.clone(), "0", version),
                (None, _) => Op::create(node.clone(), "0"),
            };
            let Some((transaction, version)) = attempt(registry, op, version.unwrap_or(0)).await? else {
                continue;
            };
            let (base, seen) = (known.unwrap_or(0), highest.get());
            let over = Arc::new(Notify::new());
            if base + transaction > seen {
                return Ok(Self { node: node.clone(), version, base, over });
            }
            let raised = (seen / STEP + 1) * STEP;
            let set = Op::set_if(node.clone(), raised.to_string(), version);
            if let Some((_, version)) = attempt(registry, set, version).await? {
                tracing::error!(
                    "the registry has gone back: it counts transaction {} now, and {} was seen. Probably its data was lost or \
                     restored from a backup, or another registry answers at this address. What was lost is made again \
                     from what the instances that run remember; how far items had come that nobody remembers is not known. Fencing \
                     tokens go on growing: they are above {raised} from now on",
                    base + transaction,
                    seen
                );
                return Ok(Self { node: node.clone(), version, base: raised, over });
            }
        }
        Err(Error::Unavailable(format!(
            "{node} could not be written in 20 attempts: others write it all the time, or answers get lost"
        )))
    }

    /// What is added to the registry's numbers.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// A number of the registry, as it is told. 0 stands for none.
    pub(crate) fn raise(&self, number: i64) -> i64 {
        if number == 0 { 0 } else { number + self.base }
    }

    /// What every commit checks.
    pub(crate) fn check(&self) -> Op {
        Op::check_if(self.node.clone(), self.version)
    }

    /// Another generation has begun.
    pub(crate) fn is_over(&self) {
        self.over.notify_one();
    }

    /// Waits until a commit met another generation.
    pub(crate) async fn ended(&self) {
        self.over.notified().await;
    }
}

/// Does one thing to the node: the transaction and the node's version, or `None` when somebody else was faster or nobody knows.
async fn attempt(registry: &SharedRegistry, op: Op, version: i32) -> Result<Option<(i64, i32)>, Error> {
    match registry.commit(vec![op]).await {
        Ok(commit) => {
            let version = match commit.results.first() {
                Some(OpResult::Set { version }) => *version,
                Some(OpResult::Created(_)) => 0,
                _ => version,
            };
            Ok(Some((commit.transaction, version)))
        }
        Err(Error::Conflict { .. } | Error::Unknown(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the persistent nodes above a path that are missing.
async fn ensure_parents(registry: &SharedRegistry, path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) => ensure(registry, &parent).await,
        None => Ok(()),
    }
}

/// Makes a persistent node and those above it, as far as they are missing.
///
/// # Errors
/// As [`Registry::commit`](crate::Registry::commit).
pub async fn ensure(registry: &SharedRegistry, path: &Path) -> Result<(), Error> {
    let mut missing = vec![path.clone()];
    while let Some(parent) = missing.last().and_then(Path::parent) {
        missing.push(parent);
    }
    missing.pop();
    missing.reverse();
    let found = registry.read(&missing).await?;
    for (path, node) in missing.into_iter().zip(found) {
        if node.is_some() {
            continue;
        }
        let create = Op::Create { path, data: bytes::Bytes::new(), mode: Mode::Persistent };
        match registry.commit(vec![create]).await {
            Ok(_) | Err(Error::Conflict { conflict: Conflict::Exists, .. } | Error::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
