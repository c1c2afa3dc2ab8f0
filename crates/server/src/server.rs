//! One control server: it opens the store, listens, and leaves in order.

use crate::alerts;
use crate::app::{App, Clock};
use crate::chores::lead::Lead;
use crate::config::Config;
use crate::decide::chain::{Actor, done, target};
use crate::http;
use crate::http::refusal::{Answered, Refusal};
use crate::http::v1::links;
use crate::listen::tls::{Tls, TlsError};
use crate::listen::{self, Listening};
use crate::mirror;
use crate::observe;
use crate::ops;
use crate::ops::resume::SILENT;
use crate::outcomes;
use crate::registries::Registries;
use crate::sealing::{self, UnlockError};
use crate::store::{LinkKind, ServerRow, Store, StoreError};
use clockwright_api::people::NewLink;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a server says that it lives.
const LIVES: Duration = Duration::from_secs(5);
/// How long a server that is not ready any more goes on to answer, so that those who ask `/readyz` every few seconds send nobody more here.
const HEARD: Duration = Duration::from_secs(5);

/// A running control server.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    /// Tells the listener to take no more, a while after the others were told that the server leaves.
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
    lead: Lead,
    /// Says that the server lives.
    living: JoinHandle<()>,
    /// Turns true when the database is migrated beyond this program.
    outgrown: watch::Sender<bool>,
    /// Keeps the live state of all jobs in memory.
    mirroring: JoinHandle<()>,
    /// Carries on operations of its own that rest.
    resuming: JoinHandle<()>,
    /// Keeps the last outcomes of all jobs in memory.
    recalling: JoinHandle<()>,
    /// Tells by itself that the database is away.
    alarming: JoinHandle<()>,
    /// Keeps the metrics small.
    measuring: JoinHandle<()>,
    /// Answers who asks for the metrics without signing in.
    telling: Option<JoinHandle<()>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database does not open.
    #[error("the control store does not open: {0}")]
    Store(#[from] clockwright_sql::OpenError),
    /// The database does not answer.
    #[error("the control store does not load: {0}")]
    Load(#[from] StoreError),
    /// The key file and the database do not go together.
    #[error(transparent)]
    Keys(#[from] UnlockError),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
}

impl StartError {
    /// Whether another process has the address.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Listen { reason, .. } if reason.kind() == std::io::ErrorKind::AddrInUse)
    }
}

impl Server {
    /// Opens the store, and listens; with what [`tls`] made of the configuration.
    ///
    /// # Errors
    /// Those of [`StartError`].
    pub async fn start(
        config: Config,
        tls: Option<Arc<Tls>>,
        registries: Registries,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let listen = config.listen;
        let failed = |reason| StartError::Listen { address: listen, reason };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (closing, closed) = watch::channel(false);
        let inside = Arc::new(OnceLock::new());
        let serving = tokio::spawn(listen::serve(Listening {
            listener,
            tls: tls.clone(),
            router: http::door(Arc::clone(&inside)),
            leaving: closed.clone(),
            config: Arc::new(config.clone()),
        }));
        let (app, row) = match load(config, registries, clock).await {
            Ok(loaded) => loaded,
            Err(error) => {
                serving.abort();
                return Err(error);
            }
        };
        if let Some(tls) = &tls {
            app.serves_with(Arc::clone(tls));
        }
        let _ = inside.set(http::service(Arc::clone(&app)));
        let telling = tell_metrics(&app, closed).await;
        let lead = Lead::start(Arc::clone(&app));
        let outgrown = watch::Sender::new(false);
        let living = tokio::spawn(live(Arc::clone(&app), row, outgrown.clone()));
        let mirroring = tokio::spawn(mirror::watch(Arc::clone(&app)));
        let resuming = tokio::spawn(ops::resume::watch(Arc::clone(&app)));
        let recalling = tokio::spawn(outcomes::watch(Arc::clone(&app)));
        let alarming = tokio::spawn(alerts::own::watch(Arc::clone(&app)));
        let measuring = tokio::spawn(observe::watch(Arc::clone(&app)));
        Ok(Self {
            app,
            address,
            tls,
            closing,
            serving,
            lead,
            living,
            outgrown,
            mirroring,
            resuming,
            recalling,
            alarming,
            measuring,
            telling,
        })
    }

    /// What its requests share.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Reads the certificate again, for the connections from now on; false where there is none.
    ///
    /// # Errors
    /// It cannot be used, and the one of before stays.
    pub fn read_again(&self) -> Result<bool, TlsError> {
        match &self.tls {
            Some(tls) => tls.read_again().map(|()| true),
            None => Ok(false),
        }
    }

    /// Waits until a later program has migrated the database so that this one cannot work with it any more.
    pub async fn outgrown(&self) {
        let mut outgrown = self.outgrown.subscribe();
        if outgrown.wait_for(|outgrown| *outgrown).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leaves in order: says that it is not ready and ends streams, waits until balancers have heard so where there may be some, takes no
    /// more connections and answers what is under way, gives up its term, ends the sessions with the registries, and closes the store. Dropped
    /// meanwhile it ends as a crash would, which harms nothing.
    pub async fn stop(self) {
        self.app.leave();
        self.resuming.abort();
        if self.is_balanced() {
            tokio::time::sleep(HEARD).await;
        }
        self.closing.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the listener failed");
        }
        self.lead.stop().await;
        self.living.abort();
        self.mirroring.abort();
        self.recalling.abort();
        self.alarming.abort();
        self.measuring.abort();
        if let Some(telling) = self.telling {
            let _ = telling.await;
        }
        self.app.registries.close().await;
        // Who does not find the row any more need not wait for it to grow old.
        let _ = self.app.store.server_gone(&self.app.id).await;
        self.app.store.close().await;
    }
}

impl Server {
    /// Whether others may stand between it and who asks.
    fn is_balanced(&self) -> bool {
        !self.address.ip().is_loopback() || !self.app.config.trusted_proxies.is_empty()
    }
}

/// Opens the store, loads what lists need, and lets the others know the server: what a server begins that nobody knows is taken up by another one.
async fn load(
    config: Config,
    registries: Registries,
    clock: Clock,
) -> Result<(Arc<App>, ServerRow), StartError> {
    let store = Store::open(config.database.reveal()).await?;
    let vault = sealing::unlock(&store, &config).await?;
    let app = App::new(store, vault, config, registries, clock).await?;
    let row = row(&app);
    app.store.server_seen(&row).await?;
    Ok((app, row))
}

/// Lets whoever reaches `metrics.listen` read them. That the address is not to be had keeps no server from its work.
async fn tell_metrics(app: &Arc<App>, leaving: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    let address = app.config.metrics_listen?;
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, %error, "the metrics are not told there: `metrics.listen` is not to be had");
            return None;
        }
    };
    let (router, config) = (http::open_metrics(Arc::clone(app)), Arc::clone(&app.config));
    Some(tokio::spawn(listen::serve(Listening { listener, tls: None, router, leaving, config })))
}

