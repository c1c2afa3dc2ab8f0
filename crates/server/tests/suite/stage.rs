//! A server without a socket, on a database of its own, with a clock that the test turns, and people who ask it.

use clockwright_events::EventStore;
use clockwright_model::Millis;
use clockwright_registry::{Connect, ConnectOptions, Embedded, Error, SharedRegistry};
use clockwright_registry_zookeeper::{Options, ZooKeeper};
use clockwright_server::app::{App, Clock};
use clockwright_server::config::Config;
use clockwright_server::decide::chain::{Outcome, Record, Target};
use clockwright_server::registries::{Registries, Source};
use clockwright_server::sealing;
use clockwright_server::store::{ServerRow, Store};
use clockwright_testkit::faulty::{Fault, Faulty};
use clockwright_testkit::patience::PATIENCE;
use clockwright_testkit::sql::{Kind, shared};
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On {
    Sqlite,
    Postgres,
    MariaDb,
}

/// Makes of each async function that takes a stage a test on each database.
macro_rules! on_each_database {
    ($($name:ident)*) => {
        $( crate::stage::on_databases! { $name: on_sqlite Sqlite, on_postgres Postgres, on_mariadb MariaDb } )*
    };
}

/// As [`on_each_database`], on those that several servers write at a time.
macro_rules! on_each_shared_database {
    ($($name:ident)*) => {
        $( crate::stage::on_databases! { $name: on_postgres Postgres, on_mariadb MariaDb } )*
    };
}

macro_rules! on_databases {
    ($name:ident: $($test:ident $on:ident),*) => {
        mod $name {
            use crate::stage::{On, Stage};

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$name(&Stage::new(On::$on).await).await;
                }
            )*
        }
    };
}
pub(crate) use {on_databases, on_each_database, on_each_shared_database};

pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    /// The registry `home`, as anybody else may reach it.
    pub(crate) registry: Embedded,
    /// Whether the registry `far`, which is the same one, can be reached.
    pub(crate) far: Arc<AtomicBool>,
    router: axum::Router,
    time: Arc<AtomicI64>,
    config: Config,
    address: String,
    _folder: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) headers: http::HeaderMap,
}

/// A stream that somebody listens to.
pub(crate) struct Listening {
    body: axum::body::BodyDataStream,
    rest: String,
}

/// One event of it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<i64>,
    pub(crate) data: Value,
}

impl Listening {
    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((text, rest)) = self.rest.split_once("\n\n") {
                let field =
                    |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
                let event = Event {
                    name: field("event").unwrap().to_owned(),
                    id: field("id").map(|id| id.parse().unwrap()),
                    data: serde_json::from_str(field("data").unwrap()).unwrap(),
                };
                self.rest = rest.to_owned();
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("an event comes")?;
            self.rest += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
    }

    /// The next event of this name; others are passed over.
    pub(crate) async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before `{name}`"));
            if event.name == name {
                return event;
            }
        }
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    headers: Vec<(String, String)>,
}

impl Stage {
    pub(crate) async fn new(on: On) -> Self {
        Self::with(on, Config::default()).await
    }

    pub(crate) async fn with(on: On, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = address(on, folder.path()).await;
        let store = format!("sqlite:{}", folder.path().join("events.db").display()).into();
        let key_file = folder.path().join("control.key");
        sealing::make(&key_file).unwrap();
        // Those who receive messages are on this machine.
        let alert_hosts = vec!["127.0.0.1".to_owned()];
        let config = Config { store, key_file, alert_hosts, ..config };
        let time = Arc::new(AtomicI64::new(1_800_000_000_000));
        let (registry, far) = (Embedded::in_memory(), Arc::new(AtomicBool::new(false)));
        let app = open(&address, &config, &registry, &far, &time).await;
        let router = clockwright_server::http::service(Arc::clone(&app));
        Self { app, registry, far, router, time, config, address, _folder: folder }
    }

    /// A server on SQLite whose registry `home` is a real ZooKeeper, where nodes are made for this `user:password`.
    pub(crate) async fn on_zookeeper(servers: &str, digest: &str) -> Self {
        let mut stage = Self::new(On::Sqlite).await;
        let options = Options { user: Some(digest.to_owned()), ..Options::new(servers) };
        let connect: Connect = Arc::new(move || {
            let options = options.clone();
            Box::pin(async move { Ok(ZooKeeper::connect(options).await? as SharedRegistry) })
        });
        let source = Source { connect, credential: true };
        stage.app = app(&stage.address, &stage.config, [("home", source)].into(), &stage.time).await;
        stage.router = clockwright_server::http::service(Arc::clone(&stage.app));
        stage
    }

    /// A stage on a database of its own that a backup was restored into, beside the same registry.
    pub(crate) async fn restored(&self, on: On, backup: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = address(on, folder.path()).await;
        let store = Store::open(&address).await.unwrap();
        clockwright_server::backup::restore(&store, backup, self.app.now()).await.unwrap();
        store.close().await;
        let app = open(&address, &self.config, &self.registry, &self.far, &self.time).await;
        Self { address, _folder: folder, ..self.around(app) }
    }

