//! OGC API - Tiles (20-057): what tiles there are. Tile matrix sets (17-083r4), the tile sets of a layer with their
//! limits and strategy, and `TileJSON` 3.0.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    domain::{
        layer::{GeometryClass, Layer},
        schema::FieldType,
        tile_matrix::{TILE_PIXELS, TileMatrixSet},
    },
    engine::tiles::{Attribute, BUDGET, BUFFER, COUNT, ID, PIXEL, Recipe, SAME},
};

use super::{
    super::{
        AppState,
        collection::Collection,
        crs::CRS84,
        error::ApiError,
        html::{self, LANG, Lang, View},
        negotiate::{HTML, JSON, Representation, TILEJSON, negotiate},
        picture::DATETIME,
        query::{Asked, Parameter, Query},
        spatial::{FILTER, FILTER_CRS, FILTER_LANG, check_filter},
    },
    common::{READABLE, READABLE_THEN, then},
    tiles::{CLASS, PROPERTIES, recipe_of},
};

/// What the documents of this module can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];
/// What a tile set can be written as.
const SET_OFFERED: &[Representation] = &[JSON, TILEJSON, HTML];

/// The last zoom that `TileJSON` offers: clients enlarge its tiles, whose unit is below four centimetres.
pub(super) const LAST_ZOOM: u8 = 18;

const F_TILE_SET: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["json","tilejson","html"]}"#,
};

const F_TILEJSON: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["tilejson","json"]}"#,
};

/// Parameters of a tile set: those of its tiles, which its links then carry.
pub(in super::super) const TILE_SET_PARAMETERS: &[Parameter] =
    &[F_TILE_SET, LANG, PROPERTIES, CLASS, FILTER, FILTER_LANG, FILTER_CRS, DATETIME];
/// Parameters of `TileJSON`.
pub(in super::super) const TILEJSON_PARAMETERS: &[Parameter] =
    &[F_TILEJSON, PROPERTIES, CLASS, FILTER, FILTER_LANG, FILTER_CRS, DATETIME];

/// Whether a layer has tiles at all.
pub(super) fn has_tiles(layer: &Layer) -> bool {
    layer.geometry != GeometryClass::None
}

/// Refuses a layer that has nothing to draw.
pub(super) fn checked_layer(collection: &Collection) -> Result<(), ApiError> {
    let layer = collection.state.layer();
    if has_tiles(layer) {
        return Ok(());
    }
    let detail = format!("layer {} is a table without geometry: it has no tiles; its rows are at its items", layer.id);
    Err(ApiError::not_found(detail))
}

/// The tile matrix set of a name.
pub(super) fn set_named(id: &str) -> Result<TileMatrixSet, ApiError> {
    TileMatrixSet::named(id).ok_or_else(|| {
        let ids = TileMatrixSet::ALL.map(TileMatrixSet::id).join(" and ");
        ApiError::not_found(format!("there is no tile matrix set {id:?}; there are {ids}"))
    })
}

/// `GET /tileMatrixSets`.
pub(in super::super) async fn list_tile_matrix_sets(
    State(state): State<AppState>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let sets = TileMatrixSet::ALL.map(|set| {
        let href = state.link(&set_path(set));
        // Clients look for the definition under either relation.
        let link = |rel: &str| json!({ "rel": rel, "href": href, "type": "application/json", "title": set.title() });
        json!({
            "id": set.id(), "title": set.title(), "uri": set.uri(), "crs": set.crs(),
            "links": [link("self"), link("item")],
        })
    });
    let links = json!([{ "rel": "self", "href": state.link("/tileMatrixSets"), "type": "application/json" }]);
    let document = json!({ "tileMatrixSets": sets, "links": links });
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let title = lang.say("瓦片方案", "Tile matrix sets").to_owned();
        return Ok(html::document_page(&view, (title, Vec::new()), &document, OFFERED));
    }
    wanted.json(&document)
}

