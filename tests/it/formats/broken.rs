//! Files that are not what they say: each is refused whole, or row by row, with what is wrong and where.

use std::io::Write as _;

use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{shapefile::altered, *};

/// What is wrong with a file as a whole, as its reader says it.
fn complaint(name: &str, bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    match read(&source(&path)) {
        Err(FormatError::Broken { what, .. }) => what,
        Err(other) => panic!("{name}: {other}"),
        Ok((contents, _)) => panic!("{name} was read: {contents:?}"),
    }
}

fn geojson(text: &str) -> (Contents, Vec<Row>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.geojson");
    std::fs::write(&path, text).unwrap();
    read_path(&path)
}

fn collection(features: &str) -> String {
    format!(r#"{{"type":"FeatureCollection","features":[{features}]}}"#)
}

fn feature(geometry: &str, properties: &str) -> String {
    format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{properties}}}"#)
}

#[test]
fn what_is_no_geojson_is_refused_with_its_place() {
    let utf16: Vec<u8> =
        std::iter::once(0xFEFF).chain(r#"{"type""#.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let (gbk, _, _) = encoding_rs::GBK
        .encode(r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"名称":"鹤山"}}]}"#);
    let good = collection(&[feature("null", r#"{"a":1}"#), feature("null", r#"{"a":2}"#)].join(","));
    let cut = &good.as_bytes()[..good.len() - 10];
    for (bytes, parts) in [
        (&b""[..], &["is empty"][..]),
        (b" \n ", &["is empty"]),
        (b"hello", &["is not GeoJSON: 'h' where a GeoJSON object should stand", "byte 0"]),
        (b"PK\x03\x04", &["is not GeoJSON"]),
        (b"{\"type\":\"FeatureCollection\",\"features\":[{]}", &["is not GeoJSON"]),
        (b"{\"type\":nul}", &["is not GeoJSON"]),
        (b"[1,2]", &["is not GeoJSON", "a GeoJSON object"]),
        (b"{\"a\":1}", &["no member \"type\""]),
        (b"{\"type\":\"Topology\"}", &["type \"Topology\" is none of GeoJSON's"]),
        (b"{\"geometryType\":\"esriGeometryPolygon\",\"features\":[]}", &["Esri JSON"]),
        (b"{\"type\":\"FeatureCollection\"}", &["without \"features\""]),
        (b"{\"type\":\"FeatureCollection\",\"features\":{}}", &["an array of features"]),
        (b"{\"type\":\"Feature\",\"features\":[]}", &["not \"FeatureCollection\""]),
        (b"{\"type\":\"FeatureCollection\",\"features\":[]} x", &["is not GeoJSON", "line 1"]),
        (&utf16, &["UTF-16"]),
        (&gbk, &["UTF-8, convert"]),
        (cut, &["is cut off at line 1, byte 143"]),
    ] {
        let what = complaint("a.geojson", bytes);
        for part in parts {
            assert!(what.contains(part), "{part:?} in {what:?}");
        }
    }
}

#[test]
fn a_bad_feature_costs_its_row_and_no_other() {
    let deep = format!("{}{}", r#"{"type":"GeometryCollection","geometries":["#.repeat(1000), "]}".repeat(1000));
    let cases = [
        (
            feature(r#"{"type":"GeometryCollection","geometries":[]}"#, "{}"),
            "unsupported-geometry",
            "features[0].geometry is a GeometryCollection",
        ),
        (feature(&deep, "{}"), "not-a-geometry", "recursion limit"),
        (feature(r#"{"type":"Circle","coordinates":[1,2]}"#, "{}"), "not-a-geometry", "Circle"),
        (feature(r#"{"type":"Point","coordinates":[1]}"#, "{}"), "not-a-geometry", "features[0].geometry"),
        (feature(r#"{"type":"Point","coordinates":["1",2]}"#, "{}"), "not-a-geometry", "features[0].geometry"),
        (feature(r#"{"type":"Point","coordinates":[1e400,2]}"#, "{}"), "not-a-geometry", "out of range"),
        (
            feature(r#"{"type":"LineString","coordinates":[[1,2],[3]]}"#, "{}"),
            "not-a-geometry",
            "a position of 1 numbers",
        ),
        (feature(r#"{"type":"Polygon","coordinates":[[1,2],[3,4]]}"#, "{}"), "not-a-geometry", "features[0].geometry"),
        (feature("null", "[]"), "not-a-feature", "features[0].properties"),
        (feature("null", r#"{"a":1,"a":2}"#), "duplicate-member", "\"a\" twice"),
        (r#"{"type":"Feature","geometry":null,"geometry":null}"#.to_owned(), "not-a-feature", "stands twice"),
        (r#"{"geometry":null}"#.to_owned(), "not-a-feature", "no member \"type\""),
        ("7".to_owned(), "not-a-feature", "a feature"),
    ];
    for (bad, fault, part) in cases {
        let good = feature(r#"{"type":"Point","coordinates":[112.5,22.5]}"#, r#"{"b":1}"#);
        let (contents, rows) = geojson(&collection(&format!("{bad},{good}")));
        assert_eq!(contents.rows, 2);
        assert_eq!(faults(&rows[0].findings), [fault], "{bad:.200}");
        assert_eq!(rows[0].findings[0].weight, mutu::domain::report::Weight::Refused);
        assert!(rows[0].findings[0].message.contains(part), "{part:?} in {:?}", rows[0].findings[0].message);
        assert!(rows[1].findings.is_empty() && rows[1].shape.is_some(), "{:?}", rows[1]);
    }
}

#[test]
fn faults_of_rings_arrive_unrepaired() {
    for (geometry, rings) in [
        (r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}"#, vec![3]),
        (r#"{"type":"Polygon","coordinates":[[[0,0],[0,0],[0,0],[0,0]],[]]}"#, vec![4, 0]),
        (r#"{"type":"LineString","coordinates":[[0,0]]}"#, vec![1]),
        (r#"{"type":"Polygon","coordinates":[]}"#, vec![]),
        (r#"{"type":"MultiPolygon","coordinates":[[[[1e308,91],[1,0]]]]}"#, vec![2]),
    ] {
        let (_, rows) = geojson(&collection(&feature(geometry, "{}")));
        let shape = rows[0].shape.as_ref().unwrap().view();
        assert_eq!(shape.rings().map(<[_]>::len).collect::<Vec<_>>(), rings, "{geometry}");
    }
}

#[test]
fn what_is_left_out_or_kept_otherwise_is_counted() {
    let text = format!(
        "\u{FEFF}{}",
        collection(
            &[
                feature(r#"{"type":"Point","coordinates":[1,2,3]}"#, r#"{"a":{"b": [1, 2]},"n":18446744073709551617}"#),
                feature(r#"{"type":"Point","coordinates":[1,2,3,4]}"#, r#"{"a":[1],"n":1e400}"#),
                r#"{"type":"Feature","id":"x-1","geometry":null,"properties":null,"style":{}}"#.to_owned(),
                r#"{"type":"Feature","id":7,"geometry":null,"properties":{"late":true}}"#.to_owned(),
            ]
            .join(",\n")
        )
    );
    let (contents, rows) = geojson(&text);
    let words = ["byte-order-mark", "nested-value", "number-too-large", "z-dropped", "foreign-member"];
    assert_eq!(faults(&contents.findings), words, "{:?}", contents.findings);
    assert!(contents.findings[3].message.ends_with("(2 times, first in row 1)"), "{:?}", contents.findings[3]);
    assert_eq!(rows[0].values, [super::text(r#"{"b": [1, 2]}"#), super::text("18446744073709551617")]);
    assert_eq!(rows[1].values, [super::text("[1]"), super::text("1e400")]);
    assert_eq!(rows[2].id, Some(mutu::formats::RowId::Text("x-1".to_owned())));
    assert_eq!(rows[3].id, Some(mutu::formats::RowId::Number(7)));
    assert_eq!(rows[3].values, [Value::Null, Value::Null, Value::Boolean(true)]);
    let names: Vec<_> = contents.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "n", "late"]);
}

#[test]
fn the_older_crs_member_is_seen_before_and_after_the_features() {
    for (text, epsg) in [
        (
            r#"{"type":"FeatureCollection","bbox":[0,1,2,3],"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4547"}},"features":[]}"#,
            Some(4547),
        ),
        (
            r#"{"features":[],"crs":{"type":"name","properties":{"name":"EPSG:4526"}},"type":"FeatureCollection"}"#,
            Some(4526),
        ),
        (r#"{"type":"FeatureCollection","crs":{"type":"EPSG","properties":{"code":4490}},"features":[]}"#, Some(4490)),
    ] {
        assert_eq!(says(&geojson(text).0).epsg(), epsg, "{text}");
    }
    for text in [
        r#"{"type":"FeatureCollection","features":[]}"#,
        r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},"features":[]}"#,
    ] {
        assert!(says(&geojson(text).0).is_stored(), "{text}");
    }
    let silent = geojson(r#"{"type":"FeatureCollection","crs":null,"features":[]}"#).0;
    assert_eq!(silent.crs, CrsClaim::Silent);
    let unknown =
        geojson(r#"{"type":"FeatureCollection","crs":{"type":"link","properties":{"href":"x"}},"features":[]}"#).0;
    assert!(matches!(unknown.crs, CrsClaim::Unreadable(_)));
}

#[test]
fn single_features_bare_geometries_and_sequences_are_read() {
    let point = r#"{"type":"Point","coordinates":[112.5,22.5]}"#;
    let one = feature(point, r#"{"a":1}"#);
    for (text, count) in [
        (one.clone(), 1),
        (point.to_owned(), 1),
        (r#"{"coordinates":[112.5,22.5],"type":"Point"}"#.to_owned(), 1),
        (format!("{one}\n{one}\n\n{one}\n"), 3),
        (format!("\u{1e}{one}\n\u{1e}{point}\n"), 2),
        (format!("{}\n{one}", collection(&one)), 2),
    ] {
        let (contents, rows) = geojson(&text);
        assert_eq!(contents.rows, count, "{text}");
        assert!(rows.iter().all(|row| row.shape == Some(Shape::point((112.5, 22.5).into()))));
    }
    let (_, rows) = geojson(r#"{"type":"GeometryCollection","geometries":[]}"#);
    assert_eq!(faults(&rows[0].findings), ["unsupported-geometry"]);
}

#[test]
fn a_receiver_that_stops_is_told_its_own_reason() {
    for path in [
        fixture("gbk_shapefiles/counties_gbk_cpg.shp"),
        fixture("cambridge_parcels/cambridge_parcels_fy2014_epsg2249.fgb"),
    ] {
        let mut seen = 0;
        let read = by_extension(&path).unwrap().read.unwrap();
        let error = read(&source(&path), &mut |_: &[Column], _| {
            seen += 1;
            Err(FormatError::Stopped("enough".into()))
        });
        assert!(error.unwrap_err().to_string().contains("enough"));
        assert_eq!(seen, 1);
    }
}

/// Writes bytes at a place of a member of the counties' shapefile.
fn counties_with(ending: &str, at: usize, bytes: &[u8]) -> Result<(Contents, Vec<Row>), FormatError> {
    let (_kept, path) = altered(|path| {
        let member = path.with_extension(ending);
        let mut all = std::fs::read(&member).unwrap();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(member, all).unwrap();
    });
    read(&source(&path))
}

#[test]
fn a_shapefile_that_lies_is_refused_with_the_record() {
    let huge = i32::MAX.to_be_bytes();
    let cases: [(&str, usize, &[u8], &str); 11] = [
        ("shp", 0, b"XX", "it does not begin with 9994"),
        ("shp", 24, &huge, "states 4294967294 bytes"),
        ("shp", 24, &(-5_i32).to_be_bytes(), "states a length of -5 words"),
        ("shp", 104, &huge, "record 1: claims 4294967294 bytes"),
        ("shp", 104, &(-1_i32).to_be_bytes(), "record 1: claims -2 bytes"),
        ("shx", 108, &huge, "record 2: its .shx points to word 2147483647"),
        ("shx", 24, &huge, "its .shx is cut off or broken"),
        ("shx", 24, &(50_i32 + 4 * 6).to_be_bytes(), "the files do not belong together"),
        ("dbf", 4, &u32::MAX.to_le_bytes(), "claims 4294967295 rows, it holds 7"),
        ("dbf", 10, &[0, 0], "is no table"),
        ("dbf", 10, &[9, 0], "its columns need rows of"),
    ];
    for (ending, at, bytes, part) in cases {
        let error = counties_with(ending, at, bytes).unwrap_err();
        assert!(matches!(error, FormatError::Broken { .. }) && error.to_string().contains(part), "{part:?} in {error}");
    }
}

#[test]
fn a_record_whose_content_lies_costs_its_row() {
    let number = |n: i32| n.to_le_bytes();
    for (at, bytes, fault) in [
        (108, number(31), "unsupported-geometry"),
        (108, number(99), "unsupported-geometry"),
        (108 + 36, number(i32::MAX), "not-a-geometry"),
        (108 + 36, number(-1), "not-a-geometry"),
        (108 + 40, number(i32::MAX), "not-a-geometry"),
        (108 + 44, number(-7), "not-a-geometry"),
    ] {
        let (_, rows) = counties_with("shp", at, &bytes).unwrap();
        assert_eq!(faults(&rows[0].findings), [fault], "byte {at}");
        assert!(rows[0].shape.is_none() && rows[1..].iter().all(|row| row.shape.is_some()));
    }
    let (_, rows) = counties_with("shp", 108 + 48, &f64::NAN.to_le_bytes()).unwrap();
    assert!(rows[0].shape.as_ref().unwrap().view().coords()[0].x.is_nan(), "the fault is told by its own name later");
}

#[test]
fn a_shapefile_without_its_table_or_cut_off_is_refused() {
    type Change = fn(&Path);
    for (change, part) in [
        (
            (|path: &Path| std::fs::remove_file(path.with_extension("dbf")).unwrap()) as Change,
            "needs its .dbf: c.dbf holds the attributes",
        ),
        (|path| truncate(path, 5000), "is cut off: its header states"),
        (|path| truncate(path, 50), "its .shp is cut off in its header"),
        (|path| truncate(&path.with_extension("dbf"), 700), "is cut off: its header claims 7 rows"),
        (|path| truncate(&path.with_extension("dbf"), 20), "is cut off in its header"),
        (|path| truncate(&path.with_extension("dbf"), 0), "is cut off in its header"),
    ] {
        let (_kept, path) = altered(change);
        let error = read(&source(&path)).unwrap_err();
        assert!(error.to_string().contains(part), "{part:?} in {error}");
    }
    let absent = read(&source(Path::new("/no/such.shp"))).unwrap_err();
    assert!(matches!(absent, FormatError::Io { .. }) && absent.to_string().contains("/no/such.shp"));
}

fn truncate(path: &Path, length: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn values_that_are_none_of_their_type_are_told_by_row() {
    // The third column is a number of 24 digits; its first cell begins after the deletion mark and two texts.
    let dbf = std::fs::read(fixture("gbk_shapefiles/counties_gbk_cpg.dbf")).unwrap();
    let head = usize::from(u16::from_le_bytes([dbf[8], dbf[9]]));
    let (_, rows) = counties_with("dbf", head + 161, b"about three hundred     ").unwrap();
    assert_eq!(rows[0].values[2], Value::Null);
    assert_eq!(faults(&rows[0].findings), ["bad-value"]);
    assert!(rows[0].findings[0].message.contains("\"about three hundred\""));
}

type InMemory = ZipWriter<std::io::Cursor<Vec<u8>>>;

#[test]
fn archives_that_try_something_are_refused_by_rule() {
    let plain = SimpleFileOptions::default();
    let zip = |fill: &dyn Fn(&mut InMemory)| {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        fill(&mut archive);
        archive.finish().unwrap().into_inner()
    };
    let bomb = zip(&|archive| {
        archive.start_file("a.shp", plain.large_file(true)).unwrap();
        let blank = vec![0; 1 << 20];
        (0..200).for_each(|_| archive.write_all(&blank).unwrap());
    });
    assert!(bomb.len() < 400_000);
    let many = zip(&|archive| (0..10_001).for_each(|i| archive.start_file(format!("{i}.txt"), plain).unwrap()));
    let link = zip(&|archive| archive.add_symlink("a.shp", "/etc/passwd", plain).unwrap());
    let twice = zip(&|archive| ["a.shp", "A.SHP"].iter().for_each(|name| archive.start_file(*name, plain).unwrap()));
    let none = zip(&|archive| archive.start_file("readme.txt", plain).unwrap());
    let mut encrypted = zip(&|archive| {
        archive.start_file("a.shp", plain).unwrap();
        archive.write_all(b"secret").unwrap();
    });
    // The flag in the local header and in the directory.
    for mark in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
        let at = encrypted.windows(4).position(|window| window == mark).unwrap();
        encrypted[at + if mark[2] == 3 { 6 } else { 8 }] |= 1;
    }
    let mut same = zip(&|archive| ["a.shp", "b.shp"].iter().for_each(|name| archive.start_file(*name, plain).unwrap()));
    while let Some(at) = same.windows(5).position(|window| window == b"b.shp") {
        same[at] = b'a';
    }
    for (bytes, part) in [
        (&bomb, "rule \"compression ratio\""),
        (&many, "rule \"entry count\""),
        (&encrypted, "rule \"encrypted entries\""),
        (&link, "rule \"links\""),
        (&same, "rule \"duplicate names\""),
        (&none, "without a .shp"),
        (&bomb[..1000].to_vec(), "zip"),
        (&b"not a zip".to_vec(), "is not a zip archive"),
    ] {
        let what = complaint("a.zip", bytes);
        assert!(what.contains(part), "{part:?} in {what:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.zip");
    std::fs::write(&path, twice).unwrap();
    assert!(matches!(read(&source(&path)).unwrap_err(), FormatError::Request(what) if what.contains("a.shp, A.shp")));
}

/// Three parcels of the cadastre's first kilobytes, as a FlatGeobuf file of our own.
fn small_fgb() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.fgb");
    let square = shape(ShapeKind::Polygon, &[&[&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)]]]);
    let features: Vec<Feature> =
        (1..=3).map(|id| Feature { id, shape: Some(square.clone()), values: vec![text("地块")] }).collect();
    write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Surface, &[("名称", FieldType::Text)]), &features)
        .unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_flatgeobuf_file_that_lies_or_is_cut_off_is_refused() {
    let good = small_fgb();
    let features_at = {
        let header = 12 + u32::from_le_bytes(good[8..12].try_into().unwrap()) as usize;
        header + 4 * 40
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut all = good.clone();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        all
    };
    let cases = [
        (b"hello".to_vec(), "is not a FlatGeobuf file"),
        (vec![], "is not a FlatGeobuf file"),
        (with(0, b"gbf"), "is not a FlatGeobuf file"),
        (with(8, &u32::MAX.to_le_bytes()), "is not a FlatGeobuf file"),
        (good[..features_at - 30].to_vec(), "is cut off: its index alone needs"),
        (good[..features_at].to_vec(), "claims 3 features, it holds 0: it is cut off"),
        (good[..good.len() - 1].to_vec(), "feature 3: its length claims"),
        (good[..features_at + 2].to_vec(), "feature 1: is cut off"),
        (with(features_at, &u32::MAX.to_le_bytes()), "feature 1: its length claims 4294967295 bytes"),
        (with(features_at, &[0; 4]), "feature 1: its length claims 0 bytes"),
        (with(features_at + 4, &[0xFF; 4]), "feature 1: is broken"),
    ];
    for (bytes, part) in cases {
        let what = complaint("a.fgb", &bytes);
        assert!(what.contains(part), "{part:?} in {what:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_flatgeobuf_file_with_any_byte_changed_is_read_or_refused(at in 0..2000_usize, byte: u8) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.fgb");
        let mut bytes = small_fgb();
        let at = at % bytes.len();
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let _ = read(&source(&path));
    }

    #[test]
    fn a_shapefile_with_any_byte_changed_is_read_or_refused(ending in 0..3_usize, at in 0..20_000_usize, byte: u8) {
        let (_kept, path) = altered(|path| {
            let member = path.with_extension(["shp", "shx", "dbf"][ending]);
            let mut bytes = std::fs::read(&member).unwrap();
            // Headers and first records are where the counts and offsets are.
            let at = if at % 2 == 0 { at % 200 } else { at } % bytes.len();
            bytes[at] = byte;
            std::fs::write(member, bytes).unwrap();
        });
        let _ = read(&source(&path));
    }

    #[test]
    fn a_geojson_file_with_any_byte_changed_is_read_or_refused(at in 0..200_usize, byte: u8) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.geojson");
        let mut bytes = collection(&feature(r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}"#, r#"{"名":[1],"b":-1.5e3}"#)).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let _ = read(&source(&path));
    }
}
