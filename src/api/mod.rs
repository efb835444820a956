//! The HTTP interface. This file holds all routes; each noun has a file of its own beside it.
//!
//! Handlers read from the catalog that is current when the request comes in and keep it to the end, so
//! an answer is one moment's picture whatever is written meanwhile.

mod collection;
mod context;
mod crs;
mod embed;
mod error;
mod health;
mod knowledge;
mod negotiate;
mod ogc;
mod openapi;
mod protocol;
mod query;
mod spatial;
mod statistics;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use axum::{Router, middleware, routing::get};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, cors::CorsLayer};

use crate::{config::ServerConfig, planner::Planner};

/// What every handler can reach.
#[derive(Debug, Clone)]
pub struct AppState {
    planner: Arc<Planner>,
    config: Arc<ServerConfig>,
    /// Differs between runs: tags of pages do not outlive the process that gave them.
    start: u64,
}

impl AppState {
    /// The state of a server for a loaded workspace.
    #[must_use]
    pub fn new(planner: Arc<Planner>, config: ServerConfig) -> Self {
        Self { planner, config: Arc::new(config), start: RandomState::new().hash_one(0) }
    }

    /// An absolute link to a path of this server.
    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.config.base_url)
    }
}

/// The whole interface, ready to be served or to be called in a test.
pub fn router(state: AppState) -> Router {
    let cors = cors_of(&state.config);
    let routes = Router::new()
        // OGC API - Common, Features
        .route("/", get(ogc::common::read_landing))
        .route("/conformance", get(ogc::common::read_conformance))
        .route("/api", get(openapi::read_api))
        .route("/collections", get(ogc::common::list_collections))
        .route("/collections/{layer}", get(ogc::common::read_collection))
        .route("/collections/{layer}/schema", get(ogc::schema::read_schema))
        .route("/collections/{layer}/queryables", get(ogc::schema::read_queryables))
        .route("/collections/{layer}/sortables", get(ogc::schema::read_sortables))
        .route("/collections/{layer}/items", get(ogc::features::list_items))
        .route("/collections/{layer}/items/{id}", get(ogc::features::read_item))
        // ours
        .route("/collections/{layer}/statistics", get(statistics::read_statistics))
        .route("/targets", get(knowledge::list_targets))
        .route("/facts", get(knowledge::list_facts))
        .route("/health/live", get(health::read_live))
        .route("/health/ready", get(health::read_ready))
        // the page
        .route("/assets/{*path}", get(embed::read_asset))
        .route("/icon.svg", get(embed::read_icon))
        .fallback(embed::nothing_here)
        .with_state(state);
    // The router that matches paths names the methods there are; what surrounds requests stands outside of it.
    let routes = Router::new()
        .fallback_service(routes)
        .layer(CatchPanicLayer::custom(context::on_panic))
        .layer(middleware::from_fn(protocol::conform))
        .layer(middleware::from_fn(context::attend))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(protocol::name_coding));
    match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

/// No origin but the server's own unless the operator names some; never with credentials.
fn cors_of(config: &ServerConfig) -> Option<CorsLayer> {
    // `serve` has refused what is no origin.
    let origins: Vec<_> = config.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| CorsLayer::new().allow_origin(origins).allow_methods([axum::http::Method::GET]))
}

/// Requests under way may take so long to end once the server is asked to stop.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until `stop` resolves; requests under way are then answered to their end, but not waited for longer than ten
/// seconds: a client that says nothing must not keep the server alive.
///
/// # Errors
/// What the operating system says where it cannot accept connections.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    use axum::serve::ListenerExt;
    // Without it an answer's last packet may wait 40 ms for an acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let (stopped, mut drained) = tokio::sync::watch::channel(false);
    let stop = async move {
        stop.await;
        // Nobody listens only where the server has ended already.
        let _ = stopped.send(true);
        std::future::pending::<()>().await;
    };
    let mut asked = drained.clone();
    let serving = axum::serve(listener, router(state)).with_graceful_shutdown(async move {
        let _ = asked.wait_for(|asked| *asked).await;
    });
    tokio::select! {
        ended = serving => ended,
        () = stop => Ok(()),
        () = async {
            let _ = drained.wait_for(|asked| *asked).await;
            tokio::time::sleep(DRAIN).await;
        } => Ok(()),
    }
}
