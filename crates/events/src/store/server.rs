//! PostgreSQL, MySQL and MariaDB: connecting, and making or migrating the tables.
//!
//! One process migrates at a time, under a lock of the database. On PostgreSQL a step is one transaction. MySQL commits each
//! statement by itself, so its steps are written to be run again, and an index that is there already is passed over.
//!
//! A MySQL session is not strict: a value that a column cannot hold (an emoji in a table that Elastic-Job made with a
//! smaller character set) is changed to fit instead of refused, because a refused event would hold up all behind it. It reads
//! what is committed and no snapshot, so that a batch sees the rows that its own INSERT ran into.

use super::EventStore;
use super::db::Db;
use crate::StoreError;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::time::Duration;

/// The schema's version; [`EventStore`] at version n has had the first n steps. Steps are only ever added.
const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS CLOCKWRIGHT_SCHEMA (version BIGINT NOT NULL)";
const VERSION: &str = "SELECT version FROM CLOCKWRIGHT_SCHEMA";

/// How long a question or a batch waits for a free connection or a server that is away.
const ACQUIRE: Duration = Duration::from_secs(5);

/// One writes, the others read.
const CONNECTIONS: u32 = 5;

fn unreadable(kind: &str, error: &sqlx::Error) -> StoreError {
    let reason = match error {
        // Parsers of addresses name what is wrong, never what is there.
        sqlx::Error::Configuration(reason) => reason.to_string(),
        _ => "it has the wrong form".into(),
    };
    StoreError::Address(format!("cannot read the address of the {kind} database: {reason}"))
}

fn open_error(place: &str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
    move |error| StoreError::Open { path: place.to_owned(), reason: error.to_string() }
}

/// How many of the `known` steps a database has had, if it says that it has had `found`.
fn done(place: &str, found: Option<i64>, known: usize) -> Result<usize, StoreError> {
    let found = found.unwrap_or(0);
    match usize::try_from(found) {
        Ok(done) if done <= known => Ok(done),
        _ => Err(StoreError::Newer { path: place.to_owned(), found, known: known as i64 }),
    }
}

/// True if steps are still to be done, and may be.
fn is_behind(place: &str, found: Option<i64>, known: usize, read_only: bool) -> Result<bool, StoreError> {
    match done(place, found, known)? {
        done if done == known => Ok(false),
        0 if read_only => Err(StoreError::Missing(place.to_owned())),
        done if read_only => Err(StoreError::behind(place.to_owned(), done)),
        _ => Ok(true),
    }
}

/// The statement that notes that all `known` steps are done.
fn note_done(found: Option<i64>, known: usize) -> AssertSqlSafe<String> {
    // The number is our own, and the two databases write a parameter in two ways.
    AssertSqlSafe(match found {
        None => format!("INSERT INTO CLOCKWRIGHT_SCHEMA (version) VALUES ({known})"),
        Some(_) => format!("UPDATE CLOCKWRIGHT_SCHEMA SET version = {known}"),
    })
}

#[cfg(feature = "postgres")]
pub(super) async fn postgres(address: &str, read_only: bool) -> Result<EventStore, StoreError> {
    use sqlx::ConnectOptions;
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    let options: PgConnectOptions = address.parse().map_err(|error| unreadable("PostgreSQL", &error))?;
    let options =
        options.application_name("clockwright").statement_cache_capacity(64).disable_statement_logging();
    let database = options.get_database().unwrap_or(options.get_username()).to_owned();
    let place = format!(
        "postgres://{}@{}:{}/{database}",
        options.get_username(),
        options.get_host(),
        options.get_port()
    );
    let failed = open_error(&place);
    let connecting = tokio::time::timeout(ACQUIRE * 2, sqlx::PgConnection::connect_with(&options));
    let mut connection = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(&failed)?;
    // Before the migration, which could not work on it.
    let other: i64 =
        sqlx::query_scalar(pg::COUNT_OTHER_SUCCESS).fetch_one(&mut connection).await.map_err(&failed)?;
    if other > 0 {
        return Err(StoreError::Open {
            path: place.clone(),
            reason:
                "column is_success of its table JOB_EXECUTION_LOG is no BOOLEAN, as it is in the tables of \
                     Elastic-Job 3 and of Clockwright"
                    .into(),
        });
    }
    pg::migrate(&place, &mut connection, read_only).await?;
    let has_trigrams = pg::trigrams(&place, &mut connection, read_only).await.map_err(&failed)?;
    let has_source: i64 =
        sqlx::query_scalar(pg::COUNT_SOURCE).fetch_one(&mut connection).await.map_err(&failed)?;
    let _ = connection.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(pg::SESSION).await.map(drop) })
        })
        .connect_lazy_with(options);
    let mut store = EventStore::on(Db::Postgres { pool, read_only });
    store.trace_has_source = has_source > 0;
    store.has_trigrams = has_trigrams;
    Ok(store)
}

#[cfg(feature = "postgres")]
mod pg {
    use super::{Executor, StoreError, VERSION, VERSION_TABLE, done, is_behind, note_done, open_error};
    use sqlx::{Connection, PgConnection};

