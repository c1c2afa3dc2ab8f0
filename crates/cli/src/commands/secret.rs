//! `clockwright secret …`: what is sealed in the configuration of a server and in its database.

use super::Global;
use super::backup::open;
use super::config::{ConfigArgs, load};
use super::server::make_private;
use crate::output::{Failure, print, talk};
use clap::{Args, Subcommand};
use clockwright_server::sealing::{self, KeyFileError, Place, UnlockError};
use std::io::Read as _;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Seal what stands on stdin with the first key of the key file, for a value of clockwright.yaml; a key file is made if there is none
    Seal(ConfigArgs),
    /// Seal all secrets in the database anew with the first key of the key file
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Put a new key in front of the others first. Where several servers share a database, copy the file to each before rotating
    #[arg(long)]
    new_key: bool,
}

pub(crate) async fn run(global: &Global, command: &SecretCommand) -> Result<(), Failure> {
    match command {
        SecretCommand::Seal(args) => seal(global, args),
        SecretCommand::Rotate(args) => rotate(global, args).await,
    }
}

fn seal(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    let path = load(global, args, Vec::new())?.key_file;
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("stdin has no text: {error}")))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Failure::Usage(
            "there is nothing on stdin: `printf %s \"$PASSWORD\" | clockwright secret seal`".into(),
        ));
    }
    if !path.exists() {
        if let Some(folder) = path.parent() {
            make_private(folder)?;
        }
        sealing::make(&path).map_err(file)?;
        talk(&format!("made the key file {}", path.display()));
    }
    let ring = sealing::read(&path).map_err(file)?;
    print(&format!("sealed:{}\n", ring.seal(Place::CONFIG, text)))
}

async fn rotate(global: &Global, args: &RotateArgs) -> Result<(), Failure> {
    let config = load(global, &args.config, Vec::new())?;
    let store = open(&config).await?;
    // The file of now has to be the database's, before anything is put into it.
    sealing::unlock(&store, &config).await.map_err(failure)?;
    if args.new_key {
        let key = sealing::put_first(&config.key_file).map_err(file)?;
        talk(&format!("put the key {key} in front of the others of {}", config.key_file.display()));
    }
    let rotated = sealing::rotate(&store, &config).await.map_err(failure)?;
    store.close().await;
    talk(&format!("sealed anew with the key {}: {}", rotated.key, rotated.sealed));
    Ok(())
}

fn file(error: KeyFileError) -> Failure {
    Failure::Failed(error.to_string())
}

fn failure(error: UnlockError) -> Failure {
    match error {
        UnlockError::Store(error) => Failure::Unreachable(error.to_string()),
        other => Failure::Failed(other.to_string()),
    }
}
