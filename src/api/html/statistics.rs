//! Statistics: the very figures of the JSON as a table with its total, what they mean, and the form that asks for others.

use axum::response::Response;
use maud::{Markup, html};

use crate::{
    domain::{
        feature::Value,
        layer::{GeometryClass, Layer},
        schema::Derived,
    },
    engine::stats::{Group, Statistics},
    ground::units::{AreaUnit, Basis},
};

use super::{
    super::{collection::Collection, negotiate::Representation},
    frame::{Page, View, isolated},
    items::hidden,
    values::{
        badge, basis_word, caution, count, figure, layer_title, none, percent, property_title, unit_word, value,
        written,
    },
};

/// The answer to a question, as a page.
pub(in super::super) fn statistics_page(
    view: &View,
    collection: &Collection,
    answer: &Statistics,
    offered: &[Representation],
) -> Response {
    let layer = collection.state.layer();
    let layer_title = layer_title(view.lang, layer);
    let body = html! {
        (caution(view.lang, layer.provenance))
        (zone_cautions(view, collection))
        (form(view, collection))
        (table(view, collection, answer))
        (notes(view, answer))
    };
    let title = format!("{layer_title}{}", view.say("：统计", ": statistics"));
    let crumbs =
        vec![(view.say("图层", "Layers").to_owned(), "/collections".to_owned()), (layer_title, collection.path())];
    let badge = Some(badge(view.lang, layer.provenance));
    view.answer(&Page { title, crumbs, offered, badge, step: Some(view.say("统计", "Statistics")), body })
}

/// Zones that are not what land is by law say so too.
fn zone_cautions(view: &View, collection: &Collection) -> Markup {
    let own = collection.state.layer();
    let names = view.query().value("within").unwrap_or_default();
    let zones = names.split(',').filter_map(|name| collection.catalog.layer(name.trim()));
    html! {
        @for zone in zones.map(|state| state.layer()).filter(|zone| zone.provenance != own.provenance) {
            div { (caution(view.lang, zone.provenance)) p.small { bdi { (layer_title(view.lang, zone)) } } }
        }
    }
}

/// A choice of one property, layer or word; a value that is not listed stays as it is.
fn choice(view: &View, name: &str, title: &str, none: Option<&str>, options: &[(String, String)]) -> Markup {
    let given = view.query().value(name);
    html! {
        label { span { (title) }
            select name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for (word, title) in options { option value=(word) selected[given == Some(word)] { (isolated(title)) } }
                @if let Some(other) = given.filter(|given| options.iter().all(|(word, _)| word != given)) {
                    option value=(other) selected { (isolated(other)) }
                }
            }
        }
    }
}

fn form(view: &View, collection: &Collection) -> Markup {
    let (lang, layer) = (view.lang, collection.state.layer());
    let stored = layer.schema.fields.iter().map(|field| field.name.as_str());
    let derived = Derived::ALL.iter().filter(|_| layer.geometry.has_areas()).map(|derived| derived.name());
    let properties: Vec<(String, String)> =
        stored.chain(derived).map(|name| (name.to_owned(), property_title(lang, layer, name))).collect();
    let surfaces =
        collection.catalog.layers().map(|state| state.layer()).filter(|layer| layer.geometry == GeometryClass::Surface);
    let zones: Vec<(String, String)> = surfaces.map(|zone| (zone.id.to_string(), layer_title(lang, zone))).collect();
    // The unit that nobody chose is m²; it stands first.
    let units: Vec<(String, String)> = [AreaUnit::M2, AreaUnit::Mu, AreaUnit::Ha, AreaUnit::Km2]
        .map(|unit| (unit.as_str().to_owned(), unit_word(lang, unit).to_owned()))
        .to_vec();
    let bases: Vec<(String, String)> = [Basis::Ellipsoidal, Basis::Planar]
        .map(|basis| (basis.as_str().to_owned(), basis_word(lang, basis).to_owned()))
        .to_vec();
    let nothing = view.say("不分组", "no groups");
    html! {
        form.ask method="get" action=(view.action()) {
            (view.hidden())
            (hidden(view.query(), &["group-by", "within", "unit", "basis", "filter", "datetime"]))
            (choice(view, "group-by", view.say("分组依据", "Group by"), Some(nothing), &properties))
            (choice(view, "within", view.say("按区域切分", "Cut by zones"), Some(view.say("不切分", "no zones")), &zones))
            (choice(view, "unit", view.say("单位", "Unit"), None, &units))
            (choice(view, "basis", view.say("面积", "Basis"), None, &bases))
            label.wide { span { (view.say("筛选条件（CQL2）", "Filter (CQL2)")) }
                input type="text" name="filter" value=[view.query().value("filter")] spellcheck="false" autocomplete="off"; }
            (view.day_field())
            div.send {
                button type="submit" { (view.say("统计", "Apply")) }
                a href=(view.href(&format!("{}/statistics", collection.path()))) { (view.say("清除", "Clear")) }
            }
        }
    }
}

