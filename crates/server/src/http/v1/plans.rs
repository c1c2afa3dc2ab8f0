//! Jobs files: written from what is there, planned, applied; and settings that are looked at before they are saved.

use super::jobs::{current, differences_of, invalid, name_of};
use crate::app::{App, Told};
use crate::apply::{self, Applying, Said};
use crate::decide::code;
use crate::decide::effects::{Seen, effects, warnings};
use crate::decide::what_if::{self, Change};
use crate::http::answer::{Found, Yaml};
use crate::http::files::Files;
use crate::http::grant::Granted;
use crate::http::parts::{Body, Query, TheJob};
use crate::http::refusal::Answered;
use crate::store::{JobRow, JobState, VersionRow, in_words};
use clockwright_api::permission::kinds::{JobRead, JobWrite};
use clockwright_api::plan::{Applied, ApplyAsk, Plan, PlanAsk, Preview, PreviewAsk, WhatIf, WhatIfAsk};
use clockwright_api::{Code, Permission, Problem};
use clockwright_model::{InstanceId, JobSettings};
use clockwright_planner::Schedule;
use clockwright_planner::sharding::Strategy;
use clockwright_settings::{canonical, jobs_file};
use std::sync::Arc;

/// A job's settings as a file has them: that it is offline is an operator's wish and no part of it.
fn as_file(job: &JobRow, version: &VersionRow) -> Answered<JobSettings> {
    let settings = version.read(&name_of(job)?)?;
    let disabled = settings.disabled && job.state != JobState::Offline;
    Ok(JobSettings { disabled, ..settings })
}

pub(in crate::http) async fn yaml(app: Arc<App>, _: Granted<JobRead>, TheJob(job): TheJob) -> Answered<Yaml> {
    let settings = as_file(&job, &current(&app, &job).await?)?;
    Ok(Yaml(jobs_file::write([&settings])))
}

pub(in crate::http) async fn export(app: Arc<App>, who: Granted<JobRead>) -> Answered<Yaml> {
    let jobs = app.catalogue.jobs(who.project()?.id);
    let mut all = Vec::with_capacity(jobs.len());
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    for wished in app.store.there(&ids).await? {
        all.push(as_file(&wished.job, &wished.version)?);
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Yaml(jobs_file::write(&all)))
}

/// Reads files aside: a large one keeps nobody else waiting.
async fn read(app: &App, files: Files) -> Answered<Said> {
    let (files, now) = (files.texts().await?, app.now());
    let read = tokio::task::spawn_blocking(move || Said::read(&files, now)).await;
    Ok(read.map_err(|_| Problem::new(Code::Internal, "the files could not be read"))??)
}

pub(in crate::http) async fn plan(
    app: Arc<App>,
    who: Granted<JobRead>,
    Query(ask): Query<PlanAsk>,
    files: Files,
) -> Answered<Found<Plan>> {
    let said = read(&app, files).await?;
    Ok(Found::new(apply::plan(&app, who.project()?, &ask, &said).await?))
}

pub(in crate::http) async fn apply(
    app: Arc<App>,
    who: Granted<JobWrite>,
    Query(ask): Query<ApplyAsk>,
    files: Files,
) -> Answered<Told<Found<Applied>>> {
    let said = read(&app, files).await?;
    let also = [Permission::JobCode, Permission::JobRemove, Permission::SyncAdopt];
    let denied = also.into_iter().filter(|permission| !who.may(*permission)).collect();
    let (asker, project) = (who.asker().clone(), Arc::clone(who.project()?));
    apply::apply(app, Applying { asker, project, ask, said, denied }).await
}

/// More instances than come to one job.
const MOST_JOIN: u32 = 1_000;
/// More items than a job has.
const MOST_ITEMS: u32 = 100_000;

pub(in crate::http) async fn what_if(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
    Body(ask): Body<WhatIfAsk>,
) -> Answered<Found<WhatIf>> {
    let mut problem = Problem::new(Code::Invalid, "nobody can say what would be then");
    let strategy = ask.strategy.as_deref().map(Strategy::parse).transpose();
    if let Err(error) = &strategy {
        problem = problem.at("/strategy", error.to_string());
    }
    if ask.join > MOST_JOIN {
        problem = problem.at("/join", format!("is to be {MOST_JOIN} at most"));
    }
    if ask.items.is_some_and(|items| !(1..=MOST_ITEMS).contains(&items)) {
        problem = problem.at("/items", format!("is to be 1 to {MOST_ITEMS}"));
    }
    let settings = current(&app, &job).await?.read(&name_of(&job)?)?;
    let mirror = app.mirrors.of(who.project()?.id);
    let picture = mirror.read();
    super::live::as_of(&picture)?;
    let seen = Seen::of(&picture, &job.name);
    let leave: Vec<InstanceId> = ask.leave.iter().map(|id| InstanceId::from_wire(id)).collect();
    for (id, place) in leave.iter().zip(0..).filter(|(id, _)| !seen.available.contains(id)) {
        let text = format!("`{}` takes no part in the job now", id.as_str());
        problem = problem.at(format!("/leave/{place}"), text);
    }
    if !problem.errors.is_empty() {
        return Err(problem.into());
    }
    let change = Change { leave, join: ask.join, items: ask.items, strategy: strategy.unwrap_or_default() };
    Ok(Found::new(what_if::what_if(&settings, &seen, &change)))
}

pub(in crate::http) async fn preview(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
    Body(ask): Body<PreviewAsk>,
) -> Answered<Found<Preview>> {
    let name = name_of(&job)?;
    let before = current(&app, &job).await?.read(&name)?;
    let after = match canonical::usable_from_json(name, &ask.settings) {
        Ok(after) => after,
        Err(problems) => {
            let problems = invalid(&problems).errors.clone();
            return Ok(Found::new(Preview { problems, ..Preview::default() }));
        }
    };
    let mirror = app.mirrors.of(who.project()?.id);
    let effects = effects(Some(&before), Some(&after), &Seen::of(&mirror.read(), &job.name), app.now());
    let mut warnings = warnings(&effects, false);
    warnings.extend(code::warning(&code::touched(Some(&before), &after)));
    let schedule = Schedule::parse(&after.cron, after.time_zone.as_deref()).ok();
    Ok(Found::new(Preview {
        problems: Vec::new(),
        diff: canonical::diff(&before, &after).into_iter().map(differences_of).collect(),
        sentence: schedule.as_ref().map(in_words),
        effects,
        warnings,
    }))
}
