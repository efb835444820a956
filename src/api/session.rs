//! Signing in and out: the page for people, the session for programs, the one-time link at one's own machine.

use axum::{
    body::Bytes,
    extract::{Extension, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::people::{Means, Role};

use super::{
    AppState,
    access::{Access, Editable},
    body::Short,
    error::ApiError,
    gate::{CameFrom, Gate, Remark},
    html::{self, LANG, Lang, SignInPage, View},
    negotiate::{HTML, Representation, negotiate},
    query::{Asked, Parameter, Query},
    sign_on,
};

/// The longest body that says who somebody is, bytes.
const LONGEST_BODY: usize = 16 * 1024;

const KEY: Parameter = Parameter {
    name: "key",
    about: "The one-time key of the link that the server printed at its start.",
    schema: r#"{"type":"string"}"#,
};

pub(super) const TO: Parameter =
    Parameter { name: "to", about: "The path of this server to go to once signed in.", schema: r#"{"type":"string"}"# };

/// Parameters of the page for signing in.
const SIGN_IN_PARAMETERS: &[Parameter] = &[LANG, KEY, TO];
const ONLY_HTML: &[Representation] = &[HTML];

/// A name and its password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current: String,
    new: String,
}

/// Reads a JSON body. A form of another site cannot send this content type.
///
/// # Errors
/// 415 where it is something else, 400 where it is not what it should be.
pub(super) fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, ApiError> {
    let kind = content_type(headers);
    if kind != "application/json" {
        let detail = format!("the body is {kind:?}: send application/json");
        return Err(ApiError::unsupported_media_type(detail));
    }
    if body.len() > LONGEST_BODY {
        return Err(ApiError::bad_parameter("body", "too-long", "the body is longer than 16 KiB"));
    }
    // What the body holds is not repeated: it may be a password.
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Data => "a member is missing, unknown or of the wrong kind",
            _ => "it is not JSON",
        };
        ApiError::bad_parameter("body", "bad-body", format!("the body cannot be read: {what} ({place})"))
    })
}

fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The door; there is none where a library serves its own workspace.
pub(super) fn gate_of(state: &AppState) -> Result<&Gate, ApiError> {
    state.gate.as_deref().ok_or_else(|| ApiError::not_found("this server was started without people"))
}

/// `GET /session`: who asks, and what they may do.
pub(super) async fn read_session(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    Query::read(&asked.uri, &[], |_| false)?;
    Ok(no_store(axum::Json(describe(&state, &asked.access)).into_response()))
}

fn describe(state: &AppState, access: &Access) -> Value {
    let reads_freely = state.gate.as_ref().is_none_or(|gate| gate.reads_freely());
    let role = access.role().or_else(|| reads_freely.then_some(Role::Reader));
    let may_edit = match access.editable() {
        Editable::All => json!(true),
        Editable::Some(layers) => json!(layers),
    };
    let user = access.role().map(|_| access.author());
    let sign_in = access.role().is_none().then(|| state.link("/sign-in"));
    let mut told = json!({ "user": user, "role": role, "mayEdit": may_edit, "signIn": sign_in });
    if let Some(elsewhere) = sign_on::described(state) {
        told["oidc"] = elsewhere;
    }
    told
}

/// `POST /session`: signs in with a name and a password, as JSON from a program or as the form of the page.
pub(super) async fn begin_session(
    State(state): State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    let address = from.and_then(|Extension(from)| from.0);
    if content_type(&asked.headers) == "application/x-www-form-urlencoded" {
        return by_form(&state, gate, address, (&asked, &body)).await;
    }
    let Credentials { name, password } = read_json(&asked.headers, &body)?;
    let (_, secret) = match gate.sign_in((name, password), address).await {
        Ok(signed_in) => signed_in,
        Err(refusal) => return Ok(said(refusal)),
    };
    let identity = gate.people().who_has_session(secret.reveal()).ok_or_else(ApiError::sign_in_required)?;
    let access = Access::of(identity);
    let mut response = no_store(axum::Json(describe(&state, &access)).into_response());
    response.headers_mut().insert(header::SET_COOKIE, gate.cookie(secret.reveal()));
    Ok(Remark::Written.on(response))
}

/// A refusal by the gate, which has written it down where somebody was refused.
fn said(refusal: ApiError) -> Response {
    Remark::Written.on(refusal)
}

