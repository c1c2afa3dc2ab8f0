//! Alerts: what is the matter, who is told, and that they are.
//!
//! ```text
//! mirror, last outcomes, journal, the servers themselves
//!    └─ look ─▶ findings ─ decide::alerts ─▶ ALERT rows, records of the journal ─▶ streams of all servers
//!                                              └─ tell ─▶ DELIVERY rows ─ send ─▶ channels
//! ```
//!
//! - **Who**: whoever leads, within its term. Last outcomes and live states are in memory and deadlines are numbers; a history is asked once
//!   a minute, for what it lost.
//! - **What opens and what is over** is a change with a record, so each server tells its streams. What happens once more only counts.
//! - **Rules** that are there from the beginning are rows like others, with the condition's word as their id; what is missing of them is made at
//!   the start of a term. They can be changed and turned off, and not removed.
//! - **Crashes.** An alert opens once by its print's unique key, a message is made once by the unique key of what it tells, and is sent at
//!   least once: between the sending and the note of it the same message may go twice, with the same id.
//! - **A database that is away** cannot be told by what stands in it: see [`own`].

mod look;
pub mod own;
pub mod send;
mod tell;

pub(crate) use look::DEAD;
pub(crate) use tell::quiet;

use crate::app::App;
use crate::chores::{Term, Turn};
use crate::decide::alerts::{Change, Finding, Memory, Open, Rule};
use crate::decide::chain::{Actor, Record, done, target};
use crate::store::{Again, AlertRow, AlertState, RuleRow, RuleWhat, StoreError};
use clockwright_api::alerts::{AlertEvent, Condition};
use clockwright_model::{Language, Millis};
use look::Looker;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// How many alerts one change opens or ends.
const BATCH: usize = 200;

/// The chore: looks and tells for as long as the term lasts.
pub(crate) async fn watch(app: Arc<App>, term: Term) -> Turn {
    let mut watch = Watch::begin(&app, term.clone()).await?;
    while term.holds() {
        watch.turn(&app).await?;
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

/// What is remembered from one look to the next.
pub struct Watch {
    term: Term,
    memory: Memory,
    looker: Looker,
}

impl Watch {
    /// Begins with what the database has.
    ///
    /// # Errors
    /// The database is away; the term is over.
    pub async fn begin(app: &App, term: Term) -> Result<Self, StoreError> {
        plant(app, &term).await?;
        let rules = app.store.rules().await?;
        let waits = |id: &str| rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.wait);
        let open: Vec<Open> = app.store.alerts_since(Millis::MAX).await?.into_iter().map(open).collect();
        let looker = Looker::begin(app, &open).await?;
        let memory = Memory::of(open, waits, app.now());
        Ok(Self { term, memory, looker })
    }

    /// Looks at everything, writes what follows, and says what is to be told.
    ///
    /// # Errors
    /// The database is away; the term is over.
    pub async fn turn(&mut self, app: &App) -> Result<(), StoreError> {
        let rows = app.store.rules().await?;
        let rules: Vec<Rule> = rows.iter().map(judge).collect();
        let now = app.now();
        let look = self.looker.look(app, &rules, self.memory.open(), now).await?;
        let changes = self.memory.step(look, now);
        self.write(app, changes, now).await?;
        tell::turn(app, &self.term, &rows, now).await
    }

    async fn write(&mut self, app: &App, changes: Vec<Change>, now: Millis) -> Result<(), StoreError> {
        let (mut opens, mut again, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Open(finding) => opens.push(finding),
                Change::Again { id, finding } => again.push((id, finding)),
                Change::Resolve(open) => ends.push(open),
            }
        }
        for findings in opens.chunks(BATCH) {
            self.open(app, findings, now).await?;
        }
        for ends in ends.chunks(BATCH) {
            self.end(app, ends).await?;
        }
        for again in again.chunks(BATCH) {
            let rows: Vec<Again> = again
                .iter()
                .map(|(id, finding)| Again {
                    id: id.clone(),
                    mark: finding.mark.clone(),
                    text: finding.condition.say(&finding.params, Language::English),
                    params: finding.params.clone(),
                })
                .collect();
            self.term.check(app.store.alert_again(self.term.number(), &rows, now)).await?;
            for (id, finding) in again {
                self.memory.opened(&finding.subject, id, &finding.mark);
            }
        }
        Ok(())
    }

    async fn open(&mut self, app: &App, findings: &[Finding], now: Millis) -> Result<(), StoreError> {
        let mut change = self.term.begin(app, Actor::server("alerts")).await?;
        let rows: Vec<(AlertRow, String)> =
            findings.iter().map(|finding| (row(finding, now), finding.subject.print())).collect();
        change.insert_alerts(&rows).await?;
        for (row, _) in &rows {
            change.record(record("alert.open", row, ""));
        }
        change.commit().await?;
        app.changed();
        for (finding, (row, _)) in findings.iter().zip(&rows) {
            self.memory.opened(&finding.subject, &row.id, &row.mark);
        }
        Ok(())
    }

    async fn end(&mut self, app: &App, ends: &[Open]) -> Result<(), StoreError> {
        let rows = app.store.alerts_of(ends.iter().map(|open| open.id.as_str())).await?;
        if !rows.is_empty() {
            let mut change = self.term.begin(app, Actor::server("alerts")).await?;
            for row in &rows {
                change.end_alert(&row.id).await?;
                change.record(record("alert.resolve", row, ""));
            }
            change.commit().await?;
            app.changed();
        }
        ends.iter().for_each(|open| self.memory.ended(&open.subject));
        Ok(())
    }
}

