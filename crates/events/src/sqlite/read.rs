//! Reading: filters become conditions with bound values, pages are found by key.

use super::SqliteStore;
use crate::query::{
    Cursor, ExecutionFilter, ExecutionPage, ExecutionRow, ExecutionState, Page, Query, RunFilter, RunPage,
    RunRow, StatusRow, StoreError,
};
use crate::text::{clean, millis, timestamp};
use async_trait::async_trait;
use clockwright_model::{ExecutionSource, Item, Millis, RunId, Source};
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, QueryBuilder, Row, Sqlite, Type};

const RUN: &str = "SELECT key, job_name, sharding_item, fire, fire_time, range_from, range_count, outcome, failure_kind, \
     reason, coalesced_into, attempt, run_id, token, source, instance, start_ms, decided_ms FROM CLOCKWRIGHT_RUN";

const EXECUTION: &str = "SELECT id, job_name, task_id, hostname, ip, sharding_item, execution_source, failure_cause, \
     is_success, start_time, complete_time FROM JOB_EXECUTION_LOG";

const STATUS: &str = "SELECT id, job_name, original_task_id, task_id, slave_id, source, execution_type, sharding_item, \
     state, message, creation_time FROM JOB_STATUS_TRACE_LOG";

#[async_trait]
impl Query for SqliteStore {
    async fn runs(&self, filter: &RunFilter, page: &Page) -> Result<RunPage, StoreError> {
        self.run_page(runs_sql(filter, page), page).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        let mut sql = Select::new(RUN);
        sql.is("run_id = ", id.to_string());
        // Fires that were coalesced into the run's own one may name the run too; its own row is the answer.
        sql.text(" ORDER BY outcome = 'coalesced', fire_time DESC LIMIT 1");
        self.one(sql, run_row).await
    }

    async fn last(&self, job: &str, item: Item) -> Result<Option<RunRow>, StoreError> {
        let mut sql = Select::new(RUN);
        sql.is("job_name = ", job.to_owned());
        sql.is("sharding_item = ", i64::from(item));
        sql.text(" ORDER BY fire_time DESC, key DESC LIMIT 1");
        self.one(sql, run_row).await
    }

    async fn ledger(
        &self,
        job: &str,
        item: Option<Item>,
        from: Millis,
        to: Millis,
        page: &Page,
    ) -> Result<RunPage, StoreError> {
        self.run_page(ledger_sql(job, item, from, to, page), page).await
    }

    async fn executions(&self, filter: &ExecutionFilter, page: &Page) -> Result<ExecutionPage, StoreError> {
        let rows = self.all(executions_sql(filter, page), execution_row).await?;
        let (rows, next) = split(rows, page, |row: &ExecutionRow| Cursor {
            at: row.start.unwrap_or(Millis::MIN),
            id: row.id.clone(),
        });
        Ok(ExecutionPage { rows, next })
    }

    async fn execution(&self, id: RunId) -> Result<Option<ExecutionRow>, StoreError> {
        let mut sql = Select::new(EXECUTION);
        sql.is("id = ", id.to_string());
        self.one(sql, execution_row).await
    }

    async fn trace(&self, task_id: &str) -> Result<Vec<StatusRow>, StoreError> {
        let mut sql = Select::new(STATUS);
        sql.is("task_id = ", clean(task_id).into_owned());
        // Two states within one millisecond are told apart by the row's id, which grows with time as well.
        sql.text(" ORDER BY creation_time, id LIMIT 1000");
        self.all(sql, status_row).await
    }
}

impl SqliteStore {
    async fn run_page(&self, sql: Select, page: &Page) -> Result<RunPage, StoreError> {
        let rows = self.all(sql, run_row).await?;
        let (rows, next) =
            split(rows, page, |row: &RunRow| Cursor { at: row.fire_time, id: row.key.clone() });
        Ok(RunPage { rows, next })
    }

    async fn all<T>(
        &self,
        mut sql: Select,
        read: fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        // Filters come in countless combinations, so their statements are not worth keeping.
        let rows = sql.0.build().persistent(false).fetch_all(&self.readers).await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn one<T>(
        &self,
        sql: Select,
        read: fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, read).await?.pop())
    }
}

/// A SELECT in the making. Text is always our own (`&'static str`); values are always bound.
struct Select(QueryBuilder<Sqlite>, bool);

impl Select {
    fn new(head: &'static str) -> Self {
        Self(QueryBuilder::new(head), false)
    }

    fn text(&mut self, text: &'static str) {
        self.0.push(text);
    }

    fn bind<T>(&mut self, value: T)
    where
        T: Encode<'static, Sqlite> + Type<Sqlite> + 'static,
    {
        self.0.push_bind(value);
    }

    /// One more condition, without a value.
    fn must(&mut self, condition: &'static str) {
        self.0.push(if std::mem::replace(&mut self.1, true) { " AND " } else { " WHERE " });
        self.0.push(condition);
    }

