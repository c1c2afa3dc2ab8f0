//! Where jobs are coordinated: an address, and the sessions opened there.

use clockwright_fleet::keys::Keys;
use clockwright_registry::{
    ConnectOptions, Embedded, Error, OpenError, Session, SharedRegistry, SocketServer, SocketSession,
};
#[cfg(feature = "zookeeper")]
use clockwright_registry_zookeeper::{Options, ZooKeeper, parse_url};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The namespace of an embedded registry when none is given.
pub const DEFAULT_NAMESPACE: &str = "jobs";

/// The registry of one namespace: where instances of the same jobs find each other.
///
/// An address is one of
/// - `zookeeper://[user:password@]host:port,host:port/namespace`: ZooKeeper 3.4 to 3.9 (feature `zookeeper`). The namespace is Elastic-Job's, so
///   Java instances of the same namespace take part in the same jobs. `zookeepers://…` speaks TLS (feature `zookeeper-tls`), and what may
///   stand behind the namespace is at [`parse_url`](crate::zookeeper::parse_url);
/// - `embedded:FOLDER/namespace`: the registry of a process on this machine, kept in `FOLDER/registry`. The process that
///   opens it first keeps it and serves the others through a socket, when it was asked to (as `clockwright dev` does).
#[derive(Clone)]
pub struct Registry {
    backend: Backend,
    keys: Keys,
    /// The session of [`job`](Self::job)'s operations, once there was one.
    operator: Arc<Mutex<Option<SharedRegistry>>>,
}

#[derive(Clone)]
enum Backend {
    #[cfg(feature = "zookeeper")]
    ZooKeeper(Options),
    /// `_server` keeps the socket open.
    Own {
        embedded: Embedded,
        _server: Option<Arc<SocketServer>>,
        options: ConnectOptions,
    },
    Socket {
        path: PathBuf,
        session_timeout: i64,
    },
}

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address makes no sense.
    #[error("{0}")]
    Address(String),
    /// The folder of an embedded registry cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The socket of an embedded registry cannot be made.
    #[error("cannot serve the registry at {path}: {error}")]
    Serve {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Nobody serves the embedded registry, and there is none to open.
    #[error("there is no registry in {}; start `clockwright dev` there, or say where it is with --data or --registry", .0.display())]
    Nothing(PathBuf),
    /// The registry did not answer.
    #[error(transparent)]
    Registry(#[from] Error),
}

/// A registry address, taken apart.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// ZooKeeper servers and a namespace.
    #[cfg(feature = "zookeeper")]
    ZooKeeper {
        /// Servers and credentials.
        options: Options,
        /// Without slashes at its ends.
        namespace: String,
    },
    /// A folder of this machine and a namespace.
    Embedded {
        /// The data folder; the registry is in `registry` below it.
        folder: PathBuf,
        /// Without slashes at its ends.
        namespace: String,
    },
}

impl Address {
    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            #[cfg(feature = "zookeeper")]
            Address::ZooKeeper { namespace, .. } => namespace,
            Address::Embedded { namespace, .. } => namespace,
        }
    }

    /// True when it names a user, for whom nodes are then made.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        match self {
            #[cfg(feature = "zookeeper")]
            Address::ZooKeeper { options, .. } => options.user.is_some(),
            Address::Embedded { .. } => false,
        }
    }

    /// Reads an address.
    ///
    /// # Errors
    /// [`ConnectError::Address`] says what is wrong; it never shows the password.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        let text = &pasted(text);
        #[cfg(not(feature = "zookeeper"))]
        if is_of_zookeeper(text) {
            return Err(ConnectError::Address(
                "ZooKeeper needs the feature `zookeeper` of clockwright, without which this program was built".into(),
            ));
        }
        #[cfg(feature = "zookeeper")]
        if is_of_zookeeper(text) {
            let (options, path) =
                parse_url(text).map_err(|error| ConnectError::Address(error.to_string()))?;
            let namespace = path.as_str().trim_matches('/').to_owned();
            if namespace.is_empty() {
                return Err(ConnectError::Address(
                    "the address has no namespace; write `zookeeper://host:2181/namespace`".into(),
                ));
            }
            check_namespace(&namespace)?;
            return Ok(Address::ZooKeeper { options, namespace });
        }
        let form = "write `embedded:FOLDER/namespace` or `zookeeper://host:2181/namespace`";
        let Some(rest) = text.strip_prefix("embedded:") else {
            if let Some(meant) = meant(text) {
                let message =
                    format!("the address does not say what kind of registry it is of; write `{meant}`");
                return Err(ConnectError::Address(message));
            }
            let scheme = text.split(':').next().unwrap_or_default();
            if scheme.is_empty() {
                return Err(ConnectError::Address(format!("the address names no kind of registry; {form}")));
            }
            return Err(ConnectError::Address(format!("`{scheme}` is not a kind of registry; {form}")));
        };
        match rest.trim_end_matches('/').rsplit_once('/') {
            Some((folder, namespace)) if !namespace.is_empty() && namespace != "." && namespace != ".." => {
                let folder = if folder.is_empty() { "/" } else { folder };
                check_namespace(namespace)?;
                Ok(Address::Embedded { folder: folder.into(), namespace: namespace.to_owned() })
            }
            _ => Err(ConnectError::Address(format!("`{text}` has no folder or no namespace; {form}"))),
        }
    }

    /// The registry in a data folder.
    ///
    /// # Errors
    /// The namespace cannot be used.
    pub fn embedded(folder: &Path, namespace: &str) -> Result<Self, ConnectError> {
        Self::keys(namespace)?;
        Ok(Address::Embedded { folder: folder.to_owned(), namespace: namespace.to_owned() })
    }

    fn keys(namespace: &str) -> Result<Keys, ConnectError> {
        Keys::new(namespace).map_err(|error| ConnectError::Address(error.to_string()))
    }
}

