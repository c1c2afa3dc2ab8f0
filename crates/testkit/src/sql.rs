//! Private, real PostgreSQL and MariaDB servers for tests: Debian's packages, temporary directories, loopback ports.
//!
//! A server is a child process, of an unprivileged user when the tests run as root (PostgreSQL refuses root). It is killed
//! by its own id when its handle is dropped, and by the kernel when this process dies, however it dies. Its log lies with
//! its data and is part of every error message. Directories of processes that died before they could clean up are swept
//! when the next server starts. Data is not synchronised to the disk: what these tests kill is processes, and a machine's
//! page cache outlives them.

pub mod faults;

use crate::private::{self, Process};
use crate::zookeeper::poll;
use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, SqliteConnection};
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL, whichever version is installed.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// The user of all servers' test databases, who may do everything inside of them but is no administrator.
pub const USER: &str = "tester";
/// That user's password.
pub const PASSWORD: &str = "s3cret-pa55";
const ADMIN: &str = "boss";

/// How long a server may take until it serves: test machines are busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// One real server.
pub struct SqlServer {
    kind: Kind,
    dir: PathBuf,
    port: u16,
    options: Vec<String>,
    process: Process,
    databases: AtomicU32,
}

/// The server of this kind that all tests of this process share. Tests that stop or hurt a server start one of their own.
///
/// # Panics
/// When it cannot be started; says what to do.
#[must_use]
pub fn shared(kind: Kind) -> &'static SqlServer {
    static POSTGRES: OnceLock<SqlServer> = OnceLock::new();
    static MARIADB: OnceLock<SqlServer> = OnceLock::new();
    let server = match kind {
        Kind::Postgres => &POSTGRES,
        Kind::MariaDb => &MARIADB,
    };
    server.get_or_init(|| SqlServer::start(kind).expect("a database server for the tests starts"))
}

impl SqlServer {
    /// Makes an empty server, starts it, and waits until it serves.
    ///
    /// # Errors
    /// When its programs are not installed, or it does not serve in time; says what to do, with its log.
    pub fn start(kind: Kind) -> anyhow::Result<Self> {
        Self::start_with(kind, &[])
    }

    /// As [`SqlServer::start`], with more options of the server's command line.
    ///
    /// # Errors
    /// As [`SqlServer::start`].
    pub fn start_with(kind: Kind, options: &[&str]) -> anyhow::Result<Self> {
        let dir = new_directory()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = Self {
            kind,
            dir,
            port,
            options: options.iter().map(ToString::to_string).collect(),
            process: Process::default(),
            databases: AtomicU32::new(0),
        };
        match kind {
            Kind::Postgres => server.make_postgres()?,
            Kind::MariaDb => server.make_mariadb()?,
        }
        server.launch()?;
        server.wait_until_serving()?;
        Ok(server)
    }

    /// Makes an empty database and returns its address, with [`USER`] and [`PASSWORD`].
    ///
    /// # Errors
    /// When the server does not run.
    pub async fn database(&self) -> anyhow::Result<String> {
        let name = format!("db{}", self.databases.fetch_add(1, Ordering::Relaxed));
        match self.kind {
            Kind::Postgres => self.admin(&format!("CREATE DATABASE {name} OWNER {USER}")).await?,
            Kind::MariaDb => {
                self.admin(&format!("CREATE DATABASE {name}")).await?;
                self.admin(&format!("GRANT ALL ON {name}.* TO '{USER}'@'127.0.0.1'")).await?;
            }
        }
        Ok(self.address(USER, &name))
    }

    /// As [`SqlServer::database`], with the database's files in an empty folder of the caller's, perhaps on a disk of its own.
    ///
    /// # Errors
    /// As [`SqlServer::database`], or the folder cannot be used.
    pub async fn database_in(&self, folder: &Path) -> anyhow::Result<String> {
        let name = format!("db{}", self.databases.fetch_add(1, Ordering::Relaxed));
        // The server makes and keeps it by itself, and wants it empty.
        let place = folder.join("database");
        std::fs::create_dir(&place)?;
        give_away(&place)?;
        match self.kind {
            Kind::Postgres => {
                let place = place.display();
                self.admin(&format!("CREATE TABLESPACE {name}_place LOCATION '{place}'")).await?;
                let owned = format!("CREATE DATABASE {name} OWNER {USER} TABLESPACE {name}_place");
                self.admin(&owned).await?;
            }
            Kind::MariaDb => {
                self.admin(&format!("CREATE DATABASE {name}")).await?;
                // A database is a folder, and nothing says that it has to be there and no link.
                let made = self.dir.join("data").join(&name);
                std::fs::copy(made.join("db.opt"), place.join("db.opt"))?;
                give_away(&place.join("db.opt"))?;
                std::fs::remove_dir_all(&made)?;
                std::os::unix::fs::symlink(&place, &made)?;
                self.admin(&format!("GRANT ALL ON {name}.* TO '{USER}'@'127.0.0.1'")).await?;
            }
        }
        Ok(self.address(USER, &name))
    }

