//! Channels, whose secrets go in and never come out, and what became of messages.

use super::alerts::{place, word};
use super::{TheId, conflict, done, links, paging, target};
use crate::alerts::send::{Message, Secrets, Sent};
use crate::app::{App, Told};
use crate::config::Secret;
use crate::decide::alerts::text;
use crate::http::answer::{Created, Done, Found};
use crate::http::grant::{Asking, Granted};
use crate::http::parts::{Body, Matches, Named, Query};
use crate::http::refusal::Answered;
use crate::store::{ChannelRow, ChannelWhat, DeliveryRow, DeliveryState, StoreError};
use clockwright_api::alerts::{Channel, ChannelAsk, ChannelKind, DeliveriesAsk, Delivery, Empty, Tested};
use clockwright_api::page::Page;
use clockwright_api::people::Password;
use clockwright_api::permission::Kind;
use clockwright_api::permission::kinds::{ChannelRead, ChannelWrite};
use clockwright_api::{At, Code, List, Problem};
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn view(app: &App, row: &ChannelRow) -> Channel {
    Channel {
        id: row.id.clone(),
        project: app.catalogue.project_of(row.project).map(|project| project.name.clone()),
        name: row.name.clone(),
        kind: row.kind,
        language: row.what.language,
        to: row.what.to.clone(),
        host: row.what.host.clone(),
        secrets: row.what.secrets.clone(),
        enabled: row.enabled,
        version: row.version,
    }
}

pub(in crate::http) async fn list(
    app: Arc<App>,
    who: Granted<ChannelRead>,
) -> Answered<Found<List<Channel>>> {
    let project = who.project_or_all();
    let rows = app.store.channels().await?;
    let theirs = rows.iter().filter(|row| row.project == project || row.project == 0);
    Ok(Found::new(theirs.map(|row| view(&app, row)).collect()))
}

async fn find(app: &App, project: i64, id: &str) -> Answered<ChannelRow> {
    let found = app.store.channels().await?.into_iter().find(|row| row.id == id && row.project == project);
    Ok(found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no channel `{id}` here")))?)
}

/// What a channel is to be, with its secrets: those that were sent, and those of before that were left out.
fn row(app: &App, before: ChannelRow, kept: Secrets, ask: ChannelAsk) -> Answered<(ChannelRow, Secrets)> {
    let refuse = |pointer: &str, message: &str| {
        Problem::new(Code::Invalid, "the channel cannot be used").at(pointer, message)
    };
    let kind = before.kind;
    if ask.kind != kind {
        return Err(refuse("/kind", "is for good").into());
    }
    let takes = |key: &str| match key {
        "url" => kind != ChannelKind::Mail,
        "secret" => matches!(kind, ChannelKind::Webhook | ChannelKind::Dingtalk | ChannelKind::Lark),
        _ => kind == ChannelKind::Webhook,
    };
    let secret = |key: &str, sent: Option<Password>, kept: Option<Secret>| -> Answered<Option<Secret>> {
        match sent {
            None => Ok(kept),
            Some(_) if !takes(key) => {
                Err(refuse(&format!("/{key}"), "has no meaning for a channel of this kind").into())
            }
            Some(text) if text.reveal().is_empty() => Ok(None),
            Some(text) => Ok(Some(Secret::from(text.reveal().to_owned()))),
        }
    };
    let secrets = Secrets {
        url: secret("url", ask.url, kept.url)?,
        secret: secret("secret", ask.secret, kept.secret)?,
        second: secret("secondSecret", ask.second_secret, kept.second)?,
    };
    let host = match (&secrets.url, kind) {
        (_, ChannelKind::Mail) => None,
        (None, _) => return Err(refuse("/url", "is missing").into()),
        (Some(url), _) => {
            let (_, host) = app.post.door().check(url.reveal()).map_err(|why| refuse("/url", &why))?;
            Some(host)
        }
    };
    if (kind == ChannelKind::Mail) == ask.to.is_empty() {
        let message =
            if kind == ChannelKind::Mail { "is to name somebody" } else { "has a meaning for mail alone" };
        return Err(refuse("/to", message).into());
    }
    if kind == ChannelKind::Mail && !app.post.has_mail() {
        let problem = refuse("/kind", "needs `smtp.server` in the server's configuration");
        return Err(problem.fix("ask whoever runs the server").into());
    }
    let what = ChannelWhat {
        language: ask.language,
        to: ask.to.into_iter().map(Into::into).collect(),
        host,
        secrets: secrets.named().map(|(name, _)| name.to_owned()).collect(),
    };
    let sealed = secrets.seal(app, &before.id);
    Ok((ChannelRow { name: ask.name.into(), what, sealed, enabled: ask.enabled, ..before }, secrets))
}

/// What the journal is told: secrets by a mark that changes with them.
fn facts(app: &App, row: &ChannelRow, secrets: &Secrets) -> Value {
    let ring = app.vault.ring();
    let mut facts = Map::new();
    for (key, value) in [
        ("name", json!(row.name)),
        ("language", json!(row.what.language)),
        ("to", json!(row.what.to)),
        ("enabled", json!(row.enabled)),
    ] {
        facts.insert(key.to_owned(), value);
    }
    for (name, secret) in secrets.named() {
        facts.insert(name.to_owned(), json!(ring.mark(secret.reveal())));
    }
    facts.into()
}

fn taken(name: &str) -> Problem {
    Problem::new(Code::NameTaken, format!("there is a channel `{name}`")).at("/name", "is in use")
}

pub(in crate::http) async fn make<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Body(ask): Body<ChannelAsk>,
) -> Answered<Told<Created<Channel>>> {
    links::proved(&app, who.asker())?;
    let project = who.project_or_all();
    let blank = ChannelRow {
        id: uuid::Uuid::now_v7().to_string(),
        project,
        name: String::new(),
        kind: ask.kind,
        what: ChannelWhat::default(),
        sealed: String::new(),
        enabled: true,
        version: 1,
    };
    let (row, secrets) = row(&app, blank, Secrets::default(), ask)?;
    let mut change = app.begin(who.asker()).await?;
    match change.insert_channel(&row).await {
        Err(StoreError::Taken) => return Err(taken(&row.name).into()),
        other => other?,
    }
    let facts = facts(&app, &row, &secrets);
    change.record(done("channel.create", project, target("channel", &row.id, &row.name), facts, ""));
    let value = view(&app, &row);
    let location = match &value.project {
        Some(name) => format!("/api/v1/projects/{name}/channels/{}", row.id),
        None => format!("/api/v1/channels/{}", row.id),
    };
    app.finish(change, who.asker(), Created { value, location, version: Some(1) }).await
}

