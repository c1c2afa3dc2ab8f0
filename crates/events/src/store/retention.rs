//! Retention: old history goes, by age and by number of rows, in small batches that hold up nobody.
//!
//! Each batch is a transaction of its own that deletes some of the oldest rows by an index, so a lock lasts milliseconds and
//! a sweep that is ended half-way has done half its work. Deleting is safe beside writers and other sweeps. What is
//! counted in statistics stays counted after its rows are gone; statistics have ages of their own.
//!
//! # Why there are no partitions
//! A partition by month goes at once: a million rows of six in 0.2 s on PostgreSQL and 0.1 s on MariaDB, where batches took 19 s and 65 s
//! (`events-partitions` of `benches`, 2 virtual cores). But nobody waits for a batch: inserts waited up to 54 and 31 ms meanwhile, with
//! 11 and 135 ms while a partition was dropped. And batches keep up: beside a thousand inserts a second they deleted 16,700 rows a second
//! (MariaDB) to 61,800 (SQLite), more than a store takes in for good. For that, each page of a job would cost half as much again on PostgreSQL and
//! nearly three times as much on MariaDB (0.38 instead of 0.24 ms, 5.1 instead of 1.9 ms), history would be kept for up to a month too long, ages of
//! single jobs and a limit of rows would need the batches all the same, and only one of the three large tables could have
//! partitions at all.

use super::EventStore;
use crate::query::{StoreError, Width};
use clockwright_model::Millis;
use clockwright_sql::text::fit;
use clockwright_sql::{Dialect, Sql, Tx, Value};
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

/// How long history is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Rows older than this go. Default 30 days.
    pub age: Duration,
    /// Of each table, only about this many of the newest rows stay. Default: as many as there are.
    pub rows: Option<u64>,
    /// Jobs whose rows are kept for another time, by name.
    pub jobs: BTreeMap<String, Duration>,
    /// How long counts by minute are kept. Default 2 days.
    pub minutes: Duration,
    /// How long counts by hour are kept. Default 90 days.
    pub hours: Duration,
    /// How long counts by day are kept. Default 10 years.
    pub days: Duration,
    /// Most rows that one transaction deletes; at least 1. Where they take longer than 25 ms, the next ones are fewer.
    /// Default 1,000.
    pub batch_rows: u32,
    /// The rest between two batches, which is never shorter than the batch took. Default 10 ms.
    pub pause: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            age: days(30),
            rows: None,
            jobs: BTreeMap::new(),
            minutes: days(2),
            hours: days(90),
            days: days(3653),
            batch_rows: 1000,
            pause: Duration::from_millis(10),
        }
    }
}

/// What a batch should take at most: about as long as an insert may wait for it without anybody's noticing.
const BATCH_TIME: Duration = Duration::from_millis(25);

/// How small a batch becomes at most where the database is slow.
const SMALLEST_BATCH: u32 = 50;

/// A table with history, and the time that its rows are ordered by.
#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    time: &'static str,
    /// True for Elastic-Job's columns, false for epoch milliseconds.
    is_timestamp: bool,
}

const TABLES: [Table; 4] = [
    Table { name: "JOB_STATUS_TRACE_LOG", time: "creation_time", is_timestamp: true },
    Table { name: "JOB_EXECUTION_LOG", time: "start_time", is_timestamp: true },
    Table { name: "CLOCKWRIGHT_RUN", time: "fire_time", is_timestamp: false },
    Table { name: "CLOCKWRIGHT_CHANGE", time: "at_ms", is_timestamp: false },
];

impl Table {
    /// The order in which rows go. An index of PostgreSQL is in one order only, that of the rows without a time included, and any
    /// other is made by sorting all that is too old, for each batch again.
    fn oldest_first(self, dialect: Dialect) -> &'static str {
        if self.has_nulls_last(dialect) { " NULLS FIRST" } else { "" }
    }

    fn newest_first(self, dialect: Dialect) -> &'static str {
        if self.has_nulls_last(dialect) { " DESC NULLS LAST" } else { " DESC" }
    }

    /// True where rows without a time are behind the oldest ones.
    fn has_nulls_last(self, dialect: Dialect) -> bool {
        dialect.is_postgres() && self.name == "JOB_EXECUTION_LOG"
    }

    fn value(self, at: Millis) -> Value<'static> {
        if self.is_timestamp { Value::Time(Some(at)) } else { Value::Int(Some(at)) }
    }
}

