//! What other programs read from each format.

use super::*;

const FORMATS: [(&str, &str, &str); 6] = [
    ("geojson", "parcels_synthetic.geojson", "application/geo+json"),
    ("geojsonseq", "parcels_synthetic.geojsons", "application/geo+json-seq"),
    ("csv", "parcels_synthetic.csv", "text/csv; charset=utf-8; header=present"),
    ("flatgeobuf", "parcels_synthetic.fgb", "application/flatgeobuf"),
    ("geopackage", "parcels_synthetic.gpkg", "application/geopackage+sqlite3"),
    ("shapefile", "parcels_synthetic.zip", "application/zip"),
];

/// All items of a request, by its pages.
fn items(path: &str) -> Vec<Value> {
    get(demo(), path).json()["features"].as_array().unwrap().clone()
}

#[test]
fn gdal_reads_each_format_as_the_items_of_the_api_are() {
    let folder = tempfile::tempdir().unwrap();
    let items = items("/collections/parcels/items?limit=10000");
    let text = |feature: &Value, name: &str| feature["properties"][name].as_str().unwrap().to_owned();
    let mut expected: Vec<String> =
        items.iter().map(|f| format!("{}|{}|{}", text(f, "code"), text(f, "town"), text(f, "status"))).collect();
    expected.sort();
    let extent = get(demo(), "/collections/parcels").json()["extent"]["spatial"]["bbox"][0].clone();
    let extent: Vec<f64> = extent.as_array().unwrap().iter().map(|side| side.as_f64().unwrap()).collect();
    for (format, name, media_type) in FORMATS {
        let (file, answer) = saved(demo(), folder.path(), &format!("/collections/parcels/export?f={format}"));
        assert_eq!(file.file_name().unwrap(), name);
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("ogc-numbermatched"), expected.len().to_string());
        assert_eq!(answer.header("ogc-numberreturned"), expected.len().to_string());
        let crs = if format.starts_with("geojson") { "OGC/1.3/CRS84" } else { "EPSG/0/4490" };
        assert_eq!(answer.header("content-crs"), format!("<http://www.opengis.net/def/crs/{crs}>"));
        assert_eq!(rows_by_gdal(&file, &["code", "town", "status"]), expected, "{format}");
        let said = said_by("ogrinfo", &["-so", "-al", &for_gdal(&file)]);
        let theirs = said.lines().find_map(|line| line.strip_prefix("Extent: ")).unwrap();
        let theirs: Vec<f64> = theirs.split(['(', ')', ',', ' ']).filter_map(|word| word.parse().ok()).collect();
        assert_eq!(theirs.len(), 4, "{said}");
        assert!(theirs.iter().zip(&extent).all(|(a, b)| (a - b).abs() < 1e-6), "{format}: {theirs:?} {extent:?}");
    }
}

#[test]
fn derived_areas_are_columns_unless_they_are_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let items = items("/collections/parcels/items?limit=10000");
    let mut expected: Vec<(String, f64)> = items
        .iter()
        .map(|f| (f["properties"]["code"].as_str().unwrap().to_owned(), f["properties"]["area_mu"].as_f64().unwrap()))
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    for (format, ..) in FORMATS {
        let (file, _) = saved(demo(), folder.path(), &format!("/collections/parcels/export?f={format}"));
        let rows = rows_by_gdal(&file, &["code", "area_mu"]);
        assert_eq!(rows.len(), expected.len());
        for (row, (code, area)) in rows.iter().zip(&expected) {
            let (theirs, number) = row.split_once('|').unwrap();
            assert!(theirs == code && (number.parse::<f64>().unwrap() - area).abs() < 1e-9, "{format}: {row} {area}");
        }
        let path = format!("/collections/parcels/export?f={format}&areas=false");
        let (file, _) = saved(demo(), folder.path(), &path);
        assert!(!said_by("ogrinfo", &["-so", "-al", &for_gdal(&file)]).contains("area_mu"), "{format}");
    }
}

