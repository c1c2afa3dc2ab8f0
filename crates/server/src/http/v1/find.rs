//! What is looked at first: a palette that finds things by a few letters, and an overview of what needs somebody.

use super::{aside, history, lists, rows};
use crate::app::App;
use crate::decide::attention::{Facts, attention};
use crate::decide::hold::Scope;
use crate::decide::query::{FAILING, Query as Search};
use crate::http::answer::Found;
use crate::http::grant::Asking;
use crate::http::parts::Query;
use crate::http::refusal::Answered;
use crate::ledger::SETTLE;
use crate::mirror::Picture;
use crate::mirror::row::Row;
use crate::store::{JobRow, JobState, ProjectRow};
use clockwright_api::find::{Attention, Hit, Overview, OverviewAsk, SearchAsk};
use clockwright_api::history::Balance;
use clockwright_api::permission::kinds::JobRead;
use clockwright_api::{At, List};
use clockwright_events::Width;
use clockwright_fleet::view::JobStatus;
use clockwright_model::{Millis, OutcomeKind};
use clockwright_planner::{Schedule, ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many of each kind are shown.
const MOST: usize = 10;
/// How many things are told that need somebody.
const MOST_ATTENTION: usize = 50;
/// How many jobs of each kind of trouble are shown.
const ATTENTION: usize = 20;

pub(in crate::http) async fn search(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<SearchAsk>,
) -> Answered<Found<List<Hit>>> {
    let search = lists::search(Some(&ask.q))?;
    let projects = who.projects(&app);
    let text = ask.q.to_lowercase();
    Ok(Found::new(aside(move || hits(&app, &projects, &search, &text)).await?))
}

/// What a few letters find, of each kind the best.
fn hits(app: &App, projects: &[Arc<ProjectRow>], search: &Search, text: &str) -> List<Hit> {
    let mut hits: Vec<Hit> = projects
        .iter()
        .filter(|project| project.name.contains(text) || project.title.to_lowercase().contains(text))
        .take(MOST)
        .map(|project| Hit {
            kind: "project".to_owned(),
            project: project.name.clone(),
            name: project.name.clone(),
            title: project.title.clone(),
        })
        .collect();
    let mut jobs = lists::found(app, projects, search);
    // Whose name begins so is meant more often than who has it somewhere.
    jobs.sort_by_key(|entry| !entry.job.name.to_lowercase().starts_with(text));
    hits.extend(jobs.into_iter().take(MOST).map(|entry| Hit {
        kind: "job".to_owned(),
        project: entry.project.name.clone(),
        name: entry.job.name.clone(),
        title: entry.job.title.clone(),
    }));
    for project in projects {
        let mirror = app.mirrors.of(project.id);
        let picture = mirror.read();
        let known: BTreeSet<&str> = picture
            .all()
            .flat_map(|(_, row)| row.hosts.iter().map(|(host, _)| picture.names.text(*host)))
            .filter(|host| host.contains(text))
            .collect();
        hits.extend(known.into_iter().take(MOST).map(|host| Hit {
            kind: "host".to_owned(),
            project: project.name.clone(),
            name: host.to_owned(),
            title: String::new(),
        }));
    }
    hits.into_iter().collect()
}

pub(in crate::http) async fn overview(
    app: Arc<App>,
    who: Asking<JobRead>,
    Query(ask): Query<OverviewAsk>,
) -> Answered<Found<Overview>> {
    let now = app.now();
    let (from, to) = history::span(ask.from, ask.to, history::DAY, now)?;
    let from = Width::Hour.start_of(from);
    let projects = who.projects(&app);
    let (looks, all) = (Arc::clone(&app), projects.clone());
    let look = move || {
        let mut look = Look::new(&looks, (from, to.min(now)), now);
        all.iter().for_each(|project| look.add(project));
        look.ended()
    };
    let (mut overview, unaccounted) = aside(look).await?;
    overview.projects = projects.len() as u64;
    let running = if to >= now { overview.running } else { 0 };
    let sum = ledger::Balance { unaccounted, running, ..ledger::Balance::default() };
    overview.balance = balance(&app, &projects, sum, (from, to)).await;
    Ok(Found::new(overview))
}

/// How the fires of a time ended, by the counts of all projects, added to what runs and what nothing accounts for.
async fn balance(
    app: &App,
    projects: &[Arc<ProjectRow>],
    mut sum: ledger::Balance,
    (from, to): (Millis, Millis),
) -> Option<Balance> {
    for project in projects {
        let away = |error: &dyn std::fmt::Display| tracing::warn!(%error, "an event store is away");
        let history = app.histories.of(&project.store).await.inspect_err(|error| away(error)).ok()?;
        let counted = history.statistics(Some(&project.namespace), None, Width::Hour, from, to).await;
        let counted = counted.inspect_err(|error| away(error)).ok()?;
        if !app.outcomes.is_seen(&project.store) {
            return None;
        }
        for row in counted {
            for (outcome, count) in [
                (OutcomeKind::Succeeded, row.succeeded),
                (OutcomeKind::Failed, row.failed),
                (OutcomeKind::Skipped, row.skipped),
                (OutcomeKind::Coalesced, row.coalesced),
                (OutcomeKind::Missed, row.missed),
                (OutcomeKind::Cancelled, row.cancelled),
            ] {
                sum.settled(outcome, count);
            }
        }
    }
    Some(super::ledger::balance(sum))
}

/// Who looks at all jobs, once.
struct Look<'a> {
    app: &'a App,
    now: Millis,
    span: (Millis, Millis),
    overview: Overview,
    unaccounted: u64,
    attention: Vec<(u8, Attention)>,
    ages: Vec<Option<At>>,
}

