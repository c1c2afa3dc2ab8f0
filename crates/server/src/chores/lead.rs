//! Who leads. Of several control servers on one database one does the chores; the registry elects it, the database numbers its terms.
//!
//! # What there is
//! - **seat**: the ephemeral node `/clockwright-server/leader` in the registry `home`. Whoever made it has the seat for as long as its session
//!   lives.
//! - **home**: a UUID in `/clockwright-server/home`, made once. The database notes it at the first election: two servers with different
//!   registries cannot both lead one database.
//! - **term**: a number in one row of the database, which whoever takes the seat increases. Every transaction of a chore demands it; in a
//!   namespace it stands in `control`, whose version every write there demands.
//!
//! # How it goes
//! | state | does | goes on when |
//! |---|---|---|
//! | following | watches the seat, and looks at it every two seconds | it is empty |
//! | sitting | makes the seat's node | done: takes a term; it exists: follows; unclear: looks whose it is |
//! | taking | increases the term | done: leads; refused, away or unclear: rises |
//! | leading | does the chores; sets the seat's node every sixth of the session's timeout T | no such write was acknowledged for T/2 since it was sent, or a greater term was met: rises |
//! | rising | drops the chores, deletes the seat's node | follows a second later |
//!
//! What is done when is decided in [`decide::term`](crate::decide::term).
//!
//! # Failures
//! | what | effect |
//! |---|---|
//! | the leader dies | its session ends after T, the seat is gone, the next one has it a moment later |
//! | the leader stops in order | the seat is deleted, the next one has it at once |
//! | the leader stands still for longer than T and goes on | another one leads; the transactions of the old term touch no row, its commits in a namespace meet another version of `control` |
//! | the leader loses the registry | it stops at T/2; nobody can have the seat before T |
//! | the leader loses the database | its chores fail and are tried again: whoever took the seat could do no more |
//! | the answer of a write is lost | the seat is looked at; the write proves nothing |
//! | the registry loses all that it had, its id too | nobody leads until a person confirms a project of that registry: it may as well be the wrong one |
//! | somebody deletes the seat's node | the next write of the leader is refused, and it rises |

use super::{Term, Work, now};
use crate::app::App;
use crate::config::HOME;
use crate::decide::term::{Candidate, News, Seat, Step, Wrote};
use crate::fail::Point;
use crate::observe::Pulse;
use crate::sync::Failed;
use clockwright_model::Millis;
use clockwright_registry::{Conflict, Error, Hint, Node, Op, Path, Registry, Session, SharedRegistry};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long until it is tried again, when the registry or the database is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it waits at most before it looks around.
const TURN: Duration = Duration::from_secs(5);

/// A server's part in the election.
#[derive(Debug)]
pub struct Lead {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Lead {
    /// Takes part from now on.
    #[must_use]
    pub fn start(app: Arc<App>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(take_part(app, stopped)) }
    }

    /// Takes part no more; the seat is free for others when this returns, as far as the registry can be reached.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the election failed");
        }
    }
}

/// Whether the registry `home` lost its id, or another one has its name: nobody leads until a person has said that it is right.
///
/// # Errors
/// It is away, or the database is.
pub(crate) async fn is_lost(app: &App) -> Result<bool, Failed> {
    let registry = app.registries.session(HOME).await?;
    let home = home(registry.as_ref()).await?;
    Ok(!app.store.has_home(&home).await?)
}

/// A person has said that the registry `home` is right as it is: from now on it elects, whatever it lost.
///
/// # Errors
/// It is away, or the database is.
pub(crate) async fn confirm(app: &App) -> Result<(), Failed> {
    let registry = app.registries.session(HOME).await?;
    let home = home(registry.as_ref()).await?;
    Ok(app.store.set_home(&home).await?)
}

