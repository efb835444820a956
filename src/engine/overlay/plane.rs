//! The plane of overlays: longitude against the ellipsoid's area up to the latitude.
//!
//! The survey rule sums trapezoids of a longitude and the area between two latitudes; that is the shoelace
//! formula in this plane. So the plane's areas are the rule's, boxes stay boxes, and one plane serves all
//! layers. Edges get points every 70 m in their survey grid, as the rule asks; between two of them the straight
//! lines of grid and plane differ by less than a tenth of a millimetre.

use geo::Coord;

use crate::ground::{
    crs::Crs,
    gauss::GaussGrid,
    measure::{RULE_2008, SEMI_MINOR_M, SurveyGrid, height_over_b2},
    shape::Bounds,
};

/// The plane is true to scale at 30° north; elsewhere it is stretched one way and pressed the other.
const X_SCALE: f64 = SEMI_MINOR_M * 0.866_025_403_784_438_6;
const Y_SCALE: f64 = SEMI_MINOR_M / 0.866_025_403_784_438_6;
/// First eccentricity squared of CGCS2000.
const E2: f64 = 6.694_380_022_90e-3;
/// Metres in a degree of a great circle, at most.
const METRES_PER_DEGREE: f64 = 111_700.0;

/// The place in the plane of a longitude and latitude, in metres.
pub(super) fn to_plane(at: Coord) -> Coord {
    Coord { x: at.x.to_radians() * X_SCALE, y: height_over_b2(at.y.to_radians().sin()) * Y_SCALE }
}

/// The longitude and latitude of a place in the plane.
pub(super) fn from_plane(at: Coord) -> Coord {
    let height = at.y / Y_SCALE;
    let mut sine = height.clamp(-1.0, 1.0);
    for _ in 0..5 {
        let w2 = 1.0 - E2 * sine * sine;
        sine = (sine - (height_over_b2(sine) - height) * w2 * w2).clamp(-1.0, 1.0);
    }
    Coord { x: (at.x / X_SCALE).to_degrees(), y: sine.asin().to_degrees() }
}

/// The box in the plane of everything whose vertices lie in a box of longitude and latitude: widened by what
/// an edge that is straight in a grid can bulge.
pub(super) fn bounds_in_plane(bounds: &Bounds) -> Bounds {
    let box_in_plane = Bounds { min: to_plane(bounds.min), max: to_plane(bounds.max) };
    let diagonal = box_in_plane.max - box_in_plane.min;
    box_in_plane.widened(bulge_m(diagonal.x.hypot(diagonal.y)))
}

/// The most that an edge straight in a grid leaves the straight line of the plane, up to 70° of latitude.
fn bulge_m(length_m: f64) -> f64 {
    length_m * length_m / 1.5e7 + 1e-6
}

/// The same allowance in degrees, for boxes of longitude and latitude.
pub(super) fn bulge_degrees(bounds: &Bounds) -> f64 {
    let diagonal = (bounds.max - bounds.min) * METRES_PER_DEGREE;
    bulge_m(diagonal.x.hypot(diagonal.y)) / 30_000.0
}

/// The grid in which a geometry's edges are straight: the layer's, where it covers the geometry.
pub(super) fn grid_of<'g>(grid: Option<&'g SurveyGrid>, bounds: &Bounds) -> Option<&'g SurveyGrid> {
    grid.filter(|grid| grid.covers(bounds))
}

/// A ring in the plane, open, with points on edges longer than the rule's step.
pub(super) fn ring_in_plane(ring: &[Coord], grid: Option<&SurveyGrid>) -> Vec<Coord> {
    let open = match ring {
        [first, between @ .., last] if first == last && !between.is_empty() => &ring[..ring.len() - 1],
        _ => ring,
    };
    let mut placed = Vec::with_capacity(open.len() + 4);
    for (i, from) in open.iter().enumerate() {
        placed.push(to_plane(*from));
        let Some(grid) = grid else { continue };
        let to = open[if i + 1 == open.len() { 0 } else { i + 1 }];
        let (d_lon, d_lat) = (to.x - from.x, to.y - from.y);
        if d_lon.hypot(d_lat) * METRES_PER_DEGREE > RULE_2008.step_m {
            placed.extend(between(*from, to, grid.crs()).into_iter().map(to_plane));
        }
    }
    placed
}

/// The places that divide a long edge into equal parts in its grid; none where the grid has no image of it.
fn between(from: Coord, to: Coord, crs: &Crs) -> Vec<Coord> {
    let gauss: Option<GaussGrid> = crs.gauss().filter(|gauss| gauss.reaches(from.x) && gauss.reaches(to.x));
    if let Some(gauss) = gauss {
        let (a, b) = (gauss.forward_from_meridian(from), gauss.forward_from_meridian(to));
        return divided(a, b, 1.0).map(|at| gauss.inverse_from_meridian(at)).collect();
    }
    let mut ends = [from, to];
    let (Ok(()), Some(unit_m)) = (crs.from_stored(&mut ends), crs.metres_per_unit()) else { return Vec::new() };
    let mut places: Vec<Coord> = divided(ends[0], ends[1], unit_m).collect();
    if crs.to_stored(&mut places).is_ok() { places } else { Vec::new() }
}

fn divided(a: Coord, b: Coord, unit_m: f64) -> impl Iterator<Item = Coord> {
    let length_m = (b.x - a.x).hypot(b.y - a.y) * unit_m;
    let parts = if length_m > RULE_2008.step_m { (length_m / RULE_2008.step_m) as u64 + 1 } else { 1 };
    (1..parts).map(move |j| a + (b - a) * (j as f64) / parts as f64)
}

/// Twice the signed area of an open or closed ring, and its length.
pub(super) fn twice_area_and_length(ring: &[Coord]) -> (f64, f64) {
    let Some(origin) = ring.first() else { return (0.0, 0.0) };
    let (mut twice, mut length) = (0.0, 0.0);
    let mut last = ring[ring.len() - 1] - *origin;
    for at in ring {
        let at = *at - *origin;
        twice += last.x * at.y - at.x * last.y;
        length += (at.x - last.x).hypot(at.y - last.y);
        last = at;
    }
    (twice, length)
}