fn opened(app: &App, row: &ChannelRow) -> Answered<Secrets> {
    // Only whoever runs the server can do something about it.
    let failed = |why: String| Problem::new(Code::Internal, format!("the channel `{}`: {why}", row.name));
    Ok(Secrets::open(app, row).map_err(failed)?)
}

pub(in crate::http) async fn change<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
    Body(ask): Body<ChannelAsk>,
) -> Answered<Told<Found<Channel>>> {
    links::proved(&app, who.asker())?;
    let project = who.project_or_all();
    let before = find(&app, project, &id).await?;
    let kept = opened(&app, &before)?;
    let was = facts(&app, &before, &kept);
    let current = before.version;
    let (after, secrets) = row(&app, ChannelRow { version, ..before }, kept, ask)?;
    let mut change = app.begin(who.asker()).await?;
    let is_done = match change.update_channel(&after).await {
        Err(StoreError::Taken) => return Err(taken(&after.name).into()),
        other => other?,
    };
    if !is_done {
        return Err(conflict(&format!("the channel `{}`", after.name), version, current).into());
    }
    let changes = json!([was, facts(&app, &after, &secrets)]);
    change.record(done("channel.update", project, target("channel", &id, &after.name), changes, ""));
    let after = ChannelRow { version: version + 1, ..after };
    app.finish(change, who.asker(), Found::at(view(&app, &after), after.version)).await
}

pub(in crate::http) async fn remove<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Named(TheId { id }): Named<TheId>,
    Matches(version): Matches,
) -> Answered<Told<Done>> {
    let project = who.project_or_all();
    let row = find(&app, project, &id).await?;
    let mut change = app.begin(who.asker()).await?;
    if !change.delete_channel(&id, version).await? {
        return Err(conflict(&format!("the channel `{}`", row.name), version, row.version).into());
    }
    change.record(done("channel.remove", project, target("channel", &id, &row.name), json!(null), ""));
    app.finish(change, who.asker(), Done).await
}

