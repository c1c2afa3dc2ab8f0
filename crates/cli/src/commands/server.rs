//! `clockwright server`: one control server.

use super::{Global, Signals};
use crate::logging::LogArgs;
use crate::output::{Failure, now, talk};
use clap::Args;
use clockwright::Registry;
use clockwright_server::config::Config;
use clockwright_server::registries::{Registries, Source};
use clockwright_server::{Server, StartError, setup_link};
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where it listens. Beyond this machine it is to stand behind a proxy that speaks TLS
    #[arg(long, env = "CLOCKWRIGHT_LISTEN", default_value = "127.0.0.1:8899")]
    listen: SocketAddr,
    /// Its address as browsers know it. Default: http:// and where it listens
    #[arg(long, env = "CLOCKWRIGHT_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The address of a proxy whose X-Forwarded-For is believed; may be given again
    #[arg(long, env = "CLOCKWRIGHT_TRUSTED_PROXIES", value_delimiter = ',', value_name = "IP")]
    trusted_proxy: Vec<std::net::IpAddr>,
    /// Where projects, jobs, people and the journal are: sqlite:FILE, postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://….
    /// Default: control.db in the data folder
    #[arg(long, env = "CLOCKWRIGHT_DATABASE", hide_env_values = true, value_name = "ADDRESS")]
    database: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

pub(crate) async fn run(global: Global, args: ServerArgs) -> Result<(), Failure> {
    let mut signals = Signals::catch()?;
    let config = config(&args)?;
    std::fs::create_dir_all(&global.data).map_err(|error| {
        Failure::Failed(format!("cannot make the folder {}: {error}", global.data.display()))
    })?;
    let home = home(&global).await?;
    let database = args
        .database
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", global.data.join("control.db").display()));
    let server = Server::start(
        &database,
        config,
        Registries::new([("home".to_owned(), source(home))].into()),
        Arc::new(now),
    )
    .await
    .map_err(failure)?;
    if let Some(link) = setup_link(server.app()).await.map_err(|error| Failure::Failed(error.to_string()))? {
        talk("nobody can sign in yet: whoever opens this link within a day becomes the first administrator");
        talk(&format!("  {}", link.url));
    }
    talk(&format!("serving at {}   Ctrl-C ends it", server.app().config.public_url));
    signals.next().await;
    talk("answering what is under way, then leaving");
    server.stop().await;
    Ok(())
}

fn config(args: &ServerArgs) -> Result<Config, Failure> {
    if !args.listen.ip().is_loopback() && args.trusted_proxy.is_empty() {
        return Err(Failure::Usage(format!(
            "--listen {} is reached from other machines, and passwords would cross the network as they are: listen on 127.0.0.1, or \
             name the proxy that speaks TLS with --trusted-proxy",
            args.listen
        )));
    }
    let public_url = args.public_url.clone().unwrap_or_else(|| format!("http://{}", args.listen));
    Ok(Config {
        listen: args.listen,
        public_url: public_url.trim_end_matches('/').to_owned(),
        trusted_proxies: args.trusted_proxy.clone(),
        ..Config::default()
    })
}

/// The registry `home`: the one that is named, or one in the data folder, which other processes of this machine find there. Projects have
/// namespaces of their own in it.
async fn home(global: &Global) -> Result<Registry, Failure> {
    Ok(Registry::open_or_serve(&global.address()?, None).await?)
}

fn source(registry: Registry) -> Source {
    let connect = move || {
        let registry = registry.clone();
        let session = async move { registry.session().await };
        Box::pin(session) as futures::future::BoxFuture<'static, _>
    };
    Source { connect: Arc::new(connect), credential: false }
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Store(error) => Failure::Unreachable(error.to_string()),
        other => Failure::Failed(other.to_string()),
    }
}
