//! `mutu serve`.

use std::{
    io::IsTerminal,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    api,
    config::ServerConfig,
    oidc::{Provider, Settings},
    people::People,
    planner::{OutsideTold, Planner, Watching},
};

use super::{
    Failure, Outcome, WorkspaceArgument, output,
    outside::{self, Policy, tell_left_out},
    progress::Bar,
};

/// Serve the workspace: the map in the browser and the API.
#[derive(Debug, clap::Args)]
///
/// On the machine itself (127.0.0.1) reading needs no account, and a one-time link signs a browser in to change data.
/// Beyond it the server needs a user (see mutu user add), and TLS of its own or a proxy in front that speaks it.
///
/// Behind a proxy, have it append the address that it sees to X-Forwarded-For: only that last address is believed, and only
/// of connections from the proxy. A proxy that passes on what clients write there, and appends nothing, lets them choose the
/// address under which their tries to sign in are counted. Where it sends none, tries are counted by name alone.
///
/// With --oidc-issuer people may also sign in at an identity provider (OIDC, the code flow with PKCE). It has to
/// know BASE-URL/sign-in/oidc/callback as the address to send browsers back to. It says who somebody is; whom that is here,
/// and what they may do, you say: mutu user link. Who is linked with nobody is refused, and told what to ask you for.
#[command(after_help = "Examples:\n  mutu serve --workspace heshan.gpkg --listen 127.0.0.1:8080\n  \
                        mutu serve --listen 0.0.0.0:8443 --tls-cert server.pem --tls-key server.key \
                        --base-url https://mutu.office.example:8443\n  \
                        mutu serve --listen 127.0.0.1:8080 --behind-proxy --base-url https://mutu.office.example\n  \
                        mutu serve --behind-proxy --base-url https://mutu.office.example --oidc-issuer \
                        https://login.office.example/realms/county --oidc-client-id mutu --oidc-client-secret-file secret")]
pub(super) struct Serve {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The address to listen on
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The URL under which people reach the server, where that is not the address
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// An origin whose pages may call the API; may be given several times
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    /// A proxy in front speaks TLS; the last hop of its X-Forwarded-For is where requests come from
    #[arg(long)]
    behind_proxy: bool,
    /// An address from which the proxy connects, where that is not this machine; may be given several times
    #[arg(long = "proxy", value_name = "ADDR", requires = "behind_proxy")]
    proxies: Vec<IpAddr>,
    /// The server's certificate and those that vouch for it (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// What becomes of changes that other programs (QGIS, ogr2ogr) make in the workspace file
    #[arg(long, value_enum, default_value = "take", value_name = "POLICY")]
    outside: Policy,
    /// Who is named as the author of such changes
    #[arg(long, value_name = "NAME", default_value = "outside")]
    outsider: String,
    #[command(flatten)]
    oidc: Oidc,
    /// Write the log as JSON, one object a line
    #[arg(long)]
    log_json: bool,
}

/// Where people may sign in beside here.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "fields are named as the options are")]
struct Oidc {
    /// An identity provider (OIDC) where people may sign in, to the letter as it calls itself
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// What the identity provider calls this server
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// A file with the secret that the identity provider gave this server; none for a public client
    #[arg(long, value_name = "FILE", requires = "oidc_issuer")]
    oidc_client_secret_file: Option<PathBuf>,
    /// What people call the identity provider; its host where not given
    #[arg(long, value_name = "TEXT", requires = "oidc_issuer")]
    oidc_name: Option<String>,
    /// Certificates (PEM) that vouch for the identity provider, beside those that this machine trusts
    #[arg(long, value_name = "FILE", requires = "oidc_issuer")]
    oidc_ca: Option<PathBuf>,
}

