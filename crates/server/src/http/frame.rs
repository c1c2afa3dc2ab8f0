//! What happens to every request before and after its handler.
//!
//! | step | refused with |
//! |---|---|
//! | an id; the server serves, and not too many requests are under way | `starting`, `busy` |
//! | the address is not too long | `bad-request` |
//! | each parameter behind the `?` is one that the route knows | `unknown-parameter` |
//! | the body is read whole, within its limit and time | `too-large`, `bad-request` |
//! | the server has seen what the client has (`Clockwright-Min-Seq`) | `bad-request`, `behind` |
//! | who it is: a session's cookie or a token; nobody yet asks what they may | |
//! | a change that comes by a cookie comes from our own pages | `cross-site` |
//! | nobody asks too often | `rate-limited` |
//! | a key that was used before is answered as it was then | `idempotency-mismatch`, `request-in-progress` |
//! | the handler: grant, parts, work | its own |
//!
//! Whatever happens, the answer has the request's id, the journal's number, and headers that let no page of another site use it. A
//! handler that panics or takes too long is a problem like any other, and its work stays undone or done, never half done: that is the
//! transaction's part.

use crate::app::App;
use crate::decide::chain::sha256;
use crate::http::answer::Rendered;
use crate::http::ask::Ask;
use crate::http::grant::Key;
use crate::http::limit::{Counted, Told};
use crate::http::refusal::{Answered, Refusal};
use crate::identity::{self, Door};
use crate::observe::names::{HTTP_REQUESTS, HTTP_SECONDS, RATE_LIMITED};
use crate::observe::trace::{self, TARGET};
use crate::store;
use axum::body::Body;
use axum::extract::Request;
use clockwright_api::{Code, Problem, paths};
use futures::FutureExt;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, Method, Response, Uri};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing::{Instrument, trace_span};

/// What is answered also when there is no room: who is busy is not to be taken for dead and started anew.
const PROBES: [&str; 4] = [paths::LIVEZ, paths::READYZ, paths::HEALTHZ, paths::HEALTH];
/// Longest time of a request, from its first byte to its answer.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest address, bytes.
const LONGEST_ADDRESS: usize = 8 << 10;
/// How long a request waits for what its sender has seen elsewhere.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Serves one request by `call`.
pub(super) async fn serve<C, F>(
    app: Arc<App>,
    pattern: &'static str,
    names: BTreeMap<String, String>,
    takes: Arc<Takes>,
    request: Request,
    call: C,
) -> Response<Body>
where
    C: FnOnce(Ask) -> F,
    F: Future<Output = Answered<Response<Body>>>,
{
    let id = uuid::Uuid::now_v7().to_string();
    let method = request.method().clone();
    let began = Instant::now();
    let mut told = None;
    let row = Row { pattern, names, takes: &takes };
    let span = trace_span!(
        target: TARGET,
        "http",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = pattern,
        http.response.status_code = Empty,
        clockwright.request = id,
    );
    trace::follow(&span, trace::said(request.headers()));
    let work = answer(Arc::clone(&app), id.clone(), row, request, &mut told, call).instrument(span.clone());
    let work = AssertUnwindSafe(tokio::time::timeout(LONGEST, work)).catch_unwind();
    let answered = match work.await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) => Err(Problem::new(Code::UnknownOutcome, "the request took longer than 30 s").into()),
        Err(_) => Err(Problem::new(Code::Internal, "the server failed at this request").into()),
    };
    let (response, code) = match answered {
        Ok(response) => (response, None),
        Err(Refusal::Replay(rendered)) => {
            let mut response = rendered.response();
            response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            (response, None)
        }
        Err(Refusal::Problem(problem)) => {
            let code = problem.code.clone();
            (refuse(problem, &id), Some(code))
        }
    };
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    app.metrics.count(&HTTP_REQUESTS, &[pattern, method.as_str(), response.status().as_str()]);
    app.metrics.took(&HTTP_SECONDS, &[pattern], began.elapsed());
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
        tracing::warn!(request = id, %method, route = pattern, status, code, "a request failed");
    } else {
        tracing::debug!(request = id, %method, route = pattern, status, code, "a request was answered");
    }
    let mut response = dress(response, &id, &app);
    if let Some(told) = told {
        told.tell(response.headers_mut());
    }
    response
}

/// The row of the table that a request is for, and what stands in its address where the pattern has names.
struct Row<'a> {
    pattern: &'static str,
    names: BTreeMap<String, String>,
    takes: &'a Takes,
}

/// What a route takes.
#[derive(Debug)]
pub(super) struct Takes {
    /// The parameters that it knows.
    pub(super) parameters: Vec<String>,
    /// The largest body, bytes.
    pub(super) largest: usize,
}

