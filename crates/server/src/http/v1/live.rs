//! What a job does now. Its items and instances are answered from the mirror, also while the registry is away; everything about it is read from
//! the registry, after a commit that proves how old that is.

use super::sync::refuse;
use super::{done, target};
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Granted;
use crate::http::parts::{Query, TheJob};
use crate::http::refusal::Answered;
use crate::mirror::row::{ItemRow, Names, Number, Row};
use crate::mirror::{Picture, State, session};
use crate::store::{JobRow, ProjectRow};
use crate::sync::{Failed, registry_of};
use clockwright_api::live::{
    Dump, DumpAsk, Held, ItemCell, JobHost, LastRun, LiveInstance, LiveItem, LiveJob, Now, Pause,
};
use clockwright_api::permission::kinds::{DumpRead, JobRead};
use clockwright_api::{At, Code, Permission, Problem};
use clockwright_fleet::view::{self, InstanceKind, ItemStatus, JobView, ViewError};
use clockwright_model::Item;
use serde_json::json;
use std::sync::Arc;

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
) -> Answered<Found<LiveJob>> {
    let project = who.project()?;
    let (registry, keys) = registry_of(&app, project).await.map_err(refuse)?;
    let sent = app.now();
    session::prove(&*registry, &keys).await.map_err(|error| refuse(Failed::Registry(error)))?;
    match view::job(&*registry, &keys, &job.name, app.now()).await {
        Ok(view) => Ok(Found::new(live(project, view, At(sent)))),
        Err(ViewError::Registry(error)) => Err(refuse(Failed::Registry(error))),
        Err(error) => Err(nowhere(project, &job).with("why", error.to_string()).into()),
    }
}

pub(in crate::http) async fn dump(
    app: Arc<App>,
    who: Granted<DumpRead>,
    TheJob(job): TheJob,
    Query(DumpAsk { unmasked }): Query<DumpAsk>,
) -> Answered<Found<Dump>> {
    let project = who.project()?;
    if unmasked && !who.may(Permission::DumpUnmasked) {
        let needs = Permission::DumpUnmasked;
        let detail = format!("`{needs}` is needed on the project `{}` to see addresses", project.name);
        let problem = Problem::new(Code::NotAllowed, detail).with("permission", needs.name());
        return Err(problem.fix("leave `unmasked` away: what is on which host is told all the same").into());
    }
    let (registry, keys) = registry_of(&app, project).await.map_err(refuse)?;
    let text = match view::dump(&*registry, &keys, &job.name, !unmasked).await {
        Ok(text) => text,
        Err(ViewError::Registry(error)) => return Err(refuse(Failed::Registry(error))),
        Err(_) => return Err(nowhere(project, &job).into()),
    };
    if unmasked {
        // Nobody is shown what is not on record.
        let mut change = app.begin_as(who.asker().actor.clone()).await?;
        change.record(done("job.dumped", project.id, target("job", job.id, &job.name), json!(null), ""));
        app.commit(change).await?;
    }
    Ok(Found::new(Dump { text, masked: !unmasked }))
}

/// The database has the job, and the registry has not.
fn nowhere(project: &ProjectRow, job: &JobRow) -> Problem {
    let detail = format!("the registry has no job `{}` in the project `{}`", job.name, project.name);
    Problem::new(Code::NotFound, detail).fix("look at the job's sync: it may not be written there yet")
}

fn live(project: &ProjectRow, view: JobView, as_of: At) -> LiveJob {
    let next = view.fires_next();
    LiveJob {
        project: project.name.clone(),
        name: view.brief.job_name,
        status: view.brief.status.as_str().to_owned(),
        reason: view.brief.reason,
        layout: view.layout,
        settings: view.settings,
        settings_version: view.settings_version,
        paused: view.paused.map(|note| Pause { at: At(note.at), by: note.by, reason: note.reason }),
        leader: view.leader,
        plan: view.epoch,
        resharding: view.resharding,
        next_fire_at: next.map(At),
        items: view.items.into_iter().map(item).collect(),
        hosts: view
            .servers
            .into_iter()
            .map(|host| JobHost { ip: host.ip, enabled: host.enabled, instances: host.instance_count as u64 })
            .collect(),
        instances: view
            .instances
            .into_iter()
            .map(|one| LiveInstance {
                id: one.id,
                ip: one.ip,
                kind: kind(one.kind == InstanceKind::Clockwright),
                leader: one.leader,
                items: one.item_count as u64,
                since: At(one.since),
                triggered: Some(one.triggered),
            })
            .collect(),
        as_of,
    }
}

