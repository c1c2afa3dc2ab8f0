//! What `dev` shows while it runs: who owns which items, what scripts print, how runs end.
//!
//! Runs must never wait for a terminal, so whatever is shown goes through a bounded queue to a thread of its own. When the
//! queue is full, lines are left out and counted.

use crate::output;
use async_trait::async_trait;
use clockwright::Registry;
use clockwright::scheduler::Lines;
use clockwright_events::{Sink, SinkError};
use clockwright_fleet::keys::Key;
use clockwright_model::{Event, InstanceId, JobName, Settlement, ShardContext};
use clockwright_registry::SharedRegistry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many lines wait for the terminal at most.
const QUEUE: usize = 10_000;

/// Prints lines on stdout, from a thread of its own.
pub(super) struct Printer {
    lines: SyncSender<Option<String>>,
    left_out: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// Puts lines into the queue of a [`Printer`].
#[derive(Clone)]
pub(super) struct Pen {
    lines: SyncSender<Option<String>>,
    left_out: Arc<AtomicU64>,
}

impl Printer {
    pub(super) fn start() -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let left_out = Arc::new(AtomicU64::new(0));
        let missing = Arc::clone(&left_out);
        let thread = std::thread::spawn(move || write(&queue, &missing));
        Self { lines, left_out, thread }
    }

    pub(super) fn pen(&self) -> Pen {
        Pen { lines: self.lines.clone(), left_out: Arc::clone(&self.left_out) }
    }

    /// Prints what scripts print.
    pub(super) fn lines(&self) -> Lines {
        let pen = self.pen();
        Arc::new(move |instance: &InstanceId, context: &ShardContext, _, line: &str| {
            pen.write(format!("{}/{} {instance} | {line}", context.job, context.item));
        })
    }

    /// Waits until everything is printed.
    pub(super) fn finish(self) {
        // The queue may be full; then the thread is at work, and an empty place comes.
        if self.lines.send(None).is_ok() {
            let _panicked = self.thread.join();
        }
    }
}

impl Pen {
    pub(super) fn write(&self, line: String) {
        if self.lines.try_send(Some(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(queue: &Receiver<Option<String>>, left_out: &AtomicU64) {
    while let Ok(Some(line)) = queue.recv() {
        let missing = left_out.swap(0, Ordering::Relaxed);
        let note = if missing > 0 { format!("({missing} lines left out)\n") } else { String::new() };
        if output::print(&format!("{note}{line}")).is_err() {
            // Nobody reads any more; the jobs go on.
            return;
        }
    }
}

/// Shows how fires ended: each once, and only what this process decided. An instance that takes an item over records its
/// last outcome again, so that none is lost with whoever decided it; that is for the record, not for the terminal.
pub(super) struct Outcomes {
    pen: Pen,
    shown: Mutex<VecDeque<String>>,
}

/// How many outcomes are remembered as shown.
const REMEMBERED: usize = 2_000;

impl Outcomes {
    pub(super) fn new(pen: Pen) -> Self {
        Self { pen, shown: Mutex::new(VecDeque::new()) }
    }

    fn is_news(&self, settled: &Settlement) -> bool {
        let process = std::process::id().to_string();
        if settled.instance.process().split('-').next() != Some(process.as_str()) {
            return false;
        }
        let key = settled.key();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.contains(&key) {
            return false;
        }
        if shown.len() >= REMEMBERED {
            shown.pop_front();
        }
        shown.push_back(key);
        true
    }
}

#[async_trait]
impl Sink for Outcomes {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        for event in batch {
            if let Event::Settlement(settlement) = event
                && self.is_news(settlement)
            {
                self.pen.write(describe(settlement));
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "terminal"
    }
}

fn describe(settled: &Settlement) -> String {
    let Settlement { job, item, instance, outcome, .. } = settled;
    let mut line = format!("{job}/{item} {instance} {}", outcome.word());
    if let Some(start) = settled.start {
        line.push_str(&format!(" after {:.3} s", (settled.at - start) as f64 / 1_000.0));
    }
    if settled.attempt > 1 {
        line.push_str(&format!(" at attempt {}", settled.attempt));
    }
    if let Some((_, count)) = settled.range {
        line.push_str(&format!(" ({count} fires)"));
    }
    let reason = outcome.reason();
    if !reason.is_empty() {
        line.push_str(&format!(": {}", reason.lines().next().unwrap_or_default()));
    }
    line
}

/// Shows who owns which items, each time that changes, until the session ends.
pub(super) async fn owners(registry: Registry, session: SharedRegistry, jobs: Vec<JobName>, pen: Pen) {
    let Ok(mut hints) = session.watch(registry.keys().root()).await else { return };
    let mut shown: BTreeMap<JobName, String> = BTreeMap::new();
    loop {
        for job in &jobs {
            if let Some(text) = sharing(&registry, &session, job).await
                && shown.get(job) != Some(&text)
            {
                pen.write(format!("{job}: {text}"));
                shown.insert(job.clone(), text);
            }
        }
        // Many nodes change together; one look serves for all, and a lost hint costs a second.
        tokio::select! {
            hint = hints.recv() => if hint.is_none() { return },
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        tokio::time::sleep(SETTLE).await;
        while hints.try_recv().is_ok() {}
    }
}

/// How long changes are gathered before the next look.
const SETTLE: Duration = Duration::from_millis(100);

/// `A owns 0,1; B owns 2`, or `None` while some item has no owner.
async fn sharing(registry: &Registry, session: &SharedRegistry, job: &JobName) -> Option<String> {
    let keys = registry.keys();
    let items = session.list(&keys.of(job, &Key::Items)).await.ok()?;
    let mut items: Vec<u32> = items.iter().filter_map(|item| item.parse().ok()).collect();
    items.sort_unstable();
    let paths: Vec<_> = items.iter().map(|item| keys.of(job, &Key::Owner(*item))).collect();
    let nodes = session.read(&paths).await.ok()?;
    let mut owned: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (item, node) in items.iter().zip(nodes) {
        owned.entry(String::from_utf8_lossy(&node?.data).into_owned()).or_default().push(item.to_string());
    }
    let parts: Vec<String> =
        owned.iter().map(|(owner, items)| format!("{owner} owns {}", items.join(","))).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
