//! What happened, through a server: of a project.

use super::{Leaf, Listed, Record, Span, Wanted};
use crate::commands::history::PageArgs;
use crate::commands::run::whole_or_part;
use crate::output::{Failure, instant, talk};
use async_trait::async_trait;
use clockwright_api::At;
use clockwright_api::client::Client;
use clockwright_api::history::{
    self as api, Attempt, AttemptsAsk, ChangesAsk, Counts, HistoryChange, LedgerAsk, Lost, Run, RunState,
    RunsAsk, SpanAsk, StatsAsk, Unsettled,
};
use clockwright_events::answers::RunDetails;
use clockwright_events::{
    ChangeFilter, ChangeRow, ExecutionFilter, ExecutionRow, ExecutionState, RunFilter, RunRow, StatisticsRow,
    StatusRow, Width,
};
use clockwright_model::{ChangeKind, Millis, OutcomeKind};
use clockwright_planner::ledger::{Balance, Gap};
use clockwright_server::ledger::Open;

/// The longest page of a ledger that a server gives.
const LEDGER: u32 = 10_000;
/// How many of the newest runs are looked at for one whose id is given in part.
const NEWEST: u32 = 1_000;

/// See [`Record`].
pub(crate) struct Remote {
    client: Client,
    project: String,
}

impl Remote {
    pub(crate) fn new(client: Client, project: String) -> Self {
        Self { client, project }
    }

    /// The whole id of a run whose first characters are given.
    async fn whole(&self, part: &str) -> Result<String, Failure> {
        let ask = RunsAsk { limit: Some(NEWEST), ..RunsAsk::default() };
        let runs = self.client.project(&self.project).runs(&ask).await?;
        let mut ids: Vec<&str> = runs.items.iter().filter_map(|row| row.run.as_deref()).collect();
        ids.retain(|id| id.starts_with(part));
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [one] => Ok(one.to_owned()),
            [] => Err(Failure::Failed(format!(
                "none of the newest runs of `{}` has an id that begins with {part}; --output json shows whole ids",
                self.project
            ))),
            _ => {
                Err(Failure::Failed(format!("several runs have ids that begin with {part}; give more of it")))
            }
        }
    }
}

fn leaf<R>(rows: Vec<R>, next: Option<String>) -> Leaf<R> {
    let last = rows.len().saturating_sub(1);
    let listed = |(place, row)| Listed { row, cursor: next.clone().filter(|_| place == last) };
    Leaf { rows: rows.into_iter().enumerate().map(listed).collect(), next }
}

fn run(run: Run) -> RunRow {
    RunRow {
        key: match run.from {
            None => format!("{}/{}/{}", run.job, run.item, run.fire),
            Some(from) => format!("{}/{}/{}..{}", run.job, run.item, from.0, run.fire),
        },
        namespace: run.project.unwrap_or_default(),
        job: run.job,
        item: run.item,
        fire: run.fire,
        fire_time: run.fire_at.0,
        range_from: run.from.map(|at| at.0),
        range_count: run.count,
        outcome: OutcomeKind::parse(&run.outcome).unwrap_or(OutcomeKind::Failed),
        failure_kind: run.failure,
        reason: run.reason,
        reason_code: run.code,
        reason_params: run.params,
        coalesced_into: run.into,
        attempt: run.attempt,
        run_id: run.run,
        token: run.token,
        source: run.source,
        instance: run.instance,
        claimed: None,
        start: run.started_at.map(|at| at.0),
        decided: run.decided_at.0,
        log: None,
    }
}

fn attempt(row: Attempt) -> ExecutionRow {
    ExecutionRow {
        id: row.run,
        job: row.job,
        task_id: row.task,
        hostname: row.hostname,
        ip: row.ip,
        item: row.item,
        source: row.source,
        start: row.started_at.map(|at| at.0),
        complete: row.ended_at.map(|at| at.0),
        success: row.state == "succeeded",
        failure_cause: row.cause,
    }
}

fn counts(row: &Counts) -> StatisticsRow {
    StatisticsRow {
        at: row.at.0,
        succeeded: row.succeeded,
        failed: row.failed,
        skipped: row.skipped,
        coalesced: row.coalesced,
        missed: row.missed,
        cancelled: row.cancelled,
    }
}

fn open(row: Unsettled) -> Open {
    let gap = Gap::parse(&row.gap).unwrap_or(Gap::Open);
    Open { item: row.item, from: row.from.0, to: row.to.0, count: row.count, gap, trigger: row.trigger }
}

fn balance(sum: api::Balance) -> Balance {
    Balance {
        succeeded: sum.succeeded,
        failed: sum.failed,
        skipped: sum.skipped,
        coalesced: sum.coalesced,
        missed: sum.missed,
        cancelled: sum.cancelled,
        running: sum.running,
        unaccounted: sum.unaccounted,
    }
}

/// A change of a kind that this program knows; a newer server may tell others.
fn changed(project: &str, row: HistoryChange) -> Option<ChangeRow> {
    Some(ChangeRow {
        kind: ChangeKind::parse(&row.kind)?,
        key: row.key,
        namespace: project.to_owned(),
        job: row.job,
        subject: row.subject,
        at: row.at.0,
        by: row.by,
        reason: row.reason,
        witness: row.witness,
    })
}

