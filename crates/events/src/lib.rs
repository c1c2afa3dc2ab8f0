//! What happened, on record: a bus that never blocks and never fails, and sinks that store.

use async_trait::async_trait;
use clockwright_model::Event;

/// Where events go. A sink is called by one task at a time, in order, with batches.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Stores a batch. Storing the same event again must change nothing. On an error the bus keeps the batch and tries again.
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError>;
}

/// Why a batch was not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot store events: {0}")]
pub struct SinkError(pub String);
