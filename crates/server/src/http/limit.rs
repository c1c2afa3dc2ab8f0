//! How often somebody may ask, and the headers that tell them.

use crate::config::Config;
use crate::decide::limits::{Bucket, Rate, Standing, TRIGGERS};
use crate::http::refusal::Answered;
use crate::identity::guess::ALL;
use crate::observe::Metrics;
use crate::observe::names::RATE_LIMITED;
use clockwright_api::{Code, Problem};
use clockwright_model::Millis;
use http::{HeaderMap, HeaderValue};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// How many people and programs are kept in mind before those are forgotten who rest.
const MOST: usize = 10_000;

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// One that only looks.
    Read,
    /// One that changes something.
    Change,
}

/// The buckets of this server.
#[derive(Debug)]
pub struct Limits {
    metrics: Metrics,
    each: Mutex<HashMap<(String, Counted), Bucket>>,
    sign_ins: Mutex<Bucket>,
    triggers: Mutex<HashMap<i64, Bucket>>,
}

/// How a request's sender stands after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    counted: Counted,
    rate: Rate,
    standing: Standing,
}

impl Limits {
    /// Full buckets; what is refused is counted.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, each: Mutex::default(), sign_ins: Mutex::default(), triggers: Mutex::default() }
    }

    /// Lets somebody ask once more, or not; how they stand is told either way.
    pub fn take(&self, who: &str, counted: Counted, config: &Config, now: Millis) -> (Answered<()>, Told) {
        let rate = match counted {
            Counted::Read => config.reads,
            Counted::Change => config.changes,
        };
        let (allowed, standing) = spend(&self.each, (who.to_owned(), counted), rate, now);
        let answer = if allowed {
            Ok(())
        } else {
            self.metrics.count(&RATE_LIMITED, &[counted.name()]);
            Err(refused(counted, rate, standing).into())
        };
        (answer, Told { counted, rate, standing })
    }

    /// Lets a job be triggered once more, whoever asks.
    ///
    /// # Errors
    /// `rate-limited`.
    pub fn trigger(&self, job: i64, name: &str, now: Millis) -> Answered<()> {
        let (allowed, standing) = spend(&self.triggers, job, TRIGGERS, now);
        if allowed {
            return Ok(());
        }
        self.metrics.count(&RATE_LIMITED, &["triggers"]);
        let detail =
            format!("`{name}` may be triggered once a second, and {} times at once", TRIGGERS.at_once);
        Err(Problem::new(Code::RateLimited, detail).retry(standing.wait).into())
    }

    /// Lets one more password be looked at.
    ///
    /// # Errors
    /// `rate-limited`.
    pub fn sign_in(&self, now: Millis) -> Answered<()> {
        let mut bucket = self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner);
        let (allowed, standing) = ALL.take(&mut bucket, now);
        if allowed {
            return Ok(());
        }
        self.metrics.count(&RATE_LIMITED, &["sign-ins"]);
        Err(Problem::new(Code::RateLimited, "too many sign-ins are under way").retry(standing.wait).into())
    }
}

/// Takes from the bucket of `whose`; when there are many, those that are full again are forgotten first.
fn spend<K: Eq + Hash>(
    buckets: &Mutex<HashMap<K, Bucket>>,
    whose: K,
    rate: Rate,
    now: Millis,
) -> (bool, Standing) {
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    if buckets.len() >= MOST {
        buckets.retain(|_, bucket| !Rate::is_full(*bucket, now));
    }
    rate.take(buckets.entry(whose).or_default(), now)
}

fn refused(counted: Counted, rate: Rate, standing: Standing) -> Problem {
    let detail = format!("{} {} a second are answered", rate.a_second, counted.name());
    Problem::new(Code::RateLimited, detail).retry(standing.wait)
}

impl Counted {
    fn name(self) -> &'static str {
        match self {
            Counted::Read => "reads",
            Counted::Change => "changes",
        }
    }
}

impl Told {
    /// The headers `RateLimit-Policy` and `RateLimit` of the IETF's draft: what is allowed, and what is left of it.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self { counted, rate, standing } = self;
        let name = counted.name();
        let policy = format!("\"{name}\";q={};w={}", rate.at_once, rate.window());
        let left = format!("\"{name}\";r={};t={}", standing.left, standing.full_in);
        for (header, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header, value);
            }
        }
    }
}
