//! The one door: what is written shows at once, and exactly as a fresh look at the file shows it.

use std::collections::BTreeMap;

use mutu::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value},
        report::Weight,
        schema::LayerId,
    },
    ground::{shape::Shape, units::Basis},
    planner::{ErrorClass, IfExists, ImportRequest, Planner, PlannerError, StatisticsQuestion, statistics},
};

fn parcels() -> LayerId {
    "parcels".parse().unwrap()
}

fn demo() -> (tempfile::TempDir, Planner) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heshan.gpkg");
    Planner::seed(&path, &mut |_| ()).unwrap();
    let planner = Planner::open(&path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    (folder, planner)
}

/// Everything that answers can be made of: id, version, area, geometry and values of each feature.
fn picture(catalog: &Catalog) -> BTreeMap<i64, String> {
    let state = catalog.layer("parcels").unwrap();
    let table = state.table();
    let mut seen = BTreeMap::new();
    for row in table.rows_by_id(i64::MIN) {
        let feature = table.feature(row);
        let shape = feature.shape.map(|shape| shape.coords().to_vec());
        let text = format!(
            "{} {:?} {:?} {shape:?} {:?}",
            table.version(row),
            table.area(row, Basis::Ellipsoidal),
            table.area(row, Basis::Planar),
            feature.values
        );
        assert!(seen.insert(feature.id, text).is_none(), "feature {} is there twice", feature.id);
        assert_eq!(table.row_of(feature.id), Some(row));
    }
    assert_eq!(seen.len(), table.len());
    seen
}

fn feature(catalog: &Catalog, id: i64) -> (Feature, i64) {
    let table = catalog.layer("parcels").unwrap().table();
    let row = table.row_of(id).unwrap();
    let view = table.feature(row);
    let values = view.values.iter().map(|value| value.to_value()).collect();
    (Feature { id, shape: view.shape.map(|shape| shape.to_shape()), values }, table.version(row))
}

fn edit(changes: Vec<Change>) -> Edit {
    Edit { author: "tests".to_owned(), note: "as a planner would".to_owned(), changes, lineage: vec![] }
}

#[test]
fn after_many_edits_the_picture_is_what_a_fresh_look_at_the_file_gives() {
    let (_folder, planner) = demo();
    let schema = planner.read().layer("parcels").unwrap().layer().schema.clone();
    let note = schema.position("note").unwrap();
    for round in 0..40_i64 {
        let catalog = planner.read();
        let (mut moved, version) = feature(&catalog, 1 + round * 7);
        moved.values[note] = Value::Text(format!("第{round}轮"));
        for at in moved.shape.as_mut().unwrap().coords_mut() {
            at.x += 1e-5;
        }
        let (_, doomed) = feature(&catalog, 1000 + round);
        let mut added = moved.clone();
        added.id = 5000 + round;
        let changes = vec![
            Change::Put { layer: parcels(), feature: moved, expects: Some(version) },
            Change::Delete { layer: parcels(), id: 1000 + round, expects: doomed },
            Change::Put { layer: parcels(), feature: added, expects: None },
        ];
        let receipt = planner.commit(&edit(changes)).unwrap();
        assert_eq!(planner.read().seq(), receipt.seq);
    }
    let kept = picture(&planner.read());
    planner.load(&mut |_| ()).unwrap();
    assert_eq!(kept, picture(&planner.read()));
    assert!(kept.contains_key(&5039) && !kept.contains_key(&1039));
}

#[test]
fn an_edit_on_an_old_version_changes_nothing() {
    let (_folder, planner) = demo();
    let before = picture(&planner.read());
    let (first, version) = feature(&planner.read(), 3);
    let stale = Change::Put { layer: parcels(), feature: first.clone(), expects: Some(version + 1000) };
    let sound = Change::Delete { layer: parcels(), id: 4, expects: version };
    let error = planner.commit(&edit(vec![sound, stale])).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict, "{error}");
    assert_eq!(picture(&planner.read()), before);
    planner.load(&mut |_| ()).unwrap();
    assert_eq!(picture(&planner.read()), before);
}

#[test]
fn an_edit_and_its_inverse_leave_every_figure_as_it_was() {
    let (_folder, planner) = demo();
    let total = |planner: &Planner| {
        let question = StatisticsQuestion { group_by: Some("town,status".to_owned()), ..StatisticsQuestion::default() };
        let answer = statistics(&planner.read(), "parcels", &question).unwrap();
        (answer.groups, answer.total, answer.overlap)
    };
    let before = total(&planner);
    let (kept, version) = feature(&planner.read(), 11);
    let receipt = planner.commit(&edit(vec![Change::Delete { layer: parcels(), id: 11, expects: version }])).unwrap();
    assert_ne!(total(&planner).1, before.1);
    assert!(receipt.seq > version);
    planner.commit(&edit(vec![Change::Put { layer: parcels(), feature: kept, expects: None }])).unwrap();
    assert_eq!(total(&planner), before);
}

