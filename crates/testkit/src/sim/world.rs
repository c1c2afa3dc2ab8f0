//! A virtual clock, one queue of events, and what happened in words.

use super::Rng;
use clockwright_model::Millis;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The calendar at the simulation's first instant, epoch milliseconds.
pub const EPOCH: Millis = 1_700_000_000_000;

/// More events than this at one instant are a loop that never ends.
const MOST_AT_ONCE: u64 = 5_000;

/// The simulated world's time, chance and events.
pub struct World<E> {
    /// Milliseconds since the simulation began.
    pub now: Millis,
    /// The only source of chance.
    pub rng: Rng,
    /// Keeps what happened in words; `Some` only for a replay.
    trace: Option<VecDeque<String>>,
    trace_limit: usize,
    hash: u64,
    queue: BinaryHeap<Reverse<Entry<E>>>,
    order: u64,
    numbers: u64,
    events: u64,
    at_this_instant: u64,
}

struct Entry<E> {
    at: Millis,
    order: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<E> World<E> {
    /// A world at time 0. It keeps the last `trace_limit` lines of what happens.
    #[must_use]
    pub fn new(rng: Rng, trace_limit: usize) -> Self {
        Self {
            now: 0,
            rng,
            trace: (trace_limit > 0).then(VecDeque::new),
            trace_limit,
            hash: 0xcbf2_9ce4_8422_2325,
            queue: BinaryHeap::new(),
            order: 0,
            numbers: 0,
            events: 0,
            at_this_instant: 0,
        }
    }

    /// Puts an event into the queue. Events of one instant come in the order in which they were put.
    pub fn at(&mut self, at: Millis, event: E) {
        self.order += 1;
        self.queue.push(Reverse(Entry { at, order: self.order, event }));
    }

    /// Puts an event into the queue, `wait` milliseconds from now.
    pub fn after(&mut self, wait: Millis, event: E) {
        self.at(self.now + wait, event);
    }

    /// Takes the next event that happens until `end`, and moves the clock there.
    pub fn take(&mut self, end: Millis) -> Option<E> {
        if self.queue.peek().is_none_or(|entry| entry.0.at > end) {
            return None;
        }
        let Reverse(entry) = self.queue.pop()?;
        self.at_this_instant = if entry.at == self.now { self.at_this_instant + 1 } else { 0 };
        self.now = entry.at;
        self.events += 1;
        Some(entry.event)
    }

    /// True when events follow each other without time going by.
    #[must_use]
    pub fn spins(&self) -> bool {
        self.at_this_instant > MOST_AT_ONCE
    }

    /// A number that was not there before, from 1 on.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The calendar, epoch milliseconds.
    #[must_use]
    pub fn wall(&self) -> Millis {
        EPOCH + self.now
    }

    /// True when somebody wants to know what happens.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Says what happens, when somebody wants to know.
    pub fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            if trace.len() >= self.trace_limit {
                trace.pop_front();
            }
            trace.push_back(format!("{:>7} {}", self.now, words()));
        }
    }

    /// Mixes something that happened into the history's hash.
    pub fn mix(&mut self, text: &[u8]) {
        for byte in text {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A number that two histories share only when they are the same.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What happened in words, as far as it was kept.
    pub fn into_trace(self) -> VecDeque<String> {
        self.trace.unwrap_or_default()
    }

    /// A network delay, milliseconds: mostly short, sometimes not.
    pub fn latency(&mut self) -> Millis {
        if self.rng.chance(20) { self.rng.range(20, 300) } else { self.rng.range(1, 12) }
    }
}
