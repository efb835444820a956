//! What somebody may not see: over every route it is as if it were not there, and no figure counts it.

use std::collections::BTreeSet;

use axum::http::Method;
use mutu::people::Role;
use serde_json::Value;

use super::Office;
use crate::http::Answer;

/// A reader of three layers, and of one town's parcels.
const NARROW: &str = r#"{"read":["parcels","towns","parks"],"rows":{"parcels":"town = '址山镇'"}}"#;
const RULE: &str = "town = '址山镇'";

fn office() -> (Office, String, String) {
    let office = Office::staffed();
    let (narrow, whole) = (office.token(Role::Reader, NARROW), office.token(Role::Manager, "{}"));
    (office, narrow, whole)
}

/// An answer without what differs between any two.
fn plain(answer: &Answer, name: &str) -> (u16, String) {
    let text = answer.text();
    let until = text.find("请求号").unwrap_or(text.len());
    let mut text = text[..until].replace(name, "NAME");
    if let Ok(Value::Object(mut problem)) = serde_json::from_slice::<Value>(&answer.body) {
        problem.remove("request_id");
        text = serde_json::to_string(&problem).unwrap().replace(name, "NAME");
    }
    (answer.status.as_u16(), text)
}

/// All paths about a layer that the interface has, with their places filled in.
fn paths_of_a_layer(office: &Office, token: &str) -> Vec<(String, Vec<Method>)> {
    let definition = office.get("/api", token).json();
    let paths = definition["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, operations) in paths.iter().filter(|(path, _)| path.contains("{layer}") || path.contains("{style}")) {
        let methods =
            operations.as_object().unwrap().keys().filter_map(|name| name.to_uppercase().parse().ok()).collect();
        let mut filled = path.clone();
        for (place, value) in [
            ("{id}", "1"),
            ("{set}", "WebMercatorQuad"),
            ("{tileMatrix}", "9"),
            ("{tileRow}", "222"),
            ("{tileCol}", "416"),
            ("{style}", "{layer}"),
        ] {
            filled = filled.replace(place, value);
        }
        assert!(!filled.replace("{layer}", "").contains('{'), "a place of {path} is not known here: add it");
        found.push((filled, methods));
    }
    assert!(found.len() >= 10, "{found:?}");
    found
}

