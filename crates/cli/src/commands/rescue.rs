//! `clockwright user …`: the ways into a server that need no server, only its configuration and its database.

use super::Global;
use super::backup::opened;
use super::config::{ConfigArgs, load};
use crate::output::{Failure, now, show, talk};
use clap::Args;
use clockwright_server::app::App;
use clockwright_server::registries::Registries;
use clockwright_server::sealing::unlock;
use clockwright_server::store::{OpenError, Store};
use clockwright_server::{NoRescue, rescue, setup_link};
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct RescueArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Who is let in. Default: an account `rescue`, which has no password and no role of its own
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
}

/// `clockwright user rescue`.
pub(super) async fn let_in(global: &Global, args: &RescueArgs) -> Result<(), Failure> {
    let app = open(global, &args.config).await?;
    let facts = json!({ "uid": rustix::process::getuid().as_raw(), "host": host() });
    let made = rescue(&app, args.login.as_deref(), facts).await;
    app.store.close().await;
    let link = made.map_err(|error| match error {
        NoRescue::Away(why) => Failure::Unreachable(why),
        other => Failure::Failed(other.to_string()),
    })?;
    talk(
        "whoever opens this link within an hour is an administrator for an hour; without a browser it is `POST /api/v1/links/SECRET` with `{}`, where SECRET is what stands behind its `#`",
    );
    show(global.output, &link, |link| link.url.clone())
}

/// `clockwright user setup-link`.
pub(super) async fn set_up(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    let app = open(global, args).await?;
    let made = setup_link(&app).await;
    app.store.close().await;
    let link = made.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let somebody = || Failure::Failed("somebody exists; `clockwright user rescue` lets somebody in".into());
    let link = link.ok_or_else(somebody)?;
    talk(
        "who opens this link, or gives it to `clockwright login --link`, within a day becomes the first administrator",
    );
    show(global.output, &link, |link| link.url.clone())
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The database of a server that has run once.
async fn open(global: &Global, args: &ConfigArgs) -> Result<Arc<App>, Failure> {
    clockwright_runtime::limits::keep_memory_private();
    let config = load(global, args, Vec::new())?;
    let address = config.database.reveal();
    // A look first: opening makes what is missing. What else is wrong is told by the opening itself; an older one is brought up to date by it.
    if let Err(OpenError::Missing(place)) = Store::look(address).await {
        return Err(Failure::Usage(format!(
            "there is no database at {place}; name the server's configuration with --config, or start the server once"
        )));
    }
    let store = Store::open(address).await.map_err(opened)?;
    let vault = unlock(&store, &config).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let app = App::new(store, vault, config, Registries::default(), Arc::new(now)).await;
    app.map_err(|error| Failure::Unreachable(error.to_string()))
}
