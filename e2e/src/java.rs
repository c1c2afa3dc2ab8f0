//! Real Elastic-Job instances, 2.1.5 or 3.0.4, and their console APIs, as peers of the scenarios. Built by
//! `e2e/java-peer/build.sh` and `e2e/java3-peer/build.sh`.

use crate::harness::{Scene, eventually, kill};
use rustix::process::Signal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a JVM may take to start, or to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One Java instance; killed when dropped.
#[derive(Debug)]
pub struct JavaPeer {
    child: Child,
    talk: PathBuf,
    status: Option<ExitStatus>,
}

/// Which Elastic-Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generation {
    /// 2.1.5.
    #[default]
    Two,
    /// 3.0.4.
    Three,
}

/// Where a Java program finds a namespace: `--zk`, `--namespace` and perhaps `--digest`.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// `host:port,…`.
    pub hosts: String,
    /// The namespace, without slashes at its ends.
    pub name: String,
    /// `user:password`.
    pub digest: Option<String>,
    /// Whose programs they are.
    pub generation: Generation,
}

impl Namespace {
    fn args(&self) -> Vec<String> {
        let mut args = vec!["--zk".into(), self.hosts.clone(), "--namespace".into(), self.name.clone()];
        if let Some(digest) = &self.digest {
            args.extend(["--digest".into(), digest.clone()]);
        }
        args
    }
}

impl JavaPeer {
    /// Starts an instance and waits until it is registered. `options` are those of `peer.Peer` but for the namespace and
    /// the log.
    ///
    /// # Panics
    /// When it is not registered in time; with what it said.
    #[must_use]
    #[track_caller]
    pub fn start(scene: &Scene, namespace: &Namespace, name: &str, options: &[&str]) -> Self {
        let talk = scene.dir().join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&talk).expect("the scene can be written");
        let before = ready_lines(&talk);
        let mut command = java(namespace.generation, "peer.Peer");
        command.args(namespace.args()).arg("--log").arg(scene.log()).args(options);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let child = command.spawn().expect("setpriv (Debian package util-linux) can be started");
        let mut peer = Self { child, talk, status: None };
        eventually(PATIENCE, &format!("Java instance {name} is ready"), || {
            assert!(peer.status().is_none(), "Java instance {name} ended at once: {}", peer.talk());
            ready_lines(&peer.talk) > before
        });
        peer
    }

    /// Its process id, the last part of its instance id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said so far.
    #[must_use]
    pub fn talk(&self) -> String {
        std::fs::read_to_string(&self.talk).unwrap_or_default()
    }

    /// Whether it has ended, and how.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("our own child can be waited for");
        }
        self.status
    }

    /// Sends a signal to it. Nothing happens when it has ended already.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            let _gone = kill(self.pid(), signal);
        }
    }

    /// Asks it to end as an operator would, and waits until it has.
    ///
    /// # Panics
    /// When it does not in time.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        eventually(PATIENCE, "the Java instance ends", || self.status().is_some());
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        eventually(PATIENCE, "the Java instance is dead", || self.status().is_some());
    }
}

impl Drop for JavaPeer {
    fn drop(&mut self) {
        if self.status().is_none() {
            let _gone = self.child.kill();
            let _status = self.child.wait();
        }
    }
}

/// Asks Elastic-Job's lifecycle API: a command of `peer.Lifecycle` and its options. Answers JSON, `null` for commands that
/// answer nothing.
///
/// # Panics
/// When the command fails; with what it said.
#[track_caller]
pub fn console(namespace: &Namespace, command: &str, options: &[&str]) -> serde_json::Value {
    let output = java(namespace.generation, "peer.Lifecycle")
        .arg(command)
        .args(namespace.args())
        .args(options)
        .output();
    let output = output.expect("setpriv (Debian package util-linux) can be started");
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "Elastic-Job's {command} answered {}: {out}{talk}", output.status);
    let answer = out.lines().rev().find(|line| line.starts_with(['[', '{']));
    answer.map_or(serde_json::Value::Null, |line| serde_json::from_str(line).expect("it prints JSON"))
}

/// A small JVM that dies with this thread.
fn java(generation: Generation, main: &str) -> Command {
    let built = built(generation);
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "java", "-Xmx128m", "-XX:+UseSerialGC"]);
    command.args(["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"]);
    command.arg("-cp").arg(format!("{0}/java-peer.jar:{0}/lib/*", built.display())).arg(main);
    command
}

/// The folder of the built peer, brought up to date first.
fn built(generation: Generation) -> &'static Path {
    static BUILT: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let (built, project) = match generation {
        Generation::Two => (&BUILT[0], "java-peer"),
        Generation::Three => (&BUILT[1], "java3-peer"),
    };
    built.get_or_init(|| {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join(project);
        let output = Command::new("sh").arg(project.join("build.sh")).output().expect("there is a shell");
        let talk = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "the Java peer does not build: {talk}");
        project.join("target")
    })
}

fn ready_lines(talk: &Path) -> usize {
    let text = std::fs::read_to_string(talk).unwrap_or_default();
    text.lines().filter(|line| *line == "ready").count()
}
