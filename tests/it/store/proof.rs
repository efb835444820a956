//! Proof: whatever is altered behind the record's back is found and named.

use std::path::Path;

use mutu::{
    domain::{
        edit::{Change, Edit, Lineage},
        feature::{Feature, Value},
        layer::GeometryClass,
    },
    gpkg::{blob, connection},
    ground::shape::Shape,
    planner::{Noted, Planner},
    store::{How, Kind, Reader, StoreError, Verification, Workspace},
};
use rusqlite::{Connection, types::Value as Cell};

use super::{AT, Place, edit, feature, id, import, layer, note, put, put_change, run};

/// A record with something in every table: two eras of parcels with edits, added rows and lineage, a table without
/// geometry, changes from outside; and where `compacted`, the first era's content is gone.
pub(super) fn with_record(place: &Place, compacted: bool) {
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 6);
    let split = Edit {
        lineage: vec![Lineage { layer: id("地块"), parents: vec![1], children: vec![7, 8] }],
        ..edit(vec![
            Change::Delete { layer: id("地块"), id: 1, expects: 1 },
            put_change("地块", feature(7), None),
            put_change("地块", feature(8), None),
            put_change("地块", Feature { id: 2, ..feature(22) }, Some(1)),
        ])
    };
    workspace.commit(&split, AT + 1).unwrap();
    let mut replace = workspace.begin_import(&layer("地块"), How::Replace, note()).unwrap();
    for number in 1..=5 {
        put(&mut replace, &Feature { id: number, ..feature(number + 100) }).unwrap();
    }
    replace.commit("{}").unwrap();
    let mut append = workspace.begin_import(&layer("地块"), How::Append, note()).unwrap();
    put(&mut append, &feature(9)).unwrap();
    append.commit("{}").unwrap();
    let mut odd = Feature { id: 2, ..feature(33) };
    odd.values[3] = Value::Real(-0.0);
    odd.values[4] = Value::Null;
    odd.shape = None;
    let changes = vec![put_change("地块", odd, Some(3)), Change::Delete { layer: id("地块"), id: 3, expects: 3 }];
    workspace.commit_as(Kind::Merge, &edit(changes), AT + 2).unwrap();
    let mut tasks = layer("任务");
    tasks.geometry = GeometryClass::None;
    let bare = |number: i64| Feature { shape: None, ..feature(number) };
    let mut rows = workspace.begin_import(&tasks, How::Create, note()).unwrap();
    put(&mut rows, &bare(1)).unwrap();
    put(&mut rows, &bare(2)).unwrap();
    rows.commit("{}").unwrap();
    let changes =
        vec![put_change("任务", Feature { id: 1, ..bare(4) }, Some(6)), put_change("地块", feature(12), None)];
    workspace.commit(&edit(changes), AT + 3).unwrap();
    if compacted {
        assert_eq!(workspace.compact(6, "王工").unwrap().not_wiped, None);
    }
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
}

fn verify(path: &Path) -> Verification {
    Reader::open(path).unwrap().verify(&mut |_, _| ()).unwrap()
}

#[test]
fn an_untouched_record_verifies_and_its_head_is_what_python_works_out_from_the_written_layout() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/chain.py");
    for compacted in [false, true] {
        let place = Place::new();
        with_record(&place, compacted);
        let found = verify(&place.path);
        assert_eq!(found.discrepancies, []);
        let (seq, hash) = found.head.unwrap();
        assert_eq!((seq, found.entries), if compacted { (8, 8) } else { (7, 7) });
        assert_eq!((found.proven_from, found.kept_from), (1, if compacted { 6 } else { 0 }));
        // Six parcels and two tasks, and the seven parcels of the first era where they are kept.
        assert_eq!(found.rows, if compacted { 8 } else { 15 });
        // Four parcels are as imported (2 was changed, 12 is of an edit), and one task.
        let told = run("/usr/bin/python3", &[script, place.path.to_str().unwrap()]);
        assert_eq!(told, format!("{seq}:{hash}\n任务 1\n地块 4\n"));
    }
}

