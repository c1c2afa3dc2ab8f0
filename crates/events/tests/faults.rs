//! Databases that die, freeze, refuse or are slow while events are published: each event is stored once, or counted.
//! [`faults`](clockwright_testkit::sql::faults) tells what befalls them, and for how long.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

#[allow(dead_code, unused_macros, reason = "only its events are wanted here")]
mod suite;

use async_trait::async_trait;
use clockwright_events::{
    Bus, BusOptions, EventStore, ExecutionFilter, LateStore, Page, Query, RunFilter, Sink, SinkError, Spool,
    SpoolOptions, Store, Width, testing,
};
use clockwright_model::{Event, Execution, StatusTrace, TaskState};
use clockwright_testkit::sql::Kind::{MariaDb, Postgres};
use clockwright_testkit::sql::faults::Database::{Server, Sqlite};
use clockwright_testkit::sql::faults::{Database, Disk, Fault, Victim};
use clockwright_testkit::sql::{Kind, SqlServer};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use suite::{id, settled, started};

/// Events in each second: 100 runs of five.
const RUNS_PER_SECOND: u32 = 100;

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

/// Publishes while the database suffers and for a moment before and after, then looks at what is in the store.
async fn through(database: Database, fault: Fault) {
    let Some(victim) = Victim::make(database, fault).await.unwrap() else { return };
    let store = EventStore::connect(victim.address()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { patience: Duration::from_millis(500), ..SpoolOptions::default() };
    let spool = Spool::open(folder.path(), store.clone(), options).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    let end = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn(publish(bus.clone(), Arc::clone(&end)));
    let moment = Duration::from_millis(300);
    tokio::time::sleep(moment).await;
    victim.suffer(async || spool.stats().waiting > 0).await.unwrap();
    tokio::time::sleep(moment).await;
    end.store(true, Ordering::SeqCst);
    let (count, longest) = publisher.await.unwrap();
    assert!(bus.flush(Duration::from_secs(60)).await, "{bus:?}");
    assert!(spool.drained(Duration::from_secs(120)).await, "{:?}", spool.stats());
    let (bus, spool) = (&bus.stats()[0], spool.stats());
    assert_eq!((bus.dropped, spool.dropped, spool.waiting), (0, 0, 0), "{spool:?}");
    // Publishing takes no part in any of it. The bound leaves room for a busy machine; benchmarks measure the rest.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    each_is_there_once(&store, count).await;
    store.close().await;
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
        .statistics(None, None, Width::Day, i64::MIN, i64::MAX)
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

/// The spool's own disk is full as well: then the bus keeps the events in memory. Who may not mount a disk is not root,
/// and then a folder can refuse to be written to.
#[tokio::test]
async fn the_disk_of_the_spool_may_be_full_too() {
    let disk = Disk::new(Some(4 << 20)).unwrap();
    let folder = disk.path().join("spool");
    let shut = Arc::new(Shut::default());
    let spool = Spool::open(&folder, shut.clone(), SpoolOptions::default()).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    if disk.is_small() {
        disk.fill().unwrap();
    } else {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
    let count = 3000;
    (1..=count).flat_map(events_of).for_each(|event| bus.publish(event));
    assert!(!bus.flush(Duration::from_millis(500)).await);
    assert!(bus.stats()[0].last_error.as_ref().unwrap().contains("cannot write to the spool"), "{bus:?}");
    if disk.is_small() {
        disk.free().unwrap();
    } else {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    shut.open.store(true, Ordering::SeqCst);
    assert!(bus.flush(Duration::from_secs(60)).await && spool.drained(Duration::from_secs(60)).await);
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
    let server = SqlServer::start(kind).unwrap();
    let address = server.database().await.unwrap();
    server.kill();
    let late = LateStore::connect(&address).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), late, SpoolOptions::default()).unwrap();
    let bus = Bus::start(vec![spool.clone()], BusOptions::default());
    let count = 200;
    (1..=count).flat_map(events_of).for_each(|event| bus.publish(event));
    assert!(bus.flush(Duration::from_secs(60)).await, "{bus:?}");
    assert_eq!(spool.stats().waiting, 5 * count);
    tokio::task::block_in_place(|| server.restart()).unwrap();
    assert!(spool.drained(Duration::from_secs(60)).await, "{:?}", spool.stats());
    let store = EventStore::connect_read_only(&address).await.unwrap();
    each_is_there_once(&store, count).await;
}

clockwright_testkit::tests! {
    postgres_may_be_away_at_the_start: absent(Postgres),
    mariadb_may_be_away_at_the_start: absent(MariaDb),
    postgres_may_be_stopped: through(Server(Postgres), Fault::Stopped),
    mariadb_may_be_stopped: through(Server(MariaDb), Fault::Stopped),
    postgres_may_be_killed_in_the_middle_of_batches: through(Server(Postgres), Fault::Killed),
    mariadb_may_be_killed_in_the_middle_of_batches: through(Server(MariaDb), Fault::Killed),
    postgres_may_freeze: through(Server(Postgres), Fault::Frozen),
    mariadb_may_freeze: through(Server(MariaDb), Fault::Frozen),
    postgres_may_be_read_only: through(Server(Postgres), Fault::ReadOnly),
    mariadb_may_be_read_only: through(Server(MariaDb), Fault::ReadOnly),
    the_disk_of_postgres_may_be_full: through(Server(Postgres), Fault::DiskFull),
    the_disk_of_mariadb_may_be_full: through(Server(MariaDb), Fault::DiskFull),
    the_disk_of_sqlite_may_be_full: through(Sqlite, Fault::DiskFull),
    postgres_may_take_five_seconds_for_each_commit: through(Server(Postgres), Fault::SlowToCommit),
    mariadb_may_take_five_seconds_for_each_commit: through(Server(MariaDb), Fault::SlowToCommit),
    sqlite_may_take_five_seconds_for_each_commit: through(Sqlite, Fault::SlowToCommit),
}
