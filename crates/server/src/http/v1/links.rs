//! Links that let somebody in once: the first administrator, those who are invited, those who forgot, and the way in when nothing else
//! works.
//!
//! A rescue is made on the machine, past all that may not work: by whoever reaches the database (`clockwright user rescue`). It changes nobody's password
//! and gives nobody a role; its session is an administrator's for an hour, and counts as freshly proved for as long.
//!
//! The secret stands behind the `#` of the link's address, so no server's log ever has it. It is used up by the transaction that does what it
//! is for.

use super::session::{self, Proof, SignedIn};
use super::{done, target};
use crate::app::App;
use crate::decide::chain::{Actor, ActorKind, Via, sha256};
use crate::http::grant::{Anyone, Asker};
use crate::http::parts::{Body, Client, Named};
use crate::http::refusal::Answered;
use crate::identity::{password, secret};
use crate::observe::names::SIGN_INS;
use crate::store::{Change, LinkKind, LinkRow, MemberKind, MemberRow, UserKind, UserRow, UserState};
use clockwright_api::people::{NewLink, Password, UseLink};
use clockwright_api::{At, Code, Problem, Role};
use clockwright_model::Millis;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use utoipa::IntoParams;

/// How long a link is valid, milliseconds.
pub(crate) const VALID: Millis = 24 * 3_600_000;
/// How long a rescue may wait, and how long the session lives that began by it, milliseconds.
pub(crate) const RESCUE: Millis = 3_600_000;

/// Makes a link for somebody, as a part of a change, and shows it once.
pub(crate) async fn make(app: &App, change: &mut Change, kind: LinkKind, who: &str) -> Answered<NewLink> {
    let secret = secret::random();
    let expires = change.now() + if kind == LinkKind::Rescue { RESCUE } else { VALID };
    let row = LinkRow {
        hash: sha256(secret.as_bytes()),
        kind,
        who: who.to_owned(),
        at: change.now(),
        expires,
        used: None,
    };
    change.insert_link(&row).await?;
    let page = match kind {
        LinkKind::Setup => "setup",
        LinkKind::Invite | LinkKind::Reset => "link",
        LinkKind::Rescue => "rescue",
    };
    Ok(NewLink { url: format!("{}/{page}#{secret}", app.config.public_url), expires_at: At(expires) })
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheLink {
    /// The secret behind the `#`.
    token: String,
}

pub(in crate::http) async fn use_up(
    app: Arc<App>,
    anyone: Anyone,
    Named(TheLink { token }): Named<TheLink>,
    Body(ask): Body<UseLink>,
    client: Client,
) -> Answered<SignedIn> {
    let used = || {
        app.metrics.count(&SIGN_INS, &["link", "refused"]);
        Problem::new(Code::LinkUsed, "the link was used, is too old, or never was one")
    };
    let hash = sha256(token.as_bytes());
    let link = app
        .store
        .link(&hash)
        .await?
        .filter(|link| link.used.is_none() && link.expires > app.now())
        .ok_or_else(used)?;
    let lets_in = app.config.lets_locals_in() || matches!(link.kind, LinkKind::Setup | LinkKind::Rescue);
    if !lets_in {
        let problem = Problem::new(Code::SignInFailed, "people sign in at the identity provider here");
        return Err(problem.fix("open /api/v1/oidc/begin").into());
    }
    let mut user = match link.kind {
        LinkKind::Setup => first(&app, &ask)?,
        _ => app.store.user(&link.who).await?.ok_or_else(used)?,
    };
    if link.kind != LinkKind::Setup && ask.login.is_some() {
        return Err(Problem::new(Code::Invalid, "the login is chosen already")
            .at("/login", "is to be left away")
            .into());
    }
    if link.kind != LinkKind::Rescue {
        choose(&app, &mut user, ask.password.as_ref()).await?;
    }
    let actor = Actor {
        kind: ActorKind::Person,
        id: user.id.clone(),
        name: user.login.clone(),
        via: Via::Link,
        ..anyone.actor
    };
    let mut change = app.begin_as(actor).await?;
    if !change.use_link(&hash).await? {
        return Err(used().into());
    }
    match link.kind {
        LinkKind::Setup => {
            change.insert_user(&user).await?;
            make_admin(&mut change, &user).await?;
        }
        LinkKind::Invite | LinkKind::Reset => {
            user.state = UserState::Active;
            if !change.update_user(&user).await? {
                return Err(used().into());
            }
            change.end_sessions(&user.id, "").await?;
        }
        LinkKind::Rescue => {}
    }
    let action = match link.kind {
        LinkKind::Setup => "setup.used",
        LinkKind::Invite => "invite.used",
        LinkKind::Reset => "reset.used",
        LinkKind::Rescue => "rescue.used",
    };
    change.record(done(action, 0, target("user", &user.id, &user.login), json!(null), ""));
    let (way, longest) = match link.kind {
        LinkKind::Rescue => (session::RESCUE, RESCUE),
        _ => ("link", app.config.session_longest),
    };
    let proof = Proof { way, groups: Vec::new(), longest, at: app.now() };
    session::start(&app, change, &user, &client, proof).await
}

/// The password from now on.
async fn choose(app: &App, user: &mut UserRow, password: Option<&Password>) -> Answered<()> {
    let Some(password) = password else {
        return Err(Problem::new(Code::Invalid, "a password is to be chosen")
            .at("/password", "is missing")
            .into());
    };
    let known = [user.login.as_str(), user.name.as_str(), user.mail.as_str()];
    password::check(password.reveal(), app.config.password_min, &known)?;
    user.password = app.hashing.hash(password.reveal().to_owned()).await?;
    user.password_at = Some(app.now());
    Ok(())
}

/// The first administrator, who chooses the login.
fn first(app: &App, ask: &UseLink) -> Answered<UserRow> {
    let Some(login) = &ask.login else {
        return Err(Problem::new(Code::Invalid, "the first administrator chooses a login")
            .at("/login", "is missing")
            .into());
    };
    Ok(new_user(login.as_str(), "", "", UserKind::Local, app.now()))
}

/// Somebody who was not there before.
pub(crate) fn new_user(login: &str, name: &str, mail: &str, kind: UserKind, now: Millis) -> UserRow {
    let id = uuid::Uuid::now_v7().to_string();
    UserRow {
        subject: id.clone(),
        id,
        login: login.to_owned(),
        name: name.to_owned(),
        mail: mail.to_owned(),
        kind,
        issuer: String::new(),
        password: String::new(),
        password_at: None,
        state: UserState::Active,
        failed: 0,
        locked_until: None,
        seen: None,
        version: 1,
        created: now,
    }
}

async fn make_admin(change: &mut Change, user: &UserRow) -> Answered<()> {
    let member = MemberRow {
        project: 0,
        kind: MemberKind::User,
        who: user.id.clone(),
        role: Role::Admin,
        by: user.id.clone(),
        at: change.now(),
    };
    change.put_member(&member).await?;
    change.record(done(
        "member.set",
        0,
        target("member", &user.id, &user.login),
        json!({ "role": [null, "admin"] }),
        "",
    ));
    Ok(())
}

/// A step-up is needed for what would outlive a session that somebody else sits at.
pub(in crate::http) fn proved(app: &App, asker: &Asker) -> Answered<()> {
    /// How long a proof counts, milliseconds.
    const COUNTS: Millis = 5 * 60_000;
    if asker.proved_at.is_some_and(|at| app.now() - at <= COUNTS) {
        return Ok(());
    }
    Err(Problem::new(Code::StepUpNeeded, "this needs a sign-in of the last five minutes").into())
}
