//! Items of a layer over HTTP: order, pages, CRS, properties, validators.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use axum::{
    Router,
    http::{Method, StatusCode},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value as Stored},
        schema::LayerId,
    },
    planner::Planner,
};
use serde_json::Value;

use crate::http::{all_pages, get, ids, json_of, send, send_to};

fn id_of(feature: &Value) -> i64 {
    feature["id"].as_i64().unwrap()
}

#[test]
fn features_come_in_the_order_that_is_asked_for() {
    let mut expected = all_pages("/collections/parcels/items");
    let area = |feature: &Value| feature["properties"]["area_m2"].as_f64().unwrap();
    let day = |feature: &Value| feature["properties"]["completed_on"].as_str().map(str::to_owned);
    assert!(expected.iter().any(|f| day(f).is_none()) && expected.iter().any(|f| day(f).is_some()));
    // Latest completion first, those without one last; then by town, then the largest first; then by id.
    expected.sort_by(|a, b| {
        let days = match (day(a), day(b)) {
            (None, None) => std::cmp::Ordering::Equal,
            (None, _) => std::cmp::Ordering::Greater,
            (_, None) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) => b.cmp(&a),
        };
        let town = |f: &Value| f["properties"]["town"].as_str().unwrap().to_owned();
        let areas = area(b).total_cmp(&area(a));
        days.then_with(|| town(a).cmp(&town(b))).then(areas).then_with(|| id_of(a).cmp(&id_of(b)))
    });
    let expected: Vec<i64> = expected.iter().map(id_of).collect();
    for (limit, plus) in [(173, "%2B"), (1000, ""), (10_000, "+")] {
        let path = format!("/collections/parcels/items?sortby=-completed_on,{plus}town,-area_m2&limit={limit}");
        let found: Vec<i64> = all_pages(&path).iter().map(id_of).collect();
        assert_eq!(found, expected, "limit {limit}");
    }
}

#[test]
fn every_queryable_can_be_filtered_and_every_sortable_sorted_by() {
    for layer in json_of("/collections")["collections"].as_array().unwrap() {
        let id = layer["id"].as_str().unwrap();
        let queryables = json_of(&format!("/collections/{id}/queryables"));
        assert_eq!(queryables["additionalProperties"], false);
        for (name, property) in queryables["properties"].as_object().unwrap() {
            if property.get("x-ogc-role").is_none_or(|role| role != "primary-geometry") {
                json_of(&format!("/collections/{id}/items?limit=1&filter=\"{name}\"%20IS%20NULL"));
            }
        }
        let sortables = json_of(&format!("/collections/{id}/sortables"));
        for name in sortables["properties"].as_object().unwrap().keys() {
            json_of(&format!("/collections/{id}/items?limit=1&sortby=-{name}"));
        }
    }
}

fn next_of(page: &Value) -> Option<String> {
    let links = page["links"].as_array().unwrap();
    let next = links.iter().find(|link| link["rel"] == "next")?;
    Some(next["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap().to_owned())
}

#[test]
fn a_token_belongs_to_its_question_and_is_refused_elsewhere() {
    let next = next_of(&json_of("/collections/parcels/items?limit=7&town=址山镇&sortby=area_m2")).unwrap();
    let token = next.split("next=").nth(1).unwrap().split('&').next().unwrap();
    let with = |question: &str| get(&format!("/collections/parcels/items?{question}&next={token}"));
    // Another limit, other properties, another CRS: the same question.
    assert_eq!(with("town=址山镇&sortby=area_m2&limit=3&properties=town").status, StatusCode::OK);
    assert_eq!(with("sortby=area_m2&town=址山镇").status, StatusCode::OK);
    let changed = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    let refused = [
        with("town=雅瑶镇&sortby=area_m2"),
        with("sortby=area_m2"),
        with("town=址山镇"),
        with("town=址山镇&sortby=-area_m2"),
        with("town=址山镇&sortby=area_m2&bbox=112,22,113,23"),
        get(&format!("/collections/parcels/items?town=址山镇&sortby=area_m2&next={changed}")),
        get(&format!("/collections/supply/items?town=址山镇&sortby=area_m2&next={token}")),
        get("/collections/parcels/items?next="),
        get(&format!("/collections/parcels/items?next={}", "ab".repeat(3000))),
    ];
    for answer in refused {
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::BAD_REQUEST, &Value::from("bad-token")));
    }
}

