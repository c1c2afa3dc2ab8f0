//! What every event store does, whatever its database: each function takes an empty store.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_events::{
    Bus, BusOptions, EventStore, ExecutionFilter, ExecutionState, Page, RunFilter, RunRow, Store, Width,
    testing,
};
use clockwright_model::{
    Event, Execution, ExecutionSource, FailureKind, Fire, InstanceId, JobName, Millis, Outcome, OutcomeKind,
    RunId, Settlement, Source, StatusTrace, TaskState, TraceSource,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

mod answers;
#[allow(unused_imports, reason = "not every test that has a part of the suite has this one")]
pub(crate) use answers::*;
mod kept;
#[allow(unused_imports, reason = "not every test that has a part of the suite has this one")]
pub(crate) use kept::*;

/// Makes a test of each function of the suite; the argument opens an empty store and yields `(store, guard)`, where the
/// guard keeps alive whatever the store needs.
#[macro_export]
macro_rules! store_suite {
    ($open:path) => {
        $crate::store_suite!(@ $open,
            a_run_is_one_row_from_its_start_to_its_end
            an_end_that_arrives_first_is_not_undone_by_its_start
            a_completed_run_stays_as_it_is
            the_events_of_a_run_in_one_batch_are_one_row
            a_status_trace_keeps_its_columns_and_its_order
            every_state_and_source_of_a_hosted_task_is_stored
            the_states_of_a_hosted_task_inherit_its_original_task
            storing_a_batch_again_changes_nothing
            s08_the_first_outcome_of_a_fire_stays_and_a_different_one_is_counted
            every_kind_of_outcome_reads_back
            filters_select_what_they_name_and_hold_together
            executions_are_filtered_by_state_time_and_text
            pages_hold_every_row_once_newest_first
            pages_stay_in_place_while_newer_rows_arrive
            the_last_outcome_of_an_item_is_the_newest_fire
            a_run_finds_the_outcome_it_decided
            a_ledger_is_in_order_and_has_the_ranges_that_reach_over_its_ends
            a_span_of_a_ledger_ends_early_rather_than_between_the_outcomes_of_one_instant
            everything_about_a_run_is_one_answer
            text_of_any_kind_and_length_is_stored
            hostile_text_in_a_filter_is_only_text
            a_large_batch_of_everything_is_stored
            a_clock_that_says_anything_loses_nothing
            outcomes_are_counted_once_by_minute_hour_and_day
            a_loss_is_on_record_once
            two_namespaces_may_have_jobs_of_one_name
            a_reason_is_kept_as_a_code_with_its_parameters
            an_item_stands_as_its_newest_fire_ended_and_never_goes_back
            a_change_is_on_record_once_as_its_subject_tells_it
            changes_are_found_by_job_namespace_and_time_page_by_page
            the_greatest_token_of_a_namespace_is_known_whatever_comes_late
            a_store_says_which_it_is_and_no_two_are_the_same
            durations_are_read_from_a_digest
            counts_are_the_same_before_and_after_they_are_folded
            the_tail_tells_each_outcome_once_in_the_order_of_storing
            a_batch_is_a_part_of_the_callers_transaction
            a_bus_feeds_the_store
        );
    };
    (@ $open:path, $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _guard) = $open().await;
                suite::$name(store).await;
            }
        )*
    };
}

const T: Millis = 1_700_000_000_000;

pub(crate) fn job(name: &str) -> JobName {
    JobName::new(name).unwrap()
}

pub(crate) fn id(n: u64) -> RunId {
    RunId::new(T + n as i64, u128::from(n))
}

pub(crate) fn started(n: u64) -> Execution {
    Execution { id: id(n), start: T + n as i64, ..testing::execution(0) }
}

fn succeeded(n: u64) -> Execution {
    Execution { complete: Some(T + n as i64 + 500), success: true, ..started(n) }
}

fn failed(n: u64, cause: &str) -> Execution {
    Execution { complete: Some(T + n as i64 + 900), failure_cause: Some(cause.into()), ..started(n) }
}

fn traced(n: u64, task: &str, state: TaskState) -> StatusTrace {
    let (id, at) = (id(n), T + n as i64);
    StatusTrace { id, task_id: task.into(), items: vec![0, 1], state, at, ..testing::status(0) }
}

pub(crate) fn settled(name: &str, item: u32, time: Millis) -> Settlement {
    Settlement {
        job: job(name),
        item,
        fire: Fire::Scheduled(time),
        run_id: Some(RunId::new(time, u128::from(item))),
        token: 5,
        start: Some(time + 1),
        at: time + 2,
        ..testing::settlement(0)
    }
}

