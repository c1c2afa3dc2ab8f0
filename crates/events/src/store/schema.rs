//! The tables of events: their steps, and what is looked at in a database that Elastic-Job may have used before.
//!
//! A MySQL session is not strict: a value that a column cannot hold (an emoji in a table that Elastic-Job made with a
//! smaller character set) is changed to fit instead of refused, because a refused event would hold up all behind it. It reads
//! what is committed and no snapshot, so that a batch sees the rows that its own INSERT ran into.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use super::EventStore;
use crate::StoreError;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use clockwright_sql::server::Opening;
use clockwright_sql::{Least, OpenError, RetryClass, Schema, Sessions};

pub(super) const SCHEMA: Schema = Schema {
    sqlite: &[
        include_str!("migrations/sqlite/0001_events.sql"),
        include_str!("migrations/sqlite/0002_statistics.sql"),
        include_str!("migrations/sqlite/0003_failures.sql"),
        include_str!("migrations/sqlite/0004_logs_and_searches.sql"),
        include_str!("migrations/sqlite/0005_namespaces.sql"),
    ],
    postgres: &[
        include_str!("migrations/postgres/0001_events.sql"),
        include_str!("migrations/postgres/0002_failures.sql"),
        include_str!("migrations/postgres/0003_logs_and_searches.sql"),
        include_str!("migrations/postgres/0004_namespaces.sql"),
    ],
    mysql: &[
        include_str!("migrations/mysql/0001_events.sql"),
        include_str!("migrations/mysql/0002_failures.sql"),
        include_str!("migrations/mysql/0003_logs_and_searches.sql"),
        include_str!("migrations/mysql/0004_namespaces.sql"),
    ],
    least: Least { sqlite: 5, postgres: 4, mysql: 4 },
    version_table: "CLOCKWRIGHT_SCHEMA",
    lock_name: "clockwright-events",
    // Chosen by a roll of dice.
    lock_number: 7_268_104_590_421,
    sessions: Sessions {
        // Each page of history is in the order of an index. Jobs that always fail make PostgreSQL expect few rows where there are
        // many; it then gathers them all and sorts them for twenty, unless this is switched off.
        postgres: "SET enable_bitmapscan = off",
        // MySQL rounds times to the whole seconds of Elastic-Job's own columns unless told otherwise, which puts events into the
        // future; MariaDB does not know that mode, and does not round.
        mysql: "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,TIME_TRUNCATE_FRACTIONAL', \
                SESSION transaction_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00'",
        mariadb: "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', \
                  SESSION tx_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00'",
    },
    synchronous: clockwright_sql::file::Synchronous::Normal,
    threads: "events-sqlite",
};

/// Opens a store on a server.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) async fn on_server(address: &str, read_only: bool) -> Result<EventStore, StoreError> {
    let mut opening = Opening::connect(address, &SCHEMA, read_only).await?;
    #[cfg(feature = "postgres")]
    if opening.is_postgres() {
        return on_postgres(opening, read_only).await;
    }
    #[cfg(feature = "mysql")]
    {
        opening.migrate().await?;
        // Tables that Elastic-Job 3.0.1 or later made have a number for their key.
        if !read_only && opening.number(my::COUNT_TRACE_ID).await? == 0 {
            opening.run("CREATE UNIQUE INDEX CLOCKWRIGHT_TRACE_ID ON JOB_STATUS_TRACE_LOG (id)").await?;
        }
        let has_source = opening.number(my::COUNT_SOURCE).await? > 0;
        let cloud_statistics = opening.number(my::COUNT_STATISTICS).await? == 3;
        let store = EventStore::on(opening.pool().await);
        Ok(EventStore { trace_has_source: has_source, cloud_statistics, ..store })
    }
    #[cfg(not(feature = "mysql"))]
    unreachable!("no other database was built in")
}

