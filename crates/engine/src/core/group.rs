//! What is committed at once: the changes of a job's nodes, how they become operations of the registry, and how the mirror learns of
//! them.
//!
//! Everything that this engine writes goes this way. A [`Group`] is built of typed [`Write`]s; [`Turn::commit`] encodes them, here and
//! nowhere else, and keeps them until the answer comes; with that [`Turn::take_in`] makes the mirror show what was written. Only then
//! whoever asked for the commit goes on.
//!
//! # Coordination
//! A coordination commit is one step of a job's coordination: one is under way at a time. Any conflict or unclear answer leads to a
//! fresh reading of the whole job and a new decision. Each step is written so that doing it again is right.

use super::job::{Job, LatchKind, Phase, item_of};
use super::trouble::Doing;
use super::us::Us;
use super::{Effect, Pending, Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::Writer;
use clockwright_fleet::write::{Change, Value, Write};
use clockwright_model::{InstanceId, Millis};
use clockwright_registry::{Commit, Error, Mode, OpResult};
use std::collections::BTreeSet;

/// How long coordination of a job rests after a step failed, milliseconds.
const REST: Millis = 50;

/// What a coordination commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Latch,
    Join,
    Leave,
    Plan,
    Other,
    Configure,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) writes: Vec<Write>,
    /// The processes whose leases must be gone.
    pub(super) dead: Vec<InstanceId>,
}

impl From<Write> for Group {
    fn from(write: Write) -> Self {
        vec![write].into()
    }
}

impl From<Vec<Write>> for Group {
    fn from(writes: Vec<Write>) -> Self {
        Self { writes, dead: Vec::new() }
    }
}

/// Builds a group, creating parents that are missing.
pub(super) struct Builder<'a> {
    pub(super) us: &'a Us,
    pub(super) job: &'a Job,
    pub(super) group: Group,
    made: BTreeSet<Key>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(us: &'a Us, job: &'a Job) -> Self {
        Self { us, job, group: Group::default(), made: BTreeSet::new() }
    }

    /// What was built; the next group begins.
    pub(super) fn take(&mut self) -> Group {
        std::mem::take(&mut self.group)
    }

    pub(super) fn build(self) -> Group {
        self.group
    }

    pub(super) fn len(&self) -> usize {
        self.group.writes.len()
    }

    pub(super) fn push(&mut self, write: Write) {
        self.group.writes.push(write);
    }

    /// Creates the parents of a node as far as they are not known to exist.
    fn parents(&mut self, key: &Key) {
        for parent in ancestors(key) {
            if !self.job.mirror.parents.contains(parent) && self.made.insert(parent.clone()) {
                self.push(Write::create(parent.clone(), Bytes::new()));
            }
        }
    }

    pub(super) fn create(&mut self, key: Key, value: impl Into<Value>) {
        self.create_as(key, value.into(), Mode::Persistent);
    }

    pub(super) fn create_ephemeral(&mut self, key: Key, value: impl Into<Value>) {
        self.create_as(key, value.into(), Mode::Ephemeral);
    }

    pub(super) fn create_as(&mut self, key: Key, value: Value, mode: Mode) {
        self.parents(&key);
        self.push(Write { key, change: Change::Create(value, mode) });
    }

    /// Creates a node, or sets it where it is known to be there.
    pub(super) fn put(&mut self, is_there: bool, key: Key, value: impl Into<Value>) {
        if is_there { self.push(Write::set(key, value)) } else { self.create(key, value) }
    }

    /// The job's root node with this data, which is none in 2.x.
    pub(super) fn root(&mut self, data: &str) {
        match &self.job.mirror.root {
            _ if data.is_empty() => {}
            None => {
                self.made.insert(Key::Job);
                self.push(Write::create(Key::Job, data.to_owned()));
            }
            Some(found) if found[..] == *data.as_bytes() => {}
            Some(_) => self.push(Write::set(Key::Job, data.to_owned())),
        }
    }

    pub(super) fn delete(&mut self, key: Key) {
        self.push(Write::delete(key));
    }

    /// Requires that the plan is the one whose owners are known here.
    pub(super) fn check_plan(&mut self) {
        if let Some(epoch) = self.job.epoch {
            self.push(Write::check(Key::Epoch, epoch));
        }
    }

    /// Requires that the settings are those that are known here.
    pub(super) fn check_settings(&mut self) {
        let checked = self.group.writes.iter().any(|write| write.key == Key::Config);
        if let Some((_, stat)) = self.job.mirror.config.as_ref().filter(|_| !checked) {
            self.push(Write::check(Key::Config, stat.version));
        }
    }

    /// Requires that a process holds no lease.
    pub(super) fn is_dead(&mut self, process: &InstanceId) {
        if !self.group.dead.contains(process) {
            self.group.dead.push(process.clone());
        }
    }
}

