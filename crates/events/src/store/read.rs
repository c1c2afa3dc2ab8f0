//! Reading: filters become conditions with bound values, pages are found by key.

use super::EventStore;
use super::write::stored_state;
use crate::query::{
    ChangeFilter, ChangePage, Cursor, Durations, ExecutionFilter, ExecutionPage, ExecutionRow,
    ExecutionState, LossRow, Page, Query, RunFilter, RunPage, RunRow, StateRow, StatisticsRow, StatusRow,
    StoreError, Tail, TailPage, Width,
};
use async_trait::async_trait;
use clockwright_model::{ExecutionSource, Item, Millis, OutcomeKind, RunId, Source, TaskState};
use clockwright_sql::text::{clean, fit};
use clockwright_sql::{Dialect, Row, Sql, Value};
use std::borrow::Cow;

pub(super) const RUN: &str = "SELECT run_key, job_name, sharding_item, fire, fire_time, range_from, range_count, outcome, failure_kind, \
     reason, coalesced_into, attempt, run_id, token, source, instance, start_ms, decided_ms, log_position, namespace, reason_code, \
     reason_params, claimed_at FROM CLOCKWRIGHT_RUN";

/// How many columns that are.
#[cfg(feature = "postgres")]
pub(super) const RUN_COLUMNS: usize = 23;

pub(super) const NEWEST_FIRST: &str = " ORDER BY fire_time DESC, run_key DESC";

const EXECUTION: &str = "SELECT id, job_name, task_id, hostname, ip, sharding_item, execution_source, failure_cause, \
     is_success, start_time, complete_time FROM JOB_EXECUTION_LOG";

const EXECUTION_MYSQL: &str = "SELECT id, job_name, task_id, hostname, ip, sharding_item, execution_source, failure_cause, \
     is_success, CAST(UNIX_TIMESTAMP(start_time) * 1000 AS SIGNED), CAST(UNIX_TIMESTAMP(complete_time) * 1000 AS SIGNED) \
     FROM JOB_EXECUTION_LOG";

const STATUS: &str = "SELECT id, job_name, original_task_id, task_id, slave_id, execution_type, sharding_item, state, \
     message";

#[async_trait]
impl Query for EventStore {
    async fn runs(&self, filter: &RunFilter, page: &Page) -> Result<RunPage, StoreError> {
        #[cfg(feature = "postgres")]
        if let Some(rows) = self.search(filter, page).await? {
            return Ok(run_page(rows, page));
        }
        if let [_, _, ..] = &filter.jobs[..]
            && filter.jobs.len() <= JOBS
        {
            // Each job's page is found by its index, and the page of all of them is among those.
            let mut rows = Vec::new();
            for job in &filter.jobs {
                let one = RunFilter { jobs: vec![job.clone()], ..filter.clone() };
                rows.extend(self.all(runs_sql(self.dialect(), &one, page), run_row).await?);
            }
            rows.sort_by(|a, b| (b.fire_time, &b.key).cmp(&(a.fire_time, &a.key)));
            rows.dedup_by(|a, b| a.key == b.key);
            rows.truncate(page.rows() + 1);
            return Ok(run_page(rows, page));
        }
        let rows = self.all(runs_sql(self.dialect(), filter, page), run_row).await?;
        Ok(run_page(rows, page))
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        let mut sql = Sql::new(self.dialect(), RUN);
        sql.is("run_id = ", id.to_string());
        // Fires that were coalesced into the run's own one may name the run too; its own row is the answer.
        sql.text(" ORDER BY CASE WHEN outcome = 'coalesced' THEN 1 ELSE 0 END, fire_time DESC LIMIT 1");
        self.one(sql, run_row).await
    }

    async fn last(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Item,
    ) -> Result<Option<RunRow>, StoreError> {
        let mut sql = Sql::new(self.dialect(), RUN);
        sql.is("job_name = ", fit(job, 100));
        in_namespace(&mut sql, namespace);
        sql.is("sharding_item = ", item);
        sql.text(" ORDER BY fire_time DESC, run_key DESC LIMIT 1");
        self.one(sql, run_row).await
    }

