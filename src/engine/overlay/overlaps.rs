//! Overlap within one layer, so that land which several features claim is counted once.
//!
//! The features of a cadastre touch each other everywhere and overlap almost nowhere. Neighbours whose edges
//! neither cross nor run into each other, and whose shared edges have their insides on opposite sides, are
//! apart without any area being computed; only the rest is cut.
//!
//! Land that two features claim counts for the one with the smaller id.

use std::sync::{Arc, OnceLock};

use geo::{Coord, kernels::Orientation};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    engine::{
        difference::Difference,
        filter::Selection,
        find::{Place, closed_edges, holds, place_in, turn},
        region::Region,
        table::{Row, Table},
    },
    ground::{
        shape::{Bounds, ShapeRef},
        units::Basis,
    },
};

use super::{
    land::{Land, Rings},
    plane::{grid_of, ring_in_plane, twice_area_and_length},
    zones::left_of,
};

/// Edges longer than this (degrees, about 300 m) may bulge across a neighbour's by more than a millimetre.
const LONG_EDGE_DEGREES: f64 = 0.0027;

/// Pairs of features of one table that claim the same land.
#[derive(Debug, Clone, Default)]
pub struct Overlaps {
    /// The feature with the smaller id first.
    pairs: Vec<(Row, Row)>,
    /// For each feature that comes second somewhere the features that come first.
    before: FxHashMap<Row, Vec<Row>>,
    large: Arc<Large>,
    /// What each feature loses where all are selected, by basis: what most questions ask for.
    of_all: [OnceLock<Vec<(Row, i64)>>; 2],
}

/// From so many vertices on, a surface is prepared so that each of its neighbours meets only the part near it: a
/// city's roads are often one surface that borders on thousands of parcels.
const MANY_VERTICES: usize = 300;

/// Surfaces of many vertices, by part.
#[derive(Debug, Default)]
struct Large(FxHashMap<Row, Arc<Vec<Region>>>);

impl Large {
    fn of(table: &Table, rows: &[Row]) -> Self {
        let prepare = |row: &Row| {
            let shape = table.shape(*row).filter(|shape| shape.coords().len() > MANY_VERTICES)?;
            let grid = grid_of(table.segment(*row).grid(), &shape.bounds()?);
            let regions = shape.parts().filter_map(|rings| {
                let rings = rings.enumerate().map(|(i, ring)| left_of(ring_in_plane(ring, grid), i == 0));
                Region::of_rings(rings.collect())
            });
            Some((*row, Arc::new(regions.collect())))
        };
        Self(rows.par_iter().filter_map(prepare).collect::<Vec<_>>().into_iter().collect())
    }

    /// The surfaces of a table that `before` became another, of which these are known.
    fn after(&self, difference: &Difference, table: &Table) -> Self {
        let mut large = Self::of(table, difference.come());
        let now = |(row, regions): (&Row, &Arc<Vec<Region>>)| Some((difference.now(*row)?, Arc::clone(regions)));
        large.0.extend(self.0.iter().filter_map(now));
        large
    }

    /// The rings of a feature as far as they matter in a box of the plane; those of a large one by part.
    fn rings(&self, row: Row, land: &Land<'_>, near: &Bounds) -> Vec<Rings> {
        match self.0.get(&row) {
            Some(regions) => {
                regions.iter().map(|region| Rings::new(region.within(near))).filter(|rings| !rings.is_empty()).collect()
            }
            None => vec![land.surfaces().rings],
        }
    }
}

/// What a feature loses to features with smaller ids.
#[derive(Debug, Clone)]
pub struct Net<'t> {
    /// The feature.
    pub row: Row,
    /// The area it loses, hundredths of a square metre.
    pub removed: i64,
    /// The land that is left; none where it loses all.
    pub left: Option<Land<'t>>,
}

impl Overlaps {
    /// The overlaps of a table's surfaces, on all processors.
    #[must_use]
    pub fn of(table: &Table) -> Self {
        let rows: Vec<Row> = table.rows().collect();
        let large = Large::of(table, &rows);
        let later = |id: i64| move |other: i64, _: Row| other > id;
        let pairs = found_by(&rows, |row, found| overlapping((table, &large), row, &later(table.id(row)), found));
        Self::of_pairs(pairs, large)
    }

