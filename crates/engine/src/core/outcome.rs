//! Outcomes: what the end of a run means, when there is another attempt, and what is written about it into the cursor.
//!
//! A failed run may get another attempt; everything else ends in an outcome. It is written into the cursor if that still has the
//! version of the claim. Before, the cursor is looked at as it is believed to be: an earlier, unclear commit of ours may have written
//! it already, or somebody may have taken the item over.

use super::change::CursorChange;
use super::held::recall;
use super::job::{Active, Local};
use super::{Mutation, Turn};
use clockwright_fleet::mirror::CursorNode;
use clockwright_fleet::write::Write;
use clockwright_model::{ErrorHandler, FailureKind, Item, Millis, Outcome, Reason, Source};
use clockwright_planner::lifecycle::{Event, State};
use clockwright_runtime::{RunResult, StopReason};

/// What the end of a run means.
pub(super) enum Ending {
    Outcome(Outcome),
    /// It was stopped because others may take over; that is no outcome.
    LeaseLost,
}

impl Ending {
    /// `all`: this engine leaves all its jobs, and not only this one.
    pub(super) fn of(result: RunResult, all: bool) -> Self {
        match result {
            RunResult::Stopped(StopReason::LeaseLost) => Self::LeaseLost,
            RunResult::Stopped(StopReason::Shutdown) if !all => {
                Self::Outcome(Outcome::Cancelled { reason: Reason::JobLeft {} })
            }
            result => Self::Outcome(result.outcome()),
        }
    }
}

/// What is to be done about an outcome.
pub(super) enum Completion {
    /// Its writes were added.
    Written,
    /// The cursor must be read first.
    Read,
    /// The cursor is being read.
    Wait,
    /// There is nothing to write. `counted`: the outcome is the fire's.
    Over { counted: bool },
}

