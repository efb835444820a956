//! A feature: all its values under title and name, its areas with their basis, its outline and its coordinates.

use axum::response::Response;
use maud::{Markup, html};

use crate::{
    domain::schema::Derived,
    engine::table::Row,
    ground::{
        crs::Crs,
        print::append_number,
        shape::ShapeRef,
        units::{AreaUnit, Basis},
    },
};

use super::{
    super::{
        collection::Collection,
        crs::{AnswerCrs, offered},
        error::ApiError,
        negotiate::Representation,
    },
    frame::{Page, View},
    items::{hidden, legend, shapes},
    lang::Lang,
    map::draw,
    values::{
        area_text, badge, basis_word, caution, count, feature_name, field_title, layer_title, none, unit_word, value,
    },
};

/// Vertices that the page lists.
const MOST_LISTED: usize = 2000;

/// A feature, found but not written.
pub(in super::super) struct ItemPage<'a> {
    pub(in super::super) collection: &'a Collection,
    pub(in super::super) row: Row,
    /// What the coordinates are listed in.
    pub(in super::super) crs: &'a AnswerCrs,
    /// Stored columns that are shown.
    pub(in super::super) columns: Vec<usize>,
    /// Derived areas that are shown.
    pub(in super::super) derived: Vec<Derived>,
    pub(in super::super) offered: &'a [Representation],
}

/// The page.
///
/// # Errors
/// 400 where the feature has no place in the CRS.
pub(in super::super) fn item_page(view: &View, page: &ItemPage<'_>) -> Result<Response, ApiError> {
    let (lang, state) = (view.lang, &page.collection.state);
    let (layer, table) = (state.layer(), state.table());
    let path = page.collection.path();
    let id = table.id(page.row);
    let layer_title = layer_title(lang, layer);
    let title = feature_name(layer, table, page.row).map_or_else(|| format!("{layer_title} {id}"), str::to_owned);
    let sketch = draw(lang, shapes(state, &[page.row], |_| None), state.extent());
    let body = html! {
        (caution(lang, layer.provenance))
        div.beside {
            @if let Some(sketch) = &sketch {
                figure {
                    (sketch.svg)
                    figcaption { (legend(view, state, &[page.row])) @for note in &sketch.notes { p.small { (note) } } }
                }
            }
            div {
                (areas(view, page))
                h2 { (view.say("属性", "Properties")) }
                (properties(view, page, id))
            }
        }
        (coordinates(view, page, table.shape(page.row))?)
        nav.more aria-label=(view.say("相关", "Related")) {
            a href=(view.href(&format!("{path}/items"))) { (view.say("全部要素", "All items")) }
            a href=(view.href(&format!("{path}/items/{id}/history"))) { (view.say("历史", "History")) }
            a href=(view.href(&format!("{path}/statistics"))) { (view.say("统计", "Statistics")) }
            a href=(view.href(&format!("{path}/schema"))) { (view.say("字段说明", "Schema")) }
        }
    };
    let crumbs = vec![
        (view.say("图层", "Layers").to_owned(), "/collections".to_owned()),
        (layer_title, path.clone()),
        (view.say("要素", "Items").to_owned(), format!("{path}/items")),
    ];
    Ok(view.answer(&Page {
        title,
        crumbs,
        offered: page.offered,
        badge: Some(badge(lang, layer.provenance)),
        step: None,
        body,
    }))
}

fn properties(view: &View, page: &ItemPage<'_>, id: i64) -> Markup {
    let (lang, state) = (view.lang, &page.collection.state);
    html! {
        table.facts {
            thead { tr {
                th scope="col" { (view.say("属性", "Property")) }
                th scope="col" { (view.say("名称", "Name")) }
                th scope="col" { (view.say("值", "Value")) }
            } }
            tbody {
                tr { th scope="row" { (view.say("要素号", "Id")) } td { code { "id" } } td { (id) } }
                @for column in &page.columns {
                    @let field = &state.layer().schema.fields[*column];
                    tr {
                        th scope="row" { bdi { (field_title(lang, field)) } }
                        td { code { bdi { (field.name) } } }
                        td {
                            (value(lang, field, state.table().value(page.row, *column), false))
                            @if let Some(unit) = &field.unit { " " span.unit { bdi { (unit) } } }
                        }
                    }
                }
            }
        }
    }
}

/// Both areas with their basis, as far as they are asked for.
fn areas(view: &View, page: &ItemPage<'_>) -> Markup {
    if page.derived.is_empty() {
        return html! {};
    }
    let state = &page.collection.state;
    let is_shown = |derived| page.derived.contains(&derived);
    let ellipsoidal = state.table().area(page.row, Basis::Ellipsoidal);
    let planar = state.table().area(page.row, Basis::Planar);
    let units = [(Derived::AreaMu, AreaUnit::Mu), (Derived::AreaHa, AreaUnit::Ha), (Derived::AreaM2, AreaUnit::M2)];
    let figure = |text: String, unit| html! { span.figure { (text) " " span.unit { (unit_word(view.lang, unit)) } } };
    html! {
        h2 { (view.say("面积", "Area")) }
        dl.areas {
            @if units.iter().any(|(derived, _)| is_shown(*derived)) {
                dt { (basis_word(view.lang, Basis::Ellipsoidal)) }
                dd {
                    @match ellipsoidal {
                        Some(area) => @for (derived, unit) in units { @if is_shown(derived) { (figure(area_text(area, unit), unit)) " " } },
                        None => (none()),
                    }
                    p.small { (view.say("国土调查椭球面积算法，CGCS2000 椭球", "survey rule for ellipsoidal areas, CGCS2000 ellipsoid")) }
                }
            }
            @if is_shown(Derived::AreaPlanarM2) {
                dt { (basis_word(view.lang, Basis::Planar)) }
                dd {
                    @match planar {
                        Some(area) => (figure(area_text(area, AreaUnit::M2), AreaUnit::M2)),
                        None => p { (view.say("不在测量坐标系的适用范围内，无平面面积", "outside the survey grid's area of use: no planar area")) },
                    }
                    p.small { (view.say("投影平面坐标鞋带法，", "shoelace formula in ")) bdi { (grid_name(state.grid().crs())) } }
                }
            }
        }
    }
}

