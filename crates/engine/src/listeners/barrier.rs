//! Where all instances of a job meet, so that a listener is called once for a firing of the whole job.
//!
//! # Once per fire, without a deadlock
//! Elastic-Job's protocol, on its nodes: each instance puts up `guarantee/started/{item}` for its items; whoever sees as many
//! marks as the job has items calls the listener and deletes the parent, and the others wait for that deletion. The same with
//! `guarantee/completed` after the runs.
//!
//! In Elastic-Job a waiter may sleep past the deletion, and waits for ever when an item is disabled or an instance is
//! missing. Here the marks say which fire they are for, a waiter looks again every [`LOOK`] instead of trusting one
//! notification, and there is always a deadline. Who calls the listener is decided by one commit: the deletion of the marks
//! that were counted. A firing whose deadline passes goes on; that is told, nobody else's marks are cleared, and marks of an
//! earlier fire do not count for this one.
//!
//! A retry, a takeover and an item that comes late by itself do not take part: nobody comes with them, and they would wait for
//! the whole deadline ([`Firing::whole`](crate::core::Firing::whole)). A firing that makes up for missed instants takes part, and
//! waits for [`LATE`](super::LATE) at most: if it is late everywhere, all come at once.
//!
//! # Beside Java instances
//! Java puts up its marks and then counts once. If it counts all of them it calls its listener, whoever else may do the same;
//! if not, it begins to wait for the deletion of their parent, and never looks again. So whose mark is the last decides: after a
//! Java mark that instance calls, and is only stood in for when half of the deadline has passed; after one of ours the call, and
//! with it the deletion, comes once every Java instance has had [`JAVA_COUNTS`] to count and to begin its wait. Two Java instances
//! that come last together may both call, which is Elastic-Job's own race.

use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{JobName, ShardContext};
use clockwright_registry::{Conflict, Error, Node, Op, Path, SharedRegistry};
use std::time::Duration;

/// How often a waiter looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long Java may take from its mark to the beginning of its wait.
const JAVA_COUNTS: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Started,
    Completed,
}

/// The meeting point of all instances for one phase of one fire.
pub(super) struct Barrier<'a> {
    job: &'a JobName,
    contexts: &'a [ShardContext],
    registry: &'a SharedRegistry,
    keys: &'a Keys,
    phase: Phase,
}

impl<'a> Barrier<'a> {
    pub(super) fn new(
        job: &'a JobName,
        contexts: &'a [ShardContext],
        registry: &'a SharedRegistry,
        keys: &'a Keys,
        phase: Phase,
    ) -> Self {
        Self { job, contexts, registry, keys, phase }
    }

    fn root(&self) -> Path {
        let key = if self.phase == Phase::Started { Key::Started } else { Key::Completed };
        self.keys.of(self.job, &key)
    }

    fn fire(&self) -> String {
        self.contexts.first().map(|context| context.fire.to_string()).unwrap_or_default()
    }

