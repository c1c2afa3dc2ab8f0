//! What everybody may ask of a server: is it alive, may it be sent requests, which program is it.

use crate::app::App;
use crate::http::answer::{Answer, Found, Rendered};
use crate::http::grant::Anyone;
use crate::http::openapi::Operation;
use crate::http::parts::Named;
use crate::http::reference;
use crate::http::refusal::Answered;
use clockwright_api::system::{Health, Program};
use clockwright_api::{Code, Problem};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

pub(in crate::http) async fn alive(_: Arc<App>, _: Anyone) -> Answered<Found<Health>> {
    Ok(Found::new(Health { status: "alive".to_owned() }))
}

pub(in crate::http) async fn ready(app: Arc<App>, _: Anyone) -> Answered<Found<Health>> {
    // Lists go on without the database, and a balancer has nothing better to turn to.
    let status = if app.store.head().await.is_ok() { "ready" } else { "degraded" };
    Ok(Found::new(Health { status: status.to_owned() }))
}

pub(in crate::http) async fn version(_: Arc<App>, _: Anyone) -> Answered<Found<Program>> {
    Ok(Found::new(Program { name: "clockwright".to_owned() }))
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
