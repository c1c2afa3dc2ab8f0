//! `clockwright server`: one control server.

use super::backup::opened;
use super::config::{ConfigArgs, load};
use super::{Global, Signals};
use crate::logging::LogArgs;
use crate::notify;
use crate::output::{Failure, instant, now, talk, with_causes};
use clap::Args;
use clockwright::Registry;
use clockwright::registry::{Address, ConnectError};
use clockwright_registry::{Connect, Error};
use clockwright_runtime::limits::SpareThread;
use clockwright_server::config::{Config, HOME, Secret};
use clockwright_server::registries::{Registries, Source};
use clockwright_server::store::{OpenError, Store};
use clockwright_server::{Server, Setup, StartError, setup};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use tokio::sync::OnceCell;

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only say whether a server could start with this configuration
    #[arg(long)]
    check: bool,
    /// Where it listens. Beyond this machine it speaks TLS itself, or is to stand behind a proxy that does. Default: 127.0.0.1:8899
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Its address as browsers know it. Default: http:// and where it listens
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The address or the network of a proxy whose X-Forwarded-For is believed; may be given again
    #[arg(long, value_name = "IP")]
    trusted_proxy: Vec<String>,
    /// Where projects, jobs, people and the journal are: sqlite:FILE, postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://….
    /// Default: control.db in the data folder
    #[arg(long, value_name = "ADDRESS")]
    database: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The configuration of the server that is to start.
pub(crate) fn configured(global: &Global, args: &ServerArgs) -> Result<Config, Failure> {
    clockwright_runtime::limits::keep_memory_private();
    load(global, &args.config, options(args))
}

pub(crate) async fn run(config: Config, args: ServerArgs) -> Result<(), Failure> {
    let mut signals = Signals::catch()?;
    let addresses = addresses(&config)?;
    let tls = clockwright_server::tls(&config).map_err(|error| Failure::Usage(error.to_string()))?;
    if args.check {
        check(&config).await?;
        talk("a server can start with this configuration");
        return Ok(());
    }
    make_private(&config.data)?;
    let _thread = SpareThread::keep()?;
    let registries = registries(addresses).await?;
    let server = Server::start(config, tls, registries, Arc::new(now)).await.map_err(failure)?;
    match setup(server.app()).await.map_err(|error| Failure::Failed(error.to_string()))? {
        Setup::Here(link) => {
            talk(
                "nobody can sign in yet: who opens this link, or gives it to `clockwright login --link`, within a day becomes the first administrator",
            );
            talk(&format!("  {}", link.url));
        }
        Setup::Elsewhere(other) => talk(&format!(
            "nobody can sign in yet: the link for the first administrator was printed by the server on {}, which started at {}; \
             `clockwright user setup-link` makes another",
            other.host,
            instant(other.started)
        )),
        Setup::Over => {}
    }
    talk(&format!("serving at {}   Ctrl-C ends it", server.app().config.public_url));
    notify::tell(notify::State::Ready);
    let ended = loop {
        let which = tokio::select! {
            which = signals.next() => which,
            () = server.outgrown() => break Err(Failure::Failed(OUTGROWN.to_owned())),
        };
        if which != "SIGHUP" || std::io::stderr().is_terminal() {
            break Ok(());
        }
        match server.read_again() {
            Ok(true) => tracing::info!("the certificate was read again"),
            Ok(false) => tracing::info!("SIGHUP: there is no certificate to be read again"),
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    };
    notify::tell(notify::State::Stopping);
    talk("answering what is under way, then leaving; a second signal ends it now");
    tokio::select! {
        () = server.stop() => {}
        which = signals.next() => talk(&format!("{which} again: ending now")),
    }
    ended
}

const OUTGROWN: &str = "the database was migrated by a later version of this program, beside which this one cannot work: start that version here too";

/// Whether the database could be worked with, and what a start would do to it. Nothing is made or changed.
async fn check(config: &Config) -> Result<(), Failure> {
    match Store::look(config.database.reveal()).await {
        Ok(()) => talk("the database has the tables of this version"),
        Err(OpenError::Missing(place)) => {
            talk(&format!("there is nothing at {place} yet: the first start makes its tables"));
        }
        Err(OpenError::Behind { path, version, goes_on }) => {
            let before = if goes_on {
                "programs of before go on beside it"
            } else {
                "programs of before end, and open it no more"
            };
            talk(&format!(
                "{path} has version {version}, and the next start migrates it: {before}. Make a backup first"
            ));
        }
        Err(error) => return Err(opened(error)),
    }
    Ok(())
}

/// What the command line says of keys of the configuration.
fn options(args: &ServerArgs) -> Vec<(&'static str, &'static str, String)> {
    let proxies = (!args.trusted_proxy.is_empty()).then(|| args.trusted_proxy.join(","));
    [
        ("--listen", "listen", args.listen.clone()),
        ("--public-url", "public_url", args.public_url.clone()),
        ("--trusted-proxy", "trusted_proxies", proxies),
        ("--database", "database", args.database.clone()),
    ]
    .into_iter()
    .filter_map(|(option, key, value)| Some((option, key, value?)))
    .chain(args.log.said())
    .collect()
}

/// Makes the data folder, or that of the key file, if it is missing, as one that only this user enters: databases are in it.
pub(super) fn make_private(folder: &std::path::Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::Failed(format!("cannot make the folder {}: {error}", folder.display())))
}

/// The addresses of all registries, by name.
pub(super) fn addresses(config: &Config) -> Result<BTreeMap<String, Address>, Failure> {
    let read = |(name, address): (&str, &Secret)| {
        let address = Address::parse(address.reveal())
            .map_err(|error| Failure::Usage(format!("the registry `{name}`: {error}")))?;
        Ok((name.to_owned(), address))
    };
    config.all_registries().map(read).collect()
}

/// The registries. `home` has to be there at the start; others may come later. One in a folder is opened by this process if nobody serves it,
/// so that others of this machine find it there.
async fn registries(addresses: BTreeMap<String, Address>) -> Result<Registries, Failure> {
    let mut sources = BTreeMap::new();
    for (name, address) in addresses {
        let credential = address.has_credential();
        let registry = Arc::new(OnceCell::new());
        if name == HOME {
            registry.get_or_try_init(|| Registry::open_or_serve(&address, None)).await?;
        }
        let connect: Connect = Arc::new(move || Box::pin(session(Arc::clone(&registry), address.clone())));
        sources.insert(name, Source { connect, credential });
    }
    Ok(Registries::new(sources))
}

async fn session(
    registry: Arc<OnceCell<Registry>>,
    address: Address,
) -> Result<clockwright_registry::SharedRegistry, Error> {
    let opened = registry.get_or_try_init(|| Registry::open_or_serve(&address, None)).await;
    opened.map_err(away)?.session().await
}

/// Why there is no session, for whoever tries to get one again and again.
pub(super) fn away(error: ConnectError) -> Error {
    match error {
        ConnectError::Registry(error) => error,
        other => Error::Unavailable(with_causes(&other)),
    }
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Store(error) => opened(error),
        error @ StartError::Listen { .. } if error.is_taken() => Failure::Failed(format!(
            "{error}: another process listens there; name another address with --listen"
        )),
        other => Failure::Failed(other.to_string()),
    }
}
