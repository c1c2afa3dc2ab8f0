//! The bus: takes events from whoever runs jobs and feeds them to sinks, without ever making the publisher wait.
//!
//! # Shape
//! Each sink has a queue and a task of its own, so no sink can harm another one or the publisher. Publishing takes a
//! short lock, appends one pointer to each queue, and returns; nothing it does waits for IO. The task (`pump`) collects a
//! batch (by count, or after a short delay for the stragglers), hands it to the sink, and goes on only when the sink has
//! stored it. So a sink sees the events in the order in which they were published.
//!
//! # When a sink is slow or away
//! The batch is kept and tried again, after 100 ms and then twice as long each time up to 5 s, while new events wait in
//! the queue. The queue is bounded in events and bytes, both counting the batch on its way. When it is full, room is made
//! from what is worth least: first the oldest status traces, then the oldest executions, then the oldest settlements (the
//! only record of a fire's outcome), and failures of either last. Every event that is dropped is counted, and the log says when it starts.
//!
//! # When a sink panics
//! A panic counts as a failure of the batch. Unlike an error, which may be an outage, it points at the content: so the
//! batch is halved until one event is left that panics three times. That event is dropped and counted; the others arrive.
//!
//! # The end
//! [`Bus::flush`] waits until everything published before it is stored, [`Bus::close`] does so, ends the tasks and closes the sinks. If all
//! clones are dropped without a close, the tasks store what is left, give up at the first failure, and end.

mod pump;
mod queue;
mod sampling;

use crate::Sink;
use clockwright_model::{Event, Token};
use queue::Queue;
pub use sampling::Sampling;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a sink has at least to let go of what it holds.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Publishes events to all sinks. Clones share the same queues and cost one reference count.
#[derive(Clone, Default)]
pub struct Bus {
    inner: Option<Arc<Inner>>,
}

/// The bounds and delays of a bus, the same for each of its sinks.
#[derive(Debug, Clone)]
pub struct BusOptions {
    /// Most events that wait for one sink; at least 1. Default 100,000.
    pub max_events: usize,
    /// About how many bytes of events wait for one sink. Default 64 MiB.
    pub max_bytes: usize,
    /// Most events in one batch; at least 1. Default 1,024.
    pub batch_events: usize,
    /// How long an event waits for others to share its batch. Default 50 ms.
    pub batch_delay: Duration,
    /// The wait before the first retry of a batch; each further one doubles it. Default 100 ms.
    pub retry_min: Duration,
    /// The longest wait between two tries. Default 5 s.
    pub retry_max: Duration,
    /// Which firings leave a trace. Default: all.
    pub sampling: Sampling,
}

impl Default for BusOptions {
    fn default() -> Self {
        Self {
            max_events: 100_000,
            max_bytes: 64 << 20,
            batch_events: 1024,
            batch_delay: Duration::from_millis(50),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(5),
            sampling: Sampling::default(),
        }
    }
}

/// How one sink is doing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkStats {
    /// The sink's name.
    pub sink: String,
    /// Events stored since the start.
    pub stored: u64,
    /// Events given up since the start: the queue was full, the bus closed, or the sink panicked on them.
    pub dropped: u64,
    /// Batches that had to be tried again since the start, counting each try.
    pub retries: u64,
    /// Events that wait now, with those on their way to the sink.
    pub queued: usize,
    /// About how many bytes those take.
    pub queued_bytes: usize,
    /// True while the last try failed.
    pub failing: bool,
    /// What the last failed try said; kept after a recovery.
    pub last_error: Option<String>,
}

impl Bus {
    /// Starts one task for each sink, on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime, if there is a sink.
    #[must_use]
    pub fn start(sinks: Vec<Arc<dyn Sink>>, options: BusOptions) -> Self {
        if sinks.is_empty() {
            return Self::default();
        }
        let mut queues = Vec::with_capacity(sinks.len());
        let mut tasks = Vec::with_capacity(sinks.len());
        let mut kept = Vec::with_capacity(sinks.len());
        for sink in sinks {
            let queue = Arc::new(Queue::new(sink.name(), &options));
            tasks.push(tokio::spawn(pump::run(Arc::clone(&queue), Arc::clone(&sink), options.clone())));
            kept.push(sink);
            queues.push(queue);
        }
        let sampling = (!options.sampling.is_off()).then_some(options.sampling);
        let (queues, tasks, sinks) = (queues.into(), Mutex::new(tasks), Mutex::new(kept));
        Self {
            inner: Some(Arc::new(Inner {
                queues,
                tasks,
                sinks,
                sampling,
                sampled_out: AtomicU64::new(0),
                order: Mutex::new(()),
            })),
        }
    }

    /// A bus without sinks: publishing to it does nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// Takes an event. Never waits for a sink and never fails; see the module for what happens when a queue is full.
    pub fn publish(&self, event: Event) {
        self.publish_numbered(event);
    }

