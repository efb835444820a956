//! The page and its assets, embedded in the binary.

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/dist"]
#[allow_missing = true]
struct Page;

/// The page, for a browser that asks for the root.
pub(super) fn page() -> Result<Response, ApiError> {
    serve("index.html", "no-cache").ok_or_else(|| {
        ApiError::not_found("this binary was built without the web application: build web/ first (make build)")
    })
}

/// `GET /assets/...`: scripts, styles and workers; their names carry a hash of their content.
pub(super) async fn read_asset(Path(path): Path<String>) -> Result<Response, ApiError> {
    serve(&format!("assets/{path}"), "public, max-age=31536000, immutable")
        .ok_or_else(|| ApiError::not_found(format!("there is no asset {path:?}")))
}

/// `GET /icon.svg`.
pub(super) async fn read_icon() -> Result<Response, ApiError> {
    serve("icon.svg", "public, max-age=86400").ok_or_else(|| ApiError::not_found("there is no icon"))
}

/// Every path that is no route.
pub(super) async fn nothing_here() -> ApiError {
    ApiError::not_found("there is nothing at this path; see /api for what there is")
}

fn serve(path: &str, cache: &'static str) -> Option<Response> {
    // A debug build reads the folder itself: nothing above or beside it.
    if path.contains("..") || path.contains('\\') {
        return None;
    }
    let file = Page::get(path)?;
    let kind = HeaderValue::from_static(media_type(path));
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    Some((StatusCode::OK, headers, file.data.into_owned()).into_response())
}

/// The media type of an asset, by its ending: the kinds that the build makes.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
