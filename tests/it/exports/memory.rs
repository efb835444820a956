//! An export takes no more memory than its buffers, and in formats with an index of all features that index.
//!
//! The peak of a process is only its own where nothing else runs in it: the test starts itself once more, in a
//! process of its own that exports and prints its peaks.

use mutu::{
    catalog::{LayerState, grid_of},
    domain::{
        feature::ValueRef,
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
    },
    engine::table::SegmentBuilder,
    ground::shape::{Shape, ShapeKind},
    planner::{Export, ExportOptions, FORMATS},
};

use super::*;

const INSIDE: &str = "MUTU_TEST_EXPORTS";
const COUNT: usize = 200_000;

/// Kilobytes that a format may take: nothing to speak of, or an entry of an index for each feature, however large
/// the feature is (FlatGeobuf 150 bytes, GeoPackage 100, a shapefile 8).
const ALLOWED_KB: [(&str, u64); 6] = [
    ("geojson", 4_000),
    ("geojsonseq", 4_000),
    ("csv", 4_000),
    ("geopackage", 40_000),
    ("shapefile", 12_000),
    ("flatgeobuf", 60_000),
];

fn layer() -> Layer {
    let field = |name: &str, kind| Field::new(name, kind);
    Layer {
        id: "地块".parse().unwrap(),
        title: String::new(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: vec![field("名称", FieldType::Text), field("n", FieldType::Integer)] },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: false,
        provenance: Provenance::Synthetic,
        rules: mutu::domain::rule::Rules::default(),
    }
}

fn many() -> LayerState {
    let layer = layer();
    let mut builder = SegmentBuilder::new(&layer, Some(grid_of(&layer).unwrap()));
    for i in 0..COUNT {
        let (west, south) = (112.5 + 0.001 * (i % 500) as f64, 22.4 + 0.001 * (i / 500) as f64);
        let mut shape = Shape::new(ShapeKind::Polygon);
        for (x, y) in [(0.0, 0.0), (9e-4, 0.0), (9e-4, 9e-4), (5e-4, 9.5e-4), (0.0, 9e-4), (0.0, 0.0)] {
            shape.push((west + x, south + y).into());
        }
        shape.end_ring();
        shape.end_part();
        let name = format!("合成地块第{i}号，低效工业用地，待整治");
        let values = [ValueRef::Text(&name), ValueRef::Integer(i as i64)];
        builder.push((i as i64 + 1, 1), Some(shape.view()), &values).unwrap();
    }
    LayerState::of_segments(layer.clone(), vec![builder.finish()]).unwrap()
}

/// A line of the process's status, in kilobytes.
fn status(label: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Counts bytes.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "the figures go to the process that asks")]
fn inside() {
    let state = Arc::new(many());
    // Planar areas are measured when first asked for, and stay.
    let options = ExportOptions { with_areas: true, ..ExportOptions::default() };
    Export::new((Arc::clone(&state), None), &FORMATS[0], &options).unwrap().stream(&mut Counter(0)).unwrap();
    for format in FORMATS {
        let export = Export::new((Arc::clone(&state), None), format, &options).unwrap();
        // The peak begins anew.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let (features, bytes) = if format.stream.is_some() {
            let mut out = Counter(0);
            (export.stream(&mut out).unwrap().features, out.0)
        } else {
            let (passing, written) = export.to_passing_file().unwrap();
            (written.features, passing.length)
        };
        let taken = status("VmHWM:").saturating_sub(before);
        println!("{} of {features} features, {bytes} bytes, takes {taken} kB;", format.name);
    }
}

#[test]
fn exporting_two_hundred_thousand_features_takes_little_memory() {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["exports::memory::exporting_two_hundred_thousand_features_takes_little_memory", "--exact"])
        .args(["--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (format, allowed) in ALLOWED_KB {
        let line = said.lines().find_map(|line| line.split_once(&format!("{format} of {COUNT} features, ")));
        let (_, rest) = line.unwrap_or_else(|| panic!("{format}: {said}"));
        let numbers: Vec<u64> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert!(numbers[0] > 5_000_000, "{format} is too small to prove anything: {said}");
        assert!(numbers[1] < allowed, "{format} takes {} kB: {said}", numbers[1]);
    }
}
