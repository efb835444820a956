//! Finding features by place: by box, by point, by surface, by nearness.
//!
//! The index names candidates by their boxes; here each is decided on its geometry. Edges are straight in
//! longitude and latitude, as `GeoJSON` and every web map draw them (RFC 7946 §3.1.1); predicates are robust
//! (Shewchuk, Adaptive precision floating-point arithmetic, 1997). Distances are measured in a plane that
//! is true to scale at the place asked for: right to 1e-4 within ten kilometres.
//!
//! Boundaries belong to their surfaces throughout.

use geo::{
    Coord, GeoNum, Geometry, Intersects, PreparedGeometry, Relate,
    kernels::{Kernel, Orientation},
    relate::IntersectionMatrix,
};

use crate::ground::shape::{Bounds, Shape, ShapeRef};

use super::{
    region::{Region, Side},
    table::{Row, Table},
};

/// Semi-major axis of CGCS2000, m.
const SEMI_MAJOR_M: f64 = 6_378_137.0;
/// First eccentricity squared of CGCS2000.
const E2: f64 = 6.694_380_022_903_416e-3;

/// A lower bound of a distance times this is one also where both were rounded.
const SURELY: f64 = 1.0 - 1e-9;

/// How features lie to a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They share a point with it.
    Intersects,
    /// No point of them is outside, and some point of their inside is in its inside (OGC within).
    Within,
}

/// A feature and its distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The feature.
    pub row: Row,
    /// Its id.
    pub id: i64,
    /// Its distance in metres; 0 for a surface that holds the place.
    pub distance_m: f64,
}

/// Features whose geometry shares a point with a box, in no order.
pub fn in_box(table: &Table, wanted: Bounds) -> impl Iterator<Item = Row> + '_ {
    let hit = move |(row, held): &(Row, &Bounds)| {
        // What has its box in the wanted one has a point in it, too, and need not be looked at.
        wanted.contains(held) || table.shape(*row).is_some_and(|shape| crosses_into(shape, &wanted))
    };
    table.boxes_touching(wanted).filter(hit).map(|(row, _)| row)
}

/// Surfaces that hold a place, boundary included, and points and lines within `tolerance_m` of it; in no order.
#[must_use]
pub fn at_point(table: &Table, at: Coord, tolerance_m: f64) -> Vec<Row> {
    let plane = TruePlane::at(at);
    let reach = plane.widest_degrees(tolerance_m);
    let near = Bounds { min: at, max: at }.widened(reach);
    let hit = |row: &Row| {
        table.shape(*row).is_some_and(|shape| match shape.kind().dimension() {
            2 => holds(shape, at),
            _ => plane.distance_m(shape) <= tolerance_m,
        })
    };
    table.touching(near).filter(hit).collect()
}

/// For each place the surfaces that hold it, as pairs of the place's number and the feature, by number, then row.
///
/// Faster than one place after another: neighbours are asked for one after the other.
#[must_use]
pub fn locate_each(table: &Table, places: &[Coord]) -> Vec<(u32, Row)> {
    let mut found = Vec::with_capacity(places.len());
    for number in in_spatial_order(places) {
        let at = places[number as usize];
        let rows = table.touching(Bounds { min: at, max: at });
        found.extend(
            rows.filter(|row| table.shape(*row).is_some_and(|shape| shape.kind().dimension() == 2 && holds(shape, at)))
                .map(|row| (number, row)),
        );
    }
    found.sort_unstable();
    found
}

/// Features that lie in a relation to a surface in longitude and latitude, in no order.
#[must_use]
pub fn by_surface(table: &Table, surface: &Shape, relation: Relation) -> Vec<Row> {
    let Some(bounds) = surface.view().bounds() else { return Vec::new() };
    let (probe, mut scratch) = (Probe::new(surface.clone()), Scratch::default());
    let hit = |row: &Row| table.shape(*row).is_some_and(|shape| probe.test(shape, relation, &mut scratch));
    table.touching(bounds).filter(hit).collect()
}