#[test]
fn readers_keep_the_moment_at_which_they_began() {
    let (_folder, planner) = demo();
    let earlier = planner.read();
    let before = picture(&earlier);
    let (_, version) = feature(&earlier, 20);
    planner.commit(&edit(vec![Change::Delete { layer: parcels(), id: 20, expects: version }])).unwrap();
    assert_eq!(picture(&earlier), before);
    assert_eq!(planner.read().layer("parcels").unwrap().table().len(), before.len() - 1);
}

#[test]
fn an_edit_that_does_not_fit_the_schema_reaches_neither_the_file_nor_the_picture() {
    let (_folder, planner) = demo();
    let before = picture(&planner.read());
    let (mut wrong, version) = feature(&planner.read(), 5);
    wrong.values[0] = Value::Boolean(true);
    let put = Change::Put { layer: parcels(), feature: wrong, expects: Some(version) };
    assert!(planner.commit(&edit(vec![put])).is_err());
    let nowhere = Change::Delete { layer: "nix".parse().unwrap(), id: 1, expects: 1 };
    assert!(planner.commit(&edit(vec![nowhere])).is_err());
    planner.load(&mut |_| ()).unwrap();
    assert_eq!(picture(&planner.read()), before);
}

#[test]
fn an_import_into_a_loaded_workspace_shows_at_once() {
    let (folder, planner) = demo();
    let file = folder.path().join("new.geojson");
    let ring = "[[[112.9,22.7],[112.901,22.7],[112.901,22.701],[112.9,22.701],[112.9,22.7]]]";
    let text =
        format!(r#"{{"type":"Feature","properties":{{"a":1}},"geometry":{{"type":"Polygon","coordinates":{ring}}}}}"#);
    std::fs::write(&file, text).unwrap();
    let request = ImportRequest { file, if_exists: IfExists::Refuse, ..ImportRequest::default() };
    let report = planner.import(&request, &mut |_| ()).unwrap();
    assert_eq!((report.read, report.stored), (1, 1));
    assert!(report.findings.iter().all(|finding| finding.weight == Weight::Note), "{:?}", report.findings);
    let catalog = planner.read();
    let table = catalog.layer("new").unwrap().table();
    let row = table.rows().next().unwrap();
    assert!(table.area(row, Basis::Ellipsoidal).is_some());
    assert_eq!(
        table.shape(row).map(|s| s.to_shape()),
        Some(Shape::polygon(&[[(112.9, 22.7), (112.901, 22.7), (112.901, 22.701), (112.9, 22.701), (112.9, 22.7),]
            .map(|(x, y)| geo::Coord { x, y })
            .to_vec()]))
    );
}

#[test]
fn an_import_that_is_stored_and_cannot_be_shown_says_that_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let point = |id: i64| {
        format!(
            r#"{{"type":"Feature","id":{id},"properties":{{"n":{id}}},"geometry":{{"type":"Point","coordinates":[112.9,22.7]}}}}"#
        )
    };
    let file = folder.path().join("one.geojson");
    std::fs::write(&file, format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, point(1), point(2))).unwrap();
    let planner = Planner::open_or_create(&path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    let request =
        |layer: &str| ImportRequest { file: file.clone(), layer: Some(layer.to_owned()), ..Default::default() };
    planner.import(&request("first"), &mut |_| ()).unwrap();
    // Another program spoils a cell, behind the back of what watches for it.
    let spoil = "INSERT INTO mutu_workspace VALUES ('writing', ''); UPDATE first SET n = 'high' WHERE fid = 2; \
                 DELETE FROM mutu_workspace WHERE key = 'writing'";
    mutu::gpkg::connection::open(&path).unwrap().execute_batch(spoil).unwrap();
    let error = planner.import(&request("second"), &mut |_| ()).unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, PlannerError::NotShown { seq: 2, .. }), "{told}");
    assert!(told.contains("stored as number 2") && told.contains("do not import it a second time"), "{told}");
    planner.close().unwrap();
    let reader = mutu::store::Reader::open(&path).unwrap();
    assert!(reader.seq() == 2 && reader.layers().iter().any(|stored| stored.layer.id.as_str() == "second"));
}
