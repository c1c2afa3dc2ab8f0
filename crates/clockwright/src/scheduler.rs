//! One instance: takes part in its jobs until it is shut down.

use crate::{Job, Outcomes, Registry, net};
use clockwright_engine::core::{OnRegistryLoss, ServedJob};
use clockwright_engine::{
    AddError, Connect, Departure, Engine, EngineHandle, EngineOptions, JobDefinition, NotGivenBack,
    RemoveError, StartError,
};
use clockwright_events::{
    Bus, BusOptions, LateStore, Retention, Sampling, Sink, Spool, SpoolError, SpoolOptions, StoreError,
};
use clockwright_fleet::{Layout, view};
use clockwright_model::{InstanceId, Millis, NameError, SettingsError, ShardContext};
use clockwright_runtime::limits::{self, SpareThread};
use clockwright_runtime::{RunLogs, Stream, guard};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Is given what scripts print: the instance, the run, which stream, and the line. It must not block.
pub type Lines = Arc<dyn Fn(&InstanceId, &ShardContext, Stream, &str) + Send + Sync>;

/// The name of the event store in a data folder.
pub const EVENTS_FILE: &str = "events.db";

/// The name of the folder, in a data folder, where events wait for their database.
const SPOOL_FOLDER: &str = "spool";

/// The name of the folder, in a data folder, of what runs printed.
pub const LOGS_FOLDER: &str = "logs";

/// How often history that is too old is deleted.
const SWEEP: Duration = Duration::from_secs(3600);

/// How an instance takes part.
///
/// ```
/// use clockwright::{Events, SchedulerOptions};
/// use std::time::Duration;
///
/// let options = SchedulerOptions::default()
///     .events(Events::Folder("/var/lib/report".into()))
///     .shutdown_grace(Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct SchedulerOptions {
    address: Option<String>,
    name: Option<String>,
    shutdown_grace: Duration,
    layout: Option<Layout>,
    on_registry_loss: OnRegistryLoss,
    events: Events,
    history: History,
    lines: Option<Lines>,
    logs: Option<Arc<RunLogs>>,
}

impl SchedulerOptions {
    /// The IP address by which this instance's server is known. Default: the one that Elastic-Job would choose.
    #[must_use]
    pub fn address(self, address: impl Into<String>) -> Self {
        Self { address: Some(address.into()), ..self }
    }

    /// What the instance's id says after the address, instead of the process id; the rules are those of a job's name. An instance
    /// whose id is taken by a living process then does not start. Default: where an id is taken, which happens to containers that
    /// share an address, the instance takes one of its own.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// How long runs may go on after a shutdown began. Default 30 s.
    #[must_use]
    pub fn shutdown_grace(self, shutdown_grace: Duration) -> Self {
        Self { shutdown_grace, ..self }
    }

    /// The layout that jobs get which are not in the registry yet. Default: that of the namespace's other jobs, and without any
    /// that of Elastic-Job 2.1.5.
    #[must_use]
    pub fn layout(self, layout: Layout) -> Self {
        Self { layout: Some(layout), ..self }
    }

    /// What becomes of items when the registry comes back without what it had, or with an older state. Default: they go on from now,
    /// after what those who live remember.
    #[must_use]
    pub fn on_registry_loss(self, on_registry_loss: OnRegistryLoss) -> Self {
        Self { on_registry_loss, ..self }
    }

    /// Where outcomes go. Default: nowhere but into the registry, which knows the last one of each item.
    #[must_use]
    pub fn events(self, events: Events) -> Self {
        Self { events, ..self }
    }

    /// What of it is put on record, and for how long. A bus of the caller's ([`Events::Bus`]) knows by itself.
    #[must_use]
    pub fn history(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// What is done with the lines that scripts print, as they print them. It must not block.
    #[must_use]
    pub fn lines(
        self,
        lines: impl Fn(&InstanceId, &ShardContext, Stream, &str) + Send + Sync + 'static,
    ) -> Self {
        Self { lines: Some(Arc::new(lines)), ..self }
    }

    /// Where what a script or an HTTP request printed is kept when it has ended. Default: nowhere. Instances of one machine may share it.
    #[must_use]
    pub fn logs(self, logs: Arc<RunLogs>) -> Self {
        Self { logs: Some(logs), ..self }
    }
}

/// What is put on record, and for how long.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct History {
    /// How long it is kept. Default: 30 days.
    pub keep: Retention,
    /// Which firings leave a trace besides their outcomes. Default: all.
    pub sampling: Sampling,
}

impl History {
    /// History that is kept so long.
    #[must_use]
    pub fn keep(keep: Retention) -> Self {
        Self { keep, ..Self::default() }
    }

