//! This program as a process of its own: what must die, or must be measured alone.
//!
//! The parent gives its wishes as JSON, the child says one line of JSON when it is ready, and ends when its standard
//! input does.

use crate::backend;
use crate::fleet;
use crate::machine::{self, Usage};
use crate::peers;
use crate::server;
use anyhow::{Context as _, bail};
use clockwright_events::Bus;
use clockwright_model::ShardContext;
use clockwright_runtime::SimpleFn;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long the work of a start may go on after all items are owned.
const CALM_AFTER: Duration = Duration::from_secs(120);

/// A namespace of a ZooKeeper server, and how long sessions there live without a sign of life, milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) session_timeout: i64,
}

/// Which jobs an engine holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Jobs {
    pub(crate) jobs: usize,
    pub(crate) items: u32,
    pub(crate) cron: String,
}

/// An engine that holds jobs until it is told to end, or killed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wishes {
    #[serde(flatten)]
    pub(crate) place: Place,
    pub(crate) prefix: String,
    pub(crate) number: u32,
    #[serde(flatten)]
    pub(crate) jobs: Jobs,
    pub(crate) failover: bool,
    /// Ready when it owns so many items.
    pub(crate) owned: usize,
    /// Ready when so many of its runs, which never end, have begun. With 0 runs end at once.
    pub(crate) running: usize,
}

/// What a child says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) resident: u64,
    pub(crate) threads: u64,
    /// Seconds from then until it was calm.
    pub(crate) calm_after: f64,
    /// CPU time over five seconds of doing nothing, percent of a core.
    pub(crate) idle_percent: f64,
}

pub(crate) fn main(what: &str, wishes: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match what {
        "engine" => runtime.block_on(hold(serde_json::from_str(wishes).context("the child's wishes")?)),
        "peer" => runtime.block_on(peers::hold(wishes)),
        "server" => runtime.block_on(server::stage::hold(wishes)),
        "hello" => runtime.block_on(server::lists::hello()),
        other => bail!("there is no child `{other}`"),
    }
}

async fn hold(wishes: Wishes) -> anyhow::Result<()> {
    let begun = Arc::new(tokio::sync::watch::Sender::new(0_usize));
    let (forever, counter) = (wishes.running > 0, begun.clone());
    let (place, asked) = (wishes.place, wishes.jobs);
    let body = Arc::new(SimpleFn::new(move |_: ShardContext, _| {
        counter.send_modify(|count| *count += 1);
        async move {
            if forever {
                std::future::pending::<()>().await;
            }
            Ok::<(), String>(())
        }
    }));
    let mut jobs =
        fleet::jobs(&wishes.prefix, asked.jobs, asked.items, |_| asked.cron.clone(), &(body as _))?;
    jobs.iter_mut().for_each(|job| set_failover(job, wishes.failover));
    let connect = backend::zookeeper(place.address, place.session_timeout);
    let engine = fleet::engine(connect, &place.namespace, jobs, Bus::silent(), wishes.number).await?;
    fleet::owns(&engine, wishes.owned).await?;
    begun.subscribe().wait_for(|count| *count >= wishes.running).await?;
    let ready = if forever { Ready::now()? } else { idle().await? };
    println!("{}", serde_json::to_string(&ready)?);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// What the process uses once the work of its start is over: when it owns its items, it still reads them anew. That is over
/// when three seconds in a row took less than a tenth of a core, and is waited for [`CALM_AFTER`] at most.
async fn idle() -> anyhow::Result<Ready> {
    let began = Instant::now();
    let mut calm = 0;
    while calm < 3 && began.elapsed() < CALM_AFTER {
        calm = if busy(Duration::from_secs(1)).await < 10.0 { calm + 1 } else { 0 };
    }
    let calm_after = began.elapsed().as_secs_f64();
    Ok(Ready { calm_after, idle_percent: busy(Duration::from_secs(5)).await, ..Ready::now()? })
}

/// CPU time that is used meanwhile, percent of a core.
async fn busy(time: Duration) -> f64 {
    let before = machine::cpu();
    tokio::time::sleep(time).await;
    100.0 * (machine::cpu() - before).as_secs_f64() / time.as_secs_f64()
}

impl Ready {
    fn now() -> anyhow::Result<Self> {
        let Usage { resident, threads, .. } = machine::usage(std::process::id())?;
        Ok(Self { resident, threads, calm_after: 0.0, idle_percent: 0.0 })
    }
}

/// A child that is ready. Killed when it is dropped.
pub(crate) struct Held {
    pub(crate) process: Child,
    pub(crate) ready: Ready,
}

/// Starts a child and waits until it is ready.
pub(crate) async fn start(wishes: &Wishes) -> anyhow::Result<Held> {
    let (process, line) = spawn("engine", &serde_json::to_string(wishes)?).await?;
    Ok(Held { process, ready: serde_json::from_str(&line)? })
}

/// Starts a child of this kind and waits for the line that it says when it is ready.
pub(crate) async fn spawn(what: &str, wishes: &str) -> anyhow::Result<(Child, String)> {
    let mut process = Command::new(std::env::current_exe()?)
        .args(["child", what, wishes])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = process.stdout.take().context("the child's output is a pipe")?;
    let mut lines = BufReader::new(output).lines();
    let line = tokio::time::timeout(Duration::from_secs(240), lines.next_line()).await;
    let line = line.context("the child was not ready within 4 minutes")??.context("the child ended")?;
    Ok((process, line))
}

/// Sets `failover` of a job whose settings this process has.
pub(crate) fn set_failover(job: &mut clockwright_engine::JobDefinition, failover: bool) {
    if let clockwright_engine::core::Given::Settings(settings) = &mut job.job {
        Arc::make_mut(settings).failover = failover;
    }
}
