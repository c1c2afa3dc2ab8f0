//! Coordination of one job: its config node, its leader, its members, its plan, and leaving it.
//!
//! # Identities
//! An instance is its id; its incarnation is the registry session that owns its ephemeral nodes. The leader is the instance
//! whose id is in `leader/election/instance` *and* whose session owns that node: a name alone may belong to a session that
//! is gone. A plan is a version of `leader/sharding/epoch`.
//!
//! # Election
//! ```text
//! no leader ──► queue at the latch ──► first in the queue ──► commit { leader = me, leave the latch, register }
//! ```
//! The latch is for Java peers, which would otherwise delete a node that they believe is not there. It is never waited for
//! longer than [`LATCH_PATIENCE`]: safety comes from the commit, which creates the leader node and fails if there is one.
//! A new leader trusts nothing: it reads the job anew and compares, so no edge can have been missed while nobody led.
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
//!
//! # Failures
//! Any conflict or unclear answer leads to a fresh reading of the whole job and a new decision. Each step is written so that
//! doing it again is right.

use super::job::{Latch, LatchKind, Phase};
use super::mirror::ItemNodes;
use super::{Core, Mutation, Now, Purpose};
use crate::cursor::Cursor;
use crate::keys::Key;
use crate::layout::Layout;
use bytes::Bytes;
use clockwright_model::{InstanceId, Item, JobSettings, Millis, RunId};
use clockwright_registry::{Commit, Error, Mode, Node, Op, OpResult, Path, Stat};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long a latch is waited for before leadership is tried without it, milliseconds.
const LATCH_PATIENCE: Millis = 5_000;
/// How long coordination of a job rests after a step failed, milliseconds.
const REST: Millis = 50;
/// Owners written in one commit of a plan.
const PLAN_BATCH: usize = 200;

/// What a coordination commit is.
pub(crate) struct Step {
    kind: StepKind,
    ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepKind {
    Latch,
    Join,
    Leave,
    Plan,
    Other,
}

/// A plan that is being written.
pub(crate) struct PlanInProgress {
    batches: VecDeque<Vec<Op>>,
}

/// Builds the operations of one commit, creating parents that are missing.
pub(super) struct Builder<'a> {
    core: &'a Core,
    index: usize,
    made: BTreeSet<Key>,
    pub(super) ops: Vec<Op>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(core: &'a Core, index: usize) -> Self {
        Self { core, index, made: BTreeSet::new(), ops: Vec::new() }
    }

    pub(super) fn path(&self, key: &Key) -> Path {
        self.core.path(self.index, key)
    }

    /// The job that the commit is about.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Creates the parents of a node as far as they are not known to exist.
    pub(super) fn parents(&mut self, key: &Key) {
        for parent in ancestors(key) {
            if !self.core.jobs[self.index].mirror.parents.contains(parent) && self.made.insert(parent.clone())
            {
                self.ops.push(Op::create(self.path(parent), Bytes::new()));
            }
        }
    }

    pub(super) fn create(&mut self, key: &Key, data: impl Into<Bytes>) {
        self.parents(key);
        self.ops.push(Op::create(self.path(key), data));
    }

    pub(super) fn create_ephemeral(&mut self, key: &Key, data: impl Into<Bytes>) {
        self.parents(key);
        self.ops.push(Op::create_ephemeral(self.path(key), data));
    }

    /// The job's root node with this data, which is none in 2.x.
    fn root(&mut self, data: &str) {
        let path = self.path(&Key::Job);
        match &self.core.jobs[self.index].mirror.root {
            _ if data.is_empty() => {}
            None => {
                self.made.insert(Key::Job);
                self.ops.push(Op::create(path, data.to_owned()));
            }
            Some(found) if found[..] == *data.as_bytes() => {}
            Some(_) => self.ops.push(Op::set(path, data.to_owned())),
        }
    }

    pub(super) fn delete(&mut self, key: &Key) {
        self.ops.push(Op::delete(self.path(key)));
    }
}