    /// A bus into these sinks.
    #[must_use]
    pub fn bus(&self, sinks: Vec<Arc<dyn Sink>>) -> Bus {
        Bus::start(sinks, BusOptions { sampling: self.sampling.clone(), ..BusOptions::default() })
    }
}

/// Where outcomes go.
#[derive(Clone)]
#[non_exhaustive]
pub enum Events {
    /// Nowhere.
    Silent,
    /// Into `events.db` in this folder, which is made when it is missing.
    Folder(PathBuf),
    /// Into a database; see [`EventStore::connect`](clockwright_events::EventStore::connect).
    Database {
        /// Where it is.
        address: String,
        /// Where events wait while it is slow or away: `spool` in this folder, which belongs to one process.
        folder: PathBuf,
    },
    /// To a bus of the caller's, which the caller closes.
    Bus(Bus),
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self {
            address: None,
            name: None,
            shutdown_grace: Duration::from_secs(30),
            layout: None,
            on_registry_loss: OnRegistryLoss::default(),
            events: Events::Silent,
            history: History::default(),
            lines: None,
            logs: None,
        }
    }
}

/// Why an instance did not start. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// A job cannot be used.
    #[error("job `{job}`: {error}")]
    Job {
        /// Its name.
        job: String,
        /// What is wrong.
        error: SettingsError,
    },
    /// What the registry says that a job runs is not allowed to this instance.
    #[error("job `{job}`: {error}")]
    NotAllowed {
        /// Its name.
        job: String,
        /// What is not allowed, and why.
        error: SettingsError,
    },
    /// The instance cannot have the name that was chosen for it.
    #[error("the instance cannot be called `{name}`: {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        error: NameError,
    },
    /// Two jobs have one name.
    #[error("two jobs are named `{0}`; names are unique")]
    Twice(String),
    /// The folder for outcomes cannot be made.
    #[error("cannot make the data folder {}: {error}", .folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The event store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Events cannot wait on disk for their database.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system gives this process no more threads.
    #[error("cannot start another thread: {}", limits::described(.0))]
    Threads(std::io::Error),
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] StartError),
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// What could not be given back, because the registry could not be reached or there was no time: others take it over when the session
    /// has ended.
    pub not_given_back: Vec<NotGivenBack>,
    /// Whether the session is over for sure. If not, it ends by its timeout, and until then others wait.
    pub session_closed: bool,
    /// How many events could be neither stored nor kept on disk: the history lacks them. With a bus of the caller's it is 0, and the
    /// bus knows.
    pub events_lost: u64,
}

impl ShutdownReport {
    /// Whether everything was given back, and everything is on record.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.not_given_back.is_empty() && self.session_closed && self.events_lost == 0
    }
}

/// In words, for a log.
impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("everything was given back");
        }
        let mut said: Vec<String> = Vec::new();
        if !self.not_given_back.is_empty() {
            let left: Vec<String> = self.not_given_back.iter().map(ToString::to_string).collect();
            said.push(format!("not given back: {}", left.join(", ")));
        }
        if !self.session_closed {
            said.push("the session ends by its timeout".to_owned());
        }
        if self.events_lost > 0 {
            said.push(format!("{} event(s) are not on record", self.events_lost));
        }
        f.write_str(&said.join("; "))
    }
}

/// A running instance.
///
/// It ends with [`shutdown`](Self::shutdown) or [`shutdown_within`](Self::shutdown_within), which give its items back. One that is dropped
/// ends too, at once and as after a crash:
///
/// | | `shutdown` | drop |
/// |---|---|---|
/// | new runs | none from now on | none from now on |
/// | code that runs in this process | may go on for the grace period, is then asked to stop, and dropped 5 s later | is dropped: it ends where it awaits |
/// | scripts | likewise; asked with SIGTERM, then killed | are killed |
/// | outcomes | are written and stored | runs that were dropped have none until another instance takes them over |
/// | listeners and failure handlers after runs | are waited for, at most until runs would be killed | are dropped |
/// | the session | is closed | ends when nothing of the runs is left: at once with an embedded registry, by its timeout with ZooKeeper |
/// | what was recorded before | is stored, or waits on disk | is stored in the background if the store takes it at the first try |
///
/// Dropping does not wait for any of this. Code that blocks its thread without awaiting cannot be ended by either; the session
/// then lasts until it awaits, so that nobody starts the item beside it.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use clockwright::{Job, Registry, Scheduler};
///
/// let registry = Registry::in_memory("jobs")?;
/// let job = Job::simple("hello", "@every 1h", |context| async move {
///     println!("item {} of {}", context.item, context.sharding_total_count);
///     Ok::<(), String>(())
/// });
/// let scheduler = Scheduler::start(&registry, vec![job.sharding(4)]).await?;
/// scheduler.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Scheduler {
    engine: EngineHandle,
    instance: InstanceId,
    registry: Registry,
    define: Define,
    /// The bus to close at the end, when it is ours.
    bus: Option<Bus>,
    _thread: SpareThread,
}