    /// Where the database is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Another server on the same database and registry.
    pub(crate) async fn another(&self) -> Arc<App> {
        open(&self.address, &self.config, &self.registry, &self.far, &self.time).await
    }

    /// Another server on the same database and registry, whose event store is away.
    pub(crate) async fn another_without_history(&self) -> Arc<App> {
        let store = "sqlite:/nowhere/events.db".to_owned().into();
        let config = Config { store, ..self.config.clone() };
        open(&self.address, &config, &self.registry, &self.far, &self.time).await
    }

    /// Another server on the same database, which reaches the registry `home` by this.
    pub(crate) async fn another_by(&self, connect: Connect) -> Arc<App> {
        let source = Source { connect, credential: false };
        app(&self.address, &self.config, [("home", source)].into(), &self.time).await
    }

    /// This server says that it is there.
    pub(crate) async fn lives(app: &App) {
        app.store.server_seen(&server(&app.id, app.now())).await.unwrap();
    }

    /// Somebody who signs in by the password of all, on this server.
    pub(crate) async fn sign_in(&self, login: &str) -> Caller {
        let ask = json!({ "login": login, "password": PASSWORD });
        let reply = self.post(&Caller::default(), "/session", ask).await;
        reply.is(200);
        Caller::of_cookie(&reply)
    }

    /// A stage beside the same database and registry, whose server reaches the registry `home` by sessions with a fault.
    pub(crate) async fn with_fault<F: Fault + Clone>(&self, fault: F) -> Self {
        let home = self.registry.clone();
        let connect: Connect = Arc::new(move || {
            let (inner, fault) = (home.connect(ConnectOptions::default()), fault.clone());
            Box::pin(async move { Ok(Arc::new(Faulty { inner: inner?, fault }) as SharedRegistry) })
        });
        self.around(self.another_by(connect).await)
    }

    /// A stage beside the same database and registry, with another server.
    pub(crate) async fn beside(&self) -> Self {
        self.around(self.another().await)
    }

    fn around(&self, app: Arc<App>) -> Self {
        let router = clockwright_server::http::service(Arc::clone(&app));
        let (registry, far, time) = (self.registry.clone(), Arc::clone(&self.far), Arc::clone(&self.time));
        let (config, address) = (self.config.clone(), self.address.clone());
        Self { app, registry, far, router, time, config, address, _folder: tempfile::tempdir().unwrap() }
    }

    /// The status of a read that another server answers.
    pub(crate) async fn status_at(server: &Arc<App>, who: &Caller, path: &str) -> StatusCode {
        let request = who.request(Method::GET, &format!("/api/v1{path}"));
        let service = clockwright_server::http::service(Arc::clone(server));
        service.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap().status()
    }

    /// The event store `home`, as instances write it.
    pub(crate) async fn history(&self) -> Arc<EventStore> {
        EventStore::connect(self.app.config.store.reveal()).await.unwrap()
    }

