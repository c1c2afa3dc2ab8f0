//! In-process jobs: what their end means, and that nothing they do reaches beyond their own run.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{FailureKind, JobName, Reason, ShardContext};
use clockwright_runtime::{
    CancelSignal, Control, DataflowFns, RunEnd, RunResult, RunSpec, Runtime, SimpleFn, Stop, StopReason,
    boottime,
};
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

fn spec() -> RunSpec {
    let example = ShardContext::example(JobName::new("job").unwrap());
    let context = ShardContext { sharding_total_count: 6, item: 5, ..example };
    RunSpec { context, timeout: None, grace: 10_000 }
}

fn job_said(text: &str) -> RunResult {
    RunResult::Failed { kind: FailureKind::Job, reason: Reason::JobSaid { text: text.to_owned() } }
}

fn panicked(text: &str) -> RunResult {
    RunResult::Failed { kind: FailureKind::Panic, reason: Reason::Panicked { text: text.to_owned() } }
}

async fn run(runtime: impl Runtime) -> RunResult {
    runtime.run(spec(), Control::unattended()).await.result
}

fn stoppable() -> (watch::Sender<Stop>, Control) {
    let (stop, stopped) = watch::channel(Stop::No);
    (stop, Control { stop: stopped, ..Control::unattended() })
}

