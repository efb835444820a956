//! Relations of a feature's geometry to a fixed one (DE-9IM, OGC 06-103r4 §6.1.15).
//!
//! Most features lie wholly inside or outside a fixed surface, which its cells tell from the feature's box; the
//! others are related edge by edge. `S_INTERSECTS`, `S_DISJOINT` and `S_WITHIN` are decided as the map's own
//! selection decides them ([`Probe`]), so a filter and a click never disagree.
//!
//! A feature that crosses itself has no well-defined inside: what is said of it is one of the readings.

use geo::{Geometry, Relate, relate::IntersectionMatrix};

use crate::{
    engine::{
        find::{Probe, Relation, Scratch},
        region::Side,
        table::{Row, Table},
    },
    ground::{
        fault::{FaultKind, faults_of},
        shape::{Shape, ShapeKind, ShapeRef},
    },
};

use super::{
    SpatialOp,
    budget::{intersect_steps, relate_steps},
};

/// Below so many products of vertices looking at every pair of edges is quicker than building graphs of them.
const FEW_PAIRS: usize = 4096;

impl SpatialOp {
    /// The relation seen from the other side.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Within => Self::Contains,
            Self::Contains => Self::Within,
            same => same,
        }
    }

    /// Whether a matrix, whose rows are the first geometry's, shows the relation.
    fn shows(self, matrix: &IntersectionMatrix) -> bool {
        match self {
            Self::Intersects => matrix.is_intersects(),
            Self::Disjoint => matrix.is_disjoint(),
            Self::Within => matrix.is_within(),
            Self::Contains => matrix.is_contains(),
            Self::Touches => matrix.is_touches(),
            Self::Equals => matrix.is_equal_topo(),
            Self::Overlaps => matrix.is_overlaps(),
            Self::Crosses => matrix.is_crosses(),
        }
    }

    /// Whether a geometry is in the relation to itself.
    pub(super) const fn holds_with_itself(self) -> bool {
        matches!(self, Self::Intersects | Self::Within | Self::Contains | Self::Equals)
    }
}

/// Whether two fixed geometries are in a relation.
pub(super) fn relate_fixed(op: SpatialOp, a: &Geometry, b: &Geometry) -> bool {
    op.shows(&a.relate(b))
}

/// What is wrong with a fixed geometry that has to have an inside.
pub(super) fn fault_of(shape: ShapeRef<'_>) -> Option<&'static str> {
    use FaultKind::{DuplicateRing, HoleOutside, OverlappingParts, SelfIntersection};
    let bad = |kind: FaultKind| matches!(kind, SelfIntersection | HoleOutside | DuplicateRing | OverlappingParts);
    faults_of(shape).iter().find(|fault| bad(fault.kind)).map(|fault| fault.kind.sentence())
}

/// The truth for a feature, and the steps it took; unknown where it has no geometry.
pub(super) fn truth(
    (op, probe): (SpatialOp, &Probe),
    (table, row): (&Table, Row),
    scratch: &mut Scratch,
) -> (Option<bool>, u64) {
    let Some((shape, bounds)) = table.shape(row).and_then(|shape| Some((shape, shape.bounds()?))) else {
        return (None, 20);
    };
    if !probe.bounds().is_some_and(|reach| reach.intersects(&bounds)) {
        return (Some(op == SpatialOp::Disjoint), 20);
    }
    match probe.side(&bounds) {
        Some(Side::Outside) => return (Some(op == SpatialOp::Disjoint), 100),
        // Wholly in the inside of a surface: no edge of it is met.
        Some(Side::Inside) => return (Some(matches!(op, SpatialOp::Intersects | SpatialOp::Within)), 100),
        Some(Side::Crossing) | None => {}
    }
    let (fixed, feature) = (probe.vertices(), shape.coords().len());
    let is_small = fixed * feature <= FEW_PAIRS;
    if is_small && matches!(op, SpatialOp::Intersects | SpatialOp::Disjoint) {
        let meets = probe.test(shape, Relation::Intersects, scratch);
        return (Some(meets == (op == SpatialOp::Intersects)), intersect_steps(fixed, feature));
    }
    // The matrix has the fixed geometry first.
    (Some(op.turned().shows(&probe.relate(shape, scratch))), relate_steps(fixed, feature))
}

/// A collection as one geometry of the same points, where it can be written as one: members of one kind, surfaces
/// that do not overlap. Else `None`.
pub(super) fn as_one(shapes: &[Shape]) -> Option<Shape> {
    let dimension = shapes.first()?.view().kind().dimension();
    if shapes.iter().any(|shape| shape.view().kind().dimension() != dimension) {
        return None;
    }
    let kind = [ShapeKind::MultiPoint, ShapeKind::MultiLineString, ShapeKind::MultiPolygon][usize::from(dimension)];
    let mut whole = Shape::new(kind);
    for rings in shapes.iter().flat_map(|shape| shape.view().parts().collect::<Vec<_>>()) {
        for ring in rings {
            for c in ring {
                whole.push(*c);
            }
            whole.end_ring();
        }
        whole.end_part();
    }
    (dimension < 2 || fault_of(whole.view()).is_none()).then_some(whole)
}
