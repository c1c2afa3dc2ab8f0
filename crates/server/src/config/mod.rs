//! What an operator says of a server, and what follows from it for each request.
//!
//! A value comes from the command line, else from the environment, else from `clockwright.yaml`, else from the table. One table
//! ([`table::KEYS`]) says each key's form, default and meaning; reading ([`read`]), the page of reference and `clockwright config show`
//! are made from it. Everything that is wrong is told at once.

mod check;
mod network;
pub mod read;
mod reference;
pub mod table;
mod take;

pub use network::Network;
pub use read::{Said, Sources, read};
pub use reference::reference;
pub use take::log_level;

use crate::decide::limits::Rate;
use crate::http::refusal::Answered;
use clockwright_api::{Code, Problem};
use clockwright_model::Millis;
use http::HeaderMap;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The registry, and the event store, of projects that name no other.
pub const HOME: &str = "home";

/// How a server is set up. Each field is what its key of the table says; the default is the table's.
#[derive(Debug, Clone)]
pub struct Config {
    /// Each value as it was said, without secrets, in the order of the table.
    pub said: Vec<Said>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the metrics are open to whoever comes; `None` for nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Its address as browsers know it: `https://jobs.example.com`, without a slash at its end.
    pub public_url: String,
    /// The data folder.
    pub data: PathBuf,
    /// The keys that secrets are sealed with.
    pub key_file: PathBuf,
    /// Where projects, people and the journal are.
    pub database: Secret,
    /// The address of the registry `home`.
    pub registry: Secret,
    /// The addresses of other registries, by name.
    pub registries: BTreeMap<String, Secret>,
    /// The address of the event store `home`.
    pub store: Secret,
    /// The addresses of other event stores, by name.
    pub stores: BTreeMap<String, Secret>,
    /// The certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Passwords may cross the network as they are.
    pub insecure_http: bool,
    /// Proxies whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
    /// How long a session lives without being used, milliseconds.
    pub session_idle: Millis,
    /// How long a session lives at most, milliseconds.
    pub session_longest: Millis,
    /// How many sessions somebody has at most; the oldest ends.
    pub sessions: usize,
    /// The shortest password, characters.
    pub password_min: usize,
    /// How long a token lives unless told, milliseconds.
    pub token_usual: Millis,
    /// How long a token lives at most, milliseconds.
    pub token_longest: Millis,
    /// How long a save waits for the registry, milliseconds.
    pub sync_wait: Millis,
    /// Hosts and networks that channels may name besides public ones.
    pub alert_hosts: Vec<String>,
    /// How long the first message of a group waits for others, milliseconds.
    pub alert_first: Millis,
    /// How long between two messages of a group, milliseconds.
    pub alert_every: Millis,
    /// How long until what is open is told again, milliseconds.
    pub alert_repeat: Millis,
    /// How mail is sent, if it is.
    pub smtp: Option<Smtp>,
    /// The identity provider, if there is one.
    pub oidc: Option<Oidc>,
    /// What is asked for there.
    pub oidc_scopes: String,
    /// The claim that names groups.
    pub oidc_groups: String,
    /// Who may sign in by a password.
    pub local: Local,
    /// How many sign-ins of one login may fail in a minute.
    pub per_login: i64,
    /// How many sign-ins from one address may fail in a minute.
    pub per_address: i64,
    /// How long a login waits at most after failures in a row, milliseconds.
    pub lock_longest: Millis,
    /// How many connections there are at most.
    pub connections: usize,
    /// How many of them from one address.
    pub connections_per_address: usize,
    /// How long the head of a request may take, milliseconds.
    pub head: Millis,
    /// How many requests are under way at most.
    pub requests: usize,
    /// How often somebody may look.
    pub reads: Rate,
    /// How often somebody may change something.
    pub changes: Rate,
    /// What is logged.
    pub log_level: String,
    /// In which form.
    pub log_format: LogFormat,
    /// The collector of traces.
    pub otel_endpoint: Option<String>,
}

/// An identity provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oidc {
    /// Its address, as it calls itself.
    pub issuer: String,
    /// What we are called there.
    pub client: String,
    /// What we prove that by.
    pub secret: Secret,
    /// How they must have proved who they are; empty for any way.
    pub require_acr: String,
}

/// How mail is sent: always over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smtp {
    /// The server: `mail.example.com`.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS from the first byte, not after STARTTLS.
    pub at_once: bool,
    /// The file with a certificate that its one is signed by, PEM; empty for those that the machine trusts.
    pub ca: String,
    /// From whom.
    pub from: String,
    /// Who signs in there; empty for nobody.
    pub user: String,
    /// By which password.
    pub password: Secret,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Who may sign in by a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// Those who have one, while there is no identity provider.
    UntilOidc,
    /// Those who have one.
    Always,
}

/// A text that may hold a password: it is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for whoever opens what it opens.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("(set)")
    }
}

impl Default for Config {
    /// What the table says.
    fn default() -> Self {
        read(&Sources::default()).expect("the table's own values can be used")
    }
}

