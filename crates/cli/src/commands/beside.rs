//! The control server beside a `dev`: in the same process, on its registry, its history and its folder.
//!
//! It listens where a server does, or where there is room when that is taken, since another `dev` may run on the machine. The jobs of the file are
//! taken over as soon as instances have written them, and so are those that are added to it later. It ends after the instances, so that what
//! they do last is still seen.

use crate::output::{Failure, now, talk};
use clap::Args;
use clockwright::Registry;
use clockwright_model::JobName;
use clockwright_registry::Connect;
use clockwright_server::app::App;
use clockwright_server::config::{Config, HOME, Sources, read};
use clockwright_server::registries::{Registries, Source};
use clockwright_server::{Server, Setup, StartError, local, setup};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where a server listens unless told otherwise.
const USUAL: &str = "127.0.0.1:8899";

/// How many other ports are tried when the usual one is taken.
const PLACES: usize = 5;

/// How soon jobs that are not there yet are looked for again, and how late at most: one of them may never come.
const LOOK: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How long it may take to answer what is under way when all else has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Args)]
pub(crate) struct BesideArgs {
    /// Where the server listens that comes with it. Default: 127.0.0.1:8899, or another port where that is taken
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["in_memory", "no_server"])]
    listen: Option<String>,
    /// Run the jobs alone, without a server to look at them through
    #[arg(long)]
    no_server: bool,
}

/// See the module.
pub(super) struct Beside {
    server: Server,
    taking: JoinHandle<()>,
}

impl BesideArgs {
    /// Whether one is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        !self.no_server
    }
}

impl Beside {
    /// Starts it, and says where it is; and how the first administrator comes in, while there is nobody.
    pub(super) async fn start(
        args: &BesideArgs,
        data: &Path,
        events: Option<&str>,
        registry: &Registry,
        names: watch::Receiver<Vec<JobName>>,
    ) -> Result<Self, Failure> {
        let namespace = registry.keys().root().as_str().trim_matches('/').to_owned();
        let mut places = args.listen.clone().map_or_else(places, |listen| vec![listen]).into_iter();
        let server = loop {
            let Some(listen) = places.next() else {
                return Err(Failure::Failed(
                    "no port is free for the server; --no-server does without one".to_owned(),
                ));
            };
            let config = config(&listen, data, &namespace, events)?;
            match Server::start(config, None, registries(registry), Arc::new(now)).await {
                Ok(server) => break server,
                Err(error) if error.is_taken() && args.listen.is_none() => {}
                Err(error) if error.is_taken() => {
                    return Err(Failure::Failed(format!(
                        "{error}: another process listens there; name another address, or say --no-server"
                    )));
                }
                Err(StartError::Store(error)) => return Err(super::backup::opened(error)),
                Err(error) => return Err(Failure::Failed(error.to_string())),
            }
        };
        talk(&format!("the server is at {}", server.app().config.public_url));
        let setup = setup(server.app()).await.map_err(|error| Failure::Failed(error.to_string()))?;
        if let Setup::Here(link) = setup {
            talk(&format!(
                "nobody can sign in yet; who opens this, or gives it to `clockwright login --link`, within a day becomes its administrator: {}",
                link.url
            ));
        }
        let taking = tokio::spawn(take_in(Arc::clone(server.app()), namespace, names));
        Ok(Self { server, taking })
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.taking.abort();
        let _late = tokio::time::timeout(LAST_ANSWERS, self.server.stop()).await;
    }
}

/// Where it may listen: the usual place, then wherever there is room at this moment. Another process may be faster.
fn places() -> Vec<String> {
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let free = (0..PLACES).filter_map(|_| Some(free().ok()?.to_string()));
    std::iter::once(USUAL.to_owned()).chain(free).collect()
}

/// The configuration that a server of this folder would have.
fn config(listen: &str, data: &Path, namespace: &str, events: Option<&str>) -> Result<Config, Failure> {
    let folder = data.display().to_string();
    let mut options = vec![
        ("--listen", "listen", listen.to_owned()),
        ("--data", "data", folder.clone()),
        ("--namespace", "registry", format!("embedded:{folder}/{namespace}")),
    ];
    options.extend(events.map(|address| ("--events", "store", address.to_owned())));
    read(&Sources { options, ..Sources::default() }).map_err(|problems| Failure::Usage(problems.to_string()))
}

/// The one registry that there is.
fn registries(registry: &Registry) -> Registries {
    let registry = registry.clone();
    let connect: Connect = Arc::new(move || {
        let registry = registry.clone();
        Box::pin(async move { registry.session().await })
    });
    Registries::new([(HOME.to_owned(), Source { connect, credential: false })].into())
}

/// Takes the jobs of the file over: those that there are now, and those that come.
async fn take_in(app: Arc<App>, namespace: String, mut names: watch::Receiver<Vec<JobName>>) {
    let mut pause = LOOK.0;
    loop {
        let wanted = names.borrow_and_update().clone();
        match local::take_in(&app, &namespace).await {
            Ok(jobs) if wanted.iter().all(|name| jobs.iter().any(|job| job == name.as_str())) => {
                if names.changed().await.is_err() {
                    return;
                }
                pause = LOOK.0;
                continue;
            }
            // Instances have not written them all yet.
            Ok(_) => {}
            Err(why) => tracing::warn!(why, "the server does not know all jobs yet"),
        }
        match tokio::time::timeout(pause, names.changed()).await {
            Ok(Ok(())) => pause = LOOK.0,
            Ok(Err(_)) => return,
            Err(_) => pause = LOOK.1.min(pause * 2),
        }
    }
}
