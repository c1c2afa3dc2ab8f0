//! What a server says of itself.

use super::{Answered, Client};
use crate::problem::Code;
use crate::system::{Finding, Health, Program, Setting, System};
use crate::{List, paths};
use serde_json::Value;

impl Client {
    /// Whether the server is alive, or is to be started anew.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn alive(&self) -> Answered<Health> {
        self.get(paths::LIVEZ, &[]).or_unwell().json().await
    }

    /// Whether the server may be sent requests.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn ready(&self) -> Answered<Health> {
        self.get(paths::READYZ, &[]).or_unwell().json().await
    }

    /// Whether all is well, and what is not.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn health(&self) -> Answered<Health> {
        self.get(paths::HEALTHZ, &[]).or_unwell().json().await
    }

    /// The same, at the other address that programs which watch over others look for.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn health_too(&self) -> Answered<Health> {
        self.get(paths::HEALTH, &[]).or_unwell().json().await
    }

    /// The metrics, in the text format of Prometheus.
    ///
    /// # Errors
    /// `not-allowed`.
    pub async fn metrics(&self) -> Answered<String> {
        self.get(paths::METRICS, &[]).text().await
    }

    /// The control servers, and which of them leads.
    ///
    /// # Errors
    /// `not-allowed`.
    pub async fn system(&self) -> Answered<System> {
        self.get(paths::SYSTEM, &[]).json().await
    }

    /// What is not as it should be, and what to do about it.
    ///
    /// # Errors
    /// `not-allowed`.
    pub async fn doctor(&self) -> Answered<List<Finding>> {
        self.get(paths::SYSTEM_DOCTOR, &[]).json().await
    }

    /// The configuration in force, without secrets.
    ///
    /// # Errors
    /// `not-allowed`.
    pub async fn configuration(&self) -> Answered<List<Setting>> {
        self.get(paths::SYSTEM_CONFIG, &[]).json().await
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
