//! How long the items of an instance that died wait for another one.
//!
//! *Clean shutdown*, two engines in this process: from the call of `shutdown` to the moment when the other engine owns all
//! items. *`kill -9`*, a real process on ZooKeeper: the child holds half of the items of each job, in runs that never end;
//! it is killed, and three times are taken. When its session ends, as a bare watcher of the same server sees it, minus the
//! session timeout: that is ZooKeeper's arithmetic, and only shows that nothing is added to it. From then, until the survivor
//! owns all items. And until the unfinished runs have started there (failover), which includes the margin that the engine keeps
//! before it believes in a death: a tenth of the session timeout, at most a second.
//!
//! The floor of both is the bare claim of as many items on the same registry, right after each round.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::child::{self, Jobs, Place, Wishes};
use crate::fleet::{self, Collected, SESSION};
use crate::machine::millis;
use crate::raw::Raw;
use crate::report::Row;
use crate::stats::{median, percentile};
use anyhow::Context as _;
use clockwright_engine::EngineHandle;
use clockwright_events::Bus;
use clockwright_fleet::keys::Keys;
use clockwright_model::{InstanceId, Source};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ITEMS: u32 = 10;
/// The session timeout of engines that are killed, milliseconds.
const SHORT: i64 = 2_000;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in scale.on(&[Kind::Memory, Kind::ZooKeeper]) {
        rows.push(clean(scale, kind).await?);
    }
    if !scale.on(&[Kind::ZooKeeper]).is_empty() {
        rows.extend(killed(scale).await?);
    }
    Ok(rows)
}

const PARTS: &[&str] = &["p50", "max"];

fn times(values: &[f64]) -> [f64; 2] {
    let mut values = values.to_vec();
    [percentile(&mut values, 50.0), percentile(&mut values, 100.0)]
}

async fn clean(scale: Scale, kind: Kind) -> anyhow::Result<Row> {
    let jobs = scale.pick(100, 100, 4);
    let total = jobs * ITEMS as usize;
    let backend = Backend::open(kind).await?;
    let mut raw = Raw::open(&backend, &backend.namespace("raw"), jobs, ITEMS / 2).await?;
    let never = |_| "0 0 0 1 1 ? 2099".to_owned();
    let start = async |number| {
        let jobs = fleet::jobs("leave", jobs, ITEMS, never, &fleet::no_op())?;
        fleet::engine(backend.connector(SESSION), &backend.namespace("bench"), jobs, Bus::silent(), number)
            .await
    };
    let survivor = start(0).await?;
    fleet::owns(&survivor, total).await?;
    let (mut moved, mut floor) = (Vec::new(), Vec::new());
    for round in 0..scale.pick(9, 5, 1) {
        let leaver = start(round + 1).await?;
        fleet::owns(&survivor, total / 2).await?;
        let left_at = Instant::now();
        let (owned_at, _) = tokio::join!(owns_all(&survivor, total), leaver.shutdown());
        moved.push(millis(owned_at? - left_at));
        floor.push(millis(raw.burst().await?));
    }
    survivor.shutdown().await;
    Ok(Row::new(format!("clean shutdown until {} items moved", total / 2), kind.name(), "ms")
        .parts(PARTS)
        .product(times(&moved))
        .floor(times(&floor))
        .ratio(median(moved.iter().zip(&floor).map(|(moved, floor)| moved / floor)))
        .note(format!("{jobs} jobs; floor: the bare claims of as many items")))
}

async fn owns_all(engine: &EngineHandle, items: usize) -> anyhow::Result<Instant> {
    fleet::owns(engine, items).await?;
    Ok(Instant::now())
}

