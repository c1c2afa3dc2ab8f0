//! Election: which instance leads a job.
//!
//! # Election
//! ```text
//! no leader ──► nobody queues, no Java peer is known ──► commit { leader = me, nobody queues, register }
//!          └──► queue at the latch ──► first in the queue ──► commit { leader = me, leave the latch, register }
//! ```
//! The latch is for Java peers, which would otherwise delete a node that they believe is not there. Among ourselves nobody queues:
//! safety comes from the commit, which creates the leader node and fails if there is one. A Java peer that has just begun is seen
//! only by its place in the queue, so the commit also proves that the queue is empty, by making its parent, or by deleting
//! that and making it anew; a node with children is not deleted. Where somebody queues we do, too, though never longer than
//! [`LATCH_PATIENCE`].
//!
//! Of many that see a leader go, each tries once, one commit is carried out, and the others read what came of it.
//!
//! A new leader trusts nothing: it reads the job anew and compares, so no edge can have been missed while nobody led.

use super::group::{Builder, Step};
use super::job::{Latch, LatchKind};
use super::membership::register;
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::keys::Key;
use clockwright_model::{Millis, RunId};
use clockwright_registry::Mode;
use std::collections::BTreeMap;

/// How long a latch is waited for before leadership is tried without it, milliseconds.
const LATCH_PATIENCE: Millis = 5_000;

impl Turn<'_> {
    /// Queues at the election's latch, or takes leadership when it is this instance's turn.
    pub(super) fn elect(&mut self) {
        let passes = self.us.mutated(Mutation::LeadsPastTheQueue);
        let alone = self.nobody_queues() || passes;
        if !alone && !self.queue_at_latch(LatchKind::Election) {
            return;
        }
        let job = &*self.job;
        let place = job.latch.as_ref().and_then(|latch| latch.name.clone());
        if place.is_none() && !alone {
            return;
        }
        let mut builder = Builder::new(self.us, self.job);
        if job.mirror.leader.is_none() {
            builder.create_ephemeral(Key::ElectionInstance, self.us.me.as_str().to_owned());
            if job.mirror.epoch.is_none() {
                builder.create(Key::Epoch, Bytes::new());
            }
        }
        match place {
            Some(name) if !self.us.mutated(Mutation::LatchNeverReleased) => {
                builder.delete(Key::ElectionLatchNode(name));
            }
            Some(_) => {}
            None if passes => {}
            None => {
                if job.mirror.parents.contains(&Key::ElectionLatch) {
                    builder.delete(Key::ElectionLatch);
                }
                builder.create(Key::ElectionLatch, Bytes::new());
            }
        }
        if !job.registered {
            register(&mut builder);
        }
        let group = builder.build();
        self.coordinate_with(Step::Join, group);
    }

    /// Whether nobody is at the election's latch, and nobody is known who would come to it.
    fn nobody_queues(&self) -> bool {
        let mirror = &self.job.mirror;
        self.job.latch.is_none()
            && mirror.election_latch.is_empty()
            && mirror.instances.keys().all(|id| *id == self.us.me || self.us.leases.contains_key(id))
            && !self.us.mutated(Mutation::LatchNeverReleased)
    }

    /// Gets a place in a latch's queue; true when it is this instance's turn.
    pub(super) fn queue_at_latch(&mut self, kind: LatchKind) -> bool {
        let node = |name: &str| match kind {
            LatchKind::Election => Key::ElectionLatchNode(name.to_owned()),
            LatchKind::Failover(_) => Key::FailoverLatchNode(name.to_owned()),
        };
        let Some(latch) = self.job.latch.clone() else {
            let uuid = RunId::new(self.now.wall, self.us.random());
            let prefix = format!("_c_{uuid}-latch-");
            let mut builder = Builder::new(self.us, self.job);
            builder.create_as(node(&prefix), Bytes::new().into(), Mode::EphemeralSequential);
            let group = builder.build();
            self.job.latch = Some(Latch { kind, prefix, name: None, listed: false, since: self.now.mono });
            self.coordinate_with(Step::Latch, group);
            return false;
        };
        let queue = match kind {
            LatchKind::Election => &self.job.mirror.election_latch,
            LatchKind::Failover(_) => &self.job.mirror.failover_latch,
        };
        let Some(name) = latch.name.clone() else {
            // The answer to the creation was unclear; a fresh reading shows whether our node is there.
            let found = queue.keys().find(|name| name.starts_with(&latch.prefix)).cloned();
            match found {
                Some(name) => {
                    let latch = self.job.latch.as_mut().expect("it is there, it was just cloned");
                    latch.name = Some(name);
                    latch.listed = true;
                    self.touch();
                }
                None => self.job.latch = None,
            }
            self.touch();
            return false;
        };
        if !latch.listed {
            return false;
        }
        if !queue.contains_key(&name) {
            // The commit that was to leave it did so, though its answer was unclear.
            self.job.latch = None;
            self.touch();
            return false;
        }
        let first =
            queue.keys().min_by_key(|name| latch_order(name).to_owned()).is_none_or(|first| *first == name);
        let patience = latch.since + LATCH_PATIENCE;
        if first || self.now.mono >= patience {
            return true;
        }
        self.wake_at_mono(patience);
        false
    }

    /// A leader whose server was disabled gives the job up.
    pub(super) fn abdicate(&mut self) {
        let mut builder = Builder::new(self.us, self.job);
        if !self.job.mirror.necessary {
            builder.create(Key::Necessary, Bytes::new());
        }
        builder.delete(Key::ElectionInstance);
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
    }

    /// A place of ours at a latch that we do not wait at any more: the commit that was to leave it failed. Java peers would
    /// queue behind it for as long as our session lives.
    pub(super) fn stray_latch(&self) -> Option<Key> {
        if self.us.mutated(Mutation::LatchNeverReleased) {
            return None;
        }
        let job = &*self.job;
        let wanted = |name: &String| job.latch.as_ref().is_some_and(|latch| name.starts_with(&latch.prefix));
        let stray = |queue: &BTreeMap<String, i64>| {
            queue
                .iter()
                .find(|(name, owner)| self.us.is_our_session(**owner) && !wanted(name))
                .map(|(name, _)| name.clone())
        };
        let election = stray(&job.mirror.election_latch).map(Key::ElectionLatchNode);
        election.or_else(|| stray(&job.mirror.failover_latch).map(Key::FailoverLatchNode))
    }
}

/// What Curator orders a latch's queue by.
fn latch_order(name: &str) -> &str {
    name.rsplit_once("latch-").map_or(name, |(_, number)| number)
}
