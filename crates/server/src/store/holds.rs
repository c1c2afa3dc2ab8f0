//! Holds: wishes that something stands still. They are the truth; the registry's nodes follow.
//!
//! Whoever makes or lifts one takes the journal's head first ([`Change::number`]), reads what there is, and then writes: so two that
//! concern the same thing come one after the other, whichever server they are on.

use super::jobs::unknown;
use super::{Change, Store, StoreError};
use crate::decide::hold::{Hold, Key, Kind, Origin, Scope};
use clockwright_sql::{Row, Sql, Value};

const COLUMNS: &str =
    "SELECT project, job, scope, target, kind, origin, by_id, by_name, at, reason FROM CLOCKWRIGHT_HOLD";

/// Those of a project, or of one job together with those of all.
fn of(mut sql: Sql<'static>, project: i64, job: Option<i64>) -> Sql<'static> {
    sql.is("project = ", project);
    if let Some(job) = job {
        sql.must("job IN (");
        sql.list([0, job]);
    }
    sql.text(" ORDER BY job, scope, target, kind");
    sql
}

impl Store {
    /// The holds of a project; or those of one job, together with those of all its jobs.
    ///
    /// # Errors
    /// The database is away.
    pub async fn holds(&self, project: i64, job: Option<i64>) -> Result<Vec<Hold>, StoreError> {
        self.fetch(of(self.sql(COLUMNS), project, job)).await?.iter().map(hold).collect()
    }

    /// All holds, of all projects.
    ///
    /// # Errors
    /// The database is away.
    pub async fn all_holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.fetch(self.sql(COLUMNS)).await?.iter().map(hold).collect()
    }

    /// The holds of these jobs alone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn holds_of(&self, jobs: impl IntoIterator<Item = i64>) -> Result<Vec<Hold>, StoreError> {
        let mut sql = self.sql(COLUMNS);
        sql.must("job IN (");
        sql.list(jobs);
        sql.text(" ORDER BY job, scope, target, kind");
        self.fetch(sql).await?.iter().map(hold).collect()
    }
}

impl Change {
    /// As [`Store::holds`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn holds(&mut self, project: i64, job: Option<i64>) -> Result<Vec<Hold>, StoreError> {
        let sql = of(self.sql(COLUMNS), project, job);
        self.fetch(sql).await?.iter().map(hold).collect()
    }

    /// Makes a hold, of which there is none yet.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: it is there.
    pub async fn insert_hold(&mut self, hold: &Hold) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_HOLD (project, job, scope, target, kind, origin, by_id, by_name, at, reason, until_at)",
        );
        let values: [Value<'_>; 11] = [
            hold.project.into(),
            hold.key.job.into(),
            hold.key.scope.word().into(),
            hold.key.target.as_str().into(),
            hold.key.kind.word().into(),
            hold.origin.word().into(),
            hold.by.as_str().into(),
            hold.by_name.as_str().into(),
            hold.at.into(),
            hold.reason.as_str().into(),
            Value::Int(None),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Lifts a hold, if it is there.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_hold(&mut self, project: i64, key: &Key) -> Result<(), StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_HOLD");
        sql.is("project = ", project);
        sql.is("job = ", key.job);
        sql.is("scope = ", key.scope.word());
        sql.is("target = ", key.target.as_str());
        sql.is("kind = ", key.kind.word());
        self.execute(sql).await?;
        Ok(())
    }

    /// Lifts all holds of a job that is gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_holds(&mut self, project: i64, job: i64) -> Result<(), StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_HOLD");
        sql.is("project = ", project);
        sql.is("job = ", job);
        self.execute(sql).await?;
        Ok(())
    }
}

fn hold(row: &Row) -> Result<Hold, StoreError> {
    let (scope, kind, origin) = (row.text(2)?, row.text(4)?, row.text(5)?);
    Ok(Hold {
        project: row.int(0)?,
        key: Key {
            job: row.int(1)?,
            scope: Scope::of(&scope).ok_or_else(|| unknown("scope of a hold", &scope))?,
            target: row.text(3)?,
            kind: Kind::of(&kind).ok_or_else(|| unknown("kind of a hold", &kind))?,
        },
        origin: Origin::of(&origin).ok_or_else(|| unknown("origin of a hold", &origin))?,
        by: row.text(6)?,
        by_name: row.text(7)?,
        at: row.int(8)?,
        reason: row.text(9)?,
    })
}
