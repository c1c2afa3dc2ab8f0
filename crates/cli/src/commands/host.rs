//! `clockwright host …`: the machines that instances run on (Elastic-Job's *servers*), over all jobs of the namespace.

use super::{Global, Sure, confirm, job::report};
use crate::fleet::{Act, Fleet};
use crate::output::{Failure, show, table};
use clap::{Args, Subcommand};
use clockwright_fleet::view::ServerBrief;

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// List the hosts: how many instances they have, of how many jobs, and in how many they are disabled
    List,
    /// Keep all jobs off a host; their items move to the others
    Disable(IpArgs),
    /// Let all jobs onto a host again
    Enable(IpArgs),
    /// Tell the instances on a host to serve no more, as Elastic-Job's shutdown does; their processes go on
    Shutdown(IpArgs),
}

/// A host that is changed.
#[derive(Debug, Args)]
pub(crate) struct IpArgs {
    /// The host's IP address
    ip: String,
    #[command(flatten)]
    sure: Sure,
}

pub(crate) async fn run(global: &Global, command: HostCommand) -> Result<(), Failure> {
    let fleet = global.fleet().await?;
    let result = match command {
        HostCommand::List => match fleet.hosts().await {
            Ok(hosts) => show(global.output, &hosts, |hosts| list(hosts)),
            Err(failure) => Err(failure),
        },
        HostCommand::Disable(args) => {
            let act = Act::Disable { host: Some(args.ip.clone()) };
            change(global, &*fleet, &args, &act, ("disable host", "disabled", "job(s)")).await
        }
        HostCommand::Enable(args) => {
            let act = Act::Enable { host: Some(args.ip.clone()) };
            change(global, &*fleet, &args, &act, ("enable host", "enabled", "job(s)")).await
        }
        HostCommand::Shutdown(args) => {
            let act = Act::Shutdown { target: Some(args.ip.clone()) };
            let words = ("shut down the instances on", "shut down on", "instance(s), which serve no more");
            change(global, &*fleet, &args, &act, words).await
        }
    };
    fleet.close().await;
    result
}

/// Does something with a host; `words` are what is done, what was done, and to how many of what.
async fn change(
    global: &Global,
    fleet: &dyn Fleet,
    IpArgs { ip, sure }: &IpArgs,
    act: &Act,
    (verb, past, what): (&str, &str, &str),
) -> Result<(), Failure> {
    confirm(*sure, fleet, None, &format!("{verb} {ip}"), act.is_managed()).await?;
    let done = fleet.carry_out(None, act).await?;
    report(global, &format!("{past} {ip}: {} {what}", done.changed), done)
}

fn list(servers: &[ServerBrief]) -> String {
    if servers.is_empty() {
        return "no hosts\n".into();
    }
    table(
        ["HOST", "INSTANCES", "JOBS", "DISABLED IN"],
        servers.iter().map(|server| {
            let count = |number: usize| number.to_string();
            let ServerBrief { ip, instance_count, job_count, disabled_job_count } = server;
            [ip.clone(), count(*instance_count), count(*job_count), count(*disabled_job_count)]
        }),
    )
}
