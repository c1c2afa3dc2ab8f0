//! Listeners and failure handlers: code of the job's owner around its firings.
//!
//! | what | where and when it is called |
//! |---|---|
//! | [`JobListener`] | on each instance, before the first and after the last of the firing's items there |
//! | [`OnceListener`] | once for a firing of the whole job, on the instance that comes last ([`barrier`]) |
//! | [`FailureHandler`] | on the instance where an attempt failed, as soon as it did |
//!
//! # What they cannot do
//! An error, a panic and a call that does not end are told to the operator, and change nothing: the firing goes on. Each call has a
//! limit ([`JobListener::limit`]), after which its future is dropped, and a call before the runs is given up as soon as the runs are to
//! stop. Calls after the runs, and handlers, hold nothing: the runs' ends are reported first. A shutdown waits for them, at most
//! until the time at which runs would be killed.

mod barrier;

use barrier::{Barrier, Phase};
use clockwright_fleet::keys::Keys;
use clockwright_model::{FailureKind, JobName, Outcome, Reason, ShardContext, Source};
use clockwright_registry::SharedRegistry;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong in a listener: any error, or a text made into one (`"no disk".into()`).
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// Code around each firing on one instance. A failure of it is told and changes nothing else. The methods are written as plain
/// `async fn`:
///
/// ```
/// # use clockwright_engine::{JobListener, ListenerError, RunReport};
/// # use clockwright_model::ShardContext;
/// struct Gate;
///
/// impl JobListener for Gate {
///     async fn before(&self, contexts: &[ShardContext]) -> Result<(), ListenerError> {
///         println!("{} item(s) of {} begin", contexts.len(), contexts[0].job);
///         Ok(())
///     }
///
///     async fn after(&self, runs: &[RunReport]) -> Result<(), ListenerError> {
///         let failed = runs.iter().filter(|run| run.is_failure()).count();
///         if failed > 0 { Err(format!("{failed} item(s) failed").into()) } else { Ok(()) }
///     }
/// }
/// ```
pub trait JobListener: Send + Sync + 'static {
    /// How long one call may take, default one minute. A call that takes longer is given up (its future is dropped), which is
    /// told, and the firing goes on.
    fn limit(&self) -> Duration {
        LIMIT
    }

    /// Before the first of the firing's items starts here. Never without an item.
    fn before(&self, contexts: &[ShardContext]) -> impl Future<Output = Result<(), ListenerError>> + Send {
        let _ = contexts;
        std::future::ready(Ok(()))
    }

    /// After the last of the firing's items ended here, with what became of each, in the order of the items. A failed attempt may be
    /// followed by another one, which is a firing of its own.
    fn after(&self, runs: &[RunReport]) -> impl Future<Output = Result<(), ListenerError>> + Send {
        let _ = runs;
        std::future::ready(Ok(()))
    }
}

/// A listener may be shared, with whoever looks at what it has seen or among jobs.
impl<L: JobListener> JobListener for Arc<L> {
    fn limit(&self) -> Duration {
        (**self).limit()
    }

    fn before(&self, contexts: &[ShardContext]) -> impl Future<Output = Result<(), ListenerError>> + Send {
        (**self).before(contexts)
    }

    fn after(&self, runs: &[RunReport]) -> impl Future<Output = Result<(), ListenerError>> + Send {
        (**self).after(runs)
    }
}

/// How one attempt at one item ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunReport {
    /// What its code was told.
    pub context: ShardContext,
    /// What it came to: succeeded, failed or cancelled. It is the fire's outcome unless another attempt follows.
    pub outcome: Outcome,
    /// How long it ran.
    pub took: Duration,
}

impl RunReport {
    pub(crate) fn new(context: ShardContext, outcome: Outcome, took: Duration) -> Self {
        Self { context, outcome, took }
    }

    /// Whether it failed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// A failed attempt, as a [`FailureHandler`] is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What the attempt's code was told: job, item, fire, number of the attempt, id of the run.
    pub context: ShardContext,
    /// What kind of failure.
    pub kind: FailureKind,
    /// Why, as a code with parameters; as text it is a sentence.
    pub reason: Reason,
    /// How long it ran.
    pub took: Duration,
}

impl Failure {
    fn of(report: &RunReport) -> Option<Self> {
        let Outcome::Failed { kind, reason } = report.outcome.clone() else { return None };
        Some(Self { context: report.context.clone(), kind, reason, took: report.took })
    }
}

/// A listener that is called once for a firing of the whole job, on the instance that comes last.
#[derive(Clone)]
pub struct OnceListener {
    listener: SharedListener,
    start_timeout: Duration,
    complete_timeout: Duration,
}

impl OnceListener {
    /// A listener with the default deadlines: all items are ready to start within 10 s of the first, and have ended within an hour
    /// of the first that ended.
    #[must_use]
    pub fn new(listener: impl JobListener) -> Self {
        Self {
            listener: SharedListener::new(listener),
            start_timeout: Duration::from_secs(10),
            complete_timeout: Duration::from_secs(3_600),
        }
    }

    /// How long instances wait for all items to be ready to start. A firing whose deadline passes goes on without the call.
    #[must_use]
    pub fn start_timeout(self, start_timeout: Duration) -> Self {
        Self { start_timeout, ..self }
    }

    /// How long they wait for all items to have ended.
    #[must_use]
    pub fn complete_timeout(self, complete_timeout: Duration) -> Self {
        Self { complete_timeout, ..self }
    }
}

/// A listener of any type.
#[derive(Clone)]
pub struct SharedListener(Arc<dyn AnyListener>);

impl SharedListener {
    /// Takes a listener.
    #[must_use]
    pub fn new(listener: impl JobListener) -> Self {
        Self(Arc::new(listener))
    }