/// The parents of a node below the namespace, outermost first.
fn ancestors(key: &Key) -> &'static [Key] {
    match key {
        Key::Server(_) => &[Key::Job, Key::Servers],
        Key::Instance(_) => &[Key::Job, Key::Instances],
        Key::Trigger(_) => &[Key::Job, Key::Triggers],
        Key::ElectionInstance => &[Key::Job, Key::Leader, Key::Election],
        Key::ElectionLatchNode(_) => &[Key::Job, Key::Leader, Key::Election, Key::ElectionLatch],
        Key::Necessary | Key::Processing | Key::Epoch => &[Key::Job, Key::Leader, Key::Sharding],
        Key::FailoverItem(_) => &[Key::Job, Key::Leader, Key::Failover, Key::FailoverItems],
        Key::FailoverLatchNode(_) => &[Key::Job, Key::Leader, Key::Failover, Key::FailoverLatch],
        Key::Item(_) => &[Key::Job, Key::Items],
        Key::CurrentTime => &[Key::Job, Key::SystemTime],
        _ => &[Key::Job],
    }
}

impl Core {
    /// Decides what is missing in one job and starts it.
    pub(super) fn decide(&mut self, index: usize, now: Now) {
        if self.session.is_none() {
            return;
        }
        let job = &self.jobs[index];
        if !job.is_loaded {
            if job.loading.is_none() {
                if now.mono >= job.op_after {
                    self.load(index);
                } else {
                    let at = job.op_after;
                    self.wake_at_mono(index, at);
                }
            }
            return;
        }
        self.tell_layout(index);
        self.notice_shutdown_command(index);
        self.read_plan(index);
        self.look_for_foreign_peers(index);
        self.miss_java(index);
        self.track_off(index, now);
        self.coordinate(index, now);
        self.failover(index, now);
        self.fire(index, now);
        self.wind_down(index);
        self.drop_outdated_cursors(index, now);
    }

    /// Reads epoch and owners together when the mirror's epoch is not the one that its owners belong to. The epoch is read
    /// first: owners that are read after it are not older, so a claim that checks it proves that they still are the owners.
    fn read_plan(&mut self, index: usize) {
        let job = &self.jobs[index];
        if !job.plan_is_stale() || job.plan_reading.is_some() {
            return;
        }
        let count = job.count().max(job.mirror.items.len() as Item);
        let mut paths = vec![self.path(index, &Key::Epoch)];
        paths.extend((0..count).map(|item| self.path(index, &Key::Owner(item))));
        let id = self.next();
        self.jobs[index].plan_reading = Some(id);
        self.out.push(super::Effect::Read { id, paths });
    }

    /// Tells once when a job is not of the layout that was asked for, or is to be made beside jobs of the other one.
    fn tell_layout(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        let (Some(asked), false) = (self.options.layout, job.layout_told) else { return };
        let found = job.mirror.config.as_ref().and_then(|(data, _)| Layout::of(data));
        if let Some(found) = found.filter(|found| *found != asked) {
            job.layout_told = true;
            let text = format!(
                "its nodes are in the layout of Elastic-Job {found}, and stay so; {asked} was asked for. A job changes its layout only by being removed, while no instance serves it"
            );
            self.tell(Some(index), true, text);
        } else if let Some(others) = self.others.filter(|others| *others != asked && found.is_none()) {
            job.layout_told = true;
            let text = format!(
                "it is new, and made in the layout of Elastic-Job {asked} as asked, though others of the namespace are in that of {others}: Java consoles of either can read only their own"
            );
            self.tell(Some(index), true, text);
        }
    }

    /// Asks about instances that seem to hold no lease. Instance and lease nodes are read at different times, so one of ours
    /// that comes or goes looks foreign for a moment. It is foreign when its lease is not there while the instance that was
    /// seen before still is.
    fn look_for_foreign_peers(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        if job.mirror.instances.keys().all(|id| self.leases.contains_key(id)) {
            return;
        }
        let present: BTreeSet<i64> = job.mirror.instances.values().map(|node| node.stat.created).collect();
        job.foreign.retain(|created, _| present.contains(created));
        let mut asked = Vec::new();
        for (id, node) in &job.mirror.instances {
            if !self.leases.contains_key(id) && !job.foreign.contains_key(&node.stat.created) {
                asked.push((id.clone(), node.stat.created));
            }
        }
        for (id, created) in asked {
            self.jobs[index].foreign.insert(created, false);
            let paths = vec![self.keys.lease(&id), self.path(index, &Key::Instance(id))];
            self.read(paths);
        }
    }