pub(in crate::http) async fn test<K: Kind>(
    app: Arc<App>,
    who: Granted<K>,
    Named(TheId { id }): Named<TheId>,
    Body(Empty {}): Body<Empty>,
) -> Answered<Told<Found<Tested>>> {
    let project = who.project_or_all();
    let row = find(&app, project, &id).await?;
    let secrets = opened(&app, &row)?;
    let delivery = uuid::Uuid::now_v7().to_string();
    let text = text::trial(row.what.language, &app.config.public_url);
    let message = Message { id: &delivery, text, notices: &[], now: app.now() };
    let tested = match app.post.send(&row, &secrets, &message).await {
        Sent::Taken(answer) => Tested { sent: true, answer },
        Sent::Later(answer, _) | Sent::Never(answer) => Tested { sent: false, answer },
    };
    // What was sent is sent: the record comes after it, and nothing waits for a stranger within a change.
    let mut change = app.begin(who.asker()).await?;
    let facts = json!({ "sent": tested.sent });
    change.record(done("channel.test", project, target("channel", &id, &row.name), facts, ""));
    app.finish(change, who.asker(), Found::new(tested)).await
}

fn delivery(rows: &[DeliveryRow]) -> Option<Delivery> {
    let first = rows.first()?;
    let waits = first.state == DeliveryState::Waiting;
    Some(Delivery {
        id: first.message.clone(),
        channel: first.channel.clone(),
        alerts: rows.iter().map(|row| row.alert.clone()).collect(),
        state: first.state.word().to_owned(),
        tries: first.tries,
        at: At(first.at),
        next_at: waits.then_some(At(first.next)),
        sent_at: first.sent.map(At),
        error: first.error.clone(),
    })
}

pub(in crate::http) async fn deliveries(
    app: Arc<App>,
    who: Asking<ChannelRead>,
    Query(ask): Query<DeliveriesAsk>,
) -> Answered<Found<Page<Delivery>>> {
    let limit = paging::limit(ask.limit)?;
    let state = word("state", ask.state.as_deref(), DeliveryState::of, &["waiting", "sent", "dead"])?;
    let asked = |row: &ChannelRow| ask.channel.as_ref().is_none_or(|id| *id == row.id);
    let rows = app.store.channels().await?;
    let channels: Vec<String> =
        rows.into_iter().filter(|row| who.may(row.project) && asked(row)).map(|row| row.id).collect();
    let after = ask.after.as_deref().map(place).transpose()?;
    let rows = app.store.deliveries(&channels, state, after, limit + 1).await?;
    let mut items: Vec<Delivery> =
        rows.chunk_by(|one, other| one.message == other.message).filter_map(delivery).collect();
    let next = paging::cut(&mut items, limit, |row| format!("{}-{}", row.at.0, row.id));
    Ok(Found::new(Page { items, next, count: None, seq: app.catalogue.seq() }))
}

pub(in crate::http) async fn again(
    app: Arc<App>,
    who: Asking<ChannelWrite>,
    Named(TheId { id }): Named<TheId>,
    Body(Empty {}): Body<Empty>,
) -> Answered<Told<Found<Delivery>>> {
    let missing = || Problem::new(Code::NotFound, format!("there is no delivery `{id}`"));
    let rows = app.store.messages(std::slice::from_ref(&id)).await?;
    let first = rows.first().ok_or_else(missing)?;
    let channels = app.store.channels().await?;
    let channel = channels.into_iter().find(|row| row.id == first.channel).ok_or_else(missing)?;
    let who = who.on(&app, channel.project, &format!("delivery `{id}`"))?;
    let mut change = app.begin(who.asker()).await?;
    let is_new = change.deliver_again(&id).await?;
    change.record(done(
        "delivery.again",
        channel.project,
        target("channel", &channel.id, &channel.name),
        json!({ "delivery": id }),
        "",
    ));
    let waits = |row: &DeliveryRow| DeliveryRow {
        state: DeliveryState::Waiting,
        tries: 0,
        next: change.now(),
        error: String::new(),
        sent: None,
        ..row.clone()
    };
    // One that waits already waits as it did.
    let rows: Vec<DeliveryRow> = if is_new { rows.iter().map(waits).collect() } else { rows };
    let value = delivery(&rows).ok_or_else(missing)?;
    app.finish(change, who.asker(), Found::new(value)).await
}
