//! Exchange formats: real files, round trips, GDAL's opinion of what is written, and files that are broken.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests may fail as tests do")]

mod broken;
mod memory;
mod real_files;
mod round_trip;
mod shapefile;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use mutu::{
    domain::{
        feature::{Feature, Value},
        layer::{GeometryClass, Layer, Provenance},
        report::Finding,
        schema::{Field, FieldType, Schema},
    },
    formats::{Column, Contents, CrsClaim, FormatError, Row, Source, Target, Written, by_extension},
    ground::{
        crs::Crs,
        shape::{Shape, ShapeKind},
    },
};

/// A file in `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn source(path: &Path) -> Source {
    Source { path: path.to_owned(), table: None, encoding: None }
}

/// All rows of a source, by the format of its ending.
fn read(source: &Source) -> Result<(Contents, Vec<Row>), FormatError> {
    let format = by_extension(&source.path).expect("the ending is known");
    let mut rows = Vec::new();
    let contents = format.read.expect("the format is read")(source, &mut |_: &[Column], row| {
        rows.push(row);
        Ok(())
    })?;
    assert_eq!(contents.rows, rows.len() as u64, "the count of rows is that of the rows given");
    Ok((contents, rows))
}

fn read_path(path: &Path) -> (Contents, Vec<Row>) {
    read(&source(path)).unwrap_or_else(|error| panic!("{error}"))
}

fn target(path: &Path, crs: &str) -> Target {
    Target::new(path.to_owned(), crs.parse().expect("the CRS is known"))
}

fn write(target: &Target, layer: &Layer, features: &[Feature]) -> Result<Written, FormatError> {
    let format = by_extension(&target.path).expect("the ending is known");
    let written = format.write.expect("the format is written");
    written(target, layer, &mut features.iter().map(Feature::view))
}

fn layer(geometry: GeometryClass, fields: &[(&str, FieldType)]) -> Layer {
    Layer {
        id: "地块".parse().expect("letters name a layer"),
        title: "低效用地".to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry,
        schema: Schema { fields: fields.iter().map(|(name, kind)| Field::new(name, *kind)).collect() },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: false,
        provenance: Provenance::Imported,
        rules: mutu::domain::rule::Rules::default(),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The words of findings, in order.
fn faults(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.fault.as_str()).collect()
}

fn says(contents: &Contents) -> &Crs {
    match &contents.crs {
        CrsClaim::Says(crs) | CrsClaim::ByFormat(crs) => crs,
        other => panic!("the file says {other:?}"),
    }
}

/// A shape from the coordinates of its rings, by parts.
fn shape(kind: ShapeKind, parts: &[&[&[(f64, f64)]]]) -> Shape {
    let mut shape = Shape::new(kind);
    for part in parts {
        for ring in *part {
            ring.iter().for_each(|at| shape.push((*at).into()));
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

/// What a program of GDAL or PROJ prints; fails where it is not installed.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed (apt install gdal-bin): {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}{complaints}");
    said + &complaints
}

/// What `ogrinfo` says of a file: its count and its extent.
struct OgrLayer {
    count: usize,
    /// West, south, east, north; none for a layer without coordinates.
    extent: Option<[f64; 4]>,
    said: String,
}

fn ogrinfo(path: &Path) -> OgrLayer {
    let mut path = path.to_str().expect("paths of tests are UTF-8").to_owned();
    if Path::new(&path).extension().is_some_and(|ending| ending == "zip") {
        path.insert_str(0, "/vsizip/");
    }
    let said = said_by("ogrinfo", &["-so", "-al", &path]);
    let after = |label: &str| said.lines().find_map(|line| line.strip_prefix(label)).map(str::trim);
    let numbers = |text: &str| -> Vec<f64> {
        text.split(['(', ')', ',', ' '])
            .filter_map(|word| word.trim_matches('-').parse::<f64>().ok().map(|_| word.parse().unwrap()))
            .collect()
    };
    let extent = after("Extent:").map(numbers).and_then(|four| four.try_into().ok());
    OgrLayer {
        count: after("Feature Count:").unwrap_or_else(|| panic!("no count: {said}")).parse().expect("a number"),
        extent,
        said,
    }
}
