//! Splits and merges as changes: the parts of a feature, or the feature that several become, with lineage and with the
//! area that rounding moved.
//!
//! A feature that is split is no more; its parts are new features with its values (宗地分割：原号注销，新号顺编). Of
//! features that are merged one may keep its id and its values; without one the result is new, with the values of the
//! first. Areas are those of the survey rule: parts sum to the whole but for its rounding, which is told; more is refused.

use crate::{
    catalog::LayerState,
    domain::{
        edit::{Change, Finding, Lineage},
        feature::{Feature, Value},
    },
    engine::{
        overlay::{Divided, SplitError, join, split},
        table::Row,
    },
    ground::{
        measure::{SurveyGrid, ellipsoidal_m2},
        shape::{Shape, ShapeRef},
    },
};

use super::judge::about;

/// The changes that a split or a merge consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// Deletes and puts; new features have placeholders as ids.
    pub changes: Vec<Change>,
    /// What came from what.
    pub lineage: Lineage,
    /// By how much the parts' areas differ from the whole's, m²: the rounding of the survey rule.
    pub residual_m2: f64,
    /// What to know about it: values that differed.
    pub notices: Vec<Finding>,
}

/// What shall be split.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    /// The feature.
    pub id: i64,
    /// The version that the author saw.
    pub version: i64,
    /// The line in longitude and latitude.
    pub line: &'a Shape,
}

/// What shall be merged.
#[derive(Debug, Clone, Copy)]
pub struct Merge<'a> {
    /// The features, two at least.
    pub ids: &'a [i64],
    /// The versions that the author saw.
    pub versions: &'a [i64],
    /// The one whose id and values stay.
    pub into: Option<i64>,
    /// Whether the result may consist of several parts.
    pub multipart: bool,
}

/// Gives placeholders to new features: -1, -2 and so on.
#[derive(Debug, Default)]
pub struct Placeholders(i64);

/// So many placeholders no part of an edit needs.
const OF_A_PART: i64 = 1 << 40;

impl Placeholders {
    /// Those of a part of an edit that is read by itself, counted from 0: others than those of all other parts.
    #[must_use]
    pub const fn of_part(part: usize) -> Self {
        Self(-(part as i64) * OF_A_PART)
    }

    /// The next.
    pub const fn next_id(&mut self) -> i64 {
        self.0 -= 1;
        self.0
    }
}

/// The changes that split a feature. `number` is the change's place in its edit.
///
/// # Errors
/// A finding that says why not.
#[expect(clippy::result_large_err, reason = "a finding is made once for an edit that is refused")]
pub fn split_feature(
    state: &LayerState,
    split_as: Split<'_>,
    number: usize,
    ids: &mut Placeholders,
) -> Result<Division, Finding> {
    let layer = &state.layer().id;
    let wrong = |fault: &str, message: String| about(number, layer, split_as.id, fault, message);
    let (row, shape) = surface(state, split_as.id, number)?;
    let line = split_as.line.view();
    if line.kind().dimension() != 1 || line.part_count() != 1 {
        return Err(wrong("not-a-line", "the line must be one LineString".to_owned()));
    }
    let grid = grid_for(state, shape);
    let divided = split(shape, line.coords(), grid).map_err(|error| refused(state, split_as.id, number, &error))?;
    let residual_m2 = residual((ellipsoidal_m2(shape, grid), &[shape]), &divided, grid)
        .map_err(|message| wrong("area-not-kept", message))?;
    let values = values_of(state, row);
    let mut changes = vec![Change::Delete { layer: layer.clone(), id: split_as.id, expects: split_as.version }];
    let mut children = Vec::with_capacity(divided.parts.len());
    for shape in divided.parts {
        let id = ids.next_id();
        children.push(id);
        let feature = Feature { id, shape: Some(shape), values: values.clone() };
        changes.push(Change::Put { layer: layer.clone(), feature, expects: None });
    }
    let lineage = Lineage { layer: layer.clone(), parents: vec![split_as.id], children };
    Ok(Division { changes, lineage, residual_m2, notices: Vec::new() })
}

