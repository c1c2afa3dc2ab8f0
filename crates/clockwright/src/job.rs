//! A job and its code, as a program defines it.

use crate::Allow;
use clockwright_engine::{
    Code as Runs, Failure, FailureHandler, JobDefinition, JobListener, OnceListener, RunReport,
    SharedListener,
};
use clockwright_model::{
    ErrorHandler, Exclusive, JobKind, JobName, JobSettings, Millis, Misfire, Reason, Retry, SettingsError,
    ShardContext,
};
use clockwright_planner::sharding::Strategy;
use clockwright_runtime::{
    CancelSignal, Dataflow, DataflowFns, DataflowJob, LineSink, Logged, ProcessRuntime, ProcessSettings,
    Refused, RunLogs, SharedRuntime, Shown, SimpleFn, Supervisor,
};
use clockwright_settings::{Code as What, HttpSettings, docs};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A job: its settings, its code and its listeners.
///
/// A job is made by one of the constructors and completed by the methods below; what cannot be used is reported when the
/// scheduler starts. `cron` is Quartz cron with seconds (`0 0/5 * * * ?`), `@every 30s` or `@once 2026-01-01T00:00:00Z`.
pub struct Job {
    name: String,
    known: Result<Known, SettingsError>,
    code: Code,
    listeners: Vec<SharedListener>,
    once: Vec<OnceListener>,
    on_failure: Vec<FailureHandler>,
    supervisor: Supervisor,
    directory: Option<PathBuf>,
}

/// What is known of a job before it is looked up in the registry.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one a job, and most have settings")]
enum Known {
    Settings(JobSettings),
    /// Its name alone: the settings are the registry's.
    Name(JobName),
}

enum Code {
    /// In this process.
    Function(SharedRuntime),
    /// What the settings say: a script or an HTTP request.
    Settings,
    /// What the registry's settings say, as far as that is allowed.
    Registered(Allow),
}

