//! What `dev` and `node` put on record and for how long; which event store the commands that look back read, and how they say
//! what it lacks.

use super::Global;
use crate::output::{Failure, instant, talk};
use clap::Args;
use clockwright::scheduler::History;
use clockwright::{Address, KeepLogs, Registry, RunLogs};
use clockwright_api::page::Paging;
use clockwright_events::{EventStore, Page, Query as _, RunFilter};
use clockwright_fleet::leases::Lease;
use clockwright_model::{InstanceId, Millis, nearest};
use std::path::Path;
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

    /// Refuses options for jobs that are not there.
    pub(crate) fn check(&self, names: &[&str]) -> Result<(), Failure> {
        let keep = self.keep_job.iter().map(|(job, _)| ("--keep-job", job));
        let sample = self.sample.iter().filter_map(|(job, _)| Some(("--sample", job.as_ref()?)));
        for (option, job) in keep.chain(sample) {
            if !names.contains(&job.as_str()) {
                let hint = nearest(job, names.iter().copied())
                    .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                return Err(Failure::Usage(format!("{option}: the file has no job `{job}`{hint}")));
            }
        }
        Ok(())
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

/// Where history is that is looked back on.
pub(crate) struct Store<'a> {
    pub(super) data: &'a Path,
    pub(super) events: Option<&'a str>,
}

impl Store<'_> {
    /// Where it reads, for a message: never the address of a database, which may hold a password.
    pub(crate) fn place(&self) -> String {
        self.events.map_or_else(|| self.data.display().to_string(), |_| "the database".to_owned())
    }

    /// What runs printed that kept it in the data folder.
    pub(crate) fn logs(&self) -> RunLogs {
        RunLogs::new(self.data.join(super::LOGS_FOLDER), KeepLogs::default())
    }

    pub(crate) async fn open(&self) -> Result<Arc<EventStore>, Failure> {
        match self.events {
            Some(address) => {
                Ok(super::saying("connecting to the database …", EventStore::connect_read_only(address))
                    .await?)
            }
            None => Ok(EventStore::open_read_only(self.data.join(super::EVENTS_FILE)).await?),
        }
    }
}

/// Says when nothing of a job is on record, but something of one with a near name: a mistyped name must not look like a job that never
/// ran. Which of the two it is, the record alone cannot know.
pub(crate) async fn tell_nearest(store: &EventStore, job: &str) -> Result<(), Failure> {
    let of = |job: Option<&str>| RunFilter {
        jobs: job.map(ToOwned::to_owned).into_iter().collect(),
        ..RunFilter::default()
    };
    if !store.runs(&of(Some(job)), &Page::first(1)).await?.rows.is_empty() {
        return Ok(());
    }
    let newest = store.runs(&of(None), &Page::first(1000)).await?.rows;
    if let Some(near) = nearest(job, newest.iter().map(|row| row.job.as_str())) {
        talk(&format!("nothing of a job `{job}` is on record; did you mean `{near}`?"));
    }
    Ok(())
}

/// Says what an answer does not see, where jobs run on other machines too: what instances keep in stores other than this one.
pub(crate) async fn tell_partial(global: &Global, store: &EventStore) {
    let Some(registry) = global.shared_registry() else { return };
    let answer = tokio::time::timeout(PATIENCE, seen(&registry, store)).await;
    match answer.ok().and_then(Result::ok).unwrap_or(Seen::Unknown) {
        Seen::All => {}
        Seen::But(elsewhere) => {
            let names: Vec<&str> = elsewhere.iter().map(InstanceId::as_str).collect();
            talk(&format!(
                "not in this answer is what these ran, which keep history elsewhere: {}; give all the same --events",
                shortened(&names),
            ));
        }
        Seen::Unknown if global.has_shared_store() => {}
        Seen::Unknown => talk(&format!(
            "this is the record of this machine ({}); what other machines ran is in theirs, or all of it in one database with --events",
            global.data().join(super::EVENTS_FILE).display()
        )),
    }
}

/// How long instances are looked for, in an answer that does without.
const PATIENCE: Duration = Duration::from_secs(3);

/// What of the instances that are there now a store sees.
enum Seen {
    All,
    But(Vec<InstanceId>),
    /// None is there, or one did not know where it keeps history.
    Unknown,
}

async fn seen(registry: &Address, store: &EventStore) -> Result<Seen, Failure> {
    let registry = Registry::open(registry, None).await?;
    let leases = Lease::read_all(&*registry.session().await?, registry.keys()).await?;
    let here = store.identity().await?;
    let keeps_elsewhere = |history: &Vec<String>| !history.is_empty() && !history.contains(&here);
    let elsewhere = leases.iter().filter(|(_, lease)| lease.history.as_ref().is_some_and(keeps_elsewhere));
    let elsewhere: Vec<InstanceId> = elsewhere.map(|(id, _)| id.clone()).collect();
    if !elsewhere.is_empty() {
        return Ok(Seen::But(elsewhere));
    }
    let known = !leases.is_empty() && leases.values().all(|lease| lease.history.is_some());
    Ok(if known { Seen::All } else { Seen::Unknown })
}

/// The first few of many names.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// Which page of a long list.
#[derive(Debug, Clone, Args)]
pub(crate) struct PageArgs {
    /// At most so many, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Go on behind this row: the cursor that the page before ended with
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
}

impl PageArgs {
    /// As a server is asked.
    pub(crate) fn paging(&self) -> Paging {
        Paging { limit: Some(self.limit), after: self.after.clone() }
    }
}

/// A cursor may hold any character of a job's name, so it is quoted for a shell.
pub(crate) fn tell_next(next: Option<&str>) {
    if let Some(next) = next {
        talk(&format!("there is more; go on with --after '{}'", next.replace('\'', "'\\''")));
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
