//! Cutting rings along an axis and to a box.
//!
//! Two ways. [`Cut`] keeps one side of a line and leaves runs along it, there and back, which cancel under the
//! even-odd rule; that is enough to divide a surface into cells. [`to_box`] joins the stretches of the outline
//! that lie in a box along the box's sides, so that the rings meet nowhere: boolean operations on rings that run
//! along each other need not end (`i_overlay` 4.5.2 on twenty thousand vertices did not).
//!
//! Sources: Sutherland and Hodgman, Reentrant polygon clipping, CACM 17 (1974); Weiler and Atherton, Hidden
//! surface removal using polygon area sorting, SIGGRAPH 1977; Liang and Barsky, ACM TOG 3 (1984).

use geo::Coord;

use crate::ground::shape::Bounds;

/// The edges of an open ring, the closing one included.
pub(super) fn edges(ring: &[Coord]) -> impl Iterator<Item = (Coord, Coord)> + '_ {
    (0..ring.len()).map(|i| (ring[i], ring[if i + 1 == ring.len() { 0 } else { i + 1 }]))
}

/// One straight cut across an axis.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) across_x: bool,
    pub(super) at: f64,
    /// Whether the side of smaller coordinates is kept.
    pub(super) keep_low: bool,
}

impl Cut {
    fn keeps(self, c: Coord) -> bool {
        let along = if self.across_x { c.x } else { c.y };
        if self.keep_low { along <= self.at } else { along >= self.at }
    }

