//! What changes in a registry is noticed: one task a project watches its namespace, and has the jobs looked at whose config or root node
//! changed.
//!
//! A hint costs a look at one job, half a second later, so that a burst of changes to it is one look. The look itself decides; a hint of our own
//! write finds that all is as it should be. What a lost hint would have told is found by the next sweep.
//!
//! Where a watch is not one request (ZooKeeper before 3.6) there is none, and the sweep comes every half minute.

use super::sweep::sweep;
use super::write::{By, Failed, GROUP, registry_of, write_by};
use crate::app::App;
use crate::chores::{Term, Turn};
use crate::decide::group::Word;
use crate::ops;
use crate::store::{ProjectRow, SyncState};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_registry::{Hint, SharedRegistry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// How long after a hint a job is looked at.
const AFTER_HINT: Duration = Duration::from_millis(500);
/// How long changes of projects are gathered.
const GATHER: Duration = Duration::from_millis(50);
/// How often all jobs are looked at.
const EVERY: Duration = Duration::from_secs(1_800);
/// The same where nothing can be watched.
const EVERY_UNWATCHED: Duration = Duration::from_secs(30);
/// How often what is due is looked at.
const DUE: Duration = Duration::from_secs(1);
/// How long until it is tried again, when a registry or the database is away.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps the registries of all projects equal to the database, as the chore of a term, until it is dropped.
pub async fn watch(app: Arc<App>, term: Term) -> Turn {
    let mut tasks = JoinSet::new();
    tasks.spawn(catch_up(Arc::clone(&app), term.clone()));
    let mut known = BTreeSet::new();
    loop {
        let projects = app.catalogue.projects();
        known.retain(|id| projects.iter().any(|project| project.id == *id));
        for project in projects {
            if known.insert(project.id) {
                tasks.spawn(one(Arc::clone(&app), term.clone(), project.id));
            }
        }
        // A project's task ends with it; the rest waits for what happens next.
        tokio::select! {
            () = app.catalogue.reached(app.catalogue.seq() + 1) => {}
            Some(_) = tasks.join_next() => {}
        }
        sleep(GATHER).await;
    }
}

/// Jobs whose time has come, every second: what was saved and not written, and what was left alone for a while in a fight.
async fn catch_up(app: Arc<App>, term: Term) {
    loop {
        match due(&app, &term).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "what is due is looked at later"),
        }
        sleep(DUE).await;
    }
}

async fn due(app: &App, term: &Term) -> Result<(), Failed> {
    let mut projects: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (project, job) in app.store.due(app.now(), GROUP as u32).await? {
        projects.entry(project).or_default().push(job);
    }
    for (project, mut jobs) in projects {
        jobs.sort_unstable();
        let Some(project) = app.catalogue.project_of(project) else { continue };
        let by = By { word: Word::Policy, term: Some(term) };
        if let Err(failed) = write_by(app, &project, &jobs, by).await
            && !failed.holds()
        {
            let why = failed.to_string();
            by.note(app.store.later(term.number(), &jobs, &why, app.now())).await?;
        }
    }
    Ok(())
}

/// One project, until it ends.
async fn one(app: Arc<App>, term: Term, project: i64) {
    while let Some(row) = app.catalogue.project_of(project) {
        match registry_of(&app, &row).await {
            Ok((registry, keys)) => follow(&app, &term, &row, registry, &keys).await,
            Err(error) => {
                tracing::debug!(project = row.name, %error, "a project's registry cannot be watched");
            }
        }
        sleep(AGAIN).await;
    }
}

