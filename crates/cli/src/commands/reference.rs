//! `clockwright completion` and `clockwright reference …`: what is made from the command line itself, and from the code.

use crate::output::{Failure, print};
use clap::{Args, Command, Subcommand};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell that is to complete: its file goes where that shell looks for such files
    shell: Shell,
}

/// Prints what a shell needs to complete our commands and options.
pub(crate) fn completion(mut program: Command, args: &CompletionArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "clockwright", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Pages of the documentation.
#[derive(Debug, Subcommand)]
pub(crate) enum ReferenceCommand {
    /// The page about jobs files
    JobsFile,
    /// The page about the reasons of outcomes
    Reasons,
    /// The page about a server's configuration
    ServerConfig,
    /// The document of the interface, OpenAPI 3.1
    Openapi,
    /// The page about who may call which route
    Permissions,
    /// The page about problems
    Problems,
    /// The manual: a page for each command, into this folder
    Man {
        /// The folder, made when it is missing
        folder: PathBuf,
    },
}

/// Makes a generated page of the documentation.
pub(crate) fn reference(program: Command, command: &ReferenceCommand) -> Result<(), Failure> {
    match command {
        ReferenceCommand::JobsFile => print(&clockwright::jobs_file::reference()),
        ReferenceCommand::Reasons => print(&clockwright_model::reason::reference()),
        ReferenceCommand::ServerConfig => print(&clockwright_server::config::reference()),
        ReferenceCommand::Openapi => print(clockwright_server::http::reference::openapi()),
        ReferenceCommand::Permissions => print(&clockwright_server::http::reference::permissions()),
        ReferenceCommand::Problems => print(&clockwright_server::http::reference::problems()),
        ReferenceCommand::Man { folder } => man(program, folder),
    }
}

fn man(program: Command, folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("cannot write the manual to {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // The help of a subcommand is its page; there is none for `help` itself.
    clap_mangen::generate_to(program.disable_help_subcommand(true), folder).map_err(failed)
}
