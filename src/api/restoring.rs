//! The way back over HTTP: an edit is undone, a feature or a layer restored, each by a new edit.
//!
//! `POST /changes/{seq}/undo` and `POST /collections/{layer}/restore`, both with `dry-run=true` to see what would happen.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit},
        schema::LayerId,
    },
    engine::table::Row,
    ground::units::Basis,
    planner::{Done, ErrorClass, PastError, PlannerError, Standard, When},
};

use super::{
    AppState,
    access::Access,
    body::Short,
    collection::Collection,
    error::ApiError,
    negotiate::JSON,
    ogc::editing::check_note,
    picture::bad_moment,
    query::{Asked, Parameter, Query},
    session::read_json,
    sight::Sight,
};

const DRY_RUN: Parameter = Parameter {
    name: "dry-run",
    about: "Whether the edit is only judged: the answer says what it would do, and nothing is stored.",
    schema: r#"{"type":"boolean","default":false}"#,
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
    let is_dry = is_dry(&asked)?;
    let Undoing { note } = if body.is_empty() { Undoing::default() } else { read_json(&asked.headers, &body)? };
    let none = || ApiError::not_found(format!("there is no change {seq:?}"));
    let number = seq.parse().ok().filter(|number: &i64| number.to_string() == seq).ok_or_else(none)?;
    check_note(&note).map_err(|why| ApiError::bad_parameter("note", "bad-value", why))?;
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
        let edit = state.planner.undoing(number, access.author(), &note).map_err(refusal)?;
        check_edit(&state, &access, &edit)?;
        carry_out(&state, edit, is_dry)
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
    let is_dry = is_dry(&asked)?;
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
            return Err(refusal(PastError::NoSuchFeature { layer, id }.into()));
        }
    }
    let access = asked.access;
    let work = move || {
        let edit = state.planner.restoring(&layer, id, when, (access.author(), &note)).map_err(refusal)?;
        check_edit(&state, &access, &edit)?;
        carry_out(&state, edit, is_dry)
    };
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}

fn is_dry(asked: &Asked) -> Result<bool, ApiError> {
    let query = Query::read(&asked.uri, RESTORING_PARAMETERS, |_| false)?;
    match query.value(DRY_RUN.name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let detail = format!("parameter \"dry-run\" = {other:?}: true or false");
            Err(ApiError::bad_parameter(DRY_RUN.name, "bad-value", detail))
        }
    }
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

fn carry_out(state: &AppState, edit: Edit, is_dry: bool) -> Result<Response, ApiError> {
    if edit.changes.is_empty() {
        // Everything is as it was: nothing is stored, and that is no failure.
        let nothing = json!({ "seq": null, "dryRun": is_dry, "note": edit.note, "author": edit.author, "changes": [],
                              "findings": [] });
        return JSON.json(&nothing);
    }
    let planner = &state.planner;
    let done =
        if is_dry { planner.preview(edit, Standard::Restored) } else { planner.carry_out(edit, Standard::Restored) };
    answer(state, &done.map_err(refusal)?)
}

/// What an edit did, as `POST /changes` says it.
fn answer(state: &AppState, done: &Done) -> Result<Response, ApiError> {
    let mut parents: BTreeMap<(&LayerId, i64), Vec<i64>> = BTreeMap::new();
    for lineage in &done.edit.lineage {
        for child in &lineage.children {
            parents.entry((&lineage.layer, *child)).or_default().extend(&lineage.parents);
        }
    }
    let changes = done.edit.changes.iter().map(|change| {
        let (layer, id) = change.target();
        let (before, after) = (area_of(&done.before, layer, id), area_of(&done.after, layer, id));
        let operation = match (before.is_null(), after.is_null()) {
            (true, _) => "added",
            (_, true) => "removed",
            _ => "changed",
        };
        let own = parents.get(&(layer, id)).cloned().unwrap_or_default();
        json!({
            "layer": layer, "id": id, "operation": operation, "version": done.seq, "before": before, "after": after,
            "parents": own,
        })
    });
    let document = json!({
        "seq": done.seq,
        "dryRun": done.seq.is_none(),
        "note": done.edit.note,
        "author": done.edit.author,
        "changes": changes.collect::<Vec<_>>(),
        "findings": [],
    });
    let mut response = JSON.json(&document)?;
    if let Some(seq) = done.seq {
        *response.status_mut() = StatusCode::CREATED;
        if let Ok(place) = HeaderValue::from_str(&state.link(&format!("/changes/{seq}"))) {
            response.headers_mut().insert(header::LOCATION, place);
        }
    }
    Ok(response)
}

/// The areas of a feature of a picture; null where it is not there.
fn area_of(catalog: &Arc<Catalog>, layer: &LayerId, id: i64) -> Value {
    let found = |catalog: &Arc<Catalog>| -> Option<(Arc<crate::catalog::LayerState>, Row)> {
        let state = catalog.layer(layer.as_str())?;
        Some((Arc::clone(state), state.table().row_of(id)?))
    };
    let Some((state, row)) = found(catalog) else { return Value::Null };
    let hundredths = state.table().area(row, Basis::Ellipsoidal).map(crate::ground::units::Area::hundredths_m2);
    json!({
        "area_m2": hundredths.map(|hundredths| hundredths as f64 / 100.0),
        "area_mu": hundredths.map(|hundredths| hundredths as f64 * 15.0 / 1e6),
    })
}

/// The answer where a way back is closed.
fn refusal(error: PlannerError) -> ApiError {
    match (&error, error.class()) {
        (_, ErrorClass::Conflict | ErrorClass::InvalidData) => ApiError::conflict(error.to_string()),
        (PlannerError::Past(PastError::NotYet { .. }), _) | (_, ErrorClass::NotFound) => {
            ApiError::not_found(error.to_string())
        }
        (_, ErrorClass::Usage) => ApiError::bad_parameter("body", "bad-body", error.to_string()),
        _ => ApiError::internal(error),
    }
}
