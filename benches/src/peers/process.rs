//! Processes of either kind that run the same jobs.

use crate::child::Place;
use crate::machine::{self, Usage};
use anyhow::{Context as _, bail, ensure};
use clockwright::registry::Address;
use clockwright::{Job, Registry, Scheduler};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// How long a fleet may take to start.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Java,
    Clockwright,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Java => "java",
            Kind::Clockwright => "clockwright",
        }
    }
}

/// Which jobs, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    #[serde(flatten)]
    pub(crate) place: Place,
    pub(crate) jobs: u32,
    pub(crate) items: u32,
    /// Seconds between two fires of a job; divides a minute.
    pub(crate) period: u32,
    /// Job number K fires in second K of its period, modulo its length; else all in the first.
    pub(crate) spread: bool,
    pub(crate) monitor: bool,
}

impl Load {
    fn second(&self, job: u32) -> u32 {
        if self.spread { job % self.period } else { 0 }
    }

    /// The last instant of a job that was due then, microseconds since 1970.
    pub(crate) fn due(&self, job: u32, at: i64) -> i64 {
        let (period, second) = (i64::from(self.period) * 1_000_000, i64::from(self.second(job)) * 1_000_000);
        at - (at - second).rem_euclid(period)
    }
}

/// One start of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) job: u32,
    pub(crate) item: u32,
    /// Microseconds since 1970.
    pub(crate) at: i64,
}

impl Start {
    /// As both kinds of process write it.
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.job.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.item.to_be_bytes());
        bytes[8..].copy_from_slice(&self.at.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; 16]) -> Self {
        let number = u128::from_be_bytes(*bytes);
        Self { job: (number >> 96) as u32, item: (number >> 64) as u32, at: number as i64 }
    }
}

pub(crate) fn job_name(job: u32) -> String {
    format!("fleet-{job}")
}

/// Whether an instance id is one of a process.
pub(crate) fn is_of(instance: &str, pid: u32) -> bool {
    let process = instance.split("@-@").nth(1).unwrap_or_default();
    process.split('-').next() == Some(&pid.to_string())
}

/// Fails when Java's side cannot be run here.
pub(crate) fn check_java() -> anyhow::Result<()> {
    let jar = java_peer().join("java-peer.jar");
    ensure!(jar.exists(), "{} is missing; `sh e2e/java-peer/build.sh` makes it", jar.display());
    Ok(())
}

fn java_peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/java-peer/target")
}

/// Processes that run one load together; killed when dropped.
pub(crate) struct Instances {
    kind: Kind,
    /// The last may have been killed already.
    processes: Vec<Process>,
    folder: tempfile::TempDir,
}

struct Process {
    child: Child,
    pid: u32,
    starts: PathBuf,
}

/// What a process says before it is ready.
enum Said {
    Line(usize, String),
    Ended,
}

impl Instances {
    /// Starts so many processes at once; answers when all jobs are scheduled on each, and how long that took.
    pub(crate) async fn start(kind: Kind, load: &Load, count: usize) -> anyhow::Result<(Self, Duration)> {
        let folder = tempfile::tempdir()?;
        let mut instances = Self { kind, processes: Vec::new(), folder };
        let (said, mut heard) = mpsc::unbounded_channel();
        let began = Instant::now();
        for number in 0..count {
            instances.spawn(load, number, said.clone())?;
        }
        drop(said);
        let ready = tokio::time::timeout(PATIENCE, instances.ready(load, &mut heard)).await;
        ready.with_context(|| {
            format!("not started within {} s: {}", PATIENCE.as_secs(), instances.talk())
        })??;
        let took = began.elapsed();
        for process in &mut instances.processes {
            if let Some(input) = &mut process.child.stdin {
                // Java reads nothing.
                let _ = input.write_all(b"seen\n").await;
            }
        }
        Ok((instances, took))
    }

