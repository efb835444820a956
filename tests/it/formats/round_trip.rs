//! What is written comes back the same, or the writer says what the format cannot hold.

use super::*;

const FIELDS: [(&str, FieldType); 6] = [
    ("名称", FieldType::Text),
    ("count", FieldType::Integer),
    ("面积", FieldType::Real),
    ("低效", FieldType::Boolean),
    ("认定日期", FieldType::Date),
    ("更新时间", FieldType::DateTime),
];

/// A row of every kind of value, a row of nulls, and rows at the edges of the types.
fn value_rows() -> Vec<Vec<Value>> {
    vec![
        vec![
            text("鹤山 \"一\", 二\n三\\"),
            Value::Integer(42),
            Value::Real(0.1),
            Value::Boolean(true),
            Value::Date(19_468),
            Value::DateTime(1_682_035_200_123),
        ],
        vec![Value::Null; 6],
        vec![
            text("=SUM(A1)"),
            Value::Integer(999_999_999_999_999_999),
            Value::Real(-1.234_567_890_123_456_7e-9),
            Value::Boolean(false),
            Value::Date(-719_162),
            Value::DateTime(-1),
        ],
        vec![
            text("é 𠮷 🏭"),
            Value::Integer(-1),
            Value::Real(1e22),
            Value::Null,
            Value::Date(2_932_896),
            Value::DateTime(0),
        ],
    ]
}

fn surfaces() -> Vec<Option<Shape>> {
    let outer: &[(f64, f64)] = &[(112.5, 22.5), (112.6, 22.5), (112.6, 22.6), (112.5, 22.6), (112.5, 22.5)];
    let hole: &[(f64, f64)] = &[(112.52, 22.52), (112.52, 22.54), (112.54, 22.54), (112.54, 22.52), (112.52, 22.52)];
    let other: &[(f64, f64)] = &[(112.8, 22.5), (112.9, 22.5), (112.85, 22.612_345_678), (112.8, 22.5)];
    vec![
        Some(shape(ShapeKind::Polygon, &[&[outer]])),
        None,
        Some(shape(ShapeKind::Polygon, &[&[outer, hole]])),
        Some(shape(ShapeKind::MultiPolygon, &[&[outer, hole], &[other]])),
    ]
}

fn lines() -> Vec<Option<Shape>> {
    let path: &[(f64, f64)] = &[(112.5, 22.5), (112.6, 22.55)];
    let other: &[(f64, f64)] = &[(112.8, 22.5), (112.9, 22.5), (113.0, 22.7)];
    vec![
        Some(shape(ShapeKind::LineString, &[&[path]])),
        Some(shape(ShapeKind::MultiLineString, &[&[path], &[other]])),
        None,
        Some(shape(ShapeKind::LineString, &[&[other]])),
    ]
}

fn points() -> Vec<Option<Shape>> {
    [(112.5, 22.5), (112.6, 22.6), (112.7, 22.7)]
        .map(|at| Some(Shape::point(at.into())))
        .into_iter()
        .chain([None])
        .collect()
}

fn features(shapes: Vec<Option<Shape>>) -> Vec<Feature> {
    let rows = shapes.into_iter().zip(value_rows()).enumerate();
    rows.map(|(i, (shape, values))| Feature { id: i as i64 + 1, shape, values }).collect()
}

/// A shape with outer rings counter-clockwise, holes clockwise, and a multi-geometry of one part as a single one: what
/// formats that fix the direction or the kind can be held to.
fn normal(shape: &Shape) -> Shape {
    let view = shape.view();
    let parts: Vec<Vec<Vec<(f64, f64)>>> = view
        .parts()
        .map(|part| {
            part.enumerate()
                .map(|(i, ring)| {
                    let mut ring: Vec<(f64, f64)> = ring.iter().map(|at| (at.x, at.y)).collect();
                    let area: f64 = ring.windows(2).map(|w| w[0].0 * w[1].1 - w[1].0 * w[0].1).sum();
                    if view.kind().dimension() == 2 && (area > 0.0) != (i == 0) {
                        ring.reverse();
                    }
                    ring
                })
                .collect()
        })
        .collect();
    let kind = if parts.len() > 1 { view.kind().multi() } else { view.kind() };
    let kind = match (parts.len(), kind) {
        (1, ShapeKind::MultiPolygon) => ShapeKind::Polygon,
        (1, ShapeKind::MultiLineString) => ShapeKind::LineString,
        (1, ShapeKind::MultiPoint) => ShapeKind::Point,
        (_, kind) => kind,
    };
    let mut normal = Shape::new(kind);
    for part in parts {
        for ring in part {
            for at in ring {
                normal.push(at.into());
            }
            normal.end_ring();
        }
        normal.end_part();
    }
    normal
}

