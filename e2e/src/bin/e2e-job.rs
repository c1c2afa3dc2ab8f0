//! The job that scenarios run: it records what it does in a shared log, and misbehaves on request.
//!
//! It is started as `e2e-job --log FILE [options] [context JSON]` and reads who it is from the `CLOCKWRIGHT_…`
//! environment. A Java Elastic-Job peer gives it the context alone; then its fire is its start, rounded down to a multiple
//! of `--period-ms N`, its token is 0, and its run is its process. Options (times in milliseconds): `--run-ms N` how long it runs, 50 unless told; `--spread-ms N` up to
//! that much longer, differing from run to run; `--beat-ms N` how often it says that it is alive, 20 unless told;
//! `--exit CODE`; `--fail-first N` exit 1 at attempts up to N; `--forever`; `--ignore-term`; `--print-bytes N` to stdout;
//! `--fork-setsid` leaves behind a grandchild in a session of its own; `--locks DIR` takes a lock per item and records
//! when somebody else holds it.

use anyhow::{Context as _, bail};
use clockwright_e2e::record::{Kind, Record, append, open_log};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

fn main() -> anyhow::Result<()> {
    let mut args = Args::parse(std::env::args().skip(1).collect())?;
    match args.role {
        Role::Run => {}
        Role::Middle => return spawn_self(Role::Leaf).map(drop),
        Role::Leaf => return leaf(&args),
    }
    let _signals = args.ignore_term.then(swallow_term).transpose()?;
    let mut job = Job::new(&args)?;
    job.record(Kind::Start, None)?;
    let _lock = job.lock(&args)?;
    if args.fork_setsid {
        spawn_self(Role::Middle)?.wait()?;
    }
    print_bytes(args.print_bytes)?;
    args.run += args.spread.mul_f64(f64::from(job.me.pid % 97) / 96.0);
    job.beat_for(&args, Kind::Beat)?;
    let code = if job.me.attempt <= args.fail_first { 1 } else { args.exit };
    job.record(Kind::End, Some(code))?;
    std::process::exit(code)
}

/// What this process is within one run.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// The program that the scheduler started.
    Run,
    /// Its child: starts the leaf and exits at once, so that the leaf loses its parent.
    Middle,
    /// Its grandchild: leaves session and group, and goes on for ever.
    Leaf,
}

/// The options.
struct Args {
    log: PathBuf,
    locks: Option<PathBuf>,
    run: Duration,
    spread: Duration,
    beat: Duration,
    exit: i32,
    fail_first: u32,
    forever: bool,
    ignore_term: bool,
    fork_setsid: bool,
    print_bytes: u64,
    period: i64,
    role: Role,
}

impl Args {
    fn parse(args: Vec<String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
            log: PathBuf::new(),
            locks: None,
            run: Duration::from_millis(50),
            spread: Duration::ZERO,
            beat: Duration::from_millis(20),
            exit: 0,
            fail_first: 0,
            forever: false,
            ignore_term: false,
            fork_setsid: false,
            print_bytes: 0,
            period: 1,
            role: Role::Run,
        };
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let mut value = || args.next().with_context(|| format!("{name} needs a value"));
            match name.as_str() {
                "--log" => parsed.log = value()?.into(),
                "--locks" => parsed.locks = Some(value()?.into()),
                "--run-ms" => parsed.run = Duration::from_millis(value()?.parse()?),
                "--spread-ms" => parsed.spread = Duration::from_millis(value()?.parse()?),
                "--beat-ms" => parsed.beat = Duration::from_millis(value()?.parse()?),
                "--exit" => parsed.exit = value()?.parse()?,
                "--fail-first" => parsed.fail_first = value()?.parse()?,
                "--print-bytes" => parsed.print_bytes = value()?.parse()?,
                "--period-ms" => parsed.period = value()?.parse()?,
                "--forever" => parsed.forever = true,
                "--ignore-term" => parsed.ignore_term = true,
                "--fork-setsid" => parsed.fork_setsid = true,
                "--role-middle" => parsed.role = Role::Middle,
                "--role-leaf" => parsed.role = Role::Leaf,
                other if other.starts_with("--") => bail!("{other} is no option of e2e-job"),
                _context => {}
            }
        }
        if parsed.log.as_os_str().is_empty() {
            bail!("--log FILE is missing");
        }
        Ok(parsed)
    }
}

/// One run and its log.
struct Job {
    log: File,
    me: Record,
}

