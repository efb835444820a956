//! Areas against an independent implementation of the survey rule, against geodesics, and against QGIS.

use geo::{Coord, GeodesicArea};
use mutu::ground::{
    crs::Crs,
    measure::{SurveyGrid, ellipsoidal_m2, planar_m2},
    shape::{Bounds, Shape},
    units::{Area, AreaUnit, Basis},
};
use proptest::prelude::*;

fn grid(definition: &str, surveyed_in_grid: bool) -> SurveyGrid {
    SurveyGrid::new(definition.parse().unwrap(), surveyed_in_grid).unwrap()
}

struct Vector {
    id: String,
    /// Easting, northing in EPSG:4547, open.
    ring: Vec<Coord>,
    planar: f64,
    rule: String,
    reported: [String; 3],
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../fixtures/area/survey_rule_vectors.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let coord = |pair: &str| {
        let (north, east) = pair.split_once(',').unwrap();
        Coord { x: east.parse().unwrap(), y: north.parse().unwrap() }
    };
    let vector = |row: csv::StringRecord| Vector {
        id: row[0].to_owned(),
        ring: row[1].split(' ').map(coord).collect(),
        planar: row[2].parse().unwrap(),
        rule: row[4].to_owned(),
        reported: [row[8].to_owned(), row[9].to_owned(), row[10].to_owned()],
    };
    let all: Vec<Vector> = reader.records().map(|row| vector(row.unwrap())).collect();
    assert_eq!(all.len(), 6);
    all
}

fn stored(ring: &[Coord], crs: &Crs, false_easting: f64) -> Shape {
    let mut ring: Vec<Coord> = ring.iter().map(|at| Coord { x: at.x + false_easting, y: at.y }).collect();
    ring.push(ring[0]);
    crs.to_stored(&mut ring).unwrap();
    Shape::polygon(&[ring])
}

/// The rule's areas of the vectors, computed by an independent implementation in 40-digit arithmetic.
const IN_40_DIGITS: [f64; 6] = [
    9_997.187_347_357_892,
    199_943.928_971_914_9,
    136_907.391_062_600_6,
    999_401.491_722_073,
    31_191_142.925_487_09,
    10_287_014.336_303_23,
];

/// One edge's term of the shoelace formula, exactly: the vectors are given to the millimetre.
fn in_mm2(ring: &[Coord], i: usize) -> i64 {
    let mm = |metres: f64| (metres * 1e3).round() as i64;
    let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
    mm(a.x) * mm(b.y) - mm(b.x) * mm(a.y)
}

#[test]
fn surveyed_areas_equal_the_independent_implementation_to_the_last_printed_digit() {
    for (definition, prefix) in [("EPSG:4547", 0.0), ("EPSG:4526", 38_000_000.0)] {
        let grid = grid(definition, true);
        for (vector, exact) in vectors().into_iter().zip(IN_40_DIGITS) {
            let shape = stored(&vector.ring, grid.crs(), prefix);
            let m2 = ellipsoidal_m2(shape.view(), Some(&grid));
            let planar = planar_m2(shape.view(), &grid).unwrap();
            let area = Area::from_m2(Basis::Ellipsoidal, m2).unwrap();
            let printed =
                [(AreaUnit::M2, 2), (AreaUnit::Ha, 4), (AreaUnit::Mu, 4)].map(|(u, d)| area.rounded(u, d).to_string());
            assert_eq!(printed, vector.reported, "{} in {definition}", vector.id);
            // The printed planar figure of the sixth vector is off by one in its last digit: whole millimetres tell.
            let twice: i64 = (0..vector.ring.len()).map(|i| in_mm2(&vector.ring, i)).sum();
            assert_eq!(
                format!("{planar:.4}"),
                format!("{:.4}", twice.abs() as f64 / 2e6),
                "{} in {definition}",
                vector.id
            );
            assert!((planar - vector.planar).abs() < 1.5e-4, "{} in {definition}: {planar}", vector.id);
            // The vectors carry the rounding errors of double precision; 40 digits tell who is right.
            assert!(
                (m2 - vector.rule.parse::<f64>().unwrap()).abs() < 1.5e-5,
                "{} in {definition}: {m2:.7}",
                vector.id
            );
            assert!((m2 - exact).abs() < 1e-7 + 3e-13 * m2, "{} in {definition}: {m2:.9}", vector.id);
        }
    }
}

