//! Firing: which items are due, and what each needs before it can run. The run itself is [`claim`](super::claim)'s story.
//!
//! # An item that is free
//! Its cursor says up to where each instant has its outcome, and what the last claim was. A claim without an outcome comes first: it
//! runs elsewhere, or it is claimed again, or given up. Then a trigger that waits. Then what the schedule says, which is arithmetic:
//! of all the instants since then each gets an outcome by the job's policy, and at most one is claimed now.
//!
//! # While an item runs
//! Its own due instants pass. Nothing is written for them except Java's `misfire` mark: whoever claims next finds them by the same
//! arithmetic.
//!
//! # When its plan changes
//! A run is never interrupted for a plan. The new owner sees the claim, waits for its end by watching the cursor, and goes on
//! from there.

use super::change::{CursorChange, owner_lost};
use super::effective::Effective;
use super::job::{BlockedBy, Local, Phase};
use super::trouble::Doing;
use super::{Effect, Mutation, Purpose, Turn};
use bytes::Bytes;
use clockwright_fleet::cursor::{Claim, Cursor};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::CursorNode;
use clockwright_fleet::write::Write;
use clockwright_model::{Fire, Item, Millis, Outcome, Reason, Settlement, Source};
use clockwright_planner::{Blocked, DueInput, Schedule, due};
use clockwright_registry::{Commit, Error};
use clockwright_runtime::StopReason;

/// A fire whose runs lost their owners this often is given up: it probably kills them.
const MAX_LOST_ATTEMPTS: u32 = 5;

/// The most attempts that a fire gets, whoever makes them.
pub(super) fn most_attempts(effective: &Effective) -> u32 {
    MAX_LOST_ATTEMPTS.max(effective.settings.retry.max_attempts)
}

/// How long to wait before it is asked again whether outcomes are stored, milliseconds.
pub(super) const STORING: Millis = 100;

/// What may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    Nothing,
    /// Of what was begun here and has no outcome yet.
    NextAttempts,
    All,
}

/// What an idle item needs.
pub(super) enum Proposal {
    Nothing,
    Read,
    Claim(CursorChange),
    /// The cursor moves on without a run.
    Advance(CursorChange),
}

