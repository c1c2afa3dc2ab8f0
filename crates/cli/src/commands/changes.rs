//! `clockwright job history`: what became of a job besides its runs: which instances came and went, and who held it. Instances write it into the
//! event store.

use super::history::{PageArgs, check_span, tell_next};
use super::{Global, Within};
use crate::output::{Failure, instant, or_dash, show, table};
use clap::Args;
use clockwright_events::{ChangeFilter, ChangeRow};
use clockwright_model::{Language, Millis};

#[derive(Debug, Args)]
pub(crate) struct ChangesArgs {
    /// The job's name
    job: String,
    #[command(flatten)]
    within: Within,
    /// Only what happened at this instant or later: 2026-01-31T12:00:00Z, `2026-01-31 12:00` in this machine's zone, or how long
    /// ago, such as 90m
    #[arg(long, value_parser = super::moment)]
    from: Option<Millis>,
    /// Only before this instant
    #[arg(long, value_parser = super::moment)]
    to: Option<Millis>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(global: &Global, args: &ChangesArgs) -> Result<(), Failure> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        check_span(from, to)?;
    }
    let record = global.record(&args.within).await?;
    let filter =
        ChangeFilter { job: Some(args.job.clone()), from: args.from, to: args.to, ..ChangeFilter::default() };
    let answer = record.changes(filter, &args.page).await?;
    let rows: Vec<ChangeRow> = answer.rows.into_iter().map(|listed| listed.row).collect();
    if rows.is_empty() {
        record.tell_nearest(&args.job).await?;
    }
    show(global.output, &rows, |rows| list(rows, global.language()))?;
    tell_next(answer.next.as_deref());
    record.tell_missing(None).await
}

fn list(rows: &[ChangeRow], language: Language) -> String {
    if rows.is_empty() {
        return "nothing on record\n".into();
    }
    let header = ["WHEN", "WHAT", "BY", "WHY", "TOLD BY"];
    let dash = |text: &str| or_dash(Some(text).filter(|text| !text.is_empty()));
    table(
        header,
        rows.iter().map(|row| {
            let what = row.kind.describe(&row.subject, language);
            let own = row.witness == row.subject;
            let witness = if own { "itself".to_owned() } else { row.witness.clone() };
            [instant(row.at), what, dash(&row.by), dash(&row.reason), witness]
        }),
    )
}