    /// One coordination step at a time, the first that is missing.
    fn coordinate(&mut self, index: usize, now: Now) {
        let job = &self.jobs[index];
        if job.op.is_some() {
            return;
        }
        if now.mono < job.op_after {
            let at = job.op_after;
            self.wake_at_mono(index, at);
            return;
        }
        if job.plan.is_some() {
            self.continue_plan(index);
        } else if let Some(stray) = self.stray_latch(index).or_else(|| self.stray_processing(index)) {
            let path = self.path(index, &stray);
            self.coordinate_with(index, StepKind::Other, vec![Op::delete(path)]);
        } else if self.leaving || job.phase != Phase::Active {
            self.leave(index);
        } else if !self.configure(index) && job_is_usable(&self.jobs[index]) {
            self.join_and_lead(index, now);
        }
    }

    /// A place of ours at a latch that we do not wait at any more: the commit that was to leave it failed. Java peers would
    /// queue behind it for as long as our session lives.
    fn stray_latch(&self, index: usize) -> Option<Key> {
        if self.mutated(Mutation::LatchNeverReleased) {
            return None;
        }
        let job = &self.jobs[index];
        let session = self.session.map(|terms| terms.session)?;
        let wanted = |name: &String| job.latch.as_ref().is_some_and(|latch| name.starts_with(&latch.prefix));
        let stray = |queue: &BTreeMap<String, i64>| {
            queue
                .iter()
                .find(|(name, owner)| **owner == session && !wanted(name))
                .map(|(name, _)| name.clone())
        };
        let election = stray(&job.mirror.election_latch).map(Key::ElectionLatchNode);
        election.or_else(|| stray(&job.mirror.failover_latch).map(Key::FailoverLatchNode))
    }

    /// Our `processing` while we do not lead: nobody may claim while it is there, and nobody else may delete it.
    fn stray_processing(&self, index: usize) -> Option<Key> {
        let job = &self.jobs[index];
        let session = self.session.map(|terms| terms.session)?;
        (job.mirror.processing == Some(session) && !self.leads(job)).then_some(Key::Processing)
    }

    fn coordinate_with(&mut self, index: usize, kind: StepKind, ops: Vec<Op>) {
        if ops.is_empty() {
            return;
        }
        let id = self.commit(index, Purpose::Coordinate(Step { kind, ops: ops.clone() }), ops);
        self.jobs[index].op = Some(id);
    }

    /// Starts another coordination commit on behalf of failover.
    pub(super) fn coordinate_other(&mut self, index: usize, ops: Vec<Op>) {
        self.coordinate_with(index, StepKind::Other, ops);
    }

    /// Writes the config node if it is missing, empty, or to be overwritten; true when it did.
    fn configure(&mut self, index: usize) -> bool {
        let job = &self.jobs[index];
        let wanted = match &job.mirror.config {
            None => Some(job.local.clone()),
            Some((data, _)) if data.is_empty() => Some(job.local.clone()),
            Some(_) if job.local.overwrite => {
                let class = job.effective.as_ref().map(|effective| effective.settings.class.clone());
                Some(with_class(&job.local, class))
            }
            Some(_) => None,
        };
        let Some(wanted) = wanted else { return false };
        let layout = job.mirror.layout;
        if let Err(error) = layout.check(&wanted) {
            let reason = format!("it cannot be in the layout of Elastic-Job {layout}: {error}");
            if job.degraded.as_ref() != Some(&reason) {
                self.jobs[index].degraded = Some(reason.clone());
                self.tell(Some(index), true, reason);
            }
            return true;
        }
        let mut builder = Builder::new(self, index);
        let old = job.mirror.config.as_ref().map_or(&[][..], |(data, _)| data);
        let text = layout.rewrite(old, job.mirror.root.as_deref().unwrap_or_default(), &wanted);
        builder.root(layout.root(&wanted));
        match &job.mirror.config {
            None => builder.create(&Key::Config, text),
            Some((data, _)) if data[..] == *text.as_bytes() => return false,
            Some((_, stat)) => {
                let path = builder.path(&Key::Config);
                builder.ops.push(Op::set_if(path, text, stat.version));
            }
        }
        let ops = builder.ops;
        self.coordinate_with(index, StepKind::Other, ops);
        true
    }

