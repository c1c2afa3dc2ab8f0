//! `clockwright ledger`: every due instant of a job and the one outcome that it has, or that it has none.
//!
//! Outcomes come from the event store, or from the server that is asked. Which instants were due comes from the schedule that the job has now, so
//! instants of a schedule that was edited since appear by their outcomes only.

use super::history::check_span;
use super::{Global, Within};
use crate::output::{Failure, instant, or_dash, short_id, show, table, talk};
use crate::record::{Span, Wanted};
use clap::Args;
use clockwright_events::RunRow;
use clockwright_model::{Item, Language, Millis};
use clockwright_planner::ledger::Balance;
use clockwright_server::ledger::{Open, trigger};
use serde::Serialize;

#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// The job's name
    job: String,
    #[command(flatten)]
    within: Within,
    /// Only of this item
    #[arg(long)]
    item: Option<Item>,
    /// From this instant: 2026-01-31T12:00:00Z, `2026-01-31 12:00` in this machine's zone, or how long ago, such as 90m
    #[arg(long, value_parser = super::moment, default_value = "24h")]
    from: Millis,
    /// To before this instant; what is not due yet is never listed
    #[arg(long, value_parser = super::moment, default_value = "now")]
    to: Millis,
    /// Show only what is on record and do not ask the registry what was due
    #[arg(long)]
    recorded: bool,
    /// About how many outcomes at most, 1 to 100000
    #[arg(short = 'n', long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// One due instant, several in a row that share what became of them, or a trigger.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The first instant.
    from: Millis,
    /// The last instant.
    to: Millis,
    /// How many they are.
    count: u64,
    item: Item,
    /// The id of a trigger by hand.
    trigger: Option<String>,
    /// `None` while there is no outcome.
    outcome: Option<String>,
    /// In words.
    reason: String,
    attempt: Option<u32>,
    run_id: Option<String>,
    instance: Option<String>,
    /// When the outcome was decided.
    decided: Option<Millis>,
}

pub(crate) async fn run(global: &Global, args: LedgerArgs) -> Result<(), Failure> {
    check_span(args.from, args.to)?;
    let record = global.record(&args.within).await?;
    let LedgerArgs { job, item, from, to, recorded, limit, .. } = &args;
    let wanted = Wanted { job, item: *item, from: *from, to: *to, recorded: *recorded, limit: *limit };
    let Span { settled: rows, open, begins, to, balance } = record.ledger(wanted).await?;
    if rows.is_empty() && args.recorded {
        record.tell_nearest(&args.job).await?;
    }
    let language = global.language();
    let mut entries: Vec<Entry> = open.into_iter().map(without).collect();
    entries.extend(rows.into_iter().map(|row| settled(row, language)));
    entries.sort_by_key(|entry| (entry.from, entry.item, entry.to));
    show(global.output, &entries, |entries| list(entries))?;
    if to < args.to {
        talk(&format!("there is more; go on with --from {}", exact(to)));
    }
    if !args.recorded {
        talk(&balance.as_ref().map_or_else(
            || "what runs is not known while the registry is away, so there is no balance".to_owned(),
            summary,
        ));
        if let Some(begins) = begins.filter(|begins| *begins > args.from) {
            talk(&format!(
                "the record of `{}` begins at {}; what was due before is not listed",
                args.job,
                instant(begins)
            ));
        }
    }
    record.tell_missing(Some((args.from, to))).await
}

/// Due instants without an outcome.
fn without(open: Open) -> Entry {
    Entry {
        from: open.from,
        to: open.to,
        count: open.count,
        item: open.item,
        trigger: open.trigger,
        outcome: None,
        reason: open.gap.text().into(),
        attempt: None,
        run_id: None,
        instance: None,
        decided: None,
    }
}

fn settled(row: RunRow, language: Language) -> Entry {
    Entry {
        from: row.begins(),
        to: row.fire_time,
        count: row.range_count,
        item: row.item,
        trigger: trigger(&row),
        outcome: Some(row.outcome.to_string()),
        reason: row.why().in_language(language),
        attempt: Some(row.attempt),
        run_id: row.run_id,
        instance: Some(row.instance),
        decided: Some(row.decided),
    }
}

fn list(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "nothing was due\n".into();
    }
    let header = ["DUE", "ITEM", "OUTCOME", "ATTEMPT", "INSTANCE", "RUN", "REASON"];
    table(
        header,
        entries.iter().map(|entry| {
            let due = match (&entry.trigger, entry.count) {
                (Some(_), _) => format!("{} (by hand)", instant(entry.from)),
                (None, 1) => instant(entry.from),
                (None, count) => {
                    format!("{} to {} ({count} instants)", instant(entry.from), instant(entry.to))
                }
            };
            [
                due,
                entry.item.to_string(),
                entry.outcome.clone().unwrap_or_else(|| "none yet".into()),
                or_dash(entry.attempt),
                or_dash(entry.instance.as_ref()),
                or_dash(entry.run_id.as_deref().map(short_id)),
                entry.reason.lines().next().unwrap_or_default().to_owned(),
            ]
        }),
    )
}

/// `120 due = 118 succeeded + 1 failed + 1 running`: what was due is the sum of what became of it.
fn summary(balance: &Balance) -> String {
    let terms = balance.terms().into_iter().filter(|(_, count)| *count > 0);
    let terms: Vec<String> = terms.map(|(word, count)| format!("{count} {word}")).collect();
    let sum = if terms.is_empty() { String::new() } else { format!(" = {}", terms.join(" + ")) };
    format!("{} due{sum}", balance.due())
}

/// An instant as `--from` takes it back exactly.
fn exact(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}
