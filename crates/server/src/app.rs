//! What all requests share.

use crate::alerts::send::Post;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::decide::chain::Actor;
use crate::fail::{Failpoints, Point};
use crate::histories::Histories;
use crate::http::answer::{Answer, Kept, Rendered};
use crate::http::grant::{Asker, Key};
use crate::http::limit::Limits;
use crate::http::openapi::Operation;
use crate::http::refusal::{Answered, Refusal};
use crate::http::v1::lists::Lists;
use crate::http::v1::upcoming::Upcoming;
use crate::identity::Identity;
use crate::identity::oidc::Provider;
use crate::identity::password::Hashing;
use crate::listen::tls::Tls;
use crate::mirror::Mirrors;
use crate::observe::counts::Counted;
use crate::observe::names::RATE_LIMITED;
use crate::observe::{Metrics, Pulse, Pulses};
use crate::ops::Desk;
use crate::outcomes::Outcomes;
use crate::registries::Registries;
use crate::room::{Place, Room};
use crate::sealing::Vault;
use crate::store::{Change, Store, StoreError};
use clockwright_api::{Code, Problem};
use clockwright_model::Millis;
use http::HeaderMap;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

/// How many streams are open at most, …
const STREAMS: usize = 500;
/// … and how many of one person or program.
const STREAMS_EACH: usize = 10;
/// How many applies and bulk operations of one person or program go on at once.
const LARGE_EACH: usize = 2;
/// How often the journal is looked at for what others did.
const FOLLOW: Duration = Duration::from_millis(500);
/// How long the database may take for that.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(20);
/// How long an answer waits for the catalogue to have what it says.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What the time is, milliseconds since the epoch. Tests have their own.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// What all requests share.
pub struct App {
    /// The server's id, new at each start.
    pub id: String,
    /// The database.
    pub store: Store,
    /// What lists and rights need, in memory.
    pub catalogue: Catalogue,
    /// The live state of all jobs, in memory.
    pub mirrors: Mirrors,
    /// How jobs last ended, in memory.
    pub outcomes: Outcomes,
    /// Orders of lists.
    pub lists: Lists,
    /// How much comes.
    pub upcoming: Upcoming,
    /// The event stores that projects may have their history in.
    pub histories: Histories,
    /// Who comes in.
    pub identity: Identity,
    /// The registries that projects may be in.
    pub registries: Registries,
    /// What operators do.
    pub ops: Desk,
    /// Where tests let it die.
    pub failpoints: Failpoints,
    /// The room for passwords.
    pub hashing: Hashing,
    /// What is known of the identity provider.
    pub provider: Provider,
    /// How often who may ask.
    pub limits: Limits,
    /// The keys that secrets are sealed with.
    pub vault: Vault,
    /// What sends messages.
    pub post: Post,
    /// How it is set up.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Metrics,
    /// What only the database can count.
    pub counted: Counted,
    /// Loops that turn.
    pub pulses: Pulses,
    /// When the journal was last followed to its end.
    followed: Mutex<Instant>,
    database_away: AtomicBool,
    /// The term in which this server leads; 0 for none.
    term: AtomicI64,
    /// What it speaks TLS with, if it does.
    tls: OnceLock<Arc<Tls>>,
    clock: Clock,
    changed: Arc<Notify>,
    room: Semaphore,
    /// Failed sign-ins that were recorded, and when.
    told: Mutex<HashMap<(String, String), Millis>>,
    /// Streams that are open, by whose they are.
    streams: Room<String>,
    /// Applies and bulk operations that go on, by whose they are.
    large: Room<String>,
    leaving: watch::Sender<bool>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The room of one stream, or of one apply or bulk operation.
pub type Slot = Place<String>;

impl App {
    /// On an open store, with everything loaded.
    ///
    /// # Errors
    /// The database is away.
    pub async fn new(
        store: Store,
        vault: Vault,
        config: Config,
        registries: Registries,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        let metrics = Metrics::default();
        let store = store.measured(metrics.clone());
        let catalogue = Catalogue::default();
        catalogue.load(&store).await?;
        let changed = Arc::new(Notify::new());
        let app = Arc::new(Self {
            id: uuid::Uuid::now_v7().to_string(),
            changed: Arc::clone(&changed),
            store,
            vault,
            catalogue,
            mirrors: Mirrors::default(),
            outcomes: Outcomes::default(),
            lists: Lists::default(),
            upcoming: Upcoming::default(),
            identity: Identity::default(),
            registries,
            histories: Histories::of_config(&config),
            ops: Desk::default(),
            failpoints: Failpoints::default(),
            hashing: Hashing::default(),
            room: Semaphore::new(config.requests),
            post: Post::of_config(&config),
            config: Arc::new(config),
            metrics: metrics.clone(),
            counted: Counted::default(),
            pulses: Pulses::default(),
            followed: Mutex::new(Instant::now()),
            database_away: AtomicBool::new(false),
            term: AtomicI64::new(0),
            tls: OnceLock::new(),
            clock,
            provider: Provider::default(),
            limits: Limits::new(metrics),
            told: Mutex::default(),
            streams: Room::default(),
            large: Room::default(),
            leaving: watch::Sender::new(false),
        });
        tokio::spawn(follow(Arc::downgrade(&app), app.pulses.begin("catalogue"), changed));
        Ok(app)
    }

