//! Operations: what operators asked for, how far it is, and who carries it out.
//!
//! ```text
//! running ─▶ done · partial · failed · cancelled
//!    │ ▲
//!    ▼ │ the registry is away · is back
//! pending
//! ```
//! An operation belongs to the control server that carries it out; another one takes it over by naming the one that it was of, so of two
//! that try one succeeds. Its end is written only by whom it belongs to.

use super::jobs::unknown;
use super::{Change, Store, StoreError};
use crate::decide::chain::{Outcome, words};
use clockwright_model::Millis;
use clockwright_sql::{Row, Value};
use std::collections::BTreeSet;

words! {
    /// How far an operation is.
    OperationState {
        /// It is being carried out.
        Running "running",
        /// It waits for the registry.
        Pending "pending",
        /// It was done.
        Done "done",
        /// A part of it was done.
        Partial "partial",
        /// It was not done.
        Failed "failed",
        /// Somebody stopped it; what was done by then stays.
        Cancelled "cancelled",
    }
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Its id.
    pub id: String,
    /// Its kind: `pause`.
    pub kind: String,
    /// Its project.
    pub project: i64,
    /// Its job; 0 for none.
    pub job: i64,
    /// What was asked for, by whom, and why, as JSON.
    pub ask: String,
    /// How far it is.
    pub state: OperationState,
    /// Somebody asked for its end before the time.
    pub cancelled: bool,
    /// What is to be remembered of what was done, as JSON.
    pub done: String,
    /// The control server that carries it out.
    pub server: String,
    /// Who asked, by id.
    pub by: String,
    /// When.
    pub at: Millis,
    /// When it was over.
    pub ended: Option<Millis>,
    /// What came of it, as JSON.
    pub answer: Option<String>,
}

const COLUMNS: &str = "SELECT id, kind, project, job, ask, state, step, done, control_server, by_id, at, ended, answer FROM \
                       CLOCKWRIGHT_OPERATION";

impl Store {
    /// An operation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn operation(&self, id: &str) -> Result<Option<OperationRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.is("id = ", id.to_owned());
        self.fetch(sql).await?.first().map(operation).transpose()
    }

    /// Operations of these projects, and those that this person asked for, before this one, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn operations(
        &self,
        projects: &[i64],
        by: &str,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OperationRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.must("(by_id = ");
        sql.bind(by.to_owned());
        sql.text(" OR project IN (");
        // No project has a number below zero.
        sql.list(projects.iter().copied().chain(std::iter::once(-1)));
        sql.text(")");
        sql.may("id < ", before.map(str::to_owned));
        sql.text(" ORDER BY id DESC LIMIT ");
        sql.bind(limit);
        self.fetch(sql).await?.iter().map(operation).collect()
    }

    /// Operations that are not over, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_operations(&self) -> Result<Vec<OperationRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.must("state IN ('running', 'pending')");
        sql.text(" ORDER BY id");
        self.fetch(sql).await?.iter().map(operation).collect()
    }

    /// Takes an operation over from whom it was of; false when somebody else was faster, or it is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn take_operation(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_OPERATION SET state = 'running', control_server = ");
        sql.bind(to);
        sql.is("id = ", id);
        sql.is("control_server = ", from);
        sql.must("state IN ('running', 'pending')");
        let taken = tx.execute(sql).await? == 1;
        tx.commit().await?;
        Ok(taken)
    }

    /// Remembers what was done so far.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remember(&self, id: &str, server: &str, done: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_OPERATION SET done = ");
        sql.bind(done);
        sql.is("id = ", id);
        sql.is("control_server = ", server);
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// Notes that an operation waits for the registry, if it is still of this server and not over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_off(&self, id: &str, server: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_OPERATION SET state = 'pending'");
        sql.is("id = ", id);
        sql.is("control_server = ", server);
        sql.must("state = 'running'");
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }
}

