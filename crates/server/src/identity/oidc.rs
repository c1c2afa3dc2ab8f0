//! Signing in at an identity provider: the code flow of OpenID Connect with PKCE.
//!
//! ```text
//! browser ── begin ──▶ we: state, nonce, verifier into a cookie of ten minutes; 302 to the provider
//!         ◀── 302 ──── provider: who is it? ── 302 with code and state ──▶ callback
//! we ── code, verifier, our secret ──▶ provider ── ID token ──▶ signature, claims ──▶ a session
//! ```
//!
//! - **The issuer** is the configuration's and nobody else's word: no request names an address. Its document is read when it is first needed and kept;
//!   its keys too, and they are read again for a key that is not known, at most once a minute. No redirect is followed.
//! - **State** binds the answer to the browser that asked, **nonce** the token to the request, the **verifier** the code to us: who steals one of
//!   them has not the others, which are in a cookie that no script reads.
//! - **Who it is** is (issuer, subject), never the mail or the login: those may be given to somebody else.
//! - **Every failure** reads the same to the browser, and says in the log what it was.

use crate::app::App;
use crate::config::Oidc;
use crate::decide::claims::{Claims, Wanted};
use crate::identity::secret;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clockwright_model::Millis;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

/// How long an answer of the provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer of the provider, bytes.
const LARGEST: usize = 1 << 20;
/// Keys are read again at most so often, milliseconds.
const AGAIN: Millis = 60_000;
/// The signatures that are taken.
const SIGNATURES: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// What is known of the provider.
#[derive(Debug, Default)]
pub struct Provider {
    known: Mutex<Option<Known>>,
    /// Made when it is first needed: it reads the certificates that the system trusts.
    client: OnceCell<reqwest::Client>,
}

impl Provider {
    async fn client(&self) -> Result<&reqwest::Client, String> {
        let build = async || {
            reqwest::Client::builder()
                .timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                // Sign-ins are rare: the provider would have closed what is kept for the next one.
                .pool_max_idle_per_host(0)
                .build()
        };
        self.client.get_or_try_init(build).await.map_err(|error| error.to_string())
    }
}

#[derive(Debug, Clone)]
struct Known {
    document: Arc<Document>,
    keys: Arc<JwkSet>,
    read_at: Millis,
}

/// What the provider's document says, as far as it is used.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
}

/// What the browser keeps until it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) state: String,
    nonce: String,
    verifier: String,
}

impl Errand {
    fn new() -> Self {
        Self { state: secret::random(), nonce: secret::random(), verifier: secret::random() }
    }

    /// As it stands in the cookie: none of the three has a dot.
    pub(crate) fn text(&self) -> String {
        format!("{}.{}.{}", self.state, self.nonce, self.verifier)
    }

    /// Of a cookie's text.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::to_owned);
        let errand = Self { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? };
        parts.next().is_none().then_some(errand)
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.verifier.as_bytes()))
    }
}

/// Where the browser is sent, and what it keeps. `fresh`: they are to prove again who they are.
pub(crate) async fn begin(app: &App, oidc: &Oidc, fresh: bool) -> Result<(String, Errand), String> {
    let known = known(app, oidc).await?;
    let errand = Errand::new();
    let mut url = Url::parse(&known.document.authorization_endpoint).map_err(|error| error.to_string())?;
    let mut pairs = url.query_pairs_mut();
    let redirect = redirect(app);
    let challenge = errand.challenge();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", &oidc.client),
        ("redirect_uri", &redirect),
        ("scope", &app.config.oidc_scopes),
        ("state", &errand.state),
        ("nonce", &errand.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ] {
        pairs.append_pair(name, value);
    }
    if !oidc.require_acr.is_empty() {
        pairs.append_pair("acr_values", &oidc.require_acr);
    }
    if fresh {
        pairs.append_pair("prompt", "login").append_pair("max_age", "0");
    }
    drop(pairs);
    Ok((url.into(), errand))
}

