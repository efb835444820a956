//! Pieces are those of GEOS, and sum to the whole to the hundredth of a square metre.

use std::{collections::BTreeMap, time::Instant};

use mutu::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    engine::{
        filter::Selection,
        overlay::{Cut, Land, Overlaps, Zones, ZonesError, cut},
        table::{Row, Table},
    },
    ground::{shape::Shape, units::Basis},
};
use proptest::prelude::*;
use serde::Deserialize;

use super::{Dice, layer, place, rectangle, stored, table, table_in, together};

type Ring = Vec<(f64, f64)>;

#[derive(Deserialize)]
struct Scene {
    zones: Vec<NamedRings>,
    parcels: Vec<CutRings>,
}

#[derive(Deserialize)]
struct NamedRings {
    name: String,
    rings: Vec<Ring>,
}

#[derive(Deserialize)]
struct CutRings {
    rings: Vec<Ring>,
    /// By zones: planar and geodesic area, m².
    pieces: BTreeMap<String, [f64; 2]>,
}

fn zone_layer() -> Layer {
    layer("zones", &[("name", FieldType::Text)])
}

fn zones(named: &[(&str, Shape)]) -> Zones {
    let features: Vec<_> =
        named.iter().map(|(name, shape)| (Some(shape.clone()), vec![Value::Text((*name).to_owned())])).collect();
    Zones::prepare(&table(&zone_layer(), &features), Some(0)).expect("surfaces")
}

fn parcels(shapes: &[Shape]) -> Table {
    table(&layer("parcels", &[]), &shapes.iter().map(|shape| (Some(shape.clone()), vec![])).collect::<Vec<_>>())
}

/// The pieces of a feature by the names of their zones, m².
fn named(cut: &Cut, zones: &Zones) -> BTreeMap<String, f64> {
    let name = |numbers: &[(u8, u32)]| {
        let numbers: Vec<u32> = numbers.iter().map(|(_, number)| *number).collect();
        zones.shared_name(&numbers).unwrap_or_default()
    };
    cut.pieces.iter().map(|piece| (name(&piece.zones), piece.hundredths_m2 as f64 / 100.0)).collect()
}

fn cut_row(table: &Table, row: Row, zones: &[&Zones], basis: Basis) -> Cut {
    let cut = cut(&Land::of(table, row, basis).expect("a surface"), zones);
    let whole = table.area(row, basis).expect("a surface").hundredths_m2();
    assert_eq!(cut.pieces.iter().map(|piece| piece.hundredths_m2).sum::<i64>(), whole, "pieces sum to the whole");
    assert!(cut.pieces.iter().all(|piece| piece.hundredths_m2 > 0));
    cut
}

fn only_row(table: &Table) -> Row {
    table.rows().next().expect("one feature")
}

#[test]
fn pieces_are_those_of_geos() {
    let text = include_str!("../../fixtures/overlay/pieces_geos.json");
    let scenes: Vec<Scene> = serde_json::from_str(text).expect("the fixture is JSON");
    let mut compared = 0;
    for (number, scene) in scenes.iter().enumerate() {
        let shapes: Vec<_> = scene.zones.iter().map(|zone| (zone.name.as_str(), stored(&zone.rings))).collect();
        let zones = zones(&shapes);
        let table = parcels(&scene.parcels.iter().map(|parcel| stored(&parcel.rings)).collect::<Vec<_>>());
        for (parcel, row) in scene.parcels.iter().zip(table.rows_by_id(i64::MIN)) {
            for (which, basis) in [Basis::Planar, Basis::Ellipsoidal].into_iter().enumerate() {
                let found = named(&cut_row(&table, row, &[&zones], basis), &zones);
                for (name, areas) in &parcel.pieces {
                    let piece = found.get(name).copied().unwrap_or(0.0);
                    let wanted = areas[which];
                    let message = format!("scene {number}, {name:?} {basis:?}: {piece} for {wanted}");
                    assert!((piece - wanted).abs() <= 0.02 + 3e-7 * wanted, "{message}");
                    compared += 1;
                }
                let total: f64 = parcel.pieces.values().map(|areas| areas[which]).sum();
                assert!(found.values().sum::<f64>() - total < 0.1, "scene {number}: pieces that GEOS has not");
            }
        }
    }
    assert!(compared > 1000, "{compared} pieces");
}

