//! `clockwright sync …`: how the registry agrees with a project of a server.

use super::Global;
use super::versions::differences;
use crate::output::{Failure, fields, instant, or_dash, show, table};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use clockwright_api::sync::{Adopt, Adopted, JobState, JobSync, ProjectSync, Side, Unmanaged};

#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Show how the registry agrees with a job, setting by setting, or with all jobs of the project
    Status {
        /// The job's name; without it, the project
        job: Option<String>,
    },
    /// Look at a job in the registry, or at all jobs of the project, and put right what is to be
    Run {
        /// The job's name; without it, the project
        job: Option<String>,
    },
    /// Say which of the two is right, where the registry says something else than the database
    Resolve {
        /// The job's name
        job: String,
        /// The one that is right: what the database says is written, or what the registry has becomes the next version
        #[arg(long, value_parser = PossibleValuesParser::new(["database", "registry"]))]
        take: String,
    },
    /// Say that the registry is the right one, and not an empty or an old one: what the guard held is written
    Confirm,
    /// List the jobs that only the registry has
    Unmanaged,
    /// Take jobs over that only the registry has
    Adopt(AdoptArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// The jobs' names; without any, all that only the registry has
    jobs: Vec<String>,
    /// Only show which they are
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(global: &Global, command: SyncCommand) -> Result<(), Failure> {
    let (client, name) = global.within().await?;
    let project = client.project(&name);
    match command {
        SyncCommand::Status { job: Some(job) } => {
            show(global.output, &project.job(&job).sync().await?.value, of_job)
        }
        SyncCommand::Status { job: None } => show(global.output, &project.sync().await?.value, of_project),
        SyncCommand::Run { job: Some(job) } => {
            show(global.output, &project.job(&job).sync_now().await?.value, of_job)
        }
        SyncCommand::Run { job: None } => show(global.output, &project.sync_now().await?.value, of_project),
        SyncCommand::Resolve { job, take } => {
            let side = if take == "registry" { Side::Registry } else { Side::Database };
            show(global.output, &project.job(&job).resolve(side).await?.value, of_job)
        }
        SyncCommand::Confirm => show(global.output, &project.confirm().await?.value, of_project),
        SyncCommand::Unmanaged => {
            show(global.output, &project.unmanaged().await?.value.0, |all| unmanaged(all))
        }
        SyncCommand::Adopt(AdoptArgs { jobs, dry_run }) => {
            let jobs = (!jobs.is_empty()).then_some(jobs);
            show(global.output, &project.adopt(&Adopt { jobs, dry_run }).await?.value, adopted)
        }
    }
}

fn of_job(sync: &JobSync) -> String {
    let mut text = fields([
        ("state", sync.state.clone()),
        ("why", sync.why.clone()),
        ("written", format!("version {}", sync.base_version)),
        ("agreed", or_dash(sync.synced_at.map(|at| instant(at.0)))),
    ]);
    if !sync.differences.is_empty() {
        text.push('\n');
        text.push_str(&differences(&sync.differences));
    }
    text
}

fn of_project(sync: &ProjectSync) -> String {
    let counts: Vec<String> = sync.counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut text =
        if counts.is_empty() { "no jobs\n".to_owned() } else { format!("{}\n", counts.join(", ")) };
    if sync.held {
        text.push_str("more would be written over than the guard allows: `sync confirm` writes it\n");
    }
    for (title, jobs) in [("not as they should be", &sync.jobs), ("put right just now", &sync.mended)] {
        if !jobs.is_empty() {
            text.push_str(&format!("\n{title}:\n{}", states(jobs)));
        }
    }
    text
}

fn states(jobs: &[JobState]) -> String {
    table(
        ["JOB", "STATE", "WHY"],
        jobs.iter().map(|job| [job.name.clone(), job.state.clone(), job.why.clone()]),
    )
}

fn unmanaged(all: &[Unmanaged]) -> String {
    if all.is_empty() {
        return "none: the server manages every job of the registry\n".into();
    }
    table(
        ["JOB", "LAYOUT", "INSTANCES", "WHY NOT"],
        all.iter().map(|job| {
            let instances = job.instances.len().to_string();
            [job.name.clone(), job.layout.clone(), instances, job.why.clone()]
        }),
    )
}

fn adopted(adopted: &Adopted) -> String {
    let mut text = match adopted.jobs.len() {
        0 => "none\n".to_owned(),
        _ => format!("{}\n", adopted.jobs.join("\n")),
    };
    if !adopted.refused.is_empty() {
        text.push_str(&format!("\nnot these:\n{}", states(&adopted.refused)));
    }
    text
}