impl Turn<'_> {
    /// Decides for each item of a job.
    pub(super) fn fire(&mut self) {
        let Some(effective) = self.job.effective.clone() else { return };
        self.keep_in_mind(&effective);
        if self.claims_rest() {
            self.wake_at_mono(self.job.rests_until(Doing::Claim));
        }
        self.take_trigger(&effective);
        let open = self.open_claims();
        let latest = effective.schedule.latest_until(self.now.wall);
        let (mut claims, mut advances, mut reads, mut ended, mut marks) =
            (vec![], vec![], vec![], vec![], vec![]);
        let mut mine = false;
        for item in 0..self.job.items.len() as Item {
            let state = &self.job.items[item as usize];
            match &state.local {
                _ if state.is_advancing => {}
                Local::Claiming => {}
                Local::Running(active) => {
                    mine = true;
                    let settled =
                        self.job.mirror.item(item).and_then(|n| n.cursor.cursor()).map(|c| c.settled);
                    // Of an item whose nodes are gone nothing is marked: there is nowhere to.
                    if settled.is_some() && latest > settled && !active.taken && !self.claims_rest() {
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
                    } else if open >= Open::NextAttempts {
                        claims.extend(self.retry(item));
                    }
                }
                Local::Ended { committing, .. } => {
                    if !committing && !self.claims_rest() {
                        ended.push(item);
                    }
                }
                Local::Idle => match self.idle(item, &effective, latest, open) {
                    Proposal::Nothing => {}
                    Proposal::Read => reads.push(item),
                    Proposal::Claim(claim) => claims.push(claim),
                    Proposal::Advance(change) => advances.push(change),
                },
            }
            mine |= self.job.items[item as usize].was_mine;
        }
        self.read_items(&reads);
        self.mark_misfires(&effective, &marks);
        self.complete(&ended);
        self.advance_each(advances);
        self.claim(&effective, claims);
        if mine && let Some(next) = effective.schedule.next_after(self.now.wall) {
            self.wake_at_wall(next);
        }
    }

    /// Whether nothing may be begun for a job now.
    pub(super) fn held(&self) -> bool {
        self.open_claims() < Open::All
    }

    /// What may be claimed for a job now. Beside a Java peer `necessary` holds claims until the plan is made. Whoever makes it waits for
    /// every mark of what runs, and between two attempts that mark stays up: an attempt that waited for the plan would never come.
    fn open_claims(&self) -> Open {
        let job = &*self.job;
        let stopped = !job.registered
            || job.phase != Phase::Active
            || job.vanished.is_some()
            || self.is_leaving()
            || job.degraded.is_some()
            || job.off.is_some()
            || self.claims_rest()
            || job.mirror.processing.is_some()
            || (job.plan_is_stale() && !self.us.mutated(Mutation::ClaimIgnoresPlan))
            || !self.us.may_claim(self.now);
        let waits = job.mirror.necessary
            && (self.has_foreign_peers() || self.us.mutated(Mutation::NonLeaderWaitsForever));
        match (stopped, waits) {
            (true, _) => Open::Nothing,
            (false, true) if self.us.mutated(Mutation::RetryWaitsForPlan) => Open::Nothing,
            (false, true) => Open::NextAttempts,
            (false, false) => Open::All,
        }
    }

    /// Notices when the job is switched off and on for this instance, so that instants in between are known to be off.
    pub(super) fn track_off(&mut self) {
        let job = &mut *self.job;
        let off = if let Some(note) = &job.mirror.paused {
            Some(Reason::Paused { by: note.by.clone(), text: note.reason.clone() })
        } else if job.mirror.is_kept_off(self.us.me.ip()) {
            Some(Reason::HostDisabled {})
        } else if job.mirror.drained.contains(self.us.me.ip()) {
            Some(Reason::HostDrained {})
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
        self.stop_killed();
    }

    /// Stops what runs of a job whose pause says so, each run once.
    fn stop_killed(&mut self) {
        if !self.job.mirror.paused.as_ref().is_some_and(|note| note.kill) {
            return;
        }
        let stopped_to = std::mem::replace(&mut self.job.killed_to, self.us.sequence);
        for run in self.job.live_runs().into_iter().filter(|run| *run > stopped_to) {
            self.us.out.push(Effect::Stop { run, reason: StopReason::Cancelled });
        }
    }

    /// What an item needs of which nothing runs here.
    fn idle(&mut self, item: Item, effective: &Effective, latest: Option<Millis>, open: Open) -> Proposal {
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
            job.mirror.forget_cursor(item);
        }
        let disabled = mine && self.track_disabled(item);
        let job = &*self.job;
        let Some(nodes) = job.mirror.item(item) else { return Proposal::Nothing };
        let state = &job.items[item as usize];
        if matches!(nodes.cursor, CursorNode::Unread) {
            return if state.reading.is_some() { Proposal::Nothing } else { Proposal::Read };
        }
        if !mine || disabled {
            return self.tie_up(item, effective, open);
        }
        self.record_inherited(item);
        if let Some(proposal) = self.held_item(item, effective, open < Open::All) {
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
        let previous = self.previous(item, base, effective);
        match previous {
            Previous::Again(_) if open < Open::NextAttempts => return Proposal::Nothing,
            Previous::Again(claim) => return Proposal::Claim(*claim),
            Previous::Running => return self.wait_for_end(item),
            Previous::Wait => return Proposal::Nothing,
            Previous::GivenUp(_) if !self.may_end_claims() => return Proposal::Nothing,
            Previous::Over(_) | Previous::GivenUp(_) => {}
        }
        self.job.item_mut(item).watching = false;
        if open < Open::All && matches!(previous, Previous::Over(_)) {
            return Proposal::Nothing;
        }
        let rest = self.job.items[item as usize].claim_after;
        if self.now.mono < rest {
            self.wake_at_mono(rest);
            return Proposal::Nothing;
        }
        match previous {
            // The next claim will overwrite the outcome; it has to be in the cursor before, where it survives this process.
            Previous::GivenUp(change) => Proposal::Advance(*change),
            Previous::Over(cursor) => {
                self.next_run(CursorChange::new(item, cursor, version), effective, latest)
            }
            _ => Proposal::Nothing,
        }
    }

    /// Ends a claim of which nothing runs: ours, on an item that belongs to somebody else by now and waits for us; or anybody's, on an
    /// item of ours that is disabled.
    fn tie_up(&mut self, item: Item, effective: &Effective, open: Open) -> Proposal {
        if self.is_held(item) {
            return Proposal::Nothing;
        }
        let (base, _) = self.base_cursor(item, effective);
        if !base.running().is_some_and(|claim| self.is_ours(claim)) {
            self.job.item_mut(item).loose = false;
            if base.running().is_none() || !self.job.owns(item, &self.us.me) {
                return Proposal::Nothing;
            }
        }
        match self.previous(item, base, effective) {
            Previous::Again(claim) if open >= Open::NextAttempts => Proposal::Claim(*claim),
            Previous::GivenUp(change) if self.may_end_claims() => Proposal::Advance(*change),
            _ => Proposal::Nothing,
        }
    }

    /// Whether claims of which nothing runs may be given up: nothing begins by that, so that it is done also where nothing may begin.
    fn may_end_claims(&self) -> bool {
        self.us.may_claim(self.now) && self.job.degraded.is_none() && !self.claims_rest()
    }

    /// A claim of ours that only we may end, as our session lives.
    fn is_ours(&self, claim: &Claim) -> bool {
        claim.owner == self.us.me && self.us.is_our_session(claim.session)
    }

    /// Whether no further attempt at a claim's fire is to begin: by nobody, or not by us, who alone may end it.
    pub(super) fn is_off(&self, item: Item, claim: &Claim) -> bool {
        let job = &*self.job;
        let disabled = job.mirror.item(item).is_some_and(|nodes| nodes.disabled);
        let here = job.off.is_some() || job.phase == Phase::ShutDown;
        disabled || job.mirror.paused.is_some() || (here && self.is_ours(claim))
    }

    /// Of a job that is being left: ends a claim of ours of which nothing runs; see [`roster`](super::roster).
    fn let_go(&mut self, item: Item, effective: &Effective) -> Proposal {
        if !self.job.item_mut(item).loose || !self.job.is_clear() || self.claims_rest() {
            return Proposal::Nothing;
        }
        if self.job.mirror.item(item).is_none_or(|nodes| matches!(nodes.cursor, CursorNode::Unread)) {
            self.load();
            return Proposal::Nothing;
        }
        let (base, version) = self.base_cursor(item, effective);
        if !base.running().is_some_and(|claim| self.is_ours(claim))
            || self.us.mutated(Mutation::RemovedJobKeepsClaims)
        {
            self.job.item_mut(item).loose = false;
            return Proposal::Nothing;
        }
        let outcome = Outcome::Cancelled { reason: Reason::JobLeft {} };
        Proposal::Advance(self.give_up(item, base, version, outcome))
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
            && (claim.session != session || outcome.is_owner_lost())
        {
            settlements.push(self.settlement(item, claim, outcome, Some(claim.at)));
        }
        for settlement in settlements {
            self.settle_again(settlement);
        }
    }

    /// The next run of a free item: a waiting trigger, or what the schedule says.
    fn next_run(
        &mut self,
        mut claim: CursorChange,
        effective: &Effective,
        latest: Option<Millis>,
    ) -> Proposal {
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
            if !self.us.mutated(Mutation::ReplacedScheduleIsForgotten)
                && let Some(former) = self.job.former_schedule(claim.cursor.rule.as_ref())
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
        if claim.settlements.is_empty() { Proposal::Nothing } else { Proposal::Advance(claim) }
    }

    /// Gives the instants of a schedule up to `until` their outcomes in the claim's cursor. Returns the one that is to run now.
    fn place(
        &self,
        claim: &mut CursorChange,
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
        claim: &mut CursorChange,
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
        claim: &mut CursorChange,
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
        if let Some(last) = decision.settled.last() {
            claim.cursor.settled = last.to;
        }
        claim.settlements.extend(self.gap_settlements(claim.item, &decision.settled));
        claim.cursor.gap.extend(decision.settled);
        decision.run
    }

    fn claim_run(&mut self, mut claim: CursorChange, (at, source): (Millis, Source)) -> Proposal {
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
    pub(super) fn base_cursor(&self, item: Item, effective: &Effective) -> (Box<Cursor>, Option<i32>) {
        let job = &*self.job;
        let nodes = &job.mirror.items[item as usize];
        let planned_from = nodes.owner.as_ref().map_or(0, |owner| job.plans.covers_from(owner));
        let fresh = || {
            let since = planned_from.max(effective.changed_at);
            let mut cursor = Cursor::starting(since, effective.schedule_hash, Some(effective.rule.clone()));
            cursor.generation = self.us.generation();
            Box::new(cursor)
        };
        match &nodes.cursor {
            CursorNode::Known { version, cursor, .. } => {
                let mut cursor = cursor.clone();
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
    fn previous(&mut self, item: Item, mut cursor: Box<Cursor>, effective: &Effective) -> Previous {
        let Some(claim) = cursor.running().cloned() else {
            self.job.item_mut(item).orphan = None;
            return Previous::Over(cursor);
        };
        let own = claim.owner == self.us.me;
        if !own && self.us.alive(&claim.owner, claim.session) {
            return Previous::Running;
        }
        if !own && (!self.orphaned_long_enough(item) || !self.lease_is_known(item, &claim)) {
            return Previous::Wait;
        }
        let off = self.is_off(item, &claim);
        let may_again = claim.attempt < most_attempts(effective) && !off;
        let again = effective.settings.failover && may_again;
        if again && !own {
            // The failover path takes it: Java peers can see that, and another instance may be quicker.
            return Previous::Wait;
        }
        let version = self.job.mirror.items[item as usize].cursor.version();
        if again || (own && may_again && self.never_started(item, &claim)) {
            cursor.run = Some(self.new_claim(claim.fire, claim.attempt + 1, Source::Failover));
            return Previous::Again(Box::new(CursorChange::new(item, cursor, version)));
        }
        let owner = claim.owner.to_string();
        let reason = match (own, effective.settings.failover) {
            _ if off => Reason::InterruptedWhileOff {},
            (true, false) => Reason::OwnLeaseLost {},
            (true, true) => Reason::OwnLeaseLostForGood {},
            (false, false) => Reason::OwnerDied { owner },
            (false, true) => Reason::OwnerDiedForGood { owner },
        };
        Previous::GivenUp(Box::new(self.give_up(item, cursor, version, owner_lost(reason))))
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
        let mut cursor = match &nodes.cursor {
            CursorNode::Known { cursor, .. } => cursor.clone(),
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
            if cursor.held.is_some() {
                if let Some(effective) = job.effective.clone()
                    && let Some(change) = self.release_removed(item, (cursor, version), &effective)
                {
                    self.advance_each(vec![change]);
                }
                return false;
            }
            if let Some(waits) = cursor.pending.take() {
                let skipped = self.never_ran(item, waits, Outcome::Skipped { reason: Reason::ItemGone {} });
                self.advance_each(vec![CursorChange::new(item, cursor, version).telling(vec![skipped])]);
                return false;
            }
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
            let change = self.give_up(item, cursor, version, owner_lost(reason));
            self.advance_each(vec![change]);
        }
        false
    }

    /// Whether a claim of our own was never started: its answer was unclear, and only the read-back showed that it had been
    /// carried out.
    fn never_started(&self, item: Item, claim: &Claim) -> bool {
        self.us.is_our_session(claim.session)
            && self.job.items[item as usize].lost.as_deref() != Some(&claim.run_id)
    }

    /// Java's mark that an instant passed while an item ran.
    fn mark_misfires(&mut self, effective: &Effective, items: &[Item]) {
        if !effective.settings.monitor_execution || !effective.settings.misfire.as_wire() {
            return;
        }
        for item in items {
            if self.job.mirror.item(*item).is_some_and(|nodes| nodes.misfire)
                || std::mem::replace(&mut self.job.item_mut(*item).is_marking, true)
            {
                continue;
            }
            self.commit(Purpose::Mark(*item), Write::create(Key::Misfire(*item), Bytes::new()).into());
        }
    }

    /// What became of a misfire mark. One that is not up by us is looked at: somebody else may have been quicker.
    pub(super) fn marked(&mut self, item: Item, writes: Vec<Write>, result: Result<Commit, Error>) {
        match result {
            Ok(commit) => {
                self.job.item_mut(item).is_marking = false;
                self.take_in(writes, &commit);
            }
            Err(error) => {
                if !error.is_unknown() && !matches!(error, Error::Conflict { .. }) {
                    self.refused(Doing::Claim, &error);
                }
                // The item's nodes may be gone, with its cursor.
                let paths = [Key::Misfire(item), Key::Cursor(item)].map(|key| self.path(&key));
                self.us.read(paths.to_vec());
            }
        }
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

/// What became of an item's last claim.
enum Previous {
    /// It has its outcome, or there was none; the cursor to go on from.
    Over(Box<Cursor>),
    /// Its owner is lost, and the fire is not claimed again: it failed.
    GivenUp(Box<CursorChange>),
    /// The same fire is claimed again.
    Again(Box<CursorChange>),
    /// It runs elsewhere.
    Running,
    /// Not decided yet.
    Wait,
}