    async fn ledger(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Option<Item>,
        from: Millis,
        to: Millis,
        page: &Page,
    ) -> Result<RunPage, StoreError> {
        // What ends inside, by the index on fire times; and ranges that begin inside or before and end behind `to`, of
        // which a small index of their own finds the few. All rows of the first part come before those of the second.
        let inside = ledger_sql(self.dialect(), (namespace, job), item, from, to, page);
        let mut rows = self.all(inside, run_row).await?;
        if rows.len() <= page.rows() {
            let over = overreaching_sql(self.dialect(), (namespace, job), item, from, to, page);
            rows.extend(self.all(over, run_row).await?);
        }
        Ok(run_page(rows, page))
    }

    async fn executions(&self, filter: &ExecutionFilter, page: &Page) -> Result<ExecutionPage, StoreError> {
        let rows = self.all(executions_sql(self.dialect(), filter, page), execution_row).await?;
        let (rows, next) = split(rows, page, ExecutionRow::cursor);
        Ok(ExecutionPage { rows, next })
    }

    async fn execution(&self, id: RunId) -> Result<Option<ExecutionRow>, StoreError> {
        let mut sql = Sql::new(self.dialect(), execution_head(self.dialect()));
        sql.is("id = ", id.to_string());
        self.one(sql, execution_row).await
    }

    async fn trace(&self, task_id: &str) -> Result<Vec<StatusRow>, StoreError> {
        let mut sql = Sql::new(self.dialect(), STATUS);
        sql.text(if self.dialect().is_mysql() {
            ", CAST(UNIX_TIMESTAMP(creation_time) * 1000 AS SIGNED)"
        } else {
            ", creation_time"
        });
        sql.text(if self.trace_has_source { ", source" } else { ", 'LITE_EXECUTOR'" });
        sql.text(" FROM JOB_STATUS_TRACE_LOG");
        sql.is("task_id = ", fit(task_id, 255));
        // States of the same time (a whole second, in tables that Elastic-Job made) are in the order that a firing goes
        // through them; then by the row's id, which grows with time where Clockwright made it.
        sql.text(
            " ORDER BY creation_time, CASE state WHEN 'TASK_STAGING' THEN 0 WHEN 'TASK_RUNNING' THEN 1 ELSE 2 END, id \
             LIMIT 1000",
        );
        self.all(sql, status_row).await
    }

    async fn statistics(
        &self,
        namespace: Option<&str>,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, StoreError> {
        self.statistics_rows(namespace, job, width, from, to).await
    }

    async fn states(&self, since: Millis, most: usize) -> Result<Vec<StateRow>, StoreError> {
        self.state_rows(since, most).await
    }

    async fn durations(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Option<Item>,
    ) -> Result<Durations, StoreError> {
        self.duration_rows(namespace, job, item).await
    }

    async fn after(&self, place: Tail, most: usize) -> Result<TailPage, StoreError> {
        self.tail(place, most).await
    }

    async fn changes(&self, filter: &ChangeFilter, page: &Page) -> Result<ChangePage, StoreError> {
        self.change_rows(filter, page).await
    }

    async fn losses(&self, from: Millis, to: Millis) -> Result<Vec<LossRow>, StoreError> {
        let mut sql = Sql::new(
            self.dialect(),
            "SELECT id, from_ms, to_ms, statuses, executions, settlements, failures, reason FROM CLOCKWRIGHT_DROPPED",
        );
        sql.is("to_ms >= ", from);
        sql.is("from_ms < ", to);
        sql.text(" ORDER BY to_ms DESC, id DESC LIMIT 1000");
        self.all(sql, loss_row).await
    }

    fn searches_slowly(&self) -> bool {
        #[cfg(feature = "postgres")]
        return self.dialect().is_postgres() && !self.has_trigrams;
        #[cfg(not(feature = "postgres"))]
        false
    }
}

impl EventStore {
    fn dialect(&self) -> Dialect {
        self.db.dialect()
    }