impl Job {
    /// A job that calls an async function once for each item of each fire. An error it returns is the reason of the failure.
    ///
    /// ```
    /// use clockwright::Job;
    ///
    /// let job = Job::simple("report", "0 0 6 * * ?", |context| async move {
    ///     println!("part {} of {}, for {:?}", context.item, context.sharding_total_count, context.fire.at());
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// ```
    pub fn simple<F, Work, E>(name: &str, cron: &str, function: F) -> Self
    where
        F: Fn(ShardContext) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let runtime = SimpleFn::new(move |context: ShardContext, _: CancelSignal| function(context));
        Self::new(name, JobKind::Simple, cron, Code::Function(Arc::new(runtime)))
    }

    /// As [`simple`](Self::simple), with a signal that tells the function when it is to end: by a timeout, a shutdown, or
    /// because its instance lost the item. A function that does not look at it is dropped at its next `await` after the grace
    /// period.
    pub fn cancellable<F, Work, E>(name: &str, cron: &str, function: F) -> Self
    where
        F: Fn(ShardContext, CancelSignal) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        Self::new(name, JobKind::Simple, cron, Code::Function(Arc::new(SimpleFn::new(function))))
    }

    /// A job that fetches data and processes it; with `streaming`, again and again until a fetch comes back empty.
    ///
    /// ```
    /// use clockwright::{Dataflow, Job, ShardContext};
    ///
    /// struct Orders;
    ///
    /// impl Dataflow for Orders {
    ///     type Data = u64;
    ///     type Error = String;
    ///
    ///     async fn fetch(&self, context: &ShardContext) -> Result<Vec<u64>, String> {
    ///         println!("the open orders of part {} of {}", context.item, context.sharding_total_count);
    ///         Ok(vec![17, 18])
    ///     }
    ///
    ///     async fn process(&self, _: &ShardContext, batch: Vec<u64>) -> Result<(), String> {
    ///         println!("{} order(s) are sent", batch.len());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let job = Job::dataflow("orders", "0 0/5 * * * ?", Orders, false).sharding(4);
    /// ```
    pub fn dataflow<D: Dataflow>(name: &str, cron: &str, code: D, streaming: bool) -> Self {
        let runtime = Arc::new(DataflowJob::new(code, streaming));
        Self::new(name, JobKind::Dataflow { streaming }, cron, Code::Function(runtime))
    }

    /// A [`dataflow`](Self::dataflow) of two functions.
    ///
    /// ```
    /// use clockwright::{Job, ShardContext};
    ///
    /// let job = Job::dataflow_fns(
    ///     "orders",
    ///     "@every 10s",
    ///     |context: ShardContext| async move { Ok::<_, String>(vec![format!("order of item {}", context.item)]) },
    ///     |_, batch: Vec<String>| async move {
    ///         println!("{} order(s)", batch.len());
    ///         Ok(())
    ///     },
    ///     false,
    /// );
    /// ```
    pub fn dataflow_fns<Fetch, Process, T, E, Fetching, Processing>(
        name: &str,
        cron: &str,
        fetch: Fetch,
        process: Process,
        streaming: bool,
    ) -> Self
    where
        Fetch: Fn(ShardContext) -> Fetching + Send + Sync + 'static,
        Process: Fn(ShardContext, Vec<T>) -> Processing + Send + Sync + 'static,
        Fetching: Future<Output = Result<Vec<T>, E>> + Send + 'static,
        Processing: Future<Output = Result<(), E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let runtime = Arc::new(DataflowFns::job(fetch, process, streaming));
        Self::new(name, JobKind::Dataflow { streaming }, cron, Code::Function(runtime))
    }

    /// A job that runs a program once for each item. There is no shell; the program gets the context as JSON in its last
    /// argument. Its supervisor is this very program, so `main` must begin with [`crate::exec_task_if_asked`]; a
    /// scheduler does not start otherwise.
    #[must_use]
    pub fn script(name: &str, cron: &str, command_line: &str) -> Self {
        let kind = JobKind::Script { command_line: command_line.to_owned() };
        Self::new(name, kind, cron, Code::Settings)
    }

    /// A job that makes an HTTP request for each item, with the context in the header `shardingContext`. A status of 400 or
    /// more is a failure. More settings are properties: see [`prop`](Self::prop). Needs
    /// the feature `http`.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(name: &str, cron: &str, method: &str, uri: &str) -> Self {
        Self::new(name, JobKind::Http, cron, Code::Settings).prop("http.method", method).prop("http.uri", uri)
    }

    /// A SCRIPT or HTTP job from a jobs file.
    ///
    /// # Errors
    /// It is of another type: its code is not in the file.
    pub fn from_settings(settings: JobSettings) -> Result<Self, SettingsError> {
        if !matches!(settings.kind, JobKind::Script { .. } | JobKind::Http) {
            let message = format!(
                "{} jobs are code, which a jobs file does not have; use SCRIPT or HTTP here, or the Rust library",
                settings.kind.word()
            );
            return Err(SettingsError::new("elasticJobType", message));
        }
        let mut job =
            Self::new(settings.name.as_str(), settings.kind.clone(), &settings.cron, Code::Settings);
        job.known = Ok(Known::Settings(settings));
        Ok(job)
    }

    /// A job of which this program has the code, and the registry the settings: those that a control server keeps there. As
    /// [`cancellable`](Self::cancellable), without a schedule of its own. An instance does not start while the registry has no settings of the job.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use clockwright::{Job, Registry, Scheduler};
    ///
    /// let registry = Registry::connect("zookeeper://h1:2181/billing").await?;
    /// let job = Job::named("report", |context, _| async move {
    ///     println!("part {} of {}", context.item, context.sharding_total_count);
    ///     Ok::<(), String>(())
    /// });
    /// let scheduler = Scheduler::start(&registry, vec![job]).await?;
    /// # scheduler.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn named<F, Work, E>(name: &str, function: F) -> Self
    where
        F: Fn(ShardContext, CancelSignal) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        Self::known_by_name(name, Code::Function(Arc::new(SimpleFn::new(function))))
    }

    /// A SCRIPT or HTTP job of which the registry has the settings, and with them what is run: as far as `allow` says, and no further. An
    /// instance does not start while the registry has no settings of the job, or such as are not allowed; where they become so later, its
    /// runs fail and say why.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use clockwright::{Allow, Job, Registry, Scheduler};
    ///
    /// let registry = Registry::connect("zookeeper://h1:2181/billing").await?;
    /// let job = Job::registered("report", Allow::nothing().command("/opt/jobs/")?);
    /// let scheduler = Scheduler::start(&registry, vec![job]).await?;
    /// # scheduler.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn registered(name: &str, allow: Allow) -> Self {
        Self::known_by_name(name, Code::Registered(allow))
    }

    fn known_by_name(name: &str, code: Code) -> Self {
        let known = JobName::new(name).map(Known::Name);
        Self::of(name, known.map_err(|error| SettingsError::new("jobName", error.to_string())), code)
    }

    fn new(name: &str, kind: JobKind, cron: &str, code: Code) -> Self {
        let known = JobName::new(name)
            .map(|name| Known::Settings(JobSettings::new(name, kind, cron, 1)))
            .map_err(|error| SettingsError::new("jobName", error.to_string()));
        Self::of(name, known, code)
    }

    fn of(name: &str, known: Result<Known, SettingsError>, code: Code) -> Self {
        Self {
            name: name.to_owned(),
            known,
            code,
            listeners: Vec::new(),
            once: Vec::new(),
            on_failure: Vec::new(),
            supervisor: Supervisor::this_program(),
            directory: None,
        }
    }

    #[doc = docs!("shardingTotalCount")]
    #[must_use]
    pub fn sharding(self, items: u32) -> Self {
        self.with(|settings| settings.sharding_total_count = items)
    }

    #[doc = docs!("shardingItemParameters")]
    #[must_use]
    pub fn item_parameters(self, parameters: &str) -> Self {
        self.with(|settings| parameters.clone_into(&mut settings.sharding_item_parameters))
    }

    #[doc = docs!("jobParameter")]
    #[must_use]
    pub fn parameter(self, parameter: &str) -> Self {
        self.with(|settings| parameter.clone_into(&mut settings.job_parameter))
    }

    #[doc = docs!("timeZone")]
    #[must_use]
    pub fn time_zone(self, zone: &str) -> Self {
        self.with(|settings| settings.time_zone = Some(zone.to_owned()))
    }

    #[doc = docs!("failover")]
    #[must_use]
    pub fn failover(self, failover: bool) -> Self {
        self.with(|settings| settings.failover = failover)
    }

    #[doc = docs!("misfire")]
    #[must_use]
    pub fn misfire(self, misfire: Misfire) -> Self {
        self.with(|settings| settings.misfire = misfire)
    }

    /// More attempts after a failed one. Default: none.
    ///
    /// `max_attempts`:
    #[doc = docs!("retry.maxAttempts")]
    ///
    /// `backoff`:
    #[doc = docs!("retry.backoff")]
    ///
    /// `max_backoff`:
    #[doc = docs!("retry.maxBackoff")]
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|settings| settings.retry = retry)
    }

    #[doc = docs!("timeout")]
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        let millis = Millis::try_from(timeout.as_millis()).unwrap_or(Millis::MAX);
        self.with(|settings| settings.timeout = Some(millis))
    }

    #[doc = docs!("exclusive")]
    #[must_use]
    pub fn exclusive(self, exclusive: Exclusive) -> Self {
        self.with(|settings| settings.exclusive = exclusive)
    }

    #[doc = docs!("jobErrorHandlerType")]
    #[must_use]
    pub fn error_handler(self, handler: ErrorHandler) -> Self {
        self.with(|settings| settings.error_handler = handler)
    }

    #[doc = docs!("jobShardingStrategyType")]
    #[must_use]
    pub fn strategy(self, strategy: Strategy) -> Self {
        self.with(|settings| strategy.wire_class().clone_into(&mut settings.sharding_strategy))
    }

    #[doc = docs!("description")]
    #[must_use]
    pub fn description(self, description: &str) -> Self {
        self.with(|settings| description.clone_into(&mut settings.description))
    }

    #[doc = docs!("elasticJobClass")]
    #[must_use]
    pub fn class(self, class: &str) -> Self {
        self.with(|settings| class.clone_into(&mut settings.class))
    }

    #[doc = docs!("overwrite")]
    #[must_use]
    pub fn overwrite(self, overwrite: bool) -> Self {
        self.with(|settings| settings.overwrite = overwrite)
    }

    /// A property of the job's type, such as `http.data`.
    ///
    #[doc = docs!("props")]
    #[must_use]
    pub fn prop(self, key: &str, value: &str) -> Self {
        self.with(|settings| drop(settings.props.insert(key.to_owned(), value.to_owned())))
    }

    /// Any setting, by its key in a jobs file and as a text: `.set("monitorExecution", "false")`. What cannot be used is reported when
    /// the scheduler starts.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.edit(|settings| clockwright_settings::table::set(settings, key, value))
    }

    /// Any settings, as an edit of all of them.
    #[must_use]
    pub fn with(self, edit: impl FnOnce(&mut JobSettings)) -> Self {
        self.edit(|settings| {
            edit(settings);
            Ok(())
        })
    }

    fn edit(mut self, edit: impl FnOnce(&mut JobSettings) -> Result<(), SettingsError>) -> Self {
        let done = match &mut self.known {
            Ok(Known::Settings(settings)) => edit(settings),
            Ok(Known::Name(_)) => {
                Err(SettingsError::new("settings", "are the registry's: the job is known by its name alone"))
            }
            Err(_) => return self,
        };
        if let Err(error) = done {
            self.known = Err(error);
        }
        self
    }

    /// Calls a listener around the job's firings on this instance; listeners are called in the order in which they were added.
    #[must_use]
    pub fn listener(mut self, listener: impl JobListener) -> Self {
        self.listeners.push(SharedListener::new(listener));
        self
    }

    /// Calls a function before the first of a firing's items starts on this instance: a [`listener`](Self::listener) of one function. It has a
    /// minute; an error of it is logged, and the firing goes on.
    ///
    /// ```
    /// # use clockwright::Job;
    /// # let job = Job::simple("report", "0 0 6 * * ?", |_| async { Ok::<(), String>(()) });
    /// let job = job
    ///     .before(|contexts| async move {
    ///         println!("{} item(s) of fire {} begin here", contexts.len(), contexts[0].fire);
    ///         Ok::<(), String>(())
    ///     })
    ///     .after(|runs| async move {
    ///         let failed = runs.iter().filter(|run| run.is_failure()).count();
    ///         let longest = runs.iter().map(|run| run.took).max().unwrap_or_default();
    ///         println!("{failed} of {} failed, the longest took {longest:?}", runs.len());
    ///         Ok::<(), String>(())
    ///     });
    /// ```
    #[must_use]
    pub fn before<F, Work, E>(mut self, function: F) -> Self
    where
        F: Fn(Vec<ShardContext>) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        self.listeners.push(SharedListener::before(function));
        self
    }

    /// Calls a function after the last of a firing's items ended on this instance, with what became of each. As [`before`](Self::before).
    #[must_use]
    pub fn after<F, Work, E>(mut self, function: F) -> Self
    where
        F: Fn(Vec<RunReport>) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        self.listeners.push(SharedListener::after(function));
        self
    }

    /// Calls a listener once for a firing of the whole job, on the instance whose items come last. Instances wait for each
    /// other, at most as long as the listener says.
    ///
    /// ```
    /// use clockwright::{Job, JobListener, ListenerError, OnceListener, RunReport, ShardContext};
    /// use std::time::Duration;
    ///
    /// struct Swap;
    ///
    /// impl JobListener for Swap {
    ///     async fn before(&self, contexts: &[ShardContext]) -> Result<(), ListenerError> {
    ///         println!("make the empty table for fire {}", contexts[0].fire);
    ///         Ok(())
    ///     }
    ///
    ///     async fn after(&self, runs: &[RunReport]) -> Result<(), ListenerError> {
    ///         println!("{} item(s) were the last to end; make the table the new one", runs.len());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let job = Job::simple("load", "0 0 3 * * ?", |_| async { Ok::<(), String>(()) })
    ///     .sharding(8)
    ///     .once_listener(OnceListener::new(Swap).complete_timeout(Duration::from_secs(7200)));
    /// ```
    #[must_use]
    pub fn once_listener(mut self, listener: OnceListener) -> Self {
        self.once.push(listener);
        self
    }

    /// Calls a function with each attempt that failed on this instance, as soon as it did, besides what [`error_handler`](Self::error_handler)
    /// says. It holds nothing up, not even the next attempt, and has a minute; an error of it is logged. What is decided about an item
    /// without its code having run here (a missed fire, the end of a dead instance's run) is heard by
    /// [`Scheduler::outcomes`](crate::Scheduler::outcomes).
    ///
    /// ```
    /// use clockwright::{ErrorHandler, Job, Retry};
    ///
    /// let job = Job::simple("import", "@every 1m", |_| async { Err::<(), _>("the file is not there yet") })
    ///     .retry(Retry::attempts(3))
    ///     .error_handler(ErrorHandler::Ignore)
    ///     .on_failure(|failure| async move {
    ///         let run = &failure.context;
    ///         println!("{}/{} attempt {}: {}", run.job, run.item, run.attempt, failure.reason);
    ///         Ok::<(), String>(())
    ///     });
    /// ```
    #[must_use]
    pub fn on_failure<F, Work, E>(mut self, function: F) -> Self
    where
        F: Fn(Failure) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        self.on_failure.push(FailureHandler::new(function));
        self
    }

    /// The program that holds a script's processes, for a `main` that cannot begin with [`crate::exec_task_if_asked`]: usually
    /// the `clockwright` binary with `exec-task`.
    #[must_use]
    pub fn supervisor(mut self, supervisor: Supervisor) -> Self {
        self.supervisor = supervisor;
        self
    }

    /// Where a script runs, and from where its `script.directory` is meant. Default: where this process runs.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The job's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its settings, and with them what it runs, are the registry's; then what of that is allowed.
    pub(crate) fn allowed(&self) -> Option<&Allow> {
        match &self.code {
            Code::Registered(allow) => Some(allow),
            Code::Function(_) | Code::Settings => None,
        }
    }

    /// What the engine needs to know, or everything that cannot be used. `lines` is given what a script prints, `logs` keeps it.
    pub(crate) fn definition(
        &self,
        lines: Option<LineSink>,
        logs: Option<&Arc<RunLogs>>,
    ) -> Result<JobDefinition, Vec<SettingsError>> {
        let starts = Starts {
            supervisor: self.supervisor.clone(),
            directory: self.directory.clone(),
            lines,
            logs: logs.cloned(),
        };
        let known = self.known.clone().map_err(|problem| vec![problem])?;
        let mut definition = match (known, &self.code) {
            (Known::Settings(settings), Code::Function(runtime)) => {
                clockwright_settings::check(&settings)?;
                JobDefinition::new(settings, Arc::clone(runtime))
            }
            (Known::Settings(settings), _) => {
                let (_, code) = clockwright_settings::check(&settings)?;
                JobDefinition::new(settings, starts.runtime(code).map_err(|problem| vec![problem])?)
            }
            (Known::Name(name), Code::Function(runtime)) => {
                JobDefinition::named(name, Runs::Here(Arc::clone(runtime)))
            }
            (Known::Name(name), code) => {
                starts.supervised().map_err(|problem| vec![problem])?;
                let allow = match code {
                    Code::Registered(allow) => allow.clone(),
                    Code::Settings | Code::Function(_) => Allow::nothing(),
                };
                JobDefinition::named(name, Runs::Registered(starts.registered(allow)))
            }
        };
        definition.listeners.clone_from(&self.listeners);
        definition.once.clone_from(&self.once);
        definition.on_failure.clone_from(&self.on_failure);
        Ok(definition)
    }
}

