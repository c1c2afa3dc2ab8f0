//! Where the servers are and how to talk to them.

use clockwright_registry::{Error, Path};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is believed of servers that speak TLS, and what they are shown: files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that are trusted: of authorities, or of the server itself. Default: those that the variable `SSL_CERT_FILE` names, or
    /// the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate with those above it, for servers that ask for one. Default: none.
    pub cert: Option<PathBuf>,
    /// Its key. Default: in the file of the certificate.
    pub key: Option<PathBuf>,
}

/// How to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The servers: `host:port,host:port`. A port that is missing is 2181, with TLS 2281; an IPv6 address is in brackets. Name all members
    /// of an ensemble, so that the session survives the loss of one.
    pub servers: String,
    /// The session timeout to ask for, milliseconds; at least 100. The server may give another one: see
    /// [`clockwright_registry::Terms::timeout`]. Default 12,000.
    pub session_timeout: i64,
    /// `user:password`: signs in, and makes every node that is created accessible to this user only. Default: none, nodes are open to
    /// anyone.
    pub user: Option<String>,
    /// How that user signs in. Default: by `digest`, as in Elastic-Job.
    pub sign_in: SignIn,
    /// The servers speak TLS, verified by these files; needs the feature `tls`. Default: none, they do not.
    pub tls: Option<Tls>,
    /// How long the first connection may take, milliseconds, all servers and retries together. Default 9,000.
    pub connect_timeout: i64,
    /// Uses nothing but what ZooKeeper 3.4 can do, on every server. Default false: each server is asked what it can do.
    pub basic: bool,
}

/// How a user signs in with ZooKeeper's servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignIn {
    /// By the scheme `digest`, which shows the password to the servers; any user may call himself so. What Elastic-Job's `digest` is.
    #[default]
    Digest,
    /// By SASL's `DIGEST-MD5`, with a user that the servers know (`DigestLoginModule`).
    Sasl,
}

impl Options {
    /// Options with defaults.
    #[must_use]
    pub fn new(servers: impl Into<String>) -> Self {
        Self {
            servers: servers.into(),
            session_timeout: 12_000,
            user: None,
            sign_in: SignIn::Digest,
            tls: None,
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
        if self.user.as_ref().is_some_and(|user| !user.contains(':')) {
            return refused("the user must be `user:password`".to_owned());
        }
        if self.user.is_none() && self.sign_in == SignIn::Sasl {
            return refused("SASL needs `user:password@` before the hosts".to_owned());
        }
        if self.tls.is_some() && cfg!(not(feature = "tls")) {
            return refused(WITHOUT_TLS.to_owned());
        }
        let mut servers = Vec::new();
        for server in self.servers.split(',') {
            servers.push(parse_server(server.trim(), self.default_port()).map_err(Error::Refused)?);
        }
        Ok(Checked {
            servers,
            session_timeout,
            user: self.user.clone(),
            sign_in: self.sign_in,
            tls: self.tls.clone(),
            connect_timeout: Duration::from_millis(connect_timeout),
            basic: self.basic,
        })
    }

    /// What an address of these servers starts with.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { TLS_SCHEME } else { SCHEME }
    }

    fn default_port(&self) -> u16 {
        if self.tls.is_some() { 2281 } else { 2181 }
    }
}

/// Never shows the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{}:…", user.split(':').next().unwrap_or_default()));
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("session_timeout", &self.session_timeout)
            .field("user", &user)
            .field("sign_in", &self.sign_in)
            .field("tls", &self.tls)
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
    pub(crate) user: Option<String>,
    pub(crate) sign_in: SignIn,
    pub(crate) tls: Option<Tls>,
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

fn parse_server(text: &str, default_port: u16) -> Result<Server, String> {
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
        None => Ok(Server { host: host.to_owned(), port: default_port }),
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
    "{0}; write `zookeeper://host:2181,host:2181/namespace`, with `user:password@` before the hosts when nodes are protected, and \
     `zookeepers://…` for TLS"
)]
pub struct UrlError(String);

pub(crate) const WITHOUT_TLS: &str = "this program was built without TLS for ZooKeeper";

const SCHEME: &str = "zookeeper://";
const TLS_SCHEME: &str = "zookeepers://";

