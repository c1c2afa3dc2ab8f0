//! Keeping what runs print, while they run.

use super::LogPosition;
use crate::output::{Kept, Sink, Stream};
use crate::{Control, RunEnd, RunSpec, Runtime, SharedRuntime};
use async_trait::async_trait;
use clockwright_model::ShardContext;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Where logs are kept: the port. Nothing that goes wrong with it concerns the run.
pub trait LogStore: Send + Sync + 'static {
    /// Begins the log of a run. Nothing is written before the run prints.
    fn begin(self: Arc<Self>, context: &ShardContext) -> Box<dyn LogWriter>;
}

/// The log of one run.
#[async_trait]
pub trait LogWriter: Send + Sync {
    /// Keeps what the run printed behind the first `at` bytes, for those who look while it still runs. It may be dropped before it returns;
    /// what it began is done then before what comes later.
    async fn append(&mut self, at: u64, bytes: Vec<u8>);

    /// The run has ended: keeps what it printed for good, and says where. A run that printed nothing has no log.
    async fn end(self: Box<Self>, kept: Kept) -> Option<LogPosition>;
}

/// A runtime that keeps what its runs print.
pub struct Logged {
    runtime: SharedRuntime,
    logs: Arc<dyn LogStore>,
}

impl Logged {
    /// Runs by another runtime.
    #[must_use]
    pub fn new(runtime: SharedRuntime, logs: Arc<dyn LogStore>) -> Self {
        Self { runtime, logs }
    }
}

#[async_trait]
impl Runtime for Logged {
    async fn run(&self, spec: RunSpec, mut control: Control) -> RunEnd {
        let mut log = Arc::clone(&self.logs).begin(&spec.context);
        let printed = Arc::new(Printed::default());
        control.output = control.output.and(printed.clone());
        let mut end = tokio::select! {
            biased;
            end = self.runtime.run(spec, control) => end,
            never = follow(&printed, &mut *log) => match never {},
        };
        let kept = std::mem::take(&mut printed.state().kept);
        end.log = log.end(kept).await;
        end
    }
}

/// For so long what is printed is gathered before it is written, so that a run which prints in a hurry costs no more than one which does
/// not, and one that ends sooner is written once.
const GATHER: Duration = Duration::from_millis(200);

/// Writes what is printed, as it is printed.
async fn follow(printed: &Printed, log: &mut dyn LogWriter) -> Infallible {
    loop {
        printed.news.notified().await;
        tokio::time::sleep(GATHER).await;
        let news = std::mem::take(&mut printed.state().news);
        for (at, bytes) in news {
            log.append(at, bytes).await;
        }
    }
}

/// No more waits to be written while the run goes on, bytes. What comes faster is seen when the run has ended, as far as it is kept.
const WAITING: usize = 256 << 10;

/// What a run printed.
#[derive(Default)]
struct Printed {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    kept: Kept,
    /// The stream whose line has not ended.
    within: Option<Stream>,
    /// What is still to be written, each piece behind the number of bytes before it.
    news: VecDeque<(u64, Vec<u8>)>,
}

impl Printed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn print(&mut self, bytes: &[u8]) {
        let at = self.kept.total();
        self.kept.print(bytes);
        match self.news.back_mut() {
            Some((start, piece)) if *start + piece.len() as u64 == at => piece.extend_from_slice(bytes),
            _ => self.news.push_back((at, bytes.to_vec())),
        }
        let mut over = self.news.iter().map(|(_, piece)| piece.len()).sum::<usize>().saturating_sub(WAITING);
        while over > 0
            && let Some((at, piece)) = self.news.front_mut()
        {
            let cut = over.min(piece.len());
            piece.drain(..cut);
            *at += cut as u64;
            over -= cut;
            if piece.is_empty() {
                self.news.pop_front();
            }
        }
    }
}

impl Sink for Printed {
    fn print(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state();
        if state.within.is_some_and(|within| within != stream) {
            state.print(b"\n");
        }
        state.print(bytes);
        state.within = (!bytes.ends_with(b"\n")).then_some(stream);
        drop(state);
        self.news.notify_one();
    }

    fn lose(&self, bytes: u64) {
        let mut state = self.state();
        state.kept.lose(bytes);
        state.within = None;
    }
}
