//! Answers about a moment: items, statistics, tiles, exports, pages.

use axum::http::{Method, StatusCode};
use mutu::domain::{edit::Change, feature::Value as Stored};
use serde_json::Value;

use super::{Place, feature, layer};
use crate::http::send_to;

/// Everything that a person can ask of the parcels, with the moment that is asked about.
fn answers(place: &Place, datetime: &str) -> Vec<(String, Value)> {
    let then = if datetime.is_empty() { String::new() } else { format!("&datetime={datetime}") };
    let paths = [
        "/collections/parcels/items?limit=3",
        "/collections/parcels/items?limit=5&sortby=-area_mu",
        "/collections/parcels/items?limit=2&filter=area_mu > 20",
        "/collections/parcels/items/7?f=json",
        "/collections/parcels/items/9?f=json",
        "/collections/parcels/statistics?group-by=town,status&unit=mu",
        "/collections/parcels/statistics?within=parks&unit=ha",
        "/collections/parcels/export?f=geojson",
        "/collections/parcels/export?f=csv",
        "/collections/parcels/tiles/WebMercatorQuad/10/445/833?",
    ];
    let shown = |path: &str| {
        let answer = place.get(&format!("{path}{then}"));
        let kind = answer.header("content-type").to_owned();
        let mut shown = if kind.contains("json") && answer.status == StatusCode::OK {
            answer.json()
        } else {
            let bytes = if answer.status == StatusCode::OK { &answer.body[..] } else { &[] };
            Value::String(format!("{} {bytes:?}", answer.status))
        };
        if let Some(document) = shown.as_object_mut() {
            for name in ["links", "timeStamp", "asOf"] {
                document.remove(name);
            }
        }
        (path.to_owned(), shown)
    };
    paths.map(shown).to_vec()
}

fn change_much(place: &Place, round: i64) {
    let catalog = place.planner.read();
    let (mut moved, version) = feature(&catalog, "parcels", 7);
    for at in moved.shape.as_mut().unwrap().coords_mut() {
        at.x += 1e-3;
    }
    let (mut renamed, other) = feature(&catalog, "parcels", 8 + 100 * round);
    let status = catalog.layer("parcels").unwrap().layer().schema.position("status").unwrap();
    renamed.values[status] = Stored::Text("暂缓".to_owned());
    let mut added = moved.clone();
    added.id = 5000 + round;
    let mut changes = vec![
        Change::Put { layer: layer("parcels"), feature: moved, expects: Some(version) },
        Change::Put { layer: layer("parcels"), feature: renamed, expects: Some(other) },
        Change::Put { layer: layer("parcels"), feature: added, expects: None },
    ];
    if round == 1 {
        let (_, version) = feature(&catalog, "parcels", 9);
        changes.push(Change::Delete { layer: layer("parcels"), id: 9, expects: version });
    }
    place.commit(changes);
}

#[test]
fn every_answer_about_a_moment_is_the_one_that_was_given_then() {
    let place = Place::demo();
    let mut told: Vec<(String, Vec<(String, Value)>)> = Vec::new();
    for round in 0..4 {
        if round > 0 {
            change_much(&place, round);
        }
        let before = answers(&place, "");
        told.push((place.moment(), before));
    }
    for pair in told.windows(2) {
        let differ = pair[0].1.iter().zip(&pair[1].1).filter(|(a, b)| a != b).count();
        assert!(differ >= 6, "the edits show in {differ} answers only");
    }
    for (moment, before) in told.iter().rev().chain(&told) {
        for ((path, then), (_, now)) in before.iter().zip(answers(&place, moment)) {
            assert_eq!(*then, now, "{path} at {moment}");
        }
    }
}

