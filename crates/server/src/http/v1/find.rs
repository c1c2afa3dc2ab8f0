//! What is looked at first: a palette that finds things by a few letters, an overview of what needs somebody, and when a schedule fires.

use super::lists;
use super::rows;
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::{Asking, Granted};
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use crate::store::{JobState, ProjectRow};
use clockwright_api::find::{Hit, NextAsk, NextFires, Overview, SearchAsk};
use clockwright_api::permission::kinds::{JobRead, Own};
use clockwright_api::{At, Code, List, Problem};
use clockwright_fleet::view::JobStatus;
use clockwright_planner::Schedule;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many of each kind are shown.
const MOST: usize = 10;
/// How many jobs of each kind of trouble are shown.
const ATTENTION: usize = 20;
/// A job that failed so often in a row is failing.
const FAILING: u32 = 3;
/// How many instants are told at most.
const INSTANTS: u32 = 1_000;

fn seen(app: &App, who: &Asking<JobRead>) -> Vec<Arc<ProjectRow>> {
    app.catalogue.projects().into_iter().filter(|project| who.may(project.id)).collect()
}

pub(in crate::http) async fn search(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<SearchAsk>,
) -> Answered<Found<List<Hit>>> {
    let search = lists::search(Some(&ask.q))?;
    let projects = seen(&app, &who);
    let text = ask.q.to_lowercase();
    let mut hits: Vec<Hit> = projects
        .iter()
        .filter(|project| project.name.contains(&text) || project.title.to_lowercase().contains(&text))
        .take(MOST)
        .map(|project| Hit {
            kind: "project".to_owned(),
            project: project.name.clone(),
            name: project.name.clone(),
            title: project.title.clone(),
        })
        .collect();
    let mut jobs = lists::found(&app, &projects, &search);
    // Whose name begins so is meant more often than who has it somewhere.
    jobs.sort_by_key(|entry| !entry.job.name.to_lowercase().starts_with(&text));
    hits.extend(jobs.into_iter().take(MOST).map(|entry| Hit {
        kind: "job".to_owned(),
        project: entry.project.name.clone(),
        name: entry.job.name.clone(),
        title: entry.job.title.clone(),
    }));
    for project in &projects {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        let known: BTreeSet<&str> = picture
            .all()
            .flat_map(|(_, row)| row.hosts.iter().map(|(host, _)| picture.names.text(*host)))
            .filter(|host| host.contains(&text))
            .collect();
        hits.extend(known.into_iter().take(MOST).map(|host| Hit {
            kind: "host".to_owned(),
            project: project.name.clone(),
            name: host.to_owned(),
            title: String::new(),
        }));
    }
    Ok(Found::new(hits.into_iter().collect()))
}

pub(in crate::http) async fn overview(app: Arc<App>, who: Asking<JobRead>) -> Answered<Found<Overview>> {
    let projects = seen(&app, &who);
    let mut overview = Overview {
        projects: projects.len() as u64,
        jobs: 0,
        statuses: BTreeMap::new(),
        states: BTreeMap::new(),
        running: 0,
        degraded: Vec::new(),
        crashed: Vec::new(),
        failing: Vec::new(),
        diverged: Vec::new(),
        as_of: None,
    };
    let mut ages = Vec::with_capacity(projects.len());
    let now = app.now();
    for project in &projects {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        ages.push(picture.as_of.map(At));
        for job in app.catalogue.jobs(project.id) {
            overview.jobs += 1;
            *overview.states.entry(job.state.word().to_owned()).or_default() += 1;
            let live = picture.job(&job.name);
            let status = live.map(|row| row.status().0);
            if let Some(status) = status {
                *overview.statuses.entry(status.as_str().to_owned()).or_default() += 1;
            }
            let running = live.map_or(0, |row| row.items(&picture.names, &picture.leases).running);
            overview.running += u64::from(running);
            let last = app.outcomes.last(project, &job.name);
            for (list, applies) in [
                (&mut overview.degraded, status == Some(JobStatus::Degraded)),
                (&mut overview.crashed, status == Some(JobStatus::Crashed) && job.state == JobState::Online),
                (&mut overview.failing, last.is_some_and(|last| last.streak >= FAILING)),
                (&mut overview.diverged, job.diverged),
            ] {
                if applies && list.len() < ATTENTION {
                    list.push(rows::joined(&app, project, &job, &picture, now));
                }
            }
        }
    }
    overview.as_of = ages.into_iter().min().flatten();
    Ok(Found::new(overview))
}

pub(in crate::http) async fn next_fires(
    app: Arc<App>,
    _: Granted<Own>,
    Query(ask): Query<NextAsk>,
) -> Answered<Found<NextFires>> {
    let count = match ask.n.unwrap_or(20) {
        count @ 1..=INSTANTS => count as usize,
        count => {
            let problem = Problem::new(Code::Invalid, format!("`n` is {count}"));
            return Err(problem.at("/n", format!("is to be 1 to {INSTANTS}")).into());
        }
    };
    let schedule = Schedule::parse(&ask.cron, ask.zone.as_deref()).map_err(|error| {
        Problem::new(Code::Invalid, "the schedule cannot be used").at("/cron", error.to_string())
    })?;
    let from = ask.from.map_or_else(|| app.now(), |at| at.0);
    let fires = std::iter::successors(schedule.next_after(from), |at| schedule.next_after(*at));
    let sentence = rows::sentence(&schedule);
    Ok(Found::new(NextFires { fires: fires.take(count).map(At).collect(), sentence }))
}
