//! Rules, alerts and silences.

use super::jobs::unknown;
use super::projects::read;
use super::{Change, Store, StoreError};
use crate::decide::chain::{self, words};
use clockwright_api::alerts::{Condition, Severity, Weekly};
use clockwright_model::{Item, Millis};
use clockwright_sql::text::{clean, fit};
use clockwright_sql::{Row, Sql, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

const RULE: &str =
    "SELECT id, project, name, kind, what, severity, wait, channels, state, version FROM CLOCKWRIGHT_RULE";
const ALERT: &str = "SELECT id, rule, project, job, item, thing, kind, mark, severity, state, at, last, count, ended, ack_by, ack_at, \
                     ack_note, text, facts FROM CLOCKWRIGHT_ALERT";
const SILENCE: &str =
    "SELECT id, project, matchers, starts, ends, weekly, by_id, reason, version FROM CLOCKWRIGHT_SILENCE";

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Its id; of one that is there from the beginning, the condition's word.
    pub id: String,
    /// The project; 0 for all.
    pub project: i64,
    /// For people.
    pub name: String,
    /// What is told.
    pub condition: Condition,
    /// The rest.
    pub what: RuleWhat,
    /// How bad it is.
    pub severity: Severity,
    /// How long it must last, milliseconds.
    pub wait: Millis,
    /// Ids of the channels that are told; empty for all.
    pub channels: Vec<String>,
    /// It tells something.
    pub enabled: bool,
    /// Grows with each change.
    pub version: i64,
}

/// What a rule says besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleWhat {
    /// The pattern of the jobs' names; empty for all.
    pub jobs: String,
    /// From which number on.
    pub threshold: i64,
}

words! {
    /// How an alert stands.
    AlertState {
        /// It is open.
        Firing "firing",
        /// It is open, and somebody has taken it up.
        Acked "acked",
        /// It is over.
        Resolved "resolved",
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// Its id.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// The project; 0 for none.
    pub project: i64,
    /// The job; 0 for none.
    pub job: i64,
    /// The item.
    pub item: Option<Item>,
    /// The registry, store, channel or key; empty for none.
    pub thing: String,
    /// What is the matter.
    pub condition: Condition,
    /// Changes when it happens once more.
    pub mark: String,
    /// How bad it is.
    pub severity: Severity,
    /// How it stands.
    pub state: AlertState,
    /// When it opened.
    pub at: Millis,
    /// When it happened last.
    pub last: Millis,
    /// How often it happened.
    pub count: i64,
    /// When it was over.
    pub ended: Option<Millis>,
    /// Who has taken it up, by id; empty for nobody.
    pub ack_by: String,
    /// When.
    pub ack_at: Option<Millis>,
    /// In their words.
    pub ack_note: String,
    /// The sentence, in English.
    pub text: String,
    /// What it is made of.
    pub params: Json,
}

/// Which alerts are asked for. Each part that is there narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Of these projects; 0 for what concerns none.
    pub projects: Option<Vec<i64>>,
    /// Of this job.
    pub job: Option<i64>,
    /// True: only those that are open.
    pub open: bool,
    /// In this state.
    pub state: Option<AlertState>,
    /// Of this condition.
    pub condition: Option<Condition>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Behind the one of this instant and id.
    pub after: Option<(Millis, String)>,
    /// At most so many.
    pub limit: u32,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRow {
    /// Its id.
    pub id: String,
    /// The project; 0 for all.
    pub project: i64,
    /// What it is about.
    pub matchers: Matchers,
    /// From when on.
    pub starts: Millis,
    /// Until when.
    pub ends: Millis,
    /// Only at these times of the week.
    pub weekly: Option<Weekly>,
    /// Who made it, by id.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Grows with each change.
    pub version: i64,
}

/// What a silence is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matchers {
    /// The pattern of the jobs' names; empty for all.
    pub jobs: String,
    /// The conditions; empty for all.
    pub conditions: Vec<Condition>,
    /// The severities; empty for all.
    pub severities: Vec<Severity>,
}

