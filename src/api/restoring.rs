//! The way back over HTTP: an edit is undone, a feature or a layer restored, each by a new edit.
//!
//! `POST /changes/{seq}/undo` and `POST /collections/{layer}/restore`, both with `dry-run=true` to see what would happen.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    catalog::Catalog,
    domain::edit::{Change, Edit},
    planner::{ErrorClass, PastError, PlannerError, Standard, When},
};

use super::{
    AppState,
    access::Access,
    body::Short,
    collection::Collection,
    edits::{self, DRY_RUN, is_dry},
    error::ApiError,
    ogc::editing::check_note,
    picture::bad_moment,
    query::{Asked, Parameter, Query},
    refusal::{self, findings_of},
    session::read_json,
    sight::Sight,
};

/// Parameters of the way back.
pub(super) const RESTORING_PARAMETERS: &[Parameter] = &[DRY_RUN];

/// Why an edit is undone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Undoing {
    #[serde(default)]
    note: String,
}

/// What is restored: a feature or the whole layer, as it was at a moment or after a number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restoring {
    datetime: Option<String>,
    seq: Option<i64>,
    id: Option<i64>,
    #[serde(default)]
    note: String,
}

/// `POST /changes/{seq}/undo`.
pub(super) async fn undo_change(
    State(state): State<AppState>,
    Path(seq): Path<String>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(&state, "") {
        return Ok(refused);
    }
    let is_dry = is_dry(&Query::read(&asked.uri, RESTORING_PARAMETERS, |_| false)?)?;
    let Undoing { note } = if body.is_empty() { Undoing::default() } else { read_json(&asked.headers, &body)? };
    let none = || ApiError::not_found(format!("there is no change {seq:?}"));
    let number = seq.parse().ok().filter(|number: &i64| number.to_string() == seq).ok_or_else(none)?;
    check_note(&note).map_err(|why| ApiError::bad_parameter("note", "bad-value", why))?;
    let catalog = state.picture(&asked).await?;
    let access = asked.access;
    let missing = none();
    let work = move || {
        let sight = Sight::of(&access);
        if !sight.is_everything() {
            // Before anything is told of what became of its features.
            match state.planner.is_seen_whole(number, &sight).map_err(ApiError::internal)? {
                None => return Err(missing),
                Some(false) => return Err(unseen()),
                Some(true) => {}
            }
        }
        let edit = state.planner.undoing(number, access.author(), &note).map_err(|error| match error {
            // By which edit may be what they do not see.
            PlannerError::Past(PastError::ChangedSince { seq, .. }) if !sight.is_everything() => {
                ApiError::conflict(format!("number {seq} cannot be undone: what it changed was changed since"))
            }
            error => refused(error),
        })?;
        check_edit(&state, &access, &edit)?;
        carry_out(&state, edit, (&catalog, &Sight::of(&access), is_dry))
    };
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}

/// `POST /collections/{layer}/restore`.
pub(super) async fn restore_layer(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
    Short(body): Short,
) -> Result<Response, ApiError> {
    if let Some(refused) = refusal::read_only(&state, "") {
        return Ok(refused);
    }
    let is_dry = is_dry(&Query::read(&asked.uri, RESTORING_PARAMETERS, |_| false)?)?;
    let collection = Collection::find(&state, &asked, &layer).await?;
    let Restoring { datetime, seq, id, note } = read_json(&asked.headers, &body)?;
    if id.is_none() {
        asked.access.check_manage()?;
    }
    asked.access.check_edit(&collection.state.layer().id)?;
    let when = match (datetime, seq) {
        (Some(text), None) => match When::parse(&text) {
            Ok(when @ When::At(_)) => when,
            Ok(_) => {
                return Err(ApiError::bad_parameter("datetime", "bad-value", "\"datetime\" is one moment, not a span"));
            }
            Err(error) => return Err(bad_moment("datetime", &text, &error)),
        },
        (None, Some(seq)) => When::After(seq),
        _ => {
            let detail = "the body says the moment either as \"datetime\" or as \"seq\"";
            return Err(ApiError::bad_parameter("body", "bad-body", detail));
        }
    };
    check_note(&note).map_err(|why| ApiError::bad_parameter("note", "bad-value", why))?;
    if let Some(id) = id.filter(|_| !Sight::of(&asked.access).is_everything()) {
        // A feature that is seen at neither moment is as one that there is at neither.
        let then = state.picture_at(&asked, Some(when)).await?;
        let then = then.layer(&layer).is_some_and(|then| then.table().row_of(id).is_some());
        if !then && collection.state.table().row_of(id).is_none() {
            return Err(refused(PastError::NoSuchFeature { layer, id }.into()));
        }
    }
    let (access, catalog) = (asked.access, collection.catalog);
    let work = move || {
        let edit = state.planner.restoring(&layer, id, when, (access.author(), &note)).map_err(refused)?;
        check_edit(&state, &access, &edit)?;
        carry_out(&state, edit, (&catalog, &Sight::of(&access), is_dry))
    };
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}

/// Refuses who may not change one of the layers, or does not see one of the features as it is or as it would be.
fn check_edit(state: &AppState, access: &Access, edit: &Edit) -> Result<(), ApiError> {
    let sight = Sight::of(access);
    let present = state.planner.read();
    for change in &edit.changes {
        let (layer, id) = change.target();
        access.check_edit(layer)?;
        if sight.is_everything() {
            continue;
        }
        let Some(held) = present.layer(layer.as_str()) else { continue };
        let now =
            held.table().row_of(id).map(|row| held.table().feature(row)).map(|view| crate::domain::feature::Feature {
                id,
                shape: view.shape.map(|shape| shape.to_shape()),
                values: view.values.iter().map(|value| value.to_value()).collect(),
            });
        let then = match change {
            Change::Put { feature, .. } => Some(feature),
            Change::Delete { .. } => None,
        };
        if now.iter().chain(then).any(|feature| !sight.shows_feature(held.layer(), feature)) {
            return Err(unseen());
        }
    }
    Ok(())
}

fn unseen() -> ApiError {
    ApiError::forbidden("this would change features that you may not see")
}

fn carry_out(
    state: &AppState,
    edit: Edit,
    (catalog, sight, is_dry): (&Catalog, &Sight, bool),
) -> Result<Response, ApiError> {
    if edit.changes.is_empty() {
        return edits::answer_nothing(&edit, is_dry);
    }
    let planner = &state.planner;
    let done =
        if is_dry { planner.preview(edit, Standard::Restored) } else { planner.carry_out(edit, Standard::Restored) };
    let done = done.map_err(|error| match error {
        PlannerError::Findings(findings) => findings_of(&sight.veiled(catalog, &planner.read(), findings)),
        error => refused(error),
    })?;
    let notices = sight.veiled(catalog, &planner.read(), done.notices.clone());
    let notices: Vec<Value> = notices.iter().map(|notice| json!(notice)).collect();
    edits::answer(state, &done, &notices)
}

/// The answer where a way back is closed.
fn refused(error: PlannerError) -> ApiError {
    match (&error, error.class()) {
        (PlannerError::Past(_), ErrorClass::Conflict) => ApiError::conflict(error.to_string()),
        (PlannerError::Past(PastError::NotYet { .. }), _) | (_, ErrorClass::NotFound) => {
            ApiError::not_found(error.to_string())
        }
        (PlannerError::Past(_), ErrorClass::Usage) => ApiError::bad_parameter("body", "bad-body", error.to_string()),
        _ => refusal::of(error),
    }
}