/// Reads `zookeeper://[user:password@]host:port,host:port/namespace[?settings]`, or `zookeepers://…` for servers that speak TLS. The
/// namespace may have several names; without one it is the root. User, password and what settings say may be percent-encoded. Settings are
/// `auth=sasl` (the user signs in by SASL) and, with TLS, `ca=FILE`, `cert=FILE` and `key=FILE`, as [`Tls`] has them; `&` separates them.
///
/// # Errors
/// Says what is wrong.
pub fn parse_url(url: &str) -> Result<(Options, Path), UrlError> {
    let (rest, tls) = match (url.strip_prefix(SCHEME), url.strip_prefix(TLS_SCHEME)) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => {
            return Err(UrlError(
                "a ZooKeeper address starts with `zookeeper://` or `zookeepers://`".to_owned(),
            ));
        }
    };
    let (authority, behind) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // The last `@`: a password may contain one, a host cannot.
    let (user, servers) = match authority.rsplit_once('@') {
        Some((user, servers)) => (Some(parse_user(user)?), servers),
        None => (None, authority),
    };
    if servers.is_empty() {
        return Err(UrlError("the address names no server".to_owned()));
    }
    if servers.contains(';') {
        return Err(UrlError("servers are separated by commas, not by `;`".to_owned()));
    }
    if rest.contains(SCHEME) || rest.contains(TLS_SCHEME) {
        return Err(UrlError("`zookeeper://` stands once, before the first server".to_owned()));
    }
    let (namespace, settings) = behind.split_once('?').unwrap_or((behind, ""));
    let options = with_settings(Options { user, ..Options::new(servers) }, tls, settings)?;
    if let Err(error) = options.checked() {
        // What looks like a bad server may be half a password then, which must not be shown.
        let hidden = options.user.is_none() && namespace.contains('@');
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

fn with_settings(options: Options, tls: bool, settings: &str) -> Result<Options, UrlError> {
    let (mut sign_in, mut files) = (SignIn::default(), Tls::default());
    for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let value =
            percent_decode(value).ok_or_else(|| UrlError(format!("`{name}` has a bad percent-encoding")))?;
        let file = match name {
            "auth" => {
                sign_in = match value.as_str() {
                    "digest" => SignIn::Digest,
                    "sasl" => SignIn::Sasl,
                    _ => return Err(UrlError(format!("`auth` is `sasl` or `digest`, not `{value}`"))),
                };
                continue;
            }
            "ca" => &mut files.ca,
            "cert" => &mut files.cert,
            "key" => &mut files.key,
            _ => {
                return Err(UrlError(format!(
                    "an address has no setting `{name}`; it may have `auth` and, with `zookeepers://`, `ca`, `cert` and `key`"
                )));
            }
        };
        if value.is_empty() {
            return Err(UrlError(format!("`{name}` names no file")));
        }
        if !tls {
            return Err(UrlError(format!("`{name}` is of TLS, which is spoken with `zookeepers://`")));
        }
        *file = Some(value.into());
    }
    Ok(Options { sign_in, tls: tls.then_some(files), ..options })
}

fn parse_user(text: &str) -> Result<String, UrlError> {
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
    fn a_url_has_servers_a_namespace_and_perhaps_a_user() {
        let (options, namespace) = parse_url("zookeeper://h1:2181,h2/ns/sub").unwrap();
        assert_eq!(
            (options.servers.as_str(), options.user, namespace.as_str()),
            ("h1:2181,h2", None, "/ns/sub")
        );
        let (options, namespace) = parse_url("zookeeper://me:p%40s%2Fs@w@[::1]:2182").unwrap();
        assert_eq!(options.user.as_deref(), Some("me:p@s/s@w"));
        assert_eq!(options.checked().unwrap().servers, [Server { host: "::1".to_owned(), port: 2182 }]);
        assert_eq!(namespace, Path::root());
    }

    #[test]
    fn a_url_says_how_its_user_signs_in_and_what_of_tls_is_believed() {
        let (options, namespace) = parse_url("zookeeper://me:pw@h1/ns?auth=sasl").unwrap();
        assert_eq!((options.sign_in, namespace.as_str()), (SignIn::Sasl, "/ns"));
        assert_eq!(parse_url("zookeeper://me:pw@h1/ns?").unwrap().0.sign_in, SignIn::Digest);
        let tls = parse_url("zookeepers://h1,h2:9/ns?ca=/etc/our%20ca.pem&cert=c.pem&key=k.pem");
        #[cfg(not(feature = "tls"))]
        assert!(tls.unwrap_err().to_string().contains("built without TLS"));
        #[cfg(feature = "tls")]
        {
            let (options, _) = tls.unwrap();
            let server = |host: &str, port| Server { host: host.to_owned(), port };
            assert_eq!(options.checked().unwrap().servers, [server("h1", 2281), server("h2", 9)]);
            let path = |path: &str| Some(PathBuf::from(path));
            let files = Tls { ca: path("/etc/our ca.pem"), cert: path("c.pem"), key: path("k.pem") };
            assert_eq!(options.tls, Some(files));
        }
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
            ("zookeeper://h1/ns?timeout=3", "no setting `timeout`"),
            ("zookeeper://h1/ns?auth=sasl", "SASL needs `user:password@`"),
            ("zookeeper://u:p@h1/ns?auth=kerberos", "not `kerberos`"),
            ("zookeeper://h1/ns?ca=/etc/ca.pem", "`zookeepers://`"),
            ("zookeepers://h1/ns?ca=", "names no file"),
            ("zookeepers://h1/ns?ca=%zz", "percent"),
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
