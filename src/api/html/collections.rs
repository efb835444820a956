//! The layers: a list of all, and a page for each.

use axum::response::Response;
use maud::{Markup, html};

use crate::{
    catalog::{Catalog, LayerState},
    domain::layer::GeometryClass,
    engine::table::Row,
    ground::shape::Shape,
};

use super::{
    super::{
        collection::{Collection, path_of},
        crs::offered,
        negotiate::Representation,
    },
    downloads::downloads,
    frame::{Page, View},
    item::crs_title,
    items::{legend, shapes},
    lang::Lang,
    map::{Drawn, NO_COLOR, draw},
    values::{badge, caution, count, geometry_word, layer_title, none},
};

/// Layers up to so many features are drawn on their page.
const MOST_DRAWN: usize = 2000;

/// The list of layers.
pub(in super::super) fn collections_page(view: &View, catalog: &Catalog, offered: &[Representation]) -> Response {
    let body = html! {
        @if catalog.layers().next().is_none() {
            p.empty {
                (view.say("此工作区还没有图层。导入：", "This workspace has no layers yet. To import: "))
                code { "mutu import FILE --layer NAME" }
            }
        } @else {
            div.scroll role="region" tabindex="0" aria-label=(view.say("图层，可滚动", "Layers, scrollable")) {
                table {
                    thead { tr {
                        th scope="col" { (view.say("图层", "Layer")) }
                        th scope="col" { (view.say("标识", "Id")) }
                        th.num scope="col" { (view.say("要素数", "Items")) }
                        th scope="col" { (view.say("几何", "Geometry")) }
                        th scope="col" { (view.say("性质", "Provenance")) }
                        th scope="col" { (view.say("查看", "View")) }
                        th scope="col" { (view.say("说明", "About")) }
                    } }
                    tbody { @for state in catalog.layers() { (line(view, state)) } }
                }
            }
        }
        (clients(view))
    };
    let title = view.say("图层", "Layers").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered, badge: None, step: None, body })
}

fn line(view: &View, state: &LayerState) -> Markup {
    let layer = state.layer();
    let path = path_of(layer.id.as_str());
    html! {
        tr {
            th scope="row" { a href=(view.href(&path)) { bdi { (layer_title(view.lang, layer)) } } }
            td { code { bdi { (layer.id) } } }
            td.num { (count(state.table().len())) }
            td { (geometry_word(view.lang, layer.geometry)) }
            td { (badge(view.lang, layer.provenance)) }
            td.links {
                a href=(view.href(&format!("{path}/items"))) { (view.say("要素", "Items")) } " "
                a href=(view.href(&format!("{path}/statistics"))) { (view.say("统计", "Statistics")) } " "
                a href=(view.href(&format!("{path}/schema"))) { (view.say("字段", "Schema")) }
            }
            td.about { bdi { (layer.description) } }
        }
    }
}

/// How other programs reach the layers.
fn clients(view: &View) -> Markup {
    html! {
        details {
            summary { (view.say("在 QGIS、ArcGIS Pro、GDAL 中打开", "Open in QGIS, ArcGIS Pro, GDAL")) }
            dl {
                dt { "QGIS" }
                dd { (view.say("图层 → 添加图层 → WFS / OGC API - Features，地址：", "Layer → Add Layer → WFS / OGC API - Features, URL: "))
                    code { (view.address("/")) } }
                dt { "ArcGIS Pro" }
                dd { (view.say("插入 → 连接 → 新建 OGC API 服务器，地址：", "Insert → Connections → New OGC API Server, URL: "))
                    code { (view.address("/")) } }
                dt { "GDAL" }
                dd { code { "ogrinfo OAPIF:" (view.address("/")) } }
            }
        }
    }
}

