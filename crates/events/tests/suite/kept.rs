//! What is kept beside the rows: counts, how items stand, durations, the tail; and whose they are.

use super::{T, id, job, put, runs, settled, unrun};
use clockwright_events::{
    Bus, BusOptions, ChangeFilter, EventStore, Loss, Page, Query, Retention, RunFilter, Sink, StatisticsRow,
    Store, Tail, TailPage, Width, testing,
};
use clockwright_model::{
    Change, ChangeKind, Event, FailureKind, InstanceId, Outcome, OutcomeKind, Reason, Settlement,
};
use std::sync::Arc;

fn within(namespace: &str, settlement: Settlement) -> Settlement {
    Settlement { namespace: namespace.into(), ..settlement }
}

fn failure() -> Outcome {
    Outcome::Failed { kind: FailureKind::Job, reason: Reason::ExitCode { code: 3 } }
}

pub(crate) async fn two_namespaces_may_have_jobs_of_one_name(store: Arc<EventStore>) {
    let failed = Settlement { outcome: failure(), ..settled("j", 0, T) };
    put(&*store, [within("a", settled("j", 0, T)), within("b/c", failed)]).await;
    // As a version recorded that kept no namespace: it belongs to all.
    put(&*store, [settled("j", 0, T - 1), within("b/c", settled("k", 0, T + 1))]).await;
    assert_eq!(store.conflicts(), 0);
    let of = async |namespaces: &[&str], jobs: &[&str]| -> Vec<(String, OutcomeKind)> {
        let filter = RunFilter {
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
            jobs: jobs.iter().map(ToString::to_string).collect(),
            ..RunFilter::default()
        };
        // One by one, so that every page begins behind a row.
        let (mut found, mut page) = (Vec::new(), Page::first(1));
        loop {
            let answer = store.runs(&filter, &page).await.unwrap();
            found.extend(answer.rows.into_iter().map(|row| (row.namespace, row.outcome)));
            let Some(next) = answer.next else { return found };
            page = Page::after(1, next);
        }
    };
    use OutcomeKind::{Failed, Succeeded};
    let row = |namespace: &str, kind| (namespace.to_owned(), kind);
    let old = || row("", Succeeded);
    assert_eq!(of(&["a"], &["j"]).await, [row("a", Succeeded), old()]);
    assert_eq!(of(&["b/c"], &["j"]).await, [row("b/c", Failed), old()]);
    assert_eq!(of(&[], &["j"]).await.len(), 3);
    assert_eq!(of(&["a", "b/c"], &["j", "k"]).await.len(), 4);
    assert_eq!(of(&["b/c"], &["k", "j", "j"]).await.len(), 3);
    assert_eq!(of(&["c"], &[]).await, [old()]);
    let last = store.last(Some("a"), "j", 0).await.unwrap().unwrap();
    assert_eq!((last.namespace.as_str(), last.outcome), ("a", Succeeded));
    let ledger = store.ledger(Some("b/c"), "j", None, T, T + 9, &Page::first(9)).await.unwrap();
    assert_eq!(ledger.rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Failed]);
    for _ in 0..2 {
        let count = async |namespace, job| {
            let rows = store.statistics(namespace, job, Width::Day, 0, i64::MAX).await.unwrap();
            rows.iter().map(|row| (row.succeeded, row.failed)).collect::<Vec<_>>()
        };
        assert_eq!(count(None, None).await, [(3, 1)]);
        assert_eq!(count(Some("b/c"), None).await, [(1, 1)]);
        assert_eq!(count(Some("b/c"), Some("j")).await, [(1, 1)]);
        assert_eq!(count(None, Some("j")).await, [(2, 1)]);
        store.fold().await.unwrap();
    }
    let states = store.states(0, 100).await.unwrap();
    assert_eq!(states.len(), 4, "{states:?}");
}

