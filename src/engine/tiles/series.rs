//! Web Mercator near a tile without a sine and a logarithm for each vertex, to the same step of the grid.
//!
//! Invariant: what it says is what [`TileMatrixSet::project`] says, to the bit once it is snapped; where that is not sure it
//! says nothing. So tiles do not depend on who computed them, and neighbours agree on their common vertices.
//! Source: the derivatives of artanh(sin φ), by hand.

use std::f64::consts::TAU;

use geo::Coord;

use crate::domain::tile_matrix::{TileAddress, TileMatrixSet};

/// Web Mercator's y near a latitude, as the first terms of its series: a sine and a logarithm for each vertex would be a
/// sixth of a tile's cost. Where rounding could decide otherwise than [`TileMatrixSet::project`] it says nothing.
#[derive(Debug)]
pub(super) struct Series {
    /// The latitude around which it runs, radians.
    middle: f64,
    /// The terms from the constant on, in shares of the square.
    terms: [f64; 6],
}

impl Series {
    /// So far from the middle, in radians, what the terms leave out is below 1e-15 of the square.
    const REACH: f64 = 2e-3;
    /// Up to so high, in degrees.
    const HIGHEST: f64 = 66.0;
    /// The series and the projection, both rounded, are no farther apart, in shares of the square.
    const OFF: f64 = 4e-15;

    /// The series for a tile; `None` where there is none for it.
    pub(super) fn around(address: &TileAddress) -> Option<Self> {
        let Coord { y, .. } = address.bounds(0).center();
        if address.set() != TileMatrixSet::WebMercatorQuad || y.abs() > Self::HIGHEST {
            return None;
        }
        let middle = y.to_radians();
        let (sec, tan) = (1.0 / middle.cos(), middle.tan());
        let sec2 = sec * sec;
        // The derivatives of artanh(sin φ), each over its factorial.
        let rising = [
            sec,
            sec * tan / 2.0,
            sec * (2.0 * sec2 - 1.0) / 6.0,
            sec * tan * (6.0 * sec2 - 1.0) / 24.0,
            sec * (24.0 * sec2 * sec2 - 20.0 * sec2 + 1.0) / 120.0,
        ];
        let mut terms = [address.set().project(Coord { x: 0.0, y }).y; 6];
        for (term, rising) in terms[1..].iter_mut().zip(rising) {
            *term = -rising / TAU;
        }
        Some(Self { middle, terms })
    }

    /// The nearest whole step to the image of a latitude, of so many in the square; `None` where it cannot tell.
    pub(super) fn step(&self, latitude: f64, steps: f64) -> Option<f64> {
        let d = latitude.to_radians() - self.middle;
        let y = self.terms.iter().rev().fold(0.0, |sum, term| sum * d + term);
        let raised = y * steps + 0.5;
        let whole = raised as i64 as f64;
        let off = Self::OFF * steps;
        let is_sure = d.abs() < Self::REACH && raised > 1.0 && raised - whole > off && raised - whole < 1.0 - off;
        is_sure.then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(latitude: f64, zoom: u8) -> TileAddress {
        let set = TileMatrixSet::WebMercatorQuad;
        let share = set.project(Coord { x: 112.9, y: latitude });
        let tiles = f64::from(1_u32 << zoom);
        TileAddress::new(set, zoom.into(), (share.y * tiles) as i64, (share.x * tiles) as i64).unwrap()
    }

    #[test]
    fn near_a_tile_it_nearly_always_has_an_answer() {
        let address = address(22.65, 14);
        let (series, bounds) = (Series::around(&address).unwrap(), address.bounds(0));
        let steps = address.world_units();
        let at = |i: i32| bounds.min.y + (bounds.max.y - bounds.min.y) * f64::from(i) / 9_999.0;
        assert!((0..10_000).filter(|i| series.step(at(*i), steps).is_some()).count() > 9_990);
    }

    proptest! {
        #[test]
        fn it_says_what_the_projection_says_also_between_two_steps(
            latitude in -70.0..70.0_f64,
            zoom in 0_u8..=24,
            level in 0_u32..3,
            off in prop_oneof![-0.2..0.2_f64, -2e-3..2e-3_f64, -1e-6..1e-6_f64],
            to_tie: bool,
            ulps in -4_i32..=4,
        ) {
            let (set, address) = (TileMatrixSet::WebMercatorQuad, address(latitude, zoom));
            let Some(series) = Series::around(&address) else { return Ok(()) };
            let steps = address.world_units() / f64::from(1_u32 << level);
            let mut at = latitude + off;
            if to_tie {
                let share = set.project(Coord { x: 0.0, y: at }).y;
                at = set.unproject(Coord { x: 0.0, y: ((share * steps).floor() + 0.5) / steps }).y;
                for _ in 0..ulps.unsigned_abs() {
                    at = if ulps > 0 { at.next_up() } else { at.next_down() };
                }
            }
            if let Some(step) = series.step(at, steps) {
                let wanted = (set.project(Coord { x: 0.0, y: at }).y * steps + 0.5).floor();
                prop_assert!(step.total_cmp(&wanted).is_eq(), "{step}, not {wanted}: latitude {} of tile {:?}", at, address);
            }
        }
    }
}
