//! `clockwright alert …`: what is the matter, as a server sees it, and who has taken it up.

use super::Global;
use super::history::{PageArgs, tell_next};
use super::project::optional;
use crate::output::{Failure, fields, instant, or_dash, show, table};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use clockwright_api::alerts::{Ack, Alert, AlertsAsk, Condition, Severity};
use clockwright_api::text::Reason;
use clockwright_model::Language;

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List alerts, the newest first: those that are open, in the project that is named, or everywhere
    List(ListArgs),
    /// Show an alert, and what it is made of
    Get {
        /// Its id
        id: String,
    },
    /// Take an alert up: it is not told again while it is open
    Ack {
        /// Its id
        id: String,
        /// For the others: what you are about to do
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Give an alert back: it is told again
    Unack {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this job
    job: Option<String>,
    /// Only in this state; open is firing or acked
    #[arg(long, default_value = "open", value_parser = PossibleValuesParser::new(["open", "firing", "acked", "resolved", "all"]))]
    state: String,
    /// Only of this condition
    #[arg(long, value_parser = conditions())]
    condition: Option<String>,
    /// Only of this severity
    #[arg(long, value_parser = severities())]
    severity: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// The words of conditions.
pub(super) fn conditions() -> PossibleValuesParser {
    PossibleValuesParser::new(Condition::ALL.iter().map(|condition| condition.word()))
}

/// The words of severities.
pub(super) fn severities() -> PossibleValuesParser {
    PossibleValuesParser::new(Severity::ALL.map(Severity::word))
}

pub(crate) async fn run(global: &Global, command: AlertCommand) -> Result<(), Failure> {
    let target = global.client()?;
    let alerts = target.client.alerts();
    let language = global.language();
    let shown = |alert: &Alert| show(global.output, alert, |alert| one(alert, language));
    match command {
        AlertCommand::List(ListArgs { job, state, condition, severity, page }) => {
            // A job is one of a project; without one the project narrows what is asked only where it is named.
            let project = match &job {
                Some(_) => Some(target.project().await?),
                None => global.project.clone(),
            };
            let state = Some(state).filter(|state| state != "all");
            let PageArgs { limit, after } = page;
            let ask = AlertsAsk { project, job, state, condition, severity, limit: Some(limit), after };
            let page = alerts.list(&ask).await?.value;
            show(global.output, &page.items, |all| list(all, language))?;
            tell_next(page.next.as_deref());
            Ok(())
        }
        AlertCommand::Get { id } => shown(&alerts.show(&id).await?.value),
        AlertCommand::Ack { id, note } => {
            let note = optional("--note", note.as_ref(), Reason::new)?;
            shown(&alerts.ack(&id, &Ack { note }).await?.value)
        }
        AlertCommand::Unack { id } => shown(&alerts.unack(&id).await?.value),
    }
}

fn list(all: &[Alert], language: Language) -> String {
    if all.is_empty() {
        return "no alerts\n".into();
    }
    table(
        ["SINCE", "SEVERITY", "STATE", "PROJECT", "WHAT", "ID"],
        all.iter().map(|alert| {
            let state = match &alert.ack {
                Some(ack) if alert.ended_at.is_none() => format!("{} by {}", alert.state, ack.by),
                _ => alert.state.clone(),
            };
            let what = alert.condition.say(&alert.params, language);
            let (since, severity) = (instant(alert.at.0), alert.severity.word().to_owned());
            [since, severity, state, or_dash(alert.project.as_ref()), what, alert.id.clone()]
        }),
    )
}

fn one(alert: &Alert, language: Language) -> String {
    let ack = alert.ack.as_ref();
    let lines = [
        ("alert", alert.id.clone()),
        ("what", alert.condition.say(&alert.params, language)),
        ("condition", format!("{}: {}", alert.condition, alert.condition.means())),
        ("severity", alert.severity.word().to_owned()),
        ("state", alert.state.clone()),
        ("project", or_dash(alert.project.as_ref())),
        ("job", or_dash(alert.job.as_ref())),
        ("since", instant(alert.at.0)),
        ("last", format!("{}, {} time(s)", instant(alert.last_at.0), alert.count)),
        ("over", or_dash(alert.ended_at.map(|at| instant(at.0)))),
        ("acked", or_dash(ack.map(|ack| format!("by {} at {}", ack.by, instant(ack.at.0))))),
        ("note", ack.map(|ack| ack.note.clone()).unwrap_or_default()),
        ("rule", alert.rule.clone()),
    ];
    fields(lines.into_iter().filter(|(_, value)| !value.is_empty()))
}
