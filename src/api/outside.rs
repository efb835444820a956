//! What other programs did to the workspace file: shown, and decided about.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::json;

use crate::planner::{Choice, ErrorClass, PlannerError};

use super::{
    AppState,
    body::{self, Short},
    error::ApiError,
    gate::Remark,
    html::{self, View},
    negotiate::{HTML, JSON, Representation},
    ogc::{common::READABLE, editing::check_note},
    query::Asked,
};

/// What these documents can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];

/// What is decided.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    r#do: Verb,
    #[serde(default)]
    note: String,
    #[serde(default)]
    layers: Vec<String>,
    #[serde(default)]
    ids: Vec<i64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Take,
    Refuse,
}

/// `GET /outside`.
pub(super) async fn read_outside(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    // It shows rows whole, whatever rules say who may read which.
    asked.access.check_manage()?;
    let planner = Arc::clone(&state.planner);
    let waiting = state.heavy(move || planner.waiting().map_err(|error| told(&error))).await?;
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let title = lang.say("待处理的外部修改", "What other programs did and nobody has decided").to_owned();
        return Ok(html::document_page(&view, (title, Vec::new()), &json!(waiting), OFFERED));
    }
    wanted.json(&json!(waiting))
}

/// `POST /outside`.
pub(super) async fn decide_outside(
    State(state): State<AppState>,
    asked: Asked,
    Short(given): Short,
) -> Result<Response, ApiError> {
    asked.access.check_manage()?;
    body::check_type(&asked.headers, body::JSON)?;
    let decision: Decision = serde_json::from_slice(&given).map_err(|error| {
        ApiError::bad_parameter(
            "body",
            "bad-value",
            format!("{error}; wanted {{\"do\": \"take\" or \"refuse\", \"note\", \"layers\", \"ids\"}}"),
        )
    })?;
    check_note(&decision.note).map_err(|why| ApiError::bad_parameter("note", "bad-value", why))?;
    let choice = Choice {
        layers: decision.layers,
        ids: decision.ids,
        author: asked.access.author().to_owned(),
        note: decision.note,
    };
    let planner = Arc::clone(&state.planner);
    let verb = decision.r#do;
    let settled = state.heavy(move || {
        let settled = match verb {
            Verb::Take => planner.take_outside(&choice),
            Verb::Refuse => planner.refuse_outside(&choice),
        };
        settled.map_err(|error| told(&error))
    });
    let settled = settled.await?;
    let remark = match (settled.taken, settled.refused) {
        (0, 0) if settled.seq.is_none() => Remark::Nothing,
        (taken, refused) => Remark::Did(format!("{taken} taken in, {refused} put back")),
    };
    Ok(remark.on(JSON.json(&json!(settled))?))
}

fn told(error: &PlannerError) -> ApiError {
    match error.class() {
        ErrorClass::NotFound => ApiError::not_found(error.to_string()),
        ErrorClass::Usage => ApiError::bad_parameter("body", "bad-value", error.to_string()),
        ErrorClass::Conflict | ErrorClass::InvalidData => ApiError::conflict(error.to_string()),
        ErrorClass::Io | ErrorClass::Internal => ApiError::internal(error),
    }
}
