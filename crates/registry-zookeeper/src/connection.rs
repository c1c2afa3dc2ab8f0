//! One TCP connection to one server, with the session established on it.

use crate::options::{Checked, Server, SignIn};
use crate::sasl;
use crate::stream::{Stream, dial};
use crate::wire::{self, MAX_FRAME, Malformed, Reader, Writer, code, op, set_xid, xid};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BytesMut};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A connection on which the session is established.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    /// Received, not yet read.
    pub(crate) input: BytesMut,
    /// Whether the server has multi-reads and recursive watches (ZooKeeper 3.6 and later).
    pub(crate) modern: bool,
}

/// The session, as the servers know it.
#[derive(Clone)]
pub(crate) struct Identity {
    /// 0 before there is one.
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    /// The timeout to ask for, milliseconds.
    pub(crate) asked: i32,
    /// The timeout that was given last; before that, the one to ask for.
    pub(crate) timeout: i32,
    /// The last transaction of which this session knows. A server that is behind it refuses the connection, so that reads
    /// never go back in time.
    pub(crate) last_seen: i64,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The servers do not know the session any more.
    #[error("the session has expired")]
    Expired,
    /// The server does not take the credentials.
    #[error("{0}")]
    Denied(String),
    /// The server has no multi-read; it drops the connection of whoever asks for one.
    #[error("the server is older than 3.6")]
    Old,
    /// The server closed the connection instead of taking the session back: it does not serve at the moment, or it is behind
    /// what the session has seen.
    #[error("the server closed the connection instead of taking the session back")]
    Refused,
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
}

impl ConnectError {
    /// What the system says of a connection: what TLS says of the other side is no matter of trying again.
    pub(crate) fn of_io(error: std::io::Error, server: &Server) -> Self {
        match error.kind() {
            ErrorKind::InvalidData => Self::Denied(format!("TLS with {server}: {error}")),
            _ => Self::Io(error),
        }
    }
}

/// Connects to one server and establishes the session there: a new one, or the one that `identity` names. `modern` is
/// what is known of the server; when nothing is, it is asked.
pub(crate) async fn connect(
    server: &Server,
    identity: &mut Identity,
    options: &Checked,
    modern: Option<bool>,
    limit: Duration,
) -> Result<Connection, ConnectError> {
    // A handshake that is cut off must not leave half a session in `identity`.
    let mut next = identity.clone();
    let result = tokio::time::timeout(limit, establish(server, &mut next, options, modern)).await;
    if next.session != 0 {
        *identity = next;
    }
    result.unwrap_or(Err(ConnectError::Timeout(limit)))
}

async fn establish(
    server: &Server,
    identity: &mut Identity,
    options: &Checked,
    modern: Option<bool>,
) -> Result<Connection, ConnectError> {
    let stream = dial(server, options).await?;
    let mut connection =
        Connection { stream, input: BytesMut::with_capacity(16 << 10), modern: modern.unwrap_or(true) };
    let known = identity.session != 0;
    connection.open_session(identity, &[]).await.map_err(|error| match error {
        ConnectError::Io(error) => unopened(error, known, server),
        error => error,
    })?;
    match (&options.user, options.sign_in) {
        (Some(login), SignIn::Digest) => connection.show_digest(login).await?,
        (Some(login), SignIn::Sasl) => connection.exchange_proofs(login).await?,
        (None, _) => {}
    }
    if modern.is_none() {
        connection.probe().await?;
    }
    Ok(connection)
}

/// Why a server gave no session, or did not take back a known one.
fn unopened(error: std::io::Error, known: bool, server: &Server) -> ConnectError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset if known => ConnectError::Refused,
        ErrorKind::UnexpectedEof => {
            let why = "the server closed the connection before it gave a session, as one does that has too many from this address, or \
                       whose port speaks TLS, which is `zookeepers://`";
            std::io::Error::new(error.kind(), why).into()
        }
        _ => ConnectError::of_io(error, server),
    }
}

/// Where a server that refused a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has caught up with what the session has seen; it will take the session back.
    CaughtUp,
    /// It serves, and does not know the session.
    Forgotten,
    /// It serves, its leader included, and this is the last transaction it knows. The session, which it knew, is closed.
    Behind(i64),
}

