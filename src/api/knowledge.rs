//! What the founding documents say, each figure with its source, and what the workspace holds towards the targets.

use axum::{extract::State, response::Response};
use serde_json::json;

use crate::planner::{known_facts, measure_targets};

use super::{
    AppState,
    error::ApiError,
    negotiate::{F_JSON, JSON},
    query::Asked,
};

/// `GET /targets`.
pub(super) async fn list_targets(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (_, wanted) = asked.plainly(&[F_JSON], &[JSON])?;
    let catalog = state.planner.read();
    let targets = tokio::task::spawn_blocking(move || measure_targets(&catalog));
    let targets = targets.await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    wanted.json(&json!({ "targets": targets }))
}

/// `GET /facts`.
pub(super) async fn list_facts(asked: Asked) -> Result<Response, ApiError> {
    let (_, wanted) = asked.plainly(&[F_JSON], &[JSON])?;
    wanted.json(&known_facts().map_err(ApiError::internal)?)
}