impl Store {
    /// All rules: they are few.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rules(&self) -> Result<Vec<RuleRow>, StoreError> {
        let mut sql = self.sql(RULE);
        sql.text(" ORDER BY project, name, id");
        self.fetch(sql).await?.iter().map(rule).collect()
    }

    /// Alerts, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>, StoreError> {
        let mut sql = self.sql(ALERT);
        if let Some(projects) = &filter.projects {
            sql.must("project IN (");
            // A list without anything in it is none.
            sql.list(projects.iter().copied().chain([-1]));
        }
        sql.may("job = ", filter.job);
        if filter.open {
            sql.must("open = ''");
        }
        sql.may("state = ", filter.state.map(AlertState::word));
        sql.may("kind = ", filter.condition.map(Condition::word));
        sql.may("severity = ", filter.severity.map(Severity::word));
        if let Some((at, id)) = &filter.after {
            behind(&mut sql, *at, " AND id < ", id.clone());
        }
        sql.text(" ORDER BY at DESC, id DESC LIMIT ");
        sql.bind(filter.limit);
        self.fetch(sql).await?.iter().map(alert).collect()
    }

    /// Those that are open, and those that were over at this instant or later.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts_since(&self, ended: Millis) -> Result<Vec<AlertRow>, StoreError> {
        let mut sql = self.sql(ALERT);
        sql.is("(state IN ('firing', 'acked') OR ended >= ", ended);
        sql.text(") ORDER BY at, id");
        self.fetch(sql).await?.iter().map(alert).collect()
    }

    /// The alerts of these ids, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alerts_of<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<AlertRow>, StoreError> {
        let mut sql = self.sql(ALERT);
        sql.must("id IN (");
        sql.list(ids);
        sql.text(" ORDER BY at, id");
        self.fetch(sql).await?.iter().map(alert).collect()
    }

    /// An alert.
    ///
    /// # Errors
    /// The database is away.
    pub async fn alert(&self, id: &str) -> Result<Option<AlertRow>, StoreError> {
        let mut sql = self.sql(ALERT);
        sql.is("id = ", id);
        self.fetch(sql).await?.first().map(alert).transpose()
    }

    /// All silences that are not over at this instant.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silences(&self, now: Millis) -> Result<Vec<SilenceRow>, StoreError> {
        let mut sql = self.sql(SILENCE);
        sql.is("ends > ", now);
        sql.text(" ORDER BY ends, id");
        self.fetch(sql).await?.iter().map(silence).collect()
    }

    /// A silence.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silence(&self, id: &str) -> Result<Option<SilenceRow>, StoreError> {
        let mut sql = self.sql(SILENCE);
        sql.is("id = ", id);
        self.fetch(sql).await?.first().map(silence).transpose()
    }

    /// How many jobs of which projects are held until somebody confirms.
    ///
    /// # Errors
    /// The database is away.
    pub async fn held(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = self.sql(
            "SELECT j.project, COUNT(*) FROM CLOCKWRIGHT_SYNC s JOIN CLOCKWRIGHT_JOB j ON j.id = s.job \
             WHERE s.state = 'held' GROUP BY j.project",
        );
        self.fetch(sql).await?.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// An alert happened once more. The journal does not tell it.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn alert_again(&self, term: i64, again: &[Again], now: Millis) -> Result<(), StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        for one in again {
            let mut sql = self.sql("UPDATE CLOCKWRIGHT_ALERT SET count = count + 1, last = ");
            sql.bind(now);
            sql.text(", mark = ");
            sql.bind(fit(&one.mark, 64).into_owned());
            sql.text(", text = ");
            sql.bind(words_of(&one.text, 1_000));
            sql.text(", facts = ");
            sql.bind(one.params.to_string());
            sql.is("id = ", one.id.as_str());
            sql.must("open = ''");
            tx.execute(sql).await?;
        }
        Ok(tx.commit().await?)
    }
}

impl Store {
    /// Removes alerts, silences and messages that were over at this instant; how many rows went.
    ///
    /// # Errors
    /// [`StoreError::TermOver`]; the database is away.
    pub async fn expire_alerts(&self, term: i64, before: Millis) -> Result<u64, StoreError> {
        let mut tx = self.write_in(Some(term)).await?;
        let mut gone = 0;
        for (delete, condition) in [
            ("DELETE FROM CLOCKWRIGHT_ALERT", "ended <= "),
            ("DELETE FROM CLOCKWRIGHT_SILENCE", "ends <= "),
            ("DELETE FROM CLOCKWRIGHT_DELIVERY", "state <> 'waiting' AND at <= "),
        ] {
            let mut sql = self.sql(delete);
            sql.is(condition, before);
            gone += tx.execute(sql).await?;
        }
        tx.commit().await?;
        Ok(gone)
    }
}

