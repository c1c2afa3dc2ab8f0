//! One request, from its parts to its answer.

use super::retry::{Ended, again};
use super::{Answer, Answered, Client, Credential, Error};
use crate::{Etag, Problem};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HeaderName, HeaderValue, IF_MATCH};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::error::Error as _;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What stands for itself in a part of an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How much of an answer is told that is none of ours.
const TOLD: usize = 200;

/// A request in the making.
pub(super) struct Call<'a> {
    client: &'a Client,
    method: Method,
    url: Result<Url, Error>,
    body: Option<(&'static str, Bytes)>,
    headers: Vec<(HeaderName, String)>,
    may_be_unwell: bool,
}

impl Client {
    /// A request to the address of this pattern, with these names in it, in their order.
    pub(super) fn call(&self, method: Method, pattern: &str, names: &[&str]) -> Call<'_> {
        let url = fill(pattern, names).and_then(|path| {
            let path = path.trim_start_matches('/');
            self.inner.base.join(path).map_err(|error| Error::Address(format!("`{path}`: {error}")))
        });
        Call { client: self, method, url, body: None, headers: Vec::new(), may_be_unwell: false }
    }

    pub(super) fn get(&self, pattern: &str, names: &[&str]) -> Call<'_> {
        self.call(Method::GET, pattern, names)
    }

    pub(super) fn post(&self, pattern: &str, names: &[&str]) -> Call<'_> {
        self.call(Method::POST, pattern, names)
    }

    pub(super) fn delete(&self, pattern: &str, names: &[&str]) -> Call<'_> {
        self.call(Method::DELETE, pattern, names)
    }
}

/// A pattern with names in it.
fn fill(pattern: &str, names: &[&str]) -> Result<String, Error> {
    let mut names = names.iter();
    let mut path = String::new();
    for part in pattern.split('/').skip(1) {
        path.push('/');
        if !part.starts_with('{') {
            path.push_str(part);
            continue;
        }
        let name = names.next().copied().unwrap_or_default();
        // An address cannot name these: they would mean another one.
        if matches!(name, "" | "." | "..") {
            return Err(Error::Address(format!("`{name}` is no name")));
        }
        path.extend(utf8_percent_encode(name, PLAIN));
    }
    Ok(path)
}

impl<'a> Call<'a> {
    /// With parameters behind the `?`: the members of a flat value, without those that are `null`.
    pub(super) fn query(mut self, ask: &impl Serialize) -> Self {
        let Ok(url) = &mut self.url else { return self };
        let Ok(Value::Object(members)) = serde_json::to_value(ask) else { return self };
        for (name, value) in members {
            match value {
                Value::Null => {}
                Value::String(text) => drop(url.query_pairs_mut().append_pair(&name, &text)),
                other => drop(url.query_pairs_mut().append_pair(&name, &other.to_string())),
            }
        }
        self
    }

    /// With a body of JSON.
    pub(super) fn body(self, body: &impl Serialize) -> Self {
        // Our own types are plain data.
        self.text_body("application/json", serde_json::to_vec(body).unwrap_or_default())
    }

    /// With a body of this kind.
    pub(super) fn text_body(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }

    /// Changes this version.
    pub(super) fn at(self, version: Etag) -> Self {
        self.header(IF_MATCH, version.to_string())
    }

    /// Takes a 503 that is no problem for an answer: it says how the server is.
    pub(super) fn or_unwell(mut self) -> Self {
        self.may_be_unwell = true;
        self
    }

