//! The command line, by the built program: what users type, what they get, and how it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A folder to work in, with the program at hand.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
        program.current_dir(self.0.path()).env_remove("MUTU_WORKSPACE").args(arguments).output().unwrap()
    }

    fn ends_with(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", said(&output), complained(&output));
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", complained(&output)))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn square(west: f64, south: f64, side: f64) -> Value {
    let (e, n) = (west + side, south + side);
    json!({ "type": "Polygon", "coordinates": [[[west, south], [e, south], [e, n], [west, n], [west, south]]] })
}

fn collection(features: &[Value]) -> String {
    json!({ "type": "FeatureCollection", "features": features }).to_string()
}

fn feature(id: i64, geometry: &Value, properties: &Value) -> Value {
    json!({ "type": "Feature", "id": id, "geometry": geometry, "properties": properties })
}

#[test]
fn the_survey_rules_vectors_come_out_to_the_last_printed_digit() {
    let desk = Desk::new();
    let table = fs::read_to_string(fixtures().join("area/survey_rule_vectors.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    let features: Vec<Value> = rows
        .iter()
        .zip(1..)
        .map(|(row, id)| {
            let mut ring: Vec<Value> = row[1]
                .split(' ')
                .map(|pair| {
                    let (north, east) = pair.split_once(',').unwrap();
                    json!([east.parse::<f64>().unwrap(), north.parse::<f64>().unwrap()])
                })
                .collect();
            ring.push(ring[0].clone());
            feature(id, &json!({ "type": "Polygon", "coordinates": [ring] }), &json!({ "name": &row[0] }))
        })
        .collect();
    desk.write("vectors.geojson", &collection(&features));
    desk.ends_with(0, &["import", "vectors.geojson", "--layer", "v", "--crs", "EPSG:4547"]);
    for (unit, decimals, column) in [("m2", "2", 8), ("ha", "4", 9), ("mu", "4", 10)] {
        // One by one: the vectors lie over each other, and land is counted once.
        for row in &rows {
            let filter = format!("name = '{}'", &row[0]);
            let one = desk.json(&[
                "stats",
                "--layer",
                "v",
                "--filter",
                &filter,
                "--unit",
                unit,
                "--decimals",
                decimals,
                "--format",
                "json",
            ]);
            assert_eq!(one["total"]["area"].as_f64(), row[column].parse().ok(), "{} in {unit}", &row[0]);
        }
    }
    for row in &rows {
        let filter = format!("name = '{}'", &row[0]);
        let planar =
            desk.json(&["stats", "--layer", "v", "--filter", &filter, "--basis", "planar", "--format", "json"]);
        let off = planar["total"]["area"].as_f64().unwrap() - row[2].parse::<f64>().unwrap();
        assert!(off.abs() <= 0.005 + 1e-9, "{}", &row[0]);
    }
}

#[test]
fn chinese_names_come_out_right_from_all_three_gbk_shapefiles() {
    let names = ["蓬江区", "江海区", "新会区", "台山市", "开平市", "鹤山市", "恩平市"];
    for variant in ["counties_gbk_cpg", "counties_gbk_nocpg_ldid4D", "counties_gbk_nocpg_ldid00"] {
        let desk = Desk::new();
        let file = fixtures().join(format!("gbk_shapefiles/{variant}.shp"));
        desk.ends_with(0, &["import", file.to_str().unwrap(), "--layer", "区县"]);
        desk.ends_with(0, &["export", "--layer", "区县", "--out", "out.geojson"]);
        let text = fs::read_to_string(desk.path("out.geojson")).unwrap();
        for name in names {
            assert!(text.contains(&format!("\"{name}\"")), "{variant}: no {name}");
        }
        // Another program reads the same names from the workspace as it stands.
        let ogr = Command::new("ogrinfo").args(["-al", "-geom=NO"]).arg(desk.path("mutu.gpkg")).arg("区县").output();
        let ogr = said(&ogr.expect("ogrinfo: apt-get install gdal-bin"));
        assert!(names.iter().all(|name| ogr.contains(name)), "{variant}: {ogr}");
    }
}

#[test]
fn a_file_that_does_not_say_its_crs_is_not_guessed_at() {
    let desk = Desk::new();
    for ending in ["shp", "shx", "dbf", "cpg"] {
        fs::copy(
            fixtures().join(format!("gbk_shapefiles/counties_gbk_cpg.{ending}")),
            desk.path(&format!("a.{ending}")),
        )
        .unwrap();
    }
    let output = desk.ends_with(20, &["import", "a.shp", "--layer", "a"]);
    assert!(complained(&output).contains("--crs"), "{}", complained(&output));
    desk.ends_with(0, &["import", "a.shp", "--layer", "a", "--crs", "EPSG:4526"]);
    let other = fixtures().join("gbk_shapefiles/counties_gbk_cpg.shp");
    let output = desk.ends_with(20, &["import", other.to_str().unwrap(), "--layer", "b", "--crs", "EPSG:4547"]);
    assert!(complained(&output).contains("EPSG:4526") && complained(&output).contains("EPSG:4547"));
}

#[test]
fn coordinates_that_cannot_be_in_their_crs_are_refused_with_a_hint() {
    let desk = Desk::new();
    let metres = square(393_200.0, 2_519_400.0, 100.0);
    let degrees = square(112.9, 22.7, 0.001);
    let exchanged = square(2_519_400.0, 393_200.0, 100.0);
    let swapped = square(22.7, 112.9, 0.001);
    let cases = [
        (&metres, None, "EPSG:4547"),
        (&degrees, Some("EPSG:4547"), "degrees"),
        (&exchanged, Some("EPSG:4547"), "exchanged"),
    ];
    for (geometry, crs, hint) in cases {
        desk.write("a.geojson", &collection(&[feature(1, geometry, &json!({}))]));
        let mut arguments = vec!["import", "a.geojson", "--layer", "a"];
        arguments.extend(crs.map(|crs| ["--crs", crs]).into_iter().flatten());
        let output = desk.ends_with(20, &arguments);
        assert!(complained(&output).contains(hint), "{}", complained(&output));
    }
    desk.write("a.geojson", &collection(&[feature(1, &swapped, &json!({}))]));
    let output = desk.ends_with(20, &["import", "a.geojson", "--layer", "a"]);
    assert!(complained(&output).contains("exchanged"), "{}", complained(&output));
    // Among sound rows the exchanged one alone is refused.
    desk.write("b.geojson", &collection(&[feature(1, &swapped, &json!({})), feature(2, &degrees, &json!({}))]));
    let report = desk.json(&["import", "b.geojson", "--format", "json"]);
    let finding = &report["imports"][0]["findings"][0];
    assert_eq!((finding["row"].as_u64(), finding["weight"].as_str()), (Some(1), Some("refused")));
    assert!(["probably-swapped-axes", "out-of-range"].contains(&finding["fault"].as_str().unwrap()));
    assert!(report["imports"][0]["findings"].as_array().unwrap().iter().any(|f| f["fault"] == "probably-swapped-axes"));
    // Nothing of all this left a layer behind.
    assert_eq!(desk.run(&["stats", "--layer", "a"]).status.code(), Some(40));
}

#[test]
fn a_report_names_what_was_flagged_and_refused_and_where() {
    let desk = Desk::new();
    let bow_tie = json!({ "type": "Polygon", "coordinates": [[[112.9, 22.7], [112.902, 22.702], [112.902, 22.7], [112.9, 22.702], [112.9, 22.7]]] });
    let open = json!({ "type": "Polygon", "coordinates": [[[112.9, 22.7], [112.902, 22.7], [112.902, 22.702], [112.9, 22.702]]] });
    let rows = [
        feature(1, &square(112.9, 22.7, 0.001), &json!({ "n": 1 })),
        feature(2, &bow_tie, &json!({ "n": 2 })),
        feature(3, &open, &json!({ "n": 3 })),
        feature(1, &square(112.91, 22.7, 0.001), &json!({ "n": "four" })),
    ];
    desk.write("a.geojson", &collection(&rows));
    let output = desk.ends_with(21, &["import", "a.geojson", "--layer", "a", "--format", "json"]);
    let report = serde_json::from_slice::<Value>(&output.stdout).unwrap()["imports"][0].clone();
    let counts = ["read", "stored", "flagged", "refused"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [4, 2, 1, 2]);
    let finding = |row: u64| {
        let found = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["row"] == row)
            .unwrap_or_else(|| panic!("row {row}: {report}"));
        (
            found["fault"].as_str().unwrap().to_owned(),
            found["weight"].as_str().unwrap().to_owned(),
            found["place"].clone(),
        )
    };
    let (fault, weight, place) = finding(2);
    assert_eq!((fault.as_str(), weight.as_str()), ("self-intersection", "flagged"));
    let at = [place[0].as_f64().unwrap(), place[1].as_f64().unwrap()];
    assert!((at[0] - 112.901).abs() < 1e-9 && (at[1] - 22.701).abs() < 1e-9, "{at:?}");
    assert_eq!(finding(3).0, "ring-not-closed");
    assert_eq!((finding(4).0.as_str(), finding(4).1.as_str()), ("duplicate-id", "refused"));
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["fault"] == "mixed-types"));
    let output = desk.ends_with(21, &["check", "--format", "json"]);
    let checkup: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(checkup["faults"][0]["id"], 2);
}

