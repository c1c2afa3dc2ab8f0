//! One process that is an instance: `clockwright node`, or a program of its own.

use super::{eventually, eventually_or, kill, pid_of};
use rustix::process::Signal;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running node; killed when dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    child: Child,
    data: PathBuf,
    talk: PathBuf,
    status: Option<ExitStatus>,
}

impl Node {
    /// Starts a program in a process group of its own; the kernel kills it when the thread that calls this ends.
    pub(super) fn start(name: &str, data: &Path, talk: &Path, program: &Path, args: &[String]) -> Self {
        let log =
            File::options().create(true).append(true).open(talk).expect("the scene's folder can be written");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(args);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let child =
            command.process_group(0).spawn().expect("setpriv (Debian package util-linux) can be started");
        Self { name: name.to_owned(), child, data: data.to_owned(), talk: talk.to_owned(), status: None }
    }

    /// Its name in the scene.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder, where its events are.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// All that it has said so far.
    #[must_use]
    pub fn talk(&self) -> String {
        std::fs::read_to_string(&self.talk).unwrap_or_default()
    }

    /// Sends a signal to the node alone, not to what it has started. Nothing happens when it has ended already.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // An error means that it is gone, which the next wait notices.
            let _gone = kill(self.pid(), signal);
        }
    }

    /// Kills it as a power failure would: without a word.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10));
    }

    /// Whether it has ended, and how.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("our own child can be waited for");
        }
        self.status
    }

    /// Waits until something holds that needs it to run.
    ///
    /// # Panics
    /// When that does not hold in time, or the node ends before; with what it said.
    #[track_caller]
    pub fn until(&mut self, patience: Duration, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let (name, talk) = (self.name.clone(), self.talk.clone());
        let said = || std::fs::read_to_string(&talk).unwrap_or_default();
        let holds = || {
            // Asked first: whatever it did before its end can be seen then.
            let ended = self.status();
            let holds = condition(self);
            if let Some(status) = ended.filter(|_| !holds) {
                panic!("{name} ended ({status}) before {what}; it said:\n{}", said());
            }
            holds
        };
        eventually_or(patience, holds, || format!("{name}: {what}; it said:\n{}", said()));
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time; with what it said last.
    #[track_caller]
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("node {} ends", self.name);
        eventually(patience, &what, || self.status().is_some());
        self.status.expect("it was just seen")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.status().is_none() {
            // The group still has its leader, so the number cannot have been given to anybody else.
            let _gone = rustix::process::kill_process_group(pid_of(self.child.id()), Signal::KILL);
            let _status = self.child.wait();
        }
    }
}
