//! What somebody sees of the record who sees some rows only, against an oracle: the record as the manager sees it, each side
//! of each change kept or left out by the reader's rule. Every row that the rule hides has a name that no answer may hold.

use std::collections::BTreeMap;

use axum::http::Method;
use mutu::people::Role;
use serde_json::{Value, json};

use super::Office;

const READER: &str = r#"{"rows":{"wells":"town = 'a'"}}"#;
const COUNT: i64 = 6;

/// A name that says whether the row is hidden.
fn name(town: &str, number: u64) -> String {
    if town == "a" { format!("open-{number}") } else { format!("secret-{number}") }
}

/// Wells of two towns that were moved, renamed, deleted and made at random; rows come in and out of sight.
fn office() -> (Office, i64) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("wells.geojson");
    let well = |number: i64| {
        let town = if number % 2 == 0 { "a" } else { "b" };
        json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [112.8 + 0.01 * number as f64, 22.7] },
                "properties": { "town": town, "name": name(town, number as u64) } })
    };
    let wells: Vec<Value> = (1..=COUNT).map(well).collect();
    std::fs::write(&source, json!({ "type": "FeatureCollection", "features": wells }).to_string()).unwrap();
    let path = folder.path().join("office.gpkg");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_mutu"))
        .args(["import", source.to_str().unwrap(), "--layer", "wells", "-w", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let office = Office::of_file(folder, path);
    let boss = office.token(Role::Manager, "{}");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut last = 1;
    for round in 0..24 {
        let catalog = office.planner.read();
        let table = catalog.layer("wells").unwrap().table();
        let ids: Vec<(i64, i64)> = table.rows_by_id(0).map(|row| (table.id(row), table.version(row))).collect();
        let mut changes: BTreeMap<i64, Value> = BTreeMap::new();
        for part in 0..=random(3) {
            let (id, version) = ids[random(ids.len() as u64) as usize];
            let town = ["a", "b"][random(2) as usize];
            let name = name(town, 100 + 10 * round + part);
            let change = match random(6) {
                0 if ids.len() > 3 => json!({ "delete": { "layer": "wells", "id": id, "version": version } }),
                1 => json!({ "put": { "layer": "wells", "feature": { "type": "Feature",
                    "geometry": { "type": "Point", "coordinates": [112.7 + 0.001 * random(100) as f64, 22.6] },
                    "properties": { "town": town, "name": name } } } }),
                _ => json!({ "patch": { "layer": "wells", "id": id, "version": version,
                    "properties": { "town": town, "name": name } } }),
            };
            let key = if change.get("put").is_some() { -1 - part as i64 } else { id };
            changes.insert(key, change);
        }
        let edit = json!({ "note": "", "changes": changes.into_values().collect::<Vec<_>>() });
        let bearer = format!("Bearer {boss}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let done = office.send(Method::POST, "/changes", &headers, &edit.to_string());
        assert_eq!(done.status, 201, "{}", done.text());
        last = done.json()["seq"].as_i64().unwrap();
    }
    (office, last)
}

/// A side of a change, where the rule shows it.
fn seen(side: &Value) -> Option<&Value> {
    (side["properties"]["town"] == "a").then_some(side)
}

fn operation(before: Option<&Value>, after: Option<&Value>) -> Option<&'static str> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some("added"),
        (Some(_), None) => Some("removed"),
        (Some(_), Some(_)) => Some("changed"),
    }
}

