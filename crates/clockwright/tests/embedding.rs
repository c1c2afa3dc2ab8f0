//! What a program relies on that has a scheduler in it: it hears of outcomes, its listeners and handlers are told, and the end is an end.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright::{
    Failure, FailureKind, Heard, Job, Outcome, Outcomes, Registry, Retry, RunReport, Scheduler,
    SchedulerOptions, Settlement, ShardContext,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: &str = "0 0 0 1 1 ? 2099";

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Starts an instance of one job, and waits until its items are shared out.
async fn start(registry: &Registry, job: Job, options: SchedulerOptions) -> Scheduler {
    let scheduler = Scheduler::start_with(registry, vec![job], options).await.unwrap();
    soon("it is ready", scheduler.ready()).await;
    scheduler
}

async fn next(outcomes: &mut Outcomes) -> Arc<Settlement> {
    match soon("an outcome", outcomes.next()).await {
        Some(Heard::Outcome(settlement)) => settlement,
        other => panic!("{other:?}"),
    }
}

/// Says when it is dropped.
struct Guard(UnboundedSender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("the run is gone");
    }
}

/// A job whose one run says that it began, and never ends by itself.
fn endless(said: &UnboundedSender<&'static str>) -> Job {
    let said = said.clone();
    Job::simple("a", NEVER, move |_: ShardContext| {
        let guard = Guard(said.clone());
        async move {
            let _ = guard.0.send("a run began");
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<(), String>(())
        }
    })
}

