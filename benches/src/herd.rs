//! Many instances on one ZooKeeper server.
//!
//! *Herd*: 150 instances join the same 40 jobs within ten seconds, which is what brought Elastic-Job's servers down (its issue
//! 2403). Everybody has to hear of everybody, so what the server has to deliver grows with the square of the instances. Counted
//! are the watch events that it delivered, from the first join until all items have owners and nothing more is heard, and the
//! CPU time that it took. The aim is a tenth of one event for each job and pair of instances.
//!
//! *Domains*: what Saturn, a descendant of Elastic-Job, called its limit in 2017: 700 namespaces with 35 jobs of 3 items each, on 3
//! instances each, and each item runs once a minute. All 2,100 instances are engines of this process, with a session each. The
//! first figure is the time until all items are owned, the others are of whole minutes after that: how much of what was due ran,
//! how late, at what cost, and whether the process grows.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::fleet::{self, Collected, SESSION};
use crate::machine::{self, at_wall, millis, next_multiple, wall_micros};
use crate::report::Row;
use crate::stats::{SPREAD, Spread};
use anyhow::{Context as _, ensure};
use clockwright_engine::EngineHandle;
use clockwright_events::Bus;
use clockwright_model::Fire;
use clockwright_testkit::zookeeper::ZkServer;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::time::{Duration, Instant};

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    if scale.on(&[Kind::ZooKeeper]).is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = herd(scale).await?;
    rows.extend(domains(scale).await?);
    Ok(rows)
}

/// Waits until the engines own so many items together.
async fn own(engines: &[EngineHandle], items: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let mut owned = 0;
        for engine in engines {
            owned += fleet::owned(engine).await;
        }
        if owned == items {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{owned} instead of {items} items are owned after 5 minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn end(engines: Vec<EngineHandle>) {
    stream::iter(engines).for_each_concurrent(None, async |engine| drop(engine.shutdown().await)).await;
}

async fn herd(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (instances, jobs, items) = (scale.pick(150, 50, 4), scale.pick(40, 40, 3), 10);
    let time = Duration::from_millis(scale.pick(10_000, 3_300, 200));
    let backend = Backend::open(Kind::ZooKeeper).await?;
    let namespace = backend.namespace("herd");
    let process = backend.server().and_then(ZkServer::process_id).context("the server runs")?;
    let (events, used) = (backend.events()?, machine::usage(process)?.cpu);
    let began = Instant::now();
    let joins = (0..instances).map(|number| {
        let (backend, namespace) = (&backend, &namespace);
        async move {
            tokio::time::sleep(time * number / instances).await;
            let never = |_| "0 0 0 1 1 ? 2099".to_owned();
            let jobs = fleet::jobs("herd", jobs, items, never, &fleet::no_op())?;
            fleet::engine(backend.connector(SESSION), namespace, jobs, Bus::silent(), number).await
        }
    });
    let engines: Vec<EngineHandle> = futures::future::try_join_all(joins).await?;
    own(&engines, jobs * items as usize).await?;
    let settled = began.elapsed().saturating_sub(time);
    let mut delivered = backend.events()?;
    loop {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let now = backend.events()?;
        // Leases are renewed where nobody watches.
        if now <= delivered {
            break;
        }
        delivered = now;
    }
    let busy = machine::usage(process)?.cpu.saturating_sub(used);
    end(engines).await;
    let bound = 0.1 * jobs as f64 * f64::from(instances).powi(2);
    let delivered = delivered - events;
    let what = format!("{instances} instances join {jobs} jobs × {items} in {:.1} s", time.as_secs_f64());
    Ok(vec![
        Row::new(format!("{what}: watch events delivered"), "ZooKeeper", "")
            .product([delivered])
            .aim("≤ 0.1 × jobs × instances²", delivered <= bound)
            .note(format!("{:.2} × jobs × instances²", delivered / bound * 0.1)),
        Row::new(format!("{what}: after that, until all items are owned"), "ZooKeeper", "ms")
            .product([millis(settled)]),
        Row::new(format!("{what}: the server's CPU time"), "ZooKeeper", "s").product([busy.as_secs_f64()]),
    ])
}

const JOBS: usize = 35;
const ITEMS: u32 = 3;
const EACH: u32 = 3;

async fn domains(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (domains, minutes) = (scale.pick(700, 70, 2), scale.pick(3_usize, 1, 1));
    // So that a tiny size does not take minutes.
    let period: i64 = scale.pick(60_000, 60_000, 2_000);
    let backend = Backend::open(Kind::ZooKeeper).await?;
    let all = domains as usize * JOBS * ITEMS as usize;
    let starts = Collected::new();
    let began = Instant::now();
    let opened = (0..domains * EACH).map(|number| {
        let (backend, note) = (&backend, starts.clone());
        async move {
            let body = fleet::at_start(move |context| {
                if let Fire::Scheduled(at) = context.fire {
                    note.put((at, wall_micros()));
                }
            });
            let namespace = backend.namespace(&format!("domain-{}", number / EACH));
            let cron = |job: usize| match scale.is_smoke() {
                true => "@every 2s".to_owned(),
                false => format!("{} * * * * ?", (job + number as usize / EACH as usize) % 60),
            };
            let jobs = fleet::jobs("job", JOBS, ITEMS, cron, &body)?;
            fleet::engine(backend.connector(SESSION), &namespace, jobs, Bus::silent(), number).await
        }
    });
    let engines: Vec<EngineHandle> = stream::iter(opened).buffer_unordered(64).try_collect().await?;
    own(&engines, all).await?;
    let owned = began.elapsed();
    let mut due = next_multiple(period, period / 10);
    let (mut late, mut ran, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    let mut used = machine::cpu();
    for _ in 0..minutes {
        at_wall(due - 5).await;
        used = machine::cpu();
        starts.take();
        at_wall(due + period - 5).await;
        let minute = starts.take();
        ran.push(minute.len() as f64 / all as f64);
        late = minute.into_iter().map(|(at, started)| (started - at * 1_000) as f64 / 1_000.0).collect();
        resident.push(machine::usage(std::process::id())?.resident as f64 / 1_048_576.0);
        due += period;
    }
    let cpu = (machine::cpu() - used).as_secs_f64();
    let threads = machine::usage(std::process::id())?.threads as f64;
    end(engines).await;
    let what = format!("{domains} domains of {JOBS} jobs × {ITEMS} on {EACH} instances");
    let share = ran.iter().copied().fold(f64::MAX, f64::min);
    let runs = late.len().max(1) as f64;
    Ok(vec![
        Row::new(format!("{what}: start to all owned"), "ZooKeeper", "s").product([owned.as_secs_f64()]),
        Row::new(format!("{what}: of what was due ran"), "ZooKeeper", "%")
            .product([share * 100.0])
            .aim("all", share >= 1.0)
            .note(format!("{:.0} runs/s, the worst of {minutes}", runs / (period as f64 / 1_000.0))),
        Row::new(format!("{what}: lateness"), "ZooKeeper", "ms")
            .parts(SPREAD)
            .product(Spread::of(&mut late).values()),
        Row::new(format!("{what}: CPU per run"), "ZooKeeper", "µs")
            .product([cpu * 1e6 / runs])
            .note("this process, all threads; idling of the engines included"),
        Row::new(format!("{what}: resident, first and last minute"), "ZooKeeper", "MiB")
            .product([resident[0], resident[resident.len() - 1]])
            .note(format!("{threads:.0} threads")),
    ])
}
