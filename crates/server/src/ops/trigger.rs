//! A trigger: asked once, only of a job of which nothing runs, with the proof of that in the commit that asks.
//!
//! The commit leaves a mark of the operation's id. Whoever carries the operation out again, after a crash or a lost answer, finds the mark
//! and the fire that it names, and asks nobody twice.
//!
//! The mark also keeps the trace that the request belongs to. The commit's transaction is the fire's id, so that a run leads to who asked for it.
//!
//! Where a drain has disabled the hosts of Java instances, those are enabled first, so that their leader can give them items again.

use super::look::{Site, failed, is_away};
use super::run::{Stopped, Work};
use super::{Ended, Then};
use crate::decide::hold::{Found, Hold, starts};
use crate::decide::ops::{Seen, runs};
use crate::fail::Point;
use crate::observe::trace;
use crate::sync::Failed;
use clockwright_api::operations::{AskedInstance, Outcome};
use clockwright_api::{Code, Problem};
use clockwright_fleet::admin::{AdminError, Answer, Hold as Node, Triggered};
use clockwright_fleet::mirror::Mirror;
use clockwright_fleet::view::ViewError;
use clockwright_model::InstanceId;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long instances are given to answer, and Java's leader to give them items.
const ANSWER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn carry(work: &Work<'_>) -> Result<Ended, Stopped> {
    let Some(place) = work.place() else { return Ok(Ended::done(work.outcome())) };
    let site = Site::to_write(work.app, work.project, None).await?;
    let holds = work.app.store.holds(work.project.id, Some(place.id)).await.map_err(Failed::from)?;
    let admin = site.admin(&work.ask.who.name);
    if let Some((mirror, leases)) = site.job(&place.name).await? {
        let rest: Vec<Hold> =
            holds.into_iter().filter(|hold| !work.progress.lift.contains(&hold.key)).collect();
        let found = Found::of(&mirror, &leases);
        let steps = starts(&rest, &work.progress.lift, &found);
        let hosts: Vec<Node> = steps.into_iter().filter(|step| matches!(step, Node::Host { .. })).collect();
        for step in &hosts {
            admin.hold(&place.name, step).await.map_err(failed)?;
        }
        let begun = Instant::now();
        while !hosts.is_empty() && begun.elapsed() < ANSWER {
            match site.job(&place.name).await? {
                Some((mirror, _)) if mirror.necessary => sleep(LOOK).await,
                _ => break,
            }
        }
    }
    let trace = trace::here(work.ask.trace.as_deref());
    let fired = match admin.within(trace.as_deref()).trigger_idle(place.name.as_str(), &work.row.id).await {
        Ok(fired) => fired,
        Err(error) => return refused(work, &site, error).await,
    };
    work.pass(Point::OperationWritten)?;
    let instances = answers(&site, work, &fired).await?;
    let outcome = Outcome {
        changed: instances.len() as u64,
        fire: Some(fired.fire.clone()),
        proof: Some(if fired.proved { "commit" } else { "none" }.to_owned()),
        instances,
        ..work.outcome()
    };
    Ok(Ended { then: Then::Lift, ..Ended::done(outcome) })
}

/// Somebody was faster than the trigger, or the registry cannot do it.
async fn refused(work: &Work<'_>, site: &Site, error: AdminError) -> Result<Ended, Stopped> {
    let name = &work.ask.job;
    let problem = match error {
        AdminError::Busy { .. } => {
            let place = work.place();
            let look = match &place {
                Some(place) => site.job(&place.name).await?,
                None => None,
            };
            let running = look.map(|(mirror, leases)| Seen::of(&mirror, &leases).running).unwrap_or_default();
            runs(name, &running)
        }
        AdminError::Paused { note, .. } => {
            Problem::new(Code::JobPaused, format!("`{name}` is {}", note.describe()))
        }
        AdminError::NoInstance { .. } | AdminError::View(ViewError::NoSuchJob { .. }) => {
            Problem::new(Code::NoLiveInstance, format!("no instance of `{name}` is there"))
        }
        error => {
            let failed = failed(error);
            tracing::debug!(away = is_away(&failed), %failed, "a trigger was not asked for");
            return Err(failed.into());
        }
    };
    Ok(Ended::failed(&problem, work.outcome()))
}

/// What each instance has made of it within a moment.
async fn answers(site: &Site, work: &Work<'_>, fired: &Triggered) -> Result<Vec<AskedInstance>, Failed> {
    let Some(place) = work.place() else { return Ok(Vec::new()) };
    let begun = Instant::now();
    loop {
        let Some((mirror, _)) = site.job(&place.name).await? else { return Ok(Vec::new()) };
        let answers: Vec<AskedInstance> =
            fired.instances.iter().map(|asked| answer(&mirror, fired, &asked.id)).collect();
        let waits = answers.iter().any(|asked| asked.answer == "waiting");
        if !waits || begun.elapsed() >= ANSWER {
            return Ok(answers);
        }
        sleep(LOOK).await;
    }
}

fn answer(mirror: &Mirror, fired: &Triggered, id: &str) -> AskedInstance {
    let instance = InstanceId::from_wire(id);
    let is_there = mirror.members().any(|(member, ..)| *member == instance);
    let drops = |answer: &Answer| matches!(answer, Answer::Dropped);
    let owns = |item: u32| mirror.owner(item) == Some(&instance);
    let word = if mirror.trigger(&instance).is_some() {
        "waiting"
    } else if !is_there || fired.items.iter().any(|asked| owns(asked.item) && drops(&asked.answer)) {
        "dropped"
    } else {
        "accepted"
    };
    AskedInstance { id: id.to_owned(), answer: word.to_owned() }
}
