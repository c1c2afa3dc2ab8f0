//! A Clockwright instance whose job is code of this program: the counterpart of the Java peer for what a jobs file cannot
//! say, dataflow jobs and listeners that are called once for a fire of the whole job.
//!
//! `--registry ADDRESS --job NAME --cron CRON --items N --log FILE [--type simple|dataflow] [--class CLASS] [--streaming]
//! [--batches N] [--run-ms N] [--fail-item I] [--failover] [--no-misfire] [--no-monitor] [--session-ms N]
//! [--instance-ip ADDRESS] [--once FILE] [--once-timeout-ms N]`, with the meaning that `peer.Peer` of `e2e/java-peer` gives
//! them. Says `ready` on stdout once it is connected, and leaves at SIGTERM.

use anyhow::{Context as _, bail};
use clockwright::registry::Address;
use clockwright::{
    Dataflow, Job, JobListener, ListenerError, Misfire, OnceListener, Registry, RunReport, Scheduler,
    SchedulerOptions, ShardContext,
};
use clockwright_e2e::harness::now;
use clockwright_e2e::record::{Kind, Record, append, open_log};
use clockwright_model::Item;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let args = Args::parse(std::env::args().skip(1))?;
    tokio::runtime::Runtime::new()?.block_on(serve(args))
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let address = Address::parse(args.need("registry")?)?;
    let timeout = Duration::from_millis(args.number("session-ms", 4_000)?);
    let registry = Registry::open(&address, Some(timeout)).await?;
    let mut options = SchedulerOptions::default();
    if let Some(ip) = args.text("instance-ip") {
        options = options.address(ip);
    }
    let scheduler = Scheduler::start_with(&registry, vec![job(&args)?], options).await?;
    say_ready()?;
    signal.recv().await;
    scheduler.shutdown().await;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "what the harness waits for")]
fn say_ready() -> std::io::Result<()> {
    println!("ready");
    std::io::stdout().flush()
}

fn job(args: &Args) -> anyhow::Result<Job> {
    let (name, cron) = (args.need("job")?, args.need("cron")?);
    let work = Arc::new(Work {
        log: args.need("log")?.into(),
        run: Duration::from_millis(args.number("run-ms", 50)?),
        fail_item: args.text("fail-item").map(str::parse).transpose()?,
        batches: args.number("batches", 1)?,
        done: Mutex::default(),
    });
    let job = match args.text("type").unwrap_or("simple") {
        "simple" => Job::simple(name, cron, move |context| {
            let work = Arc::clone(&work);
            async move { work.run(&context).await }
        }),
        "dataflow" => Job::dataflow(name, cron, Batches(work), args.has("streaming")),
        other => bail!("--type is simple or dataflow, not `{other}`"),
    };
    let misfire = if args.has("no-misfire") { Misfire::Skip } else { Misfire::FireOnce };
    let mut job = job.sharding(args.number("items", 1)?).failover(args.has("failover")).misfire(misfire);
    job = job.with(|settings| settings.monitor_execution = !args.has("no-monitor"));
    if let Some(class) = args.text("class") {
        job = job.class(class);
    }
    if let Some(notes) = args.text("once") {
        let timeout = Duration::from_millis(args.number("once-timeout-ms", 10_000)?);
        let listener = OnceListener::new(Once { notes: notes.into() });
        job = job.once_listener(listener.start_timeout(timeout).complete_timeout(timeout));
    }
    Ok(job)
}

/// What a run does: it takes a while, says so in the log, and fails for one item if asked to.
struct Work {
    log: PathBuf,
    run: Duration,
    fail_item: Option<Item>,
    /// How many batches a dataflow run has; -1 never ends.
    batches: i64,
    done: Mutex<BTreeMap<Item, i64>>,
}

impl Work {
    async fn run(&self, context: &ShardContext) -> Result<(), String> {
        self.note(Kind::Start, context, None)?;
        tokio::time::sleep(self.run).await;
        let fails = self.fail_item == Some(context.item);
        self.note(Kind::End, context, Some(i32::from(fails)))?;
        if fails { Err(format!("item {} fails as asked", context.item)) } else { Ok(()) }
    }

    fn note(&self, kind: Kind, context: &ShardContext, code: Option<i32>) -> Result<(), String> {
        let mono = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mono = Duration::new(mono.tv_sec.unsigned_abs(), u32::try_from(mono.tv_nsec).unwrap_or(0));
        let (head, process) = context.task_id.rsplit_once("@-@").unwrap_or_default();
        let (_, ip) = head.rsplit_once("@-@").unwrap_or_default();
        let record = Record {
            kind,
            job: context.job.to_string(),
            item: context.item,
            fire: context.fire.to_string(),
            attempt: context.attempt,
            token: context.token,
            run: context.run_id.to_string(),
            pid: std::process::id(),
            ppid: std::os::unix::process::parent_id(),
            mono_ns: u64::try_from(mono.as_nanos()).unwrap_or(u64::MAX),
            wall_ms: now(),
            instance: Some(format!("{ip}@-@{process}")),
            code,
        };
        let written = open_log(&self.log).and_then(|mut log| append(&mut log, &record));
        written.map_err(|error| format!("cannot write the log: {error}"))
    }
}

/// Each fetch gives one element until the run has had its batches.
struct Batches(Arc<Work>);

impl Dataflow for Batches {
    type Data = i64;
    type Error = String;

    async fn fetch(&self, context: &ShardContext) -> Result<Vec<i64>, String> {
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        let count = done.entry(context.item).or_default();
        if self.0.batches >= 0 && *count >= self.0.batches {
            *count = 0;
            return Ok(Vec::new());
        }
        *count += 1;
        Ok(vec![*count])
    }

    async fn process(&self, context: &ShardContext, _batch: Vec<i64>) -> Result<(), String> {
        self.0.run(context).await
    }
}

/// Notes that it was called, once for a fire of the whole job.
struct Once {
    notes: PathBuf,
}

impl JobListener for Once {
    async fn before(&self, contexts: &[ShardContext]) -> Result<(), ListenerError> {
        Ok(note(&self.notes, "before", contexts.first())?)
    }

    async fn after(&self, runs: &[RunReport]) -> Result<(), ListenerError> {
        Ok(note(&self.notes, "after", runs.first().map(|run| &run.context))?)
    }
}

fn note(notes: &Path, kind: &str, context: Option<&ShardContext>) -> Result<(), String> {
    let job = context.map_or("", |context| context.job.as_str());
    let line = serde_json::json!({"kind": kind, "job": job, "pid": std::process::id(), "wall_ms": now()});
    let written = open_log(notes).and_then(|mut log| log.write_all(format!("{line}\n").as_bytes()));
    written.map_err(|error| format!("cannot write the notes: {error}"))
}

/// `--name value` or `--flag`.
struct Args {
    values: BTreeMap<String, String>,
    flags: BTreeSet<String>,
}

impl Args {
    fn parse(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut args = Self { values: BTreeMap::new(), flags: BTreeSet::new() };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").with_context(|| format!("`{word}` is no option"))?.to_owned();
            match words.next_if(|next| !next.starts_with("--")) {
                Some(value) => drop(args.values.insert(name, value)),
                None => drop(args.flags.insert(name)),
            }
        }
        Ok(args)
    }

    fn need(&self, name: &str) -> anyhow::Result<&str> {
        self.text(name).with_context(|| format!("--{name} needs a value"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> anyhow::Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(name).map_or(Ok(otherwise), |text| {
            text.parse().with_context(|| format!("--{name} is a number, not `{text}`"))
        })
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}