/// Whose rows.
#[derive(Clone, Copy)]
enum Jobs<'a> {
    One(&'a str),
    AllBut(&'a BTreeMap<String, Duration>),
}

impl EventStore {
    /// Deletes what is too old at `now` or too much, and returns how many rows went. The work of minutes after a first
    /// start on a long history; it may be dropped at any `await`, and taken up again later.
    ///
    /// # Errors
    /// [`StoreError::Database`]; what was deleted before stays deleted. [`StoreError::ReadOnly`].
    pub async fn prune(&self, keep: &Retention, now: Millis) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for table in TABLES {
            let before = past(now, keep.age);
            deleted += self.delete(table, Jobs::AllBut(&keep.jobs), before, keep).await?;
            for (job, age) in &keep.jobs {
                deleted += self.delete(table, Jobs::One(job), past(now, *age), keep).await?;
            }
            if let Some(before) = self.excess(table, keep.rows).await? {
                deleted += self.delete(table, Jobs::AllBut(&BTreeMap::new()), before, keep).await?;
            }
        }
        for (width, age) in
            [(Width::Minute, keep.minutes), (Width::Hour, keep.hours), (Width::Day, keep.days)]
        {
            deleted += self.delete_counts(width, past(now, age), keep).await?;
        }
        let losses = Table { name: "CLOCKWRIGHT_DROPPED", time: "to_ms", is_timestamp: false };
        deleted += self.delete(losses, Jobs::AllBut(&BTreeMap::new()), past(now, keep.days), keep).await?;
        Ok(deleted)
    }

    /// Prunes now and then every `every`, until the store is dropped. A failed sweep is logged, and tried again at the next
    /// turn.
    pub async fn keep_pruned(store: Weak<Self>, keep: Retention, every: Duration) {
        let mut turn = tokio::time::interval(every.max(Duration::from_secs(1)));
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let Some(store) = store.upgrade() else { return };
            store.prune_now(&keep).await;
        }
    }

    pub(super) async fn prune_now(&self, keep: &Retention) {
        match self.prune(keep, jiff::Timestamp::now().as_millisecond()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "deleted history that is too old"),
            Err(error) => tracing::warn!(%error, "cannot delete old history; it is tried again"),
        }
    }

    async fn delete(
        &self,
        table: Table,
        jobs: Jobs<'_>,
        before: Millis,
        keep: &Retention,
    ) -> Result<u64, StoreError> {
        self.in_batches(
            keep,
            |sql| {
                sql.must(table.time);
                sql.text(" < ");
                sql.bind(table.value(before));
                match jobs {
                    Jobs::One(job) => sql.is("job_name = ", fit(job, 100).into_owned()),
                    Jobs::AllBut(others) if others.is_empty() => {}
                    Jobs::AllBut(others) => {
                        sql.must("job_name NOT IN (");
                        sql.list(others.keys().map(|job| fit(job, 100).into_owned()));
                    }
                }
                for text in [" ORDER BY ", table.time, table.oldest_first(sql.dialect)] {
                    sql.text(text);
                }
            },
            table.name,
        )
        .await
    }

    async fn delete_counts(&self, width: Width, before: Millis, keep: &Retention) -> Result<u64, StoreError> {
        let mut deleted = self
            .in_batches(
                keep,
                |sql| {
                    sql.is("width = ", width.word());
                    sql.is("at_ms < ", before);
                    sql.text(" ORDER BY at_ms");
                },
                "CLOCKWRIGHT_STATISTICS",
            )
            .await?;
        if self.cloud_statistics {
            let table = Table { name: width.cloud_table(), time: "statistics_time", is_timestamp: true };
            deleted += self.delete(table, Jobs::AllBut(&BTreeMap::new()), before, keep).await?;
        }
        Ok(deleted)
    }

    /// Deletes the rows that the condition names, in its order, until none is left.
    async fn in_batches<'a>(
        &self,
        keep: &Retention,
        condition: impl Fn(&mut Sql<'a>),
        table: &'static str,
    ) -> Result<u64, StoreError> {
        let most = keep.batch_rows.max(1);
        let (mut deleted, mut size) = (0, most);
        loop {
            let began = tokio::time::Instant::now();
            let mut tx: Tx = self.db.begin().await?.ok_or(StoreError::ReadOnly)?;
            let dialect = tx.dialect();
            let mut sql = Sql::new(dialect, "DELETE FROM ");
            sql.text(table);
            // MySQL deletes in an order and up to a number; the others find the rows' places first.
            let (before, after) = by_place(dialect, table);
            sql.text(before);
            if !dialect.is_mysql() {
                sql.text(table);
            }
            condition(&mut sql);
            sql.text(" LIMIT ");
            sql.bind(i64::from(size));
            sql.text(after);
            let rows = tx.execute(sql).await?;
            tx.commit().await?;
            deleted += rows;
            if rows < u64::from(size) {
                return Ok(deleted);
            }
            let took = began.elapsed();
            size = next_size(size, most, took);
            tokio::time::sleep(keep.pause.max(took)).await;
        }
    }

    /// The time of the oldest row that may stay, if there are more rows than that. It walks over an index as far as the
    /// rows that stay, which at ten million takes a second or two; writers do not wait for it.
    async fn excess(&self, table: Table, rows: Option<u64>) -> Result<Option<Millis>, StoreError> {
        let Some(rows) = rows else { return Ok(None) };
        let mut sql = Sql::new(self.db.dialect(), "SELECT ");
        if table.is_timestamp && self.db.dialect().is_mysql() {
            for text in ["CAST(UNIX_TIMESTAMP(", table.time, ") * 1000 AS SIGNED)"] {
                sql.text(text);
            }
        } else {
            sql.text(table.time);
        }
        for text in [" FROM ", table.name, " WHERE ", table.time, " IS NOT NULL ORDER BY ", table.time] {
            sql.text(text);
        }
        sql.text(table.newest_first(self.db.dialect()));
        sql.text(" LIMIT 1 OFFSET ");
        sql.bind(i64::try_from(rows).unwrap_or(i64::MAX));
        let found = self.db.fetch(sql).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let newest_to_go = if table.is_timestamp { row.time(0)? } else { row.maybe_int(0)? };
        Ok(newest_to_go.map(|at| at.saturating_add(1)))
    }
}

