//! A workspace of format 1, written by the last program of that format, is taken over whole.

use std::path::Path;

use mutu::{
    domain::feature::{Feature, Value},
    gpkg::connection,
    planner::Planner,
    store::{How, Reader, StoreError, StoredRow, Workspace},
};

use super::{AT, Place, edit, feature, features, layer, note, put, put_change, run};

/// A copy of the fixture.
fn old() -> Place {
    let place = Place::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/workspaces/format-1.gpkg");
    std::fs::copy(fixture, &place.path).unwrap();
    place
}

/// Feature `number` with all else of feature `number + by`, as the fixture was made.
fn changed(number: i64, by: i64) -> Feature {
    Feature { id: number, ..feature(number + by) }
}

fn parcels() -> [Feature; 2] {
    [changed(1, 30), changed(3, 40)]
}

fn tasks() -> [Feature; 4] {
    let bare = |feature: Feature| Feature { shape: None, ..feature };
    let mut first = bare(changed(1, 50));
    first.values[0] = Value::Null;
    first.values[2] = Value::Null;
    first.values[3] = Value::Real(0.0);
    [first, bare(feature(2)), bare(feature(3)), bare(feature(4))]
}

fn reads_as_before(reader: &Reader) {
    let all = |layer: &str| {
        let mut all = Vec::new();
        let mut keep = |row: StoredRow<'_>| {
            all.push(row.to_feature()?);
            Ok(())
        };
        reader.scan(layer, None, &mut keep).unwrap();
        all
    };
    assert_eq!((all("地块"), all("任务"), all("空")), (parcels().to_vec(), tasks().to_vec(), vec![]));
    let versions = |layer: &str, ids: &[i64]| {
        let stored = reader.layers().iter().find(|stored| stored.layer.id.as_str() == layer).unwrap();
        let edited = reader.versions(layer).unwrap();
        ids.iter().map(|id| edited.get(id).copied().unwrap_or(stored.import_of(*id))).collect::<Vec<_>>()
    };
    assert_eq!((versions("地块", &[1, 3]), versions("任务", &[1, 2, 4])), (vec![5, 6], vec![11, 9, 9]));
    let history = reader.history();
    let notes = history.edits_since(0).unwrap();
    let kinds = ["import", "edit", "import", "edit", "import", "edit", "import", "edit", "import", "import", "edit"];
    assert_eq!(notes.iter().take(11).map(|edit| edit.kind.as_str()).collect::<Vec<_>>(), kinds);
    assert_eq!(history.changes_of(6).unwrap()[0].after, Some(changed(3, 40)));
    assert_eq!(history.imports().unwrap().len(), 6);
    // Number 8 has a time before all others: what is asked for at that time is nothing.
    assert_eq!([-1000, 4, 5, 9].map(|late| history.seq_at(AT + late).unwrap()), [0, 5, 6, 10]);
    let spans = |layer: &str| {
        reader.eras(layer).unwrap().iter().map(|era| (era.from, era.until, era.is_kept())).collect::<Vec<_>>()
    };
    assert_eq!(spans("地块"), [(1, Some(5), false), (5, None, true)]);
    assert_eq!(spans("任务"), [(7, Some(9), false), (9, None, true)]);
    assert_eq!(spans("空"), [(10, None, true)]);
}

