//! What comes: how much is due in each minute of the next day, and which jobs those are. It is told by the schedules of jobs that are online and
//! that nobody stopped.
//!
//! The counts of a project are kept, since a day of many jobs is much to count: when a minute has passed, only the last one is counted, and all
//! of them when a job or a hold has changed.

use super::find::is_stopped;
use super::{aside, paging};
use crate::app::App;
use crate::http::answer::Found;
use crate::http::grant::Asking;
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use crate::store::{JobRow, JobState, ProjectRow};
use clockwright_api::find::{Coming, ComingJob, ComingJobs, ComingJobsAsk, UpcomingAsk};
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{At, Code, Problem};
use clockwright_model::Millis;
use clockwright_planner::Schedule;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

const MINUTE: Millis = 60_000;
const DAY: usize = 24 * 60;
/// A schedule with more instants than this in a span is counted minute by minute, and not instant by instant.
const DENSE: u64 = 1_000;
/// How many jobs are listed unless asked for, and at most.
const LISTED: u32 = 50;
const MOST_LISTED: u32 = 200;

/// The counts of all projects that were asked for.
#[derive(Debug, Default)]
pub struct Upcoming(Mutex<HashMap<i64, Kept>>);

#[derive(Debug)]
struct Kept {
    seq: i64,
    /// Which minute since 1970 the first one is.
    first: Millis,
    minutes: VecDeque<Due>,
}

/// How much is due in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Due {
    fires: u64,
    items: u64,
}

impl Due {
    fn add(&mut self, fires: u64, items: u64) {
        self.fires = self.fires.saturating_add(fires);
        self.items = self.items.saturating_add(fires.saturating_mul(items));
    }
}

impl Upcoming {
    /// Adds what is due in each minute of a day in a project.
    fn add_to(&self, sum: &mut [Due], app: &App, project: i64, first: Millis) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = app.catalogue.seq();
        let kept = all.entry(project).or_insert_with(|| Kept { seq, first, minutes: VecDeque::new() });
        let passed = usize::try_from(first - kept.first).unwrap_or(DAY);
        if kept.seq != seq || passed >= DAY {
            *kept = Kept { seq, first, minutes: VecDeque::new() };
        } else {
            kept.minutes.drain(..passed.min(kept.minutes.len()));
            kept.first = first;
        }
        if kept.minutes.len() < DAY {
            let known = kept.minutes.len();
            kept.minutes.resize(DAY, Due::default());
            let news = &mut kept.minutes.make_contiguous()[known..];
            let begin = first + Millis::try_from(known).unwrap_or(0);
            for job in coming(app, project) {
                let Some(schedule) = job.schedule() else { continue };
                count(news, begin, schedule, job.items.unsigned_abs());
            }
        }
        sum.iter_mut().zip(&kept.minutes).for_each(|(sum, due)| {
            sum.fires = sum.fires.saturating_add(due.fires);
            sum.items = sum.items.saturating_add(due.items);
        });
    }
}

/// Adds the instants of a schedule to the minutes that begin with this one.
fn count(minutes: &mut [Due], first: Millis, schedule: &Schedule, items: u64) {
    let length = Millis::try_from(minutes.len()).unwrap_or(0);
    let (from, to) = (first * MINUTE, (first + length) * MINUTE);
    if schedule.count(from - 1, to - 1, DENSE + 1) > DENSE {
        for (minute, begin) in minutes.iter_mut().zip((from..to).step_by(MINUTE as usize)) {
            minute.add(schedule.count(begin - 1, begin + MINUTE - 1, u64::MAX), items);
        }
        return;
    }
    let instants = std::iter::successors(schedule.next_after(from - 1), |at| schedule.next_after(*at));
    for at in instants.take_while(|at| *at < to) {
        let minute = usize::try_from(at.div_euclid(MINUTE) - first).ok();
        if let Some(minute) = minute.and_then(|minute| minutes.get_mut(minute)) {
            minute.add(1, items);
        }
    }
}

/// The jobs of a project that fire by themselves.
fn coming(app: &App, project: i64) -> impl Iterator<Item = Arc<JobRow>> + '_ {
    let jobs = app.catalogue.jobs(project).into_iter();
    jobs.filter(|job| job.state == JobState::Online && !is_stopped(app, job))
}

