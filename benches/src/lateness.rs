//! How late runs start: the time from the scheduled instant to the first line of the job's body.
//!
//! *Aligned*: all jobs are due in the same instant, every few seconds. *Spread*: one job is due each millisecond. *Burst*: 300 jobs
//! of 10 items are due in one instant, and the time until the last run has started counts. Every run is claimed in the
//! registry before it starts (execution is monitored, Elastic-Job's default) and recorded in an event store on disk.
//!
//! The floor of the first two are tokio's timers alone, one for each job and for the same number of instants: each wakes up and
//! spawns a task, which is the least that starting a run can be. They are due in the middle between two instants of the
//! product. They know nothing of a registry, so the ratio is only about 1 where a claim costs nothing. The floor of the burst
//! are the bare claims of the same items on the same registry.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::fleet::{self, Collected, SESSION, Store};
use crate::machine::{at_wall, instant_of, millis, next_multiple, wall, wall_micros};
use crate::raw::Raw;
use crate::report::Row;
use crate::stats::{SPREAD, Spread, median};
use anyhow::ensure;
use clockwright_model::Fire;
use std::sync::Arc;

/// A start: the instant it was for (milliseconds) and when it was (microseconds).
type Start = (i64, i64);

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let kinds = scale.on(&[Kind::Memory, Kind::ZooKeeper]);
    let mut rows = Vec::new();
    for kind in kinds.iter().copied() {
        rows.push(aligned(scale, kind, scale.pick(1_000, 1_000, 20), scale.pick(4_000, 4_000, 1_000)).await?);
    }
    for kind in kinds.iter().copied() {
        let (jobs, period) = (scale.pick(10_000, 10_000, 50), scale.pick(6_000, 6_000, 1_000));
        rows.push(aligned(scale, kind, jobs, period).await?);
    }
    for kind in kinds.iter().copied() {
        rows.push(spread(scale, kind).await?);
    }
    for kind in kinds.iter().copied() {
        rows.push(burst(scale, kind).await?);
    }
    Ok(rows)
}

/// A body that notes when it started.
fn noting(starts: &Arc<Collected<Start>>) -> clockwright_runtime::SharedRuntime {
    let starts = starts.clone();
    fleet::at_start(move |context| {
        if let Fire::Scheduled(at) = context.fire {
            starts.put((at, wall_micros()));
        }
    })
}

fn lateness(starts: Vec<Start>) -> Vec<f64> {
    starts.into_iter().map(|(due, started)| (started - due * 1_000) as f64 / 1_000.0).collect()
}

/// One timer for each of these wall times; each spawns a task that notes when it runs.
async fn timers(instants: impl IntoIterator<Item = i64>) -> Vec<f64> {
    let starts = Collected::new();
    let timers: Vec<_> = instants
        .into_iter()
        .map(|at| {
            let starts = starts.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(instant_of(at)).await;
                let started = tokio::spawn(async move { starts.put((at, wall_micros())) });
                let _ = started.await;
            })
        })
        .collect();
    futures::future::join_all(timers).await;
    lateness(starts.take())
}