/// Asks a server that refused a session what it knows: it is told of nothing that the session has seen, so it need not refuse.
/// Servers that are merely late are brought up to their leader first.
pub(crate) async fn ask_standing(
    server: &Server,
    identity: &Identity,
    options: &Checked,
    limit: Duration,
) -> Result<Standing, ConnectError> {
    let ask = async {
        let stream = dial(server, options).await?;
        let mut connection = Connection { stream, input: BytesMut::new(), modern: false };
        let mut humble = Identity { last_seen: 0, ..identity.clone() };
        match connection.open_session(&mut humble, &[]).await {
            Ok(()) => {}
            Err(ConnectError::Expired) => return Ok(Standing::Forgotten),
            Err(error) => return Err(error),
        }
        let mut requests = Writer::request(op::SYNC).text("/").finish();
        let mut exists = Writer::request(op::EXISTS).text("/").bool(false).finish();
        set_xid(&mut exists, 1);
        requests.extend(exists);
        connection.stream.write_all(&requests).await?;
        let last = connection.header(1).await?.1;
        if last >= identity.last_seen {
            return Ok(Standing::CaughtUp);
        }
        let mut close = Writer::request(op::CLOSE_SESSION).finish();
        set_xid(&mut close, 2);
        connection.stream.write_all(&close).await?;
        connection.answer(2).await?;
        Ok(Standing::Behind(last))
    };
    tokio::time::timeout(limit, ask).await.unwrap_or(Err(ConnectError::Timeout(limit)))
}

/// Takes a session over and ends it in one breath, so that whoever has it has no time to take it back. `Ok` when the server
/// confirmed the end, [`ConnectError::Expired`] when it did not know the session.
pub(crate) async fn end_session(
    server: &Server,
    identity: &Identity,
    options: &Checked,
    limit: Duration,
) -> Result<(), ConnectError> {
    let end = async {
        let stream = dial(server, options).await?;
        let mut connection = Connection { stream, input: BytesMut::new(), modern: false };
        let close = Writer::request(op::CLOSE_SESSION).finish();
        connection.open_session(&mut identity.clone(), &close).await?;
        match connection.answer(0).await? {
            code::OK => Ok(()),
            _ => Err(ConnectError::Expired),
        }
    };
    tokio::time::timeout(limit, end).await.unwrap_or(Err(ConnectError::Timeout(limit)))
}

impl Identity {
    pub(crate) fn new(session: i64, password: Vec<u8>, asked: i32) -> Self {
        Self { session, password, asked, timeout: asked, last_seen: 0 }
    }
}

impl Connection {
    /// Establishes the session; `more` is sent right behind.
    async fn open_session(&mut self, identity: &mut Identity, more: &[u8]) -> Result<(), ConnectError> {
        let request = Writer::new()
            .int(0)
            .long(identity.last_seen)
            .int(identity.asked)
            .long(identity.session)
            .buffer(&identity.password)
            .bool(false);
        self.stream.write_all(&[&request.finish(), more].concat()).await?;
        let frame = self.frame().await?;
        let mut reader = Reader(&frame);
        let (_version, timeout, session) = (reader.int()?, reader.int()?, reader.long()?);
        let password = reader.buffer()?.to_vec();
        if timeout <= 0 || session == 0 {
            return Err(ConnectError::Expired);
        }
        (identity.session, identity.timeout, identity.password) = (session, timeout, password);
        Ok(())
    }

    /// Signs in by showing `user:password`.
    async fn show_digest(&mut self, login: &str) -> Result<(), ConnectError> {
        let request = Writer::new().int(xid::AUTH).int(op::AUTH).int(0).text("digest").text(login);
        self.stream.write_all(&request.finish()).await?;
        match self.answer(xid::AUTH).await? {
            code::OK => Ok(()),
            error => Err(ConnectError::Denied(format!("digest authentication failed with code {error}"))),
        }
    }

    /// Signs in by showing that the password is known, and lets the server show it too.
    async fn exchange_proofs(&mut self, login: &str) -> Result<(), ConnectError> {
        let mut word = [0; 16];
        getrandom::fill(&mut word).map_err(std::io::Error::from)?;
        let challenge = self.sasl(b"").await?;
        let response =
            sasl::respond(&challenge, login, &STANDARD.encode(word)).map_err(ConnectError::Denied)?;
        match self.sasl(response.token.as_bytes()).await? {
            confirmed if confirmed == response.confirmed.as_bytes() => Ok(()),
            _ => Err(ConnectError::Denied("the server did not show that it knows the password".to_owned())),
        }
    }

