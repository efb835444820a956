//! Why an edit was not carried out, as clients are told.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    domain::edit::{Conflict, Finding},
    planner::{ErrorClass, PlannerError},
};

use super::{AppState, error::ApiError};

/// The refusal of every method that writes, where the workspace was opened to be read only.
pub(super) fn read_only(state: &AppState, allow: &'static str) -> Option<Response> {
    if state.planner.is_writable() {
        return None;
    }
    let mut response = ApiError::method_not_allowed().into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    Some(response)
}

/// What a client is told about an edit that the planner refused.
pub(super) fn of(error: PlannerError) -> ApiError {
    match error {
        PlannerError::Findings(findings) => findings_of(&findings),
        PlannerError::Conflicts(conflicts) => conflicts_of(&conflicts),
        PlannerError::Ask(error) => ApiError::bad_parameter(&error.parameter, "bad-value", error.to_string()),
        error if error.is_disk_full() => {
            let detail = "the disk of the server is full: nothing was changed; send it again once there is room";
            ApiError::unwritable(StatusCode::INSUFFICIENT_STORAGE, "disk-full", detail, error)
        }
        error if error.is_uncertain() => {
            let detail = "the disk of the server could not confirm the change: it may be stored or not; look at what was \
                          changed last (GET /changes) before sending it again";
            ApiError::unwritable(StatusCode::INTERNAL_SERVER_ERROR, "uncertain", detail, error)
        }
        error => match error.class() {
            // What the file cannot keep, such as a date beyond the calendar: found by the store itself.
            ErrorClass::InvalidData => ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "unfit", error.to_string()),
            ErrorClass::Conflict => ApiError::busy(error.to_string()),
            _ => ApiError::internal(error),
        },
    }
}

/// 422 with all findings.
pub(super) fn findings_of(findings: &[Finding]) -> ApiError {
    let detail = match findings {
        [only] => format!("{only}; nothing was changed"),
        [first, rest @ ..] => format!("{first}; and {} more findings; nothing was changed", rest.len()),
        [] => "the edit is not fit to be stored; nothing was changed".to_owned(),
    };
    ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "unfit", detail).with("findings", json!(findings))
}

/// 409 with all conflicts.
pub(super) fn conflicts_of(conflicts: &[Conflict]) -> ApiError {
    let detail = match conflicts {
        [only] => format!("{only}; nothing was changed"),
        [first, rest @ ..] => format!("{first}; and {} more conflicts; nothing was changed", rest.len()),
        [] => "others changed what the edit changes; nothing was changed".to_owned(),
    };
    ApiError::refused(StatusCode::CONFLICT, "conflict", detail).with("conflicts", json!(conflicts))
}