/// Every table of the record and of the layers.
fn covered(conn: &Connection) -> Vec<String> {
    // What another program did and nobody decided (mutu_before_…) is no part of the record.
    let sql = "SELECT name FROM sqlite_schema WHERE lower(type) = 'table' AND \
               (name GLOB 'mutu_*' AND name NOT GLOB 'mutu_before_*' OR name IN ('地块', '任务')) ORDER BY name";
    texts(conn, sql)
}

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Another value of the same type.
fn other(cell: Cell, column: &str) -> Cell {
    match cell {
        Cell::Null if column == "geom" => {
            let mut point = Vec::new();
            blob::write(&mut point, Shape::point(geo::Coord { x: 113.0, y: 22.7 }).view(), 4490);
            Cell::Blob(point)
        }
        Cell::Null => Cell::Integer(4),
        Cell::Integer(v) => Cell::Integer(v + 1),
        Cell::Real(v) => Cell::Real(v + 0.25),
        Cell::Text(v) if v.contains("测试数据") => Cell::Text(v.replace("测试数据", "測试数据")),
        Cell::Text(v) => Cell::Text(v + "x"),
        Cell::Blob(mut v) => {
            *v.last_mut().unwrap() ^= 1;
            Cell::Blob(v)
        }
    }
}

/// Whether the alteration of a copy is found, and what names the place.
fn found_in(path: &Path, named: &str) -> bool {
    let reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(StoreError::Corrupt { what }) => {
            return named == "mutu_workspace" || [named, "地块", "任务"].iter().any(|name| what.contains(name));
        }
        Err(StoreError::NewerFormat { .. }) => return named == "mutu_workspace",
        Err(other) => panic!("{other}"),
    };
    let found = reader.verify(&mut |_, _| ()).unwrap();
    let of_layer = ["地块", "任务"].contains(&named) || named.starts_with("mutu_past");
    found.discrepancies.iter().any(|one| {
        let at_feature = one.layer.is_some() && one.id.is_some();
        let at_entry = one.seq.is_some() || one.layer.is_some();
        at_feature || (!of_layer && at_entry) || named == "mutu_workspace"
    })
}

#[test]
fn any_altered_cell_of_any_covered_table_is_found_and_its_place_named() {
    let mut tried = 0;
    for compacted in [false, true] {
        let place = Place::new();
        with_record(&place, compacted);
        let whole = std::fs::read(&place.path).unwrap();
        let tables = covered(&connection::open(&place.path).unwrap());
        assert_eq!(tables.len(), if compacted { 11 } else { 12 }, "{tables:?}");
        for table in &tables {
            let conn = connection::open(&place.path).unwrap();
            let columns = texts(&conn, &format!("SELECT name FROM pragma_table_info('{table}')"));
            let rows: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            assert!(rows > 0 || (*table == "mutu_compact" && !compacted), "{table} is empty");
            drop(conn);
            for (column, row) in columns.iter().flat_map(|column| (0..rows).map(move |row| (column, row))) {
                std::fs::write(&place.path, &whole).unwrap();
                let conn = connection::open(&place.path).unwrap();
                let at = format!("(SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {row})");
                let sql = format!("SELECT \"{column}\" FROM {table} WHERE rowid = {at}");
                let cell: Cell = conn.query_row(&sql, [], |row| row.get(0)).unwrap();
                let (was, becomes) = (format!("{cell:?}"), other(cell, column));
                let sql = format!("UPDATE {table} SET \"{column}\" = ?1 WHERE rowid = {at}");
                // Where the number is taken, the next free one.
                if conn.execute(&sql, [&becomes]).is_err() {
                    let Cell::Integer(taken) = becomes else { panic!("{table}.{column}: {was}") };
                    assert_eq!(conn.execute(&sql, [Cell::Integer(taken + 1000)]), Ok(1), "{table}.{column}: {was}");
                }
                drop(conn);
                tried += 1;
                assert!(found_in(&place.path, table), "{table}.{column} of row {row}: {was} was altered unseen");
            }
        }
    }
    assert!(tried > 400, "{tried}");
}

