//! What operators do to elastic jobs: trigger, pause, disable, drain, shut down, remove, edit.
//!
//! Each operation is one of Elastic-Job's console operations with exactly its effects on the registry, so that Java and
//! Clockwright instances obey alike, or one of ours that Java instances do not see (`paused`).
//!
//! # How an operation becomes certain
//! Every write states what it expects: the version it read, or that the node is absent. A conflict means that somebody was
//! faster; the node is read again and the question asked anew, at most [`ATTEMPTS`] times. When the answer to a write gets
//! lost, the *same* conditional write is sent again: at most one of the two can succeed, so a conflict then means that the
//! first one did. In particular a lost answer never triggers a job twice.
//!
//! An instance node is only ever set with a version, never created, so that no trigger can leave an instance node behind that
//! no session stands for. In the layout of 3.x a trigger is a node of its own; what is left of one when its instance dies first, our
//! leader deletes.

mod write;

use crate::config;
use crate::keys::{Key, Keys};
use crate::layout::Layout;
use crate::pause::PauseNote;
use crate::view::{self, ItemView, ViewError};
use bytes::Bytes;
use clockwright_model::{InstanceId, Item, JobName, JobSettings, SettingsError, nearest};
use clockwright_registry::{Error, Node, Op, Path, Registry};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use write::Written;

/// How often an operation asks again after somebody else was faster.
const ATTEMPTS: usize = 10;

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// The job does not exist, or the registry did not answer.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The job has no such item.
    #[error("job `{job}` has no item {item}; its items are 0 to {}", .count.saturating_sub(1))]
    NoSuchItem {
        /// The job.
        job: JobName,
        /// What was asked for.
        item: Item,
        /// How many it has.
        count: u32,
    },
    /// No such server.
    #[error("{place} has no server `{ip}`{}", .nearest.as_ref().map_or(String::new(), |ip| format!("; did you mean `{ip}`?")))]
    NoSuchServer {
        /// The job or the namespace.
        place: String,
        /// What was asked for.
        ip: String,
        /// The one that comes nearest, if one comes near.
        nearest: Option<String>,
    },
    /// The job's `config` cannot be used.
    #[error("the settings of job `{job}` cannot be used: {error}")]
    Settings {
        /// The job.
        job: JobName,
        /// What is wrong.
        error: SettingsError,
    },
    /// Instances of the job are still there.
    #[error("job `{job}` still has {instances} instance(s), which would make it again; stop them first")]
    StillServed {
        /// The job.
        job: JobName,
        /// How many.
        instances: usize,
    },
    /// The time was up.
    #[error("after {waited_seconds} s, item(s) {items} of job `{job}` still run; the job stays paused")]
    StillRunning {
        /// The job.
        job: JobName,
        /// How long was waited.
        waited_seconds: u64,
        /// Which, separated by commas.
        items: String,
    },
    /// Others kept changing the same node.
    #[error("gave up on {0} after {ATTEMPTS} attempts: others keep changing it")]
    Contended(Path),
}

impl From<Error> for AdminError {
    fn from(error: Error) -> Self {
        AdminError::View(ViewError::Registry(error))
    }
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Done {
    /// How many nodes it changed.
    pub changed: usize,
    /// How many were already as asked.
    pub unchanged: usize,
}

impl Done {
    fn count(&mut self, written: Written) {
        match written {
            Written::Changed => self.changed += 1,
            Written::AsAsked => self.unchanged += 1,
            Written::Gone => {}
        }
    }
}

/// The operations of one namespace.
#[derive(Clone, Copy)]
pub struct Admin<'a> {
    registry: &'a dyn Registry,
    keys: &'a Keys,
}

impl<'a> Admin<'a> {
    /// Operations on this namespace, through this session.
    #[must_use]
    pub fn new(registry: &'a dyn Registry, keys: &'a Keys) -> Self {
        Self { registry, keys }
    }

