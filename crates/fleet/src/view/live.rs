//! A namespace as it goes on: every job's mirror, read once and then fed by hints.
//!
//! # How it stays true
//! The watches are made before the first reading, so nothing that changes after it goes unnoticed. A hint says only which node to read
//! again; what is read is what is believed. Hints are gathered until somebody asks ([`Live::refresh`]), and all of them cost one batch
//! of reads, however many jobs changed. A registry that may have lost hints says so, and everything is read anew.
//!
//! # What it leaves out
//! Cursors, epochs, latches and the marks of listeners change with each fire or plan, and lists show none of them. Their hints are
//! ignored. Whoever looks at one job reads its subtree ([`super::job`]).

use super::{JobBrief, brief};
use crate::keys::{Key, Keys};
use crate::leases::Leases;
use crate::mirror::Mirror;
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Error, Hint, Path, Registry, SharedRegistry};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc::UnboundedReceiver;

/// Every job of a namespace, kept up to date by hints.
pub struct Live {
    registry: SharedRegistry,
    keys: Keys,
    jobs: BTreeMap<JobName, Mirror>,
    leases: Leases,
    hints: [UnboundedReceiver<Hint>; 2],
    stale: Stale,
}

/// What is to be read again.
#[derive(Default)]
struct Stale {
    everything: bool,
    paths: BTreeSet<Path>,
}

impl Live {
    /// Watches a namespace and reads it.
    ///
    /// # Errors
    /// The registry did not answer.
    pub async fn open(registry: SharedRegistry, keys: Keys) -> Result<Self, Error> {
        let hints = [registry.watch(keys.root()).await?, registry.watch(&keys.leases()).await?];
        let stale = Stale { everything: true, paths: BTreeSet::new() };
        let mut live =
            Self { registry, keys, jobs: BTreeMap::new(), leases: Leases::default(), hints, stale };
        live.refresh().await?;
        Ok(live)
    }

    /// A line about every job, by name. A child of the namespace without a `config` is no job.
    pub fn jobs(&self) -> impl Iterator<Item = JobBrief> {
        let jobs = self.jobs.iter().filter(|(_, mirror)| mirror.config.is_some());
        jobs.map(|(job, mirror)| brief(job, mirror))
    }

    /// What is known about one job, without cursors.
    #[must_use]
    pub fn mirror(&self, job: &JobName) -> Option<&Mirror> {
        self.jobs.get(job).filter(|mirror| mirror.config.is_some())
    }

    /// The processes that are there.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Waits until something that a list shows may have changed. [`refresh`](Self::refresh) then reads it.
    ///
    /// # Errors
    /// The session is over: open another one.
    pub async fn changed(&mut self) -> Result<(), Error> {
        while self.stale.is_empty() {
            let [jobs, leases] = &mut self.hints;
            let hint = tokio::select! {
                hint = jobs.recv() => hint,
                hint = leases.recv() => hint,
            };
            self.stale.add(&self.keys, hint.ok_or(Error::SessionLost)?);
        }
        Ok(())
    }

    /// Reads what changed since the last time; the names of the jobs that look different now. Costs nothing when nothing changed.
    ///
    /// # Errors
    /// The registry did not answer; what was to be read will be read the next time.
    pub async fn refresh(&mut self) -> Result<Vec<JobName>, Error> {
        for hints in &mut self.hints {
            while let Ok(hint) = hints.try_recv() {
                self.stale.add(&self.keys, hint);
            }
        }
        if self.stale.everything {
            let leases = Leases::read(&*self.registry, &self.keys).await?;
            let jobs = read_all(&*self.registry, &self.keys, Detail::List).await?;
            let names: BTreeSet<&JobName> = jobs.keys().chain(self.jobs.keys()).collect();
            let names = names.into_iter().cloned().collect();
            (self.leases, self.jobs, self.stale) = (leases, jobs, Stale::default());
            return Ok(names);
        }
        let paths: Vec<Path> = self.stale.paths.iter().cloned().collect();
        let nodes = self.registry.read(&paths).await?;
        self.stale.paths.clear();
        let mut changed = BTreeSet::new();
        for (path, node) in paths.iter().zip(nodes) {
            self.leases.put(&self.keys, path, node.as_ref());
            let Some((name, key)) = self.keys.parse(path) else { continue };
            let Ok(job) = JobName::new(name) else { continue };
            self.jobs.entry(job.clone()).or_default().put(&key, node.as_ref());
            if key == Key::Job && node.is_none() {
                self.jobs.remove(&job);
            }
            changed.insert(job);
        }
        Ok(changed.into_iter().collect())
    }
}