#[test]
fn bad_input_ends_with_a_clear_error_and_loses_nothing() {
    let desk = Desk::new();
    desk.write("good.geojson", &collection(&[feature(1, &square(112.9, 22.7, 0.001), &json!({ "n": 1 }))]));
    desk.ends_with(0, &["import", "good.geojson", "--layer", "good"]);
    let whole = fs::read_to_string(desk.path("good.geojson")).unwrap();
    desk.write("truncated.geojson", &whole[..whole.len() - 30]);
    desk.write("empty.geojson", &collection(&[]));
    desk.write("nothing.geojson", "");
    desk.write("picture.geojson", "\u{89}PNG not a map");
    desk.write("picture.gpkg", "not a database at all, but long enough to look at");
    desk.write("picture.fgb", "not a flatgeobuf");
    desk.write("lonely.shp", "0123456789");
    desk.write("table.xlsx", "PK");
    let cases = [
        ("truncated.geojson", 20),
        ("empty.geojson", 20),
        ("nothing.geojson", 20),
        ("picture.geojson", 20),
        ("picture.gpkg", 20),
        ("picture.fgb", 20),
        ("lonely.shp", 20),
        ("table.xlsx", 2),
        ("absent.geojson", 40),
    ];
    for (file, code) in cases {
        let output = desk.ends_with(code, &["import", file, "--layer", "bad"]);
        assert!(complained(&output).contains(file.split('.').next().unwrap()), "{file}: {}", complained(&output));
    }
    desk.ends_with(30, &["import", "good.geojson", "--layer", "good"]);
    desk.ends_with(2, &["import", "good.geojson", "--layer", "gpkg_contents"]);
    desk.ends_with(2, &["import", "good.geojson", "--layer", "x", "--encoding", "klingon"]);
    desk.ends_with(20, &["import", "good.geojson", "--layer", "x", "--crs", "EPSG:999999"]);
    desk.ends_with(0, &["check"]);
    let answer = desk.json(&["stats", "--layer", "good", "--format", "json"]);
    assert_eq!(answer["total"]["count"], 1);
}