/// Session after session.
async fn take_part(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let pulse = app.pulses.begin("election");
    let mut told = false;
    while !*stop.borrow() {
        match pulse.during(Election::open(&app)).await {
            Ok(mut election) => {
                told = false;
                election.run(&mut stop, &pulse).await;
            }
            Err(why) if !told => {
                told = true;
                tracing::warn!(
                    why,
                    "this server does not take part in the election of the one that leads; it is tried on"
                );
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// The election, as long as one session with the registry lasts.
struct Election<'a> {
    app: &'a Arc<App>,
    registry: SharedRegistry,
    home: String,
    seat: Path,
    /// What the seat's node says while it is ours; each try to take it has a text of its own.
    words: String,
    candidate: Candidate,
    work: Option<Work>,
}

impl<'a> Election<'a> {
    async fn open(app: &'a Arc<App>) -> Result<Self, String> {
        let registry = app.registries.session(HOME).await.map_err(|error| error.to_string())?;
        let home = home(registry.as_ref()).await.map_err(|error| error.to_string())?;
        match app.store.has_home(&home).await {
            Ok(true) => {}
            Ok(false) => {
                return Err("the database is led from another registry than `home`; should `home` have lost what it had, \
                            confirm one of its projects"
                    .to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
        let seat = root().join("leader");
        let candidate = Candidate::default();
        Ok(Self { app, registry, home, seat, words: String::new(), candidate, work: None })
    }

    async fn run(&mut self, stop: &mut watch::Receiver<bool>, pulse: &Pulse) {
        let mut session = self.registry.session();
        let mut hints = self.registry.watch(&self.seat).await.ok();
        self.candidate.told(News::Opened { timeout: self.registry.terms().timeout }, now());
        while *session.borrow_and_update() != Session::Lost {
            pulse.beat();
            if *stop.borrow() {
                self.candidate.resign(now());
            }
            self.candidate.follow(self.registry.terms().timeout);
            let step = self.candidate.next(now());
            self.work().await;
            let news = match step {
                Step::Wait(_) if *stop.borrow() => break,
                Step::Wait(until) => {
                    tokio::select! {
                        () = at(until) => continue,
                        () = sleep(TURN) => continue,
                        _ = session.changed() => continue,
                        _ = stop.changed() => continue,
                        () = hint(&mut hints) => News::Hint,
                        () = over(self.work.as_ref()) => News::Superseded,
                    }
                }
                step => pulse.during(self.carry_out(step)).await,
            };
            self.reached(news);
            self.candidate.told(news, now());
        }
        self.candidate.told(News::Closed, now());
        self.work().await;
    }

    /// Begins and ends the chores as the candidate believes.
    async fn work(&mut self) {
        let term = self.candidate.term(now());
        if let Some(work) = self.work.take_if(|work| Some(work.term.number()) != term) {
            tracing::info!(term = work.term.number(), "this server leads no more");
            self.app.leads(0);
            work.end().await;
        }
        match (&self.work, term) {
            (Some(work), _) => work.term.extend(self.candidate.until()),
            (None, Some(number)) => {
                tracing::info!(term = number, "this server leads");
                self.work = Some(Work::begin(self.app, Term::new(number, self.candidate.until())));
                self.app.failpoints.reach(Point::LeadBegan);
            }
            (None, None) => {}
        }
    }

    /// Does one step; what is not answered in time is unclear.
    async fn carry_out(&mut self, step: Step) -> News {
        let sent = now();
        let limit = match self.candidate.until() {
            0 => self.registry.terms().timeout / 2,
            until => until - sent,
        };
        let limit = Duration::from_millis(limit.max(0).unsigned_abs());
        if step == Step::Sit {
            let nonce = uuid::Uuid::new_v4().to_string();
            let words =
                json!({ "server": self.app.id, "address": self.app.config.public_url, "nonce": nonce });
            self.words = words.to_string();
        }
        let words = self.words.clone();
        match step {
            Step::Wait(_) => News::Hint,
            Step::Look => News::Looked(timeout(limit, self.look()).await.ok().and_then(Result::ok)),
            Step::Sit => {
                let op = Op::create_ephemeral(self.seat.clone(), words);
                News::Sat { sent, wrote: self.write(op, limit).await }
            }
            Step::Take => {
                let taking = self.app.store.take_term(&self.home, &self.app.id, self.app.now());
                News::Took(timeout(limit, taking).await.ok().and_then(Result::ok).flatten())
            }
            Step::Prove(version) => {
                let op = Op::set_if(self.seat.clone(), words, version);
                News::Proved { sent, wrote: self.write(op, limit).await }
            }
            Step::Rise(version) => {
                let op = Op::Delete { path: self.seat.clone(), version: Some(version) };
                News::Rose(self.write(op, Duration::from_secs(1)).await)
            }
        }
    }

    /// Where a test may let the server die.
    fn reached(&self, news: News) {
        match news {
            News::Sat { wrote: Wrote::Done, .. } => self.app.failpoints.reach(Point::LeadSeated),
            News::Took(Some(_)) => self.app.failpoints.reach(Point::LeadTook),
            News::Proved { wrote: Wrote::Done, .. } => self.app.failpoints.reach(Point::LeadProved),
            _ => {}
        }
    }

    async fn look(&self) -> Result<Seat, Error> {
        let node = self.registry.read(std::slice::from_ref(&self.seat)).await?.pop().flatten();
        Ok(match node {
            None => Seat::Empty,
            Some(Node { data, stat }) if *data == *self.words.as_bytes() => Seat::Ours(stat.version),
            Some(_) => Seat::Others,
        })
    }

    async fn write(&self, op: Op, limit: Duration) -> Wrote {
        match timeout(limit, self.registry.commit(vec![op])).await {
            Ok(Ok(_)) => Wrote::Done,
            Ok(Err(Error::Conflict { .. })) => Wrote::Conflict,
            Err(_) | Ok(Err(Error::Unknown(_))) => Wrote::Unclear,
            Ok(Err(_)) => Wrote::Failed,
        }
    }
}

/// Waits until this instant; for ever without one.
async fn at(until: Option<Millis>) {
    match until {
        Some(until) => sleep(Duration::from_millis((until - now()).max(0).unsigned_abs())).await,
        None => std::future::pending().await,
    }
}

/// Waits for a hint; for ever when there is no watch.
async fn hint(hints: &mut Option<mpsc::UnboundedReceiver<Hint>>) {
    if let Some(receiver) = hints
        && receiver.recv().await.is_some()
    {
        return;
    }
    *hints = None;
    std::future::pending::<()>().await;
}

/// Waits until a chore met a greater term.
async fn over(work: Option<&Work>) {
    match work {
        Some(work) => work.term.belief.over.notified().await,
        None => std::future::pending().await,
    }
}

fn root() -> Path {
    Path::root().join("clockwright-server")
}

/// The UUID of the registry, which is made when it is missing.
async fn home(registry: &dyn Registry) -> Result<String, Error> {
    let path = root().join("home");
    let first = json!({ "id": uuid::Uuid::new_v4().to_string() });
    for op in [Op::create(root(), ""), Op::create(path.clone(), first.to_string())] {
        match registry.commit(vec![op]).await {
            Ok(_) | Err(Error::Conflict { conflict: Conflict::Exists, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let node = registry.read(&[path]).await?.pop().flatten();
    let json = node.and_then(|node| serde_json::from_slice::<Value>(&node.data).ok());
    let id = json.as_ref().and_then(|json| json["id"].as_str());
    id.map(str::to_owned).ok_or_else(|| Error::Refused("its node `home` says no id".to_owned()))
}