impl Turn<'_> {
    /// When a run that ended so is tried again (mono), if it is. Tells the operator of a failure.
    pub(super) fn next_attempt_at(
        &mut self,
        item: Item,
        active: &Active,
        outcome: &Outcome,
    ) -> Option<Millis> {
        let Outcome::Failed { reason, .. } = outcome else { return None };
        let settings = self.job.settings()?;
        let (handler, wait) = (settings.error_handler, settings.retry.wait_after(active.claim.attempt));
        if handler != ErrorHandler::Ignore {
            let what = super::job::fire_words(&active.claim.fire);
            self.tell(true, format!("item {item}, {what}, attempt {}: {reason}", active.claim.attempt));
        }
        wait.filter(|_| !self.is_leaving() && handler != ErrorHandler::Throw).map(|wait| self.now.mono + wait)
    }

    /// Another attempt after a failed one.
    pub(super) fn retry(&mut self, item: Item) -> Option<CursorChange> {
        let Local::Backoff { active, .. } = &self.job.items[item as usize].local else { return None };
        let (fire, attempt, version, taken) =
            (active.claim.fire.clone(), active.claim.attempt + 1, active.version, active.taken);
        let mut cursor = Box::new(self.job.mirror.item(item)?.cursor.cursor()?.clone());
        cursor.run = Some(self.new_claim(fire, attempt, Source::Retry));
        let change = CursorChange::new(item, cursor, Some(version));
        Some(if taken { change.taking_over(None) } else { change })
    }

    /// Why an item that waits for its next attempt need not wait any longer, if so: whoever leaves, pauses, drains or disables
    /// wants what runs to end, and nothing new to begin.
    pub(super) fn retry_is_over(&self, item: Item) -> Option<Reason> {
        if self.is_leaving() {
            return Some(Reason::LeftBeforeRetry {});
        }
        let disabled = self.job.mirror.item(item).is_some_and(|nodes| nodes.disabled);
        if self.us.mutated(Mutation::RetryOutlivesPause) {
            return None;
        }
        match self.job.off.clone() {
            Some(Reason::Paused { by, text }) => Some(Reason::PausedBeforeRetry { by, text }),
            Some(_) => Some(Reason::DisabledBeforeRetry {}),
            None => disabled.then_some(Reason::DisabledBeforeRetry {}),
        }
    }

    pub(super) fn give_up_retry(&mut self, item: Item, reason: Reason) {
        let state = self.job.item_mut(item);
        if let Local::Backoff { active, .. } = std::mem::take(&mut state.local) {
            let outcome = Box::new(Outcome::Failed { kind: FailureKind::Job, reason });
            state.local = Local::Ended { active, outcome, committing: false };
            self.job.stepped(item, State::Backoff, Event::RetryOver);
        }
    }

    /// Adds what writes an item's outcome into its cursor and takes its marks down.
    pub(super) fn completion(&mut self, item: Item, writes: &mut Vec<Write>) -> Completion {
        let session = self.us.session_id();
        let ignore_token = self.us.mutated(Mutation::CompletionIgnoresToken);
        let keep_running = self.us.mutated(Mutation::FailedItemStaysRunning);
        let (stored, count) = (self.us.stored, self.job.count());
        let others = self.may_have_java();
        let job = &mut *self.job;
        let state = &mut job.items[item as usize];
        let Local::Ended { active, outcome, committing } = &mut state.local else { return Completion::Wait };
        let nodes = job.mirror.items.get(item as usize);
        let gone = item >= count && !self.us.mutated(Mutation::RemovedItemIsWaitedFor);
        if gone && active.claim.session != session && nodes.is_none_or(|nodes| !nodes.exists) {
            // The item was removed while we had no session; whoever removed it gave the run up.
            job.mirror.item_mut(item).cursor = CursorNode::Absent;
            return Completion::Over { counted: false };
        }
        let (version, mut cursor) = match nodes.map(|nodes| &nodes.cursor) {
            None => return Completion::Wait,
            Some(CursorNode::Unread) => {
                return if state.reading.is_some() { Completion::Wait } else { Completion::Read };
            }
            Some(CursorNode::Absent) if active.claim.session != session && others => {
                // Beside a Java peer a cursor goes once the item is the peer's; whoever gave the run up did so before.
                return Completion::Over { counted: false };
            }
            Some(CursorNode::Absent | CursorNode::Damaged { .. }) => {
                return Completion::Over { counted: true };
            }
            Some(CursorNode::Known { version, cursor, .. }) => (*version, cursor.clone()),
        };
        active.version = version;
        if cursor.held.is_some() {
            // Whoever made it did not know of this run.
            recall(state.seen, Some(&active.claim), &mut cursor);
        }
        let Some(claim) = &mut cursor.run else { return Completion::Over { counted: false } };
        let ours = claim.run_id == active.claim.run_id || ignore_token;
        if !ours || claim.outcome.is_some() {
            // Either an earlier, unclear commit of ours did it, or somebody took the item over or gave it up meanwhile.
            let given_up = claim.outcome.as_ref().is_some_and(Outcome::is_owner_lost);
            return Completion::Over { counted: ours && !given_up };
        }
        claim.outcome = Some((**outcome).clone());
        *committing = true;
        let failed = matches!(**outcome, Outcome::Failed { .. });
        state.keep(stored, &mut cursor, &[]);
        writes.push(Write::cursor(item, cursor, Some(version)));
        self.job.stepped(item, State::Ended, Event::Write);
        if !(keep_running && failed) {
            self.lower_marks(writes, item);
        }
        Completion::Written
    }

    /// The defect of [`Mutation::ReconnectClearsRunning`]: what runs is forgotten, and runs on.
    pub(super) fn forget_runs(&mut self) {
        for item in 0..self.job.items.len() as Item {
            if let Local::Running(active) = &self.job.items[item as usize].local {
                let lost = active.claim.run_id;
                let state = self.job.item_mut(item);
                state.local = Local::Idle;
                state.lost = Some(Box::new(lost));
                self.job.mirror.forget_cursor(item);
                self.touch();
            }
        }
    }
}
