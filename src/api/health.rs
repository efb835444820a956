//! Whether the server runs, and whether it can answer.

use axum::Json;
use serde_json::{Value, json};

/// `GET /health/live`: the process runs.
pub(super) async fn read_live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /health/ready`: the workspace is loaded. A server listens only once it is, so this is the same.
pub(super) async fn read_ready() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
