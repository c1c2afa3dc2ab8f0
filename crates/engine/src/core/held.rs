//! Held items: what this instance remembers of them, and what it does when the registry says less.
//!
//! [`clockwright_fleet::held`] tells why an item is held and what comes of it. Here is who notices, and when.
//!
//! # What is remembered
//! For each item the greatest [`Seen`] of all cursors that this process believed, its own claims among them. It outlives sessions. It is
//! forgotten where a cursor may be gone by right: the job has fewer items by now, or Java peers, who keep no cursors. Once the last of
//! those is gone nothing is remembered of the time when they were there, nor of the time before: a cursor that was read
//! then may have been deleted since, as the item was Java's.
//!
//! # Items that were removed by right
//! An edit of the job's count removes items with their cursors, and a later one makes them anew; to a memory that is older, such an item
//! looks like one that has lost its cursor, or whose cursor went back. So a memory counts only as long as the count cannot have been below
//! the item since:
//!
//! | what is read of the settings | what is forgotten |
//! |---|---|
//! | the version that follows the known one | the items beyond the smaller of the two counts |
//! | a later version: some were missed, and their counts with them | all items that do not run here |
//! | a config that was made anew | nothing more: the job was deleted by hand, and its items had cursors |
//! | the first in another generation of the registry | nothing more: versions of before are no measure for those of now |
//!
//! What a cursor was known to say is forgotten with it, and read again. Two conditions make that tight. Who holds an item proves
//! that the settings are those it knows, so that a hint which has not arrived yet holds nothing. And who removes items proves
//! the same, so that nothing is removed any more once the count was raised.
//!
//! | the count is lowered while an item | what becomes of it |
//! |---|---|
//! | is held, answered or not | after [`Turn::gathering`] the instants until then go on record for the reason why it was held; then it is removed |
//! | is held and runs somewhere | the run ends in the cursor first; then as above |
//! | has a cursor that cannot be read, or none | it is removed as it is |
//! | and is raised again before anybody has removed it | it stays held: its cursor says so |
//!
//! # What is noticed
//! | an item's cursor | reason | goes on |
//! |---|---|---|
//! | cannot be read | `cursor_unreadable` | when an operator says from where |
//! | is gone, and there was one | `cursor_gone` | when an operator says from where |
//! | is older than what is remembered | `cursor_went_back` | when an operator says from where |
//! | is of an earlier generation of the registry | `registry_lost` | by [`OnRegistryLoss`] |
//! | is gone with all that the registry had of the item | `registry_lost` | by [`OnRegistryLoss`] |
//! | was made anew since such a loss, and is older than what is remembered of before | `registry_lost` | by [`OnRegistryLoss`] |
//!
//! The item's owner writes that down, with what it remembers. Every other instance that remembers more adds it: who ran the item last
//! knows best, and may not be its owner any more. So the owner waits with the release until [`Turn::gathering`] is over, in which all
//! who lost their sessions together are back. A run that goes on meanwhile is put into the cursor by who runs it, and ends there.

use super::Turn;
use super::change::{CursorChange, Kind};
use super::effective::Effective;
use super::firing::Proposal;
use super::job::{ItemState, Job, Local};
use super::port::OnRegistryLoss;
use clockwright_fleet::cursor::{Claim, Cursor};
use clockwright_fleet::held::{Held, Resume};
use clockwright_fleet::mirror::{CursorNode, ItemNodes};
use clockwright_model::{Item, Millis, Reason};
use clockwright_planner::Blocked;
use clockwright_registry::Stat;

/// How long to wait before something is added to the same cursor again, milliseconds.
const AGAIN: Millis = 200;

/// How far an item's cursor has come. Of two cursors of one item the later one has the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    resumed: Millis,
    settled: Millis,
}

impl Seen {
    fn of(cursor: &Cursor) -> Self {
        Self { resumed: cursor.resumed, settled: cursor.settled }
    }
}

impl Job {
    /// The first item that is held, and why.
    pub(crate) fn reason_held(&self) -> Option<String> {
        let mut items = (0..).zip(&self.mirror.items);
        let (item, reason) = items.find_map(|(item, nodes)| Some((item, nodes.cursor.held()?)))?;
        let item: Item = item;
        Some(format!("item {item} is held: {reason}"))
    }

    /// Remembers how far the cursors have come, before others are believed.
    pub(crate) fn remember(&mut self) {
        if self.has_java() {
            return self.items.iter_mut().for_each(|state| state.seen = None);
        }
        for (nodes, state) in self.mirror.items.iter().zip(&mut self.items) {
            state.remember(&nodes.cursor);
        }
    }
}

