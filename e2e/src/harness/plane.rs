//! Two control servers behind nginx, with the database and the registry that they share.

use super::{Client, Link, Nginx, Node, Scene, Servers, eventually};
use clockwright_server::fail::{Point, STOP};
use clockwright_testkit::sql::{Kind, SqlServer, USER};
use clockwright_testkit::zookeeper::Config;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(90);

/// When a session with the registry ends that nobody hears of, milliseconds.
pub const SESSION: u32 = 4_000;

/// How a plane is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup<'a> {
    /// How many servers of ZooKeeper.
    pub registries: usize,
    /// What nginx does otherwise than it is told by the rules that are handed out.
    pub nginx: &'a [(&'a str, &'a str)],
    /// More lines of each server's configuration.
    pub config: &'a str,
}

/// Two servers, and what they stand on.
pub struct Plane {
    /// The two.
    pub desks: [Desk; 2],
    /// Their registry.
    pub registry: Servers,
    /// Their database's server.
    pub sql: SqlServer,
    /// Their database.
    pub database: String,
    /// Whoever may do everything, through nginx.
    pub root: Client,
    nginx: Nginx,
    scene: Scene,
    runtime: Runtime,
}

/// One control server, as a place: its process may die and be started again.
pub struct Desk {
    name: &'static str,
    config: PathBuf,
    failpoint: PathBuf,
    /// The way from nginx to it.
    pub link: Link,
    /// Its process.
    pub node: Node,
    lives: u32,
}

impl Desk {
    /// The process dies when it comes there.
    ///
    /// # Panics
    /// When the scene's folder cannot be written.
    pub fn dies_at(&self, point: Point) {
        self.tell(point.word());
    }

    /// The process stands still (SIGSTOP) when it comes there.
    ///
    /// # Panics
    /// When the scene's folder cannot be written.
    pub fn stops_at(&self, point: Point) {
        self.tell(&format!("{} {STOP}", point.word()));
    }

    fn tell(&self, words: &str) {
        // Moved there whole: it may be read at any time.
        let made = self.failpoint.with_extension("new");
        std::fs::write(&made, words).expect("the scene's folder can be written");
        std::fs::rename(&made, &self.failpoint).expect("the scene's folder can be written");
    }

    /// True once it has come to where it was told to die or to stand still.
    #[must_use]
    pub fn has_come(&self) -> bool {
        !self.failpoint.exists()
    }

    /// True once it has died where it was told.
    pub fn is_dead(&mut self) -> bool {
        self.node.status().is_some() && self.has_come()
    }

    /// The term that it leads by its own words, if it does.
    #[must_use]
    pub fn leads(&self) -> Option<i64> {
        let talk = self.node.talk();
        let line = talk.lines().rev().find(|line| line.contains("this server leads"))?;
        let term = line.split_once("term=")?.1.split_whitespace().next()?.parse().ok()?;
        (!line.contains("leads no more")).then_some(term)
    }
}

impl Plane {
    /// Starts everything, lets the first administrator in, and makes the project `billing`.
    ///
    /// # Panics
    /// When something does not start; says what.
    #[must_use]
    pub fn start(setup: &Setup<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let config = Config { longest_session: SESSION, ..Config::default() };
        let registry = Servers::start_with(setup.registries, config);
        let sql = SqlServer::start(Kind::Postgres)
            .unwrap_or_else(|error| panic!("PostgreSQL does not start: {error:#}"));
        let database = runtime.block_on(sql.database()).expect("a database can be made");
        // The other server has a name of its own there, so that the database can tell them apart.
        let password = clockwright_testkit::sql::PASSWORD;
        let second = format!("CREATE ROLE second LOGIN PASSWORD '{password}' IN ROLE {USER}");
        runtime.block_on(sql.admin(&second)).expect("a role can be made");
        let scene = Scene::new("billing", &registry.hosts());
        let key = scene.dir().join("control.key");
        clockwright_server::sealing::make(&key).expect("the scene's folder can be written");
        let address = own_address();
        let front = format!("http://{address}");
        let desks = [("one", USER), ("two", "second")].map(|(name, user)| {
            let database = database.replace(USER, user);
            let listen = own_address();
            let config = scene.file(
                &format!("{name}.yaml"),
                &format!(
                    "listen: {listen}\npublic_url: {front}\ntrusted_proxies: [127.0.0.1]\ndata: {}\nkey_file: {}\n\
                     database: {database}\nregistry: zookeeper://{}/home\n{}",
                    scene.data(name).display(),
                    key.display(),
                    registry.hosts(),
                    setup.config
                ),
            );
            let failpoint = scene.dir().join(format!("{name}.failpoint"));
            let node = serving(&scene, &format!("{name}-1"), &config, &failpoint);
            Desk { name, config, failpoint, link: Link::to(&listen), node, lives: 1 }
        });
        let links = desks.each_ref().map(|desk| desk.link.address());
        let nginx = Nginx::start(&scene, &address, &links, setup.nginx);
        // One of them prints the link.
        let talk = desks.each_ref().map(|desk| desk.node.talk()).concat();
        let secret = talk.split_once("/setup#").and_then(|(_, rest)| rest.split_whitespace().next());
        let secret = secret.expect("a server prints a link while nobody is there");
        let root = runtime.block_on(Client::first_administrator(&front, secret));
        let plane = Self { desks, registry, sql, database, root, nginx, scene, runtime };
        let _made = plane.wait(plane.root.post("make", "/projects", &json!({ "name": "billing" }))).is(201);
        plane
    }

