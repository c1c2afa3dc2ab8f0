//! SASL's `DIGEST-MD5` as ZooKeeper's servers speak it (RFC 2831): what to answer to a challenge, and what the server must then know.
//!
//! The password does not travel: both sides show that they know it by hashes over each other's random words. MD5 is what the mechanism
//! prescribes; against somebody who listens or stands between, TLS helps. Only authentication is asked for, no protection of what follows.

use md5::{Digest as _, Md5};
use std::fmt::Write as _;

/// The service and host that ZooKeeper's servers take, whatever they are called.
const URI: &str = "zookeeper/zk-sasl-md5";

/// An answer to the server's challenge.
#[derive(Debug)]
pub(crate) struct Response {
    /// What to send.
    pub(crate) token: String,
    /// What the server sends back if it knows the password too.
    pub(crate) confirmed: String,
}

/// Answers a challenge as the user of `user:password`. `nonce` is our random word.
///
/// # Errors
/// The challenge does not follow the RFC, or demands what we do not do; says what.
pub(crate) fn respond(challenge: &[u8], login: &str, nonce: &str) -> Result<Response, String> {
    let challenge = Challenge::read(challenge)?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let secret =
        md5(&[latin(user), b":".to_vec(), latin(&challenge.realm), b":".to_vec(), latin(password)].concat());
    let words = format!(":{}:{nonce}", challenge.nonce);
    let session = hex(&md5(&[&secret[..], words.as_bytes()].concat()));
    let proof = |method: &str| {
        let what = hex(&md5(format!("{method}:{URI}").as_bytes()));
        hex(&md5(format!("{session}:{}:00000001:{nonce}:auth:{what}", challenge.nonce).as_bytes()))
    };
    let charset = if challenge.utf8 { "charset=utf-8," } else { "" };
    let token = format!(
        "{charset}username={},realm={},nonce={},cnonce={},nc=00000001,qop=auth,digest-uri=\"{URI}\",response={}",
        quoted(user),
        quoted(&challenge.realm),
        quoted(&challenge.nonce),
        quoted(nonce),
        proof("AUTHENTICATE"),
    );
    Ok(Response { token, confirmed: format!("rspauth={}", proof("")) })
}

struct Challenge {
    realm: String,
    nonce: String,
    utf8: bool,
}

impl Challenge {
    fn read(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "the server's challenge is no text".to_owned())?;
        let (mut realm, mut nonce, mut utf8) = (None, None, false);
        for (name, value) in directives(text)? {
            match name.as_str() {
                "realm" => _ = realm.get_or_insert(value),
                "nonce" => _ = nonce.get_or_insert(value),
                "charset" => utf8 = value.eq_ignore_ascii_case("utf-8"),
                "qop" if !value.split(',').any(|known| known.trim() == "auth") => {
                    return Err(format!("the server demands `{value}`, and only authentication is spoken"));
                }
                _ => {}
            }
        }
        let nonce = nonce
            .ok_or("the server's challenge has no nonce: it speaks another mechanism than DIGEST-MD5")?;
        Ok(Self { realm: realm.unwrap_or_default(), nonce, utf8 })
    }
}

/// `name=value,name="quoted value"`.
fn directives(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| *c == ',' || c.is_ascii_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(found);
        }
        let name: String = std::iter::from_fn(|| chars.next_if(|c| *c != '=')).collect();
        if chars.next().is_none() {
            return Err("the server's challenge is cut off".to_owned());
        }
        let mut value = String::new();
        if chars.next_if_eq(&'"').is_none() {
            value.extend(std::iter::from_fn(|| chars.next_if(|c| *c != ',')));
        } else {
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(c) => value.push(c),
                    None => return Err("the server's challenge is cut off in a quotation".to_owned()),
                }
            }
        }
        found.push((name.trim().to_ascii_lowercase(), value));
    }
}

/// As the RFC has it: ISO 8859-1 where that has all characters, and UTF-8 otherwise.
fn latin(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect::<Option<_>>()
        .unwrap_or_else(|| text.into())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const CHALLENGE: &str =
        r#"realm="zk-sasl-md5",nonce="a\"b,c",charset=utf-8,algorithm=md5-sess,qop="auth,auth-int""#;

    #[test]
    fn a_challenge_is_answered_with_what_it_says_and_two_proofs() {
        let response = respond(CHALLENGE.as_bytes(), "ann:s3:cret", "word").unwrap();
        assert!(response.token.starts_with(
            r#"charset=utf-8,username="ann",realm="zk-sasl-md5",nonce="a\"b,c",cnonce="word",nc=00000001,qop=auth,"#
        ));
        assert!(!response.token.contains("s3"), "{}", response.token);
        let proof = response.token.rsplit_once("response=").unwrap().1;
        assert_eq!((proof.len(), response.confirmed.len()), (32, "rspauth=".len() + 32));
        assert_ne!(response.confirmed, format!("rspauth={proof}"));
        let other = respond(CHALLENGE.as_bytes(), "ann:s3:cres", "word").unwrap();
        assert!(other.token != response.token && other.confirmed != response.confirmed);
    }

    #[test]
    fn challenges_that_cannot_be_answered_say_why() {
        for (challenge, why) in [
            ("realm=\"x\"", "another mechanism"),
            ("nonce=\"x", "cut off in a quotation"),
            ("nonce", "cut off"),
            ("nonce=\"x\",qop=\"auth-conf\"", "`auth-conf`"),
        ] {
            let error = respond(challenge.as_bytes(), "ann:secret", "word").unwrap_err();
            assert!(error.contains(why), "{challenge}: {error}");
        }
        assert!(respond(&[0xff], "ann:secret", "word").is_err());
    }

    #[test]
    fn names_are_hashed_as_latin_where_that_has_them() {
        assert_eq!(latin("é"), [0xe9]);
        assert_eq!(latin("中"), "中".as_bytes());
    }
}
