//! GeoPackage as an exchange format: files of GDAL read, files of ours read by GDAL, and hostile files.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use geo::Coord;
use mutu::{
    domain::{
        feature::{Feature, FeatureRef, Value},
        layer::{GeometryClass, Layer, Provenance},
        report::Weight,
        schema::{Field, FieldType, Schema},
    },
    formats::{
        Contents, CrsClaim, FormatError, Row, RowId, Source, Target,
        geopackage::{read, write},
    },
    gpkg::connection,
    ground::{
        crs::Crs,
        shape::{Bounds, Shape, ShapeKind},
    },
    store::Workspace,
};
use proptest::prelude::*;

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success() && !err.contains("Warning"), "{program} {args:?}: {out}{err}");
    out
}

fn source(path: &Path, table: Option<&str>) -> Source {
    Source { path: path.to_owned(), table: table.map(str::to_owned), encoding: None }
}

fn read_all(path: &Path, table: Option<&str>) -> Result<(Contents, Vec<Row>), FormatError> {
    let mut rows = Vec::new();
    let contents = read(&source(path, table), &mut |_, row| {
        rows.push(row);
        Ok(())
    })?;
    Ok((contents, rows))
}

/// A file written by GDAL from CSV.
fn by_gdal(dir: &Path, name: &str, csv: &str, more: &[&str]) -> PathBuf {
    let (text, path) = (dir.join("in.csv"), dir.join(name));
    std::fs::write(&text, csv).unwrap();
    let mut args = vec!["-f", "GPKG", "-oo", "GEOM_POSSIBLE_NAMES=WKT", "-oo", "KEEP_GEOM_COLUMNS=NO"];
    args.extend_from_slice(more);
    args.extend([path.to_str().unwrap(), text.to_str().unwrap()]);
    run("ogr2ogr", &args);
    path
}

fn crs(text: &str) -> Crs {
    text.parse().unwrap()
}

fn target(path: &Path, code: &str) -> Target {
    Target::new(path.to_owned(), crs(code))
}

fn layer() -> Layer {
    let fields = [
        ("地块编号", FieldType::Text),
        ("已处置", FieldType::Boolean),
        ("序号", FieldType::Integer),
        ("容积率", FieldType::Real),
        ("认定日期", FieldType::Date),
        ("更新时间", FieldType::DateTime),
    ];
    Layer {
        id: "低效用地".parse().unwrap(),
        title: "低效工业用地".to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: fields.iter().map(|(name, kind)| Field::new(name, *kind)).collect() },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: true,
        provenance: Provenance::Imported,
        rules: mutu::domain::rule::Rules::default(),
    }
}

fn feature(id: i64) -> Feature {
    let west = 112.9 + id as f64 * 0.001_234_567_89;
    let corner = Coord { x: west + 0.0007, y: 22.6006 };
    Feature {
        id,
        shape: Some(Shape::of_bounds(&Bounds::of_corners(Coord { x: west, y: 22.6 }, corner))),
        values: vec![
            Value::Text(format!("址山-{id}")),
            Value::Boolean(id % 2 == 0),
            Value::Integer(i64::MAX - id),
            Value::Real(id as f64 / 3.0),
            Value::Date(20_000 + i32::try_from(id).unwrap()),
            Value::DateTime(1_784_896_496_789 + id),
        ],
    }
}

