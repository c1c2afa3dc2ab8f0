//! What is looked at first: the palette, the overview, and when a schedule fires.

use crate::At;
use crate::history::Balance;
use crate::jobs::{JobRow, Sentence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What the palette looks for.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchAsk {
    /// Some letters, or a search as in lists of jobs.
    pub q: String,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// `project`, `job` or `host`.
    pub kind: String,
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub title: String,
}

/// What somebody is typing.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuggestAsk {
    /// The word of a search as far as it is typed.
    pub text: String,
    /// What is searched: `jobs` or `runs`; `jobs` unless told.
    #[serde(rename = "for")]
    #[param(rename = "for")]
    pub of: Option<String>,
}

/// What a word that is being typed may become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// `qualifier`, `value` or `job`; `run`, `instance` or `instant` for an id that is recognised.
    pub kind: String,
    /// What to put in the place of the word.
    pub text: String,
    /// The project of a job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project: Option<String>,
    /// How many jobs have such a value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
}

/// Of which time the overview counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OverviewAsk {
    /// From the hour of UTC that this instant lies in; a day ago unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// To before this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
}

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// `unaccounted`, `noInstance`, `failing`, `missed`, `degraded` or `diverged`.
    pub kind: String,
    /// The project.
    pub project: String,
    /// The job.
    pub job: String,
    /// How often: instants without an outcome, or failures in a row.
    pub count: u64,
    /// Since when, where that is known: when it last succeeded, or when the fire was due that was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<At>,
    /// The same in words.
    pub sentence: Sentence,
}

/// How everything stands that one may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// How many projects.
    pub projects: u64,
    /// How many jobs.
    pub jobs: u64,
    /// How many jobs the registries have, by what they say of them.
    pub statuses: BTreeMap<String, u64>,
    /// How many jobs, by whether they may run.
    pub states: BTreeMap<String, u64>,
    /// How many items run.
    pub running: u64,
    /// Jobs whose settings cannot be used; at most 20.
    pub degraded: Vec<JobRow>,
    /// Jobs that are online and that nobody serves; at most 20.
    pub crashed: Vec<JobRow>,
    /// Jobs that failed three times in a row; at most 20.
    pub failing: Vec<JobRow>,
    /// Jobs that differ from the files that define them; at most 20.
    pub diverged: Vec<JobRow>,
    /// From when on fires are counted.
    pub from: At,
    /// How the fires of that time are accounted for, by when they were decided: from counts, and how items stand. Absent while a history is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// What needs somebody, worst first; at most 50.
    pub attention: Vec<Attention>,
    /// How much does in all.
    pub attention_count: u64,
    /// All that happened before this is in here; absent while a project's registry was never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<At>,
}

/// Which schedule is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextAsk {
    /// The schedule, as a job's `cron`.
    pub cron: String,
    /// Its zone; that of the server unless told.
    pub zone: Option<String>,
    /// After this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// How many instants; 20 unless told, 1,000 at most.
    pub n: Option<u32>,
}

/// A schedule that somebody is writing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewSchedule {
    /// The schedule, as a job's `cron`.
    pub cron: String,
    /// Its zone; that of the server unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// After this instant; now unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<At>,
    /// How many instants; 20 unless told, 1,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
}

/// What a schedule would be, or what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulePreview {
    /// What is wrong with it; all else is absent then.
    pub problems: Vec<ScheduleProblem>,
    /// What it would be as Unix cron, of five fields, where it can only be that. It is never read so by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_unix: Option<Sentence>,
    /// It in words, without its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<Sentence>,
    /// The next instants.
    pub fires: Vec<At>,
    /// Its last instant of all, where fewer follow than were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fire_at: Option<At>,
    /// The next two changes of the clock in its zone, and what they do to it.
    pub clock_changes: Vec<ClockChange>,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleProblem {
    /// Which part of it: `minute`, `day of week`, `time zone`, `cron`.
    pub field: String,
    /// Where in the text, in characters from 0; absent where no one place is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// Behind where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// A change of the clock in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockChange {
    /// When.
    pub at: At,
    /// `gap`: clocks go forward, and local times are left out. `overlap`: they go back, and local times come twice.
    pub kind: String,
    /// The offset from UTC before it, such as `+01`.
    pub before: String,
    /// The offset after it.
    pub after: String,
    /// How many of the schedule's local times are left out, or come twice.
    pub affected: u64,
    /// What it does to the schedule.
    pub sentence: Sentence,
}

/// How what comes is to be counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpcomingAsk {
    /// `minute`, unless told, or `hour`.
    pub by: Option<String>,
    /// Of this project; of all that one may see unless told.
    pub project: Option<String>,
}

/// How much is due in the next 24 hours, by the schedules of jobs that nobody stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coming {
    /// The beginning of this minute.
    pub from: At,
    /// How long a span is, milliseconds.
    pub width: i64,
    /// How many fires of jobs are due in each span.
    pub fires: Vec<u64>,
    /// How many items are.
    pub items: Vec<u64>,
}

/// Which jobs are listed that fire soon.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ComingJobsAsk {
    /// Due at or after this instant; now unless told.
    #[param(value_type = Option<String>)]
    pub from: Option<At>,
    /// Due before this instant; a day later unless told.
    #[param(value_type = Option<String>)]
    pub to: Option<At>,
    /// Of this project; of all that one may see unless told.
    pub project: Option<String>,
    /// How many; 50 unless told, 200 at most.
    pub limit: Option<u32>,
}

/// Jobs that fire within a span, the next one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComingJobs {
    /// The jobs.
    pub items: Vec<ComingJob>,
    /// How many there are in all.
    pub count: u64,
}

/// A job that fires within a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComingJob {
    /// Its project.
    pub project: String,
    /// Its name.
    pub job: String,
    /// When it fires first in the span.
    pub fire_at: At,
    /// How often it fires in the span.
    pub fires: u64,
    /// How many items it has.
    pub items: u64,
}

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextFires {
    /// The next instants.
    pub fires: Vec<At>,
    /// The schedule in words, without its zone.
    pub sentence: Sentence,
}
