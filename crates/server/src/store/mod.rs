//! The control store: what people made, and the journal of how.
//!
//! ```text
//! Store::begin(actor, now) ─▶ Change ── execute, fetch ──▶ rows of an aggregate (one file each)
//!                               │        record(…)     ──▶ what the journal will say
//!                               └─ commit ─▶ head row locked, records numbered and chained, all or nothing
//! ```
//!
//! - Every change but bookkeeping goes through a [`Change`]: what has no record is not done, and what cannot be recorded is not done either.
//! - The head row is the last lock of every change, so commits have the order of their numbers: who has seen number *n* has seen all
//!   before it. A change that makes a thing whose id is its number takes the lock earlier, before it inserts ([`Change::number`]).
//! - Rows are locked in the order of their keys, and READ COMMITTED is enough: what must not have changed is named in the statement that
//!   changes it.
//! - Within a change everything is read by the change: a second connection beside the one that it holds could never come, if all who hold
//!   one wait for it.
//! - A commit whose answer is lost is [`StoreError::Unclear`]: only a look tells. Nobody concludes anything from it.

mod alerts;
mod channels;
mod copy;
mod counts;
mod guesses;
mod holds;
mod jobs;
mod journal;
mod keys;
mod look;
mod operations;
mod people;
mod projects;
mod requests;
mod schema;
mod servers;
mod sync;
mod timing;

pub use alerts::{Again, AlertFilter, AlertRow, AlertState, Matchers, RuleRow, RuleWhat, SilenceRow};
pub use channels::{ChannelRow, ChannelWhat, DeliveryRow, DeliveryState, Outcome};
pub(crate) use copy::RESTORED;
pub use copy::{Column, Snapshot, Table, tables};
pub use guesses::{Charged, Guess};
pub use jobs::{JobRow, JobState, Managed, NewJob, Origin, VersionRow};
pub use journal::JournalFilter;
pub use keys::KeyRow;
pub use look::{DatabaseKind, Settings};
pub use operations::{OperationRow, OperationState};
pub use people::{LinkKind, LinkRow, SessionRow, TokenRow, UserKind, UserRow, UserState};
pub use projects::{MemberKind, MemberRow, ProjectRow};
pub use requests::RequestRow;
pub use servers::{ServerRow, TermRow};
pub use sync::{DriftRow, SyncRow, SyncState, Wished, kept};
pub use timing::{Timing, in_words};

use crate::decide::chain::{self, Actor, Fields, NOTHING, Record};
use crate::observe::Metrics;
use crate::observe::names::{DATABASE_SECONDS, JOURNAL_APPEND};
use crate::observe::trace::TARGET;
use clockwright_model::Millis;
pub use clockwright_sql::OpenError;
use clockwright_sql::{DatabaseError, Db, Dialect, Error, Noted, RetryClass, Row, Sql, Tx};
use schema::SCHEMA;
use std::cell::Cell;
use std::time::Instant;
use tracing::{Instrument, trace_span};

/// The control store, open.
pub struct Store {
    db: Db,
    /// See [`Store::plane`].
    plane: String,
    metrics: Metrics,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A key or a name is in use.
    #[error("it is there already")]
    Taken,
    /// The database is away, busy, full or read-only. Nothing has changed.
    #[error("the database is away: {0}")]
    Away(String),
    /// The answer of a commit was lost: it may have been done.
    #[error("nobody knows whether the database did it: {0}")]
    Unclear(String),
    /// Another server leads by now: what an older term does comes to nothing.
    #[error("another server leads by now")]
    TermOver,
    /// A statement that the database refuses: a fault of this program.
    #[error("the database refuses a statement: {0}")]
    Refused(String),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if error.as_database_error().is_some_and(DatabaseError::is_unique_violation) {
            return Self::Taken;
        }
        match RetryClass::of(&error) {
            RetryClass::Later => Self::Away(error.to_string()),
            RetryClass::Never => Self::Refused(error.to_string()),
        }
    }
}

