//! What a doctor asks of a database: how it is, not what is in it.

use super::{Store, StoreError};
use crate::decide::chain::Actor;
use clockwright_model::Millis;
use clockwright_sql::{OpenError, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the second of two waits for a lock. Whoever saves something meanwhile waits as well.
const WAITS: Duration = Duration::from_millis(200);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// How a database is set up, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which it is.
    pub kind: DatabaseKind,
    /// What it says, by the names that it has for each.
    pub said: BTreeMap<String, String>,
}

impl Store {
    /// Opens the store for reading: nothing is made, and an older one stays as it is.
    ///
    /// # Errors
    /// Those of [`OpenError`]; none shows a password.
    pub async fn open_read_only(address: &str) -> Result<Self, OpenError> {
        let db = clockwright_sql::connect_read_only(address, &super::schema::SCHEMA).await?;
        let store = Self { db, plane: String::new(), metrics: super::Metrics::default() };
        let missing = || OpenError::Missing("the control store".to_owned());
        let plane = store.read_plane().await.map_err(|_| missing())?;
        Ok(Self { plane, ..store })
    }

    /// The database's clock; `None` for a file, which has none of its own.
    ///
    /// # Errors
    /// The database is away.
    pub async fn clock(&self) -> Result<Option<Millis>, StoreError> {
        self.said(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        )
        .await
    }

    /// True when it is a copy that follows another database.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_replica(&self) -> Result<bool, StoreError> {
        let said = self.said(
            "SELECT CAST(CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END AS BIGINT)",
            "SELECT CAST(@@global.read_only AS SIGNED)",
        );
        Ok(said.await?.is_some_and(|said| said != 0))
    }

    /// How the database says that it is set up, by the names that it has for each; of a session, this one's. A file that is only read does not tell how it is
    /// written.
    ///
    /// # Errors
    /// The database is away.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        let dialect = self.db.dialect();
        let named = |rows: Vec<Row>| {
            let pairs = rows.iter().map(|row| Ok((row.text(0)?.to_lowercase(), row.text(1)?)));
            pairs.collect::<Result<BTreeMap<String, String>, StoreError>>()
        };
        if dialect.is_postgres() {
            const ASKED: &str = "SELECT name, setting FROM pg_settings WHERE name IN ('server_version', 'transaction_isolation', \
                                 'fsync', 'full_page_writes', 'synchronous_commit')";
            let said = named(self.fetch(self.sql(ASKED)).await?)?;
            return Ok(Settings { kind: DatabaseKind::Postgres, said });
        }
        if dialect.is_mysql() {
            const ASKED: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'sql_mode', 'tx_isolation', \
                                 'transaction_isolation', 'innodb_flush_log_at_trx_commit')";
            let said = named(self.fetch(self.sql(ASKED)).await?)?;
            let is_maria = said.get("version").is_some_and(|version| version.contains("MariaDB"));
            let kind = if is_maria { DatabaseKind::MariaDb } else { DatabaseKind::MySql };
            return Ok(Settings { kind, said });
        }
        let mut said = BTreeMap::new();
        for (name, question) in
            [("version", "SELECT sqlite_version()"), ("journal_mode", "PRAGMA journal_mode")]
        {
            let rows = self.fetch(self.sql(question)).await?;
            said.extend(rows.first().map(|row| row.text(0)).transpose()?.map(|text| (name.to_owned(), text)));
        }
        // Each connection has its own: what counts is that of the one that writes.
        if let Ok(mut writer) = self.begin(Actor::server("doctor"), 0).await {
            let rows = writer.fetch(self.sql("PRAGMA synchronous")).await?;
            let number = rows.first().map(|row| row.int(0)).transpose()?;
            said.extend(number.map(|number| ("synchronous".to_owned(), number.to_string())));
        }
        Ok(Settings { kind: DatabaseKind::Sqlite, said })
    }

    /// A number that a server says of itself; `None` for a file.
    async fn said(&self, postgres: &'static str, mysql: &'static str) -> Result<Option<i64>, StoreError> {
        let dialect = self.db.dialect();
        let question = if dialect.is_postgres() {
            postgres
        } else if dialect.is_mysql() {
            mysql
        } else {
            return Ok(None);
        };
        let rows = self.fetch(self.sql(question)).await?;
        Ok(rows.first().map(|row| row.int(0)).transpose()?)
    }

    /// How many jobs name each zone for their schedule.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_zones(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = self
            .sql("SELECT zone, COUNT(*) FROM CLOCKWRIGHT_JOB WHERE alive = '' AND zone <> '' GROUP BY zone");
        let rows = self.fetch(sql).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?.unsigned_abs()))).collect()
    }

    /// The names of a project's jobs.
    ///
    /// # Errors
    /// The database is away.
    pub async fn job_names(&self, project: i64) -> Result<BTreeSet<String>, StoreError> {
        let mut sql = self.sql("SELECT name FROM CLOCKWRIGHT_JOB");
        sql.is("project = ", project);
        sql.must("alive = ''");
        self.fetch(sql).await?.iter().map(|row| Ok(row.text(0)?)).collect()
    }

    /// Whether the lock of the journal's head keeps a second connection waiting while a first one has it; `None` where it cannot be taken, as by whoever only
    /// reads. Nothing changes by it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lock_holds(&self) -> Result<Option<bool>, StoreError> {
        let Ok(mut one) = self.begin(Actor::server("doctor"), 0).await else { return Ok(None) };
        one.number().await?;
        let second = async {
            let mut other = self.begin(Actor::server("doctor"), 0).await?;
            other.number().await
        };
        let passed = tokio::time::timeout(WAITS, second).await;
        drop(one);
        Ok(Some(!matches!(passed, Ok(Ok(_)))))
    }
}
