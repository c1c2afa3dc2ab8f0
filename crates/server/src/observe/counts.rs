//! What only the database can count, counted every half minute. Whoever asks for the health of a server every second, or without being signed in, makes no work for the
//! database, and does not wait for it.

use crate::alerts::DEAD;
use crate::app::App;
use clockwright_events::LossRow;
use clockwright_model::Millis;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long what was counted is good enough.
const FRESH: Duration = Duration::from_secs(30);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs of each project by how the registry agrees.
    pub sync: BTreeMap<(i64, String), u64>,
    /// What stands still, by kind and origin.
    pub holds: BTreeMap<(String, String), u64>,
    /// Operations that have not ended, by kind and state.
    pub operations: BTreeMap<(String, String), u64>,
    /// Alerts that are open, by condition and state.
    pub alerts: BTreeMap<(String, String), u64>,
    /// Messages that are to be sent.
    pub waiting: u64,
    /// Channels with messages that are not tried any more.
    pub dead: u64,
    /// Events that were lost, by event store.
    pub lost: BTreeMap<String, u64>,
}

impl Counts {
    /// How many jobs are in this state of sync.
    #[must_use]
    pub fn in_state(&self, state: &str) -> u64 {
        self.sync.iter().filter(|((_, there), _)| there == state).map(|(_, count)| count).sum()
    }
}

/// The newest counts.
#[derive(Debug, Default)]
pub struct Counted {
    last: std::sync::Mutex<Option<(Instant, Arc<Counts>)>>,
    counting: Mutex<()>,
}

impl Counted {
    /// What was counted last, however old it is; nothing before the first time.
    #[must_use]
    pub fn last(&self) -> Arc<Counts> {
        self.known().map(|(_, counts)| counts).unwrap_or_default()
    }

    /// What was counted half a minute ago at the most; older only while the database is away.
    pub async fn get(&self, app: &App) -> Arc<Counts> {
        let _counting = self.counting.lock().await;
        match self.known() {
            Some((at, counts)) if at.elapsed() < FRESH => counts,
            _ => self.count(app).await,
        }
    }

    /// What is so now.
    pub async fn renew(&self, app: &App) -> Arc<Counts> {
        let _counting = self.counting.lock().await;
        self.count(app).await
    }

    async fn count(&self, app: &App) -> Arc<Counts> {
        let counts = match tokio::time::timeout(PATIENCE, count(app)).await {
            Ok(Some(counts)) => Arc::new(counts),
            _ => self.last(),
        };
        // Also what could not be counted is not tried again at once.
        let known = Some((Instant::now(), Arc::clone(&counts)));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = known;
        counts
    }

    fn known(&self) -> Option<(Instant, Arc<Counts>)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How many events these losses are.
pub(super) fn events(losses: &[LossRow]) -> u64 {
    losses.iter().map(|row| row.statuses + row.executions + row.settlements).sum()
}

async fn count(app: &App) -> Option<Counts> {
    let sync = app.store.count_syncs().await.ok()?;
    let holds = app.store.count_holds().await.ok()?;
    let operations = app.store.count_open_operations().await.ok()?;
    let alerts = app.store.count_open_alerts().await.ok()?;
    let waiting = app.store.count_waiting_messages().await.ok()?;
    let dead = app.store.dead(app.now() - DEAD).await.ok()?.len() as u64;
    let mut lost = BTreeMap::new();
    for name in app.histories.names() {
        let Some(store) = app.histories.opened(&name) else { continue };
        if let Ok(rows) = store.losses(0, Millis::MAX).await {
            lost.insert(name, events(&rows));
        }
    }
    Some(Counts { sync, holds, operations, alerts, waiting, dead, lost })
}
