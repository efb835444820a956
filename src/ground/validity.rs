//! Whether a surface is valid by OGC 06-103r4 §6.1.11, and where it is not.
//!
//! The verdict is that of GEOS. Rings must be closed and have three different places at least
//! ([`super::fault`] sees to that before). Repeated coordinates are no breach.
//!
//! Names of breaches: rings of one part that cross make the hole lie outside or two holes overlap; parts that
//! cross or lie in each other overlap; everything else that an outline does to itself (crossing, running along
//! or touching itself, cutting the inside in two) is a self-intersection.

use geo::Coord;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    fault::FaultKind,
    shape::{Bounds, ShapeRef},
    topology::{Edge, Meeting, crosses_at, for_each_meeting, is_simple_ring, lies_inside, turns_back},
};

/// One breach of validity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breach {
    pub kind: FaultKind,
    pub at: Coord,
    /// The part and the ring in it.
    pub ring: (usize, usize),
}

/// Rings up to this many edges are compared edge by edge.
const SHORT: usize = 48;

/// A surface whose edges cross so often is invalid beyond doubt: the search ends there, because n edges can cross in
/// n² places.
const ENOUGH_CROSSINGS: usize = 20_000;
/// So many breaches of one kind are named.
const ENOUGH_OF_A_KIND: usize = 64;

/// Breaches of a surface or surfaces; none for a valid one. Of a thoroughly tangled one not all are named.
pub(super) fn breaches_of(shape: ShapeRef<'_>) -> Vec<Breach> {
    let mut rings = shape.rings();
    if let (Some(only), None) = (rings.next(), rings.next())
        && only.len() <= SHORT
        && is_simple_ring(only)
    {
        return Vec::new();
    }
    let mut survey = Survey::of(shape);
    survey.spikes();
    survey.meetings();
    survey.nesting();
    survey.breaches
}

/// A ring and what is needed of it.
struct Outline<'a> {
    coords: &'a [Coord],
    place: (usize, usize),
    bounds: Bounds,
    /// Its edges among all.
    first_edge: usize,
    /// Edges at whose start the outline turns back on itself.
    spikes: Vec<usize>,
}

struct Survey<'a> {
    rings: Vec<Outline<'a>>,
    edges: Vec<Edge>,
    counts: Vec<usize>,
    /// Pairs of rings between which more than touching was found.
    entangled: FxHashSet<(usize, usize)>,
    breaches: Vec<Breach>,
}

impl<'a> Survey<'a> {
    fn of(shape: ShapeRef<'a>) -> Self {
        let mut survey =
            Self { rings: vec![], edges: vec![], counts: vec![], entangled: FxHashSet::default(), breaches: vec![] };
        for (part, rings) in shape.parts().enumerate() {
            for (within, coords) in rings.enumerate() {
                let Some(bounds) = Bounds::around(coords) else { continue };
                let (ring, first_edge) = (survey.rings.len(), survey.edges.len());
                let pairs = coords.windows(2).filter(|pair| pair[0] != pair[1]);
                let edges = pairs.enumerate().map(|(index, pair)| Edge { from: pair[0], to: pair[1], ring, index });
                survey.edges.extend(edges);
                survey.counts.push(survey.edges.len() - first_edge);
                survey.rings.push(Outline { coords, place: (part, within), bounds, first_edge, spikes: vec![] });
            }
        }
        survey
    }

    fn edge(&self, ring: usize, index: usize) -> &Edge {
        &self.edges[self.rings[ring].first_edge + index % self.counts[ring]]
    }

    fn add(&mut self, kind: FaultKind, at: Coord, ring: usize) {
        let breach = Breach { kind, at, ring: self.rings[ring].place };
        let of_kind = self.breaches.iter().filter(|known| known.kind == kind).count();
        if of_kind < ENOUGH_OF_A_KIND && !self.breaches.contains(&breach) {
            self.breaches.push(breach);
        }
    }

    fn spikes(&mut self) {
        for ring in 0..self.rings.len() {
            for index in 0..self.counts[ring] {
                let (before, after) = (*self.edge(ring, index + self.counts[ring] - 1), *self.edge(ring, index));
                if turns_back(before.from, after.from, after.to) {
                    self.rings[ring].spikes.push(index);
                    self.add(FaultKind::Spike, after.from, ring);
                }
            }
        }
    }