    /// Waits for the end, as the client does.
    pub(super) fn waits(self) -> Self {
        match self.client.wait {
            Some(wait) => self.header(HeaderName::from_static("prefer"), format!("wait={}", wait.as_secs())),
            None => self,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it; the answer is of this form.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Answered<T> {
        let response = self.send().await?;
        let (etag, replayed) = (etag(&response), response.headers().contains_key("idempotency-replayed"));
        let status = response.status().as_u16();
        let body = whole(response).await?;
        let value = serde_json::from_slice(&body).map_err(|error| Error::Strange {
            status,
            text: format!("the answer is not of the form that is expected: {error}"),
        })?;
        Ok(Answer { value, etag, replayed })
    }

    /// Sends it; the answer says nothing.
    pub(super) async fn done(self) -> Answered<()> {
        let response = self.send().await?;
        let replayed = response.headers().contains_key("idempotency-replayed");
        Ok(Answer { value: (), etag: None, replayed })
    }

    /// Sends it; the answer is text.
    pub(super) async fn text(self) -> Answered<String> {
        let response = self.send().await?;
        let etag = etag(&response);
        let value = String::from_utf8_lossy(&whole(response).await?).into_owned();
        Ok(Answer { value, etag, replayed: false })
    }

    /// Sends it, also again where that is safe, until there is an answer that is no refusal. To be sent elsewhere is no answer.
    pub(super) async fn send(self) -> Result<Response, Error> {
        let response = self.sent_on().await?;
        if response.status().is_redirection() {
            let status = response.status().as_u16();
            let text = "the answer sends elsewhere, which is not followed; is the server's address right?";
            return Err(Error::Strange { status, text: text.to_owned() });
        }
        Ok(response)
    }

    /// Sends it; the answer may be where to go.
    pub(super) async fn sent_on(self) -> Result<Response, Error> {
        let Call { client, method, url, body, headers, may_be_unwell } = self;
        let request = Request { client, method, url: url?, body, headers, may_be_unwell, key: None };
        request.keyed().send().await
    }

    /// The kind of body that is wanted.
    pub(super) fn accepts(self, kind: &'static str) -> Self {
        self.header(ACCEPT, kind)
    }
}

/// A request that is whole.
struct Request<'a> {
    client: &'a Client,
    method: Method,
    url: Url,
    body: Option<(&'static str, Bytes)>,
    headers: Vec<(HeaderName, String)>,
    may_be_unwell: bool,
    key: Option<String>,
}

impl Request<'_> {
    /// With a key, where the server keeps one: for a POST of somebody who is let in.
    fn keyed(mut self) -> Self {
        let is_in = !matches!(self.client.inner.credential, Credential::None);
        if self.method == Method::POST && is_in {
            let random = || uuid::Uuid::new_v4().to_string();
            self.key = Some(self.client.key.clone().unwrap_or_else(random));
        }
        self
    }

    async fn send(self) -> Result<Response, Error> {
        let is_safe = self.method == Method::GET || self.key.is_some();
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let (ended, error) = match self.once().await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            let Some(wait) = again(ended, is_safe, tries, began.elapsed()) else { return Err(error) };
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self) -> Result<Response, (Ended, Error)> {
        let inner = &self.client.inner;
        let mut request = inner.http.request(self.method.clone(), self.url.clone());
        match &inner.credential {
            Credential::None => {}
            Credential::Token(secret) => {
                request = request.header(AUTHORIZATION, secretly(&format!("Bearer {secret}"))?);
            }
            // As a page of the server itself sends it.
            Credential::Session(cookie) => {
                request = request.header(COOKIE, secretly(cookie)?).header("sec-fetch-site", "same-origin");
                request = request.header("clockwright-request", "1");
            }
        }
        let seen = inner.seen.load(Ordering::Relaxed);
        if seen > 0 {
            request = request.header("clockwright-min-seq", seen);
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((kind, body)) = &self.body {
            request = request.header(CONTENT_TYPE, *kind).body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.lost(error))?;
        let told = response.headers().get("clockwright-seq").and_then(|seq| seq.to_str().ok()?.parse().ok());
        if let Some(seq) = told {
            inner.seen.fetch_max(seq, Ordering::Relaxed);
        }
        let is_answer = response.status().as_u16() < 400 || self.says_how_it_is(&response);
        if is_answer { Ok(response) } else { Err(refused(response).await) }
    }

    fn says_how_it_is(&self, response: &Response) -> bool {
        let kind = response.headers().get(CONTENT_TYPE);
        let is_plain = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        self.may_be_unwell && response.status() == StatusCode::SERVICE_UNAVAILABLE && is_plain
    }

    fn lost(&self, error: reqwest::Error) -> (Ended, Error) {
        let ended = if error.is_connect() { Ended::NotReached } else { Ended::Lost };
        let server = self.client.server();
        let why = cause(&error);
        let text = match ended {
            Ended::NotReached => format!("cannot reach the server {server}: {why}"),
            _ if error.is_timeout() => format!("the server {server} does not answer"),
            _ => format!("the connection to the server {server} broke: {why}"),
        };
        (ended, if error.is_builder() { Error::Address(why) } else { Error::Unreachable(text) })
    }
}

fn secretly(text: &str) -> Result<HeaderValue, (Ended, Error)> {
    let wrong = |_| {
        let ended = Ended::Refused { status: 400, code: None, after: None };
        (ended, Error::Address("the token has characters that no token has".to_owned()))
    };
    let mut value = HeaderValue::from_str(text).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What lies at the bottom of an error of the connection.
fn cause(error: &reqwest::Error) -> String {
    let mut last = error.source();
    while let Some(deeper) = last.and_then(std::error::Error::source) {
        last = Some(deeper);
    }
    last.map_or_else(|| "no reason is known".to_owned(), ToString::to_string)
}

async fn refused(response: Response) -> (Ended, Error) {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let server = response.url().host_str().unwrap_or_default().to_owned();
    let body = whole(response).await.unwrap_or_default();
    if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
        let after = problem.retry_after.or(header);
        return (Ended::Refused { status, code: problem.kind(), after }, Error::Problem(problem));
    }
    let said: String = String::from_utf8_lossy(&body).trim().chars().take(TOLD).collect();
    let text = format!(
        "{server} answered {status}, and not as a Clockwright server does; is the address right? {said}"
    );
    let text = text.trim_end().to_owned();
    (Ended::Refused { status, code: None, after: header }, Error::Strange { status, text })
}

pub(super) async fn whole(response: Response) -> Result<Bytes, Error> {
    response.bytes().await.map_err(|error| broke(&error))
}

/// An answer that does not come to its end.
pub(super) fn broke(error: &reqwest::Error) -> Error {
    Error::Unreachable(format!("the answer broke off: {}", cause(error)))
}

fn etag(response: &Response) -> Option<Etag> {
    response.headers().get(ETAG)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_an_address_as_one_part_whatever_letters_they_have() {
        let at = |names: &[&str]| fill("/api/v1/projects/{project}/jobs/{job}/live", names);
        assert_eq!(
            at(&["a", "日报/ü?#%"]).ok().as_deref(),
            Some("/api/v1/projects/a/jobs/%E6%97%A5%E6%8A%A5%2F%C3%BC%3F%23%25/live")
        );
        for wrong in ["", ".", ".."] {
            assert!(at(&["a", wrong]).is_err(), "{wrong}");
        }
    }
}
