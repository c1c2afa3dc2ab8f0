//! Signing in and out.
//!
//! A failed sign-in says nothing but that it failed: not whether the login is somebody's, whether it waits, nor whether the password was
//! right; and each of these takes the same work (`identity/guess.rs`).

use super::me::end_token_of;
use super::{done, target};
use crate::app::App;
use crate::decide::chain::{Actor, ActorKind, Outcome, Record, Via, sha256};
use crate::http::answer::{Answer, Done, Found, Rendered};
use crate::http::grant::{Anyone, Asker, Granted};
use crate::http::openapi::Operation;
use crate::http::parts::{Body, Client};
use crate::http::refusal::Answered;
use crate::identity::guess::{self, Claim, Look};
use crate::identity::{self, secret};
use crate::observe::names::SIGN_INS;
use crate::store::{Change, SessionRow, UserRow};
use clockwright_api::people::{Person, Session, SignIn};
use clockwright_api::permission::kinds::{Own, OwnChange};
use clockwright_api::{At, Code, Problem};
use clockwright_model::Millis;
use serde_json::{Value, json};
use std::sync::Arc;

/// A session that began: who it is, and the cookie.
pub(in crate::http) struct SignedIn {
    session: Session,
    pub(in crate::http) cookie: String,
}

impl Answer for SignedIn {
    fn render(self) -> Rendered {
        let found = Found::new(self.session).render();
        Rendered { cookie: Some(self.cookie), secret: true, ..found }
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<Session>(200, "they are signed in; the cookie is the session");
    }
}

pub(in crate::http) async fn begin(
    app: Arc<App>,
    anyone: Anyone,
    Body(ask): Body<SignIn>,
    client: Client,
) -> Answered<SignedIn> {
    let login = ask.login.as_str();
    if !app.config.lets_locals_in() {
        let problem = Problem::new(Code::SignInFailed, "people sign in at the identity provider here");
        return Err(problem.fix("open /api/v1/oidc/begin").into());
    }
    let user = app.store.user_of_login(login).await?;
    let (user_ref, session) = (user.as_ref(), client.session.as_deref());
    let claim = Claim { login, user: user_ref, password: &ask.password, ip: client.ip, session };
    let (Look::Right { weak }, Some(user)) = (guess::look(&app, claim).await?, &user) else {
        app.metrics.count(&SIGN_INS, &["password", "refused"]);
        failed(&app, &anyone, login).await?;
        return Err(Problem::new(Code::SignInFailed, "the sign-in failed").into());
    };
    let mut user = user.clone();
    let actor = person(&anyone.actor, &user);
    let mut change = app.begin_as(actor).await?;
    if weak {
        user.password = app.hashing.hash(ask.password.reveal().to_owned()).await?;
        change.update_user(&user).await?;
    }
    let proof =
        Proof { way: "password", groups: Vec::new(), longest: app.config.session_longest, at: app.now() };
    start(&app, change, &user, &client, proof).await
}

/// One record for each minute and login is enough: guessing must not fill the journal.
async fn failed(app: &App, anyone: &Anyone, login: &str) -> Answered<()> {
    if !app.tells_failure(login, &anyone.actor.ip) {
        return Ok(());
    }
    let mut change = app.begin_as(anyone.actor.clone()).await?;
    change.record(Record {
        outcome: Outcome::Refused,
        code: Code::SignInFailed.name(),
        ..done("session.begin", 0, target("login", "", login), Value::Null, "")
    });
    app.commit(change).await?;
    Ok(())
}

fn person(anyone: &Actor, user: &UserRow) -> Actor {
    Actor {
        kind: ActorKind::Person,
        id: user.id.clone(),
        name: user.login.clone(),
        via: Via::Session,
        ..anyone.clone()
    }
}

/// The way of a session that began by a rescue: it is an administrator's.
pub(crate) const RESCUE: &str = "rescue";

/// How somebody has proved who they are.
pub(in crate::http) struct Proof {
    /// By what.
    pub(in crate::http) way: &'static str,
    /// The groups that they are in.
    pub(in crate::http) groups: Vec<String>,
    /// How long their session lives at most, milliseconds.
    pub(in crate::http) longest: Millis,
    /// When.
    pub(in crate::http) at: Millis,
}