/// A fire that never ran.
fn unrun(name: &str, item: u32, time: Millis, outcome: Outcome) -> Settlement {
    Settlement { outcome, attempt: 0, run_id: None, token: 0, start: None, ..settled(name, item, time) }
}

pub(crate) async fn put<S: Store>(store: &S, events: impl IntoIterator<Item = impl Into<Event>>) {
    let events: Vec<Event> = events.into_iter().map(Into::into).collect();
    store.store(&events).await.unwrap();
}

/// A store that only reads a file with one outcome.
#[allow(dead_code, reason = "not every test that has a part of the suite reads a file")]
pub(crate) async fn reader_of_one() -> (Arc<EventStore>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    put(&*EventStore::open(&path).await.unwrap(), [settled("j", 0, 1)]).await;
    (EventStore::open_read_only(&path).await.unwrap(), folder)
}

pub(crate) async fn runs<S: Store>(store: &S, filter: RunFilter) -> Vec<RunRow> {
    store.runs(&filter, &Page::first(1000)).await.unwrap().rows
}

pub(crate) async fn a_run_is_one_row_from_its_start_to_its_end<S: Store>(store: Arc<S>) {
    put(&*store, [started(1)]).await;
    let row = store.execution(id(1)).await.unwrap().unwrap();
    assert_eq!((row.start, row.complete, row.success), (Some(T + 1), None, false));
    put(&*store, [failed(1, "it broke")]).await;
    let row = store.execution(id(1)).await.unwrap().unwrap();
    assert_eq!((row.start, row.complete, row.success), (Some(T + 1), Some(T + 901), false));
    assert_eq!(row.failure_cause.as_deref(), Some("it broke"));
    assert_eq!((row.id, row.job.as_str(), row.item), (id(1).to_string(), "j", 0));
    assert_eq!(
        (row.hostname.as_str(), row.ip.as_str(), row.source.as_str()),
        ("host", "10.0.0.1", "NORMAL_TRIGGER")
    );
    assert_eq!(row.task_id, "j@-@0@-@READY@-@10.0.0.1@-@7");
    assert_eq!(store.execution(id(2)).await.unwrap(), None);
}

pub(crate) async fn an_end_that_arrives_first_is_not_undone_by_its_start<S: Store>(store: Arc<S>) {
    put(&*store, [succeeded(1)]).await;
    let before = store.execution(id(1)).await.unwrap().unwrap();
    assert!(before.success && before.start == Some(T + 1));
    put(&*store, [started(1)]).await;
    assert_eq!(store.execution(id(1)).await.unwrap(), Some(before));
    // The same within one batch.
    put(&*store, [succeeded(2), started(2)]).await;
    assert!(store.execution(id(2)).await.unwrap().unwrap().success);
}

pub(crate) async fn a_completed_run_stays_as_it_is<S: Store>(store: Arc<S>) {
    put(&*store, [started(1), succeeded(1), failed(1, "no"), started(2), failed(2, "first")]).await;
    put(&*store, [failed(1, "no"), succeeded(2), failed(2, "second")]).await;
    assert!(store.execution(id(1)).await.unwrap().unwrap().success);
    let second = store.execution(id(2)).await.unwrap().unwrap();
    assert_eq!((second.success, second.failure_cause.as_deref()), (false, Some("first")));
}

pub(crate) async fn the_events_of_a_run_in_one_batch_are_one_row<S: Store>(store: Arc<S>) {
    let events: Vec<Execution> = (0..700).map(started).chain((0..700).map(succeeded)).collect();
    put(&*store, events).await;
    let page = store.executions(&ExecutionFilter::default(), &Page::first(1000)).await.unwrap();
    assert_eq!(page.rows.len(), 700);
    assert!(page.rows.iter().all(|row| row.success));
}

pub(crate) async fn a_status_trace_keeps_its_columns_and_its_order<S: Store>(store: Arc<S>) {
    let failing = StatusTrace { message: "{1=it broke}".into(), ..traced(3, "t", TaskState::Error) };
    put(&*store, [traced(2, "t", TaskState::Running), failing, traced(4, "other", TaskState::Running)]).await;
    let staging = StatusTrace { failover: true, items: vec![7], ..traced(1, "t", TaskState::Staging) };
    put(&*store, [staging]).await;
    let rows = store.trace("t").await.unwrap();
    let states: Vec<_> = rows.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["TASK_STAGING", "TASK_RUNNING", "TASK_ERROR"]);
    let (first, last) = (&rows[0], &rows[2]);
    assert_eq!((first.execution_type.as_str(), first.items.as_str()), ("FAILOVER", "[7]"));
    assert_eq!((last.execution_type.as_str(), last.items.as_str()), ("READY", "[0, 1]"));
    assert_eq!((last.source.as_str(), last.slave_id.as_str()), ("LITE_EXECUTOR", "10.0.0.1"));
    assert_eq!(
        (last.message.as_str(), last.original_task_id.as_str(), last.at),
        ("{1=it broke}", "", Some(T + 3))
    );
}

