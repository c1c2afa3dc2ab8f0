//! The REST interface: what happens to every request ([`frame`]), what a handler can ask for and answer ([`grant`], [`parts`], [`answer`]),
//! and the table of routes ([`routes`]).

pub mod answer;
pub mod ask;
pub mod files;
pub mod frame;
pub mod grant;
pub mod json;
pub mod limit;
pub mod openapi;
pub mod parts;
pub mod reference;
pub mod refusal;
pub mod route;
pub mod routes;
pub(crate) mod v1;

use crate::app::App;
use axum::Router;
use axum::extract::{Request, State};
use clockwright_api::{Code, Problem};
use std::sync::Arc;

/// The whole interface as one service: its routes, and a problem for whatever is none of them.
pub fn service(app: Arc<App>) -> Router {
    let (router, _) = routes::router();
    router.fallback(no_route).method_not_allowed_fallback(no_method).with_state(app)
}

async fn no_route(State(app): State<Arc<App>>, request: Request) -> axum::response::Response {
    let detail = format!("there is no `{}`", request.uri().path());
    frame::alone(&app, Problem::new(Code::NotFound, detail))
}

async fn no_method(State(app): State<Arc<App>>, request: Request) -> axum::response::Response {
    let detail = format!("`{}` does not take {}", request.uri().path(), request.method());
    frame::alone(&app, Problem::new(Code::MethodNotAllowed, detail))
}
