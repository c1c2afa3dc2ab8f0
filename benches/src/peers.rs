//! Clockwright beside real Java Elastic-Job 2.1.5: the same jobs, one after another on the same private ZooKeeper server, in
//! fresh namespaces.
//!
//! Both kinds run as they would in production: processes of their own, jobs that are code of the process and only note
//! their starts in a file, one registry session for each process, the same session timeout, defaults for everything else
//! (no failover, no tracing; the JVM chooses its heap and its collector). Java starts its jobs one after another, as a
//! Spring context does. Execution is monitored where nothing else is said, which is both kinds' default; the loads of
//! one second and of one instant are measured without it too, since it costs Java most of its requests.
//!
//! **Fleets**: N jobs of 4 items on one instance and on three; each job fires every 10 seconds, the jobs spread evenly over
//! them. *Start* is the time from the start of the process, of all processes at once where there are three, until
//! Java's last job is scheduled; Clockwright must own all items by then, which Java only shares out at each job's first fire. After
//! two periods comes the measured window, whose counts are taken from outside: ZooKeeper's `mntr` for requests (pings and lease
//! renewals included) and watches, `/proc` for memory, threads and CPU. *Lateness* is the time from a due instant to
//! the body's first line. Then one of three instances is killed, half a second after the beginning of a period. When the
//! server ends its session is ZooKeeper's own arithmetic; what counts is the time from there until none of its items
//! names it as its owner any more, and until all of them were started elsewhere, with the wait for each job's next fire.
//!
//! **Loads**: 100 jobs of 10 items every second, and 300 jobs of 10 items due in one instant, on one instance.
//!
//! A start that is later than its job's period counts for a later instant, so lateness is below the period; the share of what
//! was due that ran tells whether a kind kept up.

mod process;

use crate::Scale;
use crate::backend::{Backend, Kind as BackendKind};
use crate::child::Place;
use crate::fleet::SESSION;
use crate::machine::{Usage, at_wall, next_multiple, wall_micros};
use crate::report::{Row, tell};
use crate::stats::{SPREAD, Spread, median, percentile};
use anyhow::{Context as _, ensure};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{InstanceId, JobName};
use clockwright_registry::{Path, SharedRegistry};
use clockwright_testkit::zookeeper::ZkServer;
use process::{Instances, Kind, Load};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

pub(crate) use process::hold;

/// What a fleet's jobs are cut into.
const FLEET_ITEMS: u32 = 4;
const LOAD_ITEMS: u32 = 10;
/// How long a dead instance's items may wait, beyond the session timeout.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    process::check_java()?;
    let stage = Stage::open(scale.pick(SESSION, SESSION, 2_000)).await?;
    let mut rows = Vec::new();
    for jobs in scale.pick(&[100, 500, 1_000][..], &[100], &[3]).iter().copied() {
        for instances in scale.pick(&[1, 3][..], &[1, 3], &[2]).iter().copied() {
            let load = Load {
                jobs,
                items: FLEET_ITEMS,
                period: scale.pick(10, 10, 2),
                spread: true,
                monitor: true,
                ..stage.load()
            };
            let periods = scale.pick(3, 2, 1);
            let (java, ours) = (
                stage.fleet(Kind::Java, &load, instances, periods).await?,
                stage.fleet(Kind::Clockwright, &load, instances, periods).await?,
            );
            tell(&mut rows, fleet_rows(&load, instances, &java, &ours));
        }
    }
    for monitor in [true, false] {
        let jobs = scale.pick(100, 100, 2);
        let load = Load { jobs, items: LOAD_ITEMS, period: 1, spread: false, monitor, ..stage.load() };
        let (warm, periods) = (scale.pick(20, 10, 2), scale.pick(20, 10, 2));
        let java = stage.window(Kind::Java, &load, warm, periods).await?;
        let ours = stage.window(Kind::Clockwright, &load, warm, periods).await?;
        tell(&mut rows, second_rows(&load, &java, &ours));
    }
    for monitor in [true, false] {
        let jobs = scale.pick(300, 300, 2);
        let period = scale.pick(20, 20, 2);
        let load = Load { jobs, items: LOAD_ITEMS, period, spread: false, monitor, ..stage.load() };
        let periods = scale.pick(4, 2, 1);
        let java = stage.window(Kind::Java, &load, 1, periods).await?;
        let ours = stage.window(Kind::Clockwright, &load, 1, periods).await?;
        tell(&mut rows, vec![instant_row(&load, &java, &ours)]);
    }
    Ok(rows)
}

