//! Spatial predicates of filters against GEOS, on shapes that meet in every way: shared edges and corners, holes
//! filled and not, lines along boundaries, points on them.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use geo::Coord;
use mutu::{
    domain::{feature::Value, layer::GeometryClass, schema::FieldType},
    engine::{
        filter::{Expr, Node, bind, parse_text, to_text},
        table::Table,
    },
    ground::shape::{Shape, ShapeKind},
};
use serde_json::{Value as Json, json};

use super::{Dice, layer, table_in};

const NAMES: [&str; 8] = ["intersects", "disjoint", "within", "contains", "touches", "equals", "overlaps", "crosses"];

/// What the oracle says of every pair.
fn geos(a: &[Shape], b: &[Shape]) -> Json {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/relations.py");
    let texts = |shapes: &[Shape]| -> Vec<String> {
        shapes.iter().map(|shape| to_text(&Expr::from(Node::Geometry(shape.clone())))).collect()
    };
    let mut child = Command::new("/usr/bin/python3")
        .args(["-W", "ignore"])
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 of Debian runs");
    let given = json!({ "a": texts(a), "b": texts(b) }).to_string();
    child.stdin.take().expect("piped").write_all(given.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the oracle needs python3-shapely: run tests/setup test");
    serde_json::from_slice(&output.stdout).expect("the oracle writes JSON")
}

/// Random shapes with corners on a small grid, so that many of them share corners and edges.
struct Maker {
    dice: Dice,
    place: fn(f64, f64) -> Coord,
}

impl Maker {
    fn corner(&mut self) -> Coord {
        let (x, y) = (self.dice.below(7), self.dice.below(7));
        (self.place)(x as f64, y as f64)
    }

    fn rectangle(&mut self, most: usize) -> Vec<Coord> {
        let (x, y) = (self.dice.below(6) as f64, self.dice.below(6) as f64);
        let (w, h) = (1.0 + self.dice.below(most) as f64, 1.0 + self.dice.below(most) as f64);
        [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)].map(|(x, y)| (self.place)(x, y)).to_vec()
    }

    fn triangle(&mut self) -> Vec<Coord> {
        let mut ring: Vec<Coord> = (0..3).map(|_| self.corner()).collect();
        ring.push(ring[0]);
        ring
    }

    fn rings(&mut self) -> Vec<Vec<Coord>> {
        match self.dice.below(4) {
            0 => vec![self.triangle()],
            1 => {
                // A frame, its hole somewhere, touching its side or not.
                let outer = [(0., 0.), (6., 0.), (6., 6.), (0., 6.), (0., 0.)].map(|(x, y)| (self.place)(x, y));
                vec![outer.to_vec(), self.rectangle(2)]
            }
            _ => vec![self.rectangle(4)],
        }
    }

    fn shape(&mut self) -> Shape {
        let kind = [
            ShapeKind::Point,
            ShapeKind::MultiPoint,
            ShapeKind::LineString,
            ShapeKind::MultiLineString,
            ShapeKind::Polygon,
            ShapeKind::Polygon,
            ShapeKind::Polygon,
            ShapeKind::MultiPolygon,
        ][self.dice.below(8)];
        let mut shape = Shape::new(kind);
        let parts = if kind == kind.multi() { 1 + self.dice.below(3) } else { 1 };
        for _ in 0..parts {
            let rings = match kind.dimension() {
                0 => vec![vec![self.corner()]],
                1 => vec![(0..2 + self.dice.below(3)).map(|_| self.corner()).collect()],
                _ => self.rings(),
            };
            for ring in rings {
                for c in ring {
                    shape.push(c);
                }
                shape.end_ring();
            }
            shape.end_part();
        }
        shape
    }
}

fn table_of(shapes: &[Shape]) -> (mutu::domain::layer::Layer, Table) {
    let mut layer = layer("shapes", &[("n", FieldType::Integer)]);
    layer.geometry = GeometryClass::Mixed;
    let features: Vec<_> =
        shapes.iter().zip(0..).map(|(shape, n)| (Some(shape.clone()), vec![Value::Integer(n)])).collect();
    let table = table_in(&layer, &features, 1);
    (layer, table)
}

/// Whether a corner of the first lies off an edge of the second by rounding alone. Which side it lies on is well
/// defined, yet GEOS decides some of these after rounding the points where edges cross.
fn nearly_touch(a: &Shape, b: &Shape) -> bool {
    let is_near = |c: Coord, (p, q): (Coord, Coord)| {
        let edge = q - p;
        let along = ((c - p).x * edge.x + (c - p).y * edge.y) / (edge.x * edge.x + edge.y * edge.y);
        let foot = p + edge * along.clamp(0.0, 1.0);
        c != p && c != q && (foot.x - c.x).hypot(foot.y - c.y) < 1e-12
    };
    let (a, b) = (a.view(), b.view());
    let whole = a.coords().iter().all(|c| c.x.fract() == 0.0 && c.y.fract() == 0.0);
    !whole
        && a.coords().iter().any(|c| b.rings().any(|ring| ring.windows(2).any(|edge| is_near(*c, (edge[0], edge[1])))))
}

