//! How the registry agrees with the database: looked at, put right, decided by a person; and jobs that only the registry has.

use super::jobs::{differences_of, name_of};
use super::{TheId, done, paging, target};
use crate::app::{App, Told};
use crate::chores::lead;
use crate::config::HOME;
use crate::decide::chain::{Actor, Outcome, Record, Target};
use crate::decide::sync::{Access, Conflict, Verdict};
use crate::http::answer::{Answer, Found};
use crate::http::grant::{Asker, Granted};
use crate::http::parts::{Body, Named, Query, TheJob};
use crate::http::refusal::{Answered, Refusal};
use crate::ops::{self, Mended};
use crate::store::{DriftRow, JobRow, Managed, NewJob, ProjectRow, StoreError, SyncState};
use crate::sync::{By, Failed, Swept, Synced, found, look_only, registry_of, sweep, write, write_by};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::{ProjectWrite, SyncAdopt, SyncRead, SyncRun, SystemWrite};
use clockwright_api::sync::{
    Adopt, Adopted, DriftAsk, DriftView, JobState, JobSync, ProjectSync, Resolve, Side, Unmanaged,
};
use clockwright_api::{At, Code, List, Problem};
use clockwright_fleet::keys::Key;
use clockwright_model::JobName;
use clockwright_registry::Path;
use clockwright_settings::{Change, canonical};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a look failed, as an answer.
pub(super) fn refuse(failed: Failed) -> Refusal {
    match failed {
        Failed::Store(error) => error.into(),
        failed => failed.problem().into(),
    }
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<SyncRead>,
    TheJob(job): TheJob,
) -> Answered<Found<JobSync>> {
    let synced = look_only(&app, who.project()?, &[job.id]).await.map_err(refuse)?;
    view(&app, &job, synced).await
}

pub(in crate::http) async fn run(
    app: Arc<App>,
    who: Granted<SyncRun>,
    TheJob(job): TheJob,
) -> Answered<Told<Found<JobSync>>> {
    let project = Arc::clone(who.project()?);
    let synced = write(&app, &project, &[job.id]).await.map_err(refuse)?;
    ops::sweep(&app, &project, std::slice::from_ref(&job), None).await.map_err(refuse)?;
    let answer = view(&app, &job, synced).await?;
    Act::on_job(&app, who.asker(), &job, "sync.run").end(answer).await
}

async fn view(app: &App, job: &JobRow, synced: Vec<Synced>) -> Answered<Found<JobSync>> {
    let row = app.store.syncs(&[job.id]).await?.into_iter().next();
    let synced = synced.into_iter().next();
    let (state, changes, why) = synced.map_or((SyncState::Pending, Vec::new(), String::new()), |synced| {
        let (changes, why) = said(&synced.verdict);
        (synced.state, changes.to_vec(), why)
    });
    Ok(Found::new(JobSync {
        state: state.word().to_owned(),
        why,
        base_version: row.as_ref().map_or(0, |row| row.base_version),
        synced_at: row.filter(|row| row.synced > 0).map(|row| At(row.synced)),
        differences: changes.into_iter().map(differences_of).collect(),
    }))
}

/// What a verdict says: the settings that differ, and in words what cannot be said by them.
fn said(verdict: &Verdict) -> (&[Change], String) {
    match verdict {
        Verdict::Overwrite(drift) | Verdict::Report(drift) => {
            (&drift.changes, drift.unreadable.clone().unwrap_or_default())
        }
        Verdict::Wait(drift) => (
            &drift.changes,
            "somebody writes the same thing again and again; it is put right more and more slowly".to_owned(),
        ),
        Verdict::Adopt { changes, .. } => (changes, String::new()),
        Verdict::Conflict(Conflict::FirstContact(changes)) => {
            (changes, "the registry had a job of that name before".to_owned())
        }
        Verdict::Conflict(Conflict::Both(changes)) => (changes, "both were changed".to_owned()),
        Verdict::Conflict(Conflict::LayoutChanged(layout)) => {
            (&[], format!("the registry has it in the layout of {layout}"))
        }
        Verdict::Missing => (&[], "somebody deleted it from the registry".to_owned()),
        Verdict::Protect(Access::Denied) => (
            &[],
            "the node's access list does not let the server write: give it to the server's user, or delete the node".to_owned(),
        ),
        Verdict::Protect(_) => (&[], "everybody may write the node".to_owned()),
        Verdict::CameBack => (&[], "it was removed, and an instance has made it again".to_owned()),
        _ => (&[], String::new()),
    }
}

