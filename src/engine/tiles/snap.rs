//! Geometry in the units of a tile: snapped to a grid that is the same for every feature and every tile of a matrix,
//! then cut to the tile.
//!
//! Each vertex is snapped by itself, so the common edge of two neighbours becomes one edge in both; vertices are left
//! out only where they lie exactly on the straight line between those beside them, which moves no edge. Nothing is
//! simplified ring by ring: that would tear neighbours apart.
//!
//! Invariant: rings that leave here are open, have an area, and no vertex twice in a row. They may touch themselves or
//! one another, and where a feature is narrower than the grid cross by less than a step of it.

use geo::Coord;

use crate::{
    domain::tile_matrix::{TileAddress, TileMatrixSet, UNITS},
    ground::shape::{Bounds, ShapeRef},
};

use super::{
    super::{
        clip::to_box,
        find::{Place, place_in},
    },
    series::Series,
};

/// Units beside a tile that its geometry reaches: a sixty-fourth of its side, eight pixels of a map.
pub const BUFFER: u32 = 64;

/// Geometry of a feature in a tile, in one allocation that is reused.
#[derive(Debug, Default)]
pub(super) struct Snapped {
    /// Vertices of all features so far, tile units.
    pub(super) points: Vec<Coord<i32>>,
    /// For each path where it ends in `points`, and whether it is an outer ring.
    pub(super) paths: Vec<(usize, bool)>,
}

impl Snapped {
    fn end_path(&mut self, outer: bool) {
        self.paths.push((self.points.len(), outer));
    }
}

/// What became of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has geometry in the tile.
    Drawn,
    /// It has geometry, but none in the tile.
    Elsewhere,
    /// On the grid nothing is left of it: no surface, no length.
    Collapsed,
}

/// Snaps features to the grid of a tile.
#[derive(Debug)]
pub(super) struct Snapper {
    set: TileMatrixSet,
    world: f64,
    corner: Coord,
    /// The grid's step, a power of two units.
    step: f64,
    /// Steps across the whole square, a power of two.
    steps: f64,
    reach: Bounds,
    /// Web Mercator near the tile.
    near: Option<Series>,
    ring: Vec<Coord>,
}

impl Snapper {
    /// For a tile, on a grid of `step` units.
    pub(super) fn new(address: &TileAddress, step: u32) -> Self {
        let (x, y) = address.corner_units();
        // Between units, so that no vertex lies on its sides.
        let (low, high) = (-f64::from(BUFFER) - 0.5, f64::from(UNITS + BUFFER) + 0.5);
        Self {
            set: address.set(),
            world: address.world_units(),
            corner: Coord { x: x as f64, y: y as f64 },
            step: f64::from(step),
            steps: address.world_units() / f64::from(step),
            reach: Bounds { min: Coord { x: low, y: low }, max: Coord { x: high, y: high } },
            near: Series::around(address),
            ring: Vec::new(),
        }
    }

    /// A place on the grid, in units from the tile's corner.
    fn snap(&self, at: Coord) -> Coord {
        let near = self.near.as_ref().and_then(|near| near.step(at.y, self.steps));
        let (x, y) = if let Some(y) = near {
            (nearest((at.x + 180.0) / 360.0 * self.steps), y)
        } else {
            let at = self.set.project(at) * self.steps;
            (nearest(at.x), nearest(at.y))
        };
        Coord { x: x * self.step, y: y * self.step } - self.corner
    }

    /// Adds what a feature has in the tile.
    pub(super) fn add(&mut self, shape: ShapeRef<'_>, out: &mut Snapped) -> Outcome {
        match shape.kind().dimension() {
            0 => self.add_points(shape, out),
            1 => self.add_lines(shape, out),
            _ => self.add_surfaces(shape, out),
        }
    }

    /// Points go to the one tile that has them, each to the unit that holds it: renderers leave out those beside a tile.
    fn add_points(&self, shape: ShapeRef<'_>, out: &mut Snapped) -> Outcome {
        let before = out.points.len();
        for at in shape.coords() {
            let at = self.set.project(*at) * self.world - self.corner;
            let (x, y) = (at.x.floor(), at.y.floor());
            let inside = 0.0..f64::from(UNITS);
            if inside.contains(&x) && inside.contains(&y) {
                let step = |v: f64| ((v / self.step).floor() * self.step) as i32;
                out.points.push(Coord { x: step(x), y: step(y) });
            }
        }
        if out.points.len() == before {
            return Outcome::Elsewhere;
        }
        out.end_path(true);
        Outcome::Drawn
    }

