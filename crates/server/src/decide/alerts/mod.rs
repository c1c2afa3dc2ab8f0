//! Alerts, the decision: what opens, what is over, what is told to whom, and when.
//!
//! # Identities
//! - **rule**: a condition, from which number on and for how long, for which jobs, to which channels. One of all projects holds where a
//!   project has none of its own of that condition.
//! - **subject**: (rule, project, job, item, thing). Its digest is the *print*: of one print one alert is open at a time, which the database
//!   holds by a unique key.
//! - **finding**: a subject whose condition is true now. It carries a *mark* that changes when the same happens once more: the fire of a
//!   failure, the record of a change.
//!
//! # How it goes
//! ```text
//! facts ─ judge ─▶ findings ─ Memory::step ─▶ changes (open, again, resolve) ─▶ the database ─ notify ─▶ messages
//! ```
//! | subject | is found | is not found | its source is away, or nothing is known of it |
//! |---|---|---|---|
//! | new | waits | – | – |
//! | waits | opens after the rule's wait | is forgotten | waits anew |
//! | open | counts, when the mark is another one | is over after the rule's wait | stays as it is |
//!
//! - **A source that is away freezes its alerts**: nothing is over for want of data, and nothing opens by it. A registry that is away
//!   freezes all that is judged by what its jobs do, so that one alert tells of it and not one a job. [`SETTLES`] after it is back it
//!   counts again: what was held up meanwhile comes in first.
//! - **Whoever leads anew** goes on with what is open, and has not seen all that was seen before. Of what it cannot know it says so, and that stays
//!   open until something shows that it is over.
//! - **Covering**: a job without an instance is not told to be overdue as well.
//! - What waits is in memory alone: another leader waits anew. What is open is in the database.

pub mod due;
pub mod java;
pub mod judge;
pub mod notify;
pub mod quiet;
pub mod text;

use super::chain::sha256;
use clockwright_api::alerts::{Condition, Severity};
use clockwright_model::{Item, Millis};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How long a source that was away is not believed yet.
pub const SETTLES: Millis = 60_000;

/// A rule, as it judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// The project; 0 for all.
    pub project: i64,
    /// What is told.
    pub condition: Condition,
    /// The pattern of the jobs' names; empty for all.
    pub jobs: String,
    /// From which number on.
    pub threshold: i64,
    /// How long it must last, milliseconds.
    pub wait: Millis,
    /// How bad it is.
    pub severity: Severity,
    /// It tells something.
    pub enabled: bool,
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The rule's id.
    pub rule: String,
    /// The project; 0 for none.
    pub project: i64,
    /// The job; 0 for none.
    pub job: i64,
    /// The item.
    pub item: Option<Item>,
    /// The registry, store, channel or key; empty for none.
    pub thing: String,
}

impl Subject {
    /// What tells it from all others.
    #[must_use]
    pub fn print(&self) -> String {
        let item = self.item.map(|item| item.to_string()).unwrap_or_default();
        let parts = [&self.rule, &self.project.to_string(), &self.job.to_string(), &item, &self.thing];
        sha256(parts.map(String::as_str).join("\0").as_bytes())
    }
}

/// A condition that is true now.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of what.
    pub subject: Subject,
    /// Which.
    pub condition: Condition,
    /// How bad it is.
    pub severity: Severity,
    /// How long it must last, milliseconds.
    pub wait: Millis,
    /// Changes when it happens once more.
    pub mark: String,
    /// What the sentence is made of.
    pub params: Value,
}

/// Where a condition is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The mirror of a project's registry.
    Mirror,
    /// The event store of a project.
    History,
}

/// All that is seen at one time.
#[derive(Debug, Default)]
pub struct Look {
    /// What is true.
    pub findings: Vec<Finding>,
    /// What cannot be seen now, by project.
    pub away: BTreeSet<(i64, Source)>,
    /// What is open, is not found, and may be true all the same.
    pub unknown: BTreeSet<Subject>,
}

/// An alert that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// What is the matter.
    pub condition: Condition,
    /// The mark of when it happened last.
    pub mark: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An alert opens.
    Open(Finding),
    /// It has happened once more.
    Again {
        /// The alert.
        id: String,
        /// What is found now.
        finding: Finding,
    },
    /// It is over.
    Resolve(Open),
}

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub struct Memory {
    watches: BTreeMap<Subject, Watch>,
}

#[derive(Debug)]
struct Watch {
    condition: Condition,
    wait: Millis,
    /// Since when it is true, or since when it is not.
    since: Millis,
    is_true: bool,
    open: Option<(String, String)>,
}

