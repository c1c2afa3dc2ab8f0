//! Clockwright: a distributed job scheduler, as a library.
//!
//! Instances that have a job's code share the job's items among themselves through a registry: every fire of every item runs
//! once, on one of them, and another one takes over when it dies. The registry is ZooKeeper, in the layout of Elastic-Job 2.1.5 or
//! of ElasticJob 3.x, or one that this process keeps in a folder or in memory.
//!
//! ```no_run
//! use clockwright::{Job, Registry, Scheduler};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::connect("zookeeper://h1:2181,h2:2181/jobs").await?;
//! let job = Job::simple("report", "0 0/5 * * * ?", |context| async move {
//!     println!("part {} of {}", context.item, context.sharding_total_count);
//!     Ok::<(), std::io::Error>(())
//! })
//! .sharding(4)
//! .failover(true);
//! let scheduler = Scheduler::start(&registry, vec![job]).await?;
//! tokio::signal::ctrl_c().await?;
//! scheduler.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A program sees and steers jobs, its own and others', with [`Registry::jobs`] and [`Registry::job`].
//!
//! The same settings can be read from a file: [`jobs_file`]. The binary `clockwright` is made of this library.

pub mod allow;
pub mod job;
pub mod jobs;
pub mod net;
pub mod outcomes;
pub mod registry;
pub mod scheduler;

pub use allow::Allow;
pub use clockwright_engine::core::{OnRegistryLoss, ServedJob};
pub use clockwright_engine::{
    AddError, Failure, JobListener, ListenerError, NotGivenBack, OnceListener, RemoveError, RunReport,
    StartError,
};
pub use clockwright_events as events;
pub use clockwright_fleet as fleet;
pub use clockwright_fleet::Layout;
pub use clockwright_fleet::admin::{AdminError, Done, Triggered};
pub use clockwright_fleet::view::{JobBrief, JobView};
pub use clockwright_model as model;
pub use clockwright_model::{
    ErrorHandler, Exclusive, FailureKind, Fire, InstanceId, Item, JobName, JobSettings, Misfire, Outcome,
    Reason, Retry, RunId, SettingsError, Settlement, ShardContext, Source,
};
pub use clockwright_planner::sharding::Strategy;
pub use clockwright_registry as coordination;
#[cfg(feature = "zookeeper")]
pub use clockwright_registry_zookeeper as zookeeper;
pub use clockwright_runtime as runtime;
pub use clockwright_runtime::{CancelSignal, Dataflow, KeepLogs, RunLogs, Stream, Supervisor};
pub use clockwright_settings::jobs_file;
pub use job::Job;
pub use jobs::JobHandle;
pub use outcomes::{Heard, Outcomes};
pub use registry::{Address, ConnectError, Registry};
pub use scheduler::{Events, History, Scheduler, SchedulerError, SchedulerOptions, ShutdownReport};

pub use clockwright_runtime::guard::EXEC_TASK;

/// Becomes the supervisor of a script's processes, if this process was started to be one. The first thing in the `main` of a
/// program that has [`Job::script`] jobs, before it starts a thread. [`Scheduler::start`] refuses such jobs where it was left out:
///
/// ```
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     if let Some(code) = clockwright::exec_task_if_asked() {
///         return code;
///     }
///     // … the program …
///     ExitCode::SUCCESS
/// }
/// ```
#[must_use]
pub fn exec_task_if_asked() -> Option<std::process::ExitCode> {
    clockwright_runtime::guard::if_asked()
}

/// The examples of the README and of the library's guide, which are compiled and run with this crate's tests.
#[cfg(doctest)]
pub mod documents {
    #[doc = include_str!("../../../README.md")]
    pub struct Readme;

    #[doc = include_str!("../../../docs/guides/library.md")]
    pub struct Guide;
}