    const MIGRATIONS: [&str; 3] = [
        include_str!("migrations/postgres/0001_events.sql"),
        include_str!("migrations/postgres/0002_failures.sql"),
        include_str!("migrations/postgres/0003_logs_and_searches.sql"),
    ];

    /// What every connection says first. Each page of history is in the order of an index. Jobs that always fail make PostgreSQL
    /// expect few rows where there are many; it then gathers them all and sorts them for twenty, unless this is switched off.
    pub(super) const SESSION: &str = "SET enable_bitmapscan = off";

    pub(super) const COUNT_SOURCE: &str = "SELECT count(*) FROM information_schema.columns \
         WHERE table_schema = ANY(current_schemas(false)) AND table_name = 'job_status_trace_log' \
         AND column_name = 'source'";
    pub(super) const COUNT_OTHER_SUCCESS: &str = "SELECT count(*) FROM information_schema.columns \
         WHERE table_schema = ANY(current_schemas(false)) AND table_name = 'job_execution_log' \
         AND column_name = 'is_success' AND data_type <> 'boolean'";

    /// Held by whoever makes tables. The number is the lock's name, chosen by a roll of dice.
    const LOCK: &str = "SELECT pg_advisory_xact_lock(7268104590421)";

    const COUNT_TRIGRAMS: &str = "SELECT count(*) FROM pg_index \
         WHERE indexrelid = to_regclass('clockwright_run_reason') AND indisvalid";
    const ADD_TRIGRAMS: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm; \
         CREATE INDEX IF NOT EXISTS CLOCKWRIGHT_RUN_REASON ON CLOCKWRIGHT_RUN USING gin (LOWER(reason) gin_trgm_ops) \
         WHERE outcome <> 'succeeded'";

    async fn version(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
        match sqlx::query_scalar(VERSION).persistent(false).fetch_optional(connection).await {
            // There is no such table.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(None),
            other => other,
        }
    }

    pub(super) async fn migrate(
        place: &str,
        connection: &mut PgConnection,
        read_only: bool,
    ) -> Result<(), StoreError> {
        let failed = open_error(place);
        let found = version(connection).await.map_err(&failed)?;
        if !is_behind(place, found, MIGRATIONS.len(), read_only)? {
            return Ok(());
        }
        let mut tx = connection.begin().await.map_err(&failed)?;
        tx.execute(LOCK).await.map_err(&failed)?;
        tx.execute(VERSION_TABLE).await.map_err(&failed)?;
        let found = version(&mut tx).await.map_err(&failed)?;
        for step in MIGRATIONS.iter().skip(done(place, found, MIGRATIONS.len())?) {
            sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(&failed)?;
        }
        tx.execute(sqlx::raw_sql(note_done(found, MIGRATIONS.len()))).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)
    }

    /// True where the index for texts in reasons is there. It is made where it is not, if the server's extension for it can be had: not as
    /// one of the steps above, because an administrator may add the extension at any time.
    pub(super) async fn trigrams(
        place: &str,
        connection: &mut PgConnection,
        read_only: bool,
    ) -> Result<bool, sqlx::Error> {
        let count: i64 = sqlx::query_scalar(COUNT_TRIGRAMS).fetch_one(&mut *connection).await?;
        if count > 0 || read_only {
            return Ok(count > 0);
        }
        let mut tx = connection.begin().await?;
        tx.execute(LOCK).await?;
        match tx.execute(ADD_TRIGRAMS).await {
            Ok(_) => tx.commit().await.map(|()| true),
            Err(error) => {
                tracing::info!(
                    "{place} has no index for texts in reasons, and `run list --text` takes longer: {error}. An administrator of \
                     the database can say CREATE EXTENSION pg_trgm; the index is made at the next start"
                );
                tx.rollback().await.map(|()| false)
            }
        }
    }
}

#[cfg(feature = "mysql")]
pub(super) async fn mysql(address: &str, read_only: bool) -> Result<EventStore, StoreError> {
    use sqlx::ConnectOptions;
    use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

    // The driver reads one of the two names of the scheme.
    let address = address.strip_prefix("mariadb:").map_or(address.to_owned(), |rest| format!("mysql:{rest}"));
    let options: MySqlConnectOptions = address.parse().map_err(|error| unreadable("MySQL", &error))?;
    let options = options
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(64)
        .disable_statement_logging();
    let Some(database) = options.get_database() else {
        return Err(StoreError::Address(
            "the address of a MySQL database ends in the name of the database".into(),
        ));
    };
    let place = format!(
        "mysql://{}@{}:{}/{database}",
        options.get_username(),
        options.get_host(),
        options.get_port()
    );
    let failed = open_error(&place);
    let connecting = tokio::time::timeout(ACQUIRE * 2, sqlx::MySqlConnection::connect_with(&options));
    let mut connection = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(&failed)?;
    let session = my::session(&mut connection).await.map_err(&failed)?;
    my::migrate(&place, &mut connection, read_only).await?;
    let has_source: i64 =
        sqlx::query_scalar(my::COUNT_SOURCE).fetch_one(&mut connection).await.map_err(&failed)?;
    let unique: i64 =
        sqlx::query_scalar(my::COUNT_STATISTICS).fetch_one(&mut connection).await.map_err(&failed)?;
    let _ = connection.close().await;
    let pool = MySqlPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(session).await.map(drop) })
        })
        .connect_lazy_with(options);
    let mut store = EventStore::on(Db::MySql { pool, read_only });
    store.trace_has_source = has_source > 0;
    store.cloud_statistics = unique == 3;
    Ok(store)
}

