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

use super::coordinate::Builder;
use super::job::{Active, BlockedBy, Effective, Local, Phase};
use super::mirror::CursorNode;
use super::{Core, Effect, Firing, Mutation, Now, Purpose, RunStart};
use crate::cursor::{Claim, Cursor, Gap};
use crate::keys::Key;
use bytes::Bytes;
use clockwright_model::{
    ErrorHandler, Exclusive, FailureKind, Fire, Item, Millis, Outcome, RunId, Settlement, ShardContext,
    Source, TaskId,
};
use clockwright_planner::{Blocked, DueInput, due};
use clockwright_registry::{Commit, Conflict, Error, Op, OpResult};
use clockwright_runtime::{RunEnd, RunResult, StopReason};
use std::sync::Arc;

/// Items claimed in one group at most.
const CLAIM_BATCH: usize = 100;
/// A fire whose runs lost their owners this often is given up: it probably kills them.
pub(super) const MAX_LOST_ATTEMPTS: u32 = 5;
/// How long an item rests after a claim that failed, milliseconds.
const REST: Millis = 20;

/// One item's part of a claim, or of a cursor change without a run.
pub(super) struct ItemClaim {
    pub(super) item: Item,
    /// The cursor to be written.
    pub(super) cursor: Cursor,
    /// The version it replaces; `None`: there is none yet.
    pub(super) version: Option<i32>,
    /// What is on record once it is written.
    pub(super) settlements: Vec<Settlement>,
    /// The dead process whose lease must be gone.
    pub(super) dead: Option<clockwright_model::InstanceId>,
    /// The item is taken over: `sharding/{i}/failover` is made, its mark is deleted.
    pub(super) takeover: Option<String>,
}

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
                        claims.extend(self.retry(index, item, &effective, now));
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
        } else if !job.mirror.server_enabled(self.me.ip()) {
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
        let foreign_run = nodes.running.is_some_and(|owner| owner != session)
            && nodes.cursor.cursor().is_none_or(|cursor| cursor.running().is_none());
        if foreign_run {
            return self.wait_for_end(index, item, now);
        }
        let (base, version) = self.base_cursor(index, item, effective);
        let (base, settlements, dead) = match self.settle_previous(index, item, base, effective, now) {
            Previous::Settled { cursor, settlements, dead } => (*cursor, settlements, dead),
            Previous::Again(claim) if held => {
                let _ = claim;
                return Proposal::Nothing;
            }
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
            Previous::Settled { cursor, settlements, dead } => {
                Proposal::Settle(ItemClaim { item, cursor: *cursor, version, settlements, dead, takeover: None })
            }
            Previous::Running | Previous::Wait => Proposal::Nothing,
        }
    }

    /// Records what somebody else, or an earlier incarnation of this process, wrote into the cursor: it may have died before
    /// its own record was safe, and the next claim overwrites the cursor. Recording the same again changes nothing.
    fn record_inherited(&mut self, index: usize, item: Item, now: Now) {
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
            && (claim.session != session || matches!(outcome, Outcome::Failed { kind: FailureKind::OwnerLost, .. }))
        {
            settlements.push(self.settlement(index, item, claim, 0, outcome, None, now));
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
        let ItemClaim { cursor, settlements, dead, .. } = self.give_up(index, item, cursor, version, reason, now);
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
            settlements.push(self.settlement(index, item, claim, 0, outcome.clone(), None, now));
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
            let reason = format!("its instance {owner} died while it ran, and the job has no such item any more");
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

    /// A new claim of this instance.
    pub(super) fn new_claim(&mut self, fire: Fire, attempt: u32, source: Source, now: Now) -> Claim {
        Claim {
            fire,
            attempt,
            run_id: RunId::new(now.wall, self.random()),
            owner: self.me.clone(),
            session: self.session.map_or(0, |terms| terms.session),
            source,
            at: now.wall,
            outcome: None,
        }
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
        }
        let id = self.next();
        for item in items {
            self.jobs[index].item_mut(*item).reading = Some(id);
        }
        self.out.push(Effect::Read { id, paths });
    }

    /// Another attempt after a failed one.
    fn retry(&mut self, index: usize, item: Item, effective: &Effective, now: Now) -> Option<ItemClaim> {
        let _ = effective;
        let Local::Backoff { active, .. } = &self.jobs[index].items[item as usize].local else { return None };
        let (fire, attempt, version, taken) =
            (active.claim.fire.clone(), active.claim.attempt + 1, active.version, active.taken);
        let mut cursor = self.jobs[index].mirror.item(item)?.cursor.cursor()?.clone();
        cursor.run = Some(self.new_claim(fire, attempt, Source::Retry, now));
        let takeover = taken.then(String::new);
        Some(ItemClaim { item, cursor, version: Some(version), settlements: vec![], dead: None, takeover })
    }

    fn give_up_retry(&mut self, index: usize, item: Item) {
        let state = self.jobs[index].item_mut(item);
        if let Local::Backoff { active, .. } = std::mem::take(&mut state.local) {
            let reason = "it failed, and its instance left before the next attempt".to_owned();
            let outcome = Outcome::Failed { kind: FailureKind::Job, reason };
            state.local = Local::Ended { active, outcome, committing: false };
        }
    }

    /// Sends claims, in groups.
    pub(super) fn send_claims(
        &mut self,
        index: usize,
        effective: &Effective,
        claims: Vec<ItemClaim>,
        now: Now,
    ) {
        let mut claims = claims.into_iter().peekable();
        while claims.peek().is_some() {
            let group: Vec<ItemClaim> = claims.by_ref().take(CLAIM_BATCH).collect();
            let ops = self.claim_ops(index, effective, &group);
            for claim in &group {
                self.record_inherited(index, claim.item, now);
                self.jobs[index].item_mut(claim.item).local = Local::Claiming;
            }
            self.commit(index, Purpose::Claim(group), ops);
        }
    }

    fn claim_ops(&self, index: usize, effective: &Effective, group: &[ItemClaim]) -> Vec<Op> {
        let job = &self.jobs[index];
        let session = self.session.map_or(0, |terms| terms.session);
        let mut builder = Builder::new(self, index);
        let takeover = group.iter().any(|claim| claim.takeover.is_some());
        if let (Some(epoch), false) = (job.epoch, takeover || self.mutated(Mutation::ClaimIgnoresPlan))
        {
            let path = builder.path(&Key::Epoch);
            builder.ops.push(Op::check_if(path, epoch));
        }
        if effective.settings.max_time_diff_seconds >= 0 {
            if job.mirror.current_time.is_some() {
                let path = builder.path(&Key::CurrentTime);
                builder.ops.push(Op::set(path, Bytes::new()));
            } else {
                builder.create(&Key::CurrentTime, Bytes::new());
            }
        }
        let mut buried = Vec::new();
        for claim in group {
            let Some(nodes) = job.mirror.item(claim.item) else { continue };
            if let Some(dead) = &claim.dead
                && !buried.contains(dead)
            {
                let path = self.keys.lease(dead);
                builder.ops.push(Op::create_ephemeral(path.clone(), Bytes::new()));
                builder.ops.push(Op::delete(path));
                buried.push(dead.clone());
            }
            self.item_ops(&mut builder, claim, nodes, session, effective.settings.monitor_execution);
        }
        builder.ops
    }

    fn item_ops(
        &self,
        builder: &mut Builder<'_>,
        claim: &ItemClaim,
        nodes: &super::mirror::ItemNodes,
        session: i64,
        monitored: bool,
    ) {
        let item = claim.item;
        if let Some(latch) = &claim.takeover
            && nodes.taken.is_none()
        {
            builder.create_ephemeral(&Key::Taken(item), self.me.as_str().to_owned());
            builder.delete(&Key::FailoverItem(item));
            builder.delete(&Key::FailoverLatchNode(latch.clone()));
        }
        if nodes.misfire {
            builder.delete(&Key::Misfire(item));
        }
        let path = builder.path(&Key::Cursor(item));
        builder.ops.push(cursor_op(path, claim));
        if monitored && claim.cursor.running().is_some() && nodes.running != Some(session) {
            builder.create_ephemeral(&Key::Running(item), Bytes::new());
        }
    }

    /// What became of a group of claims.
    pub(super) fn claimed(
        &mut self,
        index: usize,
        claims: Vec<ItemClaim>,
        result: Result<Commit, Error>,
        now: Now,
    ) {
        let commit = match result {
            Ok(commit) => commit,
            Err(Error::Unknown(_)) if self.mutated(Mutation::UnknownIsIgnored) => {
                Commit { transaction: 0, results: Vec::new() }
            }
            Err(error) => return self.claim_failed(index, &claims, &error, now),
        };
        let Some(effective) = self.jobs[index].effective.clone() else { return };
        let touched = self.next();
        let session = self.session.map_or(0, |terms| terms.session);
        let firing = self.next();
        let items: Vec<Item> = claims.iter().map(|claim| claim.item).collect();
        let task_id: Arc<str> = TaskId::of(&self.jobs[index].name, &items, &self.me).into();
        let mut versions = commit.results.iter().filter_map(|result| match result {
            OpResult::Set { version } => Some(*version),
            _ => None,
        });
        // The touch of the clock node, where there is one, comes before the cursors.
        let cursors_set = claims.iter().filter(|claim| claim.version.is_some()).count();
        let all_set = commit.results.iter().filter(|result| matches!(result, OpResult::Set { .. })).count();
        versions.by_ref().take(all_set.saturating_sub(cursors_set)).for_each(drop);
        let mut runs = Vec::with_capacity(claims.len());
        let takeover = claims.iter().any(|claim| claim.takeover.is_some());
        for claim in claims {
            let version = claim.version.map_or(0, |_| versions.next().unwrap_or(0));
            let Some(active_claim) = claim.cursor.running().cloned() else { continue };
            self.note_claim(index, &claim, version, &commit, touched, session, &effective);
            for settlement in claim.settlements {
                self.record(clockwright_model::Event::Settlement(settlement));
            }
            let run = self.next();
            let active = Active {
                run,
                version,
                token: commit.transaction,
                task_id: task_id.clone(),
                start: now.wall,
                taken: claim.takeover.is_some(),
                firing,
                claim: active_claim,
            };
            self.runs.insert(run, (index, claim.item));
            runs.push(RunStart { run, context: self.context(index, claim.item, &active, &effective) });
            self.record_start(index, claim.item, &active);
            self.jobs[index].item_mut(claim.item).local = Local::Running(Box::new(active));
        }
        if takeover {
            self.jobs[index].latch = None;
        }
        if effective.settings.max_time_diff_seconds >= 0 {
            self.read_clock(index, now);
        }
        self.open_firing(index, firing, &task_id, items, takeover, now);
        let strict = effective.settings.exclusive == Exclusive::Strict;
        self.out.push(Effect::Start(Box::new(Firing {
            job: index,
            runs,
            strict,
            timeout: effective.settings.timeout,
        })));
    }

    /// Takes an own claim into the mirror.
    #[allow(clippy::too_many_arguments, reason = "everything that a claim changed, in one place")]
    fn note_claim(
        &mut self,
        index: usize,
        claim: &ItemClaim,
        version: i32,
        commit: &Commit,
        touched: u64,
        session: i64,
        effective: &Effective,
    ) {
        let me = self.me.clone();
        let job = &mut self.jobs[index];
        let state = job.item_mut(claim.item);
        state.touched = touched;
        state.cursor_sequence = touched;
        state.recorded = commit.transaction;
        state.loose = false;
        state.orphan_since = None;
        let nodes = job.mirror.item_mut(claim.item);
        nodes.misfire = false;
        if claim.takeover.is_some() {
            nodes.taken = Some(me);
        }
        if effective.settings.monitor_execution && claim.cursor.running().is_some() {
            nodes.running = Some(session);
        }
        nodes.cursor = CursorNode::Known {
            version,
            modified: commit.transaction,
            cursor: Box::new(claim.cursor.clone()),
        };
        if claim.takeover.is_some() {
            job.mirror.failover_items.remove(&claim.item);
            job.marks_seen.retain(|(item, _)| *item != claim.item);
            if let Some(latch) = &claim.takeover {
                job.mirror.failover_latch.remove(latch);
            }
            job.touched = touched;
        }
    }

    fn context(&self, index: usize, item: Item, active: &Active, effective: &Effective) -> ShardContext {
        ShardContext {
            job: self.jobs[index].name.clone(),
            task_id: active.task_id.clone(),
            sharding_total_count: effective.settings.sharding_total_count,
            job_parameter: effective.job_parameter.clone(),
            item,
            sharding_parameter: effective.item_parameters.get(item as usize).cloned().flatten(),
            fire: active.claim.fire.clone(),
            source: active.claim.source,
            attempt: active.claim.attempt,
            run_id: active.claim.run_id,
            token: active.token,
        }
    }

    /// Claims that were not carried out, or of which that is not known: the items are read anew and decided anew.
    fn claim_failed(&mut self, index: usize, claims: &[ItemClaim], error: &Error, now: Now) {
        let mut items = Vec::with_capacity(claims.len());
        let job = &mut self.jobs[index];
        for claim in claims {
            let state = job.item_mut(claim.item);
            state.local = Local::Idle;
            state.claim_after = now.mono + REST;
            // An unclear claim may have been carried out; a retry leaves the attempt before it open.
            state.loose = true;
            items.push(claim.item);
            job.mirror.item_mut(claim.item).cursor = CursorNode::Unread;
            if claim.takeover.is_some() {
                job.latch = None;
            }
        }
        self.wake_at_mono(index, now.mono + REST);
        match error {
            Error::Conflict { path, .. }
                if self.keys.parse(path).is_some_and(|(_, key)| is_run_node(&key)) =>
            {
                self.read_items(index, &items);
            }
            Error::Conflict { .. } => self.load(index),
            _ => {
                self.read_items(index, &items);
                if !error.is_unknown() {
                    self.tell(Some(index), true, format!("a claim was not possible: {error}"));
                }
            }
        }
    }

    fn send_settles(&mut self, index: usize, settles: Vec<ItemClaim>, now: Now) {
        for claim in settles {
            let path = self.path(index, &Key::Cursor(claim.item));
            let mut ops = Vec::new();
            if let Some(epoch) = self.jobs[index].epoch {
                ops.push(Op::check_if(self.path(index, &Key::Epoch), epoch));
            }
            if let Some(dead) = &claim.dead {
                let lease = self.keys.lease(dead);
                ops.push(Op::create_ephemeral(lease.clone(), Bytes::new()));
                ops.push(Op::delete(lease));
            }
            ops.push(cursor_op(path, &claim));
            ops.extend(self.marks_to_lower(index, &claim));
            self.record_inherited(index, claim.item, now);
            self.jobs[index].item_mut(claim.item).local = Local::Claiming;
            self.commit(index, Purpose::Settle(vec![claim]), ops);
        }
    }

    /// The marks of a run of ours that is given up with this change of the cursor: others would wait for them.
    fn marks_to_lower(&self, index: usize, claim: &ItemClaim) -> Vec<Op> {
        let session = self.session.map(|terms| terms.session);
        let mut ops = Vec::new();
        if claim.settlements.is_empty() {
            return ops;
        }
        let Some(nodes) = self.jobs[index].mirror.item(claim.item) else { return ops };
        if nodes.running.is_some() && nodes.running == session {
            ops.push(Op::delete(self.path(index, &Key::Running(claim.item))));
        }
        if nodes.taken.as_ref() == Some(&self.me) {
            ops.push(Op::delete(self.path(index, &Key::Taken(claim.item))));
        }
        ops
    }

    /// What became of cursor changes without a run.
    pub(super) fn settled(
        &mut self,
        index: usize,
        claims: Vec<ItemClaim>,
        result: Result<Commit, Error>,
        now: Now,
    ) {
        let commit = match result {
            Ok(commit) => commit,
            Err(error) => {
                let (idle, busy): (Vec<ItemClaim>, Vec<ItemClaim>) = claims.into_iter().partition(|claim| {
                    matches!(self.jobs[index].items[claim.item as usize].local, Local::Claiming)
                });
                let job = &mut self.jobs[index];
                for claim in idle.iter().chain(&busy) {
                    job.triggered.1.retain(|item| *item != claim.item);
                    job.mirror.item_mut(claim.item).cursor = CursorNode::Unread;
                }
                let reads: Vec<Item> = busy.iter().map(|claim| claim.item).collect();
                self.read_items(index, &reads);
                return self.claim_failed(index, &idle, &error, now);
            }
        };
        let touched = self.next();
        for claim in claims {
            let version = claim.version.map_or(0, |version| version + 1);
            let lowered = self.marks_to_lower(index, &claim);
            for op in lowered {
                if let Some((_, key)) = self.keys.parse(op.path()) {
                    self.jobs[index].mirror.put(&key, None);
                }
            }
            let cursor = Box::new(claim.cursor);
            let job = &mut self.jobs[index];
            job.mirror.item_mut(claim.item).cursor =
                CursorNode::Known { version, modified: commit.transaction, cursor };
            let state = job.item_mut(claim.item);
            state.touched = touched;
            state.cursor_sequence = touched;
            state.recorded = commit.transaction;
            match &mut state.local {
                local @ Local::Claiming => *local = Local::Idle,
                Local::Running(active) | Local::Backoff { active, .. } | Local::Ended { active, .. } => {
                    active.version = version;
                }
                Local::Idle => {}
            }
            for settlement in claim.settlements {
                self.record(clockwright_model::Event::Settlement(settlement));
            }
        }
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

    /// A run ended.
    pub(super) fn run_ended(&mut self, run: u64, end: RunEnd, now: Now) {
        let Some((index, item)) = self.runs.remove(&run) else { return };
        self.touch(index);
        let state = self.jobs[index].item_mut(item);
        let active = match std::mem::take(&mut state.local) {
            Local::Running(active) if active.run == run => active,
            other => {
                state.local = other;
                return;
            }
        };
        let settings = self.jobs[index].effective.as_ref().map(|effective| effective.settings.clone());
        let settings = settings.unwrap_or_else(|| self.jobs[index].local.clone());
        let outcome = match end.result {
            RunResult::Succeeded => Outcome::Succeeded,
            RunResult::Failed { kind, reason } => Outcome::Failed { kind, reason },
            RunResult::Stopped(StopReason::Cancelled) => {
                Outcome::Cancelled { reason: "stopped by hand".into() }
            }
            RunResult::Stopped(StopReason::Shutdown) => {
                Outcome::Cancelled { reason: "its instance shut down before it ended".into() }
            }
            RunResult::Stopped(StopReason::LeaseLost) => {
                self.lost_run(index, item, &active, now);
                return;
            }
        };
        self.record_end(index, item, &active, &outcome, now);
        if let Outcome::Failed { reason, .. } = &outcome {
            if settings.error_handler != ErrorHandler::Ignore {
                let what = super::job::fire_words(&active.claim.fire);
                self.tell(
                    Some(index),
                    true,
                    format!("item {item}, {what}, attempt {}: {reason}", active.claim.attempt),
                );
            }
            let wait = settings.retry.wait_after(active.claim.attempt);
            if let (Some(wait), false, false) =
                (wait, self.leaving, settings.error_handler == ErrorHandler::Throw)
            {
                let until = now.mono + wait;
                self.jobs[index].item_mut(item).local = Local::Backoff { active, until };
                return;
            }
        }
        self.jobs[index].item_mut(item).local = Local::Ended { active, outcome, committing: false };
    }

    /// A run that was stopped because the lease ran out. Its claim stays as it is: this instance, if its session lives on, or
    /// the next owner decides what becomes of the fire.
    fn lost_run(&mut self, index: usize, item: Item, active: &Active, now: Now) {
        let outcome =
            Outcome::Failed { kind: FailureKind::OwnerLost, reason: "its instance lost the lease".into() };
        self.record_end(index, item, active, &outcome, now);
        self.close_run(index, active.firing, item, &outcome, now);
        let job = &mut self.jobs[index];
        let state = job.item_mut(item);
        state.local = Local::Idle;
        state.lost = Some(active.claim.run_id);
        state.loose = true;
        job.mirror.item_mut(item).cursor = CursorNode::Unread;
    }

    /// The defect of [`Mutation::ReconnectClearsRunning`]: what runs is forgotten, and runs on.
    pub(super) fn forget_runs(&mut self, index: usize) {
        for item in 0..self.jobs[index].items.len() as Item {
            if let Local::Running(active) = &self.jobs[index].items[item as usize].local {
                let active = active.clone();
                let state = self.jobs[index].item_mut(item);
                state.local = Local::Idle;
                state.lost = Some(active.claim.run_id);
                self.jobs[index].mirror.item_mut(item).cursor = CursorNode::Unread;
                self.touch(index);
            }
        }
    }

    /// Writes outcomes into cursors.
    fn complete(&mut self, index: usize, items: &[Item], now: Now) {
        let session = self.session.map_or(0, |terms| terms.session);
        let mut ops = Vec::new();
        let mut group = Vec::new();
        let mut reads = Vec::new();
        for item in items {
            match self.completion(index, *item, session, now) {
                Completion::Write(more) => {
                    ops.extend(more);
                    group.push(*item);
                }
                Completion::Read => reads.push(*item),
                Completion::Over => {}
            }
            if group.len() >= CLAIM_BATCH {
                self.commit(index, Purpose::Complete(std::mem::take(&mut group)), std::mem::take(&mut ops));
            }
        }
        if !group.is_empty() {
            self.commit(index, Purpose::Complete(group), ops);
        }
        self.read_items(index, &reads);
    }

    fn completion(&mut self, index: usize, item: Item, session: i64, now: Now) -> Completion {
        let running_path = self.path(index, &Key::Running(item));
        let taken_path = self.path(index, &Key::Taken(item));
        let cursor_path = self.path(index, &Key::Cursor(item));
        let ignore_token = self.mutated(Mutation::CompletionIgnoresToken);
        let keep_running = self.mutated(Mutation::FailedItemStaysRunning);
        let job = &mut self.jobs[index];
        let state = &mut job.items[item as usize];
        let Local::Ended { active, outcome, committing } = &mut state.local else { return Completion::Over };
        let Some(nodes) = job.mirror.items.get(item as usize) else { return Completion::Over };
        let mut cursor = match &nodes.cursor {
            CursorNode::Unread => {
                return if state.reading.is_some() { Completion::Over } else { Completion::Read };
            }
            CursorNode::Known { version, cursor, .. } => {
                active.version = *version;
                (**cursor).clone()
            }
            CursorNode::Absent | CursorNode::Damaged { .. } => {
                self.closed(index, item, true, now);
                return Completion::Over;
            }
        };
        let ours =
            cursor.run.as_ref().is_some_and(|claim| claim.run_id == active.claim.run_id) || ignore_token;
        let open = cursor.running().is_some();
        if !ours || !open {
            // Either an earlier, unclear commit of ours did it, or somebody took the item over or gave it up meanwhile.
            let outcome = cursor.run.as_ref().and_then(|claim| claim.outcome.as_ref());
            let given_up = matches!(outcome, Some(Outcome::Failed { kind: FailureKind::OwnerLost, .. }));
            self.closed(index, item, ours && !given_up, now);
            return Completion::Over;
        }
        if let Some(claim) = &mut cursor.run {
            claim.outcome = Some(outcome.clone());
        }
        let mut ops = vec![Op::set_if(cursor_path, cursor.to_bytes(), active.version)];
        if nodes.running == Some(session) && !(keep_running && matches!(outcome, Outcome::Failed { .. })) {
            ops.push(Op::delete(running_path));
        }
        if nodes.taken.as_ref() == Some(&self.me) {
            ops.push(Op::delete(taken_path));
        }
        *committing = true;
        Completion::Write(ops)
    }

    /// What became of outcomes on their way into cursors.
    pub(super) fn completed(
        &mut self,
        index: usize,
        items: &[Item],
        result: Result<Commit, Error>,
        now: Now,
    ) {
        let touched = self.next();
        let mut reads = Vec::new();
        for item in items {
            let me = self.me.clone();
            let job = &mut self.jobs[index];
            let Some(state) = job.items.get_mut(*item as usize) else { continue };
            let Local::Ended { active, outcome, committing } = &mut state.local else { continue };
            *committing = false;
            if let Ok(commit) = &result {
                state.touched = touched;
                state.cursor_sequence = touched;
                state.recorded = commit.transaction;
                let version = active.version + 1;
                let outcome = outcome.clone();
                let nodes = job.mirror.item_mut(*item);
                nodes.running = None;
                if nodes.taken.as_ref() == Some(&me) {
                    nodes.taken = None;
                }
                if let CursorNode::Known { version: known, modified, cursor } = &mut nodes.cursor {
                    *known = version;
                    *modified = commit.transaction;
                    if let Some(claim) = &mut cursor.run {
                        claim.outcome = Some(outcome);
                    }
                }
                self.closed(index, *item, true, now);
            } else {
                job.mirror.item_mut(*item).cursor = CursorNode::Unread;
                reads.push(*item);
            }
        }
        if let Err(error) = result {
            if matches!(error, Error::Conflict { .. }) {
                self.load(index);
            }
            self.read_items(index, &reads);
        }
    }

    /// The item is free again here. `counted`: the outcome is the fire's; otherwise somebody took the item over before.
    fn closed(&mut self, index: usize, item: Item, counted: bool, now: Now) {
        let state = self.jobs[index].item_mut(item);
        let Local::Ended { active, outcome, .. } = std::mem::take(&mut state.local) else { return };
        state.blocked_until = now.wall;
        state.blocked_by = BlockedBy::Busy;
        self.close_run(index, active.firing, item, &outcome, now);
        if counted {
            let settlement =
                self.settlement(index, item, &active.claim, active.token, outcome, Some(active.start), now);
            self.record(clockwright_model::Event::Settlement(settlement));
        } else {
            let what = super::job::fire_words(&active.claim.fire);
            let text = format!(
                "item {item}, {what}: its result came after another instance took over; it does not count"
            );
            self.tell(Some(index), true, text);
        }
        self.touch(index);
    }

    /// Takes a trigger from our instance node: it is put into the cursor of each of our items, then the node is reset.
    fn take_trigger(&mut self, index: usize, effective: &Effective, now: Now) {
        let job = &self.jobs[index];
        let Some(node) = job.mirror.instances.get(&self.me).filter(|node| node.trigger && job.registered)
        else {
            return;
        };
        if job.op.is_some()
            || !self.may_claim(now)
            || job.phase != Phase::Active
            || job.mirror.processing.is_some()
        {
            return;
        }
        let trigger = Fire::Trigger { at: node.stat.modified_at, id: format!("{:x}", node.stat.modified) };
        let reset =
            Op::set_if(self.path(index, &Key::Instance(self.me.clone())), Bytes::new(), node.stat.version);
        let off = job.off.is_some() || self.leaving;
        let mut claims = Vec::new();
        for item in 0..job.count() {
            let Some(nodes) = job.mirror.item(item) else { continue };
            if off
                || !job.owns(item, &self.me)
                || nodes.disabled
                || nodes.taken.as_ref().is_some_and(|t| *t != self.me)
            {
                continue;
            }
            let state = &job.items[item as usize];
            let unclear = matches!(state.local, Local::Claiming | Local::Ended { .. });
            if unclear || matches!(nodes.cursor, CursorNode::Unread) || !state.was_mine {
                return;
            }
            let (mut cursor, version) = self.base_cursor(index, item, effective);
            if job.triggered.0 == node.stat.modified && job.triggered.1.contains(&item) {
                continue;
            }
            cursor.pending = Some(trigger.clone());
            claims.push(ItemClaim { item, cursor, version, settlements: vec![], dead: None, takeover: None });
            if claims.len() >= CLAIM_BATCH {
                break;
            }
        }
        let mut ops: Vec<Op> = Vec::new();
        if let (Some(epoch), false) = (job.epoch, claims.is_empty()) {
            ops.push(Op::check_if(self.path(index, &Key::Epoch), epoch));
        }
        for claim in &claims {
            ops.push(cursor_op(self.path(index, &Key::Cursor(claim.item)), claim));
        }
        if claims.is_empty() {
            self.coordinate_other(index, vec![reset]);
            return;
        }
        let modified = node.stat.modified;
        let job = &mut self.jobs[index];
        if job.triggered.0 != modified {
            job.triggered = (modified, Vec::new());
        }
        for claim in &claims {
            self.record_inherited(index, claim.item, now);
        }
        let job = &mut self.jobs[index];
        for claim in &claims {
            job.triggered.1.push(claim.item);
            let state = job.item_mut(claim.item);
            if matches!(state.local, Local::Idle) {
                state.local = Local::Claiming;
            }
        }
        self.commit(index, Purpose::Settle(claims), ops);
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

enum Completion {
    Write(Vec<Op>),
    Read,
    Over,
}

fn cursor_op(path: clockwright_registry::Path, claim: &ItemClaim) -> Op {
    match claim.version {
        Some(version) => Op::set_if(path, claim.cursor.to_bytes(), version),
        None => Op::create(path, claim.cursor.to_bytes()),
    }
}

fn is_run_node(key: &Key) -> bool {
    matches!(key, Key::Cursor(_) | Key::Running(_))
}
