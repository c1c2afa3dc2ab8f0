//! How fast the same thing of somebody else is overwritten again: a writer who comes back is not fought at full speed.
//!
//! Three times within half an hours of each other are a fight: the job is *contended*, its repairs come after 1, 2, 4 … 30 minutes, and people
//! are told who writes. It is over an hour after the last repair.

use clockwright_model::Millis;

const MINUTE: Millis = 60_000;
/// So many repairs of the same thing are a fight.
pub const FIGHT: i64 = 3;
/// How long after a repair the same thing counts as the same fight, before it is one and from then on.
const KEEPS: (Millis, Millis) = (30 * MINUTE, 60 * MINUTE);

/// What was overwritten last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repeats {
    /// Its digest.
    pub digest: String,
    /// How often in a row.
    pub count: i64,
    /// When last.
    pub at: Millis,
}

impl Repeats {
    /// True while people are told that somebody comes back.
    #[must_use]
    pub fn is_fight(&self, now: Millis) -> bool {
        self.count >= FIGHT && now < self.at + KEEPS.1
    }

    /// When it may be overwritten again; 0 for at once.
    #[must_use]
    pub fn next(&self) -> Millis {
        if self.count < FIGHT {
            return 0;
        }
        let doublings = (self.count - FIGHT).min(5) as u32;
        self.at + (MINUTE << doublings).min(30 * MINUTE)
    }

    /// This is found in the registry now: what it is with its repair, or `None` when that is to wait until [`next`](Self::next).
    #[must_use]
    pub fn again(&self, digest: &str, now: Millis) -> Option<Self> {
        let keeps = if self.count < FIGHT { KEEPS.0 } else { KEEPS.1 };
        if self.digest != digest || now > self.at + keeps {
            return Some(Self { digest: digest.to_owned(), count: 1, at: now });
        }
        (now >= self.next()).then(|| Self { digest: digest.to_owned(), count: self.count + 1, at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_repair_of_the_same_thing_begins_a_fight_whose_repairs_come_ever_later() {
        let mut repeats = Repeats::default();
        let mut times = Vec::new();
        for now in (0..4 * 60).map(|minute| minute * MINUTE) {
            if let Some(next) = repeats.again("theirs", now) {
                times.push(now / MINUTE);
                repeats = next;
            }
        }
        assert_eq!(times, [0, 1, 2, 3, 5, 9, 17, 33, 63, 93, 123, 153, 183, 213]);
        assert!(repeats.is_fight(214 * MINUTE));
    }

    #[test]
    fn another_text_or_a_long_peace_begins_anew() {
        let fight = Repeats { digest: "theirs".into(), count: 7, at: 0 };
        assert_eq!(fight.again("theirs", MINUTE), None);
        assert_eq!(fight.again("another", MINUTE).map(|next| next.count), Some(1));
        assert_eq!(fight.again("theirs", 61 * MINUTE).map(|next| next.count), Some(1));
        assert!(!fight.is_fight(60 * MINUTE));
    }
}
