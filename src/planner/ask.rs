//! Questions as people write them, in a URL or on the command line, and what they select.
//!
//! The page, the API and the command line come through here, so the same words give the same figures.

use geo::Coord;

use crate::{
    catalog::LayerState,
    engine::{
        filter::{Bound, Expr, FilterError, Selection, all_of, bind, in_crs, parse_json, parse_text, property_equals},
        find::meets_box,
        table::Row,
    },
    ground::{
        crs::{Crs, CrsKind},
        shape::Bounds,
    },
    store::Reader,
};

use super::{Planner, PlannerError};

/// A question that makes no sense: which part of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {detail}")]
pub struct AskError {
    /// The parameter at fault.
    pub parameter: String,
    /// What is wrong with its value and what to do.
    pub detail: String,
}

impl AskError {
    pub(super) fn new(parameter: &str, detail: impl ToString) -> Self {
        Self { parameter: parameter.to_owned(), detail: detail.to_string() }
    }
}

/// A sum that has no place in an area.
pub(super) fn sum_failed(error: crate::ground::units::UnitError) -> AskError {
    AskError::new("value", error)
}

/// Which features a question is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    /// CQL2.
    pub filter: Option<&'a str>,
    /// How the filter is written: `cql2-text` (where nothing is said) or `cql2-json`.
    pub filter_lang: Option<&'a str>,
    /// What the coordinates of the filter's geometries are in, in the axis order which that CRS declares;
    /// longitude and latitude (CRS84) where nothing is said.
    pub filter_crs: Option<&'a str>,
    /// `west,south,east,north`, or in the axis order of `bbox_crs`.
    pub bbox: Option<&'a str>,
    /// The CRS of the box.
    pub bbox_crs: Option<&'a str>,
    /// Properties that shall have a value.
    pub properties: &'a [(&'a str, &'a str)],
}

/// The features of a layer that a question is about; `None` for all of them.
///
/// # Errors
/// [`AskError`] names the parameter at fault.
pub fn select(state: &LayerState, which: &Which<'_>) -> Result<Option<Selection>, AskError> {
    let filter = filter_of(state, which)?;
    let place = match which.bbox {
        Some(text) => Some(Place::read(text, which.bbox_crs)?),
        None if which.bbox_crs.is_some() => {
            return Err(AskError::new("bbox-crs", "says what a box is in, but there is no bbox"));
        }
        None => None,
    };
    let table = state.table();
    Ok(match (filter, place) {
        (None, None) => None,
        (Some(filter), None) => Some(filter.select(table, None).map_err(over_budget)?),
        (filter, Some(Place::Boxes(boxes))) => {
            let part = |bounds: &Bounds| match &filter {
                Some(filter) => filter.select(table, Some(*bounds)).map_err(over_budget),
                None => Ok(Selection::in_box(table, *bounds)),
            };
            let parts = boxes.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            parts.into_iter().reduce(|a, b| a.or(&b))
        }
        (filter, Some(Place::InCrs { crs, bounds, reach })) => {
            let touches = |row: &Row| touches_in(&crs, &bounds, state, *row);
            Some(match filter {
                None => Selection::of(table, table.touching(reach).filter(touches)),
                Some(filter) => {
                    let found = filter.select(table, Some(reach)).map_err(over_budget)?;
                    Selection::of(table, found.rows().filter(touches))
                }
            })
        }
    })
}

/// Whether a question's filter and properties make sense of a layer, without asking it.
///
/// # Errors
/// [`AskError`] names the parameter at fault.
pub fn check_filter(state: &LayerState, which: &Which<'_>) -> Result<(), AskError> {
    filter_of(state, which).map(drop)
}

impl Planner {
    /// Whether a filter makes sense of a layer as it is defined in the file, of which nothing else is read.
    ///
    /// # Errors
    /// [`PlannerError::UnknownLayer`], [`PlannerError::Ask`]; where the file cannot be read.
    pub fn check_rule(&self, layer: &str, rule: &str) -> Result<(), PlannerError> {
        let reader = Reader::open(&self.path)?;
        let stored = reader.layers().iter().find(|stored| stored.layer.id.as_str() == layer);
        let stored = stored.ok_or_else(|| {
            let known: Vec<&str> = reader.layers().iter().map(|stored| stored.layer.id.as_str()).collect();
            PlannerError::UnknownLayer { given: layer.to_owned(), known: known.join(", ") }
        })?;
        let empty = LayerState::of_segments(stored.layer.clone(), Vec::new())?;
        Ok(check_filter(&empty, &Which { filter: Some(rule), ..Which::default() })?)
    }
}

/// Whether a feature, moved to a CRS, shares a point with a box in it.
fn touches_in(crs: &Crs, bounds: &Bounds, state: &LayerState, row: Row) -> bool {
    let Some(shape) = state.table().shape(row) else { return false };
    let mut moved = shape.to_shape();
    crs.from_stored(moved.coords_mut()).is_ok() && meets_box(moved.view(), bounds)
}

fn filter_of(state: &LayerState, which: &Which<'_>) -> Result<Option<Bound>, AskError> {
    let mut parts: Vec<Expr> = Vec::new();
    match which.filter {
        Some(text) => parts.push(read_filter(text, which)?),
        None if which.filter_lang.is_some() => {
            return Err(AskError::new("filter-lang", "says how a filter is written, but there is no filter"));
        }
        None if which.filter_crs.is_some() => {
            return Err(AskError::new("filter-crs", "says what a filter's coordinates are in, but there is no filter"));
        }
        None => {}
    }
    for (name, value) in which.properties {
        parts.push(property_equals(name, value, state.layer()).map_err(|error| AskError::new(name, error))?);
    }
    let Some(whole) = all_of(parts) else { return Ok(None) };
    bind(&whole, state.layer()).map(Some).map_err(|error| AskError::new("filter", error))
}