    fn join_and_lead(&mut self, index: usize, now: Now) {
        let job = &self.jobs[index];
        let enabled = job.mirror.server_enabled(self.me.ip());
        let latched = matches!(job.latch, Some(Latch { kind: LatchKind::Election, .. }));
        if latched || (job.mirror.leader.is_none() && enabled && job.latch.is_none()) {
            self.elect(index, now);
        } else if !job.registered {
            let mut builder = Builder::new(self, index);
            register(&mut builder);
            let ops = builder.ops;
            if ops.is_empty() {
                self.jobs[index].registered = true;
                self.touch(index);
            } else {
                self.coordinate_with(index, StepKind::Join, ops);
            }
        } else if self.leads(job) {
            if enabled { self.lead(index, now) } else { self.abdicate(index) }
        } else {
            self.follow(index, now);
        }
    }

    /// Queues at the election's latch, or takes leadership when it is this instance's turn.
    fn elect(&mut self, index: usize, now: Now) {
        if !self.queue_at_latch(index, LatchKind::Election, now) {
            return;
        }
        let job = &self.jobs[index];
        let Some(name) = job.latch.as_ref().and_then(|latch| latch.name.clone()) else { return };
        let mut builder = Builder::new(self, index);
        if job.mirror.leader.is_none() {
            builder.create_ephemeral(&Key::ElectionInstance, self.me.as_str().to_owned());
        }
        if !self.mutated(Mutation::LatchNeverReleased) {
            builder.delete(&Key::ElectionLatchNode(name));
        }
        if !job.registered {
            register(&mut builder);
        }
        let ops = builder.ops;
        self.coordinate_with(index, StepKind::Join, ops);
    }

    /// Gets a place in a latch's queue; true when it is this instance's turn.
    pub(super) fn queue_at_latch(&mut self, index: usize, kind: LatchKind, now: Now) -> bool {
        let node = |name: &str| match kind {
            LatchKind::Election => Key::ElectionLatchNode(name.to_owned()),
            LatchKind::Failover(_) => Key::FailoverLatchNode(name.to_owned()),
        };
        let Some(latch) = self.jobs[index].latch.clone() else {
            let uuid = RunId::new(now.wall, self.random());
            let prefix = format!("_c_{uuid}-latch-");
            let mut builder = Builder::new(self, index);
            builder.parents(&node(&prefix));
            let path = builder.path(&node(&prefix));
            builder.ops.push(Op::Create { path, data: Bytes::new(), mode: Mode::EphemeralSequential });
            let ops = builder.ops;
            self.jobs[index].latch = Some(Latch { kind, prefix, name: None, listed: false, since: now.mono });
            self.coordinate_with(index, StepKind::Latch, ops);
            return false;
        };
        let queue = match kind {
            LatchKind::Election => &self.jobs[index].mirror.election_latch,
            LatchKind::Failover(_) => &self.jobs[index].mirror.failover_latch,
        };
        let Some(name) = latch.name.clone() else {
            // The answer to the creation was unclear; a fresh reading shows whether our node is there.
            let found = queue.keys().find(|name| name.starts_with(&latch.prefix)).cloned();
            match found {
                Some(name) => {
                    let latch = self.jobs[index].latch.as_mut().expect("it is there, it was just cloned");
                    latch.name = Some(name);
                    latch.listed = true;
                    self.touch(index);
                }
                None => self.jobs[index].latch = None,
            }
            self.touch(index);
            return false;
        };
        if !latch.listed {
            return false;
        }
        if !queue.contains_key(&name) {
            // The commit that was to leave it did so, though its answer was unclear.
            self.jobs[index].latch = None;
            self.touch(index);
            return false;
        }
        let first =
            queue.keys().min_by_key(|name| latch_order(name).to_owned()).is_none_or(|first| *first == name);
        let patience = latch.since + LATCH_PATIENCE;
        if first || now.mono >= patience {
            return true;
        }
        self.wake_at_mono(index, patience);
        false
    }

    /// A leader whose server was disabled gives the job up.
    fn abdicate(&mut self, index: usize) {
        let mut builder = Builder::new(self, index);
        if !self.jobs[index].mirror.necessary {
            builder.create(&Key::Necessary, Bytes::new());
        }
        builder.delete(&Key::ElectionInstance);
        let ops = builder.ops;
        self.coordinate_with(index, StepKind::Other, ops);
    }

