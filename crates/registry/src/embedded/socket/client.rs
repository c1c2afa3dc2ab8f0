//! The side of the socket that uses a registry of another process.

use super::wire::{Answer, Request, put_frame, take_frame};
use super::{MAX_ANSWER, PROTOCOL};
use crate::embedded::{ConnectOptions, check_size};
use crate::{Access, CommitFuture, Error, Hint, Node, Op, Path, Registry, Session, Terms};
use async_trait::async_trait;
use bytes::BytesMut;
use std::collections::HashMap;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Paths of one read request.
const BATCH: usize = 1_000;
/// Between attempts to connect again, at most.
const PAUSE: Duration = Duration::from_millis(250);

/// A session on a registry that another process of this machine serves ([`crate::Embedded::serve`]). Dropping it ends the
/// session.
pub struct SocketSession {
    terms: Terms,
    state: watch::Receiver<Session>,
    calls: mpsc::UnboundedSender<Call>,
}

/// A request, and who waits for its answer.
struct Call {
    request: Request,
    /// Where the hints go, for a watch.
    hints: Option<mpsc::UnboundedSender<Hint>>,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

impl SocketSession {
    /// Opens a session through the socket at `path`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when nothing answers there; [`Error::Refused`] for a timeout out
    /// of range, or another version of the protocol.
    pub async fn connect(path: &FilePath, options: ConnectOptions) -> Result<Arc<Self>, Error> {
        let timeout = Duration::from_millis(options.check()?.session_timeout.unsigned_abs());
        let hello = Request::Hello { protocol: PROTOCOL, timeout: options.session_timeout, resume: None };
        let start = Instant::now();
        let greeting = timeout_at(start + timeout, greet(path, hello)).await;
        let unavailable = |why: &dyn std::fmt::Display| {
            Error::Unavailable(format!(
                "no registry answers at {}: {why}; is its process running?",
                path.display()
            ))
        };
        let greeting = match greeting {
            Ok(Ok(greeting)) => greeting?,
            Ok(Err(error)) => return Err(unavailable(&error)),
            Err(_) => return Err(unavailable(&"it took too long")),
        };
        let (state, receiver) = watch::channel(Session::Connected);
        let (calls, incoming) = mpsc::unbounded_channel();
        let terms = greeting.terms;
        let link = Link {
            path: path.to_owned(),
            session: terms.session,
            secret: greeting.secret,
            timeout,
            state,
            calls: incoming,
            next: 1,
            alive: start,
            pinged: None,
            pending: HashMap::new(),
            watches: HashMap::new(),
        };
        tokio::spawn(link.run(greeting.stream));
        Ok(Arc::new(Self { terms, state: receiver, calls }))
    }

    /// Sends a request now; the future is for its answer.
    fn call(
        &self,
        request: Request,
        hints: Option<mpsc::UnboundedSender<Hint>>,
    ) -> impl Future<Output = Result<Answer, Error>> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        // When the link is gone the call is dropped unsent, and so is its sender.
        let _ = self.calls.send(Call { request, hints, answer: sender });
        async move { receiver.await.unwrap_or(Err(Error::SessionLost)) }
    }
}

fn unexpected(answer: &Answer) -> Error {
    Error::Unknown(format!("the registry's socket gave an answer of another kind: {answer:?}"))
}

#[async_trait]
impl Registry for SocketSession {
    async fn read(&self, paths: &[Path]) -> Result<Vec<Option<Node>>, Error> {
        let calls: Vec<_> =
            paths.chunks(BATCH).map(|batch| self.call(Request::Read(batch.to_vec()), None)).collect();
        let mut nodes = Vec::with_capacity(paths.len());
        for call in calls {
            match call.await? {
                Answer::Nodes(batch) => nodes.extend(batch),
                other => return Err(unexpected(&other)),
            }
        }
        Ok(nodes)
    }

    async fn lists(&self, paths: &[Path]) -> Result<Vec<Vec<String>>, Error> {
        let calls: Vec<_> =
            paths.chunks(BATCH).map(|batch| self.call(Request::Lists(batch.to_vec()), None)).collect();
        let mut lists = Vec::with_capacity(paths.len());
        for call in calls {
            match call.await? {
                Answer::Names(batch) => lists.extend(batch),
                other => return Err(unexpected(&other)),
            }
        }
        Ok(lists)
    }

    /// Who may open the socket may do everything.
    async fn access(&self, paths: &[Path]) -> Result<Vec<Access>, Error> {
        let nodes = self.read(paths).await?;
        Ok(nodes.iter().map(|node| if node.is_some() { Access::Open } else { Access::Missing }).collect())
    }

