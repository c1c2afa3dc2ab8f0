//! Messages on their way: the outbox is emptied by whoever leads.
//!
//! A message is sent at least once, and each time with the same id (`Clockwright-Delivery`): whoever receives it may tell that it had it. What came
//! of it is noted afterwards, within the term; so a leader that dies between the two, or is not it any more, leaves the message to the next one.
//! What is not taken comes again ever later, seven times in seven hours, and is then dead: listed, told by an alert, and sent again by hand.

mod http;
mod mail;
mod robots;

pub use self::http::{Door, Resolve};

use crate::app::App;
use crate::chores::{Term, Turn};
use crate::config::{Config, Secret};
use crate::decide::alerts::notify;
use crate::decide::alerts::text::{self, Notice, Text};
use crate::observe::names::DELIVERIES;
use crate::sealing::of_channel;
use crate::store::{ChannelRow, DeliveryRow, DeliveryState, Outcome};
use clockwright_api::alerts::ChannelKind;
use clockwright_model::Millis;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// How many messages of a channel are taken out at once.
const AT_ONCE: u32 = 100;
/// How many channels are spoken to at the same time.
const CHANNELS: usize = 8;

/// A channel's secrets, as they are sealed together. They are shown by nobody.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The address.
    pub url: Option<Secret>,
    /// What messages are signed with.
    pub secret: Option<Secret>,
    /// What they are signed with as well.
    pub second: Option<Secret>,
}

/// How they stand within the sealed text.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Plain {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second: Option<String>,
}

impl Secrets {
    /// Those of a channel.
    ///
    /// # Errors
    /// Why they do not open.
    pub fn open(app: &App, row: &ChannelRow) -> Result<Self, String> {
        if row.sealed.is_empty() {
            return Ok(Self::default());
        }
        let opened = app.vault.ring().open(of_channel(&row.id), &row.sealed);
        let opened = opened.map_err(|error| format!("its secrets do not open: {error}"))?;
        let plain: Plain =
            serde_json::from_str(opened.reveal()).map_err(|_| "its secrets cannot be read".to_owned())?;
        let secret = |text: Option<String>| text.map(Secret::from);
        Ok(Self { url: secret(plain.url), secret: secret(plain.secret), second: secret(plain.second) })
    }

    /// Sealed for the channel of this id.
    #[must_use]
    pub fn seal(&self, app: &App, id: &str) -> String {
        let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
        let plain = Plain { url: text(&self.url), secret: text(&self.secret), second: text(&self.second) };
        app.vault.ring().seal(of_channel(id), &serde_json::to_string(&plain).unwrap_or_default())
    }

    /// Their names, with what is in each.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let all = [("url", &self.url), ("secret", &self.secret), ("secondSecret", &self.second)];
        all.into_iter().filter_map(|(name, secret)| Some((name, secret.as_ref()?)))
    }
}

/// A message as it is sent.
pub struct Message<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its text.
    pub text: Text,
    /// What it is about; empty for one that only tries the channel.
    pub notices: &'a [Notice],
    /// When it is sent.
    pub now: Millis,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It was taken, and this was answered.
    Taken(String),
    /// It was not, for this reason; it may be later, after so long at the least.
    Later(String, Millis),
    /// It never will be.
    Never(String),
}

/// What sends.
pub struct Post {
    door: Door,
    smtp: Option<mail::Mailer>,
    /// When each channel was spoken to last.
    last: Mutex<HashMap<String, Millis>>,
}

impl Post {
    /// As the configuration says.
    #[must_use]
    pub fn of_config(config: &Config) -> Self {
        Self {
            door: Door::new(&config.alert_hosts),
            smtp: config.smtp.clone().map(mail::Mailer::new),
            last: Mutex::default(),
        }
    }

