//! Counts of outcomes, added up when they are written, so that a dashboard never scans history.
//!
//! A settlement counts at the time it was decided, once for each of its fires, in UTC minutes, hours and days: over all jobs in all
//! three, for its own job in hours and days (minutes of each job would be more rows than the history they sum up).
//! Elastic-Job-Cloud's three tables of results get the successes and failures of all jobs as well.

use super::EventStore;
use crate::query::{StatisticsRow, StoreError, Width};
use clockwright_model::{Millis, Outcome, Settlement};
use clockwright_sql::text::fit;
use clockwright_sql::{Sql, Tx};
use std::collections::BTreeMap;

/// How many rows one statement takes at most; a batch has a handful, and more only when many jobs end at once.
const ROWS: usize = 256;

/// What a batch adds, in the order of the tables' keys: transactions that take the same rows take them in one order.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<(String, Width, Millis), [i64; 6]>);

impl Counts {
    pub(super) fn add(&mut self, settlement: &Settlement) {
        let place = match settlement.outcome {
            Outcome::Succeeded => 0,
            Outcome::Failed { .. } => 1,
            Outcome::Skipped { .. } => 2,
            Outcome::Coalesced { .. } => 3,
            Outcome::Missed { .. } => 4,
            Outcome::Cancelled { .. } => 5,
        };
        let fires = settlement.range.map_or(1, |(_, count)| i64::try_from(count).unwrap_or(i64::MAX));
        let job = fit(settlement.job.as_str(), 100);
        for (job, width) in [
            ("", Width::Minute),
            ("", Width::Hour),
            ("", Width::Day),
            (&*job, Width::Hour),
            (&*job, Width::Day),
        ] {
            let at = width.start_of(settlement.at);
            let counts = self.0.entry((job.to_owned(), width, at)).or_default();
            counts[place] = counts[place].saturating_add(fires);
        }
    }
}

pub(super) async fn add(tx: &mut Tx, counts: &Counts, cloud: bool) -> Result<(), clockwright_sql::Error> {
    let rows: Vec<_> = counts.0.iter().collect();
    for group in rows.chunks(ROWS) {
        let mut sql = Sql::new(
            tx.dialect(),
            "INSERT INTO CLOCKWRIGHT_STATISTICS (job_name, width, at_ms, succeeded, failed, skipped, coalesced, missed, \
             cancelled)",
        );
        sql.rows(group.iter().map(|((job, width, at), [a, b, c, d, e, f])| {
            [
                job.as_str().into(),
                width.word().into(),
                (*at).into(),
                (*a).into(),
                (*b).into(),
                (*c).into(),
                (*d).into(),
                (*e).into(),
                (*f).into(),
            ]
        }));
        sql.text(if tx.dialect().is_mysql() {
            " ON DUPLICATE KEY UPDATE succeeded = succeeded + VALUES(succeeded), failed = failed + VALUES(failed), \
             skipped = skipped + VALUES(skipped), coalesced = coalesced + VALUES(coalesced), \
             missed = missed + VALUES(missed), cancelled = cancelled + VALUES(cancelled)"
        } else {
            " ON CONFLICT (job_name, width, at_ms) DO UPDATE SET \
             succeeded = CLOCKWRIGHT_STATISTICS.succeeded + excluded.succeeded, \
             failed = CLOCKWRIGHT_STATISTICS.failed + excluded.failed, \
             skipped = CLOCKWRIGHT_STATISTICS.skipped + excluded.skipped, \
             coalesced = CLOCKWRIGHT_STATISTICS.coalesced + excluded.coalesced, \
             missed = CLOCKWRIGHT_STATISTICS.missed + excluded.missed, \
             cancelled = CLOCKWRIGHT_STATISTICS.cancelled + excluded.cancelled"
        });
        tx.execute(sql).await?;
    }
    if cloud {
        for ((job, width, at), counts) in rows {
            if job.is_empty() && (counts[0] > 0 || counts[1] > 0) {
                add_cloud(tx, *width, *at, counts[0], counts[1]).await?;
            }
        }
    }
    Ok(())
}

async fn add_cloud(
    tx: &mut Tx,
    width: Width,
    at: Millis,
    succeeded: i64,
    failed: i64,
) -> Result<(), clockwright_sql::Error> {
    use clockwright_sql::Value;
    let mut sql = Sql::new(tx.dialect(), "INSERT INTO ");
    sql.text(width.cloud_table());
    sql.text(" (success_count, failed_count, statistics_time, creation_time)");
    let now = jiff::Timestamp::now().as_millisecond();
    sql.rows(std::iter::once([
        succeeded.into(),
        failed.into(),
        Value::Time(Some(at)),
        Value::Time(Some(now)),
    ]));
    if tx.dialect().is_mysql() {
        sql.text(
            " ON DUPLICATE KEY UPDATE success_count = success_count + VALUES(success_count), \
             failed_count = failed_count + VALUES(failed_count)",
        );
    } else {
        sql.text(" ON CONFLICT (statistics_time) DO UPDATE SET success_count = ");
        sql.text(width.cloud_table());
        sql.text(".success_count + excluded.success_count, failed_count = ");
        sql.text(width.cloud_table());
        sql.text(".failed_count + excluded.failed_count");
    }
    tx.execute(sql).await.map(drop)
}

impl EventStore {
    pub(super) async fn statistics_rows(
        &self,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, StoreError> {
        let mut sql = Sql::new(
            self.db.dialect(),
            "SELECT at_ms, succeeded, failed, skipped, coalesced, missed, cancelled FROM CLOCKWRIGHT_STATISTICS",
        );
        sql.is("job_name = ", fit(job.unwrap_or_default(), 100));
        sql.is("width = ", width.word());
        sql.is("at_ms >= ", from);
        sql.is("at_ms < ", to);
        sql.text(" ORDER BY at_ms LIMIT 10000");
        let rows = self.db.fetch(sql).await?;
        let count = |row: &clockwright_sql::Row, at| row.int(at).map(i64::unsigned_abs);
        let read = |row: &clockwright_sql::Row| {
            Ok(StatisticsRow {
                at: row.int(0)?,
                succeeded: count(row, 1)?,
                failed: count(row, 2)?,
                skipped: count(row, 3)?,
                coalesced: count(row, 4)?,
                missed: count(row, 5)?,
                cancelled: count(row, 6)?,
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, clockwright_sql::Error>>()?)
    }
}
