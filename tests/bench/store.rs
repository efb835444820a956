//! Speed of the store alone, on a workspace that it makes: `cargo bench --bench store -- WORKSPACE.gpkg ROWS`.
//!
//! Prints one line of JSON a step: an import of so many rows, 300 edits of one feature each (milliseconds of the median
//! and the worst tenth, each durable when it returns), one edit of 100,000 features, verifying all, replacing all.

use std::{error::Error, io::Write, path::Path, time::Instant};

use geo::Coord;
use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value, ValueRef},
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
    },
    ground::shape::Shape,
    store::{How, Note, Reader, Workspace},
};
use serde_json::{Value as Json, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The program was called by `cargo bench` without a workspace, or by `cargo test`.
const HOW: &str = "store: give the name of a workspace to make and a number of rows";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [path, rows] = arguments.as_slice() else {
        writeln!(std::io::stderr(), "{HOW}")?;
        return Ok(());
    };
    let (path, rows): (&Path, i64) = (path.as_ref(), rows.parse()?);
    let mut workspace = Workspace::create(path)?;
    import(&mut workspace, rows, How::Create)?;
    single_edits(&mut workspace, rows)?;
    let changes = (1..=rows.min(100_000)).map(|id| change(&workspace, id)).collect::<Outcome<_>>()?;
    let edit = edit(changes);
    let start = Instant::now();
    workspace.commit(&edit, 0)?;
    say(&json!({ "step": "one edit", "features": edit.changes.len(), "seconds": start.elapsed().as_secs_f64() }))?;
    let start = Instant::now();
    let found = Reader::open(path)?.verify(&mut |_, _| ())?;
    let (seconds, faults) = (start.elapsed().as_secs_f64(), found.discrepancies.len());
    say(&json!({ "step": "verify", "rows": found.rows, "seconds": seconds, "discrepancies": faults }))?;
    import(&mut workspace, rows, How::Replace)?;
    Ok(workspace.close()?)
}

fn say(line: &Json) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn layer() -> Outcome<Layer> {
    Ok(Layer {
        id: "地块".parse()?,
        title: "地块".to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema {
            fields: vec![
                Field::new("地块编号", FieldType::Text),
                Field::new("权利人", FieldType::Text),
                Field::new("容积率", FieldType::Real),
                Field::new("序号", FieldType::Integer),
                Field::new("认定日期", FieldType::Date),
            ],
        },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: false,
        provenance: Provenance::Synthetic,
        rules: mutu::domain::rule::Rules::default(),
    })
}

/// A parcel of a dozen corners; `turn` gives it other values.
fn parcel(id: i64, turn: i64) -> Feature {
    let (column, row) = (id % 1000, id / 1000);
    let middle = Coord { x: 112.0 + column as f64 * 0.001, y: 22.0 + row as f64 * 0.001 };
    let corner = |n: i32| {
        let angle = f64::from(n % 12) / 12.0 * std::f64::consts::TAU + turn as f64 * 0.01;
        Coord { x: middle.x + 0.0004 * angle.cos(), y: middle.y + 0.0004 * angle.sin() }
    };
    let mut ring: Vec<Coord> = (0..12).map(corner).collect();
    ring.push(ring[0]);
    Feature {
        id,
        shape: Some(Shape::polygon(&[ring])),
        values: vec![
            Value::Text(format!("440784-{id:08}")),
            Value::Text(format!("鹤山市第{}工业有限公司", id % 977)),
            Value::Real((id + turn) as f64 / 64.0),
            Value::Integer(id * 7 + turn),
            Value::Date(19_000 + i32::try_from(id % 1000).unwrap_or_default()),
        ],
    }
}

fn import(workspace: &mut Workspace, rows: i64, how: How) -> Outcome<()> {
    let start = Instant::now();
    let mut import = workspace.begin_import(&layer()?, how, Note { author: "bench", note: "made", at: 0 })?;
    for id in 1..=rows {
        let feature = parcel(id, 0);
        let values: Vec<ValueRef<'_>> = feature.values.iter().map(Value::view).collect();
        import.put(Some(id), feature.shape.as_ref().map(Shape::view), &values)?;
    }
    import.commit("{}")?;
    say(&json!({ "step": format!("import, {how:?}"), "rows": rows, "seconds": start.elapsed().as_secs_f64() }))
}

fn change(workspace: &Workspace, id: i64) -> Outcome<Change> {
    let expects = workspace.version("地块", id)?;
    Ok(Change::Put { layer: "地块".parse()?, feature: parcel(id, expects.unwrap_or_default() + 1), expects })
}

fn edit(changes: Vec<Change>) -> Edit {
    Edit { author: "bench".to_owned(), note: "made".to_owned(), changes, lineage: vec![] }
}

fn single_edits(workspace: &mut Workspace, rows: i64) -> Outcome<()> {
    let mut times = Vec::new();
    for turn in 0..300 {
        let edit = edit(vec![change(workspace, turn * 7919 % rows + 1)?]);
        let start = Instant::now();
        workspace.commit(&edit, 0)?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[times.len() * part / 100];
    say(&json!({ "step": "edits of one feature", "p50_ms": at(50), "p90_ms": at(90), "p99_ms": at(99) }))
}
