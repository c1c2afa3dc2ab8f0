//! Rules of alerts: those of all projects, and those of one.

use super::{TheId, conflict, done, target};
use crate::app::{App, Told};
use crate::http::answer::{Created, Done, Found};
use crate::http::grant::Granted;
use crate::http::parts::{Body, Matches, Named};
use crate::http::refusal::Answered;
use crate::store::{RuleRow, RuleWhat};
use clockwright_api::alerts::{Rule, RuleAsk, Scope};
use clockwright_api::permission::Kind;
use clockwright_api::permission::kinds::AlertRead;
use clockwright_api::{Code, List, Problem};
use clockwright_model::Millis;
use serde_json::{Value, json};
use std::sync::Arc;

/// The longest wait, seconds.
const LONGEST: u32 = 7 * 24 * 3_600;

fn view(app: &App, row: &RuleRow) -> Rule {
    Rule {
        id: row.id.clone(),
        project: app.catalogue.project_of(row.project).map(|project| project.name.clone()),
        name: row.name.clone(),
        condition: row.condition,
        means: row.condition.means().to_owned(),
        jobs: Some(row.what.jobs.clone()).filter(|jobs| !jobs.is_empty()),
        threshold: row.condition.usual().threshold.map(|_| row.what.threshold),
        wait: u32::try_from(row.wait / 1_000).unwrap_or(LONGEST),
        severity: row.severity,
        channels: row.channels.clone(),
        enabled: row.enabled,
        version: row.version,
    }
}

pub(in crate::http) async fn list(app: Arc<App>, who: Granted<AlertRead>) -> Answered<Found<List<Rule>>> {
    let project = who.project_or_all();
    let rows = app.store.rules().await?;
    let theirs = rows.iter().filter(|row| row.project == project || row.project == 0);
    Ok(Found::new(theirs.map(|row| view(&app, row)).collect()))
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<AlertRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Found<Rule>> {
    let row = find(&app, who.project_or_all(), &id).await?;
    Ok(Found::at(view(&app, &row), row.version))
}

/// The rule of this id, of this project.
async fn find(app: &App, project: i64, id: &str) -> Answered<RuleRow> {
    let rows = app.store.rules().await?;
    let found = rows.into_iter().find(|row| row.id == id && row.project == project);
    Ok(found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no rule `{id}` here")))?)
}

/// What a rule is to be, if it can be that.
async fn row(app: &App, project: i64, ask: RuleAsk) -> Answered<RuleRow> {
    let usual = ask.condition.usual();
    let refuse = |pointer: &str, message: &str| {
        Problem::new(Code::Invalid, "the rule cannot be used").at(pointer, message)
    };
    if project != 0 && ask.condition.scope() == Scope::System {
        return Err(refuse("/condition", "concerns the servers: its rule is that of all projects").into());
    }
    if ask.threshold.is_some() && usual.threshold.is_none() {
        return Err(refuse("/threshold", "has no meaning for this condition").into());
    }
    if ask.jobs.is_some() && !matches!(ask.condition.scope(), Scope::Item | Scope::Job) {
        return Err(refuse("/jobs", "has no meaning for this condition").into());
    }
    let wait = ask.wait.unwrap_or(usual.wait);
    if wait > LONGEST {
        return Err(refuse("/wait", "is to be at most 604800, a week").into());
    }
    let known = app.store.channels().await?;
    for (place, id) in ask.channels.iter().enumerate() {
        let is_there = |row: &&crate::store::ChannelRow| {
            row.id == id.as_str() && (row.project == 0 || row.project == project)
        };
        if !known.iter().any(|row| is_there(&row)) {
            return Err(
                refuse(&format!("/channels/{place}"), "is no channel of this project or of all").into()
            );
        }
    }
    Ok(RuleRow {
        id: uuid::Uuid::now_v7().to_string(),
        project,
        name: ask.name.into(),
        condition: ask.condition,
        what: RuleWhat {
            jobs: ask.jobs.map(Into::into).unwrap_or_default(),
            threshold: ask.threshold.map(i64::from).or(usual.threshold).unwrap_or_default(),
        },
        severity: ask.severity.unwrap_or(usual.severity),
        wait: Millis::from(wait) * 1_000,
        channels: ask.channels.into_iter().map(Into::into).collect(),
        enabled: ask.enabled,
        version: 1,
    })
}

pub(in crate::http) async fn make<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Body(ask): Body<RuleAsk>,
) -> Answered<Told<Created<Rule>>> {
    let project = who.project_or_all();
    let row = row(&app, project, ask).await?;
    let mut change = app.begin(who.asker()).await?;
    change.insert_rule(&row).await?;
    change.record(done("rule.create", project, target("rule", &row.id, &row.name), facts(&row), ""));
    let value = view(&app, &row);
    let location = match &value.project {
        Some(name) => format!("/api/v1/projects/{name}/rules/{}", row.id),
        None => format!("/api/v1/rules/{}", row.id),
    };
    app.finish(change, who.asker(), Created { value, location, version: Some(1) }).await
}

fn facts(row: &RuleRow) -> Value {
    json!({
        "condition": row.condition, "jobs": row.what.jobs, "threshold": row.what.threshold, "wait": row.wait,
        "severity": row.severity, "channels": row.channels, "enabled": row.enabled,
    })
}

pub(in crate::http) async fn change<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
    Body(ask): Body<RuleAsk>,
) -> Answered<Told<Found<Rule>>> {
    let project = who.project_or_all();
    let before = find(&app, project, &id).await?;
    if ask.condition != before.condition {
        let problem = Problem::new(Code::Invalid, "a rule keeps its condition");
        return Err(problem.at("/condition", format!("is to be `{}`", before.condition)).into());
    }
    let after = RuleRow { id: before.id.clone(), version, ..row(&app, project, ask).await? };
    let mut change = app.begin(who.asker()).await?;
    if !change.update_rule(&after).await? {
        return Err(conflict(&format!("the rule `{}`", before.name), version, before.version).into());
    }
    let changes = json!([facts(&before), facts(&after)]);
    change.record(done("rule.update", project, target("rule", &after.id, &after.name), changes, ""));
    let after = RuleRow { version: version + 1, ..after };
    app.finish(change, who.asker(), Found::at(view(&app, &after), after.version)).await
}

pub(in crate::http) async fn remove<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
) -> Answered<Told<Done>> {
    let project = who.project_or_all();
    let row = find(&app, project, &id).await?;
    if row.id == row.condition.word() {
        let detail = format!("the rule `{}` is there from the beginning", row.name);
        return Err(Problem::new(Code::Invalid, detail).fix("turn it off: `enabled: false`").into());
    }
    let mut change = app.begin(who.asker()).await?;
    if !change.delete_rule(&id, version).await? {
        return Err(conflict(&format!("the rule `{}`", row.name), version, row.version).into());
    }
    change.record(done("rule.remove", project, target("rule", &id, &row.name), json!(null), ""));
    app.finish(change, who.asker(), Done).await
}
