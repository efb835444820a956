//! Parcels divided by lines and joined again: GEOS agrees, no vertex moves, areas are kept.

use std::{
    collections::HashSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use geo::Coord;
use mutu::{
    engine::{
        filter::{Expr, Node, to_text},
        overlay::{Divided, SplitError, join, split},
    },
    ground::{
        measure::ellipsoidal_m2,
        shape::{Shape, ShapeKind, ShapeRef},
    },
};
use serde_json::{Value as Json, json};

use super::{Dice, grid, grid_crs, place, rectangle, stored, together};

fn geos(cases: &[Json]) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/splits.py");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-W", "ignore"]).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 of Debian runs");
    child.stdin.take().expect("piped").write_all(json!(cases).to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the oracle needs python3-shapely: run tests/setup test");
    serde_json::from_slice(&output.stdout).expect("the oracle writes JSON")
}

/// A shape in metres of the grid, as text for GEOS.
fn in_grid(shape: &Shape) -> String {
    let mut moved = shape.clone();
    grid_crs().from_stored(moved.coords_mut()).expect("in the grid");
    to_text(&Expr::from(Node::Geometry(moved)))
}

fn line_of(places: &[(f64, f64)]) -> Vec<Coord> {
    places.iter().map(|(x, y)| place(*x, *y)).collect()
}

fn as_shape(line: &[Coord]) -> Shape {
    let mut shape = Shape::new(ShapeKind::LineString);
    for at in line {
        shape.push(*at);
    }
    shape.end_ring();
    shape.end_part();
    shape
}

fn bits(at: Coord) -> (u64, u64) {
    (at.x.to_bits(), at.y.to_bits())
}

fn vertices(shape: ShapeRef<'_>) -> HashSet<(u64, u64)> {
    shape.coords().iter().map(|at| bits(*at)).collect()
}

fn edges(shape: ShapeRef<'_>) -> Vec<((u64, u64), (u64, u64))> {
    shape.rings().flat_map(|ring| ring.windows(2).map(|pair| (bits(pair[0]), bits(pair[1])))).collect()
}

fn m2(shape: &Shape) -> f64 {
    ellipsoidal_m2(shape.view(), Some(&grid()))
}

/// What holds of every division, whoever asks.
fn kept(whole: &Shape, divided: &Divided, number: usize) {
    let parts_m2: f64 = divided.parts.iter().map(m2).sum();
    let allowed = 0.005 * (divided.parts.len() + 1) as f64 + 1e-4 * divided.cut_m;
    assert!((m2(whole) - parts_m2).abs() < allowed, "{number}: {} m² of {allowed}", m2(whole) - parts_m2);
    let of_parts: HashSet<_> = divided.parts.iter().flat_map(|part| vertices(part.view())).collect();
    assert!(vertices(whole.view()).is_subset(&of_parts), "{number}: a vertex moved");
    // Every edge of a part is on the outline of the whole, or another part has the very same, the other way.
    let all: HashSet<_> = divided.parts.iter().flat_map(|part| edges(part.view())).collect();
    let old = vertices(whole.view());
    for (a, b) in &all {
        let is_shared = all.contains(&(*b, *a));
        let is_inner = divided.parts.iter().filter(|part| edges(part.view()).contains(&(*a, *b))).count();
        assert_eq!(is_inner, 1, "{number}: two parts have one edge the same way");
        assert!(
            is_shared || old.contains(a) || old.contains(b) || divided.cut_m > 0.0,
            "{number}: an edge of one part alone"
        );
    }
}

