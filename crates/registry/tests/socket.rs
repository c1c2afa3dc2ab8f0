//! Sessions through a socket when connections break, sides freeze, and processes die.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_registry::{
    ConnectOptions, Embedded, Error, Hint, Op, Path, Registry, Session, SharedRegistry, SocketSession,
};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
/// Names the socket to the process that is going to be stopped.
const SOCKET: &str = "CLOCKWRIGHT_TEST_SOCKET";

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn options(session_timeout: i64) -> ConnectOptions {
    ConnectOptions { session_timeout }
}

fn socket(dir: &tempfile::TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

async fn becomes(registry: &dyn Registry, state: Session) {
    let mut session = registry.session();
    let seen = timeout(PATIENCE, session.wait_for(|session| *session == state)).await.expect("in time");
    drop(seen.unwrap());
}

/// Waits until a node exists or not.
async fn until(registry: &SharedRegistry, path: &Path, exists: bool) {
    let mut hints = registry.watch(path).await.unwrap();
    let seen = async {
        while registry.read(std::slice::from_ref(path)).await.unwrap()[0].is_some() != exists {
            hints.recv().await.unwrap();
        }
    };
    timeout(PATIENCE, seen).await.expect("in time");
}

/// What a relay does with bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relay {
    /// Passes them on.
    Pass,
    /// Passes on what the client says, and keeps what the server says.
    Mute,
    /// Keeps everything; connections stay open.
    Freeze,
    /// Closes connections, and takes no new ones.
    Cut,
}

/// A socket in front of the real one.
struct Between {
    socket: PathBuf,
    relay: watch::Sender<Relay>,
}

impl Between {
    fn new(dir: &tempfile::TempDir, server: PathBuf) -> Self {
        let (socket, relay) = (socket(dir, "between.sock"), watch::Sender::new(Relay::Pass));
        let (listener, mode) = (UnixListener::bind(&socket).unwrap(), relay.subscribe());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *mode.borrow() == Relay::Cut {
                    continue;
                }
                let server = UnixStream::connect(&server).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pump(from_client, to_server, mode.clone(), Relay::Mute));
                tokio::spawn(pump(from_server, to_client, mode.clone(), Relay::Pass));
            }
        });
        Self { socket, relay }
    }

    fn set(&self, relay: Relay) {
        self.relay.send_replace(relay);
    }
}

