//! `clockwright shard …`: single items of a job.

use super::{Global, Sure, confirm, job, moment};
use crate::output::{Failure, instant, now};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::{Admin, Done, From};
use clockwright_fleet::view;
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
    let (job, item, sure, word) = match &command {
        ShardCommand::Disable(args) => (&args.job, Some(args.item), args.sure, "disable"),
        ShardCommand::Enable(args) => (&args.job, Some(args.item), args.sure, "enable"),
        ShardCommand::Resume(args) => (&args.job, args.item, args.sure, "resume"),
    };
    let what = item.map_or_else(|| "the held items".to_owned(), |item| format!("item {item}"));
    let (registry, session) = global.session().await?;
    confirm(sure, &*session, registry.keys(), Some(job), &format!("{word} {what} of `{job}`")).await?;
    let actor = job::actor();
    let admin = Admin::new(&*session, registry.keys()).by(&actor);
    let result = match &command {
        ShardCommand::Disable(args) => disable(global, &admin, args, true).await,
        ShardCommand::Enable(args) => disable(global, &admin, args, false).await,
        ShardCommand::Resume(args) => {
            let held = match args.item {
                Some(item) => vec![item],
                None => {
                    let job = view::job(&*session, registry.keys(), &args.job, now()).await?;
                    job.items.iter().filter(|item| item.held.is_some()).map(|item| item.item).collect()
                }
            };
            resume(global, &admin, args, &held).await
        }
    };
    let _late = session.close().await;
    result
}

async fn disable(
    global: &Global,
    admin: &Admin<'_>,
    args: &ShardArgs,
    disabled: bool,
) -> Result<(), Failure> {
    let done = admin.set_item_disabled(&args.job, args.item, disabled).await?;
    let word = if disabled { "disabled" } else { "enabled" };
    job::report(global, &format!("{word} item {} of `{}`", args.item, args.job), done)
}

async fn resume(global: &Global, admin: &Admin<'_>, args: &ResumeArgs, held: &[Item]) -> Result<(), Failure> {
    let mut all = Done::default();
    for item in held {
        let done = admin.resume_item(&args.job, *item, args.from, None).await?;
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