#[test]
fn files_can_be_added_to_a_layer_and_put_in_its_place() {
    let desk = Desk::new();
    let one = |west: f64| collection(&[feature(1, &square(west, 22.7, 0.001), &json!({ "n": 1 }))]);
    desk.write("a.geojson", &one(112.90));
    desk.write("b.geojson", &one(112.95));
    desk.write("c.geojson", &collection(&[feature(1, &square(112.9, 22.7, 0.001), &json!({ "other": true }))]));
    let count =
        |desk: &Desk| desk.json(&["stats", "--layer", "l", "--format", "json"])["total"]["count"].as_u64().unwrap();
    desk.ends_with(0, &["import", "a.geojson", "--layer", "l"]);
    desk.ends_with(0, &["import", "b.geojson", "--layer", "l", "--append"]);
    assert_eq!(count(&desk), 2);
    desk.ends_with(20, &["import", "c.geojson", "--layer", "l", "--append"]);
    assert_eq!(count(&desk), 2);
    desk.ends_with(0, &["import", "c.geojson", "--layer", "l", "--replace"]);
    assert_eq!(count(&desk), 1);
    let again = Desk::new();
    fs::copy(desk.path("a.geojson"), again.path("a.geojson")).unwrap();
    fs::copy(desk.path("b.geojson"), again.path("b.geojson")).unwrap();
    again.ends_with(0, &["import", "a.geojson", "b.geojson", "--layer", "l"]);
    assert_eq!(count(&again), 2);
}

