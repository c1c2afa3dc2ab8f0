//! People, service accounts, and roles on all projects.

use super::{Answered, Client};
use crate::page::Paging;
use crate::people::{Invited, MadeToken, NewLink, NewPerson, NewToken, Person, PersonChange, TokenView};
use crate::projects::{GiveRole, Member};
use crate::{Etag, List, Page, Role, paths};
use reqwest::Method;

/// See [`Client::people`].
#[derive(Debug, Clone, Copy)]
pub struct People<'a>(&'a Client);

/// See [`Client::services`].
#[derive(Debug, Clone, Copy)]
pub struct Services<'a>(&'a Client);

impl Client {
    /// People.
    #[must_use]
    pub fn people(&self) -> People<'_> {
        People(self)
    }

    /// Service accounts.
    #[must_use]
    pub fn services(&self) -> Services<'_> {
        Services(self)
    }

    /// Who has a role on all projects.
    ///
    /// # Errors
    /// What any call may meet.
    pub async fn members(&self) -> Answered<List<Member>> {
        self.get(paths::MEMBERS, &[]).json().await
    }

    /// Gives a `user` or a `group` a role on all projects.
    ///
    /// # Errors
    /// `not-found`, `last-admin`.
    pub async fn set_member(&self, kind: &str, who: &str, role: Role) -> Answered<Member> {
        self.call(Method::PUT, paths::MEMBER, &[kind, who]).body(&GiveRole { role }).json().await
    }

    /// Takes a role on all projects away.
    ///
    /// # Errors
    /// `not-found`, `last-admin`.
    pub async fn drop_member(&self, kind: &str, who: &str) -> Answered<()> {
        self.delete(paths::MEMBER, &[kind, who]).done().await
    }
}

impl People<'_> {
    /// A page of them.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub async fn list(&self, ask: &Paging) -> Answered<Page<Person>> {
        self.0.get(paths::USERS, &[]).query(ask).json().await
    }

    /// Invites somebody; their link is in the answer and nowhere else.
    ///
    /// # Errors
    /// `name-taken`, `invalid`.
    pub async fn invite(&self, new: &NewPerson) -> Answered<Invited> {
        self.0.post(paths::USERS, &[]).body(new).json().await
    }

    /// Somebody, by their id.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn show(&self, id: &str) -> Answered<Person> {
        self.0.get(paths::USER, &[id]).json().await
    }

    /// Changes somebody's profile.
    ///
    /// # Errors
    /// `not-found`, `invalid`, `version-conflict`.
    pub async fn change(&self, id: &str, version: Etag, change: &PersonChange) -> Answered<Person> {
        self.0.call(Method::PATCH, paths::USER, &[id]).at(version).body(change).json().await
    }

    /// Removes somebody, with their sessions, tokens and roles.
    ///
    /// # Errors
    /// `not-found`, `last-admin`, `version-conflict`.
    pub async fn remove(&self, id: &str, version: Etag) -> Answered<()> {
        self.0.delete(paths::USER, &[id]).at(version).done().await
    }

    /// Makes a link by which somebody chooses a password.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn link(&self, id: &str) -> Answered<NewLink> {
        self.0.post(paths::USER_LINK, &[id]).json().await
    }

    /// Keeps somebody out; their sessions and tokens end.
    ///
    /// # Errors
    /// `not-found`, `last-admin`.
    pub async fn disable(&self, id: &str) -> Answered<()> {
        self.0.post(paths::USER_DISABLE, &[id]).done().await
    }

    /// Lets somebody in again.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn enable(&self, id: &str) -> Answered<()> {
        self.0.post(paths::USER_ENABLE, &[id]).done().await
    }

    /// Ends somebody's sessions.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn end_sessions(&self, id: &str) -> Answered<()> {
        self.0.post(paths::USER_END_SESSIONS, &[id]).done().await
    }
}

impl Services<'_> {
    /// A page of them.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub async fn list(&self, ask: &Paging) -> Answered<Page<Person>> {
        self.0.get(paths::SERVICES, &[]).query(ask).json().await
    }

    /// Makes one.
    ///
    /// # Errors
    /// `name-taken`, `invalid`.
    pub async fn make(&self, new: &NewPerson) -> Answered<Person> {
        self.0.post(paths::SERVICES, &[]).body(new).json().await
    }

    /// Removes one, with its tokens and roles.
    ///
    /// # Errors
    /// `not-found`, `version-conflict`.
    pub async fn remove(&self, id: &str, version: Etag) -> Answered<()> {
        self.0.delete(paths::SERVICE, &[id]).at(version).done().await
    }

    /// The tokens of one.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn tokens(&self, id: &str) -> Answered<List<TokenView>> {
        self.0.get(paths::SERVICE_TOKENS, &[id]).json().await
    }

    /// Makes a token of one; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `not-found`, `invalid`.
    pub async fn make_token(&self, id: &str, new: &NewToken) -> Answered<MadeToken> {
        self.0.post(paths::SERVICE_TOKENS, &[id]).body(new).json().await
    }

    /// Ends a token of one.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn end_token(&self, id: &str, token: &str) -> Answered<()> {
        self.0.delete(paths::SERVICE_TOKEN, &[id, token]).done().await
    }
}