/// `GET /tileMatrixSets/{set}`.
pub(in super::super) async fn read_tile_matrix_set(
    State(state): State<AppState>,
    Path(set): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let set = set_named(&set)?;
    let matrix = |zoom: u8| {
        let (columns, rows) = set.size(zoom);
        json!({
            "id": zoom.to_string(),
            "scaleDenominator": set.scale_denominator(zoom),
            "cellSize": set.cell_size(zoom),
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": set.origin(),
            "tileWidth": TILE_PIXELS, "tileHeight": TILE_PIXELS,
            "matrixWidth": columns, "matrixHeight": rows,
        })
    };
    let mut definition = json!({
        "id": set.id(), "title": set.title(), "uri": set.uri(), "crs": set.crs(), "orderedAxes": set.axes(),
        "tileMatrices": set.zooms().map(matrix).collect::<Vec<_>>(),
        "links": [{ "rel": "self", "href": state.link(&set_path(set)), "type": "application/json" }],
    });
    if set == TileMatrixSet::WebMercatorQuad {
        definition["wellKnownScaleSet"] = json!("http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible");
    }
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let way = vec![(lang.say("瓦片方案", "Tile matrix sets").to_owned(), "/tileMatrixSets".to_owned())];
        return Ok(html::document_page(&view, (set.id().to_owned(), way), &definition, OFFERED));
    }
    wanted.json(&definition)
}

fn set_path(set: TileMatrixSet) -> String {
    format!("/tileMatrixSets/{}", set.id())
}

/// `GET /collections/{layer}/tiles`.
pub(in super::super) async fn list_tile_sets(
    State(state): State<AppState>,
    Path(layer): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE_THEN, OFFERED)?;
    let collection = Collection::find(&state, &asked, &layer).await?;
    checked_layer(&collection)?;
    let then = then(&query);
    let path = format!("{}/tiles", collection.path());
    let sets = TileMatrixSet::ALL.map(|set| {
        let here = format!("{path}/{}", set.id());
        let mut links = vec![
            json!({ "rel": "self", "href": state.link(&format!("{here}{then}")), "type": "application/json" }),
            json!({ "rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
                    "href": state.link(&set_path(set)), "type": "application/json" }),
        ];
        if set == TileMatrixSet::WebMercatorQuad {
            links.push(json!({ "rel": "describedby", "href": state.link(&format!("{here}/tilejson.json{then}")),
                               "type": "application/json", "title": "TileJSON" }));
        }
        json!({
            "title": collection.state.layer().title, "dataType": "vector", "crs": set.crs(),
            "tileMatrixSetId": set.id(), "tileMatrixSetURI": set.uri(), "links": links,
        })
    });
    let links = json!([{ "rel": "self", "href": state.link(&format!("{path}{then}")), "type": "application/json" }]);
    let document = json!({ "tilesets": sets, "links": links });
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let title = lang.say("瓦片集", "Tile sets").to_owned();
        return Ok(html::document_page(&view, (title, html::way_to(&view, &collection)), &document, OFFERED));
    }
    wanted.json(&document)
}

/// `GET /collections/{layer}/tiles/{set}`.
pub(in super::super) async fn read_tile_set(
    State(state): State<AppState>,
    Path((layer, set)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let collection = Collection::find(&state, &asked, &layer).await?;
    let query = Query::read(&asked.uri, TILE_SET_PARAMETERS, |name| collection.has_property(name))?;
    check_filter(&collection, &query, TILE_SET_PARAMETERS)?;
    let wanted = negotiate(&query, &asked.headers, SET_OFFERED)?;
    let lang = Lang::of(&query, &asked.headers)?;
    checked_layer(&collection)?;
    let set = set_named(&set)?;
    let described = Described { state: &state, collection: &collection, set, query: &query };
    if *wanted == TILEJSON {
        return wanted.json(&described.tilejson()?);
    }
    let metadata = described.metadata()?;
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let mut way = html::way_to(&view, &collection);
        way.push((lang.say("瓦片集", "Tile sets").to_owned(), format!("{}/tiles", collection.path())));
        return Ok(html::document_page(&view, (set.id().to_owned(), way), &metadata, SET_OFFERED));
    }
    wanted.json(&metadata)
}

