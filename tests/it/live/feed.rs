//! The feed of changes: pages, single changes, streams that follow, end and go on.

use std::{
    future::poll_fn,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{Method, Request, StatusCode},
};
use mutu::{
    api::serve,
    domain::{
        edit::Change,
        feature::{Feature, Value},
        layer::Layer,
    },
    planner::{FeedEntry, ImportRequest, Seen, SeesAll, Sight},
};
use serde_json::Value as Json;
use tokio::{net::TcpListener, sync::oneshot};
use tower::ServiceExt;

use super::{Demo, parcels};
use crate::http::send_to;

/// The box around a feature's positions, from its GeoJSON.
fn box_of(features: &[&Json]) -> [f64; 4] {
    fn positions(value: &Json, found: &mut Vec<[f64; 2]>) {
        let list = value.as_array().unwrap();
        match list.first().and_then(Json::as_f64) {
            Some(x) => found.push([x, list[1].as_f64().unwrap()]),
            None => list.iter().for_each(|value| positions(value, found)),
        }
    }
    let mut found = Vec::new();
    for feature in features {
        positions(&feature["geometry"]["coordinates"], &mut found);
    }
    found.iter().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |b, [x, y]| {
        [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)]
    })
}

#[test]
fn an_entry_says_who_did_what_to_how_many_and_where_before_and_after() {
    let demo = Demo::new();
    let before = demo.head();
    let (kept, version) = demo.parcel(7);
    let (doomed, doomed_version) = demo.parcel(8);
    let mut moved = kept.clone();
    for at in moved.shape.as_mut().unwrap().coords_mut() {
        at.x += 0.01;
    }
    let mut added = kept.clone();
    added.id = 9001;
    let seq = demo.commit(
        vec![
            Change::Put { layer: parcels(), feature: moved, expects: Some(version) },
            Change::Delete { layer: parcels(), id: 8, expects: doomed_version },
            Change::Put { layer: parcels(), feature: added, expects: None },
        ],
        "三处",
    );
    let page = demo.json(&format!("/changes?since={before}"));
    assert_eq!(page["head"], seq);
    assert_eq!(page["changes"].as_array().unwrap().len(), 1);
    let entry = &page["changes"][0];
    assert_eq!(
        (&entry["seq"], &entry["author"], &entry["note"], &entry["kind"]),
        (&seq.into(), &"王".into(), &"三处".into(), &"edit".into())
    );
    let layer = &entry["layers"][0];
    assert_eq!(
        (&layer["id"], &layer["added"], &layer["changed"], &layer["removed"], &layer["whole"]),
        (&"parcels".into(), &1.into(), &1.into(), &1.into(), &false.into())
    );
    let one = demo.json(&format!("/changes/{seq}"));
    let features = one["features"].as_array().unwrap();
    let operations: Vec<&str> = features.iter().map(|f| f["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["changed", "removed", "added"]);
    let sides: Vec<&Json> =
        features.iter().flat_map(|f| [&f["before"], &f["after"]]).filter(|side| !side.is_null()).collect();
    assert_eq!(sides.len(), 4);
    let bbox: Vec<f64> = layer["bbox"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    // GeoJSON has nine decimals, the box all of them.
    for (told, found) in bbox.iter().zip(box_of(&sides)) {
        assert!((told - found).abs() < 1e-9, "{told} {found}");
    }
    assert_eq!(features[1]["before"]["id"], 8);
    let note = demo.planner.read().layer("parcels").unwrap().layer().schema.position("name");
    if let Some(place) = note {
        let Value::Text(name) = &doomed.values[place] else { panic!("a name") };
        assert_eq!(features[1]["before"]["properties"]["name"], name.as_str());
    }
}

#[test]
fn following_pages_gives_every_change_once_in_order() {
    let demo = Demo::new();
    let before = demo.head();
    for _ in 0..7 {
        demo.move_parcel(3, 1e-6);
    }
    let all = demo.json("/changes?since=0&limit=1000");
    let numbers: Vec<i64> = all["changes"].as_array().unwrap().iter().map(|c| c["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=before + 7).collect::<Vec<_>>());
    assert_eq!(all["links"].as_array().unwrap().len(), 1, "the last page has no next");
    let (mut path, mut seen) = ("/changes?limit=3".to_owned(), Vec::new());
    loop {
        let page = demo.json(&path);
        seen.extend(page["changes"].as_array().unwrap().iter().cloned());
        let next = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next");
        let Some(next) = next else { break };
        path = next["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap().to_owned();
    }
    assert_eq!(Json::Array(seen), all["changes"]);
}

#[test]
fn an_edit_of_many_features_comes_in_pages() {
    let demo = Demo::new();
    let ids: Vec<i64> = (1..=25).collect();
    let changes = ids
        .iter()
        .map(|id| {
            let (feature, version) = demo.parcel(*id);
            Change::Put { layer: parcels(), feature, expects: Some(version) }
        })
        .collect();
    let seq = demo.commit(changes, "many");
    let (mut path, mut seen) = (format!("/changes/{seq}?limit=10"), Vec::new());
    let mut pages = 0;
    loop {
        let page = demo.json(&path);
        pages += 1;
        seen.extend(page["features"].as_array().unwrap().iter().map(|f| f["id"].as_i64().unwrap()));
        let next = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next");
        let Some(next) = next else { break };
        path = next["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap().to_owned();
    }
    assert_eq!((pages, seen), (3, ids));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let demo = Demo::new();
    for (path, status, word) in [
        ("/changes?since=-1", 400, "since"),
        ("/changes?since=x", 400, "since"),
        ("/changes?limit=0", 400, "limit"),
        ("/changes?after=3", 400, "after"),
        ("/changes?f=sse&limit=3", 400, "limit"),
        ("/changes/0", 404, "0"),
        ("/changes/99999", 404, "99999"),
        ("/changes/01", 404, "01"),
        ("/changes/1?from=x", 400, "from"),
    ] {
        let answer = send_to(&demo.app(), Method::GET, path, &[]);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{path}: {}", answer.text());
    }
    let html = send_to(&demo.app(), Method::GET, "/changes?lang=zh", &[("accept", "text/html")]);
    assert!(html.text().contains("变更记录"), "{}", html.text());
}

/// The layers' own rule: of the parcels those of even ids, of the rest nothing.
struct EvenParcels;

impl Sight for EvenParcels {
    fn of_layer(&self, layer: &str) -> Seen {
        if layer == "parcels" { Seen::Some } else { Seen::Nothing }
    }

    fn shows(&self, layer: &Layer, features: &[&Feature]) -> Vec<bool> {
        assert_eq!(layer.id, parcels());
        features.iter().map(|feature| feature.id % 2 == 0).collect()
    }
}

#[test]
fn who_may_see_a_part_is_told_of_that_part_alone() {
    let demo = Demo::new();
    let before = demo.head();
    demo.move_parcel(11, 1e-6);
    let both = [12, 13].map(|id| {
        let (feature, version) = demo.parcel(id);
        Change::Put { layer: parcels(), feature, expects: Some(version) }
    });
    let seq = demo.commit(both.to_vec(), "both");
    let all = demo.planner.changes_since(0, 1000, &SeesAll).unwrap();
    assert_eq!(all.entries.len() as i64, seq);
    let part = demo.planner.changes_since(0, 1000, &EvenParcels).unwrap();
    let layers = |entry: &FeedEntry| entry.layers.iter().map(|layer| layer.id.clone()).collect::<Vec<_>>();
    assert!(part.entries.iter().all(|entry| layers(entry) == ["parcels"]), "{part:?}");
    let edits: Vec<&FeedEntry> = part.entries.iter().filter(|entry| entry.seq > before).collect();
    assert_eq!(edits.len(), 1);
    assert_eq!((edits[0].seq, edits[0].layers[0].counts.unwrap().changed), (seq, 1));
    let (_, changes, more) = demo.planner.change(seq, (0, 10), &EvenParcels).unwrap().unwrap();
    assert_eq!((changes.len(), changes[0].change.id, more), (1, 12, false));
    assert_eq!(demo.planner.change(before + 1, (0, 10), &EvenParcels).unwrap().map(|found| found.0), None);
    assert_eq!((part.head, part.until), (seq, seq));
}

/// A stream, read event by event.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(app: &Router, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event's fields; none at the end of the stream.
    async fn next(&mut self) -> Option<(String, String, Json)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let found = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.unwrap_or_default().to_owned()
                };
                let read = (field("id"), field("event"), serde_json::from_str(&field("data")).unwrap_or_default());
                self.text = rest.to_owned();
                return Some(read);
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await?;
            self.text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_what_the_record_says_and_goes_on_where_it_was() {
    let demo = Arc::new(tokio::task::spawn_blocking(Demo::new).await.unwrap());
    let (app, before) = (demo.app(), demo.head());
    let mut live = Stream::open(&app, "/changes", &[("accept", "text/event-stream")]).await;
    let (id, event, data) = live.next().await.unwrap();
    assert_eq!((id.as_str(), event.as_str(), &data["head"]), (before.to_string().as_str(), "head", &before.into()));
    let worker = Arc::clone(&demo);
    let seqs = tokio::task::spawn_blocking(move || [1, 2, 3].map(|id| worker.move_parcel(id, 1e-5))).await.unwrap();
    let mut told = Vec::new();
    for seq in seqs {
        let (id, event, data) = live.next().await.unwrap();
        assert_eq!((id, event.as_str()), (seq.to_string(), "change"));
        told.push(data);
    }
    let worker = Arc::clone(&demo);
    let page = tokio::task::spawn_blocking(move || worker.json(&format!("/changes?since={before}"))).await.unwrap();
    assert_eq!(Json::Array(told.clone()), page["changes"]);
    // Whoever comes again has missed nothing, whether the server still has the entries at hand or has begun anew.
    for app in [app, demo.app()] {
        let header = seqs[0].to_string();
        let mut again = Stream::open(&app, "/changes?f=sse&since=0", &[("last-event-id", &header)]).await;
        assert_eq!(again.next().await.unwrap().1, "head");
        assert_eq!(again.next().await.unwrap().2, told[1]);
        assert_eq!(again.next().await.unwrap().2, told[2]);
    }
    let mut ahead = Stream::open(&demo.app(), "/changes?f=sse&since=100000", &[]).await;
    let (id, event, data) = ahead.next().await.unwrap();
    assert_eq!((id, event.as_str(), &data["head"]), (seqs[2].to_string(), "reset", &seqs[2].into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_shows_in_the_stream_as_a_whole_layer() {
    let demo = Arc::new(tokio::task::spawn_blocking(Demo::new).await.unwrap());
    let mut live = Stream::open(&demo.app(), "/changes?f=sse", &[]).await;
    live.next().await.unwrap();
    let worker = Arc::clone(&demo);
    tokio::task::spawn_blocking(move || {
        let file = worker.folder.path().join("new.geojson");
        let point = r#"{"type":"Feature","properties":{"a":1},"geometry":{"type":"Point","coordinates":[112.9,22.7]}}"#;
        std::fs::write(&file, point).unwrap();
        worker.planner.import(&ImportRequest { file, ..ImportRequest::default() }, &mut |_| ()).unwrap();
    })
    .await
    .unwrap();
    let (_, _, data) = live.next().await.unwrap();
    assert_eq!((&data["kind"], &data["layers"][0]["id"]), (&"import".into(), &"new".into()));
    assert_eq!((&data["layers"][0]["whole"], &data["layers"][0]["added"]), (&true.into(), &1.into()));
}

#[test]
fn an_import_tells_how_many_features_it_brought_and_how_many_gave_way() {
    use mutu::planner::IfExists;
    let demo = Demo::new();
    let import = |count: usize, if_exists: IfExists| {
        let file = demo.folder.path().join("new.geojson");
        let point = |i: usize| {
            format!(
                r#"{{"type":"Feature","properties":{{"a":{i}}},"geometry":{{"type":"Point","coordinates":[112.9,22.{i}]}}}}"#
            )
        };
        let points: Vec<String> = (1..=count).map(point).collect();
        std::fs::write(&file, format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, points.join(","))).unwrap();
        let request = ImportRequest { file, if_exists, ..ImportRequest::default() };
        demo.planner.import(&request, &mut |_| ()).unwrap();
        let seq = demo.planner.read().seq();
        let page = demo.planner.changes_since(seq - 1, 1, &SeesAll).unwrap();
        let layer = &page.entries[0].layers[0];
        assert!(layer.is_whole);
        layer.counts.map(|counts| (counts.added, counts.changed, counts.removed))
    };
    assert_eq!(import(5, IfExists::Refuse), Some((5, 0, 0)));
    assert_eq!(import(3, IfExists::Append), Some((3, 0, 0)));
    // Two of the eight are deleted, one is made.
    let table = |id: i64| {
        let catalog = demo.planner.read();
        let table = catalog.layer("new").unwrap().table();
        table.version(table.row_of(id).unwrap())
    };
    let gone = |id: i64| Change::Delete { layer: "new".parse().unwrap(), id, expects: table(id) };
    let made = Feature { id: -1, shape: None, values: vec![Value::Integer(9)] };
    let made = Change::Put { layer: "new".parse().unwrap(), feature: made, expects: None };
    let edit = mutu::domain::edit::Edit { changes: vec![gone(1), gone(7), made], ..Default::default() };
    demo.planner.commit(&edit).unwrap();
    assert_eq!(import(4, IfExists::Replace), Some((4, 0, 7)));
    assert_eq!(import(1, IfExists::Replace), Some((1, 0, 4)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_too_many_is_refused_and_one_that_ends_makes_room() {
    let demo = Arc::new(tokio::task::spawn_blocking(Demo::new).await.unwrap());
    let app = demo.app();
    let mut streams = Vec::new();
    let refused = loop {
        let request = Request::builder().uri("/changes?f=sse").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        if response.status() != StatusCode::OK {
            break response;
        }
        streams.push(response.into_body());
        assert!(streams.len() <= 1024, "streams without bound");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(streams.len() >= 500, "{}", streams.len());
    drop(streams);
    let patience = Instant::now();
    loop {
        let request = Request::builder().uri("/changes?f=sse").body(Body::empty()).unwrap();
        if app.clone().oneshot(request).await.unwrap().status() == StatusCode::OK {
            break;
        }
        assert!(patience.elapsed() < Duration::from_secs(20), "streams that ended keep their places");
        tokio::task::yield_now().await;
    }
}

/// A connection of its own to a server, with a stream that has begun.
fn connected(address: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /changes?f=sse HTTP/1.1\r\nHost: mutu.test\r\n\r\n").unwrap();
    read_until(&mut connection, "event: head");
    connection
}

fn read_until(connection: &mut TcpStream, word: &str) {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains(word) {
        let count = connection.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

#[test]
fn five_hundred_listeners_hear_within_a_second_and_a_stop_ends_their_streams_well() {
    let demo = Demo::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let state = demo.state();
    let server = runtime.spawn(serve(listener, state, async {
        let _ = stopped.await;
    }));
    let mut connections: Vec<TcpStream> = (0..500).map(|_| connected(address)).collect();
    let seq = demo.move_parcel(5, 1e-5);
    let acknowledged = Instant::now();
    for connection in &mut connections {
        read_until(connection, &format!("id: {seq}\n"));
    }
    assert!(acknowledged.elapsed() < Duration::from_secs(1), "{:?}", acknowledged.elapsed());
    stop.send(()).unwrap();
    let asked = Instant::now();
    for mut connection in connections {
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"0\r\n\r\n"), "the stream was cut: {:?}", String::from_utf8_lossy(&rest));
    }
    runtime.block_on(server).unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(8), "streams kept the server: {:?}", asked.elapsed());
}
