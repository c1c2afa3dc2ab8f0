//! PostgreSQL and MariaDB: the suite of all stores on real servers, and what only a server can show.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "postgres", feature = "mysql"))]

mod suite;

use clockwright_events::{
    Bus, BusOptions, EventStore, ExecutionFilter, ExecutionState, Page, Query, RunFilter, Sink, Store,
    StoreError, Width, testing,
};
use clockwright_model::{Event, Execution, FailureKind, Outcome, Settlement};
use clockwright_testkit::sql::{Kind, SqlServer, shared};
use sqlx::{Connection, Executor, Row};
use std::sync::Arc;
use std::time::Duration;
use suite::{put, runs, settled, started};

mod on_postgres {
    use super::*;

    async fn open() -> (Arc<EventStore>, ()) {
        let address = shared(Kind::Postgres).database().await.unwrap();
        (EventStore::connect(&address).await.unwrap(), ())
    }

    crate::store_suite!(open);
}

mod on_mariadb {
    use super::*;

    async fn open() -> (Arc<EventStore>, ()) {
        let address = shared(Kind::MariaDb).database().await.unwrap();
        (EventStore::connect(&address).await.unwrap(), ())
    }

    crate::store_suite!(open);
}

/// The error, for a value that has no `Debug`.
fn refusal(result: Result<Arc<EventStore>, StoreError>) -> StoreError {
    result.err().expect("the store must not open")
}

async fn mysql(address: &str) -> sqlx::MySqlConnection {
    sqlx::MySqlConnection::connect(address).await.unwrap()
}

/// What Elastic-Job 2.1.5 makes and writes, on MySQL.
const JAVA_2: &str = "
    CREATE TABLE `JOB_EXECUTION_LOG` (`id` VARCHAR(40) NOT NULL, `job_name` VARCHAR(100) NOT NULL,
        `task_id` VARCHAR(255) NOT NULL, `hostname` VARCHAR(255) NOT NULL, `ip` VARCHAR(50) NOT NULL,
        `sharding_item` INT NOT NULL, `execution_source` VARCHAR(20) NOT NULL, `failure_cause` VARCHAR(4000) NULL,
        `is_success` INT NOT NULL, `start_time` TIMESTAMP NULL, `complete_time` TIMESTAMP NULL, PRIMARY KEY (`id`))
        CHARACTER SET latin1;
    CREATE TABLE `JOB_STATUS_TRACE_LOG` (`id` VARCHAR(40) NOT NULL, `job_name` VARCHAR(100) NOT NULL,
        `original_task_id` VARCHAR(255) NOT NULL, `task_id` VARCHAR(255) NOT NULL, `slave_id` VARCHAR(50) NOT NULL,
        `source` VARCHAR(50) NOT NULL, `execution_type` VARCHAR(20) NOT NULL, `sharding_item` VARCHAR(100) NOT NULL,
        `state` VARCHAR(20) NOT NULL, `message` VARCHAR(4000) NULL, `creation_time` TIMESTAMP NULL, PRIMARY KEY (`id`))
        CHARACTER SET latin1;
    CREATE INDEX `TASK_ID_STATE_INDEX` ON `JOB_STATUS_TRACE_LOG` (`task_id`, `state`);
    INSERT INTO `JOB_STATUS_TRACE_LOG` VALUES ('x', 'j', '', 't', '10.0.0.9', 'LITE_EXECUTOR', 'READY', '[0, 1]',
        'TASK_STAGING', 'Job ''j'' execute begin.', '2023-11-14 22:13:20');
    INSERT INTO `JOB_EXECUTION_LOG` (`id`, `job_name`, `task_id`, `hostname`, `ip`, `sharding_item`, `execution_source`,
        `is_success`, `start_time`) VALUES ('java-run', 'j', 't', 'h', '10.0.0.9', 1, 'NORMAL_TRIGGER', 0, '2023-11-14 22:13:20');";

