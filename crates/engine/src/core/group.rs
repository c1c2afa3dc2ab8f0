//! One coordination commit: the operations that it is built of, and what is believed once it was carried out.
//!
//! # Failures
//! Any conflict or unclear answer leads to a fresh reading of the whole job and a new decision. Each step is written so that
//! doing it again is right.

use super::job::{Job, LatchKind, Phase};
use super::trouble::Doing;
use super::us::Us;
use super::{Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::keys::Key;
use clockwright_model::Millis;
use clockwright_registry::{Commit, Error, Mode, Node, Op, OpResult, Path, Stat};
use std::collections::BTreeSet;

/// How long coordination of a job rests after a step failed, milliseconds.
const REST: Millis = 50;

/// What a coordination commit is.
pub(crate) struct Step {
    pub(super) kind: StepKind,
    pub(super) ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    Latch,
    Join,
    Leave,
    Plan,
    Other,
    Configure,
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
    pub(super) fn root(&mut self, data: &str) {
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
    pub(super) fn coordinate_with(&mut self, kind: StepKind, ops: Vec<Op>) {
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

    pub(super) fn after_step(&mut self, kind: StepKind, commit: &Commit) {
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
                self.job.registered = false;
                if self.is_leaving() {
                    self.job.phase = Phase::Left;
                }
            }
            StepKind::Plan => self.continue_plan(),
            StepKind::Configure => self.job.has_configured = true,
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
