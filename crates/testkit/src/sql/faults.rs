//! What can befall a database while somebody writes events to it, done for real: to a private server, or to a file of SQLite's.
//!
//! `CLOCKWRIGHT_FAULT_SECONDS` says how long each fault lasts; 2 by default, 60 for the long run before a release.

use super::{Kind, Session, SqlServer, run};
use anyhow::{Context, ensure};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::block_in_place;

/// How long a fault may take to show, or to begin: a batch comes each second, and test machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where in a batch a server is killed, over and over: when so far a batch has only written runs, then states as well, and then
/// everything but the counts.
const KILLED_AT: [&str; 3] = ["JOB_STATUS_TRACE_LOG", "CLOCKWRIGHT_RUN", "CLOCKWRIGHT_COUNTING"];

/// Besides what is written while the fault lasts: an empty database of PostgreSQL takes 8 MiB, and tables with their indexes
/// grow by leaps. A file of SQLite's is small, and its log takes as much again.
const ROOM_OF_SERVER: usize = 52 << 20;
const ROOM_OF_FILE: usize = 12 << 20;

/// How long each fault lasts.
#[must_use]
pub fn duration() -> Duration {
    let seconds = std::env::var("CLOCKWRIGHT_FAULT_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Makes a test of each line: its name, and what it waits for.
#[macro_export]
macro_rules! tests {
    ($($name:ident: $test:expr,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $test.await;
            }
        )*
    };
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A private server.
    Server(Kind),
    /// A file. It dies and freezes with the process that writes it, so of the faults only [`Fault::DiskFull`] and
    /// [`Fault::SlowToCommit`] can befall it.
    Sqlite,
}

/// What befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server is killed, and started again when the fault is over.
    Stopped,
    /// The server is killed in the middle of a batch and started again at once, over and over.
    Killed,
    /// The server keeps its connections and says nothing.
    Frozen,
    /// It refuses to be written to.
    ReadOnly,
    /// Its disk is full.
    DiskFull,
    /// Each commit takes five seconds.
    SlowToCommit,
}

/// A database of a test's own that a fault will befall.
pub struct Victim {
    database: Database,
    fault: Fault,
    address: String,
    /// Dropped before the disk that its files are on.
    server: Option<SqlServer>,
    disk: Disk,
}

impl Victim {
    /// An empty database. `None` where this machine does not allow the fault, which is said on standard error.
    ///
    /// # Errors
    /// When it cannot be made.
    #[allow(clippy::print_stderr, reason = "whoever reads a test's output has to know what was not tested")]
    pub async fn make(database: Database, fault: Fault) -> anyhow::Result<Option<Self>> {
        let room = match database {
            _ if fault != Fault::DiskFull => None,
            Database::Server(_) => Some(ROOM_OF_SERVER),
            Database::Sqlite => Some(ROOM_OF_FILE),
        };
        let disk = Disk::new(room)?;
        let Database::Server(kind) = database else {
            let address = format!("sqlite:{}", disk.path().join("events.db").display());
            return Ok(Some(Self { database, fault, address, server: None, disk }));
        };
        if room.is_some() && !disk.is_small() {
            eprintln!("{database:?}, {fault:?}: not tested, because only root may mount a disk");
            return Ok(None);
        }
        let server = SqlServer::start(kind)?;
        let address = match room {
            Some(_) => server.database_in(disk.path()).await?,
            None => server.database().await?,
        };
        Ok(Some(Self { database, fault, address, server: Some(server), disk }))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where SQLite's `events.db` is; `None` for a server.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.server.is_none().then(|| self.disk.path())
    }

