//! What only shapefiles can do wrong: names of ten bytes, text of 254, two encodings, archives.

use std::io::Write as _;

use encoding_rs::{BIG5, GB18030, GBK, UTF_16LE};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

fn one_point(values: Vec<Value>) -> Vec<Feature> {
    vec![Feature { id: 1, shape: Some(Shape::point((112.5, 22.5).into())), values }]
}

#[test]
fn gbk_is_written_so_that_gdal_reads_it_by_cpg_and_by_language_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let fields = [("地块编号甲", FieldType::Text), ("行政区划名称", FieldType::Text)];
    let features = one_point(vec![text("鹤山"), text("雅瑶镇")]);
    let target = Target { encoding: Some(GBK), ..target(&path, "EPSG:4547") };
    let written = write(&target, &layer(GeometryClass::Point, &fields), &features).unwrap();
    assert!(
        written.losses.iter().any(|loss| loss.contains("行政区划名称") && loss.contains("行政区划名\"")),
        "{:?}",
        written.losses
    );
    let bytes = std::fs::read(path.with_extension("dbf")).unwrap();
    assert_eq!(bytes[29], 0x4D);
    assert_eq!(&bytes[32..42], &*GBK.encode("地块编号甲").0, "names are in the encoding of the rows");
    assert_eq!(std::fs::read_to_string(path.with_extension("cpg")).unwrap(), "GBK");
    for with_cpg in [true, false] {
        if !with_cpg {
            std::fs::remove_file(path.with_extension("cpg")).unwrap();
        }
        let said = said_by("ogrinfo", &["-q", "-al", path.to_str().unwrap()]);
        assert!(said.contains("地块编号甲 (String) = 鹤山"), "{said}");
        let (contents, rows) = read_path(&path);
        assert_eq!(contents.columns[1].name, "行政区划名");
        assert_eq!(rows[0].values, [text("鹤山"), text("雅瑶镇")]);
    }
}

#[test]
fn names_that_become_equal_when_shortened_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let fields = ["一二三四", "一二三五", "LongNameOne", "longnameone2"].map(|name| (name, FieldType::Integer));
    let values = (1..=4).map(Value::Integer).collect();
    let written =
        write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Point, &fields), &one_point(values)).unwrap();
    let (contents, rows) = read_path(&path);
    let names: Vec<_> = contents.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["一二三", "一二_1", "LongNameOn", "longname_1"]);
    assert_eq!(rows[0].values, (1..=4).map(Value::Integer).collect::<Vec<_>>());
    assert_eq!(written.losses.iter().filter(|loss| loss.contains("is called")).count(), 4);
}

#[test]
fn text_that_is_too_long_is_cut_at_a_character_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let long = "水".repeat(100);
    let values = vec![text(&long), text(""), text("ends ")];
    let fields = [("a", FieldType::Text), ("b", FieldType::Text), ("c", FieldType::Text)];
    let written =
        write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Point, &fields), &one_point(values)).unwrap();
    let (_, rows) = read_path(&path);
    assert_eq!(rows[0].values, [text(&"水".repeat(84)), Value::Null, text("ends")]);
    for part in
        ["1 texts of \"a\" have more than 254 bytes", "1 texts of \"b\" are empty", "1 texts of \"c\" are empty"]
    {
        assert!(written.losses.iter().any(|loss| loss.contains(part)), "{part}: {:?}", written.losses);
    }
}

#[test]
fn a_character_that_the_encoding_lacks_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let fields = [("名称", FieldType::Text)];
    for (encoding, part) in
        [(GBK, "'🏭' cannot be written in GBK"), (BIG5, "cannot be written in Big5"), (UTF_16LE, "use UTF-8 or GBK")]
    {
        let target = Target { encoding: Some(encoding), ..target(&path, "EPSG:4490") };
        let error = write(&target, &layer(GeometryClass::Point, &fields), &one_point(vec![text("厂🏭")])).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none());
    }
    let target = Target { encoding: Some(GB18030), ..target(&path, "EPSG:4490") };
    write(&target, &layer(GeometryClass::Point, &fields), &one_point(vec![text("厂🏭")])).unwrap();
    assert_eq!(read_path(&path).1[0].values[0], text("厂🏭"));
}

