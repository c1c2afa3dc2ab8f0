//! How many runs per second one instance claims, runs and completes, beside the bare transactions of as many claims and
//! completions on the same registry.
//!
//! Jobs of 10 items that do nothing fire every second during the first half of each period; in the second half, when
//! all of it is over, the bare arm ([`crate::raw`]) runs. A run counts when its outcome is in the registry. Two loads: one that the
//! aim asks for, recorded in an event store on disk, where every run of every instant must be there; and one beyond what the instance can do, not recorded, where
//! instants that pass meanwhile are coalesced as the misfire policy says and the rate is what it can do. The rate is runs divided
//! by the time from the first instant to the last completion, or the length of the window when that is longer.
//!
//! Beside wall-clock rates stand counts: the CPU time of this process for each run, everything included (of an embedded
//! registry that is the registry too), and ZooKeeper's received packets for each firing of a job, from its `mntr`.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::fleet::{self, Completions, SESSION, Store};
use crate::machine::{at_wall, cpu, next_multiple, wall};
use crate::raw::Raw;
use crate::report::Row;
use crate::stats::median;
use clockwright_events::{Bus, BusOptions, Sink};
use std::sync::Arc;
use std::time::Duration;

const ITEMS: u32 = 10;

/// One way of loading an instance.
struct Load {
    jobs: usize,
    /// Also record to an event store on disk, as a node does.
    recorded: bool,
    saturated: bool,
}

/// What one window showed.
struct Window {
    rate: f64,
    share: f64,
    cpu_micros: f64,
    requests: f64,
    raw: f64,
    raw_cpu_micros: f64,
}

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (asked, too_many) = (scale.pick(1_250, 1_250, 10), scale.pick(3_000, 3_000, 20));
    let mut rows = Vec::new();
    for kind in scale.on(&Kind::ALL) {
        let loads = [
            Load { jobs: asked, recorded: true, saturated: false },
            Load { jobs: too_many, recorded: false, saturated: true },
        ];
        for load in loads {
            rows.extend(measure(scale, kind, &load).await?);
        }
    }
    Ok(rows)
}

/// Cron fields that fire every second of the first half of each period of so many seconds.
fn first_halves(half: u32) -> String {
    let seconds: Vec<String> =
        (0..60).filter(|second| second % (2 * half) < half).map(|second: u32| second.to_string()).collect();
    format!("{} * * * * ?", seconds.join(","))
}

async fn measure(scale: Scale, kind: Kind, load: &Load) -> anyhow::Result<Vec<Row>> {
    let half: u32 = scale.pick(5, 3, 1);
    let backend = Backend::open(kind).await?;
    let store = Store::open().await?;
    let completions = Arc::new(Completions::default());
    let mut sinks: Vec<Arc<dyn Sink>> = vec![completions.clone()];
    if load.recorded {
        sinks.push(store.store.clone());
    }
    let bus = Bus::start(sinks, BusOptions::default());
    let jobs = fleet::jobs("fire", load.jobs, ITEMS, |_| first_halves(half), &fleet::no_op())?;
    let engine =
        fleet::engine(backend.connector(SESSION), &backend.namespace("bench"), jobs, bus.clone(), 0).await?;
    fleet::owns(&engine, load.jobs * ITEMS as usize).await?;
    let mut raw = Raw::open(&backend, &backend.namespace("raw"), load.jobs, ITEMS).await?;
    let mut windows = Vec::new();
    let period = i64::from(half) * 2_000;
    // The first window warms up what is compiled, allocated and cached on both sides.
    for number in 0..=scale.pick(9, 2, 1) {
        let window =
            window(&backend, &bus, &completions, &mut raw, load, half, next_multiple(period, 50)).await?;
        if number > 0 || scale.is_smoke() {
            windows.push(window);
        }
    }
    engine.shutdown().await;
    bus.close(Duration::from_secs(10)).await;
    Ok(rows(&backend, load, &windows))
}

async fn window(
    backend: &Backend,
    bus: &Bus,
    completions: &Completions,
    raw: &mut Raw,
    load: &Load,
    half: u32,
    start: i64,
) -> anyhow::Result<Window> {
    let length = i64::from(half) * 1_000;
    at_wall(start - 30).await;
    let (counted, used, received) = (completions.count(), cpu(), backend.requests()?);
    at_wall(start + length - 700).await;
    // The last instant of the window is over when nothing is completed any more.
    let mut seen = completions.count();
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        bus.flush(Duration::from_secs(5)).await;
        let now = completions.count();
        if (now == seen && now > counted) || wall() > start + 2 * length - 1_000 {
            break;
        }
        seen = now;
    }
    let runs = (completions.count() - counted) as f64;
    let took = (completions.last_at() - start).max(length) as f64 / 1_000.0;
    let cpu_micros = (cpu() - used).as_secs_f64() * 1e6 / runs;
    let firings = runs / f64::from(ITEMS);
    let requests = (backend.requests()? - received) / firings;
    let room = (start + 2 * length - wall() - 300).clamp(100, 2_000);
    let (used, bare) = (cpu(), std::time::Instant::now());
    let raw = raw.rate(Duration::from_millis(room as u64)).await?;
    let raw_cpu_micros = (cpu() - used).as_secs_f64() * 1e6 / (raw * bare.elapsed().as_secs_f64());
    let asked = load.jobs as f64 * f64::from(ITEMS) * f64::from(half);
    Ok(Window { rate: runs / took, share: runs / asked, cpu_micros, requests, raw, raw_cpu_micros })
}

fn rows(backend: &Backend, load: &Load, windows: &[Window]) -> Vec<Row> {
    let of = |value: fn(&Window) -> f64| median(windows.iter().map(value));
    let (rate, raw, ratio) = (of(|w| w.rate), of(|w| w.raw), of(|w| w.rate / w.raw));
    let events = if load.recorded { "recorded" } else { "not recorded" };
    let asked = load.jobs * ITEMS as usize;
    let what = format!("runs/s, {asked}/s asked for, {events}");
    let share = windows.iter().map(|window| window.share).fold(f64::MAX, f64::min);
    let mut row = Row::new(what, backend.name(), "/s").product([rate]).floor([raw]).ratio(ratio);
    row = if load.saturated {
        row.aim("≥ 0.5 of the bare transactions", ratio >= 0.5)
    } else {
        row.aim("≥ 12,000/s, every run of every instant", rate >= 12_000.0 && share >= 1.0)
    };
    let mut rows = vec![row.note(format!("{:.1} % of what was due ran in the worst window", share * 100.0))];
    let cpu = Row::new(format!("CPU per run, {asked}/s asked for, {events}"), backend.name(), "µs");
    let ratio = of(|w| w.cpu_micros / w.raw_cpu_micros);
    let cpu = cpu.product([of(|w| w.cpu_micros)]).floor([of(|w| w.raw_cpu_micros)]).ratio(ratio);
    rows.push(cpu.note("this process, all threads"));
    if backend.server().is_some() {
        let row =
            Row::new(format!("requests per firing of 10, {asked}/s asked for, {events}"), backend.name(), "");
        rows.push(row.product([of(|w| w.requests)]).note("received packets; firings share transactions"));
    }
    rows
}
