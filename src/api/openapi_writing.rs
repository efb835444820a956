//! The part of the API definition that writes: features one by one (OGC API - Features Part 4) and whole edits.

use serde_json::{Map, Value, json};

use super::{edits::EDIT_PARAMETERS, openapi::query_parameter};

const GEOJSON: &str = "application/geo+json";
const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// An operation that writes.
struct Writing {
    path: &'static str,
    method: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Media type and schema of the body, where it has one.
    body: Option<(&'static str, &'static str)>,
    /// Status, and whether the feature, or what the edit did, comes with it.
    answers: &'static [(&'static str, Option<(&'static str, &'static str)>)],
    /// Whether it is meant for one version of a feature.
    is_conditional: bool,
}

const ITEMS: &str = "/collections/{layer}/items";
const ITEM: &str = "/collections/{layer}/items/{id}";
const FEATURE: Option<(&str, &str)> = Some((GEOJSON, "feature"));

const WRITINGS: [Writing; 5] = [
    Writing {
        path: ITEMS,
        method: "post",
        id: "createItem",
        summary: "A new feature; its id is given by the server",
        body: Some((GEOJSON, "featureInput")),
        answers: &[("201", FEATURE)],
        is_conditional: false,
    },
    Writing {
        path: ITEM,
        method: "put",
        id: "replaceItem",
        summary: "The feature as a whole; what is not given is unset",
        body: Some((GEOJSON, "featureInput")),
        answers: &[("200", FEATURE), ("204", None)],
        is_conditional: true,
    },
    Writing {
        path: ITEM,
        method: "patch",
        id: "updateItem",
        summary: "Parts of the feature, as a JSON merge patch (RFC 7396); null unsets",
        body: Some((MERGE_PATCH, "featurePatch")),
        answers: &[("200", FEATURE), ("204", None)],
        is_conditional: true,
    },
    Writing {
        path: ITEM,
        method: "delete",
        id: "deleteItem",
        summary: "No more such feature; the record keeps it",
        body: None,
        answers: &[("204", None)],
        is_conditional: true,
    },
    Writing {
        path: "/changes",
        method: "post",
        id: "postChanges",
        summary: "A whole edit over any layers, all of it or nothing: puts, patches, deletes, splits and merges",
        body: Some((JSON, "edit")),
        answers: &[("200", Some((JSON, "editDone"))), ("201", Some((JSON, "editDone")))],
        is_conditional: false,
    },
];

/// Adds the operations that write to the paths of the document.
pub(super) fn add_to(paths: &mut Map<String, Value>) {
    for writing in &WRITINGS {
        if let Some(path) = paths.get_mut(writing.path) {
            path[writing.method] = describe(writing);
        }
    }
}

fn describe(writing: &Writing) -> Value {
    let path_parameter =
        |name: &str, schema: Value| json!({ "name": name, "in": "path", "required": true, "schema": schema });
    let header = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema });
    let mut parameters = Vec::new();
    if writing.path.contains("{layer}") {
        parameters.push(path_parameter("layer", json!({ "type": "string" })));
    }
    if writing.path.contains("{id}") {
        parameters.push(path_parameter("id", json!({ "type": "integer", "format": "int64" })));
    }
    if writing.is_conditional {
        let about = "The ETag of the feature as it was read, of any representation; without it 428. QGIS, which sends none, is \
                     held to the version that it was told.";
        parameters.push(header(
            "If-Match",
            about,
            json!({ "type": "string", "pattern": "^\"[0-9]{1,9}-[0-9a-f]{16}\"$" }),
        ));
    }
    if writing.body.is_some() {
        let about = "What the body's coordinates are in, one of the collection's crs, in its declared axis order; longitude and \
                     latitude where not given.";
        let schema = json!({ "type": "string", "enum": ["<http://www.opengis.net/def/crs/OGC/1.3/CRS84>",
                             "<http://www.opengis.net/def/crs/EPSG/0/4490>", "<http://www.opengis.net/def/crs/EPSG/0/4547>"] });
        parameters.push(header("Content-Crs", about, schema));
    }
    if writing.path == "/changes" {
        parameters.extend(EDIT_PARAMETERS.iter().map(query_parameter));
    } else {
        let note = json!({ "type": "string", "pattern": "^[\\t -~]*$" });
        parameters.push(header("Mutu-Note", "Why, as percent-encoded UTF-8.", note));
        let about = "return=minimal for an answer without the feature; other preferences are not known (RFC 7240).";
        parameters.push(header("Prefer", about, json!({ "type": "string", "example": "return=minimal" })));
    }
    let mut responses = Map::new();
    for (status, content) in writing.answers {
        let mut response = json!({ "description": writing.summary });
        if let Some((media_type, schema)) = content {
            let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
            response["content"] = json!({ *media_type: { "schema": reference } });
        }
        if *status == "201" {
            response["headers"] = json!({ "Location": { "schema": { "type": "string", "format": "uri" } } });
        }
        responses.insert((*status).to_owned(), response);
    }
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let mut refusals = vec!["400", "405", "408", "413", "415", "422", "default"];
    match writing.path {
        "/changes" => refusals.push("409"),
        _ => refusals.push("404"),
    }
    if writing.is_conditional {
        refusals.extend(["412", "428"]);
    }
    for status in refusals {
        responses.insert(status.to_owned(), problem.clone());
    }
    let mut described = json!({
        "operationId": writing.id, "tags": [if writing.path == "/changes" { "changes" } else { "features" }],
        "summary": writing.summary, "parameters": parameters, "responses": responses,
    });
    if let Some((media_type, schema)) = writing.body {
        let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
        described["requestBody"] = json!({ "required": true, "content": { media_type: { "schema": reference } } });
    }
    described
}

