//! The way back: differences, undo and restore, over random histories.

use std::collections::BTreeMap;

use axum::http::Method;
use mutu::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit, Lineage},
        feature::Feature,
    },
    planner::{
        Difference, ErrorClass, PastError, Planner, PlannerError, Standard, StatisticsQuestion, When, changes_to,
    },
    store::{How, Workspace},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{
    Place,
    eras::{import, loaded, parcel, parcels, put},
    feature, layer,
};

/// What a random history does next.
#[derive(Debug, Clone)]
enum Step {
    /// Puts features, some of which may be there.
    Put(Vec<(i64, u8, i64)>),
    /// Deletes those of some ids that are there.
    Delete(Vec<i64>),
}

fn step() -> impl Strategy<Value = Step> {
    let ids = 1..=12_i64;
    prop_oneof![
        3 => prop::collection::vec((ids.clone(), 0..4_u8, 1..4_i64), 1..4).prop_map(Step::Put),
        1 => prop::collection::vec(ids, 1..3).prop_map(Step::Delete),
    ]
}

/// The changes of a step to a picture; none where it does nothing.
fn changes(step: &Step, catalog: &Catalog) -> Vec<Change> {
    let table = catalog.layer("地块").unwrap().table();
    let version = |id: i64| table.row_of(id).map(|row| table.version(row));
    let mut changes: BTreeMap<i64, Change> = BTreeMap::new();
    match step {
        Step::Put(puts) => {
            for (id, name, size) in puts {
                changes.insert(*id, put(parcel(*id, &format!("名{name}"), *size), version(*id)));
            }
        }
        Step::Delete(ids) => {
            for id in ids {
                if let Some(expects) = version(*id) {
                    changes.insert(*id, Change::Delete { layer: layer("地块"), id: *id, expects });
                }
            }
        }
    }
    changes.into_values().collect()
}

fn begun() -> (tempfile::TempDir, Planner) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    let rows: Vec<Feature> = (1..=6).map(|id| parcel(id, "甲", 1)).collect();
    import(&mut workspace, &parcels(&["名称"]), How::Create, &rows, 1_767_225_600_000);
    workspace.close().unwrap();
    let planner = loaded(&path);
    (folder, planner)
}

/// Features without their versions, with their areas: what "the same state" means.
fn state(catalog: &Catalog) -> BTreeMap<i64, (Feature, String)> {
    let table = catalog.layer("地块").unwrap().table();
    let area =
        |id: i64| format!("{:?}", table.area(table.row_of(id).unwrap(), mutu::ground::units::Basis::Ellipsoidal));
    table.rows().map(|row| table.id(row)).map(|id| (id, (feature(catalog, "地块", id).0, area(id)))).collect()
}