    /// The door by which addresses are spoken to.
    #[must_use]
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// True when mail can be sent.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.smtp.is_some()
    }

    /// Sends a message on a channel.
    pub async fn send(&self, row: &ChannelRow, secrets: &Secrets, message: &Message<'_>) -> Sent {
        match (row.kind, &self.smtp) {
            (ChannelKind::Mail, Some(mailer)) => mailer.send(&row.what.to, message).await,
            (ChannelKind::Mail, None) => {
                Sent::Later("the server has no `smtp.server` to send mail by".to_owned(), 0)
            }
            _ => robots::send(&self.door, row.kind, secrets, message).await,
        }
    }

    /// May this channel be spoken to now? If so, it counts as done.
    fn is_free(&self, row: &ChannelRow, now: Millis) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let free = last.get(&row.id).is_none_or(|last| now >= last + gap(row.kind) || now < *last);
        if free {
            last.insert(row.id.clone(), now);
        }
        free
    }
}

/// How long between two messages on one channel, milliseconds: what each of them takes without falling silent.
fn gap(kind: ChannelKind) -> Millis {
    match kind {
        ChannelKind::Dingtalk | ChannelKind::Wecom => 4_000,
        ChannelKind::Lark | ChannelKind::Slack => 1_000,
        ChannelKind::Webhook | ChannelKind::Mail => 100,
    }
}

/// An error with its causes, which say what happened.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// One turn of the chore: what is due is sent.
///
/// # Errors
/// The database is away; the term is over.
pub async fn turn(app: &App, term: &Term) -> Turn {
    let due = app.store.channels_due(app.now()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let channels: BTreeMap<String, ChannelRow> =
        app.store.channels().await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let work = due.into_iter().map(|id| {
        let channel = channels.get(&id);
        queue(app, term, id, channel)
    });
    let done: Vec<_> = futures::stream::iter(work).buffer_unordered(CHANNELS).collect().await;
    done.into_iter().collect::<Result<(), _>>().map_err(Into::into)
}

/// Sends what is due on one channel, until it is to be left alone for a moment.
async fn queue(
    app: &App,
    term: &Term,
    id: String,
    channel: Option<&ChannelRow>,
) -> Result<(), crate::store::StoreError> {
    let due = app.store.deliveries_due(&id, app.now(), AT_ONCE).await?;
    for rows in due.chunk_by(|row, next| row.message == next.message) {
        if channel.is_some_and(|channel| !app.post.is_free(channel, app.now())) {
            break;
        }
        one(app, term, channel, rows).await?;
    }
    Ok(())
}

/// Sends one message and notes what came of it.
async fn one(
    app: &App,
    term: &Term,
    channel: Option<&ChannelRow>,
    rows: &[DeliveryRow],
) -> Result<(), crate::store::StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    // Who leads no more does not speak either.
    if !term.holds() {
        return Err(crate::store::StoreError::TermOver);
    }
    let notices: Vec<Notice> = rows.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect();
    let sent = match channel {
        None => Sent::Never("the channel is not there any more".to_owned()),
        Some(row) if !row.enabled => Sent::Never("the channel is turned off".to_owned()),
        Some(row) => match Secrets::open(app, row) {
            Err(why) => Sent::Later(why, 0),
            Ok(secrets) => {
                let text = text::write(&notices, row.what.language, &app.config.public_url);
                let message = Message { id: &first.message, text, notices: &notices, now: app.now() };
                app.post.send(row, &secrets, &message).await
            }
        },
    };
    let outcome = outcome(first, sent, app.now());
    if let DeliveryState::Dead = outcome.state {
        tracing::warn!(message = outcome.message, why = outcome.error, "a message is not delivered");
    }
    let kind = channel.map_or("none", |row| row.kind.word());
    app.metrics.count(&DELIVERIES, &[kind, outcome.state.word()]);
    term.check(app.store.delivered(term.number(), &outcome)).await
}

fn outcome(row: &DeliveryRow, sent: Sent, now: Millis) -> Outcome {
    let base = Outcome {
        message: row.message.clone(),
        state: DeliveryState::Dead,
        tries: row.tries + 1,
        next: now,
        error: String::new(),
        sent: None,
    };
    match sent {
        Sent::Taken(_) => Outcome { state: DeliveryState::Sent, sent: Some(now), ..base },
        Sent::Never(error) => Outcome { error, ..base },
        Sent::Later(error, least) => match notify::again(base.tries) {
            Some(wait) => {
                Outcome { state: DeliveryState::Waiting, next: now + wait.max(least), error, ..base }
            }
            None => Outcome { error, ..base },
        },
    }
}