    /// Waits for something asynchronous.
    pub fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Where work can be done meanwhile.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The scene.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Whom clients ask.
    #[must_use]
    pub fn url(&self) -> String {
        self.nginx.url()
    }

    /// A program with an account of its own, which may make, change, stop and start the project's jobs.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn program(&self, name: &str) -> Client {
        self.wait(async {
            let make = format!("make-{name}");
            let ask = json!({ "login": name, "role": "projectAdmin" });
            let account = self.root.post(&make, "/services", &ask).await.is(201);
            let path = format!("/services/{}/tokens", account["id"].as_str().unwrap_or_default());
            let ask = json!({ "name": "test", "scopes": ["write", "job.code"] });
            let made = self.root.post(&format!("{make}-token"), &path, &ask).await.is(201);
            let token = made["secret"].as_str().unwrap_or_default();
            Client::new(&self.url(), vec![("authorization", format!("Bearer {token}"))], self.root.seen())
        })
    }

    /// The number of the term in the database.
    ///
    /// # Panics
    /// When the database does not answer.
    #[must_use]
    pub fn term(&self) -> i64 {
        self.number("SELECT term FROM CLOCKWRIGHT_TERM")
    }

    /// Which of the two leads, once one does.
    ///
    /// # Panics
    /// When none does in time.
    #[must_use]
    pub fn leader(&self) -> usize {
        let mut leader = None;
        eventually(PATIENCE, "one of the servers leads", || {
            let term = self.term();
            leader = self.desks.iter().position(|desk| desk.leads() == Some(term));
            leader.is_some()
        });
        leader.expect("it was just seen")
    }

    /// How long from `since` until a greater term than `term` is led.
    ///
    /// # Panics
    /// When none is in time.
    #[must_use]
    pub fn takeover(&self, term: i64, since: Instant) -> Duration {
        eventually(PATIENCE, "another term is led", || {
            self.desks.iter().any(|desk| desk.leads().is_some_and(|led| led > term))
        });
        since.elapsed()
    }

    /// Starts a server again that has died.
    ///
    /// # Panics
    /// When it does not serve in time.
    pub fn restart(&mut self, desk: usize) {
        let desk = &mut self.desks[desk];
        desk.lives += 1;
        let name = format!("{}-{}", desk.name, desk.lives);
        desk.node = serving(&self.scene, &name, &desk.config, &desk.failpoint);
    }

    /// Runs statements as the database's owner.
    ///
    /// # Panics
    /// When they are refused.
    pub fn sql(&self, statements: &str) {
        self.wait(async {
            let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
            let done = statements.execute(&mut self.connection().await).await;
            done.expect("it is carried out");
        });
    }

    /// The one number that is the answer to a question.
    ///
    /// # Panics
    /// When the database does not answer.
    #[must_use]
    pub fn number(&self, question: &'static str) -> i64 {
        self.wait(async {
            let answer = sqlx::query_scalar(question).fetch_one(&mut self.connection().await).await;
            answer.expect("there is an answer")
        })
    }

    /// The texts that are the answer to a question.
    ///
    /// # Panics
    /// When the database does not answer.
    #[must_use]
    pub fn texts(&self, question: &str) -> Vec<String> {
        self.wait(async {
            let question = sqlx::query_scalar(AssertSqlSafe(question.to_owned()));
            question.fetch_all(&mut self.connection().await).await.expect("there is an answer")
        })
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.database).await.expect("the database answers")
    }

    /// The path of a job's config in the registry.
    #[must_use]
    pub fn config_of(job: &str) -> String {
        format!("/billing/{job}/config")
    }
}

/// An address to listen at that nobody else has, today and after a restart: a loopback host of this process, and a port that is given out once.
fn own_address() -> String {
    // Below those that the kernel gives to whoever asks for any.
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    format!("127.{}.{b}.{c}:{}", 64 | (a & 63), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// Starts a server, and waits until it serves.
fn serving(scene: &Scene, name: &str, config: &Path, failpoint: &Path) -> Node {
    let mut node = scene.server(name, config, failpoint);
    node.until(PATIENCE, "it serves", |node| node.talk().contains("serving at"));
    node
}