fn commit(planner: &Planner, changes: Vec<Change>) -> i64 {
    planner.commit(&Edit { changes, author: "王工".to_owned(), ..Edit::default() }).unwrap().seq
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_moment_replays_to_its_snapshot_and_every_difference_leads_there_and_back(
        steps in prop::collection::vec(step(), 1..9),
        pick in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let (_folder, planner) = begun();
        let mut snapshots = vec![(1, state(&planner.read()))];
        for step in &steps {
            let changes = changes(step, &planner.read());
            if !changes.is_empty() {
                snapshots.push((commit(&planner, changes), state(&planner.read())));
            }
        }
        for (seq, snapshot) in &snapshots {
            prop_assert_eq!(&state(&planner.read_at(When::After(*seq)).unwrap()), snapshot);
        }
        let (a, b) = (pick.0.get(&snapshots), pick.1.get(&snapshots));
        let (from, to) = (planner.read_at(When::After(a.0)).unwrap(), planner.read_at(When::After(b.0)).unwrap());
        let there = Difference::of("地块", from.clone(), to.clone()).unwrap();
        let back = Difference::of("地块", to.clone(), from.clone()).unwrap();
        // The difference is what a comparison of all features finds.
        let differ: Vec<i64> = (1..=12).filter(|id| a.1.get(id) != b.1.get(id)).collect();
        let mut told = Vec::new();
        there.each(|one| told.push((one.id, one.operation())));
        prop_assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), differ);
        // The first state and the difference are the second state, and the other way round.
        for (state_of, difference, wanted) in [(&from, &there, &b.1), (&to, &back, &a.1)] {
            let before = difference.before().unwrap();
            let changes = changes_to(before, difference.after(), difference.rows());
            let made = if changes.is_empty() { Catalog::clone(state_of) } else { state_of.apply(&changes, 99).unwrap() };
            prop_assert_eq!(&state(&made), wanted);
        }
        let mut reversed = Vec::new();
        back.each(|one| reversed.push((one.id, match one.operation() { "added" => "removed", "removed" => "added", same => same })));
        prop_assert_eq!(reversed, told);
        // The report adds up, as printed.
        let question = StatisticsQuestion { group_by: Some("名称".to_owned()), unit: Some("mu".to_owned()), ..Default::default() };
        let report = there.report(&question).unwrap();
        let sum = |of: fn(&mutu::planner::Balance) -> Decimal| report.groups.iter().map(|g| of(&g.balance)).sum::<Decimal>();
        prop_assert_eq!(sum(|b| b.before.area), report.total.before.area);
        prop_assert_eq!(sum(|b| b.after.area), report.total.after.area);
        prop_assert_eq!(sum(|b| b.change.area), report.total.change.area);
        prop_assert_eq!(report.total.before.count + report.added.count - report.removed.count, report.total.after.count);
    }

    #[test]
    fn an_edit_and_its_undoing_change_nothing_and_a_layer_is_restored_to_any_moment(
        steps in prop::collection::vec(step(), 1..7),
        pick in any::<prop::sample::Index>(),
    ) {
        let (_folder, planner) = begun();
        let mut snapshots = vec![(1, state(&planner.read()))];
        for step in &steps {
            let changes = changes(step, &planner.read());
            if changes.is_empty() {
                continue;
            }
            let before = state(&planner.read());
            let seq = commit(&planner, changes.clone());
            let undoing = planner.undoing(seq, "王工", "退回").unwrap();
            planner.carry_out(undoing, Standard::Restored).unwrap();
            prop_assert_eq!(state(&planner.read()), before);
            // The undoing is an edit like any other: undone in turn, the first one stands again.
            let again = planner.undoing(planner.read().seq(), "王工", "").unwrap();
            planner.carry_out(again, Standard::Restored).unwrap();
            snapshots.push((planner.read().seq(), state(&planner.read())));
        }
        let (seq, snapshot) = pick.get(&snapshots);
        let restoring = planner.restoring("地块", None, When::After(*seq), ("王工", "恢复")).unwrap();
        if !restoring.changes.is_empty() {
            planner.carry_out(restoring, Standard::Restored).unwrap();
        }
        prop_assert_eq!(&state(&planner.read()), snapshot);
    }
}

