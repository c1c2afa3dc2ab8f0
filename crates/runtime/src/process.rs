//! Script jobs: a program run once per item, held by a [`supervisor`](crate::supervisor) of its own.
//!
//! The program gets the context as JSON in one last argument, unless its job has `script.context: env`, and as environment variables:
//! `CLOCKWRIGHT_CONTEXT` with the same JSON and, with what Elastic-Job does not know, `CLOCKWRIGHT_JOB`,
//! `CLOCKWRIGHT_ITEM`, `CLOCKWRIGHT_FIRE_TIME` (epoch milliseconds), `CLOCKWRIGHT_ATTEMPT`, `CLOCKWRIGHT_RUN_ID`, `CLOCKWRIGHT_TOKEN`
//! and, where the item has one, `CLOCKWRIGHT_SHARDING_PARAMETER`. It inherits the environment of this process except for other
//! variables that begin with `CLOCKWRIGHT_`: they may hold this process's own passwords. Its standard input is empty.
//!
//! It succeeds by exiting with 0. What it leaves running in the background is killed when it exits: a run that is over
//! would otherwise still work on an item that is somebody else's. What should outlive a run belongs to a service manager.
//!
//! This side of the protocol starts the supervisor, tells it each new lease deadline and the wish to stop, and takes in
//! the output. The supervisor needs none of it to act on time. The other way round holds too: should a supervisor be dead
//! or frozen, this side kills it and everything that carries the run's id in its environment.

use crate::control::stop_request;
use crate::function::{millis, timeout_failure};
use crate::output::{HEAD, Output, TAIL};
use crate::wire::{Cause, End, Frames, Order, Report, Request, Status};
use crate::{Control, RunEnd, RunResult, RunSpec, Runtime, StopReason, boottime, guard, limits, tree};
use async_trait::async_trait;
use clockwright_model::{FailureKind, Millis, Reason, SettingsError, ShardContext};
use clockwright_settings::script::CONTEXT_VARIABLE;
use clockwright_settings::{CommandLine, ContextIn, ScriptSettings};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

/// Every variable that a run gets from us begins with this, and no other one that does is inherited.
const PREFIX: &str = "CLOCKWRIGHT_";
/// A supervisor that has not acted this long after it should have is taken for frozen, milliseconds.
const OVERDUE: Millis = 3_000;
/// How long it is tried to kill what a dead supervisor left behind.
const SWEEP: Duration = Duration::from_secs(10);
/// How many runs are between the start of their supervisor and that of their program. More at once would not be faster, and where the system
/// has no room for all, supervisors would have what their programs need.
static STARTS: Semaphore = Semaphore::const_new(8);
/// How long such a run keeps its place at most: a program on a file system that hangs must not hold up others.
const STARTING: Duration = Duration::from_secs(1);

/// This very program, even if its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// How a supervisor is started: a program whose `main` begins with [`guard::if_asked`](crate::guard::if_asked).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// The program, usually `std::env::current_exe()`.
    pub program: PathBuf,
    /// What tells it to be a supervisor, usually `exec-task`.
    pub args: Vec<OsString>,
}

impl Supervisor {
    /// This very program, with the subcommand `exec-task`. The path holds even after the program's file was replaced.
    #[must_use]
    pub fn this_program() -> Self {
        Self { program: SELF.into(), args: vec![guard::EXEC_TASK.into()] }
    }

    /// Why this supervisor must not be started, with what mends it: it is this very program, and its `main` has not
    /// begun with [`guard::if_asked`](crate::guard::if_asked).
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        (self.is_this_program() && !guard::has_asked()).then_some(guard::MEND)
    }

    fn is_this_program(&self) -> bool {
        let file = |path: &Path| path.canonicalize().ok();
        self.program == Path::new(SELF)
            || file(&self.program).is_some_and(|path| Some(path) == file(Path::new(SELF)))
    }
}

/// What is run, and how.
#[derive(Clone)]
pub struct ProcessSettings {
    /// The program and its arguments. A relative path is one from the directory.
    pub command: CommandLine,
    /// Whether the context comes after the arguments, or only in the environment.
    pub context: ContextIn,
    /// Where it runs; `None` is where this process runs.
    pub directory: Option<PathBuf>,
    /// Added to the environment it inherits.
    pub env: BTreeMap<String, String>,
    /// How much of its first output is handed on in any case, bytes; [`HEAD`](crate::output::HEAD) unless set. What follows comes
    /// too, as it is printed, except for what is printed faster than 256 KiB a second.
    pub head: usize,
    /// How much of its last output is handed on in any case, bytes; [`TAIL`](crate::output::TAIL) unless set.
    pub tail: usize,
}

