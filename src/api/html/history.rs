//! The history of a feature as a page: its versions, newest first.

use axum::response::Response;
use maud::{Markup, html};

use crate::{
    domain::{
        feature::Value,
        layer::Layer,
        schema::{Field, FieldType},
    },
    ground::units::{Area, AreaUnit},
    planner::Version,
};

use super::{
    super::{
        collection::Collection,
        negotiate::{HTML, JSON},
    },
    frame::{Page, View},
    lang::Lang,
    values::{area_text, badge, field_title, layer_title, none, unit_word, value},
};

/// The page.
pub(in super::super) fn history_page(view: &View, collection: &Collection, id: i64, versions: &[Version]) -> Response {
    let layer = collection.state.layer();
    let path = collection.path();
    let layer_title = layer_title(view.lang, layer);
    let body = html! {
        @for version in versions {
            section {
                h2 { (view.say("版本 ", "Version ")) (version.made.seq) " · " (operation(view.lang, version)) }
                p {
                    (moment(version.made.at)) " · " bdi { (version.made.author) }
                    @if !version.made.note.is_empty() { " · " bdi { (version.made.note) } }
                }
                @if version.kept { (changes(view, layer, version)) }
                @else { p { (view.say("记录已压缩，此版本的内容不再保留。", "The record was compacted: what changed is not kept.")) } }
                (relatives(view, &path, version))
            }
        }
        nav.more aria-label=(view.say("相关", "Related")) {
            a href=(view.href(&format!("{path}/items/{id}"))) { (view.say("要素现状", "The feature today")) }
            a href=(view.href(&format!("{path}/items"))) { (view.say("全部要素", "All items")) }
        }
    };
    let crumbs = vec![
        (view.say("图层", "Layers").to_owned(), "/collections".to_owned()),
        (layer_title.clone(), path.clone()),
        (view.say("要素", "Items").to_owned(), format!("{path}/items")),
        (id.to_string(), format!("{path}/items/{id}")),
    ];
    let title = format!("{layer_title} {id}{}", view.say("：历史", ": history"));
    let step = Some(view.say("历史", "History"));
    view.answer(&Page {
        title,
        crumbs,
        offered: &[JSON, HTML],
        badge: Some(badge(view.lang, layer.provenance)),
        step,
        body,
    })
}

fn operation(lang: Lang, version: &Version) -> &'static str {
    match (version.kept, version.operation) {
        (false, _) => lang.say("不详", "unknown"),
        (_, "added") => lang.say("新增", "added"),
        (_, "removed") => lang.say("删除", "removed"),
        _ => lang.say("修改", "changed"),
    }
}

/// A moment at the clock of the county (UTC+8).
fn moment(at: i64) -> String {
    let local = crate::domain::calendar::date_time_text(at.div_euclid(1000) * 1000 + 8 * 3_600_000);
    local.replace('T', " ").replace('Z', " +08:00")
}

fn changes(view: &View, layer: &Layer, version: &Version) -> Markup {
    let area = |area: Option<Area>| match area {
        Some(area) => html! { (area_text(area, AreaUnit::M2)) " " span.unit { (unit_word(view.lang, AreaUnit::M2)) } },
        None => none(),
    };
    html! {
        table.facts {
            thead { tr {
                th scope="col" { (view.say("属性", "Property")) }
                th scope="col" { (view.say("修改前", "Before")) }
                th scope="col" { (view.say("修改后", "After")) }
            } }
            tbody {
                @for (name, before, after) in &version.differences {
                    @let field = field_of(layer, name, before, after);
                    tr {
                        th scope="row" { bdi { (field_title(view.lang, &field)) } }
                        td { (value(view.lang, &field, before.view(), false)) }
                        td { (value(view.lang, &field, after.view(), false)) }
                    }
                }
                @if version.area.0.is_some() || version.area.1.is_some() {
                    tr {
                        th scope="row" { (view.say("椭球面积", "Ellipsoidal area")) }
                        td { (area(version.area.0)) }
                        td { (area(version.area.1)) }
                    }
                }
            }
        }
        @if version.geometry_changed { p.small { (view.say("几何已改变。", "The geometry is another.")) } }
    }
}

/// The column of a name; one that the layer has no more is shown by its values.
fn field_of(layer: &Layer, name: &str, before: &Value, after: &Value) -> Field {
    let known = layer.schema.position(name).map(|place| layer.schema.fields[place].clone());
    known.unwrap_or_else(|| Field::new(name, before.kind().or(after.kind()).unwrap_or(FieldType::Text)))
}

fn relatives(view: &View, path: &str, version: &Version) -> Markup {
    let list = |title: &str, ids: &[i64]| {
        html! {
            @if !ids.is_empty() {
                p {
                    (title)
                    @for id in ids { " " a href=(view.href(&format!("{path}/items/{id}/history"))) { (id) } }
                }
            }
        }
    };
    html! {
        (list(view.say("来自：", "Came from: "), &version.parents))
        (list(view.say("分出：", "Became: "), &version.children))
    }
}
