//! What a server says of itself: numbers, whether it is well, and what to do where it is not.
//!
//! - [`names`]: every family of metrics, in one table from which the page of reference is made.
//! - [`metrics`]: what is counted as it happens.
//! - [`page`]: what is looked at when somebody asks for the metrics.
//! - [`counts`]: what only the database can count, kept for a while.
//! - [`doctor`]: what is not as it should be, and what to do about it.
//! - [`pulse`]: loops that turn, and those that do not any more.
//! - [`health`]: the facts by which [`decide::health`](crate::decide::health) judges.

pub mod counts;
pub mod doctor;
pub mod health;
pub mod metrics;
pub mod names;
pub mod page;
mod process;
pub mod pulse;
pub mod trace;

pub use metrics::Metrics;
pub use pulse::{Pulse, Pulses};

use crate::app::App;
use std::sync::Arc;
use std::time::Duration;

/// How often what was measured is put into its buckets. Until then each measurement takes some bytes.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often the journal's head is told, so that it is known outside the database what was there.
const TELL_HEAD: Duration = Duration::from_secs(3_600);

/// Keeps the metrics small and the counts new, and tells the journal's head now and then, until it is dropped.
pub async fn watch(app: Arc<App>) {
    let (mut told, pulse) = (None, app.pulses.begin("metrics"));
    loop {
        app.metrics.upkeep();
        pulse.during(app.counted.get(&app)).await;
        if told.is_none_or(|at: tokio::time::Instant| at.elapsed() >= TELL_HEAD)
            && let Ok((seq, hash)) = pulse.during(app.store.head()).await
        {
            tracing::info!(
                head = format!("{seq}:{hash}"),
                "the journal's head; `audit verify --expect` takes it"
            );
            app.metrics.put_head(seq, hash);
            told = Some(tokio::time::Instant::now());
        }
        pulse.during(tokio::time::sleep(UPKEEP)).await;
    }
}