/// Says every few seconds that this server lives. What a server began that is silent for longer is taken up by another one.
async fn live(app: Arc<App>, row: ServerRow, outgrown: watch::Sender<bool>) {
    let pulse = app.pulses.begin("presence");
    loop {
        pulse.during(tokio::time::sleep(LIVES)).await;
        // A database that does not answer, or has tables of before, is no reason to end.
        if pulse.during(app.store.is_outgrown()).await.unwrap_or_default() {
            outgrown.send_replace(true);
        }
        let row = ServerRow { seen: app.now(), ..row.clone() };
        if let Err(error) = pulse.during(app.store.server_seen(&row)).await {
            tracing::debug!(%error, "the others are told later that this server lives");
        }
    }
}

/// The server, as the others know it.
fn row(app: &App) -> ServerRow {
    ServerRow {
        id: app.id.clone(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        address: app.config.public_url.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: app.now(),
        seen: app.now(),
    }
}

/// What handshakes are made with, if it speaks TLS itself.
///
/// # Errors
/// The certificate cannot be used.
pub fn tls(config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => Ok(Some(Arc::new(Tls::read(cert, key)?))),
        _ => Ok(None),
    }
}

/// How the first administrator comes in.
#[derive(Debug, Clone)]
pub enum Setup {
    /// By this link of ours.
    Here(NewLink),
    /// By the link that this other server, which lives, has printed.
    Elsewhere(ServerRow),
    /// There is somebody.
    Over,
}

/// What a start says while nobody exists: a link by which the first administrator comes in. There is one at a time: it is made by the first of several
/// servers that start, and the others say where it was printed. After that one has died, another one makes a new one in its place. The others know
/// the server by now, as they do from its [start](Server::start) on.
///
/// # Errors
/// The database is away.
pub async fn setup(app: &App) -> Result<Setup, StoreError> {
    set_up(app, false).await
}

/// A new link by which the first administrator comes in, in the place of any other one; `None` when there is somebody.
///
/// # Errors
/// The database is away.
pub async fn setup_link(app: &App) -> Result<Option<NewLink>, StoreError> {
    match set_up(app, true).await? {
        Setup::Here(link) => Ok(Some(link)),
        Setup::Elsewhere(_) | Setup::Over => Ok(None),
    }
}

async fn set_up(app: &App, anew: bool) -> Result<Setup, StoreError> {
    let made: Answered<Setup> = async {
        let mut change = app.begin_as(Actor::server("setup")).await?;
        // Of those that start at the same time, each sees what the one before has made.
        change.number().await?;
        if !change.nobody_exists().await? {
            return Ok(Setup::Over);
        }
        if let Some(link) = change.setup_link().await?.filter(|link| !anew && link.who != app.id)
            && let Some(server) = change.server(&link.who, app.now() - SILENT).await?
        {
            return Ok(Setup::Elsewhere(server));
        }
        let link = links::make(app, &mut change, LinkKind::Setup, &app.id).await?;
        change.record(done("setup.link", 0, target("link", "", "setup"), Value::Null, ""));
        app.commit(change).await?;
        Ok(Setup::Here(link))
    }
    .await;
    made.map_err(|refusal| match refusal {
        Refusal::Problem(problem) => StoreError::Away(problem.detail.clone()),
        Refusal::Replay(_) => StoreError::Refused("a start has no key".to_owned()),
    })
}
