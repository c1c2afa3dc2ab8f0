//! Passwords: 12 to 256 characters, taken exactly as given, strong enough that guessing does not pay, kept as Argon2id.
//!
//! A hash takes 19 MiB and tens of milliseconds on purpose. So at most [`AT_ONCE`] are made at once and [`WAITING`] wait; who comes
//! beyond is told to come again. Whoever signs in with a login that nobody has costs the same work, so that the time tells nothing.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use clockwright_api::{Code, Problem};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// How many hashes are made at once.
const AT_ONCE: usize = 2;
/// How many wait.
const WAITING: usize = 32;
/// The longest password, characters.
const LONGEST: usize = 256;
/// The least score of its strength, of 0 to 4.
const STRONG: zxcvbn::Score = zxcvbn::Score::Three;

/// The room for hashes.
#[derive(Debug)]
pub struct Hashing {
    working: Semaphore,
    waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { working: Semaphore::new(AT_ONCE), waiting: Semaphore::new(AT_ONCE + WAITING) }
    }
}

/// OWASP's floor: 19 MiB, twice over, one lane.
fn argon() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these are within its limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A hash of a password that nobody has.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("a password that nobody has"));

fn hash_now(password: &str) -> String {
    argon().hash_password(password.as_bytes()).map(|hash| hash.to_string()).unwrap_or_default()
}

impl Hashing {
    /// Hashes a new password.
    ///
    /// # Errors
    /// Too many wait.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.run(move || hash_now(&password)).await
    }

    /// Is it the password of this hash? Without a hash it is not, after the same work. The second answer is true when the hash is weaker than
    /// today's and is to be made anew.
    ///
    /// # Errors
    /// Too many wait.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<(bool, bool), Problem> {
        self.run(move || {
            let is_somebody = hash.as_deref().is_some_and(|hash| !hash.is_empty());
            let text = if is_somebody { hash.unwrap_or_default() } else { NOBODY.clone() };
            let Ok(parsed) = PasswordHash::new(&text) else { return (false, false) };
            let fits = argon().verify_password(password.as_bytes(), &parsed).is_ok();
            let memory = parsed.params.get_decimal("m").unwrap_or_default();
            (fits && is_somebody, memory < 19 * 1024)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || Problem::new(Code::RateLimited, "too many sign-ins are under way").retry(2);
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let _room = self.working.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Problem::new(Code::Internal, "a hash could not be made"))
    }
}

/// May this be somebody's password? `known` are words that whoever guesses would try first: login, name, mail.
///
/// # Errors
/// What is wrong with it, at `/password`.
pub fn check(password: &str, least: usize, known: &[&str]) -> Result<(), Problem> {
    let refuse = |message: String| {
        Err(Problem::new(Code::Invalid, "the password cannot be used").at("/password", message))
    };
    let length = password.chars().count();
    if length < least {
        return refuse(format!("has {length} characters; at least {least} are needed"));
    }
    if length > LONGEST {
        return refuse(format!("has {length} characters; at most {LONGEST} are taken"));
    }
    let mut words: Vec<&str> = known.to_vec();
    words.push("clockwright");
    // Its time grows with the length; what is this long is strong or hopeless by its first hundred characters.
    let head: String = password.chars().take(100).collect();
    let strength = zxcvbn::zxcvbn(&head, &words);
    if strength.score() >= STRONG {
        return Ok(());
    }
    let advice = strength.feedback().map(|feedback| {
        let warning = feedback.warning().map(|warning| warning.to_string());
        warning
            .into_iter()
            .chain(feedback.suggestions().iter().map(ToString::to_string))
            .collect::<Vec<_>>()
            .join(" ")
    });
    refuse(format!("is guessed too easily. {}", advice.unwrap_or_default()).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_guessed_is_refused_with_advice() {
        let error = |password: &str| {
            check(password, 12, &["lina", "Li Na"]).expect_err(password).errors[0].message.clone()
        };
        assert!(error("short").contains("at least 12"));
        assert!(error(&"x".repeat(257)).contains("at most 256"));
        assert!(error("password1234").contains("guessed"));
        assert!(error("lina-lina-lina").contains("guessed"));
        assert!(check("correct horse battery staple", 12, &[]).is_ok());
        assert!(check("  spaces count  exactly ", 12, &[]).is_ok());
    }

    #[tokio::test]
    async fn a_password_opens_its_own_hash_and_nothing_opens_nobody() {
        let hashing = Hashing::default();
        let hash = hashing.hash("correct horse".into()).await.expect("there is room");
        assert_eq!(hashing.verify("correct horse".into(), Some(hash.clone())).await, Ok((true, false)));
        assert_eq!(hashing.verify("Correct horse".into(), Some(hash)).await, Ok((false, false)));
        assert_eq!(
            hashing.verify("a password that nobody has".into(), None).await.map(|answer| answer.0),
            Ok(false)
        );
        assert_eq!(hashing.verify("".into(), Some(String::new())).await.map(|answer| answer.0), Ok(false));
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_told_to_come_again() {
        let hashing = Hashing { working: Semaphore::new(0), waiting: Semaphore::new(1) };
        let waits = hashing.hash("x".into());
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        let refused = hashing.hash("y".into()).await.expect_err("there is no place");
        assert_eq!(refused.kind(), Some(Code::RateLimited));
    }
}
