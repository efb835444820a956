//! Edits of 100,000 features at once, of each kind, on a workspace of many parcels: how long until they are durable and
//! shown, what of that is judging, and what memory they take meanwhile. Changes the workspace it is given.
//!
//! The features lie all over the layer, in the file as on the map, but for those of the row that says otherwise: none
//! spares work by being near to another.

use std::{fs, path::Path, time::Instant};

use mutu::{
    catalog::Catalog,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value as Held},
        schema::LayerId,
    },
    ground::shape::Shape,
    planner::{Planner, Standard},
};
use serde_json::{Value, json};

use super::{Outcome, cpu_seconds, status_mb};

/// Features of a large edit.
const MANY: usize = 100_000;

/// What becomes of the features.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A value of each.
    Values,
    /// The geometry of each, by a hair.
    Moved,
    /// New ones with the values and geometries of others, far away from them.
    New,
    Deleted,
}

/// One edit after the other; `only` one of them where that is said.
pub fn measure(workspace: &Path, only: Option<&str>) -> Outcome<Value> {
    let planner = Planner::open(workspace)?;
    planner.load(&mut |_| ())?;
    planner.warm_up();
    let mut ids: Vec<i64> = Vec::new();
    for segment in planner.read().layer("parcels").ok_or("no parcels")?.table().segments() {
        ids.extend_from_slice(segment.ids());
    }
    ids.sort_unstable();
    let many = MANY.min(ids.len() / 4);
    let step = ids.len() / many;
    let spread = |from: usize| -> Vec<i64> { ids.iter().skip(from).step_by(step).take(many).copied().collect() };
    let beside = ids[ids.len() / 2..ids.len() / 2 + many].to_vec();
    // The first edit opens what later ones find open.
    commit(&planner, &changes_of(&planner.read(), &ids[..1], Kind::Moved)?)?;
    let kinds = [
        ("values", Kind::Values, spread(0)),
        ("values, beside each other", Kind::Values, beside),
        ("moved", Kind::Moved, spread(1)),
        ("new", Kind::New, spread(2)),
        ("deleted", Kind::Deleted, spread(3)),
    ];
    let mut told = serde_json::Map::new();
    for (name, kind, of) in kinds {
        if only.is_none_or(|only| only == name) {
            told.insert(name.to_owned(), one(&planner, changes_of(&planner.read(), &of, kind)?)?);
            planner.settle();
        }
    }
    Ok(json!({ "many": many, "kinds": told }))
}

/// Judges an edit, then commits it.
fn one(planner: &Planner, changes: Vec<Change>) -> Outcome<Value> {
    let edit = edit_of(changes);
    let (start, cpu) = (Instant::now(), cpu_seconds()?);
    planner.preview(edit.clone(), Standard::New)?;
    let (judged_s, judged_cpu_s) = (start.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    // Resets the most memory so far to what is held now (man 5 proc).
    fs::write("/proc/self/clear_refs", "5")?;
    let before_mb = status_mb("VmRSS:")?;
    let (start, cpu) = (Instant::now(), cpu_seconds()?);
    planner.carry_out(edit, Standard::New)?;
    Ok(json!({
        "judged_s": judged_s,
        "judged_cpu_s": judged_cpu_s,
        "committed_s": start.elapsed().as_secs_f64(),
        "committed_cpu_s": cpu_seconds()? - cpu,
        "more_at_most_mb": status_mb("VmHWM:")? - before_mb,
        "more_after_mb": status_mb("VmRSS:")? - before_mb,
    }))
}

fn changes_of(catalog: &Catalog, ids: &[i64], kind: Kind) -> Outcome<Vec<Change>> {
    let state = catalog.layer("parcels").ok_or("no parcels")?;
    let owner = state.layer().schema.position("owner").ok_or("no column owner")?;
    let table = state.table();
    let layer: LayerId = "parcels".parse()?;
    let change = |(number, id): (usize, &i64)| -> Outcome<Change> {
        let row = table.row_of(*id).ok_or("no such parcel")?;
        let version = table.version(row);
        if kind == Kind::Deleted {
            return Ok(Change::Delete { layer: layer.clone(), id: *id, expects: version });
        }
        let held = table.feature(row);
        let mut shape = held.shape.map(|shape| shape.to_shape());
        let mut values: Vec<Held> = held.values.iter().map(|value| value.to_value()).collect();
        let by = match kind {
            Kind::Moved => 1e-8,
            Kind::New => 1.0,
            Kind::Values | Kind::Deleted => 0.0,
        };
        if kind == Kind::Values {
            values[owner] = Held::Text(format!("owner {number}"));
        } else {
            shape.iter_mut().flat_map(Shape::coords_mut).for_each(|at| at.x += by);
        }
        let (id, expects) = if kind == Kind::New { (-(number as i64) - 1, None) } else { (*id, Some(version)) };
        Ok(Change::Put { layer: layer.clone(), feature: Feature { id, shape, values }, expects })
    };
    ids.iter().enumerate().map(change).collect()
}

fn edit_of(changes: Vec<Change>) -> Edit {
    Edit { author: "bench".to_owned(), note: "many at once".to_owned(), changes, lineage: Vec::new() }
}

fn commit(planner: &Planner, changes: &[Change]) -> Outcome<()> {
    planner.commit(&edit_of(changes.to_vec()))?;
    Ok(())
}
