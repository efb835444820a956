//! `mutu serve`.

use std::{io::IsTerminal, net::SocketAddr, sync::Arc};

use crate::{api, config::ServerConfig, planner::Planner};

use super::{Failure, Outcome, WorkspaceArgument, output, progress::Bar};

/// Serve the workspace: the map in the browser and the API.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu serve --workspace heshan.gpkg --listen 127.0.0.1:8080")]
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
    /// Write the log as JSON, one object a line
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        self.start_log();
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
        if let Some(url) = self.base_url {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::usage(format!("--base-url {url:?} must begin with http:// or https://")));
            }
            config.base_url = url.trim_end_matches('/').to_owned();
        }
        let planner = Planner::open(&config.workspace)?;
        if let Some(recovery) = planner.recovery() {
            output::say(&format!("mutu: {recovery}"));
        }
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        bar.finish();
        let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::io(format!("threads: {error}")))?;
        runtime.block_on(listen(Arc::new(planner), config))?;
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

async fn listen(planner: Arc<Planner>, config: ServerConfig) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| Failure::io(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| Failure::io(error.to_string()))?;
    let mut config = config;
    if config.base_url == format!("http://{}", config.listen) {
        // Port 0 means any free one; links must name the one that was taken.
        config.base_url = format!("http://{address}");
    }
    output::say(&format!("mutu: {} is at {}", config.workspace.display(), config.base_url));
    let warm = Arc::clone(&planner);
    std::thread::spawn(move || warm.warm_up());
    api::serve(listener, api::AppState::new(Arc::clone(&planner), config), stop_signal())
        .await
        .map_err(|error| Failure::io(format!("server: {error}")))?;
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
