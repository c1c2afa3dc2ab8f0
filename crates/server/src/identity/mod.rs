//! Who comes in: by a session's cookie, or by a token.
//!
//! Both are 256 random bits, of which the database has the SHA-256. What they open is looked up once and kept for [`KEPT`]; so a session or a
//! token that ends elsewhere is over here a few seconds later, and one that ends here at once ([`Identity::forget`]). Roles are not
//! kept with them: they are those of the catalogue at each request.

pub(crate) mod guess;
pub(crate) mod oidc;
pub mod password;
pub mod secret;

use crate::app::App;
use crate::decide::chain::sha256;
use crate::decide::permit::{Principal, Scope};
use crate::http::refusal::Answered;
use crate::http::v1::session::RESCUE;
use crate::store::{SessionRow, StoreError, TokenRow, UserKind, UserRow, UserState};
use axum::extract::{ConnectInfo, Request};
use clockwright_api::{Code, Permission, Role};
use clockwright_model::Millis;
use http::HeaderMap;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// How long what a secret opens is kept, milliseconds.
const KEPT: Millis = 5_000;
/// How many secrets are kept at most.
const MOST: usize = 10_000;
/// A session's or a token's use is noted at most so often, milliseconds.
const NOTED: Millis = 60_000;

/// How a request came in.
#[derive(Debug)]
pub enum Door {
    /// It carries nothing.
    Nobody,
    /// It carries what does not open any more.
    Over(Code),
    /// Somebody.
    In(Visitor),
}

/// Somebody who came in.
#[derive(Debug)]
pub struct Visitor {
    /// Who, and what they hold at this moment.
    pub principal: Arc<Principal>,
    /// True for a program.
    pub is_service: bool,
    /// When they last proved who they are; `None` for a token.
    pub proved_at: Option<Millis>,
}

/// What secrets open, kept for a moment.
#[derive(Debug, Default)]
pub struct Identity {
    kept: Mutex<HashMap<String, (Millis, Opened)>>,
    noted: Mutex<HashMap<String, Millis>>,
}

#[derive(Debug, Clone)]
enum Opened {
    Nothing(Code),
    Session(Arc<(SessionRow, UserRow)>),
    Token(Arc<(TokenRow, UserRow)>),
}