/// What is new of an alert that happened once more.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The alert.
    pub id: String,
    /// The mark of this time.
    pub mark: String,
    /// The sentence.
    pub text: String,
    /// What it is made of.
    pub params: Json,
}

impl Change {
    /// Makes a rule.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: its id is.
    pub async fn insert_rule(&mut self, row: &RuleRow) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_RULE (id, project, name, kind, what, severity, wait, channels, state, version)",
        );
        let values: [Value<'_>; 10] = [
            row.id.as_str().into(),
            row.project.into(),
            row.name.as_str().into(),
            row.condition.word().into(),
            text(&row.what).into(),
            row.severity.word().into(),
            row.wait.into(),
            text(&row.channels).into(),
            on(row.enabled).into(),
            row.version.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Writes a rule over that of its version; false when it has another one by now. The version grows by one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_rule(&mut self, row: &RuleRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_RULE SET version = version + 1, name = ");
        sql.bind(row.name.as_str());
        sql.text(", what = ");
        sql.bind(text(&row.what));
        sql.text(", severity = ");
        sql.bind(row.severity.word());
        sql.text(", wait = ");
        sql.bind(row.wait);
        sql.text(", channels = ");
        sql.bind(text(&row.channels));
        sql.text(", state = ");
        sql.bind(on(row.enabled));
        sql.is("id = ", row.id.as_str());
        sql.is("version = ", row.version);
        Ok(self.execute(sql).await? == 1)
    }

    /// Removes a rule of this version; false when it has another one by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_rule(&mut self, id: &str, version: i64) -> Result<bool, StoreError> {
        self.delete_at("DELETE FROM CLOCKWRIGHT_RULE", id, version).await
    }

    /// Removes the row of this id and version.
    pub(super) async fn delete_at(
        &mut self,
        head: &'static str,
        id: &str,
        version: i64,
    ) -> Result<bool, StoreError> {
        let mut sql = self.sql(head);
        sql.is("id = ", id);
        sql.is("version = ", version);
        Ok(self.execute(sql).await? == 1)
    }

    /// Opens alerts.
    ///
    /// # Errors
    /// [`StoreError::Taken`]: one of these prints is open.
    pub async fn insert_alerts(&mut self, rows: &[(AlertRow, String)]) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_ALERT (id, print, open, rule, project, job, item, thing, kind, mark, severity, state, at, last, \
             count, ended, ack_by, ack_at, ack_note, text, facts)",
        );
        let values = |(row, print): &(AlertRow, String)| -> [Value<'static>; 21] {
            [
                row.id.clone().into(),
                print.clone().into(),
                "".into(),
                row.rule.clone().into(),
                row.project.into(),
                row.job.into(),
                Value::Int(row.item.map(i64::from)),
                fit(&row.thing, 200).into_owned().into(),
                row.condition.word().into(),
                fit(&row.mark, 64).into_owned().into(),
                row.severity.word().into(),
                row.state.word().into(),
                row.at.into(),
                row.last.into(),
                row.count.into(),
                Value::Int(None),
                "".into(),
                Value::Int(None),
                "".into(),
                words_of(&row.text, 1_000).into(),
                row.params.to_string().into(),
            ]
        };
        sql.rows(rows.iter().map(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// An alert is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_alert(&mut self, id: &str) -> Result<(), StoreError> {
        let now = self.now();
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_ALERT SET state = 'resolved', open = id, ended = ");
        sql.bind(now);
        sql.is("id = ", id);
        sql.must("open = ''");
        self.execute(sql).await?;
        Ok(())
    }

    /// Somebody takes an alert up, or gives it back; false when it is over by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ack_alert(&mut self, id: &str, ack: Option<(&str, &str)>) -> Result<bool, StoreError> {
        let now = self.now();
        let (state, by, note, at) = match ack {
            Some((by, note)) => (AlertState::Acked, by, note, Some(now)),
            None => (AlertState::Firing, "", "", None),
        };
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_ALERT SET state = ");
        sql.bind(state.word());
        sql.text(", ack_by = ");
        sql.bind(by);
        sql.text(", ack_note = ");
        sql.bind(note);
        sql.text(", ack_at = ");
        sql.bind(at);
        sql.is("id = ", id);
        sql.must("open = ''");
        Ok(self.execute(sql).await? == 1)
    }

    /// Makes a silence.
    ///
    /// # Errors
    /// The database is away.
    pub async fn insert_silence(&mut self, row: &SilenceRow) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO CLOCKWRIGHT_SILENCE (id, project, matchers, starts, ends, weekly, by_id, reason, version)",
        );
        let values: [Value<'_>; 9] = [
            row.id.as_str().into(),
            row.project.into(),
            text(&row.matchers).into(),
            row.starts.into(),
            row.ends.into(),
            text(&row.weekly).into(),
            row.by.as_str().into(),
            row.reason.as_str().into(),
            row.version.into(),
        ];
        sql.rows(std::iter::once(values));
        self.execute(sql).await?;
        Ok(())
    }

    /// Writes a silence, which keeps its project, over that of its version; false when it has another one by now. The version grows by one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn update_silence(&mut self, row: &SilenceRow) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE CLOCKWRIGHT_SILENCE SET version = version + 1, matchers = ");
        sql.bind(text(&row.matchers));
        sql.text(", starts = ");
        sql.bind(row.starts);
        sql.text(", ends = ");
        sql.bind(row.ends);
        sql.text(", weekly = ");
        sql.bind(text(&row.weekly));
        sql.text(", reason = ");
        sql.bind(row.reason.as_str());
        sql.is("id = ", row.id.as_str());
        sql.is("version = ", row.version);
        Ok(self.execute(sql).await? == 1)
    }

    /// Removes a silence of this version; false when it has another one by now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_silence(&mut self, id: &str, version: i64) -> Result<bool, StoreError> {
        self.delete_at("DELETE FROM CLOCKWRIGHT_SILENCE", id, version).await
    }
}

