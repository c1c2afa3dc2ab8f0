//! `clockwright shard …`: single items of a job.

use super::{Global, Sure, confirm, job, moment};
use crate::fleet::{Act, Fleet};
use crate::output::{Failure, instant, now};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::{Done, From};
use clockwright_model::Item;

#[derive(Debug, Subcommand)]
pub(crate) enum ShardCommand {
    /// Leave one item of a job out of its fires, from the next one on
    Disable(ShardArgs),
    /// Let a disabled item fire again
    Enable(ShardArgs),
    /// Say from where an item goes on that is held, because its cursor was deleted, spoilt or lost; `job get` shows which are
    Resume(ResumeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShardArgs {
    /// The job's name
    job: String,
    /// The item's number, from 0
    item: Item,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The job's name
    job: String,
    /// The item's number, from 0. Default: every item of the job that is held
    item: Option<Item>,
    /// `now`: what was due meanwhile is skipped. `last`: the misfire policy decides about it, after the last instant that is known. Or an
    /// instant, such as 2026-03-01T06:00:00Z or 2h (ago), after which instants are due
    #[arg(long, value_parser = from)]
    from: From,
    #[command(flatten)]
    sure: Sure,
}

fn from(text: &str) -> Result<From, String> {
    match text {
        "now" => Ok(From::Now),
        "last" => Ok(From::Last),
        text => {
            let at =
                moment(text).map_err(|error| format!("{error}; `now` and `last` are the other choices"))?;
            if at > now() { Err("it lies in the future".into()) } else { Ok(From::Instant(at)) }
        }
    }
}

pub(crate) async fn run(global: &Global, command: ShardCommand) -> Result<(), Failure> {
    let fleet = global.fleet().await?;
    let result = match &command {
        ShardCommand::Disable(args) => {
            let act = Act::DisableItem(args.item);
            change(global, &*fleet, args, &act, ("disable", "disabled")).await
        }
        ShardCommand::Enable(args) => {
            change(global, &*fleet, args, &Act::EnableItem(args.item), ("enable", "enabled")).await
        }
        ShardCommand::Resume(args) => resume(global, &*fleet, args).await,
    };
    fleet.close().await;
    result
}

async fn change(
    global: &Global,
    fleet: &dyn Fleet,
    ShardArgs { job, item, sure }: &ShardArgs,
    act: &Act,
    (verb, past): (&str, &str),
) -> Result<(), Failure> {
    confirm(*sure, fleet, Some(job), &format!("{verb} item {item} of `{job}`"), act.is_managed()).await?;
    let done = fleet.carry_out(Some(job), act).await?;
    job::report(global, &format!("{past} item {item} of `{job}`"), done)
}

async fn resume(global: &Global, fleet: &dyn Fleet, args: &ResumeArgs) -> Result<(), Failure> {
    let what = args.item.map_or_else(|| "the held items".to_owned(), |item| format!("item {item}"));
    confirm(args.sure, fleet, Some(&args.job), &format!("resume {what} of `{}`", args.job), false).await?;
    let held = match args.item {
        Some(item) => vec![item],
        None => {
            let job = fleet.job(&args.job).await?;
            job.items.iter().filter(|item| item.held.is_some()).map(|item| item.item).collect()
        }
    };
    let mut all = Done::default();
    for item in &held {
        let done =
            fleet.carry_out(Some(&args.job), &Act::ResumeItem { item: *item, from: args.from }).await?;
        all.changed += done.changed;
    }
    let from = match args.from {
        From::Now => "now".to_owned(),
        From::Last => "the last instant that is known".to_owned(),
        From::Instant(at) => instant(at),
    };
    let items: Vec<String> = held.iter().map(ToString::to_string).collect();
    let text = match &items[..] {
        [] => format!("no item of `{}` is held", args.job),
        items => format!("item {} of `{}` goes on from {from}, in a moment", items.join(", "), args.job),
    };
    job::report(global, &text, all)
}
