//! What is counted as it happens. Each server has a recorder of its own, none is global: so two servers in one process, as in tests, do not count
//! together.

use super::names::{ALL, Family, Form, PROJECTS};
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The metrics of one server. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Projects that are a label: they stay one, so that a counter does not jump.
    projects: Mutex<BTreeSet<String>>,
    head: Mutex<Option<(i64, String)>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let recorder = builder().build_recorder();
        for family in ALL {
            let (name, help) = (KeyName::from_const_str(family.name), SharedString::const_str(family.help));
            match family.form {
                Form::Counter => recorder.describe_counter(name, None, help),
                Form::Gauge => recorder.describe_gauge(name, None, help),
                Form::Seconds(_) => recorder.describe_histogram(name, None, help),
            }
        }
        let handle = recorder.handle();
        Self(Arc::new(Inner { recorder, handle, projects: Mutex::default(), head: Mutex::default() }))
    }
}

/// One that knows the buckets of every family.
fn builder() -> PrometheusBuilder {
    let families = ALL.iter().filter_map(|family| match family.form {
        Form::Seconds(buckets) => Some((family.name, buckets)),
        _ => None,
    });
    families.fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
        let set = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets);
        set.expect("no family has an empty list of buckets")
    })
}

impl Metrics {
    /// So many more of it.
    pub fn add(&self, family: &'static Family, labels: &[&str], count: u64) {
        self.0.recorder.register_counter(&key(family, labels), &METADATA).increment(count);
    }

    /// One more of it.
    pub fn count(&self, family: &'static Family, labels: &[&str]) {
        self.add(family, labels, 1);
    }

    /// It took so long.
    pub fn took(&self, family: &'static Family, labels: &[&str], time: Duration) {
        self.0.recorder.register_histogram(&key(family, labels), &METADATA).record(time.as_secs_f64());
    }

    /// It is so many now.
    pub fn set(&self, family: &'static Family, labels: &[&str], value: f64) {
        self.0.recorder.register_gauge(&key(family, labels), &METADATA).set(value);
    }

    /// It is so many more now.
    pub fn raise(&self, family: &'static Family, labels: &[&str], value: f64) {
        self.0.recorder.register_gauge(&key(family, labels), &METADATA).increment(value);
    }

    /// It has come to so many, as somebody else counts it.
    pub fn total(&self, family: &'static Family, labels: &[&str], count: u64) {
        self.0.recorder.register_counter(&key(family, labels), &METADATA).absolute(count);
    }

    /// The label of a project, of so many that there are. What was one stays one; there are never more than [`PROJECTS`].
    #[must_use]
    pub fn project<'a>(&self, name: &'a str, of: usize) -> &'a str {
        if of > PROJECTS {
            return OTHER;
        }
        let mut known = self.0.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(name) {
            if known.len() >= PROJECTS {
                return OTHER;
            }
            known.insert(name.to_owned());
        }
        name
    }

    /// The journal's head as it is told outside the database.
    #[must_use]
    pub fn head(&self) -> Option<(i64, String)> {
        self.0.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn put_head(&self, seq: i64, hash: String) {
        *self.0.head.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, hash));
    }

    /// Puts what was measured into its buckets.
    pub(super) fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }
}

/// All projects together.
pub const OTHER: &str = "other";

static METADATA: Metadata<'static> = Metadata::new("clockwright", Level::INFO, None);

fn key(family: &'static Family, labels: &[&str]) -> Key {
    debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
    let labels: Vec<Label> = family
        .labels
        .iter()
        .zip(labels)
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(family.name, labels)
}

#[cfg(test)]
mod tests {
    use super::super::names::{HTTP_REQUESTS, HTTP_SECONDS, SYNC_WRITES};
    use super::*;

    #[test]
    fn what_is_counted_is_told_with_its_meaning_and_in_its_buckets() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.count(&HTTP_REQUESTS, &["/livez", "GET", "200"]);
        one.add(&HTTP_REQUESTS, &["/livez", "GET", "200"], 2);
        one.took(&HTTP_SECONDS, &["/livez"], Duration::from_millis(30));
        let page = one.render();
        for line in [
            "# HELP clockwright_http_requests_total Requests that were answered, by the status of the answer.",
            "# TYPE clockwright_http_requests_total counter",
            "clockwright_http_requests_total{route=\"/livez\",method=\"GET\",code=\"200\"} 3",
            "clockwright_http_request_seconds_bucket{route=\"/livez\",le=\"0.02\"} 0",
            "clockwright_http_request_seconds_bucket{route=\"/livez\",le=\"0.05\"} 1",
        ] {
            assert!(page.lines().any(|there| there == line), "{line} is not in\n{page}");
        }
        assert!(!other.render().contains("/livez"), "each server counts for itself");
    }

    #[test]
    fn a_project_is_a_label_while_there_are_few_and_there_are_never_many() {
        let metrics = Metrics::default();
        assert_eq!(metrics.project("billing", PROJECTS), "billing");
        assert_eq!(metrics.project("billing", PROJECTS + 1), OTHER);
        for number in 0..10 * PROJECTS {
            let name = format!("p{number}");
            metrics.count(&SYNC_WRITES, &[metrics.project(&name, 1), "write"]);
        }
        assert_eq!(metrics.project("billing", 1), "billing");
        let series = metrics.render().lines().filter(|line| line.starts_with("clockwright_sync")).count();
        assert_eq!(series, PROJECTS, "those that were known, and `other`");
    }
}
