//! The API definition (OpenAPI 3.0.3), built from the very parameter lists that requests are checked against.

use axum::{extract::State, response::Response};
use serde_json::{Map, Value, json};

use crate::domain::tile_matrix::TileMatrixSet;

use super::{
    AppState,
    changes::{CHANGE_PARAMETERS, FEED_PARAMETERS},
    difference::DIFFERENCE_PARAMETERS,
    error::ApiError,
    export::{EXPORT_PARAMETERS, FILES},
    html::{self, View},
    negotiate::{F_READABLE, HTML, OPENAPI, Representation},
    ogc::{
        common::READABLE,
        features::{ITEM_PARAMETERS, ITEMS_PARAMETERS},
        styles::STYLE_PARAMETERS,
        tile_sets::{TILE_SET_PARAMETERS, TILEJSON_PARAMETERS},
        tiles::TILE_PARAMETERS,
    },
    openapi_people, openapi_writing,
    query::{Asked, Parameter},
    restoring::RESTORING_PARAMETERS,
    statistics::STATISTICS_PARAMETERS,
};

/// What the definition can be written as.
const OFFERED: &[Representation] = &[OPENAPI, HTML];

/// `GET /api`.
pub(super) async fn read_api(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let definition = definition(&state.config.base_url, state.gate.is_some());
    if *wanted == HTML {
        return Ok(html::definition_page(&View::new(&state, &asked, &query, lang), &definition, OFFERED));
    }
    wanted.json(&definition)
}

/// One path with its GET.
struct Operation {
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answer: (&'static str, &'static str),
    /// Whether any property of the layer may stand as a parameter.
    properties: bool,
}

const JSON: &str = "application/json";
const GEOJSON: &str = "application/geo+json";

