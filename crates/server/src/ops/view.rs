//! Operations and holds as answers show them.

use super::{Place, Progress, Who};
use crate::app::App;
use crate::decide::hold::{Hold, Key};
use crate::http::answer::{Answer, Kept, Rendered};
use crate::http::openapi;
use crate::http::refusal::Answered;
use crate::store::OperationRow;
use clockwright_api::operations::{HoldView, Operation, Outcome};
use clockwright_api::{At, Problem};
use clockwright_fleet::admin::Hold as Node;
use http::StatusCode;
use serde::Deserialize;

/// An operation as an answer: 200 when it is over, 202 with its address while it is not.
#[derive(Debug)]
pub struct Operated {
    value: Operation,
    seq: Option<i64>,
}

impl Operated {
    /// The answer of this operation.
    #[must_use]
    pub fn of(value: Operation) -> Self {
        Self { value, seq: None }
    }

    /// The operation.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.value
    }
}

impl Kept for Operated {}

impl Answer for Operated {
    fn render(self) -> Rendered {
        let goes_on = matches!(self.value.state.as_str(), "running" | "pending");
        let status = if goes_on { StatusCode::ACCEPTED } else { StatusCode::OK };
        let location = goes_on.then(|| format!("/api/v1/operations/{}", self.value.id));
        Rendered { location, seq: self.seq, ..Rendered::json(status, &self.value) }
    }

    fn describe(operation: &mut openapi::Operation) {
        operation.answers::<Operation>(200, "it is over, or it is what would be done");
        operation.answers::<Operation>(202, "it goes on; `Location` says where it is");
    }
}

/// What whoever asked is told: the operation, or why it was not done.
pub(super) fn told(app: &App, row: &OperationRow) -> Answered<Operated> {
    let value = view(app, row);
    if let Some(body) = &value.result.problem {
        return Err(Problem::of(body.clone()).with("operation", &row.id).into());
    }
    Ok(Operated { value, seq: Some(app.catalogue.seq()) })
}

/// What is shown of what was asked, of one job or of many.
#[derive(Debug, Deserialize)]
struct Asked {
    who: Who,
    reason: String,
    #[serde(default)]
    job: String,
}

/// An operation as it is shown.
#[must_use]
pub fn view(app: &App, row: &OperationRow) -> Operation {
    let ask: Option<Asked> = serde_json::from_str(&row.ask).ok();
    let project = app.catalogue.project_of(row.project);
    let result = match &row.answer {
        Some(answer) => serde_json::from_str(answer).unwrap_or_default(),
        None => {
            let progress: Progress = serde_json::from_str(&row.done).unwrap_or_default();
            Outcome {
                still_held: progress.still_held,
                warnings: progress.warnings,
                version: progress.version,
                news: progress.news,
                ..Outcome::default()
            }
        }
    };
    let (job, by, reason) = ask.map(|ask| (ask.job, ask.who.name, ask.reason)).unwrap_or_default();
    Operation {
        id: row.id.clone(),
        kind: row.kind.clone(),
        project: project.map(|project| project.name.clone()).unwrap_or_default(),
        job: Some(job).filter(|job| !job.is_empty()),
        state: row.state.word().to_owned(),
        by,
        reason,
        at: At(row.at),
        ended_at: row.ended.map(At),
        result,
    }
}

/// A hold as it is shown.
#[must_use]
pub fn hold_view(app: &App, hold: &Hold) -> HoldView {
    let job = app.catalogue.job_of(hold.key.job).map(|job| job.name.clone());
    HoldView {
        job,
        scope: hold.key.scope.word().to_owned(),
        target: match hold.key.scope {
            crate::decide::hold::Scope::Job => String::new(),
            _ => hold.key.target.clone(),
        },
        kind: hold.key.kind.word().to_owned(),
        origin: hold.origin.word().to_owned(),
        by: hold.by_name.clone(),
        at: At(hold.at),
        reason: hold.reason.clone(),
    }
}

/// A hold in a word, for the journal.
pub(super) fn key_text(key: &Key) -> String {
    let place = if key.target.is_empty() { String::new() } else { format!(" {}", key.target) };
    format!("{} {}{place}", key.kind.word(), key.scope.word())
}

/// A node that is to be written, in a line.
pub(super) fn node(place: &Place, step: &Node) -> String {
    let says = match step {
        Node::Paused(Some(note)) => note.describe(),
        Node::Host { disabled: true, .. } => "DISABLED".to_owned(),
        Node::Host { disabled: false, .. } => "enabled".to_owned(),
        Node::Drained { drained: true, .. } | Node::Item { disabled: true, .. } => "made".to_owned(),
        Node::Paused(None) | Node::Drained { .. } | Node::Item { .. } => "deleted".to_owned(),
    };
    format!("{}: {} := {says}", place.name, step.key())
}
