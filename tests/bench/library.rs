//! Work of the library that neither the command line nor HTTP can time by itself, on a workspace with the layers
//! `parcels` and `zones`: `cargo bench --bench library -- WORKSPACE.gpkg POINTS`.
//!
//! Reads tasks from standard input, one a line, and answers each with one line of JSON; so `tests/bench/run.py`
//! can take turns between us and the peers. `stats x20` is done twenty times, for its mean. POINTS holds pairs of 64-bit floats, longitude and latitude. The
//! workspace is loaded, with indexes, before the first task; CPU seconds are those of all threads.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

use geo::Coord;
use mutu::{
    catalog::{Catalog, LayerState},
    engine::find,
    ground::measure,
    planner::{Planner, StatisticsQuestion, statistics},
};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The program was called by `cargo bench` without a workspace, or by `cargo test`.
const HOW: &str = "library: give a workspace and a file of points; see tests/bench/run.py";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
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
        prepare(&catalog, parcels, &task);
        let (task, times) = task.trim().split_once(" x").unwrap_or((task.trim(), "1"));
        let times: u32 = times.parse()?;
        let (cpu, wall) = (cpu_seconds()?, Instant::now());
        let mut result = run(&catalog, parcels, &points, task)?;
        for _ in 1..times {
            result = run(&catalog, parcels, &points, task)?;
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

/// Builds what is built once and kept: the peers' indexes and prepared zones are not timed either, but where
/// the task's name says so.
fn prepare(catalog: &Catalog, parcels: &LayerState, task: &str) {
    if task.starts_with("overlay") || task.starts_with("stats") {
        let _ = parcels.overlaps();
    }
    if task.starts_with("overlay") {
        let _ready = catalog.layer("zones").map(|zones| zones.zones().is_ok());
    }
}

fn run(catalog: &Catalog, parcels: &LayerState, points: &[Coord], task: &str) -> Outcome<Value> {
    let table = parcels.table();
    match task {
        "areas" => {
            let grid = parcels.grid();
            let shapes = table.rows().filter_map(|row| table.shape(row));
            let m2: f64 = shapes.map(|shape| measure::ellipsoidal_m2(shape, Some(grid))).sum();
            Ok(json!({ "area_m2": m2 }))
        }
        "locate" => {
            let pairs = find::locate_each(table, points);
            let mut hit: Vec<u32> = pairs.iter().map(|(point, _)| *point).collect();
            hit.dedup();
            Ok(json!({ "pairs": pairs.len(), "points_hit": hit.len() }))
        }
        "nearest" => {
            let nearest = find::nearest_each(table, points);
            let metres: f64 = nearest.iter().flatten().map(|near| near.distance_m).sum();
            Ok(json!({ "found": nearest.iter().flatten().count(), "sum_of_distances_m": metres }))
        }
        "overlaps" => Ok(json!({ "pairs": parcels.overlaps().pairs().len() })),
        "stats" => summed(catalog, "town,land_use", None, "ellipsoidal"),
        "overlay" => summed(catalog, "land_use", Some("zones"), "ellipsoidal"),
        "overlay-planar" => summed(catalog, "land_use", Some("zones"), "planar"),
        other => Err(format!("no task {other:?}").into()),
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
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