#[test]
fn the_same_parcels_twice_are_the_same_land() {
    let desk = Desk::new();
    let side = 0.001;
    let once: Vec<Value> =
        (0..20).map(|i| feature(i, &square(112.9 + f64::from(i as i32) * side, 22.7, side), &json!({}))).collect();
    let twice: Vec<Value> =
        once.iter().chain(&once).zip(0..).map(|(f, id)| feature(id, &f["geometry"], &json!({}))).collect();
    desk.write("once.geojson", &collection(&once));
    desk.write("twice.geojson", &collection(&twice));
    desk.ends_with(0, &["import", "once.geojson"]);
    desk.ends_with(0, &["import", "twice.geojson"]);
    let total = |layer: &str| desk.json(&["stats", "--layer", layer, "--format", "json"]);
    let (once, twice) = (total("once"), total("twice"));
    assert_eq!(once["total"]["area"], twice["total"]["area"]);
    assert_eq!((twice["total"]["count"].as_u64(), twice["overlap"]["pairs"].as_u64()), (Some(40), Some(20)));
    assert_eq!(twice["overlap"]["area"], once["total"]["area"]);
}

#[test]
fn a_county_that_was_shifted_to_gcj02_is_noticed_beside_the_true_one() {
    let desk = Desk::new();
    let outline = fs::read_to_string(fixtures().join("county/heshan_outline.csv")).unwrap();
    let ring: Vec<[f64; 2]> = outline
        .lines()
        .filter_map(|line| {
            let (lon, lat) = line.split_once(',')?;
            Some([lon.trim().parse().ok()?, lat.trim().parse().ok()?])
        })
        .collect();
    assert!(ring.len() > 100);
    let polygon = |ring: &[[f64; 2]]| {
        let mut ring = ring.to_vec();
        if ring[0] != ring[ring.len() - 1] {
            ring.push(ring[0]);
        }
        collection(&[feature(1, &json!({ "type": "Polygon", "coordinates": [ring] }), &json!({}))])
    };
    let shifted: Vec<[f64; 2]> = ring
        .iter()
        .map(|[x, y]| {
            let at = mutu::ground::gcj02::to_gcj02(geo::Coord { x: *x, y: *y });
            [at.x, at.y]
        })
        .collect();
    desk.write("county.geojson", &polygon(&ring));
    desk.write("amap.geojson", &polygon(&shifted));
    desk.ends_with(0, &["import", "county.geojson"]);
    let report = desk.json(&["import", "amap.geojson", "--format", "json"]);
    assert!(
        report["imports"][0]["findings"].as_array().unwrap().iter().any(|f| f["fault"] == "probably-gcj02"),
        "{report}"
    );
    let report = desk.json(&["import", "county.geojson", "--layer", "again", "--format", "json"]);
    assert_eq!(report["imports"][0]["findings"], json!([]));
}

