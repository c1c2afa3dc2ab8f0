//! The life of a claim: from the transaction that gives an item to this instance to the recorded outcome of its fire.
//!
//! # One fire of one item
//! ```text
//! claim ─► claimed ─► start ─► run_ended ─► complete ─► completed ─► close
//!   │         │                  │            │           └ not carried out: read the cursor, and complete by what it says
//!   │         │                  │            └ set cursor = outcome, if it has the version of the claim; delete running
//!   │         │                  ├ failed, and another attempt is left: wait, then claim again, attempt + 1
//!   │         │                  └ lost: the lease ran out. The claim stays; whoever may, decides what becomes of it
//!   │         └ not_claimed: conflict or refused: read the item again, decide again
//!   │                        unclear: read the cursor back. It names our run: the attempt counts as lost and the next one is
//!   │                        claimed; it does not: nothing happened, and the version that it had protects the next claim
//!   └ check the plan; set cursor = {fire, attempt, run}; create running
//! ```
//! All items of a firing are claimed together, and firings of many jobs share transactions on the way to the registry.
//!
//! # What a claim proves
//! The plan's epoch: this instance owns the item by the plan it has seen. The cursor's version: nobody claimed, completed or took over
//! since it was read. The `running` node: no Java peer runs the item. Where the claim passes over a dead owner's run, it also proves
//! the owner's lease gone, by creating and deleting the lease node in the same transaction. The number of the transaction is the run's
//! fencing token.
//!
//! # What is recorded
//! An execution when the run starts and when it ends, each attempt its own; a status trace when a firing begins and when the last of
//! its items has ended; and one outcome of the fire, once it is in the cursor. A result that comes after somebody else took the item
//! over is told and does not count.
//!
//! # Rooms
//! What is due is decided in [`firing`](super::firing); what a claim writes is in [`change`](super::change); what an end means, and what
//! it writes, in [`outcome`](super::outcome); how records are made, in [`records`](super::records).

use super::change::{Consequence, CursorChange, Kind};
use super::effective::Effective;
use super::group::Group;
use super::job::{Active, BlockedBy, Local};
use super::outcome::{Completion, Ending};
use super::trouble::Doing;
use super::{Effect, Firing, Mutation, Purpose, RunStart, Turn};
use clockwright_fleet::cursor::Claim;
use clockwright_fleet::keys::Key;
use clockwright_fleet::write::Write;
use clockwright_model::{Exclusive, Fire, Item, Millis, RunId, Settlement, ShardContext, Source, TaskId};
use clockwright_planner::lifecycle::{Event, State};
use clockwright_registry::{Commit, Error};
use clockwright_runtime::{RunEnd, RunResult, StopReason};
use std::sync::Arc;

/// Items claimed in one group at most.
pub(super) const CLAIM_BATCH: usize = 100;
/// How long an item rests after a claim that failed, milliseconds.
const REST: Millis = 20;

