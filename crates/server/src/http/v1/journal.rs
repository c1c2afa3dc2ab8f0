//! The journal, as people read it, and the look at its whole chain.

use super::paging;
use crate::app::App;
use crate::decide::chain::{Link, Walk};
use crate::http::answer::Found;
use crate::http::grant::Granted;
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use crate::store::JournalFilter;
use clockwright_api::At;
use clockwright_api::journal::{JournalActor, JournalAsk, JournalRecord, JournalTarget, Verified};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::{AuditAll, AuditRead};
use std::sync::Arc;

pub(in crate::http) async fn all(
    app: Arc<App>,
    _: Granted<AuditAll>,
    Query(ask): Query<JournalAsk>,
) -> Answered<Found<Page<JournalRecord>>> {
    page(&app, None, ask).await
}

pub(in crate::http) async fn of_project(
    app: Arc<App>,
    who: Granted<AuditRead>,
    Query(ask): Query<JournalAsk>,
) -> Answered<Found<Page<JournalRecord>>> {
    let project = who.project()?.id;
    page(&app, Some(project), ask).await
}

async fn page(app: &App, project: Option<i64>, ask: JournalAsk) -> Answered<Found<Page<JournalRecord>>> {
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
    let mut links = app.store.journal(&filter).await?;
    let next = paging::cut(&mut links, limit, |link| link.seq.to_string());
    let items = links.into_iter().map(|link| view(app, link)).collect();
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
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
