//! What a picture of a job consists of. The names in JSON are Elastic-Job's where it has them.

use crate::pause::PauseNote;
use clockwright_model::{Item, Millis};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

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

/// What a job's state is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    /// Its settings can be used.
    pub is_usable: bool,
    /// Instances are there.
    pub has_members: bool,
    /// It is kept off each host that it knows.
    pub is_off: bool,
    /// An operator paused it.
    pub is_paused: bool,
    /// Each item has an owner that is there.
    pub is_owned: bool,
}

impl JobStatus {
    /// The state as Elastic-Job's console computes it, with our two words.
    #[must_use]
    pub fn of(facts: Facts) -> Self {
        match facts {
            Facts { is_usable: false, .. } => JobStatus::Degraded,
            Facts { has_members: false, .. } => JobStatus::Crashed,
            Facts { is_paused: true, .. } => JobStatus::Paused,
            Facts { is_off: true, .. } => JobStatus::Disabled,
            Facts { is_owned: true, .. } => JobStatus::Ok,
            Facts { is_owned: false, .. } => JobStatus::ShardingFlag,
        }
    }

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
    /// Why it is degraded or paused, or which items are held; of the latter a list that reads no cursors knows nothing.
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
    /// The version of the settings' node, which a change may demand; it grows with each change.
    pub settings_version: i32,
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
    /// It runs now: the process that claimed it is there, or a Java instance marks it so.
    pub running: bool,
    /// Why nothing runs it although it has an owner, until an operator says from where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldView>,
    /// The instance that took it over from a dead one, while that lasts.
    pub taken_by: Option<String>,
    /// Whoever ran it is gone before the end, and nobody has taken it over yet.
    pub orphaned: bool,
    /// The id of a manual trigger that runs when the item is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_trigger: Option<String>,
    /// An instant passed while it ran, and will be made up for.
    pub misfired: bool,
    /// Its last fire or the one that runs, if it ever ran under Clockwright.
    pub last: Option<LastRun>,
    /// When it fires next, epoch milliseconds; `None`: never, or it is disabled, or the job is paused.
    pub next_fire: Option<Millis>,
}

/// Why an item is held; see [`crate::held`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldView {
    /// The code of the reason.
    pub code: Cow<'static, str>,
    /// The reason in words.
    pub reason: String,
    /// Up to where its schedule is known to be decided, epoch milliseconds; `None`: nobody knows.
    pub settled: Option<Millis>,
    /// The version of its cursor's node, which an answer may demand.
    pub version: i32,
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

/// What an instance is a process of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceKind {
    /// Ours: it holds a lease.
    Clockwright,
    /// Elastic-Job's: it holds none.
    Java,
}

impl InstanceKind {
    /// The word in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            InstanceKind::Clockwright => "Clockwright",
            InstanceKind::Java => "Java",
        }
    }
}

/// One instance of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// Its id.
    pub id: String,
    /// Its address.
    pub ip: String,
    /// What it is a process of.
    pub kind: InstanceKind,
    /// It is the leader.
    pub leader: bool,
    /// How many items the plan gives it.
    pub item_count: usize,
    /// Since when it is there, epoch milliseconds by the registry's clock.
    pub since: Millis,
    /// It was asked to fire and has not begun.
    pub triggered: bool,
}
