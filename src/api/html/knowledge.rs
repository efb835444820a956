//! Targets beside what is measured, and the facts of the founding documents with their sources.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    catalog::Catalog,
    domain::target::{Direction, TargetUnit},
    planner::MeasuredTarget,
};

use super::{
    super::{collection::path_of, negotiate::Representation},
    frame::{Page, View},
    values::{basis_word, caution, count, figure, none, percent, written},
};

/// The targets.
pub(in super::super) fn targets_page(
    view: &View,
    catalog: &Catalog,
    targets: &[MeasuredTarget],
    offered: &[Representation],
) -> Response {
    let body = html! {
        p.lead { (view.say("文件所载的目标，与工作区数据按当日有效口径量算的结果。", "What the documents promise, beside what the workspace holds by the rules in force today.")) }
        @for target in targets { (target_card(view, catalog, target)) }
    };
    let title = view.say("目标与现状", "Targets").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered, badge: None, step: None, body })
}

fn target_card(view: &View, catalog: &Catalog, measured: &MeasuredTarget) -> Markup {
    let target = &measured.target;
    let direction = match target.direction {
        Direction::AtLeast => view.say("不少于", "at least"),
        Direction::AtMost => view.say("不超过", "at most"),
        Direction::Exactly => view.say("等于", "exactly"),
    };
    let unit = unit_of(view, target.unit);
    let until = target.period.to.as_deref().unwrap_or_default();
    html! {
        section.card id=(target.id) {
            h2 { bdi { (view.lang.either(&target.title, &target.title_en)) } " " span.small { (target.id) } }
            @if let Some(layer) = measured.layer.as_deref().filter(|_| measured.measured.is_some()).and_then(|id| catalog.layer(id)) {
                (caution(view.lang, layer.layer().provenance))
            }
            dl.areas {
                dt { (view.say("目标", "Target")) }
                dd { span.figure { (direction) " " (figure(target.value)) " " (unit) } " " span.small { (target.period.from) " – " (until) } }
                dt { (view.say("现状", "Measured")) }
                dd {
                    @match &measured.measured {
                        Some(now) => {
                            span.figure { (figure(now.value)) " " (unit) }
                            @if let Some(share) = now.share { " · " (percent(share)) }
                            p.small {
                                (basis_word(view.lang, now.basis)) " · " (count(now.count)) (view.say(" 个要素 · ", " items · "))
                                @if now.remaining.is_sign_negative() { (view.say("超出 ", "exceeded by ")) } @else { (view.say("尚差 ", "remaining ")) }
                                (figure(now.remaining.abs())) " " (unit)
                            }
                        }
                        None => p { (none()) " " (view.say("工作区没有可量算的数据", "nothing in the workspace measures it")) },
                    }
                }
                @if let Some(definition) = &measured.definition {
                    dt { (view.say("口径", "Definition")) }
                    dd {
                        bdi { (view.lang.either(&definition.zh, &definition.en)) }
                        @if let (Some(layer), Some(filter)) = (&measured.layer, &measured.filter) { " " (counted(view, layer, filter)) }
                    }
                }
                dt { (view.say("来源", "Source")) }
                dd {
                    @for source in &target.sources {
                        p { bdi { (source.document) } " (" (source.date) ", " (source.source) ", " a href=(view.href(&format!("/facts#{}", source.fact))) { (source.fact) } ")"
                            @if !source.text.is_empty() { " — " bdi { (source.text) } } }
                    }
                }
            }
        }
    }
}

/// A link to the features that count.
fn counted(view: &View, layer: &str, filter: &str) -> Markup {
    let query = if filter.is_empty() {
        String::new()
    } else {
        format!("?{}", form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish())
    };
    html! { a href=(view.href(&format!("{}/items{query}", path_of(layer)))) { (view.say("计入的要素", "the items that count")) } }
}

const fn unit_of(view: &View, unit: TargetUnit) -> &'static str {
    match unit {
        TargetUnit::M2 => "m²",
        TargetUnit::Ha => view.lang.say("公顷", "ha"),
        TargetUnit::Mu => view.lang.say("亩", "mu"),
        TargetUnit::Km2 => "km²",
        TargetUnit::Count => view.lang.say("个", "items"),
        TargetUnit::Percent => "%",
    }
}

