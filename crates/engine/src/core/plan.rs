//! Plans: which instance owns which item.
//!
//! # A plan
//! ```text
//! begin { necessary, processing (ephemeral), missing items }        claims are held while `processing` exists
//!   ► first batch { check and bump the epoch, owners… }             claims made under the plan before now fail
//!   ► … more batches of owners …                                    only for very large jobs
//!   ► last batch { …, delete necessary, delete processing }
//! ```
//! The epoch's version is checked by the bump, so two leaders can never both write a plan; every claim checks it too, so a
//! claim succeeds only under the plan that the claimer has seen. If the leader dies in between, `processing` vanishes with
//! its session, `necessary` stays, and the next leader makes the plan from what it finds.
//!
//! A plan is due when the owners are not what the strategy says for the available instances and the item count, or when
//! `necessary` exists. Items that run are not waited for when every member is ours: the next owner sees the claim and waits for
//! its end. With a Java peer in the job the leader waits until nothing runs, as Java does.

use super::group::{Builder, StepKind};
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::ItemNodes;
use clockwright_model::Item;
use clockwright_registry::Op;
use std::collections::VecDeque;

/// Owners written in one commit of a plan.
const PLAN_BATCH: usize = 200;
/// A plan that is being written.
pub(crate) struct PlanInProgress {
    batches: VecDeque<Vec<Op>>,
}

