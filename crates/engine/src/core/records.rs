//! What goes on record: executions, status traces and settlements, built from what the engine knows.

use super::job::Active;
use super::{Core, Effect, Now};
use crate::cursor::{Claim, Gap};
use crate::keys::Key;
use clockwright_model::{
    Event, Execution, Fire, Item, Millis, Outcome, RunId, Settlement, Source, StatusTrace, TaskState,
    TraceSource,
};
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

impl Core {
    pub(super) fn record(&mut self, event: Event) {
        self.out.push(Effect::Record(event));
    }

    pub(super) fn record_start(&mut self, index: usize, item: Item, active: &Active) {
        let event = self.execution(index, item, active, None, None);
        self.record(Event::Execution(event));
    }

    pub(super) fn record_end(
        &mut self,
        index: usize,
        item: Item,
        active: &Active,
        outcome: &Outcome,
        now: Now,
    ) {
        let cause = (*outcome != Outcome::Succeeded).then(|| outcome.reason());
        let event = self.execution(index, item, active, Some(now.wall), cause);
        self.record(Event::Execution(event));
    }

    fn execution(
        &self,
        index: usize,
        item: Item,
        active: &Active,
        complete: Option<Millis>,
        failure_cause: Option<String>,
    ) -> Execution {
        Execution {
            id: active.claim.run_id,
            job: self.jobs[index].name.clone(),
            task_id: active.task_id.clone(),
            hostname: self.hostname.clone(),
            ip: self.ip.clone(),
            item,
            source: active.claim.source.into(),
            start: active.start,
            complete,
            success: complete.is_some() && failure_cause.is_none(),
            failure_cause,
        }
    }

    /// The outcome of a claim's fire.
    #[allow(clippy::too_many_arguments, reason = "a record's fields")]
    pub(super) fn settlement(
        &self,
        index: usize,
        item: Item,
        claim: &Claim,
        outcome: Outcome,
        start: Option<Millis>,
        now: Now,
    ) -> Settlement {
        Settlement {
            job: self.jobs[index].name.clone(),
            item,
            fire: claim.fire.clone(),
            range: None,
            outcome,
            attempt: claim.attempt,
            run_id: Some(claim.run_id),
            token: claim.token,
            source: claim.source,
            instance: claim.owner.clone(),
            start,
            at: now.wall,
            log: None,
        }
    }

    /// The outcomes of ranges that never ran.
    pub(super) fn gap_settlements(
        &self,
        index: usize,
        item: Item,
        gaps: &[Gap],
        now: Now,
    ) -> Vec<Settlement> {
        let settle = |gap: &Gap| Settlement {
            job: self.jobs[index].name.clone(),
            item,
            fire: Fire::Scheduled(gap.to),
            range: (gap.count > 1).then_some((gap.from, gap.count)),
            outcome: gap.outcome.clone(),
            attempt: 0,
            run_id: None,
            token: 0,
            source: Source::Schedule,
            instance: self.me.clone(),
            start: None,
            at: now.wall,
            log: None,
        };
        gaps.iter().map(settle).collect()
    }

    /// A firing begins.
    pub(super) fn open_firing(
        &mut self,
        index: usize,
        firing: u64,
        task_id: &Arc<str>,
        items: Vec<Item>,
        takeover: bool,
        now: Now,
    ) {
        let open =
            OpenFiring { task_id: task_id.clone(), left: items.len(), items, takeover, errors: Vec::new() };
        let begin = format!("Job '{}' execute begin.", self.jobs[index].name);
        self.trace(index, &open, TaskState::Staging, begin, now);
        self.trace(index, &open, TaskState::Running, String::new(), now);
        self.firings.insert(firing, open);
    }

    /// One of a firing's items has ended for good.
    pub(super) fn close_run(&mut self, index: usize, firing: u64, item: Item, outcome: &Outcome, now: Now) {
        let Some(open) = self.firings.get_mut(&firing) else { return };
        open.left = open.left.saturating_sub(1);
        if *outcome != Outcome::Succeeded {
            open.errors.push((item, outcome.reason()));
        }
        if open.left > 0 {
            return;
        }
        let Some(open) = self.firings.remove(&firing) else { return };
        if open.errors.is_empty() {
            self.trace(index, &open, TaskState::Finished, String::new(), now);
        } else {
            let errors: Vec<String> =
                open.errors.iter().map(|(item, reason)| format!("{item}={reason}")).collect();
            self.trace(index, &open, TaskState::Error, format!("{{{}}}", errors.join(", ")), now);
        }
    }

    fn trace(&mut self, index: usize, firing: &OpenFiring, state: TaskState, message: String, now: Now) {
        let id = RunId::new(now.wall, self.random());
        let event = StatusTrace {
            id,
            job: self.jobs[index].name.clone(),
            original_task_id: "".into(),
            task_id: firing.task_id.clone(),
            slave_id: self.ip.clone(),
            source: TraceSource::LiteExecutor,
            items: firing.items.clone(),
            failover: firing.takeover,
            state,
            message,
            at: now.wall,
        };
        self.record(Event::Status(event));
    }

    /// Reads the clock node back after it was touched.
    pub(super) fn read_clock(&mut self, index: usize, now: Now) {
        self.jobs[index].clock_touched = now.wall;
        let path = self.path(index, &Key::CurrentTime);
        self.read(vec![path]);
    }

    /// Compares the registry's clock with ours; Elastic-Job's environment check, which warns and goes on.
    pub(super) fn check_clock(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        let (Some(stat), Some(effective)) = (&job.mirror.current_time, &job.effective) else { return };
        let (touched, limit) =
            (job.clock_touched, i64::from(effective.settings.max_time_diff_seconds) * 1_000);
        if touched == 0 || limit < 0 {
            return;
        }
        let skew = stat.modified_at - touched;
        job.clock_touched = 0;
        if skew.abs() > limit {
            let text = format!(
                "this machine's clock differs by {} s from the registry's, allowed are {} s (maxTimeDiffSeconds)",
                skew / 1_000,
                limit / 1_000
            );
            self.tell(Some(index), true, text);
        }
    }
}
