//! The spatial index of a table's segment: `rstar`, bulk-loaded and never changed afterwards.
//!
//! Question: why not insert into the tree on an edit? Readers share it; and the tree of a bulk load is
//! better packed than one that grew. Edits live in a small second segment with a tree of its own.
//!
//! Longitudes are scaled by the cosine of the segment's middle latitude, so that distances in the tree
//! are nearly proportional to distances on the ground and the nearest boxes come first.

use geo::Coord;
use rstar::{AABB, PointDistance, RTree, RTreeObject};

use crate::ground::shape::Bounds;

/// A feature's box in the tree.
#[derive(Debug, Clone, Copy)]
struct Entry {
    min: [f64; 2],
    max: [f64; 2],
    row: u32,
}

impl RTreeObject for Entry {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.min, self.max)
    }
}

impl PointDistance for Entry {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        let dx = (self.min[0] - point[0]).max(point[0] - self.max[0]).max(0.0);
        let dy = (self.min[1] - point[1]).max(point[1] - self.max[1]).max(0.0);
        dx * dx + dy * dy
    }
}

/// Boxes of rows, to be found by box, by point and by nearness.
#[derive(Debug)]
pub struct Index {
    tree: RTree<Entry>,
    scale: f64,
}

impl Index {
    /// The index of rows with their boxes in degrees.
    #[must_use]
    pub fn build(boxes: impl Iterator<Item = (u32, Bounds)>) -> Self {
        let mut entries: Vec<Entry> =
            boxes.map(|(row, b)| Entry { min: [b.min.x, b.min.y], max: [b.max.x, b.max.y], row }).collect();
        let south = entries.iter().map(|e| e.min[1]).fold(f64::INFINITY, f64::min);
        let north = entries.iter().map(|e| e.max[1]).fold(f64::NEG_INFINITY, f64::max);
        let scale = if entries.is_empty() { 1.0 } else { f64::midpoint(south, north).to_radians().cos().max(0.01) };
        for entry in &mut entries {
            entry.min[0] *= scale;
            entry.max[0] *= scale;
        }
        Self { tree: RTree::bulk_load(entries), scale }
    }

    /// Rows whose box shares a point with the given one, in no order.
    pub fn touching(&self, bounds: Bounds) -> impl Iterator<Item = u32> + '_ {
        let corner = |c: Coord| [c.x * self.scale, c.y];
        let wanted = AABB::from_corners(corner(bounds.min), corner(bounds.max));
        self.tree.locate_in_envelope_intersecting(wanted).map(|entry| entry.row)
    }

    /// All rows by the distance of their boxes from a place, nearest first, each with a lower bound of the
    /// distance in degrees of latitude, measured in a plane that is true to scale at the place.
    pub fn nearest(&self, at: Coord) -> impl Iterator<Item = (u32, f64)> + '_ {
        // The tree's plane is true to scale at its middle latitude; a bound for the plane at the place
        // shrinks by the ratio of the two cosines where that is below one.
        let shrink = (at.y.to_radians().cos() / self.scale).min(1.0);
        self.tree
            .nearest_neighbor_iter_with_distance_2([at.x * self.scale, at.y])
            .map(move |(entry, distance_2)| (entry.row, distance_2.sqrt() * shrink))
    }

    /// The number of rows in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.size()
    }

    /// Whether no row is in the index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.size() == 0
    }
}
