//! People, service accounts, sessions, tokens and links.

use crate::text::{Login, Name, Title};
use crate::{At, Permission, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A secret on its way: it is read, sent by a client, and never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Password(String);

impl Password {
    /// A secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for whoever checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("(set)")
    }
}

/// To sign in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    /// What they sign in with.
    pub login: Login,
    /// Their password.
    pub password: Password,
}

/// Who is signed in, and what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Them.
    pub person: Person,
    /// Their role on all projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Their role on each project, by its name.
    pub projects: BTreeMap<String, Role>,
    /// When the session ends at the latest; absent for a token's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<At>,
}

/// A person or a service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their id.
    pub id: String,
    /// What they sign in with.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Where mail reaches them.
    pub mail: String,
    /// How they prove who they are: `local`, `oidc`, or `service` for a program.
    pub kind: String,
    /// `invited`, `active` or `disabled`.
    pub state: String,
    /// When they were last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<At>,
    /// When they were made.
    pub created_at: At,
    /// Grows with each change.
    pub version: i64,
}

/// Somebody to be made.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPerson {
    /// What they will sign in with.
    pub login: Login,
    /// Their name.
    #[serde(default = "empty")]
    pub name: Title,
    /// Where mail reaches them.
    #[serde(default = "empty")]
    pub mail: Title,
    /// Their role on all projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

fn empty() -> Title {
    Title::new("").expect("a title may be empty")
}

/// What of somebody is to be changed; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersonChange {
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Title>,
    /// Where mail reaches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Title>,
}

/// A link that was made, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewLink {
    /// Where whoever gets it opens it.
    pub url: String,
    /// Until when.
    pub expires_at: At,
}

/// Somebody who was made, and the link by which they come in first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    /// Them.
    pub person: Person,
    /// Their link.
    pub link: NewLink,
}

/// To use a link: a password, for the first administrator a login too, for a rescue neither.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UseLink {
    /// The login of the first administrator, whose choice it is. Nobody else chooses one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// The password from now on. A rescue lets somebody in without one.
    #[serde(default)]
    pub password: Option<Password>,
}

/// To change one's password.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePassword {
    /// The one of today.
    pub old: Password,
    /// The one from now on.
    pub password: Password,
}

/// To prove again who one is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[cfg_attr(feature = "client", derive(Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepUp {
    /// Their password.
    pub password: Password,
}

/// One of somebody's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// By what it is ended. It opens nothing.
    pub id: String,
    /// When it began.
    pub at: At,
    /// When it was last used, to the minute.
    pub seen_at: At,
    /// When it ends at the latest.
    pub ends_at: At,
    /// From where it began.
    pub ip: String,
    /// What the browser calls itself.
    pub agent: String,
    /// True for the one that asks.
    pub current: bool,
}

/// A token to be made.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: Name,
    /// Names of permissions, or `read`, `operate` and `write` for all of that kind.
    pub scopes: Vec<String>,
    /// Names of the projects that it is for; none: all that its owner may see.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Until when; 90 days unless told, a year at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<At>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The last letters of its secret.
    pub tail: String,
    /// The permissions that it has, as far as its owner has them.
    pub scopes: Vec<String>,
    /// The projects that it is for; none: all that its owner may see.
    pub projects: Vec<String>,
    /// When it was made.
    pub created_at: At,
    /// Until when it is valid.
    pub expires_at: At,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<At>,
    /// From where it was last used.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub used_from: String,
}

/// A token that was made, with its secret, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeToken {
    /// What was made.
    pub token: TokenView,
    /// Its secret.
    pub secret: String,
}

/// The permissions of a list of scopes: their names, or `read` for all that only look, `operate` for those of an operator besides, `write` for
/// those of a developer besides.
///
/// # Errors
/// Words that are none, each with its place in the list.
pub fn scopes(words: &[String]) -> Result<Vec<Permission>, Vec<(usize, String)>> {
    let mut permissions = Vec::new();
    let mut unknown = Vec::new();
    let up_to = |role: Role| {
        Permission::ALL.iter().copied().filter(move |permission| {
            permission.looks()
                || *permission != Permission::TokenOwn
                    && permission.least().is_some_and(|least| least <= role)
        })
    };
    for (place, word) in words.iter().enumerate() {
        match word.as_str() {
            "read" => {
                permissions.extend(Permission::ALL.iter().copied().filter(|permission| permission.looks()));
            }
            "operate" => permissions.extend(up_to(Role::Operator)),
            "write" => permissions.extend(up_to(Role::Developer)),
            name => match Permission::named(name) {
                // A token makes no token.
                Some(Permission::TokenOwn) | None => unknown.push((place, word.clone())),
                Some(permission) => permissions.push(permission),
            },
        }
    }
    permissions.sort_unstable();
    permissions.dedup();
    if unknown.is_empty() { Ok(permissions) } else { Err(unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_or_names_and_never_make_a_token() {
        let of = |words: &[&str]| scopes(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["job.operate"]), Ok(vec![Permission::JobOperate]));
        let read = of(&["read"]).expect("it is a word");
        assert!(read.iter().all(|permission| permission.looks()));
        let operate = of(&["operate"]).expect("it is a word");
        assert!(operate.contains(&Permission::JobOperate) && !operate.contains(&Permission::JobWrite));
        let write = of(&["write"]).expect("it is a word");
        assert!(write.contains(&Permission::JobWrite) && !write.contains(&Permission::JobCode));
        assert!(!write.contains(&Permission::TokenOwn));
        assert_eq!(of(&["read", "token.own", "all"]).map_err(|wrong| wrong.len()), Err(2));
    }

    #[test]
    fn a_password_is_not_printed() {
        let sign_in: SignIn =
            serde_json::from_str(r#"{"login": "lina", "password": "open sesame"}"#).expect("it is one");
        assert!(!format!("{sign_in:?}").contains("sesame"));
    }
}
