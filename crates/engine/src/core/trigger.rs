//! Manual triggers: from the text `TRIGGER` in an instance node, or in 3.x from a `trigger/{id}`, to a fire of each of the
//! instance's items.
//!
//! # What becomes of it
//! | the item | its fire |
//! |---|---|
//! | is free | runs at once |
//! | is busy | waits in the cursor, and runs as soon as the item is free, here or at its next owner |
//! | is busy, and another trigger waits already | that one is coalesced into this one |
//! | was taken away from the job while one waited | is skipped, with the reason |
//! | is disabled, or the job is paused, drained, or disabled here | is skipped, with the reason |
//!
//! A trigger is first put into the cursors of all items, with the outcomes that it causes, and only then is its node reset or
//! deleted; so a crash in between repeats a step instead of losing one. An instance that leaves takes the trigger first: its node
//! goes with it, while the cursors stay for the next owners.

use super::change::CursorChange;
use super::claim::CLAIM_BATCH;
use super::effective::Effective;
use super::group::{Builder, Step};
use super::job::{Local, Phase};
use super::{Mutation, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::{CursorNode, TriggerNode};
use clockwright_fleet::write::Write;
use clockwright_model::{Fire, Item, Outcome, Reason, Settlement, Source};

/// What a trigger needs of one item.
enum Share {
    /// Nothing: it is not ours, or it has the trigger already.
    None,
    /// Its cursor is to be changed so.
    Change(CursorChange),
    /// It is not clear yet what its cursor says.
    Wait,
}

impl Turn<'_> {
    /// The trigger that waits in our node and can be taken now.
    pub(super) fn waiting_trigger(&self) -> Option<TriggerNode> {
        let job = &*self.job;
        let node = job.mirror.trigger(&self.us.me).filter(|_| job.registered)?;
        // With every host disabled nobody leads, and a plan that somebody asked for is not made.
        let nobody = job.off.is_some() && job.mirror.available().is_empty();
        let rests = job.op.is_some()
            || job.effective.is_none()
            || !self.us.may_claim(self.now)
            || self.claims_rest()
            || job.phase != Phase::Active
            || job.plan_is_stale()
            || ((job.mirror.processing.is_some() || job.mirror.necessary) && !nobody);
        (!rests).then_some(node)
    }

    /// Takes a trigger from its node: it is put into the cursor of each of our items, then the node is reset.
    pub(super) fn take_trigger(&mut self, effective: &Effective) {
        let Some(node) = self.waiting_trigger() else { return };
        if self.may_be_on_again(&node) {
            return;
        }
        if self.job.triggered.0 != node.transaction {
            self.job.triggered = (node.transaction, Vec::new());
        }
        let trigger = Fire::Trigger { at: node.at, id: format!("{:x}", node.transaction) };
        let mut changes = Vec::new();
        for item in 0..self.job.count() {
            match self.share(item, &trigger, effective) {
                Share::None => {}
                Share::Change(change) => changes.push(change),
                Share::Wait => return,
            }
            if changes.len() >= CLAIM_BATCH {
                break;
            }
        }
        if changes.is_empty() {
            if self.coordination_rests() {
                return;
            }
            let reset = match self.job.mirror.layout {
                Layout::V2 => Write::set_if(Key::Instance(self.us.me.clone()), Bytes::new(), node.version),
                Layout::V3 => Write::delete(Key::Trigger(self.us.me.clone())),
            };
            // Who has heard nothing of a new plan, or of another count, does not know all of its items.
            let mut builder = Builder::new(self.us, self.job);
            builder.check_plan();
            builder.check_settings();
            builder.push(reset);
            let group = builder.build();
            self.coordinate_with(Step::Other, group);
            return;
        }
        self.send_shares(changes);
    }

    /// Who asks for a fire may lift what holds the job in the same commit, and hints of one commit come one by one. So what holds it is
    /// read once more before a fire is refused for it; true until that was done.
    fn may_be_on_again(&mut self, node: &TriggerNode) -> bool {
        if self.job.off.is_none() {
            return false;
        }
        if self.job.plan_reading.is_none() && self.job.off_read != node.transaction {
            self.job.off_read = node.transaction;
            self.read_plan_again();
        }
        self.job.plan_reading.is_some()
    }

    fn share(&mut self, item: Item, trigger: &Fire, effective: &Effective) -> Share {
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item).filter(|nodes| nodes.owner.is_some()) else {
            self.skip_unshared(item, trigger);
            return Share::None;
        };
        let taken = nodes.taken.as_ref().is_some_and(|taker| *taker != self.us.me);
        if !job.owns(item, &self.us.me) {
            return Share::None;
        }
        if taken {
            // Its cursor is in other hands until what was left of it has run again.
            return Share::Wait;
        }
        let state = &job.items[item as usize];
        if state.is_advancing || matches!(state.local, Local::Claiming) {
            // It may be on its way into the cursor, and not arrive there.
            return Share::Wait;
        }
        if job.triggered.1.contains(&item) {
            return Share::None;
        }
        if matches!(state.local, Local::Ended { .. }) || !(state.was_mine || nodes.disabled) {
            return Share::Wait;
        }
        if matches!(nodes.cursor, CursorNode::Unread) {
            if state.reading.is_none() {
                self.read_items(&[item]);
            }
            return Share::Wait;
        }
        let held = nodes.cursor.held();
        if let (CursorNode::Damaged { .. }, Some(reason)) = (&nodes.cursor, &held) {
            // It is left as it is, so it cannot carry the outcome.
            let skipped = self.never_ran(item, trigger.clone(), Outcome::Skipped { reason: reason.clone() });
            self.job.triggered.1.push(item);
            self.settle(skipped);
            return Share::None;
        }
        if held.is_none() && self.is_held(item) {
            return Share::Wait;
        }
        let off = job.off.clone().or_else(|| nodes.disabled.then_some(Reason::ItemDisabled {})).or(held);
        let (mut cursor, version) = self.base_cursor(item, effective);
        let settlements = match off {
            Some(reason) => vec![self.never_ran(item, trigger.clone(), Outcome::Skipped { reason })],
            None => {
                // One that is put in once more, since the answer to the first time was unclear, is no other one.
                let before = cursor.pending.replace(trigger.clone()).filter(|before| before != trigger);
                let before = before.filter(|_| !self.us.mutated(Mutation::WaitingTriggerIsDropped));
                let into = Outcome::Coalesced { into: trigger.clone() };
                before.into_iter().map(|before| self.never_ran(item, before, into.clone())).collect()
            }
        };
        Share::Change(CursorChange::new(item, cursor, version).telling(settlements))
    }

    /// The fire of an item that was never shared out, since the job was disabled from the beginning, is skipped. There is no
    /// cursor to carry that; each instance puts it on record, under the same key.
    fn skip_unshared(&mut self, item: Item, trigger: &Fire) {
        let Some(reason) = self.job.off.clone() else { return };
        if self.job.mirror.available().is_empty() && !self.job.triggered.1.contains(&item) {
            self.job.triggered.1.push(item);
            let skipped = self.never_ran(item, trigger.clone(), Outcome::Skipped { reason });
            self.settle(skipped);
        }
    }

    /// The outcome of a trigger's fire that no run came of.
    pub(super) fn never_ran(&self, item: Item, fire: Fire, outcome: Outcome) -> Settlement {
        Settlement { fire, outcome, source: Source::Trigger, ..self.blank(item) }
    }

    fn send_shares(&mut self, changes: Vec<CursorChange>) {
        for change in &changes {
            self.job.triggered.1.push(change.item);
        }
        self.advance(changes, true);
    }
}
