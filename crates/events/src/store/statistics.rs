//! Counts of outcomes, so that a dashboard never scans history.
//!
//! A settlement counts at the time it was decided, once for each of its fires, in UTC minutes, hours and days: over all jobs and over those of
//! its namespace in all three, for its own job in hours and days (minutes of each job would be more rows than the history they sum up).
//! Elastic-Job-Cloud's three tables of results get the successes and failures of all jobs as well. How they come there is told in `counting`.

use super::EventStore;
use super::counting::Counting;
use crate::query::{StatisticsRow, StoreError, Width};
use clockwright_model::{Millis, OutcomeKind, Settlement};
use clockwright_sql::text::fit;
use clockwright_sql::{Sql, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many rows one statement takes at most; a fold has a handful, and more only when many jobs end at once.
const ROWS: usize = 256;

/// Most spans in an answer.
const SPANS: usize = 10_000;

/// How many fires of a job ended how in a minute: job, namespace, the minute's first instant.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub(super) struct Counts(BTreeMap<(String, String, Millis), [i64; 6]>);

type Row = (String, String, Millis, [i64; 6]);

impl From<Vec<Row>> for Counts {
    fn from(rows: Vec<Row>) -> Self {
        let mut counts = Self::default();
        for (job, namespace, minute, more) in rows {
            counts.add_to(job, namespace, minute, &more);
        }
        counts
    }
}

impl From<Counts> for Vec<Row> {
    fn from(counts: Counts) -> Self {
        counts
            .0
            .into_iter()
            .map(|((job, namespace, minute), counts)| (job, namespace, minute, counts))
            .collect()
    }
}

impl Counts {
    pub(super) fn add(&mut self, settlement: &Settlement) {
        let place = match settlement.outcome.kind() {
            OutcomeKind::Succeeded => 0,
            OutcomeKind::Failed => 1,
            OutcomeKind::Skipped => 2,
            OutcomeKind::Coalesced => 3,
            OutcomeKind::Missed => 4,
            OutcomeKind::Cancelled => 5,
        };
        let mut more = [0; 6];
        more[place] = settlement.range.map_or(1, |(_, count)| i64::try_from(count).unwrap_or(i64::MAX));
        let (job, namespace) = (fit(settlement.job.as_str(), 100), fit(&settlement.namespace, 200));
        self.add_to(job.into(), namespace.into(), Width::Minute.start_of(settlement.at), &more);
    }

    pub(super) fn merge(&mut self, other: &Counts) {
        for ((job, namespace, minute), more) in &other.0 {
            self.add_to(job.clone(), namespace.clone(), *minute, more);
        }
    }

    fn add_to(&mut self, job: String, namespace: String, minute: Millis, more: &[i64; 6]) {
        add_up(self.0.entry((job, namespace, minute)).or_default(), more);
    }

    /// The rows of the table that these add to, in the order of its key: transactions that take the same rows take them in one order.
    fn by_width(&self) -> BTreeMap<(&str, &str, Width, Millis), [i64; 6]> {
        let mut rows = BTreeMap::new();
        for ((job, namespace, minute), more) in &self.0 {
            let all = [Width::Minute, Width::Hour, Width::Day].map(|width| ("", "", width));
            let ours = [Width::Minute, Width::Hour, Width::Day].map(|width| ("", &**namespace, width));
            let own = [Width::Hour, Width::Day].map(|width| (&**job, &**namespace, width));
            let ours = ours.into_iter().filter(|_| !namespace.is_empty());
            for (job, namespace, width) in all.into_iter().chain(ours).chain(own) {
                let key = (job, namespace, width, width.start_of(*minute));
                add_up(rows.entry(key).or_default(), more);
            }
        }
        rows
    }
}

fn add_up(counts: &mut [i64; 6], more: &[i64; 6]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count = count.saturating_add(*more);
    }
}

pub(super) async fn add(tx: &mut Tx, counts: &Counts, cloud: bool) -> Result<(), clockwright_sql::Error> {
    let rows: Vec<_> = counts.by_width().into_iter().collect();
    for group in rows.chunks(ROWS) {
        let mut sql = Sql::new(
            tx.dialect(),
            "INSERT INTO CLOCKWRIGHT_STATISTICS (job_name, namespace, width, at_ms, succeeded, failed, skipped, coalesced, missed, \
             cancelled)",
        );
        sql.rows(group.iter().map(|((job, namespace, width, at), [a, b, c, d, e, f])| {
            [
                (*job).into(),
                (*namespace).into(),
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
            " ON CONFLICT (job_name, namespace, width, at_ms) DO UPDATE SET \
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
        for ((job, namespace, width, at), counts) in rows {
            if job.is_empty() && namespace.is_empty() && (counts[0] > 0 || counts[1] > 0) {
                add_cloud(tx, width, at, counts[0], counts[1]).await?;
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
        namespace: Option<&str>,
        job: Option<&str>,
        width: Width,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<StatisticsRow>, StoreError> {
        // One statement sees one moment: what is folded meanwhile is in one of the two parts.
        let mut sql = Sql::new(
            self.db.dialect(),
            "SELECT * FROM (SELECT at_ms, succeeded, failed, skipped, coalesced, missed, cancelled, NULL AS counts \
             FROM CLOCKWRIGHT_STATISTICS",
        );
        sql.is("job_name = ", fit(job.unwrap_or_default(), 100));
        match (job, namespace) {
            (None, _) => sql.is("namespace = ", fit(namespace.unwrap_or_default(), 200)),
            (Some(_), namespace) => super::read::in_namespace(&mut sql, namespace),
        }
        sql.is("width = ", width.word());
        sql.is("at_ms >= ", from);
        sql.is("at_ms < ", to);
        sql.text(
            " ORDER BY at_ms LIMIT 100000) AS folded \
             UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, counts FROM CLOCKWRIGHT_COUNTING",
        );
        let mut spans: BTreeMap<Millis, [i64; 6]> = BTreeMap::new();
        for row in self.db.fetch(sql).await? {
            let Some(waiting) = row.maybe_text(7)? else {
                let mut counts = [0; 6];
                for (place, count) in counts.iter_mut().enumerate() {
                    *count = row.int(place + 1)?;
                }
                add_up(spans.entry(row.int(0)?).or_default(), &counts);
                continue;
            };
            let waiting = Counting::parse(&waiting).counts;
            for ((of, within, of_width, at), counts) in waiting.by_width() {
                let named = job.map(|job| fit(job, 100));
                let is_job = of == named.as_deref().unwrap_or_default();
                let is_namespace = match (job, namespace) {
                    (Some(_), None) => true,
                    (Some(_), Some(namespace)) => within.is_empty() || within == fit(namespace, 200),
                    (None, namespace) => within == fit(namespace.unwrap_or_default(), 200),
                };
                if is_job && is_namespace && of_width == width && (from..to).contains(&at) {
                    add_up(spans.entry(at).or_default(), &counts);
                }
            }
        }
        Ok(spans.into_iter().take(SPANS).map(|(at, counts)| span(at, counts)).collect())
    }
}

fn span(at: Millis, counts: [i64; 6]) -> StatisticsRow {
    let [succeeded, failed, skipped, coalesced, missed, cancelled] = counts.map(i64::unsigned_abs);
    StatisticsRow { at, succeeded, failed, skipped, coalesced, missed, cancelled }
}
