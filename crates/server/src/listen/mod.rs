//! The sockets: who may connect, TLS, and how long somebody may take to say what they want.
//!
//! ```text
//! accept ─ room? ─▶ a task a connection ─ TLS ─ a request's head, 32 KiB ─▶ the router
//! ```
//!
//! - **Room**: `limits.connections` in all and `limits.connections_per_address` of one address; who comes beyond is hung up on before a byte is read,
//!   which costs next to nothing. Trusted proxies stand for many, and have no limit of their own.
//! - **Slow ones** hold a connection and never a request: the head of a request has to be there within
//!   `limits.head`, a handshake too. The body's
//!   time is the request's (`http/frame.rs`).
//! - **A failed accept** is the system's shortage, of file descriptors most likely; it is waited out, as nothing else would help.
//! - **Leaving**: no more connections are taken, those that are open are told after their answer, and after [`GRACE`] they are cut.
//! - **The certificate** is that of the moment of the handshake, so a new one needs no restart ([`tls::Tls::read_again`]).

pub mod tls;

use crate::config::Config;
use crate::room::{Place, Room};
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How long a connection of HTTP/2 may be silent before it is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// The largest head of a request, bytes.
const LARGEST_HEAD: usize = 32 << 10;
/// How many requests are under way at once on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// How long open connections may go on once the server leaves.
const GRACE: Duration = Duration::from_secs(30);
/// How long a shortage of the system is waited out.
const SHORTAGE: Duration = Duration::from_millis(100);

/// What is listened with.
pub(crate) struct Listening {
    /// The socket.
    pub(crate) listener: TcpListener,
    /// Without it, connections are taken as they are.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Who answers.
    pub(crate) router: Router,
    /// True once no more are to be taken.
    pub(crate) leaving: watch::Receiver<bool>,
    /// Whose connections are taken.
    pub(crate) config: Arc<Config>,
}

/// A place for one more connection of an address, if there is one.
fn enter(room: &Room<IpAddr>, address: IpAddr, config: &Config) -> Option<Place<IpAddr>> {
    let each = if config.trusts(address) { usize::MAX } else { config.connections_per_address };
    room.enter(address, config.connections, each).ok()
}

/// Takes connections and answers them until the server leaves.
pub(crate) async fn serve(listening: Listening) {
    let Listening { listener, tls, router, mut leaving, config } = listening;
    let head = Duration::from_millis(config.head.unsigned_abs());
    let room = Room::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = leaves(&mut leaving) => break,
        };
        // Those that have ended are let go of, so that the set has only those that are open.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = enter(&room, peer.ip().to_canonical(), &config) else { continue };
                let connection = Connection {
                    peer,
                    tls: tls.clone(),
                    router: router.clone(),
                    leaving: leaving.clone(),
                    head,
                };
                connections.spawn(async move {
                    let _place = place;
                    connection.run(stream).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(SHORTAGE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("connections were cut that did not end by themselves");
    }
}

/// Waits until the server leaves.
async fn leaves(leaving: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server; without it, it has left.
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// One connection.
struct Connection {
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    router: Router,
    leaving: watch::Receiver<bool>,
    /// How long a handshake, or the head of a request, may take.
    head: Duration,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Answers are short and written at once: waiting for more of them would only delay.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else { return self.answer(stream).await };
        match tokio::time::timeout(self.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "a handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "a handshake took too long"),
        }
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { peer, router, mut leaving, head, .. } = self;
        let service = router.map_request(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(LARGEST_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(LARGEST_HEAD as u32)
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(head);
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = leaves(&mut leaving) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error, "a connection failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_an_address_has_so_many_connections_and_a_trusted_proxy_more() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let one: IpAddr = [192, 0, 2, 1].into();
        let config = Config {
            connections: 5,
            connections_per_address: 2,
            trusted_proxies: vec![proxy.into()],
            ..Config::default()
        };
        let room = Room::default();
        let enter = |address| enter(&room, address, &config);
        let (first, _second) = (enter(one).expect("there is room"), enter(one).expect("there is room"));
        assert!(enter(one).is_none());
        drop(first);
        let _third = enter(one).expect("a place was given back");
        let _of_proxy: Vec<_> = (0..3).map(|_| enter(proxy).expect("a proxy stands for many")).collect();
        assert!(enter([192, 0, 2, 2].into()).is_none(), "there are five");
    }
}
