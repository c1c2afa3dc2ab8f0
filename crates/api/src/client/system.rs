//! What a server says of itself.

use super::{Answered, Client};
use crate::paths;
use crate::problem::Code;
use crate::system::{Health, Program};
use serde_json::Value;

impl Client {
    /// Whether the server is alive.
    ///
    /// # Errors
    /// It is not, or cannot be reached.
    pub async fn alive(&self) -> Answered<Health> {
        self.get(paths::LIVEZ, &[]).json().await
    }

    /// Whether the server may be sent requests.
    ///
    /// # Errors
    /// It may not, or cannot be reached.
    pub async fn ready(&self) -> Answered<Health> {
        self.get(paths::READYZ, &[]).json().await
    }

    /// Which program it is.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn version(&self) -> Answered<Program> {
        self.get(paths::VERSION, &[]).json().await
    }

    /// The document of its interface.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn document(&self) -> Answered<Value> {
        self.get(paths::OPENAPI_JSON, &[]).json().await
    }

    /// The page of a problem, HTML.
    ///
    /// # Errors
    /// `not-found`: the server is too old for this code.
    pub async fn problem(&self, code: Code) -> Answered<String> {
        self.get(paths::PROBLEM, &[code.name()]).text().await
    }
}
