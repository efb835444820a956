//! The very requests that QGIS 3.32 and later send when a user edits a layer of OGC API - Features.
//!
//! Source: `src/providers/wfs/oapif` of QGIS 3.44 (`qgsoapifprovider.cpp`, `qgsoapif*featurerequest.cpp`): no request
//! carries `If-Match`; `Content-Crs` comes without angle brackets; new features have every field of the layer, derived
//! ones too, as null; a moved vertex is a merge patch with the geometry, a changed attribute one with the attribute.

use serde_json::{Value, json};

use super::{GEOJSON, PATCH, square};
use crate::http::{Answer, Own};

/// A running QGIS: it sends its name, and the cookies that it was given.
struct Qgis<'o> {
    own: &'o Own,
    cookie: std::cell::RefCell<String>,
}

impl<'o> Qgis<'o> {
    fn new(own: &'o Own) -> Self {
        Self { own, cookie: std::cell::RefCell::default() }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookie = self.cookie.borrow().clone();
        let mut all = vec![("user-agent", "Mozilla/5.0 QGIS/34400/Debian GNU/Linux 12 (bookworm)")];
        if !cookie.is_empty() {
            all.push(("cookie", &cookie));
        }
        all.extend(headers);
        let answer = self.own.send(method, path, &all, body);
        if let Some(set) = answer.header("set-cookie").split(';').next().filter(|set| !set.is_empty()) {
            *self.cookie.borrow_mut() = set.to_owned();
        }
        answer
    }

    /// The provider opens the layer and downloads it.
    fn open(&self) {
        let accept = ("accept", "application/geo+json, application/json");
        let first = self.send("GET", "/collections/parcels/items?limit=10", &[accept], "");
        assert_eq!(first.status, 200);
        let options = self.send("OPTIONS", "/collections/parcels/items", &[], "");
        assert!(allows(&options, "POST"));
        let id = first.json()["features"][0]["id"].clone();
        let options = self.send("OPTIONS", &format!("/collections/parcels/items/{id}"), &[], "");
        assert!(["PUT", "PATCH", "DELETE"].iter().all(|method| allows(&options, method)));
        let page = self.send("GET", "/collections/parcels/items?limit=1000", &[accept], "");
        assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
        assert!(page.header("etag").is_empty());
    }

    fn set_note(&self, id: i64, note: &str) -> Answer {
        let body = json!({ "properties": { "note": note } }).to_string();
        self.send("PATCH", &format!("/collections/parcels/items/{id}"), &[PATCH], &body)
    }
}

/// As `QgsBaseNetworkRequest::sendOPTIONS` reads it.
fn allows(answer: &Answer, method: &str) -> bool {
    answer.header("allow").split(',').any(|allowed| allowed.trim() == method)
}

fn note_of(own: &Own, id: i64) -> Value {
    own.get(&format!("/collections/parcels/items/{id}")).json()["properties"]["note"].clone()
}

#[test]
fn a_user_of_qgis_adds_moves_fills_in_and_deletes() {
    let own = Own::new();
    let qgis = Qgis::new(&own);
    qgis.open();
    let fields: Vec<String> = own.get("/collections/parcels/schema").json()["properties"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| *name != "geometry")
        .cloned()
        .collect();
    let mut properties: serde_json::Map<String, Value> = fields.into_iter().map(|name| (name, Value::Null)).collect();
    properties.insert("code".to_owned(), json!("Q-1"));
    // The layer's CRS in QGIS is storageCrs, EPSG:4490, which is north first; QGIS turns the coordinates round.
    let turned: Vec<Vec<f64>> = square(112.95, 22.6)[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| vec![c[1].as_f64().unwrap(), c[0].as_f64().unwrap()])
        .collect();
    let crs = ("content-crs", "http://www.opengis.net/def/crs/EPSG/0/4490");
    let feature = json!({ "geometry": { "coordinates": [turned], "type": "Polygon" }, "properties": properties, "type": "Feature" });
    let added = qgis.send("POST", "/collections/parcels/items", &[GEOJSON, crs], &feature.to_string());
    assert_eq!(added.status, 201, "{}", added.text());
    // QGIS takes what follows /items/ for the id.
    let location = added.header("location");
    let id: i64 = location[location.rfind("/items/").unwrap() + 7..].parse().unwrap();
    let read = qgis.send("GET", &format!("/collections/parcels/items/{id}"), &[], "");
    assert_eq!(read.json()["geometry"]["coordinates"], square(112.95, 22.6));
    let moved: Vec<Vec<f64>> = turned.iter().map(|c| vec![c[0], c[1] + 0.0001]).collect();
    let body = json!({ "geometry": { "coordinates": [moved], "type": "Polygon" } }).to_string();
    let path = format!("/collections/parcels/items/{id}");
    let answer = qgis.send("PATCH", &path, &[PATCH, crs], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(qgis.set_note(id, "外业核实").status, 200);
    assert_eq!(note_of(&own, id), "外业核实");
    let gone = qgis.send("DELETE", &path, &[], "");
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(own.get(&path).status, 404);
}

#[test]
fn qgis_does_not_overwrite_what_another_did_meanwhile() {
    let own = Own::new();
    let (qgis, other) = (Qgis::new(&own), Qgis::new(&own));
    // Never told about the feature: refused.
    assert_eq!(qgis.set_note(5, "盲改").status, 428);
    qgis.open();
    other.open();
    assert_eq!(qgis.set_note(5, "第一").status, 200);
    // Its own change is known to it, the other window was told of the version before.
    assert_eq!(qgis.set_note(5, "第二").status, 200);
    let late = other.set_note(5, "后到");
    assert_eq!((late.status.as_u16(), &late.json()["current"]["properties"]["note"]), (412, &json!("第二")));
    assert_eq!(other.send("DELETE", "/collections/parcels/items/5", &[], "").status, 412);
    assert_eq!(note_of(&own, 5), "第二");
    // After a reload it may.
    other.open();
    assert_eq!(other.set_note(5, "后到").status, 200);
    // What it knows is known of it alone: no other program profits from it.
    let body = json!({ "properties": { "note": "别的程序" } }).to_string();
    assert_eq!(own.send("PATCH", "/collections/parcels/items/5", &[PATCH], &body).status, 428);
}
