//! What operators do to elastic jobs: trigger, pause, disable, drain, shut down, remove, edit, say from where a held item goes on.
//!
//! Each operation is one of Elastic-Job's console operations with exactly its effects on the registry, so that Java and
//! Clockwright instances obey alike, or one of ours that Java instances do not see (`paused`).
//!
//! # How an operation becomes certain
//! Every write states what it expects: the version it read, or that the node is absent. A conflict means that somebody was
//! faster; the node is read again and the question asked anew, at most [`ATTEMPTS`] times. When the answer to a write gets
//! lost, it is read back, and if it is not there the *same* conditional write is sent again: at most one of the two can succeed.
//!
//! # How a whole operation is refused
//! Whoever may write only as long as something else is as it was gives a **fence** ([`Admin::fenced`]): an operation that is put in front of
//! each commit. When it does not hold any more nothing is written, and nothing is asked anew: [`AdminError::Fenced`].
//!
//! # How it is obeyed at once
//! Hints tell instances what was changed, and hints may get lost. So whatever stops items from firing (pausing a job, keeping it off a
//! server, disabling an item) also sets the plan's epoch in the same commit. Every claim checks the epoch that its owner read together
//! with these nodes: a claim by an instance that has not seen the change is refused, and its owner reads anew. What was claimed before,
//! runs on.
//!
//! # How a trigger fires once
//! One commit makes `requests/{id}` and asks all instances, so a second trigger with the same id finds the first, whoever sends it and
//! whatever answer got lost. Its transaction is the id of the fire that all items share. An instance node is only ever set with a
//! version, never created, so that no trigger can leave an instance node behind that no session stands for. In the layout of 3.x a
//! trigger is a node of its own; what is left of one when its instance dies first, our leader deletes.

mod error;
mod held;
mod hold;
mod remove;
mod trigger;
mod write;

pub use error::{AdminError, Serving};
pub use held::From;
pub use hold::Hold;
pub use trigger::{Answer, Asked, AskedInstance, AskedItem, Triggered};

use crate::config;
use crate::keys::{Key, Keys};
use crate::layout::Layout;
use crate::leases::Leases;
use crate::pause::PauseNote;
use crate::view::{self, Look};
use bytes::Bytes;
use clockwright_model::{InstanceId, Item, JobName, JobSettings, Millis, SettingsError, nearest};
use clockwright_registry::{Error, Node, Op, Path, Registry};
use clockwright_settings::table::Setting;
use clockwright_settings::value::Value;
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use write::{Want, Written};

/// How often an operation asks again after somebody else was faster.
const ATTEMPTS: usize = 10;

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
    actor: &'a str,
    fence: Option<&'a Op>,
    trace: Option<&'a str>,
}

impl<'a> Admin<'a> {
    /// Operations on this namespace, through this session, by nobody in particular.
    #[must_use]
    pub fn new(registry: &'a dyn Registry, keys: &'a Keys) -> Self {
        Self { registry, keys, actor: "", fence: None, trace: None }
    }

    /// Says who operates, for those who wonder later.
    #[must_use]
    pub fn by(self, actor: &'a str) -> Self {
        Self { actor, ..self }
    }

    /// Says which trace a trigger belongs to, as `traceparent` has it: its mark keeps it.
    #[must_use]
    pub fn within(self, trace: Option<&'a str>) -> Self {
        Self { trace, ..self }
    }

    /// Puts this operation in front of each commit. It is about a node that no operation changes.
    #[must_use]
    pub fn fenced(self, fence: &'a Op) -> Self {
        Self { fence: Some(fence), ..self }
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
        for server in servers.into_iter().filter(|server| ip.is_none_or(|ip| ip == server)) {
            done.count(self.keep_off(&job, server, disabled).await?);
        }
        Ok(done)
    }

    /// Disables or enables a server for every job that knows it.
    ///
    /// # Errors
    /// No job knows the server, or the registry did not answer.
    pub async fn set_server_disabled(&self, ip: &str, disabled: bool) -> Result<Done, AdminError> {
        let mut done = Done::default();
        let jobs = self.job_names().await?;
        let parents: Vec<Path> = jobs.iter().map(|job| self.keys.of(job, &Key::Servers)).collect();
        let servers = self.registry.lists(&parents).await?;
        for (job, servers) in jobs.iter().zip(&servers) {
            if servers.iter().any(|server| server == ip) {
                done.count(self.keep_off(job, ip.to_owned(), disabled).await?);
            }
        }
        let known: Vec<String> = servers.into_iter().flatten().collect();
        require_server(self.keys.root().as_str(), ip, &known)?;
        Ok(done)
    }

    async fn keep_off(&self, job: &JobName, ip: String, disabled: bool) -> Result<Written, AdminError> {
        let data = self.layout(job).await?.server(disabled).as_bytes();
        self.change(job, &Key::Server(ip), Want::Says(data)).await
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
        self.hold(&job, &Hold::Item { item, disabled }).await
    }

