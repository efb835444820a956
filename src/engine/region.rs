//! A surface cut into cells, so that questions about a small box cost little however many vertices it has.
//!
//! Halving its box again and again leaves cells that are empty, full, or crossed by few edges. Most boxes
//! of a parcel layer touch no edge of a park and are decided by one cell; the others get the few edges near
//! them. Insides are by the even-odd rule over all rings.
//!
//! Invariant: the pieces in the cells tile the surface. An edge that a cell's side cuts gets a vertex
//! there, the same one on both sides, off the true edge by the rounding of one coordinate; therefore
//! [`Region::classify`] widens the box by more than that and never calls a crossed box inside or outside.

use geo::Coord;

use crate::ground::shape::{Bounds, ShapeRef};

use super::clip::{self, Cut, edges};

/// A cell with no more edges than this is not halved again.
const FEW_EDGES: usize = 24;
/// Cells are halved at most so often.
const MAX_DEPTH: u32 = 40;
/// Boxes are widened by this share of the largest coordinate before they are classified.
const WIDEN: f64 = 4e-15;

/// Where a box lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It shares no point with the surface.
    Outside,
    /// It lies in the surface.
    Inside,
    /// An edge of the surface touches it or passes within rounding.
    Crossing,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    /// `low` is the half below the cut, the next node the other; some keep the rings of the whole cell.
    Halved {
        across_x: bool,
        at: f64,
        low: u32,
        kept: (u32, u32),
    },
    Empty,
    Full,
    /// Rings of the cell, by their place in `ring_ends`.
    Crossed {
        first_ring: u32,
        end_ring: u32,
    },
}

/// A surface in cells.
#[derive(Debug, Clone)]
pub struct Region {
    bounds: Bounds,
    widen: f64,
    nodes: Vec<Node>,
    coords: Vec<Coord>,
    ring_ends: Vec<u32>,
    /// Further halving stops when the cells hold so many coordinates.
    most_coords: usize,
}

impl Region {
    /// The region of a surface; `None` for points, lines and surfaces without extent.
    #[must_use]
    pub fn of_shape(shape: ShapeRef<'_>) -> Option<Self> {
        if shape.kind().dimension() < 2 {
            return None;
        }
        Self::of_rings(shape.rings().map(<[Coord]>::to_vec).collect())
    }

    /// The region of rings, closed or not.
    #[must_use]
    pub fn of_rings(mut rings: Vec<Vec<Coord>>) -> Option<Self> {
        for ring in &mut rings {
            if ring.len() > 1 && ring.first() == ring.last() {
                ring.pop();
            }
        }
        rings.retain(|ring| ring.len() > 2);
        let bounds = rings.iter().map(|ring| Bounds::around(ring)).reduce(|a, b| Some(a?.union(b?)))??;
        let largest = [bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y].into_iter().map(f64::abs);
        let widen = largest.fold(0.0, f64::max) * WIDEN;
        if !(bounds.max.x - bounds.min.x > 2.0 * widen && bounds.max.y - bounds.min.y > 2.0 * widen) {
            return None;
        }
        let vertices: usize = rings.iter().map(Vec::len).sum();
        let mut region = Self {
            bounds,
            widen,
            nodes: vec![Node::Empty],
            coords: Vec::new(),
            ring_ends: Vec::new(),
            most_coords: vertices * 12 + 4096,
        };
        region.fill(0, rings, bounds, 0);
        region.coords.shrink_to_fit();
        Some(region)
    }

