//! The laws of the merge of three states.

use geo::Coord;
use mutu::{
    domain::feature::{Feature, Value},
    ground::shape::Shape,
    planner::{Deviation, three_way},
};
use proptest::prelude::*;

/// A feature of small variety, so that two are often alike in some fields.
fn feature() -> impl Strategy<Value = Feature> {
    (prop::option::of(0..3_i32), prop::collection::vec(0..3_i64, 3)).prop_map(|(place, values)| Feature {
        id: 7,
        shape: place.map(|x| Shape::point(Coord { x: f64::from(x), y: 0.0 })),
        values: values.into_iter().map(|v| if v == 0 { Value::Null } else { Value::Integer(v) }).collect(),
    })
}

fn state() -> impl Strategy<Value = Option<Feature>> {
    prop::option::weighted(0.8, feature())
}

/// The fields in which two features differ: 0 is the geometry.
fn differing(a: &Feature, b: &Feature) -> Vec<usize> {
    let values = a.values.iter().zip(&b.values).enumerate().filter(|(_, (a, b))| a != b).map(|(place, _)| place + 1);
    (a.shape != b.shape).then_some(0).into_iter().chain(values).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_only_one_side_changed_is_that_sides(base in state(), other in state(), wins: bool) {
        let (base, other) = (base.as_ref(), other.as_ref());
        prop_assert_eq!(three_way(base, base, base, wins), (base.cloned(), vec![]));
        prop_assert_eq!(three_way(base, other, base, wins), (other.cloned(), vec![]));
        prop_assert_eq!(three_way(base, base, other, wins), (other.cloned(), vec![]));
        prop_assert_eq!(three_way(base, other, other, wins), (other.cloned(), vec![]));
    }

    #[test]
    fn the_sides_may_be_exchanged_where_they_do_not_conflict(base in state(), a in state(), b in state()) {
        let (ab, forth) = three_way(base.as_ref(), a.as_ref(), b.as_ref(), false);
        let (ba, back) = three_way(base.as_ref(), b.as_ref(), a.as_ref(), false);
        prop_assert_eq!(&forth, &back);
        if forth.is_empty() {
            prop_assert_eq!(ab, ba);
        } else {
            // Where they conflict the winner decides, and naming the other side the winner is exchanging them.
            prop_assert_eq!(three_way(base.as_ref(), b.as_ref(), a.as_ref(), true).0, ab);
        }
    }

    #[test]
    fn a_conflict_is_a_field_that_both_changed_and_in_different_ways(base in feature(), a in feature(), b in feature()) {
        let (merged, deviations) = three_way(Some(&base), Some(&a), Some(&b), false);
        let (by_a, by_b, between) = (differing(&base, &a), differing(&base, &b), differing(&a, &b));
        let wanted: Vec<usize> =
            by_a.iter().copied().filter(|place| by_b.contains(place) && between.contains(place)).collect();
        let found: Vec<usize> = deviations
            .iter()
            .map(|deviation| match deviation {
                Deviation::Geometry => 0,
                Deviation::Column(place) => place + 1,
                Deviation::Whole => usize::MAX,
            })
            .collect();
        prop_assert_eq!(found, wanted);
        // Ours wins a conflict; else what anybody changed is changed, and nothing more.
        let merged = merged.unwrap();
        for place in differing(&base, &merged) {
            prop_assert!(by_a.contains(&place) || by_b.contains(&place));
        }
        for place in &by_a {
            prop_assert!(!differing(&a, &merged).contains(place));
        }
        for place in by_b.iter().filter(|place| !by_a.contains(place)) {
            prop_assert!(!differing(&b, &merged).contains(place));
        }
    }
}
