//! Fires: the due instants and manual triggers of a job.

use crate::Millis;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One due instant of a job, or one manual trigger. Together with the job's name it is the identity of the fire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fire {
    /// The schedule said so: the due instant.
    Scheduled(Millis),
    /// Somebody asked for it: when, and the id of the request.
    Trigger {
        /// When the request was recorded by the registry.
        at: Millis,
        /// Identity of the request; executing the same id twice for one item is a bug.
        id: String,
    },
}

impl Fire {
    /// The instant that the run is for: what a job should use instead of "now".
    #[must_use]
    pub fn at(&self) -> SystemTime {
        let since = Duration::from_millis(self.time().unsigned_abs());
        if self.time() < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since }
    }

    /// The same in epoch milliseconds.
    #[must_use]
    pub fn time(&self) -> Millis {
        match self {
            Fire::Scheduled(at) | Fire::Trigger { at, .. } => *at,
        }
    }
}

/// `1700000000000` for a due instant, `1700000000000/abc` for trigger `abc`.
impl fmt::Display for Fire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fire::Scheduled(at) => write!(f, "{at}"),
            Fire::Trigger { at, id } => write!(f, "{at}/{id}"),
        }
    }
}

impl std::str::FromStr for Fire {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None => Ok(Fire::Scheduled(text.parse()?)),
            Some((at, id)) => Ok(Fire::Trigger { at: at.parse()?, id: id.to_owned() }),
        }
    }
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// On time, by the schedule.
    Schedule,
    /// Late: makes up for instants that passed while the item was busy or unowned.
    Misfire,
    /// Takes over an attempt whose owner died.
    Failover,
    /// By hand.
    Trigger,
    /// Another attempt after a failed one.
    Retry,
}

impl Source {
    /// The word used in stored records and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Schedule => "schedule",
            Source::Misfire => "misfire",
            Source::Failover => "failover",
            Source::Trigger => "trigger",
            Source::Retry => "retry",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Source::Schedule, Source::Misfire, Source::Failover, Source::Trigger, Source::Retry]
            .into_iter()
            .find(|source| source.as_str() == text)
    }
}
