//! How items stand by their last settled fires: a copy of the event stores' states in memory, so that lists of jobs ask no store. Each store is
//! asked every few seconds what changed since. What Elastic-Job's instances ran is told by their own table: see [`java`](mod@java).

mod java;

use crate::app::App;
use crate::decide::alerts::java::Runs;
use crate::decide::alerts::judge::{State, States};
use crate::observe::Metrics;
use crate::observe::names::{FIRE_LATENESS, FIRES, RUN_SECONDS};
use crate::store::ProjectRow;
use clockwright_api::At;
use clockwright_events::StateRow;
use clockwright_model::{Item, Millis};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often a store is asked.
const EVERY: Duration = Duration::from_secs(5);
/// How many rows are asked for at once.
const AT_ONCE: usize = 5_000;
/// How much is asked for again, milliseconds: what was committed late comes with an earlier time.
const OVERLAP: Millis = 60_000;

/// The states of all stores.
#[derive(Debug, Default)]
pub struct Outcomes {
    stores: RwLock<HashMap<String, Store>>,
}

/// The states of one store: by namespace, by job.
#[derive(Debug, Default)]
struct Store {
    jobs: HashMap<String, HashMap<String, States>>,
    /// What Elastic-Job's instances ran.
    java: java::Served,
    /// The greatest change that is in here, by the database's clock.
    since: Millis,
    /// Everything up to some look is in here.
    is_read: bool,
    /// It did not answer when it was last asked.
    is_away: bool,
}

/// How a job or an item last ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// The word of the outcome.
    pub outcome: &'static str,
    /// When it was decided.
    pub at: At,
    /// The instant of the fire.
    pub fire: At,
    /// The item.
    pub item: Item,
    /// How long the success took, milliseconds.
    pub took: Option<Millis>,
    /// How often it failed in a row; of a job, the item that did so most often.
    pub streak: u32,
    /// When it last succeeded.
    pub good: Option<At>,
}

impl Outcomes {
    /// How a job last ended: its newest item, and the longest row of failures.
    #[must_use]
    pub fn last(&self, project: &ProjectRow, job: &str) -> Option<Last> {
        self.of(project, job, |items| {
            let items = items?;
            let newest = items.iter().max_by_key(|state| state.decided)?;
            let streak = items.iter().map(|state| state.streak).max().unwrap_or(0);
            let good = items.iter().filter_map(|state| state.good).max();
            Some(shown(State { streak, good, ..*newest }))
        })
    }

    /// How an item last ended.
    #[must_use]
    pub fn item(&self, project: &ProjectRow, job: &str, item: Item) -> Option<Last> {
        self.of(project, job, |items| items?.of(item).copied().map(shown))
    }

    /// Looks at how the items of a job stand, as far as anything is known of them.
    pub fn of<T>(&self, project: &ProjectRow, job: &str, look: impl FnOnce(Option<&States>) -> T) -> T {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let jobs = stores.get(&project.store).and_then(|store| store.jobs.get(&project.namespace));
        look(jobs.and_then(|jobs| jobs.get(job)))
    }