pub(crate) async fn every_state_and_source_of_a_hosted_task_is_stored<S: Store>(store: Arc<S>) {
    let traces = TaskState::ALL.into_iter().enumerate().map(|(n, state)| StatusTrace {
        source: TraceSource::ALL[n % TraceSource::ALL.len()],
        ..traced(n as u64, &format!("t{n}"), state)
    });
    put(&*store, traces.collect::<Vec<_>>()).await;
    for (n, state) in TaskState::ALL.into_iter().enumerate() {
        let row = &store.trace(&format!("t{n}")).await.unwrap()[0];
        assert_eq!(TaskState::parse(&row.state), Some(state));
        assert_eq!(TraceSource::parse(&row.source), Some(TraceSource::ALL[n % TraceSource::ALL.len()]));
    }
}

pub(crate) async fn the_states_of_a_hosted_task_inherit_its_original_task<S: Store>(store: Arc<S>) {
    let cloud =
        |source, n, task: &str, state| StatusTrace { source, failover: true, ..traced(n, task, state) };
    let staged = |n, task: &str| StatusTrace {
        original_task_id: "the-dead-one".into(),
        ..cloud(TraceSource::CloudScheduler, n, task, TaskState::Staging)
    };
    let running = |n, task: &str| cloud(TraceSource::CloudExecutor, n, task, TaskState::Running);
    // In one batch, and in two.
    put(&*store, [staged(1, "together"), running(2, "together"), staged(3, "apart"), running(4, "unstaged")])
        .await;
    put(&*store, [running(5, "apart"), cloud(TraceSource::CloudExecutor, 6, "apart", TaskState::Lost)]).await;
    for (task, count, original) in
        [("together", 2, "the-dead-one"), ("apart", 3, "the-dead-one"), ("unstaged", 1, "")]
    {
        let rows = store.trace(task).await.unwrap();
        assert_eq!(rows.len(), count, "{task}");
        assert!(rows.iter().all(|row| row.original_task_id == original), "{task}: {rows:?}");
    }
}

pub(crate) async fn storing_a_batch_again_changes_nothing<S: Store>(store: Arc<S>) {
    let batch: Vec<Event> = vec![
        started(1).into(),
        traced(1, "t", TaskState::Staging).into(),
        settled("j", 0, T).into(),
        succeeded(1).into(),
        traced(2, "t", TaskState::Finished).into(),
        unrun("j", 1, T, Outcome::Skipped { reason: "disabled".into() }).into(),
    ];
    store.store(&batch).await.unwrap();
    let execution = store.execution(id(1)).await.unwrap();
    let (outcomes, trace) = (runs(&*store, RunFilter::default()).await, store.trace("t").await.unwrap());
    assert_eq!((outcomes.len(), trace.len()), (2, 2));
    for _ in 0..2 {
        store.store(&batch).await.unwrap();
    }
    assert_eq!(store.execution(id(1)).await.unwrap(), execution);
    assert_eq!(runs(&*store, RunFilter::default()).await, outcomes);
    assert_eq!(store.trace("t").await.unwrap(), trace);
    assert_eq!(store.conflicts(), 0);
}

pub(crate) async fn s08_the_first_outcome_of_a_fire_stays_and_a_different_one_is_counted<S: Store>(
    store: Arc<S>,
) {
    let failure = Outcome::Failed { kind: FailureKind::OwnerLost, reason: "its process died".into() };
    put(&*store, [settled("j", 0, T)]).await;
    put(&*store, [Settlement { outcome: failure.clone(), ..settled("j", 0, T) }, settled("j", 1, T)]).await;
    assert_eq!(store.conflicts(), 1);
    // Within one batch as well.
    put(&*store, [settled("j", 2, T), Settlement { outcome: failure, token: 6, ..settled("j", 2, T) }]).await;
    assert_eq!(store.conflicts(), 2);
    let rows = runs(&*store, RunFilter::default()).await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.outcome == OutcomeKind::Succeeded), "{rows:?}");
    // Another witness of the same thing is no conflict.
    let other = InstanceId::from_wire("10.0.0.2@-@9");
    put(&*store, [Settlement { instance: other, at: T + 99, ..settled("j", 0, T) }]).await;
    assert_eq!(store.conflicts(), 2);
    assert_eq!(runs(&*store, RunFilter::default()).await, rows);
}