    /// One more condition that ends with a value.
    fn is<T>(&mut self, condition: &'static str, value: T)
    where
        T: Encode<'static, Sqlite> + Type<Sqlite> + 'static,
    {
        self.must(condition);
        self.bind(value);
    }

    /// One more condition that ends with a value, if there is one.
    fn may<T>(&mut self, condition: &'static str, value: Option<T>)
    where
        T: Encode<'static, Sqlite> + Type<Sqlite> + 'static,
    {
        if let Some(value) = value {
            self.is(condition, value);
        }
    }

    /// The text occurs in the column. `instr` and not `LIKE`: there is nothing to escape and no limit to its length.
    fn contains(&mut self, condition: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.is(condition, clean(text).to_ascii_lowercase());
            self.text(") > 0");
        }
    }

    fn limit(&mut self, page: &Page) {
        self.text(" LIMIT ");
        self.bind(page.rows() as i64 + 1);
    }
}

fn runs_sql(filter: &RunFilter, page: &Page) -> Select {
    let mut sql = Select::new(RUN);
    sql.may("run_id = ", filter.run_id.map(|id| id.to_string()));
    sql.may("job_name = ", filter.job.clone());
    sql.may("sharding_item = ", filter.item.map(i64::from));
    sql.may("instance = ", filter.instance.as_deref().map(|text| clean(text).into_owned()));
    sql.may("source = ", filter.source.map(Source::as_str));
    if let Some((first, others)) = filter.outcomes.split_first() {
        sql.is("outcome IN (", first.clone());
        for other in others {
            sql.text(", ");
            sql.bind(other.clone());
        }
        sql.text(")");
    }
    sql.may("fire_time >= ", filter.from);
    sql.may("fire_time < ", filter.to);
    sql.contains("instr(lower(reason), ", filter.text.as_deref());
    if let Some(Cursor { at, id }) = &page.cursor {
        sql.is("fire_time <= ", *at);
        sql.is("(fire_time < ", *at);
        sql.text(" OR key < ");
        sql.bind(id.clone());
        sql.text(")");
    }
    sql.text(" ORDER BY fire_time DESC, key DESC");
    sql.limit(page);
    sql
}

/// Two parts: what ends inside, by the index on fire times; and ranges that begin inside or before and end behind `to`,
/// of which the second part's own small index finds the few.
fn ledger_sql(job: &str, item: Option<Item>, from: Millis, to: Millis, page: &Page) -> Select {
    let mut sql = Select::new(RUN);
    let part = |sql: &mut Select| {
        sql.is("job_name = ", job.to_owned());
        sql.may("sharding_item = ", item.map(i64::from));
        if let Some(Cursor { at, id }) = &page.cursor {
            sql.is("fire_time >= ", *at);
            sql.is("(fire_time > ", *at);
            sql.text(" OR key > ");
            sql.bind(id.clone());
            sql.text(")");
        }
    };
    part(&mut sql);
    sql.is("fire_time >= ", from);
    sql.is("fire_time < ", to);
    sql.text(" UNION ALL ");
    sql.text(RUN);
    // Left to itself SQLite takes an index with more columns and walks over everything since `to`.
    sql.text(" INDEXED BY CLOCKWRIGHT_RUN_RANGE");
    sql.1 = false;
    part(&mut sql);
    sql.must("range_from IS NOT NULL");
    sql.is("range_from < ", to);
    sql.is("fire_time >= ", from.max(to));
    sql.text(" ORDER BY fire_time, key");
    sql.limit(page);
    sql
}

fn executions_sql(filter: &ExecutionFilter, page: &Page) -> Select {
    let mut sql = Select::new(EXECUTION);
    sql.may("job_name = ", filter.job.clone());
    sql.may("sharding_item = ", filter.item.map(i64::from));
    sql.may("task_id = ", filter.task_id.as_deref().map(|text| clean(text).into_owned()));
    sql.may("ip = ", filter.ip.as_deref().map(|text| clean(text).into_owned()));
    sql.may("execution_source = ", filter.source.map(ExecutionSource::as_str));
    match filter.state {
        None => {}
        Some(ExecutionState::Running) => sql.must("complete_time IS NULL"),
        Some(ExecutionState::Succeeded) => sql.must("complete_time IS NOT NULL AND is_success = 1"),
        Some(ExecutionState::Failed) => sql.must("complete_time IS NOT NULL AND is_success = 0"),
    }
    sql.may("start_time >= ", filter.from.map(timestamp));
    sql.may("start_time < ", filter.to.map(timestamp));
    sql.contains("instr(lower(failure_cause), ", filter.text.as_deref());
    if let Some(Cursor { at, id }) = &page.cursor {
        sql.is("start_time <= ", timestamp(*at));
        sql.is("(start_time < ", timestamp(*at));
        sql.text(" OR id < ");
        sql.bind(id.clone());
        sql.text(")");
    }
    sql.text(" ORDER BY start_time DESC, id DESC");
    sql.limit(page);
    sql
}

/// One row more than the page holds was asked for: if it came, there is a next page.
fn split<T>(mut rows: Vec<T>, page: &Page, cursor: impl Fn(&T) -> Cursor) -> (Vec<T>, Option<Cursor>) {
    let more = rows.len() > page.rows();
    rows.truncate(page.rows());
    let next = if more { rows.last().map(cursor) } else { None };
    (rows, next)
}

fn run_row(row: &SqliteRow) -> Result<RunRow, sqlx::Error> {
    Ok(RunRow {
        key: row.try_get(0)?,
        job: row.try_get(1)?,
        item: row.try_get(2)?,
        fire: row.try_get(3)?,
        fire_time: row.try_get(4)?,
        range_from: row.try_get(5)?,
        range_count: row.try_get::<i64, _>(6)?.unsigned_abs(),
        outcome: row.try_get(7)?,
        failure_kind: row.try_get(8)?,
        reason: row.try_get(9)?,
        coalesced_into: row.try_get(10)?,
        attempt: row.try_get(11)?,
        run_id: row.try_get(12)?,
        token: row.try_get(13)?,
        source: row.try_get(14)?,
        instance: row.try_get(15)?,
        start: row.try_get(16)?,
        decided: row.try_get(17)?,
    })
}

fn execution_row(row: &SqliteRow) -> Result<ExecutionRow, sqlx::Error> {
    Ok(ExecutionRow {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        task_id: row.try_get(2)?,
        hostname: row.try_get(3)?,
        ip: row.try_get(4)?,
        item: row.try_get(5)?,
        source: row.try_get(6)?,
        failure_cause: row.try_get(7)?,
        success: row.try_get::<i64, _>(8)? != 0,
        start: row.try_get::<Option<&str>, _>(9)?.and_then(millis),
        complete: row.try_get::<Option<&str>, _>(10)?.and_then(millis),
    })
}

fn status_row(row: &SqliteRow) -> Result<StatusRow, sqlx::Error> {
    Ok(StatusRow {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        original_task_id: row.try_get(2)?,
        task_id: row.try_get(3)?,
        slave_id: row.try_get(4)?,
        source: row.try_get(5)?,
        execution_type: row.try_get(6)?,
        items: row.try_get(7)?,
        state: row.try_get(8)?,
        message: row.try_get::<Option<String>, _>(9)?.unwrap_or_default(),
        at: row.try_get::<Option<&str>, _>(10)?.and_then(millis),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What SQLite would do for a question. `LAST TERM` sorts only rows of the same instant, which is meant; any other
    /// sort, or a scan of a table, would read the whole history for one page.
    async fn plan(store: &SqliteStore, select: Select) -> String {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", select.0.into_string()));
        let rows = sqlx::query(explain).fetch_all(&store.readers).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for line in &lines {
            let sorts = line.contains("TEMP B-TREE FOR ORDER BY");
            let scans = line.starts_with("SCAN") && !line.contains("USING INDEX");
            assert!(!sorts && !scans, "{lines:?}");
        }
        lines.join("; ")
    }

    #[tokio::test]
    async fn no_page_of_a_common_question_reads_the_whole_history() {
        let store = SqliteStore::in_memory().await.unwrap();
        let page = Page::after(10, "1700000000000~j/0/1700000000000".parse().unwrap());
        let job = Some("j".to_owned());
        let item = Some(1);
        let (from, to) = (Some(1), Some(2));
        for page in [Page::first(10), page.clone()] {
            for (filter, index) in [
                (RunFilter::default(), "CLOCKWRIGHT_RUN_FIRE"),
                (RunFilter { from, to, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_FIRE"),
                (RunFilter { job: job.clone(), from, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_JOB_FIRE"),
                (RunFilter { job: job.clone(), item, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_ITEM_FIRE"),
            ] {
                let plan = plan(&store, runs_sql(&filter, &page)).await;
                assert!(plan.split([' ', ';']).any(|word| word == index), "{filter:?}: {plan}");
            }
            for (filter, index) in [
                (ExecutionFilter::default(), "JOB_EXECUTION_LOG_START"),
                (
                    ExecutionFilter { job: job.clone(), from, ..ExecutionFilter::default() },
                    "JOB_EXECUTION_LOG_JOB_START",
                ),
            ] {
                let plan = plan(&store, executions_sql(&filter, &page)).await;
                assert!(plan.split([' ', ';']).any(|word| word == index), "{filter:?}: {plan}");
            }
            for item in [None, item] {
                let plan = plan(&store, ledger_sql("j", item, 1, 2, &page)).await;
                assert!(plan.contains("CLOCKWRIGHT_RUN_RANGE "), "{plan}");
            }
        }
    }
}
