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
use super::trouble::Doing;
use super::{Effect, Mutation, Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::cursor::{Claim, Cursor, Gap};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::CursorNode;
use clockwright_model::{FailureKind, Fire, Item, Millis, Outcome, Reason, Settlement, Source};
use clockwright_planner::{Blocked, DueInput, Range, Schedule, due};
use clockwright_registry::{Commit, Conflict, Error, Op};

/// A fire whose runs lost their owners this often is given up: it probably kills them.
const MAX_LOST_ATTEMPTS: u32 = 5;

/// The most attempts that a fire gets, whoever makes them.
pub(super) fn most_attempts(effective: &Effective) -> u32 {
    MAX_LOST_ATTEMPTS.max(effective.settings.retry.max_attempts)
}

/// How long to wait before it is asked again whether outcomes are stored, milliseconds.
const STORING: Millis = 100;

/// What an idle item needs.
pub(super) enum Proposal {
    Nothing,
    Read,
    Claim(ItemClaim),
    Settle(ItemClaim),
}

impl Turn<'_> {
    /// Decides for each item of a job.
    pub(super) fn fire(&mut self) {
        let Some(effective) = self.job.effective.clone() else { return };
        self.keep_in_mind(&effective);
        self.take_trigger(&effective);
        let held = self.held();
        let latest = effective.schedule.latest_until(self.now.wall);
        let (mut claims, mut settles, mut reads, mut ended, mut marks) =
            (vec![], vec![], vec![], vec![], vec![]);
        let mut mine = false;
        for item in 0..self.job.items.len() as Item {
            match &self.job.items[item as usize].local {
                Local::Claiming => {}
                Local::Running(active) => {
                    mine = true;
                    let settled =
                        self.job.mirror.item(item).and_then(|n| n.cursor.cursor()).map(|c| c.settled);
                    if latest > settled && !active.taken && !self.claims_rest() {
                        marks.push(item);
                    }
                }
                Local::Backoff { until, .. } => {
                    let until = *until;
                    if let Some(reason) = self.retry_is_over(item) {
                        self.give_up_retry(item, reason);
                        ended.push(item);
                    } else if self.now.mono < until {
                        self.wake_at_mono(until);
                    } else if !held {
                        claims.extend(self.retry(item));
                    }
                }
                Local::Ended { committing, .. } => {
                    if !committing && !self.claims_rest() {
                        ended.push(item);
                    }
                }
                Local::Idle => match self.idle(item, &effective, latest, held) {
                    Proposal::Nothing => {}
                    Proposal::Read => reads.push(item),
                    Proposal::Claim(claim) => claims.push(claim),
                    Proposal::Settle(claim) => settles.push(claim),
                },
            }
            mine |= self.job.items[item as usize].was_mine;
        }
        self.read_items(&reads);
        self.mark_misfires(&effective, &marks);
        self.complete(&ended);
        self.send_settles(settles);
        self.send_claims(&effective, claims);
        if mine && let Some(next) = effective.schedule.next_after(self.now.wall) {
            self.wake_at_wall(next);
        }
    }

    /// Whether nothing may be claimed for a job now.
    pub(super) fn held(&self) -> bool {
        let job = &*self.job;
        !job.registered
            || job.phase != Phase::Active
            || job.vanished.is_some()
            || self.is_leaving()
            || job.degraded.is_some()
            || job.off.is_some()
            || self.claims_rest()
            || job.mirror.processing.is_some()
            || (job.plan_is_stale() && !self.us.mutated(Mutation::ClaimIgnoresPlan))
            || !self.us.may_claim(self.now)
            || (job.mirror.necessary
                && (self.has_foreign_peers() || self.us.mutated(Mutation::NonLeaderWaitsForever)))
    }

    /// Notices when the job is switched off and on for this instance, so that instants in between are known to be off.
    pub(super) fn track_off(&mut self) {
        let job = &mut *self.job;
        let off = if let Some(note) = &job.mirror.paused {
            Some(Reason::Paused { by: note.by.clone(), text: note.reason.clone() })
        } else if job.mirror.is_kept_off(self.us.me.ip()) {
            Some(Reason::HostDisabled {})
        } else {
            None
        };
        if let (Some(was), None) = (&job.off, &off) {
            job.was_off = Some(was.clone());
            for state in &mut job.items {
                state.blocked_until = self.now.wall;
                state.blocked_by = BlockedBy::Paused;
            }
        }
        job.off = off;
    }

    /// What an item needs of which nothing runs here.
    fn idle(&mut self, item: Item, effective: &Effective, latest: Option<Millis>, held: bool) -> Proposal {
        let session = self.us.session_id();
        if self.job.leaving.is_some() {
            return self.let_go(item, effective);
        }
        let mine = item < self.job.count() && self.job.owns(item, &self.us.me);
        let job = &mut *self.job;
        let taken_by_other =
            job.mirror.item(item).is_some_and(|n| n.taken.as_ref().is_some_and(|taker| *taker != self.us.me));
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
        if mine && self.track_disabled(item) {
            return Proposal::Nothing;
        }
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item) else { return Proposal::Nothing };
        let state = &job.items[item as usize];
        if matches!(nodes.cursor, CursorNode::Unread) {
            return if state.reading.is_some() { Proposal::Nothing } else { Proposal::Read };
        }
        if !mine {
            return self.tie_up(item, effective, held);
        }
        self.record_inherited(item);
        if let Some(proposal) = self.held_item(item, effective, held) {
            return proposal;
        }
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item) else { return Proposal::Nothing };
        let marked = nodes.running.as_ref().filter(|mark| !mark.is_of(&self.us.me, session));
        let unclaimed = nodes.cursor.cursor().is_none_or(|cursor| cursor.running().is_none());
        match marked.filter(|_| unclaimed) {
            // Whoever clears the marks of the dead decides whether what it ran is to run again.
            Some(mark) if self.is_left(mark) => return Proposal::Nothing,
            Some(_) => return self.wait_for_end(item),
            None => {}
        }
        let (base, version) = self.base_cursor(item, effective);
        let (base, settlements, dead) = match self.settle_previous(item, base, effective) {
            Previous::Settled { cursor, settlements, dead } => (*cursor, settlements, dead),
            Previous::Again(_) if held => return Proposal::Nothing,
            Previous::Again(claim) => return Proposal::Claim(*claim),
            Previous::Running => return self.wait_for_end(item),
            Previous::Wait => return Proposal::Nothing,
        };
        self.job.item_mut(item).watching = false;
        if held {
            return Proposal::Nothing;
        }
        let rest = self.job.items[item as usize].claim_after;
        if self.now.mono < rest {
            self.wake_at_mono(rest);
            return Proposal::Nothing;
        }
        let given_up = !settlements.is_empty();
        let claim = ItemClaim { item, cursor: base, version, settlements, dead, takeover: None };
        if given_up {
            // The next claim will overwrite the outcome; it has to be in the cursor before, where it survives this process.
            return Proposal::Settle(claim);
        }
        self.next_run(claim, effective, latest)
    }

    /// Ends a claim of ours of which nothing runs, on an item that belongs to somebody else by now and waits for us.
    fn tie_up(&mut self, item: Item, effective: &Effective, held: bool) -> Proposal {
        if self.is_held(item) {
            return Proposal::Nothing;
        }
        let session = self.us.session_id();
        let (base, version) = self.base_cursor(item, effective);
        if base.running().is_none_or(|claim| claim.owner != self.us.me || claim.session != session) {
            self.job.item_mut(item).loose = false;
            return Proposal::Nothing;
        }
        match self.settle_previous(item, base, effective) {
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

    /// Of a job that is being left: ends a claim of ours of which nothing runs; see [`roster`](super::roster).
    fn let_go(&mut self, item: Item, effective: &Effective) -> Proposal {
        let session = self.us.session_id();
        if !self.job.item_mut(item).loose || !self.job.is_clear() || self.claims_rest() {
            return Proposal::Nothing;
        }
        if self.job.mirror.item(item).is_none_or(|nodes| matches!(nodes.cursor, CursorNode::Unread)) {
            self.load();
            return Proposal::Nothing;
        }
        let (base, version) = self.base_cursor(item, effective);
        let ours = |claim: &Claim| claim.owner == self.us.me && claim.session == session;
        if !base.running().is_some_and(ours) || self.us.mutated(Mutation::RemovedJobKeepsClaims) {
            self.job.item_mut(item).loose = false;
            return Proposal::Nothing;
        }
        let outcome = Outcome::Cancelled { reason: Reason::JobLeft {} };
        Proposal::Settle(self.give_up(item, base, version, outcome))
    }

    /// Records what somebody else, or an earlier incarnation of this process, wrote into the cursor: it may have died before
    /// its own record was safe, and the next claim overwrites the cursor. Recording the same again changes nothing.
    pub(super) fn record_inherited(&mut self, item: Item) {
        let session = self.us.session_id();
        let job = &mut *self.job;
        let Some(nodes) = job.mirror.items.get(item as usize) else { return };
        let CursorNode::Known { modified, cursor, .. } = &nodes.cursor else { return };
        let state = &mut job.items[item as usize];
        if state.recorded == *modified {
            return;
        }
        state.recorded = *modified;
        let cursor = cursor.clone();
        let name = self.job.name.clone();
        let namespace = self.us.keys.namespace();
        let kept = cursor.kept.iter().map(|kept| kept.clone().settlement(namespace, name.clone(), item));
        let mut settlements: Vec<Settlement> = kept.collect();
        settlements.extend(self.gap_settlements(item, &cursor.gap));
        if let Some(claim) = &cursor.run
            && let Some(outcome) = claim.outcome.clone()
            && (claim.session != session
                || matches!(outcome, Outcome::Failed { kind: FailureKind::OwnerLost, .. }))
        {
            settlements.push(self.settlement(item, claim, outcome, Some(claim.at)));
        }
        for settlement in settlements {
            self.settle_again(settlement);
        }
    }

    /// The next run of a free item: a waiting trigger, or what the schedule says.
    fn next_run(&mut self, mut claim: ItemClaim, effective: &Effective, latest: Option<Millis>) -> Proposal {
        if let Some(trigger) = claim.cursor.pending.take() {
            claim.cursor.gap.clear();
            claim.cursor.run = Some(self.new_claim(trigger, 1, Source::Trigger));
            return Proposal::Claim(claim);
        }
        self.notice_future(claim.item, claim.cursor.settled);
        claim.cursor.gap.clear();
        if claim.cursor.schedule != effective.schedule_hash {
            // What was due under the schedule before is placed first.
            let until = effective.schedule_since.min(self.now.wall);
            if let Some(former) = self.job.former_schedule(claim.cursor.rule.as_ref())
                && let Some(run) = self.place(&mut claim, &former, until, effective)
            {
                return self.claim_run(claim, run);
            }
            claim.cursor.settled = claim.cursor.settled.max(until);
            claim.cursor.schedule = effective.schedule_hash;
        }
        claim.cursor.rule = Some(effective.rule.clone());
        if latest.is_some_and(|latest| latest > claim.cursor.settled)
            && let Some(run) = self.place(&mut claim, &effective.schedule, self.now.wall, effective)
        {
            return self.claim_run(claim, run);
        }
        if claim.settlements.is_empty() { Proposal::Nothing } else { Proposal::Settle(claim) }
    }

    /// Gives the instants of a schedule up to `until` their outcomes in the claim's cursor. Returns the one that is to run now.
    fn place(
        &self,
        claim: &mut ItemClaim,
        schedule: &Schedule,
        until: Millis,
        effective: &Effective,
    ) -> Option<(Millis, Source)> {
        let job = &*self.job;
        let state = &job.items[claim.item as usize];
        let blocked_by = match state.blocked_by {
            BlockedBy::Busy => Blocked::Busy,
            BlockedBy::Unowned => Blocked::Unowned,
            BlockedBy::Paused => job.was_off.as_ref().map_or(Blocked::Unowned, Blocked::Off),
            BlockedBy::Disabled => Blocked::Off(&Reason::ItemDisabled {}),
        };
        let mut misfire = effective.settings.misfire;
        if self.us.mutated(Mutation::MisfireForgottenOnTakeover) && state.blocked_by == BlockedBy::Unowned {
            misfire = clockwright_model::Misfire::Skip;
        }
        self.place_blocked(claim, schedule, until, (state.blocked_until, blocked_by), misfire)
    }

    /// Puts the instants of an item up to `until` on record as not run for this reason.
    pub(super) fn settle_blocked(
        &self,
        claim: &mut ItemClaim,
        effective: &Effective,
        until: Millis,
        reason: Blocked<'_>,
    ) {
        let blocked = (until, reason);
        let _none =
            self.place_blocked(claim, &effective.schedule, until, blocked, clockwright_model::Misfire::Skip);
    }

    fn place_blocked(
        &self,
        claim: &mut ItemClaim,
        schedule: &Schedule,
        until: Millis,
        (blocked_until, blocked_by): (Millis, Blocked<'_>),
        misfire: clockwright_model::Misfire,
    ) -> Option<(Millis, Source)> {
        let decision = due(&DueInput {
            schedule,
            settled: claim.cursor.settled,
            now: self.now.wall,
            until,
            blocked_until,
            blocked_by,
            misfire,
            tolerance: self.us.options.tolerance,
        });
        let gap =
            |range: Range| Gap { from: range.from, to: range.to, count: range.count, outcome: range.outcome };
        let gaps: Vec<Gap> = decision.settled.into_iter().map(gap).collect();
        if let Some(last) = gaps.last() {
            claim.cursor.settled = last.to;
        }
        claim.settlements.extend(self.gap_settlements(claim.item, &gaps));
        claim.cursor.gap.extend(gaps);
        decision.run
    }

    fn claim_run(&mut self, mut claim: ItemClaim, (at, source): (Millis, Source)) -> Proposal {
        let twice = source == Source::Misfire && self.us.mutated(Mutation::MisfireRunsTwice);
        claim.cursor.settled = if twice { at - 1 } else { at };
        claim.cursor.run = Some(self.new_claim(Fire::Scheduled(at), 1, source));
        Proposal::Claim(claim)
    }

    /// Whether an operator disabled the item; notices when that ends.
    fn track_disabled(&mut self, item: Item) -> bool {
        let job = &mut *self.job;
        let disabled = job.mirror.item(item).is_some_and(|nodes| nodes.disabled);
        let state = job.item_mut(item);
        if state.was_disabled && !disabled {
            state.blocked_until = self.now.wall;
            state.blocked_by = BlockedBy::Disabled;
        }
        state.was_disabled = disabled;
        disabled
    }

    /// The cursor that a claim builds on, and its version.
    pub(super) fn base_cursor(&self, item: Item, effective: &Effective) -> (Cursor, Option<i32>) {
        let job = &*self.job;
        let nodes = &job.mirror.items[item as usize];
        let planned_from = nodes.owner.as_ref().map_or(0, |owner| job.plans.covers_from(owner));
        let fresh = || {
            let since = planned_from.max(effective.changed_at);
            let mut cursor = Cursor::starting(since, effective.schedule_hash, Some(effective.rule.clone()));
            cursor.generation = self.us.generation();
            cursor
        };
        match &nodes.cursor {
            CursorNode::Known { version, cursor, .. } => {
                let mut cursor = (**cursor).clone();
                if cursor.schedule != effective.schedule_hash && cursor.rule.is_none() {
                    cursor.settled = cursor.settled.max(effective.schedule_since);
                    cursor.schedule = effective.schedule_hash;
                }
                if self.has_foreign_peers() || self.us.mutated(Mutation::NoFireIdentity) {
                    // A Java peer may have run the instants before: it keeps no cursor.
                    cursor.settled = cursor.settled.max(planned_from);
                }
                (cursor, Some(*version))
            }
            CursorNode::Damaged { version, .. } => (fresh(), Some(*version)),
            CursorNode::Absent | CursorNode::Unread => (fresh(), None),
        }
    }

    /// Waits for the end of a run that goes on elsewhere.
    fn wait_for_end(&mut self, item: Item) -> Proposal {
        let state = self.job.item_mut(item);
        state.blocked_until = self.now.wall;
        state.blocked_by = BlockedBy::Busy;
        if state.watching {
            return Proposal::Nothing;
        }
        state.watching = true;
        Proposal::Read
    }

    /// What is to be done about the item's last claim before a new one.
    fn settle_previous(&mut self, item: Item, mut cursor: Cursor, effective: &Effective) -> Previous {
        let Some(claim) = cursor.running().cloned() else {
            self.job.item_mut(item).orphan_since = None;
            return Previous::Settled { cursor: Box::new(cursor), settlements: vec![], dead: None };
        };
        let own = claim.owner == self.us.me;
        if !own && self.us.alive(&claim.owner, claim.session) {
            return Previous::Running;
        }
        if !own && (!self.orphaned_long_enough(item) || !self.lease_is_known(item, &claim)) {
            return Previous::Wait;
        }
        let may_again = claim.attempt < most_attempts(effective);
        let again = effective.settings.failover && may_again;
        if again && !own {
            // The failover path takes it: Java peers can see that, and another instance may be quicker.
            return Previous::Wait;
        }
        let version = self.job.mirror.items[item as usize].cursor.version();
        if again || (own && may_again && self.never_started(item, &claim)) {
            cursor.run = Some(self.new_claim(claim.fire, claim.attempt + 1, Source::Failover));
            let claim = ItemClaim { item, cursor, version, settlements: vec![], dead: None, takeover: None };
            return Previous::Again(Box::new(claim));
        }
        let owner = claim.owner.to_string();
        let reason = match (own, effective.settings.failover) {
            (true, false) => Reason::OwnLeaseLost {},
            (true, true) => Reason::OwnLeaseLostForGood {},
            (false, false) => Reason::OwnerDied { owner },
            (false, true) => Reason::OwnerDiedForGood { owner },
        };
        let ItemClaim { cursor, settlements, dead, .. } =
            self.give_up(item, cursor, version, owner_lost(reason));
        Previous::Settled { cursor: Box::new(cursor), settlements, dead }
    }

    /// The change of a cursor that settles its open claim, of which nothing runs.
    fn give_up(&self, item: Item, mut cursor: Cursor, version: Option<i32>, outcome: Outcome) -> ItemClaim {
        let (mut settlements, mut dead) = (Vec::new(), None);
        if let Some(claim) = &mut cursor.run {
            settlements.push(self.settlement(item, claim, outcome.clone(), Some(claim.at)));
            claim.outcome = Some(outcome);
            let gone = claim.owner != self.us.me && !self.us.leases.contains_key(&claim.owner);
            dead = gone.then(|| claim.owner.clone());
        }
        ItemClaim { item, cursor, version, settlements, dead, takeover: None }
    }

    /// Makes hints about an item's run matter here, until its cursor decides.
    pub(super) fn watch_item(&mut self, item: Item) {
        let state = self.job.item_mut(item);
        if !state.watching {
            state.watching = true;
            self.read_items(&[item]);
        }
    }

    /// Prepares an item that the job no longer has for its removal: what its cursor says goes on record, and a claim without a
    /// living owner is settled. True when the cursor may go.
    pub(super) fn wind_up(&mut self, item: Item) -> bool {
        let job = &*self.job;
        if !job.items.get(item as usize).is_none_or(|state| matches!(state.local, Local::Idle)) {
            return false;
        }
        let Some(nodes) = job.mirror.item(item) else { return false };
        let cursor = match &nodes.cursor {
            CursorNode::Known { cursor, .. } => (**cursor).clone(),
            CursorNode::Absent | CursorNode::Damaged { .. } => return true,
            CursorNode::Unread => {
                if job.items.get(item as usize).is_none_or(|state| state.reading.is_none()) {
                    self.read_items(&[item]);
                }
                return false;
            }
        };
        let version = nodes.cursor.version();
        let Some(claim) = cursor.running().cloned() else {
            self.record_inherited(item);
            if !self.all_stored(item) {
                // Nobody could find the outcomes once the cursor is gone.
                self.wake_at_mono(self.now.mono + STORING);
                return false;
            }
            return true;
        };
        if self.orphaned_long_enough(item) && self.lease_is_known(item, &claim) {
            let reason = Reason::OwnerDiedItemGone { owner: claim.owner.to_string() };
            let claim = self.give_up(item, cursor, version, owner_lost(reason));
            self.send_settles(vec![claim]);
        }
        false
    }

    /// Whether a claim of our own was never started: its answer was unclear, and only the read-back showed that it had been
    /// carried out.
    fn never_started(&self, item: Item, claim: &Claim) -> bool {
        let session = self.us.session.map(|terms| terms.session);
        Some(claim.session) == session && self.job.items[item as usize].lost != Some(claim.run_id)
    }

    /// Java's mark that an instant passed while an item ran.
    fn mark_misfires(&mut self, effective: &Effective, items: &[Item]) {
        if !effective.settings.monitor_execution || !effective.settings.misfire.as_wire() {
            return;
        }
        for item in items {
            let nodes = self.job.mirror.item_mut(*item);
            if nodes.misfire {
                continue;
            }
            nodes.misfire = true;
            let path = self.path(&Key::Misfire(*item));
            self.commit(Purpose::Mark(*item), vec![Op::create(path, Bytes::new())]);
        }
    }

    pub(super) fn marked(&mut self, item: Item, result: Result<Commit, Error>) {
        let present = match result {
            Ok(_) => true,
            Err(Error::Conflict { conflict, .. }) => conflict == Conflict::Exists,
            Err(error) => {
                if !error.is_unknown() {
                    self.refused(Doing::Claim, &error);
                }
                let path = self.path(&Key::Misfire(item));
                self.us.read(vec![path]);
                return;
            }
        };
        self.job.mirror.item_mut(item).misfire = present;
    }

    /// Tells streams to come to an end when their items are to move, or streaming was switched off.
    pub(super) fn wind_down(&mut self) {
        let job = &*self.job;
        let streaming = job.effective.as_ref().is_none_or(|effective| {
            !matches!(effective.settings.kind, clockwright_model::JobKind::Dataflow { streaming: false })
        });
        let moved = (0..job.items.len() as Item).any(|item| {
            let state = &job.items[item as usize];
            matches!(&state.local, Local::Running(active) if !active.taken) && !job.owns(item, &self.us.me)
        });
        let on =
            job.mirror.necessary || self.is_leaving() || moved || !streaming || job.phase != Phase::Active;
        if job.winding != on {
            self.job.winding = on;
            self.us.out.push(Effect::WindDown { job: self.job.number, on });
        }
    }
}

/// The outcome of a fire whose owner is lost.
fn owner_lost(reason: Reason) -> Outcome {
    Outcome::Failed { kind: FailureKind::OwnerLost, reason }
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
