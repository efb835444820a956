//! Faults: full disks, locks, strangers, newer formats, damage.

use std::{path::Path, process::Command};

use mutu::{
    domain::feature::Value,
    gpkg::connection,
    store::{How, StoreError, Workspace},
};

use super::{AT, Place, edit, feature, features, import, layer, note, put, put_change, run};

#[test]
fn a_second_writer_is_told_who_has_the_workspace_and_gets_it_afterwards() {
    let place = Place::new();
    let first = Workspace::create(&place.path).unwrap();
    let error = Workspace::open(&place.path).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("鹤山.gpkg") && told.contains(&std::process::id().to_string()), "{told}");
    drop(first);
    let second = Workspace::open(&place.path).unwrap();
    assert_eq!(second.recovered(), None);
    assert!(place.beside("-mutu").exists());
    second.close().unwrap();
    assert!(!place.beside("-mutu").exists() && !place.beside("-wal").exists() && !place.beside("-shm").exists());
}

#[test]
fn a_program_that_writes_for_too_long_is_waited_for_and_then_named() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1);
    let other = rusqlite::Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = workspace.commit(&edit(vec![put_change("地块", feature(2), None)]), AT).unwrap_err();
    assert!(matches!(error, StoreError::Busy), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    workspace.commit(&edit(vec![put_change("地块", feature(2), None)]), AT).unwrap();
}

#[test]
fn what_is_no_workspace_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("文字.gpkg"), "这不是数据库。".repeat(200)).unwrap();
    std::fs::write(at("空.gpkg"), "").unwrap();
    run("sqlite3", &[at("别的.gpkg").to_str().unwrap(), "CREATE TABLE t (a); INSERT INTO t VALUES (1)"]);
    std::fs::write(at("p.csv"), "id,WKT\n1,\"POINT(113 22)\"\n").unwrap();
    run(
        "ogr2ogr",
        &["-f", "GPKG", at("外来.gpkg").to_str().unwrap(), at("p.csv").to_str().unwrap(), "-a_srs", "EPSG:4490"],
    );
    for (name, says) in [
        ("文字.gpkg", "not a GeoPackage"),
        ("空.gpkg", "database of another program"),
        ("别的.gpkg", "database of another program"),
        ("外来.gpkg", "import it into a workspace"),
    ] {
        let before = std::fs::read(at(name)).unwrap();
        let error = Workspace::open(&at(name)).unwrap_err();
        assert!(matches!(error, StoreError::NotAWorkspace { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name) && error.to_string().contains(says), "{error}");
        assert_eq!(std::fs::read(at(name)).unwrap(), before);
        assert!(!at(&format!("{name}-mutu")).exists());
        assert!(matches!(Workspace::create(&at(name)), Err(StoreError::Exists { .. })));
    }
    assert!(matches!(Workspace::open(dir.path()), Err(StoreError::NotAWorkspace { .. })));
    let missing = Workspace::open(&at("无.gpkg")).unwrap_err();
    assert!(matches!(&missing, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
    assert!(!at("无.gpkg").exists());
}

#[test]
fn a_workspace_of_a_newer_program_is_refused_and_left_as_it_is() {
    let place = Place::new();
    Workspace::create(&place.path).unwrap().close().unwrap();
    run("sqlite3", &[place.path.to_str().unwrap(), "UPDATE mutu_workspace SET value = '4' WHERE key = 'format'"]);
    let before = std::fs::read(&place.path).unwrap();
    let error = Workspace::open(&place.path).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 4, known: 3, .. }), "{error}");
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
}

#[test]
fn damage_is_found_and_named() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 500);
    workspace.close().unwrap();

    // Behind the back of what watches for other programs.
    let spoil = |sql: &str| {
        let aside = "INSERT INTO mutu_workspace VALUES ('writing', '')";
        let back = "DELETE FROM mutu_workspace WHERE key = 'writing'";
        connection::open(&place.path).unwrap().execute_batch(&format!("{aside}; {sql}; {back}")).unwrap();
    };
    spoil("UPDATE 地块 SET 容积率 = '很高' WHERE fid = 77");
    let workspace = Workspace::open(&place.path).unwrap();
    let error = workspace.scan("地块", None, &mut |row| row.to_feature().map(|_| ())).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    assert!(error.to_string().contains("feature 77 of 地块, 容积率"), "{error}");
    assert_eq!(workspace.check().unwrap().len(), 1);
    workspace.close().unwrap();

    spoil("UPDATE 地块 SET 容积率 = 1 WHERE fid = 77; DELETE FROM rtree_地块_geom WHERE id = 5");
    let workspace = Workspace::open(&place.path).unwrap();
    let problems = workspace.check().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("R-tree"), "{problems:?}");
    workspace.close().unwrap();

    let whole = std::fs::read(&place.path).unwrap();
    std::fs::write(&place.path, &whole[..whole.len() / 2]).unwrap();
    let truncated =
        Workspace::open(&place.path).and_then(|w| w.scan("地块", None, &mut |row| row.to_feature().map(|_| ())));
    assert!(matches!(truncated, Err(StoreError::Corrupt { .. })), "{truncated:?}");
}

/// Fills the disk of a workspace that holds ten features, by an import and by edits, and looks at the rest.
fn fill(path: &Path, limit: impl FnOnce(&Path)) {
    let mut workspace = Workspace::create(path).unwrap();
    import(&mut workspace, &layer("旧"), 10);
    limit(path);
    let mut import = workspace.begin_import(&layer("新"), How::Create, note()).unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        assert!(number < 1_000_000, "the disk never filled");
        if let Err(error) = put(&mut import, &feature(number)) {
            break error;
        }
    };
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    drop(import);
    assert_eq!(workspace.layers().len(), 1);
    assert_eq!(workspace.seq().unwrap(), 1);
    let mut kept = 0;
    let error = loop {
        let mut big = feature(11 + kept);
        big.values[0] = Value::Text("地".repeat(20_000));
        match workspace.commit(&edit(vec![put_change("旧", big, None)]), AT) {
            Ok(receipt) => assert_eq!(receipt.seq, 2 + kept),
            Err(error) => break error,
        }
        kept += 1;
        assert!(kept < 10_000, "the disk never filled");
    };
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    assert_eq!(workspace.check().unwrap(), []);
    drop(workspace);
    let workspace = Workspace::open(path).unwrap();
    assert_eq!(workspace.recovered(), None);
    assert_eq!(workspace.seq().unwrap(), 1 + kept);
    let rest = features(&workspace, "旧");
    assert_eq!(rest.len() as i64, 10 + kept);
    assert_eq!(rest[..10], (1..=10).map(feature).collect::<Vec<_>>());
    assert_eq!(workspace.check().unwrap(), []);
    workspace.close().unwrap();
}

/// A small file system that is unmounted at the end.
pub(crate) struct Mounted(pub(crate) tempfile::TempDir);

impl Mounted {
    pub(crate) fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", dir.path().to_str().unwrap()]);
        Self(dir)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_nothing_is_lost() {
    for size in ["2m", "3m"] {
        let disk = Mounted::new(size);
        fill(&disk.0.path().join("小盘.gpkg"), |_| ());
    }
}