fn written(path: &Path, code: &str, features: &[Feature]) -> mutu::formats::Written {
    let mut views = features.iter().map(Feature::view);
    write(&target(path, code), &layer(), &mut views as &mut dyn Iterator<Item = FeatureRef<'_>>).unwrap()
}

#[test]
fn a_file_of_gdal_is_read_with_its_names_types_ids_and_crs() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "WKT,地块,数,面积,日,时,是\n\
               \"POLYGON ((500000 2500000,500100 2500000,500100 2500100,500000 2500000))\",址山,9007199254740993,1.5,2024-02-29,2024-02-29T08:00:00.123Z,1\n\
               ,,,,,,\n\
               \"MULTIPOINT (1 2,3 4)\",\"a\"\"b\",-1,0.1,1969-12-31,1969-12-31T23:59:59Z,0\n";
    std::fs::write(dir.path().join("in.csvt"), "WKT,String,Integer64,Real,Date,DateTime,Integer(Boolean)").unwrap();
    let path = by_gdal(
        dir.path(),
        "甲.gpkg",
        csv,
        &["-a_srs", "EPSG:4547", "-nln", "图斑", "-nlt", "GEOMETRY", "-oo", "EMPTY_STRING_AS_NULL=YES"],
    );
    let (contents, rows) = read_all(&path, None).unwrap();
    assert_eq!(contents.crs, CrsClaim::Says(crs("EPSG:4547")));
    assert_eq!((contents.rows, contents.findings.len()), (3, 0));
    let columns: Vec<_> = contents.columns.iter().map(|c| (c.name.as_str(), c.declared.unwrap())).collect();
    assert_eq!(
        columns,
        [
            ("地块", FieldType::Text),
            ("数", FieldType::Integer),
            ("面积", FieldType::Real),
            ("日", FieldType::Date),
            ("时", FieldType::DateTime),
            ("是", FieldType::Boolean),
        ]
    );
    assert_eq!(
        rows[0].values,
        [
            Value::Text("址山".to_owned()),
            Value::Integer(9_007_199_254_740_993),
            Value::Real(1.5),
            Value::Date(19_782),
            Value::DateTime(1_709_193_600_123),
            Value::Boolean(true),
        ]
    );
    assert_eq!((rows[1].number, rows[1].shape.is_none(), &rows[1].values), (2, true, &vec![Value::Null; 6]));
    assert_eq!((rows[2].id.clone(), rows[2].values[3].clone()), (Some(RowId::Number(3)), Value::Date(-1)));
    let shape = rows[2].shape.as_ref().unwrap().view();
    assert_eq!(
        (shape.kind(), shape.coords()),
        (ShapeKind::MultiPoint, &[Coord { x: 1.0, y: 2.0 }, Coord { x: 3.0, y: 4.0 }][..])
    );
    assert_eq!(rows[0].shape.as_ref().unwrap().view().coords()[1], Coord { x: 500_100.0, y: 2_500_000.0 });
}

#[test]
fn gdal_reads_what_is_written_and_nothing_lies_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("导出.gpkg");
    let features: Vec<Feature> = (1..=300).map(feature).collect();
    assert_eq!(written(&path, "EPSG:4490", &features).features, 300);
    let told = run("ogrinfo", &["-ro", "-so", path.to_str().unwrap(), "低效用地"]);
    for wanted in [
        "Feature Count: 300",
        "Geometry: Polygon",
        "ID[\"EPSG\",4490]",
        "已处置: Integer(Boolean)",
        "更新时间: DateTime",
    ] {
        assert!(told.contains(wanted), "{wanted} is not in\n{told}");
    }
    let row = run("ogrinfo", &["-ro", path.to_str().unwrap(), "低效用地", "-fid", "3"]);
    for wanted in ["址山-3", "9223372036854775804", "2024/10/07", "2026/07/24 12:34:56.792+00"] {
        assert!(row.contains(wanted), "{wanted} is not in\n{row}");
    }
    // The R-tree, as GDAL uses it: 10 squares 0.0007° wide every 0.001234…°.
    let told = run(
        "ogrinfo",
        &["-ro", "-so", path.to_str().unwrap(), "低效用地", "-spat", "112.9125", "22.6001", "112.9240", "22.6002"],
    );
    let hits = features.iter().filter(|f| {
        let b = f.shape.as_ref().unwrap().view().bounds().unwrap();
        b.max.x >= 112.9125 && b.min.x <= 112.9240
    });
    assert!(told.contains(&format!("Feature Count: {}", hits.count())), "{told}");
    let sql = "PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA journal_mode; PRAGMA user_version";
    assert_eq!(run("sqlite3", &[path.to_str().unwrap(), sql]), "ok\ndelete\n10300\n");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["导出.gpkg"]);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gpkg");
    let mut features: Vec<Feature> = (1..=20).map(feature).collect();
    features[3].values = vec![Value::Null; 6];
    features[4].shape = None;
    features[5].values[0] = Value::Text(String::new());
    let mut multi = features[6].shape.clone().unwrap();
    multi.set_kind(ShapeKind::MultiPolygon);
    features[6].shape = Some(multi);
    features[7].id = i64::MAX;
    features[8].shape = Some(Shape::new(ShapeKind::MultiPolygon));
    features[9].values[3] = Value::Real(f64::NAN);
    let report = written(&path, "EPSG:4490", &features);
    assert_eq!(report.losses.len(), 1, "{:?}", report.losses);
    features[9].values[3] = Value::Null;
    let (contents, rows) = read_all(&path, Some("低效工业用地")).unwrap();
    let kinds: Vec<_> = layer().schema.fields.iter().map(|field| Some(field.kind)).collect();
    assert_eq!(contents.columns.iter().map(|c| c.declared).collect::<Vec<_>>(), kinds);
    features.sort_by_key(|feature| feature.id);
    for (row, feature) in rows.iter().zip(&features) {
        assert_eq!(row.id, Some(RowId::Number(feature.id)));
        assert_eq!((&row.shape, &row.values), (&feature.shape, &feature.values));
        assert_eq!(row.findings, []);
    }
    assert_eq!((rows.len(), contents.crs), (20, CrsClaim::Says(Crs::stored())));
}

