//! The end of the history, for those who follow it: which outcomes each batch stored, in the order in which the batches were.
//!
//! A batch's number is given when it writes its row and is seen when it commits, so a lower number may be seen after a higher one. A reader
//! therefore stops before a number that is missing, as long as that may still come: a batch has a minute. What was rolled back never comes, and
//! is passed over then. Rows are forgotten after five minutes, far longer than a follower may be away and still want each row.

use super::EventStore;
use super::read::{RUN, run_row};
use crate::query::{RunRow, StoreError, Tail, TailPage};
use clockwright_model::{Millis, Settlement};
use clockwright_sql::{Error, Sql, Tx};
use std::collections::HashMap;

/// How long a row is kept, milliseconds.
const KEPT: Millis = 300_000;

/// How long a missing number is waited for, milliseconds: no batch takes longer, see `write`.
const PATIENCE: Millis = 60_000;

/// Most batches in an answer.
const BATCHES: i64 = 200;

/// How many rows one statement asks for.
const ROWS: usize = 256;

pub(super) async fn add(tx: &mut Tx, new: &[&Settlement]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = new.iter().map(|settlement| super::write::key(settlement)).collect();
    let text = serde_json::to_string(&keys).expect("words become JSON");
    let mut sql = Sql::new(tx.dialect(), "INSERT INTO CLOCKWRIGHT_TAIL (stored_ms, run_keys)");
    sql.rows(std::iter::once([now().into(), text.into()]));
    tx.execute(sql).await.map(drop)
}

pub(super) async fn forget(tx: &mut Tx) -> Result<(), Error> {
    let mut sql = Sql::new(tx.dialect(), "DELETE FROM CLOCKWRIGHT_TAIL");
    // The newest stays, so that there is always a place to go on from.
    sql.must("id < (SELECT newest FROM (SELECT MAX(id) AS newest FROM CLOCKWRIGHT_TAIL) AS t)");
    sql.is("stored_ms < ", now() - KEPT);
    tx.execute(sql).await.map(drop)
}

fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// A batch as the tail names it.
struct Batch {
    id: i64,
    stored: Millis,
    keys: String,
}

impl EventStore {
    pub(super) async fn tail(&self, place: Tail, most: usize) -> Result<TailPage, StoreError> {
        if place == Tail::END {
            let newest = Sql::new(self.db.dialect(), "SELECT COALESCE(MAX(id), 0) FROM CLOCKWRIGHT_TAIL");
            let newest = self.all(newest, |row| row.int(0)).await?;
            let next = Tail(newest.first().copied().unwrap_or(0));
            return Ok(TailPage { rows: Vec::new(), next, whole: true });
        }
        let mut sql = Sql::new(self.db.dialect(), "SELECT id, stored_ms, run_keys FROM CLOCKWRIGHT_TAIL");
        // The batch at the place itself tells, by being there, that nothing behind it was forgotten.
        sql.is("id >= ", place.0);
        sql.text(" ORDER BY id LIMIT ");
        sql.bind(BATCHES + 1);
        let batches = self
            .all(sql, |row| Ok(Batch { id: row.int(0)?, stored: row.int(1)?, keys: row.text(2)? }))
            .await?;
        let whole = place.0 == 0 || batches.first().is_none_or(|batch| batch.id == place.0);
        let (keys, next) = take(&batches, place.0, most, now());
        Ok(TailPage { rows: self.by_keys(&keys).await?, next: Tail(next), whole })
    }

    /// The rows that are still there, in the order of the keys.
    async fn by_keys(&self, keys: &[String]) -> Result<Vec<RunRow>, StoreError> {
        let mut found: HashMap<String, RunRow> = HashMap::new();
        for group in keys.chunks(ROWS) {
            let mut sql = Sql::new(self.db.dialect(), RUN);
            sql.must("run_key IN (");
            sql.list(group.iter().map(String::as_str));
            found.extend(self.all(sql, run_row).await?.into_iter().map(|row| (row.key.clone(), row)));
        }
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }
}

/// The keys of whole batches behind a place, up to about `most`, and how far they reach.
fn take(batches: &[Batch], place: i64, most: usize, now: Millis) -> (Vec<String>, i64) {
    let (mut keys, mut reached) = (Vec::new(), place);
    for batch in batches.iter().filter(|batch| batch.id > place) {
        let is_missing = reached > 0 && batch.id > reached + 1;
        if (is_missing && now - batch.stored < PATIENCE) || keys.len() >= most.max(1) {
            break;
        }
        keys.extend(serde_json::from_str::<Vec<String>>(&batch.keys).unwrap_or_default());
        reached = batch.id;
    }
    (keys, reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(id: i64, stored: Millis) -> Batch {
        Batch { id, stored, keys: format!("[\"k{id}\"]") }
    }

    #[test]
    fn a_number_that_may_still_come_is_waited_for_and_one_that_never_comes_is_not() {
        let batches = [batch(5, 0), batch(6, 0), batch(8, 1_000)];
        assert_eq!(take(&batches, 5, 100, 2_000), (vec!["k6".into()], 6));
        assert_eq!(take(&batches, 5, 100, 1_000 + PATIENCE), (vec!["k6".into(), "k8".into()], 8));
        let whole = [batch(7, 500), batch(8, 1_000)];
        assert_eq!(take(&whole, 6, 100, 2_000).1, 8);
    }

    #[test]
    fn an_answer_ends_between_two_batches() {
        let batches: Vec<Batch> = (1..=9).map(|id| batch(id, 0)).collect();
        assert_eq!(take(&batches, 0, 3, 0), (vec!["k1".into(), "k2".into(), "k3".into()], 3));
        assert_eq!(take(&batches, 3, 0, 0), (vec!["k4".into()], 4));
        assert_eq!(take(&batches, 9, 3, 0), (vec![], 9));
    }
}
