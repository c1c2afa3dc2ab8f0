//! What is not as it should be, how bad it is, and what to do about it: `clockwright doctor`, and `GET /system/doctor`.
//!
//! Each section looks at one thing by itself and has [`PATIENCE`] for it, so that one that fails or hangs hides no other; neither does one registry or one
//! event store of several. A look changes nothing, but for one node that goes with its session's word ([`registry`]) and one transaction that is not
//! committed ([`database`]). The command looks without a server, so it is of use when none starts; then it opens the database for reading only, and leaves
//! out what a reader cannot find out.

mod database;
mod files;
mod journal;
mod people;
mod registry;
mod setup;
mod zones;

use crate::app::{App, Clock};
use crate::config::Config;
use crate::histories::Histories;
use crate::registries::Registries;
use crate::store::Store;
use clockwright_api::system::{Finding, Gravity};
use clockwright_model::Millis;
use clockwright_sql::OpenError;
use futures::future::{BoxFuture, join_all};
use std::time::Duration;

/// How long one section may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one registry, or one event store, may take of it.
const PATIENCE_WITH_ONE: Duration = Duration::from_secs(15);
const DAY: Millis = 86_400_000;
/// Clocks that are further apart than this are told, milliseconds.
const SKEW: Millis = 500;

/// Who is looked at.
pub struct Patient<'a> {
    /// How it is set up.
    pub config: &'a Config,
    /// The database; why it does not open, where it does not.
    pub store: Result<&'a Store, OpenError>,
    /// The registries.
    pub registries: &'a Registries,
    /// The event stores.
    pub histories: &'a Histories,
    /// What the time is here.
    pub clock: Clock,
}

impl<'a> Patient<'a> {
    /// A server that runs.
    #[must_use]
    pub fn of_app(app: &'a App) -> Self {
        Self {
            config: &app.config,
            store: Ok(&app.store),
            registries: &app.registries,
            histories: &app.histories,
            clock: app.clock(),
        }
    }

    fn now(&self) -> Millis {
        (self.clock)()
    }
}

/// What one section finds; an error is that it could not look.
type Looked = Result<Vec<Finding>, Box<dyn std::error::Error + Send + Sync>>;

/// A section: what it looks at, and how.
type Section = (&'static str, for<'a> fn(&'a Patient<'a>) -> BoxFuture<'a, Looked>);

const SECTIONS: &[Section] = &[
    ("the configuration", |patient| Box::pin(async move { Ok(setup::look(patient.config)) })),
    ("files", |patient| Box::pin(async move { Ok(files::look(patient.config, patient.now())) })),
    ("the database", |patient| Box::pin(database::look(patient))),
    ("the key", |patient| Box::pin(database::of_key(patient))),
    ("event stores", |patient| Box::pin(database::of_stores(patient))),
    ("zones", |patient| Box::pin(zones::look(patient))),
    ("people and tokens", |patient| Box::pin(people::look(patient))),
    ("the journal", |patient| Box::pin(journal::look(patient))),
    ("sync", |patient| Box::pin(journal::of_sync(patient))),
    ("servers", |patient| Box::pin(journal::of_servers(patient))),
    ("registries", |patient| Box::pin(registry::look(patient))),
];

/// Everything that is to be told, the worst first.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let looks = SECTIONS.iter().map(|(what, look)| within(PATIENCE, what, look(patient)));
    let mut found = join_all(looks).await.concat();
    found.sort_by(|one, other| {
        (one.severity, &one.code, &one.place).cmp(&(other.severity, &other.code, &other.place))
    });
    found
}

/// What a look finds in so long; that it could not look is something to be told too.
async fn within(patience: Duration, what: &str, look: impl Future<Output = Looked>) -> Vec<Finding> {
    match tokio::time::timeout(patience, look).await {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => vec![undone(what, &why.to_string())],
        Err(_) => vec![undone(what, &format!("it took longer than {} s", patience.as_secs()))],
    }
}

fn undone(what: &str, why: &str) -> Finding {
    finding(
        Gravity::Warning,
        "not-looked-at",
        what,
        format!("could not be looked at: {why}"),
        "see what else is found, and look again",
    )
}

fn finding(severity: Gravity, code: &str, place: &str, what: impl Into<String>, fix: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        what: what.into(),
        place: place.to_owned(),
        fix: fix.to_owned(),
    }
}

/// Something that is as it should be, for whoever compares.
fn fact(code: &str, place: &str, what: impl Into<String>) -> Finding {
    finding(Gravity::Fact, code, place, what, "nothing is to be done about it")
}

/// Two clocks that do not agree.
fn skew(place: &str, theirs: Millis, sent: Millis, answered: Millis) -> Option<Finding> {
    // Their time lies somewhere between question and answer.
    let apart = if theirs < sent { sent - theirs } else { (theirs - answered).max(0) };
    let what = format!("the clock there differs from this machine's by {apart} ms");
    let fix = "let NTP or chrony set the clocks of all machines";
    (apart > SKEW).then(|| finding(Gravity::Warning, "clock-skew", place, what, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_differ_only_by_what_the_way_there_does_not_explain() {
        for (theirs, told) in [(1_000, false), (1_400, false), (2_600, false), (400, true), (3_700, true)] {
            assert_eq!(skew("there", theirs, 1_000, 3_000).is_some(), told, "{theirs}");
        }
    }
}
