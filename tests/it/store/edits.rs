//! Edits: versions, conflicts, history.

use mutu::{
    domain::{
        edit::{Change, Edit, Lineage},
        feature::{Value, ValueRef},
    },
    ground::shape::Shape,
    store::{How, StoreError, StoredLineage, Workspace},
};

use super::{AT, Place, edit, feature, features, id, import, integrity, layer, note, put, put_change, run, square};

#[test]
fn an_edit_puts_deletes_and_keeps_what_was_before_and_after() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 5);
    let mut changed = feature(2);
    changed.shape = Some(square(777));
    changed.values[0] = Value::Text("改".to_owned());
    let changes = vec![
        put_change("地块", changed.clone(), Some(1)),
        put_change("地块", feature(6), None),
        Change::Delete { layer: id("地块"), id: 3, expects: 1 },
    ];
    let receipt = workspace.commit(&edit(changes), AT + 1).unwrap();
    assert_eq!(receipt.seq, 2);
    let wanted = [feature(1), changed.clone(), feature(4), feature(5), feature(6)];
    assert_eq!(features(&workspace, "地块"), wanted);
    assert_eq!(workspace.version("地块", 2).unwrap(), Some(2));
    assert_eq!(workspace.version("地块", 3).unwrap(), None);
    assert_eq!(workspace.version("地块", 4).unwrap(), Some(1));
    let versions = workspace.versions("地块").unwrap();
    assert_eq!((versions.get(&2), versions.get(&6), versions.get(&1)), (Some(&2), Some(&2), None));

    let history = workspace.history().changes_of(2).unwrap();
    let told: Vec<_> = history.into_iter().map(|change| (change.id, change.before, change.after)).collect();
    assert_eq!(told, [(2, Some(feature(2)), Some(changed)), (6, None, Some(feature(6))), (3, Some(feature(3)), None)]);
    let edits = workspace.history().edits_since(1).unwrap();
    assert_eq!((edits[0].author.as_str(), edits[0].note.as_str(), edits[0].at), ("王工", "补测", AT + 1));
    assert_eq!(workspace.check().unwrap(), []);

    // A deleted feature can come back under its id, and its versions go on.
    let back = workspace.commit(&edit(vec![put_change("地块", feature(3), None)]), AT + 2).unwrap();
    assert_eq!(workspace.version("地块", 3).unwrap(), Some(back.seq));
    assert_eq!(workspace.history().history_of("地块", 3).unwrap().len(), 2);
    workspace.close().unwrap();
    integrity(&place.path);
    assert_eq!(features(&Workspace::open(&place.path).unwrap(), "地块").len(), 6);
}

#[test]
fn an_edit_with_a_stale_version_changes_nothing_at_all() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3);
    workspace.commit(&edit(vec![put_change("地块", feature(2), Some(1))]), AT).unwrap();
    let cases = [
        (put_change("地块", feature(2), Some(1)), Some(1), Some(2)),
        (put_change("地块", feature(2), None), None, Some(2)),
        (put_change("地块", feature(9), Some(1)), Some(1), None),
        (Change::Delete { layer: id("地块"), id: 2, expects: 1 }, Some(1), Some(2)),
        (Change::Delete { layer: id("地块"), id: 9, expects: 1 }, Some(1), None),
    ];
    for (stale, expects, finds) in cases {
        let mut good = feature(1);
        good.values[0] = Value::Text("不得留下".to_owned());
        let both = edit(vec![put_change("地块", good, Some(1)), stale]);
        match workspace.commit(&both, AT) {
            Err(StoreError::Conflict { expected, found, .. }) => assert_eq!((expected, found), (expects, finds)),
            other => panic!("{other:?}"),
        }
        assert_eq!(workspace.seq().unwrap(), 2);
        assert_eq!(features(&workspace, "地块"), [feature(1), feature(2), feature(3)]);
        assert_eq!(workspace.history().edits_since(2).unwrap(), []);
    }
    assert_eq!(workspace.check().unwrap(), []);
}

