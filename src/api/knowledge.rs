//! What the founding documents say, each figure with its source, and what the workspace holds towards the targets.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde_json::json;

use crate::planner::{known_facts, measure_targets};

use super::{
    AppState,
    error::ApiError,
    html::{self, View},
    negotiate::{HTML, JSON, Representation},
    ogc::common::{READABLE, READABLE_THEN},
    picture::as_of_text,
    query::Asked,
};

/// What these documents can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];

/// `GET /targets`.
pub(super) async fn list_targets(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE_THEN, OFFERED)?;
    let catalog = state.picture(&asked).await?;
    let read = Arc::clone(&catalog);
    let targets = state.heavy(move || measure_targets(&read).map_err(ApiError::internal)).await?;
    if *wanted == HTML {
        return Ok(html::targets_page(&View::new(&state, &asked, &query, lang), &catalog, &targets, OFFERED));
    }
    let mut document = json!({ "targets": targets });
    if catalog.as_of().is_some() {
        // The present has no time in it: a client that holds it is told so.
        document["asOf"] = as_of_text(&catalog).into();
    }
    wanted.json(&document)
}

/// `GET /facts`.
pub(super) async fn list_facts(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let facts = known_facts().map_err(ApiError::internal)?;
    if *wanted == HTML {
        return Ok(html::facts_page(&View::new(&state, &asked, &query, lang), &facts, OFFERED));
    }
    wanted.json(&facts)
}
