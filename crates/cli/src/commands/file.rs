//! The jobs file of a command line, read through one door by all that take one, and `clockwright verify`.

use super::Global;
use crate::output::{Failure, now, show, talk};
use clap::Args;
use clockwright::Job;
use clockwright::jobs_file::{self, JobsFile, Options};
use clockwright_model::JobSettings;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How a jobs file is read.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReadArgs {
    /// Take placeholders such as ${HOST} and ${report.cron:0 0 1 * * ?} from the environment (REPORT_CRON is report.cron); without
    /// it, a file that has some is refused
    #[arg(long)]
    expand: bool,
    /// Of a Spring application.yml: count the documents for this profile, instead of the profiles that the file itself turns on; may
    /// be given several times
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
}

impl ReadArgs {
    /// Reads the file, once, and says what is noted about it. Nothing is started or written when it cannot be used.
    pub(crate) fn read(&self, path: &Path) -> Result<JobsFile, Failure> {
        let variable = |name: &str| std::env::var(name).ok();
        let options = Options {
            environment: if self.expand { Some(&variable) } else { None },
            profiles: &self.profile,
            now: Some(now()),
            ..Options::default()
        };
        let file = jobs_file::read(path, &options).map_err(|error| Failure::Usage(error.to_string()))?;
        for note in &file.notes {
            talk(&format!("note: {}{note}", path.display()));
        }
        if !file.enabled {
            talk(&format!("{}: elasticjob.enabled is false: none of its jobs runs", path.display()));
        }
        Ok(file)
    }
}

/// The jobs of a file. Scripts run in its folder, unless they say where.
pub(crate) fn jobs(file: &JobsFile) -> Result<Vec<Job>, Failure> {
    file.jobs.iter().map(|settings| job(file, settings)).collect()
}

/// One job of a file.
pub(crate) fn job(file: &JobsFile, settings: &JobSettings) -> Result<Job, Failure> {
    let job = Job::from_settings(settings.clone());
    let job = job.map_err(|error| Failure::Usage(format!("job `{}`: {error}", settings.name)))?;
    Ok(job.directory(&file.folder))
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The jobs file; - is the standard input
    file: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Serialize)]
struct Verified {
    job: String,
    schedule: String,
    items: u32,
}

/// Checks a jobs file and nothing else.
pub(crate) fn verify(global: &Global, args: &VerifyArgs) -> Result<(), Failure> {
    let file = args.read.read(&args.file)?;
    jobs(&file)?;
    let scripts = file.jobs.iter().any(|job| matches!(job.kind, clockwright_model::JobKind::Script { .. }));
    if scripts {
        talk(&format!("scripts run in {}, from which their relative paths are meant", file.folder.display()));
    }
    let jobs: Vec<Verified> = file
        .jobs
        .into_iter()
        .map(|job| Verified {
            job: job.name.as_str().to_owned(),
            schedule: job.cron,
            items: job.sharding_total_count,
        })
        .collect();
    show(global.output, &jobs, |jobs| {
        let rows = jobs.iter().map(|job| [job.job.clone(), job.schedule.clone(), job.items.to_string()]);
        crate::output::table(["JOB", "SCHEDULE", "ITEMS"], rows)
    })
}