#[test]
fn an_edit_that_makes_no_sense_is_refused_whole() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 2);
    let twice = vec![put_change("地块", feature(1), Some(1)), put_change("地块", feature(1), Some(1))];
    assert!(matches!(workspace.commit(&edit(twice), AT), Err(StoreError::Refused { .. })));
    let nowhere = vec![put_change("地块", feature(1), Some(1)), put_change("无", feature(1), None)];
    assert!(matches!(workspace.commit(&edit(nowhere), AT), Err(StoreError::UnknownLayer { .. })));
    let mut wrong = feature(2);
    wrong.values[3] = Value::Real(f64::NAN);
    let wrong = vec![put_change("地块", feature(1), Some(1)), put_change("地块", wrong, Some(1))];
    assert!(matches!(workspace.commit(&edit(wrong), AT), Err(StoreError::Refused { .. })));
    assert!(workspace.commit(&edit(vec![]), AT).is_err());
    assert_eq!((workspace.seq().unwrap(), features(&workspace, "地块")), (1, vec![feature(1), feature(2)]));
}

#[test]
fn an_import_that_adds_rows_is_the_version_of_these_alone() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3);
    let changes =
        vec![put_change("地块", feature(1), Some(1)), Change::Delete { layer: id("地块"), id: 3, expects: 1 }];
    workspace.commit(&edit(changes), AT).unwrap();
    let mut append = workspace.begin_import(&layer("地块"), How::Append, note()).unwrap();
    // The id of a feature that was deleted is not given again.
    let refused = put(&mut append, &feature(3)).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }) && refused.to_string().contains("after 3"), "{refused}");
    assert_eq!(append.put(None, None, &[ValueRef::Null; 6]).unwrap(), 4);
    put(&mut append, &feature(9)).unwrap();
    assert_eq!(append.commit("{}").unwrap(), 3);
    workspace.commit(&edit(vec![put_change("地块", feature(9), Some(3))]), AT).unwrap();
    let version = |id| workspace.version("地块", id).unwrap();
    assert_eq!([1, 2, 3, 4, 9].map(version), [Some(2), Some(1), None, Some(3), Some(4)]);
    assert_eq!(workspace.next_id("地块").unwrap(), 10);
    assert_eq!(workspace.check().unwrap(), []);
}

#[test]
fn lineage_is_kept_with_the_edit_and_must_be_of_features_that_it_puts() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3);
    let split = |children: Vec<i64>| Edit {
        lineage: vec![Lineage { layer: id("地块"), parents: vec![1], children }],
        ..edit(vec![
            Change::Delete { layer: id("地块"), id: 1, expects: 1 },
            put_change("地块", feature(4), None),
            put_change("地块", feature(5), None),
        ])
    };
    let error = workspace.commit(&split(vec![4, 6]), AT).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains("feature 6"), "{error}");
    workspace.commit(&split(vec![4, 5]), AT).unwrap();
    let merge = Edit {
        lineage: vec![Lineage { layer: id("地块"), parents: vec![4, 2], children: vec![2] }],
        ..edit(vec![Change::Delete { layer: id("地块"), id: 4, expects: 2 }, put_change("地块", feature(2), Some(1))])
    };
    workspace.commit(&merge, AT).unwrap();
    let pairs = |found: Vec<StoredLineage>| found.iter().map(|l| (l.seq, l.parent, l.child)).collect::<Vec<_>>();
    let history = workspace.history();
    assert_eq!(pairs(history.lineage_of(2).unwrap()), [(2, 1, 4), (2, 1, 5)]);
    assert_eq!(pairs(history.lineage_of_feature("地块", 4).unwrap()), [(2, 1, 4), (3, 4, 2)]);
    assert_eq!(pairs(history.lineage_of_feature("地块", 3).unwrap()), []);
}

