//! How an engine is set up: its options, its jobs, and why it does not start, or does not take a job.

use crate::core::{Given, OnRegistryLoss};
use crate::listeners::{FailureHandler, Listeners, OnceListener, SharedListener};
use clockwright_fleet::Layout;
use clockwright_fleet::keys::Keys;
use clockwright_model::{InstanceId, JobName, JobSettings, Millis, SettingsError};
use clockwright_registry::{Error, Meter};
use clockwright_runtime::SharedRuntime;
use clockwright_settings::Usable;
use std::sync::Arc;
use std::time::Duration;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The namespace's paths.
    pub keys: Keys,
    /// Who this is; unique among all engines of the namespace.
    pub instance: InstanceId,
    /// The id was chosen by hand: where another process has it, the engine does not start, instead of taking an id of its own.
    pub fixed_instance: bool,
    /// The host's name, for records.
    pub hostname: String,
    /// How long a graceful shutdown waits for what runs, milliseconds.
    pub shutdown_grace: Millis,
    /// How long a run gets between being asked to stop and being killed, milliseconds.
    pub stop_grace: Millis,
    /// An instant that is at most this late counts as on time, milliseconds.
    pub tolerance: Millis,
    /// How often each job is read anew, whatever the hints say. With many jobs it takes longer: 30 are read in a second.
    pub refresh: Duration,
    /// The layout that jobs get which are not in the registry yet. `None`: that of the namespace's other jobs, and without any
    /// that of 2.1.5. A job that is there keeps its own.
    pub layout: Option<Layout>,
    /// What becomes of items when the registry lost what it had.
    pub on_registry_loss: OnRegistryLoss,
    /// Fencing tokens are above this: the greatest one on record, for the case that the registry lost what it had while nobody
    /// was there to notice.
    pub tokens_above: i64,
    /// Which event stores this instance keeps history in, for those who look back: they are told what is elsewhere. Empty when it keeps
    /// none; `None` when that is not known.
    pub history: Option<Vec<String>>,
    /// Counts what the engine's sessions with the registry do.
    pub meter: Meter,
    /// Seed of run ids; must differ between engines.
    pub seed: u64,
}

impl EngineOptions {
    /// Options with the defaults: 30 s for a shutdown, 5 s for a run to stop, instants up to 1 s late are on time, each job
    /// is read anew once a minute.
    #[must_use]
    pub fn new(keys: Keys, instance: InstanceId) -> Self {
        Self {
            keys,
            instance,
            fixed_instance: false,
            hostname: hostname(),
            shutdown_grace: 30_000,
            stop_grace: 5_000,
            tolerance: 1_000,
            refresh: Duration::from_secs(60),
            layout: None,
            on_registry_loss: OnRegistryLoss::default(),
            tokens_above: 0,
            history: None,
            meter: Meter::default(),
            seed: u64::from_le_bytes(uuid::Uuid::new_v4().into_bytes()[..8].try_into().unwrap_or_default()),
        }
    }
}

/// One job that an engine runs.
#[derive(Clone)]
pub struct JobDefinition {
    /// Its settings as this process knows them, or its name alone.
    pub job: Given,
    /// What runs its items.
    pub code: Code,
    /// Called around each firing on this instance.
    pub listeners: Vec<SharedListener>,
    /// Called once around each firing of the whole job.
    pub once: Vec<OnceListener>,
    /// Told of each attempt that failed on this instance.
    pub on_failure: Vec<FailureHandler>,
}

impl JobDefinition {
    /// A job without listeners, whose settings this process has.
    #[must_use]
    pub fn new(settings: impl Into<Arc<JobSettings>>, runtime: SharedRuntime) -> Self {
        Self::of(Given::Settings(settings.into()), Code::Here(runtime))
    }

    /// A job without listeners, whose settings are those of the registry alone: it waits for them where they are not there, and never
    /// makes any.
    #[must_use]
    pub fn named(name: JobName, code: Code) -> Self {
        Self::of(Given::Name(name), code)
    }

    fn of(job: Given, code: Code) -> Self {
        Self { job, code, listeners: Vec::new(), once: Vec::new(), on_failure: Vec::new() }
    }

    /// Whether code around the runs wants to know of them.
    pub(crate) fn is_listened_to(&self) -> bool {
        !(self.listeners.is_empty() && self.once.is_empty() && self.on_failure.is_empty())
    }

    pub(crate) fn listeners(&self) -> Listeners<'_> {
        Listeners { job: self.job.name(), each: &self.listeners, once: &self.once }
    }
}

/// What runs the items of a job.
#[derive(Clone)]
pub enum Code {
    /// This, whatever settings the registry has.
    Here(SharedRuntime),
    /// What this makes of the registry's settings, anew for each run. Whoever may write the registry decides what it is given, so it
    /// must refuse what this process is not to do: by a runtime that fails each run and says why. Where it panics, that run has failed.
    Registered(Arc<dyn Fn(&JobSettings) -> SharedRuntime + Send + Sync>),
}

impl Code {
    /// What runs items while the job has these settings.
    pub(crate) fn runtime(&self, settings: &JobSettings) -> SharedRuntime {
        match self {
            Self::Here(runtime) => Arc::clone(runtime),
            Self::Registered(make) => make(settings),
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A job was given by its name alone, and the registry has no settings of it.
    #[error("job `{job}` is not in {namespace}{}", .nearest.as_deref().map_or(String::new(), |near| format!("; did you mean `{near}`?")))]
    NoSettings {
        /// The job.
        job: JobName,
        /// The namespace, as a path.
        namespace: String,
        /// The name there that comes nearest, if one comes near.
        nearest: Option<String>,
    },
    /// Two jobs have one name.
    #[error("two jobs are named `{0}`")]
    Twice(JobName),
    /// A job's settings cannot be used.
    #[error("job `{job}`: {error}")]
    Settings {
        /// The job.
        job: JobName,
        /// What is wrong.
        error: String,
    },
    /// Another process has the id that was chosen for this instance, and is alive.
    #[error(
        "another live process is instance `{0}` in this namespace: choose another id, or none, and this instance takes one of its own"
    )]
    Taken(InstanceId),
    /// The registry cannot be used.
    #[error(transparent)]
    Registry(#[from] Error),
}

/// Why a job was not added to a running engine. Nothing was written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// A job of this name is served already.
    #[error("a job named `{0}` is served already; remove it first, or give this one another name")]
    Taken(JobName),
    /// A job of this name was removed, and something of it still runs or is still to be written.
    #[error(
        "the job `{0}` that was removed is still being left; its name is free when its removal has returned"
    )]
    Leaving(JobName),
    /// The settings cannot be used.
    #[error("job `{job}`: {}", in_one_line(.problems))]
    Settings {
        /// The job's name, as it was given.
        job: String,
        /// Everything that is wrong.
        problems: Vec<SettingsError>,
    },
    /// Nothing is added to an engine that shuts down, or has.
    #[error("the scheduler is shutting down")]
    ShuttingDown,
}

/// Why a job was not removed from a running engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// No job of this name is served here.
    #[error("no job named `{0}` is served here")]
    NotServed(String),
    /// The engine was shut down before the job was left; it leaves the job as it leaves all its jobs.
    #[error("the scheduler is shutting down, and leaves all its jobs")]
    ShuttingDown,
}

/// Whether a job can be served with the settings that this process has of it, if it has some.
pub(crate) fn check(job: &Given) -> Result<(), Vec<SettingsError>> {
    job.settings().map_or(Ok(()), |settings| Usable::parse(settings).map(drop))
}

pub(crate) fn in_one_line(problems: &[SettingsError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The machine's name, or `localhost`.
fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