async fn said(heard: &mut UnboundedReceiver<&'static str>) -> &'static str {
    soon("something is said", heard.recv()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_scheduler_ends_its_runs_and_others_take_the_items_over_when_nothing_is_left_of_them() {
    let registry = Registry::in_memory("jobs").unwrap();
    let (say, mut heard) = unbounded_channel();
    let first = start(&registry, endless(&say).failover(true), SchedulerOptions::default()).await;
    let mut outcomes = first.outcomes();
    registry.job("a").trigger().await.unwrap();
    assert_eq!(said(&mut heard).await, "a run began");
    let second = Scheduler::start(&registry, vec![endless(&say).failover(true)]).await.unwrap();
    drop(first);
    assert_eq!(said(&mut heard).await, "the run is gone");
    assert_eq!(said(&mut heard).await, "a run began", "the second instance took the item over");
    assert_eq!(soon("the subscription ends", outcomes.next()).await, None, "nothing was decided");
    drop(second);
    assert_eq!(said(&mut heard).await, "the run is gone");
}

/// An instance whose run goes on, and may go on for an hour after a shutdown began.
async fn running() -> (Scheduler, UnboundedReceiver<&'static str>) {
    let registry = Registry::in_memory("jobs").unwrap();
    let (say, mut heard) = unbounded_channel();
    let options = SchedulerOptions::default().shutdown_grace(Duration::from_secs(3_600));
    let scheduler = start(&registry, endless(&say), options).await;
    registry.job("a").trigger().await.unwrap();
    assert_eq!(said(&mut heard).await, "a run began");
    (scheduler, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_that_is_given_up_leaves_nothing_behind() {
    let (scheduler, mut heard) = running().await;
    tokio::time::timeout(Duration::from_millis(20), scheduler.shutdown()).await.unwrap_err();
    assert_eq!(said(&mut heard).await, "the run is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_within_a_limit_ends_by_then_and_names_what_it_did_not_give_back() {
    let (scheduler, mut heard) = running().await;
    let begun = Instant::now();
    let report = scheduler.shutdown_within(Duration::from_millis(400)).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "the run alone had 5 s to stop: {:?}", begun.elapsed());
    assert_eq!(said(&mut heard).await, "the run is gone");
    let left = &report.not_given_back[..];
    assert!(left.len() == 1 && left[0].job.as_str() == "a" && left[0].running == [0], "{report:?}");
    assert!(!report.is_clean() && report.to_string().contains("1 item of `a`"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_with_time_enough_gives_everything_back() {
    let registry = Registry::in_memory("jobs").unwrap();
    let job = Job::simple("a", NEVER, |_| async { Ok::<(), String>(()) });
    let scheduler = start(&registry, job, SchedulerOptions::default()).await;
    let report = soon("the end", scheduler.shutdown_within(PATIENCE)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(registry.job("a").get().await.unwrap().instances.len(), 0);
}

/// Two items, of which item 0 fails at its first attempt.
fn fails_at_first() -> Job {
    let job = Job::simple("a", NEVER, |context: ShardContext| async move {
        if context.attempt == 1 && context.item == 0 { Err("no luck") } else { Ok(()) }
    });
    job.sharding(2).retry(Retry::attempts(2).backoff(Duration::from_millis(10)))
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_each_outcome_once_and_that_the_scheduler_ended() {
    let registry = Registry::in_memory("jobs").unwrap();
    let scheduler = start(&registry, fails_at_first(), SchedulerOptions::default()).await;
    let mut outcomes = [scheduler.outcomes(), scheduler.outcomes()];
    registry.job("a").trigger_once("now").await.unwrap();
    for outcomes in &mut outcomes {
        let mut heard = [next(outcomes).await, next(outcomes).await];
        heard.sort_by_key(|settled| settled.item);
        for (settled, attempt) in heard.iter().zip([2, 1]) {
            assert_eq!(
                (settled.job.as_str(), &settled.outcome, settled.attempt),
                ("a", &Outcome::Succeeded, attempt)
            );
            assert!(settled.run_id.is_some() && settled.ran_for().is_some() && settled.late_by().is_some());
        }
        assert_eq!(heard[0].fire, heard[1].fire);
        assert_eq!(outcomes.try_next(), None);
    }
    scheduler.shutdown().await;
    for outcomes in &mut outcomes {
        assert_eq!(soon("the end", outcomes.next()).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_keep_up_is_told_how_many_outcomes_it_missed() {
    const ITEMS: u64 = 1_100;
    let registry = Registry::in_memory("jobs").unwrap();
    let job = Job::simple("a", NEVER, |_| async { Ok::<(), String>(()) }).sharding(ITEMS as u32);
    let scheduler = start(&registry, job, SchedulerOptions::default()).await;
    let mut slow = scheduler.outcomes();
    registry.job("a").trigger().await.unwrap();
    // Nobody waits for the subscriber: all items end though it does not listen.
    let all_ended = async {
        while registry.job("a").get().await.unwrap().items.iter().any(|item| item.last.is_none()) {
            tokio::task::yield_now().await;
        }
    };
    soon("all items ran", all_ended).await;
    soon("the end", scheduler.shutdown()).await;
    let (mut heard, mut missed) = (0, 0);
    while let Some(next) = slow.next().await {
        match next {
            Heard::Outcome(_) => heard += 1,
            Heard::Missed(count) => missed += count,
        }
    }
    assert_eq!((heard, missed), (1_024, ITEMS - 1_024));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_around_runs_are_told_what_became_of_them() {
    let registry = Registry::in_memory("jobs").unwrap();
    let (before, mut begun) = unbounded_channel::<Vec<ShardContext>>();
    let (after, mut ended) = unbounded_channel::<Vec<RunReport>>();
    let (failed, mut failures) = unbounded_channel::<Failure>();
    let job = fails_at_first()
        .before(move |contexts| {
            before.send(contexts).unwrap();
            async { Err("what a listener says changes nothing") }
        })
        .on_failure(|_| async { panic!("nor does a handler that panics") as Result<(), String> })
        .on_failure(move |failure| {
            failed.send(failure).unwrap();
            async { Ok::<(), String>(()) }
        })
        .after(move |runs| {
            after.send(runs).unwrap();
            async { Ok::<(), String>(()) }
        });
    let scheduler = start(&registry, job, SchedulerOptions::default()).await;
    registry.job("a").trigger().await.unwrap();
    let first = soon("the runs end", ended.recv()).await.unwrap();
    let of = |runs: &[RunReport]| -> Vec<_> {
        runs.iter().map(|run| (run.context.item, run.context.attempt, run.is_failure())).collect()
    };
    assert_eq!(of(&first), [(0, 1, true), (1, 1, false)]);
    let second = soon("the retry ends", ended.recv()).await.unwrap();
    assert_eq!(of(&second), [(0, 2, false)], "a further attempt is a firing of its own");
    assert_eq!([begun.recv().await.unwrap().len(), begun.recv().await.unwrap().len()], [2, 1]);
    let failure = soon("the failure is told", failures.recv()).await.unwrap();
    assert_eq!((failure.context.item, failure.kind), (0, FailureKind::Job));
    assert_eq!(failure.reason.to_string(), "no luck");
    scheduler.shutdown().await;
    assert!(failures.recv().await.is_none(), "one attempt failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_what_is_called_after_the_runs() {
    let registry = Registry::in_memory("jobs").unwrap();
    let (say, mut heard) = unbounded_channel();
    let (go_on, held) = oneshot::channel::<()>();
    let held = Arc::new(tokio::sync::Mutex::new(Some(held)));
    let job = Job::simple("a", NEVER, |_| async { Ok::<(), String>(()) }).after(move |_| {
        let (say, held) = (say.clone(), held.clone());
        async move {
            say.send("called").unwrap();
            let held = held.lock().await.take().unwrap();
            held.await.map_err(|error| error.to_string())?;
            say.send("done").map_err(|error| error.to_string())
        }
    });
    let scheduler = start(&registry, job, SchedulerOptions::default()).await;
    let mut outcomes = scheduler.outcomes();
    registry.job("a").trigger().await.unwrap();
    assert_eq!(said(&mut heard).await, "called");
    next(&mut outcomes).await;
    let end = tokio::spawn(scheduler.shutdown());
    // By then the instance has nothing left to do but this call.
    let gone = async {
        while !registry.job("a").get().await.unwrap().instances.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("the items are given back", gone).await;
    assert!(!end.is_finished());
    go_on.send(()).unwrap();
    assert_eq!(said(&mut heard).await, "done");
    assert!(soon("the end", end).await.unwrap().is_clean());
}
