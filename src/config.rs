//! What the operator decides about a running server. Read once, at start.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Settings of `mutu serve`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The workspace.
    pub workspace: PathBuf,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The URL under which people reach the server, without a trailing slash; `http://LISTEN` where not given.
    /// Every link in an answer begins with it; the `Host` header is never believed.
    pub base_url: String,
    /// Origins that pages elsewhere may call from; none by default.
    pub cors_origins: Vec<String>,
    /// Whether a proxy in front speaks TLS and says from where requests come (`X-Forwarded-For`, its last hop).
    pub behind_proxy: bool,
    /// Addresses from which the proxy connects, beside those of this machine. The header of others is not believed.
    pub proxies: Vec<IpAddr>,
    /// The certificate chain and the private key (PEM) with which the server speaks TLS itself.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How long a client may take to send the head of a request, and be silent between two.
    pub head_time: Duration,
    /// Exports that are made at a time; a client that comes beyond is told to come again.
    pub max_exports: usize,
    /// An export is given up when its client has taken nothing of it for so long.
    pub export_patience: Duration,
}

impl ServerConfig {
    /// Settings for a workspace on an address, everything else as usual.
    #[must_use]
    pub fn new(workspace: PathBuf, listen: SocketAddr) -> Self {
        Self {
            workspace,
            listen,
            base_url: format!("http://{listen}"),
            cors_origins: Vec::new(),
            behind_proxy: false,
            proxies: Vec::new(),
            tls: None,
            head_time: Duration::from_secs(30),
            max_exports: MAX_EXPORTS,
            export_patience: EXPORT_PATIENCE,
        }
    }
}

/// Features on a page where the request does not say how many.
pub const DEFAULT_LIMIT: usize = 1000;
/// Features on a page at most; a larger `limit` means this many (OGC 17-069r4, /req/core/fc-limit-response-1).
pub const MAX_LIMIT: usize = 10_000;
/// Exports at a time, each on a thread of its own, so that small requests stay fast beside them.
pub const MAX_EXPORTS: usize = 4;
/// A chunk of an export, 64 KiB, is waited for so long.
pub const EXPORT_PATIENCE: Duration = Duration::from_mins(1);
