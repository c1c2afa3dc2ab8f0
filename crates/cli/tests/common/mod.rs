//! The binary in a folder of its own.

pub mod rest;

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A jobs file with one script that does nothing, each second, in so many items.
pub fn ticks(items: u32) -> String {
    format!(
        "jobs:\n  tick:\n    elasticJobType: SCRIPT\n    cron: 0/1 * * * * ?\n    shardingTotalCount: {items}\n    \
         props: {{script.command.line: 'true'}}\n"
    )
}

/// A folder that `clockwright` commands are run in.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).unwrap();
    }

    /// A command in this folder that the environment of the test does not reach.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        for name in [
            "CLOCKWRIGHT_REGISTRY",
            "CLOCKWRIGHT_SERVER",
            "CLOCKWRIGHT_PROJECT",
            "CLOCKWRIGHT_TOKEN",
            "CLOCKWRIGHT_TOKEN_FILE",
            "CLOCKWRIGHT_DATA",
            "CLOCKWRIGHT_EVENTS",
            "CLOCKWRIGHT_INSTANCE_IP",
            "CLOCKWRIGHT_LOG",
            "CLOCKWRIGHT_LOG_FORMAT",
            "COLUMNS",
            "LC_ALL",
            "LC_MESSAGES",
            "LANG",
        ] {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command
    }

    /// A command that reads these lines from its standard input.
    pub fn type_in(&self, args: &[&str], lines: &[&str]) -> Answer {
        let mut command = self.command(env!("CARGO_BIN_EXE_clockwright"));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        // Who needs no line reads none.
        let _unread = child.stdin.take().unwrap().write_all(text.as_bytes());
        Answer::of(&child.wait_with_output().unwrap())
    }

    /// Starts a server; gives its address and the link of the first administrator.
    pub fn serve(&self) -> (Running, String, String) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let server = self.start(&["server", "--listen", &listen]);
        self.until_talk("serving at");
        let talk = self.talk();
        let link = talk.split_whitespace().find(|word| word.contains("/setup#")).unwrap().to_owned();
        (server, format!("http://{listen}"), link)
    }

    pub fn run(&self, args: &[&str]) -> Answer {
        Answer::of(&self.command(env!("CARGO_BIN_EXE_clockwright")).args(args).output().unwrap())
    }

    /// Starts a `dev` or `node`; it is killed when dropped.
    pub fn start(&self, args: &[&str]) -> Running {
        let log =
            std::fs::File::options().create(true).append(true).open(self.path().join("talk.log")).unwrap();
        let mut command = self.command(env!("CARGO_BIN_EXE_clockwright"));
        command.args(args).stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }

    pub fn talk(&self) -> String {
        std::fs::read_to_string(self.path().join("talk.log")).unwrap_or_default()
    }

    /// Polls until what was started has said this.
    #[track_caller]
    pub fn until_talk(&self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.talk().contains(wanted) {
            assert!(Instant::now() < deadline, "`{wanted}` was never said:\n{}", self.talk());
            // Polling, not waiting: another process decides when it is so.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Polls until the command's JSON is as wanted; panics with what was said when that takes too long.
    #[track_caller]
    pub fn until(&self, args: &[&str], wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        let args = [args, &["--output", "json"]].concat();
        loop {
            let answer = self.run(&args);
            if answer.code == 0
                && let Ok(json) = serde_json::from_str(&answer.out)
                && wanted(&json)
            {
                return json;
            }
            assert!(Instant::now() < deadline, "{args:?} never came true; last: {answer:?}\n{}", self.talk());
            // Polling, not waiting: other processes decide when it is so.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            talk: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A process that is killed when dropped.
pub struct Running(Child);

impl Running {
    pub fn of(child: Child) -> Self {
        Self(child)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end.
    pub fn signal(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Asks it to end and waits for that.
    pub fn terminate(&mut self) -> i32 {
        self.signal();
        self.wait()
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> i32 {
        self.0.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}