impl Change {
    /// Begins an operation; and the request that is claimed with this change is answered by its end.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_operation(
        &mut self,
        row: &OperationRow,
        request: Option<(&str, &str)>,
    ) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_OPERATION (id, kind, project, job, ask, state, step, done, control_server, by_id, at, ended, answer)",
        );
        let values: [Value<'_>; 13] = [
            row.id.as_str().into(),
            row.kind.as_str().into(),
            row.project.into(),
            row.job.into(),
            row.ask.as_str().into(),
            row.state.word().into(),
            i64::from(row.cancelled).into(),
            row.done.as_str().into(),
            row.server.as_str().into(),
            row.by.as_str().into(),
            row.at.into(),
            row.ended.into(),
            Value::Text(row.answer.as_deref().map(Into::into)),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        if let Some((who, key)) = request {
            let mut sql = self.sql("UPDATE CLOCKWRIGHT_REQUEST SET operation = ");
            sql.bind(row.id.as_str());
            sql.is("who = ", who);
            sql.is("key_text = ", key);
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Ends an operation; false when it is another server's by now, or over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_operation(
        &mut self,
        id: &str,
        server: &str,
        state: OperationState,
        answer: &str,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_OPERATION SET state = ");
        sql.bind(state.word());
        sql.text(", ended = ");
        sql.bind(now);
        sql.text(", answer = ");
        sql.bind(answer);
        sql.is("id = ", id);
        sql.is("control_server = ", server);
        sql.must("state IN ('running', 'pending')");
        Ok(self.execute(sql).await? == 1)
    }

    /// Asks for an operation's end before the time; false when it is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn cancel_operation(&mut self, id: &str) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_OPERATION SET step = 1");
        sql.is("id = ", id);
        sql.must("state IN ('running', 'pending')");
        Ok(self.execute(sql).await? == 1)
    }

    /// Operations of a project that are not over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_operations(&mut self, project: i64) -> Result<Vec<OperationRow>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.is("project = ", project);
        sql.must("state IN ('running', 'pending')");
        self.fetch(sql).await?.iter().map(operation).collect()
    }

    /// Whether nothing was recorded of a project behind this number.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_quiet_since(&mut self, project: i64, seq: i64) -> Result<bool, StoreError> {
        let mut sql = self.sql("SELECT seq FROM CLOCKWRIGHT_JOURNAL");
        sql.is("project = ", project);
        sql.is("seq > ", seq);
        sql.text(" LIMIT 1");
        Ok(self.fetch(sql).await?.is_empty())
    }

    /// True while a look of another id than this one has begun such a thing with a job since this instant and not ended it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_under_way(
        &mut self,
        action: &str,
        job: i64,
        since: Millis,
        mine: &str,
    ) -> Result<bool, StoreError> {
        let mut sql = self.sql("SELECT outcome, changes FROM CLOCKWRIGHT_JOURNAL");
        sql.is("target = ", job.to_string());
        sql.is("action = ", action);
        sql.is("at >= ", since);
        sql.text(" ORDER BY seq");
        let mut open = BTreeSet::new();
        for row in self.fetch(sql).await? {
            let changes: serde_json::Value = serde_json::from_str(&row.text(1)?).unwrap_or_default();
            let Some(look) = changes["look"].as_str().map(ToOwned::to_owned) else { continue };
            match Outcome::of(&row.text(0)?) {
                Some(Outcome::Begun) => open.insert(look),
                _ => open.remove(&look),
            };
        }
        Ok(open.iter().any(|look| look != mine))
    }
}

fn operation(row: &Row) -> Result<OperationRow, StoreError> {
    let state = row.text(5)?;
    Ok(OperationRow {
        id: row.text(0)?,
        kind: row.text(1)?,
        project: row.int(2)?,
        job: row.int(3)?,
        ask: row.text(4)?,
        state: OperationState::of(&state).ok_or_else(|| unknown("state of an operation", &state))?,
        cancelled: row.int(6)? != 0,
        done: row.text(7)?,
        server: row.text(8)?,
        by: row.text(9)?,
        at: row.int(10)?,
        ended: row.maybe_int(11)?,
        answer: row.maybe_text(12)?,
    })
}