impl Turn<'_> {
    /// A new claim of this instance.
    pub(super) fn new_claim(&mut self, fire: Fire, attempt: u32, source: Source) -> Box<Claim> {
        Box::new(Claim {
            fire,
            attempt,
            run_id: RunId::new(self.now.wall, self.us.random()),
            owner: self.us.me.clone(),
            session: self.us.session_id(),
            source,
            at: self.now.wall,
            token: 0,
            outcome: None,
        })
    }

    /// Claims items, in groups. Takeovers travel by themselves: they prove the owner dead, and nothing of the plan.
    pub(super) fn claim(&mut self, effective: &Effective, claims: Vec<CursorChange>) {
        let (takeovers, claims): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| claim.kind == Kind::TakesOver);
        self.claim_in_groups(effective, takeovers, None);
        self.claim_in_groups(effective, claims, None);
    }

    /// As [`claim`](Self::claim); `latch` is the node in the latch's queue that is left with the first group.
    pub(super) fn claim_in_groups(
        &mut self,
        effective: &Effective,
        claims: Vec<CursorChange>,
        mut latch: Option<String>,
    ) {
        let mut claims = claims.into_iter().peekable();
        while claims.peek().is_some() {
            let mut group: Vec<CursorChange> = claims.by_ref().take(CLAIM_BATCH).collect();
            for claim in &mut group {
                self.passes_nothing(claim, effective);
                self.carry(claim);
                let from = self.job.life(claim.item);
                self.job.item_mut(claim.item).local = Local::Claiming;
                self.job.stepped(claim.item, from, Event::Write);
            }
            let latch = latch.take();
            let leaves_latch = latch.is_some();
            let (group, consequences) = self.write_claims(effective, group, latch);
            self.commit(Purpose::Claim { consequences, leaves_latch }, group);
        }
    }

    /// What became of a group of claims.
    pub(super) fn claimed(
        &mut self,
        consequences: Vec<Consequence>,
        leaves_latch: bool,
        writes: Vec<Write>,
        result: Result<Commit, Error>,
    ) {
        if leaves_latch {
            self.job.latch = None;
        }
        let commit = match result {
            Ok(commit) => commit,
            Err(Error::Unknown(_)) if self.us.mutated(Mutation::UnknownIsIgnored) => {
                super::group::as_if_carried_out(&writes)
            }
            Err(error) => {
                let items: Vec<Item> = consequences.iter().map(|consequence| consequence.item).collect();
                return self.not_claimed(&items, &error);
            }
        };
        self.accepted(Doing::Claim);
        for consequence in &consequences {
            self.token_grows(consequence.item, commit.transaction);
        }
        self.take_in(writes, &commit);
        self.start(consequences);
    }

    /// Claims that were not carried out, or of which that is not known: the items are read anew and decided anew.
    pub(super) fn not_claimed(&mut self, items: &[Item], error: &Error) {
        let event = if error.is_unknown() { Event::WriteUnknown } else { Event::WriteRefused };
        let job = &mut *self.job;
        for item in items {
            let from = job.life(*item);
            let state = job.item_mut(*item);
            state.local = Local::Idle;
            state.claim_after = self.now.mono + REST;
            // An unclear claim may have been carried out; a retry leaves the attempt before it open.
            state.loose = true;
            job.mirror.forget_cursor(*item);
            job.stepped(*item, from, event);
        }
        self.wake_at_mono(self.now.mono + REST);
        match error {
            Error::Conflict { path, .. }
                if self.us.keys.parse(path).is_some_and(|(_, key)| is_run_node(&key)) =>
            {
                self.read_items(items);
            }
            Error::Conflict { .. } => self.load(),
            _ => {
                self.read_items(items);
                if !error.is_unknown() {
                    self.refused(Doing::Claim, error);
                }
            }
        }
    }

    /// Starts the runs of a group that was claimed, as one firing.
    fn start(&mut self, claims: Vec<Consequence>) {
        let Some(effective) = self.job.effective.clone() else { return };
        let firing = self.us.next();
        let items: Vec<Item> = claims.iter().map(|claim| claim.item).collect();
        let task_id: Arc<str> = TaskId::of(&self.job.name, &items, &self.us.me).into();
        let takeover = claims.iter().any(|claim| claim.taken);
        let strict = effective.settings.exclusive == Exclusive::Strict;
        let mut runs = Vec::with_capacity(claims.len());
        for consequence in claims {
            let (item, taken) = (consequence.item, consequence.taken);
            self.record_consequence(consequence);
            let Some(active) = self.active(item, &task_id, firing, taken) else { continue };
            if strict && !self.us.may_claim(self.now) {
                // The answer came after the lease's end, to a process that stood still: it must not start what others may
                // take over.
                self.lost(item, &active);
                continue;
            }
            self.us.runs.insert(active.run, (self.job.number, item));
            runs.push(RunStart { run: active.run, context: self.context(item, &active, &effective) });
            self.record_start(item, &active);
            let from = self.job.life(item);
            let state = self.job.item_mut(item);
            state.loose = false;
            state.orphan = None;
            state.local = Local::Running(Box::new(active));
            self.job.stepped(item, from, Event::Began);
        }
        if runs.is_empty() {
            return;
        }
        self.open_firing(firing, &task_id, runs.iter().map(|run| run.context.item).collect(), takeover);
        let whole = self.is_whole(&runs);
        let settings = Arc::clone(&effective.settings);
        let (job, timeout) = (self.job.number, settings.timeout);
        self.us.out.push(Effect::Start(Box::new(Firing { job, runs, settings, strict, timeout, whole })));
    }

    /// What runs of an item, as its cursor says it since the claim.
    fn active(&mut self, item: Item, task_id: &Arc<str>, firing: u64, taken: bool) -> Option<Active> {
        let cursor = &self.job.mirror.item(item)?.cursor;
        let (version, claim) = (cursor.version()?, cursor.cursor()?.running()?.clone());
        let miscounts = taken && self.us.mutated(Mutation::TakeoverMiscountsVersions);
        Some(Active {
            run: self.us.next(),
            version: version + i32::from(miscounts),
            task_id: task_id.clone(),
            start: self.now.wall,
            taken,
            firing,
            log: None,
            claim,
        })
    }

    fn context(&self, item: Item, active: &Active, effective: &Effective) -> ShardContext {
        ShardContext {
            job: self.job.name.clone(),
            task_id: active.task_id.clone(),
            sharding_total_count: effective.settings.sharding_total_count,
            job_parameter: effective.job_parameter.clone(),
            item,
            sharding_parameter: effective.item_parameters.get(item as usize).cloned().flatten(),
            fire: active.claim.fire.clone(),
            source: active.claim.source,
            attempt: active.claim.attempt,
            run_id: active.claim.run_id,
            token: active.claim.token,
        }
    }

    /// Whether all items of ours begin their first attempt at one fire; see [`Firing::whole`].
    fn is_whole(&self, runs: &[RunStart]) -> bool {
        let Some(first) = runs.first().map(|run| &run.context) else { return false };
        let begins = |fire: &Fire, attempt: u32, source: Source| {
            *fire == first.fire && attempt == 1 && source != Source::Failover
        };
        let same = |run: &RunStart| begins(&run.context.fire, run.context.attempt, run.context.source);
        let comes = |item: Item| match self.job.items.get(item as usize).map(|state| &state.local) {
            // Claimed in the same instant, in a group of its own.
            Some(Local::Claiming) => true,
            Some(Local::Running(active)) => {
                begins(&active.claim.fire, active.claim.attempt, active.claim.source)
            }
            _ => false,
        };
        runs.iter().all(same)
            && (0..self.job.count()).filter(|item| self.job.owns(*item, &self.us.me)).all(comes)
    }

    /// A run ended: it is decided whether its fire has an outcome now, or gets another attempt.
    pub(super) fn run_ended(&mut self, item: Item, run: u64, end: RunEnd) {
        self.touch();
        let state = self.job.item_mut(item);
        let mut active = match std::mem::take(&mut state.local) {
            Local::Running(active) if active.run == run => active,
            other => {
                state.local = other;
                return;
            }
        };
        active.log = end.log.map(|log| log.to_string().into());
        let outcome = match Ending::of(end.result, self.us.leaving) {
            Ending::Outcome(outcome) => outcome,
            Ending::LeaseLost => return self.lost(item, &active),
        };
        self.record_end(item, &active, &outcome);
        let (event, local) = match self.next_attempt_at(item, &active, &outcome) {
            Some(until) => {
                // The next attempt is a firing of its own.
                if !self.us.mutated(Mutation::RetriedFiringStaysOpen) {
                    self.close_run(active.firing, item, &outcome);
                }
                active.firing = 0;
                (Event::RunFailed, Local::Backoff { active, until })
            }
            None => (Event::RunEnded, Local::Ended { active, outcome: Box::new(outcome), committing: false }),
        };
        self.job.item_mut(item).local = local;
        self.job.stepped(item, State::Running, event);
    }

    /// A run that was stopped because the lease ran out. Its claim stays as it is: this instance, if its session lives on, or
    /// the next owner decides what becomes of the fire.
    pub(super) fn lost(&mut self, item: Item, active: &Active) {
        let outcome = RunResult::Stopped(StopReason::LeaseLost).outcome();
        self.record_end(item, active, &outcome);
        self.close_run(active.firing, item, &outcome);
        let state = self.job.item_mut(item);
        state.local = Local::Idle;
        state.lost = Some(Box::new(active.claim.run_id));
        state.loose = true;
        self.job.mirror.forget_cursor(item);
        self.job.stepped(item, State::Running, Event::LeaseLost);
    }

    /// Writes outcomes into cursors.
    pub(super) fn complete(&mut self, items: &[Item]) {
        let (mut writes, mut group, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match self.completion(*item, &mut writes) {
                Completion::Written => group.push(*item),
                Completion::Read => reads.push(*item),
                Completion::Wait => {}
                Completion::Over { counted } => self.close(*item, counted),
            }
            if group.len() >= CLAIM_BATCH {
                let writes = std::mem::take(&mut writes);
                self.commit(Purpose::Complete(std::mem::take(&mut group)), Group::from(writes));
            }
        }
        if !group.is_empty() {
            self.commit(Purpose::Complete(group), Group::from(writes));
        }
        self.read_items(&reads);
    }

    /// What became of outcomes on their way into cursors.
    pub(super) fn completed(&mut self, items: &[Item], writes: Vec<Write>, result: Result<Commit, Error>) {
        let error = match result {
            Ok(commit) => {
                self.accepted(Doing::Claim);
                self.take_in(writes, &commit);
                None
            }
            Err(error) => Some(error),
        };
        let mut reads = Vec::new();
        for item in items {
            let Some(state) = self.job.items.get_mut(*item as usize) else { continue };
            let Local::Ended { committing, .. } = &mut state.local else { continue };
            if error.is_none() {
                self.close(*item, true);
            } else {
                *committing = false;
                self.job.mirror.forget_cursor(*item);
                self.job.stepped(*item, State::Completing, Event::WriteRefused);
                reads.push(*item);
            }
        }
        let Some(error) = error else { return };
        if matches!(error, Error::Conflict { .. }) {
            self.load();
        } else if !error.is_unknown() {
            self.refused(Doing::Claim, &error);
        }
        self.read_items(&reads);
    }

    /// The item is free again here. `counted`: the outcome is the fire's; otherwise somebody took the item over before.
    fn close(&mut self, item: Item, counted: bool) {
        let state = self.job.item_mut(item);
        let Local::Ended { active, outcome, committing } = std::mem::take(&mut state.local) else { return };
        state.blocked_until = self.now.wall;
        state.blocked_by = BlockedBy::Busy;
        let (from, event) =
            if committing { (State::Completing, Event::WriteDone) } else { (State::Ended, Event::Passed) };
        self.job.stepped(item, from, event);
        self.close_run(active.firing, item, &outcome);
        if counted {
            let settlement = self.settlement(item, &active.claim, *outcome, Some(active.start));
            let log = active.log;
            self.settle(Settlement { log, ..settlement });
        } else {
            let what = super::job::fire_words(&active.claim.fire);
            let text = format!(
                "item {item}, {what}: its result came after another instance took over; it does not count"
            );
            self.tell(true, text);
        }
        self.touch();
    }
}

fn is_run_node(key: &Key) -> bool {
    matches!(key, Key::Cursor(_) | Key::Running(_))
}
