//! Vector tiles of a layer (Mapbox Vector Tile 2.1), generalised by zoom so that no feature vanishes silently.
//!
//! The strategy, which tile set metadata declares:
//! 1. Vertices are snapped to the tile's grid, each by itself: common edges stay common.
//! 2. A feature whose box is smaller than a pixel (8 of 4096 units, a pixel of a map that shows a tile on 512), or of
//!    which the grid leaves nothing, becomes a mark: the pixel's square for a surface, a stroke for a line. Features
//!    whose boxes have their middle in one cell share a mark. A mark has [`COUNT`], the number of its features; their
//!    counts and the drawn features sum to the number of features in the layer. A mark of one feature has its id and
//!    properties; one of several has the class that most of them have and, in [`SAME`], how many.
//! 3. A tile keeps to its bytes ([`BUDGET`]) by leaving out properties, the least needed first and the class never;
//!    then by making cells and grid twice as wide, as often as needed. Features are never left out.
//!
//! One tile of a matrix has a mark: the one that holds the middle of its features' boxes. A drawn feature is in every
//! tile that it reaches.
//!
//! Question: why not simplify rings (Douglas and Peucker) as others do? Each ring by itself, that tears neighbours
//! apart: the gaps look like land that nobody owns.

mod dot;
mod encode;
mod gather;
mod geometry;
mod protobuf;
mod recipe;
mod series;
mod snap;
mod tags;

use crate::{
    domain::{
        layer::{GeometryClass, Layer},
        tile_matrix::{TileAddress, UNITS},
    },
    ground::shape::Bounds,
};

use self::{
    dot::{Frame, Seen},
    encode::{Content, Drawn, drawn_bytes, mark_bytes},
    gather::{Small, gather},
    snap::{Outcome, Snapped, Snapper},
};
use super::{
    filter::Selection,
    table::{Row, Table},
};

pub use dot::Dot;
pub use recipe::{Attribute, BUDGET, BadRecipe, COUNT, ID, Recipe, SAME};
pub use snap::BUFFER;

/// The side of a pixel in units.
pub const PIXEL: u32 = 8;
/// How often cells may be made twice as wide: until one is the tile.
const COARSEST: u32 = (UNITS / PIXEL).trailing_zeros();
/// A tile that covers more than this share of a segment's extent looks at all dots instead of asking the index.
const MOST_OF_ALL: f64 = 0.05;

/// A tile and what was done to keep it small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// The tile; empty where it has no feature.
    pub bytes: Vec<u8>,
    /// Features with geometry of their own.
    pub drawn: usize,
    /// Features that marks stand for.
    pub gathered: usize,
    /// Marks.
    pub marks: usize,
    /// The side of a mark's cell in units.
    pub cell: u32,
    /// Properties left out, in the order in which they went.
    pub dropped: Vec<Attribute>,
}

/// A tile that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tile cannot be written: {0}")]
pub struct Unwritable(String);

/// A feature that may be in a tile.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    row: Row,
    seen: Seen,
}

/// A layer's features as tiles are made of them.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// Its features.
    pub table: &'a Table,
    /// Those that shall be in tiles; `None` for all.
    pub selection: Option<&'a Selection>,
}

