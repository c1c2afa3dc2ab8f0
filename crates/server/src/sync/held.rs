//! What is held until a person confirms: more than the guard lets pass, a registry that went back, a database that did.

use super::control::{self, Control};
use super::write::{By, Failed, registry_of};
use crate::app::App;
use crate::chores::lead;
use crate::decide::chain::{done, target};
use crate::store::{ProjectRow, SyncRow, SyncState};
use clockwright_registry::{Conflict, Error, Op};
use serde_json::json;

/// How often the confirmed state is written anew after somebody else was faster.
const ATTEMPTS: usize = 10;

/// Notes that these jobs are held, and why; the journal tells it when one of them was not before.
pub(super) async fn hold(
    app: &App,
    project: &ProjectRow,
    jobs: &[i64],
    why: &str,
    by: By<'_>,
) -> Result<(), Failed> {
    let known = app.store.syncs(jobs).await?;
    let row = |id: &i64| {
        let there = known.iter().find(|row| row.job == *id).cloned();
        let row = there.unwrap_or_else(|| SyncRow::first(*id, SyncState::Pending));
        let is_new = row.state != SyncState::Held;
        is_new.then(|| SyncRow { state: SyncState::Held, error: why.to_owned(), next_try: 0, ..row })
    };
    let rows: Vec<SyncRow> = jobs.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut change = by.begin(app).await?;
    change.put_syncs(&rows).await?;
    let about = target("project", project.id, &project.name);
    change.record(done("sync.held", project.id, about, json!({ "jobs": rows.len() }), why));
    change.commit().await?;
    app.changed();
    tracing::warn!(project = project.name, jobs = rows.len(), why, "settings are held: a person confirms");
    Ok(())
}

/// A person has said that registry and database belong together as they are: `control` says so from now on, and with `elects` the registry `home` elects,
/// whatever it lost.
///
/// # Errors
/// One of the two is away, or the namespace is another database's.
pub async fn confirm(app: &App, project: &ProjectRow, elects: bool) -> Result<(), Failed> {
    let (registry, keys) = registry_of(app, project).await?;
    let path = control::path(&keys);
    let (plane, url) = (app.store.plane().to_owned(), app.config.public_url.clone());
    for _ in 0..ATTEMPTS {
        let node = registry.read(std::slice::from_ref(&path)).await?.pop().flatten();
        let (seq, _) = app.store.head().await?;
        let found = node.as_ref().map(|node| serde_json::from_slice::<Control>(&node.data));
        let term = match found {
            None => 0,
            Some(Ok(control)) if control.plane == plane => control.term,
            Some(Ok(control)) => return Err(Failed::AnotherPlane(control.url)),
            Some(Err(_)) => return Err(Failed::AnotherPlane(control::NOBODYS.to_owned())),
        };
        let mine = Control::new((plane.clone(), url.clone()), project, term, seq);
        let Some(node) = node else {
            control::make(registry.as_ref(), &keys, &mine).await?;
            continue;
        };
        match registry.commit(vec![Op::set_if(path.clone(), mine.bytes(), node.stat.version)]).await {
            Ok(_) => {
                app.store.set_control(project.id, i64::from(node.stat.version) + 1).await?;
                // Only now: a namespace that is another database's says that the registry is the wrong one.
                return if elects { lead::confirm(app).await } else { Ok(()) };
            }
            Err(Error::Conflict { conflict: Conflict::Version | Conflict::Missing, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failed::Contended)
}
