//! Databases that die, freeze, refuse or are slow while events are published: each event is stored once, or counted.
//!
//! `CLOCKWRIGHT_FAULT_SECONDS` says how long each fault lasts; 2 by default, 60 for the long run before a release.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

#[allow(dead_code, unused_macros, reason = "only its events are wanted here")]
mod suite;

use async_trait::async_trait;
use clockwright_events::{
    Bus, BusOptions, EventStore, ExecutionFilter, LateStore, Loss, Page, Query, RunFilter, Sink, SinkError,
    Spool, SpoolOptions, Store, Width, testing,
};
use clockwright_model::{Event, Execution, StatusTrace, TaskState};
use clockwright_testkit::sql::{Kind, SqlServer};
use sqlx::{Connection, Executor};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use suite::{id, settled, started};

/// Events in each second: 100 runs of five.
const RUNS_PER_SECOND: u32 = 100;

fn fault() -> Duration {
    let seconds = std::env::var("CLOCKWRIGHT_FAULT_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Publishes until it is told to end; returns how many runs, and the longest that one event took to publish.
async fn publish(bus: Bus, end: Arc<AtomicBool>) -> (u64, Duration) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RUNS_PER_SECOND);
    let (mut runs, mut longest) = (0, Duration::ZERO);
    while !end.load(Ordering::SeqCst) {
        tick.tick().await;
        runs += 1;
        for event in events_of(runs) {
            let begin = Instant::now();
            bus.publish(event);
            longest = longest.max(begin.elapsed());
        }
    }
    (runs, longest)
}

fn events_of(n: u64) -> [Event; 5] {
    let run = started(n);
    let at = run.start;
    let trace = |state, number| {
        Event::Status(StatusTrace {
            id: id((1 << 40) | (n << 1) | number),
            task_id: format!("task {n}").into(),
            state,
            at,
            ..testing::status(0)
        })
    };
    [
        trace(TaskState::Staging, 0),
        Event::Execution(run.clone()),
        Event::Execution(Execution { complete: Some(at + 1), success: true, ..run }),
        Event::Settlement(settled("j", 0, at)),
        trace(TaskState::Finished, 1),
    ]
}

/// Publishes while `hurt` does its work and for a moment before and after, then looks at what is in the store.
async fn through<F: Future<Output = ()>>(
    store: Arc<EventStore>,
    sink: Arc<dyn Sink>,
    hurt: impl FnOnce() -> F,
) {
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { patience: Duration::from_millis(500), ..SpoolOptions::default() };
    let spool = Spool::open(folder.path(), sink, options).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    let end = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn(publish(bus.clone(), Arc::clone(&end)));
    let moment = Duration::from_millis(300);
    tokio::time::sleep(moment).await;
    hurt().await;
    tokio::time::sleep(moment).await;
    end.store(true, Ordering::SeqCst);
    let (count, longest) = publisher.await.unwrap();
    assert!(bus.close(Duration::from_secs(60)).await, "{bus:?}");
    assert!(spool.drained(Duration::from_secs(120)).await, "{:?}", spool.stats());
    let (bus, spool) = (&bus.stats()[0], spool.stats());
    assert_eq!((bus.dropped, spool.dropped, spool.waiting), (0, 0, 0), "{spool:?}");
    // Publishing takes no part in any of it. The bound leaves room for a busy machine; benchmarks measure the rest.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    each_is_there_once(&store, count).await;
}

async fn each_is_there_once(store: &EventStore, count: u64) {
    let expected: BTreeSet<String> = (1..=count).map(|n| id(n).to_string()).collect();
    let (mut found, mut page) = (BTreeSet::new(), Page::first(1000));
    loop {
        let answer = store.executions(&ExecutionFilter::default(), &page).await.unwrap();
        for row in answer.rows {
            assert!(row.success, "{row:?}");
            assert!(found.insert(row.id.clone()), "{} is there twice", row.id);
        }
        let Some(next) = answer.next else { break };
        page = Page::after(1000, next);
    }
    assert!(found == expected, "{} of {count} runs are there", found.len());
    let (mut settled, mut page) = (0, Page::first(1000));
    loop {
        let answer = store.runs(&RunFilter::default(), &page).await.unwrap();
        settled += answer.rows.len() as u64;
        let Some(next) = answer.next else { break };
        page = Page::after(1000, next);
    }
    assert_eq!((settled, store.conflicts()), (count, 0));
    // What was stored twice was counted once.
    let counted: u64 = store
        .statistics(None, Width::Day, i64::MIN, i64::MAX)
        .await
        .unwrap()
        .iter()
        .map(|row| row.succeeded)
        .sum();
    assert_eq!(counted, count);
    for n in [1, count / 2, count] {
        assert_eq!(store.trace(&format!("task {n}")).await.unwrap().len(), 2);
    }
}

