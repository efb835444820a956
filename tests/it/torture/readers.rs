//! Readers during writes see one version each, never parts of two: items, statistics, tiles and exports over HTTP, and
//! a second connection to the file.
//!
//! The writer keeps a sum over two layers: what it takes from a parcel it gives to a park, in one edit. Whoever reads
//! both from one picture finds the sum unchanged; within each layer the values of one answer name one edit.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use axum::http::Method;
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value},
    },
    planner::{Planner, StatisticsQuestion},
    store::Reader,
};

use super::{
    long, scratch,
    session::{PARCELS, PARKS, State, feature, shown, stored},
    workspace_in,
    writers::shared,
};
use crate::http::send_to;

/// So many parcels and parks are changed by each edit, all to the same number.
const MARKED: i64 = 6;
/// What the numbers of a parcel and of a park of the same id give together.
const SUM: i64 = 1_000_000;

fn marked(id: i64, number: i64) -> Feature {
    let mut feature = feature(id, 0);
    feature.values[0] = Value::Text("标".to_owned());
    feature.values[1] = Value::Integer(number);
    feature
}

/// Edit `seq`: each marked parcel gets the number `seq`, each marked park the rest; every third edit takes parcel 40 away
/// and the one after brings it back, so that counts move too.
fn edit(planner: &Planner, seq: i64) -> Edit {
    let catalog = planner.read();
    let version = |layer: &str, id| {
        let table = catalog.layer(layer).unwrap().table();
        table.row_of(id).map(|row| table.version(row))
    };
    let mut changes = Vec::new();
    for (layer, number) in [(PARCELS, seq), (PARKS, SUM - seq)] {
        for id in 1..=MARKED {
            let put =
                Change::Put { layer: layer.parse().unwrap(), feature: marked(id, number), expects: version(layer, id) };
            changes.push(put);
        }
    }
    let layer = PARCELS.parse().unwrap();
    match version(PARCELS, 40) {
        Some(expects) if seq % 3 == 0 => changes.push(Change::Delete { layer, id: 40, expects }),
        None => changes.push(Change::Put { layer, feature: feature(40, 0), expects: None }),
        Some(_) => {}
    }
    Edit { author: "王工".to_owned(), note: format!("第{seq}次"), changes, lineage: vec![] }
}

/// The number of an edit that a picture of both layers shows, where it shows one and no other.
fn one_edit(state: &State, seq: i64) {
    for id in 1..=MARKED {
        let number = |layer: &str| match state[layer][&id].0.values[1] {
            Value::Integer(number) => number,
            ref other => panic!("{other:?}"),
        };
        assert_eq!((number(PARCELS), number(PARKS)), (seq, SUM - seq), "parts of two edits in one picture");
        assert_eq!((state[PARCELS][&id].1, state[PARKS][&id].1), (seq, seq));
    }
    assert_eq!(state[PARCELS].contains_key(&40), seq % 3 != 0, "a picture of edit {seq} with the features of another");
}

/// Stops the readers, also when the writer fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn value_in(text: &str, key: &str) -> Vec<i64> {
    let answer: serde_json::Value = serde_json::from_str(text).unwrap();
    let features = answer["features"].as_array().unwrap();
    features.iter().map(|feature| feature["properties"][key].as_i64().unwrap()).collect()
}

