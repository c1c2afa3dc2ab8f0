//! `clockwright audit …`: the journal of a server: who did what, and that nobody changed it since.

use super::Global;
use super::history::{PageArgs, tell_next};
use crate::output::{Failure, instant, or_dash, show, table};
use clap::{Args, Subcommand};
use clockwright_api::journal::{JournalAsk, JournalRecord, Verified};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done, by whom and why, the newest first: in the project that is named, or everywhere
    List(ListArgs),
    /// Follow the chain of hashes from the first record to the last
    Verify {
        /// Also fail unless the chain still has this record, which an earlier look gave as its head: NUMBER:HASH
        #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
        expect: Option<Head>,
    },
}

/// A record that was kept elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    seq: i64,
    hash: String,
}

fn head(text: &str) -> Result<Head, String> {
    let wrong = || "it is a number, a colon and a hash, as `audit verify` says them".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
    let is_hash = !hash.is_empty() && hash.chars().all(|letter| letter.is_ascii_alphanumeric());
    let seq = seq.parse().map_err(|_| wrong())?;
    if is_hash { Ok(Head { seq, hash: hash.to_owned() }) } else { Err(wrong()) }
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this action, for example job.update
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only by the person or the service account of this id
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only about the thing of this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(crate) async fn run(global: &Global, command: AuditCommand) -> Result<(), Failure> {
    let client = global.client()?.client;
    match command {
        AuditCommand::List(ListArgs { action, actor, target, page }) => {
            let PageArgs { limit, after } = page;
            let ask = JournalAsk { limit: Some(limit), after, target, actor, action };
            let page = match &global.project {
                Some(project) => client.project(project).journal(&ask).await?,
                None => client.journal(&ask).await?,
            };
            show(global.output, &page.items, |all| list(all))?;
            tell_next(page.next.as_deref());
            Ok(())
        }
        AuditCommand::Verify { expect } => {
            let verified = client.verify_journal().await?.value;
            show(global.output, &verified, told)?;
            if !verified.holds {
                return Err(Failure::Failed("the journal was changed behind the server's back".into()));
            }
            match expect {
                None => Ok(()),
                Some(expected) => {
                    // The record after it is one less far back than itself: the journal is listed backwards.
                    let after = Some((expected.seq + 1).to_string());
                    let ask = JournalAsk { limit: Some(1), after, ..JournalAsk::default() };
                    let found = client.journal(&ask).await?.value.items.into_iter().next();
                    match found.filter(|record| record.seq == expected.seq && record.hash == expected.hash) {
                        Some(_) => Ok(()),
                        None => Err(Failure::Failed(format!(
                            "the journal does not have record {} with the hash {} any more: it was cut or written anew",
                            expected.seq, expected.hash
                        ))),
                    }
                }
            }
        }
    }
}

fn list(all: &[JournalRecord]) -> String {
    if all.is_empty() {
        return "nothing is on record\n".into();
    }
    table(
        ["SEQ", "WHEN", "WHO", "DID", "TO", "PROJECT", "OUTCOME", "WHY"],
        all.iter().map(|record| {
            let outcome = match record.code.as_str() {
                "" => record.outcome.clone(),
                code => format!("{}: {code}", record.outcome),
            };
            [
                record.seq.to_string(),
                instant(record.at.0),
                record.actor.name.clone(),
                record.action.clone(),
                format!("{} {}", record.target.kind, record.target.name),
                or_dash(record.project.as_ref()),
                outcome,
                record.reason.clone(),
            ]
        }),
    )
}

fn told(verified: &Verified) -> String {
    let word = if verified.holds { "holds" } else { "is broken" };
    let place = verified.broken.as_ref().map_or(String::new(), |broken| format!(" at {broken}"));
    format!("the chain of {} record(s) {word}{place}\nhead {}\n", verified.records, verified.head)
}
