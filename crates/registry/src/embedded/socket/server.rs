//! The side of the socket that has the registry.

use super::wire::{Answer, Malformed, Request, put_frame, take_frame};
use super::{MAX_REQUEST, PROTOCOL};
use crate::embedded::files::FileId;
use crate::embedded::{ConnectOptions, Embedded, EmbeddedSession, Outlet};
use crate::{Error, Hint, Registry as _, Session};
use bytes::BytesMut;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a connection may take to say hello, and a last word to leave.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(2);
/// Most requests of one connection that are worked on at once; more are left in the socket.
const PIPELINE: usize = 1_024;
/// Answers that wait for a slow client, in bytes, before no more requests of it are read.
const BACKLOG: usize = 4 << 20;

/// A served socket. Dropping it ends all sessions that came through it and removes the socket.
#[derive(Debug)]
pub struct SocketServer {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Embedded {
    /// Serves this registry to other processes on a Unix socket (mode 0600), usually `registry.sock` in its directory, for
    /// as long as the returned value lives, which also keeps the registry open. A socket that a dead process left there
    /// is replaced.
    ///
    /// # Errors
    /// When the socket cannot be made, or something else is there: an answering socket, or a file of another kind.
    pub async fn serve(&self, path: &FilePath) -> Result<SocketServer, io::Error> {
        let listener = bind(path).await?;
        let server = Arc::new(Server { registry: self.clone(), sessions: Mutex::default() });
        let task = tokio::spawn(server.accept(listener, path.to_owned()));
        Ok(SocketServer { path: path.to_owned(), task })
    }
}

async fn bind(path: &FilePath) -> Result<UnixListener, io::Error> {
    let there = |why: &str| io::Error::new(io::ErrorKind::AddrInUse, format!("{} is {why}", path.display()));
    if let Ok(file) = std::fs::symlink_metadata(path) {
        use std::os::unix::fs::FileTypeExt as _;
        if !file.file_type().is_socket() {
            return Err(there("no socket, and is left alone"));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(there("served already"));
        }
    }
    // Made aside and moved into place, so that it is never there with wider permissions, and never there without a server.
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_file(&aside);
    let socket = UnixSocket::new_stream()?;
    socket.bind(&aside).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => io::Error::new(
            error.kind(),
            format!("the path {} is too long for a socket (about 100 bytes)", path.display()),
        ),
        _ => error,
    })?;
    std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600))?;
    let listener = socket.listen(128)?;
    std::fs::rename(&aside, path)?;
    Ok(listener)
}

struct Server {
    registry: Embedded,
    sessions: Mutex<HashMap<i64, Arc<Attached>>>,
}

/// A session that came through the socket.
struct Attached {
    session: Arc<EmbeddedSession>,
    secret: u128,
    timeout: Duration,
    /// When something was last heard of its client.
    heard: Mutex<Instant>,
    /// Counts its connections; a connection that is not the latest ends.
    connections: watch::Sender<u64>,
    /// Held by the connection that is in charge.
    turn: tokio::sync::Mutex<()>,
}

