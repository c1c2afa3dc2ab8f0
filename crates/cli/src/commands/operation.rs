//! `clockwright operation …`: what operators asked a server for, and how far it is.

use super::Global;
use super::history::{PageArgs, tell_next};
use crate::fleet::ended;
use crate::output::{Failure, fields, instant, or_dash, show, table};
use clap::Subcommand;
use clockwright_api::operations::Operation;

#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// List operations, the newest first
    List(PageArgs),
    /// Show how far an operation is
    Get {
        /// Its id
        id: String,
        /// Wait until it is over, and fail if it was not done
        #[arg(long)]
        wait: bool,
    },
    /// Ask for an operation's end before the time; what was done by then stays
    Cancel {
        /// Its id
        id: String,
    },
}

pub(crate) async fn run(global: &Global, command: OperationCommand) -> Result<(), Failure> {
    let client = global.client()?.client;
    match command {
        OperationCommand::List(page) => {
            let page = client.operations(&page.paging()).await?.value;
            show(global.output, &page.items, |all| list(all))?;
            tell_next(page.next.as_deref());
            Ok(())
        }
        OperationCommand::Get { id, wait } => {
            let answer = client.operation(&id).await?;
            let operation = if wait { ended(&client, answer).await? } else { answer.value };
            show(global.output, &operation, one)
        }
        OperationCommand::Cancel { id } => show(global.output, &client.cancel(&id).await?.value, one),
    }
}

fn list(all: &[Operation]) -> String {
    if all.is_empty() {
        return "no operations\n".into();
    }
    table(
        ["BEGAN", "WHAT", "PROJECT", "JOB", "STATE", "BY", "ID"],
        all.iter().map(|one| {
            let (began, job) = (instant(one.at.0), or_dash(one.job.as_ref()));
            let (kind, project) = (one.kind.clone(), one.project.clone());
            [began, kind, project, job, one.state.clone(), one.by.clone(), one.id.clone()]
        }),
    )
}

fn one(operation: &Operation) -> String {
    let result = &operation.result;
    let why = result.problem.as_ref().map(|problem| problem.detail.clone());
    let lines = [
        ("operation", operation.id.clone()),
        ("what", operation.kind.clone()),
        ("project", operation.project.clone()),
        ("job", or_dash(operation.job.as_ref())),
        ("state", operation.state.clone()),
        ("by", operation.by.clone()),
        ("reason", operation.reason.clone()),
        ("began", instant(operation.at.0)),
        ("ended", or_dash(operation.ended_at.map(|at| instant(at.0)))),
        ("changed", result.changed.to_string()),
        ("why not", why.unwrap_or_default()),
    ];
    let nodes = result.nodes.iter().map(|node| ("node", node.clone()));
    let warnings = result.warnings.iter().map(|warning| ("note", warning.clone()));
    fields(lines.into_iter().filter(|(_, value)| !value.is_empty()).chain(nodes).chain(warnings))
}
