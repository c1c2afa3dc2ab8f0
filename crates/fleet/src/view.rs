//! A read-only picture of elastic jobs: what operators, consoles and the command line see.
//!
//! Nothing here writes, and nothing here is one snapshot: nodes that change while a picture is taken may be seen before or
//! after. Whoever acts on a picture states a version when it writes (see [`crate::admin`]).

mod dump;

pub use dump::dump;

use crate::config::{v2, v3};
use crate::cursor::Cursor;
use crate::keys::{Key, Keys};
use crate::layout::Layout;
use clockwright_model::{
    Fire, InstanceId, Item, JobName, JobSettings, Millis, Outcome, SettingsError, nearest,
};
use clockwright_planner::Schedule;
use clockwright_registry::{Node, Path, Registry};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Why a picture could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// There is no such job in the namespace.
    #[error("there is no job `{name}` in {namespace}{}", hint(.nearest.as_deref()))]
    NoSuchJob {
        /// The name that was asked for.
        name: String,
        /// The namespace that was searched, as a path.
        namespace: String,
        /// The existing name that comes nearest, if one comes near.
        nearest: Option<String>,
    },
    /// The job's settings in the registry cannot be used.
    #[error("job `{name}` is degraded: {reason}")]
    Degraded {
        /// Its name.
        name: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The registry did not answer.
    #[error(transparent)]
    Registry(#[from] clockwright_registry::Error),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// The state of a job as a whole. Elastic-Job's four words, and two of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Instances are there and own every item.
    Ok,
    /// An operator paused it: nothing fires.
    Paused,
    /// Every server is disabled.
    Disabled,
    /// No instance is there.
    Crashed,
    /// Some item has no owner, or one that is gone; the next firing will reshard.
    ShardingFlag,
    /// Its `config` cannot be used; `reason` says why. It heals when the node is mended.
    Degraded,
}

impl JobStatus {
    /// The word in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Ok => "OK",
            JobStatus::Paused => "PAUSED",
            JobStatus::Disabled => "DISABLED",
            JobStatus::Crashed => "CRASHED",
            JobStatus::ShardingFlag => "SHARDING_FLAG",
            JobStatus::Degraded => "DEGRADED",
        }
    }
}

/// One line about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobBrief {
    /// Its name.
    pub job_name: String,
    /// Its state.
    pub status: JobStatus,
    /// Why it is degraded or paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its description; empty when degraded.
    pub description: String,
    /// When it fires; empty when degraded.
    pub cron: String,
    /// How many instances are there.
    pub instance_count: usize,
    /// How many items it has; 0 when degraded.
    pub sharding_total_count: u32,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// The line about it.
    #[serde(flatten)]
    pub brief: JobBrief,
    /// Whose layout its nodes have: `2.x` or `3.x`.
    pub layout: String,
    /// Its settings as the registry has them, with the keys of its layout; `null` when degraded.
    pub settings: serde_json::Value,
    /// Who paused it, when and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseNote>,
    /// The id of the leader, if there is one.
    pub leader: Option<String>,
    /// The number of the last plan; `None` before the first one by a Clockwright leader.
    pub epoch: Option<i32>,
    /// A reason to reshard is waiting for the leader.
    pub resharding: bool,
    /// When the schedule fires next, epoch milliseconds; `None`: never, or the job is paused or degraded.
    pub next_fire: Option<Millis>,
    /// Its items, ascending.
    pub items: Vec<ItemView>,
    /// Its servers, by address.
    pub servers: Vec<ServerView>,
    /// Its instances, by id.
    pub instances: Vec<InstanceView>,
}

/// The state of an item. Elastic-Job's words, of which the first that applies is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemStatus {
    /// An operator disabled it.
    Disabled,
    /// It runs.
    Running,
    /// Its owner is gone, or it has none.
    ShardingFlag,
    /// It waits for the next fire.
    Pending,
}

impl ItemStatus {
    /// The word in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ItemStatus::Disabled => "DISABLED",
            ItemStatus::Running => "RUNNING",
            ItemStatus::ShardingFlag => "SHARDING_FLAG",
            ItemStatus::Pending => "PENDING",
        }
    }
}

/// Everything about one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemView {
    /// Its number.
    pub item: Item,
    /// The instance that the plan gives it to.
    pub owner: Option<String>,
    /// Its state.
    pub status: ItemStatus,
    /// It runs now.
    pub running: bool,
    /// The instance that took it over from a dead one, while that lasts.
    pub taken_by: Option<String>,
    /// It waits for an instance to take it over.
    pub orphaned: bool,
    /// An instant passed while it ran, and will be made up for.
    pub misfired: bool,
    /// Its last fire or the one that runs, if it ever ran under Clockwright.
    pub last: Option<LastRun>,
    /// When it fires next, epoch milliseconds; `None`: never, or it is disabled, or the job is paused.
    pub next_fire: Option<Millis>,
}

