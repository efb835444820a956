//! The difference of two states of a layer: which features were added, removed and changed.
//!
//! What the two states share is not looked at, so the work is in proportion to what was edited between them, and to the
//! whole only where a whole import lies between. A feature whose geometry and values are the same in both is no
//! difference, however often it was edited between.

use std::sync::Arc;

use crate::{
    domain::feature::ValueRef,
    engine::table::{Row, Table},
    ground::shape::ShapeRef,
};

use super::LayerState;

/// Features that differ between two states, ids ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerDifference {
    /// Those of the second state that the first does not have: id and row in the second.
    pub added: Vec<(i64, Row)>,
    /// Those of the first that the second does not have: id and row in the first.
    pub removed: Vec<(i64, Row)>,
    /// Those of both that are not equal: id, row in the first, row in the second.
    pub changed: Vec<(i64, Row, Row)>,
}

impl LayerDifference {
    /// What differs between two states; a layer that was not there has no features.
    #[must_use]
    pub fn between(from: Option<&LayerState>, to: Option<&LayerState>) -> Self {
        let mut difference = Self::default();
        let nothing = Table::default();
        let table_of = |state: Option<&LayerState>| state.map_or(nothing.clone(), |state| state.table.clone());
        let (before, after) = (table_of(from), table_of(to));
        let columns = columns_of(from, to);
        for id in candidates(&before, &after) {
            match (before.row_of(id), after.row_of(id)) {
                (None, Some(row)) => difference.added.push((id, row)),
                (Some(row), None) => difference.removed.push((id, row)),
                (Some(old), Some(new)) if !is_same((&before, old), (&after, new), &columns) => {
                    difference.changed.push((id, old, new));
                }
                _ => {}
            }
        }
        difference
    }

    /// Whether nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// For each column of either state its place in both.
fn columns_of(from: Option<&LayerState>, to: Option<&LayerState>) -> Vec<(Option<usize>, Option<usize>)> {
    let (Some(from), Some(to)) = (from, to) else { return Vec::new() };
    let (old, new) = (&from.layer.schema, &to.layer.schema);
    let of_new = new.fields.iter().enumerate().map(|(place, field)| (old.position(&field.name), Some(place)));
    let is_gone = |name: &str| new.position(name).is_none();
    let of_old = old.fields.iter().enumerate().filter(|(_, field)| is_gone(&field.name));
    of_new.chain(of_old.map(|(place, _)| (Some(place), None))).collect()
}

/// Ids of all features that may differ, ascending.
fn candidates(before: &Table, after: &Table) -> Vec<i64> {
    let place_in = |table: &Table, wanted: &Arc<_>| table.segments().iter().position(|held| Arc::ptr_eq(held, wanted));
    let mut ids = Vec::new();
    for (place, segment) in before.segments().iter().enumerate() {
        match place_in(after, segment) {
            Some(other) => {
                let (old, new) = (before.dead(place), after.dead(other));
                ids.extend(old.differing(new).map(|row| segment.id(row)));
            }
            None => ids.extend_from_slice(segment.ids()),
        }
    }
    for segment in after.segments().iter().filter(|segment| place_in(before, segment).is_none()) {
        ids.extend_from_slice(segment.ids());
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_same(
    (before, old): (&Table, Row),
    (after, new): (&Table, Row),
    columns: &[(Option<usize>, Option<usize>)],
) -> bool {
    let value = |table: &Table, row: Row, place: Option<usize>| place.map(|place| table.value(row, place).to_value());
    let null = |value: Option<crate::domain::feature::Value>| value.unwrap_or(ValueRef::Null.to_value());
    columns.iter().all(|(first, second)| null(value(before, old, *first)) == null(value(after, new, *second)))
        && is_same_shape(before.shape(old), after.shape(new))
}

/// Whether two geometries are the same, vertex by vertex.
#[must_use]
pub fn is_same_shape(a: Option<ShapeRef<'_>>, b: Option<ShapeRef<'_>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            // Most that differ do so in their vertices; the rings are compared only where these are equal.
            a.kind() == b.kind() && a.coords() == b.coords() && a.to_shape() == b.to_shape()
        }
        _ => false,
    }
}
