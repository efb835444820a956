//! GCJ-02 (火星坐标): the offset of commercial web maps in China, forward, back, and how to notice it.
//!
//! Coordinates taken from such maps are 500–650 m off although they are labelled WGS 84. The product never
//! corrects them by itself: it says where they probably come from. Official figures are not published; the
//! formula is the one in public use, good to a few metres against the maps.

use geo::Coord;
use rustc_hash::FxHashMap;

/// Longitude and latitude of CGCS2000 to GCJ-02; unchanged outside the box in which the offset is applied.
#[must_use]
pub fn to_gcj02(at: Coord) -> Coord {
    if !(72.004..=137.8347).contains(&at.x) || !(0.8293..=55.8271).contains(&at.y) {
        return at;
    }
    at + offset(at)
}

/// GCJ-02 to longitude and latitude of CGCS2000, to 1e-9 degrees of what [`to_gcj02`] undoes.
#[must_use]
pub fn from_gcj02(shifted: Coord) -> Coord {
    // The offset changes by a thousandth over its own length, so every round wins three digits.
    let mut at = shifted;
    for _ in 0..6 {
        let error = to_gcj02(at) - shifted;
        at = at - error;
        if error.x.abs().max(error.y.abs()) < 1e-12 {
            break;
        }
    }
    at
}

/// Whether coordinates are known ones shifted to GCJ-02: the share of them (over a half) that fall within 20 m
/// of a reference vertex once they are shifted back, where far fewer do as they are, or shifted as far in any
/// other direction (among dense vertices many places are near one by chance).
///
/// `incoming` and `reference` are in longitude and latitude. `None` where there is no such sign, or where there
/// are too few coordinates to tell.
#[must_use]
pub fn likely_shifted(incoming: &[Coord], reference: &[Coord]) -> Option<f64> {
    if incoming.len() < FEWEST {
        return None;
    }
    let known = Vertices::of(reference);
    let share = |place: &dyn Fn(Coord) -> Coord| {
        let near = incoming.iter().filter(|at| known.has_near(place(**at))).count();
        near as f64 / incoming.len() as f64
    };
    let back = share(&from_gcj02);
    let turned = |quarters: [f64; 2]| {
        move |at: Coord| {
            let offset = from_gcj02(at) - at;
            Coord {
                x: at.x + quarters[0] * offset.x - quarters[1] * offset.y,
                y: at.y + quarters[1] * offset.x + quarters[0] * offset.y,
            }
        }
    };
    let elsewhere = [[0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]].map(|quarters| share(&turned(quarters)));
    let chance = elsewhere.into_iter().fold(share(&|at| at), f64::max);
    (back > 0.5 && chance < back / 2.0).then_some(back)
}

/// Fewer coordinates may match by chance.
const FEWEST: usize = 12;

/// Vertices by cells a little larger than the distance that counts as the same place.
struct Vertices(FxHashMap<(i32, i32), Vec<Coord>>);

impl Vertices {
    const NEAR_M: f64 = 20.0;
    /// Degrees of a cell: 27 m of latitude, and 20 m of longitude up to 50° north.
    const CELL: f64 = 0.000_28;

    fn of(vertices: &[Coord]) -> Self {
        let mut cells: FxHashMap<(i32, i32), Vec<Coord>> = FxHashMap::default();
        for at in vertices {
            cells.entry(Self::cell_of(*at)).or_default().push(*at);
        }
        Self(cells)
    }

    fn cell_of(at: Coord) -> (i32, i32) {
        ((at.x / Self::CELL).floor() as i32, (at.y / Self::CELL).floor() as i32)
    }

    fn has_near(&self, at: Coord) -> bool {
        let (column, row) = Self::cell_of(at);
        let metres_lon = 111_320.0 * at.y.to_radians().cos();
        let near = |known: &Coord| ((known.x - at.x) * metres_lon).hypot((known.y - at.y) * 111_000.0) <= Self::NEAR_M;
        let neighbours = (-1..=1).flat_map(|i| (-1..=1).map(move |j| (i, j)));
        let mut cells = neighbours.filter_map(|(i, j)| self.0.get(&(column.saturating_add(i), row.saturating_add(j))));
        cells.any(|cell| cell.iter().any(near))
    }
}