#[test]
fn a_selection_is_exported_whole_and_only_it() {
    let folder = tempfile::tempdir().unwrap();
    let selections = [
        "town=址山镇",
        "filter=status = '完成处置' AND area_mu > 30",
        "bbox=112.8,22.6,112.95,22.7&filter=area_mu < 40",
        "bbox=2499000,380000,2510000,400000&bbox-crs=EPSG:4547",
        "filter=code = 'no such'",
    ];
    for which in selections {
        let mut expected: Vec<String> = items(&format!("/collections/parcels/items?limit=10000&{which}"))
            .iter()
            .map(|feature| feature["properties"]["code"].as_str().unwrap().to_owned())
            .collect();
        expected.sort();
        for (format, ..) in FORMATS {
            let path = format!("/collections/parcels/export?f={format}&{which}");
            let (file, answer) = saved(demo(), folder.path(), &path);
            assert_eq!(answer.header("ogc-numbermatched"), expected.len().to_string(), "{path}");
            if !expected.is_empty() {
                assert_eq!(rows_by_gdal(&file, &["code"]), expected, "{path}");
            } else if format == "geojsonseq" {
                // A sequence of nothing is an empty file, which no reader can recognise.
                assert!(answer.body.is_empty());
            } else {
                let said = said_by("ogrinfo", &["-so", "-al", &for_gdal(&file)]);
                assert!(said.contains("Feature Count: 0"), "{path}: {said}");
            }
        }
    }
    let some = items("/collections/parcels/items?limit=10000&filter=status = '完成处置' AND area_mu > 30");
    assert!(!some.is_empty(), "a selection that selects nothing proves nothing");
}