/// The parents of a node below the namespace, outermost first.
fn ancestors(key: &Key) -> &'static [Key] {
    match key {
        Key::Server(_) => &[Key::Job, Key::Servers],
        Key::Instance(_) => &[Key::Job, Key::Instances],
        Key::Trigger(_) => &[Key::Job, Key::Triggers],
        Key::ElectionInstance | Key::ElectionLatch => &[Key::Job, Key::Leader, Key::Election],
        Key::ElectionLatchNode(_) => &[Key::Job, Key::Leader, Key::Election, Key::ElectionLatch],
        Key::Necessary | Key::Processing | Key::Epoch => &[Key::Job, Key::Leader, Key::Sharding],
        Key::FailoverItem(_) => &[Key::Job, Key::Leader, Key::Failover, Key::FailoverItems],
        Key::FailoverLatchNode(_) => &[Key::Job, Key::Leader, Key::Failover, Key::FailoverLatch],
        Key::Item(_) => &[Key::Job, Key::Items],
        Key::CurrentTime => &[Key::Job, Key::SystemTime],
        _ => &[Key::Job],
    }
}

/// What a commit would have brought whose answer is not known; for [`Mutation::UnknownIsIgnored`](super::Mutation).
pub(super) fn as_if_carried_out(writes: &[Write]) -> Commit {
    let result = |write: &Write| match write.change {
        Change::Set(_, version) => OpResult::Set { version: version.map_or(0, |version| version + 1) },
        _ => OpResult::Checked,
    };
    Commit { transaction: 0, results: writes.iter().map(result).collect() }
}

impl Turn<'_> {
    /// Sends a commit, and keeps what it writes until its answer comes.
    pub(super) fn commit(&mut self, purpose: Purpose, group: Group) -> u64 {
        let Group { writes, dead } = group;
        self.job.wrote = true;
        let us = &mut *self.us;
        let mut ops = Vec::with_capacity(writes.len() + 2 * dead.len());
        ops.extend(writes.iter().map(|write| write.encode(&us.keys, &self.job.name)));
        ops.extend(dead.iter().flat_map(|dead| us.proof_of_death(dead)));
        let id = us.next();
        us.commits.insert(id, Pending { job: self.job.number, purpose, writes });
        us.out.push(Effect::Commit { id, ops });
        id
    }

    /// Takes an own commit into the mirror. Answers to questions that were asked before are older from now on.
    pub(super) fn take_in(&mut self, writes: Vec<Write>, commit: &Commit) {
        let touched = self.us.next();
        let job = &mut *self.job;
        let (mut config, mut plan, mut epoch) = (false, false, false);
        for write in writes.iter().filter(|write| !write.is_check()) {
            match item_of(&write.key) {
                Some(item) => job.item_mut(item).touched = touched,
                // Nothing is decided by the node with the registry's clock.
                None if matches!(write.key, Key::CurrentTime | Key::SystemTime) => {}
                None => job.touched = touched,
            }
            match write.key {
                Key::Cursor(item) => {
                    let state = job.item_mut(item);
                    state.cursor_sequence = touched;
                    state.recorded = commit.transaction;
                }
                Key::Config | Key::Job => config = true,
                Key::Necessary | Key::Owner(_) => plan = true,
                Key::Epoch => epoch = true,
                _ => {}
            }
            job.forget_comparison(&write.key);
        }
        let writer = Writer { session: self.us.session_id(), now: self.now.wall };
        job.mirror.take_in(writes, commit, writer);
        if config {
            // Only the registry says when that was, and since when the schedule counts.
            let path = self.path(&Key::Config);
            self.us.read(vec![path]);
        }
        let job = &mut *self.job;
        if plan {
            job.plans.note(&job.mirror);
        }
        if epoch {
            // This instance wrote the owners as well.
            job.epoch = job.mirror.epoch;
            job.plan_read = touched;
        }
        self.touch();
    }

    /// Starts a step of the job's coordination.
    pub(super) fn coordinate_with(&mut self, step: Step, group: impl Into<Group>) {
        let group = group.into();
        if !group.writes.is_empty() {
            let id = self.commit(Purpose::Coordinate(step), group);
            self.job.op = Some(id);
        }
    }

    /// Whether the job's coordination still rests after a step that failed; it is decided again once that is over.
    pub(super) fn coordination_rests(&mut self) -> bool {
        let until = self.job.op_after;
        let rests = self.now.mono < until;
        if rests {
            self.wake_at_mono(until);
        }
        rests
    }

    /// What became of a step.
    pub(super) fn coordinated(&mut self, step: Step, writes: Vec<Write>, result: Result<Commit, Error>) {
        self.job.op = None;
        match result {
            Ok(commit) => {
                self.accepted(Doing::Coordinate);
                self.take_in(writes, &commit);
                self.after_step(step, &commit);
            }
            Err(error) => {
                let unclear = error.is_unknown();
                self.job.plan = None;
                if let (Step::Latch, false) = (step, unclear) {
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

    fn after_step(&mut self, step: Step, commit: &Commit) {
        match step {
            Step::Latch => {
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
                self.us.out.push(Effect::Tree { id, root });
            }
            Step::Join => {
                self.job.latch = None;
                self.job.registered = true;
                let as_read = !self.job.led && self.job.losses == self.us.lease_losses;
                if self.leads() && !as_read {
                    // A new leader trusts nothing that it saw while somebody else led, or before somebody died.
                    self.load();
                }
            }
            Step::Leave => {
                self.job.latch = None;
                self.job.registered = false;
                if self.is_leaving() {
                    self.job.phase = Phase::Left;
                }
            }
            Step::Plan => {
                self.job.planned = Some((self.now.mono, self.job.mirror.instances.len()));
                self.continue_plan();
            }
            Step::Configure => self.job.has_configured = true,
            Step::Other => {}
        }
    }
}
