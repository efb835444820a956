//! Finding by place agrees with a linear scan that knows no index.

use geo::{Closest, ClosestPoint, Coord, Distance, Euclidean, Geometry, Intersects, MultiPolygon, Point, Rect, Relate};
use mutu::{
    domain::feature::Value,
    engine::{
        find::{self, Relation},
        table::{Row, Table},
    },
    ground::shape::{Bounds, Shape, ShapeKind},
};
use proptest::prelude::*;

use super::{Dice, grid_crs, layer, place, rectangle, stored, table, table_in};

/// Stars, some with holes, points and lines, in a square of a kilometre.
fn scattered(seed: u64, count: usize) -> Vec<(Option<Shape>, Vec<Value>)> {
    let mut dice = Dice(seed);
    let feature = |dice: &mut Dice| {
        let at = (dice.roll() * 1000.0, dice.roll() * 1000.0);
        let shape = match dice.below(10) {
            0 => return None,
            1 => Shape::point(place(at.0, at.1)),
            2 => {
                let mut line = Shape::new(ShapeKind::LineString);
                let path: Vec<Coord> =
                    (0..4).map(|_| place(at.0 + dice.roll() * 100.0, at.1 + dice.roll() * 100.0)).collect();
                for c in path {
                    line.push(c);
                }
                line.end_ring();
                line.end_part();
                line
            }
            3 | 4 => {
                let hole: Vec<(f64, f64)> = [(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0), (-5.0, -5.0)]
                    .map(|(x, y)| (at.0 + x, at.1 + y))
                    .to_vec();
                stored(&[dice.star(at, 60.0, 9), hole])
            }
            _ => stored(&[dice.star(at, 50.0, 7)]),
        };
        Some(shape)
    };
    (0..count).map(|_| (feature(&mut dice), vec![])).collect()
}

fn ids(table: &Table, rows: impl IntoIterator<Item = Row>) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.into_iter().map(|row| table.id(row)).collect();
    ids.sort_unstable();
    ids
}

fn scanned(table: &Table, test: impl Fn(&Geometry) -> bool) -> Vec<i64> {
    let hit = |row: &Row| table.shape(*row).is_some_and(|shape| test(&shape.to_geo()));
    ids(table, table.rows().filter(hit))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_box_finds_what_a_scan_finds(seed: u64, x in 0.0..1000.0, y in 0.0..1000.0, w in 0.0..200.0, h in 0.0..200.0) {
        let layer = layer("scattered", &[]);
        let table = table_in(&layer, &scattered(seed, 300), 3);
        let (a, b) = (place(x, y), place(x + w, y + h));
        let bounds = Bounds::of_corners(a, b);
        let rect = Rect::new(bounds.min, bounds.max);
        prop_assert_eq!(ids(&table, find::in_box(&table, bounds)), scanned(&table, |shape| shape.intersects(&rect)));
    }

    #[test]
    fn a_place_finds_the_surfaces_that_hold_it(seed: u64) {
        let layer = layer("scattered", &[]);
        let table = table_in(&layer, &scattered(seed, 300), 2);
        let mut dice = Dice(seed ^ 1);
        let mut places: Vec<Coord> = (0..60).map(|_| place(dice.roll() * 1000.0, dice.roll() * 1000.0)).collect();
        // Corners belong to their surfaces.
        places.extend(table.rows().filter_map(|row| table.shape(row)?.coords().first().copied()).take(40));
        let surfaces = |at: Coord| scanned(&table, |shape| {
            matches!(shape, Geometry::MultiPolygon(_) | Geometry::Polygon(_)) && shape.intersects(&Point::from(at))
        });
        let together = find::locate_each(&table, &places);
        for (number, at) in (0..).zip(&places) {
            let wanted = surfaces(*at);
            let rows = together.iter().filter(|(of, _)| *of == number).map(|(_, row)| *row);
            prop_assert_eq!(&ids(&table, rows), &wanted);
            let single = find::at_point(&table, *at, 0.0).into_iter().filter(|row| table.shape(*row).is_some_and(|s| s.kind().dimension() == 2));
            prop_assert_eq!(&ids(&table, single), &wanted);
        }
    }

    #[test]
    fn a_surface_finds_what_a_scan_finds(seed: u64, corners in 3_usize..60) {
        let layer = layer("scattered", &[]);
        let table = table_in(&layer, &scattered(seed, 200), 2);
        let surface = stored(&[Dice(seed ^ 2).star((500.0, 500.0), 300.0, corners)]);
        let geometry: MultiPolygon = surface.view().to_multi_polygon();
        let touching = ids(&table, find::by_surface(&table, &surface, Relation::Intersects));
        prop_assert_eq!(touching, scanned(&table, |shape| shape.intersects(&geometry)));
        let within = ids(&table, find::by_surface(&table, &surface, Relation::Within));
        prop_assert_eq!(within, scanned(&table, |shape| shape.relate(&geometry).is_within()));
    }

    #[test]
    fn the_nearest_are_those_that_a_scan_in_the_grid_finds(seed: u64, x in -200.0..1200.0, y in -200.0..1200.0) {
        let layer = layer("scattered", &[]);
        let features = scattered(seed, 200);
        let table = table_in(&layer, &features, 3);
        let at = place(x, y);
        let found = find::nearest(&table, at, 10, f64::INFINITY);
        let mut scan: Vec<f64> = table.rows().filter_map(|row| Some(distance_in_grid(&table.shape(row)?.to_shape(), at))).collect();
        scan.sort_by(f64::total_cmp);
        prop_assert_eq!(found.len(), 10);
        for (near, wanted) in found.iter().zip(&scan) {
            // The grid's scale here is off by 1.4e-4.
            prop_assert!((near.distance_m - wanted).abs() <= 5e-4 * wanted + 1e-6, "{} for {wanted}", near.distance_m);
        }
        let first = find::nearest_each(&table, &[at])[0].expect("there are features");
        prop_assert_eq!(first.id, found[0].id);
        let reach = found[4].distance_m;
        let within = find::nearest(&table, at, 100, reach);
        prop_assert!(within.len() >= 5 && within.iter().all(|near| near.distance_m <= reach));
    }
}

