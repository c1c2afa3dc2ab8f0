//! One sink's task: collects batches and stores them, whatever it takes.

use super::BusOptions;
use super::queue::{Batch, Queue};
use crate::Sink;
use clockwright_model::Event;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// How often a single event may make a sink panic before it is given up.
const PANICS: u32 = 3;

pub(super) async fn run(queue: Arc<Queue>, sink: Arc<dyn Sink>, options: BusOptions) {
    while let Some(batch) = queue.next_batch(options.batch_delay).await {
        store(&queue, &*sink, &options, batch).await;
    }
}

/// Tries until every event of the batch is stored, or is given up for one of the reasons that the bus names.
async fn store(queue: &Queue, sink: &dyn Sink, options: &BusOptions, mut batch: Batch) {
    let mut step = batch.events.len();
    let mut wait = options.retry_min;
    let mut panics = 0;
    while !batch.events.is_empty() {
        let count = step.min(batch.events.len());
        let (error, panicked) = match attempt(sink, &batch.events[..count]).await {
            Ok(()) => {
                queue.stored(&mut batch, count);
                (wait, panics) = (options.retry_min, 0);
                continue;
            }
            Err(failure) => failure,
        };
        if queue.failed(error) {
            let rest = batch.events.len();
            queue.discarded(&mut batch, rest);
            return;
        }
        if panicked {
            panics = if count == 1 { panics + 1 } else { 0 };
            if panics == PANICS {
                queue.discarded(&mut batch, 1);
                (step, wait, panics) = (batch.events.len(), options.retry_min, 0);
                continue;
            }
            step = (count / 2).max(1);
        }
        wait = if queue.pause(wait).await { options.retry_min } else { (wait * 2).min(options.retry_max) };
    }
}

/// One call of the sink. An error says what went wrong, and whether it was a panic.
async fn attempt(sink: &dyn Sink, events: &[Event]) -> Result<(), (String, bool)> {
    // The sink is shared as `&self`, and whatever state a panic left behind is its own to cope with.
    // The call itself is inside the guarded future, because a hand-written sink may panic before it returns one.
    match AssertUnwindSafe(async { sink.store(events).await }).catch_unwind().await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err((error.0, false)),
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Err((format!("the sink panicked: {}", text.unwrap_or("no message")), true))
        }
    }
}
