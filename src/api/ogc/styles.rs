//! `MapLibre` styles (OGC API - Styles 20-009, draft): one for each layer and one for all, in the colours of the plan.
//!
//! A style names everything by absolute addresses of this server and nothing elsewhere: no glyphs and no sprites.
//! `MapLibre` 6 draws its letters from the fonts of the machine. Colours come from the code lists of the layers' schemas
//! where these give them; else from a palette that colour-blind eyes can tell apart.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    catalog::LayerState,
    domain::{
        layer::{GeometryClass, Layer},
        schema::Field,
        tile_matrix::TileMatrixSet,
    },
    engine::tiles::Recipe,
};

use super::{
    super::{
        AppState,
        collection::{self, Collection},
        error::ApiError,
        html::{self, View},
        negotiate::{HTML, JSON, Representation, STYLE},
        query::{Asked, Parameter},
    },
    common::READABLE,
    tile_sets::{checked_layer, has_tiles},
};

/// The media type of `MapLibre` styles.
pub(super) const MEDIA_TYPE: &str = "application/vnd.mapbox.style+json";
/// The style of all layers: no layer can have this name.
const ALL: &str = "_all";

const F_STYLE: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["mbs","json"]}"#,
};

const LANG: Parameter = Parameter {
    name: "lang",
    about: "The language of titles, and of names where a layer has them in both.",
    schema: r#"{"type":"string","enum":["zh","en"],"default":"zh"}"#,
};

/// Parameters of a style.
pub(in super::super) const STYLE_PARAMETERS: &[Parameter] = &[F_STYLE, LANG];

const PAPER: &str = "#f4f5f2";
const INK: &str = "#26332e";
const NO_VALUE: &str = "#b9bfbc";
/// Paul Tol's and neighbouring colours, told apart also by colour-blind eyes.
const PALETTE: [&str; 14] = [
    "#4477aa", "#ee7733", "#228833", "#ccbb44", "#aa3377", "#66ccee", "#994455", "#997700", "#6699cc", "#ee99aa",
    "#004488", "#44aa99", "#882255", "#ddcc77",
];

/// What the list of styles can be written as.
const OFFERED: &[Representation] = &[JSON, HTML];

/// The path of a style.
pub(super) fn path_of(id: &str) -> String {
    collection::path_of(id).replacen("/collections/", "/styles/", 1)
}

/// `GET /styles`.
pub(in super::super) async fn list_styles(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, READABLE, OFFERED)?;
    let style = |id: &str, title: &str, title_en: &str| {
        json!({
            "id": id, "title": title, "title_en": title_en,
            "links": [{ "rel": "stylesheet", "href": state.link(&path_of(id)), "type": MEDIA_TYPE }],
        })
    };
    let catalog = state.picture(&asked).await?;
    let layers = catalog.layers().map(|state| state.layer()).filter(|layer| has_tiles(layer));
    let styles: Vec<Value> = std::iter::once(style(ALL, "全部图层", "All layers"))
        .chain(layers.map(|layer| style(layer.id.as_str(), &layer.title, &layer.title_en)))
        .collect();
    let links = json!([{ "rel": "self", "href": state.link("/styles"), "type": "application/json" }]);
    let document = json!({ "default": ALL, "styles": styles, "links": links });
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let title = lang.say("地图样式", "Map styles").to_owned();
        return Ok(html::document_page(&view, (title, Vec::new()), &document, OFFERED));
    }
    wanted.json(&document)
}

/// `GET /styles/{style}`.
pub(in super::super) async fn read_style(
    State(state): State<AppState>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted) = asked.plainly(STYLE_PARAMETERS, &[STYLE])?;
    let english = match query.value("lang") {
        None | Some("zh") => false,
        Some("en") => true,
        Some(other) => {
            let detail = format!("parameter \"lang\" = {other:?}: titles are in zh and en");
            return Err(ApiError::bad_parameter("lang", "bad-value", detail));
        }
    };
    let collection;
    let catalog;
    let layers: Vec<&LayerState> = if id == ALL {
        catalog = state.picture(&asked).await?;
        // Surfaces below lines below points; among equals in the order of the workspace.
        let mut layers: Vec<_> = catalog.layers().map(AsRef::as_ref).filter(|held| has_tiles(held.layer())).collect();
        layers.sort_by_key(|held| height_of(held.layer().geometry));
        layers
    } else {
        collection = Collection::find(&state, &asked, &id).await?;
        checked_layer(&collection)?;
        vec![&collection.state]
    };
    wanted.json(&style_of(&state, &id, &layers, english)?)
}

