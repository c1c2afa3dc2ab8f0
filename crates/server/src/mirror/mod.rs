//! The mirror: the live state of all jobs in memory, one mirror a project, fed by one recursive watch on its namespace.
//!
//! [`load`](mod@load) reads a namespace, [`follow`] decides what is read next, [`age`] proves how old it is, [`row`] is what is kept of a job, and
//! [`session`](mod@session) carries it all out. Lists are answered from here; nothing is ever decided by it: whoever acts states what it expects of the
//! nodes themselves.

pub mod age;
pub mod follow;
pub mod load;
pub mod row;
pub mod session;

use crate::app::App;
use clockwright_fleet::keys::{Key, Keys};
use clockwright_fleet::leases::Leases;
use clockwright_model::{JobName, Millis};
use clockwright_registry::{Node, Path};
use row::{Names, Number, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

/// How long until a registry that is away is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long changes of projects are gathered.
const GATHER: Duration = Duration::from_millis(50);
/// How many changes may wait for whoever listens; who is slower is told that there were more.
const WAITING: usize = 4_096;

/// The mirrors of all projects.
#[derive(Debug)]
pub struct Mirrors {
    each: RwLock<BTreeMap<i64, Arc<Mirror>>>,
    changed: broadcast::Sender<Moved>,
    traffic: Arc<Traffic>,
}

/// What came from registries.
#[derive(Debug, Default)]
struct Traffic {
    hints: AtomicU64,
    reads: AtomicU64,
}

/// These jobs of a project look different now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The project.
    pub project: i64,
    /// The jobs.
    pub jobs: Arc<[JobName]>,
}

/// The mirror of one project.
#[derive(Debug)]
pub struct Mirror {
    project: i64,
    inner: RwLock<Picture>,
    changed: broadcast::Sender<Moved>,
    traffic: Arc<Traffic>,
}

/// What is known of a namespace.
#[derive(Debug, Default)]
pub struct Picture {
    /// Its jobs. A child of the namespace without a config is none. Half of a tree's places are free, so rows stand beside it.
    pub jobs: BTreeMap<JobName, Box<Row>>,
    /// The texts of the numbers in there.
    pub names: Names,
    /// The processes of ours that are there.
    pub leases: Leases,
    /// How far it is.
    pub state: State,
    /// Up to when all changes are seen; `None` before everything was read once.
    pub as_of: Option<Millis>,
    /// Since when each change is hinted at; `None` while some may be missed.
    pub hinted: Option<Millis>,
}

impl Picture {
    /// True for an instance that a process of ours serves.
    #[must_use]
    pub fn is_ours(&self, instance: Number) -> bool {
        self.leases.holds(self.names.text(instance))
    }

    /// True for a job that Elastic-Job's instances serve, alone or beside ours.
    #[must_use]
    pub fn is_javas(&self, row: &Row) -> bool {
        row.members().any(|member| !self.is_ours(member.id))
    }
}

/// How far a mirror is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Everything is read for the first time.
    #[default]
    Loading,
    /// Changes are followed as they happen.
    Following,
    /// There was too much to follow: everything is read.
    CatchingUp,
    /// The registry is away, for this reason; what is known stays.
    Away(String),
}

impl State {
    /// As answers say it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            State::Loading => "loading",
            State::Following => "following",
            State::CatchingUp => "catchingUp",
            State::Away(_) => "away",
        }
    }
}

impl Default for Mirrors {
    fn default() -> Self {
        Self { each: RwLock::default(), changed: broadcast::Sender::new(WAITING), traffic: Arc::default() }
    }
}

impl Mirrors {
    /// The mirror of a project; an empty one that is loading where none was begun yet.
    #[must_use]
    pub fn of(&self, project: i64) -> Arc<Mirror> {
        if let Some(mirror) = self.each.read().unwrap_or_else(PoisonError::into_inner).get(&project) {
            return Arc::clone(mirror);
        }
        let mut each = self.each.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (changed, traffic) = (self.changed.clone(), Arc::clone(&self.traffic));
            Arc::new(Mirror { project, inner: RwLock::default(), changed, traffic })
        };
        Arc::clone(each.entry(project).or_insert_with(new))
    }

    /// What changes from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Moved> {
        self.changed.subscribe()
    }

    /// How many changes were hinted at, and how many nodes were read for it.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        let Traffic { hints, reads } = &*self.traffic;
        (hints.load(Ordering::Relaxed), reads.load(Ordering::Relaxed))
    }

    fn forget(&self, project: i64) {
        self.each.write().unwrap_or_else(PoisonError::into_inner).remove(&project);
    }
}

