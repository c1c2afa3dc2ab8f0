//! The life of one session: one task that owns the connection, and finds another one when it breaks.
//!
//! # Protocol
//! The session is an id and a password that the servers gave us. It lives as long as some server hears from us at least
//! once per timeout *T*, over whatever connection, and it is over when a server says so, and only then: a client that
//! cannot reach the servers cannot know. (After a loss of quorum the new leader restarts all timeouts, so sessions survive
//! long outages.) Whoever must stop work in time has to time a lease of his own.
//!
//! | state | what happens |
//! |---|---|
//! | `Connected` | Requests are written in the order in which they were made and answered in that order. When nothing was written for T/6, a ping is. |
//! | `Suspended` | The connection broke, or nothing was heard for T/2. The servers are tried in random order, without a pause in the first round, then with pauses of 100 ms doubling up to 1 s. |
//! | `Lost` | A server said that the session has expired, or it was closed. Final. |
//!
//! **What became of a request** whose answer did not come is decided by the bytes: when none of it was handed to the
//! stream, or it was made while suspended, it surely did not happen; otherwise nobody can tell. Nothing is sent twice.
//! A server that sees a known session on a new connection refuses what still arrives over an old one.
//!
//! **Reads never go back in time**: the number of the last transaction seen is part of each handshake, and a server that
//! is behind refuses us. That passes when it catches up. It never passes when the servers came back without their data, or
//! with an older copy, or when others answer at their addresses. So after T/3 of refusals a server is asked without that
//! number: does it, once it has caught up with its leader, still know less than the session has seen, or does it serve and not
//! know the session at all? Then the session is over; that is said loudly, with the likely cause.
//!
//! **Watches** are of a connection, for us: they are asked for again on each new one, before anything else is. So ZooKeeper's
//! own re-registration, which can lose events (ZOOKEEPER-4698), is not needed.
//!
//! **Hints before answers.** A server tells a connection of events and answers in the order of its transactions. With
//! recursive watches this task passes both on in that order. With one-shot watches (`watching`) a hint may have to wait until
//! its watch is renewed; then the answer of a commit goes through the queues of those who watch, behind the events that
//! came before it, and whoever takes it out last sends it.

use crate::connection::{
    ConnectError, Connection, Identity, Standing, ask_standing, connect, end_session, next_frame,
};
use crate::options::{Checked, Server};
use crate::stream::Stream;
use crate::wire::{Malformed, Reader, Writer, code, op, set_xid, xid};
use bytes::{Buf, BytesMut};
use clockwright_registry::{Hint, Path, Session};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// When this much waits to be written, no further requests are taken until it is.
const OUTPUT_LIMIT: usize = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one try to connect may take, at least and at most.
const SHORTEST_TRY: Duration = Duration::from_millis(500);
const LONGEST_TRY: Duration = Duration::from_secs(3);
/// How long a session whose handle was dropped may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the task is asked for.
pub(crate) enum Command {
    Request {
        frame: Vec<u8>,
        reply: Reply,
        /// It is a commit: answered behind the hints of all transactions before it.
        commit: bool,
    },
    /// Sends hints of what happens at and below `root`. On servers without recursive watches the events go to `wakes` instead,
    /// and so does each new connection: what they say about `root` is for the receiver to find out and tell.
    Subscribe(Subscriber),
    /// Ends the session. Answered when the servers have confirmed it.
    Close { done: oneshot::Sender<()> },
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The last transaction that the server had applied. For a write this is the write's own.
    pub(crate) transaction: i64,
    pub(crate) code: i32,
    frame: BytesMut,
}

impl Answer {
    /// What follows the header.
    pub(crate) fn body(&self) -> Reader<'_> {
        Reader(&self.frame[HEADER..])
    }
}

const HEADER: usize = 16;

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Answer, Failure>>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It did not happen.
    NotSent(String),
    /// Nobody can tell.
    Unknown(String),
    /// It did not happen; the session is over.
    Lost,
}