    /// What the time is.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.clock)()
    }

    /// What the time is asked of.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// It speaks TLS with this from now on.
    pub fn serves_with(&self, tls: Arc<Tls>) {
        // There is one for as long as it lives.
        let _ = self.tls.set(tls);
    }

    /// When its certificate ends, if it speaks TLS itself.
    #[must_use]
    pub fn certificate_ends(&self) -> Option<Millis> {
        self.tls.get().map(|tls| tls.ends())
    }

    /// Room for one more request.
    #[must_use]
    pub fn room(&self) -> Option<SemaphorePermit<'_>> {
        self.room.try_acquire().ok()
    }

    /// The secret of the session's cookie.
    #[must_use]
    pub fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        self.cookie_of(headers, self.config.cookie_name())
    }

    /// What a cookie of this name holds.
    #[must_use]
    pub fn cookie_of(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let all = headers.get_all(http::header::COOKIE);
        let mut pairs = all.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    /// Room for one more stream of somebody, until it is dropped.
    ///
    /// # Errors
    /// `too-many-streams`.
    pub fn stream_slot(&self, who: &str) -> Answered<Slot> {
        self.streams.enter(who.to_owned(), STREAMS, STREAMS_EACH).map_err(|theirs| {
            self.metrics.count(&RATE_LIMITED, &["streams"]);
            let detail =
                format!("{theirs} of your streams are open, and {STREAMS_EACH} may be; {STREAMS} in all");
            Problem::new(Code::TooManyStreams, detail).retry(5).into()
        })
    }

    /// Room for one more apply or bulk operation of somebody, until it is dropped.
    ///
    /// # Errors
    /// `rate-limited`.
    pub fn large_slot(&self, who: &str) -> Answered<Slot> {
        self.large.enter(who.to_owned(), usize::MAX, LARGE_EACH).map_err(|theirs| {
            self.metrics.count(&RATE_LIMITED, &["large"]);
            let detail = format!(
                "{theirs} applies or bulk operations of yours are under way, and {LARGE_EACH} may be at once"
            );
            Problem::new(Code::RateLimited, detail).retry(1).into()
        })
    }

    /// How many streams are open.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.taken()
    }

    /// How long ago the journal was last followed to its end.
    #[must_use]
    pub fn followed(&self) -> Duration {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// True while the database does not answer.
    #[must_use]
    pub fn database_away(&self) -> bool {
        self.database_away.load(Ordering::Relaxed)
    }

    /// The term in which this server leads; 0 while it does not.
    #[must_use]
    pub fn term(&self) -> i64 {
        self.term.load(Ordering::Relaxed)
    }

    /// This server leads in this term from now on; 0 for no more.
    pub(crate) fn leads(&self, term: i64) {
        self.term.store(term, Ordering::Relaxed);
    }

    /// Turns true when the server leaves: what goes on is to end.
    #[must_use]
    pub fn leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }

    /// The server leaves.
    pub fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// Is a failed sign-in to be recorded? One a minute, login and address is, and at most 50 a second in all.
    #[must_use]
    pub fn tells_failure(&self, login: &str, ip: &str) -> bool {
        let now = self.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now - *at < 60_000);
        let within = told.values().filter(|at| now - **at < 1_000).count();
        if within >= 50 || told.contains_key(&(login.to_owned(), ip.to_owned())) {
            return false;
        }
        told.insert((login.to_owned(), ip.to_owned()), now);
        true
    }

    /// Begins a change by somebody; the request's key is claimed by its first statement.
    ///
    /// # Errors
    /// The database is away; the same request is being carried out elsewhere.
    pub async fn begin(&self, asker: &Asker) -> Answered<Change> {
        let mut change = self.store.begin(asker.actor.clone(), self.now()).await?;
        if let Some(key) = &asker.key {
            let claimed = change.claim_request(&asker.principal.id, &key.text, &key.route, &key.body).await;
            match claimed {
                Ok(()) => {}
                Err(StoreError::Taken) => return Err(in_progress(key).into()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(change)
    }

    /// Begins a change by the server itself, or by somebody who is not signed in.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_as(&self, actor: Actor) -> Answered<Change> {
        Ok(self.store.begin(actor, self.now()).await?)
    }

    /// Ends a change with its answer, which is kept for whoever asks again with the same key.
    ///
    /// # Errors
    /// The database is away, or its answer was lost.
    pub async fn finish<T: Answer>(&self, mut change: Change, asker: &Asker, answer: T) -> Answered<Told<T>> {
        let rendered = answer.render();
        if let Some(key) = &asker.key {
            // What is shown once is not kept: who asks again is told that it was made.
            let kept = if rendered.secret {
                Rendered { body: String::new(), ..rendered.clone() }
            } else {
                rendered.clone()
            };
            let text = serde_json::to_string(&kept).unwrap_or_default();
            change.answer_request(&asker.principal.id, &key.text, rendered.status, &text).await?;
        }
        let seq = self.commit(change).await?;
        Ok(Told { rendered: Rendered { seq: Some(seq), ..rendered }, kind: PhantomData })
    }

    /// A change was committed that nobody waits for: the catalogue takes it in at once.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Commits a change, and waits until the catalogue has it; returns the number of its last record.
    ///
    /// # Errors
    /// The database is away, or its answer was lost.
    pub async fn commit(&self, change: Change) -> Answered<i64> {
        self.failpoints.reach(Point::Written);
        let seq = change.commit().await?;
        self.failpoints.reach(Point::Committed);
        self.caught_up(seq).await;
        Ok(seq)
    }

    /// Waits until the catalogue has that record's change. Where the database is away by now, the change is made all the same, and the catalogue
    /// finds it later.
    async fn caught_up(&self, seq: i64) {
        self.changed.notify_one();
        let _ = tokio::time::timeout(CATCH_UP, self.catalogue.reached(seq)).await;
    }

    /// The answer that a key was given before, if it was.
    ///
    /// # Errors
    /// [`Refusal::Replay`] with the answer; the key was used for another request, or its request is under way.
    pub async fn replay(&self, who: &str, key: &Key) -> Answered<()> {
        let Some(row) = self.store.request(who, &key.text, self.now()).await? else { return Ok(()) };
        if row.route != key.route || row.body != key.body {
            let detail = format!("the key `{}` was used for `{}`", key.text, row.route);
            return Err(Problem::new(Code::IdempotencyMismatch, detail).into());
        }
        match row.answer.as_deref().and_then(|text| serde_json::from_str::<Rendered>(text).ok()) {
            Some(rendered) => {
                // Its change may be another server's, which the catalogue has not seen yet.
                let (seq, _) = self.store.head().await?;
                self.caught_up(seq).await;
                Err(Refusal::Replay(Box::new(Rendered { seq: Some(seq), ..rendered })))
            }
            None => Err(in_progress(key).with("operation", row.operation).into()),
        }
    }
}

fn in_progress(key: &Key) -> Problem {
    Problem::new(Code::RequestInProgress, format!("the request of the key `{}` is under way", key.text))
        .retry(1)
}

/// An answer whose change is committed.
#[derive(Debug)]
pub struct Told<T> {
    rendered: Rendered,
    kind: PhantomData<T>,
}

impl<T> Told<T> {
    /// The same answer, with what was only known after the commit. What is kept for the request's key stays as it was.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl serde::Serialize) -> Self {
        if let Ok(serde_json::Value::Object(mut body)) = serde_json::from_str(&self.rendered.body) {
            body.insert(key.to_owned(), serde_json::to_value(value).unwrap_or_default());
            self.rendered.body = serde_json::Value::Object(body).to_string();
        }
        self
    }
}