/// The server, and the session from which it is looked at.
struct Stage {
    backend: Backend,
    session_timeout: i64,
    registry: SharedRegistry,
}

/// What the window of one arm showed.
struct Window {
    /// Seconds from the start of the processes until all jobs were scheduled.
    started: f64,
    /// Of all processes together.
    usage: Usage,
    /// Resident bytes of all processes after a collection of Java's garbage.
    collected: u64,
    watches: f64,
    requests: f64,
    seconds: f64,
    /// How many instants of jobs were due, and how many runs of items.
    firings: f64,
    due: f64,
    ran: f64,
    /// Milliseconds of each start.
    lateness: Vec<f64>,
    /// Milliseconds of the last first start of each instant.
    last: Vec<f64>,
}

/// What one arm of a fleet showed.
struct Fleet {
    window: Window,
    taken_over: Option<TakenOver>,
}

/// What the death of one instance showed, milliseconds.
struct TakenOver {
    items: usize,
    /// From the death until the session's end, less the session timeout.
    gone: f64,
    /// From there until none of the items names it as its owner, and until each was started elsewhere.
    owned: f64,
    started: Vec<f64>,
    /// How many were not started in time.
    missing: usize,
}

impl Stage {
    async fn open(session_timeout: i64) -> anyhow::Result<Self> {
        let backend = Backend::open(BackendKind::ZooKeeper).await?;
        let registry = backend.connector(SESSION)().await?;
        Ok(Self { backend, session_timeout, registry })
    }

    /// A load without jobs on this server.
    fn load(&self) -> Load {
        let address = self.backend.server().map(ZkServer::address).unwrap_or_default();
        Load {
            place: Place { address, namespace: String::new(), session_timeout: self.session_timeout },
            jobs: 0,
            items: 0,
            period: 1,
            spread: false,
            monitor: true,
        }
    }

    fn number(&self, name: &str) -> anyhow::Result<f64> {
        let server = self.backend.server().context("the backend is ZooKeeper")?;
        let numbers = server.mntr()?;
        let number = numbers.get(name).with_context(|| format!("the server does not tell its {name}"))?;
        Ok(number.parse()?)
    }

    async fn fleet(&self, kind: Kind, load: &Load, count: usize, periods: u32) -> anyhow::Result<Fleet> {
        let (load, mut instances, started) = self.start(kind, load, count).await?;
        let window = self.measure(&instances, &load, started, 2, periods).await?;
        let taken_over = match count {
            1 => None,
            _ => Some(self.take_over(&mut instances, &load).await?),
        };
        self.end(instances).await?;
        Ok(Fleet { window, taken_over })
    }

    /// Runs a load on one instance: some periods to warm up, some that are measured.
    async fn window(&self, kind: Kind, load: &Load, warm: u32, periods: u32) -> anyhow::Result<Window> {
        let (load, instances, started) = self.start(kind, load, 1).await?;
        let window = self.measure(&instances, &load, started, warm, periods).await?;
        self.end(instances).await?;
        Ok(window)
    }

    async fn start(&self, kind: Kind, load: &Load, count: usize) -> anyhow::Result<(Load, Instances, f64)> {
        let monitor = if load.monitor { "" } else { "-unmonitored" };
        let name = format!("{}-{}x{}-on-{count}{monitor}", kind.word(), load.jobs, load.items);
        let mut load = load.clone();
        load.place.namespace = self.backend.namespace(&name);
        eprintln!("  {name}: starting …");
        let (instances, started) = Instances::start(kind, &load, count).await?;
        eprintln!("  {name}: started in {:.1} s, measuring …", started.as_secs_f64());
        Ok((load, instances, started.as_secs_f64()))
    }

