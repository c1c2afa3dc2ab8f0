//! Changes of cursors: what is to be written, with whatever else has to change or hold with it, and what follows once it is.
//!
//! Each change of an item's cursor is made by one conditional write, with the version that it was decided by, so that of two changes
//! one is carried out. A change that begins a run is a *claim*, whose life [`claim`](super::claim) tells; any other one only *advances*
//! the cursor: over instants that get outcomes without a run, a trigger that comes to wait, or a claim whose owner is lost.

use super::effective::Effective;
use super::group::{Builder, Group};
use super::job::Local;
use super::trouble::Doing;
use super::{Mutation, Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::{Claim, Cursor};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::ItemNodes;
use clockwright_fleet::write::Write;
use clockwright_model::{FailureKind, InstanceId, Item, Outcome, Reason, Settlement};
use clockwright_planner::lifecycle::{Event, State};
use clockwright_registry::{Commit, Error};

/// One item's part of a claim, or of a commit that advances cursors.
pub(super) struct CursorChange {
    pub(super) item: Item,
    /// The cursor to be written.
    pub(super) cursor: Box<Cursor>,
    /// The version it replaces; `None`: there is none yet.
    pub(super) version: Option<i32>,
    /// What is on record once it is written.
    pub(super) settlements: Vec<Settlement>,
    /// The dead process whose lease must be gone.
    pub(super) dead: Option<InstanceId>,
    pub(super) kind: Kind,
}

/// What a change means for the marks of its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing but what it says.
    Plain,
    /// The item is taken over: `sharding/{i}/failover` is made, its mark is deleted.
    TakesOver,
    /// The open claim is given up. Others would wait for its marks, so those of ours and of the dead are deleted.
    GivesUp,
    /// The item is held, since the job has it by the settings that are known here and its cursor does not say what it should.
    Holds,
}

impl CursorChange {
    pub(super) fn new(item: Item, cursor: Box<Cursor>, version: Option<i32>) -> Self {
        Self { item, cursor, version, settlements: Vec::new(), dead: None, kind: Kind::Plain }
    }

    pub(super) fn taking_over(self, dead: Option<InstanceId>) -> Self {
        Self { dead, kind: Kind::TakesOver, ..self }
    }

    pub(super) fn telling(self, settlements: Vec<Settlement>) -> Self {
        Self { settlements, ..self }
    }
}

/// The outcome of a fire whose owner is lost.
pub(super) fn owner_lost(reason: Reason) -> Outcome {
    Outcome::Failed { kind: FailureKind::OwnerLost, reason }
}

/// What follows once a change is carried out.
pub(super) struct Consequence {
    pub(super) item: Item,
    /// What is on record then.
    settlements: Vec<Settlement>,
    /// The attempt that it passes over, whose instance can no longer end its record, and why.
    lost: Option<(Claim, Reason)>,
    /// The item is taken over.
    pub(super) taken: bool,
}

