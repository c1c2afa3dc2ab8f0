//! Writing: a batch of events is one transaction with a few multi-row statements.
//!
//! Rows are inserted in groups of 256, 64, 16, 4 and 1, so that each table has five different statements however large the
//! batches are (a full batch of the bus is four of the largest); a database then parses each of them once for the life of the
//! connection, where parsing 500 rows afresh
//! costs as much as storing them. While it works on one statement, the next one is made. The largest group has 256 × 24 variables, well below the 32,766 of SQLite and the 65,535
//! of the others.
//!
//! The same event may come twice, after a crash or from the spool: the first one stays, by primary key. Counts are made
//! from the rows that this batch has newly made, in the same transaction, so they are exact too; see `counting`. So is how each item stands (`state`),
//! and what those are told who follow the history (`tail`).

use super::{EventStore, changes, counting, state, tail};
use crate::{Loss, Sink, SinkError};
use async_trait::async_trait;
use clockwright_model::{
    Change, Event, Execution, Outcome, RunId, Settlement, StatusTrace, TaskState, Token, TraceSource,
};
use clockwright_sql::text::{fit, wide};
use clockwright_sql::{Dialect, Sql, Tx, Value};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const GROUPS: [usize; 5] = [256, 64, 16, 4, 1];

/// A batch that takes longer is given up and tried again: the server hangs, and its connection is of no more use.
const PATIENCE: Duration = Duration::from_secs(60);

#[async_trait]
impl Sink for EventStore {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let writing = tokio::time::timeout(PATIENCE, self.write(batch)).await;
        let late = || SinkError(format!("the database did not answer within {} s", PATIENCE.as_secs()));
        let conflicts = writing.map_err(|_| late())??;
        self.conflicts.fetch_add(conflicts, Ordering::Relaxed);
        Ok(())
    }

    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        let mut tx = self.writing().await?;
        let mut sql = Sql::new(
            self.db.dialect(),
            insert(
                tx.dialect(),
                "INSERT INTO CLOCKWRIGHT_DROPPED (id, from_ms, to_ms, statuses, executions, settlements, failures, reason)",
                "INSERT IGNORE INTO CLOCKWRIGHT_DROPPED (id, from_ms, to_ms, statuses, executions, settlements, failures, \
                 reason)",
            ),
        );
        sql.rows(std::iter::once([
            loss.id.to_string().into(),
            loss.from.into(),
            loss.to.into(),
            count(loss.statuses),
            count(loss.executions),
            count(loss.settlements),
            count(loss.failures),
            wide(&loss.reason).into(),
        ]));
        sql.text(unless_there(tx.dialect(), " ON CONFLICT (id) DO NOTHING"));
        tx.execute(sql).await.map_err(refused)?;
        tx.commit().await.map_err(refused)
    }

    async fn greatest_token(&self, namespace: &str) -> Result<Token, SinkError> {
        self.token_row(namespace).await.map_err(|error| SinkError(error.to_string()))
    }

    async fn identity(&self) -> Result<Option<String>, SinkError> {
        self.identity().await.map(Some).map_err(|error| SinkError(error.to_string()))
    }

    /// The caller may still have questions, so the connections stay until the store is dropped or closed by name.
    async fn close(&self) {
        let _ = self.fold().await;
    }

    fn name(&self) -> &str {
        match self.db.dialect() {
            Dialect::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Dialect::Postgres => "postgres",
            #[cfg(feature = "mysql")]
            Dialect::MySql => "mysql",
        }
    }
}

impl EventStore {
    async fn writing(&self) -> Result<Tx, SinkError> {
        let tx = self.db.begin().await.map_err(refused)?;
        tx.ok_or_else(|| SinkError("the event store is open for reading only".into()))
    }

    /// Returns how many settlements were refused.
    async fn write(&self, batch: &[Event]) -> Result<u64, SinkError> {
        let mut tx = self.writing().await?;
        let conflicts = async {
            let conflicts = self.write_in(&mut tx, batch).await?;
            tx.commit().await?;
            Ok(conflicts)
        };
        conflicts.await.map_err(refused)
    }