/// How many instances this process has started: each has an id of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How often it is looked whether a start is complete.
const LOOK: Duration = Duration::from_millis(20);

/// How long outcomes may take to be stored at the end.
const LAST_EVENTS: Duration = Duration::from_secs(10);

impl Scheduler {
    /// Starts an instance that takes part in these jobs. Returns when it is connected; it registers at once after that.
    ///
    /// # Errors
    /// A job cannot be used, or the registry does not answer.
    pub async fn start(registry: &Registry, jobs: Vec<Job>) -> Result<Self, SchedulerError> {
        Self::start_with(registry, jobs, SchedulerOptions::default()).await
    }

    /// As [`start`](Self::start), with options.
    ///
    /// # Errors
    /// As [`start`](Self::start), and: the event store cannot be used.
    pub async fn start_with(
        registry: &Registry,
        jobs: Vec<Job>,
        options: SchedulerOptions,
    ) -> Result<Self, SchedulerError> {
        guard::end_if_supervisor();
        let thread = SpareThread::keep().map_err(SchedulerError::Threads)?;
        let address = options.address.unwrap_or_else(net::server_address);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let instance = match &options.name {
            Some(name) => InstanceId::named(&address, name, number)
                .map_err(|error| SchedulerError::Name { name: name.clone(), error })?,
            None => InstanceId::of_process(&address, std::process::id(), number),
        };
        let define = Define {
            lines: options.lines,
            logs: options.logs,
            asked: instance.clone(),
            instance: Arc::default(),
        };
        let mut definitions = Vec::with_capacity(jobs.len());
        let mut names = std::collections::HashSet::new();
        for job in &jobs {
            if !names.insert(job.name()) {
                return Err(SchedulerError::Twice(job.name().to_owned()));
            }
            definitions.push(define.job(job).map_err(|mut problems| SchedulerError::Job {
                job: job.name().to_owned(),
                error: problems.swap_remove(0),
            })?);
        }
        let (bus, own) = match options.events {
            Events::Silent => (Bus::silent(), None),
            Events::Bus(bus) => (bus, None),
            Events::Folder(folder) => {
                let bus = store_in(folder, &options.history).await?;
                (bus.clone(), Some(bus))
            }
            Events::Database { address, folder } => {
                let keep = options.history.keep.clone();
                let bus = options.history.bus(vec![database(&address, &folder, keep).await?]);
                (bus.clone(), Some(bus))
            }
        };
        permitted(registry, &jobs).await?;
        let mut engine = EngineOptions::new(registry.keys().clone(), instance.clone());
        engine.layout = options.layout;
        engine.on_registry_loss = options.on_registry_loss;
        engine.fixed_instance = options.name.is_some();
        engine.shutdown_grace = Millis::try_from(options.shutdown_grace.as_millis()).unwrap_or(Millis::MAX);
        engine.tokens_above = bus.greatest_token(registry.keys().namespace()).await;
        engine.history = bus.stores().await;
        let engine = Engine::start(connector(registry), definitions, bus, engine).await?;
        let instance = define.instance.get_or_init(|| engine.instance().clone()).clone();
        Ok(Self { engine, instance, registry: registry.clone(), define, bus: own, _thread: thread })
    }

    /// The instance's id.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// Takes part in one more job from now on. Returns at once: the job is registered, and its items are shared out, as after a
    /// [`start`](Self::start).
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use clockwright::{Job, Registry, Scheduler};
    /// # let registry = Registry::in_memory("jobs")?;
    /// let hello = |words: &'static str| {
    ///     Job::simple("hello", "@every 1h", move |context| async move {
    ///         println!("{words} {}", context.item);
    ///         Ok::<(), String>(())
    ///     })
    /// };
    /// let scheduler = Scheduler::start(&registry, vec![]).await?;
    /// scheduler.add(hello("hello")).await?;
    /// // Other code for the same job: when this has returned, nothing of the former goes on.
    /// scheduler.remove("hello").await?;
    /// scheduler.add(hello("good day")).await?;
    /// # scheduler.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The job is not served: [`AddError::Taken`] and [`AddError::Leaving`] when one of its name is, or was and is not gone yet;
    /// [`AddError::Settings`] says all that cannot be used.
    pub async fn add(&self, job: Job) -> Result<(), AddError> {
        let unusable = |problems| AddError::Settings { job: job.name().to_owned(), problems };
        self.engine.add(self.define.job(&job).map_err(unusable)?).await
    }

