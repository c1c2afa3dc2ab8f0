//! The binary `clockwright`.

mod commands;
mod context;
mod examples;
mod fleet;
mod logging;
mod notify;
mod output;
mod record;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use commands::{
    Global, alert, apply, audit, backup, config, cron, dev, doctor, drift, file, hold, host, job, ledger,
    login, node, operation, project, reference, run, secret, server, shard, silence, stats, sync, token,
    user,
};
use logging::LogArgs;
use output::{Failure, talk};
use std::process::ExitCode;

/// A distributed job scheduler: instances share the items of a job among themselves, and no fire is lost or runs twice.
///
/// Data goes to stdout and talk to stderr. Exit codes: 0 ok, 1 failed, 2 usage (a bad command line or file), 3 cannot connect,
/// 4 not allowed.
#[derive(Debug, Parser)]
#[command(name = "clockwright", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run jobs from a file in this process, with a registry of its own: nothing else is needed
    Dev(dev::DevArgs),
    /// Run jobs from a file, together with all other instances of the same registry
    Node(node::NodeArgs),
    /// See and steer jobs
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Steer single items of a job
    #[command(subcommand)]
    Shard(shard::ShardCommand),
    /// See and steer the hosts that instances run on, over all jobs
    #[command(subcommand)]
    Host(host::HostCommand),
    /// Serve people and programs: settings, operations and history of all projects, over REST
    Server(server::ServerArgs),
    /// Sign in at a server, which is asked from then on
    Login(login::LoginArgs),
    /// Sign out of the server, and end the token that login made
    Logout,
    /// See and change the projects of a server, and who belongs to them
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// Show what jobs files would change in a project of a server
    Diff(apply::DiffArgs),
    /// Let the jobs of a project be as files say, after showing what that changes
    Apply(apply::ApplyArgs),
    /// Print the jobs of a project as a jobs file
    Export(apply::ExportArgs),
    /// See how the registry agrees with a project of a server, and have it put right
    #[command(subcommand)]
    Sync(sync::SyncCommand),
    /// See what others wrote into the registry of a project
    #[command(subcommand)]
    Drift(drift::DriftCommand),
    /// See what stands still in a project by somebody's wish
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// See how far operations are that a server was asked for
    #[command(subcommand)]
    Operation(operation::OperationCommand),
    /// See what is the matter, as a server is told of it, and take it up
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Keep alerts from being sent for a while
    #[command(subcommand)]
    Silence(silence::SilenceCommand),
    /// See and change who is let in by a server
    #[command(subcommand)]
    User(user::UserCommand),
    /// See and change the tokens by which programs are let in by a server
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Read the journal of a server, and verify it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write all that a server's database has into one file
    Backup(backup::BackupArgs),
    /// Put a backup into an empty database, of the same kind or another
    Restore(backup::RestoreArgs),
    /// Say what is not as it should be: with the configuration, the database, the registries, and who could come in
    Doctor(doctor::DoctorArgs),
    /// Ask how a server is set up
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Seal secrets of a server
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// See what became of fires
    #[command(subcommand)]
    Run(run::RunCommand),
    /// Show what became of every due instant of a job, and which have no outcome
    Ledger(ledger::LedgerArgs),
    /// Count how fires ended, by minute, hour or day
    Stats(stats::StatsArgs),
    /// Ask about schedules
    #[command(subcommand)]
    Cron(cron::CronCommand),
    /// Check a jobs file and list its jobs; nothing is started or written
    Verify(file::VerifyArgs),
    /// Print what makes a shell complete the words of this program
    Completion(reference::CompletionArgs),
    /// Make a page of the documentation from the code
    #[command(subcommand, hide = true)]
    Reference(reference::ReferenceCommand),
    /// Supervise one run of a script; started by `dev` and `node`, of no use to people
    #[command(name = "exec-task", hide = true)]
    ExecTask,
}

fn main() -> ExitCode {
    // A supervisor must not have threads, so it is started before anything else.
    if let Some(code) = clockwright::exec_task_if_asked() {
        return code;
    }
    let given = examples::with_examples(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&given).unwrap_or_else(|error| error.exit());
    let failure = match start(cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    let (code, message) = failure.code();
    if let Some(message) = message {
        talk(&format!("clockwright: {message}"));
    }
    ExitCode::from(code)
}

fn start(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Cron(command) => cron::run(&global, command),
        Command::Verify(args) => file::verify(&global, &args),
        Command::Completion(args) => reference::completion(Cli::command(), &args),
        Command::Reference(command) => {
            reference::reference(examples::with_examples(Cli::command()), &command)
        }
        Command::ExecTask => Err(Failure::Usage("exec-task takes no arguments".into())),
        Command::Dev(args) => serve(&args.log.clone(), DEV, dev::run(global, args)),
        Command::Node(args) => serve(&args.log.clone(), "info", node::run(global, args)),
        Command::Job(command) => block_on(job::run(&global, command)),
        Command::Shard(command) => block_on(shard::run(&global, command)),
        Command::Host(command) => block_on(host::run(&global, command)),
        Command::Server(args) => {
            let config = server::configured(&global, &args)?;
            serve(&LogArgs::of_config(&config), "info", server::run(config, args))
        }
        Command::Doctor(args) => block_on(doctor::run(&global, args)),
        Command::Login(args) => block_on(login::login(&global, args)),
        Command::Logout => block_on(login::logout(&global)),
        Command::Project(command) => block_on(project::run(&global, command)),
        Command::Diff(args) => block_on(apply::diff(&global, &args)),
        Command::Apply(args) => block_on(apply::apply(&global, &args)),
        Command::Export(args) => block_on(apply::export(&global, &args)),
        Command::Sync(command) => block_on(sync::run(&global, command)),
        Command::Drift(command) => block_on(drift::run(&global, command)),
        Command::Hold(command) => block_on(hold::run(&global, command)),
        Command::Operation(command) => block_on(operation::run(&global, command)),
        Command::Alert(command) => block_on(alert::run(&global, command)),
        Command::Silence(command) => block_on(silence::run(&global, command)),
        Command::User(command) => block_on(user::run(&global, command)),
        Command::Token(command) => block_on(token::run(&global, command)),
        Command::Audit(command) => block_on(audit::run(&global, command)),
        Command::Backup(args) => block_on(backup::save(global, args)),
        Command::Restore(args) => block_on(backup::load_back(global, args)),
        Command::Config(command) => config::run(&global, &command),
        Command::Secret(command) => block_on(secret::run(&global, &command)),
        Command::Run(command) => block_on(run::run(&global, command)),
        Command::Ledger(args) => block_on(ledger::run(&global, args)),
        Command::Stats(args) => block_on(stats::run(&global, args)),
    }
}

/// Runs a short command on this thread.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// Runs instances on all processors, with their log on stderr.
fn serve(log: &LogArgs, usual: &str, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let logging = {
        let _inside = runtime.enter();
        log.start(usual)?
    };
    clockwright_runtime::limits::raise_open_files();
    let result = runtime.block_on(work);
    runtime.block_on(logging.end());
    // Whatever still runs has had its grace period.
    runtime.shutdown_background();
    result
}

/// What `dev` logs: it shows by itself how runs end, but not how the event store and the registry are.
const DEV: &str = "error,clockwright_events::bus=info,clockwright_events::spool=info,clockwright_registry=info,\
                   clockwright_engine::session=info";
