//! `POST /changes`: whole edits over several layers, their previews, conflicts and findings; splits and merges.

use serde_json::{Value, json};

use super::{created, faults, parcel};
use crate::http::{Answer, Own};

const JSON: (&str, &str) = ("content-type", "application/json");

fn post(own: &Own, edit: &Value) -> Answer {
    own.send("POST", "/changes", &[JSON], &edit.to_string())
}

fn preview(own: &Own, edit: &Value) -> Answer {
    own.send("POST", "/changes?dry-run=true", &[JSON], &edit.to_string())
}

fn version(own: &Own, path: &str) -> i64 {
    let tag = own.get(path).header("etag").to_owned();
    tag.trim_matches('"').split('-').next().unwrap().parse().unwrap()
}

fn area(value: &Value) -> f64 {
    value["area_m2"].as_f64().unwrap()
}

#[test]
fn an_edit_over_several_layers_is_previewed_and_then_done_whole() {
    let own = Own::new();
    let of = |layer: &str, id: i64| version(&own, &format!("/collections/{layer}/items/{id}"));
    let edit = json!({ "note": "年度变更", "changes": [
        { "put": { "layer": "parcels", "feature": parcel(112.95, 22.6, json!({ "code": "N-1" })), "version": null } },
        { "patch": { "layer": "parcels", "id": 4, "version": of("parcels", 4), "properties": { "note": "改" } } },
        { "delete": { "layer": "projects", "id": 1, "version": of("projects", 1) } },
    ] });
    let head = own.planner.read().seq();
    let before = own.get("/collections/parcels/items/4").json();
    let would = preview(&own, &edit);
    assert_eq!(would.status, 200, "{}", would.text());
    assert_eq!((&would.json()["seq"], &would.json()["dryRun"]), (&Value::Null, &json!(true)));
    assert_eq!(own.planner.read().seq(), head, "a preview stores nothing");
    assert_eq!(own.get("/collections/parcels/items/4").json(), before);
    let done = post(&own, &edit);
    assert_eq!(done.status, 201, "{}", done.text());
    let told = done.json();
    assert_eq!(
        (&told["seq"], &told["dryRun"], &told["author"], &told["note"]),
        (&json!(head + 1), &json!(false), &json!("local"), &json!("年度变更"))
    );
    assert_eq!(done.header("location"), format!("http://mutu.test/changes/{}", head + 1));
    let operations: Vec<&str> =
        told["changes"].as_array().unwrap().iter().map(|c| c["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["added", "changed", "removed"]);
    // The preview told the very same but for the number.
    for (would, did) in would.json()["changes"].as_array().unwrap().iter().zip(told["changes"].as_array().unwrap()) {
        for member in ["layer", "id", "operation", "before", "after", "parents"] {
            assert_eq!(would[member], did[member]);
        }
    }
    assert_eq!(told["changes"][1]["before"]["area_m2"], before["properties"]["area_m2"]);
    assert_eq!(told["changes"][1]["version"], head + 1);
    assert_eq!(own.get("/collections/projects/items/1").status, 404);
    assert_eq!(own.get("/collections/parcels/items/4").json()["properties"]["note"], "改");
}

#[test]
fn all_conflicts_and_all_findings_of_an_edit_are_told_and_nothing_is_changed() {
    let own = Own::new();
    let head = own.planner.read().seq();
    let edit = json!({ "changes": [
        { "delete": { "layer": "parcels", "id": 1, "version": 999 } },
        { "patch": { "layer": "parcels", "id": 2, "version": 998, "properties": { "note": "x" } } },
        { "delete": { "layer": "parcels", "id": 3, "version": version(&own, "/collections/parcels/items/3") } },
        { "patch": { "layer": "towns", "id": 987_654, "version": 1, "properties": {} } },
    ] });
    let answer = post(&own, &edit);
    assert_eq!(answer.status, 409, "{}", answer.text());
    let conflicts = answer.json()["conflicts"].clone();
    let pairs: Vec<(i64, Option<i64>, bool)> = conflicts
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["id"].as_i64().unwrap(), c["expected"].as_i64(), c["found"].is_null()))
        .collect();
    assert_eq!(pairs, [(1, Some(999), false), (2, Some(998), false), (987_654, Some(1), true)]);
    let edit = json!({ "changes": [
        { "put": { "layer": "parcels", "feature": parcel(112.95, 22.6, json!({ "town": "无" })) } },
        { "put": { "layer": "nix", "feature": parcel(112.95, 22.6, json!({})) } },
        { "put": { "layer": "parcels", "feature": { "type": "Feature", "id": 4, "geometry": null, "properties": {} } } },
        { "put": { "layer": "parcels", "feature": parcel(112.95, 22.6, json!({ "no": 1 })) } },
    ] });
    let found = faults(&post(&own, &edit));
    let words: Vec<&str> = found.iter().map(|(fault, _)| fault.as_str()).collect();
    assert_eq!(words, ["unknown-layer", "id-given", "unknown-property"], "what cannot be read comes first");
    let edit = json!({ "changes": [
        { "put": { "layer": "parcels", "feature": parcel(112.95, 22.6, json!({ "town": "无" })) } },
        { "put": { "layer": "parks", "feature": parcel(22.6, 112.95, json!({})) } },
    ] });
    let answer = post(&own, &edit);
    assert_eq!(
        faults(&answer),
        [("not-in-list".to_owned(), "town".to_owned()), ("probably-swapped-axes".to_owned(), String::new())]
    );
    assert_eq!(answer.json()["findings"][1]["change"], 1);
    for (body, status) in [
        (json!({ "changes": [] }), 400),
        (json!({}), 400),
        (json!({ "changes": [{ "put": {} }] }), 400),
        (json!({ "changes": [{ "drop": {} }] }), 400),
        (json!({ "changes": [], "x": 1 }), 400),
    ] {
        assert_eq!(post(&own, &body).status, status, "{body}");
    }
    assert_eq!(own.planner.read().seq(), head);
}