const OPERATIONS: &[Operation] = &[
    Operation {
        // The page at the root is the map, which keeps its language itself.
        parameters: &[F_READABLE],
        ..plain("/", "readLanding", "common", "The landing page; for browsers the map", "object")
    },
    plain("/conformance", "readConformance", "common", "Conformance classes", "conformance"),
    plain("/api", "readApi", "common", "This document", "object"),
    plain("/collections", "listCollections", "common", "The layers", "collections"),
    plain("/collections/{layer}", "readCollection", "common", "A layer", "collection"),
    json_schema("/collections/{layer}/schema", "readSchema", "The schema of a layer"),
    json_schema("/collections/{layer}/queryables", "readQueryables", "What filters may name"),
    json_schema("/collections/{layer}/sortables", "readSortables", "What sortby may name"),
    Operation {
        path: "/collections/{layer}/items",
        id: "listItems",
        tag: "features",
        summary: "Features of a layer",
        parameters: ITEMS_PARAMETERS,
        answer: (GEOJSON, "featureCollection"),
        properties: true,
    },
    Operation {
        path: "/collections/{layer}/items/{id}",
        id: "readItem",
        tag: "features",
        summary: "A feature",
        parameters: ITEM_PARAMETERS,
        answer: (GEOJSON, "feature"),
        properties: false,
    },
    plain("/tileMatrixSets", "getTileMatrixSetsList", "tiles", "How planes are divided into tiles", "object"),
    plain("/tileMatrixSets/{set}", "getTileMatrixSet", "tiles", "A tile matrix set", "object"),
    plain(
        "/collections/{layer}/tiles",
        "layer.collection.vector.getTileSetsList",
        "tiles",
        "The tile sets of a layer",
        "object",
    ),
    Operation {
        path: "/collections/{layer}/tiles/{set}",
        id: "layer.collection.vector.getTileSet",
        tag: "tiles",
        summary: "A tile set: limits, properties, how tiles are kept small",
        parameters: TILE_SET_PARAMETERS,
        answer: (JSON, "object"),
        properties: true,
    },
    Operation {
        path: "/collections/{layer}/tiles/{set}/tilejson.json",
        id: "readTileJson",
        tag: "tiles",
        summary: "A tile set as TileJSON 3.0",
        parameters: TILEJSON_PARAMETERS,
        answer: (JSON, "object"),
        properties: true,
    },
    Operation {
        path: "/collections/{layer}/tiles/{set}/{tileMatrix}/{tileRow}/{tileCol}",
        id: "layer.collection.vector.getTile",
        tag: "tiles",
        summary: "A tile; empty where it has no feature",
        parameters: TILE_PARAMETERS,
        answer: ("application/vnd.mapbox-vector-tile", "bytes"),
        properties: true,
    },
    plain("/styles", "listStyles", "tiles", "MapLibre styles", "object"),
    Operation {
        path: "/styles/{style}",
        id: "readStyle",
        tag: "tiles",
        summary: "A MapLibre style in the colours of the plan",
        parameters: STYLE_PARAMETERS,
        answer: ("application/vnd.mapbox.style+json", "object"),
        properties: false,
    },
    Operation {
        path: "/collections/{layer}/export",
        id: "exportLayer",
        tag: "features",
        summary: "Features of a layer as a file: all that are selected, from one moment",
        parameters: EXPORT_PARAMETERS,
        answer: (GEOJSON, "featureCollection"),
        properties: true,
    },
    Operation {
        path: "/collections/{layer}/statistics",
        id: "readStatistics",
        tag: "statistics",
        summary: "Count and area by group; printed parts sum to the printed total",
        parameters: STATISTICS_PARAMETERS,
        answer: (JSON, "statistics"),
        properties: true,
    },
    Operation {
        path: "/changes",
        id: "listChanges",
        tag: "changes",
        summary: "What every edit and import did, in order; as server-sent events while it happens",
        parameters: FEED_PARAMETERS,
        answer: (JSON, "changes"),
        properties: false,
    },
    Operation {
        path: "/changes/{seq}",
        id: "readChange",
        tag: "changes",
        summary: "One change with its features as they were and as they became",
        parameters: CHANGE_PARAMETERS,
        answer: (JSON, "change"),
        properties: false,
    },
    Operation {
        tag: "changes",
        ..plain(
            "/collections/{layer}/items/{id}/history",
            "readHistory",
            "changes",
            "The versions of a feature: who, when, why, what changed, area before and after",
            "object",
        )
    },
    Operation {
        path: "/collections/{layer}/difference",
        id: "readDifference",
        tag: "changes",
        summary: "What differs between two moments: features added, removed, changed; land by class before and after",
        parameters: DIFFERENCE_PARAMETERS,
        answer: (JSON, "object"),
        properties: false,
    },
    plain("/outside", "readOutside", "changes", "What other programs did to the file and nobody has decided", "object"),
    plain(
        "/targets",
        "listTargets",
        "knowledge",
        "Targets of the founding documents and what is measured against them",
        "object",
    ),
    plain("/facts", "listFacts", "knowledge", "Figures of the founding documents with their sources", "object"),
    Operation {
        parameters: &[],
        ..plain("/health/ready", "readReady", "health", "Whether the server can answer", "object")
    },
];

const fn plain(
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    schema: &'static str,
) -> Operation {
    Operation { path, id, tag, summary, parameters: READABLE, answer: (JSON, schema), properties: false }
}

const fn json_schema(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let answer = ("application/schema+json", "object");
    Operation { path, id, tag: "features", summary, parameters: READABLE, answer, properties: false }
}

/// The groups of operations and what each is for.
const TAGS: [(&str, &str); 7] = [
    ("common", "What the server has and where: OGC API - Common"),
    ("features", "The features of a layer: OGC API - Features"),
    ("tiles", "Vector tiles of the layers and MapLibre styles that draw them (OGC API - Tiles, TileJSON)"),
    ("statistics", "Counts and areas of a layer, by group"),
    ("changes", "What was changed: who, when, why and what"),
    ("knowledge", "Targets and figures of the founding documents, with their sources"),
    ("health", "Whether the server can answer"),
];

