//! The journal's chain, how far registries have followed, and the servers.

use super::{Looked, Patient, finding};
use crate::decide::chain::Walk;
use crate::ops::resume::SILENT;
use crate::store::{JournalFilter, SyncState};
use clockwright_api::system::{Finding, Gravity};
use std::collections::BTreeSet;

/// How many of the newest records are looked at; `GET /journal/verify` looks at all.
const TAIL: i64 = 20_000;
/// How many at once.
const BATCH: u32 = 1_000;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    let (head, hash) = store.head().await?;
    let mut walk = Walk::default();
    let mut after = (head - TAIL).max(0);
    let broken = |what: String| {
        let fix = "somebody changed the database past the server: compare with a backup, and with heads that were noted outside";
        Ok(vec![finding(Gravity::Error, "journal-broken", "journal", what, fix)])
    };
    while after < head {
        let filter = JournalFilter { after: Some(after), limit: BATCH, ..JournalFilter::default() };
        let links = store.journal(&filter).await?;
        let Some(last) = links.last().map(|link| link.seq) else { break };
        for link in links.iter().take_while(|link| link.seq <= head) {
            if let Err(error) = walk.step(link) {
                return broken(error.to_string());
            }
        }
        after = last;
    }
    let reached = walk.last().is_some_and(|(seq, last)| seq == head && last == hash);
    if head > 0 && !reached {
        return broken(format!("the head says {head}, and the last record is another one"));
    }
    Ok(Vec::new())
}

pub(super) async fn of_sync(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    let projects = store.projects().await?;
    let told = |((id, state), count): ((i64, String), u64)| -> Option<Finding> {
        let project = projects.iter().find(|project| project.id == id)?;
        let (severity, code, what, fix) = match SyncState::of(&state)? {
            SyncState::Held => (
                Gravity::Error,
                "sync-held",
                "wait for a person before the registry is written",
                "see whether it is the right registry and the right database, then POST …/sync/confirm",
            ),
            SyncState::Denied => (
                Gravity::Error,
                "sync-denied",
                "cannot be written: the registry does not let the server",
                "give the server the credential that made the nodes",
            ),
            SyncState::Conflict => (
                Gravity::Warning,
                "sync-conflict",
                "are otherwise in the registry, and a person decides",
                "look at …/sync of each, and resolve it",
            ),
            SyncState::Contended => (
                Gravity::Warning,
                "sync-contended",
                "are written over by somebody again and again",
                "the journal names who it likely is: end it, or let the project adopt",
            ),
            SyncState::Pending => (
                Gravity::Note,
                "sync-pending",
                "are not in the registry yet",
                "they are tried again by themselves; if that lasts, see whether the registry is there",
            ),
            SyncState::Written | SyncState::Reported => return None,
        };
        Some(finding(severity, code, &project.name, format!("{count} jobs {what}"), fix))
    };
    Ok(store.count_syncs().await?.into_iter().filter_map(told).collect())
}

pub(super) async fn of_servers(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    let servers = store.servers(patient.now() - SILENT).await?;
    let mut found = Vec::new();
    let versions: BTreeSet<&str> = servers.iter().map(|server| server.version.as_str()).collect();
    if versions.len() > 1 {
        let what =
            format!("servers of different releases are at work: {}", Vec::from_iter(versions).join(", "));
        let fix = "bring all to one release; two that follow each other go on together meanwhile";
        found.push(finding(Gravity::Warning, "versions-differ", "servers", what, fix));
    }
    let term = store.term().await?;
    if !servers.is_empty() && !servers.iter().any(|server| server.id == term.holder) {
        found.push(finding(
            Gravity::Warning,
            "nobody-leads",
            "servers",
            "none of the servers leads, so nothing is swept, resumed or removed",
            "see whether the registry `home` is there; a new leader comes within some seconds of it",
        ));
    }
    Ok(found)
}
