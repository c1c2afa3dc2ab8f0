//! The REST interface: what happens to every request ([`frame`]), what a handler can ask for and answer ([`grant`], [`parts`], [`answer`]),
//! and the table of routes ([`routes`]).

pub mod answer;
pub mod ask;
mod console;
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
use crate::http::answer::Answer;
use crate::http::v1::system::Stated;
use crate::observe::names::HTTP_REQUESTS;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use clockwright_api::system::Trouble;
use clockwright_api::{Code, Problem, paths};
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, StatusCode, Version};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// The whole interface as one service: its routes, and a problem for whatever is none of them.
pub fn service(app: Arc<App>) -> Router {
    let (router, _) = routes::router();
    let prefix = app.config.prefix().to_owned();
    let console = Arc::new(console::Console::built(&prefix));
    let fallback = move |State(app): State<Arc<App>>, request: Request| {
        let console = Arc::clone(&console);
        async move { no_route(&app, &console, &request) }
    };
    let router = router.fallback(fallback).method_not_allowed_fallback(no_method).with_state(app);
    // A proxy may take the path of its host away, or pass it on.
    let router = if prefix.is_empty() {
        router
    } else {
        Router::new().nest(&prefix, router.clone()).fallback_service(router)
    };
    router.layer(smaller())
}

/// What is behind the socket: nothing until everything is loaded, then the whole interface. A balancer is told to wait, and whoever watches over the
/// process that it lives, while a large database is migrated.
pub(crate) fn door(inside: Arc<OnceLock<Router>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let inside = inside.get().cloned();
        async move {
            match inside {
                Some(router) => router.oneshot(request).await.into_response(),
                None => starting(request.uri().path()),
            }
        }
    })
}

fn starting(path: &str) -> Response {
    let not_yet =
        |status| Stated::new(false, status, vec![Trouble { code: "starting".to_owned(), count: 1 }]);
    let stated = match path {
        paths::LIVEZ => Stated::new(true, "alive", Vec::new()),
        paths::READYZ => not_yet("notReady"),
        paths::HEALTHZ | paths::HEALTH => not_yet("unhealthy"),
        _ => {
            let problem = Problem::new(Code::Starting, "the server has not loaded yet").retry(1);
            return frame::guarded(frame::refuse(problem, &uuid::Uuid::now_v7().to_string()));
        }
    };
    frame::guarded(stated.render().response())
}

/// The metrics alone, for whoever reaches them.
pub(crate) fn open_metrics(app: Arc<App>) -> Router {
    let page = async |State(app): State<Arc<App>>| {
        let page = crate::observe::page::page(&app).await;
        frame::guarded(([(CONTENT_TYPE, crate::observe::page::KIND)], page).into_response())
    };
    let other = async || {
        let problem = Problem::new(Code::NotFound, "only /metrics is answered here");
        frame::guarded(frame::refuse(problem, &uuid::Uuid::now_v7().to_string()))
    };
    Router::new().route(paths::METRICS, axum::routing::get(page)).fallback(other).with_state(app)
}

/// Makes answers smaller for who asks for it. Those stay as they are that hold a secret, for their length would tell of it beside what its sender can choose,
/// and those that are read as they come.
fn smaller() -> CompressionLayer<impl Predicate> {
    let may = |_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions| {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_text = ["application/json", "application/problem+json", "text/plain", "text/html"];
        is_text.iter().any(|text| kind.starts_with(text)) && extensions.get::<answer::HoldsSecret>().is_none()
    };
    // What saves most of the bytes for little time.
    let quality = CompressionLevel::Precise(4);
    CompressionLayer::new().quality(quality).compress_when(SizeAbove::new(SMALL).and(may))
}

/// Answers of fewer bytes gain nothing.
const SMALL: u16 = 1_024;

/// What no route takes: a page or a file of the console, else nothing that there is.
fn no_route(app: &App, console: &console::Console, request: &Request) -> Response {
    let path = request.uri().path();
    match console.answer(request.method(), path, request.headers()) {
        Some(answer) => {
            app.metrics.count(&HTTP_REQUESTS, &["console", "GET", answer.status().as_str()]);
            frame::dress(answer, &uuid::Uuid::now_v7().to_string(), app)
        }
        None => frame::alone(app, Problem::new(Code::NotFound, format!("there is no `{path}`"))),
    }
}

async fn no_method(State(app): State<Arc<App>>, request: Request) -> axum::response::Response {
    let detail = format!("`{}` does not take {}", request.uri().path(), request.method());
    frame::alone(&app, Problem::new(Code::MethodNotAllowed, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[tokio::test]
    async fn a_server_that_loads_lives_and_is_not_ready() {
        let inside = Arc::new(OnceLock::new());
        let door = door(Arc::clone(&inside));
        let ask = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).expect("it is a request");
            let response = door.clone().oneshot(request).await.expect("it answers");
            let guarded = response.headers().contains_key("content-security-policy");
            (response.status().as_u16(), guarded)
        };
        for (path, status) in [("/livez", 200), ("/readyz", 503), ("/healthz", 503), ("/api/v1/jobs", 503)] {
            assert_eq!(ask(path).await, (status, true), "{path}");
        }
        let page = Router::new().fallback(async || StatusCode::IM_A_TEAPOT);
        assert!(inside.set(page).is_ok());
        assert_eq!(ask("/readyz").await.0, 418);
    }
}
