//! Answers that take more than one question to a store.

use crate::query::{ExecutionRow, Page, Query, RunPage, RunRow, StatusRow, StoreError};
use clockwright_model::{Item, Millis, RunId};
use serde::Serialize;

/// All that is known of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// The outcome that it decided, if it decided one.
    #[serde(flatten)]
    pub outcome: Option<RunRow>,
    /// Where and how it ran; `None` when its traces are not kept.
    pub execution: Option<ExecutionRow>,
    /// The states that its firing went through, oldest first.
    pub states: Vec<StatusRow>,
}

/// One run; `None` when nothing of it is on record.
///
/// # Errors
/// The database does not answer.
pub async fn run_details(store: &dyn Query, run: RunId) -> Result<Option<RunDetails>, StoreError> {
    let (outcome, execution) = (store.run(run).await?, store.execution(run).await?);
    let states = match &execution {
        Some(execution) => store.trace(&execution.task_id).await?,
        None => Vec::new(),
    };
    let known = outcome.is_some() || execution.is_some();
    Ok(known.then_some(RunDetails { outcome, execution, states }))
}

/// The outcomes of a span of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSpan {
    /// The outcomes, oldest first; those of one instant are never parted.
    pub rows: Vec<RunRow>,
    /// Before which instant they are: before the end of the span when it holds more rows than were asked for.
    pub to: Millis,
}

/// What is on record of one job.
#[derive(Clone, Copy)]
pub struct JobRecord<'a> {
    /// Where it is.
    pub store: &'a dyn Query,
    /// The registry's namespace; `None` is any.
    pub namespace: Option<&'a str>,
    /// The job.
    pub job: &'a str,
}

impl JobRecord<'_> {
    async fn page(
        &self,
        item: Option<Item>,
        from: Millis,
        to: Millis,
        page: &Page,
    ) -> Result<RunPage, StoreError> {
        self.store.ledger(self.namespace, self.job, item, from, to, page).await
    }

    /// The outcomes from `from` to before `to`, about `limit` of them: as many as it takes to keep those of one instant together.
    /// `item: None` is all items.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn span(
        &self,
        item: Option<Item>,
        from: Millis,
        mut to: Millis,
        limit: usize,
    ) -> Result<LedgerSpan, StoreError> {
        loop {
            let (mut rows, mut page) = (Vec::new(), Page::first(1000));
            let cut = loop {
                let answer = self.page(item, from, to, &page).await?;
                rows.extend(answer.rows);
                let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                    return Ok(LedgerSpan { rows, to });
                };
                if rows.len() > limit && first.fire_time < last.fire_time && last.fire_time < to {
                    break last.fire_time;
                }
                match answer.next {
                    Some(next) => page = Page::after(1000, next),
                    None => return Ok(LedgerSpan { rows, to }),
                }
            };
            // Once more, for the ranges that reach over the new end.
            let limit = rows.get(limit).map_or(cut, |row| row.fire_time);
            let first = rows.first().map_or(from, |row| row.fire_time);
            to = if first < limit { limit } else { cut };
        }
    }

    /// The first instant of the job, or of an item of it, that has an outcome. It may be late: the job is young, or what was older has
    /// been deleted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begins(&self, item: Option<Item>) -> Result<Option<Millis>, StoreError> {
        let oldest = self.page(item, Millis::MIN, Millis::MAX, &Page::first(1)).await?;
        Ok(oldest.rows.first().map(RunRow::begins))
    }
}