#[cfg(feature = "mysql")]
mod my {
    use super::{Executor, StoreError, VERSION, VERSION_TABLE, done, is_behind, note_done, open_error};
    use sqlx::MySqlConnection;

    const MIGRATIONS: [&str; 3] = [
        include_str!("migrations/mysql/0001_events.sql"),
        include_str!("migrations/mysql/0002_failures.sql"),
        include_str!("migrations/mysql/0003_logs_and_searches.sql"),
    ];

    pub(super) const COUNT_SOURCE: &str = "SELECT COUNT(*) FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = 'JOB_STATUS_TRACE_LOG' AND column_name = 'source'";
    pub(super) const COUNT_STATISTICS: &str = "SELECT COUNT(*) FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name LIKE 'TASK\\_RESULT\\_STATISTICS\\_%' \
         AND column_name = 'statistics_time' AND non_unique = 0";
    const COUNT_TRACE_ID: &str = "SELECT COUNT(*) FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = 'JOB_STATUS_TRACE_LOG' AND column_name = 'id' \
         AND non_unique = 0";

    /// What every connection says first. MySQL rounds times to the whole seconds of Elastic-Job's own columns unless told
    /// otherwise, which puts events into the future; MariaDB does not know that mode, and does not round.
    pub(super) async fn session(connection: &mut MySqlConnection) -> Result<&'static str, sqlx::Error> {
        let version: String =
            sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)").fetch_one(&mut *connection).await?;
        let session = if version.contains("MariaDB") {
            "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', \
             SESSION tx_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00'"
        } else {
            "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,TIME_TRUNCATE_FRACTIONAL', \
             SESSION transaction_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00'"
        };
        connection.execute(session).await?;
        Ok(session)
    }

    fn number(error: &sqlx::Error) -> Option<u16> {
        let error = error.as_database_error()?;
        Some(error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
    }

    async fn version(connection: &mut MySqlConnection) -> Result<Option<i64>, sqlx::Error> {
        match sqlx::query_scalar(VERSION).persistent(false).fetch_optional(connection).await {
            // There is no such table.
            Err(error) if number(&error) == Some(1146) => Ok(None),
            other => other,
        }
    }

    pub(super) async fn migrate(
        place: &str,
        connection: &mut MySqlConnection,
        read_only: bool,
    ) -> Result<(), StoreError> {
        let failed = open_error(place);
        let found = version(connection).await.map_err(&failed)?;
        if !is_behind(place, found, MIGRATIONS.len(), read_only)? {
            return Ok(());
        }
        let locked: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK('clockwright-events', 600)")
            .fetch_one(&mut *connection)
            .await
            .map_err(&failed)?;
        if locked != Some(1) {
            let reason = "another process has been migrating it for ten minutes".into();
            return Err(StoreError::Open { path: place.to_owned(), reason });
        }
        // The lock ends with the connection, should a step fail.
        steps(place, connection).await?;
        connection.execute("DO RELEASE_LOCK('clockwright-events')").await.map(drop).map_err(&failed)
    }

    async fn steps(place: &str, connection: &mut MySqlConnection) -> Result<(), StoreError> {
        let failed = open_error(place);
        connection.execute(VERSION_TABLE).await.map_err(&failed)?;
        let found = version(connection).await.map_err(&failed)?;
        let done = done(place, found, MIGRATIONS.len())?;
        for statement in MIGRATIONS.iter().skip(done).flat_map(|step| step.split(";\n")) {
            if statement.lines().all(|line| line.is_empty() || line.starts_with("--")) {
                continue;
            }
            match connection.execute(statement).await {
                Ok(_) => {}
                // The column or the index is there; or rows of Elastic-Job-Cloud's stand against a unique one, and are left alone.
                Err(error) if matches!(number(&error), Some(1060..=1062)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // Tables that Elastic-Job 3.0.1 or later made have a number for their key.
        let unique: i64 =
            sqlx::query_scalar(COUNT_TRACE_ID).fetch_one(&mut *connection).await.map_err(&failed)?;
        if unique == 0 {
            let index = "CREATE UNIQUE INDEX CLOCKWRIGHT_TRACE_ID ON JOB_STATUS_TRACE_LOG (id)";
            connection.execute(index).await.map_err(&failed)?;
        }
        connection.execute(sqlx::raw_sql(note_done(found, MIGRATIONS.len()))).await.map(drop).map_err(&failed)
    }
}