#[test]
fn coordinates_are_in_the_crs_asked_for_where_cs2cs_puts_them() {
    let folder = tempfile::tempdir().unwrap();
    let first = &items("/collections/seats/items?limit=1")[0];
    let (lon, lat) = (&first["geometry"]["coordinates"][0], &first["geometry"]["coordinates"][1]);
    let place = format!("echo '{lat} {lon}' | cs2cs -f %.4f EPSG:4490 EPSG:4526");
    let said = said_by("sh", &["-c", &place]);
    let theirs: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let (north, east) = (theirs[0], theirs[1]);
    let near = |a: f64, b: f64| (a - b).abs() < 2e-3;
    let id = first["id"].as_i64().unwrap();
    // GeoJSON as OGC has it: in the order that the CRS declares, north first.
    let answer = get(demo(), "/collections/seats/export?f=geojson&crs=EPSG:4526");
    assert_eq!(answer.header("content-crs"), "<http://www.opengis.net/def/crs/EPSG/0/4526>");
    assert!(losses(&answer).iter().any(|loss| loss.contains("north first")), "{:?}", losses(&answer));
    let json = answer.json();
    assert!(json.get("crs").is_none(), "a reader that heeds it would exchange the axes");
    let ours = json["features"].as_array().unwrap().iter().find(|feature| feature["id"] == id).unwrap();
    let at = |i: usize| ours["geometry"]["coordinates"][i].as_f64().unwrap();
    assert!(near(at(0), north) && near(at(1), east), "{ours}");
    // Longitude and latitude by their EPSG code: latitude first.
    let json = get(demo(), "/collections/seats/export?crs=http://www.opengis.net/def/crs/EPSG/0/4490").json();
    let ours = json["features"].as_array().unwrap().iter().find(|feature| feature["id"] == id).unwrap();
    assert_eq!(&ours["geometry"]["coordinates"], &json!([lat, lon]));
    // Files: east first, and they name the CRS.
    for format in ["flatgeobuf", "geopackage", "shapefile"] {
        let path = format!("/collections/seats/export?f={format}&crs=EPSG:4526");
        let (file, answer) = saved(demo(), folder.path(), &path);
        assert_eq!(answer.header("content-crs"), "<http://www.opengis.net/def/crs/EPSG/0/4526>");
        let said = said_by("ogrinfo", &["-al", &for_gdal(&file)]);
        assert!(said.contains("CGCS2000") && said.contains("zone 38"), "{format}: {said}");
        let points: Vec<Vec<f64>> = said
            .lines()
            .filter_map(|line| line.trim().strip_prefix("POINT ("))
            .map(|line| line.trim_end_matches(')').split(' ').map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(points.iter().any(|point| near(point[0], east) && near(point[1], north)), "{format}: {said}");
    }
    let csv = String::from_utf8(get(demo(), "/collections/seats/export?f=csv&crs=EPSG:4526").body).unwrap();
    assert!(csv.contains(&format!("POINT({}", &format!("{east:.3}")[..9])), "{csv}");
}

#[test]
fn a_gbk_archive_says_its_encoding_twice_and_what_it_lost_in_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = "/collections/parcels/export?f=shapefile&encoding=GBK";
    let (file, answer) = saved(demo(), folder.path(), path);
    let script = "import sys, zipfile\n\
        z = zipfile.ZipFile(sys.argv[1])\n\
        assert z.testzip() is None\n\
        print(sorted(z.namelist()))\n\
        print(z.read('parcels_synthetic.cpg').decode())\n\
        print(hex(z.read('parcels_synthetic.dbf')[29]))\n\
        print(z.read('README.txt').decode('utf-8-sig'))\n";
    let said = said_by("python3", &["-c", script, file.to_str().unwrap()]);
    let lines: Vec<&str> = said.lines().collect();
    let members = ["cpg", "dbf", "prj", "shp", "shx"].map(|ending| format!("'parcels_synthetic.{ending}'"));
    assert_eq!(lines[0], format!("['README.txt', {}]", members.join(", ")));
    assert_eq!((lines[1], lines[2]), ("GBK", "0x4d"));
    assert!(said.contains("SYNTHETIC") && said.contains("合成示例数据"), "{said}");
    let told = losses(&answer);
    assert!(told.iter().any(|loss| loss.contains("\"confirmed_on\" is called \"confirmed_\"")), "{told:?}");
    assert!(told.iter().all(|loss| said.contains(loss.as_str())), "{told:?} {said}");
    // By either sign alone.
    for (kept, dropped) in [("cpg", "LDID"), ("LDID", "cpg")] {
        let alone = tempfile::tempdir().unwrap();
        said_by("python3", &["-m", "zipfile", "-e", file.to_str().unwrap(), alone.path().to_str().unwrap()]);
        let member = |ending: &str| alone.path().join(format!("parcels_synthetic.{ending}"));
        if dropped == "cpg" {
            std::fs::remove_file(member("cpg")).unwrap();
        } else {
            let mut table = std::fs::read(member("dbf")).unwrap();
            table[29] = 0;
            std::fs::write(member("dbf"), table).unwrap();
        }
        assert!(rows_by_gdal(&member("shp"), &["town"]).contains(&"址山镇".to_owned()), "{kept}");
    }
}

#[test]
fn csv_is_exact_for_programs_and_harmless_in_a_spreadsheet() {
    let rows = squares(3, 4, |i| json!({ "名称": (["=cmd|'/C calc'!A0", "鹤山", "-1"][i]), "n": -1 }));
    let (_folder, planner, config) = workspace(&[("表", &rows)]);
    let state = AppState::new(planner, config);
    let cells = |bytes: &[u8]| -> Vec<String> {
        ::csv::Reader::from_reader(bytes).records().map(|row| row.unwrap()[2].to_owned()).collect()
    };
    let exact = get(&state, "/collections/表/export?f=csv");
    assert!(!exact.body.starts_with(b"\xEF\xBB\xBF"));
    assert_eq!(cells(&exact.body), ["=cmd|'/C calc'!A0", "鹤山", "-1"]);
    let excel = get(&state, "/collections/表/export?f=csv&excel=true");
    assert!(excel.body.starts_with(b"\xEF\xBB\xBF"));
    assert_eq!(cells(&excel.body[3..]), ["'=cmd|'/C calc'!A0", "鹤山", "'-1"]);
    assert_eq!(
        exact.header("content-disposition"),
        "attachment; filename=\"layer.csv\"; filename*=UTF-8''%E8%A1%A8.csv"
    );
    let gbk = get(&state, "/collections/表/export?f=csv&encoding=gbk");
    assert_eq!(gbk.header("content-type"), "text/csv; charset=gbk; header=present");
    let script = "import sys, csv\nrows = list(csv.reader(open(sys.argv[1], encoding='gbk', newline='')))\nprint(rows[0][2], rows[2][2])";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, &gbk.body).unwrap();
    let said =
        Command::new("python3").env("PYTHONIOENCODING", "utf-8").args(["-c", script]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), "名称 鹤山");
}

