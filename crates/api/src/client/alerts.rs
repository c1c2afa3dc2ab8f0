//! What is told when something is the matter: rules, alerts, silences, channels and deliveries.

use super::{Answered, Client, Project};
use crate::alerts::{
    Ack, Alert, AlertsAsk, Channel, ChannelAsk, DeliveriesAsk, Delivery, Empty, Rule, RuleAsk, Silence,
    SilenceAsk, Tested,
};
use crate::{Etag, List, Page, paths};
use reqwest::Method;

/// See [`Client::alerts`].
#[derive(Debug, Clone, Copy)]
pub struct Alerts<'a>(&'a Client);

/// Rules, of all projects or of one.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    client: &'a Client,
    project: Option<&'a str>,
}

/// Channels, of all projects or of one.
#[derive(Debug, Clone, Copy)]
pub struct Channels<'a> {
    client: &'a Client,
    project: Option<&'a str>,
}

impl Client {
    /// Alerts, silences and deliveries.
    #[must_use]
    pub fn alerts(&self) -> Alerts<'_> {
        Alerts(self)
    }

    /// Rules of all projects.
    #[must_use]
    pub fn rules(&self) -> Rules<'_> {
        Rules { client: self, project: None }
    }

    /// Channels of all projects.
    #[must_use]
    pub fn channels(&self) -> Channels<'_> {
        Channels { client: self, project: None }
    }
}

impl<'a> Project<'a> {
    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> Rules<'a> {
        Rules { client: self.client, project: Some(self.name) }
    }

    /// Its channels.
    #[must_use]
    pub fn channels(&self) -> Channels<'a> {
        Channels { client: self.client, project: Some(self.name) }
    }
}

/// The address of all projects, or that of one with its name before the others.
fn place<'a>(
    project: Option<&'a str>,
    (all, own): (&'static str, &'static str),
    id: Option<&'a str>,
) -> (&'static str, Vec<&'a str>) {
    (if project.is_some() { own } else { all }, project.into_iter().chain(id).collect())
}

const RULES: (&str, &str) = (paths::RULES, paths::PROJECT_RULES);
const RULE: (&str, &str) = (paths::RULE, paths::PROJECT_RULE);
const CHANNELS: (&str, &str) = (paths::CHANNELS, paths::PROJECT_CHANNELS);
const CHANNEL: (&str, &str) = (paths::CHANNEL, paths::PROJECT_CHANNEL);
const TEST: (&str, &str) = (paths::CHANNEL_TEST, paths::PROJECT_CHANNEL_TEST);

impl Rules<'_> {
    /// All of them; of a project, those of all projects too.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn list(&self) -> Answered<List<Rule>> {
        let (path, names) = place(self.project, RULES, None);
        self.client.get(path, &names).json().await
    }

    /// Makes one.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn make(&self, new: &RuleAsk) -> Answered<Rule> {
        let (path, names) = place(self.project, RULES, None);
        self.client.post(path, &names).body(new).json().await
    }

    /// One of them.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn show(&self, id: &str) -> Answered<Rule> {
        let (path, names) = place(self.project, RULE, Some(id));
        self.client.get(path, &names).json().await
    }

    /// Says what one is.
    ///
    /// # Errors
    /// `not-found`, `invalid`, `version-conflict`.
    pub async fn change(&self, id: &str, version: Etag, whole: &RuleAsk) -> Answered<Rule> {
        let (path, names) = place(self.project, RULE, Some(id));
        self.client.call(Method::PUT, path, &names).at(version).body(whole).json().await
    }

    /// Removes one.
    ///
    /// # Errors
    /// `not-found`, `version-conflict`.
    pub async fn remove(&self, id: &str, version: Etag) -> Answered<()> {
        let (path, names) = place(self.project, RULE, Some(id));
        self.client.delete(path, &names).at(version).done().await
    }
}

