//! Areas of shapes: the ellipsoidal survey rule and the planar figure in a survey grid.
//!
//! The rule cuts a surface into trapezoids between its edges and a meridian, on the CGCS2000 ellipsoid, with
//! latitudes and longitudes in seconds kept to six decimals. Which latitudes and longitudes depends on how the
//! surface was surveyed:
//! - in a Gauss–Krüger grid on CGCS2000: the grid's coordinates (to 0.1 mm), edges longer than the step split
//!   into equal parts, all through the rule's own inverse projection. Figures equal those of the trade's
//!   programs to the last digit, also after the coordinates were stored as longitude and latitude;
//! - as longitude and latitude, or in another grid: they are taken as they are, and only edges longer than the
//!   step get points between, on the straight line of the grid;
//! - outside its grid, or without one: as they are.
//!
//! Sources: 国土调查办发〔2008〕32号 (formulas, constants), TD/T 1055-2019; step and decimals from programs in use,
//! see [`RULE_2008`].
//!
//! Question: why one sine for a vertex, where the formula has ten for an edge? `sin(kΔB/2)·cos(kBm)` is half of
//! `sin kB₂ − sin kB₁`, so an edge is the difference of one odd polynomial in `sin B` at its ends. Longitudes are
//! counted from the ring's first vertex (a constant drops out of a closed sum), so that no digits cancel.

use geo::Coord;

use super::{
    crs::{Crs, CrsError, CrsKind},
    gauss::{GaussGrid, RULE_RHO},
    shape::{Bounds, ShapeKind, ShapeRef},
};

/// The parameters of the survey rule that its text leaves to practice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurveyRule {
    /// The year from which the rule is in force.
    pub since: u16,
    /// Where it is written.
    pub source: &'static str,
    /// Edges longer than this are split into equal parts no longer than this, metres.
    pub step_m: f64,
}

/// The rule in force.
///
/// # Source
/// 国土调查办发〔2008〕32号 has formulas and constants. Seconds to six decimals, plane coordinates to four and
/// the step of 70 m are those of programs in use that claim TD/T 1055-2019, appendix D.
pub const RULE_2008: SurveyRule = SurveyRule { since: 2008, source: "国土调查办发〔2008〕32号", step_m: 70.0 };

/// The survey grid of a layer: in it planar areas are measured and long edges are straight.
#[derive(Debug, Clone)]
pub struct SurveyGrid {
    crs: Crs,
    surveyed_in_grid: bool,
}

/// A CRS in which no area may be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{crs} is no survey grid: planar areas need a projected CRS other than Web Mercator")]
pub struct NotASurveyGrid {
    /// The CRS as given.
    pub crs: String,
}

impl SurveyGrid {
    /// The grid of a projected CRS. `surveyed_in_grid`: the coordinates came in it.
    ///
    /// # Errors
    /// [`NotASurveyGrid`] for a geographic CRS and for Web Mercator.
    pub fn new(crs: Crs, surveyed_in_grid: bool) -> Result<Self, NotASurveyGrid> {
        if crs.kind() == CrsKind::Projected && crs.metres_per_unit().is_some() {
            Ok(Self { crs, surveyed_in_grid })
        } else {
            Err(NotASurveyGrid { crs: crs.definition().to_owned() })
        }
    }

    /// The grid's CRS.
    #[must_use]
    pub const fn crs(&self) -> &Crs {
        &self.crs
    }

    /// Whether the coordinates came in this grid.
    #[must_use]
    pub const fn surveyed_in_grid(&self) -> bool {
        self.surveyed_in_grid
    }

    /// Whether longitude and latitude in this box may be measured in the grid: its area of use, widened by
    /// one degree so that a county on a zone's border keeps one grid.
    ///
    /// A grid whose definition names no area of use may be used 4° from its meridian if it is a Gauss–Krüger
    /// grid, else wherever its scale of area is within half a percent of 1.
    #[must_use]
    pub fn covers(&self, extent: &Bounds) -> bool {
        if let Some(area) = self.crs.area_of_use() {
            return area.widened(1.0).contains(extent);
        }
        let (low, high) = (extent.min, extent.max);
        if let Some(grid) = self.crs.gauss() {
            return (low.x - grid.meridian).abs().max((high.x - grid.meridian).abs()) <= 4.0
                && low.y.abs().max(high.y.abs()) <= 84.0;
        }
        let places = [low, high, extent.center(), Coord { x: low.x, y: high.y }, Coord { x: high.x, y: low.y }];
        places.iter().all(|at| self.area_scale_at(*at).is_some_and(|scale| (scale - 1.0).abs() < 5e-3))
    }