/// `GET /collections/{layer}/tiles/{set}/tilejson.json`.
pub(in super::super) async fn read_tilejson(
    State(state): State<AppState>,
    Path((layer, set)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, ApiError> {
    const TILEJSON_ONLY: &[super::super::negotiate::Representation] = &[super::super::negotiate::Representation {
        names: &["tilejson", "json"],
        media_type: "application/json",
        also: &["text/json"],
    }];
    let collection = Collection::find(&state, &asked, &layer).await?;
    let query = Query::read(&asked.uri, TILEJSON_PARAMETERS, |name| collection.has_property(name))?;
    check_filter(&collection, &query, TILEJSON_PARAMETERS)?;
    let wanted = negotiate(&query, &asked.headers, TILEJSON_ONLY)?;
    checked_layer(&collection)?;
    let set = set_named(&set)?;
    wanted.json(&Described { state: &state, collection: &collection, set, query: &query }.tilejson()?)
}

/// A tile set that is being described.
struct Described<'a> {
    state: &'a AppState,
    collection: &'a Collection,
    set: TileMatrixSet,
    query: &'a Query,
}

impl Described<'_> {
    fn layer(&self) -> &Layer {
        self.collection.state.layer()
    }

    fn path(&self) -> String {
        format!("{}/tiles/{}", self.collection.path(), self.set.id())
    }

    /// The address of tiles, with the parameters that this description was asked with.
    fn template(&self, matrix: &str, row: &str, column: &str) -> String {
        let query = self.query.with(&[("f", None), ("lang", None)]);
        let query = if query.is_empty() { query } else { format!("?{query}") };
        self.state.link(&format!("{}/{matrix}/{row}/{column}{query}", self.path()))
    }

    /// Tile set metadata (17-083r4, clause 9).
    fn metadata(&self) -> Result<Value, ApiError> {
        let (layer, path) = (self.layer(), self.path());
        let recipe = recipe_of(layer, self.query)?;
        let link = |rel: &str, href: String, kind: &str| json!({ "rel": rel, "href": href, "type": kind });
        let mut links = vec![
            link("self", self.state.link(&path), "application/json"),
            json!({ "rel": "item", "href": self.template("{tileMatrix}", "{tileRow}", "{tileCol}"),
                    "type": "application/vnd.mapbox-vector-tile", "templated": true }),
            link(
                "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
                self.state.link(&set_path(self.set)),
                "application/json",
            ),
            link(
                "http://www.opengis.net/def/rel/ogc/1.0/geodata",
                self.state.link(&self.collection.path()),
                "application/json",
            ),
        ];
        if self.set == TileMatrixSet::WebMercatorQuad {
            let then = then(self.query);
            links.push(link(
                "describedby",
                self.state.link(&format!("{path}/tilejson.json{then}")),
                "application/json",
            ));
        }
        let mut metadata = json!({
            "title": layer.title,
            "description": layer.description,
            "dataType": "vector",
            "crs": self.set.crs(),
            "tileMatrixSetId": self.set.id(),
            "tileMatrixSetURI": self.set.uri(),
            "layers": [{
                "id": layer.id, "title": layer.title, "dataType": "vector",
                "geometryDimension": dimension_of(layer),
                "propertiesSchema": { "type": "object", "properties": schema_of(layer, &recipe) },
            }],
            "mediaTypes": ["application/vnd.mapbox-vector-tile"],
            "generalisation": strategy(layer, &recipe),
            "links": links,
        });
        if let Some(extent) = self.collection.state.extent() {
            metadata["boundingBox"] = json!({
                "lowerLeft": [extent.min.x, extent.min.y], "upperRight": [extent.max.x, extent.max.y], "crs": CRS84,
                "orderedAxes": ["Lon", "Lat"],
            });
            let limits = |zoom: u8| {
                let limits = self.set.limits(zoom, &extent);
                json!({
                    "tileMatrix": zoom.to_string(),
                    "minTileRow": limits.rows.0, "maxTileRow": limits.rows.1,
                    "minTileCol": limits.columns.0, "maxTileCol": limits.columns.1,
                })
            };
            metadata["tileMatrixSetLimits"] = self.set.zooms().map(limits).collect();
        }
        Ok(metadata)
    }

    /// `TileJSON` 3.0.0.
    fn tilejson(&self) -> Result<Value, ApiError> {
        if self.set != TileMatrixSet::WebMercatorQuad {
            let detail = format!(
                "TileJSON describes WebMercatorQuad only; /tileMatrixSets/{} says how {} is divided",
                self.set.id(),
                self.set.id()
            );
            return Err(ApiError::not_found(detail));
        }
        let layer = self.layer();
        let recipe = recipe_of(layer, self.query)?;
        let fields: Map<String, Value> = recipe
            .attributes()
            .iter()
            .map(|attribute| (attribute.name(layer).to_owned(), json!(kind_word(layer, *attribute))))
            .chain([(COUNT.to_owned(), json!("Number")), (SAME.to_owned(), json!("Number"))])
            .collect();
        let mut described = json!({
            "tilejson": "3.0.0",
            "name": layer.title,
            "description": layer.description,
            "scheme": "xyz",
            "tiles": [self.template("{z}", "{y}", "{x}")],
            "minzoom": 0, "maxzoom": LAST_ZOOM,
            "vector_layers": [{
                "id": layer.id, "description": layer.title, "minzoom": 0, "maxzoom": LAST_ZOOM, "fields": fields,
            }],
            "generalisation": strategy(layer, &recipe),
        });
        if let Some(extent) = self.collection.state.extent() {
            described["bounds"] = json!([extent.min.x, extent.min.y, extent.max.x, extent.max.y]);
            let middle = extent.center();
            described["center"] = json!([middle.x, middle.y, 10]);
        }
        Ok(described)
    }
}