    pub(super) async fn all<T>(
        &self,
        sql: Sql<'_>,
        read: fn(&Row) -> Result<T, clockwright_sql::Error>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.db.fetch(sql).await?.iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn one<T>(
        &self,
        sql: Sql<'_>,
        read: fn(&Row) -> Result<T, clockwright_sql::Error>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, read).await?.pop())
    }
}

/// In which namespace, if it matters, and its name.
type JobOf<'a> = (Option<&'a str>, &'a str);

/// How many jobs' pages are found one by one.
const JOBS: usize = 64;

/// What versions recorded that kept no namespace belongs to all.
pub(super) fn in_namespace<'a>(sql: &mut Sql<'a>, namespace: Option<&'a str>) {
    if let Some(namespace) = namespace {
        sql.must("namespace IN (");
        sql.list([fit(namespace, 200), "".into()]);
    }
}

/// The word of a stored outcome.
pub(super) fn outcome_kind(word: &str) -> Result<OutcomeKind, clockwright_sql::Error> {
    OutcomeKind::parse(word)
        .ok_or_else(|| clockwright_sql::Error::Decode(format!("`{word}` is no outcome").into()))
}

fn execution_head(dialect: Dialect) -> &'static str {
    if dialect.is_mysql() { EXECUTION_MYSQL } else { EXECUTION }
}

pub(super) fn limit(sql: &mut Sql<'_>, page: &Page) {
    sql.text(" LIMIT ");
    sql.bind(page.rows() as i64 + 1);
}

/// The text occurs in the column. Not `LIKE`: there is nothing to escape and no limit to its length. The database lowers
/// both sides, so that they are lowered alike.
pub(super) fn contains<'a>(sql: &mut Sql<'a>, column: &'static str, text: Option<&'a str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        sql.must(if sql.dialect.is_postgres() { "STRPOS(LOWER(" } else { "INSTR(LOWER(" });
        sql.text(column);
        sql.text("), LOWER(");
        sql.bind(clean(text));
        sql.text(")) > 0");
    }
}

/// The task id ends in the instance's id, and a separator before it.
fn ends_in_instance(sql: &mut Sql<'_>, instance: &str) {
    let end = format!("@-@{}", clean(instance));
    let length = end.chars().count().min(256) as i64;
    match sql.dialect {
        Dialect::Sqlite => sql.is("SUBSTR(task_id, -", length),
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        _ => {
            sql.is("RIGHT(task_id, CAST(", length);
            sql.text(if sql.dialect.is_postgres() { " AS INT)" } else { " AS SIGNED)" });
        }
    }
    sql.text(") = ");
    sql.bind(end);
}

fn runs_sql<'a>(dialect: Dialect, filter: &'a RunFilter, page: &'a Page) -> Sql<'a> {
    let mut sql = Sql::new(dialect, RUN);
    run_conditions(&mut sql, filter, page);
    contains(&mut sql, "reason", filter.text.as_deref());
    sql.text(NEWEST_FIRST);
    limit(&mut sql, page);
    sql
}

fn jobs<'a>(sql: &mut Sql<'a>, jobs: &'a [String]) {
    match jobs {
        [] => {}
        [job] => sql.is("job_name = ", fit(job, 100)),
        jobs => {
            sql.must("job_name IN (");
            sql.list(jobs.iter().map(|job| fit(job, 100)));
        }
    }
}

