//! Hostile and careless requests that would write, as a table; of all of them only those that say so change anything.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::http::Own;

/// A request and what must come of it.
pub(super) struct Case {
    /// The number of the list.
    pub(super) id: &'static str,
    what: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
    /// The parameter at fault, where it is refused.
    parameter: &'static str,
}

const ITEM: &str = "/collections/parcels/items/3";
const ITEMS: &str = "/collections/parcels/items";
const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");
const PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The tag of the feature is written where a header says `TAG`, its document where the body says so.
fn case(
    (id, what): (&'static str, &'static str),
    (method, path): (&'static str, &'static str),
    headers: &[(&'static str, &str)],
    body: impl Into<String>,
    (status, parameter): (u16, &'static str),
) -> Case {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case { id, what, method, path, headers, body: body.into(), status, parameter }
}

/// Conditions: none, of another version, of any, of a tag that is weak, of what is no tag.
fn conditions() -> Vec<Case> {
    let note = r#"{"properties":{"note":"A14"}}"#;
    let mut cases = Vec::new();
    for (method, kind, body) in [("PUT", GEOJSON, "DOCUMENT"), ("PATCH", PATCH, note), ("DELETE", GEOJSON, "")] {
        let with = |condition: &'static str| vec![kind, ("if-match", condition)];
        let stale = (412, "If-Match");
        cases.push(case(("A14", "no condition"), (method, ITEM), &[kind], body, (428, "If-Match")));
        cases.push(case(("A14", "a version that was"), (method, ITEM), &with("\"1-0000000000000000\""), body, stale));
        cases.push(case(("A14", "a weak tag"), (method, ITEM), &with("W/TAG"), body, stale));
        cases.push(case(("A14", "several that were"), (method, ITEM), &with("\"1-0\", \"2-0\""), body, stale));
        cases.push(case(("A14", "no tag"), (method, ITEM), &with("TAG without its marks"), body, (400, "If-Match")));
        cases.push(case(
            ("A14", "a feature that is not"),
            (method, "/collections/parcels/items/999999"),
            &with("*"),
            body,
            stale,
        ));
    }
    cases.push(case(("A14", "any version"), ("PATCH", ITEM), &[PATCH, ("if-match", "*")], note, (200, "")));
    cases.push(case(("A14", "the version that is"), ("PATCH", ITEM), &[PATCH, ("if-match", "TAG")], note, (200, "")));
    cases
}

/// Bodies that a page elsewhere can make a browser send without asking, that are packed, that are too long or too deep.
fn bodies() -> Vec<Case> {
    let edit = r#"{"note":"","changes":[{"delete":{"layer":"parcels","id":3,"version":1}}]}"#;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let plain = ("content-type", "text/plain");
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    let mut cases = Vec::new();
    for path in ["/changes", ITEMS, "/changes/1/undo", "/collections/parcels/restore", "/outside"] {
        for kind in [form, plain, multipart] {
            cases.push(case(
                ("A19", "a form of another page"),
                ("POST", path),
                &[kind, ("origin", "null")],
                edit,
                (415, ""),
            ));
        }
    }
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip"] {
        let headers = [GEOJSON, ("content-encoding", coding)];
        cases.push(case(
            ("A18", "a packed body"),
            ("POST", ITEMS),
            &headers,
            "\u{1f}\u{8b}",
            (415, "Content-Encoding"),
        ));
    }
    let long = format!(r#"{{"type":"Feature","geometry":null,"properties":{{"note":"{}"}}}}"#, "长".repeat(6 << 20));
    cases.push(case(("A18", "a body of 18 MB"), ("POST", ITEMS), &[GEOJSON], long, (413, "")));
    let deep = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{}"#, "[".repeat(100_000));
    cases.push(case(("A4", "arrays 100,000 deep"), ("POST", ITEMS), &[GEOJSON], deep, (400, "body")));
    let twice = r#"{"type":"Feature","geometry":null,"properties":{"note":"a","note":"b"}}"#;
    cases.push(case(("A4", "a member twice"), ("POST", ITEMS), &[GEOJSON], twice, (422, "")));
    for (number, parameter) in
        [("1e400", "changes[0]"), ("NaN", "body"), ("Infinity", "body"), ("-1e999", "changes[0]")]
    {
        let body = format!(r#"{{"changes":[{{"delete":{{"layer":"parcels","id":{number},"version":1}}}}]}}"#);
        cases.push(case(("A4", "what is no number"), ("POST", "/changes"), &[JSON], body, (400, parameter)));
    }
    for name in ["__proto__", "exec(java.lang.Runtime.getRuntime())", "../../etc/passwd", "a\\\"b"] {
        let body = format!(r#"{{"type":"Feature","geometry":null,"properties":{{"{name}":1}}}}"#);
        cases.push(case(("A2", "a property that nobody declared"), ("POST", ITEMS), &[GEOJSON], body, (422, "")));
    }
    let text = json!({ "properties": { "note": "'); DROP TABLE parcels; --" } }).to_string();
    cases.push(case(("A1", "SQL as a value"), ("PATCH", ITEM), &[PATCH, ("if-match", "*")], text, (200, "")));
    cases
}

pub(super) fn cases() -> Vec<Case> {
    conditions().into_iter().chain(bodies()).collect()
}

/// Everything that is stored of the parcels but the note of the one that cases may change.
fn picture(own: &Own) -> (Value, usize) {
    let mut item = own.get(ITEM).json();
    item["properties"]["note"] = Value::Null;
    item["links"] = Value::Null;
    (item, own.planner.read().layer("parcels").unwrap().table().len())
}

#[test]
fn every_hostile_write_gets_the_answer_of_the_table_and_changes_nothing() {
    let own = Own::new();
    let before = picture(&own);
    for Case { id, what, method, path, headers, body, status, parameter } in cases() {
        let item = own.get(ITEM);
        let tag = item.header("etag").to_owned();
        let weak = tag.trim_matches('"').to_owned();
        let said = |value: &str| match value {
            "W/TAG" => format!("W/{tag}"),
            "TAG without its marks" => weak.clone(),
            other => other.replace("TAG", &tag),
        };
        let headers: Vec<(&str, String)> = headers.iter().map(|(name, value)| (*name, said(value))).collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = if body == "DOCUMENT" { item.text().into_owned() } else { body };
        let (seq, answer) = (own.planner.read().seq(), own.send(method, path, &headers, &body));
        let shown: String = body.chars().take(80).collect();
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{id}, {what}: {method} {path} {headers:?} {shown}: {}",
            answer.text()
        );
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{id}, {what}");
        if status >= 400 {
            assert_eq!(own.planner.read().seq(), seq, "{id}, {what}: {method} {path} wrote something");
            let problem = answer.json();
            if !parameter.is_empty() {
                assert_eq!(problem["parameter"], parameter, "{id}, {what}: {problem}");
            }
            assert!(answer.body.len() < 65_536, "{id}, {what}: {} bytes", answer.body.len());
        }
        if status == 412 && path == ITEM {
            assert_eq!(answer.json()["etag"], tag.as_str(), "{id}, {what}: a client must learn what there is now");
            assert_eq!(answer.json()["current"]["id"], 3, "{id}, {what}");
        }
    }
    assert_eq!(picture(&own), before);
    assert_eq!(own.get(ITEM).json()["properties"]["note"], "'); DROP TABLE parcels; --");
}

#[test]
fn nobody_is_allowed_in_from_elsewhere_by_a_header_of_their_own() {
    let own = Own::new();
    for origin in ["null", "http://evil.example", "http://mutu.test.evil.example"] {
        for method in ["GET", "OPTIONS", "POST"] {
            let headers = [("origin", origin), ("access-control-request-method", "POST"), ("cookie", "a=b")];
            let answer = own.send(method, ITEMS, &headers, "");
            let allowing = |headers: &HeaderMap| {
                headers.keys().filter(|name| name.as_str().starts_with("access-control-")).count()
            };
            assert_eq!(allowing(&answer.headers), 0, "{method} {origin}: {:?}", answer.headers);
        }
    }
}