#[test]
fn numbers_of_any_size_come_back_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let numbers =
        [0.1, -0.0, 1e-300, f64::MAX, f64::MIN_POSITIVE, 38_412_345.678_901_23, 1.0 / 3.0, 123_456_789_012_345.6];
    let features: Vec<Feature> = numbers
        .iter()
        .zip([0, -1, i64::MAX, i64::MIN, 1, 2, 3, 4])
        .map(|(real, whole)| Feature { id: 1, shape: None, values: vec![Value::Real(*real), Value::Integer(whole)] })
        .collect();
    let fields = [("r", FieldType::Real), ("i", FieldType::Integer)];
    let written = write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Point, &fields), &features).unwrap();
    assert!(written.losses.iter().any(|loss| loss.contains("more than 18 digits")), "{:?}", written.losses);
    let (_, rows) = read_path(&path);
    for (feature, row) in features.iter().zip(&rows) {
        assert_eq!(row.values, feature.values);
    }
}

#[test]
fn points_become_multi_points_when_the_first_one_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let mut features = one_point(vec![]);
    features.push(Feature { id: 2, shape: None, values: vec![] });
    let several = shape(ShapeKind::MultiPoint, &[&[&[(1.0, 2.0)]], &[&[(3.0, 4.0)]]]);
    features.push(Feature { id: 3, shape: Some(several.clone()), values: vec![] });
    write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Point, &[]), &features).unwrap();
    let (_, rows) = read_path(&path);
    assert_eq!(rows[0].shape, Some(shape(ShapeKind::MultiPoint, &[&[&[(112.5, 22.5)]]])));
    assert_eq!((rows[1].shape.as_ref(), rows[2].shape.as_ref()), (None, Some(&several)));
    assert_eq!(ogrinfo(&path).count, 3);
}

#[test]
fn kinds_that_do_not_go_together_are_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let mut features = one_point(vec![]);
    features.push(Feature {
        id: 2,
        shape: Some(shape(ShapeKind::LineString, &[&[&[(0.0, 0.0), (1.0, 1.0)]]])),
        values: vec![],
    });
    let error = write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Mixed, &[]), &features).unwrap_err();
    assert!(
        error.to_string().contains("feature 2 is a LineString") && error.to_string().contains("GeoPackage"),
        "{error}"
    );
    let error = write(&target(&path, "EPSG:4490"), &layer(GeometryClass::None, &[]), &[]).unwrap_err();
    assert!(error.to_string().contains("no geometry"), "{error}");
}

#[test]
fn an_older_shapefile_is_replaced_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.shp");
    let fields = [("名称", FieldType::Text)];
    write(&target(&path, "EPSG:4547"), &layer(GeometryClass::Point, &fields), &one_point(vec![text("old")])).unwrap();
    std::fs::write(path.with_extension("qix"), "an index of the old file").unwrap();
    let with = Target { encoding: Some(GBK), ..target(&path, "EPSG:4547") };
    write(&with, &layer(GeometryClass::Point, &fields), &one_point(vec![text("🏭")])).unwrap_err();
    assert_eq!(read_path(&path).1[0].values[0], text("old"));
    write(&with, &layer(GeometryClass::Point, &fields), &one_point(vec![text("新")])).unwrap();
    assert_eq!(read_path(&path).1[0].values[0], text("新"));
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.cpg", "a.dbf", "a.prj", "a.shp", "a.shx"], "no stale index, no leftovers");
}

/// A copy of the counties under another name, with what `change` does to its members.
pub fn altered(change: impl Fn(&Path)) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for ending in ["shp", "shx", "dbf", "prj", "cpg"] {
        let from = fixture("gbk_shapefiles").join(format!("counties_gbk_cpg.{ending}"));
        std::fs::copy(from, directory.path().join(format!("c.{ending}"))).unwrap();
    }
    let path = directory.path().join("c.shp");
    change(&path);
    (directory, path)
}