/// A layer.
pub(in super::super) fn collection_page(
    view: &View,
    collection: &Collection,
    representations: &[Representation],
) -> Response {
    let (lang, state) = (view.lang, &collection.state);
    let (layer, table) = (state.layer(), state.table());
    let path = collection.path();
    let is_small = table.len() <= MOST_DRAWN;
    let rows: Vec<Row> = if is_small { table.rows().collect() } else { Vec::new() };
    let link = |id: i64| Some(view.href(&format!("{path}/items/{id}")));
    let outline = state.extent().filter(|_| !is_small).map(|extent| Shape::of_bounds(&extent));
    let mut drawn = shapes(state, &rows, link);
    drawn.extend(outline.iter().map(|outline| Drawn {
        shape: outline.view(),
        href: Some(view.href(&format!("{path}/items"))),
        title: view.say("图层范围", "extent of the layer").to_owned(),
        color: NO_COLOR.to_owned(),
    }));
    let sketch = draw(lang, drawn, None);
    let body = html! {
        (caution(lang, layer.provenance))
        @if !layer.description.is_empty() { p.lead { bdi { (layer.description) } } }
        nav.more aria-label=(view.say("此图层", "This layer")) {
            a.primary href=(view.href(&format!("{path}/items"))) { (view.say("要素表与地图", "Items: table and map")) }
            a href=(view.href(&format!("{path}/statistics"))) { (view.say("统计", "Statistics")) }
            a href=(view.href(&format!("{path}/schema"))) { (view.say("字段说明", "Schema")) }
            a href=(view.href(&format!("{path}/queryables"))) { (view.say("可筛选字段", "Queryables")) }
            a href=(view.href(&format!("{path}/sortables"))) { (view.say("可排序字段", "Sortables")) }
            @if layer.geometry != GeometryClass::None {
                a href=(view.href(&format!("{path}/tiles"))) { (view.say("瓦片", "Tiles")) }
            }
        }
        (downloads(view, layer))
        div.beside {
            @if let Some(sketch) = &sketch {
                figure {
                    (sketch.svg)
                    figcaption {
                        (legend(view, state, &rows))
                        @if !is_small {
                            p.small {
                                (view.say("要素较多，这里只画图层范围；要素见", "Too many items to be drawn here: this is the extent of the layer. See the "))
                                a href=(view.href(&format!("{path}/items"))) { (view.say("要素表与地图", "items")) }
                            }
                        }
                        @for note in &sketch.notes { p.small { (note) } } }
                }
            }
            div { (about(view, state)) }
        }
    };
    let title = layer_title(lang, layer);
    let crumbs = vec![(view.say("图层", "Layers").to_owned(), "/collections".to_owned())];
    view.answer(&Page {
        title,
        crumbs,
        offered: representations,
        badge: Some(badge(lang, layer.provenance)),
        step: None,
        body,
    })
}

fn about(view: &View, state: &LayerState) -> Markup {
    let (lang, layer) = (view.lang, state.layer());
    let other = lang.either(&layer.title_en, &layer.title);
    html! {
        table.facts {
            tbody {
                tr { th scope="row" { (view.say("标识", "Id")) } td { code { bdi { (layer.id) } } } }
                @if !other.is_empty() {
                    tr { th scope="row" { (view.say("英文名称", "Chinese title")) } td { bdi { (if lang == Lang::Zh { &layer.title_en } else { &layer.title }) } } }
                }
                tr { th scope="row" { (view.say("要素数", "Items")) } td { (count(state.table().len())) } }
                tr { th scope="row" { (view.say("几何", "Geometry")) } td { (geometry_word(lang, layer.geometry)) } }
                tr { th scope="row" { (view.say("性质", "Provenance")) } td { (badge(lang, layer.provenance)) } }
                tr { th scope="row" { (view.say("测量坐标系", "Survey grid")) } td { bdi { (state.grid().crs().name()) } " " code { bdi { (short_grid(&layer.grid)) } } } }
                tr { th scope="row" { (view.say("范围（经纬度）", "Extent (degrees)")) } td {
                    @match state.extent() {
                        Some(extent) => (format!("{:.6}, {:.6} — {:.6}, {:.6}", extent.min.x, extent.min.y, extent.max.x, extent.max.y)),
                        None => (none()),
                    }
                } }
            }
        }
        details {
            summary { (view.say("提供的坐标系", "Coordinate reference systems offered")) }
            ul { @for uri in offered(state) { li { (crs_title(&uri)) } } }
        }
    }
}

/// A grid's code; a definition is too long to be read.
fn short_grid(grid: &str) -> &str {
    if grid.len() <= 20 { grid } else { "WKT" }
}