#[test]
fn coordinates_are_in_the_crs_that_the_file_names_as_gdal_computes_it_back() {
    let dir = tempfile::tempdir().unwrap();
    for code in ["EPSG:4547", "EPSG:4526", "EPSG:4508"] {
        let path = dir.path().join("网格.gpkg");
        let features: Vec<Feature> = (1..=5).map(feature).collect();
        written(&path, code, &features);
        let (contents, rows) = read_all(&path, None).unwrap();
        assert_eq!(contents.crs, CrsClaim::Says(crs(code)));
        let back = run(
            "ogr2ogr",
            &[
                "-f",
                "CSV",
                "/vsistdout/",
                path.to_str().unwrap(),
                "-t_srs",
                "EPSG:4490",
                "-lco",
                "GEOMETRY=AS_WKT",
                "-select",
                "序号",
            ],
        );
        for (line, feature) in back.lines().skip(1).zip(&features) {
            let numbers: Vec<f64> = line
                .split(|c: char| !(c.is_ascii_digit() || c == '.'))
                .filter_map(|word| word.parse().ok())
                .take(10)
                .collect();
            for (pair, at) in numbers.chunks(2).zip(feature.shape.as_ref().unwrap().view().coords()) {
                assert!((pair[0] - at.x).abs() < 1e-8 && (pair[1] - at.y).abs() < 1e-8, "{code}: {pair:?} {at:?}");
            }
        }
        assert_eq!(back.lines().count(), 6);
        assert!(rows[0].shape.as_ref().unwrap().view().coords()[0].x > 300_000.0);
    }
}

#[test]
fn of_several_tables_one_must_be_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = by_gdal(dir.path(), "多.gpkg", "WKT,a\n\"POINT (1 2)\",x\n", &["-nln", "点", "-a_srs", "EPSG:4490"]);
    by_gdal(dir.path(), "多.gpkg", "b,c\n1,x\n2,y\n", &["-update", "-nln", "表"]);
    let (contents, rows) = read_all(&path, None).unwrap();
    assert_eq!((rows.len(), contents.findings.len()), (1, 1));
    assert!(contents.findings[0].message.contains('表'), "{:?}", contents.findings);
    assert_eq!(read_all(&path, Some("表")).unwrap().1.len(), 2);
    by_gdal(dir.path(), "多.gpkg", "WKT,a\n\"POINT (1 2)\",x\n", &["-update", "-nln", "另", "-a_srs", "EPSG:4490"]);
    let error = read_all(&path, None).unwrap_err();
    assert!(matches!(error, FormatError::Request(_)));
    assert!(error.to_string().contains("另") && error.to_string().contains("点"), "{error}");
    let error = read_all(&path, Some("无")).unwrap_err();
    assert!(matches!(&error, FormatError::Request(what) if what.contains("另, 点") || what.contains("点")), "{error}");
}

