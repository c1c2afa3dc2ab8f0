//! A fleet, as commands see and steer it: directly in its registry, or through a server. Which of the two it is, is decided once, by
//! [`Global::fleet`](crate::commands::Global::fleet); commands do not know it. Their JSON has the same members for both; what a server says besides, such
//! as what still stands still, is talk.
//!
//! | | [`direct`] | [`remote`] |
//! |---|---|---|
//! | jobs | those of a namespace of a registry | those of a project of a server that it manages |
//! | a change | is written there, by whoever has the registry's credential | is asked of the server, which may refuse, keeps it on record and sees that it stays so |
//! | of a namespace that a server manages | a wish that something stands still, or other settings, is refused without `--yes`: the server would take it for drift | |

mod direct;
mod outcome;
mod remote;
mod shapes;

pub(crate) use direct::Direct;
pub(crate) use outcome::ended;
pub(crate) use remote::{Remote, only_direct, reason};
pub(crate) use shapes::word;

use crate::output::Failure;
use async_trait::async_trait;
use clockwright_fleet::admin::{Done, From, Triggered};
use clockwright_fleet::view::{Condition, JobBrief, JobView, ServerBrief};
use clockwright_model::{Item, Millis};
use clockwright_settings::table::Setting;
use clockwright_settings::value::Value;
use serde::Serialize;
use std::time::Duration;

/// One job in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) brief: JobBrief,
    pub(crate) condition: Condition,
    pub(crate) last: Option<Last>,
    /// Epoch milliseconds; `None`: never, or nobody would fire it.
    pub(crate) next_fire: Option<Millis>,
}

/// How it ended last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Last {
    pub(crate) outcome: String,
    /// The instant, epoch milliseconds.
    pub(crate) fire: Millis,
    pub(crate) item: Item,
    pub(crate) reason: String,
}

/// Something that an operator does.
#[derive(Debug)]
pub(crate) enum Act {
    Pause {
        reason: String,
    },
    Resume,
    Drain {
        reason: String,
        timeout: Duration,
    },
    Disable {
        host: Option<String>,
    },
    Enable {
        host: Option<String>,
    },
    DisableItem(Item),
    EnableItem(Item),
    /// A held item goes on.
    ResumeItem {
        item: Item,
        from: From,
    },
    Set(Vec<(&'static Setting, Value)>),
    Shutdown {
        target: Option<String>,
    },
    Remove {
        mode: Option<String>,
        reason: String,
    },
}

impl Act {
    /// Whether a server that manages the namespace would set it back: it is other settings, or a wish that something stands still or goes on.
    pub(crate) fn is_managed(&self) -> bool {
        !matches!(self, Act::Shutdown { .. } | Act::ResumeItem { .. })
    }
}

/// See the module.
#[async_trait(?Send)]
pub(crate) trait Fleet {
    /// Where a server is that manages it and that was not asked.
    async fn managed_by(&self) -> Result<Option<String>, Failure>;
    /// How many instances of Elastic-Job serve a job, or with `None` any.
    async fn java_instances(&self, job: Option<&str>) -> Result<usize, Failure>;
    /// A line for each job.
    async fn jobs(&self) -> Result<Vec<Line>, Failure>;
    /// Everything about one job.
    async fn job(&self, name: &str) -> Result<JobView, Failure>;
    /// Every node of a job, with addresses masked or not.
    async fn dump(&self, name: &str, mask: bool) -> Result<String, Failure>;
    /// A line for each host.
    async fn hosts(&self) -> Result<Vec<ServerBrief>, Failure>;
    /// Fires a job; the same `id` within a day fires nothing again.
    async fn trigger(&self, job: &str, id: Option<&str>) -> Result<Triggered, Failure>;
    /// Does something with a job, or with `None` with all jobs of the host that the act names.
    async fn carry_out(&self, job: Option<&str>, act: &Act) -> Result<Done, Failure>;
    /// Says goodbye; the answer does not depend on it.
    async fn close(&self);
}
