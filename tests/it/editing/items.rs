//! OGC API - Features, Part 4: one feature created, replaced, updated, deleted.

use serde_json::{Value, json};

use super::{GEOJSON, PATCH, created, faults, parcel, square};
use crate::{
    http::{self, Own},
    store::faults::Mounted,
};

const ITEM: &str = "/collections/parcels/items/3";

fn tag(own: &Own, path: &str) -> String {
    let answer = own.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").to_owned()
}

#[test]
fn a_created_feature_is_found_where_its_location_says_with_the_very_coordinates() {
    let own = Own::new();
    let count = |own: &Own| own.get("/collections/parcels").json()["itemCount"].as_u64().unwrap();
    let before = count(&own);
    // Sixteen and seventeen digits: nothing may be rounded on the way in.
    let exact = [[112.950_000_000_000_01, 22.6], [112.951, 22.6], [112.951, 22.601], [112.950_000_000_000_01, 22.6]];
    let feature = json!({
        "type": "Feature", "geometry": { "type": "Polygon", "coordinates": [exact] },
        "properties": { "code": "新-001", "town": "沙坪街道", "confirmed_on": "2024-02-29", "note": "新增" },
    });
    let answer = own.send(
        "POST",
        "/collections/parcels/items",
        &[GEOJSON, ("mutu-note", "%E6%96%B0%E5%A2%9E%E5%9C%B0%E5%9D%97")],
        &feature.to_string(),
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    let location = answer.header("location").strip_prefix("http://mutu.test").unwrap().to_owned();
    let read = own.get(&location);
    assert_eq!(read.status, 200);
    assert_eq!(read.header("etag"), answer.header("etag"));
    assert_eq!(read.json(), answer.json());
    assert_eq!(read.json()["properties"]["confirmed_on"], "2024-02-29");
    assert!(read.json()["properties"]["area_m2"].as_f64().unwrap() > 4000.0);
    assert_eq!(count(&own), before + 1);
    // The picture keeps every bit, whatever answers print.
    let id: i64 = location.rsplit('/').next().unwrap().parse().unwrap();
    let catalog = own.planner.read();
    let table = catalog.layer("parcels").unwrap().table();
    let coords = table.shape(table.row_of(id).unwrap()).unwrap().coords().to_vec();
    assert_eq!(coords.iter().map(|c| [c.x, c.y]).collect::<Vec<_>>(), exact);
    let told = own.get("/changes?since=0").json();
    let last = told["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["note"].as_str(), last["author"].as_str()), (Some("新增地块"), Some("local")));
}

#[test]
fn ids_are_never_given_twice_also_after_a_deletion() {
    let own = Own::new();
    let path = |answer: &http::Answer| answer.header("location").strip_prefix("http://mutu.test").unwrap().to_owned();
    let first = created(&own, "parcels", &parcel(112.95, 22.6, json!({})));
    let gone = own.send("DELETE", &path(&first), &[("if-match", first.header("etag"))], "");
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(own.get(&path(&first)).status, 404);
    let second = created(&own, "parcels", &parcel(112.95, 22.6, json!({})));
    assert_ne!(path(&first), path(&second));
}

#[test]
fn a_change_needs_the_version_that_it_is_meant_for() {
    let own = Own::new();
    let patch = json!({ "properties": { "note": "甲" } }).to_string();
    let without = own.send("PATCH", ITEM, &[PATCH], &patch);
    assert_eq!(without.status, 428, "{}", without.text());
    assert_eq!(without.json()["code"], "precondition-required");
    let old = tag(&own, ITEM);
    let done = own.send("PATCH", ITEM, &[PATCH, ("if-match", &old)], &patch);
    assert_eq!((done.status.as_u16(), &done.json()["properties"]["note"]), (200, &json!("甲")), "{}", done.text());
    let new = done.header("etag").to_owned();
    assert_ne!(old, new);
    assert_eq!(tag(&own, ITEM), new);
    for method in ["PUT", "PATCH", "DELETE"] {
        let body = if method == "PATCH" { patch.clone() } else { own.get(ITEM).text().into_owned() };
        let kind = if method == "PATCH" { PATCH } else { GEOJSON };
        let stale = own.send(method, ITEM, &[kind, ("if-match", &old)], &body);
        assert_eq!(stale.status, 412, "{method}: {}", stale.text());
        let problem = stale.json();
        assert_eq!(problem["etag"], json!(new), "{method}");
        assert_eq!(problem["current"], own.get(ITEM).json(), "{method}");
        let weak = own.send(method, ITEM, &[kind, ("if-match", &format!("W/{new}"))], &body);
        assert_eq!(weak.status, 412, "{method}: {}", weak.text());
        let no_tag = own.send(method, ITEM, &[kind, ("if-match", "abc")], &body);
        assert_eq!(no_tag.status, 400, "{method}: {}", no_tag.text());
    }
    // Any representation of the current version will do: another CRS, a coding, one of a list, or any at all.
    let other = tag(&own, &format!("{ITEM}?crs=http://www.opengis.net/def/crs/EPSG/0/4547"));
    assert_ne!(other, new);
    let coded = new.replace('"', "").split('-').collect::<Vec<_>>().join("-");
    for matching in [other, format!("\"{coded}-gzip\"")] {
        let now = tag(&own, ITEM);
        let version = now.split('-').next().unwrap();
        let sent = matching.replace(matching.split('-').next().unwrap(), version);
        let list = format!("\"none\", W/\"x\", {sent}");
        let done = own.send("PATCH", ITEM, &[PATCH, ("if-match", &list)], &patch);
        assert_eq!(done.status, 200, "{sent}: {}", done.text());
    }
    assert_eq!(own.send("PATCH", ITEM, &[PATCH, ("if-match", "*")], &patch).status, 200);
    assert_eq!(own.send("DELETE", ITEM, &[("if-match", "*")], "").status, 204);
    assert_eq!(own.send("DELETE", ITEM, &[("if-match", "*")], "").status, 412);
    assert_eq!(own.send("DELETE", ITEM, &[], "").status, 404);
}

#[test]
fn sending_back_what_was_read_changes_no_bit_of_the_geometry() {
    let own = Own::new();
    let coords = |own: &Own| {
        let catalog = own.planner.read();
        let table = catalog.layer("parcels").unwrap().table();
        table.shape(table.row_of(3).unwrap()).unwrap().coords().to_vec()
    };
    // Digits that no answer prints.
    let mut fine: Value = own.get(ITEM).json();
    fine["geometry"]["coordinates"][0][1][0] =
        json!(fine["geometry"]["coordinates"][0][1][0].as_f64().unwrap() + 1.3e-10);
    let done = own.send("PUT", ITEM, &[GEOJSON, ("if-match", "*")], &fine.to_string());
    assert_eq!(done.status, 200, "{}", done.text());
    let before = coords(&own);
    for crs in [
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "http://www.opengis.net/def/crs/EPSG/0/4490",
        "http://www.opengis.net/def/crs/EPSG/0/4547",
    ] {
        let read = own.get(&format!("{ITEM}?crs={crs}"));
        let headers = [GEOJSON, ("if-match", read.header("etag")), ("content-crs", &format!("<{crs}>"))];
        let written = own.send("PUT", ITEM, &headers, &read.text());
        assert_eq!(written.status, 200, "{crs}: {}", written.text());
        assert_eq!(coords(&own), before, "{crs}");
    }
}

#[test]
fn who_changes_an_attribute_moves_no_vertex_of_any_parcel_whatever_the_crs_is() {
    use mutu::{domain::feature::Feature, planner::Standard};
    let own = Own::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let coords = |id: i64| {
        let catalog = own.planner.read();
        let table = catalog.layer("parcels").unwrap().table();
        let bits = |at: &geo::Coord| (at.x.to_bits(), at.y.to_bits());
        table.shape(table.row_of(id).unwrap()).unwrap().coords().iter().map(bits).collect::<Vec<_>>()
    };
    for round in 0..12 {
        let id = 1 + (random() % 900) as i64;
        // Digits beyond those that any answer prints: 1e-10 degree and less.
        let catalog = own.planner.read();
        let table = catalog.layer("parcels").unwrap().table();
        let (view, version) = {
            let row = table.row_of(id).unwrap();
            (table.feature(row), table.version(row))
        };
        let mut shape = view.shape.unwrap().to_shape();
        let last = shape.view().coords().len() - 1;
        let first_is_last = shape.view().coords()[0] == shape.view().coords()[last];
        for at in shape.coords_mut() {
            at.x += (random() % 1000) as f64 * 4e-13;
            at.y += (random() % 1000) as f64 * 4e-13;
        }
        if !first_is_last || shape.view().part_count() != 1 || shape.view().rings().count() != 1 {
            continue;
        }
        let closing = shape.view().coords()[0];
        shape.coords_mut()[last] = closing;
        let values = view.values.iter().map(|value| value.to_value()).collect();
        let change = mutu::domain::edit::Change::Put {
            layer: "parcels".parse().unwrap(),
            feature: Feature { id, shape: Some(shape), values },
            expects: Some(version),
        };
        let edit = mutu::domain::edit::Edit { changes: vec![change], ..Default::default() };
        own.planner.carry_out(edit, Standard::New).unwrap();
        let before = coords(id);
        let item = format!("/collections/parcels/items/{id}");
        for crs in ["OGC/1.3/CRS84", "EPSG/0/4490", "EPSG/0/4547", "EPSG/0/4526", "EPSG/0/3857"] {
            let crs = format!("http://www.opengis.net/def/crs/{crs}");
            let read = own.get(&format!("{item}?crs={crs}"));
            let mut feature = read.json();
            feature["properties"]["note"] = json!(format!("第 {round} 次"));
            let headers = [GEOJSON, ("if-match", read.header("etag")), ("content-crs", &format!("<{crs}>"))];
            let written = own.send("PUT", &item, &headers, &feature.to_string());
            assert_eq!(written.status, 200, "{crs}: {}", written.text());
            assert_eq!(coords(id), before, "PUT {item} in {crs}");
            let version: i64 = written.header("etag").trim_matches('"').split('-').next().unwrap().parse().unwrap();
            let put = json!({ "changes": [{ "put": { "layer": "parcels", "feature": feature, "version": version } }] });
            let json_type = ("content-type", "application/json");
            let written =
                own.send("POST", "/changes", &[json_type, ("content-crs", &format!("<{crs}>"))], &put.to_string());
            assert_eq!(written.status, 201, "{crs}: {}", written.text());
            assert_eq!(coords(id), before, "POST /changes {item} in {crs}");
            let patch = json!({ "geometry": feature["geometry"] });
            let headers = [PATCH, ("if-match", "*"), ("content-crs", &format!("<{crs}>"))];
            let written = own.send("PATCH", &item, &headers, &patch.to_string());
            assert_eq!(written.status, 200, "{crs}: {}", written.text());
            assert_eq!(coords(id), before, "PATCH {item} in {crs}");
        }
        // A vertex that is moved is moved, by as little as is printed, and the others stay.
        let mut moved = own.get(&item).json();
        let at = |moved: &Value| moved["geometry"]["coordinates"][0][1][0].as_f64().unwrap();
        moved["geometry"]["coordinates"][0][1][0] = json!(at(&moved) + 2e-9);
        if moved["geometry"]["type"] == "Polygon" {
            let written = own.send("PUT", &item, &[GEOJSON, ("if-match", "*")], &moved.to_string());
            assert_eq!(written.status, 200, "{}", written.text());
            let after = coords(id);
            let differing: Vec<usize> = (0..after.len()).filter(|place| after[*place] != before[*place]).collect();
            assert_eq!(differing, [1], "{item}");
        }
    }
}

#[test]
fn coordinates_come_in_the_crs_that_content_crs_names_in_its_declared_order() {
    let own = Own::new();
    // cs2cs EPSG:4490 EPSG:4547: 22.6 N 112.95 E is 2500436.8 N 392068.8 E or so; the test asks it for the digits.
    let out = std::process::Command::new("cs2cs")
        .args(["-f", "%.6f", "EPSG:4490", "EPSG:4547"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut cs2cs = out.unwrap();
    let ring = [[112.95, 22.6], [112.951, 22.6], [112.951, 22.601], [112.95, 22.6]];
    {
        use std::io::Write as _;
        let mut stdin = cs2cs.stdin.take().unwrap();
        for [x, y] in ring {
            writeln!(stdin, "{y} {x}").unwrap();
        }
    }
    let told = String::from_utf8(cs2cs.wait_with_output().unwrap().stdout).unwrap();
    // PROJ prints northing first, as the CRS declares.
    let grid: Vec<Vec<f64>> =
        told.lines().map(|line| line.split_whitespace().take(2).map(|n| n.parse().unwrap()).collect()).collect();
    assert!(grid[0][0] > 2_000_000.0 && grid[0][1] < 1_000_000.0, "{told}");
    let feature =
        json!({ "type": "Feature", "properties": {}, "geometry": { "type": "Polygon", "coordinates": [grid] } });
    for header in ["<http://www.opengis.net/def/crs/EPSG/0/4547>", "http://www.opengis.net/def/crs/EPSG/0/4547"] {
        let answer =
            own.send("POST", "/collections/parcels/items", &[GEOJSON, ("content-crs", header)], &feature.to_string());
        assert_eq!(answer.status, 201, "{}", answer.text());
        let got = answer.json()["geometry"]["coordinates"][0].clone();
        for (got, wanted) in got.as_array().unwrap().iter().zip(ring) {
            for axis in 0..2 {
                assert!((got[axis].as_f64().unwrap() - wanted[axis]).abs() < 2e-9, "{got} {wanted:?}");
            }
        }
    }
    for unknown in ["<http://www.opengis.net/def/crs/EPSG/0/32650>", "<nonsense>", ""] {
        let answer =
            own.send("POST", "/collections/parcels/items", &[GEOJSON, ("content-crs", unknown)], &feature.to_string());
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (400, Some("bad-crs")),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn put_replaces_the_whole_feature_and_patch_only_what_it_names() {
    let own = Own::new();
    let before = own.get(ITEM).json();
    assert!(before["properties"]["town"].is_string());
    let patch = json!({ "properties": { "note": "改", "use_name": null }, "geometry": null });
    let patched = own.send("PATCH", ITEM, &[PATCH, ("if-match", "*")], &patch.to_string());
    assert_eq!(patched.status, 200, "{}", patched.text());
    let patched = patched.json();
    assert_eq!((&patched["geometry"], &patched["properties"]["use_name"]), (&Value::Null, &Value::Null));
    assert_eq!(patched["properties"]["town"], before["properties"]["town"]);
    let put = json!({ "type": "Feature", "id": 77, "geometry": before["geometry"], "properties": { "code": "换" } });
    let replaced = own.send("PUT", ITEM, &[GEOJSON, ("if-match", "*"), ("prefer", "return=minimal")], &put.to_string());
    assert_eq!((replaced.status.as_u16(), replaced.body.len()), (204, 0), "{}", replaced.text());
    assert!(!replaced.header("etag").is_empty());
    let now = own.get(ITEM).json();
    assert_eq!(
        (&now["id"], &now["properties"]["code"], &now["properties"]["town"]),
        (&json!(3), &json!("换"), &Value::Null)
    );
    assert_eq!(now["properties"]["area_m2"], before["properties"]["area_m2"]);
}

#[test]
fn everything_that_is_wrong_with_a_feature_is_told_at_once() {
    let own = Own::new();
    let bow_tie = json!([[[112.95, 22.6], [112.951, 22.601], [112.951, 22.6], [112.95, 22.601], [112.95, 22.6]]]);
    let wrong = json!({
        "type": "Feature", "geometry": { "type": "Polygon", "coordinates": bow_tie },
        "properties": { "town": "不存在镇", "status": "unheard" },
    });
    let answer = own.send("POST", "/collections/parcels/items", &[GEOJSON], &wrong.to_string());
    let found = faults(&answer);
    let wanted = [("not-in-list", "town"), ("not-in-list", "status"), ("self-intersection", "")];
    assert_eq!(found, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())), "{}", answer.text());
    let findings = answer.json()["findings"].clone();
    assert!(findings[0]["message"].as_str().unwrap().contains("沙坪街道"), "{findings}");
    let place = &findings[2]["place"];
    assert!(
        (place[0].as_f64().unwrap() - 112.9505).abs() < 1e-9 && (place[1].as_f64().unwrap() - 22.6005).abs() < 1e-9
    );
    let unread = json!({
        "type": "Feature", "crs": {}, "geometry": { "type": "Polygon", "coordinates": [[[1, 2, 3]]] },
        "properties": { "kolor": 1, "confirmed_on": "2023-02-30", "area_m2": 5, "code": 7 },
    });
    let answer = own.send("POST", "/collections/parcels/items", &[GEOJSON], &unread.to_string());
    let mut found = faults(&answer);
    found.sort();
    let wanted = [
        ("not-a-geometry", ""),
        ("unknown-member", ""),
        ("unknown-property", "kolor"),
        ("wrong-type", "code"),
        ("wrong-type", "confirmed_on"),
    ];
    assert_eq!(found, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())), "{}", answer.text());
    for (geometry, fault) in [
        (json!({ "type": "Point", "coordinates": [112.95, 22.6] }), "wrong-geometry"),
        (
            json!({ "type": "Polygon", "coordinates": [[[22.6, 112.95], [22.601, 112.95], [22.601, 112.951], [22.6, 112.95]]] }),
            "probably-swapped-axes",
        ),
        (
            json!({ "type": "Polygon", "coordinates": [[[2_500_000, 390_000], [2_500_100, 390_000], [2_500_000, 390_100], [2_500_000, 390_000]]] }),
            "out-of-range",
        ),
        (
            json!({ "type": "Polygon", "coordinates": [[[112.95, 22.6], [112.951, 22.6], [112.951, 22.601]]] }),
            "too-few-points",
        ),
        (json!({ "type": "Polygon", "coordinates": [] }), "empty-geometry"),
    ] {
        let feature = json!({ "type": "Feature", "geometry": geometry, "properties": {} });
        let answer = own.send("POST", "/collections/parcels/items", &[GEOJSON], &feature.to_string());
        assert_eq!(faults(&answer)[0].0, fault, "{}", answer.text());
    }
    assert_eq!(own.get("/changes?since=0").json()["head"], own.planner.read().seq());
}

#[test]
fn bodies_that_are_none_are_refused_before_anything_else_is_done() {
    let own = Own::new();
    let good = parcel(112.95, 22.6, json!({})).to_string();
    let items = "/collections/parcels/items";
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/geo+json; charset=gbk",
        "",
    ] {
        let answer = own.send("POST", items, &[("content-type", kind)], &good);
        assert_eq!(answer.status, 415, "{kind}: {}", answer.text());
    }
    assert_eq!(own.send("POST", items, &[], &good).status, 415);
    assert_eq!(own.send("PATCH", ITEM, &[GEOJSON, ("if-match", "*")], "{}").status, 415);
    assert_eq!(own.send("POST", items, &[GEOJSON, ("content-encoding", "gzip")], &good).status, 415);
    for broken in ["", "{", "[]", "null", "\u{feff}{}"] {
        let answer = own.send("POST", items, &[GEOJSON], broken);
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (400, Some("not-json")),
            "{broken:?} {}",
            answer.text()
        );
    }
    let deep =
        format!("{{\"type\":\"Feature\",\"geometry\":null,\"properties\":{{\"note\":{}}}}}", "[".repeat(200_000));
    assert!(own.send("POST", items, &[GEOJSON], &deep).status.is_client_error());
    let nested = format!(
        "{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":{}{}}},\"properties\":null}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(own.send("POST", items, &[GEOJSON], &nested).status, 422);
    let long = format!(
        "{{\"type\":\"Feature\",\"geometry\":null,\"properties\":{{\"note\":\"{}\"}}}}",
        "长".repeat(6_000_000)
    );
    assert_eq!(own.send("POST", items, &[GEOJSON], &long).status, 413);
    assert_eq!(own.send("POST", "/collections/nix/items", &[GEOJSON], &good).status, 404);
    assert_eq!(own.send("POST", &format!("{items}?dry-run=true"), &[GEOJSON], &good).status, 400);
    assert_eq!(own.send("POST", items, &[GEOJSON, ("mutu-note", "%ff")], &good).status, 400);
}

