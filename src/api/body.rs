//! The body of a request: its type is checked before it is read, its size while it is, and a client that stops sending
//! is not waited for.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};

use tokio::sync::OwnedSemaphorePermit;

use super::{AppState, error::ApiError};

/// A feature may be so long, in bytes: a hundred thousand vertices.
pub(super) const LONGEST_FEATURE: usize = 16 << 20;
/// A whole edit may be so long, in bytes.
pub(super) const LONGEST_EDIT: usize = 256 << 20;
/// A decision, a password, a note: what is no feature may be so long, in bytes.
const LONGEST_SHORT: usize = 1 << 20;
/// Who sends less than this in a millisecond, on the whole, is not waited for: beside drops, connections and the turn of
/// long bodies could be held for days.
const LEAST_BYTES_PER_MS: u64 = 1;
/// Longer bodies are taken in one after the other.
const LONG: usize = 8 << 20;

pub(super) const GEOJSON: &[&str] = &["application/geo+json", "application/json", "application/vnd.geo+json"];
pub(super) const MERGE_PATCH: &[&str] = &["application/merge-patch+json"];
pub(super) const JSON: &[&str] = &["application/json"];

/// Refuses a body that is not of one of some media types. A page elsewhere cannot make a browser send these types without
/// asking first, so no form there can write here.
pub(super) fn check_type(headers: &HeaderMap, accepted: &[&str]) -> Result<(), ApiError> {
    let refused = |what: String| {
        let detail = format!("{what}: send {}", accepted.join(" or "));
        Err(ApiError::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
            .about("Content-Type"))
    };
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    if !matches!(text(header::CONTENT_ENCODING).to_ascii_lowercase().as_str(), "" | "identity") {
        let detail = "a compressed body is not read: send it without Content-Encoding";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::refused(status, "unsupported-coding", detail).about("Content-Encoding"));
    }
    let mut parts = text(header::CONTENT_TYPE).split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    if essence.is_empty() {
        return refused("the request does not say what its body is".to_owned());
    }
    if !accepted.contains(&essence.as_str()) {
        return refused(format!("a body of type {essence:?} is not read"));
    }
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    match charset.as_deref().map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8") => Ok(()),
        Some(other) => refused(format!("JSON is UTF-8, not {other:?}")),
    }
}

/// The text of a body, and the turn that a long one has until it is done with.
pub(super) struct Given {
    pub(super) text: String,
    _turn: Option<OwnedSemaphorePermit>,
}

impl AppState {
    /// The body as text in UTF-8.
    ///
    /// # Errors
    /// 413 where it is too long, 408 where the client stops sending, 400 where it breaks off or is not UTF-8.
    pub(super) async fn text_of(&self, body: Body, longest: usize) -> Result<Given, ApiError> {
        let (bytes, turn) = self.bytes_of(body, longest).await?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let detail = format!("the body is not UTF-8, from byte {} on", error.utf8_error().valid_up_to());
            ApiError::bad_parameter("body", "bad-encoding", detail)
        })?;
        Ok(Given { text, _turn: turn })
    }

    async fn bytes_of(
        &self,
        mut body: Body,
        longest: usize,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), ApiError> {
        let said = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if said.is_some_and(|length| length > longest) {
            return Err(too_long(longest));
        }
        let mut turn = None;
        let mut bytes = Vec::with_capacity(said.unwrap_or(0).min(LONG));
        let mut waited = Duration::ZERO;
        loop {
            let start = Instant::now();
            let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let frame = tokio::time::timeout(self.config.head_time, next).await.map_err(|_| silent())?;
            let Some(frame) = frame else { break };
            waited += start.elapsed();
            if waited > self.config.head_time + Duration::from_millis(bytes.len() as u64 / LEAST_BYTES_PER_MS) {
                return Err(silent());
            }
            let broken = |error: axum::Error| {
                ApiError::bad_parameter("body", "broken-body", format!("the body broke off: {error}"))
            };
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if data.len() > longest - bytes.len() {
                return Err(too_long(longest));
            }
            if turn.is_none() && bytes.len() + data.len() > LONG {
                turn = Some(Arc::clone(&self.long_bodies).acquire_owned().await.map_err(ApiError::internal)?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, turn))
    }
}

/// A short body, waited for no longer than any other.
pub(super) struct Short(pub(super) Bytes);

impl FromRequest<AppState> for Short {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (bytes, _) = state.bytes_of(request.into_body(), LONGEST_SHORT).await?;
        Ok(Self(bytes.into()))
    }
}

fn too_long(longest: usize) -> ApiError {
    let instead = if longest == LONGEST_FEATURE {
        "a larger feature comes in by `mutu import`"
    } else {
        "send it in several requests"
    };
    let detail = format!("the body is longer than {} MB: {instead}", longest >> 20);
    ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", detail)
}

fn silent() -> ApiError {
    ApiError::refused(
        StatusCode::REQUEST_TIMEOUT,
        "silent-client",
        "the client stopped sending before the end of its body",
    )
}