/// One session with the registry: all jobs at its beginning and every half hour, one job after a hint.
async fn follow(app: &App, term: &Term, project: &ProjectRow, registry: SharedRegistry, keys: &Keys) {
    let by = By { word: Word::Policy, term: Some(term) };
    let watched = registry.terms().recursive_watch;
    let mut hints = if watched { registry.watch(keys.root()).await.ok() } else { None };
    let every = if hints.is_some() { EVERY } else { EVERY_UNWATCHED };
    let mut session = registry.session();
    loop {
        let Some(row) = app.catalogue.project_of(project.id) else { return };
        if let Err(error) = sweep(app, &row, false, by).await {
            tracing::debug!(project = row.name, %error, "a project's jobs cannot be looked at");
            return;
        }
        if let Err(error) = ops::sweep(app, &row, &app.catalogue.jobs(row.id), Some(term)).await {
            tracing::debug!(project = row.name, %error, "what holds a project's jobs cannot be looked at");
            return;
        }
        let next = Instant::now() + every;
        loop {
            let noticed = tokio::select! {
                noticed = gather(&mut hints, keys, next) => noticed,
                changed = session.changed() => match changed {
                    Ok(()) if *session.borrow() == clockwright_registry::Session::Lost => return,
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            // So many at once are nobody's edit: the guard of a sweep looks at them.
            let Noticed::Jobs(names) = noticed else { break };
            if names.len() >= GROUP / 2 {
                break;
            }
            let Some(row) = app.catalogue.project_of(project.id) else { return };
            let looked = match look_at(app, &row, &names, by).await {
                Ok(()) => look_at_holds(app, &row, &names, term).await,
                failed => failed,
            };
            if let Err(error) = looked {
                tracing::debug!(project = row.name, %error, "a job cannot be looked at");
                return;
            }
        }
    }
}

/// Looks at a few jobs and puts right what is to be. What the guard holds stays held.
async fn look_at(
    app: &App,
    project: &ProjectRow,
    names: &BTreeSet<String>,
    by: By<'_>,
) -> Result<(), Failed> {
    let mut ids: Vec<i64> =
        names.iter().filter_map(|name| Some(app.catalogue.job(project.id, name)?.id)).collect();
    ids.sort_unstable();
    let held: Vec<i64> = app
        .store
        .syncs(&ids)
        .await?
        .into_iter()
        .filter(|row| row.state == SyncState::Held)
        .map(|row| row.job)
        .collect();
    ids.retain(|id| !held.contains(id));
    write_by(app, project, &ids, by).await.map(drop)
}

/// Looks at what holds a few jobs.
async fn look_at_holds(
    app: &App,
    project: &ProjectRow,
    names: &BTreeSet<String>,
    term: &Term,
) -> Result<(), Failed> {
    let jobs: Vec<_> = names.iter().filter_map(|name| app.catalogue.job(project.id, name)).collect();
    ops::sweep(app, project, &jobs, Some(term)).await.map(drop)
}

enum Noticed {
    /// It is time for all, or anything may have changed.
    Everything,
    /// These may have changed.
    Jobs(BTreeSet<String>),
}

/// Whether a node is of a job's settings, or holds it.
fn concerns(key: &Key) -> bool {
    matches!(
        key,
        Key::Job | Key::Config | Key::Paused | Key::Server(_) | Key::SmoothStop(_) | Key::Disabled(_)
    )
}

/// Waits for a hint that concerns settings or holds, and then for those that come with it.
async fn gather(hints: &mut Option<mpsc::UnboundedReceiver<Hint>>, keys: &Keys, until: Instant) -> Noticed {
    let mut names = BTreeSet::new();
    let mut deadline = until;
    loop {
        let Some(receiver) = hints else {
            tokio::time::sleep_until(until).await;
            return Noticed::Everything;
        };
        match timeout_at(deadline, receiver.recv()).await {
            Err(_) if names.is_empty() => return Noticed::Everything,
            Err(_) => return Noticed::Jobs(names),
            Ok(Some(Hint::Everything)) => return Noticed::Everything,
            Ok(None) => {
                *hints = None;
                return Noticed::Everything;
            }
            Ok(Some(Hint::Path(path))) => {
                let Some((job, _)) = keys.parse(&path).filter(|(_, key)| concerns(key)) else { continue };
                if names.insert(job.to_owned()) && names.len() == 1 {
                    deadline = until.min(Instant::now() + AFTER_HINT);
                }
            }
        }
    }
}
