//! A sink for tests: keeps what it is given, and lets a test wait for it.

use crate::{Sink, SinkError};
use async_trait::async_trait;
use clockwright_model::Event;
use std::sync::Arc;
use tokio::sync::watch;

/// Keeps events in memory, in the order in which they came.
pub struct Recorder {
    events: watch::Sender<Vec<Event>>,
}

impl Recorder {
    /// An empty one, ready to be given to a bus.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { events: watch::Sender::new(Vec::new()) })
    }

    /// A copy of all events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    /// Waits until the events satisfy the predicate (which sees all of them, at once and after each batch), and returns
    /// a copy of them. It waits for ever: a test that must not hang puts a deadline around it.
    pub async fn wait_for(&self, mut predicate: impl FnMut(&[Event]) -> bool) -> Vec<Event> {
        let mut receiver = self.events.subscribe();
        let events = receiver.wait_for(|events| predicate(events)).await;
        events.expect("the sender is a part of self").clone()
    }

    /// Forgets the events so far.
    pub fn clear(&self) {
        self.events.send_modify(Vec::clear);
    }
}

#[async_trait]
impl Sink for Recorder {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.events.send_modify(|events| events.extend_from_slice(batch));
        Ok(())
    }

    fn name(&self) -> &str {
        "recorder"
    }
}
