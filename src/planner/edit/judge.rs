//! What is wrong with an edit: versions first, then values and geometry, then the rules of layers on what it makes.

use std::collections::HashSet;

use geo::Coord;
use rayon::prelude::*;

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        edit::{Change, Conflict, Edit, Finding, unfit_values},
        feature::{Feature, FeatureRef},
        layer::GeometryClass,
        schema::LayerId,
    },
    ground::{
        fault::faults_of,
        shape::{Shape, ShapeRef},
    },
};

use super::{
    super::PlannerError,
    Standard,
    rules::{self, Judging},
};

/// So many findings, or conflicts, of one edit are told.
pub(super) const MOST_TOLD: usize = 1000;

/// An edit with which nothing is wrong that it would be refused for.
pub(in super::super) struct Judged {
    /// The picture after it.
    pub(in super::super) after: Catalog,
    /// Which rules of layers it breaks, where it is not refused for that.
    pub(in super::super) notices: Vec<Finding>,
}

/// The picture after an edit, where nothing is wrong with it.
pub(in super::super) fn judge(
    before: &Catalog,
    edit: &Edit,
    seq: i64,
    standard: Standard,
) -> Result<Judged, PlannerError> {
    let conflicts = conflicts_of(before, edit);
    if !conflicts.is_empty() {
        return Err(PlannerError::Conflicts(conflicts));
    }
    let mut findings = Findings::default();
    structure(before, edit, &mut findings);
    let wrong = of_each(&edit.changes, |number, change, wrong| {
        let Change::Put { layer, feature, .. } = change else { return };
        if let Some(state) = before.layer(layer.as_str()) {
            let mut findings = Findings::default();
            look_at((number, state), feature, standard, &mut findings);
            wrong.append(&mut findings.0);
        }
    });
    for finding in wrong {
        findings.add(finding);
    }
    findings.done()?;
    let after = before.apply(&edit.changes, seq)?;
    let broken = Judging::new(before, &after, edit).map_or_else(Vec::new, |judging| {
        of_each(&edit.changes, |number, change, broken| {
            let mut findings = Findings::default();
            judging.look_at(number, change, &mut findings);
            broken.append(&mut findings.0);
        })
    });
    let broken = Findings(rules::once(broken));
    match standard {
        Standard::New => broken.done().map(|()| Judged { after, notices: Vec::new() }),
        Standard::Restored => Ok(Judged { after, notices: broken.0 }),
    }
}

/// So many changes are judged on one thread in one go.
const CHANGES_AT_ONCE: usize = 1024;

/// What `look` tells of each change, in the order of changes, up to [`MOST_TOLD`]. It is given a change's number, and what
/// to add to.
fn of_each<T: Send>(changes: &[Change], look: impl Fn(usize, &Change, &mut Vec<T>) + Sync) -> Vec<T> {
    let part = |(part, changes): (usize, &[Change])| {
        let mut told = Vec::new();
        for (place, change) in changes.iter().enumerate() {
            look(part * CHANGES_AT_ONCE + place, change, &mut told);
            if told.len() >= MOST_TOLD {
                break;
            }
        }
        told
    };
    let mut told: Vec<T> = if changes.len() <= CHANGES_AT_ONCE {
        part((0, changes))
    } else {
        changes.par_chunks(CHANGES_AT_ONCE).enumerate().flat_map_iter(part).collect()
    };
    told.truncate(MOST_TOLD);
    told
}

/// What was found, up to a number.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        if self.0.len() < MOST_TOLD {
            self.0.push(finding);
        }
    }

    /// Whether no more are told.
    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= MOST_TOLD
    }

    fn done(self) -> Result<(), PlannerError> {
        if self.0.is_empty() { Ok(()) } else { Err(PlannerError::Findings(self.0)) }
    }
}

/// A finding about a feature as a whole.
pub(super) fn about(number: usize, layer: &LayerId, id: i64, fault: &str, message: impl Into<String>) -> Finding {
    Finding {
        change: number,
        layer: layer.to_string(),
        id: (id > 0).then_some(id),
        fault: fault.to_owned(),
        property: None,
        place: None,
        message: message.into(),
        other: None,
    }
}

/// Every feature that is not in the version expected.
fn conflicts_of(before: &Catalog, edit: &Edit) -> Vec<Conflict> {
    of_each(&edit.changes, |_, change, conflicts| {
        let (layer, id) = change.target();
        let Some(table) = before.layer(layer.as_str()).map(|state| state.table()) else { return };
        let (expected, found) = (change.expects(), table.row_of(id).map(|row| table.version(row)));
        if expected != found {
            conflicts.push(Conflict { layer: layer.to_string(), id, expected, found });
        }
    })
}

