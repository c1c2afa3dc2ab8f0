//! R and C of what only holds: the nodes of each job are made as all wishes together want them.

use super::look::{Site, failed};
use super::run::{Stopped, Work};
use super::{Ended, Place, view};
use crate::decide::hold::{Found, Hold, Key, starts, stopped_by, stops};
use crate::fail::Point;
use crate::store::OperationState;
use crate::sync::{self, Failed};
use clockwright_fleet::admin::Hold as Node;

/// Makes the nodes of all jobs that it concerns as they shall be, and reads back what was done.
pub(super) async fn carry(work: &mut Work<'_>) -> Result<Ended, Stopped> {
    let site = Site::to_write(work.app, work.project, None).await?;
    let places = work.places(&site).await?;
    if let [place] = &places[..]
        && place.id != 0
        && site.job(&place.name).await?.is_none()
    {
        // Its settings were saved while the registry was away, and it is to be held from its first moment on.
        sync::follow(work.app, work.project, place.id).await;
    }
    let lift = work.progress.lift.clone();
    for place in &places {
        make(work, &site, place, &lift).await?;
    }
    work.pass(Point::OperationWritten)?;
    let mut outcome = work.outcome();
    for place in &places {
        let left = steps(work, &site, place, &lift).await?;
        outcome.nodes.extend(left.iter().map(|step| view::node(place, step)));
    }
    let state = if outcome.nodes.is_empty() { OperationState::Done } else { OperationState::Partial };
    Ok(Ended { state, ..Ended::done(outcome) })
}

/// How often it is looked whether what was stopped is still to be stopped.
const ROUNDS: usize = 5;

/// Writes what is missing in one job, and counts it at once: whoever has to begin again finds it written. A wish may have been lifted, and its
/// node started, between the look at the wishes and the write: what was stopped for it is started again.
async fn make(work: &mut Work<'_>, site: &Site, place: &Place, lift: &[Key]) -> Result<(), Failed> {
    let admin = site.admin(&work.ask.who.name);
    let mut lift = lift.to_vec();
    for _ in 0..ROUNDS {
        let steps = steps(work, site, place, &lift).await?;
        if steps.is_empty() {
            break;
        }
        for step in steps {
            work.changed += admin.hold(&place.name, &step).await.map_err(failed)?.changed as u64;
            lift.extend(step.stops().then(|| stopped_by(place.id, &step)));
        }
    }
    Ok(())
}

async fn steps(work: &Work<'_>, site: &Site, place: &Place, lift: &[Key]) -> Result<Vec<Node>, Failed> {
    let Some((mirror, leases)) = site.job(&place.name).await? else { return Ok(Vec::new()) };
    let holds: Vec<Hold> = work.app.store.holds(work.project.id, Some(place.id)).await?;
    let found = Found::of(&mirror, &leases);
    let mut steps = stops(&holds, &found);
    steps.extend(starts(&holds, lift, &found));
    Ok(steps)
}
