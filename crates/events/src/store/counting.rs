//! Counts and durations, on two legs: a batch leaves *one* row that says what it adds, in its own transaction; and every ten seconds whoever
//! comes first folds all such rows into the tables of counts, of Elastic-Job-Cloud's results and of durations, and deletes them in the same
//! transaction. So storing costs one row however many jobs a batch has, each batch counts once whatever dies, and an hour's row is written once in
//! ten seconds and not by each batch. Who asks for counts gets those of the rows that are not folded yet added.
//!
//! Folds wait for each other at the oldest row. Where two of them pass each other all the same, counts are exact, and of durations some may be
//! forgotten.

use super::digest::Digest;
use super::state::{ItemKey, item_key, took};
use super::statistics::{self, Counts};
use super::{EventStore, tail};
use crate::query::{Durations, StoreError};
use clockwright_model::{Item, Settlement};
use clockwright_sql::text::fit;
use clockwright_sql::{Error, Sql, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

/// How often counts are folded.
const EVERY: Duration = Duration::from_secs(10);

/// How many rows one transaction folds.
const ROWS: i64 = 200;

/// How many items one statement asks for or sets.
const ITEMS: usize = 128;

/// What a batch adds.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Counting {
    pub(super) counts: Counts,
    took: Vec<(ItemKey, String)>,
}

impl Counting {
    fn of(new: &[&Settlement]) -> Self {
        let mut counts = Counts::default();
        let mut digests: BTreeMap<ItemKey, Digest> = BTreeMap::new();
        for settlement in new {
            counts.add(settlement);
            if let Some(took) = took(settlement) {
                digests.entry(item_key(settlement)).or_default().add(took);
            }
        }
        let took = digests.into_iter().map(|(key, digest)| (key, digest.to_text())).collect();
        Self { counts, took }
    }

    /// A row that cannot be read was written by a version that counts otherwise, and adds nothing.
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(%error, "counts of a batch cannot be read; they are missing in the statistics");
            Self::default()
        })
    }
}

pub(super) async fn add(tx: &mut Tx, new: &[&Settlement]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let text = serde_json::to_string(&Counting::of(new)).expect("words and numbers become JSON");
    let mut sql = Sql::new(tx.dialect(), "INSERT INTO CLOCKWRIGHT_COUNTING (counts)");
    sql.rows(std::iter::once([text.into()]));
    tx.execute(sql).await.map(drop)
}

impl EventStore {
    /// Folds what batches added into the counts, and returns how many batches that were. It is done every ten seconds by itself.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::ReadOnly`]; what is not folded stays, and counts all the same.
    pub async fn fold(&self) -> Result<u64, StoreError> {
        let mut folded = 0;
        loop {
            let mut tx = self.db.begin().await?.ok_or(StoreError::ReadOnly)?;
            let rows = fold_some(&mut tx, self.cloud_statistics).await?;
            if rows > 0 {
                tx.commit().await?;
            }
            folded += rows;
            if rows < ROWS.unsigned_abs() {
                return Ok(folded);
            }
        }
    }

    /// Folds every ten seconds, until the store is dropped.
    pub(super) async fn keep_folded(store: Weak<Self>) {
        let mut turn = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            let Some(store) = store.upgrade() else { return };
            if let Err(error) = store.fold().await {
                tracing::debug!(%error, "cannot fold counts now; they wait");
            }
        }
    }

    pub(super) async fn duration_rows(
        &self,
        namespace: Option<&str>,
        job: &str,
        item: Option<Item>,
    ) -> Result<Durations, StoreError> {
        let mut sql = Sql::new(self.db.dialect(), "SELECT digest FROM CLOCKWRIGHT_DURATION");
        sql.is("job_name = ", fit(job, 100));
        super::read::in_namespace(&mut sql, namespace);
        sql.may("sharding_item = ", item);
        let mut digest = Digest::default();
        for text in self.all(sql, |row| row.text(0)).await? {
            digest.merge(&Digest::parse(&text));
        }
        let [p50, p95, p99] = [500, 950, 990].map(|of_a_thousand| digest.quantile(of_a_thousand));
        Ok(Durations { count: digest.count(), p50, p95, p99 })
    }
}

async fn fold_some(tx: &mut Tx, cloud: bool) -> Result<u64, Error> {
    let mut sql = Sql::new(tx.dialect(), "SELECT id, counts FROM CLOCKWRIGHT_COUNTING ORDER BY id LIMIT ");
    sql.bind(ROWS);
    if tx.dialect().is_postgres() || tx.dialect().is_mysql() {
        sql.text(" FOR UPDATE");
    }
    let rows = tx.fetch(sql).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut counts, mut digests) = (Counts::default(), BTreeMap::<ItemKey, Digest>::new());
    let mut ids = Vec::with_capacity(rows.len());
    for row in &rows {
        ids.push(row.int(0)?);
        let counting = Counting::parse(&row.text(1)?);
        counts.merge(&counting.counts);
        for (key, digest) in counting.took {
            digests.entry(key).or_default().merge(&Digest::parse(&digest));
        }
    }
    statistics::add(tx, &counts, cloud).await?;
    merge_durations(tx, digests).await?;
    let mut sql = Sql::new(tx.dialect(), "DELETE FROM CLOCKWRIGHT_COUNTING WHERE id IN (");
    sql.list(ids);
    let deleted = tx.execute(sql).await?;
    tail::forget(tx).await?;
    Ok(deleted)
}

/// Each item's digest is read, added to and set.
async fn merge_durations(tx: &mut Tx, digests: BTreeMap<ItemKey, Digest>) -> Result<(), Error> {
    let digests: Vec<(ItemKey, Digest)> = digests.into_iter().collect();
    for group in digests.chunks(ITEMS) {
        // MySQL takes a list of tuples, the others a list of rows.
        let (head, row, end) = if tx.dialect().is_mysql() { ("(", "(", ")") } else { ("(VALUES ", "(", ")") };
        let mut sql = Sql::new(
            tx.dialect(),
            "SELECT job_name, namespace, sharding_item, digest FROM CLOCKWRIGHT_DURATION \
             WHERE (job_name, namespace, sharding_item) IN ",
        );
        sql.text(head);
        for (place, ((job, namespace, item), _)) in group.iter().enumerate() {
            sql.text(if place == 0 { "" } else { ", " });
            sql.text(row);
            sql.bind(job.as_str());
            sql.text(", ");
            sql.bind(namespace.as_str());
            sql.text(", ");
            sql.bind(*item);
            sql.text(")");
        }
        sql.text(end);
        let mut stored: BTreeMap<ItemKey, Digest> = BTreeMap::new();
        for row in tx.fetch(sql).await? {
            stored.insert((row.text(0)?, row.text(1)?, row.id(2)?), Digest::parse(&row.text(3)?));
        }
        let mut sql = Sql::new(
            tx.dialect(),
            "INSERT INTO CLOCKWRIGHT_DURATION (job_name, namespace, sharding_item, digest)",
        );
        sql.rows(group.iter().map(|(key, digest)| {
            let mut all = stored.remove(key).unwrap_or_default();
            all.merge(digest);
            all.age();
            let (job, namespace, item) = key;
            [job.as_str().into(), namespace.as_str().into(), (*item).into(), all.to_text().into()]
        }));
        sql.text(if tx.dialect().is_mysql() {
            " ON DUPLICATE KEY UPDATE digest = VALUES(digest)"
        } else {
            " ON CONFLICT (job_name, namespace, sharding_item) DO UPDATE SET digest = excluded.digest"
        });
        tx.execute(sql).await?;
    }
    Ok(())
}
