//! The keys that something in the database is sealed with, each with a proof that it is that one.

use super::{Change, Store, StoreError};
use clockwright_model::Millis;
use clockwright_sql::{Dialect, Value};

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id, as the key file has it.
    pub id: String,
    /// When it came into use.
    pub at: Millis,
    /// A known text that is sealed with it.
    pub proof: String,
}

impl Store {
    /// True for a database in a file, which no other server has.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.db.dialect() == Dialect::Sqlite
    }

    /// By how much our clock is ahead of the database's, milliseconds; `None` for a file, which has ours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn skew(&self) -> Result<Option<Millis>, StoreError> {
        let Some(question) = self.db.dialect().clock() else { return Ok(None) };
        let now = || jiff::Timestamp::now().as_millisecond();
        let before = now();
        let rows = self.fetch(self.sql(question)).await?;
        // It was read at some time between asking and being answered.
        let ours = before + (now() - before) / 2;
        Ok(rows.first().map(|row| row.int(0)).transpose()?.map(|theirs| ours - theirs))
    }

    /// All keys, by id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.fetch(self.sql("SELECT id, at, proof FROM CLOCKWRIGHT_KEY ORDER BY id")).await?;
        rows.iter().map(|row| Ok(KeyRow { id: row.text(0)?, at: row.int(1)?, proof: row.text(2)? })).collect()
    }
}

impl Change {
    /// Notes a key.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: it is noted.
    pub async fn insert_key(&mut self, row: &KeyRow) -> Result<(), StoreError> {
        let mut sql = self.sql("INSERT INTO CLOCKWRIGHT_KEY (id, at, proof)");
        let values: [Value<'_>; 3] = [row.id.as_str().into(), row.at.into(), row.proof.as_str().into()];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Forgets all keys but this one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_keys_but(&mut self, id: &str) -> Result<(), StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_KEY");
        sql.is("id <> ", id);
        self.execute(sql).await?;
        Ok(())
    }

    /// What channels have sealed, by their ids.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sealed_channels(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.fetch(self.sql("SELECT id, sealed FROM CLOCKWRIGHT_CHANNEL ORDER BY id")).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }

    /// Writes what a channel has sealed over what it had; false when it has something else by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn seal_channel(&mut self, id: &str, was: &str, sealed: &str) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_CHANNEL SET sealed = ");
        sql.bind(sealed);
        sql.is("id = ", id);
        sql.is("sealed = ", was);
        Ok(self.execute(sql).await? == 1)
    }
}
