//! Outlines from edges: nodes that several features share, edges between them with the land to the left, and the
//! surfaces that they bound. No coordinate is moved: a node is where a vertex was, or where a line meets an edge.
//!
//! Decisions are exact (orientation of three nodes in the plane), so surfaces that share an edge share its very ends.
//!
//! Source: de Berg et al., Computational Geometry, §2.2 (half-edges); OGC 06-103r4 §6.1.11 for what a surface is.

use geo::Coord;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ground::{
    crs::{Crs, CrsError},
    shape::{Shape, ShapeKind, ShapeRef},
    topology::{Side, lies_inside, side_of, turn},
};

/// Nearer than this a place is a vertex, metres.
pub(super) const SNAP_M: f64 = 2e-4;
/// The same for a line's ends, which people put on an outline by hand or as an answer printed it, metres.
pub(super) const REACH_M: f64 = 2e-3;
/// Metres in a degree, roughly: distances where there is no grid.
const METRES_PER_DEGREE: f64 = 111_000.0;

/// The plane in which edges are straight: a survey grid, or longitude and latitude as they are.
pub(super) struct Plane<'g> {
    crs: Option<&'g Crs>,
}

impl<'g> Plane<'g> {
    pub(super) const fn new(crs: Option<&'g Crs>) -> Self {
        Self { crs }
    }

    pub(super) fn forward(&self, at: Coord) -> Result<Coord, CrsError> {
        let mut one = [at];
        self.crs.map_or(Ok(()), |crs| crs.from_stored(&mut one))?;
        Ok(one[0])
    }

    fn inverse(&self, at: Coord) -> Result<Coord, CrsError> {
        let mut one = [at];
        self.crs.map_or(Ok(()), |crs| crs.to_stored(&mut one))?;
        Ok(one[0])
    }

    /// A length of the plane in metres.
    pub(super) fn metres(&self, length: f64) -> f64 {
        length * self.crs.map_or(METRES_PER_DEGREE, |crs| crs.metres_per_unit().unwrap_or(1.0))
    }
}

/// Places by number.
pub(super) struct Nodes<'g> {
    pub(super) plane: Plane<'g>,
    /// In the plane.
    pub(super) at: Vec<Coord>,
    /// In longitude and latitude.
    stored: Vec<Coord>,
    known: FxHashMap<(u64, u64), u32>,
}

impl<'g> Nodes<'g> {
    pub(super) fn new(plane: Plane<'g>) -> Self {
        Self { plane, at: Vec::new(), stored: Vec::new(), known: FxHashMap::default() }
    }

    /// The node of a longitude and latitude.
    pub(super) fn of_stored(&mut self, stored: Coord) -> Result<u32, CrsError> {
        let at = self.plane.forward(stored)?;
        Ok(self.add(stored, at))
    }

    /// The node of a place in the plane.
    pub(super) fn of_place(&mut self, at: Coord) -> Result<u32, CrsError> {
        let stored = self.plane.inverse(at)?;
        Ok(self.add(stored, at))
    }

    fn add(&mut self, stored: Coord, at: Coord) -> u32 {
        let next = self.at.len() as u32;
        // Adding zero makes one zero of both.
        let key = ((stored.x + 0.0).to_bits(), (stored.y + 0.0).to_bits());
        let node = *self.known.entry(key).or_insert(next);
        if node == next {
            self.at.push(at);
            self.stored.push(stored);
        }
        node
    }

    pub(super) fn place(&self, node: u32) -> Coord {
        self.at[node as usize]
    }

    /// Metres between two nodes.
    pub(super) fn distance_m(&self, a: u32, b: u32) -> f64 {
        let apart = self.place(b) - self.place(a);
        self.plane.metres(apart.x.hypot(apart.y))
    }

    /// The rings of a surface, open, without repeated coordinates, the land to their left.
    pub(super) fn rings(&mut self, shape: ShapeRef<'_>) -> Result<Vec<Vec<u32>>, CrsError> {
        let mut rings = Vec::new();
        for part in shape.parts() {
            for (number, ring) in part.enumerate() {
                let mut nodes = ring.iter().map(|at| self.of_stored(*at)).collect::<Result<Vec<_>, _>>()?;
                nodes.dedup();
                if nodes.len() > 1 && nodes.first() == nodes.last() {
                    nodes.pop();
                }
                if (self.twice_area(&nodes) > 0.0) != (number == 0) {
                    nodes.reverse();
                }
                rings.push(nodes);
            }
        }
        Ok(rings)
    }

