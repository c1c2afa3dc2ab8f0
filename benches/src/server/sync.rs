//! A sweep over all jobs of a project: when nothing has changed, and when everything has; beside the same nodes read and written by nobody in particular.

use super::all;
use super::stage::{SESSION, Stage, job};
use crate::Scale;
use crate::events::Database;
use crate::report::{Row, tell};
use anyhow::Context as _;
use clockwright_registry::{Op, Path, SharedRegistry};
use futures::FutureExt as _;
use serde_json::json;
use std::time::Instant;

/// How many nodes are read at once, how many are written at once, and how many of either are under way.
const READ: usize = 256;
const WRITE: usize = 64;
const IN_FLIGHT: usize = 8;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let jobs = scale.pick(10_000, 2_000, 30);
    let mut rows = Vec::new();
    for database in scale.databases() {
        // The configs are changed: each database has jobs of its own.
        let project = format!("sync-{}", database.name().to_lowercase());
        let mut stage = Stage::open(database, &project, SESSION).await?;
        stage.furnish(jobs).await?;
        stage.agrees(jobs).await?;
        let on = format!("ZooKeeper, {}", database.name());
        let raw = stage.registry.connector(SESSION)().await?;
        let floor = read(&stage, &raw, jobs).await?;
        let before = version(&stage).await?;
        let took = sweep(&stage).await?;
        let writes = version(&stage).await? - before;
        tell(
            &mut rows,
            vec![
                Row::new(format!("{jobs} jobs, none changed"), &on, "s")
                    .product([took])
                    .floor([floor])
                    .ratio(took / floor)
                    .aim("≤ 2 s, nothing written", took <= 2.0 && writes == 0)
                    .note(format!("{writes} commits of settings; floor: the same configs, read")),
            ],
        );
        change(&stage, jobs, database).await?;
        let took = sweep(&stage).await?;
        stage.agrees(jobs).await?;
        let last = String::from_utf8(stage.config(&job(jobs)).await?)?;
        anyhow::ensure!(last.contains("2098"), "the last job is not written: {last}");
        let floor = write(&stage, &raw, jobs, &last).await?;
        tell(
            &mut rows,
            vec![
                Row::new(format!("{jobs} jobs, all changed"), &on, "s")
                    .product([took])
                    .floor([floor])
                    .ratio(took / floor)
                    .aim("≤ 15 s", took <= 15.0)
                    .note("floor: the same configs, written 64 a commit"),
            ],
        );
        stage.close().await?;
    }
    Ok(rows)
}

/// Has the whole project looked at; returns how long that took, seconds.
async fn sweep(stage: &Stage) -> anyhow::Result<f64> {
    let begun = Instant::now();
    stage.post(&stage.at("/sync"), &json!({})).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The number of commits of settings so far.
async fn version(stage: &Stage) -> anyhow::Result<i32> {
    let path = Path::new(&format!("/{}-clockwright/control", stage.project))?;
    let node = stage.session.read(&[path]).await?.pop().flatten();
    Ok(node.context("the namespace has a control node")?.stat.version)
}

/// Everybody has saved all jobs: each has a second version with another schedule.
async fn change(stage: &Stage, jobs: usize, database: Database) -> anyhow::Result<()> {
    let of_copies = "IN (SELECT id FROM CLOCKWRIGHT_JOB WHERE name LIKE 'job-%')";
    let mut sql = stage.sql().await?;
    for statement in [
        format!(
            "INSERT INTO CLOCKWRIGHT_JOB_VERSION (job, version, settings, digest, source_text, author, author_name, at, reason, \
             origin, based_on) SELECT job, 2, REPLACE(settings, '2099', '2098'), digest, source_text, author, author_name, at, \
             reason, origin, 1 FROM CLOCKWRIGHT_JOB_VERSION WHERE version = 1 AND job {of_copies}"
        ),
        "UPDATE CLOCKWRIGHT_JOB SET version = 2, cron = REPLACE(cron, '2099', '2098') WHERE name LIKE 'job-%'".to_owned(),
    ] {
        sql.run(&statement).await.with_context(|| format!("{jobs} jobs in {}", database.name()))?;
    }
    Ok(())
}

fn paths(stage: &Stage, jobs: usize) -> anyhow::Result<Vec<Path>> {
    (1..=jobs).map(|number| stage.node(&job(number), "/config")).collect()
}

/// Seconds.
async fn read(stage: &Stage, raw: &SharedRegistry, jobs: usize) -> anyhow::Result<f64> {
    let paths = paths(stage, jobs)?;
    let mut work = Vec::new();
    for group in paths.chunks(READ) {
        work.push(async move { Ok(raw.read(group).await.map(drop)?) }.boxed());
    }
    let begun = Instant::now();
    all(work, IN_FLIGHT).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds. All are as the last one is, but for the name.
async fn write(stage: &Stage, raw: &SharedRegistry, jobs: usize, config: &str) -> anyhow::Result<f64> {
    let (paths, last) = (paths(stage, jobs)?, job(jobs));
    let mut ops = Vec::with_capacity(jobs);
    for (number, path) in (1..).zip(&paths) {
        ops.push(Op::set(path.clone(), config.replace(&last, &job(number))));
    }
    let mut work = Vec::new();
    for group in ops.chunks(WRITE) {
        work.push(async move { Ok(raw.commit(group.to_vec()).await.map(drop)?) }.boxed());
    }
    let begun = Instant::now();
    all(work, IN_FLIGHT).await?;
    Ok(begun.elapsed().as_secs_f64())
}
