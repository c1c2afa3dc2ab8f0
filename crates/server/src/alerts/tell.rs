//! What is to be told goes into the outbox.

use crate::app::App;
use crate::chores::Term;
use crate::decide::alerts::notify::{self, Known, Timing};
use crate::decide::alerts::quiet::Quiet;
use crate::decide::alerts::text::Notice;
use crate::store::{
    AlertRow, AlertState, ChannelRow, DeliveryRow, DeliveryState, RuleRow, SilenceRow, StoreError,
};
use clockwright_api::At;
use clockwright_model::Millis;
use std::collections::BTreeMap;

/// How long after its end an alert may still be told to be over.
const KEPT: Millis = 24 * 3_600_000;

/// Puts the messages that are due into the outbox.
pub(super) async fn turn(app: &App, term: &Term, rules: &[RuleRow], now: Millis) -> Result<(), StoreError> {
    let alerts = app.store.alerts_since(now - KEPT).await?;
    let channels: Vec<ChannelRow> =
        app.store.channels().await?.into_iter().filter(|channel| channel.enabled).collect();
    if alerts.is_empty() || channels.is_empty() {
        return Ok(());
    }
    let told = app.store.told(now - KEPT).await?;
    let silences = app.store.silences(now).await?;
    let quiet: Vec<Quiet> = silences.iter().map(quiet).filter(|quiet| quiet.holds(now)).collect();
    let known: Vec<Known> =
        alerts.iter().map(|alert| known(alert, rules, &channels, &told, &quiet)).collect();
    let timing = Timing {
        first: app.config.alert_first,
        every: app.config.alert_every,
        repeat: app.config.alert_repeat,
    };
    let by_id: BTreeMap<&str, &AlertRow> = alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
    let mut rows = Vec::new();
    for message in notify::due(&known, &told, timing, now) {
        let id = uuid::Uuid::now_v7().to_string();
        for (alert, kind, number) in message.parts {
            let Some(row) = by_id.get(alert.as_str()) else { continue };
            rows.push(DeliveryRow {
                id: uuid::Uuid::now_v7().to_string(),
                message: id.clone(),
                channel: message.channel.clone(),
                project: message.project,
                body: serde_json::to_string(&notice(app, row, kind)).unwrap_or_default(),
                alert,
                kind,
                number,
                at: now,
                state: DeliveryState::Waiting,
                tries: 0,
                next: now,
                error: String::new(),
                sent: None,
            });
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    match term.check(app.store.insert_deliveries(term.number(), &rows)).await {
        // The leader before has just told it.
        Err(StoreError::Taken) => Ok(()),
        other => other,
    }
}

/// When it is quiet, and about what.
pub(crate) fn quiet(row: &SilenceRow) -> Quiet {
    Quiet {
        project: row.project,
        jobs: row.matchers.jobs.clone(),
        conditions: row.matchers.conditions.clone(),
        severities: row.matchers.severities.clone(),
        starts: row.starts,
        ends: row.ends,
        weekly: row.weekly.clone(),
    }
}

fn known(
    alert: &AlertRow,
    rules: &[RuleRow],
    channels: &[ChannelRow],
    told: &[notify::Told],
    quiet: &[Quiet],
) -> Known {
    let rule = rules.iter().find(|rule| rule.id == alert.rule);
    let for_all = alert.condition.is_for_all();
    let hears = |channel: &&ChannelRow| {
        let of_project = for_all || channel.project == 0 || channel.project == alert.project;
        of_project
            && match rule {
                Some(rule) => for_all || rule.channels.is_empty() || rule.channels.contains(&channel.id),
                // Who was told of it by a rule that is gone is told that it is over.
                None => told.iter().any(|told| told.alert == alert.id && told.channel == channel.id),
            }
    };
    let job = super::job_of(alert).unwrap_or_default();
    Known {
        id: alert.id.clone(),
        project: alert.project,
        at: alert.at,
        ended: alert.ended,
        acked: alert.state == AlertState::Acked,
        at_once: for_all,
        silent: !for_all
            && quiet.iter().any(|quiet| quiet.is_about(alert.project, &job, alert.condition, alert.severity)),
        channels: channels.iter().filter(hears).map(|channel| channel.id.clone()).collect(),
    }
}

fn notice(app: &App, alert: &AlertRow, kind: notify::Kind) -> Notice {
    Notice {
        event: kind.word().to_owned(),
        alert: alert.id.clone(),
        condition: alert.condition,
        severity: alert.severity,
        project: app.catalogue.project_of(alert.project).map(|project| project.name.clone()),
        job: super::job_of(alert),
        item: alert.item,
        at: At(alert.at),
        ended_at: alert.ended.map(At),
        count: alert.count,
        params: alert.params.clone(),
    }
}