    /// The part of an open ring on the kept side, as an open ring with runs along the cut.
    pub(super) fn applied(self, ring: &[Coord]) -> Vec<Coord> {
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

/// The part in a box of a surface whose rings have it to their left, as open rings that do not meet.
/// `holds` tells whether a corner of the box lies in the surface.
///
/// Where the outline does not enter and leave by turns (the surface crosses itself), rings with runs along the
/// sides are returned.
pub(super) fn to_box(rings: &[&[Coord]], wanted: &Bounds, holds: impl Fn(Coord) -> bool) -> Vec<Vec<Coord>> {
    let mut joined = Vec::new();
    let mut stretches = Vec::new();
    for ring in rings {
        let Some(bounds) = Bounds::around(ring) else { continue };
        if wanted.contains(&bounds) {
            joined.push(ring.to_vec());
        } else if wanted.intersects(&bounds) {
            stretches_in(ring, wanted, &mut stretches);
        }
    }
    if stretches.is_empty() {
        if holds(wanted.min) {
            joined.push(corners(wanted).to_vec());
        }
        return joined;
    }
    let clipped = || -> Vec<Vec<Coord>> { rings.iter().filter_map(|ring| clipped(ring, wanted)).collect() };
    match join(&stretches, wanted) {
        Some(loops) => {
            joined.extend(loops);
            let (found, simple) = (twice_area(&joined), clipped());
            if (found - twice_area(&simple)).abs() <= 1e-9 * box_area(wanted) { joined } else { simple }
        }
        None => clipped(),
    }
}

/// A stretch of outline in a box, from where it enters to where it leaves, with both places along the sides.
struct Stretch {
    path: Vec<Coord>,
    enters: f64,
    leaves: f64,
}

/// Adds the stretches of an open ring that lie in a box. The ring is known to reach outside.
fn stretches_in(ring: &[Coord], wanted: &Bounds, stretches: &mut Vec<Stretch>) {
    let Some(start) = ring.iter().position(|c| !wanted.holds(*c)) else { return };
    let mut path: Vec<Coord> = Vec::new();
    for i in 0..ring.len() {
        let (a, b) = (ring[(start + i) % ring.len()], ring[(start + i + 1) % ring.len()]);
        let Some((from, to)) = reach_in(a, b, wanted) else {
            // A vertex on a side was the last in the box.
            end_stretch(&mut path, wanted, stretches);
            continue;
        };
        if path.is_empty() {
            path.push(point_on(a, b, from, wanted));
        }
        if to < 1.0 || !wanted.holds(b) {
            path.push(point_on(a, b, to, wanted));
            end_stretch(&mut path, wanted, stretches);
        } else {
            path.push(b);
        }
    }
    end_stretch(&mut path, wanted, stretches);
}

/// Ends the stretch that a path is, where it is one.
fn end_stretch(path: &mut Vec<Coord>, wanted: &Bounds, stretches: &mut Vec<Stretch>) {
    if let [first, .., last] = path[..] {
        let (enters, leaves) = (along_sides(first, wanted), along_sides(last, wanted));
        stretches.push(Stretch { path: std::mem::take(path), enters, leaves });
    }
    path.clear();
}

/// The part of an edge in a box, as shares of its length; none where it is a point or nothing.
fn reach_in(a: Coord, b: Coord, wanted: &Bounds) -> Option<(f64, f64)> {
    let d = b - a;
    let (mut from, mut to) = (0.0_f64, 1.0_f64);
    let sides =
        [(-d.x, a.x - wanted.min.x), (d.x, wanted.max.x - a.x), (-d.y, a.y - wanted.min.y), (d.y, wanted.max.y - a.y)];
    for (p, q) in sides {
        if p < 0.0 {
            from = from.max(q / p);
        } else if p > 0.0 {
            to = to.min(q / p);
        } else if q < 0.0 {
            return None;
        }
    }
    (from < to).then_some((from, to))
}

/// The point of an edge that lies on the nearest side of a box.
fn point_on(a: Coord, b: Coord, share: f64, wanted: &Bounds) -> Coord {
    let c = a + (b - a) * share;
    let gaps = [c.x - wanted.min.x, wanted.max.x - c.x, c.y - wanted.min.y, wanted.max.y - c.y].map(f64::abs);
    let nearest = (0..4).min_by(|i, j| gaps[*i].total_cmp(&gaps[*j])).unwrap_or(0);
    let c = Coord { x: c.x.clamp(wanted.min.x, wanted.max.x), y: c.y.clamp(wanted.min.y, wanted.max.y) };
    match nearest {
        0 => Coord { x: wanted.min.x, ..c },
        1 => Coord { x: wanted.max.x, ..c },
        2 => Coord { y: wanted.min.y, ..c },
        _ => Coord { y: wanted.max.y, ..c },
    }
}

/// How far along the sides of a box a point on them lies, counter-clockwise from the south-west corner; each
/// side counts 1.
#[expect(clippy::float_cmp, reason = "points on a side hold the side's very coordinate")]
fn along_sides(c: Coord, wanted: &Bounds) -> f64 {
    let (width, height) = (wanted.max.x - wanted.min.x, wanted.max.y - wanted.min.y);
    if c.y == wanted.min.y {
        (c.x - wanted.min.x) / width
    } else if c.x == wanted.max.x {
        1.0 + (c.y - wanted.min.y) / height
    } else if c.y == wanted.max.y {
        2.0 + (wanted.max.x - c.x) / width
    } else {
        3.0 + (wanted.max.y - c.y) / height
    }
}

/// Joins stretches along the sides: from where one leaves, counter-clockwise, to where the next enters.
/// None where two leave or enter one after the other.
fn join(stretches: &[Stretch], wanted: &Bounds) -> Option<Vec<Vec<Coord>>> {
    let mut ends: Vec<(f64, bool, usize)> = Vec::with_capacity(stretches.len() * 2);
    for (i, stretch) in stretches.iter().enumerate() {
        ends.push((stretch.enters, true, i));
        ends.push((stretch.leaves, false, i));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut next_of = vec![(0, 0.0); stretches.len()];
    for (place, (at, enters, stretch)) in ends.iter().enumerate() {
        let (next_at, next_enters, next) = ends[(place + 1) % ends.len()];
        if *enters == next_enters {
            return None;
        }
        if !enters {
            let run = if next_at >= *at && place + 1 < ends.len() { next_at - at } else { next_at + 4.0 - at };
            next_of[*stretch] = (next, run);
        }
    }
    let corners = corners(wanted);
    let mut used = vec![false; stretches.len()];
    let mut loops = Vec::new();
    for first in 0..stretches.len() {
        let mut ring = Vec::new();
        let mut at = first;
        while !used[at] {
            used[at] = true;
            ring.extend_from_slice(&stretches[at].path);
            let (next, run) = next_of[at];
            let leaves = stretches[at].leaves;
            let mut corner = leaves.floor() + 1.0;
            while corner < leaves + run {
                ring.push(corners[corner as usize % 4]);
                corner += 1.0;
            }
            at = next;
        }
        ring.dedup();
        if ring.len() > 2 {
            loops.push(ring);
        }
    }
    Some(loops)
}

/// The corners of a box, counter-clockwise from the south-west.
fn corners(b: &Bounds) -> [Coord; 4] {
    [b.min, Coord { x: b.max.x, y: b.min.y }, b.max, Coord { x: b.min.x, y: b.max.y }]
}

fn box_area(b: &Bounds) -> f64 {
    (b.max.x - b.min.x) * (b.max.y - b.min.y)
}

/// Twice the signed area of open rings.
fn twice_area(rings: &[Vec<Coord>]) -> f64 {
    let of_ring = |ring: &Vec<Coord>| -> f64 {
        let origin = ring[0];
        edges(ring).map(|(a, b)| (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y)).sum()
    };
    rings.iter().map(of_ring).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_that_leaves_the_box_by_a_vertex_on_its_side_is_kept() {
        let wanted = Bounds { min: Coord { x: 0.0, y: 0.0 }, max: Coord { x: 10.0, y: 10.0 } };
        let at = |x: f64, y: f64| Coord { x, y };
        // Counter-clockwise; two vertices on the southern side, one below it.
        for ring in [
            vec![at(4.0, -3.0), at(6.0, 0.0), at(5.0, 4.0), at(3.0, 0.0)],
            vec![at(3.0, 0.0), at(4.0, -3.0), at(6.0, 0.0), at(5.0, 4.0)],
            vec![at(6.0, 0.0), at(5.0, 4.0), at(3.0, 0.0), at(4.0, -3.0)],
        ] {
            let cut = to_box(&[&ring], &wanted, |_| false);
            assert!((twice_area(&cut) - 12.0).abs() < 1e-12, "{ring:?} gives {cut:?}");
        }
    }
}
