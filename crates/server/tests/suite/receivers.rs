//! Who receives messages: a server of HTTP and one of mail, on this machine, that keep what they are sent.

use axum::Router;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }
}

/// A server of HTTP.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

type Meanwhile = Box<dyn Fn() -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

struct Inner {
    received: Mutex<Vec<Received>>,
    answer: Mutex<(u16, String)>,
    meanwhile: Mutex<Option<Arc<Meanwhile>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            received: Mutex::default(),
            answer: Mutex::new((200, "ok".to_owned())),
            meanwhile: Mutex::default(),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// What it answers from now on.
    pub(crate) fn answers(&self, status: u16, text: &str) {
        *self.inner.answer.lock().unwrap() = (status, text.to_owned());
    }

    /// What happens while it has a request.
    pub(crate) fn meanwhile(
        &self,
        what: impl Fn() -> futures::future::BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        *self.inner.meanwhile.lock().unwrap() = Some(Arc::new(Box::new(what)));
    }

    /// What it was sent since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inner.received.lock().unwrap())
    }
}

async fn take(State(inner): State<Arc<Inner>>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let path = parts.uri.to_string();
    inner.received.lock().unwrap().push(Received { path, headers: parts.headers, text });
    let meanwhile = inner.meanwhile.lock().unwrap().clone();
    if let Some(meanwhile) = meanwhile {
        meanwhile().await;
    }
    let (status, text) = inner.answer.lock().unwrap().clone();
    (StatusCode::from_u16(status).unwrap(), text)
}

/// A server of mail.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    /// Its certificate, PEM.
    pub(crate) certificate: String,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) async fn start(speaks_tls: bool) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = speaks_tls.then(|| acceptor.clone());
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { greet(stream, acceptor, &kept).await });
            }
        });
        Self { port, certificate: cert.pem(), mails }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.mails.lock().unwrap())
    }
}

async fn greet(
    mut stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    kept: &Mutex<Vec<String>>,
) -> Option<()> {
    stream.write_all(b"220 localhost\r\n").await.ok()?;
    let Some(acceptor) = acceptor else { return talk(stream, kept).await };
    let mut plain = BufReader::new(stream);
    loop {
        let mut line = String::new();
        plain.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let answer: &[u8] = match line.split_whitespace().next()? {
            "EHLO" => b"250-localhost\r\n250 STARTTLS\r\n",
            "STARTTLS" => b"220 go\r\n",
            _ => b"530 only over TLS\r\n",
        };
        plain.get_mut().write_all(answer).await.ok()?;
        if line.starts_with("STARTTLS") {
            break;
        }
    }
    let stream = acceptor.accept(plain.into_inner()).await.ok()?;
    talk(stream, kept).await
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, kept: &Mutex<Vec<String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut whole = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        whole += &line;
        let answer: &[u8] = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" => b"250-localhost\r\n250 AUTH PLAIN\r\n",
            "AUTH" => b"235 in\r\n",
            "DATA" => b"354 go on\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.get_mut().write_all(answer).await.ok()?;
        if line.starts_with("DATA") {
            while !whole.ends_with("\r\n.\r\n") {
                stream.read_line(&mut whole).await.ok().filter(|count| *count > 0)?;
            }
            kept.lock().unwrap().push(std::mem::take(&mut whole));
            stream.get_mut().write_all(b"250 taken\r\n").await.ok()?;
        }
    }
}
