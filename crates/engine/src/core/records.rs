//! What goes on record: executions, status traces and settlements, built from what the engine knows.

use super::job::{Active, ItemState};
use super::{Effect, Mutation, Turn};
use clockwright_fleet::cursor::{Claim, Cursor, Kept};
use clockwright_model::{
    Event, Execution, Fire, Item, Millis, Outcome, Reason, RunId, Settlement, Source, StatusTrace, TaskId,
    TaskState, TraceSource,
};
use clockwright_planner::Range;
use std::sync::Arc;

/// A firing whose runs have not all ended.
pub(super) struct OpenFiring {
    task_id: Arc<str>,
    items: Vec<Item>,
    left: usize,
    takeover: bool,
    /// What failed, in Elastic-Job's form `{1=…, 2=…}`.
    errors: Vec<(Item, String)>,
}

/// Outcomes of one item that a cursor carries at most: enough for a store that is slow for a while, and no burden for a node.
const MOST_KEPT: usize = 32;

impl Turn<'_> {
    /// Puts an outcome that was decided here on record, and remembers it until it is stored.
    pub(super) fn settle(&mut self, settlement: Settlement) {
        self.remember(&settlement);
        self.us.record(Event::Settlement(settlement));
    }

    /// The same with an outcome that was decided before, there or here.
    pub(super) fn settle_again(&mut self, settlement: Settlement) {
        self.remember(&settlement);
        self.us.out.push(Effect::RecordAgain(Event::Settlement(settlement)));
    }

    fn remember(&mut self, settlement: &Settlement) {
        let number = self.us.settled();
        let kept = self.job.item_mut(settlement.item).kept.get_or_insert_default();
        let stored = self.us.stored;
        kept.retain(|(number, _)| *number > stored);
        if kept.len() == MOST_KEPT {
            // The store is away, and so is the disk in front of it; who reads this cursor learns of the latest.
            kept.pop_front();
        }
        kept.push_back((number, Kept::of(settlement)));
    }

    /// Whether all outcomes of an item that this engine put on record are stored.
    pub(super) fn all_stored(&self, item: Item) -> bool {
        let kept = self.job.items.get(item as usize).and_then(|state| state.kept.as_deref());
        kept.is_none_or(|kept| kept.iter().all(|(number, _)| *number <= self.us.stored))
    }
}

impl ItemState {
    /// Makes a cursor that is to be written carry the outcomes that may not be stored yet and that it does not tell itself:
    /// earlier ones, and those that go on record once it is written. `stored`: the number of the last outcome that surely is.
    pub(super) fn keep(&mut self, stored: u64, cursor: &mut Cursor, caused: &[Settlement]) {
        if let Some(kept) = &mut self.kept {
            kept.retain(|(number, _)| *number > stored);
        }
        let told = |kept: &Kept| match kept.run_id {
            Some(run) => cursor.run.as_ref().is_some_and(|claim| claim.run_id == run),
            None => cursor.gap.iter().any(|gap| Fire::Scheduled(gap.to) == kept.fire),
        };
        let earlier = self.kept.iter().flat_map(|kept| kept.iter()).map(|(_, kept)| kept.clone());
        cursor.kept = earlier.chain(caused.iter().map(Kept::of)).filter(|kept| !told(kept)).collect();
    }
}

