//! A connection to a server that a scenario can break: everything goes through this process, until it is told otherwise.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A way to one server. Whoever connects to [`address`](Self::address) talks to the server, as long as the link is whole.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    is: Is,
    /// Both ends of each connection.
    sockets: Vec<TcpStream>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    Whole,
    /// What is sent stays here, and nobody is told.
    Silent,
    /// Connections end at once.
    Cut,
    /// The link is gone for good.
    Gone,
}

impl Link {
    /// A link to a server, `host:port`.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = State { is: Is::Whole, sockets: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (of_thread, server) = (Arc::clone(&shared), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.now() == Is::Gone {
                    return;
                }
                // A server that is not there ends the connection, as it would without a link.
                let _ended = TcpStream::connect(&server).and_then(|server| of_thread.join(client, server));
            }
        });
        Self { address, shared }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends all connections, and each new one at once, until [`mend`](Self::mend).
    pub fn cut(&self) {
        self.switch(Is::Cut);
    }

    /// Keeps all connections and lets nothing through, until [`mend`](Self::mend).
    pub fn silence(&self) {
        self.switch(Is::Silent);
    }

    /// Makes it whole again. What was sent into a silent link arrives now.
    pub fn mend(&self) {
        self.switch(Is::Whole);
    }

    fn switch(&self, is: Is) {
        let mut state = self.shared.lock();
        state.is = is;
        if matches!(is, Is::Cut | Is::Gone) {
            for socket in state.sockets.drain(..) {
                // It may have ended by itself.
                let _ended = socket.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.switch(Is::Gone);
        // Wakes the thread that accepts.
        let _ended = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Is {
        self.lock().is
    }

    /// Carries a new connection, or ends it when the link is cut.
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> std::io::Result<()> {
        let (back, forth) = (client.try_clone()?, server.try_clone()?);
        let ends = [client.try_clone()?, server.try_clone()?];
        {
            let mut state = self.lock();
            if matches!(state.is, Is::Cut | Is::Gone) {
                return Ok(());
            }
            state.sockets.extend(ends);
        }
        let (there, here) = (Arc::clone(self), Arc::clone(self));
        std::thread::spawn(move || there.carry(client, forth));
        std::thread::spawn(move || here.carry(server, back));
        Ok(())
    }

    /// Carries bytes one way until either end closes.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let mut state = self.lock();
            while state.is == Is::Silent {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ended = from.shutdown(Shutdown::Both);
        let _ended = to.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while let Ok(1) = socket.read(&mut byte) {
                        socket.write_all(&byte).unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn a_link_carries_until_it_is_cut_and_holds_back_while_it_is_silent() {
        let link = Link::to(&echo());
        let mut client = TcpStream::connect(link.address()).unwrap();
        let mut byte = [0];
        client.write_all(b"a").unwrap();
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"a");

        link.silence();
        client.write_all(b"b").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(client.read_exact(&mut byte).is_err(), "nothing comes through");
        link.mend();
        client.set_read_timeout(None).unwrap();
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"b");

        link.cut();
        assert_eq!(client.read(&mut byte).unwrap_or(0), 0, "the connection has ended");
        let mut refused = TcpStream::connect(link.address()).unwrap();
        assert_eq!(refused.read(&mut byte).unwrap_or(0), 0, "a new one ends at once");
        link.mend();
        let mut again = TcpStream::connect(link.address()).unwrap();
        again.write_all(b"c").unwrap();
        again.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"c");
    }
}
