//! Private, real ZooKeeper servers for tests: Debian's jars, temporary directories, loopback ports.
//!
//! A server is a child process. It is killed when its handle is dropped, and by the kernel when this process dies, however
//! it dies. Its log is kept with its data in a temporary directory and is part of every error message. Directories of
//! processes that died before they could clean up are swept when the next server starts.

mod log;

pub use log::{LoggedOp, Transaction};

use crate::private::{self, Process};
use anyhow::{Context, anyhow, bail, ensure};
use rustix::process::{Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How a server is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// ZooKeeper's unit of time, milliseconds: session timeouts are checked at multiples of it and are at least twice as
    /// long. Default 200.
    pub tick_time: u32,
    /// Where the Java classes are. Default: the environment's `CLOCKWRIGHT_ZOOKEEPER_CLASSPATH`, else Debian's jars.
    pub classpath: Option<String>,
    /// How long a server may take until it serves. Default 60 s: test machines are busy.
    pub patience: Duration,
    /// The longest timeout that a session gets, milliseconds. Default 60,000.
    pub longest_session: u32,
    /// Options for Java behind the default ones, which start quickly and stay small; later ones win. Default none.
    pub java: Vec<String>,
    /// Settings for TLS: with any, the server listens at a second port too, which speaks it ([`ZkServer::secure_address`]). Default none.
    pub tls: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tick_time: 200,
            classpath: None,
            patience: Duration::from_secs(60),
            longest_session: 60_000,
            java: Vec::new(),
            tls: Vec::new(),
        }
    }
}

impl Config {
    /// Servers of another release than Debian's, one of those that `e2e/zookeeper-servers/build.sh` fetches.
    ///
    /// # Errors
    /// When it is not there; says what to do.
    pub fn release(release: &str) -> anyhow::Result<Self> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/zookeeper-servers");
        let jars = project.join("target").join(release);
        ensure!(
            jars.join("complete").exists(),
            "ZooKeeper {release} is not in {}; `sh e2e/zookeeper-servers/build.sh` fetches it",
            jars.display()
        );
        Ok(Self { classpath: Some(format!("{}/*", jars.display())), ..Self::default() })
    }
}

/// One real server.
pub struct ZkServer {
    config: Config,
    classpath: String,
    dir: PathBuf,
    port: u16,
    secure_port: u16,
    process: Process,
}

/// The server that all tests of this process share.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn shared_server() -> &'static ZkServer {
    static SERVER: OnceLock<ZkServer> = OnceLock::new();
    SERVER.get_or_init(|| ZkServer::start().expect("a ZooKeeper server for the tests starts"))
}

/// The ensemble of three that all tests of this process share.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn shared_ensemble() -> &'static ZkEnsemble {
    static ENSEMBLE: OnceLock<ZkEnsemble> = OnceLock::new();
    ENSEMBLE.get_or_init(|| ZkEnsemble::start(3).expect("a ZooKeeper ensemble for the tests starts"))
}

