//! The store: one set of tables in SQLite, PostgreSQL, or MySQL and MariaDB.
//!
//! `JOB_EXECUTION_LOG` and `JOB_STATUS_TRACE_LOG` are Elastic-Job's, with its names and columns, so a Java fleet and
//! Clockwright can write into the same tables; what Clockwright adds has tables of its own (`CLOCKWRIGHT_…`), with times in
//! epoch milliseconds. Text is cut to the width of its column at a character, with a mark; names that are too long end in
//! a hash, so that they stay apart. A value that a database refuses in any form would stop all that waits behind it, so
//! nothing is sent that could be: no U+0000, no time that a column cannot hold.
//!
//! | | SQLite | PostgreSQL 13+ | MySQL 8, MariaDB 10.6+ |
//! |---|---|---|---|
//! | Elastic-Job's times | text `YYYY-MM-DD HH:MM:SS.mmm`, UTC | `TIMESTAMP`, UTC | `TIMESTAMP(3)`, 1970 to 2038 |
//! | `is_success` | 0 or 1 | `BOOLEAN` | `INT`, 0 or 1 |
//! | names of tables | any case | lower case, as unquoted names are | upper case |
//!
//! Elastic-Job itself makes `TIMESTAMP` columns of whole seconds on MySQL. Tables that it made are left so, and hold whole
//! seconds for both; in tables made here its statements find and leave milliseconds. On PostgreSQL its JDBC driver writes the
//! wall clock of its own time zone; give Java `-Duser.timezone=UTC` where both write.
//!
//! No table is cut into partitions. Elastic-Job's two must keep `id` as their primary key, because Java finds a row by it and
//! relies on its being refused twice, and a partitioned table's key has to hold the time. Ours could be, and gain little:
//! see `retention`.
//!
//! The local store is a file in WAL mode with one connection that writes and a few that read; see `clockwright_sql::file`. How
//! PostgreSQL finds a text is in `search`.

mod changes;
mod counting;
mod digest;
mod late;
mod read;
mod retention;
mod schema;
#[cfg(feature = "postgres")]
mod search;
mod short;
mod state;
mod statistics;
mod tail;
mod write;

use crate::{Store, StoreError};
use clockwright_sql::{Address, Db, Sql, file};
pub use late::LateStore;
pub use retention::Retention;
use schema::SCHEMA;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// An event store: [`Sink`](crate::Sink) and [`Query`](crate::Query) on one database.
pub struct EventStore {
    db: Db,
    /// False for a table that Elastic-Job 3.0.5 made, which has no column `source`.
    trace_has_source: bool,
    /// True where the trigrams of reasons are in an index.
    #[cfg(feature = "postgres")]
    has_trigrams: bool,
    /// False where Elastic-Job-Cloud's tables hold what cannot be added to.
    cloud_statistics: bool,
    conflicts: AtomicU64,
    /// The file, and which one it was when it was opened; `None` for a store that is none.
    file: Option<(PathBuf, (u64, u64))>,
    /// The next batch's name, unlikely to be any other's.
    batches: AtomicI64,
}

impl EventStore {
    /// Opens the store at an address for writing, and makes or migrates its tables if need be: `sqlite:PATH` or
    /// `sqlite::memory:`, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, `mysql://USER:PASSWORD@HOST:PORT/DATABASE`. The
    /// database itself must exist. With `?sslmode=…` (PostgreSQL) or `?ssl-mode=…` (MySQL) TLS can be demanded; without,
    /// it is used where the server offers it.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Newer`], [`StoreError::Foreign`] or [`StoreError::Open`]; none of them shows
    /// the password.
    pub async fn connect(address: &str) -> Result<Arc<Self>, StoreError> {
        Self::connect_with(address, false).await
    }

    /// Opens the store at an address for reading; never makes or changes a table.
    ///
    /// # Errors
    /// [`StoreError::Missing`], and those of [`connect`](Self::connect).
    pub async fn connect_read_only(address: &str) -> Result<Arc<Self>, StoreError> {
        Self::connect_with(address, true).await
    }

    async fn connect_with(address: &str, read_only: bool) -> Result<Arc<Self>, StoreError> {
        match Address::parse(address)? {
            Address::Memory => Self::in_memory().await,
            Address::File(path) if read_only => Self::open_read_only(path).await,
            Address::File(path) => Self::open(path).await,
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Address::Server(address) => Ok(schema::on_server(&address, read_only).await?.shared(read_only)),
            #[cfg(not(any(feature = "postgres", feature = "mysql")))]
            Address::Server(_) => unreachable!("no such address is read"),
        }
    }

    /// Opens a file for writing, and makes or migrates it if need be. Its folder must exist, on a local disk.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Foreign`] or [`StoreError::Open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Arc<Self>, StoreError> {
        let path = path.as_ref();
        let store = Self::on(file::open(path, &SCHEMA).await?);
        let file = file::identity(path).map(|identity| (path.to_owned(), identity));
        Ok(Self { file, ..store }.shared(false))
    }

    /// Opens a file for reading, while another process may be writing it. Never makes or changes one.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Newer`], [`StoreError::Foreign`] or [`StoreError::Open`].
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Arc<Self>, StoreError> {
        Ok(Self::on(file::open_read_only(path.as_ref(), &SCHEMA).await?).shared(true))
    }

    /// A store in memory, which dies with the value: for tests and for `dev` without a data folder.
    ///
    /// # Errors
    /// [`StoreError::Open`], when memory or threads are short.
    pub async fn in_memory() -> Result<Arc<Self>, StoreError> {
        Ok(Self::on(file::in_memory(&SCHEMA).await?).shared(false))
    }

    /// Which store this is: a text made with it, the same for all that read and write it.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn identity(&self) -> Result<String, StoreError> {
        let rows = self
            .all(Sql::new(self.db.dialect(), "SELECT id FROM CLOCKWRIGHT_STORE"), |row| row.text(0))
            .await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Folds what is to be counted, and closes all connections, after what they are doing now; a file's writer moves its log into the file.
    pub async fn close(&self) {
        // What is not folded is folded by whoever comes next, and nobody folds for readers.
        let _ = self.fold().await;
        self.db.close().await;
    }

    /// True while its file is the one that its path names: an open file can be deleted or replaced, and what is written into it then is gone
    /// with the process.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.as_ref().is_none_or(|(path, identity)| file::identity(path) == Some(*identity))
    }

    /// Whoever may write folds counts as well.
    fn shared(self, read_only: bool) -> Arc<Self> {
        let store = Arc::new(self);
        if !read_only {
            tokio::spawn(Self::keep_folded(Arc::downgrade(&store)));
        }
        store
    }

    fn on(db: Db) -> Self {
        // Every process starts somewhere else.
        let first = std::hash::RandomState::new().hash_one(0) as i64;
        Self {
            db,
            trace_has_source: true,
            #[cfg(feature = "postgres")]
            has_trigrams: false,
            cloud_statistics: true,
            conflicts: AtomicU64::new(0),
            file: None,
            batches: AtomicI64::new(first),
        }
    }
}

impl Store for EventStore {
    fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }
}
