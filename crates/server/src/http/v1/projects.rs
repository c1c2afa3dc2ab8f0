//! Projects and their members.

use super::people::keep_an_admin;
use super::{conflict, done, target};
use crate::app::{App, Told};
use crate::config::HOME;
use crate::http::answer::{Created, Done, Found};
use crate::http::grant::{Asker, Asking, Granted};
use crate::http::parts::{Body, Matches, Named, Query};
use crate::http::refusal::Answered;
use crate::store::{MemberKind, MemberRow, ProjectRow, StoreError};
use clockwright_api::permission::kinds::{
    MembersRead, ProjectCreate, ProjectMembers, ProjectRead, ProjectWrite, UserManage, UserRead,
};
use clockwright_api::projects::{Detach, GiveRole, Layout, Member, NewProject, Project, ProjectChange};
use clockwright_api::{At, Code, List, Problem, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;

/// A project, as somebody sees it.
fn view(app: &App, asker: &Asker, row: &ProjectRow) -> Project {
    let role = asker.principal.role(crate::decide::permit::Place::Project(row.id));
    Project {
        id: row.id,
        name: row.name.clone(),
        title: row.title.clone(),
        note: row.note.clone(),
        registry: row.registry.clone(),
        namespace: row.namespace.clone(),
        store: row.store.clone(),
        layout: match row.layout.as_str() {
            "2" => Some(Layout::Two),
            "3" => Some(Layout::Three),
            _ => None,
        },
        policy: row.policy,
        code_edit: row.code_edit,
        jobs: app.catalogue.jobs(row.id).len() as u64,
        live: None,
        role: role.unwrap_or(Role::Viewer),
        created_at: At(row.created),
        version: row.version,
    }
}

fn layout_text(layout: Option<Layout>) -> String {
    layout
        .map_or("", |layout| match layout {
            Layout::Two => "2",
            Layout::Three => "3",
        })
        .to_owned()
}

pub(in crate::http) async fn list(app: Arc<App>, who: Asking<ProjectRead>) -> Answered<Found<List<Project>>> {
    let rows = who.projects(&app);
    Ok(Found::new(rows.iter().map(|row| view(&app, who.asker(), row)).collect()))
}

pub(in crate::http) async fn show(app: Arc<App>, who: Granted<ProjectRead>) -> Answered<Found<Project>> {
    let row = who.project()?;
    let live = Some(super::hosts::summary(&app.mirrors.of(row.id).read()));
    Ok(Found::at(Project { live, ..view(&app, who.asker(), row) }, row.version))
}

pub(in crate::http) async fn make(
    app: Arc<App>,
    who: Granted<ProjectCreate>,
    Body(ask): Body<NewProject>,
) -> Answered<Told<Created<Project>>> {
    let name = ask.name.as_str().to_owned();
    let usual =
        |given: Option<clockwright_api::text::Name>| given.map_or_else(|| HOME.to_owned(), Into::into);
    let row = ProjectRow {
        id: 0,
        title: ask.title.map(Into::into).unwrap_or_default(),
        note: ask.note.map(Into::into).unwrap_or_default(),
        registry: usual(ask.registry),
        namespace: ask.namespace.map_or_else(|| name.clone(), Into::into),
        store: usual(ask.store),
        layout: layout_text(ask.layout),
        policy: ask.policy,
        code_edit: ask.code_edit,
        name,
        control_mark: 0,
        version: 1,
        created: app.now(),
    };
    known("registry", &row.registry, &app.registries.names())?;
    known("store", &row.store, &app.histories.names())?;
    let mut change = app.begin(who.asker()).await?;
    let made = match change.insert_project(row.clone()).await {
        Err(StoreError::Taken) => return Err(taken(&app, &row).into()),
        other => other?,
    };
    let facts = json!({ "registry": made.registry, "namespace": made.namespace, "store": made.store });
    change.record(done("project.create", made.id, target("project", made.id, &made.name), facts, ""));
    let location = format!("/api/v1/projects/{}", made.name);
    app.finish(
        change,
        who.asker(),
        Created { value: view(&app, who.asker(), &made), location, version: Some(1) },
    )
    .await
}

/// A project names entries of the operator's configuration, never addresses.
fn known(key: &str, name: &str, names: &[String]) -> Answered<()> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let message = format!("`{name}` is none of the configured ones: {}", names.join(", "));
    Err(Problem::new(Code::Invalid, format!("there is no {key} `{name}`"))
        .at(format!("/{key}"), message)
        .into())
}

