//! The door to addresses that a person named: only public ones and those of the operator's list, resolved once, spoken to at just that
//! address, without going on elsewhere.

use super::words;
use crate::decide::reach::Allowed;
use futures::future::BoxFuture;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long a message may take, …
const PATIENCE: Duration = Duration::from_secs(10);
/// … and how much of an answer is read.
const LARGEST: usize = 64 * 1024;

/// Finds the addresses of a name.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The door.
pub struct Door {
    allowed: Allowed,
    resolve: Resolve,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long it wants to be left alone, seconds.
    pub(super) wait: Option<i64>,
    pub(super) body: String,
}

/// Why nothing was sent or answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shut {
    /// The address is none that may be spoken to.
    Never(String),
    /// It was not reached.
    Later(String),
}

impl Door {
    /// With the operator's list, and the names that the machine knows.
    #[must_use]
    pub fn new(hosts: &[String]) -> Self {
        let resolve: Resolve = Arc::new(|host| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        Self::with(hosts, resolve)
    }

    /// With the operator's list, and names of the caller's own.
    #[must_use]
    pub fn with(hosts: &[String], resolve: Resolve) -> Self {
        Self { allowed: Allowed::of(hosts), resolve }
    }

    /// What is wrong with an address before any name is looked up; its host otherwise.
    ///
    /// # Errors
    /// What is wrong, without the address itself.
    pub fn check(&self, text: &str) -> Result<(Url, String), String> {
        let url =
            Url::parse(text).map_err(|_| "is no address such as `https://hooks.example.com/x`".to_owned())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err("begins with `https://` or `http://`".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has no user and no password in it".to_owned());
        }
        let host = url.host_str().ok_or("names no host")?.to_owned();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match address {
            Some(address) if !self.allowed.has(address) => Err(refusal(&host)),
            _ => Ok((url, host)),
        }
    }

    /// Where this address is: the name is looked up once, and each of its addresses judged.
    async fn places(&self, url: &Url, host: &str) -> Result<Vec<SocketAddr>, Shut> {
        let Some(Host::Domain(name)) = url.host() else { return Ok(Vec::new()) };
        let found = (self.resolve)(name.to_owned()).await;
        let found = found.map_err(|_| Shut::Later(format!("`{host}` is not known")))?;
        if found.is_empty() {
            return Err(Shut::Later(format!("`{host}` has no address")));
        }
        if !self.allowed.has_name(name) && !found.iter().all(|address| self.allowed.has(*address)) {
            return Err(Shut::Never(refusal(host)));
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    /// Sends JSON to an address.
    pub(super) async fn post(
        &self,
        text: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Answer, Shut> {
        let (url, host) = self.check(text).map_err(|why| Shut::Never(format!("the address {why}")))?;
        let places = self.places(&url, &host).await?;
        let failed = |error: reqwest::Error| Shut::Later(words(&error.without_url()));
        // One client a message: it knows no other address than these.
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent("clockwright")
            .resolve_to_addrs(&host, &places)
            .build()
            .map_err(failed)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(HeaderName::from_static(name), value);
            }
        }
        let request = client.post(url).headers(map).header("content-type", "application/json").body(body);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&part[..part.len().min(LARGEST - body.len())]);
            if body.len() == LARGEST {
                break;
            }
        }
        Ok(Answer { status, wait, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn refusal(host: &str) -> String {
    format!("`{host}` is no public address, and the operator's `alerts.hosts` does not have it")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers each request with this text, and counts them.
    async fn receiver(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (port, count)
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

    /// Names that answer otherwise each time.
    fn names(answers: &[&str]) -> (Resolve, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let answers: Vec<IpAddr> = answers.iter().map(|text| text.parse().unwrap()).collect();
        let answers = Mutex::new(answers);
        let resolve: Resolve = Arc::new(move |_| {
            let place = count.fetch_add(1, Ordering::SeqCst);
            let answers = answers.lock().unwrap();
            let answer = answers[place.min(answers.len() - 1)];
            Box::pin(async move { Ok(vec![answer]) })
        });
        (resolve, asked)
    }

    #[tokio::test]
    async fn s17_an_address_of_the_servers_own_network_is_refused_however_it_is_written() {
        let (port, count) = receiver(OK).await;
        let door = Door::new(&[]);
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0.0.0.0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "[64:ff9b::7f00:1]",
        ] {
            let sent = door.post(&format!("http://{host}:{port}/"), &[], String::new()).await;
            assert!(matches!(sent, Err(Shut::Never(_))), "{host}: {sent:?}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn s17_a_name_of_the_servers_own_network_is_refused() {
        let (port, count) = receiver(OK).await;
        let (resolve, _) = names(&["127.0.0.1"]);
        let door = Door::with(&[], resolve);
        let sent = door.post(&format!("http://metadata.example:{port}/"), &[], String::new()).await;
        assert!(matches!(sent, Err(Shut::Never(_))), "{sent:?}");
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn s17_a_name_is_looked_up_once_and_what_it_says_next_is_not_asked() {
        let (port, count) = receiver(OK).await;
        // The first answer may be spoken to, and the second one is the machine itself. Nobody listens at the first one.
        let (resolve, asked) = names(&["127.0.0.2", "127.0.0.1"]);
        let door = Door::with(&["127.0.0.2".into()], resolve);
        let sent = door.post(&format!("http://rebinding.example:{port}/"), &[], String::new()).await;
        assert!(matches!(sent, Err(Shut::Later(_))), "{sent:?}");
        assert_eq!((asked.load(Ordering::SeqCst), count.load(Ordering::SeqCst)), (1, 0));
        let (resolve, _) = names(&["127.0.0.1"]);
        let door = Door::with(&["rebinding.example".into()], resolve);
        let sent = door.post(&format!("http://rebinding.example:{port}/"), &[], String::new()).await;
        assert_eq!(sent.unwrap().body, "ok", "the operator's list has the name");
    }

    #[tokio::test]
    async fn s18_a_redirect_is_an_answer_and_is_not_followed() {
        let (inner, followed) = receiver(OK).await;
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inner}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (port, _) = receiver(Box::leak(answer.into_boxed_str())).await;
        let door = Door::new(&["127.0.0.1".into()]);
        let sent = door.post(&format!("http://127.0.0.1:{port}/"), &[], String::new()).await.unwrap();
        assert_eq!((sent.status, followed.load(Ordering::SeqCst)), (302, 0));
    }

    #[test]
    fn s19_only_http_without_credentials_is_spoken() {
        let door = Door::new(&[]);
        for text in ["file:///etc/passwd", "gopher://x/", "ftp://x/", "http://user:word@x/", "x", "http:///"]
        {
            assert!(door.check(text).is_err(), "{text}");
        }
        assert_eq!(door.check("https://hooks.example.com/T0/B0").unwrap().1, "hooks.example.com");
    }
}
