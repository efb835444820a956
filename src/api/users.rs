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
    people::{Means, NewToken, Person, Rights, Role, Token},
    planner::{Which, check_filter},
};

use super::{
    AppState,
    access::Access,
    body::Short,
    error::ApiError,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedUser {
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    rights: Option<Rights>,
    #[serde(default)]
    disabled: Option<bool>,
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
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

fn describe(person: &Person) -> Value {
    json!({ "name": person.name, "role": person.role, "rights": *person.rights, "disabled": person.is_disabled })
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
    let NewUser { name, role, password, rights } = read_json(&asked.headers, &body)?;
    check_rules(&state, &rights)?;
    if !gate.people().has_people() && (role != Role::Administrator || password.is_none()) {
        let detail = "the first user must be an administrator with a password: nobody else could add the next";
        return Err(ApiError::bad_parameter("role", "bad-value", detail));
    }
    let added = name.clone();
    gate.with_people(move |people| people.add(&added, role, &rights, password.as_deref())).await?;
    let person =
        gate.people().person(&name).ok_or_else(|| ApiError::internal("somebody was added and is not there"))?;
    Ok(no_store((StatusCode::CREATED, axum::Json(describe(&person))).into_response()))
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
    let ChangedUser { role, password, rights, disabled } = read_json(&asked.headers, &body)?;
    rights.as_ref().map_or(Ok(()), |rights| check_rules(&state, rights))?;
    if role.is_some_and(|role| role != Role::Administrator) || disabled == Some(true) {
        check_another_remains(&state, &name)?;
    }
    let of = name.clone();
    let change = move |people: &crate::people::People| {
        people.person(&of).ok_or_else(|| crate::people::PeopleError::Nobody(of.clone()))?;
        // What may be refused comes first, so that a refusal leaves everything as it was.
        password.map_or(Ok(()), |password| people.set_password(&of, &password, None))?;
        rights.map_or(Ok(()), |rights| people.set_rights(&of, &rights))?;
        role.map_or(Ok(()), |role| people.set_role(&of, role))?;
        disabled.map_or(Ok(()), |disabled| people.set_disabled(&of, disabled))
    };
    gate.with_people(change).await?;
    let person = gate.people().person(&name).ok_or_else(|| ApiError::internal("somebody was changed and is gone"))?;
    Ok(no_store(axum::Json(describe(&person)).into_response()))
}

/// `DELETE /users/{name}`: removes somebody with their tokens and sessions.
pub(super) async fn delete_user(
    State(state): State<AppState>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let gate = gate_of(&state)?;
    asked.access.check_administer()?;
    check_another_remains(&state, &name)?;
    gate.with_people(move |people| people.remove(&name)).await?;
    Ok(no_store(StatusCode::NO_CONTENT.into_response()))
}

/// Refuses to take the last administrator away: only the command line could make another.
fn check_another_remains(state: &AppState, name: &str) -> Result<(), ApiError> {
    let people = gate_of(state)?.people();
    let is_active = |person: &Person| person.role == Role::Administrator && !person.is_disabled;
    let of = people.person(name).filter(|person| is_active(person));
    let others = people.everybody().iter().filter(|person| is_active(person)).count();
    if of.is_some() && others <= 1 {
        return Err(ApiError::conflict("this is the last administrator: make another one first"));
    }
    Ok(())
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
    let new = NewToken { name, person, role, rights, expires_at };
    let secret = gate.with_people(move |people| people.make_token(&new)).await?;
    let token = json!({ "token": secret.reveal() });
    Ok(no_store((StatusCode::CREATED, axum::Json(token)).into_response()))
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
