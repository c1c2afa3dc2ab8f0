//! A control server as a process of its own, with a database, a registry, a project and as many jobs as wanted.
//!
//! One job is made over REST. The others are copies of its rows, made by the database itself, and of its nodes: so a hundred thousand are there
//! within a minute or two. What the journal would say of them is left out; nothing here reads it.
//!
//! One ZooKeeper serves all measurements of a run. Each has a namespace of its own, but for those of a hundred thousand jobs, which take over the
//! nodes that the one before has left.

use super::all;
use super::http::Door;
use crate::backend::{self, Backend, Kind};
use crate::child;
use crate::events::{Database, Home};
use crate::machine;
use anyhow::{Context as _, ensure};
use clockwright_registry::{Op, Path, SharedRegistry};
use clockwright_server::config::Config;
use clockwright_server::decide::limits::Rate;
use clockwright_server::registries::{Registries, Source};
use clockwright_server::{Server, setup_link};
use clockwright_testkit::sql::Session;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::Child;

/// The items of each job.
pub(crate) const ITEMS: usize = 3;
/// How many instances serve all jobs, each on a host of its own.
const INSTANCES: usize = 2_000;
/// The administrator's.
const PASSWORD: &str = "correct horse battery staple";
/// The job that the others are copies of.
const TEMPLATE: &str = "template";
/// Operations in one commit, and commits on their way, when nodes are made.
const OPS: usize = 500;
const IN_FLIGHT: usize = 8;
const PATIENCE: Duration = Duration::from_secs(300);

/// The timeout of sessions, milliseconds, where nothing else is measured.
pub(crate) const SESSION: i64 = 12_000;

/// What a server's process is told.
#[derive(Debug, Serialize, Deserialize)]
struct Wishes {
    database: String,
    store: String,
    registry: String,
    session_timeout: i64,
    key_file: PathBuf,
}

/// What it says when it serves.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
    id: String,
    /// How somebody comes in, while nobody is there.
    link: Option<String>,
}

/// One process of a server.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    link: Option<String>,
}

impl Process {
    /// It leaves in order.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().await?;
        Ok(())
    }
}

/// The process itself.
pub(crate) async fn hold(wishes: &str) -> anyhow::Result<()> {
    let wishes: Wishes = serde_json::from_str(wishes).context("the child's wishes")?;
    let much = Rate { a_second: 1_000_000, at_once: 1_000_000 };
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: wishes.database.into(),
        store: wishes.store.into(),
        key_file: wishes.key_file,
        reads: much,
        changes: much,
        ..Config::default()
    };
    let connect = backend::zookeeper(wishes.registry, wishes.session_timeout);
    let source = Source { connect, credential: false };
    let registries = Registries::new([("home".to_owned(), source)].into());
    let server = Server::start(config, None, registries, Arc::new(machine::wall)).await?;
    let link = setup_link(server.app()).await?.map(|link| link.url);
    let ready = Ready { address: server.address(), id: server.app().id.clone(), link };
    println!("{}", serde_json::to_string(&ready)?);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    server.stop().await;
    Ok(())
}

/// A server and all that it stands on.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) registry: Backend,
    pub(crate) session: SharedRegistry,
    /// The project of all jobs, and its namespace.
    pub(crate) project: String,
    control: String,
    timeout: i64,
    cookie: String,
    pub(crate) server: Process,
}

impl Stage {
    /// An empty server with a project of this name.
    pub(crate) async fn open(database: Database, project: &str, timeout: i64) -> anyhow::Result<Self> {
        let (home, registry) = (Home::open(database).await?, Backend::open(Kind::ZooKeeper).await?);
        let session = registry.connector(SESSION)().await?;
        // Another measurement may have had the namespace, from another database.
        clear(&session, &format!("/{project}-clockwright")).await?;
        clear(&session, &format!("/{project}/{TEMPLATE}")).await?;
        let control = home.empty("control.db").await?;
        let server = process(&control, &home, &registry, timeout).await?;
        let (project, cookie) = (project.to_owned(), String::new());
        let mut stage = Self { home, registry, session, project, control, timeout, cookie, server };
        let link = stage.server.link.take().context("a fresh server has a link")?;
        let (_, secret) = link.split_once('#').context("the secret stands behind #")?;
        let me = json!({ "login": "root", "password": PASSWORD });
        let answer = stage.door().ask("POST", &format!("/api/v1/links/{secret}"), "", &me).await?;
        stage.cookie = answer.cookie.context("a session")?;
        stage.post("/api/v1/projects", &json!({ "name": stage.project })).await?;
        Ok(stage)
    }

