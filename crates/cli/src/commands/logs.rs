//! `clockwright run logs`: what a run printed, or prints.
//!
//! What runs print is kept in the data folder of the instance that runs them, and shows there a moment later. The event store is asked
//! for what a log does not tell: which run of a job was the last, where the log of one that has ended is, and whether one that has printed
//! nothing will still do so.

use super::Global;
use super::history::Store;
use super::run::{run_id, whole_or_part};
use crate::fleet::only_direct;
use crate::output::{Failure, Format, show, talk, visible};
use clap::Args;
use clockwright::RunLogs;
use clockwright_events::{EventStore, ExecutionFilter, Page, Query as _, RunFilter, RunRow};
use clockwright_model::{Item, JobName, Millis, RunId};
use clockwright_runtime::{LogPosition, LogState, RunLog};
use encoding_rs::{Decoder, Encoding, UTF_8};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run's id, as `run list` shows it, or its first characters; or a job, for its last run
    #[arg(value_name = "RUN|JOB")]
    which: String,
    /// Of a job, the last run of this item
    #[arg(long)]
    item: Option<Item>,
    /// Go on with what is printed from now on, until the run ends
    #[arg(short, long)]
    follow: bool,
    /// In what character set the run prints, for example gbk. Default: UTF-8; what goes into a file or a pipe stays as it came
    #[arg(long, value_parser = encoding, value_name = "NAME")]
    encoding: Option<&'static Encoding>,
}

fn encoding(name: &str) -> Result<&'static Encoding, String> {
    let unknown = || {
        "it is a character set of the Web, for example gbk, big5, shift_jis, windows-1252 or utf-16le"
            .to_owned()
    };
    Encoding::for_label(name.as_bytes()).ok_or_else(unknown)
}

/// What a run printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    run_id: String,
    text: String,
}

pub(crate) async fn run(global: &Global, args: LogsArgs) -> Result<(), Failure> {
    let output = global.output;
    if global.server_named().is_some() {
        return Err(only_direct("what a run printed, which is on the machine that ran it,"));
    }
    if args.follow && output == Format::Json {
        return Err(Failure::Usage("--follow prints lines as they come, and has no JSON".into()));
    }
    // The log is a file of this machine: it is worth a look whatever has become of the database.
    let place = global.store();
    let store = place.open().await;
    let run = match (whole_or_part(&args.which), &store) {
        (Ok(Some(run)), _) => run,
        // What looks like the beginning of an id may be a job's name after all.
        (Ok(None), Ok(open)) => match run_id(&args.which, open).await {
            Ok(run) => run,
            Err(unknown) => last_run(Ok(open), &place, &args).await.map_err(|_| unknown)?,
        },
        _ => last_run(store.as_deref(), &place, &args).await?,
    };
    let view = View { run, logs: place.logs(), place: place.place(), store };
    let mut printer = Printer::new(args.encoding);
    if args.follow {
        return view.follow(&mut printer).await;
    }
    let Some(log) = view.read().await? else { return Err(view.nothing().await) };
    match log.state() {
        LogState::Running => talk(&format!("run {run} goes on; --follow shows what it prints from now on")),
        LogState::CutOff => talk(&cut_off(run)),
        LogState::Ended => {}
    }
    match output {
        Format::Json => {
            let printed = log.after(0);
            let (text, ..) = args.encoding.unwrap_or(UTF_8).decode(&printed);
            show(output, &Log { run_id: run.to_string(), text: text.into_owned() }, |log| log.text.clone())
        }
        Format::Table => {
            printer.print(&log.after(0))?;
            printer.end()
        }
    }
}

fn cut_off(run: RunId) -> String {
    format!(
        "run {run} has no end: the process that ran it died, and this is what had come of its output by then"
    )
}

/// The run of a job that began last.
async fn last_run(
    store: Result<&EventStore, &Failure>,
    place: &Store<'_>,
    args: &LogsArgs,
) -> Result<RunId, Failure> {
    let job = &args.which;
    JobName::new(job)
        .map_err(|error| Failure::Usage(format!("`{job}` is no run id and no name of a job: {error}")))?;
    let store = store.map_err(|failure| {
        let why = failure.code().1.unwrap_or_default();
        Failure::Unreachable(format!(
            "`{job}` is no run id, and which run of a job was the last is not known: {why}"
        ))
    })?;
    let page = Page::first(1);
    let attempts = ExecutionFilter { jobs: vec![job.clone()], item: args.item, ..ExecutionFilter::default() };
    let attempt = store.executions(&attempts, &page).await?.rows.into_iter().next();
    let attempt = attempt.map(|row| (row.start.unwrap_or(Millis::MIN), row.id));
    // Of a job whose traces are kept for few of its firings, an outcome may be newer.
    let outcomes = RunFilter { jobs: vec![job.clone()], item: args.item, ..RunFilter::default() };
    let outcomes = store.runs(&outcomes, &Page::first(100)).await?.rows.into_iter();
    let outcomes = outcomes.filter_map(|row| Some((row.start?, row.run_id?)));
    let last = attempt.into_iter().chain(outcomes).max();
    last.and_then(|(_, id)| RunId::parse(&id)).ok_or_else(|| {
        let of = args.item.map_or(String::new(), |item| format!(" of item {item}"));
        Failure::Failed(format!(
            "`{job}` is no run id, and no run{of} of a job of that name is on record in {}",
            place.place()
        ))
    })
}

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(250);
/// Every so many looks, the store is asked whether a run that prints nothing has ended.
const ASK: u32 = 4;

