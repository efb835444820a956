//! Edits of single parcels in a workspace of many, as one process does them: how long until they are durable, what they
//! cost in memory, how soon questions see them and listeners hear of them, and what reading costs after many of them.
//! Changes the workspace it is given.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Instant,
};

use mutu::{
    api::{AppState, serve},
    catalog::Catalog,
    config::ServerConfig,
    domain::{
        edit::{Change, Edit},
        feature::Feature,
        schema::LayerId,
    },
    planner::{Planner, StatisticsQuestion, statistics},
};
use serde_json::{Value, json};

use super::{Outcome, World, resident_mb, tile_of};

/// Edits before which nothing is timed: what the first ones open later ones find open.
const FIRST: usize = 20;
const LISTENERS: usize = 500;

/// All figures of `count` edits, one after the other.
pub fn measure(workspace: &Path, count: usize) -> Outcome<Value> {
    let planner = Arc::new(Planner::open(workspace)?);
    planner.load(&mut |_| ())?;
    planner.warm_up();
    let question = StatisticsQuestion { group_by: Some("town".to_owned()), ..StatisticsQuestion::default() };
    let ask = |catalog: &Catalog| statistics(catalog, "parcels", &question).map(|answer| answer.total.count);
    let _warm = ask(&planner.read())?;
    let ids: Vec<i64> = planner.read().layer("parcels").ok_or("no parcels")?.table().segments()[0].ids().to_vec();
    let pick = |number: usize| ids[number * 7919 % ids.len()];
    let reads_before = reads(&planner.read())?;
    for number in 0..FIRST {
        commit(&planner, &[pick(count + number)])?;
    }
    let before_mb = resident_mb()?;
    let (mut commits, mut seen, start) = (Vec::new(), Vec::new(), Instant::now());
    for number in 0..count {
        let start = Instant::now();
        commit(&planner, &[pick(number)])?;
        commits.push(start.elapsed());
        if number % 20 == 0 {
            let start = Instant::now();
            let _ = ask(&planner.read())?;
            seen.push(start.elapsed());
        }
    }
    let took = start.elapsed();
    let after_mb = resident_mb()?;
    let state = Arc::clone(planner.read().layer("parcels").ok_or("no parcels")?);
    let segments = state.table().segments().len();
    drop(state);
    let reads_after = reads(&planner.read())?;
    let heard = feed(&planner, pick(3))?;
    let ms = |took: std::time::Duration| took.as_secs_f64() * 1000.0;
    commits.sort_unstable();
    seen.sort_unstable();
    Ok(json!({
        "count": count,
        "seconds": took.as_secs_f64(),
        "commit_p50_ms": ms(commits[count / 2]),
        "commit_p99_ms": ms(commits[count * 99 / 100]),
        "commit_max_ms": ms(commits[count - 1]),
        "statistics_after_edit_p50_ms": ms(seen[seen.len() / 2]),
        "statistics_after_edit_max_ms": ms(seen[seen.len() - 1]),
        "kb_per_edit": (after_mb - before_mb) * 1024.0 / count as f64,
        "rss_mb": [before_mb, after_mb, resident_mb()?],
        "segments": segments,
        "reads_before": reads_before,
        "reads_after": reads_after,
        "listeners": LISTENERS,
        "heard_ms": ms(heard),
    }))
}

/// Milliseconds of reads, each the middle of nine: a box of some 550 parcels (the mean of 2,000), statistics, a tile.
fn reads(catalog: &Catalog) -> Outcome<Value> {
    let parcels = catalog.layer("parcels").ok_or("no parcels")?;
    let table = parcels.table();
    let step = (table.len() / 2000).max(1);
    let corners = table.rows().step_by(step).filter_map(|row| Some(table.shape(row)?.bounds()?.min));
    let points: Vec<_> = corners.collect();
    let tile = tile_of(parcels, 14, None)?;
    let world = World { catalog, parcels, points: &points, tile: Some(tile) };
    let middle = |task: &str| -> Outcome<f64> {
        let mut took = Vec::new();
        // The first answers measure what all later ones find.
        for turn in 0..10 {
            let start = Instant::now();
            world.run(task)?;
            if turn > 0 {
                took.push(start.elapsed().as_secs_f64() * 1000.0);
            }
        }
        took.sort_by(f64::total_cmp);
        Ok(took[took.len() / 2])
    };
    Ok(json!({ "box": middle("boxes")? / 2000.0, "statistics": middle("stats")?, "tile": middle("tile")? }))
}

/// Parcels with their rings moved by a hair, in the versions that they are in.
fn changes_of(catalog: &Catalog, ids: &[i64]) -> Outcome<Vec<Change>> {
    let state = catalog.layer("parcels").ok_or("no parcels")?;
    let table = state.table();
    let layer: LayerId = "parcels".parse()?;
    let change = |id: &i64| -> Outcome<Change> {
        let row = table.row_of(*id).ok_or("no such parcel")?;
        let held = table.feature(row);
        let mut shape = held.shape.map(|shape| shape.to_shape());
        for at in shape.iter_mut().flat_map(mutu::ground::shape::Shape::coords_mut) {
            at.x += 1e-8;
        }
        let values = held.values.iter().map(|value| value.to_value()).collect();
        let feature = Feature { id: *id, shape, values };
        Ok(Change::Put { layer: layer.clone(), feature, expects: Some(table.version(row)) })
    };
    ids.iter().map(change).collect()
}

fn edit_of(changes: Vec<Change>) -> Edit {
    Edit { author: "bench".to_owned(), note: "moved by a hair".to_owned(), changes, lineage: Vec::new() }
}

fn commit(planner: &Planner, ids: &[i64]) -> Outcome<i64> {
    Ok(planner.commit(&edit_of(changes_of(&planner.read(), ids)?))?.seq)
}

/// From the acknowledgement of an edit until the last of all listeners has heard of it.
fn feed(planner: &Arc<Planner>, id: i64) -> Outcome<std::time::Duration> {
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let state = AppState::new(Arc::clone(planner), ServerConfig::new("bench.gpkg".into(), address));
    let server = runtime.spawn(serve(listener, state, async {
        let _ = stopped.await;
    }));
    let mut streams = (0..LISTENERS).map(|_| connected(address)).collect::<Outcome<Vec<TcpStream>>>()?;
    let seq = commit(planner, &[id])?;
    let start = Instant::now();
    for stream in &mut streams {
        read_until(stream, &format!("id: {seq}\n"))?;
    }
    let heard = start.elapsed();
    drop(streams);
    let _ = stop.send(());
    runtime.block_on(server)??;
    Ok(heard)
}

fn connected(address: SocketAddr) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /changes?f=sse HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    read_until(&mut stream, "event: head")?;
    Ok(stream)
}

fn read_until(stream: &mut TcpStream, word: &str) -> Outcome<()> {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains(word) {
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Err("a stream ended".into());
        }
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    Ok(())
}
