//! `clockwright dev`: registry, instances, outcomes and a server in one process, and everything shown as it happens.

use super::beside::{Beside, BesideArgs};
use super::crew::Crew;
use super::history::HistoryArgs;
use super::{DEFAULT_DATA, Global, Signals, all_kept, file, follow, live, shut_down};
use crate::logging::LogArgs;
use crate::output::{Failure, now, talk};
use clap::Args;
use clockwright::registry::DEFAULT_NAMESPACE;
use clockwright::{Events, Registry, Scheduler, SchedulerOptions};
use clockwright_events::{Sink, SqliteStore};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::view::{self, ViewError};
use clockwright_model::JobName;
use clockwright_registry::SharedRegistry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// The jobs file. SCRIPT and HTTP jobs run exactly what this file says
    #[arg(short, long)]
    file: PathBuf,
    #[command(flatten)]
    read: file::ReadArgs,
    /// Keep the registry and the outcomes in memory: nothing is written, and other commands cannot look in
    #[arg(long, conflicts_with_all = ["data", "events"])]
    in_memory: bool,
    /// How many instances share the items, 1 to 100
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    instances: u32,
    /// Fire every job once as soon as the instances are up, instead of waiting for its schedule
    #[arg(long)]
    fire_now: bool,
    /// The namespace in the registry
    #[arg(long, default_value = "jobs")]
    namespace: String,
    /// The IPv4 address by which this server is known. Default: the first public one of this machine, else the last private one
    #[arg(long, env = "CLOCKWRIGHT_INSTANCE_IP")]
    instance_ip: Option<std::net::Ipv4Addr>,
    /// How long runs may go on after SIGTERM, SIGINT, SIGHUP or SIGQUIT, for example 30s; a second signal ends them at once
    #[arg(long, default_value = "30s", value_parser = super::duration)]
    shutdown_grace: Duration,
    /// Show starts and what scripts print too, not only how runs end
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    beside: BesideArgs,
    #[command(flatten)]
    history: HistoryArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

pub(crate) async fn run(global: Global, args: DevArgs) -> Result<(), Failure> {
    let history = args.history.clone().history();
    // Looked at before it is read, and before anybody can see that the jobs are there: no edit is missed.
    let mut followed = follow::Followed::new(&args.file, &args.read);
    let mut file = args.read.read(&args.file)?;
    let names: Vec<JobName> = file.jobs.iter().map(|job| job.name.clone()).collect();
    file::jobs(&file)?;
    if !file.enabled {
        return Ok(());
    }
    args.history.check(&names.iter().map(JobName::as_str).collect::<Vec<_>>())?;
    let mut signals = Signals::catch()?;
    let (registry, store): (_, Arc<dyn Sink>) = if args.in_memory {
        (Registry::in_memory(&args.namespace)?, SqliteStore::in_memory().await?)
    } else {
        let registry = Registry::serve(global.data(), &args.namespace).await?;
        let store: Arc<dyn Sink> = match &global.events {
            Some(address) => {
                clockwright::scheduler::database(address, global.data(), history.keep.clone()).await?
            }
            None => clockwright::scheduler::file(global.data(), history.keep.clone()).await?,
        };
        (registry, store)
    };
    let logs = if args.in_memory { None } else { args.history.logs(global.data()) };
    let printer = live::Printer::start();
    let look = live::Look::new(args.verbose);
    let sinks: Vec<Arc<dyn Sink>> = vec![store, Arc::new(live::Outcomes::new(printer.pen(), look))];
    let bus = history.bus(sinks);
    let session = registry.session().await?;
    follow::bring_in(&*session, registry.keys(), &file.jobs).await?;
    let options = || {
        let mut options =
            SchedulerOptions::default().shutdown_grace(args.shutdown_grace).events(Events::Bus(bus.clone()));
        if let Some(ip) = args.instance_ip {
            options = options.address(ip.to_string());
        }
        if args.verbose {
            options = options.lines(printer.lines(look));
        }
        match &logs {
            Some(logs) => options.logs(Arc::clone(logs)),
            None => options,
        }
    };
    let mut schedulers = Vec::new();
    for _ in 0..args.instances {
        schedulers.push(Scheduler::start_with(&registry, file::jobs(&file)?, options()).await?);
    }
    introduce(&global, &args, &names, &schedulers);
    let shown = watch::Sender::new(names.clone());
    let beside = match args.beside.is_wanted() && !args.in_memory {
        true => {
            let (data, events) = (global.data(), global.events.as_deref());
            Some(Beside::start(&args.beside, data, events, &registry, shown.subscribe()).await?)
        }
        false => None,
    };
    let names_shown = shown.subscribe();
    let owners = live::states(registry.clone(), Arc::clone(&session), names_shown, printer.pen(), look);
    let owners = tokio::spawn(owners);
    if args.fire_now {
        fire_all(&registry, &session, &names, schedulers.len()).await?;
    }
    let mut crew = Crew::new(&schedulers, &file);
    let which = loop {
        tokio::select! {
            which = signals.next() => break which,
            () = crew.left() => {}
            edited = followed.changed() => {
                talk(&format!("{} changed", args.file.display()));
                if let Err(error) = follow::bring_in(&*session, registry.keys(), &edited.jobs).await {
                    let message = error.code().1.unwrap_or_default();
                    talk(&format!("the edit cannot be followed, and the jobs go on as they were: {message}"));
                    continue;
                }
                follow::edit(&file, &edited).iter().for_each(|said| talk(said));
                shown.send_replace(edited.jobs.iter().map(|job| job.name.clone()).collect());
                file = edited;
            }
        }
        crew.serve(&file).await;
    };
    drop(crew);
    let result = shut_down(which, schedulers, signals, args.shutdown_grace).await;
    if let Some(beside) = beside {
        beside.stop().await;
    }
    owners.abort();
    bus.close(LAST_EVENTS).await;
    printer.finish();
    result.and(all_kept(bus.lost()))
}