impl Attached {
    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    async fn accept(self: Arc<Self>, mut listener: UnixListener, path: PathBuf) {
        // All tasks end with this one.
        let mut tasks = JoinSet::new();
        let (watched, mut to_watch) = mpsc::unbounded_channel::<Arc<Attached>>();
        let (mut full, mut homeless) = (false, false);
        let mut file = FileId::of(&path);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                connection = listener.accept() => match connection {
                    Ok((stream, _)) => {
                        if std::mem::take(&mut full) {
                            tracing::info!("the registry's socket takes connections again");
                        }
                        let (server, watched) = (Arc::clone(&self), watched.clone());
                        tasks.spawn(async move {
                            if let Err(error) = server.converse(stream, watched).await {
                                tracing::debug!(%error, "a connection to the registry's socket ended");
                            }
                        });
                    }
                    Err(error) => {
                        // Mostly too many open files: that of others, or ours, may pass.
                        if !std::mem::replace(&mut full, true) {
                            tracing::warn!(
                                %error,
                                "the registry's socket takes no connection at the moment; those that are there go on. Each needs a \
                                 descriptor: `ulimit -n` says how many this process may have"
                            );
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = look.tick() => if FileId::of(&path) != file {
                    match bind(&path).await {
                        Ok(again) => {
                            tracing::warn!(path = %path.display(), "the registry's socket was deleted; it is there again");
                            (listener, file, homeless) = (again, FileId::of(&path), false);
                        }
                        Err(error) if !std::mem::replace(&mut homeless, true) => {
                            tracing::warn!(path = %path.display(), %error, "the registry's socket was deleted and cannot be made again yet");
                        }
                        Err(_) => {}
                    }
                },
                Some(attached) = to_watch.recv() => {
                    tasks.spawn(Arc::clone(&self).expire(attached));
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Ends a session when nothing was heard of it for its timeout.
    async fn expire(self: Arc<Self>, attached: Arc<Attached>) {
        let mut state = attached.session.session();
        loop {
            let due = *attached.heard() + attached.timeout;
            tokio::select! {
                () = becomes(&mut state, |state| *state == Session::Lost) => break,
                () = sleep_until(due) => {}
            }
            let now = Instant::now();
            if now.duration_since(due) > attached.timeout / 4 {
                // This process was stopped: what the client sent meanwhile has not been read yet.
                *attached.heard() = now;
            } else if now >= *attached.heard() + attached.timeout {
                self.registry.expire(attached.session.terms().session);
            }
        }
        self.sessions().remove(&attached.session.terms().session);
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<i64, Arc<Attached>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn converse(
        &self,
        mut stream: UnixStream,
        watched: mpsc::UnboundedSender<Arc<Attached>>,
    ) -> Result<(), io::Error> {
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        let (number, hello) = timeout(PATIENCE, next(&mut stream, &mut input)).await??;
        let attached = match self.attach(hello, &watched) {
            Ok(attached) => attached,
            Err(error) => {
                put_frame(&mut out, number, &Answer::Error(error));
                return timeout(PATIENCE, stream.write_all(&out)).await?;
            }
        };
        let mut connection = 0;
        attached.connections.send_modify(|latest| {
            *latest += 1;
            connection = *latest;
        });
        let _turn = attached.turn.lock().await;
        put_frame(
            &mut out,
            number,
            &Answer::Welcome { terms: attached.session.terms(), secret: attached.secret },
        );
        let (watches, hints) = mpsc::unbounded_channel();
        let mut talk = Talk {
            session: Arc::clone(&attached.session),
            out,
            answers: FuturesUnordered::new(),
            watches,
            hints,
            over: false,
        };
        talk.run(stream, input, &attached, connection).await
    }

    /// Finds or makes the session that a hello asks for.
    fn attach(
        &self,
        hello: Request,
        watched: &mpsc::UnboundedSender<Arc<Attached>>,
    ) -> Result<Arc<Attached>, Error> {
        let Request::Hello { protocol, timeout, resume } = hello else {
            return Err(Error::Refused("the first message must be a hello".to_owned()));
        };
        if protocol != PROTOCOL {
            let why = format!(
                "the registry speaks protocol {PROTOCOL} and not {protocol}; use programs of one version"
            );
            return Err(Error::Refused(why));
        }
        if let Some((id, secret)) = resume {
            let known = self.sessions().get(&id).cloned().filter(|attached| attached.secret == secret);
            let attached = known.ok_or(Error::SessionLost)?;
            *attached.heard() = Instant::now();
            return Ok(attached);
        }
        let session = self.registry.connect(ConnectOptions { session_timeout: timeout })?;
        let attached = Arc::new(Attached {
            secret: secret(),
            timeout: Duration::from_millis(timeout.unsigned_abs()),
            heard: Mutex::new(Instant::now()),
            connections: watch::Sender::new(0),
            turn: tokio::sync::Mutex::new(()),
            session,
        });
        self.sessions().insert(attached.session.terms().session, Arc::clone(&attached));
        let _ = watched.send(Arc::clone(&attached));
        Ok(attached)
    }
}

/// A number that other sessions cannot guess.
fn secret() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    // Each state is keyed from the operating system's random numbers.
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    half() << 64 | half()
}

/// One connection of a session, after the welcome.
struct Talk {
    session: Arc<EmbeddedSession>,
    out: BytesMut,
    answers: FuturesUnordered<BoxFuture<'static, (u64, Answer)>>,
    /// Where the session's watches put their hints, each with its watch's number.
    watches: mpsc::UnboundedSender<(u64, Hint)>,
    hints: mpsc::UnboundedReceiver<(u64, Hint)>,
    /// Nothing more is read; what is in `out` is the last word.
    over: bool,
}

impl Talk {
    async fn run(
        &mut self,
        mut stream: UnixStream,
        mut input: BytesMut,
        attached: &Attached,
        connection: u64,
    ) -> Result<(), io::Error> {
        let (mut reader, mut writer) = stream.split();
        let mut newer = attached.connections.subscribe();
        let mut state = self.session.session();
        while !self.over {
            let room = self.answers.len() < PIPELINE && self.out.len() < BACKLOG;
            tokio::select! {
                () = becomes(&mut newer, |latest| *latest != connection) => return Ok(()),
                () = becomes(&mut state, |state| *state == Session::Lost) => {
                    self.settle().await;
                    put_frame(&mut self.out, 0, &Answer::Lost);
                    break;
                }
                read = reader.read_buf(&mut input), if room => {
                    if read? == 0 {
                        return Ok(());
                    }
                    *attached.heard() = Instant::now();
                    while !self.over && let Some((number, request)) = take_frame(&mut input, MAX_REQUEST).map_err(invalid)? {
                        self.handle(number, request).await;
                    }
                }
                written = writer.write_buf(&mut self.out), if !self.out.is_empty() => {
                    written?;
                }
                Some((number, answer)) = self.answers.next() => self.answer(number, &answer),
                Some((number, hint)) = self.hints.recv() => put_frame(&mut self.out, number, &Answer::Hint(hint)),
            }
        }
        timeout(PATIENCE, writer.write_all(&self.out)).await?
    }

    /// Puts an answer out behind the hints of all transactions before it.
    fn answer(&mut self, number: u64, answer: &Answer) {
        while let Ok((watch, hint)) = self.hints.try_recv() {
            put_frame(&mut self.out, watch, &Answer::Hint(hint));
        }
        put_frame(&mut self.out, number, answer);
    }

    /// Collects the answers that are still open when the session is over: what was done before is not left unknown.
    async fn settle(&mut self) {
        let open = async {
            while let Some((number, answer)) = self.answers.next().await {
                self.answer(number, &answer);
            }
        };
        // After that they are unknown to the client, which is true of an answer that takes so long.
        let _ = timeout(PATIENCE, open).await;
    }

    async fn handle(&mut self, number: u64, request: Request) {
        let session = Arc::clone(&self.session);
        let error = Answer::Error;
        match request {
            Request::Ping => put_frame(&mut self.out, number, &Answer::Done),
            Request::Commit(ops) => {
                // Takes its place in the order of transactions here, whenever its answer comes.
                let commit = session.commit(ops);
                self.answers
                    .push(Box::pin(async move { (number, commit.await.map_or_else(error, Answer::Commit)) }));
            }
            Request::Read(paths) => self.answers.push(Box::pin(async move {
                (number, session.read(&paths).await.map_or_else(error, Answer::Nodes))
            })),
            Request::Lists(paths) => self.answers.push(Box::pin(async move {
                (number, session.lists(&paths).await.map_or_else(error, Answer::Names))
            })),
            Request::Tree(path) => self.answers.push(Box::pin(async move {
                (number, session.tree(&path).await.map_or_else(error, Answer::Tree))
            })),
            Request::Watch(root) => {
                let hints = Outlet::Shared(number, self.watches.clone());
                let answer = session.watch_into(&root, hints).map_or_else(error, |()| Answer::Done);
                put_frame(&mut self.out, number, &answer);
            }
            Request::Unwatch(watch) => {
                session.unwatch(watch);
                put_frame(&mut self.out, number, &Answer::Done);
            }
            Request::Close => {
                let answer = session.close().await.map_or_else(error, |()| Answer::Done);
                self.settle().await;
                put_frame(&mut self.out, number, &answer);
                self.over = true;
            }
            Request::Hello { .. } => {
                put_frame(&mut self.out, number, &error(Error::Refused("hello was said already".to_owned())));
            }
        }
    }
}

/// Waits for a value, and holds no lock on it afterwards. A sender that is gone will never bring it.
async fn becomes<T>(value: &mut watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) {
    if value.wait_for(wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn next(stream: &mut UnixStream, input: &mut BytesMut) -> Result<(u64, Request), io::Error> {
    loop {
        if let Some(frame) = take_frame(input, MAX_REQUEST).map_err(invalid)? {
            return Ok(frame);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
