//! Which servers an HTTP job believes where certificates are named: by the job (`http.tls.ca`), or for the whole process by the variable
//! `SSL_CERT_FILE`, as other programs read it.
//!
//! Those certificates are trusted instead of the system's: authorities, whose servers are believed, or the very certificate that a server
//! shows. The latter is what a server has that signed its own: tools make these as authorities by default, and a certificate of an authority
//! is not accepted as that of a server, as it could sign for others. One that was named for this job is, under its name and within its dates.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// A configuration that trusts the certificates of a PEM file and no others.
///
/// # Errors
/// The file cannot be read, or holds none; says which and why.
pub(crate) fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let bad = |why: &dyn std::fmt::Display| {
        format!(
            "{}: {why}; http.tls.ca, or the variable SSL_CERT_FILE, must name a PEM file of certificates",
            file.display()
        )
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| bad(&error))?;
    let named: Vec<CertificateDer<'static>> =
        certificates.collect::<Result<_, _>>().map_err(|error| bad(&error))?;
    let mut roots = RootCertStore::empty();
    // One of many that nobody can use is no reason to trust none.
    let (usable, _) = roots.add_parsable_certificates(named.iter().cloned());
    if usable == 0 {
        return Err(bad(&"there is no usable certificate in it"));
    }
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let authorities = authorities.build().map_err(|error| bad(&error))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named { named, authorities }))
        .with_no_client_auth();
    Ok(config)
}

/// Believes servers whose certificate was named, or is signed by a named authority.
#[derive(Debug)]
struct Named {
    named: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // Its dates were looked at before that was found.
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string() == "CaUsedAsEndEntity" && self.named.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