    async fn tree(&self, path: &Path) -> Result<Vec<(Path, Node)>, Error> {
        match self.call(Request::Tree(path.clone()), None).await? {
            Answer::Tree(nodes) => Ok(nodes),
            other => Err(unexpected(&other)),
        }
    }

    fn commit(&self, ops: Vec<Op>) -> CommitFuture {
        if let Err(error) = check_size(&ops) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let call = self.call(Request::Commit(ops), None);
        Box::pin(async move {
            match call.await? {
                Answer::Commit(commit) => Ok(commit),
                other => Err(unexpected(&other)),
            }
        })
    }

    async fn watch(&self, root: &Path) -> Result<mpsc::UnboundedReceiver<Hint>, Error> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.call(Request::Watch(root.clone()), Some(sender)).await?;
        Ok(receiver)
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.state.clone()
    }

    fn terms(&self) -> Terms {
        self.terms
    }

    async fn close(&self) -> Result<(), Error> {
        self.call(Request::Close, None).await.map(|_| ())
    }
}

struct Greeting {
    stream: UnixStream,
    terms: Terms,
    secret: u128,
}

/// Connects and says hello. The outer error is one of the connection, the inner one the server's word.
async fn greet(path: &FilePath, hello: Request) -> Result<Result<Greeting, Error>, io::Error> {
    let mut stream = UnixStream::connect(path).await?;
    let mut out = BytesMut::new();
    put_frame(&mut out, 0, &hello);
    stream.write_all(&out).await?;
    let mut input = BytesMut::new();
    loop {
        match take_frame(&mut input, MAX_ANSWER)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
        {
            // The server says nothing more before the next request, so no byte of the input is lost here.
            Some((_, Answer::Welcome { terms, secret })) => {
                return Ok(Ok(Greeting { stream, terms, secret }));
            }
            Some((_, Answer::Error(error))) => return Ok(Err(error)),
            Some(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server did not answer the hello",
                ));
            }
            None if stream.read_buf(&mut input).await? == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            None => {}
        }
    }
}

/// A request that was written, at least in part.
struct Pending {
    kind: Kind,
    answer: Option<oneshot::Sender<Result<Answer, Error>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commit,
    Close,
    /// A watch that was asked for again: everything may have changed.
    Rewatch,
    Other,
}

/// How a connection ended.
enum End {
    /// It broke; the session may live.
    Broken,
    /// The session is over.
    Over,
}

/// The task that holds the session.
struct Link {
    path: PathBuf,
    session: i64,
    secret: u128,
    timeout: Duration,
    state: watch::Sender<Session>,
    calls: mpsc::UnboundedReceiver<Call>,
    next: u64,
    /// When the last ping that was answered was sent: the server's clock for this session started no earlier.
    alive: Instant,
    /// The ping on its way, and when it was sent.
    pinged: Option<(u64, Instant)>,
    pending: HashMap<u64, Pending>,
    watches: HashMap<u64, (Path, mpsc::UnboundedSender<Hint>)>,
}

impl Link {
    async fn run(mut self, mut stream: UnixStream) {
        loop {
            let end = self.talk(&mut stream).await;
            drop(stream);
            let over = matches!(end, End::Over);
            self.state.send_replace(if over { Session::Lost } else { Session::Suspended });
            self.fail_pending();
            if over {
                return;
            }
            let Some(again) = self.reconnect().await else {
                self.state.send_replace(Session::Lost);
                return;
            };
            stream = again;
            self.state.send_replace(Session::Connected);
        }
    }

    /// Carries requests and answers until the connection breaks or the session ends.
    async fn talk(&mut self, stream: &mut UnixStream) -> End {
        let (mut reader, mut writer) = stream.split();
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        for (number, (root, _)) in &self.watches {
            self.pending.insert(*number, Pending { kind: Kind::Rewatch, answer: None });
            put_frame(&mut out, *number, &Request::Watch(root.clone()));
        }
        self.pinged = None;
        loop {
            let ping_due = self.alive + self.timeout / 3;
            tokio::select! {
                call = self.calls.recv() => match call {
                    Some(call) => self.send(call, &mut out),
                    None => {
                        // Nobody holds the session any more.
                        put_frame(&mut out, self.next, &Request::Close);
                        let _ = timeout_at(self.alive + self.timeout, writer.write_all(&out)).await;
                        return End::Over;
                    }
                },
                read = reader.read_buf(&mut input) => {
                    if !read.is_ok_and(|bytes| bytes > 0) {
                        return End::Broken;
                    }
                    loop {
                        match take_frame(&mut input, MAX_ANSWER) {
                            Ok(Some((number, answer))) => if let Some(end) = self.receive(number, answer, &mut out) {
                                return end;
                            },
                            Ok(None) => break,
                            Err(error) => {
                                tracing::warn!(path = %self.path.display(), %error, "the connection to the registry is given up");
                                return End::Broken;
                            }
                        }
                    }
                }
                written = writer.write_buf(&mut out), if !out.is_empty() => if written.is_err() {
                    return End::Broken;
                },
                () = sleep_until(ping_due), if self.pinged.is_none() => {
                    put_frame(&mut out, self.next, &Request::Ping);
                    self.pinged = Some((self.next, Instant::now()));
                    self.next += 1;
                }
                () = sleep_until(self.alive + self.timeout * 2 / 3), if self.pinged.is_some() => return End::Broken,
            }
        }
    }

