//! The process that holds one run of a program and lets nothing of it survive.
//!
//! # Why a process of its own
//! An item must stop running when the instance that owns it may no longer prove that it does. That instance may be
//! frozen, swapped out or dead at that moment, so something else must hold the program: a small process without threads,
//! which knows the deadline and needs nobody's help to act on it.
//!
//! # Who is who
//! ```text
//! instance ── stdin: orders, stdout: reports ──► supervisor ── pipes ──► program ──► its children, and theirs
//! ```
//! The supervisor is the binary itself, started again with the hidden subcommand `exec-task`, in a session of its own: a
//! Ctrl-C at the terminal reaches the instance alone, which then decides, and a program that would ask for a password
//! finds no terminal and fails instead of waiting. The supervisor is a *child subreaper*: descendants of the program whose
//! parents die, daemons that called `setsid` included, become the supervisor's children.
//! It starts the program through itself once more (`--stage2`): that second stage asks the kernel to be killed when the
//! supervisor dies, then turns into the program. The program has a process group of its own.
//!
//! # States and timing
//! *Running* → (*stopping*, after SIGTERM, for the grace period at most) → *sweeping* → ended. Times are `CLOCK_BOOTTIME`,
//! waited for with a timer of that clock, so that they pass while the machine sleeps.
//!
//! | event | what follows |
//! |---|---|
//! | the program ends by itself | sweep: what it left behind is killed |
//! | stop order, or timeout | SIGTERM to the group and to all descendants outside of it; SIGKILL after the grace period, or as soon as the program has ended and so have all others |
//! | the lease passes | sweep at once; no grace, since somebody else may start the item |
//! | stdin ends | the instance is dead: sweep at once |
//!
//! *Sweeping* kills all descendants again and again until the kernel says that there is no child left.
//!
//! # What can fail
//! * The instance is frozen: its pipe fills up; reports are written without blocking, and deadlines hold.
//! * The supervisor is killed: the kernel kills the program; the instance sees the end of the reports, and kills all that
//!   carry the run's `CLOCKWRIGHT_RUN_ID` in their environment.
//! * Both are killed at once: the program dies; those of its children that it does not take along stay. So do, always,
//!   processes that another service started on the program's behalf (a container engine, `systemd-run`, `at`).
//! * A descendant runs as another user (a setuid program) and may not be killed: the run lasts until it ends, or, if it
//!   was to be ended, until the instance gives up on it and says so in its log.
//! * The program prints without end: see [`relay`](crate::relay).

use crate::clock::boottime;
use crate::guard;
use crate::limits;
use crate::output::Stream;
use crate::relay::Relay;
use crate::tree;
use crate::wire::{Cause, End, Frames, Order, Report, Request, Status};
use clockwright_model::Millis;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, kill_process_group, pidfd_open,
    set_child_subreaper, set_parent_process_death_signal, setsid, wait,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// Marks the second stage, which turns into the program.
const STAGE_TWO: &str = "--stage2";
/// How much is read from a pipe at a time.
const READ: usize = 64 << 10;
/// How often orphans that have ended are collected while nothing else happens, milliseconds.
const REAP: Millis = 10_000;
/// How often it is looked whether a stopped program's descendants have ended, milliseconds.
const LOOK: Millis = 20;