/// How this process starts what settings say.
struct Starts {
    supervisor: Supervisor,
    directory: Option<PathBuf>,
    lines: Option<LineSink>,
    logs: Option<Arc<RunLogs>>,
}

impl Starts {
    fn runtime(&self, code: What) -> Result<SharedRuntime, SettingsError> {
        let runtime: SharedRuntime = match code {
            What::Script(script) => {
                self.supervised()?;
                let process = ProcessSettings::of(script, self.directory.as_deref());
                let runtime = Arc::new(ProcessRuntime::new(self.supervisor.clone(), process));
                match &self.lines {
                    Some(lines) => Arc::new(Shown::new(runtime, Arc::clone(lines))),
                    None => runtime,
                }
            }
            What::Http(http) => requests(http)?,
            What::InProcess => {
                return Err(SettingsError::new("elasticJobType", "is code, which a file does not have"));
            }
        };
        // Functions print nothing that is theirs alone, and need not pay for it.
        Ok(match &self.logs {
            Some(logs) => Arc::new(Logged::new(runtime, Arc::clone(logs) as _)),
            None => runtime,
        })
    }

    fn supervised(&self) -> Result<(), SettingsError> {
        let problem = self.supervisor.problem();
        problem.map_or(Ok(()), |problem| Err(SettingsError::new("script.command.line", problem)))
    }

