//! Plans: what jobs files, or other settings of one job, would change, and what that would do to what is there.

use crate::At;
use crate::jobs::{Difference, Sentence};
use crate::operations::Operation;
use crate::problem::Detail;
use crate::text::{Name, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// How jobs files are to be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanAsk {
    /// Where the files come from, such as a repository's name: what defines a job owns it.
    #[param(value_type = String)]
    pub source: Name,
    /// True to remove jobs of this source that the files do not have; what runs of them is waited for.
    #[serde(default)]
    pub prune: bool,
    /// True to replace what was changed by hand since.
    #[serde(default)]
    pub force: bool,
    /// True to take over jobs that are defined here, or by files of another source.
    #[serde(default)]
    pub take_over: bool,
    /// True to adopt jobs that only the registry has.
    #[serde(default)]
    pub adopt: bool,
}

/// How jobs files are to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyAsk {
    /// Where the files come from, such as a repository's name: what defines a job owns it.
    #[param(value_type = String)]
    pub source: Name,
    /// True to remove jobs of this source that the files do not have; what runs of them is waited for.
    #[serde(default)]
    pub prune: bool,
    /// True to replace what was changed by hand since.
    #[serde(default)]
    pub force: bool,
    /// True to take over jobs that are defined here, or by files of another source.
    #[serde(default)]
    pub take_over: bool,
    /// True to adopt jobs that only the registry has.
    #[serde(default)]
    pub adopt: bool,
    /// `basis` of the plan that is to be applied, and no other; whatever is found is applied when it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub reason: Option<Reason>,
}

impl ApplyAsk {
    /// What is planned before it is applied.
    #[must_use]
    pub fn plan(&self) -> PlanAsk {
        PlanAsk {
            source: self.source.clone(),
            prune: self.prune,
            force: self.force,
            take_over: self.take_over,
            adopt: self.adopt,
        }
    }
}

/// One or several jobs files: YAML, where `---` stands between several, or `multipart/form-data` with a file a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub struct JobsFiles(pub String);

/// What files would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Names this plan: sent with an apply, it is this plan or none that is applied.
    pub basis: String,
    /// Where the files come from.
    pub source: String,
    /// Each job that the files have, or lack although they owned it, by name.
    pub changes: Vec<JobPlan>,
    /// How many jobs, by what is to be done.
    pub counts: BTreeMap<String, u64>,
    /// What is likely not meant in the files, and what could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Effects on what is live are as of this instant; absent while the registry was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// What is to be done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Do {
    /// It is made.
    Create,
    /// It gets another version.
    Update,
    /// Only the registry has it: it is taken over, and then is as the file says.
    Adopt,
    /// It is drained and removed.
    Remove,
    /// It is as the file says.
    Unchanged,
    /// The files do not have it any more; it stays.
    Orphaned,
    /// Something stands against it, and nothing is applied before that is settled.
    Conflict,
}

impl Do {
    /// As answers write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Do::Create => "create",
            Do::Update => "update",
            Do::Adopt => "adopt",
            Do::Remove => "remove",
            Do::Unchanged => "unchanged",
            Do::Orphaned => "orphaned",
            Do::Conflict => "conflict",
        }
    }
}

/// What files would change of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobPlan {
    /// Its name.
    pub job: String,
    /// What is to be done.
    #[serde(rename = "do")]
    pub what: Do,
    /// Its version now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The code of what stands against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In words, what stands against it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The settings that differ from what is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<Difference>,
    /// What it does to what is there.
    #[serde(default, skip_serializing_if = "Effects::are_none")]
    pub effects: Effects,
    /// What should be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What other settings do to what is there. What does not change is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Effects {
    /// When it fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fires: Option<FiresThen>,
    /// How many items it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsThen>,
    /// How many items get another owner.
    #[serde(skip_serializing_if = "is_zero")]
    pub moved: u64,
    /// The first 100 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Ids of Java instances that refuse to start again, since what they would run is another class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusing: Vec<String>,
    /// Keys for which the layout has no place: each instance has them from its own file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_carried: Vec<String>,
    /// Items that run now, whose end a removal waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<u32>,
}

impl Effects {
    /// True when nothing of it is told.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The next instants of a job, up to 20, as it is and as it would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FiresThen {
    /// As it is; none for a job that is not there yet.
    pub before: Vec<At>,
    /// As it would be; none for a job that is removed.
    pub after: Vec<At>,
}

/// How many items a job has, as it is and as it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemsThen {
    /// As it is.
    pub before: u32,
    /// As it would be.
    pub after: u32,
    /// The items that are new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Span>,
    /// The items that are gone then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Span>,
}

/// Items in a row, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// The first.
    pub from: u32,
    /// The last.
    pub to: u32,
}

/// An item that gets another owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Move {
    /// The item.
    pub item: u32,
    /// Who has it.
    pub from: String,
    /// Who gets it; absent when nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What is asked about a job's items; nothing of it asks what a rebalance would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WhatIfAsk {
    /// These instances leave, by their ids.
    pub leave: Vec<String>,
    /// So many come; 1,000 at most.
    pub join: u32,
    /// So many items there are; as many as now unless told, 100,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// By this strategy: `AVG_ALLOCATION`, `ODEVITY`, `ROUND_ROBIN` or `MINIMAL_MOVES`; the job's own unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
}

/// What would become of a job's items. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatIf {
    /// By which strategy.
    pub strategy: String,
    /// How many items there would be.
    pub items: u32,
    /// How many of them somebody has and another one would get.
    pub moved: u64,
    /// Those; at most 1,000.
    pub moves: Vec<Move>,
    /// Items that run where somebody leaves. Their runs are interrupted, unless whoever leaves is shut down and waits for them.
    pub interrupted: Vec<u32>,
    /// Other items that would move and run: that ends where it runs.
    pub waiting: Vec<u32>,
    /// How many items each instance would have.
    pub shares: Vec<Share>,
    /// How each strategy would do.
    pub compared: Vec<Compared>,
}

/// How many items an instance would have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The instance; those that would come are `new-1@-@1` and so on.
    pub instance: String,
    /// Its items.
    pub items: u64,
}

/// How a strategy would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Which.
    pub strategy: String,
    /// How many items would move.
    pub moved: u64,
    /// How many items the one would have that has most.
    pub most: u64,
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Where the files come from.
    pub source: String,
    /// Each job that was changed, by name.
    pub changes: Vec<JobApplied>,
    /// How many jobs, by what was done.
    pub counts: BTreeMap<String, u64>,
    /// How many of the changed jobs, by how far the registry has followed.
    pub sync: BTreeMap<String, u64>,
    /// The removals that were begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removals: Vec<Operation>,
    /// What is likely not meant in the files, and what could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What an apply did to one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobApplied {
    /// Its name.
    pub job: String,
    /// What was done.
    #[serde(rename = "do")]
    pub what: Do,
    /// The version that it has now.
    pub version: i64,
}

/// Settings of one job to be looked at before they are saved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewAsk {
    /// The settings, whole, by the keys of a jobs file.
    #[schema(value_type = Object)]
    pub settings: Value,
}

/// What other settings of a job would change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Preview {
    /// Why they cannot be used; then nothing else is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Detail>,
    /// The settings that differ from what is there.
    pub diff: Vec<Difference>,
    /// The new schedule in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<Sentence>,
    /// What they do to what is there.
    pub effects: Effects,
    /// What should be looked at.
    pub warnings: Vec<String>,
}
