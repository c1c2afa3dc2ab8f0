//! HTTP jobs: one request per item.
//!
//! The request carries the context as JSON in the header `shardingContext`, as Elastic-Job 3.x does, and what that does not
//! say in `Clockwright-Fire-Time` (epoch milliseconds), `Clockwright-Attempt`, `Clockwright-Run-Id` and
//! `Clockwright-Token`. Header values are ASCII, so other characters are written as JSON escapes (`\u4e2d`).
//!
//! A status below 400 is a success; 400 and above is a failure, unlike in Elastic-Job, which only logs it. The answer is read to its end,
//! however long it is: a server that still writes still works. It is handed on as it comes; text in another character set than UTF-8, named
//! in the answer's content type, is translated.
//!
//! A **redirect** is followed for GET and HEAD, which only ask, at most [`HOPS`] times, never from `https` to `http`, and without
//! credentials when it leads to another host. Any other method would do its work at a place that nobody approved, or lose its body on
//! the way, so its redirect is a failure that names the place. `http.redirect` chooses otherwise.
//!
//! **Each request has a connection of its own.** One that is left open for the next fire may be closed by the server in the very moment
//! in which the next request is sent on it; whether the server has done what that asked for, nobody knows then, so it could not
//! simply be sent again.
//!
//! Proxies that the environment names are not used. When a run is stopped, the connection is closed; whether the other side notices is
//! up to it.

use crate::function::{CancelSignal, hold, millis};
use crate::{Control, Output, RunEnd, RunResult, RunSpec, Runtime, Stream, limits};
use async_trait::async_trait;
use clockwright_model::{FailureKind, Reason, ShardContext};
use clockwright_settings::HttpSettings;
use clockwright_settings::http::Redirect;
use clockwright_tls::Files;
use encoding_rs::{Decoder, Encoding, UTF_8};
use reqwest::header::{CONNECTION, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::time::Instant;

/// How many redirects are followed, one after the other.
const HOPS: usize = 10;
/// How much of an answer is looked at for its first line, bytes.
const LOOKED_AT: usize = 4 << 10;
/// How much of an answer's first line is quoted in the reason of a failure, characters.
const QUOTED: usize = 200;
/// The methods that may carry `http.data`.
const WITH_BODY: [Method; 4] = [Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// Sends one request per item.
pub struct HttpRuntime {
    settings: HttpSettings,
    /// Made when it is first needed, and shared by all runs.
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
                .redirect(if self.follows() { Policy::custom(follow) } else { Policy::none() })
                .no_proxy()
                .pool_max_idle_per_host(0)
                .connect_timeout(millis(self.settings.connect_timeout))
                .read_timeout(millis(self.settings.read_timeout));
            let named = self.settings.tls_ca.clone().or_else(clockwright_tls::of_the_process);
            if named.is_some() && self.settings.uri.scheme() == "https" {
                let trusted = Files { ca: named, ..Files::default() }.client().map_err(|error| {
                    format!("{error}; http.tls.ca, or the variable SSL_CERT_FILE, must name a PEM file of certificates")
                })?;
                return builder.tls_backend_preconfigured(trusted).build().map_err(|error| causes(&error));
            }
            // A machine without certificates can make plain requests; loading them would fail there.
            let builder =
                if self.settings.uri.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
            builder.build().map_err(|error| causes(&error))
        });
        client.as_ref().map_err(|error| Failure::start(format!("cannot set up an HTTP client: {error}")))
    }

    fn follows(&self) -> bool {
        match self.settings.redirect {
            Redirect::Always => true,
            Redirect::Never => false,
            Redirect::Safe => [Method::GET, Method::HEAD].contains(&self.settings.method),
        }
    }

    /// Sends the request and reads the answer.
    async fn request(&self, context: &ShardContext, output: &Output) -> Result<(), Failure> {
        let settings = &self.settings;
        let mut request = self
            .client()?
            .request(settings.method.clone(), settings.uri.clone())
            .header(CONNECTION, "close")
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
        let mut response = self.send(request).await.map_err(|error| self.failure(&error))?;
        let quote = read(&mut response, output).await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        if let Some(place) = sent_on(&response) {
            let reason = Reason::HttpSentOn { place: self.place(), status: status.to_string(), to: place };
            return Err(Failure { kind: FailureKind::Job, reason });
        }
        if status.is_client_error() || status.is_server_error() {
            let reason = Reason::HttpStatus { place: self.place(), status: status.to_string(), text: quote };
            return Err(Failure { kind: FailureKind::Job, reason });
        }
        Ok(())
    }

    /// Sends a request. Where the system has no room for one more connection, it waits for others to end.
    async fn send(&self, mut request: RequestBuilder) -> Result<Response, reqwest::Error> {
        let deadline = Instant::now() + limits::ROOM;
        loop {
            let again = request.try_clone();
            let answer = request.send().await;
            // One that was sent on has been carried out by whoever did so.
            let unsent =
                |error: &reqwest::Error| error.is_connect() && error.url() == Some(&self.settings.uri);
            match (answer, again) {
                (Err(error), Some(again))
                    if unsent(&error) && shortage(&error).is_some() && Instant::now() < deadline =>
                {
                    tokio::time::sleep(limits::LOOK).await;
                    request = again;
                }
                (answer, _) => return answer,
            }
        }
    }

    /// Where the request goes, without the secrets that a URI may carry.
    fn place(&self) -> String {
        format!("{} {}", self.settings.method, address(&self.settings.uri))
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let place = self.place();
        let (kind, reason) = match (error.is_connect(), error.is_timeout()) {
            (true, true) => (
                FailureKind::Start,
                Reason::HttpConnectTimeout { place, limit: self.settings.connect_timeout },
            ),
            (true, false) => {
                let mut text = causes(error);
                if text.contains("peer certificate") {
                    text.push_str(
                        "; http.tls.ca names a file of the certificates that are trusted, such as this server's own",
                    );
                }
                if let Some(shortage) = shortage(error) {
                    text.push_str("; ");
                    text.push_str(shortage);
                }
                (FailureKind::Start, Reason::HttpNoConnection { place, text })
            }
            (false, true) => {
                (FailureKind::Timeout, Reason::HttpReadTimeout { place, limit: self.settings.read_timeout })
            }
            (false, false) => (FailureKind::Job, Reason::HttpBroken { place, text: causes(error) }),
        };
        Failure { kind, reason }
    }
}

