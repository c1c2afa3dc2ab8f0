//! One sink's bounded queue: a lane for each kind of event, so that making room is a `pop_front`.

use super::{BusOptions, SinkStats};
use crate::trouble::Trouble;
use crate::worth;
use clockwright_model::{Event, Fire, Reason};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// See the module.
pub(super) struct Queue {
    name: String,
    max_events: usize,
    max_bytes: usize,
    batch_events: usize,
    state: Mutex<State>,
    /// Wakes the task: the queue is no longer empty, a batch is full, somebody flushes, or the bus was closed.
    wake: Notify,
    /// Ends a pause between two tries.
    hurry: Notify,
    /// Wakes those who flush, after each batch.
    progress: Notify,
}

/// Events on their way to the sink, with what the queue must know of each.
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    marks: VecDeque<Mark>,
}

#[derive(Clone, Copy)]
struct Mark {
    /// Position in the order of publishing.
    seq: u64,
    /// What [`weight`] said.
    bytes: usize,
}

struct State {
    /// Indexed by [`Worth`](crate::Worth): what is dropped first comes first.
    lanes: [VecDeque<(Mark, Arc<Event>)>; 4],
    waiting: usize,
    /// Events handed to the task and not settled yet.
    taken: usize,
    /// Bytes of the waiting and the taken events.
    bytes: usize,
    next_seq: u64,
    /// The position of the oldest taken event.
    taken_from: Option<u64>,
    /// Events before this position must not wait for company.
    hurry_to: u64,
    closed: bool,
    give_up: bool,
    abandoned: bool,
    /// True from the first event dropped for want of room until the next batch is stored.
    overflowing: bool,
    failing: Option<Trouble>,
    stored: u64,
    dropped: u64,
    retries: u64,
    last_error: Option<String>,
}

/// About how much memory an event takes while it waits.
pub(super) fn weight(event: &Event) -> usize {
    let text = match event {
        Event::Execution(e) => e.task_id.len() + e.failure_cause.as_ref().map_or(0, String::len),
        Event::Status(e) => e.task_id.len() + e.message.len() + 4 * e.items.len(),
        Event::Settlement(e) => {
            let id = match &e.fire {
                Fire::Trigger { id, .. } => id.len(),
                Fire::Scheduled(_) => 0,
            };
            id + e.outcome.why().map_or(0, Reason::bytes)
        }
        Event::Change(e) => e.namespace.len() + e.subject.len() + e.by.len() + e.reason.len(),
    };
    size_of::<Event>() + size_of::<(Mark, Arc<Event>)>() + text
}

impl Queue {
    pub(super) fn new(name: &str, options: &BusOptions) -> Self {
        Self {
            name: name.to_owned(),
            max_events: options.max_events.max(1),
            max_bytes: options.max_bytes,
            batch_events: options.batch_events.max(1),
            state: Mutex::new(State {
                lanes: Default::default(),
                waiting: 0,
                taken: 0,
                bytes: 0,
                next_seq: 0,
                taken_from: None,
                hurry_to: 0,
                closed: false,
                give_up: false,
                abandoned: false,
                overflowing: false,
                failing: None,
                stored: 0,
                dropped: 0,
                retries: 0,
                last_error: None,
            }),
            wake: Notify::new(),
            hurry: Notify::new(),
            progress: Notify::new(),
        }
    }

    /// No code under this lock can panic half-way through a change, so a poisoned lock still holds a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event; returns its place, from 1 on, or 0 when the bus is closed.
    pub(super) fn push(&self, event: Arc<Event>, bytes: usize) -> u64 {
        let mut overflow_begins = false;
        let (wake, place) = {
            let mut state = self.lock();
            if state.closed {
                state.dropped += 1;
                return 0;
            }
            let mark = Mark { seq: state.next_seq, bytes };
            state.next_seq += 1;
            state.lanes[worth(&event) as usize].push_back((mark, event));
            state.waiting += 1;
            state.bytes += bytes;
            while (state.waiting + state.taken > self.max_events || state.bytes > self.max_bytes)
                && state.drop_least()
            {
                overflow_begins |= !std::mem::replace(&mut state.overflowing, true);
            }
            (state.waiting == 1 || state.waiting == self.batch_events, state.next_seq)
        };
        // The task needs waking only at these two counts: between them it already waits for the batch to fill.
        if wake {
            self.wake.notify_one();
        }
        if overflow_begins {
            tracing::warn!(sink = %self.name, "the sink is too slow or away and its queue is full: dropping events, oldest status traces first");
        }
        place
    }

    /// Up to which place nothing is waiting or on its way.
    pub(super) fn stored_to(&self) -> u64 {
        let state = self.lock();
        state.oldest().unwrap_or(state.next_seq)
    }

    /// Waits for a batch: a full one, or what is there `delay` after the first event, or at once if somebody flushes.
    /// `None` when the bus is closed and nothing is left.
    pub(super) async fn next_batch(&self, delay: Duration) -> Option<Batch> {
        let mut deadline = None;
        loop {
            {
                let mut state = self.lock();
                if state.waiting == 0 {
                    if state.closed {
                        return None;
                    }
                    deadline = None;
                } else {
                    let now = tokio::time::Instant::now();
                    let due = *deadline.get_or_insert(now + delay) <= now;
                    let hurry = state.closed || state.oldest().is_some_and(|seq| seq < state.hurry_to);
                    if due || hurry || state.waiting >= self.batch_events {
                        let taken = state.take(self.batch_events);
                        drop(state);
                        return Some(Batch::new(taken));
                    }
                }
            }
            match deadline {
                None => self.wake.notified().await,
                Some(deadline) => drop(tokio::time::timeout_at(deadline, self.wake.notified()).await),
            }
        }
    }

