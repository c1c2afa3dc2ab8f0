//! Retention on every database: what is old or too much goes, in batches, while events arrive; counts stay.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

#[allow(dead_code, unused_macros, reason = "only its events are wanted here")]
mod suite;

use clockwright_events::{
    EventStore, ExecutionFilter, Loss, Page, Query, Retention, RunFilter, Sink, StoreError, Width, testing,
};
use clockwright_model::{Event, Execution, StatusTrace};
use clockwright_testkit::sql::{Kind, shared};
use sqlx::{Connection as _, Executor as _};
use std::sync::Arc;
use std::time::Duration;
use suite::{id, job, runs, settled, started};

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_700_000_000_000;

async fn sqlite() -> Arc<EventStore> {
    EventStore::in_memory().await.unwrap()
}

async fn server(kind: Kind) -> Arc<EventStore> {
    EventStore::connect(&shared(kind).database().await.unwrap()).await.unwrap()
}

fn keep() -> Retention {
    Retention { batch_rows: 7, pause: Duration::ZERO, ..Retention::default() }
}

fn history(name: &str, at: i64, n: u64) -> [Event; 3] {
    let number = (at - NOW + 1000 * DAY) as u64 * 10 + n;
    [
        Event::Execution(Execution { job: job(name), start: at, ..started(number) }),
        Event::Status(StatusTrace {
            id: id(number),
            job: job(name),
            task_id: format!("{name} {number}").into(),
            at,
            ..testing::status(0)
        }),
        Event::Settlement(settled(name, n as u32, at)),
    ]
}

async fn count(store: &EventStore) -> (usize, usize) {
    let executions = store.executions(&ExecutionFilter::default(), &Page::first(1000)).await.unwrap();
    (runs(store, RunFilter::default()).await.len(), executions.rows.len())
}

async fn old_rows_go_and_the_others_stay(store: Arc<EventStore>) {
    for (name, age, rows) in
        [("j", 31, 30), ("j", 29, 20), ("short", 3, 10), ("short", 1, 5), ("long", 300, 4)]
    {
        for n in 0..rows {
            store.store(&history(name, NOW - age * DAY, n)).await.unwrap();
        }
    }
    let jobs = [
        ("short".to_owned(), Duration::from_secs(2 * 86_400)),
        ("long".to_owned(), Duration::from_secs(86_400 * 365)),
    ];
    let keep = Retention { jobs: jobs.into(), ..keep() };
    // Thirty of j and ten of short in three tables each, and the counts of three minutes and the two oldest hours.
    let deleted = store.prune(&keep, NOW).await.unwrap();
    assert_eq!(count(&store).await, (29, 29));
    assert!(deleted >= 120, "{deleted}");
    for (name, expected) in [("j", 20), ("short", 5), ("long", 4)] {
        let filter = RunFilter { jobs: vec![name.into()], ..RunFilter::default() };
        assert_eq!(runs(&*store, filter).await.len(), expected, "{name}");
    }
    assert_eq!(store.prune(&keep, NOW).await.unwrap(), 0, "a second sweep finds nothing");
    // The counts outlive the rows.
    let days = store.statistics(None, None, Width::Day, 0, NOW + DAY).await.unwrap();
    assert_eq!(days.iter().map(|row| row.succeeded).sum::<u64>(), 69);
    assert!(store.prune(&keep, NOW + 366 * DAY).await.unwrap() > 0);
    assert_eq!(count(&store).await, (0, 0));
}

async fn no_more_rows_stay_than_were_asked_for(store: Arc<EventStore>) {
    for n in 0..50 {
        store.store(&history("j", NOW - n as i64 * 1000, n)).await.unwrap();
    }
    let keep = Retention { rows: Some(20), ..keep() };
    store.prune(&keep, NOW).await.unwrap();
    assert_eq!(count(&store).await, (20, 20));
    let newest = runs(&*store, RunFilter::default()).await;
    assert_eq!((newest[0].fire_time, newest[19].fire_time), (NOW, NOW - 19_000));
    assert_eq!(store.prune(&keep, NOW).await.unwrap(), 0);
}