/// Waits until all have started: at least until the one time, and no longer than until the other.
async fn all_started(starts: &Collected<Start>, all: usize, at_least: i64, at_most: i64) {
    at_wall(at_least).await;
    while starts.len() < all && wall() < at_most {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// How late each of so many runs that are due in one instant starts, milliseconds.
async fn round(starts: &Collected<Start>, all: usize, due: i64, period: i64) -> anyhow::Result<Vec<f64>> {
    at_wall(due - period / 4).await;
    starts.take();
    all_started(starts, all, due + period / 4, due + period * 3 / 4).await;
    let late = lateness(starts.take());
    ensure!(late.len() == all, "{} of {all} runs started within {} ms", late.len(), period * 3 / 4);
    Ok(late)
}

async fn aligned(scale: Scale, kind: Kind, jobs: usize, period: i64) -> anyhow::Result<Row> {
    let backend = Backend::open(kind).await?;
    let store = Store::open().await?;
    let starts = Collected::new();
    let definitions = fleet::jobs("late", jobs, 1, |_| format!("@every {period}ms"), &noting(&starts))?;
    let engine =
        fleet::engine(backend.connector(SESSION), &backend.namespace("bench"), definitions, store.bus(), 0)
            .await?;
    fleet::owns(&engine, jobs).await?;
    let (mut product, mut floor) = (Vec::new(), Vec::new());
    // What starts right after the jobs were registered is left out.
    let mut due = next_multiple(period, period / 2);
    for _ in 0..scale.pick(9, 4, 1) {
        let mut late = round(&starts, jobs, due, period).await?;
        product.push(Spread::of(&mut late));
        let between = (due + period / 2).max(wall() + period / 8);
        floor.push(Spread::of(&mut timers((0..jobs).map(|_| between)).await));
        due = next_multiple(period, period / 4);
    }
    engine.shutdown().await;
    Ok(spread_row(format!("lateness, {jobs} jobs in one instant"), kind, &product, &floor))
}

fn spread_row(what: String, kind: Kind, product: &[Spread], floor: &[Spread]) -> Row {
    let ratio = median(product.iter().zip(floor).map(|(product, floor)| product.p99 / floor.p99));
    Row::new(what, kind.name(), "ms")
        .parts(SPREAD)
        .product(Spread::over(product).values())
        .floor(Spread::over(floor).values())
        .ratio(ratio)
        .note("floor: timers alone; ratio of p99")
}

/// One-off jobs, one each millisecond, in windows of a second; in the seconds between, bare timers.
async fn spread(scale: Scale, kind: Kind) -> anyhow::Result<Row> {
    let (windows, per_window) = (scale.pick(5, 3, 1), scale.pick(1_000, 1_000, 50));
    let backend = Backend::open(kind).await?;
    let store = Store::open().await?;
    let starts = Collected::new();
    let first = next_multiple(1_000, scale.pick(15_000, 12_000, 2_000));
    let due = |number: usize| first + (number / per_window) as i64 * 2_000 + (number % per_window) as i64;
    let jobs = windows * per_window;
    let cron = |number| {
        let at = jiff::Timestamp::from_millisecond(due(number)).unwrap_or_default();
        format!("@once {at:.3}")
    };
    let definitions = fleet::jobs("once", jobs, 1, cron, &noting(&starts))?;
    let engine =
        fleet::engine(backend.connector(SESSION), &backend.namespace("bench"), definitions, store.bus(), 0)
            .await?;
    fleet::owns(&engine, jobs).await?;
    ensure!(wall() < first, "the jobs were not registered in time");
    let (mut product, mut floor) = (Vec::new(), Vec::new());
    for window in 0..windows {
        at_wall(first + window as i64 * 2_000 + 1_200).await;
        let mut late = lateness(starts.take());
        ensure!(late.len() == per_window, "{} of {per_window} jobs started", late.len());
        product.push(Spread::of(&mut late));
        let from = wall() + 50;
        let step = |number: usize| from + number as i64 * 600 / per_window as i64;
        floor.push(Spread::of(&mut timers((0..per_window).map(step)).await));
    }
    engine.shutdown().await;
    let row = spread_row("lateness, 1,000 jobs/s spread".to_owned(), kind, &product, &floor);
    let p99 = Spread::over(&product).p99;
    Ok(row.aim("p99 ≤ 20 ms", p99 <= 20.0))
}

async fn burst(scale: Scale, kind: Kind) -> anyhow::Result<Row> {
    let (jobs, items, period) = (scale.pick(300, 300, 10), 10, scale.pick(4_000, 4_000, 1_000));
    let total = jobs * items as usize;
    let backend = Backend::open(kind).await?;
    let store = Store::open().await?;
    let starts = Collected::new();
    let definitions = fleet::jobs("burst", jobs, items, |_| format!("@every {period}ms"), &noting(&starts))?;
    let engine =
        fleet::engine(backend.connector(SESSION), &backend.namespace("bench"), definitions, store.bus(), 0)
            .await?;
    fleet::owns(&engine, total).await?;
    let mut raw = Raw::open(&backend, &backend.namespace("raw"), jobs, items).await?;
    let (mut product, mut floor) = (Vec::new(), Vec::new());
    let mut due = next_multiple(period, period / 2);
    for _ in 0..scale.pick(9, 4, 1) {
        let late = round(&starts, total, due, period).await?;
        let slowest = late.iter().copied().fold(0.0, f64::max);
        product.push(slowest);
        floor.push(millis(raw.burst().await?));
        due = next_multiple(period, period / 4);
    }
    engine.shutdown().await;
    let slowest = product.iter().copied().fold(0.0, f64::max);
    let ratio = median(product.iter().zip(&floor).map(|(product, floor)| product / floor));
    let typical = median(product);
    Ok(Row::new(format!("last start, {total} shards due in one instant"), kind.name(), "ms")
        .parts(&["p50", "max"])
        .product([typical, slowest])
        .floor([median(floor.iter().copied()), floor.iter().copied().fold(0.0, f64::max)])
        .ratio(ratio)
        .aim("max ≤ 300 ms", slowest <= 300.0)
        .note("floor: the bare claims"))
}