pub(in crate::http) async fn resolve(
    app: Arc<App>,
    who: Granted<SyncAdopt>,
    TheJob(job): TheJob,
    Body(ask): Body<Resolve>,
) -> Answered<Told<Found<JobSync>>> {
    let project = Arc::clone(who.project()?);
    match ask.take {
        Side::Database => {
            let act = Act::on_job(&app, who.asker(), &job, "sync.take-database");
            let work = async {
                let synced = write_by(&app, &project, &[job.id], By::PERSON).await.map_err(refuse)?;
                view(&app, &job, synced).await
            };
            act.carry_out(work).await
        }
        Side::Registry => take_registry(&app, who.asker(), &project, &job).await,
    }
}

/// Something that touches the registry by somebody's wish. That it begins is on record before, and how it ended after; its end is one
/// transaction with the answer that the request's key keeps, as for an apply.
struct Act<'a> {
    app: &'a App,
    asker: &'a Asker,
    action: &'static str,
    project: i64,
    about: Target,
}

impl<'a> Act<'a> {
    fn on_job(app: &'a App, asker: &'a Asker, job: &JobRow, action: &'static str) -> Self {
        Self { app, asker, action, project: job.project, about: target("job", job.id, &job.name) }
    }

    fn on_project(app: &'a App, asker: &'a Asker, project: &ProjectRow, action: &'static str) -> Self {
        let about = target("project", project.id, &project.name);
        Self { app, asker, action, project: project.id, about }
    }

    async fn carry_out<T>(&self, work: impl Future<Output = Answered<Found<T>>>) -> Answered<Told<Found<T>>>
    where
        Found<T>: Answer,
    {
        self.note(Outcome::Begun, "").await?;
        match work.await {
            Ok(answer) => self.end(answer).await,
            Err(refusal) => {
                let code = refusal.code().map_or("", Code::name);
                // Why it failed is the answer, also where that cannot be put on record.
                let _ = self.note(Outcome::Failed, code).await;
                Err(refusal)
            }
        }
    }

    async fn end<T>(&self, answer: Found<T>) -> Answered<Told<Found<T>>>
    where
        Found<T>: Answer,
    {
        let mut change = self.app.begin(self.asker).await?;
        change.record(self.record(Outcome::Done, ""));
        self.app.finish(change, self.asker, answer).await
    }

    async fn note(&self, outcome: Outcome, code: &'static str) -> Answered<()> {
        let mut change = self.app.begin_as(self.asker.actor.clone()).await?;
        change.record(self.record(outcome, code));
        self.app.commit(change).await?;
        Ok(())
    }

    fn record(&self, outcome: Outcome, code: &'static str) -> Record {
        let (project, about) = (self.project, self.about.clone());
        Record { outcome, code, ..done(self.action, project, about, json!(null), "") }
    }
}