    /// Nodes that are another one but for the rounding of files, each with that one, and the farthest apart in metres.
    pub(super) fn nearly_same(&self) -> (FxHashMap<u32, u32>, f64) {
        let mut order: Vec<u32> = (0..self.at.len() as u32).collect();
        order.sort_by(|a, b| self.place(*a).x.total_cmp(&self.place(*b).x));
        let (mut same, mut farthest) = (FxHashMap::default(), 0.0_f64);
        for (number, node) in order.iter().enumerate() {
            if same.contains_key(node) {
                continue;
            }
            for other in &order[number + 1..] {
                if self.plane.metres(self.place(*other).x - self.place(*node).x) > SNAP_M {
                    break;
                }
                let apart = self.distance_m(*node, *other);
                if apart <= SNAP_M && !same.contains_key(other) {
                    same.insert(*other, *node);
                    farthest = farthest.max(apart);
                }
            }
        }
        (same, farthest)
    }

    fn twice_area(&self, ring: &[u32]) -> f64 {
        let Some(origin) = ring.first().map(|first| self.place(*first)) else { return 0.0 };
        let mut last = self.place(ring[ring.len() - 1]) - origin;
        let mut twice = 0.0;
        for node in ring {
            let at = self.place(*node) - origin;
            twice += last.x * at.y - at.x * last.y;
            last = at;
        }
        twice
    }

    fn closed(&self, ring: &[u32]) -> Vec<Coord> {
        ring.iter().chain(ring.first()).map(|node| self.place(*node)).collect()
    }

    /// Where a node lies relative to the land of some rings.
    pub(super) fn side(&self, rings: &[Vec<u32>], at: Coord) -> Side {
        let mut inside = false;
        for ring in rings {
            match side_of(&self.closed(ring), at) {
                Side::Outline => return Side::Outline,
                Side::Inside => inside = !inside,
                Side::Outside => {}
            }
        }
        if inside { Side::Inside } else { Side::Outside }
    }

