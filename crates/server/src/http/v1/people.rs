//! What administrators do about people and service accounts. Nobody chooses another one's password: whoever is invited, or forgot, gets a
//! link.

use super::links::{make, new_user, proved};
use super::me::{issue, save_profile, view_token};
use super::paging::{self, Paging};
use super::session::view_person;
use super::{TheId, conflict, done, target};
use crate::app::{App, Told};
use crate::http::answer::{Created, Done, Found, Secret};
use crate::http::grant::{Asker, Granted};
use crate::http::parts::{Body, Matches, Named, Query};
use crate::http::refusal::Answered;
use crate::store::{Change, LinkKind, MemberKind, MemberRow, StoreError, UserKind, UserRow, UserState};
use clockwright_api::page::Page;
use clockwright_api::people::{
    Invited, MadeToken, NewLink, NewPerson, NewToken, Person, PersonChange, TokenView,
};
use clockwright_api::permission::kinds::{TokenManage, TokenRead, UserManage, UserRead};
use clockwright_api::{Code, List, Problem, Role};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheToken {
    /// The owner's id.
    id: String,
    /// The token's id.
    tid: String,
}

async fn page(app: &App, services: bool, paging: &Paging) -> Answered<Found<Page<Person>>> {
    let limit = paging::limit(paging.limit)?;
    let after = paging.after.as_deref().unwrap_or_default();
    let mut rows = app.store.users(services, after, limit + 1).await?;
    let next = paging::cut(&mut rows, limit, |row| row.login.clone());
    let items = rows.iter().map(view_person).collect();
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    _: Granted<UserRead>,
    Query(paging): Query<Paging>,
) -> Answered<Found<Page<Person>>> {
    page(&app, false, &paging).await
}

pub(in crate::http) async fn services(
    app: Arc<App>,
    _: Granted<TokenRead>,
    Query(paging): Query<Paging>,
) -> Answered<Found<Page<Person>>> {
    page(&app, true, &paging).await
}