    async fn measure(
        &self,
        instances: &Instances,
        load: &Load,
        started: f64,
        warm: u32,
        periods: u32,
    ) -> anyhow::Result<Window> {
        let period = i64::from(load.period) * 1_000;
        let begin = next_multiple(period, 0) + i64::from(warm) * period;
        let end = begin + i64::from(periods) * period;
        // Between two periods nothing is due: the first jobs of the next one are a moment away.
        at_wall(begin - 20).await;
        let (requests, before) = (self.number("zk_packets_received")?, instances.usage()?);
        at_wall(end - 20).await;
        let requests = self.number("zk_packets_received")? - requests;
        let usage = instances.usage()?;
        let watches = self.number("zk_watch_count")?;
        // What is late may still belong to the window.
        at_wall(end + period / 2).await;
        let mut runs: BTreeMap<(i64, u32, u32), f64> = BTreeMap::new();
        let mut lateness = Vec::new();
        for start in instances.starts()?.into_iter().flatten() {
            let due = load.due(start.job, start.at);
            if (begin..end).contains(&(due / 1_000)) {
                let late = (start.at - due) as f64 / 1_000.0;
                lateness.push(late);
                runs.entry((due, start.job, start.item))
                    .and_modify(|first| *first = late.min(*first))
                    .or_insert(late);
            }
        }
        let mut last: BTreeMap<i64, f64> = BTreeMap::new();
        for ((due, ..), late) in &runs {
            let last = last.entry(*due).or_default();
            *last = late.max(*last);
        }
        let firings = f64::from(load.jobs) * f64::from(periods);
        ensure!(
            !lateness.is_empty(),
            "nothing ran in the window; what the processes said: {}",
            instances.talk()
        );
        Ok(Window {
            started,
            usage: Usage { cpu: usage.cpu - before.cpu, ..usage },
            collected: instances.collected().await?,
            watches,
            requests,
            seconds: (end - begin) as f64 / 1_000.0,
            firings,
            due: firings * f64::from(load.items),
            ran: runs.len() as f64,
            lateness,
            last: last.into_values().collect(),
        })
    }