/// Compares every pair of features and literals; the number of pairs, and what differs.
fn compare(seed: u64, place: fn(f64, f64) -> Coord) -> (usize, Vec<String>) {
    let mut maker = Maker { dice: Dice(seed), place };
    let features: Vec<Shape> = (0..100).map(|_| maker.shape()).collect();
    let literals: Vec<Shape> = (0..50).map(|_| maker.shape()).collect();
    let truth = geos(&features, &literals);
    let (layer, table) = table_of(&features);
    let (mut pairs, mut wrong) = (0, Vec::new());
    for (number, literal) in literals.iter().enumerate() {
        let wkt = to_text(&Expr::from(Node::Geometry(literal.clone())));
        for name in NAMES {
            let filter = format!("S_{}(geometry, {wkt})", name.to_uppercase());
            let tree = parse_text(&filter).expect("CQL2");
            // What is not valid is refused, or it is answered; it never panics.
            let Ok(bound) = bind(&tree, &layer) else {
                assert_eq!(truth["valid_b"][number], json!(false), "{filter}");
                continue;
            };
            let found = bound.select(&table, None).expect("in budget");
            for row in table.rows() {
                let feature = table.id(row) as usize - 1;
                let Some(related) = truth["related"][feature][number].as_str().filter(|related| !related.is_empty())
                else {
                    continue;
                };
                if nearly_touch(&features[feature], literal) || nearly_touch(literal, &features[feature]) {
                    continue;
                }
                pairs += 1;
                if related.split(' ').any(|held| held == name) != found.contains(row) {
                    let feature = to_text(&Expr::from(Node::Geometry(features[feature].clone())));
                    wrong.push(format!("{feature} {name} {wkt}: GEOS says {related}"));
                }
            }
        }
    }
    (pairs, wrong)
}

#[test]
fn geos_sees_the_same_relations() {
    let mut pairs = 0;
    for seed in [1, 2] {
        let (compared, wrong) = compare(seed, |x, y| Coord { x: 110.0 + x, y: 20.0 + y });
        assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
        pairs += compared;
    }
    assert!(pairs > 50_000, "only {pairs} pairs were valid");
}

#[test]
fn geos_sees_the_same_relations_among_parcels_of_odd_coordinates() {
    // Corners are shared to the last bit; what lies in between is not quite on the edges any more.
    let (compared, wrong) =
        compare(9, |x, y| Coord { x: 112.961_7 + x * 1.37e-4 + y * 3.1e-6, y: 22.768_3 + y * 1.21e-4 - x * 2.9e-6 });
    assert!(compared > 15_000, "only {compared} pairs were valid");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

#[test]
fn collections_are_the_points_of_their_members() {
    let square = |x: f64, y: f64| {
        Shape::polygon(&[[(x, y), (x + 1., y), (x + 1., y + 1.), (x, y + 1.), (x, y)]
            .map(|(x, y)| Coord { x, y })
            .to_vec()])
    };
    let features: Vec<Shape> = (0..5).flat_map(|x| (0..5).map(move |y| square(f64::from(x), f64::from(y)))).collect();
    let (layer, table) = table_of(&features);
    let count = |filter: &str| {
        let bound =
            bind(&parse_text(filter).expect("CQL2"), &layer).unwrap_or_else(|error| panic!("{filter}: {error}"));
        bound.select(&table, None).expect("in budget").len()
    };
    let parts = ["POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))", "POLYGON((3 3, 5 3, 5 5, 3 5, 3 3))"];
    let collection = format!("GEOMETRYCOLLECTION({}, {})", parts[0], parts[1]);
    let multi = "MULTIPOLYGON(((0 0, 2 0, 2 2, 0 2, 0 0)), ((3 3, 5 3, 5 5, 3 5, 3 3)))";
    for name in NAMES {
        let of = |geometry: &str| count(&format!("S_{}(geometry, {geometry})", name.to_uppercase()));
        assert_eq!(of(&collection), of(multi), "{name}");
    }
    let mixed = "GEOMETRYCOLLECTION(POINT(4 1), POLYGON((0 3, 1 3, 1 4, 0 4, 0 3)))";
    assert_eq!(count(&format!("S_INTERSECTS(geometry, {mixed})")), 4 + 6);
    assert_eq!(count(&format!("S_DISJOINT(geometry, {mixed})")), 25 - 10);
    let lines = "GEOMETRYCOLLECTION(LINESTRING(0 1, 1 1), MULTILINESTRING((1 1, 2 1)))";
    for name in NAMES {
        let of = |geometry: &str| count(&format!("S_{}(geometry, {geometry})", name.to_uppercase()));
        assert_eq!(of(lines), of("MULTILINESTRING((0 1, 1 1), (1 1, 2 1))"), "{name}");
    }
    // Overlapping members meet, yet what intersects is any of them.
    let both = "GEOMETRYCOLLECTION(POLYGON((0 0, 2 0, 2 1, 0 1, 0 0)), POLYGON((1 0, 3 0, 3 1, 1 1, 1 0)))";
    assert_eq!(count(&format!("S_INTERSECTS(geometry, {both})")), 8);
    assert_eq!(count(&format!("NOT S_DISJOINT(geometry, {both})")), 8);
    assert_eq!(count("S_WITHIN(geometry, geometry)"), 25);
    assert_eq!(count("S_TOUCHES(geometry, geometry)"), 0);
    assert_eq!(count("S_INTERSECTS(geometry, BBOX(2.5, 2.5, 2.5, 2.5))"), 1, "a box of a point");
    assert_eq!(count("S_INTERSECTS(geometry, BBOX(0.5, 0.5, 4.5, 0.5))"), 5, "a box of a line");
    assert_eq!(count("S_INTERSECTS(geometry, BBOX(4.5, -1, 0.5, 0.5))"), 2, "a box round the back of the Earth");
    assert_eq!(count("S_WITHIN(geometry, BBOX(3, -1, 1, 9))"), 15);
    assert_eq!(count("S_CROSSES(LINESTRING(0 0, 2 2), POLYGON((1 0, 3 0, 3 3, 1 3, 1 0)))"), 25);
}
