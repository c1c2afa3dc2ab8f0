//! `clockwright run …`: what became of fires, and the single attempts at them, from the event store or from the server that is asked.

use super::history::{PageArgs, check_span, tell_next};
use super::{Global, Within};
use crate::output::{self, Failure, instant, or_dash, short_id, show, span, table};
use crate::record::{Leaf, Listed, Record};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use clockwright_events::answers::RunDetails;
use clockwright_events::{EventStore, ExecutionFilter, ExecutionRow, ExecutionState, RunFilter, RunRow};
use clockwright_model::{ExecutionSource, Item, Millis, OutcomeKind, RunId, Source};
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// List outcomes of fires, or single attempts, newest first
    List(ListArgs),
    /// Show one run: its outcome, where it ran, and the states that its firing went through
    Get {
        /// The run's id, as `run list` shows it: its first characters are enough while only one run has them
        id: String,
    },
    /// Print what a run printed, or prints: from the data folder of the `dev` or `node` that ran it
    Logs(super::logs::LogsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this job
    job: Option<String>,
    #[command(flatten)]
    within: Within,
    /// List every attempt that began, those of Java instances and those that still run included, instead of outcomes of fires
    #[arg(long)]
    attempts: bool,
    /// Only of this item
    #[arg(long)]
    item: Option<Item>,
    /// Only with this outcome; may be given several times
    #[arg(long, value_parser = PossibleValuesParser::new(OutcomeKind::ALL.map(OutcomeKind::as_str)), conflicts_with = "attempts")]
    outcome: Vec<String>,
    /// Only attempts in this state
    #[arg(long, value_enum, requires = "attempts")]
    state: Option<State>,
    /// Only by this instance, for example 10.0.0.1@-@4711
    #[arg(long)]
    instance: Option<String>,
    /// Only of this cause: schedule, misfire, failover, trigger or retry; of attempts NORMAL_TRIGGER, MISFIRE or FAILOVER
    #[arg(long)]
    source: Option<String>,
    /// Only fires due, or attempts begun, at this instant or later: 2026-01-31T12:00:00Z, `2026-01-31 12:00` in this machine's
    /// zone, or how long ago, such as 90m
    #[arg(long, value_parser = super::moment)]
    from: Option<Millis>,
    /// Only before this instant
    #[arg(long, value_parser = super::moment)]
    to: Option<Millis>,
    /// Only with this text in the reason of the outcome, or in the cause of the failure; upper and lower case are the same
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Running,
    Succeeded,
    Failed,
}

pub(crate) async fn run(global: &Global, command: RunCommand) -> Result<(), Failure> {
    match command {
        RunCommand::List(args) if args.attempts => attempts(global, args).await,
        RunCommand::List(args) => outcomes(global, args).await,
        RunCommand::Get { id } => details(global, &id).await,
        RunCommand::Logs(args) => super::logs::run(global, args).await,
    }
}

async fn outcomes(global: &Global, args: ListArgs) -> Result<(), Failure> {
    let source = source(&args, Source::parse, "schedule, misfire, failover, trigger or retry")?;
    check(&args)?;
    let record = global.record(&args.within).await?;
    let filter = RunFilter {
        jobs: args.job.into_iter().collect(),
        item: args.item,
        outcomes: args.outcome.iter().filter_map(|word| OutcomeKind::parse(word)).collect(),
        instance: args.instance,
        source,
        from: args.from,
        to: args.to,
        text: args.text,
        ..RunFilter::default()
    };
    let job = filter.jobs.first().cloned();
    let mut answer = record.runs(filter, &args.page).await?;
    let language = global.language();
    for listed in &mut answer.rows {
        listed.row.reason = listed.row.why().in_language(language);
    }
    show_page(global, &*record, job.as_deref(), answer, list).await
}

async fn attempts(global: &Global, args: ListArgs) -> Result<(), Failure> {
    let source = source(&args, ExecutionSource::parse, "NORMAL_TRIGGER, MISFIRE or FAILOVER")?;
    check(&args)?;
    let record = global.record(&args.within).await?;
    let filter = ExecutionFilter {
        jobs: args.job.into_iter().collect(),
        item: args.item,
        instance: args.instance,
        state: args.state.map(|state| match state {
            State::Running => ExecutionState::Running,
            State::Succeeded => ExecutionState::Succeeded,
            State::Failed => ExecutionState::Failed,
        }),
        source,
        from: args.from,
        to: args.to,
        text: args.text,
        ..ExecutionFilter::default()
    };
    let job = filter.jobs.first().cloned();
    let answer = record.attempts(filter, &args.page).await?;
    show_page(global, &*record, job.as_deref(), answer, list_attempts).await
}

/// Refuses a span that is none.
fn check(args: &ListArgs) -> Result<(), Failure> {
    match (args.from, args.to) {
        (Some(from), Some(to)) => check_span(from, to),
        _ => Ok(()),
    }
}

fn source<S>(args: &ListArgs, parse: fn(&str) -> Option<S>, known: &str) -> Result<Option<S>, Failure> {
    let read = |word: &String| {
        parse(word).ok_or_else(|| Failure::Usage(format!("`{word}` is not a source here; it is {known}")))
    };
    args.source.as_ref().map(read).transpose()
}

