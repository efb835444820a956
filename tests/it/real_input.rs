//! The main job on a real cadastre: the tax parcels of Cambridge, Massachusetts, two years of them, in US survey
//! feet, some of them invalid and some overlapping. The program that is built is driven as a person would.
//!
//! No figure here is ours: `tests/oracle/real_input.py` counts and measures the same files with GDAL, GEOS and PROJ.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    time::Duration,
};

use serde_json::Value;

const USE: &str = "UseDescription";
/// Both years agree with the oracle to this share of the total.
const RELATIVE: f64 = 1e-6;
/// Printed areas carry two decimals, and the last one moves by one where printed parts are made to sum up.
const PRINTED: f64 = 0.011;

/// A year of the cadastre and what became of it.
struct Year {
    layer: &'static str,
    report: Value,
    truth: Value,
}

/// The workspace with both years, made once and read by all; a server takes a copy.
struct City {
    workspace: PathBuf,
    years: [Year; 2],
}

fn city() -> &'static City {
    static CITY: OnceLock<City> = OnceLock::new();
    CITY.get_or_init(|| {
        let folder = folder("imported");
        let workspace = folder.join("cambridge.gpkg");
        let years = ["parcels_2013", "parcels_2014"].map(|layer| {
            let year = layer.trim_start_matches("parcels_");
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("tests/fixtures/cambridge_parcels/cambridge_parcels_fy{year}_epsg2249.fgb"));
            let out = mutu(&["import", &text(&file), "--layer", layer, "-w", &text(&workspace), "--format", "json"]);
            Year { layer, report: one_report(&out), truth: truth(&file, &["--overlaps"]) }
        });
        City { workspace, years }
    })
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real_input").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the folder of the last run can be removed");
    }
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

fn copy_of_workspace(name: &str) -> (PathBuf, PathBuf) {
    let folder = folder(name);
    let copy = folder.join("cambridge.gpkg");
    fs::copy(&city().workspace, &copy).expect("the workspace is one file");
    (folder, copy)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What a program prints, where it ends well.
fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        unreachable!("{}: {error}; tests/setup installs what the tests need", program.to_string_lossy())
    });
    assert!(
        output.status.success(),
        "{} {arguments:?} ended with {}: {}",
        program.to_string_lossy(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("programs print UTF-8")
}

fn mutu(arguments: &[&str]) -> String {
    run(env!("CARGO_BIN_EXE_mutu"), arguments)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| unreachable!("not JSON ({error}): {text}"))
}

/// What GDAL, GEOS and PROJ say of a file, measured in the grid of the cadastre.
fn truth(file: &Path, more: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/real_input.py");
    json(&run("/usr/bin/python3", &[&["-W", "ignore", &text(&script), &text(file), "2249", USE], more].concat()))
}

/// The report of the only file of an import.
fn one_report(printed: &str) -> Value {
    let answer = json(printed);
    assert_eq!(list(&answer, "imports").len(), 1, "{answer:#}");
    answer["imports"][0].clone()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| unreachable!("{name} is no number in {value}"))
}

fn whole(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| unreachable!("{name} is no whole number in {value}"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| unreachable!("{name} is no list in {value}"))
}

/// The statistics of a year by use, as the command line prints them; asked once.
fn statistics(year: usize, basis: &str) -> &'static Value {
    static ASKED: [[OnceLock<Value>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];
    ASKED[year][usize::from(basis == "planar")].get_or_init(|| {
        let workspace = text(&city().workspace);
        let layer = ["--layer", city().years[year].layer, "-w", &workspace];
        let question = ["--group-by", USE, "--unit", "m2", "--basis", basis, "--format", "json"];
        json(&mutu(&[&["stats"], &layer[..], &question].concat()))
    })
}