impl Source<'_> {
    /// Makes a tile.
    ///
    /// # Errors
    /// [`Unwritable`] where a path has more vertices than a vector tile can count.
    pub fn tile(&self, address: &TileAddress, recipe: &Recipe) -> Result<Tile, Unwritable> {
        let candidates = self.candidates(address);
        let mut level = (0..COARSEST).find(|level| self.fits(&candidates, *level, recipe)).unwrap_or(COARSEST);
        loop {
            let tile = self.tile_at(address, recipe, &candidates, level)?;
            if level == COARSEST || tile.bytes.len() <= recipe.budget() {
                return Ok(tile);
            }
            level += 1;
        }
    }

    /// Features whose boxes may reach into the tile, in no order.
    fn candidates(&self, address: &TileAddress) -> Vec<Candidate> {
        let (frame, bounds) = (Frame::of(address), address.bounds(BUFFER));
        let mut candidates = Vec::new();
        for (segment, held) in self.table.segments().iter().enumerate() {
            let dots = held.dots();
            let mut add = |row: u32| {
                let seen = dots[row as usize].seen_from(&frame).filter(|seen| seen.reaches(i64::from(BUFFER)));
                let Some(seen) = seen else { return };
                let row = Row { segment: segment as u32, row };
                let wanted = match self.selection {
                    Some(selection) => selection.contains(row),
                    None => self.table.is_alive(row),
                };
                if wanted {
                    candidates.push(Candidate { row, seen });
                }
            };
            if covers_much(&bounds, held.index().spread()) {
                (0..dots.len() as u32).for_each(&mut add);
            } else {
                held.index().touching(bounds).for_each(&mut add);
            }
        }
        candidates
    }

    /// 0 for points, 1 for lines, 2 for surfaces.
    fn dimension(&self, row: Row) -> u8 {
        match self.layer.geometry {
            GeometryClass::Point => 0,
            GeometryClass::Line => 1,
            GeometryClass::Surface => 2,
            GeometryClass::Mixed | GeometryClass::None => {
                self.table.shape(row).map_or(0, |shape| shape.kind().dimension())
            }
        }
    }

    /// Whether a tile with cells of this level may keep to its bytes, by what is known without touching vertices.
    fn fits(&self, candidates: &[Candidate], level: u32, recipe: &Recipe) -> bool {
        let cell = PIXEL << level;
        let across = (UNITS / cell) as usize;
        let mut marked = vec![0_u64; (across * across).div_ceil(64)];
        let (mut marks, mut bytes) = (0, 0);
        for Candidate { row, seen } in candidates {
            if is_small(*seen, cell) {
                if seen.is_owned() {
                    let at = (seen.y as usize / cell as usize) * across + seen.x as usize / cell as usize;
                    marks += usize::from(marked[at / 64] >> (at % 64) & 1 == 0);
                    marked[at / 64] |= 1 << (at % 64);
                }
            } else {
                let vertices = self.table.shape(*row).map_or(0, |shape| shape.coords().len());
                // On a grid a path turns but so often.
                let most = 16 + (seen.size * 8.0) as usize / (1_usize << level);
                bytes += drawn_bytes(vertices.min(most));
            }
            if bytes + marks * mark_bytes(cell, recipe.class().is_some()) > recipe.budget() {
                return false;
            }
        }
        true
    }

    /// The tile with cells of a level and as many properties as its bytes allow.
    fn tile_at(
        &self,
        address: &TileAddress,
        recipe: &Recipe,
        candidates: &[Candidate],
        level: u32,
    ) -> Result<Tile, Unwritable> {
        let cell = PIXEL << level;
        let (mut small, mut large): (Vec<_>, Vec<_>) = candidates.iter().partition(|c| is_small(c.seen, cell));
        small.retain(|candidate: &&Candidate| candidate.seen.is_owned());
        large.sort_unstable_by_key(|candidate: &&Candidate| self.table.id(candidate.row));
        let mut snapper = Snapper::new(address, 1 << level);
        let (mut snapped, mut drawn) = (Snapped::default(), Vec::with_capacity(large.len()));
        for candidate in large {
            let row = candidate.row;
            let Some(shape) = self.table.shape(row) else { continue };
            let first = snapped.paths.len();
            match snapper.add(shape, &mut snapped) {
                Outcome::Drawn => {
                    drawn.push(Drawn { row, dimension: shape.kind().dimension(), paths: (first, snapped.paths.len()) });
                }
                Outcome::Collapsed if candidate.seen.is_owned() => small.push(candidate),
                Outcome::Collapsed | Outcome::Elsewhere => {}
            }
        }
        let small: Vec<Small> = small.into_iter().map(|candidate| self.small(candidate, cell)).collect();
        let marks = gather(self.table, recipe.class(), &small);
        let content =
            Content { layer: self.layer, table: self.table, snapped: &snapped, drawn: &drawn, marks: &marks, cell };
        let (bytes, dropped) = content.encode(recipe).map_err(|error| Unwritable(error.to_string()))?;
        Ok(Tile { bytes, drawn: drawn.len(), gathered: small.len(), marks: marks.len(), cell, dropped })
    }

    fn small(&self, candidate: &Candidate, cell: u32) -> Small {
        let Seen { x, y, .. } = candidate.seen;
        let cell = (x as u32 / cell, y as u32 / cell);
        Small { cell, row: candidate.row, dimension: self.dimension(candidate.row) }
    }
}

/// Whether a feature is gathered in cells of a width. Points are drawn while cells are pixels.
fn is_small(seen: Seen, cell: u32) -> bool {
    seen.size < cell as f32 && (cell > PIXEL || seen.size > 0.0)
}

/// Whether a box covers so much of another that looking at everything is cheaper than the index.
fn covers_much(bounds: &Bounds, extent: Option<Bounds>) -> bool {
    let Some(extent) = extent else { return false };
    if !bounds.intersects(&extent) {
        return false;
    }
    let share = |low: f64, high: f64, from: f64, to: f64| {
        let width = to - from;
        if width > 0.0 { (high.min(to) - low.max(from)) / width } else { 1.0 }
    };
    share(bounds.min.x, bounds.max.x, extent.min.x, extent.max.x)
        * share(bounds.min.y, bounds.max.y, extent.min.y, extent.max.y)
        > MOST_OF_ALL
}
