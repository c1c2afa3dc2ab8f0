//! The hosts of a project, over all of its jobs, from the mirror; and how a project's registry stands.

use super::live::{as_of, kind};
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Granted;
use crate::http::parts::Named;
use crate::http::refusal::Answered;
use crate::mirror::row::{Number, Row};
use crate::mirror::{Picture, State};
use clockwright_api::live::{Host, HostInstance, HostJob, HostPage, Now, ProjectLive};
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{At, Code, Problem};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheHost {
    /// Its address.
    ip: String,
}

pub(in crate::http) async fn list(app: Arc<App>, who: Granted<JobRead>) -> Answered<Found<Now<Host>>> {
    let mirror = app.mirrors.of(who.project()?.id);
    let picture = mirror.read();
    let as_of = as_of(&picture)?;
    let mut items = lines(&picture);
    items.sort_by(|one, other| one.ip.cmp(&other.ip));
    Ok(Found::new(Now { items, as_of }))
}

/// A line about each host.
pub(super) fn lines(picture: &Picture) -> Vec<Host> {
    gather(picture, None).into_values().collect()
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<JobRead>,
    Named(TheHost { ip }): Named<TheHost>,
) -> Answered<Found<HostPage>> {
    let project = who.project()?;
    let mirror = app.mirrors.of(project.id);
    let picture = mirror.read();
    let as_of = as_of(&picture)?;
    let number = picture.names.find(&ip).filter(|number| *number != 0);
    let found = number.and_then(|number| Some((number, gather(&picture, Some(number)).remove(&number)?)));
    let Some((number, host)) = found else {
        let all = gather(&picture, None);
        let problem = Problem::new(Code::NoSuchHost, format!("`{}` has no host `{ip}`", project.name));
        return Err(problem.near(&ip, all.values().map(|host| host.ip.as_str())).into());
    };
    Ok(Found::new(HostPage {
        host,
        instances: instances(&picture, number),
        jobs: jobs(&picture, number),
        as_of,
    }))
}

/// A line about each host, or about this one.
fn gather(picture: &Picture, only: Option<Number>) -> HashMap<Number, Host> {
    let mut hosts: HashMap<Number, Host> = HashMap::new();
    let mut counted: HashSet<Number> = HashSet::new();
    let is_asked = |host: Number| only.is_none_or(|only| only == host);
    for (_, row) in picture.all() {
        for host in known(row).filter(|host| is_asked(*host)) {
            let line = hosts
                .entry(host)
                .or_insert_with(|| Host { ip: picture.names.text(host).to_owned(), ..Host::default() });
            line.jobs += 1;
            line.disabled_jobs += u64::from(row.is_kept_off(host));
            let (items, running) = load(picture, row, host);
            line.items += items;
            line.running += running;
        }
        for member in row.members().filter(|member| is_asked(member.host)) {
            if counted.insert(member.id)
                && let Some(line) = hosts.get_mut(&member.host)
            {
                line.instances += 1;
                line.java += u64::from(!picture.is_ours(member.id));
            }
        }
    }
    hosts
}

/// The hosts that a job knows: those with a node, and those that only an instance tells of.
fn known(row: &Row) -> impl Iterator<Item = Number> + '_ {
    let told: Vec<Number> = row.hosts.iter().map(|(host, _)| *host).collect();
    let mut others: Vec<Number> =
        row.members().map(|member| member.host).filter(|host| !told.contains(host)).collect();
    others.sort_unstable();
    others.dedup();
    told.into_iter().chain(others)
}

/// How many items of a job the plan gives to a host's instances, and how many of them run.
fn load(picture: &Picture, row: &Row, host: Number) -> (u64, u64) {
    let is_here = |number| row.members().any(|member| member.id == number && member.host == host);
    let items = row.all_items().filter(|(_, item)| item.owner != 0 && is_here(item.owner));
    items.fold((0, 0), |(items, running), (_, item)| {
        (items + 1, running + u64::from(row.is_running(item, &picture.names, &picture.leases)))
    })
}

fn instances(picture: &Picture, host: Number) -> Vec<HostInstance> {
    let mut found: BTreeMap<&str, HostInstance> = BTreeMap::new();
    for (_, row) in picture.all() {
        for member in row.members().filter(|member| member.host == host) {
            let id = picture.names.text(member.id);
            let line = found.entry(id).or_insert_with(|| HostInstance {
                id: id.to_owned(),
                kind: kind(picture.is_ours(member.id)),
                jobs: 0,
                items: 0,
            });
            line.jobs += 1;
            line.items += row.all_items().filter(|(_, item)| item.owner == member.id).count() as u64;
        }
    }
    found.into_values().collect()
}

fn jobs(picture: &Picture, host: Number) -> Vec<HostJob> {
    let there = picture.all().filter(|(_, row)| known(row).any(|known| known == host));
    there
        .map(|(name, row)| {
            let (items, running) = load(picture, row, host);
            HostJob {
                name: name.as_str().to_owned(),
                status: row.status().0.as_str().to_owned(),
                enabled: !row.is_kept_off(host),
                instances: row.members().filter(|member| member.host == host).count() as u64,
                items,
                running,
            }
        })
        .collect()
}

/// How a project's registry is followed, and what there is in it.
pub(super) fn summary(picture: &Picture) -> ProjectLive {
    let mut live = ProjectLive {
        state: picture.state.word().to_owned(),
        // What stands against it may name addresses: it is in the log.
        why: match &picture.state {
            State::Away(_) => "the registry cannot be reached".to_owned(),
            _ => String::new(),
        },
        as_of: picture.as_of.map(At),
        jobs: BTreeMap::new(),
        instances: 0,
        hosts: 0,
        running: 0,
    };
    let (mut instances, mut hosts) = (HashSet::new(), HashSet::new());
    for (_, row) in picture.all() {
        *live.jobs.entry(row.status().0.as_str().to_owned()).or_default() += 1;
        live.running += u64::from(row.items(&picture.names, &picture.leases).running);
        instances.extend(row.members().map(|member| member.id));
        hosts.extend(known(row));
    }
    (live.instances, live.hosts) = (instances.len() as u64, hosts.len() as u64);
    live
}
