//! A store that the version before namespaces made, with rows in it, is brought up to date and answers for them.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

use clockwright_events::{EventStore, Page, Query, RunFilter, Sink, Store, Width, testing};
use clockwright_model::{Event, Fire, Outcome, OutcomeKind, Reason, Settlement};
use clockwright_testkit::sql::{Kind, shared};
use sqlx::{AssertSqlSafe, Connection, Executor, raw_sql};

const T: i64 = 1_700_000_000_000;

/// What that version had stored: two items, one of them with a success and then a failure.
const ROWS: &str = "
    INSERT INTO CLOCKWRIGHT_RUN (run_key, job_name, sharding_item, fire, fire_time, range_count, outcome, failure_kind, reason, attempt, run_id,
        token, source, instance, start_ms, decided_ms, batch) VALUES
        ('j/0/1700000000000', 'j', 0, '1700000000000', 1700000000000, 1, 'succeeded', NULL, '', 1, NULL, 5, 'schedule', 'i', 1700000000001,
         1700000000002, 7),
        ('j/0/1700000001000', 'j', 0, '1700000001000', 1700000001000, 1, 'failed', 'job', 'exit code 3', 1, NULL, 6, 'schedule', 'i',
         1700000001001, 1700000001002, 7),
        ('j/1/1700000000000', 'j', 1, '1700000000000', 1700000000000, 1, 'skipped', NULL, 'the job was paused', 0, NULL, 0, 'schedule', 'i',
         NULL, 1700000000002, 7);
    INSERT INTO CLOCKWRIGHT_STATISTICS (job_name, width, at_ms, succeeded, failed, skipped, coalesced, missed, cancelled) VALUES
        ('', 'day', 1699920000000, 1, 1, 1, 0, 0, 0), ('j', 'day', 1699920000000, 1, 1, 1, 0, 0, 0);";

const VERSION: &str = "CREATE TABLE CLOCKWRIGHT_SCHEMA (version BIGINT NOT NULL);
    INSERT INTO CLOCKWRIGHT_SCHEMA (version) VALUES (3);";

async fn is_brought_up_to_date(address: &str) {
    let store = EventStore::connect(address).await.unwrap();
    let rows = store.runs(&RunFilter::default(), &Page::first(10)).await.unwrap().rows;
    let said: Vec<_> = rows.iter().map(|row| (row.item, row.outcome, row.reason.as_str())).collect();
    use OutcomeKind::{Failed, Skipped, Succeeded};
    assert_eq!(said, [(0, Failed, "exit code 3"), (1, Skipped, "the job was paused"), (0, Succeeded, "")]);
    assert_eq!(rows[0].why(), Reason::Other { text: "exit code 3".into() });
    assert!(rows.iter().all(|row| row.namespace.is_empty() && row.claimed.is_none()));
    let states: Vec<_> = store.states(0, 10).await.unwrap();
    let mut states: Vec<_> =
        states.into_iter().map(|row| (row.item, row.outcome, row.streak, row.good)).collect();
    states.sort_unstable_by_key(|state| state.0);
    assert_eq!(states, [(0, Failed, 1, Some(T + 2)), (1, Skipped, 0, None)]);
    assert_eq!(store.greatest_token("n").await.unwrap(), 6);
    // What is recorded now has a namespace, and what an old spool brings has none and is known.
    let again = |namespace: &str, fire: i64| Settlement {
        namespace: namespace.into(),
        fire: Fire::Scheduled(fire),
        run_id: None,
        token: 5,
        at: T + 2,
        ..testing::settlement(0)
    };
    let later = Settlement { outcome: Outcome::Succeeded, ..again("n", T + 2_000) };
    let batch = [Event::Settlement(again("", T)), Event::Settlement(later)];
    for _ in 0..2 {
        store.store(&batch).await.unwrap();
        store.fold().await.unwrap();
    }
    assert_eq!(store.conflicts(), 0);
    let found = store
        .runs(&RunFilter { namespaces: vec!["n".into()], ..RunFilter::default() }, &Page::first(10))
        .await;
    assert_eq!(found.unwrap().rows.len(), 4);
    let days = store.statistics(None, Some("j"), Width::Day, 0, i64::MAX).await.unwrap();
    assert_eq!(days.iter().map(|day| (day.succeeded, day.failed)).collect::<Vec<_>>(), [(2, 1)]);
    store.close().await;
}

#[tokio::test]
async fn a_file_of_the_version_before_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", folder.path().join("events.db").display());
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("events.db"))
        .create_if_missing(true);
    let mut old = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for step in [
        include_str!("../src/store/migrations/sqlite/0001_events.sql"),
        include_str!("../src/store/migrations/sqlite/0002_statistics.sql"),
        include_str!("../src/store/migrations/sqlite/0003_failures.sql"),
        include_str!("../src/store/migrations/sqlite/0004_logs_and_searches.sql"),
        ROWS,
        "PRAGMA user_version = 4",
    ] {
        old.execute(raw_sql(step)).await.unwrap();
    }
    old.close().await.unwrap();
    is_brought_up_to_date(&address).await;
}

#[tokio::test]
async fn tables_of_the_version_before_on_postgres_are_brought_up_to_date() {
    let address = shared(Kind::Postgres).database().await.unwrap();
    let mut old = sqlx::PgConnection::connect(&address).await.unwrap();
    for step in [
        include_str!("../src/store/migrations/postgres/0001_events.sql"),
        include_str!("../src/store/migrations/postgres/0002_failures.sql"),
        include_str!("../src/store/migrations/postgres/0003_logs_and_searches.sql"),
        ROWS,
        VERSION,
    ] {
        old.execute(raw_sql(step)).await.unwrap();
    }
    is_brought_up_to_date(&address).await;
}

#[tokio::test]
async fn tables_of_the_version_before_on_mariadb_are_brought_up_to_date_even_after_half_of_it() {
    for half in [false, true] {
        let address = shared(Kind::MariaDb).database().await.unwrap();
        let mut old = sqlx::MySqlConnection::connect(&address).await.unwrap();
        for step in [
            include_str!("../src/store/migrations/mysql/0001_events.sql"),
            include_str!("../src/store/migrations/mysql/0002_failures.sql"),
            include_str!("../src/store/migrations/mysql/0003_logs_and_searches.sql"),
            ROWS,
            VERSION,
        ] {
            old.execute(raw_sql(step)).await.unwrap();
        }
        if half {
            // The program died in the middle of the step.
            let step = include_str!("../src/store/migrations/mysql/0004_namespaces.sql");
            let statements: Vec<&str> = step.split(";\n").collect();
            for statement in &statements[..statements.len() * 2 / 3] {
                old.execute(raw_sql(AssertSqlSafe((*statement).to_owned()))).await.unwrap();
            }
        }
        is_brought_up_to_date(&address).await;
    }
}