    /// Stores a batch in a transaction of the caller's, on the database of this store: so that what the caller writes and what happened are true
    /// together. Returns how many settlements were refused, because their fire has an outcome already that says something else.
    ///
    /// # Errors
    /// As the database says; the transaction is of no more use then.
    pub async fn write_in(&self, tx: &mut Tx, batch: &[Event]) -> Result<u64, clockwright_sql::Error> {
        let sorted = Sorted::from(batch);
        executions(tx, &sorted.executions).await?;
        statuses(tx, &sorted.statuses, self.trace_has_source).await?;
        let (new, conflicts) = settlements(tx, &sorted.settlements, &self.batches).await?;
        changes::put(tx, &sorted.changes).await?;
        state::set(tx, &new).await?;
        counting::add(tx, &new).await?;
        tail::add(tx, &new).await?;
        Ok(conflicts)
    }

    /// Begins a transaction for [`write_in`](Self::write_in).
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database) or [`StoreError::ReadOnly`](crate::StoreError::ReadOnly).
    pub async fn begin(&self) -> Result<Tx, crate::StoreError> {
        self.db.begin().await?.ok_or(crate::StoreError::ReadOnly)
    }
}

fn refused(error: clockwright_sql::Error) -> SinkError {
    SinkError(error.to_string())
}

fn count<'a>(number: u64) -> Value<'a> {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// The head of an INSERT that passes over rows that are there. MySQL's `IGNORE` also takes values that do not fit, which
/// its session mode does anyhow; and it says how many rows are new, which `ON DUPLICATE KEY UPDATE` does not.
fn insert(dialect: Dialect, plain: &'static str, ignoring: &'static str) -> &'static str {
    if dialect.is_mysql() { ignoring } else { plain }
}

fn unless_there(dialect: Dialect, clause: &'static str) -> &'static str {
    if dialect.is_mysql() { "" } else { clause }
}

/// The text of an upsert, given in parts: a column in braces stands for what came, in the words of the dialect.
pub(super) fn template(sql: &mut Sql<'_>, parts: &[&'static str]) {
    let (before, after) = if sql.dialect.is_mysql() { ("VALUES(", ")") } else { ("excluded.", "") };
    for text in parts {
        let mut rest = *text;
        while let Some(at) = rest.find(['{', '}']) {
            sql.text(&rest[..at]);
            sql.text(if rest.as_bytes()[at] == b'{' { before } else { after });
            rest = &rest[at + 1..];
        }
        sql.text(rest);
    }
}

/// A batch by table. The events of one run are merged into one row.
#[derive(Default)]
struct Sorted<'a> {
    executions: Vec<&'a Execution>,
    statuses: Vec<&'a StatusTrace>,
    settlements: Vec<&'a Settlement>,
    changes: Vec<&'a Change>,
}

impl<'a> From<&'a [Event]> for Sorted<'a> {
    fn from(batch: &'a [Event]) -> Self {
        let mut sorted = Self::default();
        let mut places: HashMap<RunId, usize> = HashMap::new();
        for event in batch {
            match event {
                Event::Status(status) => sorted.statuses.push(status),
                Event::Settlement(settlement) => sorted.settlements.push(settlement),
                Event::Change(change) => sorted.changes.push(change),
                Event::Execution(new) => {
                    let place = *places.entry(new.id).or_insert(sorted.executions.len());
                    match sorted.executions.get_mut(place) {
                        None => sorted.executions.push(new),
                        // An end takes the place of a start; the first end stays.
                        Some(old) if old.complete.is_none() && new.complete.is_some() => *old = new,
                        Some(_) => {}
                    }
                }
            }
        }
        sorted
    }
}

/// Splits rows into groups of the sizes above.
fn groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = *GROUPS.iter().find(|size| **size <= rows.len())?;
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

/// Sends a statement for each group of rows, which is given with its place, and makes the next one ready while the database works on this one. Returns how
/// many rows each of them made or changed.
pub(super) async fn send<'a, T>(
    tx: &mut Tx,
    rows: &'a [T],
    statement: impl Fn(usize, &'a [T]) -> Sql<'a>,
) -> Result<Vec<u64>, clockwright_sql::Error> {
    let mut statements = groups(rows).enumerate().map(|(place, group)| statement(place, group).ready());
    let mut sent = Vec::new();
    let mut next = statements.next();
    while let Some(statement) = next {
        let (rows, following) = futures::join!(tx.send(statement?), async { statements.next() });
        sent.push(rows?);
        next = following;
    }
    Ok(sent)
}

