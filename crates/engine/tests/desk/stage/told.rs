//! What is told afterwards: outcomes and states that are stored, and what became of commits.

use super::{Desk, Who};
use clockwright_model::{Event, Fire, Item, Millis, Outcome, Settlement, StatusTrace};
use clockwright_registry::Error;
use std::collections::BTreeMap;

impl Desk {
    /// The outcomes of a job that are stored for good, each fire of each item once, in the order in which they were stored.
    pub fn outcomes(&self, job: &str) -> Vec<Settlement> {
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        let mut list: Vec<Settlement> = Vec::new();
        for event in &self.stored {
            let Event::Settlement(settlement) = event else { continue };
            if settlement.job.as_str() != job {
                continue;
            }
            match found.get(&settlement.key()) {
                Some(&place) => assert_eq!(
                    list[place].outcome.word(),
                    settlement.outcome.word(),
                    "{} has two outcomes: {:?} and {settlement:?}",
                    settlement.key(),
                    list[place]
                ),
                None => {
                    found.insert(settlement.key(), list.len());
                    list.push(settlement.clone());
                }
            }
        }
        list
    }

    /// The outcome of one fire of an item: `None` when none is stored. A range that holds a scheduled fire counts.
    pub fn outcome(&self, job: &str, item: Item, fire: &Fire) -> Option<Outcome> {
        let holds = |settlement: &Settlement| match (&settlement.fire, fire, settlement.range) {
            (Fire::Scheduled(to), Fire::Scheduled(at), Some((from, _))) => (from..=*to).contains(at),
            (found, wanted, _) => found == wanted,
        };
        let mut outcomes = self.outcomes(job).into_iter().filter(|s| s.item == item && holds(s));
        outcomes.next().map(|settlement| settlement.outcome)
    }

    /// The states of firings that are stored.
    pub fn states(&self, job: &str) -> Vec<StatusTrace> {
        let of = |event: &Event| match event {
            Event::Status(trace) if trace.job.as_str() == job => Some(trace.clone()),
            _ => None,
        };
        self.stored.iter().filter_map(of).collect()
    }

    /// How many commits an instance sent since this time.
    pub fn commits_since(&self, who: Who, since: Millis) -> usize {
        self.commits.iter().filter(|(at, by, _)| *at >= since && *by == who).count()
    }

    /// What went wrong with the commits of an instance since this time.
    pub fn refusals_since(&self, who: Who, since: Millis) -> Vec<Error> {
        let of = |(at, by, error): &(Millis, Who, Option<Error>)| {
            error.clone().filter(|_| *at >= since && *by == who)
        };
        self.commits.iter().filter_map(of).collect()
    }
}
