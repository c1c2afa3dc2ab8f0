//! Which servers a client believes, and what it shows them: TLS 1.2 and 1.3, with names and dates verified always.
//!
//! Certificates that are named are trusted instead of the system's: authorities, whose servers are believed, or the very certificate that a
//! server shows. The latter is what a server has that signed its own: tools make these as authorities by default, and a certificate of an
//! authority is not accepted as that of a server, as it could sign for others. One that was named is, under its name and within its dates.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The certificates that are trusted by this whole process instead of the system's, where none are named: what the variable
/// `SSL_CERT_FILE` names, as for other programs.
#[must_use]
pub fn of_the_process() -> Option<PathBuf> {
    std::env::var_os("SSL_CERT_FILE").map(Into::into)
}

/// What a client believes and shows, as files in PEM. Without any: it believes [those of the process](of_the_process) or the system's
/// authorities, and shows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The certificates that are trusted instead: of authorities, or of the server itself.
    pub ca: Option<PathBuf>,
    /// The client's certificate with those above it, for servers that ask for one.
    pub cert: Option<PathBuf>,
    /// The certificate's key; without it, the key is in the file of the certificate.
    pub key: Option<PathBuf>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should, a key stands without its certificate, or the system has no authority; says
    /// which and why.
    pub fn client(&self) -> Result<ClientConfig, String> {
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match self.ca.clone().or_else(of_the_process) {
            Some(file) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Named::of(&file, provider)?))
            }
            None => builder.with_root_certificates(of_the_system()?),
        };
        let Some(cert) = &self.cert else {
            return match &self.key {
                Some(key) => Err(format!("{}: a key needs the certificate that it is of", key.display())),
                None => Ok(builder.with_no_client_auth()),
            };
        };
        let key = self.key.as_ref().unwrap_or(cert);
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| about(key, &format!("there is no private key in it: {error}")))?;
        builder
            .with_client_auth_cert(certificates(cert)?, secret)
            .map_err(|error| about(cert, &format!("it cannot be used with its key: {error}")))
    }
}

fn about(file: &Path, why: &dyn Display) -> String {
    format!("{}: {why}", file.display())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(about(file, &"there is no usable certificate in it"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(about(file, &error)),
    }
}

fn of_the_system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One of many that nobody can use is no reason to trust none.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
        return Err(format!("this system has no certificates of authorities{why}; name those to trust"));
    }
    Ok(roots)
}

/// Believes servers whose certificate was named, or is signed by a named authority.
#[derive(Debug)]
struct Named {
    named: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl Named {
    fn of(file: &Path, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let named = certificates(file)?;
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(named.iter().cloned());
        if usable == 0 {
            return Err(about(file, &"there is no usable certificate in it"));
        }
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| about(file, &error))?;
        Ok(Self { named, authorities })
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let made = rcgen::generate_simple_self_signed(["zk1".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["zk2".to_owned()]).unwrap();
        let cert = file("cert.pem", &made.cert.pem());
        let key = file("key.pem", &made.signing_key.serialize_pem());
        let both = file("both.pem", &(made.cert.pem() + &made.signing_key.serialize_pem()));
        let foreign = file("foreign.pem", &other.signing_key.serialize_pem());
        let rubbish = file("rubbish.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let files = |ca: &Option<PathBuf>, cert: &Option<PathBuf>, key: &Option<PathBuf>| Files {
            ca: ca.clone(),
            cert: cert.clone(),
            key: key.clone(),
        };
        assert!(files(&cert, &cert, &key).client().is_ok());
        assert!(files(&cert, &both, &None).client().is_ok());
        for (files, said) in [
            (files(&Some("/nowhere.pem".into()), &None, &None), "/nowhere.pem: "),
            (files(&key, &None, &None), "key.pem: there is no usable certificate"),
            (files(&rubbish, &None, &None), "rubbish.pem: there is no usable certificate"),
            (files(&cert, &None, &key), "a key needs the certificate"),
            (files(&cert, &cert, &None), "cert.pem: there is no private key"),
            (files(&cert, &cert, &foreign), "cannot be used with its key"),
        ] {
            let error = files.client().unwrap_err();
            assert!(error.contains(said), "{files:?}: {error}");
        }
    }
}
