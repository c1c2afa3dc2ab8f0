//! Why an operation was not carried out.

use super::ATTEMPTS;
use crate::pause::PauseNote;
use crate::view::{InstanceKind, ViewError};
use clockwright_model::{InstanceId, Item, JobName, SettingsError};
use clockwright_registry::{Error, Path};
use std::fmt;
use std::time::Duration;

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The job does not exist, or the registry did not answer.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The job has no such item.
    #[error("job `{job}` has no item {item}; its items are 0 to {}", .count.saturating_sub(1))]
    NoSuchItem {
        /// The job.
        job: JobName,
        /// What was asked for.
        item: Item,
        /// How many it has.
        count: u32,
    },
    /// The item is not held.
    #[error("item {item} of job `{job}` is not held; it goes on by itself")]
    NotHeld {
        /// The job.
        job: JobName,
        /// The item.
        item: Item,
    },
    /// Nobody knows how far the item had come.
    #[error(
        "how far item {item} of job `{job}` had come is not known, since {reason}; say from when on it shall go on, such as --from now"
    )]
    NothingKnown {
        /// The job.
        job: JobName,
        /// The item.
        item: Item,
        /// Why not.
        reason: String,
    },
    /// The item's cursor is not the one that the caller saw.
    #[error(
        "item {item} of job `{job}` has changed meanwhile: its cursor is of version {found}, not {expected}; look at it again"
    )]
    CursorChanged {
        /// The job.
        job: JobName,
        /// The item.
        item: Item,
        /// The version that the caller saw.
        expected: i32,
        /// The version it has now.
        found: i32,
    },
    /// No such server.
    #[error("{place} has no server `{ip}`{}", .nearest.as_ref().map_or(String::new(), |ip| format!("; did you mean `{ip}`?")))]
    NoSuchServer {
        /// The job or the namespace.
        place: String,
        /// What was asked for.
        ip: String,
        /// The one that comes nearest, if one comes near.
        nearest: Option<String>,
    },
    /// The job's `config` cannot be used.
    #[error("the settings of job `{job}` cannot be used: {error}")]
    Settings {
        /// The job.
        job: JobName,
        /// What is wrong.
        error: SettingsError,
    },
    /// The settings are not those that the caller saw.
    #[error(
        "the settings of job `{job}` were changed meanwhile: they are of version {found}, not {expected}; look at them again"
    )]
    Changed {
        /// The job.
        job: JobName,
        /// The version that the caller saw.
        expected: i32,
        /// The version they have now.
        found: i32,
    },
    /// Nobody is there to fire the job.
    #[error("job `{job}` has no instance that could fire; start one")]
    NoInstance {
        /// The job.
        job: JobName,
    },
    /// Something of the job runs.
    #[error("item(s) {} of job `{job}` run now", join(.items))]
    Busy {
        /// The job.
        job: JobName,
        /// Which, ascending.
        items: Vec<Item>,
    },
    /// Somebody has paused the job.
    #[error("job `{job}` is {}", .note.describe())]
    Paused {
        /// The job.
        job: JobName,
        /// Who, when and why.
        note: PauseNote,
    },
    /// An id must be usable as the name of a node.
    #[error(
        "`{0}` is no id for a request: use 1 to 100 letters, digits, `-`, `_` or `.`, the first one a letter or digit"
    )]
    BadId(String),
    /// The id was used for something else.
    #[error("the id `{id}` was used before, for job `{job}`{}", if .by.is_empty() { String::new() } else { format!(", by {by}") })]
    IdInUse {
        /// The id.
        id: String,
        /// For which job.
        job: String,
        /// By whom.
        by: String,
    },
    /// Processes still serve the job: they would make it again, or go on to run what nobody knows of any more.
    #[error("job `{job}` is still served: {}; stop {} first", join(.by), if .by.len() == 1 { "it" } else { "them" })]
    StillServed {
        /// The job.
        job: JobName,
        /// By whom.
        by: Vec<Serving>,
    },
    /// The time was up.
    #[error("after {} s, item(s) {} of job `{job}` still run; the job stays paused", .waited.as_secs(), join(.items))]
    StillRunning {
        /// The job.
        job: JobName,
        /// How long was waited.
        waited: Duration,
        /// Which, ascending.
        items: Vec<Item>,
    },
    /// What was demanded of every commit does not hold any more; nothing was written since.
    #[error("nothing was written: it demands that {0} is as it was, and it is not")]
    Fenced(Path),
    /// Others kept changing the same node.
    #[error("gave up on {0} after {ATTEMPTS} attempts: others keep changing it")]
    Contended(Path),
}

/// An instance that serves a job, and what it still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Its id.
    pub instance: InstanceId,
    /// What it is a process of.
    pub kind: InstanceKind,
    /// What it runs, ascending.
    pub items: Vec<Item>,
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.instance, self.kind.as_str())?;
        if !self.items.is_empty() {
            write!(f, " runs item(s) {}", join(&self.items))?;
        }
        Ok(())
    }
}

fn join<T: fmt::Display>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl From<Error> for AdminError {
    fn from(error: Error) -> Self {
        AdminError::View(ViewError::Registry(error))
    }
}
