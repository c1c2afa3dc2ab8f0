//! One instance: takes part in its jobs until it is shut down.

use crate::{Job, Registry, net};
use clockwright_engine::core::JobStatus;
use clockwright_engine::{
    AddError, Connect, Engine, EngineHandle, EngineOptions, JobDefinition, RemoveError, StartError,
};
use clockwright_events::{
    Bus, BusOptions, LateStore, Retention, Sampling, Sink, Spool, SpoolError, SpoolOptions, StoreError,
};
use clockwright_fleet::Layout;
use clockwright_model::{InstanceId, Millis, NameError, SettingsError, ShardContext};
use clockwright_runtime::{RunLogs, Stream, guard};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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
#[derive(Clone)]
pub struct SchedulerOptions {
    /// The address by which its server is known; `None` is the one that Elastic-Job would choose.
    pub address: Option<String>,
    /// What the instance's id says after the address, instead of the process id; the rules are those of a job's name. An instance
    /// whose id is taken by a living process then does not start. `None`: where an id is taken, which happens to containers that
    /// share an address, the instance takes one of its own.
    pub name: Option<String>,
    /// How long runs may go on after a shutdown began. Default 30 s.
    pub shutdown_grace: Duration,
    /// The layout that jobs get which are not in the registry yet. Default: that of the namespace's other jobs, and without any
    /// that of Elastic-Job 2.1.5.
    pub layout: Option<Layout>,
    /// Where outcomes go. Default: nowhere but into the registry, which knows the last one of each item.
    pub events: Events,
    /// What of it is put on record, and for how long. A bus of the caller's knows by itself.
    pub history: History,
    /// What is done with the lines that scripts print, as they print them.
    pub lines: Option<Lines>,
    /// Where what a run printed is kept when it has ended. Default: nowhere. Instances of one machine may share it.
    pub logs: Option<Arc<RunLogs>>,
}

/// What is put on record, and for how long.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// How long it is kept. Default: 30 days.
    pub keep: Retention,
    /// Which firings leave a trace besides their outcomes. Default: all.
    pub sampling: Sampling,
}

impl History {
    /// A bus into these sinks.
    #[must_use]
    pub fn bus(&self, sinks: Vec<Arc<dyn Sink>>) -> Bus {
        Bus::start(sinks, BusOptions { sampling: self.sampling.clone(), ..BusOptions::default() })
    }
}

/// Where outcomes go.
#[derive(Clone)]
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
            events: Events::Silent,
            history: History::default(),
            lines: None,
            logs: None,
        }
    }
}

/// Why an instance did not start. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// A job cannot be used.
    #[error("job `{job}`: {error}")]
    Job {
        /// Its name.
        job: String,
        /// What is wrong.
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
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] StartError),
}

/// A running instance.
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
    define: Define,
    /// The bus to close at the end, when it is ours.
    bus: Option<Bus>,
}

/// How many instances this process has started: each has an id of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

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
        let mut engine = EngineOptions::new(registry.keys().clone(), instance.clone());
        engine.layout = options.layout;
        engine.fixed_instance = options.name.is_some();
        engine.shutdown_grace = Millis::try_from(options.shutdown_grace.as_millis()).unwrap_or(Millis::MAX);
        engine.tokens_above = bus.greatest_token(registry.keys().namespace()).await;
        let engine = Engine::start(connector(registry), definitions, bus, engine).await?;
        let instance = define.instance.get_or_init(|| engine.instance().clone()).clone();
        Ok(Self { engine, instance, define, bus: own })
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
    /// why it does not fire here, if so. For a health check, or to know when a start is complete. A job that was added may have the
    /// place of one that was removed.
    pub async fn status(&self) -> Vec<JobStatus> {
        self.engine.status().await
    }

    /// What ends an ongoing [`shutdown`](Self::shutdown) at once: runs that still go on are ended. Taken before, called when the
    /// operator loses patience.
    pub fn hurry(&self) -> impl Fn() + Send + Sync + 'static {
        self.engine.hurry()
    }

    /// Shuts the instance down: nothing new starts, what runs may end within the grace period, and then its items go to
    /// others. Returns when it has left the registry, and what it recorded is stored or waits on disk; and how many events could be neither, so
    /// that whoever runs it can say so. With a bus of the caller's that is for the caller to see.
    pub async fn shutdown(self) -> u64 {
        self.engine.shutdown().await;
        let Some(bus) = self.bus else { return 0 };
        bus.close(LAST_EVENTS).await;
        bus.lost()
    }
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