#[tokio::test]
async fn tables_that_elastic_job_2_made_are_shared_with_it() {
    let address = shared(Kind::MariaDb).database().await.unwrap();
    let mut java = mysql(&address).await;
    java.execute("SET time_zone = '+00:00'").await.unwrap();
    java.execute(sqlx::raw_sql(JAVA_2)).await.unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    let failed = Execution {
        complete: Some(1_700_000_001_999),
        failure_cause: Some("日 😀 broke".into()),
        ..started(1)
    };
    put(&*store, [started(1), failed, started(2)]).await;
    let trace = |n| clockwright_model::StatusTrace {
        id: suite::id(n),
        task_id: "t".into(),
        items: vec![0, 1],
        message: "日".into(),
        at: 1_700_000_000_900,
        ..testing::status(0)
    };
    for _ in 0..2 {
        put(&*store, [trace(1), trace(2)]).await;
    }
    // Java's end of its run, as it writes it.
    java.execute("UPDATE `JOB_EXECUTION_LOG` SET `is_success` = 1, `complete_time` = '2023-11-14 22:13:25' WHERE `id` = 'java-run'")
        .await
        .unwrap();
    let page = store.executions(&ExecutionFilter::default(), &Page::first(10)).await.unwrap();
    let found: Vec<_> = page.rows.iter().map(|row| (row.success, row.complete)).collect();
    // All three began in the same second, which is all that these columns hold: the order is that of the ids.
    assert_eq!(found, [(true, Some(1_700_000_005_000)), (false, None), (false, Some(1_700_000_001_000))]);
    assert_eq!(page.rows[0].id, "java-run");
    // A character that the table cannot hold is no reason to lose the event or to stop.
    assert_eq!(page.rows[2].failure_cause.as_deref(), Some("? ? broke"));
    let states: Vec<_> =
        store.trace("t").await.unwrap().into_iter().map(|row| (row.state, row.slave_id)).collect();
    assert_eq!(states.len(), 3);
    assert_eq!(states[0], ("TASK_STAGING".into(), "10.0.0.9".into()));
    // And plain SQL sees ours where it looks for Java's.
    let sql =
        "SELECT COUNT(*) FROM JOB_EXECUTION_LOG WHERE start_time = '2023-11-14 22:13:20' AND is_success = 0";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut java).await.unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn tables_that_elastic_job_3_made_are_shared_with_it() {
    let address = shared(Kind::MariaDb).database().await.unwrap();
    let mut java = mysql(&address).await;
    // 3.0.5's: a number for the key, and no column for the source.
    java.execute(sqlx::raw_sql(
        "CREATE TABLE JOB_EXECUTION_LOG (auto_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, id VARCHAR(40) NOT NULL,
            job_name VARCHAR(100) NOT NULL, task_id VARCHAR(255) NOT NULL, hostname VARCHAR(255) NOT NULL,
            ip VARCHAR(50) NOT NULL, sharding_item INT NOT NULL, execution_source VARCHAR(20) NOT NULL,
            failure_cause VARCHAR(4000) NULL, is_success INT NOT NULL, start_time TIMESTAMP NULL,
            complete_time TIMESTAMP NULL, UNIQUE KEY (id));
         CREATE TABLE JOB_STATUS_TRACE_LOG (auto_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, id VARCHAR(40) NOT NULL,
            job_name VARCHAR(100) NOT NULL, original_task_id VARCHAR(255) NOT NULL, task_id VARCHAR(255) NOT NULL,
            slave_id VARCHAR(50) NOT NULL, execution_type VARCHAR(20) NOT NULL, sharding_item VARCHAR(100) NOT NULL,
            state VARCHAR(20) NOT NULL, message VARCHAR(4000) NULL, creation_time TIMESTAMP NULL);
         CREATE INDEX TASK_ID_STATE_INDEX ON JOB_STATUS_TRACE_LOG (task_id(128), state);",
    ))
    .await
    .unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    suite::storing_a_batch_again_changes_nothing(store).await;
}

/// Rows as Elastic-Job's listener leaves them, through the driver of either database.
const JAVA_ROWS: &str = "
    INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, is_success,
        start_time) VALUES ('6ec5f9f6-0000-4000-8000-000000000001', 'j', 'j@-@0,1@-@READY@-@10.0.0.9@-@24167', 'h',
        '10.0.0.9', 0, 'NORMAL_TRIGGER', FALSE, '2023-11-14 22:13:20');
    INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, is_success,
        start_time, complete_time) VALUES ('6ec5f9f6-0000-4000-8000-000000000002', 'j',
        'j@-@0,1@-@READY@-@10.0.0.9@-@24167', 'h', '10.0.0.9', 1, 'MISFIRE', TRUE, '2023-11-14 22:13:21',
        '2023-11-14 22:13:22');
    INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, failure_cause,
        is_success, start_time) VALUES ('6ec5f9f6-0000-4000-8000-000000000003', 'j',
        'j@-@@-@READY@-@10.0.0.9@-@24167', 'h', '10.0.0.9', 1, 'NORMAL_TRIGGER',
        'java.lang.IllegalStateException: no', FALSE, '2023-11-14 22:13:23');
    INSERT INTO JOB_STATUS_TRACE_LOG (id, job_name, original_task_id, task_id, slave_id, source, execution_type,
        sharding_item, state, message, creation_time) VALUES
        ('z', 'j', '', 'j@-@0,1@-@READY@-@10.0.0.9@-@24167', '10.0.0.9', 'LITE_EXECUTOR', 'READY', '[0, 1]',
         'TASK_STAGING', 'Job ''j'' execute begin.', '2023-11-14 22:13:20'),
        ('a', 'j', '', 'j@-@0,1@-@READY@-@10.0.0.9@-@24167', '10.0.0.9', 'LITE_EXECUTOR', 'READY', '[0, 1]',
         'TASK_ERROR', '{1=java.lang.IllegalStateException: no}', '2023-11-14 22:13:20'),
        ('b', 'j', '', 'j@-@@-@READY@-@10.0.0.9@-@24167', '10.0.0.9', 'LITE_EXECUTOR', 'READY', '[]',
         'TASK_FINISHED', NULL, NULL);";

