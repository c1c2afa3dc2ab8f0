//! How long runs take, as a few numbers: how many took about so long, on a scale whose steps are a fifth.
//!
//! Step 0 is no time at all; step n ends at 2^(n/4) milliseconds. So a quantile is right to within a tenth, over any span from a millisecond to
//! centuries, in at most some 200 pairs and usually in a dozen. When there are many counts all are halved, so that a digest follows the last
//! thousand or two.

use clockwright_model::Millis;
use std::collections::BTreeMap;

/// All are halved above so many.
const MOST: u64 = 2_000;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Digest(BTreeMap<u8, u64>);

impl Digest {
    pub(super) fn add(&mut self, took: Millis) {
        *self.0.entry(step(took)).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: &Digest) {
        for (step, count) in &other.0 {
            *self.0.entry(*step).or_default() += count;
        }
    }

    /// Forgets half of it as long as there is too much.
    pub(super) fn age(&mut self) {
        while self.count() > MOST {
            self.0.values_mut().for_each(|count| *count = count.div_ceil(2));
            if self.0.len() as u64 >= self.count() {
                return;
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// So many of a thousand took no longer than this.
    pub(super) fn quantile(&self, of_a_thousand: u64) -> Millis {
        let wanted = (self.count() * of_a_thousand).div_ceil(1000).max(1);
        let mut seen = 0;
        for (step, count) in &self.0 {
            seen += count;
            if seen >= wanted {
                return middle(*step);
            }
        }
        0
    }

    /// `step:count,…`.
    pub(super) fn to_text(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(step, count)| format!("{step}:{count}")).collect();
        pairs.join(",")
    }

    /// Reads [`to_text`](Self::to_text) back; what is no pair is passed over.
    pub(super) fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (step, count) = pair.split_once(':')?;
            Some((step.parse().ok()?, count.parse().ok()?))
        };
        Self(text.split(',').filter_map(pair).collect())
    }
}

fn step(took: Millis) -> u8 {
    if took <= 0 {
        return 0;
    }
    // At most 253 for the longest there is.
    ((took as f64).log2() * 4.0).floor() as u8 + 1
}

fn middle(step: u8) -> Millis {
    if step == 0 {
        return 0;
    }
    2f64.powf((f64::from(step) - 0.5) / 4.0).round() as Millis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spans: impl IntoIterator<Item = Millis>) -> Digest {
        let mut digest = Digest::default();
        spans.into_iter().for_each(|took| digest.add(took));
        digest
    }

    #[test]
    fn a_quantile_is_right_to_within_a_tenth() {
        let digest = of(1..=1000);
        for (of_a_thousand, right) in [(500, 500.0), (950, 950.0), (990, 990.0)] {
            let found = digest.quantile(of_a_thousand) as f64;
            assert!((found / right - 1.0).abs() < 0.1, "{found} for {right}");
        }
        assert_eq!((of([]).quantile(500), of([0, 0]).quantile(500), of([1]).quantile(500)), (0, 0, 1));
        assert!(of([Millis::MAX]).quantile(500) > Millis::MAX / 2);
    }

    #[test]
    fn a_digest_reads_back_and_follows_what_is_new() {
        let mut digest = of((0..10_000).map(|n| n % 7));
        digest.age();
        assert!(digest.count() <= MOST && digest.count() > MOST / 4, "{}", digest.count());
        assert_eq!(Digest::parse(&digest.to_text()), digest);
        for _ in 0..20 {
            digest.merge(&of(vec![5_000; 500]));
            digest.age();
        }
        assert!((4_500..5_500).contains(&digest.quantile(500)));
        assert_eq!(Digest::parse("x,5:1,:"), of([2]));
    }
}
