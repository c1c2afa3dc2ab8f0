//! A subscription to outcomes: [`Scheduler::outcomes`](crate::Scheduler::outcomes).

use clockwright_model::Settlement;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// The outcomes that an instance decides, from the moment of the subscription on, in the order in which they were decided.
///
/// One outcome is heard for each fire of each item, or for a range of fires that never ran, by the one instance that decided it: all
/// instances of a job together hear of every fire once. An outcome that another instance may have failed to record is recorded
/// again, and not heard again.
///
/// Nothing ever waits for a subscriber. 1,024 outcomes are kept for one that is slow; after that it loses the oldest, and is told how
/// many ([`Heard::Missed`]). What must not be lost is in the history ([`Events`](crate::Events)), not here.
#[derive(Debug)]
pub struct Outcomes(Receiver<Arc<Settlement>>);

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An outcome.
    Outcome(Arc<Settlement>),
    /// The subscriber did not keep up, and so many outcomes are lost to it.
    Missed(u64),
}

impl Outcomes {
    pub(crate) fn new(receiver: Receiver<Arc<Settlement>>) -> Self {
        Self(receiver)
    }

    /// The next one; `None` when the scheduler has ended and all was heard. It may be dropped while it waits: nothing gets lost.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(settlement) => Some(Heard::Outcome(settlement)),
            Err(RecvError::Lagged(count)) => Some(Heard::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next one that is there already; `None` when there is none, be it that all was heard or that the scheduler has ended.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.0.try_recv() {
            Ok(settlement) => Some(Heard::Outcome(settlement)),
            Err(TryRecvError::Lagged(count)) => Some(Heard::Missed(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