#[tokio::test]
async fn rows_that_java_wrote_read_back() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let address = shared(kind).database().await.unwrap();
        let store = EventStore::connect(&address).await.unwrap();
        match kind {
            Kind::Postgres => {
                let mut java = sqlx::PgConnection::connect(&address).await.unwrap();
                java.execute(sqlx::raw_sql(JAVA_ROWS)).await.unwrap();
            }
            Kind::MariaDb => {
                let mut java = mysql(&address).await;
                java.execute("SET time_zone = '+00:00'").await.unwrap();
                java.execute(sqlx::raw_sql(JAVA_ROWS)).await.unwrap();
            }
        }
        // A run of our own beside them.
        put(&*store, [started(7_000)]).await;
        let ends = async |filter: ExecutionFilter| -> Vec<u8> {
            let mut ends = Vec::new();
            let mut page = Page::first(1);
            loop {
                let answer = store.executions(&filter, &page).await.unwrap();
                ends.extend(answer.rows.iter().map(|row| *row.id.as_bytes().last().unwrap() - b'0'));
                let Some(next) = answer.next else { return ends };
                page = Page::after(1, next);
            }
        };
        let none = ExecutionFilter::default;
        let java = || ExecutionFilter { instance: Some("10.0.0.9@-@24167".into()), ..none() };
        assert_eq!(ends(none()).await.len(), 4);
        assert_eq!(ends(java()).await, [3, 2, 1]);
        for (state, expected) in
            [(ExecutionState::Running, 1), (ExecutionState::Succeeded, 2), (ExecutionState::Failed, 3)]
        {
            assert_eq!(ends(ExecutionFilter { state: Some(state), ..java() }).await, [expected], "{state:?}");
        }
        assert_eq!(ends(ExecutionFilter { text: Some("illegalstate".into()), ..none() }).await, [3]);
        let id = clockwright_model::RunId::parse("6ec5f9f6-0000-4000-8000-000000000003").unwrap();
        let failed = store.execution(id).await.unwrap().unwrap();
        assert_eq!((failed.success, failed.start, failed.complete), (false, Some(1_700_000_003_000), None));
        let trace = store.trace("j@-@0,1@-@READY@-@10.0.0.9@-@24167").await.unwrap();
        let states: Vec<_> = trace.iter().map(|row| row.state.as_str()).collect();
        assert_eq!(states, ["TASK_STAGING", "TASK_ERROR"], "in the order of a firing, whatever their ids");
        assert_eq!(trace[0].items, "[0, 1]");
        let empty = &store.trace("j@-@@-@READY@-@10.0.0.9@-@24167").await.unwrap()[0];
        assert_eq!((empty.items.as_str(), empty.message.as_str(), empty.at), ("[]", "", None));
    }
}

#[tokio::test]
async fn a_table_of_another_form_is_named() {
    let address = shared(Kind::Postgres).database().await.unwrap();
    let mut other = sqlx::PgConnection::connect(&address).await.unwrap();
    let table = include_str!("../src/store/migrations/postgres/0001_events.sql").replace("BOOLEAN", "INT");
    other.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(table))).await.unwrap();
    let error = refusal(EventStore::connect(&address).await).to_string();
    assert!(error.contains("is_success") && error.contains("BOOLEAN"), "{error}");
}