#[test]
fn random_parcels_are_divided_as_geos_divides_them_and_joined_to_the_whole() {
    let mut dice = Dice(20_250_630);
    let (mut cases, mut counts) = (Vec::new(), Vec::new());
    for number in 0..150 {
        let (radius, corners) = (20.0 + 400.0 * dice.roll(), 5 + dice.below(20));
        let outer = dice.star((0.0, 0.0), radius, corners);
        let mut rings = vec![outer];
        if number % 3 == 0 {
            let mut hole = dice.star((0.0, 0.0), 4.0, 6);
            hole.reverse();
            rings.push(hole);
        }
        let whole = stored(&rings);
        let turn = dice.roll() * std::f64::consts::TAU;
        let at = |along: f64, across: f64| {
            (along * turn.cos() - across * turn.sin(), along * turn.sin() + across * turn.cos())
        };
        let mut places = vec![at(-600.0, 6.0 * dice.roll())];
        for _ in 0..dice.below(3) {
            let along = -5.0 + 10.0 * dice.roll();
            places.push(at(along, 3.0 * dice.roll()));
        }
        places.push(at(600.0, 6.0 * dice.roll()));
        let line = line_of(&places);
        let divided = match split(whole.view(), &line, Some(&grid())) {
            Ok(divided) => divided,
            Err(SplitError::LineCrossesItself | SplitError::BadPart { .. }) => continue,
            Err(error) => panic!("{number}: {error}"),
        };
        kept(&whole, &divided, number);
        let views: Vec<ShapeRef<'_>> = divided.parts.iter().map(Shape::view).collect();
        let joined = join(&views, Some(&grid()), false).unwrap_or_else(|error| panic!("{number}: {error}"));
        let allowed = 0.005 * (views.len() + 1) as f64 + 2e-4 * divided.cut_m;
        assert!((m2(&joined.parts[0]) - m2(&whole)).abs() < allowed, "{number}");
        counts.push(divided.parts.len());
        let parts: Vec<String> = divided.parts.iter().map(in_grid).collect();
        cases.push(json!({ "whole": in_grid(&whole), "line": in_grid(&as_shape(&line)), "parts": parts, "joined": in_grid(&joined.parts[0]) }));
    }
    assert!(cases.len() > 100, "{} cases", cases.len());
    for ((case, told), count) in cases.iter().zip(geos(&cases)).zip(counts) {
        let figure = |name: &str| told[name].as_f64().unwrap();
        assert_eq!((told["wanted"].as_u64().unwrap() as usize, told["valid"].as_bool()), (count, Some(true)), "{case}");
        assert!(figure("apart_m2") < 1e-3 && figure("common_m2") < 1e-3 && figure("joined_m2") < 1e-3, "{told} {case}");
    }
}

#[test]
fn a_line_from_corner_to_corner_along_an_edge_or_only_touching_is_read_as_meant() {
    let square = rectangle(0.0, 0.0, 100.0, 100.0);
    let run = |places: &[(f64, f64)]| split(square.view(), &line_of(places), Some(&grid()));
    let parts = |places: &[(f64, f64)]| run(places).unwrap().parts.len();
    assert_eq!(parts(&[(0.0, 0.0), (100.0, 100.0)]), 2, "from corner to corner, ends on them");
    assert_eq!(parts(&[(-10.0, -10.0), (110.0, 110.0)]), 2, "through corners");
    assert_eq!(parts(&[(50.0, 0.0), (50.0, 100.0)]), 2, "from edge to edge, ends on them");
    assert_eq!(parts(&[(50.0, 0.001), (50.0, 99.999)]), 2, "ends short of the edges by a millimetre");
    assert_eq!(parts(&[(0.0, 0.0), (50.0, 0.0), (50.0, 120.0)]), 2, "first along an edge, then across");
    assert_eq!(parts(&[(-10.0, 30.0), (110.0, 30.0), (110.0, 60.0), (-10.0, 60.0)]), 3, "there and back");
    assert_eq!(
        parts(&[(40.0, 40.0), (60.0, 40.0), (60.0, 60.0), (40.0, 60.0), (40.0, 40.0)]),
        2,
        "a ring inside cuts out its land"
    );
    for nothing in [
        &[(0.0, 0.0), (100.0, 0.0)][..],
        &[(-10.0, 10.0), (10.0, -10.0)][..],
        &[(-10.0, 0.0), (110.0, 0.0)][..],
        &[(20.0, 20.0), (80.0, 80.0)][..],
        &[(-10.0, 50.0), (50.0, 50.0)][..],
    ] {
        let outcome = run(nothing);
        let cuts_a_corner = nothing[0] == (-10.0, 10.0);
        if cuts_a_corner {
            assert!(matches!(outcome, Err(SplitError::DoesNotDivide | SplitError::BadPart { .. })), "{outcome:?}");
        } else {
            assert_eq!(outcome, Err(SplitError::DoesNotDivide), "{nothing:?}");
        }
    }
    let ring = run(&[(40.0, 40.0), (60.0, 40.0), (60.0, 60.0), (40.0, 60.0), (40.0, 40.0)]).unwrap();
    assert!((m2(&ring.parts[1]) - 400.0).abs() < 1.0 && ring.parts[0].view().rings().count() == 2);
}

