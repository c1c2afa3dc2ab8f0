//! Percentiles and medians.

/// The value below which `percent` of the values lie (nearest rank); 0 for none.
pub(crate) fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1).min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(&mut values.into_iter().collect::<Vec<_>>(), 50.0)
}

/// p50, p99 and the greatest of several samples, each of them many values: the first two are medians over the samples.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: &mut [f64]) -> Self {
        Self { p50: percentile(values, 50.0), p99: percentile(values, 99.0), max: percentile(values, 100.0) }
    }

    pub(crate) fn over(samples: &[Spread]) -> Self {
        Self {
            p50: median(samples.iter().map(|sample| sample.p50)),
            p99: median(samples.iter().map(|sample| sample.p99)),
            max: samples.iter().map(|sample| sample.max).fold(0.0, f64::max),
        }
    }

    pub(crate) fn values(self) -> Vec<f64> {
        vec![self.p50, self.p99, self.max]
    }
}

/// What the parts of a [`Spread`] are called.
pub(crate) const SPREAD: &[&str] = &["p50", "p99", "max"];