fn seen(app: &App, who: &Asking<JobRead>, project: Option<&str>) -> Answered<Vec<Arc<ProjectRow>>> {
    let mut found = who.projects(app);
    found.retain(|row| project.is_none_or(|name| row.name == name));
    match project {
        Some(name) if found.is_empty() => {
            let detail = format!("there is no project `{name}`, or you may not see it");
            Err(Problem::new(Code::NotFound, detail).into())
        }
        _ => Ok(found),
    }
}

pub(in crate::http) async fn counts(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<UpcomingAsk>,
) -> Answered<Found<Coming>> {
    let width = match ask.by.as_deref().unwrap_or("minute") {
        "minute" => 1,
        "hour" => 60,
        other => {
            let problem = Problem::new(Code::Invalid, format!("nothing is counted by the {other}"));
            return Err(problem.at("/by", "is to be `minute` or `hour`").into());
        }
    };
    let projects = seen(&app, &who, ask.project.as_deref())?;
    let first = app.now().div_euclid(MINUTE);
    let minutes = aside(move || {
        let mut minutes = vec![Due::default(); DAY];
        projects.iter().for_each(|project| app.upcoming.add_to(&mut minutes, &app, project.id, first));
        minutes
    });
    let minutes = minutes.await?;
    let spans = minutes.chunks(width);
    let sum = |of: fn(&Due) -> u64| {
        spans.clone().map(|span| span.iter().fold(0_u64, |sum, due| sum.saturating_add(of(due)))).collect()
    };
    Ok(Found::new(Coming {
        from: At(first * MINUTE),
        width: MINUTE * Millis::try_from(width).unwrap_or(1),
        fires: sum(|due| due.fires),
        items: sum(|due| due.items),
    }))
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<ComingJobsAsk>,
) -> Answered<Found<ComingJobs>> {
    let limit = paging::up_to("limit", ask.limit, LISTED, MOST_LISTED)? as usize;
    let from = ask.from.map_or_else(|| app.now(), |at| at.0);
    let to = ask.to.map_or_else(|| from.saturating_add(DAY as Millis * MINUTE), |at| at.0);
    if from >= to {
        let problem = Problem::new(Code::Invalid, "the span is empty");
        return Err(problem.at("/from", "is to be before `to`").into());
    }
    let projects = seen(&app, &who, ask.project.as_deref())?;
    Ok(Found::new(aside(move || listed(&app, projects, (from, to), limit)).await?))
}

/// Which jobs fire in a span, those that do so first.
fn listed(
    app: &App,
    projects: Vec<Arc<ProjectRow>>,
    (from, to): (Millis, Millis),
    limit: usize,
) -> ComingJobs {
    let mut found = Vec::new();
    for project in projects {
        for job in coming(app, project.id) {
            let next = job.schedule().and_then(|schedule| schedule.next_after(from.saturating_sub(1)));
            found.extend(next.filter(|at| *at < to).map(|at| (at, Arc::clone(&project), job)));
        }
    }
    found.sort_by(|one, other| {
        (one.0, &one.1.name, &one.2.name).cmp(&(other.0, &other.1.name, &other.2.name))
    });
    let count = found.len() as u64;
    found.truncate(limit);
    let fires = |schedule: &Schedule| schedule.count(from.saturating_sub(1), to.saturating_sub(1), u64::MAX);
    let items = found.into_iter().map(|(at, project, job)| ComingJob {
        project: project.name.clone(),
        job: job.name.clone(),
        fire_at: At(at),
        fires: job.schedule().map_or(0, fires),
        items: job.items.unsigned_abs(),
    });
    ComingJobs { items: items.collect(), count }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn minutes_are_counted_alike_whether_a_schedule_is_dense_or_not() {
        for cron in
            ["0 0 * * * ?", "0/1 * * * * ?", "30 0/7 * * * ?", "@every 90s", "@once 1970-01-01T01:00:00Z"]
        {
            let schedule = Schedule::parse(cron, Some("UTC")).unwrap();
            let mut minutes = vec![Due::default(); 180];
            count(&mut minutes, 10, &schedule, 3);
            for (minute, due) in (10..).zip(&minutes) {
                let expected = schedule.count(minute * MINUTE - 1, (minute + 1) * MINUTE - 1, u64::MAX);
                assert_eq!(*due, Due { fires: expected, items: 3 * expected }, "{cron}, minute {minute}");
            }
        }
    }
}
