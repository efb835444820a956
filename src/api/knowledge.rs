//! What the founding documents say, each figure with its source, and what the workspace holds towards the targets.

use axum::{Json, extract::State, http::Uri};
use serde_json::{Value, json};

use crate::planner::{known_facts, measure_targets};

use super::{
    AppState,
    error::ApiError,
    ogc::common::{F, check_f},
    query::Query,
};

/// `GET /targets`.
pub(super) async fn list_targets(State(state): State<AppState>, uri: Uri) -> Result<Json<Value>, ApiError> {
    check_f(&Query::read(&uri, &[F], |_| false)?)?;
    let catalog = state.planner.read();
    let targets = tokio::task::spawn_blocking(move || measure_targets(&catalog));
    let targets = targets.await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    Ok(Json(json!({ "targets": targets })))
}

/// `GET /facts`.
pub(super) async fn list_facts(uri: Uri) -> Result<Json<Value>, ApiError> {
    check_f(&Query::read(&uri, &[F], |_| false)?)?;
    Ok(Json(known_facts().map_err(ApiError::internal)?))
}
