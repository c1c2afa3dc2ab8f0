//! Java Elastic-Job 2.1.5 with its own event tracing and Clockwright write into the same tables of one database.
//!
//! As `interop`, this runs by `make test-interop` only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "interop/stage.rs"]
mod stage;

use clockwright_e2e::harness::eventually;
use clockwright_e2e::record::{Kind, Record};
use clockwright_events::{EventStore, ExecutionFilter, ExecutionRow, ExecutionState, Page, Query as _};
use clockwright_testkit::sql::{self, PASSWORD, SqlServer, USER};
use sqlx::{Connection as _, Row as _};
use stage::{ITEMS, Instance, JOB, PATIENCE, Setup, Stage, all};
use std::collections::BTreeSet;

/// Rows on a page: fewer than there are rows, so that pages are turned.
const PAGE: u32 = 20;

#[test]
#[ignore = "needs a JDK and Maven: make test-interop"]
fn the_runs_of_both_kinds_are_in_the_same_tables_and_read_back_by_plain_sql_and_by_clockwright() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = SqlServer::start(sql::Kind::MariaDb).unwrap();
    let address = runtime.block_on(server.database()).unwrap();
    let name = address.rsplit('/').next().unwrap();
    let jdbc = format!("jdbc:mysql://127.0.0.1:{}/{name}?user={USER}&password={PASSWORD}", server.port());
    let stage = Stage::new("tracing", Setup { events: address.clone(), ..Setup::default() });
    let instances = [stage.java_with("J", &["--events", &jdbc]), stage.clockwright("C")];
    let everybody: Vec<&Instance> = instances.iter().collect();
    stage.planned(&everybody, ITEMS);
    let span = stage.fires(5);
    stage.ran_once(span, &all(ITEMS), &everybody);
    instances.into_iter().for_each(Instance::stop);

    // What the job's program wrote is the truth: one row for each of its runs, by whoever ran it.
    let starts: Vec<Record> =
        stage.scene.records().into_iter().filter(|record| record.kind == Kind::Start).collect();
    let mut rows = Vec::new();
    eventually(PATIENCE, "every run has its row", || {
        rows = runtime.block_on(by_plain_sql(&address));
        rows.len() >= starts.len()
    });
    assert_eq!(rows.len(), starts.len());
    for start in &starts {
        let instance = start.instance.as_deref().unwrap();
        let count = |item: u32| {
            let mine = rows.iter().filter(|(task, at, success)| {
                task.ends_with(&format!("@-@{instance}")) && *at == item && *success
            });
            mine.count()
        };
        let ran = starts.iter().filter(|other| other.instance == start.instance && other.item == start.item);
        assert_eq!(count(start.item), ran.count(), "item {} on {instance}", start.item);
    }

    let (executions, traces) = runtime.block_on(by_clockwright(&address));
    assert_eq!(executions.len(), starts.len());
    let pairs = |row: &ExecutionRow| (row.task_id.clone(), row.item, row.success);
    let mut ours: Vec<_> = executions.iter().map(pairs).collect();
    ours.sort();
    rows.sort();
    assert_eq!(ours, rows);
    for (task, states) in traces {
        let all = ["TASK_FINISHED", "TASK_RUNNING", "TASK_STAGING"].map(str::to_owned);
        assert_eq!(states, BTreeSet::from(all), "the firing {task}");
    }
    // And as a person asks for it.
    let listed = stage.scene.tell_alone(&["run", "list", JOB, "--events", &address, "-n", "1000"]);
    assert!(listed.contains("succeeded"), "{listed}");
}

/// Task id, item and success of each run of the job, asked for as any report would.
async fn by_plain_sql(address: &str) -> Vec<(String, u32, bool)> {
    let mut connection = sqlx::MySqlConnection::connect(address).await.unwrap();
    let text = "SELECT task_id, sharding_item, is_success FROM JOB_EXECUTION_LOG \
                WHERE job_name = ? AND complete_time IS NOT NULL";
    // Whoever writes first makes the tables; until then there are none.
    let rows = sqlx::query(text).bind(JOB).fetch_all(&mut connection).await.unwrap_or_default();
    let row = |row: sqlx::mysql::MySqlRow| {
        let (item, success): (i32, i32) = (row.get(1), row.get(2));
        (row.get(0), u32::try_from(item).unwrap(), success == 1)
    };
    rows.into_iter().map(row).collect()
}

/// The same through Clockwright's store, and the states of the firings of one task id of each instance: Elastic-Job's names
/// items and process, so that all firings under one plan share it.
async fn by_clockwright(address: &str) -> (Vec<ExecutionRow>, Vec<(String, BTreeSet<String>)>) {
    let store = EventStore::connect_read_only(address).await.unwrap();
    let filter = ExecutionFilter {
        jobs: vec![JOB.to_owned()],
        state: Some(ExecutionState::Succeeded),
        ..ExecutionFilter::default()
    };
    let (mut executions, mut page) = (Vec::new(), Page::first(PAGE));
    loop {
        let found = store.executions(&filter, &page).await.unwrap();
        executions.extend(found.rows);
        match found.next {
            Some(cursor) => page = Page::after(PAGE, cursor),
            None => break,
        }
    }
    let process = |row: &ExecutionRow| row.task_id.rsplit("@-@").next().unwrap_or_default().to_owned();
    let mut of_each: Vec<&ExecutionRow> = executions.iter().collect();
    of_each.sort_by_key(|row| process(row));
    of_each.dedup_by_key(|row| process(row));
    assert_eq!(of_each.len(), 2, "both kinds are there");
    let mut traces = Vec::new();
    for row in of_each {
        let states = store.trace(&row.task_id).await.unwrap().into_iter().map(|row| row.state).collect();
        traces.push((row.task_id.clone(), states));
    }
    (executions, traces)
}