#[test]
fn cells_that_are_not_of_their_columns_type_arrive_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("混.gpkg");
    written(&path, "EPSG:4490", &(1..=6).map(feature).collect::<Vec<_>>());
    let conn = connection::open(&path).unwrap();
    conn.execute_batch(
        "UPDATE 低效用地 SET 序号 = '三', 容积率 = '高', 已处置 = 2, 认定日期 = '29/02/2024' WHERE fid = 1;
         UPDATE 低效用地 SET 地块编号 = x'C4E3', 更新时间 = '2024-01-01 08:00:00', 容积率 = 9e999 WHERE fid = 2;
         UPDATE 低效用地 SET 地块编号 = CAST(x'C4E3' AS TEXT), 更新时间 = '2024-01-01T08:00:00.1239Z' WHERE fid = 3;
         UPDATE 低效用地 SET 序号 = 1.5 WHERE fid = 4;",
    )
    .unwrap();
    drop(conn);
    let (contents, rows) = read_all(&path, None).unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(rows[0].values[1..5], [Value::Integer(2), text("三"), text("高"), text("29/02/2024")]);
    assert_eq!(
        (&rows[1].values[0], &rows[1].values[3], &rows[1].values[5]),
        (&Value::Null, &Value::Null, &text("2024-01-01 08:00:00"))
    );
    assert_eq!(
        (&rows[2].values[0], &rows[2].values[5]),
        (&text("\u{fffd}\u{fffd}"), &Value::DateTime(1_704_096_000_123))
    );
    assert_eq!((rows[2].findings[0].fault.as_str(), rows[2].findings[0].weight), ("bad-text", Weight::Flagged));
    assert_eq!(rows[3].values[2], Value::Real(1.5));
    let mut faults: Vec<_> = contents.findings.iter().map(|finding| finding.fault.as_str()).collect();
    faults.sort_unstable();
    assert_eq!(faults, ["local-time", "local-time", "not-a-number", "time-shortened", "unsupported-column"]);
}

#[test]
fn geometries_that_cannot_be_held_are_refused_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "WKT,a\n\"POINT Z (1 2 3)\",0\n\"GEOMETRYCOLLECTION (POINT (1 2))\",1\n\"CIRCULARSTRING (0 0,1 1,2 0)\",2\n\"POINT (5 6)\",3\n";
    let path = by_gdal(dir.path(), "形.gpkg", csv, &["-nlt", "GEOMETRY", "-a_srs", "EPSG:4490"]);
    let conn = connection::open(&path).unwrap();
    let table: String = conn.query_row("SELECT table_name FROM gpkg_contents", [], |row| row.get(0)).unwrap();
    conn.execute_batch("DROP TABLE IF EXISTS rtree_in_geom").unwrap();
    for suffix in ["insert", "update1", "update2", "update3", "update4", "update5", "update6", "update7", "delete"] {
        conn.execute_batch(&format!("DROP TRIGGER IF EXISTS rtree_{table}_geom_{suffix}")).unwrap();
    }
    let wkb = "010100000000000000000014400000000000001840"; // POINT (5 6)
    let nan = "000000000000F87F".repeat(4);
    conn.execute_batch(&format!(
        "INSERT INTO \"{table}\" (geom) VALUES (x'00'), ('text'), (x'475000038A110000{nan}{wkb}'), (x'47500001E6100000{wkb}'), (x'475000018A110000{}')",
        &wkb[..20]
    ))
    .unwrap();
    drop(conn);
    let (contents, rows) = read_all(&path, None).unwrap();
    let faults: Vec<_> = rows.iter().map(|row| row.findings.first().map(|f| (f.fault.as_str(), f.weight))).collect();
    let (bad, unsupported) =
        (Some(("not-a-geometry", Weight::Refused)), Some(("unsupported-geometry", Weight::Refused)));
    assert_eq!(faults, [None, unsupported, unsupported, None, bad, bad, None, None, bad]);
    let five_six = Some(Shape::point(Coord { x: 5.0, y: 6.0 }));
    assert_eq!((&rows[3].shape, &rows[6].shape, &rows[7].shape), (&five_six, &five_six, &five_six));
    let told: Vec<_> = contents.findings.iter().map(|f| (f.fault.as_str(), f.weight)).collect();
    assert_eq!(told, [("z-dropped", Weight::Note), ("crs-mixed", Weight::Flagged)]);
}