pub(crate) async fn every_kind_of_outcome_reads_back<S: Store>(store: Arc<S>) {
    let trigger = Fire::Trigger { at: T, id: "by/hand~1".into() };
    let reason = || "because".to_owned();
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Failed { kind: FailureKind::Timeout, reason: reason().into() },
        Outcome::Skipped { reason: reason().into() },
        Outcome::Coalesced { into: trigger.clone() },
        Outcome::Missed { reason: reason().into() },
        Outcome::Cancelled { reason: reason().into() },
    ];
    for (item, outcome) in outcomes.iter().enumerate() {
        let log = (item < 2).then(|| "2023-11-14/22-1.log:4096+512".into());
        put(&*store, [Settlement { outcome: outcome.clone(), log, ..settled("j", item as u32, T) }]).await;
    }
    let range = Settlement { range: Some((T - 9000, 10)), ..unrun("j", 9, T, outcomes[4].clone()) };
    put(
        &*store,
        [range.clone(), Settlement { fire: trigger.clone(), source: Source::Trigger, ..settled("j", 8, 0) }],
    )
    .await;

    for (item, outcome) in outcomes.iter().enumerate() {
        let row = store.last(None, "j", item as u32).await.unwrap().unwrap();
        assert_eq!((row.outcome.as_str(), row.reason.clone()), (outcome.word(), outcome.reason()));
        assert_eq!(row.failure_kind.as_deref(), (item == 1).then_some("timeout"));
        assert_eq!(row.coalesced_into, (item == 3).then(|| trigger.to_string()));
        assert_eq!((row.attempt, row.token, row.start, row.decided), (1, 5, Some(T + 1), T + 2));
        assert_eq!((row.range_from, row.range_count, row.source.as_str()), (None, 1, "schedule"));
        assert_eq!((row.fire.parse(), row.fire_time), (Ok(Fire::Scheduled(T)), T));
        assert_eq!(row.instance, "10.0.0.1@-@7");
        assert_eq!(row.log.as_deref(), (item < 2).then_some("2023-11-14/22-1.log:4096+512"));
    }
    let row = store.last(None, "j", 9).await.unwrap().unwrap();
    assert_eq!((row.range_from, row.range_count, row.fire_time), (Some(T - 9000), 10, T));
    assert_eq!((row.key, row.run_id, row.start, row.attempt), (range.key(), None, None, 0));
    let row = store.last(None, "j", 8).await.unwrap().unwrap();
    assert_eq!((row.fire.parse(), row.fire_time, row.source.as_str()), (Ok(trigger), T, "trigger"));
}

