//! Channels, and what is sent on them: the outbox.

use super::alerts::{behind, on, text, words_of};
use super::jobs::unknown;
use super::projects::read;
use super::{Change, Store, StoreError};
use crate::decide::alerts::notify::{Kind, Told};
use crate::decide::chain::words;
use clockwright_api::alerts::{ChannelKind, Tongue};
use clockwright_model::Millis;
use clockwright_sql::{Row, Value};
use serde::{Deserialize, Serialize};

const CHANNEL: &str = "SELECT id, project, name, kind, what, sealed, state, version FROM CLOCKWRIGHT_CHANNEL";
const DELIVERY: &str = "SELECT id, message, channel, project, alert, kind, number, at, state, tries, next, body, error, sent \
                        FROM CLOCKWRIGHT_DELIVERY";

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its id.
    pub id: String,
    /// The project; 0 for all.
    pub project: i64,
    /// For people.
    pub name: String,
    /// How messages go.
    pub kind: ChannelKind,
    /// What is no secret.
    pub what: ChannelWhat,
    /// What is, sealed; empty for nothing.
    pub sealed: String,
    /// Something is sent.
    pub enabled: bool,
    /// Grows with each change.
    pub version: i64,
}

/// What a channel has that is no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelWhat {
    /// The language of messages.
    pub language: Tongue,
    /// To whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The host of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Which secrets it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

words! {
    /// How a delivery stands.
    DeliveryState {
        /// It is to be sent.
        Waiting "waiting",
        /// It was taken.
        Sent "sent",
        /// It was not, and is not tried any more.
        Dead "dead",
    }
}

/// What is told of one alert within a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// The message.
    pub message: String,
    /// The channel.
    pub channel: String,
    /// The project; 0 for none.
    pub project: i64,
    /// The alert.
    pub alert: String,
    /// What is told of it.
    pub kind: Kind,
    /// How many times before.
    pub number: i64,
    /// When it was made.
    pub at: Millis,
    /// How the message stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next.
    pub next: Millis,
    /// What is told, as JSON.
    pub body: String,
    /// Why it was not taken, the last time.
    pub error: String,
    /// When it was taken.
    pub sent: Option<Millis>,
}

/// What came of sending a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The message.
    pub message: String,
    /// How it stands now.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next.
    pub next: Millis,
    /// Why it was not taken.
    pub error: String,
    /// When it was.
    pub sent: Option<Millis>,
}

impl Store {
    /// All channels: they are few.
    ///
    /// # Errors
    /// The database is away.
    pub async fn channels(&self) -> Result<Vec<ChannelRow>, StoreError> {
        let mut sql = self.sql(CHANNEL);
        sql.text(" ORDER BY project, name");
        self.fetch(sql).await?.iter().map(channel).collect()
    }

    /// What was told of alerts that are open, or were over at this instant or later.
    ///
    /// # Errors
    /// The database is away.
    pub async fn told(&self, ended: Millis) -> Result<Vec<Told>, StoreError> {
        let mut sql = self.sql(
            "SELECT d.channel, d.alert, d.kind, d.number, d.at FROM CLOCKWRIGHT_DELIVERY d JOIN CLOCKWRIGHT_ALERT a ON a.id = d.alert",
        );
        sql.is("(a.state IN ('firing', 'acked') OR a.ended >= ", ended);
        sql.text(")");
        let told = |row: &Row| {
            Ok(Told {
                channel: row.text(0)?,
                alert: row.text(1)?,
                kind: kind(&row.text(2)?)?,
                number: row.int(3)?,
                at: row.int(4)?,
            })
        };
        self.fetch(sql).await?.iter().map(told).collect()
    }