#[test]
fn readers_during_writes_always_see_one_version() {
    let edits: i64 = if long() { 5000 } else { 300 };
    let folder = scratch();
    let planner = shared(folder.path());
    let path = workspace_in(folder.path());
    planner.commit(&edit(&planner, 3)).unwrap();
    let mut config = ServerConfig::new(path.clone(), "127.0.0.1:8080".parse().unwrap());
    config.base_url = "http://mutu.test".to_owned();
    let app = router(AppState::new(planner.clone(), config));
    let (done, looks) = (AtomicBool::new(false), AtomicI64::new(0));
    // Each kind of reader looks again and again and returns the number of the edit that it saw.
    let watch = |look: &dyn Fn() -> i64| {
        let (mut last, mut seen) = (0, 0);
        while !done.load(Ordering::Acquire) {
            let seq = look();
            assert!(seq >= last, "a reader went back from edit {last} to {seq}");
            seen += i64::from(seq != last);
            last = seq;
            looks.fetch_add(1, Ordering::Relaxed);
        }
        seen
    };
    let get = |url: &str| {
        let answer = send_to(&app, Method::GET, url, &[]);
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
        answer
    };
    let all_same = |numbers: &[i64], count: i64| {
        assert_eq!(numbers.len() as i64, count);
        assert!(numbers.iter().all(|number| *number == numbers[0]), "parts of two edits in one answer: {numbers:?}");
        numbers[0]
    };
    let catalog = || {
        let picture = planner.read();
        one_edit(&shown(&picture), picture.seq());
        let question = StatisticsQuestion { filter: Some("地块编号 = '标'".to_owned()), ..Default::default() };
        let told = mutu::planner::statistics(&picture, PARCELS, &question).unwrap();
        assert_eq!(told.total.count as i64, MARKED);
        picture.seq()
    };
    let file = || {
        let reader = Reader::open(&path).unwrap();
        one_edit(&stored(&reader).unwrap(), reader.seq());
        reader.seq()
    };
    let items = || {
        let answer = get(&format!("/collections/{PARCELS}/items?地块编号=标"));
        all_same(&value_in(&answer.text(), "序号"), MARKED)
    };
    let export = || {
        let answer = get(&format!("/collections/{PARKS}/export?f=geojson&地块编号=标"));
        SUM - all_same(&value_in(&answer.text(), "序号"), MARKED)
    };
    let statistics = || {
        let answer = get(&format!("/collections/{PARCELS}/statistics?group-by=序号&地块编号=标")).json();
        let groups = answer["groups"].as_array().unwrap();
        assert_eq!((groups.len(), groups[0]["count"].as_i64()), (1, Some(MARKED)), "{answer}");
        groups[0]["key"]["序号"].as_i64().unwrap()
    };
    let tile = || {
        // All of them lie in this tile.
        let answer = get(&format!("/collections/{PARCELS}/tiles/WebMercatorQuad/9/223/416"));
        let reader = fast_mvt::MvtReaderRef::new(&answer.body).unwrap();
        let layer = reader.layers().next().unwrap();
        let mut numbers = Vec::new();
        for feature in layer.features() {
            let value = |wanted: &str| {
                let mut properties = feature.properties().map(Result::unwrap);
                properties.find(|(key, _)| *key == wanted).map(|(_, value)| format!("{value:?}"))
            };
            if value("地块编号").is_some_and(|text| text.contains('标')) {
                let digits: String = value("序号").unwrap().chars().filter(char::is_ascii_digit).collect();
                numbers.push(digits.parse::<i64>().unwrap());
            }
        }
        all_same(&numbers, MARKED)
    };
    let readers: [(&str, &(dyn Fn() -> i64 + Sync)); 6] = [
        ("the picture", &catalog),
        ("a second connection", &file),
        ("items", &items),
        ("an export", &export),
        ("statistics", &statistics),
        ("a tile", &tile),
    ];
    let seen: Vec<i64> = std::thread::scope(|scope| {
        let (watch, stop) = (&watch, Stop(&done));
        let running: Vec<_> = readers.iter().map(|(_, look)| scope.spawn(move || watch(look))).collect();
        // The writer goes on until every reader had its looks: it never waits for one, nor one for it.
        let mut seq = 3;
        while seq < edits || looks.load(Ordering::Relaxed) < edits {
            seq += 1;
            if running.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                break;
            }
            assert_eq!(planner.commit(&edit(&planner, seq)).unwrap().seq, seq);
        }
        drop(stop);
        running.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let told: Vec<String> = readers.iter().zip(&seen).map(|((name, _), seen)| format!("{name} {seen}")).collect();
    eprintln!("{} looks by six readers; versions seen: {}", looks.into_inner(), told.join(", "));
    assert!(seen.iter().all(|seen| *seen > 3), "a reader saw no writes: {told:?}");
}
