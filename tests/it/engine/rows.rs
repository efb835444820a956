//! The order of rows in memory: space decides it, and nothing that is asked by id may notice.

use std::collections::BTreeMap;

use geo::Coord;
use mutu::{
    catalog::{Catalog, LayerState},
    domain::{
        edit::Change,
        feature::{Feature, Value},
        layer::Layer,
        schema::FieldType,
    },
    engine::table::{Row, Segment, SegmentBuilder, Table},
    ground::{shape::Shape, units::Basis},
};
use proptest::prelude::*;

use super::{Dice, grid, layer, rectangle, stored};

fn register() -> Layer {
    layer("register", &[("name", FieldType::Text), ("floors", FieldType::Integer), ("far", FieldType::Real)])
}

/// A feature with some values and a square, a point, or no place.
fn entry(id: i64, dice: &mut Dice) -> Feature {
    let at = (dice.roll() * 5000.0, dice.roll() * 5000.0);
    let shape = match dice.below(5) {
        0 => None,
        1 => Some(Shape::point(stored(&[vec![at]]).view().coords()[0])),
        _ => Some(rectangle(at.0, at.1, 10.0 + dice.roll() * 90.0, 20.0)),
    };
    let mut some = |value: Value| if dice.below(4) == 0 { Value::Null } else { value };
    let values = vec![
        some(Value::Text(format!("户{}", id % 7))),
        some(Value::Integer(id * 3)),
        some(Value::Real(id as f64 / 8.0)),
    ];
    Feature { id, shape, values }
}

/// Features by their ids, which have gaps.
fn entries(seed: u64, count: usize) -> BTreeMap<i64, Feature> {
    let mut dice = Dice(seed);
    let mut id = -3;
    let next = |_| {
        id += 1 + dice.below(3) as i64;
        (id, entry(id, &mut dice))
    };
    (0..count).map(next).collect()
}

/// One segment of features that came to several builders in turn.
fn together(layer: &Layer, features: &BTreeMap<i64, Feature>, builders: usize, dealt: bool) -> Vec<Segment> {
    let mut parts: Vec<_> = (0..builders).map(|_| SegmentBuilder::new(layer, Some(grid()))).collect();
    for (number, feature) in features.values().enumerate() {
        let part = if dealt { number % builders } else { number * builders / features.len() };
        let view = feature.view();
        parts[part].push((feature.id, feature.id + 100), view.shape, &view.values).expect("fits the layer");
    }
    SegmentBuilder::finish_together(parts)
}

/// Everything that a row holds, as a feature.
fn feature_at(table: &Table, row: Row) -> Feature {
    let view = table.feature(row);
    let values = view.values.iter().map(|value| value.to_value()).collect();
    Feature { id: view.id, shape: view.shape.map(|shape| shape.to_shape()), values }
}