    /// Runs one statement as the administrator, outside of all test databases.
    ///
    /// # Errors
    /// What the server says.
    pub async fn admin(&self, statement: &str) -> anyhow::Result<()> {
        let database = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        };
        run(&self.address(ADMIN, database), statement).await
    }

    /// The loopback port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its data and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    fn address(&self, user: &str, database: &str) -> String {
        let scheme = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        };
        format!("{scheme}://{user}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Kills the server as a crash would. Nothing happens when it does not run.
    pub fn kill(&self) {
        self.process.kill();
    }

    fn is_running(&self) -> bool {
        self.process.lock().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts the server again, on the same data and port, and waits until it serves. Kills it first when it runs.
    ///
    /// # Errors
    /// As [`SqlServer::start`].
    pub fn restart(&self) -> anyhow::Result<()> {
        self.kill();
        // The children of a PostgreSQL that was killed notice it by themselves and leave; a new one waits for them.
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            self.launch()?;
            match self.wait_until_serving() {
                Err(error) if std::time::Instant::now() < deadline && self.is_still_held() => {
                    self.kill();
                    drop(error);
                }
                result => return result,
            }
        }
    }

    /// Freezes the server's main process and all its children: they keep their connections and say nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Ends a [`SqlServer::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// The end of the server's own log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        private::log_tail(&self.dir)
    }

    fn is_still_held(&self) -> bool {
        let log = self.log_tail();
        log.contains("pre-existing shared memory") || log.contains("lock file")
    }

    fn make_postgres(&self) -> anyhow::Result<()> {
        let password = self.dir.join("password");
        std::fs::write(&password, PASSWORD)?;
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644))?;
        let mut command = unprivileged(&program(self.kind, "initdb")?);
        command.args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]);
        command.arg(format!("--username={ADMIN}")).arg(format!("--pwfile={}", password.display()));
        command.arg("-D").arg(self.dir.join("data"));
        self.run(command, None)?;
        // No server runs yet, so the user is made by one that talks to its standard input.
        let mut command = unprivileged(&program(self.kind, "postgres")?);
        command.args(["--single", "-F", "-D"]).arg(self.dir.join("data")).arg("postgres");
        self.run(command, Some(format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'\n").into_bytes()))
    }

    fn make_mariadb(&self) -> anyhow::Result<()> {
        for folder in ["data", "tmp"] {
            let folder = self.dir.join(folder);
            std::fs::create_dir(&folder)?;
            give_away(&folder)?;
        }
        // What the package's install script does, without the client programs that it wants.
        let mut sql = b"CREATE DATABASE mysql;\nUSE mysql;\n".to_vec();
        for file in
            ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"]
        {
            let file = Path::new("/usr/share/mysql").join(file);
            sql.extend(std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
            sql.push(b'\n');
        }
        sql.extend(
            format!(
                "FLUSH PRIVILEGES;\n\
                 GRANT ALL ON *.* TO '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' WITH GRANT OPTION;\n\
                 CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            )
            .into_bytes(),
        );
        let mut command = self.mariadbd()?;
        command.arg("--bootstrap");
        self.run(command, Some(sql))
    }

    fn mariadbd(&self) -> anyhow::Result<Command> {
        let mut command = unprivileged(&program(self.kind, "mariadbd")?);
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", self.dir.join("data").display()))
            // Servers that share one remove each other's temporary tables.
            .arg(format!("--tmpdir={}", self.dir.join("tmp").display()))
            .arg(format!("--socket={}", self.dir.join("data/s").display()))
            .arg(format!("--pid-file={}", self.dir.join("data/pid").display()))
            .args(["--lc-messages-dir=/usr/share/mysql", "--skip-name-resolve", "--skip-log-bin"])
            .args(["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M"])
            .args([
                "--innodb-flush-log-at-trx-commit=2",
                "--bind-address=127.0.0.1",
                "--max-connections=200",
            ]);
        if rustix::process::getuid().is_root() {
            command.arg("--user=nobody");
        }
        Ok(command)
    }

    fn run(&self, mut command: Command, input: Option<Vec<u8>>) -> anyhow::Result<()> {
        let log = self.log()?;
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(log.try_clone()?).stderr(log).current_dir(&self.dir);
        let mut child = private::spawn_for_life(command).context(NO_SETPRIV)?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            use std::io::Write;
            stdin.write_all(&input)?;
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "making a {:?} server failed ({status}); its log:\n{}",
            self.kind,
            self.log_tail()
        );
        Ok(())
    }

    fn launch(&self) -> anyhow::Result<()> {
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = unprivileged(&program(self.kind, "postgres")?);
                command.arg("-D").arg(self.dir.join("data")).args(["-h", "127.0.0.1", "-F"]);
                command.arg("-p").arg(self.port.to_string());
                command.args(["-c", "unix_socket_directories=", "-c", "shared_buffers=64MB"]);
                command.args(["-c", "max_connections=200", "-c", "log_min_messages=warning"]);
                command
            }
            Kind::MariaDb => {
                let mut command = self.mariadbd()?;
                command.arg(format!("--port={}", self.port));
                command
            }
        };
        let log = self.log()?;
        command.args(&self.options).current_dir(&self.dir).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        *self.process.lock() = Some(private::spawn_for_life(command).context(NO_SETPRIV)?);
        Ok(())
    }

    fn log(&self) -> anyhow::Result<File> {
        Ok(File::options().create(true).append(true).open(self.dir.join("server.log"))?)
    }

    /// It serves when it takes the administrator's word, which a server that still recovers does not.
    fn wait_until_serving(&self) -> anyhow::Result<()> {
        let asks = || {
            std::thread::scope(|scope| {
                let asking = scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        tokio::time::timeout(Duration::from_secs(5), self.admin("SELECT 1")).await?
                    })
                });
                asking.join().is_ok_and(|answer: anyhow::Result<()>| answer.is_ok())
            })
        };
        let serving = poll(PATIENCE, || match self.process.lock().as_mut().map(Child::try_wait) {
            Some(Ok(None)) => asks().then_some(true),
            _ => Some(false),
        });
        match serving {
            Some(true) => Ok(()),
            Some(false) => bail!("{:?} ended instead of serving; its log:\n{}", self.kind, self.log_tail()),
            None => bail!("{:?} does not serve after {PATIENCE:?}; its log:\n{}", self.kind, self.log_tail()),
        }
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.id()?;
        for child in children(process.as_raw_nonzero().get()) {
            // A session that has ended in the meantime needs no signal.
            let _ = kill_process(child, signal);
        }
        Ok(kill_process(process, signal)?)
    }
}