    /// Whether two edges of a ring meet only because a spike beside them runs back.
    fn belongs_to_spike(&self, a: &Edge, b: &Edge) -> bool {
        let count = self.counts[a.ring];
        let near = |edge: &Edge, spike: usize| (edge.index + 2 + count - spike) % count <= 3;
        self.rings[a.ring].spikes.iter().any(|spike| near(a, *spike) && near(b, *spike))
    }

    fn meetings(&mut self) {
        let (mut met, mut crossings) = (Vec::new(), 0);
        for_each_meeting(&self.edges, &self.counts, |a, b, meeting| {
            let (a, b) = if (a.ring, a.index) <= (b.ring, b.index) { (a, b) } else { (b, a) };
            crossings += usize::from(!matches!(meeting, Meeting::Touch(_)));
            met.push((*a, *b, meeting));
            crossings < ENOUGH_CROSSINGS
        });
        // The sweep finds them from left to right; the reader wants them along the outline.
        met.sort_by_key(|(a, b, _)| (a.ring, b.ring, a.index, b.index));
        let mut touched = Vec::new();
        for (a, b, meeting) in met {
            let (Meeting::Cross(at) | Meeting::Overlap(at) | Meeting::Touch(at)) = meeting;
            let touch = matches!(meeting, Meeting::Touch(_));
            if a.ring == b.ring {
                if matches!(meeting, Meeting::Cross(_)) || !self.belongs_to_spike(&a, &b) {
                    self.add(FaultKind::SelfIntersection, at, a.ring);
                }
            } else if touch && !self.passes_through(&a, &b, at) {
                touched.push((a.ring, b.ring, at));
            } else {
                self.entangle(a.ring, b.ring, at, matches!(meeting, Meeting::Overlap(_)));
            }
        }
        self.connectedness(&touched);
    }

    /// Rings of a part that touch each other in more places than they may cut its inside in two.
    fn connectedness(&mut self, touched: &[(usize, usize, Coord)]) {
        let mut touches = Touches::default();
        for &(a, b, at) in touched {
            let one_part = self.rings[a].place.0 == self.rings[b].place.0;
            if one_part && !self.is_entangled(a, b) && touches.close_a_circle(at, a, b) {
                self.add(FaultKind::SelfIntersection, at, b);
            }
        }
    }

    /// Two rings cross, or share an edge: one breach for the pair.
    fn entangle(&mut self, a: usize, b: usize, at: Coord, along_an_edge: bool) {
        if !self.entangled.insert((a, b)) {
            return;
        }
        let (first, second) = (self.rings[a].place, self.rings[b].place);
        let kind = if along_an_edge && is_same_ring(self.rings[a].coords, self.rings[b].coords) {
            FaultKind::DuplicateRing
        } else if along_an_edge && !self.rings_cross(a, b) {
            FaultKind::SelfIntersection
        } else if first.0 == second.0 && first.1 == 0 {
            FaultKind::HoleOutside
        } else {
            FaultKind::OverlappingParts
        };
        self.add(kind, at, b);
    }

