//! The rules of layers, held against the picture that an edit makes: every feature that it puts somewhere else.

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        edit::{Change, Finding, Other},
        feature::Feature,
        rule::{Inside, NoOverlap},
    },
    engine::{
        overlay::{common_m2, outside_m2},
        table::Row,
    },
    ground::shape::Shape,
};

use super::judge::{Findings, about, is_same};

/// Whether a change may break a rule: its layer has some.
pub(super) fn apply_to(after: &Catalog, change: &Change) -> bool {
    after.layer(change.target().0.as_str()).is_some_and(|state| !state.layer().rules.is_empty())
}

/// What a change breaks of its layer's rules. A feature whose geometry the edit leaves as it was is not judged.
pub(super) fn look_at(
    (before, after): (&Catalog, &Catalog),
    (number, change): (usize, &Change),
    findings: &mut Findings,
) {
    let Change::Put { layer, feature, .. } = change else { return };
    let Some(state) = after.layer(layer.as_str()) else { return };
    let rules = &state.layer().rules;
    if rules.is_empty() || !has_moved(before, layer.as_str(), feature) {
        return;
    }
    let Some(row) = state.table().row_of(feature.id) else { return };
    if let Some(rule) = &rules.no_overlap {
        overlaps((number, state, row), rule, findings);
    }
    if let Some(rule) = &rules.inside {
        sticks_out((number, state, row), rule, after, findings);
    }
}

fn has_moved(before: &Catalog, layer: &str, feature: &Feature) -> bool {
    let Some(shape) = feature.shape.as_ref().map(Shape::view) else { return false };
    let table = before.layer(layer).map(|state| state.table());
    let stood = table.and_then(|table| table.shape(table.row_of(feature.id)?));
    stood.is_none_or(|stood| !is_same(stood, shape))
}

fn overlaps((number, state, row): (usize, &LayerState, Row), rule: &NoOverlap, findings: &mut Findings) {
    let (layer, table) = (&state.layer().id, state.table());
    let mut common = common_m2(table, row);
    common.retain(|(_, m2)| *m2 > rule.tolerance());
    common.sort_by_key(|(other, _)| table.id(*other));
    for (other, m2) in common {
        let message = format!(
            "it shares {m2:.2} m² with feature {} of the layer, which allows {}: move the outline, or change both in one edit",
            table.id(other),
            rule.tolerance_m2
        );
        let finding = about(number, layer, table.id(row), "overlaps", message);
        let other = Some(Other { layer: layer.clone(), id: Some(table.id(other)) });
        findings.add(placed(Finding { other, ..finding }, state, row));
    }
}

fn sticks_out(
    (number, state, row): (usize, &LayerState, Row),
    rule: &Inside,
    after: &Catalog,
    findings: &mut Findings,
) {
    let (layer, table) = (&state.layer().id, state.table());
    let Some(around) = after.layer(rule.layer.as_str()) else { return };
    let m2 = outside_m2(table, row, around.table());
    if m2 > rule.tolerance() {
        let message = format!("{m2:.2} m² of it lie outside layer {}, within which it must be", rule.layer);
        let finding = about(number, layer, table.id(row), "outside", message);
        let other = Some(Other { layer: rule.layer.clone(), id: None });
        findings.add(placed(Finding { other, ..finding }, state, row));
    }
}

/// A finding with the middle of the feature as its place.
fn placed(finding: Finding, state: &LayerState, row: Row) -> Finding {
    let middle = state.table().shape(row).and_then(|shape| shape.bounds()).map(|bounds| bounds.center());
    Finding { place: middle.map(|at| [at.x, at.y]), ..finding }
}
