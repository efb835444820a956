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
    sweep::rings_around,
    topology::{Edge, Meeting, crosses_at, for_each_meeting, is_simple_ring, lies_inside, mean_compared, turns_back},
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
/// Where edges would be compared with more others on the mean, or rings with more edges, proof by a sweep is tried first.
const MANY_COMPARED: f64 = 40.0;
/// So many pairs of edges are looked at, and so many edges for which ring lies in which: some ten seconds each. Only
/// shapes made to be slow need more: a star of 100,000 rays that also touches itself.
const MOST_COMPARISONS: u64 = 4_000_000_000;
/// So many meetings of edges are remembered, 32 bytes each.
const MOST_MEETINGS: usize = 8_000_000;

/// Breaches of a surface or surfaces; none for a valid one. Of a thoroughly tangled one not all are named.
pub(super) fn breaches_of(shape: ShapeRef<'_>) -> Vec<Breach> {
    let mut rings = shape.rings();
    if let (Some(only), None) = (rings.next(), rings.next())
        && only.len() <= SHORT
        && is_simple_ring(only)
    {
        return Vec::new();
    }
    breaches_within(shape, MOST_COMPARISONS)
}

/// As [`breaches_of`], with a bound on the comparisons.
fn breaches_within(shape: ShapeRef<'_>, most: u64) -> Vec<Breach> {
    let mut survey = Survey::of(shape);
    survey.spikes();
    if survey.breaches.is_empty() && survey.is_worth_proving() && survey.is_proven() {
        return Vec::new();
    }
    if !(survey.meetings(most) && survey.nesting(most)) {
        survey.add(FaultKind::TooIntricate, survey.rings[0].coords[0], 0);
    }
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

    /// Whether comparing edges takes longer than a sweep.
    fn is_worth_proving(&self) -> bool {
        let holes = self.rings.iter().filter(|ring| ring.place.1 > 0).count();
        mean_compared(&self.edges) > MANY_COMPARED || holes as f64 > MANY_COMPARED
    }

    /// Whether rings stand apart, holes in their shells and shells in nothing or in holes. There are no spikes.
    fn is_proven(&self) -> bool {
        let Some(around) = rings_around(&self.edges, &self.counts) else { return false };
        self.rings.iter().zip(around).all(|(ring, around)| {
            let around = around.map(|around| self.rings[around].place);
            if ring.place.1 > 0 { around == Some((ring.place.0, 0)) } else { around.is_none_or(|place| place.1 > 0) }
        })
    }

    /// Whether two edges of a ring meet only because a spike beside them runs back.
    fn belongs_to_spike(&self, a: &Edge, b: &Edge) -> bool {
        let count = self.counts[a.ring];
        let near = |edge: &Edge, spike: usize| (edge.index + 2 + count - spike) % count <= 3;
        self.rings[a.ring].spikes.iter().any(|spike| near(a, *spike) && near(b, *spike))
    }

    /// False where comparing would take too long.
    fn meetings(&mut self, most: u64) -> bool {
        let number = |edge: &Edge| (self.rings[edge.ring].first_edge + edge.index) as u32;
        let (mut met, mut crossings) = (Vec::new(), 0);
        let done = for_each_meeting(&self.edges, &self.counts, most, |a, b, meeting| {
            crossings += usize::from(a.ring == b.ring || !matches!(meeting, Meeting::Touch(_)));
            let (p, q) = (number(a), number(b));
            met.push((p.min(q), p.max(q), meeting));
            crossings < ENOUGH_CROSSINGS && met.len() < MOST_MEETINGS
        });
        let done = done && met.len() < MOST_MEETINGS;
        // The sweep finds them from left to right; the reader wants them along the outline.
        met.sort_by_key(|(a, b, _)| {
            let (a, b) = (&self.edges[*a as usize], &self.edges[*b as usize]);
            (a.ring, b.ring, a.index, b.index)
        });
        let mut touched = Vec::new();
        for (a, b, meeting) in met {
            let (a, b) = (self.edges[a as usize], self.edges[b as usize]);
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
        done
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

    /// Holes that lie outside or in each other, parts that lie in each other. False where finding out would take too long.
    fn nesting(&mut self, most: u64) -> bool {
        let mut looked_at = self.looked_at_by_strays();
        let mut order: Vec<usize> = (0..self.rings.len()).collect();
        order.sort_by(|a, b| self.rings[*a].bounds.min.x.total_cmp(&self.rings[*b].bounds.min.x));
        let mut found = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for b in order {
            open.retain(|a| self.rings[*a].bounds.max.x >= self.rings[b].bounds.min.x);
            looked_at += open.len() as u64;
            looked_at += open.iter().map(|a| self.looked_at_by_nested(*a, b)).sum::<u64>();
            if looked_at > most {
                return false;
            }
            found.extend(open.iter().filter_map(|a| self.nested(*a, b)));
            open.push(b);
        }
        found.extend(self.strays());
        for (kind, at, ring) in found {
            self.add(kind, at, ring);
        }
        true
    }

    /// How many edges [`Self::strays`] looks at.
    fn looked_at_by_strays(&self) -> u64 {
        let mut shell = 0;
        let looked_at = self.rings.iter().zip(&self.counts).map(|(ring, count)| {
            if ring.place.1 == 0 {
                shell = *count as u64;
                return 0;
            }
            shell
        });
        looked_at.sum()
    }

    /// How many edges [`Self::nested`] looks at.
    fn looked_at_by_nested(&self, a: usize, b: usize) -> u64 {
        let (first, second) = (&self.rings[a], &self.rings[b]);
        let nested = first.bounds.contains(&second.bounds) || second.bounds.contains(&first.bounds);
        if nested { self.counts[a].max(self.counts[b]) as u64 } else { 0 }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::shape::{Shape, ShapeKind};
    use proptest::prelude::*;

    /// Surfaces, each of closed rings.
    fn surfaces(parts: &[Vec<Vec<(f64, f64)>>]) -> Shape {
        let mut shape = Shape::new(ShapeKind::MultiPolygon);
        for rings in parts {
            for ring in rings {
                for &(x, y) in ring {
                    shape.push(Coord { x, y });
                }
                shape.end_ring();
            }
            shape.end_part();
        }
        shape
    }

    /// A star about a place, open inwards to a ring of its own.
    fn star((x, y): (f64, f64), rays: u32, (inner, outer): (f64, f64)) -> Vec<(f64, f64)> {
        let corner = |i: u32| {
            let angle = std::f64::consts::PI * f64::from(i % (2 * rays)) / f64::from(rays);
            let radius = if i.is_multiple_of(2) { outer } else { inner };
            (x + radius * angle.cos(), y + radius * angle.sin())
        };
        (0..=2 * rays).map(corner).collect()
    }

    fn kinds(breaches: &[Breach]) -> Vec<FaultKind> {
        breaches.iter().map(|breach| breach.kind).collect()
    }

    #[test]
    fn a_star_of_many_rays_is_proven_valid_without_comparing_its_edges() {
        let whole = star((0.0, 0.0), 20_000, (1.0, 100.0));
        let hole = star((0.0, 0.0), 5, (0.2, 0.5));
        assert_eq!(breaches_within(surfaces(&[vec![whole.clone(), hole.clone()]]).view(), 1000), []);
        // A hole outside is found and named, not proven away.
        let (few, stray) = (star((0.0, 0.0), 500, (1.0, 100.0)), star((200.0, 0.0), 5, (0.2, 0.5)));
        let found = breaches_of(surfaces(&[vec![few, hole, stray]]).view());
        assert_eq!(kinds(&found), [FaultKind::HoleOutside]);
        assert_eq!(found[0].ring, (0, 2));
    }

    #[test]
    fn what_would_take_too_long_to_judge_is_named_so_and_is_not_called_valid() {
        let mut tangled = star((0.0, 0.0), 500, (1.0, 100.0));
        // Two rays end in one place: this touch no proof allows for.
        tangled[8] = tangled[4];
        let shape = surfaces(&[vec![tangled]]);
        assert_eq!(kinds(&breaches_within(shape.view(), 1000)), [FaultKind::TooIntricate]);
        let found = kinds(&breaches_of(shape.view()));
        assert!(!found.is_empty() && found.iter().all(|kind| *kind == FaultKind::SelfIntersection), "{found:?}");
        // So many holes, each held against the whole shell.
        let holes = (0..60_u32).map(|i| star((f64::from(i % 8), f64::from(i / 8)), 5, (0.2, 0.6)));
        let shape = surfaces(&[std::iter::once(star((3.5, 3.5), 500, (9.0, 10.0))).chain(holes).collect()]);
        assert!(kinds(&breaches_within(shape.view(), 20_000)).contains(&FaultKind::TooIntricate));
        assert!(!kinds(&breaches_of(shape.view())).contains(&FaultKind::TooIntricate));
    }

    #[test]
    fn a_ring_that_comes_back_to_a_place_again_and_again_is_refuted_early() {
        // Ten thousand petals about one place: 200 million pairs of edges meet there.
        let petals = (0..10_000_u32).flat_map(|i| {
            let angle = |of: f64| std::f64::consts::TAU * (f64::from(i) + of) / 10_000.0;
            [(0.0, 0.0), (angle(0.0).cos(), angle(0.0).sin()), (angle(0.5).cos(), angle(0.5).sin())]
        });
        let ring = petals.chain([(0.0, 0.0)]).collect();
        let found = breaches_of(surfaces(&[vec![ring]]).view());
        assert_eq!(kinds(&found), [FaultKind::SelfIntersection]);
        assert_eq!(found[0].at, Coord { x: 0.0, y: 0.0 });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_sweep_proves_what_comparing_finds_free_of_meetings_and_well_nested(
            parts in prop::collection::vec(
                prop::collection::vec(((0_u8..12, 0_u8..12), 2_u32..7, 0.2_f64..6.0, 0.3_f64..1.0), 1..4), 1..4),
        ) {
            let ring = |((x, y), rays, outer, share): ((u8, u8), u32, f64, f64)| {
                star((f64::from(x), f64::from(y)), rays, (outer * share, outer))
            };
            let parts: Vec<Vec<_>> = parts.into_iter().map(|rings| rings.into_iter().map(ring).collect()).collect();
            let shape = surfaces(&parts);
            let mut survey = Survey::of(shape.view());
            survey.spikes();
            prop_assume!(survey.breaches.is_empty());
            let mut met = false;
            for_each_meeting(&survey.edges, &survey.counts, u64::MAX, |_, _, _| { met = true; false });
            let proven = survey.is_proven();
            prop_assert!(survey.meetings(u64::MAX) && survey.nesting(u64::MAX));
            prop_assert_eq!(proven, !met && survey.breaches.is_empty(), "{:?}", survey.breaches);
        }
    }
}