/// The changes that merge features. `number` is the change's place in its edit.
///
/// # Errors
/// A finding that says why not.
#[expect(clippy::result_large_err, reason = "a finding is made once for an edit that is refused")]
pub fn merge_features(
    state: &LayerState,
    merge: Merge<'_>,
    number: usize,
    ids: &mut Placeholders,
) -> Result<Division, Finding> {
    let layer = &state.layer().id;
    let wrong = |fault: &str, message: &str| about(number, layer, merge.into.unwrap_or(0), fault, message);
    if merge.ids.len() < 2 || merge.ids.len() != merge.versions.len() {
        return Err(wrong("bad-merge", "a merge has two ids at least, and as many versions"));
    }
    if merge.ids.iter().enumerate().any(|(place, id)| merge.ids[..place].contains(id)) {
        return Err(wrong("bad-merge", "an id stands twice"));
    }
    if merge.into.is_some_and(|into| !merge.ids.contains(&into)) {
        return Err(wrong("bad-merge", "into is none of the ids"));
    }
    let surfaces = merge.ids.iter().map(|id| surface(state, *id, number)).collect::<Result<Vec<_>, _>>()?;
    let shapes: Vec<ShapeRef<'_>> = surfaces.iter().map(|(_, shape)| *shape).collect();
    let bounds = shapes.iter().filter_map(ShapeRef::bounds).reduce(crate::ground::shape::Bounds::union);
    let grid = bounds.filter(|bounds| state.grid().covers(bounds)).map(|_| state.grid());
    let joined = join(&shapes, grid, merge.multipart)
        .map_err(|error| refused(state, merge.into.unwrap_or(merge.ids[0]), number, &error))?;
    let whole = shapes.iter().map(|shape| ellipsoidal_m2(*shape, grid)).sum();
    let residual_m2 = residual((whole, &shapes), &joined, grid)
        .map_err(|message| about(number, layer, merge.into.unwrap_or(0), "area-not-kept", message))?;
    let kept = merge.into.unwrap_or(merge.ids[0]);
    let kept_place = merge.ids.iter().position(|id| *id == kept).unwrap_or(0);
    let values = values_of(state, surfaces[kept_place].0);
    let id = merge.into.unwrap_or_else(|| ids.next_id());
    let mut changes = Vec::with_capacity(merge.ids.len() + 1);
    for (parent, version) in merge.ids.iter().zip(merge.versions).filter(|(parent, _)| merge.into != Some(**parent)) {
        changes.push(Change::Delete { layer: layer.clone(), id: *parent, expects: *version });
    }
    let expects = merge.into.map(|_| merge.versions[kept_place]);
    let shape = joined.parts.into_iter().next();
    changes.push(Change::Put { layer: layer.clone(), feature: Feature { id, shape, values: values.clone() }, expects });
    let notices = differing(state, (kept, &values), (merge.ids, &surfaces), number);
    let lineage = Lineage { layer: layer.clone(), parents: merge.ids.to_vec(), children: vec![id] };
    Ok(Division { changes, lineage, residual_m2, notices })
}

#[expect(clippy::result_large_err, reason = "a finding is made once for an edit that is refused")]
fn surface(state: &LayerState, id: i64, number: usize) -> Result<(Row, ShapeRef<'_>), Finding> {
    let (layer, table) = (&state.layer().id, state.table());
    let row = table.row_of(id).ok_or_else(|| about(number, layer, id, "no-feature", "there is no such feature"))?;
    let shape = table.shape(row).filter(|shape| shape.kind().dimension() == 2);
    let shape = shape.ok_or_else(|| about(number, layer, id, "not-a-surface", "only surfaces are split and merged"))?;
    Ok((row, shape))
}

fn grid_for<'s>(state: &'s LayerState, shape: ShapeRef<'_>) -> Option<&'s SurveyGrid> {
    shape.bounds().filter(|bounds| state.grid().covers(bounds)).map(|_| state.grid())
}