fn taken(app: &App, row: &ProjectRow) -> Problem {
    if app.catalogue.project(&row.name).is_some() {
        return Problem::new(Code::NameTaken, format!("there is a project `{}`", row.name))
            .at("/name", "is in use");
    }
    let detail =
        format!("another project has the namespace `{}` of the registry `{}`", row.namespace, row.registry);
    Problem::new(Code::NamespaceTaken, detail).at("/namespace", "is another project's")
}

pub(in crate::http) async fn change(
    app: Arc<App>,
    who: Granted<ProjectWrite>,
    Matches(version): Matches,
    Body(ask): Body<ProjectChange>,
) -> Answered<Told<Found<Project>>> {
    let before = Arc::clone(who.project()?);
    let mut after = ProjectRow { version, ..before.as_ref().clone() };
    let mut changes = serde_json::Map::new();
    let mut note = |key: &str, from: Value, to: Value| {
        if from != to {
            changes.insert(key.to_owned(), json!([from, to]));
        }
    };
    if let Some(title) = ask.title {
        note("title", json!(before.title), json!(title));
        after.title = title.into();
    }
    if let Some(text) = ask.note {
        note("note", json!(before.note), json!(text));
        after.note = text.into();
    }
    if let Some(store) = ask.store {
        known("store", store.as_str(), &app.histories.names())?;
        note("store", json!(before.store), json!(store));
        after.store = store.into();
    }
    if let Some(layout) = ask.layout {
        note("layout", json!(before.layout), json!(layout));
        after.layout = layout_text(Some(layout));
    }
    if let Some(policy) = ask.policy {
        note("policy", json!(before.policy), json!(policy));
        after.policy = policy;
    }
    if let Some(code_edit) = ask.code_edit {
        note("codeEdit", json!(before.code_edit), json!(code_edit));
        after.code_edit = code_edit;
    }
    let mut change = app.begin(who.asker()).await?;
    if !change.update_project(&after).await? {
        return Err(conflict(&format!("the project `{}`", before.name), version, before.version).into());
    }
    change.record(done(
        "project.update",
        before.id,
        target("project", before.id, &before.name),
        changes.into(),
        "",
    ));
    after.version += 1;
    app.finish(change, who.asker(), Found::at(view(&app, who.asker(), &after), after.version)).await
}

