//! Signing in at the identity provider, as a browser goes there and comes back.

use super::links::new_user;
use super::session::{self, Proof};
use super::{done, target};
use crate::app::App;
use crate::config::Oidc;
use crate::decide::chain::{Actor, ActorKind, Via};
use crate::decide::claims::Claims;
use crate::http::answer::{Answer, Rendered};
use crate::http::grant::Anyone;
use crate::http::openapi::Operation;
use crate::http::parts::{Client, Kept, Query};
use crate::http::refusal::Answered;
use crate::identity::oidc::{self, Errand};
use crate::observe::names::SIGN_INS;
use crate::store::{Change, UserKind, UserRow, UserState};
use clockwright_api::text::Login;
use clockwright_api::{Code, Problem};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;

/// The browser goes elsewhere, with a cookie.
pub(in crate::http) struct Sent {
    to: String,
    cookie: String,
}

impl Answer for Sent {
    fn render(self) -> Rendered {
        let empty = Rendered::empty(StatusCode::FOUND);
        Rendered { location: Some(self.to), cookie: Some(self.cookie), secret: true, ..empty }
    }

    fn describe(operation: &mut Operation) {
        operation.answers_nothing(302, "the browser is sent on");
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Begin {
    /// They are to prove again who they are, also where the provider knows them still.
    #[serde(default)]
    fresh: bool,
}

pub(in crate::http) async fn begin(app: Arc<App>, _: Anyone, Query(ask): Query<Begin>) -> Answered<Sent> {
    let provider = provider(&app)?;
    let (to, errand) = oidc::begin(&app, provider, ask.fresh).await.map_err(away)?;
    Ok(Sent { to, cookie: session::errand(&app, &errand.text()) })
}

fn provider(app: &App) -> Answered<&Oidc> {
    let none = || Problem::new(Code::NotFound, "no identity provider is set up here");
    Ok(app.config.oidc.as_ref().ok_or_else(none)?)
}

/// The browser learns nothing of what failed between the two servers.
fn away(why: String) -> Problem {
    tracing::warn!(why, "the identity provider let nobody in");
    Problem::new(Code::SignInFailed, "the identity provider let nobody in")
        .fix("try again; whoever runs the server finds the cause in its log, by the request's id")
}

/// What providers send back with the browser. What is not used is named, so that it is no unknown parameter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Back {
    /// The code.
    code: Option<String>,
    /// What was sent with the browser.
    state: Option<String>,
    /// Why nobody is let in.
    error: Option<String>,
    /// The same, for people.
    #[allow(dead_code, reason = "providers send it")]
    error_description: Option<String>,
    /// Where more is said of it.
    #[allow(dead_code, reason = "providers send it")]
    error_uri: Option<String>,
    /// Who sent it.
    iss: Option<String>,
    /// Of the provider's own session.
    #[allow(dead_code, reason = "providers send it")]
    session_state: Option<String>,
    /// What was granted.
    #[allow(dead_code, reason = "providers send it")]
    scope: Option<String>,
    /// Which of several accounts.
    #[allow(dead_code, reason = "providers send it")]
    authuser: Option<String>,
    /// Of which domain.
    #[allow(dead_code, reason = "providers send it")]
    hd: Option<String>,
    /// What was asked of them.
    #[allow(dead_code, reason = "providers send it")]
    prompt: Option<String>,
}

pub(in crate::http) async fn callback(
    app: Arc<App>,
    anyone: Anyone,
    Query(back): Query<Back>,
    Kept(errand): Kept,
    client: Client,
) -> Answered<Sent> {
    let come = back_again(&app, &anyone, back, errand, &client).await;
    if come.is_err() {
        app.metrics.count(&SIGN_INS, &["oidc", "refused"]);
    }
    come
}

async fn back_again(
    app: &App,
    anyone: &Anyone,
    back: Back,
    errand: Option<String>,
    client: &Client,
) -> Answered<Sent> {
    let provider = provider(app)?;
    let errand = errand.as_deref().and_then(Errand::of_text);
    let errand = errand.filter(|errand| back.state.as_deref() == Some(errand.state.as_str()));
    let errand =
        errand.ok_or_else(|| away("the browser comes back from an errand that it was not sent on".into()))?;
    if back.iss.as_deref().is_some_and(|issuer| issuer != provider.issuer) {
        return Err(away("the answer is of another issuer".to_owned()).into());
    }
    let code = back.code.as_deref().ok_or_else(|| {
        let word: String = back.error.as_deref().unwrap_or("no code").chars().take(100).collect();
        away(format!("the provider says {word:?}"))
    })?;
    let claims = oidc::finish(app, provider, &errand, code).await.map_err(away)?;
    let groups = claims.groups(&app.config.oidc_groups);
    let (user, change) = come_in(app, provider, &anyone.actor, &claims).await?;
    // Without a word on it, the proof may be of last week: it counts for nothing that needs a fresh one.
    let proved = claims.auth_time.unwrap_or_default().saturating_mul(1_000).min(app.now());
    let proof = Proof { way: "oidc", groups, longest: app.config.session_longest, at: proved };
    let signed_in = session::start(app, change, &user, client, proof).await?;
    Ok(Sent { to: "/".to_owned(), cookie: signed_in.cookie })
}

/// Whoever the provider names, as they are here: made at their first sign-in, and brought up to date at each.
async fn come_in(app: &App, oidc: &Oidc, anyone: &Actor, claims: &Claims) -> Answered<(UserRow, Change)> {
    let short = |name: &str| claims.text(name).unwrap_or_default().chars().take(200).collect::<String>();
    let (name, mail) = (short("name"), short("email"));
    let actor = |user: &UserRow| Actor {
        kind: ActorKind::Person,
        id: user.id.clone(),
        name: user.login.clone(),
        via: Via::Session,
        ..anyone.clone()
    };
    let Some(mut user) = app.store.user_of_subject(&oidc.issuer, &claims.sub).await? else {
        let login = login(app, claims).await?;
        let user = UserRow {
            issuer: oidc.issuer.clone(),
            subject: claims.sub.clone(),
            ..new_user(&login, &name, &mail, UserKind::Oidc, app.now())
        };
        let mut change = app.begin_as(actor(&user)).await?;
        change.insert_user(&user).await?;
        let facts = json!({ "kind": "oidc", "issuer": user.issuer });
        change.record(done("user.create", 0, target("user", &user.id, &user.login), facts, ""));
        return Ok((user, change));
    };
    if user.state != UserState::Active {
        return Err(away(format!("`{}` is disabled here", user.login)).into());
    }
    let mut change = app.begin_as(actor(&user)).await?;
    if (&user.name, &user.mail) != (&name, &mail) {
        (user.name, user.mail) = (name, mail);
        // Who changes it at this moment as well was here too.
        if change.update_user(&user).await? {
            user.version += 1;
            change.record(done(
                "user.update",
                0,
                target("user", &user.id, &user.login),
                Value::Null,
                "as the identity provider says",
            ));
        }
    }
    Ok((user, change))
}

/// What they are called here: as the provider calls them, and where somebody else is called so, with a mark that is theirs alone.
async fn login(app: &App, claims: &Claims) -> Answered<String> {
    let names = ["preferred_username", "email"].into_iter().filter_map(|name| claims.text(name));
    let usable = |name: &&str| name.chars().count() <= 80 && Login::new(*name).is_ok();
    let wanted = names.chain([claims.sub.as_str()]).find(usable).unwrap_or("somebody").to_owned();
    if app.store.user_of_login(&wanted).await?.is_none() {
        return Ok(wanted);
    }
    let mark: String = crate::decide::chain::sha256(claims.sub.as_bytes()).chars().take(8).collect();
    Ok(format!("{wanted}-{mark}"))
}
