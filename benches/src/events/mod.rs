//! The event store: what it takes in, what it costs who publishes, and what it answers, on every database.
//!
//! The servers are private ones with durable commits (`fsync`, flushing at each commit), 512 MiB of cache, and clients on
//! the same two or so cores.

pub(crate) mod ingest;
pub(crate) mod java;
pub(crate) mod partitions;
pub(crate) mod publish;
pub(crate) mod queries;
pub(crate) mod retention;

use anyhow::Context as _;
use clockwright_events::EventStore;
use clockwright_model::{Execution, ExecutionSource, JobName, Millis, RunId};
use clockwright_testkit::sql::{self, Session, SqlServer};
use std::sync::Arc;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Database {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }
}

/// A database with the tables of an event store, and nothing else on its server.
pub(crate) struct Home {
    pub(crate) database: Database,
    pub(crate) store: Arc<EventStore>,
    pub(crate) address: String,
    pub(crate) server: Option<SqlServer>,
    /// For what lies beside a database: SQLite's file, a spool.
    pub(crate) folder: tempfile::TempDir,
}

impl Home {
    pub(crate) async fn open(database: Database) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let start = |kind, options: &'static [&'static str]| {
            tokio::task::spawn_blocking(move || SqlServer::start_with(kind, options))
        };
        let server = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(start(sql::Kind::Postgres, POSTGRES).await??),
            Database::MariaDb => Some(start(sql::Kind::MariaDb, MARIADB).await??),
        };
        let address = match &server {
            Some(server) => server.database().await?,
            None => format!("sqlite:{}", folder.path().join("events.db").display()),
        };
        let store = EventStore::connect(&address).await.context("the event store")?;
        Ok(Self { database, store, address, server, folder })
    }

    /// Another database on the same server, without tables.
    pub(crate) async fn empty(&self, name: &str) -> anyhow::Result<String> {
        match &self.server {
            Some(server) => server.database().await,
            None => Ok(format!("sqlite:{}", self.folder.path().join(name).display())),
        }
    }

    /// A connection for statements of the benches' own.
    pub(crate) async fn raw(&self) -> anyhow::Result<Session> {
        let mut session = Session::open(&self.address).await?;
        if self.database == Database::MariaDb {
            session.run("SET time_zone = '+00:00'").await?;
        }
        Ok(session)
    }

    /// `count` whole numbers from 1 on, as a table `s` with a column `n`.
    pub(crate) fn numbers(&self, count: u64) -> String {
        match self.database {
            Database::Sqlite => format!(
                "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c) AS s"
            ),
            Database::Postgres => format!("generate_series(1::BIGINT, {count}) AS s(n)"),
            Database::MariaDb => format!("(SELECT seq AS n FROM seq_1_to_{count}) AS s"),
        }
    }

    /// Epoch milliseconds as the column of a time of Elastic-Job's tables takes them.
    pub(crate) fn time(&self, millis: &str) -> String {
        match self.database {
            Database::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', ({millis}) / 1000.0, 'unixepoch')"),
            Database::Postgres => format!("(to_timestamp(({millis}) / 1000.0) AT TIME ZONE 'UTC')"),
            Database::MariaDb => format!("FROM_UNIXTIME(({millis}) / 1000)"),
        }
    }

    /// A whole number as text.
    pub(crate) fn text(&self, number: &str) -> String {
        match self.database {
            Database::MariaDb => format!("CAST({number} AS CHAR)"),
            _ => format!("CAST({number} AS TEXT)"),
        }
    }

    /// A whole number as text of twelve digits.
    pub(crate) fn padded(&self, number: &str) -> String {
        match self.database {
            Database::Sqlite => format!("printf('%012d', {number})"),
            _ => format!("LPAD({}, 12, '0')", self.text(number)),
        }
    }

    /// A whole number divided by another one, without a rest.
    pub(crate) fn divided(&self, number: &str, by: i64) -> String {
        match self.database {
            Database::MariaDb => format!("({number} DIV {by})"),
            _ => format!("({number} / {by})"),
        }
    }

    /// Texts, one behind the other.
    pub(crate) fn concat(&self, parts: &[&str]) -> String {
        match self.database {
            Database::MariaDb => format!("CONCAT({})", parts.join(", ")),
            _ => format!("({})", parts.join(" || ")),
        }
    }

    /// Lets the database look at what it holds, as each does by itself in time.
    pub(crate) async fn analyze(&self, tables: &[&str]) -> anyhow::Result<()> {
        self.analyze_at(&self.address, tables).await
    }

    /// The same, of another database of the same server.
    pub(crate) async fn analyze_at(&self, address: &str, tables: &[&str]) -> anyhow::Result<()> {
        let statements = match self.database {
            Database::Sqlite => vec!["PRAGMA wal_checkpoint(TRUNCATE)".to_owned()],
            Database::Postgres => tables.iter().map(|table| format!("VACUUM ANALYZE {table}")).collect(),
            Database::MariaDb => tables.iter().map(|table| format!("ANALYZE TABLE {table}")).collect(),
        };
        let mut raw = Session::open(address).await?;
        for statement in statements {
            raw.run(&statement).await?;
        }
        Ok(())
    }
}

/// Later options win over the testkit's own, which trade durability for speed.
const POSTGRES: &[&str] = &[
    "-c",
    "fsync=on",
    "-c",
    "shared_buffers=512MB",
    "-c",
    "max_wal_size=4GB",
    "-c",
    "maintenance_work_mem=256MB",
];
const MARIADB: &[&str] =
    &["--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=1G"];

/// The job of all events that are published here.
pub(crate) const JOB: &str = "bench-events";
/// The task of all of them.
pub(crate) const TASK: &str = "bench-events@-@0,1,2,3,4,5,6,7,8,9@-@READY@-@127.0.0.1@-@4711";
/// When the first of them began.
pub(crate) const BEGIN: Millis = 1_700_000_000_000;

/// Runs that have ended, from number `first` on.
pub(crate) fn executions(first: usize, rows: usize) -> anyhow::Result<Vec<Execution>> {
    let (job, host): (_, Arc<str>) = (JobName::new(JOB)?, "bench-host".into());
    let (ip, task): (Arc<str>, Arc<str>) = ("127.0.0.1".into(), TASK.into());
    let row = |number: usize| {
        let start = BEGIN + number as i64;
        Execution {
            id: RunId::new(start, 1 << 60 | number as u128),
            job: job.clone(),
            task_id: task.clone(),
            hostname: host.clone(),
            ip: ip.clone(),
            item: number as u32 % 10,
            source: ExecutionSource::NormalTrigger,
            start,
            complete: Some(start + 3),
            success: true,
            failure_cause: None,
        }
    };
    Ok((first..first + rows).map(row).collect())
}

/// The same, as the start and the end of each.
pub(crate) fn starts_and_ends(first: usize, runs: usize) -> anyhow::Result<Vec<Execution>> {
    let ends = executions(first, runs)?;
    Ok(ends
        .into_iter()
        .flat_map(|end| [Execution { complete: None, success: false, ..end.clone() }, end])
        .collect())
}
