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
    common::READABLE_THEN,
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

/// Which of a layer's schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// What features hold.
    Schema,
    /// What filters may name.
    Queryables,
    /// What `sortby` may name.
    Sortables,
}

/// `GET /collections/{layer}/schema`.
pub(in super::super) async fn read_schema(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    read(&state, &layer, &asked, Which::Schema).await
}

/// `GET /collections/{layer}/queryables`.
pub(in super::super) async fn read_queryables(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    read(&state, &layer, &asked, Which::Queryables).await
}

/// `GET /collections/{layer}/sortables`.
pub(in super::super) async fn read_sortables(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    read(&state, &layer, &asked, Which::Sortables).await
}

async fn read(state: &AppState, layer: &str, asked: &Asked, which: Which) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(asked, READABLE_THEN, OFFERED)?;
    let collection = Collection::find(state, asked, layer).await?;
    let name = match which {
        Which::Schema => "schema",
        Which::Queryables => "queryables",
        Which::Sortables => "sortables",
    };
    let id = state.link(&format!("{}/{name}", collection.path()));
    let mut document = document_of(collection.state.layer(), &id, which);
    let inside = collection.state.layer().rules.inside.as_ref();
    if inside.is_some_and(|rule| collection.catalog.layer(rule.layer.as_str()).is_none())
        && let Some(rules) = document.get_mut("x-rules").and_then(Value::as_object_mut)
    {
        // A layer that the one who asks may not read is not named.
        rules.remove("inside");
    }
    if *wanted == HTML {
        let view = View::new(state, asked, &query, lang);
        return Ok(html::schema_page(&view, &collection, (name, &document), OFFERED));
    }
    wanted.json(&document)
}

fn document_of(layer: &Layer, id: &str, which: Which) -> Value {
    let mut document = schema_of(layer, id);
    // What is not here is an error in a filter, an order or a feature, never ignored.
    document["additionalProperties"] = Value::Bool(false);
    if which == Which::Schema {
        let required = layer.schema.fields.iter().filter(|field| field.required);
        let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
        if !required.is_empty() {
            document["required"] = json!(required);
        }
        if !layer.rules.is_empty() {
            document["x-rules"] = json!(layer.rules);
        }
        return document;
    }
    if let Some(properties) = document["properties"].as_object_mut() {
        if which == Which::Sortables {
            properties.retain(|_, property| property.get("x-ogc-role").is_none());
        } else {
            let id =
                json!({ "title": "编号", "x-title-en": "Id", "type": "integer", "x-ogc-role": "id", "readOnly": true });
            properties.entry("id").or_insert(id);
        }
    }
    document
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
            // A stored column goes before a derived one of its name.
            properties.entry(derived.name()).or_insert(property);
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
    for (bound, name) in [(&field.minimum, "minimum"), (&field.maximum, "maximum")] {
        if let Some(bound) = bound {
            property[name] = json!(bound);
        }
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