#[test]
fn feed_history_and_difference_are_what_the_rule_leaves_of_them_and_hold_nothing_hidden() {
    let (office, last) = office();
    let (boss, reader) = (office.token(Role::Manager, "{}"), office.token(Role::Reader, READER));
    let read = |path: &str| {
        let answer = office.get(path, &reader);
        assert!(!answer.text().contains("secret"), "{path}: {}", answer.text());
        answer
    };
    // The whole record, and the state after each number, by replaying it.
    let mut states: BTreeMap<i64, BTreeMap<i64, Value>> = BTreeMap::new();
    let mut told: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    let item = |id: i64| {
        let town = if id % 2 == 0 { "a" } else { "b" };
        json!({ "properties": { "town": town, "name": name(town, id as u64) } })
    };
    states.insert(1, (1..=COUNT).map(|id| (id, item(id))).collect());
    for seq in 2..=last {
        let whole = office.get(&format!("/changes/{seq}"), &boss).json();
        let mut state = states[&(seq - 1)].clone();
        for feature in whole["features"].as_array().unwrap() {
            let id = feature["id"].as_i64().unwrap();
            if feature["after"].is_null() {
                state.remove(&id)
            } else {
                state.insert(id, feature["after"].clone())
            };
        }
        states.insert(seq, state);
        told.insert(seq, whole["features"].as_array().unwrap().clone());
    }
    let hidden_edits = feed(&told, &read);
    assert!(hidden_edits > 0, "the oracle must have something to leave out");
    history(&told, &read);
    difference(&states, last, &read);
    // Everything else that answers about a moment or the record.
    for path in [
        "/changes?f=html",
        "/collections/wells/items?datetime=2099-01-01",
        "/collections/wells/items?f=csv",
        "/collections/wells/export?f=geojsonseq",
        "/collections/wells/statistics?group-by=name",
        "/collections/wells/statistics?group-by=town&datetime=2099-01-01",
        "/collections/wells?f=html",
        "/collections/wells/items?f=html",
        "/collections/wells/items?sortby=name&f=csv&properties=name",
        "/collections/wells/queryables",
        "/collections/wells/schema",
        "/styles/wells",
    ] {
        assert_eq!(read(path).status, 200, "{path}");
    }
    // Numbers of rows that are hidden are told by no import either.
    let import = read("/changes/1").json();
    assert!(import["layers"][0]["added"].is_null(), "{import}");
    assert_eq!(office.get("/changes/1", &boss).json()["layers"][0]["added"], COUNT);
    // Asking for a hidden row, for its past or for its return, is asking for one that never was.
    let bearer = format!("Bearer {}", office.token(Role::Editor, READER));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (seq, features) in &told {
        let undone = office.send(Method::POST, &format!("/changes/{seq}/undo?dry-run=true"), &headers, "{}");
        assert!(!undone.text().contains("secret"), "{seq}: {}", undone.text());
        let is_hidden = |side: &Value| !side.is_null() && seen(side).is_none();
        if features.iter().any(|one| is_hidden(&one["before"]) || is_hidden(&one["after"])) {
            assert!([403, 404].contains(&undone.status.as_u16()), "{seq}: {} {}", undone.status, undone.text());
        }
    }
}

/// The feed as a list and one by one; how many edits it does not show.
fn feed(told: &BTreeMap<i64, Vec<Value>>, read: &dyn Fn(&str) -> crate::http::Answer) -> usize {
    let listed = read("/changes?limit=1000").json()["changes"].as_array().unwrap().clone();
    let mut hidden = 0;
    for (seq, features) in told {
        let wanted: Vec<(i64, &str, Option<&Value>, Option<&Value>)> = features
            .iter()
            .filter_map(|feature| {
                let (before, after) = (seen(&feature["before"]), seen(&feature["after"]));
                Some((feature["id"].as_i64().unwrap(), operation(before, after)?, before, after))
            })
            .collect();
        let entry = listed.iter().find(|entry| entry["seq"] == *seq);
        let one = read(&format!("/changes/{seq}"));
        if wanted.is_empty() {
            hidden += 1;
            assert!(entry.is_none() && one.status == 404, "{seq}: {}", one.text());
            continue;
        }
        let one = one.json();
        let got: Vec<_> = one["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|feature| {
                let side = |name: &str| Some(&feature[name]).filter(|side| !side.is_null());
                (feature["id"].as_i64().unwrap(), feature["operation"].as_str().unwrap(), side("before"), side("after"))
            })
            .collect();
        assert_eq!(got, wanted, "{seq}");
        let layer = &entry.unwrap()["layers"][0];
        for what in ["added", "changed", "removed"] {
            let count = wanted.iter().filter(|(_, operation, ..)| *operation == what).count();
            assert_eq!(layer[what], count, "{seq}: {what}");
        }
        let places = wanted.iter().flat_map(|(.., before, after)| [*before, *after]).flatten();
        let xs: Vec<f64> = places.map(|side| side["geometry"]["coordinates"][0].as_f64().unwrap()).collect();
        let (west, east) = (xs.iter().copied().fold(f64::MAX, f64::min), xs.iter().copied().fold(f64::MIN, f64::max));
        let bbox: Vec<f64> = layer["bbox"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!((bbox[0] - west).abs() < 1e-6 && (bbox[2] - east).abs() < 1e-6, "{seq}: {bbox:?}, {west} {east}");
    }
    hidden
}

