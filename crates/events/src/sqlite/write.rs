//! Writing: a batch of events is one transaction with a few multi-row statements.
//!
//! Rows are inserted in groups of 256, 64, 16, 4 and 1, so that each table has five different statements however large the
//! batches are; SQLite then parses each of them once for the life of the connection, where parsing 500 rows afresh costs as
//! much as storing them. The largest group has 256 × 18 variables, well below SQLite's 32,766.

use super::SqliteStore;
use crate::text::{clean, timestamp, wide};
use crate::{Sink, SinkError};
use async_trait::async_trait;
use clockwright_model::{Event, Execution, Outcome, RunId, Settlement, StatusTrace, TaskState};
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::atomic::Ordering;

const GROUPS: [usize; 5] = [256, 64, 16, 4, 1];

#[async_trait]
impl Sink for SqliteStore {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let Some(writer) = &self.writer else {
            return Err(SinkError("the event store is open for reading only".into()));
        };
        let sorted = Sorted::from(batch);
        let conflicts = async {
            let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
            executions(&mut transaction, &sorted.executions).await?;
            statuses(&mut transaction, &sorted.statuses).await?;
            let conflicts = settlements(&mut transaction, &sorted.settlements).await?;
            transaction.commit().await?;
            Ok(conflicts)
        };
        let conflicts = conflicts.await.map_err(|error: sqlx::Error| SinkError(error.to_string()))?;
        self.conflicts.fetch_add(conflicts, Ordering::Relaxed);
        Ok(())
    }

    fn name(&self) -> &str {
        "sqlite"
    }
}

/// A batch by table. The events of one run are merged into one row.
#[derive(Default)]
struct Sorted<'a> {
    executions: Vec<&'a Execution>,
    statuses: Vec<&'a StatusTrace>,
    settlements: Vec<&'a Settlement>,
}

