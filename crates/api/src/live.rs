//! What jobs, hosts and instances do now, as the registry has it. Every answer says how old it is, and the age is proved: it shows all that
//! happened before that instant.

use crate::At;
use crate::jobs::Last;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// A list of what there is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Now<T> {
    /// The rows.
    pub items: Vec<T>,
    /// All that happened before this is in here.
    pub as_of: At,
}

// It has a name of its own for each kind of row, which a derived name has not.
impl<T: ToSchema> ToSchema for Now<T> {
    fn name() -> Cow<'static, str> {
        format!("NowOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Now<T> {
    fn schema() -> RefOr<Schema> {
        let as_of = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("All that happened before this instant is in here."));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property("asOf", as_of)
            .required("asOf")
            .into()
    }
}

/// Everything about one job now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveJob {
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Elastic-Job's word, or one of ours: `OK`, `PAUSED`, `DISABLED`, `CRASHED`, `SHARDING_FLAG` or `DEGRADED`.
    pub status: String,
    /// Why it is degraded or paused, or which items are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose layout its nodes have: `2.x` or `3.x`.
    pub layout: String,
    /// Its settings as the registry has them, with the keys of its layout; `null` when they cannot be used.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// The version of the node that has them.
    pub settings_version: i32,
    /// Who paused it, when and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// The id of the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The number of the last plan; absent before the first one by a Clockwright leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<i32>,
    /// A reason to plan anew waits for the leader.
    pub resharding: bool,
    /// When it fires next, if anybody will fire it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<At>,
    /// Its items, ascending.
    pub items: Vec<LiveItem>,
    /// Its hosts, by address.
    pub hosts: Vec<JobHost>,
    /// Its instances, by id.
    pub instances: Vec<LiveInstance>,
    /// All that happened before this is in here.
    pub as_of: At,
}

/// Who paused a job, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// When.
    pub at: At,
    /// Who; empty where nobody said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One item now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveItem {
    /// Its number.
    pub item: u32,
    /// `DISABLED`, `RUNNING`, `SHARDING_FLAG` or `PENDING`: the first that applies.
    pub status: String,
    /// The instance that the plan gives it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// It runs now.
    pub running: bool,
    /// The instance that took it over from a dead one, while that lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
    /// Whoever ran it is gone before the end, and nobody has taken it over yet.
    pub orphaned: bool,
    /// Why nothing runs it until an operator says from where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The id of a manual trigger that runs when the item is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_trigger: Option<String>,
    /// An instant passed while it ran, and will be made up for.
    pub misfired: bool,
    /// Its last fire or the one that runs, if it ever ran under Clockwright.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// When it fires next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<At>,
}

/// Why an item is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The code of the reason.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Up to where its schedule is known to be decided; absent when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<At>,
    /// The version of its cursor's node, which an answer may demand.
    pub version: i32,
}

/// The last claim of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The instant it was for.
    pub fire_at: At,
    /// The id of the manual trigger, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Why it was started: `schedule`, `misfire`, `failover`, `trigger` or `retry`.
    pub source: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The attempt's id.
    pub run: String,
    /// The instance that claimed it.
    pub instance: String,
    /// When it was claimed.
    pub claimed_at: At,
    /// How it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why, for anything but a success.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
}

/// One host of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobHost {
    /// Its address.
    pub ip: String,
    /// Not disabled by an operator.
    pub enabled: bool,
    /// How many instances of the job are on it.
    pub instances: u64,
}

/// One instance of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveInstance {
    /// Its id.
    pub id: String,
    /// Its host.
    pub ip: String,
    /// What it is a process of: `clockwright` or `java`.
    pub kind: String,
    /// It is the leader.
    pub leader: bool,
    /// How many items the plan gives it.
    pub items: u64,
    /// Since when it is there.
    pub since: At,
    /// It was asked to fire and has not begun. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered: Option<bool>,
}

/// One item in a list of a job's items: where it is and whether it runs. What it did is in the job's live page and its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemCell {
    /// Its number.
    pub item: u32,
    /// `DISABLED`, `RUNNING`, `SHARDING_FLAG` or `PENDING`: the first that applies.
    pub status: String,
    /// The instance that the plan gives it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The instance that runs it, where its mark tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// Since when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<At>,
    /// The instance that took it over from a dead one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
    /// Whoever ran it is gone before the end, and nobody has taken it over yet.
    pub orphaned: bool,
    /// How it last ended, if it ever did under Clockwright.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
}

