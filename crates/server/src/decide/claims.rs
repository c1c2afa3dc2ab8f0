//! What an identity provider says of somebody, and whether it may be believed. The signature was checked before; the time is an argument.

use clockwright_model::Millis;
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far the provider's clock may be from ours, seconds.
const SKEW: i64 = 60;
/// How old an ID token may be, seconds: it is used at once.
const OLDEST: i64 = 600;
/// The longest subject, issuer or group that is kept.
const LONGEST: usize = 255;

/// The claims of an ID token.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Claims {
    iss: String,
    /// The provider's name for them, which is never given to somebody else.
    pub sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    acr: Option<String>,
    /// When they proved who they are, seconds.
    pub auth_time: Option<i64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What an ID token must say.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Who issued it.
    pub issuer: &'a str,
    /// For whom.
    pub client: &'a str,
    /// In answer to which request.
    pub nonce: &'a str,
    /// How they proved who they are; empty for any way.
    pub acr: &'a str,
}

impl Claims {
    /// May it be believed?
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn check(&self, wanted: Wanted<'_>, now: Millis) -> Result<(), String> {
        let now = now / 1_000;
        let (is_ours, is_alone) = match &self.aud {
            Audience::One(one) => (one == wanted.client, true),
            Audience::Many(all) => (all.iter().any(|one| one == wanted.client), all.len() == 1),
        };
        let party = self.azp.as_deref();
        for (fits, what) in [
            (self.iss == wanted.issuer, "iss is another issuer"),
            (is_ours, "aud is not this client"),
            (party.map_or(is_alone, |party| party == wanted.client), "azp is not this client"),
            (self.exp > now - SKEW, "exp is over"),
            ((now - OLDEST..=now + SKEW).contains(&self.iat), "iat is not now"),
            (self.nonce.as_deref() == Some(wanted.nonce), "nonce is of another request"),
            (wanted.acr.is_empty() || self.acr.as_deref() == Some(wanted.acr), "acr is not what is required"),
            (!self.sub.is_empty() && self.sub.len() <= LONGEST, "sub is empty or too long"),
        ] {
            if !fits {
                return Err(what.to_owned());
            }
        }
        Ok(())
    }

    /// A text that the provider gives besides.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.others.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The groups of a claim: a list of texts, or one.
    #[must_use]
    pub fn groups(&self, claim: &str) -> Vec<String> {
        let all = match self.others.get(claim) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        all.into_iter().filter(|group| group.len() <= LONGEST).map(str::to_owned).collect()
    }

    /// Takes over what the provider told elsewhere of the same person; the token's own claims count before.
    pub fn add(&mut self, more: Map<String, Value>) {
        if more.get("sub").and_then(Value::as_str) != Some(self.sub.as_str()) {
            return;
        }
        for (name, value) in more {
            self.others.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WANTED: Wanted<'static> =
        Wanted { issuer: "https://id.example.com", client: "cw", nonce: "n", acr: "" };
    const NOW: i64 = 1_800_000_000;

    fn token() -> Value {
        json!({ "iss": WANTED.issuer, "sub": "42", "aud": "cw", "exp": NOW + 300, "iat": NOW, "nonce": "n", "groups": ["ops", 3] })
    }

    fn checked(token: &Value, wanted: Wanted<'_>) -> Result<(), String> {
        serde_json::from_value::<Claims>(token.clone()).expect("it has its claims").check(wanted, NOW * 1_000)
    }

    #[test]
    fn a_token_that_is_for_us_now_and_in_answer_to_our_request_is_believed() {
        assert_eq!(checked(&token(), WANTED), Ok(()));
        let mut many = token();
        many["aud"] = json!(["cw", "other"]);
        many["azp"] = json!("cw");
        assert_eq!(checked(&many, WANTED), Ok(()));
    }

    #[test]
    fn what_differs_in_one_claim_is_not_believed() {
        for (claim, value, why) in [
            ("iss", json!("https://id.example.com/"), "iss"),
            ("aud", json!("other"), "aud"),
            ("aud", json!(["cw", "other"]), "azp"),
            ("azp", json!("other"), "azp"),
            ("exp", json!(NOW - 61), "exp"),
            ("iat", json!(NOW + 61), "iat"),
            ("iat", json!(NOW - 601), "iat"),
            ("nonce", json!("m"), "nonce"),
            ("nonce", json!(null), "nonce"),
            ("sub", json!(""), "sub"),
        ] {
            let mut other = token();
            other[claim] = value;
            let refused = checked(&other, WANTED).expect_err(claim);
            assert!(refused.starts_with(why), "{claim}: {refused}");
        }
    }

    #[test]
    fn a_way_of_proof_that_is_required_is_asked_for() {
        let strict = Wanted { acr: "mfa", ..WANTED };
        assert!(checked(&token(), strict).is_err());
        let mut strong = token();
        strong["acr"] = json!("mfa");
        assert_eq!(checked(&strong, strict), Ok(()));
    }

    #[test]
    fn groups_are_texts_and_what_is_told_elsewhere_is_of_the_same_person_only() {
        let mut claims: Claims = serde_json::from_value(token()).expect("it has its claims");
        assert_eq!(claims.groups("groups"), ["ops"]);
        let more = |sub: &str| {
            json!({ "sub": sub, "name": "Li Na", "groups": ["admins"] })
                .as_object()
                .cloned()
                .unwrap_or_default()
        };
        claims.add(more("43"));
        assert_eq!(claims.text("name"), None);
        claims.add(more("42"));
        assert_eq!((claims.text("name"), claims.groups("groups")), (Some("Li Na"), vec!["ops".to_owned()]));
    }
}