/// One who watches.
pub(crate) struct Subscriber {
    pub(crate) root: Path,
    pub(crate) hints: mpsc::UnboundedSender<Hint>,
    pub(crate) wakes: mpsc::UnboundedSender<Wake>,
}

/// What those who watch with one-shot watches are told.
pub(crate) enum Wake {
    /// There is a new connection, without any watch.
    Connected,
    /// Something happened to a node: one of [`crate::wire::event`].
    Event(i32, Path),
    /// Everything before this came before that answer.
    Answered(Arc<Held>),
}

/// An answer that is sent when nobody holds it any more.
pub(crate) struct Held(Option<(Reply, Answer)>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((reply, answer)) = self.0.take() {
            let _ = reply.send(Ok(answer));
        }
    }
}

/// What the task and its users see of each other.
pub(crate) struct Shared {
    pub(crate) state: watch::Sender<Session>,
    pub(crate) session: i64,
    pub(crate) password: Mutex<Vec<u8>>,
    /// Negotiated, milliseconds; the next server may give another one.
    pub(crate) timeout: AtomicI64,
    /// Whether the present server has multi-reads and recursive watches.
    pub(crate) modern: AtomicBool,
}

/// Ends the session that `identity` names. Its owner may take it back before it is over, so this is tried until a server
/// says that it is.
pub(crate) async fn end(options: &Checked, identity: &Identity) -> Result<(), ConnectError> {
    let mut trouble = None;
    let attempts = async {
        loop {
            for server in shuffled(&options.servers) {
                match end_session(&server, identity, options, LONGEST_TRY).await {
                    Ok(()) | Err(ConnectError::Expired) => return,
                    Err(error) => trouble = Some(error),
                }
            }
            sleep(FIRST_PAUSE).await;
        }
    };
    match tokio::time::timeout(options.connect_timeout, attempts).await {
        Ok(()) => Ok(()),
        Err(_) => Err(trouble.unwrap_or(ConnectError::Timeout(options.connect_timeout))),
    }
}

/// Opens a session and starts its task.
pub(crate) async fn open(
    options: Checked,
    identity: Identity,
) -> Result<(mpsc::UnboundedSender<Command>, Arc<Shared>), ConnectError> {
    let limit = options.connect_timeout;
    let mut connector = Connector { options, identity, trouble: None, first: true };
    let connection = match tokio::time::timeout(limit, connector.establish()).await {
        Ok(result) => result?,
        Err(_) => return Err(connector.trouble.unwrap_or(ConnectError::Timeout(limit))),
    };
    connector.first = false;
    let (commands, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        state: watch::Sender::new(Session::Connected),
        session: connector.identity.session,
        password: Mutex::new(Vec::new()),
        timeout: AtomicI64::new(0),
        modern: AtomicBool::new(false),
    });
    let task = Task {
        connector,
        commands: receiver,
        shared: Arc::clone(&shared),
        subscribers: Vec::new(),
        closing: Closing::No,
        next_xid: 1,
    };
    task.note(&connection);
    tokio::spawn(task.run(connection));
    Ok((commands, shared))
}

/// Finds a server.
struct Connector {
    options: Checked,
    identity: Identity,
    /// What went wrong last.
    trouble: Option<ConnectError>,
    /// There never was a connection: what is wrong with the credentials is not worth another try.
    first: bool,
}

