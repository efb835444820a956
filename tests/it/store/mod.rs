//! The durable workspace, from outside: what users rely on, checked by GDAL, by SQLite and by killing it.

mod command;
mod edits;
mod eras;
pub(crate) mod faults;
mod gdal;
mod kill;
mod proof;
mod rows;
mod upgrade;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use geo::Coord;
use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value, ValueRef},
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, LayerId, Schema},
    },
    ground::shape::{Bounds, Shape},
    store::{How, Note, Workspace},
};

/// 2026-07-24T12:34:56.789Z.
const AT: i64 = 1_784_896_496_789;

/// A folder of its own and a workspace in it.
struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("鹤山.gpkg");
        Self { _dir: dir, path }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.path.display()))
    }
}

fn id(name: &str) -> LayerId {
    name.parse().unwrap()
}

/// A layer of parcels with a column of each type.
fn layer(name: &str) -> Layer {
    Layer {
        id: id(name),
        title: format!("{name}图层"),
        title_en: String::new(),
        description: "测试数据".to_owned(),
        geometry: GeometryClass::Surface,
        schema: Schema {
            fields: vec![
                Field::new("地块编号", FieldType::Text),
                Field::new("已处置", FieldType::Boolean),
                Field::new("序号", FieldType::Integer),
                Field::new("容积率", FieldType::Real),
                Field::new("认定日期", FieldType::Date),
                Field::new("更新时间", FieldType::DateTime),
            ],
        },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: true,
        provenance: Provenance::Imported,
        rules: mutu::domain::rule::Rules::default(),
    }
}

/// A square of 0.001° whose place depends on the number alone, within 112.5–113.5° E, 22–23° N.
fn square(number: i64) -> Shape {
    let cell = number.wrapping_mul(7919).rem_euclid(1_000_000);
    let (west, south) = (112.5 + (cell % 1000) as f64 * 0.001, 22.0 + (cell / 1000) as f64 * 0.001);
    Shape::of_bounds(&Bounds::of_corners(Coord { x: west, y: south }, Coord { x: west + 0.001, y: south + 0.001 }))
}

/// A feature whose geometry and values all depend on the number.
fn feature(number: i64) -> Feature {
    Feature {
        id: number,
        shape: Some(square(number)),
        values: vec![
            Value::Text(format!("址山-{number:05}")),
            Value::Boolean(number % 2 == 0),
            Value::Integer(number * 1000),
            Value::Real(number as f64 / 8.0),
            Value::Date(20_000 + i32::try_from(number % 1000).unwrap()),
            Value::DateTime(AT + number),
        ],
    }
}

fn note() -> Note<'static> {
    Note { author: "李工", note: "地块.shp", at: AT }
}

/// Imports features 1 to `count` into a new layer.
fn import(workspace: &mut Workspace, layer: &Layer, count: i64) -> i64 {
    let mut import = workspace.begin_import(layer, How::Create, note()).unwrap();
    for number in 1..=count {
        put(&mut import, &feature(number)).unwrap();
    }
    import.commit(r#"{"stored":1}"#).unwrap()
}

fn put(import: &mut mutu::store::Import<'_>, feature: &Feature) -> Result<i64, mutu::store::StoreError> {
    let values: Vec<ValueRef<'_>> = feature.values.iter().map(Value::view).collect();
    import.put(Some(feature.id), feature.shape.as_ref().map(Shape::view), &values)
}

fn edit(changes: Vec<Change>) -> Edit {
    Edit { author: "王工".to_owned(), note: "补测".to_owned(), changes, lineage: vec![] }
}

fn put_change(layer: &str, feature: Feature, expects: Option<i64>) -> Change {
    Change::Put { layer: id(layer), feature, expects }
}

/// All features of a layer.
fn features(workspace: &Workspace, layer: &str) -> Vec<Feature> {
    let mut all = Vec::new();
    workspace
        .scan(layer, None, &mut |row| {
            all.push(row.to_feature()?);
            Ok(())
        })
        .unwrap();
    all
}

/// What a Debian program prints; it must be there and succeed.
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(
        output.status.success() && !err.contains("Warning") && !err.contains("ERROR"),
        "{program} {args:?}: {out}{err}"
    );
    out
}

fn integrity(path: &Path) {
    assert_eq!(run("sqlite3", &[path.to_str().unwrap(), "PRAGMA integrity_check"]).trim(), "ok");
}