/// One run, and where to look for it.
struct View {
    run: RunId,
    store: Result<Arc<EventStore>, Failure>,
    logs: RunLogs,
    place: String,
}

impl View {
    /// What is known of the run's outcome.
    async fn row(&self) -> Option<RunRow> {
        self.store.as_ref().ok()?.run(self.run).await.ok()?
    }

    async fn read(&self) -> Result<Option<RunLog>, Failure> {
        let position = self.row().await.and_then(|row| row.log).and_then(|log| LogPosition::parse(&log));
        self.logs.read(self.run, position.as_ref()).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot read {}: {error}", self.logs.folder().display()))
    }

    async fn follow(&self, printer: &mut Printer) -> Result<(), Failure> {
        let (mut shown, mut seen) = (0, false);
        for look in 0u32.. {
            if let Some(log) = self.logs.running(self.run).map_err(|error| self.unreadable(&error))? {
                seen = true;
                printer.print(&log.after(shown))?;
                shown = log.total();
                if log.state() == LogState::CutOff {
                    printer.end()?;
                    talk(&cut_off(self.run));
                    return Ok(());
                }
            } else if seen || look % ASK == 0 {
                // It has ended, or has printed nothing yet.
                if let Some(log) = self.read().await? {
                    if log.state() == LogState::Ended {
                        printer.print(&log.after(shown))?;
                        return printer.end();
                    }
                } else if seen || !self.goes_on().await {
                    return Err(self.nothing().await);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether the run may still print.
    async fn goes_on(&self) -> bool {
        let Ok(store) = &self.store else { return false };
        match (store.run(self.run).await, store.execution(self.run).await) {
            (Ok(None), Ok(Some(row))) => row.complete.is_none() && row.failure_cause.is_none(),
            // A store that does not answer knows nothing about the run.
            (Err(_), _) | (_, Err(_)) => true,
            (Ok(_), Ok(_)) => false,
        }
    }

    /// Why there is nothing to show.
    async fn nothing(&self) -> Failure {
        let (run, folder, place) = (self.run, self.logs.folder().display(), &self.place);
        if let Err(failure) = &self.store {
            let why = failure.code().1.unwrap_or_default();
            return Failure::Unreachable(format!(
                "no log of run {run} is in {folder}, and what became of it is not known: {why}"
            ));
        }
        Failure::Failed(match self.row().await {
            Some(RunRow { log: Some(position), instance, .. }) => format!(
                "the log of run {run} is not in {folder}: instance {instance} wrote it, as {position} in the folder `logs` of its data \
                 folder, where it stays until it is too old or too much"
            ),
            Some(row) => format!("run {run} printed nothing that instance {} kept", row.instance),
            None if self.goes_on().await => {
                format!(
                    "run {run} goes on and has printed nothing so far, or on another machine; --follow waits for it"
                )
            }
            None => format!("there is no run {run} in {place}, and no log of it in {folder}"),
        })
    }
}

/// Prints what runs print: as it came, or, for eyes, as text.
struct Printer {
    /// Nothing: bytes go out as they came.
    decoder: Option<Decoder>,
    for_eyes: bool,
    within_line: bool,
}

impl Printer {
    fn new(encoding: Option<&'static Encoding>) -> Self {
        let for_eyes = io::stdout().is_terminal();
        let encoding = encoding.or(for_eyes.then_some(UTF_8));
        Self {
            decoder: encoding.map(Encoding::new_decoder_without_bom_handling),
            for_eyes,
            within_line: false,
        }
    }

    fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.pass(bytes, false)
    }

    fn pass(&mut self, bytes: &[u8], last: bool) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let text;
        let bytes = match &mut self.decoder {
            None => bytes,
            Some(decoder) => {
                let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len());
                let mut decoded = String::with_capacity(room);
                let _ = decoder.decode_to_string(bytes, &mut decoded, last);
                text = if self.for_eyes { visible(&decoded).into_owned() } else { decoded };
                text.as_bytes()
            }
        };
        if let Some(byte) = bytes.last() {
            self.within_line = *byte != b'\n';
            out.write_all(bytes)?;
            out.flush()?;
        }
        Ok(())
    }

    /// Ends the last line, so that what follows on a terminal stands on its own.
    fn end(&mut self) -> Result<(), Failure> {
        self.pass(&[], true)?;
        if self.within_line {
            io::stdout().lock().write_all(b"\n")?;
        }
        Ok(())
    }
}
