//! Searches: [`parse`](parse()) reads their words, [`Query`] finds jobs by them, [`RunQuery`] outcomes of fires.
//!
//! `nightly state:offline tag:"month end",money -type:script`: each term must hold; one with `-` before it must not; of a term's values any. Bare words are
//! contained somewhere in what people call a job. Letters are compared without their case. `next:<1h` is due within an hour, `next:>1h` is not.

mod parse;
mod runs;
pub mod suggest;
mod table;

pub use parse::{Mistake, Op, Parsed, Percent, Term, Value, parse};
pub use runs::{RunQuery, RunSubject};
pub use table::{Of, QUALIFIERS, Qualifier, Takes, What};

use crate::store::JobRow;
use clockwright_model::Millis;

/// A search among jobs, understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    terms: Vec<Term>,
}

/// What stands between the texts of a job that are searched together. No word has it.
const BETWEEN: char = '\u{1}';

/// A job that failed so often in a row is failing.
pub const FAILING: u32 = 3;

/// A job that may be looked for.
pub struct Subject<'a> {
    /// The job, as the database has it.
    pub job: &'a JobRow,
    /// Its project's name.
    pub project: &'a str,
    /// Its [text](text_of).
    pub text: &'a str,
    /// What the time is.
    pub now: Millis,
    /// What else may be asked of it.
    pub live: &'a dyn Live,
}

/// What a search may ask of a job that the database does not have.
pub trait Live {
    /// What the registry says of it.
    fn status(&self) -> Option<&'static str>;
    /// Does it know a host that is so called?
    fn is_on(&self, is_meant: &dyn Fn(&str) -> bool) -> bool;
    /// Does an instance serve it that is so called?
    fn is_served_by(&self, is_meant: &dyn Fn(&str) -> bool) -> bool;
    /// How it last ended.
    fn last(&self) -> Option<Ended>;
    /// How far the registry has followed.
    fn sync(&self) -> &'static str;
    /// When it fires next.
    fn fires_next(&self) -> Option<Millis>;
}

/// How a job last ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The word of the outcome.
    pub outcome: &'static str,
    /// How long the success took, milliseconds.
    pub took: Option<Millis>,
    /// How often it failed in a row.
    pub streak: i64,
}

/// The texts of a job that bare words are looked for in, in small letters.
#[must_use]
pub fn text_of(job: &JobRow) -> String {
    let between = BETWEEN.to_string();
    let texts: [&str; 4] = [&job.name, &job.title, &job.owner, &job.tags];
    texts.map(str::to_lowercase).join(&between)
}

/// A search that cannot be understood as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.0))]
pub struct BadSearch(pub Vec<Mistake>);

fn told(mistakes: &[Mistake]) -> String {
    let each: Vec<String> =
        mistakes.iter().map(|mistake| format!("`{}`: {}", mistake.text, mistake.why)).collect();
    each.join("; ")
}

impl Query {
    /// Understands a search.
    ///
    /// # Errors
    /// Its mistakes.
    pub fn parse(text: &str) -> Result<Self, BadSearch> {
        Ok(Self { terms: understood(text, Of::Jobs)? })
    }

    /// Leaves out the terms of a qualifier of jobs, by any of its names; false when there is none of that name.
    pub fn forget(&mut self, name: &str) -> bool {
        let Some(qualifier) = Qualifier::named(name, Of::Jobs) else { return false };
        self.terms.retain(|term| term.what != qualifier.what);
        true
    }

    /// True when nothing is said: all are looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True when only the database can change what is found, and neither the registry, nor the event store, nor the time.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.terms.iter().all(Term::is_lasting)
    }

    /// Is it one of those that are looked for?
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        self.terms.iter().all(|term| term.holds(|value| holds(term.what, value, subject)))
    }

    /// What each of those that are looked for contains in its [text](text_of).
    pub fn contained(&self) -> impl Iterator<Item = &str> {
        let bare = self.terms.iter().filter(|term| term.what == What::Text && !term.not);
        bare.flat_map(|term| texts(&term.values))
    }
}

/// What is looked for; its mistakes, where it cannot be understood as a whole.
fn understood(text: &str, of: Of) -> Result<Vec<Term>, BadSearch> {
    let Parsed { terms, mistakes } = parse(text, of);
    if mistakes.is_empty() { Ok(terms) } else { Err(BadSearch(mistakes)) }
}

/// The values that are texts.
fn texts(values: &[Value]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(|value| match value {
        Value::Is(text) => Some(text.as_str()),
        _ => None,
    })
}

