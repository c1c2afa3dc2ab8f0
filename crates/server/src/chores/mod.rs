//! Chores: what one control server does for all.
//!
//! [`lead`] elects the one and gives it a [`Term`]; for as long as that lasts every row of [`ALL`] is at work. A chore writes only within its
//! term: [`Term::begin`] for what the journal tells, and the term's number in a namespace's `control` node for what it does to a registry. When the
//! term is over the chore is dropped where it stands, so each of its steps is safe to repeat.

mod expiry;
pub mod lead;

use crate::alerts;
use crate::app::App;
use crate::decide::chain::Actor;
use crate::observe::names::{CHORE_FAILURES, CHORE_SECONDS};
use crate::ops;
use crate::store::{Change, StoreError};
use crate::sync;
use clockwright_model::Millis;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// All chores.
pub const ALL: &[Chore] = &[
    Chore {
        name: "sync",
        pause: Duration::from_secs(1),
        turn: |app, term| Box::pin(sync::notice::watch(app, term)),
    },
    Chore {
        name: "operations",
        pause: ops::resume::EVERY,
        turn: |app, _| Box::pin(async move { Ok(ops::resume::of_the_dead(&app).await?) }),
    },
    Chore {
        name: "alerts",
        pause: Duration::from_secs(5),
        turn: |app, term| Box::pin(alerts::watch(app, term)),
    },
    Chore {
        name: "deliveries",
        pause: Duration::from_secs(1),
        turn: |app, term| Box::pin(async move { alerts::send::turn(&app, &term).await }),
    },
    Chore {
        name: "expiry",
        pause: Duration::from_secs(600),
        turn: |app, term| Box::pin(async move { expiry::turn(&app, &term).await }),
    },
];

/// What came of a turn. An error is told in the log; the next turn comes all the same.
pub type Turn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Something that is to be done once, however many servers there are.
pub struct Chore {
    /// What it is called.
    pub name: &'static str,
    /// How long between the end of a turn and the next one.
    pub pause: Duration,
    /// One turn. It may last as long as the term.
    pub turn: fn(Arc<App>, Term) -> BoxFuture<'static, Turn>,
}

/// The right to do chores, for as long as it lasts.
#[derive(Debug, Clone)]
pub struct Term {
    number: i64,
    belief: Arc<Belief>,
}

#[derive(Debug)]
struct Belief {
    /// By [`now`].
    until: AtomicI64,
    is_over: AtomicBool,
    over: Notify,
}

impl Term {
    /// The term of this number, believed until this instant by [`now`].
    #[must_use]
    pub fn new(number: i64, until: Millis) -> Self {
        let belief = Belief { until: until.into(), is_over: false.into(), over: Notify::new() };
        Self { number, belief: Arc::new(belief) }
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }

    /// False once another server may lead. What was begun before meets a fence in the database and in each namespace.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.belief.is_over.load(Ordering::Acquire) && now() < self.belief.until.load(Ordering::Acquire)
    }

    /// A greater term was met.
    pub fn end(&self) {
        self.belief.is_over.store(true, Ordering::Release);
        self.belief.over.notify_one();
    }

    fn extend(&self, until: Millis) {
        self.belief.until.store(until, Ordering::Release);
    }

    /// Begins a change within the term.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn begin(&self, app: &App, actor: Actor) -> Result<Change, StoreError> {
        self.check(async { app.store.begin_in(self.number, actor, app.now()).await }).await
    }

    /// Does something in the database that demands this term; when it is refused, the term is over.
    pub(crate) async fn check<T>(
        &self,
        what: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if !self.holds() {
            return Err(StoreError::TermOver);
        }
        let done = what.await;
        if matches!(done, Err(StoreError::TermOver)) {
            self.end();
        }
        done
    }
}

/// Begins a change, within a term if there is one.
///
/// # Errors
/// [`StoreError::TermOver`]; the database is away.
pub(crate) async fn begin(app: &App, term: Option<&Term>, actor: Actor) -> Result<Change, StoreError> {
    match term {
        Some(term) => term.begin(app, actor).await,
        None => app.store.begin(actor, app.now()).await,
    }
}

/// Milliseconds of a clock that never goes back and counts the time that the machine was suspended.
#[must_use]
pub fn now() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

/// The chores of one term, at work.
struct Work {
    term: Term,
    tasks: JoinSet<()>,
}

impl Work {
    fn begin(app: &Arc<App>, term: Term) -> Self {
        app.leads(term.number());
        let mut tasks = JoinSet::new();
        for chore in ALL {
            tasks.spawn(keep(chore, Arc::clone(app), term.clone()));
        }
        Self { term, tasks }
    }

    async fn end(mut self) {
        self.term.end();
        self.tasks.shutdown().await;
    }
}

/// Turn after turn. A chore that fails or panics takes no other one with it.
async fn keep(chore: &'static Chore, app: Arc<App>, term: Term) {
    while term.holds() {
        let began = std::time::Instant::now();
        let turn = AssertUnwindSafe((chore.turn)(Arc::clone(&app), term.clone())).catch_unwind().await;
        app.metrics.took(&CHORE_SECONDS, &[chore.name], began.elapsed());
        if !matches!(turn, Ok(Ok(()))) {
            app.metrics.count(&CHORE_FAILURES, &[chore.name]);
        }
        match turn {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(chore = chore.name, %error, "a chore was not finished; it is tried again");
            }
            Err(_) => tracing::error!(chore = chore.name, "a chore panicked; it is tried again"),
        }
        tokio::time::sleep(chore.pause).await;
    }
}
