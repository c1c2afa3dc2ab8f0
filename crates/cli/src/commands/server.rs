//! `clockwright server …`: machines, over all jobs of the namespace.

use super::{Global, Sure, confirm, job::report};
use crate::output::{Failure, show, table};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::view::{self, ServerBrief};

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// List the servers: how many instances they have, of how many jobs, and in how many they are disabled
    List,
    /// Keep all jobs off a server; their items move to the others
    Disable(IpArgs),
    /// Let all jobs onto a server again
    Enable(IpArgs),
    /// Tell the instances on a server to serve no more, as Elastic-Job's shutdown does; their processes go on
    Shutdown(IpArgs),
}

/// A server that is changed.
#[derive(Debug, Args)]
pub(crate) struct IpArgs {
    /// The server's IP address
    ip: String,
    #[command(flatten)]
    sure: Sure,
}

pub(crate) async fn run(global: &Global, command: ServerCommand) -> Result<(), Failure> {
    let (registry, session) = global.session().await?;
    let keys = registry.keys();
    let admin = Admin::new(&*session, keys);
    let result = match command {
        ServerCommand::List => {
            show(global.output, &view::servers(&*session, keys).await?, |servers| list(servers))
        }
        ServerCommand::Disable(IpArgs { ip, sure }) => {
            confirm(sure, &*session, keys, None, &format!("disable server {ip}")).await?;
            let done = admin.set_server_disabled(&ip, true).await?;
            report(global, &format!("disabled {ip} for {} job(s)", done.changed), done)
        }
        ServerCommand::Enable(IpArgs { ip, sure }) => {
            confirm(sure, &*session, keys, None, &format!("enable server {ip}")).await?;
            let done = admin.set_server_disabled(&ip, false).await?;
            report(global, &format!("enabled {ip} for {} job(s)", done.changed), done)
        }
        ServerCommand::Shutdown(IpArgs { ip, sure }) => {
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
        return "no servers\n".into();
    }
    table(
        ["SERVER", "INSTANCES", "JOBS", "DISABLED IN"],
        servers.iter().map(|server| {
            let count = |number: usize| number.to_string();
            let ServerBrief { ip, instance_count, job_count, disabled_job_count } = server;
            [ip.clone(), count(*instance_count), count(*job_count), count(*disabled_job_count)]
        }),
    )
}