#[test]
fn what_the_file_says_of_its_crs_is_told_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.gpkg");
    written(&path, "EPSG:4547", &[feature(1)]);
    let wkt = crs("EPSG:4547").to_wkt().unwrap().replace(",AUTHORITY[\"EPSG\",\"4547\"]]", "]");
    let claim = |organization: &str, code: i64, definition: &str| {
        let conn = connection::open(&path).unwrap();
        conn.execute(
            "UPDATE gpkg_spatial_ref_sys SET organization = ?1, organization_coordsys_id = ?2, definition = ?3 WHERE srs_id = 4547",
            (organization, code, definition),
        )
        .unwrap();
        drop(conn);
        let (contents, _) = read_all(&path, None).unwrap();
        (contents.crs, contents.findings)
    };
    assert_eq!(claim("epsg", 4547, "undefined"), (CrsClaim::Says(crs("EPSG:4547")), vec![]));
    assert_eq!(claim("NONE", -1, "undefined"), (CrsClaim::Silent, vec![]));
    assert_eq!(claim("NONE", 7, "LOCAL[]"), (CrsClaim::Unreadable("LOCAL[]".to_owned()), vec![]));
    assert_eq!(claim("某局", 7, "undefined").0, CrsClaim::Unreadable("某局:7".to_owned()));
    match claim("NONE", 7, &wkt).0 {
        CrsClaim::Says(own) => assert!(own.agrees_with(&crs("EPSG:4547")), "{own}"),
        other => panic!("{other:?}"),
    }
    let other = crs("EPSG:4526").to_wkt().unwrap();
    let (told, findings) = claim("EPSG", 4547, &other);
    assert_eq!(told, CrsClaim::Says(crs("EPSG:4547")));
    assert_eq!(
        (findings.len(), findings[0].fault.as_str(), findings[0].weight),
        (1, "crs-contradiction", Weight::Flagged)
    );
}

