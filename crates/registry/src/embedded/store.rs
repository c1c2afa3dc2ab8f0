//! The database of a registry in a directory, and the one writer that saves to it.
//!
//! `registry.db` is a SQLite database in write-ahead mode with full synchronisation: a batch that was committed survives
//! the loss of power, one that was not is gone as a whole. `registry.lock` is held, with an advisory lock, by the process
//! that has the registry open; it holds that process's id for the error message of the next one.
//!
//! A batch holds the *latest* saved form of each node, not each step on the way, so a node that is set a hundred times
//! while one batch is written costs one row of the next. Writing a batch twice does no harm. That makes a failed write
//! simple: whatever the disk really did, the batch is written again until it succeeds.
//!
//! # Damage
//! SQLite takes a write-ahead log up to the first record that does not fit, and says nothing of the rest: a log that was cut, or
//! in which one bit turned, loses acknowledged batches in silence. So `registry.mark`, beside the database, says up to which
//! transaction batches were acknowledged; it is written after each batch, without waiting for the disk. A database that knows
//! less than the mark has lost what is between: the start says so, and numbers go on above the mark. Each row has a checksum,
//! since SQLite's pages have none: a row that does not fit is named, and the registry is not opened with it.
//!
//! **Files that are deleted** while they are in use would be written on, unseen by anybody, and gone with the process. Each batch
//! therefore looks whether the database is still the file that was opened; when it is not, it is made anew, from the tree in
//! memory, in the folder's place.

