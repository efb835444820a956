//! Whether the server runs, and whether it can answer.

use axum::response::Response;
use serde_json::json;

use super::{
    error::ApiError,
    negotiate::JSON,
    query::{Asked, Query},
};

/// `GET /health/live`: the process runs.
pub(super) async fn read_live(asked: Asked) -> Result<Response, ApiError> {
    answer(&asked)
}

/// `GET /health/ready`: the workspace is loaded. A server listens only once it is, so this is the same.
pub(super) async fn read_ready(asked: Asked) -> Result<Response, ApiError> {
    answer(&asked)
}

fn answer(asked: &Asked) -> Result<Response, ApiError> {
    Query::read(&asked.uri, &[], |_| false)?;
    JSON.json(&json!({ "status": "ok" }))
}