    /// The overlaps of a table that another one became, of which these are, in time proportional to what lies between
    /// them; what both have in common is not measured again.
    #[must_use]
    pub fn after(&self, before: &Table, table: &Table) -> Self {
        let difference = Difference::between(before, table);
        let large = self.large.after(&difference, table);
        let mut kept = Vec::with_capacity(self.pairs.len());
        // Features that may lose more or less than before.
        let mut disturbed: FxHashSet<Row> = FxHashSet::default();
        for (first, second) in &self.pairs {
            match (difference.now(*first), difference.now(*second)) {
                (Some(first), Some(second)) => kept.push((table.id(first), table.id(second), first, second)),
                (None, Some(second)) => _ = disturbed.insert(second),
                _ => {}
            }
        }
        let come: FxHashSet<Row> = difference.come().iter().copied().collect();
        let found = found_by(difference.come(), |row, found| {
            let id = table.id(row);
            // A pair of two that have come is found from the one with the smaller id.
            overlapping((table, &large), row, &|other, at| other > id || (other < id && !come.contains(&at)), found);
        });
        disturbed.extend(found.iter().map(|(.., second)| *second));
        let next = Self::of_pairs(merged(kept, found), large);
        for (basis, known) in [Basis::Ellipsoidal, Basis::Planar].into_iter().zip(&self.of_all) {
            let Some(known) = known.get() else { continue };
            let stays = |(row, removed): &(Row, i64)| Some((difference.now(*row)?, *removed));
            let stays = known.iter().filter_map(stays).filter(|(row, _)| !disturbed.contains(row));
            let anew = disturbed.par_iter().filter_map(|row| {
                let net = net_of((table, &next.large), *row, next.before.get(row)?, basis)?;
                Some((net.row, net.removed))
            });
            let mut all: Vec<(Row, i64)> = anew.collect();
            all.extend(stays);
            all.sort_unstable();
            // Nobody else knows of these overlaps yet.
            let _ = next.of_all[place_of(basis)].set(all);
        }
        next
    }

    fn of_pairs(pairs: Vec<Pair>, large: Large) -> Self {
        let pairs: Vec<(Row, Row)> = pairs.into_iter().map(|(_, _, first, second)| (first, second)).collect();
        let mut before: FxHashMap<Row, Vec<Row>> = FxHashMap::default();
        for (first, second) in &pairs {
            before.entry(*second).or_default().push(*first);
        }
        Self { pairs, before, large: Arc::new(large), of_all: Default::default() }
    }

    /// All pairs, by ids.
    #[must_use]
    pub fn pairs(&self) -> &[(Row, Row)] {
        &self.pairs
    }

    /// The number of pairs of which both features are selected.
    #[must_use]
    pub fn pairs_among(&self, selection: &Selection) -> usize {
        self.pairs.iter().filter(|(a, b)| selection.contains(*a) && selection.contains(*b)).count()
    }

    /// What each feature of the table that these overlaps are of loses where all are selected, hundredths of a square
    /// metre, by row; cut when first asked for.
    #[must_use]
    pub fn net_of_all(&self, table: &Table, basis: Basis) -> &[(Row, i64)] {
        let cut =
            || self.net(table, &Selection::all(table), basis).into_iter().map(|net| (net.row, net.removed)).collect();
        self.of_all[place_of(basis)].get_or_init(cut)
    }

    /// What each selected feature loses to selected features with smaller ids, by row; features that lose
    /// nothing are not named. Land that three claim is lost by two of them, once each.
    #[must_use]
    pub fn net<'t>(&self, table: &'t Table, selection: &Selection, basis: Basis) -> Vec<Net<'t>> {
        let mut seconds: Vec<(&Row, &Vec<Row>)> =
            self.before.iter().filter(|(second, _)| selection.contains(**second)).collect();
        seconds.sort_unstable();
        let net = |(row, firsts): (&Row, &Vec<Row>)| {
            let firsts: Vec<Row> = firsts.iter().copied().filter(|first| selection.contains(*first)).collect();
            if firsts.is_empty() { None } else { net_of((table, &self.large), *row, &firsts, basis) }
        };
        seconds.into_par_iter().filter_map(net).collect()
    }
}

/// Two features with their ids, the smaller one first.
type Pair = (i64, i64, Row, Row);

const fn place_of(basis: Basis) -> usize {
    match basis {
        Basis::Ellipsoidal => 0,
        Basis::Planar => 1,
    }
}

/// The pairs that are found from some features, by ids.
fn found_by(rows: &[Row], find: impl Fn(Row, &mut Vec<Pair>) + Sync) -> Vec<Pair> {
    let of_some = |rows: &[Row]| {
        let mut found = Vec::new();
        for row in rows {
            find(*row, &mut found);
        }
        found
    };
    let mut pairs: Vec<Pair> = rows.par_chunks(512).flat_map_iter(of_some).collect();
    pairs.par_sort_unstable();
    pairs
}

