//! In-process jobs: asynchronous functions, called once per item.
//!
//! The function's future is polled in the task that runs the item. If it is ready at once, nothing else is made for it:
//! no timer, no task, no channel. Otherwise it goes on beside a watchdog that waits for the three things which may end it
//! from outside:
//!
//! * a **stop request**: the function is asked through its [`CancelSignal`]; after the grace period its future is dropped,
//! * its **timeout**: its future is dropped,
//! * the **end of the lease**: its future is dropped, since somebody else may own the item from now on.
//!
//! Dropping ends a function where it awaits. One that blocks its thread without awaiting (a long computation, blocking
//! file IO) cannot be ended and holds up others: such work belongs in `tokio::task::spawn_blocking` or in a script job.
//! A panic ends only its own run.

use crate::control::{lease_end, stop_request};
use crate::{Control, RunEnd, RunResult, RunSpec, Runtime, Stop, StopReason};
use async_trait::async_trait;
use clockwright_model::{FailureKind, Millis, Reason, ShardContext};
use futures::FutureExt;
use std::any::Any;
use std::fmt::Display;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A simple job: a function called once per item.
///
/// ```
/// # use clockwright_runtime::SimpleFn;
/// let job = SimpleFn::new(|context, _cancel| async move {
///     if context.item > 2 { Err(format!("item {} has no table", context.item)) } else { Ok(()) }
/// });
/// ```
pub struct SimpleFn<F>(F);

impl<F, Work, E> SimpleFn<F>
where
    F: Fn(ShardContext, CancelSignal) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    /// Wraps a function. Its error becomes the reason of the failure.
    pub fn new(function: F) -> Self {
        Self(function)
    }
}

#[async_trait]
impl<F, Work, E> Runtime for SimpleFn<F>
where
    F: Fn(ShardContext, CancelSignal) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd {
        let signal = CancelSignal::new(&control);
        let (context, asked) = (spec.context, signal.clone());
        let work = async move { (self.0)(context, asked).await.map_err(|error| error.to_string()) };
        hold(work, &signal, spec.timeout, spec.grace, control).await
    }
}

/// Tells a function that its run is to end. Clones tell the same.
#[derive(Debug, Clone)]
pub struct CancelSignal {
    stop: watch::Receiver<Stop>,
    /// Whether the function took notice. One that finishes without having looked has done its work, whoever asked it to
    /// stop meanwhile.
    seen: Arc<AtomicBool>,
}

impl CancelSignal {
    pub(crate) fn new(control: &Control) -> Self {
        Self { stop: control.stop.clone(), seen: Arc::new(AtomicBool::new(false)) }
    }

    /// True once the run is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let cancelled = *self.stop.borrow() != Stop::No;
        if cancelled {
            self.seen.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    /// Returns once the run is to end; never, if nobody ends it.
    pub async fn cancelled(&self) {
        stop_request(&mut self.stop.clone()).await;
        self.seen.store(true, Ordering::Relaxed);
    }

    /// Why the function gave in, if it did.
    fn obeyed(&self) -> Option<StopReason> {
        match *self.stop.borrow() {
            Stop::Now(reason) if self.seen.load(Ordering::Relaxed) => Some(reason),
            _ => None,
        }
    }
}

/// A dataflow job's code: fetch some data, process it.
pub trait Dataflow: Send + Sync + 'static {
    /// One piece of data.
    type Data: Send;
    /// What goes wrong; its text becomes the reason of the failure.
    type Error: Display;

    /// Gets the next batch; an empty one ends the run.
    ///
    /// # Errors
    /// An error ends the run as failed.
    fn fetch(
        &self,
        context: &ShardContext,
    ) -> impl Future<Output = Result<Vec<Self::Data>, Self::Error>> + Send;