impl Connector {
    async fn establish(&mut self) -> Result<Connection, ConnectError> {
        let mut pause = FIRST_PAUSE;
        let doubt = Instant::now() + Duration::from_millis(self.identity.timeout.unsigned_abs().into()) / 3;
        loop {
            for server in shuffled(&self.options.servers) {
                match self.try_server(&server).await {
                    Ok(connection) => return Ok(connection),
                    Err(ConnectError::Expired) => return Err(ConnectError::Expired),
                    Err(error @ ConnectError::Denied(_)) if self.first => return Err(error),
                    Err(ConnectError::Refused)
                        if Instant::now() >= doubt && self.has_gone_back(&server).await =>
                    {
                        return Err(ConnectError::Expired);
                    }
                    Err(error) => {
                        tracing::debug!(%server, %error, "no connection to ZooKeeper");
                        self.trouble = Some(error);
                    }
                }
            }
            sleep(pause + Duration::from_millis(random() % 50)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Whether a server that refuses the session will never take it back, because it knows less than the session has seen.
    async fn has_gone_back(&mut self, server: &Server) -> bool {
        let (seen, session) = (self.identity.last_seen, format!("{:#x}", self.identity.session));
        let cause = "Probably the servers came back without their data or with an older copy of it (a backup), or other servers \
                     answer at this address now";
        match ask_standing(server, &self.identity, &self.options, LONGEST_TRY).await {
            Ok(Standing::Behind(last)) => tracing::error!(
                %server, session,
                "ZooKeeper has gone back: the session has seen transaction {seen:#x}, and the servers know none after {last:#x}. \
                 {cause}. The session is given up"
            ),
            // It may have refused for another reason, and the session may simply have expired since.
            Ok(Standing::Forgotten)
                if matches!(self.try_server(server).await, Err(ConnectError::Refused)) =>
            {
                tracing::error!(
                    %server, session,
                    "ZooKeeper refuses what the session has seen, transaction {seen:#x}, and does not know the session. {cause}. \
                     The session is over"
                );
            }
            Ok(Standing::Forgotten) => {}
            Ok(Standing::CaughtUp) => return false,
            Err(error) => {
                tracing::debug!(%server, %error, "it cannot be told what the server knows");
                return false;
            }
        }
        true
    }

    async fn try_server(&mut self, server: &Server) -> Result<Connection, ConnectError> {
        // Several servers must fit into what is left of the session after T/2 of silence.
        let tries = 2 * u32::try_from(self.options.servers.len()).unwrap_or(u32::MAX);
        let limit = Duration::from_millis(self.identity.timeout.unsigned_abs().into()) / tries;
        let limit = limit.clamp(SHORTEST_TRY, LONGEST_TRY);
        let Self { options, identity, .. } = self;
        let known = options.basic.then_some(false);
        match connect(server, identity, options, known, limit).await {
            Err(ConnectError::Old) => connect(server, identity, options, Some(false), limit).await,
            result => result,
        }
    }
}

enum Closing {
    No,
    /// The session is to be ended; whoever asked is told when it is. `None`: nobody waits.
    Asked(Option<oneshot::Sender<()>>),
}

struct Task {
    connector: Connector,
    commands: mpsc::UnboundedReceiver<Command>,
    shared: Arc<Shared>,
    subscribers: Vec<Subscriber>,
    closing: Closing,
    next_xid: i32,
}

/// Why a connection is over.
enum End {
    Broken(String),
    /// The session is over.
    Over,
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        End::Broken(error.to_string())
    }
}

impl From<Malformed> for End {
    fn from(error: Malformed) -> Self {
        End::Broken(error.to_string())
    }
}

impl Task {
    async fn run(mut self, mut connection: Connection) {
        let session = format!("{:#x}", self.shared.session);
        tracing::info!(session, timeout = self.connector.identity.timeout, "connected to ZooKeeper");
        while let End::Broken(why) = self.serve(connection).await {
            tracing::warn!(session, why, "the connection to ZooKeeper is broken; the session may still live");
            self.shared.state.send_replace(Session::Suspended);
            match self.reconnect(&why).await {
                Some(next) => connection = next,
                None => break,
            }
            tracing::info!(session, "connected to ZooKeeper again, in the same session");
        }
        tracing::info!(session, "the ZooKeeper session is over");
        self.shared.state.send_replace(Session::Lost);
        if let Closing::Asked(Some(done)) = self.closing {
            let _ = done.send(());
        }
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Request { reply, .. } => drop(reply.send(Err(Failure::Lost))),
                Command::Close { done } => drop(done.send(())),
                Command::Subscribe(_) => {}
            }
        }
    }

