//! TLS 1.2 and 1.3, with the certificate of two files.

use clockwright_model::Millis;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What handshakes are made with.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<Current>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// When the first of the certificates ends.
    ends: Millis,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// What stands against it.
        reason: String,
    },
    /// The two do not make a certificate.
    #[error("the certificate cannot be used with its key: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// A file cannot be read, or they do not belong together.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = RwLock::new(of_files(cert, key)?);
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current })
    }

    /// Reads them again, for the handshakes from now on. What cannot be used leaves everything as it was.
    ///
    /// # Errors
    /// As [`Tls::read`].
    pub fn read_again(&self) -> Result<(), TlsError> {
        let new = of_files(&self.cert, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// When the certificate ends, or one of those that vouch for it and are sent with it.
    #[must_use]
    pub fn ends(&self) -> Millis {
        self.current().ends
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.current().config)).accept(stream).await
    }
}

fn of_files(cert: &Path, key: &Path) -> Result<Arc<Current>, TlsError> {
    let wrong = |path: &Path, reason: String| TlsError::File { path: path.to_owned(), reason };
    let read = |path: &Path| std::fs::read(path).map_err(|error| wrong(path, error.to_string()));
    let chain = CertificateDer::pem_slice_iter(&read(cert)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(cert, format!("is no PEM: {error}")))?;
    let ends = chain.iter().map(ends).collect::<Result<Vec<_>, _>>();
    let ends = ends.map_err(|error| wrong(cert, format!("has what is no certificate: {error}")))?;
    let ends = ends.into_iter().min().ok_or_else(|| wrong(cert, "has no certificate".to_owned()))?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| wrong(key, format!("has no private key in PEM: {error}")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(Current { config: Arc::new(config), ends }))
}

fn ends(certificate: &CertificateDer<'_>) -> Result<Millis, String> {
    let (_, read) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(read.validity().not_after.timestamp() * 1_000)
}