/// Writes, reads back, and compares shapes exactly and values by `expected`; rows are matched by the text of column
/// `count`, because FlatGeobuf orders by place.
fn come_back(
    name: &str,
    class: GeometryClass,
    shapes: Vec<Option<Shape>>,
    expected: impl Fn(&Value, FieldType) -> Value,
) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let (layer, features) = (layer(class, &FIELDS), features(shapes));
    let written = write(&target(&path, "EPSG:4490"), &layer, &features).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(written.features, 4);
    let (contents, rows) = read_path(&path);
    assert_eq!(rows.len(), 4);
    assert!(says(&contents).is_stored());
    for feature in &features {
        let row = rows.iter().find(|row| row.values[1] == feature.values[1]).expect("each row comes back");
        for ((value, back), (column, kind)) in feature.values.iter().zip(&row.values).zip(FIELDS) {
            assert_eq!(back, &expected(value, kind), "{name}, column {column}");
        }
        assert_eq!(row.shape.as_ref().map(normal), feature.shape.as_ref().map(normal), "{name}");
        assert!(row.findings.is_empty(), "{:?}", row.findings);
    }
    let theirs = ogrinfo(&path);
    assert_eq!(theirs.count, 4, "{}", theirs.said);
    assert!(!theirs.said.contains("ERROR") && !theirs.said.contains("Warning"), "{}", theirs.said);
    let bounds = features
        .iter()
        .filter_map(|f| f.shape.as_ref()?.view().bounds())
        .reduce(mutu::ground::shape::Bounds::union)
        .unwrap();
    let ours = [bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y];
    for (ours, theirs) in ours.iter().zip(theirs.extent.unwrap()) {
        assert!((ours - theirs).abs() < 1e-6, "{name}: {ours} {theirs}");
    }
    for column in &contents.columns {
        assert!(theirs.said.contains(&format!("\n{}: ", column.name)), "{name}: {} in {}", column.name, theirs.said);
    }
    written
}

fn as_json(value: &Value, kind: FieldType) -> Value {
    match (value, kind) {
        (Value::Date(days), _) => Value::Text(mutu::domain::calendar::date_text(*days)),
        (Value::DateTime(ms), _) => Value::Text(mutu::domain::calendar::date_time_text(*ms)),
        (value, _) => value.clone(),
    }
}

fn as_table(value: &Value, _: FieldType) -> Value {
    match value {
        Value::DateTime(ms) => Value::Text(mutu::domain::calendar::date_time_text(*ms)),
        value => value.clone(),
    }
}

fn same(value: &Value, _: FieldType) -> Value {
    value.clone()
}

fn told(written: &Written, word: &str) -> bool {
    written.losses.iter().any(|loss| loss.contains(word))
}

#[test]
fn geojson_brings_everything_back_but_dates_as_text_and_says_so() {
    for (class, shapes) in
        [(GeometryClass::Surface, surfaces()), (GeometryClass::Line, lines()), (GeometryClass::Point, points())]
    {
        let written = come_back("a.geojson", class, shapes, as_json);
        assert!(told(&written, "认定日期") && told(&written, "更新时间"), "{:?}", written.losses);
        assert_eq!(written.losses.len(), 2);
    }
}

#[test]
fn geojson_keeps_ids_kinds_and_ring_directions_to_the_last_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.geojsonl");
    let features = features(surfaces());
    write(&target(&path, "EPSG:4326"), &layer(GeometryClass::Surface, &FIELDS), &features).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    let (_, rows) = read_path(&path);
    for (feature, row) in features.iter().zip(&rows) {
        assert_eq!(row.id, Some(mutu::formats::RowId::Number(feature.id)));
        assert_eq!(row.shape, feature.shape);
    }
}

#[test]
fn flatgeobuf_brings_every_value_back_and_says_what_becomes_of_ids_and_order() {
    for (class, shapes) in
        [(GeometryClass::Surface, surfaces()), (GeometryClass::Line, lines()), (GeometryClass::Point, points())]
    {
        let written = come_back("a.fgb", class, shapes, same);
        assert!(told(&written, "no ids"), "{:?}", written.losses);
    }
    let written = come_back("a.fgb", GeometryClass::Surface, surfaces(), same);
    assert!(told(&written, "2 single geometries"), "{:?}", written.losses);
}

#[test]
fn a_layer_of_mixed_kinds_keeps_them_in_geojson_and_flatgeobuf() {
    let shapes = vec![surfaces().remove(3), lines().remove(0), points().remove(0), None];
    come_back("a.geojson", GeometryClass::Mixed, shapes.clone(), as_json);
    come_back("a.fgb", GeometryClass::Mixed, shapes, same);
}