async fn events_arrive_while_others_go(store: Arc<EventStore>) {
    for n in 0..300 {
        store.store(&history("j", NOW - 40 * DAY, n)).await.unwrap();
    }
    let pruning = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.prune(&keep(), NOW).await.unwrap() })
    };
    for n in 0..100 {
        // A conflict of locks is a reason to try again, which the bus does.
        while store.store(&history("j", NOW, n)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    pruning.await.unwrap();
    assert_eq!(count(&store).await, (100, 100));
}

async fn losses_go_with_the_days(store: Arc<EventStore>) {
    let loss = |n, to| Loss {
        id: id(n),
        from: to,
        to,
        statuses: 1,
        executions: 0,
        settlements: 0,
        failures: 0,
        reason: String::new(),
    };
    store.record_loss(&loss(1, NOW - 4000 * DAY)).await.unwrap();
    store.record_loss(&loss(2, NOW)).await.unwrap();
    assert_eq!(store.prune(&keep(), NOW).await.unwrap(), 1);
    assert_eq!(store.losses(0, NOW + 1).await.unwrap().len(), 1);
}

macro_rules! everywhere {
    ($($name:ident)*) => {
        mod on_sqlite { $(#[tokio::test] async fn $name() { super::$name(super::sqlite().await).await; })* }
        mod on_postgres { $(#[tokio::test] async fn $name() {
            super::$name(super::server(super::Kind::Postgres).await).await;
        })* }
        mod on_mariadb { $(#[tokio::test] async fn $name() {
            super::$name(super::server(super::Kind::MariaDb).await).await;
        })* }
    };
}

everywhere! {
    old_rows_go_and_the_others_stay
    no_more_rows_stay_than_were_asked_for
    events_arrive_while_others_go
    losses_go_with_the_days
}

/// Each batch is found by an index: a table of ten million rows is not read for each thousand that go.
#[tokio::test]
async fn postgres_reads_no_more_than_goes() {
    let address = shared(Kind::Postgres).database().await.unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    let mut raw = sqlx::PgConnection::connect(&address).await.unwrap();
    let fill = "INSERT INTO JOB_EXECUTION_LOG SELECT 'id' || n, 'j', 't', 'h', 'i', 0, 'NORMAL_TRIGGER', NULL, TRUE, \
         TIMESTAMP '2023-01-01' + n * INTERVAL '1 second', NULL FROM generate_series(1, 20000) AS s(n)";
    raw.execute(fill).await.unwrap();
    raw.execute("ANALYZE JOB_EXECUTION_LOG").await.unwrap();
    let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'job_execution_log'";
    let before: i64 = sqlx::query_scalar(read).fetch_one(&mut raw).await.unwrap();
    let keep = Retention { batch_rows: 1_000, rows: Some(100), ..keep() };
    assert_eq!(store.prune(&keep, NOW).await.unwrap(), 20_000);
    // A server counts a connection's reads when it ends.
    store.close().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let deleted = "SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'job_execution_log'";
    while sqlx::query_scalar::<_, i64>(deleted).fetch_one(&mut raw).await.unwrap() < 20_000 {
        assert!(tokio::time::Instant::now() < deadline, "the server does not count");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after: i64 = sqlx::query_scalar(read).fetch_one(&mut raw).await.unwrap();
    assert_eq!(after, before, "rows that were read without an index");
}

#[tokio::test]
async fn a_reader_deletes_nothing() {
    let (reader, _folder) = suite::reader_of_one().await;
    assert_eq!(reader.prune(&keep(), NOW).await, Err(StoreError::ReadOnly));
}

#[tokio::test]
async fn a_store_is_pruned_until_it_is_dropped() {
    let store = sqlite().await;
    store.store(&history("j", NOW - 900 * DAY, 0)).await.unwrap();
    let pruning =
        tokio::spawn(EventStore::keep_pruned(Arc::downgrade(&store), keep(), Duration::from_secs(1)));
    while count(&store).await != (0, 0) {
        tokio::task::yield_now().await;
    }
    drop(store);
    pruning.await.unwrap();
}