    fn send(&mut self, call: Call, out: &mut BytesMut) {
        let number = self.next;
        self.next += 1;
        let kind = match call.request {
            Request::Commit(_) => Kind::Commit,
            Request::Close => Kind::Close,
            _ => Kind::Other,
        };
        put_frame(out, number, &call.request);
        if let (Request::Watch(root), Some(hints)) = (call.request, call.hints) {
            self.watches.insert(number, (root, hints));
        }
        self.pending.insert(number, Pending { kind, answer: Some(call.answer) });
    }

    fn receive(&mut self, number: u64, answer: Answer, out: &mut BytesMut) -> Option<End> {
        match answer {
            Answer::Lost => return Some(End::Over),
            Answer::Hint(hint) => self.hint(number, hint, out),
            answer => {
                if let Some((_, sent)) = self.pinged.take_if(|(ping, _)| *ping == number) {
                    self.alive = sent;
                    return None;
                }
                let pending = self.pending.remove(&number)?;
                let answer = match answer {
                    Answer::Error(error) => Err(error),
                    answer => Ok(answer),
                };
                match (pending.kind, &answer) {
                    (Kind::Rewatch, Ok(_)) => self.hint(number, Hint::Everything, out),
                    (_, Err(_)) => {
                        self.watches.remove(&number);
                    }
                    _ => {}
                }
                if pending.kind == Kind::Close {
                    // Whoever is told that it is closed finds it so.
                    self.state.send_replace(Session::Lost);
                }
                if let Some(sender) = pending.answer {
                    let _ = sender.send(answer);
                }
                if pending.kind == Kind::Close {
                    return Some(End::Over);
                }
            }
        }
        None
    }

    /// Passes a hint on; when nobody wants it any more, tells the server.
    fn hint(&mut self, watch: u64, hint: Hint, out: &mut BytesMut) {
        let Some((_, hints)) = self.watches.get(&watch) else { return };
        if hints.send(hint).is_err() {
            self.watches.remove(&watch);
            put_frame(out, self.next, &Request::Unwatch(watch));
            self.next += 1;
        }
    }

    fn fail_pending(&mut self) {
        for (number, pending) in self.pending.drain() {
            let why = "the connection to the registry broke".to_owned();
            let error =
                if pending.kind == Kind::Commit { Error::Unknown(why) } else { Error::Unavailable(why) };
            if let Some(sender) = pending.answer {
                // Its caller hears that there is no watch, so there must be none after a reconnect either.
                self.watches.remove(&number);
                let _ = sender.send(Err(error));
            }
        }
    }

    /// Tries to connect again until the session is over; meanwhile every request is unavailable.
    async fn reconnect(&mut self) -> Option<UnixStream> {
        let end = self.alive + self.timeout;
        let mut pause = Duration::from_millis(5);
        loop {
            let hello =
                Request::Hello { protocol: PROTOCOL, timeout: 0, resume: Some((self.session, self.secret)) };
            let start = Instant::now();
            let path = self.path.clone();
            let attempt = timeout_at(end, greet(&path, hello));
            match self.meanwhile(attempt).await? {
                Ok(Ok(Ok(greeting))) => {
                    self.alive = start;
                    return Some(greeting.stream);
                }
                Ok(Ok(Err(Error::SessionLost))) => return None,
                Ok(Ok(Err(error))) => {
                    tracing::debug!(path = %self.path.display(), %error, "the registry does not take the session back yet");
                }
                Ok(Err(error)) => {
                    tracing::debug!(path = %self.path.display(), %error, "the registry does not answer");
                }
                Err(_) => return None,
            }
            self.meanwhile(sleep_until((Instant::now() + pause).min(end))).await?;
            if Instant::now() >= end {
                return None;
            }
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// Answers requests while there is no connection. `None` when the session is not wanted any more.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                call = self.calls.recv() => {
                    let call = call?;
                    let closing = call.request == Request::Close;
                    if closing {
                        self.state.send_replace(Session::Lost);
                    }
                    let _ = call.answer.send(Err(Error::Unavailable("there is no connection to the registry now".to_owned())));
                    if closing {
                        return None;
                    }
                }
            }
        }
    }
}
