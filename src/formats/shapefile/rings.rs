//! Which rings of a shapefile's polygon are holes of which.
//!
//! The specification says it by orientation: clockwise rings are outer ones. Where that makes no sense (no ring is
//! clockwise, or a hole lies in no outer ring), containment decides, and the caller is told. Vertices are never
//! moved, turned or dropped.
//!
//! Source: ESRI Shapefile Technical Description, 1998, p. 8.

use geo::Coord;

use crate::ground::shape::{Bounds, Shape, ShapeKind};

/// Pairs of rings that are looked at for one polygon before it is refused; larger ones would take minutes.
const MOST_PAIRS: u64 = 2_000_000_000;

/// What grouping the rings of a polygon gave.
#[derive(Debug, PartialEq)]
pub struct Grouped {
    /// The surface or surfaces.
    pub shape: Shape,
    /// Whether containment had to decide, because the orientation of the rings made no sense.
    pub by_containment: bool,
}

/// A ring and what is known of it.
struct Ring<'a> {
    coords: &'a [Coord],
    bounds: Option<Bounds>,
    /// Twice the signed area; positive is counter-clockwise.
    doubled_area: f64,
}

/// Groups rings into surfaces; `None` where there are too many to decide.
pub fn group(rings: &[&[Coord]]) -> Option<Grouped> {
    if let [only] = rings {
        let clockwise = doubled_area(only) <= 0.0;
        return Some(Grouped { shape: Shape::polygon(&[only.to_vec()]), by_containment: !clockwise });
    }
    let rings: Vec<Ring<'_>> = rings
        .iter()
        .map(|coords| Ring { coords, bounds: Bounds::around(coords), doubled_area: doubled_area(coords) })
        .collect();
    let outer: Vec<bool> = rings.iter().map(|ring| ring.doubled_area < 0.0).collect();
    let outers = outer.iter().filter(|one| **one).count() as u64;
    if outers * (rings.len() as u64 - outers) > MOST_PAIRS {
        return None;
    }
    if let Some(owners) = owners_among(&rings, &outer) {
        return Some(Grouped { shape: assembled(&rings, &owners), by_containment: false });
    }
    if (rings.len() as u64).pow(2) > MOST_PAIRS {
        return None;
    }
    let depths: Vec<usize> = (0..rings.len()).map(|i| depth_of(&rings, i)).collect();
    let even: Vec<bool> = depths.iter().map(|depth| depth % 2 == 0).collect();
    let owners = owners_among(&rings, &even).unwrap_or_else(|| vec![None; rings.len()]);
    Some(Grouped { shape: assembled(&rings, &owners), by_containment: true })
}

