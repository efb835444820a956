//! CPU time of uncached tiles of a layer in a workspace: `cargo bench --bench tiles -- WORKSPACE LAYER`.
//!
//! For zooms 8 to 16 the tile with the most features is made again and again on one thread; the time is CPU time of that
//! thread's process, the first making (which measures the dots) told apart.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::{hint::black_box, path::Path, time::Instant};

use mutu::{
    domain::tile_matrix::{TileAddress, TileMatrixSet},
    engine::tiles::{Recipe, Source, Tile},
    planner::Planner,
};

/// CPU milliseconds of this process so far.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // Ticks are a hundredth of a second wherever this runs.
    (ticks(11) + ticks(12)) * 10.0
}

/// The tile of a matrix with the most features.
fn fullest(source: &Source<'_>, zoom: u8) -> Option<TileAddress> {
    let set = TileMatrixSet::WebMercatorQuad;
    let mut counts = std::collections::HashMap::new();
    for row in source.table.rows() {
        let Some(bounds) = source.table.shape(row).and_then(|shape| shape.bounds()) else { continue };
        let at = set.project(bounds.center()) * f64::from(1_u32 << zoom);
        *counts.entry((at.y as i64, at.x as i64)).or_insert(0_usize) += 1;
    }
    let ((row, column), _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    TileAddress::new(set, zoom.into(), row, column).ok()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [workspace, layer] = arguments.as_slice() else {
        println!("usage: cargo bench --bench tiles -- WORKSPACE LAYER");
        return;
    };
    let planner = Planner::open_to_read(Path::new(workspace)).expect("a workspace");
    planner.load(&mut |_| ()).expect("it loads");
    let catalog = planner.read();
    let state = catalog.layer(layer).expect("a layer of the workspace");
    let source = Source { layer: state.layer(), table: state.table(), selection: None };
    let recipe = Recipe::new(state.layer(), None, None).expect("the usual recipe");
    let start = Instant::now();
    state.table().segments().iter().for_each(|segment| {
        let _ = black_box(segment.dots());
    });
    println!("{} features, dots measured in {:.0} ms", state.table().len(), start.elapsed().as_secs_f64() * 1e3);
    println!("zoom  features   drawn    marks  cell      bytes  dropped  CPU ms");
    for zoom in 8..=16 {
        let Some(address) = fullest(&source, zoom) else { continue };
        let make = || -> Tile { source.tile(&address, &recipe).expect("a tile") };
        let tile = make();
        let (start, before, mut rounds) = (Instant::now(), cpu_ms(), 0);
        while rounds < 3 || start.elapsed().as_secs_f64() < 1.0 {
            black_box(make());
            rounds += 1;
        }
        let each = (cpu_ms() - before) / f64::from(rounds);
        let Tile { bytes, drawn, gathered, marks, cell, dropped } = tile;
        let (features, bytes, dropped) = (drawn + gathered, bytes.len(), dropped.len());
        println!("{zoom:>4}  {features:>8}  {drawn:>6}  {marks:>7}  {cell:>4}  {bytes:>9}  {dropped:>7}  {each:>6.2}");
    }
}
