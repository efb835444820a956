//! Lists as sets: the relations `A_…` of two of them. Layers have no columns of lists; elements may be values of
//! columns.

use crate::engine::table::{Row, Table};

use super::{
    ArrayOp,
    scalar::{Key, Scalar},
};

/// An element of a list.
#[derive(Debug, Clone)]
pub(super) enum Element {
    Value(Scalar),
    List(Vec<Element>),
}

impl Element {
    fn key(&self, table: &Table, row: Row) -> Option<Key> {
        match self {
            Self::Value(scalar) => Key::of(&scalar.value(table, row)),
            Self::List(elements) => set(elements, table, row).map(Key::List),
        }
    }

    /// Steps of computing it for a row.
    pub(super) fn steps(&self) -> u64 {
        match self {
            Self::Value(scalar) => 30 + scalar.steps(),
            Self::List(elements) => 50 + elements.iter().map(Self::steps).sum::<u64>(),
        }
    }
}

/// The elements sorted, each once; none where one of them has no value.
fn set(elements: &[Element], table: &Table, row: Row) -> Option<Vec<Key>> {
    let mut keys = elements.iter().map(|element| element.key(table, row)).collect::<Option<Vec<_>>>()?;
    keys.sort_unstable();
    keys.dedup();
    Some(keys)
}

/// Whether two lists are in a relation; unknown where an element of either has no value.
pub(super) fn relates(op: ArrayOp, [left, right]: &[Vec<Element>; 2], table: &Table, row: Row) -> Option<bool> {
    let (left, right) = (set(left, table, row)?, set(right, table, row)?);
    let within = |inner: &[Key], outer: &[Key]| inner.iter().all(|key| outer.binary_search(key).is_ok());
    Some(match op {
        ArrayOp::Equals => left == right,
        ArrayOp::Contains => within(&right, &left),
        ArrayOp::ContainedBy => within(&left, &right),
        ArrayOp::Overlaps => left.iter().any(|key| right.binary_search(key).is_ok()),
    })
}