    /// Like [`publish`](Self::publish), and returns the event's place in the order of publishing, from 1 on; 0 when no sink gets
    /// it. [`stored_to`](Self::stored_to) tells when it is stored.
    pub fn publish_numbered(&self, event: Event) -> u64 {
        let Some(inner) = &self.inner else { return 0 };
        if inner.sampling.as_ref().is_some_and(|sampling| !sampling.keeps(&event)) {
            inner.sampled_out.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        let bytes = queue::weight(&event);
        let event = Arc::new(event);
        let (last, others) = inner.queues.split_last().expect("a bus with an inner part has a sink");
        // With several queues the order must be the same in all, so that one number means the same event.
        let _order = (!others.is_empty()).then(|| inner.order.lock().unwrap_or_else(PoisonError::into_inner));
        for queue in others {
            queue.push(Arc::clone(&event), bytes);
        }
        last.push(event, bytes)
    }

    /// Up to which place in the order of publishing every sink has stored all events, or given them up.
    #[must_use]
    pub fn stored_to(&self) -> u64 {
        let queues = self.inner.iter().flat_map(|inner| inner.queues.iter());
        queues.map(|queue| queue.stored_to()).min().unwrap_or(u64::MAX)
    }

    /// Like [`publish`](Self::publish), but makes the event only if there is a sink for it.
    pub fn publish_with(&self, event: impl FnOnce() -> Event) {
        if self.inner.is_some() {
            self.publish(event());
        }
    }

    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let sinks = self
            .inner
            .as_ref()
            .map(|inner| inner.sinks.lock().unwrap_or_else(PoisonError::into_inner).clone());
        sinks.unwrap_or_default()
    }

    /// The stores that its sinks keep history in. `None` when one of them cannot say now. See [`Sink::identity`].
    pub async fn stores(&self) -> Option<Vec<String>> {
        let mut stores = Vec::new();
        for sink in self.sinks() {
            match sink.identity().await {
                Ok(identity) => stores.extend(identity),
                Err(error) => {
                    tracing::debug!(sink = sink.name(), %error, "which store this is cannot be announced");
                    return None;
                }
            }
        }
        Some(stores)
    }

    /// The greatest fencing token that a sink knows of; one that cannot say is passed over, and said. See [`Sink::greatest_token`].
    pub async fn greatest_token(&self, namespace: &str) -> Token {
        let mut greatest = 0;
        for sink in self.sinks() {
            match sink.greatest_token(namespace).await {
                Ok(token) => greatest = greatest.max(token),
                Err(error) => tracing::warn!(
                    sink = sink.name(),
                    %error,
                    "the greatest fencing token on record is not known; should the registry have lost its data, tokens may begin anew"
                ),
            }
        }
        greatest
    }

    /// Waits until every sink has stored all that was published before this call, without waiting for batches to fill
    /// and with one immediate try if a sink is between two tries. False if that took longer than `within`.
    /// Events that were dropped are not waited for; [`stats`](Self::stats) counts them.
    pub async fn flush(&self, within: Duration) -> bool {
        let Some(inner) = &self.inner else { return true };
        let targets: Vec<u64> = inner.queues.iter().map(|queue| queue.hurry()).collect();
        let all = async {
            for (queue, target) in inner.queues.iter().zip(targets) {
                queue.settled(target).await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    /// Takes no more events, flushes, ends the tasks, and closes the sinks. What is not stored within `within` is dropped and counted, and
    /// the answer is then false; a sink has a second more to let go of what it holds. Later events are dropped and counted too; closing again
    /// does nothing.
    pub async fn close(&self, within: Duration) -> bool {
        let Some(inner) = &self.inner else { return true };
        let began = tokio::time::Instant::now();
        for queue in &inner.queues {
            queue.close(false);
        }
        let whole = self.flush(within).await;
        let tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // A sink is closed when nothing of it runs any more.
            let _ = task.await;
        }
        for queue in &inner.queues {
            queue.abandon();
        }
        let sinks = std::mem::take(&mut *inner.sinks.lock().unwrap_or_else(PoisonError::into_inner));
        let rest = within.saturating_sub(began.elapsed()).max(LETTING_GO);
        let closing = futures::future::join_all(sinks.iter().map(|sink| sink.close()));
        if tokio::time::timeout(rest, closing).await.is_err() {
            tracing::warn!("a sink did not close in time");
        }
        whole
    }

    /// How many events no sink will have: dropped for want of room or time, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.stats().iter().map(|sink| sink.dropped).sum()
    }

    /// How many events were left out by [`BusOptions::sampling`] since the start.
    #[must_use]
    pub fn sampled_out(&self) -> u64 {
        self.inner.as_ref().map_or(0, |inner| inner.sampled_out.load(Ordering::Relaxed))
    }

    /// How each sink is doing, in the order in which they were given.
    #[must_use]
    pub fn stats(&self) -> Vec<SinkStats> {
        self.inner.iter().flat_map(|inner| inner.queues.iter().map(|queue| queue.stats())).collect()
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stats()).finish()
    }
}

struct Inner {
    queues: Box<[Arc<Queue>]>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// To be closed at the end.
    sinks: Mutex<Vec<Arc<dyn Sink>>>,
    /// `None` keeps everything.
    sampling: Option<Sampling>,
    sampled_out: AtomicU64,
    order: Mutex<()>,
}

/// The last clone is gone: nobody can flush any more, so the tasks finish by themselves.
impl Drop for Inner {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.close(true);
        }
    }
}
