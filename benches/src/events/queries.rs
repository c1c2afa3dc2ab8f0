//! What a page of history costs when the tables hold ten million rows each: ten filters, and a few questions more.
//!
//! The history is made by the database itself: outcomes of 1,000 jobs of 10 items, one each 100 ms for eleven days and a half; one in a
//! hundred failed, one in ten thousand with a rare text. Each question is asked many times with other values, on one
//! connection, with pages of 20 rows; the first of them warm nothing but what a database keeps warm by itself.

use super::{BEGIN, Home};
use crate::Scale;
use crate::report::{Row, tell};
use crate::stats::percentile;
use anyhow::ensure;
use clockwright_events::{
    Cursor, ExecutionFilter, ExecutionState, Page, Query as _, RunFilter, StoreError, Width,
};
use clockwright_model::{Millis, OutcomeKind};
use std::time::Instant;

/// Between two outcomes.
pub(crate) const STEP: Millis = 100;
const JOBS: i64 = 1_000;
const CHUNK: i64 = 500_000;

pub(crate) async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let rows = scale.pick(10_000_000, 1_000_000, 5_000);
    let repeats = scale.pick(200, 100, 2);
    let mut found = Vec::new();
    for database in scale.databases() {
        let home = Home::open(database).await?;
        let began = Instant::now();
        fill(&home, "", rows).await?;
        eprintln!("{} holds {rows} outcomes after {:.0} s", database.name(), began.elapsed().as_secs_f64());
        for question in QUESTIONS {
            let mut times = Vec::with_capacity(repeats);
            let mut answered = 0;
            for n in 0..repeats as i64 {
                // Spread over the jobs and the history, the same in every run.
                let (job, place) = (n * 37 % JOBS, rows / (repeats as i64 + 1) * (n + 1));
                let began = Instant::now();
                answered += ask(&home, question, job, place, rows).await?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            let nothing = question == Question::NoSuchText;
            ensure!(nothing == (answered == 0), "{} found {answered} rows", question.name());
            let spread = [50.0, 95.0, 100.0].map(|percent| percentile(&mut times, percent));
            let row = Row::new(question.name(), database.name(), "ms")
                .parts(&["p50", "p95", "max"])
                .product(spread)
                .note(format!("{rows} rows"));
            let is_met = spread[1] <= 50.0;
            let row = if question.is_a_filter() { row.aim("p95 ≤ 50 ms", is_met) } else { row };
            tell(&mut found, vec![row]);
        }
    }
    Ok(found)
}

/// Writes so many outcomes of a namespace, and attempts, of [`JOBS`] jobs: `job-0`, `job-1`, …
pub(crate) async fn fill(home: &Home, namespace: &str, rows: i64) -> anyhow::Result<()> {
    let mut raw = home.raw().await?;
    for first in (0..rows).step_by(CHUNK as usize) {
        let numbers = home.numbers((rows - first).min(CHUNK) as u64);
        // Written here and not by users: the number of a row, and what is made of it.
        let n = format!("(n + {first})");
        let fire = format!("({BEGIN} + {n} * {STEP})");
        let job = home.concat(&["'job-'", &home.text(&format!("{n} % {JOBS}"))]);
        let item = format!("({n} % 10)");
        let id = home.concat(&["'0196a1b2-0000-7000-8000-'", &home.padded(&n)]);
        let key = home.concat(&[&job, "'/'", &home.text(&item), "'/'", &home.text(&fire)]);
        let instance = home.concat(&[
            "'10.0.'",
            &home.text(&home.divided(&n, rows / 50 + 1)),
            "'.'",
            &home.text(&format!("{n} % 4")),
            "'@-@4711'",
        ]);
        let outcome = format!(
            "CASE WHEN {n} % 100 = 7 THEN 'failed' WHEN {n} % 250 = 3 THEN 'skipped' ELSE 'succeeded' END"
        );
        let reason = format!(
            "CASE WHEN {n} % 10000 = 7 THEN 'No space left on device' WHEN {n} % 100 = 7 THEN 'the program ended with exit code 1' \
             WHEN {n} % 250 = 3 THEN 'an operator disabled the item' ELSE '' END"
        );
        raw.run(&format!(
            "INSERT INTO CLOCKWRIGHT_RUN (run_key, job_name, sharding_item, fire, fire_time, range_count, outcome, reason, \
             attempt, run_id, token, source, instance, start_ms, decided_ms, batch, namespace) \
             SELECT {key}, {job}, {item}, {}, {fire}, 1, {outcome}, {reason}, 1, {id}, {n}, 'schedule', {instance}, {fire} + 1, \
             {fire} + 40, 0, '{namespace}' FROM {numbers}",
            home.text(&fire)
        ))
        .await?;
        let is_bad = format!("{n} % 100 = 7 OR {n} % 100000 = 1");
        let success = match home.database {
            super::Database::Postgres => format!("NOT ({is_bad})"),
            _ => format!("CASE WHEN {is_bad} THEN 0 ELSE 1 END"),
        };
        let cause = format!("CASE WHEN {n} % 100 = 7 THEN 'the program ended with exit code 1' END");
        let server = home.concat(&[
            "'10.0.'",
            &home.text(&home.divided(&n, rows / 50 + 1)),
            "'.'",
            &home.text(&format!("{n} % 4")),
        ]);
        let task = home.concat(&[&job, "'@-@0,1,2,3,4,5,6,7,8,9@-@READY@-@'", &instance]);
        let end = home.time(&format!("{fire} + 40"));
        raw.run(&format!(
            "INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, execution_source, failure_cause, \
             is_success, start_time, complete_time) \
             SELECT {id}, {job}, {task}, 'host', {server}, {item}, 'NORMAL_TRIGGER', {cause}, {success}, {}, \
             CASE WHEN {n} % 100000 = 1 THEN NULL ELSE {end} END FROM {numbers}",
            home.time(&fire)
        ))
        .await?;
    }
    // One count, so that the roll-ups have something to say.
    raw.run(&format!(
        "INSERT INTO CLOCKWRIGHT_STATISTICS (namespace, job_name, width, at_ms, succeeded, failed, skipped, coalesced, missed, cancelled) \
         VALUES ('', '', 'day', {}, 1, 0, 0, 0, 0, 0)",
        Width::Day.start_of(BEGIN)
    ))
    .await?;
    home.analyze(&["CLOCKWRIGHT_RUN", "JOB_EXECUTION_LOG"]).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Newest,
    Job,
    JobDeep,
    Item,
    Time,
    Failed,
    JobFailed,
    Instance,
    Text,
    JobText,
    NoSuchText,
    Ledger,
    Counts,
    Attempts,
    AttemptsFailed,
    AttemptsRunning,
}