/// The facts, where they disagree, and their sources.
pub(in super::super) fn facts_page(view: &View, document: &Value, offered: &[Representation]) -> Response {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let body = html! {
        p.lead { (view.say("文件所载的数字，各注来源；互相矛盾的并列保留，不取其一。", "Figures as the documents print them, each with its source; where they disagree all are kept.")) }
        nav.more aria-label=(view.say("本页内容", "On this page")) {
            a href="#facts" { (view.say("事实", "Facts")) }
            a href="#conflicts" { (view.say("矛盾与辨析", "Conflicts")) }
            a href="#sources" { (view.say("来源", "Sources")) }
        }
        h2 #facts { (view.say("事实", "Facts")) }
        (facts(view, &list("facts")))
        h2 #conflicts { (view.say("矛盾与辨析", "Conflicts")) }
        @for conflict in list("conflicts") { (conflict_of(view, &conflict)) }
        h2 #sources { (view.say("来源", "Sources")) }
        (sources(view, &list("sources")))
    };
    let title = view.say("事实", "Facts").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered, badge: None, step: None, body })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn facts(view: &View, facts: &[Value]) -> Markup {
    html! {
        div.scroll.wrap role="region" tabindex="0" aria-label=(view.say("事实，可滚动", "Facts, scrollable")) {
            table {
                thead { tr {
                    th scope="col" { "№" }
                    th scope="col" { (view.say("事项", "Subject")) }
                    th.num scope="col" { (view.say("数值（原文）", "Figure as printed")) }
                    th scope="col" { (view.say("单位", "Unit")) }
                    th scope="col" { (view.say("时间", "Period")) }
                    th scope="col" { (view.say("主体", "Actor")) }
                    th scope="col" { (view.say("来源", "Source")) }
                    th scope="col" { (view.say("说明", "Note")) }
                } }
                tbody {
                    @for fact in facts {
                        tr id=(text(fact, "id")) {
                            th scope="row" { (text(fact, "id")) }
                            td { (text(fact, "subject")) }
                            td.num { (text(fact, "quantity")) }
                            td { (text(fact, "unit")) }
                            td { (text(fact, "period")) }
                            td { (text(fact, "actor")) }
                            td { a href=(format!("#{}", text(&fact["source"], "id"))) { (text(&fact["source"], "id")) } }
                            td.about {
                                (text(fact, "note"))
                                @for other in fact["conflicts_with"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                                    " " a href=(format!("#{other}")) { "⇄ " (other) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn conflict_of(view: &View, conflict: &Value) -> Markup {
    let kind = match text(conflict, "kind") {
        "superseded" => view.say("已被取代", "superseded"),
        "scope" => view.say("口径不同", "scope"),
        "tension" => view.say("难以并存", "tension"),
        "alias" => view.say("异名同物", "alias"),
        "rounding" => view.say("取整之差", "rounding"),
        "distinct" => view.say("不可混淆", "distinct"),
        other => {
            if other == "unresolved" {
                view.say("尚未查明", "unresolved")
            } else {
                ""
            }
        }
    };
    html! {
        section.card id=(text(conflict, "id")) {
            h3 { (text(conflict, "id")) " " (view.lang.either(text(conflict, "title"), text(conflict, "title_en"))) " " span.badge { (kind) } }
            p { (text(conflict, "note")) }
            p.small {
                @for fact in conflict["facts"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    a href=(format!("#{fact}")) { (fact) } " "
                }
                @if let Some(fact) = conflict["in_force"].as_str() { (view.say("以此为准：", "in force: ")) a href=(format!("#{fact}")) { (fact) } }
                @for name in conflict["names"].as_array().into_iter().flatten().filter_map(Value::as_str) { " " bdi { (name) } }
            }
        }
    }
}

fn sources(view: &View, sources: &[Value]) -> Markup {
    html! {
        div.scroll.wrap role="region" tabindex="0" aria-label=(view.say("来源，可滚动", "Sources, scrollable")) {
            table {
                thead { tr {
                    th scope="col" { "№" }
                    th scope="col" { (view.say("标题", "Title")) }
                    th scope="col" { (view.say("发布者", "Publisher")) }
                    th scope="col" { (view.say("日期", "Date")) }
                    th scope="col" { (view.say("页面", "Page")) }
                    th scope="col" { (view.say("说明", "Note")) }
                } }
                tbody {
                    @for source in sources {
                        tr id=(text(source, "id")) {
                            th scope="row" { (text(source, "id")) }
                            td { (text(source, "title")) }
                            td { (text(source, "publisher")) }
                            td { (text(source, "date")) }
                            td { (written(view.lang, text(source, "page"), false)) }
                            td.about { (text(source, "note")) }
                        }
                    }
                }
            }
        }
    }
}