/// What a filter says, except for the text, and behind which row the page begins.
pub(super) fn run_conditions<'a>(sql: &mut Sql<'a>, filter: &'a RunFilter, page: &'a Page) {
    sql.may("run_id = ", filter.run_id.map(|id| id.to_string()));
    jobs(sql, &filter.jobs);
    if !filter.namespaces.is_empty() {
        sql.must("namespace IN (");
        sql.list(filter.namespaces.iter().map(|namespace| fit(namespace, 200)).chain([Cow::Borrowed("")]));
    }
    sql.may("sharding_item = ", filter.item);
    sql.may("instance = ", filter.instance.as_deref().map(|instance| fit(instance, 255)));
    sql.may("source = ", filter.source.map(Source::as_str));
    if !filter.outcomes.is_empty() {
        sql.must("outcome IN (");
        sql.list(filter.outcomes.iter().map(|outcome| outcome.as_str()));
    }
    // A success has no reason. Said in these words, the database sees that its index of what did not succeed has it all.
    let has_text = filter.text.as_ref().is_some_and(|text| !text.is_empty());
    if has_text || !(filter.outcomes.is_empty() || filter.outcomes.contains(&OutcomeKind::Succeeded)) {
        if !sql.dialect.is_mysql() {
            sql.must("outcome <> 'succeeded'");
        } else {
            sql.must("is_bad = 1");
        }
    }
    sql.may("fire_time >= ", filter.from);
    sql.may("fire_time < ", filter.to);
    if let Some(Cursor { at, id }) = &page.cursor {
        sql.is("fire_time <= ", *at);
        sql.is("(fire_time < ", *at);
        sql.text(" OR run_key < ");
        sql.bind(clean(id));
        sql.text(")");
    }
}

fn ledger_sql<'a>(
    dialect: Dialect,
    job: JobOf<'a>,
    item: Option<Item>,
    from: Millis,
    to: Millis,
    page: &'a Page,
) -> Sql<'a> {
    let mut sql = Sql::new(dialect, RUN);
    ledger_part(&mut sql, job, item, page);
    sql.is("fire_time >= ", from);
    sql.is("fire_time < ", to);
    sql.text(" ORDER BY fire_time, run_key");
    limit(&mut sql, page);
    sql
}

fn overreaching_sql<'a>(
    dialect: Dialect,
    job: JobOf<'a>,
    item: Option<Item>,
    from: Millis,
    to: Millis,
    page: &'a Page,
) -> Sql<'a> {
    let mut sql = Sql::new(dialect, RUN);
    if dialect == Dialect::Sqlite {
        // Left to itself SQLite takes an index with more columns and walks over everything since `to`.
        sql.text(" INDEXED BY CLOCKWRIGHT_RUN_RANGE");
    }
    ledger_part(&mut sql, job, item, page);
    sql.must("range_from IS NOT NULL");
    sql.is("range_from < ", to);
    sql.is("fire_time >= ", from.max(to));
    sql.text(" ORDER BY fire_time, run_key");
    limit(&mut sql, page);
    sql
}

fn ledger_part<'a>(sql: &mut Sql<'a>, (namespace, job): JobOf<'a>, item: Option<Item>, page: &'a Page) {
    sql.is("job_name = ", fit(job, 100));
    in_namespace(sql, namespace);
    sql.may("sharding_item = ", item);
    if let Some(Cursor { at, id }) = &page.cursor {
        sql.is("fire_time >= ", *at);
        sql.is("(fire_time > ", *at);
        sql.text(" OR run_key > ");
        sql.bind(clean(id));
        sql.text(")");
    }
}

/// Elastic-Job writes an end that comes before its start as a failure without a time of its end.
fn executions_sql<'a>(dialect: Dialect, filter: &'a ExecutionFilter, page: &'a Page) -> Sql<'a> {
    let mut sql = Sql::new(dialect, execution_head(dialect));
    jobs(&mut sql, &filter.jobs);
    sql.may("sharding_item = ", filter.item);
    sql.may("task_id = ", filter.task_id.as_deref().map(|task| fit(task, 255)));
    sql.may("ip = ", filter.ip.as_deref().map(|ip| fit(ip, 50)));
    if let Some(instance) = &filter.instance {
        ends_in_instance(&mut sql, instance);
    }
    sql.may("execution_source = ", filter.source.map(ExecutionSource::as_str));
    // What succeeded has ended, and has no cause. As above, the words are those of the index.
    let has_text = filter.text.as_ref().is_some_and(|text| !text.is_empty());
    if has_text || matches!(filter.state, Some(ExecutionState::Running | ExecutionState::Failed)) {
        sql.must(if dialect.is_postgres() { "is_success = FALSE" } else { "is_success = 0" });
    }
    match filter.state {
        None => {}
        Some(ExecutionState::Running) => sql.must("complete_time IS NULL AND failure_cause IS NULL"),
        Some(ExecutionState::Succeeded) => {
            sql.must("complete_time IS NOT NULL");
            sql.is("is_success = ", Value::Flag(true));
        }
        Some(ExecutionState::Failed) => {
            sql.must("(complete_time IS NOT NULL OR failure_cause IS NOT NULL)");
        }
    }
    sql.may("start_time >= ", filter.from.map(|at| Value::Time(Some(at))));
    sql.may("start_time < ", filter.to.map(|at| Value::Time(Some(at))));
    contains(&mut sql, "failure_cause", filter.text.as_deref());
    if let Some(Cursor { at, id }) = &page.cursor {
        sql.is("start_time <= ", Value::Time(Some(*at)));
        sql.is("(start_time < ", Value::Time(Some(*at)));
        sql.text(" OR id < ");
        sql.bind(clean(id));
        sql.text(")");
    }
    // A start without a time sorts last; elsewhere than on PostgreSQL it does so by itself.
    sql.text(if dialect.is_postgres() {
        " ORDER BY start_time DESC NULLS LAST, id DESC"
    } else {
        " ORDER BY start_time DESC, id DESC"
    });
    limit(&mut sql, page);
    sql
}

