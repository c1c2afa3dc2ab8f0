//! Pages of what happened, beside the same pages asked of the store itself; and a job's page while the store is full.
//!
//! The history is that of [`queries`]: outcomes of 1,000 jobs of 10 items, one each 100 ms.

use super::lists::{Hello, Question as Asked, calm};
use super::stage::{SESSION, Stage};
use crate::Scale;
use crate::events::queries;
use crate::report::{Row, tell};
use crate::stats::percentile;
use clockwright_events::{Page, Query as _, RunFilter};
use serde_json::json;
use std::time::{Duration, Instant};

/// How many of the jobs of the history the project has.
const JOBS: usize = 20;
/// How many rows of a page.
const RUNS: u32 = 50;
const LEDGER: u32 = 1_000;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let runs = scale.pick(2_000_000, 500_000, 5_000);
    let repeats = scale.pick(400, 200, 4);
    let hello = Hello::start().await?;
    let mut rows = Vec::new();
    for database in scale.databases() {
        let project = format!("history-{}", database.name().to_lowercase());
        let stage = Stage::open(database, &project, SESSION).await?;
        let begun = Instant::now();
        queries::fill(&stage.home, &project, runs).await?;
        eprintln!("  {} holds {runs} outcomes after {:.0} s", database.name(), begun.elapsed().as_secs_f64());
        let props = json!({ "script.command.line": "true" });
        for number in 0..JOBS {
            let settings = json!({ "elasticJobType": "SCRIPT", "cron": "0 0 0 1 1 ? 2099", "props": props });
            let ask = json!({ "name": format!("job-{number}"), "settings": settings });
            stage.post(&stage.at("/jobs"), &ask).await?;
        }
        let time = Duration::from_millis(scale.pick(1_000, 500, 50));
        let bare = percentile(&mut hello.drive(1, Duration::ZERO, time).await?.times, 95.0);
        for question in [Question::Runs, Question::RunsOfJob, Question::Ledger] {
            tell(&mut rows, vec![page(&stage, question, bare, (repeats, runs)).await?]);
        }
        let pages = stage.at("/jobs/job-");
        let job = Asked::new("job page, history full", 15.0, move |n| format!("{pages}{}", n % JOBS));
        let time = Duration::from_secs_f64(scale.pick(5.0, 2.0, 0.2));
        tell(&mut rows, vec![calm(&stage, &hello, &job, database.name(), time).await?]);
        stage.close().await?;
    }
    Ok(rows)
}

/// One client asks the server and the store in turns.
async fn page(
    stage: &Stage,
    question: Question,
    bare: f64,
    (repeats, runs): (usize, i64),
) -> anyhow::Result<Row> {
    let (mut pages, mut sql) = (Vec::new(), Vec::new());
    let mut connection = stage.door().enter().await?;
    for n in 0..repeats {
        let path = question.path(stage, n, runs);
        let begun = Instant::now();
        let answer = connection.get(&path).await?;
        pages.push(begun.elapsed().as_secs_f64() * 1e3);
        answer.json()?;
        let begun = Instant::now();
        question.ask(stage, n, runs).await?;
        sql.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (page, sql) = (percentile(&mut pages, 95.0), percentile(&mut sql, 95.0));
    Ok(Row::new(format!("{}: p95", question.name()), stage.home.database.name(), "ms")
        .product([page])
        .floor([bare + sql])
        .ratio(page / (bare + sql))
        .aim("≤ 3 × (HTTP floor + SQL page)", page <= 3.0 * (bare + sql))
        .note(format!("{runs} runs; floor: hello, world {bare:.2} ms and the store's own page {sql:.2} ms")))
}

#[derive(Debug, Clone, Copy)]
enum Question {
    Runs,
    RunsOfJob,
    Ledger,
}

impl Question {
    fn name(self) -> &'static str {
        match self {
            Self::Runs => "page of runs of a project",
            Self::RunsOfJob => "page of runs of a job",
            Self::Ledger => "ledger of a day",
        }
    }

    fn path(self, stage: &Stage, n: usize, runs: i64) -> String {
        let of_job = |rest: &str| stage.at(&format!("/jobs/job-{}{rest}", n % JOBS));
        match self {
            Self::Runs => stage.at(&format!("/runs?limit={RUNS}")),
            Self::RunsOfJob => of_job(&format!("/runs?limit={RUNS}")),
            Self::Ledger => {
                let [from, to] =
                    day(n, runs).map(|at| jiff::Timestamp::from_millisecond(at).unwrap_or_default());
                of_job(&format!("/ledger?from={from}&to={to}&limit={LEDGER}"))
            }
        }
    }

    async fn ask(self, stage: &Stage, n: usize, runs: i64) -> anyhow::Result<()> {
        let job = format!("job-{}", n % JOBS);
        let (store, namespaces) = (&stage.home.store, vec![stage.project.clone()]);
        match self {
            Self::Runs => {
                let filter = RunFilter { namespaces, ..RunFilter::default() };
                drop(store.runs(&filter, &Page::first(RUNS)).await?);
            }
            Self::RunsOfJob => {
                let filter = RunFilter { namespaces, jobs: vec![job], ..RunFilter::default() };
                drop(store.runs(&filter, &Page::first(RUNS)).await?);
            }
            Self::Ledger => {
                let [from, to] = day(n, runs);
                let page = Page::first(LEDGER);
                drop(store.ledger(Some(&stage.project), &job, None, from, to, &page).await?);
            }
        }
        Ok(())
    }
}

/// The beginning and the end of a day within what there is.
fn day(n: usize, runs: i64) -> [i64; 2] {
    const DAY: i64 = 86_400_000;
    let last = crate::events::BEGIN + runs * queries::STEP;
    let from = (last - DAY - (n as i64 % 10) * 3_600_000).max(crate::events::BEGIN);
    [from, from + DAY]
}