pub(crate) async fn filters_select_what_they_name_and_hold_together<S: Store>(store: Arc<S>) {
    let failure = |reason: &str| Outcome::Failed { kind: FailureKind::Job, reason: reason.into() };
    let elsewhere = InstanceId::from_wire("10.0.0.2@-@9");
    put(
        &*store,
        [
            settled("a", 0, T),
            Settlement { source: Source::Failover, instance: elsewhere, ..settled("a", 1, T + 10) },
            Settlement { outcome: failure("Disk FULL: 100%_of it"), ..settled("a", 0, T + 20) },
            unrun("b", 0, T + 30, Outcome::Missed { reason: "nobody was there".into() }),
        ],
    )
    .await;
    let none = RunFilter::default;
    let word = |word: &str| Some(word.to_owned());
    let name = |name: &str| vec![name.to_owned()];
    for (filter, expected) in [
        (none(), vec![30, 20, 10, 0]),
        (RunFilter { jobs: name("a"), ..none() }, vec![20, 10, 0]),
        (RunFilter { jobs: name("A"), ..none() }, vec![]),
        (RunFilter { jobs: name("a"), item: Some(0), ..none() }, vec![20, 0]),
        (RunFilter { item: Some(1), ..none() }, vec![10]),
        (RunFilter { outcomes: vec![OutcomeKind::Failed, OutcomeKind::Missed], ..none() }, vec![30, 20]),
        (RunFilter { jobs: vec!["b".into(), "x".into(), "a".into()], ..none() }, vec![30, 20, 10, 0]),
        (RunFilter { instance: word("10.0.0.2@-@9"), ..none() }, vec![10]),
        (RunFilter { run_id: Some(RunId::new(T + 10, 1)), ..none() }, vec![10]),
        (RunFilter { source: Some(Source::Failover), ..none() }, vec![10]),
        (RunFilter { from: Some(T + 10), to: Some(T + 30), ..none() }, vec![20, 10]),
        (RunFilter { from: Some(T + 31), ..none() }, vec![]),
        (RunFilter { text: word("disk full"), ..none() }, vec![20]),
        (RunFilter { text: word("100%_"), ..none() }, vec![20]),
        (RunFilter { text: word("%"), jobs: name("b"), ..none() }, vec![]),
        (RunFilter { text: word(""), ..none() }, vec![30, 20, 10, 0]),
        (
            RunFilter { text: word("there"), jobs: name("b"), outcomes: vec![OutcomeKind::Missed], ..none() },
            vec![30],
        ),
    ] {
        let found: Vec<i64> =
            runs(&*store, filter.clone()).await.iter().map(|row| row.fire_time - T).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub(crate) async fn executions_are_filtered_by_state_time_and_text<S: Store>(store: Arc<S>) {
    let elsewhere = Execution { ip: "10.0.0.2".into(), source: ExecutionSource::Failover, ..started(2) };
    let other = Execution { job: job("k"), item: 3, task_id: "k-task".into(), ..succeeded(3) };
    put(&*store, [succeeded(0), failed(1, "Out of Memory"), elsewhere, other]).await;
    let none = ExecutionFilter::default;
    for (filter, expected) in [
        (none(), vec![3, 2, 1, 0]),
        (ExecutionFilter { state: Some(ExecutionState::Running), ..none() }, vec![2]),
        (ExecutionFilter { state: Some(ExecutionState::Succeeded), ..none() }, vec![3, 0]),
        (ExecutionFilter { state: Some(ExecutionState::Failed), ..none() }, vec![1]),
        (ExecutionFilter { jobs: vec!["k".into()], item: Some(3), ..none() }, vec![3]),
        (ExecutionFilter { task_id: Some("k-task".into()), ..none() }, vec![3]),
        (ExecutionFilter { ip: Some("10.0.0.2".into()), ..none() }, vec![2]),
        (ExecutionFilter { instance: Some("10.0.0.1@-@7".into()), ..none() }, vec![2, 1, 0]),
        (ExecutionFilter { instance: Some("0.0.0.1@-@7".into()), ..none() }, vec![]),
        (ExecutionFilter { instance: Some("10.0.0.1@-@70".into()), ..none() }, vec![]),
        (ExecutionFilter { source: Some(ExecutionSource::Failover), ..none() }, vec![2]),
        (ExecutionFilter { from: Some(T + 1), to: Some(T + 3), ..none() }, vec![2, 1]),
        (ExecutionFilter { text: Some("memory".into()), ..none() }, vec![1]),
    ] {
        let page = store.executions(&filter, &Page::first(10)).await.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|row| row.start.unwrap() - T).collect();
        assert_eq!((found, page.next), (expected, None), "{filter:?}");
    }
    let first = store.executions(&none(), &Page::first(3)).await.unwrap();
    let second = store.executions(&none(), &Page::after(3, first.next.unwrap())).await.unwrap();
    assert_eq!((first.rows.len(), second.rows.len(), second.next), (3, 1, None));
    assert_eq!(second.rows[0].id, id(0).to_string());
}

pub(crate) async fn pages_hold_every_row_once_newest_first<S: Store>(store: Arc<S>) {
    // Many rows of the same instant, so that pages end in the middle of one.
    put(&*store, (0..100).map(|n| settled("j", n, T + i64::from(n / 30)))).await;
    for limit in [1, 7, 50, 100, 1000] {
        let (mut rows, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let answer = store.runs(&RunFilter::default(), &page).await.unwrap();
            assert!(answer.rows.len() <= limit as usize);
            rows.extend(answer.rows);
            // The way through text is the way through the command line.
            let Some(next) = answer.next else { break };
            page = Page::after(limit, next.to_string().parse().unwrap());
        }
        assert!(rows.windows(2).all(|pair| pair[0].fire_time >= pair[1].fire_time));
        let keys: BTreeSet<_> = rows.iter().map(|row| row.key.clone()).collect();
        assert_eq!((rows.len(), keys.len()), (100, 100));
    }
}

pub(crate) async fn pages_stay_in_place_while_newer_rows_arrive<S: Store>(store: Arc<S>) {
    put(&*store, (0..10).map(|n| settled("j", 0, T + n))).await;
    let first = store.runs(&RunFilter::default(), &Page::first(5)).await.unwrap();
    put(&*store, (10..20).map(|n| settled("j", 0, T + n))).await;
    let second = store.runs(&RunFilter::default(), &Page::after(5, first.next.unwrap())).await.unwrap();
    let times: Vec<i64> = first.rows.iter().chain(&second.rows).map(|row| row.fire_time - T).collect();
    assert_eq!(times, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(second.next, None);
}

pub(crate) async fn the_last_outcome_of_an_item_is_the_newest_fire<S: Store>(store: Arc<S>) {
    assert_eq!(store.last(None, "j", 0).await.unwrap(), None);
    put(
        &*store,
        [settled("j", 0, T + 5), settled("j", 0, T), settled("j", 1, T + 9), settled("k", 0, T + 9)],
    )
    .await;
    assert_eq!(store.last(None, "j", 0).await.unwrap().unwrap().fire_time, T + 5);
}

pub(crate) async fn a_run_finds_the_outcome_it_decided<S: Store>(store: Arc<S>) {
    let run = settled("j", 0, T);
    let coalesced = Outcome::Coalesced { into: Fire::Scheduled(T) };
    let shared = Settlement { outcome: coalesced, run_id: run.run_id, ..settled("j", 0, T + 1) };
    put(&*store, [shared, run.clone()]).await;
    assert_eq!(store.run(run.run_id.unwrap()).await.unwrap().unwrap().key, run.key());
    assert_eq!(store.run(RunId(1)).await.unwrap(), None);
}

pub(crate) async fn a_ledger_is_in_order_and_has_the_ranges_that_reach_over_its_ends<S: Store>(
    store: Arc<S>,
) {
    let missed = || Outcome::Missed { reason: "no instance was running".into() };
    let range = |from, to| Settlement { range: Some((T + from, 3)), ..unrun("j", 0, T + to, missed()) };
    put(
        &*store,
        [
            settled("j", 0, T + 5),
            range(6, 12),
            settled("j", 0, T + 20),
            settled("j", 1, T + 20),
            settled("k", 0, T + 20),
            settled("j", 0, T + 15),
            range(25, 40),
            range(30, 50),
        ],
    )
    .await;
    let ends = async |item, from, to, limit| {
        let (mut ends, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let answer = store.ledger(None, "j", item, T + from, T + to, &page).await.unwrap();
            ends.extend(answer.rows.iter().map(|row| row.fire_time - T));
            let Some(next) = answer.next else { return ends };
            page = Page::after(limit, next);
        }
    };
    for limit in [1, 2, 100] {
        assert_eq!(ends(Some(0), 10, 30, limit).await, [12, 15, 20, 40]);
        assert_eq!(ends(None, 10, 30, limit).await, [12, 15, 20, 20, 40]);
        assert_eq!(ends(Some(0), 0, 100, limit).await, [5, 12, 15, 20, 40, 50]);
        assert_eq!(ends(Some(0), 26, 27, limit).await, [40]);
        assert_eq!(ends(Some(0), 51, 60, limit).await, Vec::<i64>::new());
        assert_eq!(ends(Some(0), 30, 10, limit).await, Vec::<i64>::new());
    }
}

pub(crate) async fn text_of_any_kind_and_length_is_stored<S: Store>(store: Arc<S>) {
    for (n, text) in
        ["", "日报 😀 \u{10ffff}", "'; DROP TABLE x; --", "a\tb\r\nc", "\u{feff}\u{202e}"].iter().enumerate()
    {
        let time = T + n as i64;
        let failure = Outcome::Failed { kind: FailureKind::Job, reason: (*text).into() };
        put(
            &*store,
            [
                Event::from(failed(n as u64, text)),
                Settlement { outcome: failure, ..settled("j", 0, time) }.into(),
            ],
        )
        .await;
        assert_eq!(
            store.execution(id(n as u64)).await.unwrap().unwrap().failure_cause.as_deref(),
            Some(*text)
        );
        assert_eq!(store.last(None, "j", 0).await.unwrap().unwrap().reason, *text);
    }
    // A NUL, which not every database takes, becomes its picture, in filters too.
    let nul = Outcome::Skipped { reason: "a\0b".into() };
    put(&*store, [Event::from(failed(50, "x\0")), unrun("n", 0, T, nul).into()]).await;
    assert_eq!(store.execution(id(50)).await.unwrap().unwrap().failure_cause.as_deref(), Some("x␀"));
    let found = runs(&*store, RunFilter { text: Some("A\0B".into()), ..RunFilter::default() }).await;
    assert_eq!((found.len(), found[0].reason.as_str()), (1, "a␀b"));
    // A megabyte is cut and says so.
    for (n, unit) in ["x", "😀", "\0"].iter().enumerate() {
        let n = 60 + n as u64;
        let long = unit.repeat((1 << 20) / unit.len());
        let trace = StatusTrace { message: long.clone(), ..traced(n, &format!("t{n}"), TaskState::Error) };
        let outcome = Outcome::Failed { kind: FailureKind::Job, reason: long.clone().into() };
        let outcome = Settlement { outcome, ..settled("long", n as u32, T) };
        put(&*store, [Event::from(failed(n, &long)), trace.into(), outcome.into()]).await;
        let cause = store.execution(id(n)).await.unwrap().unwrap().failure_cause.unwrap();
        assert_eq!(store.trace(&format!("t{n}")).await.unwrap()[0].message, cause);
        assert_eq!(store.last(None, "long", n as u32).await.unwrap().unwrap().reason, cause);
        assert_eq!(cause.chars().count(), 4000);
        assert!(cause.ends_with("[cut]") && cause.starts_with(&unit.replace('\0', "␀")));
    }
}

pub(crate) async fn hostile_text_in_a_filter_is_only_text<S: Store>(store: Arc<S>) {
    put(&*store, [settled("j", 0, T)]).await;
    put(&*store, [started(1)]).await;
    let long = "%_'".repeat(100_000);
    let corpus = [
        "' OR '1'='1",
        "' OR 1=1 --",
        "'; DROP TABLE CLOCKWRIGHT_RUN; --",
        "\" OR \"\"=\"",
        "j' UNION SELECT * FROM sqlite_master --",
        "`; DELETE FROM JOB_EXECUTION_LOG; #",
        "\\' OR 1=1 --",
        "%",
        "_",
        "?1 :a $1 @x",
        "j\0' OR 1=1",
        "/*",
        "\u{ff07} OR 1=1",
        "{{7*7}}",
        &long,
    ];
    for text in corpus {
        let some = || Some(text.to_owned());
        for filter in [
            RunFilter { jobs: vec![text.to_owned()], ..RunFilter::default() },
            RunFilter {
                namespaces: vec![text.to_owned()],
                jobs: vec!["x".to_owned()],
                ..RunFilter::default()
            },
            RunFilter { instance: some(), ..RunFilter::default() },
            RunFilter { text: some(), ..RunFilter::default() },
        ] {
            assert!(runs(&*store, filter).await.is_empty(), "{text}");
        }
        for filter in [
            ExecutionFilter { jobs: vec![text.to_owned()], ..ExecutionFilter::default() },
            ExecutionFilter { task_id: some(), ..ExecutionFilter::default() },
            ExecutionFilter { ip: some(), ..ExecutionFilter::default() },
            ExecutionFilter { instance: some(), ..ExecutionFilter::default() },
            ExecutionFilter { text: some(), ..ExecutionFilter::default() },
        ] {
            assert!(store.executions(&filter, &Page::first(10)).await.unwrap().rows.is_empty(), "{text}");
        }
        assert_eq!(store.last(None, text, 0).await.unwrap(), None);
        assert!(store.trace(text).await.unwrap().is_empty());
        assert!(store.statistics(None, Some(text), Width::Day, 0, i64::MAX).await.unwrap().is_empty());
        assert!(
            store
                .ledger(None, text, None, i64::MIN, i64::MAX, &Page::first(10))
                .await
                .unwrap()
                .rows
                .is_empty()
        );
        // Rows are sorted by time and key alone, and both come back in a cursor. Behind one that sorts after every row of its
        // time, there is the one row; none of it is read as SQL.
        let page = Page::after(10, format!("{}~{text}", T + 1).parse().unwrap());
        assert_eq!(store.runs(&RunFilter::default(), &page).await.unwrap().rows.len(), 1);
        assert_eq!(
            store
                .executions(
                    &ExecutionFilter::default(),
                    &Page::after(10, format!("{}~{text}", T + 2).parse().unwrap())
                )
                .await
                .unwrap()
                .rows
                .len(),
            1
        );
        let ledger = Page::after(10, format!("{}~{text}", T - 1).parse().unwrap());
        assert_eq!(store.ledger(None, "j", None, i64::MIN, i64::MAX, &ledger).await.unwrap().rows.len(), 1);
    }
    // It is stored as harmlessly.
    for (n, text) in corpus.iter().enumerate() {
        let fire = Fire::Trigger { at: T, id: (*text).to_owned() };
        let instance = InstanceId::from_wire(text);
        put(&*store, [Settlement { fire, instance, ..settled("h", n as u32, T) }]).await;
        let row = store.last(None, "h", n as u32).await.unwrap().unwrap();
        let mine = RunFilter { instance: Some((*text).to_owned()), ..RunFilter::default() };
        assert_eq!(runs(&*store, mine).await, [row]);
    }
}

pub(crate) async fn a_large_batch_of_everything_is_stored<S: Store>(store: Arc<S>) {
    let mut batch = Vec::new();
    for n in 0..1500u64 {
        batch.push(Event::Execution(started(n)));
        batch.push(Event::Status(traced(n, &format!("task {n}"), TaskState::Running)));
        batch.push(Event::Execution(succeeded(n)));
        batch.push(Event::Settlement(settled("j", 0, T + n as i64)));
    }
    store.store(&batch).await.unwrap();
    for n in [0, 777, 1499] {
        assert!(store.execution(id(n)).await.unwrap().unwrap().success);
        assert_eq!(store.trace(&format!("task {n}")).await.unwrap().len(), 1);
    }
    let first = store.runs(&RunFilter::default(), &Page::first(1000)).await.unwrap();
    let second = store.runs(&RunFilter::default(), &Page::after(1000, first.next.unwrap())).await.unwrap();
    assert_eq!((first.rows.len(), second.rows.len()), (1000, 500));
}

pub(crate) async fn a_clock_that_says_anything_loses_nothing<S: Store>(store: Arc<S>) {
    let times =
        [i64::MIN, -62_167_219_200_001, -1, 0, 999, T, 2_147_483_648_000, 253_402_300_800_000, i64::MAX];
    for (n, time) in times.into_iter().enumerate() {
        let n = n as u64;
        // Ends before it begins, and all of it long ago or far away.
        let end = Some(time.saturating_sub(5_000));
        let run = Execution { start: time, complete: end, success: true, ..started(n) };
        let fire = Fire::Scheduled(time);
        let outcome = Settlement { fire, start: Some(time), at: time, ..settled("j", n as u32, 0) };
        put(&*store, [Event::from(run), outcome.into()]).await;
        let trace = StatusTrace { at: time, ..traced(n, &format!("t{n}"), TaskState::Running) };
        put(&*store, [trace]).await;
        let row = store.execution(id(n)).await.unwrap().unwrap();
        assert!(row.success && row.start.is_some() && row.complete.is_some(), "{row:?}");
        assert_eq!(store.trace(&format!("t{n}")).await.unwrap().len(), 1);
        // Clockwright's own times are whatever they were.
        let row = store.last(None, "j", n as u32).await.unwrap().unwrap();
        assert_eq!((row.fire_time, row.start, row.decided), (time, Some(time), time));
    }
    let found: Vec<i64> = runs(&*store, RunFilter::default()).await.iter().map(|row| row.fire_time).collect();
    assert_eq!(found, times.into_iter().rev().collect::<Vec<_>>());
    let all = ExecutionFilter { from: Some(i64::MIN), to: Some(i64::MAX), ..ExecutionFilter::default() };
    let filtered = store.executions(&all, &Page::first(100)).await.unwrap().rows.len();
    assert!(
        filtered >= times.len() - 3,
        "those at the very end are at the excluded end of the filter: {filtered}"
    );
    let (mut count, mut page) = (0, Page::first(2));
    loop {
        let answer = store.executions(&ExecutionFilter::default(), &page).await.unwrap();
        count += answer.rows.len();
        let Some(next) = answer.next else { break };
        page = Page::after(2, next);
    }
    assert_eq!(count, times.len());
    let day = store.statistics(None, None, Width::Day, T - 86_400_000, T + 1).await.unwrap();
    assert_eq!(day.iter().map(|row| row.succeeded).sum::<u64>(), 1);
}

pub(crate) async fn a_bus_feeds_the_store<S: Store>(store: Arc<S>) {
    let bus = Bus::start(vec![store.clone()], BusOptions::default());
    for n in 0..2000 {
        bus.publish(Event::Execution(started(n)));
        bus.publish(Event::Execution(succeeded(n)));
    }
    assert!(bus.close(Duration::from_secs(60)).await, "{bus:?}");
    assert_eq!((bus.stats()[0].stored, bus.stats()[0].dropped), (4000, 0));
    let filter = ExecutionFilter { state: Some(ExecutionState::Succeeded), ..ExecutionFilter::default() };
    let first = store.executions(&filter, &Page::first(1000)).await.unwrap();
    let second = store.executions(&filter, &Page::after(1000, first.next.unwrap())).await.unwrap();
    assert_eq!((first.rows.len(), second.rows.len(), second.next), (1000, 1000, None));
}
