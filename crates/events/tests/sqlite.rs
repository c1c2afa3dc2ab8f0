//! The SQLite store: the suite of all stores, in memory and in a file, and what only a file can show.
#![allow(clippy::unwrap_used, reason = "tests")]

mod suite;

use clockwright_events::{Query, RunFilter, Sink, SqliteStore, Store, StoreError};
use clockwright_model::{Event, Settlement};
use sqlx::{Connection, Row, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use suite::{put, runs, settled, started};
use tempfile::TempDir;

mod in_memory {
    use super::*;

    async fn open() -> (Arc<SqliteStore>, ()) {
        (SqliteStore::in_memory().await.unwrap(), ())
    }

    crate::store_suite!(open);
}

mod in_a_file {
    use super::*;

    async fn open() -> (Arc<SqliteStore>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(folder.path().join("events.db")).await.unwrap(), folder)
    }

    crate::store_suite!(open);
}

/// The error, for a value that has no `Debug`.
fn refusal(result: Result<Arc<SqliteStore>, StoreError>) -> StoreError {
    result.err().expect("the store must not open")
}

async fn raw(path: &Path, sql: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

#[tokio::test]
async fn elastic_jobs_tables_have_its_names_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let columns =
        async |sql| raw(&path, sql).await.iter().map(|row| row.get("name")).collect::<Vec<String>>();
    assert_eq!(
        columns("SELECT name FROM pragma_table_info('JOB_EXECUTION_LOG')").await.join(" "),
        "id job_name task_id hostname ip sharding_item execution_source failure_cause is_success start_time complete_time"
    );
    assert_eq!(
        columns("SELECT name FROM pragma_table_info('JOB_STATUS_TRACE_LOG')").await.join(" "),
        "id job_name original_task_id task_id slave_id source execution_type sharding_item state message creation_time"
    );
    let index = columns("SELECT name FROM pragma_index_info('TASK_ID_STATE_INDEX')").await;
    assert_eq!(index, ["task_id", "state"]);
    assert_eq!(raw(&path, "PRAGMA journal_mode").await[0].get::<String, _>(0), "wal");
}

#[tokio::test]
async fn the_stored_form_is_what_plain_sql_expects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path).await.unwrap();
    put(&*store, [started(1)]).await;
    let row = &raw(&path, "SELECT start_time, complete_time, is_success FROM JOB_EXECUTION_LOG").await[0];
    assert_eq!(row.get::<String, _>(0), "2023-11-14 22:13:20.001");
    assert_eq!((row.get::<Option<String>, _>(1), row.get::<i64, _>(2)), (None, 0));
}