#[test]
fn a_surveyed_figure_survives_exports_with_nine_decimals_of_a_degree() {
    let grid = grid("EPSG:4547", true);
    for vector in vectors() {
        let mut shape = stored(&vector.ring, grid.crs(), 0.0);
        let before = ellipsoidal_m2(shape.view(), Some(&grid));
        for at in shape.coords_mut() {
            *at = Coord { x: (at.x * 1e9).round() / 1e9, y: (at.y * 1e9).round() / 1e9 };
        }
        let after = ellipsoidal_m2(shape.view(), Some(&grid));
        assert!((before - after).abs() < 0.01 * (before / 10_000.0).sqrt().max(1.0), "{}: {before} {after}", vector.id);
    }
}

/// The polygon that QGIS measured for us, 112.90–112.91° E, 22.70–22.71° N.
fn measured_by_qgis() -> Shape {
    Shape::of_bounds(&Bounds { min: Coord { x: 112.90, y: 22.70 }, max: Coord { x: 112.91, y: 22.71 } })
}

#[test]
fn planar_areas_are_those_of_qgis_in_every_grid() {
    let shape = measured_by_qgis();
    for (definition, m2, tolerance) in
        [("EPSG:4547", 1_138_141.525, 5e-4), ("EPSG:4526", 1_138_141.525, 5e-4), ("EPSG:4508", 1_138_862.9, 0.05)]
    {
        let planar = planar_m2(shape.view(), &grid(definition, false)).unwrap();
        assert!((planar - m2).abs() <= tolerance, "{definition}: {planar}");
    }
    // Without a grid the edges are those of longitude and latitude, which bulge from the geodesics.
    let plain = ellipsoidal_m2(shape.view(), None);
    assert!((plain - 1_137_785.773_5).abs() < 0.2, "{plain}");
}

#[test]
fn areas_in_feet_are_square_metres_too() {
    let (feet, metres) = (grid("EPSG:2249", true), grid("EPSG:26986", true));
    let mut ring =
        vec![(757_000.0, 2_957_000.0), (757_400.0, 2_957_000.0), (757_400.0, 2_957_300.0), (757_000.0, 2_957_000.0)]
            .into_iter()
            .map(Coord::from)
            .collect::<Vec<_>>();
    feet.crs().to_stored(&mut ring).unwrap();
    let shape = Shape::polygon(&[ring]);
    let us_survey_foot = 1200.0 / 3937.0_f64;
    let expected = 400.0 * 300.0 / 2.0 * us_survey_foot * us_survey_foot;
    assert!((planar_m2(shape.view(), &feet).unwrap() - expected).abs() < 1e-4);
    assert!((planar_m2(shape.view(), &metres).unwrap() - expected).abs() < 1e-4);
    let geodesic = shape.view().to_multi_polygon().geodesic_area_unsigned();
    assert!((ellipsoidal_m2(shape.view(), Some(&feet)) / geodesic - 1.0).abs() < 1e-6);
}

#[test]
fn holes_subtract_parts_add_and_orientation_is_irrelevant() {
    let square = |x: f64, y: f64, size: f64, turned: bool| {
        let box_ = Bounds { min: Coord { x, y }, max: Coord { x: x + size, y: y + size } };
        let mut ring = Shape::of_bounds(&box_).view().coords().to_vec();
        if turned {
            ring.reverse();
        }
        ring
    };
    let grids = [None, Some(grid("EPSG:4547", false)), Some(grid("EPSG:4547", true))];
    for grid in &grids {
        let area = |shape: &Shape| ellipsoidal_m2(shape.view(), grid.as_ref());
        let (whole, hole) = (square(113.0, 22.5, 0.01, false), square(113.002, 22.502, 0.003, false));
        let [whole_m2, hole_m2] = [&whole, &hole].map(|ring| area(&Shape::polygon(std::slice::from_ref(ring))));
        for turned in [false, true] {
            let holed = Shape::polygon(&[whole.clone(), square(113.002, 22.502, 0.003, turned)]);
            assert!((area(&holed) - (whole_m2 - hole_m2)).abs() < 1e-6);
        }
        let apart = square(113.02, 22.5, 0.01, true);
        let both = Shape::from_multi_polygon(&geo::MultiPolygon::new(
            [&whole, &apart].map(|r| geo::Polygon::new(geo::LineString::new(r.clone()), vec![])).into(),
        ));
        let apart_m2 = area(&Shape::polygon(&[apart]));
        assert!((area(&both) - (whole_m2 + apart_m2)).abs() < 1e-6);
        assert!(area(&Shape::point(whole[0])).abs() < f64::MIN_POSITIVE);
    }
}

