//! What is asked of the issuer over HTTP: three kinds of short documents, each in ten seconds, none longer than 256 KiB.
//!
//! Redirects are not followed: the issuer's own document names the addresses. Plain `http` goes to this machine alone,
//! whatever a name resolves to; everywhere else TLS vouches for who answers, by the certificates that the operating system
//! trusts and those that the operator names.

use std::{io, path::Path, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

use super::error::OidcError;

/// An answer is waited for so long, from the name's resolution to its last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer, bytes.
const LONGEST: usize = 256 * 1024;

/// Asks an issuer.
#[derive(Clone)]
pub(super) struct Client {
    tls: Option<Arc<ClientConfig>>,
    /// Whether the issuer is this machine: then, and only then, plain `http` is spoken, and nothing beyond is asked.
    is_local: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("is_local", &self.is_local).finish_non_exhaustive()
    }
}

/// A form to be sent, and who sends it.
pub(super) struct Form {
    pub(super) body: String,
    pub(super) authorization: Option<String>,
}

/// Where an address leads.
struct Place {
    uri: Uri,
    is_tls: bool,
    host: String,
    port: u16,
}

impl Client {
    /// For an issuer at an address.
    ///
    /// # Errors
    /// [`OidcError::Settings`] where the address, or the file of certificates, cannot be one.
    pub(super) fn new(issuer: &str, authorities: Option<&Path>) -> Result<Self, OidcError> {
        let is_local = !issuer.starts_with("https://");
        let mut client = Self { tls: None, is_local };
        client.place(issuer).map_err(|why| OidcError::Settings(format!("--oidc-issuer {issuer:?}: {why}")))?;
        if !is_local {
            client.tls = Some(Arc::new(tls_of(authorities)?));
        }
        Ok(client)
    }

    /// An address that may be asked, or where a browser may be sent.
    pub(super) fn check(&self, address: &str) -> Result<(), OidcError> {
        self.place(address)
            .map(drop)
            .map_err(|why| OidcError::BadAnswer(format!("it names the address {address:?}: {why}")))
    }

    fn place(&self, address: &str) -> Result<Place, String> {
        let uri: Uri = address.parse().map_err(|_| "it is no address".to_owned())?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_tls = uri.scheme_str() == Some("https");
        if host.is_empty() || address.contains(['#', '@']) {
            return Err("an address of a server is needed, without a user and without a place (#)".to_owned());
        }
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_local = uri.scheme_str() == Some("http") && is_here && self.is_local;
        if !(is_tls || is_local) {
            return Err("https:// is needed; http:// serves for an identity provider on this machine alone".to_owned());
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Place { uri, is_tls, host, port })
    }

    /// A document of the issuer.
    pub(super) async fn get(&self, issuer: &str, address: &str) -> Result<(StatusCode, Bytes), OidcError> {
        self.ask(issuer, address, None).await
    }

    /// What the issuer answers to a form.
    pub(super) async fn post(&self, issuer: &str, address: &str, form: Form) -> Result<(StatusCode, Bytes), OidcError> {
        self.ask(issuer, address, Some(form)).await
    }

    async fn ask(&self, issuer: &str, address: &str, form: Option<Form>) -> Result<(StatusCode, Bytes), OidcError> {
        let place = self.place(address).map_err(OidcError::BadAnswer)?;
        let unreachable = |why: String| OidcError::Unreachable { issuer: issuer.to_owned(), why };
        match timeout(PATIENCE, self.exchange(place, form)).await {
            Err(_) => Err(unreachable(format!("no answer in {} seconds", PATIENCE.as_secs()))),
            Ok(Err(Failed::Network(why))) => Err(unreachable(why)),
            Ok(Err(Failed::TooLong)) => Err(OidcError::BadAnswer(format!("it is longer than {} KiB", LONGEST / 1024))),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    async fn exchange(&self, place: Place, form: Option<Form>) -> Result<(StatusCode, Bytes), Failed> {
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
        if !place.is_tls {
            // A name that is this machine's may be pointed elsewhere.
            let is_here = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
            return if is_here { send(stream, &place, form).await } else { Err(Failed::elsewhere()) };
        }
        let tls = self.tls.clone().ok_or_else(Failed::elsewhere)?;
        let name = ServerName::try_from(place.host.clone()).map_err(|error| Failed::Network(error.to_string()))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await?;
        send(stream, &place, form).await
    }
}

/// Why an exchange failed.
enum Failed {
    Network(String),
    TooLong,
}

impl Failed {
    fn elsewhere() -> Self {
        Self::Network("the address is not of this machine".to_owned())
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Network(error.to_string())
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    place: &Place,
    form: Option<Form>,
) -> Result<(StatusCode, Bytes), Failed> {
    let network = |error: hyper::Error| Failed::Network(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(network)?;
    // It ends with the answer; what goes wrong on it the answer says.
    let connection = tokio::spawn(connection);
    let authority = place.uri.authority().map_or_else(String::new, ToString::to_string);
    let path = place.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .uri(path)
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .header(USER_AGENT, concat!("mutu/", env!("CARGO_PKG_VERSION")));
    let body = match form {
        None => Bytes::new(),
        Some(form) => {
            request = request.method(Method::POST).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(authorization) = form.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            Bytes::from(form.body)
        }
    };
    let request = request.body(Full::new(body)).map_err(|error| Failed::Network(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(network)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    connection.abort();
    match body {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failed::TooLong),
        Err(error) => Err(Failed::Network(error.to_string())),
    }
}

fn tls_of(authorities: Option<&Path>) -> Result<ClientConfig, OidcError> {
    let mut roots = RootCertStore::empty();
    // Of what the system trusts some may be of a kind that is not known here; the rest serves.
    let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authorities {
        let unfit = |why: String| OidcError::Settings(format!("--oidc-ca {}: {why}", path.display()));
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unfit(error.to_string()))? {
            let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
            roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(unfit("it holds no certificate: it must be PEM".to_owned()));
        }
    }
    if roots.is_empty() {
        tracing::warn!("this machine trusts no certificate authority: name a file of certificates with --oidc-ca");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| OidcError::Settings(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone_and_an_issuer_elsewhere_sends_nobody_to_it() {
        for own in ["http://127.0.0.1:8081", "http://localhost/realms/a", "http://[::1]:9", "https://idp.test/a"] {
            Client::new(own, None).unwrap();
        }
        for wrong in [
            "http://idp.test",
            "http://localhost.evil.test",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "idp.test",
            "https://",
            "https://li:secret@idp.test",
            "https://idp.test/#a",
            "file:///etc/passwd",
            "",
        ] {
            assert!(matches!(Client::new(wrong, None), Err(OidcError::Settings(_))), "{wrong}");
        }
        let client = Client::new("https://idp.test", None).unwrap();
        for wrong in ["http://127.0.0.1/token", "http://169.254.169.254/", "file:///etc/passwd", "/token"] {
            assert!(matches!(client.check(wrong), Err(OidcError::BadAnswer(_))), "{wrong}");
        }
    }
}