/// For each ring that is no outer one the smallest outer ring around it; `None` where some hole has none.
fn owners_among(rings: &[Ring<'_>], outer: &[bool]) -> Option<Vec<Option<usize>>> {
    let outers: Vec<usize> = (0..rings.len()).filter(|i| outer[*i]).collect();
    let owner_of = |i: usize| {
        let around = outers.iter().copied().filter(|o| lies_in(&rings[i], &rings[*o]));
        around.min_by(|a, b| rings[*a].doubled_area.abs().total_cmp(&rings[*b].doubled_area.abs()))
    };
    let mut owners = vec![None; rings.len()];
    for i in (0..rings.len()).filter(|i| !outer[*i]) {
        owners[i] = owner_of(i);
        // A ring without area is neither; it stands alone where it lies in nothing.
        if owners[i].is_none() && rings[i].doubled_area != 0.0 {
            return None;
        }
    }
    (!outers.is_empty()).then_some(owners)
}

/// The number of rings around a ring.
fn depth_of(rings: &[Ring<'_>], i: usize) -> usize {
    let smaller = |j: usize| {
        let (mine, other) = (rings[i].doubled_area.abs(), rings[j].doubled_area.abs());
        // Of two equal rings the later counts as the inner one.
        mine < other || (mine.total_cmp(&other).is_eq() && j < i)
    };
    (0..rings.len()).filter(|j| *j != i && smaller(*j) && lies_in(&rings[i], &rings[*j])).count()
}

/// Puts each ring without an owner at the head of a part, followed by its holes, all in order of the file.
fn assembled(rings: &[Ring<'_>], owners: &[Option<usize>]) -> Shape {
    let mut holes: Vec<Vec<usize>> = vec![Vec::new(); rings.len()];
    for (i, owner) in owners.iter().enumerate() {
        if let Some(owner) = owner {
            holes[*owner].push(i);
        }
    }
    let heads: Vec<usize> = (0..rings.len()).filter(|i| owners[*i].is_none()).collect();
    let mut shape = Shape::new(if heads.len() == 1 { ShapeKind::Polygon } else { ShapeKind::MultiPolygon });
    for head in heads {
        for i in std::iter::once(head).chain(holes[head].iter().copied()) {
            rings[i].coords.iter().for_each(|at| shape.push(*at));
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

/// Whether a ring lies in another: its box does, and its first vertex that is not on the other's edge does.
fn lies_in(ring: &Ring<'_>, other: &Ring<'_>) -> bool {
    let (Some(inner), Some(outer)) = (&ring.bounds, &other.bounds) else { return false };
    if !outer.contains(inner) {
        return false;
    }
    // Where every vertex is on the edge, the box was all there is to say.
    ring.coords.iter().find_map(|at| side_of(*at, other.coords)).unwrap_or(true)
}

/// Whether a position is inside a ring; `None` on its edge.
fn side_of(at: Coord, ring: &[Coord]) -> Option<bool> {
    let mut inside = false;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let cross = (b.x - a.x) * (at.y - a.y) - (b.y - a.y) * (at.x - a.x);
        let within = at.x >= a.x.min(b.x) && at.x <= a.x.max(b.x) && at.y >= a.y.min(b.y) && at.y <= a.y.max(b.y);
        if cross == 0.0 && within {
            return None;
        }
        if (a.y > at.y) != (b.y > at.y) && (cross > 0.0) == (b.y > a.y) {
            inside = !inside;
        }
    }
    Some(inside)
}

/// Twice the signed area, about the first vertex so that far-off grids lose no digits.
pub fn doubled_area(ring: &[Coord]) -> f64 {
    let Some(from) = ring.first() else { return 0.0 };
    let relative = |at: &Coord| Coord { x: at.x - from.x, y: at.y - from.y };
    ring.iter()
        .zip(ring.iter().cycle().skip(1))
        .map(|(a, b)| (relative(a), relative(b)))
        .map(|(a, b)| a.x * b.y - b.x * a.y)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square by its lower left corner and side; clockwise where asked.
    fn square(x: f64, y: f64, side: f64, clockwise: bool) -> Vec<Coord> {
        let mut ring: Vec<Coord> = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]
            .map(|(dx, dy)| Coord { x: x + dx * side, y: y + dy * side })
            .to_vec();
        if clockwise {
            ring.reverse();
        }
        ring
    }

    /// The number of rings in each part, and whether containment decided.
    fn parts_of(rings: &[Vec<Coord>]) -> (Vec<usize>, bool) {
        let views: Vec<&[Coord]> = rings.iter().map(Vec::as_slice).collect();
        let grouped = group(&views).unwrap();
        let total: usize = grouped.shape.view().coords().len();
        assert_eq!(total, rings.iter().map(Vec::len).sum::<usize>(), "no vertex is added or dropped");
        (grouped.shape.view().parts().map(|part| part.len()).collect(), grouped.by_containment)
    }

    #[test]
    fn clockwise_rings_are_outer_and_holes_go_to_the_smallest_around_them() {
        let rings = [
            square(0.0, 0.0, 10.0, true),
            square(100.0, 0.0, 10.0, true),
            square(102.0, 2.0, 2.0, false),
            square(2.0, 2.0, 6.0, false),
            square(3.0, 3.0, 3.0, true),
            square(4.0, 4.0, 1.0, false),
        ];
        assert_eq!(parts_of(&rings), (vec![2, 2, 2], false));
    }

    #[test]
    fn a_hole_before_its_outer_ring_finds_it() {
        assert_eq!(parts_of(&[square(1.0, 1.0, 2.0, false), square(0.0, 0.0, 10.0, true)]), (vec![2], false));
    }

    #[test]
    fn a_hole_that_touches_its_outer_ring_belongs_to_it() {
        assert_eq!(parts_of(&[square(0.0, 0.0, 10.0, true), square(0.0, 0.0, 2.0, false)]), (vec![2], false));
    }

    #[test]
    fn rings_that_are_all_counter_clockwise_are_sorted_by_containment_with_a_word() {
        let rings = [square(0.0, 0.0, 10.0, false), square(2.0, 2.0, 6.0, false), square(3.0, 3.0, 3.0, false)];
        assert_eq!(parts_of(&rings), (vec![2, 1], true));
        assert_eq!(parts_of(&rings[..1]), (vec![1], true));
    }

    #[test]
    fn a_hole_that_lies_in_no_outer_ring_becomes_a_part_with_a_word() {
        assert_eq!(parts_of(&[square(0.0, 0.0, 10.0, true), square(50.0, 0.0, 1.0, false)]), (vec![1, 1], true));
    }

    #[test]
    fn outer_rings_in_outer_rings_stay_what_they_say_they_are() {
        // Two clockwise rings, one in the other: overlapping parts, a fault that the import must see.
        assert_eq!(parts_of(&[square(0.0, 0.0, 10.0, true), square(2.0, 2.0, 2.0, true)]), (vec![1, 1], false));
    }

    #[test]
    fn rings_without_area_or_numbers_do_not_matter_to_the_others() {
        let nothing = vec![Coord { x: 1.0, y: 1.0 }; 4];
        let nan = vec![Coord { x: f64::NAN, y: 1.0 }; 4];
        assert_eq!(parts_of(&[square(0.0, 0.0, 10.0, true), nothing]), (vec![2], false));
        assert_eq!(parts_of(&[square(0.0, 0.0, 10.0, true), nan]).0.iter().sum::<usize>(), 2);
    }

    #[test]
    fn orientation_is_right_also_far_from_the_origin() {
        let far = square(38_400_000.0, 2_500_000.0, 0.01, true);
        assert!(doubled_area(&far) < 0.0);
    }
}