#[test]
fn areas_in_degrees_or_in_mercator_cannot_be_asked_for() {
    for definition in ["EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:3395", "ESRI:54004", "OGC:CRS84"] {
        assert!(SurveyGrid::new(definition.parse().unwrap(), false).is_err(), "{definition}");
    }
}

#[test]
fn a_grid_covers_its_area_of_use_and_a_degree_more() {
    let county = Bounds { min: Coord { x: 112.467, y: 22.48 }, max: Coord { x: 113.04, y: 22.87 } };
    let kashgar = Bounds { min: Coord { x: 75.9, y: 39.4 }, max: Coord { x: 76.1, y: 39.5 } };
    for definition in ["EPSG:4547", "EPSG:4526", "EPSG:4546", "EPSG:4508"] {
        assert!(grid(definition, false).covers(&county), "{definition}");
        assert!(!grid(definition, false).covers(&kashgar), "{definition}");
    }
    assert!(!grid("EPSG:2249", false).covers(&county));
    let nameless = |from: &str, to: &str, code: &str| {
        let wkt = code.parse::<Crs>().unwrap().to_esri_wkt().unwrap().replace(from, to);
        SurveyGrid::new(wkt.parse().unwrap(), false).unwrap()
    };
    let local = nameless("114.0", "113.5", "EPSG:4547");
    assert!(local.crs().area_of_use().is_none() && local.covers(&county) && !local.covers(&kashgar));
    let conic = nameless("-71.5", "113.0", "EPSG:26986");
    let at_its_latitude = Bounds { min: Coord { x: 112.5, y: 42.0 }, max: Coord { x: 113.0, y: 42.2 } };
    assert!(conic.crs().area_of_use().is_none() && conic.covers(&at_its_latitude) && !conic.covers(&county));
}

/// A star-shaped parcel of 4 to 12 vertices, 30 to 400 m across, at a place in China.
fn parcel() -> impl Strategy<Value = (f64, f64, Vec<Coord>)> {
    (74.0..134.5_f64, 18.2..53.3_f64, 15.0..200.0_f64, prop::collection::vec(0.4..1.0_f64, 4..=12)).prop_map(
        |(lon, lat, radius_m, spokes)| {
            let (metres_lat, metres_lon) = (111_000.0, 111_320.0 * lat.to_radians().cos());
            let turn = std::f64::consts::TAU / spokes.len() as f64;
            let mut ring: Vec<Coord> = spokes
                .iter()
                .enumerate()
                .map(|(i, r)| {
                    let (sin, cos) = (turn * i as f64).sin_cos();
                    Coord { x: lon + radius_m * r * cos / metres_lon, y: lat + radius_m * r * sin / metres_lat }
                })
                .collect();
            ring.push(ring[0]);
            (lon, lat, ring)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_rule_agrees_with_geodesics_on_any_parcel_in_china((lon, lat, ring) in parcel()) {
        let meridian = ((lon / 3.0).round() * 3.0) as u32;
        let crs: Crs = format!("EPSG:{}", 4534 + (meridian - 75) / 3).parse().unwrap();
        prop_assert_eq!(crs.gauss().unwrap().meridian as u32, meridian);
        let shape = Shape::polygon(&[ring]);
        let geodesic = shape.view().to_multi_polygon().geodesic_area_unsigned();
        // Half of six decimals of a second is 0.0155 mm along each axis, 0.022 mm across: what that may move is a sliver
        // around the outline; half of a tenth of a millimetre along each axis likewise.
        let perimeter = shape.view().coords().windows(2).map(|w| {
            ((w[1].x - w[0].x) * 111_320.0 * lat.to_radians().cos()).hypot((w[1].y - w[0].y) * 111_000.0)
        }).sum::<f64>();
        let rounding = perimeter * 2.2e-5;
        for surveyed in [false, true] {
            let grid = SurveyGrid::new(crs.clone(), surveyed).unwrap();
            let m2 = ellipsoidal_m2(shape.view(), Some(&grid));
            let tenth_mm = if surveyed { perimeter * 7.1e-5 } else { 0.0 };
            prop_assert!((m2 - geodesic).abs() < 1e-6 * geodesic + rounding + tenth_mm, "{m2} {geodesic} {perimeter}");
        }
    }
}
