//! What the `paused` node of a job says: who paused it, when and why.

use clockwright_model::Millis;
use serde::{Deserialize, Serialize};

/// What the `paused` node says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PauseNote {
    /// When, epoch milliseconds.
    #[serde(default)]
    pub at: Millis,
    /// Who.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// It is a drain: whoever triggers the job by hand ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain: bool,
    /// What runs of the job is to be stopped at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kill: bool,
}

impl PauseNote {
    /// Reads the node; data that somebody else wrote makes a note without words.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        serde_json::from_slice(data).unwrap_or_default()
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("paused{by}{reason}")
    }
}
