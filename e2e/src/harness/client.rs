//! Whoever asks a control server, as a careful program does: what nobody knows the end of is sent again with the same key.

use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How long a request is sent again at most: longer than any takeover, and than the time after which an operation is taken for left.
const PATIENCE: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(200);
const PASSWORD: &str = "correct horse battery staple";

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    /// What says who it is: headers.
    who: Vec<(&'static str, String)>,
    /// The greatest number of the journal that an answer told: whichever server is asked next is to know it.
    seen: Arc<AtomicI64>,
    http: reqwest::Client,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body; null when it is no JSON.
    pub body: Value,
    /// It is the answer that the key was given before.
    pub replayed: bool,
}

impl Reply {
    /// True when nobody knows by it whether the request was or will be carried out.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        let in_progress = self.status == 409 && self.body["code"] == "request-in-progress";
        !self.replayed && (in_progress || matches!(self.status, 429 | 502 | 503 | 504))
    }

    /// The body of an answer with this status.
    ///
    /// # Panics
    /// When it has another one, with what it says.
    #[must_use]
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}

impl Client {
    /// Somebody who proves who they are by these headers, and has seen the journal up to a number. `base` is `http://host:port`.
    ///
    /// # Panics
    /// When there can be no client at all.
    #[must_use]
    pub fn new(base: &str, who: Vec<(&'static str, String)>, seen: i64) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(45)).no_proxy().build();
        let seen = Arc::new(AtomicI64::new(seen));
        Self { base: base.to_owned(), who, seen, http: http.expect("a client can be made") }
    }

    /// The first administrator, who comes in by the link that a server printed: `secret` is its end. `base` is as for [`new`](Self::new).
    ///
    /// # Panics
    /// When the link lets nobody in.
    pub async fn first_administrator(base: &str, secret: &str) -> Self {
        let nobody = Self::new(base, Vec::new(), 0);
        let me = json!({ "login": "root", "password": PASSWORD });
        let asked = nobody.http.post(format!("{base}/api/v1/links/{secret}")).json(&me).send().await;
        let answer = asked.expect("the server answers");
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let seen = header("clockwright-seq").and_then(|seq| seq.parse().ok());
        let cookie = header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.expect("somebody is signed in").to_owned();
        let who = vec![("cookie", cookie), ("sec-fetch-site", "same-origin".to_owned())];
        Self::new(base, who, seen.expect("the answer says what was made"))
    }

    /// The greatest number of the journal that it was told.
    #[must_use]
    pub fn seen(&self) -> i64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// The same one, asking elsewhere.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Asks once. `path` comes behind `/api/v1`.
    ///
    /// # Errors
    /// The connection ended before the answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        request = request.header("clockwright-min-seq", self.seen.load(Ordering::SeqCst));
        let who = self.who.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in who.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers());
        let seq = headers.get("clockwright-seq").and_then(|value| value.to_str().ok()?.parse().ok());
        self.seen.fetch_max(seq.unwrap_or(0), Ordering::SeqCst);
        let replayed = headers.contains_key("idempotency-replayed");
        let body = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        Ok(Reply { status, body, replayed })
    }

    /// Reads, again and again until it is answered.
    ///
    /// # Panics
    /// When it is not answered in time.
    pub async fn get(&self, path: &str) -> Reply {
        self.again(|| self.ask(Method::GET, path, &[], None)).await
    }

    /// Posts with a key, again and again until it is known what came of it.
    ///
    /// # Panics
    /// When that is not known in time.
    pub async fn post(&self, key: &str, path: &str, body: &Value) -> Reply {
        let headers = [("idempotency-key", key)];
        self.again(|| self.ask(Method::POST, path, &headers, Some(body))).await
    }

    async fn again<F: Future<Output = Result<Reply, reqwest::Error>>>(&self, ask: impl Fn() -> F) -> Reply {
        let begun = Instant::now();
        loop {
            let answer = ask().await;
            match answer {
                Ok(reply) if !reply.is_unclear() => return reply,
                other => {
                    assert!(
                        begun.elapsed() < PATIENCE,
                        "not answered within {PATIENCE:?}; at last {other:?}"
                    );
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
