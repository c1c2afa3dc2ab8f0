//! Whether a request is sent again. Pure: what it is told decides.
//!
//! | what came of a try | sent again |
//! |---|---|
//! | no connection: the server has seen nothing | whatever it is |
//! | `starting`, `busy`, `behind`, `rate-limited`: refused before it was begun | whatever it is, after `Retry-After` |
//! | the connection broke, or the answer did not come: it may have been done | a GET, or what has a key |
//! | `database-away`, `unknown-outcome`, or a 502, 503 or 504 of a proxy: the same | the same |
//! | `request-in-progress`: the first of the same key goes on | after `Retry-After` |
//! | anything else | no: the next answer would be the same |
//!
//! Waits grow, from a tenth of a second, unless the server says how long; when the next try would come later than [`PATIENCE`] after the first, or
//! [`TRIES`] were made, what came last is the answer.

use crate::Code;
use std::time::Duration;

/// How long after the first try another one may begin.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often a request is sent at most.
pub const TRIES: u32 = 6;
/// How often it is tried to connect: nobody is there, or will be soon.
const CONNECTS: u32 = 3;
/// How long is waited before the second try.
const FIRST: Duration = Duration::from_millis(100);

/// What came of a try, where it was no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The server was not reached.
    NotReached,
    /// It was sent, and no answer came.
    Lost,
    /// It was refused.
    Refused {
        /// The status.
        status: u16,
        /// The problem's code, if it was one that is known here.
        code: Option<Code>,
        /// After how many seconds to ask again.
        after: Option<u64>,
    },
}

/// After how long a request is sent again, if it is. `tries` were made within `passed`; `is_safe` when it may be carried out twice, or has a key.
#[must_use]
pub fn again(ended: Ended, is_safe: bool, tries: u32, passed: Duration) -> Option<Duration> {
    let grown = FIRST.saturating_mul(1 << (tries.saturating_sub(1)).min(10));
    let told = |after: Option<u64>| after.map_or(grown, Duration::from_secs);
    let wait = match ended {
        Ended::NotReached => (tries < CONNECTS).then_some(grown),
        Ended::Lost => is_safe.then_some(grown),
        Ended::Refused { code: Some(code), after, .. } => match code {
            Code::Starting | Code::Busy | Code::Behind | Code::RateLimited => Some(told(after)),
            Code::DatabaseAway | Code::UnknownOutcome | Code::RequestInProgress => {
                is_safe.then(|| told(after))
            }
            _ => None,
        },
        Ended::Refused { status: 502..=504, code: None, after } => is_safe.then(|| told(after)),
        Ended::Refused { .. } => None,
    };
    wait.filter(|wait| tries < TRIES && passed.saturating_add(*wait) <= PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn refused(code: Code, after: Option<u64>) -> Ended {
        Ended::Refused { status: code.status(), code: Some(code), after }
    }

    #[test]
    fn what_may_have_been_done_is_sent_again_only_if_it_is_done_once_all_the_same() {
        let proxy = Ended::Refused { status: 502, code: None, after: None };
        for ended in
            [Ended::Lost, proxy, refused(Code::UnknownOutcome, None), refused(Code::DatabaseAway, Some(5))]
        {
            assert_eq!(again(ended, false, 1, NONE), None, "{ended:?}");
            assert!(again(ended, true, 1, NONE).is_some(), "{ended:?}");
        }
    }

    #[test]
    fn what_was_certainly_not_begun_is_sent_again_whatever_it_is() {
        for ended in [Ended::NotReached, refused(Code::Behind, Some(1)), refused(Code::RateLimited, Some(2))]
        {
            assert!(again(ended, false, 1, NONE).is_some(), "{ended:?}");
        }
        assert_eq!(again(refused(Code::RateLimited, Some(2)), false, 1, NONE), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_refusal_that_would_be_the_same_again_is_the_answer() {
        for code in Code::ALL {
            let known = matches!(code, Code::Starting | Code::Busy | Code::Behind | Code::RateLimited)
                || matches!(code, Code::DatabaseAway | Code::UnknownOutcome | Code::RequestInProgress);
            assert_eq!(again(refused(*code, None), true, 1, NONE).is_some(), known, "{code}");
        }
        assert_eq!(again(Ended::Refused { status: 404, code: None, after: None }, true, 1, NONE), None);
    }

    #[test]
    fn patience_ends() {
        assert_eq!(again(Ended::Lost, true, TRIES, NONE), None);
        assert_eq!(again(Ended::Lost, true, 2, PATIENCE), None);
        assert_eq!(again(refused(Code::Busy, Some(11)), true, 1, NONE), None);
        assert_eq!(again(Ended::NotReached, true, CONNECTS, NONE), None);
        let waits: Vec<_> = (1..TRIES).filter_map(|tries| again(Ended::Lost, true, tries, NONE)).collect();
        assert!(waits.is_sorted() && waits[0] == FIRST, "{waits:?}");
    }
}