/// Never shows the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "zookeeper")]
            Address::ZooKeeper { options, namespace } => {
                write!(f, "{}{}/{namespace}", options.scheme(), options.servers)
            }
            Address::Embedded { folder, namespace } => write!(f, "embedded:{}/{namespace}", folder.display()),
        }
    }
}

/// How long an instance waits for an embedded registry that another process has open without serving it, as commands do that only look.
const IN_USE: Duration = Duration::from_secs(10);
/// How often it looks meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Registry {
    /// Connects to the registry at an address, and finds out whether it answers.
    ///
    /// # Errors
    /// The address makes no sense, or nobody answers there.
    pub async fn connect(address: &str) -> Result<Self, ConnectError> {
        Self::open(&Address::parse(address)?, None).await
    }

    /// As [`connect`](Self::connect), with a session timeout: after that long without a sign of life, an instance counts as dead and
    /// others take over its items. ZooKeeper has bounds of its own for it. Default 12 s.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn open(address: &Address, session_timeout: Option<Duration>) -> Result<Self, ConnectError> {
        let (backend, namespace) = match address {
            #[cfg(feature = "zookeeper")]
            Address::ZooKeeper { options, namespace } => {
                let mut options = options.clone();
                options.session_timeout = session_timeout.map_or(options.session_timeout, millis);
                (Backend::ZooKeeper(options), namespace)
            }
            Address::Embedded { folder, namespace } => {
                let path = socket_path(folder);
                let options = connect_options(session_timeout);
                let served = Backend::Socket { path, session_timeout: options.session_timeout };
                if served.session().await.is_ok() {
                    (served, namespace)
                } else if registry_folder(folder).is_dir() {
                    let embedded = Embedded::open(&registry_folder(folder)).await?;
                    (Backend::Own { embedded, _server: None, options }, namespace)
                } else {
                    return Err(ConnectError::Nothing(folder.clone()));
                }
            }
        };
        let registry = Self::new(backend, namespace)?;
        registry.session().await?.close().await?;
        Ok(registry)
    }

    /// Opens the registry in a folder, which is made when it is missing, and serves it to other processes of this machine.
    ///
    /// # Errors
    /// Another process has it, or the folder cannot be used.
    pub async fn serve(folder: &Path, namespace: &str) -> Result<Self, ConnectError> {
        Self::serve_with(folder, namespace, ConnectOptions::default()).await
    }

    async fn serve_with(
        folder: &Path,
        namespace: &str,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let embedded = Embedded::open(&registry_folder(folder)).await?;
        let path = socket_path(folder);
        let server = embedded.serve(&path).await.map_err(|error| ConnectError::Serve { path, error })?;
        let backend = Backend::Own { embedded, _server: Some(Arc::new(server)), options };
        Self::new(backend, namespace)
    }

    /// As [`open`](Self::open), for an instance: an embedded registry that nobody has open is opened (and made, if it is
    /// missing) and served to others by this process.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`serve`](Self::serve).
    pub async fn open_or_serve(
        address: &Address,
        session_timeout: Option<Duration>,
    ) -> Result<Self, ConnectError> {
        let (folder, namespace) = match address {
            Address::Embedded { folder, namespace } => (folder, namespace),
            #[cfg(feature = "zookeeper")]
            Address::ZooKeeper { .. } => return Self::open(address, session_timeout).await,
        };
        let options = connect_options(session_timeout);
        let backend = Backend::Socket { path: socket_path(folder), session_timeout: options.session_timeout };
        let begun = tokio::time::Instant::now();
        loop {
            match backend.session().await {
                Ok(session) => {
                    session.close().await?;
                    return Self::new(backend, namespace);
                }
                // Somebody answers, and will not have us.
                Err(error @ (Error::Refused(_) | Error::Denied(_))) => return Err(error.into()),
                Err(_) => {}
            }
            match Self::serve_with(folder, namespace, options).await {
                // A command looks into it at this moment, or somebody else is about to serve it.
                Err(ConnectError::Open(OpenError::InUse { .. })) if begun.elapsed() < IN_USE => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                served => return served,
            }
        }
    }

    /// A registry in memory, for tests: gone with the last clone.
    ///
    /// # Errors
    /// The namespace cannot be used.
    pub fn in_memory(namespace: &str) -> Result<Self, ConnectError> {
        let options = ConnectOptions::default();
        let backend = Backend::Own { embedded: Embedded::in_memory(), _server: None, options };
        Self::new(backend, namespace)
    }

    fn new(backend: Backend, namespace: &str) -> Result<Self, ConnectError> {
        Ok(Self { backend, keys: Address::keys(namespace)?, operator: Arc::default() })
    }

    /// The session that operations share: opened by the first, and anew by the next after it was lost.
    pub(crate) async fn operator(&self) -> Result<SharedRegistry, Error> {
        let mut operator = self.operator.lock().await;
        if let Some(session) = &*operator
            && *session.session().borrow() != Session::Lost
        {
            return Ok(Arc::clone(session));
        }
        let session = self.session().await?;
        *operator = Some(Arc::clone(&session));
        Ok(session)
    }

    /// The paths of the namespace.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Opens another session.
    ///
    /// # Errors
    /// Nobody answers, or the registry does not let us in.
    pub async fn session(&self) -> Result<SharedRegistry, Error> {
        self.backend.session().await
    }
}

