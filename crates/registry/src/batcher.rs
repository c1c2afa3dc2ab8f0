//! Group commit: many callers' groups of operations travel in shared transactions.
//!
//! A caller submits a *group*, which is all or nothing by itself and knows nothing of its fellow travellers. Groups that
//! wait while earlier ones are on their way leave together. When one group's condition does not hold, that group alone gets
//! the conflict and the others leave again at once, in their order. When the outcome is unknown, it is unknown for each.

use crate::{Commit, Error, Op, SharedRegistry};

/// Shares transactions among groups.
pub struct Batcher {
    _registry: SharedRegistry,
}

impl Batcher {
    /// A batcher that keeps at most `in_flight` transactions on their way at once.
    #[must_use]
    pub fn new(registry: SharedRegistry, _in_flight: usize) -> Self {
        Self { _registry: registry }
    }

    /// Queues a group. The result comes to `done`, which must not block.
    pub fn submit(&self, _ops: Vec<Op>, _done: impl FnOnce(Result<Commit, Error>) + Send + 'static) {}
}
