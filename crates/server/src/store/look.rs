//! What a doctor asks of a database: how it is, not what is in it.

use super::{Store, StoreError};
use crate::decide::chain::Actor;
use clockwright_model::Millis;
use clockwright_sql::OpenError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the second of two waits for a lock. Whoever saves something meanwhile waits as well.
const WAITS: Duration = Duration::from_millis(200);

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
