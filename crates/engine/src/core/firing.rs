//! Firing: from a due instant to its recorded outcome.
//!
//! # One fire of one item
//! ```text
//! due ─► claim { check epoch; set cursor = {fire, attempt, run}; create running } ─► run ─► complete { set cursor = outcome; delete running }
//!            │ conflict, refused: read the item again, decide again
//!            └ unclear: read the cursor back. It names our run: the attempt counts as lost and the next attempt is claimed;
//!              it does not: nothing happened, and the version that it had protects the next claim
//! ```
//! All items of a firing are claimed together, and firings of many jobs share transactions on the way to the registry.
//!
//! # What a claim proves
//! The epoch check: this instance owns the item by the plan it has seen. The cursor's version: nobody claimed, completed or
//! took over since it was read. The `running` node: no Java peer runs the item. Where the claim passes over a dead owner's
//! run, it also proves the owner's lease gone, by creating and deleting the lease node in the same transaction.
//!
//! # While an item runs
//! Its own due instants pass. Nothing is written for them except Java's `misfire` mark; the cursor still says up to where the
//! schedule is settled, so whoever claims next finds them by arithmetic and settles each by the job's policy.
//!
//! # When its plan changes
//! A run is never interrupted for a plan. The new owner sees the claim, waits for its end by watching the cursor, and goes on
//! from there.

use super::claim::ItemClaim;
use super::job::{BlockedBy, Effective, Local, Phase};
use super::mirror::CursorNode;
use super::{Core, Effect, Mutation, Now, Purpose};
use crate::cursor::{Claim, Cursor, Gap};
use crate::keys::Key;
use crate::layout::Layout;
use bytes::Bytes;
use clockwright_model::{FailureKind, Fire, Item, Millis, Outcome, Settlement, Source};
use clockwright_planner::{Blocked, DueInput, due};
use clockwright_registry::{Commit, Conflict, Error, Op};

/// A fire whose runs lost their owners this often is given up: it probably kills them.
pub(super) const MAX_LOST_ATTEMPTS: u32 = 5;

/// What an idle item needs.
enum Proposal {
    Nothing,
    Read,
    Claim(ItemClaim),
    Settle(ItemClaim),
}

impl Core {
    /// Decides for each item of a job.
    pub(super) fn fire(&mut self, index: usize, now: Now) {
        let Some(effective) = self.jobs[index].effective.clone() else { return };
        self.take_trigger(index, &effective, now);
        let held = self.held(index, now);
        let latest = effective.schedule.latest_until(now.wall);
        let (mut claims, mut settles, mut reads, mut ended, mut marks) =
            (vec![], vec![], vec![], vec![], vec![]);
        let mut mine = false;
        for item in 0..self.jobs[index].items.len() as Item {
            match &self.jobs[index].items[item as usize].local {
                Local::Claiming => {}
                Local::Running(active) => {
                    mine = true;
                    let settled =
                        self.jobs[index].mirror.item(item).and_then(|n| n.cursor.cursor()).map(|c| c.settled);
                    if latest > settled && !active.taken {
                        marks.push(item);
                    }
                }
                Local::Backoff { until, .. } => {
                    let until = *until;
                    if self.leaving {
                        self.give_up_retry(index, item);
                        ended.push(item);
                    } else if now.mono < until {
                        self.wake_at_mono(index, until);
                    } else if !held {
                        claims.extend(self.retry(index, item, now));
                    }
                }
                Local::Ended { committing, .. } => {
                    if !committing {
                        ended.push(item);
                    }
                }
                Local::Idle => match self.idle(index, item, &effective, latest, held, now) {
                    Proposal::Nothing => {}
                    Proposal::Read => reads.push(item),
                    Proposal::Claim(claim) => claims.push(claim),
                    Proposal::Settle(claim) => settles.push(claim),
                },
            }
            mine |= self.jobs[index].items[item as usize].was_mine;
        }
        self.read_items(index, &reads);
        self.mark_misfires(index, &effective, &marks);
        self.complete(index, &ended, now);
        self.send_settles(index, settles, now);
        self.send_claims(index, &effective, claims, now);
        if mine && let Some(next) = effective.schedule.next_after(now.wall) {
            self.wake_at_wall(index, next);
        }
    }