    fn add_lines(&mut self, shape: ShapeRef<'_>, out: &mut Snapped) -> Outcome {
        let (before, mut has_length) = (out.paths.len(), false);
        for path in shape.rings() {
            let mut line = std::mem::take(&mut self.ring);
            line.clear();
            for at in path {
                push_new(&mut line, self.snap(*at));
            }
            has_length |= line.len() > 1;
            self.cut_line(&line, out);
            self.ring = line;
        }
        match (has_length, out.paths.len() > before) {
            (false, _) => Outcome::Collapsed,
            (true, true) => Outcome::Drawn,
            (true, false) => Outcome::Elsewhere,
        }
    }

    /// Adds the stretches of a line that lie in reach of the tile.
    fn cut_line(&self, line: &[Coord], out: &mut Snapped) {
        let mut start = out.points.len();
        for pair in line.windows(2) {
            let Some((from, to)) = self.within(pair[0], pair[1]) else {
                start = end_line(out, start);
                continue;
            };
            if out.points.len() > start && out.points.last() != Some(&from) {
                start = end_line(out, start);
            }
            if out.points.len() == start {
                out.points.push(from);
            }
            out.points.push(to);
        }
        end_line(out, start);
    }

    /// The part of an edge in reach of the tile (Liang and Barsky 1984), the same whichever way the edge runs.
    fn within(&self, a: Coord, b: Coord) -> Option<(Coord<i32>, Coord<i32>)> {
        if (a.x, a.y) > (b.x, b.y) {
            return self.within(b, a).map(|(from, to)| (to, from));
        }
        let (d, r) = (b - a, &self.reach);
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for (p, q) in [(-d.x, a.x - r.min.x), (d.x, r.max.x - a.x), (-d.y, a.y - r.min.y), (d.y, r.max.y - a.y)] {
            if p < 0.0 {
                from = from.max(q / p);
            } else if p > 0.0 {
                to = to.min(q / p);
            } else if q < 0.0 {
                return None;
            }
        }
        (from <= to).then(|| (whole(a + d * from), whole(a + d * to)))
    }

    fn add_surfaces(&mut self, shape: ShapeRef<'_>, out: &mut Snapped) -> Outcome {
        let (before, mut has_area) = (out.paths.len(), false);
        for rings in shape.parts() {
            let mut part: Vec<Vec<Coord>> = Vec::new();
            for (number, ring) in rings.enumerate() {
                let outer = number == 0;
                let mut snapped = std::mem::take(&mut self.ring);
                snapped.clear();
                for at in ring {
                    push_new(&mut snapped, self.snap(*at));
                }
                if snapped.len() > 1 && snapped.first() == snapped.last() {
                    snapped.pop();
                }
                let area = twice_area(&snapped);
                let is_inside = snapped.iter().all(|at| self.reach.holds(*at));
                if area == 0.0 {
                    self.ring = snapped;
                    if outer {
                        break;
                    }
                    continue;
                }
                if outer && is_inside && shape.coords().len() == ring.len() {
                    // Nearly every feature: one ring, wholly in reach.
                    has_area = true;
                    add_ring(snapped.iter().map(|at| whole(*at)), true, out);
                    self.ring = snapped;
                    continue;
                }
                if (area > 0.0) != outer {
                    snapped.reverse();
                }
                part.push(snapped);
            }
            has_area |= !part.is_empty();
            self.cut_part(&part, out);
        }
        match (has_area, out.paths.len() > before) {
            (false, _) => Outcome::Collapsed,
            (true, true) => Outcome::Drawn,
            (true, false) => Outcome::Elsewhere,
        }
    }

    /// Adds one surface, outer ring first, each ring with the surface to its left: what of it is in reach of the tile.
    fn cut_part(&self, part: &[Vec<Coord>], out: &mut Snapped) {
        let Some(outer) = part.first() else { return };
        if outer.iter().all(|at| self.reach.holds(*at)) {
            let start = out.paths.len();
            for (number, ring) in part.iter().enumerate() {
                add_ring(ring.iter().map(|at| whole(*at)), number == 0, out);
                if out.paths.len() == start {
                    return;
                }
            }
            return;
        }
        let rings: Vec<&[Coord]> = part.iter().map(Vec::as_slice).collect();
        let holds = |at: Coord| rings.iter().filter(|ring| place_in(ring, at) == Place::Inside).count() % 2 == 1;
        let cut = to_box(&rings, &self.reach, holds);
        let (outers, holes): (Vec<_>, Vec<_>) = cut.into_iter().partition(|ring| twice_area(ring) > 0.0);
        for outer in &outers {
            let start = out.paths.len();
            add_ring(outer.iter().map(|at| whole(*at)), true, out);
            if out.paths.len() == start {
                continue;
            }
            for hole in &holes {
                let is_in = |at: &Coord| match place_in(outer, *at) {
                    Place::Inside => Some(true),
                    Place::Outside => Some(false),
                    Place::Boundary => None,
                };
                if outers.len() == 1 || hole.iter().find_map(is_in) == Some(true) {
                    add_ring(hole.iter().map(|at| whole(*at)), false, out);
                }
            }
        }
    }
}