    /// Puts messages into the outbox. What is there already was told by another leader.
    ///
    /// # Errors
    /// [`StoreError::TermOver`], [`StoreError::Taken`]; the database is away.
    pub async fn insert_deliveries(&self, term: i64, rows: &[DeliveryRow]) -> Result<(), StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        for rows in rows.chunks(500) {
            let mut sql = self.sql(
                "INSERT INTO CLOCKWRIGHT_DELIVERY (id, message, channel, project, alert, kind, number, at, state, tries, next, body, \
                 error, sent)",
            );
            let values = |row: &DeliveryRow| -> [Value<'static>; 14] {
                [
                    row.id.clone().into(),
                    row.message.clone().into(),
                    row.channel.clone().into(),
                    row.project.into(),
                    row.alert.clone().into(),
                    row.kind.word().into(),
                    row.number.into(),
                    row.at.into(),
                    row.state.word().into(),
                    row.tries.into(),
                    row.next.into(),
                    row.body.clone().into(),
                    "".into(),
                    Value::Int(None),
                ]
            };
            sql.rows(rows.iter().map(values));
            tx.execute(sql).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The channels that have messages which are due.
    ///
    /// # Errors
    /// The database is away.
    pub async fn channels_due(&self, now: Millis) -> Result<Vec<String>, StoreError> {
        let mut sql = self.sql("SELECT DISTINCT channel FROM CLOCKWRIGHT_DELIVERY");
        sql.must("state = 'waiting'");
        sql.is("next <= ", now);
        self.fetch(sql).await?.iter().map(|row| Ok(row.text(0)?)).collect()
    }

    /// The rows of a channel's messages that are due, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn deliveries_due(
        &self,
        channel: &str,
        now: Millis,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut sql = self.sql("SELECT DISTINCT message, next FROM CLOCKWRIGHT_DELIVERY");
        sql.must("state = 'waiting'");
        sql.is("next <= ", now);
        sql.is("channel = ", channel);
        sql.text(" ORDER BY next, message LIMIT ");
        sql.bind(limit);
        let messages = self.fetch(sql).await?;
        let messages = messages.iter().map(|row| Ok(row.text(0)?)).collect::<Result<Vec<_>, StoreError>>()?;
        self.messages(&messages).await
    }

    /// The rows of these messages.
    ///
    /// # Errors
    /// The database is away.
    pub async fn messages(&self, ids: &[String]) -> Result<Vec<DeliveryRow>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql(DELIVERY);
        sql.must("message IN (");
        sql.list(ids.iter().map(String::as_str));
        sql.text(" ORDER BY next, message, at, id");
        self.fetch(sql).await?.iter().map(delivery).collect()
    }

    /// Rows of messages of these channels, the newest first, behind the message of this instant and id.
    ///
    /// # Errors
    /// The database is away.
    pub async fn deliveries(
        &self,
        channels: &[String],
        state: Option<DeliveryState>,
        after: Option<(Millis, String)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        if channels.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.sql("SELECT DISTINCT message, at FROM CLOCKWRIGHT_DELIVERY");
        sql.must("channel IN (");
        sql.list(channels.iter().map(String::as_str));
        sql.may("state = ", state.map(DeliveryState::word));
        if let Some((at, id)) = after {
            behind(&mut sql, at, " AND message < ", id);
        }
        sql.text(" ORDER BY at DESC, message DESC LIMIT ");
        sql.bind(limit);
        let found = self.fetch(sql).await?;
        let ids = found.iter().map(|row| Ok(row.text(0)?)).collect::<Result<Vec<_>, StoreError>>()?;
        let mut rows = self.messages(&ids).await?;
        rows.sort_by(|a, b| (b.at, &b.message, &a.id).cmp(&(a.at, &a.message, &b.id)));
        Ok(rows)
    }

    /// Channels with messages that are not tried any more, since this instant, and why.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dead(&self, since: Millis) -> Result<Vec<(String, String)>, StoreError> {
        let mut sql = self.sql("SELECT channel, MAX(error) FROM CLOCKWRIGHT_DELIVERY");
        sql.must("state = 'dead'");
        sql.is("next >= ", since);
        sql.text(" GROUP BY channel");
        self.fetch(sql).await?.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }

    /// Notes what came of sending a message.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn delivered(&self, term: i64, outcome: &Outcome) -> Result<(), StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_DELIVERY SET state = ");
        sql.bind(outcome.state.word());
        sql.text(", tries = ");
        sql.bind(outcome.tries);
        sql.text(", next = ");
        sql.bind(outcome.next);
        sql.text(", error = ");
        sql.bind(words_of(&outcome.error, 500));
        sql.text(", sent = ");
        sql.bind(outcome.sent);
        sql.is("message = ", outcome.message.as_str());
        tx.execute(sql).await?;
        Ok(tx.commit().await?)
    }
}

