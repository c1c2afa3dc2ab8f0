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
use clockwright_model::{FailureKind, Millis, SettingsError, ShardContext};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Response, Url};
use std::collections::BTreeMap;
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

/// Where a request goes and what it carries; the `http.*` properties of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// `http.uri`: `http://…` or `https://…`.
    pub uri: Url,
    /// `http.method`.
    pub method: Method,
    /// `http.data`: the body; sent with POST, PUT, DELETE and PATCH only.
    pub data: Option<String>,
    /// `http.content.type` of the body.
    pub content_type: Option<HeaderValue>,
    /// `http.connect.timeout.milliseconds`: the longest wait for a connection; 3,000 unless set.
    pub connect_timeout: Millis,
    /// `http.read.timeout.milliseconds`: the longest wait for the next piece of the answer; 5,000 unless set.
    pub read_timeout: Millis,
}

impl HttpSettings {
    /// Reads the settings from a job's properties; those that do not begin with `http.` are somebody else's.
    ///
    /// # Errors
    /// Names the first property that is missing, unknown or cannot be used.
    pub fn parse(props: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        const KNOWN: [&str; 6] = [
            "http.uri",
            "http.method",
            "http.data",
            "http.content.type",
            "http.connect.timeout.milliseconds",
            "http.read.timeout.milliseconds",
        ];
        let mine = props.keys().filter(|key| key.starts_with("http."));
        if let Some(unknown) = mine.into_iter().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(error(unknown, format!("is not known; an HTTP job has {}", KNOWN.join(", "))));
        }
        let given = |key: &str| props.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let required = |key| given(key).ok_or_else(|| error(key, "must be given for an HTTP job"));
        let content_type = given("http.content.type")
            .map(|value| {
                HeaderValue::from_str(value)
                    .map_err(|_| error("http.content.type", format!("`{value}` cannot be sent in a header")))
            })
            .transpose()?;
        Ok(Self {
            uri: uri(required("http.uri")?)?,
            method: method(required("http.method")?)?,
            data: props.get("http.data").filter(|data| !data.is_empty()).cloned(),
            content_type,
            connect_timeout: wait("http.connect.timeout.milliseconds", &given, 3_000)?,
            read_timeout: wait("http.read.timeout.milliseconds", &given, 5_000)?,
        })
    }
}

fn error(field: &str, message: impl Into<String>) -> SettingsError {
    SettingsError::new(field, message)
}

fn uri(text: &str) -> Result<Url, SettingsError> {
    let uri = Url::parse(text).map_err(|why| error("http.uri", format!("`{text}` is no URI: {why}")))?;
    match uri.scheme() {
        "http" | "https" => Ok(uri),
        scheme => Err(error("http.uri", format!("has the scheme `{scheme}`; it must be http or https"))),
    }
}

fn method(text: &str) -> Result<Method, SettingsError> {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let found = known.iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.cloned().ok_or_else(|| {
        let list = known.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        error("http.method", format!("is `{text}`; it must be one of {list}"))
    })
}

fn wait<'a>(
    key: &str,
    given: &impl Fn(&str) -> Option<&'a str>,
    default: Millis,
) -> Result<Millis, SettingsError> {
    let Some(text) = given(key) else { return Ok(default) };
    let wait = text.parse().ok().filter(|wait| (1..=86_400_000).contains(wait));
    wait.ok_or_else(|| {
        error(key, format!("is `{text}`; it must be a number of milliseconds from 1 to 86400000"))
    })
}

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
            let quote: String = first.into_iter().flat_map(|line| line.chars().take(QUOTED)).collect();
            let quote = if quote.is_empty() { quote } else { format!(": {quote}") };
            let reason = format!("{} answered {status}{quote}", self.place());
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
                format!(
                    "{place}: no connection within {} ms (http.connect.timeout.milliseconds)",
                    self.settings.connect_timeout
                ),
            ),
            (true, false) => (FailureKind::Start, format!("{place}: cannot connect: {}", causes(error))),
            (false, true) => (
                FailureKind::Timeout,
                format!(
                    "{place}: nothing was answered for {} ms (http.read.timeout.milliseconds)",
                    self.settings.read_timeout
                ),
            ),
            (false, false) => (FailureKind::Job, format!("{place}: {}", causes(error))),
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
    reason: String,
    output: Output,
}

impl Failure {
    fn start(reason: String) -> Self {
        Self { kind: FailureKind::Start, reason, output: Output::default() }
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

    fn parse(props: &[(&str, &str)]) -> Result<HttpSettings, SettingsError> {
        HttpSettings::parse(&props.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn what_is_not_given_has_elastic_jobs_defaults() {
        let settings =
            parse(&[("http.uri", "http://a/b"), ("http.method", "post"), ("script.command.line", "x")])
                .unwrap();
        assert_eq!((settings.connect_timeout, settings.read_timeout), (3_000, 5_000));
        assert_eq!((settings.method, settings.data), (Method::POST, None));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_would_be_right() {
        let ok = [("http.uri", "http://a/b"), ("http.method", "GET")];
        let cases = [
            (("http.uri", ""), "http.uri: must be given for an HTTP job"),
            (("http.uri", "ftp://a"), "http.uri: has the scheme `ftp`; it must be http or https"),
            (("http.uri", "localhost"), "http.uri: `localhost` is no URI: relative URL without a base"),
            (("http.method", ""), "http.method: must be given for an HTTP job"),
            (
                ("http.method", "FETCH"),
                "http.method: is `FETCH`; it must be one of GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS",
            ),
            (
                ("http.read.timeout.milliseconds", "5s"),
                "http.read.timeout.milliseconds: is `5s`; it must be a number of milliseconds from 1 to 86400000",
            ),
            (("http.content.type", "a\nb"), "http.content.type: `a\nb` cannot be sent in a header"),
        ];
        for (wrong, message) in cases {
            assert_eq!(parse(&[ok[0], ok[1], wrong]).unwrap_err().to_string(), message);
        }
        let error = parse(&[ok[0], ok[1], ("http.url", "x")]).unwrap_err();
        assert!(
            error.to_string().starts_with("http.url: is not known; an HTTP job has http.uri, "),
            "{error}"
        );
    }

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