use super::files::{FileId, lock, read_mark, write_mark};
use super::{Saved, Shared};
use crate::{Path, Stat, embedded::tree::Row};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The database's file.
const DATABASE: &str = "registry.db";
/// Layout of the database, in its `user_version`.
const LAYOUT: i64 = 2;
/// Rows of one statement: a number is written as the sum of these, so that few statements are ever prepared.
const CHUNKS: [usize; 5] = [500, 100, 20, 5, 1];
/// How long the writer waits between attempts on a disk that fails: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Why a directory cannot be opened as a registry.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the registry in {dir} is in use by {}", .pid.as_ref().map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The other process's id, when it can be told.
        pid: Option<u32>,
    },
    /// A file cannot be made, read or locked.
    #[error("cannot open the registry in {dir}: {source}")]
    File {
        /// The directory.
        dir: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The database cannot be read.
    #[error("cannot read registry.db in {dir}: {source}")]
    Database {
        /// The directory.
        dir: PathBuf,
        /// The reason.
        source: sqlx::Error,
    },
    /// What the database holds cannot be what this program wrote.
    #[error("registry.db in {dir} cannot be used: {why}")]
    Contents {
        /// The directory.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// An open database.
pub(super) struct Store {
    dir: PathBuf,
    connection: Option<SqliteConnection>,
    /// Which file the connection is on.
    file: Option<FileId>,
    mark: Option<File>,
    incarnation: i64,
    #[cfg(test)]
    page_limit: Arc<std::sync::atomic::AtomicU32>,
    /// The advisory lock goes with it.
    lock: File,
}

/// What an opened database held.
pub(super) struct Contents {
    pub(super) rows: Vec<(Path, Row)>,
    /// Number of the latest saved transaction.
    pub(super) transaction: i64,
    /// How often the directory has been opened, this time included.
    pub(super) incarnation: i64,
}

/// What is saved at once.
#[derive(Default)]
struct Batch {
    rows: HashMap<Path, Option<Row>>,
    up_to: i64,
}

impl Store {
    /// Opens the database in a directory and reads all of it.
    pub(super) async fn open(dir: &FilePath) -> Result<(Self, Contents), OpenError> {
        let lock = lock(dir)?;
        let database = |source| OpenError::Database { dir: dir.to_owned(), source };
        let mut connection = connect(dir).await.map_err(database)?;
        let layout: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(database)?;
        if !(0..=LAYOUT).contains(&layout) {
            let why = format!(
                "its layout is number {layout}, and this program knows {LAYOUT} at most; use a newer one"
            );
            return Err(OpenError::Contents { dir: dir.to_owned(), why });
        }
        check_pages(&mut connection).await.map_err(database)?.map_err(|why| contents_error(dir, &why))?;
        prepare(&mut connection, layout).await.map_err(database)?;
        // The database is in its directory, for good, before anything in it is acknowledged.
        let listed = File::open(dir).and_then(|listing| listing.sync_all());
        listed.map_err(|source| OpenError::File { dir: dir.to_owned(), source })?;
        let contents = read(&mut connection).await.map_err(database)?;
        let mut contents = contents.map_err(|why| contents_error(dir, &why))?;
        if let Some(acknowledged) = read_mark(dir).filter(|mark| *mark > contents.transaction) {
            tracing::error!(
                dir = %dir.display(),
                "registry.db has lost transactions {} to {acknowledged}: they were acknowledged, and are not in it any more, because its \
                 log was cut or damaged, or an older copy was put in its place. What they did is undone: fires that had ended may \
                 run once more, and settings may be older than they were. Fencing tokens go on above {acknowledged}",
                contents.transaction + 1
            );
            contents.transaction = acknowledged;
        }
        let store = Self {
            dir: dir.to_owned(),
            connection: Some(connection),
            file: FileId::of(&dir.join(DATABASE)),
            mark: None,
            incarnation: contents.incarnation,
            #[cfg(test)]
            page_limit: Arc::default(),
            lock,
        };
        Ok((store, contents))
    }

    /// Saves what is unsaved, until the registry is closed and everything is saved.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let _ended = Ended(Arc::clone(&shared));
        let mut batch = Batch { up_to: shared.saved.borrow().up_to, ..Batch::default() };
        loop {
            let closing = shared.take(&mut batch);
            if batch.up_to > shared.saved.borrow().up_to {
                if !self.save_surely(&shared, &mut batch).await {
                    break;
                }
            } else if closing {
                break;
            } else {
                shared.work.notified().await;
            }
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(dir = %self.dir.display(), %error, "registry.db was not closed cleanly; its log is replayed at the next start");
        }
        // The directory is released before anybody is told so.
        drop(self);
    }

    /// Saves a batch, however often it takes. False when it gave up, which it does only when the registry is being closed:
    /// nobody was told that these transactions are done.
    async fn save_surely(&mut self, shared: &Shared, batch: &mut Batch) -> bool {
        let mut pause = RETRY.0;
        loop {
            let error = match self.save_whole(shared, batch).await {
                Ok(()) => {
                    write_mark(&mut self.mark, &self.dir, batch.up_to);
                    if shared.saved.borrow().trouble.is_some() {
                        tracing::info!(dir = %self.dir.display(), "the registry saves again");
                    }
                    batch.rows.clear();
                    let up_to = batch.up_to;
                    shared.saved.send_modify(|saved| *saved = Saved { up_to, trouble: None, ended: false });
                    return true;
                }
                Err(error) => error,
            };
            self.connection = None;
            let trouble: Arc<str> =
                format!("cannot save to registry.db in {}: {error}", self.dir.display()).into();
            if shared.saved.borrow().trouble.is_none() {
                tracing::error!(dir = %self.dir.display(), %error, "the registry cannot save; commits are refused until it can");
            }
            let closing = shared.core().closing;
            shared.saved.send_modify(|saved| saved.trouble = Some(trouble));
            if closing {
                return false;
            }
            // A wake-up here is the registry closing, or a session that ended: no reason to wait longer, nor to hurry.
            let _ = tokio::time::timeout(pause, shared.work.notified()).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }

    /// Saves a batch into the file that is there; when that is not the one that was opened, everything.
    async fn save_whole(&mut self, shared: &Shared, batch: &mut Batch) -> Result<(), sqlx::Error> {
        let path = self.dir.join(DATABASE);
        let kept = self.file.is_some() && FileId::of(&path) == self.file;
        if !kept {
            if self.file.take().is_some() {
                tracing::error!(
                    dir = %self.dir.display(),
                    "registry.db was deleted or exchanged while it was in use; it is made anew from what this process knows"
                );
            }
            self.connection = None;
            self.mark = None;
            self.take_folder_again().map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
            shared.take_all(batch);
        }
        self.save(batch, !kept).await?;
        self.file = FileId::of(&path);
        Ok(())
    }

    /// The folder may be gone with the database, and the lock with it.
    fn take_folder_again(&mut self) -> Result<(), OpenError> {
        let path = self.dir.join("registry.lock");
        if FileId::of(&path) != FileId::of_open(&self.lock) {
            self.lock = lock(&self.dir)?;
        }
        Ok(())
    }

    async fn save(&mut self, batch: &Batch, anew: bool) -> Result<(), sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.dir).await?),
        };
        if anew {
            let layout = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
            prepare(connection, layout).await?;
        }
        #[cfg(test)]
        tests::limit(connection, &self.page_limit).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        if anew {
            sqlx::query("DELETE FROM node").execute(&mut *transaction).await?;
            sqlx::query("UPDATE counters SET incarnations = max(incarnations, ?)")
                .bind(self.incarnation)
                .execute(&mut *transaction)
                .await?;
        }
        let kept: Vec<(&Path, &Row)> =
            batch.rows.iter().filter_map(|(path, row)| row.as_ref().map(|row| (path, row))).collect();
        let gone: Vec<&Path> =
            batch.rows.iter().filter(|(_, row)| row.is_none()).map(|(path, _)| path).collect();
        for paths in chunks(&gone) {
            let sql = format!("DELETE FROM node WHERE path IN ({})", repeat("?", paths.len()));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for path in paths {
                query = query.bind(path.as_str());
            }
            query.execute(&mut *transaction).await?;
        }
        for rows in chunks(&kept) {
            let sql = format!("REPLACE INTO node VALUES {}", repeat("(?,?,?,?,?,?,?,?,?)", rows.len()));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (path, row) in rows {
                let stat = &row.stat;
                query = query.bind(path.as_str()).bind(&row.data[..]).bind(stat.version).bind(stat.created);
                query =
                    query.bind(stat.modified).bind(stat.created_at).bind(stat.modified_at).bind(row.sequence);
                query = query.bind(checksum(path, row));
            }
            query.execute(&mut *transaction).await?;
        }
        sqlx::query("UPDATE counters SET transactions = ?")
            .bind(batch.up_to)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