impl Job {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let context = std::env::args().next_back().filter(|last| last.starts_with('{'));
        let context: Option<serde_json::Value> =
            context.map(|text| serde_json::from_str(&text)).transpose()?;
        let blank = Record {
            kind: Kind::Start,
            job: String::new(),
            item: 0,
            fire: String::new(),
            attempt: 1,
            token: 0,
            run: String::new(),
            pid: std::process::id(),
            ppid: std::os::unix::process::parent_id(),
            mono_ns: 0,
            wall_ms: 0,
            instance: context.as_ref().and_then(|context| instance_of(context["taskId"].as_str()?)),
            code: None,
        };
        let me = match (&context, std::env::var_os("CLOCKWRIGHT_JOB")) {
            (Some(context), None) => of_java(blank, context, args.period)?,
            _ => of_environment(blank)?,
        };
        Ok(Self { log: open_log(&args.log)?, me })
    }

    fn record(&mut self, kind: Kind, code: Option<i32>) -> anyhow::Result<()> {
        let mono = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        self.me.kind = kind;
        self.me.code = code;
        self.me.mono_ns = u64::try_from(mono.tv_sec)? * 1_000_000_000 + u64::try_from(mono.tv_nsec)?;
        self.me.wall_ms = i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
        append(&mut self.log, &self.me).context("cannot write the log")
    }

    /// Takes the lock of the item. The kernel gives it back when this process ends, however it ends, and no child
    /// inherits it, so that finding it held proves that another run of the item is alive.
    fn lock(&mut self, args: &Args) -> anyhow::Result<Option<File>> {
        let Some(dir) = &args.locks else { return Ok(None) };
        let file = open_log(&dir.join(format!("{}-{}", self.me.job, self.me.item)))?;
        if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            self.record(Kind::Overlap, None)?;
        }
        Ok(Some(file))
    }

    fn beat_for(&mut self, args: &Args, kind: Kind) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let left = if args.forever { args.beat } else { args.run.saturating_sub(begun.elapsed()) };
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(args.beat));
            self.record(kind, None)?;
        }
    }
}

/// Who this run is, when Clockwright started it.
fn of_environment(blank: Record) -> anyhow::Result<Record> {
    let env = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    Ok(Record {
        job: env("CLOCKWRIGHT_JOB")?,
        item: env("CLOCKWRIGHT_ITEM")?.parse()?,
        fire: env("CLOCKWRIGHT_FIRE_TIME")?,
        attempt: env("CLOCKWRIGHT_ATTEMPT")?.parse()?,
        token: env("CLOCKWRIGHT_TOKEN")?.parse()?,
        run: env("CLOCKWRIGHT_RUN_ID")?,
        ..blank
    })
}

/// Who this run is, when a Java peer started it.
fn of_java(blank: Record, context: &serde_json::Value, period: i64) -> anyhow::Result<Record> {
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
    let item = context["shardingItem"].as_u64().context("the context names no item")?;
    Ok(Record {
        job: context["jobName"].as_str().context("the context names no job")?.to_owned(),
        item: u32::try_from(item)?,
        fire: (now - now % period).to_string(),
        run: format!("java-{}-{now}", blank.pid),
        ..blank
    })
}

/// `{ip}@-@{process}`, the last two parts of a task id.
fn instance_of(task_id: &str) -> Option<String> {
    let mut parts = task_id.rsplitn(3, "@-@");
    let (process, ip) = (parts.next()?, parts.next()?);
    Some(format!("{ip}@-@{process}"))
}

/// Registers a handler for SIGTERM that does nothing. It holds as long as the value lives.
fn swallow_term() -> anyhow::Result<(tokio::runtime::Runtime, tokio::signal::unix::Signal)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    drop(entered);
    Ok((runtime, signal))
}

/// Starts this program again in another role, with the same options and environment.
fn spawn_self(role: Role) -> anyhow::Result<std::process::Child> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(std::env::args().skip(1).filter(|arg| !arg.starts_with("--role-")));
    command.arg(if role == Role::Middle { "--role-middle" } else { "--role-leaf" });
    command.spawn().context("cannot start a child")
}

/// Leaves session and process group, and lives until somebody kills it.
fn leaf(args: &Args) -> anyhow::Result<()> {
    rustix::process::setsid().context("cannot start a session")?;
    let mut job = Job::new(args)?;
    let forever = Args { forever: true, ..Args::parse(std::env::args().skip(1).collect())? };
    job.record(Kind::Child, None)?;
    job.beat_for(&forever, Kind::Child)
}

/// Prints so many bytes, in lines of 100.
fn print_bytes(bytes: u64) -> anyhow::Result<()> {
    let line = format!("{}\n", "x".repeat(99));
    let block = line.repeat(10_000);
    let mut left = usize::try_from(bytes)?;
    let mut out = std::io::stdout().lock();
    while left > 0 {
        let size = left.min(block.len());
        out.write_all(&block.as_bytes()[..size])?;
        left -= size;
    }
    Ok(())
}
