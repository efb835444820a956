//! The documents that describe: conformance classes, schemas.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::{
    super::{collection::Collection, negotiate::Representation},
    frame::{Page, View, way_to},
    values::{badge, none, written},
};

/// The conformance classes, by standard.
pub(in super::super) fn conformance_page(view: &View, document: &Value, offered: &[Representation]) -> Response {
    let classes: Vec<&str> =
        document["conformsTo"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut standards: Vec<(&str, Vec<&str>)> = Vec::new();
    for class in &classes {
        let standard = class.split_once("/conf/").map_or(*class, |(standard, _)| standard);
        match standards.iter_mut().find(|(known, _)| *known == standard) {
            Some((_, list)) => list.push(class),
            None => standards.push((standard, vec![class])),
        }
    }
    let body = html! {
        p.lead { (view.say("本服务实现的标准与符合性类别。", "The standards that this server implements, by conformance class.")) }
        @for (standard, list) in &standards {
            h2 { (standard.rsplit("/spec/").next().unwrap_or(standard)) }
            ul.classes { @for class in list { li { (written(view.lang, class, false)) } } }
        }
    };
    let title = view.say("符合性", "Conformance").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered, badge: None, step: None, body })
}

/// A schema as a table: `what` is its last step in the path.
pub(in super::super) fn schema_page(
    view: &View,
    collection: &Collection,
    (what, document): (&str, &Value),
    offered: &[Representation],
) -> Response {
    let layer = collection.state.layer();
    let (title, lead) = match what {
        "queryables" => (
            view.say("可筛选字段", "Queryables"),
            view.say("筛选条件（CQL2）可以使用的属性。", "Properties that filters (CQL2) may name."),
        ),
        "sortables" => (
            view.say("可排序字段", "Sortables"),
            view.say("排序参数可以使用的属性。", "Properties that sortby may name."),
        ),
        _ => (
            view.say("字段说明", "Schema"),
            view.say("此图层的字段、类型、单位与代码表。", "The layer's fields, types, units and code lists."),
        ),
    };
    let properties = document["properties"].as_object();
    let sorts = what == "sortables";
    let body = html! {
        p.lead { (lead) }
        div.scroll role="region" tabindex="0" aria-label=(view.say("字段，可滚动", "Fields, scrollable")) {
            table {
                thead { tr {
                    th scope="col" { (view.say("名称", "Name")) }
                    th scope="col" { (view.say("标题", "Title")) }
                    th scope="col" { (view.say("英文标题", "Chinese title")) }
                    th scope="col" { (view.say("类型", "Type")) }
                    th scope="col" { (view.say("单位", "Unit")) }
                    th scope="col" { (view.say("取值", "Values")) }
                } }
                tbody {
                    @for (name, property) in properties.into_iter().flatten() {
                        tr {
                            th scope="row" {
                                @if sorts {
                                    @let query = form_urlencoded::Serializer::new(String::new()).append_pair("sortby", name).finish();
                                    a href=(view.href(&format!("{}/items?{query}", collection.path()))) { code { bdi { (name) } } }
                                } @else { code { bdi { (name) } } }
                            }
                            (titles(view, property))
                            td { (kind(view, property)) }
                            td { @match property["x-unit"].as_str() { Some(unit) => bdi { (unit) }, None => (none()) } }
                            td { (codes(view, property)) }
                        }
                    }
                }
            }
        }
    };
    let crumbs = way_to(view, collection);
    let badge = Some(badge(view.lang, layer.provenance));
    view.answer(&Page { title: title.to_owned(), crumbs, offered, badge, step: None, body })
}

fn titles(view: &View, property: &Value) -> Markup {
    let (zh, en) =
        (property["title"].as_str().unwrap_or_default(), property["x-title-en"].as_str().unwrap_or_default());
    let (first, second) = (view.say(zh, en), view.say(en, zh));
    html! { td { bdi { (first) } } td { bdi { (second) } } }
}

fn kind(view: &View, property: &Value) -> Markup {
    let format = property["format"].as_str().unwrap_or_default();
    let word = match (property["type"].as_str().unwrap_or_default(), format) {
        ("boolean", _) => view.say("是否", "yes or no"),
        ("integer", _) => view.say("整数", "whole number"),
        ("number", _) => view.say("数值", "number"),
        ("string", "date") => view.say("日期", "date"),
        ("string", "date-time") => view.say("时刻", "moment"),
        ("string", _) => view.say("文本", "text"),
        _ => view.say("几何", "geometry"),
    };
    html! {
        (word)
        @if format.starts_with("geometry") { " " code { (format) } }
        @if property["readOnly"] == Value::Bool(true) { " " span.small { (view.say("（由几何算得）", "(derived from the geometry)")) } }
    }
}

fn codes(view: &View, property: &Value) -> Markup {
    let Some(codes) = property["oneOf"].as_array() else { return none() };
    let text = |code: &Value, name: &str| code[name].as_str().unwrap_or_default().to_owned();
    html! {
        details open[codes.len() <= 6] {
            summary { (codes.len()) (view.say(" 项代码", " codes")) }
            ul.codes {
                @for code in codes {
                    li {
                        @if let Some(color) = code["x-color"].as_str() {
                            svg width="12" height="12" aria-hidden="true" { rect width="12" height="12" fill=(super::map::safe_color(color)) {} }
                            " "
                        }
                        code { bdi { (text(code, "const")) } } " "
                        bdi { (view.lang.either(&text(code, "title"), &text(code, "x-title-en"))) }
                    }
                }
            }
        }
    }
}
