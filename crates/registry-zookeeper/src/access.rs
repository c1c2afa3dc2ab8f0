//! Who may change a node, by ZooKeeper's access lists.

use crate::options::SignIn;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clockwright_registry::Access;
use sha1::{Digest as _, Sha1};

/// The permission bits that change something: write, create, delete.
const CHANGES: i32 = 2 | 4 | 8;

/// How the servers name the user of `user:password` in their lists, with the scheme by which he signed in.
pub(crate) fn name_of(login: &str, sign_in: SignIn) -> String {
    let user = login.split(':').next().unwrap_or_default();
    match sign_in {
        SignIn::Digest => format!("digest:{user}:{}", STANDARD.encode(Sha1::digest(login.as_bytes()))),
        SignIn::Sasl => format!("sasl:{user}"),
    }
}

/// What a list says to the user of this name, or to one without a name. Entries of other schemes (addresses, Kerberos) are
/// taken for somebody else's: what they let in cannot be told here.
pub(crate) fn of(list: &[(String, i32)], me: Option<&str>) -> Access {
    let may_change = |who: &str| list.iter().any(|(id, bits)| id == who && bits & CHANGES == CHANGES);
    if may_change("world:anyone") {
        Access::Open
    } else if me.is_some_and(may_change) {
        Access::Ours
    } else {
        Access::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_the_servers_name_him() {
        // From ZooKeeper's own `DigestAuthenticationProvider super:test`.
        assert_eq!(name_of("super:test", SignIn::Digest), "digest:super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert_eq!(name_of("super:test", SignIn::Sasl), "sasl:super");
    }

    #[test]
    fn a_list_lets_in_everybody_or_us_or_others() {
        let me = name_of("super:test", SignIn::Digest);
        let list = |id: &str, bits| vec![(id.to_owned(), bits)];
        for (list, expected) in [
            (list("world:anyone", 31), Access::Open),
            (list("world:anyone", 1), Access::Foreign),
            (list(&me, 31), Access::Ours),
            (list(&me, 1), Access::Foreign),
            (list("digest:super:another", 31), Access::Foreign),
            (list("sasl:super", 31), Access::Foreign),
            (list("ip:10.0.0.0/8", 31), Access::Foreign),
        ] {
            assert_eq!(of(&list, Some(&me)), expected, "{list:?}");
        }
        assert_eq!(of(&list(&me, 31), None), Access::Foreign);
    }
}
