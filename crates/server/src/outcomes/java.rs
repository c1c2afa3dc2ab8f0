//! What Elastic-Job's instances wrote of their runs, read into the same states as what ours settled.
//!
//! - **Which**: the jobs that have an instance of Elastic-Job now. A job that is new here is read by itself, its newest [`FIRST`] rows, so that
//!   a server which has just started knows how often it has failed in a row.
//! - **From then on** all are read together by when runs began: each time from [`OVERLAP`] before the last look, and once a minute from
//!   [`DEEP`] before it, so that what ended since, what was stored late and what a clock that is behind calls earlier is seen.
//! - **What runs for longer** than that is asked for by itself, once a minute, until it has ended or [`LONGEST`] has passed.
//! - **Ours** write into the same table, for Elastic-Job's console; their ids say so, and they are left out: they are settled.
//! - The table has no namespace. Of two projects that share a store and have a job of one name with Elastic-Job's instances, both are told of
//!   the runs of either.

use super::Outcomes;
use crate::app::App;
use crate::decide::alerts::java::{End, Run, Runs};
use crate::histories::History;
use crate::mirror::State as Phase;
use clockwright_events::{ExecutionFilter, ExecutionRow, Page};
use clockwright_model::{Item, Millis, RunId};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError};

/// How many rows of a job are read that is new here.
const FIRST: u32 = 200;
/// How far back of the last look each look reads, milliseconds, …
const OVERLAP: Millis = 60_000;
/// … and once a minute.
const DEEP: Millis = 600_000;
/// How often that is, and how often what runs for long is asked for.
const SLOWLY: Millis = 60_000;
/// A run that began before this has ended, whatever its row says.
const LONGEST: Millis = 86_400_000;
/// So few jobs are asked for by name; more of them are most of what there is.
const NAMED: usize = 64;
/// How many rows are read at once.
const ROWS: u32 = 1_000;
/// How many jobs are read by themselves at a time.
const AT_ONCE: usize = 8;

/// The jobs of a store that Elastic-Job's instances serve.
#[derive(Debug, Default)]
pub(super) struct Served {
    jobs: BTreeMap<String, HashMap<String, Items>>,
    /// When was looked last, and when further back.
    looked: Option<Millis>,
    deep: Option<Millis>,
    /// One a process, so that ids have short names.
    hasher: RandomState,
}

/// The items of a job in one namespace.
pub(super) type Items = BTreeMap<Item, Runs>;

impl Served {
    /// The items of a job, if it is one of them.
    pub(super) fn items(&self, namespace: &str, job: &str) -> Option<&Items> {
        self.jobs.get(job)?.get(namespace)
    }

    /// Takes in a row; the namespaces and what the item is now.
    fn take(&mut self, row: &ExecutionRow) -> Vec<(String, Runs)> {
        let Some(start) = row.start.filter(|_| !is_ours(&row.id)) else { return Vec::new() };
        let run = Run { start, id: self.hasher.hash_one(&row.id), end: end(row, start) };
        let Some(namespaces) = self.jobs.get_mut(&row.job) else { return Vec::new() };
        let take = |(namespace, items): (&String, &mut Items)| {
            let runs = items.entry(row.item).or_default();
            runs.take(run).then(|| (namespace.clone(), runs.clone()))
        };
        namespaces.iter_mut().filter_map(take).collect()
    }

    /// When the oldest of a job's runs began that have no end, and when the newest.
    fn open(&self, job: &str, since: Millis) -> Option<(Millis, Millis)> {
        let items = self.jobs.get(job)?.values().flat_map(BTreeMap::values);
        let open = items.filter_map(Runs::open).filter(|start| *start >= since);
        open.fold(None, |range, start| {
            Some(
                range.map_or((start, start), |(from, to): (Millis, Millis)| (from.min(start), to.max(start))),
            )
        })
    }
}

/// Ids of ours say when they were made.
fn is_ours(id: &str) -> bool {
    RunId::parse(id).is_some_and(|id| id.0 >> 76 & 0xf == 7)
}

fn end(row: &ExecutionRow, start: Millis) -> End {
    match row.complete {
        Some(at) if row.success => End::Succeeded(at),
        Some(at) => End::Failed(at),
        // Elastic-Job writes an end that comes before its start as a failure without a time.
        None if row.failure_cause.is_some() => End::Failed(start),
        None => End::None,
    }
}

/// Reads what was written since; why it could not.
pub(super) async fn follow(app: &App, name: &str, history: &History) -> Result<(), String> {
    let new = app.outcomes.serve(name, &served(app, name));
    let read = read(app, name, history, &new).await;
    if read.is_err() {
        // They are as new the next time.
        app.outcomes.serve_not(name, &new);
    }
    read
}

