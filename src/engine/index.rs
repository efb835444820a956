//! The spatial index of a table's segment: boxes of rows in blocks, and an `rstar` tree of the blocks, bulk-loaded
//! and never changed afterwards.
//!
//! Rows that follow each other lie near each other ([`super::order`]), so sixteen of them share a box that is
//! hardly wider than they are: the tree has a sixteenth of the entries, and what it names is read in one go.
//!
//! Question: why not insert into the tree on an edit? Readers share it; and the tree of a bulk load is
//! better packed than one that grew. Edits live in a small second segment with a tree of its own.
//!
//! In the tree longitudes are scaled by the cosine of the segment's middle latitude, so that distances there
//! are nearly proportional to distances on the ground and the nearest blocks come first.

use std::ops::Range;

use geo::Coord;
use rstar::{AABB, PointDistance, RTree, RTreeObject};

use crate::ground::shape::Bounds;

use super::order::numbers_along_curve;

/// Boxes that share an entry of the tree.
const BLOCK: usize = 16;

/// The common box of a block in the tree.
#[derive(Debug, Clone, Copy)]
struct Block {
    min: [f64; 2],
    max: [f64; 2],
    number: u32,
}

impl Block {
    fn range(&self, count: usize) -> Range<usize> {
        let first = self.number as usize * BLOCK;
        first..(first + BLOCK).min(count)
    }
}

impl RTreeObject for Block {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.min, self.max)
    }
}

impl PointDistance for Block {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        let dx = (self.min[0] - point[0]).max(point[0] - self.max[0]).max(0.0);
        let dy = (self.min[1] - point[1]).max(point[1] - self.max[1]).max(0.0);
        dx * dx + dy * dy
    }
}

/// Boxes of rows, to be found by box, by point and by nearness.
#[derive(Debug)]
pub struct Index {
    tree: RTree<Block>,
    scale: f64,
    /// Boxes in degrees, block after block.
    boxes: Vec<Bounds>,
    /// The row of each box; empty where the rows stand in the order of the boxes.
    rows: Vec<u32>,
}

impl Index {
    /// The index of the rows 0, 1, 2 … with their boxes in degrees; quick where neighbours follow each other.
    #[must_use]
    pub fn of_ordered(boxes: Vec<Bounds>) -> Self {
        let around = boxes.iter().copied().reduce(Bounds::union);
        let scale = around.map_or(1.0, |around| around.center().y.to_radians().cos().max(0.01));
        let block = |(boxes, number): (&[Bounds], u32)| {
            let around = boxes[1..].iter().fold(boxes[0], |around, held| around.union(*held));
            Block { min: [around.min.x * scale, around.min.y], max: [around.max.x * scale, around.max.y], number }
        };
        let blocks = boxes.chunks(BLOCK).zip(0..).map(block).collect();
        Self { tree: RTree::bulk_load(blocks), scale, boxes, rows: Vec::new() }
    }

    /// The index of rows with their boxes in degrees, whatever their order.
    #[must_use]
    pub fn build(boxes: impl Iterator<Item = (u32, Bounds)>) -> Self {
        let (rows, boxes): (Vec<u32>, Vec<Bounds>) = boxes.unzip();
        let order = numbers_along_curve(&boxes);
        let ordered = order.iter().map(|at| boxes[*at as usize]).collect();
        Self { rows: order.iter().map(|at| rows[*at as usize]).collect(), ..Self::of_ordered(ordered) }
    }

    /// Rows whose box shares a point with the given one, in no order.
    pub fn touching(&self, bounds: Bounds) -> impl Iterator<Item = u32> + '_ {
        self.boxes_touching(bounds).map(|(row, _)| row)
    }

    /// An upper bound of the rows whose box shares a point with the given one; `None` where it is greater than `most`.
    #[must_use]
    pub fn reach(&self, bounds: Bounds, most: usize) -> Option<usize> {
        let blocks = self.blocks_touching(bounds).take(most / BLOCK + 1).count();
        Some(blocks * BLOCK).filter(|rows| *rows <= most)
    }

    fn blocks_touching(&self, bounds: Bounds) -> impl Iterator<Item = &Block> {
        let corner = |c: Coord| [c.x * self.scale, c.y];
        self.tree.locate_in_envelope_intersecting(AABB::from_corners(corner(bounds.min), corner(bounds.max)))
    }

    /// Rows whose box shares a point with the given one, with their boxes, in no order.
    pub fn boxes_touching(&self, bounds: Bounds) -> impl Iterator<Item = (u32, &Bounds)> + '_ {
        self.blocks_touching(bounds).flat_map(move |block| {
            let places = block.range(self.boxes.len());
            let boxes = self.boxes[places.clone()].iter().zip(places);
            boxes.filter(move |(held, _)| held.intersects(&bounds)).map(|(held, place)| (self.row(place), held))
        })
    }

    /// Blocks of rows by the distance of their common box from a place, nearest first, each with a lower bound of
    /// the distance in degrees of latitude, measured in a plane that is true to scale at the place.
    pub fn nearest(&self, at: Coord) -> impl Iterator<Item = (impl Iterator<Item = (u32, &Bounds)> + '_, f64)> + '_ {
        // The tree's plane is true to scale at its middle latitude; a bound for the plane at the place
        // shrinks by the ratio of the two cosines where that is below one.
        let shrink = (at.y.to_radians().cos() / self.scale).min(1.0);
        self.tree.nearest_neighbor_iter_with_distance_2([at.x * self.scale, at.y]).map(move |(block, distance_2)| {
            let places = block.range(self.boxes.len());
            let rows = self.boxes[places.clone()].iter().zip(places).map(|(held, place)| (self.row(place), held));
            (rows, distance_2.sqrt() * shrink)
        })
    }

    fn row(&self, place: usize) -> u32 {
        self.rows.get(place).map_or(place as u32, |row| *row)
    }

    /// The smallest box around all rows.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        self.boxes.iter().copied().reduce(Bounds::union)
    }

    /// The smallest box around the rows for which `counts` is true.
    #[must_use]
    pub fn extent_of(&self, counts: impl Fn(u32) -> bool) -> Option<Bounds> {
        let mut around: Option<Bounds> = None;
        for (place, held) in self.boxes.iter().enumerate() {
            if !around.is_some_and(|around| around.contains(held)) && counts(self.row(place)) {
                around = Some(around.map_or(*held, |around| around.union(*held)));
            }
        }
        around
    }

    /// The box around all rows, but for the rounding of the tree's plane, at no cost; `None` where there is no row.
    #[must_use]
    pub fn spread(&self) -> Option<Bounds> {
        let envelope = (!self.is_empty()).then(|| self.tree.root().envelope())?;
        let corner = |[x, y]: [f64; 2]| Coord { x: x / self.scale, y };
        Some(Bounds { min: corner(envelope.lower()), max: corner(envelope.upper()) })
    }

    /// The number of rows in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether no row is in the index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }
}