impl Stale {
    fn is_empty(&self) -> bool {
        !self.everything && self.paths.is_empty()
    }

    fn add(&mut self, keys: &Keys, hint: Hint) {
        match hint {
            Hint::Everything => self.everything = true,
            Hint::Path(path) => {
                let shown = match keys.parse(&path) {
                    Some((_, key)) => is_shown(&key),
                    None => path.below(&keys.leases()).is_some(),
                };
                if shown {
                    self.paths.insert(path);
                }
            }
        }
    }
}

/// Whether a list shows what a node says.
fn is_shown(key: &Key) -> bool {
    matches!(
        key,
        Key::Job
            | Key::Config
            | Key::Paused
            | Key::Server(_)
            | Key::Instance(_)
            | Key::Trigger(_)
            | Key::ElectionInstance
            | Key::Necessary
            | Key::Processing
            | Key::FailoverItem(_)
            | Key::Item(_)
            | Key::Owner(_)
            | Key::Running(_)
            | Key::Disabled(_)
            | Key::Taken(_)
            | Key::Failovering(_)
    )
}

/// How much of each job is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What the line about it needs.
    Brief,
    /// All that a list shows.
    List,
}

/// Every job of a namespace, as far as the line about it needs: three rounds, however many jobs there are.
///
/// # Errors
/// The registry did not answer.
pub(super) async fn read_briefly(
    registry: &dyn Registry,
    keys: &Keys,
) -> Result<BTreeMap<JobName, Mirror>, Error> {
    read_all(registry, keys, Detail::Brief).await
}

async fn read_all(
    registry: &dyn Registry,
    keys: &Keys,
    detail: Detail,
) -> Result<BTreeMap<JobName, Mirror>, Error> {
    let names = registry.list(keys.root()).await?;
    let jobs: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
    let parents: &[Key] = match detail {
        Detail::Brief => &[Key::Instances, Key::Servers, Key::Items],
        Detail::List => &[Key::Instances, Key::Servers, Key::Items, Key::Triggers, Key::FailoverItems],
    };
    let listed: Vec<Path> =
        jobs.iter().flat_map(|job| parents.iter().map(|parent| keys.of(job, parent))).collect();
    let children = registry.lists(&listed).await?;
    let mut paths = Vec::new();
    for (job, children) in jobs.iter().zip(children.chunks(parents.len())) {
        let mut wanted = vec![Key::Job, Key::Config, Key::Paused];
        if detail == Detail::List {
            wanted.extend([Key::ElectionInstance, Key::Necessary, Key::Processing]);
        }
        for (parent, names) in parents.iter().zip(children) {
            wanted.extend(names.iter().flat_map(|name| below(parent, name, detail)));
        }
        paths.extend(wanted.iter().map(|key| keys.of(job, key)));
    }
    let nodes = registry.read(&paths).await?;
    let mut mirrors: BTreeMap<JobName, Mirror> = BTreeMap::new();
    for (path, node) in paths.iter().zip(&nodes) {
        let Some((name, key)) = keys.parse(path) else { continue };
        if let (Ok(job), Some(node)) = (JobName::new(name), node) {
            mirrors.entry(job).or_default().put(&key, Some(node));
        }
    }
    if detail == Detail::Brief {
        mirrors.retain(|_, mirror| mirror.config.is_some());
    }
    Ok(mirrors)
}

/// What is read of one child.
fn below(parent: &Key, name: &str, detail: Detail) -> Vec<Key> {
    match (parent, name.parse()) {
        (Key::Instances, _) => vec![Key::Instance(InstanceId::from_wire(name))],
        (Key::Triggers, _) => vec![Key::Trigger(InstanceId::from_wire(name))],
        (Key::Servers, _) => vec![Key::Server(name.to_owned())],
        (Key::FailoverItems, Ok(item)) => vec![Key::FailoverItem(item)],
        (Key::Items, Ok(item)) if detail == Detail::Brief => vec![Key::Owner(item)],
        (Key::Items, Ok(item)) => {
            [Key::Item, Key::Owner, Key::Running, Key::Disabled, Key::Taken, Key::Failovering]
                .map(|key| key(item))
                .into()
        }
        _ => Vec::new(),
    }
}