    /// Asks every instance of a job to fire now. `changed` counts the instances that were asked; one that was asked before and
    /// has not begun yet is `unchanged`. An idle instance begins at once, a busy one answers as it sees fit.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn trigger(&self, job: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let mut done = Done::default();
        let layout = self.layout(&job).await?;
        let ids = self.instances(&job).await?;
        if layout == Layout::V3 && !ids.is_empty() {
            self.create(&self.keys.of(&job, &Key::Triggers), b"").await?;
        }
        for id in ids {
            done.count(match layout {
                Layout::V2 => self.set(&self.keys.of(&job, &Key::Instance(id)), b"TRIGGER").await?,
                Layout::V3 => self.create(&self.keys.of(&job, &Key::Trigger(id)), b"").await?,
            });
        }
        Ok(done)
    }

    /// Disables or enables a job on one of its servers, or on all of them. The leader then reshards.
    ///
    /// # Errors
    /// There is no such job or server, or the registry did not answer.
    pub async fn set_job_disabled(
        &self,
        job: &str,
        ip: Option<&str>,
        disabled: bool,
    ) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let servers = self.registry.list(&self.keys.of(&job, &Key::Servers)).await?;
        if let Some(ip) = ip {
            require_server(&format!("job `{job}`"), ip, &servers)?;
        }
        let mut done = Done::default();
        let data = self.layout(&job).await?.server(disabled).as_bytes();
        for server in servers.into_iter().filter(|server| ip.is_none_or(|ip| ip == server)) {
            done.count(self.set(&self.keys.of(&job, &Key::Server(server)), data).await?);
        }
        Ok(done)
    }

    /// Disables or enables a server for every job that knows it.
    ///
    /// # Errors
    /// No job knows the server, or the registry did not answer.
    pub async fn set_server_disabled(&self, ip: &str, disabled: bool) -> Result<Done, AdminError> {
        let mut done = Done::default();
        let mut known = Vec::new();
        for job in self.job_names().await? {
            let servers = self.registry.list(&self.keys.of(&job, &Key::Servers)).await?;
            if servers.iter().any(|server| server == ip) {
                let data = self.layout(&job).await?.server(disabled).as_bytes();
                done.count(self.set(&self.keys.of(&job, &Key::Server(ip.to_owned())), data).await?);
            }
            known.extend(servers);
        }
        require_server(self.keys.root().as_str(), ip, &known)?;
        Ok(done)
    }

    /// Disables or enables one item. Nothing is resharded: its owner leaves it out.
    ///
    /// # Errors
    /// There is no such job or item, or the registry did not answer.
    pub async fn set_item_disabled(&self, job: &str, item: Item, disabled: bool) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let count = self.settings(&job).await?.0.sharding_total_count;
        if item >= count {
            return Err(AdminError::NoSuchItem { job, item, count });
        }
        let mut done = Done::default();
        let path = self.keys.of(&job, &Key::Disabled(item));
        if disabled {
            self.create(&self.keys.of(&job, &Key::Items), b"").await?;
            self.create(&self.keys.of(&job, &Key::Item(item)), b"").await?;
            done.count(self.create(&path, b"").await?);
        } else {
            done.count(self.delete(&path).await?);
        }
        Ok(done)
    }

    /// Pauses a job: Clockwright instances record its due instants as skipped until it is resumed. Runs that go on, go on.
    /// A job that is paused already keeps its note.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn pause(&self, job: &str, note: &PauseNote) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let data = serde_json::to_vec(note).expect("a note has only texts and a number");
        let mut done = Done::default();
        done.count(self.create(&self.keys.of(&job, &Key::Paused), &data).await?);
        Ok(done)
    }

    /// Resumes a paused job.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn resume(&self, job: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let mut done = Done::default();
        done.count(self.delete(&self.keys.of(&job, &Key::Paused)).await?);
        Ok(done)
    }

    /// Pauses a job and waits until none of its items runs.
    ///
    /// # Errors
    /// There is no such job, the registry did not answer, or items still run when `longest` has passed; the job then stays
    /// paused.
    pub async fn drain(&self, job: &str, note: &PauseNote, longest: Duration) -> Result<Done, AdminError> {
        let started = Instant::now();
        let done = self.pause(job, note).await?;
        let job = view::find(self.registry, self.keys, job).await?;
        let mut hints = self.registry.watch(&self.keys.job(&job)).await?;
        let mut quiet_since = None;
        loop {
            let items = view::job(self.registry, self.keys, job.as_str(), 0).await?.items;
            let running: Vec<String> = items
                .iter()
                .filter(|item| item.running)
                .map(|item: &ItemView| item.item.to_string())
                .collect();
            if running.is_empty() {
                // An instance may have begun a run just before it saw the pause; a second look finds it.
                if quiet_since.get_or_insert_with(Instant::now).elapsed() >= SETTLE {
                    return Ok(done);
                }
            } else {
                quiet_since = None;
                if started.elapsed() >= longest {
                    return Err(AdminError::StillRunning {
                        job,
                        waited_seconds: longest.as_secs(),
                        items: running.join(","),
                    });
                }
            }
            // A hint that got lost costs one period, never the operation.
            tokio::select! {
                hint = hints.recv(), if quiet_since.is_none() => {
                    if hint.is_none() {
                        return Err(Error::SessionLost.into());
                    }
                }
                () = tokio::time::sleep(SETTLE) => {}
            }
        }
    }

    /// Tells instances to stop serving: deletes their nodes, which is Elastic-Job's shutdown command. Their processes go on.
    /// `job` and `target` narrow it down; a target is an instance id or the address of a server.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn shutdown(&self, job: Option<&str>, target: Option<&str>) -> Result<Done, AdminError> {
        let jobs = match job {
            Some(job) => vec![view::find(self.registry, self.keys, job).await?],
            None => self.job_names().await?,
        };
        let mut done = Done::default();
        for job in jobs {
            for id in self.instances(&job).await? {
                if target.is_none_or(|target| target == id.as_str() || target == id.ip()) {
                    done.count(self.delete(&self.keys.of(&job, &Key::Instance(id))).await?);
                }
            }
        }
        Ok(done)
    }

    /// Removes a job and everything below it, leaves first, in batches that the registry takes. When it is interrupted, the
    /// rest is still a job and can be removed again.
    ///
    /// # Errors
    /// There is no such job, instances still serve it, the registry did not answer, or others keep adding nodes.
    pub async fn remove(&self, job: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let instances = self.instances(&job).await?.len();
        if instances > 0 {
            return Err(AdminError::StillServed { job, instances });
        }
        let root = self.keys.job(&job);
        let mut done = Done::default();
        for _ in 0..ATTEMPTS {
            let mut nodes: Vec<Path> =
                self.registry.tree(&root).await?.into_iter().map(|(path, _)| path).collect();
            if nodes.is_empty() {
                return Ok(done);
            }
            // Parents come before children; `config` goes last but for the root, because a job without it is not found again.
            nodes.reverse();
            let config = self.keys.of(&job, &Key::Config);
            nodes.retain(|path| *path != config && *path != root);
            nodes.extend([config, root.clone()]);
            done.changed += self.delete_all(nodes).await?;
        }
        Err(AdminError::Contended(root))
    }

    /// Edits a job's settings in the registry. Instances follow without a restart. `unchanged` is 1 when the edit changed
    /// nothing.
    ///
    /// # Errors
    /// There is no such job, its settings were unusable or would be after the edit, or the registry did not answer.
    pub async fn update(&self, job: &str, edit: impl Fn(&mut JobSettings)) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let path = self.keys.of(&job, &Key::Config);
        for _ in 0..ATTEMPTS {
            let (before, node, root) = self.settings(&job).await?;
            let layout = Layout::of(&node.data).unwrap_or_default();
            let mut after = before.clone();
            edit(&mut after);
            let usable = layout.check(&after).and_then(|()| config::usable(&after, &job).map(drop));
            usable.map_err(|error| AdminError::Settings { job: job.clone(), error })?;
            if after == before {
                return Ok(Done { changed: 0, unchanged: 1 });
            }
            let text = layout.rewrite(&node.data, &root, &after);
            match self.set_version(&path, text.as_bytes(), node.stat.version).await? {
                Some(_) => return Ok(Done { changed: 1, unchanged: 0 }),
                None => continue,
            }
        }
        Err(AdminError::Contended(path))
    }

    /// The settings, the config node, and what the job's root node says.
    async fn settings(&self, job: &JobName) -> Result<(JobSettings, Node, Bytes), AdminError> {
        let paths = [self.keys.of(job, &Key::Config), self.keys.job(job)];
        let mut nodes = self.registry.read(&paths).await?.into_iter();
        let Some(node) = nodes.next().flatten() else {
            return Err(view::no_such_job(self.registry, self.keys, job.as_str()).await.into());
        };
        let root = nodes.next().flatten().map(|root| root.data).unwrap_or_default();
        let settings = Layout::of(&node.data)
            .unwrap_or_default()
            .read(&node.data, &root, None)
            .map_err(|error| AdminError::Settings { job: job.clone(), error })?;
        Ok((settings, node, root))
    }

    async fn layout(&self, job: &JobName) -> Result<Layout, AdminError> {
        let config = self.read(&self.keys.of(job, &Key::Config)).await?;
        Ok(config.and_then(|node| Layout::of(&node.data)).unwrap_or_default())
    }

    async fn job_names(&self) -> Result<Vec<JobName>, AdminError> {
        let names = self.registry.list(self.keys.root()).await?;
        let names: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
        let paths: Vec<Path> = names.iter().map(|job| self.keys.of(job, &Key::Config)).collect();
        let configs = self.registry.read(&paths).await?;
        Ok(names.into_iter().zip(configs).filter_map(|(job, config)| config.map(|_| job)).collect())
    }

    /// The live instances of a job; a node that no session stands for is not one.
    async fn instances(&self, job: &JobName) -> Result<Vec<InstanceId>, AdminError> {
        let ids = self.registry.list(&self.keys.of(job, &Key::Instances)).await?;
        let ids: Vec<InstanceId> = ids.iter().map(|id| InstanceId::from_wire(id)).collect();
        let paths: Vec<Path> = ids.iter().map(|id| self.keys.of(job, &Key::Instance(id.clone()))).collect();
        let nodes = self.registry.read(&paths).await?;
        let live = |node: Option<Node>| node.is_some_and(|node| node.stat.owner != 0);
        Ok(ids.into_iter().zip(nodes).filter_map(|(id, node)| live(node).then_some(id)).collect())
    }
}

/// How long a drained job must stay quiet, and how often a drain looks when no hint comes.
const SETTLE: Duration = Duration::from_millis(500);

fn require_server(place: &str, ip: &str, servers: &[String]) -> Result<(), AdminError> {
    if servers.iter().any(|server| server == ip) {
        return Ok(());
    }
    let nearest = nearest(ip, servers.iter().map(String::as_str)).map(ToOwned::to_owned);
    Err(AdminError::NoSuchServer { place: place.to_owned(), ip: ip.to_owned(), nearest })
}

/// Deletes that go into one commit with the others, as far as the registry's limits allow.
fn batches(paths: Vec<Path>, max_ops: usize, max_bytes: usize) -> Vec<Vec<Op>> {
    let mut batches: Vec<Vec<Op>> = Vec::new();
    let mut bytes = 0;
    for op in paths.into_iter().map(Op::delete) {
        let weight = op.weight();
        match batches.last_mut() {
            Some(batch) if batch.len() < max_ops && bytes + weight <= max_bytes => {
                bytes += weight;
                batch.push(op);
            }
            _ => {
                bytes = weight;
                batches.push(vec![op]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests;
