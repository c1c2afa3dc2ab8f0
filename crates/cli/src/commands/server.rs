//! `clockwright server …`: machines, over all jobs of the namespace.

use super::{Global, Sure, confirm, job::report};
use crate::output::{Failure, now, show, table};
use clap::{Args, Subcommand};
use clockwright_fleet::admin::Admin;
use clockwright_fleet::view;
use serde::Serialize;
use std::collections::BTreeMap;

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

/// One server, over all jobs.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    ip: String,
    instance_count: usize,
    job_count: usize,
    disabled_job_count: usize,
}

pub(crate) async fn run(global: &Global, command: ServerCommand) -> Result<(), Failure> {
    let (registry, session) = global.session().await?;
    let keys = registry.keys();
    let admin = Admin::new(&*session, keys);
    let result = match command {
        ServerCommand::List => {
            let mut servers = BTreeMap::<String, Server>::new();
            for job in view::jobs(&*session, keys).await? {
                for server in view::job(&*session, keys, &job.job_name, now()).await?.servers {
                    let all = servers.entry(server.ip.clone()).or_default();
                    all.ip = server.ip;
                    all.instance_count += server.instance_count;
                    all.job_count += 1;
                    all.disabled_job_count += usize::from(!server.enabled);
                }
            }
            show(global.output, &servers.into_values().collect::<Vec<_>>(), |servers| list(servers))
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

fn list(servers: &[Server]) -> String {
    if servers.is_empty() {
        return "no servers\n".into();
    }
    table(
        ["SERVER", "INSTANCES", "JOBS", "DISABLED IN"],
        servers.iter().map(|server| {
            let count = |number: usize| number.to_string();
            let Server { ip, instance_count, job_count, disabled_job_count } = server;
            [ip.clone(), count(*instance_count), count(*job_count), count(*disabled_job_count)]
        }),
    )
}
