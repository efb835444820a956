//! What surrounds every request: an id, one line in the log, the problem document, headers of safety.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    AppState,
    error::ApiError,
    gate::{self, Gate, Shown},
    html::{Reader, Told},
    links,
    picture::{AS_OF, AsOf},
    protocol, session,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The page's own scripts, styles and workers, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                           form-action 'self'; frame-ancestors 'none'";

/// Ids that differ between requests of this process and, by the start's time, between processes.
fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    let start = START
        .get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64));
    format!("{start:x}-{:x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Gives the request an id, logs it once, lets it in, writes problem documents and the headers of safety.
pub(super) async fn attend(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let Some(gate) = state.gate.clone() else { return answer(&state, request, next, None).await };
    // Before anything else reads the address.
    let shown = gate.take(&mut request);
    let token = shown.in_address.clone();
    links::carrying(token, answer(&state, request, next, Some((&gate, shown)))).await
}

async fn answer(state: &AppState, mut request: Request, next: Next, gate: Option<(&Gate, Shown)>) -> Response {
    let id = next_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reader = Reader::of(&state.config.base_url, request.method(), request.uri(), request.headers());
    let as_of = AsOf::default();
    request.extensions_mut().insert(as_of.clone());
    let start = Instant::now();
    // Known also where they are refused: the record names them.
    let mut access = None;
    let admitted = gate.as_ref().map(|(gate, shown)| {
        let known = &*access.insert(gate.identify(&request, shown)?);
        gate.admit(&request, shown, known)
    });
    if let (Some((_, shown)), Some(Ok(())), Some(access)) = (&gate, &admitted, &access) {
        request.extensions_mut().insert(shown.came_from());
        request.extensions_mut().insert(access.clone());
    }
    let reader = reader.map(|reader| reader.of_whom(access.as_ref()));
    let mut response = match admitted {
        Some(Err(refusal)) => match reader.as_ref().filter(|_| refusal.code() == "sign-in-required") {
            Some(_) => session::to_sign_in(&state.config.base_url, request.uri()),
            None => refusal.into_response(),
        },
        None | Some(Ok(())) => protocol::conform(request, next).await,
    };
    let remark = response.extensions_mut().remove::<gate::Remark>();
    let problem = problem_of(&mut response);
    if let Some(error) = &problem {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = render(error, &id, reader.as_ref());
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let status = response.status().as_u16();
    let duration_ms = start.elapsed().as_secs_f64() * 1000.0;
    let code = problem.as_ref().map_or("", ApiError::code);
    match problem.as_ref().and_then(ApiError::inside) {
        Some(inside) => tracing::error!(request_id = id, %method, path, status, code, duration_ms, inside, "request"),
        None if status >= 400 => tracing::info!(request_id = id, %method, path, status, code, duration_ms, "request"),
        None => tracing::debug!(request_id = id, %method, path, status, duration_ms, "request"),
    }
    add_headers(&mut response, &id);
    if let Some(seq) = as_of.header() {
        // What writes knows better: the answer is after its own edit.
        response.headers_mut().entry(AS_OF).or_insert(seq);
    }
    if let Some((gate, shown)) = &gate {
        gate::keep_apart(&mut response, access.as_ref());
        gate.record(shown, (&method, access.as_ref()), (status, code), remark);
    }
    response
}

/// The page of an error for a person with a browser, its document for a program.
fn render(error: &ApiError, id: &str, reader: Option<&Reader>) -> Response {
    let Some(reader) = reader else { return error.render(id) };
    let told = Told { code: error.code(), detail: error.detail(), parameter: error.parameter(), request_id: id };
    reader.page(error.status(), &told)
}

/// The error that a response carries: one of ours, or a bare refusal of the router.
fn problem_of(response: &mut Response) -> Option<ApiError> {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return Some(error);
    }
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Some(ApiError::method_not_allowed()),
        // The router's own refusals of a path that is no text.
        StatusCode::BAD_REQUEST => {
            Some(ApiError::bad_parameter("path", "bad-path", "the path is not UTF-8, percent-encoded"))
        }
        StatusCode::INTERNAL_SERVER_ERROR => Some(ApiError::internal("status 500 without an error")),
        _ => None,
    }
}

fn add_headers(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
}

/// Turns a panic of a handler into an ordinary 500: the text goes to the log only.
pub(super) fn on_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text");
    ApiError::internal(format!("panic: {text}")).into_response()
}