#[test]
fn a_square_across_two_overlapping_zones_falls_into_four() {
    let table = parcels(&[rectangle(0.0, 0.0, 100.0, 100.0)]);
    let zones = zones(&[("甲", rectangle(-50.0, -50.0, 100.0, 200.0)), ("乙", rectangle(-50.0, -50.0, 200.0, 75.0))]);
    let cut = cut_row(&table, only_row(&table), &[&zones], Basis::Planar);
    let wanted = [("", 3750.0), ("乙", 1250.0), ("甲", 3750.0), ("甲 + 乙", 1250.0)];
    assert_eq!(named(&cut, &zones), wanted.map(|(name, m2)| (name.to_owned(), m2)).into());
    assert!(!cut.faulty && cut.helped_m2 < 0.02, "{} m²", cut.helped_m2);
}

#[test]
fn a_parcel_in_a_zone_or_outside_it_keeps_its_area_whole() {
    let table = parcels(&[rectangle(0.0, 0.0, 100.0, 100.0)]);
    let row = only_row(&table);
    for (zone, name) in [(rectangle(-500.0, -500.0, 2000.0, 2000.0), "区"), (rectangle(200.0, 0.0, 9.0, 9.0), "")] {
        let zones = zones(&[("区", zone)]);
        let cut = cut_row(&table, row, &[&zones], Basis::Ellipsoidal);
        assert_eq!(named(&cut, &zones).into_keys().collect::<Vec<_>>(), [name]);
    }
}

#[test]
fn neighbours_that_share_an_edge_with_a_zone_do_not_lie_in_it() {
    let table = parcels(&[rectangle(0.0, 0.0, 100.0, 100.0), rectangle(100.0, 0.0, 300.0, 300.0)]);
    let zones = zones(&[("区", rectangle(0.0, 0.0, 100.0, 500.0))]);
    let cuts: Vec<_> = table
        .rows_by_id(i64::MIN)
        .map(|row| named(&cut_row(&table, row, &[&zones], Basis::Ellipsoidal), &zones))
        .collect();
    assert_eq!(cuts[0].keys().collect::<Vec<_>>(), ["区"]);
    assert_eq!(cuts[1].keys().collect::<Vec<_>>(), [""]);
}

#[test]
fn rows_of_one_name_are_one_zone_and_parts_that_overlap_count_once() {
    let table = parcels(&[rectangle(0.0, 0.0, 100.0, 100.0)]);
    let (west, east) = (rectangle(-10.0, -10.0, 70.0, 120.0), rectangle(40.0, -10.0, 50.0, 120.0));
    let two_rows = zones(&[("园", west.clone()), ("园", east.clone())]);
    let one_row = zones(&[("园", together(&[west, east]))]);
    for zones in [two_rows, one_row] {
        let cut = cut_row(&table, only_row(&table), &[&zones], Basis::Planar);
        assert_eq!(named(&cut, &zones), [(String::new(), 1000.0), ("园".to_owned(), 9000.0)].into());
        assert_eq!(zones.len(), 1);
    }
}

#[test]
fn zones_of_two_layers_divide_together() {
    let table = parcels(&[rectangle(0.0, 0.0, 100.0, 100.0)]);
    let (left, low) =
        (zones(&[("左", rectangle(0.0, 0.0, 50.0, 100.0))]), zones(&[("下", rectangle(0.0, 0.0, 100.0, 40.0))]));
    let cut = cut_row(&table, only_row(&table), &[&left, &low], Basis::Planar);
    let pieces: Vec<_> = cut.pieces.iter().map(|piece| (piece.zones.clone(), piece.hundredths_m2)).collect();
    let wanted = [(vec![], 300_000), (vec![(0, 0)], 300_000), (vec![(0, 0), (1, 0)], 200_000), (vec![(1, 0)], 200_000)];
    assert_eq!(pieces, wanted);
}

#[test]
fn a_parcel_that_crosses_itself_is_named_and_still_sums_to_its_area() {
    let bow = stored(&[vec![(0.0, 0.0), (100.0, 100.0), (100.0, 0.0), (0.0, 60.0), (0.0, 0.0)]]);
    let table = parcels(&[bow]);
    let zones = zones(&[("区", rectangle(-10.0, -10.0, 60.0, 200.0))]);
    assert!(cut_row(&table, only_row(&table), &[&zones], Basis::Ellipsoidal).faulty);
}

#[test]
fn a_zone_that_crosses_itself_is_named() {
    let bow = stored(&[vec![(0.0, 0.0), (100.0, 100.0), (100.0, 0.0), (0.0, 100.0), (0.0, 0.0)]]);
    assert_eq!(zones(&[("好", rectangle(0.0, 0.0, 5.0, 5.0)), ("坏", bow)]).faulty(), [2]);
}