#[test]
fn land_with_holes_and_land_of_several_parts_is_divided_part_by_part() {
    let hole = vec![(40.0, 40.0), (40.0, 60.0), (60.0, 60.0), (60.0, 40.0), (40.0, 40.0)];
    let ring = stored(&[vec![(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0), (0.0, 0.0)], hole]);
    let through = split(ring.view(), &line_of(&[(-10.0, 50.0), (110.0, 50.0)]), Some(&grid())).unwrap();
    assert_eq!(through.parts.len(), 2);
    kept(&ring, &through, 0);
    // From the outside to the hole and no farther: one piece still.
    let bridge = split(ring.view(), &line_of(&[(-10.0, 50.0), (50.0, 50.0)]), Some(&grid()));
    assert_eq!(bridge, Err(SplitError::DoesNotDivide));
    let beside = split(ring.view(), &line_of(&[(20.0, -10.0), (20.0, 110.0)]), Some(&grid())).unwrap();
    assert_eq!(beside.parts[0].view().rings().count(), 2, "the hole stays in the part that has it");
    let two = together(&[rectangle(0.0, 0.0, 100.0, 100.0), rectangle(200.0, 0.0, 50.0, 50.0)]);
    let cut = split(two.view(), &line_of(&[(30.0, -10.0), (30.0, 110.0)]), Some(&grid())).unwrap();
    let counts: Vec<usize> = cut.parts.iter().map(|part| part.view().part_count()).collect();
    assert_eq!(counts, [2, 1], "what the line does not meet stays with the largest part");
    kept(&two, &cut, 1);
}

#[test]
fn neighbours_are_joined_where_vertices_differ_and_strangers_are_not() {
    let (grid, west) = (grid(), rectangle(0.0, 0.0, 100.0, 100.0));
    let run = |a: &Shape, b: &Shape, apart: bool| join(&[a.view(), b.view()], Some(&grid), apart);
    // The neighbour has a vertex in the middle of the common edge, and is shorter.
    let east = stored(&[vec![(100.0, 0.0), (180.0, 0.0), (180.0, 70.0), (100.0, 70.0), (100.0, 35.0), (100.0, 0.0)]]);
    let joined = run(&west, &east, false).unwrap();
    assert_eq!(joined.parts.len(), 1);
    assert!((m2(&joined.parts[0]) - m2(&west) - m2(&east)).abs() < 0.02 + 1e-4 * joined.cut_m);
    // Vertices that files rounded apart by a hundredth of a millimetre.
    let rounded = rectangle(100.000_01, 0.000_01, 80.0, 99.999_99);
    assert_eq!(run(&west, &rounded, false).unwrap().parts.len(), 1);
    // Two arms around a court.
    let horseshoe = stored(&[vec![
        (100.0, 0.0),
        (200.0, 0.0),
        (200.0, 100.0),
        (100.0, 100.0),
        (100.0, 80.0),
        (180.0, 80.0),
        (180.0, 20.0),
        (100.0, 20.0),
        (100.0, 0.0),
    ]]);
    assert_eq!(run(&west, &horseshoe, false).unwrap().parts[0].view().rings().count(), 2, "the court is a hole");
    for (name, other, wanted) in [
        ("far", rectangle(150.0, 0.0, 50.0, 50.0), SplitError::Apart { parts: 2 }),
        ("corner", rectangle(100.0, 100.0, 50.0, 50.0), SplitError::Apart { parts: 2 }),
        ("overlap", rectangle(90.0, 0.0, 50.0, 50.0), SplitError::Overlap),
        ("same", west.clone(), SplitError::Overlap),
        ("inside", rectangle(20.0, 20.0, 50.0, 50.0), SplitError::Overlap),
    ] {
        assert_eq!(run(&west, &other, false), Err(wanted), "{name}");
    }
    let both = run(&west, &rectangle(150.0, 0.0, 50.0, 50.0), true).unwrap();
    assert_eq!(both.parts[0].view().part_count(), 2);
    assert_eq!(run(&west, &rectangle(90.0, 0.0, 50.0, 50.0), true), Err(SplitError::Overlap));
    let bow_tie = stored(&[vec![(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0), (0.0, 0.0)]]);
    assert_eq!(run(&west, &bow_tie, false), Err(SplitError::Faulty));
}
