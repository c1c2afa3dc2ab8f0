//! An operation of a server, awaited and told.

use crate::output::{Failure, talk};
use clockwright_api::Problem;
use clockwright_api::client::{Answer, Client};
use clockwright_api::operations::{HoldView, Operation};
use std::time::Duration;

/// How long a request waits for the end of its operation.
pub(super) const WAIT: Duration = Duration::from_secs(20);
/// How often it is asked for afterwards.
const LOOK: Duration = Duration::from_millis(500);

/// Waits for an operation's end, tells what whoever asked is to know, and fails when it was not done. What waits for a registry that is away is no
/// failure: it will be done.
pub(crate) async fn ended(client: &Client, answer: Answer<Operation>) -> Result<Operation, Failure> {
    let mut operation = answer.value;
    if operation.state == "running" {
        talk(&format!("operation {} goes on", operation.id));
    }
    while operation.state == "running" {
        tokio::time::sleep(LOOK).await;
        operation = client.operation(&operation.id).await?.value;
    }
    for warning in &operation.result.warnings {
        talk(&format!("note: {warning}"));
    }
    for hold in &operation.result.still_held {
        talk(&format!("note: it still stands still: {}", held(hold)));
    }
    match operation.state.as_str() {
        "failed" | "partial" => Err(failure(&operation)),
        "cancelled" => Err(Failure::Failed(format!("operation {} was cancelled", operation.id))),
        "pending" => {
            talk(&format!(
                "the registry is away: the server does it when it is back; see `clockwright operation get {}`",
                operation.id
            ));
            Ok(operation)
        }
        _ => Ok(operation),
    }
}

fn failure(operation: &Operation) -> Failure {
    if let Some(body) = &operation.result.problem {
        return Problem::of(body.clone()).into();
    }
    let running: Vec<String> = operation.result.running.iter().map(ToString::to_string).collect();
    let left = match (&running[..], &operation.result.nodes[..]) {
        ([], []) => String::new(),
        ([], nodes) => format!("; not done: {}", nodes.join(", ")),
        (running, _) => format!("; still running: item {}", running.join(", ")),
    };
    Failure::Failed(format!("operation {} is only {}{left}", operation.id, operation.state))
}

/// A hold in words.
fn held(hold: &HoldView) -> String {
    let target = if hold.target.is_empty() { String::new() } else { format!(" {}", hold.target) };
    let by = if hold.by.is_empty() { String::new() } else { format!(" by {}", hold.by) };
    let reason = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
    format!("{} of {}{target}{by}{reason}", hold.kind, hold.scope)
}