    /// Lets the fault happen, once the store has made its tables. It lasts its time, and until the caller has said once that
    /// it hurts. Needs a runtime with several threads.
    ///
    /// # Errors
    /// When it does not hurt, or cannot be done or undone.
    pub async fn suffer(&self, hurts: impl AsyncFn() -> bool) -> anyhow::Result<()> {
        match (&self.server, self.fault) {
            (Some(server), Fault::Stopped) => {
                server.kill();
                self.last(duration(), hurts).await?;
                block_in_place(|| server.restart())
            }
            (Some(server), Fault::Killed) => {
                let begun = Instant::now();
                while begun.elapsed() < duration() {
                    for table in KILLED_AT {
                        let stall = self.stall(server.kind, table).await?;
                        server.kill();
                        drop(stall);
                        self.last(Duration::ZERO, &hurts).await?;
                        block_in_place(|| server.restart())?;
                    }
                }
                Ok(())
            }
            (Some(server), Fault::Frozen) => {
                server.pause()?;
                self.last(duration(), hurts).await?;
                server.resume()
            }
            (Some(server), Fault::ReadOnly) => {
                server.set_read_only(true).await?;
                self.last(duration(), hurts).await?;
                server.set_read_only(false).await
            }
            (_, Fault::DiskFull) if self.disk.is_small() => {
                self.disk.fill()?;
                self.use_up().await?;
                self.last(duration(), hurts).await?;
                self.disk.free()?;
                // MariaDB ends itself when it has no room to roll a batch back; whoever makes room starts it again.
                match &self.server {
                    Some(server) if !server.is_running() => block_in_place(|| server.restart()),
                    _ => Ok(()),
                }
            }
            (_, Fault::DiskFull) => {
                // Where we may not mount a disk, the database says what it says when one is full.
                let refuse = "CREATE TRIGGER full BEFORE INSERT ON CLOCKWRIGHT_RUN BEGIN \
                     SELECT RAISE(ABORT, 'database or disk is full'); END";
                run(&self.address, refuse).await?;
                self.last(duration(), hurts).await?;
                run(&self.address, "DROP TRIGGER full").await
            }
            (Some(server), Fault::SlowToCommit) => {
                let (slow, quick) = slow_commits(server.kind);
                run(&self.address, slow).await?;
                self.last(duration(), hurts).await?;
                run(&self.address, quick).await
            }
            (None, Fault::SlowToCommit) => {
                let (held, lasted) = tokio::join!(self.hold_the_lock(), self.last(duration(), hurts));
                held.and(lasted)
            }
            (None, fault) => anyhow::bail!("{fault:?} cannot befall a file"),
        }
    }