impl ProcessSettings {
    /// The settings of a job, whose relative paths go from `base`; `None` is where this process runs.
    #[must_use]
    pub fn of(script: ScriptSettings, base: Option<&Path>) -> Self {
        let ScriptSettings { command, context, directory, env, .. } = script;
        let directory = match (base, directory) {
            (Some(base), Some(directory)) => Some(base.join(directory)),
            (base, directory) => directory.or(base.map(Path::to_owned)),
        };
        Self { command, context, directory, env, head: HEAD, tail: TAIL }
    }

    /// Settings with the defaults, from a command line.
    ///
    /// # Errors
    /// Says what is wrong with the command line.
    pub fn new(command_line: &str) -> Result<Self, SettingsError> {
        Ok(Self::of(ScriptSettings::parse(command_line, &BTreeMap::new())?, None))
    }
}

/// Runs a program once per item.
pub struct ProcessRuntime {
    supervisor: Supervisor,
    settings: ProcessSettings,
}

impl ProcessRuntime {
    /// A runtime for one script job.
    #[must_use]
    pub fn new(supervisor: Supervisor, settings: ProcessSettings) -> Self {
        Self { supervisor, settings }
    }

    fn request(&self, spec: &RunSpec, lease: Option<Millis>) -> Request {
        let command = &self.settings.command;
        let mut argv = vec![command.program.clone()];
        argv.extend_from_slice(&command.arguments);
        let context = spec.context.to_json();
        let mut env = self.settings.env.clone();
        env.extend(variables(&spec.context));
        env.insert(CONTEXT_VARIABLE.to_owned(), context.clone());
        if self.settings.context == ContextIn::Argument {
            argv.push(context);
        }
        Request {
            argv,
            env,
            directory: self.settings.directory.clone(),
            open_files: limits::of_programs(),
            timeout: spec.timeout,
            grace: spec.grace,
            lease,
            head: self.settings.head,
            tail: self.settings.tail,
        }
    }

    async fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.supervisor.program);
        command.args(&self.supervisor.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                command.env_remove(name);
            }
        }
        command.env(guard::MARK, "1");
        tokio::task::spawn_blocking(move || command.spawn()).await?
    }

    /// Starts the program and follows it to its end, unless there is no room for it.
    async fn attempt(&self, spec: &RunSpec, control: &mut Control) -> Attempt {
        let starting = tokio::select! {
            place = STARTS.acquire() => place.ok(),
            reason = stop_request(&mut control.stop) => {
                return Attempt::Ended(RunEnd::silent(RunResult::Stopped(reason)));
            }
        };
        let lease = control.lease.as_mut().map(|lease| *lease.borrow_and_update());
        let request = self.request(spec, lease);
        let started = self.start().await.and_then(|mut child| {
            let pipes = child.stdin.take().zip(child.stdout.take());
            pipes.map(|pipes| (child, pipes)).ok_or_else(|| io::Error::other("it has no pipes"))
        });
        match started {
            Ok((child, (orders, reports))) => {
                let output = control.output.clone();
                let supervisor = &self.supervisor.program;
                let held =
                    Held { spec, supervisor, child, orders, output, starting, asked: None, group: None };
                held.run(request, reports, control).await
            }
            Err(error) => {
                let program = self.supervisor.program.display();
                let text = format!("cannot start the supervisor `{program}`: {}", limits::described(&error));
                match limits::shortage(&error) {
                    Some(_) => Attempt::NoRoom(text),
                    None => Attempt::Ended(failed(FailureKind::Start, text)),
                }
            }
        }
    }
}

/// What came of one try to run a program.
enum Attempt {
    Ended(RunEnd),
    /// Nothing was started: the system has no room, as this text says.
    NoRoom(String),
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn run(&self, spec: RunSpec, mut control: Control) -> RunEnd {
        if let Some(problem) = self.supervisor.problem() {
            return failed(FailureKind::Start, problem.to_owned());
        }
        let deadline = Instant::now() + limits::ROOM;
        loop {
            if let Some(reason) = control.verdict() {
                return RunEnd::silent(RunResult::Stopped(reason));
            }
            match self.attempt(&spec, &mut control).await {
                Attempt::Ended(end) => return end,
                Attempt::NoRoom(text) if Instant::now() >= deadline => {
                    return failed(FailureKind::Start, text);
                }
                Attempt::NoRoom(_) => tokio::time::sleep(limits::LOOK).await,
            }
        }
    }
}