    /// A function that is called before the runs.
    #[must_use]
    pub fn before<F, Work, E>(function: F) -> Self
    where
        F: Fn(Vec<ShardContext>) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        Self(Arc::new(Before(function)))
    }

    /// A function that is called after the runs.
    #[must_use]
    pub fn after<F, Work, E>(function: F) -> Self
    where
        F: Fn(Vec<RunReport>) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        Self(Arc::new(After(function)))
    }
}

/// What is done with each failed attempt besides recording it.
#[derive(Clone)]
pub struct FailureHandler(Arc<dyn Fn(Failure) -> BoxFuture<'static, Result<(), String>> + Send + Sync>);

impl FailureHandler {
    /// A function that is called with each failure.
    #[must_use]
    pub fn new<F, Work, E>(function: F) -> Self
    where
        F: Fn(Failure) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        Self(Arc::new(move |failure| in_words(function(failure)).boxed()))
    }
}

/// How long a call may take that says nothing else.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a firing that makes up for missed instants waits for others.
const LATE: Duration = Duration::from_secs(1);

/// A [`JobListener`] whose type is not known.
trait AnyListener: Send + Sync {
    fn limit(&self) -> Duration;
    fn before<'a>(&'a self, contexts: &'a [ShardContext]) -> BoxFuture<'a, Result<(), String>>;
    fn after<'a>(&'a self, runs: &'a [RunReport]) -> BoxFuture<'a, Result<(), String>>;
}

impl<L: JobListener> AnyListener for L {
    fn limit(&self) -> Duration {
        JobListener::limit(self)
    }

    fn before<'a>(&'a self, contexts: &'a [ShardContext]) -> BoxFuture<'a, Result<(), String>> {
        in_words(JobListener::before(self, contexts)).boxed()
    }

    fn after<'a>(&'a self, runs: &'a [RunReport]) -> BoxFuture<'a, Result<(), String>> {
        in_words(JobListener::after(self, runs)).boxed()
    }
}

struct Before<F>(F);

impl<F, Work, E> JobListener for Before<F>
where
    F: Fn(Vec<ShardContext>) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    async fn before(&self, contexts: &[ShardContext]) -> Result<(), ListenerError> {
        Ok(in_words((self.0)(contexts.to_vec())).await?)
    }
}

struct After<F>(F);

impl<F, Work, E> JobListener for After<F>
where
    F: Fn(Vec<RunReport>) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    async fn after(&self, runs: &[RunReport]) -> Result<(), ListenerError> {
        Ok(in_words((self.0)(runs.to_vec())).await?)
    }
}

async fn in_words<E: Display>(call: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    call.await.map_err(|error| error.to_string())
}

/// A job's listeners, and whose they are.
#[derive(Clone, Copy)]
pub(crate) struct Listeners<'a> {
    pub(crate) job: &'a JobName,
    /// Called around each firing on this instance.
    pub(crate) each: &'a [SharedListener],
    /// Called once around each firing of the whole job.
    pub(crate) once: &'a [OnceListener],
}

/// Calls what is to be called before the runs. `whole`: see [`Firing::whole`](crate::core::Firing::whole).
pub(crate) async fn before(
    of: Listeners<'_>,
    contexts: &[ShardContext],
    whole: bool,
    registry: &SharedRegistry,
    keys: &Keys,
) {
    for SharedListener(listener) in of.each {
        guarded(of.job, "a listener (before)", listener.limit(), listener.before(contexts)).await;
    }
    for once in of.once.iter().filter(|_| whole) {
        let barrier = Barrier::new(of.job, contexts, registry, keys, Phase::Started);
        if barrier.is_last(patience(once.start_timeout, contexts)).await {
            let listener = &once.listener.0;
            guarded(of.job, "a listener (before, once)", listener.limit(), listener.before(contexts)).await;
            barrier.open().await;
        }
    }
}

/// Calls what is to be called after the runs.
pub(crate) async fn after(
    of: Listeners<'_>,
    runs: &[RunReport],
    whole: bool,
    registry: &SharedRegistry,
    keys: &Keys,
) {
    if !of.once.is_empty() && whole {
        let contexts: Vec<ShardContext> = runs.iter().map(|run| run.context.clone()).collect();
        for once in of.once {
            let barrier = Barrier::new(of.job, &contexts, registry, keys, Phase::Completed);
            if barrier.is_last(once.complete_timeout).await {
                let listener = &once.listener.0;
                guarded(of.job, "a listener (after, once)", listener.limit(), listener.after(runs)).await;
                barrier.open().await;
            }
        }
    }
    for SharedListener(listener) in of.each {
        guarded(of.job, "a listener (after)", listener.limit(), listener.after(runs)).await;
    }
}

/// Tells a job's handlers of a failed attempt, one after the other.
pub(crate) async fn failed(job: &JobName, handlers: &[FailureHandler], report: &RunReport) {
    let Some(failure) = Failure::of(report) else { return };
    for FailureHandler(handler) in handlers {
        let call = async { handler(failure.clone()).await };
        guarded(job, "a failure handler", LIMIT, call).await;
    }
}

fn patience(longest: Duration, contexts: &[ShardContext]) -> Duration {
    let late = contexts.iter().any(|context| context.source == Source::Misfire);
    if late { longest.min(LATE) } else { longest }
}

/// A failure, panic or endlessness of code around runs is told, and the firing goes on.
async fn guarded(job: &JobName, what: &str, limit: Duration, call: impl Future<Output = Result<(), String>>) {
    let job = job.as_str();
    match tokio::time::timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(job, "{what} failed: {error}"),
        Ok(Err(_)) => tracing::warn!(job, "{what} panicked"),
        Err(_) => tracing::warn!(job, "{what} did not end within {limit:?}, and was given up"),
    }
}