#[test]
fn an_edit_of_values_alone_leaves_the_geometry_and_one_of_a_spoilt_geometry_writes_it_anew() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3);
    workspace.close().unwrap();
    // Another number of the CRS stands before the same coordinates, and nobody noticed when that was written.
    let other = mutu::gpkg::connection::open(&place.path).unwrap();
    let head =
        "UPDATE 地块 SET geom = cast(substr(geom, 1, 4) || x'00000000' || substr(geom, 9) AS BLOB) WHERE fid = 2";
    assert_eq!(other.execute("INSERT INTO mutu_workspace VALUES ('writing', '1')", []), Ok(1));
    assert_eq!(other.execute(head, []), Ok(1));
    assert_eq!(other.execute("DELETE FROM mutu_workspace WHERE key = 'writing'", []), Ok(1));
    drop(other);
    let blobs = || super::run("sqlite3", &[place.path.to_str().unwrap(), "SELECT hex(substr(geom, 5, 4)) FROM 地块"]);
    assert_eq!(blobs(), "8A110000\n00000000\n8A110000\n");
    let mut workspace = Workspace::open(&place.path).unwrap();
    let with = |number: i64| {
        let mut feature = feature(number);
        feature.values[0] = Value::Text("改".to_owned());
        feature
    };
    let mut without = with(3);
    without.shape = None;
    let changes = vec![
        put_change("地块", with(1), Some(1)),
        put_change("地块", with(2), Some(1)),
        put_change("地块", without.clone(), Some(1)),
    ];
    workspace.commit(&edit(changes), AT).unwrap();
    assert_eq!(features(&workspace, "地块"), [with(1), with(2), without]);
    assert_eq!(workspace.check().unwrap(), []);
    let found = workspace.reader().unwrap().verify(&mut |_, _| ()).unwrap();
    assert_eq!(found.discrepancies, []);
    workspace.close().unwrap();
    assert_eq!(blobs(), "8A110000\n8A110000\n\n");
}

/// A large edit of every kind of change, in no order, and what it makes of features 1 to 1500.
fn large() -> (Vec<Change>, Vec<mutu::domain::feature::Feature>) {
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    for number in 1..=2000 {
        let mut feature = feature(number);
        let change = match number % 7 {
            _ if number > 1500 => put_change("地块", feature.clone(), None),
            0 => {
                changes.push(Change::Delete { layer: id("地块"), id: number, expects: 1 });
                continue;
            }
            1 => {
                left.push(feature);
                continue;
            }
            2 => {
                feature.shape = Some(square(number + 500_000));
                put_change("地块", feature.clone(), Some(1))
            }
            3 => {
                // So little that the box in the index is the same.
                feature.shape.iter_mut().flat_map(Shape::coords_mut).for_each(|at| at.x += 1e-11);
                put_change("地块", feature.clone(), Some(1))
            }
            4 => {
                feature.shape = None;
                put_change("地块", feature.clone(), Some(1))
            }
            _ => {
                feature.values[0] = Value::Text("改".to_owned());
                put_change("地块", feature.clone(), Some(1))
            }
        };
        left.push(feature);
        changes.push(change);
    }
    changes.reverse();
    (changes, left)
}

/// The boxes in the R-tree, and those that the rows' geometries have, by ids.
const BOXES: &str = "SELECT count(*) FROM rtree_地块_geom; \
    SELECT count(*) FROM 地块 JOIN rtree_地块_geom r ON r.id = fid WHERE geom IS NOT NULL";

