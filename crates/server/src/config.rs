//! What an operator says of a server, and what follows from it for each request.

use crate::http::refusal::Answered;
use clockwright_api::{Code, Problem};
use clockwright_model::Millis;
use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its address as browsers know it: `https://jobs.example.com`, without a slash at its end.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpAddr>,
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
    /// The names of the event stores that a project may have its history in.
    pub stores: Vec<String>,
    /// How long a save waits for the registry, milliseconds.
    pub sync_wait: Millis,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Millis = 24 * 3_600_000;
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8899)),
            public_url: "http://127.0.0.1:8899".to_owned(),
            trusted_proxies: Vec::new(),
            session_idle: 30 * 60_000,
            session_longest: 12 * 3_600_000,
            sessions: 10,
            password_min: 12,
            token_usual: 90 * DAY,
            token_longest: 365 * DAY,
            stores: vec!["home".to_owned()],
            sync_wait: 2_000,
        }
    }
}

impl Config {
    /// Who sent a request: the other end of the connection, or what a trusted proxy there says.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> String {
        if !self.trusted_proxies.contains(&peer) {
            return peer.to_string();
        }
        let forwarded =
            headers.get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // From the right: the last address that no proxy of ours has is who spoke to them. What stands before was said by that one.
        let addresses = forwarded.rsplit(',').filter_map(|part| part.trim().parse::<IpAddr>().ok());
        let client = addresses.into_iter().find(|address| !self.trusted_proxies.contains(address));
        client.unwrap_or(peer).to_string()
    }

    /// A change that comes by a cookie must come from our own pages.
    ///
    /// # Errors
    /// `cross-site`.
    pub fn same_origin(&self, headers: &HeaderMap) -> Answered<()> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_ours = match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == self.public_url,
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
        let config = Config { trusted_proxies: vec![proxy], ..Config::default() };
        let said = headers(&[("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.1")]);
        assert_eq!(config.client(proxy, &said), "192.0.2.7");
        assert_eq!(config.client([10, 0, 0, 2].into(), &said), "10.0.0.2");
        assert_eq!(config.client(proxy, &headers(&[("x-forwarded-for", "rubbish")])), "10.0.0.1");
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
