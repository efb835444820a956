//! TLS of the server's own: certificate and key from files, by rustls with ring.

use std::{path::Path, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::config::ServerConfig;

/// Why the server cannot speak TLS with the files that it was given.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates cannot be read.
    #[error("{path}: no certificate can be read from it: {source}")]
    Certificate {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// There is no certificate.
    #[error("{path} holds no certificate: it must be PEM, the server's own certificate first")]
    NoCertificate {
        /// The file.
        path: String,
    },
    /// The key cannot be read; nothing of it is repeated.
    #[error("{path}: no private key can be read from it: it must be PEM and without a passphrase")]
    Key {
        /// The file.
        path: String,
    },
    /// They do not go together.
    #[error("the certificate and the private key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// What takes connections over TLS; `None` where the server was given no certificate.
///
/// # Errors
/// [`TlsError`] where the files cannot be used.
pub(super) fn acceptor(config: &ServerConfig) -> Result<Option<TlsAcceptor>, TlsError> {
    let Some((certificate, key)) = &config.tls else { return Ok(None) };
    let chain = certificates(certificate)?;
    let key_path = key.display().to_string();
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::Key { path: key_path })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = path.display().to_string();
    let failed = |source| TlsError::Certificate { path: text.clone(), source };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: text }) } else { Ok(chain) }
}

/// Whether the server can speak TLS with the files that it is given.
///
/// # Errors
/// [`TlsError`] where the files cannot be used.
pub fn check(config: &ServerConfig) -> Result<(), TlsError> {
    acceptor(config).map(drop)
}
