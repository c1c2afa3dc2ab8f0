//! Failover: what a dead instance left unfinished runs elsewhere, at once and once.
//!
//! # Who is dead
//! A claim names its owner and the owner's session. The owner lives while its process lease belongs to that session. A claim
//! without a living owner is an *orphan* once it has been seen so for [`Turn::grace`], read again after that was noticed. An
//! instance node says nothing: it may be deleted by an operator while its process runs on.
//!
//! # Protocol, on Elastic-Job's nodes
//! ```text
//! marker (the leader, or our greatest instance under a Java leader; and the item's owner): create leader/failover/items/{i}
//! taker:  queue at leader/failover/latch ─► commit { prove the owner's lease gone; create sharding/{i}/failover = me;
//!         delete the mark; leave the latch; cursor: attempt + 1; create running } ─► run ─► complete, delete sharding/{i}/failover
//! ```
//! Only work that did not end is taken: the taker reads the cursor and deletes a mark that is wrong. The item's owner by the
//! plan is asked first; after [`PATIENCE`] anybody may take it. A busy instance takes items like an idle one.
//!
//! # Failures
//! *The taker dies*: its claim is an orphan like any other; attempts grow, and after
//! [`most_attempts`] the fire is settled as failed, because it
//! probably kills its hosts. *The marker dies*: the next leader reads everything anew. *The owner was not dead after all*: the
//! proof fails, or its completion has changed the cursor, and the take is a conflict.
//!
//! # Who notices
//! The marker looks at the items whose owner is dead, and an item's owner at its own. Between a crash and the end of the session a
//! plan may give the item to somebody else, or its instance node may be gone already: then the claim names somebody who owns
//! nothing any more, and only who reads the cursor sees it. So the owner marks what it finds orphaned itself, and whenever a
//! lease vanishes the marker reads the cursors of all items of each job that its holder was in.
//!
//! With failover off the item's next owner settles the orphan as failed and goes on with the schedule; see
//! [`firing`](super::firing).

use super::change::CursorChange;
use super::claim::CLAIM_BATCH;
use super::effective::Effective;
use super::firing::most_attempts;
use super::group::{Builder, Step};
use super::job::{Job, LatchKind, Local, Orphan, Phase};
use super::{Mutation, Turn};
use clockwright_fleet::Layout;
use clockwright_fleet::cursor::Claim;
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::CursorNode;
use clockwright_fleet::write::Write;
use clockwright_model::{Fire, InstanceId, Item, Millis, Source};

/// How long a mark is left to the instance that should take it, milliseconds.
const PATIENCE: Millis = 1_000;
/// Items marked in one commit.
pub(super) const MARK_BATCH: usize = 100;

