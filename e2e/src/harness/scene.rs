//! The private folder of one scenario and everything that happens in it.

use super::{Node, clockwright, kill, own_program, processes_with};
use crate::record::{Record, read_log};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One scenario: its folder, its log, its namespace.
#[derive(Debug)]
pub struct Scene {
    dir: PathBuf,
    _kept: Option<tempfile::TempDir>,
    registry: String,
}

impl Scene {
    /// A scene in a fresh folder. `hosts` are the registry's servers, `host:port,…`; the namespace is `name`.
    ///
    /// # Panics
    /// When no folder can be made.
    #[must_use]
    pub fn new(name: &str, hosts: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("clockwright-{name}-")).tempdir();
        let dir = dir.expect("a temporary folder can be made");
        let scene = Self {
            dir: dir.path().to_owned(),
            _kept: Some(dir),
            registry: format!("zookeeper://{hosts}/{name}"),
        };
        std::fs::create_dir(scene.locks()).expect("the scene's folder can be written");
        scene
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The registry's address, with the namespace.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The log of all jobs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join("jobs.jsonl")
    }

    fn locks(&self) -> PathBuf {
        self.dir.join("locks")
    }

    /// The command line of a recording job.
    #[must_use]
    pub fn command_line(&self, options: &str) -> String {
        let (program, log, locks) = (own_program("e2e-job"), self.log(), self.locks());
        format!("{} --log {} --locks {} {options}", program.display(), log.display(), locks.display())
    }

    /// Writes a jobs file into the folder and gives its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, text).expect("the scene's folder can be written");
        path
    }

    /// Starts a node with a data folder of its name. Starting a name again uses the folder again, as after a crash.
    pub fn node(&self, name: &str, jobs: &Path, options: &[&str]) -> Node {
        self.node_by(&self.registry, name, jobs, options)
    }

    /// As [`node`](Self::node), on another way to the registry.
    pub fn node_by(&self, registry: &str, name: &str, jobs: &Path, options: &[&str]) -> Node {
        let (data, jobs) = (self.data(name).display().to_string(), jobs.display().to_string());
        let args = [&["node", "--registry", registry, "-f", &jobs, "--data", &data], options].concat();
        self.start(name, clockwright(), &args)
    }

    /// Starts `e2e-peer`, an instance whose job is code of that program.
    pub fn peer(&self, registry: &str, name: &str, options: &[&str]) -> Node {
        let log = self.log().display().to_string();
        let args = [&["--registry", registry, "--log", &log], options].concat();
        self.start(name, &own_program("e2e-peer"), &args)
    }

    /// Starts a `clockwright server` with this configuration, which dies where the file says once it is there: see
    /// `clockwright_server::fail`.
    pub fn server(&self, name: &str, config: &Path, failpoint: &Path) -> Node {
        let failpoint = format!("{}={}", clockwright_server::fail::FILE, failpoint.display());
        let (program, config) = (clockwright().display().to_string(), config.display().to_string());
        let args = [&failpoint, &program, "server", "--log-level", "info", "--config", &config];
        self.start(name, Path::new("env"), &args)
    }

    /// Starts any program, whose talk goes to a file of that name.
    pub(super) fn start(&self, name: &str, program: &Path, args: &[&str]) -> Node {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Node::start(name, &self.data(name), &self.dir.join(format!("{name}.log")), program, &args)
    }

    /// The data folder of a node.
    #[must_use]
    pub fn data(&self, node: &str) -> PathBuf {
        self.dir.join(format!("{node}.data"))
    }

    /// The data folders of all nodes that were ever started.
    #[must_use]
    pub fn stores(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut stores: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "data")).collect();
        stores.sort();
        stores
    }

    /// Runs a command of the program under test with `--registry` after its words, and gives what it answered.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn ask(&self, words: &[&str]) -> Output {
        let mut command = Command::new(clockwright());
        command.args(words).args(["--registry", &self.registry]);
        command.output().expect("the program under test can be started")
    }

    /// Runs a command of the program under test that needs no registry and has to succeed; gives what stdout said.
    ///
    /// # Panics
    /// When it fails, with what it said.
    #[track_caller]
    pub fn tell_alone(&self, words: &[&str]) -> String {
        succeeded(words, Command::new(clockwright()).args(words))
    }

    /// As [`ask`](Self::ask), for commands that have to succeed; gives what stdout said.
    ///
    /// # Panics
    /// When it fails, with what it said.
    #[track_caller]
    pub fn tell(&self, words: &[&str]) -> String {
        succeeded(words, Command::new(clockwright()).args(words).args(["--registry", &self.registry]))
    }

    /// What the jobs have written so far. A line that is being written right now is not there yet: each is one write.
    ///
    /// # Panics
    /// When the log holds something else.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        read_log(&self.log()).expect("only whole records are written")
    }

    /// The processes of this scene's jobs, with their command lines; supervisors included.
    #[must_use]
    pub fn job_processes(&self) -> Vec<(u32, String)> {
        let log = self.log().display().to_string();
        processes_with(&log)
    }
}

#[track_caller]
fn succeeded(words: &[&str], command: &mut Command) -> String {
    let output = command.output().expect("the program under test can be started");
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "`{}` answered {}: {out}{talk}", words.join(" "), output.status);
    out.into_owned()
}

impl Drop for Scene {
    fn drop(&mut self) {
        for (pid, _) in processes_with(&self.dir.display().to_string()) {
            // It may have ended by itself meanwhile.
            let _gone = kill(pid, Signal::KILL);
        }
        if std::thread::panicking()
            && let Some(dir) = self._kept.take()
        {
            let kept = dir.keep();
            #[allow(clippy::print_stderr, reason = "the person who looks for the cause needs the place")]
            {
                eprintln!("the scene is kept in {}", kept.display());
            }
        }
    }
}