impl Identity {
    /// Looks who a request comes from.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open(&self, app: &App, headers: &HeaderMap, ip: IpAddr) -> Answered<Door> {
        self.enter(app, headers, Some(ip)).await
    }

    /// Looks again who they are whose request goes on. That is no use of their session or token.
    ///
    /// # Errors
    /// The database is away.
    pub async fn look(&self, app: &App, headers: &HeaderMap) -> Answered<Door> {
        self.enter(app, headers, None).await
    }

    /// From where it is used; `None` when this is no use of it.
    async fn enter(&self, app: &App, headers: &HeaderMap, ip: Option<IpAddr>) -> Answered<Door> {
        let (secret, is_token) = match (bearer(headers), app.cookie(headers)) {
            (Some(token), _) => (token, true),
            (None, Some(cookie)) => (cookie, false),
            (None, None) => return Ok(Door::Nobody),
        };
        let now = app.now();
        let hash = sha256(secret.as_bytes());
        let opened = match self.kept(&hash, now) {
            Some(opened) => opened,
            None => {
                let opened =
                    if is_token { look_token(app, &hash).await? } else { look_session(app, &hash).await? };
                self.keep(hash.clone(), now, opened.clone());
                opened
            }
        };
        Ok(match opened {
            Opened::Nothing(code) => Door::Over(code),
            Opened::Session(it) => self.by_session(app, &it, ip.is_some(), now).await?,
            Opened::Token(it) => self.by_token(app, &it, ip, now).await?,
        })
    }

    async fn by_session(
        &self,
        app: &App,
        it: &(SessionRow, UserRow),
        is_use: bool,
        now: Millis,
    ) -> Answered<Door> {
        let (session, user) = it;
        let idle = app.config.session_idle;
        let is_over = session.ended.is_some() || now >= session.ends || now - session.seen >= idle + NOTED;
        if is_over || user.state != UserState::Active {
            return Ok(Door::Over(Code::SessionOver));
        }
        if is_use && self.is_to_be_noted(&session.hash, now) {
            app.store.session_seen(&session.hash, now).await?;
        }
        let (everywhere, projects) = roles(app, &user.id, Some(session));
        let principal =
            Principal { id: user.id.clone(), name: user.login.clone(), everywhere, projects, scope: None };
        Ok(Door::In(Visitor {
            principal: Arc::new(principal),
            is_service: false,
            // A rescue is as fresh as its hour is short; there may be no password to prove it by again.
            proved_at: Some(if session.via == RESCUE { now } else { session.auth_at }),
        }))
    }

    async fn by_token(
        &self,
        app: &App,
        it: &(TokenRow, UserRow),
        ip: Option<IpAddr>,
        now: Millis,
    ) -> Answered<Door> {
        let (token, user) = it;
        if token.ended.is_some() || now >= token.expires || user.state != UserState::Active {
            return Ok(Door::Over(Code::TokenExpired));
        }
        if let Some(ip) = ip
            && self.is_to_be_noted(&token.id, now)
        {
            app.store.token_used(&token.id, &ip.to_string(), now).await?;
        }
        let (everywhere, projects) = app.catalogue.roles(&user.id, &[]);
        let permissions = token.scopes.iter().filter_map(|name| Permission::named(name)).collect();
        let scope = Some(Scope { permissions, projects: token.projects.clone() });
        let principal =
            Principal { id: user.id.clone(), name: user.login.clone(), everywhere, projects, scope };
        let is_service = user.kind == UserKind::Service;
        Ok(Door::In(Visitor { principal: Arc::new(principal), is_service, proved_at: None }))
    }

    fn kept(&self, hash: &str, now: Millis) -> Option<Opened> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(hash).filter(|(at, _)| now - at < KEPT && now >= *at).map(|(_, opened)| opened.clone())
    }

    fn keep(&self, hash: String, now: Millis, opened: Opened) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (at, _)| now - *at < KEPT && now >= *at);
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(hash, (now, opened));
    }

    /// Something about sessions, tokens or people has changed here: nothing that was kept counts any more.
    pub fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn is_to_be_noted(&self, what: &str, now: Millis) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(what).is_some_and(|at| now - at < NOTED) {
            return false;
        }
        if noted.len() >= MOST {
            noted.clear();
        }
        noted.insert(what.to_owned(), now);
        true
    }
}

/// What somebody holds by a session: on all projects, and on each.
pub(crate) fn roles(
    app: &App,
    user: &str,
    session: Option<&SessionRow>,
) -> (Option<Role>, BTreeMap<i64, Role>) {
    let groups = session.map(|session| session.groups.as_slice()).unwrap_or_default();
    let (everywhere, projects) = app.catalogue.roles(user, groups);
    let is_rescue = session.is_some_and(|session| session.via == RESCUE);
    (if is_rescue { Some(Role::Admin) } else { everywhere }, projects)
}

async fn look_session(app: &App, hash: &str) -> Result<Opened, StoreError> {
    let Some(session) = app.store.session(hash).await? else { return Ok(Opened::Nothing(Code::SessionOver)) };
    let Some(user) = app.store.user(&session.who).await? else {
        return Ok(Opened::Nothing(Code::SessionOver));
    };
    Ok(Opened::Session(Arc::new((session, user))))
}

async fn look_token(app: &App, hash: &str) -> Result<Opened, StoreError> {
    let Some(token) = app.store.token_of(hash).await? else { return Ok(Opened::Nothing(Code::TokenExpired)) };
    let Some(user) = app.store.user(&token.who).await? else {
        return Ok(Opened::Nothing(Code::TokenExpired));
    };
    Ok(Opened::Token(Arc::new((token, user))))
}

/// The secret of the token that a request comes by.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())
}

/// The other end of the connection; loopback where there is none, as in tests that call the router itself.
#[must_use]
pub fn peer(request: &Request) -> IpAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::from([127, 0, 0, 1]), |ConnectInfo(address)| address.ip())
}
