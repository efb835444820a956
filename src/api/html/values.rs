//! Values, titles, units and badges as people read them.

use maud::{Markup, html};
use rust_decimal::Decimal;

use crate::{
    domain::{
        calendar,
        feature::ValueRef,
        layer::{GeometryClass, Layer, Provenance},
        schema::{Derived, Field, FieldType},
    },
    engine::table::{Row, Table},
    ground::units::{Area, AreaUnit, Basis},
};

use super::lang::Lang;

/// Characters of a text that a cell of a table shows; the page of the feature shows all.
const CELL: usize = 160;
/// Characters of a text that stays on one line.
const SHORT: usize = 24;

/// Puts separators between the thousands of a decimal number given as text.
pub(super) fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut out = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A figure with so many decimals as it has.
pub(super) fn figure(value: Decimal) -> String {
    grouped(&value.to_string())
}

/// A count.
pub(super) fn count(number: impl TryInto<u64>) -> String {
    grouped(&number.try_into().unwrap_or(u64::MAX).to_string())
}

/// A fraction as hundredths, by moving the point of its digits: none is lost, at least two stand behind it.
pub(super) fn percent(fraction: Decimal) -> String {
    let mut moved = fraction * Decimal::ONE_HUNDRED;
    moved.rescale(fraction.scale().saturating_sub(2).max(2));
    format!("{} %", figure(moved))
}

/// What people call a layer.
pub(super) fn layer_title(lang: Lang, layer: &Layer) -> String {
    let title = lang.either(&layer.title, &layer.title_en);
    if title.is_empty() { layer.id.to_string() } else { title.to_owned() }
}

/// What people call a column; its name where nobody said.
pub(super) fn field_title(lang: Lang, field: &Field) -> &str {
    let title = lang.either(&field.title, &field.title_en);
    if title.is_empty() { &field.name } else { title }
}

/// What people call a derived area, with its unit.
pub(super) const fn derived_title(lang: Lang, derived: Derived) -> &'static str {
    let (zh, en) = derived.titles();
    lang.say(zh, en)
}

/// What people call a property of a layer, stored or derived; its name where there is none.
pub(super) fn property_title(lang: Lang, layer: &Layer, name: &str) -> String {
    let stored = layer.schema.position(name).map(|place| field_title(lang, &layer.schema.fields[place]).to_owned());
    let derived = || Derived::named(name).map(|derived| derived_title(lang, derived).to_owned());
    stored.or_else(derived).unwrap_or_else(|| name.to_owned())
}

/// Whether values of a column stand on the right.
pub(super) const fn is_number(field: &Field) -> bool {
    matches!(field.kind, FieldType::Integer | FieldType::Real) && field.codes.is_empty()
}

/// No value.
pub(super) fn none() -> Markup {
    html! { span.none { "—" } }
}

/// A value of a column; in a cell of a table long text is cut, and says so.
pub(super) fn value(lang: Lang, field: &Field, value: ValueRef<'_>, in_cell: bool) -> Markup {
    let Some(text) = plain(lang, field, value) else { return none() };
    if let Some(title) = code_title(lang, field, value) {
        return html! { bdi { (title) } @if title != text { " " code.code { bdi { (text) } } } };
    }
    if let ValueRef::Text(text) = value {
        written(lang, text, in_cell)
    } else {
        html! { (text) }
    }
}

/// A cell of a table; what is long may break.
pub(super) fn cell(lang: Lang, field: &Field, given: ValueRef<'_>) -> Markup {
    let is_long = matches!(given, ValueRef::Text(text) if text.chars().count() > SHORT);
    html! { td.num[is_number(field)].long[is_long] { (value(lang, field, given, true)) } }
}

/// Text of the data: isolated, whole or cut, a link where it is an address of the web.
pub(super) fn written(lang: Lang, text: &str, in_cell: bool) -> Markup {
    let shown: String = if in_cell { text.chars().take(CELL).collect() } else { text.to_owned() };
    let is_cut = shown.len() < text.len();
    html! {
        @if is_address(text) { a href=(text) rel="noopener noreferrer nofollow" { bdi { (shown) } } }
        @else { bdi { (shown) } }
        @if is_cut { " " span.cut { (lang.say("……（见要素页）", "… (whole on the item's page)")) } }
    }
}

/// Whether a text is an address that a browser may be sent to: `http` or `https`, nothing that runs.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control()))
}

/// The title of a coded value.
pub(super) fn code_title<'f>(lang: Lang, field: &'f Field, value: ValueRef<'_>) -> Option<&'f str> {
    let matches = |code: &str| match value {
        ValueRef::Text(text) => code == text,
        ValueRef::Integer(number) => code == number.to_string(),
        _ => false,
    };
    let code = field.codes.iter().find(|code| matches(&code.value))?;
    Some(lang.either(&code.title, &code.title_en)).filter(|title| !title.is_empty())
}

/// A value as text without markup; `None` for no value.
pub(super) fn plain(lang: Lang, field: &Field, value: ValueRef<'_>) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Boolean(truth) => if truth { lang.say("是", "yes") } else { lang.say("否", "no") }.to_owned(),
        // A year or a number of a list has no thousands; a quantity says its unit.
        ValueRef::Integer(number) if field.unit.is_none() => number.to_string(),
        ValueRef::Integer(number) => grouped(&number.to_string()),
        ValueRef::Real(number) => grouped(&number.to_string()),
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Date(day) => calendar::date_text(day),
        ValueRef::DateTime(moment) => calendar::date_time_text(moment),
    })
}