#[test]
fn files_that_are_not_what_their_name_says_are_broken() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    written(&at("good.gpkg"), "EPSG:4490", &(1..=2000).map(feature).collect::<Vec<_>>());
    let good = std::fs::read(at("good.gpkg")).unwrap();
    std::fs::write(at("empty.gpkg"), "").unwrap();
    std::fs::write(at("text.gpkg"), "{\"type\":\"FeatureCollection\"}".repeat(100)).unwrap();
    std::fs::write(at("half.gpkg"), &good[..good.len() / 2]).unwrap();
    std::fs::write(at("head.gpkg"), &good[..50]).unwrap();
    run("sqlite3", &[at("other.gpkg").to_str().unwrap(), "CREATE TABLE t (a)"]);
    let mut spoilt = good.clone();
    for page in spoilt.chunks_mut(4096).skip(30) {
        page[..64].fill(0xAB);
    }
    std::fs::write(at("spoilt.gpkg"), spoilt).unwrap();
    for name in ["empty.gpkg", "text.gpkg", "half.gpkg", "head.gpkg", "other.gpkg", "spoilt.gpkg"] {
        let error = read_all(&at(name), None).unwrap_err();
        assert!(matches!(error, FormatError::Broken { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(matches!(read_all(dir.path(), None), Err(FormatError::Broken { .. })));
    assert!(matches!(read_all(&at("none.gpkg"), None), Err(FormatError::Io { .. })));
}

#[test]
fn views_virtual_tables_and_triggers_of_a_hostile_file_do_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("恶.gpkg");
    written(&path, "EPSG:4490", &[feature(1)]);
    run("sqlite3", &[
        path.to_str().unwrap(),
        "CREATE VIEW 深渊 AS WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n AS fid, NULL AS geom FROM c;
         CREATE VIRTUAL TABLE 虚 USING fts4(a);
         INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('深渊', 'features', '深渊'), ('虚', 'attributes', '虚'), ('不存在', 'features', 'x');
         CREATE TABLE 带码 (fid INTEGER PRIMARY KEY, a TEXT DEFAULT (load_extension('evil')), b TEXT AS (upper(a)));
         INSERT INTO 带码 (a) VALUES ('x');
         INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('带码', 'attributes', '带码');",
    ]);
    let (_, rows) = read_all(&path, None).unwrap();
    assert_eq!(rows.len(), 1);
    for name in ["深渊", "虚", "不存在"] {
        assert!(matches!(read_all(&path, Some(name)), Err(FormatError::Request(_))), "{name}");
    }
    let (_, rows) = read_all(&path, Some("带码")).unwrap();
    assert_eq!(rows[0].values, [Value::Text("x".to_owned()), Value::Text("X".to_owned())]);
    run(
        "sqlite3",
        &[
            path.to_str().unwrap(),
            "ALTER TABLE gpkg_contents RENAME TO g; CREATE VIEW gpkg_contents AS SELECT * FROM g",
        ],
    );
    assert!(matches!(read_all(&path, None), Err(FormatError::Broken { .. })));
}

#[test]
fn reading_leaves_nothing_beside_a_file_in_write_ahead_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.gpkg");
    written(&path, "EPSG:4490", &[feature(1), feature(2)]);
    run("sqlite3", &[path.to_str().unwrap(), "PRAGMA journal_mode = WAL; UPDATE gpkg_contents SET description = 'x'"]);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(read_all(&path, None).unwrap().1.len(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    // Rows that are still in another program's log are read too.
    let other = connection::open(&path).unwrap();
    other.execute_batch("DELETE FROM 低效用地 WHERE fid = 1").unwrap();
    assert_eq!(read_all(&path, None).unwrap().1.len(), 1);
}

#[test]
fn a_workspace_is_read_as_any_geopackage_but_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    let note = mutu::store::Note { author: "a", note: "b", at: 0 };
    let mut import = workspace.begin_import(&layer(), mutu::store::How::Create, note).unwrap();
    let one = feature(1);
    import
        .put(Some(1), one.shape.as_ref().map(Shape::view), &one.values.iter().map(Value::view).collect::<Vec<_>>())
        .unwrap();
    import.commit("{}").unwrap();
    let refused = |workspace: &str| {
        let error = write(&target(&path, "EPSG:4490"), &layer(), &mut std::iter::empty()).unwrap_err();
        assert!(
            matches!(&error, FormatError::Request(what) if what.contains("is a Mutu workspace")),
            "{workspace}: {error}"
        );
    };
    refused("open");
    workspace.close().unwrap();
    refused("closed");
    let (contents, rows) = read_all(&path, None).unwrap();
    assert_eq!((rows[0].values.clone(), contents.findings), (one.values, vec![]));
    assert_eq!(Workspace::open(&path).unwrap().layers().len(), 1);
}

#[test]
fn a_file_with_a_log_beside_it_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gpkg");
    written(&path, "EPSG:4490", &[feature(1)]);
    std::fs::write(dir.path().join("a.gpkg-journal"), "not empty").unwrap();
    let error = write(&target(&path, "EPSG:4490"), &layer(), &mut std::iter::empty()).unwrap_err();
    assert!(matches!(&error, FormatError::Request(what) if what.contains("close it")), "{error}");
    std::fs::remove_file(dir.path().join("a.gpkg-journal")).unwrap();
    assert_eq!(read_all(&path, None).unwrap().1.len(), 1);
    assert_eq!(written(&path, "EPSG:4490", &[]).features, 0);
    assert_eq!(read_all(&path, None).unwrap().1.len(), 0);
}

#[test]
fn two_features_of_one_id_are_an_error_and_the_old_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gpkg");
    written(&path, "EPSG:4490", &[feature(1)]);
    let twice = [feature(7), feature(7)];
    let error = write(&target(&path, "EPSG:4490"), &layer(), &mut twice.iter().map(Feature::view)).unwrap_err();
    assert!(matches!(&error, FormatError::Request(what) if what.contains('7')), "{error}");
    assert_eq!(read_all(&path, None).unwrap().1[0].id, Some(RowId::Number(1)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_damaged_file_is_an_error_or_is_read_but_never_a_panic(
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40), cut in prop::option::of(any::<prop::sample::Index>())
    ) {
        static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("good.gpkg");
            written(&path, "EPSG:4490", &(1..=30).map(feature).collect::<Vec<_>>());
            std::fs::read(&path).unwrap()
        });
        let mut bytes = GOOD.clone();
        for (at, byte) in spots {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("damaged.gpkg");
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = read_all(&path, None) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
