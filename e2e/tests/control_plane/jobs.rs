//! The jobs of the scenarios, as clients make them and as the registry has them.

use clockwright_e2e::harness::Plane;
use serde_json::{Value, json};

pub(crate) const JOBS: &str = "/projects/billing/jobs";
/// What jobs are made with: they fire by triggers alone.
pub(crate) const CRON: &str = "0 0 0 1 1 ? 2099";

pub(crate) fn job(name: &str) -> Value {
    json!({ "name": name, "settings": settings(CRON) })
}

pub(crate) fn settings(cron: &str) -> Value {
    json!({ "elasticJobType": "SCRIPT", "cron": cron, "props": { "script.command.line": "true" } })
}

/// What the registry has of a job.
#[track_caller]
pub(crate) fn config(plane: &Plane, job: &str) -> String {
    let config = plane.registry.get(&Plane::config_of(job)).expect("its config is there");
    String::from_utf8(config).unwrap()
}

/// Somebody else changes that.
#[track_caller]
pub(crate) fn disturb(plane: &Plane, job: &str) {
    let changed = config(plane, job).replace(CRON, "0 0 0 3 3 ? 2098");
    plane.registry.set(&Plane::config_of(job), changed.as_bytes());
}
