//! What a server says of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a server works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `alive`, `ready` or `degraded`.
    pub status: String,
}

/// Which program it is. Its version is for those who are signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its name.
    pub name: String,
}