#[test]
fn a_layer_without_surfaces_divides_nothing() {
    let points = table(&zone_layer(), &[(Some(Shape::point(place(0.0, 0.0))), vec![Value::Null])]);
    assert_eq!(Zones::prepare(&points, Some(0)).err(), Some(ZonesError::NoSurfaces));
}

#[test]
fn two_parcels_of_a_hundred_thousand_vertices_are_divided_in_seconds() {
    let circle = |x: f64| {
        let at = |i: usize| {
            let angle = i as f64 / 100_000.0 * std::f64::consts::TAU;
            let r = 3000.0 + 20.0 * (angle * 997.0).sin();
            (x + r * angle.cos(), r * angle.sin())
        };
        let mut ring: Vec<(f64, f64)> = (0..100_000).map(at).collect();
        ring.push(ring[0]);
        stored(&[ring])
    };
    let table = parcels(&[circle(0.0)]);
    let zones = zones(&[("圆", circle(2000.0))]);
    let started = Instant::now();
    let both = named(&cut_row(&table, only_row(&table), &[&zones], Basis::Planar), &zones);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    // The lens of two circles of radius r at distance d is 2r² acos(d/2r) − d/2 √(4r² − d²).
    let lens = 2.0 * 9e6 * (1.0_f64 / 3.0).acos() - 1000.0 * (32e6_f64).sqrt();
    assert!((both["圆"] - lens).abs() < 1e-3 * lens, "{}", both["圆"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn inside_and_outside_make_the_whole_whichever_way_they_are_asked(seed: u64, zone_corners in 3_usize..400) {
        let mut dice = Dice(seed);
        let stars: Vec<Shape> = (0..20).map(|_| {
            let at = (dice.roll() * 600.0, dice.roll() * 600.0);
            stored(&[dice.star(at, 80.0, 11)])
        }).collect();
        let zone = stored(&[dice.star((300.0, 300.0), 260.0, zone_corners)]);
        let table = parcels(&stars);
        let by_zone = zones(&[("区", zone.clone())]);
        for row in table.rows() {
            let gross = table.area(row, Basis::Ellipsoidal).expect("a surface").hundredths_m2() as f64;
            let there = cut_row(&table, row, &[&by_zone], Basis::Ellipsoidal);
            let inside = there.pieces.iter().filter(|piece| !piece.zones.is_empty()).map(|piece| piece.hundredths_m2).sum::<i64>();
            // The other way round: the zone divided by the parcel.
            let zone_table = parcels(std::slice::from_ref(&zone));
            let by_parcel = zones(&[("地", table.shape(row).expect("a surface").to_shape())]);
            let back = cut_row(&zone_table, only_row(&zone_table), &[&by_parcel], Basis::Ellipsoidal);
            let same = back.pieces.iter().filter(|piece| !piece.zones.is_empty()).map(|piece| piece.hundredths_m2).sum::<i64>();
            prop_assert!((inside - same).abs() as f64 <= 2.0 + 1e-6 * gross, "{inside} and {same}");
            prop_assert!(there.helped_m2 < 0.05, "{} m²", there.helped_m2);
        }
    }
}

/// The common land of two features by way of zones, m².
fn common_m2(table: &Table, a: Row, b: Row) -> f64 {
    let zones = zones(&[("b", table.shape(b).expect("a surface").to_shape())]);
    named(&cut_row(table, a, &[&zones], Basis::Ellipsoidal), &zones).get("b").copied().unwrap_or(0.0)
}

fn net_total(table: &Table, overlaps: &Overlaps, selection: &Selection, basis: Basis) -> (i64, i64) {
    let gross: i64 = selection.rows().map(|row| table.area(row, basis).expect("a surface").hundredths_m2()).sum();
    let removed: i64 = overlaps.net(table, selection, basis).iter().map(|net| net.removed).sum();
    (gross - removed, removed)
}

#[test]
fn parcels_that_touch_do_not_overlap() {
    let mut shapes = Vec::new();
    for x in 0..20 {
        for y in 0..20 {
            shapes.push(rectangle(f64::from(x) * 30.0, f64::from(y) * 20.0, 30.0, 20.0));
        }
    }
    // A neighbour whose corner lies in the middle of others' edges, and one that fills a courtyard.
    shapes.push(rectangle(600.0, 7.0, 10.0, 100.0));
    let square = |a: f64, b: f64| vec![(a, a), (b, a), (b, b), (a, b), (a, a)];
    shapes.push(stored(&[square(1000.0, 1100.0), square(1040.0, 1060.0)]));
    shapes.push(stored(&[square(1040.0, 1060.0)]));
    assert_eq!(Overlaps::of(&parcels(&shapes)).pairs(), []);
}

#[test]
fn an_overlap_is_found_however_the_outlines_meet() {
    let square = |a: f64, b: f64| vec![(a, a), (b, a), (b, b), (a, b), (a, a)];
    let cases = [
        ("crossing", rectangle(50.0, 50.0, 100.0, 100.0), 250_000),
        ("the same", rectangle(0.0, 0.0, 100.0, 100.0), 1_000_000),
        (
            "the same, turned",
            stored(&[vec![(100.0, 100.0), (100.0, 0.0), (0.0, 0.0), (0.0, 100.0), (100.0, 100.0)]]),
            1_000_000,
        ),
        ("inside", rectangle(20.0, 20.0, 10.0, 10.0), 10_000),
        ("around", rectangle(-20.0, -20.0, 200.0, 200.0), 1_000_000),
        ("around, with a courtyard", stored(&[square(-50.0, 150.0), square(20.0, 80.0)]), 640_000),
        ("inside along an edge", rectangle(0.0, 0.0, 100.0, 10.0), 100_000),
        ("inside from a corner", rectangle(0.0, 0.0, 10.0, 10.0), 10_000),
        ("across between corners", stored(&[vec![(0.0, 0.0), (100.0, 100.0), (150.0, -10.0), (0.0, 0.0)]]), 500_000),
        ("by a centimetre", rectangle(99.99, 0.0, 100.0, 100.0), 100),
    ];
    for (how, other, wanted) in cases {
        for order in [true, false] {
            let first = rectangle(0.0, 0.0, 100.0, 100.0);
            let shapes = if order { [first, other.clone()] } else { [other.clone(), first] };
            let table = parcels(&shapes);
            let overlaps = Overlaps::of(&table);
            assert_eq!(overlaps.pairs().len(), 1, "{how}");
            let (_, removed) = net_total(&table, &overlaps, &Selection::all(&table), Basis::Planar);
            assert!((removed - wanted).abs() <= 2, "{how}: {removed} for {wanted}");
        }
    }
}

#[test]
fn three_claims_on_one_spot_count_once() {
    let one = || rectangle(0.0, 0.0, 100.0, 100.0);
    let table = parcels(&[one(), rectangle(50.0, 0.0, 100.0, 100.0), one(), rectangle(0.0, 0.0, 150.0, 100.0)]);
    let overlaps = Overlaps::of(&table);
    assert_eq!(overlaps.pairs().len(), 6);
    let all = Selection::all(&table);
    let (net, removed) = net_total(&table, &overlaps, &all, Basis::Planar);
    assert!((net - 1_500_000).abs() <= 3, "{net}");
    assert!((removed - 3_000_000).abs() <= 3, "{removed}");
    assert_eq!(overlaps.pairs_among(&all), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn overlapping_pairs_are_those_of_the_geometry_library(seed: u64, segments in 1_usize..3) {
        let mut dice = Dice(seed);
        let features: Vec<_> = (0..60).map(|_| {
            let at = (dice.roll() * 500.0, dice.roll() * 500.0);
            (Some(stored(&[dice.star(at, 50.0, 8)])), vec![])
        }).collect();
        let table = table_in(&layer("parcels", &[]), &features, segments);
        let found: Vec<(i64, i64)> = Overlaps::of(&table).pairs().iter().map(|(a, b)| (table.id(*a), table.id(*b))).collect();
        let mut wanted = Vec::new();
        for a in table.rows_by_id(i64::MIN) {
            for b in table.rows_by_id(table.id(a)) {
                use geo::Relate;
                let shape = |row| table.shape(row).expect("a surface").to_geo();
                let matrix = shape(a).relate(&shape(b));
                let pair = (table.id(a), table.id(b));
                if (matrix.is_overlaps() || matrix.is_contains() || matrix.is_within())
                    && (found.contains(&pair) || common_m2(&table, a, b) > 0.02)
                {
                    wanted.push(pair);
                }
            }
        }
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn the_same_parcels_twice_are_the_same_land(seed: u64) {
        let mut dice = Dice(seed);
        let once: Vec<Shape> = (0..30).map(|i| stored(&[dice.star((f64::from(i) * 200.0, 0.0), 90.0, 9)])).collect();
        let single = parcels(&once);
        let twice = parcels(&[once.clone(), once].concat());
        for basis in [Basis::Ellipsoidal, Basis::Planar] {
            let land: i64 = single.rows().map(|row| single.area(row, basis).expect("a surface").hundredths_m2()).sum();
            let overlaps = Overlaps::of(&twice);
            prop_assert_eq!(net_total(&twice, &overlaps, &Selection::all(&twice), basis), (land, land));
        }
    }
}
