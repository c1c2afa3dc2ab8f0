//! The spool: a bounded file on disk between the bus and a database that is slow or away.
//!
//! # Shape
//! [`Spool`] is a sink around another one. While all is well it passes batches on and touches no file. When a batch fails,
//! or takes longer than [`SpoolOptions::patience`], it is written to the spool's files, and so are all that follow, in
//! order, until one task has drained them into the sink behind: first in, first out, so an order never changes. Whether
//! the batch that took too long was stored after all does not matter, because storing an event again changes nothing.
//!
//! # What it promises
//! An event that the spool took survives the end of the process, however it ends, and is stored when the next process with
//! the same folder has reached the database. A power cut may lose the last moments, as with the SQLite store. A disk that
//! is full makes the spool fail, and then the bus keeps the events in its own bounded queue.
//!
//! # When it is full
//! Room is made from what is worth least, the oldest of a kind first: states of firings, then starts and ends of runs,
//! then outcomes of fires, and failures of either last. Some more room than needed is made at once, so that an overflow
//! does not rewrite the files for each batch. Everything dropped is counted, in [`SpoolStats`] and, as soon as the database
//! is back, in a record of the store ([`Sink::record_loss`]). That count survives a restart too.
//!
//! # Files
//! The folder holds numbered segments of lines, the count of what was dropped, and a lock: a folder belongs to one process.
//! A line is a digit for what it is worth, a checksum, and the event as JSON. A line that a crash has cut off belongs to a
//! batch that was never taken; any other line that cannot be read is counted as dropped. How far the oldest segment is
//! drained is not written down: after a restart it is stored again from its beginning, which changes nothing.

mod files;

use crate::trouble::Trouble;
use crate::{Sink, SinkError};
use async_trait::async_trait;
use clockwright_model::{Event, Token};
use files::{Chunk, Files};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// The bounds and delays of a spool.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// Most bytes of events on disk; at least 64 KiB. Default 64 MiB, about 200,000 events.
    pub max_bytes: u64,
    /// How long a batch may take before it goes to the disk. Default 2 s.
    pub patience: Duration,
    /// Most events in one batch while draining; at least 1. Default 4,000: a slow database is mostly slow to commit.
    pub drain_events: usize,
    /// The wait before the first retry while draining; each further one doubles it. Default 100 ms.
    pub retry_min: Duration,
    /// The longest wait between two tries. Default 5 s.
    pub retry_max: Duration,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            patience: Duration::from_secs(2),
            drain_events: 4000,
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(5),
        }
    }
}

/// How many folders processes may share out among themselves.
const FOLDERS: u32 = 100;

/// How a spool is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpoolStats {
    /// Events on disk now.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events that went to the disk since the start.
    pub spooled: u64,
    /// Events from the disk that were stored since the start.
    pub drained: u64,
    /// Events given up since the start: no room, or not readable.
    pub dropped: u64,
    /// What the sink behind said last, if its last try failed.
    pub last_error: Option<String>,
}

/// Why a spool cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot use the folder `{folder}` for events that wait for the database: {reason}")]
pub struct SpoolError {
    folder: String,
    reason: String,
    is_in_use: bool,
}

impl SpoolError {
    /// True when another process uses the folder, or one in this process that is just being dropped: it is free when that has ended.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.is_in_use
    }
}

/// See the module.
pub struct Spool {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    inner: Arc<dyn Sink>,
    name: String,
    options: SpoolOptions,
    /// `None` once it is closed, and its lock given back.
    files: Mutex<Option<Files>>,
    /// What can be asked without touching a file.
    stats: watch::Sender<SpoolStats>,
    /// That the sink behind does not store.
    trouble: Mutex<Option<Trouble>>,
    wake: Notify,
}