    /// Waits for this time, and until it has hurt.
    async fn last(&self, time: Duration, hurts: impl AsyncFn() -> bool) -> anyhow::Result<()> {
        let (begun, mut hurt) = (Instant::now(), false);
        while begun.elapsed() < time || !hurt {
            ensure!(
                hurt || begun.elapsed() < time + PATIENCE,
                "{:?} does not hurt {:?}",
                self.fault,
                self.database
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            hurt = hurt || hurts().await;
        }
        Ok(())
    }

    /// Returns when a batch is stuck, because the session that is returned has locked a table that comes in the middle of it.
    async fn stall(&self, kind: Kind, table: &str) -> anyhow::Result<Session> {
        let (lock, wait) = match kind {
            Kind::Postgres => (
                format!("BEGIN; LOCK TABLE {table} IN SHARE MODE"),
                "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock') \
                 LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$",
            ),
            Kind::MariaDb => (
                format!("LOCK TABLES {table} READ"),
                "BEGIN NOT ATOMIC WHILE NOT EXISTS (SELECT 1 FROM information_schema.processlist \
                 WHERE state LIKE 'Waiting for table%') DO DO SLEEP(0.01); END WHILE; END",
            ),
        };
        let mut session = Session::open(&self.address).await?;
        session.run(&lock).await?;
        let stuck = tokio::time::timeout(PATIENCE, session.run(wait)).await;
        stuck.context("nobody writes a batch")??;
        Ok(session)
    }

    /// Pages that a table has already may take some events still. So rows are put there until not even one more finds room.
    async fn use_up(&self) -> anyhow::Result<()> {
        let (begun, message) = (Instant::now(), "x".repeat(1_000));
        let mut session = Session::open(&self.address).await?;
        for n in 0.. {
            let one_more = format!(
                "INSERT INTO JOB_STATUS_TRACE_LOG (id, job_name, original_task_id, task_id, slave_id, source, \
                 execution_type, sharding_item, state, message) \
                 VALUES ('filler {n}', '', '', '', '', '', '', '', '', '{message}')"
            );
            if session.run(&one_more).await.is_err() {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "{:?} does not become full", self.database);
        }
        session.close().await
    }

    /// Whoever commits to the file waits for another one who writes there for nearly five seconds, which is as long as the
    /// store waits, and has its turn then.
    async fn hold_the_lock(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut other = Session::open(&self.address).await?;
        while begun.elapsed() < duration() {
            other.run("BEGIN IMMEDIATE").await?;
            tokio::time::sleep(Duration::from_millis(4_800)).await;
            other.run("COMMIT").await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        other.close().await
    }
}

/// What makes each batch take five seconds more at its end, and what ends that. Each batch with an outcome ends with one row of
/// the tail; on PostgreSQL that is looked at when the batch commits, and on MariaDB, which knows no such
/// triggers, right before.
fn slow_commits(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Postgres => (
            "CREATE FUNCTION be_slow() RETURNS TRIGGER LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON CLOCKWRIGHT_TAIL \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION be_slow()",
            "DROP FUNCTION be_slow() CASCADE",
        ),
        Kind::MariaDb => (
            "CREATE TRIGGER slow BEFORE INSERT ON CLOCKWRIGHT_TAIL FOR EACH ROW DO SLEEP(5)",
            "DROP TRIGGER slow",
        ),
    }
}

impl SqlServer {
    /// Refuses to be written to, or ends that.
    ///
    /// # Errors
    /// When the server does not run.
    pub async fn set_read_only(&self, on: bool) -> anyhow::Result<()> {
        match self.kind {
            Kind::Postgres => {
                self.admin(&format!("ALTER SYSTEM SET default_transaction_read_only = {on}")).await?;
                self.admin("SELECT pg_reload_conf()").await
            }
            Kind::MariaDb => self.admin(&format!("SET GLOBAL read_only = {on}")).await,
        }
    }
}

/// A folder of a test's own that is a small file system, where the machine allows that.
pub struct Disk {
    folder: TempDir,
    /// Its bytes, when it is small.
    size: Option<usize>,
}

impl Disk {
    /// A folder. With a room, the disk has so many bytes, and what a fault's time brings.
    ///
    /// # Errors
    /// When there can be no folder. That it cannot be small is none: see [`Disk::is_small`].
    pub fn new(room: Option<usize>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // A server has a user of its own, which has to get through to its files.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
        let size = room.map(|room| room + ((duration().as_secs() as usize) << 20)).filter(|size| {
            let options = format!("mode=755,size={size}");
            let mount = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &options, "none"])
                .arg(folder.path())
                .output();
            mount.is_ok_and(|output| output.status.success())
        });
        Ok(Self { folder, size })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it can be filled: only root may mount a disk.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.size.is_some()
    }

    /// Leaves no room on it.
    ///
    /// # Errors
    /// When it is not small.
    pub fn fill(&self) -> anyhow::Result<()> {
        let size = self.size.context("the disk is not small")?;
        let written = std::fs::write(self.ballast(), vec![1; size + 1]);
        ensure!(written.is_err_and(|error| error.kind() == ErrorKind::StorageFull), "the disk is not full");
        Ok(())
    }

    /// Ends a [`Disk::fill`].
    ///
    /// # Errors
    /// When it was not filled.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small() {
            // The store's threads may still hold its files.
            let _ = Command::new("umount").arg("-l").arg(self.path()).output();
        }
    }
}