/// The schemas of what is sent and of what comes back.
pub(super) fn schemas() -> Map<String, Value> {
    let id = json!({ "type": "integer", "format": "int64" });
    let version = json!({ "type": "integer", "format": "int64", "nullable": true });
    let layer = json!({ "type": "string" });
    let change = |name: &str, required: &[&str], properties: Value| {
        json!({
            "type": "object", "required": [name], "additionalProperties": false,
            "properties": { name: {
                "type": "object", "required": required, "additionalProperties": false, "properties": properties,
            } },
        })
    };
    let geometry = json!({ "$ref": "#/components/schemas/geometry" });
    let feature = json!({ "$ref": "#/components/schemas/featureInput" });
    let schemas = json!({
        "featureInput": {
            "type": "object", "required": ["type", "geometry"], "additionalProperties": false,
            "description": "Properties are those of the collection's schema; read-only ones are let pass and not stored. The \
                            id and the links are let pass too.",
            "properties": {
                "type": { "type": "string", "enum": ["Feature"] }, "id": {},
                "geometry": geometry, "properties": { "type": "object", "nullable": true },
                "bbox": { "type": "array", "items": { "type": "number" } },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "featurePatch": {
            "type": "object", "additionalProperties": false,
            "properties": {
                "type": { "type": "string", "enum": ["Feature"] }, "id": {},
                "geometry": geometry, "properties": { "type": "object" },
                "bbox": { "type": "array", "items": { "type": "number" } },
                "links": { "$ref": "#/components/schemas/links" },
            },
        },
        "edit": {
            "type": "object", "required": ["changes"], "additionalProperties": false,
            "properties": {
                "note": { "type": "string", "maxLength": 4000 },
                "changes": { "type": "array", "minItems": 1, "items": { "oneOf": [
                    change("put", &["layer", "feature"], json!({ "layer": layer, "feature": feature, "version": version })),
                    change("patch", &["layer", "id", "version"], json!({
                        "layer": layer, "id": id, "version": id, "properties": { "type": "object" }, "geometry": geometry })),
                    change("delete", &["layer", "id", "version"], json!({ "layer": layer, "id": id, "version": id })),
                    change("split", &["layer", "id", "version", "line"], json!({
                        "layer": layer, "id": id, "version": id, "line": geometry })),
                    change("merge", &["layer", "ids", "versions"], json!({
                        "layer": layer, "ids": { "type": "array", "items": id, "minItems": 2 },
                        "versions": { "type": "array", "items": id, "minItems": 2 }, "into": version,
                        "multipart": { "type": "boolean", "default": false } })),
                ] } },
            },
        },
        "editDone": {
            "type": "object", "required": ["seq", "dryRun", "note", "author", "changes", "findings"],
            "properties": {
                "seq": version, "dryRun": { "type": "boolean" }, "note": { "type": "string" }, "author": { "type": "string" },
                "changes": { "type": "array", "items": {
                    "type": "object", "required": ["layer", "id", "operation", "version", "before", "after", "parents"],
                    "properties": {
                        "layer": layer, "id": id,
                        "operation": { "type": "string", "enum": ["added", "changed", "removed"] }, "version": version,
                        "before": { "$ref": "#/components/schemas/figures" }, "after": { "$ref": "#/components/schemas/figures" },
                        "parents": { "type": "array", "items": id },
                    },
                } },
                "findings": { "type": "array", "items": { "type": "object" } },
            },
        },
        "figures": {
            "type": "object", "nullable": true, "required": ["area_m2", "area_mu"],
            "properties": {
                "area_m2": { "type": "number", "nullable": true }, "area_mu": { "type": "number", "nullable": true },
            },
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