impl Spool {
    /// Opens the folder, makes it if need be, and begins to drain what an earlier process left there. It needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`SpoolError`], when the folder cannot be made, read or locked: another process uses it.
    pub fn open(
        folder: impl AsRef<Path>,
        inner: Arc<dyn Sink>,
        options: SpoolOptions,
    ) -> Result<Arc<Self>, SpoolError> {
        let folder = folder.as_ref();
        let files = Files::open(PathBuf::from(folder), options.max_bytes.max(64 << 10));
        let files = files.map_err(|error| {
            let is_in_use = error.kind() == std::io::ErrorKind::WouldBlock;
            let reason = if is_in_use {
                "another process uses it; give each process a folder of its own".into()
            } else {
                error.to_string()
            };
            SpoolError { folder: folder.display().to_string(), reason, is_in_use }
        })?;
        let stats = watch::Sender::new(files.stats.clone());
        let name = inner.name().to_owned();
        let shared = Arc::new(Shared {
            inner,
            name,
            options,
            files: Mutex::new(Some(files)),
            stats,
            trouble: Mutex::new(None),
            wake: Notify::new(),
        });
        shared.wake.notify_one();
        let task = tokio::spawn(drain(Arc::clone(&shared)));
        Ok(Arc::new(Self { shared, task: Mutex::new(Some(task)) }))
    }

    /// Opens the first of the folders `BASE`, `BASE-2`, `BASE-3` and so on that no other process uses: where processes share a data folder.
    /// What processes that are gone left in the others is drained as well.
    ///
    /// # Errors
    /// [`SpoolError`], when a folder cannot be made or read, or a hundred are in use.
    pub fn open_first(
        base: impl AsRef<Path>,
        inner: &Arc<dyn Sink>,
        options: &SpoolOptions,
    ) -> Result<Arc<Self>, SpoolError> {
        let folder = |number: u32| match number {
            1 => base.as_ref().to_owned(),
            _ => {
                let mut name = base.as_ref().as_os_str().to_owned();
                name.push(format!("-{number}"));
                PathBuf::from(name)
            }
        };
        let mut first = None;
        for number in 1..=FOLDERS {
            if first.is_some() && !folder(number).exists() {
                break;
            }
            match Self::open(folder(number), Arc::clone(inner), options.clone()) {
                Ok(spool) if first.is_none() => first = Some(spool),
                Ok(left) => {
                    tokio::spawn(async move { left.drained(Duration::MAX).await });
                }
                Err(error) if error.is_in_use() && (number < FOLDERS || first.is_some()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(first.expect("the last try was an answer"))
    }

    /// How it is doing.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        self.shared.stats.borrow().clone()
    }

    /// Waits until nothing is left on disk; false if that took longer than `within`.
    pub async fn drained(&self, within: Duration) -> bool {
        let mut stats = self.shared.stats.subscribe();
        let empty = stats.wait_for(|stats| stats.waiting == 0);
        tokio::time::timeout(within, empty).await.is_ok_and(|stats| stats.is_ok())
    }
}

/// What is on disk waits for the next process.
impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

#[async_trait]
impl Sink for Spool {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        let shared = &self.shared;
        if shared.stats.borrow().waiting == 0 {
            match tokio::time::timeout(shared.options.patience, shared.inner.store(batch)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => shared.failed(error.0),
                Err(_) => shared.failed(format!("no answer within {:?}", shared.options.patience)),
            }
        }
        let lines: Vec<_> = batch.iter().map(files::Line::of).collect();
        let written = shared.files(move |files| files.append(&lines)).await;
        written.map_err(|error| SinkError(format!("cannot write to the spool: {error}")))?;
        shared.wake.notify_one();
        Ok(())
    }

    async fn record_loss(&self, loss: &crate::Loss) -> Result<(), SinkError> {
        self.shared.inner.record_loss(loss).await
    }

    /// What an earlier process left on disk is waited for, but not longer than for a batch.
    async fn greatest_token(&self, namespace: &str) -> Result<Token, SinkError> {
        let patience = self.shared.options.patience;
        self.drained(patience).await;
        let answer = tokio::time::timeout(patience, self.shared.inner.greatest_token(namespace)).await;
        answer.unwrap_or_else(|_| Err(SinkError(format!("no answer within {patience:?}"))))
    }

    async fn identity(&self) -> Result<Option<String>, SinkError> {
        let patience = self.shared.options.patience;
        let answer = tokio::time::timeout(patience, self.shared.inner.identity()).await;
        answer.unwrap_or_else(|_| Err(SinkError(format!("no answer within {patience:?}"))))
    }

    /// What is on disk stays there, and the folder is free for another process when this returns.
    async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
        // A write that was given up may still be on its way to the disk: it is waited for here.
        let shared = Arc::clone(&self.shared);
        let files = move || shared.files.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(tokio::task::spawn_blocking(files).await);
        self.shared.inner.close().await;
    }