impl Turn<'_> {
    /// What the leader does: keeps the plan right, and removes items that the job no longer has.
    pub(super) fn lead(&mut self) {
        if self.plan_is_due() {
            // The plan says what a dead Java peer had; it is not overwritten before that is used. Without failover nobody uses it.
            let job = &*self.job;
            let failover = job.effective.as_ref().is_some_and(|effective| effective.settings.failover);
            if !(failover && job.plans.mourns()) {
                self.begin_plan();
            }
        } else {
            self.job.plans.not_due();
            self.remove_surplus_items();
            self.remove_dead_triggers();
        }
    }

    /// What a member does that does not lead: under a leader of the other kind, it raises Java's flag.
    pub(super) fn follow(&mut self) {
        let job = &*self.job;
        let Some(leader) = &job.mirror.leader else { return };
        let ours = self.us.leases.contains_key(&leader.id);
        let due = !ours && !job.mirror.necessary && job.mirror.processing.is_none() && self.plan_is_due();
        if !self.has_been_due(due) {
            return;
        }
        let mut builder = Builder::new(self.us, self.job);
        builder.create(&Key::Necessary, Bytes::new());
        let ops = builder.ops;
        self.coordinate_with(StepKind::Other, ops);
    }

    /// Whether the owners differ from what the strategy says, or somebody asks for a plan.
    pub(super) fn plan_is_due(&self) -> bool {
        let job = &*self.job;
        let Some(effective) = &job.effective else { return false };
        let available = job.mirror.available();
        if available.is_empty() {
            return false;
        }
        if job.mirror.processing.is_some()
            && job.mirror.processing == self.us.session.map(|terms| terms.session)
        {
            // A plan of ours was begun, though the answer to that was unclear; claims are held until it is made.
            return true;
        }
        if job.mirror.necessary && !self.us.mutated(Mutation::NonLeaderWaitsForever) {
            return true;
        }
        if self.us.mutated(Mutation::NewLeaderTrustsOldPlan) {
            return false;
        }
        let count = job.count();
        let owner = |item: Item| job.mirror.owner(item);
        if effective.settings.static_sharding
            && job.mirror.items.len() == count as usize
            && (0..count).all(|item| owner(item).is_some())
        {
            return false;
        }
        let target = job.target(effective, &available);
        let surplus = (count..job.mirror.items.len() as Item).any(|item| owner(item).is_some());
        surplus
            || (0..count)
                .any(|item| owner(item) != target[item as usize].map(|position| &available[position]))
    }

    pub(super) fn begin_plan(&mut self) {
        let session = self.us.session_id();
        let foreign = self.has_foreign_peers();
        let job = &mut *self.job;
        if let Some(owner) = job.mirror.processing
            && owner != session
        {
            // Left by a leader that is going or gone; the node vanishes with its session.
            job.op_after = self.now.mono + 200;
            self.load();
            let at = self.now.mono + 200;
            self.wake_at_mono(at);
            return;
        }
        let stale_blocks = self.us.mutated(Mutation::StaleRunningBlocksReshard);
        if (foreign && !self.may_plan_beside_java()) || (stale_blocks && self.something_runs()) {
            return;
        }
        let job = &*self.job;
        let mut builder = Builder::new(self.us, self.job);
        if !job.mirror.necessary {
            builder.create(&Key::Necessary, Bytes::new());
        }
        if job.mirror.processing.is_none() {
            builder.create_ephemeral(&Key::Processing, Bytes::new());
        }
        if job.mirror.epoch.is_none() {
            builder.create(&Key::Epoch, Bytes::new());
        }
        let missing: Vec<Item> = (0..job.count())
            .filter(|item| job.mirror.item(*item).is_none_or(|nodes| !nodes.exists))
            .collect();
        let mut batches = VecDeque::new();
        for item in missing {
            builder.create(&Key::Item(item), Bytes::new());
            // The item's schedule counts from its birth, however long it takes until somebody can run it.
            let effective = job.effective.as_ref();
            let remembered = effective.and_then(|effective| self.remembered(item, effective));
            let cursor = remembered.unwrap_or_else(|| {
                let (hash, rule) = effective
                    .map_or((0, None), |effective| (effective.schedule_hash, Some(effective.rule.clone())));
                let generation = self.us.generation();
                Cursor { generation, ..Cursor::starting(self.now.wall, hash, rule) }
            });
            builder.create(&Key::Cursor(item), cursor.to_bytes());
            if builder.ops.len() >= PLAN_BATCH * 2 {
                batches.push_back(std::mem::take(&mut builder.ops));
            }
        }
        if !builder.ops.is_empty() {
            batches.push_back(builder.ops);
        }
        self.job.plan = Some(PlanInProgress { batches });
        self.continue_plan();
    }

    /// Sends the next batch of the plan under way.
    pub(super) fn continue_plan(&mut self) {
        let Some(plan) = &mut self.job.plan else { return };
        if let Some(ops) = plan.batches.pop_front() {
            self.coordinate_with(StepKind::Plan, ops);
            return;
        }
        self.job.plan = None;
        let job = &*self.job;
        if job.mirror.processing.is_none() {
            return;
        }
        let mut batches = self.owner_batches();
        if let Some(first) = batches.pop_front() {
            self.job.plan = (!batches.is_empty()).then_some(PlanInProgress { batches });
            self.coordinate_with(StepKind::Plan, first);
        }
    }

    /// The operations that flip the plan, in batches; the first bumps the epoch, the last lowers the flags.
    pub(super) fn owner_batches(&self) -> VecDeque<Vec<Op>> {
        let job = &*self.job;
        let mut batches = VecDeque::new();
        let (Some(effective), Some(epoch)) = (&job.effective, job.mirror.epoch) else { return batches };
        let available = job.mirror.available();
        let count = job.count();
        let owner = |item: Item| job.mirror.owner(item);
        let target = job.target(effective, &available);
        let path = |key: &Key| self.path(key);
        let mut ops = vec![Op::set_if(path(&Key::Epoch), self.us.me.as_str().to_owned(), epoch)];
        for item in 0..(count.max(job.mirror.items.len() as Item)) {
            if owner(item).is_some() {
                ops.push(Op::delete(path(&Key::Owner(item))));
            }
            if let Some(position) = target.get(item as usize).copied().flatten() {
                ops.push(Op::create(path(&Key::Owner(item)), available[position].as_str().to_owned()));
            }
            if ops.len() >= PLAN_BATCH * 2 {
                batches.push_back(std::mem::take(&mut ops));
            }
        }
        if !batches.is_empty() {
            // Whoever read the owners between two batches must read them again.
            ops.push(Op::set_if(path(&Key::Epoch), self.us.me.as_str().to_owned(), epoch + 1));
        }
        ops.push(Op::delete(path(&Key::Necessary)));
        ops.push(Op::delete(path(&Key::Processing)));
        batches.push_back(ops);
        batches
    }

    /// Java's leader waits until nothing runs; so does ours while a Java peer is in the job.
    pub(super) fn something_runs(&mut self) -> bool {
        let stale_blocks = self.us.mutated(Mutation::StaleRunningBlocksReshard);
        let job = &*self.job;
        let claimed =
            |nodes: &ItemNodes| nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_some());
        let runs = |nodes: &ItemNodes| {
            nodes.running.as_ref().is_some_and(|mark| !self.is_left(mark)) || (stale_blocks && claimed(nodes))
        };
        if !job.mirror.items.iter().any(runs) {
            return false;
        }
        let job = &mut *self.job;
        for state in &mut job.items {
            state.watching = true;
        }
        job.op_after = self.now.mono + 100;
        let at = job.op_after;
        self.load();
        self.wake_at_mono(at);
        true
    }

    /// Our `processing` while we do not lead: nobody may claim while it is there, and nobody else may delete it.
    pub(super) fn stray_processing(&self) -> Option<Key> {
        let job = &*self.job;
        let session = self.us.session.map(|terms| terms.session)?;
        (job.mirror.processing == Some(session) && !self.us.leads(job)).then_some(Key::Processing)
    }
}
