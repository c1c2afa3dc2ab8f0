//! What no outbox can tell: the database itself is away, and with it alerts, channels and terms.
//!
//! Each server knows the channels of all projects from the last look at the database, and sends once by itself what they would be told: that it
//! is away, when that has lasted as long as the rule says; and afterwards, once, that it is back. Two servers that see it both tell it: they
//! cannot ask each other. When the database is back, the journal is told what was sent.

use super::send::{Message, Secrets, Sent};
use crate::app::App;
use crate::decide::alerts::notify::Kind;
use crate::decide::alerts::text::{self, Notice};
use crate::decide::chain::{Actor, done, target};
use crate::store::{ChannelRow, RuleRow, StoreError};
use clockwright_api::At;
use clockwright_api::alerts::Condition;
use clockwright_model::Millis;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How often the database is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// What a server knows by itself.
#[derive(Default)]
pub struct Own {
    rule: Option<RuleRow>,
    channels: Vec<ChannelRow>,
    /// Since when the database is away.
    since: Option<Millis>,
    /// It was told.
    told: bool,
}

/// Watches the database until it is dropped.
pub(crate) async fn watch(app: Arc<App>) {
    let (mut own, pulse) = (Own::default(), app.pulses.begin("alarm"));
    loop {
        pulse.during(own.turn(&app)).await;
        pulse.during(tokio::time::sleep(EVERY)).await;
    }
}

impl Own {
    /// One look.
    pub async fn turn(&mut self, app: &App) {
        match self.learn(app).await {
            Err(StoreError::Away(_)) => self.away(app).await,
            // What answers is there, also with something that this program does not understand.
            _ => self.back(app).await,
        }
    }

    async fn learn(&mut self, app: &App) -> Result<(), StoreError> {
        let rules = app.store.rules().await?;
        let channels = app.store.channels().await?;
        self.rule = rules.into_iter().find(|rule| rule.id == Condition::DatabaseAway.word() && rule.enabled);
        let hears = |row: &ChannelRow| {
            let rule = self.rule.as_ref();
            row.enabled
                && row.project == 0
                && rule.is_some_and(|rule| rule.channels.is_empty() || rule.channels.contains(&row.id))
        };
        self.channels = channels.into_iter().filter(hears).collect();
        Ok(())
    }

    async fn away(&mut self, app: &App) {
        let now = app.now();
        let since = *self.since.get_or_insert(now);
        let Some(rule) = &self.rule else { return };
        if !self.told && now - since >= rule.wait {
            self.told = true;
            self.send(app, Kind::Opened, since).await;
        }
    }

    async fn back(&mut self, app: &App) {
        let Some(since) = self.since.take() else { return };
        if !std::mem::take(&mut self.told) {
            return;
        }
        let sent = self.send(app, Kind::Ended, since).await;
        if let Err(error) = note(app, since, sent).await {
            tracing::warn!(%error, "the journal is not told that channels were told of the database");
        }
    }

    /// Sends to all channels; to how many.
    async fn send(&self, app: &App, kind: Kind, since: Millis) -> usize {
        let now = app.now();
        let Some(rule) = &self.rule else { return 0 };
        let notices = [Notice {
            event: kind.word().to_owned(),
            alert: String::new(),
            condition: Condition::DatabaseAway,
            severity: rule.severity,
            project: None,
            job: None,
            item: None,
            at: At(since),
            ended_at: (kind == Kind::Ended).then_some(At(now)),
            count: 1,
            params: json!({}),
        }];
        let mut taken = 0;
        for row in &self.channels {
            let id = uuid::Uuid::now_v7().to_string();
            let text = text::write(&notices, row.what.language, &app.config.public_url);
            let message = Message { id: &id, text, notices: &notices, now };
            let sent = match Secrets::open(app, row) {
                Ok(secrets) => app.post.send(row, &secrets, &message).await,
                Err(why) => Sent::Never(why),
            };
            match sent {
                Sent::Taken(_) => taken += 1,
                Sent::Later(why, _) | Sent::Never(why) => {
                    tracing::warn!(channel = row.name, why, "a channel is not told of the database");
                }
            }
        }
        taken
    }
}

async fn note(app: &App, since: Millis, channels: usize) -> Result<(), StoreError> {
    let mut change = app.store.begin(Actor::server("alerts"), app.now()).await?;
    let rule = Condition::DatabaseAway.word();
    let facts = json!({ "since": At(since), "channels": channels });
    change.record(done("alert.sent-alone", 0, target("rule", rule, rule), facts, ""));
    change.commit().await?;
    app.changed();
    Ok(())
}
