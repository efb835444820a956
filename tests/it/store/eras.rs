//! Eras: what an import replaces is kept, and any past state can be told from what is in the file.

use std::collections::BTreeMap;

use mutu::{
    domain::{edit::Change, feature::Feature},
    store::{Era, How, Reader, StoredRow, Workspace},
};

use super::{AT, Place, edit, feature, features, id, import, integrity, layer, note, put, put_change, run};

/// A layer in three eras, with edits and added rows in each; and its features after each number.
fn with_eras(place: &Place) -> Vec<BTreeMap<i64, Feature>> {
    let mut workspace = Workspace::create(&place.path).unwrap();
    let mut states = vec![BTreeMap::new()];
    let mut keep = |workspace: &Workspace| {
        states.push(features(workspace, "地块").into_iter().map(|feature| (feature.id, feature)).collect());
    };
    import(&mut workspace, &layer("地块"), 5);
    keep(&workspace);
    for era in 0..3 {
        let changed = |number: i64, by: i64| Feature { id: number, ..feature(number + by) };
        let base = workspace.seq().unwrap();
        let changes = vec![
            put_change("地块", changed(1, 50 + era), Some(base)),
            Change::Delete { layer: id("地块"), id: 2, expects: base },
            put_change("地块", changed(7, era), None),
        ];
        let first = workspace.commit(&edit(changes), AT + era).unwrap().seq;
        keep(&workspace);
        let mut append = workspace.begin_import(&layer("地块"), How::Append, note()).unwrap();
        put(&mut append, &feature(8 + era)).unwrap();
        let added = append.commit("{}").unwrap();
        keep(&workspace);
        let changes = vec![
            put_change("地块", changed(1, 70 + era), Some(first)),
            put_change("地块", changed(2, 90 + era), None),
            put_change("地块", changed(8 + era, 5), Some(added)),
        ];
        workspace.commit(&edit(changes), AT + era).unwrap();
        keep(&workspace);
        if era < 2 {
            let mut replace = workspace.begin_import(&layer("地块"), How::Replace, note()).unwrap();
            for number in 1..=4 {
                put(&mut replace, &changed(number, 10 * (era + 1))).unwrap();
            }
            replace.commit("{}").unwrap();
            keep(&workspace);
        }
    }
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
    states
}

/// The state after a number, worked out from the era's rows as a reader of the history would.
fn state_at(reader: &Reader, era: &Era, seq: i64) -> BTreeMap<i64, Feature> {
    let mut state = BTreeMap::new();
    let mut keep = |row: StoredRow<'_>| {
        let feature = row.to_feature()?;
        state.insert(feature.id, feature);
        Ok(())
    };
    reader.scan_era(era, &mut keep).unwrap();
    let span = (seq, era.until.unwrap_or(i64::MAX));
    let mut take_back = |change: mutu::store::StoredChange| {
        match change.before {
            Some(before) => state.insert(change.id, before),
            None => state.remove(&change.id),
        };
        Ok(())
    };
    reader.history().first_changes("地块", span, &mut take_back).unwrap();
    state.retain(|id, _| era.import_of(*id) <= seq);
    state
}

#[test]
fn every_past_state_of_a_layer_that_was_replaced_twice_comes_back_exactly() {
    let place = Place::new();
    let states = with_eras(&place);
    integrity(&place.path);
    let reader = Reader::open(&place.path).unwrap();
    let eras = reader.eras("地块").unwrap();
    assert_eq!(
        eras.iter().map(|era| (era.from, era.until)).collect::<Vec<_>>(),
        [(1, Some(5)), (5, Some(9)), (9, None)]
    );
    assert!(eras.iter().all(Era::is_kept));
    assert_eq!(eras[1].appends.iter().map(|a| (a.seq, a.first_id, a.last_id)).collect::<Vec<_>>(), [(7, 9, 9)]);
    assert_eq!(states.len(), 13);
    for (seq, wanted) in states.iter().enumerate().skip(1) {
        let seq = seq as i64;
        let era = eras.iter().rev().find(|era| era.from <= seq).unwrap();
        assert_eq!(&state_at(&reader, era, seq), wanted, "number {seq}");
    }
    assert_eq!(reader.versions_at(&eras[0], 3).unwrap(), [(1, 2), (2, 2), (7, 2)].into());
    assert_eq!(reader.versions_at(&eras[0], 100).unwrap(), [(1, 4), (2, 4), (7, 2), (8, 4)].into());
    assert_eq!(reader.eras("无").unwrap(), []);
}

#[test]
fn tables_of_the_past_are_data_to_no_other_program() {
    let place = Place::new();
    with_eras(&place);
    let told = run("ogrinfo", &["-ro", place.path.to_str().unwrap()]);
    assert!(told.contains("地块") && !told.contains("mutu_past"), "{told}");
    let sql = "SELECT count(*) FROM sqlite_schema WHERE tbl_name LIKE 'mutu_past%' AND type <> 'table'";
    assert_eq!(run("sqlite3", &[place.path.to_str().unwrap(), sql]).trim(), "0");
}

#[test]
fn a_view_that_a_user_made_follows_the_layer_and_not_its_past() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3);
    run("sqlite3", &[place.path.to_str().unwrap(), "CREATE VIEW 我的 AS SELECT count(*) AS n FROM 地块"]);
    let mut replace = workspace.begin_import(&layer("地块"), How::Replace, note()).unwrap();
    put(&mut replace, &feature(1)).unwrap();
    replace.commit("{}").unwrap();
    workspace.close().unwrap();
    assert_eq!(run("sqlite3", &[place.path.to_str().unwrap(), "SELECT n FROM 我的"]).trim(), "1");
}

#[test]
fn a_moment_is_the_last_state_before_anything_later_whatever_the_clock_did() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1);
    for (seq, late) in [(2, 1000), (3, 5000), (4, 2000), (5, 5000), (6, 6000)] {
        let version = workspace.version("地块", 1).unwrap();
        let receipt = workspace.commit(&edit(vec![put_change("地块", feature(1), version)]), AT + late).unwrap();
        assert_eq!(receipt.seq, seq);
        assert_eq!(workspace.history().edit(seq).unwrap().unwrap().hash, Some(receipt.hash));
    }
    let history = workspace.history();
    let found = |late: i64| history.seq_at(AT + late).unwrap();
    assert_eq!([-1, 0, 999, 1000, 2000, 4999, 5000, 5999, 6000].map(found), [0, 1, 1, 2, 2, 2, 5, 5, 6]);
    assert_eq!((history.seq_at(i64::MAX).unwrap(), history.seq_at(i64::MIN).unwrap()), (6, 0));
}
