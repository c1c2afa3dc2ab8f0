//! Rules, alerts, silences, channels and deliveries.

mod condition;

pub use condition::{Condition, Scope, Severity, Usual};

use crate::At;
use crate::people::Password;
use crate::text::{Mail, Name, Pattern, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A rule to be made, or what a rule is to be, as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleAsk {
    /// For people.
    pub name: Name,
    /// What is told. A rule keeps its condition.
    pub condition: Condition,
    /// Jobs whose names fit this pattern, in which `*` stands for any letters; all jobs unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Pattern>,
    /// From which number on; the usual one of the condition unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// How long it must last before an alert opens, and how long its opposite before it is over, seconds; the usual time unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 604_800)]
    pub wait: Option<u32>,
    /// How bad it is; as usual unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Ids of the channels that are told. Empty: all channels of the project, and those of all projects.
    #[serde(default)]
    pub channels: Vec<Name>,
    /// False to tell nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id. Rules that are there from the beginning have their condition's word, and can be turned off and not removed.
    pub id: String,
    /// The project; absent for a rule of all projects. A project that has a rule of its own of a condition is not judged by that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// For people.
    pub name: String,
    /// What is told.
    pub condition: Condition,
    /// When that is true.
    pub means: String,
    /// The pattern of the jobs' names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
    /// From which number on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// How long it must last, seconds.
    pub wait: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Ids of the channels that are told; empty for all.
    pub channels: Vec<String>,
    /// False when nothing is told.
    pub enabled: bool,
    /// Grows with each change.
    pub version: i64,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// What is the matter.
    pub condition: Condition,
    /// The id of the rule.
    pub rule: String,
    /// The project; absent for what concerns the servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The registry, store, channel or key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thing: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// `firing`, `acked` or `resolved`.
    pub state: String,
    /// When it opened.
    pub at: At,
    /// When it happened last.
    pub last_at: At,
    /// How often it happened.
    pub count: i64,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<At>,
    /// Who has taken it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<Acked>,
    /// The sentence.
    pub text: String,
    /// What it is made of.
    #[schema(value_type = Object)]
    pub params: Value,
}

/// Who has taken an alert up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acked {
    /// Their login.
    pub by: String,
    /// When.
    pub at: At,
    /// In their words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
}

/// To take an alert up.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ack {
    /// For the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
}

/// A silence to be made, or what one is to be, as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SilenceAsk {
    /// The project; all of them unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Jobs whose names fit this pattern; all unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Pattern>,
    /// These conditions; all where none is named.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// These severities; all where none is named.
    #[serde(default)]
    pub severities: Vec<Severity>,
    /// From when on; at once unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<At>,
    /// Until when.
    pub ends_at: At,
    /// Only at these times of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Why.
    pub reason: Reason,
}

/// Times of a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Weekly {
    /// The days on which it begins: `mon` to `sun`.
    pub days: Vec<Day>,
    /// From this time of the day: `22:00`.
    pub from: String,
    /// To this one; of the next day where it is not later than `from`.
    pub to: String,
    /// The zone: `Asia/Shanghai`.
    pub zone: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "they are what they are")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A silence: what it fits is recorded and not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// The project; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The pattern of the jobs' names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
    /// The conditions; empty for all.
    pub conditions: Vec<Condition>,
    /// The severities; empty for all.
    pub severities: Vec<Severity>,
    /// From when on.
    pub starts_at: At,
    /// Until when.
    pub ends_at: At,
    /// Only at these times of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// True when it is quiet now.
    pub active: bool,
    /// Why.
    pub reason: String,
    /// Who made it, by login.
    pub by: String,
    /// Grows with each change.
    pub version: i64,
}

/// How messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChannelKind {
    /// As JSON to an address of yours, signed.
    Webhook,
    /// To a robot of DingTalk.
    Dingtalk,
    /// To a robot of WeCom.
    Wecom,
    /// To a robot of Lark or Feishu.
    Lark,
    /// To an incoming webhook of Slack.
    Slack,
    /// By mail.
    Mail,
}

impl ChannelKind {
    /// All of them.
    pub const ALL: [ChannelKind; 6] = [
        ChannelKind::Webhook,
        ChannelKind::Dingtalk,
        ChannelKind::Wecom,
        ChannelKind::Lark,
        ChannelKind::Slack,
        ChannelKind::Mail,
    ];

    /// As it is stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ChannelKind::Webhook => "webhook",
            ChannelKind::Dingtalk => "dingtalk",
            ChannelKind::Wecom => "wecom",
            ChannelKind::Lark => "lark",
            ChannelKind::Slack => "slack",
            ChannelKind::Mail => "mail",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tongue {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

/// A channel to be made, or what one is to be, as a whole; but secrets that are left out stay as they are.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelAsk {
    /// For people, unique in the project.
    pub name: Name,
    /// How messages go. A channel keeps its kind.
    pub kind: ChannelKind,
    /// The language of messages.
    #[serde(default)]
    pub language: Tongue,
    /// To whom, of `mail`.
    #[serde(default)]
    pub to: Vec<Mail>,
    /// The address, of all others: it is a secret, and never shown.
    #[serde(default)]
    pub url: Option<Password>,
    /// What messages are signed with, of `webhook`, `dingtalk` and `lark`.
    #[serde(default)]
    pub secret: Option<Password>,
    /// A second secret of `webhook`, with which messages are signed as well while you change to it. An empty one takes it away.
    #[serde(default)]
    pub second_secret: Option<Password>,
    /// False to send nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// The project; absent for a channel of all projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// For people.
    pub name: String,
    /// How messages go.
    pub kind: ChannelKind,
    /// The language of messages.
    pub language: Tongue,
    /// To whom.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub to: Vec<String>,
    /// The host of its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Which secrets it has: `url`, `secret`, `secondSecret`.
    pub secrets: Vec<String>,
    /// False when nothing is sent.
    pub enabled: bool,
    /// Grows with each change.
    pub version: i64,
}

/// What came of a message that was sent to try a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    /// It was taken.
    pub sent: bool,
    /// What was answered, or why it was not sent.
    pub answer: String,
}

/// A message: to one channel, about one or more alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id, which whoever receives it is told as `Clockwright-Delivery`: the same each time it is sent.
    pub id: String,
    /// The channel's id.
    pub channel: String,
    /// The ids of the alerts.
    pub alerts: Vec<String>,
    /// `waiting`, `sent` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it was made.
    pub at: At,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<At>,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<At>,
    /// Why it was not, the last time.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub error: String,
}

/// Nothing to say.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// `alert` of the stream: an alert opened, changed or was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertEvent {
    /// Its id.
    pub id: String,
    /// `opened`, `changed` or `resolved`.
    pub what: String,
    /// What is the matter.
    pub condition: String,
    /// How bad it is.
    pub severity: String,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The sentence.
    pub text: String,
}

/// Which alerts are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AlertsAsk {
    /// Of this project; of all that one may see, and of the servers, unless told.
    pub project: Option<String>,
    /// Of this job of the project.
    pub job: Option<String>,
    /// `open` (firing or acked), `firing`, `acked` or `resolved`; all unless told.
    pub state: Option<String>,
    /// Of this condition.
    pub condition: Option<String>,
    /// Of this severity.
    pub severity: Option<String>,
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Which deliveries are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeliveriesAsk {
    /// On the channel of this id; on all that one may see unless told.
    pub channel: Option<String>,
    /// `waiting`, `sent` or `dead`; all unless told.
    pub state: Option<String>,
    /// How many rows; 50 unless told, 1,000 at most.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}