fn redirect(app: &App) -> String {
    format!("{}/api/v1/oidc/callback", app.config.public_url)
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// Who came back with this code.
pub(crate) async fn finish(app: &App, oidc: &Oidc, errand: &Errand, code: &str) -> Result<Claims, String> {
    let known = known(app, oidc).await?;
    let redirect = redirect(app);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect),
        ("code_verifier", &errand.verifier),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    // As the standard has it: both are encoded before they are put together.
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let client = app.provider.client().await?;
    let request = client
        .post(&known.document.token_endpoint)
        .basic_auth(encoded(&oidc.client), Some(encoded(oidc.secret.reveal())))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let tokens: Tokens = answer(request).await?;
    let header = decode_header(&tokens.id_token).map_err(|error| error.to_string())?;
    let key = key(app, oidc, &known, &header).await?;
    let mut claims = verify(&tokens.id_token, &header, &key)?;
    let wanted = Wanted {
        issuer: &known.document.issuer,
        client: &oidc.client,
        nonce: &errand.nonce,
        acr: &oidc.require_acr,
    };
    claims.check(wanted, app.now())?;
    if let (Some(token), Some(place)) = (tokens.access_token, &known.document.userinfo_endpoint) {
        let more: Map<String, Value> = answer(client.get(place).bearer_auth(token)).await?;
        claims.add(more);
    }
    Ok(claims)
}

/// The signature is that of this key; what the token says is looked at by whoever asked.
fn verify(token: &str, header: &Header, key: &Jwk) -> Result<Claims, String> {
    let algorithm = header.alg;
    if !SIGNATURES.contains(&algorithm) {
        return Err(format!("the token is signed by {algorithm:?}"));
    }
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    decode(token, &key, &validation).map(|token| token.claims).map_err(|error| error.to_string())
}

/// The key that a token says it is signed by.
async fn key(app: &App, oidc: &Oidc, known: &Known, header: &Header) -> Result<Jwk, String> {
    let find = |keys: &JwkSet| match &header.kid {
        Some(name) => keys.find(name).cloned(),
        None => keys.keys.first().filter(|_| keys.keys.len() == 1).cloned(),
    };
    if let Some(key) = find(&known.keys) {
        return Ok(key);
    }
    let unknown = || "the token is signed by a key that the provider does not have".to_owned();
    if app.now() - known.read_at < AGAIN {
        return Err(unknown());
    }
    let again = read(app, oidc).await?;
    let key = find(&again.keys);
    *app.provider.known.lock().await = Some(again);
    key.ok_or_else(unknown)
}

async fn known(app: &App, oidc: &Oidc) -> Result<Known, String> {
    let mut known = app.provider.known.lock().await;
    if let Some(known) = &*known {
        return Ok(known.clone());
    }
    Ok(known.insert(read(app, oidc).await?).clone())
}

async fn read(app: &App, oidc: &Oidc) -> Result<Known, String> {
    let place = format!("{}/.well-known/openid-configuration", oidc.issuer.trim_end_matches('/'));
    let client = app.provider.client().await?;
    let document: Document = answer(client.get(place)).await?;
    if document.issuer != oidc.issuer {
        return Err(format!("the provider says that it is `{}`", document.issuer));
    }
    let keys: JwkSet = answer(client.get(&document.jwks_uri)).await?;
    Ok(Known { document: Arc::new(document), keys: Arc::new(keys), read_at: app.now() })
}

/// An answer of the provider, as JSON.
async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, String> {
    let mut response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
        if body.len() + part.len() > LARGEST {
            return Err("the provider's answer is too large".to_owned());
        }
        body.extend_from_slice(&part);
    }
    if !status.is_success() {
        return Err(format!("the provider answers {status}"));
    }
    serde_json::from_slice(&body).map_err(|error| format!("the provider's answer cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let errand =
            Errand { verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(), ..Errand::new() };
        assert_eq!(errand.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn an_errand_is_read_as_it_was_kept_and_nothing_else_is_one() {
        let errand = Errand::new();
        assert_eq!(Errand::of_text(&errand.text()), Some(errand));
        for text in ["", "a.b", "a.b.c.d"] {
            assert_eq!(Errand::of_text(text), None, "{text}");
        }
    }
}
