//! `clockwright silence …`: alerts that are recorded and not sent for a while.

use super::alert::{conditions, severities};
use super::project::{checked, optional};
use super::{Global, valid_until};
use crate::output::{Failure, instant, now, show, table, talk};
use clap::{Args, Subcommand};
use clockwright_api::alerts::{Condition, Day, Severity, Silence, SilenceAsk, Weekly};
use clockwright_api::text::{Name, Pattern, Reason};
use clockwright_api::{At, Etag};
use clockwright_model::Millis;
use jiff::tz::TimeZone;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum SilenceCommand {
    /// List silences that are not over
    List,
    /// Keep alerts of the project from being sent for a while; they are recorded all the same
    Create(Box<CreateArgs>),
    /// End a silence: what is still open is sent again
    Remove {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// How long from now on, for example 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = super::duration, required_unless_present = "until")]
    long: Option<Duration>,
    /// Until this instant: 2026-01-31T12:00:00Z, or `2026-01-31 12:00` in this machine's zone
    #[arg(long, value_name = "INSTANT", value_parser = to_come, conflicts_with = "long")]
    until: Option<Millis>,
    /// Only from this instant on. Default: at once
    #[arg(long, value_name = "INSTANT", value_parser = to_come, requires = "until")]
    from: Option<Millis>,
    /// Only at these times of the week: days, hours and a zone, for example `fri,sat 22:00-06:00 Asia/Shanghai`. Without a zone, this
    /// machine's
    #[arg(long, value_name = "TIMES", value_parser = weekly)]
    weekly: Option<Weekly>,
    /// Only alerts of jobs whose names fit this pattern, in which `*` stands for any letters
    #[arg(long, value_name = "PATTERN")]
    jobs: Option<String>,
    /// Only alerts of this condition; may be given several times
    #[arg(long, value_parser = conditions())]
    condition: Vec<String>,
    /// Only alerts of this severity; may be given several times
    #[arg(long, value_parser = severities())]
    severity: Vec<String>,
    /// Of all projects, and of the servers themselves
    #[arg(long)]
    all_projects: bool,
    /// Why, for the others
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) async fn run(global: &Global, command: SilenceCommand) -> Result<(), Failure> {
    let target = global.client()?;
    let alerts = target.client.alerts();
    match command {
        SilenceCommand::List => show(global.output, &alerts.silences().await?.value.0, |all| list(all)),
        SilenceCommand::Create(args) => {
            let project = if args.all_projects { None } else { Some(target.project().await?) };
            let made = alerts.make_silence(&asked(&args, project.as_ref())?).await?.value;
            show(global.output, &made, |made| list(std::slice::from_ref(made)))
        }
        SilenceCommand::Remove { id } => {
            let there = alerts.silences().await?.value.0;
            let found = there.iter().find(|silence| silence.id == id);
            let missing = || Failure::Failed(format!("there is no silence `{id}`, or it is over"));
            alerts.end_silence(&id, Etag(found.ok_or_else(missing)?.version)).await?;
            talk("the silence is over");
            Ok(())
        }
    }
}

fn asked(args: &CreateArgs, project: Option<&String>) -> Result<SilenceAsk, Failure> {
    let ends_at = match (args.long, args.until) {
        (Some(long), _) => valid_until(long),
        (None, until) => At(until.unwrap_or_default()),
    };
    Ok(SilenceAsk {
        project: optional("--project", project, Name::new)?,
        jobs: optional("--jobs", args.jobs.as_ref(), Pattern::new)?,
        conditions: args.condition.iter().filter_map(|word| Condition::of(word)).collect(),
        severities: args.severity.iter().filter_map(|word| Severity::of(word)).collect(),
        starts_at: args.from.map(At),
        ends_at,
        weekly: args.weekly.clone(),
        reason: checked("--reason", Reason::new(args.reason.as_str()))?,
    })
}

/// An instant that is still to come.
fn to_come(text: &str) -> Result<Millis, String> {
    let at = super::moment(text)?;
    if at > now() { Ok(at) } else { Err("it is over; `--for 2h` is two hours from now on".to_owned()) }
}

/// Times of a week: `fri,sat 22:00-06:00 Asia/Shanghai`. What the hours and the zone may be, the server says.
fn weekly(text: &str) -> Result<Weekly, String> {
    let form = || "it is days, hours and a zone: `fri,sat 22:00-06:00 Asia/Shanghai`".to_owned();
    let mut words = text.split_whitespace();
    let (days, hours) = (words.next().ok_or_else(form)?, words.next().ok_or_else(form)?);
    let (from, to) = hours.split_once('-').ok_or_else(form)?;
    let zone = match words.next() {
        Some(zone) => zone.to_owned(),
        None => TimeZone::system().iana_name().map(ToOwned::to_owned).ok_or_else(|| {
            "this machine's zone has no name: say one behind the hours, such as `Asia/Shanghai`".to_owned()
        })?,
    };
    let day = |word: &str| {
        let known = serde_json::from_value::<Day>(word.to_lowercase().into());
        known.map_err(|_| format!("`{word}` is no day; mon, tue, wed, thu, fri, sat and sun are"))
    };
    let days = days.split(',').map(day).collect::<Result<_, _>>()?;
    if words.next().is_some() {
        return Err(form());
    }
    Ok(Weekly { days, from: from.to_owned(), to: to.to_owned(), zone })
}

fn list(all: &[Silence]) -> String {
    if all.is_empty() {
        return "no silences\n".into();
    }
    table(
        ["QUIET", "PROJECT", "WHAT", "UNTIL", "BY", "WHY", "ID"],
        all.iter().map(|silence| {
            let quiet = match (silence.active, silence.weekly.is_some()) {
                (true, _) => "now".to_owned(),
                (false, true) => "weekly".to_owned(),
                (false, false) => format!("from {}", instant(silence.starts_at.0)),
            };
            let project = silence.project.clone().unwrap_or_else(|| "all".to_owned());
            [
                quiet,
                project,
                what(silence),
                instant(silence.ends_at.0),
                silence.by.clone(),
                silence.reason.clone(),
                silence.id.clone(),
            ]
        }),
    )
}

/// Which alerts are not sent.
fn what(silence: &Silence) -> String {
    let conditions: Vec<&str> = silence.conditions.iter().map(|condition| condition.word()).collect();
    let severities: Vec<&str> = silence.severities.iter().map(|severity| severity.word()).collect();
    let jobs = silence.jobs.clone().unwrap_or_default();
    let mut parts = vec![conditions.join(", "), severities.join(", "), jobs];
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "everything".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_of_the_week_are_read_as_one_says_them() {
        let read = weekly("fri,Sat 22:00-06:00 Asia/Shanghai").unwrap();
        assert_eq!(read.days, [Day::Fri, Day::Sat]);
        assert_eq!((&*read.from, &*read.to, &*read.zone), ("22:00", "06:00", "Asia/Shanghai"));
        assert!(weekly("friday 22:00-06:00 UTC").unwrap_err().contains("`friday` is no day"));
        for text in ["", "fri", "fri 22:00 UTC", "fri 22:00-06:00 UTC more"] {
            assert!(weekly(text).unwrap_err().contains("days, hours and a zone"), "{text}");
        }
    }

    #[test]
    fn an_instant_that_is_over_is_no_end() {
        assert!(to_come("2h").unwrap_err().contains("--for"));
        assert!(to_come("2100-01-01T00:00:00Z").is_ok());
    }
}