    /// Planar over ellipsoidal area of a small square.
    fn area_scale_at(&self, at: Coord) -> Option<f64> {
        let square = super::shape::Shape::of_bounds(&Bounds { min: at, max: at }.widened(5e-4));
        let planar = planar_m2(square.view(), self).ok()?;
        Some(planar / ellipsoidal_m2(square.view(), None))
    }

    fn metres_per_unit(&self) -> f64 {
        self.crs.metres_per_unit().unwrap_or(1.0)
    }
}

/// Ellipsoidal area in m², unrounded, of a surface in stored longitude and latitude; 0 for points and lines.
///
/// `grid`: the layer's, where the layer lies in its area of use; `None` runs the rule on longitude and
/// latitude as they are. So does a surface that the grid has no image of.
#[must_use]
pub fn ellipsoidal_m2(shape: ShapeRef<'_>, grid: Option<&SurveyGrid>) -> f64 {
    let reached = |gauss: &GaussGrid| shape.coords().iter().all(|at| gauss.reaches(at.x));
    let gauss = grid.and_then(|grid| grid.crs.gauss()).filter(reached);
    match (grid, gauss) {
        (Some(grid), Some(gauss)) if grid.surveyed_in_grid => area_of(shape, |ring| surveyed_ring(ring, gauss)),
        (Some(_), Some(gauss)) => area_of(shape, |ring| stored_ring(ring, &gauss)),
        (Some(grid), None) if grid.crs.gauss().is_none() => area_of(shape, |ring| stored_ring(ring, &grid.crs)),
        _ => area_of(shape, |ring| stored_ring(ring, &())),
    }
}

/// Planar area in m², unrounded, of a surface in stored longitude and latitude; 0 for points and lines.
///
/// # Errors
/// [`super::crs::CrsError::OutOfDomain`] where the grid has no image of a coordinate.
pub fn planar_m2(shape: ShapeRef<'_>, grid: &SurveyGrid) -> Result<f64, CrsError> {
    if shape.kind().dimension() < 2 {
        return Ok(0.0);
    }
    if let Some(gauss) = grid.crs.gauss().filter(|gauss| shape.coords().iter().all(|at| gauss.reaches(at.x))) {
        return Ok(area_of(shape, |ring| shoelace(ring.iter().map(|at| gauss.forward_from_meridian(*at)))));
    }
    let mut failed = None;
    let m2 = area_of(shape, |ring| {
        let mut plane = ring.to_vec();
        match grid.crs.from_stored(&mut plane) {
            Ok(()) => shoelace(plane.into_iter()),
            Err(error) => {
                failed.get_or_insert(error);
                0.0
            }
        }
    });
    failed.map_or(Ok(m2 * grid.metres_per_unit() * grid.metres_per_unit()), Err)
}

/// Outer rings minus holes, parts added; `signed` areas of rings may have either sign.
fn area_of(shape: ShapeRef<'_>, mut signed: impl FnMut(&[Coord]) -> f64) -> f64 {
    if !matches!(shape.kind(), ShapeKind::Polygon | ShapeKind::MultiPolygon) {
        return 0.0;
    }
    let mut sum = 0.0;
    for mut rings in shape.parts() {
        let outer = rings.next().map_or(0.0, |ring| signed(open(ring)).abs());
        sum += rings.fold(outer, |rest, hole| rest - signed(open(hole)).abs());
    }
    sum
}

/// The ring without the repetition of its first coordinate.
fn open(ring: &[Coord]) -> &[Coord] {
    match ring {
        [first, between @ .., last] if first == last && !between.is_empty() => &ring[..ring.len() - 1],
        _ => ring,
    }
}

/// The shoelace formula relative to the first vertex, so that large coordinates cost no digits.
fn shoelace(mut open_ring: impl Iterator<Item = Coord>) -> f64 {
    let Some(origin) = open_ring.next() else { return 0.0 };
    let mut last = Coord { x: 0.0, y: 0.0 };
    let mut twice = 0.0;
    for at in open_ring {
        let at = at - origin;
        twice += last.x * at.y - at.x * last.y;
        last = at;
    }
    twice / 2.0
}