    /// Kills the last instance and waits for the others.
    async fn take_over(&self, instances: &mut Instances, load: &Load) -> anyhow::Result<TakenOver> {
        let owners = Owners::of(load)?;
        let pid = instances.last_pid();
        let lost = owners.of_process(&self.registry, pid, None).await?;
        let node = owners.instance_node(&self.registry, pid, &lost).await?;
        at_wall(next_multiple(i64::from(load.period) * 1_000, 0) + 500).await;
        let died_at = wall_micros();
        instances.kill_last().await?;
        let mut hints = self.registry.watch(&node).await?;
        while self.registry.read(std::slice::from_ref(&node)).await?[0].is_some() {
            let limit = Duration::from_millis(load.place.session_timeout as u64) + PATIENCE;
            tokio::time::timeout(limit, hints.recv()).await.context("the session does not end")?;
        }
        let gone_at = wall_micros();
        let gone = (gone_at - died_at) as f64 / 1_000.0 - load.place.session_timeout as f64;
        let since = |at: i64| (at - gone_at) as f64 / 1_000.0;
        let deadline = Instant::now() + PATIENCE;
        let mut left = lost.clone();
        while !left.is_empty() && Instant::now() < deadline {
            left = owners.of_process(&self.registry, pid, Some(&left)).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let owned = since(wall_micros());
        loop {
            let mut first: BTreeMap<(u32, u32), i64> = BTreeMap::new();
            for start in instances.starts()?.into_iter().flatten().filter(|start| start.at > died_at) {
                let first = first.entry((start.job, start.item)).or_insert(start.at);
                *first = start.at.min(*first);
            }
            let started: Vec<f64> =
                lost.iter().filter_map(|run| first.get(run)).map(|at| since(*at)).collect();
            let missing = lost.len() - started.len();
            if missing == 0 || Instant::now() > deadline {
                return Ok(TakenOver { items: lost.len(), gone, owned, started, missing });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Kills the rest and waits until the server has forgotten them.
    async fn end(&self, instances: Instances) -> anyhow::Result<()> {
        instances.kill().await?;
        let deadline = Instant::now() + PATIENCE;
        while self.number("zk_ephemerals_count")? > 0.0 {
            ensure!(Instant::now() < deadline, "ephemeral nodes are left of processes that were killed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// The nodes that name the owners of all items.
struct Owners(BTreeMap<(u32, u32), Path>, Keys);

impl Owners {
    fn of(load: &Load) -> anyhow::Result<Self> {
        let keys = Keys::new(&load.place.namespace)?;
        let mut nodes = BTreeMap::new();
        for job in 0..load.jobs {
            let name = JobName::new(&process::job_name(job))?;
            nodes.extend((0..load.items).map(|item| ((job, item), keys.of(&name, &Key::Owner(item)))));
        }
        Ok(Self(nodes, keys))
    }

    /// Which of these items, or of all, a process owns, or nobody.
    async fn of_process(
        &self,
        registry: &SharedRegistry,
        pid: u32,
        among: Option<&HashSet<(u32, u32)>>,
    ) -> anyhow::Result<HashSet<(u32, u32)>> {
        let asked = |run: &&(u32, u32)| among.is_none_or(|among| among.contains(*run));
        let runs: Vec<(u32, u32)> = self.0.keys().filter(asked).copied().collect();
        let paths: Vec<Path> = runs.iter().map(|run| self.0[run].clone()).collect();
        let nodes = registry.read(&paths).await?;
        // While they are shared out anew, they have no owner for a moment.
        let held = runs.into_iter().zip(nodes).filter(|(_, node)| match node {
            Some(node) => process::is_of(&String::from_utf8_lossy(&node.data), pid),
            None => among.is_some(),
        });
        Ok(held.map(|(run, _)| run).collect())
    }

    /// The ephemeral node of a process in a job some of whose items it owns.
    async fn instance_node(
        &self,
        registry: &SharedRegistry,
        pid: u32,
        owned: &HashSet<(u32, u32)>,
    ) -> anyhow::Result<Path> {
        let run = owned.iter().next().with_context(|| format!("process {pid} owns no item"))?;
        let owner = registry.read(std::slice::from_ref(&self.0[run])).await?.remove(0);
        let owner = owner.with_context(|| format!("{} is gone", self.0[run]))?;
        let id = InstanceId::from_wire(&String::from_utf8_lossy(&owner.data));
        Ok(self.1.of(&JobName::new(&process::job_name(run.0))?, &Key::Instance(id)))
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn row(what: impl Into<String>, unit: &'static str, java: &[f64], ours: &[f64], ratio: f64) -> Row {
    Row::new(what, "ZooKeeper", unit).product(ours).floor(java).ratio(ratio)
}

fn fleet_rows(load: &Load, instances: usize, java: &Fleet, ours: &Fleet) -> Vec<Row> {
    let of = format!("{} jobs × {} on {instances}", load.jobs, load.items);
    let single = |what: &str, unit: &'static str, value: fn(&Window) -> f64| {
        let (java, ours) = (value(&java.window), value(&ours.window));
        row(format!("{of}: {what}"), unit, &[java], &[ours], ours / java)
    };
    let ratio = |value: fn(&Window) -> f64| value(&ours.window) / value(&java.window);
    let start = single("start to all scheduled", "s", |window| window.started);
    let start = if load.jobs == 1_000 {
        start.aim("≤ 1/20 of Java's", ratio(|window| window.started) <= 0.05)
    } else {
        start
    };
    let mut rows = vec![
        start,
        single("resident, all processes", "MiB", |window| mebibytes(window.usage.resident))
            .note(format!("Java {:.0} MiB after a collection", mebibytes(java.window.collected))),
        single("threads, all processes", "", |window| window.usage.threads as f64),
        single("watches held", "", |window| window.watches),
        single("requests/s", "/s", |window| window.requests / window.seconds),
        single("requests per firing", "", |window| window.requests / window.firings)
            .aim("≤ 1/10 of Java's", ratio(|window| window.requests / window.firings) <= 0.1),
        single("CPU per run", "µs", cpu_per_run).note("the processes, all threads; idling included"),
        lateness(&of, &java.window, &ours.window),
    ];
    if let (Some(java), Some(ours)) = (&java.taken_over, &ours.taken_over) {
        let what = format!("{of}: kill -9 until the session ends, minus its timeout");
        rows.push(
            Row::new(what, "ZooKeeper", "ms").product([ours.gone]).floor([java.gone]).note("ZooKeeper's own"),
        );
        let what = format!("{of}: then until its items are owned elsewhere");
        rows.push(
            row(what, "ms", &[java.owned], &[ours.owned], ours.owned / java.owned)
                .note(format!("{} of Java's items, {} of Clockwright's", java.items, ours.items)),
        );
        let times = |taken: &TakenOver| {
            let mut times = taken.started.clone();
            [percentile(&mut times, 50.0), percentile(&mut times, 100.0)]
        };
        let (theirs, mine) = (times(java), times(ours));
        let what = format!("{of}: then until they were started elsewhere");
        let mut note = "with the wait for each job's next fire".to_owned();
        if java.missing + ours.missing > 0 {
            note += &format!(
                "; not within {} s: {} of Java's, {} of Clockwright's",
                PATIENCE.as_secs(),
                java.missing,
                ours.missing
            );
        }
        rows.push(row(what, "ms", &theirs, &mine, mine[1] / theirs[1]).parts(&["p50", "max"]).note(note));
    }
    rows
}

fn cpu_per_run(window: &Window) -> f64 {
    window.usage.cpu.as_secs_f64() * 1e6 / window.ran
}

fn share(window: &Window) -> f64 {
    100.0 * window.ran / window.due
}

fn lateness(of: &str, java: &Window, ours: &Window) -> Row {
    let spread = |window: &Window| Spread::of(&mut window.lateness.clone());
    let (theirs, mine) = (spread(java), spread(ours));
    row(format!("{of}: lateness"), "ms", &theirs.values(), &mine.values(), mine.p99 / theirs.p99)
        .parts(SPREAD)
        .note(format!(
            "ratio of p99; {:.1} % of Java's due runs ran, {:.1} % of Clockwright's",
            share(java),
            share(ours)
        ))
}

fn monitored(load: &Load) -> &'static str {
    if load.monitor { "monitored" } else { "not monitored" }
}

fn second_rows(load: &Load, java: &Window, ours: &Window) -> Vec<Row> {
    let of = format!("{} jobs × {} every second, {}", load.jobs, load.items, monitored(load));
    let single = |what: &str, unit: &'static str, value: fn(&Window) -> f64| {
        let (java, ours) = (value(java), value(ours));
        row(format!("{of}: {what}"), unit, &[java], &[ours], ours / java)
    };
    vec![
        single("runs/s", "/s", |window| window.ran / window.seconds)
            .note(format!("{} due", load.jobs * load.items)),
        lateness(&of, java, ours),
        single("requests per firing", "", |window| window.requests / window.firings)
            .aim("≤ 1/10 of Java's", ours.requests / ours.firings <= 0.1 * java.requests / java.firings),
        single("CPU per run", "µs", cpu_per_run).note("the processes, all threads"),
        single("resident", "MiB", |window| mebibytes(window.usage.resident))
            .note(format!("Java {:.0} MiB after a collection", mebibytes(java.collected))),
    ]
}

fn instant_row(load: &Load, java: &Window, ours: &Window) -> Row {
    let of = format!("{} jobs × {} due in one instant, {}", load.jobs, load.items, monitored(load));
    let middle =
        |window: &Window| [median(window.lateness.iter().copied()), median(window.last.iter().copied())];
    let (theirs, mine) = (middle(java), middle(ours));
    let row = row(format!("{of}: start"), "ms", &theirs, &mine, mine[1] / theirs[1]).parts(&["p50", "last"]);
    let row =
        if load.monitor { row.aim("last ≤ 1/20 of Java's", mine[1] <= 0.05 * theirs[1]) } else { row };
    row.note(format!(
        "ratio of the last, median of {} instants; {:.1} % of Java's due runs ran, {:.1} % of Clockwright's",
        java.last.len(),
        share(java),
        share(ours)
    ))
}
