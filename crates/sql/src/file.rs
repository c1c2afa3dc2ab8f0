//! SQLite: one file in WAL mode, one connection that writes and a few that read.
//!
//! A killed process loses nothing that was stored; a power cut may lose the last moments with `synchronous=NORMAL`, never the file. Several processes may write into one file: each batch is one `BEGIN IMMEDIATE` transaction and waits for the
//! others up to 5 s; readers never wait. The file must lie on a local disk.

use crate::RetryClass;
use crate::db::{Db, Pools};
use crate::schema::{Noted, OpenError, Schema, readable};
pub use sqlx::sqlite::SqliteSynchronous as Synchronous;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections read; each has a thread of its own while it is in use.
const READERS: u32 = 3;

/// Opens a file for writing, and makes or migrates it if need be. Its folder must exist, on a local disk.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Foreign`] or [`OpenError::Failed`].
pub async fn open(path: &Path, schema: &Schema) -> Result<Db, OpenError> {
    let path = absolute(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        let reason = format!("there is no folder `{}`", folder.display());
        return Err(OpenError::Failed { path: path.display().to_string(), reason, retry: RetryClass::Never });
    }
    let write = options(&path, schema)
        .create_if_missing(true)
        .synchronous(schema.synchronous)
        .pragma("journal_size_limit", "67108864");
    prepare(&path, &write, schema).await?;
    let writer = pool(1).connect_with(write).await.map_err(|error| open_error(&path, &error))?;
    let readers = pool(READERS).connect_lazy_with(options(&path, schema).read_only(true));
    Ok(Db::new(Pools::Sqlite { writer: Some(writer), readers, open: Arc::default() }))
}

/// Which file a path names now, so that it can be told later whether it is still the same: its device and its number there. `None` if there
/// is none.
#[must_use]
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Opens a file for reading, while another process may be writing it. Never makes or changes one.
///
/// # Errors
/// [`OpenError::Missing`], [`OpenError::Behind`], and those of [`open`].
pub async fn open_read_only(path: &Path, schema: &Schema) -> Result<Db, OpenError> {
    let path = absolute(path);
    if !path.exists() {
        return Err(OpenError::Missing(path.display().to_string()));
    }
    let read = options(&path, schema).read_only(true);
    let mut connection = connect(&path, &read).await?;
    let found = found(&path, &mut connection, schema).await;
    // Nothing was written, so there is nothing to lose if closing fails.
    let _ = connection.close().await;
    readable(&path.display().to_string(), found?, schema.sqlite.len(), schema.least.sqlite)?;
    let readers = pool(READERS).connect_lazy_with(read);
    Ok(Db::new(Pools::Sqlite { writer: None, readers, open: Arc::default() }))
}

/// A database in memory, which dies with the value.
///
/// # Errors
/// [`OpenError::Failed`], when memory or threads are short.
pub async fn in_memory(schema: &Schema) -> Result<Db, OpenError> {
    let path = Path::new(":memory:");
    let options = SqliteConnectOptions::new().in_memory(true);
    // A second connection would see another, empty database; so one does all the work.
    let only = pool(1).connect_with(options).await.map_err(|error| open_error(path, &error))?;
    let mut connection = only.acquire().await.map_err(|error| open_error(path, &error))?;
    migrate(path, &mut connection, schema).await?;
    drop(connection);
    Ok(Db::new(Pools::Sqlite { writer: Some(only.clone()), readers: only, open: Arc::default() }))
}

/// An absolute path, so that a file named `file:…` or `:memory:` is a file like any other.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn options(path: &Path, schema: &Schema) -> SqliteConnectOptions {
    let threads = schema.threads;
    // A writer of events has five sizes of each of its five statements. They are large, so no more than those are kept, and a slow
    // one is not logged with its text.
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(32)
        .thread_name(move |id| format!("{threads}-{id}"))
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Switches the file to WAL and migrates it. WAL mode is a property of the file, so this is done once and not by each
/// connection: the switch needs the file for itself, and SQLite does not wait for that by its own busy timeout.
async fn prepare(path: &Path, options: &SqliteConnectOptions, schema: &Schema) -> Result<(), OpenError> {
    let mut connection = connect(path, options).await?;
    // A file that is not ours is left as it was found, journal mode included.
    found(path, &mut connection, schema).await?;
    connection.close().await.map_err(|error| open_error(path, &error))?;
    let wal = options.clone().journal_mode(SqliteJournalMode::Wal);
    let started = tokio::time::Instant::now();
    let mut connection = loop {
        match SqliteConnection::connect_with(&wal).await {
            Ok(connection) => break connection,
            Err(error) if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(open_error(path, &error)),
        }
    };
    migrate(path, &mut connection, schema).await?;
    connection.close().await.map_err(|error| open_error(path, &error))
}