/// The `count` features nearest to a place, nearest first, ties by id; none farther than `within_m`.
#[must_use]
pub fn nearest(table: &Table, at: Coord, count: usize, within_m: f64) -> Vec<Near> {
    let mut best: Vec<Near> = Vec::with_capacity(count.min(64));
    nearest_into(table, at, (count, within_m), &mut best);
    best
}

/// For each place the nearest feature, ties by id; `None` for an empty table.
#[must_use]
pub fn nearest_each(table: &Table, places: &[Coord]) -> Vec<Option<Near>> {
    let mut found = vec![None; places.len()];
    let mut best = Vec::with_capacity(1);
    for number in in_spatial_order(places) {
        nearest_into(table, places[number as usize], (1, f64::INFINITY), &mut best);
        found[number as usize] = best.first().copied();
    }
    found
}

fn nearest_into(table: &Table, at: Coord, (count, within_m): (usize, f64), best: &mut Vec<Near>) {
    best.clear();
    if count == 0 {
        return;
    }
    let plane = TruePlane::at(at);
    let mut rows: Vec<(f64, Row)> = Vec::new();
    for (held, segment) in table.segments().iter().zip(0..) {
        for (block, bound_degrees) in held.index().nearest(at) {
            let limit = |best: &[Near]| if best.len() == count { best[count - 1].distance_m } else { within_m };
            if bound_degrees * plane.metres_y * SURELY > limit(best) {
                break;
            }
            rows.clear();
            rows.extend(block.map(|(row, bounds)| (plane.distance_of_box_m(bounds) * SURELY, Row { segment, row })));
            rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            for (bound_m, row) in &rows {
                if *bound_m > limit(best) {
                    break;
                }
                let Some(shape) = table.shape(*row).filter(|_| table.is_alive(*row)) else { continue };
                let near = Near { row: *row, id: table.id(*row), distance_m: plane.distance_m(shape) };
                if near.distance_m > within_m {
                    continue;
                }
                let place = best.partition_point(|other| (other.distance_m, other.id) < (near.distance_m, near.id));
                if place < count {
                    best.insert(place, near);
                    best.truncate(count);
                }
            }
        }
    }
}

/// The numbers of places in an order in which neighbours follow each other (Morton's curve).
fn in_spatial_order(places: &[Coord]) -> Vec<u32> {
    let Some(bounds) = Bounds::around(places) else { return (0..places.len() as u32).collect() };
    let span = (bounds.max.x - bounds.min.x).max(bounds.max.y - bounds.min.y).max(f64::MIN_POSITIVE);
    let spread = |v: f64| -> u32 {
        let mut bits = (v / span * 65_535.0) as u32 & 0xffff;
        bits = (bits | bits << 8) & 0x00ff_00ff;
        bits = (bits | bits << 4) & 0x0f0f_0f0f;
        bits = (bits | bits << 2) & 0x3333_3333;
        (bits | bits << 1) & 0x5555_5555
    };
    let key = |c: &Coord| spread(c.x - bounds.min.x) | spread(c.y - bounds.min.y) << 1;
    let mut order: Vec<(u32, u32)> = places.iter().zip(0..).map(|(c, number)| (key(c), number)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, number)| number).collect()
}

/// A geometry prepared for the question how features lie to it. Shared by threads.
#[derive(Debug)]
pub struct Probe {
    shape: Shape,
    bounds: Option<Bounds>,
    region: Option<Region>,
    geometry: Geometry,
}

