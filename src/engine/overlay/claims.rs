//! How much land two features share, and how much of one lies outside a layer: what rules of layers ask.

use crate::{
    engine::table::{Row, Table},
    ground::units::Basis,
};

use super::{
    land::{Land, Rings},
    overlaps::surely_apart,
};

/// Land that a feature shares with each other feature of its table, m², where it is more than a trace of rounding.
#[must_use]
pub fn common_m2(table: &Table, row: Row) -> Vec<(Row, f64)> {
    let Some((land, shape)) = Land::of(table, row, Basis::Ellipsoidal).zip(table.shape(row)) else { return Vec::new() };
    let Some(bounds) = shape.bounds() else { return Vec::new() };
    let common = |other: Row| {
        let other_shape = table.shape(other).filter(|shape| shape.kind().dimension() == 2)?;
        if surely_apart((shape, &bounds), (other_shape, &other_shape.bounds()?)) {
            return None;
        }
        let other_land = Land::of(table, other, Basis::Ellipsoidal)?;
        let m2 = land.surfaces().rings.and(&other_land.surfaces().rings).m2;
        (m2 > 0.0).then_some((other, m2))
    };
    table.touching(bounds).filter(|other| *other != row).filter_map(common).collect()
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