/// Words for people, for a column of so many characters: what is too long is cut. What is compared is cut by [`fit`].
pub(super) fn words_of(text: &str, most: usize) -> String {
    clean(&chain::fit(text, most)).into_owned()
}

/// Asks for what is behind an instant and an id, where the newest is first.
pub(super) fn behind(sql: &mut Sql<'_>, at: Millis, and_id: &'static str, id: String) {
    sql.is("(at < ", at);
    sql.text(" OR at = ");
    sql.bind(at);
    sql.text(and_id);
    sql.bind(id);
    sql.text(")");
}

/// JSON for a column.
pub(super) fn text(value: &impl Serialize) -> String {
    // Our own types are plain data.
    serde_json::to_string(value).unwrap_or_default()
}

/// The word of a state that is on or off.
pub(super) fn on(enabled: bool) -> &'static str {
    if enabled { "on" } else { "off" }
}

fn condition(word: &str) -> Result<Condition, StoreError> {
    Condition::of(word).ok_or_else(|| unknown("condition", word))
}

fn severity(word: &str) -> Result<Severity, StoreError> {
    Severity::of(word).ok_or_else(|| unknown("severity", word))
}

fn rule(row: &Row) -> Result<RuleRow, StoreError> {
    Ok(RuleRow {
        id: row.text(0)?,
        project: row.int(1)?,
        name: row.text(2)?,
        condition: condition(&row.text(3)?)?,
        what: read(&row.text(4)?)?,
        severity: severity(&row.text(5)?)?,
        wait: row.int(6)?,
        channels: read(&row.text(7)?)?,
        enabled: row.text(8)? == "on",
        version: row.int(9)?,
    })
}

fn alert(row: &Row) -> Result<AlertRow, StoreError> {
    let state = row.text(9)?;
    Ok(AlertRow {
        id: row.text(0)?,
        rule: row.text(1)?,
        project: row.int(2)?,
        job: row.int(3)?,
        item: row.maybe_int(4)?.and_then(|item| Item::try_from(item).ok()),
        thing: row.text(5)?,
        condition: condition(&row.text(6)?)?,
        mark: row.text(7)?,
        severity: severity(&row.text(8)?)?,
        state: AlertState::of(&state).ok_or_else(|| unknown("state of an alert", &state))?,
        at: row.int(10)?,
        last: row.int(11)?,
        count: row.int(12)?,
        ended: row.maybe_int(13)?,
        ack_by: row.text(14)?,
        ack_at: row.maybe_int(15)?,
        ack_note: row.text(16)?,
        text: row.text(17)?,
        params: read(&row.text(18)?)?,
    })
}

fn silence(row: &Row) -> Result<SilenceRow, StoreError> {
    Ok(SilenceRow {
        id: row.text(0)?,
        project: row.int(1)?,
        matchers: read(&row.text(2)?)?,
        starts: row.int(3)?,
        ends: row.int(4)?,
        weekly: read(&row.text(5)?)?,
        by: row.text(6)?,
        reason: row.text(7)?,
        version: row.int(8)?,
    })
}
