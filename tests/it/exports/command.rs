//! `mutu export`: the same writers, on the command line.

use super::*;

/// The program, on the demonstration data.
fn run(arguments: &[&str]) -> (i32, String) {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Planner::seed(&folder.path().join("mutu.gpkg"), &mut |_| ()).unwrap();
        folder
    });
    let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
    let output =
        program.current_dir(folder.path()).env_remove("MUTU_WORKSPACE").arg("export").args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_command_line_writes_what_the_api_sends() {
    let folder = tempfile::tempdir().unwrap();
    let which = "town = '址山镇' AND area_mu > 20";
    for (name, format) in [("a.geojson", "geojson"), ("a.geojsons", "geojsonseq"), ("a.csv", "csv&excel=true")] {
        let out = folder.path().join(name);
        let (code, said) =
            run(&["--layer", "parcels", "--filter", which, "--with-areas", "--out", out.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}");
        let answer = get(demo(), &format!("/collections/parcels/export?f={format}&filter={which}"));
        assert!(std::fs::read(&out).unwrap() == answer.body, "{name}");
        assert!(said.contains(&format!("holds {} features", answer.header("ogc-numbermatched"))), "{said}");
        for loss in losses(&answer) {
            assert!(said.contains(&loss), "{loss}: {said}");
        }
    }
}

#[test]
fn a_box_selects_and_lines_have_no_separators() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.geojsonl");
    let (code, said) =
        run(&["--layer", "villages", "--bbox", "112.8,22.6,112.95,22.7", "--out", out.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&out).unwrap();
    let mut ids: Vec<i64> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    let items = get(demo(), "/collections/villages/items?limit=10000&bbox=112.8,22.6,112.95,22.7").json();
    let expected: Vec<i64> =
        items["features"].as_array().unwrap().iter().map(|feature| feature["id"].as_i64().unwrap()).collect();
    assert!(!expected.is_empty());
    assert_eq!(ids, expected);
}

#[test]
fn what_makes_no_sense_ends_with_the_code_for_usage_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options) in [
        ("a.csv", &["--filter", "nix = 1"][..]),
        ("a.csv", &["--bbox", "1,2,3"]),
        ("a.csv", &["--encoding", "klingon"]),
        ("a.csv", &["--crs", "EPSG:1"]),
        ("a.gpkg", &["--encoding", "GBK"]),
        ("a.geojsonl", &["--crs", "EPSG:4547"]),
    ] {
        let out = folder.path().join(name);
        let (code, said) = run(&[&["--layer", "parcels", "--out", out.to_str().unwrap()], options].concat());
        assert_eq!(code, 2, "{options:?}: {said}");
        assert!(!out.exists());
    }
    let out = folder.path().join("a.csv");
    let out = out.to_str().unwrap();
    let (code, said) = run(&["--layer", "parcels", "--out", out, "--exact-text"]);
    assert_eq!(code, 0, "{said}");
    assert!(!std::fs::read(out).unwrap().starts_with(b"\xEF\xBB\xBF"));
}

#[test]
fn the_command_line_takes_filters_orders_and_columns_as_the_api_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.csv");
    // A box of the grid, northing first as the grid declares it.
    let corners = "[[2490000,380000],[2490000,400000],[2510000,400000],[2510000,380000],[2490000,380000]]";
    let filter = format!(
        r#"{{"op":"s_intersects","args":[{{"property":"geometry"}},{{"type":"Polygon","coordinates":[{corners}]}}]}}"#
    );
    let arguments = [
        "--layer",
        "parcels",
        "--filter",
        &filter,
        "--filter-lang",
        "cql2-json",
        "--filter-crs",
        "EPSG:4547",
        "--sort-by",
        "-area_mu,town",
        "--properties",
        "town,area_mu",
        "--out",
        out.to_str().unwrap(),
    ];
    let (code, said) = run(&arguments);
    assert_eq!(code, 0, "{said}");
    let encoded = percent_encoding::utf8_percent_encode(&filter, percent_encoding::NON_ALPHANUMERIC);
    let query = format!(
        "f=csv&excel=true&sortby=-area_mu,town&properties=town,area_mu&filter-lang=cql2-json&filter-crs=EPSG:4547&filter={encoded}"
    );
    let answer = get(demo(), &format!("/collections/parcels/export?{query}"));
    let matched: usize = answer.header("ogc-numbermatched").parse().unwrap();
    let all: usize = get(demo(), "/collections/parcels").json()["itemCount"].as_u64().unwrap() as usize;
    assert!(matched > 0 && matched < all, "{matched} of {all}");
    assert!(std::fs::read(&out).unwrap() == answer.body);
    let (code, said) = run(&["--layer", "parcels", "--filter-lang", "cql2-json", "--out", "b.csv"]);
    assert_eq!(code, 2, "{said}");
}