/// A run that a supervisor holds.
struct Held<'a> {
    spec: &'a RunSpec,
    supervisor: &'a Path,
    child: Child,
    /// Must stay open: its end tells the supervisor that this process is dead.
    orders: ChildStdin,
    output: Output,
    /// Its place among those that start, until its program runs.
    starting: Option<SemaphorePermit<'static>>,
    asked: Option<StopReason>,
    /// The program's process group, from its start until nothing is left of it: then the number may be another's.
    group: Option<Pid>,
}

impl Held<'_> {
    async fn run(mut self, request: Request, reports: ChildStdout, control: &mut Control) -> Attempt {
        let lease = control.lease.clone();
        let end = self.follow(request, reports, control).await;
        let status = self.child.wait().await;
        match end {
            Some(End { status: Status::NoRoom(text), .. }) => Attempt::NoRoom(text),
            Some(end) => {
                self.group = None;
                Attempt::Ended(RunEnd::silent(result(&end, self.spec, self.asked)))
            }
            None => {
                self.clean_up().await;
                self.group = None;
                let lost = lease.is_some_and(|lease| *lease.borrow() <= boottime());
                let result = match (lost, self.asked) {
                    (true, _) => RunResult::Stopped(StopReason::LeaseLost),
                    (false, Some(reason)) => RunResult::Stopped(reason),
                    (false, None) if matches!(&status, Ok(status) if status.code() == Some(guard::NOT_ONE)) =>
                    {
                        let text =
                            format!("`{}` is no supervisor: {}", self.supervisor.display(), guard::MEND);
                        RunResult::Failed { kind: FailureKind::Start, reason: Reason::NotStarted { text } }
                    }
                    (false, None) => {
                        RunResult::Failed { kind: FailureKind::OwnerLost, reason: supervisor_death(status) }
                    }
                };
                Attempt::Ended(RunEnd::silent(result))
            }
        }
    }

    /// Follows the supervisor's reports until the last one; `None` if it died or did not act when it should have.
    async fn follow(
        &mut self,
        request: Request,
        mut reports: ChildStdout,
        control: &mut Control,
    ) -> Option<End> {
        let mut overdue = Overdue::of(&request);
        let release = Instant::now() + STARTING;
        self.order(&Order::Run(Box::new(request))).await;
        let mut frames = Frames::default();
        loop {
            tokio::select! {
                read = reports.read_buf(&mut frames.bytes) => {
                    if !matches!(read, Ok(length) if length > 0) {
                        return None;
                    }
                    match self.take(&mut frames) {
                        Ok(None) => {}
                        Ok(end) => return end,
                        Err(()) => overdue.kill(&mut self.child),
                    }
                }
                reason = stop_request(&mut control.stop), if self.asked.is_none() => {
                    self.asked = Some(reason);
                    overdue.by(boottime().saturating_add(self.spec.grace.max(0)));
                    self.order(&Order::Stop).await;
                }
                until = renewal(&mut control.lease) => {
                    overdue.lease = Some(until);
                    self.order(&Order::Lease(until)).await;
                }
                () = tokio::time::sleep_until(release), if self.starting.is_some() => self.starting = None,
                () = overdue.wait() => overdue.kill(&mut self.child),
            }
        }
    }

    /// Tells the supervisor something. If it is dead, the end of its reports says so.
    async fn order(&mut self, order: &Order) {
        let frame = order.encode();
        let sent = self.orders.write_all(&frame);
        // A frozen supervisor reads nothing; once the pipe is full, that must not hold up this side.
        let _ = tokio::time::timeout(millis(OVERDUE), sent).await;
    }

    /// Takes in the reports that are here. An error: they cannot be understood.
    fn take(&mut self, frames: &mut Frames) -> Result<Option<End>, ()> {
        loop {
            let Some((kind, payload)) = frames.next().map_err(drop)? else { return Ok(None) };
            match Report::decode(kind, payload).map_err(drop)? {
                Report::Started(pid) => (self.group, self.starting) = (Pid::from_raw(pid), None),
                Report::Printed { stream, bytes } => self.output.print(stream, &bytes),
                Report::Lost(bytes) => self.output.lose(bytes),
                Report::Ended(end) => return Ok(Some(end)),
            }
        }
    }

    /// Kills what a supervisor left behind that died before its run.
    async fn clean_up(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let entry = format!("{PREFIX}RUN_ID={}", self.spec.context.run_id);
        let left = tokio::task::spawn_blocking(move || tree::kill_marked(&entry, SWEEP)).await;
        if !matches!(left, Ok(0)) {
            let context = &self.spec.context;
            tracing::error!(job = %context.job, item = context.item, run = %context.run_id, "processes of a run whose supervisor died cannot be killed");
        }
    }
}