#[test]
fn options_name_what_the_one_who_asks_may_do() {
    let own = Own::new();
    for (path, allow) in
        [("/collections/parcels/items", "GET,HEAD,POST,OPTIONS"), (ITEM, "GET,HEAD,PUT,PATCH,DELETE,OPTIONS")]
    {
        let answer = own.send("OPTIONS", path, &[], "");
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (200, allow));
    }
    let read_only = http::send(axum::http::Method::OPTIONS, ITEM, &[]);
    assert_eq!((read_only.status.as_u16(), read_only.header("allow")), (200, "GET,HEAD,OPTIONS"));
    let refused = http::send(axum::http::Method::DELETE, ITEM, &[("if-match", "*")]);
    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, "GET,HEAD,OPTIONS"));
    let classes = own.get("/conformance").json()["conformsTo"].clone();
    assert!(
        classes
            .as_array()
            .unwrap()
            .iter()
            .any(|class| class.as_str().unwrap().ends_with("-4/1.0/conf/create-replace-delete"))
    );
}

#[test]
fn pages_elsewhere_may_read_where_the_operator_says_but_never_write() {
    let own = Own::with(|config| config.cors_origins = vec!["https://example.org".to_owned()]);
    let headers = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type,if-match"),
    ];
    let answer = own.send("OPTIONS", ITEM, &headers, "");
    assert!(!answer.header("access-control-allow-methods").contains("PUT"), "{:?}", answer.headers);
    assert!(answer.header("access-control-allow-headers").is_empty(), "{:?}", answer.headers);
    assert!(answer.header("access-control-allow-credentials").is_empty());
}