    /// Waits before another try. True if a flush cut the wait short.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        tokio::time::timeout(wait, self.hurry.notified()).await.is_ok()
    }

    /// The first `count` events of the batch are stored; takes them off it.
    pub(super) fn stored(&self, batch: &mut Batch, count: usize) {
        let recovered = {
            let mut state = self.lock();
            if state.abandoned {
                return;
            }
            state.settle(batch, count);
            state.stored += count as u64;
            state.overflowing = false;
            state.failing.take()
        };
        if let Some(trouble) = recovered {
            tracing::info!(sink = %self.name, seconds = trouble.seconds(), "the sink stores events again");
        }
        self.progress.notify_waiters();
    }

    /// The first `count` events of the batch are given up; takes them off it.
    pub(super) fn discarded(&self, batch: &mut Batch, count: usize) {
        {
            let mut state = self.lock();
            if state.abandoned {
                return;
            }
            state.settle(batch, count);
            state.dropped += count as u64;
        }
        tracing::error!(sink = %self.name, count, "dropped events that the sink did not take");
        self.progress.notify_waiters();
    }

    /// A try failed. True if there is no point in another one, because nobody waits for it.
    pub(super) fn failed(&self, error: String) -> bool {
        let mut state = self.lock();
        if let Some(seconds) = state.failing.get_or_insert_with(Trouble::begins).tell() {
            tracing::warn!(sink = %self.name, seconds, %error, "the sink did not store a batch of events; they are kept and tried again");
        }
        state.last_error = Some(error);
        if !state.give_up {
            state.retries += 1;
        }
        state.give_up
    }

    /// Asks for everything so far to be stored without delay; answers with the position to wait for.
    pub(super) fn hurry(&self) -> u64 {
        let target = {
            let mut state = self.lock();
            state.hurry_to = state.next_seq;
            state.next_seq
        };
        self.wake.notify_one();
        self.hurry.notify_one();
        target
    }

    /// Waits until nothing before `target` is waiting or on its way.
    pub(super) async fn settled(&self, target: u64) {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            if self.lock().oldest().is_none_or(|seq| seq >= target) {
                return;
            }
            progress.await;
        }
    }

    /// Takes no more events. With `give_up` the first failure from now on ends the trying.
    pub(super) fn close(&self, give_up: bool) {
        {
            let mut state = self.lock();
            state.closed = true;
            state.give_up |= give_up;
        }
        self.wake.notify_one();
        if give_up {
            self.hurry.notify_one();
        }
    }

    /// Counts everything that is left as dropped. The task has been told to end; what it still reports is ignored.
    pub(super) fn abandon(&self) {
        let left = {
            let mut state = self.lock();
            state.abandoned = true;
            let left = state.waiting + state.taken;
            state.lanes = Default::default();
            state.dropped += left as u64;
            (state.waiting, state.taken, state.bytes, state.taken_from) = (0, 0, 0, None);
            left
        };
        if left > 0 {
            tracing::error!(sink = %self.name, count = left, "dropped events that could not be stored before the bus was closed");
        }
        self.progress.notify_waiters();
    }

    pub(super) fn stats(&self) -> SinkStats {
        let state = self.lock();
        SinkStats {
            sink: self.name.clone(),
            stored: state.stored,
            dropped: state.dropped,
            retries: state.retries,
            queued: state.waiting + state.taken,
            queued_bytes: state.bytes,
            failing: state.failing.is_some(),
            last_error: state.last_error.clone(),
        }
    }
}

impl State {
    /// Drops the oldest event of the least worthy lane; false if all lanes are empty.
    fn drop_least(&mut self) -> bool {
        let Some((mark, _)) = self.lanes.iter_mut().find_map(VecDeque::pop_front) else { return false };
        self.waiting -= 1;
        self.bytes -= mark.bytes;
        self.dropped += 1;
        true
    }

    /// The position of the oldest event that is waiting or on its way.
    fn oldest(&self) -> Option<u64> {
        self.lanes
            .iter()
            .filter_map(|lane| lane.front().map(|(mark, _)| mark.seq))
            .chain(self.taken_from)
            .min()
    }

    /// Takes up to `most` events in the order of publishing. Only pointers move, so the lock is held for microseconds.
    fn take(&mut self, most: usize) -> Vec<(Mark, Arc<Event>)> {
        let count = self.waiting.min(most);
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let first =
                self.lanes.iter_mut().filter(|lane| !lane.is_empty()).min_by_key(|lane| lane[0].0.seq);
            taken.extend(first.and_then(VecDeque::pop_front));
        }
        self.waiting -= count;
        self.taken += count;
        self.taken_from = taken.first().map(|(mark, _)| mark.seq);
        taken
    }

    fn settle(&mut self, batch: &mut Batch, count: usize) {
        self.bytes -= batch.marks.drain(..count).map(|mark| mark.bytes).sum::<usize>();
        self.taken -= count;
        self.taken_from = batch.marks.front().map(|mark| mark.seq);
        batch.events.drain(..count);
    }
}

impl Batch {
    fn new(taken: Vec<(Mark, Arc<Event>)>) -> Self {
        let mut batch =
            Self { events: Vec::with_capacity(taken.len()), marks: VecDeque::with_capacity(taken.len()) };
        for (mark, event) in taken {
            batch.marks.push_back(mark);
            batch.events.push(Arc::unwrap_or_clone(event));
        }
        batch
    }
}
