//! `clockwright job create`, `edit`, `versions` and `rollback`: what a job of a project is and was. A registry knows only what it is now, so these are
//! asked of a server.

use super::Global;
use super::file::ReadArgs;
use super::project::{optional, tell_sync};
use crate::fleet::reason;
use crate::output::{Failure, fields, instant, or_dash, show, table};
use clap::Args;
use clockwright_api::client::Job;
use clockwright_api::jobs::{Definition, Difference, Rollback, Version, WholeJob};
use clockwright_api::page::Paging;
use clockwright_api::text::Title;
use clockwright_api::{Etag, Page};
use clockwright_model::{JobSettings, nearest};
use clockwright_settings::canonical;
use serde_json::Value;
use std::path::PathBuf;

/// Why a change is made.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Why, for those who read the journal
    #[arg(long, default_value = "")]
    reason: String,
    /// Change a job by hand that files define: it then differs from them until they agree
    #[arg(long = "override")]
    by_hand: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The job's name. Default: the only one in the file
    name: Option<String>,
    /// The jobs file that says what it is; - is the standard input
    #[arg(short, long)]
    file: PathBuf,
    /// A word to find it by; may be given several times
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// The job's name
    name: String,
    /// The jobs file that says what it is to be, as a whole; - is the standard input
    #[arg(short, long)]
    file: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// The job's name
    name: String,
    /// This version, with its settings
    #[arg(long, value_name = "VERSION", conflicts_with = "diff")]
    show: Option<i64>,
    /// What differs from one version to another
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    diff: Vec<i64>,
    /// At most so many, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on behind this row: what the page before ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The job's name
    name: String,
    /// The version whose settings it is to have again
    #[arg(long, value_name = "VERSION")]
    to: i64,
    #[command(flatten)]
    why: Why,
}

/// A job of a file: this one, or the only one.
fn job_of(read: &ReadArgs, path: &std::path::Path, name: Option<&str>) -> Result<JobSettings, Failure> {
    let file = read.read(path)?;
    let names: Vec<String> = file.jobs.iter().map(|job| job.name.as_str().to_owned()).collect();
    let found = match name {
        Some(name) => file.jobs.into_iter().find(|job| job.name.as_str() == name),
        None if names.len() == 1 => file.jobs.into_iter().next(),
        None => {
            let text =
                format!("{} has {} jobs; say which: {}", path.display(), names.len(), names.join(", "));
            return Err(Failure::Usage(text));
        }
    };
    found.ok_or_else(|| {
        let name = name.unwrap_or_default();
        let near = nearest(name, names.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Failure::Usage(format!("{} has no job `{name}`{hint}", path.display()))
    })
}

fn whole(settings: &JobSettings, name: Option<String>, why: &Why) -> Result<WholeJob, Failure> {
    Ok(WholeJob {
        name,
        settings: canonical::to_json(settings),
        tags: Vec::new(),
        owner: None,
        run_time: clockwright_api::jobs::RunTime::default(),
        reason: reason(&why.reason)?,
        by_hand: why.by_hand,
    })
}

pub(crate) async fn create(global: &Global, args: &CreateArgs) -> Result<(), Failure> {
    let settings = job_of(&args.read, &args.file, args.name.as_deref())?;
    let (client, project) = global.within().await?;
    let whole = WholeJob {
        tags: args.tag.clone(),
        owner: optional("--owner", args.owner.as_ref(), Title::new)?,
        ..whole(&settings, Some(settings.name.as_str().to_owned()), &args.why)?
    };
    let made = client.project(&project).make_job(&whole).await?.value;
    tell_sync(&made.sync);
    show(global.output, &made, definition)
}

pub(crate) async fn edit(global: &Global, args: &EditArgs) -> Result<(), Failure> {
    let settings = job_of(&args.read, &args.file, Some(&args.name))?;
    let (client, project) = global.within().await?;
    let job = client.project(&project).job(&args.name);
    let before = job.definition().await?.value;
    // Words and owner are not in the file: they stay.
    let whole = WholeJob {
        tags: before.tags,
        owner: Title::new(before.owner).ok(),
        run_time: before.run_time,
        ..whole(&settings, None, &args.why)?
    };
    let after = job.replace(Etag(before.version), &whole).await?.value;
    tell_sync(&after.sync);
    show(global.output, &after, definition)
}

fn definition(job: &Definition) -> String {
    fields([
        ("job", job.name.clone()),
        ("project", job.project.clone()),
        ("version", job.version.to_string()),
        ("state", job.state.clone()),
        ("registry", job.sync.state.clone()),
    ])
}

pub(crate) async fn list(global: &Global, args: &VersionsArgs) -> Result<(), Failure> {
    let (client, project) = global.within().await?;
    let job = client.project(&project).job(&args.name);
    match (args.show, &args.diff[..]) {
        (Some(number), _) => show(global.output, &job.version(number).await?.value, one),
        (None, [from, to]) => {
            show(global.output, &job.differences(*from, *to).await?.value.0, |all| differences(all))
        }
        (None, _) => page(global, &job, args).await,
    }
}

async fn page(global: &Global, job: &Job<'_>, args: &VersionsArgs) -> Result<(), Failure> {
    let ask = Paging { limit: Some(args.limit), after: args.after.clone() };
    let Page { items, next, .. } = job.versions(&ask).await?.value;
    show(global.output, &items, |items| {
        table(
            ["VERSION", "WHEN", "BY", "FROM", "WHY"],
            items.iter().map(|version| {
                let from = match version.based_on {
                    Some(base) => format!("{} of {base}", version.origin),
                    None => version.origin.clone(),
                };
                let number = version.version.to_string();
                [number, instant(version.at.0), version.by.clone(), from, version.reason.clone()]
            }),
        )
    })?;
    super::history::tell_next(next.as_deref());
    Ok(())
}

fn one(version: &Version) -> String {
    let mut text = fields([
        ("version", version.version.to_string()),
        ("when", instant(version.at.0)),
        ("by", version.by.clone()),
        ("why", version.reason.clone()),
    ]);
    text.push('\n');
    let settings = version.settings.as_ref().and_then(|settings| serde_json::to_string_pretty(settings).ok());
    text.push_str(&version.yaml.clone().or(settings).unwrap_or_default());
    text
}

pub(super) fn differences(all: &[Difference]) -> String {
    if all.is_empty() {
        return "nothing differs\n".into();
    }
    table(
        ["SETTING", "BEFORE", "AFTER"],
        all.iter().map(|one| [one.key.clone(), value(one.before.as_ref()), value(one.after.as_ref())]),
    )
}

fn value(value: Option<&Value>) -> String {
    or_dash(value.map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }))
}

pub(crate) async fn roll_back(global: &Global, args: &RollbackArgs) -> Result<(), Failure> {
    let (client, project) = global.within().await?;
    let job = client.project(&project).job(&args.name);
    let version = Etag(job.definition().await?.version);
    let to = Rollback { version: args.to, reason: reason(&args.why.reason)?, by_hand: args.why.by_hand };
    let after = job.roll_back(version, &to).await?.value;
    tell_sync(&after.sync);
    show(global.output, &after, definition)
}
