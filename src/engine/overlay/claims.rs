//! How much land two features share, how much of one lies outside a layer, and which land a layer gives up: what rules of
//! layers ask.

use geo::{BooleanOps, Coord};

use crate::{
    engine::{
        region::{Region, Side},
        table::{Row, Table},
    },
    ground::{
        shape::{Bounds, ShapeRef},
        units::Basis,
    },
};

use super::{
    land::{Land, Rings},
    overlaps::surely_apart,
    plane::{bounds_in_plane, bulge_degrees, from_plane},
};

/// Land that a feature shares with each other feature of its table, m², where it is more than a trace of rounding.
#[must_use]
pub fn common_m2(table: &Table, row: Row) -> Vec<(Row, f64)> {
    let Some(claim) = Claim::of(table, row) else { return Vec::new() };
    let common = |other: Row| {
        let m2 = claim.common_m2(&Claim::of(table, other)?);
        (m2 > 0.0).then_some((other, m2))
    };
    table.touching(claim.bounds).filter(|other| *other != row).filter_map(common).collect()
}

/// Land that two features of a table share, m²; 0 where it is no more than a trace of rounding.
#[must_use]
pub fn shared_m2(table: &Table, a: Row, b: Row) -> f64 {
    Claim::of(table, a).zip(Claim::of(table, b)).map_or(0.0, |(a, b)| a.common_m2(&b))
}

/// Land of a feature that lies outside all features of another table, m².
#[must_use]
pub fn outside_m2(table: &Table, row: Row, around: &Table) -> f64 {
    let Some((land, bounds)) = Land::of(table, row, Basis::Ellipsoidal).zip(table.shape(row).and_then(|s| s.bounds()))
    else {
        return 0.0;
    };
    let mut left = land.surfaces();
    for other in around.touching(bounds) {
        let Some(other) = Land::of(around, other, Basis::Ellipsoidal) else { continue };
        let rings: &Rings = &other.surfaces().rings;
        left = left.rings.without(rings);
        if left.m2 <= 0.0 {
            return 0.0;
        }
    }
    left.m2
}

/// The surface of a feature, with what tells quickly that two have nothing in common.
struct Claim<'t> {
    land: Land<'t>,
    shape: ShapeRef<'t>,
    bounds: Bounds,
}

impl<'t> Claim<'t> {
    fn of(table: &'t Table, row: Row) -> Option<Self> {
        let shape = table.shape(row).filter(|shape| shape.kind().dimension() == 2)?;
        Some(Self { land: Land::of(table, row, Basis::Ellipsoidal)?, shape, bounds: shape.bounds()? })
    }

    fn common_m2(&self, other: &Self) -> f64 {
        if surely_apart((self.shape, &self.bounds), (other.shape, &other.bounds)) {
            return 0.0;
        }
        self.land.surfaces().rings.and(&other.land.surfaces().rings).m2
    }
}

/// Land that a feature covered and that its layer does not cover any more, in pieces; also those too thin to be land, of
/// which many in a row may amount to some.
#[derive(Debug)]
pub struct Lost {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    rings: Rings,
    /// None for a piece without extent.
    region: Option<Region>,
    /// In degrees.
    bounds: Bounds,
}

impl Lost {
    /// What a layer gave up of the land of one of its features as it was `before`.
    #[must_use]
    pub fn of(before: &Table, row: Row, after: &Table) -> Self {
        let Some(claim) = Claim::of(before, row) else { return Self { pieces: Vec::new() } };
        // Each piece apart: its rings in the plane.
        let surfaces = claim.land.surfaces();
        let mut rings = surfaces.rings.0.into_iter();
        let mut pieces: Vec<Rings> =
            surfaces.ring_counts.iter().map(|count| Rings(rings.by_ref().take(*count).collect())).collect();
        for other in after.touching(claim.bounds.widened(bulge_degrees(&claim.bounds))) {
            let Some(other) = Land::of(after, other, Basis::Ellipsoidal) else { continue };
            let left = Rings(pieces.into_iter().flat_map(|piece| piece.0).collect());
            let left = left.difference(&other.surfaces().rings);
            let rings_of = |polygon: &geo::Polygon| {
                Rings(std::iter::once(polygon.exterior()).chain(polygon.interiors()).cloned().collect())
            };
            pieces = left.iter().map(rings_of).collect();
            if pieces.is_empty() {
                break;
            }
        }
        Self { pieces: pieces.into_iter().filter_map(Piece::of).collect() }
    }

    /// Boxes of longitude and latitude that hold all of it: what it is near to is found by them.
    pub fn boxes(&self) -> impl Iterator<Item = Bounds> + '_ {
        self.pieces.iter().map(|piece| piece.bounds)
    }

    /// Whether a feature may have land in it. True may be said of one that has none.
    #[must_use]
    pub fn reaches(&self, bounds: &Bounds) -> bool {
        let in_plane = bounds_in_plane(bounds);
        self.pieces.iter().any(|piece| {
            let outside = |region: &Region| region.classify(&in_plane) == Side::Outside;
            piece.bounds.intersects(&bounds.widened(bulge_degrees(bounds)))
                && !piece.region.as_ref().is_some_and(outside)
        })
    }

    /// How much of it is land of a feature, m².
    #[must_use]
    pub fn of_feature_m2(&self, table: &Table, row: Row) -> f64 {
        let Some(land) = Land::of(table, row, Basis::Ellipsoidal) else { return 0.0 };
        let rings = land.surfaces().rings;
        self.pieces.iter().map(|piece| rings.and(&piece.rings).m2).sum()
    }
}

impl Piece {
    fn of(rings: Rings) -> Option<Self> {
        let places: Vec<Coord> = rings.0.iter().flat_map(|ring| ring.0.iter().map(|at| from_plane(*at))).collect();
        // Off the true place by the rounding of the way to the plane and back.
        let bounds = Bounds::around(&places)?.widened(1e-10);
        let region = Region::of_rings(rings.0.iter().map(|ring| ring.0.clone()).collect());
        Some(Self { rings, region, bounds })
    }
}