async fn killed(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let jobs = scale.pick(20, 20, 2);
    let (total, lost) = (jobs * ITEMS as usize, jobs * ITEMS as usize / 2);
    let backend = Backend::open(Kind::ZooKeeper).await?;
    let server = backend.server().context("the backend is ZooKeeper")?;
    let mut raw = Raw::open(&backend, &backend.namespace("raw"), jobs, ITEMS / 2).await?;
    let taken = Collected::new();
    let note = taken.clone();
    let body = fleet::at_start(move |context| {
        if context.source == Source::Failover {
            note.put(Instant::now());
        }
    });
    let mut definitions = fleet::jobs("die", jobs, ITEMS, |_| "* * * * * ?".to_owned(), &body)?;
    definitions.iter_mut().for_each(|job| crate::child::set_failover(job, true));
    let survivor =
        fleet::engine(backend.connector(SHORT), &backend.namespace("bench"), definitions, Bus::silent(), 0)
            .await?;
    fleet::owns(&survivor, total).await?;
    let mut rounds = Vec::new();
    let mut floor = Vec::new();
    for round in 0..scale.pick(9, 3, 1) {
        let wishes = Wishes {
            place: Place {
                address: server.address(),
                namespace: backend.namespace("bench"),
                session_timeout: SHORT,
            },
            prefix: "die".to_owned(),
            number: round + 1,
            jobs: Jobs { jobs, items: ITEMS, cron: "* * * * * ?".to_owned() },
            failover: true,
            owned: lost,
            running: lost,
        };
        rounds.push(one_death(&survivor, &raw, &wishes, &taken, total, lost).await?);
        floor.push(millis(raw.burst().await?));
    }
    survivor.shutdown().await;
    Ok(rows(&rounds, &floor, lost))
}

/// What one death showed, milliseconds.
struct Death {
    session_end: f64,
    owned: f64,
    first: f64,
    last: f64,
}

async fn one_death(
    survivor: &EngineHandle,
    watcher: &Raw,
    wishes: &Wishes,
    taken: &Arc<Collected<Instant>>,
    total: usize,
    lost: usize,
) -> anyhow::Result<Death> {
    let mut held = child::start(wishes).await?;
    taken.take();
    let pid = held.process.id().context("the child runs")?;
    let keys = Keys::new(&wishes.place.namespace)?;
    let lease = keys.lease(&InstanceId::of_process("127.0.0.1", pid, wishes.number));
    let registry = watcher.registry();
    let mut hints = registry.watch(&keys.leases()).await?;
    let died_at = Instant::now();
    held.process.kill().await?;
    while registry.read(std::slice::from_ref(&lease)).await?[0].is_some() {
        tokio::time::timeout(Duration::from_secs(60), hints.recv())
            .await
            .context("the session does not end")?;
    }
    let gone_at = Instant::now();
    let owned_at = owns_all(survivor, total).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while taken.len() < lost {
        anyhow::ensure!(Instant::now() < deadline, "{} of {lost} runs were taken over", taken.len());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let starts = taken.take();
    let since = |at: Option<&Instant>| at.map_or(0.0, |at| millis(at.saturating_duration_since(gone_at)));
    Ok(Death {
        session_end: millis(gone_at - died_at) - SHORT as f64,
        owned: since(Some(&owned_at)),
        first: since(starts.iter().min()),
        last: since(starts.iter().max()),
    })
}

fn rows(rounds: &[Death], floor: &[f64], lost: usize) -> Vec<Row> {
    let of = |value: fn(&Death) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    let row = |what: &str, values: Vec<f64>| {
        let ratio = median(values.iter().zip(floor).map(|(value, floor)| value / floor));
        Row::new(what, "ZooKeeper", "ms")
            .parts(PARTS)
            .product(times(&values))
            .floor(times(floor))
            .ratio(ratio)
    };
    let session_end = of(|death| death.session_end);
    vec![
        Row::new("kill -9 until the session ends, minus its timeout", "ZooKeeper", "ms")
            .parts(PARTS)
            .product(times(&session_end))
            .note("ZooKeeper's own; timeout 2 s, tick 0.2 s"),
        row(&format!("then until {lost} items are owned elsewhere"), of(|death| death.owned))
            .note("floor: the bare claims of as many items"),
        row("then until the first unfinished run starts again", of(|death| death.first))
            .note("with a margin of 200 ms by design"),
        row(&format!("then until all {lost} unfinished runs start again"), of(|death| death.last))
            .note("with a margin of 200 ms by design"),
    ]
}
