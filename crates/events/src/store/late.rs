//! A store whose database may be away when the program starts, and whose file may be taken away while it runs: jobs run all the same.
//!
//! A file that is open can be deleted, or replaced by another. SQLite does not notice: it would write on into a file that no path names, until
//! the process ends and all of it is gone. So before each batch the path is looked at, and if it names another file or none, that is
//! said, the old file is closed *first* (closing removes the log beside it by its name), and a new one is made.

use super::{EventStore, Retention};
use crate::{Loss, Sink, SinkError, StoreError};
use async_trait::async_trait;
use clockwright_model::{Event, Token};
use clockwright_sql::RetryClass;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// The way into an [`EventStore`] that connects when it can. Put it behind a [`Spool`](crate::Spool), where events wait
/// until then.
pub struct LateStore {
    place: Place,
    state: Mutex<State>,
}

enum Place {
    Address(String),
    File(PathBuf),
}

#[derive(Default)]
struct State {
    store: Option<Arc<EventStore>>,
    /// The store before, whose file is gone.
    closing: Option<JoinHandle<()>>,
    closed: bool,
}

impl LateStore {
    /// Connects to an address as [`EventStore::connect`] takes it, if the database is there; if it is away, that is logged, and each batch
    /// tries again.
    ///
    /// # Errors
    /// What waiting does not mend: [`StoreError::Address`], [`StoreError::Foreign`], [`StoreError::Newer`], or a file that cannot be opened.
    pub async fn connect(address: &str) -> Result<Arc<Self>, StoreError> {
        Self::start(Place::Address(address.to_owned())).await
    }

    /// The same for a file, whose folder exists.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn file(path: &Path) -> Result<Arc<Self>, StoreError> {
        Self::start(Place::File(path.to_owned())).await
    }

    async fn start(place: Place) -> Result<Arc<Self>, StoreError> {
        let store = match place.open().await {
            Ok(store) => Some(store),
            Err(
                error @ (StoreError::Open { retry: RetryClass::Later, .. }
                | StoreError::Database { retry: RetryClass::Later, .. }),
            ) => {
                tracing::warn!(%error, "the database for events is away; events wait for it");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Arc::new(Self { place, state: Mutex::new(State { store, ..State::default() }) }))
    }

    /// Prunes now and then every `every`, until this is dropped; see [`EventStore::prune`]. Turns at which the
    /// database has not been reached yet are passed over.
    pub async fn keep_pruned(late: Weak<Self>, keep: Retention, every: Duration) {
        loop {
            let Some(alive) = late.upgrade() else { return };
            let store = alive.state.lock().await.store.clone();
            drop(alive);
            let wait = if let Some(store) = store {
                store.prune_now(&keep).await;
                every.max(Duration::from_secs(1))
            } else {
                every.min(Duration::from_secs(60))
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn store(&self) -> Result<Arc<EventStore>, SinkError> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(SinkError("the event store is closed".into()));
        }
        if let Some(store) = state.store.as_ref().filter(|store| store.is_in_place()) {
            return Ok(Arc::clone(store));
        }
        if let Some(gone) = state.store.take() {
            tracing::error!(
                file = self.place.name(),
                "the file of the event store was deleted or replaced while it was in use, and what was stored in it is gone; it is made anew"
            );
            state.closing = Some(tokio::spawn(async move { gone.close().await }));
        }
        // This call may be dropped while it waits; the next one waits on.
        if let Some(closing) = &mut state.closing {
            let _ = closing.await;
            state.closing = None;
        }
        let store = self.place.open().await.map_err(|error| SinkError(error.to_string()))?;
        state.store = Some(Arc::clone(&store));
        Ok(store)
    }
}

impl LateStore {
    /// The store, if it is open by now.
    async fn opened(&self) -> Result<Arc<EventStore>, SinkError> {
        let store = self.state.lock().await.store.clone();
        store.ok_or_else(|| SinkError("the database is away".into()))
    }
}

impl Place {
    async fn open(&self) -> Result<Arc<EventStore>, StoreError> {
        match self {
            Place::Address(address) => EventStore::connect(address).await,
            Place::File(path) => EventStore::open(path).await,
        }
    }

    fn name(&self) -> String {
        match self {
            // The rest may hold a password.
            Place::Address(address) => {
                address.split_once(':').map_or("database", |(scheme, _)| scheme).to_owned()
            }
            Place::File(path) => path.display().to_string(),
        }
    }
}

#[async_trait]
impl Sink for LateStore {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        Sink::store(&*self.store().await?, batch).await
    }

    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        self.store().await?.record_loss(loss).await
    }

    async fn greatest_token(&self, namespace: &str) -> Result<Token, SinkError> {
        self.opened().await?.greatest_token(namespace).await
    }

    async fn identity(&self) -> Result<Option<String>, SinkError> {
        Sink::identity(&*self.opened().await?).await
    }

    async fn close(&self) {
        let mut state = self.state.lock().await;
        state.closed = true;
        if let Some(closing) = state.closing.take() {
            let _ = closing.await;
        }
        if let Some(store) = state.store.take() {
            store.close().await;
        }
    }

    fn name(&self) -> &str {
        match &self.place {
            Place::Address(address) => address.split_once(':').map_or("database", |(scheme, _)| scheme),
            Place::File(_) => "sqlite",
        }
    }
}