#[async_trait]
impl Runtime for HttpRuntime {
    async fn run(&self, spec: RunSpec, control: Control) -> RunEnd {
        let signal = CancelSignal::new(&control);
        let failure = Mutex::new(None);
        let output = control.output.clone();
        let work = async {
            let answer = self.request(&spec.context, &output).await;
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = answer.err();
            Ok(())
        };
        // A request cannot be asked to hurry, so a stop closes the connection at once.
        let end = hold(work, &signal, spec.timeout, 0, control).await;
        match (end.result, failure.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            (RunResult::Succeeded, Some(Failure { kind, reason })) => {
                RunEnd::silent(RunResult::Failed { kind, reason })
            }
            (result, _) => RunEnd::silent(result),
        }
    }
}

/// Why a request did not succeed.
struct Failure {
    kind: FailureKind,
    reason: Reason,
}

impl Failure {
    fn start(text: String) -> Self {
        Self { kind: FailureKind::Start, reason: Reason::NotStarted { text } }
    }
}

/// What the system has no room for, if that is behind an error.
fn shortage(error: &(dyn Error + 'static)) -> Option<&'static str> {
    error.downcast_ref().and_then(limits::shortage).or_else(|| shortage(error.source()?))
}

/// Whether one more redirect is followed.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let came_from = attempt.previous().last();
    if attempt.previous().len() > HOPS {
        let reason = format!("sent on more than {HOPS} times, the last time to {}", address(attempt.url()));
        attempt.error(reason)
    } else if came_from.is_some_and(|from| from.scheme() == "https") && attempt.url().scheme() != "https" {
        let reason =
            format!("sent on from https to {}, which anybody can read on the way", address(attempt.url()));
        attempt.error(reason)
    } else {
        attempt.follow()
    }
}

/// Where an answer sends on to, if it does.
fn sent_on(response: &Response) -> Option<String> {
    if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
        return None;
    }
    let place = String::from_utf8_lossy(response.headers().get(LOCATION)?.as_bytes()).into_owned();
    Some(response.url().join(&place).map_or(place, |url| address(&url)))
}

/// A URI without the secrets that it may carry.
fn address(uri: &Url) -> String {
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", uri.scheme(), uri.host_str().unwrap_or_default(), uri.path())
}

/// Hands the body on as it comes, to its end, and returns its first line, as far as it is quoted.
async fn read(response: &mut Response, output: &Output) -> Result<String, reqwest::Error> {
    let mut decoder = charset(response.headers()).map(Encoding::new_decoder);
    let mut first = Vec::new();
    loop {
        let piece = response.chunk().await?;
        let text = decoder.as_mut().map(|decoder| decode(decoder, piece.as_deref()));
        let bytes = text.as_deref().map(str::as_bytes).or(piece.as_deref()).unwrap_or_default();
        first.extend_from_slice(&bytes[..bytes.len().min(LOOKED_AT - first.len())]);
        output.print(Stream::Out, bytes);
        if piece.is_none() {
            break;
        }
    }
    let first = String::from_utf8_lossy(&first);
    let line = first.lines().map(str::trim).find(|line| !line.is_empty());
    Ok(line.unwrap_or_default().chars().take(QUOTED).collect())
}

/// In what a text is written that is not in UTF-8, if its sender says so.
fn charset(headers: &HeaderMap) -> Option<&'static Encoding> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let label = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })?;
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != UTF_8)
}

/// Translates the next piece of a text; without one, what is left of the last.
fn decode(decoder: &mut Decoder, piece: Option<&[u8]>) -> String {
    let bytes = piece.unwrap_or_default();
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len());
    let mut text = String::with_capacity(room);
    let _ = decoder.decode_to_string(bytes, &mut text, piece.is_none());
    text
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
