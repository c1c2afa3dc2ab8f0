//! `clockwright drift …`: what others wrote into the registry of a project.

use super::Global;
use super::history::{PageArgs, tell_next};
use crate::output::{Failure, fields, instant, or_dash, show, table};
use clap::{Args, Subcommand};
use clockwright_api::sync::{DriftAsk, DriftView};
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub(crate) enum DriftCommand {
    /// List what others wrote into the registry, and what was done about it, the newest first
    List(ListArgs),
    /// Show one thing that somebody else wrote, word for word
    Get {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this job
    job: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(crate) async fn run(global: &Global, command: DriftCommand) -> Result<(), Failure> {
    let (client, name) = global.within().await?;
    let project = client.project(&name);
    match command {
        DriftCommand::Get { id } => show(global.output, &project.drift(&id).await?.value, one),
        DriftCommand::List(ListArgs { job, page }) => {
            let PageArgs { limit, after } = page;
            let page = project.drifts(&DriftAsk { limit: Some(limit), after, job }).await?.value;
            show(global.output, &page.items, |all| list(all))?;
            tell_next(page.next.as_deref());
            Ok(())
        }
    }
}

/// The settings that differed.
fn keys(changes: &Value) -> String {
    let keys: Vec<&str> = changes.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    keys.join(", ")
}

fn list(all: &[DriftView]) -> String {
    if all.is_empty() {
        return "nobody else wrote anything\n".into();
    }
    table(
        ["FOUND", "JOB", "WHAT", "SETTINGS", "THEN", "ID"],
        all.iter().map(|drift| {
            let found = instant(drift.found_at.0);
            let (kind, verdict) = (drift.kind.clone(), drift.verdict.clone());
            [found, drift.job.clone(), kind, keys(&drift.changes), verdict, drift.id.clone()]
        }),
    )
}

fn one(drift: &DriftView) -> String {
    let mut text = fields([
        ("job", drift.job.clone()),
        ("found", instant(drift.found_at.0)),
        ("what", drift.kind.clone()),
        ("then", drift.verdict.clone()),
        ("done", or_dash(drift.done_at.map(|at| instant(at.0)))),
        ("settings", drift.changes.to_string()),
        ("by", drift.author.to_string()),
    ]);
    if let Some(had) = &drift.had {
        text.push_str(&format!("\n{had}\n"));
    }
    text
}