impl Change {
    /// Makes a channel.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: its name is.
    pub async fn insert_channel(&mut self, row: &ChannelRow) -> Result<(), StoreError> {
        let mut sql = self
            .sql("INSERT INTO CLOCKWRIGHT_CHANNEL (id, project, name, kind, what, sealed, state, version)");
        let values: [Value<'_>; 8] = [
            row.id.as_str().into(),
            row.project.into(),
            row.name.as_str().into(),
            row.kind.word().into(),
            text(&row.what).into(),
            row.sealed.as_str().into(),
            on(row.enabled).into(),
            row.version.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Writes a channel over that of its version; false when it has another one by now. The version grows by one.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: its new name is.
    pub async fn update_channel(&mut self, row: &ChannelRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_CHANNEL SET version = version + 1, name = ");
        sql.bind(row.name.as_str());
        sql.text(", what = ");
        sql.bind(text(&row.what));
        sql.text(", sealed = ");
        sql.bind(row.sealed.as_str());
        sql.text(", state = ");
        sql.bind(on(row.enabled));
        sql.is("id = ", row.id.as_str());
        sql.is("version = ", row.version);
        Ok(self.execute(sql).await? == 1)
    }

    /// Removes a channel of this version, with what waits for it; false when it has another one by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_channel(&mut self, id: &str, version: i64) -> Result<bool, StoreError> {
        if !self.delete_at("DELETE FROM CLOCKWRIGHT_CHANNEL", id, version).await? {
            return Ok(false);
        }
        let mut sql = self.sql("DELETE FROM CLOCKWRIGHT_DELIVERY");
        sql.is("channel = ", id);
        sql.must("state <> 'sent'");
        self.execute(sql).await?;
        Ok(true)
    }

    /// A message is to be sent again, at once; false when it is waiting already.
    ///
    /// # Errors
    /// The database is away.
    pub async fn deliver_again(&mut self, message: &str) -> Result<bool, StoreError> {
        let now = self.now();
        let mut sql = self.sql(
            "UPDATE CLOCKWRIGHT_DELIVERY SET state = 'waiting', tries = 0, sent = NULL, error = '', next = ",
        );
        sql.bind(now);
        sql.is("message = ", message);
        sql.must("state <> 'waiting'");
        Ok(self.execute(sql).await? > 0)
    }
}

fn kind(word: &str) -> Result<Kind, StoreError> {
    Kind::of(word).ok_or_else(|| unknown("kind of delivery", word))
}

fn channel(row: &Row) -> Result<ChannelRow, StoreError> {
    let word = row.text(3)?;
    Ok(ChannelRow {
        id: row.text(0)?,
        project: row.int(1)?,
        name: row.text(2)?,
        kind: ChannelKind::of(&word).ok_or_else(|| unknown("kind of channel", &word))?,
        what: read(&row.text(4)?)?,
        sealed: row.text(5)?,
        enabled: row.text(6)? == "on",
        version: row.int(7)?,
    })
}

fn delivery(row: &Row) -> Result<DeliveryRow, StoreError> {
    let state = row.text(8)?;
    Ok(DeliveryRow {
        id: row.text(0)?,
        message: row.text(1)?,
        channel: row.text(2)?,
        project: row.int(3)?,
        alert: row.text(4)?,
        kind: kind(&row.text(5)?)?,
        number: row.int(6)?,
        at: row.int(7)?,
        state: DeliveryState::of(&state).ok_or_else(|| unknown("state of a delivery", &state))?,
        tries: row.int(9)?,
        next: row.int(10)?,
        body: row.text(11)?,
        error: row.text(12)?,
        sent: row.maybe_int(13)?,
    })
}
