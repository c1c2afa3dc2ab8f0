//! Loops that turn. Each says so at every turn; one that has not for [`LIMIT`] hangs, or is dead of a panic, and the process is better started anew.
//!
//! Time is that of a clock which stands still while the machine does, so that nobody is taken for dead after a suspension.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a loop may take for a turn.
pub const LIMIT: Duration = Duration::from_secs(30);
/// How often one says that it is there while it waits.
const WAITS: Duration = Duration::from_secs(5);

/// All loops of a server.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<Loops>>);

#[derive(Debug, Default)]
struct Loops {
    next: u64,
    each: BTreeMap<u64, (String, Arc<AtomicU64>)>,
}

/// One loop. Dropped, it has ended as it should, unless by a panic: then it stays, and grows still.
#[derive(Debug)]
pub struct Pulse {
    id: u64,
    turned: Arc<AtomicU64>,
    all: Pulses,
}

impl Pulses {
    /// A loop begins.
    #[must_use]
    pub fn begin(&self, name: impl Into<String>) -> Pulse {
        let turned = Arc::new(AtomicU64::new(number(Instant::now())));
        let mut loops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = loops.next;
        loops.next += 1;
        loops.each.insert(id, (name.into(), Arc::clone(&turned)));
        Pulse { id, turned, all: self.clone() }
    }

    /// Those that have not turned for [`LIMIT`] at this instant.
    #[must_use]
    pub fn still(&self, now: Instant) -> Vec<String> {
        let limit = u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX);
        let loops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_still =
            |turned: &AtomicU64| number(now).saturating_sub(turned.load(Ordering::Relaxed)) >= limit;
        loops.each.values().filter(|(_, turned)| is_still(turned)).map(|(name, _)| name.clone()).collect()
    }
}

impl Pulse {
    /// It turns.
    pub fn beat(&self) {
        self.turned_at(Instant::now());
    }

    /// It turned at this instant.
    pub fn turned_at(&self, at: Instant) {
        self.turned.store(number(at), Ordering::Relaxed);
    }

    /// Waits for something that may take long by right.
    pub async fn during<F: Future>(&self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        loop {
            self.beat();
            if let Ok(done) = tokio::time::timeout(WAITS, &mut work).await {
                self.beat();
                return done;
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.all.0.lock().unwrap_or_else(PoisonError::into_inner).each.remove(&self.id);
        }
    }
}

/// An instant as milliseconds since this process first asked, moved up so that what was before it is one too.
fn number(at: Instant) -> u64 {
    const BEFORE: Duration = Duration::from_secs(3_600);
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    let first = *FIRST;
    let since = match at.checked_duration_since(first) {
        Some(since) => BEFORE + since,
        None => BEFORE.saturating_sub(first.duration_since(at)),
    };
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_has_not_turned_for_half_a_minute_is_named_until_it_turns() {
        let pulses = Pulses::default();
        let (mirror, _other) = (pulses.begin("mirror"), pulses.begin("catalogue"));
        let now = Instant::now();
        assert!(pulses.still(now).is_empty());
        mirror.turned_at(now - LIMIT);
        assert_eq!(pulses.still(now), ["mirror"]);
        mirror.beat();
        assert!(pulses.still(now).is_empty());
    }

    #[test]
    fn a_loop_that_ended_is_forgotten_and_one_that_panicked_is_not() {
        let pulses = Pulses::default();
        drop(pulses.begin("ended"));
        let theirs = pulses.clone();
        let panicked = std::thread::spawn(move || {
            let _pulse = theirs.begin("panicked");
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err());
        assert_eq!(pulses.still(Instant::now() + LIMIT), ["panicked"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_by_right_goes_on_saying_so() {
        let pulses = Pulses::default();
        let pulse = pulses.begin("patient");
        pulse.turned_at(Instant::now() - LIMIT);
        pulse.during(tokio::time::sleep(Duration::from_secs(60))).await;
        assert!(pulses.still(Instant::now()).is_empty());
    }
}
