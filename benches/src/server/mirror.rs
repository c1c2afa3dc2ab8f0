//! How soon all jobs are known, and how soon a change of a node is in an answer: alone, and among ten thousand others a second.
//!
//! Beside the first stands a bare reading of the same nodes and rows, beside the second the time until another session's watch tells of the same
//! change, beside the third the age of answers while nothing changes.

use super::all;
use super::lists::PROJECT;
use super::stage::{ITEMS, SESSION, Stage, host, instance, job};
use crate::Scale;
use crate::events::Database;
use crate::machine;
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread, percentile};
use anyhow::{Context as _, ensure};
use clockwright_registry::{Op, Path, SharedRegistry};
use futures::FutureExt as _;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many changes are asked for a second when there are many.
const MANY: u64 = 10_000;
/// How many of them are made at once.
const EACH: usize = 100;
/// How many jobs are read at once, and how many such groups are under way.
const GROUP: usize = 256;
const UNDER_WAY: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (jobs, changes) = (scale.pick(100_000, 10_000, 30), scale.pick(300, 50, 3));
    let time = Duration::from_secs_f64(scale.pick(20.0, 5.0, 0.5));
    let mut stage = Stage::open(Database::Sqlite, PROJECT, SESSION).await?;
    let loaded = stage.furnish(jobs).await?;
    stage.agrees(jobs).await?;
    let raw = stage.registry.connector(SESSION)().await?;
    let mut rows = Vec::new();
    tell(&mut rows, vec![start(&stage, &raw, jobs, loaded).await?]);
    tell(&mut rows, vec![news(&stage, &raw, jobs, changes).await?]);
    tell(&mut rows, vec![busy(&stage, jobs, time).await?]);
    stage.close().await?;
    Ok(rows)
}

/// How long the server took to know everything, beside the bare reading of the same.
async fn start(stage: &Stage, raw: &SharedRegistry, jobs: usize, loaded: f64) -> anyhow::Result<Row> {
    let begun = Instant::now();
    stage.sql().await?.run("SELECT * FROM CLOCKWRIGHT_JOB ORDER BY id").await?;
    let mut groups = Vec::new();
    for first in (1..=jobs).step_by(GROUP) {
        groups.push(read(stage, raw, first..jobs.min(first + GROUP - 1) + 1).boxed());
    }
    all(groups, UNDER_WAY).await?;
    let bare = begun.elapsed().as_secs_f64();
    Ok(Row::new(format!("{jobs} jobs × {ITEMS}: start until all is known"), "ZooKeeper, SQLite", "s")
        .product([loaded])
        .floor([bare])
        .ratio(loaded / bare)
        .aim("≤ 15 s", loaded <= 15.0)
        .note("of a process; floor: the same rows and nodes, read"))
}

/// Reads what is to be known of these jobs: first what there is, then what it says.
async fn read(stage: &Stage, raw: &SharedRegistry, jobs: Range<usize>) -> anyhow::Result<()> {
    let (mut parents, mut nodes) = (Vec::new(), Vec::new());
    for number in jobs {
        let name = job(number);
        for place in ["/instances", "/servers", "/leader/failover/items", "/sharding"] {
            parents.push(stage.node(&name, place)?);
        }
        for place in ["", "/config", "/paused", "/leader/election/instance"] {
            nodes.push(stage.node(&name, place)?);
        }
        nodes.push(stage.node(&name, &format!("/servers/{}", host(number)))?);
        nodes.push(stage.node(&name, &format!("/instances/{}", instance(number)))?);
        for item in 0..ITEMS {
            for place in ["", "/instance", "/failover", "/running", "/disabled"] {
                nodes.push(stage.node(&name, &format!("/sharding/{item}{place}"))?);
            }
        }
    }
    raw.lists(&parents).await?;
    raw.read(&nodes).await?;
    Ok(())
}

