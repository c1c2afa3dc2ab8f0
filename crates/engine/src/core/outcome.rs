//! Outcomes: from the end of a run to the cursor and the record.
//!
//! A failed run may get another attempt; everything else ends in an outcome, which is written into the cursor if that still
//! has the version of the claim, and only then recorded. A result that comes after somebody else took the item over is told
//! and does not count.

use super::claim::{CLAIM_BATCH, ItemClaim};
use super::held::recall;
use super::job::{Active, BlockedBy, Local};
use super::trouble::Doing;
use super::{Mutation, Purpose, Turn};
use clockwright_fleet::keys::Key;
use clockwright_fleet::mirror::CursorNode;
use clockwright_model::{ErrorHandler, FailureKind, Item, Outcome, Reason, Settlement, Source};
use clockwright_registry::{Commit, Error, Op};
use clockwright_runtime::{RunEnd, RunResult, StopReason};

impl Turn<'_> {
    /// A run ended.
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
        let settings = self.job.effective.as_ref().map(|effective| effective.settings.clone());
        let settings = settings.unwrap_or_else(|| self.job.local.clone());
        let outcome = match end.result {
            RunResult::Stopped(StopReason::LeaseLost) => {
                self.lost_run(item, &active);
                return;
            }
            // The instance stays; it is this job that it left.
            RunResult::Stopped(StopReason::Shutdown) if !self.us.leaving => {
                Outcome::Cancelled { reason: Reason::JobLeft {} }
            }
            result => result.outcome(),
        };
        self.record_end(item, &active, &outcome);
        if let Outcome::Failed { reason, .. } = &outcome {
            if settings.error_handler != ErrorHandler::Ignore {
                let what = super::job::fire_words(&active.claim.fire);
                self.tell(true, format!("item {item}, {what}, attempt {}: {reason}", active.claim.attempt));
            }
            let wait = settings.retry.wait_after(active.claim.attempt);
            if let (Some(wait), false, false) =
                (wait, self.is_leaving(), settings.error_handler == ErrorHandler::Throw)
            {
                let until = self.now.mono + wait;
                // The next attempt is a firing of its own.
                self.close_run(active.firing, item, &outcome);
                active.firing = 0;
                self.job.item_mut(item).local = Local::Backoff { active, until };
                return;
            }
        }
        self.job.item_mut(item).local = Local::Ended { active, outcome, committing: false };
    }

    /// A run that was stopped because the lease ran out. Its claim stays as it is: this instance, if its session lives on, or
    /// the next owner decides what becomes of the fire.
    pub(super) fn lost_run(&mut self, item: Item, active: &Active) {
        let outcome = RunResult::Stopped(StopReason::LeaseLost).outcome();
        self.record_end(item, active, &outcome);
        self.close_run(active.firing, item, &outcome);
        let job = &mut *self.job;
        let state = job.item_mut(item);
        state.local = Local::Idle;
        state.lost = Some(active.claim.run_id);
        state.loose = true;
        job.mirror.item_mut(item).cursor = CursorNode::Unread;
    }

    /// The defect of [`Mutation::ReconnectClearsRunning`]: what runs is forgotten, and runs on.
    pub(super) fn forget_runs(&mut self) {
        for item in 0..self.job.items.len() as Item {
            if let Local::Running(active) = &self.job.items[item as usize].local {
                let active = active.clone();
                let state = self.job.item_mut(item);
                state.local = Local::Idle;
                state.lost = Some(active.claim.run_id);
                self.job.mirror.item_mut(item).cursor = CursorNode::Unread;
                self.touch();
            }
        }
    }

    /// Another attempt after a failed one.
    pub(super) fn retry(&mut self, item: Item) -> Option<ItemClaim> {
        let Local::Backoff { active, .. } = &self.job.items[item as usize].local else { return None };
        let (fire, attempt, version, taken) =
            (active.claim.fire.clone(), active.claim.attempt + 1, active.version, active.taken);
        let mut cursor = self.job.mirror.item(item)?.cursor.cursor()?.clone();
        cursor.run = Some(self.new_claim(fire, attempt, Source::Retry));
        let takeover = taken.then(String::new);
        Some(ItemClaim { item, cursor, version: Some(version), settlements: vec![], dead: None, takeover })
    }

    /// Why an item that waits for its next attempt need not wait any longer, if so: whoever leaves, pauses, drains or disables
    /// wants what runs to end, and nothing new to begin.
    pub(super) fn retry_is_over(&self, item: Item) -> Option<Reason> {
        if self.is_leaving() {
            return Some(Reason::LeftBeforeRetry {});
        }
        let disabled = self.job.mirror.item(item).is_some_and(|nodes| nodes.disabled);
        match self.job.off.clone() {
            Some(Reason::Paused { by, text }) => Some(Reason::PausedBeforeRetry { by, text }),
            Some(_) => Some(Reason::DisabledBeforeRetry {}),
            None => disabled.then_some(Reason::DisabledBeforeRetry {}),
        }
    }

    pub(super) fn give_up_retry(&mut self, item: Item, reason: Reason) {
        let state = self.job.item_mut(item);
        if let Local::Backoff { active, .. } = std::mem::take(&mut state.local) {
            let outcome = Outcome::Failed { kind: FailureKind::Job, reason };
            state.local = Local::Ended { active, outcome, committing: false };
        }
    }

    /// Writes outcomes into cursors.
    pub(super) fn complete(&mut self, items: &[Item]) {
        let session = self.us.session_id();
        let mut ops = Vec::new();
        let mut group = Vec::new();
        let mut reads = Vec::new();
        for item in items {
            match self.completion(*item, session) {
                Completion::Write(more) => {
                    ops.extend(more);
                    group.push(*item);
                }
                Completion::Read => reads.push(*item),
                Completion::Over => {}
            }
            if group.len() >= CLAIM_BATCH {
                self.commit(Purpose::Complete(std::mem::take(&mut group)), std::mem::take(&mut ops));
            }
        }
        if !group.is_empty() {
            self.commit(Purpose::Complete(group), ops);
        }
        self.read_items(&reads);
    }

    fn completion(&mut self, item: Item, session: i64) -> Completion {
        let (keys, name, me) = (self.us.keys.clone(), self.job.name.clone(), self.us.me.clone());
        let path = |key: &Key| keys.of(&name, key);
        let ignore_token = self.us.mutated(Mutation::CompletionIgnoresToken);
        let keep_running = self.us.mutated(Mutation::FailedItemStaysRunning);
        let (stored, count) = (self.us.stored, self.job.count());
        let job = &mut *self.job;
        let state = &mut job.items[item as usize];
        let Local::Ended { active, outcome, .. } = &mut state.local else { return Completion::Over };
        let nodes = job.mirror.items.get(item as usize);
        if item >= count && active.claim.session != session && nodes.is_none_or(|nodes| !nodes.exists) {
            // The item was removed while we had no session; whoever removed it gave the run up.
            self.closed(item, false);
            return Completion::Over;
        }
        let Some(nodes) = nodes else { return Completion::Over };
        let mut cursor = match &nodes.cursor {
            CursorNode::Unread => {
                return if state.reading.is_some() { Completion::Over } else { Completion::Read };
            }
            CursorNode::Known { version, cursor, .. } => {
                active.version = *version;
                (**cursor).clone()
            }
            CursorNode::Absent | CursorNode::Damaged { .. } => {
                self.closed(item, true);
                return Completion::Over;
            }
        };
        if cursor.held.is_some() {
            // Whoever made it did not know of this run.
            recall(state.seen, Some(&active.claim), &mut cursor);
        }
        let ours =
            cursor.run.as_ref().is_some_and(|claim| claim.run_id == active.claim.run_id) || ignore_token;
        let open = cursor.running().is_some();
        if !ours || !open {
            // Either an earlier, unclear commit of ours did it, or somebody took the item over or gave it up meanwhile.
            let outcome = cursor.run.as_ref().and_then(|claim| claim.outcome.as_ref());
            let given_up = matches!(outcome, Some(Outcome::Failed { kind: FailureKind::OwnerLost, .. }));
            self.closed(item, ours && !given_up);
            return Completion::Over;
        }
        if let Some(claim) = &mut cursor.run {
            claim.outcome = Some(outcome.clone());
        }
        let (version, failed) = (active.version, matches!(outcome, Outcome::Failed { .. }));
        state.keep(stored, &mut cursor, &[]);
        let mut ops = vec![Op::set_if(path(&Key::Cursor(item)), cursor.to_bytes(), version)];
        let marked = nodes.running.as_ref().is_some_and(|mark| mark.is_of(&me, session));
        if marked && !(keep_running && failed) {
            ops.push(Op::delete(path(&Key::Running(item))));
        }
        if nodes.taken.as_ref() == Some(&me) {
            ops.push(Op::delete(path(&Key::Taken(item))));
        }
        if nodes.failovering.as_ref() == Some(&me) {
            ops.push(Op::delete(path(&Key::Failovering(item))));
        }
        if let Local::Ended { committing, .. } = &mut state.local {
            *committing = true;
        }
        Completion::Write(ops)
    }

    /// What became of outcomes on their way into cursors.
    pub(super) fn completed(&mut self, items: &[Item], result: Result<Commit, Error>) {
        if result.is_ok() {
            self.accepted(Doing::Claim);
        }
        let touched = self.us.next();
        let mut reads = Vec::new();
        for item in items {
            let me = self.us.me.clone();
            let job = &mut *self.job;
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
                nodes.failovering = nodes.failovering.take().filter(|taker| *taker != me);
                if let CursorNode::Known { version: known, modified, cursor } = &mut nodes.cursor {
                    *known = version;
                    *modified = commit.transaction;
                    if let Some(claim) = &mut cursor.run {
                        claim.outcome = Some(outcome);
                    }
                }
                self.closed(*item, true);
            } else {
                job.mirror.item_mut(*item).cursor = CursorNode::Unread;
                reads.push(*item);
            }
        }
        if let Err(error) = result {
            if !error.is_unknown() && !matches!(error, Error::Conflict { .. }) {
                self.refused(Doing::Claim, &error);
            }
            if matches!(error, Error::Conflict { .. }) {
                self.load();
            }
            self.read_items(&reads);
        }
    }

    /// The item is free again here. `counted`: the outcome is the fire's; otherwise somebody took the item over before.
    fn closed(&mut self, item: Item, counted: bool) {
        let state = self.job.item_mut(item);
        let Local::Ended { active, outcome, .. } = std::mem::take(&mut state.local) else { return };
        state.blocked_until = self.now.wall;
        state.blocked_by = BlockedBy::Busy;
        self.close_run(active.firing, item, &outcome);
        if counted {
            let settlement = self.settlement(item, &active.claim, outcome, Some(active.start));
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

enum Completion {
    Write(Vec<Op>),
    Read,
    Over,
}