    /// What a member does that does not lead: under a leader of the other kind, it raises Java's flag.
    fn follow(&mut self, index: usize, now: Now) {
        let job = &self.jobs[index];
        let Some(leader) = &job.mirror.leader else { return };
        let ours = self.leases.contains_key(&leader.id);
        let due =
            !ours && !job.mirror.necessary && job.mirror.processing.is_none() && self.plan_is_due(index);
        if !self.has_been_due(index, due, now) {
            return;
        }
        let mut builder = Builder::new(self, index);
        builder.create(&Key::Necessary, Bytes::new());
        let ops = builder.ops;
        self.coordinate_with(index, StepKind::Other, ops);
    }

    /// What the leader does: keeps the plan right, and removes items that the job no longer has.
    fn lead(&mut self, index: usize, now: Now) {
        if self.plan_is_due(index) {
            // The plan says what a dead Java peer had; it is not overwritten before that is used. Without failover nobody uses it.
            let job = &self.jobs[index];
            let failover = job.effective.as_ref().is_some_and(|effective| effective.settings.failover);
            if !(failover && job.plans.mourns()) {
                self.begin_plan(index, now);
            }
        } else {
            self.jobs[index].plans.not_due();
            self.remove_surplus_items(index, now);
            self.remove_dead_triggers(index);
        }
    }

    /// Whether the owners differ from what the strategy says, or somebody asks for a plan.
    fn plan_is_due(&self, index: usize) -> bool {
        let job = &self.jobs[index];
        let Some(effective) = &job.effective else { return false };
        let available = job.mirror.available();
        if available.is_empty() {
            return false;
        }
        if job.mirror.processing.is_some() && job.mirror.processing == self.session.map(|terms| terms.session)
        {
            // A plan of ours was begun, though the answer to that was unclear; claims are held until it is made.
            return true;
        }
        if job.mirror.necessary && !self.mutated(Mutation::NonLeaderWaitsForever) {
            return true;
        }
        if self.mutated(Mutation::NewLeaderTrustsOldPlan) {
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

    fn begin_plan(&mut self, index: usize, now: Now) {
        let session = self.session.map_or(0, |terms| terms.session);
        let foreign = self.has_foreign_peers(index);
        let job = &mut self.jobs[index];
        if let Some(owner) = job.mirror.processing
            && owner != session
        {
            // Left by a leader that is going or gone; the node vanishes with its session.
            job.op_after = now.mono + 200;
            self.load(index);
            let at = now.mono + 200;
            self.wake_at_mono(index, at);
            return;
        }
        let stale_blocks = self.mutated(Mutation::StaleRunningBlocksReshard);
        if (foreign && !self.may_plan_beside_java(index, now))
            || (stale_blocks && self.something_runs(index, now))
        {
            return;
        }
        let job = &self.jobs[index];
        let mut builder = Builder::new(self, index);
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
            let cursor = Cursor::starting(
                now.wall,
                job.effective.as_ref().map_or(0, |effective| effective.schedule_hash),
            );
            builder.create(&Key::Cursor(item), cursor.to_bytes());
            if builder.ops.len() >= PLAN_BATCH * 2 {
                batches.push_back(std::mem::take(&mut builder.ops));
            }
        }
        if !builder.ops.is_empty() {
            batches.push_back(builder.ops);
        }
        self.jobs[index].plan = Some(PlanInProgress { batches });
        self.continue_plan(index);
    }

    /// Java's leader waits until nothing runs; so does ours while a Java peer is in the job.
    pub(super) fn something_runs(&mut self, index: usize, now: Now) -> bool {
        let stale_blocks = self.mutated(Mutation::StaleRunningBlocksReshard);
        let job = &self.jobs[index];
        let claimed =
            |nodes: &ItemNodes| nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_some());
        let runs = |nodes: &ItemNodes| {
            nodes.running.as_ref().is_some_and(|mark| !self.is_left(index, mark))
                || (stale_blocks && claimed(nodes))
        };
        if !job.mirror.items.iter().any(runs) {
            return false;
        }
        let job = &mut self.jobs[index];
        for state in &mut job.items {
            state.watching = true;
        }
        job.op_after = now.mono + 100;
        let at = job.op_after;
        self.load(index);
        self.wake_at_mono(index, at);
        true
    }