#[test]
fn a_sequence_has_a_separator_before_each_text() {
    let answer = get(demo(), "/collections/parcels/export?f=geojsonseq&town=址山镇");
    let mut texts = answer.body.split(|byte| *byte == 0x1E);
    assert_eq!(texts.next(), Some(&b""[..]));
    let texts: Vec<&[u8]> = texts.collect();
    assert_eq!(texts.len().to_string(), answer.header("ogc-numbermatched"));
    for text in texts {
        assert_eq!(text.iter().position(|byte| *byte == b'\n'), Some(text.len() - 1));
        let feature: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(feature["properties"]["provenance"], "synthetic");
    }
}

#[test]
fn what_an_export_cannot_be_is_refused_by_name_before_it_begins() {
    let rows = squares(2, 4, |i| json!({ "名称": (["鹤山", "😀"][i]) }));
    let point = |lon: f64| {
        format!(r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{lon},0]}},"properties":{{}}}}"#)
    };
    // A quarter of the globe from the grid's meridian nothing has a place in it.
    let far = format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, point(112.0), point(-156.0));
    let (_folder, planner, config) = workspace(&[("表", &rows), ("far", &far)]);
    let state = AppState::new(planner, config);
    for (path, parameter, code) in [
        ("表/export?f=dwg", "f", "bad-value"),
        ("表/export?nonsense=1", "nonsense", "unknown-parameter"),
        ("表/export?limit=5", "limit", "unknown-parameter"),
        ("表/export?f=csv&f=csv", "f", "repeated-parameter"),
        ("表/export?crs=EPSG:1", "crs", "bad-value"),
        ("表/export?areas=yes", "areas", "bad-value"),
        ("表/export?encoding=UTF-8", "encoding", "bad-value"),
        ("表/export?f=geopackage&encoding=GBK", "encoding", "bad-value"),
        ("表/export?f=csv&encoding=Big5", "encoding", "bad-value"),
        ("表/export?f=geojson&excel=true", "excel", "bad-value"),
        ("表/export?filter=名称 =", "filter", "bad-value"),
        ("表/export?f=csv&encoding=GBK", "encoding", "cannot-export"),
        ("表/export?f=shapefile&encoding=GBK", "encoding", "cannot-export"),
        ("far/export?f=geojson&crs=EPSG:4547", "crs", "cannot-export"),
        ("far/export?f=geopackage&crs=EPSG:4547", "crs", "cannot-export"),
        ("far/export?f=shapefile&crs=EPSG:4547", "crs", "cannot-export"),
    ] {
        let answer = get(&state, &format!("/collections/{path}"));
        let problem = answer.json();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {problem}");
        assert_eq!(
            (problem["parameter"].as_str(), problem["code"].as_str()),
            (Some(parameter), Some(code)),
            "{problem}"
        );
        assert_eq!(state.exports_under_way(), 0, "{path}");
    }
    let told = get(&state, "/collections/表/export?f=csv&encoding=GBK").json()["detail"].as_str().unwrap().to_owned();
    assert!(told.contains("feature 2") && told.contains("名称") && told.contains("UTF-8"), "{told}");
    assert_eq!(get(&state, "/collections/nix/export").status, StatusCode::NOT_FOUND);
}