#[test]
fn a_split_keeps_land_lineage_and_values_and_a_merge_brings_the_whole_back() {
    let own = Own::new();
    let added = created(&own, "parcels", &parcel(112.95, 22.6, json!({ "code": "A", "note": "原地块" })));
    let whole = added.json();
    let id = whole["id"].as_i64().unwrap();
    let line =
        json!({ "type": "LineString", "coordinates": [[112.9499, 22.6003], [112.9505, 22.6006], [112.9512, 22.6004]] });
    let seen = version(&own, &format!("/collections/parcels/items/{id}"));
    let split = json!({ "note": "分割", "changes": [{ "split": { "layer": "parcels", "id": id, "version": seen, "line": line } }] });
    let done = post(&own, &split);
    assert_eq!(done.status, 201, "{}", done.text());
    let told = done.json();
    let changes = told["changes"].as_array().unwrap();
    assert_eq!(
        changes.iter().map(|c| c["operation"].as_str().unwrap()).collect::<Vec<_>>(),
        ["removed", "added", "added"]
    );
    let total: f64 = changes[1..].iter().map(|c| area(&c["after"])).sum();
    assert!((total - area(&changes[0]["before"])).abs() < 0.0201, "{told}");
    assert!(told["findings"][0]["residual_m2"].as_f64().unwrap().abs() < 0.02, "{told}");
    let printed = told["findings"][0]["printed_m2"].as_f64().unwrap();
    assert!((area(&changes[0]["before"]) - total - printed).abs() < 1e-6, "{told}");
    let mut parts = Vec::new();
    for change in &changes[1..] {
        assert_eq!(change["parents"], json!([id]));
        let read = own.get(&format!("/collections/parcels/items/{}", change["id"])).json();
        assert_eq!((&read["properties"]["code"], &read["properties"]["note"]), (&json!("A"), &json!("原地块")));
        parts.push(change["id"].as_i64().unwrap());
    }
    // The record keeps where they came from.
    let history = own.get(&format!("/changes/{}", told["seq"])).json();
    assert_eq!(history["features"].as_array().unwrap().len(), 3);
    let seq = told["seq"].as_i64().unwrap();
    let note = json!({ "changes": [{ "patch": { "layer": "parcels", "id": parts[1], "version": seq, "properties": { "note": "西块" } } }] });
    assert_eq!(post(&own, &note).status, 201);
    let merge = json!({ "changes": [{ "merge": { "layer": "parcels", "ids": parts, "versions": [seq, seq + 1], "into": parts[0] } }] });
    let done = post(&own, &merge);
    assert_eq!(done.status, 201, "{}", done.text());
    let told = done.json();
    let differed: Vec<&str> =
        told["findings"].as_array().unwrap().iter().filter_map(|f| f["property"].as_str()).collect();
    assert_eq!(differed, ["note"]);
    let joined = own.get(&format!("/collections/parcels/items/{}", parts[0])).json();
    assert_eq!(joined["properties"]["note"], "原地块");
    assert!(
        (joined["properties"]["area_m2"].as_f64().unwrap() - whole["properties"]["area_m2"].as_f64().unwrap()).abs()
            < 0.0101
    );
    assert_eq!(told["changes"].as_array().unwrap().last().unwrap()["parents"], json!(parts));
    assert_eq!(own.get(&format!("/collections/parcels/items/{}", parts[1])).status, 404);
}