    /// When Elastic-Job's instances last began each item, as far as they write of it; `None` where their history has nothing of the job.
    #[must_use]
    pub fn begun(&self, project: &ProjectRow, job: &str) -> Option<BTreeMap<Item, Millis>> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let items = stores.get(&project.store)?.java.items(&project.namespace, job)?;
        let begun = |(item, runs): (&Item, &Runs)| Some((*item, runs.begun()?));
        Some(items.iter().filter_map(begun).collect()).filter(|begun: &BTreeMap<_, _>| !begun.is_empty())
    }

    /// True when the last question to this store was answered.
    #[must_use]
    pub fn is_seen(&self, store: &str) -> bool {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(store).is_some_and(|store| store.is_read && !store.is_away)
    }

    /// How many stores did not answer when they were last asked.
    #[must_use]
    pub fn away(&self) -> u64 {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.values().filter(|store| store.is_away).count() as u64
    }

    /// Whether it was ever read to its end: what was settled before that is no news.
    fn is_read(&self, store: &str) -> bool {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(store).is_some_and(|store| store.is_read)
    }

    fn asked(&self, store: &str, answered: bool) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(store.to_owned()).or_default();
        store.is_read |= answered;
        store.is_away = !answered;
    }

    /// Nobody asks for it any more.
    fn forget(&self, store: &str) {
        self.stores.write().unwrap_or_else(PoisonError::into_inner).remove(store);
    }

    fn since(&self, store: &str) -> Millis {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(store).map_or(0, |store| store.since)
    }

    /// Takes in what changed; `news` counts those fires that are newer than what was known.
    fn put(&self, store: &str, rows: Vec<StateRow>, news: Option<&Metrics>) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(store.to_owned()).or_default();
        for row in rows {
            store.since = store.since.max(row.changed);
            let state = State {
                item: row.item,
                fire: row.fire_time,
                outcome: row.outcome.as_str(),
                streak: u32::try_from(row.streak).unwrap_or(u32::MAX),
                decided: row.decided,
                took: row.took,
                good: row.good,
            };
            let (start, outcome) = (row.start, state.outcome);
            let is_newer = store.state(&row.namespace, &row.job, state);
            if let Some(metrics) = news.filter(|_| is_newer) {
                metrics.count(&FIRES, &[outcome]);
                if let Some(start) = start {
                    metrics.took(&FIRE_LATENESS, &[], millis(start - state.fire));
                }
                if let Some(took) = state.took {
                    metrics.took(&RUN_SECONDS, &[], millis(took));
                }
            }
        }
    }
}

impl Store {
    /// Takes in how an item stands, unless something newer is known; true when its fire is newer than what was.
    fn state(&mut self, namespace: &str, job: &str, state: State) -> bool {
        let jobs = self.jobs.entry(namespace.to_owned()).or_default();
        let items = jobs.entry(job.to_owned()).or_default();
        let before = items.of(state.item).map(|before| before.fire);
        if before.is_none_or(|before| before <= state.fire) {
            items.put(state);
        }
        before.is_none_or(|before| before < state.fire)
    }
}

fn millis(millis: Millis) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs())
}

fn shown(state: State) -> Last {
    Last {
        outcome: state.outcome,
        at: At(state.decided),
        fire: At(state.fire),
        item: state.item,
        took: state.took,
        streak: state.streak,
        good: state.good.map(At),
    }
}

/// Follows all stores that projects name, until it is dropped.
pub async fn watch(app: Arc<App>) {
    let pulse = app.pulses.begin("outcomes");
    loop {
        pulse.during(look(&app)).await;
        pulse.during(tokio::time::sleep(EVERY)).await;
    }
}

/// Looks once at all stores that projects name.
pub async fn look(app: &App) {
    for name in app.histories.names() {
        if !app.catalogue.projects().iter().any(|project| project.store == name) {
            app.outcomes.forget(&name);
            continue;
        }
        let news = app.outcomes.is_read(&name).then_some(&app.metrics);
        let followed = follow(app, &name, news).await;
        app.outcomes.asked(&name, followed.is_ok());
        if let Err(why) = followed {
            tracing::debug!(store = name, why, "the last outcomes of jobs are not followed now");
        }
    }
}

/// Reads what changed since; why it could not.
async fn follow(app: &App, name: &str, news: Option<&Metrics>) -> Result<(), String> {
    let history = app.histories.of(name).await.map_err(|error| error.to_string())?;
    let mut most = AT_ONCE;
    let mut since = (app.outcomes.since(name) - OVERLAP).max(0);
    loop {
        let rows = history.states(since, most).await.map_err(|error| error.to_string())?;
        let (count, last) = (rows.len(), rows.last().map_or(since, |row| row.changed));
        app.outcomes.put(name, rows, news);
        if count < most {
            return java::follow(app, name, &history).await;
        }
        // So many changed in one millisecond that the question must be greater to get beyond it.
        most = if last == since { most * 2 } else { AT_ONCE };
        since = last;
    }
}