/// What the registry has becomes the job's next version; that it is in the registry as it is has only to be noted.
async fn take_registry(
    app: &App,
    asker: &Asker,
    project: &ProjectRow,
    job: &JobRow,
) -> Answered<Told<Found<JobSync>>> {
    let name = name_of(job)?;
    let here = found(app, project, std::slice::from_ref(&name)).await.map_err(refuse)?.into_iter().next();
    let missing = || Problem::new(Code::NotFound, format!("the registry has no config of `{}`", job.name));
    let here = here.ok_or_else(missing)?;
    let settings = here
        .settings
        .map_err(|why| Problem::new(Code::Invalid, format!("what the registry has cannot be used: {why}")))?;
    let before = view(app, job, Vec::new()).await?;
    let mut change = app.begin(asker).await?;
    let adopted = NewJob::adopted(job, settings, String::new());
    // What a person takes over from there is no more what their files say.
    let new = NewJob { diverged: job.managed == Managed::Files, ..adopted };
    if change.update_job(job, &new).await?.is_none() {
        return Err(super::conflict(&format!("`{}`", job.name), job.version, job.version + 1).into());
    }
    change.record(done("sync.adopt", project.id, target("job", job.id, &job.name), json!(null), ""));
    let told = app.finish(change, asker, before).await?;
    match write(app, project, &[job.id]).await {
        Ok(synced) => Ok(told.now(view(app, job, synced).await?)),
        Err(failed) => {
            tracing::debug!(error = %failed, "what was taken from the registry is noted later");
            Ok(told)
        }
    }
}

pub(in crate::http) async fn of_project(
    app: Arc<App>,
    who: Granted<SyncRead>,
) -> Answered<Found<ProjectSync>> {
    let project = Arc::clone(who.project()?);
    let jobs = app.catalogue.jobs(project.id);
    let mut report = ProjectSync::default();
    for group in jobs.chunks(500) {
        let ids: Vec<i64> = group.iter().map(|job| job.id).collect();
        let rows = app.store.syncs(&ids).await?;
        for job in group {
            let row = rows.iter().find(|row| row.job == job.id);
            let state = row.map_or(SyncState::Pending, |row| row.state);
            count(&mut report, job, state, row.map_or("", |row| row.error.as_str()));
        }
    }
    report.held = report.counts.contains_key(SyncState::Held.word());
    Ok(Found::new(report))
}

fn count(report: &mut ProjectSync, job: &JobRow, state: SyncState, why: &str) {
    *report.counts.entry(state.word().to_owned()).or_default() += 1;
    if state != SyncState::Written {
        report.jobs.push(JobState {
            name: job.name.clone(),
            state: state.word().to_owned(),
            why: why.to_owned(),
        });
    }
}

fn report(app: &App, project: &ProjectRow, swept: Swept, holds: &[Mended]) -> Found<ProjectSync> {
    let names: BTreeMap<i64, Arc<JobRow>> =
        app.catalogue.jobs(project.id).into_iter().map(|job| (job.id, job)).collect();
    let mut report = ProjectSync { held: swept.held, ..ProjectSync::default() };
    for synced in swept.jobs {
        if let Some(job) = names.get(&synced.job) {
            let why = said(&synced.verdict).1;
            if let Some(kind) = synced.mended {
                report.mended.push(JobState {
                    name: job.name.clone(),
                    state: kind.to_owned(),
                    why: why.clone(),
                });
            }
            count(&mut report, job, synced.state, &why);
        }
    }
    for mended in holds {
        let Some(job) = names.get(&mended.job) else { continue };
        let state = match mended.action {
            "hold.restore" => "started",
            "hold.outside" => "stopped",
            _ => "lifted",
        };
        report.mended.push(JobState {
            name: job.name.clone(),
            state: state.to_owned(),
            why: mended.what.join("; "),
        });
    }
    Found::new(report)
}

pub(in crate::http) async fn run_project(
    app: Arc<App>,
    who: Granted<SyncRun>,
) -> Answered<Told<Found<ProjectSync>>> {
    let project = Arc::clone(who.project()?);
    let answer = both(&app, &project, false).await?;
    Act::on_project(&app, who.asker(), &project, "sync.run").end(answer).await
}

/// Settings and holds are looked at and put right.
async fn both(app: &App, project: &ProjectRow, confirmed: bool) -> Answered<Found<ProjectSync>> {
    let swept = sweep(app, project, confirmed, By::REQUEST).await.map_err(refuse)?;
    let holds = ops::sweep(app, project, &app.catalogue.jobs(project.id), None).await.map_err(refuse)?;
    Ok(report(app, project, swept, &holds))
}

