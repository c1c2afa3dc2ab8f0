//! A row of a list of jobs: what the database wishes, joined with what the registry has and with how it last ended.

use crate::app::App;
use crate::mirror::Picture;
use crate::ops::hold_view;
use crate::store::{JobRow, JobState, ProjectRow};
use clockwright_api::At;
use clockwright_api::jobs::{ItemCounts, JobRow as Row, Last, Timing};
use clockwright_api::operations::HoldView;
use clockwright_model::Millis;

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
        kind: job.kind.to_string(),
        status: status.map(|status| status.as_str().to_owned()),
        reason: reason.flatten(),
        state: job.state.word().to_owned(),
        managed: job.managed.word().to_owned(),
        diverged: job.diverged,
        schedule: timing(job, now),
        items: ItemCounts {
            total: job.items.unsigned_abs(),
            running: items.running.into(),
            disabled: items.disabled.into(),
            unowned: items.unowned.into(),
        },
        instances: live.map_or(0, |row| row.members().count() as u64),
        hosts: live.map_or(0, |row| row.hosts.len() as u64),
        holds: holds(app, job, |host| {
            live.is_some_and(|row| row.hosts.iter().any(|(known, _)| picture.names.text(*known) == host))
        }),
        sync: app.catalogue.sync(job.id).word().to_owned(),
        last: app.outcomes.last(project, &job.name).map(last),
        outcomes: None,
        title: job.title.clone(),
        tags: words(&job.tags),
        owner: job.owner.to_string(),
        version: job.version,
        changed_at: At(job.changed),
        changed_by: job.changed_by.to_string(),
    }
}

/// What stands still of a job: by its own holds, and by those of the hosts that it knows.
fn holds(app: &App, job: &JobRow, knows: impl Fn(&str) -> bool) -> Vec<HoldView> {
    let (own, of_hosts) = app.catalogue.holds(job);
    let of_hosts = of_hosts.iter().filter(|hold| knows(&hold.key.target));
    own.iter().chain(of_hosts).map(|hold| hold_view(app, hold)).collect()
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

fn timing(job: &JobRow, now: Millis) -> Timing {
    let timing = &job.timing;
    Timing {
        cron: timing.cron().to_owned(),
        zone: timing.zone().to_owned(),
        next_fire_at: next_fire(job, now).map(At),
        sentence: timing.sentence().cloned(),
    }
}

/// When a job fires next, by its schedule alone.
pub(super) fn next_fire(job: &JobRow, now: Millis) -> Option<Millis> {
    (job.state == JobState::Online).then(|| job.schedule()?.next_after(now)).flatten()
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
