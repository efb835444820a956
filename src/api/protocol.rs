//! What HTTP asks of every resource alike: `OPTIONS`, validators (`ETag`, `If-None-Match`), answers unchanged.
//!
//! Question: why does a tag carry the coding? A strong validator promises equal bytes (RFC 9110 §8.8.3.3), and a
//! compressed answer has others: outside the compression a tag gets `-gzip` or `-br`, which is taken off again
//! before tags are compared.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Documents up to this size get a tag made from their bytes.
const LARGEST_HASHED: u64 = 4 << 20;
/// What compression appends to tags.
const CODINGS: [&str; 2] = ["-gzip", "-br"];

/// Marks a request of which only the headers will be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadersOnly;

/// A weak tag for an answer that equal inputs make equal but for its time stamp.
pub(super) fn weak_tag(inputs: impl Hash) -> String {
    format!("W/\"{:016x}\"", hash_of(inputs))
}

/// A hash that is the same in every run of one build.
pub(super) fn hash_of(inputs: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    inputs.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    hasher.finish()
}

/// The answer "unchanged", where the client has what `tag` names already.
pub(super) fn unchanged(headers: &HeaderMap, tag: &str) -> Option<Response> {
    let held = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let matches = |given: &&str| *given == "*" || plain(given) == plain(tag);
    let matched = held.flat_map(|list| list.split(',')).map(str::trim).find(matches)?;
    let tag = if matched == "*" { tag } else { matched };
    let tag = HeaderValue::from_str(tag).ok()?;
    let again = HeaderValue::from_static("no-cache");
    let vary = HeaderValue::from_static("accept, accept-language, accept-encoding");
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, again), (header::VARY, vary)];
    Some((StatusCode::NOT_MODIFIED, headers).into_response())
}

/// A tag without weakness and coding: `If-None-Match` compares weakly.
fn plain(tag: &str) -> &str {
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    CODINGS.iter().find_map(|coding| tag.strip_suffix(coding)).unwrap_or(tag)
}

/// Marks an answer with a tag, to be asked for anew before it is used again.
pub(super) fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

/// Answers `OPTIONS`, lets every refusal of a method name what there is, and gives documents their tags.
pub(super) async fn conform(mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    if method == Method::HEAD {
        // Answered as a GET whose body is not sent: else its headers could not say what a GET would.
        *request.method_mut() = Method::GET;
        request.extensions_mut().insert(HeadersOnly);
    }
    let held = request.headers().get(header::IF_NONE_MATCH).is_some().then(|| request.headers().clone());
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let allowed = allowed.replace(' ', "");
        let allowed = HeaderValue::from_str(&match allowed.as_str() {
            "" => "OPTIONS".to_owned(),
            named if named.split(',').any(|method| method == "OPTIONS") => named.to_owned(),
            named => format!("{named},OPTIONS"),
        });
        if let Ok(allowed) = allowed {
            if method == Method::OPTIONS {
                return (StatusCode::NO_CONTENT, [(header::ALLOW, allowed)]).into_response();
            }
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        return response;
    }
    if matches!(method, Method::GET | Method::HEAD) && response.status() == StatusCode::OK {
        response = validate(response, held).await;
    }
    if method == Method::HEAD { without_body(response) } else { response }
}

/// What is left of an answer to `HEAD`: its headers, the length of the body among them.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}

/// The answer with a tag, or "unchanged".
async fn validate(response: Response, held: Option<HeaderMap>) -> Response {
    let given = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (response, tag) = match given {
        Some(tag) => (response, tag),
        None => match hashed(response).await {
            Ok(hashed) => hashed,
            Err(response) => return response,
        },
    };
    held.and_then(|headers| unchanged(&headers, &tag)).unwrap_or(response)
}

/// An answer with a tag made from its bytes; as it is where it is a stream, large, or has its own rules.
async fn hashed(response: Response) -> Result<(Response, String), Response> {
    let size = response.body().size_hint().exact().filter(|size| (1..=LARGEST_HASHED).contains(size));
    if size.is_none() || response.headers().contains_key(header::CACHE_CONTROL) {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_HASHED as usize).await else {
        return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    let tag = format!("\"{:016x}\"", hash_of(&bytes[..]));
    Ok((tagged(Response::from_parts(parts, Body::from(bytes)), &tag), tag))
}

/// Outside the compression: a strong tag names the coding of the bytes that are sent.
pub(super) fn name_coding<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let (Some(coding), Some(tag)) = (text(header::CONTENT_ENCODING), text(header::ETAG)) {
        let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let named = inner.map(|inner| HeaderValue::from_str(&format!("\"{inner}-{coding}\"")));
        if let Some(Ok(named)) = named {
            response.headers_mut().insert(header::ETAG, named);
        }
    }
    response
}