/// The whole document for a base URL.
fn definition(base_url: &str, has_people: bool) -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        paths.insert(operation.path.to_owned(), json!({ "get": describe(operation) }));
    }
    paths.extend(way_back());
    paths["/outside"]["post"] = decide_outside();
    openapi_writing::add_to(&mut paths);
    let mut schemas = schemas();
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.extend(openapi_writing::schemas());
    }
    let tags = TAGS.map(|(name, about)| json!({ "name": name, "description": about }));
    let mut definition = json!({
        "openapi": "3.0.3",
        "info": {
            "title": "亩图 Mutu",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Land use and industrial parks: layers, features, statistics. Unknown parameters are errors.",
            "license": { "name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/MIT.html" },
        },
        "servers": [{ "url": base_url }],
        "tags": tags,
        "security": [],
        "paths": paths,
        "components": { "schemas": schemas, "responses": { "Problem": problem() } },
    });
    if has_people {
        openapi_people::add_to(&mut definition);
    }
    definition
}

/// The operations that undo and restore.
fn way_back() -> Map<String, Value> {
    let note = json!({ "type": "string", "description": "Why, for the record" });
    let operation = |id: &str, summary: &str, place: (&str, &str), properties: Value| {
        let (name, kind) = place;
        // Undoing says all in its address.
        let is_needed = id != "undoChange";
        let mut parameters = vec![json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })];
        parameters.extend(RESTORING_PARAMETERS.iter().map(query_parameter));
        let done = json!({ "description": summary, "content": { JSON: { "schema": { "type": "object" } } } });
        let problem = json!({ "$ref": "#/components/responses/Problem" });
        let body = json!({ "type": "object", "additionalProperties": false, "properties": properties });
        json!({ "post": {
            "operationId": id, "tags": ["changes"], "summary": summary, "parameters": parameters,
            "requestBody": { "required": is_needed, "content": { JSON: { "schema": body } } },
            "responses": {
                "200": done, "201": done, "400": problem, "403": problem, "404": problem, "405": problem, "409": problem, "415": problem,
                "422": problem, "default": problem,
            },
        } })
    };
    let undo = operation(
        "undoChange",
        "Take an edit back by a new one, where nobody has changed its features since",
        ("seq", "integer"),
        json!({ "note": note }),
    );
    let restore = operation(
        "restoreLayer",
        "Make a feature, or without id the whole layer, again as it was at a moment or after a number, by a new edit",
        ("layer", "string"),
        json!({
            "datetime": { "type": "string" }, "seq": { "type": "integer", "minimum": 0 }, "id": { "type": "integer" }, "note": note,
        }),
    );
    let paths = [("/changes/{seq}/undo", undo), ("/collections/{layer}/restore", restore)];
    paths.into_iter().map(|(path, operation)| (path.to_owned(), operation)).collect()
}

