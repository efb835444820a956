//! Errors as problem documents (RFC 9457): a stable `code`, a sentence that names the parameter, the value and
//! the way out. What goes wrong inside stays in the log, under the request's id.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::people::PeopleError;

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    parameter: Option<String>,
    /// For the log only.
    inside: Option<String>,
    /// What the document says beside the usual members.
    members: Box<Map<String, Value>>,
}

/// The document that is sent.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    request_id: &'a str,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl ApiError {
    /// 400: a parameter is unknown, repeated, or has a value that means nothing.
    pub(crate) fn bad_parameter(parameter: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            detail: detail.into(),
            parameter: Some(parameter.to_owned()),
            inside: None,
            members: Box::default(),
        }
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "not-found",
            detail: detail.into(),
            parameter: None,
            inside: None,
            members: Box::default(),
        }
    }

    /// 405: the resource has no such method.
    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this resource does not have that method; see the Allow header".to_owned();
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method-not-allowed",
            detail,
            parameter: None,
            inside: None,
            members: Box::default(),
        }
    }

    /// 406: the client admits no representation that there is.
    pub(crate) fn not_acceptable(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_ACCEPTABLE,
            code: "not-acceptable",
            detail: detail.into(),
            parameter: Some("Accept".to_owned()),
            inside: None,
            members: Box::default(),
        }
    }

    /// 507 or 500: the disk would not take a change. What the engine said goes to the log.
    pub(crate) fn unwritable(status: StatusCode, code: &'static str, detail: &str, inside: impl ToString) -> Self {
        let inside = Some(inside.to_string());
        Self { status, code, detail: detail.to_owned(), parameter: None, inside, members: Box::default() }
    }

    /// 500: a fault of ours. `inside` goes to the log, never to the client.
    pub(crate) fn internal(inside: impl ToString) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "internal",
            detail: "the server failed to answer; the log has the details under this request_id".to_owned(),
            parameter: None,
            inside: Some(inside.to_string()),
            members: Box::default(),
        }
    }

    /// 503: as much is under way as the server does at a time; the client may come again soon.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, code: "busy", detail: detail.into(), parameter: None, inside: None, members: Box::default() }
    }

    /// A refusal of another status: a stable word and a sentence.
    pub(crate) fn refused(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), parameter: None, inside: None, members: Box::default() }
    }

    /// The same with a further member in its document.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// The same, naming the parameter or header at fault.
    #[must_use]
    pub(crate) fn about(mut self, parameter: &str) -> Self {
        self.parameter = Some(parameter.to_owned());
        self
    }

    /// 401: whoever asks has to say who they are.
    pub(crate) fn sign_in_required() -> Self {
        let detail = "sign in, or send a token: Authorization: Bearer TOKEN, or token=TOKEN in the address";
        Self::refused(StatusCode::UNAUTHORIZED, "sign-in-required", detail)
    }

    /// 401: what was shown is not good.
    pub(crate) fn bad_credentials(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::UNAUTHORIZED, "bad-credentials", detail)
    }

    /// 403: the one who asks may not do this.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 409: it cannot be done as things are.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 415: the body is of another kind.
    pub(crate) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    }

    /// 421: asked by a name that is not the server's.
    pub(crate) fn misdirected(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail)
    }

    /// 429: too many tries to sign in.
    pub(crate) fn too_many_tries(after: std::time::Duration) -> Self {
        let detail = format!("too many tries to sign in: come again in {} seconds", after.as_secs() + 1);
        Self::refused(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", detail)
    }

    /// What the log shall hold beside status and code.
    pub(crate) fn inside(&self) -> Option<&str> {
        self.inside.as_deref()
    }

    /// The status that the client sees.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence that the client sees.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The parameter at fault.
    pub(crate) fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// The document, once the request's id is known.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let problem = Problem {
            r#type: format!("urn:mutu:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            parameter: self.parameter.as_deref(),
            request_id,
            members: &self.members,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
            }
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"mutu\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            _ => {}
        }
        response
    }
}

impl From<PeopleError> for ApiError {
    fn from(error: PeopleError) -> Self {
        let (status, code) = match &error {
            PeopleError::Nobody(_) | PeopleError::NoToken(_) => (StatusCode::NOT_FOUND, "not-found"),
            PeopleError::Exists(_) | PeopleError::SubjectTaken(_) => (StatusCode::CONFLICT, "exists"),
            PeopleError::BadName { .. }
            | PeopleError::BadPassword(_)
            | PeopleError::UnknownRole(_)
            | PeopleError::BadRights(_)
            | PeopleError::BadSubject(_) => (StatusCode::BAD_REQUEST, "bad-value"),
            PeopleError::LastAdministrator => (StatusCode::CONFLICT, "conflict"),
            _ => return Self::internal(error),
        };
        Self::refused(status, code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    /// An answer without a body that carries the error; [`super::context::attend`] writes the document.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
