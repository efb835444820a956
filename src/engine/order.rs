//! The order in which the rows of a segment lie: along a Hilbert curve through the middles of their boxes.
//!
//! Features near each other on the ground lie near each other in memory, so that a box of a map touches a few
//! stretches of each array instead of as many places as it has features. Rows without a place come last.
//! Question: why Hilbert's curve and not Morton's? It never jumps, and costs the same here.
//! Source: Hilbert, Über die stetige Abbildung einer Linie auf ein Flächenstück, 1891; the crate `fast_hilbert`.

use geo::Coord;
use rayon::prelude::*;

use crate::ground::shape::Bounds;

/// A row of one of several parts that are to become one segment. Parts, and rows in them, stand by ascending ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) part: u32,
    pub(super) row: u32,
}

impl Place {
    /// What a part holds for the row.
    pub(super) fn of<T: Copy>(self, parts: &[Vec<T>]) -> T {
        parts[self.part as usize][self.row as usize]
    }
}

/// What the rows of parts hold, in a given order.
pub(super) fn gathered<T: Copy>(parts: &[Vec<T>], order: &[Place]) -> Vec<T> {
    order.iter().map(|place| place.of(parts)).collect()
}

/// All rows of all parts in the order of the curve, those without a box last; by id where the curve does not decide.
pub(super) fn along_curve(boxes: &[Vec<Option<Bounds>>]) -> Vec<Place> {
    let curve = Curve::through(boxes.iter().flatten().flatten());
    let mut keyed: Vec<(u64, Place)> = Vec::with_capacity(boxes.iter().map(Vec::len).sum());
    for (part, boxes) in (0..).zip(boxes) {
        let key = |held: &Option<Bounds>| held.as_ref().map_or(u64::MAX, |held| curve.key(held));
        keyed.extend(boxes.iter().zip(0..).map(|(held, row)| (key(held), Place { part, row })));
    }
    keyed.par_sort_unstable();
    keyed.into_iter().map(|(_, place)| place).collect()
}

/// The numbers of some boxes in the order of the curve.
pub(super) fn numbers_along_curve(boxes: &[Bounds]) -> Vec<u32> {
    let curve = Curve::through(boxes.iter());
    let mut keyed: Vec<(u64, u32)> = boxes.iter().zip(0..).map(|(held, number)| (curve.key(held), number)).collect();
    keyed.par_sort_unstable();
    keyed.into_iter().map(|(_, number)| number).collect()
}

/// Bits of an axis: two of them leave room for a key that is greater than all.
const AXIS_BITS: u8 = 31;

/// The curve through a square around some boxes.
struct Curve {
    corner: Coord,
    cells_per_degree: f64,
}

impl Curve {
    fn through<'b>(boxes: impl Iterator<Item = &'b Bounds>) -> Self {
        let is_finite = |held: &&Bounds| [held.min, held.max].iter().all(|c| c.x.is_finite() && c.y.is_finite());
        let around = boxes.filter(is_finite).copied().reduce(Bounds::union);
        let Some(around) = around else { return Self { corner: Coord::zero(), cells_per_degree: 1.0 } };
        let side = (around.max.x - around.min.x).max(around.max.y - around.min.y).max(f64::MIN_POSITIVE);
        Self { corner: around.min, cells_per_degree: f64::from((1_u32 << AXIS_BITS) - 1) / side }
    }

    /// The place of a box's middle on the curve; less than [`u64::MAX`].
    fn key(&self, held: &Bounds) -> u64 {
        let middle = held.center();
        // Numbers out of range become the nearest that is in range.
        let cell = |v: f64, low: f64| ((v - low) * self.cells_per_degree) as u32 & ((1 << AXIS_BITS) - 1);
        fast_hilbert::xy2h(cell(middle.x, self.corner.x), cell(middle.y, self.corner.y), AXIS_BITS)
    }
}
