//! The way in when nothing else lets anybody in: the identity provider is away, the last administrator is gone, all passwords are forgotten.
//!
//! Whoever reaches the database with the server's configuration makes a link that lets somebody in as an administrator for an hour. That needs no server
//! that runs. The journal tells who was on the machine; it cannot be made without a record.

use crate::app::App;
use crate::decide::chain::{Actor, done, target};
use crate::http::refusal::{Answered, Refusal};
use crate::http::v1::links;
use crate::store::{LinkKind, UserKind, UserRow, UserState};
use clockwright_api::people::NewLink;
use serde_json::json;

/// The account that is let in unless told otherwise. It has no password and no role.
const LOGIN: &str = "rescue";

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRescue {
    /// Nobody was ever made.
    #[error("nobody exists yet: `clockwright user setup-link` makes a link for the first administrator")]
    NobodyYet,
    /// There is nobody of that login who may come in.
    #[error("there is no `{0}` who may come in; leave the login away, and the account `rescue` is let in")]
    Nobody(String),
    /// The database is away.
    #[error("{0}")]
    Away(String),
}

/// Makes a link that works once and within an hour, and lets somebody in as an administrator for an hour. `facts` says in the journal who made it.
///
/// # Errors
/// Those of [`NoRescue`]; nothing has changed then.
pub async fn rescue(app: &App, login: Option<&str>, facts: serde_json::Value) -> Result<NewLink, NoRescue> {
    let away = |error: crate::store::StoreError| NoRescue::Away(error.to_string());
    if app.store.nobody_exists().await.map_err(away)? {
        return Err(NoRescue::NobodyYet);
    }
    let there = app.store.user_of_login(login.unwrap_or(LOGIN)).await.map_err(away)?;
    let may_come = |user: &UserRow| user.state != UserState::Disabled && user.kind != UserKind::Service;
    let is_let_in = there.as_ref().map_or(login.is_none(), may_come);
    if !is_let_in {
        return Err(NoRescue::Nobody(login.unwrap_or(LOGIN).to_owned()));
    }
    make(app, there, facts).await.map_err(|refusal| match refusal {
        Refusal::Problem(problem) => NoRescue::Away(problem.detail.clone()),
        Refusal::Replay(_) => NoRescue::Away("the request was made before".to_owned()),
    })
}

/// For somebody who is there, or for the account [`LOGIN`], which is made.
async fn make(app: &App, there: Option<UserRow>, facts: serde_json::Value) -> Answered<NewLink> {
    let mut change = app.begin_as(Actor::server("rescue")).await?;
    let user = match there {
        Some(user) => user,
        None => {
            let new = links::new_user(LOGIN, "Rescue", "", UserKind::Local, app.now());
            change.insert_user(&new).await?;
            let about = target("user", &new.id, &new.login);
            change.record(done("user.create", 0, about, json!({ "kind": "local" }), ""));
            new
        }
    };
    let link = links::make(app, &mut change, LinkKind::Rescue, &user.id).await?;
    change.record(done("rescue.made", 0, target("user", &user.id, &user.login), facts, ""));
    app.commit(change).await?;
    Ok(link)
}
