//! A program can name whatever the library takes or gives, with this crate alone.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use clockwright::coordination::{OpenError, SharedRegistry};
use clockwright::events::{Bus, Retention, Sampling, Sink, SpoolError, StoreError};
use clockwright::fleet::keys::Keys;
use clockwright::fleet::view::JobStatus;
use clockwright::jobs_file::{JobsFile, JobsFileError};
use clockwright::{
    Address, AdminError, CancelSignal, ConnectError, Done, ErrorHandler, Events, Exclusive, Failure,
    FailureKind, Fire, Heard, History, InstanceId, Item, Job, JobBrief, JobHandle, JobName, JobSettings,
    JobView, KeepLogs, Layout, ListenerError, Misfire, NotGivenBack, OnceListener, Outcome, Outcomes, Reason,
    Registry, Retry, RunId, RunLogs, RunReport, Scheduler, SchedulerError, SchedulerOptions, ServedJob,
    SettingsError, Settlement, ShardContext, ShutdownReport, Source, StartError, Strategy, Stream,
    Supervisor, Triggered,
};
use std::path::Path;
use std::sync::Arc;

/// What errors and reports are made of.
fn parts(error: SchedulerError) -> Option<String> {
    match error {
        SchedulerError::Job { job, error } => Some(format!("{job}{}", named::<SettingsError>(error))),
        SchedulerError::Store(error) => Some(named::<StoreError>(error)),
        SchedulerError::Spool(error) => Some(named::<SpoolError>(error)),
        SchedulerError::Engine(error) => Some(named::<StartError>(error)),
        _ => None,
    }
}

fn named<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

fn opened(error: ConnectError) -> Option<OpenError> {
    if let ConnectError::Open(error) = error { Some(error) } else { None }
}

#[allow(clippy::type_complexity, reason = "they only name types")]
#[test]
fn everything_that_is_taken_or_given_has_a_name_here() {
    let _: fn(&Registry) -> &Keys = Registry::keys;
    let _: for<'a> fn(&'a Registry, &'a str) -> JobHandle<'a> = Registry::job;
    let _: fn(&Scheduler) -> &InstanceId = Scheduler::instance;
    let _: fn(&Scheduler) -> Outcomes = Scheduler::outcomes;
    let _: fn(&str) -> Result<Address, ConnectError> = Address::parse;
    let _: fn(JobSettings) -> Result<Job, SettingsError> = Job::from_settings;
    let _: fn(SchedulerOptions, Events) -> SchedulerOptions = SchedulerOptions::events;
    let _: fn(SchedulerOptions, Layout) -> SchedulerOptions = SchedulerOptions::layout;
    let _: fn(SchedulerOptions, Arc<RunLogs>) -> SchedulerOptions = SchedulerOptions::logs;
    let _: fn(Retention) -> History = History::keep;
    let _: fn(&History, Vec<Arc<dyn Sink>>) -> Bus = History::bus;
    let _: fn(Job, OnceListener) -> Job = Job::once_listener;
    let _: fn(Job, Retry) -> Job = Job::retry;
    let _: fn(Job, Misfire) -> Job = Job::misfire;
    let _: fn(Job, Exclusive) -> Job = Job::exclusive;
    let _: fn(Job, ErrorHandler) -> Job = Job::error_handler;
    let _: fn(Job, Strategy) -> Job = Job::strategy;
    let _: fn(Job, Supervisor) -> Job = Job::supervisor;
    let _: fn(&Path, &clockwright::jobs_file::Options<'_>) -> Result<JobsFile, JobsFileError> =
        clockwright::jobs_file::read;
    let _: fn(&ShutdownReport) -> &Vec<NotGivenBack> = |report| &report.not_given_back;
    let _: fn(Heard) -> Option<Arc<Settlement>> =
        |heard| if let Heard::Outcome(settlement) = heard { Some(settlement) } else { None };
    let _: fn(&Settlement) -> (&JobName, Item, &Fire, &Outcome, Option<RunId>, Source) =
        |it| (&it.job, it.item, &it.fire, &it.outcome, it.run_id, it.source);
    let _: fn(Failure) -> (ShardContext, FailureKind, Reason) = |it| (it.context, it.kind, it.reason);
    let _: fn(RunReport) -> Outcome = |it| it.outcome;
    let _: fn(JobView) -> (JobBrief, JobStatus) = |it| (it.brief.clone(), it.brief.status);
    let _: fn(Sampling) -> History = |sampling| {
        let mut history = History::default();
        history.sampling = sampling;
        history
    };
    let _ = SchedulerOptions::default().lines(|_: &InstanceId, _: &ShardContext, _: Stream, _: &str| {});
    let _ = Job::cancellable("a", "@every 1h", |_: ShardContext, _: CancelSignal| async {
        Ok::<(), ListenerError>(())
    });
    let _ = RunLogs::new(std::env::temp_dir().join("never-made"), KeepLogs::default());
    assert_eq!(
        (parts(SchedulerError::Twice("a".into())), opened(ConnectError::Address(String::new())).is_none()),
        (None, true)
    );
}

/// What the operations of a job answer with.
#[tokio::test]
async fn the_answers_of_operations_have_names_here() {
    let registry = Registry::in_memory("jobs").unwrap();
    let session: SharedRegistry = registry.session().await.unwrap();
    session.close().await.unwrap();
    let briefs: Result<Vec<JobBrief>, AdminError> = registry.jobs().await;
    assert_eq!(briefs.unwrap(), []);
    let triggered: Result<Triggered, AdminError> = registry.job("a").trigger().await;
    let paused: Result<Done, AdminError> = registry.job("a").pause("").await;
    assert!(triggered.is_err() && paused.is_err());
    let scheduler = Scheduler::start(&registry, vec![]).await.unwrap();
    let status: Vec<ServedJob> = scheduler.status().await;
    assert_eq!(status, []);
    scheduler.shutdown().await;
}
