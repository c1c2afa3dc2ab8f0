//! The journal, as people read it, and the look at its whole chain.

use super::paging;
use crate::app::App;
use crate::decide::chain::{Link, Walk};
use crate::http::answer::{Found, Reply, flowing, lines};
use crate::http::ask::{Ask as Request, kinds};
use crate::http::grant::Granted;
use crate::http::openapi::Operation;
use crate::http::parts::{Part, Query};
use crate::http::refusal::Answered;
use crate::store::{JournalFilter, StoreError};
use axum::body::{Body, Bytes};
use clockwright_api::At;
use clockwright_api::journal::{JournalActor, JournalAsk, JournalRecord, JournalTarget, Verified};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::{AuditAll, AuditRead};
use futures::stream;
use http::Response;
use std::sync::Arc;

/// In which form the records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Form {
    Page,
    Lines,
    Csv,
}

impl Part for Form {
    fn read(ask: &Request) -> Answered<Self> {
        let accept = ask.header(http::header::ACCEPT).unwrap_or_default();
        let form = kinds(accept).find_map(|kind| match kind {
            "application/x-ndjson" => Some(Self::Lines),
            "text/csv" => Some(Self::Csv),
            _ => None,
        });
        Ok(form.unwrap_or(Self::Page))
    }

    fn describe(operation: &mut Operation) {
        let text = "`application/x-ndjson` or `text/csv` for all records behind `after`, without pages";
        operation.header("Accept", text, false);
    }
}

/// A page, or all records.
pub(in crate::http) enum Records {
    Page(Page<JournalRecord>),
    All(Form, Body),
}

impl Reply for Records {
    fn respond(self) -> Response<Body> {
        match self {
            Self::Page(page) => Found::new(page).respond(),
            Self::All(Form::Csv, body) => flowing("text/csv; charset=utf-8", body),
            Self::All(_, body) => lines(body),
        }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<Page<JournalRecord>>(200, "what was asked for");
    }
}

pub(in crate::http) async fn all(
    app: Arc<App>,
    _: Granted<AuditAll>,
    Query(ask): Query<JournalAsk>,
    form: Form,
) -> Answered<Records> {
    records(app, None, ask, form).await
}

pub(in crate::http) async fn of_project(
    app: Arc<App>,
    who: Granted<AuditRead>,
    Query(ask): Query<JournalAsk>,
    form: Form,
) -> Answered<Records> {
    let project = who.project()?.id;
    records(app, Some(project), ask, form).await
}

