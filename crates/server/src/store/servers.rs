//! The control servers: which there are, and which of them leads.
//!
//! The term is a number in one row. It only grows; whoever leads has begun one, and every transaction of a chore demands it before anything else: so
//! what an older term does comes to nothing here, however late it wakes up.

use super::guesses::MINUTE;
use super::{Change, Store, StoreError};
use crate::decide::chain::Actor;
use clockwright_model::Millis;
use clockwright_sql::{Row, Tx, Value};

/// The term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermRow {
    /// Its number; 0 before the first one.
    pub term: i64,
    /// The server that began it.
    pub holder: String,
    /// When, by that server's clock.
    pub taken: Millis,
}

/// A control server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Its id, new at each start.
    pub id: String,
    /// The machine's name.
    pub host: String,
    /// Where it is found.
    pub address: String,
    /// Its program's version.
    pub version: String,
    /// When it started.
    pub started: Millis,
    /// When it was heard of last.
    pub seen: Millis,
}

const SERVERS: &str = "SELECT id, host, address, version, started, seen FROM CLOCKWRIGHT_CONTROL_SERVER";

fn server(row: &Row) -> Result<ServerRow, StoreError> {
    Ok(ServerRow {
        id: row.text(0)?,
        host: row.text(1)?,
        address: row.text(2)?,
        version: row.text(3)?,
        started: row.int(4)?,
        seen: row.int(5)?,
    })
}

impl Change {
    /// The server of this id, if it was heard of since this instant.
    ///
    /// # Errors
    /// The database is away.
    pub async fn server(&mut self, id: &str, since: Millis) -> Result<Option<ServerRow>, StoreError> {
        let mut sql = self.sql(SERVERS);
        sql.is("id = ", id);
        sql.is("seen >= ", since);
        self.fetch(sql).await?.first().map(server).transpose()
    }
}

impl Store {
    /// The term that is being led.
    ///
    /// # Errors
    /// The database is away.
    pub async fn term(&self) -> Result<TermRow, StoreError> {
        let rows =
            self.fetch(self.sql("SELECT term, holder, taken FROM CLOCKWRIGHT_TERM WHERE id = 1")).await?;
        let row = rows.first().ok_or_else(|| StoreError::Refused("the term's row is missing".into()))?;
        Ok(TermRow { term: row.int(0)?, holder: row.text(1)?, taken: row.int(2)? })
    }

    /// Notes from which registry this database is led, if it never was. False: it is led from another one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn has_home(&self, home: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TERM SET home = ");
        sql.bind(home);
        sql.must("id = 1");
        sql.is("(home = '' OR home = ", home);
        sql.text(")");
        let is_ours = tx.execute(sql).await? == 1;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// Notes that this database is led from that registry from now on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_home(&self, home: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TERM SET home = ");
        sql.bind(home);
        sql.must("id = 1");
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// Begins the next term; its number, or `None` when the database is led from another registry.
    ///
    /// # Errors
    /// The database is away. Nothing is to be concluded from a lost answer: whoever gets none begins another term.
    pub async fn take_term(&self, home: &str, holder: &str, now: Millis) -> Result<Option<i64>, StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TERM SET term = term + 1, holder = ");
        sql.bind(holder);
        sql.text(", taken = ");
        sql.bind(now);
        sql.must("id = 1");
        sql.is("home = ", home);
        if tx.execute(sql).await? == 0 {
            return Ok(None);
        }
        let rows = tx.fetch(self.sql("SELECT term FROM CLOCKWRIGHT_TERM WHERE id = 1")).await?;
        let term = rows.first().map(|row| row.int(0)).transpose()?;
        tx.commit().await?;
        Ok(term)
    }

    /// Begins a change within a term.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn begin_in(&self, term: i64, actor: Actor, now: Millis) -> Result<Change, StoreError> {
        Ok(self.change(self.write_in(Some(term)).await?, actor, now))
    }

    /// A transaction for what the journal does not tell, within a term if there is one.
    pub(crate) async fn write_in(&self, term: Option<i64>) -> Result<Tx, StoreError> {
        let mut tx = self.write().await?;
        let Some(term) = term else { return Ok(tx) };
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_TERM SET beats = beats + 1");
        sql.must("id = 1");
        sql.is("term = ", term);
        match tx.execute(sql).await? {
            0 => Err(StoreError::TermOver),
            _ => Ok(tx),
        }
    }

    /// Notes that a server lives.
    ///
    /// # Errors
    /// The database is away.
    pub async fn server_seen(&self, row: &ServerRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_CONTROL_SERVER SET seen = ");
        sql.bind(row.seen);
        sql.is("id = ", row.id.as_str());
        if tx.execute(sql).await? == 0 {
            let mut sql = self
                .sql("INSERT INTO CLOCKWRIGHT_CONTROL_SERVER (id, host, address, version, started, seen)");
            let values: [Value<'_>; 6] = [
                row.id.as_str().into(),
                row.host.as_str().into(),
                row.address.as_str().into(),
                row.version.as_str().into(),
                row.started.into(),
                row.seen.into(),
            ];
            sql.rows(std::iter::once(values));
            tx.execute(sql).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A server stops.
    ///
    /// # Errors
    /// The database is away.
    pub async fn server_gone(&self, id: &str) -> Result<(), StoreError> {
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_CONTROL_SERVER");
        sql.is("id = ", id);
        let mut tx = self.write().await?;
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }

    /// The servers that were heard of since this instant, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn servers(&self, since: Millis) -> Result<Vec<ServerRow>, StoreError> {
        let mut sql = self.sql(SERVERS);
        sql.is("seen >= ", since);
        sql.text(" ORDER BY started, id");
        self.fetch(sql).await?.iter().map(server).collect()
    }

    /// Removes what is over since this instant at the latest: sessions, links, answers kept for who asks again, servers that fell silent, counters
    /// of sign-ins. How many rows went.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn expire(&self, term: i64, before: Millis) -> Result<u64, StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        let mut gone = 0;
        for (delete, condition, before) in [
            ("DELETE FROM CLOCKWRIGHT_SESSION", "ends <= ", before),
            ("DELETE FROM CLOCKWRIGHT_LINK", "expires <= ", before),
            ("DELETE FROM CLOCKWRIGHT_REQUEST", "expires <= ", before),
            ("DELETE FROM CLOCKWRIGHT_CONTROL_SERVER", "seen <= ", before),
            // The places first, as by whoever counts a sign-in.
            ("DELETE FROM CLOCKWRIGHT_GUESS", "kind = 'place' AND slot < ", before / MINUTE),
            ("DELETE FROM CLOCKWRIGHT_GUESS", "kind = 'login' AND slot < ", before / MINUTE),
        ] {
            let mut sql = self.sql(delete);
            sql.is(condition, before);
            gone += tx.execute(sql).await?;
        }
        tx.commit().await?;
        Ok(gone)
    }
}
