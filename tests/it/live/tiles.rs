//! Tiles that were kept are those that would be made anew, whatever was edited; readers see one moment.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use axum::http::{Method, StatusCode};
use mutu::domain::{edit::Change, feature::Value};

use super::{Demo, parcels};
use crate::http::send_to;

#[test]
fn a_kept_tile_is_what_would_be_made_anew_after_any_edit() {
    let demo = Demo::new();
    let app = demo.app();
    let extent = demo.planner.read().layer("parcels").unwrap().extent().unwrap();
    let set = mutu::domain::tile_matrix::TileMatrixSet::WebMercatorQuad;
    let mut paths = Vec::new();
    for zoom in [9, 12, 14] {
        let limits = set.limits(zoom, &extent);
        for (row, column) in [
            (limits.rows.0, limits.columns.0),
            (limits.rows.1, limits.columns.1),
            (u32::midpoint(limits.rows.0, limits.rows.1), u32::midpoint(limits.columns.0, limits.columns.1)),
        ] {
            for query in ["", "?properties=note", "?filter=note%20IS%20NULL%20OR%20note%20%3C%3E%20%27x%27"] {
                paths.push(format!("/collections/parcels/tiles/WebMercatorQuad/{zoom}/{row}/{column}{query}"));
            }
        }
    }
    let note = demo.planner.read().layer("parcels").unwrap().layer().schema.position("note").unwrap();
    let ids: Vec<i64> = demo.planner.read().layer("parcels").unwrap().table().segments()[0].ids().to_vec();
    let mut unchanged = 0;
    let mut tags: Vec<String> = vec![String::new(); paths.len()];
    for round in 0..12_usize {
        let id = ids[(round * 7919) % ids.len()];
        match round % 4 {
            0 => _ = demo.move_parcel(id, 0.002),
            1 => {
                let (mut feature, version) = demo.parcel(id);
                feature.values[note] = Value::Text("x".to_owned());
                demo.commit(vec![Change::Put { layer: parcels(), feature, expects: Some(version) }], "noted");
            }
            2 => {
                let (mut feature, _) = demo.parcel(id);
                feature.id = 90_000 + round as i64;
                demo.commit(vec![Change::Put { layer: parcels(), feature, expects: None }], "copied");
            }
            _ => demo.planner.settle(),
        }
        let fresh = demo.app();
        for (path, tag) in paths.iter().zip(&mut tags) {
            let kept = send_to(&app, Method::GET, path, &[("if-none-match", tag)]);
            let made = send_to(&fresh, Method::GET, path, &[]);
            if kept.status == StatusCode::NOT_MODIFIED {
                assert_eq!(made.header("etag"), tag, "{path} after round {round}");
                unchanged += 1;
                continue;
            }
            assert_eq!((kept.status, kept.header("etag")), (made.status, made.header("etag")), "{path}, {round}");
            assert_eq!(kept.body, made.body, "{path} after round {round}");
            *tag = made.header("etag").to_owned();
        }
    }
    assert!(unchanged > paths.len() * 6, "{unchanged} of {} tiles were told to be unchanged", paths.len() * 12);
}

#[test]
fn readers_during_writes_see_one_moment_each() {
    let demo = Demo::new();
    let column = demo.planner.read().layer("parcels").unwrap().layer().schema.position("note").unwrap();
    // Every edit writes its own number into three parcels: whoever sees two numbers has seen two moments.
    let trio = [21, 22, 1023];
    let stop = AtomicBool::new(false);
    let write = |round: i64| {
        let changes = trio.map(|id| {
            let (mut feature, version) = demo.parcel(id);
            feature.values[column] = Value::Text(round.to_string());
            Change::Put { layer: parcels(), feature, expects: Some(version) }
        });
        demo.commit(changes.to_vec(), "three at once")
    };
    write(0);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut pictures) = (0, 0);
                    while !stop.load(Ordering::Acquire) {
                        let catalog = demo.planner.read();
                        assert!(catalog.seq() >= last, "the picture went back");
                        pictures += u64::from(catalog.seq() > last);
                        last = catalog.seq();
                        let table = catalog.layer("parcels").unwrap().table();
                        let seen = trio.map(|id| {
                            let row = table.row_of(id).unwrap();
                            (table.version(row), table.value(row, column).to_value())
                        });
                        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
                        assert!(seen[0].0 <= last);
                    }
                    pictures
                })
            })
            .collect();
        let last = (1..150).fold(0, |_, number| write(number));
        stop.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().unwrap() > 1);
        }
        assert_eq!(demo.head(), last);
    });
}