const QUESTIONS: [Question; 16] = [
    Question::Newest,
    Question::Job,
    Question::JobDeep,
    Question::Item,
    Question::Time,
    Question::Failed,
    Question::JobFailed,
    Question::Instance,
    Question::Text,
    Question::JobText,
    Question::NoSuchText,
    Question::Ledger,
    Question::Counts,
    Question::Attempts,
    Question::AttemptsFailed,
    Question::AttemptsRunning,
];

impl Question {
    fn name(self) -> &'static str {
        match self {
            Self::Newest => "filter 1: none, newest page",
            Self::Job => "filter 2: job",
            Self::JobDeep => "filter 3: job, a page deep in its history",
            Self::Item => "filter 4: job and item",
            Self::Time => "filter 5: job and time range",
            Self::Failed => "filter 6: failed, of all jobs",
            Self::JobFailed => "filter 7: job, failed",
            Self::Instance => "filter 8: instance",
            Self::Text => "filter 9: text of a failure, in all jobs",
            Self::JobText => "filter 10: job and text of a failure",
            Self::NoSuchText => "a text that is nowhere",
            Self::Ledger => "ledger of a job, a day of one item",
            Self::Counts => "counts by day",
            Self::Attempts => "attempts of a job",
            Self::AttemptsFailed => "failed attempts, of all jobs",
            Self::AttemptsRunning => "attempts that have not ended, of all jobs",
        }
    }

    fn is_a_filter(self) -> bool {
        self.name().starts_with("filter")
    }
}

/// Asks once and returns how many rows came.
async fn ask(home: &Home, question: Question, job: i64, place: i64, rows: i64) -> anyhow::Result<usize> {
    let name = || vec![format!("job-{job}")];
    let at = BEGIN + place * STEP;
    let none = RunFilter::default;
    let page = Page::first(20);
    let runs = async |filter: RunFilter, page: Page| -> Result<usize, StoreError> {
        Ok(home.store.runs(&filter, &page).await?.rows.len())
    };
    let attempts = async |filter: ExecutionFilter| -> Result<usize, StoreError> {
        Ok(home.store.executions(&filter, &Page::first(20)).await?.rows.len())
    };
    let failed = || vec![OutcomeKind::Failed];
    let failing = |n: i64| vec![format!("job-{}", n * 100 % JOBS + 7)];
    Ok(match question {
        Question::Newest => runs(none(), page).await?,
        Question::Job => runs(RunFilter { jobs: name(), ..none() }, page).await?,
        Question::JobDeep => {
            let cursor: Cursor = format!("{at}~job-{job}/0/{at}").parse()?;
            runs(RunFilter { jobs: name(), ..none() }, Page::after(20, cursor)).await?
        }
        // Item and job of a row have one number, so a job has one item here.
        Question::Item => {
            runs(RunFilter { jobs: name(), item: Some(job as u32 % 10), ..none() }, page).await?
        }
        Question::Time => {
            let (from, to) = (Some(at - JOBS * STEP * 50), Some(at));
            runs(RunFilter { jobs: name(), from, to, ..none() }, page).await?
        }
        Question::Failed => runs(RunFilter { outcomes: failed(), to: Some(at), ..none() }, page).await?,
        Question::JobFailed => {
            runs(RunFilter { jobs: failing(job), outcomes: failed(), ..none() }, page).await?
        }
        Question::Instance => {
            let instance = Some(format!("10.0.{}.{}@-@4711", place / (rows / 50 + 1), job % 4));
            runs(RunFilter { instance, ..none() }, page).await?
        }
        Question::Text => {
            runs(RunFilter { text: Some("no space left".into()), to: Some(at), ..none() }, page).await?
        }
        Question::JobText => {
            runs(RunFilter { jobs: failing(job), text: Some("EXIT CODE".into()), ..none() }, page).await?
        }
        Question::NoSuchText => {
            runs(RunFilter { text: Some("no such words".into()), ..none() }, page).await?
        }
        Question::Ledger => {
            let to = at.max(BEGIN + 86_400_000);
            let item = Some(job as u32 % 10);
            home.store
                .ledger(None, &format!("job-{job}"), item, to - 86_400_000, to, &Page::first(1000))
                .await?
                .rows
                .len()
        }
        Question::Counts => home.store.statistics(None, None, Width::Day, 0, i64::MAX).await?.len(),
        Question::Attempts => attempts(ExecutionFilter { jobs: name(), ..Default::default() }).await?,
        Question::AttemptsFailed => {
            let state = Some(ExecutionState::Failed);
            attempts(ExecutionFilter { state, ..Default::default() }).await?
        }
        Question::AttemptsRunning => {
            let state = Some(ExecutionState::Running);
            attempts(ExecutionFilter { state, ..Default::default() }).await?
        }
    })
}