#[test]
fn an_answer_says_which_moment_it_is_about_and_its_tag_and_links_are_of_that_moment() {
    let place = Place::demo();
    let last = place.planner.read().seq();
    let then = place.moment();
    change_much(&place, 1);
    for path in [
        "/collections/parcels/items?limit=1",
        "/collections/parcels/items/7?f=json",
        "/collections/parcels/statistics?unit=mu",
        "/collections/parcels/export?f=geojson",
        "/collections/parcels/tiles/WebMercatorQuad/10/445/833?",
        "/collections?f=html",
        "/collections/parcels/items?f=html",
        "/collections/parcels/items/7?f=html",
        "/collections/parcels/statistics?f=html",
    ] {
        let (now, past) = (place.get(path), place.get(&format!("{path}&datetime={then}")));
        assert_eq!((now.status, past.status), (StatusCode::OK, StatusCode::OK), "{path}: {}", past.text());
        assert_eq!(past.header("mutu-as-of"), last.to_string(), "{path}");
        assert_eq!(now.header("mutu-as-of"), (last + 1).to_string(), "{path}");
        assert_ne!(now.header("etag"), "", "{path}");
        assert_ne!(now.header("etag"), past.header("etag"), "{path}");
        let again = [("if-none-match", past.header("etag"))];
        let again = send_to(&place.app, Method::GET, &format!("{path}&datetime={then}"), &again);
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
    }
    let items = place.json(&format!("/collections/parcels/items?limit=1&datetime={then}"));
    assert_eq!(items["asOf"], then);
    assert_eq!(place.json(&format!("/collections/parcels/statistics?datetime={then}"))["asOf"], then);
    let next = items["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next").unwrap();
    let next = next["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap().to_owned();
    assert_eq!(place.get(&next).header("mutu-as-of"), last.to_string());
    let tiles = place.json(&format!("/collections/parcels/tiles/WebMercatorQuad/tilejson.json?datetime={then}"));
    let template = tiles["tiles"][0].as_str().unwrap().strip_prefix("http://mutu.test").unwrap();
    let tile = template.replace("{z}", "10").replace("{y}", "445").replace("{x}", "833");
    assert_eq!(place.get(&tile).header("mutu-as-of"), last.to_string());
}

#[test]
fn a_layer_is_absent_before_its_record_begins_and_the_refusal_says_when_that_is() {
    let place = Place::demo();
    let early = place.json("/collections?datetime=1900-01-01");
    assert_eq!(early["collections"].as_array().unwrap().len(), 0);
    let refused = place.get("/collections/parcels/items?datetime=1900-01-01");
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("its record begins at 20") && detail.contains("1900-01-01T15:59:59.999Z"), "{detail}");
    assert!(!place.get("/collections/nothing/items?datetime=1900-01-01").text().contains("begins"));
    let to_come = place.json("/collections/parcels/items?limit=9999&datetime=9999-12-31");
    assert_eq!(to_come["features"], place.json("/collections/parcels/items?limit=9999")["features"]);
    assert!(to_come["asOf"].as_str().unwrap() < "9999");
}