async fn store_on(server: &SqlServer) -> Arc<EventStore> {
    EventStore::connect(&server.database().await.unwrap()).await.unwrap()
}

/// Blocking work of the test's own, off the threads that the bus works on.
async fn aside(server: &Arc<SqlServer>, work: impl FnOnce(&SqlServer) + Send + 'static) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap();
}

async fn stopped(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let store = store_on(&server).await;
    through(store.clone(), store, || async {
        aside(&server, SqlServer::kill).await;
        tokio::time::sleep(fault()).await;
        aside(&server, |server| server.restart().unwrap()).await;
    })
    .await;
}

/// Kills at moments that have nothing to do with the batches.
async fn killed(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let store = store_on(&server).await;
    through(store.clone(), store, || async {
        for pause in [137, 251, 173] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            aside(&server, |server| server.restart().unwrap()).await;
        }
    })
    .await;
}

async fn frozen(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let store = store_on(&server).await;
    through(store.clone(), store, || async {
        server.pause().unwrap();
        tokio::time::sleep(fault()).await;
        server.resume().unwrap();
    })
    .await;
}

async fn read_only(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let store = store_on(&server).await;
    through(store.clone(), store.clone(), || async {
        let set = async |on: bool| match kind {
            Kind::Postgres => {
                let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
                server.admin(&set).await.unwrap();
                server.admin("SELECT pg_reload_conf()").await.unwrap();
            }
            Kind::MariaDb => server.admin(&format!("SET GLOBAL read_only = {}", u8::from(on))).await.unwrap(),
        };
        set(true).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.store(&[events_of(1)[3].clone()]).await.is_ok() {
            assert!(Instant::now() < deadline, "the server does not become read-only");
        }
        tokio::time::sleep(fault()).await;
        set(false).await;
    })
    .await;
}

/// A database that commits, and says so five seconds later.
struct SlowToCommit(Arc<EventStore>);

#[async_trait]
impl Sink for SlowToCommit {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.0.store(batch).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    }

    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        self.0.record_loss(loss).await
    }
}

async fn slow(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let store = store_on(&server).await;
    through(store.clone(), Arc::new(SlowToCommit(store)), || tokio::time::sleep(fault())).await;
}

/// A small file system of its own, where the tests may make one.
struct Disk(std::path::PathBuf);

impl Disk {
    /// Has room for all that a fault's time brings, once there is room.
    fn new() -> Option<Self> {
        Self::with(0)
    }

    /// And for so many bytes more.
    fn with(more: usize) -> Option<Self> {
        let path = tempfile::tempdir().unwrap().keep();
        // A server has a user of its own, which has to get through to its files.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let size = format!("mode=755,size={}", Self::bytes() + more);
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        std::fs::remove_dir(&path).unwrap();
        None
    }

