//! `clockwright shard …`: single items of a job.

use super::{Global, Sure, confirm, job::report};
use crate::output::Failure;
use clap::{Args, Subcommand};
use clockwright_fleet::admin::Admin;

#[derive(Debug, Subcommand)]
pub(crate) enum ShardCommand {
    /// Leave one item of a job out of its fires, from the next one on
    Disable(ShardArgs),
    /// Let a disabled item fire again
    Enable(ShardArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShardArgs {
    /// The job's name
    job: String,
    /// The item's number, from 0
    item: u32,
    #[command(flatten)]
    sure: Sure,
}

pub(crate) async fn run(global: &Global, command: ShardCommand) -> Result<(), Failure> {
    let (args, disabled) = match command {
        ShardCommand::Disable(args) => (args, true),
        ShardCommand::Enable(args) => (args, false),
    };
    let (registry, session) = global.session().await?;
    let what =
        format!("{} item {} of `{}`", if disabled { "disable" } else { "enable" }, args.item, args.job);
    confirm(args.sure, &*session, registry.keys(), Some(&args.job), &what).await?;
    let done = Admin::new(&*session, registry.keys()).set_item_disabled(&args.job, args.item, disabled).await;
    let _late = session.close().await;
    let word = if disabled { "disabled" } else { "enabled" };
    report(global, &format!("{word} item {} of `{}`", args.item, args.job), done?)
}
