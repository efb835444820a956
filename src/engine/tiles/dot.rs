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
        let step = |share: f64| (share * 4_294_967_296.0).floor().clamp(0.0, 4_294_967_295.0) as u32;
        let degrees = TileMatrixSet::Cgcs2000Quad.project(bounds.center());
        // Northwards the plane is stretched ever more: the middle of the box there is not that of its latitudes.
        let share = |corner| TileMatrixSet::WebMercatorQuad.project(corner).y.clamp(0.0, 1.0);
        let (north, south) = (share(bounds.max), share(bounds.min));
        let size = ((bounds.max.x - bounds.min.x) / 360.0).max(south - north);
        // Never shorter than it is, for the rounding to fewer digits.
        let size = if size > 0.0 { (size as f32).next_up() } else { 0.0 };
        Self { x: step(degrees.x), y: [step(f64::midpoint(north, south)), step(degrees.y)], size }
    }

    /// Where the feature is in a tile; `None` for a feature without geometry.
    pub(super) fn seen_from(&self, frame: &Frame) -> Option<Seen> {
        if self.size.is_nan() {
            return None;
        }
        // The square's 2^32 steps are 2^(zoom + 12) units.
        let unit = |at: u32| match frame.shift.checked_sub(32) {
            Some(finer) => i64::from(at) << finer,
            None => i64::from(at >> (32 - frame.shift)),
        };
        let x = unit(self.x) - frame.corner.0;
        let y = unit(self.y[frame.plane]) - frame.corner.1;
        // Where units are finer than steps the middle may be anywhere in its step.
        let blur = 1_i64 << frame.shift.saturating_sub(32);
        Some(Seen { x, y, blur, size: self.size * frame.world_units })
    }
}

/// A dot in the units of a tile, from its north-western corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) x: i64,
    pub(super) y: i64,
    /// How far off they may be.
    blur: i64,
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
        let by = buffer + self.blur + (self.size / 2.0).ceil() as i64;
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