#[test]
fn an_export_is_never_written_over_a_file_unasked() {
    let desk = Desk::new();
    desk.write("a.geojson", &collection(&[feature(1, &square(112.9, 22.7, 0.001), &json!({ "n": 1 }))]));
    desk.ends_with(0, &["import", "a.geojson", "--layer", "a"]);
    desk.write("out.geojson", "precious");
    desk.ends_with(30, &["export", "--layer", "a", "--out", "out.geojson"]);
    assert_eq!(fs::read_to_string(desk.path("out.geojson")).unwrap(), "precious");
    desk.ends_with(0, &["export", "--layer", "a", "--out", "out.geojson", "--force"]);
    desk.ends_with(2, &["export", "--layer", "a", "--out", "out.dwg"]);
    desk.ends_with(40, &["export", "--layer", "nix", "--out", "b.geojson"]);
    assert!(!desk.path("b.geojson").exists());
}

#[test]
fn ids_of_any_size_load_and_tangled_outlines_do_not_hold_up_an_import() {
    let desk = Desk::new();
    let star: Vec<[f64; 2]> = (0..=1501_u32)
        .map(|i| {
            let turn = f64::from(i * 750 % 1501) / 1501.0 * std::f64::consts::TAU;
            [112.9 + 0.01 * turn.cos(), 22.7 + 0.01 * turn.sin()]
        })
        .collect();
    let star = json!({ "type": "Polygon", "coordinates": [star] });
    let rows = [
        feature(1, &square(112.9, 22.7, 0.001), &json!({ "n": 1 })),
        feature(i64::MAX, &square(112.95, 22.7, 0.001), &json!({ "n": 2 })),
        feature(77, &star, &json!({ "n": 3 })),
    ];
    desk.write("a.geojson", &collection(&rows));
    let report = desk.json(&["import", "a.geojson", "--format", "json"]);
    assert_eq!((report["imports"][0]["stored"].as_u64(), report["imports"][0]["flagged"].as_u64()), (Some(3), Some(1)));
    assert_eq!(desk.json(&["stats", "--layer", "a", "--format", "json"])["total"]["count"], 3);
}

#[test]
fn one_row_far_away_is_refused_and_the_others_stay() {
    let desk = Desk::new();
    let mut rows: Vec<Value> =
        (1..20).map(|i| feature(i, &square(393_200.0 + 200.0 * i as f64, 2_519_400.0, 100.0), &json!({}))).collect();
    rows.push(feature(99, &square(0.0, 0.0, 100.0), &json!({})));
    desk.write("a.geojson", &collection(&rows));
    let output = desk.ends_with(21, &["import", "a.geojson", "--crs", "EPSG:4547", "--format", "json"]);
    let report = serde_json::from_slice::<Value>(&output.stdout).unwrap()["imports"][0].clone();
    assert_eq!((report["stored"].as_u64(), report["refused"].as_u64()), (Some(19), Some(1)));
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["row"] == 20 && f["weight"] == "refused"));
}

#[test]
fn zones_of_one_kind_are_told_apart_and_land_outside_the_grid_is_said_not_zero() {
    let desk = Desk::new();
    let zones = [112.9, 112.901].map(|west| {
        feature(if west > 112.9005 { 2 } else { 1 }, &square(west, 22.7, 0.001), &json!({ "kind": "park" }))
    });
    let parcels = [
        feature(1, &square(112.9, 22.7, 0.002), &json!({ "t": "here" })),
        feature(2, &square(-71.1, 42.3, 0.001), &json!({ "t": "there" })),
    ];
    desk.write("zones.geojson", &collection(&zones));
    desk.write("parcels.geojson", &collection(&parcels));
    desk.ends_with(0, &["import", "zones.geojson"]);
    desk.ends_with(0, &["import", "parcels.geojson"]);
    let within = desk.json(&["stats", "--layer", "parcels", "--within", "zones", "--format", "json"]);
    let names: Vec<&Value> = within["groups"].as_array().unwrap().iter().map(|g| &g["key"]["zones"]).collect();
    assert_eq!(names, [&json!("#1"), &json!("#2"), &Value::Null]);
    let planar =
        desk.json(&["stats", "--layer", "parcels", "--group-by", "t", "--basis", "planar", "--format", "json"]);
    let there = planar["groups"].as_array().unwrap().iter().find(|g| g["key"]["t"] == "there").unwrap().clone();
    assert_eq!(there["unmeasured"], 1);
    let table = said(&desk.ends_with(0, &["stats", "--layer", "parcels", "--group-by", "t", "--basis", "planar"]));
    assert!(table.lines().any(|line| line.starts_with("there") && line.contains(" - ")), "{table}");
}

