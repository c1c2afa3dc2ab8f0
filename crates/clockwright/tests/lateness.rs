//! What happens to the database of events never happens to the runs: while it is stopped, killed in the middle of batches, frozen,
//! read-only, full or slow to commit, every instant runs at its time, and afterwards the ledger has each of them once.
//! [`faults`] tells what befalls it, and for how long.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright::{Events, Job, Registry, Scheduler, SchedulerOptions};
use clockwright_events::{EventStore, Page, Query as _};
use clockwright_model::{Fire, Millis, Source};
use clockwright_planner::Schedule;
use clockwright_planner::ledger::unsettled;
use clockwright_testkit::sql::Kind::{MariaDb, Postgres};
use clockwright_testkit::sql::faults::Database::{Server, Sqlite};
use clockwright_testkit::sql::faults::{self, Database, Fault, Victim};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// With five items each: 500 events in each second, of starts, ends, outcomes and states.
const JOBS: usize = 28;
const ITEMS: u32 = 5;
const EACH_SECOND: &str = "* * * * * ?";

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

/// Whether events wait, on disk for a server or in memory for a file: of each item there is an outcome in each second.
async fn are_held_up(events: &Events) -> bool {
    match events {
        Events::Database { folder, .. } => {
            let mut files = std::fs::read_dir(folder.join("spool")).unwrap().map(Result::unwrap);
            files.any(|file| file.path().extension().is_some_and(|ending| ending == "events"))
        }
        Events::Folder(folder) => {
            let store = EventStore::open_read_only(folder.join("events.db")).await.unwrap();
            let lately =
                store.ledger(None, "job-0", Some(0), now() - 2_000, now(), &Page::first(1)).await.unwrap();
            store.close().await;
            lately.rows.is_empty()
        }
        _ => unreachable!(),
    }
}

#[allow(clippy::print_stderr, reason = "how late runs were is for whoever reads the test's output")]
async fn through(database: Database, fault: Fault) {
    let Some(victim) = Victim::make(database, fault).await.unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let events = match victim.folder().map(Path::to_owned) {
        Some(folder) => Events::Folder(folder),
        None => Events::Database { address: victim.address().to_owned(), folder: folder.path().into() },
    };
    let options = SchedulerOptions::default().events(events.clone());
    let registry = Registry::in_memory("jobs").unwrap();
    let begun = Arc::default();
    let scheduler = Scheduler::start_with(&registry, jobs(&begun), options.clone()).await.unwrap();
    // All items run each second from some second on, and what they say is stored.
    let deadline = now() + 60_000;
    let start = loop {
        let last = begun.lock().unwrap().last().map(|(at, ..)| *at);
        if let Some(last) = last
            && begun.lock().unwrap().iter().filter(|(at, ..)| *at == last).count() == JOBS * ITEMS as usize
            && !are_held_up(&events).await
        {
            break last;
        }
        assert!(now() < deadline, "not all items run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    tokio::time::sleep(faults::duration()).await;
    let hurt_from = now();
    victim.suffer(async || are_held_up(&events).await).await.unwrap();
    let hurt_to = now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    scheduler.shutdown().await;

    let begun = begun.lock().unwrap().clone();
    let (well, _) = median(&begun, start, hurt_from);
    let (hurt, count) = median(&begun, hurt_from, hurt_to);
    eprintln!(
        "{database:?}, {fault:?} for {} ms: median lateness of {count} runs {hurt} ms, {well} ms before",
        hurt_to - hurt_from
    );
    assert!(count >= JOBS * ITEMS as usize, "{count} runs while the database was hurt");
    // Not one of them was so late that it counts as misfired, and they were no later than before. The room is for a machine
    // that starts a database at the same time.
    let misfired = begun.iter().filter(|(at, _, source)| *at >= start && *source != Source::Schedule).count();
    assert_eq!(misfired, 0, "runs that were late");
    assert!(hurt <= 2 * well + 200, "median lateness {hurt} ms, {well} ms before");

    // What waited on disk is stored by whoever uses the folder next.
    let next = Scheduler::start_with(&registry, Vec::new(), options).await.unwrap();
    let store = EventStore::connect_read_only(victim.address()).await.unwrap();
    let end = begun.iter().map(|(at, ..)| *at).max().unwrap();
    let schedule = Schedule::parse(EACH_SECOND, None).unwrap();
    let deadline = now() + 60_000;
    for job in (0..JOBS).map(|n| format!("job-{n}")) {
        for item in 0..ITEMS {
            loop {
                let page = Page::first(1000);
                let rows = store.ledger(None, &job, Some(item), start, end, &page).await.unwrap().rows;
                let times: Vec<_> =
                    rows.iter().map(|row| (row.range_from.unwrap_or(row.fire_time), row.fire_time)).collect();
                if unsettled(&schedule, start, end, times.clone()).is_empty() {
                    assert!(
                        rows.iter().all(|row| row.outcome.as_str() == "succeeded"),
                        "{job}/{item}: {rows:?}"
                    );
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

clockwright_testkit::tests! {
    runs_keep_their_times_while_postgres_is_stopped: through(Server(Postgres), Fault::Stopped),
    runs_keep_their_times_while_mariadb_is_stopped: through(Server(MariaDb), Fault::Stopped),
    runs_keep_their_times_while_postgres_is_killed_in_mid_batch: through(Server(Postgres), Fault::Killed),
    runs_keep_their_times_while_mariadb_is_killed_in_mid_batch: through(Server(MariaDb), Fault::Killed),
    runs_keep_their_times_while_postgres_is_frozen: through(Server(Postgres), Fault::Frozen),
    runs_keep_their_times_while_mariadb_is_frozen: through(Server(MariaDb), Fault::Frozen),
    runs_keep_their_times_while_postgres_is_read_only: through(Server(Postgres), Fault::ReadOnly),
    runs_keep_their_times_while_mariadb_is_read_only: through(Server(MariaDb), Fault::ReadOnly),
    runs_keep_their_times_while_the_disk_of_postgres_is_full: through(Server(Postgres), Fault::DiskFull),
    runs_keep_their_times_while_the_disk_of_mariadb_is_full: through(Server(MariaDb), Fault::DiskFull),
    runs_keep_their_times_while_the_disk_of_sqlite_is_full: through(Sqlite, Fault::DiskFull),
    runs_keep_their_times_while_postgres_takes_five_seconds_a_commit: through(Server(Postgres), Fault::SlowToCommit),
    runs_keep_their_times_while_mariadb_takes_five_seconds_a_commit: through(Server(MariaDb), Fault::SlowToCommit),
    runs_keep_their_times_while_sqlite_takes_five_seconds_a_commit: through(Sqlite, Fault::SlowToCommit),
}