#[tokio::test]
async fn a_restart_keeps_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path).await.unwrap();
    put(&*store, [settled("j", 0, 1), settled("j", 1, 1)]).await;
    let before = runs(&*store, RunFilter::default()).await;
    // Once closed in order, once just dropped.
    store.close().await;
    drop(store);
    for _ in 0..2 {
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(runs(&*store, RunFilter::default()).await, before);
        put(&*store, [settled("j", 0, 1)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_whole_batches_while_another_store_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let writer = SqliteStore::open(&path).await.unwrap();
    let writing = tokio::spawn(async move {
        for batch in 0..40 {
            let rows: Vec<Event> = (0..20).map(|item| Event::Settlement(settled("j", item, batch))).collect();
            writer.store(&rows).await.unwrap();
        }
    });
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    let mut seen = 0;
    while seen < 800 {
        let rows = runs(&*reader, RunFilter { jobs: vec!["j".into()], ..RunFilter::default() }).await.len();
        assert!(rows % 20 == 0 && rows >= seen, "{seen} then {rows}");
        seen = rows;
    }
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_open_and_write_one_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let writers: Vec<_> = (0..2)
        .map(|n| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = SqliteStore::open(&path).await.unwrap();
                for batch in 0..30 {
                    let own = (0..10).map(|item| settled(&format!("j{n}"), item, batch));
                    // Both also record the same fires, as two instances may after a crash.
                    let shared = (0..10).map(|item| settled("both", item, batch));
                    let rows: Vec<Event> = own.chain(shared).map(Event::Settlement).collect();
                    store.store(&rows).await.unwrap();
                }
                assert_eq!(store.conflicts(), 0);
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let store = SqliteStore::open_read_only(&path).await.unwrap();
    for job in ["j0", "j1", "both"] {
        let rows = runs(&*store, RunFilter { jobs: vec![job.into()], ..RunFilter::default() }).await;
        assert_eq!(rows.len(), 300, "{job}");
    }
}

#[tokio::test]
async fn a_read_only_store_writes_nothing() {
    let (store, _folder) = suite::reader_of_one().await;
    let error = store.store(&[Event::Settlement(settled("j", 1, 1))]).await.unwrap_err();
    assert!(error.to_string().contains("open for reading only"), "{error}");
    assert_eq!(runs(&*store, RunFilter::default()).await.len(), 1);
}

#[tokio::test]
async fn a_missing_file_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.db");
    let error = refusal(SqliteStore::open_read_only(&path).await);
    assert!(matches!(&error, StoreError::Missing(_)) && error.to_string().contains("no.db"), "{error}");
    assert!(!path.exists());
    let error = refusal(SqliteStore::open(folder.path().join("gone/events.db")).await);
    assert!(error.to_string().contains("there is no folder"), "{error}");
    let error = refusal(SqliteStore::open(folder.path()).await);
    assert!(matches!(&error, StoreError::Open { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be looked at. ".repeat(100)).unwrap();
    let other = folder.path().join("other.db");
    raw(&other, "CREATE TABLE theirs (x)").await;
    for path in [&text, &other] {
        let before = std::fs::read(path).unwrap();
        for error in
            [refusal(SqliteStore::open(path).await), refusal(SqliteStore::open_read_only(path).await)]
        {
            assert!(matches!(&error, StoreError::Foreign(_)), "{error:?}");
        }
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    raw(&path, "PRAGMA user_version = 99").await;
    for error in [refusal(SqliteStore::open(&path).await), refusal(SqliteStore::open_read_only(&path).await)]
    {
        assert!(matches!(&error, StoreError::Newer { found: 99, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["file:x.db", "a b?mode=memory&x=%41#.db", "日报.db"] {
        let path = folder.path().join(name);
        put(&*SqliteStore::open(&path).await.unwrap(), [settled("j", 0, 1)]).await;
        assert!(path.exists(), "{name}");
        let store = SqliteStore::open_read_only(&path).await.unwrap();
        assert_eq!(runs(&*store, RunFilter::default()).await.len(), 1);
    }
}

#[tokio::test]
async fn rows_become_json_for_the_command_line() {
    let store = SqliteStore::in_memory().await.unwrap();
    put(&*store, [Settlement { start: None, ..settled("j", 0, 1) }, settled("j", 1, 2)]).await;
    let page = store.runs(&RunFilter::default(), &clockwright_events::Page::first(1)).await.unwrap();
    let json = serde_json::to_value(&page).unwrap();
    assert_eq!(json["rows"][0]["outcome"], "succeeded");
    assert_eq!(json["next"], "2~j/1/2");
}

#[tokio::test]
async fn a_refused_batch_leaves_a_store_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path).await.unwrap();
    // ROLLBACK ends the transaction on SQLite's side alone, as a full disk does.
    raw(
        &path,
        "CREATE TRIGGER full BEFORE INSERT ON CLOCKWRIGHT_RUN BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    )
    .await;
    for _ in 0..3 {
        let error = store.store(&[Event::Settlement(settled("j", 0, 1))]).await.unwrap_err().to_string();
        assert!(error.contains("full") && !error.contains("transaction"), "{error}");
    }
    raw(&path, "DROP TRIGGER full").await;
    put(&*store, [settled("j", 0, 1)]).await;
    assert_eq!(runs(&*store, RunFilter::default()).await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_was_refused_or_given_up_keeps_nobody_else_from_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path).await.unwrap();
    raw(&path, "CREATE TRIGGER no BEFORE INSERT ON CLOCKWRIGHT_RUN BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    store.store(&[Event::Settlement(settled("j", 0, 1))]).await.unwrap_err();
    raw(&path, "DROP TRIGGER no").await;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let batch = [Event::Settlement(settled("j", 0, 2))];
    let given_up = tokio::time::timeout(Duration::from_millis(100), store.store(&batch)).await;
    assert!(given_up.is_err(), "it waits for the other one");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    raw(&path, "CREATE TABLE theirs (x)").await;
    assert_eq!(runs(&*store, RunFilter::default()).await.len(), 0);
    put(&*store, [settled("j", 0, 1)]).await;
    assert_eq!(runs(&*store, RunFilter::default()).await.len(), 1);
}