fn grid_name(crs: &Crs) -> String {
    match crs.epsg() {
        Some(code) => format!("EPSG:{code} {}", crs.name()),
        None => crs.name().to_owned(),
    }
}

fn coordinates(view: &View, page: &ItemPage<'_>, shape: Option<ShapeRef<'_>>) -> Result<Markup, ApiError> {
    let Some(stored) = shape else {
        return Ok(html! { p { (view.say("此要素没有几何。", "This item has no geometry.")) } });
    };
    let moved = page.crs.place(stored)?;
    let shape = moved.as_ref().map_or(stored, crate::ground::shape::Shape::view);
    let asked = view.query().value("crs").is_some();
    let number = |value: f64| {
        let mut out = Vec::new();
        append_number(&mut out, value, page.crs.decimals());
        String::from_utf8(out).unwrap_or_default()
    };
    let [first, second] = axes(view.lang, page.crs);
    let listed = listed(view.lang, &shape);
    Ok(html! {
            details.vertices open[asked] {
                summary {
                    (view.say("界址点坐标", "Coordinates")) "（" (count(shape.coords().len())) "）"
                }
                form method="get" action=(view.action()) {
    (view.hidden())
                    (hidden(view.query(), &["crs"]))
                    label.wide { span { (view.say("坐标系", "CRS")) }
                        select name="crs" { @for uri in offered(&page.collection.state) {
                            option value=(uri) selected[uri == page.crs.uri()] { (crs_title(&uri)) }
                        } }
                    }
                    div.send { button type="submit" { (view.say("换算", "Convert")) } }
                }
                div.scroll role="region" tabindex="0" aria-label=(view.say("界址点坐标，可滚动", "Coordinates, scrollable")) {
                    table {
                        thead { tr {
                            th scope="col" { (view.say("环", "Ring")) }
                            th.num scope="col" { (view.say("点号", "No.")) }
                            th.num scope="col" { (first) }
                            th.num scope="col" { (second) }
                        } }
                        tbody {
                            @for (name, place, at) in &listed {
                                tr {
                                    td { (name) }
                                    td.num { (place) }
                                    td.num { (number(at.x)) }
                                    td.num { (number(at.y)) }
                                }
                            }
                        }
                    }
                }
                @if shape.coords().len() > listed.len() {
                    p.small {
                        (view.say("只列出前 ", "Only the first ")) (count(MOST_LISTED)) (view.say(" 点；全部见 ", " are listed; all are in the "))
                        a href=(view.here(&[("f", Some("json"))])) { "GeoJSON" }
                    }
                }
            }
        })
}

/// The first vertices: ring, number in the ring, position.
fn listed(lang: Lang, shape: &ShapeRef<'_>) -> Vec<(String, usize, geo::Coord)> {
    let is_surface = shape.kind().dimension() == 2;
    let mut listed = Vec::new();
    for (part_number, part) in shape.parts().enumerate() {
        for (ring_number, ring) in part.enumerate() {
            let name = ring_name(lang, is_surface, part_number, ring_number);
            let free = MOST_LISTED - listed.len();
            listed.extend(ring.iter().take(free).enumerate().map(|(place, at)| (name.clone(), place + 1, *at)));
        }
    }
    listed
}

fn ring_name(lang: Lang, is_surface: bool, part: usize, ring: usize) -> String {
    match (is_surface, ring) {
        (true, 0) => format!("{} {}", lang.say("外环", "outer"), part + 1),
        (true, _) => format!("{} {}.{ring}", lang.say("内环", "hole"), part + 1),
        (false, _) => (part + 1).to_string(),
    }
}

/// What the two numbers of a position are, in the order in which they are printed.
fn axes(lang: Lang, crs: &AnswerCrs) -> [&'static str; 2] {
    let (east, north) = if crs.is_geographic() {
        (lang.say("经度", "Longitude"), lang.say("纬度", "Latitude"))
    } else {
        (lang.say("东（Y）", "East"), lang.say("北（X）", "North"))
    };
    if crs.north_first() { [north, east] } else { [east, north] }
}

/// The code and the name of a CRS.
pub(super) fn crs_title(uri: &str) -> String {
    let short = uri.rsplit('/').next().unwrap_or(uri);
    match uri.parse::<Crs>() {
        Ok(crs) => match crs.epsg() {
            Some(code) => format!("EPSG:{code} {}", crs.name()),
            None => format!("{short} {}", crs.name()),
        },
        Err(_unknown_here) => uri.to_owned(),
    }
}