const fn height_of(geometry: GeometryClass) -> u8 {
    match geometry {
        GeometryClass::Surface => 0,
        GeometryClass::Mixed => 1,
        GeometryClass::Line => 2,
        GeometryClass::Point | GeometryClass::None => 3,
    }
}

fn style_of(state: &AppState, id: &str, layers: &[&LayerState], english: bool) -> Result<Value, ApiError> {
    let mut sources = serde_json::Map::new();
    let mut drawn = vec![json!({ "id": "paper", "type": "background", "paint": { "background-color": PAPER } })];
    let (mut names, mut legend) = (Vec::new(), Vec::new());
    for (order, held) in layers.iter().enumerate() {
        let layer = held.layer();
        let recipe = Recipe::new(layer, None, None).map_err(ApiError::internal)?;
        let look = Look { layer, class: recipe.class().map(|column| &layer.schema.fields[column]), order, english };
        sources.insert(layer.id.to_string(), source_of(state, held));
        drawn.extend(look.shapes());
        names.extend(look.names());
        legend.push(json!({ "layer": layer.id, "title": look.title(), "classes": look.legend() }));
    }
    drawn.append(&mut names);
    let extent = layers.iter().filter_map(|held| held.extent()).reduce(crate::ground::shape::Bounds::union);
    let title = match layers {
        [held] if id != ALL => chosen(english, &held.layer().title, &held.layer().title_en),
        _ => chosen(english, "全部图层", "All layers"),
    };
    let mut style = json!({
        "version": 8, "name": title, "sources": sources, "layers": drawn,
        "metadata": { "mutu:legend": legend },
    });
    if let Some(extent) = extent {
        let (middle, width) = (extent.center(), (extent.max.x - extent.min.x).max(1e-4));
        style["center"] = json!([middle.x, middle.y]);
        style["zoom"] = json!((360.0 / width).log2().clamp(0.0, 16.0).floor());
    }
    Ok(style)
}

fn source_of(state: &AppState, held: &LayerState) -> Value {
    let set = TileMatrixSet::WebMercatorQuad.id();
    let path = collection::path_of(held.layer().id.as_str());
    let mut source = json!({
        "type": "vector", "minzoom": 0, "maxzoom": super::tile_sets::LAST_ZOOM,
        "tiles": [state.link(&format!("{path}/tiles/{set}/{{z}}/{{y}}/{{x}}"))],
    });
    if let Some(extent) = held.extent() {
        source["bounds"] = json!([extent.min.x, extent.min.y, extent.max.x, extent.max.y]);
    }
    source
}

/// How a layer is drawn.
struct Look<'a> {
    layer: &'a Layer,
    /// The property that colours it.
    class: Option<&'a Field>,
    /// Its place among those that are drawn.
    order: usize,
    english: bool,
}