#[test]
fn what_was_changed_since_is_named_feature_by_feature_and_nothing_is_undone() {
    let (_folder, planner) = begun();
    let seq = commit(&planner, vec![put(parcel(1, "改", 1), Some(1)), put(parcel(2, "改", 1), Some(1))]);
    let gone = Change::Delete { layer: layer("地块"), id: 3, expects: 1 };
    let deleted = commit(&planner, vec![gone, put(parcel(7, "新", 1), None)]);
    let since = commit(&planner, vec![put(parcel(1, "再改", 1), Some(seq))]);
    let back = commit(&planner, vec![put(parcel(3, "回来", 1), None)]);
    let before = state(&planner.read());
    let conflicts = |seq: i64| match planner.undoing(seq, "王工", "").unwrap_err() {
        PlannerError::Past(PastError::ChangedSince { conflicts, .. }) => {
            conflicts.into_iter().map(|one| (one.id, one.by)).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    assert_eq!(conflicts(seq), [(1, since)]);
    assert_eq!(conflicts(deleted), [(3, back)]);
    let error = planner.undoing(seq, "王工", "").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert!(error.to_string().contains(&format!("feature 1 of 地块 was changed by number {since}")), "{error}");
    assert_eq!(planner.undoing(1, "王工", "").unwrap_err().class(), ErrorClass::NotFound);
    assert_eq!(planner.undoing(99, "王工", "").unwrap_err().class(), ErrorClass::NotFound);
    assert_eq!(state(&planner.read()), before);
}

#[test]
fn one_feature_is_restored_and_others_stay_also_when_it_was_deleted() {
    let (_folder, planner) = begun();
    let gone = Change::Delete { layer: layer("地块"), id: 3, expects: 1 };
    commit(&planner, vec![put(parcel(2, "改", 3), Some(1)), gone]);
    let restoring = planner.restoring("地块", Some(3), When::After(1), ("王工", "误删")).unwrap();
    let preview = planner.preview(restoring.clone(), Standard::Restored).unwrap();
    assert!(preview.seq.is_none() && planner.read().layer("地块").unwrap().table().row_of(3).is_none());
    let done = planner.carry_out(restoring, Standard::Restored).unwrap();
    let (back, version) = feature(&planner.read(), "地块", 3);
    assert_eq!((back, Some(version)), (parcel(3, "甲", 1), done.seq));
    assert_eq!(feature(&planner.read(), "地块", 2).0, parcel(2, "改", 3));
    // A feature that was not there then is removed; one that never was is an error.
    let added = commit(&planner, vec![put(parcel(9, "新", 1), None)]);
    let restoring = planner.restoring("地块", Some(9), When::After(1), ("王工", "")).unwrap();
    assert_eq!(restoring.changes, [Change::Delete { layer: layer("地块"), id: 9, expects: added }]);
    let error = planner.restoring("地块", Some(77), When::After(1), ("王工", "")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
}

#[test]
fn undoing_a_split_brings_the_parcel_back_and_says_what_it_came_from() {
    let (folder, planner) = begun();
    let gone = Change::Delete { layer: layer("地块"), id: 3, expects: 1 };
    let changes = vec![gone, put(parcel(20, "东", 1), None), put(parcel(21, "西", 1), None)];
    let lineage = vec![Lineage { layer: layer("地块"), parents: vec![3], children: vec![20, 21] }];
    let split = Edit { author: "王工".to_owned(), note: "分割".to_owned(), changes, lineage };
    let seq = planner.commit(&split).unwrap().seq;
    let undoing = planner.undoing(seq, "李工", "误分").unwrap();
    assert_eq!(undoing.lineage, [Lineage { layer: layer("地块"), parents: vec![20, 21], children: vec![3] }]);
    let undone = planner.carry_out(undoing, Standard::Restored).unwrap().seq.unwrap();
    assert_eq!(feature(&planner.read(), "地块", 3).0, parcel(3, "甲", 1));
    planner.commit(&Edit { changes: vec![put(parcel(3, "改", 2), Some(undone))], ..split.clone_without() }).unwrap();
    let path = folder.path().join("w.gpkg");
    drop(planner);
    let place = Place::open(folder, &path);
    let history = place.json("/collections/地块/items/3/history");
    let versions = history["versions"].as_array().unwrap();
    let told: Vec<_> = versions
        .iter()
        .map(|v| (v["version"].as_i64().unwrap(), v["operation"].as_str().unwrap(), &v["parents"], &v["children"]))
        .map(|(version, operation, parents, children)| (version, operation, parents.to_string(), children.to_string()))
        .collect();
    let told: Vec<(i64, &str, &str, &str)> = told.iter().map(|(v, o, p, c)| (*v, *o, p.as_str(), c.as_str())).collect();
    let wanted = [
        (undone + 1, "changed", "[]", "[]"),
        (undone, "added", "[20,21]", "[]"),
        (seq, "removed", "[]", "[20,21]"),
        (1, "added", "[]", "[]"),
    ];
    assert_eq!(told, wanted);
    let newest = &versions[0];
    assert_eq!(newest["differences"], serde_json::json!([{ "property": "名称", "before": "甲", "after": "改" }]));
    assert_eq!((newest["geometryChanged"].as_bool(), newest["author"].as_str()), (Some(true), Some("王工")));
    // The areas are those that every other answer gives.
    let item = place.json("/collections/地块/items/3");
    assert_eq!(newest["area_m2"]["after"], item["properties"]["area_m2"]);
    let then = place.json(&format!("/collections/地块/items?filter=id=3&datetime={}", "2026-06-01"));
    assert_eq!(newest["area_m2"]["before"], then["features"][0]["properties"]["area_m2"]);
    // Those that are no more have their history too, and it stands on a page.
    let gone = place.json("/collections/地块/items/20/history");
    assert_eq!(gone["versions"][0]["operation"], "removed");
    assert_eq!(gone["versions"][1]["parents"], serde_json::json!([3]));
    for (lang, word) in [("zh", "分割"), ("en", "Came from")] {
        let page = place.get(&format!("/collections/地块/items/3/history?f=html&lang={lang}"));
        assert!(page.status == 200 && page.text().contains(word), "{}", page.text());
    }
    assert!(place.get("/collections/地块/items/3?f=html").text().contains("items/3/history"));
    assert_eq!(place.get("/collections/地块/items/77/history").status, 404);
}

/// An edit of the same person without what it did.
trait CloneWithout {
    fn clone_without(&self) -> Edit;
}

impl CloneWithout for Edit {
    fn clone_without(&self) -> Edit {
        Edit { author: self.author.clone(), note: self.note.clone(), ..Edit::default() }
    }
}

#[test]
fn a_difference_over_http_is_a_report_a_table_and_features() {
    let place = Place::demo();
    let from = place.moment();
    let (mut moved, version) = feature(&place.planner.read(), "parcels", 7);
    let status = place.planner.read().layer("parcels").unwrap().layer().schema.position("status").unwrap();
    moved.values[status] = mutu::domain::feature::Value::Text("完成处置".to_owned());
    let (_, doomed) = feature(&place.planner.read(), "parcels", 9);
    let mut added = moved.clone();
    added.id = 5001;
    for at in added.shape.as_mut().unwrap().coords_mut() {
        at.x += 0.5;
    }
    place.commit(vec![
        Change::Put { layer: layer("parcels"), feature: moved, expects: Some(version) },
        Change::Put { layer: layer("parcels"), feature: added, expects: None },
        Change::Delete { layer: layer("parcels"), id: 9, expects: doomed },
    ]);
    let report = place.json(&format!("/collections/parcels/difference?from={from}&group-by=status&unit=mu"));
    assert_eq!(
        (&report["added"]["count"], &report["removed"]["count"], &report["changed"]["count"]),
        (&1.into(), &1.into(), &1.into())
    );
    // Independent: the statistics of either moment.
    let figures = |then: &str| place.json(&format!("/collections/parcels/statistics?group-by=status&unit=mu{then}"));
    let (before, after) = (figures(&format!("&datetime={from}")), figures(""));
    assert_eq!(report["total"]["before"]["area"], before["total"]["area"]);
    assert_eq!(report["total"]["after"]["area"], after["total"]["area"]);
    for group in after["groups"].as_array().unwrap() {
        let own = report["groups"].as_array().unwrap().iter().find(|own| own["key"] == group["key"]).unwrap();
        assert_eq!(own["after"]["area"], group["area"]);
    }
    let features = place.json(&format!("/collections/parcels/difference?from={from}&f=geojson"));
    let told: Vec<_> = features["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["id"].as_i64().unwrap(), f["properties"]["mutu_change"].as_str().unwrap().to_owned()))
        .collect();
    let told: Vec<_> = told.iter().map(|(id, what)| (*id, what.as_str())).collect();
    assert_eq!(told, [(7, "changed"), (9, "removed"), (5001, "added")]);
    assert_eq!(features["features"][0]["properties"]["mutu_changed"], "status");
    let table = place.get(&format!("/collections/parcels/difference?from={from}&f=csv"));
    assert_eq!(table.text().lines().count(), 4, "{}", table.text());
    // Geometries as they stood, where they stood: the changed one twice, the removed one before, the added one after.
    let mut reader = csv::Reader::from_reader(&table.body[..]);
    let head = reader.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|held| held == name).unwrap();
    let wkt = |row: &csv::StringRecord| [column("WKT before"), column("WKT after")].map(|at| row[at].to_owned());
    let rows: Vec<_> = reader.records().map(|row| wkt(&row.unwrap())).collect();
    let outline = |feature: &serde_json::Value| {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        let places: Vec<String> = ring.iter().map(|at| format!("{} {}", at[0], at[1])).collect();
        format!("POLYGON(({}))", places.join(","))
    };
    let wanted: Vec<String> = features["features"].as_array().unwrap().iter().map(outline).collect();
    let plain = |wkt: &String| wkt.replace("MULTIPOLYGON(((", "POLYGON((").replace(")))", "))");
    assert_eq!(rows[0].each_ref().map(plain), [wanted[0].clone(), wanted[0].clone()]);
    assert_eq!(rows[1].each_ref().map(plain), [wanted[1].clone(), String::new()]);
    assert_eq!(rows[2].each_ref().map(plain), [String::new(), wanted[2].clone()]);
    let bare = place.get(&format!("/collections/parcels/difference?from={from}&f=csv&geometry=false"));
    assert!(bare.status == 200 && !bare.text().contains("WKT") && !bare.text().contains("POLYGON"), "{}", bare.text());
    for query in ["f=csv&geometry=yes", "f=json&geometry=true"] {
        let refused = place.get(&format!("/collections/parcels/difference?from={from}&{query}"));
        assert_eq!((refused.status.as_u16(), &refused.json()["parameter"]), (400, &"geometry".into()), "{query}");
    }
    for (query, code) in
        [("", 400), ("from=gestern", 400), ("from=2026-01-01/..", 400), ("from=99999", 404), ("from=1&nonsense=1", 400)]
    {
        assert_eq!(place.get(&format!("/collections/parcels/difference?{query}")).status, code, "{query}");
    }
    // Before the record everything is added.
    let all = place.json("/collections/parcels/difference?from=0&to=11");
    assert_eq!(all["added"]["count"], all["total"]["after"]["count"]);
}

fn post(place: &Place, path: &str, body: &str) -> (u16, serde_json::Value) {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    let request = axum::http::Request::builder()
        .method("POST")
        .uri(crate::http::encode(path))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = place.app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    })
}

#[test]
fn an_edit_is_undone_and_a_feature_restored_over_http() {
    let place = Place::demo();
    let then = place.moment();
    let (_, version) = feature(&place.planner.read(), "parcels", 9);
    let was = place.json("/collections/parcels/items/9");
    let seq = place.commit(vec![Change::Delete { layer: layer("parcels"), id: 9, expects: version }]);
    let undo = format!("/changes/{seq}/undo");
    let (status, told) = post(&place, &format!("{undo}?dry-run=true"), r#"{"note":"误删"}"#);
    assert_eq!((status, &told["seq"], told["dryRun"].as_bool()), (200, &serde_json::Value::Null, Some(true)), "{told}");
    assert_eq!(place.get("/collections/parcels/items/9").status, 404);
    let (status, told) = post(&place, &undo, r#"{"note":"误删"}"#);
    assert_eq!((status, told["seq"].as_i64()), (201, Some(seq + 1)), "{told}");
    assert_eq!(told["changes"][0]["operation"], "added");
    assert_eq!(told["changes"][0]["after"]["area_m2"], was["properties"]["area_m2"]);
    assert_eq!(place.json("/collections/parcels/items/9")["properties"], was["properties"]);
    // What was undone is not undone again.
    let (status, told) = post(&place, &undo, "{}");
    assert!(status == 409 && told["detail"].as_str().unwrap().contains("feature 9 of parcels"), "{status} {told}");
    let (_, version) = feature(&place.planner.read(), "parcels", 7);
    place.commit(vec![Change::Delete { layer: layer("parcels"), id: 7, expects: version }]);
    let restore = "/collections/parcels/restore";
    let (status, told) = post(&place, restore, &format!(r#"{{"datetime":"{then}","id":7,"note":"恢复"}}"#));
    assert_eq!((status, told["changes"].as_array().unwrap().len()), (201, 1), "{told}");
    // Everything is as it was then: there is nothing to do, and that is no failure.
    let (status, told) = post(&place, restore, &format!(r#"{{"datetime":"{then}","note":"恢复"}}"#));
    assert_eq!((status, told["changes"].as_array().unwrap().len()), (200, 0), "{told}");
    for (path, body, code) in [
        ("/changes/99999/undo", "{}", 404),
        ("/changes/1/undo", "{}", 404),
        (restore, "{}", 400),
        (restore, r#"{"datetime":"gestern"}"#, 400),
        (restore, r#"{"datetime":"2026-01-01/.."}"#, 400),
        (restore, r#"{"seq":1,"datetime":"2026-01-01"}"#, 400),
        (restore, r#"{"seq":99999}"#, 404),
        (restore, r#"{"seq":5,"colour":"red"}"#, 400),
        ("/collections/nothing/restore", r#"{"seq":5}"#, 404),
    ] {
        let (status, told) = post(&place, path, body);
        assert_eq!(status, code, "{path} {body}: {told}");
    }
}

#[test]
fn the_way_back_answers_as_every_other_edit_does() {
    let own = crate::http::Own::new();
    let json = ("content-type", "application/json");
    let (_, version) = feature(&own.planner.read(), "parcels", 9);
    let edit = serde_json::json!({ "note": "", "changes": [{ "delete": { "layer": "parcels", "id": 9, "version": version } }] });
    let edited = own.send("POST", "/changes", &[json], &edit.to_string());
    let seq = edited.json()["seq"].as_i64().unwrap();
    let members = |answer: &crate::http::Answer| answer.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let undo = format!("/changes/{seq}/undo");
    for (path, status) in [(format!("{undo}?dry-run=true"), 200), (undo, 201)] {
        let answer = own.send("POST", &path, &[json], "{}");
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (status, "no-store"), "{}", answer.text());
        assert_eq!(members(&answer), members(&edited));
        let told = if status == 201 { (seq + 1).to_string() } else { seq.to_string() };
        assert_eq!(answer.header("mutu-as-of"), told, "{path}");
    }
    // Nothing to do is said in the same words.
    let restore = own.send("POST", "/collections/parcels/restore", &[json], &format!(r#"{{"seq":{}}}"#, seq + 1));
    assert_eq!((restore.status.as_u16(), restore.header("cache-control")), (200, "no-store"), "{}", restore.text());
    assert_eq!(members(&restore), members(&edited));
    // What cannot be written is not undone either.
    for path in ["/changes/1/undo", "/collections/parcels/restore"] {
        let answer = crate::http::send_body(&crate::http::demo(), Method::POST, path, &[json], r#"{"seq":1}"#);
        assert_eq!(answer.status.as_u16(), 405, "{path}: {}", answer.text());
        assert!(answer.headers.contains_key("allow"), "{path}");
    }
}