#[cfg(feature = "postgres")]
async fn on_postgres(mut opening: Opening, read_only: bool) -> Result<EventStore, StoreError> {
    // Before the migration, which could not work on it.
    if opening.number(pg::COUNT_OTHER_SUCCESS).await? > 0 {
        let reason = "column is_success of its table JOB_EXECUTION_LOG is no BOOLEAN, as it is in the tables of \
                      Elastic-Job 3 and of Clockwright";
        return Err(StoreError::Open {
            path: opening.place().to_owned(),
            reason: reason.into(),
            retry: RetryClass::Never,
        });
    }
    opening.migrate().await?;
    let has_trigrams = trigrams(&mut opening, read_only).await?;
    let has_source = opening.number(pg::COUNT_SOURCE).await? > 0;
    let store = EventStore::on(opening.pool().await);
    Ok(EventStore { trace_has_source: has_source, has_trigrams, ..store })
}

/// True where the index for texts in reasons is there. It is made where it is not, if the server's extension for it can be had: not as
/// one of the steps, because an administrator may add the extension at any time.
#[cfg(feature = "postgres")]
async fn trigrams(opening: &mut Opening, read_only: bool) -> Result<bool, StoreError> {
    let found = opening.number(pg::COUNT_TRIGRAMS).await? > 0;
    if found || read_only {
        return Ok(found);
    }
    let Err(error) = opening.run(pg::ADD_TRIGRAMS).await else { return Ok(true) };
    tracing::info!(
        "{} has no index for texts in reasons, and `run list --text` takes longer: {error}. An administrator of \
         the database can say CREATE EXTENSION pg_trgm; the index is made at the next start",
        opening.place()
    );
    Ok(false)
}

#[cfg(feature = "postgres")]
mod pg {
    pub(super) const COUNT_SOURCE: &str = "SELECT count(*) FROM information_schema.columns \
         WHERE table_schema = ANY(current_schemas(false)) AND table_name = 'job_status_trace_log' \
         AND column_name = 'source'";
    pub(super) const COUNT_OTHER_SUCCESS: &str = "SELECT count(*) FROM information_schema.columns \
         WHERE table_schema = ANY(current_schemas(false)) AND table_name = 'job_execution_log' \
         AND column_name = 'is_success' AND data_type <> 'boolean'";
    pub(super) const COUNT_TRIGRAMS: &str = "SELECT count(*) FROM pg_index \
         WHERE indexrelid = to_regclass('clockwright_run_reason') AND indisvalid";
    pub(super) const ADD_TRIGRAMS: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm; \
         CREATE INDEX IF NOT EXISTS CLOCKWRIGHT_RUN_REASON ON CLOCKWRIGHT_RUN USING gin (LOWER(reason) gin_trgm_ops) \
         WHERE outcome <> 'succeeded'";
}

#[cfg(feature = "mysql")]
mod my {
    pub(super) const COUNT_SOURCE: &str = "SELECT COUNT(*) FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = 'JOB_STATUS_TRACE_LOG' AND column_name = 'source'";
    pub(super) const COUNT_STATISTICS: &str = "SELECT COUNT(*) FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name LIKE 'TASK\\_RESULT\\_STATISTICS\\_%' \
         AND column_name = 'statistics_time' AND non_unique = 0";
    pub(super) const COUNT_TRACE_ID: &str = "SELECT COUNT(*) FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = 'JOB_STATUS_TRACE_LOG' AND column_name = 'id' \
         AND non_unique = 0";
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Missing(path) => StoreError::Missing(path),
            OpenError::Foreign(path) => StoreError::Foreign(path),
            OpenError::Newer { path, found, known } => StoreError::Newer { path, found, known },
            OpenError::Behind { path, version, .. } => {
                let reason = format!(
                    "it has version {version} and is migrated when an instance of this version starts"
                );
                StoreError::Open { path, reason, retry: RetryClass::Never }
            }
            OpenError::Address(reason) => StoreError::Address(reason),
            OpenError::Failed { path, reason, retry } => StoreError::Open { path, reason, retry },
        }
    }
}

impl From<clockwright_sql::Error> for StoreError {
    fn from(error: clockwright_sql::Error) -> Self {
        StoreError::Database { reason: error.to_string(), retry: RetryClass::of(&error) }
    }
}
