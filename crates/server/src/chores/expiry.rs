//! What is over goes: sessions, links, alerts of long ago, answers that were kept for who asks again, servers that fell silent, counters of sign-ins;
//! and in the registries the marks of requests that were carried out.

use super::{Term, Turn};
use crate::app::App;
use crate::store::ProjectRow;
use crate::sync::registry_of;
use clockwright_model::Millis;
use clockwright_registry::Op;

/// How long something is kept after its end, so that who comes late is told what it was.
const KEPT: Millis = 24 * 3_600_000;
/// How long an alert is kept after its end.
const ALERTS: Millis = 400 * KEPT;
/// How many marks are removed in one commit.
const BATCH: usize = 256;

/// One turn.
pub(super) async fn turn(app: &App, term: &Term) -> Turn {
    let gone = term.check(app.store.expire(term.number(), app.now() - KEPT)).await?;
    let gone = gone + term.check(app.store.expire_alerts(term.number(), app.now() - ALERTS)).await?;
    if gone > 0 {
        tracing::debug!(rows = gone, "sessions, links, answers and alerts that were over are removed");
    }
    for project in app.catalogue.projects() {
        if let Err(error) = marks(app, &project).await {
            tracing::debug!(project = project.name, %error, "marks of requests are removed later");
        }
    }
    Ok(())
}

/// Removes the marks of requests that nobody will repeat: a key is known for a day.
async fn marks(app: &App, project: &ProjectRow) -> Result<(), crate::sync::Failed> {
    let (registry, keys) = registry_of(app, project).await?;
    let ids = registry.list(&keys.requests()).await?;
    let paths: Vec<_> = ids.iter().map(|id| keys.request(id)).collect();
    let nodes = registry.read(&paths).await?;
    let old = paths
        .into_iter()
        .zip(nodes)
        .filter_map(|(path, node)| (node?.stat.created_at + KEPT <= app.now()).then(|| Op::delete(path)));
    for batch in old.collect::<Vec<_>>().chunks(BATCH) {
        registry.commit(batch.to_vec()).await?;
    }
    Ok(())
}
