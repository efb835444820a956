//! The rules of layers: what the demonstration data keeps, and what edits may not break.

use mutu::{
    domain::{
        edit::{Change, Edit, unfit_values},
        feature::Feature,
        schema::LayerId,
    },
    engine::overlay::{common_m2, outside_m2},
    planner::{ErrorClass, PlannerError, Standard},
};
use proptest::prelude::*;

use super::{GEOJSON, PATCH, faults};
use crate::http::Own;

#[test]
fn the_demonstration_data_keeps_the_rules_that_its_layers_have() {
    let own = Own::new();
    let catalog = own.planner.read();
    let mut ruled = 0;
    for state in catalog.layers() {
        let (layer, table) = (state.layer(), state.table());
        ruled += usize::from(!layer.rules.is_empty());
        for row in table.rows_by_id(0) {
            let view = table.feature(row);
            let values = view.values.iter().map(|value| value.to_value()).collect();
            let feature = Feature { id: view.id, shape: None, values };
            let unfit = unfit_values(layer, &feature, None);
            assert!(unfit.is_empty(), "{} {}: {:?}", layer.id, view.id, unfit);
            if let Some(rule) = &layer.rules.no_overlap {
                let common = common_m2(table, row);
                assert!(common.iter().all(|(_, m2)| *m2 <= rule.tolerance()), "{} {}: {common:?}", layer.id, view.id);
            }
            if let Some(rule) = &layer.rules.inside {
                let around = catalog.layer(rule.layer.as_str()).unwrap();
                let m2 = outside_m2(table, row, around.table());
                assert!(m2 <= rule.tolerance(), "{} {}: {m2}", layer.id, view.id);
            }
        }
    }
    assert!(ruled > 0);
}

#[test]
fn an_edit_that_breaks_a_rule_of_its_layer_says_with_what_and_by_how_much() {
    let own = Own::new();
    let town = own.get("/collections/towns/items/1").json();
    let copy = serde_json::json!({ "type": "Feature", "geometry": town["geometry"], "properties": { "name": town["properties"]["name"] } });
    let answer = own.send("POST", "/collections/towns/items", &[GEOJSON], &copy.to_string());
    let found = faults(&answer);
    assert_eq!(found[0].0, "overlaps", "{}", answer.text());
    // The whole town, as it is measured.
    let message = answer.json()["findings"][0]["message"].as_str().unwrap().to_owned();
    let shared: f64 = message.split("it shares ").nth(1).unwrap().split(" m²").next().unwrap().parse().unwrap();
    let area = town["properties"]["area_m2"].as_f64().unwrap();
    assert!((shared - area).abs() < area * 1e-6, "{message}, the town has {area}");
    // Far away it shares no land, but lies outside the county.
    let away = super::parcel(115.0, 24.0, serde_json::json!({}));
    let answer = own.send("POST", "/collections/towns/items", &[GEOJSON], &away.to_string());
    assert_eq!(faults(&answer)[0].0, "outside", "{}", answer.text());
    // Who does not move it may go on editing.
    let note =
        own.send("PATCH", "/collections/towns/items/1", &[PATCH, ("if-match", "*")], r#"{"properties":{"note":"注"}}"#);
    assert_eq!(note.status, 200, "{}", note.text());
    let schema = own.get("/collections/towns/schema").json();
    assert_eq!(schema["x-rules"]["inside"]["layer"], "county");
    let range = own.send(
        "PATCH",
        "/collections/belts/items/1",
        &[PATCH, ("if-match", "*")],
        r#"{"properties":{"progress_low":101,"progress_high":-1}}"#,
    );
    assert_eq!(
        faults(&range).iter().map(|(fault, _)| fault.as_str()).collect::<Vec<_>>(),
        ["above-maximum", "below-minimum"]
    );
    let schema = own.get("/collections/belts/schema").json();
    assert_eq!(
        (&schema["properties"]["progress_low"]["minimum"], &schema["properties"]["progress_low"]["maximum"]),
        (&serde_json::json!(0), &serde_json::json!(100))
    );
}

fn parcels() -> LayerId {
    "parcels".parse().unwrap()
}

/// All parcels as they are, versions aside.
fn picture(own: &Own) -> Vec<String> {
    let catalog = own.planner.read();
    let table = catalog.layer("parcels").unwrap().table();
    let told = |row| {
        let feature = table.feature(row);
        let rings: Vec<_> = feature.shape.iter().flat_map(mutu::ground::shape::ShapeRef::rings).collect();
        format!("{} {rings:?} {:?}", feature.id, feature.values)
    };
    table.rows_by_id(i64::MIN).map(told).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_edit_and_its_inverse_leave_everything_as_it_was(picks in proptest::collection::btree_map(1i64..400, 0u8..3, 1..12)) {
        let own = Own::new();
        let before = picture(&own);
        let catalog = own.planner.read();
        let table = catalog.layer("parcels").unwrap().table();
        let note = catalog.layer("parcels").unwrap().layer().schema.position("note").unwrap();
        let changes = picks.iter().map(|(id, what)| {
            let row = table.row_of(*id).unwrap();
            let (view, version) = (table.feature(row), table.version(row));
            let values = view.values.iter().map(|value| value.to_value()).collect();
            let mut feature = Feature { id: *id, shape: view.shape.map(|shape| shape.to_shape()), values };
            match what {
                0 => Change::Delete { layer: parcels(), id: *id, expects: version },
                1 => {
                    feature.values[note] = mutu::domain::feature::Value::Text("改".to_owned());
                    Change::Put { layer: parcels(), feature, expects: Some(version) }
                }
                _ => {
                    feature.id = -*id;
                    Change::Put { layer: parcels(), feature, expects: None }
                }
            }
        });
        let edit = Edit { author: "甲".to_owned(), note: "改".to_owned(), changes: changes.collect(), lineage: vec![] };
        let done = own.planner.carry_out(edit, Standard::New).unwrap();
        prop_assert!(picture(&own) != before);
        let replaced: Vec<Option<Feature>> = done.edit.changes.iter().map(|change| {
            let (_, id) = change.target();
            let table = done.before.layer("parcels").unwrap().table();
            let view = table.feature(table.row_of(id)?);
            let values = view.values.iter().map(|value| value.to_value()).collect();
            Some(Feature { id, shape: view.shape.map(|shape| shape.to_shape()), values })
        }).collect();
        let inverse = done.edit.inverse(&replaced, done.seq.unwrap()).unwrap();
        own.planner.carry_out(inverse.clone(), Standard::Restored).unwrap();
        prop_assert!(picture(&own) == before);
        // Once more it does not fit.
        let again = own.planner.carry_out(inverse, Standard::Restored).unwrap_err();
        prop_assert!(matches!(&again, PlannerError::Conflicts(conflicts) if conflicts.len() == picks.len()));
        prop_assert_eq!(again.class(), ErrorClass::Conflict);
    }
}