impl Backend {
    async fn session(&self) -> Result<SharedRegistry, Error> {
        Ok(match self {
            #[cfg(feature = "zookeeper")]
            Backend::ZooKeeper(options) => ZooKeeper::connect(options.clone()).await?,
            Backend::Own { embedded, options, .. } => embedded.connect(*options)?,
            Backend::Socket { path, session_timeout } => {
                SocketSession::connect(path, ConnectOptions { session_timeout: *session_timeout }).await?
            }
        })
    }
}

/// Refuses what nobody means to have in a namespace: it would be another one than the one that looks the same.
fn check_namespace(namespace: &str) -> Result<(), ConnectError> {
    let invisible = |c: &char| {
        c.is_control()
            || (c.is_whitespace() && *c != ' ')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
    };
    let why = if let Some(c) = namespace.chars().find(invisible) {
        format!("it has the invisible character U+{:04X}", u32::from(c))
    } else if namespace.split('/').any(|name| name != name.trim()) {
        "it begins or ends with a space".to_owned()
    } else if namespace.contains(['?', '#']) {
        "it has a `?` or `#`; an address has no settings behind it".to_owned()
    } else if namespace.contains(['"', '\'', '`']) {
        "it has a quotation mark".to_owned()
    } else {
        return Ok(());
    };
    Err(ConnectError::Address(format!("the namespace `{namespace}` cannot be meant: {why}")))
}

fn is_of_zookeeper(text: &str) -> bool {
    text.starts_with("zookeeper:") || text.starts_with("zookeepers:")
}

