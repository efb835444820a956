//! The schema of a layer as JSON Schema, with Chinese and English titles, units and code lists.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::domain::{
    layer::{GeometryClass, Layer},
    schema::{Derived, Field, FieldType},
};

use super::{
    super::{
        AppState,
        collection::Collection,
        error::ApiError,
        html::{self, View},
        negotiate::{HTML, Representation, SCHEMA},
        query::Asked,
    },
    common::READABLE,
};

/// What this module earns (OGC 23-058r1).
pub(super) const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/returnables-and-receivables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/sortables",
];

/// What schemas can be written as.
const OFFERED: &[Representation] = &[SCHEMA, HTML];

/// `GET /collections/{layer}/schema`.
pub(in super::super) async fn read_schema(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let collection = Collection::find(&state, &layer)?;
    let id = state.link(&format!("{}/schema", collection.path()));
    let schema = schema_of(collection.state.layer(), &id);
    let view = View::new(&state, &asked, &query, lang);
    write(wanted, &view, &collection, ("schema", &schema))
}

/// `GET /collections/{layer}/queryables`: what filters may name.
pub(in super::super) async fn read_queryables(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let collection = Collection::find(&state, &layer)?;
    let id = state.link(&format!("{}/queryables", collection.path()));
    let mut queryables = schema_of(collection.state.layer(), &id);
    // Filters on what is not here are errors, never ignored.
    if let Some(properties) = queryables["properties"].as_object_mut() {
        let id =
            json!({ "title": "编号", "x-title-en": "Id", "type": "integer", "x-ogc-role": "id", "readOnly": true });
        properties.entry("id").or_insert(id);
    }
    queryables["additionalProperties"] = Value::Bool(false);
    let view = View::new(&state, &asked, &query, lang);
    write(wanted, &view, &collection, ("queryables", &queryables))
}

/// `GET /collections/{layer}/sortables`: what `sortby` may name.
pub(in super::super) async fn read_sortables(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let collection = Collection::find(&state, &layer)?;
    let id = state.link(&format!("{}/sortables", collection.path()));
    let mut sortables = schema_of(collection.state.layer(), &id);
    if let Some(properties) = sortables["properties"].as_object_mut() {
        properties.retain(|_, property| property.get("x-ogc-role").is_none());
    }
    sortables["additionalProperties"] = Value::Bool(false);
    let view = View::new(&state, &asked, &query, lang);
    write(wanted, &view, &collection, ("sortables", &sortables))
}

/// A schema as it is wanted; `named` is its place in the path and itself.
fn write(
    wanted: &Representation,
    view: &View,
    collection: &Collection,
    named: (&str, &Value),
) -> Result<Response, ApiError> {
    if *wanted == HTML {
        return Ok(html::schema_page(view, collection, named, OFFERED));
    }
    wanted.json(named.1)
}

fn schema_of(layer: &Layer, id: &str) -> Value {
    let mut properties = Map::new();
    if layer.geometry != GeometryClass::None {
        properties.insert("geometry".to_owned(), geometry_of(layer.geometry));
    }
    for (position, field) in layer.schema.fields.iter().enumerate() {
        properties.insert(field.name.clone(), property_of(field, position + 1));
    }
    if layer.geometry.has_areas() {
        for derived in Derived::ALL {
            let (title, title_en) = derived.titles();
            let property = json!({ "title": title, "x-title-en": title_en, "type": "number", "readOnly": true });
            properties.insert(derived.name().to_owned(), property);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": id,
        "type": "object",
        "title": layer.title,
        "x-title-en": layer.title_en,
        "properties": properties,
    })
}

fn geometry_of(class: GeometryClass) -> Value {
    let format = match class {
        GeometryClass::Point => "geometry-point-or-multipoint",
        GeometryClass::Line => "geometry-linestring-or-multilinestring",
        GeometryClass::Surface => "geometry-polygon-or-multipolygon",
        GeometryClass::Mixed | GeometryClass::None => "geometry-any",
    };
    json!({ "format": format, "x-ogc-role": "primary-geometry" })
}

fn property_of(field: &Field, position: usize) -> Value {
    let title = if field.title.is_empty() { &field.name } else { &field.title };
    let title_en = if field.title_en.is_empty() { &field.name } else { &field.title_en };
    let (kind, format) = match field.kind {
        FieldType::Boolean => ("boolean", None),
        FieldType::Integer => ("integer", None),
        FieldType::Real => ("number", None),
        FieldType::Text => ("string", None),
        FieldType::Date => ("string", Some("date")),
        FieldType::DateTime => ("string", Some("date-time")),
    };
    let mut property = json!({ "title": title, "x-title-en": title_en, "type": kind, "x-ogc-propertySeq": position });
    if let Some(format) = format {
        property["format"] = json!(format);
    }
    if let Some(unit) = &field.unit {
        property["x-unit"] = json!(unit);
    }
    if !field.codes.is_empty() {
        let code = |code: &crate::domain::schema::Code| {
            let mut entry = json!({ "const": code.value, "title": code.title, "x-title-en": code.title_en });
            if let Some(color) = &code.color {
                entry["x-color"] = json!(color);
            }
            entry
        };
        property["oneOf"] = field.codes.iter().map(code).collect();
    }
    property
}
