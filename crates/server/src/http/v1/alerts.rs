//! Alerts, and who has taken them up; silences.

use super::{TheId, conflict, done, paging, target};
use crate::alerts;
use crate::app::{App, Told};
use crate::decide::alerts::quiet;
use crate::http::answer::{Created, Done, Found};
use crate::http::grant::{Asking, Granted};
use crate::http::parts::{Body, Matches, Named, Query};
use crate::http::refusal::Answered;
use crate::store::{AlertFilter, AlertRow, AlertState, Matchers, SilenceRow};
use clockwright_api::alerts::{
    Ack, Acked, Alert, AlertsAsk, Condition, Empty, Severity, Silence, SilenceAsk,
};
use clockwright_api::page::Page;
use clockwright_api::permission::kinds::{AlertAct, AlertRead};
use clockwright_api::text::Name;
use clockwright_api::{At, Code, List, Problem};
use clockwright_model::Millis;
use serde_json::json;
use std::sync::Arc;

async fn login(app: &App, id: &str) -> Answered<String> {
    Ok(app.store.user(id).await?.map_or_else(|| id.to_owned(), |user| user.login))
}

async fn view(app: &App, row: AlertRow) -> Answered<Alert> {
    let ack = match row.ack_at {
        Some(at) => {
            Some(Acked { by: login(app, &row.ack_by).await?, at: At(at), note: row.ack_note.clone() })
        }
        None => None,
    };
    Ok(Alert {
        project: app.catalogue.project_of(row.project).map(|project| project.name.clone()),
        job: alerts::job_of(&row),
        id: row.id,
        condition: row.condition,
        rule: row.rule,
        item: row.item,
        thing: Some(row.thing).filter(|thing| !thing.is_empty()),
        severity: row.severity,
        state: row.state.word().to_owned(),
        at: At(row.at),
        last_at: At(row.last),
        count: row.count,
        ended_at: row.ended.map(At),
        ack,
        text: row.text,
        params: row.params,
    })
}

/// A word of a parameter, or what it is to be.
pub(super) fn word<T>(
    key: &str,
    text: Option<&str>,
    of: impl Fn(&str) -> Option<T>,
    words: &[&str],
) -> Answered<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || {
        Problem::new(Code::Invalid, format!("`{text}` is no {key}"))
            .at(format!("/{key}"), format!("is to be one of {}", words.join(", ")))
    };
    Ok(Some(of(text).ok_or_else(wrong)?))
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    who: Asking<AlertRead>,
    Query(ask): Query<AlertsAsk>,
) -> Answered<Found<Page<Alert>>> {
    let limit = paging::limit(ask.limit)?;
    let is_open = ask.state.as_deref() == Some("open");
    let state = ask.state.as_deref().filter(|_| !is_open);
    let conditions: Vec<&str> = Condition::ALL.iter().map(|condition| condition.word()).collect();
    let mut filter = AlertFilter {
        open: is_open,
        state: word("state", state, AlertState::of, &["open", "firing", "acked", "resolved"])?,
        condition: word("condition", ask.condition.as_deref(), Condition::of, &conditions)?,
        severity: word(
            "severity",
            ask.severity.as_deref(),
            Severity::of,
            &Severity::ALL.map(Severity::word),
        )?,
        after: ask.after.as_deref().map(place).transpose()?,
        limit: limit + 1,
        ..AlertFilter::default()
    };
    match &ask.project {
        Some(name) => {
            let project = who.on_project(&app, name)?.project()?.id;
            filter.projects = Some(vec![project]);
            if let Some(job) = &ask.job {
                filter.job = Some(app.catalogue.job(project, job).map_or(-1, |job| job.id));
            }
        }
        None if ask.job.is_some() => {
            return Err(Problem::new(Code::Invalid, "a job has a project")
                .at("/project", "is missing")
                .into());
        }
        None => {
            let seen = app.catalogue.projects().into_iter().map(|project| project.id).chain([0]);
            filter.projects = Some(seen.filter(|project| who.may(*project)).collect());
        }
    }
    let mut rows = app.store.alerts(&filter).await?;
    let next = paging::cut(&mut rows, limit, |row| format!("{}-{}", row.at, row.id));
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(view(&app, row).await?);
    }
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

