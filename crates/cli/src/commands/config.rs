//! `clockwright config …`: how a server is set up, and where each of its values is from.

use super::Global;
use crate::output::{Failure, show, table};
use clap::{Args, Subcommand};
use clockwright_api::system::Setting;
use clockwright_server::config::{Config, Sources, read};
use std::path::{Path, PathBuf};

/// The file that is read where no other is named.
const USUAL: &str = "clockwright.yaml";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print each value of a server's configuration, and where it is from: the file, the environment, or the default
    Show(ConfigArgs),
}

/// Which file.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration of a server. Default: clockwright.yaml of this folder, if it is there
    #[arg(long, env = "CLOCKWRIGHT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(global: &Global, command: &ConfigCommand) -> Result<(), Failure> {
    let ConfigCommand::Show(args) = command;
    let config = load(global, args, Vec::new())?;
    let rows: Vec<Setting> = config.said.iter().map(Setting::from).collect();
    show(global.output, &rows, |rows| {
        table(
            ["KEY", "VALUE", "FROM"],
            rows.iter().map(|row| [row.key.clone(), row.value.clone(), row.origin.clone()]),
        )
    })
}

/// Reads the configuration of a server.
pub(crate) fn load(
    global: &Global,
    args: &ConfigArgs,
    mut options: Vec<(&'static str, &'static str, String)>,
) -> Result<Config, Failure> {
    // What the environment says of these two is found there; what is left was said on the command line.
    let folder = global.data_folder.as_ref().map(|folder| folder.display().to_string());
    for (option, key, said) in
        [("--data", "data", folder), ("--registry", "registry", global.registry.clone())]
    {
        let variable = format!("CLOCKWRIGHT_{}", key.to_ascii_uppercase());
        if let Some(said) = said.filter(|said| std::env::var(&variable).as_ref() != Ok(said)) {
            options.push((option, key, said));
        }
    }
    let file = match &args.config {
        Some(path) => Some(text_of(path)?),
        None if Path::new(USUAL).exists() => Some(text_of(Path::new(USUAL))?),
        None => None,
    };
    let text = |os: std::ffi::OsString| os.into_string().ok();
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    read(&Sources { file, environment, options })
        .map_err(|problems| Failure::Usage(format!("the configuration cannot be used:\n{problems}")))
}

fn text_of(path: &Path) -> Result<(String, String), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Ok((path.display().to_string(), text))
}