    /// One step of SASL: what the server answers to this.
    async fn sasl(&mut self, token: &[u8]) -> Result<Vec<u8>, ConnectError> {
        let denied = |why: &str| Err(ConnectError::Denied(why.to_owned()));
        self.stream.write_all(&Writer::request(op::SASL).buffer(token).finish()).await?;
        let frame = match self.frame().await {
            Err(ConnectError::Io(error)) if error.kind() == ErrorKind::UnexpectedEof && !token.is_empty() => {
                return denied("the server does not take user and password");
            }
            frame => frame?,
        };
        let mut reader = Reader(&frame);
        let (_xid, _transaction, error) = (reader.int()?, reader.long()?, reader.int()?);
        match error {
            code::OK => {}
            code::AUTH_FAILED => return denied("the server does not take user and password"),
            error => return denied(&format!("SASL failed with code {error}")),
        }
        match reader.buffer()? {
            // It has no login configuration, which servers answer with nothing.
            [] if token.is_empty() => {
                denied("the server does not speak SASL, or another mechanism than DIGEST-MD5")
            }
            answer => Ok(answer.to_vec()),
        }
    }

    /// Asks for something that only ZooKeeper 3.6 and later can do. It is sent alone: older servers answer out of order
    /// and close the connection.
    async fn probe(&mut self) -> Result<(), ConnectError> {
        let request = wire::multi_read([(wire::Query::Node, "/")].into_iter());
        self.stream.write_all(&request).await?;
        match self.answer(0).await? {
            code::UNIMPLEMENTED => Err(ConnectError::Old),
            code::SASL_REQUIRED | code::AUTH_FAILED => Err(ConnectError::Denied(
                "the server demands that clients sign in otherwise, such as by SASL (`?auth=sasl`)"
                    .to_owned(),
            )),
            code::SESSION_EXPIRED => Err(ConnectError::Expired),
            _ => Ok(()),
        }
    }

    /// The error code of the next answer with this id.
    async fn answer(&mut self, xid: i32) -> Result<i32, ConnectError> {
        Ok(self.header(xid).await?.0)
    }

    /// The error code of the next answer with this id, and the last transaction that the server had applied.
    async fn header(&mut self, xid: i32) -> Result<(i32, i64), ConnectError> {
        loop {
            let frame = self.frame().await?;
            let mut reader = Reader(&frame);
            let (found, transaction, error) = (reader.int()?, reader.long()?, reader.int()?);
            if found == xid {
                return Ok((error, transaction));
            }
        }
    }

    async fn frame(&mut self) -> Result<BytesMut, ConnectError> {
        loop {
            if let Some(frame) = next_frame(&mut self.input)? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the server closed the connection",
                )
                .into());
            }
        }
    }
}

/// Takes the next whole frame out of what was received.
pub(crate) fn next_frame(input: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let Ok(length) = Reader(input).int() else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME);
    let length = length.ok_or(Malformed("a frame's length is out of range"))?;
    if input.len() < 4 + length {
        // The length is the peer's word: room is made in steps, as bytes really come.
        input.reserve((4 + length - input.len()).min(1 << 20));
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole_however_they_arrive() {
        let sent =
            [Writer::new().int(1).finish(), Writer::new().finish(), Writer::new().long(2).finish()].concat();
        let mut input = BytesMut::new();
        let mut frames = Vec::new();
        for byte in sent {
            input.extend_from_slice(&[byte]);
            while let Ok(Some(frame)) = next_frame(&mut input) {
                frames.push(frame.len());
            }
        }
        assert_eq!(frames, [4, 0, 8]);
        assert!(input.is_empty());
    }

    #[test]
    fn a_length_out_of_range_is_malformed() {
        for length in [-1, i32::MAX] {
            let mut input = BytesMut::from(&length.to_be_bytes()[..]);
            assert!(next_frame(&mut input).is_err(), "{length}");
        }
    }
}
