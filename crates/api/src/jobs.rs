//! Jobs: what they are, as the database has them. What they do now is another resource.

use crate::At;
use crate::operations::HoldView;
use crate::text::{Reason, Title};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A job to be made, or what a job is to be as a whole.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WholeJob {
    /// Its name, for good. Where the address names the job, it may be left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its settings, by the keys of a jobs file.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Title>,
    /// How long its runs usually take.
    #[serde(default)]
    pub run_time: RunTime,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to change a job by hand that files define: it then differs from them until they agree.
    #[serde(default, rename = "override")]
    pub by_hand: bool,
}

/// What of a job is to be changed. Settings are merged: a key that is `null` goes back to its default, one that is left out stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobChange {
    /// Settings, by the keys of a jobs file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Title>,
    /// How long its runs usually take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_time: Option<RunTime>,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to change a job by hand that files define: it then differs from them until they agree.
    #[serde(default, rename = "override")]
    pub by_hand: bool,
}

/// How long a job's runs usually take; what is outside is told. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RunTime {
    /// A success that took less is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// A run that takes longer is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// To go back to an earlier version.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// The version whose settings the job is to have again, as its next version.
    pub version: i64,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// True to change a job by hand that files define.
    #[serde(default, rename = "override")]
    pub by_hand: bool,
}

/// A job, as the database has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub id: i64,
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: i64,
    /// `online`, `offline` or `removing`.
    pub state: String,
    /// Who defines it: `console` or `files`.
    pub managed: String,
    /// The source of the files that define it.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub source: String,
    /// True when it was changed by hand although files define it.
    pub diverged: bool,
    /// Its settings, by the keys of a jobs file; those at their defaults are left out.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who answers for it.
    pub owner: String,
    /// How long its runs usually take.
    pub run_time: RunTime,
    /// When it last changed.
    pub changed_at: At,
    /// Who changed it last.
    pub changed_by: String,
    /// How far the registry has followed.
    pub sync: SyncView,
}

/// How far the registry has followed a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncView {
    /// `written`, `pending`, `held`, `conflict`, `reported`, `denied` or `contended`.
    pub state: String,
    /// Why it has not, in words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
}

/// One row of a list of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// What it runs, as `elasticJobType` says it.
    pub kind: String,
    /// What the registry says: `OK`, `PAUSED`, `DISABLED`, `CRASHED`, `SHARDING_FLAG` or `DEGRADED`. Absent while it has not the job, or is not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why it is paused or degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `online`, `offline` or `removing`.
    pub state: String,
    /// Who defines it: `console` or `files`.
    pub managed: String,
    /// True when it was changed by hand although files define it.
    pub diverged: bool,
    /// When it fires.
    pub schedule: Timing,
    /// How its items stand.
    pub items: ItemCounts,
    /// How many instances serve it.
    pub instances: u64,
    /// How many hosts it knows.
    pub hosts: u64,
    /// What stands still of it by somebody's wish: the whole, or parts of it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub holds: Vec<HoldView>,
    /// How far the registry has followed: `written`, `pending`, `held`, `conflict`, `reported`, `denied` or `contended`.
    pub sync: String,
    /// How it last ended, if it ever did under Clockwright.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// How its newest fires ended, up to 20, the newest first. Only when it was asked for, and the event store answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Vec<String>>,
    /// For people.
    pub title: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who answers for it.
    pub owner: String,
    /// Its version.
    pub version: i64,
    /// When it last changed.
    pub changed_at: At,
    /// Who made this version, by the name of that time.
    pub changed_by: String,
}

/// How a job or an item last ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Last {
    /// `succeeded`, `failed`, `skipped`, `coalesced`, `missed` or `cancelled`: that of the newest outcome.
    pub outcome: String,
    /// When that was decided.
    pub at: At,
    /// The instant of the fire.
    pub fire_at: At,
    /// The item.
    pub item: u32,
    /// How long the success took, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<i64>,
    /// How often it failed in a row; of a job, the item that did so most often.
    pub streak: u64,
    /// When it last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_at: Option<At>,
}

/// When a job fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// Its schedule; empty for a job that only runs when it is triggered.
    pub cron: String,
    /// The zone of its schedule; empty for that of its machines.
    pub zone: String,
    /// The schedule in words, without its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<Sentence>,
    /// When it fires next, by its schedule alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<At>,
}

/// A schedule in words, in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sentence {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// How a job's items stand: how many it is to have, and how many of those that the registry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemCounts {
    /// It is to have.
    pub total: u64,
    /// Run now, as far as their marks tell.
    pub running: u64,
    /// Are disabled.
    pub disabled: u64,
    /// Have no owner that is there.
    pub unowned: u64,
}

/// One version of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Which, from 1.
    pub version: i64,
    /// When it was made.
    pub at: At,
    /// Who made it, by the name of that time.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it came from: `console`, `api`, `files`, `adopt`, `rollback` or `import`.
    pub origin: String,
    /// The version that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub based_on: Option<i64>,
    /// Its settings; those at their defaults are left out. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// The YAML as it was given, with its comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yaml: Option<String>,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// What it was; absent when there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub before: Option<Value>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub after: Option<Value>,
}

/// Which jobs are listed, and in which order.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JobsAsk {
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Words that name, title, owner or tags contain, and qualifiers: `state:paused,crashed tag:night* -type:script next:<1h`.
    pub q: Option<String>,
    /// `name`, `changed`, `next`, `status` or `last`; with `-` before it, backwards.
    pub sort: Option<String>,
    /// `outcomes`: how the newest fires of each row ended as well. Not with lines.
    pub include: Option<String>,
}

/// Of which jobs counts are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FacetsAsk {
    /// A search, as in lists of jobs; all jobs unless told.
    pub q: Option<String>,
    /// A qualifier of the search whose terms are left out: what there would be to choose from besides.
    pub without: Option<String>,
}

/// How many jobs a search finds, and of which kinds those are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facets {
    /// How many it finds.
    pub count: u64,
    /// By what the registry says of them, `ABSENT` where it has no such job; these sum to all.
    pub statuses: BTreeMap<String, u64>,
    /// By whether they may run; these sum to all.
    pub states: BTreeMap<String, u64>,
    /// By mode; these sum to all.
    pub modes: BTreeMap<String, u64>,
    /// By project; these sum to all.
    pub projects: BTreeMap<String, u64>,
    /// By tag, of which a job has any number: the most frequent 100.
    pub tags: BTreeMap<String, u64>,
    /// The journal's number that these are as of.
    pub seq: i64,
}

/// Where in a list places are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AnchorsAsk {
    /// Every how many rows; 500 unless told, 10,000 at most.
    pub every: Option<u32>,
    /// The search of the list.
    pub q: Option<String>,
    /// The order of the list.
    pub sort: Option<String>,
}

/// Places in a list, so that one can begin to read anywhere in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Anchors {
    /// How many rows there are.
    pub count: u64,
    /// How many rows lie between two places.
    pub every: u32,
    /// The *n*-th is what to send as `after` for a page that begins with the row behind so many times *n*, counted from 1.
    pub after: Vec<String>,
    /// The journal's number that these are as of.
    pub seq: i64,
}