/// Layers that are not there, and features that are changed twice.
fn structure(before: &Catalog, edit: &Edit, findings: &mut Findings) {
    let mut seen = HashSet::with_capacity(edit.changes.len());
    for (number, change) in edit.changes.iter().enumerate() {
        let (layer, id) = change.target();
        if before.layer(layer.as_str()).is_none() {
            let known: Vec<&str> = before.layers().map(|state| state.layer().id.as_str()).collect();
            let message = format!("there is no layer {layer}; there are {}", known.join(", "));
            findings.add(about(number, layer, id, "unknown-layer", message));
        } else if !seen.insert((layer, id)) {
            let message = "the edit changes the feature twice: put both changes into one";
            findings.add(about(number, layer, id, "changed-twice", message));
        }
    }
}

/// What is wrong with the values and the geometry of a feature.
fn look_at((number, state): (usize, &LayerState), feature: &Feature, standard: Standard, findings: &mut Findings) {
    let (layer, table) = (state.layer(), state.table());
    let before = table.row_of(feature.id).map(|row| table.feature(row));
    let wanted = layer.schema.fields.len();
    if feature.values.len() != wanted {
        let message = format!("{} values for {wanted} columns", feature.values.len());
        findings.add(about(number, &layer.id, feature.id, "wrong-width", message));
        return;
    }
    for unfit in unfit_values(layer, feature, before.as_ref()) {
        // What was once stored was of its column's type; lists and limits may be younger than it.
        if standard == Standard::Restored && unfit.fault != "wrong-type" {
            continue;
        }
        let finding = about(number, &layer.id, feature.id, unfit.fault, unfit.message);
        findings.add(Finding { property: Some(unfit.field.name.clone()), ..finding });
    }
    look_at_shape((number, state), feature, before.as_ref(), (standard, findings));
}

fn look_at_shape(
    (number, state): (usize, &LayerState),
    feature: &Feature,
    before: Option<&FeatureRef<'_>>,
    (standard, findings): (Standard, &mut Findings),
) {
    let Some(shape) = feature.shape.as_ref().map(Shape::view) else { return };
    if before.and_then(|before| before.shape).is_some_and(|before| is_same(before, shape)) {
        return;
    }
    let layer = state.layer();
    if !holds(layer.geometry, shape) {
        let message = format!("the layer holds {}, not a {}", plural_of(layer.geometry), shape.kind().as_str());
        findings.add(about(number, &layer.id, feature.id, "wrong-geometry", message));
        return;
    }
    for fault in faults_of(shape) {
        if standard == Standard::Restored && !fault.kind.refuses() {
            continue;
        }
        let place = fault.at.map(|at| [at.x, at.y]);
        let at = place.map_or_else(String::new, |[x, y]| format!(", at {x:.8}, {y:.8}"));
        let message = format!("{}{at}: correct the geometry", fault.kind.sentence());
        let finding = about(number, &layer.id, feature.id, fault.kind.as_str(), message);
        findings.add(Finding { place: place.filter(|place| place.iter().all(|v| v.is_finite())), ..finding });
    }
}

/// Whether two geometries are the same to the last bit.
pub(super) fn is_same(a: ShapeRef<'_>, b: ShapeRef<'_>) -> bool {
    let bits = |at: &Coord| (at.x.to_bits(), at.y.to_bits());
    a.kind() == b.kind()
        && a.part_count() == b.part_count()
        && a.parts().map(|rings| rings.len()).eq(b.parts().map(|rings| rings.len()))
        && a.rings().map(<[_]>::len).eq(b.rings().map(<[_]>::len))
        && a.coords().iter().map(bits).eq(b.coords().iter().map(bits))
}

fn holds(class: GeometryClass, shape: ShapeRef<'_>) -> bool {
    match class {
        GeometryClass::Point => shape.kind().dimension() == 0,
        GeometryClass::Line => shape.kind().dimension() == 1,
        GeometryClass::Surface => shape.kind().dimension() == 2,
        GeometryClass::Mixed => true,
        GeometryClass::None => false,
    }
}

const fn plural_of(class: GeometryClass) -> &'static str {
    match class {
        GeometryClass::Point => "points (Point, MultiPoint)",
        GeometryClass::Line => "lines (LineString, MultiLineString)",
        GeometryClass::Surface => "surfaces (Polygon, MultiPolygon)",
        GeometryClass::Mixed => "geometries of any kind",
        GeometryClass::None => "no geometry",
    }
}