    /// Takes part in a job no longer. Nothing of it starts here any more and its items go to others at once; what runs may go on for
    /// the [`shutdown_grace`](SchedulerOptions::shutdown_grace), and is stopped then. Returns when it was left and its outcomes are
    /// written; with a registry that is away that is when it is back. A removal goes on though nobody waits for it any more.
    ///
    /// The job stays in the registry, and other instances go on with it; [`JobHandle::remove`](crate::JobHandle::remove) deletes a job
    /// that nobody serves.
    ///
    /// # Errors
    /// No such job is served here, or the instance was shut down before the job was left.
    pub async fn remove(&self, job: &str) -> Result<(), RemoveError> {
        self.engine.remove(job).await
    }

    /// What this instance says of its jobs now, in the order they were given: whether each is registered, which items it owns, and
    /// why it does not fire here, if so. For a health check. A job that was added may have the place of one that was removed.
    pub async fn status(&self) -> Vec<ServedJob> {
        self.engine.status().await
    }

    /// Returns once every job is registered here and its items are shared out, so that a trigger finds them. What this instance cannot
    /// serve ([`ServedJob::degraded`]) and what is disabled everywhere is not waited for.
    pub async fn ready(&self) {
        while !self.is_ready().await {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_ready(&self) -> bool {
        for job in self.status().await.iter().filter(|job| job.degraded.is_none()) {
            let Ok(view) = self.registry.job(job.job.as_str()).get().await else { return false };
            let shared_out = !view.resharding && view.items.iter().all(|item| item.owner.is_some());
            if !job.registered || !(shared_out || view.brief.status == view::JobStatus::Disabled) {
                return false;
            }
        }
        true
    }

    /// Subscribes to the outcomes that this instance decides from now on. The subscription ends with the scheduler.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use clockwright::{Heard, Job, Registry, Scheduler};
    ///
    /// let registry = Registry::in_memory("jobs")?;
    /// let job = Job::simple("poll", "@every 1s", |_| async { Ok::<(), String>(()) });
    /// let scheduler = Scheduler::start(&registry, vec![job]).await?;
    /// let mut outcomes = scheduler.outcomes();
    /// while let Some(heard) = outcomes.next().await {
    ///     match heard {
    ///         Heard::Outcome(it) => {
    ///             println!("{}/{} {} {}: {}", it.job, it.item, it.fire, it.outcome.word(), it.outcome.reason());
    ///             println!("it ran for {:?}, and began {:?} late", it.ran_for(), it.late_by());
    ///             break;
    ///         }
    ///         Heard::Missed(count) => println!("{count} outcomes came too fast"),
    ///     }
    /// }
    /// scheduler.shutdown().await;
    /// assert_eq!(outcomes.next().await, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        Outcomes::new(self.engine.outcomes())
    }

    /// Waits until the instance has ended by itself, which happens when another process has taken its id while it had lost its session: it
    /// cannot prove any more that its runs are its own. Start another one, and give each process an address or a name of its own.
    pub async fn ended(&self) {
        self.engine.ended().await;
    }

    /// What ends an ongoing [`shutdown`](Self::shutdown) at once: runs that still go on are ended. Taken before, called when the
    /// operator loses patience.
    pub fn hurry(&self) -> impl Fn() + Send + Sync + 'static {
        self.engine.hurry()
    }

    /// Shuts the instance down: nothing new starts, what runs may end within the grace period, and then its items go to
    /// others. Returns when it has left the registry and what it recorded is stored or waits on disk, with what could not be done
    /// of that. It always ends: without a registry some 10 s after the grace period, and 10 s later without a store.
    pub async fn shutdown(self) -> ShutdownReport {
        let departure = self.engine.shutdown().await;
        ended(departure, self.bus, LAST_EVENTS).await
    }

    /// As [`shutdown`](Self::shutdown), and it is over after `limit`, whatever is left. Runs are asked to stop before that, early enough to be
    /// killed and recorded where there is time for it: a `limit` of some 8 s less than the grace period leaves them
    /// the rest of it.
    ///
    /// ```
    /// # async fn example(scheduler: clockwright::Scheduler) {
    /// use std::time::Duration;
    ///
    /// // Kubernetes kills a container 30 s after SIGTERM.
    /// let report = scheduler.shutdown_within(Duration::from_secs(25)).await;
    /// if !report.is_clean() {
    ///     eprintln!("{report}");
    /// }
    /// # }
    /// ```
    pub async fn shutdown_within(self, limit: Duration) -> ShutdownReport {
        let begun = Instant::now();
        // The rest is for the last events.
        let departure = self.engine.shutdown_within(limit - limit.min(LAST_EVENTS * 4) / 4).await;
        ended(departure, self.bus, limit.saturating_sub(begun.elapsed())).await
    }
}