    /// The smallest box around the surface.
    #[must_use]
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn fill(&mut self, node: usize, rings: Vec<Vec<Coord>>, cell: Bounds, depth: u32) {
        let edges: usize = rings.iter().map(|ring| edges(ring).filter(|(a, b)| !on_side(*a, *b, &cell)).count()).sum();
        if edges == 0 {
            let full = rings.iter().fold(false, |inside, ring| inside ^ parity(ring, cell.center()));
            self.nodes[node] = if full { Node::Full } else { Node::Empty };
            return;
        }
        let (width, height) = (cell.max.x - cell.min.x, cell.max.y - cell.min.y);
        let small = width.max(height) < 1e6 * self.widen;
        if edges <= FEW_EDGES || depth == MAX_DEPTH || small || self.coords.len() > self.most_coords {
            let (first_ring, end_ring) = self.keep(&rings);
            self.nodes[node] = Node::Crossed { first_ring, end_ring };
            return;
        }
        let across_x = width >= height;
        let at = if across_x { cell.center().x } else { cell.center().y };
        let (mut low_cell, mut high_cell) = (cell, cell);
        if across_x {
            (low_cell.max.x, high_cell.min.x) = (at, at);
        } else {
            (low_cell.max.y, high_cell.min.y) = (at, at);
        }
        let half = |keep_low: bool| -> Vec<Vec<Coord>> {
            let cut = Cut { across_x, at, keep_low };
            rings.iter().map(|ring| cut.applied(ring)).filter(|ring| ring.len() > 2).collect()
        };
        let (low_rings, high_rings) = (half(true), half(false));
        // Every other level is enough: a box that straddles a cut is clipped from the cell above.
        let kept = if depth.is_multiple_of(2) { self.keep(&rings) } else { (0, 0) };
        drop(rings);
        let low = self.nodes.len() as u32;
        self.nodes.extend([Node::Empty, Node::Empty]);
        self.nodes[node] = Node::Halved { across_x, at, low, kept };
        self.fill(low as usize, low_rings, low_cell, depth + 1);
        self.fill(low as usize + 1, high_rings, high_cell, depth + 1);
    }

    /// Stores rings; returns their places.
    fn keep(&mut self, rings: &[Vec<Coord>]) -> (u32, u32) {
        let first = self.ring_ends.len() as u32;
        for ring in rings {
            self.coords.extend_from_slice(ring);
            self.ring_ends.push(self.coords.len() as u32);
        }
        (first, self.ring_ends.len() as u32)
    }

    /// Where a box lies: a box that is called inside or outside is so for certain.
    #[must_use]
    pub fn classify(&self, bounds: &Bounds) -> Side {
        let wanted = bounds.widened(self.widen);
        if !self.bounds.intersects(&wanted) {
            return Side::Outside;
        }
        let mut seen = Seen { inside: false, outside: !self.bounds.contains(&wanted) };
        if self.look(0, &wanted, self.bounds, &mut seen) || (seen.inside && seen.outside) {
            return Side::Crossing;
        }
        if seen.inside { Side::Inside } else { Side::Outside }
    }

    /// Looks at the cells that share a point with the box; true as soon as it is known to be crossed.
    fn look(&self, node: usize, wanted: &Bounds, cell: Bounds, seen: &mut Seen) -> bool {
        match self.nodes[node] {
            Node::Empty => seen.outside = true,
            Node::Full => seen.inside = true,
            Node::Halved { across_x, at, low, .. } => {
                let [(low_wanted, low_cell), (high_wanted, high_cell)] = halves(across_x, at, wanted, cell);
                return (low_wanted && self.look(low as usize, wanted, low_cell, seen))
                    || (high_wanted && self.look(low as usize + 1, wanted, high_cell, seen));
            }
            Node::Crossed { first_ring, end_ring } => {
                let touched = self
                    .rings(first_ring, end_ring)
                    .any(|ring| edges(ring).any(|(a, b)| !on_side(a, b, &cell) && touches(a, b, wanted)));
                if touched {
                    return true;
                }
                let part = Bounds {
                    min: Coord { x: wanted.min.x.max(cell.min.x), y: wanted.min.y.max(cell.min.y) },
                    max: Coord { x: wanted.max.x.min(cell.max.x), y: wanted.max.y.min(cell.max.y) },
                };
                let at = part.center();
                let inside = self.rings(first_ring, end_ring).fold(false, |inside, ring| inside ^ parity(ring, at));
                *(if inside { &mut seen.inside } else { &mut seen.outside }) = true;
            }
        }
        seen.inside && seen.outside
    }

    /// Whether a place lies in the surface; either answer within rounding of an edge.
    #[must_use]
    pub fn holds(&self, at: Coord) -> bool {
        if !self.bounds.holds(at) {
            return false;
        }
        let mut node = 0;
        loop {
            match self.nodes[node] {
                Node::Empty => return false,
                Node::Full => return true,
                Node::Halved { across_x, at: side, low, .. } => {
                    let high_side = if across_x { at.x >= side } else { at.y >= side };
                    node = low as usize + usize::from(high_side);
                }
                Node::Crossed { first_ring, end_ring } => {
                    return self.rings(first_ring, end_ring).fold(false, |inside, ring| inside ^ parity(ring, at));
                }
            }
        }
    }