    /// Pauses a job: Clockwright instances claim nothing from now on, and record its due instants as skipped until it is resumed. Runs
    /// that go on, go on. A job that is paused already keeps its note.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn pause(&self, job: &str, reason: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let (by, reason) = (self.actor.to_owned(), reason.to_owned());
        let note = PauseNote { at: now(), by, reason, ..PauseNote::default() };
        let data = serde_json::to_vec(&note).expect("a note has only texts and numbers");
        let mut done = Done::default();
        done.count(self.change(&job, &Key::Paused, Want::There(&data)).await?);
        Ok(done)
    }

    /// Resumes a paused job.
    ///
    /// # Errors
    /// There is no such job, or the registry did not answer.
    pub async fn resume(&self, job: &str) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let mut done = Done::default();
        done.count(self.change(&job, &Key::Paused, Want::Absent).await?);
        Ok(done)
    }

    /// Pauses a job and waits until none of its items runs.
    ///
    /// # Errors
    /// There is no such job, the registry did not answer, or items still run when `longest` has passed; the job then stays
    /// paused.
    pub async fn drain(&self, job: &str, reason: &str, longest: Duration) -> Result<Done, AdminError> {
        let started = Instant::now();
        let done = self.pause(job, reason).await?;
        let name = view::find(self.registry, self.keys, job).await?;
        let mut hints = self.registry.watch(&self.keys.job(&name)).await?;
        loop {
            let items = self.running(job).await?;
            if items.is_empty() {
                // Nothing was claimed after the pause: it changed the epoch that every claim checks.
                return Ok(done);
            }
            if started.elapsed() >= longest {
                return Err(AdminError::StillRunning { job: name, waited: longest, items });
            }
            // A hint that got lost costs one period, never the operation.
            tokio::select! {
                hint = hints.recv() => if hint.is_none() { return Err(Error::SessionLost.into()) },
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// The items that run, ascending.
    async fn running(&self, job: &str) -> Result<Vec<Item>, AdminError> {
        let (_, mirror) = view::read(self.registry, self.keys, job).await?;
        let leases = Leases::read(self.registry, self.keys).await?;
        let look = Look::new(&mirror, &leases);
        let items = (0..).zip(&mirror.items).filter(|(_, nodes)| look.is_running(nodes));
        Ok(items.map(|(item, _)| item).collect())
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
        let parents: Vec<Path> = jobs.iter().map(|job| self.keys.of(job, &Key::Instances)).collect();
        let instances = self.registry.lists(&parents).await?;
        let mut done = Done::default();
        for (job, ids) in jobs.iter().zip(instances) {
            for id in ids.iter().map(|id| InstanceId::from_wire(id)) {
                if target.is_none_or(|target| target == id.as_str() || target == id.ip()) {
                    done.count(self.change(job, &Key::Instance(id), Want::Absent).await?);
                }
            }
        }
        Ok(done)
    }

    /// Sets single settings of a job in the registry, in the order of the table. Instances follow without a restart. `unchanged` is 1
    /// when they were so already. With `if_version`, only settings of that version are changed: those that a picture showed
    /// ([`JobView::settings_version`](view::JobView::settings_version)).
    ///
    /// # Errors
    /// As [`update`](Self::update); or a value breaks a limit, does not fit the job, or is one that the job's layout cannot hold.
    pub async fn set(
        &self,
        job: &str,
        if_version: Option<i32>,
        values: &[(&'static Setting, Value)],
    ) -> Result<Done, AdminError> {
        let edit = |layout: Layout, settings: &mut JobSettings| {
            for (setting, value) in values {
                let set = setting.set(settings, value.clone());
                set.map_err(|message| SettingsError::new(setting.key, message))?;
            }
            let keys = values.iter().map(|(setting, _)| setting.key);
            layout.holds(settings, keys)
        };
        self.edit(job, if_version, edit).await
    }

    /// Edits a job's settings in the registry, as far as the job's layout can hold them: see [`set`](Self::set).
    ///
    /// # Errors
    /// There is no such job, its settings were unusable or would be after the edit, they are of another version, or the registry did not
    /// answer.
    pub async fn update(
        &self,
        job: &str,
        if_version: Option<i32>,
        edit: impl Fn(&mut JobSettings),
    ) -> Result<Done, AdminError> {
        let edit = |_: Layout, settings: &mut JobSettings| {
            edit(settings);
            Ok(())
        };
        self.edit(job, if_version, edit).await
    }

    async fn edit(
        &self,
        job: &str,
        if_version: Option<i32>,
        edit: impl Fn(Layout, &mut JobSettings) -> Result<(), SettingsError>,
    ) -> Result<Done, AdminError> {
        let job = view::find(self.registry, self.keys, job).await?;
        let path = self.keys.of(&job, &Key::Config);
        for _ in 0..ATTEMPTS {
            let (before, node, root) = self.settings(&job).await?;
            if let Some(expected) = if_version.filter(|expected| *expected != node.stat.version) {
                return Err(AdminError::Changed { job, expected, found: node.stat.version });
            }
            let layout = Layout::of(&node.data).unwrap_or_default();
            let mut after = before.clone();
            let usable = edit(layout, &mut after)
                .and_then(|()| layout.check(&after))
                .and_then(|()| config::usable(&after, &job).map(drop));
            usable.map_err(|error| AdminError::Settings { job: job.clone(), error })?;
            if after == before {
                return Ok(Done { changed: 0, unchanged: 1 });
            }
            let text = layout.rewrite(&node.data, &root, &after);
            if self.set_node(&path, text.as_bytes(), node.stat.version).await? {
                return Ok(Done { changed: 1, unchanged: 0 });
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
}

/// How often a drain looks when no hint comes.
const PERIOD: Duration = Duration::from_millis(500);

/// Epoch milliseconds.
fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

fn require_server(place: &str, ip: &str, servers: &[String]) -> Result<(), AdminError> {
    if servers.iter().any(|server| server == ip) {
        return Ok(());
    }
    let nearest = nearest(ip, servers.iter().map(String::as_str)).map(ToOwned::to_owned);
    Err(AdminError::NoSuchServer { place: place.to_owned(), ip: ip.to_owned(), nearest })
}

#[cfg(test)]
mod tests;