    /// Finds another connection; `None` when the session is over, or nobody needs it any more.
    async fn reconnect(&mut self, why: &str) -> Option<Connection> {
        let Self { connector, commands, subscribers, closing, .. } = self;
        let mut establish = Box::pin(connector.establish());
        let connection = loop {
            tokio::select! {
                result = &mut establish => break result.ok()?,
                command = commands.recv() => match command {
                    Some(Command::Request { reply, .. }) => {
                        let _ = reply.send(Err(Failure::NotSent(format!("no connection to ZooKeeper: {why}"))));
                    }
                    Some(Command::Subscribe(subscriber)) => subscribers.push(subscriber),
                    Some(Command::Close { done }) => *closing = Closing::Asked(Some(done)),
                    // Nobody is left; the session ends by its timeout.
                    None => return None,
                },
            }
        };
        drop(establish);
        self.note(&connection);
        self.shared.state.send_replace(Session::Connected);
        Some(connection)
    }

    fn note(&self, connection: &Connection) {
        let identity = &self.connector.identity;
        self.shared.timeout.store(identity.timeout.into(), Ordering::Relaxed);
        self.shared.modern.store(connection.modern, Ordering::Relaxed);
        self.shared.password.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&identity.password);
    }

    /// Uses a connection as long as it works.
    async fn serve(&mut self, mut connection: Connection) -> End {
        let mut line = Line::new(self.connector.identity.timeout, connection.input);
        self.watch_again(&mut line);
        if !matches!(self.closing, Closing::No) {
            line.push_close(self.take_xid());
        }
        let end = self.serve_line(&mut line, &mut *connection.stream).await.err().unwrap_or(End::Over);
        line.fail_pending(&end);
        end
    }

    /// Asks for the watches that this connection does not have yet.
    fn watch_again(&mut self, line: &mut Line) {
        self.subscribers.retain(|subscriber| !subscriber.hints.is_closed());
        if !self.shared.modern.load(Ordering::Relaxed) {
            self.subscribers.retain(|subscriber| subscriber.wakes.send(Wake::Connected).is_ok());
            return;
        }
        let mut roots: Vec<Path> =
            self.subscribers.iter().map(|subscriber| subscriber.root.clone()).collect();
        roots.sort_unstable();
        roots.dedup();
        for root in roots {
            line.push(crate::wire::add_recursive_watch(root.as_str()), self.take_xid(), Asked::Watch(root));
        }
    }

    async fn serve_line(&mut self, line: &mut Line, stream: &mut dyn Stream) -> Result<(), End> {
        let mut goodbye: Option<Instant> = None;
        loop {
            while let Some(frame) = next_frame(&mut line.input)? {
                self.receive(line, frame)?;
            }
            let open = matches!(self.closing, Closing::No);
            let timer = goodbye.unwrap_or(line.next_timer());
            // Reading comes first: after a pause of this process, what has arrived meanwhile counts before the clock.
            tokio::select! {
                biased;
                heard = poll_fn(|context| line.poll_heard(stream, context)) => heard?,
                command = self.commands.recv(), if open && line.output.len() < OUTPUT_LIMIT => {
                    if command.is_none() {
                        goodbye = Some(Instant::now() + GOODBYE);
                    }
                    self.accept(line, command);
                    // What else is waiting goes out in the same write.
                    while line.output.len() < OUTPUT_LIMIT && matches!(self.closing, Closing::No)
                        && let Ok(command) = self.commands.try_recv()
                    {
                        self.accept(line, Some(command));
                    }
                }
                () = sleep_until(timer) => match goodbye {
                    // What is still under way stays unclear.
                    Some(_) => return Err(End::Broken("nobody answered the goodbye".to_owned())),
                    None => line.tick()?,
                },
            }
        }
    }

    fn accept(&mut self, line: &mut Line, command: Option<Command>) {
        match command {
            Some(Command::Request { frame, reply, commit }) => {
                line.push(frame, self.take_xid(), Asked::Request { reply, commit });
            }
            Some(Command::Subscribe(subscriber)) => self.subscribers.push(subscriber),
            Some(Command::Close { done }) => {
                self.closing = Closing::Asked(Some(done));
                line.push_close(self.take_xid());
            }
            None => {
                self.closing = Closing::Asked(None);
                line.push_close(self.take_xid());
            }
        }
    }

    fn take_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        xid
    }

    fn receive(&mut self, line: &mut Line, frame: BytesMut) -> Result<(), End> {
        let mut reader = Reader(&frame);
        let (id, transaction, error) = (reader.int()?, reader.long()?, reader.int()?);
        match id {
            xid::PING | xid::AUTH => return Ok(()),
            xid::NOTIFICATION => {
                let (kind, _state, path) = (reader.int()?, reader.int()?, reader.text()?);
                if path.starts_with('/') {
                    self.publish(kind, path);
                }
                return Ok(());
            }
            _ => {}
        }
        let identity = &mut self.connector.identity;
        identity.last_seen = identity.last_seen.max(transaction);
        if error == code::SESSION_EXPIRED {
            return Err(End::Over);
        }
        let refused = match error {
            code::UNIMPLEMENTED => Some("the server is too old for this request"),
            code::SESSION_MOVED => Some("the session has moved to another connection"),
            _ => None,
        };
        // Answers come in the order of the requests, except that one which is not implemented overtakes.
        let Some(index) = line.pending.iter().position(|pending| pending.xid == id) else {
            return Err(End::Broken(format!("an answer to request {id}, which was not made")));
        };
        if index > 0 && refused.is_none() {
            return Err(End::Broken("answers are out of order".to_owned()));
        }
        let pending = line.pending.remove(index).expect("the index was found just now");
        match (pending.asked, refused) {
            (Asked::Close, None) => return Err(End::Over),
            (Asked::Request { reply, .. }, Some(why)) => {
                let _ = reply.send(Err(Failure::NotSent(why.to_owned())));
            }
            (Asked::Request { reply, commit }, None) => {
                let answer = Answer { transaction, code: error, frame };
                if commit && !self.shared.modern.load(Ordering::Relaxed) {
                    self.answer_behind_hints(reply, answer);
                } else {
                    let _ = reply.send(Ok(answer));
                }
            }
            (Asked::Watch(root), None) => self.watched_again(&root, error),
            (Asked::Close | Asked::Watch(_), Some(_)) => {}
        }
        refused.map_or(Ok(()), |why| Err(End::Broken(why.to_owned())))
    }

    fn answer_behind_hints(&mut self, reply: Reply, answer: Answer) {
        let held = Arc::new(Held(Some((reply, answer))));
        self.subscribers
            .retain(|subscriber| subscriber.wakes.send(Wake::Answered(Arc::clone(&held))).is_ok());
    }

    /// A recursive watch is back, or cannot be had. Nobody knows what happened meanwhile.
    fn watched_again(&mut self, root: &Path, error: i32) {
        if error != code::OK {
            let error = crate::read_error(error, root);
            tracing::warn!(%root, %error, "a watch cannot go on; hints become coarse");
        }
        self.subscribers
            .retain(|subscriber| subscriber.root != *root || subscriber.hints.send(Hint::Everything).is_ok());
    }

    fn publish(&mut self, kind: i32, path: &str) {
        let path = Path::from_wire(path);
        let modern = self.shared.modern.load(Ordering::Relaxed);
        self.subscribers.retain(|subscriber| {
            if path.below(&subscriber.root).is_none() {
                !subscriber.wakes.is_closed()
            } else if modern {
                subscriber.hints.send(Hint::Path(path.clone())).is_ok()
            } else {
                subscriber.wakes.send(Wake::Event(kind, path.clone())).is_ok()
            }
        });
    }
}