async fn read(app: &App, name: &str, history: &History, new: &[String]) -> Result<(), String> {
    let now = app.now();
    let (known, looked, deep) = app.outcomes.plan(name, now);
    let mut asks: Vec<ExecutionFilter> = new.iter().map(|job| of_job(job)).collect();
    asks.extend(deep.iter().flatten().map(|(job, from, to)| ExecutionFilter {
        from: Some(*from),
        to: Some(*to + 1),
        ..of_job(job)
    }));
    let by_itself = asks.into_iter().map(|filter| one(Arc::clone(history), filter));
    let mut answers = futures::stream::iter(by_itself).buffer_unordered(AT_ONCE);
    while let Some(rows) = answers.next().await {
        app.outcomes.ran(name, &rows?);
    }
    if let Some(looked) = looked.filter(|_| !known.is_empty()) {
        let back = if deep.is_some() { DEEP } else { OVERLAP };
        let jobs = if known.len() > NAMED { Vec::new() } else { known };
        let filter = ExecutionFilter { jobs, from: Some(looked - back), ..ExecutionFilter::default() };
        // The newest pages come first, and what is older than what is kept of an item would be passed over.
        let (mut rows, mut page) = (Vec::new(), Some(Page::first(ROWS)));
        while let Some(asked) = page {
            let found = history.executions(&filter, &asked).await.map_err(|error| error.to_string())?;
            rows.extend(found.rows);
            page = found.next.map(|next| Page::after(ROWS, next));
        }
        app.outcomes.ran(name, &rows);
    }
    app.outcomes.looked(name, now, deep.is_some());
    Ok(())
}

fn of_job(job: &str) -> ExecutionFilter {
    ExecutionFilter { jobs: vec![job.to_owned()], ..ExecutionFilter::default() }
}

async fn one(history: History, filter: ExecutionFilter) -> Result<Vec<ExecutionRow>, String> {
    let page = history.executions(&filter, &Page::first(FIRST)).await;
    Ok(page.map_err(|error| error.to_string())?.rows)
}

/// Whom Elastic-Job's instances serve by the mirrors: jobs by namespace; `None` for a namespace that is not seen now.
fn served(app: &App, store: &str) -> HashMap<String, Option<BTreeSet<String>>> {
    let projects = app.catalogue.projects().into_iter().filter(|project| project.store == store);
    let of = projects.map(|project| {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        let is_seen = matches!(picture.state, Phase::Following | Phase::CatchingUp);
        let jobs = picture.all().filter(|(_, row)| picture.is_javas(row));
        let jobs = is_seen.then(|| jobs.map(|(job, _)| job.as_str().to_owned()).collect());
        (project.namespace.clone(), jobs)
    });
    of.collect()
}

/// What is to be read: the known jobs, when they were looked at last, and, where it is time to look further back, which are asked for by
/// themselves and from when to when.
type Plan = (Vec<String>, Option<Millis>, Option<Vec<(String, Millis, Millis)>>);

impl Outcomes {
    /// These are served by Elastic-Job's instances now; which of them are new.
    fn serve(&self, store: &str, now: &HashMap<String, Option<BTreeSet<String>>>) -> Vec<String> {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let java = &mut stores.entry(store.to_owned()).or_default().java;
        java.jobs.retain(|job, namespaces| {
            namespaces.retain(|namespace, _| {
                let jobs = now.get(namespace);
                jobs.is_some_and(|jobs| jobs.as_ref().is_none_or(|jobs| jobs.contains(job)))
            });
            !namespaces.is_empty()
        });
        let mut new = BTreeSet::new();
        for (namespace, jobs) in now {
            for job in jobs.iter().flatten() {
                let namespaces = java.jobs.entry(job.clone()).or_default();
                if !namespaces.contains_key(namespace) {
                    namespaces.insert(namespace.clone(), Items::new());
                    new.insert(job.clone());
                }
            }
        }
        new.into_iter().collect()
    }

    fn serve_not(&self, store: &str, jobs: &[String]) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get_mut(store) {
            store.java.jobs.retain(|job, _| !jobs.contains(job));
        }
    }

    fn plan(&self, store: &str, now: Millis) -> Plan {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = stores.get(store) else { return Plan::default() };
        let java = &store.java;
        let known: Vec<String> = java.jobs.keys().cloned().collect();
        let deep = java.deep.is_none_or(|last| now - last >= SLOWLY).then(|| {
            let open = |job: &String| {
                // What began later is among what is read in any case.
                let (from, to) = java.open(job, now - LONGEST).filter(|(from, _)| *from < now - DEEP)?;
                Some((job.clone(), from, to))
            };
            known.iter().filter_map(open).collect()
        });
        (known, java.looked, deep)
    }

    fn looked(&self, store: &str, now: Millis, deep: bool) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let java = &mut stores.entry(store.to_owned()).or_default().java;
        java.looked = Some(now);
        if deep {
            java.deep = Some(now);
        }
    }

    /// Takes in what was read.
    fn ran(&self, store: &str, rows: &[ExecutionRow]) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        let store = stores.entry(store.to_owned()).or_default();
        // They come the newest first.
        for row in rows.iter().rev() {
            for (namespace, runs) in store.java.take(row) {
                if let Some(state) = runs.state(row.item) {
                    store.state(&namespace, &row.job, state);
                }
            }
        }
    }
}