    fn spawn(&mut self, load: &Load, number: usize, said: mpsc::UnboundedSender<Said>) -> anyhow::Result<()> {
        let starts = self.folder.path().join(format!("{number}.starts"));
        let talk = File::create(self.folder.path().join(format!("{number}.log")))?;
        let mut command = match self.kind {
            Kind::Java => java(load, &starts),
            Kind::Clockwright => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["child", "peer"]).arg(serde_json::to_string(&(load, &starts))?);
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(talk)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a process; `setpriv` is of Debian's util-linux")?;
        let output = child.stdout.take().context("the process's output is a pipe")?;
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = said.send(Said::Line(number, line));
            }
            let _ = said.send(Said::Ended);
        });
        let pid = child.id().context("the process runs")?;
        self.processes.push(Process { child, pid, starts });
        Ok(())
    }

    async fn ready(&self, load: &Load, heard: &mut mpsc::UnboundedReceiver<Said>) -> anyhow::Result<()> {
        let (jobs, items) = (load.jobs as usize, (load.jobs * load.items) as usize);
        // Jobs registered, and items owned, by each process.
        let mut states = vec![(0, 0); self.processes.len()];
        while let Some(said) = heard.recv().await {
            let Said::Line(number, line) = said else {
                bail!("a process ended before all its jobs were scheduled: {}", self.talk());
            };
            if line == "ready" {
                states[number] = (jobs, 0);
            } else {
                states[number] = serde_json::from_str(&line).with_context(|| format!("a line: {line}"))?;
            }
            let registered = states.iter().all(|(registered, _)| *registered == jobs);
            let owned: usize = states.iter().map(|(_, owned)| *owned).sum();
            let shared_out = owned == items && states.iter().all(|(_, owned)| *owned > 0);
            if registered && (shared_out || self.kind == Kind::Java) {
                return Ok(());
            }
        }
        bail!("all processes ended: {}", self.talk())
    }

    /// What all processes use together; CPU time since their start.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let mut sum = Usage::default();
        for process in &self.processes {
            let usage = machine::usage(process.pid)?;
            sum.resident += usage.resident;
            sum.threads += usage.threads;
            sum.cpu += usage.cpu;
        }
        Ok(sum)
    }

    /// Their resident memory after Java's garbage was collected.
    pub(crate) async fn collected(&self) -> anyhow::Result<u64> {
        if self.kind == Kind::Java {
            for process in &self.processes {
                let collect = ["GC.run"];
                let output = Command::new("jcmd").arg(process.pid.to_string()).args(collect).output().await;
                let output = output.context("cannot start `jcmd`, which is part of a JDK")?;
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        Ok(self.usage()?.resident)
    }

    /// What each process has started so far, the killed one's too.
    pub(crate) fn starts(&self) -> anyhow::Result<Vec<Vec<Start>>> {
        let read = |process: &Process| {
            let bytes =
                std::fs::read(&process.starts).with_context(|| process.starts.display().to_string())?;
            let (whole, _) = bytes.as_chunks();
            Ok(whole.iter().map(Start::read).collect())
        };
        self.processes.iter().map(read).collect()
    }

    pub(crate) fn last_pid(&self) -> u32 {
        self.processes.last().map_or(0, |process| process.pid)
    }

    pub(crate) async fn kill_last(&mut self) -> anyhow::Result<()> {
        let last = self.processes.last_mut().context("there is a process")?;
        Ok(last.child.kill().await?)
    }

    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            process.child.kill().await?;
        }
        Ok(())
    }

    /// The end of what the processes said on standard error.
    pub(crate) fn talk(&self) -> String {
        let said = (0..self.processes.len()).map(|number| {
            let text = std::fs::read_to_string(self.folder.path().join(format!("{number}.log")));
            let text = text.unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        });
        said.collect::<Vec<_>>().join("\n")
    }
}

/// Java as it is without options, but that it dies with us.
fn java(load: &Load, starts: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "java", "-cp"]);
    command.arg(format!("{0}/java-peer.jar:{0}/lib/*", java_peer().display())).arg("peer.Fleet");
    command.args(["--zk", &load.place.address, "--namespace", &load.place.namespace]);
    for (name, number) in [
        ("--session-ms", load.place.session_timeout),
        ("--jobs", load.jobs.into()),
        ("--items", load.items.into()),
        ("--period", load.period.into()),
    ] {
        command.args([name, &number.to_string()]);
    }
    command.arg("--starts").arg(starts);
    if load.spread {
        command.arg("--spread");
    }
    if !load.monitor {
        command.arg("--no-monitor");
    }
    command
}

/// Clockwright's side, a process of its own: a program on the public library. Says how many jobs are registered and how many
/// items it owns whenever that changed, until it is told that all is seen; ends with its standard input.
pub(crate) async fn hold(wishes: &str) -> anyhow::Result<()> {
    let (load, starts): (Load, PathBuf) = serde_json::from_str(wishes).context("the child's wishes")?;
    let starts = Arc::new(File::options().create(true).append(true).open(starts)?);
    let address = Address::parse(&format!("zookeeper://{}/{}", load.place.address, load.place.namespace))?;
    let registry =
        Registry::open(&address, Some(Duration::from_millis(load.place.session_timeout.unsigned_abs())))
            .await?;
    let jobs = (0..load.jobs).map(|number| {
        let starts = starts.clone();
        let cron = format!("{}/{} * * * * ?", load.second(number), load.period);
        let job = Job::simple(&job_name(number), &cron, move |context| {
            let start = Start { job: number, item: context.item, at: machine::wall_micros() };
            let written = (&*starts).write_all(&start.bytes());
            async move { written }
        });
        job.sharding(load.items).with(|settings| settings.monitor_execution = load.monitor)
    });
    let scheduler = Scheduler::start(&registry, jobs.collect()).await?;
    let mut said = (0, 0);
    let mut seen = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    loop {
        let status = scheduler.status().await;
        let registered = status.iter().filter(|job| job.registered).count();
        let now = (registered, status.iter().map(|job| job.items.len()).sum());
        if now != said {
            println!("{}", serde_json::to_string(&now)?);
            said = now;
        }
        tokio::select! {
            line = &mut seen => {
                line??;
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    scheduler.shutdown().await;
    Ok(())
}
