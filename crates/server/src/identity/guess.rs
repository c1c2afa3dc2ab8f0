//! A password is looked at so that guessing does not pay.
//!
//! | what is counted | how many | then |
//! |---|---|---|
//! | failures from one place, which is an address, or the first half of one of IPv6 | `auth.per_address` a minute | `locked-out` until the next one, before any password is looked at |
//! | failures of one login, whether it is anybody's or not | `auth.per_login` a minute | refused like a wrong password, the right one too |
//! | failures in a row of one login | [`PATIENT`] | the same, for 2 s, 4 s, … up to `auth.lock_longest` |
//! | sign-ins of all, on this server | [`ALL`] | `rate-limited` |
//!
//! A guess is charged before it is looked at and given back when it was right, so guesses that come at once do not slip through. A
//! login that nobody has costs the same statements and the same hash as one of somebody. Nobody is locked out for good; and who comes from a browser
//! that has a session of theirs, from wherever, does not wait for what others guess.

use crate::app::App;
use crate::decide::chain::sha256;
use crate::decide::limits::Rate;
use crate::http::refusal::Answered;
use crate::store::{Guess, UserKind, UserRow, UserState};
use clockwright_api::people::Password;
use clockwright_api::{Code, Problem};
use clockwright_model::Millis;
use std::net::IpAddr;

/// From this many failures in a row on a login waits.
const PATIENT: i64 = 5;
/// Sign-ins of all people together.
pub(crate) const ALL: Rate = Rate { a_second: 50, at_once: 50 };

/// Who says that they are somebody, and from where.
pub(crate) struct Claim<'a> {
    pub(crate) login: &'a str,
    /// Who has that login.
    pub(crate) user: Option<&'a UserRow>,
    pub(crate) password: &'a Password,
    pub(crate) ip: IpAddr,
    /// The secret of a session that the browser has.
    pub(crate) session: Option<&'a str>,
}

/// What a look at a password showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is theirs.
    Right {
        /// It is to be hashed anew, as today's are.
        weak: bool,
    },
    /// It is not, or it is not looked at now: nobody learns which.
    Wrong,
}

/// Looks at somebody's password.
pub(crate) async fn look(app: &App, claim: Claim<'_>) -> Answered<Look> {
    app.limits.sign_in(app.now())?;
    let may = claim.user.filter(|user| user.kind == UserKind::Local && user.state == UserState::Active);
    let (login, place) = (sha256(claim.login.as_bytes()), place(claim.ip));
    let user = claim.user.map_or("", |user| user.id.as_str());
    let guess = Guess { user, login: &login, place: &place, now: app.now() };
    let longest = app.config.lock_longest;
    let charged = app.store.charge(guess, PATIENT, |failed| wait(failed, longest)).await?;
    if charged.of_place > app.config.per_address {
        let seconds = 60 - (guess.now / 1_000 % 60);
        let problem = Problem::new(Code::LockedOut, "too many sign-ins from there failed in this minute");
        return Err(problem.retry(seconds.unsigned_abs()).into());
    }
    let waits = charged.waits || charged.of_login > app.config.per_login;
    let waits = waits && !is_known(app, &claim).await?;
    let hash = may.map(|user| user.password.clone());
    let (fits, weak) = app.hashing.verify(claim.password.reveal().to_owned(), hash).await?;
    if !fits || waits {
        return Ok(Look::Wrong);
    }
    app.store.give_back(guess).await?;
    Ok(Look::Right { weak })
}

/// Does the browser have a session of theirs, be it over or not?
async fn is_known(app: &App, claim: &Claim<'_>) -> Answered<bool> {
    let (Some(user), Some(secret)) = (claim.user, claim.session) else { return Ok(false) };
    let session = app.store.session(&sha256(secret.as_bytes())).await?;
    Ok(session.is_some_and(|session| session.who == user.id))
}

/// How long a login waits after so many failures in a row.
fn wait(failed: i64, longest: Millis) -> Millis {
    let doublings = (failed - PATIENT).clamp(0, 20);
    (2_000i64 << doublings).min(longest)
}

/// Whoever has one address of IPv6 has the whole second half of it.
fn place(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        address @ IpAddr::V4(_) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_waits_longer_with_each_failure_and_never_for_good() {
        let longest = 15 * 60_000;
        assert_eq!(wait(5, longest), 2_000);
        assert_eq!(wait(6, longest), 4_000);
        assert_eq!(wait(60, longest), longest);
    }

    #[test]
    fn one_who_has_many_addresses_of_one_network_is_one_place() {
        let place = |ip: &str| place(ip.parse().expect("it is an address"));
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:db8:1:2::1"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
    }
}
