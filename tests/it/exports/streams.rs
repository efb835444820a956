//! What clients do while an export is under way, and what others do.

use mutu::domain::{
    edit::{Change, Edit},
    feature::Feature,
};

use super::*;

/// Far more than the buffers of the system and of the server hold: 25 MB of GeoJSON.
fn large() -> &'static (tempfile::TempDir, Arc<Planner>, ServerConfig) {
    static LARGE: OnceLock<(tempfile::TempDir, Arc<Planner>, ServerConfig)> = OnceLock::new();
    LARGE.get_or_init(|| workspace(&[("large", &squares(COUNT, 60, |i| json!({ "n": i })))]))
}

const COUNT: usize = 16_000;
const SECOND: Duration = Duration::from_secs(1);
/// For what has no bound to prove, only must come to pass.
const LONG: Duration = Duration::from_mins(1);

fn served(change: impl FnOnce(&mut ServerConfig)) -> Served {
    let (_, planner, config) = large();
    let mut config = config.clone();
    change(&mut config);
    Served::new(AppState::new(Arc::clone(planner), config))
}

#[test]
fn a_client_that_hangs_up_while_it_is_sent_to_frees_the_work_within_a_second() {
    let server = served(|_| ());
    for format in ["geojson", "geojsonseq", "csv", "geopackage", "flatgeobuf", "shapefile"] {
        let (mut reader, head) = server.ask(&format!("/collections/large/export?f={format}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        reader.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(server.state.exports_under_way(), 1, "{format}: most of it waits for the client");
        drop(reader);
        server.until_under_way(0, SECOND);
    }
}

#[test]
fn a_client_that_hangs_up_while_its_file_is_made_frees_the_work_within_a_second() {
    let server = served(|_| ());
    for format in ["geopackage", "flatgeobuf", "shapefile"] {
        let path = format!("/collections/large/export?f={format}");
        let start = Instant::now();
        drop(server.ask(&path));
        let whole = start.elapsed();
        server.until_under_way(0, LONG);
        let stream = server.send(&path);
        server.until_under_way(1, LONG);
        drop(stream);
        let freed = server.until_under_way(0, SECOND);
        assert!(
            freed < whole / 2,
            "{format}: freed after {freed:?}, the whole takes {whole:?}: is it given up at all?"
        );
    }
}

#[test]
fn a_client_that_takes_nothing_is_given_up_and_holds_little_meanwhile() {
    let server = served(|config| config.export_patience = Duration::from_millis(300));
    let (reader, _) = server.ask("/collections/large/export?f=geojson");
    server.until_under_way(0, LONG);
    let (body, is_complete) = read_chunked(reader);
    assert!(!is_complete, "a part must not look like the whole");
    let whole = get(&server.state, "/collections/large/export?f=geojson").body;
    assert!(whole.starts_with(&body) && body.len() < whole.len());
}

#[test]
fn a_server_that_ends_does_not_wait_for_a_slow_client() {
    let server = served(|_| ());
    let state = server.state.clone();
    let waiting = ["geojson", "geopackage"].map(|f| server.ask(&format!("/collections/large/export?f={f}")));
    assert_eq!(state.exports_under_way(), 2);
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert_eq!(state.exports_under_way(), 0);
    drop(waiting);
}

#[test]
fn beyond_so_many_exports_a_client_is_told_to_come_again_and_small_requests_are_answered() {
    let server = served(|config| config.max_exports = 2);
    let path = "/collections/large/export?f=geojson";
    let first = server.ask(path);
    let second = server.ask(path);
    assert_eq!(server.state.exports_under_way(), 2);
    let refused = get(&server.state, path);
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((refused.header("retry-after"), refused.json()["code"].as_str()), ("5", Some("busy")));
    assert_eq!(get(&server.state, "/collections/large/items?limit=5").status, StatusCode::OK);
    let (body, is_complete) = read_chunked(first.0);
    assert!(is_complete);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["features"].as_array().unwrap().len(), COUNT);
    server.until_under_way(1, LONG);
    let third = server.ask(path);
    assert!(third.1.starts_with("HTTP/1.1 200"), "{}", third.1);
    drop((second, third));
    server.until_under_way(0, SECOND);
}

#[test]
fn an_error_in_the_middle_never_looks_like_a_complete_file() {
    let mut rows = squares(4000, 30, |_| json!({}));
    // The last feature lies where the grid ends.
    let far = r#",{"type":"Feature","id":9999,"geometry":{"type":"Point","coordinates":[-156,0]},"properties":{}}"#;
    rows.truncate(rows.len() - "\n]}\n".len());
    let (_folder, planner, config) = workspace(&[("a", &format!("{rows}{far}\n]}}\n"))]);
    let server = Served::new(AppState::new(planner, config));
    for format in ["geojson", "geojsonseq", "csv"] {
        let (reader, head) = server.ask(&format!("/collections/a/export?f={format}&crs=EPSG:4547"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let (body, is_complete) = read_chunked(reader);
        assert!(!body.is_empty() && !is_complete, "{format}");
        server.until_under_way(0, SECOND);
    }
    // Compressed, too.
    let mut stream = TcpStream::connect(server.address).unwrap();
    let request = "GET /collections/a/export?crs=EPSG:4547 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let (reader, head) = answered(stream);
    assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
    assert!(!read_chunked(reader).1);
}

#[test]
fn an_export_is_the_picture_in_which_it_began_whatever_is_written_meanwhile() {
    let (_folder, planner, config) = workspace(&[("a", &squares(COUNT, 60, |i| json!({ "n": i })))]);
    let server = Served::new(AppState::new(Arc::clone(&planner), config));
    let whole = || get(&server.state, "/collections/a/export?f=geojson").body;
    let folder = tempfile::tempdir().unwrap();
    for (round, format) in ["geojson", "geopackage"].into_iter().enumerate() {
        let (before, count) = (whole(), planner.read().layer("a").unwrap().table().len());
        let stream = server.send(&format!("/collections/a/export?f={format}"));
        server.until_under_way(1, LONG);
        planner.commit(&havoc(&planner, 1_000_000 * (1 + round as i64))).unwrap();
        assert_ne!(before, whole());
        assert_eq!(planner.read().layer("a").unwrap().table().len(), count - 30);
        let (mut reader, head) = answered(stream);
        if format == "geojson" {
            let (body, is_complete) = read_chunked(reader);
            assert!(is_complete && body == before);
        } else {
            let mut body = vec![0; length_of(&head)];
            reader.read_exact(&mut body).unwrap();
            let file = folder.path().join("a.gpkg");
            std::fs::write(&file, body).unwrap();
            let said = said_by("ogrinfo", &["-so", "-al", file.to_str().unwrap()]);
            assert!(said.contains(&format!("Feature Count: {count}")), "{said}");
        }
    }
}

/// The last fifty features deleted, those before changed, and twenty added.
fn havoc(planner: &Planner, first_new: i64) -> Edit {
    let catalog = planner.read();
    let table = catalog.layer("a").unwrap().table();
    let layer = || "a".parse().unwrap();
    let rows: Vec<_> = table.rows_by_id(i64::MIN).collect();
    let mut changes: Vec<Change> = Vec::new();
    for row in rows.iter().rev().take(50) {
        changes.push(Change::Delete { layer: layer(), id: table.id(*row), expects: table.version(*row) });
    }
    for (number, row) in rows.iter().rev().skip(50).take(50).enumerate() {
        let view = table.feature(*row);
        let values = view.values.iter().map(|value| value.to_value()).collect();
        let mut feature = Feature { id: view.id, shape: None, values };
        changes.push(Change::Put { layer: layer(), feature: feature.clone(), expects: Some(table.version(*row)) });
        if number < 20 {
            feature.id = first_new + number as i64;
            changes.push(Change::Put { layer: layer(), feature, expects: None });
        }
    }
    Edit { author: "tests".to_owned(), note: String::new(), changes, lineage: vec![] }
}

fn length_of(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(str::to_owned));
    line.unwrap_or_else(|| panic!("{head}")).trim().parse().unwrap()
}