/// The last claim of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The instant it was for, epoch milliseconds.
    pub fire: Millis,
    /// The id of the manual trigger, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Why it was started: schedule, misfire, failover, trigger or retry.
    pub source: &'static str,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The attempt's id.
    pub run_id: String,
    /// The instance that claimed it.
    pub instance: String,
    /// When it was claimed, epoch milliseconds.
    pub claimed_at: Millis,
    /// How it ended; `None` while it runs.
    pub outcome: Option<&'static str>,
    /// Why, for anything but a success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// One server of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    /// Its address.
    pub ip: String,
    /// Not disabled by an operator.
    pub enabled: bool,
    /// How many instances of the job are on it.
    pub instance_count: usize,
}

/// One instance of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// Its id.
    pub id: String,
    /// Its address.
    pub ip: String,
    /// It is the leader.
    pub leader: bool,
    /// How many items the plan gives it.
    pub item_count: usize,
    /// Since when it is there, epoch milliseconds by the registry's clock.
    pub since: Millis,
    /// It was asked to fire and has not begun.
    pub triggered: bool,
}

/// What the `paused` node says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PauseNote {
    /// When, epoch milliseconds.
    #[serde(default)]
    pub at: Millis,
    /// Who.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl PauseNote {
    /// Reads the node; data that somebody else wrote makes a note without words.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        serde_json::from_slice(data).unwrap_or_default()
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("paused{by}{reason}")
    }
}

/// How many jobs are looked at at once.
const CONCURRENT_JOBS: usize = 16;

/// A line about every job of the namespace, by name. A child of the namespace without a `config` is no job.
///
/// # Errors
/// The registry did not answer.
pub async fn jobs(registry: &dyn Registry, keys: &Keys) -> Result<Vec<JobBrief>, ViewError> {
    let names = registry.list(keys.root()).await?;
    let names: Vec<JobName> = names.iter().filter_map(|name| JobName::new(name).ok()).collect();
    let briefs: Vec<Option<JobBrief>> = futures::stream::iter(names)
        .map(|name| async move {
            let nodes = JobNodes::for_brief(registry, keys, &name).await?;
            Ok::<_, ViewError>(nodes.map(|nodes| nodes.brief(&nodes.read_settings())))
        })
        .buffered(CONCURRENT_JOBS)
        .try_collect()
        .await?;
    Ok(briefs.into_iter().flatten().collect())
}

/// Everything about one job; `now` is the instant after which the next fire is looked for.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn job(
    registry: &dyn Registry,
    keys: &Keys,
    name: &str,
    now: Millis,
) -> Result<JobView, ViewError> {
    let job = find(registry, keys, name).await?;
    let nodes = JobNodes::all(registry, keys, &job).await?;
    let Some(nodes) = nodes else { return Err(no_such_job(registry, keys, name).await) };
    Ok(nodes.view(now))
}

/// When a job is due and in how many parts, as the registry has it now.
pub struct Timetable {
    /// When it is due.
    pub schedule: Schedule,
    /// How many items it has.
    pub items: Item,
}

