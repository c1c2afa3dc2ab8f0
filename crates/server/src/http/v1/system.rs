//! What a server says of itself. To everybody: is it alive, may it be sent requests, is all well, which program is it. To who may: its metrics, what is
//! not as it should be, the servers, the configuration in force.

use crate::app::App;
use crate::decide;
use crate::decide::health::{Judged, Ready};
use crate::http::answer::{Answer, Found, Rendered};
use crate::http::grant::{Anyone, Granted};
use crate::http::openapi::Operation;
use crate::http::parts::Named;
use crate::http::reference;
use crate::http::refusal::Answered;
use crate::observe;
use crate::observe::doctor::{Patient, examine};
use crate::ops::resume::SILENT;
use clockwright_api::permission::kinds::{MetricsRead, SystemRead};
use clockwright_api::system::{ControlServer, Finding, Health, Program, Setting, System, Trouble};
use clockwright_api::{At, Code, List, Problem};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Health, with the status that says it to a machine.
pub(in crate::http) struct Stated {
    is_well: bool,
    health: Health,
}

impl Stated {
    pub(in crate::http) fn new(is_well: bool, status: &str, troubles: Vec<Trouble>) -> Self {
        Self { is_well, health: Health { status: status.to_owned(), troubles } }
    }
}

impl Answer for Stated {
    fn render(self) -> Rendered {
        let status = if self.is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Rendered::json(status, &self.health)
    }

    fn describe(operation: &mut Operation) {
        operation.answers::<Health>(200, "it is");
        operation.answers::<Health>(503, "it is not, or not now");
    }
}

pub(in crate::http) async fn alive(app: Arc<App>, _: Anyone) -> Answered<Stated> {
    let judged = observe::health::life(&app);
    let is_alive = judged.alive;
    Ok(Stated::new(is_alive, if is_alive { "alive" } else { "stuck" }, shown(judged)))
}

pub(in crate::http) async fn ready(app: Arc<App>, _: Anyone) -> Answered<Stated> {
    let judged = observe::health::health(&app);
    let status = match judged.ready {
        Ready::Yes => "ready",
        Ready::Degraded => "degraded",
        Ready::No => "notReady",
    };
    Ok(Stated::new(judged.ready != Ready::No, status, shown(judged)))
}

pub(in crate::http) async fn health(app: Arc<App>, _: Anyone) -> Answered<Stated> {
    let judged = observe::health::health(&app);
    let is_well = judged.troubles.is_empty();
    Ok(Stated::new(is_well, if is_well { "healthy" } else { "unhealthy" }, shown(judged)))
}

fn shown(judged: Judged) -> Vec<Trouble> {
    let shown =
        |trouble: decide::health::Trouble| Trouble { code: trouble.code.to_owned(), count: trouble.count };
    judged.troubles.into_iter().map(shown).collect()
}

pub(in crate::http) async fn metrics(app: Arc<App>, _: Granted<MetricsRead>) -> Answered<Page> {
    Ok(Page { kind: observe::page::KIND, body: observe::page::page(&app).await })
}

pub(in crate::http) async fn system(app: Arc<App>, _: Granted<SystemRead>) -> Answered<Found<System>> {
    let term = app.store.term().await?;
    let servers = app.store.servers(app.now() - SILENT).await?;
    let servers = servers.into_iter().map(|server| ControlServer {
        leads: server.id == term.holder,
        answers: server.id == app.id,
        id: server.id,
        host: server.host,
        address: server.address,
        version: server.version,
        started_at: At(server.started),
        seen_at: At(server.seen),
    });
    Ok(Found::new(System {
        servers: servers.collect(),
        term: term.term,
        term_since: At(term.taken),
        leader: term.holder,
        seq: app.catalogue.seq(),
    }))
}

pub(in crate::http) async fn doctor(app: Arc<App>, _: Granted<SystemRead>) -> Answered<Found<List<Finding>>> {
    Ok(Found::new(examine(&Patient::of_app(&app)).await.into_iter().collect()))
}

pub(in crate::http) async fn config(app: Arc<App>, _: Granted<SystemRead>) -> Answered<Found<List<Setting>>> {
    Ok(Found::new(app.config.said.iter().map(Setting::from).collect()))
}

pub(in crate::http) async fn version(_: Arc<App>, anyone: Anyone) -> Answered<Found<Program>> {
    let name = "clockwright".to_owned();
    if !anyone.is_known {
        return Ok(Found::new(Program { name, version: None, commit: None, databases: Vec::new() }));
    }
    let databases =
        [("sqlite", true), ("postgresql", cfg!(feature = "postgres")), ("mysql", cfg!(feature = "mysql"))];
    Ok(Found::new(Program {
        name,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        commit: option_env!("CLOCKWRIGHT_COMMIT").filter(|commit| !commit.is_empty()).map(str::to_owned),
        databases: databases.iter().filter(|(_, built)| *built).map(|(name, _)| (*name).to_owned()).collect(),
    }))
}

/// A page that is the same for everybody.
pub(in crate::http) struct Page {
    kind: &'static str,
    body: String,
}

impl Answer for Page {
    fn render(self) -> Rendered {
        Rendered { kind: self.kind.to_owned(), body: self.body, ..Rendered::empty(StatusCode::OK) }
    }

    fn describe(operation: &mut Operation) {
        operation.answers_nothing(200, "the page");
    }
}

pub(in crate::http) async fn document(_: Arc<App>, _: Anyone) -> Answered<Page> {
    Ok(Page { kind: "application/json", body: reference::openapi().to_owned() })
}

#[derive(Debug, Deserialize, IntoParams)]
pub(in crate::http) struct TheCode {
    /// The code.
    code: String,
}

pub(in crate::http) async fn problem(
    _: Arc<App>,
    _: Anyone,
    Named(TheCode { code }): Named<TheCode>,
) -> Answered<Page> {
    let Some(known) = Code::named(&code) else {
        let problem = Problem::new(Code::NotFound, format!("there is no problem `{code}`"));
        return Err(problem.near(&code, Code::ALL.iter().map(|code| code.name())).into());
    };
    Ok(Page { kind: "text/html; charset=utf-8", body: reference::problem(known) })
}
