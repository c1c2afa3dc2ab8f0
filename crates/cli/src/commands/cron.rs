//! `clockwright cron next`: answers that need no registry.

use super::Global;
use crate::output::{Failure, Format, now, show, talk};
use clap::{Args, Subcommand};
use clockwright_planner::Schedule;
use jiff::Timestamp;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(crate) enum CronCommand {
    /// Print the next instants of a schedule
    Next(NextArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    /// Quartz cron with seconds (`0 0/5 * * * ?`), `@every 30s` or `@once 2026-01-01T00:00:00Z`
    expression: String,
    /// Time zone: an IANA name such as Europe/Berlin, or GMT+8. Default: this machine's
    #[arg(long)]
    tz: Option<String>,
    /// How many instants, 1 to 1000
    #[arg(short, long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    n: u32,
    /// Read the expression as five-field Unix cron (`*/5 * * * *`)
    #[arg(long)]
    unix: bool,
    /// Look after this instant (RFC 3339) instead of now
    #[arg(long)]
    after: Option<Timestamp>,
}

#[derive(Serialize)]
struct Next {
    millis: i64,
    local: String,
    utc: String,
}

pub(crate) fn run(global: &Global, command: CronCommand) -> Result<(), Failure> {
    let CronCommand::Next(args) = command;
    let zone = args.tz.as_deref();
    let schedule = match args.unix {
        true => Schedule::parse_unix(&args.expression, zone),
        false => Schedule::parse(&args.expression, zone),
    };
    let schedule = schedule.map_err(|error| Failure::Usage(error.to_string()))?;
    let shown =
        clockwright_planner::schedule::zone(zone).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut at = args.after.map_or_else(now, Timestamp::as_millisecond);
    let mut found = Vec::new();
    for _ in 0..args.n {
        let Some(next) = schedule.next_after(at) else { break };
        let Ok(instant) = Timestamp::from_millisecond(next) else { break };
        let local = instant.to_zoned(shown.clone()).strftime("%Y-%m-%d %H:%M:%S%.f %Z (%a)").to_string();
        found.push(Next { millis: next, local, utc: instant.to_string() });
        at = next;
    }
    if global.output == Format::Table {
        talk(&schedule.sentence(clockwright_model::Language::English));
    }
    if found.is_empty() {
        talk("this schedule never fires again");
    }
    show(global.output, &found, |found| found.iter().map(|next| format!("{}\n", next.local)).collect())
}
