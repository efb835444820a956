//! Faults of geometries: the verdict against GEOS and `geo`, the name and the place against cases made for them.

use geo::{Coord, Validation};
use mutu::ground::{
    fault::{FaultKind, faults_of, is_valid},
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
