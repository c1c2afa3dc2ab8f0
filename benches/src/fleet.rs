//! Engines with many small jobs, and what watches them.

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use clockwright_engine::{Connect, Engine, EngineHandle, EngineOptions, JobDefinition};
use clockwright_events::{Bus, BusOptions, Sink, SinkError, SqliteStore};
use clockwright_fleet::keys::Keys;
use clockwright_model::{Event, InstanceId, JobKind, JobName, JobSettings, Outcome, ShardContext};
use clockwright_runtime::{SharedRuntime, SimpleFn};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The session timeout of engines that are not about dying, milliseconds.
pub(crate) const SESSION: i64 = 12_000;

/// Jobs named `{prefix}-{number}` of one schedule.
pub(crate) fn jobs(
    prefix: &str,
    count: usize,
    items: u32,
    cron: impl Fn(usize) -> String,
    runtime: &SharedRuntime,
) -> anyhow::Result<Vec<JobDefinition>> {
    (0..count)
        .map(|number| {
            let name = JobName::new(&format!("{prefix}-{number:05}"))?;
            let mut settings = JobSettings::new(name, JobKind::Simple, &cron(number), items);
            settings.time_zone = Some("UTC".to_owned());
            Ok(JobDefinition::new(settings, runtime.clone()))
        })
        .collect()
}

/// Starts an engine in a namespace.
pub(crate) async fn engine(
    connect: Connect,
    namespace: &str,
    jobs: Vec<JobDefinition>,
    bus: Bus,
    number: u32,
) -> anyhow::Result<EngineHandle> {
    let me = InstanceId::of_process("127.0.0.1", std::process::id(), number);
    let options = EngineOptions::new(Keys::new(namespace)?, me);
    Ok(Engine::start(connect, jobs, bus, options).await?)
}

/// Waits until an engine owns so many items.
pub(crate) async fn owns(engine: &EngineHandle, items: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(180);
    let pause = if items > 5_000 { 25 } else { 2 };
    loop {
        let owned = owned(engine).await;
        if owned == items {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the engine owns {owned} instead of {items} items after 3 minutes"
        );
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// How many items an engine owns.
pub(crate) async fn owned(engine: &EngineHandle) -> usize {
    engine.status().await.iter().map(|job| job.items.len()).sum()
}

/// A job that does nothing.
pub(crate) fn no_op() -> SharedRuntime {
    Arc::new(SimpleFn::new(|_, _| async { Ok::<(), String>(()) }))
}

/// A job that only calls this function, at the very start of its body.
pub(crate) fn at_start(note: impl Fn(&ShardContext) + Send + Sync + Clone + 'static) -> SharedRuntime {
    Arc::new(SimpleFn::new(move |context: ShardContext, _| {
        note(&context);
        async { Ok::<(), String>(()) }
    }))
}

/// Collects values from many tasks.
pub(crate) struct Collected<T>(Mutex<Vec<T>>);

impl<T> Collected<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Vec::new())))
    }

    pub(crate) fn put(&self, value: T) {
        self.lock().push(value);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event store in a file of its own, as a node has one.
pub(crate) struct Store {
    pub(crate) store: Arc<SqliteStore>,
    _directory: tempfile::TempDir,
}

impl Store {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let store = SqliteStore::open(directory.path().join("events.db")).await.context("the event store")?;
        Ok(Self { store, _directory: directory })
    }

    pub(crate) fn bus(&self) -> Bus {
        Bus::start(vec![self.store.clone()], BusOptions::default())
    }
}

/// A sink that counts runs whose outcome is in the registry.
#[derive(Default)]
pub(crate) struct Completions {
    succeeded: AtomicU64,
    last_at: AtomicI64,
}

impl Completions {
    pub(crate) fn count(&self) -> u64 {
        self.succeeded.load(Ordering::Acquire)
    }

    /// When the last one was decided, milliseconds since 1970.
    pub(crate) fn last_at(&self) -> i64 {
        self.last_at.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Sink for Completions {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        for event in batch {
            if let Event::Settlement(settlement) = event
                && settlement.outcome == Outcome::Succeeded
            {
                self.last_at.fetch_max(settlement.at, Ordering::AcqRel);
                self.succeeded.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(())
    }
}