/// A request whose answer has not come.
struct Pending {
    xid: i32,
    /// Where it starts in all that was ever put into this connection's output.
    start: u64,
    asked: Asked,
}

/// What for.
enum Asked {
    Request {
        reply: Reply,
        commit: bool,
    },
    /// The recursive watch on a root, on a connection that does not have it yet.
    Watch(Path),
    /// The closing of the session.
    Close,
}

/// What is under way on one connection.
struct Line {
    input: BytesMut,
    output: BytesMut,
    /// Bytes handed to the stream so far.
    written: u64,
    /// Whether the stream holds back none of them.
    flushed: bool,
    pending: VecDeque<Pending>,
    /// When something was last put out, and last heard.
    spoke: Instant,
    heard: Instant,
    ping_after: Duration,
    dead_after: Duration,
}

impl Line {
    fn new(timeout: i32, input: BytesMut) -> Self {
        let timeout = Duration::from_millis(timeout.unsigned_abs().into());
        let now = Instant::now();
        Self {
            input,
            output: BytesMut::new(),
            written: 0,
            flushed: true,
            pending: VecDeque::new(),
            spoke: now,
            heard: now,
            ping_after: timeout / 6,
            dead_after: timeout / 2,
        }
    }

    fn push(&mut self, mut frame: Vec<u8>, id: i32, asked: Asked) {
        set_xid(&mut frame, id);
        self.pending.push_back(Pending { xid: id, start: self.written + self.output.len() as u64, asked });
        self.put(&frame);
    }