/// The history of each feature.
fn history(told: &BTreeMap<i64, Vec<Value>>, read: &dyn Fn(&str) -> crate::http::Answer) {
    let ids: std::collections::BTreeSet<i64> =
        told.values().flatten().map(|feature| feature["id"].as_i64().unwrap()).chain(1..=COUNT).collect();
    for id in ids {
        let mut wanted: Vec<(i64, &str)> = Vec::new();
        if (1..=COUNT).contains(&id) && id % 2 == 0 {
            wanted.push((1, "added"));
        }
        for (seq, features) in told {
            for feature in features.iter().filter(|feature| feature["id"] == id) {
                wanted.extend(operation(seen(&feature["before"]), seen(&feature["after"])).map(|what| (*seq, what)));
            }
        }
        wanted.reverse();
        let answer = read(&format!("/collections/wells/items/{id}/history"));
        if wanted.is_empty() {
            assert_eq!(answer.status, 404, "{id}: {}", answer.text());
            continue;
        }
        let document = answer.json();
        let got: Vec<(i64, &str)> = document["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| (version["version"].as_i64().unwrap(), version["operation"].as_str().unwrap()))
            .collect();
        assert_eq!(got, wanted, "{id}");
    }
}

/// The difference of every two moments, in each form.
fn difference(states: &BTreeMap<i64, BTreeMap<i64, Value>>, last: i64, read: &dyn Fn(&str) -> crate::http::Answer) {
    for from in (1..last).step_by(5) {
        for to in (from + 1..=last).step_by(4) {
            let sides = |seq: i64, id: &i64| states[&seq].get(id).and_then(seen);
            let ids: std::collections::BTreeSet<&i64> = states[&from].keys().chain(states[&to].keys()).collect();
            let wanted: Vec<(i64, &str)> = ids
                .into_iter()
                .filter_map(|id| {
                    let (before, after) = (sides(from, id), sides(to, id));
                    let is_same =
                        before.zip(after).is_some_and(|(before, after)| before["properties"] == after["properties"]);
                    operation(before, after).filter(|_| !is_same).map(|what| (*id, what))
                })
                .collect();
            let path = format!("/collections/wells/difference?from={from}&to={to}");
            let features = read(&format!("{path}&f=geojson")).json();
            let got: Vec<(i64, &str)> = features["features"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| (one["id"].as_i64().unwrap(), one["properties"]["mutu_change"].as_str().unwrap()))
                .collect();
            assert_eq!(got, wanted, "{path}");
            let report = read(&format!("{path}&group-by=name")).json();
            for what in ["added", "removed", "changed"] {
                assert_eq!(
                    report[what]["count"],
                    wanted.iter().filter(|(_, one)| *one == what).count(),
                    "{path} {what}"
                );
            }
            let shown = |seq: i64| states[&seq].values().filter(|side| seen(side).is_some()).count();
            assert_eq!(report["total"]["before"]["count"], shown(from), "{path}");
            assert_eq!(report["total"]["after"]["count"], shown(to), "{path}");
            assert_eq!(read(&format!("{path}&f=csv")).text().lines().count(), wanted.len() + 1, "{path}");
        }
    }
}