fn values_of(state: &LayerState, row: Row) -> Vec<Value> {
    state.table().feature(row).values.iter().map(|value| value.to_value()).collect()
}

fn refused(state: &LayerState, id: i64, number: usize, error: &SplitError) -> Finding {
    let (fault, place) = match error {
        SplitError::NotASurface => ("not-a-surface", None),
        SplitError::Faulty => ("faulty-outline", None),
        SplitError::NoLine | SplitError::LineCrossesItself => ("bad-line", None),
        SplitError::DoesNotDivide => ("does-not-divide", None),
        SplitError::BadPart { at, .. } => ("bad-part", Some([at.x, at.y])),
        SplitError::Apart { .. } => ("apart", None),
        SplitError::Overlap => ("overlap", None),
        SplitError::TooLarge => ("too-large", None),
        SplitError::Crs(_) => ("outside-grid", None),
    };
    Finding { place, ..about(number, &state.layer().id, id, fault, error.to_string()) }
}

/// The whole's area less its parts', m², where rounding explains it.
///
/// Each surface's area is rounded, and its new vertices to a millionth of a second (3 cm over a kilometre of edge at most
/// 0.02 m²); an edge that is divided gets its points of every 70 m elsewhere, which moves it by a tenth of a millimetre at
/// most; a vertex that was put on an edge moves it by what it was off.
fn residual(
    (whole_m2, given): (f64, &[ShapeRef<'_>]),
    divided: &Divided,
    grid: Option<&SurveyGrid>,
) -> Result<f64, String> {
    let parts_m2: f64 = divided.parts.iter().map(|part| ellipsoidal_m2(part.view(), grid)).sum();
    let residual = whole_m2 - parts_m2;
    let surfaces = (given.len() + divided.parts.len()) as f64;
    let length_m: f64 = given.iter().map(|shape| length_m(*shape)).sum();
    let allowed = 0.005 * surfaces + 1e-4 * divided.cut_m + divided.off_m * length_m;
    if residual.abs() <= allowed {
        return Ok(residual);
    }
    Err(format!(
        "the parts' areas differ from the whole's by {residual:.4} m², more than the {allowed:.4} m² that rounding explains"
    ))
}

/// The length of all outlines, roughly.
fn length_m(shape: ShapeRef<'_>) -> f64 {
    let edge = |pair: &[geo::Coord]| {
        let scale = pair[0].y.to_radians().cos();
        ((pair[1].x - pair[0].x) * scale).hypot(pair[1].y - pair[0].y) * 111_320.0
    };
    shape.rings().map(|ring| ring.windows(2).map(edge).sum::<f64>()).sum()
}

/// A notice for each column in which the merged features had other values than the one that stays.
fn differing(
    state: &LayerState,
    (kept, values): (i64, &[Value]),
    (ids, surfaces): (&[i64], &[(Row, ShapeRef<'_>)]),
    number: usize,
) -> Vec<Finding> {
    let (layer, table) = (state.layer(), state.table());
    let mut notices = Vec::new();
    for (column, field) in layer.schema.fields.iter().enumerate() {
        let others: Vec<String> = ids
            .iter()
            .zip(surfaces)
            .filter(|(_, (row, _))| table.value(*row, column) != values[column].view())
            .map(|(id, (row, _))| format!("{id} had {}", said(&table.value(*row, column).to_value())))
            .collect();
        if !others.is_empty() {
            let message = format!("{} of {kept} is kept; {}", said(&values[column]), others.join(", "));
            let notice = about(number, &layer.id, kept, "values-differed", message);
            notices.push(Finding { property: Some(field.name.clone()), ..notice });
        }
    }
    notices
}

/// A value as JSON.
fn said(value: &Value) -> String {
    let mut text = Vec::new();
    crate::domain::geojson::write_value(&mut text, value.view());
    String::from_utf8_lossy(&text).chars().take(80).collect()
}