pub(crate) async fn a_reason_is_kept_as_a_code_with_its_parameters(store: Arc<EventStore>) {
    let paused = Reason::Paused { by: "anna".into(), text: "release \"1\"\0😀".into() };
    let more = Settlement { claimed: Some(T), ..settled("j", 1, T) };
    let outcome = Outcome::Skipped { reason: paused.clone() };
    let said =
        Outcome::Failed { kind: FailureKind::Job, reason: Reason::JobSaid { text: "no".repeat(5000) } };
    put(
        &*store,
        [unrun("j", 0, T, outcome.clone()), more, Settlement { outcome: said, ..settled("j", 2, T) }],
    )
    .await;
    let row = store.last(None, "j", 0).await.unwrap().unwrap();
    assert_eq!(row.reason_code.as_deref(), Some("paused"));
    assert_eq!((row.why(), row.whole_outcome()), (paused, Some(outcome)));
    let row = store.last(None, "j", 1).await.unwrap().unwrap();
    assert_eq!((row.reason_code, row.reason_params, row.claimed), (None, None, Some(T)));
    let row = store.last(None, "j", 2).await.unwrap().unwrap();
    assert_eq!((row.reason_code.as_deref(), row.reason_params.is_none()), (Some("job_said"), true));
    assert!(matches!(row.why(), Reason::JobSaid { text } if text.ends_with("[cut]")));
}

pub(crate) async fn an_item_stands_as_its_newest_fire_ended_and_never_goes_back(store: Arc<EventStore>) {
    let end = |n: i64, outcome: Outcome| within("n", Settlement { outcome, ..settled("j", 0, T + n) });
    let skipped = || Outcome::Skipped { reason: Reason::PreviousRunning {} };
    let state = async || {
        let mut states = store.states(0, 10).await.unwrap();
        assert_eq!(states.len(), 1, "{states:?}");
        let state = states.remove(0);
        (state.fire_time - T, state.outcome, state.streak, state.good.map(|at| at - T))
    };
    put(&*store, [end(20, skipped())]).await;
    assert_eq!(state().await, (20, OutcomeKind::Skipped, 0, None));
    put(&*store, [end(31, failure()), end(30, failure())]).await;
    assert_eq!(state().await, (31, OutcomeKind::Failed, 2, None));
    // Late from a spool; it changes nothing, nor does a batch that is stored again.
    put(&*store, [end(10, Outcome::Succeeded), end(31, failure())]).await;
    assert_eq!(state().await, (31, OutcomeKind::Failed, 2, None));
    put(&*store, [end(40, failure()), end(41, skipped())]).await;
    assert_eq!(state().await, (41, OutcomeKind::Skipped, 3, None));
    put(&*store, [end(50, failure()), end(51, Outcome::Succeeded), end(52, failure())]).await;
    assert_eq!(state().await, (52, OutcomeKind::Failed, 1, Some(53)));
    let row = store.states(0, 10).await.unwrap().remove(0);
    assert_eq!(
        (row.failure_kind.as_deref(), row.reason_code.as_deref(), row.took),
        (Some("job"), Some("exit_code"), None)
    );
    // Who has seen it asks from its change on, and sees it again, and what changed later.
    put(&*store, [within("n", settled("j", 1, T)), within("m", settled("j", 0, T))]).await;
    assert_eq!(store.states(row.changed, 10).await.unwrap().len(), 3);
    assert_eq!(store.states(row.changed + 3_600_000, 10).await.unwrap(), []);
    assert_eq!(store.states(0, 2).await.unwrap().len(), 2);
}

fn ended(kind: ChangeKind, transaction: i64, witness: &str) -> Change {
    Change { kind, witness: InstanceId::from_wire(witness), at: T, ..testing::change(transaction) }
}