    /// Whether nothing may be claimed for a job now.
    pub(super) fn held(&self, index: usize, now: Now) -> bool {
        let job = &self.jobs[index];
        !job.registered
            || job.phase != Phase::Active
            || self.leaving
            || job.degraded.is_some()
            || job.off.is_some()
            || job.mirror.processing.is_some()
            || (job.plan_is_stale() && !self.mutated(Mutation::ClaimIgnoresPlan))
            || !self.may_claim(now)
            || (job.mirror.necessary
                && (self.has_foreign_peers(index) || self.mutated(Mutation::NonLeaderWaitsForever)))
    }

    /// Notices when the job is switched off and on for this instance, so that instants in between are known to be off.
    pub(super) fn track_off(&mut self, index: usize, now: Now) {
        let job = &mut self.jobs[index];
        let off = if let Some(paused) = &job.mirror.paused {
            Some(if paused.is_empty() {
                "the job is paused".to_owned()
            } else {
                format!("the job is paused: {paused}")
            })
        } else if !job.mirror.server_enabled(self.me.ip()) && job.mirror.servers.contains_key(self.me.ip()) {
            Some("the server was disabled".to_owned())
        } else {
            None
        };
        if let (Some(was), None) = (&job.off, &off) {
            job.was_off.clone_from(was);
            for state in &mut job.items {
                state.blocked_until = now.wall;
                state.blocked_by = BlockedBy::Paused;
            }
        }
        job.off = off;
    }

    /// What an item needs of which nothing runs here.
    fn idle(
        &mut self,
        index: usize,
        item: Item,
        effective: &Effective,
        latest: Option<Millis>,
        held: bool,
        now: Now,
    ) -> Proposal {
        let session = self.session.map_or(0, |terms| terms.session);
        let mine = item < self.jobs[index].count() && self.jobs[index].owns(item, &self.me);
        let job = &mut self.jobs[index];
        let taken_by_other =
            job.mirror.item(item).is_some_and(|n| n.taken.as_ref().is_some_and(|taker| *taker != self.me));
        let state = job.item_mut(item);
        if taken_by_other || !(mine || state.loose) {
            state.was_mine = false;
            return Proposal::Nothing;
        }
        if !mine {
            state.was_mine = false;
        } else if !state.was_mine {
            state.was_mine = true;
            state.watching = false;
            if state.blocked_by != BlockedBy::Busy {
                state.blocked_by = BlockedBy::Unowned;
            }
            job.mirror.item_mut(item).cursor = CursorNode::Unread;
        }
        if mine && self.track_disabled(index, item, now) {
            return Proposal::Nothing;
        }
        let job = &self.jobs[index];
        let Some(nodes) = job.mirror.item(item) else { return Proposal::Nothing };
        let state = &job.items[item as usize];
        if matches!(nodes.cursor, CursorNode::Unread) {
            return if state.reading.is_some() { Proposal::Nothing } else { Proposal::Read };
        }
        if !mine {
            return self.tie_up(index, item, effective, held, now);
        }
        self.record_inherited(index, item, now);
        let job = &self.jobs[index];
        let Some(nodes) = job.mirror.item(item) else { return Proposal::Nothing };
        let marked = nodes.running.as_ref().filter(|mark| !mark.is_of(&self.me, session));
        let unclaimed = nodes.cursor.cursor().is_none_or(|cursor| cursor.running().is_none());
        match marked.filter(|_| unclaimed) {
            // Whoever clears the marks of the dead decides whether what it ran is to run again.
            Some(mark) if self.is_left(index, mark) => return Proposal::Nothing,
            Some(_) => return self.wait_for_end(index, item, now),
            None => {}
        }
        let (base, version) = self.base_cursor(index, item, effective);
        let (base, settlements, dead) = match self.settle_previous(index, item, base, effective, now) {
            Previous::Settled { cursor, settlements, dead } => (*cursor, settlements, dead),
            Previous::Again(_) if held => return Proposal::Nothing,
            Previous::Again(claim) => return Proposal::Claim(*claim),
            Previous::Running => return self.wait_for_end(index, item, now),
            Previous::Wait => return Proposal::Nothing,
        };
        self.jobs[index].item_mut(item).watching = false;
        if held {
            return Proposal::Nothing;
        }
        let rest = self.jobs[index].items[item as usize].claim_after;
        if now.mono < rest {
            self.wake_at_mono(index, rest);
            return Proposal::Nothing;
        }
        let given_up = !settlements.is_empty();
        let claim = ItemClaim { item, cursor: base, version, settlements, dead, takeover: None };
        if given_up {
            // The next claim will overwrite the outcome; it has to be in the cursor before, where it survives this process.
            return Proposal::Settle(claim);
        }
        self.next_run(index, claim, effective, latest, now)
    }

