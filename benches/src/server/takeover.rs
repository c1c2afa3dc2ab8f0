//! How long nobody leads after the leader was killed, beside how long its session outlived it, which is ZooKeeper's own.

use super::stage::{Process, Stage};
use crate::Scale;
use crate::events::Database;
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread};
use anyhow::{Context as _, ensure};
use clockwright_registry::{Path, SharedRegistry};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};

/// The session's timeout, milliseconds.
const TIMEOUT: i64 = 4_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const STEP: Duration = Duration::from_millis(2);

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let kills = scale.pick(15, 5, 1);
    let mut stage = Stage::open(Database::Postgres, "takeover", TIMEOUT).await?;
    let mut other = stage.another().await?;
    let mut look = Look::open(&stage).await?;
    let (mut took, mut dead) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        let leader = look.leader().await?;
        if other.id == leader {
            std::mem::swap(&mut other, &mut stage.server);
        }
        ensure!(stage.server.id == leader, "one of the two leads");
        let (ended, led) = kill(&mut look, &stage.server, &other).await?;
        dead.push(ended);
        took.push(led);
        stage.server = stage.another().await?;
    }
    other.end().await?;
    stage.close().await?;
    let limit = TIMEOUT as f64 / 1e3 + 3.0;
    let (took, dead) = (Spread::of(&mut took), Spread::of(&mut dead));
    let row = Row::new("kill -9 of the leader until another one leads", "ZooKeeper, PostgreSQL", "s")
        .parts(SPREAD)
        .product(took.values())
        .floor(dead.values())
        .ratio(took.p50 / dead.p50)
        .aim(format!("≤ session timeout + 3 s = {limit} s"), took.max <= limit)
        .note(format!("{kills} kills; floor: until its session had ended; ratio of p50"));
    let mut rows = Vec::new();
    tell(&mut rows, vec![row]);
    Ok(rows)
}

/// Who leads, as the registry and the database say.
struct Look {
    registry: SharedRegistry,
    seat: Path,
    database: PgConnection,
}

impl Look {
    async fn open(stage: &Stage) -> anyhow::Result<Self> {
        let seat = Path::new("/clockwright-server/leader")?;
        let database = PgConnection::connect(stage.control()).await?;
        Ok(Self { registry: stage.session.clone(), seat, database })
    }

    /// The id of the server that leads, once one does.
    async fn leader(&mut self) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            if let Some(id) = self.seat().await?
                && self.holder().await? == id
            {
                return Ok(id);
            }
            ensure!(begun.elapsed() < PATIENCE, "nobody leads");
            tokio::time::sleep(STEP).await;
        }
    }

    /// Who has the seat.
    async fn seat(&self) -> anyhow::Result<Option<String>> {
        let node = self.registry.read(std::slice::from_ref(&self.seat)).await?.pop().flatten();
        let Some(node) = node else { return Ok(None) };
        let words: Value = serde_json::from_slice(&node.data)?;
        Ok(words["server"].as_str().map(str::to_owned))
    }

    /// Whose term it is.
    async fn holder(&mut self) -> anyhow::Result<String> {
        let asked = sqlx::query_scalar("SELECT holder FROM CLOCKWRIGHT_TERM");
        Ok(asked.fetch_one(&mut self.database).await?)
    }
}

/// Kills the leader; seconds until its session has ended, and until the other one leads.
async fn kill(look: &mut Look, leader: &Process, other: &Process) -> anyhow::Result<(f64, f64)> {
    let pid = leader.child.id().context("the leader runs")?;
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("it has an id")?;
    let begun = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    let mut ended = None;
    loop {
        if ended.is_none() && look.seat().await?.as_ref() != Some(&leader.id) {
            ended = Some(begun.elapsed().as_secs_f64());
        }
        if let Some(ended) = ended
            && look.holder().await? == other.id
        {
            return Ok((ended, begun.elapsed().as_secs_f64()));
        }
        ensure!(begun.elapsed() < PATIENCE, "nobody leads after {PATIENCE:?}");
        tokio::time::sleep(STEP).await;
    }
}