/// The timetable of one job.
///
/// # Errors
/// There is no such job, its settings cannot be used, or the registry did not answer.
pub async fn timetable(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<Timetable, ViewError> {
    let job = find(registry, keys, name).await?;
    let nodes = JobNodes::for_brief(registry, keys, &job).await?;
    let Some(nodes) = nodes else { return Err(no_such_job(registry, keys, name).await) };
    let (settings, schedule) =
        nodes.read_settings().map_err(|reason| ViewError::Degraded { name: name.to_owned(), reason })?;
    Ok(Timetable { schedule, items: settings.sharding_total_count })
}

/// The name, if the namespace has a job of that name.
///
/// # Errors
/// There is no such job, or the registry did not answer.
pub async fn find(registry: &dyn Registry, keys: &Keys, name: &str) -> Result<JobName, ViewError> {
    if let Ok(job) = JobName::new(name)
        && let [Some(_)] = registry.read(&[keys.of(&job, &Key::Config)]).await?[..]
    {
        return Ok(job);
    }
    Err(no_such_job(registry, keys, name).await)
}

pub(crate) async fn no_such_job(registry: &dyn Registry, keys: &Keys, name: &str) -> ViewError {
    let names = registry.list(keys.root()).await.unwrap_or_default();
    ViewError::NoSuchJob {
        name: name.to_owned(),
        namespace: keys.root().to_string(),
        nearest: nearest(name, names.iter().map(String::as_str)).map(ToOwned::to_owned),
    }
}

/// The schedule that settings describe; an error names the key at fault as a jobs file spells it.
pub(crate) fn schedule(settings: &JobSettings) -> Result<Schedule, SettingsError> {
    clockwright_settings::usable::schedule(settings)
}

/// The nodes of one job that a picture is made of.
struct JobNodes {
    name: JobName,
    layout: Layout,
    config: Node,
    nodes: BTreeMap<Key, Node>,
}

impl JobNodes {
    /// Only what the line about a job needs: one round of lists, then one read.
    async fn for_brief(
        registry: &dyn Registry,
        keys: &Keys,
        name: &JobName,
    ) -> Result<Option<Self>, ViewError> {
        let path = |key: &Key| keys.of(name, key);
        let (instances, servers, items) = (path(&Key::Instances), path(&Key::Servers), path(&Key::Items));
        let (instances, servers, items) =
            futures::try_join!(registry.list(&instances), registry.list(&servers), registry.list(&items))?;
        let mut wanted = vec![Key::Job, Key::Config, Key::Paused];
        wanted.extend(instances.iter().map(|id| Key::Instance(InstanceId::from_wire(id))));
        wanted.extend(servers.into_iter().map(Key::Server));
        wanted.extend(items.iter().filter_map(|item| item.parse().ok()).map(Key::Owner));
        let paths: Vec<Path> = wanted.iter().map(path).collect();
        let read = registry.read(&paths).await?;
        let nodes = wanted.into_iter().zip(read).filter_map(|(key, node)| Some((key, node?))).collect();
        Ok(Self::new(name, nodes))
    }

    async fn all(registry: &dyn Registry, keys: &Keys, name: &JobName) -> Result<Option<Self>, ViewError> {
        let tree = registry.tree(&keys.job(name)).await?;
        let nodes = tree.into_iter().filter_map(|(path, node)| Some((keys.parse(&path)?.1, node))).collect();
        Ok(Self::new(name, nodes))
    }

    fn new(name: &JobName, mut nodes: BTreeMap<Key, Node>) -> Option<Self> {
        let config = nodes.remove(&Key::Config)?;
        let layout = Layout::of(&config.data).unwrap_or_default();
        Some(Self { name: name.clone(), layout, config, nodes })
    }

    /// The settings, or why they cannot be used.
    fn read_settings(&self) -> Result<(JobSettings, Schedule), String> {
        let root = self.nodes.get(&Key::Job).map(|node| &node.data[..]).unwrap_or_default();
        let settings = self.layout.read(&self.config.data, root, None).map_err(|error| error.to_string())?;
        if settings.name != self.name {
            return Err(format!("jobName: `{}` is not the name of this job", settings.name));
        }
        let schedule = schedule(&settings).map_err(|error| error.to_string())?;
        Ok((settings, schedule))
    }

    fn brief(&self, settings: &Result<(JobSettings, Schedule), String>) -> JobBrief {
        let paused = self.paused();
        let (status, reason) = match (settings, &paused) {
            (Err(reason), _) => (JobStatus::Degraded, Some(reason.clone())),
            (Ok((settings, _)), paused) => match (self.peer_status(settings.sharding_total_count), paused) {
                (JobStatus::Crashed, _) => (JobStatus::Crashed, None),
                (_, Some(note)) => (JobStatus::Paused, Some(note.describe())),
                (status, None) => (status, None),
            },
        };
        let settings = settings.as_ref().ok().map(|(settings, _)| settings);
        JobBrief {
            job_name: self.name.as_str().to_owned(),
            status,
            reason,
            description: settings.map_or_else(String::new, |settings| settings.description.clone()),
            cron: settings.map_or_else(String::new, |settings| settings.cron.clone()),
            instance_count: self.instances().count(),
            sharding_total_count: settings.map_or(0, |settings| settings.sharding_total_count),
        }
    }

    /// The state as Elastic-Job's console computes it.
    fn peer_status(&self, count: u32) -> JobStatus {
        let online: BTreeSet<&str> = self.instances().map(|(id, _)| id.as_str()).collect();
        if online.is_empty() {
            return JobStatus::Crashed;
        }
        if self.servers().all(|(_, enabled)| !enabled) {
            return JobStatus::Disabled;
        }
        let owned = (0..count)
            .all(|item| self.text(&Key::Owner(item)).is_some_and(|owner| online.contains(owner.as_str())));
        if owned { JobStatus::Ok } else { JobStatus::ShardingFlag }
    }

    fn view(&self, now: Millis) -> JobView {
        let settings = self.read_settings();
        let brief = self.brief(&settings);
        let paused = self.paused();
        let usable = settings.as_ref().ok();
        let next_fire =
            usable.filter(|_| paused.is_none()).and_then(|(_, schedule)| schedule.next_after(now));
        let count = usable.map_or_else(|| self.items_found(), |(settings, _)| settings.sharding_total_count);
        let items: Vec<ItemView> = (0..count).map(|item| self.item(item, next_fire)).collect();
        let leader = self.text(&Key::ElectionInstance);
        let instances = self
            .instances()
            .map(|(id, node)| InstanceView {
                id: id.as_str().to_owned(),
                ip: id.ip().to_owned(),
                leader: leader.as_deref() == Some(id.as_str()),
                item_count: items.iter().filter(|item| item.owner.as_deref() == Some(id.as_str())).count(),
                since: node.stat.created_at,
                triggered: match self.layout {
                    Layout::V2 => &node.data[..] == b"TRIGGER",
                    Layout::V3 => self.has(&Key::Trigger(id.clone())),
                },
            })
            .collect();
        let servers = self
            .servers()
            .map(|(ip, enabled)| ServerView {
                ip: ip.to_owned(),
                enabled,
                instance_count: self.instances().filter(|(id, _)| id.ip() == ip).count(),
            })
            .collect();
        let settings = usable.and_then(|(settings, _)| match self.layout {
            Layout::V2 => serde_json::from_str(&v2::write(settings)).ok(),
            Layout::V3 => v3::as_json(&self.config.data).ok(),
        });
        let settings = settings.unwrap_or(serde_json::Value::Null);
        JobView {
            brief,
            layout: self.layout.to_string(),
            settings,
            paused,
            leader,
            epoch: self.nodes.get(&Key::Epoch).map(|node| node.stat.version),
            resharding: self.has(&Key::Necessary) || self.has(&Key::Processing),
            next_fire,
            items,
            servers,
            instances,
        }
    }

    fn item(&self, item: Item, next_fire: Option<Millis>) -> ItemView {
        let online = |id: &str| self.instances().any(|(instance, _)| instance.as_str() == id);
        let owner = self.text(&Key::Owner(item)).filter(|owner| !owner.is_empty());
        let cursor = self.nodes.get(&Key::Cursor(item)).and_then(|node| Cursor::from_bytes(&node.data).ok());
        let claimed =
            cursor.as_ref().and_then(Cursor::running).is_some_and(|claim| online(claim.owner.as_str()));
        // A mark of 3.x may outlive whoever ran the item.
        let marked = self
            .nodes
            .get(&Key::Running(item))
            .is_some_and(|node| node.stat.owner != 0 || online(&String::from_utf8_lossy(&node.data)));
        let running = claimed || marked;
        let status = if self.has(&Key::Disabled(item)) {
            ItemStatus::Disabled
        } else if running {
            ItemStatus::Running
        } else if owner.as_deref().is_some_and(online) {
            ItemStatus::Pending
        } else {
            ItemStatus::ShardingFlag
        };
        ItemView {
            item,
            owner,
            status,
            running,
            taken_by: self.text(&Key::Taken(item)),
            orphaned: self.has(&Key::FailoverItem(item)),
            misfired: self.has(&Key::Misfire(item)),
            last: cursor.and_then(|cursor| cursor.run).map(|claim| LastRun {
                fire: claim.fire.time(),
                trigger: match claim.fire {
                    Fire::Scheduled(_) => None,
                    Fire::Trigger { id, .. } => Some(id),
                },
                source: claim.source.as_str(),
                attempt: claim.attempt,
                run_id: claim.run_id.to_string(),
                instance: claim.owner.as_str().to_owned(),
                claimed_at: claim.at,
                outcome: claim.outcome.as_ref().map(Outcome::word),
                reason: claim.outcome.as_ref().map(Outcome::reason).unwrap_or_default(),
            }),
            next_fire: next_fire.filter(|_| status != ItemStatus::Disabled),
        }
    }

    fn items_found(&self) -> u32 {
        let items =
            self.nodes.keys().filter_map(|key| if let Key::Item(item) = key { Some(item + 1) } else { None });
        items.max().unwrap_or(0)
    }

    /// The live instances. A persistent node is what is left of a race between a Java console's trigger and an instance's end;
    /// nobody is behind it.
    fn instances(&self) -> impl Iterator<Item = (&InstanceId, &Node)> {
        self.nodes.iter().filter_map(|(key, node)| match key {
            Key::Instance(id) if node.stat.owner != 0 => Some((id, node)),
            _ => None,
        })
    }

    fn servers(&self) -> impl Iterator<Item = (&str, bool)> {
        self.nodes.iter().filter_map(|(key, node)| match key {
            Key::Server(ip) => Some((ip.as_str(), self.layout.is_enabled(Some(&node.data)))),
            _ => None,
        })
    }

    fn paused(&self) -> Option<PauseNote> {
        self.nodes.get(&Key::Paused).map(|node| PauseNote::read(&node.data))
    }

    fn has(&self, key: &Key) -> bool {
        self.nodes.contains_key(key)
    }

    fn text(&self, key: &Key) -> Option<String> {
        self.nodes.get(key).map(|node| String::from_utf8_lossy(&node.data).into_owned())
    }
}

#[cfg(test)]
mod tests;