/// The groups of an answer, or of the oracle, by use.
fn by_use<'a>(groups: &'a [Value], use_of: impl Fn(&'a Value) -> &'a Value) -> BTreeMap<Option<&'a str>, &'a Value> {
    let map: BTreeMap<_, _> = groups.iter().map(|group| (use_of(group).as_str(), group)).collect();
    assert_eq!(map.len(), groups.len(), "a use stands twice");
    map
}

#[track_caller]
fn assert_close(what: &str, ours: f64, truth: f64, tolerance: f64) {
    assert!((ours - truth).abs() <= tolerance, "{what}: {ours}, the oracle says {truth}, allowed is {tolerance}");
}

#[test]
fn the_report_names_every_invalid_or_thin_parcel_and_no_other() {
    for (year, count, invalid, thin) in [(&city().years[0], 13_159, 23, 1), (&city().years[1], 13_115, 34, 3)] {
        let report = &year.report;
        assert_eq!(rows_of(&year.truth, "invalid").len(), invalid, "GEOS does not see what the data's readme says");
        assert_eq!(list(&year.truth, "thin").len(), thin);
        let counts = ["read", "stored", "flagged", "refused"].map(|name| whole(report, name));
        assert_eq!(counts, [count, count, (invalid + thin) as u64, 0], "{report:#}");
        assert_eq!(whole(&year.truth, "count"), count);
        assert!(report["crs"].as_str().is_some_and(|crs| crs.contains("EPSG:2249")), "{}", report["crs"]);

        let mut expected = rows_of(&year.truth, "invalid");
        expected.extend(list(&year.truth, "thin").iter().filter_map(Value::as_u64));
        let mut found = BTreeSet::new();
        for finding in list(report, "findings").iter().filter(|finding| finding["weight"] == "flagged") {
            found.insert(whole(finding, "row"));
            assert_eq!(finding["id"], finding["row"], "features are numbered by their rows");
            assert_eq!(list(finding, "place").len(), 2, "a fault has a place: {finding}");
            assert!(finding["fault"].as_str().is_some_and(|name| !name.is_empty()), "a fault has a name: {finding}");
        }
        assert_eq!(found, expected, "{}", year.layer);
    }
}

fn rows_of(truth: &Value, name: &str) -> BTreeSet<u64> {
    list(truth, name).iter().map(|fault| whole(fault, "row")).collect()
}

#[test]
fn faults_are_told_where_geos_sees_them() {
    for year in &city().years {
        for fault in list(&year.truth, "invalid") {
            let row = whole(fault, "row");
            let of_row =
                || list(&year.report, "findings").iter().filter(|finding| finding["row"].as_u64() == Some(row));
            let away = |finding: &Value| {
                let at = |axis: usize| finding["place"][axis].as_f64().expect("a place is two numbers");
                (at(0) - number(fault, "x")).hypot(at(1) - number(fault, "y"))
            };
            let nearest = of_row().map(away).fold(f64::INFINITY, f64::min);
            // Where an outline runs back on itself, GEOS names the foot of the spike and we its tip.
            let within = if of_row().any(|finding| finding["fault"] == "spike") { 10.0 } else { 0.01 };
            assert!(
                nearest < within,
                "{} row {row}: GEOS's place is {nearest} ft from any of ours: {fault}",
                year.layer
            );
        }
    }
}

