//! `clockwright host …`: the machines that instances run on (Elastic-Job's *servers*), over all jobs of the namespace.

use super::{Global, Sure, confirm, job::report};
use crate::output::{Failure, show, table};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::view::{self, ServerBrief};

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
    let (registry, session) = global.session().await?;
    let keys = registry.keys();
    let admin = Admin::new(&*session, keys);
    let result = match command {
        HostCommand::List => {
            show(global.output, &view::servers(&*session, keys).await?, |servers| list(servers))
        }
        HostCommand::Disable(IpArgs { ip, sure }) => {
            confirm(sure, &*session, keys, None, &format!("disable host {ip}")).await?;
            let done = admin.set_server_disabled(&ip, true).await?;
            report(global, &format!("disabled {ip} for {} job(s)", done.changed), done)
        }
        HostCommand::Enable(IpArgs { ip, sure }) => {
            confirm(sure, &*session, keys, None, &format!("enable host {ip}")).await?;
            let done = admin.set_server_disabled(&ip, false).await?;
            report(global, &format!("enabled {ip} for {} job(s)", done.changed), done)
        }
        HostCommand::Shutdown(IpArgs { ip, sure }) => {
            confirm(sure, &*session, keys, None, &format!("shut the instances on {ip} down")).await?;
            let done = admin.shutdown(None, Some(&ip)).await?;
            report(global, &format!("told {} instance(s) on {ip} to serve no more", done.changed), done)
        }
    };
    // A clean end frees the session at once; the answer does not depend on it.
    let _late = session.close().await;
    result
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