/// Degrees that GCJ-02 adds.
///
/// # Source
/// The formula in public use since 2010 (`eviltransform`, `coordtransform`); its constants are those of the
/// Krassovsky ellipsoid.
fn offset(at: Coord) -> Coord {
    use std::f64::consts::PI;
    const SEMI_MAJOR_M: f64 = 6_378_245.0;
    const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;
    let (x, y) = (at.x - 105.0, at.y - 35.0);
    let wave = |size: f64, turns: f64| size * (turns * PI).sin();
    let common = (wave(20.0, 6.0 * x) + wave(20.0, 2.0 * x)) * 2.0 / 3.0;
    let root = x.abs().sqrt();
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + common
        + (wave(20.0, y) + wave(40.0, y / 3.0)) * 2.0 / 3.0
        + (wave(160.0, y / 12.0) + wave(320.0, y / 30.0)) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + common
        + (wave(20.0, x) + wave(40.0, x / 3.0)) * 2.0 / 3.0
        + (wave(150.0, x / 12.0) + wave(300.0, x / 30.0)) * 2.0 / 3.0;
    let (sin, cos) = at.y.to_radians().sin_cos();
    let squared = 1.0 - ECCENTRICITY_SQUARED * sin * sin;
    let meridian_radius = SEMI_MAJOR_M * (1.0 - ECCENTRICITY_SQUARED) / (squared * squared.sqrt());
    let parallel_radius = SEMI_MAJOR_M / squared.sqrt() * cos;
    Coord { x: (east / parallel_radius).to_degrees(), y: (north / meridian_radius).to_degrees() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heshan() -> Vec<Coord> {
        let text = include_str!("../../tests/fixtures/county/heshan_outline.csv");
        let coord = |line: &str| {
            let (x, y) = line.split_once(',').unwrap();
            Coord { x: x.parse().unwrap(), y: y.parse().unwrap() }
        };
        text.lines().skip(1).map(coord).collect()
    }

    #[test]
    fn the_offset_is_that_of_the_public_formula() {
        // Figures of independent implementations in JavaScript (Beijing) and Python.
        for (at, shifted) in [
            ((116.404, 39.915), (116.410_244_499_169_38, 39.916_404_281_501_64)),
            ((112.96, 22.77), (112.965_112_990_407_65, 22.767_059_404_247_135)),
            ((113.03, 22.85), (113.035_354_025_693_82, 22.847_287_867_921_427)),
            ((87.6, 43.8), (87.602_838_972_271_61, 43.801_212_030_292_08)),
        ] {
            let found = to_gcj02(at.into());
            assert!((found.x - shifted.0).abs() < 1e-11 && (found.y - shifted.1).abs() < 1e-11, "{at:?}: {found:?}");
        }
        let abroad = Coord { x: 2.35, y: 48.85 };
        assert_eq!((to_gcj02(abroad), from_gcj02(abroad)), (abroad, abroad));
    }

    #[test]
    fn a_shifted_outline_is_noticed_and_an_honest_one_is_not() {
        let outline = heshan();
        let shifted: Vec<Coord> = outline.iter().map(|at| to_gcj02(*at)).collect();
        assert_eq!(likely_shifted(&shifted, &outline), Some(1.0));
        assert_eq!(likely_shifted(&outline, &outline), None);
        let rough = |(i, at): (usize, &Coord)| Coord { x: at.x + 1e-4 * ((i % 3) as f64 - 1.0), y: at.y + 5e-5 };
        let redrawn: Vec<Coord> = shifted.iter().enumerate().map(rough).collect();
        assert!(likely_shifted(&redrawn, &outline).is_some_and(|share| share > 0.9));
        let elsewhere: Vec<Coord> = outline.iter().map(|at| *at + Coord { x: 0.003, y: 0.004 }).collect();
        assert_eq!(likely_shifted(&elsewhere, &outline), None, "another shift is not this one");
        assert_eq!(likely_shifted(&[], &outline), None);
        assert_eq!(likely_shifted(&shifted, &[]), None);
    }

    proptest! {
        #[test]
        fn shifting_back_undoes_the_shift(x in 73.0..137.0_f64, y in 3.0..55.0_f64) {
            let at = Coord { x, y };
            let back = from_gcj02(to_gcj02(at));
            prop_assert!((back.x - x).abs() < 1e-9 && (back.y - y).abs() < 1e-9, "{at:?} {back:?}");
        }
    }
}