#[test]
fn any_removed_or_doubled_row_of_any_covered_table_is_found() {
    for compacted in [false, true] {
        let place = Place::new();
        with_record(&place, compacted);
        let whole = std::fs::read(&place.path).unwrap();
        for table in covered(&connection::open(&place.path).unwrap()) {
            let conn = connection::open(&place.path).unwrap();
            let rows: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            drop(conn);
            for row in 0..rows {
                std::fs::write(&place.path, &whole).unwrap();
                let conn = connection::open(&place.path).unwrap();
                let at = format!("(SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {row})");
                conn.execute(&format!("DELETE FROM {table} WHERE rowid = {at}"), []).unwrap();
                drop(conn);
                let found = Reader::open(&place.path).and_then(|reader| reader.verify(&mut |_, _| ()));
                match found {
                    Err(StoreError::Corrupt { .. }) => assert_eq!(table, "mutu_workspace"),
                    other => assert_ne!(other.unwrap().discrepancies, [], "row {row} of {table} was removed unseen"),
                }
            }
        }
        for (sql, named) in [
            (
                "INSERT INTO 地块 SELECT fid + 50, geom, 地块编号, 已处置, 序号, 容积率, 认定日期, 更新时间 FROM 地块 LIMIT 1",
                "51",
            ),
            (
                "INSERT INTO mutu_change SELECT seq, ordinal + 9, layer, fid, before, after FROM mutu_change WHERE seq = 7",
                "7",
            ),
            ("INSERT INTO mutu_lineage SELECT seq, ordinal + 9, layer, parent, child FROM mutu_lineage", "2"),
            (
                "INSERT INTO mutu_change SELECT 99, ordinal, layer, fid, before, after FROM mutu_change WHERE seq = 7",
                "99",
            ),
            ("INSERT INTO mutu_era VALUES ('地块', 2, 3, '{}', NULL)", "2"),
            ("ALTER TABLE 任务 ADD COLUMN 新 TEXT", "任务"),
            ("ALTER TABLE 任务 RENAME COLUMN 序号 TO 旧", "任务"),
            ("DROP TABLE 任务", "任务"),
            ("INSERT INTO mutu_workspace VALUES ('writing', '')", "file"),
            ("INSERT INTO mutu_before_任务 (id, is_new) VALUES (1, 1)", "1"),
        ] {
            std::fs::write(&place.path, &whole).unwrap();
            connection::open(&place.path).unwrap().execute_batch(sql).unwrap();
            let found = verify(&place.path);
            let names = |one: &mutu::store::Discrepancy| {
                let numbers = [one.id, one.seq].iter().flatten().any(|number| number.to_string() == named);
                numbers
                    || one.layer.as_deref() == Some(named)
                    || (named == "file" && one.what.contains("write of ours"))
            };
            assert!(found.discrepancies.iter().any(names), "{sql}: {:?}", found.discrepancies);
        }
    }
}

/// All that the covered tables hold.
fn dump(path: &Path) -> rusqlite::Result<Vec<Vec<Vec<Cell>>>> {
    let conn = connection::open(path)?;
    let mut tables = Vec::new();
    for table in covered(&conn) {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY rowid"))?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|place| row.get(place)).collect())?;
        tables.push(rows.collect::<Result<_, _>>()?);
    }
    Ok(tables)
}

#[test]
fn any_flipped_byte_of_the_file_is_found_or_changes_nothing_that_is_covered() {
    let place = Place::new();
    with_record(&place, false);
    let whole = std::fs::read(&place.path).unwrap();
    let sound = dump(&place.path).unwrap();
    let (mut found, mut harmless) = (0, 0);
    let mut state = 12_345_u64;
    for _ in 0..400 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place_of = (state >> 16) as usize % whole.len();
        let mut bytes = whole.clone();
        bytes[place_of] ^= 1 << (state >> 60 & 7);
        std::fs::write(&place.path, &bytes).unwrap();
        let verified = Reader::open(&place.path).and_then(|reader| reader.verify(&mut |_, _| ()));
        if verified.is_ok_and(|found| found.discrepancies.is_empty()) {
            harmless += 1;
            assert_eq!(dump(&place.path).as_ref(), Ok(&sound), "byte {place_of}");
        } else {
            found += 1;
        }
    }
    // Most of the file is room between cells, and texts of the standard's own tables.
    assert!(found > 40 && harmless > 40, "{found} found, {harmless} harmless");
}

#[test]
fn a_record_whose_end_was_written_anew_is_found_by_a_head_that_was_noted() {
    let place = Place::new();
    with_record(&place, false);
    let before = std::fs::read(&place.path).unwrap();
    let mut workspace = Workspace::open(&place.path).unwrap();
    workspace.commit(&edit(vec![put_change("地块", feature(20), None)]), AT + 9).unwrap();
    workspace.close().unwrap();
    let (seq, hash) = verify(&place.path).head.unwrap();
    let noted = Noted { seq, hash };
    assert_eq!(noted.to_string().parse::<Noted>().unwrap(), noted);
    let with = |noted: &Noted| Planner::verify(&place.path, Some(noted), &mut |_| ()).unwrap().discrepancies;
    assert_eq!(with(&noted), []);

    // Another history from the same beginning, faultless in itself.
    std::fs::write(&place.path, &before).unwrap();
    let mut workspace = Workspace::open(&place.path).unwrap();
    workspace.commit(&edit(vec![put_change("地块", feature(21), None)]), AT + 9).unwrap();
    workspace.close().unwrap();
    assert_eq!(verify(&place.path).discrepancies, []);
    let told = with(&noted);
    assert!(told.len() == 1 && told[0].seq == Some(8) && told[0].what.contains("rewritten"), "{told:?}");
    std::fs::write(&place.path, &before).unwrap();
    let told = with(&noted);
    assert!(told.len() == 1 && told[0].what.contains("no number 8"), "{told:?}");
}