async fn records(app: Arc<App>, project: Option<i64>, ask: JournalAsk, form: Form) -> Answered<Records> {
    let limit = paging::limit(ask.limit)?;
    let before = paging::number(ask.after.as_deref(), "number of the journal")?;
    let filter = JournalFilter {
        project,
        target: ask.target,
        actor: ask.actor,
        action: ask.action,
        after: None,
        before,
        limit: limit + 1,
    };
    if form != Form::Page {
        return Ok(Records::All(form, written(app, JournalFilter { limit: BATCH, ..filter }, form)));
    }
    let mut links = app.store.journal(&filter).await?;
    let next = paging::cut(&mut links, limit, |link| link.seq.to_string());
    let items = links.into_iter().map(|link| view(&app, link)).collect();
    Ok(Records::Page(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

/// All records, as quickly as they are read.
fn written(app: Arc<App>, filter: JournalFilter, form: Form) -> Body {
    let head = if form == Form::Csv { COLUMNS.join(",") + "\r\n" } else { String::new() };
    let chunks = stream::try_unfold((app, filter, head), move |(app, mut filter, mut text)| async move {
        let links = app.store.journal(&filter).await?;
        filter.before = links.last().map(|link| link.seq).or(filter.before);
        let is_over = links.is_empty();
        for link in links {
            let record = view(&app, link);
            match form {
                Form::Csv => csv(&record, &mut text),
                _ => {
                    text += &serde_json::to_string(&record).unwrap_or_default();
                    text.push('\n');
                }
            }
        }
        if is_over && text.is_empty() {
            return Ok::<_, StoreError>(None);
        }
        Ok(Some((Bytes::from(text), (app, filter, String::new()))))
    });
    Body::from_stream(chunks)
}

const COLUMNS: [&str; 17] = [
    "seq",
    "at",
    "actorKind",
    "actor",
    "actorName",
    "via",
    "ip",
    "request",
    "action",
    "project",
    "targetKind",
    "target",
    "targetName",
    "outcome",
    "code",
    "changes",
    "reason",
];

/// A record as a line of CSV (RFC 4180).
fn csv(record: &JournalRecord, text: &mut String) {
    let JournalActor { kind, id, name, via, ip, request } = &record.actor;
    let (at, changes) = (String::from(record.at), record.changes.to_string());
    let seq = record.seq.to_string();
    let project = record.project.as_deref().unwrap_or_default();
    let JournalTarget { kind: target_kind, id: target, name: target_name } = &record.target;
    let cells: [&str; COLUMNS.len()] = [
        &seq,
        &at,
        kind,
        id,
        name,
        via,
        ip,
        request,
        &record.action,
        project,
        target_kind,
        target,
        target_name,
        &record.outcome,
        &record.code,
        &changes,
        &record.reason,
    ];
    for (number, content) in cells.into_iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&cell(content));
    }
    text.push_str("\r\n");
}

/// A cell. What a spreadsheet would take for a formula gets an apostrophe before it: names and reasons are written by others.
fn cell(content: &str) -> String {
    let acts = content.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let mark = if acts { "'" } else { "" };
    format!("\"{mark}{}\"", content.replace('"', "\"\""))
}

fn view(app: &App, link: Link) -> JournalRecord {
    let fields = link.fields;
    JournalRecord {
        seq: link.seq,
        at: At(link.at),
        actor: JournalActor {
            kind: fields.actor_kind,
            id: fields.actor,
            name: fields.actor_name,
            via: fields.via,
            ip: fields.ip,
            request: fields.request,
        },
        action: fields.action,
        project: app.catalogue.project_of(fields.project).map(|project| project.name.clone()),
        target: JournalTarget { kind: fields.target_kind, id: fields.target, name: fields.target_name },
        outcome: fields.outcome,
        code: fields.code,
        changes: serde_json::from_str(&fields.changes).unwrap_or_default(),
        reason: fields.reason,
        hash: link.hash,
    }
}

/// How many records are looked at at once.
const BATCH: u32 = 1_000;

pub(in crate::http) async fn verify(app: Arc<App>, _: Granted<AuditAll>) -> Answered<Found<Verified>> {
    // What is appended meanwhile is behind this head.
    let (head, hash) = app.store.head().await?;
    let mut walk = Walk::default();
    let mut records = 0;
    loop {
        let after = walk.last().map_or(0, |(seq, _)| seq);
        if after >= head {
            break;
        }
        let links = app
            .store
            .journal(&JournalFilter { after: Some(after), limit: BATCH, ..JournalFilter::default() })
            .await?;
        if links.is_empty() {
            break;
        }
        for link in links.iter().take_while(|link| link.seq <= head) {
            records += 1;
            if let Err(broken) = walk.step(link) {
                let head = format!("{head}:{hash}");
                return Ok(Found::new(Verified {
                    holds: false,
                    records,
                    head,
                    broken: Some(broken.to_string()),
                }));
            }
        }
    }
    let reached = walk.last().is_some_and(|(seq, last)| seq == head && last == hash) || head == 0;
    let broken = (!reached).then(|| {
        let last = walk.last().map_or(0, |(seq, _)| seq);
        format!("the head says {head}:{hash}, and the last record is {last}: records were cut off, or the head was changed")
    });
    Ok(Found::new(Verified { holds: reached, records, head: format!("{head}:{hash}"), broken }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_no_cell_is_a_formula_and_a_quote_ends_none() {
        for (content, told) in [
            ("plain", "\"plain\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
            ("a\",\"=1", "\"a\"\",\"\"=1\""),
            ("a\r\n=1", "\"a\r\n=1\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(content), told, "{content:?}");
        }
    }
}
