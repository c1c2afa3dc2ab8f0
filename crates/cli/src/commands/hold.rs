//! `clockwright hold list`: what stands still in a project by somebody's wish.

use super::Global;
use crate::output::{Failure, instant, or_dash, show, table};
use clap::Subcommand;
use clockwright_api::operations::HoldView;

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// List what stands still in the project: what, since when, by whom and why
    List,
}

pub(crate) async fn run(global: &Global, HoldCommand::List: HoldCommand) -> Result<(), Failure> {
    let (client, project) = global.within().await?;
    show(global.output, &client.project(&project).holds().await?.value.0, |all| list(all))
}

fn list(all: &[HoldView]) -> String {
    if all.is_empty() {
        return "nothing stands still\n".into();
    }
    table(
        ["JOB", "WHAT", "OF", "SINCE", "BY", "ORIGIN", "WHY"],
        all.iter().map(|hold| {
            let of = format!("{} {}", hold.scope, hold.target).trim_end().to_owned();
            let (job, since) = (or_dash(hold.job.as_ref()), instant(hold.at.0));
            [job, hold.kind.clone(), of, since, hold.by.clone(), hold.origin.clone(), hold.reason.clone()]
        }),
    )
}
