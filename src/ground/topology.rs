//! How the edges of a surface meet: what crosses, overlaps or touches, exactly.
//!
//! Every decision is one of exact predicates (Shewchuk's, through [`RobustKernel`]), so the verdict is that of
//! GEOS; only the coordinates of a crossing point are rounded. Knows nothing of faults and their names.
//!
//! Question: why not an index? Nearly all rings have a dozen edges: comparing each with each is fastest and
//! allocates nothing. Longer ones are swept along the axis in which their edges overlap least.

use geo::{
    Coord,
    kernels::{Kernel, Orientation, RobustKernel},
};

/// An edge of a ring, never of zero length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub from: Coord,
    pub to: Coord,
    /// Which ring of the geometry, counted through all parts.
    pub ring: usize,
    /// Which edge of the ring.
    pub index: usize,
}

/// How two edges share a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meeting {
    /// They cross inside both.
    Cross(Coord),
    /// They share a stretch.
    Overlap(Coord),
    /// They share one place, an end of at least one of them.
    Touch(Coord),
}

/// The sign of the area of a triangle.
pub(crate) fn turn(a: Coord, b: Coord, c: Coord) -> i8 {
    match RobustKernel::orient2d(a, b, c) {
        Orientation::CounterClockwise => 1,
        Orientation::Clockwise => -1,
        Orientation::Collinear => 0,
    }
}

/// Whether three places are on one line and the path turns back on itself in the middle one.
pub(super) fn turns_back(before: Coord, at: Coord, after: Coord) -> bool {
    let (u, v) = (before - at, after - at);
    u.x * v.x + u.y * v.y > 0.0 && turn(before, at, after) == 0
}

fn boxes_meet(a: (Coord, Coord), b: (Coord, Coord)) -> bool {
    a.0.x.min(a.1.x) <= b.0.x.max(b.1.x)
        && b.0.x.min(b.1.x) <= a.0.x.max(a.1.x)
        && a.0.y.min(a.1.y) <= b.0.y.max(b.1.y)
        && b.0.y.min(b.1.y) <= a.0.y.max(a.1.y)
}

/// How two edges of non-zero length meet.
pub(crate) fn meeting(a: (Coord, Coord), b: (Coord, Coord)) -> Option<Meeting> {
    if !boxes_meet(a, b) {
        return None;
    }
    let (b0, b1) = (turn(a.0, a.1, b.0), turn(a.0, a.1, b.1));
    if b0 * b1 > 0 {
        return None;
    }
    if b0 == 0 && b1 == 0 {
        return on_one_line(a, b);
    }
    let (a0, a1) = (turn(b.0, b.1, a.0), turn(b.0, b.1, a.1));
    if a0 * a1 > 0 {
        return None;
    }
    let end = [(b0, b.0), (b1, b.1), (a0, a.0), (a1, a.1)].into_iter().find(|(side, _)| *side == 0);
    Some(end.map_or_else(|| Meeting::Cross(crossing(a, b)), |(_, at)| Meeting::Touch(at)))
}

fn on_one_line(a: (Coord, Coord), b: (Coord, Coord)) -> Option<Meeting> {
    let along_x = (a.1.x - a.0.x).abs() >= (a.1.y - a.0.y).abs();
    let position = |c: Coord| if along_x { c.x } else { c.y };
    let sorted = |(p, q): (Coord, Coord)| if position(p) <= position(q) { (p, q) } else { (q, p) };
    let (a, b) = (sorted(a), sorted(b));
    let low = if position(a.0) >= position(b.0) { a.0 } else { b.0 };
    let high = if position(a.1) <= position(b.1) { a.1 } else { b.1 };
    match position(low).partial_cmp(&position(high))? {
        std::cmp::Ordering::Less => Some(Meeting::Overlap(low)),
        std::cmp::Ordering::Equal => Some(Meeting::Touch(low)),
        std::cmp::Ordering::Greater => None,
    }
}

fn crossing(a: (Coord, Coord), b: (Coord, Coord)) -> Coord {
    let (r, s, apart) = (a.1 - a.0, b.1 - b.0, b.0 - a.0);
    let share = (apart.x * s.y - apart.y * s.x) / (r.x * s.y - r.y * s.x);
    if share.is_finite() { a.0 + r * share.clamp(0.0, 1.0) } else { a.0 }
}