    /// The interface, to be served.
    pub(crate) fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Millis) {
        self.time.fetch_add(time, Ordering::SeqCst);
    }

    /// The first administrator, who has just signed in.
    pub(crate) async fn admin(&self) -> Caller {
        let link = clockwright_server::setup_link(&self.app).await.unwrap().unwrap();
        self.open_link(&link.url, Some("root")).await
    }

    /// Somebody with this role on all projects, who has just signed in.
    pub(crate) async fn somebody(&self, admin: &Caller, login: &str, role: Option<&str>) -> Caller {
        let invited = self.post(admin, "/users", json!({ "login": login, "role": role })).await.is(201);
        self.open_link(invited["link"]["url"].as_str().unwrap(), None).await
    }

    /// Uses a link up with the usual password.
    pub(crate) async fn open_link(&self, url: &str, login: Option<&str>) -> Caller {
        let body = match login {
            Some(login) => json!({ "login": login, "password": PASSWORD }),
            None => json!({ "password": PASSWORD }),
        };
        let reply = self.post(&Caller::default(), &link_path(url), body).await;
        reply.is(200);
        Caller::of_cookie(&reply)
    }

    pub(crate) async fn get(&self, who: &Caller, path: &str) -> Reply {
        self.ask(who, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: &Caller, path: &str, body: Value) -> Reply {
        self.ask(who, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, who: &Caller, path: &str, body: Value) -> Reply {
        self.ask(who, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, who: &Caller, path: &str, body: Value) -> Reply {
        self.ask(who, Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, who: &Caller, path: &str) -> Reply {
        self.ask(who, Method::DELETE, path, None).await
    }

    /// The text of an answer that is no JSON.
    pub(crate) async fn text(&self, who: &Caller, path: &str) -> String {
        let response = self.response(who, Method::GET, &format!("/api/v1{path}"), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The answer to a request of any kind.
    pub(crate) async fn response(
        &self,
        who: &Caller,
        method: Method,
        path: &str,
        body: Option<(Option<&str>, Vec<u8>)>,
    ) -> http::Response<axum::body::Body> {
        let mut request = who.request(method, path);
        let (kind, body) = body.unwrap_or_default();
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        self.router.clone().oneshot(request.body(axum::body::Body::from(body)).unwrap()).await.unwrap()
    }

    /// The status of an answer, and its body where it is JSON. What is no JSON, such as a stream, is not waited for.
    pub(crate) async fn look(
        &self,
        who: &Caller,
        method: Method,
        path: &str,
        body: Option<(Option<&str>, Vec<u8>)>,
    ) -> (u16, Value) {
        let response = self.response(who, method, path, body).await;
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind == "application/json" || kind == "application/problem+json") {
            return (status, Value::Null);
        }
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// Listens to a stream; a problem is a reply.
    pub(crate) async fn listen(&self, who: &Caller, path: &str) -> Result<Listening, Reply> {
        let response = self.response(who, Method::GET, &format!("/api/v1{path}"), None).await;
        if response.status() == StatusCode::OK {
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            return Ok(Listening { body: response.into_body().into_data_stream(), rest: String::new() });
        }
        Err(Reply::of(response).await)
    }

    pub(crate) async fn ask(&self, who: &Caller, method: Method, path: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| (Some("application/json"), body.to_string().into_bytes()));
        Reply::of(self.response(who, method, &format!("/api/v1{path}"), body).await).await
    }
}

/// Where a link is used up.
pub(crate) fn link_path(url: &str) -> String {
    let (_, secret) = url.split_once('#').unwrap();
    format!("/links/{secret}")
}

/// A record of a change that was made, and nothing more.
pub(crate) fn record(action: &'static str, project: i64, target: Target) -> Record {
    Record {
        action,
        project,
        target,
        outcome: Outcome::Done,
        code: "",
        changes: Value::Null,
        reason: String::new(),
    }
}

/// A server that began at this time, and was seen then.
pub(crate) fn server(id: &str, at: Millis) -> ServerRow {
    ServerRow {
        id: id.to_owned(),
        host: "host".to_owned(),
        address: "http://host".to_owned(),
        version: "1".to_owned(),
        started: at,
        seen: at,
    }
}

/// The way to a registry, while it is there.
pub(crate) fn way(registry: &Embedded, is_there: &Arc<AtomicBool>) -> Connect {
    let (registry, is_there) = (registry.clone(), Arc::clone(is_there));
    Arc::new(move || {
        let session = if is_there.load(Ordering::SeqCst) {
            registry.connect(ConnectOptions::default())
        } else {
            Err(Error::Unavailable("far away".into()))
        };
        Box::pin(async move { Ok(session? as SharedRegistry) })
    })
}

async fn address(on: On, folder: &std::path::Path) -> String {
    match on {
        On::Sqlite => format!("sqlite:{}", folder.join("control.db").display()),
        On::Postgres => shared(Kind::Postgres).database().await.unwrap(),
        On::MariaDb => shared(Kind::MariaDb).database().await.unwrap(),
    }
}

async fn open(
    address: &str,
    config: &Config,
    registry: &Embedded,
    far: &Arc<AtomicBool>,
    time: &Arc<AtomicI64>,
) -> Arc<App> {
    let source = |is_there| Source { connect: way(registry, is_there), credential: false };
    let sources = [("home", source(&Arc::new(AtomicBool::new(true)))), ("far", source(far))];
    app(address, config, sources.into(), time).await
}

async fn app(
    address: &str,
    config: &Config,
    sources: BTreeMap<&str, Source>,
    time: &Arc<AtomicI64>,
) -> Arc<App> {
    let sources = sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
    let time = Arc::clone(time);
    let clock: Clock = Arc::new(move || time.load(Ordering::SeqCst));
    let store = Store::open(address).await.unwrap();
    let vault = sealing::unlock(&store, config).await.unwrap();
    App::new(store, vault, config.clone(), Registries::new(sources), clock).await.unwrap()
}

impl Caller {
    /// A request of theirs.
    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Whoever has the session that a reply began.
    pub(crate) fn of_cookie(reply: &Reply) -> Self {
        let cookie = reply.headers["set-cookie"].to_str().unwrap();
        Self::default()
            .with("cookie", cookie.split(';').next().unwrap())
            .with("sec-fetch-site", "same-origin")
            .with("clockwright-request", "1")
    }

    /// Whoever has this token.
    pub(crate) fn of_token(secret: &str) -> Self {
        Self::default().with("authorization", &format!("Bearer {secret}"))
    }

    /// The same, with one header more, or another one in its place.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(there, _)| there != name);
        headers.push((name.to_owned(), value.to_owned()));
        Self { headers }
    }

    /// The same, changing this version.
    pub(crate) fn at(&self, version: i64) -> Self {
        self.with("if-match", &format!("\"v{version}\""))
    }
}

impl Reply {
    /// An answer, read to its end; without a body, null.
    pub(crate) async fn of(response: http::Response<axum::body::Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Self { status: parts.status, body, headers: parts.headers }
    }

    /// It has this status; its body.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body.clone()
    }

    /// It is a problem with this code; its body.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str) -> Value {
        assert_eq!(self.body["code"], code, "{} {:#}", self.status, self.body);
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(
            self.body["instance"].as_str().unwrap(),
            self.headers["clockwright-request"].to_str().unwrap()
        );
        self.body.clone()
    }
}
