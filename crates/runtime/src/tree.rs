//! Finding and signalling the processes of a run, wherever they have hidden.
//!
//! A process can leave its group and its session (`setsid`) and its parent (by outliving it), but not its ancestors: when
//! a parent dies, its children go to the nearest *subreaper* above them. A supervisor is one, so all that its program ever
//! started stays below it until the supervisor itself is dead. Then only the environment is left to tell.

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use std::fs;
use std::time::{Duration, Instant};

/// One process, as `/proc` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    parent: i32,
    pub(crate) group: i32,
    /// When it started, in clock ticks since boot: tells it from a later process of the same number.
    started: u64,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Reads a line of `/proc/{pid}/stat`. The second field is the program's name in brackets and may contain anything.
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(' ')?;
        let fields: Vec<&str> = rest.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?)?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Sends a signal to exactly this process, never to another one that has got its number meanwhile.
    pub(crate) fn signal(&self, signal: Signal) {
        let Ok(handle) = pidfd_open(self.pid, PidfdFlags::empty()) else { return };
        let same = Self::read(self.pid.as_raw_nonzero().get()).is_some_and(|now| now.started == self.started);
        if same {
            // It may have ended in between, or belong to somebody else; neither can be helped.
            let _ = pidfd_send_signal(&handle, signal);
        }
    }
}

/// Everything below this process.
pub(crate) fn descendants() -> Vec<Process> {
    let mut others: Vec<Process> = pids().filter_map(Process::read).collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parent = getpid().as_raw_nonzero().get();
    let mut next = 0;
    loop {
        others.retain(|process| {
            let child = process.parent == parent;
            if child {
                found.push(*process);
            }
            !child
        });
        let Some(process) = found.get(next) else { return found };
        parent = process.pid.as_raw_nonzero().get();
        next += 1;
    }
}

/// Kills every process that has this environment entry (`NAME=value`), until there is none or `patience` is over. Says
/// how many are left.
pub(crate) fn kill_marked(entry: &str, patience: Duration) -> usize {
    let end = Instant::now() + patience;
    let mut pause = Duration::from_millis(1);
    loop {
        let marked: Vec<Process> =
            pids().filter(|pid| is_marked(*pid, entry)).filter_map(Process::read).collect();
        if marked.is_empty() || Instant::now() >= end {
            return marked.len();
        }
        marked.iter().for_each(|process| process.signal(Signal::KILL));
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

fn is_marked(pid: i32, entry: &str) -> bool {
    pid != getpid().as_raw_nonzero().get()
        && fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|found| found == entry.as_bytes()))
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_program_with_brackets_and_spaces_in_its_name_is_read_right() {
        let stat = "42 (a) R 1 (b) S 7 9 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1234 0 0";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.parent, process.group, process.started), (7, 9, 1234));
        assert_eq!(Process::parse("42 (x"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let me = getpid().as_raw_nonzero().get();
        assert_eq!(Process::read(me).unwrap().pid, getpid());
    }
}