impl Job {
    /// Whether a Java peer was in the job when it was last read.
    pub(crate) fn has_java(&self) -> bool {
        let mut present = self.mirror.instances.values().map(|node| node.stat.created);
        !self.foreign.is_empty() && present.any(|created| self.foreign.get(&created) == Some(&true))
    }

    /// Settings with so many items were read: forgets how far the cursors had come of items that may have been removed by right since
    /// the settings before.
    pub(super) fn forget_removed(&mut self, config: Stat, count: usize) {
        let before = self.counted.replace((config.created, config.version));
        let fewest = if self.effective.is_some() { count.min(self.count() as usize) } else { count };
        let missed_some = before
            .is_some_and(|(created, version)| created == config.created && config.version > version + 1);
        let first = if missed_some { 0 } else { fewest };
        for (nodes, state) in self.mirror.items.iter_mut().zip(&mut self.items).skip(first) {
            // One that runs was not removed.
            if matches!(state.local, Local::Idle) {
                state.forget(nodes);
            }
        }
        // Of what is in no mirror.
        let mirrored = self.mirror.items.len().max(first);
        self.items.iter_mut().skip(mirrored).for_each(|state| state.seen = None);
    }

    /// The registry's data are of this generation from now on: what an earlier one said of the config is no measure for it.
    pub(super) fn enter_generation(&mut self, generation: i64) {
        if std::mem::replace(&mut self.generation, generation) != generation {
            self.counted = None;
            self.items.iter_mut().for_each(|state| state.seen_before_loss = true);
        }
    }

    /// Believes nothing of idle items any more: what is known of their cursors is of the time before a Java peer had them, if not newer.
    pub(crate) fn forget_idle(&mut self) {
        for (nodes, state) in self.mirror.items.iter_mut().zip(&mut self.items) {
            if matches!(state.local, Local::Idle) {
                state.forget(nodes);
            }
        }
    }
}

impl ItemState {
    /// Forgets how far the cursor had come, and what it was known to say.
    pub(crate) fn forget(&mut self, nodes: &mut ItemNodes) {
        self.seen = None;
        if nodes.cursor.version().is_some() {
            nodes.cursor = CursorNode::Unread;
        }
    }

    /// Remembers how far the cursor has come.
    pub(crate) fn remember(&mut self, cursor: &CursorNode) {
        if let CursorNode::Known { cursor, .. } = cursor {
            let now = Some(Seen::of(cursor));
            self.seen_before_loss &= now < self.seen;
            self.seen = self.seen.max(now);
        }
    }

    /// The claim of what runs here, or waits to be written.
    fn claim(&self) -> Option<&Claim> {
        match &self.local {
            Local::Running(active) | Local::Backoff { active, .. } | Local::Ended { active, .. } => {
                Some(&active.claim)
            }
            Local::Idle | Local::Claiming => None,
        }
    }
}

