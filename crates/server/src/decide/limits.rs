//! How often somebody may ask: a bucket that fills again with time.
//!
//! A bucket is one number, the instant at which it is full again (the generic cell rate algorithm): each request moves that instant
//! on by its share of a second, and is refused where it would lie further ahead than a full bucket allows.

use clockwright_model::Millis;

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many a second, for good.
    pub a_second: u32,
    /// How many at once, after a rest.
    pub at_once: u32,
}

/// How often one job may be triggered, whoever asks.
pub const TRIGGERS: Rate = Rate { a_second: 1, at_once: 5 };

/// When a bucket is full again, microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket(i64);

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many more there is room for.
    pub left: u32,
    /// After how many seconds it is full again.
    pub full_in: u64,
    /// After how many seconds there is room for one more; 0 for now.
    pub wait: u64,
}

const SECOND: i64 = 1_000_000;

impl Rate {
    /// The time that one request takes of a bucket.
    fn step(self) -> i64 {
        SECOND / i64::from(self.a_second.max(1))
    }

    /// How many seconds a whole bucket takes to fill.
    #[must_use]
    pub fn window(self) -> u32 {
        self.at_once.div_ceil(self.a_second.max(1))
    }

    /// Takes one out of a bucket: true when there was one.
    pub fn take(self, bucket: &mut Bucket, now: Millis) -> (bool, Standing) {
        let now = now.saturating_mul(1_000);
        let whole = self.step() * i64::from(self.at_once);
        // A clock that went back must not keep anybody out.
        let full = bucket.0.clamp(now, now.saturating_add(whole));
        let next = full + self.step();
        let allowed = next - now <= whole;
        *bucket = Bucket(if allowed { next } else { full });
        let ahead = bucket.0 - now;
        let left = u32::try_from((whole - ahead) / self.step()).unwrap_or_default();
        let seconds = |micros: i64| u64::try_from(micros.max(0)).unwrap_or_default().div_ceil(SECOND as u64);
        let wait = if left == 0 { seconds(ahead + self.step() - whole) } else { 0 };
        (allowed, Standing { left, full_in: seconds(ahead), wait })
    }

    /// True when a bucket is full, so that nothing is lost when it is forgotten.
    #[must_use]
    pub fn is_full(bucket: Bucket, now: Millis) -> bool {
        bucket.0 <= now.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { a_second: 10, at_once: 50 };

    #[test]
    fn so_many_at_once_and_then_so_many_a_second() {
        let (mut bucket, mut now) = (Bucket::default(), 1_800_000_000_000);
        for left in (0..50).rev() {
            let (allowed, standing) = RATE.take(&mut bucket, now);
            assert!(allowed);
            assert_eq!(standing.left, left);
        }
        let (allowed, standing) = RATE.take(&mut bucket, now);
        assert_eq!((allowed, standing), (false, Standing { left: 0, full_in: 5, wait: 1 }));
        now += 100;
        assert!(RATE.take(&mut bucket, now).0);
        assert!(!RATE.take(&mut bucket, now).0);
        let allowed = (0..100).filter(|step| RATE.take(&mut bucket, now + step * 50).0).count();
        assert_eq!(allowed, 49, "ten a second of five seconds, less the instant of the last one");
        now += 60_000;
        assert_eq!(RATE.take(&mut bucket, now).1.left, 49, "it does not grow beyond its whole");
    }

    #[test]
    fn a_clock_that_goes_back_keeps_nobody_out() {
        let mut bucket = Bucket::default();
        RATE.take(&mut bucket, 1_800_000_000_000);
        let (allowed, standing) = RATE.take(&mut bucket, 1_700_000_000_000);
        assert!(!allowed || standing.left < 50);
        assert!(RATE.take(&mut bucket, 1_700_000_001_000).0);
    }

    #[test]
    fn a_bucket_of_the_past_is_full() {
        let mut bucket = Bucket::default();
        RATE.take(&mut bucket, 1_000);
        assert!(!Rate::is_full(bucket, 1_000) && Rate::is_full(bucket, 1_100));
    }
}