/// Begins a session of somebody who has proved who they are, as the end of a change.
pub(in crate::http) async fn start(
    app: &App,
    mut change: Change,
    user: &UserRow,
    client: &Client,
    proof: Proof,
) -> Answered<SignedIn> {
    let Proof { way, groups, longest, at } = proof;
    let now = change.now();
    let secret = secret::random();
    // Who comes back to a browser that has a session of theirs gets a new one: the secret of before may have been fixed by somebody else.
    if let Some(before) = &client.session {
        change.end_session(&sha256(before.as_bytes())).await?;
    }
    let open = change.sessions(&user.id).await?;
    for oldest in open.iter().take((open.len() + 1).saturating_sub(app.config.sessions)) {
        change.end_session(&oldest.hash).await?;
    }
    let session = SessionRow {
        hash: sha256(secret.as_bytes()),
        who: user.id.clone(),
        at: now,
        seen: now,
        ends: now + longest,
        auth_at: at,
        via: if ["oidc", RESCUE].contains(&way) { way } else { "local" }.to_owned(),
        ip: client.ip.to_string(),
        agent: client.agent.clone(),
        groups,
        ended: None,
    };
    change.insert_session(&session).await?;
    change.user_seen(&user.id).await?;
    change.record(done("session.begin", 0, target("user", &user.id, &user.login), json!({ "way": way }), ""));
    app.commit(change).await?;
    app.metrics.count(&SIGN_INS, &[way, "done"]);
    app.identity.forget();
    let cookie = cookie(app, &secret, longest / 1_000);
    Ok(SignedIn { session: view(app, user, Some(&session)), cookie })
}

/// The cookie of a session.
fn cookie(app: &App, secret: &str, seconds: i64) -> String {
    set_cookie(app, app.config.cookie_name(), secret, seconds)
}

/// The cookie of a browser that goes to the identity provider: it is to be back within ten minutes.
pub(in crate::http) fn errand(app: &App, text: &str) -> String {
    set_cookie(app, app.config.errand_name(), text, 600)
}

fn set_cookie(app: &App, name: &str, value: &str, seconds: i64) -> String {
    let secure = if app.config.is_secure() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

fn view(app: &App, user: &UserRow, session: Option<&SessionRow>) -> Session {
    let (role, each) = identity::roles(app, &user.id, session);
    let named =
        each.into_iter().filter_map(|(id, role)| Some((app.catalogue.project_of(id)?.name.clone(), role)));
    Session {
        person: view_person(user),
        role,
        projects: named.collect(),
        ends_at: session.map(|session| At(session.ends)),
    }
}

/// Somebody, as others see them.
pub(in crate::http) fn view_person(user: &UserRow) -> Person {
    Person {
        id: user.id.clone(),
        login: user.login.clone(),
        name: user.name.clone(),
        mail: user.mail.clone(),
        kind: user.kind.word().to_owned(),
        state: user.state.word().to_owned(),
        seen_at: user.seen.map(At),
        created_at: At(user.created),
        version: user.version,
    }
}

pub(in crate::http) async fn show(
    app: Arc<App>,
    who: Granted<Own>,
    client: Client,
) -> Answered<Found<Session>> {
    let (user, session) = themselves(&app, who.asker(), &client).await?;
    Ok(Found::new(view(&app, &user, session.as_ref())))
}

/// Who asks, and their session if they came by one.
pub(in crate::http) async fn themselves(
    app: &App,
    asker: &Asker,
    client: &Client,
) -> Answered<(UserRow, Option<SessionRow>)> {
    let over = || Problem::new(Code::SessionOver, "the account is gone");
    let user = app.store.user(&asker.principal.id).await?.ok_or_else(over)?;
    let session = match (&client.session, &asker.principal.scope) {
        (Some(secret), None) => app.store.session(&sha256(secret.as_bytes())).await?,
        _ => None,
    };
    Ok((user, session))
}

/// A session that ended: the cookie goes too.
pub(in crate::http) struct SignedOut(String);

impl Answer for SignedOut {
    fn render(self) -> Rendered {
        Rendered { cookie: Some(self.0), ..Done.render() }
    }

    fn describe(operation: &mut Operation) {
        Done::describe(operation);
    }
}

pub(in crate::http) async fn end(
    app: Arc<App>,
    who: Granted<OwnChange>,
    client: Client,
) -> Answered<SignedOut> {
    let (user, session) = themselves(&app, who.asker(), &client).await?;
    if let Some(session) = session {
        let mut change = app.begin(who.asker()).await?;
        change.end_session(&session.hash).await?;
        change.record(done("session.end", 0, target("user", &user.id, &user.login), Value::Null, ""));
        app.commit(change).await?;
        app.identity.forget();
    } else if let Some(secret) = &client.token
        && let Some(token) = app.store.token_of(&sha256(secret.as_bytes())).await?
    {
        end_token_of(&app, who.asker(), &token.who, &token.id).await?;
    }
    Ok(SignedOut(cookie(&app, "", 0)))
}
