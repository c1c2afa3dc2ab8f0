//! `clockwright stats`: how fires ended, from counts that were added up when they ended. No history is read.

use super::history::check_span;
use super::{Global, Within};
use crate::output::{Failure, instant, now, show, table};
use clap::{Args, ValueEnum};
use clockwright_events::{StatisticsRow, Width};
use clockwright_model::Millis;

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Only of this job; counted by hour and by day
    job: Option<String>,
    #[command(flatten)]
    within: Within,
    /// The span that one row counts; hours and days are those of UTC
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// From the span that this instant lies in. Default: an hour of minutes, a day of hours, 30 days
    #[arg(long, value_parser = super::moment)]
    from: Option<Millis>,
    /// To before this instant. Default: now
    #[arg(long, value_parser = super::moment)]
    to: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum By {
    Minute,
    #[default]
    Hour,
    Day,
}

impl By {
    fn width(self) -> Width {
        match self {
            By::Minute => Width::Minute,
            By::Hour => Width::Hour,
            By::Day => Width::Day,
        }
    }

    /// How many spans are shown unless told otherwise.
    fn usual(self) -> Millis {
        match self {
            By::Minute => 60,
            By::Hour => 24,
            By::Day => 30,
        }
    }
}

pub(crate) async fn run(global: &Global, args: StatsArgs) -> Result<(), Failure> {
    if args.job.is_some() && args.by == By::Minute {
        let why = "minutes are counted for all jobs together only; ask for one job by hour or by day";
        return Err(Failure::Usage(why.into()));
    }
    let width = args.by.width();
    // One millisecond more, so that what ends right now is inside.
    let to = args.to.unwrap_or_else(|| now() + 1);
    let from = args.from.unwrap_or_else(|| to.saturating_sub(args.by.usual() * width.millis()));
    check_span(from, to)?;
    let from = width.start_of(from);
    let record = global.record(&args.within).await?;
    let rows = record.stats(args.job.as_deref(), width, from, to).await?;
    if rows.is_empty()
        && let Some(job) = &args.job
    {
        record.tell_nearest(job).await?;
    }
    show(global.output, &rows, |rows| list(rows))?;
    record.tell_missing(Some((from, to))).await
}

fn list(rows: &[StatisticsRow]) -> String {
    if rows.is_empty() {
        return "no outcomes\n".into();
    }
    let header = ["FROM", "SUCCEEDED", "FAILED", "SKIPPED", "COALESCED", "MISSED", "CANCELLED"];
    let line = |at: String, counts: [u64; 6]| {
        let [a, b, c, d, e, f] = counts.map(|count| count.to_string());
        [at, a, b, c, d, e, f]
    };
    let counts = |row: &StatisticsRow| {
        [row.succeeded, row.failed, row.skipped, row.coalesced, row.missed, row.cancelled]
    };
    let mut sum = [0u64; 6];
    for row in rows {
        sum.iter_mut().zip(counts(row)).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }
    let lines = rows.iter().map(|row| line(instant(row.at), counts(row)));
    table(header, lines.chain([line("all".into(), sum)]))
}
