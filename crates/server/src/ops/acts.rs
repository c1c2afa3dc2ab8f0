//! Acts on instances, and waiting until nothing runs.

use super::look::{Site, failed, is_on};
use super::run::{Stopped, Work};
use super::{Ended, Place};
use crate::decide::ops::{Act, Running, Seen, Start};
use crate::fail::Point;
use crate::store::OperationState;
use crate::sync::Failed;
use clockwright_api::operations::{Outcome, Plans};
use clockwright_api::{Code, Problem};
use clockwright_fleet::admin::{self, AdminError};
use clockwright_model::{Item, Millis};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked whether something still runs; what has not run for so long is idle.
const LOOK: Duration = Duration::from_millis(500);
/// How long a new plan is waited for.
const PLAN: Duration = Duration::from_secs(5);

/// The nodes that an act would write.
pub(super) fn planned(act: &Act, places: &[Place], seen: &Seen) -> Vec<String> {
    let of = |node: String| places.iter().map(move |place| format!("{}: {node}", place.name));
    match act {
        Act::Rebalance => of("leader/sharding/necessary := made".to_owned()).collect(),
        Act::Shutdown { target } => {
            let told = seen.instances.iter().filter(|instance| {
                target.as_deref().is_none_or(|target| target == instance.id || target == instance.ip)
            });
            told.flat_map(|instance| of(format!("instances/{} := deleted", instance.id))).collect()
        }
        Act::Trigger => seen
            .instances
            .iter()
            .flat_map(|instance| of(format!("instances/{} := asked to fire", instance.id)))
            .collect(),
        Act::ResumeItem { item, .. } => of(format!("sharding/{item}/cursor := goes on")).collect(),
        Act::Remove { .. } => of("all nodes := deleted".to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Instances give the job up, or all jobs.
pub(super) async fn shutdown(work: &Work<'_>, target: Option<&str>) -> Result<Ended, Stopped> {
    let site = Site::to_write(work.app, work.project, None).await?;
    let admin = site.admin(&work.ask.who.name);
    let job = (work.row.job != 0).then_some(work.ask.job.as_str());
    let done = admin.shutdown(job, target).await.map_err(failed)?;
    work.pass(Point::OperationWritten)?;
    Ok(Ended::done(Outcome { changed: done.changed as u64, ..work.outcome() }))
}

/// The leader makes a new plan.
pub(super) async fn rebalance(work: &Work<'_>) -> Result<Ended, Stopped> {
    let site = Site::to_write(work.app, work.project, None).await?;
    let Some(place) = work.place() else { return Ok(Ended::done(work.outcome())) };
    let admin = site.admin(&work.ask.who.name);
    let before = site.job(&place.name).await?.and_then(|(mirror, _)| mirror.epoch);
    let done = admin.rebalance(&place.name).await.map_err(failed)?;
    work.pass(Point::OperationWritten)?;
    let begun = Instant::now();
    let mut after = None;
    while begun.elapsed() < PLAN {
        let Some((mirror, leases)) = site.job(&place.name).await? else { break };
        if !mirror.necessary && mirror.processing.is_none() {
            after = mirror.epoch;
            break;
        }
        // A Java leader makes it at the next fire, which may be far.
        if mirror.leader.as_ref().is_some_and(|leader| !leases.holds(&leader.id)) {
            break;
        }
        sleep(LOOK / 5).await;
    }
    let plan = Some(Plans { before, after });
    Ok(Ended::done(Outcome { changed: done.changed as u64, plan, ..work.outcome() }))
}

/// A held item goes on.
pub(super) async fn resume_item(work: &Work<'_>, item: Item, from: Start) -> Result<Ended, Stopped> {
    let Some(place) = work.place() else { return Ok(Ended::done(work.outcome())) };
    let site = Site::to_write(work.app, work.project, None).await?;
    let from = match from {
        // When it was asked for, however often it is carried out.
        Start::Now => admin::From::Instant(work.row.at),
        Start::Last => admin::From::Last,
        Start::At(at) => admin::From::Instant(at),
    };
    let changed =
        match site.admin(&work.ask.who.name).resume_item(place.name.as_str(), item, from, None).await {
            Ok(done) => done.changed as u64,
            // It goes on already.
            Err(AdminError::NotHeld { .. }) => 0,
            Err(error @ AdminError::NothingKnown { .. }) => {
                let problem = Problem::new(Code::Invalid, error.to_string());
                let problem = problem.at("/from", "is to be `now` or an instant: no last one is known");
                return Ok(Ended::failed(&problem, work.outcome()));
            }
            Err(error) => return Err(failed(error).into()),
        };
    work.pass(Point::OperationWritten)?;
    Ok(Ended::done(Outcome { changed, ..work.outcome() }))
}

/// Waits until nothing of it has run for a moment, or the time is up, or somebody ends the waiting. It stays drained in any case.
pub(super) async fn wait_for_idleness(
    work: &Work<'_>,
    held: Ended,
    host: Option<&str>,
    wait: Millis,
) -> Result<Ended, Stopped> {
    let (state, running) = match idle(work, host, wait).await? {
        Idle::Yes => return Ok(held),
        Idle::TimeUp(running) => (OperationState::Partial, running),
        Idle::Cancelled(running) => (OperationState::Cancelled, running),
    };
    let running = running.iter().map(|running| running.item.into()).collect();
    Ok(Ended { state, outcome: Outcome { running, ..held.outcome }, ..held })
}

/// What came of waiting.
pub(super) enum Idle {
    /// Nothing runs.
    Yes,
    /// The time is up, and this still runs.
    TimeUp(Vec<Running>),
    /// Somebody ended the waiting, while this still runs.
    Cancelled(Vec<Running>),
}

/// Waits until nothing runs, on this host or anywhere, for as long as the operation is young enough.
pub(super) async fn idle(work: &Work<'_>, host: Option<&str>, wait: Millis) -> Result<Idle, Stopped> {
    let mut quiet = false;
    loop {
        let running = running(work, host).await?;
        if running.is_empty() && quiet {
            return Ok(Idle::Yes);
        }
        quiet = running.is_empty();
        if !quiet && work.is_cancelled().await? {
            return Ok(Idle::Cancelled(running));
        }
        if !quiet && work.app.now() >= work.row.at + wait {
            return Ok(Idle::TimeUp(running));
        }
        sleep(LOOK).await;
    }
}

/// What runs of what the operation is about, on this host or anywhere.
pub(super) async fn running(work: &Work<'_>, host: Option<&str>) -> Result<Vec<Running>, Failed> {
    let site = Site::open(work.app, work.project).await?;
    let mut all = Vec::new();
    for place in work.places(&site).await? {
        let Some((mirror, leases)) = site.job(&place.name).await? else { continue };
        let here = Seen::of(&mirror, &leases).running.into_iter();
        all.extend(here.filter(|running| host.is_none_or(|ip| is_on(&running.instance, ip))));
    }
    Ok(all)
}