/// Says that nothing will be saved any more, also when the writer ends with a panic or with its runtime.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.saved.send_modify(|saved| saved.ended = true);
    }
}

impl Shared {
    /// Moves what is unsaved into a batch. True when no more will come.
    fn take(&self, batch: &mut Batch) -> bool {
        let mut core = self.core();
        batch.up_to = core.tree.transaction();
        if let Some(unsaved) = &mut core.unsaved {
            if batch.rows.is_empty() {
                std::mem::swap(unsaved, &mut batch.rows);
            } else {
                batch.rows.extend(unsaved.drain());
            }
        }
        core.closing && core.sessions.is_empty()
    }

    /// Puts everything that is to be saved into a batch.
    fn take_all(&self, batch: &mut Batch) {
        let mut core = self.core();
        batch.up_to = core.tree.transaction();
        batch.rows = core.tree.rows().map(|(path, row)| (path, Some(row))).collect();
        if let Some(unsaved) = &mut core.unsaved {
            unsaved.clear();
        }
    }
}

async fn connect(dir: &FilePath) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(dir.join(DATABASE))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
        .connect()
        .await
}

fn contents_error(dir: &FilePath, why: &str) -> OpenError {
    let why = format!(
        "{why}. Put a copy of the whole folder from before in its place; or move it away, and jobs are registered anew from their files"
    );
    OpenError::Contents { dir: dir.to_owned(), why }
}