    fn bytes() -> usize {
        (4 + fault().as_secs() as usize) << 20
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The store's threads may still hold its files.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Where we may not mount a disk, the database says what it says when one is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_sqlite_may_be_full() {
    let disk = Disk::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = disk.as_ref().map_or(elsewhere.path(), |disk| &disk.0);
    let path = folder.join("events.db");
    let store = EventStore::open(&path).await.unwrap();
    through(store.clone(), store.clone(), || async {
        if disk.is_some() {
            let ballast = folder.join("ballast");
            let full = tokio::fs::write(&ballast, vec![1; Disk::bytes() + 1]).await;
            assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
            tokio::time::sleep(fault()).await;
            tokio::fs::remove_file(&ballast).await.unwrap();
        } else {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
            let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            let refuse = "CREATE TRIGGER full BEFORE INSERT ON CLOCKWRIGHT_RUN BEGIN \
                 SELECT RAISE(ABORT, 'database or disk is full'); END";
            other.execute(refuse).await.unwrap();
            tokio::time::sleep(fault()).await;
            other.execute("DROP TRIGGER full").await.unwrap();
        }
    })
    .await;
    store.close().await;
}

/// The disk of a server's database is full, and nothing else of the server's. Only root may mount one.
#[allow(clippy::print_stderr, reason = "whoever reads the test's output has to know what was not tested")]
async fn full(kind: Kind) {
    // An empty database of PostgreSQL takes 8 MiB, and tables with their indexes grow by leaps.
    let Some(disk) = Disk::with(48 << 20) else {
        eprintln!("not tested: only root may mount a disk");
        return;
    };
    let server = SqlServer::start(kind).unwrap();
    let store = EventStore::connect(&server.database_in(&disk.0).await.unwrap()).await.unwrap();
    let ballast = disk.0.join("ballast");
    through(store.clone(), store.clone(), || async {
        let all = vec![1; Disk::bytes() + (48 << 20)];
        let full = tokio::fs::write(&ballast, all).await;
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        // Pages that a table has already may take some events still, so many are stored at once.
        let (mut n, deadline) = (1 << 20, Instant::now() + Duration::from_secs(60));
        while store.store(&refused(n)).await.is_ok() {
            n += 1_000;
            assert!(Instant::now() < deadline, "the database does not become full");
        }
        tokio::time::sleep(fault()).await;
        tokio::fs::remove_file(&ballast).await.unwrap();
    })
    .await;
    store.close().await;
}

/// States that no other test looks for.
fn refused(first: u64) -> Vec<Event> {
    let trace = |n| StatusTrace { id: id((1 << 41) + n), message: "x".repeat(1_000), ..testing::status(0) };
    (first..first + 1_000).map(trace).map(Event::Status).collect()
}

/// The spool's own disk is full as well: then the bus keeps the events in memory. Who may not mount a disk is not root,
/// and then a folder can refuse to be written to.
#[tokio::test]
async fn the_disk_of_the_spool_may_be_full_too() {
    let disk = Disk::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = disk.as_ref().map_or(elsewhere.path(), |disk| &disk.0).join("spool");
    let shut = Arc::new(Shut::default());
    let spool = Spool::open(&folder, shut.clone(), SpoolOptions::default()).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    let ballast = folder.join("ballast");
    if disk.is_some() {
        std::fs::write(&ballast, vec![1; Disk::bytes() + 1]).unwrap_err();
    } else {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
    let count = 3000;
    (1..=count).flat_map(events_of).for_each(|event| bus.publish(event));
    assert!(!bus.flush(Duration::from_millis(500)).await);
    assert!(bus.stats()[0].last_error.as_ref().unwrap().contains("cannot write to the spool"), "{bus:?}");
    if disk.is_some() {
        std::fs::remove_file(&ballast).unwrap();
    } else {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    shut.open.store(true, Ordering::SeqCst);
    assert!(bus.close(Duration::from_secs(60)).await && spool.drained(Duration::from_secs(60)).await);
    assert_eq!((bus.stats()[0].dropped, spool.stats().dropped), (0, 0));
    let stored = shut.stored.lock().unwrap();
    assert!(
        stored.iter().eq((1..=count).flat_map(events_of).collect::<Vec<_>>().iter()),
        "each once, in order"
    );
}

#[derive(Default)]
struct Shut {
    open: AtomicBool,
    stored: std::sync::Mutex<Vec<Event>>,
}

#[async_trait]
impl Sink for Shut {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        if !self.open.load(Ordering::SeqCst) {
            return Err(SinkError("shut".into()));
        }
        self.stored.lock().unwrap().extend_from_slice(batch);
        Ok(())
    }
}

/// The program starts while the database is away.
async fn absent(kind: Kind) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let address = server.database().await.unwrap();
    server.kill();
    let late = LateStore::connect(&address).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), late, SpoolOptions::default()).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    let count = 200;
    (1..=count).flat_map(events_of).for_each(|event| bus.publish(event));
    assert!(bus.close(Duration::from_secs(60)).await, "{bus:?}");
    assert_eq!(spool.stats().waiting, 5 * count);
    aside(&server, |server| server.restart().unwrap()).await;
    assert!(spool.drained(Duration::from_secs(60)).await, "{:?}", spool.stats());
    let store = EventStore::connect_read_only(&address).await.unwrap();
    each_is_there_once(&store, count).await;
}

macro_rules! faults {
    ($($name:ident: $fault:ident($kind:expr),)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $fault($kind).await;
            }
        )*
    };
}

faults! {
    postgres_may_be_away_at_the_start: absent(Kind::Postgres),
    mariadb_may_be_away_at_the_start: absent(Kind::MariaDb),
    postgres_may_be_stopped: stopped(Kind::Postgres),
    mariadb_may_be_stopped: stopped(Kind::MariaDb),
    postgres_may_be_killed_in_the_middle_of_batches: killed(Kind::Postgres),
    mariadb_may_be_killed_in_the_middle_of_batches: killed(Kind::MariaDb),
    postgres_may_freeze: frozen(Kind::Postgres),
    mariadb_may_freeze: frozen(Kind::MariaDb),
    postgres_may_be_read_only: read_only(Kind::Postgres),
    mariadb_may_be_read_only: read_only(Kind::MariaDb),
    the_disk_of_postgres_may_be_full: full(Kind::Postgres),
    the_disk_of_mariadb_may_be_full: full(Kind::MariaDb),
    postgres_may_take_five_seconds_for_each_commit: slow(Kind::Postgres),
    mariadb_may_take_five_seconds_for_each_commit: slow(Kind::MariaDb),
}