async fn by_form(
    state: &AppState,
    gate: &Gate,
    address: Option<std::net::IpAddr>,
    (asked, body): (&Asked, &Bytes),
) -> Result<Response, ApiError> {
    if body.len() > LONGEST_BODY {
        return Err(ApiError::bad_parameter("body", "too-long", "the body is longer than 16 KiB"));
    }
    let value = |name: &str| {
        let found = form_urlencoded::parse(body).find(|(given, _)| given == name);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    };
    let to = local_path(&value("to"));
    let lang = if value("lang") == "en" { Lang::En } else { Lang::Zh };
    match gate.sign_in((value("name"), value("password")), address).await {
        Ok((_, secret)) => {
            let view = View::new(state, asked, &Query::default(), lang);
            let mut response = see_other(&view.file(&to));
            response.headers_mut().insert(header::SET_COOKIE, gate.cookie(secret.reveal()));
            Ok(Remark::Written.on(response))
        }
        Err(refusal) if refusal.status().is_client_error() => {
            let view = View::new(state, asked, &Query::default(), lang);
            let name = value("name");
            let elsewhere = sign_on::way_to(state, &to);
            let page =
                SignInPage { to: &to, name: &name, refusal: Some(&refusal), user: None, has_people: true, elsewhere };
            let mut response = no_store(html::sign_in_page(&view, &page));
            *response.status_mut() = refusal.status();
            Ok(Remark::Written.on(response))
        }
        Err(fault) => Err(fault),
    }
}

/// `DELETE /session`: signs out.
pub(super) async fn end_session(
    State(state): State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    if let Some(secret) = gate.session_of(&asked.headers) {
        gate.with_people(move |people| people.end_session(&secret)).await?;
        if asked.access.means() == Some(Means::Session) {
            gate.record_sign_in(asked.access.author(), from.and_then(|Extension(from)| from.0), "sign out");
        }
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, gate.cookie(""));
    // Written down above where somebody was signed in; else nothing was changed.
    Ok(Remark::Written.on(no_store(response)))
}

/// `POST /sign-out`: signs out from the page, which has no script.
pub(super) async fn sign_out(
    state: State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let view = View::new(&state.0, &asked, &Query::default(), Lang::Zh);
    let mut response = end_session(state, from, asked).await?;
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(place) = HeaderValue::from_str(&view.file("/sign-in")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// `POST /session/password`: changes one's own password; one's other sessions end.
pub(super) async fn change_password(
    State(state): State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    let person = asked.access.person().filter(|_| asked.access.means() == Some(Means::Session));
    let person = person.ok_or_else(|| ApiError::forbidden("only who has signed in has a password to change"))?;
    let NewPassword { current, new } = read_json(&asked.headers, &body)?;
    let address = from.and_then(|Extension(from)| from.0);
    if let Err(refusal) = gate.check_password((person.to_owned(), current), address, "change password").await {
        return Ok(said(refusal));
    }
    let (person, kept) = (person.to_owned(), gate.session_of(&asked.headers));
    gate.with_people(move |people| people.set_password(&person, &new, kept.as_deref())).await?;
    Ok(Remark::Did("own password".to_owned()).on(no_store(StatusCode::NO_CONTENT.into_response())))
}

/// `GET /sign-in`: the page; with the one-time key it signs the browser in.
pub(super) async fn read_sign_in(
    State(state): State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    let query = Query::read(&asked.uri, SIGN_IN_PARAMETERS, |_| false)?;
    negotiate(&query, &asked.headers, ONLY_HTML)?;
    let view = View::new(&state, &asked, &query, Lang::of(&query, &asked.headers)?);
    let to = local_path(query.value("to").unwrap_or("/"));
    let mut refusal = None;
    if let Some(key) = query.value("key").map(str::to_owned).filter(|_| !asked.headers_only) {
        let address = from.and_then(|Extension(from)| from.0);
        if let Some(secret) = gate.with_people(move |people| people.redeem(&key)).await? {
            gate.record_sign_in(crate::people::LOCAL, address, "one-time link");
            let mut response = see_other(&view.file(&to));
            response.headers_mut().insert(header::SET_COOKIE, gate.cookie(secret.reveal()));
            return Ok(response);
        }
        refusal = Some(ApiError::forbidden("this link was used already, is older than an hour, or is not complete"));
    }
    let user = asked.access.role().map(|_| asked.access.author());
    let has_people = gate.people().has_people();
    let elsewhere = sign_on::way_to(&state, &to);
    let page = SignInPage { to: &to, name: "", refusal: refusal.as_ref(), user, has_people, elsewhere };
    let mut response = no_store(html::sign_in_page(&view, &page));
    if let Some(refusal) = refusal {
        *response.status_mut() = refusal.status();
    }
    Ok(response)
}

/// The way to the page for signing in, and back.
pub(super) fn to_sign_in(base_url: &str, uri: &Uri) -> Response {
    let to = uri.path_and_query().map_or("/", |path| path.as_str());
    let view = View::of_parts(base_url, "/sign-in", Query::default(), Lang::Zh);
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    no_store(see_other(&view.file(&format!("/sign-in?{query}"))))
}

/// A path of this server and nothing else: no other host, nothing that a browser takes for one.
pub(super) fn local_path(given: &str) -> String {
    let is_local = given.starts_with('/')
        && !given.starts_with("//")
        && !given.contains('\\')
        && given.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { given.to_owned() } else { "/".to_owned() }
}

pub(super) fn see_other(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_on_this_server() {
        for own in ["/", "/collections?f=html&limit=2", "/collections/%E5%9C%B0"] {
            assert_eq!(local_path(own), own);
        }
        for elsewhere in ["", "//evil.test", "/\\evil.test", "https://evil.test", "javascript:1", "/a b", "/\tx", "/地"]
        {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
