//! Jobs: made, read, changed, taken back, listed. What is written here is the truth; the registry follows it.

use super::paging::{self, Paging};
use super::rows::words;
use super::{conflict, done, target};
use crate::app::{App, Told};
use crate::apply::layout_of;
use crate::decide::chain::told;
use crate::decide::code;
use crate::http::answer::{Created, Found};
use crate::http::grant::{Asker, Granted};
use crate::http::parts::{Body, Matches, Named, Query, TheJob};
use crate::http::refusal::Answered;
use crate::store::{
    JobRow, JobState, Managed, NewJob, Origin, ProjectRow, StoreError, SyncRow, SyncState, VersionRow,
};
use crate::sync;
use clockwright_api::jobs::{
    Definition, Difference, JobChange, Rollback, RunTime, SyncView, Version, WholeJob,
};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::{JobRead, JobWrite};
use clockwright_api::problem::Detail;
use clockwright_api::{At, Code, List, Permission, Problem};
use clockwright_model::{JobName, JobSettings, SettingsError};
use clockwright_settings::{Change, canonical};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa::IntoParams;

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<JobRead>,
    TheJob(job): TheJob,
) -> Answered<Found<Definition>> {
    let version = current(&app, &job).await?;
    let syncs = app.store.syncs(&[job.id]).await?;
    Ok(Found::at(definition(who.project()?, &job, &version, syncs.first()), job.version))
}

pub(super) async fn current(app: &App, job: &JobRow) -> Answered<VersionRow> {
    let missing =
        || Problem::new(Code::Internal, format!("version {} of `{}` is missing", job.version, job.name));
    Ok(app.store.version(job.id, job.version).await?.ok_or_else(missing)?)
}

fn definition(
    project: &ProjectRow,
    job: &JobRow,
    version: &VersionRow,
    sync: Option<&SyncRow>,
) -> Definition {
    let sync = match sync {
        // What was noted of an earlier version says nothing of this one.
        Some(row) if row.base_version == job.version || row.state != SyncState::Written => {
            SyncView { state: row.state.word().to_owned(), why: row.error.clone() }
        }
        _ => SyncView { state: SyncState::Pending.word().to_owned(), why: String::new() },
    };
    Definition {
        id: job.id,
        project: project.name.clone(),
        name: job.name.clone(),
        version: job.version,
        state: job.state.word().to_owned(),
        managed: job.managed.word().to_owned(),
        source: job.source.to_string(),
        diverged: job.diverged,
        settings: serde_json::from_str(&version.settings).unwrap_or_default(),
        tags: words(&job.tags),
        owner: job.owner.to_string(),
        run_time: RunTime { min: positive(job.run_min), max: positive(job.run_max) },
        changed_at: At(job.changed),
        changed_by: version.author_name.clone(),
        sync,
    }
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number > 0)
}

pub(in crate::http) async fn make(
    app: Arc<App>,
    who: Granted<JobWrite>,
    Body(ask): Body<WholeJob>,
) -> Answered<Told<Created<Definition>>> {
    let project = Arc::clone(who.project()?);
    let Some(name) = ask.name.as_deref() else {
        return Err(Problem::new(Code::Invalid, "the job has no name").at("/name", "is missing").into());
    };
    let name = JobName::new(name).map_err(|error| {
        Problem::new(Code::Invalid, "the job's name cannot be used").at("/name", error.to_string())
    })?;
    let new = whole(&name, &ask, Origin::Api)?;
    code(&who, None, &new.settings)?;
    fits(&app, &project, None, None, &new.settings)?;
    let mut change = app.begin(who.asker()).await?;
    let job = match change.insert_job(project.id, &new).await {
        Err(StoreError::Taken) => {
            let detail = format!("the project `{}` has a job `{name}`", project.name);
            return Err(Problem::new(Code::NameTaken, detail).at("/name", "is in use").into());
        }
        other => other?,
    };
    let (settings, _) = (canonical::to_json(&new.settings), ());
    let version = shown(&job, settings.clone(), who.asker());
    change.record(done(
        "job.create",
        project.id,
        target("job", job.id, &job.name),
        json!({ "settings": [null, settings] }),
        &new.reason,
    ));
    let location = format!("/api/v1/projects/{}/jobs/{}", project.name, job.name);
    let made = Created { value: definition(&project, &job, &version, None), location, version: Some(1) };
    let told = app.finish(change, who.asker(), made).await?;
    Ok(told.with("sync", sync::follow(&app, &project, job.id).await))
}

