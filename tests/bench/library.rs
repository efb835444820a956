//! Work of the library that neither the command line nor HTTP can time by itself, on a workspace with the layers
//! `parcels` and `zones`: `cargo bench --bench library -- WORKSPACE.gpkg POINTS`.
//!
//! Reads tasks from standard input, one a line, and answers each with one line of JSON; so `tests/bench/run.py`
//! can take turns between us and the peers, and `echo "tile 14 x20" | ...` shows one figure to who works on it.
//! A task followed by ` x20` is done twenty times, for its mean. POINTS holds pairs of 64-bit floats, longitude and
//! latitude. The workspace is loaded, with indexes, before the first task; CPU seconds are those of all threads.
//!
//! `library edits WORKSPACE.gpkg [COUNT]` edits a workspace instead and tells what that cost, see `edits.rs`; so does
//! `library large WORKSPACE.gpkg [KIND]` with many features at once, see `large.rs`.
//!
//! Tasks: `areas`, `locate`, `locate-one-by-one`, `nearest`, `nearest-one-by-one`, `boxes` (2,000 of some 550 features),
//! `filter CQL2`, `overlaps`, `stats`, `prepare-zones`, `overlay`, `overlay-planar`, and `tile ZOOM [FEATURES]`: the
//! tile of Web Mercator with the most features, or with as near so many as there is one.

mod edits;
mod large;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

use geo::Coord;
use mutu::{
    catalog::{Catalog, LayerState},
    domain::tile_matrix::{TileAddress, TileMatrixSet},
    engine::{
        filter::{bind, parse_text},
        find,
        overlay::{Overlaps, Zones},
        tiles::{Recipe, Source, Tile},
    },
    ground::{measure, shape::Bounds},
    planner::{Planner, StatisticsQuestion, statistics},
};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The program was called by `cargo bench` without a workspace, or by `cargo test`.
const HOW: &str = "library: give a workspace and a file of points; see tests/bench/run.py";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [task, workspace, only @ ..] = arguments.as_slice()
        && ["edits", "large"].contains(&task.as_str())
    {
        let workspace = Path::new(workspace);
        let told = match only {
            [count] if task == "edits" => edits::measure(workspace, count.parse()?)?,
            [] if task == "edits" => edits::measure(workspace, 10_000)?,
            _ => large::measure(workspace, only.first().map(String::as_str))?,
        };
        writeln!(io::stdout(), "{told}")?;
        return Ok(());
    }
    let [workspace, points] = arguments.as_slice() else {
        writeln!(io::stderr(), "{HOW}")?;
        return Ok(());
    };
    let planner = Planner::open_to_read(Path::new(workspace))?;
    planner.load(&mut |_| ())?;
    let catalog = planner.read();
    let parcels = catalog.layer("parcels").ok_or("no layer parcels")?;
    let points = read_points(Path::new(points))?;
    for line in io::stdin().lock().lines() {
        let task = line?;
        let (task, times) = task.trim().rsplit_once(" x").unwrap_or((task.trim(), "1"));
        let times: u32 = times.parse()?;
        let world = World { catalog: &catalog, parcels, points: &points, tile: prepare(&catalog, parcels, task)? };
        let (cpu, wall) = (cpu_seconds()?, Instant::now());
        let mut result = world.run(task)?;
        for _ in 1..times {
            result = world.run(task)?;
        }
        let answer = json!({
            "cpu_s": (cpu_seconds()? - cpu) / f64::from(times),
            "wall_s": wall.elapsed().as_secs_f64() / f64::from(times),
            "rss_mb": resident_mb()?,
            "result": result,
        });
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// What tasks work on.
struct World<'a> {
    catalog: &'a Catalog,
    parcels: &'a LayerState,
    points: &'a [Coord],
    /// The tile that a task is about.
    tile: Option<TileAddress>,
}

/// Builds what is built once and kept, and finds the tile: the peers' indexes and prepared zones are not timed either,
/// but where the task's name says so.
fn prepare(catalog: &Catalog, parcels: &LayerState, task: &str) -> Outcome<Option<TileAddress>> {
    if task.starts_with("overlay") || task.starts_with("stats") {
        let _ = parcels.overlaps();
    }
    if task.starts_with("overlay") {
        let _ready = catalog.layer("zones").map(|zones| zones.zones().is_ok());
    }
    let mut words = task.split_whitespace();
    if words.next() != Some("tile") {
        return Ok(None);
    }
    for segment in parcels.table().segments() {
        let _measured = segment.dots();
    }
    let zoom = words.next().ok_or("tile ZOOM [FEATURES]")?.parse()?;
    Ok(Some(tile_of(parcels, zoom, words.next().map(str::parse).transpose()?)?))
}

/// The tile of a zoom with the most features, or with as near so many as there is one.
fn tile_of(parcels: &LayerState, zoom: u8, wanted: Option<usize>) -> Outcome<TileAddress> {
    let (set, table) = (TileMatrixSet::WebMercatorQuad, parcels.table());
    let mut counts = BTreeMap::new();
    for bounds in table.rows().filter_map(|row| table.shape(row)?.bounds()) {
        let at = set.project(bounds.center()) * f64::from(1_u32 << zoom);
        *counts.entry((at.y as i64, at.x as i64)).or_insert(0_usize) += 1;
    }
    let off = |count: usize| wanted.map_or(usize::MAX - count, |wanted| wanted.abs_diff(count));
    let ((row, column), _) = counts.into_iter().min_by_key(|(_, count)| off(*count)).ok_or("no features")?;
    Ok(TileAddress::new(set, zoom.into(), row, column)?)
}