fn dimension_of(layer: &Layer) -> Value {
    match layer.geometry {
        GeometryClass::Point => json!(0),
        GeometryClass::Line => json!(1),
        GeometryClass::Surface => json!(2),
        GeometryClass::Mixed | GeometryClass::None => Value::Null,
    }
}

fn kind_word(layer: &Layer, attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Derived(_) => "Number",
        Attribute::Stored(column) => match layer.schema.fields[column].kind {
            FieldType::Boolean => "Boolean",
            FieldType::Integer | FieldType::Real => "Number",
            FieldType::Text | FieldType::Date | FieldType::DateTime => "String",
        },
    }
}

/// The properties of features and marks as JSON Schema.
fn schema_of(layer: &Layer, recipe: &Recipe) -> Map<String, Value> {
    let mut properties = Map::new();
    for attribute in recipe.attributes() {
        let property = match attribute {
            Attribute::Derived(derived) => {
                let (title, title_en) = derived.titles();
                json!({ "title": title, "x-title-en": title_en, "type": "number" })
            }
            Attribute::Stored(column) => {
                let field = &layer.schema.fields[*column];
                let kind = match field.kind {
                    FieldType::Boolean => "boolean",
                    FieldType::Integer => "integer",
                    FieldType::Real => "number",
                    FieldType::Text | FieldType::Date | FieldType::DateTime => "string",
                };
                json!({ "title": if field.title.is_empty() { &field.name } else { &field.title }, "type": kind })
            }
        };
        properties.insert(attribute.name(layer).to_owned(), property);
    }
    let ours = [
        (COUNT, "标记所代表的要素数", "Features that a mark stands for"),
        (SAME, "其中分类值与标记相同的要素数", "Those of them that have the class which the mark shows"),
        (ID, "矢量瓦片不能容纳的负数编号", "An id that vector tiles cannot hold: a negative one"),
    ];
    for (name, title, title_en) in ours {
        properties.insert(name.to_owned(), json!({ "title": title, "x-title-en": title_en, "type": "integer" }));
    }
    properties
}

/// What is done to keep tiles small, so that nobody takes a tile for more than it is.
fn strategy(layer: &Layer, recipe: &Recipe) -> Value {
    json!({
        "extent": crate::domain::tile_matrix::UNITS,
        "buffer": BUFFER,
        "pixel": PIXEL,
        "max_bytes": BUDGET,
        "kept_properties": recipe.attributes().iter().map(|attribute| attribute.name(layer)).collect::<Vec<_>>(),
        "class": recipe.class().map(|column| layer.schema.fields[column].name.as_str()),
        "zh": "节点逐个吸附到瓦片网格，公共边保持公共；外框小于一个像元（8/4096）或吸附后无面积的要素变为像元标记（面为方块，线为短线），\
               同一像元内的要素合为一个标记，_count 为其个数，_same 为其中与所示分类相同的个数；中心所在的瓦片拥有该标记，各瓦片 _count 与\
               单独绘出的要素之和即要素总数。瓦片超过字节上限时先从后往前舍去属性（分类属性始终保留，见 Mutu-Tile-Dropped），\
               再把像元加倍（见 Mutu-Tile-Cell），从不舍去要素。Web 墨卡托方案止于纬度 85.05°，以外的点不在其任何瓦片中；各瓦片独立取舍精度，\
               相邻两片可能粗细不同。",
        "en": "Vertices are snapped one by one to the tile's grid, so common edges stay common. A feature whose box is smaller \
               than a pixel (8 of 4096 units), or of which the grid leaves nothing, becomes a mark: the pixel's square for a \
               surface, a stroke for a line. Features in one pixel share a mark; _count says how many, _same how many of \
               them have the class that it shows. The tile that holds the middle of their boxes has the mark, so _count over \
               all tiles and the features drawn sum to all features. A tile over its bytes goes without properties, the \
               last of kept_properties first and the class never (Mutu-Tile-Dropped), then with pixels twice as wide \
               (Mutu-Tile-Cell); features are never left out. Web Mercator ends at 85.05° of latitude: points beyond are in none \
               of its tiles. Each tile keeps its bytes by itself, so that neighbours may differ in detail.",
    })
}