    /// Ends a claim of ours of which nothing runs, on an item that belongs to somebody else by now and waits for us.
    fn tie_up(&mut self, index: usize, item: Item, effective: &Effective, held: bool, now: Now) -> Proposal {
        let session = self.session.map_or(0, |terms| terms.session);
        let (base, version) = self.base_cursor(index, item, effective);
        if base.running().is_none_or(|claim| claim.owner != self.me || claim.session != session) {
            self.jobs[index].item_mut(item).loose = false;
            return Proposal::Nothing;
        }
        match self.settle_previous(index, item, base, effective, now) {
            _ if held => Proposal::Nothing,
            Previous::Again(claim) => Proposal::Claim(*claim),
            Previous::Settled { cursor, settlements, dead } => Proposal::Settle(ItemClaim {
                item,
                cursor: *cursor,
                version,
                settlements,
                dead,
                takeover: None,
            }),
            Previous::Running | Previous::Wait => Proposal::Nothing,
        }
    }

    /// Records what somebody else, or an earlier incarnation of this process, wrote into the cursor: it may have died before
    /// its own record was safe, and the next claim overwrites the cursor. Recording the same again changes nothing.
    pub(super) fn record_inherited(&mut self, index: usize, item: Item, now: Now) {
        let session = self.session.map_or(0, |terms| terms.session);
        let job = &mut self.jobs[index];
        let Some(nodes) = job.mirror.items.get(item as usize) else { return };
        let CursorNode::Known { modified, cursor, .. } = &nodes.cursor else { return };
        let state = &mut job.items[item as usize];
        if state.recorded == *modified {
            return;
        }
        state.recorded = *modified;
        let cursor = cursor.clone();
        let mut settlements = self.gap_settlements(index, item, &cursor.gap, now);
        if let Some(claim) = &cursor.run
            && let Some(outcome) = claim.outcome.clone()
            && (claim.session != session
                || matches!(outcome, Outcome::Failed { kind: FailureKind::OwnerLost, .. }))
        {
            settlements.push(self.settlement(index, item, claim, outcome, Some(claim.at), now));
        }
        for settlement in settlements {
            self.record(clockwright_model::Event::Settlement(settlement));
        }
    }

