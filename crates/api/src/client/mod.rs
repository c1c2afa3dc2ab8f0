//! A client of all routes, on the types and the addresses that the server has: what it sends cannot be what the server does not know.
//!
//! ```no_run
//! # async fn example() -> Result<(), clockwright_api::client::Error> {
//! use clockwright_api::client::{Client, Credential};
//! use clockwright_api::operations::Operate;
//! use clockwright_api::text::Reason;
//!
//! let client = Client::new("https://jobs.example.com", Credential::Token("cw_…".into()))?;
//! let job = client.project("billing").job("report");
//! let before = job.definition().await?;
//! println!("{} is at version {}", before.name, before.version);
//! let why = Reason::new("the printer is away").expect("it is short and can be read");
//! job.operate().pause(&Operate::because(why)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it sees to
//! - **Once.** Each POST of somebody who is signed in has an `Idempotency-Key`, so that it can be sent again and is carried out once. It is a
//!   random one, or that of [`Client::keyed`], by which a later call, of another process too, finds the answer of the first.
//! - **Again only where that is safe.** See [`retry`]: what was certainly not begun is sent again, whatever it is; what may have been done, only when it
//!   is a GET or has a key. All of it within [`retry::PATIENCE`].
//! - **What one has written, one reads.** Every answer says the journal's number; the next request demands that the server, another one perhaps, has seen as
//!   much (`Clockwright-Min-Seq`).
//! - **Versions are values.** [`Answer::etag`] is what a change takes: a change that says no version does not compile.
//! - **Problems are errors**: [`Error::Problem`] has the code, what happened, what is wrong where, and what to do.
//! - **Nothing goes elsewhere.** A redirect is an answer and is not followed, no proxy of the environment is asked, and no error has an address with its
//!   parameters in it.

mod account;
mod alerts;
mod call;
mod find;
mod history;
mod jobs;
mod journal;
mod operate;
mod people;
mod plans;
mod projects;
pub mod retry;
mod stream;
mod sync;
mod system;

pub use account::{Account, SignedIn};
pub use alerts::{Alerts, Channels, Rules};
pub use history::History;
pub use jobs::Job;
pub use operate::{OperateHosts, OperateJob};
pub use people::{People, Services};
pub use projects::Project;
pub use stream::{Event, Told};

use crate::{Etag, Problem};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// How long a server may say nothing at all; it answers within 30 s.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// By what a request is let in.
#[derive(Clone, Default)]
pub enum Credential {
    /// By nothing.
    #[default]
    None,
    /// By the secret of a token.
    Token(String),
    /// By a session, which [`Account::sign_in`] begins: the cookie, `name=secret`.
    Session(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Credential::None => "None",
            Credential::Token(_) => "Token(set)",
            Credential::Session(_) => "Session(set)",
        })
    }
}

/// A client of one server, or of several behind one address. Cheap to clone; clones share connections and what they have seen.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
    key: Option<String>,
    wait: Option<Duration>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
    /// The greatest number of the journal that an answer told.
    seen: Arc<AtomicI64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's address, or a name that was to stand in one, cannot be used.
    #[error("{0}")]
    Address(String),
    /// The server cannot be reached, or its answer did not come.
    #[error("{0}")]
    Unreachable(String),
    /// The server refuses.
    #[error("{0}")]
    Problem(Problem),
    /// Something answered that is no server of Clockwright, such as a proxy on the way.
    #[error("{text}")]
    Strange {
        /// The status.
        status: u16,
        /// What it is.
        text: String,
    },
}

impl Error {
    /// The problem's code, if the server refused with one that is known here.
    #[must_use]
    pub fn code(&self) -> Option<crate::Code> {
        match self {
            Error::Problem(problem) => problem.kind(),
            _ => None,
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// It.
    pub value: T,
    etag: Option<Etag>,
    replayed: bool,
}

impl<T> Answer<T> {
    /// The version of what was answered, by which it is changed.
    ///
    /// # Errors
    /// The answer has none: it is no stored thing.
    pub fn etag(&self) -> Result<Etag, Error> {
        let text = || "the answer says no version".to_owned();
        self.etag.ok_or_else(|| Error::Strange { status: 200, text: text() })
    }

    /// True when the request was carried out before, under the same key: this is what was answered then.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.replayed
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What every call gives.
pub type Answered<T> = Result<Answer<T>, Error>;

impl Client {
    /// A client of the server at this address, such as `https://jobs.example.com` or `http://127.0.0.1:8899`. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Address`]: it is no address of `http` or `https`, or it has parts that a server's has not.
    pub fn new(server: &str, credential: Credential) -> Result<Self, Error> {
        let base = address(server).map_err(Error::Address)?;
        let mut headers = HeaderMap::new();
        let agent = concat!("clockwright/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Address(format!("cannot make a client: {error}")))?;
        let inner = Inner { http, base, credential, seen: Arc::new(AtomicI64::new(0)) };
        Ok(Self { inner: Arc::new(inner), key: None, wait: None })
    }

    /// The same server, let in by something else.
    #[must_use]
    pub fn with(&self, credential: Credential) -> Self {
        let Inner { http, base, seen, .. } = &*self.inner;
        let inner = Inner { http: http.clone(), base: base.clone(), credential, seen: Arc::clone(seen) };
        Self { inner: Arc::new(inner), key: self.key.clone(), wait: self.wait }
    }

    /// The same, whose POST has this key: sent again, by whomever with the same credential, it is answered as it was first. 1 to 100 visible characters.
    /// For one call: another one under the same key is refused.
    #[must_use]
    pub fn keyed(&self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The same, which waits so long for the end of operations, 25 s at most for each.
    #[must_use]
    pub fn waiting(&self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self.clone() }
    }

    /// True for another way to write the address of the same server.
    #[must_use]
    pub fn is_of(&self, server: &str) -> bool {
        address(server).is_ok_and(|there| there == self.inner.base)
    }

    /// The server's address.
    #[must_use]
    pub fn server(&self) -> &str {
        self.inner.base.as_str().trim_end_matches('/')
    }
}

/// A server's address, without what comes behind it.
fn address(text: &str) -> Result<Url, String> {
    let wrong =
        |why: &str| format!("`{text}` is no address of a server such as https://jobs.example.com: {why}");
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it begins with http:// or https:// and names a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated: it has a secret in it.
        return Err("a server's address has no user and no password; sign in, or give a token".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("nothing follows `?` or `#`"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_server_is_taken_and_another_one_told_without_its_secrets() {
        for (given, taken) in [
            ("https://jobs.example.com", "https://jobs.example.com/"),
            ("http://127.0.0.1:8899/", "http://127.0.0.1:8899/"),
            ("https://example.com/jobs", "https://example.com/jobs/"),
        ] {
            assert_eq!(address(given).map(|url| url.to_string()), Ok(taken.to_owned()));
        }
        for wrong in
            ["10.0.0.5", "jobs.example.com", "ftp://example.com", "http://", "http://h/?q", "http://h/#x"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        let told = address("https://lina:open-sesame@example.com").expect_err("it has a password");
        assert!(!told.contains("open-sesame"), "{told}");
    }

    #[test]
    fn a_credential_is_not_printed() {
        let client =
            Client::new("http://localhost", Credential::Token("open-sesame".into())).expect("an address");
        assert!(!format!("{client:?}").contains("open-sesame"));
    }
}