/// A demonstration workspace of its own, to be written to.
fn own_demo() -> (tempfile::TempDir, Arc<Planner>, Router) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heshan.gpkg");
    Planner::seed(&path, &mut |_| ()).unwrap();
    let planner = Arc::new(Planner::open(&path).unwrap());
    planner.load(&mut |_| ()).unwrap();
    let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
    config.base_url = "http://mutu.test".to_owned();
    let app = router(AppState::new(Arc::clone(&planner), config));
    (folder, planner, app)
}

/// A feature as it is, and its version.
fn stored(planner: &Planner, id: i64) -> (Feature, i64) {
    let catalog = planner.read();
    let table = catalog.layer("parcels").unwrap().table();
    let row = table.row_of(id).unwrap();
    let view = table.feature(row);
    let values = view.values.iter().map(|value| value.to_value()).collect();
    (Feature { id, shape: view.shape.map(|shape| shape.to_shape()), values }, table.version(row))
}

fn commit(planner: &Planner, change: Change) {
    let edit = Edit { author: "tests".to_owned(), note: String::new(), changes: vec![change], lineage: vec![] };
    // Values beyond the code lists, as imports may bring them: where they sort is what matters here.
    planner.carry_out(edit, mutu::planner::Standard::Restored).unwrap();
}

#[test]
fn pages_stay_right_while_others_edit() {
    let (_folder, planner, app) = own_demo();
    let layer: LayerId = "parcels".parse().unwrap();
    let area = planner.read().layer("parcels").unwrap().layer().schema.position("town").unwrap();
    let fetch = |path: &str| {
        let answer = send_to(&app, Method::GET, path, &[]);
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.json()
    };
    let before: BTreeSet<i64> = ids(&fetch("/collections/parcels/items?limit=10000"));
    let (mut seen, mut touched) = (Vec::new(), BTreeSet::new());
    let mut next = Some("/collections/parcels/items?sortby=town,-area_m2&limit=150".to_owned());
    while let Some(path) = next {
        let page = fetch(&path);
        let on_page: Vec<i64> = page["features"].as_array().unwrap().iter().map(id_of).collect();
        // The first of the page goes, its last one (where the next page begins) moves to another town.
        let (first, last) = (on_page[0], *on_page.last().unwrap());
        let (_, version) = stored(&planner, first);
        commit(&planner, Change::Delete { layer: layer.clone(), id: first, expects: version });
        if last != first {
            let (mut moved, version) = stored(&planner, last);
            moved.values[area] = Stored::Text("aaa".to_owned());
            commit(&planner, Change::Put { layer: layer.clone(), feature: moved, expects: Some(version) });
        }
        touched.extend([first, last]);
        seen.extend(on_page);
        next = next_of(&page);
    }
    let once: BTreeSet<i64> = seen.iter().copied().collect();
    assert_eq!(once.len(), seen.len(), "a feature came twice");
    assert_eq!(once, before, "a feature was skipped");
    assert!(touched.len() > 20, "nothing was edited between the pages");
}