#[test]
fn a_span_holds_what_was_there_at_some_moment_of_it_as_it_last_was_in_it() {
    let place = Place::demo();
    let count = |datetime: &str| {
        let items = place.json(&format!("/collections/parcels/items?limit=1&datetime={datetime}"));
        items["numberMatched"].as_i64().unwrap()
    };
    let begin = place.moment();
    let whole = count(&begin);
    change_much(&place, 1); // adds 5001, deletes 9
    let middle = place.moment();
    let (_, version) = feature(&place.planner.read(), "parcels", 5001);
    place.commit(vec![Change::Delete { layer: layer("parcels"), id: 5001, expects: version }]);
    let end = place.moment();
    assert_eq!((count(&begin), count(&middle), count(&end)), (whole, whole, whole - 1));
    assert_eq!(count(&format!("{begin}/{end}")), whole + 1);
    assert_eq!(count(&format!("{begin}/{middle}")), whole + 1);
    assert_eq!(count(&format!("{middle}/{end}")), whole);
    assert_eq!(count(&format!("../{end}")), whole + 1);
    assert_eq!(count(&format!("{begin}/..")), whole + 1);
    assert_eq!(count(&format!("{end}/..")), whole - 1);
    // As it last was: the deleted one as before, the moved one as after.
    let at = |id: i64, datetime: &str| {
        let mut item = place.json(&format!("/collections/parcels/items/{id}?datetime={datetime}"));
        item.as_object_mut().unwrap().remove("links");
        item
    };
    assert_eq!(at(9, &format!("{begin}/{end}")), at(9, &begin));
    assert_eq!(at(7, &format!("{begin}/{end}")), at(7, &end));
    assert_ne!(at(7, &begin), at(7, &end));
    assert_eq!(place.get("/collections/parcels/items?datetime=1900-01-01/1901-01-01").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_gis_that_means_a_column_of_dates_is_refused_and_everyone_else_answered() {
    let place = Place::demo();
    // As the driver writes it: whole seconds of UTC.
    let path = "/collections/parcels/items?limit=1&datetime=..%2F2099-01-01T00:00:00Z";
    let gdal = [("user-agent", "GDAL/3.10.0"), ("accept", "application/geo+json, application/json")];
    let without_name = [("accept", "application/geo+json, application/json")];
    let qgis = [("user-agent", "Mozilla/5.0 QGIS/34004/Debian GNU/Linux")];
    for headers in [&gdal[..], &without_name, &qgis] {
        let refused = send_to(&place.app, Method::GET, path, headers);
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("ambiguous-time"))
        );
        // A layer without dates has no such condition; without a moment nothing is ambiguous.
        let villages = path.replace("parcels", "villages");
        assert_eq!(send_to(&place.app, Method::GET, &villages, headers).status, StatusCode::OK);
        let now = send_to(&place.app, Method::GET, "/collections/parcels/items?limit=1", headers);
        assert_eq!(now.status, StatusCode::OK);
    }
    // Who sends the same header and is not GDAL is answered: it writes moments otherwise, or has no limit.
    for other in
        ["limit=1&datetime=2099-01-01", "datetime=2099-01-01T00:00:00Z", "limit=1&datetime=2099-01-01T08:00:00%2B08:00"]
    {
        let answer = send_to(&place.app, Method::GET, &format!("/collections/parcels/items?{other}"), &without_name);
        assert_eq!(answer.status, StatusCode::OK, "{other}");
        assert_eq!(send_to(&place.app, Method::GET, &format!("/collections/parcels/items?{other}"), &gdal).status, 400);
    }
    let person = send_to(&place.app, Method::GET, path, &[("user-agent", "curl/8.5.0"), ("accept", "*/*")]);
    assert_eq!(person.status, StatusCode::OK);
    assert!(person.header("vary").contains("user-agent"), "{}", person.header("vary"));
}

#[test]
fn a_collection_says_from_when_on_its_record_can_be_asked() {
    let place = Place::demo();
    let listed = place.json("/collections");
    let one = place.json("/collections/parcels");
    let of_list = listed["collections"].as_array().unwrap().iter().find(|layer| layer["id"] == "parcels").unwrap();
    assert_eq!(of_list["extent"], one["extent"]);
    let temporal = &one["extent"]["temporal"];
    assert_eq!(temporal["trs"], "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian");
    assert!(temporal["interval"][0][1].is_null(), "{temporal}");
    let begins = temporal["interval"][0][0].as_str().unwrap();
    let at = |moment: &str| place.get(&format!("/collections/parcels/items?limit=1&datetime={moment}")).status;
    assert_eq!(at(begins), StatusCode::OK);
    let mutu::planner::When::At(first) = mutu::planner::When::parse(begins).unwrap() else { panic!("{begins}") };
    let before = mutu::domain::calendar::date_time_text(first - 1);
    assert_eq!(at(&before), StatusCode::NOT_FOUND, "{before}");
    // An edit moves nothing of it; what is compacted away is not promised any more.
    let (_, version) = feature(&place.planner.read(), "parcels", 9);
    let seq = place.commit(vec![Change::Delete { layer: layer("parcels"), id: 9, expects: version }]);
    assert_eq!(place.json("/collections/parcels")["extent"]["temporal"], *temporal);
    place.planner.compact(mutu::planner::Since::Seq(seq), "王工").unwrap();
    let later = place.json("/collections/parcels")["extent"]["temporal"]["interval"][0][0].as_str().unwrap().to_owned();
    assert!(later.as_str() > begins, "{later} {begins}");
    assert_eq!(at(&later), StatusCode::OK);
}