/// Distance in metres in EPSG:4547, by the geometry library.
fn distance_in_grid(shape: &Shape, at: Coord) -> f64 {
    let (mut shape, mut at) = (shape.clone(), [at]);
    grid_crs().from_stored(shape.coords_mut()).expect("in the grid");
    grid_crs().from_stored(&mut at).expect("in the grid");
    let (geometry, at) = (shape.view().to_geo(), Point::from(at[0]));
    if geometry.intersects(&at) {
        return 0.0;
    }
    match geometry.closest_point(&at) {
        Closest::Intersection(p) | Closest::SinglePoint(p) => Euclidean.distance(p, at),
        Closest::Indeterminate => f64::INFINITY,
    }
}

#[test]
fn features_at_one_distance_come_by_id() {
    let layer = layer("squares", &[]);
    let square = || (Some(rectangle(0.0, 0.0, 10.0, 10.0)), vec![]);
    let table = table_in(&layer, &[square(), square(), square(), square()], 2);
    let found = find::nearest(&table, place(20.0, 5.0), 3, f64::INFINITY);
    assert_eq!(found.iter().map(|near| near.id).collect::<Vec<_>>(), [1, 2, 3]);
    assert!((found[0].distance_m - 10.0).abs() < 0.003, "{}", found[0].distance_m);
    assert_eq!(find::nearest(&table, place(5.0, 5.0), 1, 0.0)[0].id, 1);
    assert!(find::nearest(&table, place(20.0, 5.0), 3, 9.0).is_empty());
    assert!(find::nearest(&table, place(20.0, 5.0), 0, 9.0).is_empty());
}

#[test]
fn a_box_in_a_courtyard_finds_nothing_and_one_in_a_surface_finds_it() {
    let square = |a: f64, b: f64| vec![(a, a), (b, a), (b, b), (a, b), (a, a)];
    let layer = layer("ring", &[]);
    let table = table(&layer, &[(Some(stored(&[square(0.0, 100.0), square(40.0, 60.0)])), vec![])]);
    let around = |x: f64, y: f64| Bounds::of_corners(place(x - 1.0, y - 1.0), place(x + 1.0, y + 1.0));
    assert_eq!(find::in_box(&table, around(50.0, 50.0)).count(), 0);
    assert_eq!(find::in_box(&table, around(20.0, 20.0)).count(), 1);
    assert_eq!(find::in_box(&table, around(40.0, 50.0)).count(), 1);
    assert_eq!(find::in_box(&table, around(150.0, 50.0)).count(), 0);
    assert_eq!(find::at_point(&table, place(50.0, 50.0), 5.0).len(), 0, "a tolerance is for points and lines");
}

#[test]
fn points_and_lines_are_found_within_a_tolerance() {
    let layer = layer("points", &[]);
    let table = table(&layer, &[(Some(Shape::point(place(0.0, 0.0))), vec![])]);
    assert_eq!(find::at_point(&table, place(3.0, 4.0), 5.01).len(), 1);
    assert_eq!(find::at_point(&table, place(3.0, 4.0), 4.99).len(), 0);
}

#[test]
fn an_empty_table_finds_nothing() {
    let table = Table::default();
    let at = Coord { x: 113.0, y: 22.7 };
    assert_eq!(find::nearest(&table, at, 5, f64::INFINITY), []);
    assert_eq!(find::nearest_each(&table, &[at]), [None]);
    assert_eq!(find::locate_each(&table, &[at]), []);
    assert_eq!(find::in_box(&table, Bounds { min: at, max: at }).count(), 0);
}