/// Whether a closed ring without repeated coordinates neither crosses, touches nor runs back on itself.
/// For short rings: quadratic, but nothing is allocated.
pub(super) fn is_simple_ring(ring: &[Coord]) -> bool {
    let edges = ring.len() - 1;
    for i in 0..edges {
        let a = (ring[i], ring[i + 1]);
        if a.0 == a.1 || turns_back(a.0, a.1, ring[if i + 2 > edges { 1 } else { i + 2 }]) {
            return false;
        }
        let (left, right) = (a.0.x.min(a.1.x), a.0.x.max(a.1.x));
        // The neighbours share a vertex, and the last edge is a neighbour of the first.
        for j in i + 2..edges - usize::from(i == 0) {
            let b = (ring[j], ring[j + 1]);
            if b.0.x.max(b.1.x) >= left && b.0.x.min(b.1.x) <= right && meeting(a, b).is_some() {
                return false;
            }
        }
    }
    true
}

/// Whether two edges follow each other in a ring, so that they share an end. `counts` are the numbers of edges of the
/// rings.
pub(super) fn are_neighbours(a: &Edge, b: &Edge, counts: &[usize]) -> bool {
    let apart = a.index.abs_diff(b.index);
    a.ring == b.ring && (apart <= 1 || apart == counts[a.ring] - 1)
}

/// How many edges a line across an axis meets, on the mean over the edges' extent; NaN where there is no extent.
fn mean_met(edges: &[Edge], of: fn(Coord) -> f64) -> f64 {
    let (mut sum, mut low, mut high) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    for edge in edges {
        let (a, b) = (of(edge.from), of(edge.to));
        (sum, low, high) = (sum + (a - b).abs(), low.min(a.min(b)), high.max(a.max(b)));
    }
    sum / (high - low)
}

/// How many edges an edge is compared with by [`for_each_meeting`], on the mean; NaN where there is no extent.
pub(super) fn mean_compared(edges: &[Edge]) -> f64 {
    mean_met(edges, |c| c.x).min(mean_met(edges, |c| c.y))
}

/// An edge that the line of a sweep meets.
struct Open {
    /// Where the line leaves it.
    high: f64,
    /// Its extent along the line.
    across: (f64, f64),
    edge: u32,
}

/// Calls `found` for every pair of edges that share a place, neighbours in a ring excepted. `counts` are the
/// numbers of edges of the rings.
///
/// `found` says whether to go on. Ends early, with false, where more than `most` pairs of edges would be looked at.
pub(super) fn for_each_meeting(
    edges: &[Edge],
    counts: &[usize],
    most: u64,
    mut found: impl FnMut(&Edge, &Edge, Meeting) -> bool,
) -> bool {
    let mut visit = |a: &Edge, b: &Edge| {
        are_neighbours(a, b, counts)
            || meeting((a.from, a.to), (b.from, b.to)).is_none_or(|meeting| found(a, b, meeting))
    };
    let by_x = mean_met(edges, |c| c.x) <= mean_met(edges, |c| c.y);
    let extent = |edge: &Edge, of: fn(Coord) -> f64| {
        let (a, b) = (of(edge.from), of(edge.to));
        (a.min(b), a.max(b))
    };
    let along = |edge: &Edge| extent(edge, if by_x { |c| c.x } else { |c| c.y });
    let across = |edge: &Edge| extent(edge, if by_x { |c| c.y } else { |c| c.x });
    let mut order: Vec<u32> = (0..edges.len() as u32).collect();
    order.sort_unstable_by(|a, b| along(&edges[*a as usize]).0.total_cmp(&along(&edges[*b as usize]).0));
    let (mut open, mut pairs): (Vec<Open>, u64) = (Vec::new(), 0);
    for i in order {
        let edge = &edges[i as usize];
        let ((start, high), own) = (along(edge), across(edge));
        pairs += open.len() as u64;
        if pairs > most {
            return false;
        }
        let mut k = 0;
        while k < open.len() {
            let other = &open[k];
            if other.high < start {
                open.swap_remove(k);
                continue;
            }
            let near = other.across.0 <= own.1 && own.0 <= other.across.1;
            if near && !visit(&edges[other.edge as usize], edge) {
                return true;
            }
            k += 1;
        }
        open.push(Open { high, across: own, edge: i });
    }
    true
}

