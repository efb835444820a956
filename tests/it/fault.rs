//! Faults of geometries: the verdict against GEOS and `geo`, the name and the place against cases made for them.

use geo::{Coord, Validation};
use mutu::ground::{
    crs::Crs,
    fault::{Fault, FaultKind, faults_in, faults_of, is_valid},
    shape::{Shape, ShapeKind},
};
use proptest::prelude::*;

/// A reader of the polygons of the fixture, strict about nothing.
fn polygons(wkt: &str) -> Shape {
    let multi = wkt.starts_with("MULTI");
    let mut shape = Shape::new(if multi { ShapeKind::MultiPolygon } else { ShapeKind::Polygon });
    let body = wkt.split_once('(').unwrap().1.strip_suffix(')').unwrap();
    let parts = if multi { body.replace(")),((", "))|((") } else { format!("({body})") };
    for part in parts.split('|') {
        for ring in part.replace("),(", ")|(").split('|') {
            for pair in ring.trim_matches(['(', ')']).split(',') {
                let (x, y) = pair.split_once(' ').unwrap();
                shape.push(Coord { x: x.parse().unwrap(), y: y.parse().unwrap() });
            }
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

#[test]
fn the_verdict_on_tricky_surfaces_is_that_of_geos() {
    let mut reader = csv::Reader::from_reader(include_str!("../fixtures/validity/geos_verdicts.csv").as_bytes());
    let mut count = 0;
    let mut wrong = Vec::new();
    for row in reader.records().map(Result::unwrap) {
        let shape = polygons(&row[0]);
        count += 1;
        let valid = is_valid(shape.view());
        if valid != (&row[1] == "true") {
            wrong.push(format!("{}: GEOS says {}, we {:?}", &row[0], &row[2], faults_of(shape.view())));
        }
    }
    assert!(count >= 250 && wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn kinds(faults: &[Fault]) -> Vec<&'static str> {
    faults.iter().map(|fault| fault.kind.as_str()).collect()
}

/// Faults of polygons given in metres from a place in Heshan.
fn faults_at_heshan(wkt: &str) -> Vec<Fault> {
    let mut shape = polygons(wkt);
    for at in shape.coords_mut() {
        *at = Coord { x: 112.96 + at.x / 102_600.0, y: 22.77 + at.y / 111_000.0 };
    }
    faults_of(shape.view())
}

fn is_near(at: Option<Coord>, x: f64, y: f64) -> bool {
    at.is_some_and(|at| (at.x - x).abs() < 1e-12 && (at.y - y).abs() < 1e-12)
}

#[test]
fn every_fault_has_its_name_its_place_and_its_ring() {
    for (wkt, kind, at, ring) in [
        ("POLYGON((0 0,4 4,4 0,0 4,0 0))", FaultKind::SelfIntersection, (2.0, 2.0), (0, 0)),
        ("POLYGON((0 0,3 1,3 0,0 2,0 0))", FaultKind::SelfIntersection, (2.0, 2.0 / 3.0), (0, 0)),
        ("POLYGON((0 0,4 0,4 4,2 0,0 4,0 0))", FaultKind::SelfIntersection, (2.0, 0.0), (0, 0)),
        ("POLYGON((0 0,4 0,6 0,4 0,4 4,0 4,0 0))", FaultKind::Spike, (6.0, 0.0), (0, 0)),
        ("POLYGON((0 0,9 0,9 9,0 9,0 0),(12 2,14 2,14 4,12 2))", FaultKind::HoleOutside, (12.0, 2.0), (0, 1)),
        ("POLYGON((0 0,9 0,9 9,0 9,0 0),(8 3,12 4,8 5,8 3))", FaultKind::HoleOutside, (9.0, 3.25), (0, 1)),
        ("POLYGON((0 0,9 0,9 9,0 9,0 0),(9 9,9 0,0 0,0 9,9 9))", FaultKind::DuplicateRing, (0.0, 0.0), (0, 1)),
        (
            "POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,1 8,1 1),(2 2,3 2,2 3,2 2))",
            FaultKind::OverlappingParts,
            (2.0, 2.0),
            (0, 2),
        ),
        (
            "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((3 1,9 1,9 3,3 3,3 1)))",
            FaultKind::OverlappingParts,
            (4.0, 1.0),
            (1, 0),
        ),
        (
            "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((4 0,8 0,8 4,4 4,4 0)))",
            FaultKind::SelfIntersection,
            (4.0, 0.0),
            (1, 0),
        ),
        ("MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((1 1,3 1,3 3,1 1)))", FaultKind::OverlappingParts, (1.0, 1.0), (1, 0)),
    ] {
        let faults = faults_of(polygons(wkt).view());
        assert_eq!(kinds(&faults), [kind.as_str()], "{wkt}");
        assert!(is_near(faults[0].at, at.0, at.1), "{wkt}: {faults:?}");
        assert_eq!(faults[0].ring, Some(ring), "{wkt}");
        assert!(!kind.refuses() && !is_valid(polygons(wkt).view()));
    }
}

#[test]
fn what_cannot_be_a_geometry_is_refused() {
    let c = |x: f64, y: f64| Coord { x, y };
    let faults = |ring: &[Coord]| faults_of(Shape::polygon(&[ring.to_vec()]).view());
    for (ring, kind) in [
        (vec![c(113.0, 22.0), c(113.1, 22.0), c(113.1, f64::NAN), c(113.0, 22.0)], FaultKind::NotANumber),
        (vec![c(113.0, 22.0), c(113.1, 22.0), c(f64::INFINITY, 22.1), c(113.0, 22.0)], FaultKind::NotANumber),
        (vec![c(113.0, 22.0), c(113.1, 22.0), c(113.0, 22.0)], FaultKind::TooFewPoints),
        (vec![c(113.0, 22.0), c(113.1, 22.0), c(113.1, 22.0), c(113.0, 22.0)], FaultKind::TooFewPoints),
        (vec![c(113.0, 22.0), c(113.1, 22.0), c(113.1, 22.1), c(113.0, 22.000_000_1)], FaultKind::RingNotClosed),
        (vec![c(181.0, 22.0), c(181.1, 22.0), c(181.1, 22.1), c(181.0, 22.0)], FaultKind::OutOfRange),
        (
            vec![
                c(393_192.6, 2_519_442.0),
                c(393_292.6, 2_519_442.0),
                c(393_292.6, 2_519_542.0),
                c(393_192.6, 2_519_442.0),
            ],
            FaultKind::OutOfRange,
        ),
        (vec![c(22.0, 113.0), c(22.0, 113.1), c(22.1, 113.1), c(22.0, 113.0)], FaultKind::ProbablySwappedAxes),
        (vec![c(39.5, 75.9), c(39.5, 76.0), c(39.6, 76.0), c(39.5, 75.9)], FaultKind::ProbablySwappedAxes),
    ] {
        let found = faults(&ring);
        assert_eq!(kinds(&found), [kind.as_str()], "{ring:?}");
        assert!(
            kind.refuses() && !is_valid(Shape::polygon(&[ring]).view())
                || matches!(kind, FaultKind::OutOfRange | FaultKind::ProbablySwappedAxes)
        );
    }
    assert_eq!(kinds(&faults_of(Shape::new(ShapeKind::Polygon).view())), ["empty-geometry"]);
    let mut stub = Shape::new(ShapeKind::LineString);
    stub.push(c(113.0, 22.0));
    stub.end_ring();
    stub.end_part();
    assert_eq!(kinds(&faults_of(stub.view())), ["too-few-points"]);
    assert!(faults_of(Shape::point(c(113.0, 22.0)).view()).is_empty());
}

#[test]
fn slivers_and_near_spikes_are_flagged_and_valid() {
    assert_eq!(kinds(&faults_at_heshan("POLYGON((0 0,100 0,100 0.15,0 0.15,0 0))")), [] as [&str; 0]);
    assert_eq!(kinds(&faults_at_heshan("POLYGON((0 0,100 0,100 0.08,0 0.08,0 0))")), ["sliver"]);
    assert_eq!(
        kinds(&faults_at_heshan("POLYGON((0 0,0.05 0,0.05 0.05,0 0.05,0 0))")),
        [] as [&str; 0],
        "small, not long"
    );
    let frame = "POLYGON((0 0,50 0,50 50,0 50,0 0),(0.05 0.05,49.95 0.05,49.95 49.95,0.05 49.95,0.05 0.05))";
    assert_eq!(kinds(&faults_at_heshan(frame)), ["sliver"]);
    assert_eq!(kinds(&faults_at_heshan("POLYGON((0 0,40 0,60 0.0004,40 0.0008,40 40,0 40,0 0))")), ["spike"]);
    assert_eq!(kinds(&faults_at_heshan("POLYGON((0 0,40 0,60 0.2,40 0.4,40 40,0 40,0 0))")), [] as [&str; 0]);
}

#[test]
fn repeated_coordinates_and_touching_holes_are_no_faults() {
    for wkt in [
        "POLYGON((0 0,0 0,4 0,4 4,4 4,4 4,0 4,0 0,0 0))",
        "POLYGON((0 0,9 0,9 9,0 9,0 0),(0 5,4 2,4 8,0 5))",
        "POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,3 1,3 3,1 1),(3 3,5 3,5 5,3 3))",
    ] {
        assert_eq!(faults_of(polygons(wkt).view()), [], "{wkt}");
    }
}

#[test]
fn coordinates_of_a_grid_are_judged_in_the_grid() {
    let crs: Crs = "EPSG:4547".parse().unwrap();
    let faults = |wkt: &str| kinds(&faults_in(polygons(wkt).view(), &crs)).join(" ");
    assert_eq!(faults("POLYGON((393192 2519442,393292 2519442,393292 2519542,393192 2519442))"), "");
    assert_eq!(
        faults("POLYGON((2519442 393192,2519442 393292,2519542 393292,2519442 393192))"),
        "probably-swapped-axes"
    );
    assert_eq!(faults("POLYGON((112.9 22.7,113 22.7,113 22.8,112.9 22.7))"), "out-of-range", "degrees are no metres");
    assert_eq!(
        faults("POLYGON((38393192 2519442,38393292 2519442,38393292 2519542,38393192 2519442))"),
        "out-of-range"
    );
    // The hole touches an edge between its ends: exact in metres, a nanometre off in degrees.
    let touching = "POLYGON((393192.4 2519442.1,393292.6 2519477.3,393292.6 2519542.7,393192.4 2519442.1),\
                    (393242.5 2519459.7,393280.1 2519480.3,393280.1 2519500.3,393242.5 2519459.7))";
    assert_eq!(faults(touching), "");
    assert_eq!(faults("POLYGON((393192 2519442,393292 2519442,393292 2519442.05,393192 2519442))"), "sliver");
    let feet: Crs = "EPSG:2249".parse().unwrap();
    let in_feet = polygons("POLYGON((757000 2957000,757400 2957000,757400 2957000.5,757000 2957000.5,757000 2957000))");
    assert_eq!(kinds(&faults_in(in_feet.view(), &feet)), [] as [&str; 0], "half a foot is over a tenth of a metre");
}

#[test]
fn a_ring_of_two_hundred_thousand_vertices_is_looked_at_in_one_sweep() {
    let count = 200_000;
    let mut ring: Vec<Coord> = (0..count)
        .map(|i| {
            let turn = std::f64::consts::TAU * f64::from(i) / f64::from(count);
            let radius = 0.2 + 0.01 * (turn * 500.0).sin();
            Coord { x: 113.0 + radius * turn.cos(), y: 22.7 + radius * turn.sin() }
        })
        .collect();
    ring.push(ring[0]);
    assert_eq!(faults_of(Shape::polygon(&[ring.clone()]).view()), []);
    ring[100_000] = Coord { x: 113.5, y: 22.7 };
    let faults = faults_of(Shape::polygon(&[ring]).view());
    assert!(
        faults.iter().all(|fault| fault.kind == FaultKind::SelfIntersection)
            && !faults.is_empty()
            && faults.len() <= 16
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_verdict_on_random_rings_is_that_of_geo(vertices in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 3..9)) {
        let mut ring: Vec<Coord> = vertices.into_iter().map(Coord::from).collect();
        ring.push(ring[0]);
        let shape = Shape::polygon(&[ring]);
        prop_assert_eq!(is_valid(shape.view()), shape.view().to_multi_polygon().0[0].is_valid());
    }

    #[test]
    fn any_shape_is_judged_without_panic(rings in prop::collection::vec(prop::collection::vec((any::<f64>(), any::<f64>()), 0..6), 0..4)) {
        let rings: Vec<Vec<Coord>> = rings.into_iter().map(|ring| ring.into_iter().map(Coord::from).collect()).collect();
        let shape = Shape::polygon(&rings);
        prop_assert_eq!(faults_of(shape.view()).is_empty() && shape.view().coords().is_empty(), false);
    }

    #[test]
    fn turning_a_ring_or_starting_elsewhere_changes_no_verdict(
        vertices in prop::collection::vec((0i8..5, 0i8..5), 3..8), start in 0usize..8, other in prop::collection::vec((0i8..5, 0i8..5), 3..5),
    ) {
        let closed = |vertices: &[(i8, i8)]| {
            let mut ring: Vec<Coord> = vertices.iter().map(|(x, y)| Coord { x: f64::from(*x), y: f64::from(*y) }).collect();
            ring.push(ring[0]);
            ring
        };
        let hole = closed(&other);
        let verdict = is_valid(Shape::polygon(&[closed(&vertices), hole.clone()]).view());
        let mut moved = vertices.clone();
        moved.rotate_left(start % vertices.len());
        moved.reverse();
        prop_assert_eq!(verdict, is_valid(Shape::polygon(&[closed(&moved), hole]).view()));
    }
}