    /// What runs a job of which the registry has the settings. Whether it may is asked anew each time, since files move; what was made
    /// is kept while the settings say the same.
    fn registered(self, allow: Allow) -> Arc<dyn Fn(&JobSettings) -> SharedRuntime + Send + Sync> {
        let made: Mutex<Option<(What, SharedRuntime)>> = Mutex::default();
        Arc::new(move |settings| {
            let refused = |problem: SettingsError| -> SharedRuntime {
                Arc::new(Refused::new(Reason::NotAllowed { text: problem.to_string() }))
            };
            let code = match allow.check(settings) {
                Ok(code) => code,
                Err(problem) => return refused(problem),
            };
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((of, runtime)) = &*made
                && *of == code
            {
                return Arc::clone(runtime);
            }
            match self.runtime(code.clone()) {
                Ok(runtime) => Arc::clone(&made.insert((code, runtime)).1),
                Err(problem) => refused(problem),
            }
        })
    }
}

#[cfg(feature = "http")]
fn requests(http: HttpSettings) -> Result<SharedRuntime, SettingsError> {
    Ok(Arc::new(clockwright_runtime::HttpRuntime::new(http)))
}

#[cfg(not(feature = "http"))]
fn requests(_: HttpSettings) -> Result<SharedRuntime, SettingsError> {
    let message = "HTTP jobs need the feature `http` of clockwright, without which this program was built";
    Err(SettingsError::new("elasticJobType", message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_settings::diff;
    use clockwright_settings::table::SETTINGS;

    fn job() -> Job {
        Job::simple("a", "0 0 12 * * ?", |_| async { Ok::<_, String>(()) }).misfire(Misfire::FIRE_ALL)
    }

    fn settings(job: Job) -> JobSettings {
        let Known::Settings(settings) = job.known.unwrap() else { panic!("it has settings") };
        settings
    }

    #[test]
    fn a_job_that_is_known_by_its_name_takes_no_settings() {
        let named = Job::named("a", |_, _| async { Ok::<_, String>(()) }).sharding(4);
        let problems = named.definition(None, None).err().unwrap();
        assert!(problems[0].to_string().contains("are the registry's"), "{problems:?}");
    }

    #[test]
    fn each_setting_of_the_table_can_be_set_by_its_key() {
        for setting in SETTINGS.iter().filter(|setting| !setting.example.is_empty()) {
            let changed = settings(job().set(setting.key, setting.example));
            let changes = diff(&settings(job()), &changed);
            let schedules = ["cron", "every", "once", "unixCron"];
            let of = |key: &str| {
                key == setting.key || schedules.contains(&key) && schedules.contains(&setting.key)
            };
            assert!(changes.iter().any(|change| of(change.key)), "{}: {changes:?}", setting.key);
        }
        let said = |key: &str, value: &str| job().set(key, value).known.unwrap_err().to_string();
        assert!(said("failvoer", "true").contains("did you mean `failover`?"));
        assert_eq!(said("timeout", "soon").split(':').next(), Some("timeout"));
    }
}
