//! Where the servers are and how to talk to them.

use clockwright_registry::{Error, Path};
use std::fmt;
use std::time::Duration;

/// How to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The servers: `host:port,host:port`. A port that is missing is 2181; an IPv6 address is in brackets. Name all members
    /// of an ensemble, so that the session survives the loss of one.
    pub servers: String,
    /// The session timeout to ask for, milliseconds; at least 100. The server may give another one: see
    /// [`clockwright_registry::Terms::timeout`]. Default 12,000.
    pub session_timeout: i64,
    /// `user:password`: adds ZooKeeper's `digest` authentication, and makes every node that is created accessible to this
    /// user only. Default: none, nodes are open to anyone.
    pub digest: Option<String>,
    /// How long the first connection may take, milliseconds, all servers and retries together. Default 9,000.
    pub connect_timeout: i64,
    /// Uses nothing but what ZooKeeper 3.4 can do, on every server. Default false: each server is asked what it can do.
    pub basic: bool,
}

impl Options {
    /// Options with defaults.
    #[must_use]
    pub fn new(servers: impl Into<String>) -> Self {
        Self {
            servers: servers.into(),
            session_timeout: 12_000,
            digest: None,
            connect_timeout: 9_000,
            basic: false,
        }
    }

    pub(crate) fn checked(&self) -> Result<Checked, Error> {
        let refused = |why: String| Err(Error::Refused(why));
        let Some(session_timeout) = i32::try_from(self.session_timeout).ok().filter(|ms| *ms >= 100) else {
            return refused(format!(
                "a session timeout of {} ms is out of range; give 100 to {} ms",
                self.session_timeout,
                i32::MAX
            ));
        };
        let Some(connect_timeout) = u64::try_from(self.connect_timeout).ok().filter(|ms| *ms > 0) else {
            return refused(format!(
                "a connect timeout of {} ms is out of range; give 1 ms or more",
                self.connect_timeout
            ));
        };
        if self.digest.as_ref().is_some_and(|digest| !digest.contains(':')) {
            return refused("the digest must be `user:password`".to_owned());
        }
        let mut servers = Vec::new();
        for server in self.servers.split(',') {
            servers.push(parse_server(server.trim()).map_err(Error::Refused)?);
        }
        Ok(Checked {
            servers,
            session_timeout,
            digest: self.digest.clone(),
            connect_timeout: Duration::from_millis(connect_timeout),
            basic: self.basic,
        })
    }
}

/// Never shows the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user =
            self.digest.as_ref().map(|digest| format!("{}:…", digest.split(':').next().unwrap_or_default()));
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("session_timeout", &self.session_timeout)
            .field("digest", &user)
            .field("connect_timeout", &self.connect_timeout)
            .field("basic", &self.basic)
            .finish()
    }
}

/// Options found to make sense.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) servers: Vec<Server>,
    pub(crate) session_timeout: i32,
    pub(crate) digest: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) basic: bool,
}

/// One server's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

const DEFAULT_PORT: u16 = 2181;

fn parse_server(text: &str) -> Result<Server, String> {
    let bad = |why: &str| Err(format!("`{text}` is not a ZooKeeper server: {why}; write `host:port`"));
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
            _ => return bad("the bracket is not closed before the port"),
        },
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return bad("an IPv6 address must be in brackets"),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return bad("the host is missing");
    }
    // Pasted texts bring wide colons, quotes and invisible characters along.
    let strange = |c: &char| !(c.is_ascii_alphanumeric() || "._-:%".contains(*c));
    if let Some(strange) = host.chars().find(strange) {
        return bad(&format!("the host has the character {}, which no host name has", shown(strange)));
    }
    match port.map(str::parse) {
        None => Ok(Server { host: host.to_owned(), port: DEFAULT_PORT }),
        Some(Ok(port)) if port > 0 => Ok(Server { host: host.to_owned(), port }),
        Some(_) => bad("the port is not a number from 1 to 65535"),
    }
}

/// A character that may be invisible.
fn shown(c: char) -> String {
    if c.is_ascii_graphic() { format!("`{c}`") } else { format!("`{c}` (U+{:04X})", u32::from(c)) }
}

/// Why a text is no ZooKeeper address. Never contains the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write `zookeeper://host:2181,host:2181/namespace`, with `user:password@` before the hosts when nodes are protected"
)]
pub struct UrlError(String);