    /// The next run of a free item: a waiting trigger, or what the schedule says.
    fn next_run(
        &mut self,
        index: usize,
        mut claim: ItemClaim,
        effective: &Effective,
        latest: Option<Millis>,
        now: Now,
    ) -> Proposal {
        if let Some(trigger) = claim.cursor.pending.take() {
            claim.cursor.gap.clear();
            claim.cursor.run = Some(self.new_claim(trigger, 1, Source::Trigger, now));
            return Proposal::Claim(claim);
        }
        let settled = claim.cursor.settled;
        if latest.is_none_or(|latest| latest <= settled) {
            return Proposal::Nothing;
        }
        let job = &self.jobs[index];
        let state = &job.items[claim.item as usize];
        let blocked_by = match state.blocked_by {
            BlockedBy::Busy => Blocked::Busy,
            BlockedBy::Unowned => Blocked::Unowned,
            BlockedBy::Paused => Blocked::Off(&job.was_off),
            BlockedBy::Disabled => Blocked::Off("the item was disabled"),
        };
        let mut misfire = effective.settings.misfire;
        if self.mutated(Mutation::MisfireForgottenOnTakeover) && state.blocked_by == BlockedBy::Unowned {
            misfire = clockwright_model::Misfire::Skip;
        }
        let decision = due(&DueInput {
            schedule: &effective.schedule,
            settled,
            now: now.wall,
            blocked_until: state.blocked_until,
            blocked_by,
            misfire,
            tolerance: self.options.tolerance,
        });
        claim.cursor.gap = decision
            .settled
            .into_iter()
            .map(|range| Gap { from: range.from, to: range.to, count: range.count, outcome: range.outcome })
            .collect();
        if let Some(last) = claim.cursor.gap.last() {
            claim.cursor.settled = last.to;
        }
        let gaps = self.gap_settlements(index, claim.item, &claim.cursor.gap, now);
        claim.settlements.extend(gaps);
        match decision.run {
            Some((at, source)) => {
                let twice = source == Source::Misfire && self.mutated(Mutation::MisfireRunsTwice);
                claim.cursor.settled = if twice { at - 1 } else { at };
                claim.cursor.run = Some(self.new_claim(Fire::Scheduled(at), 1, source, now));
                Proposal::Claim(claim)
            }
            None if claim.settlements.is_empty() => Proposal::Nothing,
            None => Proposal::Settle(claim),
        }
    }

    /// Whether an operator disabled the item; notices when that ends.
    fn track_disabled(&mut self, index: usize, item: Item, now: Now) -> bool {
        let job = &mut self.jobs[index];
        let disabled = job.mirror.item(item).is_some_and(|nodes| nodes.disabled);
        let state = job.item_mut(item);
        if state.was_disabled && !disabled {
            state.blocked_until = now.wall;
            state.blocked_by = BlockedBy::Disabled;
        }
        state.was_disabled = disabled;
        disabled
    }

    /// The cursor that a claim builds on, and its version.
    pub(super) fn base_cursor(
        &self,
        index: usize,
        item: Item,
        effective: &Effective,
    ) -> (Cursor, Option<i32>) {
        let job = &self.jobs[index];
        let nodes = &job.mirror.items[item as usize];
        let planned_from = nodes.owner.as_ref().map_or(0, |owner| job.plans.covers_from(owner));
        let fresh = || Cursor::starting(planned_from.max(effective.changed_at), effective.schedule_hash);
        match &nodes.cursor {
            CursorNode::Known { version, cursor, .. } => {
                let mut cursor = (**cursor).clone();
                if cursor.schedule != effective.schedule_hash {
                    cursor.settled = cursor.settled.max(effective.changed_at);
                    cursor.schedule = effective.schedule_hash;
                }
                if self.has_foreign_peers(index) || self.mutated(Mutation::NoFireIdentity) {
                    // A Java peer may have run the instants before: it keeps no cursor.
                    cursor.settled = cursor.settled.max(planned_from);
                }
                (cursor, Some(*version))
            }
            CursorNode::Damaged { version } => (fresh(), Some(*version)),
            CursorNode::Absent | CursorNode::Unread => (fresh(), None),
        }
    }

    /// Waits for the end of a run that goes on elsewhere.
    fn wait_for_end(&mut self, index: usize, item: Item, now: Now) -> Proposal {
        let state = self.jobs[index].item_mut(item);
        state.blocked_until = now.wall;
        state.blocked_by = BlockedBy::Busy;
        if state.watching {
            return Proposal::Nothing;
        }
        state.watching = true;
        Proposal::Read
    }