#[test]
fn what_cannot_be_split_or_merged_is_refused_with_its_reason() {
    let own = Own::new();
    let ids: Vec<(i64, i64)> = [112.95, 112.96]
        .map(|west| created(&own, "parcels", &parcel(west, 22.6, json!({}))).json()["id"].as_i64().unwrap())
        .map(|id| (id, version(&own, &format!("/collections/parcels/items/{id}"))))
        .to_vec();
    let (id, seen) = ids[0];
    let line = |coords: Value| json!({ "split": { "layer": "parcels", "id": id, "version": seen, "line": { "type": "LineString", "coordinates": coords } } });
    let both = |more: Value| {
        let mut merge = json!({ "layer": "parcels", "ids": [ids[0].0, ids[1].0], "versions": [ids[0].1, ids[1].1] });
        merge.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "merge": merge })
    };
    for (change, fault) in [
        (line(json!([[112.9502, 22.6002], [112.9508, 22.6008]])), "does-not-divide"),
        (line(json!([[113.0, 22.6], [113.1, 22.7]])), "does-not-divide"),
        (line(json!([[112.95, 22.6]])), "bad-line"),
        (line(json!([[112.9499, 22.6], [112.9512, 22.6009], [112.9512, 22.6], [112.9499, 22.6009]])), "bad-line"),
        (line(json!([[112.9499, 22.600_000_5], [112.9511, 22.600_000_5]])), "bad-part"),
        (both(json!({})), "apart"),
        (both(json!({ "into": 1 })), "bad-merge"),
        (json!({ "merge": { "layer": "parcels", "ids": [id], "versions": [seen] } }), "bad-merge"),
        (json!({ "merge": { "layer": "parcels", "ids": [id, id], "versions": [seen, seen] } }), "bad-merge"),
        (
            json!({ "split": { "layer": "parcels", "id": id, "version": seen, "line": { "type": "Point", "coordinates": [112.95, 22.6] } } }),
            "not-a-line",
        ),
    ] {
        let answer = preview(&own, &json!({ "changes": [change.clone()] }));
        assert_eq!(faults(&answer)[0].0, fault, "{change}: {}", answer.text());
    }
    let together = post(&own, &json!({ "changes": [both(json!({ "multipart": true }))] }));
    assert_eq!(together.status, 201, "{}", together.text());
    let stale = json!({ "split": { "layer": "parcels", "id": 7, "version": 12_345, "line": { "type": "LineString", "coordinates": [[112, 22], [113, 23]] } } });
    assert!(post(&own, &json!({ "changes": [stale] })).status.is_client_error());
}

#[test]
fn a_hundred_thousand_puts_are_one_edit() {
    let own = Own::new();
    let head = own.planner.read().seq();
    let count = 100_000;
    let one = |i: i64| {
        let (x, y) = (112.5 + (i % 400) as f64 * 1e-4, 22.5 + (i / 400) as f64 * 1e-4);
        format!(
            r#"{{"put":{{"layer":"tasks","feature":{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{x},{y}]}},"properties":{{"note":"{i}"}}}},"version":null}}}}"#
        )
    };
    let changes: Vec<String> = (0..count).map(one).collect();
    let body = format!(r#"{{"note":"批量","changes":[{}]}}"#, changes.join(","));
    let before = own.get("/collections/tasks").json()["itemCount"].as_i64().unwrap();
    let answer = own.send("POST", "/changes", &[JSON], &body);
    assert_eq!(answer.status, 201, "{}", &answer.text()[..200]);
    assert_eq!(own.planner.read().seq(), head + 1);
    assert_eq!(own.get("/collections/tasks").json()["itemCount"].as_i64().unwrap(), before + count);
    let told = answer.json();
    let mut ids: Vec<i64> = told["changes"].as_array().unwrap().iter().map(|c| c["id"].as_i64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), count as usize);
}