/// Reads `zookeeper://[user:password@]host:port,host:port/namespace`. The namespace may have several names; without one it
/// is the root. User and password may be percent-encoded.
///
/// # Errors
/// Says what is wrong.
pub fn parse_url(url: &str) -> Result<(Options, Path), UrlError> {
    let Some(rest) = url.strip_prefix("zookeeper://") else {
        return Err(UrlError("a ZooKeeper address starts with `zookeeper://`".to_owned()));
    };
    let (authority, namespace) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // The last `@`: a password may contain one, a host cannot.
    let (digest, servers) = match authority.rsplit_once('@') {
        Some((digest, servers)) => (Some(parse_digest(digest)?), servers),
        None => (None, authority),
    };
    if servers.is_empty() {
        return Err(UrlError("the address names no server".to_owned()));
    }
    if servers.contains(';') {
        return Err(UrlError("servers are separated by commas, not by `;`".to_owned()));
    }
    if rest.contains("zookeeper://") {
        return Err(UrlError("`zookeeper://` stands once, before the first server".to_owned()));
    }
    let options = Options { digest, ..Options::new(servers) };
    if let Err(error) = options.checked() {
        // What looks like a bad server may be half a password then, which must not be shown.
        let hidden = options.digest.is_none() && namespace.contains('@');
        return Err(UrlError(match error {
            _ if hidden => "a `/` in user or password must be written `%2F`".to_owned(),
            Error::Refused(why) => why,
            other => other.to_string(),
        }));
    }
    let namespace = match namespace.trim_end_matches('/') {
        "" => Path::root(),
        namespace => Path::new(namespace).map_err(|error| UrlError(error.to_string()))?,
    };
    Ok((options, namespace))
}

fn parse_digest(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode(text)
        .ok_or_else(|| UrlError("user and password have a bad percent-encoding".to_owned()))?;
    match decoded.split_once(':') {
        Some((user, _)) if !user.is_empty() => Ok(decoded),
        _ => Err(UrlError("before `@` must be `user:password`".to_owned())),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_url_has_servers_a_namespace_and_perhaps_a_digest() {
        let (options, namespace) = parse_url("zookeeper://h1:2181,h2/ns/sub").unwrap();
        assert_eq!(
            (options.servers.as_str(), options.digest, namespace.as_str()),
            ("h1:2181,h2", None, "/ns/sub")
        );
        let (options, namespace) = parse_url("zookeeper://me:p%40s%2Fs@w@[::1]:2182").unwrap();
        assert_eq!(options.digest.as_deref(), Some("me:p@s/s@w"));
        assert_eq!(options.checked().unwrap().servers, [Server { host: "::1".to_owned(), port: 2182 }]);
        assert_eq!(namespace, Path::root());
    }

    #[test]
    fn a_bad_url_is_refused_with_a_reason() {
        for (url, why) in [
            ("zk://h1", "starts with"),
            ("zookeeper://", "names no server"),
            ("zookeeper:///ns", "names no server"),
            ("zookeeper://h1:0/ns", "port"),
            ("zookeeper://h1:x", "port"),
            ("zookeeper://h1,,h2", "host is missing"),
            ("zookeeper://::1:2181", "brackets"),
            ("zookeeper://h1/a//b", "empty name"),
            ("zookeeper://secret@h1", "user:password"),
            ("zookeeper://a:%zz@h1", "percent"),
            ("zookeeper://me:hun/ter2@h1", "%2F"),
            ("zookeeper://h1;h2/ns", "commas"),
            ("zookeeper://h1:2181,zookeeper://h2:2181/ns", "stands once"),
            ("zookeeper://h1：2181/ns", "U+FF1A"),
            ("zookeeper://\u{200b}h1/ns", "U+200B"),
            ("zookeeper://\"h1\"/ns", "`\"`"),
        ] {
            let error = parse_url(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let (options, _) = parse_url("zookeeper://me:hunter2@h1").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        let error = parse_url("zookeeper://me:hunter2@h1:x").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        let error = parse_url("zookeeper://hunter2@h1").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    #[test]
    fn timeouts_out_of_range_are_refused() {
        for (session_timeout, connect_timeout) in [(99, 1), (i64::MAX, 1), (12_000, 0)] {
            let options = Options { session_timeout, connect_timeout, ..Options::new("h1") };
            assert!(matches!(options.checked(), Err(Error::Refused(_))));
        }
    }
}
