//! HTTP jobs: one request per item.
//!
//! The request carries the context as JSON in the header `shardingContext`, as Elastic-Job 3.x does, and what that does not
//! say in `Clockwright-Fire-Time` (epoch milliseconds), `Clockwright-Attempt`, `Clockwright-Run-Id` and
//! `Clockwright-Token`. Header values are ASCII, so other characters are written as JSON escapes (`\u4e2d`).
//!
//! A status below 400 is a success; 400 and above is a failure, unlike in Elastic-Job, which only logs it. Redirects are
//! not followed: a redirect is an answer, and the place it names was approved by nobody. Proxies that the environment
//! names are not used either. When a run is stopped, the connection is closed; whether the other side notices is up to it.

use crate::function::{CancelSignal, hold, millis};
use crate::output::Kept;
use crate::{Control, Output, RunEnd, RunResult, RunSpec, Runtime};
use async_trait::async_trait;
use clockwright_model::{FailureKind, Reason, ShardContext};
use clockwright_settings::HttpSettings;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Response};
use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

/// No more of an answer is read, bytes.
const MAX_BODY: usize = 1 << 20;
/// How much of an answer's beginning is kept as the run's output, and as much of its end, bytes.
const KEPT: usize = 16 << 10;
/// How much of an answer's first line is quoted in the reason of a failure, characters.
const QUOTED: usize = 200;
/// The methods that may carry `http.data`.
const WITH_BODY: [Method; 4] = [Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// Sends one request per item.
pub struct HttpRuntime {
    settings: HttpSettings,
    /// Made when it is first needed, and shared by all runs, so that they share connections.
    client: OnceLock<Result<Client, String>>,
}

impl HttpRuntime {
    /// A runtime for one HTTP job.
    #[must_use]
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client, Failure> {
        let client = self.client.get_or_init(|| {
            let builder = Client::builder()
                .user_agent(concat!("Clockwright/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .connect_timeout(millis(self.settings.connect_timeout))
                .read_timeout(millis(self.settings.read_timeout));
            // A machine without certificates can make plain requests; loading them would fail there.
            let builder =
                if self.settings.uri.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
            builder.build().map_err(|error| causes(&error))
        });
        client.as_ref().map_err(|error| Failure::start(format!("cannot set up an HTTP client: {error}")))
    }

    /// Sends the request and reads the answer.
    async fn request(&self, context: &ShardContext) -> Result<Output, Failure> {
        let settings = &self.settings;
        let mut request = self
            .client()?
            .request(settings.method.clone(), settings.uri.clone())
            .header("shardingContext", ascii(&context.to_json()))
            .header("Clockwright-Fire-Time", context.fire.time())
            .header("Clockwright-Attempt", context.attempt)
            .header("Clockwright-Run-Id", context.run_id.to_string())
            .header("Clockwright-Token", context.token);
        if let Some(data) = settings.data.as_ref().filter(|_| WITH_BODY.contains(&settings.method)) {
            request = request.body(data.clone());
            if let Some(content_type) = &settings.content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
        }
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let (body, more) = read(&mut response).await.map_err(|error| self.failure(&error))?;
        let text = String::from_utf8_lossy(&body);
        let mut kept = Kept::new(KEPT, KEPT);
        text.lines().for_each(|line| kept.push(line.to_owned()));
        let output = kept.finish(more);
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let first = text.lines().map(str::trim).find(|line| !line.is_empty());
            let text = first.into_iter().flat_map(|line| line.chars().take(QUOTED)).collect();
            let reason = Reason::HttpStatus { place: self.place(), status: status.to_string(), text };
            return Err(Failure { kind: FailureKind::Job, reason, output });
        }
        Ok(output)
    }

    /// Where the request goes, without the secrets that a URI may carry.
    fn place(&self) -> String {
        let uri = &self.settings.uri;
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!(
            "{} {}://{}{port}{}",
            self.settings.method,
            uri.scheme(),
            uri.host_str().unwrap_or_default(),
            uri.path()
        )
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let place = self.place();
        let (kind, reason) = match (error.is_connect(), error.is_timeout()) {
            (true, true) => (
                FailureKind::Start,
                Reason::HttpConnectTimeout { place, limit: self.settings.connect_timeout },
            ),
            (true, false) => (FailureKind::Start, Reason::HttpNoConnection { place, text: causes(error) }),
            (false, true) => {
                (FailureKind::Timeout, Reason::HttpReadTimeout { place, limit: self.settings.read_timeout })
            }
            (false, false) => (FailureKind::Job, Reason::HttpBroken { place, text: causes(error) }),
        };
        Failure { kind, reason, output: Output::default() }
    }
}

#[async_trait]
impl Runtime for HttpRuntime {
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd {
        let signal = CancelSignal::new(&control);
        let answer = Mutex::new(None);
        let work = async {
            let got = self.request(&spec.context).await;
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(got);
            Ok(())
        };
        // A request cannot be asked to hurry, so a stop closes the connection at once.
        let end = hold(work, &signal, spec.timeout, 0, control).await;
        match (end.result, answer.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            (RunResult::Succeeded, Some(Ok(output))) => RunEnd::with(RunResult::Succeeded, output),
            (RunResult::Succeeded, Some(Err(Failure { kind, reason, output }))) => {
                RunEnd::with(RunResult::Failed { kind, reason }, output)
            }
            (result, _) => RunEnd::silent(result),
        }
    }
}

/// Why a request did not succeed.
struct Failure {
    kind: FailureKind,
    reason: Reason,
    output: Output,
}

impl Failure {
    fn start(text: String) -> Self {
        Self { kind: FailureKind::Start, reason: Reason::NotStarted { text }, output: Output::default() }
    }
}

/// Reads the body as far as it is wanted, and says how many more bytes are known to have come.
async fn read(response: &mut Response) -> Result<(Vec<u8>, u64), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Ok((body, (piece.len() - room) as u64));
        }
    }
    Ok((body, 0))
}

/// Writes JSON so that it may stand in a header: characters outside of printable ASCII become escapes.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("writing to a string does not fail");
            }
        }
    }
    out
}

/// The innermost causes are what people need; the outer ones only say that a request failed, and quote the whole URI.
fn causes(error: &reqwest::Error) -> String {
    let mut all = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        all.push(cause.to_string());
        next = cause.source();
    }
    all.pop()
        .unwrap_or_else(|| if error.is_builder() { "it cannot be built".into() } else { "it failed".into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn headers_stay_ascii_and_mean_the_same() {
        let text = "{\"a\":\"Zürich 日 🦀 \u{7f}\"}";
        let escaped = ascii(text);
        assert!(HeaderValue::from_str(&escaped).is_ok() && escaped.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }
}