/// The nearest whole number, for magnitudes below 2^51; the processor's own rounding is a call on old ones.
fn nearest(value: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (value + SHIFT) - SHIFT
}

/// Seconds with six decimals, as whole millionths.
fn millionths(seconds: f64) -> f64 {
    let scaled = seconds * 1e6;
    let rounded = nearest(scaled);
    if (scaled - rounded).abs() < 0.499 {
        return rounded;
    }
    nearly_tied_millionths(seconds).unwrap_or(rounded)
}

/// Half away from zero on the decimal value, where the product's own rounding error could decide.
#[cold]
fn nearly_tied_millionths(seconds: f64) -> Option<f64> {
    let mut buffer = ryu::Buffer::new();
    let (whole, decimals) = buffer.format_finite(seconds.abs()).split_once('.')?;
    let scaled: f64 = format!("{whole}{decimals:0<6.6}").parse().ok()?;
    let up = decimals.as_bytes().get(6).is_some_and(|digit| *digit >= b'5');
    Some((scaled + f64::from(u8::from(up))).copysign(seconds))
}

/// One corner of the trapezoids.
#[derive(Debug, Clone, Copy)]
struct Corner {
    /// Longitude in millionths of a second, a whole number.
    longitude: f64,
    /// Area in b² between equator, latitude, and a radian of longitude.
    height: f64,
    sin_latitude: f64,
}

impl Corner {
    /// A corner at a latitude and longitude in seconds, which are rounded here.
    fn at_seconds(latitude: f64, longitude: f64) -> Self {
        let sin_latitude = (millionths(latitude) / 1e6 / RULE_RHO).sin();
        Self { longitude: millionths(longitude), height: height_over_b2(sin_latitude), sin_latitude }
    }

    fn at_degrees(at: Coord) -> Self {
        Self::at_seconds(at.y * 3600.0, at.x * 3600.0)
    }
}

/// Semi-minor axis of CGCS2000 in metres, as the rule prints it.
pub(crate) const SEMI_MINOR_M: f64 = 6_356_752.314_140_36;

/// The rule's `A sin B − B sin 3B + C sin 5B − D sin 7B + E sin 9B` as a polynomial in `sin B`.
pub(crate) fn height_over_b2(s: f64) -> f64 {
    const E2: f64 = 6.694_380_022_90e-3;
    const E4: f64 = E2 * E2;
    const A: f64 = 1.0 + 3.0 / 6.0 * E2 + 30.0 / 80.0 * E4 + 35.0 / 112.0 * E4 * E2 + 630.0 / 2304.0 * E4 * E4;
    const B: f64 = 1.0 / 6.0 * E2 + 15.0 / 80.0 * E4 + 21.0 / 112.0 * E4 * E2 + 420.0 / 2304.0 * E4 * E4;
    const C: f64 = 3.0 / 80.0 * E4 + 7.0 / 112.0 * E4 * E2 + 180.0 / 2304.0 * E4 * E4;
    const D: f64 = 1.0 / 112.0 * E4 * E2 + 45.0 / 2304.0 * E4 * E4;
    const E: f64 = 5.0 / 2304.0 * E4 * E4;
    const P1: f64 = A - 3.0 * B + 5.0 * C - 7.0 * D + 9.0 * E;
    const P3: f64 = 4.0 * B - 20.0 * C + 56.0 * D - 120.0 * E;
    const P5: f64 = 16.0 * C - 112.0 * D + 432.0 * E;
    const P7: f64 = 64.0 * D - 576.0 * E;
    const P9: f64 = 256.0 * E;
    let s2 = s * s;
    s * (P1 + s2 * (P3 + s2 * (P5 + s2 * (P7 + s2 * P9))))
}

/// The sum of trapezoids along a path of corners.
struct Trapezoids {
    first: Corner,
    last: Corner,
    /// In b² times millionths of a second.
    sum: f64,
}

impl Trapezoids {
    const fn from(first: Corner) -> Self {
        Self { first, last: first, sum: 0.0 }
    }

    fn to(&mut self, next: Corner) {
        let mean = f64::midpoint(self.last.longitude - self.first.longitude, next.longitude - self.first.longitude);
        self.sum += mean * (next.height - self.last.height);
        self.last = next;
    }

    /// Goes back to the first corner: the ring's signed area in m².
    fn close(mut self) -> f64 {
        self.to(self.first);
        SEMI_MINOR_M * SEMI_MINOR_M * (self.sum / 1e6 / RULE_RHO)
    }
}