impl Memory {
    /// Knows the alerts that are open from now on; what it knew before is forgotten.
    #[must_use]
    pub fn of(open: Vec<Open>, waits: impl Fn(&str) -> Millis, now: Millis) -> Self {
        let watch = |open: Open| {
            let wait = waits(&open.subject.rule);
            let Open { id, subject, condition, mark } = open;
            (subject, Watch { condition, wait, since: now, is_true: true, open: Some((id, mark)) })
        };
        Self { watches: open.into_iter().map(watch).collect() }
    }

    /// What is open.
    pub fn open(&self) -> impl Iterator<Item = (&Subject, Condition)> {
        self.watches
            .iter()
            .filter(|(_, watch)| watch.open.is_some())
            .map(|(subject, watch)| (subject, watch.condition))
    }

    /// What follows from a look. What opens is to be [noted](Self::opened) once it stands in the database, and what is over [too](Self::ended);
    /// until then the same follows again.
    pub fn step(&mut self, look: Look, now: Millis) -> Vec<Change> {
        let bare: BTreeSet<(i64, i64)> = look
            .findings
            .iter()
            .filter(|finding| finding.condition == Condition::NoInstance)
            .map(|finding| (finding.subject.project, finding.subject.job))
            .collect();
        let Look { findings, away, unknown } = look;
        let is_frozen = |condition: Condition, subject: &Subject| {
            sources(condition).iter().any(|source| away.contains(&(subject.project, *source)))
                || condition == Condition::Overdue && bare.contains(&(subject.project, subject.job))
        };
        let mut changes = Vec::new();
        let mut found = BTreeSet::new();
        for finding in findings {
            if is_frozen(finding.condition, &finding.subject) {
                continue;
            }
            found.insert(finding.subject.clone());
            changes.extend(self.found(finding, now));
        }
        self.watches.retain(|subject, watch| {
            if found.contains(subject) {
                return true;
            }
            if unknown.contains(subject) || is_frozen(watch.condition, subject) {
                // Of what is not open nothing is known any more.
                watch.since = now;
                return watch.open.is_some();
            }
            let Some((id, mark)) = &watch.open else { return false };
            if std::mem::replace(&mut watch.is_true, false) {
                watch.since = now;
            }
            if now - watch.since >= watch.wait {
                changes.push(Change::Resolve(Open {
                    id: id.clone(),
                    subject: subject.clone(),
                    condition: watch.condition,
                    mark: mark.clone(),
                }));
            }
            true
        });
        changes
    }

    fn found(&mut self, finding: Finding, now: Millis) -> Option<Change> {
        let watch = self.watches.entry(finding.subject.clone()).or_insert_with(|| Watch {
            condition: finding.condition,
            wait: finding.wait,
            since: now,
            is_true: true,
            open: None,
        });
        watch.wait = finding.wait;
        if !std::mem::replace(&mut watch.is_true, true) {
            watch.since = now;
        }
        match &watch.open {
            Some((_, mark)) if *mark == finding.mark => None,
            Some((id, _)) => Some(Change::Again { id: id.clone(), finding }),
            None if now - watch.since >= watch.wait => Some(Change::Open(finding)),
            None => None,
        }
    }

    /// An alert of this id is open, and this happened last.
    pub fn opened(&mut self, subject: &Subject, id: &str, mark: &str) {
        if let Some(watch) = self.watches.get_mut(subject) {
            watch.open = Some((id.to_owned(), mark.to_owned()));
        }
    }

    /// It is over.
    pub fn ended(&mut self, subject: &Subject) {
        self.watches.remove(subject);
    }
}

/// Where a condition is seen; nowhere for what the database itself says.
fn sources(condition: Condition) -> &'static [Source] {
    match condition {
        Condition::Failing | Condition::Missed | Condition::TooShort | Condition::Overdue => {
            &[Source::History, Source::Mirror]
        }
        Condition::TooLong | Condition::NoInstance | Condition::Stuck => &[Source::Mirror],
        _ => &[],
    }
}

/// Which of these rules judge a project, by condition: its own where it has any of that condition, and those of all otherwise.
#[must_use]
pub fn rules_of(rules: &[Rule], project: i64) -> Vec<&Rule> {
    let own: BTreeSet<Condition> = rules
        .iter()
        .filter(|rule| project != 0 && rule.project == project)
        .map(|rule| rule.condition)
        .collect();
    let holds = |rule: &&Rule| {
        rule.enabled && (rule.project == project || rule.project == 0 && !own.contains(&rule.condition))
    };
    rules.iter().filter(holds).collect()
}

/// Does a name fit a pattern in which `*` stands for any letters? An empty one fits every name.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests;