impl Turn<'_> {
    pub(super) fn record_start(&mut self, item: Item, active: &Active) {
        let event = self.execution(item, active, None, None);
        self.us.record(Event::Execution(event));
    }

    pub(super) fn record_end(&mut self, item: Item, active: &Active, outcome: &Outcome) {
        let cause = (*outcome != Outcome::Succeeded).then(|| outcome.reason());
        let event = self.execution(item, active, Some(self.now.wall), cause);
        self.us.record(Event::Execution(event));
    }

    fn execution(
        &self,
        item: Item,
        active: &Active,
        complete: Option<Millis>,
        failure_cause: Option<String>,
    ) -> Execution {
        Execution {
            id: active.claim.run_id,
            job: self.job.name.clone(),
            task_id: active.task_id.clone(),
            hostname: self.us.hostname.clone(),
            ip: self.us.ip.clone(),
            item,
            source: active.claim.source.into(),
            start: active.start,
            complete,
            success: complete.is_some() && failure_cause.is_none(),
            failure_cause,
        }
    }

    /// Ends the record of an attempt whose instance is gone, and can no longer do so itself.
    pub(super) fn record_lost(&mut self, item: Item, claim: &Claim, reason: &Reason) {
        if self.us.mutated(Mutation::LostAttemptStaysRunning) {
            return;
        }
        let owner = &claim.owner;
        let event = Execution {
            id: claim.run_id,
            job: self.job.name.clone(),
            task_id: TaskId::of(&self.job.name, &[item], owner).into(),
            hostname: owner.ip().into(),
            ip: owner.ip().into(),
            item,
            source: claim.source.into(),
            start: claim.at,
            complete: Some(self.now.wall),
            success: false,
            failure_cause: Some(reason.to_string()),
        };
        self.us.record(Event::Execution(event));
    }

    /// The claim of somebody else that goes on in an item's cursor as it is known, before it is passed over.
    pub(super) fn open_claim_of_another(&self, item: Item) -> Option<Claim> {
        let session = self.us.session_id();
        let cursor = self.job.mirror.item(item)?.cursor.cursor()?;
        cursor.running().filter(|claim| claim.owner != self.us.me || claim.session != session).cloned()
    }

    /// The outcome of a claim's fire.
    #[allow(clippy::too_many_arguments, reason = "a record's fields")]
    pub(super) fn settlement(
        &self,
        item: Item,
        claim: &Claim,
        outcome: Outcome,
        start: Option<Millis>,
    ) -> Settlement {
        Settlement {
            namespace: self.us.keys.namespace().into(),
            job: self.job.name.clone(),
            item,
            fire: claim.fire.clone(),
            range: None,
            outcome,
            attempt: claim.attempt,
            run_id: Some(claim.run_id),
            token: claim.token,
            source: claim.source,
            instance: claim.owner.clone(),
            claimed: Some(claim.at),
            start,
            at: self.now.wall,
            log: None,
        }
    }

    /// An outcome of an item that nothing ran for, as decided here and now; its fire and outcome are to be filled in.
    pub(super) fn blank(&self, item: Item) -> Settlement {
        Settlement {
            namespace: self.us.keys.namespace().into(),
            job: self.job.name.clone(),
            item,
            fire: Fire::Scheduled(0),
            range: None,
            outcome: Outcome::Succeeded,
            attempt: 0,
            run_id: None,
            token: 0,
            source: Source::Schedule,
            instance: self.us.me.clone(),
            claimed: None,
            start: None,
            at: self.now.wall,
            log: None,
        }
    }

    /// The outcomes of ranges that never ran.
    pub(super) fn gap_settlements(&self, item: Item, gaps: &[Range]) -> Vec<Settlement> {
        let settle = |gap: &Range| Settlement {
            fire: Fire::Scheduled(gap.to),
            range: (gap.count > 1).then_some((gap.from, gap.count)),
            outcome: gap.outcome.clone(),
            ..self.blank(item)
        };
        gaps.iter().map(settle).collect()
    }

    /// A firing begins.
    pub(super) fn open_firing(&mut self, firing: u64, task_id: &Arc<str>, items: Vec<Item>, takeover: bool) {
        let open =
            OpenFiring { task_id: task_id.clone(), left: items.len(), items, takeover, errors: Vec::new() };
        let begin = format!("Job '{}' execute begin.", self.job.name);
        self.trace(&open, TaskState::Staging, begin);
        self.trace(&open, TaskState::Running, String::new());
        self.us.firings.insert(firing, open);
    }

    /// One of a firing's items has ended for good.
    pub(super) fn close_run(&mut self, firing: u64, item: Item, outcome: &Outcome) {
        let Some(open) = self.us.firings.get_mut(&firing) else { return };
        open.left = open.left.saturating_sub(1);
        if *outcome != Outcome::Succeeded {
            open.errors.push((item, outcome.reason()));
        }
        if open.left > 0 {
            return;
        }
        let Some(open) = self.us.firings.remove(&firing) else { return };
        if open.errors.is_empty() {
            self.trace(&open, TaskState::Finished, String::new());
        } else {
            let errors: Vec<String> =
                open.errors.iter().map(|(item, reason)| format!("{item}={reason}")).collect();
            self.trace(&open, TaskState::Error, format!("{{{}}}", errors.join(", ")));
        }
    }

    fn trace(&mut self, firing: &OpenFiring, state: TaskState, message: String) {
        let id = RunId::new(self.now.wall, self.us.random());
        let event = StatusTrace {
            id,
            job: self.job.name.clone(),
            original_task_id: "".into(),
            task_id: firing.task_id.clone(),
            slave_id: self.us.ip.clone(),
            source: TraceSource::LiteExecutor,
            items: firing.items.clone(),
            failover: firing.takeover,
            state,
            message,
            at: self.now.wall,
        };
        self.us.record(Event::Status(event));
    }
}