/// Carries bytes one way while the mode is `Pass` or `also`.
async fn pump(
    mut from: tokio::net::unix::OwnedReadHalf,
    mut to: tokio::net::unix::OwnedWriteHalf,
    mut mode: watch::Receiver<Relay>,
    also: Relay,
) {
    let mut buffer = vec![0; 65_536];
    let cut = mode.clone();
    let carry = async {
        loop {
            let length = from.read(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            drop(mode.wait_for(|mode| [Relay::Pass, also].contains(mode)).await.unwrap());
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let mut cut = cut;
    tokio::select! {
        () = carry => {}
        _ = async { cut.wait_for(|mode| *mode == Relay::Cut).await.map(|_| ()) } => {}
    }
}

/// A registry that is served, a session of its own process, and a relay in front of its socket.
struct World {
    registry: Embedded,
    local: SharedRegistry,
    between: Between,
    server: Option<clockwright_registry::SocketServer>,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Embedded::in_memory();
        let local = registry.connect(ConnectOptions::default()).unwrap();
        let server = registry.serve(&socket(&dir, "registry.sock")).await.unwrap();
        let between = Between::new(&dir, socket(&dir, "registry.sock"));
        Self { registry, local, between, server: Some(server), dir }
    }

    async fn connect(&self, timeout: i64) -> Arc<SocketSession> {
        SocketSession::connect(&self.between.socket, options(timeout)).await.unwrap()
    }
}

#[tokio::test]
async fn a_broken_connection_suspends_the_session_and_a_new_one_goes_on_with_it() {
    let world = World::new().await;
    let one = world.connect(10_000).await;
    one.commit(vec![Op::create(path("/a"), ""), Op::create_ephemeral(path("/e"), "")]).await.unwrap();
    let mut hints = one.watch(&path("/a")).await.unwrap();
    world.between.set(Relay::Cut);
    becomes(&*one, Session::Suspended).await;
    let error = one.commit(vec![Op::set(path("/a"), "")]).await.unwrap_err();
    assert!(error.is_retryable(), "nothing was sent: {error}");
    assert!(one.list(&path("/")).await.unwrap_err().is_retryable());
    world.local.commit(vec![Op::set(path("/a"), "meanwhile")]).await.unwrap();
    world.between.set(Relay::Pass);
    becomes(&*one, Session::Connected).await;
    assert_eq!(timeout(PATIENCE, hints.recv()).await.unwrap(), Some(Hint::Everything));
    one.commit(vec![Op::set_if(path("/a"), "again", 1), Op::check(path("/e"))]).await.unwrap();
    assert_eq!(timeout(PATIENCE, hints.recv()).await.unwrap(), Some(Hint::Path(path("/a"))));
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_settled_after_the_reconnect() {
    let world = World::new().await;
    let one = world.connect(10_000).await;
    one.commit(vec![Op::create(path("/a"), "")]).await.unwrap();
    world.between.set(Relay::Mute);
    let commit = one.commit(vec![Op::set(path("/a"), "1")]);
    let mut hints = world.local.watch(&path("/a")).await.unwrap();
    while world.local.read(&[path("/a")]).await.unwrap()[0].as_ref().unwrap().stat.version == 0 {
        timeout(PATIENCE, hints.recv()).await.unwrap();
    }
    world.between.set(Relay::Cut);
    assert!(commit.await.unwrap_err().is_unknown());
    world.between.set(Relay::Pass);
    becomes(&*one, Session::Connected).await;
    assert_eq!(one.read(&[path("/a")]).await.unwrap()[0].as_ref().unwrap().data, "1");
}

#[tokio::test]
async fn a_frozen_connection_ends_the_session_on_both_sides() {
    let world = World::new().await;
    let one = world.connect(400).await;
    one.commit(vec![Op::create_ephemeral(path("/e"), "")]).await.unwrap();
    let start = Instant::now();
    world.between.set(Relay::Freeze);
    until(&world.local, &path("/e"), false).await;
    assert!(
        start.elapsed() >= Duration::from_millis(250),
        "the session had time left: {:?}",
        start.elapsed()
    );
    becomes(&*one, Session::Lost).await;
    world.between.set(Relay::Pass);
    assert_eq!(one.commit(vec![Op::create(path("/late"), "")]).await.unwrap_err(), Error::SessionLost);
    assert_eq!(one.list(&path("/")).await.unwrap_err(), Error::SessionLost);
    assert_eq!(world.local.list(&path("/")).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_is_gone_suspends_and_after_the_timeout_loses_the_session() {
    let mut world = World::new().await;
    let one = world.connect(600).await;
    let mut hints = one.watch(&path("/")).await.unwrap();
    let start = Instant::now();
    world.server = None;
    becomes(&*one, Session::Suspended).await;
    becomes(&*one, Session::Lost).await;
    // The last answered ping is at most a third of the timeout and a round trip older than the end of the server.
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    assert_eq!(hints.recv().await, None);
    assert_eq!(one.commit(vec![Op::create(path("/a"), "")]).await.unwrap_err(), Error::SessionLost);
}

#[tokio::test]
async fn the_successor_of_a_registry_that_ended_says_at_once_that_the_session_is_over() {
    let mut world = World::new().await;
    let one = world.connect(60_000).await;
    world.server = None;
    becomes(&*one, Session::Suspended).await;
    let successor = Embedded::in_memory();
    let _server = successor.serve(&socket(&world.dir, "registry.sock")).await.unwrap();
    becomes(&*one, Session::Lost).await;
    world.connect(60_000).await.commit(vec![Op::check(path("/"))]).await.unwrap();
}

#[tokio::test]
async fn sessions_of_living_clients_are_kept_alive_and_closing_the_registry_ends_them() {
    let world = World::new().await;
    let one = SocketSession::connect(&socket(&world.dir, "registry.sock"), options(800)).await.unwrap();
    one.commit(vec![Op::create_ephemeral(path("/e"), "")]).await.unwrap();
    // The end of a frozen session with a longer timeout tells when enough time has passed.
    let two = world.connect(1_700).await;
    two.commit(vec![Op::create_ephemeral(path("/two"), "")]).await.unwrap();
    world.between.set(Relay::Freeze);
    until(&world.local, &path("/two"), false).await;
    one.commit(vec![Op::check(path("/e"))]).await.unwrap();
    assert_eq!(*one.session().borrow(), Session::Connected);
    world.registry.close().await.unwrap();
    becomes(&*one, Session::Lost).await;
}

#[tokio::test]
async fn many_requests_travel_at_once_and_in_order() {
    let world = World::new().await;
    let one = world.connect(10_000).await;
    one.commit(vec![Op::create(path("/a"), "")]).await.unwrap();
    let commits: Vec<_> =
        (0..10_000).map(|n| one.commit(vec![Op::set_if(path("/a"), vec![0; 100], n)])).collect();
    for commit in commits {
        commit.await.unwrap();
    }
    assert_eq!(one.read(&[path("/a")]).await.unwrap()[0].as_ref().unwrap().stat.version, 10_000);
}

#[tokio::test]
async fn commits_before_a_close_are_answered_though_nobody_waited_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Embedded::open(dir.path()).await.unwrap();
    let _server = registry.serve(&socket(&dir, "registry.sock")).await.unwrap();
    let one = SocketSession::connect(&socket(&dir, "registry.sock"), options(10_000)).await.unwrap();
    let commits: Vec<_> =
        (0..100).map(|n| one.commit(vec![Op::create(path("/").join(&format!("n{n}")), "")])).collect();
    one.close().await.unwrap();
    for commit in commits {
        commit.await.unwrap();
    }
    assert_eq!(one.close().await, Err(Error::SessionLost));
}

#[tokio::test]
async fn a_socket_is_private_and_only_a_dead_one_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let place = socket(&dir, "registry.sock");
    drop(std::os::unix::net::UnixListener::bind(&place).unwrap());
    let registry = Embedded::in_memory();
    let server = registry.serve(&place).await.unwrap();
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    let error = registry.serve(&place).await.unwrap_err();
    assert!(error.to_string().contains("served already"), "{error}");
    drop(server);
    assert!(!place.exists());
    std::fs::write(&place, "precious").unwrap();
    let error = registry.serve(&place).await.unwrap_err();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(std::fs::read(&place).unwrap(), b"precious");
    let error = SocketSession::connect(&socket(&dir, "missing.sock"), options(1_000)).await.err().unwrap();
    assert!(error.is_retryable() && error.to_string().contains("missing.sock"), "{error}");
    let error = SocketSession::connect(&place, options(1)).await.err().unwrap();
    assert!(matches!(error, Error::Refused(_)), "{error}");
}

#[tokio::test]
async fn nonsense_on_the_socket_ends_that_connection_only() {
    let world = World::new().await;
    let one = world.connect(10_000).await;
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 77]] {
        let mut stream = UnixStream::connect(socket(&world.dir, "registry.sock")).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut rest = Vec::new();
        // A reset is as good as an end.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection is closed");
        assert!(rest.is_empty());
    }
    one.commit(vec![Op::check(path("/"))]).await.unwrap();
}

/// The process that is stopped: not a test by itself.
#[test]
fn the_process_that_is_stopped() {
    let Some(place) = std::env::var_os(SOCKET) else { return };
    let say =
        |text: &str| std::io::stdout().lock().write_all(format!("\nchild {text}\n").as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let one = SocketSession::connect(place.as_ref(), options(500)).await.unwrap();
        one.commit(vec![Op::create_ephemeral(path("/child"), "")]).await.unwrap();
        say("ready");
        becomes(&*one, Session::Lost).await;
        say(&format!("{:?}", one.commit(vec![Op::create(path("/late"), "")]).await.unwrap_err()));
    });
}

