//! A page of features: a table beside a map, and the form that asks for others.

use axum::response::Response;
use maud::{Markup, html};

use crate::{
    catalog::LayerState,
    domain::{
        feature::ValueRef,
        layer::Layer,
        schema::{Derived, Field},
    },
    engine::table::{Row, Table},
};

use super::{
    super::{collection::Collection, negotiate::Representation, query::Query},
    downloads::downloads,
    frame::{Page, View, isolated},
    lang::Lang,
    map::{Drawn, NO_COLOR, Sketch, USUAL_COLOR, draw, safe_color},
    values::{
        badge, caution, cell, count, derived, derived_title, feature_name, field_title, head, is_number, layer_title,
        none, property_title,
    },
};

/// Features on a page for people where the request does not say how many, and at most.
pub(in super::super) const PAGE_LIMIT: usize = 100;
/// More rows than this no browser shows at ease; `limit` beyond it means this many, and the page says so.
pub(in super::super) const PAGE_MAX: usize = 1000;
/// Code lists up to this length become a choice in the form.
const MOST_CHOICES: usize = 80;
/// Values of the map's legend.
const MOST_LEGEND: usize = 24;

/// A page of features, found but not written.
pub(in super::super) struct ItemsPage<'a> {
    pub(in super::super) collection: &'a Collection,
    pub(in super::super) rows: &'a [Row],
    /// How many match in all.
    pub(in super::super) matched: usize,
    /// Where the next page begins.
    pub(in super::super) next: Option<String>,
    /// Stored columns that are shown.
    pub(in super::super) columns: Vec<usize>,
    /// Derived areas that are shown.
    pub(in super::super) derived: Vec<Derived>,
    pub(in super::super) offered: &'a [Representation],
}

/// The page.
pub(in super::super) fn items_page(view: &View, page: &ItemsPage<'_>) -> Response {
    let (lang, state) = (view.lang, &page.collection.state);
    let layer = state.layer();
    let title = layer_title(lang, layer);
    let sketch = sketch_of(view, page);
    let body = html! {
        (caution(lang, layer.provenance))
        (form(view, layer))
        p.counts role="status" {
            (matched(view, page))
            @if view.query().value("next").is_some() {
                " " a href=(view.here(&[("next", None)])) { (view.say("回到第一页", "First page")) }
            }
            @if let Some(token) = &page.next { " " (next_link(view, token)) }
        }
        @if page.rows.is_empty() {
            p.empty {
                (view.say("没有符合条件的要素。", "No feature matches."))
                @if view.query().pairs().any(|(name, _)| !["lang", "f"].contains(&name)) {
                    " " a href=(view.href(&format!("{}/items", page.collection.path()))) { (view.say("清除全部条件", "Clear all conditions")) }
                }
            }
        } @else {
            div.beside.mapless[sketch.is_none()] {
                @if let Some(sketch) = &sketch { (figure(view, page, sketch)) }
                (table(view, page))
            }
            @if let Some(token) = &page.next { p { (next_link(view, token)) } }
            (downloads(view, layer))
        }
    };
    let crumbs = vec![
        (view.say("图层", "Layers").to_owned(), "/collections".to_owned()),
        (title.clone(), page.collection.path()),
    ];
    let heading = match lang {
        Lang::Zh => format!("{title}：要素"),
        Lang::En => format!("{title}: items"),
    };
    view.answer(&Page {
        title: heading,
        crumbs,
        offered: page.offered,
        badge: Some(badge(lang, layer.provenance)),
        step: Some(view.say("要素", "Items")),
        body,
    })
}

fn matched(view: &View, page: &ItemsPage<'_>) -> Markup {
    let (matched, shown) = (count(page.matched), count(page.rows.len()));
    let asked = view.query().value("limit").and_then(|text| text.parse::<usize>().ok());
    html! {
        @match view.lang {
            Lang::Zh => { "符合条件 " strong { (matched) } " 个，本页 " strong { (shown) } " 个。" }
            Lang::En => { strong { (matched) } " matched, " strong { (shown) } " on this page." }
        }
        @if asked.is_none() && page.next.is_some() {
            " " span.small { (view.say("未指定每页数量时为 100 个。", "Pages hold 100 where no limit is given.")) }
        }
        @if asked.is_some_and(|asked| asked > PAGE_MAX) {
            " " span.small { (view.say("网页每页最多 1,000 个；要更多请用其他格式。", "A page for reading holds 1,000 at most: other formats hold more.")) }
        }
    }
}

fn next_link(view: &View, token: &str) -> Markup {
    html! { a.next rel="next" href=(view.here(&[("next", Some(token))])) { (view.say("下一页 →", "Next page →")) } }
}