/// What a thread keeps while it tests features against one [`Probe`].
#[derive(Default)]
pub struct Scratch(Option<PreparedGeometry<'static, Geometry>>);

impl Probe {
    /// The probe of a surface, a line or a point in longitude and latitude.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let view = shape.view();
        Self { bounds: view.bounds(), region: Region::of_shape(view), geometry: view.to_geo(), shape }
    }

    /// The smallest box around it.
    #[must_use]
    pub const fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    /// The number of its vertices.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.shape.view().coords().len()
    }

    /// The geometry for the geometry library.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Where a box lies to it, where it is a surface.
    #[must_use]
    pub fn side(&self, bounds: &Bounds) -> Option<Side> {
        self.region.as_ref().map(|region| region.classify(bounds))
    }

    /// How a feature's geometry lies to it; it comes first in the matrix.
    pub(super) fn relate(&self, feature: ShapeRef<'_>, scratch: &mut Scratch) -> IntersectionMatrix {
        let prepared = scratch.0.get_or_insert_with(|| PreparedGeometry::from(self.geometry.clone()));
        prepared.relate(&feature.to_geo())
    }

    /// Whether a feature's geometry lies in a relation to the probe's.
    pub fn test(&self, feature: ShapeRef<'_>, relation: Relation, scratch: &mut Scratch) -> bool {
        let Some(bounds) = feature.bounds() else { return false };
        match self.region.as_ref().map(|region| region.classify(&bounds)) {
            Some(Side::Outside) => false,
            Some(Side::Inside) => true,
            Some(Side::Crossing) | None => match relation {
                Relation::Intersects => self.intersects(feature),
                Relation::Within => self.relate(feature, scratch).is_contains(),
            },
        }
    }

    fn intersects(&self, feature: ShapeRef<'_>) -> bool {
        let vertex_in = |outer: ShapeRef<'_>, inner: ShapeRef<'_>| {
            outer.kind().dimension() == 2 && inner.rings().filter_map(<[Coord]>::first).any(|c| holds(outer, *c))
        };
        vertex_in(feature, self.shape.view()) || self.geometry.intersects(&feature.to_geo())
    }
}

/// Whether a geometry shares a point with a box.
#[must_use]
pub fn meets_box(shape: ShapeRef<'_>, wanted: &Bounds) -> bool {
    let Some(bounds) = shape.bounds().filter(|bounds| bounds.intersects(wanted)) else { return false };
    wanted.contains(&bounds) || crosses_into(shape, wanted)
}

/// Whether a geometry whose box shares a point with the wanted one does so itself.
fn crosses_into(shape: ShapeRef<'_>, wanted: &Bounds) -> bool {
    if shape.coords().iter().any(|c| wanted.holds(*c)) {
        return true;
    }
    match shape.kind().dimension() {
        0 => false,
        1 => shape.rings().any(|path| path.windows(2).any(|edge| edge_meets_box(edge[0], edge[1], wanted))),
        _ => {
            shape.rings().any(|ring| closed_edges(ring).any(|(a, b)| edge_meets_box(a, b, wanted)))
                || holds(shape, wanted.min)
        }
    }
}

fn edge_meets_box(a: Coord, b: Coord, wanted: &Bounds) -> bool {
    if !Bounds::of_corners(a, b).intersects(wanted) {
        return false;
    }
    let (low, high) = (wanted.min, wanted.max);
    let corners = [low, Coord { x: high.x, y: low.y }, high, Coord { x: low.x, y: high.y }];
    let sides = corners.map(|corner| turn(a, b, corner));
    !(sides.iter().all(|side| *side == Orientation::Clockwise)
        || sides.iter().all(|side| *side == Orientation::CounterClockwise))
}

/// Which way three places turn, exactly.
pub(super) fn turn(a: Coord, b: Coord, c: Coord) -> Orientation {
    <f64 as GeoNum>::Ker::orient2d(a, b, c)
}

/// The edges of a ring, with the closing one where the ring is not closed.
pub(super) fn closed_edges(ring: &[Coord]) -> impl Iterator<Item = (Coord, Coord)> + '_ {
    let closing = (ring.len() > 1 && ring.first() != ring.last()).then(|| (ring[ring.len() - 1], ring[0]));
    ring.windows(2).map(|edge| (edge[0], edge[1])).chain(closing)
}

/// Whether a surface holds a place, boundary included: in an outer ring and in none of its holes' insides.
#[must_use]
pub fn holds(shape: ShapeRef<'_>, at: Coord) -> bool {
    shape.parts().any(|rings| {
        let mut inside = false;
        for ring in rings {
            match place_in(ring, at) {
                Place::Boundary => return true,
                Place::Inside => inside = !inside,
                Place::Outside => {}
            }
        }
        inside
    })
}