    /// What is to be done about the item's last claim before a new one.
    fn settle_previous(
        &mut self,
        index: usize,
        item: Item,
        mut cursor: Cursor,
        effective: &Effective,
        now: Now,
    ) -> Previous {
        let Some(claim) = cursor.running().cloned() else {
            self.jobs[index].item_mut(item).orphan_since = None;
            return Previous::Settled { cursor: Box::new(cursor), settlements: vec![], dead: None };
        };
        let own = claim.owner == self.me;
        if !own && self.alive(&claim.owner, claim.session) {
            return Previous::Running;
        }
        if !own && !self.orphaned_long_enough(index, item, now) {
            return Previous::Wait;
        }
        let again = effective.settings.failover
            && claim.attempt < MAX_LOST_ATTEMPTS.max(effective.settings.retry.max_attempts);
        if again && !own {
            // The failover path takes it: Java peers can see that, and another instance may be quicker.
            return Previous::Wait;
        }
        let version = self.jobs[index].mirror.items[item as usize].cursor.version();
        if again || (own && self.never_started(index, item, &claim)) {
            cursor.run = Some(self.new_claim(claim.fire, claim.attempt + 1, Source::Failover, now));
            let claim = ItemClaim { item, cursor, version, settlements: vec![], dead: None, takeover: None };
            return Previous::Again(Box::new(claim));
        }
        let reason = if own {
            "this instance lost its lease while the run went on".to_owned()
        } else {
            format!("its instance {} died while it ran", claim.owner)
        };
        let reason =
            if effective.settings.failover { format!("{reason}; attempts are used up") } else { reason };
        let ItemClaim { cursor, settlements, dead, .. } =
            self.give_up(index, item, cursor, version, reason, now);
        Previous::Settled { cursor: Box::new(cursor), settlements, dead }
    }

    /// The change of a cursor that settles its open claim as failed, because its owner is lost.
    fn give_up(
        &self,
        index: usize,
        item: Item,
        mut cursor: Cursor,
        version: Option<i32>,
        reason: String,
        now: Now,
    ) -> ItemClaim {
        let outcome = Outcome::Failed { kind: FailureKind::OwnerLost, reason };
        let (mut settlements, mut dead) = (Vec::new(), None);
        if let Some(claim) = &mut cursor.run {
            settlements.push(self.settlement(index, item, claim, outcome.clone(), Some(claim.at), now));
            claim.outcome = Some(outcome);
            dead = (!self.leases.contains_key(&claim.owner)).then(|| claim.owner.clone());
        }
        ItemClaim { item, cursor, version, settlements, dead, takeover: None }
    }

    /// Makes hints about an item's run matter here, until its cursor decides.
    pub(super) fn watch_item(&mut self, index: usize, item: Item) {
        let state = self.jobs[index].item_mut(item);
        if !state.watching {
            state.watching = true;
            self.read_items(index, &[item]);
        }
    }

    /// Prepares an item that the job no longer has for its removal: what its cursor says goes on record, and a claim without a
    /// living owner is settled. True when the cursor may go.
    pub(super) fn wind_up(&mut self, index: usize, item: Item, now: Now) -> bool {
        let job = &self.jobs[index];
        if !job.items.get(item as usize).is_none_or(|state| matches!(state.local, Local::Idle)) {
            return false;
        }
        let Some(nodes) = job.mirror.item(item) else { return false };
        let cursor = match &nodes.cursor {
            CursorNode::Known { cursor, .. } => (**cursor).clone(),
            CursorNode::Absent | CursorNode::Damaged { .. } => return true,
            CursorNode::Unread => {
                if job.items.get(item as usize).is_none_or(|state| state.reading.is_none()) {
                    self.read_items(index, &[item]);
                }
                return false;
            }
        };
        let version = nodes.cursor.version();
        let Some(owner) = cursor.running().map(|claim| claim.owner.clone()) else {
            self.record_inherited(index, item, now);
            return true;
        };
        if self.orphaned_long_enough(index, item, now) {
            let reason =
                format!("its instance {owner} died while it ran, and the job has no such item any more");
            let claim = self.give_up(index, item, cursor, version, reason, now);
            self.send_settles(index, vec![claim], now);
        }
        false
    }

