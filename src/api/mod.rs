//! The HTTP interface. This file holds all routes; each noun has a file of its own beside it.
//!
//! Handlers read from the catalog that is current when the request comes in and keep it to the end, so
//! an answer is one moment's picture whatever is written meanwhile.

mod access;
mod body;
mod changes;
mod collection;
mod context;
mod crs;
mod difference;
mod edits;
mod embed;
mod error;
mod export;
mod gate;
mod health;
mod history;
mod html;
mod knowledge;
mod links;
mod negotiate;
mod ogc;
mod openapi;
mod openapi_people;
mod openapi_writing;
mod outside;
mod picture;
mod protocol;
mod proxy;
mod query;
mod refusal;
mod restoring;
mod sending;
mod serving;
mod session;
mod sight;
mod sign_on;
mod spatial;
mod statistics;
mod tile_cache;
mod tls;
mod told;
mod users;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use axum::{
    Router, middleware,
    routing::{get, patch, post},
};
use tokio::sync::Semaphore;
use tower::util::MapResponseLayer;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, NotForContentType, SizeAbove},
    },
    cors::{CorsLayer, ExposeHeaders},
};

use crate::{config::ServerConfig, oidc::Provider, people::People, planner::Planner};

pub use serving::serve;
pub use tls::{TlsError, check as check_tls};

/// What every handler can reach.
#[derive(Debug, Clone)]
pub struct AppState {
    planner: Arc<Planner>,
    config: Arc<ServerConfig>,
    /// Differs between runs: tags of pages do not outlive the process that gave them.
    start: u64,
    tiles: Arc<tile_cache::TileCache>,
    feed: Arc<changes::Feed>,
    pasts: Arc<picture::Pasts>,
    exports: sending::Slots,
    /// Turns of heavy work.
    turns: Arc<Semaphore>,
    /// Layers as those see them who may not see everything.
    views: Arc<sight::Views>,
    /// The door, where there are people; without it everything is allowed.
    gate: Option<Arc<gate::Gate>>,
    /// Where people may sign in beside here.
    provider: Option<Arc<Provider>>,
    /// Turns of requests with long bodies.
    long_bodies: Arc<Semaphore>,
    told: Arc<told::Told>,
}

impl AppState {
    /// The state of a server for a loaded workspace.
    #[must_use]
    pub fn new(planner: Arc<Planner>, config: ServerConfig) -> Self {
        let tiles = Arc::new(tile_cache::TileCache::new());
        let feed = changes::Feed::of(&planner);
        let exports = sending::Slots::new(config.max_exports);
        // As many again as there are processors: one waits for memory while another computes.
        let turns = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Arc::new(Semaphore::new(turns));
        let (config, start) = (Arc::new(config), RandomState::new().hash_one(0));
        let (pasts, views) = (Arc::default(), Arc::default());
        let (long_bodies, told) = (Arc::new(Semaphore::new(1)), Arc::default());
        Self {
            planner,
            config,
            start,
            tiles,
            feed,
            pasts,
            exports,
            turns,
            views,
            gate: None,
            provider: None,
            long_bodies,
            told,
        }
    }

    /// The state of a server that lets in whom its people's file knows.
    #[must_use]
    pub fn with_people(planner: Arc<Planner>, config: ServerConfig, people: Arc<People>) -> Self {
        let gate = Some(Arc::new(gate::Gate::new(people, &config)));
        Self { gate, ..Self::new(planner, config) }
    }

    /// The same, where people may also sign in at an identity provider.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Self {
        Self { provider: Some(Arc::new(provider)), ..self }
    }

    /// How many exports are being written or sent.
    #[must_use]
    pub fn exports_under_way(&self) -> usize {
        self.exports.taken()
    }

    /// Runs work that may take seconds beside the threads that answer, so much at once as keeps the rest quick. A client
    /// that leaves while it waits for its turn takes its work along.
    async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, error::ApiError> + Send + 'static,
    ) -> Result<T, error::ApiError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(error::ApiError::internal)?;
        let work = links::carried_along(work);
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(error::ApiError::internal)?
    }
}

/// Smaller bodies, in bytes, fit into one packet whole: compressing them saves nothing.
const LEAST_COMPRESSED: u64 = 860;