#[test]
fn a_record_moves_whole_into_a_file_of_its_own_and_goes_on_there() {
    let place = Place::new();
    with_record(&place, false);
    let head = verify(&place.path).head;
    let sound = dump(&place.path).unwrap();
    let moved = place.beside("-moved.gpkg");
    // Also while the workspace is open, with what is in its log alone.
    let workspace = Workspace::open(&place.path).unwrap();
    let found = Planner::move_record(&place.path, &moved, &mut |_| ()).unwrap();
    assert_eq!((found.head, found.discrepancies), (head, vec![]));
    assert!(Planner::move_record(&place.path, &moved, &mut |_| ()).unwrap_err().to_string().contains("exists already"));
    assert_eq!(dump(&moved).unwrap(), sound);
    assert_eq!(Reader::open(&moved).unwrap().id().unwrap(), workspace.id().unwrap());
    workspace.close().unwrap();
    let mut workspace = Workspace::open(&moved).unwrap();
    let states: Vec<_> =
        workspace.eras("地块").unwrap().iter().map(|era| (era.from, era.until, era.is_kept())).collect();
    assert_eq!(states, [(1, Some(3), true), (3, None, true)]);
    workspace.commit(&edit(vec![put_change("地块", feature(20), None)]), AT + 9).unwrap();
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
    assert_eq!(verify(&moved).discrepancies, []);

    // What does not verify is not moved.
    connection::open(&place.path).unwrap().execute("UPDATE 任务 SET 序号 = 5 WHERE fid = 2", []).unwrap();
    let again = place.beside("-again.gpkg");
    let error = Planner::move_record(&place.path, &again, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("does not verify"), "{error}");
    assert!(!again.exists());
    assert_eq!(std::fs::read_dir(place.path.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn compacting_drops_what_is_old_for_good_and_says_so_when_it_is_asked_for() {
    let place = Place::new();
    with_record(&place, false);
    let mut workspace = Workspace::open(&place.path).unwrap();
    // Number 2 put feature 22 in the place of 2.
    let secret = "址山-00022".as_bytes();
    let holds = |path: &Path| std::fs::read(path).unwrap().windows(secret.len()).any(|bytes| bytes == secret);
    let before: Vec<_> = workspace.history().edits_since(0).unwrap();
    assert!(holds(&place.path));
    assert!(matches!(workspace.compact(99, "王工"), Err(StoreError::Io { .. })));
    let done = workspace.compact(5, "王工").unwrap();
    assert_eq!((done.seq, done.changes, done.eras, done.not_wiped), (8, 4, 1, None));
    assert!(matches!(workspace.compact(5, "王工"), Err(StoreError::NotKept { .. })));
    let history = workspace.history();
    assert_eq!(history.kept_from().unwrap(), 5);
    assert_eq!(history.edits_since(0).unwrap()[..7], before);
    let last = history.edit(8).unwrap().unwrap();
    assert_eq!((last.kind.as_str(), last.author.as_str(), last.hash), ("compact", "王工", Some(done.hash)));
    let changes = history.changes_of(2).unwrap();
    assert!(changes.len() == 4 && changes.iter().all(|change| change.dropped && change.after.is_none()));
    assert!(matches!(history.changes_after("地块", 1), Err(StoreError::NotKept { .. })));
    let asked = history.first_changes("地块", (1, i64::MAX), &mut |_| Ok(())).unwrap_err();
    assert!(asked.to_string().contains("compacted"), "{asked}");
    assert_eq!(history.changes_after("地块", 4).unwrap().len(), 3);
    let eras = workspace.eras("地块").unwrap();
    assert!(!eras[0].is_kept() && eras[1].is_kept());
    assert!(matches!(workspace.scan_era(&eras[0], &mut |_| Ok(())), Err(StoreError::NotKept { .. })));
    assert_eq!(workspace.version("地块", 4).unwrap(), Some(3));
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
    assert!(!holds(&place.path));
    assert_eq!(verify(&place.path).discrepancies, []);
}