/// The version that was just made, as an answer shows it.
fn shown(job: &JobRow, settings: Value, asker: &Asker) -> VersionRow {
    VersionRow {
        job: job.id,
        version: job.version,
        settings: settings.to_string(),
        digest: job.digest.clone(),
        source_text: None,
        author: asker.actor.id.clone(),
        author_name: asker.actor.name.clone(),
        at: job.changed,
        reason: String::new(),
        origin: Origin::Api,
        based_on: None,
    }
}

/// A whole job, checked: all that is wrong with it at once.
fn whole(name: &JobName, ask: &WholeJob, origin: Origin) -> Answered<NewJob> {
    let settings =
        canonical::usable_from_json(name.clone(), &ask.settings).map_err(|problems| invalid(&problems))?;
    let (run_min, run_max) = run_time(ask.run_time)?;
    Ok(NewJob {
        settings,
        source_text: None,
        managed: Managed::Console,
        source: String::new(),
        diverged: false,
        tags: tags(&ask.tags)?,
        owner: ask.owner.clone().map(Into::into).unwrap_or_default(),
        run_min,
        run_max,
        origin,
        reason: ask.reason.clone().map(Into::into).unwrap_or_default(),
        based_on: None,
    })
}

fn usable(settings: JobSettings) -> Result<JobSettings, Vec<SettingsError>> {
    clockwright_settings::check(&settings).map(|_| settings)
}

pub(super) fn invalid(problems: &[SettingsError]) -> Problem {
    let mut problem = Problem::new(Code::Invalid, "the settings cannot be used");
    problem.errors = problems
        .iter()
        .map(|error| Detail {
            pointer: if error.field.is_empty() {
                "/settings".to_owned()
            } else {
                format!("/settings/{}", error.field.replace('.', "/"))
            },
            line: None,
            message: error.message.clone(),
        })
        .collect();
    problem
}

fn tags(words: &[String]) -> Answered<String> {
    for (place, word) in words.iter().enumerate() {
        if word.is_empty() || word.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            let problem = Problem::new(Code::Invalid, "a tag cannot be used");
            return Err(problem.at(format!("/tags/{place}"), "is to be one word without spaces").into());
        }
    }
    let text = words.join(" ");
    if text.chars().count() > 500 {
        return Err(Problem::new(Code::Invalid, "too many tags")
            .at("/tags", "have more than 500 characters together")
            .into());
    }
    Ok(text)
}

fn run_time(asked: RunTime) -> Answered<(i64, i64)> {
    let number = |value: Option<u64>| i64::try_from(value.unwrap_or_default()).unwrap_or(i64::MAX);
    let (min, max) = (number(asked.min), number(asked.max));
    if max != 0 && min > max {
        let problem = Problem::new(Code::Invalid, "the times of runs do not fit together");
        return Err(problem.at("/runTime", "has a `min` above its `max`").into());
    }
    Ok((min, max))
}

/// Keys that decide what a job runs are for those who have `job.code`.
fn code(who: &Granted<JobWrite>, before: Option<&JobSettings>, after: &JobSettings) -> Answered<()> {
    let touched = if who.may(Permission::JobCode) { Vec::new() } else { code::touched(before, after) };
    if touched.is_empty() {
        return Ok(());
    }
    let detail = format!("`{}` decide what the job runs, and need job.code", touched.join("`, `"));
    Err(Problem::new(Code::CodeNotAllowed, detail).with("keys", touched).into())
}

/// The layout of the job's nodes has a place for what is set; what was there before, nobody asks about.
fn fits(
    app: &App,
    project: &ProjectRow,
    sync: Option<&SyncRow>,
    before: Option<&JobSettings>,
    after: &JobSettings,
) -> Answered<()> {
    let layout = layout_of(project, sync, &app.mirrors.of(project.id).read(), after.name.as_str());
    let keys: Vec<&str> = match before {
        Some(before) => canonical::diff(before, after).iter().map(|change| change.key).collect(),
        None => canonical::canonical(after).iter().map(|(setting, _)| setting.key).collect(),
    };
    layout.check(after).and_then(|()| layout.holds(after, keys)).map_err(|error| {
        let errors = invalid(std::slice::from_ref(&error)).errors.clone();
        let mut problem = Problem::new(Code::LayoutCannot, format!("`{}`: {error}", after.name));
        problem.errors = errors;
        problem.with("layout", layout.number()).into()
    })
}

pub(in crate::http) async fn replace(
    app: Arc<App>,
    who: Granted<JobWrite>,
    TheJob(job): TheJob,
    Matches(version): Matches,
    Body(ask): Body<WholeJob>,
) -> Answered<Told<Found<Definition>>> {
    if ask.name.as_deref().is_some_and(|name| name != job.name) {
        return Err(Problem::new(Code::Invalid, "a job keeps its name")
            .at("/name", format!("is to be `{}`", job.name))
            .into());
    }
    let name = name_of(&job)?;
    let new = whole(&name, &ask, Origin::Api)?;
    save(&app, &who, &job, version, new, ask.by_hand, "job.update").await
}