impl Look<'_> {
    fn title(&self) -> &str {
        chosen(self.english, &self.layer.title, &self.layer.title_en)
    }

    fn own_color(&self) -> &'static str {
        PALETTE[self.order % PALETTE.len()]
    }

    /// The colour of a code: that of the plan, else one of the palette's.
    fn colors(&self) -> impl Iterator<Item = (&str, &str)> {
        let codes = self.class.map(|field| field.codes.as_slice()).unwrap_or_default();
        codes
            .iter()
            .enumerate()
            .map(|(at, code)| (code.value.as_str(), code.color.as_deref().unwrap_or(PALETTE[at % PALETTE.len()])))
    }

    /// The colour as an expression of `MapLibre`'s.
    fn color(&self) -> Value {
        let pairs: Vec<Value> = self.colors().flat_map(|(value, color)| [json!(value), json!(color)]).collect();
        match self.class {
            Some(field) if !pairs.is_empty() => {
                let mut expression = vec![json!("match"), json!(["to-string", ["get", field.name]])];
                expression.extend(pairs);
                expression.push(json!(NO_VALUE));
                Value::Array(expression)
            }
            _ => json!(self.own_color()),
        }
    }

    fn legend(&self) -> Vec<Value> {
        let Some(field) = self.class else { return vec![json!({ "title": self.title(), "color": self.own_color() })] };
        let entry = |(code, (value, color)): (&crate::domain::schema::Code, (&str, &str))| json!({ "value": value, "title": chosen(self.english, &code.title, &code.title_en), "color": color });
        field.codes.iter().zip(self.colors()).map(entry).collect()
    }

    /// A style layer of this layer's source.
    fn part(&self, name: &str, kind: &str, dimension: &str) -> Value {
        json!({
            "id": format!("{}:{name}", self.layer.id), "type": kind, "source": self.layer.id,
            "source-layer": self.layer.id, "filter": ["==", ["geometry-type"], dimension],
        })
    }

    fn shapes(&self) -> Vec<Value> {
        use GeometryClass::{Line, Mixed, None, Point, Surface};
        let (color, mut parts) = (self.color(), Vec::new());
        let has = |class: GeometryClass| self.layer.geometry == class || self.layer.geometry == Mixed;
        if self.layer.geometry == None {
            return parts;
        }
        if has(Surface) {
            let mut fill = self.part("fill", "fill", "Polygon");
            fill["paint"] = json!({ "fill-color": color, "fill-opacity": 0.6, "fill-antialias": false });
            let mut line = self.part("line", "line", "Polygon");
            // Marks have no outline of their own: they are no land's boundary.
            line["filter"] = json!(["all", ["==", ["geometry-type"], "Polygon"], ["!", ["has", "_count"]]]);
            line["layout"] = json!({ "line-join": "round" });
            line["paint"] = json!({
                "line-color": INK, "line-opacity": 0.5,
                "line-width": ["interpolate", ["linear"], ["zoom"], 9, 0.1, 14, 0.8],
            });
            parts.extend([fill, line]);
        }
        if has(Line) {
            let mut line = self.part("stroke", "line", "LineString");
            line["layout"] = json!({ "line-cap": "round", "line-join": "round" });
            line["paint"] = json!({ "line-color": color, "line-width": 2 });
            parts.push(line);
        }
        if has(Point) {
            let mut circle = self.part("circle", "circle", "Point");
            circle["paint"] = json!({
                "circle-color": color, "circle-radius": 4, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5,
            });
            parts.push(circle);
        }
        parts
    }

    /// The names of features, where they have any.
    fn names(&self) -> Option<Value> {
        let schema = &self.layer.schema;
        schema.position("name")?;
        let in_english = (self.english && schema.position("name_en").is_some())
            .then(|| json!(["coalesce", ["get", "name_en"], ["get", "name"]]));
        Some(json!({
            "id": format!("{}:names", self.layer.id), "type": "symbol", "source": self.layer.id,
            "source-layer": self.layer.id, "filter": ["all", ["has", "name"], ["!", ["has", "_count"]]],
            "layout": {
                "text-field": in_english.unwrap_or_else(|| json!(["get", "name"])),
                // A name only to satisfy the style specification: there are no glyphs to fetch.
                "text-font": ["sans-serif"], "text-size": 12, "text-max-width": 9, "text-padding": 4,
                "text-offset": if self.layer.geometry == GeometryClass::Point { json!([0, 1]) } else { json!([0, 0]) },
            },
            "paint": { "text-color": INK, "text-halo-color": "#ffffff", "text-halo-width": 1.6 },
        }))
    }
}

/// The title in a language; in Chinese where there is no other.
fn chosen<'t>(english: bool, zh: &'t str, en: &'t str) -> &'t str {
    if english && !en.is_empty() { en } else { zh }
}