/// The account of that id, of that kind.
async fn find(app: &App, id: &str, services: bool) -> Answered<UserRow> {
    let row = app.store.user(id).await?.filter(|row| (row.kind == UserKind::Service) == services);
    let what = if services { "service account" } else { "person" };
    Ok(row.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no {what} `{id}`")))?)
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    _: Granted<UserRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Found<Person>> {
    let row = find(&app, &id, false).await?;
    Ok(Found::at(view_person(&row), row.version))
}

pub(in crate::http) async fn invite(
    app: Arc<App>,
    who: Granted<UserManage>,
    Body(ask): Body<NewPerson>,
) -> Answered<Told<Secret<Invited>>> {
    proved(&app, who.asker())?;
    let mut user =
        new_user(ask.login.as_str(), ask.name.as_str(), ask.mail.as_str(), UserKind::Local, app.now());
    user.state = UserState::Invited;
    let mut change = app.begin(who.asker()).await?;
    insert(&mut change, &user).await?;
    let link = make(&app, &mut change, LinkKind::Invite, &user.id).await?;
    change.record(done(
        "user.create",
        0,
        target("user", &user.id, &user.login),
        json!({ "role": ask.role }),
        "",
    ));
    if let Some(role) = ask.role {
        give(&mut change, who.asker(), &user, role).await?;
    }
    app.finish(change, who.asker(), Secret(Invited { person: view_person(&user), link })).await
}

async fn insert(change: &mut Change, user: &UserRow) -> Answered<()> {
    match change.insert_user(user).await {
        Err(StoreError::Taken) => {
            let problem = Problem::new(Code::NameTaken, format!("the login `{}` is in use", user.login));
            Err(problem.at("/login", "is in use").into())
        }
        other => Ok(other?),
    }
}

async fn give(change: &mut Change, asker: &Asker, user: &UserRow, role: Role) -> Answered<()> {
    let (by, at) = (asker.principal.id.clone(), change.now());
    change
        .put_member(&MemberRow { project: 0, kind: MemberKind::User, who: user.id.clone(), role, by, at })
        .await?;
    change.record(done(
        "member.set",
        0,
        target("member", &user.id, &user.login),
        json!({ "role": [null, role] }),
        "",
    ));
    Ok(())
}

pub(in crate::http) async fn make_service(
    app: Arc<App>,
    who: Granted<TokenManage>,
    Body(ask): Body<NewPerson>,
) -> Answered<Told<Created<Person>>> {
    proved(&app, who.asker())?;
    let user =
        new_user(ask.login.as_str(), ask.name.as_str(), ask.mail.as_str(), UserKind::Service, app.now());
    let mut change = app.begin(who.asker()).await?;
    insert(&mut change, &user).await?;
    change.record(done(
        "service.create",
        0,
        target("user", &user.id, &user.login),
        json!({ "role": ask.role }),
        "",
    ));
    if let Some(role) = ask.role {
        give(&mut change, who.asker(), &user, role).await?;
    }
    let made = Created {
        location: format!("/api/v1/services/{}", user.id),
        version: Some(1),
        value: view_person(&user),
    };
    app.finish(change, who.asker(), made).await
}

pub(in crate::http) async fn change(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
    Body(ask): Body<PersonChange>,
) -> Answered<Told<Found<Person>>> {
    let user = find(&app, &id, false).await?;
    let what = format!("`{}`", user.login);
    save_profile(&app, who.asker(), user, version, ask, &what).await
}

/// Whoever is the only administrator cannot be taken away.
fn is_last_admin(app: &App, id: &str) -> bool {
    let admins = |member: &&MemberRow| member.role == Role::Admin;
    let members = app.catalogue.members(0);
    let mut others =
        members.iter().filter(admins).filter(|member| member.kind == MemberKind::Group || member.who != id);
    members.iter().filter(admins).any(|member| member.who == id) && others.next().is_none()
}

/// Somebody has to be left who can let people in.
pub(in crate::http) fn keep_an_admin(app: &App, user: &UserRow) -> Answered<()> {
    if !is_last_admin(app, &user.id) {
        return Ok(());
    }
    Err(Problem::new(Code::LastAdmin, format!("`{}` is the only administrator", user.login)).into())
}

async fn end(
    app: &App,
    asker: &Asker,
    user: UserRow,
    version: i64,
    action: &'static str,
) -> Answered<Told<Done>> {
    keep_an_admin(app, &user)?;
    let mut change = app.begin(asker).await?;
    if !change.end_user(&UserRow { version, ..user.clone() }).await? {
        return Err(conflict(&format!("`{}`", user.login), version, user.version).into());
    }
    end_all(&mut change, &user).await?;
    change.record(done(action, 0, target("user", &user.id, &user.login), json!(null), ""));
    change.record(done("member.remove", 0, target("member", &user.id, &user.login), json!(null), ""));
    let told = app.finish(change, asker, Done).await?;
    app.identity.forget();
    Ok(told)
}

/// Sessions and tokens end with whoever they let in.
async fn end_all(change: &mut Change, user: &UserRow) -> Answered<()> {
    change.end_sessions(&user.id, "").await?;
    change.end_tokens(&user.id).await?;
    Ok(())
}

pub(in crate::http) async fn remove(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
) -> Answered<Told<Done>> {
    let user = find(&app, &id, false).await?;
    end(&app, who.asker(), user, version, "user.remove").await
}

pub(in crate::http) async fn remove_service(
    app: Arc<App>,
    who: Granted<TokenManage>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
) -> Answered<Told<Done>> {
    let user = find(&app, &id, true).await?;
    end(&app, who.asker(), user, version, "service.remove").await
}

pub(in crate::http) async fn link(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Told<Secret<NewLink>>> {
    proved(&app, who.asker())?;
    let user = find(&app, &id, false).await?;
    if user.kind == UserKind::Oidc {
        return Err(Problem::new(
            Code::Invalid,
            format!("`{}` signs in by the identity provider", user.login),
        )
        .into());
    }
    let kind = if user.state == UserState::Invited { LinkKind::Invite } else { LinkKind::Reset };
    let mut change = app.begin(who.asker()).await?;
    let link = make(&app, &mut change, kind, &user.id).await?;
    change.record(done(
        "user.link",
        0,
        target("user", &user.id, &user.login),
        json!({ "kind": kind.word() }),
        "",
    ));
    app.finish(change, who.asker(), Secret(link)).await
}

async fn set_state(
    app: &App,
    asker: &Asker,
    user: UserRow,
    state: UserState,
    action: &'static str,
) -> Answered<Told<Done>> {
    let mut change = app.begin(asker).await?;
    let row = UserRow { state, ..user.clone() };
    if !change.update_user(&row).await? {
        return Err(conflict(&format!("`{}`", user.login), user.version, user.version + 1).into());
    }
    if state == UserState::Disabled {
        end_all(&mut change, &user).await?;
    }
    let changes = json!({ "state": [user.state.word(), state.word()] });
    change.record(done(action, 0, target("user", &user.id, &user.login), changes, ""));
    let told = app.finish(change, asker, Done).await?;
    app.identity.forget();
    Ok(told)
}

pub(in crate::http) async fn disable(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Told<Done>> {
    let user = find(&app, &id, false).await?;
    keep_an_admin(&app, &user)?;
    set_state(&app, who.asker(), user, UserState::Disabled, "user.disable").await
}

pub(in crate::http) async fn enable(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Told<Done>> {
    let user = find(&app, &id, false).await?;
    let state = if user.password.is_empty() && user.kind == UserKind::Local {
        UserState::Invited
    } else {
        UserState::Active
    };
    set_state(&app, who.asker(), user, state, "user.enable").await
}

pub(in crate::http) async fn end_sessions(
    app: Arc<App>,
    who: Granted<UserManage>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Told<Done>> {
    let user = find(&app, &id, false).await?;
    let mut change = app.begin(who.asker()).await?;
    let ended = change.end_sessions(&user.id, "").await?;
    change.record(done(
        "user.end-sessions",
        0,
        target("user", &user.id, &user.login),
        json!({ "sessions": ended }),
        "",
    ));
    let told = app.finish(change, who.asker(), Done).await?;
    app.identity.forget();
    Ok(told)
}

pub(in crate::http) async fn tokens(
    app: Arc<App>,
    _: Granted<TokenRead>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Found<List<TokenView>>> {
    let user = find(&app, &id, true).await?;
    let rows = app.store.tokens(&user.id).await?;
    Ok(Found::new(rows.iter().map(|row| view_token(&app, row)).collect()))
}

pub(in crate::http) async fn make_token(
    app: Arc<App>,
    who: Granted<TokenManage>,
    Named(TheId { id }): Named<TheId>,
    Body(ask): Body<NewToken>,
) -> Answered<Told<Secret<MadeToken>>> {
    proved(&app, who.asker())?;
    let user = find(&app, &id, true).await?;
    issue(&app, who.asker(), &user.id, ask).await
}

pub(in crate::http) async fn end_token(
    app: Arc<App>,
    who: Granted<TokenManage>,
    Named(TheToken { id, tid }): Named<TheToken>,
) -> Answered<Done> {
    super::me::end_token_of(&app, who.asker(), &id, &tid).await
}