/// The operation that takes in, or puts back, what other programs did to the file.
fn decide_outside() -> Value {
    let summary = "Take what other programs did in as an edit, or put back what was before";
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let texts = |item: &str, about: &str| json!({ "type": "array", "items": { "type": item }, "description": about });
    let body = json!({
        "type": "object", "required": ["do"], "additionalProperties": false,
        "properties": {
            "do": { "type": "string", "enum": ["take", "refuse"] },
            "note": { "type": "string", "description": "Why, for the record" },
            "layers": texts("string", "Of which layers; all where not given"),
            "ids": texts("integer", "Which features of the one layer that is given; all where not given"),
        },
    });
    let settled = json!({
        "type": "object", "required": ["seq", "taken", "refused", "left"],
        "properties": {
            "seq": { "type": "integer", "format": "int64", "nullable": true },
            "taken": { "type": "integer" }, "refused": { "type": "integer" },
            "left": { "type": "array", "items": { "type": "object" } },
        },
    });
    json!({
        "operationId": "decideOutside", "tags": ["changes"], "summary": summary,
        "requestBody": { "required": true, "content": { JSON: { "schema": body } } },
        "responses": {
            "200": { "description": summary, "content": { JSON: { "schema": settled } } },
            "400": problem, "403": problem, "404": problem, "409": problem, "415": problem, "default": problem,
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for name in ["layer", "id", "set", "tileMatrix", "tileRow", "tileCol", "style", "seq"] {
        if operation.path.contains(&format!("{{{name}}}")) {
            let kind = match name {
                "id" | "seq" => json!({ "type": "integer", "format": "int64" }),
                "tileMatrix" | "tileRow" | "tileCol" => json!({ "type": "integer", "minimum": 0 }),
                "set" => json!({ "type": "string", "enum": TileMatrixSet::ALL.map(TileMatrixSet::id) }),
                _ => json!({ "type": "string" }),
            };
            parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": kind }));
        }
    }
    parameters.extend(operation.parameters.iter().map(query_parameter));
    if operation.properties {
        parameters.push(json!({
            "name": "property", "in": "query", "required": false, "style": "form", "explode": true,
            "description": "Any property of the layer by its name: features whose value equals the given one.",
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        }));
    }
    let (media_type, schema) = operation.answer;
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    let mut responses = json!({
        "200": { "description": operation.summary, "content": { media_type: { "schema": reference } } },
        "default": { "$ref": "#/components/responses/Problem" },
    });
    if matches!(operation.id, "exportLayer" | "listItems") {
        for file in FILES {
            responses["200"]["content"][file.media_type] =
                json!({ "schema": { "type": "string", "format": "binary" } });
        }
        responses["503"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    if operation.id == "readApi" {
        responses["200"]["content"][OPENAPI.media_type] =
            json!({ "schema": { "$ref": "#/components/schemas/object" } });
    }
    if operation.id == "listChanges" {
        responses["200"]["content"]["text/event-stream"] =
            json!({ "schema": { "description": "Events with an id, to go on from, and data, as JSON" } });
        responses["503"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    let is_page = |parameter: &Parameter| parameter.name == "f" && parameter.schema.contains("\"html\"");
    if operation.parameters.iter().any(is_page) {
        responses["200"]["content"]["text/html"] = json!({ "schema": { "type": "string" } });
    }
    responses["400"] = json!({ "$ref": "#/components/responses/Problem" });
    if operation.path.contains('{') {
        responses["404"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    })
}

pub(super) fn query_parameter(parameter: &Parameter) -> Value {
    let schema: Value = serde_json::from_str(parameter.schema).unwrap_or(Value::Null);
    // Not exploded, whatever the type: so OGC 17-069r4 wants limit, bbox and datetime declared.
    json!({
        "name": parameter.name, "in": "query", "required": false, "description": parameter.about,
        "style": "form", "explode": false, "schema": schema,
    })
}

fn problem() -> Value {
    json!({
        "description": "What is wrong, as RFC 9457 has it; a page for a client that asks for HTML",
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/problem" } },
            "text/html": { "schema": { "type": "string" } },
        },
    })
}

fn schemas() -> Value {
    let mut all = json!({
        "object": { "type": "object" },
        "bytes": { "type": "string", "format": "binary" },
        "conformance": {
            "type": "object", "required": ["conformsTo"],
            "properties": { "conformsTo": { "type": "array", "items": { "type": "string" } } },
        },
        "link": {
            "type": "object", "required": ["href", "rel"],
            "properties": {
                "href": { "type": "string" }, "rel": { "type": "string" },
                "type": { "type": "string" }, "title": { "type": "string" },
            },
        },
        "links": { "type": "array", "items": { "$ref": "#/components/schemas/link" } },
        "collection": {
            "type": "object", "required": ["id", "links"],
            "properties": {
                "id": { "type": "string" }, "title": { "type": "string" }, "title_en": { "type": "string" },
                "description": { "type": "string" }, "itemCount": { "type": "integer" },
                "provenance": { "type": "string", "enum": ["real", "approximate", "synthetic", "imported"] },
                "geometry": { "type": "string", "enum": ["point", "line", "surface", "mixed", "none"] },
                "grid": { "type": "string" }, "itemType": { "type": "string" },
                "crs": { "type": "array", "items": { "type": "string" } },
                "extent": { "type": "object" }, "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "collections": {
            "type": "object", "required": ["collections", "links"],
            "properties": {
                "collections": { "type": "array", "items": { "$ref": "#/components/schemas/collection" } },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "geometry": {
            "type": "object", "nullable": true, "required": ["type", "coordinates"],
            "properties": {
                "type": { "type": "string", "enum":
                    ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"] },
                "coordinates": { "type": "array", "items": {} },
            },
        },
        "feature": {
            "type": "object", "required": ["type", "geometry", "properties"],
            "properties": {
                "type": { "type": "string", "enum": ["Feature"] },
                "id": { "type": "integer", "format": "int64" },
                "geometry": { "$ref": "#/components/schemas/geometry" },
                "properties": { "type": "object" },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "featureCollection": {
            "type": "object", "required": ["type", "features"],
            "properties": {
                "type": { "type": "string", "enum": ["FeatureCollection"] },
                "features": { "type": "array", "items": { "$ref": "#/components/schemas/feature" } },
                "numberMatched": { "type": "integer" }, "numberReturned": { "type": "integer" },
                "timeStamp": { "type": "string", "format": "date-time" },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "statistics": {
            "type": "object", "required": ["layer", "basis", "unit", "groups", "total"],
            "properties": {
                "layer": { "type": "string" }, "basis": { "type": "string", "enum": ["ellipsoidal", "planar"] },
                "unit": { "type": "string", "enum": ["m2", "ha", "mu", "km2"] },
                "decimals": { "type": "integer" }, "asOf": { "type": "string", "format": "date-time" },
                "definition": { "type": "object" },
                "groups": { "type": "array", "items": {
                    "type": "object", "required": ["key", "count", "area"],
                    "properties": { "key": { "type": "object" }, "count": { "type": "integer" },
                                    "area": { "type": "number" }, "share": { "type": "number", "nullable": true } },
                } },
                "total": { "type": "object", "required": ["count", "area"],
                           "properties": { "count": { "type": "integer" }, "area": { "type": "number" } } },
                "overlap": { "type": "object" },
            },
        },
        "problem": {
            "type": "object", "required": ["type", "title", "status", "code", "detail", "request_id"],
            "properties": {
                "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                "code": { "type": "string" }, "detail": { "type": "string" }, "parameter": { "type": "string" },
                "request_id": { "type": "string" },
                "findings": { "type": "array", "items": { "type": "object" } },
                "conflicts": { "type": "array", "items": { "type": "object" } },
                "etag": { "type": "string", "nullable": true }, "current": { "type": "object", "nullable": true },
            },
        },
    });
    if let (Some(all), Value::Object(changes)) = (all.as_object_mut(), change_schemas()) {
        all.extend(changes);
    }
    all
}

fn change_schemas() -> Value {
    json!({
        "changes": {
            "type": "object", "required": ["changes", "head", "links"],
            "properties": {
                "changes": { "type": "array", "items": { "$ref": "#/components/schemas/change" } },
                "head": { "type": "integer", "format": "int64" },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "change": {
            "type": "object", "required": ["seq", "at", "author", "note", "kind", "layers"],
            "properties": {
                "seq": { "type": "integer", "format": "int64" },
                "at": { "type": "string", "format": "date-time" },
                "author": { "type": "string" }, "note": { "type": "string" }, "kind": { "type": "string" },
                "hash": { "type": "string", "nullable": true },
                "layers": { "type": "array", "items": {
                    "type": "object", "required": ["id", "added", "changed", "removed", "bbox", "whole"],
                    "properties": {
                        "id": { "type": "string" }, "added": { "type": "integer", "nullable": true },
                        "changed": { "type": "integer", "nullable": true },
                        "removed": { "type": "integer", "nullable": true },
                        "bbox": { "type": "array", "nullable": true, "minItems": 4, "maxItems": 4,
                                  "items": { "type": "number" } },
                        "whole": { "type": "boolean" },
                    },
                } },
                "features": { "type": "array", "items": {
                    "type": "object", "required": ["layer", "id", "operation", "before", "after"],
                    "properties": {
                        "layer": { "type": "string" }, "id": { "type": "integer", "format": "int64" },
                        "operation": { "type": "string", "enum": ["added", "changed", "removed", "dropped"] },
                        "before": { "type": "object", "nullable": true },
                        "after": { "type": "object", "nullable": true },
                        "parents": { "type": "array", "items": { "type": "integer", "format": "int64" } },
                        "children": { "type": "array", "items": { "type": "integer", "format": "int64" } },
                    },
                } },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
    })
}