/// Two lists of pairs by ids as one.
fn merged(kept: Vec<Pair>, found: Vec<Pair>) -> Vec<Pair> {
    if found.is_empty() {
        return kept;
    }
    let mut all = Vec::with_capacity(kept.len() + found.len());
    let mut found = found.into_iter().peekable();
    for pair in kept {
        while let Some(earlier) = found.next_if(|other| *other < pair) {
            all.push(earlier);
        }
        all.push(pair);
    }
    all.extend(found);
    all
}

fn net_of<'t>((table, large): (&'t Table, &Large), row: Row, firsts: &[Row], basis: Basis) -> Option<Net<'t>> {
    let land = Land::of(table, row, basis)?;
    let lost = |land: &Land<'_>| Some(Net { row, removed: land.whole(), left: None });
    let same = |first: &Row| table.shape(*first).is_some_and(|shape| shape.coords() == land.shape().coords());
    if firsts.iter().any(same) {
        return lost(&land);
    }
    let mut left = land.surfaces();
    let gross = land.measured(&left);
    for first in firsts {
        let Some(taker) = Land::of(table, *first, basis) else { continue };
        for rings in large.rings(*first, &taker, &land.bounds_in_plane().widened(ROOM_M)) {
            left = left.rings.without(&rings);
        }
        if left.m2 <= 0.0 {
            return lost(&land);
        }
    }
    // In proportion, so that the measure of all land is the land's own area also where it crosses itself.
    let share = (land.measured(&left) / gross).clamp(0.0, 1.0);
    let removed = land.whole() - (land.whole() as f64 * share).round() as i64;
    let left = land.reduced(left, land.whole() - removed);
    (removed > 0).then_some(Net { row, removed, left: Some(left) })
}

/// Adds the pairs of a feature with overlapping features that are `wanted`, by id and row.
fn overlapping((table, large): (&Table, &Large), row: Row, wanted: &dyn Fn(i64, Row) -> bool, found: &mut Vec<Pair>) {
    let Some(shape) = table.shape(row).filter(|shape| shape.kind().dimension() == 2) else { return };
    let Some(bounds) = shape.bounds() else { return };
    let id = table.id(row);
    for other in table.touching(bounds) {
        let other_id = table.id(other);
        if !wanted(other_id, other) {
            continue;
        }
        let Some(other_shape) = table.shape(other).filter(|shape| shape.kind().dimension() == 2) else { continue };
        let Some(other_bounds) = other_shape.bounds() else { continue };
        let (own, others) = ((id, row, shape, &bounds), (other_id, other, other_shape, &other_bounds));
        // In one order, so that rounding is the same whichever of the two is looked at.
        let (first, second) = if id < other_id { (own, others) } else { (others, own) };
        if surely_apart((first.2, first.3), (second.2, second.3)) {
            continue;
        }
        if share_land((table, large), first.1, second.1) {
            found.push((first.0, second.0, first.1, second.1));
        }
    }
}

/// Whether the common land of two features is more than a trace of rounding.
fn share_land((table, large): (&Table, &Large), a: Row, b: Row) -> bool {
    let land = |row| Land::of(table, row, Basis::Ellipsoidal);
    let (Some(a_land), Some(b_land)) = (land(a), land(b)) else { return false };
    let (a_box, b_box) = (a_land.bounds_in_plane(), b_land.bounds_in_plane());
    let common = Bounds {
        min: Coord { x: a_box.min.x.max(b_box.min.x), y: a_box.min.y.max(b_box.min.y) },
        max: Coord { x: a_box.max.x.min(b_box.max.x), y: a_box.max.y.min(b_box.max.y) },
    };
    if common.min.x > common.max.x || common.min.y > common.max.y {
        return false;
    }
    let near = common.widened(ROOM_M);
    let (a_rings, b_rings) = (large.rings(a, &a_land, &near), large.rings(b, &b_land, &near));
    a_rings.iter().any(|a| b_rings.iter().any(|b| a.and(b).m2 > 0.0))
}

/// Room around a box in the plane, m, so that its sides meet no edge that matters.
const ROOM_M: f64 = 1.0;

/// An edge of one of two neighbours, near the other.
struct Edge {
    from: Coord,
    to: Coord,
    ring: usize,
    shared: bool,
}