    /// Sends the next batch of the plan under way.
    fn continue_plan(&mut self, index: usize) {
        let Some(plan) = &mut self.jobs[index].plan else { return };
        if let Some(ops) = plan.batches.pop_front() {
            self.coordinate_with(index, StepKind::Plan, ops);
            return;
        }
        self.jobs[index].plan = None;
        let job = &self.jobs[index];
        if job.mirror.processing.is_none() {
            return;
        }
        let mut batches = self.owner_batches(index);
        if let Some(first) = batches.pop_front() {
            self.jobs[index].plan = (!batches.is_empty()).then_some(PlanInProgress { batches });
            self.coordinate_with(index, StepKind::Plan, first);
        }
    }

    /// The operations that flip the plan, in batches; the first bumps the epoch, the last lowers the flags.
    fn owner_batches(&self, index: usize) -> VecDeque<Vec<Op>> {
        let job = &self.jobs[index];
        let mut batches = VecDeque::new();
        let (Some(effective), Some(epoch)) = (&job.effective, job.mirror.epoch) else { return batches };
        let available = job.mirror.available();
        let count = job.count();
        let owner = |item: Item| job.mirror.owner(item);
        let target = job.target(effective, &available);
        let path = |key: &Key| self.path(index, key);
        let mut ops = vec![Op::set_if(path(&Key::Epoch), self.me.as_str().to_owned(), epoch)];
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
            ops.push(Op::set_if(path(&Key::Epoch), self.me.as_str().to_owned(), epoch + 1));
        }
        ops.push(Op::delete(path(&Key::Necessary)));
        ops.push(Op::delete(path(&Key::Processing)));
        batches.push_back(ops);
        batches
    }

    /// Deletes requests to fire of instances that are gone. Java leaves them, and would not act on another one beside them.
    fn remove_dead_triggers(&mut self, index: usize) {
        let job = &self.jobs[index];
        let gone =
            |id: &&InstanceId| !self.leases.contains_key(*id) && !job.mirror.instances.contains_key(*id);
        let ops: Vec<Op> = (job.mirror.triggers.keys().filter(gone))
            .map(|id| Op::delete(self.path(index, &Key::Trigger(id.clone()))))
            .collect();
        if job.op.is_none() {
            self.coordinate_with(index, StepKind::Other, ops);
        }
    }

    /// Deletes the nodes of items beyond the count, once nothing of them runs.
    fn remove_surplus_items(&mut self, index: usize, now: Now) {
        let job = &self.jobs[index];
        let surplus = |item: &Item| {
            let Some(nodes) = job.mirror.item(*item) else { return false };
            let runs = nodes.cursor.cursor().and_then(|cursor| cursor.running());
            nodes.exists
                && nodes.running.as_ref().is_none_or(|mark| self.is_left(index, mark))
                && !runs.is_some_and(|claim| self.alive(&claim.owner, claim.session))
        };
        let items: Vec<Item> =
            (job.count()..job.mirror.items.len() as Item).filter(surplus).take(PLAN_BATCH / 4).collect();
        let waiting: Vec<Item> = (job.count()..job.mirror.items.len() as Item)
            .filter(|item| !surplus(item) && job.mirror.items[*item as usize].exists)
            .collect();
        for item in waiting {
            self.watch_item(index, item);
        }
        let items: Vec<Item> = items.into_iter().filter(|item| self.wind_up(index, *item, now)).collect();
        let job = &self.jobs[index];
        let marks: Vec<Item> =
            job.mirror.failover_items.range(job.count()..).map(|(item, _)| *item).collect();
        if items.is_empty() && marks.is_empty() {
            return;
        }
        let mut builder = Builder::new(self, index);
        for item in marks {
            builder.delete(&Key::FailoverItem(item));
        }
        for item in items {
            let Some(nodes) = job.mirror.item(item) else { continue };
            for (present, key) in [
                (nodes.owner.is_some(), Key::Owner(item)),
                (nodes.running.is_some(), Key::Running(item)),
                (nodes.failovering.is_some(), Key::Failovering(item)),
                (nodes.misfire, Key::Misfire(item)),
                (nodes.disabled, Key::Disabled(item)),
                (true, Key::Item(item)),
            ] {
                if present {
                    if key == Key::Item(item)
                        && let Some(version) = nodes.cursor.version()
                    {
                        // Only what was seen, and is on record, may go.
                        let path = builder.path(&Key::Cursor(item));
                        builder.ops.push(Op::Delete { path, version: Some(version) });
                    }
                    builder.delete(&key);
                }
            }
        }
        let ops = builder.ops;
        self.jobs[index].op_after = now.mono;
        self.coordinate_with(index, StepKind::Other, ops);
    }

    /// Elastic-Job's shutdown command: somebody deleted our instance node while our session was unbroken.
    fn notice_shutdown_command(&mut self, index: usize) {
        let session = self.session.map(|terms| terms.session);
        let job = &mut self.jobs[index];
        let present = job.mirror.instances.get(&self.me).is_some_and(|node| Some(node.stat.owner) == session);
        if present {
            job.registered = true;
        } else if job.registered && job.phase == Phase::Active && job.op.is_none() && !self.leaving {
            job.phase = Phase::ShutDown;
            job.registered = false;
            let text = "its instance node was deleted: shut down by command, it starts nothing more here";
            self.tell(Some(index), true, text.into());
        }
    }

    /// Gives the job up: leadership and membership. Items that run go on and are completed; their next owners wait for them.
    fn leave(&mut self, index: usize) {
        let session = self.session.map(|terms| terms.session);
        let job = &self.jobs[index];
        let member = job.mirror.instances.get(&self.me).is_some_and(|node| Some(node.stat.owner) == session);
        let mut builder = Builder::new(self, index);
        if let Some(Latch { name: Some(name), kind, .. }) = &job.latch {
            builder.delete(&match kind {
                LatchKind::Election => Key::ElectionLatchNode(name.clone()),
                LatchKind::Failover(_) => Key::FailoverLatchNode(name.clone()),
            });
        }
        if job.phase == Phase::ShutDown && self.leads(job) && !job.mirror.necessary {
            builder.create(&Key::Necessary, Bytes::new());
        }
        if self.leads(job) {
            builder.delete(&Key::ElectionInstance);
        }
        if member {
            builder.delete(&Key::Instance(self.me.clone()));
        }
        if job.mirror.triggers.contains_key(&self.me) {
            builder.delete(&Key::Trigger(self.me.clone()));
        }
        let ops = builder.ops;
        if ops.is_empty() {
            if self.leaving {
                self.jobs[index].phase = Phase::Left;
            }
        } else {
            self.coordinate_with(index, StepKind::Leave, ops);
        }
    }

    /// What became of a coordination commit.
    pub(super) fn coordinated(&mut self, index: usize, step: Step, result: Result<Commit, Error>, now: Now) {
        self.jobs[index].op = None;
        match result {
            Ok(commit) => {
                self.apply(index, &step.ops, &commit, now);
                self.after_step(index, step.kind, &commit, now);
            }
            Err(error) => {
                if !matches!(error, Error::Conflict { .. }) {
                    self.tell(
                        Some(index),
                        error.is_unknown(),
                        format!("coordination is tried again: {error}"),
                    );
                }
                let job = &mut self.jobs[index];
                job.plan = None;
                job.op_after = now.mono + REST;
                if let (StepKind::Latch, false) = (step.kind, error.is_unknown()) {
                    job.latch = None;
                }
                self.load(index);
            }
        }
    }

    fn after_step(&mut self, index: usize, kind: StepKind, commit: &Commit, now: Now) {
        match kind {
            StepKind::Latch => {
                let created = commit.results.iter().rev().find_map(|result| match result {
                    OpResult::Created(path) => Some(path.name().to_owned()),
                    _ => None,
                });
                let root = match self.jobs[index].latch.as_mut() {
                    Some(latch) => {
                        latch.name = created;
                        latch.since = now.mono;
                        match latch.kind {
                            LatchKind::Election => Key::ElectionLatch,
                            LatchKind::Failover(_) => Key::FailoverLatch,
                        }
                    }
                    None => return,
                };
                let id = self.next();
                let root = self.path(index, &root);
                self.out.push(super::Effect::Tree { id, root });
            }
            StepKind::Join => {
                self.jobs[index].latch = None;
                self.jobs[index].registered = true;
                if self.leads(&self.jobs[index]) {
                    // A new leader trusts nothing that it saw while somebody else led.
                    self.load(index);
                }
            }
            StepKind::Leave => {
                self.jobs[index].latch = None;
                if self.leaving {
                    self.jobs[index].phase = Phase::Left;
                }
            }
            StepKind::Plan => self.continue_plan(index),
            StepKind::Other => {}
        }
    }

    /// Takes the effects of an own commit into the mirror, so that nobody has to wait for the hints about them.
    pub(super) fn apply(&mut self, index: usize, ops: &[Op], commit: &Commit, now: Now) {
        let session = self.session.map_or(0, |terms| terms.session);
        let touched = self.next();
        for (op, result) in ops.iter().zip(&commit.results) {
            let path = if let OpResult::Created(path) = result { path } else { op.path() };
            let Some((_, key)) = self.keys.parse(path) else { continue };
            let stat = Stat {
                version: if let OpResult::Set { version } = result { *version } else { 0 },
                created: commit.transaction,
                modified: commit.transaction,
                created_at: now.wall,
                modified_at: now.wall,
                owner: if matches!(op, Op::Create { mode: Mode::Persistent, .. } | Op::Set { .. }) {
                    0
                } else {
                    session
                },
                children: 0,
                children_changed: 0,
            };
            let node = match op {
                Op::Create { data, .. } => Some(Node { data: data.clone(), stat }),
                Op::Set { data, .. } => {
                    // A set keeps the owner of an ephemeral node; the only one that is set here is this instance's own.
                    let owner = if matches!(key, Key::Instance(_)) { session } else { 0 };
                    Some(Node { data: data.clone(), stat: Stat { owner, ..stat } })
                }
                Op::Delete { .. } => None,
                Op::Check { .. } => continue,
            };
            let job = &mut self.jobs[index];
            if let Some(item) = super::job::item_of(&key) {
                job.item_mut(item).touched = touched;
            } else {
                job.touched = touched;
            }
            job.put(touched, &key, node.as_ref());
            if key == Key::Epoch {
                // This instance wrote the owners as well.
                job.epoch = job.mirror.epoch;
                job.plan_read = touched;
            }
        }
        self.touch(index);
    }
}