/// Refuses to start with jobs that would run what is not allowed; what cannot be read is left to the engine, which says so better.
async fn permitted(registry: &Registry, jobs: &[Job]) -> Result<(), SchedulerError> {
    let allowed: Vec<_> = jobs.iter().filter_map(|job| Some((job.name(), job.allowed()?))).collect();
    if allowed.is_empty() {
        return Ok(());
    }
    let session = registry.session().await.map_err(StartError::Registry)?;
    let mut checked = Ok(());
    for (job, allow) in allowed {
        let Ok(settings) = view::settings(&*session, registry.keys(), job).await else { continue };
        if let Err(error) = allow.check(&settings) {
            checked = Err(SchedulerError::NotAllowed { job: job.to_owned(), error });
            break;
        }
    }
    let _late = session.close().await;
    checked
}

/// Stores the last events of an instance whose engine has ended.
async fn ended(departure: Departure, bus: Option<Bus>, within: Duration) -> ShutdownReport {
    let mut events_lost = 0;
    if let Some(bus) = bus {
        // Sinks have a second of their own to let go.
        let storing = within.saturating_sub(Duration::from_secs(1)).max(within / 2);
        let _late = tokio::time::timeout(within, bus.close(storing)).await;
        events_lost = bus.lost();
    }
    let Departure { not_given_back, session_closed, .. } = departure;
    ShutdownReport { not_given_back, session_closed, events_lost }
}

/// Makes of a job what the engine needs.
struct Define {
    lines: Option<Lines>,
    logs: Option<Arc<RunLogs>>,
    /// The id that the instance asks for, and the one that it gets, for the lines that its runs print.
    asked: InstanceId,
    instance: Arc<OnceLock<InstanceId>>,
}

impl Define {
    fn job(&self, job: &Job) -> Result<JobDefinition, Vec<SettingsError>> {
        let lines = self.lines.clone().map(|lines| {
            let (asked, known) = (self.asked.clone(), Arc::clone(&self.instance));
            Arc::new(move |context: &ShardContext, stream, line: &str| {
                lines(known.get().unwrap_or(&asked), context, stream, line);
            }) as _
        });
        job.definition(lines, self.logs.as_ref())
    }
}

/// The store in a data folder, which exists, behind a spool there: while the file is locked or its disk full, events wait beside it. History is
/// deleted when `keep` says so. Several processes may share the folder.
///
/// # Errors
/// [`SchedulerError::Store`] says what is wrong with the file, [`SchedulerError::Spool`] with the spool's folder. A file that is merely locked
/// is none.
pub async fn file(folder: &Path, keep: Retention) -> Result<Arc<dyn Sink>, SchedulerError> {
    let store = LateStore::file(&folder.join(EVENTS_FILE)).await?;
    tokio::spawn(LateStore::keep_pruned(Arc::downgrade(&store), keep, SWEEP));
    let store: Arc<dyn Sink> = store;
    Ok(Spool::open_first(folder.join(SPOOL_FOLDER), &store, &SpoolOptions::default())?)
}

/// The sink for a database, behind a spool in the folder, which is made when it is missing.
///
/// # Errors
/// [`SchedulerError::Store`] when the address is wrong, [`SchedulerError::Spool`] when the folder cannot be used. A database
/// that is merely away is none.
pub async fn database(
    address: &str,
    folder: &Path,
    keep: Retention,
) -> Result<Arc<dyn Sink>, SchedulerError> {
    let store = LateStore::connect(address).await?;
    tokio::spawn(LateStore::keep_pruned(Arc::downgrade(&store), keep, SWEEP));
    Ok(Spool::open(folder.join(SPOOL_FOLDER), store, SpoolOptions::default())?)
}

async fn store_in(folder: PathBuf, history: &History) -> Result<Bus, SchedulerError> {
    std::fs::create_dir_all(&folder)
        .map_err(|error| SchedulerError::Folder { folder: folder.clone(), error })?;
    Ok(history.bus(vec![file(&folder, history.keep.clone()).await?]))
}

fn connector(registry: &Registry) -> Connect {
    let registry = registry.clone();
    Arc::new(move || {
        let registry = registry.clone();
        Box::pin(async move { registry.session().await })
    })
}