/// Longitude and latitude through Debian's `cs2cs`, both numbers in the order of the target's registry.
fn by_cs2cs(code: u32, lon_lat: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut child = Command::new("cs2cs")
        .args(["-f", "%.10f", "EPSG:4490", &format!("EPSG:{code}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cs2cs of the package proj-bin");
    let mut input = child.stdin.take().unwrap();
    for (lon, lat) in lon_lat {
        writeln!(input, "{lat} {lon}").unwrap();
    }
    drop(input);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let pair = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<f64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    output.lines().map(pair).collect()
}

#[test]
fn coordinates_come_in_every_offered_crs_in_the_order_that_it_declares() {
    let collection = json_of("/collections/villages");
    let offered: Vec<&str> = collection["crs"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert_eq!(offered[0], "http://www.opengis.net/def/crs/OGC/1.3/CRS84");
    assert!(offered.contains(&collection["storageCrs"].as_str().unwrap()));
    let codes: BTreeSet<u32> =
        offered[1..].iter().map(|uri| uri.rsplit('/').next().unwrap().parse().unwrap()).collect();
    assert!([4490, 4326, 3857, 4526, 4547, 4525, 4546, 4508].iter().all(|code| codes.contains(code)), "{codes:?}");
    let place = |feature: &Value| {
        let at = &feature["geometry"]["coordinates"];
        (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
    };
    let plain = send(Method::GET, "/collections/villages/items?limit=20", &[]);
    assert_eq!(plain.header("content-crs"), "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>");
    let lon_lat: Vec<(f64, f64)> = plain.json()["features"].as_array().unwrap().iter().map(place).collect();
    for code in codes {
        let uri = format!("http://www.opengis.net/def/crs/EPSG/0/{code}");
        let answer = send(Method::GET, &format!("/collections/villages/items?limit=20&crs={uri}"), &[]);
        assert_eq!(answer.header("content-crs"), format!("<{uri}>"));
        let found: Vec<(f64, f64)> = answer.json()["features"].as_array().unwrap().iter().map(place).collect();
        // CGCS2000 and WGS 84 are one here; PROJ knows no difference either, but for the order.
        let golden = by_cs2cs(code, &lon_lat);
        let tolerance = if matches!(code, 4490 | 4326) { 1e-8 } else { 1e-3 };
        for (ours, theirs) in found.iter().zip(&golden) {
            let away = (ours.0 - theirs.0).hypot(ours.1 - theirs.1);
            assert!(away < tolerance, "EPSG:{code}: {ours:?}, cs2cs {theirs:?}");
        }
        let one = json_of(&format!("/collections/villages/items/1?crs={uri}"));
        assert_eq!(place(&one), found[0], "EPSG:{code}");
    }
}

#[test]
fn only_the_properties_that_are_asked_for_come() {
    let page = json_of("/collections/parcels/items?limit=3&properties=town,area_mu");
    for feature in page["features"].as_array().unwrap() {
        let names: Vec<&String> = feature["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["town", "area_mu"]);
        assert!(feature["geometry"].is_object());
    }
    let whole = json_of("/collections/parcels/items/1");
    let part = json_of("/collections/parcels/items/1?properties=area_mu");
    assert_eq!(part["properties"]["area_mu"], whole["properties"]["area_mu"]);
    assert_eq!(part["properties"].as_object().unwrap().len(), 1);
    let none = json_of("/collections/parcels/items/1?properties=");
    assert_eq!(none["properties"].as_object().unwrap().len(), 0);
}

#[test]
fn what_the_client_holds_is_not_sent_again_until_it_changes() {
    let (_folder, planner, app) = own_demo();
    let fetch = |path: &str, headers: &[(&str, &str)]| send_to(&app, Method::GET, path, headers);
    let paths = [
        "/",
        "/api",
        "/conformance",
        "/collections",
        "/collections/parcels",
        "/collections/parcels/schema",
        "/collections/parcels/items?limit=5",
        "/collections/parcels/items/7",
        "/collections/parcels/statistics?group-by=town",
        "/targets",
        "/facts",
    ];
    let mut tags = Vec::new();
    for path in paths {
        let first = fetch(path, &[]);
        let tag = first.header("etag").to_owned();
        assert!(!tag.is_empty(), "{path} has no tag");
        for held in [tag.clone(), format!("\"x\", {tag}"), "*".to_owned()] {
            let again = fetch(path, &[("if-none-match", &held)]);
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path} {held}");
            assert_eq!(again.header("etag"), tag, "{path}");
        }
        assert_eq!(fetch(path, &[("if-none-match", "\"x\"")]).status, StatusCode::OK, "{path}");
        // Compressed bytes are others: a strong tag says so, and is understood when it comes back.
        let packed = fetch(path, &[("accept-encoding", "gzip")]);
        if packed.header("content-encoding") == "gzip" && !tag.starts_with("W/") {
            assert_ne!(packed.header("etag"), tag, "{path}");
        }
        let again = fetch(path, &[("accept-encoding", "gzip"), ("if-none-match", packed.header("etag"))]);
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        tags.push((path, tag));
    }
    let other = fetch("/collections/parcels/items/8", &[]).header("etag").to_owned();
    let (mut feature, version) = stored(&planner, 7);
    let note = planner.read().layer("parcels").unwrap().layer().schema.position("note").unwrap();
    feature.values[note] = Stored::Text("改".to_owned());
    commit(&planner, Change::Put { layer: "parcels".parse().unwrap(), feature, expects: Some(version) });
    for (path, tag) in tags {
        let status = fetch(path, &[("if-none-match", &tag)]).status;
        let changed = ["items", "statistics"].iter().any(|word| path.contains(word));
        assert_eq!(status == StatusCode::OK, changed, "{path}: {status}");
    }
    assert_eq!(fetch("/collections/parcels/items/8", &[("if-none-match", &other)]).status, StatusCode::NOT_MODIFIED);
}

#[test]
fn what_nobody_can_read_is_not_acceptable_and_f_goes_before_accept() {
    let path = "/collections/parcels/items?limit=1";
    let refused = send(Method::GET, path, &[("accept", "application/gml+xml")]);
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::NOT_ACCEPTABLE, &Value::from("not-acceptable")));
    let chosen = send(Method::GET, &format!("{path}&f=json"), &[("accept", "application/gml+xml")]);
    assert_eq!((chosen.status, chosen.header("content-type")), (StatusCode::OK, "application/geo+json"));
    assert!(chosen.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("accept")));
}

#[test]
fn items_asked_for_as_a_file_are_all_of_them_and_no_page() {
    let total = json_of("/collections/parcels")["itemCount"].as_u64().unwrap() as usize;
    let lines = |answer: &crate::http::Answer| String::from_utf8_lossy(&answer.body).lines().count();
    for (path, accept, rows) in [
        ("/collections/parcels/items?f=csv", "*/*", total),
        ("/collections/parcels/items", "text/csv", total),
        ("/collections/parcels/items?f=csv&limit=12", "*/*", 12),
        ("/collections/parcels/items?f=geojsonseq&town=址山镇", "*/*", usize::MAX),
    ] {
        let answer = send(Method::GET, path, &[("accept", accept)]);
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let matched: usize = answer.header("ogc-numbermatched").parse().unwrap();
        if rows == usize::MAX {
            assert_eq!(lines(&answer), matched, "{path}");
            assert_eq!(json_of("/collections/parcels/items?limit=1&town=址山镇")["numberMatched"], matched);
        } else {
            // One line of names, and values without line breaks.
            assert_eq!((lines(&answer), matched), (rows + 1, total), "{path}");
        }
    }
    for name in ["lang=en", "next=00"] {
        let refused = get(&format!("/collections/parcels/items?f=csv&{name}"));
        assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::BAD_REQUEST, &Value::from("not-of-files")));
    }
}

#[test]
fn a_head_says_what_a_get_would() {
    for path in ["/collections", "/collections/parcels/items?limit=5", "/collections/parcels/items/7"] {
        let (get, head) = (send(Method::GET, path, &[]), send(Method::HEAD, path, &[]));
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        for name in ["content-type", "content-crs", "etag", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}