#[test]
fn statistics_by_use_count_land_once_and_agree_with_geos_and_proj() {
    for (index, year) in city().years.iter().enumerate() {
        for (basis, area_name) in [("planar", "planar_m2"), ("ellipsoidal", "ellipsoidal_m2")] {
            let answer = statistics(index, basis);
            assert_eq!(answer["basis"], basis);
            let what = |of: &str| format!("{} {basis} {of}", year.layer);
            let plain = number(&year.truth, area_name);
            let (overlap, total) = (number(&answer["overlap"], "area"), number(&answer["total"], "area"));
            assert_eq!(whole(&answer["total"], "count"), whole(&year.truth, "count"));
            assert_eq!(whole(&answer["overlap"], "pairs"), whole(&year.truth, "overlapping_pairs"));
            assert_close(&what("total with overlap"), total + overlap, plain, RELATIVE * plain);
            // The oracle knows what overlaps in the plane; on the ellipsoid it is as much more as the whole is.
            let scale = plain / number(&year.truth, "planar_m2");
            assert_close(&what("land"), total, number(&year.truth, "union_m2") * scale, RELATIVE * plain);
            assert!(overlap > 200.0, "these parcels overlap");

            let groups = by_use(list(answer, "groups"), |group| &group["key"][USE]);
            let expected = by_use(list(&year.truth, "uses"), |group| &group["use"]);
            assert_eq!(groups.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (name, truth) in expected {
                let (what, ours, count) = (what(&format!("{name:?}")), groups[&name], whole(truth, "count"));
                assert_eq!(whole(ours, "count"), count, "{what}");
                // Land that two parcels claim is the earlier one's. Each parcel counts in whole hundredths.
                let (plain, lost) = (number(truth, area_name), number(truth, "lost_m2") * scale);
                let rounding = 4.0 * (count as f64 / 12.0).sqrt() * 0.01;
                let tolerance = RELATIVE * plain + PRINTED + rounding + number(truth, "doubt_m2");
                assert_close(&what, number(ours, "area"), plain - lost, tolerance);
                assert_close(&what, number(ours, "overlap"), lost, tolerance);
            }
            let hundredths = |area: f64| (area * 100.0).round() as i64;
            let sum: i64 = groups.values().map(|group| hundredths(number(group, "area"))).sum();
            assert_eq!(sum, hundredths(total), "printed parts sum to the printed total");
        }
    }
}

#[test]
fn the_server_gives_the_statistics_of_the_command_line_and_the_areas_of_geos_and_proj() {
    let (_folder, workspace) = copy_of_workspace("served");
    let server = Server::start(&workspace);
    for year in &city().years {
        assert_areas_of_parcels(&server, year);
    }
    let path = format!("/collections/parcels_2014/statistics?group-by={USE}&unit=m2&basis=ellipsoidal");
    let mut answers = [statistics(1, "ellipsoidal").clone(), server.get(&path)];
    for answer in &mut answers {
        let members = answer.as_object_mut().expect("an answer is an object");
        assert!(members.remove("asOf").is_some(), "an answer says as of when");
    }
    assert_eq!(answers[0], answers[1]);
}

/// Every parcel, page by page, beside the oracle's areas of its row.
fn assert_areas_of_parcels(server: &Server, year: &Year) {
    let mut seen = BTreeMap::new();
    let mut next = Some(format!("/collections/{}/items?limit=10000", year.layer));
    while let Some(path) = next {
        let page = server.get(&path);
        for feature in list(&page, "features") {
            let areas = ["area_planar_m2", "area_m2"].map(|name| number(&feature["properties"], name));
            assert!(seen.insert(whole(feature, "id"), areas).is_none(), "a parcel comes twice");
        }
        let link = list(&page, "links").iter().find(|link| link["rel"] == "next");
        let href = link.map(|link| link["href"].as_str().expect("a link has an address"));
        next = href.map(|href| href.strip_prefix(&server.base).unwrap_or(href).to_owned());
    }
    let parcels = list(&year.truth, "parcels");
    assert_eq!(seen.len(), parcels.len());
    for (row, truth) in (1..).zip(parcels) {
        for (basis, name) in ["planar", "ellipsoidal"].into_iter().enumerate() {
            let truth = truth[basis].as_f64().expect("areas are numbers");
            // The survey rule keeps seconds to six decimals, 0.03 mm: so much at each vertex of the outline.
            let tolerance = PRINTED + RELATIVE * truth + 1e-4 * truth.sqrt();
            assert_close(&format!("{} parcel {row} {name}", year.layer), seen[&row][basis], truth, tolerance);
        }
    }
    for (basis, name) in ["planar_m2", "ellipsoidal_m2"].into_iter().enumerate() {
        let (truth, sum) = (number(&year.truth, name), seen.values().map(|areas| areas[basis]).sum());
        assert_close(&format!("{} {name}", year.layer), sum, truth, RELATIVE * truth);
    }
}

#[test]
fn exports_hold_all_parcels_and_all_their_land() {
    let (folder, workspace) = (folder("exports"), &city().workspace);
    let year = &city().years[1];
    for ending in ["geojson", "gpkg"] {
        let file = folder.join(format!("out.{ending}"));
        mutu(&["export", "--layer", year.layer, "--out", &text(&file), "-w", &text(workspace)]);
        let summary = run("ogrinfo", &["-ro", "-so", "-al", &text(&file)]);
        assert!(summary.contains("Feature Count: 13115"), "{ending}: {summary}");
        let exported = truth(&file, &[]);
        assert_eq!(whole(&exported, "count"), 13_115);
        for name in ["planar_m2", "ellipsoidal_m2"] {
            let before = number(&year.truth, name);
            assert_close(&format!("{ending} {name}"), number(&exported, name), before, RELATIVE * before);
        }
        let uses = |of: &Value| -> BTreeMap<Option<String>, u64> {
            let groups = by_use(list(of, "uses"), |group| &group["use"]);
            groups.into_iter().map(|(name, group)| (name.map(str::to_owned), whole(group, "count"))).collect()
        };
        assert_eq!(uses(&exported), uses(&year.truth), "{ending}");
    }
}

#[test]
fn two_years_stand_beside_each_other_and_their_difference_is_that_of_the_files() {
    let [before, after] = &city().years;
    let ours = [0, 1].map(|year| statistics(year, "planar"));
    let count = |answer: &Value| whole(&answer["total"], "count") as i64;
    assert_eq!(count(ours[1]) - count(ours[0]), -44);
    let change = number(&ours[1]["total"], "area") - number(&ours[0]["total"], "area");
    let truth = number(&after.truth, "union_m2") - number(&before.truth, "union_m2");
    assert_close("change of land", change, truth, RELATIVE * number(&after.truth, "union_m2"));

    let changed = |years: [BTreeMap<Option<&str>, &Value>; 2]| -> BTreeMap<Option<String>, i64> {
        let mut changed = BTreeMap::new();
        for (sign, uses) in [-1, 1].into_iter().zip(years) {
            for (name, group) in uses {
                *changed.entry(name.map(str::to_owned)).or_insert(0) += sign * whole(group, "count") as i64;
            }
        }
        changed
    };
    let said = changed(ours.map(|answer| by_use(list(answer, "groups"), |group| &group["key"][USE])));
    let expected = changed([before, after].map(|year| by_use(list(&year.truth, "uses"), |group| &group["use"])));
    assert_eq!(said, expected, "parcels more or fewer by use");
}

/// The program as a server on a free port; it ends with the value.
struct Server {
    child: Child,
    base: String,
}

impl Server {
    fn start(workspace: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mutu"))
            .args(["serve", "-w", &text(workspace), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built");
        let lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads on to the end, so that the server never waits for a full pipe.
            for line in lines.map_while(Result::ok) {
                if let Some((_, base)) = line.split_once(" is at http://") {
                    drop(tell.send(format!("http://{}", base.trim())));
                }
            }
        });
        let told = told.recv_timeout(Duration::from_mins(2));
        let mut server = Self { child, base: String::new() };
        server.base = told.unwrap_or_else(|_| {
            let status = server.child.try_wait();
            unreachable!("the server did not say where it is; its status is {status:?}")
        });
        server
    }

    /// The JSON at a path; HTTP/1.0, so that the answer ends with the connection.
    fn get(&self, path: &str) -> Value {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("a timeout can be set");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\r\n")
            .expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        assert!(head.lines().next().is_some_and(|status| status.contains(" 200 ")), "{path}: {head}\n{body}");
        json(body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to do where the server has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
