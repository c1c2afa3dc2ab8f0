//! Waiting for something that others decide: a condition is polled, with a deadline.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How long a condition may take to come true, where nothing else is said: much longer than it takes, since machines that
/// test are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
///
/// # Panics
/// When it does not hold within `patience`, naming `what`.
#[track_caller]
pub fn eventually(patience: Duration, what: &str, condition: impl FnMut() -> bool) {
    eventually_or(patience, condition, || what.to_owned());
}

/// As [`eventually`], for words that are known only when it did not.
///
/// # Panics
/// When the condition does not hold within `patience`, with the words of `what`.
#[track_caller]
pub fn eventually_or(patience: Duration, mut condition: impl FnMut() -> bool, what: impl FnOnce() -> String) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < patience, "not within {patience:?}: {}", what());
        std::thread::sleep(POLL);
    }
}

/// As [`eventually`], for conditions that are asked of something asynchronous.
///
/// # Panics
/// When the condition does not hold within [`PATIENCE`], naming `what`.
pub async fn soon(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}