impl<'a> Look<'a> {
    fn new(app: &'a App, span: (Millis, Millis), now: Millis) -> Self {
        let overview = Overview {
            projects: 0,
            jobs: 0,
            statuses: BTreeMap::new(),
            states: BTreeMap::new(),
            running: 0,
            degraded: Vec::new(),
            crashed: Vec::new(),
            failing: Vec::new(),
            diverged: Vec::new(),
            from: At(span.0),
            balance: None,
            attention: Vec::new(),
            attention_count: 0,
            as_of: None,
        };
        Self { app, now, span, overview, unaccounted: 0, attention: Vec::new(), ages: Vec::new() }
    }

    fn add(&mut self, project: &ProjectRow) {
        let mirror = self.app.mirrors.of(project.id);
        let picture = mirror.read();
        self.ages.push(picture.as_of.map(At));
        for job in self.app.catalogue.jobs(project.id) {
            self.add_job(project, &job, &picture);
        }
    }

    fn add_job(&mut self, project: &ProjectRow, job: &JobRow, picture: &Picture) {
        let (app, now) = (self.app, self.now);
        let overview = &mut self.overview;
        overview.jobs += 1;
        *overview.states.entry(job.state.word().to_owned()).or_default() += 1;
        let live = picture.job(&job.name);
        let (status, why) = live.map(Row::status).unzip();
        if let Some(status) = status {
            *overview.statuses.entry(status.as_str().to_owned()).or_default() += 1;
        }
        let running = live.map_or(0, |row| row.items(&picture.names, &picture.leases).running);
        overview.running += u64::from(running);
        let last = app.outcomes.last(project, &job.name);
        let streak = last.map_or(0, |last| last.streak);
        let is_meant_to_run = job.state == JobState::Online && !is_stopped(app, job);
        for (list, applies) in [
            (&mut overview.degraded, status == Some(JobStatus::Degraded)),
            (&mut overview.crashed, status == Some(JobStatus::Crashed) && job.state == JobState::Online),
            (&mut overview.failing, streak >= FAILING),
            (&mut overview.diverged, job.diverged),
        ] {
            if applies && list.len() < ATTENTION {
                list.push(rows::joined(app, project, job, picture, now));
            }
        }
        let schedule = job.schedule().filter(|_| is_meant_to_run);
        let unaccounted = match (schedule, live) {
            (Some(schedule), Some(row)) => self.unaccounted(project, job, schedule, row, picture),
            _ => 0,
        };
        self.unaccounted = self.unaccounted.saturating_add(unaccounted);
        let facts = Facts {
            status,
            why: why.flatten(),
            is_meant_to_run,
            is_diverged: job.diverged,
            streak,
            good: last.and_then(|last| last.good).map(|at| at.0),
            missed: last.filter(|last| last.outcome == "missed").map(|last| last.fire.0),
            unaccounted,
            next: schedule.and_then(|schedule| schedule.next_after(now)),
        };
        self.attention.extend(attention(&project.name, &job.name, &facts, now));
    }

    /// How many due instants of a job's items nothing accounts for: those since the newest fire that has an outcome. Of what instances of
    /// Elastic-Job may have run nobody can say so.
    fn unaccounted(
        &self,
        project: &ProjectRow,
        job: &JobRow,
        schedule: &Schedule,
        row: &Row,
        picture: &Picture,
    ) -> u64 {
        let (from, to) = self.span;
        let until = (self.now - SETTLE).min(to.saturating_sub(1));
        if !self.app.outcomes.is_seen(&project.store) || picture.is_javas(row) {
            return 0;
        }
        let mut sum = 0_u64;
        for (number, item) in row.all_items() {
            if item.is_disabled() || row.is_running(item, &picture.names, &picture.leases) {
                continue;
            }
            let settled =
                self.app.outcomes.item(project, &job.name, number).map_or(Millis::MIN, |last| last.fire.0);
            // Before its last change it may have been due otherwise.
            let after = settled.max(job.changed).max(from - 1);
            if after < until {
                sum = sum.saturating_add(schedule.count(after, until, u64::MAX));
            }
        }
        sum
    }

    /// What was seen, and how much nothing accounts for.
    fn ended(mut self) -> (Overview, u64) {
        self.attention.sort_by(|(one, this), (other, that)| {
            (one, that.count, &this.project, &this.job).cmp(&(other, this.count, &that.project, &that.job))
        });
        self.overview.attention_count = self.attention.len() as u64;
        let worst = self.attention.into_iter().take(MOST_ATTENTION);
        self.overview.attention = worst.map(|(_, one)| one).collect();
        self.overview.as_of = self.ages.into_iter().min().flatten();
        (self.overview, self.unaccounted)
    }
}

/// Does the job as a whole stand still by somebody's wish?
pub(super) fn is_stopped(app: &App, job: &JobRow) -> bool {
    let (own, _) = app.catalogue.holds(job);
    own.iter().any(|hold| matches!(hold.key.scope, Scope::Job | Scope::Project))
}
