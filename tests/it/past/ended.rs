//! The way back and the story of a feature where an era ended or the record was compacted between.

use mutu::{
    domain::{
        edit::Change,
        feature::{Feature, Value},
    },
    planner::{PastError, Planner, PlannerError, Since},
    store::{How, Workspace},
};

use super::{
    eras::{edit, import, loaded, parcel, parcels, put, square},
    layer,
};

const HOUR: i64 = 3_600_000;

#[test]
fn a_deletion_of_an_era_that_is_over_is_not_undone_into_the_layer_that_took_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    let two = |id: i64, first: &str, second: &str| Feature {
        id,
        shape: Some(square(id, 1)),
        values: vec![Value::Text(first.to_owned()), Value::Text(second.to_owned())],
    };
    let rows = [two(1, "甲", "01"), two(2, "乙", "02")];
    import(&mut workspace, &parcels(&["名称", "编号"]), How::Create, &rows, HOUR);
    let gone = Change::Delete { layer: layer("地块"), id: 2, expects: 1 };
    assert_eq!(edit(&mut workspace, vec![gone], 2 * HOUR), 2);
    // The same two types of columns, but the other way round.
    import(&mut workspace, &parcels(&["编号", "名称"]), How::Replace, &[two(1, "01", "甲")], 3 * HOUR);
    workspace.close().unwrap();
    let planner = loaded(&path);
    let error = planner.undoing(2, "王工", "").unwrap_err();
    let PlannerError::Past(PastError::ChangedSince { seq: 2, conflicts }) = &error else { panic!("{error}") };
    assert_eq!((conflicts.len(), conflicts[0].id, conflicts[0].by), (1, 2, 3));
}

#[test]
fn the_first_change_that_a_compacted_record_keeps_is_told_as_the_change_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    import(&mut workspace, &parcels(&["名称"]), How::Create, &[parcel(1, "甲", 1), parcel(2, "乙", 1)], HOUR);
    edit(&mut workspace, vec![put(parcel(1, "二", 1), Some(1))], 2 * HOUR);
    edit(&mut workspace, vec![put(parcel(1, "三", 2), Some(2))], 3 * HOUR);
    workspace.compact(3, "admin").unwrap();
    workspace.close().unwrap();
    let planner = loaded(&path);
    let story = planner.story("地块", 1, &|_, _| true).unwrap();
    let last = &story[0];
    assert_eq!((last.made.seq, last.operation, last.kept), (3, "changed", true));
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(last.differences, [("名称".to_owned(), text("二"), text("三"))]);
    assert!(last.area.0.is_some() && last.area.0 != last.area.1 && last.geometry_changed);
    assert!(!story[1].kept);
    // What was compacted away cannot be taken back, and is not passed over in silence.
    let error = planner.undoing(2, "王工", "").unwrap_err();
    assert!(matches!(error, PlannerError::Past(PastError::NotKept { kept_from: 3 })), "{error}");
}

#[test]
fn a_list_of_the_record_does_not_count_what_was_compacted_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    let rows = |count: i64| (1..=count).map(|id| parcel(id, "甲", 1)).collect::<Vec<_>>();
    import(&mut workspace, &parcels(&["名称"]), How::Create, &rows(5), HOUR);
    import(&mut workspace, &parcels(&["名称"]), How::Replace, &rows(3), 2 * HOUR);
    workspace.compact(2, "admin").unwrap();
    workspace.close().unwrap();
    let listed = Planner::list_record(&path, Since::Seq(0)).unwrap();
    let added: Vec<_> = listed.iter().flat_map(|entry| &entry.layers).map(|of| of.added).collect();
    assert_eq!(added, [None, Some(3)]);
}