pub(in crate::http) async fn remove(
    app: Arc<App>,
    who: Granted<ProjectWrite>,
    Matches(version): Matches,
    Query(ask): Query<Detach>,
) -> Answered<Told<Done>> {
    let row = Arc::clone(who.project()?);
    let jobs = app.catalogue.jobs(row.id);
    if !jobs.is_empty() && !ask.detach {
        let detail = format!("the project `{}` has {} jobs", row.name, jobs.len());
        return Err(Problem::new(Code::ProjectInUse, detail).with("jobs", jobs.len()).into());
    }
    let mut change = app.begin(who.asker()).await?;
    if !change.end_project(&ProjectRow { version, ..row.as_ref().clone() }).await? {
        return Err(conflict(&format!("the project `{}`", row.name), version, row.version).into());
    }
    change.record(done(
        "project.remove",
        row.id,
        target("project", row.id, &row.name),
        json!({ "jobs": jobs.len() }),
        "",
    ));
    app.finish(change, who.asker(), Done).await
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheMember {
    /// `user` or `group`.
    kind: String,
    /// The login of a user, or the name of a group.
    who: String,
}

pub(in crate::http) async fn members(
    app: Arc<App>,
    who: Granted<MembersRead>,
) -> Answered<Found<List<Member>>> {
    view_members(&app, who.project()?.id).await
}

async fn view_members(app: &App, project: i64) -> Answered<Found<List<Member>>> {
    let mut views = Vec::new();
    for row in app.catalogue.members(project) {
        views.push(view_member(app, &row).await?);
    }
    Ok(Found::new(List(views)))
}

async fn view_member(app: &App, row: &MemberRow) -> Answered<Member> {
    let who = match row.kind {
        MemberKind::Group => row.who.clone(),
        MemberKind::User => {
            app.store.user(&row.who).await?.map_or_else(|| row.who.clone(), |user| user.login)
        }
    };
    Ok(Member { kind: row.kind.word().to_owned(), who, role: row.role, at: At(row.at) })
}

/// The member that an address names: its kind and its id.
async fn resolve(app: &App, named: &TheMember) -> Answered<(MemberKind, String)> {
    let missing = |what: &str| Problem::new(Code::NotFound, format!("there is no {what} `{}`", named.who));
    match MemberKind::of(&named.kind) {
        Some(MemberKind::Group) => Ok((MemberKind::Group, named.who.clone())),
        Some(MemberKind::User) => {
            let user = app.store.user_of_login(&named.who).await?.ok_or_else(|| missing("user"))?;
            Ok((MemberKind::User, user.id))
        }
        None => {
            Err(Problem::new(Code::NotFound, format!("`{}` is neither `user` nor `group`", named.kind))
                .into())
        }
    }
}

pub(in crate::http) async fn set_member(
    app: Arc<App>,
    who: Granted<ProjectMembers>,
    Named(named): Named<TheMember>,
    Body(ask): Body<GiveRole>,
) -> Answered<Told<Found<Member>>> {
    let project = Arc::clone(who.project()?);
    if ask.role == Role::Admin {
        let problem = Problem::new(Code::Invalid, "admin is a role on all projects");
        return Err(problem.at("/role", "is to be viewer, operator, developer or projectAdmin").into());
    }
    set(&app, who.asker(), project.id, &named, ask.role).await
}

pub(in crate::http) async fn drop_member(
    app: Arc<App>,
    who: Granted<ProjectMembers>,
    Named(named): Named<TheMember>,
) -> Answered<Told<Done>> {
    let project = Arc::clone(who.project()?);
    unset(&app, who.asker(), project.id, &named).await
}

pub(in crate::http) async fn everywhere(
    app: Arc<App>,
    _: Granted<UserRead>,
) -> Answered<Found<List<Member>>> {
    view_members(&app, 0).await
}

pub(in crate::http) async fn set_everywhere(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(named): Named<TheMember>,
    Body(ask): Body<GiveRole>,
) -> Answered<Told<Found<Member>>> {
    if ask.role != Role::Admin && named.kind == "user" {
        let user = app.store.user_of_login(&named.who).await?;
        user.as_ref().map_or(Ok(()), |user| keep_an_admin(&app, user))?;
    }
    set(&app, who.asker(), 0, &named, ask.role).await
}

pub(in crate::http) async fn drop_everywhere(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(named): Named<TheMember>,
) -> Answered<Told<Done>> {
    if named.kind == "user" {
        let user = app.store.user_of_login(&named.who).await?;
        user.as_ref().map_or(Ok(()), |user| keep_an_admin(&app, user))?;
    }
    unset(&app, who.asker(), 0, &named).await
}

async fn set(
    app: &App,
    asker: &Asker,
    project: i64,
    named: &TheMember,
    role: Role,
) -> Answered<Told<Found<Member>>> {
    super::links::proved(app, asker)?;
    let (kind, id) = resolve(app, named).await?;
    let before = app.catalogue.members(project).into_iter().find(|row| row.kind == kind && row.who == id);
    let mut change = app.begin(asker).await?;
    let row = MemberRow { project, kind, who: id, role, by: asker.principal.id.clone(), at: change.now() };
    change.put_member(&row).await?;
    let changes = json!({ "role": [before.map(|row| row.role), role] });
    change.record(done("member.set", project, target("member", "", &named.who), changes, ""));
    let view = Member { kind: kind.word().to_owned(), who: named.who.clone(), role, at: At(row.at) };
    app.finish(change, asker, Found::new(view)).await
}

async fn unset(app: &App, asker: &Asker, project: i64, named: &TheMember) -> Answered<Told<Done>> {
    super::links::proved(app, asker)?;
    let (kind, id) = resolve(app, named).await?;
    let mut change = app.begin(asker).await?;
    if !change.drop_member(project, kind, &id).await? {
        return Err(Problem::new(Code::NotFound, format!("`{}` has no role here", named.who)).into());
    }
    change.record(done("member.remove", project, target("member", "", &named.who), json!(null), ""));
    app.finish(change, asker, Done).await
}