/// Whether two surfaces certainly share no more than boundary. False says nothing.
pub(super) fn surely_apart((a, a_bounds): (ShapeRef<'_>, &Bounds), (b, b_bounds): (ShapeRef<'_>, &Bounds)) -> bool {
    let common = Bounds {
        min: Coord { x: a_bounds.min.x.max(b_bounds.min.x), y: a_bounds.min.y.max(b_bounds.min.y) },
        max: Coord { x: a_bounds.max.x.min(b_bounds.max.x), y: a_bounds.max.y.min(b_bounds.max.y) },
    };
    if common.min.x > common.max.x || common.min.y > common.max.y {
        return true;
    }
    let (Some(mut a_edges), Some(mut b_edges)) = (edges_near(a, &common), edges_near(b, &common)) else { return false };
    if a_edges.is_empty() && b_edges.is_empty() {
        return !(holds(a, common.center()) && holds(b, common.center()));
    }
    for of_a in &mut a_edges {
        for of_b in &mut b_edges {
            match meeting(of_a, of_b) {
                Meeting::Apart => {}
                Meeting::Shared { same_way } => {
                    let same_turn = turns_left(a, of_a.ring) == turns_left(b, of_b.ring);
                    if same_way == same_turn {
                        return false;
                    }
                    (of_a.shared, of_b.shared) = (true, true);
                }
                Meeting::Unclear => return false,
            }
        }
    }
    !runs_inside(&a_edges, b) && !runs_inside(&b_edges, a)
}

/// The edges of a surface that may touch a box; none where one is too long to be taken for straight.
fn edges_near(shape: ShapeRef<'_>, common: &Bounds) -> Option<Vec<Edge>> {
    let mut near = Vec::with_capacity(16);
    for (number, ring) in shape.rings().enumerate() {
        for (from, to) in closed_edges(ring) {
            let apart = from.x.max(to.x) < common.min.x
                || from.x.min(to.x) > common.max.x
                || from.y.max(to.y) < common.min.y
                || from.y.min(to.y) > common.max.y;
            if apart {
                continue;
            }
            if (to.x - from.x).abs() + (to.y - from.y).abs() > LONG_EDGE_DEGREES {
                return None;
            }
            near.push(Edge { from, to, ring: number, shared: false });
        }
    }
    Some(near)
}

/// How two edges meet.
enum Meeting {
    /// Not at all, or at an end without running together.
    Apart,
    /// They are the same edge.
    Shared { same_way: bool },
    /// They cross, or one touches the other between its ends, or they run together.
    Unclear,
}

fn meeting(a: &Edge, b: &Edge) -> Meeting {
    if a.from.x.max(a.to.x) < b.from.x.min(b.to.x)
        || a.from.x.min(a.to.x) > b.from.x.max(b.to.x)
        || a.from.y.max(a.to.y) < b.from.y.min(b.to.y)
        || a.from.y.min(a.to.y) > b.from.y.max(b.to.y)
    {
        return Meeting::Apart;
    }
    let (ff, ft, tf, tt) = (a.from == b.from, a.from == b.to, a.to == b.from, a.to == b.to);
    if (ff && tt) || (ft && tf) {
        return Meeting::Shared { same_way: ff };
    }
    if ff || ft || tf || tt {
        let common = if ff || ft { a.from } else { a.to };
        let a_end = if ff || ft { a.to } else { a.from };
        let b_end = if ff || tf { b.to } else { b.from };
        let straight = turn(common, a_end, b_end) == Orientation::Collinear;
        let same_side = (a_end.x - common.x) * (b_end.x - common.x) + (a_end.y - common.y) * (b_end.y - common.y) > 0.0;
        return if straight && same_side { Meeting::Unclear } else { Meeting::Apart };
    }
    let one_side = |p: Coord, q: Coord, r: Coord, s: Coord| {
        let side = turn(p, q, r);
        side != Orientation::Collinear && side == turn(p, q, s)
    };
    let apart = one_side(a.from, a.to, b.from, b.to) || one_side(b.from, b.to, a.from, a.to);
    if apart { Meeting::Apart } else { Meeting::Unclear }
}

/// Whether the inside of the surface lies to the left along a ring.
fn turns_left(shape: ShapeRef<'_>, number: usize) -> bool {
    let mut at = 0;
    for rings in shape.parts() {
        for (place, ring) in rings.enumerate() {
            if at == number {
                let (twice, _) = twice_area_and_length(ring);
                return (twice > 0.0) == (place == 0);
            }
            at += 1;
        }
    }
    false
}

/// Whether one of the edges, none of which crosses the surface's boundary, runs in its inside.
fn runs_inside(edges: &[Edge], surface: ShapeRef<'_>) -> bool {
    edges.iter().filter(|edge| !edge.shared).any(|edge| {
        let middle = Coord { x: f64::midpoint(edge.from.x, edge.to.x), y: f64::midpoint(edge.from.y, edge.to.y) };
        surface.parts().any(|rings| {
            let mut inside = false;
            for ring in rings {
                match place_in(ring, middle) {
                    Place::Boundary => return false,
                    Place::Inside => inside = !inside,
                    Place::Outside => {}
                }
            }
            inside
        })
    })
}
