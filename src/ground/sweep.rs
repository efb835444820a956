//! Proof that a surface of very many edges is valid, in n log n.
//!
//! A line is swept over the edges; those that it meets are kept in their order along it, and only neighbours in
//! that order are compared. Rings that stand apart are proven so, and how they lie in each other falls out.
//! Anything else (a touch that may be fine, a breach) is not proven here and is left to [`super::validity`], which
//! compares edges and names what it finds: after the first meeting the order along the line means nothing.
//!
//! Sources: Shamos and Hoey, Geometric intersection problems, FOCS 1976; de Berg et al., Computational Geometry,
//! 3rd ed., ch. 2.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use geo::Coord;

use super::topology::{Edge, are_neighbours, meeting, turn};

/// An edge that the line meets, from left to right.
#[derive(Clone, Copy)]
struct Span {
    left: Coord,
    right: Coord,
    /// Its place among all edges.
    edge: usize,
}

/// By the x of places, then by their y.
fn along(a: Coord, b: Coord) -> Ordering {
    let order = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    order(a.x, b.x).then(order(a.y, b.y))
}

impl Ord for Span {
    /// Which of two edges that a line meets lies lower on it.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.edge == other.edge {
            return Ordering::Equal;
        }
        if along(other.left, self.left).is_lt() {
            return other.cmp(self).reverse();
        }
        let above = |at: Coord| 0.cmp(&turn(self.left, self.right, at));
        above(other.left).then_with(|| above(other.right)).then(self.edge.cmp(&other.edge))
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        self.edge == other.edge
    }
}

impl Eq for Span {}

/// A ring as the line finds it.
#[derive(Clone, Copy)]
struct Found {
    /// Whether its inside is to the left of its edges.
    inside_left: bool,
    /// The innermost ring around it.
    around: Option<usize>,
}

struct Sweep<'a> {
    edges: &'a [Edge],
    counts: &'a [usize],
    first_edges: Vec<usize>,
    found: Vec<Option<Found>>,
    met: BTreeSet<Span>,
}

/// For each ring the innermost ring around it, where no two edges share a place but the ends of neighbours in a ring;
/// `None` where some do. `counts` are the numbers of edges of the rings; no edge turns back on the one before.
pub(super) fn rings_around(edges: &[Edge], counts: &[usize]) -> Option<Vec<Option<usize>>> {
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_unstable_by(|a, b| along(edges[*a].from, edges[*b].from));
    if order.windows(2).any(|pair| along(edges[pair[0]].from, edges[pair[1]].from).is_eq()) {
        return None;
    }
    let starts = counts.iter().scan(0, |sum, count| Some(std::mem::replace(sum, *sum + count)));
    let (first_edges, found) = (starts.collect(), vec![None; counts.len()]);
    let mut sweep = Sweep { edges, counts, first_edges, found, met: BTreeSet::new() };
    for next in order {
        sweep.pass(next)?;
    }
    sweep.found.into_iter().map(|found| found.map(|found| found.around)).collect()
}