/// Ends the line that begins at `start`, or takes it back where it has no length; where the next one begins.
fn end_line(out: &mut Snapped, start: usize) -> usize {
    straighten_line(&mut out.points, start);
    if out.points.len() - start > 1 {
        out.end_path(true);
    } else {
        out.points.truncate(start);
    }
    out.points.len()
}

fn push_new(path: &mut Vec<Coord>, at: Coord) {
    if path.last() != Some(&at) {
        path.push(at);
    }
}

/// The nearest whole number, the upper one of two. Far cheaper than [`f64::round`], which is a call on processors without
/// an instruction for it; numbers here are below 2^37.
fn nearest(v: f64) -> f64 {
    let raised = v + 0.5;
    let whole = raised as i64 as f64;
    if whole > raised { whole - 1.0 } else { whole }
}

/// A place in reach of the tile, to the unit.
fn whole(at: Coord) -> Coord<i32> {
    let unit = |v: f64| (nearest(v) as i32).clamp(-(BUFFER as i32), (UNITS + BUFFER) as i32);
    Coord { x: unit(at.x), y: unit(at.y) }
}

/// Twice the signed area of an open ring.
fn twice_area(ring: &[Coord]) -> f64 {
    let Some(origin) = ring.first().copied() else { return 0.0 };
    let pairs = ring.iter().zip(ring.iter().cycle().skip(1));
    pairs.map(|(a, b)| (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y)).sum()
}

/// Adds a ring without the vertices that lie on the line between those beside them; nothing where no area is left.
fn add_ring(ring: impl Iterator<Item = Coord<i32>>, outer: bool, out: &mut Snapped) {
    let start = out.points.len();
    ring.for_each(|at| push_straight(&mut out.points, start, at));
    // The ring closes: its ends may be on a line too, or the same.
    let mut first = start;
    loop {
        let points = &out.points[first..];
        let count = points.len();
        if count < 3 {
            out.points.truncate(start);
            return;
        }
        let (a, b, c, d) = (points[count - 2], points[count - 1], points[0], points[1]);
        if b == c || turn(a, b, c) == 0 {
            out.points.pop();
        } else if turn(b, c, d) == 0 {
            first += 1;
        } else {
            break;
        }
    }
    out.points.drain(start..first);
    out.end_path(outer);
}

/// Adds a vertex; those before it that lie on the line to it are left out, also where the line turns back.
fn push_straight(points: &mut Vec<Coord<i32>>, start: usize, at: Coord<i32>) {
    while points.len() > start {
        let last = points[points.len() - 1];
        let straight = points.len() > start + 1 && turn(points[points.len() - 2], last, at) == 0;
        if last != at && !straight {
            break;
        }
        points.pop();
    }
    points.push(at);
}

/// Leaves out the vertices of a line that lie between those beside them; where a line turns back it keeps the turn.
fn straighten_line(points: &mut Vec<Coord<i32>>, start: usize) {
    let mut kept = start;
    for next in start..points.len() {
        let at = points[next];
        if kept > start && points[kept - 1] == at {
            continue;
        }
        if kept > start + 1 {
            let (a, b) = (points[kept - 2], points[kept - 1]);
            let ahead = i64::from(b.x - a.x) * i64::from(at.x - b.x) + i64::from(b.y - a.y) * i64::from(at.y - b.y);
            if turn(a, b, at) == 0 && ahead > 0 {
                kept -= 1;
            }
        }
        points[kept] = at;
        kept += 1;
    }
    points.truncate(kept);
}

/// Which way three places turn: the sign tells, 0 for a line.
fn turn(a: Coord<i32>, b: Coord<i32>, c: Coord<i32>) -> i64 {
    i64::from(b.x - a.x) * i64::from(c.y - b.y) - i64::from(b.y - a.y) * i64::from(c.x - b.x)
}