#[tokio::test]
async fn no_error_shows_a_password() {
    let (postgres, mariadb) = (shared(Kind::Postgres), shared(Kind::MariaDb));
    let (pg, my) = (postgres.database().await.unwrap(), mariadb.database().await.unwrap());
    for (address, expected) in [
        (pg.replace("s3cret-pa55", "hunter2"), "password authentication failed"),
        (my.replace("s3cret-pa55", "hunter2"), "Access denied"),
        (format!("{}x", pg.replace("s3cret-pa55", "hunter2")), "failed"),
        ("postgres://u:hunter2@127.0.0.1:1/db".into(), "postgres://u@127.0.0.1:1/db"),
        ("mysql://u:hunter2@127.0.0.1:1/db".into(), "mysql://u@127.0.0.1:1/db"),
        ("mysql://u:hunter2@127.0.0.1:1".into(), "name of the database"),
        ("postgres://u:hunter2@127.0.0.1:port/db".into(), "cannot read the address"),
        ("mysql://u:hunter2@127.0.0.1:99999/db".into(), "cannot read the address"),
        ("oracle://u:hunter2@h/db".into(), "`oracle:` is no store"),
        ("hunter2".into(), "begins with the kind"),
        ("u@hunter2:x".into(), "begins with the kind"),
        ("sqlite:".into(), "names no file"),
    ] {
        for error in [
            refusal(EventStore::connect(&address).await),
            refusal(EventStore::connect_read_only(&address).await),
        ] {
            let text = format!("{error} {error:?}");
            assert!(text.contains(expected) && !text.contains("hunter2"), "{address}: {text}");
        }
    }
}

#[tokio::test]
async fn a_reader_makes_no_tables_and_a_newer_store_is_refused() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let address = shared(kind).database().await.unwrap();
        assert!(matches!(refusal(EventStore::connect_read_only(&address).await), StoreError::Missing(_)));
        let store = EventStore::connect(&address).await.unwrap();
        put(&*store, [settled("j", 0, 1)]).await;
        let reader = EventStore::connect_read_only(&address).await.unwrap();
        let identity = store.identity().await.unwrap();
        assert_eq!((reader.identity().await.unwrap(), identity.len()), (identity, 32));
        assert_eq!(runs(&*reader, RunFilter::default()).await.len(), 1);
        let error = reader.store(&[Event::Settlement(settled("j", 1, 1))]).await.unwrap_err();
        assert!(error.to_string().contains("open for reading only"), "{error}");
        let set_version = async |version: &'static str| match kind {
            Kind::Postgres => {
                sqlx::PgConnection::connect(&address)
                    .await
                    .unwrap()
                    .execute(version)
                    .await
                    .map(drop)
                    .unwrap();
            }
            Kind::MariaDb => mysql(&address).await.execute(version).await.map(drop).unwrap(),
        };
        // One that an earlier program made waits for a writer, which migrates it: the steps can be taken again.
        set_version("UPDATE CLOCKWRIGHT_SCHEMA SET version = 1").await;
        let error = refusal(EventStore::connect_read_only(&address).await).to_string();
        assert!(error.contains("has version 1 and is migrated when"), "{error}");
        EventStore::connect(&address).await.unwrap();
        EventStore::connect_read_only(&address).await.unwrap();
        set_version("UPDATE CLOCKWRIGHT_SCHEMA SET version = 99, min_version = 99").await;
        for error in [
            refusal(EventStore::connect(&address).await),
            refusal(EventStore::connect_read_only(&address).await),
        ] {
            assert!(matches!(&error, StoreError::Newer { found: 99, .. }), "{error:?}");
        }
    }
}

/// What SQLite says, which looks at everything in order.
#[tokio::test]
async fn postgres_finds_a_text_frequent_or_rare_wherever_in_history_it_is() {
    let address = shared(Kind::Postgres).database().await.unwrap();
    let (store, oracle) =
        (EventStore::connect(&address).await.unwrap(), EventStore::in_memory().await.unwrap());
    // More reasons than are looked at in order, and more with one text than are sorted.
    let reason = |n: i64| match n {
        n if n % 1_000 == 1 => format!("No Space left, 100% of a_b\\c, {n}"),
        n if n < 200 => "ÄRGER with the ledger".to_owned(),
        n if n < 6_000 => format!("exit code {n}"),
        n => format!("timeout {}", n % 7),
    };
    let failed = |n: i64| {
        let outcome = Outcome::Failed { kind: FailureKind::Job, reason: reason(n).into() };
        Event::Settlement(Settlement { outcome, ..settled(&format!("j{}", n % 3), 0, n) })
    };
    for batch in (0..12_000).map(failed).collect::<Vec<_>>().chunks(2_000) {
        store.store(batch).await.unwrap();
        oracle.store(batch).await.unwrap();
    }
    let texts = [
        "no space LEFT",
        "100% of a_b\\c",
        "100_",
        "a%c",
        "exit code",
        "exit code 77",
        "timeout",
        "timeout 3",
        "ledger",
        "nowhere at all",
        ", 1",
        "\\c,",
        "e",
        "%%%",
        "'; DROP TABLE CLOCKWRIGHT_RUN; --",
    ];
    for text in texts {
        for (jobs, to) in [(vec![], None), (vec![], Some(3_000)), (vec!["j1".to_owned()], None)] {
            let filter = RunFilter { text: Some(text.to_owned()), jobs, to, ..RunFilter::default() };
            let mut page = Page::first(70);
            for _ in 0..8 {
                let found = store.runs(&filter, &page).await.unwrap();
                assert_eq!(found, oracle.runs(&filter, &page).await.unwrap(), "{filter:?} {page:?}");
                let Some(next) = found.next else { break };
                page = Page::after(70, next);
            }
        }
    }
}

