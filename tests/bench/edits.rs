//! Edits of a workspace of many parcels, as one process does them: how long until they are durable, what they cost in
//! memory, how soon questions see them and listeners hear of them. Changes the workspace it is given.

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
    planner::{Planner, Standard, StatisticsQuestion, statistics},
};
use serde_json::{Value, json};

use super::{Outcome, resident_mb};

/// Single edits that are timed.
const SINGLE: usize = 1000;
/// Features of the large edit.
const MANY: usize = 100_000;
const LISTENERS: usize = 500;

/// All figures of edits.
pub fn measure(workspace: &Path) -> Outcome<Value> {
    let planner = Arc::new(Planner::open(workspace)?);
    planner.load(&mut |_| ())?;
    planner.warm_up();
    let question = StatisticsQuestion { group_by: Some("town".to_owned()), ..StatisticsQuestion::default() };
    let ask = |catalog: &Catalog| statistics(catalog, "parcels", &question).map(|answer| answer.total.count);
    let _warm = ask(&planner.read())?;
    let ids: Vec<i64> = planner.read().layer("parcels").ok_or("no parcels")?.table().segments()[0].ids().to_vec();
    let pick = |number: usize| ids[number * 7919 % ids.len()];
    // The first edit opens what later ones find open.
    let _ = commit(&planner, &[pick(SINGLE + 1)])?;
    let before_mb = resident_mb()?;
    let (mut commits, mut seen) = (Vec::new(), Vec::new());
    for number in 0..SINGLE {
        let start = Instant::now();
        commit(&planner, &[pick(number)])?;
        commits.push(start.elapsed());
        if number % 20 == 0 {
            let start = Instant::now();
            let _ = ask(&planner.read())?;
            seen.push(start.elapsed());
        }
    }
    let after_mb = resident_mb()?;
    let applied = {
        let catalog = planner.read();
        let changes = changes_of(&catalog, &ids[..MANY.min(ids.len())])?;
        let start = Instant::now();
        let next = catalog.apply(&changes, catalog.seq() + 1)?;
        let took = start.elapsed();
        drop(next);
        took
    };
    let large = changes_of(&planner.read(), &ids[..MANY.min(ids.len())])?;
    let edit = edit_of(large);
    // Everything but the storing.
    let start = Instant::now();
    planner.preview(edit.clone(), Standard::New)?;
    let judged = start.elapsed();
    let start = Instant::now();
    planner.commit(&edit)?;
    let many = start.elapsed();
    let start = Instant::now();
    let _ = ask(&planner.read())?;
    let statistics_after_many = start.elapsed();
    let start = Instant::now();
    planner.settle();
    let settled = start.elapsed();
    let heard = feed(&planner, pick(3))?;
    let ms = |took: std::time::Duration| took.as_secs_f64() * 1000.0;
    commits.sort_unstable();
    seen.sort_unstable();
    Ok(json!({
        "commit_p50_ms": ms(commits[SINGLE / 2]),
        "commit_p99_ms": ms(commits[SINGLE * 99 / 100]),
        "statistics_after_edit_p50_ms": ms(seen[seen.len() / 2]),
        "statistics_after_edit_max_ms": ms(seen[seen.len() - 1]),
        "kb_per_edit": (after_mb - before_mb) * 1024.0 / SINGLE as f64,
        "rss_mb": [before_mb, after_mb, resident_mb()?],
        "many": MANY.min(ids.len()),
        "many_applied_s": applied.as_secs_f64(),
        "many_judged_s": judged.as_secs_f64(),
        "many_committed_s": many.as_secs_f64(),
        "statistics_after_many_s": statistics_after_many.as_secs_f64(),
        "settled_s": settled.as_secs_f64(),
        "listeners": LISTENERS,
        "heard_ms": ms(heard),
    }))
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