    /// Processes a batch that is not empty.
    ///
    /// # Errors
    /// An error ends the run as failed.
    fn process(
        &self,
        context: &ShardContext,
        batch: Vec<Self::Data>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Runs a [`Dataflow`]: once, or, when `streaming`, batch after batch until a fetch comes back empty, the run is to wind
/// down (looked at after each processed batch) or it is stopped.
pub struct DataflowJob<D> {
    code: D,
    streaming: bool,
}

impl<D: Dataflow> DataflowJob<D> {
    /// Wraps the code.
    pub fn new(code: D, streaming: bool) -> Self {
        Self { code, streaming }
    }

    async fn flow(
        &self,
        context: &ShardContext,
        signal: &CancelSignal,
        wind_down: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        loop {
            let batch = self.code.fetch(context).await.map_err(|error| error.to_string())?;
            if batch.is_empty() {
                return Ok(());
            }
            self.code.process(context, batch).await.map_err(|error| error.to_string())?;
            if !self.streaming || *wind_down.borrow() || signal.is_cancelled() {
                return Ok(());
            }
            // Code that never awaits anything slow would hold this thread for as long as the stream lasts.
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl<D: Dataflow> Runtime for DataflowJob<D> {
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd {
        let signal = CancelSignal::new(&control);
        let wind_down = control.wind_down.clone();
        let work = self.flow(&spec.context, &signal, &wind_down);
        // A dataflow has no signal to look at in the middle of a batch, so the grace period is the time that the batch
        // under way still gets.
        hold(work, &signal, spec.timeout, spec.grace, control).await
    }
}

/// A [`Dataflow`] made of two functions.
pub struct DataflowFns<Fetch, Process> {
    fetch: Fetch,
    process: Process,
}

impl<Fetch, Process, T, E, Fetching, Processing> DataflowFns<Fetch, Process>
where
    Fetch: Fn(ShardContext) -> Fetching + Send + Sync + 'static,
    Process: Fn(ShardContext, Vec<T>) -> Processing + Send + Sync + 'static,
    Fetching: Future<Output = Result<Vec<T>, E>> + Send,
    Processing: Future<Output = Result<(), E>> + Send,
    T: Send + 'static,
    E: Display + 'static,
{
    /// Takes what fetches and what processes, and makes a runtime of them.
    pub fn job(fetch: Fetch, process: Process, streaming: bool) -> impl Runtime {
        /// Binds the types that the two functions have in common.
        struct Pair<Fns, T, E>(Fns, std::marker::PhantomData<fn() -> (T, E)>);

        impl<Fetch, Process, T, E, Fetching, Processing> Dataflow for Pair<DataflowFns<Fetch, Process>, T, E>
        where
            Fetch: Fn(ShardContext) -> Fetching + Send + Sync + 'static,
            Process: Fn(ShardContext, Vec<T>) -> Processing + Send + Sync + 'static,
            Fetching: Future<Output = Result<Vec<T>, E>> + Send,
            Processing: Future<Output = Result<(), E>> + Send,
            T: Send + 'static,
            E: Display + 'static,
        {
            type Data = T;
            type Error = E;

            fn fetch(&self, context: &ShardContext) -> impl Future<Output = Result<Vec<T>, E>> + Send {
                (self.0.fetch)(context.clone())
            }

            fn process(
                &self,
                context: &ShardContext,
                batch: Vec<T>,
            ) -> impl Future<Output = Result<(), E>> + Send {
                (self.0.process)(context.clone(), batch)
            }
        }

        DataflowJob::new(Pair(Self { fetch, process }, std::marker::PhantomData), streaming)
    }
}

/// Polls the work until it ends or has to be ended.
pub(crate) async fn hold(
    work: impl Future<Output = Result<(), String>> + Send,
    signal: &CancelSignal,
    timeout: Option<Millis>,
    grace: Millis,
    control: Control,
) -> RunEnd {
    if let Some(reason) = control.verdict() {
        return ended(RunResult::Stopped(reason));
    }
    // Boxed, so that it can be dropped here, where a panicking destructor is caught.
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    // The work is polled first; the watchdog sets up nothing before it is polled itself.
    let cut = tokio::select! {
        biased;
        answer = work.as_mut() => return ended(result(answer, signal)),
        cut = watchdog(timeout, grace, control) => cut,
    };
    match catch_unwind(AssertUnwindSafe(|| drop(work))) {
        Ok(()) => ended(cut),
        Err(panic) => ended(panicked(&*panic)),
    }
}

/// Waits until the run must be ended from outside, and says what that makes of it.
async fn watchdog(timeout: Option<Millis>, grace: Millis, mut control: Control) -> RunResult {
    let stopped = async {
        let reason = stop_request(&mut control.stop).await;
        tokio::time::sleep(millis(grace)).await;
        reason
    };
    let timed_out = async {
        match timeout {
            Some(timeout) => {
                tokio::time::sleep(millis(timeout)).await;
                timeout
            }
            None => pending().await,
        }
    };
    tokio::select! {
        reason = stopped => RunResult::Stopped(reason),
        () = lease_end(control.lease.as_mut()) => RunResult::Stopped(StopReason::LeaseLost),
        limit = timed_out => timeout_failure(limit),
    }
}

/// What the end of the work itself means.
fn result(answer: Result<Result<(), String>, Box<dyn Any + Send>>, signal: &CancelSignal) -> RunResult {
    match answer {
        Err(panic) => panicked(&*panic),
        Ok(answer) => match (signal.obeyed(), answer) {
            (Some(reason), _) => RunResult::Stopped(reason),
            (None, Ok(())) => RunResult::Succeeded,
            (None, Err(text)) => {
                RunResult::Failed { kind: FailureKind::Job, reason: Reason::JobSaid { text } }
            }
        },
    }
}

fn panicked(panic: &(dyn Any + Send)) -> RunResult {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    RunResult::Failed { kind: FailureKind::Panic, reason: Reason::Panicked { text: message.to_owned() } }
}

/// The failure of a run that took too long.
pub(crate) fn timeout_failure(limit: Millis) -> RunResult {
    RunResult::Failed { kind: FailureKind::Timeout, reason: Reason::TimedOut { limit } }
}

fn ended(result: RunResult) -> RunEnd {
    RunEnd::silent(result)
}

/// A duration; negative ones count as none.
pub(crate) fn millis(millis: Millis) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