/// Whether two paths through one place cross there. A path is given by the places before and after; neither
/// runs along the other.
pub(super) fn crosses_at(at: Coord, a: (Coord, Coord), b: (Coord, Coord)) -> bool {
    let bend = turn(at, a.0, a.1);
    // Strictly left of the path, looking along it: the sector from `after` counter-clockwise to `before`.
    let within = |c: Coord| match bend {
        1 => !(turn(at, a.0, c) >= 0 && turn(at, c, a.1) >= 0),
        -1 => turn(at, a.1, c) > 0 && turn(at, c, a.0) > 0,
        _ => turn(at, a.1, c) > 0,
    };
    within(b.0) != within(b.1)
}

/// Where a place lies relative to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Inside,
    Outline,
    Outside,
}

/// Where a place lies relative to a closed ring (repeated coordinates do no harm).
pub(crate) fn side_of(ring: &[Coord], at: Coord) -> Side {
    let mut inside = false;
    for pair in ring.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if a == at || b == at {
            return Side::Outline;
        }
        let level = a.y.min(b.y) <= at.y && at.y <= a.y.max(b.y);
        if !level || a.x.max(b.x) < at.x {
            continue;
        }
        let side = turn(a, b, at);
        if side == 0 && a.x.min(b.x) <= at.x {
            return Side::Outline;
        }
        // Upward edges count their lower end, downward edges their lower end too: a vertex counts once.
        if (a.y > at.y) != (b.y > at.y) && (side > 0) == (b.y > a.y) {
            inside = !inside;
        }
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// Whether a ring lies inside another, where their edges neither cross nor overlap.
pub(crate) fn lies_inside(ring: &[Coord], other: &[Coord]) -> bool {
    let middles = ring.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    let decided = ring.iter().copied().chain(middles).map(|at| side_of(other, at)).find(|side| *side != Side::Outline);
    decided != Some(Side::Outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(a: (f64, f64), b: (f64, f64)) -> (Coord, Coord) {
        (a.into(), b.into())
    }

    #[test]
    fn edges_cross_touch_overlap_or_miss() {
        let flat = edge((0.0, 0.0), (10.0, 0.0));
        let at = |x: f64| Coord { x, y: 0.0 };
        assert_eq!(meeting(flat, edge((5.0, -5.0), (5.0, 5.0))), Some(Meeting::Cross(at(5.0))));
        assert_eq!(meeting(flat, edge((5.0, 0.0), (5.0, 5.0))), Some(Meeting::Touch(at(5.0))));
        assert_eq!(meeting(flat, edge((10.0, 0.0), (15.0, 0.0))), Some(Meeting::Touch(at(10.0))));
        assert_eq!(meeting(flat, edge((8.0, 0.0), (15.0, 0.0))), Some(Meeting::Overlap(at(8.0))));
        assert_eq!(meeting(flat, edge((11.0, 0.0), (15.0, 0.0))), None);
        assert_eq!(meeting(flat, edge((5.0, 1e-300), (5.0, 5.0))), None);
    }

    #[test]
    fn paths_cross_at_a_place_or_only_meet_there() {
        let at = Coord { x: 0.0, y: 0.0 };
        let c = |x: f64, y: f64| Coord { x, y };
        let bends = [(c(-1.0, 0.0), c(0.0, 1.0)), (c(0.0, 1.0), c(-1.0, 0.0)), (c(-1.0, 0.0), c(1.0, 0.0))];
        for bend in bends {
            assert!(crosses_at(at, bend, (c(-1.0, 1.0), c(1.0, -1.0))) || bend.1.x > 0.5, "{bend:?}");
            assert!(!crosses_at(at, bend, (c(1.0, -1.0), c(2.0, -1.0))), "{bend:?}");
            assert!(!crosses_at(at, bend, (c(-1.0, 0.5), c(-1.0, 1.0))), "{bend:?}");
        }
        assert!(crosses_at(at, bends[2], (c(-1.0, 1.0), c(1.0, -1.0))));
    }

    #[test]
    fn a_place_is_inside_on_or_outside_a_ring() {
        let ring: Vec<Coord> =
            [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 2.0), (0.0, 4.0), (0.0, 0.0)].map(Coord::from).into();
        let side = |x: f64, y: f64| side_of(&ring, Coord { x, y });
        assert_eq!((side(1.0, 1.0), side(2.0, 2.0), side(2.0, 3.0)), (Side::Inside, Side::Outline, Side::Outside));
        assert_eq!((side(0.5, 2.0), side(-1.0, 2.0), side(5.0, 2.0)), (Side::Inside, Side::Outside, Side::Outside));
        assert_eq!((side(3.0, 3.0), side(0.0, 2.0), side(-1.0, 0.0)), (Side::Outline, Side::Outline, Side::Outside));
    }
}