fn run_page(rows: Vec<RunRow>, page: &Page) -> RunPage {
    let (rows, next) = split(rows, page, RunRow::cursor);
    RunPage { rows, next }
}

/// One row more than the page holds was asked for: if it came, there is a next page.
pub(super) fn split<T>(
    mut rows: Vec<T>,
    page: &Page,
    cursor: impl Fn(&T) -> Cursor,
) -> (Vec<T>, Option<Cursor>) {
    let more = rows.len() > page.rows();
    rows.truncate(page.rows());
    let next = if more { rows.last().map(cursor) } else { None };
    (rows, next)
}

pub(super) fn run_row(row: &Row) -> Result<RunRow, clockwright_sql::Error> {
    Ok(RunRow {
        key: row.text(0)?,
        job: row.text(1)?,
        item: row.id(2)?,
        fire: row.text(3)?,
        fire_time: row.int(4)?,
        range_from: row.maybe_int(5)?,
        range_count: row.int(6)?.unsigned_abs(),
        outcome: outcome_kind(&row.text(7)?)?,
        failure_kind: row.maybe_text(8)?,
        reason: row.text(9)?,
        coalesced_into: row.maybe_text(10)?,
        attempt: row.id(11)?,
        run_id: row.maybe_text(12)?,
        token: row.int(13)?,
        source: row.text(14)?,
        instance: row.text(15)?,
        start: row.maybe_int(16)?,
        decided: row.int(17)?,
        log: row.maybe_text(18)?,
        namespace: row.text(19)?,
        reason_code: row.maybe_text(20)?,
        reason_params: row.maybe_text(21)?.and_then(|text| serde_json::from_str(&text).ok()),
        claimed: row.maybe_int(22)?,
    })
}

fn execution_row(row: &Row) -> Result<ExecutionRow, clockwright_sql::Error> {
    Ok(ExecutionRow {
        id: row.text(0)?,
        job: row.text(1)?,
        task_id: row.text(2)?,
        hostname: row.text(3)?,
        ip: row.text(4)?,
        item: row.id(5)?,
        source: row.text(6)?,
        failure_cause: row.maybe_text(7)?,
        success: row.int(8)? != 0,
        start: row.time(9)?,
        complete: row.time(10)?,
    })
}

fn status_row(row: &Row) -> Result<StatusRow, clockwright_sql::Error> {
    Ok(StatusRow {
        id: row.text(0)?,
        job: row.text(1)?,
        original_task_id: row.text(2)?,
        task_id: row.text(3)?,
        slave_id: row.text(4)?,
        execution_type: row.text(5)?,
        items: row.text(6)?,
        state: whole_state(row.text(7)?),
        message: row.maybe_text(8)?.unwrap_or_default(),
        at: row.time(9)?,
        source: row.text(10)?,
    })
}

/// The word of which the column holds the beginning.
fn whole_state(stored: String) -> String {
    let known = TaskState::ALL.into_iter().find(|state| stored_state(*state) == stored);
    known.map_or(stored, |state| state.as_str().to_owned())
}

