//! How long 1,000 jobs of 10 items take from the start of an engine until all their items are scheduled, and until the first
//! one fires.
//!
//! In a *fresh* namespace everything is created: settings, election, plan. The floor is the bare creation of the very same
//! nodes, one commit for each job, through the same batcher. In an *existing* namespace the same instance comes back after
//! a clean shutdown. The floor is the bare reading of all of it, a subtree for each job, 64 at once, as the engine does.
//! Nothing is due meanwhile. The first fire is timed in starts of their own, of jobs that are due every second: it comes with the
//! first second that begins after the first jobs are scheduled.

use crate::Scale;
use crate::backend::{Backend, Kind};
use crate::fleet::{self, Collected, SESSION, Store};
use crate::machine::millis;
use crate::report::Row;
use crate::stats::median;
use anyhow::Context as _;
use bytes::Bytes;
use clockwright_events::Bus;
use clockwright_fleet::keys::Keys;
use clockwright_registry::{Batcher, Node, Op, Path, SharedRegistry};
use futures::StreamExt as _;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ITEMS: u32 = 10;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let jobs = scale.pick(1_000, 1_000, 10);
    let mut rows = Vec::new();
    for kind in scale.on(&Kind::ALL) {
        let backend = Backend::open(kind).await?;
        let (mut fresh, mut again) = (Arm::default(), Arm::default());
        for round in 0..scale.pick(5, 3, 1) {
            let namespace = backend.namespace(&format!("bench-{round}"));
            let firing = backend.namespace(&format!("firing-{round}"));
            fresh.scheduled.push(millis(scheduled(&backend, &namespace, jobs).await?));
            fresh.fired.push(millis(fired(&backend, &firing, jobs).await?));
            let registry = backend.connector(SESSION)().await?;
            let root = Keys::new(&namespace)?.root().clone();
            let nodes = registry.tree(&root).await?;
            fresh.floor.push(millis(
                create(&registry, &root, &nodes, &backend.namespace(&format!("bare-{round}"))).await?,
            ));
            again.scheduled.push(millis(scheduled(&backend, &namespace, jobs).await?));
            again.fired.push(millis(fired(&backend, &firing, jobs).await?));
            again.floor.push(millis(read(&registry, &root).await?));
            registry.close().await?;
        }
        rows.extend(fresh.rows("fresh namespace", jobs, kind, "floor: bare creation of the same nodes"));
        rows.extend(again.rows("existing namespace", jobs, kind, "floor: bare reading of all of it"));
    }
    Ok(rows)
}

#[derive(Default)]
struct Arm {
    scheduled: Vec<f64>,
    fired: Vec<f64>,
    floor: Vec<f64>,
}

impl Arm {
    fn rows(self, what: &str, jobs: usize, kind: Kind, floor: &str) -> [Row; 2] {
        let ratio =
            median(self.scheduled.iter().zip(&self.floor).map(|(scheduled, floor)| scheduled / floor));
        [
            Row::new(format!("start to all scheduled, {jobs} jobs × {ITEMS}, {what}"), kind.name(), "ms")
                .product([median(self.scheduled)])
                .floor([median(self.floor)])
                .ratio(ratio)
                .note(floor),
            Row::new(format!("start to first fire, {jobs} jobs × {ITEMS}, {what}"), kind.name(), "ms")
                .product([median(self.fired)])
                .note("with up to a second until the next instant"),
        ]
    }
}

/// From the start of an engine until it owns all items.
async fn scheduled(backend: &Backend, namespace: &str, jobs: usize) -> anyhow::Result<Duration> {
    let never = |_| "0 0 0 1 1 ? 2099".to_owned();
    let definitions = fleet::jobs("start", jobs, ITEMS, never, &fleet::no_op())?;
    let began = Instant::now();
    let engine = fleet::engine(backend.connector(SESSION), namespace, definitions, Bus::silent(), 0).await?;
    fleet::owns(&engine, jobs * ITEMS as usize).await?;
    let took = began.elapsed();
    engine.shutdown().await;
    Ok(took)
}

/// From the start of an engine until the first body starts.
async fn fired(backend: &Backend, namespace: &str, jobs: usize) -> anyhow::Result<Duration> {
    let store = Store::open().await?;
    let starts = Collected::new();
    let note = starts.clone();
    let body = fleet::at_start(move |_| {
        if note.len() == 0 {
            note.put(Instant::now());
        }
    });
    let definitions = fleet::jobs("start", jobs, ITEMS, |_| "* * * * * ?".to_owned(), &body)?;
    let began = Instant::now();
    let engine = fleet::engine(backend.connector(SESSION), namespace, definitions, store.bus(), 0).await?;
    fleet::owns(&engine, jobs * ITEMS as usize).await?;
    let deadline = began + Duration::from_secs(60);
    while starts.len() == 0 {
        anyhow::ensure!(Instant::now() < deadline, "nothing fired within a minute");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.shutdown().await;
    let first = starts.take().into_iter().min().context("something fired")?;
    Ok(first - began)
}

/// Creates the same nodes elsewhere, as persistent ones.
async fn create(
    registry: &SharedRegistry,
    root: &Path,
    nodes: &[(Path, Node)],
    elsewhere: &str,
) -> anyhow::Result<Duration> {
    let other = Path::new(&format!("/{elsewhere}"))?;
    let mut groups: BTreeMap<String, Vec<Op>> = BTreeMap::new();
    for (path, node) in nodes {
        let Some(below) = path.below(root).filter(|below| !below.is_empty()) else { continue };
        let job = below.split('/').next().unwrap_or_default().to_owned();
        let path = Path::new(&format!("{other}/{below}"))?;
        groups.entry(job).or_default().push(Op::create(path, node.data.clone()));
    }
    let began = Instant::now();
    registry.commit(vec![Op::create(other, Bytes::new())]).await?;
    let batcher = Batcher::new(registry.clone(), 8);
    let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for ops in groups.into_values() {
        let done = done.clone();
        batcher.submit(ops, move |answer| drop(done.send(answer)));
    }
    drop(done);
    while let Some(answer) = answers.recv().await {
        answer?;
    }
    Ok(began.elapsed())
}

async fn read(registry: &SharedRegistry, root: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let jobs = registry.list(root).await?;
    let trees = jobs.into_iter().map(|job| async move {
        let path = Path::new(&format!("{root}/{job}"))?;
        anyhow::Ok(registry.tree(&path).await?.len())
    });
    let mut trees = futures::stream::iter(trees).buffer_unordered(64);
    while let Some(nodes) = trees.next().await {
        nodes?;
    }
    Ok(began.elapsed())
}
