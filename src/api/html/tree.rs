//! Any JSON document of ours to be read: objects as tables of name and value, lists of alike objects as tables, links as
//! links.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{
    super::negotiate::Representation,
    frame::{Crumb, Page, View},
    values::{none, written},
};

/// Columns of a table of alike objects; wider ones are shown one below the other.
const MOST_COLUMNS: usize = 10;

/// A document with its title and the way to it.
pub(in super::super) fn document_page(
    view: &View,
    (title, crumbs): (String, Vec<Crumb>),
    document: &Value,
    offered: &[Representation],
) -> Response {
    let label = view.say("文档，可滚动", "Document, scrollable");
    let body = html! { div.document role="region" tabindex="0" aria-label=(label) { (any(view, document)) } };
    view.answer(&Page { title, crumbs, offered, badge: None, step: None, body })
}

fn any(view: &View, value: &Value) -> Markup {
    match value {
        Value::Null => none(),
        Value::Bool(truth) => html! { (if *truth { view.say("是", "yes") } else { view.say("否", "no") }) },
        Value::Number(number) => html! { (number) },
        Value::String(text) => string(view, text),
        Value::Array(list) => array(view, list),
        Value::Object(members) => object(view, members),
    }
}

/// Text; an address of this server is a link within it.
fn string(view: &View, text: &str) -> Markup {
    match view.local(text) {
        Some(path) if !text.contains('{') => html! { a href=(path) { bdi { (text) } } },
        _ => written(view.lang, text, false),
    }
}

fn object(view: &View, members: &Map<String, Value>) -> Markup {
    if members.is_empty() {
        return none();
    }
    if members.get("href").is_some_and(Value::is_string) {
        return link(view, members);
    }
    html! {
        table.facts {
            tbody {
                @for (name, value) in members {
                    tr { th scope="row" { bdi { (name) } } td { (any(view, value)) } }
                }
            }
        }
    }
}

fn link(view: &View, members: &Map<String, Value>) -> Markup {
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let rel = text("rel").rsplit('/').next().unwrap_or_default();
    html! {
        (rel) ": " (string(view, text("href")))
        @if !text("type").is_empty() { " " span.small { (text("type")) } }
    }
}

fn array(view: &View, list: &[Value]) -> Markup {
    if list.is_empty() {
        return none();
    }
    if let Some(columns) = columns_of(list) {
        return html! {
            div.scroll.fit role="region" tabindex="0" aria-label=(view.say("表，可滚动", "Table, scrollable")) {
                table {
                    thead { tr { @for name in &columns { th scope="col" { bdi { (name) } } } } }
                    tbody { @for member in list { tr {
                        @for name in &columns { td.num[member[name.as_str()].is_number()] { (any(view, &member[name.as_str()])) } }
                    } } }
                }
            }
        };
    }
    if list.iter().all(|member| !member.is_object() && !member.is_array()) {
        return html! { @for (place, member) in list.iter().enumerate() { @if place > 0 { ", " } (any(view, member)) } };
    }
    html! { ul.tree { @for member in list { li { (any(view, member)) } } } }
}

/// The columns of a list of objects that have the same few members, none of them an object.
fn columns_of(list: &[Value]) -> Option<Vec<String>> {
    let first = list.first()?.as_object()?;
    let columns: Vec<String> = first.keys().cloned().collect();
    let is_alike = |member: &Value| {
        member.as_object().is_some_and(|member| {
            member.keys().eq(columns.iter())
                && member.values().all(|value| !value.is_object())
                && !member.contains_key("href")
        })
    };
    (columns.len() <= MOST_COLUMNS && list.iter().all(is_alike)).then_some(columns)
}