fn loss_row(row: &Row) -> Result<LossRow, clockwright_sql::Error> {
    let count = |at| row.int(at).map(i64::unsigned_abs);
    Ok(LossRow {
        id: row.text(0)?,
        from: row.int(1)?,
        to: row.int(2)?,
        statuses: count(3)?,
        executions: count(4)?,
        settlements: count(5)?,
        failures: count(6)?,
        reason: row.text(7)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// What SQLite would do for a question. `LAST TERM` sorts only rows of the same instant, which is meant; any other
    /// sort, or a scan of a table, would read the whole history for one page.
    async fn plan(store: &EventStore, select: Sql<'_>) -> String {
        let lines = store.db.explain(&select).await.unwrap();
        for line in &lines {
            let sorts = line.contains("TEMP B-TREE FOR ORDER BY");
            let scans = line.starts_with("SCAN") && !line.contains("USING INDEX");
            assert!(!sorts && !scans, "{lines:?}");
        }
        lines.join("; ")
    }

    #[tokio::test]
    async fn no_page_of_a_common_question_reads_the_whole_history() {
        let store = EventStore::in_memory().await.unwrap();
        let page = Page::after(10, "1700000000000~j/0/1700000000000".parse().unwrap());
        let job = vec!["j".to_owned()];
        let instance = Some("i".to_owned());
        let item = Some(1);
        let (from, to) = (Some(1), Some(2));
        let failed = || vec![OutcomeKind::Failed];
        for page in [Page::first(10), page.clone()] {
            for (filter, index) in [
                (RunFilter::default(), "CLOCKWRIGHT_RUN_FIRE"),
                (RunFilter { from, to, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_FIRE"),
                (RunFilter { jobs: job.clone(), from, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_JOB_FIRE"),
                (RunFilter { jobs: job.clone(), item, ..RunFilter::default() }, "CLOCKWRIGHT_RUN_JOB_FIRE"),
                (RunFilter { outcomes: failed(), ..RunFilter::default() }, "CLOCKWRIGHT_RUN_BAD"),
                (RunFilter { text: Some("x".into()), ..RunFilter::default() }, "CLOCKWRIGHT_RUN_BAD"),
                (
                    RunFilter { jobs: job.clone(), outcomes: failed(), ..RunFilter::default() },
                    "CLOCKWRIGHT_RUN_JOB_BAD",
                ),
                (
                    RunFilter { instance: instance.clone(), ..RunFilter::default() },
                    "CLOCKWRIGHT_RUN_INSTANCE",
                ),
            ] {
                let plan = plan(&store, runs_sql(Dialect::Sqlite, &filter, &page)).await;
                assert!(plan.split([' ', ';']).any(|word| word == index), "{filter:?}: {plan}");
            }
            for (filter, index) in [
                (ExecutionFilter::default(), "JOB_EXECUTION_LOG_START"),
                (
                    ExecutionFilter { state: Some(ExecutionState::Running), ..ExecutionFilter::default() },
                    "JOB_EXECUTION_LOG_OPEN",
                ),
                (
                    ExecutionFilter { text: Some("x".into()), ..ExecutionFilter::default() },
                    "JOB_EXECUTION_LOG_BAD",
                ),
                (
                    ExecutionFilter { jobs: job.clone(), from, ..ExecutionFilter::default() },
                    "JOB_EXECUTION_LOG_JOB_START",
                ),
            ] {
                let plan = plan(&store, executions_sql(Dialect::Sqlite, &filter, &page)).await;
                assert!(plan.split([' ', ';']).any(|word| word == index), "{filter:?}: {plan}");
            }
            for item in [None, item] {
                plan(&store, ledger_sql(Dialect::Sqlite, (Some("n"), "j"), item, 1, 2, &page)).await;
                let over = overreaching_sql(Dialect::Sqlite, (Some("n"), "j"), item, 1, 2, &page);
                let plan = plan(&store, over).await;
                assert!(plan.contains("CLOCKWRIGHT_RUN_RANGE "), "{plan}");
            }
        }
    }
}