/// The head of a column: title and unit.
pub(super) fn head(lang: Lang, field: &Field) -> Markup {
    html! {
        bdi { (field_title(lang, field)) }
        @if let Some(unit) = &field.unit { " " span.unit { "(" bdi { (unit) } ")" } }
    }
}

/// A derived area of a feature to its unit's usual decimals; `None` where the feature has none.
pub(super) fn derived(table: &Table, row: Row, derived: Derived) -> Option<String> {
    let (basis, unit) = match derived {
        Derived::AreaM2 => (Basis::Ellipsoidal, AreaUnit::M2),
        Derived::AreaPlanarM2 => (Basis::Planar, AreaUnit::M2),
        Derived::AreaMu => (Basis::Ellipsoidal, AreaUnit::Mu),
        Derived::AreaHa => (Basis::Ellipsoidal, AreaUnit::Ha),
    };
    table.area(row, basis).map(|area| area_text(area, unit))
}

/// An area in a unit, to its usual decimals.
pub(super) fn area_text(area: Area, unit: AreaUnit) -> String {
    figure(area.rounded(unit, unit.usual_decimals()))
}

/// The word for a unit of area.
pub(super) const fn unit_word(lang: Lang, unit: AreaUnit) -> &'static str {
    match unit {
        AreaUnit::M2 => "m²",
        AreaUnit::Ha => lang.say("公顷", "ha"),
        AreaUnit::Mu => lang.say("亩", "mu"),
        AreaUnit::Km2 => "km²",
    }
}

/// The words for a basis of areas.
pub(super) const fn basis_word(lang: Lang, basis: Basis) -> &'static str {
    match basis {
        Basis::Ellipsoidal => lang.say("椭球面积", "Ellipsoidal area"),
        Basis::Planar => lang.say("平面面积", "Planar area"),
    }
}

/// What people call a feature: its column `name`, else its first column of text, else nothing.
pub(super) fn feature_name<'t>(layer: &Layer, table: &'t Table, row: Row) -> Option<&'t str> {
    let fields = &layer.schema.fields;
    let column = layer.schema.position("name");
    let column = column.or_else(|| fields.iter().position(|field| field.kind == FieldType::Text))?;
    match table.value(row, column) {
        ValueRef::Text(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// The words for a class of geometry.
pub(super) const fn geometry_word(lang: Lang, class: GeometryClass) -> &'static str {
    match class {
        GeometryClass::Point => lang.say("点", "points"),
        GeometryClass::Line => lang.say("线", "lines"),
        GeometryClass::Surface => lang.say("面", "surfaces"),
        GeometryClass::Mixed => lang.say("混合", "mixed"),
        GeometryClass::None => lang.say("无几何", "none"),
    }
}

/// Where a layer's features come from, in a word.
pub(super) fn badge(lang: Lang, provenance: Provenance) -> Markup {
    let (class, word) = match provenance {
        Provenance::Real => ("badge real", lang.say("真实", "real")),
        Provenance::Approximate => ("badge approximate", lang.say("近似", "approximate")),
        Provenance::Synthetic => ("badge synthetic", lang.say("合成", "synthetic")),
        Provenance::Imported => ("badge imported", lang.say("导入", "imported")),
    };
    html! { span class=(class) { (word) } }
}

/// The warning that stands on every page of a layer which is not what land is by law.
pub(super) fn caution(lang: Lang, provenance: Provenance) -> Markup {
    html! {
        @match provenance {
            Provenance::Synthetic => p.caution role="note" {
                strong { (lang.say("合成示例数据", "Synthetic demonstration data")) } " — "
                (lang.say("为演示而生成，不是真实地块。", "made up for demonstration; no real land."))
            }
            Provenance::Approximate => p.caution role="note" {
                strong { (lang.say("近似界线", "Approximate boundaries")) } " — "
                (lang.say("由真实数据近似推得，非法定界线。", "derived from real data by approximation; no boundary by law."))
            }
            Provenance::Real | Provenance::Imported => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_and_nothing_else_changes() {
        for (given, shown) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.8901", "-1,234,567.8901"),
            ("0.0001", "0.0001"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(grouped(given), shown);
        }
        assert_eq!(percent("0.5".parse().unwrap()), "50.00 %");
        assert_eq!(percent("1.23456".parse().unwrap()), "123.456 %");
        assert_eq!(percent("0.022210".parse().unwrap()), "2.2210 %");
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for good in ["https://example.org/a?b=1", "http://例子.测试/"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "JAVASCRIPT:x",
            "data:text/html,x",
            "//evil",
            "https://",
            "ftp://x",
            " https://x",
            "https://a b",
            "http://a\nb",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn hostile_text_is_escaped_and_isolated() {
        let shown = written(Lang::Zh, "</script><img src=x onerror=alert(1)>\"'&", false).into_string();
        assert_eq!(shown, "<bdi>&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;'&amp;</bdi>");
        let link = written(Lang::Zh, "https://x/\"onmouseover=alert(1)", false).into_string();
        assert!(link.starts_with("<a href=\"https://x/&quot;onmouseover"), "{link}");
    }
}
