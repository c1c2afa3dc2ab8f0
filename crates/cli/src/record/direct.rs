//! What happened, in an event store.

use super::{Leaf, Listed, Open, Record, Span, Wanted};
use crate::commands::Global;
use crate::commands::history::{PageArgs, tell_losses, tell_nearest, tell_partial};
use crate::commands::run::run_id;
use crate::output::{Failure, now};
use async_trait::async_trait;
use clockwright_events::answers::{JobRecord, LedgerSpan, RunDetails, run_details};
use clockwright_events::{
    ChangeFilter, ChangeRow, Cursor, EventStore, ExecutionFilter, ExecutionRow, Page, Query as _, RunFilter,
    RunRow, StatisticsRow, Width,
};
use clockwright_fleet::view::{self, Timetable};
use clockwright_model::{Fire, Item, Millis};
use clockwright_planner::ledger::{Gap, unsettled};
use std::ops::Range;
use std::sync::Arc;

/// See [`Record`].
pub(crate) struct Direct<'a> {
    global: &'a Global,
    store: Arc<EventStore>,
    /// Of which namespace; `None` is any.
    namespace: Option<String>,
}

impl<'a> Direct<'a> {
    pub(crate) fn new(global: &'a Global, store: Arc<EventStore>, namespace: Option<String>) -> Self {
        Self { global, store, namespace }
    }

    fn namespaces(&self) -> Vec<String> {
        self.namespace.iter().cloned().collect()
    }

    async fn timetable(&self, job: &str) -> Result<Timetable, Failure> {
        let (registry, session) = self.global.session().await?;
        Ok(view::timetable(&*session, registry.keys(), job).await?)
    }
}

fn place(page: &PageArgs) -> Result<Page, Failure> {
    let read =
        |text: &str| text.parse::<Cursor>().map_err(|error| Failure::Usage(format!("--after: {error}")));
    Ok(Page { limit: page.limit, cursor: page.after.as_deref().map(read).transpose()? })
}

fn leaf<R>(rows: Vec<R>, next: Option<&Cursor>, cursor: impl Fn(&R) -> Cursor) -> Leaf<R> {
    let listed = |row: R| Listed { cursor: Some(cursor(&row).to_string()), row };
    Leaf { rows: rows.into_iter().map(listed).collect(), next: next.map(ToString::to_string) }
}

#[async_trait(?Send)]
impl Record for Direct<'_> {
    async fn runs(&self, filter: RunFilter, page: &PageArgs) -> Result<Leaf<RunRow>, Failure> {
        let filter = RunFilter { namespaces: self.namespaces(), ..filter };
        let answer = self.store.runs(&filter, &place(page)?).await?;
        Ok(leaf(answer.rows, answer.next.as_ref(), RunRow::cursor))
    }

    async fn attempts(
        &self,
        filter: ExecutionFilter,
        page: &PageArgs,
    ) -> Result<Leaf<ExecutionRow>, Failure> {
        let answer = self.store.executions(&filter, &place(page)?).await?;
        Ok(leaf(answer.rows, answer.next.as_ref(), ExecutionRow::cursor))
    }

    async fn run(&self, id: &str) -> Result<RunDetails, Failure> {
        let run = run_id(id, &self.store).await?;
        let place = self.global.store().place();
        let missing = || Failure::Failed(format!("there is no run {id} in {place}"));
        run_details(&*self.store, run).await?.ok_or_else(missing)
    }

    async fn ledger(&self, wanted: Wanted<'_>) -> Result<Span, Failure> {
        let Wanted { job, item, from, to, recorded, limit } = wanted;
        let timetable = if recorded { None } else { Some(self.timetable(job).await?) };
        let namespace = match (&self.namespace, &timetable) {
            (None, Some(_)) => Some(self.global.address()?.namespace().to_owned()),
            (namespace, _) => namespace.clone(),
        };
        let record = JobRecord { store: &*self.store, namespace: namespace.as_deref(), job };
        let LedgerSpan { rows, to } = record.span(item, from, to, limit as usize).await?;
        let begins = record.begins(None).await?;
        let mut open = Vec::new();
        if let Some(timetable) = &timetable {
            let items = item.map_or(0..timetable.items, |item| item..(item + 1).min(timetable.items));
            let due = begins.map_or(from, |begin| begin.max(from))..to.min(now());
            for item in items {
                open.extend(gaps(&record, timetable, item, due.clone(), &rows).await?);
            }
        }
        Ok(Span { settled: rows, open, begins, to })
    }

    async fn stats(
        &self,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, Failure> {
        Ok(self.store.statistics(self.namespace.as_deref(), job, width, from, to).await?)
    }

    async fn changes(&self, filter: ChangeFilter, page: &PageArgs) -> Result<Leaf<ChangeRow>, Failure> {
        let filter = ChangeFilter { namespaces: self.namespaces(), ..filter };
        let answer = self.store.changes(&filter, &place(page)?).await?;
        Ok(leaf(answer.rows, answer.next.as_ref(), ChangeRow::cursor))
    }

    async fn tell_nearest(&self, job: &str) -> Result<(), Failure> {
        tell_nearest(&self.store, job).await
    }

    async fn tell_missing(&self, span: Option<(Millis, Millis)>) -> Result<(), Failure> {
        tell_partial(self.global, &self.store).await;
        match span {
            Some((from, to)) => tell_losses(&self.store, from, to).await,
            None => Ok(()),
        }
    }
}

/// The due instants of an item that have no outcome, and why.
async fn gaps(
    record: &JobRecord<'_>,
    timetable: &Timetable,
    item: Item,
    span: Range<Millis>,
    rows: &[RunRow],
) -> Result<Vec<Open>, Failure> {
    let scheduled = rows.iter().filter(|row| row.item == item && trigger(row).is_none());
    let spans = scheduled.map(|row| (row.begins(), row.fire_time));
    let gaps = unsettled(&timetable.schedule, span.start, span.end, spans);
    if gaps.is_empty() {
        return Ok(Vec::new());
    }
    let begin = record.begins(Some(item)).await?;
    let open = |gap: clockwright_planner::ledger::Unsettled| Open {
        item,
        from: gap.from,
        to: gap.to,
        count: gap.count,
        gap: Gap::of(gap.to, begin),
    };
    Ok(gaps.into_iter().map(open).collect())
}

/// The id of the trigger by hand that an outcome is of.
pub(crate) fn trigger(row: &RunRow) -> Option<String> {
    match row.fire.parse() {
        Ok(Fire::Trigger { id, .. }) => Some(id),
        Ok(Fire::Scheduled(_)) | Err(_) => None,
    }
}
