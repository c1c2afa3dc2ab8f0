//! The removal of a job.
//!
//! | step | what | after a crash |
//! |---|---|---|
//! | 1 | it is paused and kept off its hosts | so already |
//! | 2 | *stop*: if anything runs, the removal is given up and all is as before · *drain*: what runs is waited for · *kill*: what runs is stopped | looked at again |
//! | 3 | its instances give it up | so already |
//! | 4 | when nobody serves it any more, its nodes go: leaves first, its config and root last | goes on with what is left |
//!
//! What Java instances run cannot be stopped, and is waited for. When the time is up with something still running, or somebody still
//! serving it, the removal is given up too: a job whose nodes went from under a run would be run again by whoever starts next.

use super::acts::{Idle, idle, running};
use super::look::{Site, failed};
use super::run::{Stopped, Work};
use super::{Ended, Then, hold};
use crate::decide::hold::{Found, Hold, Origin, starts};
use crate::decide::ops::{Mode, Running, runs};
use crate::fail::Point;
use crate::store::OperationState;
use crate::sync::Failed;
use clockwright_api::operations::Outcome;
use clockwright_api::{Code, Problem};
use clockwright_fleet::admin::{AdminError, Hold as Node};
use clockwright_fleet::pause::PauseNote;
use clockwright_fleet::view::ViewError;
use clockwright_model::Millis;
use std::time::Duration;
use tokio::time::sleep;

/// How often it is looked whether somebody still serves it.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn carry(work: &mut Work<'_>, mode: Mode, wait: Millis) -> Result<Ended, Stopped> {
    let held = hold::carry(work).await?;
    if mode == Mode::Kill {
        kill(work).await?;
    }
    let wait_for = if mode == Mode::Stop { 0 } else { wait };
    match idle(work, None, wait_for).await? {
        Idle::Yes => {}
        Idle::TimeUp(running) => {
            let problem = runs(&work.ask.job, &running);
            return give_up(work, Ended::failed(&problem, outcome(work, held, &running))).await;
        }
        Idle::Cancelled(running) => {
            let outcome = outcome(work, held, &running);
            let ended = Ended { state: OperationState::Cancelled, ..Ended::done(outcome) };
            return give_up(work, ended).await;
        }
    }
    take_away(work, held, wait).await
}

fn outcome(work: &Work<'_>, held: Ended, running: &[Running]) -> Outcome {
    let running = running.iter().map(|running| running.item.into()).collect();
    Outcome { running, changed: held.outcome.changed, ..work.outcome() }
}

/// What ours run is stopped.
async fn kill(work: &Work<'_>) -> Result<(), Failed> {
    let site = Site::to_write(work.app, work.project, None).await?;
    let Some(place) = work.place() else { return Ok(()) };
    let note = PauseNote {
        at: work.row.at,
        by: work.ask.who.name.clone(),
        reason: work.ask.reason.clone(),
        drain: false,
        kill: true,
    };
    if site.job(&place.name).await?.is_some() {
        let admin = site.admin("");
        admin.hold(&place.name, &Node::Paused(Some(note))).await.map_err(failed)?;
    }
    Ok(())
}

/// Steps 3 and 4.
async fn take_away(work: &Work<'_>, held: Ended, wait: Millis) -> Result<Ended, Stopped> {
    let name = &work.ask.job;
    loop {
        let site = Site::to_write(work.app, work.project, None).await?;
        let admin = site.admin(&work.ask.who.name);
        match admin.shutdown(Some(name), None).await {
            Ok(_) | Err(AdminError::View(ViewError::NoSuchJob { .. })) => {}
            Err(error) => return Err(failed(error).into()),
        }
        let by = match admin.remove(name).await {
            Ok(_) | Err(AdminError::View(ViewError::NoSuchJob { .. })) => break,
            Err(AdminError::StillServed { by, .. }) => by,
            Err(AdminError::Contended(_)) => Vec::new(),
            Err(error) => return Err(failed(error).into()),
        };
        let cancelled = work.is_cancelled().await?;
        if cancelled || work.app.now() >= work.row.at + wait {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            let detail = format!("`{name}` is still served: {}", by.join(", "));
            let problem = Problem::new(Code::StillServed, detail).with("instances", by);
            let left = running(work, None).await?;
            let mut ended = Ended::failed(&problem, outcome(work, held, &left));
            if cancelled {
                ended.state = OperationState::Cancelled;
            }
            return give_up(work, ended).await;
        }
        sleep(LOOK).await;
    }
    work.pass(Point::OperationWritten)?;
    Ok(Ended { then: Then::Gone, ..held })
}

/// All is as before: what the removal held goes on.
async fn give_up(work: &Work<'_>, ended: Ended) -> Result<Ended, Stopped> {
    let site = Site::to_write(work.app, work.project, None).await?;
    if let Some(place) = work.place()
        && let Some((mirror, leases)) = site.job(&place.name).await?
    {
        let holds = work.app.store.holds(work.project.id, Some(place.id)).await.map_err(Failed::from)?;
        let rest: Vec<Hold> = holds.into_iter().filter(|hold| hold.origin != Origin::Removal).collect();
        let admin = site.admin("");
        for step in starts(&rest, &work.progress.made, &Found::of(&mirror, &leases)) {
            admin.hold(&place.name, &step).await.map_err(failed)?;
        }
    }
    Ok(Ended { then: Then::Restore, ..ended })
}