#[test]
fn a_large_edit_leaves_rows_index_record_and_triggers_as_many_small_ones_do() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1500);
    let (changes, left) = large();
    assert!(changes.len() > 1500);
    let triggers = "SELECT count(*), sum(length(sql)) FROM sqlite_schema WHERE type = 'trigger'";
    let before = run("sqlite3", &[place.path.to_str().unwrap(), triggers]);
    let receipt = workspace.commit(&edit(changes.clone()), AT).unwrap();
    assert_eq!(features(&workspace, "地块"), left);
    // The record has the changes in the edit's own order.
    let told = workspace.history().changes_of(receipt.seq).unwrap();
    assert!(told.iter().map(|change| change.id).eq(changes.iter().map(|change| change.target().1)));
    // The triggers work again: those of the R-tree for an edit of ours, those of the shadow for another program.
    let mut moved = feature(1);
    moved.shape = Some(square(900_000));
    workspace.commit(&edit(vec![put_change("地块", moved, Some(1))]), AT).unwrap();
    assert_eq!(workspace.check().unwrap(), []);
    assert_eq!(workspace.reader().unwrap().verify(&mut |_, _| ()).unwrap().discrepancies, []);
    workspace.close().unwrap();
    integrity(&place.path);
    let placed = left.iter().filter(|feature| feature.shape.is_some()).count();
    let path = place.path.to_str().unwrap();
    assert_eq!(run("sqlite3", &[path, triggers]), before);
    assert_eq!(run("sqlite3", &[path, BOXES]), format!("{placed}\n{placed}\n"));
    assert_eq!(run("sqlite3", &[path, "SELECT rtreecheck('rtree_地块_geom')"]), "ok\n");
    // What GDAL finds by the index in a box is what lies there.
    for number in [2, 3, 5, 9, 1600] {
        let Some(bounds) = left.iter().find(|f| f.id == number).and_then(|f| f.shape.as_ref()?.view().bounds()) else {
            panic!("{number}");
        };
        let (x, y) = (bounds.center().x.to_string(), bounds.center().y.to_string());
        let found = run("ogrinfo", &["-ro", path, "地块", "-spat", &x, &y, &x, &y, "-geom=NO"]);
        assert!(found.contains(&format!("OGRFeature(地块):{number}\n")), "{found}");
    }
}

#[test]
fn a_large_edit_fires_the_triggers_that_another_program_added() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1500);
    workspace.close().unwrap();
    // As GDAL keeps its count of features.
    let other = mutu::gpkg::connection::open(&place.path).unwrap();
    other
        .execute_batch(
            "CREATE TABLE told (gone INTEGER, put INTEGER); INSERT INTO told VALUES (0, 0); \
             CREATE TRIGGER gone AFTER DELETE ON \"地块\" BEGIN UPDATE told SET gone = gone + 1; END; \
             CREATE TRIGGER put AFTER INSERT ON \"地块\" BEGIN UPDATE told SET put = put + 1; END",
        )
        .unwrap();
    drop(other);
    let mut workspace = Workspace::open(&place.path).unwrap();
    let (changes, left) = large();
    workspace.commit(&edit(changes), AT).unwrap();
    assert_eq!(features(&workspace, "地块"), left);
    assert_eq!(workspace.reader().unwrap().verify(&mut |_, _| ()).unwrap().discrepancies, []);
    workspace.close().unwrap();
    let path = place.path.to_str().unwrap();
    assert_eq!(run("sqlite3", &[path, "SELECT gone, put FROM told"]), "214|500\n");
    assert_eq!(run("sqlite3", &[path, "SELECT rtreecheck('rtree_地块_geom')"]), "ok\n");
}

#[test]
fn a_large_edit_that_cannot_be_stored_leaves_nothing_and_the_triggers_as_they_were() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1500);
    let (mut changes, _) = large();
    changes.insert(700, put_change("地块", feature(8), Some(77)));
    let error = workspace.commit(&edit(changes), AT).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { id: 8, .. }), "{error}");
    let untouched: Vec<_> = (1..=1500).map(feature).collect();
    assert_eq!((workspace.seq().unwrap(), features(&workspace, "地块")), (1, untouched));
    let mut moved = feature(1);
    moved.shape = Some(square(900_000));
    workspace.commit(&edit(vec![put_change("地块", moved, Some(1))]), AT).unwrap();
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
    integrity(&place.path);
    let wanted = "SELECT minx < 112.51 AND miny > 22.09 FROM rtree_地块_geom WHERE id = 1";
    assert_eq!(run("sqlite3", &[place.path.to_str().unwrap(), wanted]), "1\n");
}
