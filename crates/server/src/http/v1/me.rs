//! What people do about themselves: their profile, password, sessions and tokens.

use super::links::proved;
use super::session::{themselves, view_person};
use super::{TheId, conflict, done, target};
use crate::app::{App, Told};
use crate::decide::chain::sha256;
use crate::http::answer::{Done, Found, Secret};
use crate::http::grant::{Asker, Granted};
use crate::http::parts::{Body, Client, Named};
use crate::http::refusal::Answered;
use crate::identity::guess::{self, Claim, Look};
use crate::identity::{password, secret};
use crate::store::{TokenRow, UserRow};
use clockwright_api::people::{
    ChangePassword, MadeToken, NewToken, Password, Person, PersonChange, SessionView, StepUp, TokenView,
    scopes,
};
use clockwright_api::permission::kinds::{Own, OwnChange, TokenOwn};
use clockwright_api::{At, Code, List, Permission, Problem};
use serde_json::json;
use std::sync::Arc;

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<Own>,
    client: Client,
) -> Answered<Found<Person>> {
    let (user, _) = themselves(&app, who.asker(), &client).await?;
    Ok(Found::at(view_person(&user), user.version))
}

pub(in crate::http) async fn change(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
    Body(ask): Body<PersonChange>,
) -> Answered<Told<Found<Person>>> {
    let (user, _) = themselves(&app, who.asker(), &client).await?;
    let version = user.version;
    save_profile(&app, who.asker(), user, version, ask, "your profile").await
}

/// Changes somebody's profile, if it still has that version; `what` names it where it has not.
pub(in crate::http) async fn save_profile(
    app: &App,
    asker: &Asker,
    before: UserRow,
    version: i64,
    ask: PersonChange,
    what: &str,
) -> Answered<Told<Found<Person>>> {
    let mut user = UserRow { version, ..before.clone() };
    take(&mut user, ask);
    let mut change = app.begin(asker).await?;
    if !change.update_user(&user).await? {
        // Who was asked for no version has the one that was read, and somebody else was faster by one.
        let current = if version == before.version { version + 1 } else { before.version };
        return Err(conflict(what, version, current).into());
    }
    change.record(done(
        "user.update",
        0,
        target("user", &user.id, &user.login),
        differences(&before, &user),
        "",
    ));
    user.version += 1;
    app.finish(change, asker, Found::at(view_person(&user), user.version)).await
}

/// Takes over what is to be changed.
fn take(user: &mut UserRow, ask: PersonChange) {
    if let Some(name) = ask.name {
        user.name = name.into();
    }
    if let Some(mail) = ask.mail {
        user.mail = mail.into();
    }
}

/// What differs, for the journal.
fn differences(before: &UserRow, after: &UserRow) -> serde_json::Value {
    let pairs = [("name", &before.name, &after.name), ("mail", &before.mail, &after.mail)];
    pairs
        .into_iter()
        .filter(|(_, one, other)| one != other)
        .map(|(key, one, other)| (key.to_owned(), json!([one, other])))
        .collect()
}

pub(in crate::http) async fn set_password(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
    Body(ask): Body<ChangePassword>,
) -> Answered<Done> {
    let (mut user, session) = themselves(&app, who.asker(), &client).await?;
    prove(&app, &user, &ask.old, &client, "/old").await?;
    password::check(ask.password.reveal(), app.config.password_min, &[&user.login, &user.name, &user.mail])?;
    user.password = app.hashing.hash(ask.password.reveal().to_owned()).await?;
    user.password_at = Some(app.now());
    let mut change = app.begin(who.asker()).await?;
    if !change.update_user(&user).await? {
        return Err(conflict("your account", user.version, user.version + 1).into());
    }
    let ended =
        change.end_sessions(&user.id, session.as_ref().map_or("", |session| session.hash.as_str())).await?;
    change.record(done(
        "user.password",
        0,
        target("user", &user.id, &user.login),
        json!({ "sessionsEnded": ended }),
        "",
    ));
    app.commit(change).await?;
    app.identity.forget();
    Ok(Done)
}

