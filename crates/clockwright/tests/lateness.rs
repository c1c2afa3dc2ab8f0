//! What happens to the database of events never happens to the runs: while it is stopped, frozen or read-only, every instant runs
//! at its time, and afterwards the ledger has each of them once.
//!
//! `CLOCKWRIGHT_FAULT_SECONDS` says how long each fault lasts; 2 by default, 60 for the long run before a release.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright::{Events, Job, Registry, Scheduler, SchedulerOptions};
use clockwright_events::{EventStore, Page, Query as _};
use clockwright_model::{Fire, Millis, Source};
use clockwright_planner::Schedule;
use clockwright_planner::ledger::unsettled;
use clockwright_testkit::sql::{Kind, SqlServer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// With five items each: 500 events in each second, of starts, ends, outcomes and states.
const JOBS: usize = 28;
const ITEMS: u32 = 5;
const EACH_SECOND: &str = "* * * * * ?";

fn fault() -> Duration {
    let seconds = std::env::var("CLOCKWRIGHT_FAULT_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// A run that began: which instant it was for, how much later than that, and why.
type Begun = (Millis, Millis, Source);

fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

fn jobs(begun: &Arc<Mutex<Vec<Begun>>>) -> Vec<Job> {
    let job = |n: usize| {
        let begun = Arc::clone(begun);
        let body = move |context: clockwright::ShardContext| {
            if let Fire::Scheduled(at) = context.fire {
                begun.lock().unwrap().push((at, now() - at, context.source));
            }
            async { Ok::<(), String>(()) }
        };
        Job::simple(&format!("job-{n}"), EACH_SECOND, body).sharding(ITEMS)
    };
    (0..JOBS).map(job).collect()
}

/// The median lateness of the instants in `[from, to)`, and how many runs that is.
fn median(begun: &[Begun], from: Millis, to: Millis) -> (Millis, usize) {
    let mut late: Vec<Millis> =
        begun.iter().filter(|(at, ..)| (from..to).contains(at)).map(|(_, late, _)| *late).collect();
    late.sort_unstable();
    (late[late.len() / 2], late.len())
}

async fn through<F: Future<Output = ()>>(kind: Kind, hurt: impl FnOnce(Arc<SqlServer>) -> F) {
    let server = Arc::new(SqlServer::start(kind).unwrap());
    let address = server.database().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::in_memory("jobs").unwrap();
    let begun = Arc::default();
    let events = Events::Database { address: address.clone(), folder: folder.path().into() };
    let options = SchedulerOptions { events, ..SchedulerOptions::default() };
    let scheduler = Scheduler::start_with(&registry, jobs(&begun), options).await.unwrap();
    // All items run each second from some second on.
    let deadline = now() + 60_000;
    let start = loop {
        let last = begun.lock().unwrap().last().map(|(at, ..)| *at);
        if let Some(last) = last
            && begun.lock().unwrap().iter().filter(|(at, ..)| *at == last).count() == JOBS * ITEMS as usize
        {
            break last;
        }
        assert!(now() < deadline, "not all items run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    tokio::time::sleep(fault()).await;
    let hurt_from = now();
    hurt(server.clone()).await;
    let hurt_to = now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    scheduler.shutdown().await;

    let begun = begun.lock().unwrap().clone();
    let (well, _) = median(&begun, start, hurt_from);
    let (hurt, count) = median(&begun, hurt_from, hurt_to);
    assert!(count >= JOBS * ITEMS as usize, "{count} runs while the database was hurt");
    // Not one of them was so late that it counts as misfired, and they were no later than before. The room is for a machine
    // that starts a database at the same time.
    let misfired = begun.iter().filter(|(at, _, source)| *at >= start && *source != Source::Schedule).count();
    assert_eq!(misfired, 0, "runs that were late");
    assert!(hurt <= 2 * well + 200, "median lateness {hurt} ms, {well} ms before");

    // What waited on disk is stored by whoever uses the folder next.
    let options = SchedulerOptions {
        events: Events::Database { address: address.clone(), folder: folder.path().into() },
        ..SchedulerOptions::default()
    };
    let next = Scheduler::start_with(&registry, Vec::new(), options).await.unwrap();
    let store = EventStore::connect_read_only(&address).await.unwrap();
    let end = begun.iter().map(|(at, ..)| *at).max().unwrap();
    let schedule = Schedule::parse(EACH_SECOND, None).unwrap();
    let deadline = now() + 60_000;
    for job in (0..JOBS).map(|n| format!("job-{n}")) {
        for item in 0..ITEMS {
            loop {
                let page = Page::first(1000);
                let rows = store.ledger(&job, Some(item), start, end, &page).await.unwrap().rows;
                let times: Vec<_> =
                    rows.iter().map(|row| (row.range_from.unwrap_or(row.fire_time), row.fire_time)).collect();
                if unsettled(&schedule, start, end, times.clone()).is_empty() {
                    assert!(rows.iter().all(|row| row.outcome == "succeeded"), "{job}/{item}: {rows:?}");
                    assert_eq!(times.len() as i64, (end - start) / 1_000, "{job}/{item}: {times:?}");
                    break;
                }
                assert!(now() < deadline, "{job}/{item} has {} of its outcomes", rows.len());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    assert!(store.losses(0, Millis::MAX).await.unwrap().is_empty());
    next.shutdown().await;
}

async fn stopped(kind: Kind) {
    through(kind, async |server| {
        let aside = server.clone();
        tokio::task::spawn_blocking(move || aside.kill()).await.unwrap();
        tokio::time::sleep(fault()).await;
        tokio::task::spawn_blocking(move || server.restart().unwrap()).await.unwrap();
    })
    .await;
}

async fn frozen(kind: Kind) {
    through(kind, async |server| {
        server.pause().unwrap();
        tokio::time::sleep(fault()).await;
        server.resume().unwrap();
    })
    .await;
}

async fn read_only(kind: Kind) {
    through(kind, async |server| {
        for on in [true, false] {
            match kind {
                Kind::Postgres => {
                    let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
                    server.admin(&set).await.unwrap();
                    server.admin("SELECT pg_reload_conf()").await.unwrap();
                }
                Kind::MariaDb => {
                    server.admin(&format!("SET GLOBAL read_only = {}", u8::from(on))).await.unwrap();
                }
            }
            if on {
                tokio::time::sleep(fault()).await;
            }
        }
    })
    .await;
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
    runs_keep_their_times_while_postgres_is_stopped: stopped(Kind::Postgres),
    runs_keep_their_times_while_mariadb_is_stopped: stopped(Kind::MariaDb),
    runs_keep_their_times_while_postgres_is_frozen: frozen(Kind::Postgres),
    runs_keep_their_times_while_mariadb_is_frozen: frozen(Kind::MariaDb),
    runs_keep_their_times_while_postgres_is_read_only: read_only(Kind::Postgres),
    runs_keep_their_times_while_mariadb_is_read_only: read_only(Kind::MariaDb),
}
