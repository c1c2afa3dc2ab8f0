//! How items stand by their last settled fires: a copy of the event stores' states in memory, so that lists of jobs ask no store. Each store is
//! asked every few seconds what changed since.

use crate::app::App;
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

/// The states of all stores.
#[derive(Debug, Default)]
pub struct Outcomes {
    stores: RwLock<HashMap<String, Store>>,
}

/// The states of one store: by namespace, by job.
#[derive(Debug, Default)]
struct Store {
    jobs: HashMap<String, HashMap<String, BTreeMap<Item, State>>>,
    /// The greatest change that is in here, by the database's clock.
    since: Millis,
}

/// How an item stands.
#[derive(Debug, Clone, Copy)]
struct State {
    item: Item,
    outcome: &'static str,
    fire: Millis,
    streak: u32,
    decided: Millis,
    took: Option<Millis>,
    good: Option<Millis>,
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
            let newest = items.values().max_by_key(|state| state.decided)?;
            let streak = items.values().map(|state| state.streak).max().unwrap_or(0);
            let good = items.values().filter_map(|state| state.good).max();
            Some(State { streak, good, ..*newest }.shown())
        })
    }

    /// How an item last ended.
    #[must_use]
    pub fn item(&self, project: &ProjectRow, job: &str, item: Item) -> Option<Last> {
        self.of(project, job, |items| items.get(&item).map(|state| state.shown()))
    }

    fn of<T>(
        &self,
        project: &ProjectRow,
        job: &str,
        look: impl FnOnce(&BTreeMap<Item, State>) -> Option<T>,
    ) -> Option<T> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        look(stores.get(&project.store)?.jobs.get(&project.namespace)?.get(job)?)
    }

    fn since(&self, store: &str) -> Millis {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(store).map_or(0, |store| store.since)
    }

    fn put(&self, store: &str, rows: Vec<StateRow>) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(store.to_owned()).or_default();
        for row in rows {
            store.since = store.since.max(row.changed);
            let state = State {
                item: row.item,
                outcome: row.outcome.as_str(),
                fire: row.fire_time,
                streak: u32::try_from(row.streak).unwrap_or(u32::MAX),
                decided: row.decided,
                took: row.took,
                good: row.good,
            };
            store.jobs.entry(row.namespace).or_default().entry(row.job).or_default().insert(row.item, state);
        }
    }
}

impl State {
    fn shown(self) -> Last {
        Last {
            outcome: self.outcome,
            at: At(self.decided),
            fire: At(self.fire),
            item: self.item,
            took: self.took,
            streak: self.streak,
            good: self.good.map(At),
        }
    }
}

/// Follows all stores that projects name, until it is dropped.
pub async fn watch(app: Arc<App>) {
    loop {
        for name in app.histories.names() {
            let used = app.catalogue.projects().iter().any(|project| project.store == name);
            if used && let Err(why) = follow(&app, &name).await {
                tracing::debug!(store = name, why, "the last outcomes of jobs are not followed now");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Reads what changed since; why it could not.
async fn follow(app: &App, name: &str) -> Result<(), String> {
    let history = app.histories.of(name).await.map_err(|error| error.to_string())?;
    let mut most = AT_ONCE;
    loop {
        let since = app.outcomes.since(name);
        let rows = history.states(since, most).await.map_err(|error| error.to_string())?;
        let (count, last) = (rows.len(), rows.last().map_or(since, |row| row.changed));
        app.outcomes.put(name, rows);
        if count < most {
            return Ok(());
        }
        // So many changed in one millisecond that the question must be greater to get beyond it.
        most = if last == since { most * 2 } else { AT_ONCE };
    }
}