    fn name(&self) -> &str {
        &self.shared.name
    }
}

impl Shared {
    /// Works on the files where it may block, and publishes what that changed.
    async fn files<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> T {
        let shared = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            // Every change of the files' state follows what was done on disk, so a panic half-way leaves a sound state.
            let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
            let files = files.as_mut()?;
            let answer = work(files);
            let now = files.stats.clone();
            shared.stats.send_modify(|stats| {
                let last_error = stats.last_error.take();
                *stats = SpoolStats { last_error, ..now };
            });
            Some(answer)
        });
        match done.await {
            Ok(Some(answer)) => answer,
            // It is closed: whoever asks is about to be dropped.
            Ok(None) => std::future::pending().await,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn failed(&self, error: String) {
        let told = self.trouble().get_or_insert_with(Trouble::begins).tell();
        if let Some(seconds) = told {
            let waiting = self.stats.borrow().waiting;
            tracing::warn!(sink = %self.name, seconds, waiting, %error, "the sink is slow or away; events wait on disk");
        }
        self.stats.send_modify(|stats| stats.last_error = Some(error));
    }

    fn succeeded(&self) {
        let Some(trouble) = self.trouble().take() else { return };
        self.stats.send_modify(|stats| stats.last_error = None);
        let (seconds, waiting) = (trouble.seconds(), self.stats.borrow().waiting);
        tracing::info!(sink = %self.name, seconds, waiting, "the sink stores events again");
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one task that takes events off the disk.
async fn drain(shared: Arc<Shared>) {
    let mut wait = shared.options.retry_min;
    loop {
        let most = shared.options.drain_events.max(1);
        let chunk = shared.files(move |files| files.next_chunk(most)).await;
        let done = match chunk {
            Ok(None) => match loss(&shared).await {
                Ok(()) => {
                    shared.wake.notified().await;
                    continue;
                }
                Err(error) => Err(error),
            },
            Ok(Some(chunk)) => store(&shared, chunk).await,
            Err(error) => Err(format!("cannot read the spool: {error}")),
        };
        match done {
            Ok(()) => wait = shared.options.retry_min,
            Err(error) => {
                shared.failed(error);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(shared.options.retry_max);
            }
        }
    }
}

async fn store(shared: &Arc<Shared>, chunk: Chunk) -> Result<(), String> {
    if !chunk.events.is_empty() {
        let stored = shared.inner.store(&chunk.events).await;
        if let Err(error) = stored {
            shared.files(Files::put_back).await;
            return Err(error.0);
        }
        shared.succeeded();
    }
    let place = chunk.place;
    shared.files(move |files| files.settle(place)).await.map_err(|error| error.to_string())
}

/// Tells the sink what was dropped, once nothing is left that could still be.
async fn loss(shared: &Arc<Shared>) -> Result<(), String> {
    let Some(loss) = shared.files(|files| files.loss.clone()).await else { return Ok(()) };
    shared.inner.record_loss(&loss).await.map_err(|error| error.0)?;
    shared.files(move |files| files.forget_loss(&loss)).await.map_err(|error| error.to_string())
}
