//! The texts by which jobs are searched, and their [index](super::grams). The index is made aside and is a little behind: what changed since
//! is always looked at.

use super::grams::Grams;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fewer texts than this are looked through as quickly as an index is asked.
const WORTH: usize = 1_000;
/// How often an index is made at most.
const EVERY: Duration = Duration::from_secs(1);

/// Texts by job.
#[derive(Debug, Default)]
pub struct Texts {
    texts: HashMap<i64, Arc<str>>,
    grams: Arc<Grams>,
    /// Jobs whose texts changed since the index was made, each with the number of the index that will have it.
    fresh: HashMap<i64, u64>,
    number: u64,
    making: bool,
    made: Option<Instant>,
}

/// What an index is to be made of.
#[derive(Debug)]
pub struct Order {
    texts: Vec<(i64, Arc<str>)>,
    number: u64,
}

impl Texts {
    /// A job's text is this now.
    pub fn put(&mut self, job: i64, text: Arc<str>) {
        if self.texts.get(&job) != Some(&text) {
            self.texts.insert(job, text);
            self.fresh.insert(job, self.number + 1);
        }
    }

    /// A job is gone.
    pub fn drop(&mut self, job: i64) {
        self.texts.remove(&job);
        self.fresh.remove(&job);
    }

    /// A job's text.
    #[must_use]
    pub fn of(&self, job: i64) -> Option<&Arc<str>> {
        self.texts.get(&job)
    }

    /// The jobs whose texts may contain a word; `None` when all are to be looked at.
    #[must_use]
    pub fn may_contain(&self, word: &str) -> Option<HashSet<i64>> {
        if self.number == 0 {
            return None;
        }
        let found = self.grams.may_contain(word)?;
        Some(found.into_iter().chain(self.fresh.keys().copied()).collect())
    }

    /// What the next index is to be made of, if it is time for one.
    pub fn order(&mut self, now: Instant) -> Option<Order> {
        let waits = self.made.is_some_and(|made| now.duration_since(made) < EVERY);
        if self.making || waits || self.texts.len() < WORTH || self.fresh.is_empty() {
            return None;
        }
        self.making = true;
        self.made = Some(now);
        self.number += 1;
        Some(Order {
            texts: self.texts.iter().map(|(id, text)| (*id, Arc::clone(text))).collect(),
            number: self.number,
        })
    }

    /// The index that was ordered is made.
    pub fn made(&mut self, grams: Arc<Grams>, number: u64) {
        if !std::mem::take(&mut self.making) {
            // Everything was read anew meanwhile: it is an index of what was there before.
            return;
        }
        self.grams = grams;
        self.fresh.retain(|_, needs| *needs > number);
    }
}

impl Order {
    /// Makes it, which may take a while; and its number.
    #[must_use]
    pub fn make(&self) -> (Arc<Grams>, u64) {
        (Arc::new(Grams::of(self.texts.iter().map(|(id, text)| (*id, text.as_ref())))), self.number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn many() -> Texts {
        let mut texts = Texts::default();
        (0..2_000).for_each(|id| texts.put(id, format!("job-{id}").into()));
        texts
    }

    #[test]
    fn what_changes_while_an_index_is_made_and_after_is_looked_at_all_the_same() {
        let mut texts = many();
        let begin = Instant::now();
        assert_eq!(texts.may_contain("job-7"), None, "there is no index yet");
        let order = texts.order(begin).unwrap();
        texts.put(7, "report".into());
        assert!(texts.order(begin).is_none(), "one at a time");
        let (grams, number) = order.make();
        texts.made(grams, number);
        assert_eq!(texts.may_contain("report").unwrap(), [7].into());
        assert!(texts.order(begin).is_none(), "and not all the time");
        texts.drop(8);
        texts.put(9, "report".into());
        assert_eq!(texts.may_contain("report").unwrap(), [7, 9].into());
        let order = texts.order(begin + EVERY).unwrap();
        let (grams, number) = order.make();
        texts.made(grams, number);
        assert_eq!(texts.may_contain("report").unwrap(), [7, 9].into());
        assert_eq!(texts.may_contain("job-8").unwrap().len(), 110, "others whose names begin so");
        assert!(texts.order(begin + EVERY * 2).is_none(), "nothing changed");
    }

    #[test]
    fn few_texts_are_not_worth_an_index() {
        let mut texts = Texts::default();
        texts.put(1, "report".into());
        assert!(texts.order(Instant::now()).is_none());
    }
}
