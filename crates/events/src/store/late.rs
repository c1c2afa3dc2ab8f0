//! A store whose database may be away when the program starts: jobs run all the same.

use super::{EventStore, Retention};
use crate::{Loss, Sink, SinkError, StoreError};
use async_trait::async_trait;
use clockwright_model::Event;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The way into an [`EventStore`] that connects when it can. Put it behind a [`Spool`](crate::Spool), where events wait
/// until then.
pub struct LateStore {
    address: String,
    store: OnceCell<Arc<EventStore>>,
}

impl LateStore {
    /// Connects if the database is there; if it is away, that is logged, and each batch tries again.
    ///
    /// # Errors
    /// What waiting does not mend: [`StoreError::Address`], [`StoreError::Foreign`] or [`StoreError::Newer`].
    pub async fn connect(address: &str) -> Result<Arc<Self>, StoreError> {
        let store = match EventStore::connect(address).await {
            Ok(store) => OnceCell::new_with(Some(store)),
            Err(error @ (StoreError::Open { .. } | StoreError::Database { .. })) => {
                tracing::warn!(%error, "the database for events is away; events wait for it");
                OnceCell::new()
            }
            Err(error) => return Err(error),
        };
        Ok(Arc::new(Self { address: address.to_owned(), store }))
    }

    /// Prunes now and then every `every`, until this is dropped; see [`EventStore::keep_pruned`]. Turns at which the
    /// database has not been reached yet are passed over.
    pub async fn keep_pruned(late: Weak<Self>, keep: Retention, every: Duration) {
        loop {
            let Some(store) = late.upgrade().map(|late| late.store.get().map(Arc::downgrade)) else { return };
            match store {
                // The database once reached is the same one for good.
                Some(store) => return EventStore::keep_pruned(store, keep, every).await,
                None => tokio::time::sleep(every.min(Duration::from_secs(60))).await,
            }
        }
    }

    async fn store(&self) -> Result<&Arc<EventStore>, SinkError> {
        let connecting = self.store.get_or_try_init(|| EventStore::connect(&self.address));
        connecting.await.map_err(|error| SinkError(error.to_string()))
    }
}

#[async_trait]
impl Sink for LateStore {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        self.store().await?.store(batch).await
    }

    async fn record_loss(&self, loss: &Loss) -> Result<(), SinkError> {
        self.store().await?.record_loss(loss).await
    }

    fn name(&self) -> &str {
        self.address.split_once(':').map_or("database", |(scheme, _)| scheme)
    }
}