    /// Whether a claim of our own was never started: its answer was unclear, and only the read-back showed that it had been
    /// carried out.
    fn never_started(&self, index: usize, item: Item, claim: &Claim) -> bool {
        let session = self.session.map(|terms| terms.session);
        Some(claim.session) == session && self.jobs[index].items[item as usize].lost != Some(claim.run_id)
    }

    /// Reads the nodes of items that decide about a claim.
    pub(super) fn read_items(&mut self, index: usize, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let job = &self.jobs[index];
        let monitored = job.effective.as_ref().is_none_or(|effective| effective.settings.monitor_execution);
        let mut paths = Vec::with_capacity(items.len() * 2);
        for item in items {
            paths.push(self.path(index, &Key::Cursor(*item)));
            if monitored {
                paths.push(self.path(index, &Key::Running(*item)));
            }
            if job.mirror.layout == Layout::V3 {
                paths.push(self.path(index, &Key::Failovering(*item)));
            }
        }
        let id = self.next();
        for item in items {
            self.jobs[index].item_mut(*item).reading = Some(id);
        }
        self.out.push(Effect::Read { id, paths });
    }

    /// Java's mark that an instant passed while an item ran.
    fn mark_misfires(&mut self, index: usize, effective: &Effective, items: &[Item]) {
        if !effective.settings.monitor_execution || !effective.settings.misfire.as_wire() {
            return;
        }
        for item in items {
            let nodes = self.jobs[index].mirror.item_mut(*item);
            if nodes.misfire {
                continue;
            }
            nodes.misfire = true;
            let path = self.path(index, &Key::Misfire(*item));
            self.commit(index, Purpose::Mark(*item), vec![Op::create(path, Bytes::new())]);
        }
    }

    pub(super) fn marked(&mut self, index: usize, item: Item, result: Result<Commit, Error>) {
        let present = match result {
            Ok(_) => true,
            Err(Error::Conflict { conflict, .. }) => conflict == Conflict::Exists,
            Err(_) => {
                let path = self.path(index, &Key::Misfire(item));
                self.read(vec![path]);
                return;
            }
        };
        self.jobs[index].mirror.item_mut(item).misfire = present;
    }

    /// Tells streams to come to an end when their items are to move, or streaming was switched off.
    pub(super) fn wind_down(&mut self, index: usize) {
        let job = &self.jobs[index];
        let streaming = job.effective.as_ref().is_none_or(|effective| {
            !matches!(effective.settings.kind, clockwright_model::JobKind::Dataflow { streaming: false })
        });
        let moved = (0..job.items.len() as Item).any(|item| {
            let state = &job.items[item as usize];
            matches!(&state.local, Local::Running(active) if !active.taken) && !job.owns(item, &self.me)
        });
        let on = job.mirror.necessary || self.leaving || moved || !streaming || job.phase != Phase::Active;
        if job.winding != on {
            self.jobs[index].winding = on;
            self.out.push(Effect::WindDown { job: index, on });
        }
    }
}

/// See [`Core::settle_previous`].
enum Previous {
    /// Nothing runs; the cursor to go on from, and what is to be recorded with the next change of it.
    Settled { cursor: Box<Cursor>, settlements: Vec<Settlement>, dead: Option<clockwright_model::InstanceId> },
    /// The same fire is claimed again.
    Again(Box<ItemClaim>),
    /// It runs elsewhere.
    Running,
    /// Not decided yet.
    Wait,
}