/// A start makes the row and an end completes it, in whatever order they arrive; nothing changes a completed row.
async fn executions(tx: &mut Tx, rows: &[&Execution]) -> Result<(), clockwright_sql::Error> {
    let dialect = tx.dialect();
    send(tx, rows, |_, group| {
        let mut sql = Sql::new(
            dialect,
            "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, \
             failure_cause, is_success, start_time, complete_time)",
        );
        sql.rows(group.iter().map(|e| {
            [
                e.id.to_string().into(),
                fit(e.job.as_str(), 100).into(),
                fit(&e.task_id, 255).into(),
                fit(&e.hostname, 255).into(),
                fit(&e.ip, 50).into(),
                e.item.into(),
                e.source.as_str().into(),
                e.failure_cause.as_deref().map(wide).into(),
                Value::Flag(e.success && e.complete.is_some()),
                Value::Time(Some(e.start)),
                Value::Time(e.complete),
            ]
        }));
        sql.text(if dialect.is_mysql() {
            // Assignments are made from left to right, so the time that the others look at comes last.
            " ON DUPLICATE KEY UPDATE \
             failure_cause = IF(complete_time IS NULL AND VALUES(complete_time) IS NOT NULL, VALUES(failure_cause), failure_cause), \
             is_success = IF(complete_time IS NULL AND VALUES(complete_time) IS NOT NULL, VALUES(is_success), is_success), \
             complete_time = IF(complete_time IS NULL, VALUES(complete_time), complete_time)"
        } else {
            " ON CONFLICT (id) DO UPDATE SET failure_cause = excluded.failure_cause, is_success = excluded.is_success, \
             complete_time = excluded.complete_time \
             WHERE excluded.complete_time IS NOT NULL AND JOB_EXECUTION_LOG.complete_time IS NULL"
        });
        sql
    })
    .await
    .map(drop)
}

async fn statuses(
    tx: &mut Tx,
    rows: &[&StatusTrace],
    has_source: bool,
) -> Result<(), clockwright_sql::Error> {
    let originals = original_tasks(tx, rows).await?;
    let dialect = tx.dialect();
    send(tx, rows, |_, group| {
        let mut sql = Sql::new(dialect, insert(dialect, "INSERT", "INSERT IGNORE"));
        sql.text(
            " INTO JOB_STATUS_TRACE_LOG (id, job_name, original_task_id, task_id, slave_id, execution_type, \
             sharding_item, state, message, creation_time",
        );
        let columns = group.iter().map(|s| {
            let task = fit(&s.task_id, 255);
            [
                s.id.to_string().into(),
                fit(s.job.as_str(), 100).into(),
                originals.get(&*task).cloned().unwrap_or_default().into(),
                task.into(),
                fit(&s.slave_id, 50).into(),
                if s.failover { "FAILOVER" } else { "READY" }.into(),
                java_list(&s.items).into(),
                stored_state(s.state).into(),
                wide(&s.message).into(),
                Value::Time(Some(s.at)),
                s.source.as_str().into(),
            ]
        });
        // Tables that Elastic-Job 3.0.5 made have no such column.
        if has_source {
            sql.text(", source)");
            sql.rows(columns);
        } else {
            sql.text(")");
            sql.rows(columns.map(|[a, b, c, d, e, f, g, h, i, j, _]| [a, b, c, d, e, f, g, h, i, j]));
        }
        sql.text(unless_there(dialect, " ON CONFLICT (id) DO NOTHING"));
        sql
    })
    .await
    .map(drop)
}

/// The state as Elastic-Job's column of 20 characters holds it: its longest word, `TASK_GONE_BY_OPERATOR`, has 21, and a
/// PostgreSQL would refuse the whole batch for it.
pub(super) fn stored_state(state: TaskState) -> &'static str {
    let word = state.as_str();
    word.get(..20).unwrap_or(word)
}