async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, OpenError> {
    SqliteConnection::connect_with(options).await.map_err(|error| open_error(path, &error))
}

/// Brings the schema up to date. The version is read again under the write lock: another process may be doing the same.
async fn migrate(path: &Path, connection: &mut SqliteConnection, schema: &Schema) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| open_error(path, &error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let done = found(path, &mut transaction, schema).await?;
    for sql in schema.sqlite.iter().skip(done) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(failed)?;
    }
    if done < schema.sqlite.len() {
        // A pragma takes no parameters; the numbers are our own.
        let both = i64::from(schema.least.sqlite) << HALF | schema.sqlite.len() as i64;
        let set = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {both}"));
        sqlx::raw_sql(set).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// How many steps the file has had; 0 is an empty one.
async fn found(path: &Path, connection: &mut SqliteConnection, schema: &Schema) -> Result<usize, OpenError> {
    let failed = |error: sqlx::Error| open_error(path, &error);
    // In this order: another process may be migrating, and tables that are seen before the version are covered by it.
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let found: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(failed)?;
    let place = path.display().to_string();
    if found == 0 && tables > 0 {
        return Err(OpenError::Foreign(place));
    }
    let noted = Noted { version: found & ((1 << HALF) - 1), least: found >> HALF };
    noted.done(&place, schema.sqlite.len())
}

/// The lower half of `user_version` is the version, the upper one the least whose programs can go on.
const HALF: u32 = 16;

fn is_busy(error: &sqlx::Error) -> bool {
    // The primary result code is in the low byte; 5 is SQLITE_BUSY.
    primary_code(error) == Some(5)
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn open_error(path: &Path, error: &sqlx::Error) -> OpenError {
    let path = path.display().to_string();
    // 26 is SQLITE_NOTADB.
    if primary_code(error) == Some(26) {
        return OpenError::Foreign(path);
    }
    // Busy, locked, an error of the disk, no room. Whatever else stands against opening a file stays.
    let passes = matches!(primary_code(error), Some(5 | 6 | 10 | 13));
    let retry = if passes { RetryClass::Later } else { RetryClass::Never };
    OpenError::Failed { path, reason: error.to_string(), retry }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{Least, Sessions};

    /// A program that knows so many steps, all of which only add, but for a last one that takes something away.
    const fn program(sqlite: &'static [&'static str], least: u16) -> Schema {
        Schema {
            sqlite,
            postgres: &[],
            mysql: &[],
            least: Least { sqlite: least, postgres: 0, mysql: 0 },
            version_table: "VERSION_OF_N",
            lock_name: "n",
            lock_number: 1,
            sessions: Sessions { postgres: "SELECT 1", mysql: "SELECT 1", mariadb: "SELECT 1" },
            synchronous: Synchronous::Full,
            threads: "n",
        }
    }

    const FIRST: Schema = program(&["CREATE TABLE n (n INTEGER NOT NULL)"], 1);
    const ADDS: Schema =
        program(&["CREATE TABLE n (n INTEGER NOT NULL)", "ALTER TABLE n ADD COLUMN m INTEGER"], 1);
    const TAKES: Schema = program(
        &[
            "CREATE TABLE n (n INTEGER NOT NULL)",
            "ALTER TABLE n ADD COLUMN m INTEGER",
            "ALTER TABLE n DROP COLUMN n",
        ],
        3,
    );

    #[tokio::test]
    async fn a_program_of_before_goes_on_where_steps_only_added_and_is_refused_where_one_took_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.db");
        for program in [&FIRST, &ADDS, &FIRST, &ADDS] {
            open(&path, program).await.unwrap().close().await;
        }
        open_read_only(&path, &FIRST).await.unwrap().close().await;
        open(&path, &TAKES).await.unwrap().close().await;
        for program in [&FIRST, &ADDS] {
            let refused = open(&path, program).await.err().unwrap();
            let known = program.sqlite.len() as i64;
            let newer = OpenError::Newer { path: path.display().to_string(), found: 3, known };
            let read = open_read_only(&path, program).await.err().unwrap();
            assert_eq!((&refused, &read), (&newer, &newer));
        }
        open(&path, &TAKES).await.unwrap().close().await;
    }
}
