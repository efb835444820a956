//! OGC API - Common (19-072) and the part of OGC API - Features (17-069r4) that describes: landing page,
//! conformance, collections.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::catalog::LayerState;

use super::super::{
    AppState,
    collection::{Collection, path_of},
    embed,
    error::ApiError,
    query::{Parameter, Query},
};

/// The CRS of GeoJSON answers.
const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// What is true of this server, each class beside the module that earns it.
const CONFORMANCE: [&str; 6] = [
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
];

/// `f`, which every resource that has one representation takes.
pub(in super::super) const F: Parameter = Parameter {
    name: "f",
    about: "The representation; this resource has json.",
    schema: r#"{"type":"string","enum":["json"]}"#,
};

/// Refuses a representation that does not exist.
pub(in super::super) fn check_f(query: &Query) -> Result<(), ApiError> {
    match query.value("f") {
        None | Some("json") => Ok(()),
        Some(other) => Err(ApiError::bad_parameter(
            "f",
            "bad-value",
            format!("parameter \"f\" = {other:?}: this resource has json"),
        )),
    }
}

/// `GET /`: the page for browsers, the landing page of the API for everyone else.
pub(in super::super) async fn read_landing(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &[F], |_| false)?;
    check_f(&query)?;
    if query.value("f").is_none() && embed::prefers_html(&headers) {
        return embed::page();
    }
    let link = |rel: &str, path: &str, kind: &str, title: &str| json!({ "rel": rel, "href": state.link(path), "type": kind, "title": title });
    let landing = json!({
        "title": "亩图 Mutu",
        "description": "Land use and industrial parks of a county: parcels, parks, belts, control lines and their ledgers",
        "links": [
            link("self", "/?f=json", "application/json", "this document"),
            link("service-desc", "/api", "application/vnd.oai.openapi+json;version=3.0", "the API definition"),
            link("service-doc", "/", "text/html", "the map"),
            link("conformance", "/conformance", "application/json", "conformance classes"),
            link("data", "/collections", "application/json", "the layers"),
            link("http://www.opengis.net/def/rel/ogc/1.0/conformance", "/conformance", "application/json",
                 "conformance classes"),
            link("http://www.opengis.net/def/rel/ogc/1.0/data", "/collections", "application/json", "the layers"),
        ],
    });
    Ok(Json(landing).into_response())
}

/// `GET /conformance`.
pub(in super::super) async fn read_conformance(uri: Uri) -> Result<Json<Value>, ApiError> {
    check_f(&Query::read(&uri, &[F], |_| false)?)?;
    Ok(Json(json!({ "conformsTo": CONFORMANCE })))
}

/// `GET /collections`.
pub(in super::super) async fn list_collections(
    State(state): State<AppState>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    check_f(&Query::read(&uri, &[F], |_| false)?)?;
    let catalog = state.planner.read();
    let collections: Vec<Value> = catalog.layers().map(|layer| describe(&state, layer)).collect();
    let links = json!([{ "rel": "self", "href": state.link("/collections"), "type": "application/json" }]);
    Ok(Json(json!({ "links": links, "collections": collections })))
}

/// `GET /collections/{layer}`.
pub(in super::super) async fn read_collection(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    check_f(&Query::read(&uri, &[F], |_| false)?)?;
    let collection = Collection::find(&state, &layer)?;
    Ok(Json(describe(&state, &collection.state)))
}

fn describe(state: &AppState, layer_state: &LayerState) -> Value {
    let layer = layer_state.layer();
    let path = path_of(layer.id.as_str());
    let link = |rel: &str, path: &str, kind: &str| json!({ "rel": rel, "href": state.link(path), "type": kind });
    let mut described = json!({
        "id": layer.id,
        "title": layer.title,
        "title_en": layer.title_en,
        "description": layer.description,
        "provenance": layer.provenance,
        "geometry": layer.geometry,
        "grid": layer.grid,
        "itemType": "feature",
        "itemCount": layer_state.table().len(),
        "crs": [CRS84],
        "links": [
            link("self", &path, "application/json"),
            link("items", &format!("{path}/items"), "application/geo+json"),
            link("http://www.opengis.net/def/rel/ogc/1.0/schema", &format!("{path}/schema"), "application/schema+json"),
            link("statistics", &format!("{path}/statistics"), "application/json"),
        ],
    });
    if let Some(extent) = layer_state.extent() {
        let bbox = [extent.min.x, extent.min.y, extent.max.x, extent.max.y];
        described["extent"] = json!({ "spatial": { "bbox": [bbox], "crs": CRS84 } });
    }
    described
}