async fn answer<C, F>(
    app: Arc<App>,
    id: String,
    row: Row<'_>,
    request: Request,
    told: &mut Option<Told>,
    call: C,
) -> Answered<Response<Body>>
where
    C: FnOnce(Ask) -> F,
    F: Future<Output = Answered<Response<Body>>>,
{
    let Row { pattern, names, takes: Takes { parameters: known, largest } } = row;
    let room = app.room();
    if room.is_none() && !PROBES.contains(&pattern) {
        app.metrics.count(&RATE_LIMITED, &["busy"]);
        return Err(Problem::new(Code::Busy, "too many requests are under way").retry(1).into());
    }
    let peer = identity::peer(&request);
    let (parts, body) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|address| address.as_str().len() > LONGEST_ADDRESS) {
        let detail = format!("the address has more than {LONGEST_ADDRESS} bytes");
        return Err(Problem::new(Code::BadRequest, detail).into());
    }
    let query = parameters(parts.uri.query().unwrap_or_default(), known)?;
    let body = axum::body::to_bytes(body, *largest).await.map_err(|error| {
        let text = error.to_string();
        if text.contains("length limit") {
            Problem::new(Code::TooLarge, format!("the body has more than {largest} bytes"))
                .with("limit", largest)
        } else {
            Problem::new(Code::BadRequest, format!("the body ended early: {text}"))
        }
    })?;
    // Before rights are asked for: they too are to be those that the client has seen.
    catch_up(&app, &parts.headers).await?;
    let ip = app.config.client(peer, &parts.headers);
    let door = app.identity.open(&app, &parts.headers, ip).await?;
    if let Door::In(visitor) = &door
        && visitor.principal.scope.is_none()
        && parts.method != Method::GET
    {
        app.config.same_origin(&parts.headers)?;
    }
    let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
    let looks = method == Method::GET;
    let key = if matches!(door, Door::In(_)) { key(&method, &uri, &headers, pattern, &body)? } else { None };
    let ask = Ask { app: Arc::clone(&app), id, method, uri, headers, names, query, body, ip, door, key };
    if let Door::In(visitor) = &ask.door {
        let who = &visitor.principal.id;
        let counted = if ask.method == Method::GET { Counted::Read } else { Counted::Change };
        let (allowed, standing) = ask.app.limits.take(who, counted, &ask.app.config, ask.app.now());
        *told = Some(standing);
        allowed?;
        if let Some(key) = &ask.key {
            ask.app.replay(who, key).await?;
        }
    }
    if !looks {
        return call(ask).await;
    }
    let (answered, read) = store::and_read(call(ask)).await;
    let mut response = answered?;
    if read {
        note_newest(&app, &mut response).await;
    }
    Ok(response)
}

/// What was read in the database may be newer than what this server knows of the journal: whoever has seen it is shown nothing older elsewhere.
async fn note_newest(app: &App, response: &mut Response<Body>) {
    if let Ok((seq, _)) = app.store.head().await {
        let newest = || seq.max(app.catalogue.seq()).into();
        response.headers_mut().entry("clockwright-seq").or_insert_with(newest);
    }
}

/// The idempotency key, if there is one.
fn key(method: &Method, uri: &Uri, headers: &HeaderMap, pattern: &str, body: &[u8]) -> Answered<Option<Key>> {
    if *method != Method::POST {
        return Ok(None);
    }
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 100 || !text.chars().all(|letter| letter.is_ascii_graphic()) {
        let detail = "Idempotency-Key has 1 to 100 visible characters without spaces";
        return Err(Problem::new(Code::BadRequest, detail).into());
    }
    let address = uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let all = [address.as_bytes(), &[0], body].concat();
    let route = format!("POST {}", pattern.trim_start_matches("/api/v1"));
    Ok(Some(Key { text: text.to_owned(), route, body: sha256(&all) }))
}

/// The parameters behind the `?`, of which the route knows each.
fn parameters(query: &str, known: &[String]) -> Answered<Vec<(String, String)>> {
    let given: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (name, _) in &given {
        if known.contains(name) {
            continue;
        }
        let problem = Problem::new(Code::UnknownParameter, format!("`{name}` is no parameter here"));
        return Err(match clockwright_model::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => problem.fix(format!("did you mean `{near}`?")),
            None => problem.with("knows", known),
        }
        .into());
    }
    Ok(given)
}

/// Waits until this server has seen what the client has.
async fn catch_up(app: &App, headers: &HeaderMap) -> Answered<()> {
    let Some(header) = headers.get("clockwright-min-seq") else { return Ok(()) };
    let wanted = header.to_str().ok().and_then(|text| text.parse::<i64>().ok());
    let wanted = wanted.ok_or_else(|| Problem::new(Code::BadRequest, "Clockwright-Min-Seq is no number"))?;
    if tokio::time::timeout(CATCH_UP, app.catalogue.reached(wanted)).await.is_err() {
        let detail = format!("this server has seen the journal up to {}, not {wanted}", app.catalogue.seq());
        return Err(Problem::new(Code::Behind, detail).retry(1).into());
    }
    Ok(())
}

/// A problem that is told before any route is asked.
#[must_use]
pub fn alone(app: &App, problem: Problem) -> Response<Body> {
    let id = uuid::Uuid::now_v7().to_string();
    let response = refuse(problem, &id);
    // What stands in such an address, or as its method, is up to whoever sends it.
    app.metrics.count(&HTTP_REQUESTS, &["none", "any", response.status().as_str()]);
    dress(response, &id, app)
}

/// A problem as a response.
#[must_use]
pub fn refuse(mut problem: Problem, id: &str) -> Response<Body> {
    id.clone_into(&mut problem.instance);
    let status =
        http::StatusCode::from_u16(problem.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Rendered::json(status, &problem).response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if problem.status == 401 {
        response
            .headers_mut()
            .insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"clockwright\""));
    }
    response
}

/// What a page of ours may have: its own scripts, styles, pictures and answers, and nothing from elsewhere or in line. What makes code of text takes it from
/// the console's one policy.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                          worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'; \
                          require-trusted-types-for 'script'; trusted-types clockwright";

/// The headers by which no page of another site gets hold of an answer.
#[must_use]
pub fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// The headers that every answer has.
#[must_use]
pub fn dress(response: Response<Body>, id: &str, app: &App) -> Response<Body> {
    let mut response = guarded(response);
    let headers = response.headers_mut();
    if app.config.is_secure() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("clockwright-request", id);
    }
    headers.entry("clockwright-seq").or_insert_with(|| app.catalogue.seq().into());
    response
}