#[test]
fn an_old_workspace_is_read_without_being_touched() {
    let place = old();
    let before = std::fs::read(&place.path).unwrap();
    let reader = Reader::open(&place.path).unwrap();
    assert_eq!((reader.format(), reader.seq()), (1, 11));
    reads_as_before(&reader);
    assert_eq!(reader.check().unwrap(), []);
    let error = reader.verify(&mut |_, _| ()).unwrap_err();
    assert!(matches!(error, StoreError::NotKept { .. }) && error.to_string().contains("format 1"), "{error}");
    drop(reader);
    let planner = Planner::open_to_read(&place.path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    assert_eq!(planner.read().layers().count(), 3);
    drop(planner);
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
    assert_eq!(std::fs::read_dir(place.path.parent().unwrap()).unwrap().count(), 1);
}

fn verify(path: &Path) -> mutu::store::Verification {
    Reader::open(path).unwrap().verify(&mut |_, _| ()).unwrap()
}

#[test]
fn opening_an_old_workspace_to_write_keeps_a_copy_and_takes_everything_over() {
    let place = old();
    let before = std::fs::read(&place.path).unwrap();
    let workspace = Workspace::open(&place.path).unwrap();
    let told = workspace.upgraded().unwrap();
    assert_eq!((told.from, told.copy.file_name().unwrap().to_str()), (1, Some("鹤山.format-1.gpkg")));
    assert!(told.message.contains("鹤山.format-1.gpkg"), "{}", told.message);
    let copy = told.copy.clone();
    assert_eq!((workspace.recovered(), workspace.check().unwrap()), (None, vec![]));
    workspace.close().unwrap();
    assert_eq!(run("sqlite3", &[copy.to_str().unwrap(), ".dump"]), {
        std::fs::write(place.beside("-was"), &before).unwrap();
        run("sqlite3", &[place.beside("-was").to_str().unwrap(), ".dump"])
    });

    let reader = Reader::open(&place.path).unwrap();
    assert_eq!((reader.format(), reader.seq(), reader.id().unwrap().len()), (2, 12, 32));
    reads_as_before(&reader);
    drop(reader);
    let found = verify(&place.path);
    assert_eq!((found.discrepancies, found.proven_from, found.entries), (vec![], 12, 12));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/chain.py");
    let (seq, hash) = found.head.unwrap();
    let told = run("/usr/bin/python3", &[script, place.path.to_str().unwrap()]);
    assert_eq!(told, format!("{seq}:{hash}\n任务 4\n地块 2\n空 0\n"));

    // It goes on from there, and opening it again changes nothing more.
    let mut workspace = Workspace::open(&place.path).unwrap();
    assert_eq!(workspace.upgraded(), None);
    let mut again = tasks()[1].clone();
    again.values[2] = Value::Integer(5);
    let changes = vec![put_change("任务", again, Some(9)), put_change("地块", changed(3, 60), Some(6))];
    workspace.commit(&edit(changes), AT + 20).unwrap();
    let mut replace = workspace.begin_import(&layer("地块"), How::Replace, note()).unwrap();
    put(&mut replace, &feature(1)).unwrap();
    replace.commit("{}").unwrap();
    let eras = workspace.eras("地块").unwrap();
    assert_eq!(
        eras.iter().map(|era| (era.from, era.is_kept())).collect::<Vec<_>>(),
        [(1, false), (5, true), (14, true)]
    );
    let mut past = Vec::new();
    let mut keep = |row: StoredRow<'_>| {
        past.push(row.to_feature()?);
        Ok(())
    };
    workspace.scan_era(&eras[1], &mut keep).unwrap();
    assert_eq!(past, [changed(1, 30), changed(3, 60)]);
    assert_eq!(features(&workspace, "地块"), [feature(1)]);
    workspace.close().unwrap();
    assert_eq!(verify(&place.path).discrepancies, []);
    connection::open(&place.path).unwrap().execute("UPDATE 任务 SET 序号 = 6 WHERE fid = 3", []).unwrap();
    let found = verify(&place.path).discrepancies;
    assert_eq!((found.len(), found[0].layer.as_deref(), found[0].id), (1, Some("任务"), Some(3)), "{found:?}");
}

#[test]
fn an_upgrade_that_finds_the_disk_full_or_the_file_odd_leaves_everything_as_it_was() {
    let place = old();
    connection::open(&place.path)
        .unwrap()
        .execute("UPDATE mutu_layer SET definition = '{}' WHERE id = '任务'", [])
        .unwrap();
    let before = run("sqlite3", &[place.path.to_str().unwrap(), ".dump"]);
    assert!(matches!(Workspace::open(&place.path), Err(StoreError::Corrupt { .. })));
    assert_eq!(run("sqlite3", &[place.path.to_str().unwrap(), ".dump"]), before);
    assert_eq!(std::fs::read_dir(place.path.parent().unwrap()).unwrap().count(), 1);

    // Format 2 under the number of format 1 is not taken for format 1.
    let place = Place::new();
    Workspace::create(&place.path).unwrap().close().unwrap();
    connection::open(&place.path)
        .unwrap()
        .execute("UPDATE mutu_workspace SET value = '1' WHERE key = 'format'", [])
        .unwrap();
    assert!(matches!(Workspace::open(&place.path), Err(StoreError::Corrupt { .. })));
}

#[cfg(unix)]
#[test]
fn a_workspace_and_its_copies_are_closed_to_those_outside_its_group() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = Place::new();
    let workspace = Workspace::create(&place.path).unwrap();
    assert_eq!(mode(&place.path) & 0o607, 0o600);
    assert_eq!(mode(&place.beside("-mutu")) & 0o007, 0);
    workspace.close().unwrap();
    let place = old();
    let workspace = Workspace::open(&place.path).unwrap();
    assert_eq!(mode(&workspace.upgraded().unwrap().copy) & 0o607, 0o600);
}
