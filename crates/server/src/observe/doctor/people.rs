//! Who could come in, and who could not.

use super::{DAY, Looked, Patient, finding};
use crate::store::{MemberKind, UserState};
use clockwright_api::Role;
use clockwright_api::system::Gravity;
use clockwright_model::Millis;

/// An administrator who has not been here for so long is told.
const IDLE: Millis = 90 * DAY;
/// A token that ends within this time is told.
const SOON: Millis = 14 * DAY;
/// How many people are looked at.
const MOST: u32 = 10_000;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let Ok(store) = &patient.store else { return Ok(Vec::new()) };
    let (mut found, now) = (Vec::new(), patient.now());
    if store.nobody_exists().await? {
        found.push(finding(
            Gravity::Note,
            "nobody-yet",
            "people",
            "nobody can sign in yet",
            "open the link that a server printed at its start, or give it to `clockwright login --link`; `clockwright user setup-link` prints another",
        ));
        return Ok(found);
    }
    let members = store.members().await?;
    let admins: Vec<_> = members.iter().filter(|row| row.project == 0 && row.role == Role::Admin).collect();
    let people = store.users(false, "", MOST).await?;
    let is_admin = |id: &str| admins.iter().any(|row| row.kind == MemberKind::User && row.who == id);
    let theirs: Vec<_> =
        people.iter().filter(|user| user.state == UserState::Active && is_admin(&user.id)).collect();
    let by_group = admins.iter().any(|row| row.kind == MemberKind::Group);
    if theirs.is_empty() && !(by_group && patient.config.oidc.is_some()) {
        found.push(finding(
            Gravity::Error,
            "no-administrator",
            "people",
            "nobody who may sign in is an administrator",
            "come in as one for an hour by `clockwright user rescue`, and give somebody the role",
        ));
    }
    for user in theirs {
        let last = user.seen.unwrap_or(user.created);
        if now - last > IDLE {
            found.push(finding(
                Gravity::Warning,
                "idle-administrator",
                &user.login,
                format!("an administrator who has not signed in for {} days", (now - last) / DAY),
                "take the role away, or disable them",
            ));
        }
    }
    for (token, owner) in store.tokens_ending(now, now + SOON).await? {
        found.push(finding(
            Gravity::Note,
            "token-ends-soon",
            &owner,
            format!("the token `{}` (…{}) ends within two weeks", token.name, token.tail),
            "make another one, if a program still uses it",
        ));
    }
    for project in store.projects().await?.iter().filter(|project| project.code_edit) {
        found.push(finding(
            Gravity::Note,
            "code-edit",
            &project.name,
            "developers of the project may change what its jobs run",
            "leave it so only where they could as well change it on the machines",
        ));
    }
    Ok(found)
}
