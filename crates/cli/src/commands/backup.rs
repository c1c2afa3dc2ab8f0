//! `clockwright backup` and `clockwright restore`: the database of control servers as a file, and back.

use super::Global;
use super::config::{ConfigArgs, load};
use super::server::make_private;
use crate::output::{Failure, now, show, talk};
use clap::Args;
use clockwright_server::backup::{BackupError, Done, backup, restore};
use clockwright_server::config::Config;
use clockwright_server::store::{OpenError, Store, StoreError};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to be made; it must not be there
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The file that `clockwright backup` has made
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
}

/// What is printed of either.
#[derive(Serialize)]
struct Told {
    file: String,
    rows: u64,
    seq: i64,
    hash: String,
}

pub(crate) async fn save(global: Global, args: BackupArgs) -> Result<(), Failure> {
    let config = load(&global, &args.config, Vec::new())?;
    let store = open(&config).await?;
    let done = backup(&store, &args.file, now()).await;
    store.close().await;
    tell(&global, &args.file, &done?)?;
    talk("keep seq:hash apart from it: they show later that nobody has cut the journal");
    talk(&key(&config));
    Ok(())
}

pub(crate) async fn load_back(global: Global, args: RestoreArgs) -> Result<(), Failure> {
    let config = load(&global, &args.config, Vec::new())?;
    make_private(&config.data)?;
    let store = Store::open(config.database.reveal()).await.map_err(opened)?;
    let done = restore(&store, &args.file, now()).await;
    store.close().await;
    tell(&global, &args.file, &done?)?;
    talk("nobody is signed in, and API tokens are as they were then: end those that were withdrawn since");
    talk("projects are held, and no registry is written, until an administrator of each confirms its sync");
    talk(&key(&config));
    Ok(())
}

fn key(config: &Config) -> String {
    format!(
        "what is sealed opens with the key file ({}) alone, which is in no backup",
        config.key_file.display()
    )
}

fn tell(global: &Global, file: &std::path::Path, done: &Done) -> Result<(), Failure> {
    let told = Told {
        file: file.display().to_string(),
        rows: done.rows,
        seq: done.header.seq,
        hash: done.header.hash.clone(),
    };
    show(global.output, &told, |told| {
        format!("{}: {} rows, journal {}:{}\n", told.file, told.rows, told.seq, told.hash)
    })
}

/// Opens the database of servers, which has to be there: whoever works on one that they have means no fresh one.
pub(crate) async fn open(config: &Config) -> Result<Store, Failure> {
    let address = config.database.reveal();
    match Store::look(address).await {
        Ok(()) => Store::open(address).await.map_err(opened),
        Err(OpenError::Missing(place)) => Err(Failure::Failed(format!("there is nothing at {place} yet"))),
        Err(error) => Err(opened(error)),
    }
}

/// Why a store did not open.
pub(crate) fn opened(error: OpenError) -> Failure {
    match error {
        error @ OpenError::Failed { .. } => {
            Failure::Unreachable(format!("the control store does not open: {error}"))
        }
        error @ OpenError::Newer { .. } => Failure::Failed(format!(
            "{error}: start the later program again, or restore a backup of before into a fresh database"
        )),
        error => Failure::Failed(format!("the control store does not open: {error}")),
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(StoreError::Away(_)) => Failure::Unreachable(error.to_string()),
            BackupError::File { .. } | BackupError::Damaged { .. } | BackupError::Newer { .. } => {
                Failure::Usage(error.to_string())
            }
            _ => Failure::Failed(error.to_string()),
        }
    }
}