    fn push_close(&mut self, id: i32) {
        self.push(Writer::request(op::CLOSE_SESSION).finish(), id, Asked::Close);
    }

    fn put(&mut self, frame: &[u8]) {
        self.output.extend_from_slice(frame);
        self.spoke = Instant::now();
    }

    /// Hands over what the stream takes, until something has come.
    fn poll_heard(
        &mut self,
        mut stream: &mut dyn Stream,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        while !self.output.is_empty()
            && let Poll::Ready(count) = Pin::new(&mut stream).poll_write(context, &self.output)?
        {
            if count == 0 {
                return Poll::Ready(Err(End::Broken("the connection takes nothing more".to_owned())));
            }
            self.output.advance(count);
            self.written += count as u64;
            self.flushed = false;
        }
        // TLS may hold back what it took.
        if !self.flushed {
            self.flushed = Pin::new(&mut stream).poll_flush(context)?.is_ready();
        }
        let read = ready!(pin!(stream.read_buf(&mut self.input)).poll(context))?;
        if read == 0 {
            return Poll::Ready(Err(End::Broken("the server closed the connection".to_owned())));
        }
        self.heard = Instant::now();
        Poll::Ready(Ok(()))
    }

    fn next_timer(&self) -> Instant {
        (self.spoke + self.ping_after).min(self.heard + self.dead_after)
    }

    fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.heard + self.dead_after {
            return Err(End::Broken(format!("nothing heard for {} ms", self.dead_after.as_millis())));
        }
        if now >= self.spoke + self.ping_after {
            let mut ping = Writer::request(op::PING).finish();
            set_xid(&mut ping, xid::PING);
            self.put(&ping);
        }
        Ok(())
    }

    fn fail_pending(&mut self, end: &End) {
        for pending in self.pending.drain(..) {
            let Asked::Request { reply, .. } = pending.asked else { continue };
            let _ = reply.send(Err(match end {
                // Requests of a session are carried out in order: those after its end never are.
                End::Over => Failure::Lost,
                End::Broken(why) if pending.start >= self.written => Failure::NotSent(why.clone()),
                End::Broken(why) => Failure::Unknown(why.clone()),
            }));
        }
    }
}

fn shuffled(servers: &[Server]) -> Vec<Server> {
    let mut servers: Vec<(u64, Server)> = servers.iter().map(|server| (random(), server.clone())).collect();
    servers.sort_by_key(|(random, _)| *random);
    servers.into_iter().map(|(_, server)| server).collect()
}

/// Good enough for spreading clients over servers: each new hasher of the standard library has keys of its own.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
