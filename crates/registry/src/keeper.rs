//! A session that is there again after each end: the keeper.
//!
//! # Protocol
//! A session's end is final (law 8). Whoever wants to go on needs another one, and has to begin with it anew: write what is
//! bound to the session, watch, read everything. The [`Keeper`] is one task that does this in one order, one attempt at a time.
//!
//! | state | what happens |
//! |---|---|
//! | opening | The backend is asked for a session; its generation is found out (`generation`); the watches are set; [`Begin::begin`] does what the user needs. A failure at any of these closes the session and is followed by a pause, 100 ms at first and doubling up to 2 s, and by another attempt. |
//! | open | [`Told::Opened`] was told, and hints follow. The session has a number: how many were opened before it, and 1. |
//! | over | The backend says that the session is lost, or the user gave it up ([`Keeper::give_up`]), or it met another generation. [`Told::Lost`] is told at once. What is left of the session is closed, and the next one is opened. |
//! | stopped | [`Keeper::stop`]: nothing is opened any more, an attempt under way is dropped, and the session is closed. |
//!
//! Nothing of an attempt is told before all of it succeeded, and of a session that is over only hints that were on their way,
//! with its number. There are never two sessions of one keeper that write the same ephemeral nodes against each other.
//!
//! **While the registry is away** the user is told nothing: the session may live. The log says so at once, after 1, 5 and 30
//! minutes, then every hour, and when it is over. When the session is reached again its timeout may be another one: that is
//! told ([`Told::Timeout`]).

use crate::facade::{Facade, Meter};
use crate::generation::{Generation, Highest};
use crate::{Error, Hint, Path, Session, SharedRegistry};
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Opens a new session with the registry.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<SharedRegistry, Error>> + Send + Sync>;

/// Between attempts to open a session: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long a session that was given up may take to close before the next one is opened.
const FAREWELL: Duration = Duration::from_secs(2);
/// When it is said again that the registry is away, and how often after the last of them.
const REMINDERS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1_800)];
const LATER: Duration = Duration::from_secs(3_600);

/// What each session begins with.
#[async_trait]
pub trait Begin: Send + Sync + 'static {
    /// What the user wants to know of a session that was opened.
    type Ready: Send + 'static;
    /// Why a session cannot be used.
    type Error: From<Error> + std::fmt::Display + Send;

    /// Writes and reads what has to be there before the session is used. The watches are set already.
    ///
    /// # Errors
    /// The session is closed, and another one is tried.
    async fn begin(&self, registry: &SharedRegistry) -> Result<Self::Ready, Self::Error>;
}

/// What a keeper needs.
#[derive(Debug, Clone, Default)]
pub struct KeeperOptions {
    /// What is watched in each session.
    pub watches: Vec<Path>,
    /// The node that keeps transaction numbers growing when the registry loses what it had; see
    /// [`STEP`](crate::generation::STEP). `None`: numbers are the registry's own.
    pub generation: Option<Path>,
    /// The greatest number known: those of the sessions are above it, if there is a generation.
    pub highest: Highest,
    /// Counts what the sessions do.
    pub meter: Meter,
}

/// What a keeper tells.
pub enum Told<R> {
    /// A session is open.
    Opened(Opened<R>),
    /// A hint of a watch.
    Hint {
        /// The session's number.
        session: u64,
        /// What may have changed.
        hint: Hint,
    },
    /// The session is reached again, and has another timeout now.
    Timeout {
        /// The session's number.
        session: u64,
        /// Milliseconds.
        timeout: i64,
    },
    /// The session is over.
    Lost {
        /// The session's number.
        session: u64,
    },
}

/// A session that is ready to be used.
pub struct Opened<R> {
    /// The session.
    pub registry: SharedRegistry,
    /// Its number: 1 is the first.
    pub number: u64,
    /// What is added to the registry's transaction numbers; it grows each time that the registry lost what it had. See
    /// [`STEP`](crate::generation::STEP).
    pub generation: i64,
    /// What [`Begin::begin`] returned.
    pub ready: R,
}

