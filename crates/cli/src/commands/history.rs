//! What `dev` and `node` put on record and for how long; which event store the commands that look back read, and how they say
//! what it lacks.

use crate::output::{Failure, instant, talk};
use clap::Args;
use clockwright::scheduler::History;
use clockwright::{KeepLogs, RunLogs};
use clockwright_events::{EventStore, Query as _};
use clockwright_model::Millis;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The options of what runs jobs.
#[derive(Debug, Clone, Args)]
pub(crate) struct HistoryArgs {
    /// How long history is kept, for example 30d
    #[arg(long, default_value = "30d", value_parser = super::duration, value_name = "DURATION")]
    keep: Duration,
    /// How long history of one job is kept, where that is another time: report=365d; may be given several times
    #[arg(long, value_parser = keep_job, value_name = "JOB=DURATION")]
    keep_job: Vec<(String, Duration)>,
    /// Keep only about this many of the newest rows of each table
    #[arg(long, value_name = "ROWS")]
    keep_rows: Option<u64>,
    /// Keep at most about so many MiB of what runs print, and no longer than other history; 0 keeps nothing of it
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    keep_logs: u32,
    /// Put only about one of so many firings of a job on record: poll=100; failures and the outcomes of all fires always are. Without
    /// a job's name it is meant for all that are not named. May be given several times
    #[arg(long, value_parser = sample, value_name = "[JOB=]N")]
    sample: Vec<(Option<String>, u32)>,
}

impl HistoryArgs {
    pub(crate) fn history(self) -> History {
        let mut history = History::default();
        history.keep.age = self.keep;
        history.keep.rows = self.keep_rows;
        history.keep.jobs = self.keep_job.into_iter().collect();
        for (job, one_of) in self.sample {
            match job {
                Some(job) => drop(history.sampling.jobs.insert(job, one_of)),
                None => history.sampling.default = one_of,
            }
        }
        history
    }

    /// Where what runs print is kept, if it is.
    pub(crate) fn logs(&self, data: &Path) -> Option<Arc<RunLogs>> {
        let keep = KeepLogs { age: self.keep, bytes: u64::from(self.keep_logs) << 20 };
        (self.keep_logs > 0).then(|| Arc::new(RunLogs::new(data.join(super::LOGS_FOLDER), keep)))
    }
}

/// A job's name may hold an equals sign; what follows the last one does not.
fn keep_job(text: &str) -> Result<(String, Duration), String> {
    let (job, age) = text.rsplit_once('=').ok_or("it is JOB=DURATION, for example report=365d")?;
    Ok((job.to_owned(), super::duration(age)?))
}

fn sample(text: &str) -> Result<(Option<String>, u32), String> {
    let (job, number) = match text.rsplit_once('=') {
        Some((job, number)) => (Some(job.to_owned()), number),
        None => (None, text),
    };
    let number = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or("it is a whole number from 1 on, perhaps after JOB=, for example poll=100")?;
    Ok((job, number))
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The data folder of the `dev` or `node` whose event store is read
    #[arg(long, env = "CLOCKWRIGHT_DATA", default_value = super::DEFAULT_DATA)]
    data: PathBuf,
    /// The database that `dev` or `node` was told to use, instead of events.db in the data folder
    #[arg(long, env = "CLOCKWRIGHT_EVENTS", hide_env_values = true, value_name = "ADDRESS")]
    events: Option<String>,
}

impl StoreArgs {
    /// Where it reads, for a message: never the address of a database, which may hold a password.
    pub(crate) fn place(&self) -> String {
        self.events.as_ref().map_or_else(|| self.data.display().to_string(), |_| "the database".to_owned())
    }

    /// What runs printed that kept it in the data folder.
    pub(crate) fn logs(&self) -> RunLogs {
        RunLogs::new(self.data.join(super::LOGS_FOLDER), KeepLogs::default())
    }

    pub(crate) async fn open(&self) -> Result<Arc<EventStore>, Failure> {
        match &self.events {
            Some(address) => Ok(EventStore::connect_read_only(address).await?),
            None => Ok(EventStore::open_read_only(self.data.join(super::EVENTS_FILE)).await?),
        }
    }
}

/// Refuses a span that ends before it begins.
pub(crate) fn check_span(from: Millis, to: Millis) -> Result<(), Failure> {
    if from < to {
        return Ok(());
    }
    let hint = if from > to { "; --from comes before --to, and `2h` is two hours ago" } else { "" };
    Err(Failure::Usage(format!("the span from {} to {} is empty{hint}", instant(from), instant(to))))
}

/// Says what was dropped before it could be stored, if anything was, so that nobody takes a hole for the truth.
pub(crate) async fn tell_losses(store: &EventStore, from: Millis, to: Millis) -> Result<(), Failure> {
    for loss in store.losses(from, to).await? {
        talk(&format!(
            "not on record: {} status traces, {} starts and ends, {} outcomes, {} failures, dropped from {} to {}: {}",
            loss.statuses,
            loss.executions,
            loss.settlements,
            loss.failures,
            instant(loss.from),
            instant(loss.to),
            loss.reason,
        ));
    }
    Ok(())
}
