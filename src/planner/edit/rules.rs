//! The rules of layers, held against the picture that an edit makes, from both sides: every feature that it puts somewhere
//! else, and every feature that it leaves without the land within which it must be.
//!
//! An edit answers for what it makes worse, not for what was so before: a feature that overlapped another, or lay outside
//! by more than is let pass, may be changed as long as it does so by no more than before. What a feature was before is
//! itself and, by the edit's lineage, those that it came from.
//!
//! Invariant: what is looked at lies where the edit changed something; nothing asks for all features of a layer.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        edit::{Change, Edit, Finding, Other},
        rule::{Inside, NoOverlap},
        schema::LayerId,
    },
    engine::{
        overlay::{Lost, common_m2, outside_m2, shared_m2},
        table::{Row, Table},
    },
    ground::shape::Shape,
};

use super::judge::{Findings, about, is_same};

/// Figures of the same land may differ by so many m² when it is measured beside other land.
const ROUNDING_M2: f64 = 0.005;

/// An edit whose features are held to the rules, one change at a time and in any order.
pub(super) struct Judging<'a> {
    before: &'a Catalog,
    after: &'a Catalog,
    /// Features that the edit puts somewhere else, new ones too.
    moved: HashSet<(&'a LayerId, i64)>,
    /// Those that a feature came from.
    parents: HashMap<(&'a LayerId, i64), BTreeSet<i64>>,
}

/// Findings without those that say once more of a feature that it is left outside: it may have lost land to several changes.
pub(super) fn once(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut told = HashSet::new();
    findings.retain(|finding| {
        let left = finding.other.as_ref().filter(|_| finding.fault == LEFT_OUTSIDE);
        left.is_none_or(|other| told.insert((other.layer.clone(), other.id)))
    });
    findings
}

const LEFT_OUTSIDE: &str = "left-outside";

/// How much a feature breaks a rule.
struct Broken {
    /// Whether what it was before broke the rule.
    before: bool,
    /// By how much that did, m².
    before_m2: f64,
}

impl Broken {
    /// Of several that it was, all together: two parcels that each stick out a little may be merged.
    fn of(figures: impl Iterator<Item = f64>, tolerance: f64) -> Self {
        let before_m2 = figures.sum();
        Self { before: before_m2 > tolerance, before_m2 }
    }

    /// Whether an edit after which it is so much must answer for it.
    fn is_worse(&self, m2: f64) -> bool {
        !self.before || m2 > self.before_m2 + ROUNDING_M2
    }
}

impl<'a> Judging<'a> {
    /// `None` where no layer has rules.
    pub(super) fn new(before: &'a Catalog, after: &'a Catalog, edit: &'a Edit) -> Option<Self> {
        if after.layers().all(|state| state.layer().rules.is_empty()) {
            return None;
        }
        let mut parents: HashMap<_, BTreeSet<i64>> = HashMap::new();
        for lineage in &edit.lineage {
            for child in &lineage.children {
                parents.entry((&lineage.layer, *child)).or_default().extend(&lineage.parents);
            }
        }
        let moved = edit.changes.iter().filter(|change| has_moved(before, change)).map(Change::target).collect();
        Some(Self { before, after, moved, parents })
    }

    /// What a change breaks after the edit that was not broken before, or not as much.
    pub(super) fn look_at(&self, number: usize, change: &Change, findings: &mut Findings) {
        self.moved_feature(number, change, findings);
        self.land_given_up(number, change, findings);
    }

    /// What a feature was before: itself, and those that it came from.
    fn origins(&self, layer: &LayerId, id: i64) -> BTreeSet<i64> {
        self.parents.get(&(layer, id)).into_iter().flatten().copied().chain([id]).collect()
    }

    /// The rules of its own layer, for a feature that is put somewhere else.
    fn moved_feature(&self, number: usize, change: &Change, findings: &mut Findings) {
        let (layer, id) = change.target();
        let Some(state) = self.after.layer(layer.as_str()) else { return };
        let rules = &state.layer().rules;
        if rules.is_empty() || !self.moved.contains(&(layer, id)) {
            return;
        }
        let Some(row) = state.table().row_of(id) else { return };
        if let Some(rule) = &rules.no_overlap {
            self.overlaps((number, state, row), rule, findings);
        }
        if let Some(rule) = &rules.inside {
            self.sticks_out((number, state, row), rule, findings);
        }
    }

    fn overlaps(&self, (number, state, row): (usize, &LayerState, Row), rule: &NoOverlap, findings: &mut Findings) {
        let (layer, table) = (&state.layer().id, state.table());
        let mut common = common_m2(table, row);
        common.retain(|(other, m2)| {
            let is_worse = || self.shared_before(layer, (table.id(row), table.id(*other)), rule).is_worse(*m2);
            *m2 > rule.tolerance() && is_worse()
        });
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

    /// The land that two features, or what they were, shared before.
    fn shared_before(&self, layer: &LayerId, (a, b): (i64, i64), rule: &NoOverlap) -> Broken {
        let Some(table) = table_of(self.before, layer) else { return Broken { before: false, before_m2: 0.0 } };
        let (of_a, of_b) = (self.origins(layer, a), self.origins(layer, b));
        let pairs = of_a.iter().flat_map(|a| of_b.iter().map(|b| (*a.min(b), *a.max(b))));
        let pairs: BTreeSet<(i64, i64)> = pairs.filter(|(a, b)| a != b).collect();
        let rows = pairs.into_iter().filter_map(|(a, b)| table.row_of(a).zip(table.row_of(b)));
        Broken::of(rows.map(|(a, b)| shared_m2(table, a, b)), rule.tolerance())
    }

    fn sticks_out(&self, (number, state, row): (usize, &LayerState, Row), rule: &Inside, findings: &mut Findings) {
        let (layer, table) = (&state.layer().id, state.table());
        let Some(around) = table_of(self.after, &rule.layer) else { return };
        let m2 = outside_m2(table, row, around);
        if m2 > rule.tolerance() && self.outside_before(layer, table.id(row), rule).is_worse(m2) {
            let message = format!("{m2:.2} m² of it lie outside layer {}, within which it must be", rule.layer);
            let finding = about(number, layer, table.id(row), "outside", message);
            let other = Some(Other { layer: rule.layer.clone(), id: None });
            findings.add(placed(Finding { other, ..finding }, state, row));
        }
    }

    /// The land of a feature, or of what it was, that lay outside before.
    fn outside_before(&self, layer: &LayerId, id: i64, rule: &Inside) -> Broken {
        let figures = table_of(self.before, layer).zip(table_of(self.before, &rule.layer)).map(|(table, around)| {
            let rows = self.origins(layer, id).into_iter().filter_map(|id| table.row_of(id));
            rows.map(|row| outside_m2(table, row, around)).collect::<Vec<f64>>()
        });
        Broken::of(figures.into_iter().flatten(), rule.tolerance())
    }

    /// The rules of layers that must lie within the layer of a feature that is moved or is no more.
    fn land_given_up(&self, number: usize, change: &Change, findings: &mut Findings) {
        let (layer, id) = change.target();
        let inner = self.after.layers().filter_map(|state| Some((state, state.layer().rules.inside.as_ref()?)));
        let inner: Vec<_> = inner.filter(|(_, rule)| rule.layer == *layer).collect();
        let is_left = change.after().is_some() && !self.moved.contains(&(layer, id)) && has_shape(change);
        let tables = table_of(self.before, layer).zip(table_of(self.after, layer));
        let Some((before, after)) = tables.filter(|_| !inner.is_empty() && !is_left) else { return };
        let Some(row) = before.row_of(id) else { return };
        let lost = Lost::of(before, row, after);
        for (state, rule) in inner {
            for bounds in lost.boxes() {
                let mut near: Vec<Row> = state.table().touching(bounds).collect();
                near.sort_unstable_by_key(|row| state.table().id(*row));
                for row in near {
                    if findings.is_full() {
                        return;
                    }
                    self.left_outside((number, change), (state, row), (rule, &lost), findings);
                }
            }
        }
    }

    /// Says of a feature that the edit left where it was that it lies outside now.
    fn left_outside(
        &self,
        (number, change): (usize, &Change),
        (state, row): (&LayerState, Row),
        (rule, lost): (&Inside, &Lost),
        findings: &mut Findings,
    ) {
        let (layer, table) = (&state.layer().id, state.table());
        let id = table.id(row);
        let is_near = table.shape(row).and_then(|shape| shape.bounds()).is_some_and(|bounds| lost.reaches(&bounds));
        // What is moved by the same edit was judged as such.
        if !is_near || self.moved.contains(&(layer, id)) {
            return;
        }
        let Some(around) = table_of(self.after, &rule.layer) else { return };
        let m2 = outside_m2(table, row, around);
        if m2 <= rule.tolerance() {
            return;
        }
        let broken = self.outside_before(layer, id, rule);
        if !broken.is_worse(m2) || (broken.before && lost.of_feature_m2(table, row) <= ROUNDING_M2) {
            return;
        }
        let message = format!(
            "{m2:.2} m² of feature {id} of layer {layer} would lie outside layer {}, within which it must be: keep the land \
             under it, or change both in one edit",
            rule.layer
        );
        let (zones, zone) = change.target();
        let finding = about(number, zones, zone, LEFT_OUTSIDE, message);
        let other = Some(Other { layer: layer.clone(), id: Some(id) });
        findings.add(placed(Finding { other, ..finding }, state, row));
    }
}

/// Whether a change puts a feature where it was not, or where there was none.
fn has_moved(before: &Catalog, change: &Change) -> bool {
    let (layer, id) = change.target();
    let Some(shape) = change.after().and_then(|feature| feature.shape.as_ref()).map(Shape::view) else { return false };
    let stood = table_of(before, layer).and_then(|table| table.shape(table.row_of(id)?));
    stood.is_none_or(|stood| !is_same(stood, shape))
}

fn has_shape(change: &Change) -> bool {
    change.after().is_some_and(|feature| feature.shape.is_some())
}

fn table_of<'c>(catalog: &'c Catalog, layer: &LayerId) -> Option<&'c Table> {
    catalog.layer(layer.as_str()).map(|state| state.table())
}

/// A finding with the middle of the feature as its place.
fn placed(finding: Finding, state: &LayerState, row: Row) -> Finding {
    let middle = state.table().shape(row).and_then(|shape| shape.bounds()).map(|bounds| bounds.center());
    Finding { place: middle.map(|at| [at.x, at.y]), ..finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_broke_together_is_not_blamed_on_the_one_that_they_become() {
        let both = Broken::of([0.9, 0.9].into_iter(), 1.0);
        assert!(!both.is_worse(1.8));
        assert!(both.is_worse(1.9));
        assert!(Broken::of([0.9].into_iter(), 1.0).is_worse(1.002), "from within the tolerance to beyond it");
    }
}