/// The whole interface, ready to be served or to be called in a test.
pub fn router(state: AppState) -> Router {
    let cors = cors_of(&state.config);
    let around = state.clone();
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
        .route(
            "/collections/{layer}/items",
            get(ogc::features::list_items).post(ogc::editing::create_item).options(ogc::editing::read_options_of_items),
        )
        .route(
            "/collections/{layer}/items/{id}",
            get(ogc::features::read_item)
                .put(ogc::editing::replace_item)
                .patch(ogc::editing::update_item)
                .delete(ogc::editing::delete_item)
                .options(ogc::editing::read_options_of_item),
        )
        .route("/collections/{layer}/items/{id}/history", get(history::read_history))
        // OGC API - Tiles, Styles
        .route("/tileMatrixSets", get(ogc::tile_sets::list_tile_matrix_sets))
        .route("/tileMatrixSets/{set}", get(ogc::tile_sets::read_tile_matrix_set))
        .route("/collections/{layer}/tiles", get(ogc::tile_sets::list_tile_sets))
        .route("/collections/{layer}/tiles/{set}", get(ogc::tile_sets::read_tile_set))
        .route("/collections/{layer}/tiles/{set}/tilejson.json", get(ogc::tile_sets::read_tilejson))
        .route("/collections/{layer}/tiles/{set}/{matrix}/{row}/{column}", get(ogc::tiles::read_tile))
        .route("/styles", get(ogc::styles::list_styles))
        .route("/styles/{style}", get(ogc::styles::read_style))
        // ours
        .route("/collections/{layer}/export", get(export::export_layer))
        .route("/collections/{layer}/statistics", get(statistics::read_statistics))
        .route("/changes", get(changes::list_changes).post(edits::post_changes))
        .route("/changes/{seq}", get(changes::read_change))
        .route("/changes/{seq}/undo", post(restoring::undo_change))
        .route("/collections/{layer}/restore", post(restoring::restore_layer))
        .route("/collections/{layer}/difference", get(difference::read_difference))
        .route("/outside", get(outside::read_outside).post(outside::decide_outside))
        .route("/targets", get(knowledge::list_targets))
        .route("/facts", get(knowledge::list_facts))
        .route("/health/live", get(health::read_live))
        .route("/health/ready", get(health::read_ready))
        // people
        .route("/session", get(session::read_session).post(session::begin_session).delete(session::end_session))
        .route("/session/password", post(session::change_password))
        .route("/sign-in", get(session::read_sign_in))
        .route("/sign-in/oidc", get(sign_on::begin_sign_on))
        .route("/sign-in/oidc/callback", get(sign_on::end_sign_on))
        .route("/sign-out", post(session::sign_out))
        .route("/users", get(users::list_users).post(users::create_user))
        .route("/users/{name}", patch(users::update_user).delete(users::delete_user))
        .route("/tokens", get(users::list_tokens).post(users::create_token))
        .route("/tokens/{id}", axum::routing::delete(users::delete_token))
        .route("/audit", get(users::list_audit))
        // the page
        .route("/assets/{*path}", get(embed::read_asset))
        .route("/icon.svg", get(embed::read_icon))
        .route("/pages.css", get(html::read_stylesheet))
        .fallback(embed::nothing_here)
        .with_state(state);
    // The router that matches paths names the methods there are; what surrounds requests stands outside of it.
    let routes = Router::new()
        .fallback_service(routes)
        // Outermost first; all at once, as each call of `layer` costs a box and a copy of what is inside per request.
        .layer((
            MapResponseLayer::new(protocol::name_coding),
            CompressionLayer::new().compress_when(is_worth_compressing()),
            middleware::from_fn_with_state(around, context::attend),
            CatchPanicLayer::custom(context::on_panic),
        ));
    match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

/// Everything but small answers, images, and files that are packed already or that clients read in parts.
fn is_worth_compressing() -> impl Predicate {
    SizeAbove::new(LEAST_COMPRESSED)
        .and(DefaultPredicate::new())
        .and(NotForContentType::const_new("application/zip"))
        .and(NotForContentType::const_new("application/geopackage+sqlite3"))
        .and(NotForContentType::const_new("application/flatgeobuf"))
}

/// No origin but the server's own unless the operator names some; never with credentials.
fn cors_of(config: &ServerConfig) -> Option<CorsLayer> {
    // `serve` has refused what is no origin.
    let origins: Vec<_> = config.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([axum::http::Method::GET])
            .expose_headers(ExposeHeaders::any())
    })
}
