//! Signing in at an identity provider: the way there, the way back, and who comes of it.
//!
//! The issuer vouches for a subject; whom that subject is here stands in the register, and is decided by an administrator:
//! nobody comes in because they have an account elsewhere. What they may do is ours to say, and their session is one like
//! all others.

use std::net::IpAddr;

use axum::{
    extract::{Extension, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    oidc::{OidcError, Provider, Returned, Vouched},
    people::{Kind, Proof, Subject},
};

use super::{
    AppState,
    error::ApiError,
    gate::{CameFrom, Gate, Remark},
    html::{self, LANG, Lang, Reader, SignInPage, View},
    query::{Asked, Query},
    session::{TO, gate_of, local_path, no_store, see_other},
};

/// Where a sign-in begins, and where the issuer sends browsers back to.
const BEGIN: &str = "/sign-in/oidc";
const BACK: &str = "/sign-in/oidc/callback";

/// The issuer, where the operator has named one.
fn provider_of(state: &AppState) -> Result<&Provider, ApiError> {
    let none = || ApiError::not_found("this server was started without an identity provider (--oidc-issuer)");
    state.provider.as_deref().ok_or_else(none)
}

/// Where to sign in at the issuer, for a path to go to afterwards. By the configured name always: the cookie of the way there
/// must be seen on the way back.
pub(super) fn way_to(state: &AppState, to: &str) -> Option<(String, String)> {
    let provider = state.provider.as_ref()?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    let joint = if to.is_empty() { String::new() } else { format!("?{query}") };
    Some((provider.name().to_owned(), format!("{}{BEGIN}{joint}", state.config.base_url)))
}

/// What `GET /session` says of the issuer.
pub(super) fn described(state: &AppState) -> Option<Value> {
    way_to(state, "").map(|(name, href)| json!({ "name": name, "href": href }))
}

fn redirect_of(state: &AppState) -> String {
    format!("{}{BACK}", state.config.base_url)
}

/// `GET /sign-in/oidc`: sends the browser to the issuer.
pub(super) async fn begin_sign_on(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (gate, provider) = (gate_of(&state)?, provider_of(&state)?);
    let query = Query::read(&asked.uri, &[LANG, TO], |_| false)?;
    if asked.headers_only {
        return Ok(no_store(StatusCode::NO_CONTENT.into_response()));
    }
    let to = local_path(query.value("to").unwrap_or("/"));
    match provider.begin(&to, &redirect_of(&state)).await {
        Ok(begun) => {
            let mut response = see_other(&begun.location);
            response.headers_mut().insert(header::SET_COOKIE, gate.ticket_cookie(&begun.cookie, Provider::patience()));
            Ok(no_store(response))
        }
        Err(error) => {
            tracing::warn!(issuer = provider.issuer(), %error, "nobody can be sent to the identity provider");
            shown(&state, &asked, refusal_of(&error), Remark::Nothing)
        }
    }
}

/// `GET /sign-in/oidc/callback`: the browser is back.
pub(super) async fn end_sign_on(
    State(state): State<AppState>,
    from: Option<Extension<CameFrom>>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (gate, provider) = (gate_of(&state)?, provider_of(&state)?);
    if asked.headers_only {
        // A look ahead must not use the code up.
        return Ok(no_store(StatusCode::NO_CONTENT.into_response()));
    }
    let address = from.and_then(|Extension(from)| from.0);
    let returned = Returned::read(asked.uri.query().unwrap_or_default());
    let ticket = gate.ticket_of(&asked.headers);
    let what = format!("sign in at {}", provider.issuer());
    let refused = |who: &str, error: ApiError, why: String| {
        gate.record_entry(Kind::Refusal, who, address, (&what, &why));
        shown(&state, &asked, error, Remark::Written)
    };
    let begun = provider.begun(ticket.as_deref(), &returned);
    if begun.is_ok() {
        // Not before: any page can send a browser here, which must keep nobody out.
        gate.admit_sign_on(address)?;
    }
    let vouched = match begun {
        Ok(begun) => provider.finish(begun, &returned, &redirect_of(&state)).await,
        Err(error) => Err(error),
    };
    let vouched = match vouched {
        Ok(vouched) => vouched,
        Err(error) => {
            if error.is_of_issuer() {
                gate.forgive_sign_on(address);
            }
            let mut response = refused("", refusal_of(&error), format!("{}: {error}", error.code()))?;
            if !matches!(error, OidcError::NotBegun | OidcError::WrongState) {
                // One that is under way in this browser goes on where another site has sent it here.
                response.headers_mut().append(header::SET_COOKIE, gate.ticket_cookie("", 0));
            }
            return Ok(response);
        }
    };
    let subject = Subject { issuer: vouched.issuer.clone(), subject: vouched.subject.clone() };
    let known = gate.with_people(move |people| Ok(people.proof_by_subject(subject))).await?;
    let response = match known {
        None => {
            let why = format!("oidc-unknown-person: subject {:?}", vouched.subject);
            refused("", unknown(&vouched), why)?
        }
        Some((person, _)) if person.is_disabled => {
            let error = ApiError::refused(StatusCode::FORBIDDEN, "oidc-kept-out", "this person is kept out");
            refused(&person.name, error, "oidc-kept-out".to_owned())?
        }
        Some((_, proof)) => come_in(&state, gate, (proof, &what), (address, &asked, &vouched.to)).await?,
    };
    let mut response = response;
    response.headers_mut().append(header::SET_COOKIE, gate.ticket_cookie("", 0));
    Ok(response)
}

async fn come_in(
    state: &AppState,
    gate: &Gate,
    (proof, what): (Proof, &str),
    (address, asked, to): (Option<IpAddr>, &Asked, &str),
) -> Result<Response, ApiError> {
    let person = proof.name().to_owned();
    let secret = gate.begin_session(proof).await?;
    gate.forgive_sign_on(address);
    gate.record_sign_in(&person, address, what);
    let view = View::new(state, asked, &Query::default(), Lang::Zh);
    let mut response = no_store(see_other(&view.file(&local_path(to))));
    response.headers_mut().append(header::SET_COOKIE, gate.cookie(secret.reveal()));
    Ok(response)
}

/// The refusal as whoever asks can read it: the page for signing in, or a problem document.
fn shown(state: &AppState, asked: &Asked, refusal: ApiError, remark: Remark) -> Result<Response, ApiError> {
    let uri = &asked.uri;
    if Reader::of(&state.config.base_url, &axum::http::Method::GET, uri, &asked.headers).is_none() {
        return Ok(remark.on(refusal));
    }
    let view = View::new(state, asked, &Query::default(), Lang::preferred(&asked.headers));
    let user = asked.access.role().map(|_| asked.access.author());
    let has_people = gate_of(state)?.people().has_people();
    let elsewhere = way_to(state, "/");
    let page = SignInPage { to: "/", name: "", refusal: Some(&refusal), user, has_people, elsewhere };
    let mut response = no_store(html::sign_in_page(&view, &page));
    *response.status_mut() = refusal.status();
    Ok(remark.on(response))
}

fn refusal_of(error: &OidcError) -> ApiError {
    if error.is_ours() {
        return ApiError::internal(error);
    }
    let status = match error {
        _ if error.is_of_issuer() => StatusCode::SERVICE_UNAVAILABLE,
        OidcError::Malformed => StatusCode::BAD_REQUEST,
        _ => StatusCode::FORBIDDEN,
    };
    ApiError::refused(status, error.code(), error.to_string())
}

/// Somebody for whom the issuer vouches and whom nobody has let in: who could, by which words.
fn unknown(vouched: &Vouched) -> ApiError {
    let called = vouched.shown.as_ref().map_or(String::new(), |shown| format!(" ({shown})"));
    let words = format!("--oidc-issuer {} --oidc-subject {}", quoted(&vouched.issuer), quoted(&vouched.subject));
    let detail = format!(
        "the identity provider knows you{called}, and nobody has let you in here yet. Ask an administrator to say: mutu user \
         link NAME {words}; or, for somebody new: mutu user add NAME --role reader {words}"
    );
    ApiError::refused(StatusCode::FORBIDDEN, "oidc-unknown-person", detail)
        .with("issuer", json!(vouched.issuer))
        .with("subject", json!(vouched.subject))
}

/// A word as a shell takes it for one.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_is_one_word_to_a_shell() {
        assert_eq!(quoted("https://idp.test/a"), "https://idp.test/a");
        for text in ["a b", "$(rm -rf /)", "it's", "a|b", "`x`", "", "李", "a;b", "\"a\""] {
            let said = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output();
            assert_eq!(String::from_utf8(said.unwrap().stdout).unwrap(), text);
        }
    }
}