fn table(view: &View, collection: &Collection, answer: &Statistics) -> Markup {
    let layer = collection.state.layer();
    let keys: Vec<&str> =
        answer.groups.first().map_or(Vec::new(), |group| group.key.0.iter().map(|(name, _)| name.as_str()).collect());
    let groups = in_order(layer, &keys, &answer.groups);
    let has_overlap = answer.groups.iter().any(|group| !group.overlap.is_zero());
    let has_unmeasured = answer.groups.iter().any(|group| group.unmeasured > 0);
    html! {
        div.scroll.fit role="region" tabindex="0" aria-label=(view.say("统计表，可滚动", "Statistics, scrollable")) {
            table.sums {
                thead { tr {
                    @if keys.is_empty() { th scope="col" { (view.say("图层", "Layer")) } }
                    @for key in &keys { th scope="col" { bdi { (key_title(view, collection, key)) } } }
                    th.num scope="col" { (view.say("数量", "Count")) }
                    th.num scope="col" { (basis_word(view.lang, answer.basis)) " (" (unit_word(view.lang, answer.unit)) ")" }
                    th.num scope="col" { (view.say("占比", "Share")) }
                    @if has_overlap { th.num scope="col" { (view.say("已扣除重叠", "Overlap removed")) } }
                    @if has_unmeasured { th.num scope="col" { (view.say("无面积", "Unmeasured")) } }
                } }
                tbody {
                    @if !keys.is_empty() {
                        @for group in groups {
                            tr {
                                @for (place, (name, value)) in group.key.0.iter().enumerate() {
                                    @let shown = key_value(view, collection, name, value);
                                    @if place == 0 { th scope="row" { (shown) } } @else { td { (shown) } }
                                }
                                td.num { (count(group.count)) }
                                td.num { (figure(group.area)) }
                                td.num { @match group.share { Some(share) => (percent(share)), None => (none()) } }
                                @if has_overlap { td.num { (figure(group.overlap)) } }
                                @if has_unmeasured { td.num { (unmeasured(group)) } }
                            }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" colspan=(keys.len().max(1)) {
                        @if keys.is_empty() { bdi { (layer_title(view.lang, layer)) } " · " }
                        (view.say("合计", "Total"))
                    }
                    td.num { (count(answer.total.count)) }
                    td.num { (figure(answer.total.area)) }
                    td.num {}
                    @if has_overlap { td.num { (figure(answer.overlap.area)) } }
                    @if has_unmeasured { td.num { (count(answer.unmeasured)) } }
                } }
            }
        }
    }
}

/// Groups by one coded property stand in the order of its code list, as in the legend of the map.
fn in_order<'g>(layer: &Layer, keys: &[&str], groups: &'g [Group]) -> Vec<&'g Group> {
    let mut ordered: Vec<&Group> = groups.iter().collect();
    let field = match keys {
        [key] => layer.schema.position(key).map(|column| &layer.schema.fields[column]),
        _ => None,
    };
    if let Some(field) = field.filter(|field| !field.codes.is_empty()) {
        ordered.sort_by_key(|group| {
            let shown = group.key.shown(&field.name);
            field.codes.iter().position(|code| Some(&code.value) == shown.as_ref()).unwrap_or(usize::MAX)
        });
    }
    ordered
}

fn unmeasured(group: &Group) -> Markup {
    html! { @if group.unmeasured > 0 { (count(group.unmeasured)) } @else { (none()) } }
}

fn key_title(view: &View, collection: &Collection, name: &str) -> String {
    let zones = view.query().value("within").unwrap_or_default();
    match collection.catalog.layer(name).filter(|_| zones.split(',').any(|zone| zone.trim() == name)) {
        Some(zone) => layer_title(view.lang, zone.layer()),
        None => property_title(view.lang, collection.state.layer(), name),
    }
}

fn key_value(view: &View, collection: &Collection, name: &str, given: &Value) -> Markup {
    let layer: &Layer = collection.state.layer();
    if *given == Value::Null {
        return html! { span.none { (view.say("（无）", "(none)")) } };
    }
    match layer.schema.position(name) {
        Some(column) => value(view.lang, &layer.schema.fields[column], given.view(), true),
        None => match given {
            Value::Text(text) => written(view.lang, text, true),
            Value::Integer(number) => html! { (number) },
            Value::Real(number) => html! { (number) },
            _ => none(),
        },
    }
}

fn notes(view: &View, answer: &Statistics) -> Markup {
    let unit = unit_word(view.lang, answer.unit);
    html! {
        dl.notes {
            dt { (view.say("口径", "Definition")) }
            dd { (view.say(&answer.definition.zh, &answer.definition.en)) }
            dt { (view.say("重叠", "Overlap")) }
            dd {
                @if answer.overlap.pairs == 0 { (view.say("要素之间没有重叠", "no items overlap one another")) }
                @else {
                    (view.say("要素间重叠的土地只计一次，已扣除 ", "land claimed by several items is counted once; removed: "))
                    (figure(answer.overlap.area)) " " (unit) " (" (count(answer.overlap.pairs)) (view.say(" 处)", " pairs)"))
                }
            }
            @if answer.unmeasured > 0 {
                dt { (view.say("无面积", "Unmeasured")) }
                dd { (count(answer.unmeasured)) (view.say(" 个要素在此口径下没有面积，未计入面积", " items have no area on this basis and are not in the sums")) }
            }
            @if !answer.faulty.is_empty() || !answer.faulty_zones.is_empty() {
                dt { (view.say("图形有误", "Faulty geometry")) }
                dd {
                    (view.say("下列图形自相交，结果须核对：", "these cross themselves, check before relying on the figures: "))
                    @for id in answer.faulty.iter().take(50) { (id) " " }
                    @for (layer, id) in answer.faulty_zones.iter().take(50) { (layer) "/" (id) " " }
                    @if answer.faulty.len() > 50 || answer.faulty_zones.len() > 50 { "… " (count(answer.faulty.len() + answer.faulty_zones.len())) }
                }
            }
            dt { (view.say("统计时刻", "As of")) }
            dd { (answer.as_of) }
        }
    }
}