#[test]
fn a_layer_that_one_may_not_read_is_as_one_that_is_not_there_on_every_route() {
    let (office, narrow, whole) = office();
    let editor = office.token(Role::Editor, NARROW);
    let mut compared = 0;
    for (path, methods) in paths_of_a_layer(&office, &whole) {
        for query in ["", "?f=html", "?limit=1", "?datetime=2000-01-01T00:00:00Z"] {
            for method in &methods {
                for token in [&narrow, &editor] {
                    let ask = |layer: &str| {
                        let headers = [
                            ("authorization", format!("Bearer {token}")),
                            ("content-type", "application/geo+json".to_owned()),
                            ("if-match", "\"1\"".to_owned()),
                        ];
                        let headers: Vec<(&str, &str)> =
                            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                        let path = format!("{}{query}", path.replace("{layer}", layer));
                        plain(&office.send(method.clone(), &path, &headers, "{}"), layer)
                    };
                    assert_eq!(ask("landuse"), ask("nowhere"), "{method} {path}{query}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 60, "{compared}");
    let read = paths_of_a_layer(&office, &whole).into_iter().filter(|(_, methods)| methods.contains(&Method::GET));
    for (path, _) in read {
        let answer = office.get(&path.replace("{layer}", "landuse"), &whole);
        // A comparison asks for its moments; the layer is known all the same.
        let is_known = answer.status == 200 || answer.text().contains("missing-parameter");
        assert!(is_known || path.contains("/items/1"), "{path} tells nothing: {}", answer.text());
    }
}

#[test]
fn what_is_listed_names_only_what_may_be_read() {
    let (office, narrow, whole) = office();
    let hidden = ["landuse", "supply", "projects", "tasks", "constraints", "villages", "belts", "county", "seats"];
    for path in ["/collections", "/collections?f=html", "/styles", "/styles/all", "/nowhere", "/collections/nowhere"] {
        let text = |token: &str| office.get(path, token).text().into_owned();
        let (seen, all) = (text(&narrow), text(&whole));
        for id in hidden {
            assert!(!seen.contains(&format!("/{id}\"")) && !seen.contains(&format!("\"{id}\"")), "{path} names {id}");
        }
        assert!(path.contains("nowhere") || all.contains("landuse"), "{path}");
    }
    let zones = office.get("/collections/parcels/statistics?within=villages", &narrow);
    let absent = office.get("/collections/parcels/statistics?within=nowhere", &narrow);
    assert_eq!(plain(&zones, "villages"), plain(&absent, "nowhere"));
    let targets = office.get("/targets", &narrow).json();
    for target in targets["targets"].as_array().unwrap() {
        let layer = target["layer"].as_str().unwrap_or("parcels");
        let may = ["parcels", "towns", "parks"].contains(&layer);
        assert!(may || target["measured"].is_null(), "{target}");
    }
}

/// The features that a narrow reader sees, and those that they do not.
fn ids(office: &Office, whole: &str) -> (BTreeSet<i64>, BTreeSet<i64>) {
    let all = office.get("/collections/parcels/items?limit=10000&properties=town", whole).json();
    let of = |is_own: bool| {
        let features = all["features"].as_array().unwrap().iter();
        features
            .filter(|feature| (feature["properties"]["town"] == "址山镇") == is_own)
            .map(|feature| feature["id"].as_i64().unwrap())
            .collect::<BTreeSet<i64>>()
    };
    (of(true), of(false))
}

#[test]
fn rows_that_one_may_not_see_are_in_no_page_no_file_no_tile_and_no_figure() {
    let (office, narrow, whole) = office();
    let (seen, hidden) = ids(&office, &whole);
    assert!(seen.len() > 5 && hidden.len() > 50);
    let filter = percent_encoding::utf8_percent_encode(RULE, percent_encoding::NON_ALPHANUMERIC).to_string();
    let items = office.get("/collections/parcels/items?limit=10000", &narrow).json();
    assert_eq!(items["numberMatched"], seen.len());
    assert_eq!(crate::http::ids(&items), seen);
    assert_eq!(office.get("/collections/parcels", &narrow).json()["itemCount"], seen.len());
    // The oracle is the same question with the rule as its filter, asked by somebody who sees everything.
    let same = |path: &str, of: &dyn Fn(&Answer) -> String| {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mine, theirs) = (office.get(path, &narrow), office.get(&format!("{path}{joint}filter={filter}"), &whole));
        assert_eq!((mine.status.as_u16(), theirs.status.as_u16()), (200, 200), "{path}: {}", mine.text());
        assert_eq!(of(&mine), of(&theirs), "{path}");
        assert_ne!(of(&mine), of(&office.get(path, &whole)), "{path}: the rule changes nothing here");
    };
    for query in ["", "?group-by=town,status", "?within=parks&unit=mu", "?within=towns", "?bbox=112.7,22.5,113,22.8"] {
        let figures = |answer: &Answer| {
            let answer = answer.json();
            format!("{} {} {}", answer["groups"], answer["total"], answer["overlap"])
        };
        same(&format!("/collections/parcels/statistics{query}"), &figures);
    }
    for f in ["csv", "geojsonseq"] {
        same(&format!("/collections/parcels/export?f={f}"), &|answer| answer.text().into_owned());
        same(&format!("/collections/parcels/items?f={f}"), &|answer| answer.text().into_owned());
    }
    same("/collections/parcels/items?sortby=-area_m2&limit=5", &|answer| answer.json()["features"].to_string());
    for id in hidden.iter().take(20).chain(hidden.iter().rev().take(20)) {
        let (mine, absent) = (format!("/collections/parcels/items/{id}"), "/collections/parcels/items/99999999");
        let (mine, absent) = (office.get(&mine, &narrow), office.get(absent, &narrow));
        assert_eq!(plain(&mine, &format!("\\\"{id}\\\"")), plain(&absent, "\\\"99999999\\\""));
        assert_eq!(mine.status, 404);
    }
    let extent = |token: &str| office.get("/collections/parcels", token).json()["extent"].to_string();
    assert_ne!(extent(&narrow), extent(&whole));
    let measured = |token: &str| {
        let targets = office.get("/targets", token).json();
        let target = targets["targets"].as_array().unwrap().iter().find(|target| target["id"] == "L01").cloned();
        target.unwrap()["measured"]["count"].as_i64().unwrap()
    };
    assert!(measured(&narrow) <= seen.len() as i64 && measured(&narrow) < measured(&whole));
}

#[test]
fn tiles_hold_only_what_one_may_see_whoever_asked_before() {
    let (office, narrow, whole) = office();
    let filter = percent_encoding::utf8_percent_encode(RULE, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut differing = 0;
    let described = office.get("/collections/parcels/tiles/WebMercatorQuad", &narrow).json();
    let limits = described["tileMatrixSetLimits"].as_array().unwrap().iter();
    for limit in limits.filter(|limit| ["9", "11", "12", "13"].contains(&limit["tileMatrix"].as_str().unwrap())) {
        let number = |name: &str| limit[name].as_i64().unwrap();
        for row in number("minTileRow")..=number("maxTileRow") {
            for column in number("minTileCol")..=number("maxTileCol") {
                let zoom = limit["tileMatrix"].as_str().unwrap();
                let path = format!("/collections/parcels/tiles/WebMercatorQuad/{zoom}/{row}/{column}");
                let all = office.get(&path, &whole);
                let mine = office.get(&path, &narrow);
                let oracle = office.get(&format!("{path}?filter={filter}"), &whole);
                assert_eq!(mine.body, oracle.body, "{path}");
                differing += usize::from(mine.body != all.body);
                // What one reader holds is not "unchanged" for another who sees something else.
                if mine.body != all.body {
                    let headers = [
                        ("authorization", format!("Bearer {narrow}")),
                        ("if-none-match", all.header("etag").to_owned()),
                    ];
                    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    assert_eq!(office.status(Method::GET, &path, &headers, ""), 200, "{path}");
                }
            }
        }
    }
    assert!(differing >= 3, "{differing}");
}

#[test]
fn tags_of_one_reader_are_not_good_for_another() {
    let (office, narrow, whole) = office();
    for path in [
        "/collections",
        "/collections/parcels",
        "/collections/parcels/items?limit=5",
        "/collections/parcels/statistics?group-by=town",
        "/collections/parks/statistics?within=parcels",
        "/collections/parcels/export?f=csv",
        "/styles",
    ] {
        let tag = office.get(path, &whole).header("etag").to_owned();
        assert!(!tag.is_empty(), "{path}");
        let with = |token: &str| {
            let bearer = format!("Bearer {token}");
            office.status(Method::GET, path, &[("authorization", &bearer), ("if-none-match", &tag)], "")
        };
        assert_eq!((with(&whole), with(&narrow)), (304, 200), "{path}");
        let answer = office.get(path, &narrow);
        assert!(answer.header("vary").contains("authorization, cookie"), "{path}: {}", answer.header("vary"));
        assert_eq!(answer.header("cache-control"), "private, no-cache", "{path}");
    }
}

#[test]
fn a_rule_that_does_not_fit_its_layer_hides_it() {
    let office = Office::staffed();
    let token = office.token(Role::Reader, r#"{"rows":{"parcels":"no_such_column = 1","parks":"nonsense ("}}"#);
    for layer in ["parcels", "parks"] {
        assert_eq!(office.get(&format!("/collections/{layer}"), &token).status, 404, "{layer}");
    }
    assert_eq!(office.get("/collections/towns", &token).status, 200);
}

#[test]
fn zones_that_one_may_not_see_cut_nothing() {
    let office = Office::staffed();
    let token = office.token(Role::Reader, r#"{"rows":{"towns":"name = '址山镇'"}}"#);
    let whole = office.token(Role::Manager, "{}");
    let names = |token: &str| {
        let answer = office.get("/collections/parcels/statistics?within=towns", token).json();
        let groups = answer["groups"].as_array().unwrap().iter();
        groups.map(|group| group["key"]["towns"].to_string()).collect::<BTreeSet<String>>()
    };
    assert!(names(&whole).len() > 5);
    assert_eq!(names(&token), ["\"址山镇\"", "null"].map(str::to_owned).into());
}

#[test]
fn each_role_may_change_what_its_word_says_and_no_handler_is_forgotten() {
    let (office, _, whole) = office();
    let (reader, editor) = (office.token(Role::Reader, "{}"), office.token(Role::Editor, r#"{"edit":["supply"]}"#));
    let definition = office.get("/api", &whole).json();
    let mut asked: BTreeSet<(String, String)> = [
        ("POST", "/collections/parcels/items"),
        ("PUT", "/collections/parcels/items/1"),
        ("PATCH", "/collections/parcels/items/1"),
        ("DELETE", "/collections/parcels/items/1"),
        ("POST", "/changes"),
        ("POST", "/users"),
        ("PATCH", "/users/boss"),
        ("DELETE", "/users/boss"),
        ("POST", "/nowhere"),
    ]
    .map(|(method, path)| (method.to_owned(), path.to_owned()))
    .into();
    for (path, operations) in definition["paths"].as_object().unwrap() {
        let filled = path.replace("{layer}", "parcels").replace("{id}", "1").replace("{seq}", "1");
        let methods = operations.as_object().unwrap().keys().map(|name| name.to_uppercase());
        asked.extend(methods.map(|method| (method, filled.clone())));
    }
    // What readers do with what is their own.
    let is_own = |path: &str| ["/session", "/tokens", "/sign-out"].iter().any(|own| path.starts_with(own));
    for (method, path) in asked.iter().filter(|(method, path)| *method != "GET" && !is_own(path)) {
        let method: Method = method.parse().unwrap();
        let with = |token: &str| {
            let bearer = format!("Bearer {token}");
            let kind = if path.ends_with("/items") { "application/geo+json" } else { "application/json" };
            let headers = [("authorization", bearer.as_str()), ("content-type", kind), ("if-match", "\"1\"")];
            office.status(method.clone(), path, &headers, "{}")
        };
        assert_eq!(office.status(method.clone(), path, &[("content-type", "application/json")], "{}"), 401, "{path}");
        assert_eq!(with(&reader), 403, "{method} {path}");
        let is_there = with(&whole) != 405;
        if is_there && (path.starts_with("/collections/parcels") || path.starts_with("/users")) {
            assert_eq!(with(&editor), 403, "{method} {path}");
        }
    }
}

#[test]
fn an_editor_changes_no_row_that_they_do_not_see_and_puts_none_out_of_sight() {
    let office = Office::of_wells();
    let (narrow, whole) =
        (office.token(Role::Editor, r#"{"rows":{"wells":"town = 'a'"}}"#), office.token(Role::Manager, "{}"));
    let post = |token: &str, change: String| {
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        office.send(Method::POST, "/changes", &headers, &format!(r#"{{"note":"n","changes":[{change}]}}"#))
    };
    let feature = |id: &str, town: &str| {
        format!(
            r#"{{"type":"Feature"{id},"geometry":{{"type":"Point","coordinates":[112.7,22.7]}},"properties":{{"town":"{town}"}}}}"#
        )
    };
    let before = office.get("/collections/wells/items", &whole).json()["features"].clone();
    let version = office.get("/collections/wells/items/2", &whole).header("etag").to_owned();
    for (what, hidden) in [
        ("delete", |id: i64, version: i64| {
            format!(r#"{{"delete":{{"layer":"wells","id":{id},"version":{version}}}}}"#)
        }),
        ("patch", |id: i64, version: i64| {
            format!(r#"{{"patch":{{"layer":"wells","id":{id},"version":{version},"properties":{{"town":"a"}}}}}}"#)
        }),
    ] as [(&str, fn(i64, i64) -> String); 2]
    {
        for version in 0..4 {
            let (mine, absent) = (post(&narrow, hidden(2, version)), post(&narrow, hidden(9, version)));
            assert_eq!(mine.status, 404, "{what}: {}", mine.text());
            assert_eq!(plain(&mine, "feature 2"), plain(&absent, "feature 9"), "{what}");
        }
    }
    for version in 0..4 {
        let put = |id: i64| {
            let feature = feature(&format!(r#","id":{id}"#), "a");
            post(&narrow, format!(r#"{{"put":{{"layer":"wells","feature":{feature},"version":{version}}}}}"#))
        };
        assert_eq!(plain(&put(2), "feature 2"), plain(&put(9), "feature 9"));
        assert_eq!(put(2).status, 404);
    }
    let bearer = format!("Bearer {narrow}");
    for method in [Method::DELETE, Method::PUT] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/geo+json"),
            ("if-match", version.as_str()),
        ];
        let ask = |id: i64| {
            let path = format!("/collections/wells/items/{id}");
            office.send(method.clone(), &path, &headers, &feature("", "a"))
        };
        let (mine, absent) = (ask(2), ask(9));
        assert!(mine.status.is_client_error(), "{}", mine.text());
        assert_eq!(plain(&mine, "feature \\\"2\\\""), plain(&absent, "feature \\\"9\\\""));
    }
    assert_eq!(office.get("/collections/wells/items", &whole).json()["features"], before, "nothing was changed");
    let made = post(&narrow, format!(r#"{{"put":{{"layer":"wells","feature":{},"version":null}}}}"#, feature("", "b")));
    assert_eq!(made.status, 403, "{}", made.text());
    let made = post(&narrow, format!(r#"{{"put":{{"layer":"wells","feature":{},"version":null}}}}"#, feature("", "a")));
    assert!(made.status.is_success(), "{}", made.text());
    // The feed tells of what one may see: an edit of a hidden row is none, one that hides a row removes it.
    let seq = |answer: &Answer| answer.json()["seq"].as_i64().unwrap();
    let version_of = |id: i64| {
        let story = office.get(&format!("/collections/wells/items/{id}/history"), &whole).json();
        story["versions"][0]["version"].as_i64().unwrap()
    };
    let patch = |id: i64, town: &str| {
        let version = version_of(id);
        let text = format!(
            r#"{{"patch":{{"layer":"wells","id":{id},"version":{version},"properties":{{"town":"{town}"}}}}}}"#
        );
        let done = post(&whole, text);
        assert!(done.status.is_success(), "{}", done.text());
        seq(&done)
    };
    let (of_hidden, hiding) = (patch(2, "c"), patch(1, "b"));
    assert_eq!(office.get(&format!("/changes/{of_hidden}"), &narrow).status, 404);
    assert_eq!(office.get(&format!("/changes/{of_hidden}"), &whole).status, 200);
    let told = office.get(&format!("/changes/{hiding}"), &narrow).json();
    assert_eq!(told["features"][0]["operation"], "removed", "{told}");
    assert!(told["features"][0]["after"].is_null());
    let told: Vec<i64> = office.get("/changes", &narrow).json()["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect();
    assert!(told.contains(&hiding) && !told.contains(&of_hidden), "{told:?}");
    for id in [1, 2] {
        let (mine, absent) = (format!("/collections/wells/items/{id}"), "/collections/wells/items/99");
        assert_eq!(office.get(&mine, &narrow).status, office.get(absent, &narrow).status);
    }
    let (mine, absent) = ("/collections/wells/items/2/history", "/collections/wells/items/99/history");
    let (mine, absent) = (office.get(mine, &narrow), office.get(absent, &narrow));
    assert_eq!(plain(&mine, "\\\"2\\\""), plain(&absent, "\\\"99\\\""));
    // The author of a change is who made it.
    let author = office.get("/changes", &whole).json()["changes"].as_array().unwrap().last().unwrap()["author"].clone();
    assert_eq!(author, "token:manager of a test");
}
