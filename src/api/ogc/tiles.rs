//! OGC API - Tiles (20-057): the tiles themselves, as Mapbox Vector Tile.
//!
//! A tile without features is an empty answer with status 200, not 204: the certificate suite counts anything else as
//! a failure within a layer's limits, a body of no bytes is a right vector tile, and `MapLibre` draws nothing for it.
//!
//! An edit shows at the next request (`no-cache`), and a tile that it did not touch is "unchanged": the tag is made
//! from the tile's bytes, which depend on its content alone.

use axum::{
    extract::{Path, State},
    http::{HeaderName, HeaderValue},
    response::Response,
};

use crate::{
    domain::{
        layer::Layer,
        tile_matrix::{NoSuchTile, TileAddress},
    },
    engine::tiles::{BUFFER, BadRecipe, Recipe, Source, Tile},
};

use super::{
    super::{
        AppState,
        collection::Collection,
        error::ApiError,
        negotiate::{MVT, negotiate},
        picture::DATETIME,
        protocol::{hash_of, tagged},
        query::{Asked, Parameter, Query},
        spatial::{FILTER, FILTER_CRS, FILTER_LANG, selection},
        tile_cache::{Key, MadeTile},
    },
    tile_sets::{checked_layer, set_named},
};

/// What this module and its description earn (OGC 20-057, 17-083r4).
pub(super) const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixsetlimits",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixsetlimits",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilesetmetadata",
];

pub(super) const F_MVT: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["mvt","pbf"]}"#,
};

pub(super) const PROPERTIES: Parameter = Parameter {
    name: "properties",
    about: "Properties that features in tiles shall have, separated by commas; where not given all stored ones, area_m2 and \
            area_mu. A tile that would be too large goes without some of them: Mutu-Tile-Dropped names these.",
    schema: r#"{"type":"array","items":{"type":"string"}}"#,
};

pub(super) const CLASS: Parameter = Parameter {
    name: "class",
    about: "The property that colours the map: tiles always have it, and a mark of several small features shows the value \
            that most of them have. Where not given the first with colours in its code list, else the first with a code \
            list; empty for none.",
    schema: r#"{"type":"string"}"#,
};

/// Parameters of tiles.
pub(in super::super) const TILE_PARAMETERS: &[Parameter] =
    &[F_MVT, PROPERTIES, CLASS, FILTER, FILTER_LANG, FILTER_CRS, DATETIME];

/// `GET /collections/{layer}/tiles/{set}/{matrix}/{row}/{column}`.
pub(in super::super) async fn read_tile(
    State(state): State<AppState>,
    Path((layer, set, matrix, row, column)): Path<(String, String, String, String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &asked, &layer).await?;
    let query = Query::read(&asked.uri, TILE_PARAMETERS, |name| collection.has_property(name))?;
    let wanted = negotiate(&query, &asked.headers, &[MVT])?;
    checked_layer(&collection)?;
    let number = |name: &str, text: &str| whole_number(name, text);
    let (zoom, row, column) = (number("tileMatrix", &matrix)?, number("tileRow", &row)?, number("tileCol", &column)?);
    let address = TileAddress::new(set_named(&set)?, zoom, row, column)?;
    check_limits(&collection, &address)?;
    let recipe = recipe_of(collection.state.layer(), &query)?;
    let layer_state = std::sync::Arc::clone(&collection.state);
    let name = format!(
        "{}/{}/{}/{}/{}?{}",
        collection.state.line(),
        address.set().id(),
        address.zoom(),
        address.row(),
        address.column(),
        // The picture says which moment it is.
        query.with(&[("f", None), (DATETIME.name, None)])
    );
    let cache = std::sync::Arc::clone(&state.tiles);
    let key = Key { name, picture: collection.state.picture() };
    // Somewhat more than a tile draws of: places are rounded where it looks for features.
    let reach = address.bounds(2 * BUFFER);
    let is_good = |picture| layer_state.is_unchanged_since(picture, &reach);
    let made = state.tiles.get(key, is_good, move || make(&cache, &collection, &query, &address, &recipe)).await?;
    if let Some(unchanged) = asked.unchanged(&made.tag) {
        return Ok(unchanged);
    }
    let response = wanted.answer(made.body.clone());
    Ok(told(tagged(response, &made.tag), &made.tile, layer_state.layer()))
}

fn make(
    cache: &super::super::tile_cache::TileCache,
    collection: &Collection,
    query: &Query,
    address: &TileAddress,
    recipe: &Recipe,
) -> Result<MadeTile, ApiError> {
    let which = query.with(&[("f", None), ("properties", None), ("class", None), (DATETIME.name, None)]);
    let selected = if which.is_empty() {
        None
    } else {
        let key = format!("{}?{which}", collection.state.picture());
        cache.selection(&key, || selection(collection, query, TILE_PARAMETERS))?
    };
    let source =
        Source { layer: collection.state.layer(), table: collection.state.table(), selection: selected.as_deref() };
    let tile = source.tile(address, recipe).map_err(ApiError::internal)?;
    let tag = format!("\"{:016x}\"", hash_of((&tile.bytes, tile.cell)));
    Ok(MadeTile::new(tile, tag))
}

/// What a request wants its features to say.
pub(super) fn recipe_of(layer: &Layer, query: &Query) -> Result<Recipe, ApiError> {
    let recipe = Recipe::new(layer, query.value("properties"), query.value("class"));
    recipe.map_err(|error| {
        let parameter = match &error {
            BadRecipe::NoClass(_) => "class",
            BadRecipe::UnknownProperty { name, .. } if query.value("class") == Some(name) => "class",
            BadRecipe::UnknownProperty { .. } | BadRecipe::Repeated(_) => "properties",
        };
        ApiError::bad_parameter(parameter, "bad-value", format!("parameter {parameter:?}: {error}"))
    })
}

fn whole_number(name: &str, text: &str) -> Result<i64, ApiError> {
    let wrong = || {
        let detail = format!("{name} = {text:?}: a whole number such as 14");
        ApiError::bad_parameter(name, "bad-value", detail)
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    // A number beyond the range of the type is outside every matrix all the same.
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// Refuses tiles outside the limits that the tile set declares (OGC 20-057, /req/core/tc-error).
fn check_limits(collection: &Collection, address: &TileAddress) -> Result<(), ApiError> {
    let Some(extent) = collection.state.extent() else { return Ok(()) };
    let limits = address.set().limits(address.zoom(), &extent);
    if limits.hold(address.row(), address.column()) {
        return Ok(());
    }
    Err(ApiError::not_found(format!(
        "layer {} has tiles of rows {} to {} and columns {} to {} in tile matrix {}",
        collection.state.layer().id,
        limits.rows.0,
        limits.rows.1,
        limits.columns.0,
        limits.columns.1,
        address.zoom()
    )))
}

impl From<NoSuchTile> for ApiError {
    fn from(error: NoSuchTile) -> Self {
        Self::not_found(error.to_string())
    }
}

/// The answer with what was done to keep the tile small.
fn told(mut response: Response, tile: &Tile, layer: &Layer) -> Response {
    let names: Vec<String> = tile.dropped.iter().map(|dropped| encoded(dropped.name(layer))).collect();
    let said = [
        ("mutu-tile-features", format!("drawn={}, gathered={}, marks={}", tile.drawn, tile.gathered, tile.marks)),
        ("mutu-tile-cell", tile.cell.to_string()),
        ("mutu-tile-dropped", names.join(",")),
    ];
    for (name, text) in said.into_iter().filter(|(_, text)| !text.is_empty()) {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A name as a header can hold it.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%5F", "_")
}
