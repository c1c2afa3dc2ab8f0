//! What nobody who leads can tell: the database is away, and with it alerts, channels and terms; or the registry `home`, by which whoever leads is
//! elected.
//!
//! Each server knows the channels of all projects from the last look at the database, and sends once by itself what they would be told: that one of
//! the two is away, when that has lasted as long as the rule says and no silence is about it; and afterwards, once, that it is back. Two servers that
//! see it both tell it: they cannot ask each other. When the database is there, the journal is told what was sent.

use super::send::{Message, Secrets, Sent};
use super::tell::quiet;
use crate::app::App;
use crate::config::HOME;
use crate::decide::alerts::notify::Kind;
use crate::decide::alerts::quiet::Quiet;
use crate::decide::alerts::text::{self, Notice};
use crate::decide::chain::{Actor, done, target};
use crate::registries::NoSession;
use crate::store::{ChannelRow, RuleRow, StoreError};
use clockwright_api::At;
use clockwright_api::alerts::Condition;
use clockwright_model::Millis;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(5);

/// What a server knows by itself.
pub struct Own {
    database: Watched,
    home: Watched,
    channels: Vec<ChannelRow>,
    silences: Vec<Quiet>,
}

/// One of the two.
struct Watched {
    condition: Condition,
    rule: Option<RuleRow>,
    /// Since when it is away.
    since: Option<Millis>,
    /// It was told.
    told: bool,
}

impl Default for Own {
    fn default() -> Self {
        let watched = |condition| Watched { condition, rule: None, since: None, told: false };
        Self {
            database: watched(Condition::DatabaseAway),
            home: watched(Condition::RegistryAway),
            channels: Vec::new(),
            silences: Vec::new(),
        }
    }
}

/// Watches until it is dropped.
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
        // What answers is there, also with something that this program does not understand.
        let database_away = matches!(self.learn(app).await, Err(StoreError::Away(_)));
        let home_away = matches!(app.registries.session(HOME).await, Err(NoSession::Away { .. }));
        let Self { database, home, channels, silences } = self;
        for (watched, is_away) in [(database, database_away), (home, home_away)] {
            watched.turn(app, is_away, channels, silences).await;
        }
    }

    async fn learn(&mut self, app: &App) -> Result<(), StoreError> {
        let rules = app.store.rules().await?;
        let (channels, silences) = (app.store.channels().await?, app.store.silences(app.now()).await?);
        for watched in [&mut self.database, &mut self.home] {
            let word = watched.condition.word();
            watched.rule = rules.iter().find(|rule| rule.id == word && rule.enabled).cloned();
        }
        self.channels = channels.into_iter().filter(|row| row.enabled && row.project == 0).collect();
        self.silences = silences.iter().map(quiet).collect();
        Ok(())
    }
}

impl Watched {
    async fn turn(&mut self, app: &App, is_away: bool, channels: &[ChannelRow], silences: &[Quiet]) {
        let now = app.now();
        if is_away {
            let since = *self.since.get_or_insert(now);
            let Some(rule) = &self.rule else { return };
            let about = |quiet: &Quiet| quiet.is_about(0, "", self.condition, rule.severity);
            let is_quiet = silences.iter().any(|quiet| quiet.holds(now) && about(quiet));
            if !self.told && now - since >= rule.wait && !is_quiet {
                self.told = true;
                self.send(app, rule, channels, Kind::Opened, since).await;
            }
            return;
        }
        let (since, told) = (self.since.take(), std::mem::take(&mut self.told));
        if let (Some(rule), Some(since), true) = (&self.rule, since, told) {
            let sent = self.send(app, rule, channels, Kind::Ended, since).await;
            if let Err(error) = note(app, rule, since, sent).await {
                tracing::warn!(%error, "the journal is not told that channels were told of what was away");
            }
        }
    }

    /// Sends to the channels that are to hear it; to how many.
    async fn send(
        &self,
        app: &App,
        rule: &RuleRow,
        channels: &[ChannelRow],
        kind: Kind,
        since: Millis,
    ) -> usize {
        let now = app.now();
        let notices = [Notice {
            event: kind.word().to_owned(),
            alert: String::new(),
            condition: self.condition,
            severity: rule.severity,
            project: None,
            job: None,
            item: None,
            at: At(since),
            ended_at: (kind == Kind::Ended).then_some(At(now)),
            count: 1,
            params: if self.condition == Condition::RegistryAway {
                json!({ "thing": HOME })
            } else {
                json!({})
            },
        }];
        let mut taken = 0;
        for row in channels.iter().filter(|row| rule.channels.is_empty() || rule.channels.contains(&row.id)) {
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
                    tracing::warn!(channel = row.name, why, "a channel is not told of what is away");
                }
            }
        }
        taken
    }
}

async fn note(app: &App, rule: &RuleRow, since: Millis, channels: usize) -> Result<(), StoreError> {
    let mut change = app.store.begin(Actor::server("alerts"), app.now()).await?;
    let rule = rule.id.as_str();
    let facts = json!({ "since": At(since), "channels": channels });
    change.record(done("alert.sent-alone", 0, target("rule", rule, rule), facts, ""));
    change.commit().await?;
    app.changed();
    Ok(())
}
