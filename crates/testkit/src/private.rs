//! What private servers of every kind need: a directory of their own, and a life no longer than the tests'.

use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Once, OnceLock, mpsc};

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
