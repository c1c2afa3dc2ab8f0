//! What private servers of every kind need: a directory of their own, and a life no longer than the tests'.

use anyhow::Context as _;
use rustix::process::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError, mpsc};

const DIRECTORY_PREFIX: &str = "clockwright-";

/// A new directory for a server of this kind. Directories of processes that are no more are removed first: servers that tests
/// share are never dropped.
pub(crate) fn new_directory(kind: &str) -> anyhow::Result<PathBuf> {
    static SWEEP: Once = Once::new();
    let base = std::env::temp_dir();
    SWEEP.call_once(|| sweep(&base));
    let prefix = format!("{DIRECTORY_PREFIX}{kind}-{}-", std::process::id());
    Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(&base)?.keep())
}

/// The kinds of private servers; other directories with the same prefix are not ours to remove.
const KINDS: [&str; 2] = ["zookeeper-", "sql-"];

fn sweep(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(DIRECTORY_PREFIX));
        let rest = rest.and_then(|rest| KINDS.iter().find_map(|kind| rest.strip_prefix(kind)));
        let pid = rest.and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The end of the log of a server with this directory.
pub(crate) fn log_tail(directory: &Path) -> String {
    let text = std::fs::read(directory.join("server.log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The process of a server, while it runs.
#[derive(Default)]
pub(crate) struct Process(Mutex<Option<Child>>);

impl Process {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its id. Nothing else gets that id as long as nobody has waited for it.
    pub(crate) fn id(&self) -> anyhow::Result<Pid> {
        let process = self.lock();
        let child = process.as_ref().context("the server does not run")?;
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("the process has an id")
    }

    /// Kills it, frozen or not, and waits until it is gone. Nothing happens when it does not run.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a process that the kernel kills with this one, if its command asks for that (`setpriv --pdeathsig KILL`). The kernel
/// watches the *thread* that started it, and a test's thread ends with the test: so one thread that never ends starts them all.
pub(crate) fn spawn_for_life(command: Command) -> anyhow::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, receiver) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in receiver {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, result) = mpsc::channel();
    spawner.send((command, answer)).ok().context("the spawning thread is gone")?;
    Ok(result.recv().context("the spawning thread is gone")??)
}