/// It is their password, or the request is refused.
async fn prove(
    app: &App,
    user: &UserRow,
    password: &Password,
    client: &Client,
    pointer: &str,
) -> Answered<()> {
    // Their session is no reason not to count: whoever sits at it may be somebody else.
    let claim = Claim { login: &user.login, user: Some(user), password, ip: client.ip, session: None };
    if guess::look(app, claim).await? != Look::Wrong {
        return Ok(());
    }
    Err(Problem::new(Code::SignInFailed, "the password is another one").at(pointer, "is not yours").into())
}

pub(in crate::http) async fn step_up(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
    Body(ask): Body<StepUp>,
) -> Answered<Told<Done>> {
    let (user, session) = themselves(&app, who.asker(), &client).await?;
    let Some(session) = session else {
        return Err(Problem::new(Code::NotAllowed, "a token proves nothing about who holds it").into());
    };
    prove(&app, &user, &ask.password, &client, "/password").await?;
    let mut change = app.begin(who.asker()).await?;
    change.session_proved(&session.hash).await?;
    change.record(done("session.step-up", 0, target("user", &user.id, &user.login), json!(null), ""));
    let told = app.finish(change, who.asker(), Done).await?;
    app.identity.forget();
    Ok(told)
}

/// How much of a session's hash is its name.
const SESSION_NAME: usize = 16;

pub(in crate::http) async fn sessions(
    app: Arc<App>,
    who: Granted<Own>,
    client: Client,
) -> Answered<Found<List<SessionView>>> {
    let (user, current) = themselves(&app, who.asker(), &client).await?;
    let rows = app.store.sessions(&user.id, app.now()).await?;
    let view = |row: crate::store::SessionRow| SessionView {
        current: current.as_ref().is_some_and(|current| current.hash == row.hash),
        id: row.hash.chars().take(SESSION_NAME).collect(),
        at: At(row.at),
        seen_at: At(row.seen),
        ends_at: At(row.ends),
        ip: row.ip,
        agent: row.agent,
    };
    Ok(Found::new(rows.into_iter().map(view).collect()))
}