impl Drop for SqlServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A connection to whichever database is at an address, with nothing of Clockwright between.
pub enum Session {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To MariaDB.
    MariaDb(MySqlConnection),
    /// To a file of SQLite's.
    Sqlite(SqliteConnection),
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When nothing answers there.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        Ok(match address.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres") => Self::Postgres(PgConnection::connect(address).await?),
            Some("mysql") => Self::MariaDb(MySqlConnection::connect(address).await?),
            _ => Self::Sqlite(SqliteConnection::connect(address).await?),
        })
    }

    /// Runs statements and passes over what they answer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, statements: &str) -> anyhow::Result<()> {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self {
            Self::Postgres(connection) => connection.execute(statements).await.map(drop)?,
            Self::MariaDb(connection) => connection.execute(statements).await.map(drop)?,
            Self::Sqlite(connection) => connection.execute(statements).await.map(drop)?,
        }
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        Ok(match self {
            Self::Postgres(connection) => connection.close().await,
            Self::MariaDb(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        }?)
    }
}

/// Runs statements in a session of their own.
async fn run(address: &str, statements: &str) -> anyhow::Result<()> {
    let mut session = Session::open(address).await?;
    session.run(statements).await?;
    session.close().await
}

/// PostgreSQL has a process for each session.
fn children(pid: i32) -> Vec<Pid> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw).collect()
}

/// The program's path: from the folder in the environment, else where Debian puts it.
fn program(kind: Kind, name: &str) -> anyhow::Result<PathBuf> {
    let (variable, folders) = match kind {
        Kind::Postgres => {
            let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
            folders.sort();
            ("CLOCKWRIGHT_POSTGRES_BIN", folders)
        }
        Kind::MariaDb => ("CLOCKWRIGHT_MARIADB_BIN", vec!["/usr/sbin".into()]),
    };
    let folders = std::env::var_os(variable).map_or(folders, |folder| vec![folder.into()]);
    let found = folders.iter().rev().map(|folder| folder.join(name)).find(|path| path.exists());
    found.with_context(|| {
        format!(
            "these tests need {kind:?}, and its program `{name}` is missing; run scripts/install-databases.sh"
        )
    })
}

/// A command that the kernel kills with the thread that starts it, as `nobody` where we are root.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if rustix::process::getuid().is_root() {
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    }
    command.arg(program);
    // Whatever the environment of the tests says about databases is not meant for this one.
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

/// Lets `nobody` own a path where we are root.
fn give_away(path: &Path) -> anyhow::Result<()> {
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534))?;
    }
    Ok(())
}

const NO_SETPRIV: &str = "cannot start `setpriv`; run scripts/install-databases.sh";

fn new_directory() -> anyhow::Result<PathBuf> {
    let dir = private::new_directory("sql")?;
    give_away(&dir)?;
    Ok(dir)
}