impl World<'_> {
    fn run(&self, task: &str) -> Outcome<Value> {
        let table = self.parcels.table();
        match task.split(' ').next().unwrap_or_default() {
            "areas" => {
                let grid = self.parcels.grid();
                let shapes = table.rows().filter_map(|row| table.shape(row));
                let m2: f64 = shapes.map(|shape| measure::ellipsoidal_m2(shape, Some(grid))).sum();
                Ok(json!({ "area_m2": m2 }))
            }
            "locate" | "locate-one-by-one" | "nearest" | "nearest-one-by-one" | "boxes" => Ok(self.find(task)),
            "filter" => {
                let bound = bind(&parse_text(task.trim_start_matches("filter "))?, self.parcels.layer())?;
                Ok(json!({ "found": bound.select(table, None)?.len() }))
            }
            "overlaps" => Ok(json!({ "pairs": Overlaps::of(table).pairs().len() })),
            "prepare-zones" => {
                let zones = self.catalog.layer("zones").ok_or("no layer zones")?;
                Zones::prepare(zones.table(), None)?;
                Ok(json!({ "zones": zones.table().len() }))
            }
            "stats" => summed(self.catalog, "town,land_use", None, "ellipsoidal"),
            "overlay" => summed(self.catalog, "land_use", Some("zones"), "ellipsoidal"),
            "overlay-planar" => summed(self.catalog, "land_use", Some("zones"), "planar"),
            "tile" => self.make_tile(),
            other => Err(format!("no task {other:?}").into()),
        }
    }

    fn find(&self, task: &str) -> Value {
        let (table, points) = (self.parcels.table(), self.points);
        let near = |found: Vec<find::Near>| {
            let metres: f64 = found.iter().map(|near| near.distance_m).sum();
            json!({ "found": found.len(), "sum_of_distances_m": metres })
        };
        match task {
            "locate" => {
                let pairs = find::locate_each(table, points);
                let mut hit: Vec<u32> = pairs.iter().map(|(point, _)| *point).collect();
                hit.dedup();
                json!({ "pairs": pairs.len(), "points_hit": hit.len() })
            }
            "locate-one-by-one" => {
                let pairs: usize = points.iter().map(|at| find::at_point(table, *at, 0.0).len()).sum();
                json!({ "pairs": pairs })
            }
            "nearest" => near(find::nearest_each(table, points).into_iter().flatten().collect()),
            "nearest-one-by-one" => {
                near(points.iter().flat_map(|at| find::nearest(table, *at, 1, f64::INFINITY)).collect())
            }
            _ => {
                let reach = |at: &Coord| Bounds { min: *at, max: Coord { x: at.x + 0.0114, y: at.y + 0.0106 } };
                let found: usize = points.iter().take(2000).map(|at| find::in_box(table, reach(at)).count()).sum();
                json!({ "found": found })
            }
        }
    }

    fn make_tile(&self) -> Outcome<Value> {
        let layer = self.parcels.layer();
        let source = Source { layer, table: self.parcels.table(), selection: None };
        let address = self.tile.as_ref().ok_or("no tile")?;
        let Tile { bytes, drawn, gathered, marks, cell, dropped } =
            source.tile(address, &Recipe::new(layer, None, None)?)?;
        Ok(json!({
            "zoom": address.zoom(), "row": address.row(), "column": address.column(), "bytes": bytes.len(),
            "features": drawn + gathered, "drawn": drawn, "marks": marks, "cell": cell, "dropped": dropped.len(),
        }))
    }
}

/// Groups and land; `area_in_zones_m2` counts land in two zones twice, as a table of pairs does.
fn summed(catalog: &Catalog, group_by: &str, within: Option<&str>, basis: &str) -> Outcome<Value> {
    let question = StatisticsQuestion {
        group_by: Some(group_by.to_owned()),
        within: within.map(str::to_owned),
        basis: Some(basis.to_owned()),
        ..StatisticsQuestion::default()
    };
    let answer = serde_json::to_value(statistics(catalog, "parcels", &question)?)?;
    let groups = answer["groups"].as_array().ok_or("statistics have groups")?;
    // Land under two parcels is counted once in `area`; the peers count it with both.
    let area =
        |group: &Value| group["area"].as_f64().unwrap_or_default() + group["overlap"].as_f64().unwrap_or_default();
    let zones = |group: &Value| group["key"]["zones"].as_str().map_or(0, |name| name.split(" + ").count());
    let in_zones: f64 = groups.iter().map(|group| area(group) * zones(group) as f64).sum();
    Ok(json!({
        "groups": groups.len(),
        "area_m2": answer["total"]["area"],
        "overlap_m2": answer["overlap"]["area"],
        "area_in_zones_m2": in_zones,
    }))
}

fn read_points(path: &Path) -> Outcome<Vec<Coord>> {
    let bytes = fs::read(path)?;
    let number = |bytes: &[u8]| bytes.try_into().map(f64::from_le_bytes);
    let point = |pair: &[u8]| Ok(Coord { x: number(&pair[..8])?, y: number(&pair[8..])? });
    bytes.chunks_exact(16).map(point).collect()
}

/// User and system time of this process with all its threads, in ticks of a hundredth of a second (man 5 proc).
fn cpu_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let ticks: Vec<u64> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
}

fn resident_mb() -> Outcome<f64> {
    status_mb("VmRSS:")
}

/// A size that the system tells of this process.
fn status_mb(name: &str) -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such size")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