/// Sets a flag when it is dropped.
struct Dropped(Arc<AtomicU32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_a_function_returns_is_its_result() {
    assert_eq!(run(SimpleFn::new(|_, _| async { Ok::<_, Infallible>(()) })).await, RunResult::Succeeded);
    let unlucky =
        SimpleFn::new(|context, _| async move { Err::<(), _>(format!("item {} is no good", context.item)) });
    assert_eq!(run(unlucky).await, job_said("item 5 is no good"));
}

#[tokio::test]
async fn a_panic_ends_its_own_run_only_and_its_message_is_kept() {
    async fn panic(late: bool) -> Result<(), Infallible> {
        if late {
            tokio::task::yield_now().await;
        }
        panic!("no {}", if late { "second" } else { "first" })
    }
    let expected = |word| panicked(&format!("no {word}"));
    assert_eq!(run(SimpleFn::new(|_, _| panic(false))).await, expected("first"));
    assert_eq!(run(SimpleFn::new(|_, _| panic(true))).await, expected("second"));
    let early =
        SimpleFn::new(|_, _| -> std::future::Ready<Result<(), Infallible>> { panic!("before a future") });
    assert_eq!(run(early).await, panicked("before a future"));
    let silent = SimpleFn::new(|_, _| async {
        std::panic::panic_any(7);
        #[expect(unreachable_code, reason = "says what is returned")]
        Ok::<_, Infallible>(())
    });
    assert_eq!(run(silent).await, panicked("without a message"));
}

#[tokio::test]
async fn a_panic_while_a_run_is_dropped_is_caught_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom")
        }
    }
    let runtime = SimpleFn::new(|_, _| async {
        let _bomb = Bomb;
        pending::<Result<(), Infallible>>().await
    });
    let end = runtime.run(RunSpec { timeout: Some(1), ..spec() }, Control::unattended()).await;
    assert_eq!(end.result, panicked("boom"));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_never_ends_is_dropped_at_its_timeout() {
    let dropped = Arc::new(AtomicU32::new(0));
    let guard = dropped.clone();
    let runtime = SimpleFn::new(move |_, _| {
        let guard = Dropped(guard.clone());
        async move {
            let _guard = guard;
            pending::<Result<(), Infallible>>().await
        }
    });
    let begun = Instant::now();
    let end = runtime.run(RunSpec { timeout: Some(60_000), ..spec() }, Control::unattended()).await;
    assert_eq!(
        end.result,
        RunResult::Failed { kind: FailureKind::Timeout, reason: Reason::TimedOut { limit: 60_000 } }
    );
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

/// Starts a run, waits until the function says that it is under way, stops it, and says how long the end took.
async fn stop_after_start<F, W>(function: F) -> (RunEnd, Duration)
where
    F: Fn(Arc<Notify>, CancelSignal) -> W + Send + Sync + 'static,
    W: Future<Output = Result<(), Infallible>> + Send + 'static,
{
    let started = Arc::new(Notify::new());
    let started_too = started.clone();
    let runtime = SimpleFn::new(move |_, cancel| function(started_too.clone(), cancel));
    let (stop, control) = stoppable();
    let run = tokio::spawn(async move { runtime.run(spec(), control).await });
    started.notified().await;
    let asked = Instant::now();
    stop.send_replace(Stop::Now(StopReason::Cancelled));
    (run.await.unwrap(), asked.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_function_that_heeds_its_signal_ends_at_once_and_is_stopped() {
    let (end, took) = stop_after_start(|started, cancel| async move {
        started.notify_one();
        cancel.cancelled().await;
        Ok(())
    })
    .await;
    assert_eq!((end.result, took), (RunResult::Stopped(StopReason::Cancelled), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_finishes_its_work_in_the_grace_period_has_succeeded() {
    let (end, took) = stop_after_start(|started, _| async move {
        started.notify_one();
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    })
    .await;
    assert_eq!((end.result, took.as_secs()), (RunResult::Succeeded, 3));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_ignores_its_signal_is_dropped_after_the_grace_period() {
    let (end, took) = stop_after_start(|started, _| async move {
        started.notify_one();
        pending().await
    })
    .await;
    assert_eq!((end.result, took.as_secs()), (RunResult::Stopped(StopReason::Cancelled), 10));
}

#[tokio::test]
async fn a_lease_that_passes_ends_the_run_and_a_renewed_one_does_not() {
    let runtime = SimpleFn::new(|_, _| pending::<Result<(), Infallible>>());
    let (renew, lease) = watch::channel(boottime() + 50);
    let control = Control { lease: Some(lease), ..Control::unattended() };
    let until = boottime() + 200;
    renew.send_replace(until);
    let end = runtime.run(spec(), control.clone()).await;
    assert_eq!(end.result, RunResult::Stopped(StopReason::LeaseLost));
    assert!(boottime() >= until);
    drop(renew);
    assert_eq!(runtime.run(spec(), control).await.result, RunResult::Stopped(StopReason::LeaseLost));
}

#[tokio::test]
async fn nothing_is_called_after_a_stop() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let runtime = SimpleFn::new(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(()) }
    });
    let (stop, control) = stoppable();
    stop.send_replace(Stop::Now(StopReason::Shutdown));
    assert_eq!(runtime.run(spec(), control).await.result, RunResult::Stopped(StopReason::Shutdown));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// A dataflow that fetches these batches one after the other, and what it has processed.
fn flow(batches: &[&[u32]], streaming: bool) -> (impl Runtime, Arc<Mutex<Vec<Vec<u32>>>>) {
    let left: Vec<Vec<u32>> = batches.iter().rev().map(|batch| batch.to_vec()).collect();
    let left = Arc::new(Mutex::new(left));
    let done = Arc::new(Mutex::new(Vec::new()));
    let processed = done.clone();
    let fetch = move |_| {
        let batch = left.lock().unwrap().pop().unwrap_or_default();
        async move { Ok::<_, String>(batch) }
    };
    let process = move |_, batch: Vec<u32>| {
        let bad = batch.contains(&13);
        processed.lock().unwrap().push(batch);
        async move { if bad { Err("13 is bad".to_owned()) } else { Ok(()) } }
    };
    (DataflowFns::job(fetch, process, streaming), done)
}

#[tokio::test]
async fn a_dataflow_processes_one_batch_or_a_stream_until_nothing_is_fetched() {
    let (once, done) = flow(&[&[1, 2], &[3]], false);
    assert_eq!(run(once).await, RunResult::Succeeded);
    assert_eq!(*done.lock().unwrap(), [vec![1, 2]]);
    let (stream, done) = flow(&[&[1, 2], &[3], &[], &[4]], true);
    assert_eq!(run(stream).await, RunResult::Succeeded);
    assert_eq!(*done.lock().unwrap(), [vec![1, 2], vec![3]]);
    let (empty, done) = flow(&[&[]], false);
    assert_eq!(run(empty).await, RunResult::Succeeded);
    assert!(done.lock().unwrap().is_empty(), "an empty batch is not processed");
}

#[tokio::test]
async fn a_dataflow_ends_with_its_first_error() {
    let (stream, done) = flow(&[&[1], &[13], &[2]], true);
    assert_eq!(run(stream).await, job_said("13 is bad"));
    assert_eq!(done.lock().unwrap().len(), 2);
    let unfetched = DataflowFns::job(
        |_| async { Err::<Vec<u32>, _>("no database") },
        |_, _| async { Ok::<_, &'static str>(()) },
        true,
    );
    assert_eq!(run(unfetched).await, job_said("no database"));
}

#[tokio::test]
async fn a_stream_winds_down_after_the_batch_under_way() {
    let (stream, done) = flow(&[&[1], &[2]], true);
    let control = Control { wind_down: watch::channel(true).1, ..Control::unattended() };
    assert_eq!(stream.run(spec(), control).await.result, RunResult::Succeeded);
    assert_eq!(*done.lock().unwrap(), [vec![1]]);
}

#[tokio::test]
async fn an_endless_stream_that_never_awaits_lets_others_run_and_is_stopped_between_batches() {
    let (stop, control) = stoppable();
    let batches = Arc::new(AtomicU32::new(0));
    let counter = batches.clone();
    let stream = DataflowFns::job(
        |_| async { Ok::<_, Infallible>(vec![1]) },
        move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        },
        true,
    );
    let run = tokio::spawn(async move { stream.run(spec(), control).await });
    while batches.load(Ordering::SeqCst) < 10 {
        tokio::task::yield_now().await;
    }
    stop.send_replace(Stop::Now(StopReason::Cancelled));
    assert_eq!(run.await.unwrap().result, RunResult::Stopped(StopReason::Cancelled));
}