    /// The server leaves in order, and so do the instances: the next one has the registry at once.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.server.end().await?;
        Ok(self.session.close().await?)
    }

    /// The administrator proves again who they are.
    pub(crate) async fn step_up(&self) -> anyhow::Result<()> {
        let answer =
            self.door().ask("POST", "/api/v1/me/step-up", "", &json!({ "password": PASSWORD })).await?;
        ensure!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        Ok(())
    }

    /// Whom to ask, as the administrator.
    pub(crate) fn door(&self) -> Door {
        let headers = match self.cookie.as_str() {
            "" => String::new(),
            cookie => format!("cookie: {cookie}\r\nsec-fetch-site: same-origin\r\n"),
        };
        Door { address: self.server.address, headers: headers.into() }
    }

    /// The path of something of the project.
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("/api/v1/projects/{}{rest}", self.project)
    }

    /// The node of something of a job.
    pub(crate) fn node(&self, job: &str, place: &str) -> anyhow::Result<Path> {
        Ok(Path::new(&format!("/{}/{job}{place}", self.project))?)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.door().ask("POST", path, "", body).await?.json()
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.door().ask("GET", path, "", &Value::Null).await?.json()
    }

    /// A connection with the database of the server.
    pub(crate) async fn sql(&self) -> anyhow::Result<Session> {
        Session::open(&self.control).await
    }

    /// The address of the database of the server.
    pub(crate) fn control(&self) -> &str {
        &self.control
    }

    /// Another server on the same database and registry.
    pub(crate) async fn another(&self) -> anyhow::Result<Process> {
        process(&self.control, &self.home, &self.registry, self.timeout).await
    }

    /// So many jobs are in the database and in the registry, `job-0000001` the first. Returns how long the server took, from its start on, to know
    /// what all of them do, seconds.
    pub(crate) async fn furnish(&mut self, jobs: usize) -> anyhow::Result<f64> {
        let props = json!({ "script.command.line": "true" });
        let settings = json!({
            "elasticJobType": "SCRIPT", "cron": "0 0 0 1 1 ? 2099", "shardingTotalCount": ITEMS, "props": props,
        });
        let ask = json!({ "name": TEMPLATE, "settings": settings });
        let made = self.post(&self.at("/jobs"), &ask).await?;
        ensure!(made["sync"]["state"] == "written", "the first job is not written: {made}");
        self.server.end().await?;
        self.copy_rows(jobs).await?;
        self.copy_nodes(jobs).await?;
        self.serve(jobs).await?;
        let begun = Instant::now();
        self.server = self.another().await?;
        self.knows(jobs).await?;
        Ok(begun.elapsed().as_secs_f64())
    }

    async fn copy_rows(&self, jobs: usize) -> anyhow::Result<()> {
        let (home, numbers) = (&self.home, self.home.numbers(jobs as u64));
        let name = home.concat(&["'job-'", &format!("SUBSTR({}, 6)", home.padded("s.n"))]);
        let title = home.concat(&["'Title of '", &home.text("s.n % 977")]);
        let tags = home.concat(&["'team'", &home.text("s.n % 20")]);
        let of = |table: &str| format!("FROM {table} t CROSS JOIN {numbers} WHERE");
        let template = format!("SELECT id FROM CLOCKWRIGHT_JOB WHERE name = '{TEMPLATE}'");
        let statements = [
            format!(
                "INSERT INTO CLOCKWRIGHT_JOB (id, project, mode, name, alive, version, state, managed, source, diverged, kind, \
                 cron, zone, items, title, tags, owner, digest, run_min, run_max, changed) \
                 SELECT t.id + s.n, t.project, t.mode, {name}, t.alive, t.version, t.state, t.managed, t.source, t.diverged, \
                 t.kind, t.cron, t.zone, t.items, {title}, {tags}, t.owner, t.digest, t.run_min, t.run_max, t.changed + s.n {} \
                 t.name = '{TEMPLATE}'",
                of("CLOCKWRIGHT_JOB")
            ),
            format!(
                "INSERT INTO CLOCKWRIGHT_JOB_VERSION (job, version, settings, digest, source_text, author, author_name, at, \
                 reason, origin, based_on) \
                 SELECT t.job + s.n, t.version, t.settings, t.digest, t.source_text, t.author, t.author_name, t.at, t.reason, \
                 t.origin, t.based_on {} t.job = ({template})",
                of("CLOCKWRIGHT_JOB_VERSION")
            ),
            format!("UPDATE CLOCKWRIGHT_HEAD SET seq = seq + {jobs}"),
        ];
        let mut sql = self.sql().await?;
        for statement in statements {
            sql.run(&statement).await?;
        }
        self.home.analyze_at(&self.control, &["CLOCKWRIGHT_JOB", "CLOCKWRIGHT_JOB_VERSION"]).await
    }

    /// The nodes of jobs that have an instance and are idle, but for the instance itself.
    async fn copy_nodes(&self, jobs: usize) -> anyhow::Result<()> {
        let there = self.session.read(&[self.node(&job(jobs), "")?]).await?;
        if there.first().is_some_and(Option::is_some) {
            return Ok(());
        }
        let config = String::from_utf8(self.config(TEMPLATE).await?)?;
        let each = OPS / self.nodes_of(1, &config)?.len();
        self.make(jobs, each, |number| self.nodes_of(number, &config)).await
    }

    /// Each job has an instance for as long as the session lives; nobody is to be told that it has none.
    async fn serve(&self, jobs: usize) -> anyhow::Result<()> {
        let instance = |number| {
            let place = format!("/instances/{}", instance(number));
            Ok(vec![Op::create_ephemeral(self.node(&job(number), &place)?, "")])
        };
        self.make(jobs, OPS, instance).await
    }

    /// Makes nodes of all jobs, of so many in each commit.
    async fn make(
        &self,
        jobs: usize,
        each: usize,
        nodes: impl Fn(usize) -> anyhow::Result<Vec<Op>> + Sync,
    ) -> anyhow::Result<()> {
        let mut work = Vec::new();
        for first in (1..=jobs).step_by(each) {
            let (nodes, last) = (&nodes, jobs.min(first + each - 1));
            let made = async move {
                let mut ops = Vec::with_capacity(OPS);
                for number in first..=last {
                    ops.extend(nodes(number)?);
                }
                self.session.commit(ops).await?;
                Ok(())
            };
            work.push(made.boxed());
        }
        all(work, IN_FLIGHT).await
    }

    fn nodes_of(&self, number: usize, config: &str) -> anyhow::Result<Vec<Op>> {
        let (name, owner, host) = (job(number), instance(number), format!("/servers/{}", host(number)));
        let empty = ["", "/instances", "/servers", &host, "/sharding"];
        let items = (0..ITEMS).flat_map(|item| {
            [
                (format!("/sharding/{item}"), String::new()),
                (format!("/sharding/{item}/instance"), owner.clone()),
            ]
        });
        empty
            .iter()
            .map(|place| ((*place).to_owned(), String::new()))
            .chain([("/config".to_owned(), config.replace(TEMPLATE, &name))])
            .chain(items)
            .map(|(place, data)| Ok(Op::create(self.node(&name, &place)?, data)))
            .collect()
    }

    /// The config node of a job.
    pub(crate) async fn config(&self, job: &str) -> anyhow::Result<Vec<u8>> {
        let node = self.session.read(&[self.node(job, "/config")?]).await?.pop().flatten();
        Ok(node.context("the job has a config")?.data.to_vec())
    }

    /// Waits until the server knows all jobs and what they do.
    async fn knows(&self, jobs: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        let hosts = self.at("/hosts");
        loop {
            let live = self.door().ask("GET", &hosts, "", &Value::Null).await?;
            if live.status == 200 {
                let page = self.get(&self.at("/jobs?limit=1")).await?;
                let count = page["count"].as_u64().unwrap_or(0) as usize;
                ensure!(count == jobs + 1, "{count} of {jobs} jobs are listed");
                return Ok(());
            }
            let said = String::from_utf8_lossy(&live.body);
            ensure!(begun.elapsed() < PATIENCE, "what jobs do is not known: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the registry is known to agree with the database about all jobs.
    pub(crate) async fn agrees(&self, jobs: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let counts = self.get(&self.at("/sync")).await?["counts"].clone();
            if counts["written"] == jobs + 1 {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the registry does not agree: {counts}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Deletes a node with all below it, if it is there.
async fn clear(session: &SharedRegistry, path: &str) -> anyhow::Result<()> {
    let mut nodes: Vec<Path> =
        session.tree(&Path::new(path)?).await?.into_iter().map(|(path, _)| path).collect();
    // What is below a node stands behind it.
    nodes.sort_unstable_by(|one, other| other.as_str().cmp(one.as_str()));
    for group in nodes.chunks(OPS) {
        session.commit(group.iter().cloned().map(Op::delete).collect()).await?;
    }
    Ok(())
}

/// The key file of all servers on a database.
fn key_file(home: &Home) -> anyhow::Result<PathBuf> {
    let path = home.folder.path().join("control.key");
    if !path.exists() {
        clockwright_server::sealing::make(&path)?;
    }
    Ok(path)
}

/// The name of a job.
pub(crate) fn job(number: usize) -> String {
    format!("job-{number:07}")
}

/// The host of the instance that serves a job.
pub(crate) fn host(number: usize) -> String {
    let number = number % INSTANCES;
    format!("10.0.{}.{}", number / 250, 1 + number % 250)
}

/// The instance that serves a job.
pub(crate) fn instance(number: usize) -> String {
    format!("{}@-@4711", host(number))
}

async fn process(control: &str, home: &Home, registry: &Backend, timeout: i64) -> anyhow::Result<Process> {
    let server = registry.server().context("ZooKeeper")?;
    let wishes = Wishes {
        database: control.to_owned(),
        store: home.address.clone(),
        registry: server.address(),
        session_timeout: timeout,
        key_file: key_file(home)?,
    };
    let (child, line) = child::spawn("server", &serde_json::to_string(&wishes)?).await?;
    let Ready { address, id, link } = serde_json::from_str(&line)?;
    Ok(Process { child, id, address, link })
}