impl<T: Answer> Told<T> {
    /// As it is by now, after the commit. What is kept for the request's key stays as it was.
    #[must_use]
    pub fn now(self, answer: T) -> Self {
        let rendered = Rendered { seq: self.rendered.seq, ..answer.render() };
        Self { rendered, ..self }
    }
}

impl<T: Answer> Kept for Told<T> {}

impl<T: Answer> Answer for Told<T> {
    fn render(self) -> Rendered {
        self.rendered
    }

    fn describe(operation: &mut Operation) {
        T::describe(operation);
    }
}

/// Keeps the catalogue up to date: at once after a commit of this server, and every half second for those of others.
async fn follow(app: Weak<App>, pulse: Pulse, changed: Arc<Notify>) {
    let mut looked = Instant::now();
    loop {
        let _ = tokio::time::timeout(FOLLOW, changed.notified()).await;
        let Some(app) = app.upgrade() else { return };
        let followed = tokio::time::timeout(FOLLOWED_WITHIN, app.catalogue.follow(&app.store));
        let why = match pulse.during(followed).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database does not answer".to_owned()),
        };
        let was_away = app.database_away.swap(why.is_some(), Ordering::Relaxed);
        match why {
            None => {
                *app.followed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                if looked.elapsed() >= FOLLOW {
                    looked = Instant::now();
                    // Bookkeeping is no news: a moment later it is looked at again.
                    let _ = app.catalogue.look_at_sync(&app.store).await;
                }
                // Whoever waits for a commit to be in the lists does not wait for the index.
                drop(tokio::spawn(async move { app.catalogue.index().await }));
            }
            Some(why) if !was_away => {
                tracing::warn!(why, "the journal cannot be followed: lists stay as they were");
            }
            Some(_) => {}
        }
    }
}
