//! The outcomes of one item: each fire has one, and each due instant has its fire or lies in a range.

use super::{Violation, hold};
use crate::Schedule;
use crate::ledger::unsettled;
use clockwright_model::{Fire, Millis, Outcome, Settlement};
use std::collections::BTreeMap;

/// The outcomes of one item, as they were put on record or as cursors told them.
#[derive(Debug, Default, Clone)]
pub struct Dispositions {
    /// Of due instants and ranges of them, by the last instant; none of them overlap.
    scheduled: BTreeMap<Millis, Settlement>,
    /// Of triggers, by their ids.
    triggers: BTreeMap<String, Settlement>,
}

impl Dispositions {
    /// One more. The same may come again, from whoever found it in a cursor.
    ///
    /// # Errors
    /// M-S7 when the fire, or an instant of the range, has another outcome already.
    pub fn add(&mut self, settlement: &Settlement) -> Result<(), Violation> {
        let known = match &settlement.fire {
            Fire::Trigger { id, .. } => self.triggers.get(id),
            Fire::Scheduled(to) => {
                let (from, _) = span(settlement);
                let next = self.scheduled.range(from..).next().map(|(_, next)| next);
                next.filter(|next| span(next).0 <= *to)
            }
        };
        if let Some(known) = known {
            return hold(same_outcome(known, settlement), "M-S7", || {
                format!("two outcomes: {} and {}", describe(known), describe(settlement))
            });
        }
        match &settlement.fire {
            Fire::Trigger { id, .. } => drop(self.triggers.insert(id.clone(), settlement.clone())),
            Fire::Scheduled(to) => drop(self.scheduled.insert(*to, settlement.clone())),
        }
        Ok(())
    }

    /// The outcome of a fire: its own, or that of the range in which it lies.
    #[must_use]
    pub fn of(&self, fire: &Fire) -> Option<&Settlement> {
        match fire {
            Fire::Trigger { id, .. } => self.triggers.get(id),
            Fire::Scheduled(at) => {
                let next = self.scheduled.range(at..).next().map(|(_, next)| next);
                next.filter(|next| span(next).0 <= *at)
            }
        }
    }

    /// Those of due instants and ranges of them, ascending.
    pub fn scheduled(&self) -> impl Iterator<Item = &Settlement> {
        self.scheduled.values()
    }

    /// Those of triggers.
    pub fn triggers(&self) -> impl Iterator<Item = &Settlement> {
        self.triggers.values()
    }

    /// Every instant of the schedule in `(after, until]` has an outcome here.
    ///
    /// # Errors
    /// M-S7, with the first that has none.
    pub fn cover(&self, schedule: &Schedule, after: Millis, until: Millis) -> Result<(), Violation> {
        let settled = self.scheduled.values().map(span);
        let missing = unsettled(schedule, after.saturating_add(1), until.saturating_add(1), settled);
        hold(missing.is_empty(), "M-S7", || {
            let gap = missing[0];
            format!("{} instants from {} to {} have no outcome", gap.count, gap.from, gap.to)
        })
    }
}

/// Whether two records are of one outcome. The words of a reason may differ: a registry keeps a shortened form of them. Who
/// settles for a dead owner need not know the owner's token.
fn same_outcome(one: &Settlement, other: &Settlement) -> bool {
    let kind = |settlement: &Settlement| match &settlement.outcome {
        Outcome::Failed { kind, .. } => Some(*kind),
        _ => None,
    };
    let into = |settlement: &Settlement| match &settlement.outcome {
        Outcome::Coalesced { into } => Some(into.clone()),
        _ => None,
    };
    let tokens = one.token == other.token || one.token == 0 || other.token == 0;
    tokens
        && (&one.fire, one.range) == (&other.fire, other.range)
        && one.outcome.kind() == other.outcome.kind()
        && kind(one) == kind(other)
        && into(one) == into(other)
        && (one.run_id, one.attempt) == (other.run_id, other.attempt)
}

/// First and last instant that a settlement is about.
#[must_use]
pub fn span(settlement: &Settlement) -> (Millis, Millis) {
    let last = settlement.fire.time();
    (settlement.range.map_or(last, |(first, _)| first), last)
}

/// A settlement in words.
#[must_use]
pub fn describe(settlement: &Settlement) -> String {
    let Settlement { job, item, fire, range, outcome, attempt, instance, .. } = settlement;
    let range = range.map(|(first, count)| format!("{count} fires from {first} to ")).unwrap_or_default();
    let reason = outcome.reason();
    let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
    format!(
        "{range}fire {fire} of {job}/{item} is {} in attempt {attempt} by {instance}{reason}",
        outcome.word()
    )
}