/// Shows a page, and says what it does not show.
async fn show_page<R: Serialize>(
    global: &Global,
    record: &dyn Record,
    job: Option<&str>,
    answer: Leaf<R>,
    list: impl FnOnce(&[Listed<R>]) -> String,
) -> Result<(), Failure> {
    if answer.rows.is_empty()
        && let Some(job) = job
    {
        record.tell_nearest(job).await?;
    }
    show(global.output, &answer.rows, |rows| list(rows))?;
    tell_next(answer.next.as_deref());
    record.tell_missing(None).await
}

async fn details(global: &Global, id: &str) -> Result<(), Failure> {
    let record = global.record(&Within::default()).await?;
    show(global.output, &record.run(id).await?, get)
}

/// The run that is meant: by its whole id, or by the first characters of it.
pub(crate) async fn run_id(text: &str, store: &EventStore) -> Result<RunId, Failure> {
    if let Some(run) = whole_or_part(text)? {
        return Ok(run);
    }
    match store.runs_beginning(text, 2).await?.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::Failed(format!("no run on record has an id that begins with {text}"))),
        _ => Err(Failure::Failed(format!("several runs have ids that begin with {text}; give more of it"))),
    }
}

/// A whole id; `None` for what may be the beginning of one.
pub(crate) fn whole_or_part(text: &str) -> Result<Option<RunId>, Failure> {
    if let Some(run) = RunId::parse(text) {
        return Ok(Some(run));
    }
    let is_part = (8..36).contains(&text.len()) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let wrong =
        || format!("`{text}` is not a run id; it looks like 0196a1b2-c3d4-7e5f, as `run list` shows it");
    if is_part { Ok(None) } else { Err(Failure::Usage(wrong())) }
}

fn list(rows: &[Listed<RunRow>]) -> String {
    if rows.is_empty() {
        return "no outcomes\n".into();
    }
    let header = ["FIRE", "JOB", "ITEM", "OUTCOME", "TOOK", "ATTEMPT", "INSTANCE", "RUN", "REASON"];
    table(
        header,
        rows.iter().map(|Listed { row, .. }| {
            let count = if row.range_count > 1 {
                format!(" and {} before", row.range_count - 1)
            } else {
                String::new()
            };
            [
                instant(row.fire_time) + &count,
                row.job.clone(),
                row.item.to_string(),
                row.outcome.to_string(),
                took(row.start, Some(row.decided)),
                row.attempt.to_string(),
                row.instance.clone(),
                or_dash(row.run_id.as_deref().map(short_id)),
                first_line(&row.reason),
            ]
        }),
    )
}

fn list_attempts(rows: &[Listed<ExecutionRow>]) -> String {
    if rows.is_empty() {
        return "no attempts\n".into();
    }
    let header = ["BEGAN", "JOB", "ITEM", "STATE", "TOOK", "SOURCE", "SERVER", "RUN", "CAUSE"];
    table(
        header,
        rows.iter().map(|Listed { row, .. }| {
            [
                or_dash(row.start.map(instant)),
                row.job.clone(),
                row.item.to_string(),
                state(row).to_owned(),
                took(row.start, row.complete),
                row.source.clone(),
                row.ip.clone(),
                short_id(&row.id),
                first_line(row.failure_cause.as_deref().unwrap_or_default()),
            ]
        }),
    )
}

/// Elastic-Job writes a failure whose end came first without the time of its end.
fn state(row: &ExecutionRow) -> &'static str {
    match (row.success, row.complete.is_some() || row.failure_cause.is_some()) {
        (true, _) => "succeeded",
        (false, true) => "failed",
        (false, false) => "running",
    }
}

fn took(start: Option<Millis>, end: Option<Millis>) -> String {
    or_dash(start.zip(end).map(|(start, end)| span(end.saturating_sub(start))))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn get(details: &RunDetails) -> String {
    let mut lines = Vec::new();
    if let Some(row) = &details.outcome {
        lines.extend([
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
            ("outcome", row.outcome.to_string()),
            ("failure", or_dash(row.failure_kind.as_ref())),
            ("reason", row.reason.clone()),
            ("log", or_dash(row.log.as_ref())),
        ]);
    } else if let Some(row) = &details.execution {
        lines.extend([
            ("run", row.id.clone()),
            ("job", row.job.clone()),
            ("item", row.item.to_string()),
            ("source", row.source.clone()),
            ("started", or_dash(row.start.map(instant))),
            ("ended", or_dash(row.complete.map(instant))),
            ("state", state(row).to_owned()),
            ("cause", or_dash(row.failure_cause.as_ref())),
        ]);
    }
    if let Some(row) = &details.execution {
        lines.extend([("host", format!("{} ({})", row.hostname, row.ip)), ("task", row.task_id.clone())]);
    }
    let states = details.states.iter().map(|state| {
        let text =
            format!("{} {} {}", or_dash(state.at.map(instant)), state.state, first_line(&state.message));
        ("state", text.trim_end().to_owned())
    });
    output::fields(lines.into_iter().chain(states))
}
