//! What follows from a picture of one job: how it is in one word, how it ended last, when it fires next, who has which items.

use super::{JobStatus, JobView, LastRun};
use clockwright_model::{Item, Millis};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a job is, in one word for people. Elastic-Job's own word is beside it, as [`JobStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Condition {
    /// Instances are there and own every item.
    Ok,
    /// Instances are there, and the last run of every item that ever ran failed.
    Failing,
    /// Some of its items wait until an operator says from where they go on.
    Held,
    /// An operator paused it.
    Paused,
    /// Every server is disabled.
    Disabled,
    /// Elastic-Job says CRASHED, also after a clean stop.
    NoInstances,
    /// Some item has no owner, or one that is gone.
    ShardingFlag,
    /// Its settings cannot be used.
    Degraded,
}

impl Condition {
    /// The word in output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Condition::Failing => "FAILING",
            Condition::Held => "HELD",
            Condition::NoInstances => "no instances",
            Condition::Ok => JobStatus::Ok.as_str(),
            Condition::Paused => JobStatus::Paused.as_str(),
            Condition::Disabled => JobStatus::Disabled.as_str(),
            Condition::ShardingFlag => JobStatus::ShardingFlag.as_str(),
            Condition::Degraded => JobStatus::Degraded.as_str(),
        }
    }

    /// Whether the schedule's next instant will be fired, as far as this shows.
    #[must_use]
    pub fn fires(self) -> bool {
        matches!(self, Condition::Ok | Condition::Failing | Condition::Held | Condition::ShardingFlag)
    }
}

impl JobView {
    /// How the job is.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self.brief.status {
            JobStatus::Ok | JobStatus::ShardingFlag if self.items.iter().any(|item| item.held.is_some()) => {
                Condition::Held
            }
            JobStatus::Ok if self.is_failing() => Condition::Failing,
            JobStatus::Ok => Condition::Ok,
            JobStatus::Paused => Condition::Paused,
            JobStatus::Disabled => Condition::Disabled,
            JobStatus::Crashed => Condition::NoInstances,
            JobStatus::ShardingFlag => Condition::ShardingFlag,
            JobStatus::Degraded => Condition::Degraded,
        }
    }

    fn is_failing(&self) -> bool {
        let mut outcomes = self.items.iter().filter_map(|item| item.last.as_ref()?.outcome).peekable();
        outcomes.peek().is_some() && outcomes.all(|outcome| outcome == "failed")
    }

    /// When it fires next, epoch milliseconds, if anybody will fire it.
    #[must_use]
    pub fn fires_next(&self) -> Option<Millis> {
        self.next_fire.filter(|_| self.condition().fires())
    }

    /// The outcome of the newest fire that has one; of several items, a failure first.
    #[must_use]
    pub fn last_ended(&self) -> Option<(Item, &LastRun)> {
        let ended = self.items.iter().filter_map(|item| Some((item.item, item.last.as_ref()?)));
        let ended = ended.filter(|(_, last)| last.outcome.is_some());
        ended.max_by_key(|(item, last)| (last.fire, last.outcome == Some("failed"), std::cmp::Reverse(*item)))
    }

    /// The items of each owner; `None` while some item has none.
    #[must_use]
    pub fn sharing(&self) -> Option<BTreeMap<&str, Vec<Item>>> {
        let mut owned: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
        for item in &self.items {
            owned.entry(item.owner.as_deref()?).or_default().push(item.item);
        }
        Some(owned)
    }
}
