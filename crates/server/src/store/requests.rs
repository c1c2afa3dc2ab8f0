//! Requests that carry a key: what was answered is kept for a day, so that the same request is carried out once however often it comes.
//!
//! The key is claimed by the first statement of the change that carries the request out, and the answer is written in the same transaction.
//! So a request whose server died is either done with its answer, or not done and its key is free.

use super::{Change, Store, StoreError};
use clockwright_model::Millis;
use clockwright_sql::Value;

/// How long an answer is kept.
const KEPT: Millis = 24 * 3_600_000;

/// A request that was made with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// The method and the pattern of the address.
    pub route: String,
    /// The digest of address and body.
    pub body: String,
    /// The answer, as it was rendered; `None` while an operation is under way.
    pub answer: Option<String>,
    /// The operation that carries it out; empty for none.
    pub operation: String,
}

impl Store {
    /// The request of this key, if its day is not over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn request(&self, who: &str, key: &str, now: Millis) -> Result<Option<RequestRow>, StoreError> {
        let mut sql = self.sql("SELECT route, body, answer, operation FROM CLOCKWRIGHT_REQUEST");
        sql.is("who = ", who.to_owned());
        sql.is("key_text = ", key.to_owned());
        sql.is("expires > ", now);
        let rows = self.fetch(sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(RequestRow {
            route: row.text(0)?,
            body: row.text(1)?,
            answer: row.maybe_text(2)?,
            operation: row.text(3)?,
        }))
    }
}

impl Change {
    /// Claims a key, which must be the first statement of a change. An old claim whose day is over is passed over.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: the request is being carried out elsewhere, or was.
    pub async fn claim_request(
        &mut self,
        who: &str,
        key: &str,
        route: &str,
        body: &str,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_REQUEST");
        sql.is("who = ", who);
        sql.is("key_text = ", key);
        sql.is("expires <= ", now);
        self.execute(sql).await?;
        let mut sql = self
            .sql("INSERT INTO CLOCKWRIGHT_REQUEST (who, key_text, route, body, state, status, answer, operation, at, expires)");
        let values: [Value<'_>; 10] = [
            who.into(),
            key.into(),
            route.into(),
            body.into(),
            "running".into(),
            Value::Int(None),
            Value::Text(None),
            "".into(),
            now.into(),
            (now + KEPT).into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Keeps the answer of a claimed key.
    ///
    /// # Errors
    /// The database is away.
    pub async fn answer_request(
        &mut self,
        who: &str,
        key: &str,
        status: u16,
        answer: &str,
    ) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_REQUEST SET state = 'done', status = ");
        sql.bind(u32::from(status));
        sql.text(", answer = ");
        sql.bind(answer);
        sql.is("who = ", who);
        sql.is("key_text = ", key);
        self.execute(sql).await?;
        Ok(())
    }
}