/// How many rows the next batch may have. A busy disk makes a batch slow, and who writes waits for it: then the next one is
/// smaller, until batches are quick again.
fn next_size(size: u32, most: u32, took: Duration) -> u32 {
    if took > BATCH_TIME {
        (size / 2).max(most.min(SMALLEST_BATCH))
    } else if took < BATCH_TIME / 2 {
        size.saturating_mul(2).min(most)
    } else {
        size
    }
}

/// What stands before and behind the question for the places of the rows that go. SQLite's statistics have no place, but a key.
/// PostgreSQL gets the places as a list, which it goes through; of a question it expects as many answers as it likes, and
/// perhaps reads the whole table to find them.
fn by_place(dialect: Dialect, table: &str) -> (&'static str, &'static str) {
    if dialect.is_mysql() {
        ("", "")
    } else if dialect.is_postgres() {
        (" WHERE ctid = ANY(ARRAY(SELECT ctid FROM ", "))")
    } else if table == "CLOCKWRIGHT_STATISTICS" {
        (" WHERE (job_name, namespace, width, at_ms) IN (SELECT job_name, namespace, width, at_ms FROM ", ")")
    } else {
        (" WHERE rowid IN (SELECT rowid FROM ", ")")
    }
}

fn past(now: Millis, age: Duration) -> Millis {
    now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_batches_become_smaller_and_quick_ones_as_large_as_they_may_be() {
        let (slow, quick) = (BATCH_TIME * 2, Duration::from_millis(1));
        let after = |took, count: usize, from| (0..count).fold(from, |size, _| next_size(size, 1000, took));
        assert_eq!((after(slow, 1, 1000), after(slow, 9, 1000)), (500, SMALLEST_BATCH));
        assert_eq!((after(quick, 1, 300), after(quick, 9, SMALLEST_BATCH)), (600, 1000));
        assert_eq!(after(BATCH_TIME, 3, 300), 300);
        // A caller that wants few rows at a time gets no more.
        assert_eq!((next_size(7, 7, slow), next_size(7, 7, quick)), (7, 7));
    }
}