#[test]
fn the_accept_header_chooses_the_format_too() {
    for (accept, wanted) in [
        ("", "application/geo+json"),
        ("*/*", "application/geo+json"),
        ("application/json", "application/geo+json"),
        ("application/geo+json-seq", "application/geo+json-seq"),
        ("text/csv;q=0.9, text/html;q=0.8", "text/csv; charset=utf-8; header=present"),
        ("application/vnd.flatgeobuf", "application/flatgeobuf"),
        ("application/geopackage+sqlite3", "application/geopackage+sqlite3"),
        ("application/zip, application/geo+json;q=0.5", "application/zip"),
    ] {
        let answer = send(demo(), Method::GET, "/collections/seats/export", &[("accept", accept)]);
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, wanted), "{accept}");
        assert!(answer.header("vary").to_lowercase().contains("accept"));
    }
    let refused = send(demo(), Method::GET, "/collections/seats/export", &[("accept", "image/png")]);
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
}

#[test]
fn made_up_features_say_so_in_every_file() {
    let folder = tempfile::tempdir().unwrap();
    for (format, ..) in FORMATS {
        let (file, answer) = saved(demo(), folder.path(), &format!("/collections/parcels/export?f={format}"));
        assert!(file.file_name().unwrap().to_str().unwrap().contains("_synthetic."));
        let rows = rows_by_gdal(&file, &["provenance"]);
        assert!(!rows.is_empty() && rows.iter().all(|row| row == "synthetic"), "{format}");
        if matches!(format, "geopackage" | "flatgeobuf") {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(text.contains("合成示例数据，不得作为依据"), "{format}");
        }
    }
    assert_eq!(get(demo(), "/collections/parcels/export").json()["provenance"], "synthetic");
}

#[test]
fn members_of_an_archive_have_their_chinese_names() {
    let (_folder, planner, config) = workspace(&[("地块", &squares(2, 4, |_| json!({ "名称": "鹤山" })))]);
    let folder = tempfile::tempdir().unwrap();
    let state = AppState::new(planner, config);
    let (file, _) = saved(&state, folder.path(), "/collections/地块/export?f=shapefile&encoding=GBK");
    assert_eq!(file.file_name().unwrap(), "地块.zip");
    let script = "import sys, zipfile\nprint(ascii(sorted(zipfile.ZipFile(sys.argv[1]).namelist())[-1]))";
    assert_eq!(said_by("python3", &["-c", script, file.to_str().unwrap()]).trim(), r"'\u5730\u5757.shx'");
    assert_eq!(rows_by_gdal(&file, &["名称"]), ["鹤山", "鹤山"]);
}

#[test]
fn headers_alone_cost_no_export_and_text_is_sent_compressed() {
    for (format, ..) in FORMATS {
        let path = format!("/collections/parcels/export?f={format}");
        let head = send(demo(), Method::HEAD, &path, &[("accept-encoding", "gzip")]);
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{format}");
        assert!(!head.header("content-disposition").is_empty());
        let held = send(demo(), Method::GET, &path, &[("if-none-match", head.header("etag"))]);
        assert_eq!((held.status, held.body.len()), (StatusCode::NOT_MODIFIED, 0), "{format}");
        let packed = send(demo(), Method::GET, &path, &[("accept-encoding", "gzip")]);
        let is_text = matches!(format, "geojson" | "geojsonseq" | "csv");
        assert_eq!(packed.header("content-encoding") == "gzip", is_text, "{format}");
        if is_text {
            let script = "import sys, gzip\nsys.stdout.buffer.write(gzip.decompress(open(sys.argv[1], 'rb').read()))";
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.gz"), &packed.body).unwrap();
            let out = Command::new("python3").args(["-c", script]).arg(folder.path().join("a.gz")).output().unwrap();
            assert!(out.status.success());
            assert_eq!(out.stdout, get(demo(), &path).body, "{format}");
        } else {
            assert_eq!(packed.header("content-length"), packed.body.len().to_string());
        }
    }
}
