//! Manual triggers: from the text `TRIGGER` in an instance node, or in 3.x from a `trigger/{id}`, to a fire of each of the
//! instance's items.
//!
//! A trigger is first put into the cursors of all items, and only then is its node reset or deleted; so a crash in between repeats
//! a step instead of losing one. An item that is busy runs it as soon as it is free, and so does its next owner.

use super::claim::{CLAIM_BATCH, ItemClaim, cursor_op};
use super::job::{Effective, Local, Phase};
use super::{Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::CursorNode;
use clockwright_model::Fire;
use clockwright_registry::Op;

impl Turn<'_> {
    /// Takes a trigger from its node: it is put into the cursor of each of our items, then the node is reset.
    pub(super) fn take_trigger(&mut self, effective: &Effective) {
        let job = &*self.job;
        let Some(node) = job.mirror.trigger(&self.us.me).filter(|_| job.registered) else { return };
        if job.op.is_some()
            || !self.us.may_claim(self.now)
            || job.phase != Phase::Active
            || job.mirror.processing.is_some()
            || job.mirror.necessary
            || job.plan_is_stale()
        {
            return;
        }
        let trigger = Fire::Trigger { at: node.at, id: format!("{:x}", node.transaction) };
        let reset = match job.mirror.layout {
            Layout::V2 => {
                Op::set_if(self.path(&Key::Instance(self.us.me.clone())), Bytes::new(), node.version)
            }
            Layout::V3 => Op::delete(self.path(&Key::Trigger(self.us.me.clone()))),
        };
        let off = job.off.is_some() || self.us.leaving;
        let mut claims = Vec::new();
        for item in 0..job.count() {
            let Some(nodes) = job.mirror.item(item) else { continue };
            if off
                || !job.owns(item, &self.us.me)
                || nodes.disabled
                || nodes.taken.as_ref().is_some_and(|t| *t != self.us.me)
            {
                continue;
            }
            let state = &job.items[item as usize];
            let unclear = matches!(state.local, Local::Claiming | Local::Ended { .. });
            if unclear || matches!(nodes.cursor, CursorNode::Unread) || !state.was_mine {
                return;
            }
            let (mut cursor, version) = self.base_cursor(item, effective);
            if job.triggered.0 == node.transaction && job.triggered.1.contains(&item) {
                continue;
            }
            cursor.pending = Some(trigger.clone());
            claims.push(ItemClaim { item, cursor, version, settlements: vec![], dead: None, takeover: None });
            if claims.len() >= CLAIM_BATCH {
                break;
            }
        }
        if claims.is_empty() {
            self.coordinate_other(vec![reset]);
            return;
        }
        let mut ops: Vec<Op> = Vec::new();
        if let Some(epoch) = job.epoch {
            ops.push(Op::check_if(self.path(&Key::Epoch), epoch));
        }
        for claim in &mut claims {
            self.carry(claim);
            ops.push(cursor_op(self.path(&Key::Cursor(claim.item)), claim));
        }
        let job = &mut *self.job;
        if job.triggered.0 != node.transaction {
            job.triggered = (node.transaction, Vec::new());
        }
        for claim in &claims {
            job.triggered.1.push(claim.item);
            let state = job.item_mut(claim.item);
            if matches!(state.local, Local::Idle) {
                state.local = Local::Claiming;
            }
        }
        self.commit(Purpose::Settle(claims), ops);
    }
}
