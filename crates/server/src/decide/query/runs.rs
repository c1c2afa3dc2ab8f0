//! Which outcomes of fires a search finds: what a store can look up by itself, and what is asked of each row.

use super::parse::{Op, Percent, Term, Value};
use super::table::{Of, What};
use super::{BadSearch, texts, understood};
use crate::store::JobRow;
use clockwright_events::{Durations, RunFilter, RunRow};
use clockwright_model::{Item, Millis, OutcomeKind, Source};

/// A search among outcomes, understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunQuery {
    pub(super) terms: Vec<Term>,
}

/// An outcome that may be looked for.
pub struct RunSubject<'a> {
    /// The outcome.
    pub row: &'a RunRow,
    /// Its project's name, where it is known.
    pub project: &'a str,
    /// Its job, where it is still there.
    pub job: Option<&'a JobRow>,
    /// What the job's [text](super::text_of) is.
    pub text: &'a str,
    /// How long its item usually takes, where that is asked for and known.
    pub usual: Option<Durations>,
    /// What the time is.
    pub now: Millis,
}

impl RunQuery {
    /// Understands a search.
    ///
    /// # Errors
    /// Its mistakes.
    pub fn parse(text: &str) -> Result<Self, BadSearch> {
        Ok(Self { terms: understood(text, Of::Runs)? })
    }

    /// True when it finds all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The terms that need nothing more than a row, and those for which it must be known how long its item usually takes.
    #[must_use]
    pub fn parts(&self) -> (Self, Self) {
        let by_usual = |term: &Term| term.values.iter().any(|value| matches!(value, Value::Usual(..)));
        let (usual, plain) = self.terms.iter().cloned().partition(by_usual);
        (Self { terms: plain }, Self { terms: usual })
    }

    /// What a store can look up by itself: no row that is looked for is left out.
    pub fn narrow(&self, filter: &mut RunFilter) {
        for term in self.terms.iter().filter(|term| !term.not) {
            match (term.what, &term.values[..]) {
                (What::Outcome, values) if filter.outcomes.is_empty() => {
                    filter.outcomes = texts(values).filter_map(OutcomeKind::parse).collect();
                }
                // Who failed in a certain way failed.
                (What::Kind, _) if filter.outcomes.is_empty() => filter.outcomes = vec![OutcomeKind::Failed],
                (What::Source, [Value::Is(word)]) if filter.source.is_none() => {
                    filter.source = Source::parse(word);
                }
                (What::Item, [Value::Amount(Op::Equal, number)]) if filter.item.is_none() => {
                    filter.item = Item::try_from(*number).ok();
                }
                _ => {}
            }
        }
    }

    /// Is it one of those that are looked for?
    #[must_use]
    pub fn holds(&self, subject: &RunSubject<'_>) -> bool {
        self.terms.iter().all(|term| term.holds(|value| holds(term.what, value, subject)))
    }
}

fn holds(what: What, value: &Value, subject: &RunSubject<'_>) -> bool {
    let RunSubject { row, job, now, .. } = subject;
    let took = || row.start.map(|start| row.decided.saturating_sub(start));
    match what {
        What::Text => value.is_in(subject.text) || value.is_in(&row.job) || value.is_in(&row.reason),
        What::Project => value.is(subject.project),
        What::Job => value.is(&row.job),
        What::Tag => job.is_some_and(|job| job.tags.split_whitespace().any(|tag| value.is(tag))),
        What::Mode => job.is_some_and(|job| value.is(&job.mode)),
        What::Type => job.is_some_and(|job| value.is(&job.kind)),
        What::Owner => job.is_some_and(|job| value.is_in(&job.owner)),
        What::Outcome => value.is(row.outcome.as_str()),
        What::Kind => row.failure_kind.as_ref().is_some_and(|kind| value.is(kind)),
        What::Source => value.is(&row.source),
        What::Instance => value.is(&row.instance),
        What::Host => row.instance.split("@-@").next().is_some_and(|host| value.is(host)),
        What::Item => value.counts(Some(row.item.into())),
        What::Attempt => value.counts(Some(row.attempt.into())),
        What::Due => value.counts(Some(now.saturating_sub(row.fire_time))),
        What::Late => value.counts(row.start.map(|start| start.saturating_sub(row.fire_time))),
        What::Took => match value {
            Value::Usual(op, percent) => took().zip(subject.usual).is_some_and(|(took, usual)| {
                let bound = match percent {
                    Percent::P50 => usual.p50,
                    Percent::P95 => usual.p95,
                };
                op.holds(took, bound)
            }),
            value => value.counts(took()),
        },
        // These narrow jobs alone.
        What::State
        | What::Status
        | What::Problem
        | What::Managed
        | What::Sync
        | What::Next
        | What::Cron
        | What::Zone
        | What::Streak
        | What::Items
        | What::By
        | What::Changed
        | What::Version => false,
    }
}
