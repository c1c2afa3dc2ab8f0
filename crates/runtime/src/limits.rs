//! How many files this process may have open, a thread that it has whatever others take, and that nobody reads its memory.
//!
//! # Files
//! Each run holds some descriptors: two pipes and a log for a script, a connection for a request. Systems give a process 1,024 of them unless
//! it asks for more, which it may do up to a hard limit; a few hundred items at once reach that. So a process that serves jobs asks for all
//! that it may have. What it starts gets the limit that was there before: old programs rely on small descriptors.
//!
//! # Threads
//! Work that blocks (a file, the start of a program, a name that is looked up) is done by threads that the async runtime starts when it needs
//! them and ends when they were idle for a while. Where the system gives it none, the work waits for one that is there, and where none is
//! there, the task that asked panics: with many scripts at the limit of processes that ends the one that stores events, for good. A
//! [`SpareThread`] sees to it that one is always there.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};

/// The limit that was there before, once it was raised.
static BEFORE: OnceLock<u64> = OnceLock::new();

/// How long a start waits for others to end where the system has no room for one more.
pub(crate) const ROOM: Duration = Duration::from_secs(10);
/// How often it tries again meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The most that is asked for, where the hard limit is none.
const MOST: u64 = 1 << 20;

/// Lets this process have as many files open as it may ask for. Call it once, before anything is started; returns how many that are, or
/// `None` where they are not limited.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    let wanted = maximum.unwrap_or(MOST).min(MOST);
    if wanted <= current || setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_err() {
        return Some(current);
    }
    let _ = BEFORE.set(current);
    Some(wanted)
}

/// Keeps a thread for blocking work in this async runtime, as long as it lives.
#[derive(Debug)]
pub struct SpareThread(JoinHandle<()>);

impl SpareThread {
    /// How often the thread is given something to do: sooner than a runtime ends idle ones, which is after 10 s unless it was built otherwise.
    const AGAIN: Duration = Duration::from_secs(4);

    /// Keeps one from now on.
    ///
    /// # Errors
    /// The system gives this process no thread more.
    ///
    /// # Panics
    /// Outside of an async runtime.
    pub fn keep() -> io::Result<Self> {
        // The runtime would panic where this is refused.
        let probe = std::thread::Builder::new().name("spare".into()).spawn(|| {})?;
        drop(probe.join());
        Ok(Self(tokio::spawn(async {
            while spawn_blocking(|| {}).await.is_ok() {
                tokio::time::sleep(Self::AGAIN).await;
            }
        })))
    }
}

impl Drop for SpareThread {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps what this process has in memory from files and from others: no core is written, and nobody but root may look into it. Call it before
/// anything secret is read.
pub fn keep_memory_private() {
    // Where the system knows neither, there is nothing else to be done.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// What a program is to get that this process starts, if that is another limit than its own.
pub(crate) fn of_programs() -> Option<u64> {
    BEFORE.get().copied()
}

/// Takes a limit for this process and all that it starts.
pub(crate) fn lower_open_files(current: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // It may be lower already: then there is nothing to lower.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum });
}

/// What the system has no room for, and where that is set, if that is why something did not start.
pub(crate) fn shortage(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(
            "this process may have no more open files, of which each running script takes three and each request one: `ulimit -n`, or LimitNOFILE of a systemd unit",
        ),
        Errno::NFILE => Some("the machine may have no more open files: `sysctl fs.file-max`"),
        Errno::AGAIN => Some(
            "no more processes may be started, of which each running script takes two: `ulimit -u`, TasksMax of a systemd unit, or the \
             container's limit of pids",
        ),
        Errno::NOMEM => Some("there is no memory for one more process"),
        _ => None,
    }
}

/// What the system says, and what may be done about it where it has no room.
#[must_use]
pub fn described(error: &io::Error) -> String {
    let shortage = shortage(error).map_or(String::new(), |shortage| format!("; {shortage}"));
    format!("{error}{shortage}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s32_memory_that_is_kept_private_is_in_no_core_and_open_to_nobody() {
        keep_memory_private();
        assert_eq!(rustix::process::dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }

    #[test]
    fn a_limit_that_is_met_is_named_with_the_place_where_it_is_set() {
        let told = |errno: Errno| described(&errno.into());
        assert!(
            told(Errno::MFILE).contains("Too many open files") && told(Errno::MFILE).contains("`ulimit -n`")
        );
        assert!(told(Errno::AGAIN).contains("TasksMax"));
        assert!(!told(Errno::NOENT).contains(';'));
    }
}