pub(in crate::http) async fn confirm(
    app: Arc<App>,
    who: Granted<ProjectWrite>,
) -> Answered<Told<Found<ProjectSync>>> {
    let project = Arc::clone(who.project()?);
    let elects = project.registry == HOME && lead::is_lost(&app).await.map_err(refuse)?;
    if elects {
        // Whoever leads after that does so in all projects.
        who.everywhere::<SystemWrite>(&app)?;
    }
    let act = Act::on_project(&app, who.asker(), &project, "sync.confirm");
    let work = async {
        crate::sync::confirm(&app, &project, elects).await.map_err(refuse)?;
        both(&app, &project, true).await
    };
    act.carry_out(work).await
}

pub(in crate::http) async fn drifts(
    app: Arc<App>,
    who: Granted<SyncRead>,
    Query(ask): Query<DriftAsk>,
) -> Answered<Found<Page<DriftView>>> {
    let project = Arc::clone(who.project()?);
    let limit = paging::limit(ask.limit)?;
    let before = paging::number(ask.after.as_deref(), "`next` of a page")?.unwrap_or(i64::MAX);
    let job = match &ask.job {
        None => None,
        Some(name) => {
            let missing = || {
                Problem::new(Code::NotFound, format!("the project `{}` has no job `{name}`", project.name))
            };
            Some(app.catalogue.job(project.id, name).ok_or_else(missing)?.id)
        }
    };
    let mut rows = app.store.drifts(project.id, job, before, limit + 1).await?;
    let next = paging::cut(&mut rows, limit, |row| row.found.to_string());
    let items = rows.into_iter().map(|row| DriftView { had: None, ..view_drift(row) }).collect();
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

pub(in crate::http) async fn drift(
    app: Arc<App>,
    who: Granted<SyncRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Found<DriftView>> {
    let missing = || Problem::new(Code::NotFound, format!("there is no record `{id}`"));
    let row = app.store.drift(who.project()?.id, &id).await?.ok_or_else(missing)?;
    Ok(Found::new(view_drift(row)))
}

fn view_drift(row: DriftRow) -> DriftView {
    DriftView {
        id: row.id,
        job: row.name,
        found_at: At(row.found),
        kind: row.kind,
        verdict: row.verdict,
        done_at: row.done.map(At),
        changes: serde_json::from_str(&row.changes).unwrap_or_default(),
        author: serde_json::from_str(&row.author).unwrap_or_default(),
        had: Some(row.had),
    }
}

/// The names that the registry has and the database has not.
async fn strangers(app: &App, project: &ProjectRow) -> Answered<Vec<JobName>> {
    let (registry, keys) = registry_of(app, project).await.map_err(refuse)?;
    let names = registry.list(keys.root()).await.map_err(|error| refuse(error.into()))?;
    let unknown = names.iter().filter(|name| app.catalogue.job(project.id, name).is_none());
    Ok(unknown.filter_map(|name| JobName::new(name).ok()).collect())
}

pub(in crate::http) async fn unmanaged(
    app: Arc<App>,
    who: Granted<SyncRead>,
) -> Answered<Found<List<Unmanaged>>> {
    let project = Arc::clone(who.project()?);
    let names = strangers(&app, &project).await?;
    let found = found(&app, &project, &names).await.map_err(refuse)?;
    let (registry, keys) = registry_of(&app, &project).await.map_err(refuse)?;
    let parents: Vec<Path> = found.iter().map(|here| keys.of(&here.name, &Key::Instances)).collect();
    let instances = registry.lists(&parents).await.map_err(|error| refuse(error.into()))?;
    let views = found.into_iter().zip(instances).map(|(here, instances)| {
        let (settings, why) = match here.settings {
            Ok(settings) => (Some(canonical::to_json(&settings)), String::new()),
            Err(why) => (None, why),
        };
        let layout = here.layout.number().to_owned();
        Unmanaged { name: here.name.as_str().to_owned(), layout, settings, why, instances }
    });
    Ok(Found::new(views.collect()))
}

pub(in crate::http) async fn adopt(
    app: Arc<App>,
    who: Granted<SyncAdopt>,
    Body(ask): Body<Adopt>,
) -> Answered<Told<Found<Adopted>>> {
    let project = Arc::clone(who.project()?);
    let strangers = strangers(&app, &project).await?;
    let mut adopted = Adopted::default();
    let mut refuse_one = |name: &str, why: String| {
        adopted.refused.push(JobState { name: name.to_owned(), state: "refused".to_owned(), why });
    };
    let wanted: Vec<JobName> = match &ask.jobs {
        None => strangers,
        Some(names) => {
            for name in names
                .iter()
                .filter(|name| !strangers.iter().any(|stranger| stranger.as_str() == name.as_str()))
            {
                refuse_one(name, "it is managed already, or the registry has no such job".to_owned());
            }
            strangers
                .into_iter()
                .filter(|stranger| names.iter().any(|name| name == stranger.as_str()))
                .collect()
        }
    };
    let mut rows = Vec::new();
    for here in found(&app, &project, &wanted).await.map_err(refuse)? {
        match here.settings {
            Ok(settings) => rows.push(NewJob::found(settings, String::new())),
            Err(why) => refuse_one(here.name.as_str(), why),
        }
    }
    adopted.jobs = rows.iter().map(|row| row.settings.name.as_str().to_owned()).collect();
    let mut change = app.begin(who.asker()).await?;
    let mut ids = Vec::new();
    if !ask.dry_run {
        ids = take(&mut change, &project, &rows).await?;
    }
    if ids.is_empty() {
        let facts = json!({ "jobs": adopted.jobs.len(), "dryRun": ask.dry_run });
        change.record(done(
            "project.adopt",
            project.id,
            target("project", project.id, &project.name),
            facts,
            "",
        ));
    }
    let told = app.finish(change, who.asker(), Found::new(adopted)).await?;
    note_taken(&app, &project, &ids).await;
    Ok(told)
}

/// Takes over all that only the registry has and that can be used; nobody in particular asks for it.
pub(crate) async fn take_all(app: &App, project: &ProjectRow, actor: Actor) -> Answered<()> {
    let strangers = strangers(app, project).await?;
    let here = found(app, project, &strangers).await.map_err(refuse)?.into_iter();
    let rows: Vec<NewJob> =
        here.filter_map(|here| Some(NewJob::found(here.settings.ok()?, String::new()))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut change = app.begin_as(actor).await?;
    let ids = take(&mut change, project, &rows).await?;
    app.commit(change).await?;
    note_taken(app, project, &ids).await;
    Ok(())
}

/// Makes jobs of what was found; their ids.
async fn take(
    change: &mut crate::store::Change,
    project: &ProjectRow,
    rows: &[NewJob],
) -> Answered<Vec<i64>> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let job = match change.insert_job(project.id, row).await {
            Err(StoreError::Taken) => {
                let detail = format!("`{}` was made meanwhile", row.settings.name);
                return Err(Problem::new(Code::NameTaken, detail).into());
            }
            other => other?,
        };
        let settings = json!({ "settings": [null, canonical::to_json(&row.settings)] });
        change.record(done("job.adopt", project.id, target("job", job.id, &job.name), settings, ""));
        ids.push(job.id);
    }
    Ok(ids)
}

/// What is found is as wished: it only has to be noted. The next sweep does it where the registry is away by now.
async fn note_taken(app: &App, project: &ProjectRow, ids: &[i64]) {
    for group in ids.chunks(crate::sync::write::GROUP) {
        if let Err(failed) = write(app, project, group).await {
            tracing::debug!(error = %failed, "adopted jobs are noted later");
        }
    }
}
