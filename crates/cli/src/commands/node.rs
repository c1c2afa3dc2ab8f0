//! `clockwright node`: one instance of the jobs of a file.

use super::history::HistoryArgs;
use super::{Global, Signals, file, follow, live, until_signal};
use crate::logging::LogArgs;
use crate::output::{Failure, talk};
use clap::Args;
use clockwright::{Events, Layout, OnRegistryLoss, Registry, Scheduler, SchedulerOptions};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// The jobs file. SCRIPT and HTTP jobs run exactly what this file says: it is given by the operator of this machine, and
    /// nothing in the registry can change which program or address is used
    #[arg(short, long)]
    file: PathBuf,
    #[command(flatten)]
    read: file::ReadArgs,
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

pub(crate) async fn run(global: Global, args: NodeArgs) -> Result<(), Failure> {
    let file = args.read.read(&args.file)?;
    let jobs = file::jobs(&file)?;
    if !file.enabled {
        return Ok(());
    }
    args.history.check(&jobs.iter().map(clockwright::Job::name).collect::<Vec<_>>())?;
    let count = jobs.len();
    let signals = Signals::catch()?;
    let address = global.address()?;
    talk(&format!("connecting to {address} …"));
    let registry = Registry::open_or_serve(&address, Some(args.session_timeout)).await?;
    let session = registry.session().await?;
    follow::tell(&*session, registry.keys(), &file).await?;
    // It was only looked through; the instance has a session of its own.
    let _late = session.close().await;
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
    talk(&format!(
        "instance {} runs {count} job(s) of {} at {address}",
        scheduler.instance(),
        args.file.display()
    ));
    let result = until_signal(vec![scheduler], signals, args.shutdown_grace).await;
    if let Some(printer) = printer {
        printer.finish();
    }
    result
}