/// How long outcomes may take to be stored at the end.
const LAST_EVENTS: Duration = Duration::from_secs(10);

fn introduce(global: &Global, args: &DevArgs, names: &[JobName], schedulers: &[Scheduler]) {
    let ip = schedulers.first().map_or("", |scheduler| scheduler.instance().ip());
    talk(&format!(
        "{} job(s) of {} on {} instance(s) at {ip}, shown as #1 to #{}",
        names.len(),
        args.file.display(),
        schedulers.len(),
        schedulers.len(),
    ));
    if args.in_memory {
        talk("everything is in memory and gone at the end; Ctrl-C ends it");
    } else {
        let option = if args.namespace == DEFAULT_NAMESPACE {
            format!("--data {}", global.data().display())
        } else {
            format!("--registry embedded:{}/{}", global.data().display(), args.namespace)
        };
        let option =
            if option == format!("--data {DEFAULT_DATA}") { String::new() } else { format!(" {option}") };
        talk(&format!("look in with: clockwright job list{option}   Ctrl-C ends it"));
    }
}

/// Triggers every job once all instances have their share of it, or after [`PATIENCE`] with the shares they have by then.
async fn fire_all(
    registry: &Registry,
    session: &SharedRegistry,
    names: &[JobName],
    instances: usize,
) -> Result<(), Failure> {
    let admin = Admin::new(&**session, registry.keys());
    for name in names {
        let mut hints = session.watch(&registry.keys().job(name)).await?;
        let shared = async {
            loop {
                match view::job(&**session, registry.keys(), name.as_str(), now()).await {
                    Ok(job) if is_shared(&job, instances) => return Ok(()),
                    // The first instance has not written it yet.
                    Ok(_) | Err(ViewError::NoSuchJob { .. }) => {}
                    Err(error) => return Err(Failure::from(error)),
                }
                let _changed = tokio::time::timeout(Duration::from_millis(500), hints.recv()).await;
            }
        };
        tokio::time::timeout(PATIENCE, shared).await.unwrap_or(Ok(()))?;
        admin.trigger(name.as_str(), None).await?;
    }
    Ok(())
}

/// How long the first fire of `--fire-now` waits for the items to be shared out.
const PATIENCE: Duration = Duration::from_secs(3);

fn is_shared(job: &view::JobView, instances: usize) -> bool {
    let busy = job.instances.iter().filter(|instance| instance.item_count > 0).count();
    job.instances.len() >= instances && !job.resharding && busy >= instances.min(job.items.len())
}