/// A state of a firing; of what a server does not tell there is nothing.
fn state(row: RunState) -> StatusRow {
    StatusRow { state: row.state, message: row.message, at: row.at.map(|at| at.0), ..StatusRow::default() }
}

#[async_trait(?Send)]
impl Record for Remote {
    async fn runs(&self, filter: RunFilter, page: &PageArgs) -> Result<Leaf<RunRow>, Failure> {
        let words: Vec<&str> = filter.outcomes.iter().map(|outcome| outcome.as_str()).collect();
        let ask = RunsAsk {
            limit: Some(page.limit),
            after: page.after.clone(),
            job: None,
            item: filter.item,
            outcome: (!words.is_empty()).then(|| words.join(",")),
            instance: filter.instance,
            source: filter.source.map(|source| source.as_str().to_owned()),
            from: filter.from.map(At),
            to: filter.to.map(At),
            text: filter.text,
            q: None,
        };
        let project = self.client.project(&self.project);
        let page = match &filter.jobs[..] {
            [job] => project.job(job).runs(&ask).await?,
            _ => project.runs(&ask).await?,
        };
        Ok(leaf(page.value.items.into_iter().map(run).collect(), page.value.next))
    }

    async fn attempts(
        &self,
        filter: ExecutionFilter,
        page: &PageArgs,
    ) -> Result<Leaf<ExecutionRow>, Failure> {
        let word = |state: &ExecutionState| match state {
            ExecutionState::Running => "running",
            ExecutionState::Succeeded => "succeeded",
            ExecutionState::Failed => "failed",
        };
        let ask = AttemptsAsk {
            limit: Some(page.limit),
            after: page.after.clone(),
            item: filter.item,
            state: filter.state.as_ref().map(|state| word(state).to_owned()),
            ip: filter.ip,
            instance: filter.instance,
            source: filter.source.map(|source| source.as_str().to_owned()),
            from: filter.from.map(At),
            to: filter.to.map(At),
            text: filter.text,
        };
        let project = self.client.project(&self.project);
        let page = match &filter.jobs[..] {
            [job] => project.job(job).attempts(&ask).await?.value,
            _ => project.attempts(&ask).await?.value,
        };
        Ok(leaf(page.items.into_iter().map(attempt).collect(), page.next))
    }

    async fn run(&self, id: &str) -> Result<RunDetails, Failure> {
        let id = match whole_or_part(id)? {
            Some(run) => run.to_string(),
            None => self.whole(id).await?,
        };
        let page = self.client.history().run(&id).await?.value;
        Ok(RunDetails {
            outcome: page.outcome.map(run),
            execution: page.attempt.map(attempt),
            states: page.states.into_iter().map(state).collect(),
        })
    }

    async fn ledger(&self, wanted: Wanted<'_>) -> Result<Span, Failure> {
        let ask = LedgerAsk {
            limit: Some(wanted.limit.min(LEDGER)),
            item: wanted.item,
            from: Some(At(wanted.from)),
            to: Some(At(wanted.to)),
        };
        let ledger = self.client.project(&self.project).job(wanted.job).ledger(&ask).await?.value;
        let (gaps, sum) = if wanted.recorded { (Vec::new(), None) } else { (ledger.open, ledger.balance) };
        Ok(Span {
            settled: ledger.settled.into_iter().map(run).collect(),
            open: gaps.into_iter().map(open).collect(),
            balance: sum.map(balance),
            begins: ledger.begins_at.map(|at| at.0),
            to: ledger.to.0,
        })
    }

    async fn stats(
        &self,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, Failure> {
        let width = match width {
            Width::Minute => return Err(Failure::Usage("a server counts by hour or by day".into())),
            Width::Hour => "hour",
            Width::Day => "day",
        };
        let ask = StatsAsk { width: Some(width.to_owned()), from: Some(At(from)), to: Some(At(to)) };
        let project = self.client.project(&self.project);
        let rows = match job {
            Some(job) => project.job(job).stats(&ask).await?,
            None => project.stats(&ask).await?,
        };
        Ok(rows.0.iter().map(counts).collect())
    }

    async fn changes(&self, filter: ChangeFilter, page: &PageArgs) -> Result<Leaf<ChangeRow>, Failure> {
        let ask = ChangesAsk {
            limit: Some(page.limit),
            after: page.after.clone(),
            from: filter.from.map(At),
            to: filter.to.map(At),
        };
        let job = filter.job.unwrap_or_default();
        let page = self.client.project(&self.project).job(&job).changes(&ask).await?.value;
        let rows = page.items.into_iter().filter_map(|row| changed(&self.project, row));
        Ok(leaf(rows.collect(), page.next))
    }

    /// The server has named the nearest already, where there is no such job.
    async fn tell_nearest(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn tell_missing(&self, span: Option<(Millis, Millis)>) -> Result<(), Failure> {
        let Some((from, to)) = span else { return Ok(()) };
        let ask = SpanAsk { from: Some(At(from)), to: Some(At(to)) };
        for loss in &self.client.project(&self.project).losses(&ask).await?.0 {
            let Lost { from, to, statuses, executions, settlements, failures, reason } = loss;
            let (from, to) = (instant(from.0), instant(to.0));
            talk(&format!(
                "not on record: {statuses} status traces, {executions} starts and ends, {settlements} outcomes, {failures} failures, \
                 dropped from {from} to {to}: {reason}"
            ));
        }
        Ok(())
    }
}