#[test]
fn a_shapefile_brings_every_value_back_but_moments_as_text_and_says_so() {
    for name in ["a.shp", "地块.zip"] {
        for (class, shapes) in
            [(GeometryClass::Surface, surfaces()), (GeometryClass::Line, lines()), (GeometryClass::Point, points())]
        {
            let written = come_back_table(name, class, shapes);
            assert!(told(&written, "更新时间"), "{:?}", written.losses);
        }
    }
}

fn come_back_table(name: &str, class: GeometryClass, shapes: Vec<Option<Shape>>) -> Written {
    come_back(name, class, shapes, as_table)
}

#[test]
fn coordinates_are_written_in_the_crs_that_the_target_names() {
    let directory = tempfile::tempdir().unwrap();
    let features = features(surfaces());
    // PROJ's own program says where the first corner lies: north first, as EPSG declares.
    let said = said_by_cs2cs("22.5 112.5");
    for name in ["a.geojson", "a.fgb", "a.shp", "a.zip"] {
        let path = directory.path().join(name);
        let written = write(&target(&path, "EPSG:4526"), &layer(GeometryClass::Surface, &FIELDS), &features).unwrap();
        let (contents, rows) = read_path(&path);
        assert_eq!(says(&contents).epsg(), Some(4526), "{name}");
        let row = rows.iter().find(|row| row.values[1] == Value::Integer(42)).unwrap();
        let corner = row
            .shape
            .as_ref()
            .unwrap()
            .view()
            .coords()
            .iter()
            .copied()
            .min_by(|a, b| (a.x + a.y).total_cmp(&(b.x + b.y)))
            .unwrap();
        assert!((corner.y - said[0]).abs() < 1e-3 && (corner.x - said[1]).abs() < 1e-3, "{name}: {corner:?} {said:?}");
        assert_eq!(name == "a.geojson", told(&written, "RFC 7946 knows WGS 84 only"));
        let theirs = ogrinfo(&path);
        assert!(theirs.said.contains("zone 38"), "{name}: {}", theirs.said);
    }
}

fn said_by_cs2cs(place: &str) -> Vec<f64> {
    use std::io::Write as _;
    let mut child = Command::new("cs2cs")
        .args(["-f", "%.6f", "EPSG:4490", "EPSG:4526"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("cs2cs is needed (apt install proj-bin)");
    writeln!(child.stdin.take().unwrap(), "{place}").unwrap();
    let said = child.wait_with_output().unwrap().stdout;
    String::from_utf8(said).unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn csv_is_what_a_spreadsheet_and_gdal_expect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    let written =
        write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Surface, &FIELDS), &features(surfaces())).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"\xEF\xBB\xBF"), "Excel needs the mark to show Chinese");
    let mut table = ::csv::Reader::from_reader(&bytes[3..]);
    let header: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, ["WKT", "id", "名称", "count", "面积", "低效", "认定日期", "更新时间"]);
    let rows: Vec<::csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(&rows[0][2], "鹤山 \"一\", 二\n三\\");
    assert_eq!(&rows[2][2], "'=SUM(A1)", "no cell runs as a formula");
    assert!(told(&written, "1 texts begin with ="), "{:?}", written.losses);
    assert!(rows[1].iter().enumerate().all(|(i, cell)| (i == 1) == (cell == "2")));
    assert_eq!(&rows[0][0], "POLYGON((112.5 22.5,112.6 22.5,112.6 22.6,112.5 22.6,112.5 22.5))");
    let theirs = ogrinfo(&path);
    assert_eq!(theirs.count, 4);
    assert_eq!(
        theirs.extent.map(|extent| extent.map(|side| (side * 1e6).round() / 1e6)),
        Some([112.5, 22.5, 112.9, 22.612_346])
    );
}

#[test]
fn an_empty_layer_is_an_empty_file_that_gdal_opens() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.geojson", "a.fgb", "a.shp", "a.zip"] {
        let path = directory.path().join(name);
        let written = write(&target(&path, "EPSG:4490"), &layer(GeometryClass::Surface, &FIELDS), &[]).unwrap();
        assert_eq!(written.features, 0);
        assert!(read_path(&path).1.is_empty(), "{name}");
        assert_eq!(ogrinfo(&path).count, 0, "{name}");
    }
}

#[test]
fn a_place_that_the_target_crs_cannot_hold_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let far = vec![Feature { id: 1, shape: Some(Shape::point((112.5, 91.0).into())), values: vec![] }];
    for name in ["a.geojson", "a.fgb", "a.shp", "a.zip", "a.csv"] {
        let path = directory.path().join(name);
        let error = write(&target(&path, "EPSG:3857"), &layer(GeometryClass::Point, &[]), &far).unwrap_err();
        assert!(error.to_string().contains("91"), "{name}: {error}");
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}
