//! The HTTP interface, called without a socket, on the demonstration workspace.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::http::{all_pages, encode, get, ids, json_of, send};

#[test]
fn the_api_document_is_the_reviewed_one() {
    let document = json_of("/api");
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&document).unwrap());
    });
}

#[test]
fn every_path_of_the_api_document_answers_and_refuses_unknown_parameters() {
    let document = json_of("/api");
    let readable =
        document["paths"].as_object().unwrap().iter().filter(|(_, operations)| operations.get("get").is_some());
    for (path, _) in readable {
        let concrete = path
            .replace("{layer}", "parcels")
            .replace("{id}", "1")
            .replace("{set}", "WebMercatorQuad")
            .replace("{tileMatrix}/{tileRow}/{tileCol}", "10/445/833")
            .replace("{style}", "parcels")
            .replace("{seq}", "1");
        let concrete = concrete.replace("{set}", "WebMercatorQuad").replace("{tileMatrix}", "0");
        let concrete = concrete.replace("{tileRow}", "0").replace("{tileCol}", "0");
        let needed = if path.ends_with("/difference") { "?from=0" } else { "" };
        assert_eq!(get(&format!("{concrete}{needed}")).status, StatusCode::OK, "{concrete}");
        let refused = get(&format!("{concrete}?nonsense=1"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{concrete}");
        assert_eq!(refused.json()["parameter"], "nonsense");
    }
}

#[test]
fn a_named_date_selects_by_its_column_and_a_moment_does_not() {
    let later = |f: &&Value| f["properties"]["confirmed_on"].as_str().is_some_and(|day| day >= "2024-01-01");
    let all = all_pages("/collections/parcels/items");
    let expected = all.iter().filter(later).count();
    let named = json_of("/collections/parcels/items?limit=1&filter=confirmed_on%20>=%20DATE('2024-01-01')");
    assert!(expected > 0 && named["numberMatched"] == expected, "{named}: {expected}");
    // What GDAL makes of -where "confirmed_on >= '2024/01/01 00:00:00'", from a person: all that was recorded since.
    let recorded = json_of("/collections/parcels/items?limit=10&datetime=2024-01-01T00:00:00Z%2F..");
    assert!(expected < all.len() && recorded["numberMatched"] == all.len());
}

#[test]
fn links_of_the_landing_page_lead_somewhere() {
    for link in json_of("/")["links"].as_array().unwrap() {
        let path = link["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap();
        assert_eq!(get(path).status, StatusCode::OK, "{path}");
    }
}

#[test]
fn browsers_get_the_page_and_programs_the_landing_page() {
    let page = send(Method::GET, "/", &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]);
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    let landing = send(Method::GET, "/", &[("accept", "application/json")]);
    assert_eq!(landing.header("content-type"), "application/json");
    assert!(page.header("content-security-policy").contains("default-src 'self'"));
}

#[test]
fn pages_hold_each_feature_once_and_the_last_has_no_next() {
    let total = json_of("/collections/parcels")["itemCount"].as_u64().unwrap() as usize;
    for limit in [1985, 1000, 397, 5 * 397] {
        let features = all_pages(&format!("/collections/parcels/items?limit={limit}"));
        let ids: Vec<i64> = features.iter().map(|feature| feature["id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len(), total, "limit {limit}");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "limit {limit}: ids repeat or go back");
    }
    let whole = json_of(&format!("/collections/parcels/items?limit={total}"));
    assert!(whole["links"].as_array().unwrap().iter().all(|link| link["rel"] != "next"), "a full last page has a next");
}

#[test]
fn limits_are_as_the_standard_says() {
    for bad in ["0", "-1", "abc", "1.5", "", "+5", "1e3"] {
        let answer = get(&format!("/collections/parcels/items?limit={}", bad.replace('+', "%2B")));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "limit={bad}");
        assert_eq!(answer.json()["parameter"], "limit");
    }
    for large in ["10001", "1000000000", "99999999999999999999999"] {
        let page = json_of(&format!("/collections/landuse/items?limit={large}"));
        assert_eq!(page["numberReturned"], page["numberMatched"], "limit={large}");
    }
}

#[test]
fn a_filtered_query_is_what_a_look_at_every_feature_gives() {
    let all = all_pages("/collections/parcels/items");
    let wanted = |f: &&Value| {
        let p = &f["properties"];
        p["town"] == "雅瑶镇" && p["status"] == "认定" && p["area_mu"].as_f64().unwrap() >= 10.0
    };
    let expected: BTreeSet<i64> = all.iter().filter(wanted).map(|f| f["id"].as_i64().unwrap()).collect();
    assert!(!expected.is_empty(), "the demonstration has no such parcel: the test proves nothing");
    let found = json_of("/collections/parcels/items?town=雅瑶镇&filter=status%20=%20'认定'%20AND%20area_mu%20>=%2010");
    assert_eq!(ids(&found), expected);
    assert_eq!(found["numberMatched"].as_u64().unwrap() as usize, expected.len());
}

#[test]
fn a_box_finds_what_a_look_at_every_box_gives() {
    let all = all_pages("/collections/villages/items");
    let inside = |f: &&Value| {
        let c = &f["geometry"]["coordinates"];
        c.is_array()
            && (112.8..=112.95).contains(&c[0].as_f64().unwrap())
            && (22.6..=22.7).contains(&c[1].as_f64().unwrap())
    };
    let expected: BTreeSet<i64> = all.iter().filter(inside).map(|f| f["id"].as_i64().unwrap()).collect();
    assert!(expected.len() > 3);
    assert_eq!(ids(&json_of("/collections/villages/items?bbox=112.8,22.6,112.95,22.7")), expected);
    // Six numbers: the heights are left out. North first where the CRS declares it so.
    assert_eq!(ids(&json_of("/collections/villages/items?bbox=112.8,22.6,0,112.95,22.7,100")), expected);
    assert_eq!(ids(&json_of("/collections/villages/items?bbox=22.6,112.8,22.7,112.95&bbox-crs=EPSG:4326")), expected);
    assert_eq!(
        ids(&json_of(
            "/collections/villages/items?bbox=22.6,112.8,22.7,112.95&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4490"
        )),
        expected
    );
}

#[test]
fn a_box_in_any_crs_finds_what_lies_in_it_there() {
    let all = all_pages("/collections/villages/items");
    let places: Vec<(i64, geo::Coord)> = all
        .iter()
        .filter(|feature| feature["geometry"].is_object())
        .map(|feature| {
            let at = &feature["geometry"]["coordinates"];
            let at = geo::Coord { x: at[0].as_f64().unwrap(), y: at[1].as_f64().unwrap() };
            (feature["id"].as_i64().unwrap(), at)
        })
        .collect();
    for code in [4490, 4526, 4547, 4525, 4546, 4508, 4326, 3857, 32649] {
        let crs: mutu::ground::crs::Crs = format!("EPSG:{code}").parse().unwrap();
        let mut moved: Vec<geo::Coord> = places.iter().map(|(_, at)| *at).collect();
        crs.from_stored(&mut moved).unwrap();
        // Boxes between pairs of villages, so that some lie on the very edge.
        for (a, b) in [(3, 90), (10, 120), (40, 77), (100, 5)] {
            let bounds = mutu::ground::shape::Bounds::of_corners(moved[a], moved[b]).widened(1e-7);
            let inside = moved.iter().zip(&places).filter(|(at, _)| bounds.holds(**at));
            let expected: BTreeSet<i64> = inside.map(|(_, (id, _))| *id).collect();
            let (min, max) = (bounds.min, bounds.max);
            let text = if crs.north_first() {
                format!("{},{},{},{}", min.y, min.x, max.y, max.x)
            } else {
                format!("{},{},{},{}", min.x, min.y, max.x, max.y)
            };
            let found = json_of(&format!("/collections/villages/items?bbox={text}&bbox-crs=EPSG:{code}"));
            assert_eq!(ids(&found), expected, "EPSG:{code}: {text}");
            assert!(expected.len() > 2, "EPSG:{code}: {text}");
        }
    }
}

#[test]
fn a_box_across_the_antimeridian_is_the_two_boxes_beside_it() {
    let west = json_of("/collections/parcels/items?bbox=112.9,-60,180,60&limit=10000");
    let east = json_of("/collections/parcels/items?bbox=-180,-60,112.85,60&limit=10000");
    let both = json_of("/collections/parcels/items?bbox=112.9,-60,112.85,60&limit=10000");
    let union: BTreeSet<i64> = ids(&west).union(&ids(&east)).copied().collect();
    assert!(!ids(&west).is_empty() && !ids(&east).is_empty());
    assert_eq!(ids(&both), union);
    assert!(both["numberMatched"].as_u64().unwrap() < json_of("/collections/parcels")["itemCount"].as_u64().unwrap());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let cases = [
        ("/collections/parcels/items?foo=1", "foo"),
        ("/collections/parcels/items?limit=1&limit=2", "limit"),
        ("/collections/parcels/items?bbox=1,2,3", "bbox"),
        ("/collections/parcels/items?bbox=1,2,3,4,5", "bbox"),
        ("/collections/parcels/items?bbox=NaN,0,1,1", "bbox"),
        ("/collections/parcels/items?bbox=0,0,inf,1", "bbox"),
        ("/collections/parcels/items?bbox=0,5,1,1", "bbox"),
        ("/collections/parcels/items?bbox=22.6,112.8,22.7,112.95", "bbox"),
        ("/collections/parcels/items?bbox=1,1,2,2&bbox-crs=EPSG:999999", "bbox-crs"),
        ("/collections/parcels/items?bbox-crs=EPSG:4547", "bbox-crs"),
        ("/collections/parcels/items?filter=status%20=", "filter"),
        ("/collections/parcels/items?filter=nix%20=%201", "filter"),
        ("/collections/parcels/items?filter=far%20=%20'a'", "filter"),
        ("/collections/parcels/items?next=x", "next"),
        ("/collections/parcels/items?sortby=nix", "sortby"),
        ("/collections/parcels/items?sortby=", "sortby"),
        ("/collections/parcels/items?sortby=town,-town", "sortby"),
        ("/collections/parcels/items?properties=nix", "properties"),
        ("/collections/parcels/items?crs=EPSG:2249", "crs"),
        ("/collections/parcels/items?crs=http://www.opengis.net/def/crs/0/unknown", "crs"),
        ("/collections/parcels/items/1?crs=nix", "crs"),
        ("/collections/parcels/items?datetime=2020-13-45", "datetime"),
        ("/collections/parcels/items?datetime=2024-01-01/2023-01-01", "datetime"),
        ("/collections/parcels/items?datetime=../..", "datetime"),
        ("/collections/parcels/items?far=abc", "far"),
        ("/collections/parcels/items?f=xml", "f"),
        // A layer of points has no areas: no property to ask for, not one without a value.
        ("/collections/villages/items?filter=area_m2%20>%200", "filter"),
        ("/collections/villages/items?sortby=area_m2", "sortby"),
        ("/collections/villages/items?area_m2=5", "area_m2"),
        ("/collections/villages/statistics?group-by=area_m2", "group-by"),
        ("/collections/parcels/statistics?group-by=nix", "group-by"),
        ("/collections/parcels/statistics?group-by=town,town", "group-by"),
        ("/collections/parcels/statistics?group-by=", "group-by"),
        ("/collections/parcels/statistics?within=nix", "within"),
        ("/collections/parcels/statistics?within=villages", "within"),
        ("/collections/parcels/statistics?unit=acre", "unit"),
        ("/collections/parcels/statistics?basis=mercator", "basis"),
        ("/collections/parcels/statistics?decimals=9", "decimals"),
        ("/collections/parcels/statistics?decimals=-1", "decimals"),
    ];
    for (path, parameter) in cases {
        let answer = get(path);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["request_id"], answer.header("x-request-id"));
    }
}

#[test]
fn what_is_not_there_is_not_found_and_what_cannot_be_done_is_not_allowed() {
    for path in [
        "/nothing",
        "/collections/nix",
        "/collections/nix/items",
        "/collections/parcels/items/0",
        "/collections/parcels/items/abc",
        "/collections/parcels/items/99999999999999999999",
        "/collections/..%2f..%2fetc",
        "/collections/PARCELS",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/index.html",
    ] {
        let answer = get(path);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["code"], "not-found", "{path}");
    }
    let garbled = get("/collections/%FF");
    assert_eq!((garbled.status, garbled.json()["code"].as_str()), (StatusCode::BAD_REQUEST, Some("bad-path")));
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = send(method, "/collections/parcels/items", &[]);
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        // POST is there, but not where the workspace was opened to be read only.
        let allowed =
            if answer.header("allow").contains("POST") { "GET,HEAD,POST,OPTIONS" } else { "GET,HEAD,OPTIONS" };
        assert_eq!(answer.header("allow"), allowed);
        assert_eq!(answer.json()["code"], "method-not-allowed");
    }
    let options = send(Method::OPTIONS, "/collections/parcels/items", &[]);
    assert_eq!((options.status, options.header("allow")), (StatusCode::OK, "GET,HEAD,OPTIONS"));
    let head = send(Method::HEAD, "/collections/parcels/items", &[]);
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

#[test]
fn answers_are_compressed_where_asked_and_closed_to_other_origins() {
    let plain = get("/collections/parcels/items?limit=200");
    let packed = send(Method::GET, "/collections/parcels/items?limit=200", &[("accept-encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() * 3 < plain.body.len());
    let brotli = send(Method::GET, "/collections/parcels/items?limit=200", &[("accept-encoding", "br")]);
    assert_eq!(brotli.header("content-encoding"), "br");
    let foreign = send(Method::GET, "/collections", &[("origin", "http://evil.test")]);
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    assert!(
        !String::from_utf8_lossy(&send(Method::GET, "/collections", &[("host", "evil.test")]).body).contains("evil")
    );
}

#[test]
fn groups_sum_to_the_total_as_printed_in_every_unit_and_basis() {
    for unit in ["m2", "ha", "mu", "km2"] {
        for basis in ["ellipsoidal", "planar"] {
            for keys in ["group-by=town,status", "group-by=town&within=parks", "within=towns,constraints&decimals=1"] {
                let path = format!("/collections/parcels/statistics?{keys}&unit={unit}&basis={basis}");
                let answer = json_of(&path);
                let decimals = answer["decimals"].as_i64().unwrap();
                let last_place = |value: &Value| (value.as_f64().unwrap() * 10f64.powi(decimals as i32)).round() as i64;
                let groups = answer["groups"].as_array().unwrap();
                let sum: i64 = groups.iter().map(|group| last_place(&group["area"])).sum();
                assert_eq!(sum, last_place(&answer["total"]["area"]), "{path}");
                assert!(groups.len() > 5, "{path}");
            }
        }
    }
    let total = json_of("/collections/parcels/statistics?unit=mu")["total"].clone();
    assert_eq!((total["count"].as_u64(), total["area"].as_f64()), (Some(1985), Some(20_000.0)));
}

#[test]
fn statistics_are_what_the_items_add_up_to() {
    let mut by_town: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    for feature in all_pages("/collections/parcels/items?limit=10000") {
        let p = &feature["properties"];
        let entry = by_town.entry(p["town"].as_str().unwrap().to_owned()).or_default();
        entry.0 += 1;
        entry.1 += (p["area_m2"].as_f64().unwrap() * 100.0).round() as i64;
    }
    let answer = json_of("/collections/parcels/statistics?group-by=town&unit=m2");
    let counted: BTreeMap<String, (u64, i64)> = answer["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let hundredths = (group["area"].as_f64().unwrap() * 100.0).round() as i64;
            (group["key"]["town"].as_str().unwrap().to_owned(), (group["count"].as_u64().unwrap(), hundredths))
        })
        .collect();
    assert_eq!(counted, by_town);
    assert_eq!(answer["overlap"]["pairs"], 0);
}

#[test]
fn the_targets_stand_beside_what_is_measured() {
    let targets = json_of("/targets");
    let target = |id: &str| targets["targets"].as_array().unwrap().iter().find(|t| t["id"] == id).unwrap().clone();
    let remediation = target("L01");
    assert_eq!(
        (remediation["value"].as_f64(), remediation["value_m2"].as_f64()),
        (Some(20_000.0), Some(13_333_333.33))
    );
    let filter = encode(remediation["filter"].as_str().unwrap());
    let counted = json_of(&format!("/collections/parcels/statistics?unit=mu&filter={filter}"));
    let measured = &remediation["measured"];
    assert_eq!(measured["area"], counted["total"]["area"]);
    let (area, remaining) = (measured["area"].as_f64().unwrap(), measured["remaining"].as_f64().unwrap());
    assert!((area + remaining - 20_000.0).abs() < 1e-9);
    assert_eq!(target("P01")["measured"]["area"].as_f64(), Some(31.2));
    assert_eq!(target("P07")["measured"]["area"].as_f64(), Some(1029.0));
    assert!(remediation["sources"][0]["document"].as_str().is_some_and(|document| !document.is_empty()));
}

#[test]
fn figures_that_disagree_are_both_kept_with_their_sources() {
    let known = json_of("/facts");
    let fact = |id: &str| known["facts"].as_array().unwrap().iter().find(|f| f["id"] == id).unwrap().clone();
    assert_eq!((fact("G02")["quantity"].as_str(), fact("G02")["source"]["id"].as_str()), (Some("7.5"), Some("S3")));
    assert_eq!(fact("G03")["source"]["id"], "S4");
    assert!(fact("G02")["conflicts_with"].as_array().unwrap().contains(&"G03".into()));
    let conflict =
        known["conflicts"].as_array().unwrap().iter().find(|c| c["facts"].as_array().unwrap().contains(&"G02".into()));
    assert_eq!(conflict.unwrap()["in_force"], "G03");
}

#[test]
fn everything_synthetic_says_so() {
    for layer in json_of("/collections")["collections"].as_array().unwrap() {
        let id = layer["id"].as_str().unwrap();
        for feature in all_pages(&format!("/collections/{id}/items?limit=10000")) {
            assert_eq!(feature["properties"]["provenance"], layer["provenance"], "{id}/{}", feature["id"]);
        }
    }
}
