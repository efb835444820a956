//! People and tokens over HTTP: administrators decide about everybody, and whoever has signed in makes tokens for
//! themselves.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::calendar,
    people::{Altered, Means, NewPerson, NewToken, Person, Rights, Role, Subject, Token},
    planner::{Which, check_filter},
};

use super::{
    AppState,
    access::Access,
    body::Short,
    error::ApiError,
    gate::Remark,
    query::{Asked, Parameter, Query},
    session::{gate_of, no_store, read_json},
};

/// Entries of the record where the request does not say, and at most.
const ENTRIES: (usize, usize) = (200, 10_000);

/// How many entries of the record.
pub(super) const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "Entries, the newest first.",
    schema: r#"{"type":"integer","minimum":1,"maximum":10000,"default":200}"#,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    role: Role,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    rights: Rights,
    /// Who they are at an identity provider.
    #[serde(default)]
    oidc: Option<Subject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null is another thing than nothing")]
struct ChangedUser {
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    rights: Option<Rights>,
    #[serde(default)]
    disabled: Option<bool>,
    /// Null where they are nobody there any more.
    #[serde(default, deserialize_with = "given")]
    oidc: Option<Option<Subject>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null is another thing than nothing")]
struct AskedToken {
    name: String,
    role: Role,
    /// Whose; one's own where not given. Null for nobody's, which administrators make.
    #[serde(default, deserialize_with = "given")]
    user: Option<Option<String>>,
    #[serde(default)]
    rights: Rights,
    #[serde(default)]
    days: Option<u32>,
}

/// Tells `null` from what is not there.
#[expect(clippy::option_option, reason = "null is another thing than nothing")]
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

fn describe(person: &Person) -> Value {
    let mut told =
        json!({ "name": person.name, "role": person.role, "rights": *person.rights, "disabled": person.is_disabled });
    if let Some(subject) = &person.subject {
        told["oidc"] = json!(subject);
    }
    told
}

fn describe_token(token: &Token) -> Value {
    let text = |moment: Option<i64>| moment.map(calendar::date_time_text);
    json!({
        "id": token.id, "name": token.name, "user": token.person, "role": token.role, "rights": *token.rights,
        "made": text(Some(token.made_at)), "expires": text(token.expires_at), "used": text(token.used_at),
    })
}

/// Refuses rights that contradict themselves, and row rules that do not fit their layers: such a rule would hide the layer
/// whole.
fn check_rules(state: &AppState, rights: &Rights) -> Result<(), ApiError> {
    rights.check()?;
    let catalog = state.planner.read();
    for (layer, rule) in &rights.rows {
        let found = catalog.layer(layer.as_str()).ok_or_else(|| {
            ApiError::bad_parameter("rights", "bad-value", format!("there is no layer {:?}", layer.as_str()))
        })?;
        check_filter(found, &Which { filter: Some(rule), ..Which::default() }).map_err(|error| {
            ApiError::bad_parameter("rights", "bad-value", format!("the rule of layer {layer}: {error}"))
        })?;
    }
    Ok(())
}

/// `GET /users`.
pub(super) async fn list_users(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    Query::read(&asked.uri, &[], |_| false)?;
    let users: Vec<Value> = gate.people().everybody().iter().map(|person| describe(person)).collect();
    Ok(no_store(axum::Json(json!({ "users": users })).into_response()))
}

/// `POST /users`: adds somebody. The first is an administrator, as from then on only people decide.
pub(super) async fn create_user(
    State(state): State<AppState>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    let NewUser { name, role, password, rights, oidc } = read_json(&asked.headers, &body)?;
    check_rules(&state, &rights)?;
    check_issuer(&state, oidc.as_ref())?;
    let signs_in = password.is_some() || (oidc.is_some() && state.provider.is_some());
    if !gate.people().has_people() && (role != Role::Administrator || !signs_in) {
        let detail = "the first user must be an administrator with a password: nobody else could add the next";
        return Err(ApiError::bad_parameter("role", "bad-value", detail));
    }
    let added = name.clone();
    let add = move |people: &crate::people::People| {
        let (password, subject) = (password.as_deref(), oidc.as_ref());
        people.add_person(&NewPerson { name: &added, role, rights: &rights, password, subject })
    };
    gate.with_people(add).await?;
    let person =
        gate.people().person(&name).ok_or_else(|| ApiError::internal("somebody was added and is not there"))?;
    let answer = no_store((StatusCode::CREATED, axum::Json(describe(&person))).into_response());
    let linked = person
        .subject
        .as_ref()
        .map_or(String::new(), |subject| format!(", linked with subject {} of {}", subject.subject, subject.issuer));
    Ok(Remark::Did(format!("{} as {role}{linked}", person.name)).on(answer))
}

/// `PATCH /users/{name}`: another role, password or rights; keeps somebody out or lets them in again.
pub(super) async fn update_user(
    State(state): State<AppState>,
    Path(name): Path<String>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    let ChangedUser { role, password, rights, disabled, oidc } = read_json(&asked.headers, &body)?;
    rights.as_ref().map_or(Ok(()), |rights| check_rules(&state, rights))?;
    check_issuer(&state, oidc.as_ref().and_then(Option::as_ref))?;
    let altered = Altered { role, rights, password, disabled, subject: oidc };
    let (of, did) = (name.clone(), words_of(&altered));
    gate.with_people(move |people| people.alter(&of, &altered)).await?;
    // Somebody else may have removed them since.
    let person = gate.people().person(&name).ok_or_else(|| crate::people::PeopleError::Nobody(name))?;
    let answer = no_store(axum::Json(describe(&person)).into_response());
    Ok(did.map_or(Remark::Nothing, Remark::Did).on(answer))
}

/// Refuses a link with another issuer than the one where people sign in here: it would let nobody in.
fn check_issuer(state: &AppState, subject: Option<&crate::people::Subject>) -> Result<(), ApiError> {
    let wanted = state.provider.as_ref().map(|provider| provider.issuer());
    match (subject, wanted) {
        (Some(subject), Some(wanted)) if subject.issuer != wanted => {
            let detail =
                format!("the issuer {:?} is not {wanted:?}, where people sign in to this server", subject.issuer);
            Err(ApiError::bad_parameter("oidc", "bad-value", detail))
        }
        _ => Ok(()),
    }
}

/// What of somebody was given anew, in words; no secret.
fn words_of(altered: &Altered) -> Option<String> {
    let mut words = Vec::new();
    words.extend(altered.role.map(|role| format!("role {role}")));
    words.extend(altered.rights.as_ref().map(|_| "rights".to_owned()));
    words.extend(altered.password.as_ref().map(|_| "password".to_owned()));
    words.extend(altered.disabled.map(|disabled| if disabled { "kept out" } else { "let in" }.to_owned()));
    words.extend(altered.subject.as_ref().map(|subject| match subject {
        Some(subject) => format!("linked with subject {} of {}", subject.subject, subject.issuer),
        None => "linked with no subject".to_owned(),
    }));
    (!words.is_empty()).then(|| words.join(", "))
}

/// `DELETE /users/{name}`: removes somebody with their tokens and sessions.
pub(super) async fn delete_user(
    State(state): State<AppState>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    gate.with_people(move |people| people.dismiss(&name)).await?;
    Ok(no_store(StatusCode::NO_CONTENT.into_response()))
}

/// Whether a token is one's own.
fn is_own(access: &Access, token: &Token) -> bool {
    token.person.is_some() && token.person.as_deref() == access.person()
}

/// `GET /tokens`: one's own; all of them for administrators.
pub(super) async fn list_tokens(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_role(Role::Reader)?;
    Query::read(&asked.uri, &[], |_| false)?;
    let sees_all = asked.access.check_administer().is_ok();
    let tokens = gate.people().tokens();
    let shown: Vec<Value> =
        tokens.iter().filter(|token| sees_all || is_own(&asked.access, token)).map(describe_token).collect();
    Ok(no_store(axum::Json(json!({ "tokens": shown })).into_response()))
}

/// `POST /tokens`: makes a token and shows it, once. A token makes no further one: what leaks must not outlive its end.
pub(super) async fn create_token(
    State(state): State<AppState>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    let access = &asked.access;
    access.check_role(Role::Reader)?;
    if access.means() != Some(Means::Session) {
        return Err(ApiError::forbidden("sign in to make a token: a token makes no further one"));
    }
    let AskedToken { name, role, user, rights, days } = read_json(&asked.headers, &body)?;
    check_rules(&state, &rights)?;
    let own = access.person().map(str::to_owned);
    let person = user.unwrap_or_else(|| own.clone());
    if person.is_none() || person != own {
        access.check_administer()?;
    }
    access.check_role(role)?;
    let expires_at = days.map(|days| crate::planner::now_ms() + i64::from(days) * 86_400_000);
    let did = format!("token {name:?} of {role}");
    let new = NewToken { name, person, role, rights, expires_at };
    let secret = gate.with_people(move |people| people.make_token(&new)).await?;
    let token = json!({ "token": secret.reveal() });
    Ok(Remark::Did(did).on(no_store((StatusCode::CREATED, axum::Json(token)).into_response())))
}

/// `DELETE /tokens/{id}`: ends a token.
pub(super) async fn delete_token(
    State(state): State<AppState>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_role(Role::Reader)?;
    let sees_all = asked.access.check_administer().is_ok();
    let tokens = gate.people().tokens();
    let found = tokens.iter().find(|token| token.id.to_string() == id);
    let found = found.filter(|token| sees_all || is_own(&asked.access, token));
    let id = found.ok_or_else(|| ApiError::not_found(format!("there is no token {id}")))?.id;
    gate.with_people(move |people| people.revoke_token(id)).await?;
    Ok(no_store(StatusCode::NO_CONTENT.into_response()))
}

/// `GET /audit`: the last entries of the record, the newest first.
pub(super) async fn list_audit(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    let query = Query::read(&asked.uri, &[LIMIT], |_| false)?;
    let limit = match query.value("limit") {
        None => ENTRIES.0,
        Some(text) => text.parse().ok().filter(|limit| (1..=ENTRIES.1).contains(limit)).ok_or_else(|| {
            let detail = format!("parameter \"limit\" = {text:?}: a whole number from 1 to {}", ENTRIES.1);
            ApiError::bad_parameter("limit", "bad-value", detail)
        })?,
    };
    let entries = gate.with_people(move |people| people.recorded(limit)).await?;
    let entry = |entry: &crate::people::Recorded| {
        json!({
            "at": calendar::date_time_text(entry.at), "kind": entry.kind, "who": entry.who, "from": entry.address,
            "what": entry.what, "outcome": entry.outcome,
        })
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    Ok(no_store(axum::Json(json!({ "entries": entries })).into_response()))
}