impl ZkServer {
    /// Starts a standalone server and waits until it serves.
    ///
    /// # Errors
    /// When ZooKeeper or Java are not installed, or the server does not serve in time; says what to do, with its log.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(Config::default())
    }

    /// As [`ZkServer::start`].
    ///
    /// # Errors
    /// As [`ZkServer::start`].
    pub fn start_with(config: Config) -> anyhow::Result<Self> {
        retry_ports(|| {
            let ports = free_ports()?;
            let server = Self::prepare(config.clone(), ports, 1, "")?;
            server.launch()?;
            server.wait_until_serving()?;
            Ok(server)
        })
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `127.0.0.1:port` of the port that speaks TLS, where it was asked to.
    #[must_use]
    pub fn secure_address(&self) -> String {
        format!("127.0.0.1:{}", self.secure_port)
    }

    /// Where it keeps its data. What is there may be changed while the server does not run.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Adds a line to the server's settings, which counts instead of an earlier one from its next start on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, line: &str) -> anyhow::Result<()> {
        let mut file = File::options().append(true).open(self.dir.join("zoo.cfg"))?;
        Ok(writeln!(file, "{line}")?)
    }

    /// Kills the server as a crash would. Nothing happens when it does not run.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Asks the server to end, and waits until it has.
    ///
    /// # Errors
    /// When it has not after ten seconds; it is killed then.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let mut process = self.process.lock();
        let Some(child) = process.as_mut() else { return Ok(()) };
        let ended = poll(Duration::from_secs(10), || child.try_wait().ok().flatten());
        let _ = child.kill();
        let _ = child.wait();
        *process = None;
        ensure!(ended.is_some(), "ZooKeeper did not end within 10 s of SIGTERM");
        Ok(())
    }

    /// Starts the server again, on the same data and port, and waits until it serves. Kills it first when it runs.
    ///
    /// # Errors
    /// As [`ZkServer::start`].
    pub fn restart(&self) -> anyhow::Result<()> {
        self.kill();
        self.launch()?;
        self.wait_until_serving()
    }

    /// Freezes the server: it keeps its connections and says nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Ends a [`ZkServer::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// The server's numbers by name, from its `mntr` command; `zk_server_state` is `leader`, `follower` or `standalone`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn mntr(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let text = self.ask("mntr")?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect())
    }

    /// Has ZooKeeper's own command line carry these commands out, one a line, and gives what it says: for what no client of ours does, such
    /// as setting access lists. It goes on after a command that fails.
    ///
    /// # Errors
    /// When it cannot be started, or does not reach the server.
    pub fn command_line(&self, commands: &str) -> anyhow::Result<String> {
        let mut child = Command::new("java")
            .args(["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &self.classpath])
            .arg(format!("-Dlog4j.configuration=file:{}", self.dir.join("log4j.properties").display()))
            .args(["org.apache.zookeeper.ZooKeeperMain", "-server", &self.address()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start `java`; run scripts/install-zookeeper.sh")?;
        let mut input = child.stdin.take().context("its input is a pipe")?;
        let commands = format!("{commands}\nquit\n");
        // What it says is read meanwhile: who waits for each other over two full pipes waits for ever.
        let writing = std::thread::spawn(move || input.write_all(commands.as_bytes()));
        let output = child.wait_with_output()?;
        let written = writing.join().map_err(|_| anyhow!("the thread that writes to it failed"))?;
        written.context("it did not read its commands")?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ZooKeeper's command line failed: {said}");
        Ok(said.into_owned())
    }

    /// The id of its process while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Child::id)
    }

    /// What the server has carried out since its data directory was made, from its transaction log, in order. Failed
    /// transactions are left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn transactions(&self) -> anyhow::Result<Vec<Transaction>> {
        log::read(&self.dir.join("data/version-2"))
    }

    /// The end of the server's own log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        private::log_tail(&self.dir)
    }

    fn prepare(
        config: Config,
        [port, secure_port]: [u16; 2],
        id: usize,
        members: &str,
    ) -> anyhow::Result<Self> {
        let classpath = classpath(&config)?;
        let dir = private::new_directory("zookeeper")?;
        std::fs::create_dir_all(dir.join("data"))?;
        std::fs::write(dir.join("data/myid"), id.to_string())?;
        let (tick, longest) = (config.tick_time, config.longest_session);
        // Ensembles get ten seconds to find a leader and five to keep up with it, whatever the tick.
        let (init, sync) = ((10_000 / tick).max(5), (5_000 / tick).max(2));
        let data = dir.join("data");
        let secure = match config.tls.join("\n") {
            none if none.is_empty() => none,
            tls => format!(
                "secureClientPort={secure_port}\nsecureClientPortAddress=127.0.0.1\n\
                 serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n{tls}\n"
            ),
        };
        std::fs::write(
            dir.join("zoo.cfg"),
            format!(
                "tickTime={tick}\ninitLimit={init}\nsyncLimit={sync}\ndataDir={}\nclientPort={port}\n\
                 clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nmaxSessionTimeout={longest}\nforceSync=yes\n\
                 preAllocSize=1024\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{secure}{members}",
                data.display()
            ),
        )?;
        std::fs::write(
            dir.join("log4j.properties"),
            "log4j.rootLogger=INFO, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n\
             log4j.appender.out.layout=org.apache.log4j.PatternLayout\n\
             log4j.appender.out.layout.ConversionPattern=%d{HH:mm:ss,SSS} %p %c{1} %m%n\n",
        )?;
        Ok(Self { config, classpath, dir, port, secure_port, process: Process::default() })
    }

    fn launch(&self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.dir.join("server.log"))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args([
                "-XX:-UsePerfData",
                "-Djava.net.preferIPv4Stack=true",
                "-Dzookeeper.admin.enableServer=false",
            ])
            .arg(format!("-Dlog4j.configuration=file:{}", self.dir.join("log4j.properties").display()))
            .args(&self.config.java)
            .args(["-cp", &self.classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(self.dir.join("zoo.cfg"))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = private::spawn_for_life(command)
            .context("cannot start `setpriv … java`; run scripts/install-zookeeper.sh")?;
        *self.process.lock() = Some(child);
        Ok(())
    }

    fn wait_until_serving(&self) -> anyhow::Result<()> {
        let serving =
            poll(self.config.patience, || match self.process.lock().as_mut().map(Child::try_wait) {
                Some(Ok(None)) => {
                    self.ask("srvr").ok().filter(|answer| answer.contains("Mode:")).map(|_| true)
                }
                _ => Some(false),
            });
        match serving {
            Some(true) => Ok(()),
            Some(false) => bail!("ZooKeeper ended instead of serving; its log:\n{}", self.log_tail()),
            None => bail!(
                "ZooKeeper does not serve after {:?}; its log:\n{}",
                self.config.patience,
                self.log_tail()
            ),
        }
    }

    /// One of ZooKeeper's four-letter commands.
    fn ask(&self, command: &str) -> anyhow::Result<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(command.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.process.id()?, signal)?)
    }
}

