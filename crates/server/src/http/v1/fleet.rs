//! Processes and hosts of all projects that one may see, from the mirrors.

use super::hosts;
use super::live::kind;
use super::paging;
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Asking;
use crate::http::parts::{Named, Query};
use crate::http::refusal::Answered;
use crate::http::v1::TheId;
use crate::mirror::Picture;
use crate::store::ProjectRow;
use clockwright_api::live::{
    FleetAsk, FleetHost, FleetHosts, FleetInstance, FleetInstances, FleetPage, InstanceJob,
};
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{At, Code, Problem};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Looks at the pictures of all projects that one may see. Up to when all changes in all of these are seen; `None` while one was never seen.
fn look(app: &App, who: &Asking<JobRead>, mut at: impl FnMut(&ProjectRow, &Picture)) -> Option<At> {
    let ages = who.projects(app).into_iter().map(|project| {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        at(&project, &picture);
        picture.as_of.map(At)
    });
    ages.min().flatten()
}

/// The processes of a project, by id.
fn instances(project: &ProjectRow, picture: &Picture) -> BTreeMap<String, FleetInstance> {
    let mut found: BTreeMap<String, FleetInstance> = BTreeMap::new();
    for (_, row) in picture.all() {
        for member in row.members() {
            let id = picture.names.text(member.id);
            let line = found.entry(id.to_owned()).or_insert_with(|| FleetInstance {
                project: project.name.clone(),
                id: id.to_owned(),
                ip: picture.names.text(member.host).to_owned(),
                kind: kind(picture.is_ours(member.id)),
                jobs: 0,
                leads: 0,
                items: 0,
                running: 0,
                since: At(member.since),
            });
            line.jobs += 1;
            line.leads += u64::from(row.leader == member.id);
            line.since = line.since.min(At(member.since));
            for (_, item) in row.all_items() {
                line.items += u64::from(item.owner == member.id);
                let runs = row.is_running(item, &picture.names, &picture.leases);
                line.running += u64::from(runs && item.runner == member.id);
            }
        }
    }
    found
}

/// A page of rows that are ordered by their keys, behind a key.
fn page<T>(
    mut rows: Vec<T>,
    ask: &FleetAsk,
    key: impl Fn(&T) -> String,
) -> Answered<(Vec<T>, Option<String>)> {
    let limit = paging::limit(ask.limit)?;
    rows.sort_by_cached_key(&key);
    if let Some(after) = &ask.after {
        rows.retain(|row| key(row) > *after);
    }
    let next = paging::cut(&mut rows, limit, key);
    Ok((rows, next))
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<FleetAsk>,
) -> Answered<Found<FleetInstances>> {
    let letters = ask.q.as_deref().unwrap_or_default().to_lowercase();
    let mut rows = Vec::new();
    let as_of = look(&app, &who, |project, picture| {
        let found = instances(project, picture).into_values();
        rows.extend(found.filter(|row| row.id.to_lowercase().contains(&letters)));
    });
    let count = rows.len() as u64;
    let (items, next) = page(rows, &ask, |row| format!("{} {}", row.id, row.project))?;
    Ok(Found::new(FleetInstances { items, next, count, as_of }))
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Asking<JobRead>,
    Named(named): Named<TheId>,
) -> Answered<Found<FleetPage>> {
    let id = named.id();
    let (mut of, mut jobs, mut known) = (Vec::new(), Vec::new(), Vec::new());
    let as_of = look(&app, &who, |project, picture| {
        let mut all = instances(project, picture);
        let Some(line) = all.remove(id) else { return known.extend(all.into_keys()) };
        of.push(line);
        let Some(number) = picture.names.find(id) else { return };
        for (name, row) in picture.all().filter(|(_, row)| row.members().any(|one| one.id == number)) {
            let items = row.all_items().filter(|(_, item)| item.owner == number);
            let runs = |item| row.is_running(item, &picture.names, &picture.leases) && item.runner == number;
            jobs.push(InstanceJob {
                project: project.name.clone(),
                job: name.as_str().to_owned(),
                leader: row.leader == number,
                items: items.map(|(item, _)| item).collect(),
                running: row.all_items().filter(|(_, item)| runs(*item)).map(|(item, _)| item).collect(),
            });
        }
    });
    if of.is_empty() {
        let problem =
            Problem::new(Code::NotFound, format!("there is no instance `{id}` now, or you may not see it"));
        return Err(problem.near(id, known.iter().map(String::as_str)).into());
    }
    Ok(Found::new(FleetPage { instances: of, jobs, as_of }))
}

pub(in crate::http) async fn all_hosts(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<FleetAsk>,
) -> Answered<Found<FleetHosts>> {
    let letters = ask.q.as_deref().unwrap_or_default().to_lowercase();
    let mut rows = Vec::new();
    let as_of = look(&app, &who, |project, picture| {
        let found = hosts::lines(picture).into_iter();
        let found = found.filter(|host| host.ip.to_lowercase().contains(&letters));
        rows.extend(found.map(|host| FleetHost { project: project.name.clone(), host }));
    });
    let count = rows.len() as u64;
    let (items, next) = page(rows, &ask, |row| format!("{} {}", row.host.ip, row.project))?;
    Ok(Found::new(FleetHosts { items, next, count, as_of }))
}