pub(in crate::http) async fn end_session(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Done> {
    let (user, _) = themselves(&app, who.asker(), &client).await?;
    let rows = app.store.sessions(&user.id, app.now()).await?;
    let Some(row) = rows.into_iter().find(|row| id.len() == SESSION_NAME && row.hash.starts_with(&id)) else {
        return Err(Problem::new(Code::NotFound, format!("you have no session `{id}`")).into());
    };
    let mut change = app.begin(who.asker()).await?;
    change.end_session(&row.hash).await?;
    change.record(done(
        "session.end",
        0,
        target("user", &user.id, &user.login),
        json!({ "session": id }),
        "",
    ));
    app.commit(change).await?;
    app.identity.forget();
    Ok(Done)
}

pub(in crate::http) async fn end_sessions(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
) -> Answered<Done> {
    let (user, current) = themselves(&app, who.asker(), &client).await?;
    let mut change = app.begin(who.asker()).await?;
    let ended =
        change.end_sessions(&user.id, current.as_ref().map_or("", |current| current.hash.as_str())).await?;
    change.record(done(
        "session.end",
        0,
        target("user", &user.id, &user.login),
        json!({ "sessions": ended }),
        "",
    ));
    app.commit(change).await?;
    app.identity.forget();
    Ok(Done)
}

pub(in crate::http) async fn tokens(app: Arc<App>, who: Granted<Own>) -> Answered<Found<List<TokenView>>> {
    let rows = app.store.tokens(&who.asker().principal.id).await?;
    Ok(Found::new(rows.iter().map(|row| view_token(&app, row)).collect()))
}

/// A token, without its secret.
pub(in crate::http) fn view_token(app: &App, row: &TokenRow) -> TokenView {
    let name = |id: &i64| {
        app.catalogue.project_of(*id).map_or_else(|| id.to_string(), |project| project.name.clone())
    };
    TokenView {
        id: row.id.clone(),
        name: row.name.clone(),
        tail: row.tail.clone(),
        scopes: row.scopes.clone(),
        projects: row.projects.iter().map(name).collect(),
        created_at: At(row.at),
        expires_at: At(row.expires),
        used_at: row.used.map(At),
        used_from: row.used_ip.clone(),
    }
}

pub(in crate::http) async fn make_token(
    app: Arc<App>,
    who: Granted<TokenOwn>,
    Body(ask): Body<NewToken>,
) -> Answered<Told<Secret<MadeToken>>> {
    if who.asker().principal.scope.is_some() {
        return Err(Problem::new(Code::NotAllowed, "a token makes no token").into());
    }
    proved(&app, who.asker())?;
    issue(&app, who.asker(), &who.asker().principal.id, ask).await
}

/// Makes a token of this owner.
pub(in crate::http) async fn issue(
    app: &App,
    asker: &Asker,
    owner: &str,
    ask: NewToken,
) -> Answered<Told<Secret<MadeToken>>> {
    let mut wrong = Problem::new(Code::Invalid, "the token cannot be made");
    let permissions = scopes(&ask.scopes).unwrap_or_else(|unknown| {
        for (place, word) in unknown {
            let known = Permission::ALL
                .iter()
                .map(|permission| permission.name())
                .chain(["read", "operate", "write"]);
            let near =
                clockwright_model::nearest(&word, known).map(|near| format!("; did you mean `{near}`?"));
            let message = format!("`{word}` is no scope{}", near.unwrap_or_default());
            wrong.errors.push(clockwright_api::problem::Detail {
                pointer: format!("/scopes/{place}"),
                line: None,
                message,
            });
        }
        Vec::new()
    });
    if ask.scopes.is_empty() {
        wrong = wrong.at("/scopes", "is empty: a token without scopes opens nothing");
    }
    let mut projects = Vec::new();
    for (place, name) in ask.projects.iter().enumerate() {
        match app.catalogue.project(name).filter(|project| sees(asker, project.id)) {
            Some(project) => projects.push(project.id),
            None => {
                wrong = wrong.at(
                    format!("/projects/{place}"),
                    format!("there is no project `{name}`, or you may not see it"),
                );
            }
        }
    }
    let now = app.now();
    let expires = ask.expires_at.map_or(now + app.config.token_usual, |at| at.0);
    if expires <= now || expires > now + app.config.token_longest {
        let days = app.config.token_longest / (24 * 3_600_000);
        wrong = wrong.at("/expiresAt", format!("is to be in the next {days} days"));
    }
    if !wrong.errors.is_empty() {
        return Err(wrong.into());
    }
    let secret = secret::token();
    let row = TokenRow {
        id: uuid::Uuid::now_v7().to_string(),
        hash: sha256(secret.as_bytes()),
        who: owner.to_owned(),
        name: ask.name.into(),
        tail: secret.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect(),
        scopes: permissions.iter().map(|permission| permission.name().to_owned()).collect(),
        projects,
        at: now,
        expires,
        used: None,
        used_ip: String::new(),
        ended: None,
    };
    let mut change = app.begin(asker).await?;
    change.insert_token(&row).await?;
    let facts = json!({ "owner": owner, "scopes": row.scopes, "projects": row.projects, "expires": String::from(At(expires)) });
    change.record(done("token.create", 0, target("token", &row.id, &row.name), facts, ""));
    app.finish(change, asker, Secret(MadeToken { token: view_token(app, &row), secret })).await
}

fn sees(asker: &Asker, project: i64) -> bool {
    use crate::decide::permit::{Answer, Place, permit};
    permit(&asker.principal, Permission::ProjectRead, Place::Project(project)) == Answer::Allowed
}

pub(in crate::http) async fn end_token(
    app: Arc<App>,
    who: Granted<TokenOwn>,
    Named(TheId { id }): Named<TheId>,
) -> Answered<Done> {
    end_token_of(&app, who.asker(), &who.asker().principal.id, &id).await
}

/// Ends a token of this owner.
pub(in crate::http) async fn end_token_of(app: &App, asker: &Asker, owner: &str, id: &str) -> Answered<Done> {
    let mut change = app.begin(asker).await?;
    if !change.end_token(owner, id).await? {
        return Err(Problem::new(Code::NotFound, format!("there is no token `{id}`")).into());
    }
    change.record(done("token.end", 0, target("token", id, ""), json!({ "owner": owner }), ""));
    app.commit(change).await?;
    app.identity.forget();
    Ok(Done)
}