impl Config {
    /// What the table's values are put into. None of it counts: each field has a key, whose default is set over it.
    fn blank() -> Self {
        Self {
            said: Vec::new(),
            log_level: String::new(),
            log_format: LogFormat::Text,
            otel_endpoint: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            metrics_listen: None,
            public_url: String::new(),
            data: PathBuf::new(),
            key_file: PathBuf::new(),
            database: Secret::default(),
            registry: Secret::default(),
            registries: BTreeMap::new(),
            store: Secret::default(),
            stores: BTreeMap::new(),
            tls_cert: None,
            tls_key: None,
            insecure_http: false,
            trusted_proxies: Vec::new(),
            session_idle: 0,
            session_longest: 0,
            sessions: 0,
            password_min: 0,
            token_usual: 0,
            token_longest: 0,
            sync_wait: 0,
            alert_hosts: Vec::new(),
            alert_first: 0,
            alert_every: 0,
            alert_repeat: 0,
            smtp: None,
            oidc: None,
            oidc_scopes: String::new(),
            oidc_groups: String::new(),
            local: Local::UntilOidc,
            per_login: 0,
            per_address: 0,
            lock_longest: 0,
            connections: 0,
            connections_per_address: 0,
            head: 0,
            requests: 0,
            reads: Rate { a_second: 0, at_once: 0 },
            changes: Rate { a_second: 0, at_once: 0 },
        }
    }

    /// The addresses of all registries, by name.
    pub fn all_registries(&self) -> impl Iterator<Item = (&str, &Secret)> {
        with_home(&self.registry, &self.registries)
    }

    /// The addresses of all event stores, by name.
    pub fn all_stores(&self) -> impl Iterator<Item = (&str, &Secret)> {
        with_home(&self.store, &self.stores)
    }

    /// Who sent a request: the other end of the connection, or what a trusted proxy there says.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let forwarded =
            headers.get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // From the right: the last address that no proxy of ours has is who spoke to them. What stands before was said by that one.
        let mut addresses = forwarded.rsplit(',').filter_map(|part| part.trim().parse::<IpAddr>().ok());
        addresses.find(|address| !self.trusts(*address)).unwrap_or(peer)
    }

    /// Is this a proxy that is believed?
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.holds(address))
    }

    /// A change that comes by a cookie must come from our own pages.
    ///
    /// # Errors
    /// `cross-site`.
    pub fn same_origin(&self, headers: &HeaderMap) -> Answered<()> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_ours = match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == self.origin(),
            // No browser sends a change without either.
            (None, None) => false,
        };
        let kind = text("content-type").unwrap_or_default();
        let is_marked = kind.starts_with("application/")
            && !kind.starts_with("application/x-www-form-urlencoded")
            || text("clockwright-request") == Some("1");
        if is_ours && is_marked {
            return Ok(());
        }
        Err(Problem::new(Code::CrossSite, "the change comes by a cookie, and not from a page of this server")
            .into())
    }

    /// True when people may sign in by a password.
    #[must_use]
    pub fn lets_locals_in(&self) -> bool {
        self.oidc.is_none() || self.local == Local::Always
    }

    /// The public address as browsers say it in `Origin`: without a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.public_url.strip_suffix(self.prefix()).unwrap_or(&self.public_url)
    }

    /// The path of the public address, without a slash at its end; empty for none.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let host = self.public_url.find("://").map_or(0, |at| at + 3);
        self.public_url[host..].find('/').map_or("", |at| &self.public_url[host + at..])
    }

    /// True when browsers speak to it over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The name of the session's cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-clockwright" } else { "clockwright-http" }
    }

    /// The name of the cookie that a browser keeps while it is at the identity provider.
    #[must_use]
    pub fn errand_name(&self) -> &'static str {
        if self.is_secure() { "__Host-clockwright-errand" } else { "clockwright-http-errand" }
    }
}

fn with_home<'a>(
    home: &'a Secret,
    others: &'a BTreeMap<String, Secret>,
) -> impl Iterator<Item = (&'a str, &'a Secret)> {
    std::iter::once((HOME, home)).chain(others.iter().map(|(name, address)| (name.as_str(), address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("it is a header"));
        }
        headers
    }

    #[test]
    fn only_trusted_proxies_say_who_sent_a_request() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let config = Config { trusted_proxies: vec![proxy.into()], ..Config::default() };
        let said = headers(&[("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.1")]);
        assert_eq!(config.client(proxy, &said).to_string(), "192.0.2.7");
        assert_eq!(config.client([10, 0, 0, 2].into(), &said).to_string(), "10.0.0.2");
        assert_eq!(config.client(proxy, &headers(&[("x-forwarded-for", "rubbish")])).to_string(), "10.0.0.1");
    }

    #[test]
    fn a_change_by_cookie_comes_from_our_own_pages() {
        let config = Config::default();
        let json = ("content-type", "application/json");
        for (given, ours) in [
            (headers(&[("sec-fetch-site", "same-origin"), json]), true),
            (headers(&[("sec-fetch-site", "same-site"), json]), false),
            (headers(&[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8899"), json]), false),
            (headers(&[("origin", "http://127.0.0.1:8899"), json]), true),
            (headers(&[("origin", "http://127.0.0.1:8898"), json]), false),
            (headers(&[json]), false),
            (headers(&[("sec-fetch-site", "same-origin"), ("content-type", "text/plain")]), false),
            (headers(&[("sec-fetch-site", "same-origin"), ("clockwright-request", "1")]), true),
        ] {
            assert_eq!(config.same_origin(&given).is_ok(), ours, "{given:?}");
        }
    }
}