impl Turn<'_> {
    /// Marks orphans, and takes marked items.
    pub(super) fn failover(&mut self) {
        let Some(effective) = self.job.effective.clone() else { return };
        let failover = effective.settings.failover;
        if !failover && self.job.mirror.layout == Layout::V2 && !self.has_foreign_peers() {
            return;
        }
        self.look_for_bereaved();
        self.notice_orphans();
        if self.coordination_rests() {
            // What was refused is not asked again at once.
            return;
        }
        let marker = self.is_marker();
        if marker {
            self.yield_to_java(&effective);
        }
        if failover && self.job.registered && self.job.phase == Phase::Active {
            self.mark_orphans(&effective, marker);
        }
        if marker {
            self.clear_left_marks();
        }
        if failover {
            self.mark_left();
            self.drop_wrong_takes();
            self.take_marked(&effective);
        }
    }

    /// How long a claim must have been seen without a living owner before anything is done about it, milliseconds. The owner
    /// has ended its runs at two thirds of the timeout, so this is a margin, not the protection.
    pub(super) fn grace(&self) -> Millis {
        self.us.session.map_or(1_000, |terms| (terms.timeout / 10).min(1_000))
    }

    /// Reads all cursors once a process is gone that was in the job, if this instance puts up the marks.
    fn look_for_bereaved(&mut self) {
        let seen = (self.us.lease_changes, self.job.mirror.instances.len());
        if std::mem::replace(&mut self.job.peers_seen, seen) != seen {
            let present = self.job.mirror.instances.keys();
            let ours: Vec<InstanceId> =
                present.filter(|id| self.us.leases.contains_key(*id)).cloned().collect();
            let before = self.job.peers.len();
            self.job.peers.retain(|id| self.us.leases.contains_key(id));
            self.job.bereaved |= self.job.peers.len() < before;
            self.job.peers.extend(ours);
            self.job.peers.sort_unstable();
            self.job.peers.dedup();
            self.job.peers.shrink_to_fit();
        }
        if self.job.bereaved && self.is_marker() && !self.us.mutated(Mutation::OrphansOfDeadOwnersOnly) {
            self.job.bereaved = false;
            let items: Vec<Item> = (0..self.job.mirror.items.len() as Item).collect();
            self.read_items(&items);
        }
    }

    /// Looks for claims without a living owner, and reads them again when one is noticed.
    fn notice_orphans(&mut self) {
        if !self.is_marker() && !self.job.items.iter().any(|state| state.orphan.is_some()) {
            return;
        }
        let mut reads = Vec::new();
        for item in 0..self.job.mirror.items.len() as Item {
            let nodes = &self.job.mirror.items[item as usize];
            let dead = |id: &InstanceId| !self.is_there(id);
            let suspect = match nodes.cursor.cursor().and_then(|cursor| cursor.running()) {
                Some(claim) => !self.us.alive(&claim.owner, claim.session),
                None => {
                    nodes.owner.as_ref().is_some_and(|owner| dead(&owner.id))
                        || nodes.taken.as_ref().is_some_and(dead)
                        || nodes.failovering.as_ref().is_some_and(dead)
                        || nodes.running.as_ref().is_some_and(|mark| self.is_left(mark))
                }
            };
            let sequence = self.us.sequence;
            let state = self.job.item_mut(item);
            if !suspect || !matches!(state.local, Local::Idle) {
                state.orphan = None;
            } else if state.orphan.is_none() {
                state.orphan = Some(Box::new(Orphan { since: self.now.mono, sequence }));
                reads.push(item);
            }
        }
        self.read_items(&reads);
    }

    /// Whether an orphan has been one long enough; starts the wait when it has just been noticed.
    pub(super) fn orphaned_long_enough(&mut self, item: Item) -> bool {
        let grace = self.grace();
        let state = self.job.item_mut(item);
        let noticed = || Box::new(Orphan { since: self.now.mono, sequence: 0 });
        let since = state.orphan.get_or_insert_with(noticed).since;
        if self.now.mono < since + grace {
            self.wake_at_mono(since + grace);
            return false;
        }
        true
    }

    /// Whether this instance puts up the marks: the leader, or under a Java leader the greatest of ours.
    pub(super) fn is_marker(&self) -> bool {
        let job = &*self.job;
        if job.phase != Phase::Active || !job.registered {
            return false;
        }
        match &job.mirror.leader {
            Some(leader) if self.us.leases.contains_key(&leader.id) => self.us.leads(job),
            Some(_) => {
                let ours = job.mirror.instances.keys().filter(|id| self.us.leases.contains_key(*id));
                ours.max().is_some_and(|greatest| *greatest == self.us.me)
            }
            None => false,
        }
    }

    fn mark_orphans(&mut self, effective: &Effective, marker: bool) {
        let limit = most_attempts(effective);
        let mut marks = Vec::new();
        for item in 0..self.job.count() {
            let job = &*self.job;
            if !marker && (!job.owns(item, &self.us.me) || self.us.mutated(Mutation::OrphansOfDeadOwnersOnly))
            {
                continue;
            }
            let Some(nodes) = job.mirror.item(item) else { continue };
            let state = &job.items[item as usize];
            let Some(Orphan { since, sequence }) = state.orphan.as_deref().copied() else { continue };
            let finished = nodes.cursor.cursor().is_some_and(|cursor| cursor.running().is_none());
            if finished && self.us.mutated(Mutation::FailoverOfFinishedWork) {
                marks.push(item);
                continue;
            }
            let reread = state.cursor_sequence > sequence;
            let known = nodes.taken.is_some() || job.mirror.failover_items.contains_key(&item);
            let left = match nodes.cursor.cursor().and_then(|cursor| cursor.running()) {
                Some(claim) => {
                    !self.us.alive(&claim.owner, claim.session)
                        && claim.attempt < limit
                        && !self.is_off(item, claim)
                        && (claim.owner != self.us.me || !self.us.is_our_session(claim.session))
                        && (!self.us.mutated(Mutation::FailoverNeedsOwnerAlive)
                            || job.mirror.instances.contains_key(&claim.owner))
                }
                // Of an item that is held nobody knows whose the mark is: its claim may be lost.
                None => marker && !self.is_held(item) && self.java_left(nodes),
            };
            if !reread || known || !left {
                continue;
            }
            if self.now.mono < since + self.grace() {
                let at = since + self.grace();
                self.wake_at_mono(at);
                continue;
            }
            marks.push(item);
        }
        if marks.is_empty() || self.job.op.is_some() {
            return;
        }
        marks.truncate(MARK_BATCH);
        let mut builder = Builder::new(self.us, self.job);
        for item in marks {
            builder.create(Key::FailoverItem(item), self.runner_of_java(item));
            self.lower_left_mark(&mut builder, item);
        }
        let group = builder.build();
        self.coordinate_with(Step::Other, group);
    }

    /// A `sharding/{i}/failover` of ours without a run of ours is left over from an unclear commit.
    fn drop_wrong_takes(&mut self) {
        let job = &*self.job;
        if job.op.is_some() {
            return;
        }
        let wrong = |item: &Item| {
            let nodes = &job.mirror.items[*item as usize];
            let idle = job.items.get(*item as usize).is_none_or(|state| matches!(state.local, Local::Idle));
            let running = nodes.cursor.cursor().and_then(|cursor| cursor.running()).is_some();
            let unread = matches!(nodes.cursor, CursorNode::Unread);
            nodes.taken.as_ref() == Some(&self.us.me) && idle && !running && !unread
        };
        let Some(item) = (0..job.mirror.items.len() as Item).find(wrong) else { return };
        self.coordinate_with(Step::Other, Write::delete(Key::Taken(item)));
    }

    /// Takes one marked item, if it is this instance's turn.
    fn take_marked(&mut self, effective: &Effective) {
        let job = &mut *self.job;
        let marked = job.mirror.failover_items.clone();
        job.marks_seen.retain(|(item, _)| marked.contains_key(item));
        let mut reads = Vec::new();
        for item in marked.keys() {
            if !job.marks_seen.iter().any(|(seen, _)| seen == item) {
                job.marks_seen.push((*item, self.now.mono));
                job.mirror.forget_cursor(*item);
                reads.push(*item);
            }
        }
        self.read_items(&reads);
        let latched = match self.job.latch.as_ref().map(|latch| latch.kind) {
            Some(LatchKind::Election) => return,
            Some(LatchKind::Failover(item)) => Some(item),
            None => None,
        };
        if self.held() || self.job.op.is_some() {
            return;
        }
        // Java takes the greatest item by text first; any order is compatible.
        let next =
            latched.into_iter().chain(marked.into_keys().rev()).find(|item| self.is_mine_to_take(*item));
        match next {
            Some(item) => self.take(item, effective),
            None if latched.is_some() => self.leave_latch(),
            None => {}
        }
    }

    /// Whether it is certain of which session a claim's owner holds its lease. Where we have seen the lease of another session,
    /// either the claim is of an earlier one, or the lease that we have seen is: its owner has opened a session since then, and
    /// claimed. No commit can prove the owner dead, as it holds a lease. So the lease has to be read after the cursor, which asks
    /// for that here; what is read then is no older than the session of the claim.
    pub(super) fn lease_is_known(&mut self, item: Item, claim: &Claim) -> bool {
        let since = self.job.item_mut(item).cursor_sequence;
        let seen = self.us.leases.get(&claim.owner);
        if seen.is_none_or(|session| *session == claim.session)
            || self.us.lease_read.get(&claim.owner).is_some_and(|read| *read > since)
        {
            return true;
        }
        if self.us.lease_asked.insert(claim.owner.clone()) {
            let lease = self.us.keys.lease(&claim.owner);
            self.us.read(vec![lease]);
        }
        false
    }

    fn is_mine_to_take(&mut self, item: Item) -> bool {
        let job = &*self.job;
        if !job.mirror.failover_items.contains_key(&item) || item >= job.count() || self.is_held(item) {
            return false;
        }
        let Some(nodes) = job.mirror.item(item) else { return false };
        let idle = job.items.get(item as usize).is_some_and(|state| matches!(state.local, Local::Idle));
        if !idle || nodes.taken.is_some() || nodes.disabled || matches!(nodes.cursor, CursorNode::Unread) {
            return false;
        }
        if let Some(claim) = nodes.cursor.cursor().and_then(|cursor| cursor.running()).cloned()
            && !self.lease_is_known(item, &claim)
        {
            return false;
        }
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item) else { return false };
        let available = job.mirror.available();
        let owner = nodes.owner.as_ref().map(|owner| &owner.id);
        if clockwright_planner::failover::choose(item, owner, &available) == Some(&self.us.me) {
            return true;
        }
        let seen = job.marks_seen.iter().find(|(seen, _)| *seen == item).map_or(self.now.mono, |(_, at)| *at);
        if self.now.mono < seen + PATIENCE {
            self.wake_at_mono(seen + PATIENCE);
            return false;
        }
        true
    }

    fn take(&mut self, item: Item, effective: &Effective) {
        let Some(plan) = self.takeover(item, effective) else {
            self.coordinate_with(Step::Other, Write::delete(Key::FailoverItem(item)));
            return;
        };
        if plan.dead.as_ref().is_some_and(|dead| dead == &self.us.me)
            || !self.queue_at_latch(LatchKind::Failover(item))
        {
            return;
        }
        let Some(latch) = self.job.latch.as_ref().and_then(|latch| latch.name.clone()) else {
            return;
        };
        let mut claims = vec![plan];
        // One turn at the latch is enough for all that this instance is to take.
        let others: Vec<Item> =
            self.job.mirror.failover_items.keys().copied().filter(|other| *other != item).collect();
        for other in others {
            if claims.len() < CLAIM_BATCH
                && self.is_mine_to_take(other)
                && let Some(plan) = self.takeover(other, effective)
            {
                claims.push(plan);
            }
        }
        self.claim_in_groups(effective, claims, Some(latch));
    }

    /// The claim that takes an item over; `None` when there is nothing to take.
    fn takeover(&mut self, item: Item, effective: &Effective) -> Option<CursorChange> {
        let (mut cursor, version) = self.base_cursor(item, effective);
        let dead = match cursor.running().cloned() {
            Some(claim) if self.us.alive(&claim.owner, claim.session) => return None,
            // Its owner gives it up.
            Some(claim) if claim.attempt >= most_attempts(effective) => return None,
            Some(claim) => {
                cursor.run = Some(self.new_claim(claim.fire, claim.attempt + 1, Source::Failover));
                (!self.us.leases.contains_key(&claim.owner)).then_some(claim.owner)
            }
            None if self.us.mutated(Mutation::FailoverOfFinishedWork) => {
                let last = cursor.run.clone()?;
                cursor.run = Some(self.new_claim(last.fire, last.attempt + 1, Source::Failover));
                None
            }
            // A Java peer keeps no cursor: what it left is the latest instant, unless that has an outcome.
            None if self.has_foreign_peers() || version.is_none() || self.java_died(item) => {
                if effective.settings.cron.is_empty() {
                    // What ran was a trigger, and Java does not say which. The mark gives it an identity.
                    let mark = self.job.mirror.failover_items.get(&item)?;
                    let fire = Fire::Trigger { at: self.now.wall, id: format!("{:x}", mark.transaction) };
                    cursor.run = Some(self.new_claim(fire, 1, Source::Failover));
                    return Some(CursorChange::new(item, cursor, version).taking_over(None));
                }
                // Only what our own cursor tells counts here: a plan made since then says nothing about what the dead one ended.
                let known = self.job.mirror.item(item).and_then(|nodes| nodes.cursor.cursor());
                let known = known.map_or(0, |cursor| cursor.settled);
                let latest =
                    effective.schedule.latest_until(self.now.wall).filter(|latest| *latest > known)?;
                cursor.settled = cursor.settled.max(latest);
                cursor.run = Some(self.new_claim(Fire::Scheduled(latest), 1, Source::Failover));
                None
            }
            None => return None,
        };
        Some(CursorChange::new(item, cursor, version).taking_over(dead))
    }

    /// Gives up a place at the failover latch that is not needed any more.
    fn leave_latch(&mut self) {
        let job: &Job = &*self.job;
        match job.latch.as_ref().and_then(|latch| latch.name.clone()) {
            Some(name) => {
                self.job.latch = None;
                self.coordinate_with(Step::Other, Write::delete(Key::FailoverLatchNode(name)));
            }
            None => self.job.latch = None,
        }
    }
}
