//! The API definition, to be read: each operation with its parameters and answers.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::{
    super::negotiate::Representation,
    frame::{Page, View},
    values::none,
};

/// The API definition of a document of OpenAPI.
pub(in super::super) fn definition_page(view: &View, document: &Value, offered: &[Representation]) -> Response {
    let paths: Vec<(&String, &Value)> = document["paths"].as_object().into_iter().flatten().collect();
    let body = html! {
        p.lead { (text(&document["info"], "description")) }
        p {
            (view.say("机器可读的定义：", "For programs: "))
            a href=(view.here(&[("f", Some("json"))])) { "OpenAPI " (text(document, "openapi")) }
            " · " a href=(view.href("/conformance")) { (view.say("符合性", "Conformance")) }
            " · " a href=(view.href("/tileMatrixSets")) { (view.say("瓦片方案", "Tile matrix sets")) }
            " · " a href=(view.href("/styles")) { (view.say("地图样式", "Map styles")) }
            " · " (view.say("服务地址 ", "base URL ")) code { (view.address("")) }
        }
        @for tag in document["tags"].as_array().into_iter().flatten() {
            @let tag = text(tag, "name");
            h2 { (tag) }
            @for (path, operation) in paths.iter().map(|(path, item)| (path, &item["get"])).filter(|(_, get)| get["tags"][0] == tag) {
                (operation_card(view, path, operation, document))
            }
        }
    };
    let title = view.say("接口说明", "API").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered, badge: None, step: None, body })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn operation_card(view: &View, path: &str, operation: &Value, document: &Value) -> Markup {
    let parameters: Vec<&Value> =
        operation["parameters"].as_array().into_iter().flatten().map(|given| resolved(given, document)).collect();
    html! {
        section.card id=(text(operation, "operationId")) {
            h3 { span.badge { "GET" } " "
                @if path.contains('{') { code { (path) } } @else { a href=(way(view, path)) { code { (path) } } }
            }
            p { (text(operation, "summary")) }
            @if !parameters.is_empty() {
                details {
                    summary { (parameters.len()) (view.say(" 个参数", " parameters")) }
                    (parameter_table(view, &parameters))
                }
            }
            p.small { (answers(operation, document)) }
        }
    }
}

/// Where a path without choices is; what is for programs alone takes no language.
fn way(view: &View, path: &str) -> String {
    if path.starts_with("/health/") { view.file(path) } else { view.href(path) }
}

fn resolved<'d>(given: &'d Value, document: &'d Value) -> &'d Value {
    let found = given["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    found.unwrap_or(given)
}

fn parameter_table(view: &View, parameters: &[&Value]) -> Markup {
    html! {
        table.facts {
            thead { tr {
                th scope="col" { (view.say("参数", "Parameter")) }
                th scope="col" { (view.say("位置", "In")) }
                th scope="col" { (view.say("类型", "Type")) }
                th scope="col" { (view.say("说明（英文）", "About")) }
            } }
            tbody {
                @for parameter in parameters {
                    tr {
                        th scope="row" { code { (text(parameter, "name")) } }
                        td { (text(parameter, "in")) }
                        td { (kind(&parameter["schema"])) }
                        td { @match parameter["description"].as_str() { Some(about) => (about), None => (none()) } }
                    }
                }
            }
        }
    }
}

/// A parameter's type, choices, bounds and default in a line.
fn kind(schema: &Value) -> Markup {
    let inner = if schema["type"] == "array" { &schema["items"] } else { schema };
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    html! {
        (text(inner, "type"))
        @if schema["type"] == "array" { ", …" }
        @if let Some(choices) = inner["enum"].as_array() {
            ": "
            @for (number, choice) in choices.iter().enumerate() { @if number > 0 { ", " } code { (plain(choice)) } }
        }
        @if let (Some(least), most) = (inner.get("minimum"), inner.get("maximum")) {
            ", " (plain(least)) "–" @if let Some(most) = most { (plain(most)) }
        }
        @if let Some(usual) = schema.get("default") { "; = " code { (plain(usual)) } }
    }
}

fn answers(operation: &Value, document: &Value) -> Markup {
    let responses: Vec<(&String, &Value)> = operation["responses"].as_object().into_iter().flatten().collect();
    html! {
        @for (number, (status, response)) in responses.iter().enumerate() {
            @if number > 0 { " · " }
            @let response = resolved(response, document);
            strong { (status) } " "
            @for (number, kind) in response["content"].as_object().into_iter().flatten().map(|(kind, _)| kind).enumerate() {
                @if number > 0 { ", " } (kind)
            }
        }
    }
}