impl Sweep<'_> {
    fn span(&self, edge: usize) -> Span {
        let Edge { from, to, .. } = self.edges[edge];
        if along(from, to).is_lt() {
            Span { left: from, right: to, edge }
        } else {
            Span { left: to, right: from, edge }
        }
    }

    /// Moves the line over the vertex in which an edge begins.
    fn pass(&mut self, next: usize) -> Option<()> {
        let Edge { from: at, ring, index, .. } = self.edges[next];
        let before = self.first_edges[ring] + (index + self.counts[ring] - 1) % self.counts[ring];
        let (before, next) = (self.span(before), self.span(next));
        let (ending, starting): (Vec<Span>, Vec<Span>) =
            [before, next].into_iter().partition(|span| along(span.left, at).is_lt());
        for span in ending {
            self.met.remove(&span);
            let (below, above) = self.beside(&span);
            self.apart(below, above)?;
        }
        if let [a, b] = starting[..] {
            self.find(ring, a.min(b), next);
        }
        for span in starting {
            let (below, above) = self.beside(&span);
            self.apart(below, Some(span))?;
            self.apart(Some(span), above)?;
            self.met.insert(span);
        }
        Some(())
    }

    fn beside(&self, span: &Span) -> (Option<Span>, Option<Span>) {
        let below = self.met.range(..span).next_back().copied();
        (below, self.met.range((Excluded(span), Unbounded)).next().copied())
    }

    /// `None` where two edges share more than neighbours may.
    fn apart(&self, a: Option<Span>, b: Option<Span>) -> Option<()> {
        let (Some(a), Some(b)) = (a, b) else { return Some(()) };
        let (a, b) = (&self.edges[a.edge], &self.edges[b.edge]);
        let neighbours = are_neighbours(a, b, self.counts);
        (neighbours || meeting((a.from, a.to), (b.from, b.to)).is_none()).then_some(())
    }

    /// Notes a ring at its first vertex: inside it is what lies above the lower of the two edges there.
    fn find(&mut self, ring: usize, lower: Span, next: Span) {
        if self.found[ring].is_some() {
            return;
        }
        let around = self.met.range(..lower).next_back().and_then(|below| {
            let Edge { from, to, ring, .. } = self.edges[below.edge];
            let outline = self.found[ring]?;
            let inside_above = along(from, to).is_lt() == outline.inside_left;
            if inside_above { Some(ring) } else { outline.around }
        });
        self.found[ring] = Some(Found { inside_left: lower == next, around });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed rings as edges.
    fn rings_of(rings: &[Vec<(f64, f64)>]) -> (Vec<Edge>, Vec<usize>) {
        let at = |(x, y): (f64, f64)| Coord { x, y };
        let edges = rings.iter().enumerate().flat_map(|(ring, coords)| {
            let pairs = coords.windows(2).enumerate();
            pairs.map(move |(index, pair)| Edge { from: at(pair[0]), to: at(pair[1]), ring, index })
        });
        (edges.collect(), rings.iter().map(|ring| ring.len() - 1).collect())
    }

    fn around(rings: &[Vec<(f64, f64)>]) -> Option<Vec<Option<usize>>> {
        let (edges, counts) = rings_of(rings);
        rings_around(&edges, &counts)
    }

    fn square(x: f64, y: f64, side: f64) -> Vec<(f64, f64)> {
        vec![(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    }

    fn reversed(mut ring: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        ring.reverse();
        ring
    }

    #[test]
    fn rings_in_rings_are_found_whichever_way_they_run() {
        let nested = [square(0.0, 0.0, 9.0), square(1.0, 1.0, 5.0), square(2.0, 2.0, 1.0), square(7.0, 7.0, 1.0)];
        let wanted = Some(vec![None, Some(0), Some(1), Some(0)]);
        assert_eq!(around(&nested), wanted);
        assert_eq!(around(&nested.map(reversed)), wanted);
        assert_eq!(around(&[square(0.0, 0.0, 1.0), square(3.0, 0.0, 1.0)]), Some(vec![None, None]));
    }

    #[test]
    fn rings_that_cross_touch_or_run_along_each_other_are_not_proven_apart() {
        let big = square(0.0, 0.0, 4.0);
        for other in [
            square(3.0, 3.0, 4.0),                                  // crosses
            square(4.0, 4.0, 2.0),                                  // touches in a vertex
            square(4.0, 1.0, 2.0),                                  // runs along an edge
            square(0.0, 0.0, 4.0),                                  // is the same
            vec![(4.0, 2.0), (6.0, 1.0), (6.0, 3.0), (4.0, 2.0)],   // touches an edge with its first vertex
            vec![(0.0, 2.0), (-2.0, 1.0), (-2.0, 3.0), (0.0, 2.0)], // with its last
            vec![(2.0, 4.0), (1.0, 6.0), (3.0, 6.0), (2.0, 4.0)],   // with one between
        ] {
            assert_eq!(around(&[big.clone(), other.clone()]), None, "{other:?}");
            assert_eq!(around(&[other.clone(), reversed(big.clone())]), None, "{other:?}");
        }
        assert_eq!(around(&[vec![(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0)]]), None);
    }
}