impl Store {
    /// Opens the store at an address, and makes or migrates its tables if need be.
    ///
    /// # Errors
    /// Those of [`OpenError`]; none shows a password.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        let db = clockwright_sql::connect(address, &SCHEMA).await?;
        let store = Self { db, plane: String::new(), metrics: Metrics::default() };
        let plane = store.plant().await.map_err(|error| OpenError::Failed {
            path: "the control store".to_owned(),
            reason: error.to_string(),
            retry: RetryClass::Later,
        })?;
        Ok(Self { plane, ..store })
    }

    /// Whether a store at an address could be opened, without a change there: see [`clockwright_sql::look`].
    ///
    /// # Errors
    /// Those of [`OpenError`].
    pub async fn look(address: &str) -> Result<(), OpenError> {
        clockwright_sql::look(address, &SCHEMA).await
    }

    /// True once a later program has migrated the tables of a server so that this one cannot work with them any more. A file has one server at
    /// a time.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_outgrown(&self) -> Result<bool, StoreError> {
        if self.db.dialect() == Dialect::Sqlite {
            return Ok(false);
        }
        let rows =
            self.fetch(self.sql("SELECT version, min_version FROM CLOCKWRIGHT_CONTROL_SCHEMA")).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let noted = Noted { version: row.int(0)?, least: row.int(1)? };
        Ok(noted.done("", SCHEMA.steps(self.db.dialect())).is_err())
    }

    /// Makes the two rows that are always there, and returns the database's id. Several servers may start at once: whoever comes second
    /// finds them.
    async fn plant(&self) -> Result<String, StoreError> {
        for (look, plant) in [
            (
                "SELECT id FROM CLOCKWRIGHT_HEAD WHERE id = 1",
                "INSERT INTO CLOCKWRIGHT_HEAD (id, seq, hash) VALUES (1, 0, ",
            ),
            (
                "SELECT id FROM CLOCKWRIGHT_TERM WHERE id = 1",
                "INSERT INTO CLOCKWRIGHT_TERM (id, term, batch, beats, taken, holder, home, cluster) \
                 VALUES (1, 0, 0, 0, 0, '', '', ",
            ),
        ] {
            if !self.fetch(self.sql(look)).await?.is_empty() {
                continue;
            }
            let mut tx = self.write().await?;
            let mut sql = self.sql(plant);
            let first =
                if look.contains("HEAD") { NOTHING.to_owned() } else { uuid::Uuid::new_v4().to_string() };
            sql.list([first]);
            match tx.execute(sql).await.map_err(StoreError::from) {
                Ok(_) => tx.commit().await?,
                Err(StoreError::Taken) => {}
                Err(error) => return Err(error),
            }
        }
        self.read_plane().await
    }

    async fn read_plane(&self) -> Result<String, StoreError> {
        let rows = self.fetch(self.sql("SELECT cluster FROM CLOCKWRIGHT_TERM WHERE id = 1")).await?;
        let row = rows.first().ok_or_else(|| StoreError::Refused("the term's row is missing".into()))?;
        Ok(row.text(0)?)
    }

    /// Begins a change by this actor.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin(&self, actor: Actor, now: Millis) -> Result<Change, StoreError> {
        Ok(self.change(self.write().await?, actor, now))
    }

    /// A transaction for what the journal does not tell: seen-times, tries, marks.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        let began = Instant::now();
        let tx = self.db.begin().await;
        self.metrics.took(&DATABASE_SECONDS, &["control", "begin"], began.elapsed());
        tx?.ok_or_else(|| StoreError::Away("it is open for reading only".into()))
    }

    fn change(&self, tx: Tx, actor: Actor, now: Millis) -> Change {
        Change { tx, actor, now, records: Vec::new(), head: None, metrics: self.metrics.clone() }
    }

    /// The same, measured by these metrics.
    #[must_use]
    pub fn measured(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// How many connections are open, and how many of them do nothing now.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        self.db.connections()
    }

    pub(crate) fn sql(&self, head: &'static str) -> Sql<'static> {
        Sql::new(self.db.dialect(), head)
    }

    pub(crate) async fn fetch(&self, sql: Sql<'_>) -> Result<Vec<Row>, StoreError> {
        // Elsewhere nobody wants to know.
        let _ = READ.try_with(|read| read.set(true));
        let began = Instant::now();
        let span = trace_span!(target: TARGET, "sql", store = "control", what = "read");
        let rows = self.db.fetch(sql).instrument(span).await;
        self.metrics.took(&DATABASE_SECONDS, &["control", "read"], began.elapsed());
        Ok(rows?)
    }

    /// The number of the last record of the journal, and its hash.
    ///
    /// # Errors
    /// The database is away.
    pub async fn head(&self) -> Result<(i64, String), StoreError> {
        let rows = self.fetch(self.sql("SELECT seq, hash FROM CLOCKWRIGHT_HEAD WHERE id = 1")).await?;
        head_of(&rows)
    }

    /// The id of this database, made with it: no other has it. A registry notes whose it is by this.
    #[must_use]
    pub fn plane(&self) -> &str {
        &self.plane
    }

    /// Closes all connections, after what they are doing now.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// A change in the making; dropped without a commit it changes nothing.
pub struct Change {
    tx: Tx,
    actor: Actor,
    now: Millis,
    records: Vec<Record>,
    /// Once the head is locked: the number of the first record of this change, the hash before it, and how many numbers were taken.
    head: Option<Head>,
    metrics: Metrics,
}

struct Head {
    first: i64,
    prev: String,
    taken: i64,
}

impl Change {
    /// Who changes.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// When, by the clock of whoever began it.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// What the journal will say of it.
    pub fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The number that the next record will have, as the id of the thing that it makes. Locks the head: rows that others may hold are
    /// to be changed before.
    ///
    /// # Errors
    /// The database is away.
    pub async fn number(&mut self) -> Result<i64, StoreError> {
        let next = self.records.len() as i64;
        self.take(next + 1).await?;
        Ok(self.head.as_ref().map_or(0, |head| head.first) + next)
    }

    /// Sees to it that so many numbers are this change's.
    async fn take(&mut self, wanted: i64) -> Result<(), StoreError> {
        let taken = self.head.as_ref().map_or(0, |head| head.taken);
        if wanted <= taken {
            return Ok(());
        }
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_HEAD SET seq = seq + ");
        sql.bind(wanted - taken);
        sql.text(" WHERE id = 1");
        self.tx.execute(sql).await?;
        match &mut self.head {
            Some(head) => head.taken = wanted,
            None => {
                let rows =
                    self.tx.fetch(self.sql("SELECT seq, hash FROM CLOCKWRIGHT_HEAD WHERE id = 1")).await?;
                let (seq, prev) = head_of(&rows)?;
                self.head = Some(Head { first: seq - wanted + 1, prev, taken: wanted });
            }
        }
        Ok(())
    }

    /// Makes it true for everybody, with its records; returns the number of the last one. A change without a record is a mistake of this
    /// program and is refused.
    ///
    /// # Errors
    /// Nothing has changed, unless it is [`StoreError::Unclear`].
    pub async fn commit(self) -> Result<i64, StoreError> {
        let span = trace_span!(target: TARGET, "sql", store = "control", what = "commit");
        self.end().instrument(span).await
    }

    async fn end(mut self) -> Result<i64, StoreError> {
        if self.records.is_empty() {
            return Err(StoreError::Refused("a change without a record".into()));
        }
        let began = Instant::now();
        self.take(self.records.len() as i64).await?;
        let head = self.head.take().ok_or_else(|| StoreError::Refused("the head is not locked".into()))?;
        let records = std::mem::take(&mut self.records);
        let fields = records.iter().map(|record| Fields::of(&self.actor, record)).collect();
        let links = chain::append(&head.prev, head.first, self.now, fields);
        let last = links.last().map_or((head.first, head.prev), |link| (link.seq, link.hash.clone()));
        journal::insert(&mut self.tx, &links).await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_HEAD SET hash = ");
        sql.bind(last.1);
        sql.text(" WHERE id = 1");
        self.tx.execute(sql).await?;
        let commits = Instant::now();
        let committed = self.tx.commit().await;
        self.metrics.took(&DATABASE_SECONDS, &["control", "commit"], commits.elapsed());
        committed.map_err(|error| StoreError::Unclear(error.to_string()))?;
        self.metrics.took(&JOURNAL_APPEND, &[], began.elapsed());
        Ok(last.0)
    }

    pub(crate) fn sql(&self, head: &'static str) -> Sql<'static> {
        Sql::new(self.dialect(), head)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.tx.dialect()
    }

    /// How many rows it changed. Rows that were named and are as they should be count on every database.
    pub(crate) async fn execute(&mut self, sql: Sql<'_>) -> Result<u64, StoreError> {
        let span = trace_span!(target: TARGET, "sql", store = "control", what = "write");
        Ok(self.tx.execute(sql).instrument(span).await?)
    }

    pub(crate) async fn fetch(&mut self, sql: Sql<'_>) -> Result<Vec<Row>, StoreError> {
        let span = trace_span!(target: TARGET, "sql", store = "control", what = "read");
        Ok(self.tx.fetch(sql).instrument(span).await?)
    }
}

tokio::task_local! {
    /// Something was read in the database, outside of a change.
    static READ: Cell<bool>;
}

/// What comes of some work, and whether it read in the database.
pub(crate) async fn and_read<T>(work: impl Future<Output = T>) -> (T, bool) {
    READ.scope(Cell::new(false), async { (work.await, READ.with(Cell::get)) }).await
}

fn head_of(rows: &[Row]) -> Result<(i64, String), StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::Refused("the journal's head is missing".into()))?;
    Ok((row.int(0)?, row.text(1)?))
}
