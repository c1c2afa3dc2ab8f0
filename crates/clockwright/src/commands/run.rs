//! `clockwright run …`: what became of the fires, from the event store of this machine.

use super::Global;
use crate::output::{Failure, instant, or_dash, show, table};
use clap::{Args, Subcommand};
use clockwright_events::{EventStore, OUTCOMES, Page, Query as _, RunFilter, RunRow};
use clockwright_model::RunId;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// List outcomes of fires, newest first
    List(ListArgs),
    /// Show one run
    Get {
        /// The run's id, as `run list` shows it
        id: String,
        #[command(flatten)]
        store: StoreArgs,
    },
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

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this job
    job: Option<String>,
    /// Only of this item
    #[arg(long)]
    item: Option<u32>,
    /// Only with this outcome; may be given several times
    #[arg(long, value_parser = OUTCOMES)]
    outcome: Vec<String>,
    /// At most so many, 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    store: StoreArgs,
}

impl StoreArgs {
    /// Where it reads, for a message: never the address of a database, which may hold a password.
    fn place(&self) -> String {
        self.events.as_ref().map_or_else(|| self.data.display().to_string(), |_| "the database".to_owned())
    }

    async fn open(&self) -> Result<std::sync::Arc<EventStore>, Failure> {
        match &self.events {
            Some(address) => Ok(EventStore::connect_read_only(address).await?),
            None => Ok(EventStore::open_read_only(self.data.join(super::EVENTS_FILE)).await?),
        }
    }
}

pub(crate) async fn run(global: &Global, command: RunCommand) -> Result<(), Failure> {
    match command {
        RunCommand::List(args) => {
            let store = args.store.open().await?;
            let filter =
                RunFilter { job: args.job, item: args.item, outcomes: args.outcome, ..RunFilter::default() };
            let page = store.runs(&filter, &Page::first(args.limit)).await?;
            show(global.output, &page.rows, |rows| list(rows))
        }
        RunCommand::Get { id, store } => {
            let run = RunId::parse(&id).ok_or_else(|| {
                Failure::Usage(format!(
                    "`{id}` is not a run id; it looks like 0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
                ))
            })?;
            let row = store.open().await?.run(run).await?;
            let row = row.ok_or_else(|| {
                Failure::Failed(format!("there is no outcome that run {id} decided in {}", store.place()))
            })?;
            show(global.output, &row, get)
        }
    }
}

fn list(rows: &[RunRow]) -> String {
    if rows.is_empty() {
        return "no outcomes\n".into();
    }
    let header = ["FIRE", "JOB", "ITEM", "OUTCOME", "TOOK", "ATTEMPT", "INSTANCE", "RUN", "REASON"];
    table(
        header,
        rows.iter().map(|row| {
            let count = if row.range_count > 1 {
                format!(" and {} before", row.range_count - 1)
            } else {
                String::new()
            };
            [
                instant(row.fire_time) + &count,
                row.job.clone(),
                row.item.to_string(),
                row.outcome.clone(),
                or_dash(row.start.map(|start| format!("{} ms", row.decided - start))),
                row.attempt.to_string(),
                row.instance.clone(),
                or_dash(row.run_id.as_ref()),
                row.reason.lines().next().unwrap_or_default().to_owned(),
            ]
        }),
    )
}

fn get(row: &RunRow) -> String {
    let fields = [
        ("run", or_dash(row.run_id.as_ref())),
        ("job", row.job.clone()),
        ("item", row.item.to_string()),
        ("fire", instant(row.fire_time)),
        ("source", row.source.clone()),
        ("attempt", row.attempt.to_string()),
        ("token", row.token.to_string()),
        ("instance", row.instance.clone()),
        ("started", or_dash(row.start.map(instant))),
        ("decided", instant(row.decided)),
        ("outcome", row.outcome.clone()),
        ("failure", or_dash(row.failure_kind.as_ref())),
        ("reason", row.reason.clone()),
    ];
    fields.iter().map(|(name, value)| format!("{name:<9} {value}\n")).collect()
}