impl Drop for ZkServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Several servers that are one registry.
pub struct ZkEnsemble {
    servers: Vec<ZkServer>,
}

impl ZkEnsemble {
    /// Starts an ensemble of `size` servers and waits until all of them serve.
    ///
    /// # Errors
    /// As [`ZkServer::start`].
    pub fn start(size: usize) -> anyhow::Result<Self> {
        Self::start_with(size, Config::default())
    }

    /// As [`ZkEnsemble::start`].
    ///
    /// # Errors
    /// As [`ZkServer::start`].
    pub fn start_with(size: usize, config: Config) -> anyhow::Result<Self> {
        retry_ports(|| {
            let mut ports = Vec::new();
            // All at once, so that no two are the same.
            let held =
                (0..size * 4).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<Vec<_>, _>>()?;
            for listener in &held {
                ports.push(listener.local_addr()?.port());
            }
            drop(held);
            let members: String = (0..size)
                .map(|i| format!("server.{}=127.0.0.1:{}:{}\n", i + 1, ports[size + i], ports[2 * size + i]))
                .collect();
            let servers = (0..size)
                .map(|i| ZkServer::prepare(config.clone(), [ports[i], ports[3 * size + i]], i + 1, &members))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let ensemble = Self { servers };
            ensemble.servers.iter().try_for_each(ZkServer::launch)?;
            ensemble.servers.iter().try_for_each(ZkServer::wait_until_serving)?;
            Ok(ensemble)
        })
    }

    /// All members, in order of their ids.
    #[must_use]
    pub fn servers(&self) -> &[ZkServer] {
        &self.servers
    }

    /// The addresses of all members, separated by commas.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.servers.iter().map(ZkServer::address).collect::<Vec<_>>().join(",")
    }

    /// The member that leads now.
    ///
    /// # Errors
    /// When none says it does.
    pub fn leader(&self) -> anyhow::Result<&ZkServer> {
        let leads = |server: &&ZkServer| {
            server
                .mntr()
                .is_ok_and(|numbers| numbers.get("zk_server_state").is_some_and(|state| state == "leader"))
        };
        self.servers.iter().find(leads).context("no member leads the ensemble")
    }
}

/// Asks again and again until there is an answer, or the time is over.
pub fn poll<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = condition() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Debian's jar names the others it needs, but not where it logs to, nor the one that TLS takes.
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";
const DEBIAN_OTHERS: &str =
    "/usr/share/java/slf4j-log4j12.jar:/usr/share/java/log4j-1.2.jar:/usr/share/java/netty-codec.jar";

fn classpath(config: &Config) -> anyhow::Result<String> {
    if let Some(classpath) =
        config.classpath.clone().or_else(|| std::env::var("CLOCKWRIGHT_ZOOKEEPER_CLASSPATH").ok())
    {
        return Ok(classpath);
    }
    ensure!(
        Path::new(DEBIAN_JAR).exists(),
        "these tests need ZooKeeper, and {DEBIAN_JAR} is missing; run scripts/install-zookeeper.sh"
    );
    Ok(format!("{DEBIAN_JAR}:{DEBIAN_OTHERS}"))
}

fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let held = ports.map(|_| TcpListener::bind(("127.0.0.1", 0)));
    for (port, listener) in ports.iter_mut().zip(held) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}

/// Somebody else may take a port between our choice and the server's start.
fn retry_ports<T>(mut start: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut tries = 0;
    loop {
        tries += 1;
        match start() {
            Err(error) if tries < 5 && format!("{error:#}").contains("Address already in use") => {}
            result => return result,
        }
    }
}