impl Term {
    /// Does it hold of something of which these values do?
    fn holds(&self, of_value: impl Fn(&Value) -> bool) -> bool {
        self.values.iter().any(of_value) != self.not
    }

    fn is_lasting(&self) -> bool {
        match self.what {
            What::Text
            | What::Project
            | What::Job
            | What::Tag
            | What::Mode
            | What::Type
            | What::Owner
            | What::Managed
            | What::Cron
            | What::Zone
            | What::Items
            | What::By
            | What::Version => true,
            // Some states are wishes, the others are what the registry says.
            What::State => self.values.iter().all(|value| {
                matches!(value, Value::Is(word) if ["online", "offline", "removing"].contains(&word.as_str()))
            }),
            _ => false,
        }
    }
}

impl Value {
    /// Is this the name, or its beginning?
    fn is(&self, name: &str) -> bool {
        match self {
            // Most words are ASCII, of which no other text need be made.
            Value::Is(text) if name.is_ascii() => name.eq_ignore_ascii_case(text),
            Value::Is(text) => name.to_lowercase() == *text,
            Value::Begins(text) => name.to_lowercase().starts_with(text),
            Value::Amount(..) | Value::Between(..) | Value::Usual(..) => false,
        }
    }

    /// Is this contained in a text?
    fn is_in(&self, text: &str) -> bool {
        matches!(self, Value::Is(letters) if text.to_lowercase().contains(letters))
    }

    /// Does it hold of an amount? Of one that is not known nothing does.
    fn counts(&self, amount: Option<Millis>) -> bool {
        let Some(amount) = amount else { return false };
        match self {
            Value::Amount(op, bound) => op.holds(amount, *bound),
            Value::Between(from, to) => (*from..=*to).contains(&amount),
            Value::Is(_) | Value::Begins(_) | Value::Usual(..) => false,
        }
    }
}

fn holds(what: What, value: &Value, subject: &Subject<'_>) -> bool {
    let Subject { job, project, live, now, .. } = subject;
    match what {
        What::Text => {
            matches!(value, Value::Is(text) if !text.contains(BETWEEN) && subject.text.contains(text))
        }
        What::Project => value.is(project),
        What::Job => value.is(&job.name),
        What::Tag => job.tags.split_whitespace().any(|tag| value.is(tag)),
        What::Mode => value.is(&job.mode),
        What::Type => value.is(&job.kind),
        What::Owner => value.is_in(&job.owner),
        What::State => value.is(job.state.word()) || live.status().is_some_and(|status| value.is(status)),
        What::Status => live.status().is_some_and(|status| value.is(status)),
        What::Problem => problems(subject).any(|problem| value.is(problem)),
        What::Managed => value.is(job.managed.word()),
        What::Sync => value.is(live.sync()),
        // What never fires again is further away than anything.
        What::Next => value.counts(Some(live.fires_next().map_or(Millis::MAX, |at| at.saturating_sub(*now)))),
        What::Cron => value.is_in(job.timing.cron()),
        What::Zone => value.is_in(job.timing.zone()),
        What::Streak => value.counts(Some(live.last().map_or(0, |last| last.streak))),
        What::Took => value.counts(live.last().and_then(|last| last.took)),
        What::Items => value.counts(Some(job.items)),
        What::Outcome => live.last().is_some_and(|last| value.is(last.outcome)),
        What::Instance => live.is_served_by(&|id| value.is(id)),
        What::Host => live.is_on(&|host| value.is(host)),
        What::By => value.is(&job.changed_by),
        What::Changed => value.counts(Some(now.saturating_sub(job.changed))),
        What::Version => value.counts(Some(job.version)),
        // These narrow runs alone.
        What::Due | What::Late | What::Kind | What::Source | What::Item | What::Attempt => false,
    }
}

/// What is the matter with a job, in the words of `problem:`.
fn problems(subject: &Subject<'_>) -> impl Iterator<Item = &'static str> + use<> {
    let Subject { job, live, .. } = subject;
    let is_online = job.state == crate::store::JobState::Online;
    [
        ("crashed", is_online && live.status() == Some("CRASHED")),
        ("degraded", live.status() == Some("DEGRADED")),
        ("diverged", job.diverged),
        ("failing", live.last().is_some_and(|last| last.streak >= i64::from(FAILING))),
    ]
    .into_iter()
    .filter_map(|(problem, is_there)| is_there.then_some(problem))
}

#[cfg(test)]
mod tests;