/// A run that is given up before its end: its program is killed at once. What has left the program's process group is killed by the
/// supervisor, which sees the end of its orders.
impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// When the supervisor must have ended the run, at the latest.
struct Overdue {
    lease: Option<Millis>,
    other: Option<Millis>,
    killed: bool,
}

impl Overdue {
    fn of(request: &Request) -> Self {
        let limit = |timeout: Millis| boottime().saturating_add(timeout).saturating_add(request.grace.max(0));
        Self { lease: request.lease, other: request.timeout.map(limit), killed: false }
    }

    fn by(&mut self, at: Millis) {
        self.other = Some(self.other.map_or(at, |other| other.min(at)));
    }

    async fn wait(&self) {
        let at = self.lease.into_iter().chain(self.other).min();
        match at {
            Some(at) if !self.killed => loop {
                let left = at.saturating_add(OVERDUE) - boottime();
                if left <= 0 {
                    return;
                }
                tokio::time::sleep(millis(left.min(1_000))).await;
            },
            _ => pending().await,
        }
    }

    /// Its program dies with it, and the end of its reports follows.
    fn kill(&mut self, supervisor: &mut Child) {
        self.killed = true;
        let _ = supervisor.start_kill();
    }
}

/// Waits for the next lease deadline; for ever once nobody renews it.
async fn renewal(lease: &mut Option<watch::Receiver<Millis>>) -> Millis {
    if let Some(lease) = lease
        && lease.changed().await.is_ok()
    {
        return *lease.borrow_and_update();
    }
    pending().await
}

/// What the environment of a run tells about it.
fn variables(context: &ShardContext) -> impl Iterator<Item = (String, String)> {
    let parameter = context.sharding_parameter.as_ref();
    [
        ("JOB", context.job.to_string()),
        ("ITEM", context.item.to_string()),
        ("FIRE_TIME", context.fire.time().to_string()),
        ("ATTEMPT", context.attempt.to_string()),
        ("RUN_ID", context.run_id.to_string()),
        ("TOKEN", context.token.to_string()),
    ]
    .into_iter()
    .chain(parameter.map(|parameter| ("SHARDING_PARAMETER", parameter.to_string())))
    .map(|(name, value)| (format!("{PREFIX}{name}"), value))
}

/// What the end of a run means.
fn result(end: &End, spec: &RunSpec, asked: Option<StopReason>) -> RunResult {
    match (end.cause, &end.status) {
        (_, Status::NotStarted(reason) | Status::NoRoom(reason)) => RunResult::Failed {
            kind: FailureKind::Start,
            reason: Reason::NotStarted { text: reason.clone() },
        },
        (Some(Cause::Timeout), _) => timeout_failure(spec.timeout.unwrap_or_default()),
        (Some(Cause::Lease), _) => RunResult::Stopped(StopReason::LeaseLost),
        (Some(Cause::Stop | Cause::Orphaned), _) => {
            RunResult::Stopped(asked.unwrap_or(StopReason::Cancelled))
        }
        (None, Status::Exited(0)) => RunResult::Succeeded,
        (None, Status::Exited(code)) => {
            RunResult::Failed { kind: FailureKind::Job, reason: Reason::ExitCode { code: (*code).into() } }
        }
        (None, Status::Killed(signal)) => RunResult::Failed {
            kind: FailureKind::Job,
            reason: Reason::KilledBySignal { signal: (*signal).into() },
        },
    }
}

fn supervisor_death(status: io::Result<ExitStatus>) -> Reason {
    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    Reason::SupervisorDied { how }
}

fn failed(kind: FailureKind, text: String) -> RunEnd {
    RunEnd::silent(RunResult::Failed { kind, reason: Reason::NotStarted { text } })
}