/// Runs the supervisor; what the binary does for its hidden `exec-task` subcommand, before it starts any thread.
///
/// It talks with the [`ProcessRuntime`](crate::ProcessRuntime) that started it over stdin and stdout, and is of no use to
/// people.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == STAGE_TWO) {
        return become_program(&arguments[at + 1..]);
    }
    match supervise(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The usual printing macros panic when nobody reads any more.
            let _ = writeln!(io::stderr(), "supervisor of a run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The second stage. Its stdin is not for reading: it takes the number of the error, if the program cannot be started.
fn become_program(arguments: &[OsString]) -> ExitCode {
    let [supervisor, program, arguments @ ..] = arguments else { return ExitCode::FAILURE };
    let Ok(report) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let bound = set_parent_process_death_signal(Some(Signal::KILL));
    let alive = getppid().is_some_and(|parent| supervisor == parent.as_raw_nonzero().to_string().as_str());
    if bound.is_err() || !alive {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(arguments).stdin(Stdio::null()).exec();
    let _ = write(&report, &error.raw_os_error().unwrap_or(0).to_le_bytes());
    ExitCode::FAILURE
}

fn supervise(arguments: &[OsString]) -> io::Result<()> {
    // Fails only for somebody who leads a group already, such as a shell's job; then a session is nobody's worry.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    let mut line = Line::open()?;
    let Some(request) = line.first_order()? else { return Ok(()) };
    let mut relay = Relay::new(request.head, request.tail, boottime());
    let end = match Task::start(arguments, &request) {
        Ok(task) => task.hold(&mut line, &mut relay)?,
        Err(status) => End { cause: None, status },
    };
    relay.report(&Report::Ended(end));
    line.flush(&mut relay)
}

/// The line to the instance.
struct Line {
    orders: Frames,
    /// The instance is gone.
    dead: bool,
}

impl Line {
    fn open() -> io::Result<Self> {
        nonblocking(io::stdin().as_fd())?;
        nonblocking(io::stdout().as_fd())?;
        Ok(Self { orders: Frames::default(), dead: false })
    }

    /// Waits for the order to run something; `None` if the instance is gone before it came.
    fn first_order(&mut self) -> io::Result<Option<Box<Request>>> {
        while !self.dead {
            wait_for(&mut [PollFd::new(&io::stdin(), PollFlags::IN)])?;
            self.receive();
            match self.order()? {
                Some(Order::Run(request)) => return Ok(Some(request)),
                Some(order) => {
                    return Err(io::Error::other(format!("expected the order to run, got {order:?}")));
                }
                None => {}
            }
        }
        Ok(None)
    }

    fn receive(&mut self) {
        let mut bytes = [0; 4096];
        loop {
            match read(io::stdin(), &mut bytes) {
                Ok(0) => self.dead = true,
                Ok(length) => {
                    self.orders.bytes.extend_from_slice(&bytes[..length]);
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => {}
                Err(_) => self.dead = true,
            }
            return;
        }
    }

    fn order(&mut self) -> io::Result<Option<Order>> {
        let Some((kind, payload)) = self.orders.next().map_err(io::Error::other)? else { return Ok(None) };
        Order::decode(kind, payload).map(Some).map_err(io::Error::other)
    }

    /// Sends what waits, as far as the instance takes it now.
    fn send(&mut self, relay: &mut Relay) {
        while !relay.waiting().is_empty() && !self.dead {
            match write(io::stdout(), relay.waiting()) {
                Ok(length) => relay.taken(length),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.dead = true,
            }
        }
    }

    /// Sends all that waits, for as long as the instance lives.
    fn flush(&mut self, relay: &mut Relay) -> io::Result<()> {
        loop {
            self.send(relay);
            if relay.waiting().is_empty() || self.dead {
                return Ok(());
            }
            wait_for(&mut [
                PollFd::new(&io::stdin(), PollFlags::IN),
                PollFd::new(&io::stdout(), PollFlags::OUT),
            ])?;
            self.receive();
        }
    }
}

/// The program and all that it started.
struct Task {
    program: Pid,
    /// Readable once the program has ended; gone after that was seen.
    ended: Option<OwnedFd>,
    /// Says that the program started (by ending), or the error that kept it from starting.
    start: Option<OwnedFd>,
    start_error: Vec<u8>,
    name: String,
    pipes: [Option<OwnedFd>; 2],
    timer: OwnedFd,
    status: Option<Status>,
    /// There is at least one process to wait for.
    children: bool,
    cause: Option<Cause>,
    timeout_at: Option<Millis>,
    lease_until: Option<Millis>,
    kill_at: Option<Millis>,
    grace: Millis,
    scratch: Vec<u8>,
}

impl Task {
    /// Starts the program, or says what became of it instead.
    fn start(arguments: &[OsString], request: &Request) -> Result<Self, Status> {
        request.open_files.into_iter().for_each(limits::lower_open_files);
        let (child, start) = spawn(arguments, request).map_err(|error| {
            let place = request.directory.as_ref().map(|path| format!(" in directory `{}`", path.display()));
            let place = place.unwrap_or_default();
            let text = format!("cannot run `{}`{place}: {}", request.argv[0], limits::described(&error));
            if limits::shortage(&error).is_some() { Status::NoRoom(text) } else { Status::NotStarted(text) }
        })?;
        Self::hold_on(child, start, request).map_err(|error| {
            tree::descendants().iter().for_each(|process| process.signal(Signal::KILL));
            Status::NotStarted(format!("cannot watch over `{}`: {error}", request.argv[0]))
        })
    }

    fn hold_on(mut child: Child, start: OwnedFd, request: &Request) -> io::Result<Self> {
        let program = Pid::from_child(&child);
        let now = boottime();
        let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        for pipe in pipes.iter().flatten() {
            nonblocking(pipe.as_fd())?;
        }
        Ok(Self {
            program,
            ended: Some(pidfd_open(program, PidfdFlags::empty())?),
            start: Some(start),
            start_error: Vec::new(),
            name: request.argv[0].clone(),
            pipes,
            timer: timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            status: None,
            children: true,
            cause: None,
            timeout_at: request.timeout.map(|timeout| now.saturating_add(timeout)),
            lease_until: request.lease,
            kill_at: None,
            grace: request.grace.max(0),
            scratch: vec![0; READ],
        })
    }

    /// Holds the program until nothing of it is left.
    fn hold(mut self, line: &mut Line, relay: &mut Relay) -> io::Result<End> {
        let watched = self.watch(line, relay);
        self.sweep(relay);
        watched.map(|()| self.end(relay))
    }

    /// Watches over the program until it has ended or must be ended.
    fn watch(&mut self, line: &mut Line, relay: &mut Relay) -> io::Result<()> {
        loop {
            let now = boottime();
            self.reap();
            while let Some(order) = line.order()? {
                match order {
                    Order::Lease(until) => self.lease_until = Some(until),
                    Order::Stop => self.stop(Cause::Stop, now),
                    Order::Run(_) => return Err(io::Error::other("was told to run a second program")),
                }
            }
            if line.dead {
                self.cause.get_or_insert(Cause::Orphaned);
                return Ok(());
            }
            if self.is_over(now) {
                return Ok(());
            }
            relay.pump(now);
            line.send(relay);
            self.wait(now, line, relay)?;
        }
    }

    /// Acts on what is due; true when it is time to sweep.
    fn is_over(&mut self, now: Millis) -> bool {
        if self.status.is_some() && (self.cause.is_none() || !self.children) {
            return true;
        }
        if self.lease_until.is_some_and(|until| until <= now) {
            self.cause.get_or_insert(Cause::Lease);
            return true;
        }
        if self.timeout_at.is_some_and(|at| at <= now) {
            self.stop(Cause::Timeout, now);
        }
        self.kill_at.is_some_and(|at| at <= now)
    }

    /// Asks everything to end.
    fn stop(&mut self, cause: Cause, now: Millis) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        self.kill_at = Some(now.saturating_add(self.grace));
        let _ = kill_process_group(self.program, Signal::TERM);
        // Nobody is asked twice: some programs take a second SIGTERM for impatience.
        let group = self.program.as_raw_nonzero().get();
        tree::descendants().iter().filter(|p| p.group != group).for_each(|p| p.signal(Signal::TERM));
    }

    /// Waits until something happens, and takes in what the program printed and the instance ordered.
    fn wait(&mut self, now: Millis, line: &mut Line, relay: &mut Relay) -> io::Result<()> {
        let look = if self.status.is_some() { LOOK } else { REAP };
        let due = [
            self.timeout_at.filter(|_| self.cause.is_none()),
            self.lease_until,
            self.kill_at,
            relay.wake(now),
        ];
        let due = due.into_iter().flatten().fold(now + look, Millis::min);
        set_timer(&self.timer, due)?;
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let sending = if relay.waiting().is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let mut fds = vec![
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(&stdout, sending),
            PollFd::new(&self.timer, PollFlags::IN),
        ];
        let others = self.pipes.iter().flatten().chain(&self.start).chain(&self.ended);
        fds.extend(others.map(|fd| PollFd::new(fd, PollFlags::IN)));
        wait_for(&mut fds)?;
        let orders = !fds[0].revents().is_empty();
        line.dead |= fds[1].revents().contains(PollFlags::ERR);
        drop(fds);
        if orders {
            line.receive();
        }
        self.take_start(relay);
        self.take_output(relay, 4);
        Ok(())
    }

    /// Takes in what was printed, at most `rounds` times as much as is read at once, so that nothing else has to wait.
    fn take_output(&mut self, relay: &mut Relay, rounds: usize) {
        for stream in Stream::BOTH {
            let pipe = &mut self.pipes[stream.index()];
            for _ in 0..rounds {
                let Some(fd) = pipe else { break };
                match read(&*fd, &mut self.scratch[..]) {
                    Ok(length) if length > 0 => relay.push(stream, &self.scratch[..length]),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    _ => *pipe = None,
                }
            }
        }
    }

    /// Finds out whether the second stage has become the program.
    fn take_start(&mut self, relay: &mut Relay) {
        let Some(start) = &self.start else { return };
        let mut bytes = [0; 4];
        match read(start, &mut bytes) {
            Ok(0) => {
                self.start = None;
                if self.start_error.is_empty() {
                    relay.report(&Report::Started(self.program.as_raw_nonzero().get()));
                }
            }
            Ok(length) => self.start_error.extend_from_slice(&bytes[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.start = None,
        }
    }

    /// Collects children that have ended.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.program => {
                    self.ended = None;
                    self.status = Some(match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Status::Exited(code),
                        (None, signal) => Status::Killed(signal.unwrap_or(0)),
                    });
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => {
                    self.children = true;
                    return;
                }
                Err(_) => {
                    self.children = false;
                    return;
                }
            }
        }
    }

    /// Kills until nothing is left to wait for.
    fn sweep(&mut self, relay: &mut Relay) {
        let mut pause = Duration::from_micros(200);
        loop {
            self.reap();
            if !self.children {
                return;
            }
            if self.status.is_none() {
                let _ = kill_process_group(self.program, Signal::KILL);
            }
            tree::descendants().iter().for_each(|process| process.signal(Signal::KILL));
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
            self.take_output(relay, 1);
        }
    }

    /// What there is to say when all is over.
    fn end(mut self, relay: &mut Relay) -> End {
        // Nobody is left who could write, so what can be read now is all. A descriptor that was handed to a foreign
        // process may be held open for ever; the bound is for that.
        self.take_output(relay, 64);
        self.take_start(relay);
        self.take_start(relay);
        let status = match <[u8; 4]>::try_from(self.start_error.as_slice()) {
            Ok(errno) => Status::NotStarted(start_failure(&self.name, i32::from_le_bytes(errno))),
            Err(_) => self.status.unwrap_or(Status::Killed(0)),
        };
        relay.finish();
        End { cause: self.cause, status }
    }
}

/// Starts the second stage. The descriptor ends when the program starts, after an error number if it does not.
fn spawn(arguments: &[OsString], request: &Request) -> io::Result<(Child, OwnedFd)> {
    let (start, report) = io::pipe()?;
    nonblocking(start.as_fd())?;
    // The path names this very binary even if its file was replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).arg(STAGE_TWO).arg(getpid().as_raw_nonzero().to_string()).args(&request.argv);
    command.env_remove(guard::MARK).envs(&request.env).process_group(0);
    command.stdin(report).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(directory) = &request.directory {
        command.current_dir(directory);
    }
    Ok((command.spawn()?, start.into()))
}

fn start_failure(program: &str, errno: i32) -> String {
    let error = io::Error::from_raw_os_error(errno);
    match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            format!(
                "cannot run `{program}`: no such file, or the interpreter that its first line names is missing"
            )
        }
        io::ErrorKind::NotFound => format!("cannot run `{program}`: no such file in any directory of PATH"),
        io::ErrorKind::PermissionDenied => {
            format!("cannot run `{program}`: permission denied; is it a file that may be executed?")
        }
        _ => format!("cannot run `{program}`: {error}"),
    }
}

fn set_timer(timer: &OwnedFd, at: Millis) -> io::Result<()> {
    // Zero would switch the timer off.
    let at = at.max(1);
    let it_value = Timespec { tv_sec: at / 1_000, tv_nsec: at % 1_000 * 1_000_000 };
    let when = Itimerspec { it_interval: Timespec::default(), it_value };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &when)?;
    Ok(())
}

fn wait_for(fds: &mut [PollFd<'_>]) -> io::Result<()> {
    match poll(fds, None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?)
}
