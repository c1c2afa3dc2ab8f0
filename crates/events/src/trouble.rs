//! A trouble that goes on: when it is told.
//!
//! At once, and again after 1, 5 and 30 minutes and then each hour, as long as it goes on: who looks at the last page of a log must find
//! it there, and who looks at all of it must find the rest too.

use std::time::Duration;
use tokio::time::Instant;

/// After how long it is told again, and how often after the last of them.
const REMINDERS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1_800)];
const LATER: Duration = Duration::from_secs(3_600);

/// A trouble that began and goes on.
#[derive(Debug)]
pub(crate) struct Trouble {
    since: Instant,
    next: Instant,
    told: usize,
}

impl Trouble {
    pub(crate) fn begins() -> Self {
        let now = Instant::now();
        Self { since: now, next: now, told: 0 }
    }

    /// Since when, in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        self.since.elapsed().as_secs()
    }

    /// Since when, in seconds, if it is to be told now.
    pub(crate) fn tell(&mut self) -> Option<u64> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = REMINDERS.get(self.told).map_or(now + LATER, |after| self.since + *after);
        self.told += 1;
        Some(self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_told_at_once_and_after_1_5_and_30_minutes_and_then_each_hour() {
        let mut trouble = Trouble::begins();
        let mut told = Vec::new();
        for _ in 0..3 * 3_600 {
            told.extend(trouble.tell());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [0, 60, 300, 1_800, 5_400, 9_000]);
    }
}
