//! What an engine leaves behind when it ends.

use clockwright_model::{Item, JobName};
use std::fmt;

/// How an engine ended, and what it could not give back: nothing, unless the registry could not be reached, or there was no time. Others
/// take it over when the session has timed out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Departure {
    /// The jobs of which something is left.
    pub not_given_back: Vec<NotGivenBack>,
    /// The session is over for sure.
    pub session_closed: bool,
}

/// What of a job an instance could not give back when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotGivenBack {
    /// The job.
    pub job: JobName,
    /// The items whose runs have no outcome yet, ascending; those runs were ended. An item that is taken over may run once more.
    pub running: Vec<Item>,
}

/// `2 items of `report``, or `the registration of `report`` where nothing ran.
impl fmt::Display for NotGivenBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.running.len() {
            0 => write!(f, "the registration of `{}`", self.job),
            1 => write!(f, "1 item of `{}`", self.job),
            count => write!(f, "{count} items of `{}`", self.job),
        }
    }
}