/// The original task ids of the rows' firings, which all their rows inherit from the `TASK_STAGING` row. An elastic job's
/// firings have none, so only the others are looked up where they were staged in an earlier batch, in a query or two.
async fn original_tasks<'a>(
    tx: &mut Tx,
    rows: &[&'a StatusTrace],
) -> Result<HashMap<Cow<'a, str>, Cow<'a, str>>, clockwright_sql::Error> {
    let hosted = rows.iter().filter(|s| s.source != TraceSource::LiteExecutor);
    let mut originals = HashMap::new();
    let mut unknown = HashSet::new();
    for s in hosted.clone() {
        if s.state == TaskState::Staging {
            originals.insert(fit(&s.task_id, 255), fit(&s.original_task_id, 255));
        }
    }
    unknown.extend(hosted.map(|s| fit(&s.task_id, 255)).filter(|task| !originals.contains_key(task)));
    let unknown: Vec<Cow<'a, str>> = unknown.into_iter().collect();
    for group in groups(&unknown) {
        let mut sql = Sql::new(
            tx.dialect(),
            "SELECT task_id, original_task_id FROM JOB_STATUS_TRACE_LOG \
             WHERE state = 'TASK_STAGING' AND original_task_id <> '' AND task_id IN (",
        );
        sql.list(group.iter().cloned());
        for row in tx.fetch(sql).await? {
            originals.insert(row.text(0)?.into(), row.text(1)?.into());
        }
    }
    Ok(originals)
}

/// Items as Java prints a list, cut with a mark where Elastic-Job's column ends.
fn java_list(items: &[u32]) -> String {
    const WIDTH: usize = 100;
    const MORE: &str = ", …]";
    let mut text = String::from("[");
    let mut kept = 1;
    for (place, item) in items.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        write!(text, "{separator}{item}").expect("a string takes everything");
        if text.len() > WIDTH - 1 {
            text.truncate(kept);
            return text + MORE;
        }
        if text.len() + MORE.chars().count() <= WIDTH {
            kept = text.len();
        }
    }
    text.push(']');
    text
}

/// The first outcome of a fire stays. Returns the rows that are new, and how many of the others say something else than the one that stayed.
async fn settlements<'a>(
    tx: &mut Tx,
    rows: &[&'a Settlement],
    names: &AtomicI64,
) -> Result<(Vec<&'a Settlement>, u64), clockwright_sql::Error> {
    let dialect = tx.dialect();
    // Each group has a name of its own, so that a row that comes twice in a batch is new only once.
    let first = names.fetch_add(i64::try_from(rows.len()).unwrap_or(i64::MAX), Ordering::Relaxed);
    let made = send(tx, rows, |place, group| {
        let mut sql = Sql::new(dialect, insert(dialect, "INSERT", "INSERT IGNORE"));
        sql.text(
            " INTO CLOCKWRIGHT_RUN (run_key, job_name, sharding_item, fire, fire_time, range_from, range_count, \
             outcome, failure_kind, reason, coalesced_into, attempt, run_id, token, source, instance, start_ms, \
             decided_ms, batch, log_position, namespace, reason_code, reason_params, claimed_at)",
        );
        sql.rows(group.iter().map(|settlement| values(settlement, first.wrapping_add(place as i64))));
        sql.text(unless_there(dialect, " ON CONFLICT (run_key) DO NOTHING"));
        sql
    })
    .await?;
    let mut new = Vec::with_capacity(rows.len());
    let mut conflicts = 0;
    for (place, (group, made)) in groups(rows).zip(made).enumerate() {
        if made == group.len() as u64 {
            new.extend_from_slice(group);
        } else {
            conflicts += compare(tx, group, first.wrapping_add(place as i64), &mut new).await?;
        }
    }
    Ok((new, conflicts))
}

fn values<'a>(s: &'a Settlement, batch: i64) -> [Value<'a>; 24] {
    let said = Said::by(s);
    [
        key(s).into(),
        fit(s.job.as_str(), 100).into(),
        s.item.into(),
        fit(&s.fire.to_string(), 255).into_owned().into(),
        s.fire.time().into(),
        s.range.map(|(from, _)| from).into(),
        said.count.into(),
        s.outcome.word().into(),
        Value::Text(said.failure_kind.map(Into::into)),
        wide(&s.outcome.reason()).into_owned().into(),
        Value::Text(said.coalesced_into.map(Into::into)),
        said.attempt.into(),
        Value::Text(said.run_id.map(Into::into)),
        said.token.into(),
        s.source.as_str().into(),
        fit(s.instance.as_str(), 255).into(),
        s.start.into(),
        s.at.into(),
        batch.into(),
        s.log.as_deref().map(|log| fit(log, 100)).into(),
        fit(&s.namespace, 200).into(),
        Value::Text(s.outcome.why().map(|reason| reason.code().into())),
        Value::Text(
            s.outcome
                .why()
                .and_then(|reason| reason.stored_parameters(1000))
                .map(|all| all.to_string().into()),
        ),
        s.claimed.into(),
    ]
}