/// Whether the database's pages fit together, or what does not.
async fn check_pages(connection: &mut SqliteConnection) -> Result<Result<(), String>, sqlx::Error> {
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await?;
    Ok(if said == "ok" { Ok(()) } else { Err(format!("its pages are damaged: {said}")) })
}

const CRC: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

/// Of everything in a row.
fn checksum(path: &Path, row: &Row) -> i64 {
    let mut digest = CRC.digest();
    digest.update(path.as_str().as_bytes());
    digest.update(&[0]);
    digest.update(&row.data);
    let Stat { version, created, modified, created_at, modified_at, .. } = row.stat;
    for number in [version.into(), created, modified, created_at, modified_at, i64::from(row.sequence)] {
        digest.update(&number.to_le_bytes());
    }
    digest.finalize().cast_signed()
}

/// Makes what is missing in a database that has this layout.
async fn prepare(connection: &mut SqliteConnection, layout: i64) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for sql in [
        "CREATE TABLE IF NOT EXISTS node (
            path TEXT NOT NULL PRIMARY KEY, data BLOB NOT NULL, version INTEGER NOT NULL,
            created INTEGER NOT NULL, modified INTEGER NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL,
            sequence INTEGER NOT NULL, checksum INTEGER) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS counters (
            one INTEGER PRIMARY KEY CHECK (one = 1), transactions INTEGER NOT NULL, incarnations INTEGER NOT NULL)",
        "INSERT INTO counters VALUES (1, 0, 1) ON CONFLICT DO UPDATE SET incarnations = incarnations + 1",
        // Rows of the first layout have no checksum until they are written again.
        if layout == 1 { "ALTER TABLE node ADD COLUMN checksum INTEGER" } else { "SELECT 1" },
        "PRAGMA user_version = 2",
    ] {
        sqlx::query(sql).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// All contents, or what is wrong with them.
async fn read(connection: &mut SqliteConnection) -> Result<Result<Contents, String>, sqlx::Error> {
    let counters =
        sqlx::query("SELECT transactions, incarnations FROM counters").fetch_one(&mut *connection).await?;
    let (transaction, incarnation) = (counters.try_get(0)?, counters.try_get(1)?);
    let (mut rows, mut damaged) = (Vec::new(), Vec::new());
    for row in sqlx::query("SELECT * FROM node ORDER BY path").fetch_all(connection).await? {
        let text: String = row.try_get(0)?;
        let path = match Path::new(&text) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let data: Vec<u8> = row.try_get(1)?;
        let stat = Stat {
            version: row.try_get(2)?,
            created: row.try_get(3)?,
            modified: row.try_get(4)?,
            created_at: row.try_get(5)?,
            modified_at: row.try_get(6)?,
            ..Stat::default()
        };
        let kept = Row { data: data.into(), stat, sequence: row.try_get(7)? };
        if row.try_get::<Option<i64>, _>(8)?.is_some_and(|sum| sum != checksum(&path, &kept)) {
            damaged.push(path.to_string());
        }
        rows.push((path, kept));
    }
    if let Some(first) = damaged.first() {
        let more = match damaged.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Ok(Err(format!("what it holds of {first}{more} is damaged: the checksum does not fit")));
    }
    let known: std::collections::HashSet<&Path> = rows.iter().map(|(path, _)| path).collect();
    for (path, _) in &rows {
        if let Some(parent) =
            path.parent().filter(|parent| *parent != Path::root() && !known.contains(parent))
        {
            return Ok(Err(format!("it has the node {path} but not its parent {parent}")));
        }
    }
    Ok(Ok(Contents { rows, transaction, incarnation }))
}

/// Cuts a list into pieces of the sizes in [`CHUNKS`], the largest first.
fn chunks<T>(mut list: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = *CHUNKS.iter().find(|size| **size <= list.len())?;
        let (now, later) = list.split_at(size);
        list = later;
        Some(now)
    })
}

fn repeat(text: &str, times: usize) -> String {
    vec![text; times].join(",")
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