impl Mirror {
    /// What is known now. Whoever holds it keeps news out: look, and let go.
    pub fn read(&self) -> RwLockReadGuard<'_, Picture> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Picture> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn hinted(&self) {
        self.traffic.hints.fetch_add(1, Ordering::Relaxed);
    }

    /// How far it is now; `hinted`: each change from now on is hinted at.
    fn stand(&self, state: State, as_of: Option<Millis>, hinted: Option<Millis>) {
        let mut picture = self.write();
        picture.hinted =
            hinted.filter(|_| state == State::Following).map(|now| picture.hinted.unwrap_or(now));
        picture.state = state;
        // A session that begins anew knows nothing yet; what the one before proved still holds for what is shown.
        picture.as_of = picture.as_of.max(as_of);
    }

    /// Takes in a group of jobs that was read.
    fn put(&self, jobs: Vec<load::Nodes>) {
        let mut names = Vec::with_capacity(jobs.len());
        let mut picture = self.write();
        for (job, nodes) in jobs {
            let mut row = Row::default();
            for (key, node) in &nodes {
                // A new row has no layout before its config, which comes first.
                row.put(&job, key, Some(node), &mut picture.names);
            }
            if nodes.is_empty() {
                picture.jobs.remove(&job);
            } else {
                if let Some(before) = picture.jobs.get(&job) {
                    row.remember(before);
                }
                picture.jobs.insert(job.clone(), Box::new(row));
            }
            names.push(job);
        }
        drop(picture);
        self.tell(names);
    }

    /// All jobs were read: these are there, and these processes.
    fn whole(&self, leases: Leases, there: &BTreeSet<JobName>, hinted: &BTreeSet<JobName>) {
        let mut picture = self.write();
        let gone: Vec<JobName> = picture
            .jobs
            .keys()
            .filter(|job| !there.contains(*job) && !hinted.contains(*job))
            .cloned()
            .collect();
        for job in &gone {
            picture.jobs.remove(job);
        }
        picture.leases = leases;
        let Picture { jobs, names, .. } = &mut *picture;
        *names = names.swept(jobs.values_mut().map(Box::as_mut));
        drop(picture);
        if !gone.is_empty() {
            self.tell(gone);
        }
    }

    /// Takes in a batch of nodes. False when everything is to be read again.
    fn take_in(&self, keys: &Keys, paths: &[Path], nodes: &[Option<Node>], now: Millis) -> bool {
        self.traffic.reads.fetch_add(paths.len() as u64, Ordering::Relaxed);
        let mut changed = BTreeSet::new();
        let mut holds = true;
        let mut picture = self.write();
        let Picture { jobs, names, leases, .. } = &mut *picture;
        for (path, node) in paths.iter().zip(nodes) {
            let Some((name, key)) = keys.parse(path) else {
                leases.put(keys, path, node.as_ref());
                continue;
            };
            let Ok(job) = JobName::new(name) else { continue };
            if key == Key::Job && node.is_none() {
                jobs.remove(&job);
            } else if node.is_some() || jobs.contains_key(&job) {
                let row = jobs.entry(job.clone()).or_default();
                holds &= row.put(&job, &key, node.as_ref(), names);
                if let (Key::Running(item), None) = (&key, node) {
                    row.ran(*item, now);
                }
            }
            changed.insert(job);
        }
        drop(picture);
        if !changed.is_empty() {
            self.tell(changed.into_iter().collect());
        }
        holds
    }

    fn tell(&self, jobs: Vec<JobName>) {
        // Nobody may be listening.
        let _ = self.changed.send(Moved { project: self.project, jobs: jobs.into() });
    }
}

impl Picture {
    /// A job, if it is one.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Row> {
        self.jobs.get(name).map(Box::as_ref).filter(|row| row.config.is_some())
    }

    /// All jobs.
    pub fn all(&self) -> impl Iterator<Item = (&JobName, &Row)> {
        self.jobs.iter().map(|(job, row)| (job, &**row)).filter(|(_, row)| row.config.is_some())
    }
}

/// Keeps the mirrors of all projects, until it is dropped.
pub async fn watch(app: Arc<App>) {
    let pulse = app.pulses.begin("mirrors");
    let mut tasks = JoinSet::new();
    let mut known = BTreeSet::new();
    loop {
        for project in app.catalogue.projects() {
            if known.insert(project.id) {
                let (app, project) = (Arc::clone(&app), project.id);
                tasks.spawn(async move {
                    one(&app, project).await;
                    app.mirrors.forget(project);
                    project
                });
            }
        }
        let news = async {
            tokio::select! {
                () = app.catalogue.reached(app.catalogue.seq() + 1) => {}
                Some(Ok(project)) = tasks.join_next() => drop(known.remove(&project)),
            }
        };
        pulse.during(news).await;
        tokio::time::sleep(GATHER).await;
    }
}

/// One project, until it ends.
async fn one(app: &App, project: i64) {
    let mirror = app.mirrors.of(project);
    let pulse = app.pulses.begin(format!("mirror of {project}"));
    while let Some(row) = app.catalogue.project_of(project) {
        let why = match pulse.during(crate::sync::registry_of(app, &row)).await {
            Ok((registry, keys)) => {
                let ended = async {
                    // A project that ends takes its mirror with it.
                    while app.catalogue.project_of(project).is_some() {
                        app.catalogue.reached(app.catalogue.seq() + 1).await;
                    }
                };
                let now = || app.now();
                tokio::select! {
                    why = session::follow(&mirror, registry, &keys, &now, &pulse) => why,
                    () = ended => return,
                }
            }
            Err(error) => error.to_string(),
        };
        tracing::debug!(project = row.name, why, "a project's live state is not followed now");
        mirror.stand(State::Away(why), None, None);
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests;
