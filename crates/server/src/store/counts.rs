//! Sums over whole tables, for metrics and health; see [`observe::counts`](crate::observe::counts) for how often they are asked for.

use super::{Store, StoreError};
use std::collections::BTreeMap;

impl Store {
    /// How many jobs of each project are in each state of sync.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_syncs(&self) -> Result<BTreeMap<(i64, String), u64>, StoreError> {
        let sql = self.sql(
            "SELECT j.project, s.state, COUNT(*) FROM CLOCKWRIGHT_SYNC s INNER JOIN CLOCKWRIGHT_JOB j ON j.id = s.job \
             WHERE j.state <> 'removed' GROUP BY j.project, s.state",
        );
        let rows = self.fetch(sql).await?;
        rows.iter().map(|row| Ok(((row.int(0)?, row.text(1)?), row.int(2)?.unsigned_abs()))).collect()
    }

    /// How many holds of each kind and origin there are.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_holds(&self) -> Result<BTreeMap<(String, String), u64>, StoreError> {
        self.count_by("SELECT kind, origin, COUNT(*) FROM CLOCKWRIGHT_HOLD GROUP BY kind, origin").await
    }

    /// How many operations that have not ended there are of each kind, in each state.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_open_operations(&self) -> Result<BTreeMap<(String, String), u64>, StoreError> {
        self.count_by(
            "SELECT kind, state, COUNT(*) FROM CLOCKWRIGHT_OPERATION WHERE state IN ('running', 'pending') GROUP BY kind, state",
        )
        .await
    }

    /// How many alerts of each condition are open, in each state.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_open_alerts(&self) -> Result<BTreeMap<(String, String), u64>, StoreError> {
        self.count_by(
            "SELECT kind, state, COUNT(*) FROM CLOCKWRIGHT_ALERT WHERE state IN ('firing', 'acked') GROUP BY kind, state",
        )
        .await
    }

    /// How many messages are to be sent.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_waiting_messages(&self) -> Result<u64, StoreError> {
        let sql =
            self.sql("SELECT COUNT(DISTINCT message) FROM CLOCKWRIGHT_DELIVERY WHERE state = 'waiting'");
        let rows = self.fetch(sql).await?;
        Ok(rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default().unsigned_abs())
    }

    async fn count_by(&self, question: &'static str) -> Result<BTreeMap<(String, String), u64>, StoreError> {
        let rows = self.fetch(self.sql(question)).await?;
        rows.iter().map(|row| Ok(((row.text(0)?, row.text(1)?), row.int(2)?.unsigned_abs()))).collect()
    }
}