fn connect_options(session_timeout: Option<Duration>) -> ConnectOptions {
    session_timeout
        .map_or_else(ConnectOptions::default, |timeout| ConnectOptions { session_timeout: millis(timeout) })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn registry_folder(folder: &Path) -> PathBuf {
    folder.join("registry")
}

/// The socket lies in the registry's own folder.
fn socket_path(folder: &Path) -> PathBuf {
    registry_folder(folder).join("socket")
}

/// An address as it was meant that was copied with blanks, quotes, or blanks after its commas.
fn pasted(text: &str) -> String {
    let text = text.trim().trim_matches(['"', '\'', '`']).trim();
    // A password may have a blank.
    match text.contains('@') {
        true => text.to_owned(),
        false => text.split(',').map(str::trim).collect::<Vec<_>>().join(","),
    }
}

/// The address that somebody means who writes `h1:2181,h2:2181/ns` as in Elastic-Job's `serverLists`, or `zk://…`; without a password,
/// which is not shown.
fn meant(text: &str) -> Option<String> {
    if text.contains('@') {
        return None;
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = if scheme.is_empty() { rest.strip_prefix("zk:").unwrap_or(rest) } else { rest };
    let (servers, namespace) = rest.split_once('/').unwrap_or((rest, ""));
    let is_server = |server: &str| {
        server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    let known = ["", "zk", "zoo", "zookeeper"].contains(&scheme.to_ascii_lowercase().as_str());
    let namespace = if namespace.is_empty() { "namespace" } else { namespace };
    (known && servers.split(',').all(is_server)).then(|| format!("zookeeper://{servers}/{namespace}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_address_has_a_place_and_a_namespace_and_never_shows_its_password() {
        for (text, shown) in [
            #[cfg(feature = "zookeeper")]
            ("zookeeper://ann:s3cret@h1:2181,h2/team/jobs", "zookeeper://h1:2181,h2/team/jobs"),
            ("embedded:.clockwright/jobs", "embedded:.clockwright/jobs"),
            ("embedded:/var/lib/clockwright/jobs", "embedded:/var/lib/clockwright/jobs"),
        ] {
            assert_eq!(Address::parse(text).map_err(|error| error.to_string()).unwrap().to_string(), shown);
        }
        for bad in
            ["", "etcd://h1/ns", "zookeeper://h1", "embedded:jobs", "embedded:", "zookeeper://ann:s3cret@/ns"]
        {
            let Err(error) = Address::parse(bad) else { panic!("{bad} was taken") };
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_address_as_people_paste_it_is_read_or_answered_with_the_right_one() {
        for text in [" 'embedded:d/jobs' ", "embedded:d/jobs/\n", "\"embedded:d/jobs\""] {
            assert_eq!(
                Address::parse(text).map_err(|error| error.to_string()).unwrap().to_string(),
                "embedded:d/jobs"
            );
        }
        #[cfg(feature = "zookeeper")]
        assert_eq!(
            Address::parse("zookeeper://h1:2181, h2:2181/ns/")
                .map_err(|error| error.to_string())
                .unwrap()
                .to_string(),
            "zookeeper://h1:2181,h2:2181/ns"
        );
        for (text, right) in [
            ("h1:2181,h2:2181/ns", "`zookeeper://h1:2181,h2:2181/ns`"),
            ("localhost:2181", "`zookeeper://localhost:2181/namespace`"),
            ("zk://h1:2181/ns", "`zookeeper://h1:2181/ns`"),
            ("ZooKeeper://h1:2181/ns", "`zookeeper://h1:2181/ns`"),
        ] {
            let Err(error) = Address::parse(text) else { panic!("{text} was taken") };
            assert!(error.to_string().ends_with(&format!("write {right}")), "{error}");
        }
        let Err(error) = Address::parse("ann:s3cret@h1:2181/ns") else { panic!("it says no kind") };
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn a_namespace_that_cannot_be_meant_is_refused_with_what_is_wrong() {
        for (text, said) in [
            ("embedded:data/jo\u{200b}bs", "U+200B"),
            ("embedded:data/\u{feff}jobs", "U+FEFF"),
            ("embedded:data/jobs?timeout=3", "no settings"),
            ("embedded:data/jo\"bs", "quotation mark"),
        ] {
            let Err(error) = Address::parse(text) else { panic!("{text} was taken") };
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_folder_without_a_registry_is_not_made_into_one() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("embedded:{}/jobs", folder.path().display());
        let Err(error) = Registry::connect(&address).await else { panic!("there is nothing") };
        assert!(error.to_string().contains("clockwright dev"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_session_timeout_counts_for_the_process_that_serves_the_registry_too() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Embedded { folder: folder.path().into(), namespace: "jobs".into() };
        let served = Registry::open_or_serve(&address, Some(Duration::from_secs(4))).await.unwrap();
        assert_eq!(served.session().await.unwrap().terms().timeout, 4_000);
        let Err(error) = Registry::open_or_serve(&address, Some(Duration::from_millis(7))).await else {
            panic!("7 ms is too short")
        };
        assert!(error.to_string().contains("100 to 3,600,000 ms"), "{error}");
    }

    #[tokio::test]
    async fn a_served_registry_is_found_by_its_address() {
        use clockwright_registry::Op;
        let folder = tempfile::tempdir().unwrap();
        let served = Registry::serve(folder.path(), "jobs").await.unwrap();
        let session = served.session().await.unwrap();
        session.commit(vec![Op::create(served.keys().root().clone(), "seen")]).await.unwrap();
        let other = Registry::connect(&format!("embedded:{}/jobs", folder.path().display())).await.unwrap();
        let node =
            other.session().await.unwrap().read(&[other.keys().root().clone()]).await.unwrap().remove(0);
        assert_eq!(&node.unwrap().data[..], b"seen");
    }
}
