//! Lists, searches and single jobs, as 50 people ask for them, beside a program of the same stack that answers two words; and what all of it takes
//! in memory.
//!
//! First each asks again 20 ms after each answer: that says how long somebody waits. Then each asks again at once, in turns with the floor: that
//! says how much the server can answer. Who asks is on the same cores.

use super::http::{Door, Paths, drive};
use super::stage::{SESSION, Stage, job};
use super::streams;
use crate::Scale;
use crate::child;
use crate::events::Database;
use crate::machine;
use crate::report::{Row, tell};
use crate::stats::{median, percentile};
use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;

/// The project of a hundred thousand jobs, which [`mirror`](super::mirror) asks too.
pub(super) const PROJECT: &str = "bench";
const CLIENTS: usize = 50;
const THINK: Duration = Duration::from_millis(20);
const MIB: f64 = 1_048_576.0;

/// Answers `hello, world` until its standard input ends.
pub(crate) async fn hello() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", serde_json::to_string(&listener.local_addr()?)?);
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello, world" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::task::spawn_blocking(|| std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new()))
        .await??;
    Ok(())
}

/// A process that answers so.
pub(super) struct Hello {
    process: Child,
    door: Door,
}

impl Hello {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let (process, address) = child::spawn("hello", "").await?;
        let door = Door { address: serde_json::from_str(&address)?, headers: "".into() };
        Ok(Self { process, door })
    }

    /// As [`drive`].
    pub(super) async fn drive(
        &self,
        clients: usize,
        think: Duration,
        time: Duration,
    ) -> anyhow::Result<super::http::Seen> {
        let only: Paths = Arc::new(|_| "/".to_owned());
        drive(&self.door, &only, clients, think, time).await
    }
}

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let jobs = scale.pick(100_000, 10_000, 60);
    let time = Duration::from_secs_f64(scale.pick(10.0, 3.0, 0.3));
    let hello = Hello::start().await?;
    let mut rows = Vec::new();
    for database in scale.databases() {
        let on = database.name();
        let mut stage = Stage::open(database, PROJECT, SESSION).await?;
        let loaded = stage.furnish(jobs).await?;
        eprintln!(
            "  {on} and the registry hold {jobs} jobs, of which the server knows all after {loaded:.1} s"
        );
        stage.agrees(jobs).await?;
        for question in questions(jobs) {
            tell(&mut rows, vec![calm(&stage, &hello, &question, on, time).await?]);
            tell(&mut rows, vec![eager(&stage, &hello, &question, on, scale).await?]);
        }
        if database == Database::Postgres || scale.databases().len() == 1 {
            tell(&mut rows, vec![memory(&stage, &hello, jobs, on, scale).await?]);
        }
        stage.close().await?;
    }
    Ok(rows)
}

/// What is asked, and how long the 95th percentile may be, milliseconds.
pub(super) struct Question {
    what: &'static str,
    limit: f64,
    paths: Paths,
}

impl Question {
    pub(super) fn new(
        what: &'static str,
        limit: f64,
        path: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { what, limit, paths: Arc::new(path) }
    }
}

fn questions(jobs: usize) -> [Question; 5] {
    // Another one each time, and none soon again.
    let number = move |n: usize| 1 + n * 7_919 % jobs;
    let list = move |n: usize| match n % 4 {
        0 => "/api/v1/jobs?limit=50&sort=-changed".to_owned(),
        1 => "/api/v1/jobs?limit=50&sort=next".to_owned(),
        2 => format!("/api/v1/projects/{PROJECT}/jobs?limit=50"),
        _ => "/api/v1/jobs?limit=50".to_owned(),
    };
    let page = move |n: usize| format!("/api/v1/projects/{PROJECT}/jobs/{}", job(number(n)));
    [
        Question::new("list", 50.0, list),
        Question::new("filtered list", 50.0, |n| {
            format!("/api/v1/jobs?limit=50&q=tag:team{}%20state:online", n % 20)
        }),
        Question::new("contains search", 50.0, move |n| {
            format!("/api/v1/jobs?limit=50&q={:04}", number(n) % 10_000)
        }),
        Question::new("job page", 15.0, page),
        Question::new("job page, live", 15.0, move |n| page(n) + "/live"),
    ]
}

/// How long an answer takes when people ask.
pub(super) async fn calm(
    stage: &Stage,
    hello: &Hello,
    Question { what, limit, paths }: &Question,
    on: &str,
    time: Duration,
) -> anyhow::Result<Row> {
    let spread = |mut times: Vec<f64>| [50.0, 95.0, 100.0].map(|percent| percentile(&mut times, percent));
    let door = stage.door();
    // Warm.
    drive(&door, paths, CLIENTS, THINK, time / 10).await?;
    let product = spread(drive(&door, paths, CLIENTS, THINK, time).await?.times);
    let bare = spread(hello.drive(CLIENTS, THINK, time / 3).await?.times);
    Ok(Row::new(format!("{what}, {CLIENTS} clients with 20 ms think time"), on, "ms")
        .parts(&["p50", "p95", "max"])
        .product(product)
        .floor(bare)
        .ratio(product[1] / bare[1])
        .aim(format!("p95 ≤ {limit} ms"), product[1] <= *limit)
        .note("floor: hello, world of the same stack; ratio of p95"))
}

/// How many answers there are when programs ask.
async fn eager(
    stage: &Stage,
    hello: &Hello,
    Question { what, paths, .. }: &Question,
    on: &str,
    scale: Scale,
) -> anyhow::Result<Row> {
    let (pairs, time) = (scale.pick(9, 3, 1), Duration::from_secs_f64(scale.pick(1.0, 0.5, 0.1)));
    let (mut rates, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let rate = drive(&stage.door(), paths, CLIENTS, Duration::ZERO, time).await?.rate;
        let bare = hello.drive(CLIENTS, Duration::ZERO, time).await?.rate;
        rates.push(rate);
        bares.push(bare);
        ratios.push(rate / bare);
    }
    let ratio = median(ratios);
    let row = Row::new(format!("{what}, {CLIENTS} clients without a pause: reads/s"), on, "/s")
        .product([median(rates)])
        .floor([median(bares)])
        .ratio(ratio)
        .note(format!("floor: hello, world of the same stack; {pairs} pairs"));
    Ok(if *what == "job page" { row.aim("≥ 0.4 of hello, world", ratio >= 0.4) } else { row })
}

/// What the process has in memory after all of that, with streams that people left open.
async fn memory(stage: &Stage, hello: &Hello, jobs: usize, on: &str, scale: Scale) -> anyhow::Result<Row> {
    let count = scale.pick(200, 200, 20);
    let streams = streams::open(stage, count).await?;
    tokio::time::sleep(Duration::from_secs_f64(scale.pick(30.0, 5.0, 0.1))).await;
    let resident = |child: &Child| {
        let pid = child.id().context("the process runs")?;
        anyhow::Ok(machine::usage(pid)?.resident as f64 / MIB)
    };
    let (product, bare) = (resident(&stage.server.child)?, resident(&hello.process)?);
    drop(streams);
    Ok(Row::new(format!("resident with {jobs} jobs and {count} streams"), on, "MiB")
        .product([product])
        .floor([bare])
        .ratio(product / bare)
        .aim("≤ 200 MB", product <= 200e6 / MIB)
        .note("after the questions above; floor: hello, world after as many"))
}