/// One change after the other.
async fn news(stage: &Stage, raw: &SharedRegistry, jobs: usize, changes: usize) -> anyhow::Result<Row> {
    let (mut seen, mut told) = (Vec::new(), Vec::new());
    for n in 0..changes {
        let (answered, hinted) = change(stage, raw, 1 + n * 7_919 % jobs).await?;
        seen.push(answered);
        told.push(hinted);
    }
    let (seen, told) = (Spread::of(&mut seen), Spread::of(&mut told));
    Ok(Row::new(format!("change of one of {jobs} jobs until an answer has it"), "ZooKeeper", "ms")
        .parts(SPREAD)
        .product(seen.values())
        .floor(told.values())
        .ratio(seen.p99 / told.p99)
        .aim("p99 ≤ 500 ms", seen.p99 <= 500.0)
        .note(format!("{changes} changes; floor: until another session's watch tells of it; ratio of p99")))
}

/// Begins a run of an item by hand, and waits until an answer, and until a watch, tells it; milliseconds of each.
async fn change(stage: &Stage, raw: &SharedRegistry, number: usize) -> anyhow::Result<(f64, f64)> {
    let name = job(number);
    let node = stage.node(&name, "/sharding/0/running")?;
    let mut hints = stage.session.watch(&stage.node(&name, "")?).await?;
    let path = stage.at(&format!("/jobs/{name}/items"));
    let mut connection = stage.door().enter().await?;
    let items = |answer: Value| answer["items"].clone();
    let before = items(connection.get(&path).await?.json()?);
    let begun = Instant::now();
    raw.commit(vec![Op::create_ephemeral(node.clone(), "")]).await?;
    let hint = tokio::time::timeout(PATIENCE, hints.recv()).await.context("no watch tells of it")?;
    hint.context("the watch ended")?;
    let told = machine::millis(begun.elapsed());
    while items(connection.get(&path).await?.json()?) == before {
        ensure!(begun.elapsed() < PATIENCE, "no answer has the change of {name}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = machine::millis(begun.elapsed());
    raw.commit(vec![Op::delete(node)]).await?;
    Ok((seen, told))
}

/// How old answers are while nodes change all the time.
async fn busy(stage: &Stage, jobs: usize, time: Duration) -> anyhow::Result<Row> {
    let calm = ages(stage, time / 2).await?;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let session = stage.registry.connector(SESSION)().await?;
    let marks = (1..=jobs).map(|number| stage.node(&job(number), "/sharding/1/running"));
    let marks = marks.collect::<anyhow::Result<Vec<_>>>()?;
    let begun = Instant::now();
    let writer = tokio::spawn(write(session, marks, Arc::clone(&stop), Arc::clone(&count)));
    let busy = ages(stage, time).await?;
    let rate = count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    writer.await??;
    Ok(Row::new(format!("age of answers, {MANY} changes/s asked for"), "ZooKeeper", "s")
        .parts(&["p50", "p95", "max"])
        .product(busy)
        .floor(calm)
        .ratio(busy[1] / calm[1])
        .aim("max ≤ 5 s", busy[2] <= 5.0)
        .note(format!("{rate:.0}/s were made; floor: while nothing changes; ratio of p95")))
}

/// How old answers are: half, nearly all and all of them at most, seconds.
async fn ages(stage: &Stage, time: Duration) -> anyhow::Result<[f64; 3]> {
    let path = stage.at(&format!("/jobs/{}/items", job(1)));
    let (begun, mut ages) = (Instant::now(), Vec::new());
    let mut connection = stage.door().enter().await?;
    while ages.is_empty() || begun.elapsed() < time {
        let answer = connection.get(&path).await?.json()?;
        let at = answer["asOf"].as_str().context("the answer says how old it is")?;
        let at: jiff::Timestamp = at.parse()?;
        ages.push((machine::wall() - at.as_millisecond()) as f64 / 1e3);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok([50.0, 95.0, 100.0].map(|percent| percentile(&mut ages, percent)))
}

/// Makes marks of runs and deletes them again, so many a second as are asked for; in the end none is left.
async fn write(
    raw: SharedRegistry,
    marks: Vec<Path>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    for group in marks.chunks(EACH).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for make in [true, false] {
            let op = |path: &Path| {
                if make { Op::create_ephemeral(path.clone(), "") } else { Op::delete(path.clone()) }
            };
            raw.commit(group.iter().map(op).collect()).await?;
            let done = count.fetch_add(group.len() as u64, Ordering::Relaxed) + group.len() as u64;
            let due = begun + Duration::from_secs_f64(done as f64 / MANY as f64);
            tokio::time::sleep_until(due.into()).await;
        }
    }
    Ok(())
}
