//! The operator's event stores, by name: each is opened when it is first asked for, and again after it was away. Projects name the one that
//! has their history; several may share one.

use crate::config::{Config, Secret};
use clockwright_events::{EventStore, Query, StoreError};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long until a store that did not open is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// An open store.
pub type History = Arc<dyn Query>;

/// Opens a store.
pub type OpenHistory = Arc<dyn Fn() -> BoxFuture<'static, Result<History, StoreError>> + Send + Sync>;

/// The event stores of one server.
#[derive(Default)]
pub struct Histories {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    open: OpenHistory,
    store: std::sync::RwLock<Option<History>>,
    /// When it did not open, and why; whoever opens it holds this.
    failed: Mutex<Option<(Instant, String)>>,
}

/// There is no such store now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHistory {
    /// The configuration has no such store any more.
    #[error("the configuration has no event store `{0}`")]
    Unknown(String),
    /// It does not open.
    #[error("the event store `{name}` is away: {why}")]
    Away {
        /// Which.
        name: String,
        /// What stands against it.
        why: String,
    },
}

impl Histories {
    /// These stores; none is opened yet.
    #[must_use]
    pub fn new(stores: BTreeMap<String, OpenHistory>) -> Self {
        let entry = |open| Entry { open, store: std::sync::RwLock::default(), failed: Mutex::default() };
        Self { entries: stores.into_iter().map(|(name, open)| (name, entry(open))).collect() }
    }

    /// Those that the operator names. Each is made if it is missing, as an instance would make it.
    #[must_use]
    pub fn of_config(config: &Config) -> Self {
        let open = |address: &Secret| -> OpenHistory {
            let address = address.clone();
            Arc::new(move || {
                let address = address.clone();
                Box::pin(async move { Ok(EventStore::connect(address.reveal()).await? as History) })
            })
        };
        Self::new(config.all_stores().map(|(name, address)| (name.to_owned(), open(address))).collect())
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The store of this name, if it is open.
    #[must_use]
    pub fn opened(&self, name: &str) -> Option<History> {
        self.entries.get(name)?.there()
    }

    /// The store of this name.
    ///
    /// # Errors
    /// There is none now.
    pub async fn of(&self, name: &str) -> Result<History, NoHistory> {
        let entry = self.entries.get(name).ok_or_else(|| NoHistory::Unknown(name.to_owned()))?;
        if let Some(store) = entry.there() {
            return Ok(store);
        }
        let away = |why: &str| NoHistory::Away { name: name.to_owned(), why: why.to_owned() };
        let mut failed = entry.failed.lock().await;
        if let Some(store) = entry.there() {
            return Ok(store);
        }
        if let Some((at, why)) = &*failed
            && at.elapsed() < AGAIN
        {
            return Err(away(why));
        }
        match (entry.open)().await {
            Ok(store) => {
                *failed = None;
                *entry.store.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&store));
                Ok(store)
            }
            Err(error) => {
                let why = error.to_string();
                *failed = Some((Instant::now(), why.clone()));
                Err(away(&why))
            }
        }
    }
}

impl Entry {
    fn there(&self) -> Option<History> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_store_that_is_away_is_tried_again_after_a_moment_and_then_kept() {
        let there = EventStore::in_memory().await.unwrap();
        tokio::time::pause();
        let tries = Arc::new(AtomicUsize::new(0));
        let open: OpenHistory = {
            let tries = Arc::clone(&tries);
            Arc::new(move || {
                let there = Arc::clone(&there) as History;
                let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
                Box::pin(async move {
                    if first {
                        return Err(StoreError::Missing("there".to_owned()));
                    }
                    Ok(there)
                })
            })
        };
        let histories = Histories::new([("home".to_owned(), open)].into());
        for _ in 0..3 {
            assert!(matches!(histories.of("home").await, Err(NoHistory::Away { .. })));
        }
        assert_eq!(tries.load(Ordering::SeqCst), 1, "nobody knocks at a closed door all the time");
        tokio::time::advance(AGAIN).await;
        histories.of("home").await.unwrap();
        histories.of("home").await.unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), 2);
        assert!(matches!(histories.of("other").await, Err(NoHistory::Unknown(_))));
    }
}
