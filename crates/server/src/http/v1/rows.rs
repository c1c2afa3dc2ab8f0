//! A row of a list of jobs: what the database wishes, joined with what the registry has and with how it last ended.

use crate::app::App;
use crate::mirror::Picture;
use crate::store::{JobRow, JobState, ProjectRow};
use clockwright_api::At;
use clockwright_api::jobs::{ItemCounts, JobRow as Row, Last, Timing};
use clockwright_model::Millis;
use clockwright_planner::Schedule;

/// The row of a job.
pub(super) fn row(app: &App, project: &ProjectRow, job: &JobRow) -> Row {
    joined(app, project, job, &app.mirrors.of(project.id).read(), app.now())
}

/// The same, where the project's picture is at hand.
pub(super) fn joined(app: &App, project: &ProjectRow, job: &JobRow, picture: &Picture, now: Millis) -> Row {
    let live = picture.job(&job.name);
    let (status, reason) = live.map(crate::mirror::row::Row::status).unzip();
    let items = live.map(|row| row.items(&picture.names, &picture.leases)).unwrap_or_default();
    Row {
        project: project.name.clone(),
        name: job.name.clone(),
        kind: job.kind.clone(),
        status: status.map(|status| status.as_str().to_owned()),
        reason: reason.flatten(),
        state: job.state.word().to_owned(),
        managed: job.managed.word().to_owned(),
        diverged: job.diverged,
        schedule: Timing {
            cron: job.cron.clone(),
            zone: job.zone.clone(),
            next_fire_at: next_fire(job, now).map(At),
        },
        items: ItemCounts {
            total: job.items.unsigned_abs(),
            running: items.running.into(),
            disabled: items.disabled.into(),
            unowned: items.unowned.into(),
        },
        instances: live.map_or(0, |row| row.members().count() as u64),
        hosts: live.map_or(0, |row| row.hosts.len() as u64),
        last: app.outcomes.last(project, &job.name).map(last),
        outcomes: None,
        title: job.title.clone(),
        tags: words(&job.tags),
        owner: job.owner.clone(),
        version: job.version,
        changed_at: At(job.changed),
    }
}

pub(super) fn last(last: crate::outcomes::Last) -> Last {
    Last {
        outcome: last.outcome.to_owned(),
        at: last.at,
        fire_at: last.fire,
        item: last.item,
        took: last.took,
        streak: last.streak.into(),
        good_at: last.good,
    }
}

/// When a job fires next, by its schedule alone.
pub(super) fn next_fire(job: &JobRow, now: Millis) -> Option<Millis> {
    let zone = Some(job.zone.as_str()).filter(|zone| !zone.is_empty());
    let fires = job.state == JobState::Online;
    fires.then(|| Schedule::parse(&job.cron, zone).ok()?.next_after(now)).flatten()
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