/// Keeps a session open. Dropping it ends everything at once; the session then ends when nobody holds it any more.
pub struct Keeper {
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

enum Order {
    GiveUp(u64),
    Stop(oneshot::Sender<Result<(), Error>>),
}

impl Keeper {
    /// Opens the first session, and keeps one open from then on. `told` is called in the keeper's tasks and must not block.
    ///
    /// # Errors
    /// The first session could not be opened; nothing is kept then.
    pub async fn start<B: Begin>(
        connect: Connect,
        begin: B,
        options: KeeperOptions,
        told: impl Fn(Told<B::Ready>) + Send + Sync + 'static,
    ) -> Result<(Self, Opened<B::Ready>), B::Error> {
        let (orders, received) = mpsc::unbounded_channel();
        let mut work = Work { connect, begin, options, told: Arc::new(told), number: 0 };
        let (open, opened) = work.open().await?;
        let task = tokio::spawn(work.run(open, received));
        Ok((Self { orders, task }, opened))
    }

    /// Gives a session up, since nothing can be proved with it any more; another one follows. It does nothing to a session that is
    /// over already.
    pub fn give_up(&self, session: u64) {
        let _ = self.orders.send(Order::GiveUp(session));
    }

    /// Opens nothing more, and closes the session.
    ///
    /// # Errors
    /// The session was not closed within `limit`, or not for sure: it ends by its timeout.
    pub async fn stop(&self, limit: Duration) -> Result<(), Error> {
        let (done, stopped) = oneshot::channel();
        let _ = self.orders.send(Order::Stop(done));
        match timeout(limit, stopped).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(Error::Unknown(format!(
                "the session was not closed within {} ms; it ends by its timeout",
                limit.as_millis()
            ))),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The keeper's task.
struct Work<B: Begin> {
    connect: Connect,
    begin: B,
    options: KeeperOptions,
    told: Arc<dyn Fn(Told<B::Ready>) + Send + Sync>,
    /// Sessions opened so far.
    number: u64,
}

/// What the task holds of an open session.
struct Open {
    registry: SharedRegistry,
    hints: Vec<mpsc::UnboundedReceiver<Hint>>,
    generation: Option<Generation>,
}

/// Why a session is not used any more.
enum End {
    /// The backend says that it is over.
    Lost,
    /// It is to be closed.
    GivenUp,
    Stopped(oneshot::Sender<Result<(), Error>>),
    /// The keeper's handle is gone.
    Dropped,
}

impl<B: Begin> Work<B> {
    async fn run(mut self, mut open: Open, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            let session = self.number;
            let registry = Arc::clone(&open.registry);
            let end = self.stay(open, &mut orders).await;
            if let End::Stopped(done) = end {
                let _ = done.send(registry.close().await);
                return;
            }
            if matches!(end, End::Dropped) {
                return;
            }
            (self.told)(Told::Lost { session });
            if matches!(end, End::GivenUp) && !matches!(timeout(FAREWELL, registry.close()).await, Ok(Ok(())))
            {
                tracing::warn!(
                    "a registry session that was given up could not be closed; it ends by its timeout"
                );
            }
            drop(registry);
            open = match self.reopen(&mut orders).await {
                Some(open) => open,
                None => return,
            };
        }
    }

    /// Everything that a session needs before it can be used.
    async fn open(&mut self) -> Result<(Open, Opened<B::Ready>), B::Error> {
        let KeeperOptions { watches, generation, highest, meter } = &self.options;
        let raw = (self.connect)().await?;
        let prepared = async {
            let generation = match generation {
                Some(node) => Some(Generation::enter(&raw, node, highest).await?),
                None => None,
            };
            let facade = Facade::within(Arc::clone(&raw), meter.clone(), generation.clone(), highest.clone());
            let registry: SharedRegistry = Arc::new(facade);
            let mut hints = Vec::with_capacity(watches.len());
            for root in watches {
                hints.push(registry.watch(root).await?);
            }
            let ready = self.begin.begin(&registry).await?;
            Ok::<_, B::Error>((Open { registry, hints, generation }, ready))
        };
        match prepared.await {
            Ok((open, ready)) => {
                self.number += 1;
                let generation = open.generation.as_ref().map_or(0, Generation::base);
                let registry = Arc::clone(&open.registry);
                let opened = Opened { registry, number: self.number, generation, ready };
                Ok((open, opened))
            }
            Err(error) => {
                let _ = timeout(FAREWELL, raw.close()).await;
                Err(error)
            }
        }
    }

    /// Opens a session, trying again until it works; `None` when none is wanted any more.
    async fn reopen(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) -> Option<Open> {
        let mut pause = PAUSE.0;
        let mut away = Away::new();
        loop {
            let attempt = tokio::select! {
                attempt = self.open() => attempt,
                () = stopped(orders) => return None,
            };
            match attempt {
                Ok((open, opened)) => {
                    away.over("a registry session is open again");
                    (self.told)(Told::Opened(opened));
                    return Some(open);
                }
                Err(error) => away.tell("cannot open a registry session, trying on", &error),
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(orders) => return None,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Passes hints on until the session's end.
    async fn stay(&self, open: Open, orders: &mut mpsc::UnboundedReceiver<Order>) -> End {
        let Open { registry, hints, generation } = open;
        let session = self.number;
        // Ends with this function, and nothing is told after it.
        let mut forwarding = JoinSet::new();
        for hints in hints {
            forwarding.spawn(forward(hints, session, Arc::clone(&self.told)));
        }
        let mut state = registry.session();
        let mut known = registry.terms().timeout;
        let mut away: Option<Away> = None;
        loop {
            match *state.borrow_and_update() {
                Session::Lost => return End::Lost,
                Session::Suspended => {
                    let away = away.get_or_insert_with(Away::new);
                    away.tell("the registry cannot be reached, waiting for it", &"the connection broke");
                }
                Session::Connected => {
                    if let Some(mut away) = away.take() {
                        away.over("the registry is reached again, in the same session");
                    }
                    let timeout = registry.terms().timeout;
                    if std::mem::replace(&mut known, timeout) != timeout {
                        (self.told)(Told::Timeout { session, timeout });
                    }
                }
            }
            let reminder = away.as_ref().map(|away| away.next);
            tokio::select! {
                changed = state.changed() => if changed.is_err() {
                    return End::Lost;
                },
                order = orders.recv() => match order {
                    Some(Order::GiveUp(number)) if number == session => return End::GivenUp,
                    Some(Order::GiveUp(_)) => {}
                    Some(Order::Stop(done)) => return End::Stopped(done),
                    None => return End::Dropped,
                },
                () = other_generation(generation.as_ref()) => {
                    tracing::warn!("another process saw that the registry went back; this session is given up for a new one");
                    return End::GivenUp;
                }
                () = until(reminder) => {}
            }
        }
    }
}

async fn forward<R>(
    mut hints: mpsc::UnboundedReceiver<Hint>,
    session: u64,
    told: Arc<dyn Fn(Told<R>) + Send + Sync>,
) {
    while let Some(hint) = hints.recv().await {
        told(Told::Hint { session, hint });
    }
}

async fn other_generation(generation: Option<&Generation>) {
    match generation {
        Some(generation) => generation.ended().await,
        None => std::future::pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Waits until no session is wanted any more.
async fn stopped(orders: &mut mpsc::UnboundedReceiver<Order>) {
    loop {
        match orders.recv().await {
            // There is no session: what was given up is over, and there is nothing to close.
            Some(Order::GiveUp(_)) => {}
            Some(Order::Stop(done)) => {
                let _ = done.send(Ok(()));
                return;
            }
            None => return,
        }
    }
}

/// Says now and then that the registry is away.
struct Away {
    since: Instant,
    next: Instant,
    told: usize,
}

impl Away {
    fn new() -> Self {
        let now = Instant::now();
        Self { since: now, next: now, told: 0 }
    }

    fn tell(&mut self, what: &str, why: &dyn std::fmt::Display) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let seconds = now.duration_since(self.since).as_secs();
        tracing::warn!(seconds, "{what}: {why}");
        self.next = REMINDERS.get(self.told).map_or(now + LATER, |after| self.since + *after);
        self.told += 1;
    }

    fn over(&mut self, what: &str) {
        if self.told > 0 {
            tracing::info!(seconds = self.since.elapsed().as_secs(), "{what}");
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
