//! The operator's registries, by name, each with one session that is kept open and serves every project that is in it.
//!
//! A session is opened when it is first asked for, and again after each end. While there is none, whoever asks is told since when, and goes
//! on without: other registries are not concerned.

use async_trait::async_trait;
use clockwright_registry::keeper::{Begin, KeeperOptions, Told};
use clockwright_registry::{Connect, Counts, Error, Keeper, Meter, SharedRegistry};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a session may take to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a registry is reached.
#[derive(Clone)]
pub struct Source {
    /// Opens a session.
    pub connect: Connect,
    /// True when nodes are made for a credential, so that one which the world may write is wrong.
    pub credential: bool,
}

/// The registries of one server.
#[derive(Default)]
pub struct Registries {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    source: Source,
    keeper: Mutex<Option<Keeper>>,
    now: Arc<RwLock<State>>,
    meter: Meter,
}

/// The session, or why there is none; nothing where none was asked for yet.
type State = Result<SharedRegistry, Option<String>>;

/// Whether there is a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is.
    Open,
    /// None was asked for yet.
    Unasked,
    /// There is none, for this reason.
    Away(String),
}

/// There is no session now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    /// The configuration has no such registry any more.
    #[error("the configuration has no registry `{0}`")]
    Unknown(String),
    /// It cannot be reached.
    #[error("the registry `{name}` is away: {why}")]
    Away {
        /// Which.
        name: String,
        /// What stands against it.
        why: String,
    },
}

impl Entry {
    fn now(&self) -> State {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn set(now: &RwLock<State>, state: State) {
    *now.write().unwrap_or_else(PoisonError::into_inner) = state;
}

struct Nothing;

#[async_trait]
impl Begin for Nothing {
    type Ready = ();
    type Error = Error;

    async fn begin(&self, _: &SharedRegistry) -> Result<(), Error> {
        Ok(())
    }
}

impl Registries {
    /// These registries; none is opened yet.
    #[must_use]
    pub fn new(sources: BTreeMap<String, Source>) -> Self {
        let entry = |source| Entry {
            source,
            keeper: Mutex::new(None),
            now: Arc::new(RwLock::new(Err(None))),
            meter: Meter::default(),
        };
        Self { entries: sources.into_iter().map(|(name, source)| (name, entry(source))).collect() }
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// Each registry, whether there is a session with it, and what was asked of it since the start.
    #[must_use]
    pub fn standing(&self) -> Vec<(String, Standing, Counts)> {
        let standing = |entry: &Entry| match entry.now() {
            Ok(_) => Standing::Open,
            Err(None) => Standing::Unasked,
            Err(Some(why)) => Standing::Away(why),
        };
        self.entries
            .iter()
            .map(|(name, entry)| (name.clone(), standing(entry), entry.meter.counts()))
            .collect()
    }

    /// True when nodes of this registry are made for a credential.
    #[must_use]
    pub fn has_credential(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.source.credential)
    }

    /// The session with this registry.
    ///
    /// # Errors
    /// There is none now.
    pub async fn session(&self, name: &str) -> Result<SharedRegistry, NoSession> {
        let entry = self.entries.get(name).ok_or_else(|| NoSession::Unknown(name.to_owned()))?;
        if let Ok(registry) = entry.now() {
            return Ok(registry);
        }
        let away = |why: String| NoSession::Away { name: name.to_owned(), why };
        let mut keeper = entry.keeper.lock().await;
        if keeper.is_none() {
            // The first attempt is made for whoever asks; from then on the keeper tries by itself.
            let now = Arc::clone(&entry.now);
            let options = KeeperOptions { meter: entry.meter.clone(), ..KeeperOptions::default() };
            let started =
                Keeper::start(Arc::clone(&entry.source.connect), Nothing, options, move |told| match told {
                    Told::Opened(opened) => set(&now, Ok(opened.registry)),
                    Told::Lost { .. } => set(&now, Err(Some("its session is over".to_owned()))),
                    Told::Hint { .. } | Told::Timeout { .. } => {}
                });
            match started.await {
                Ok((kept, opened)) => {
                    *keeper = Some(kept);
                    set(&entry.now, Ok(opened.registry));
                }
                Err(error) => {
                    let why = error.to_string();
                    set(&entry.now, Err(Some(why.clone())));
                    return Err(away(why));
                }
            }
        }
        drop(keeper);
        entry.now().map_err(|why| away(why.unwrap_or_else(|| "it was never reached".to_owned())))
    }

    /// Ends all sessions.
    pub async fn close(&self) {
        for entry in self.entries.values() {
            if let Some(keeper) = entry.keeper.lock().await.take() {
                // What cannot be given back is gone with the session's timeout.
                let _ = keeper.stop(FAREWELL).await;
            }
        }
    }
}