pub(crate) async fn a_change_is_on_record_once_as_its_subject_tells_it(store: Arc<EventStore>) {
    use ChangeKind::{Joined, Left, Lost};
    let told = async || -> Vec<(ChangeKind, String)> {
        let rows = store.changes(&ChangeFilter::default(), &Page::first(10)).await.unwrap().rows;
        rows.into_iter().map(|row| (row.kind, row.witness)).collect()
    };
    let (own, other, third) = ("10.0.0.1@-@7", "10.0.0.2@-@7", "10.0.0.3@-@7");
    let row = |kind, witness: &str| (kind, witness.to_owned());
    put(&*store, [ended(Lost, 1, other), ended(Lost, 1, third)]).await;
    assert_eq!(told().await, [row(Lost, other)]);
    put(&*store, [ended(Lost, 1, third), ended(Left, 1, own)]).await;
    assert_eq!(told().await, [row(Left, own)]);
    // What others think afterwards changes nothing.
    put(&*store, [ended(Lost, 1, other)]).await;
    put(&*store, [ended(Left, 1, own), ended(Joined, 1, other)]).await;
    assert_eq!(told().await, [row(Joined, other), row(Left, own)]);
}

pub(crate) async fn changes_are_found_by_job_namespace_and_time_page_by_page(store: Arc<EventStore>) {
    let paused = |n: i64| Change {
        kind: ChangeKind::Paused,
        subject: "".into(),
        by: "anna".into(),
        reason: "a \0 release".into(),
        ..testing::change(n)
    };
    let clock = Change { job: None, kind: ChangeKind::ClockAhead, ..testing::change(5) };
    let elsewhere = Change { namespace: "m".into(), ..testing::change(6) };
    let other = Change { job: Some(job("k")), ..testing::change(7) };
    let all: Vec<Change> = (0..5).map(paused).chain([clock, elsewhere, other]).collect();
    put(&*store, all).await;
    let found = async |filter: ChangeFilter| {
        // One by one, so that every page begins behind a row.
        let (mut times, mut page) = (Vec::new(), Page::first(1));
        loop {
            let answer = store.changes(&filter, &page).await.unwrap();
            times.extend(answer.rows.iter().map(|row| row.at));
            let Some(next) = answer.next else { return times };
            page = Page::after(1, next);
        }
    };
    let of_job =
        ChangeFilter { job: Some("j".into()), namespaces: vec!["n".into()], ..ChangeFilter::default() };
    assert_eq!(found(of_job.clone()).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(found(ChangeFilter { from: Some(1), to: Some(3), ..of_job.clone() }).await, [2, 1]);
    assert_eq!(found(ChangeFilter::default()).await.len(), 8);
    let row = store.changes(&of_job, &Page::first(2)).await.unwrap().rows.remove(1);
    assert_eq!((row.by.as_str(), row.reason.as_str(), row.job.as_str()), ("anna", "a ␀ release", "j"));
    // Old ones go with the rest of history.
    let keep = Retention { age: std::time::Duration::from_millis(10), ..Retention::default() };
    store.prune(&keep, 14).await.unwrap();
    assert_eq!(found(ChangeFilter::default()).await, [7, 6, 5, 4]);
}

pub(crate) async fn the_greatest_token_of_a_namespace_is_known_whatever_comes_late(store: Arc<EventStore>) {
    let greatest = async |namespace| store.greatest_token(namespace).await.unwrap();
    let end = |item, n: i64, token| within("n", Settlement { token, ..settled("j", item, T + n) });
    assert_eq!(greatest("n").await, 0);
    put(&*store, [end(0, 1, 1 << 50), end(1, 1, 7), end(0, 2, 8)]).await;
    assert_eq!(greatest("n").await, 1 << 50);
    // An earlier fire, brought late, of a later claim; then a later fire of an earlier one, and what nothing ran for.
    put(&*store, [end(1, 0, i64::MAX)]).await;
    put(&*store, [end(1, 2, 9), within("n", unrun("j", 1, T + 3, Outcome::Missed { reason: "".into() }))])
        .await;
    assert_eq!((greatest("n").await, greatest("m").await), (i64::MAX, 0));
    let state = store.states(0, 10).await.unwrap().into_iter().find(|state| state.item == 1).unwrap();
    assert_eq!((state.fire_time, state.outcome), (T + 3, OutcomeKind::Missed));
    // What a version recorded that kept no namespace belongs to all.
    put(&*store, [settled("j", 0, T)]).await;
    assert_eq!(greatest("m").await, 5);
}

pub(crate) async fn a_store_says_which_it_is_and_no_two_are_the_same(store: Arc<EventStore>) {
    let identity = store.identity().await.unwrap();
    assert_eq!(identity.len(), 32);
    let other = EventStore::in_memory().await.unwrap();
    assert_ne!(other.identity().await.unwrap(), identity);
    let bus = Bus::start(vec![store, other.clone()], BusOptions::default());
    assert_eq!(bus.stores().await, Some(vec![identity, other.identity().await.unwrap()]));
    assert_eq!(Bus::silent().stores().await, Some(Vec::new()));
    bus.close(std::time::Duration::from_secs(5)).await;
}

pub(crate) async fn durations_are_read_from_a_digest(store: Arc<EventStore>) {
    for half in 0..2 {
        let took = |n: i64| {
            let end = settled("j", (n % 2) as u32, T + n);
            Settlement { start: Some(T), at: T + n, ..within("n", end) }
        };
        put(&*store, (1 + half * 500..=500 + half * 500).map(took)).await;
        put(&*store, [Settlement { outcome: failure(), start: Some(0), ..settled("j", 0, T + half) }]).await;
        store.fold().await.unwrap();
    }
    let all = store.durations(Some("n"), "j", None).await.unwrap();
    assert_eq!(all.count, 1000);
    for (found, right) in [(all.p50, 500.0), (all.p95, 950.0), (all.p99, 990.0)] {
        assert!((found as f64 / right - 1.0).abs() < 0.1, "{all:?}");
    }
    assert_eq!(store.durations(None, "j", Some(1)).await.unwrap().count, 500);
    for (namespace, job) in [(Some("m"), "j"), (None, "k")] {
        assert_eq!(store.durations(namespace, job, None).await.unwrap().count, 0);
    }
}

pub(crate) async fn counts_are_the_same_before_and_after_they_are_folded(store: Arc<EventStore>) {
    for n in 0..5 {
        put(&*store, (0..9).map(|job| settled(&format!("j{job}"), n, T + i64::from(n) * 60_000))).await;
    }
    let ask = async |job, width| store.statistics(None, job, width, 0, i64::MAX).await.unwrap();
    let before = (ask(None, Width::Minute).await, ask(Some("j3"), Width::Hour).await);
    assert_eq!(before.0.iter().map(|row| row.succeeded).collect::<Vec<_>>(), [9; 5]);
    store.fold().await.unwrap();
    assert_eq!((ask(None, Width::Minute).await, ask(Some("j3"), Width::Hour).await), before);
    assert_eq!(store.fold().await.unwrap(), 0);
}

pub(crate) async fn the_tail_tells_each_outcome_once_in_the_order_of_storing(store: Arc<EventStore>) {
    put(&*store, [settled("j", 0, T + 9)]).await;
    let TailPage { rows, next, whole } = store.after(Tail::END, 100).await.unwrap();
    assert!(rows.is_empty() && whole);
    for n in 0..3 {
        // Each has one that was stored before.
        put(&*store, [settled("j", 0, T - n), settled("j", 0, T - n - 1)]).await;
    }
    let page = store.after(next, 100).await.unwrap();
    let times: Vec<i64> = page.rows.iter().map(|row| row.fire_time - T).collect();
    assert_eq!((times, page.whole), (vec![0, -1, -2, -3], true));
    assert_eq!(store.after(page.next, 100).await.unwrap(), TailPage { rows: vec![], ..page.clone() });
    let first = store.after(next, 1).await.unwrap();
    assert_eq!(first.rows.len(), 2, "whole batches");
    assert_eq!(store.after(first.next, 100).await.unwrap().rows.len(), 2);
    assert_eq!(store.after(Tail(next.0 - 5), 100).await.unwrap().whole, next.0 == 5);
}

pub(crate) async fn a_batch_is_a_part_of_the_callers_transaction(store: Arc<EventStore>) {
    for kept in [false, true] {
        let mut tx = store.begin().await.unwrap();
        let batch = [Event::Settlement(settled("j", 0, T)), Event::Settlement(settled("j", 1, T))];
        assert_eq!(store.write_in(&mut tx, &batch).await.unwrap(), 0);
        if kept {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        let rows = runs(&*store, RunFilter::default()).await.len();
        let counted = store.statistics(None, None, Width::Day, 0, i64::MAX).await.unwrap().len();
        assert_eq!((rows, counted), if kept { (2, 1) } else { (0, 0) });
    }
}

pub(crate) async fn outcomes_are_counted_once_by_minute_hour_and_day<S: Store>(store: Arc<S>) {
    let minute = Width::Minute.start_of(T);
    let at = |n: i64, outcome: Outcome| Settlement { outcome, at: minute + n, ..settled("j", 0, T + n) };
    let failure = || Outcome::Failed { kind: FailureKind::Job, reason: "".into() };
    let missed = Settlement {
        range: Some((T, 10)),
        at: minute + 60_000,
        ..unrun("k", 0, T + 9, Outcome::Missed { reason: "".into() })
    };
    put(&*store, [at(0, Outcome::Succeeded), at(59_999, failure())]).await;
    // Partly known, partly new, and one twice in the batch.
    let skipped = at(1, Outcome::Skipped { reason: "".into() });
    put(&*store, [at(0, Outcome::Succeeded), missed.clone(), skipped.clone(), skipped.clone()]).await;
    put(&*store, [missed, skipped]).await;
    assert_eq!(store.conflicts(), 0);
    let first = StatisticsRow { at: minute, succeeded: 1, failed: 1, skipped: 1, ..StatisticsRow::default() };
    let second = StatisticsRow { at: minute + 60_000, missed: 10, ..StatisticsRow::default() };
    let ask = async |job, width| {
        store.statistics(None, job, width, minute - 86_400_000, minute + 86_400_000).await.unwrap()
    };
    assert_eq!(ask(None, Width::Minute).await, [first, second]);
    for width in [Width::Hour, Width::Day] {
        let at = width.start_of(minute);
        assert_eq!(ask(None, width).await, [StatisticsRow { at, missed: 10, ..first }]);
        assert_eq!(ask(Some("j"), width).await, [StatisticsRow { at, ..first }]);
        assert_eq!(ask(Some("k"), width).await, [StatisticsRow { at, ..second }]);
        assert_eq!(ask(Some("' OR 1=1 --"), width).await, []);
    }
    assert_eq!(store.statistics(None, None, Width::Minute, minute + 1, minute + 60_000).await.unwrap(), []);
    // A batch that is written in several statements, and has each of its events twice.
    let many = (0..300).map(|n| Settlement { at: minute + 120_000, ..settled("m", 0, T + n) });
    put(&*store, many.clone().chain(many)).await;
    assert_eq!(ask(Some("m"), Width::Day).await[0].succeeded, 300);
}

pub(crate) async fn a_loss_is_on_record_once<S: Store>(store: Arc<S>) {
    let loss = Loss {
        id: id(1),
        from: T,
        to: T + 10,
        statuses: 4,
        executions: 3,
        settlements: 2,
        failures: 1,
        reason: "the spool was full\0".into(),
    };
    for _ in 0..2 {
        store.record_loss(&loss).await.unwrap();
    }
    let rows = store.losses(T + 10, T + 11).await.unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.statuses, row.executions, row.settlements, row.failures), (4, 3, 2, 1));
    assert_eq!((row.from, row.to, row.reason.as_str()), (T, T + 10, "the spool was full␀"));
    assert_eq!(store.losses(T + 11, T + 20).await.unwrap(), []);
    assert_eq!(store.losses(T - 10, T).await.unwrap(), []);
}