/// Which features, in which order, how many: a form that needs no script.
fn form(view: &View, layer: &Layer) -> Markup {
    let query = view.query();
    let is_asked =
        query.pairs().any(|(name, _)| !["f", "lang", "next", "limit", "sortby", "crs", "properties"].contains(&name));
    let coded = coded(layer);
    let mut own = vec!["filter", "bbox", "sortby", "limit", "next", "datetime"];
    own.extend(coded.iter().map(|field| field.name.as_str()));
    html! {
        details.ask open[is_asked] {
            summary { (view.say("筛选与排序", "Filter and sort")) }
            form method="get" action=(view.action()) {
                (view.hidden())
                (hidden(query, &own))
                @for field in coded { (choice(view, field)) }
                label.wide { span { (view.say("筛选条件（CQL2）", "Filter (CQL2)")) }
                    input type="text" name="filter" value=[query.value("filter")] spellcheck="false" autocomplete="off"
                        placeholder=(example(layer)); }
                label { span { (view.say("范围（西,南,东,北）", "Box (west,south,east,north)")) }
                    input type="text" name="bbox" value=[query.value("bbox")] inputmode="text" autocomplete="off"
                        placeholder="112.9,22.6,113.0,22.7"; }
                (view.day_field())
                label { span { (view.say("排序", "Sort by")) } (order_choice(view, layer)) }
                label { span { (view.say("每页数量", "Per page")) }
                    input type="number" name="limit" min="1" max=(PAGE_MAX) value=[query.value("limit")] placeholder=(PAGE_LIMIT); }
                div.send {
                    button type="submit" { (view.say("查询", "Apply")) }
                    @if is_asked { a href=(view.href(&format!("{}/items", super::super::collection::path_of(layer.id.as_str())))) { (view.say("清除", "Clear")) } }
                }
            }
            p.small {
                (view.say("可用的属性见", "Properties that filters may name: "))
                a href=(view.href(&format!("{}/queryables", super::super::collection::path_of(layer.id.as_str())))) { (view.say("可筛选字段", "queryables")) }
            }
        }
    }
}

/// Columns whose code list is short enough to choose from.
fn coded(layer: &Layer) -> Vec<&Field> {
    let is_free = |name: &str| {
        !["f", "lang", "filter", "bbox", "sortby", "limit", "next", "crs", "properties", "datetime"].contains(&name)
    };
    let fields = layer.schema.fields.iter();
    fields.filter(|field| (1..=MOST_CHOICES).contains(&field.codes.len()) && is_free(&field.name)).collect()
}

fn choice(view: &View, field: &Field) -> Markup {
    let given = view.query().value(&field.name);
    html! {
        label { span { (field_title(view.lang, field)) }
            select name=(field.name) {
                option value="" { (view.say("全部", "all")) }
                @for code in &field.codes {
                    option value=(code.value) selected[given == Some(code.value.as_str())] {
                        (isolated(view.lang.either(&code.title, &code.title_en)))
                    }
                }
                @if let Some(other) = given.filter(|given| field.codes.iter().all(|code| code.value != *given)) {
                    option value=(other) selected { (isolated(other)) }
                }
            }
        }
    }
}

/// The query's other parameters, to be sent on with a form.
pub(super) fn hidden(query: &Query, own: &[&str]) -> Markup {
    html! {
        @for (name, value) in query.pairs().filter(|(name, _)| !own.contains(name)) {
            input type="hidden" name=(name) value=(value);
        }
    }
}

fn example(layer: &Layer) -> String {
    match layer.schema.fields.iter().find_map(|field| Some((&field.name, field.codes.first()?))) {
        Some((name, code)) => format!("{name} = '{}'", code.value.replace('\'', "''")),
        None if layer.geometry.has_areas() => "area_mu > 100".to_owned(),
        None => layer.schema.fields.first().map_or(String::new(), |field| format!("{} IS NOT NULL", field.name)),
    }
}

/// Everything that features can be sorted by.
fn sortable(layer: &Layer) -> Vec<&str> {
    let stored = layer.schema.fields.iter().map(|field| field.name.as_str());
    let derived = Derived::ALL.iter().filter(|_| layer.geometry.has_areas()).map(|derived| derived.name());
    stored.chain(derived).collect()
}

fn order_choice(view: &View, layer: &Layer) -> Markup {
    let given = view.query().value("sortby");
    let names = sortable(layer);
    let is_listed = |given: &str| names.contains(&given.trim_start_matches('-'));
    html! {
        select name="sortby" {
            option value="" { (view.say("要素号", "Id")) }
            @for name in &names {
                @let descending = format!("-{name}");
                @let title = property_title(view.lang, layer, name);
                option value=(name) selected[given == Some(name)] { (isolated(&title)) " ↑" }
                option value=(descending) selected[given == Some(&descending)] { (isolated(&title)) " ↓" }
            }
            @if let Some(other) = given.filter(|given| !is_listed(given)) { option value=(other) selected { (isolated(other)) } }
        }
    }
}

/// A column's head that sorts: upwards, downwards, then by id again.
fn sorting_head(view: &View, name: &str, title: &Markup, is_number: bool) -> Markup {
    let descending = format!("-{name}");
    let given = view.query().value("sortby").map(|text| text.trim_start_matches('+'));
    let (state, mark, next) = match given {
        Some(text) if text == name => (Some("ascending"), "▲", Some(descending.as_str())),
        Some(text) if text == descending => (Some("descending"), "▼", None),
        _ => (None, "", Some(name)),
    };
    html! {
        th scope="col" .num[is_number] aria-sort=[state] {
            a href=(view.here(&[("sortby", next), ("next", None)])) { (title) }
            @if state.is_some() { span aria-hidden="true" { " " (mark) } }
        }
    }
}

