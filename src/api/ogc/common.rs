//! OGC API - Common (19-072) and the part of OGC API - Features (17-069r4) that describes: landing page,
//! conformance, collections.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::{catalog::LayerState, domain::calendar};

use super::{editing, features, schema, styles, tile_sets, tiles};

use super::super::{
    AppState,
    collection::{Collection, path_of},
    crs::{self, CRS84, STORED},
    embed,
    error::ApiError,
    html::{self, LANG, View},
    negotiate::{F_READABLE, HTML, JSON, Representation},
    picture::DATETIME,
    query::{Asked, Parameter, Query},
    spatial::FILTERING,
};

/// What this module earns; the others' classes stand beside them.
const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/html",
];

/// What the documents of this module can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];
/// The calendar of moments.
const GREGORIAN: &str = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian";
/// Parameters of a document that people read too.
pub(in super::super) const READABLE: &[Parameter] = &[F_READABLE, LANG];
/// Parameters of a document that people read too and that was another in the past.
pub(in super::super) const READABLE_THEN: &[Parameter] = &[F_READABLE, LANG, DATETIME];

/// The moment of a query, for links that shall lead to the same one.
pub(in super::super) fn then(query: &Query) -> String {
    query.value(DATETIME.name).map_or_else(String::new, |given| {
        let given = percent_encoding::utf8_percent_encode(given, percent_encoding::NON_ALPHANUMERIC);
        format!("?{}={given}", DATETIME.name)
    })
}

/// `GET /`: the page for browsers, the landing page of the API for everyone else.
pub(in super::super) async fn read_landing(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (_, wanted) = asked.plainly(&[F_READABLE], OFFERED)?;
    if *wanted == HTML {
        let mut page = embed::page()?;
        page.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        return Ok(page);
    }
    let link = |rel: &str, path: &str, kind: &str, title: &str| json!({ "rel": rel, "href": state.link(path), "type": kind, "title": title });
    let landing = json!({
        "title": "亩图 Mutu",
        "description": "Land use and industrial parks of a county: parcels, parks, belts, control lines and their ledgers",
        "links": [
            link("self", "/?f=json", "application/json", "this document"),
            link("service-desc", "/api", "application/vnd.oai.openapi+json;version=3.0", "the API definition"),
            link("alternate", "/?f=html", "text/html", "the map"),
            link("service-doc", "/api?f=html", "text/html", "the API definition, to be read"),
            link("conformance", "/conformance", "application/json", "conformance classes"),
            link("data", "/collections", "application/json", "the layers"),
            link("http://www.opengis.net/def/rel/ogc/1.0/conformance", "/conformance", "application/json",
                 "conformance classes"),
            link("http://www.opengis.net/def/rel/ogc/1.0/data", "/collections", "application/json", "the layers"),
            link("http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", "/tileMatrixSets", "application/json",
                 "tile matrix sets"),
            link("http://www.opengis.net/def/rel/ogc/1.0/styles", "/styles", "application/json", "MapLibre styles"),
        ],
    });
    wanted.json(&landing)
}

/// `GET /conformance`.
pub(in super::super) async fn read_conformance(
    State(state): State<AppState>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let classes =
        [CONFORMANCE, features::CONFORMANCE, editing::CONFORMANCE, schema::CONFORMANCE, tiles::CONFORMANCE, FILTERING]
            .concat();
    let document = json!({ "conformsTo": classes });
    if *wanted == HTML {
        return Ok(html::conformance_page(&View::new(&state, &asked, &query, lang), &document, OFFERED));
    }
    wanted.json(&document)
}

/// `GET /collections`.
pub(in super::super) async fn list_collections(
    State(state): State<AppState>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE_THEN, OFFERED)?;
    let catalog = state.picture(&asked).await?;
    if *wanted == HTML {
        return Ok(html::collections_page(&View::new(&state, &asked, &query, lang), &catalog, OFFERED));
    }
    let (then, begun) = (then(&query), state.records_begin(&catalog).await?);
    let collections = catalog.layers().map(|layer| describe(&state, layer, &then, begun.get(&layer.layer().id)));
    let collections: Vec<Value> = collections.collect();
    let links = json!([
        { "rel": "self", "href": state.link(&format!("/collections{then}")), "type": "application/json" },
        { "rel": "alternate", "href": state.link(&with_format("/collections", "html", &then)), "type": "text/html" },
    ]);
    wanted.json(&json!({ "links": links, "collections": collections }))
}

/// `GET /collections/{layer}`.
pub(in super::super) async fn read_collection(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE_THEN, OFFERED)?;
    let collection = Collection::find(&state, &asked, &layer).await?;
    if *wanted == HTML {
        return Ok(html::collection_page(&View::new(&state, &asked, &query, lang), &collection, OFFERED));
    }
    let begun = state.records_begin(&collection.catalog).await?;
    wanted.json(&describe(&state, &collection.state, &then(&query), begun.get(&collection.state.layer().id)))
}

/// A link to a representation, at the moment that `then` says.
fn with_format(path: &str, f: &str, then: &str) -> String {
    format!("{path}?f={f}{}", then.replacen('?', "&", 1))
}

/// What there is to know about a layer. `begun` is the moment from which on its record tells of it.
fn describe(state: &AppState, layer_state: &LayerState, then: &str, begun: Option<&i64>) -> Value {
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
        "crs": crs::offered(layer_state),
        "storageCrs": STORED,
        "links": [
            link("self", &format!("{path}{then}"), "application/json"),
            link("alternate", &with_format(&path, "html", then), "text/html"),
            link("items", &format!("{path}/items{then}"), "application/geo+json"),
            link("items", &with_format(&format!("{path}/items"), "html", then), "text/html"),
            link("http://www.opengis.net/def/rel/ogc/1.0/schema", &format!("{path}/schema{then}"), "application/schema+json"),
            link("http://www.opengis.net/def/rel/ogc/1.0/queryables", &format!("{path}/queryables{then}"),
                 "application/schema+json"),
            link("http://www.opengis.net/def/rel/ogc/1.0/sortables", &format!("{path}/sortables{then}"),
                 "application/schema+json"),
            link("statistics", &format!("{path}/statistics{then}"), "application/json"),
            link("enclosure", &with_format(&format!("{path}/export"), "geopackage", then), "application/geopackage+sqlite3"),
        ],
    });
    if let Some(links) = described["links"].as_array_mut().filter(|_| tile_sets::has_tiles(layer)) {
        links.push(link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            &format!("{path}/tiles{then}"),
            "application/json",
        ));
        links.push(link("stylesheet", &styles::path_of(layer.id.as_str()), styles::MEDIA_TYPE));
    }
    if let Some(extent) = layer_state.extent() {
        // Outwards to 1e-7 degree (1 cm), which is what clients carry on: the box as they repeat it still holds everything.
        let (down, up) = (|v: f64| (v * 1e7).floor() / 1e7, |v: f64| (v * 1e7).ceil() / 1e7);
        let bbox = [down(extent.min.x), down(extent.min.y), up(extent.max.x), up(extent.max.y)];
        described["extent"]["spatial"] = json!({ "bbox": [bbox], "crs": CRS84 });
    }
    if let Some(begun) = begun {
        // What `datetime` may be: the record's time, which goes on.
        described["extent"]["temporal"] =
            json!({ "interval": [[calendar::date_time_text(*begun), null]], "trs": GREGORIAN });
    }
    described
}