    /// The part of the surface in a box, as open rings under the even-odd rule.
    ///
    /// Rings must have been given with the surface to their left; sides of the box become edges.
    #[must_use]
    pub fn within(&self, wanted: &Bounds) -> Vec<Vec<Coord>> {
        if !self.bounds.intersects(wanted) {
            return Vec::new();
        }
        let (mut node, mut cell) = (0, self.bounds);
        let mut rings = (0, 0);
        loop {
            match self.nodes[node] {
                Node::Empty => return Vec::new(),
                Node::Full => {
                    let (a, c) = (wanted.min, wanted.max);
                    return vec![vec![a, Coord { x: c.x, y: a.y }, c, Coord { x: a.x, y: c.y }]];
                }
                Node::Crossed { first_ring, end_ring } => {
                    rings = (first_ring, end_ring);
                    break;
                }
                Node::Halved { across_x, at, low, kept: (first_ring, end_ring) } => {
                    if first_ring < end_ring {
                        rings = (first_ring, end_ring);
                    }
                    let halves = halves(across_x, at, wanted, cell);
                    let Some(half) = halves.iter().position(|(_, half)| strictly_holds(half, wanted)) else { break };
                    (node, cell) = (low as usize + half, halves[half].1);
                }
            }
        }
        let near: Vec<&[Coord]> = self.rings(rings.0, rings.1).collect();
        clip::to_box(&near, wanted, |corner| self.holds(corner))
    }

    fn rings(&self, first: u32, end: u32) -> impl Iterator<Item = &[Coord]> {
        (first as usize..end as usize).map(|ring| {
            let start = if ring == 0 { 0 } else { self.ring_ends[ring - 1] as usize };
            &self.coords[start..self.ring_ends[ring] as usize]
        })
    }
}

struct Seen {
    inside: bool,
    outside: bool,
}

/// The two halves of a cell, and whether the box reaches into each.
fn halves(across_x: bool, at: f64, wanted: &Bounds, cell: Bounds) -> [(bool, Bounds); 2] {
    let (mut low, mut high) = (cell, cell);
    if across_x {
        (low.max.x, high.min.x) = (at, at);
        [(wanted.min.x < at, low), (wanted.max.x >= at, high)]
    } else {
        (low.max.y, high.min.y) = (at, at);
        [(wanted.min.y < at, low), (wanted.max.y >= at, high)]
    }
}

/// Whether a box lies in a cell without touching its sides.
fn strictly_holds(cell: &Bounds, wanted: &Bounds) -> bool {
    cell.min.x < wanted.min.x && wanted.max.x < cell.max.x && cell.min.y < wanted.min.y && wanted.max.y < cell.max.y
}

/// Whether an edge runs along a side of its cell.
#[expect(clippy::float_cmp, reason = "vertices on a side hold the side's very coordinate")]
fn on_side(a: Coord, b: Coord, cell: &Bounds) -> bool {
    (a.x == b.x && (a.x == cell.min.x || a.x == cell.max.x)) || (a.y == b.y && (a.y == cell.min.y || a.y == cell.max.y))
}

/// Whether an edge touches a box, by separating axes.
fn touches(a: Coord, b: Coord, bounds: &Bounds) -> bool {
    let (center, half) = (bounds.center(), (bounds.max - bounds.min) / 2.0);
    let middle = Coord { x: f64::midpoint(a.x, b.x) - center.x, y: f64::midpoint(a.y, b.y) - center.y };
    let reach = (b - a) / 2.0;
    middle.x.abs() <= half.x + reach.x.abs()
        && middle.y.abs() <= half.y + reach.y.abs()
        && (middle.x * reach.y - middle.y * reach.x).abs() <= half.x * reach.y.abs() + half.y * reach.x.abs()
}

/// Whether an open ring winds around a place an odd number of times.
fn parity(ring: &[Coord], at: Coord) -> bool {
    let mut inside = false;
    for (a, b) in edges(ring) {
        if (a.y > at.y) != (b.y > at.y) {
            let cross = (b.x - a.x) * (at.y - a.y) - (b.y - a.y) * (at.x - a.x);
            inside ^= (cross > 0.0) == (b.y > a.y);
        }
    }
    inside
}