impl<'a> From<&'a [Event]> for Sorted<'a> {
    fn from(batch: &'a [Event]) -> Self {
        let mut sorted = Self::default();
        let mut places: HashMap<RunId, usize> = HashMap::new();
        for event in batch {
            match event {
                Event::Status(status) => sorted.statuses.push(status),
                Event::Settlement(settlement) => sorted.settlements.push(settlement),
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

/// A start makes the row and an end completes it, in whatever order they arrive; nothing changes a completed row.
async fn executions(connection: &mut SqliteConnection, rows: &[&Execution]) -> Result<(), sqlx::Error> {
    for group in groups(rows) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, \
             failure_cause, is_success, start_time, complete_time) ",
        );
        sql.push_values(group, |mut row, e| {
            row.push_bind(e.id.to_string());
            row.push_bind(e.job.as_str());
            row.push_bind(clean(&e.task_id));
            row.push_bind(clean(&e.hostname));
            row.push_bind(clean(&e.ip));
            row.push_bind(i64::from(e.item));
            row.push_bind(e.source.as_str());
            row.push_bind(e.failure_cause.as_deref().map(wide));
            row.push_bind(i64::from(e.success && e.complete.is_some()));
            row.push_bind(timestamp(e.start));
            row.push_bind(e.complete.map(timestamp));
        });
        sql.push(
            " ON CONFLICT (id) DO UPDATE SET failure_cause = excluded.failure_cause, is_success = excluded.is_success, \
             complete_time = excluded.complete_time \
             WHERE excluded.complete_time IS NOT NULL AND JOB_EXECUTION_LOG.complete_time IS NULL",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn statuses(connection: &mut SqliteConnection, rows: &[&StatusTrace]) -> Result<(), sqlx::Error> {
    let originals = original_tasks(connection, rows).await?;
    for group in groups(rows) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO JOB_STATUS_TRACE_LOG (id, job_name, original_task_id, task_id, slave_id, source, \
             execution_type, sharding_item, state, message, creation_time) ",
        );
        sql.push_values(group, |mut row, s| {
            let task = clean(&s.task_id);
            row.push_bind(s.id.to_string());
            row.push_bind(s.job.as_str());
            row.push_bind(originals.get(&*task).map_or("", String::as_str));
            row.push_bind(task);
            row.push_bind(clean(&s.slave_id));
            row.push_bind("LITE_EXECUTOR");
            row.push_bind(if s.failover { "FAILOVER" } else { "READY" });
            row.push_bind(java_list(&s.items));
            row.push_bind(s.state.as_str());
            row.push_bind(wide(&s.message));
            row.push_bind(timestamp(s.at));
        });
        sql.push(" ON CONFLICT (id) DO NOTHING");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The original task ids that the rows inherit from their firing's `TASK_STAGING` row. An elastic job's own staging rows
/// have none, so only firings that were staged in an earlier batch are looked up, all of them in a query or two.
async fn original_tasks(
    connection: &mut SqliteConnection,
    rows: &[&StatusTrace],
) -> Result<HashMap<String, String>, sqlx::Error> {
    let staged: HashSet<&str> =
        rows.iter().filter(|s| s.state == TaskState::Staging).map(|s| &*s.task_id).collect();
    let mut seen = HashSet::new();
    let unknown: Vec<_> = rows
        .iter()
        .map(|s| &*s.task_id)
        .filter(|task| !staged.contains(task) && seen.insert(*task))
        .collect();
    let mut originals = HashMap::new();
    for group in groups(&unknown) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT task_id, original_task_id FROM JOB_STATUS_TRACE_LOG \
             WHERE state = 'TASK_STAGING' AND original_task_id <> '' AND task_id IN (",
        );
        let mut list = sql.separated(", ");
        for task in group {
            list.push_bind(clean(task));
        }
        sql.push(")");
        for row in sql.build().fetch_all(&mut *connection).await? {
            originals.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(originals)
}

/// Items as Java prints a list.
fn java_list(items: &[u32]) -> String {
    let mut text = String::from("[");
    for (place, item) in items.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        write!(text, "{separator}{item}").expect("a string takes everything");
    }
    text.push(']');
    text
}

/// The first outcome of a fire stays. Returns how many of the rows say something else than the one that stayed.
async fn settlements(connection: &mut SqliteConnection, rows: &[&Settlement]) -> Result<u64, sqlx::Error> {
    let mut conflicts = 0;
    for group in groups(rows) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO CLOCKWRIGHT_RUN (key, job_name, sharding_item, fire, fire_time, range_from, range_count, \
             outcome, failure_kind, reason, coalesced_into, attempt, run_id, token, source, instance, start_ms, \
             decided_ms) ",
        );
        sql.push_values(group, |row, settlement| bind_settlement(row, settlement));
        sql.push(" ON CONFLICT (key) DO NOTHING");
        let done = sql.build().execute(&mut *connection).await?;
        if done.rows_affected() < group.len() as u64 {
            conflicts += differing(connection, group).await?;
        }
    }
    Ok(conflicts)
}

fn bind_settlement(mut row: Separated<'_, Sqlite, &'static str>, s: &Settlement) {
    let said = Said::by(s);
    row.push_bind(key(s));
    row.push_bind(s.job.as_str());
    row.push_bind(i64::from(s.item));
    row.push_bind(clean(&s.fire.to_string()));
    row.push_bind(s.fire.time());
    row.push_bind(s.range.map(|(from, _)| from));
    row.push_bind(said.count);
    row.push_bind(s.outcome.word());
    row.push_bind(said.failure_kind);
    row.push_bind(wide(&s.outcome.reason()));
    row.push_bind(said.coalesced_into);
    row.push_bind(said.attempt);
    row.push_bind(said.run_id);
    row.push_bind(said.token);
    row.push_bind(s.source.as_str());
    row.push_bind(clean(s.instance.as_str()));
    row.push_bind(s.start);
    row.push_bind(s.at);
}

fn key(settlement: &Settlement) -> String {
    clean(&settlement.key()).into_owned()
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
            Outcome::Coalesced { into } => (None, Some(clean(&into.to_string()).into_owned())),
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

/// How many rows of the group differ from what is stored under their key.
async fn differing(connection: &mut SqliteConnection, group: &[&Settlement]) -> Result<u64, sqlx::Error> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT key, outcome, failure_kind, coalesced_into, range_count, attempt, run_id, token \
         FROM CLOCKWRIGHT_RUN WHERE key IN (",
    );
    let mut list = sql.separated(", ");
    for settlement in group {
        list.push_bind(key(settlement));
    }
    sql.push(")");
    let mut stored: HashMap<String, Said> = HashMap::new();
    for row in sql.build().fetch_all(connection).await? {
        let said = Said {
            outcome: row.try_get(1)?,
            failure_kind: row.try_get(2)?,
            coalesced_into: row.try_get(3)?,
            count: row.try_get(4)?,
            attempt: row.try_get(5)?,
            run_id: row.try_get(6)?,
            token: row.try_get(7)?,
        };
        stored.insert(row.try_get(0)?, said);
    }
    let mut count = 0;
    for settlement in group {
        let key = key(settlement);
        let Some(first) = stored.get(&key).filter(|first| **first != Said::by(settlement)) else { continue };
        count += 1;
        tracing::error!(
            %key,
            recorded = %first.outcome,
            refused = settlement.outcome.word(),
            instance = %settlement.instance,
            "a fire has an outcome already; the first one stays"
        );
    }
    Ok(count)
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
}
