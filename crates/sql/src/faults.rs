//! Faults on purpose, for tests of whoever writes: a transaction that cannot begin, one that was surely not committed, and one of which the
//! answer is lost, so that nobody knows whether it was.

use crate::Error;
use std::sync::Arc;

/// Where a fault may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before a transaction begins.
    Begin,
    /// Before a commit is sent: nothing changes.
    Commit,
    /// Between a commit and its answer: all has changed, and the caller sees an error.
    Answer,
}

/// Decides at each point whether there is a fault now; by default never.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<dyn Fn(Point) -> bool + Send + Sync>>);

impl Faults {
    /// A fault wherever the function says so.
    pub fn when(fails: impl Fn(Point) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fails)))
    }

    pub(crate) fn pass(&self, point: Point) -> Result<(), Error> {
        if self.0.as_ref().is_some_and(|fails| fails(point)) {
            return Err(Error::Io(std::io::Error::other(format!("a fault on purpose: {point:?}"))));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{Db, Dialect, Least, Schema, Sessions, Sql, file};
    use std::sync::atomic::{AtomicU8, Ordering};

    const SCHEMA: Schema = Schema {
        sqlite: &["CREATE TABLE n (n INTEGER NOT NULL)"],
        postgres: &[],
        mysql: &[],
        least: Least { sqlite: 1, postgres: 0, mysql: 0 },
        version_table: "VERSION_OF_N",
        lock_name: "n",
        lock_number: 1,
        sessions: Sessions { postgres: "SELECT 1", mysql: "SELECT 1", mariadb: "SELECT 1" },
        synchronous: file::Synchronous::Full,
        threads: "n",
    };

    async fn add(db: &Db, n: i64) -> Result<(), Error> {
        let mut tx = db.begin().await?.unwrap();
        let mut sql = Sql::new(Dialect::Sqlite, "INSERT INTO n (n) VALUES (");
        sql.list([n]);
        tx.execute(sql).await?;
        tx.commit().await
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_what_was_committed_and_a_failed_commit_leaves_nothing() {
        let mut db = file::in_memory(&SCHEMA).await.unwrap();
        let at = Arc::new(AtomicU8::new(0));
        let now = Arc::clone(&at);
        let places = [Point::Begin, Point::Commit, Point::Answer];
        db.set_faults(Faults::when(move |point| {
            places.get(usize::from(now.load(Ordering::SeqCst))) == Some(&point)
        }));
        for (place, kept) in [(0, 0), (1, 0), (2, 1), (3, 2)] {
            at.store(place, Ordering::SeqCst);
            assert_eq!(add(&db, i64::from(place)).await.is_ok(), place == 3, "{place}");
            at.store(3, Ordering::SeqCst);
            let rows = db.fetch(Sql::new(Dialect::Sqlite, "SELECT COUNT(*) FROM n")).await.unwrap();
            assert_eq!(rows[0].int(0).unwrap(), kept, "{place}");
        }
    }
}