impl Turn<'_> {
    /// The change of a cursor that ends its open claim, of which nothing runs.
    pub(super) fn give_up(
        &self,
        item: Item,
        mut cursor: Box<Cursor>,
        version: Option<i32>,
        outcome: Outcome,
    ) -> CursorChange {
        let (mut settlements, mut dead) = (Vec::new(), None);
        if let Some(claim) = &mut cursor.run {
            settlements.push(self.settlement(item, claim, outcome.clone(), Some(claim.at)));
            claim.outcome = Some(outcome);
            let gone = claim.owner != self.us.me && !self.us.leases.contains_key(&claim.owner);
            dead = gone.then(|| claim.owner.clone());
        }
        CursorChange { item, cursor, version, settlements, dead, kind: Kind::GivesUp }
    }

    /// Sees to it that a change loses no outcome that the cursor before it told, nor the record of an attempt that it passes over.
    pub(super) fn carry(&mut self, change: &mut CursorChange) {
        self.record_inherited(change.item);
        self.job.item_mut(change.item).keep(self.us.stored, &mut change.cursor, &change.settlements);
    }

    /// Takes a change apart into what is written and what follows.
    pub(super) fn write(&self, builder: &mut Builder<'_>, change: CursorChange) -> Consequence {
        let CursorChange { item, cursor, version, settlements, dead, kind } = change;
        if let Some(dead) = &dead {
            builder.is_dead(dead);
        }
        let lost = self.open_claim_of_another(item).and_then(|lost| {
            let run = cursor.run.as_ref()?;
            let reason = match run.outcome.as_ref() {
                None if run.run_id == lost.run_id => return None,
                None => Reason::OwnerDied { owner: lost.owner.to_string() },
                Some(Outcome::Failed { reason, .. }) => reason.clone(),
                Some(_) => return None,
            };
            Some((lost, reason))
        });
        builder.push(Write::cursor(item, cursor, version));
        Consequence { item, settlements, lost, taken: kind == Kind::TakesOver }
    }

    /// Puts on record what follows from a change that was carried out.
    pub(super) fn record_consequence(&mut self, consequence: Consequence) {
        if let Some((lost, reason)) = &consequence.lost {
            self.record_lost(consequence.item, lost, reason);
        }
        for settlement in consequence.settlements {
            self.settle(settlement);
        }
    }

    /// The claims of a group, taken apart. They are all takeovers, or none is. `latch`: the node in the latch's queue that is left.
    pub(super) fn write_claims(
        &self,
        effective: &Effective,
        changes: Vec<CursorChange>,
        latch: Option<String>,
    ) -> (Group, Vec<Consequence>) {
        let mut builder = Builder::new(self.us, self.job);
        let takes_over = changes.iter().any(|change| change.kind == Kind::TakesOver);
        if !takes_over && !self.us.mutated(Mutation::ClaimIgnoresPlan) {
            builder.check_plan();
        }
        if effective.settings.max_time_diff_seconds >= 0 {
            // As Java instances do; ours compare the clocks elsewhere, see `time`.
            builder.put(self.job.mirror.current_time, Key::CurrentTime, Bytes::new());
        }
        let mut consequences = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(nodes) = self.job.mirror.item(change.item) else { continue };
            self.write_takeover_marks(&mut builder, &change, nodes);
            if nodes.misfire {
                builder.delete(Key::Misfire(change.item));
            }
            let item = change.item;
            consequences.push(self.write(&mut builder, change));
            if effective.settings.monitor_execution {
                self.write_running(&mut builder, item, nodes, effective.settings.failover);
            }
        }
        if let Some(latch) = latch {
            builder.delete(Key::FailoverLatchNode(latch));
        }
        (builder.build(), consequences)
    }

    fn write_takeover_marks(&self, builder: &mut Builder<'_>, change: &CursorChange, nodes: &ItemNodes) {
        if change.kind != Kind::TakesOver || nodes.taken.is_some() {
            return;
        }
        let (item, me) = (change.item, self.us.me.as_str());
        builder.create_ephemeral(Key::Taken(item), me.to_owned());
        if self.job.mirror.layout == Layout::V3 {
            builder.put(nodes.failovering.is_some(), Key::Failovering(item), me.to_owned());
        }
        builder.delete(Key::FailoverItem(item));
    }

    /// Java's mark that an item runs, unless ours is up from the attempt before.
    fn write_running(&self, builder: &mut Builder<'_>, item: Item, nodes: &ItemNodes, failover: bool) {
        if let Some(mark) = &nodes.running {
            if mark.is_of(&self.us.me, self.us.session_id()) {
                return;
            }
            if mark.session == 0 {
                // Of the dead owner that this claim passes over.
                builder.delete(Key::Running(item));
            }
        }
        let me = self.us.me.as_str();
        match self.job.mirror.layout {
            Layout::V2 => builder.create_ephemeral(Key::Running(item), Bytes::new()),
            Layout::V3 if failover => builder.create(Key::Running(item), me.to_owned()),
            Layout::V3 => builder.create_ephemeral(Key::Running(item), me.to_owned()),
        }
    }

    /// Adds the deletion of an item's marks that are ours, or that a dead one left, when nothing of it runs any more.
    pub(super) fn lower_marks(&self, writes: &mut Vec<Write>, item: Item) {
        let Some(nodes) = self.job.mirror.item(item) else { return };
        let (me, session) = (&self.us.me, self.us.session_id());
        if nodes.running.as_ref().is_some_and(|mark| mark.is_of(me, session) || self.is_left(mark)) {
            writes.push(Write::delete(Key::Running(item)));
        }
        if nodes.taken.as_ref() == Some(me) {
            writes.push(Write::delete(Key::Taken(item)));
        }
        if nodes.failovering.as_ref() == Some(me) {
            writes.push(Write::delete(Key::Failovering(item)));
        }
    }

    /// Adds the deletion of what asks for somebody to take an item over whose claim is given up; and in 3.x of the mark of a dead process
    /// that had taken it, which would be taken for what a Java instance has left.
    fn lower_marks_of_orphan(&self, builder: &mut Builder<'_>, item: Item) {
        if self.job.mirror.failover_items.contains_key(&item) {
            builder.delete(Key::FailoverItem(item));
        }
        let mark = self.job.mirror.item(item).and_then(|nodes| nodes.failovering.as_ref());
        if mark.is_some_and(|taker| !self.is_there(taker)) {
            builder.delete(Key::Failovering(item));
        }
    }

    /// Advances cursors, each by itself.
    pub(super) fn advance_each(&mut self, changes: Vec<CursorChange>) {
        for change in changes {
            self.advance(vec![change], true);
        }
    }

    /// Advances cursors, all or none; `by_plan`: only if the plan is the one that is known here.
    pub(super) fn advance(&mut self, mut changes: Vec<CursorChange>, by_plan: bool) {
        for change in &mut changes {
            self.carry(change);
            let from = self.job.life(change.item);
            let state = self.job.item_mut(change.item);
            if matches!(state.local, Local::Idle) {
                state.local = Local::Claiming;
                self.job.stepped(change.item, from, Event::Write);
            } else {
                state.is_advancing = true;
            }
        }
        let mut builder = Builder::new(self.us, self.job);
        if by_plan {
            builder.check_plan();
        }
        let mut consequences = Vec::with_capacity(changes.len());
        for change in changes {
            let (item, kind) = (change.item, change.kind);
            consequences.push(self.write(&mut builder, change));
            if kind == Kind::GivesUp {
                self.lower_marks(&mut builder.group.writes, item);
                self.lower_marks_of_orphan(&mut builder, item);
            }
            if kind == Kind::Holds {
                builder.check_settings();
            }
        }
        let group = builder.build();
        self.commit(Purpose::Advance(consequences), group);
    }

    /// What became of cursors that were to be advanced.
    pub(super) fn advanced(
        &mut self,
        consequences: Vec<Consequence>,
        writes: Vec<Write>,
        result: Result<Commit, Error>,
    ) {
        let commit = match result {
            Ok(commit) => commit,
            Err(error) => return self.not_advanced(&consequences, &error),
        };
        self.accepted(Doing::Claim);
        self.take_in(writes, &commit);
        for consequence in consequences {
            let version = self.job.mirror.item(consequence.item).and_then(|nodes| nodes.cursor.version());
            let state = self.job.item_mut(consequence.item);
            state.is_advancing = false;
            match &mut state.local {
                local @ Local::Claiming => {
                    *local = Local::Idle;
                    self.job.stepped(consequence.item, State::Claiming, Event::WriteDone);
                }
                Local::Running(active) | Local::Backoff { active, .. } | Local::Ended { active, .. } => {
                    active.version = version.unwrap_or(active.version);
                }
                Local::Idle => {}
            }
            self.record_consequence(consequence);
        }
    }

    fn not_advanced(&mut self, consequences: &[Consequence], error: &Error) {
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        for Consequence { item, .. } in consequences {
            self.job.triggered.1.retain(|triggered| triggered != item);
            self.job.mirror.forget_cursor(*item);
            let state = self.job.item_mut(*item);
            state.is_advancing = false;
            if matches!(state.local, Local::Claiming) { idle.push(*item) } else { busy.push(*item) }
        }
        self.read_items(&busy);
        self.not_claimed(&idle, error);
    }
}
