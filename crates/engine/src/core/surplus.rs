//! What is left over in a job's nodes and goes: items beyond the count, requests to fire of instances that are gone.

use super::Turn;
use super::group::{Builder, Step};
use clockwright_fleet::keys::Key;
use clockwright_fleet::write::Write;
use clockwright_model::Item;

/// Items whose nodes are deleted in one commit.
const REMOVED_AT_ONCE: usize = 50;

impl Turn<'_> {
    /// Deletes the nodes of items beyond the count, once nothing of them runs.
    pub(super) fn remove_surplus_items(&mut self) {
        let job = &*self.job;
        let surplus = |item: &Item| {
            let Some(nodes) = job.mirror.item(*item) else { return false };
            let runs = nodes.cursor.cursor().and_then(|cursor| cursor.running());
            nodes.exists
                && nodes.running.as_ref().is_none_or(|mark| self.is_left(mark))
                && !runs.is_some_and(|claim| self.us.alive(&claim.owner, claim.session))
        };
        let items: Vec<Item> =
            (job.count()..job.mirror.items.len() as Item).filter(surplus).take(REMOVED_AT_ONCE).collect();
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
        // Whoever reads the count after it was raised knows that nothing is removed by an earlier one any more.
        builder.check_settings();
        for item in marks {
            builder.delete(Key::FailoverItem(item));
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
                        builder.push(Write::delete_if(Key::Cursor(item), version));
                    }
                    builder.delete(key);
                }
            }
        }
        let group = builder.build();
        self.job.op_after = self.now.mono;
        self.coordinate_with(Step::Other, group);
    }

    /// Deletes requests to fire of instances that are gone. Java leaves them, and would not act on another one beside them.
    pub(super) fn remove_dead_triggers(&mut self) {
        let job = &*self.job;
        let writes: Vec<Write> = (job.mirror.triggers.keys().filter(|id| !self.is_there(id)))
            .map(|id| Write::delete(Key::Trigger(id.clone())))
            .collect();
        if job.op.is_none() {
            self.coordinate_with(Step::Other, writes);
        }
    }
}