pub(super) fn key(settlement: &Settlement) -> String {
    fit(&settlement.key(), 255).into_owned()
}

/// What a settlement says happened, without the times, words and witness of the saying: two instances that both skip the
/// same fire say the same.
#[derive(PartialEq)]
struct Said {
    outcome: String,
    failure_kind: Option<String>,
    coalesced_into: Option<String>,
    count: i64,
    attempt: i64,
    run_id: Option<String>,
    token: i64,
}

impl Said {
    fn by(s: &Settlement) -> Self {
        let (failure_kind, coalesced_into) = match &s.outcome {
            Outcome::Failed { kind, .. } => (Some(kind.as_str().to_owned()), None),
            Outcome::Coalesced { into } => (None, Some(fit(&into.to_string(), 255).into_owned())),
            _ => (None, None),
        };
        Self {
            outcome: s.outcome.word().to_owned(),
            failure_kind,
            coalesced_into,
            count: s.range.map_or(1, |(_, count)| i64::try_from(count).unwrap_or(i64::MAX)),
            attempt: i64::from(s.attempt),
            run_id: s.run_id.map(|id| id.to_string()),
            token: s.token,
        }
    }
}

/// Some rows of the group were there already. Counts those that are this batch's own, and returns how many differ from
/// what is stored under their key.
async fn compare<'a>(
    tx: &mut Tx,
    group: &[&'a Settlement],
    batch: i64,
    new: &mut Vec<&'a Settlement>,
) -> Result<u64, clockwright_sql::Error> {
    let mut sql = Sql::new(
        tx.dialect(),
        "SELECT run_key, outcome, failure_kind, coalesced_into, range_count, attempt, run_id, token, batch \
         FROM CLOCKWRIGHT_RUN WHERE run_key IN (",
    );
    sql.list(group.iter().map(|settlement| key(settlement)));
    let mut stored: HashMap<String, (Said, bool)> = HashMap::new();
    for row in tx.fetch(sql).await? {
        let said = Said {
            outcome: row.text(1)?,
            failure_kind: row.maybe_text(2)?,
            coalesced_into: row.maybe_text(3)?,
            count: row.int(4)?,
            attempt: row.int(5)?,
            run_id: row.maybe_text(6)?,
            token: row.int(7)?,
        };
        stored.insert(row.text(0)?, (said, row.int(8)? == batch));
    }
    let mut conflicts = 0;
    for settlement in group {
        let key = key(settlement);
        let Some((first, own)) = stored.get_mut(&key) else { continue };
        // The first one of the batch under this key is the one that was stored.
        if std::mem::take(own) {
            new.push(settlement);
        }
        if *first == Said::by(settlement) {
            continue;
        }
        conflicts += 1;
        tracing::error!(
            %key,
            recorded = %first.outcome,
            refused = settlement.outcome.word(),
            instance = %settlement.instance,
            "a fire has an outcome already; the first one stays"
        );
    }
    Ok(conflicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_row_once_in_order() {
        for count in [0, 1, 3, 4, 5, 255, 256, 500, 1023] {
            let rows: Vec<usize> = (0..count).collect();
            let sizes: Vec<usize> = groups(&rows).map(<[usize]>::len).collect();
            assert!(sizes.iter().all(|size| GROUPS.contains(size)), "{sizes:?}");
            assert_eq!(groups(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        }
    }

    #[test]
    fn items_are_written_as_java_prints_them() {
        assert_eq!(java_list(&[]), "[]");
        assert_eq!(java_list(&[0, 1, 10]), "[0, 1, 10]");
    }

    #[test]
    fn a_list_of_items_that_is_too_long_ends_between_two_items() {
        for count in 1..200u32 {
            let items: Vec<u32> = (0..count).collect();
            let text = java_list(&items);
            let whole = format!("{items:?}");
            assert!(text.chars().count() <= 100, "{text}");
            if whole.len() <= 100 {
                assert_eq!(text, whole);
            } else {
                let kept = text.strip_suffix(", …]").expect("marked");
                assert!(whole.starts_with(&format!("{kept}, ")), "{text}");
            }
        }
    }
}