/// A place in a list: an instant and an id.
pub(super) fn place(text: &str) -> Answered<(Millis, String)> {
    let parts = text.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    Ok(parts.ok_or_else(|| Problem::new(Code::BadCursor, "`after` is no place in this list"))?)
}

async fn find(app: &App, id: &str) -> Answered<AlertRow> {
    let missing = || Problem::new(Code::NotFound, format!("there is no alert `{id}`"));
    Ok(app.store.alert(id).await?.ok_or_else(missing)?)
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Asking<AlertRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Found<Alert>> {
    let row = find(&app, &id).await?;
    who.on(&app, row.project, &format!("alert `{id}`"))?;
    Ok(Found::new(view(&app, row).await?))
}

async fn set(
    app: &App,
    who: Asking<AlertAct>,
    id: &str,
    note: Option<String>,
) -> Answered<Told<Found<Alert>>> {
    let row = find(app, id).await?;
    let who = who.on(app, row.project, &format!("alert `{id}`"))?;
    let mut change = app.begin(who.asker()).await?;
    let by = who.asker().principal.id.clone();
    let ack = note.as_deref().map(|note| (by.as_str(), note));
    if !change.ack_alert(id, ack).await? {
        return Err(Problem::new(Code::Gone, format!("the alert `{id}` is over"))
            .fix("nothing is to be done")
            .into());
    }
    let action = if note.is_some() { "alert.ack" } else { "alert.unack" };
    change.record(alerts::record(action, &row, note.as_deref().unwrap_or_default()));
    let after = AlertRow {
        state: if note.is_some() { AlertState::Acked } else { AlertState::Firing },
        ack_at: note.is_some().then(|| change.now()),
        ack_by: by,
        ack_note: note.unwrap_or_default(),
        ..row
    };
    let value = view(app, after).await?;
    app.finish(change, who.asker(), Found::new(value)).await
}

pub(in crate::http) async fn ack(
    app: Arc<App>,
    who: Asking<AlertAct>,
    Named(TheId { id }): Named<TheId>,
    Body(ask): Body<Ack>,
) -> Answered<Told<Found<Alert>>> {
    set(&app, who, &id, Some(ask.note.map(Into::into).unwrap_or_default())).await
}

pub(in crate::http) async fn unack(
    app: Arc<App>,
    who: Asking<AlertAct>,
    Named(TheId { id }): Named<TheId>,
    Body(Empty {}): Body<Empty>,
) -> Answered<Told<Found<Alert>>> {
    set(&app, who, &id, None).await
}

fn silence_view(app: &App, row: SilenceRow, by: String) -> Silence {
    let active = alerts::quiet(&row).holds(app.now());
    Silence {
        id: row.id,
        project: app.catalogue.project_of(row.project).map(|project| project.name.clone()),
        jobs: Some(row.matchers.jobs).filter(|jobs| !jobs.is_empty()),
        conditions: row.matchers.conditions,
        severities: row.matchers.severities,
        starts_at: At(row.starts),
        ends_at: At(row.ends),
        weekly: row.weekly,
        active,
        reason: row.reason,
        by,
        version: row.version,
    }
}

pub(in crate::http) async fn silences(
    app: Arc<App>,
    who: Asking<AlertRead>,
) -> Answered<Found<List<Silence>>> {
    let mut views = Vec::new();
    for row in app.store.silences(app.now()).await?.into_iter().filter(|row| who.may(row.project)) {
        let by = login(&app, &row.by).await?;
        views.push(silence_view(&app, row, by));
    }
    Ok(Found::new(List(views)))
}

/// The project that a silence is to be of, which they may silence.
fn place_of(app: &App, who: Asking<AlertAct>, name: Option<&str>) -> Answered<(Granted<AlertAct>, i64)> {
    let Some(name) = name else { return Ok((who.on(app, 0, "silence of all projects")?, 0)) };
    let who = who.on_project(app, name)?;
    let id = who.project()?.id;
    Ok((who, id))
}

fn silence_row(ask: SilenceAsk, project: i64, by: &str, now: Millis) -> Answered<SilenceRow> {
    let refuse = |pointer: String, message: String| {
        Problem::new(Code::Invalid, "the silence cannot be used").at(pointer, message)
    };
    let starts = ask.starts_at.map_or(now, |at| at.0);
    if ask.ends_at.0 <= starts.max(now) {
        return Err(refuse("/endsAt".into(), "is over before it begins".into()).into());
    }
    if let Some(weekly) = &ask.weekly {
        quiet::check(weekly).map_err(|(key, message)| refuse(format!("/weekly/{key}"), message))?;
    }
    Ok(SilenceRow {
        id: uuid::Uuid::now_v7().to_string(),
        project,
        matchers: Matchers {
            jobs: ask.jobs.map(Into::into).unwrap_or_default(),
            conditions: ask.conditions,
            severities: ask.severities,
        },
        starts,
        ends: ask.ends_at.0,
        weekly: ask.weekly,
        by: by.to_owned(),
        reason: ask.reason.into(),
        version: 1,
    })
}

fn facts(row: &SilenceRow) -> serde_json::Value {
    json!({ "matchers": row.matchers, "startsAt": At(row.starts), "endsAt": At(row.ends), "weekly": row.weekly })
}

pub(in crate::http) async fn make_silence(
    app: Arc<App>,
    who: Asking<AlertAct>,
    Body(ask): Body<SilenceAsk>,
) -> Answered<Told<Created<Silence>>> {
    let (who, project) = place_of(&app, who, ask.project.as_ref().map(Name::as_str))?;
    let row = silence_row(ask, project, &who.asker().principal.id, app.now())?;
    let by = login(&app, &row.by).await?;
    let mut change = app.begin(who.asker()).await?;
    change.insert_silence(&row).await?;
    change.record(done("silence.create", project, target("silence", &row.id, ""), facts(&row), &row.reason));
    let location = format!("/api/v1/silences/{}", row.id);
    let value = silence_view(&app, row, by);
    app.finish(change, who.asker(), Created { value, location, version: Some(1) }).await
}

async fn find_silence(app: &App, id: &str) -> Answered<SilenceRow> {
    let missing = || Problem::new(Code::NotFound, format!("there is no silence `{id}`"));
    Ok(app.store.silence(id).await?.ok_or_else(missing)?)
}

pub(in crate::http) async fn change_silence(
    app: Arc<App>,
    who: Asking<AlertAct>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
    Body(ask): Body<SilenceAsk>,
) -> Answered<Told<Found<Silence>>> {
    let before = find_silence(&app, &id).await?;
    let who = who.on(&app, before.project, &format!("silence `{id}`"))?;
    let named =
        ask.project.as_ref().map_or(0, |name| app.catalogue.project(name.as_str()).map_or(-1, |row| row.id));
    if named != before.project {
        let problem = Problem::new(Code::Invalid, "a silence keeps its project");
        return Err(problem.at("/project", "is to be the silence's own").into());
    }
    let row = silence_row(ask, before.project, &before.by, app.now())?;
    let row = SilenceRow { id: id.clone(), version, ..row };
    let by = login(&app, &row.by).await?;
    let mut change = app.begin(who.asker()).await?;
    if !change.update_silence(&row).await? {
        return Err(conflict("the silence", version, before.version).into());
    }
    let changes = json!([facts(&before), facts(&row)]);
    change.record(done("silence.update", row.project, target("silence", &id, ""), changes, &row.reason));
    let row = SilenceRow { version: version + 1, ..row };
    let value = silence_view(&app, row, by);
    app.finish(change, who.asker(), Found::at(value, version + 1)).await
}

pub(in crate::http) async fn remove_silence(
    app: Arc<App>,
    who: Asking<AlertAct>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
) -> Answered<Told<Done>> {
    let row = find_silence(&app, &id).await?;
    let who = who.on(&app, row.project, &format!("silence `{id}`"))?;
    let mut change = app.begin(who.asker()).await?;
    if !change.delete_silence(&id, version).await? {
        return Err(conflict("the silence", version, row.version).into());
    }
    change.record(done("silence.remove", row.project, target("silence", &id, ""), json!(null), ""));
    app.finish(change, who.asker(), Done).await
}
