//! `clockwright node`: one instance of the jobs of a file, or of jobs whose settings are the registry's.

use super::history::HistoryArgs;
use super::{Global, Signals, file, follow, live, until_signal};
use crate::logging::LogArgs;
use crate::notify;
use crate::output::{Failure, talk};
use clap::Args;
use clockwright::{Allow, Events, Job, Layout, OnRegistryLoss, Registry, Scheduler, SchedulerOptions};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// The jobs file. SCRIPT and HTTP jobs run exactly what this file says: it is given by the operator of this machine, and
    /// nothing in the registry can change which program or address is used
    #[arg(short, long, required_unless_present = "job", conflicts_with = "job")]
    file: Option<PathBuf>,
    #[command(flatten)]
    read: file::ReadArgs,
    /// Run this job as the registry has it, where a server keeps its settings; may be given again. What it runs must have been allowed by
    /// --allow-command or --allow-url, and nothing is by default
    #[arg(short, long, value_name = "NAME")]
    job: Vec<String>,
    /// With --job: programs below this folder may be run, or this one program; never a shell. May be given again
    #[arg(long, value_name = "PATH", requires = "job")]
    allow_command: Vec<PathBuf>,
    /// With --job: requests may be sent to addresses that begin so, such as https://hooks.example.com/nightly/. May be given again
    #[arg(long, value_name = "URL", requires = "job")]
    allow_url: Vec<String>,
    /// How long this instance may be silent before others take over its items, for example 12s; the registry may set bounds
    #[arg(long, default_value = "12s", value_parser = super::duration)]
    session_timeout: Duration,
    /// The IPv4 address by which this server is known. Default: the first public one of this machine, else the last private one
    #[arg(long, env = "CLOCKWRIGHT_INSTANCE_IP")]
    instance_ip: Option<std::net::Ipv4Addr>,
    /// What this instance's id says after the address, for example the container's name. Default: the process id, and where another
    /// process has that id (containers may share address and process id) an id of its own
    #[arg(long, env = "CLOCKWRIGHT_INSTANCE_ID", value_name = "NAME")]
    instance_id: Option<String>,
    /// How long runs may go on after SIGTERM, SIGINT, SIGHUP or SIGQUIT, for example 30s; a second signal ends them at once
    #[arg(long, default_value = "30s", value_parser = super::duration)]
    shutdown_grace: Duration,
    /// The layout of the nodes of jobs that are not in the registry yet: 2 for Elastic-Job 2.x, 3 for ElasticJob 3.x. A job that is
    /// there keeps its own. Default: that of the namespace's other jobs, and without any that of 2.x
    #[arg(long, env = "CLOCKWRIGHT_LAYOUT", value_name = "2|3", value_parser = layout)]
    layout: Option<Layout>,
    /// What becomes of items when the registry comes back without what it had, or with an older state: `continue` goes on from now,
    /// after what is remembered; `hold` waits until `shard resume` says from where
    #[arg(long, env = "CLOCKWRIGHT_ON_REGISTRY_LOSS", value_name = "continue|hold", default_value = "continue", value_parser = on_loss)]
    on_registry_loss: OnRegistryLoss,
    #[command(flatten)]
    history: HistoryArgs,
    /// Print what scripts print, each line with its job, item and instance
    #[arg(long)]
    print_output: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

fn layout(text: &str) -> Result<Layout, String> {
    Layout::numbered(text).ok_or_else(|| "it is 2 (Elastic-Job 2.x) or 3 (ElasticJob 3.x)".into())
}

fn on_loss(text: &str) -> Result<OnRegistryLoss, String> {
    match text {
        "continue" => Ok(OnRegistryLoss::Continue),
        "hold" => Ok(OnRegistryLoss::Hold),
        _ => Err("it is continue or hold".into()),
    }
}

/// The jobs that are named, with what they may run.
fn registered(args: &NodeArgs) -> Result<Vec<Job>, Failure> {
    let usage = |option: &'static str| move |why: String| Failure::Usage(format!("{option}: {why}"));
    let mut allow = Allow::nothing();
    for path in &args.allow_command {
        allow = allow.command(path).map_err(usage("--allow-command"))?;
    }
    for prefix in &args.allow_url {
        allow = allow.url(prefix).map_err(usage("--allow-url"))?;
    }
    Ok(args.job.iter().map(|name| Job::registered(name, allow.clone())).collect())
}

pub(crate) async fn run(global: Global, args: NodeArgs) -> Result<(), Failure> {
    let file = args.file.as_ref().map(|path| args.read.read(path)).transpose()?;
    let jobs = match &file {
        Some(file) if !file.enabled => {
            // Nothing is to be done, which is done at once: without this word a supervisor takes the end for a failure.
            notify::tell(notify::State::Ready);
            return Ok(());
        }
        Some(file) => file::jobs(file)?,
        None => registered(&args)?,
    };
    args.history.check(&jobs.iter().map(clockwright::Job::name).collect::<Vec<_>>())?;
    let count = jobs.len();
    let signals = Signals::catch()?;
    let address = global.address()?;
    talk(&format!("connecting to {address} …"));
    let registry = Registry::open_or_serve(&address, Some(args.session_timeout)).await?;
    if let Some(file) = &file {
        let session = registry.session().await?;
        follow::tell(&*session, registry.keys(), file).await?;
        // It was only looked through; the instance has a session of its own.
        let _late = session.close().await;
    }
    let printer = args.print_output.then(live::Printer::start);
    let mut options = SchedulerOptions::default()
        .shutdown_grace(args.shutdown_grace)
        .on_registry_loss(args.on_registry_loss)
        .history(args.history.clone().history())
        .events(match global.events.clone() {
            Some(address) => Events::Database { address, folder: global.data().to_owned() },
            None => Events::Folder(global.data().to_owned()),
        });
    if let Some(ip) = args.instance_ip {
        options = options.address(ip.to_string());
    }
    if let Some(name) = args.instance_id {
        options = options.name(name);
    }
    if let Some(layout) = args.layout {
        options = options.layout(layout);
    }
    if let Some(logs) = args.history.logs(global.data()) {
        options = options.logs(logs);
    }
    if let Some(printer) = &printer {
        options = options.lines(printer.lines(live::Look::new(true)));
    }
    let scheduler = Scheduler::start_with(&registry, jobs, options).await?;
    let of =
        args.file.map_or_else(|| args.job.join(", "), |file| format!("{count} job(s) of {}", file.display()));
    talk(&format!("instance {} runs {of} at {address}", scheduler.instance()));
    notify::tell(notify::State::Ready);
    let result = until_signal(vec![scheduler], signals, args.shutdown_grace).await;
    if let Some(printer) = printer {
        printer.finish();
    }
    result
}
