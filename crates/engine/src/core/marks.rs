//! Marks of the 3.x layout that outlive their owner, and who clears them.
//!
//! # What is left, and what it does
//! With `failover`, `sharding/{i}/running` is persistent and says who runs the item; `sharding/{i}/failovering` says who took it over.
//! When that instance dies, both stay. A Java leader waits for every `running` to go before it plans, and Java instances leave
//! an item out that has one; so a mark that nobody deletes stops the job.
//!
//! # Who clears it
//! Java instances do for what they see happen: the survivors of an instance that vanishes mark its items that have a `running`,
//! and delete that; an instance that finds itself alone does the same for all that others left. Nobody does when the survivors
//! have just begun, the server was disabled, `failover` was switched off meanwhile, or the dead one was a taker.
//!
//! Here the one of ours that also marks orphans ([`Turn::is_marker`]) clears what the dead left, once it was seen dead for
//! [`Turn::grace`] and was read again. With `failover` a `running` without a claim, which is a Java instance's, is first marked as an
//! orphan in the same commit; the mark then names that instance, which tells the taker that there is something to run although the
//! cursor has no open claim. Java reads no mark's data. And each of ours clears marks of its own that it is not behind: after an expired session
//! they are still there, while the runs are not.
//!
//! # Failures
//! The deletion of a mark has no condition that proves whose it is: Java makes marks again with the same version. It follows a
//! fresh reading at once, and where there is a cursor it is checked, so that a claim of ours in between is not touched. Losing a mark
//! of a living Java run costs what Java's own reconnection costs, which deletes them too.

use super::group::{Builder, Step};
use super::job::{Local, Orphan};
use super::{Mutation, Turn};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::{CursorNode, ItemNodes, Mark};
use clockwright_fleet::write::Write;
use clockwright_model::Item;

impl Turn<'_> {
    /// Whether nobody is behind a mark any more. One that ends with a session does so by itself.
    pub(super) fn is_left(&self, mark: &Mark) -> bool {
        mark.session == 0 && !mark.id.as_ref().is_some_and(|id| self.is_there(id))
    }

    /// Whether a Java instance died while it ran an item that has no claim, or after it had taken it over.
    pub(super) fn java_left(&self, nodes: &ItemNodes) -> bool {
        nodes.running.as_ref().is_some_and(|mark| self.is_left(mark))
            || (nodes.taken.is_none() && nodes.failovering.as_ref().is_some_and(|id| !self.is_there(id)))
    }

    /// What our mark of an orphan says: the Java instance that died over the item, or nothing.
    pub(super) fn runner_of_java(&self, item: Item) -> String {
        let Some(nodes) = self.job.mirror.item(item) else { return String::new() };
        if nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_some()) {
            return String::new();
        }
        let runner = nodes.running.as_ref().and_then(|mark| mark.id.as_ref()).or(nodes.failovering.as_ref());
        runner.map_or_else(String::new, |id| id.as_str().to_owned())
    }

    /// Whether the item's mark says that a Java instance died over it.
    pub(super) fn java_died(&self, item: Item) -> bool {
        self.job.mirror.failover_items.get(&item).is_some_and(|mark| mark.java_died)
    }

    /// Adds the deletion of a `running` that was left, for a commit that makes something of it.
    pub(super) fn lower_left_mark(&self, builder: &mut Builder<'_>, item: Item) {
        let Some(nodes) = self.job.mirror.item(item) else { return };
        if nodes.running.as_ref().is_some_and(|mark| self.is_left(mark)) {
            builder.delete(Key::Running(item));
        }
    }

    /// Clears the marks of the dead of which nothing is to be made, or something was made already.
    pub(super) fn clear_left_marks(&mut self) {
        let job = &*self.job;
        if job.mirror.layout == Layout::V2 || job.op.is_some() {
            return;
        }
        let (mut builder, mut wake) = (Builder::new(self.us, self.job), None);
        for (item, nodes) in job.mirror.items.iter().enumerate() {
            let item = item as Item;
            let Some(state) = job.items.get(item as usize) else { continue };
            let Some(Orphan { since, sequence }) = state.orphan.as_deref().copied() else { continue };
            if state.cursor_sequence <= sequence || !self.java_left(nodes) {
                continue;
            }
            if self.now.mono < since + self.grace() {
                wake = Some(since + self.grace());
                continue;
            }
            let before = builder.len();
            self.lower_left_mark(&mut builder, item);
            let taker = nodes.failovering.as_ref().filter(|_| nodes.taken.is_none());
            // The next taker of a marked item puts its own name there.
            if taker.is_some() && !job.mirror.failover_items.contains_key(&item) {
                builder.delete(Key::Failovering(item));
            }
            if builder.len() > before
                && let CursorNode::Known { version, .. } = &nodes.cursor
            {
                builder.push(Write::check(Key::Cursor(item), *version));
            }
        }
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
        if let Some(at) = wake {
            self.wake_at_mono(at);
        }
    }

    /// Clears marks that this process made and is not behind: of runs whose outcome did not take them down, since their cursors were gone.
    /// Others would wait for them.
    pub(super) fn clear_own_marks(&mut self) {
        let job = &*self.job;
        let is_up = |nodes: &ItemNodes| nodes.running.is_some() || nodes.failovering.is_some();
        if job.op.is_some()
            || !job.mirror.items.iter().any(is_up)
            || self.us.mutated(Mutation::FailedItemStaysRunning)
            || self.coordination_rests()
        {
            return;
        }
        let job = &*self.job;
        let session = self.us.session_id();
        let mut builder = Builder::new(self.us, self.job);
        for (item, nodes) in job.mirror.items.iter().enumerate() {
            let item = item as Item;
            let idle = job
                .items
                .get(item as usize)
                .is_none_or(|state| matches!(state.local, Local::Idle) && !state.loose);
            let read = !matches!(nodes.cursor, CursorNode::Unread);
            let claimed = nodes.cursor.cursor().and_then(|cursor| cursor.running());
            if !idle || !read || claimed.is_some_and(|claim| claim.owner == self.us.me) {
                continue;
            }
            if nodes.running.as_ref().is_some_and(|mark| mark.is_of(&self.us.me, session)) {
                builder.delete(Key::Running(item));
            }
            if nodes.failovering.as_ref() == Some(&self.us.me) {
                builder.delete(Key::Failovering(item));
            }
        }
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
    }
}