impl Oidc {
    /// The identity provider; nothing is asked of it yet.
    fn read(self) -> Result<Option<Provider>, Failure> {
        let Some((issuer, client_id)) = self.oidc_issuer.zip(self.oidc_client_id) else { return Ok(None) };
        let client_secret = self.oidc_client_secret_file.as_deref().map(read_secret).transpose()?;
        let (name, authorities) = (self.oidc_name, self.oidc_ca);
        let settings = Settings { issuer, client_id, client_secret, name, authorities };
        Provider::new(settings).map(Some).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// The secret that a file holds, without the end of its line.
fn read_secret(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::usage(format!("--oidc-client-secret-file {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() || secret.contains(['\n', '\r']) || secret.len() > 4096 {
        return Err(wrong("it must hold the secret and nothing else, in one line".to_owned()));
    }
    if let Some(warning) = readable_by_all(path) {
        output::say(&format!("mutu: {warning}"));
    }
    Ok(secret.to_owned())
}

/// What is to be said of a secret that everybody at this machine can read.
#[cfg(unix)]
fn readable_by_all(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    (mode & 0o004 != 0)
        .then(|| format!("{path}: everybody at this machine can read it (mode {mode:03o}); say chmod o= {path}"))
}

/// Where files have no mode the folder's own rules hold.
#[cfg(not(unix))]
fn readable_by_all(_path: &Path) -> Option<String> {
    None
}

/// Refuses an address under which the cookie of a session would travel in the clear: over TLS a browser keeps it to TLS
/// only where the address that people use says so.
fn check_base_url(config: &ServerConfig, is_given: bool) -> Result<(), Failure> {
    if config.base_url.starts_with("https://") || !(config.behind_proxy || config.tls.is_some()) {
        return Ok(());
    }
    let host = config.base_url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() };
    let name = name.unwrap_or_default().trim_start_matches('[');
    let is_here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_given && is_here {
        return Ok(());
    }
    let how = if config.behind_proxy { "--behind-proxy" } else { "--tls-cert" };
    Err(Failure::usage(format!(
        "{how} needs the address under which people reach the server, or their sign-in could be read on the way: give \
         --base-url https://…, as it stands in their browsers (http://127.0.0.1:… to try it on this machine)"
    )))
}

impl Serve {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        self.start_log();
        let provider = self.oidc.read()?;
        let mut config = ServerConfig::new(self.workspace.workspace, self.listen);
        let is_origin = |origin: &&String| {
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).unwrap_or_default();
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
        };
        if let Some(wrong) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(Failure::usage(format!(
                "--cors-origin {wrong:?} is no origin: http:// or https://, a host and perhaps a port, nothing behind"
            )));
        }
        config.cors_origins = self.cors_origins;
        config.behind_proxy = self.behind_proxy;
        config.proxies = self.proxies;
        config.tls = self.tls_cert.zip(self.tls_key);
        if config.tls.is_some() {
            config.base_url = format!("https://{}", config.listen);
        }
        api::check_tls(&config).map_err(|error| Failure::usage(error.to_string()))?;
        let is_given = self.base_url.is_some();
        if let Some(url) = self.base_url {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::usage(format!("--base-url {url:?} must begin with http:// or https://")));
            }
            config.base_url = url.trim_end_matches('/').to_owned();
        }
        check_base_url(&config, is_given)?;
        let is_exposed = !config.listen.ip().is_loopback();
        if is_exposed && config.tls.is_none() && !config.behind_proxy {
            return Err(Failure::usage(format!(
                "--listen {} can be reached by others, who could read passwords and data on the way: give --tls-cert and \
                 --tls-key, or --behind-proxy where a proxy in front speaks TLS; or listen on 127.0.0.1",
                config.listen
            )));
        }
        let planner = Planner::open(&config.workspace)?;
        let people = People::open(&config.workspace)?;
        if let Some(notice) = people.notice() {
            output::say(&format!("mutu: {notice}"));
        }
        if (is_exposed || config.behind_proxy) && !people.has_people() {
            return Err(Failure::usage(format!(
                "nobody could sign in, and who reaches the server could read everything: first say\n  mutu user add NAME \
                 --role administrator --workspace {}",
                config.workspace.display()
            )));
        }
        if let Some(warning) = open_to_all(&config.workspace).filter(|_| people.has_people()) {
            output::say(&format!("mutu: {warning}"));
        }
        if let Some(recovery) = planner.recovery() {
            output::say(&format!("mutu: {recovery}"));
        }
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        bar.finish();
        tell_left_out(&planner);
        let planner = Arc::new(planner);
        let tell = |told: &OutsideTold| tracing::warn!("{}", outside::told(told));
        let watching = planner.watch_outside(self.outside.into(), &self.outsider, tell)?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::io(format!("threads: {error}")))?;
        runtime.block_on(listen(planner, watching, config, (people, provider)))?;
        Ok(Outcome::Done)
    }

    fn start_log(&self) {
        let filter = tracing_subscriber::EnvFilter::try_from_env("MUTU_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,mutu=info"));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let log = log.with_ansi(std::io::stderr().is_terminal());
        if self.log_json { log.json().init() } else { log.init() }
    }
}

/// What is to be said of a workspace that everybody at this machine can read: rights of people keep nobody from the file.
#[cfg(unix)]
fn open_to_all(workspace: &std::path::Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(workspace).ok()?.permissions().mode() & 0o777;
    let may = if mode & 0o002 == 0 { "read" } else { "write" };
    (mode & 0o006 != 0).then(|| {
        let path = workspace.display();
        format!(
            "{path}: everybody at this machine can {may} it (mode {mode:03o}), whatever rights people have here; say \
             chmod o= {path}"
        )
    })
}

/// Where files have no mode the folder's own rules hold.
#[cfg(not(unix))]
fn open_to_all(_workspace: &std::path::Path) -> Option<String> {
    None
}

async fn listen(
    planner: Arc<Planner>,
    watching: Watching,
    config: ServerConfig,
    (people, provider): (People, Option<Provider>),
) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| Failure::io(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| Failure::io(error.to_string()))?;
    let mut config = config;
    for scheme in ["http", "https"] {
        if config.base_url == format!("{scheme}://{}", config.listen) {
            // Port 0 means any free one; links must name the one that was taken.
            config.base_url = format!("{scheme}://{address}");
        }
    }
    config.listen = address;
    output::say(&format!("mutu: {} is at {}", config.workspace.display(), config.base_url));
    if !people.has_people() {
        // On the terminal only: the log may be kept where others read it.
        let key = people.one_time_key()?;
        output::say(&format!(
            "mutu: to change data, open this link in your browser (good once, for an hour): {}/sign-in?key={}",
            config.base_url,
            key.reveal()
        ));
    }
    let people = Arc::new(people);
    let warm = Arc::clone(&planner);
    std::thread::spawn(move || warm.warm_up());
    let mut state = api::AppState::with_people(Arc::clone(&planner), config, Arc::clone(&people));
    if let Some(provider) = provider {
        state = state.with_provider(provider);
    }
    api::serve(listener, state, stop_signal()).await.map_err(|error| Failure::io(format!("server: {error}")))?;
    drop(watching);
    // What waits to be written into the record is written before the program ends.
    people.finish();
    // The warming thread may hold on to the planner for a moment longer; dropping it closes the file as well.
    if let Some(planner) = Arc::into_inner(planner) {
        planner.close()?;
    }
    Ok(())
}

/// Resolves when the operator asks the server to stop (Ctrl-C or SIGTERM).
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}