#[test]
fn an_import_that_brings_nothing_leaves_no_workspace_and_an_export_spares_its_neighbours() {
    let desk = Desk::new();
    desk.ends_with(40, &["import", "nosuch.geojson"]);
    assert!(!desk.path("mutu.gpkg").exists());
    desk.write("a.geojson", &collection(&[feature(1, &square(112.9, 22.7, 0.001), &json!({ "n": 1 }))]));
    desk.ends_with(0, &["import", "a.geojson"]);
    desk.write("x.dbf", "precious");
    desk.ends_with(30, &["export", "--layer", "a", "--out", "x.shp"]);
    assert_eq!(fs::read_to_string(desk.path("x.dbf")).unwrap(), "precious");
}

#[test]
fn every_verb_explains_itself_with_an_example() {
    let desk = Desk::new();
    for verb in ["serve", "seed", "import", "export", "stats", "check"] {
        let help = said(&desk.ends_with(0, &[verb, "--help"]));
        assert!(help.contains("Example"), "{verb}: {help}");
        assert!(help.contains("--workspace"), "{verb}");
    }
    let usage = desk.ends_with(2, &["import"]);
    assert!(complained(&usage).contains("<FILE>"));
    desk.ends_with(2, &["fly"]);
}

#[test]
fn restoring_a_layer_to_before_it_was_there_says_that_nothing_would_be_left_and_asks() {
    let desk = Desk::new();
    let point = |id: u32| json!({ "type": "Feature", "id": id, "properties": { "n": id }, "geometry": { "type": "Point", "coordinates": [112.9, 22.7] } });
    let file = json!({ "type": "FeatureCollection", "features": [point(1), point(2)] }).to_string();
    for layer in ["first", "second"] {
        desk.write("in.geojson", &file);
        desk.ends_with(0, &["import", "in.geojson", "--layer", layer, "-w", "w.gpkg"]);
    }
    let count =
        || desk.json(&["stats", "--layer", "second", "-w", "w.gpkg", "--format", "json"])["total"]["count"].clone();
    let restore = ["history", "restore", "second", "--to", "1", "-w", "w.gpkg"];
    let refused = complained(&desk.ends_with(30, &restore));
    assert!(
        refused.contains("second was not there yet then") && refused.contains("all of its 2 features"),
        "{refused}"
    );
    assert!(refused.contains("--yes"), "{refused}");
    assert_eq!(count(), json!(2));
    let preview = desk.ends_with(0, &[&restore[..], &["--dry-run"]].concat());
    assert_eq!((said(&preview).matches("removed").count(), count()), (2, json!(2)));
    // One feature, named, is asked for as such.
    desk.ends_with(0, &[&restore[..], &["--id", "1"]].concat());
    assert_eq!(count(), json!(1));
    desk.ends_with(0, &[&restore[..], &["--yes"]].concat());
    assert_eq!(count(), json!(0));
    // A layer that was there and is not emptied needs no yes.
    desk.ends_with(0, &["history", "restore", "second", "--to", "2", "-w", "w.gpkg"]);
    assert_eq!(count(), json!(2));

    let nothing = complained(&desk.ends_with(40, &["history", "show", "third", "1", "-w", "w.gpkg"]));
    assert!(nothing.contains("there is no layer \"third\" in the workspace; there are: first, second"), "{nothing}");
    let nothing = complained(&desk.ends_with(40, &["history", "show", "second", "9", "-w", "w.gpkg"]));
    assert!(nothing.contains("layer \"second\" has no feature 9 and never had one"), "{nothing}");
}