/// The filter as written, its geometries in longitude and latitude.
fn read_filter(text: &str, which: &Which<'_>) -> Result<Expr, AskError> {
    let crs = which.filter_crs.map(|given| given.parse::<Crs>().map_err(|error| AskError::new("filter-crs", error)));
    let read = match which.filter_lang {
        None | Some("cql2-text") => parse_text(text),
        Some("cql2-json") => parse_json(text),
        Some(other) => {
            return Err(AskError::new("filter-lang", format!("{other:?} is neither cql2-text nor cql2-json")));
        }
    };
    let placed = match crs.transpose()? {
        Some(crs) => read.and_then(|filter| in_crs(filter, &crs)),
        None => read,
    };
    placed.map_err(|error| AskError::new("filter", error))
}

fn over_budget(error: FilterError) -> AskError {
    AskError::new("filter", error)
}

/// Whether a box in degrees surely reaches few of a layer's features, at most `most` by their boxes: told without looking
/// at any. What is no box reaches none.
#[must_use]
pub fn reaches_few(state: &LayerState, bbox: &str, most: usize) -> bool {
    match Place::read(bbox, None) {
        Ok(Place::Boxes(boxes)) => boxes.iter().all(|bounds| state.table().reaches_few(*bounds, most / boxes.len())),
        Ok(Place::InCrs { .. }) => false,
        Err(_) => true,
    }
}

/// Where features shall be.
#[derive(Debug)]
enum Place {
    /// In one box of longitude and latitude, or in two where the box crosses the antimeridian.
    Boxes(Vec<Bounds>),
    /// In a box of another CRS; `reach` is a box of longitude and latitude that surely holds it.
    InCrs { crs: Crs, bounds: Bounds, reach: Bounds },
}

impl Place {
    /// Reads `a,b,c,d` (or six numbers, of which the heights are left out, as the standard says).
    fn read(text: &str, crs: Option<&str>) -> Result<Self, AskError> {
        let crs = crs.map(|given| given.parse::<Crs>().map_err(|error| AskError::new("bbox-crs", error)));
        let crs = crs.transpose()?.filter(|crs| !crs.is_stored() || crs.north_first());
        let (mut a, mut b) = corners(text)?;
        if crs.as_ref().is_some_and(Crs::north_first) {
            (a, b) = (Coord { x: a.y, y: a.x }, Coord { x: b.y, y: b.x });
        }
        if a.y > b.y {
            return Err(AskError::new("bbox", format!("{text:?}: the southern edge lies north of the northern one")));
        }
        match crs {
            Some(crs) if !crs.is_stored() && crs.kind() != CrsKind::Geographic => {
                if a.x > b.x {
                    return Err(AskError::new(
                        "bbox",
                        format!("{text:?}: the western edge lies east of the eastern one"),
                    ));
                }
                let bounds = Bounds { min: a, max: b };
                let reach = crs.bounds_to_stored(&bounds).map_err(|error| AskError::new("bbox", error))?;
                Ok(Self::InCrs { crs, bounds, reach })
            }
            Some(crs) if !crs.is_stored() => {
                if a.x > b.x {
                    let detail = format!(
                        "{text:?} crosses the antimeridian, which is read in longitude and latitude of EPSG:4490 and WGS 84 \
                         only: give two boxes"
                    );
                    return Err(AskError::new("bbox", detail));
                }
                let bounds = Bounds { min: a, max: b };
                let reach = crs.bounds_to_stored(&bounds).map_err(|error| AskError::new("bbox", error))?;
                Ok(Self::InCrs { crs, bounds, reach })
            }
            _ => Self::in_degrees(a, b, text),
        }
    }

    fn in_degrees(a: Coord, b: Coord, text: &str) -> Result<Self, AskError> {
        if a.y < -90.0 || b.y > 90.0 || a.x.abs() > 180.0 || b.x.abs() > 180.0 {
            let detail = format!(
                "{text:?} leaves the range of longitude (±180) or latitude (±90): the order is west,south,east,north; \
                 for a box in another CRS say bbox-crs"
            );
            return Err(AskError::new("bbox", detail));
        }
        if a.x <= b.x {
            return Ok(Self::Boxes(vec![Bounds { min: a, max: b }]));
        }
        // West of the antimeridian, and east of it.
        let western = Bounds { min: a, max: Coord { x: 180.0, y: b.y } };
        let eastern = Bounds { min: Coord { x: -180.0, y: a.y }, max: b };
        Ok(Self::Boxes(vec![western, eastern]))
    }
}

fn corners(text: &str) -> Result<(Coord, Coord), AskError> {
    let number = |part: &str| {
        let number = part.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| AskError::new("bbox", format!("{text:?}: {part:?} is no number")))
    };
    let numbers = text.split(',').map(number).collect::<Result<Vec<f64>, AskError>>()?;
    match numbers.as_slice() {
        [a, b, c, d] | [a, b, _, c, d, _] => Ok((Coord { x: *a, y: *b }, Coord { x: *c, y: *d })),
        _ => Err(AskError::new("bbox", format!("{text:?} has {} numbers: four are needed", numbers.len()))),
    }
}