impl Channels<'_> {
    /// All of them, without their secrets; of a project, those of all projects too.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn list(&self) -> Answered<List<Channel>> {
        let (path, names) = place(self.project, CHANNELS, None);
        self.client.get(path, &names).json().await
    }

    /// Makes one.
    ///
    /// # Errors
    /// `name-taken`, `invalid`.
    pub async fn make(&self, new: &ChannelAsk) -> Answered<Channel> {
        let (path, names) = place(self.project, CHANNELS, None);
        self.client.post(path, &names).body(new).json().await
    }

    /// Says what one is; a secret that is left out stays.
    ///
    /// # Errors
    /// `not-found`, `name-taken`, `invalid`, `version-conflict`.
    pub async fn change(&self, id: &str, version: Etag, whole: &ChannelAsk) -> Answered<Channel> {
        let (path, names) = place(self.project, CHANNEL, Some(id));
        self.client.call(Method::PUT, path, &names).at(version).body(whole).json().await
    }

    /// Removes one.
    ///
    /// # Errors
    /// `not-found`, `version-conflict`.
    pub async fn remove(&self, id: &str, version: Etag) -> Answered<()> {
        let (path, names) = place(self.project, CHANNEL, Some(id));
        self.client.delete(path, &names).at(version).done().await
    }

    /// Sends a message that says that it is a test.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn test(&self, id: &str) -> Answered<Tested> {
        let (path, names) = place(self.project, TEST, Some(id));
        self.client.post(path, &names).body(&Empty {}).json().await
    }
}

impl Alerts<'_> {
    /// A page of them, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn list(&self, ask: &AlertsAsk) -> Answered<Page<Alert>> {
        self.0.get(paths::ALERTS, &[]).query(ask).json().await
    }

    /// One of them.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn show(&self, id: &str) -> Answered<Alert> {
        self.0.get(paths::ALERT, &[id]).json().await
    }

    /// Takes one up: it is not told again while it is open.
    ///
    /// # Errors
    /// `not-found`, `gone`.
    pub async fn ack(&self, id: &str, ask: &Ack) -> Answered<Alert> {
        self.0.post(paths::ALERT_ACK, &[id]).body(ask).json().await
    }

    /// Gives one back.
    ///
    /// # Errors
    /// `not-found`, `gone`.
    pub async fn unack(&self, id: &str) -> Answered<Alert> {
        self.0.post(paths::ALERT_UNACK, &[id]).body(&Empty {}).json().await
    }

    /// Silences that are not over.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn silences(&self) -> Answered<List<Silence>> {
        self.0.get(paths::SILENCES, &[]).json().await
    }

    /// Keeps alerts from being sent for a while.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn make_silence(&self, new: &SilenceAsk) -> Answered<Silence> {
        self.0.post(paths::SILENCES, &[]).body(new).json().await
    }

    /// Says what a silence is.
    ///
    /// # Errors
    /// `not-found`, `invalid`, `version-conflict`.
    pub async fn change_silence(&self, id: &str, version: Etag, whole: &SilenceAsk) -> Answered<Silence> {
        self.0.call(Method::PUT, paths::SILENCE, &[id]).at(version).body(whole).json().await
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// `not-found`, `version-conflict`.
    pub async fn end_silence(&self, id: &str, version: Etag) -> Answered<()> {
        self.0.delete(paths::SILENCE, &[id]).at(version).done().await
    }

    /// A page of messages, the newest first.
    ///
    /// # Errors
    /// `bad-cursor`, `invalid`.
    pub async fn deliveries(&self, ask: &DeliveriesAsk) -> Answered<Page<Delivery>> {
        self.0.get(paths::DELIVERIES, &[]).query(ask).json().await
    }

    /// Sends a message again.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn send_again(&self, id: &str) -> Answered<Delivery> {
        self.0.post(paths::DELIVERY_AGAIN, &[id]).body(&Empty {}).json().await
    }
}
