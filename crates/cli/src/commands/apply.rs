//! `clockwright diff`, `apply` and `export`: the jobs of a project of a server as files have them.
//!
//! Apply shows what the files would change, and asks; what is applied is that plan, and no other: when something has changed in between, it is refused with the new
//! plan. With `--yes` nobody is asked, and what is found is applied, as in a pipeline.

use super::project::checked;
use super::versions::differences;
use super::{Global, Sure, agreed};
use crate::fleet;
use crate::output::{Failure, day_or_time, fields, now, print, show, table, talk};
use clap::Args;
use clockwright_api::client::Client;
use clockwright_api::plan::{Applied, ApplyAsk, Do, Effects, JobPlan, Plan};
use clockwright_api::text::Name;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Which files, and how far they go.
#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Jobs files; - is the standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the files come from, such as a repository's name: it owns the jobs that it defines
    #[arg(long, env = "CLOCKWRIGHT_SOURCE")]
    source: String,
    /// Remove the jobs of this source that the files do not have; what runs of them is waited for
    #[arg(long)]
    prune: bool,
    /// Replace what was changed by hand since
    #[arg(long)]
    force: bool,
    /// Take jobs over that are defined at the server, or by files of another source
    #[arg(long)]
    take_over: bool,
    /// Adopt jobs that only the registry has
    #[arg(long)]
    adopt: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Fail when something is to be changed
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Why, for those who read the journal
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only this job
    job: Option<String>,
}

impl FilesArgs {
    /// The files as one text.
    fn read(&self) -> Result<String, Failure> {
        let texts = self.files.iter().map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(texts.join("\n---\n"))
    }

    fn ask(&self, reason: &str) -> Result<ApplyAsk, Failure> {
        Ok(ApplyAsk {
            source: checked("--source", Name::new(self.source.as_str()))?,
            prune: self.prune,
            force: self.force,
            take_over: self.take_over,
            adopt: self.adopt,
            basis: None,
            reason: fleet::reason(reason)?,
        })
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

async fn plan(client: &Client, project: &str, ask: &ApplyAsk, files: &str) -> Result<Plan, Failure> {
    let plan = client.project(project).plan(&ask.plan(), files).await?.value;
    for note in &plan.notes {
        talk(&format!("note: {note}"));
    }
    Ok(plan)
}

/// What stands against a plan, if something does.
fn stands(plan: &Plan) -> Result<(), Failure> {
    let conflicts: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| change.what == Do::Conflict)
        .map(|change| format!("`{}`: {}", change.job, change.why))
        .collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("nothing can be applied:\n  {}", conflicts.join("\n  "))))
}

fn changes(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| !matches!(change.what, Do::Unchanged | Do::Orphaned))
}

pub(crate) async fn diff(global: &Global, args: &DiffArgs) -> Result<(), Failure> {
    let (files, ask) = (args.files.read()?, args.files.ask("")?);
    let (client, project) = global.within().await?;
    let plan = plan(&client, &project, &ask, &files).await?;
    show(global.output, &plan, told)?;
    stands(&plan)?;
    match args.exit_code && changes(&plan) {
        true => Err(Failure::Failed("the project is not as the files say".into())),
        false => Ok(()),
    }
}

pub(crate) async fn apply(global: &Global, args: &ApplyArgs) -> Result<(), Failure> {
    let (files, mut ask) = (args.files.read()?, args.files.ask(&args.reason)?);
    let (client, project) = global.within().await?;
    if !args.sure.yes {
        let plan = plan(&client, &project, &ask, &files).await?;
        stands(&plan)?;
        talk(&told(&plan));
        if changes(&plan) {
            agreed("Apply it?", "say --yes to apply it without being asked")?;
        }
        ask.basis = Some(plan.basis);
    }
    let applied = client.project(&project).apply(&ask, &files).await?.value;
    for note in &applied.notes {
        talk(&format!("note: {note}"));
    }
    for removal in &applied.removals {
        let job = removal.job.as_deref().unwrap_or_default();
        talk(&format!("`{job}` is being drained and removed: operation {}", removal.id));
    }
    show(global.output, &applied, done)
}

pub(crate) async fn export(global: &Global, args: &ExportArgs) -> Result<(), Failure> {
    let (client, project) = global.within().await?;
    let project = client.project(&project);
    let text = match &args.job {
        Some(job) => project.job(job).yaml().await?.value,
        None => project.export().await?.value,
    };
    print(&text)
}

/// `2 to create, 5 unchanged`.
fn counted(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let words: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if words.is_empty() { "no jobs".to_owned() } else { words.join(", ") }
}

fn told(plan: &Plan) -> String {
    let mut text = String::new();
    for change in plan.changes.iter().filter(|change| change.what != Do::Unchanged) {
        text.push_str(&one(change));
    }
    text.push_str(&format!("{}\n", counted(&plan.counts)));
    text
}

fn one(change: &JobPlan) -> String {
    let why = if change.why.is_empty() { String::new() } else { format!(": {}", change.why) };
    let mut text = format!("{} `{}`{why}\n", change.what.word(), change.job);
    if !change.diff.is_empty() && change.what != Do::Create {
        text.push_str(&differences(&change.diff));
    }
    text.push_str(&fields(effects(&change.effects)));
    for warning in &change.warnings {
        text.push_str(&format!("note: {warning}\n"));
    }
    text.push('\n');
    text
}

fn effects(effects: &Effects) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let at = now();
    let next = |fires: &[clockwright_api::At]| {
        let fires: Vec<String> = fires.iter().take(3).map(|fire| day_or_time(fire.0, at)).collect();
        if fires.is_empty() { "never".to_owned() } else { fires.join(", ") }
    };
    if let Some(fires) = &effects.fires {
        lines.push(("fires", format!("{}, before: {}", next(&fires.after), next(&fires.before))));
    }
    if let Some(items) = &effects.items {
        lines.push(("items", format!("{}, before: {}", items.after, items.before)));
    }
    if effects.moved > 0 {
        lines.push(("moves", format!("{} item(s) get another owner", effects.moved)));
    }
    if !effects.refusing.is_empty() {
        lines.push((
            "refuse",
            format!("{} will not start again: the class is another", effects.refusing.join(", ")),
        ));
    }
    if !effects.not_carried.is_empty() {
        lines.push((
            "not carried",
            format!("{}: the layout has no place for it", effects.not_carried.join(", ")),
        ));
    }
    if !effects.interrupts.is_empty() {
        let items: Vec<String> = effects.interrupts.iter().map(ToString::to_string).collect();
        lines.push(("waits for", format!("item {}, which run now", items.join(", "))));
    }
    lines
}

fn done(applied: &Applied) -> String {
    let mut text = String::new();
    if !applied.changes.is_empty() {
        let rows = applied
            .changes
            .iter()
            .map(|change| [change.job.clone(), change.what.word().to_owned(), change.version.to_string()]);
        text = table(["JOB", "DONE", "VERSION"], rows);
    }
    text.push_str(&format!("{}\n", counted(&applied.counts)));
    let behind: u64 =
        applied.sync.iter().filter(|(state, _)| *state != "written").map(|(_, count)| count).sum();
    if behind > 0 {
        text.push_str(&format!("of {behind} the registry does not say so yet: `sync status`\n"));
    }
    text
}