    /// Puts up the marks and waits; true for the one instance that is to call the listener. The marks that it counted are
    /// replaced by [`CALLING`] until [`open`](Self::open).
    pub(super) async fn is_last(&self, patience: Duration) -> bool {
        let Some(context) = self.contexts.first() else { return false };
        let total = context.sharding_total_count as usize;
        let begun = tokio::time::Instant::now();
        let deadline = begun + patience;
        let job = self.job.as_str();
        let mut placed = false;
        let mut complete_since = None;
        loop {
            let seen = self.look(total, placed).await;
            if !matches!(seen, Ok(Seen::Complete { .. })) {
                complete_since = None;
            }
            match seen {
                Ok(Seen::Complete { version, last }) => {
                    let now = tokio::time::Instant::now();
                    let call_at = match last {
                        Last::AmongOurs => begun,
                        Last::Ours => *complete_since.get_or_insert(now) + JAVA_COUNTS,
                        Last::Java => begun + patience / 2,
                    };
                    if now >= call_at && self.claim_call(version).await {
                        return true;
                    }
                }
                Ok(Seen::Opened) => return false,
                Ok(Seen::Placed) => {
                    placed = true;
                    // Perhaps they are complete with it.
                    continue;
                }
                Ok(Seen::Waiting) | Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::debug!(job, %error, "the once-per-fire marks could not be read, looking again");
                }
            }
            if tokio::time::Instant::now() >= deadline {
                tracing::warn!(
                    job,
                    fire = self.fire(),
                    "not all items came to the once-per-fire listener in time; going on"
                );
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks at the marks, and puts up those of ours that are missing.
    async fn look(&self, total: usize, placed: bool) -> Result<Seen, Error> {
        let root = self.root();
        let fire = self.fire();
        let nodes = self.registry.tree(&root).await?;
        if placed && nodes.is_empty() {
            return Ok(Seen::Opened);
        }
        let calling =
            nodes.first().is_some_and(|(_, node)| node.data == format!("{fire} {CALLING}").as_bytes());
        // A Java peer's mark is empty: it does not say which fire it is for.
        let counts = |node: &Node| node.data.is_empty() || node.data == fire.as_bytes();
        let mut ops = Vec::new();
        if nodes.is_empty() {
            let parent = self.keys.of(self.job, &Key::Guarantee);
            if self.registry.read(std::slice::from_ref(&parent)).await?[0].is_none() {
                ops.push(Op::create(parent, ""));
            }
            ops.push(Op::create(root.clone(), ""));
        }
        for context in self.contexts {
            let path = root.join(&context.item.to_string());
            match nodes.iter().find(|(other, _)| *other == path) {
                Some((_, node)) if node.data == fire.as_bytes() => {}
                // The mark of an earlier fire, whose instance went away before the last one came.
                Some((_, node)) => ops.push(Op::set_if(path, fire.clone(), node.stat.version)),
                None => ops.push(Op::create(path, fire.clone())),
            }
        }
        if !ops.is_empty() && !calling {
            self.registry.commit(ops).await?;
            return Ok(Seen::Placed);
        }
        let marks: Vec<&Node> =
            nodes.iter().filter(|(path, node)| *path != root && counts(node)).map(|(_, node)| node).collect();
        if calling || marks.len() < total {
            return Ok(Seen::Waiting);
        }
        let of_java = |node: &&&Node| node.data.is_empty();
        let last = match marks.iter().max_by_key(|node| node.stat.modified) {
            Some(last) if of_java(&last) => Last::Java,
            _ if marks.iter().any(|node| of_java(&node)) => Last::Ours,
            _ => Last::AmongOurs,
        };
        Ok(Seen::Complete { version: nodes.first().map_or(0, |(_, node)| node.stat.version), last })
    }

    /// Whether the call is ours: one commit decides among our instances.
    async fn claim_call(&self, version: i32) -> bool {
        let words = format!("{} {CALLING}", self.fire());
        self.registry.commit(vec![Op::set_if(self.root(), words, version)]).await.is_ok()
    }

    /// The listener was called: lets the others go on, and removes the marks.
    pub(super) async fn open(&self) {
        let root = self.root();
        let job = self.job.as_str();
        for _ in 0..50 {
            let Ok(nodes) = self.registry.tree(&root).await else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let ops: Vec<Op> = nodes.iter().rev().map(|(path, _)| Op::delete(path.clone())).collect();
            match self.registry.commit(ops).await {
                Ok(_) | Err(Error::Conflict { conflict: Conflict::Missing, .. }) => return,
                Err(error) => {
                    tracing::debug!(job, %error, "the once-per-fire marks could not be removed, trying again");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What the marks' parent says while the listener is being called.
const CALLING: &str = "calling";

enum Seen {
    /// All marks are there.
    Complete {
        /// The version of their parent.
        version: i32,
        /// Who came last.
        last: Last,
    },
    /// The marks were removed: the listener was called.
    Opened,
    /// Our marks were put up.
    Placed,
    /// Some marks are missing.
    Waiting,
}

/// Whose mark was put up last.
#[derive(Clone, Copy)]
enum Last {
    /// No Java instance has one.
    AmongOurs,
    /// One of ours, and Java instances have some.
    Ours,
    /// A Java instance's.
    Java,
}
