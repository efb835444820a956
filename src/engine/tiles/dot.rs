//! Where a feature is and how large, in sixteen bytes: what a tile of small scale needs to know of it.
//!
//! Derived from the geometry when first asked for. A tile of 370,000 parcels is made from these alone: touching every
//! vertex of such a tile costs more than the whole answer may.

use crate::{
    domain::tile_matrix::{TileAddress, TileMatrixSet, UNITS},
    ground::shape::Bounds,
};

/// The middle of a feature's box in both tile matrix sets, and the box's longer side.
#[derive(Debug, Clone, Copy)]
pub struct Dot {
    /// Eastwards, in 2^32nds of the square.
    x: u32,
    /// Southwards in Web Mercator and in longitude and latitude, in 2^32nds of the square.
    y: [u32; 2],
    /// The longer side as a share of the square, in Web Mercator (never shorter there than in longitude and latitude).
    size: f32,
}

impl Dot {
    /// Of a feature without geometry.
    pub const NOWHERE: Self = Self { x: 0, y: [0, 0], size: f32::NAN };

    /// Of a feature with a box in EPSG:4490.
    ///
    /// What lies beyond 85.05° of latitude has no place in Web Mercator: it is told at the square's edge.
    #[must_use]
    pub fn of(bounds: Bounds) -> Self {
        let middle = bounds.center();
        let step = |share: f64| (share * 4_294_967_296.0).floor().clamp(0.0, 4_294_967_295.0) as u32;
        let mercator = TileMatrixSet::WebMercatorQuad.project(middle);
        let degrees = TileMatrixSet::Cgcs2000Quad.project(middle);
        let stretch = middle.y.to_radians().cos().max(1e-6);
        let size = (bounds.max.x - bounds.min.x).max((bounds.max.y - bounds.min.y) / stretch) / 360.0;
        Self { x: step(mercator.x), y: [step(mercator.y), step(degrees.y)], size: size as f32 }
    }

    /// Where the feature is in a tile; `None` for a feature without geometry.
    pub(super) fn seen_from(&self, frame: &Frame) -> Option<Seen> {
        if self.size.is_nan() {
            return None;
        }
        // The square's 2^32 steps are 2^(zoom + 12) units.
        let unit = |at: u32| ((u64::from(at) << frame.shift) >> 32) as i64;
        let x = unit(self.x) - frame.corner.0;
        let y = unit(self.y[frame.plane]) - frame.corner.1;
        Some(Seen { x, y, size: self.size * frame.world_units })
    }
}

/// A dot in the units of a tile, from its north-western corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) x: i64,
    pub(super) y: i64,
    /// The longer side of the feature's box.
    pub(super) size: f32,
}

impl Seen {
    /// Whether the middle of the feature's box lies in the tile: exactly one tile of a matrix has it.
    pub(super) fn is_owned(self) -> bool {
        let inside = 0..i64::from(UNITS);
        inside.contains(&self.x) && inside.contains(&self.y)
    }

    /// Whether the feature may reach into the tile widened by some units.
    pub(super) fn reaches(self, buffer: i64) -> bool {
        // One unit more, for the middle's rounding.
        let by = buffer + 1 + (self.size / 2.0).ceil() as i64;
        let inside = -by..=i64::from(UNITS) + by;
        inside.contains(&self.x) && inside.contains(&self.y)
    }
}

/// A tile as dots are seen from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    shift: u8,
    plane: usize,
    corner: (i64, i64),
    world_units: f32,
}

impl Frame {
    pub(super) fn of(address: &TileAddress) -> Self {
        Self {
            shift: address.zoom() + UNITS.trailing_zeros() as u8,
            plane: usize::from(address.set() == TileMatrixSet::Cgcs2000Quad),
            corner: address.corner_units(),
            world_units: address.world_units() as f32,
        }
    }
}