pub(super) fn name_of(job: &JobRow) -> Answered<JobName> {
    Ok(JobName::new(&job.name).map_err(|error| Problem::new(Code::Internal, error.to_string()))?)
}

pub(in crate::http) async fn change(
    app: Arc<App>,
    who: Granted<JobWrite>,
    TheJob(job): TheJob,
    Matches(version): Matches,
    Body(ask): Body<JobChange>,
) -> Answered<Told<Found<Definition>>> {
    let name = name_of(&job)?;
    let before = current(&app, &job).await?;
    let mut settings: Value = serde_json::from_str(&before.settings).unwrap_or_default();
    if let Some(patch) = &ask.settings {
        merge(&mut settings, patch);
    }
    let whole_ask = WholeJob {
        name: None,
        settings,
        tags: ask.tags.unwrap_or_else(|| words(&job.tags)),
        owner: ask.owner.or_else(|| clockwright_api::text::Title::new(job.owner.to_string()).ok()),
        run_time: ask.run_time.unwrap_or(RunTime { min: positive(job.run_min), max: positive(job.run_max) }),
        reason: ask.reason,
        by_hand: ask.by_hand,
    };
    let new = whole(&name, &whole_ask, Origin::Api)?;
    save(&app, &who, &job, version, new, ask.by_hand, "job.update").await
}