#[tokio::test]
async fn a_process_that_is_stopped_or_killed_loses_its_session_and_learns_it_when_it_goes_on() {
    let world = World::new().await;
    let start = || {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_stopped", "--nocapture"])
            .env(SOCKET, socket(&world.dir, "registry.sock"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (Pid::from_child(&child), child, lines)
    };
    let hear = |mut lines: std::io::Lines<BufReader<std::process::ChildStdout>>, text: &'static str| {
        tokio::task::spawn_blocking(move || {
            let found = lines.any(|line| line.is_ok_and(|line| line == format!("child {text}")));
            assert!(found, "the process ended without saying {text}");
            lines
        })
    };
    let (pid, mut child, lines) = start();
    let lines = hear(lines, "ready").await.unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until(&world.local, &path("/child"), false).await;
    kill_process(pid, Signal::CONT).unwrap();
    let _lines = hear(lines, "SessionLost").await.unwrap();
    child.wait().unwrap();

    let (_, mut child, lines) = start();
    let _lines = hear(lines, "ready").await.unwrap();
    until(&world.local, &path("/child"), true).await;
    child.kill().unwrap();
    child.wait().unwrap();
    until(&world.local, &path("/child"), false).await;
    assert_eq!(world.local.list(&path("/")).await.unwrap(), [""; 0]);
}