#[tokio::test]
async fn postgres_without_its_extension_for_texts_finds_them_all_the_same() {
    let server = shared(Kind::Postgres);
    let address = server.database().await.unwrap();
    let name = address.rsplit('/').next().unwrap();
    server.admin(&format!("REVOKE CREATE ON DATABASE {name} FROM tester")).await.unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    let outcome = Outcome::Failed { kind: FailureKind::Job, reason: "disk full".into() };
    put(&*store, [Settlement { outcome, ..settled("j", 0, 1) }]).await;
    let filter = RunFilter { text: Some("DISK".into()), ..RunFilter::default() };
    assert_eq!(runs(&*store, filter.clone()).await.len(), 1);
    assert!(store.searches_slowly());
    // An administrator allows it, and who writes makes the index when it starts next.
    let count = "SELECT count(*) FROM pg_indexes WHERE indexname = 'clockwright_run_reason'";
    let mut raw = sqlx::PgConnection::connect(&address).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut raw).await.unwrap(), 0);
    server.admin(&format!("GRANT CREATE ON DATABASE {name} TO tester")).await.unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut raw).await.unwrap(), 1);
    assert_eq!(runs(&*store, filter).await.len(), 1);
    assert!(!store.searches_slowly());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_make_the_tables_and_write_at_once() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let address = shared(kind).database().await.unwrap();
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let address = address.clone();
                tokio::spawn(async move {
                    let store = EventStore::connect(&address).await.unwrap();
                    let bus = Bus::start(
                        vec![store.clone()],
                        BusOptions { batch_events: 50, ..BusOptions::default() },
                    );
                    for time in 0..100 {
                        bus.publish(Event::Settlement(settled(&format!("j{n}"), 0, time)));
                        // All record the same fires too, as instances may after a crash.
                        bus.publish(Event::Settlement(settled("all", 0, time)));
                    }
                    assert!(bus.close(Duration::from_secs(60)).await, "{bus:?}");
                    assert_eq!(store.conflicts(), 0);
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let store = EventStore::connect_read_only(&address).await.unwrap();
        assert_eq!(runs(&*store, RunFilter::default()).await.len(), 500);
        // Each fire is counted once, whoever recorded it.
        let day = store.statistics(None, None, Width::Day, i64::MIN, i64::MAX).await.unwrap();
        assert_eq!((day.len(), day[0].succeeded), (1, 500));
        let job = store.statistics(None, Some("all"), Width::Hour, 0, 3_600_000).await.unwrap();
        assert_eq!((job.len(), job[0].succeeded), (1, 100));
    }
}

/// To prepare it again costs a round trip, and to throw it away far more: nothing answers that word, and the kernel holds back for 40 ms what is sent
/// after it.
#[tokio::test]
async fn a_question_that_is_asked_again_is_not_prepared_again() {
    // Its counters are those of the whole server.
    let server = SqlServer::start(Kind::MariaDb).unwrap();
    let address = server.database().await.unwrap();
    let store = EventStore::connect(&address).await.unwrap();
    let mut raw = mysql(&address).await;
    let mut counts = async || {
        let mut counts = [0_u64; 2];
        for (count, question) in counts
            .iter_mut()
            .zip(["SHOW GLOBAL STATUS LIKE 'Com_stmt_prepare'", "SHOW GLOBAL STATUS LIKE 'Com_stmt_close'"])
        {
            *count = raw.fetch_one(question).await.unwrap().get::<String, _>(1).parse().unwrap();
        }
        counts
    };
    let before = counts().await;
    for _ in 0..30 {
        runs(&*store, RunFilter::default()).await;
    }
    let after = counts().await;
    // A pool of five, of which another connection may be the next one.
    let prepared = after[0] - before[0];
    assert!((1..=10).contains(&prepared), "{prepared} statements were prepared for 30 questions");
    assert_eq!(after[1], before[1]);
}
