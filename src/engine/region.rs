//! A surface cut into cells, so that questions about a small box cost little however many vertices it has.
//!
//! Halving its box again and again leaves cells that are empty, full, or crossed by few edges. Most boxes
//! of a parcel layer touch no edge of a park and are decided by one cell; the others get the few edges near
//! them. Insides are by the even-odd rule over all rings.
//!
//! Invariant: the pieces in the cells tile the surface. An edge that a cell's side cuts gets a vertex
//! there, the same one on both sides, off the true edge by the rounding of one coordinate; therefore
//! [`Region::classify`] widens the box by more than that and never calls a crossed box inside or outside.
//!
//! Source: Sutherland and Hodgman, Reentrant polygon clipping, CACM 17 (1974); the runs that it leaves along
//! a cell's side cancel under the even-odd rule.

use geo::Coord;

use crate::ground::shape::{Bounds, ShapeRef};

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
    Halved {
        across_x: bool,
        at: f64,
        low: u32,
        high: u32,
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
            let first_ring = self.ring_ends.len() as u32;
            for ring in &rings {
                self.coords.extend_from_slice(ring);
                self.ring_ends.push(self.coords.len() as u32);
            }
            self.nodes[node] = Node::Crossed { first_ring, end_ring: self.ring_ends.len() as u32 };
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
        drop(rings);
        let low = self.nodes.len() as u32;
        self.nodes.extend([Node::Empty, Node::Empty]);
        self.nodes[node] = Node::Halved { across_x, at, low, high: low + 1 };
        self.fill(low as usize, low_rings, low_cell, depth + 1);
        self.fill(low as usize + 1, high_rings, high_cell, depth + 1);
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
            Node::Halved { across_x, at, low, high } => {
                let [(low_wanted, low_cell), (high_wanted, high_cell)] = halves(across_x, at, wanted, cell);
                return (low_wanted && self.look(low as usize, wanted, low_cell, seen))
                    || (high_wanted && self.look(high as usize, wanted, high_cell, seen));
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
                Node::Halved { across_x, at: side, low, high } => {
                    let low_side = if across_x { at.x < side } else { at.y < side };
                    node = if low_side { low } else { high } as usize;
                }
                Node::Crossed { first_ring, end_ring } => {
                    return self.rings(first_ring, end_ring).fold(false, |inside, ring| inside ^ parity(ring, at));
                }
            }
        }
    }

    /// The part of the surface in a box, as open rings under the even-odd rule.
    #[must_use]
    pub fn within(&self, wanted: &Bounds) -> Vec<Vec<Coord>> {
        let mut rings = Vec::new();
        if self.bounds.intersects(wanted) {
            self.gather(0, wanted, self.bounds, &mut rings);
        }
        rings
    }

    fn gather(&self, node: usize, wanted: &Bounds, cell: Bounds, rings: &mut Vec<Vec<Coord>>) {
        match self.nodes[node] {
            Node::Empty => {}
            Node::Full => {
                let (a, c) = (cell.min, cell.max);
                rings.extend(clipped(&[a, Coord { x: c.x, y: a.y }, c, Coord { x: a.x, y: c.y }], wanted));
            }
            Node::Halved { across_x, at, low, high } => {
                let [(low_wanted, low_cell), (high_wanted, high_cell)] = halves(across_x, at, wanted, cell);
                if low_wanted {
                    self.gather(low as usize, wanted, low_cell, rings);
                }
                if high_wanted {
                    self.gather(high as usize, wanted, high_cell, rings);
                }
            }
            Node::Crossed { first_ring, end_ring } => {
                rings.extend(self.rings(first_ring, end_ring).filter_map(|ring| clipped(ring, wanted)));
            }
        }
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

/// One straight cut across an axis.
#[derive(Clone, Copy)]
struct Cut {
    across_x: bool,
    at: f64,
    keep_low: bool,
}

impl Cut {
    fn keeps(self, c: Coord) -> bool {
        let along = if self.across_x { c.x } else { c.y };
        if self.keep_low { along <= self.at } else { along >= self.at }
    }

    /// The part of an open ring on the kept side, as an open ring with runs along the cut.
    fn applied(self, ring: &[Coord]) -> Vec<Coord> {
        let mut kept: Vec<Coord> = Vec::with_capacity(ring.len() + 4);
        let Some(mut before) = ring.last().copied() else { return kept };
        let mut before_kept = self.keeps(before);
        for &c in ring {
            let c_kept = self.keeps(c);
            if c_kept != before_kept {
                self.push(&mut kept, self.crossing(before, c));
            }
            if c_kept {
                self.push(&mut kept, c);
            }
            (before, before_kept) = (c, c_kept);
        }
        kept
    }

    /// Adds a vertex; of three in a row on the cut the middle one is left out.
    fn push(self, kept: &mut Vec<Coord>, c: Coord) {
        if kept.last() == Some(&c) {
            return;
        }
        let on_cut = |c: Coord| (if self.across_x { c.x } else { c.y }).total_cmp(&self.at).is_eq();
        if let [.., a, b] = kept[..]
            && on_cut(a)
            && on_cut(b)
            && on_cut(c)
        {
            kept.pop();
        }
        kept.push(c);
    }

    /// Where an edge meets the cut: the same vertex whichever way the edge runs.
    fn crossing(self, a: Coord, b: Coord) -> Coord {
        let (a, b) = if (a.x, a.y) <= (b.x, b.y) { (a, b) } else { (b, a) };
        if self.across_x {
            let t = (self.at - a.x) / (b.x - a.x);
            Coord { x: self.at, y: (a.y + t * (b.y - a.y)).clamp(a.y.min(b.y), a.y.max(b.y)) }
        } else {
            let t = (self.at - a.y) / (b.y - a.y);
            Coord { x: (a.x + t * (b.x - a.x)).clamp(a.x, b.x), y: self.at }
        }
    }
}

/// The part of an open ring in a box; `None` where nothing is left.
fn clipped(ring: &[Coord], wanted: &Bounds) -> Option<Vec<Coord>> {
    let bounds = Bounds::around(ring)?;
    if !bounds.intersects(wanted) {
        return None;
    }
    let mut kept = ring.to_vec();
    let cuts = [
        (bounds.min.x < wanted.min.x, Cut { across_x: true, at: wanted.min.x, keep_low: false }),
        (bounds.max.x > wanted.max.x, Cut { across_x: true, at: wanted.max.x, keep_low: true }),
        (bounds.min.y < wanted.min.y, Cut { across_x: false, at: wanted.min.y, keep_low: false }),
        (bounds.max.y > wanted.max.y, Cut { across_x: false, at: wanted.max.y, keep_low: true }),
    ];
    for (_, cut) in cuts.into_iter().filter(|(needed, _)| *needed) {
        kept = cut.applied(&kept);
    }
    (kept.len() > 2).then_some(kept)
}

/// The edges of an open ring, the closing one included.
fn edges(ring: &[Coord]) -> impl Iterator<Item = (Coord, Coord)> + '_ {
    (0..ring.len()).map(|i| (ring[i], ring[if i + 1 == ring.len() { 0 } else { i + 1 }]))
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