/// Holds a table to what was put into it, by whichever way it is asked.
fn holds_just(table: &Table, wanted: &BTreeMap<i64, Feature>) -> Result<(), TestCaseError> {
    prop_assert_eq!(table.len(), wanted.len());
    let mut seen: Vec<i64> = table.rows().map(|row| table.id(row)).collect();
    seen.sort_unstable();
    prop_assert!(seen.iter().eq(wanted.keys()), "rows are {:?}", seen);
    prop_assert!(table.rows_by_id(i64::MIN).map(|row| table.id(row)).eq(wanted.keys().copied()));
    let (first, last) = (seen.first().copied().unwrap_or(0) - 2, seen.last().copied().unwrap_or(0) + 2);
    for id in (first..=last).chain([i64::MIN, i64::MAX]) {
        let found = table.row_of(id).map(|row| feature_at(table, row));
        prop_assert_eq!(found.as_ref(), wanted.get(&id));
    }
    let middle = first.midpoint(last);
    let after: Vec<i64> = table.rows_by_id(middle).map(|row| table.id(row)).collect();
    prop_assert!(wanted.range(middle + 1..).map(|(id, _)| *id).eq(after.iter().copied()));
    for count in [0, 1, 5, wanted.len(), wanted.len() + 1] {
        let first: Vec<i64> =
            table.first_by_id(table.rows(), middle, count).into_iter().map(|row| table.id(row)).collect();
        prop_assert_eq!(&first[..], &after[..count.min(after.len())]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_segment_holds_each_feature_once_whatever_order_its_rows_have(seed: u64, count in 0_usize..90, builders in 1_usize..4, dealt: bool) {
        let features = entries(seed, count);
        let layer = register();
        let segments = together(&layer, &features, builders, dealt);
        prop_assert_eq!(segments.len(), usize::from(count > 0));
        let table = Table::of_segments(segments);
        holds_just(&table, &features)?;
        for row in table.rows() {
            prop_assert_eq!(table.version(row), table.id(row) + 100);
            // What is measured alone is what is measured in a crowd.
            let alone = BTreeMap::from([(table.id(row), features[&table.id(row)].clone())]);
            let alone = Table::of_segments(together(&layer, &alone, 1, false));
            for basis in [Basis::Ellipsoidal, Basis::Planar] {
                prop_assert_eq!(table.area(row, basis), alone.area(Row { segment: 0, row: 0 }, basis));
            }
        }
        let placed: Vec<bool> = table.rows().map(|row| table.shape(row).is_some()).collect();
        prop_assert!(placed.is_sorted_by(|a, b| a >= b), "rows without a place come last");
        let nowhere: Vec<i64> = table.rows().filter(|row| table.shape(*row).is_none()).map(|row| table.id(row)).collect();
        prop_assert!(dealt || nowhere.is_sorted(), "and by id, where each builder had a range of its own");
    }

    #[test]
    fn after_edits_ids_ascend_over_all_segments_and_each_is_found(seed: u64, count in 1_usize..60) {
        let layer = register();
        let mut features = entries(seed, count);
        features.retain(|id, _| *id > 0);
        let state = LayerState::of_segments(layer.clone(), together(&layer, &features, 2, false)).expect("a grid");
        let mut catalog = Catalog::build(vec![state], 0);
        let mut dice = Dice(seed ^ 3);
        for seq in 1..8 {
            let mut changes = BTreeMap::new();
            for _ in 0..=dice.below(6) {
                let id = 1 + dice.below(count * 2 + 4) as i64;
                if dice.below(3) == 0 && features.remove(&id).is_some() {
                    changes.insert(id, Change::Delete { layer: layer.id.clone(), id, expects: 0 });
                } else {
                    let feature = entry(id, &mut dice);
                    features.insert(id, feature.clone());
                    changes.insert(id, Change::Put { layer: layer.id.clone(), feature, expects: None });
                }
            }
            catalog = catalog.apply(&changes.into_values().collect::<Vec<_>>(), seq).expect("fits");
            holds_just(catalog.layer("register").expect("it is there").table(), &features)?;
        }
    }
}

#[test]
fn rows_follow_a_curve_that_goes_from_neighbour_to_neighbour() {
    const SIDE: i64 = 32;
    let layer = layer("grid", &[]);
    let mut builder = SegmentBuilder::new(&layer, None);
    for number in 0..SIDE * SIDE {
        // A step that shares no factor with the count visits every cell once, and no two neighbours in turn.
        let cell = number * 389 % (SIDE * SIDE);
        let (x, y) = ((cell % SIDE) as f64, (cell / SIDE) as f64);
        let ring = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
        let ring = ring.map(|(dx, dy)| Coord { x: 100.0 + (x + dx) / 64.0, y: 20.0 + (y + dy) / 64.0 });
        builder.push((number, 1), Some(Shape::polygon(&[ring.to_vec()]).view()), &[]).expect("fits");
    }
    let table = Table::of_segments(vec![builder.finish()]);
    let corners: Vec<Coord> = table.rows().filter_map(|row| table.shape(row)?.coords().first().copied()).collect();
    assert_eq!(corners.len() as i64, SIDE * SIDE);
    for pair in corners.windows(2) {
        let steps = ((pair[1].x - pair[0].x).abs() + (pair[1].y - pair[0].y).abs()) * 64.0;
        assert!((steps - 1.0).abs() < 1e-9, "{pair:?}");
    }
}