impl Turn<'_> {
    /// Brings what is remembered up to date, tells of items that are held, and adds to what their cursors say.
    pub(super) fn keep_in_mind(&mut self, effective: &Effective) {
        let (foreign, generation) = (self.has_foreign_peers(), self.us.generation());
        let job = &mut *self.job;
        let count = job.count() as usize;
        let mut unusual = false;
        for (item, state) in job.items.iter_mut().enumerate() {
            let cursor = job.mirror.items.get(item).map(|nodes| &nodes.cursor);
            cursor.into_iter().for_each(|cursor| state.remember(cursor));
            if let Some(CursorNode::Known { cursor, .. }) = cursor {
                unusual |= cursor.held.is_some()
                    || cursor.generation < generation
                    || Some(Seen::of(cursor)) < state.seen;
            }
            if foreign || item >= count {
                state.seen = None;
            }
            unusual |= state.hold_told || matches!(cursor, Some(CursorNode::Damaged { .. }));
        }
        if unusual {
            self.tell_held();
            self.add_what_is_known(effective);
        }
    }

    /// How long those who lost their sessions together take to be back, milliseconds.
    fn gathering(&self) -> Millis {
        self.us.session.map_or(0, |terms| terms.timeout) + 2_000
    }

    /// Whether nothing of an item is to be claimed, whoever wants it.
    pub(super) fn is_held(&self, item: Item) -> bool {
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item) else { return false };
        match &nodes.cursor {
            CursorNode::Damaged { .. } => true,
            CursorNode::Known { cursor, .. } => cursor.held.is_some() || self.doubt(item).is_some(),
            CursorNode::Absent => self.doubt(item).is_some(),
            CursorNode::Unread => false,
        }
    }

    /// Why a cursor that says nothing of the kind cannot be gone on from.
    fn doubt(&self, item: Item) -> Option<Reason> {
        let nodes = self.job.mirror.item(item)?;
        let state = self.job.items.get(item as usize)?;
        let seen = state.seen;
        match &nodes.cursor {
            CursorNode::Absent => seen.map(|_| Reason::CursorGone {}),
            CursorNode::Known { cursor, .. } if cursor.generation < self.us.generation() => {
                Some(Reason::RegistryLost {})
            }
            CursorNode::Known { cursor, .. } if Some(Seen::of(cursor)) < seen => {
                // Made anew after a loss, by who knew less or whose clock is behind.
                let lost = state.seen_before_loss;
                Some(if lost { Reason::RegistryLost {} } else { Reason::CursorWentBack {} })
            }
            _ => None,
        }
    }

    /// What an idle item of ours needs because it is held, or must be. `None`: it is fine.
    pub(super) fn held_item(&mut self, item: Item, effective: &Effective, hold: bool) -> Option<Proposal> {
        if !self.is_held(item) {
            return None;
        }
        if matches!(self.doubt(item), Some(Reason::CursorGone {})) && self.may_have_java() {
            // Beside a Java peer cursors go by right. Whether there is one is being asked.
            return Some(Proposal::Nothing);
        }
        let claim = if let Some(reason) = self.doubt(item) {
            Some(self.hold(item, reason, effective))
        } else {
            self.release(item, effective)
        };
        // Whatever answer is given, it is written there.
        self.job.item_mut(item).watching = true;
        Some(claim.filter(|_| !hold).map_or(Proposal::Nothing, Proposal::Advance))
    }

    /// The cursor that holds an item, with what is known here of it.
    fn hold(&self, item: Item, reason: Reason, effective: &Effective) -> CursorChange {
        let nodes = self.job.mirror.item(item).map(|nodes| &nodes.cursor);
        let (mut cursor, version) = match nodes {
            Some(CursorNode::Known { cursor, version, .. }) => (cursor.clone(), Some(*version)),
            _ => {
                let rule = Some(effective.rule.clone());
                (Box::new(Cursor::starting(0, effective.schedule_hash, rule)), None)
            }
        };
        if let Some(state) = self.job.items.get(item as usize) {
            recall(state.seen, state.claim(), &mut cursor);
        }
        let resume = self.policy(&reason);
        cursor.held.get_or_insert_with(|| Box::new(Held { reason, at: self.now.wall, resume }));
        cursor.generation = self.us.generation();
        CursorChange { kind: Kind::Holds, ..CursorChange::new(item, cursor, version) }
    }

    /// The cursor of an item whose nodes are made, if it had one before: all that the registry had of it is lost.
    pub(super) fn remembered(&self, item: Item, effective: &Effective) -> Option<Box<Cursor>> {
        self.job.items.get(item as usize)?.seen?;
        Some(self.hold(item, Reason::RegistryLost {}, effective).cursor)
    }

    /// Who need not be asked from where an item goes on.
    fn policy(&self, reason: &Reason) -> Option<Resume> {
        let by_itself = *reason == Reason::RegistryLost {}
            && self.us.options.on_registry_loss == OnRegistryLoss::Continue;
        by_itself.then(|| Resume { from: self.now.wall, at: self.now.wall, by: String::new() })
    }

    /// The cursor of a held item that goes on, if it is known from where and everybody has had the time to add what they know.
    fn release(&mut self, item: Item, effective: &Effective) -> Option<CursorChange> {
        let CursorNode::Known { cursor, version, .. } = &self.job.mirror.item(item)?.cursor else {
            return None;
        };
        let (cursor, version) = (cursor.clone(), Some(*version));
        let resume = cursor.held.as_ref()?.resume.clone()?;
        self.release_from(item, (cursor, version), effective, &resume)
    }

    /// The cursor of a held item that the job no longer has: nobody needs to say from where it goes on, and what passed until now goes
    /// on record as what it was.
    pub(super) fn release_removed(
        &mut self,
        item: Item,
        (cursor, version): (Box<Cursor>, Option<i32>),
        effective: &Effective,
    ) -> Option<CursorChange> {
        let from = self.now.wall.max(cursor.settled);
        let resume = Resume { from, at: self.now.wall, by: String::new() };
        self.release_from(item, (cursor, version), effective, &resume)
    }

    fn release_from(
        &mut self,
        item: Item,
        (mut cursor, version): (Box<Cursor>, Option<i32>),
        effective: &Effective,
        resume: &Resume,
    ) -> Option<CursorChange> {
        let held = cursor.held.take()?;
        let due = held.at + self.gathering();
        if self.now.wall < due {
            self.wake_at_wall(due);
            return None;
        }
        let known = if cursor.settled > 0 { cursor.settled } else { resume.from };
        (cursor.settled, cursor.resumed) = (known, cursor.resumed.max(resume.at));
        (cursor.schedule, cursor.rule) = (effective.schedule_hash, Some(effective.rule.clone()));
        cursor.gap.clear();
        let mut claim = CursorChange::new(item, cursor, version);
        self.settle_blocked(&mut claim, effective, resume.from, Blocked::Off(&held.reason));
        claim.cursor.settled = resume.from;
        // A mark of the dead is of a run that is not known any more; it would be taken for what a Java instance has left.
        claim.kind = Kind::GivesUp;
        Some(claim)
    }

    /// Tells once which items are held and what is to be done.
    fn tell_held(&mut self) {
        let mut news: Vec<(Reason, Vec<Item>)> = Vec::new();
        for item in 0..self.job.items.len() as Item {
            let held = self.job.mirror.item(item).and_then(|nodes| nodes.cursor.held());
            let state = self.job.item_mut(item);
            let told = std::mem::replace(&mut state.hold_told, held.is_some());
            let Some(reason) = held.filter(|_| !told && state.was_mine) else {
                // Whoever owns it tells.
                state.hold_told &= state.was_mine;
                continue;
            };
            match news.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, items)) => items.push(item),
                None => news.push((reason, vec![item])),
            }
        }
        for (reason, items) in news {
            let numbers: Vec<String> = items.iter().map(ToString::to_string).collect();
            let text = format!(
                "item {} is held and does not run: {reason} [{}]. `clockwright shard resume {} {} --from …` says from where it goes on",
                numbers.join(", "),
                reason.code(),
                self.job.name,
                if let [item] = &items[..] { item.to_string() } else { "ITEM".to_owned() },
            );
            self.tell(true, text);
        }
    }

    /// Adds what is known here to cursors of items that are not ours, or that run: who owns them may know less.
    fn add_what_is_known(&mut self, effective: &Effective) {
        if self.claims_rest() {
            return;
        }
        let mut changes = Vec::new();
        for item in 0..self.job.count() {
            let job = &*self.job;
            let state = &job.items[item as usize];
            let idle = matches!(state.local, Local::Idle);
            let busy = state.is_advancing
                || matches!(state.local, Local::Claiming | Local::Ended { committing: true, .. });
            if busy || (idle && job.owns(item, &self.us.me)) {
                continue;
            }
            let Some(CursorNode::Known { cursor, .. }) = job.mirror.item(item).map(|nodes| &nodes.cursor)
            else {
                continue;
            };
            let before = Some(Seen::of(cursor)) < state.seen;
            let unknown_run =
                cursor.held.is_some() && state.claim().is_some_and(|claim| lacks(cursor, claim));
            if (before || unknown_run) && self.now.mono >= state.claim_after {
                let reason = self.doubt(item).unwrap_or(Reason::RegistryLost {});
                changes.push(self.hold(item, reason, effective));
            }
        }
        for change in changes {
            self.job.item_mut(change.item).claim_after = self.now.mono + AGAIN;
            self.wake_at_mono(self.now.mono + AGAIN);
            self.advance(vec![change], false);
        }
    }
}

/// Adds to a cursor what this instance remembers of its item, and the claim of what it runs of it.
pub(super) fn recall(seen: Option<Seen>, claim: Option<&Claim>, cursor: &mut Cursor) {
    if let Some(seen) = seen.filter(|seen| Seen::of(cursor) < *seen) {
        (cursor.resumed, cursor.settled) = (seen.resumed, seen.settled);
        // What it says of the last run is older than that.
        cursor.run = None;
    }
    if let Some(claim) = claim.filter(|claim| lacks(cursor, claim)) {
        cursor.run = Some(Box::new(claim.clone()));
    }
}

/// Whether a cursor knows nothing of a claim, nor of a later one that goes on.
fn lacks(cursor: &Cursor, claim: &Claim) -> bool {
    cursor.run.as_ref().is_none_or(|run| run.outcome.is_some() && run.run_id != claim.run_id)
}
