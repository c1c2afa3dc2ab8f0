//! Whoever asks: signing in and out, their profile, password, sessions and tokens.

use super::{Answer, Answered, Client, Credential, Error};
use crate::people::{
    ChangePassword, MadeToken, NewToken, Password, Person, PersonChange, Session, SessionView, SignIn,
    StepUp, TokenView, UseLink,
};
use crate::{List, paths};
use reqwest::Method;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::json;

/// Somebody who has just signed in: who they are, and the client that is let in by their session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who they are, and what they may.
    pub session: Session,
    /// Let in as them.
    pub client: Client,
}

/// See [`Client::account`].
#[derive(Debug, Clone, Copy)]
pub struct Account<'a>(&'a Client);

impl Client {
    /// Whoever asks.
    #[must_use]
    pub fn account(&self) -> Account<'_> {
        Account(self)
    }
}

impl Account<'_> {
    /// Signs in by a password.
    ///
    /// # Errors
    /// `sign-in-failed`, `locked-out`, and what any call may meet.
    pub async fn sign_in(&self, login: &SignIn) -> Result<SignedIn, Error> {
        self.session(self.0.post(paths::SESSION, &[]).body(login)).await
    }

    /// Uses a link up: chooses a password, and is signed in.
    ///
    /// # Errors
    /// `link-used`, `name-taken`, `invalid` with what is wrong with the password.
    pub async fn use_link(&self, secret: &str, ask: &UseLink) -> Result<SignedIn, Error> {
        self.session(self.0.post(paths::LINK, &[secret]).body(ask)).await
    }

    async fn session(&self, call: super::call::Call<'_>) -> Result<SignedIn, Error> {
        let response = call.send().await?;
        let cookie = response.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let body = super::call::whole(response).await?;
        let session = serde_json::from_slice(&body)
            .map_err(|error| Error::Strange { status, text: format!("the answer is no session: {error}") })?;
        Ok(SignedIn { session, client: self.0.with(Credential::Session(cookie)) })
    }

    /// Who is let in, and what they may.
    ///
    /// # Errors
    /// `not-signed-in`, `session-over`, `token-expired`.
    pub async fn who(&self) -> Answered<Session> {
        self.0.get(paths::SESSION, &[]).json().await
    }

    /// Signs out.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn sign_out(&self) -> Answered<()> {
        self.0.delete(paths::SESSION, &[]).done().await
    }

    /// Where a browser is sent to sign in at the identity provider; with `fresh`, also where the provider knows them still.
    ///
    /// # Errors
    /// `not-found`: there is no identity provider.
    pub async fn provider(&self, fresh: bool) -> Answered<String> {
        self.place(self.0.get(paths::OIDC_BEGIN, &[]).query(&json!({ "fresh": fresh }))).await
    }

    /// Comes back from the identity provider: where a browser goes then.
    ///
    /// # Errors
    /// `sign-in-failed`.
    pub async fn back(&self, code: &str, state: &str) -> Answered<String> {
        self.place(self.0.get(paths::OIDC_CALLBACK, &[]).query(&json!({ "code": code, "state": state })))
            .await
    }

    async fn place(&self, call: super::call::Call<'_>) -> Answered<String> {
        let response = call.sent_on().await?;
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        Ok(Answer { value: to.to_owned(), etag: None, replayed: false })
    }

    /// Their profile.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn profile(&self) -> Answered<Person> {
        self.0.get(paths::ME, &[]).json().await
    }

    /// Changes their profile.
    ///
    /// # Errors
    /// `invalid`, `version-conflict`.
    pub async fn change(&self, change: &PersonChange) -> Answered<Person> {
        self.0.call(Method::PATCH, paths::ME, &[]).body(change).json().await
    }

    /// Changes their password; their other sessions end.
    ///
    /// # Errors
    /// `sign-in-failed`: the old one is another; `invalid`: the new one is too easy.
    pub async fn set_password(&self, old: Password, password: Password) -> Answered<()> {
        let body = ChangePassword { old, password };
        self.0.call(Method::PUT, paths::ME_PASSWORD, &[]).body(&body).done().await
    }

    /// Proves again who they are.
    ///
    /// # Errors
    /// `sign-in-failed`.
    pub async fn step_up(&self, password: Password) -> Answered<()> {
        self.0.post(paths::ME_STEP_UP, &[]).body(&StepUp { password }).done().await
    }

    /// Their sessions.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn sessions(&self) -> Answered<List<SessionView>> {
        self.0.get(paths::ME_SESSIONS, &[]).json().await
    }

    /// Ends their other sessions.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn end_sessions(&self) -> Answered<()> {
        self.0.delete(paths::ME_SESSIONS, &[]).done().await
    }

    /// Ends one of their sessions.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn end_session(&self, id: &str) -> Answered<()> {
        self.0.delete(paths::ME_SESSION, &[id]).done().await
    }

    /// Their tokens.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn tokens(&self) -> Answered<List<TokenView>> {
        self.0.get(paths::ME_TOKENS, &[]).json().await
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `step-up-needed`, `invalid`.
    pub async fn make_token(&self, new: &NewToken) -> Answered<MadeToken> {
        self.0.post(paths::ME_TOKENS, &[]).body(new).json().await
    }

    /// Ends one of their tokens.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn end_token(&self, id: &str) -> Answered<()> {
        self.0.delete(paths::ME_TOKEN, &[id]).done().await
    }
}
