//! When a job fires, as its settings say it in two texts, and what those mean. They are read when that is first asked for and never again, and jobs that
//! say the same can have one of these together.

use clockwright_api::jobs::Sentence;
use clockwright_model::Language;
use clockwright_planner::Schedule;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// When a job fires.
#[derive(Debug)]
pub struct Timing {
    cron: Box<str>,
    zone: Box<str>,
    schedule: OnceLock<Option<Schedule>>,
    sentence: OnceLock<Option<Sentence>>,
}

impl Timing {
    /// By this schedule, in this zone; an empty one is that of the machines.
    #[must_use]
    pub fn new(cron: &str, zone: &str) -> Arc<Self> {
        let (schedule, sentence) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { cron: cron.into(), zone: zone.into(), schedule, sentence })
    }

    /// The schedule, as it is said.
    #[must_use]
    pub fn cron(&self) -> &str {
        &self.cron
    }

    /// The zone, as it is said; empty for that of the machines.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// What it means; `None` where it cannot be read.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        let zone = Some(self.zone()).filter(|zone| !zone.is_empty());
        self.schedule.get_or_init(|| Schedule::parse(&self.cron, zone).ok()).as_ref()
    }

    /// What it means, in words.
    #[must_use]
    pub fn sentence(&self) -> Option<&Sentence> {
        self.sentence.get_or_init(|| self.schedule().map(in_words)).as_ref()
    }
}

/// A schedule in words, in each language.
#[must_use]
pub fn in_words(schedule: &Schedule) -> Sentence {
    Sentence { en: schedule.sentence(Language::English), zh: schedule.sentence(Language::Chinese) }
}

impl PartialEq for Timing {
    fn eq(&self, other: &Self) -> bool {
        (self.cron(), self.zone()) == (other.cron(), other.zone())
    }
}

impl Eq for Timing {}

impl Hash for Timing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.cron(), self.zone()).hash(state);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_schedule_is_read_and_said_once() {
        let timing = Timing::new("0 0 1 * * ?", "Asia/Shanghai");
        assert!(std::ptr::eq(timing.schedule().unwrap(), timing.schedule().unwrap()));
        assert!(std::ptr::eq(timing.sentence().unwrap(), timing.sentence().unwrap()));
        assert_eq!(
            timing.schedule().unwrap(),
            &Schedule::parse("0 0 1 * * ?", Some("Asia/Shanghai")).unwrap()
        );
        assert_eq!(Timing::new("0 0 1 * *", "").sentence(), None, "it cannot be read");
    }

    #[test]
    fn two_are_the_same_by_what_they_say() {
        let (one, same) = (Timing::new("@every 5m", ""), Timing::new("@every 5m", ""));
        assert!(one.schedule().is_some());
        assert_eq!(one, same);
        assert_ne!(one, Timing::new("@every 5m", "UTC"));
    }
}