/// Where a place lies to a ring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Boundary,
    Outside,
}

/// Where a place lies to a ring, exactly; even-odd for a ring that crosses itself.
pub(super) fn place_in(ring: &[Coord], at: Coord) -> Place {
    let mut inside = false;
    for (a, b) in closed_edges(ring) {
        if (a.y > at.y && b.y > at.y) || (a.y < at.y && b.y < at.y) || (a.x < at.x && b.x < at.x) {
            continue;
        }
        let level = (a.y - at.y).abs() + (b.y - at.y).abs();
        if a == at || b == at {
            return Place::Boundary;
        }
        if level <= 0.0 {
            // A level edge at the height of the place: on it, or no crossing.
            if a.x.min(b.x) <= at.x && at.x <= a.x.max(b.x) {
                return Place::Boundary;
            }
            continue;
        }
        if (a.y > at.y) == (b.y > at.y) {
            continue;
        }
        let (low, high) = if a.y < b.y { (a, b) } else { (b, a) };
        match turn(low, high, at) {
            Orientation::Collinear => return Place::Boundary,
            Orientation::CounterClockwise => inside = !inside,
            Orientation::Clockwise => {}
        }
    }
    if inside { Place::Inside } else { Place::Outside }
}

/// A plane around a place, true to scale there.
struct TruePlane {
    at: Coord,
    metres_x: f64,
    metres_y: f64,
}

impl TruePlane {
    fn at(at: Coord) -> Self {
        let (sin, cos) = at.y.to_radians().sin_cos();
        let w2 = 1.0 - E2 * sin * sin;
        let across = SEMI_MAJOR_M / w2.sqrt();
        let along = SEMI_MAJOR_M * (1.0 - E2) / (w2 * w2.sqrt());
        Self { at, metres_x: (across * cos.abs()).to_radians(), metres_y: along.to_radians() }
    }

    /// Degrees that hold a length in either axis.
    fn widest_degrees(&self, length_m: f64) -> f64 {
        (length_m / self.metres_x.min(self.metres_y)).min(360.0)
    }

    /// The distance of a box from the place: no geometry in it is nearer.
    fn distance_of_box_m(&self, bounds: &Bounds) -> f64 {
        let dx = (bounds.min.x - self.at.x).max(self.at.x - bounds.max.x).max(0.0) * self.metres_x;
        let dy = (bounds.min.y - self.at.y).max(self.at.y - bounds.max.y).max(0.0) * self.metres_y;
        (dx * dx + dy * dy).sqrt()
    }

    fn local(&self, c: Coord) -> Coord {
        Coord { x: (c.x - self.at.x) * self.metres_x, y: (c.y - self.at.y) * self.metres_y }
    }

    /// The distance of a geometry from the place; 0 where it holds the place.
    fn distance_m(&self, shape: ShapeRef<'_>) -> f64 {
        let surface = shape.kind().dimension() == 2;
        if surface && shape.bounds().is_some_and(|bounds| bounds.holds(self.at)) && holds(shape, self.at) {
            return 0.0;
        }
        let mut least = f64::INFINITY;
        for ring in shape.rings() {
            let Some(last) = ring.last() else { continue };
            let mut before = if surface { self.local(*last) } else { self.local(ring[0]) };
            for c in ring {
                let c = self.local(*c);
                least = least.min(distance_2_of_edge(before, c));
                before = c;
            }
        }
        least.sqrt()
    }
}

/// The squared distance of an edge from the origin.
fn distance_2_of_edge(a: Coord, b: Coord) -> f64 {
    let edge = b - a;
    let length_2 = edge.x * edge.x + edge.y * edge.y;
    let t = if length_2 > 0.0 { (-(a.x * edge.x + a.y * edge.y) / length_2).clamp(0.0, 1.0) } else { 0.0 };
    let foot = Coord { x: a.x + t * edge.x, y: a.y + t * edge.y };
    foot.x * foot.x + foot.y * foot.y
}
