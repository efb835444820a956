//! The history of one feature: its versions, newest first, with who, when, why, what changed, and areas before and after.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    domain::{
        calendar,
        feature::{Feature, ValueRef},
        geojson::write_value,
        layer::Layer,
    },
    ground::units::Area,
    planner::Version,
};

use super::{
    AppState,
    collection::Collection,
    error::ApiError,
    html::{self, View},
    negotiate::{HTML, JSON, Representation},
    ogc::{common::READABLE, features::canonical_id},
    picture::refusal,
    query::Asked,
    sight::Sight,
};

/// What a history can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];

/// `GET /collections/{layer}/items/{id}/history`.
pub(super) async fn read_history(
    State(state): State<AppState>,
    Path((layer, id)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let collection = Collection::find(&state, &asked, &layer).await?;
    let none = || ApiError::not_found(format!("layer {layer} has and had no feature {id:?}"));
    let number = canonical_id(&id).ok_or_else(none)?;
    let (planner, sight, name) = (Arc::clone(&state.planner), Sight::of(&asked.access), layer.clone());
    let everything = sight.is_everything();
    let read = move || {
        let shows = |layer: &Layer, feature: &Feature| sight.shows_feature(layer, feature);
        planner.story(&name, number, &shows).map_err(refusal)
    };
    let mut versions = state.heavy(read).await?;
    if !everything {
        // What was compacted away was of nobody knows which rows: what cannot be decided is not shown.
        versions.retain(|version| version.kept);
    }
    // Who sees only some features learns of relatives among these alone.
    let table = collection.state.table();
    for version in &mut versions {
        let is_told = |id: &i64| everything || table.row_of(*id).is_some();
        version.parents.retain(is_told);
        version.children.retain(is_told);
    }
    if versions.is_empty() {
        return Err(none());
    }
    if *wanted == HTML {
        return Ok(html::history_page(&View::new(&state, &asked, &query, lang), &collection, number, &versions));
    }
    let item = format!("{}/items/{number}", collection.path());
    let link = |rel: &str, path: &str, kind: &str| json!({ "rel": rel, "href": state.link(path), "type": kind });
    wanted.json(&json!({
        "layer": layer,
        "id": number,
        "versions": versions.iter().map(document_of).collect::<Vec<_>>(),
        "links": [
            link("self", &format!("{item}/history"), "application/json"),
            link("alternate", &format!("{item}/history?f=html"), "text/html"),
            link("item", &item, "application/geo+json"),
            link("collection", &collection.path(), "application/json"),
        ],
    }))
}

fn document_of(version: &Version) -> Value {
    let differences = version.differences.iter().map(|(property, before, after)| {
        json!({ "property": property, "before": value_of(before.view()), "after": value_of(after.view()) })
    });
    let mut document = json!({
        "version": version.made.seq,
        "at": calendar::date_time_text(version.made.at),
        "author": version.made.author,
        "note": version.made.note,
        "kind": version.made.kind,
        "operation": version.operation,
        "area_m2": { "before": square_metres(version.area.0), "after": square_metres(version.area.1) },
        "geometryChanged": version.geometry_changed,
        "differences": differences.collect::<Vec<_>>(),
        "parents": version.parents,
        "children": version.children,
    });
    if !version.kept {
        // The record was compacted: that there was a change is known, what it was is not.
        document["kept"] = Value::Bool(false);
        for name in ["operation", "area_m2", "geometryChanged", "differences"] {
            document[name] = Value::Null;
        }
    }
    document
}

/// Hundredths of a square metre are digits that a double of fewer than fifteen prints back.
fn square_metres(area: Option<Area>) -> Value {
    area.map_or(Value::Null, |area| json!(area.hundredths_m2() as f64 / 100.0))
}

/// A value as features have it.
fn value_of(value: ValueRef<'_>) -> Value {
    let mut out = Vec::new();
    write_value(&mut out, value);
    serde_json::from_slice(&out).unwrap_or(Value::Null)
}