/// Whether the job's settings can be worked with.
fn job_is_usable(job: &super::job::Job) -> bool {
    job.effective.is_some()
}

/// Adds what makes this instance a member: its server, its instance node, the flag that asks for a plan.
fn register(builder: &mut Builder<'_>) {
    let core = builder.core;
    let job = &core.jobs[builder.index];
    let session = core.session.map(|terms| terms.session);
    let (ip, layout) = (core.me.ip().to_owned(), job.mirror.layout);
    let disabled = job.effective.as_ref().is_some_and(|effective| effective.settings.disabled);
    // A server node that is there keeps what an operator wrote into it; Java would enable it again at every start.
    match job.mirror.servers.get(&ip) {
        None => builder.create(&Key::Server(ip), layout.server(disabled)),
        // A blank one says nothing in 3.x, and Java polls it until it does.
        Some(server) if layout == Layout::V3 && server.data.is_empty() => {
            let path = builder.path(&Key::Server(ip));
            builder.ops.push(Op::set(path, layout.server(disabled)));
        }
        Some(_) => {}
    }
    let instance = layout.instance(&core.me);
    match job.mirror.instances.get(&core.me) {
        Some(node) if Some(node.stat.owner) == session => {}
        Some(_) => {
            builder.delete(&Key::Instance(core.me.clone()));
            builder.create_ephemeral(&Key::Instance(core.me.clone()), instance);
        }
        None => builder.create_ephemeral(&Key::Instance(core.me.clone()), instance),
    }
    let stays = job.effective.as_ref().is_some_and(|effective| effective.settings.static_sharding)
        && !job.mirror.items.is_empty();
    // In 3.x the leader sees the instance come, and raises the flag itself.
    if layout == Layout::V2 && !stays && !job.mirror.necessary {
        builder.create(&Key::Necessary, Bytes::new());
    }
}

/// Local settings with the class that is registered, when the local ones name none.
fn with_class(local: &JobSettings, registered: Option<String>) -> JobSettings {
    let mut settings = local.clone();
    if settings.class == settings.name.as_str()
        && let Some(class) = registered
    {
        settings.class = class;
    }
    settings
}

/// What Curator orders a latch's queue by.
fn latch_order(name: &str) -> &str {
    name.rsplit_once("latch-").map_or(name, |(_, number)| number)
}
