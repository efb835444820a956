//! The plane in which the demo is drawn, and shapes in whole billionths of a degree.
//!
//! The plane is an affine picture of longitude and latitude with metres that are right to 0.3 %: good for
//! drawing, never for measuring. Every position is rounded once to 1e-9 degree ([`Nano`]); areas are measured
//! on the rounded positions by the product's own survey rule.

use mutu::ground::{
    crs::Crs,
    measure::{SurveyGrid, ellipsoidal_m2},
    shape::{Shape, ShapeKind},
    units::{Area, Basis},
};

/// East and north of the origin, about metres.
pub type Metre = [f64; 2];
/// Longitude and latitude in 1e-9 degree.
pub type Nano = [i64; 2];
/// An open ring.
pub type Ring = Vec<Nano>;
/// Surfaces: for each its outer ring (counter-clockwise) and its holes (clockwise).
pub type Surfaces = Vec<Vec<Ring>>;

const ORIGIN: [f64; 2] = [112.8, 22.66];
const SCALE: [f64; 2] = [102_778.0, 110_739.0];

pub fn nano(at: Metre) -> Nano {
    [0, 1].map(|i| ((at[i] / SCALE[i] + ORIGIN[i]) * 1e9).round() as i64)
}

pub fn metre(at: Nano) -> Metre {
    [0, 1].map(|i| (at[i] as f64 / 1e9 - ORIGIN[i]) * SCALE[i])
}

pub fn distance(a: Metre, b: Metre) -> f64 {
    ((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])).sqrt()
}

pub fn distance_to_segment(p: Metre, a: Metre, b: Metre) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length } else { 0.0 };
    let t = t.clamp(0.0, 1.0);
    distance(p, [a[0] + t * dx, a[1] + t * dy])
}

pub fn distance_to_path(p: Metre, path: &[Metre]) -> f64 {
    path.windows(2).map(|w| distance_to_segment(p, w[0], w[1])).fold(f64::INFINITY, f64::min)
}

/// Whether a position lies in an open ring (even-odd).
pub fn inside(p: Metre, ring: &[Metre]) -> bool {
    let mut odd = false;
    for i in 0..ring.len() {
        let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
        if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < a[0] + (p[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) {
            odd = !odd;
        }
    }
    odd
}

/// Twice the signed area of a triangle: positive where it turns left.
pub fn turn(a: Metre, b: Metre, c: Metre) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Twice the signed area of a ring, exactly, in square billionths of a degree.
pub fn doubled_area(ring: &[Nano]) -> i128 {
    (0..ring.len())
        .map(|i| {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            i128::from(a[0]) * i128::from(b[1]) - i128::from(b[0]) * i128::from(a[1])
        })
        .sum()
}

/// The ring in the wanted direction, rounded.
pub fn ring_of(points: &[Metre], counter_clockwise: bool) -> Ring {
    let mut ring: Ring = points.iter().map(|p| nano(*p)).collect();
    if (doubled_area(&ring) > 0) != counter_clockwise {
        ring.reverse();
    }
    ring
}

/// A local frame: an origin and the direction of its first axis, given by its slope.
#[derive(Clone, Copy)]
pub struct Frame {
    pub origin: Metre,
    pub slope: f64,
}

impl Frame {
    fn direction(&self) -> Metre {
        let length = (1.0 + self.slope * self.slope).sqrt();
        [1.0 / length, self.slope / length]
    }

    pub fn place(&self, u: f64, v: f64) -> Metre {
        let d = self.direction();
        [self.origin[0] + u * d[0] - v * d[1], self.origin[1] + u * d[1] + v * d[0]]
    }
}

/// The product's survey rule on EPSG:4547.
pub struct Rule(SurveyGrid);

impl Rule {
    pub fn new() -> Self {
        let crs: Crs = "EPSG:4547".parse().expect("a known CRS");
        Self(SurveyGrid::new(crs, false).expect("a projected CRS"))
    }

    /// Area in hundredths of a square metre, as the product prints it.
    pub fn hundredths(&self, surfaces: &Surfaces) -> i64 {
        let m2 = ellipsoidal_m2(shape_of(surfaces).view(), Some(&self.0));
        Area::from_m2(Basis::Ellipsoidal, m2).expect("a finite figure").hundredths_m2()
    }
}

pub fn shape_of(surfaces: &Surfaces) -> Shape {
    let kind = if surfaces.len() == 1 { ShapeKind::Polygon } else { ShapeKind::MultiPolygon };
    let mut shape = Shape::new(kind);
    for surface in surfaces {
        for ring in surface {
            for at in ring.iter().chain(&ring[..1]) {
                shape.push(geo::Coord { x: at[0] as f64 / 1e9, y: at[1] as f64 / 1e9 });
            }
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

/// Moves one vertex of the first surface east or west until the area is the wanted one to 0.01 m².
///
/// The area is linear in the vertex's longitude, so the step is found by bisection over whole billionths.
pub fn meet(rule: &Rule, surfaces: &mut Surfaces, vertex: usize, hundredths: i64) {
    let start = surfaces[0][0][vertex][0];
    let mut at = |step: i64| {
        surfaces[0][0][vertex][0] = start + step;
        rule.hundredths(surfaces)
    };
    let reach = 400_000;
    let rising = at(reach) > at(-reach);
    let (mut low, mut high) = (-reach, reach);
    while high - low > 1 {
        let middle = i64::midpoint(low, high);
        if (at(middle) < hundredths) == rising {
            low = middle;
        } else {
            high = middle;
        }
    }
    let step = [low, high].into_iter().find(|step| at(*step) == hundredths);
    let step = step.expect("the vertex's neighbours are near enough for steps under 0.01 m²");
    at(step);
}

/// Positions by cell, to ask what is near.
pub struct Near {
    cells: std::collections::BTreeMap<(i64, i64), Vec<Metre>>,
}

const CELL: f64 = 400.0;

impl Near {
    pub fn new() -> Self {
        Self { cells: std::collections::BTreeMap::new() }
    }

    fn cell(p: Metre) -> (i64, i64) {
        ((p[0] / CELL).floor() as i64, (p[1] / CELL).floor() as i64)
    }

    pub fn add(&mut self, p: Metre) {
        self.cells.entry(Self::cell(p)).or_default().push(p);
    }

    /// Whether a position is nearer than `reach` (up to 400 m).
    pub fn any(&self, p: Metre, reach: f64) -> bool {
        let (i, j) = Self::cell(p);
        (i - 1..=i + 1)
            .flat_map(|i| (j - 1..=j + 1).map(move |j| (i, j)))
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .any(|q| distance(p, *q) < reach)
    }
}