/// Makes the rules that are there from the beginning, as far as they are missing.
async fn plant(app: &App, term: &Term) -> Result<(), StoreError> {
    let known = app.store.rules().await?;
    let missing: Vec<Condition> = Condition::ALL
        .iter()
        .copied()
        .filter(|condition| known.iter().all(|rule| rule.id != condition.word()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut change = term.begin(app, Actor::server("alerts")).await?;
    for condition in missing {
        let usual = condition.usual();
        let row = RuleRow {
            id: condition.word().to_owned(),
            project: 0,
            name: condition.word().replace('_', " "),
            condition,
            what: RuleWhat { jobs: String::new(), threshold: usual.threshold.unwrap_or_default() },
            severity: usual.severity,
            wait: Millis::from(usual.wait) * 1_000,
            channels: Vec::new(),
            enabled: true,
            version: 1,
        };
        change.insert_rule(&row).await?;
        change.record(done("rule.create", 0, target("rule", &row.id, &row.name), Value::Null, ""));
    }
    change.commit().await?;
    app.changed();
    Ok(())
}

fn judge(row: &RuleRow) -> Rule {
    Rule {
        id: row.id.clone(),
        project: row.project,
        condition: row.condition,
        jobs: row.what.jobs.clone(),
        threshold: row.what.threshold,
        wait: row.wait,
        severity: row.severity,
        enabled: row.enabled,
    }
}

fn open(row: AlertRow) -> Open {
    let AlertRow { id, rule, project, job, item, thing, condition, mark, .. } = row;
    Open { id, subject: crate::decide::alerts::Subject { rule, project, job, item, thing }, condition, mark }
}

fn row(finding: &Finding, now: Millis) -> AlertRow {
    let subject = &finding.subject;
    AlertRow {
        id: uuid::Uuid::now_v7().to_string(),
        rule: subject.rule.clone(),
        project: subject.project,
        job: subject.job,
        item: subject.item,
        thing: subject.thing.clone(),
        condition: finding.condition,
        mark: finding.mark.clone(),
        severity: finding.severity,
        state: AlertState::Firing,
        at: now,
        last: now,
        count: 1,
        ended: None,
        ack_by: String::new(),
        ack_at: None,
        ack_note: String::new(),
        text: finding.condition.say(&finding.params, Language::English),
        params: finding.params.clone(),
    }
}

/// The job's name, as the alert knows it.
pub(crate) fn job_of(row: &AlertRow) -> Option<String> {
    row.params["job"].as_str().map(str::to_owned)
}

/// A record about an alert; streams make their event of it.
pub(crate) fn record(action: &'static str, row: &AlertRow, reason: &str) -> Record {
    let changes = serde_json::json!({
        "condition": row.condition, "severity": row.severity, "job": job_of(row), "text": row.text,
    });
    done(action, row.project, target("alert", &row.id, row.condition.word()), changes, reason)
}

/// What a stream tells of such a record; `None` for a record about something else.
pub(crate) fn event(app: &App, link: &crate::decide::chain::Link) -> Option<AlertEvent> {
    let fields = &link.fields;
    let what = match fields.action.as_str() {
        "alert.open" => "opened",
        "alert.resolve" => "resolved",
        "alert.ack" | "alert.unack" => "changed",
        _ => return None,
    };
    let told: Value = serde_json::from_str(&fields.changes).unwrap_or_default();
    let text = |key: &str| told[key].as_str().map(str::to_owned);
    Some(AlertEvent {
        id: fields.target.clone(),
        what: what.to_owned(),
        condition: fields.target_name.clone(),
        severity: text("severity").unwrap_or_default(),
        project: app.catalogue.project_of(fields.project).map(|project| project.name.clone()),
        job: text("job"),
        text: text("text").unwrap_or_default(),
    })
}