fn length(edge: Coord) -> f64 {
    (edge.x * edge.x + edge.y * edge.y).sqrt()
}

/// The number of equal parts that a straight edge is cut into, and the places between them.
fn between(a: Coord, b: Coord, length_m: f64) -> impl Iterator<Item = Coord> {
    let step = RULE_2008.step_m;
    let parts = if length_m > step { (length_m / step) as u64 + 1 } else { 1 };
    (1..parts).map(move |j| a + (b - a) * (j as f64) / parts as f64)
}

/// A ring that was surveyed in a Gauss–Krüger grid, from its stored coordinates.
fn surveyed_ring(open_ring: &[Coord], grid: GaussGrid) -> f64 {
    let tenth_mm = |metres: f64| nearest(metres * 1e4) / 1e4;
    let plane = |at: &Coord| {
        let at = grid.forward_from_meridian(*at);
        Coord { x: tenth_mm(at.x), y: tenth_mm(at.y) }
    };
    let corner = |at: Coord| {
        let (latitude, longitude) = grid.rule_inverse(at);
        Corner::at_seconds(latitude, longitude)
    };
    let mut rest = open_ring.iter();
    let Some(first) = rest.next().map(plane) else { return 0.0 };
    let mut sum = Trapezoids::from(corner(first));
    let mut last = first;
    for next in rest.map(plane).chain(std::iter::once(first)) {
        for at in between(last, next, length(next - last)) {
            sum.to(corner(at));
        }
        sum.to(corner(next));
        last = next;
    }
    sum.close()
}

/// A plane in which edges are straight.
trait Plane {
    /// The stored coordinates of the places to put on a long edge; `None` where the plane has no image of it.
    fn between(&self, from: Coord, to: Coord) -> Option<Vec<Coord>>;
    /// Whether there is a plane at all.
    const IS: bool = true;
}

impl Plane for () {
    const IS: bool = false;
    fn between(&self, _from: Coord, _to: Coord) -> Option<Vec<Coord>> {
        None
    }
}

impl Plane for GaussGrid {
    fn between(&self, from: Coord, to: Coord) -> Option<Vec<Coord>> {
        let (a, b) = (self.forward_from_meridian(from), self.forward_from_meridian(to));
        let places = between(a, b, length(b - a));
        Some(places.map(|at| self.inverse_from_meridian(at)).collect())
    }
}

impl Plane for Crs {
    fn between(&self, from: Coord, to: Coord) -> Option<Vec<Coord>> {
        let mut ends = [from, to];
        self.from_stored(&mut ends).ok()?;
        let metres = length(ends[1] - ends[0]) * self.metres_per_unit()?;
        let mut places: Vec<Coord> = between(ends[0], ends[1], metres).collect();
        self.to_stored(&mut places).ok()?;
        Some(places)
    }
}

/// A ring whose longitudes and latitudes are what was surveyed; `plane` tells where its long edges run.
fn stored_ring<P: Plane>(open_ring: &[Coord], plane: &P) -> f64 {
    // An upper bound of any edge's length in radians times the ellipsoid's largest radius of curvature, with
    // room for the scale of a grid: below it, no plane needs to be asked.
    const LARGEST_RADIUS_M: f64 = 6_399_593.7;
    let surely_short = (RULE_2008.step_m * 0.995 / LARGEST_RADIUS_M).powi(2);
    let mut rest = open_ring.iter();
    let Some(first) = rest.next() else { return 0.0 };
    let mut sum = Trapezoids::from(Corner::at_degrees(*first));
    let mut last = first;
    let step = |sum: &mut Trapezoids, from: &Coord, to: &Coord, corner: Corner| {
        let (d_lon, d_lat) = ((to.x - from.x).to_radians(), (to.y - from.y).to_radians());
        let s = sum.last.sin_latitude.abs().min(corner.sin_latitude.abs());
        if P::IS && d_lon * d_lon * (1.0 - s * s) + d_lat * d_lat > surely_short {
            for at in plane.between(*from, *to).unwrap_or_default() {
                sum.to(Corner::at_degrees(at));
            }
        }
        sum.to(corner);
    };
    for next in rest {
        step(&mut sum, last, next, Corner::at_degrees(*next));
        last = next;
    }
    let back = sum.first;
    step(&mut sum, last, first, back);
    sum.close()
}
