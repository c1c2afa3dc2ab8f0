//! What happened, in an event store.

use super::{Leaf, Listed, Record, Span, Wanted};
use crate::commands::Global;
use crate::commands::history::{PageArgs, tell_losses, tell_nearest, tell_partial};
use crate::commands::run::run_id;
use crate::output::{Failure, now};
use async_trait::async_trait;
use clockwright_events::answers::{JobRecord, RunDetails, run_details};
use clockwright_events::{
    ChangeFilter, ChangeRow, Cursor, EventStore, ExecutionFilter, ExecutionRow, Page, Query as _, RunFilter,
    RunRow, StatisticsRow, Width,
};
use clockwright_fleet::view;
use clockwright_model::Millis;
use clockwright_server::ledger::{self, Due, Ledger, Now};
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

    /// When a job is due, and what of it is under way, as the registry has it.
    async fn live(&self, job: &str) -> Result<(Due, Now), Failure> {
        let (registry, session) = self.global.session().await?;
        let view::Timetable { schedule, items, changed } =
            view::timetable(&*session, registry.keys(), job).await?;
        let live = Now::of(&view::job(&*session, registry.keys(), job, now()).await?);
        Ok((Due { schedule: Some(schedule), items, since: changed }, live))
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
        let (due, live) = if recorded { None } else { Some(self.live(job).await?) }.unzip();
        let namespace = match (&self.namespace, &due) {
            (None, Some(_)) => Some(self.global.address()?.namespace().to_owned()),
            (namespace, _) => namespace.clone(),
        };
        let record = JobRecord { store: &*self.store, namespace: namespace.as_deref(), job };
        let wanted = ledger::Wanted { item, from, to, limit: limit as usize, now: now() };
        let part = Ledger::read(&record, due.as_ref(), &wanted, std::future::ready(live)).await?;
        let Ledger { rows: settled, open, begins, to, balance, .. } = part;
        Ok(Span { settled, open, begins, to, balance })
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
