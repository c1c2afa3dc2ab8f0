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

use super::job::{Job, Latch, LatchKind, Phase};
use super::trouble::Doing;
use super::us::Us;
use super::{Mutation, Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::Cursor;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::ItemNodes;
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
    pub(super) us: &'a Us,
    pub(super) job: &'a Job,
    made: BTreeSet<Key>,
    pub(super) ops: Vec<Op>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(us: &'a Us, job: &'a Job) -> Self {
        Self { us, job, made: BTreeSet::new(), ops: Vec::new() }
    }

    pub(super) fn path(&self, key: &Key) -> Path {
        self.us.keys.of(&self.job.name, key)
    }

    /// Creates the parents of a node as far as they are not known to exist.
    pub(super) fn parents(&mut self, key: &Key) {
        for parent in ancestors(key) {
            if !self.job.mirror.parents.contains(parent) && self.made.insert(parent.clone()) {
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
        match &self.job.mirror.root {
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

impl Turn<'_> {
    /// Decides what is missing in one job and starts it.
    pub(super) fn decide(&mut self) {
        if self.us.session.is_none() {
            return;
        }
        let job = &*self.job;
        if !job.is_loaded {
            if job.loading.is_none() {
                if self.now.mono >= job.op_after {
                    self.load();
                } else {
                    let at = job.op_after;
                    self.wake_at_mono(at);
                }
            }
            return;
        }
        self.tell_layout();
        self.notice_shutdown_command();
        self.read_plan();
        self.look_for_foreign_peers();
        self.miss_java();
        self.track_off();
        self.coordinate();
        self.failover();
        self.fire();
        self.wind_down();
        self.drop_outdated_cursors();
    }

    /// Tells once when a job is not of the layout that was asked for, or is to be made beside jobs of the other one.
    fn tell_layout(&mut self) {
        let job = &mut *self.job;
        let (Some(asked), false) = (self.us.options.layout, job.layout_told) else { return };
        let found = job.mirror.config.as_ref().and_then(|(data, _)| Layout::of(data));
        if let Some(found) = found.filter(|found| *found != asked) {
            job.layout_told = true;
            let text = format!(
                "its nodes are in the layout of Elastic-Job {found}, and stay so; {asked} was asked for. A job changes its layout only by being removed, while no instance serves it"
            );
            self.tell(true, text);
        } else if let Some(others) = self.us.others.filter(|others| *others != asked && found.is_none()) {
            job.layout_told = true;
            let text = format!(
                "it is new, and made in the layout of Elastic-Job {asked} as asked, though others of the namespace are in that of {others}: Java consoles of either can read only their own"
            );
            self.tell(true, text);
        }
    }

    /// Asks about instances that seem to hold no lease. Instance and lease nodes are read at different times, so one of ours
    /// that comes or goes looks foreign for a moment. It is foreign when its lease is not there while the instance that was
    /// seen before still is.
    fn look_for_foreign_peers(&mut self) {
        let job = &mut *self.job;
        if job.mirror.instances.keys().all(|id| self.us.leases.contains_key(id)) {
            return;
        }
        let present: BTreeSet<i64> = job.mirror.instances.values().map(|node| node.stat.created).collect();
        job.foreign.retain(|created, _| present.contains(created));
        let mut asked = Vec::new();
        for (id, node) in &job.mirror.instances {
            if !self.us.leases.contains_key(id) && !job.foreign.contains_key(&node.stat.created) {
                asked.push((id.clone(), node.stat.created));
            }
        }
        for (id, created) in asked {
            self.job.foreign.insert(created, false);
            let paths = vec![self.us.keys.lease(&id), self.path(&Key::Instance(id))];
            self.us.read(paths);
        }
    }

    /// One coordination step at a time, the first that is missing.
    fn coordinate(&mut self) {
        let job = &*self.job;
        if job.op.is_some() {
            return;
        }
        if self.now.mono < job.op_after {
            let at = job.op_after;
            self.wake_at_mono(at);
            return;
        }
        if job.plan.is_some() {
            self.continue_plan();
        } else if let Some(stray) = self.stray_latch().or_else(|| self.stray_processing()) {
            let path = self.path(&stray);
            self.coordinate_with(StepKind::Other, vec![Op::delete(path)]);
        } else if self.us.leaving || job.phase != Phase::Active {
            if self.waiting_trigger().is_none() {
                self.leave();
            }
        } else if !self.configure() && self.job.effective.is_some() {
            self.join_and_lead();
        }
    }

    /// A place of ours at a latch that we do not wait at any more: the commit that was to leave it failed. Java peers would
    /// queue behind it for as long as our session lives.
    fn stray_latch(&self) -> Option<Key> {
        if self.us.mutated(Mutation::LatchNeverReleased) {
            return None;
        }
        let job = &*self.job;
        let session = self.us.session.map(|terms| terms.session)?;
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
    fn stray_processing(&self) -> Option<Key> {
        let job = &*self.job;
        let session = self.us.session.map(|terms| terms.session)?;
        (job.mirror.processing == Some(session) && !self.us.leads(job)).then_some(Key::Processing)
    }

    fn coordinate_with(&mut self, kind: StepKind, ops: Vec<Op>) {
        if ops.is_empty() {
            return;
        }
        let id = self.commit(Purpose::Coordinate(Step { kind, ops: ops.clone() }), ops);
        self.job.op = Some(id);
    }

    /// Starts another coordination commit on behalf of failover.
    pub(super) fn coordinate_other(&mut self, ops: Vec<Op>) {
        self.coordinate_with(StepKind::Other, ops);
    }

    /// Writes the config node if it is missing, empty, or to be overwritten; true when it did.
    fn configure(&mut self) -> bool {
        let job = &*self.job;
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
                self.job.degraded = Some(reason.clone());
                self.tell(true, reason);
            }
            return true;
        }
        let mut builder = Builder::new(self.us, self.job);
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
        self.coordinate_with(StepKind::Other, ops);
        true
    }

    fn join_and_lead(&mut self) {
        let job = &*self.job;
        let enabled = job.mirror.server_enabled(self.us.me.ip());
        let latched = matches!(job.latch, Some(Latch { kind: LatchKind::Election, .. }));
        if latched || (job.mirror.leader.is_none() && enabled && job.latch.is_none()) {
            self.elect();
        } else if !job.registered {
            let mut builder = Builder::new(self.us, self.job);
            register(&mut builder);
            let ops = builder.ops;
            if ops.is_empty() {
                self.job.registered = true;
                self.touch();
            } else {
                self.coordinate_with(StepKind::Join, ops);
            }
        } else if self.us.leads(job) {
            if enabled { self.lead() } else { self.abdicate() }
        } else {
            self.follow();
        }
    }

    /// Queues at the election's latch, or takes leadership when it is this instance's turn.
    fn elect(&mut self) {
        if !self.queue_at_latch(LatchKind::Election) {
            return;
        }
        let job = &*self.job;
        let Some(name) = job.latch.as_ref().and_then(|latch| latch.name.clone()) else { return };
        let mut builder = Builder::new(self.us, self.job);
        if job.mirror.leader.is_none() {
            builder.create_ephemeral(&Key::ElectionInstance, self.us.me.as_str().to_owned());
        }
        if !self.us.mutated(Mutation::LatchNeverReleased) {
            builder.delete(&Key::ElectionLatchNode(name));
        }
        if !job.registered {
            register(&mut builder);
        }
        let ops = builder.ops;
        self.coordinate_with(StepKind::Join, ops);
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
            builder.parents(&node(&prefix));
            let path = builder.path(&node(&prefix));
            builder.ops.push(Op::Create { path, data: Bytes::new(), mode: Mode::EphemeralSequential });
            let ops = builder.ops;
            self.job.latch = Some(Latch { kind, prefix, name: None, listed: false, since: self.now.mono });
            self.coordinate_with(StepKind::Latch, ops);
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
    fn abdicate(&mut self) {
        let mut builder = Builder::new(self.us, self.job);
        if !self.job.mirror.necessary {
            builder.create(&Key::Necessary, Bytes::new());
        }
        builder.delete(&Key::ElectionInstance);
        let ops = builder.ops;
        self.coordinate_with(StepKind::Other, ops);
    }

    /// What a member does that does not lead: under a leader of the other kind, it raises Java's flag.
    fn follow(&mut self) {
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

    /// What the leader does: keeps the plan right, and removes items that the job no longer has.
    fn lead(&mut self) {
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

    /// Whether the owners differ from what the strategy says, or somebody asks for a plan.
    fn plan_is_due(&self) -> bool {
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

    fn begin_plan(&mut self) {
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
            let (hash, rule) = job
                .effective
                .as_ref()
                .map_or((0, None), |effective| (effective.schedule_hash, Some(effective.rule.clone())));
            let cursor = Cursor::starting(self.now.wall, hash, rule);
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

    /// Sends the next batch of the plan under way.
    fn continue_plan(&mut self) {
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
    fn owner_batches(&self) -> VecDeque<Vec<Op>> {
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

    /// Deletes requests to fire of instances that are gone. Java leaves them, and would not act on another one beside them.
    fn remove_dead_triggers(&mut self) {
        let job = &*self.job;
        let gone =
            |id: &&InstanceId| !self.us.leases.contains_key(*id) && !job.mirror.instances.contains_key(*id);
        let ops: Vec<Op> = (job.mirror.triggers.keys().filter(gone))
            .map(|id| Op::delete(self.path(&Key::Trigger(id.clone()))))
            .collect();
        if job.op.is_none() {
            self.coordinate_with(StepKind::Other, ops);
        }
    }

    /// Deletes the nodes of items beyond the count, once nothing of them runs.
    fn remove_surplus_items(&mut self) {
        let job = &*self.job;
        let surplus = |item: &Item| {
            let Some(nodes) = job.mirror.item(*item) else { return false };
            let runs = nodes.cursor.cursor().and_then(|cursor| cursor.running());
            nodes.exists
                && nodes.running.as_ref().is_none_or(|mark| self.is_left(mark))
                && !runs.is_some_and(|claim| self.us.alive(&claim.owner, claim.session))
        };
        let items: Vec<Item> =
            (job.count()..job.mirror.items.len() as Item).filter(surplus).take(PLAN_BATCH / 4).collect();
        let waiting: Vec<Item> = (job.count()..job.mirror.items.len() as Item)
            .filter(|item| !surplus(item) && job.mirror.items[*item as usize].exists)
            .collect();
        for item in waiting {
            self.watch_item(item);
        }
        let items: Vec<Item> = items.into_iter().filter(|item| self.wind_up(*item)).collect();
        let job = &*self.job;
        let marks: Vec<Item> =
            job.mirror.failover_items.range(job.count()..).map(|(item, _)| *item).collect();
        if items.is_empty() && marks.is_empty() {
            return;
        }
        let mut builder = Builder::new(self.us, self.job);
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
        self.job.op_after = self.now.mono;
        self.coordinate_with(StepKind::Other, ops);
    }

    /// Elastic-Job's shutdown command: somebody deleted our instance node while our session was unbroken.
    fn notice_shutdown_command(&mut self) {
        let session = self.us.session.map(|terms| terms.session);
        let job = &mut *self.job;
        let present =
            job.mirror.instances.get(&self.us.me).is_some_and(|node| Some(node.stat.owner) == session);
        if present {
            job.registered = true;
        } else if job.registered && job.phase == Phase::Active && job.op.is_none() && !self.us.leaving {
            job.phase = Phase::ShutDown;
            job.registered = false;
            let text = "its instance node was deleted: shut down by command, it starts nothing more here";
            self.tell(true, text.into());
        }
    }

    /// Gives the job up: leadership and membership. Items that run go on and are completed; their next owners wait for them.
    fn leave(&mut self) {
        let session = self.us.session.map(|terms| terms.session);
        let job = &*self.job;
        let node = job.mirror.instances.get(&self.us.me).filter(|node| Some(node.stat.owner) == session);
        let mut builder = Builder::new(self.us, self.job);
        if let Some(Latch { name: Some(name), kind, .. }) = &job.latch {
            builder.delete(&match kind {
                LatchKind::Election => Key::ElectionLatchNode(name.clone()),
                LatchKind::Failover(_) => Key::FailoverLatchNode(name.clone()),
            });
        }
        if job.phase == Phase::ShutDown && self.us.leads(job) && !job.mirror.necessary {
            builder.create(&Key::Necessary, Bytes::new());
        }
        if self.us.leads(job) {
            builder.delete(&Key::ElectionInstance);
        }
        if let Some(node) = node {
            // Not if a trigger came meanwhile: it would go with the node.
            let path = builder.path(&Key::Instance(self.us.me.clone()));
            builder.ops.push(Op::Delete { path, version: Some(node.stat.version) });
        }
        if job.mirror.triggers.contains_key(&self.us.me) {
            builder.delete(&Key::Trigger(self.us.me.clone()));
        }
        let ops = builder.ops;
        if ops.is_empty() {
            if self.us.leaving {
                self.job.phase = Phase::Left;
            }
        } else {
            self.coordinate_with(StepKind::Leave, ops);
        }
    }

    /// What became of a coordination commit.
    pub(super) fn coordinated(&mut self, step: Step, result: Result<Commit, Error>) {
        self.job.op = None;
        match result {
            Ok(commit) => {
                self.accepted(Doing::Coordinate);
                self.apply(&step.ops, &commit);
                self.after_step(step.kind, &commit);
            }
            Err(error) => {
                let unclear = error.is_unknown();
                self.job.plan = None;
                if let (StepKind::Latch, false) = (step.kind, unclear) {
                    self.job.latch = None;
                }
                if !unclear && !matches!(error, Error::Conflict { .. }) {
                    self.job.op_after = self.refused(Doing::Coordinate, &error);
                    return;
                }
                if unclear {
                    self.tell(true, format!("coordination is tried again: {error}"));
                }
                self.job.op_after = self.now.mono + REST;
                self.load();
            }
        }
    }

    fn after_step(&mut self, kind: StepKind, commit: &Commit) {
        match kind {
            StepKind::Latch => {
                let created = commit.results.iter().rev().find_map(|result| match result {
                    OpResult::Created(path) => Some(path.name().to_owned()),
                    _ => None,
                });
                let root = match self.job.latch.as_mut() {
                    Some(latch) => {
                        latch.name = created;
                        latch.since = self.now.mono;
                        match latch.kind {
                            LatchKind::Election => Key::ElectionLatch,
                            LatchKind::Failover(_) => Key::FailoverLatch,
                        }
                    }
                    None => return,
                };
                let id = self.us.next();
                let root = self.path(&root);
                self.us.out.push(super::Effect::Tree { id, root });
            }
            StepKind::Join => {
                self.job.latch = None;
                self.job.registered = true;
                if self.leads() {
                    // A new leader trusts nothing that it saw while somebody else led.
                    self.load();
                }
            }
            StepKind::Leave => {
                self.job.latch = None;
                if self.us.leaving {
                    self.job.phase = Phase::Left;
                }
            }
            StepKind::Plan => self.continue_plan(),
            StepKind::Other => {}
        }
    }

    /// Takes the effects of an own commit into the mirror, so that nobody has to wait for the hints about them.
    pub(super) fn apply(&mut self, ops: &[Op], commit: &Commit) {
        let session = self.us.session_id();
        let touched = self.us.next();
        for (op, result) in ops.iter().zip(&commit.results) {
            let path = if let OpResult::Created(path) = result { path } else { op.path() };
            let Some((_, key)) = self.us.keys.parse(path) else { continue };
            let stat = Stat {
                version: if let OpResult::Set { version } = result { *version } else { 0 },
                created: commit.transaction,
                modified: commit.transaction,
                created_at: self.now.wall,
                modified_at: self.now.wall,
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
            let job = &mut *self.job;
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
        self.touch();
    }
}

/// Adds what makes this instance a member: its server, its instance node, the flag that asks for a plan.
fn register(builder: &mut Builder<'_>) {
    let (us, job) = (builder.us, builder.job);
    let session = us.session.map(|terms| terms.session);
    let (ip, layout) = (us.me.ip().to_owned(), job.mirror.layout);
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
    let instance = layout.instance(&us.me);
    match job.mirror.instances.get(&us.me) {
        Some(node) if Some(node.stat.owner) == session => {}
        Some(_) => {
            builder.delete(&Key::Instance(us.me.clone()));
            builder.create_ephemeral(&Key::Instance(us.me.clone()), instance);
        }
        None => builder.create_ephemeral(&Key::Instance(us.me.clone()), instance),
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
