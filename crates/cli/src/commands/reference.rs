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
    /// The page about the commands
    Cli,
    /// The page about metrics
    Metrics,
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
        ReferenceCommand::Cli => print(&page(program)),
        ReferenceCommand::Metrics => print(&clockwright_server::observe::names::reference()),
        ReferenceCommand::Man { folder } => man(program, folder),
    }
}

/// The page about the commands: what `--help` says of each, and of the options of all once.
pub(crate) fn page(program: Command) -> String {
    let mut text = String::from(
        "# Commands\n\n<!-- Made by `clockwright reference cli`; a test compares it with the code. -->\n",
    );
    let bare = program.term_width(100).disable_help_subcommand(true).disable_help_flag(true);
    let mut bare = hidden_values(bare);
    bare.build();
    text.push_str(&format!("\n## clockwright\n\n```text\n{}```\n", trimmed(&mut bare.clone())));
    each(&bare, &mut text);
    text
}

/// Without the values that the environment happens to have.
fn hidden_values(program: Command) -> Command {
    let program = program.mut_args(|arg| arg.hide_env_values(true));
    let names: Vec<String> = program.get_subcommands().map(|part| part.get_name().to_owned()).collect();
    names.into_iter().fold(program, |program, name| program.mut_subcommand(name, hidden_values))
}

fn each(command: &Command, text: &mut String) {
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        if part.has_subcommands() {
            each(part, text);
            continue;
        }
        // The options of all are told once.
        let own = part.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
        let name = part.get_bin_name().unwrap_or(part.get_name()).to_owned();
        text.push_str(&format!("\n## {name}\n\n```text\n{}```\n", trimmed(&mut own.clone())));
    }
}

/// The help of a command, without spaces at the ends of its lines.
fn trimmed(command: &mut Command) -> String {
    let help = command.render_long_help().to_string();
    help.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn man(program: Command, folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("cannot write the manual to {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // The help of a subcommand is its page; there is none for `help` itself.
    clap_mangen::generate_to(program.disable_help_subcommand(true), folder).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_page_about_the_commands_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md");
        let made = page(crate::examples::with_examples(crate::Cli::command()));
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/reference/cli.md is not what the code says: run this test with WRITE_REFERENCE=1, and look at what changes"
        );
        assert!(made.contains("## clockwright job set") && made.contains("--cron"));
    }
}