#[test]
fn missing_helpers_are_told_and_a_missing_crs_is_never_assumed() {
    let (_kept, path) = altered(|path| {
        std::fs::remove_file(path.with_extension("shx")).unwrap();
        std::fs::remove_file(path.with_extension("prj")).unwrap();
    });
    let (contents, rows) = read_path(&path);
    assert_eq!(contents.crs, CrsClaim::Silent);
    assert_eq!(faults(&contents.findings), ["no-shx"]);
    let (_, with_index) = read_path(&fixture("gbk_shapefiles/counties_gbk_cpg.shp"));
    assert!(rows.iter().zip(&with_index).all(|(a, b)| a.shape == b.shape && a.values == b.values));
    let (_kept, path) = altered(|path| std::fs::write(path.with_extension("prj"), "PROJCS[\"my own\"").unwrap());
    assert!(matches!(read_path(&path).0.crs, CrsClaim::Unreadable(text) if text.starts_with("PROJCS")));
}

#[test]
fn deleted_rows_are_left_out_with_their_shapes_and_told() {
    let (_kept, path) = altered(|path| {
        let dbf = path.with_extension("dbf");
        let mut bytes = std::fs::read(&dbf).unwrap();
        let (head, width) = (u16::from_le_bytes([bytes[8], bytes[9]]), u16::from_le_bytes([bytes[10], bytes[11]]));
        bytes[usize::from(head + 2 * width)] = b'*';
        std::fs::write(dbf, bytes).unwrap();
    });
    let (contents, rows) = read_path(&path);
    let (_, all) = read_path(&fixture("gbk_shapefiles/counties_gbk_cpg.shp"));
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 4, 5, 6, 7]);
    assert_eq!(rows[2].values, all[3].values);
    assert_eq!(rows[2].shape, all[3].shape);
    assert_eq!(faults(&contents.findings), ["deleted-rows"]);
}

#[test]
fn endings_in_capitals_are_found() {
    let (_kept, path) = altered(|path| {
        for ending in ["shp", "shx", "dbf", "prj", "cpg"] {
            std::fs::rename(path.with_extension(ending), path.with_extension(ending.to_uppercase())).unwrap();
        }
    });
    let (contents, rows) = read_path(&path.with_extension("SHP"));
    assert_eq!((contents.encoding.as_str(), rows.len()), ("GBK (.cpg)", 7));
}

fn zip_of(path: &Path, members: &[(&str, &str)]) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, ending) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        let bytes = std::fs::read(fixture("gbk_shapefiles").join(format!("counties_gbk_cpg.{ending}"))).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn an_archive_with_one_shapefile_is_that_shapefile_wherever_its_paths_point() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.zip");
    zip_of(
        &path,
        &[
            ("../../县/c.SHP", "shp"),
            ("../../县/c.dbf", "dbf"),
            ("../../县/c.cpg", "cpg"),
            ("../../县/c.PRJ", "prj"),
            ("readme.txt", "cpg"),
            ("__MACOSX/._c.shp", "cpg"),
        ],
    );
    let (contents, rows) = read_path(&path);
    assert_eq!((rows.len(), says(&contents).epsg()), (7, Some(4526)));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is unpacked beside it");
}

#[test]
fn an_archive_of_several_shapefiles_asks_which() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.zip");
    zip_of(&path, &[("x/甲.shp", "shp"), ("x/甲.dbf", "dbf"), ("乙.shp", "shp"), ("乙.dbf", "dbf")]);
    let error = read(&source(&path)).unwrap_err();
    assert!(matches!(&error, FormatError::Request(what) if what.contains("x/甲.shp, 乙.shp")), "{error}");
    let chosen = Source { table: Some("甲".to_owned()), ..source(&path) };
    assert_eq!(read(&chosen).unwrap().1.len(), 7);
    let absent = Source { table: Some("丙".to_owned()), ..source(&path) };
    assert!(read(&absent).unwrap_err().to_string().contains("no shapefile in it is called \"丙\""));
}