    /// How near a place is to an edge, metres, and where on it from 0 to 1.
    pub(super) fn beside(&self, place: Coord, (from, to): (u32, u32)) -> (f64, f64) {
        let (a, b) = (self.place(from), self.place(to));
        let along = b - a;
        let squared = along.x * along.x + along.y * along.y;
        let share = if squared > 0.0 {
            (((place - a).x * along.x + (place - a).y * along.y) / squared).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let apart = place - (a + along * share);
        (self.plane.metres(apart.x.hypot(apart.y)), share)
    }
}

/// The edges of a ring.
pub(super) fn edges_of(ring: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    (0..ring.len()).map(|i| (ring[i], ring[if i + 1 == ring.len() { 0 } else { i + 1 }]))
}

/// An edge with places on it: the edges between those, in order.
pub(super) fn divided((from, to): (u32, u32), places: &mut [(f64, u32)]) -> Vec<(u32, u32)> {
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut edges = Vec::with_capacity(places.len() + 1);
    let mut last = from;
    for node in places.iter().map(|(_, node)| *node).chain([to]) {
        if node != last {
            edges.push((last, node));
            last = node;
        }
    }
    edges
}

/// A surface: its outer ring and its holes, and whether one of some edges bounds it.
pub(super) struct Face {
    pub(super) rings: Vec<Vec<u32>>,
    pub(super) twice_area: f64,
}

/// What directed edges with the land to their left do not make.
pub(super) enum NoFaces {
    /// They do not close.
    Open,
    /// These edges have the same land on both sides: they bound nothing.
    Bridges(FxHashSet<(u32, u32)>),
}

/// The surfaces that directed edges bound.
pub(super) fn faces(nodes: &Nodes<'_>, edges: &FxHashSet<(u32, u32)>) -> Result<Vec<Face>, NoFaces> {
    let mut outgoing: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    let mut ordered: Vec<(u32, u32)> = edges.iter().copied().collect();
    ordered.sort_unstable();
    for (from, to) in &ordered {
        outgoing.entry(*from).or_default().push(*to);
    }
    let mut walked: FxHashSet<(u32, u32)> = FxHashSet::default();
    let (mut outer, mut holes) = (Vec::new(), Vec::new());
    for start in ordered {
        if walked.contains(&start) {
            continue;
        }
        let cycle = walk(nodes, (&outgoing, edges.len()), start, &mut walked).ok_or(NoFaces::Open)?;
        let within: FxHashSet<(u32, u32)> = edges_of(&cycle).collect();
        let bridges: FxHashSet<(u32, u32)> =
            within.iter().filter(|(a, b)| within.contains(&(*b, *a))).copied().collect();
        if !bridges.is_empty() {
            return Err(NoFaces::Bridges(bridges));
        }
        for ring in simple_rings(&cycle) {
            let twice_area = nodes.twice_area(&ring);
            if twice_area > 0.0 {
                outer.push(Face { rings: vec![ring], twice_area });
            } else {
                holes.push(ring);
            }
        }
    }
    // The smallest surface around a hole has it.
    outer.sort_by(|a, b| a.twice_area.total_cmp(&b.twice_area));
    for hole in holes {
        let ring = nodes.closed(&hole);
        let around = outer.iter_mut().find(|face| {
            -nodes.twice_area(&hole) < face.twice_area && lies_inside(&ring, &nodes.closed(&face.rings[0]))
        });
        around.ok_or(NoFaces::Open)?.rings.push(hole);
    }
    Ok(outer)
}

/// The boundary of the land to the left of an edge: at each node the leftmost way on.
fn walk(
    nodes: &Nodes<'_>,
    (outgoing, most): (&FxHashMap<u32, Vec<u32>>, usize),
    start: (u32, u32),
    walked: &mut FxHashSet<(u32, u32)>,
) -> Option<Vec<u32>> {
    let (mut from, mut at) = start;
    let mut cycle = Vec::new();
    loop {
        if !walked.insert((from, at)) || cycle.len() > most {
            return None;
        }
        cycle.push(from);
        let back = from;
        let next = outgoing
            .get(&at)?
            .iter()
            .copied()
            .reduce(|a, b| if comes_first(nodes, (at, back), b, a) { b } else { a })?;
        (from, at) = (at, next);
        if (from, at) == start {
            return Some(cycle);
        }
    }
}

/// Whether, turning clockwise at a node from the way back, the way to `a` comes before that to `b`.
fn comes_first(nodes: &Nodes<'_>, (at, back): (u32, u32), a: u32, b: u32) -> bool {
    let (at, back, a, b) = (nodes.place(at), nodes.place(back), nodes.place(a), nodes.place(b));
    let class = |to: Coord| match turn(at, back, to) {
        -1 => 0,
        1 => 2,
        _ => {
            let (u, v) = (back - at, to - at);
            if u.x * v.x + u.y * v.y < 0.0 { 1 } else { 3 }
        }
    };
    match class(a).cmp(&class(b)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal => turn(at, a, b) < 0,
    }
}

/// A cycle that visits nodes more than once as rings that do not.
fn simple_rings(cycle: &[u32]) -> Vec<Vec<u32>> {
    let (mut rings, mut open): (Vec<Vec<u32>>, Vec<u32>) = (Vec::new(), Vec::new());
    for node in cycle {
        if let Some(place) = open.iter().position(|seen| seen == node) {
            rings.push(open.split_off(place));
        }
        open.push(*node);
    }
    rings.push(open);
    rings.retain(|ring| ring.len() > 2);
    rings
}

/// Surfaces as one shape, rings closed, in longitude and latitude.
pub(super) fn shape_of(nodes: &Nodes<'_>, faces: &[&Face]) -> Shape {
    let mut shape = Shape::new(if faces.len() == 1 { ShapeKind::Polygon } else { ShapeKind::MultiPolygon });
    for face in faces {
        for ring in &face.rings {
            for node in ring.iter().chain(ring.first()) {
                shape.push(nodes.stored[*node as usize]);
            }
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}
