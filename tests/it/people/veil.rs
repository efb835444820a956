//! What refusals must not tell of what somebody may not see: rules of layers, the way back; and bodies that never end.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Method, Request},
};
use http_body::Frame;
use mutu::people::Role;
use serde_json::{Value, json};

use super::Office;
use crate::http::Answer;

fn post(office: &Office, token: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    office.send(Method::POST, path, &headers, &body.to_string())
}

/// An answer without what differs between any two.
fn plain(answer: &Answer, name: &str) -> (u16, String) {
    let mut problem = answer.json();
    problem.as_object_mut().unwrap().remove("request_id");
    (answer.status.as_u16(), problem.to_string().replace(name, "NAME"))
}

#[test]
fn a_rule_of_a_layer_names_nothing_that_one_may_not_see() {
    let office = Office::of_demo();
    let narrow = office.token(Role::Editor, r#"{"read":["towns"],"rows":{"towns":"name = '址山镇'"}}"#);
    let whole = office.token(Role::Manager, "{}");
    let schema = |token: &str| office.get("/collections/towns/schema", token);
    assert_eq!(schema(&whole).json()["x-rules"]["inside"]["layer"], "county");
    assert!(schema(&narrow).json()["x-rules"]["no_overlap"].is_object());
    assert!(!schema(&narrow).text().contains("county"), "{}", schema(&narrow).text());
    let towns = office.get("/collections/towns/items?limit=100", &whole).json();
    let hidden =
        towns["features"].as_array().unwrap().iter().find(|town| town["properties"]["name"] != "址山镇").unwrap();
    let feature = |geometry: &Value| {
        json!({ "type": "Feature", "geometry": geometry,
                "properties": { "name": "址山镇", "provenance": hidden["properties"]["provenance"] } })
    };
    let away = json!({ "type": "Polygon",
                       "coordinates": [[[113.9, 22.7], [113.91, 22.7], [113.91, 22.71], [113.9, 22.71], [113.9, 22.7]]] });
    for (geometry, fault, named) in [
        (&hidden["geometry"], "overlaps", format!("feature {} of the layer", hidden["id"])),
        (&away, "outside", "layer county".to_owned()),
    ] {
        let edit = json!({ "note": "", "changes": [{ "put": { "layer": "towns", "feature": feature(geometry) } }] });
        for (path, body) in [("/changes?dry-run=true", &edit), ("/collections/towns/items", &feature(geometry))] {
            let (mine, theirs) = (post(&office, &narrow, path, body), post(&office, &whole, path, body));
            assert_eq!((mine.status.as_u16(), theirs.status.as_u16()), (422, 422), "{}", mine.text());
            assert!(theirs.text().contains(&named), "{}", theirs.text());
            assert!(!mine.text().contains(&named) && !mine.text().contains("m²"), "{}", mine.text());
            let findings = mine.json()["findings"].clone();
            let faults: Vec<&Value> = findings.as_array().unwrap().iter().map(|finding| &finding["fault"]).collect();
            assert_eq!(faults, [fault], "{findings}");
        }
    }
}

#[test]
fn who_takes_land_away_learns_nothing_of_features_that_they_may_not_see() {
    let office = Office::of_demo();
    let narrow = office.token(Role::Editor, r#"{"read":["county","towns"],"rows":{"towns":"name = '址山镇'"}}"#);
    let whole = office.token(Role::Manager, "{}");
    let county = office.get("/collections/county/items/1", &whole);
    let gone = json!({ "note": "", "changes": [{ "delete": { "layer": "county", "id": 1, "version": county.header("etag")
        .trim_matches('"').split('-').next().unwrap().parse::<i64>().unwrap() } }] });
    let (mine, theirs) =
        (post(&office, &narrow, "/changes?dry-run=true", &gone), post(&office, &whole, "/changes?dry-run=true", &gone));
    assert_eq!((mine.status.as_u16(), theirs.status.as_u16()), (422, 422), "{}", mine.text());
    let faults = |answer: &Answer| -> Vec<(Value, Value)> {
        let findings = answer.json()["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| (finding["fault"].clone(), finding["id"].clone())).collect()
    };
    let towns = office.get("/collections/towns/items?limit=100", &whole).json()["features"].as_array().unwrap().clone();
    assert_eq!(faults(&theirs), vec![(json!("left-outside"), json!(1)); towns.len()]);
    // The town that is seen, by its number; the others as one, with neither number nor place.
    assert_eq!(faults(&mine), vec![(json!("left-outside"), json!(1)); 2], "{}", mine.text());
    for town in &towns {
        let is_seen = town["properties"]["name"] == "址山镇";
        let named = format!("feature {} of layer towns", town["id"]);
        assert_eq!(mine.text().contains(&named), is_seen, "{named}: {}", mine.text());
    }
    let places: Vec<Value> =
        mine.json()["findings"].as_array().unwrap().iter().map(|one| one["place"].clone()).collect();
    assert_eq!(places.iter().filter(|place| !place.is_null()).count(), 1, "{places:?}");
}

#[test]
fn the_way_back_tells_nothing_of_edits_and_features_that_one_may_not_see() {
    let office = Office::of_wells();
    let narrow = office.token(Role::Editor, r#"{"rows":{"wells":"town = 'a'"}}"#);
    let whole = office.token(Role::Manager, "{}");
    let edit = |changes: &[(i64, i64, &str)]| {
        let change = |(id, version, town): &(i64, i64, &str)| json!({ "patch": { "layer": "wells", "id": id, "version": version, "properties": { "town": town } } });
        let changes: Vec<Value> = changes.iter().map(change).collect();
        let done = post(&office, &whole, "/changes", &json!({ "note": "", "changes": changes }));
        assert_eq!(done.status, 201, "{}", done.text());
        done.json()["seq"].as_i64().unwrap()
    };
    // 1 is the import; well 1 is seen, well 2 is not.
    let of_hidden = edit(&[(2, 1, "c")]);
    let of_both = edit(&[(1, 1, "a"), (2, of_hidden, "d")]);
    edit(&[(2, of_both, "e")]);
    let undo = |token: &str, seq: i64| post(&office, token, &format!("/changes/{seq}/undo"), &json!({ "note": "" }));
    assert!(undo(&whole, of_hidden).text().contains("feature 2 of wells"), "{}", undo(&whole, of_hidden).text());
    let name = |seq: i64| format!("\\\"{seq}\\\"");
    let (mine, absent) = (undo(&narrow, of_hidden), undo(&narrow, 999));
    assert_eq!(plain(&mine, &name(of_hidden)), plain(&absent, &name(999)));
    assert_eq!(mine.status, 404);
    let mixed = undo(&narrow, of_both);
    assert_eq!(mixed.status, 403, "{}", mixed.text());
    assert!(!mixed.text().contains("feature 2 of wells"), "{}", mixed.text());
    let restore = |token: &str, id: i64, seq: i64| {
        let body = json!({ "id": id, "seq": seq, "note": "" });
        post(&office, token, "/collections/wells/restore?dry-run=true", &body)
    };
    for seq in 1..=4 {
        let (mine, absent) = (restore(&narrow, 2, seq), restore(&narrow, 99, seq));
        assert_eq!(plain(&mine, "feature 2"), plain(&absent, "feature 99"), "{seq}");
        assert_eq!(mine.status, 404);
        assert_eq!(restore(&narrow, 1, seq).status, 200, "{}", restore(&narrow, 1, seq).text());
        assert_eq!(restore(&whole, 2, seq).status, 200);
    }
}

#[test]
fn what_was_compacted_away_tells_nobody_of_rows_that_they_may_not_see() {
    let office = Office::of_wells();
    let narrow = office.token(Role::Editor, r#"{"rows":{"wells":"town = 'a'"}}"#);
    let whole = office.token(Role::Manager, "{}");
    for (version, town) in [(1, "c"), (2, "d")] {
        let patch = json!({ "layer": "wells", "id": 2, "version": version, "properties": { "town": town } });
        let done = post(&office, &whole, "/changes", &json!({ "note": "secret", "changes": [{ "patch": patch }] }));
        assert_eq!(done.status, 201, "{}", done.text());
    }
    office.planner.compact(mutu::planner::Since::Seq(3), "boss").unwrap();
    let story = |token: &str, id: i64| office.get(&format!("/collections/wells/items/{id}/history"), token);
    assert!(story(&whole, 2).text().contains("secret"), "{}", story(&whole, 2).text());
    let (mine, absent) = (story(&narrow, 2), story(&narrow, 99));
    assert_eq!(plain(&mine, "\\\"2\\\""), plain(&absent, "\\\"99\\\""));
    assert_eq!(story(&narrow, 1).status, 200);
}

#[test]
fn a_note_of_the_way_back_is_held_to_what_other_notes_are() {
    let office = Office::of_wells();
    let whole = office.token(Role::Manager, "{}");
    for note in ["n".repeat(4001), "\0".to_owned()] {
        for (path, body) in [
            ("/changes/1/undo", json!({ "note": note })),
            ("/collections/wells/restore", json!({ "seq": 1, "note": note })),
            ("/outside", json!({ "do": "take", "note": note })),
        ] {
            let answer = post(&office, &whole, path, &body);
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
            assert_eq!(answer.json()["parameter"], "note", "{path}: {}", answer.text());
        }
    }
}

/// A body that sends a byte after every pause, and never ends.
struct Drip(Duration, Pin<Box<tokio::time::Sleep>>);

impl HttpBody for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.1.as_mut().poll(context));
        self.1 = Box::pin(tokio::time::sleep(self.0));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}

#[test]
fn a_body_that_does_not_come_to_its_end_is_not_waited_for_on_any_route() {
    let office = Office::with(|config| config.head_time = Duration::from_millis(200));
    office.people.add("boss", Role::Administrator, &mutu::people::Rights::default(), Some(super::PASSWORD)).unwrap();
    let cookie = office.sign_in("boss", super::PASSWORD).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for path in [
        "/session",
        "/session/password",
        "/users",
        "/tokens",
        "/changes/1/undo",
        "/collections/parcels/restore",
        "/outside",
    ] {
        for pause in [Duration::from_hours(1), Duration::from_millis(20)] {
            let status = runtime.block_on(async {
                let body = Body::new(Drip(pause, Box::pin(tokio::time::sleep(pause))));
                let request = Request::post(path).header("content-type", "application/json").header("cookie", &cookie);
                let answer = tower::ServiceExt::oneshot(office.app.clone(), request.body(body).unwrap());
                tokio::time::timeout(Duration::from_secs(20), answer).await.map(|answer| answer.unwrap().status())
            });
            assert_eq!(status.map(|status| status.as_u16()).ok(), Some(408), "{path} {pause:?}");
        }
    }
}