    /// Whether, of two rings that share an edge, one has places inside the other.
    fn rings_cross(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.rings[a], &self.rings[b]);
        let hole_in_its_shell = a.place.0 == b.place.0 && a.place.1 == 0;
        if hole_in_its_shell {
            return !lies_inside(b.coords, a.coords);
        }
        lies_inside(b.coords, a.coords) || lies_inside(a.coords, b.coords)
    }

    /// Whether two rings that touch in a place go through each other there.
    fn passes_through(&self, a: &Edge, b: &Edge, at: Coord) -> bool {
        let ends = |edge: &Edge| {
            let before = edge.index + self.counts[edge.ring] - 1;
            if at == edge.from {
                (self.edge(edge.ring, before).from, edge.to)
            } else if at == edge.to {
                (edge.from, self.edge(edge.ring, edge.index + 1).to)
            } else {
                (edge.from, edge.to)
            }
        };
        crosses_at(at, ends(a), ends(b))
    }

    /// Holes that lie outside or in each other, parts that lie in each other.
    fn nesting(&mut self) {
        let mut order: Vec<usize> = (0..self.rings.len()).collect();
        order.sort_by(|a, b| self.rings[*a].bounds.min.x.total_cmp(&self.rings[*b].bounds.min.x));
        let mut found = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for b in order {
            open.retain(|a| self.rings[*a].bounds.max.x >= self.rings[b].bounds.min.x);
            found.extend(open.iter().filter_map(|a| self.nested(*a, b)));
            open.push(b);
        }
        found.extend(self.strays());
        for (kind, at, ring) in found {
            self.add(kind, at, ring);
        }
    }

    fn is_entangled(&self, a: usize, b: usize) -> bool {
        self.entangled.contains(&(a.min(b), a.max(b)))
    }

    /// The breach of two rings that may not lie in each other: two holes of a part, two shells.
    fn nested(&self, a: usize, b: usize) -> Option<(FaultKind, Coord, usize)> {
        let (first, second) = (&self.rings[a], &self.rings[b]);
        let holes = first.place.0 == second.place.0 && first.place.1 > 0 && second.place.1 > 0;
        let shells = first.place.0 != second.place.0 && first.place.1 == 0 && second.place.1 == 0;
        if !(holes || shells) || self.is_entangled(a, b) {
            return None;
        }
        let (outer, inner) = if first.bounds.contains(&second.bounds) {
            (a, b)
        } else if second.bounds.contains(&first.bounds) {
            (b, a)
        } else {
            return None;
        };
        let ring = &self.rings[inner];
        if !lies_inside(ring.coords, self.rings[outer].coords) || (shells && self.is_in_a_hole(inner, outer)) {
            return None;
        }
        Some((FaultKind::OverlappingParts, ring.coords[0], inner))
    }

    /// Whether a shell lies in a hole of another part, so that the parts do not overlap.
    fn is_in_a_hole(&self, inner: usize, outer: usize) -> bool {
        let holes =
            (outer + 1..self.rings.len()).take_while(|hole| self.rings[*hole].place.0 == self.rings[outer].place.0);
        let (ring, mut holes) = (&self.rings[inner], holes);
        holes.any(|hole| {
            let hole = &self.rings[hole];
            hole.bounds.contains(&ring.bounds) && lies_inside(ring.coords, hole.coords)
        })
    }

    /// Holes that lie wholly outside their shell.
    fn strays(&self) -> Vec<(FaultKind, Coord, usize)> {
        let mut shell = 0;
        let mut strays = Vec::new();
        for (i, ring) in self.rings.iter().enumerate() {
            if ring.place.1 == 0 {
                shell = i;
            } else if !self.is_entangled(shell, i) && !lies_inside(ring.coords, self.rings[shell].coords) {
                strays.push((FaultKind::HoleOutside, ring.coords[0], i));
            }
        }
        strays
    }
}

/// Whether two closed rings visit the same places in the same order, wherever they start and whichever way.
fn is_same_ring(a: &[Coord], b: &[Coord]) -> bool {
    let distinct = |ring: &[Coord]| {
        let mut ring = ring.to_vec();
        ring.dedup();
        ring.pop();
        ring
    };
    let (a, mut b) = (distinct(a), distinct(b));
    if a.len() != b.len() {
        return false;
    }
    (0..2).any(|_| {
        b.reverse();
        let Some(start) = b.iter().position(|at| *at == a[0]) else { return false };
        a.iter().zip(b[start..].iter().chain(&b[..start])).all(|(p, q)| p == q)
    })
}

/// Rings that touch in single places leave the inside in one piece as long as no chain of them closes.
#[derive(Default)]
struct Touches {
    nodes: FxHashMap<Node, usize>,
    parents: Vec<usize>,
    known: FxHashSet<(usize, (u64, u64))>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Ring(usize),
    Place(u64, u64),
}

impl Touches {
    /// Notes that two rings touch in a place; whether they were joined by other places already.
    fn close_a_circle(&mut self, at: Coord, a: usize, b: usize) -> bool {
        // Adding zero makes one zero of both.
        let place = ((at.x + 0.0).to_bits(), (at.y + 0.0).to_bits());
        let mut closed = false;
        for ring in [a, b] {
            if self.known.insert((ring, place)) {
                let (p, q) = (self.root(Node::Ring(ring)), self.root(Node::Place(place.0, place.1)));
                closed |= p == q;
                self.parents[p] = q;
            }
        }
        closed
    }

    fn root(&mut self, node: Node) -> usize {
        let fresh = self.parents.len();
        let mut at = *self.nodes.entry(node).or_insert(fresh);
        if at == fresh {
            self.parents.push(fresh);
        }
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }
}