fn item(item: view::ItemView) -> LiveItem {
    LiveItem {
        item: item.item,
        status: item.status.as_str().to_owned(),
        owner: item.owner,
        running: item.running,
        taken_by: item.taken_by,
        orphaned: item.orphaned,
        held: item.held.map(|held| Held {
            code: held.code.into_owned(),
            reason: held.reason,
            settled_at: held.settled.map(At),
            version: held.version,
        }),
        waiting_trigger: item.waiting_trigger,
        misfired: item.misfired,
        last: item.last.map(|last| LastRun {
            fire_at: At(last.fire),
            trigger: last.trigger,
            source: last.source.to_owned(),
            attempt: last.attempt,
            run: last.run_id,
            instance: last.instance,
            claimed_at: At(last.claimed_at),
            outcome: last.outcome.map(str::to_owned),
            reason: last.reason,
        }),
        next_fire_at: item.next_fire.map(At),
    }
}

/// As answers say what an instance is a process of.
pub(super) fn kind(is_ours: bool) -> String {
    if is_ours { "clockwright" } else { "java" }.to_owned()
}

/// When what the mirror shows is from.
///
/// # Errors
/// It has not seen the registry yet.
pub(super) fn as_of(picture: &Picture) -> Answered<At> {
    let away = || {
        if let State::Away(why) = &picture.state {
            tracing::warn!(why, "a registry is away");
            return Problem::new(Code::RegistryAway, "the project's registry cannot be reached now").retry(5);
        }
        Problem::new(Code::Starting, "the project's registry is being read for the first time").retry(1)
    };
    Ok(picture.as_of.map(At).ok_or_else(away)?)
}

/// The job's row in the mirror.
fn row<'a>(picture: &'a Picture, project: &ProjectRow, job: &JobRow) -> Answered<&'a Row> {
    Ok(picture.job(&job.name).ok_or_else(|| nowhere(project, job))?)
}

pub(in crate::http) async fn items(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
) -> Answered<Found<Now<ItemCell>>> {
    let project = who.project()?;
    let mirror = app.mirrors.of(project.id);
    let picture = mirror.read();
    let as_of = as_of(&picture)?;
    let row = row(&picture, project, &job)?;
    let items = row.all_items().map(|(number, item)| {
        let last = app.outcomes.item(project, &job.name, number).map(super::rows::last);
        ItemCell { last, ..cell(&picture, row, number, item) }
    });
    let items = items.collect();
    Ok(Found::new(Now { items, as_of }))
}

fn cell(picture: &Picture, row: &Row, number: Item, item: ItemRow) -> ItemCell {
    let running = row.is_running(item, &picture.names, &picture.leases);
    let status = if item.is_disabled() {
        ItemStatus::Disabled
    } else if running {
        ItemStatus::Running
    } else if row.is_owned(item) {
        ItemStatus::Pending
    } else {
        ItemStatus::ShardingFlag
    };
    let name = |number| name(&picture.names, number);
    ItemCell {
        item: number,
        status: status.as_str().to_owned(),
        owner: name(item.owner),
        runner: name(item.runner).filter(|_| running),
        since: running.then_some(At(item.since)),
        taken_by: name(item.taken),
        orphaned: item.is_orphaned(),
        last: None,
    }
}

fn name(names: &Names, number: Number) -> Option<String> {
    Some(names.text(number)).filter(|text| !text.is_empty()).map(str::to_owned)
}

pub(in crate::http) async fn instances(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
) -> Answered<Found<Now<LiveInstance>>> {
    let project = who.project()?;
    let mirror = app.mirrors.of(project.id);
    let picture = mirror.read();
    let as_of = as_of(&picture)?;
    let row = row(&picture, project, &job)?;
    let mut items: Vec<LiveInstance> = row
        .members()
        .map(|one| {
            let id = picture.names.text(one.id);
            LiveInstance {
                id: id.to_owned(),
                ip: picture.names.text(one.host).to_owned(),
                kind: kind(picture.leases.holds(id)),
                leader: row.leader == one.id,
                items: row.all_items().filter(|(_, item)| item.owner == one.id).count() as u64,
                since: At(one.since),
                triggered: None,
            }
        })
        .collect();
    items.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Found::new(Now { items, as_of }))
}
