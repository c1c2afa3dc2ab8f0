//! Secrets that are random: sessions, tokens, links.

use crate::decide::chain::sha256;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What every token begins with, so that a scanner for secrets finds those that lie about.
const TOKEN: &str = "cwt_";

/// 256 random bits as text that fits an address and a header.
#[must_use]
pub fn random() -> String {
    let mut bytes = [0u8; 32];
    // The system's generator does not fail once it has begun.
    rand::fill(&mut bytes).expect("the system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token: its mark, 256 random bits, and a checksum by which a scanner tells it from look-alikes.
#[must_use]
pub fn token() -> String {
    let secret = random();
    let sum = checksum(&secret);
    format!("{TOKEN}{secret}_{sum}")
}

/// True for a text that was made as a token, whoever made it.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let Some((secret, sum)) = text.strip_prefix(TOKEN).and_then(|rest| rest.rsplit_once('_')) else {
        return false;
    };
    secret.len() == 43 && checksum(secret) == sum
}

fn checksum(secret: &str) -> String {
    sha256(secret.as_bytes()).chars().take(6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_look_alikes() {
        let made = token();
        assert!(is_token(&made), "{made}");
        assert_ne!(made, token());
        let mut wrong = made.clone();
        wrong.replace_range(10..11, if &made[10..11] == "a" { "b" } else { "a" });
        assert!(!is_token(&wrong) && !is_token("cwt_") && !is_token(""));
    }
}