fn table(view: &View, page: &ItemsPage<'_>) -> Markup {
    let (lang, state) = (view.lang, &page.collection.state);
    let (layer, table) = (state.layer(), state.table());
    let fields: Vec<(usize, &Field)> =
        page.columns.iter().map(|column| (*column, &layer.schema.fields[*column])).collect();
    let path = page.collection.path();
    let label = view.say("要素表，可滚动", "Items, scrollable");
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table {
                thead { tr {
                    th.num scope="col" { (view.say("要素号", "Id")) }
                    @for (_, field) in &fields { (sorting_head(view, &field.name, &head(lang, field), is_number(field))) }
                    @for area in &page.derived {
                        (sorting_head(view, area.name(), &html! { (derived_title(lang, *area)) }, true))
                    }
                } }
                tbody {
                    @for row in page.rows {
                        @let id = table.id(*row);
                        tr {
                            th.num scope="row" { a href=(view.href(&format!("{path}/items/{id}"))) { (id) } }
                            @for (column, field) in &fields {
                                (cell(lang, field, table.value(*row, *column)))
                            }
                            @for area in &page.derived {
                                td.num { @match derived(table, *row, *area) { Some(text) => (text), None => (none()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figure(view: &View, page: &ItemsPage<'_>, sketch: &Sketch) -> Markup {
    let state = &page.collection.state;
    let placeless = page.rows.iter().filter(|row| state.table().shape(**row).is_none()).count();
    html! {
        figure {
            (sketch.svg)
            figcaption {
                (legend(view, state, page.rows))
                p.small {
                    (view.say("本页要素；点按图形打开要素。", "The items of this page; a shape leads to its item."))
                    @if placeless > 0 {
                        " " (count(placeless)) (view.say(" 个要素没有几何。", " items have no geometry."))
                    }
                    @for note in &sketch.notes { " " (note) (view.say("。", ".")) }
                }
            }
        }
    }
}

fn sketch_of(view: &View, page: &ItemsPage<'_>) -> Option<Sketch> {
    let path = page.collection.path();
    let link = |id: i64| Some(view.href(&format!("{path}/items/{id}")));
    draw(view.lang, shapes(&page.collection.state, page.rows, link), page.collection.state.extent())
}

/// Features of a layer, to be drawn in the colours of its code list.
pub(super) fn shapes<'a>(state: &'a LayerState, rows: &[Row], link: impl Fn(i64) -> Option<String>) -> Vec<Drawn<'a>> {
    let (layer, table) = (state.layer(), state.table());
    let coloring = coloring(layer);
    let drawn = |row: &Row| {
        let (shape, id) = (table.shape(*row)?, table.id(*row));
        let title = feature_name(layer, table, *row).map_or(format!("{id}"), |name| format!("{name} ({id})"));
        Some(Drawn { shape, href: link(id), title, color: color_of(layer, table, *row, coloring) })
    };
    rows.iter().filter_map(drawn).collect()
}

/// The first column whose code list has colours: those of the plan.
fn coloring(layer: &Layer) -> Option<usize> {
    layer.schema.fields.iter().position(|field| field.codes.iter().any(|code| code.color.is_some()))
}

fn color_of(layer: &Layer, table: &Table, row: Row, coloring: Option<usize>) -> String {
    let Some(column) = coloring else { return USUAL_COLOR.to_owned() };
    let text = match table.value(row, column) {
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        _ => return NO_COLOR.to_owned(),
    };
    let code = layer.schema.fields[column].codes.iter().find(|code| code.value == text);
    code.and_then(|code| code.color.clone()).unwrap_or_else(|| NO_COLOR.to_owned())
}

/// What the colours mean, for the values that the page has.
pub(super) fn legend(view: &View, state: &LayerState, rows: &[Row]) -> Markup {
    let (layer, table) = (state.layer(), state.table());
    let Some(column) = coloring(layer) else { return html! {} };
    let field = &layer.schema.fields[column];
    let is_here = |value: &str| {
        rows.iter().any(|row| match table.value(*row, column) {
            ValueRef::Text(text) => text == value,
            ValueRef::Integer(number) => number.to_string() == value,
            _ => false,
        })
    };
    let present: Vec<_> = field.codes.iter().filter(|code| code.color.is_some() && is_here(&code.value)).collect();
    html! {
        ul.legend aria-label=(field_title(view.lang, field)) {
            @for code in present.iter().take(MOST_LEGEND) {
                li {
                    svg width="12" height="12" aria-hidden="true" { rect width="12" height="12" fill=(safe_color(code.color.as_deref().unwrap_or(NO_COLOR))) {} }
                    " " bdi { (view.lang.either(&code.title, &code.title_en)) }
                }
            }
            @if present.len() > MOST_LEGEND { li { (view.say("其余见表", "more in the table")) } }
        }
    }
}
