//! Edits: versions, conflicts, history.

use mutu::{
    domain::{
        edit::{Change, Edit, Lineage},
        feature::{Value, ValueRef},
    },
    store::{How, StoreError, StoredLineage, Workspace},
};

use super::{AT, Place, edit, feature, features, id, import, integrity, layer, note, put, put_change, square};

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