/// One host of a project, over all of its jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Its address.
    pub ip: String,
    /// How many processes are on it.
    pub instances: u64,
    /// How many of them are of Elastic-Job.
    pub java: u64,
    /// How many jobs know it.
    pub jobs: u64,
    /// In how many of them it is disabled.
    pub disabled_jobs: u64,
    /// How many items the plans give to its processes.
    pub items: u64,
    /// How many of them run.
    pub running: u64,
}

/// Which processes or hosts of all projects are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FleetAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Letters that the id or the address contains.
    pub q: Option<String>,
}

/// A process in one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetInstance {
    /// The project.
    pub project: String,
    /// Its id.
    pub id: String,
    /// Its host.
    pub ip: String,
    /// What it is a process of: `clockwright` or `java`.
    pub kind: String,
    /// How many jobs it serves.
    pub jobs: u64,
    /// How many of them it leads.
    pub leads: u64,
    /// How many items the plans give it.
    pub items: u64,
    /// How many items it runs.
    pub running: u64,
    /// Since when it is there.
    pub since: At,
}

/// Processes of all projects that one may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetInstances {
    /// The rows, by id.
    pub items: Vec<FleetInstance>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all.
    pub count: u64,
    /// All that happened before this is in here; absent while a project's registry was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// A process, with its jobs in all projects that one may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetPage {
    /// The line about it in each project.
    pub instances: Vec<FleetInstance>,
    /// Its jobs.
    pub jobs: Vec<InstanceJob>,
    /// All that happened before this is in here; absent while a project's registry was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// A job that a process serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceJob {
    /// Its project.
    pub project: String,
    /// Its name.
    pub job: String,
    /// It leads the job.
    pub leader: bool,
    /// The items that the plan gives it.
    pub items: Vec<u32>,
    /// The items that it runs.
    pub running: Vec<u32>,
}

/// A host in one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetHost {
    /// The project.
    pub project: String,
    /// The line about it there.
    pub host: Host,
}

/// Hosts of all projects that one may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetHosts {
    /// The rows, by address.
    pub items: Vec<FleetHost>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all.
    pub count: u64,
    /// All that happened before this is in here; absent while a project's registry was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// One host, with its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPage {
    /// The line about it.
    pub host: Host,
    /// Its processes, by id.
    pub instances: Vec<HostInstance>,
    /// The jobs that know it, by name.
    pub jobs: Vec<HostJob>,
    /// All that happened before this is in here.
    pub as_of: At,
}

/// One process on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostInstance {
    /// Its id.
    pub id: String,
    /// What it is a process of: `clockwright` or `java`.
    pub kind: String,
    /// How many jobs it serves.
    pub jobs: u64,
    /// How many items the plans give it.
    pub items: u64,
}

/// One job on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostJob {
    /// Its name.
    pub name: String,
    /// Its state, over all hosts.
    pub status: String,
    /// Not disabled on this host.
    pub enabled: bool,
    /// How many of its instances are on the host.
    pub instances: u64,
    /// How many of its items the plan gives to them.
    pub items: u64,
    /// How many of those run.
    pub running: u64,
}

/// How a project's registry is followed, and what there is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectLive {
    /// `loading`, `following`, `catchingUp` or `away`.
    pub state: String,
    /// Why it is away.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
    /// All that happened before this is in here; absent before everything was read once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
    /// How many jobs the registry has, by their state.
    pub jobs: BTreeMap<String, u64>,
    /// How many processes there are.
    pub instances: u64,
    /// How many hosts are known.
    pub hosts: u64,
    /// How many items run.
    pub running: u64,
}

/// A job's nodes as text, one `path | value` a line, without the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dump {
    /// The lines.
    pub text: String,
    /// True when `ip1`, `ip2`, … stand for addresses.
    pub masked: bool,
}

/// How a job's nodes are shown.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DumpAsk {
    /// True for addresses as they are, which needs `dump.unmasked` and is on record.
    pub unmasked: bool,
}
