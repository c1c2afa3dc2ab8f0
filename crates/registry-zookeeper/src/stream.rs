//! The way of the bytes to one server: TCP, and TLS over it where the address says so.
//!
//! The server's certificate must be signed by an authority that is believed, or be one that was named, and be of the host that the address
//! names. Files are read again for each connection: what was renewed meanwhile counts from the next one on. What a server or we will not
//! have of the other is [`ConnectError::Denied`], as with a password: at the first connection that is not worth another try.

use crate::connection::ConnectError;
use crate::options::{Checked, Server, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection's bytes, in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to a server.
pub(crate) async fn dial(server: &Server, options: &Checked) -> Result<Box<dyn Stream>, ConnectError> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    stream.set_nodelay(true)?;
    match options.tls.clone() {
        Some(files) => tls::over(stream, server, files).await,
        None => Ok(Box::new(stream)),
    }
}

#[cfg(not(feature = "tls"))]
mod tls {
    use super::{ConnectError, Server, Stream, TcpStream, Tls};
    use crate::options::WITHOUT_TLS;

    /// Options that ask for it are refused before.
    pub(super) async fn over(_: TcpStream, _: &Server, _: Tls) -> Result<Box<dyn Stream>, ConnectError> {
        Err(ConnectError::Denied(WITHOUT_TLS.to_owned()))
    }
}

#[cfg(feature = "tls")]
mod tls {
    use super::{ConnectError, Server, Stream, TcpStream, Tls};
    use clockwright_tls::Files;
    use std::io::ErrorKind;
    use std::sync::Arc;
    use tokio::task::spawn_blocking;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;

    pub(super) async fn over(
        stream: TcpStream,
        server: &Server,
        Tls { ca, cert, key }: Tls,
    ) -> Result<Box<dyn Stream>, ConnectError> {
        let denied = |why: String| ConnectError::Denied(format!("TLS with {server}: {why}"));
        let files = Files { ca, cert, key };
        let config = spawn_blocking(move || files.client()).await.map_err(std::io::Error::from)?;
        let name = ServerName::try_from(server.host.clone()).map_err(|error| denied(error.to_string()))?;
        let connector = TlsConnector::from(Arc::new(config.map_err(denied)?));
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let why = "the server closed the connection during the handshake, as one does whose port does not speak TLS";
                Err(std::io::Error::new(error.kind(), why).into())
            }
            Err(error) => Err(ConnectError::of_io(error, server)),
        }
    }
}
