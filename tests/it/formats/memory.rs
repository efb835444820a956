//! Reading a large file takes no more memory than its largest feature.
//!
//! The peak of a process is only its own where nothing else runs in it: the test starts itself once more, in a
//! process of its own that reads one file and prints its peak.

use std::io::Write as _;

use super::*;

const FILE: &str = "MUTU_TEST_READS";
const PEAK: &str = "peak resident set in kB:";

/// Peak memory in kilobytes of a process of this binary that reads a file; `None` in that process itself.
fn peak_of_reading(test: &str, path: &Path) -> Option<u64> {
    if let Some(path) = std::env::var_os(FILE) {
        let path = PathBuf::from(path);
        let read = by_extension(&path).unwrap().read.unwrap();
        let rows = read(&source(&path), &mut |_: &[Column], _| Ok(())).unwrap().rows;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        println!("rows {rows} {PEAK} {}", peak.trim().trim_end_matches("kB").trim());
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (_, peak) = said.split_once(PEAK).unwrap_or_else(|| panic!("{said}"));
    Some(peak.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn a_large_geojson_file_is_read_in_little_memory() {
    let test = "formats::memory::a_large_geojson_file_is_read_in_little_memory";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.geojson");
    let small = directory.path().join("small.geojson");
    std::fs::write(&small, r#"{"type":"FeatureCollection","features":[]}"#).unwrap();
    if std::env::var_os(FILE).is_none() {
        let ring: Vec<String> = (0..400).map(|i| format!("[112.{i:09},22.{i:09}]")).collect();
        let feature = format!(
            r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{}]]}},"properties":{{"名称":"鹤山"}}}}"#,
            ring.join(",")
        );
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        file.write_all(br#"{"type":"FeatureCollection","features":["#).unwrap();
        for i in 0..2500 {
            let comma = if i == 0 { "\n" } else { ",\n" };
            file.write_all(comma.as_bytes()).unwrap();
            file.write_all(feature.as_bytes()).unwrap();
        }
        file.write_all(b"]}").unwrap();
        file.flush().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > 25_000_000);
    }
    let Some(with) = peak_of_reading(test, &path) else { return };
    let Some(without) = peak_of_reading(test, &small) else { return };
    assert!(with < without + 8_000, "{with} kB with the file, {without} kB with an empty one");
}

#[test]
fn a_feature_of_many_megabytes_costs_a_few_times_its_size() {
    let test = "formats::memory::a_feature_of_many_megabytes_costs_a_few_times_its_size";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.geojson");
    let small = directory.path().join("small.geojson");
    std::fs::write(&small, r#"{"type":"FeatureCollection","features":[]}"#).unwrap();
    if std::env::var_os(FILE).is_none() {
        let position = "[112.123456789,22.123456789],".repeat(300_000);
        let text = format!(
            r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[{position}[0,0]]]}}}}"#
        );
        std::fs::write(&path, text).unwrap();
    }
    let Some(with) = peak_of_reading(test, &path) else { return };
    let Some(without) = peak_of_reading(test, &small) else { return };
    // 9 MB of text.
    assert!(with < without + 6 * 9_000, "{with} kB with the feature, {without} kB with an empty one");
}