/// RFC 7396: a key that is `null` goes, an object is merged, everything else replaces.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(into) = into else { return };
    for (key, value) in patch {
        if value.is_null() {
            into.remove(key);
        } else {
            merge(into.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

pub(in crate::http) async fn roll_back(
    app: Arc<App>,
    who: Granted<JobWrite>,
    TheJob(job): TheJob,
    Matches(version): Matches,
    Body(ask): Body<Rollback>,
) -> Answered<Told<Found<Definition>>> {
    let name = name_of(&job)?;
    let missing = || {
        Problem::new(Code::NotFound, format!("`{}` has no version {}", job.name, ask.version))
            .at("/version", "is not there")
    };
    let old = app.store.version(job.id, ask.version).await?.ok_or_else(missing)?;
    // By today's rules: what was usable once need not be so now.
    let settings = usable(old.read(&name)?).map_err(|problems| invalid(&problems))?;
    let new = NewJob {
        settings,
        source_text: old.source_text,
        managed: Managed::Console,
        source: String::new(),
        diverged: false,
        tags: job.tags.to_string(),
        owner: job.owner.to_string(),
        run_min: job.run_min,
        run_max: job.run_max,
        origin: Origin::Rollback,
        reason: ask.reason.map(Into::into).unwrap_or_default(),
        based_on: Some(ask.version),
    };
    save(&app, &who, &job, version, new, ask.by_hand, "job.rollback").await
}

/// Makes the next version, unless it would be the one that is there.
async fn save(
    app: &App,
    who: &Granted<JobWrite>,
    job: &JobRow,
    sent: i64,
    mut new: NewJob,
    by_hand: bool,
    action: &'static str,
) -> Answered<Told<Found<Definition>>> {
    let project = Arc::clone(who.project()?);
    let before_row = current(app, job).await?;
    if sent != job.version {
        return Err(stale(app, job, sent, &before_row, &new).await?.into());
    }
    if job.state == JobState::Removing {
        return Err(Problem::new(Code::JobRemoving, format!("`{}` is being removed", job.name)).into());
    }
    if job.managed == Managed::Files {
        if !by_hand || new.reason.is_empty() {
            let detail = format!("`{}` is defined by files of `{}`", job.name, job.source);
            return Err(Problem::new(Code::ManagedByFiles, detail).with("source", &*job.source).into());
        }
        new.managed = Managed::Files;
        new.source = job.source.to_string();
        new.diverged = true;
    }
    let before = before_row.read(&name_of(job)?)?;
    code(who, Some(&before), &new.settings)?;
    let sync = app.store.syncs(&[job.id]).await?.pop();
    fits(app, &project, sync.as_ref(), Some(&before), &new.settings)?;
    new.based_on = new.based_on.or(Some(job.version));
    let changes = canonical::diff(&before, &new.settings);
    let same = changes.is_empty()
        && new.tags == *job.tags
        && new.owner == *job.owner
        && (new.run_min, new.run_max) == (job.run_min, job.run_max);
    let mut change = app.begin(who.asker()).await?;
    if same {
        // Nobody is told of what did not happen; the answer is kept by its key all the same.
        change.record(done(
            "job.unchanged",
            project.id,
            target("job", job.id, &job.name),
            Value::Null,
            &new.reason,
        ));
        return app
            .finish(change, who.asker(), Found::at(definition(&project, job, &before_row, None), job.version))
            .await;
    }
    let Some(after) = change.update_job(job, &new).await? else {
        return Err(conflict(&format!("`{}`", job.name), sent, job.version + 1).into());
    };
    let version = shown(&after, canonical::to_json(&new.settings), who.asker());
    change.record(done(action, project.id, target("job", job.id, &job.name), told(&changes), &new.reason));
    let made = Found::at(definition(&project, &after, &version, None), after.version);
    let told = app.finish(change, who.asker(), made).await?;
    Ok(told.with("sync", sync::follow(app, &project, after.id).await))
}

/// Somebody else was faster: what they changed, and who they are.
async fn stale(app: &App, job: &JobRow, sent: i64, now: &VersionRow, mine: &NewJob) -> Answered<Problem> {
    let problem = conflict(&format!("`{}`", job.name), sent, job.version)
        .with("by", &now.author_name)
        .with("at", At(now.at));
    let Some(basis) = app.store.version(job.id, sent).await? else { return Ok(problem) };
    let name = name_of(job)?;
    let (basis, theirs) = (basis.read(&name)?, now.read(&name)?);
    let of = |settings: &JobSettings, key: &str| {
        clockwright_settings::table::find(key)
            .and_then(|setting| setting.get(settings))
            .map_or(Value::Null, |value| value.to_json())
    };
    let changes: Vec<Value> = canonical::diff(&basis, &theirs)
        .iter()
        .map(|change| {
            json!({ "key": change.key, "base": of(&basis, change.key), "theirs": of(&theirs, change.key), "yours": of(&mine.settings, change.key) })
        })
        .collect();
    Ok(problem.with("changes", changes))
}

pub(in crate::http) async fn versions(
    app: Arc<App>,
    _: Granted<JobRead>,
    TheJob(job): TheJob,
    Query(ask): Query<Paging>,
) -> Answered<Found<Page<Version>>> {
    let limit = paging::limit(ask.limit)?;
    let before = paging::number(ask.after.as_deref(), "number of a version")?.unwrap_or(i64::MAX);
    let mut rows = app.store.versions(job.id, before, limit + 1).await?;
    let next = paging::cut(&mut rows, limit, |row| row.version.to_string());
    let items =
        rows.into_iter().map(|row| Version { settings: None, yaml: None, ..view_version(row) }).collect();
    Ok(Found::new(Page { items, next, count: Some(job.version.unsigned_abs()), seq: app.catalogue.seq() }))
}

fn view_version(row: VersionRow) -> Version {
    Version {
        version: row.version,
        at: At(row.at),
        by: row.author_name,
        reason: row.reason,
        origin: row.origin.word().to_owned(),
        based_on: row.based_on,
        settings: serde_json::from_str(&row.settings).ok(),
        yaml: row.source_text,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheVersion {
    /// Which, from 1.
    n: i64,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TwoVersions {
    /// The one before.
    n: i64,
    /// The one after.
    m: i64,
}

async fn find_version(app: &App, job: &JobRow, number: i64) -> Answered<VersionRow> {
    let missing = || {
        Problem::new(
            Code::NotFound,
            format!("`{}` has no version {number}: it has 1 to {}", job.name, job.version),
        )
    };
    Ok(app.store.version(job.id, number).await?.ok_or_else(missing)?)
}

pub(in crate::http) async fn version(
    app: Arc<App>,
    _: Granted<JobRead>,
    TheJob(job): TheJob,
    Named(TheVersion { n }): Named<TheVersion>,
) -> Answered<Found<Version>> {
    Ok(Found::new(view_version(find_version(&app, &job, n).await?)))
}

pub(in crate::http) async fn differences(
    app: Arc<App>,
    _: Granted<JobRead>,
    TheJob(job): TheJob,
    Named(TwoVersions { n, m }): Named<TwoVersions>,
) -> Answered<Found<List<Difference>>> {
    let name = name_of(&job)?;
    let (before, after) =
        (find_version(&app, &job, n).await?.read(&name)?, find_version(&app, &job, m).await?.read(&name)?);
    let differences = canonical::diff(&before, &after).into_iter().map(differences_of);
    Ok(Found::new(differences.collect()))
}

/// A setting that differs, as answers show it.
pub(crate) fn differences_of(change: Change) -> Difference {
    let value = |value: Option<clockwright_settings::value::Value>| value.map(|value| value.to_json());
    Difference { key: change.key.to_owned(), before: value(change.before), after: value(change.after) }
}