#[test]
fn of_two_writers_on_one_parcel_exactly_one_wins_each_round() {
    let own = Own::new();
    for round in 0..30 {
        let held = tag(&own, ITEM);
        let write = |who: &str| {
            let body = json!({ "properties": { "note": format!("{who}{round}") } }).to_string();
            own.send("PATCH", ITEM, &[PATCH, ("if-match", &held)], &body)
        };
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(|| write("甲"));
            let b = scope.spawn(|| write("乙"));
            (a.join().unwrap(), b.join().unwrap())
        });
        let (winner, loser) = if a.status == 200 { (a, b) } else { (b, a) };
        assert_eq!((winner.status.as_u16(), loser.status.as_u16()), (200, 412), "{}", loser.text());
        assert_eq!(own.get(ITEM).json()["properties"]["note"], winner.json()["properties"]["note"]);
        assert_eq!(loser.json()["current"]["properties"]["note"], winner.json()["properties"]["note"]);
    }
}

#[test]
fn attributes_of_a_flagged_parcel_can_be_edited_and_its_fault_cannot_be_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let own = Own::new();
    let file = folder.path().join("flawed.geojson");
    let bow_tie = "[[[112.95,22.6],[112.951,22.601],[112.951,22.6],[112.95,22.601],[112.95,22.6]]]";
    let text = format!(
        r#"{{"type":"Feature","id":1,"properties":{{"a":"x"}},"geometry":{{"type":"Polygon","coordinates":{bow_tie}}}}}"#
    );
    std::fs::write(&file, text).unwrap();
    let request = mutu::planner::ImportRequest { file, ..mutu::planner::ImportRequest::default() };
    own.planner.import(&request, &mut |_| ()).unwrap();
    let path = "/collections/flawed/items/1";
    let read = own.get(path);
    let patched = own.send("PATCH", path, &[PATCH, ("if-match", "*")], r#"{"properties":{"a":"y"}}"#);
    assert_eq!(patched.status, 200, "{}", patched.text());
    let put = own.send("PUT", path, &[GEOJSON, ("if-match", "*")], &read.text());
    assert_eq!(put.status, 200, "{}", put.text());
    let mut moved = read.json();
    moved["geometry"]["coordinates"][0][2][0] = json!(112.9511);
    let refused = own.send("PUT", path, &[GEOJSON, ("if-match", "*")], &moved.to_string());
    assert_eq!(faults(&refused)[0].0, "self-intersection");
    moved["geometry"]["coordinates"] = square(112.95, 22.6);
    assert_eq!(own.send("PUT", path, &[GEOJSON, ("if-match", "*")], &moved.to_string()).status, 200);
}

#[test]
fn a_full_disk_is_told_as_such_and_the_edit_may_be_sent_again_once_there_is_room() {
    let disk = Mounted::new("64m");
    let own = Own::within(disk.0.path(), |_| ());
    let filler = disk.0.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|written| written > 0) {}
    drop(file);
    let feature = parcel(112.9, 22.7, json!({ "note": "地".repeat(30_000) })).to_string();
    let send = || own.send("POST", "/collections/parcels/items", &[GEOJSON], &feature);
    let refused = send();
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert_eq!(refused.json()["code"], "disk-full");
    assert!(refused.json()["detail"].as_str().unwrap().contains("nothing was changed"), "{}", refused.text());
    let count = || own.get("/collections/parcels/items?limit=1").json()["numberMatched"].as_i64().unwrap();
    let before = count();
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(send().status, 201);
    assert_eq!(count(), before + 1);
}
